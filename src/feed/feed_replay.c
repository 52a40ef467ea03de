/* feed_replay.c - loads a folder of recorded answers and matches requests against them.
 * Invariant: as in feed_replay.h. May call: base/, source/recorded.h.
 */
#include "feed/feed_replay.h"

#include "base/fs.h"

#define MAX_RECORD ((size_t)1 << 30)
#define SECRET     "{secret}"

struct answer {
    lochan_buf text;
    lochan_recorded record;
    bool used;
};

struct lochan_feed_replay {
    struct answer *answers;
    size_t n, cap;
    const char *dir; /* while loading */
};

static lochan_status add_answer(void *ctx, const char *name, const lochan_stat *st,
                                lochan_error *err) {
    lochan_feed_replay *r = ctx;
    size_t n = strlen(name), tail = strlen(LOCHAN_RECORDED_SUFFIX);
    if (st->is_dir || n <= tail || strcmp(name + n - tail, LOCHAN_RECORDED_SUFFIX) != 0)
        return LOCHAN_OK;
    struct answer *answers = lochan_mem__grow(r->answers, r->n, &r->cap, sizeof(*r->answers));
    char *path = answers ? lochan_path__join(r->dir, name) : NULL;
    if (answers)
        r->answers = answers;
    if (!path)
        return lochan_error__nomem(err);
    struct answer *a = &r->answers[r->n++];
    *a = (struct answer){0};
    lochan_buf__init(&a->text, MAX_RECORD);
    lochan_status rc = lochan_fs__read_all(path, MAX_RECORD, &a->text, err);
    if (rc == LOCHAN_OK)
        rc = lochan_error__in_file(
            err, lochan_recorded__parse((const char *)a->text.data, a->text.len, &a->record, err),
            path, -1);
    lochan_mem__free(path);
    return rc;
}

lochan_status lochan_feed_replay__load(const char *dir, lochan_feed_replay **out,
                                       lochan_error *err) {
    *out = NULL;
    lochan_feed_replay *r = lochan_mem__zalloc(sizeof(*r));
    if (!r)
        return lochan_error__nomem(err);
    r->dir = dir;
    lochan_status rc = lochan_fs__list(dir, add_answer, r, err);
    if (rc == LOCHAN_OK && r->n == 0)
        rc = lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "%s holds no recorded answer", dir);
    r->dir = NULL;
    if (rc != LOCHAN_OK) {
        lochan_feed_replay__free(r);
        return rc;
    }
    *out = r;
    return LOCHAN_OK;
}

void lochan_feed_replay__free(lochan_feed_replay *r) {
    for (size_t i = 0; r && i < r->n; i++)
        lochan_buf__deinit(&r->answers[i].text);
    if (r)
        lochan_mem__free(r->answers);
    lochan_mem__free(r);
}

void lochan_feed_replay__begin(lochan_feed_replay_key *key, const char *method, const char *path) {
    *key = (lochan_feed_replay_key){.method = method, .path = path};
}

bool lochan_feed_replay__add_parameter(lochan_feed_replay_key *key, const char *name,
                                       const char *value) {
    if (key->n == LOCHAN_REPLAY_PARAMETERS)
        return false;
    key->names[key->n] = name;
    key->values[key->n++] = value ? value : "";
    return true;
}

/* ---- matching ---- */

/* Whether `text` is `pattern` with each "{secret}" replaced by anything. */
static bool matches(lochan_str pattern, lochan_str text) {
    const char *hole = memmem(pattern.p, pattern.n, SECRET, strlen(SECRET));
    if (!hole)
        return lochan_str__eq(pattern, text);
    size_t before = (size_t)(hole - pattern.p);
    if (text.n < before || memcmp(text.p, pattern.p, before) != 0)
        return false;
    lochan_str rest = {hole + strlen(SECRET), pattern.n - before - strlen(SECRET)};
    for (size_t skip = before; skip <= text.n; skip++)
        if (matches(rest, (lochan_str){text.p + skip, text.n - skip}))
            return true;
    return false;
}

static int hex_digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* Undoes percent-encoding; dst has room for n bytes. */
static lochan_str decode(const char *p, size_t n, char *dst) {
    size_t out = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '%' && i + 2 < n && hex_digit(p[i + 1]) >= 0 && hex_digit(p[i + 2]) >= 0) {
            dst[out++] = (char)(hex_digit(p[i + 1]) * 16 + hex_digit(p[i + 2]));
            i += 2;
        } else {
            dst[out++] = p[i];
        }
    }
    return (lochan_str){dst, out};
}

/* One recorded "name=value" among the request's parameters. */
static bool has_parameter(const lochan_feed_replay_key *key, lochan_str pair) {
    char plain[2][4096];
    const char *equals = memchr(pair.p, '=', pair.n);
    size_t n = equals ? (size_t)(equals - pair.p) : pair.n;
    if (pair.n > sizeof(plain[0]))
        return false;
    lochan_str name = decode(pair.p, n, plain[0]);
    lochan_str value = equals ? decode(equals + 1, pair.n - n - 1, plain[1]) : (lochan_str){"", 0};
    for (size_t i = 0; i < key->n; i++)
        if (lochan_str__eq(lochan_str__of(key->names[i]), name) &&
            matches(value, lochan_str__of(key->values[i])))
            return true;
    return false;
}

static bool same_target(lochan_str target, const lochan_feed_replay_key *key) {
    char plain[4096];
    const char *query = memchr(target.p, '?', target.n);
    size_t n = query ? (size_t)(query - target.p) : target.n, count = 0;
    if (n > sizeof(plain) || !matches(decode(target.p, n, plain), lochan_str__of(key->path)))
        return false;
    for (const char *p = query ? query + 1 : NULL, *end = target.p + target.n; p && p < end;) {
        const char *stop = memchr(p, '&', (size_t)(end - p));
        lochan_str pair = {p, (size_t)((stop ? stop : end) - p)};
        if (!has_parameter(key, pair))
            return false;
        count++;
        p = stop ? stop + 1 : end;
    }
    return count == key->n;
}

const lochan_feed_recorded *lochan_feed_replay__find(lochan_feed_replay *r,
                                                     const lochan_feed_replay_key *key,
                                                     lochan_str body, pthread_mutex_t *lock) {
    struct answer *found = NULL;
    pthread_mutex_lock(lock);
    for (size_t i = 0; i < r->n && (!found || found->used); i++) {
        struct answer *a = &r->answers[i];
        if (strcmp(a->record.method, key->method) == 0 && same_target(a->record.target, key) &&
            matches(a->record.request_body, body))
            found = a;
    }
    if (found)
        found->used = true;
    pthread_mutex_unlock(lock);
    return found ? &found->record : NULL;
}
