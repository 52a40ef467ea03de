/* command.h - runs the command as a user would, in a process of its own, and keeps what it said.
 * Invariants: $LOCHAN_BIN, else the one of this build; stdout and stderr go to files, so nothing
 * blocks; a failure in here ends the test. Included once a test program. May call: libc, tmpdir.h.
 */
#ifndef TEST_CLI_COMMAND_H
#define TEST_CLI_COMMAND_H

#include "support/cmocka_all.h"
#include "support/tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NOBODY = 65534 };

typedef struct call {
    int code; /* exit code, or 1000 + signal */
    char *out;
    char *err;
} call;

typedef struct how {
    const char *bin;    /* NULL = the command of this build */
    bool nobody;        /* as an unprivileged user */
    const char *stdout; /* a file to open instead, e.g. /dev/full */
    const char *folder; /* to run in */
    int out_fd;         /* > 0: stdout goes there */
} how;

static char *dir; /* a temporary folder for each test */

__attribute__((unused)) static int setup_dir(void **state) {
    (void)state;
    dir = tmpdir_make("cli");
    unsetenv("LOCHAN_LAKE");
    return 0;
}

__attribute__((unused)) static int remove_dir(void **state) {
    (void)state;
    tmpdir_remove(dir);
    return 0;
}

static const char *command_path(void) {
    const char *bin = getenv("LOCHAN_BIN");
    return bin && *bin ? bin : LOCHAN_BINARY_DIR "/lochan";
}

/* Starts argv (argv[0] is ignored) with stdout and stderr in files `out` and `err`. */
static pid_t start(const how *h, char *const *argv, const char *out, const char *err) {
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int to = h->out_fd > 0 ? h->out_fd
                           : open(h->stdout ? h->stdout : out, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    int complaints = open(err, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    int from = open("/dev/null", O_RDONLY);
    if (to < 0 || complaints < 0 || dup2(from, 0) < 0 || dup2(to, 1) < 0 || dup2(complaints, 2) < 0)
        _exit(126);
    if (h->folder && chdir(h->folder) != 0)
        _exit(126);
    if (h->nobody && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
        _exit(126);
    execv(h->bin ? h->bin : command_path(), argv);
    _exit(127);
}

static int wait_for(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        assert_int_equal(errno, EINTR);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Results live until the test's folder goes and the ring comes round. */
static call run_argv(const how *h, const char *const *words) {
    static call ring[16];
    static unsigned turn;
    static const how plain = {0};
    call *c = &ring[turn++ % 16];
    const char *argv[64] = {"lochan"};
    char *out = strdup(tmpdir_path(dir, "stdout")), *err = strdup(tmpdir_path(dir, "stderr"));
    for (size_t i = 0; words[i] && i < 62; i++)
        argv[i + 1] = words[i];
    free(c->out);
    free(c->err);
    tmpdir_write(out, "", 0);
    c->code = wait_for(start(h ? h : &plain, (char *const *)argv, out, err));
    size_t n;
    c->out = tmpdir_read(out, &n);
    c->err = tmpdir_read(err, &n);
    free(out);
    free(err);
    return *c;
}

#define RUN(...)        run_argv(NULL, (const char *const[]){__VA_ARGS__, NULL})
#define RUN_HOW(h, ...) run_argv(&(h), (const char *const[]){__VA_ARGS__, NULL})

/* Shows what the command said when the code is another one. */
#define assert_code(c, expected)                                                                   \
    do {                                                                                           \
        if ((c).code != (expected))                                                                \
            fail_msg("exit code %d, expected %d\nstdout: %s\nstderr: %s", (c).code, (expected),    \
                     (c).out, (c).err);                                                            \
    } while (0)
#define assert_says(text, part)                                                                    \
    do {                                                                                           \
        if (!strstr((text), (part)))                                                               \
            fail_msg("expected \"%s\" in: %s", (part), (text));                                    \
    } while (0)

__attribute__((unused)) static const char *in_dir(const char *name) {
    return tmpdir_path(dir, name);
}

__attribute__((unused)) static void write_text(const char *name, const char *text) {
    tmpdir_write(in_dir(name), text, strlen(text));
}

__attribute__((unused)) static void pause_ms(int ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

/* Makes dir/lake. */
__attribute__((unused)) static const char *make_lake(void) {
    static char path[300];
    snprintf(path, sizeof path, "%s/lake", dir);
    call c = RUN("--lake", path, "init");
    assert_code(c, 0);
    return path;
}

/* ---- a provider ---- */

typedef struct feed {
    pid_t pid;
    char url[64];
} feed;

/* `lochan feed PATH OPTIONS...` on a free port. */
__attribute__((unused)) static feed feed_start(const char *path, const char *const *options) {
    static const how plain = {0};
    feed f;
    char *ready = strdup(in_dir("feed-port"));
    const char *argv[32] = {"lochan", "feed", path, "--ready-file", ready};
    for (size_t i = 0; options && options[i] && i < 24; i++)
        argv[5 + i] = options[i];
    unlink(ready);
    char *out = strdup(in_dir("feed.out")), *err = strdup(in_dir("feed.err"));
    f.pid = start(&plain, (char *const *)argv, out, err);
    for (int i = 0; !tmpdir_exists(ready); i++) {
        int status;
        if (waitpid(f.pid, &status, WNOHANG) == f.pid || i > 2400)
            fail_msg("the feed did not start: %s", tmpdir_read(err, NULL));
        pause_ms(25);
    }
    size_t n;
    char *port = tmpdir_read(ready, &n);
    snprintf(f.url, sizeof f.url, "http://127.0.0.1:%d", (int)strtol(port, NULL, 10));
    free(port);
    free(ready);
    free(out);
    free(err);
    return f;
}

__attribute__((unused)) static void feed_stop(feed *f) {
    kill(f->pid, SIGTERM);
    assert_int_equal(wait_for(f->pid), 0);
}

/* Prices of `assets` assets on each of the first `days` days of 2020, newest first. */
__attribute__((unused)) static void write_prices(const char *name, int days, int assets) {
    static const int months[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    FILE *file = fopen(in_dir(name), "w");
    assert_non_null(file);
    fprintf(file, "code,day,close,note\n");
    for (int d = days - 1; d >= 0; d--) {
        int month = 0, day = d;
        while (day >= months[month])
            day -= months[month++];
        for (int a = 0; a < assets; a++)
            fprintf(file, "A%02d,2020-%02d-%02d,%d.%d,%s\n", a, month + 1, day + 1, d, a % 10,
                    a % 2 ? "\"say \"\"hi\"\", twice\"" : "");
    }
    fclose(file);
}

#define PRICES_SPEC                                                                                \
    "name: prices\nsource: shop\ndefault_start: 2020-01-01\nasset_column: code\ntime_column: "     \
    "day\n"                                                                                        \
    "request_options: {date_chunk_months: 1}\ncolumns:\n  asset_id: string\n"                      \
    "  time: {type: date, format: \"%Y-%m-%d\"}\n  close: float64\n  note: string\n"               \
    "primary_key: [asset_id, time]\nsort_columns: [time, asset_id]\n"

/* A lake with source shop at `url` and dataset shop/prices. */
__attribute__((unused)) static const char *make_shop(const char *url) {
    const char *lake = make_lake();
    char source[300];
    snprintf(
        source, sizeof source,
        "name: shop\nkind: http\nurl: %s\npath: /{source_dataset}.csv\n"
        "query: {start: \"{start}\", end: \"{end}\"}\nretry_backoff: 10ms\nmax_backoff: 20ms\n",
        url);
    write_text("shop.yaml", source);
    write_text("prices.yaml", PRICES_SPEC);
    call c = RUN("--lake", lake, "source", "add", in_dir("shop.yaml"));
    assert_code(c, 0);
    c = RUN("--lake", lake, "dataset", "add", in_dir("prices.yaml"));
    assert_code(c, 0);
    return lake;
}

#endif
