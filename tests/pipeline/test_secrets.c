/* A marked token over every way an update can go wrong: afterwards nothing that was written, said
 * or asked of another host holds it, in any form. */
#include "pipeline/pipeline.h"
#include "source/rude_server.c" /* its sockets say what no proper provider says */

#include <ftw.h>
#include <lochan/log.h>
#include <stdatomic.h>
#include <zstd.h>

/* Each form differs from the others. */
#define TOKEN      "tok\"EN+m%rk/9Zq7"
#define PERCENT    "tok%22EN%2Bm%25rk%2F9Zq7"
#define PERCENT_LC "tok%22EN%2bm%25rk%2f9Zq7"
#define JSON_TOKEN "tok\\\"EN+m%rk/9Zq7"

#define SLASHES "tok\\\"EN+m%rk\\/9Zq7"

/* "me:" TOKEN, as auth: basic sends it, and as others write that. */
#define BASE64         "bWU6dG9rIkVOK20lcmsvOVpxNw=="
#define BASE64_PERCENT "bWU6dG9rIkVOK20lcmsvOVpxNw%3D%3D"

static const char *const forms[] = {TOKEN,   PERCENT, PERCENT_LC,    JSON_TOKEN,
                                    SLASHES, BASE64,  BASE64_PERCENT};
static char *home;
static lochan_lake *lake;
static lochan_error err;
static char said[1 << 20];
static atomic_int leaked, stolen;

/* Where the bytes hold a form of the token. */
static const char *find_token(const void *p, size_t n) {
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (memmem(p, n, forms[i], strlen(forms[i])))
            return forms[i];
    return NULL;
}

static void search(const char *what, const void *p, size_t n) {
    const char *form = find_token(p, n);
    if (form) {
        print_error("%s holds the token as %s\n", what, form);
        leaked++;
    }
}

/* A staged or recorded answer is compressed: each zstd frame is looked into. */
static void search_frames(const char *what, const char *p, size_t n) {
    static const char magic[] = "\x28\xb5\x2f\xfd";
    const char *at = p;
    while ((at = memmem(at, n - (size_t)(at - p), magic, 4)) != NULL) {
        size_t left = n - (size_t)(at - p), size = 4 << 20;
        char *plain = malloc(size);
        size_t got = ZSTD_decompress(plain, size, at, ZSTD_findFrameCompressedSize(at, left));
        if (!ZSTD_isError(got))
            search(what, plain, got);
        free(plain);
        at += 4;
    }
}

static int search_file(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    size_t n = 0;
    search(path, path, strlen(path));
    if (kind != FTW_F || st->st_size == 0)
        return 0;
    char *text = tmpdir_read(path, &n);
    search(path, text, n);
    search_frames(path, text, n);
    free(text);
    return 0;
}

static void on_log(void *payload, lochan_log_level level, const char *message) {
    size_t used = strlen(said);
    snprintf(said + used, sizeof said - used, "%s\n", message);
}

/* ---- the provider ---- */

/* Base64 comes back only where it was sent: otherwise it is nothing that lochan could know. */
#define ECHO(more) "{\"said\": \"" JSON_TOKEN " " PERCENT " " PERCENT_LC " " SLASHES more "\"}"

static bool answer(rude_server *server, int fd, const char *path, int nth, const char *request) {
    const char *echo = strstr(request, BASE64) ? ECHO(" " BASE64 " " BASE64_PERCENT) : ECHO("");
    if (strncmp(path, "/steal", 6) == 0) { /* asked under another name of the host */
        stolen += find_token(request, strlen(request)) != NULL;
        rude_page(fd, "200 OK", "", "[]");
    } else if (strncmp(path, "/badtoken", 9) == 0) {
        rude_page(fd, "401 Unauthorized", "", echo);
    } else if (strncmp(path, "/broken", 7) == 0) {
        rude_page(fd, "500 Internal Server Error", "", echo);
    } else if (strncmp(path, "/moved", 6) == 0) {
        char header[200];
        snprintf(header, sizeof header, "Location: http://localhost:%d/steal\r\n",
                 (int)rude_port(server));
        rude_page(fd, "302 Found", header, echo);
    } else if (strncmp(path, "/malformed", 10) == 0) {
        rude_page(fd, "200 OK", "", "[{\"code\": \"" JSON_TOKEN "\", \"day\": nope");
    } else if (strncmp(path, "/value", 6) == 0) {
        rude_page(fd, "200 OK", "",
                  "[{\"code\": \"A\", \"day\": \"2024-01-01\", \"price\": \"" JSON_TOKEN "\"}]");
    } else if (strncmp(path, "/code", 5) == 0) {
        rude_page(fd, "200 OK", "", "{\"error\": \"" JSON_TOKEN "\", \"data\": []}");
    } else if (strncmp(path, "/cut", 4) == 0) {
        rude_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n");
        rude_say(fd, echo);
        return rude_reset(fd);
    } else if (strncmp(path, "/slow", 5) == 0) {
        rude_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n");
        rude_say(fd, echo);
        rude_wait(server, fd);
        return false;
    } else if (strncmp(path, "/field", 6) == 0) { /* a good answer that repeats the token */
        rude_page(fd, "200 OK", "",
                  "[{\"code\": \"" JSON_TOKEN "\", \"day\": \"2024-01-01\", \"price\": 1}]");
    } else if (strncmp(path, "/column", 7) == 0) {
        rude_page(fd, "200 OK", "",
                  "[{\"code\": \"A\", \"day\": \"2024-01-02\", \"" JSON_TOKEN "\": 1}]");
    } else {
        rude_page(fd, "200 OK", "", "[]");
    }
    return true;
}

static const char *const paths[] = {"/badtoken", "/broken", "/moved", "/malformed",
                                    "/value",    "/code",   "/cut",   "/slow",
                                    "/field",    "/column", "/fine"};

/* Every place where a spec can show its secret. */
static const char *const auths[] = {
    "headers: {Authorization: 'Bearer {secret}'}\nquery: {key: '{secret}'}\n"
    "body: {token: '{secret}', from: '{start}'}\n",
    "auth: bearer\nbody: {from: '{start}'}\n",
    "auth: {kind: basic, user: me}\nbody: {from: '{start}'}\n",
    "auth: {kind: header, name: X-Key}\nbody: {from: '{start}'}\n",
    "auth: {kind: query, name: key}\nbody: {from: '{start}'}\n",
    "auth: {kind: body, name: key}\nbody: {from: '{start}'}\n",
};

static void add_source(rude_server *server, const char *auth, bool replace) {
    char text[1500];
    snprintf(text, sizeof text,
             "name: rude\nkind: http\nurl: http://127.0.0.1:%d\npath: /fine\nmethod: POST\n"
             "secret: env:LOCHAN_MARKED\nformat: records\n"
             "stall_timeout: 200ms\ntimeout: 400ms\nretry_backoff: 1ms\nmax_retries: 1\n%s",
             (int)rude_port(server), auth);
    assert_ok(lochan_source_add(lake, text, strlen(text), "rude.yaml", replace, &err));
}

static void add_dataset(void) {
    static const char text[] =
        "name: marked\nsource: rude\nasset_column: code\ntime_column: day\n"
        "default_start: 2024-01-01\ncolumns: {asset_id: string, time: date, price: float64}\n"
        "primary_key: [asset_id, time]\nkeep_raw: true\n"
        "validation: [{rule: allowed, column: asset_id, values: [A], on_error: quarantine}]\n";
    assert_ok(lochan_dataset_add(lake, text, strlen(text), "marked.yaml", false, &err));
}

static void say_error(void) {
    on_log(NULL, LOCHAN_LOG_INFO, err.message);
    on_log(NULL, LOCHAN_LOG_INFO, err.hint);
    on_log(NULL, LOCHAN_LOG_INFO, err.file);
    on_log(NULL, LOCHAN_LOG_INFO, err.column);
}

/* What other users of the machine see of this process. */
static void search_process_list(void) {
    char text[4096];
    FILE *file = fopen("/proc/self/cmdline", "r");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof text, file);
    fclose(file);
    assert_true(n > 0);
    search("the process list", text, n);
}

static void walk_the_paths(const char *record) {
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
        lochan_update_report report;
        lochan_source_test_request trial = LOCHAN_SOURCE_TEST_REQUEST_INIT;
        lochan_source_answer seen = {.struct_size = sizeof seen};
        assert_ok(lochan_source_set(lake, "rude", "path", paths[i], &err));
        request.source = "rude";
        request.dataset = "marked";
        request.end = "2024-01-05";
        request.force = i % 2 == 0;
        request.record = record;
        lochan_error_init(&err);
        (void)!lochan_update_run(lake, &request, &report, &err);
        say_error();
        trial.source = "rude";
        lochan_error_init(&err);
        (void)!lochan_source_test(lake, &trial, &seen, &err);
        say_error();
        search("source test", &seen, sizeof seen);
        search_process_list();
    }
}

static void test_secrets__a_marked_token_is_nowhere(void **state) {
    char path[300], record[300];
    struct ArrowArrayStream status;
    home = tmpdir_make("secrets");
    setenv("LOCHAN_MARKED", TOKEN, 1);
    setenv("XDG_STATE_HOME", home, 1);
    snprintf(path, sizeof path, "%s/lake", home);
    snprintf(record, sizeof record, "%s/record", home);
    lochan_log_set(on_log, NULL, LOCHAN_LOG_DEBUG);
    rude_server *server = rude_start(answer);
    assert_ok(lochan_lake_init(path, NULL, &err));
    assert_ok(lochan_lake_open(path, NULL, &lake, &err));
    for (size_t i = 0; i < sizeof auths / sizeof *auths; i++) {
        add_source(server, auths[i], i > 0);
        if (i == 0)
            add_dataset();
        walk_the_paths(record);
    }
    assert_true(strstr(said, "HTTP 500") && strstr(said, "HTTP 401")); /* errors were seen */
    assert_ok(lochan_status_datasets(lake, "rude", "marked", &status, &err));
    assert_true(stream_int(&status, "raw_files") > 3); /* answers were kept */
    lochan_lake_close(lake);
    rude_stop(server);
    lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
    search("what was said", said, strlen(said));
    assert_int_equal(nftw(home, search_file, 16, FTW_PHYS), 0);
    tmpdir_remove(home);
    unsetenv("LOCHAN_MARKED");
    assert_int_equal(leaked, 0);
    assert_int_equal(stolen, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secrets__a_marked_token_is_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
