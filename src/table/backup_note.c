/* backup_note.c - the note of a backup, and copying its files.
 * Invariants: a note is read only if its hash is right; a file that bears its name in the other
 * folder is whole. May call: base/, store/, catalog/.
 */
#include "base/hash.h"
#include "base/str.h"
#include "table/backup.h"

enum { NOTE_MAX = 1 << 20, CHUNK = 1 << 20 };

/* ---- the note ---- */

void lochan_backup_note__deinit(lochan_backup_note *note) {
    lochan_arena__deinit(&note->arena);
    memset(note, 0, sizeof *note);
}

static lochan_status put_hash(lochan_buf *text, lochan_error *err) {
    lochan_hash128 h = lochan_hash__128(text->data, text->len);
    return lochan_buf__printf(text, err, "end %016llx%016llx\n", (unsigned long long)h.hi,
                              (unsigned long long)h.lo);
}

lochan_status lochan_backup_note__write(const char *dir, const lochan_backup_note *note,
                                        lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_buf text;
    char *path = lochan_path__join(dir, LOCHAN_BACKUP_NOTE);
    lochan_buf__init(&text, NOTE_MAX);
    if (!path) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_buf__printf(
        &text, err, "format 1\nlake %s\ncomplete %d\nall %d\nsnapshot %lld\ntime_ns %lld\n",
        note->lake_id, note->complete, note->all, (long long)note->snapshot_id,
        (long long)note->time_ns));
    LOCHAN_TRYG(lochan_buf__printf(&text, err, "files %lld\nbytes %lld\n", (long long)note->files,
                                   (long long)note->bytes));
    if (note->catalog[0])
        LOCHAN_TRYG(lochan_buf__printf(&text, err, "catalog %s\n", note->catalog));
    for (size_t i = 0; i < note->n_segments; i++)
        LOCHAN_TRYG(lochan_buf__printf(&text, err, "journal %lld %s\n",
                                       (long long)note->segments[i].bytes, note->segments[i].name));
    LOCHAN_TRYG(put_hash(&text, err));
    LOCHAN_TRYG(lochan_fs__write_all(path, text.data, text.len, err));
done:
    lochan_buf__deinit(&text);
    lochan_mem__free(path);
    return rc;
}

static lochan_status bad_line(int line, lochan_error *err) {
    return lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                             "line %d of " LOCHAN_BACKUP_NOTE " is not what a backup writes", line);
}

static bool get_segment(lochan_backup_note *note, lochan_str value, size_t *cap, lochan_status *rc,
                        lochan_error *err) {
    int64_t bytes;
    const char *blank = memchr(value.p, ' ', value.n);
    if (!blank || !lochan_parse__int64(value.p, (size_t)(blank - value.p), &bytes) || bytes < 0)
        return false;
    char *name =
        lochan_arena__strndup(&note->arena, blank + 1, value.n - (size_t)(blank + 1 - value.p));
    lochan_backup_segment *s =
        lochan_arena__grow(&note->arena, note->segments, note->n_segments, cap, sizeof *s);
    if (!name || !s) {
        *rc = lochan_error__nomem(err);
        return true;
    }
    note->segments = s;
    s[note->n_segments++] = (lochan_backup_segment){name, bytes};
    return lochan_name__check("segment", name, NULL) == LOCHAN_OK;
}

static bool get_name(char *dst, size_t cap, lochan_str value) {
    return value.n < cap && lochan_format(dst, cap, "%.*s", (int)value.n, value.p) &&
           lochan_name__check("name", dst, NULL) == LOCHAN_OK;
}

/* False: the line is none of ours. Keys that are not known are passed over. */
static bool take_line(lochan_backup_note *note, lochan_str key, lochan_str value, size_t *cap,
                      lochan_status *rc, lochan_error *err) {
    int64_t n = 0;
    bool number = lochan_parse__int64(value.p, value.n, &n);
    if (lochan_str__eq(key, LOCHAN_STR("lake")))
        return get_name(note->lake_id, sizeof note->lake_id, value);
    if (lochan_str__eq(key, LOCHAN_STR("catalog")))
        return get_name(note->catalog, sizeof note->catalog, value);
    if (lochan_str__eq(key, LOCHAN_STR("journal")))
        return get_segment(note, value, cap, rc, err);
    if (lochan_str__eq(key, LOCHAN_STR("format")))
        return number && n == 1;
    if (lochan_str__eq(key, LOCHAN_STR("complete")))
        note->complete = n == 1;
    else if (lochan_str__eq(key, LOCHAN_STR("all")))
        note->all = n == 1;
    else if (lochan_str__eq(key, LOCHAN_STR("snapshot")))
        note->snapshot_id = n;
    else if (lochan_str__eq(key, LOCHAN_STR("time_ns")))
        note->time_ns = n;
    else if (lochan_str__eq(key, LOCHAN_STR("files")))
        note->files = n;
    else if (lochan_str__eq(key, LOCHAN_STR("bytes")))
        note->bytes = n;
    else
        return true;
    return number;
}

static lochan_status check_hash(const lochan_buf *text, size_t *body, lochan_error *err) {
    enum { LAST_LINE = 4 + 32 + 1 };
    lochan_buf expected;
    lochan_buf__init(&expected, NOTE_MAX + LAST_LINE);
    bool right = text->len > LAST_LINE;
    *body = right ? text->len - LAST_LINE : 0;
    lochan_status rc = right ? lochan_buf__append(&expected, text->data, *body, err) : LOCHAN_OK;
    if (rc == LOCHAN_OK && right)
        rc = put_hash(&expected, err);
    right = right && rc == LOCHAN_OK && expected.len == text->len &&
            memcmp(expected.data, text->data, text->len) == 0;
    lochan_buf__deinit(&expected);
    if (rc == LOCHAN_OK && !right)
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                               LOCHAN_BACKUP_NOTE " is damaged: its hash is wrong");
    return rc;
}

static lochan_status parse(lochan_backup_note *note, const char *p, size_t n, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    size_t cap = 0;
    int line = 0;
    for (const char *end = p + n; p < end;) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        const char *blank = stop ? memchr(p, ' ', (size_t)(stop - p)) : NULL;
        line++;
        if (!blank)
            return bad_line(line, err);
        lochan_str key = {p, (size_t)(blank - p)}, value = {blank + 1, (size_t)(stop - blank - 1)};
        bool ours = take_line(note, key, value, &cap, &rc, err);
        LOCHAN_TRY(rc);
        if (!ours)
            return bad_line(line, err);
        p = stop + 1;
    }
    if (strlen(note->lake_id) != 36 || (note->complete && !note->catalog[0]))
        return bad_line(line, err);
    return LOCHAN_OK;
}

lochan_status lochan_backup_note__read(const char *dir, lochan_backup_note *out,
                                       lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_buf text;
    size_t body;
    memset(out, 0, sizeof *out);
    lochan_arena__init(&out->arena, NOTE_MAX * 4);
    lochan_buf__init(&text, NOTE_MAX);
    char *path = lochan_path__join(dir, LOCHAN_BACKUP_NOTE);
    if (!path) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_fs__read_all(path, NOTE_MAX, &text, err));
    LOCHAN_TRYG(check_hash(&text, &body, err));
    LOCHAN_TRYG(parse(out, (const char *)text.data, body, err));
done:
    if (rc == LOCHAN_ERR_CORRUPT)
        lochan_error__in_file(err, rc, path, -1);
    lochan_buf__deinit(&text);
    lochan_mem__free(path);
    if (rc != LOCHAN_OK)
        lochan_backup_note__deinit(out);
    return rc;
}

/* ---- files ---- */

static lochan_status link_file(lochan_copying *c, const char *path, bool *linked,
                               lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    char *from = lochan_path__join(lochan_store__root(c->from), path),
         *to = lochan_path__join(lochan_store__root(c->to), path);
    char *folder = to ? lochan_mem__strdup(to) : NULL;
    *linked = false;
    if (!from || !folder) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    *strrchr(folder, '/') = '\0';
    LOCHAN_TRYG(lochan_fs__mkdirs(folder, NULL, err));
    *linked = lochan_fs__link(from, to, NULL) == LOCHAN_OK;
    if (*linked)
        LOCHAN_TRYG(lochan_store__sync(c->to, &path, 1, err));
done:
    lochan_mem__free(from);
    lochan_mem__free(to);
    lochan_mem__free(folder);
    return rc;
}

static lochan_status copy_bytes(lochan_copying *c, lochan_store_reader *in, const char *path,
                                lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_store_writer *out = NULL;
    uint64_t size = lochan_store_reader__size(in);
    uint8_t *chunk = lochan_mem__alloc(CHUNK);
    if (!chunk)
        return lochan_error__nomem(err);
    if (!c->batch)
        LOCHAN_TRYG(lochan_store_batch__create(c->to, &c->batch, err));
    LOCHAN_TRYG(lochan_store__create(c->to, path, &out, err));
    for (uint64_t at = 0; at < size;) {
        size_t n = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
        LOCHAN_TRYG(lochan_cancel__check(c->cancel, err));
        LOCHAN_TRYG(lochan_store_reader__read(in, at, n, chunk, err));
        LOCHAN_TRYG(lochan_store_writer__write(out, chunk, n, err));
        at += n;
    }
    lochan_store_writer *whole = out;
    out = NULL;
    LOCHAN_TRYG(lochan_store_batch__add(c->batch, whole, err));
done:
    lochan_store_writer__abort(out);
    lochan_mem__free(chunk);
    return rc;
}

/* Files that are there, but not with the size they should have, make room. */
static lochan_status is_there(lochan_copying *c, const char *path, uint64_t bytes, bool *there,
                              lochan_error *err) {
    lochan_stat st;
    lochan_error seen;
    lochan_error_init(&seen);
    *there = false;
    lochan_status rc = lochan_store__stat(c->to, path, &st, &seen);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        return LOCHAN_OK;
    if (rc != LOCHAN_OK) {
        if (err)
            *err = seen;
        return rc;
    }
    *there = !st.is_dir && st.size == bytes;
    return *there ? LOCHAN_OK : lochan_store__remove(c->to, path, false, err);
}

lochan_status lochan_copying__file(lochan_copying *c, const char *path, int64_t bytes,
                                   lochan_error *err) {
    enum { AT_A_TIME = 1000 };
    lochan_status rc = LOCHAN_OK;
    lochan_store_reader *in = NULL;
    bool there, linked = false;
    LOCHAN_TRY(lochan_cancel__check(c->cancel, err));
    rc = lochan_store__open(c->from, path, &in, err);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT, "%s is missing", path);
    if (rc != LOCHAN_OK)
        return lochan_error__in_file(err, rc, path, -1);
    uint64_t size = lochan_store_reader__size(in);
    if (bytes >= 0 && size != (uint64_t)bytes) {
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT, "%s has %llu bytes instead of %lld", path,
                               (unsigned long long)size, (long long)bytes);
        rc = lochan_error__in_file(err, rc, path, -1);
        goto done;
    }
    LOCHAN_TRYG(is_there(c, path, size, &there, err));
    if (there)
        goto done;
    if (c->link)
        LOCHAN_TRYG(link_file(c, path, &linked, err));
    if (!linked)
        LOCHAN_TRYG(copy_bytes(c, in, path, err));
    c->files++;
    c->bytes += (int64_t)size;
    LOCHAN_FAILPOINTG("table.backup.file", err);
    if (c->batch && c->files % AT_A_TIME == 0)
        LOCHAN_TRYG(lochan_copying__finish(c, err));
done:
    lochan_store_reader__close(in);
    return rc;
}

lochan_status lochan_copying__finish(lochan_copying *c, lochan_error *err) {
    if (!c->batch)
        return LOCHAN_OK;
    lochan_status rc = lochan_store_batch__finish(c->batch, err);
    lochan_store_batch__free(c->batch);
    c->batch = NULL;
    return rc;
}

void lochan_copying__deinit(lochan_copying *c) {
    lochan_store_batch__free(c->batch);
    lochan_store__close(c->from);
    lochan_store__close(c->to);
    memset(c, 0, sizeof *c);
}
