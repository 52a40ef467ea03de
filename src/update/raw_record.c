/* raw_record.c - file `evidence`: which answers an update took for which scope.
 * Little-endian: magic, the update, its scopes, and the XXH3-128 of all that; docs/format.md. It is
 * read as hostile input: every count is bounded by the bytes that are there. May call: base/,
 * manage.h.
 */
#include "update/raw.h"

#include "base/fs.h"
#include "update/manage.h"

#define MAGIC      "LCHRAW01"
#define MAX_RECORD ((size_t)1 << 30)
#define FIRST_DAY  (-719162) /* 0001-01-01 */
#define LAST_DAY   2932896   /* 9999-12-31 */

/* ---- writing ---- */

static lochan_status put_text(lochan_buf *out, const char *text, lochan_error *err) {
    size_t n = strlen(text);
    LOCHAN_TRY(lochan_buf__u32le(out, (uint32_t)n, err));
    return lochan_buf__append(out, text, n, err);
}

static lochan_status put_hash(lochan_buf *out, lochan_hash128 hash, lochan_error *err) {
    LOCHAN_TRY(lochan_buf__u64le(out, hash.lo, err));
    return lochan_buf__u64le(out, hash.hi, err);
}

static lochan_status put_scope(const lochan_scope *scope, lochan_buf *out, lochan_error *err) {
    size_t n_assets = scope->assets ? scope->n_series : 0;
    LOCHAN_TRY(lochan_buf__u32le(out, (uint32_t)scope->window.from, err));
    LOCHAN_TRY(lochan_buf__u32le(out, (uint32_t)scope->window.to, err));
    LOCHAN_TRY(lochan_buf__u64le(out, (uint64_t)scope->asked_ns, err));
    LOCHAN_TRY(lochan_buf__u32le(out, scope->open_ended, err));
    LOCHAN_TRY(put_text(out, scope->variant ? scope->variant->name : "", err));
    LOCHAN_TRY(lochan_buf__u32le(out, (uint32_t)n_assets, err));
    for (size_t i = 0; i < n_assets; i++)
        LOCHAN_TRY(put_text(out, scope->series[i]->asset, err));
    LOCHAN_TRY(lochan_buf__u32le(out, (uint32_t)scope->n_answers, err));
    for (size_t i = 0; i < scope->n_answers; i++)
        LOCHAN_TRY(put_hash(out, scope->answers[i], err));
    return LOCHAN_OK;
}

lochan_status lochan_raw_record__encode(const lochan_job *job, lochan_buf *out, lochan_error *err) {
    char mapping[33];
    uint32_t n = 0;
    for (size_t i = 0; i < job->n_scopes; i++)
        n += job->scopes[i].state == LOCHAN_SCOPE_DONE;
    lochan_buf__init(out, MAX_RECORD);
    LOCHAN_TRY(lochan_manage__hash_mapping(job->spec, mapping, err));
    LOCHAN_TRY(lochan_buf__append(out, MAGIC, 8, err));
    LOCHAN_TRY(put_text(out, job->update_id, err));
    LOCHAN_TRY(put_text(out, mapping, err));
    LOCHAN_TRY(lochan_buf__u64le(out, (uint64_t)job->started_ns, err));
    LOCHAN_TRY(lochan_buf__u32le(out, (uint32_t)job->level, err));
    LOCHAN_TRY(lochan_buf__u32le(out, n, err));
    for (size_t i = 0; i < job->n_scopes; i++) {
        if (job->scopes[i].state == LOCHAN_SCOPE_DONE)
            LOCHAN_TRY(put_scope(&job->scopes[i], out, err));
    }
    return put_hash(out, lochan_hash__128(out->data, out->len), err);
}

/* ---- reading ---- */

static bool get_text(lochan_cursor *c, lochan_arena *arena, const char **out) {
    uint32_t n;
    const uint8_t *bytes;
    if (!lochan_cursor__u32le(c, &n) || !lochan_cursor__bytes(c, n, &bytes) ||
        memchr(bytes, 0, n) != NULL)
        return false;
    *out = lochan_arena__strndup(arena, (const char *)bytes, n);
    return *out != NULL;
}

static bool get_fixed(lochan_cursor *c, lochan_arena *arena, char *dst, size_t cap) {
    const char *text;
    return get_text(c, arena, &text) && strlen(text) == cap - 1 &&
           lochan_format(dst, cap, "%s", text);
}

static bool get_answers(lochan_cursor *c, lochan_arena *arena, lochan_raw_scope *scope) {
    uint32_t n;
    if (!lochan_cursor__u32le(c, &n) || n > lochan_cursor__left(c) / 16)
        return false;
    scope->answers = lochan_arena__array(arena, (size_t)n + 1, sizeof *scope->answers);
    if (!scope->answers)
        return false;
    for (; scope->n_answers < n; scope->n_answers++) {
        lochan_hash128 *hash = &scope->answers[scope->n_answers];
        if (!lochan_cursor__u64le(c, &hash->lo) || !lochan_cursor__u64le(c, &hash->hi))
            return false;
    }
    return true;
}

static bool is_day(int32_t day) {
    return day >= FIRST_DAY && day <= LAST_DAY;
}

static bool get_scope(lochan_cursor *c, lochan_arena *arena, lochan_raw_scope *scope) {
    uint32_t from, to, open_ended, n;
    uint64_t asked;
    if (!lochan_cursor__u32le(c, &from) || !lochan_cursor__u32le(c, &to) ||
        !lochan_cursor__u64le(c, &asked) || !lochan_cursor__u32le(c, &open_ended) ||
        !get_text(c, arena, &scope->variant) || !lochan_cursor__u32le(c, &n) ||
        n > lochan_cursor__left(c) / 4)
        return false;
    scope->window = (lochan_window){(int32_t)from, (int32_t)to};
    scope->asked_ns = (int64_t)asked;
    scope->open_ended = open_ended != 0;
    scope->assets = lochan_arena__array(arena, (size_t)n + 1, sizeof *scope->assets);
    if (!scope->assets || scope->asked_ns < 0 || !is_day(scope->window.from) ||
        !is_day(scope->window.to) || scope->window.from > scope->window.to)
        return false;
    for (; scope->n_assets < n; scope->n_assets++) {
        if (!get_text(c, arena, &scope->assets[scope->n_assets]) ||
            !scope->assets[scope->n_assets][0])
            return false;
    }
    return get_answers(c, arena, scope);
}

static bool decode(lochan_cursor *c, lochan_raw_record *out) {
    uint64_t started;
    uint32_t level, n;
    const uint8_t *magic;
    if (!lochan_cursor__bytes(c, 8, &magic) ||
        !get_fixed(c, &out->arena, out->update_id, sizeof out->update_id) ||
        !get_fixed(c, &out->arena, out->mapping, sizeof out->mapping) ||
        !lochan_cursor__u64le(c, &started) || !lochan_cursor__u32le(c, &level) ||
        level > LOCHAN_VALIDATE_OFF || !lochan_cursor__u32le(c, &n) ||
        n > lochan_cursor__left(c) / 32)
        return false;
    out->started_ns = (int64_t)started;
    if (out->started_ns < 0)
        return false;
    out->level = (lochan_validate_level)level;
    out->scopes = lochan_arena__array(&out->arena, (size_t)n + 1, sizeof *out->scopes);
    if (!out->scopes)
        return false;
    for (; out->n_scopes < n; out->n_scopes++) {
        if (!get_scope(c, &out->arena, &out->scopes[out->n_scopes]))
            return false;
        out->answers += (int64_t)out->scopes[out->n_scopes].n_answers;
    }
    return lochan_cursor__left(c) == 0;
}

static bool is_whole(const lochan_buf *text) {
    if (text->len < 24 || memcmp(text->data, MAGIC, 8) != 0)
        return false;
    lochan_cursor end = {text->data + text->len - 16, text->data + text->len};
    lochan_hash128 want, got = lochan_hash__128(text->data, text->len - 16);
    return lochan_cursor__u64le(&end, &want.lo) && lochan_cursor__u64le(&end, &want.hi) &&
           want.lo == got.lo && want.hi == got.hi;
}

lochan_status lochan_raw_record__read(const char *folder, lochan_raw_record *out,
                                      lochan_error *err) {
    lochan_buf text;
    lochan_status rc = LOCHAN_OK;
    memset(out, 0, sizeof *out);
    lochan_buf__init(&text, MAX_RECORD + 1);
    lochan_arena__init(&out->arena, 0);
    char *path = lochan_path__join(folder, LOCHAN_RAW_FILE);
    if (!path) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_fs__read_all(path, MAX_RECORD, &text, err));
    lochan_cursor c = {text.data, text.data + (text.len > 16 ? text.len - 16 : 0)};
    if (!is_whole(&text) || !decode(&c, out)) {
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT, "the record of kept answers is damaged");
        lochan_error__in_file(err, rc, path, -1);
    }
done:
    lochan_mem__free(path);
    lochan_buf__deinit(&text);
    return rc;
}

void lochan_raw_record__deinit(lochan_raw_record *record) {
    lochan_arena__deinit(&record->arena);
    memset(record, 0, sizeof *record);
}
