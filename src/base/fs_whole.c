/* fs_whole.c - whole small files and the text of paths.
 * Invariant: write_all leaves either the old file or the new one, never a part. May call: fs.h,
 * clock.h, str.h.
 */
#include "base/clock.h"
#include "base/fs.h"
#include "base/fs_private.h"
#include "base/str.h"

#include <string.h>

char *lochan_path__join(const char *a, const char *b) {
    size_t an = strlen(a), bn = strlen(b), size;
    bool slash = an > 0 && a[an - 1] != '/';
    if (!lochan_size__add(an, bn, &size) || !lochan_size__add(size, 2, &size))
        return NULL;
    char *path = lochan_mem__alloc(size);
    if (!path)
        return NULL;
    memcpy(path, a, an);
    if (slash)
        path[an++] = '/';
    memcpy(path + an, b, bn + 1);
    return path;
}

const char *lochan_path__basename(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static const char *relative_fault(const char *path) {
    if (!path[0])
        return "is empty";
    if (path[0] == '/')
        return "is absolute";
    for (const char *p = path; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            return "has a control character";
    }
    for (const char *part = path;;) {
        size_t n = strcspn(part, "/");
        if (n == 0)
            return "has an empty part";
        if (part[0] == '.' && (n == 1 || (n == 2 && part[1] == '.')))
            return "has a part '.' or '..'";
        if (!part[n])
            return NULL;
        part += n + 1;
    }
}

lochan_status lochan_path__check_relative(const char *path, lochan_error *err) {
    const char *fault = relative_fault(path);
    if (!fault)
        return LOCHAN_OK;
    bool cut;
    const char *tail = lochan_fs__tail(path, &cut);
    return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "path '%s%s' %s", cut ? "..." : "",
                             tail, fault);
}

/* The size is a hint only: the file may grow, and files of the kernel claim to be empty. */
static lochan_status read_rest(lochan_file *file, size_t max, lochan_buf *out, lochan_error *err) {
    lochan_stat st;
    LOCHAN_TRY(lochan_file__stat(file, &st, err));
    if (st.is_dir)
        return lochan_fs__failed(err, EISDIR, false, "read", file->path);
    if (max > out->max - out->len)
        max = out->max - out->len;
    uint64_t offset = 0, chunk = st.size + 1;
    while (st.size <= max) {
        size_t got, room = chunk > max - offset ? (size_t)(max - offset) : (size_t)chunk;
        uint8_t probe;
        if (room > 0)
            LOCHAN_TRY(lochan_buf__reserve(out, room, err));
        uint8_t *dst = room > 0 ? out->data + out->len : &probe;
        size_t want = room > 0 ? room : 1; /* one byte past max tells whether the file ends there */
        LOCHAN_TRY(lochan_file__read_some(file, dst, want, offset, &got, err));
        if (room == 0 && got > 0)
            break;
        out->len += got;
        offset += got;
        if (out->data)
            out->data[out->len] = 0;
        if (got < want)
            return LOCHAN_OK;
        chunk = offset + 4096;
    }
    bool cut;
    const char *tail = lochan_fs__tail(file->path, &cut);
    lochan_error__set(err, LOCHAN_ERR_MEMORY_LIMIT, "'%s%s' is larger than %zu bytes",
                      cut ? "..." : "", tail, max);
    return lochan_error__in_file(err, LOCHAN_ERR_MEMORY_LIMIT, file->path, -1);
}

lochan_status lochan_fs__read_all(const char *path, size_t max, lochan_buf *out,
                                  lochan_error *err) {
    lochan_file *file;
    size_t before = out->len;
    LOCHAN_TRY(lochan_file__open(path, LOCHAN_FS_READ, &file, err));
    lochan_status rc = read_rest(file, max, out, err);
    LOCHAN_KEEP(lochan_file__close(file, LOCHAN_KEEP_ERR(rc, err)));
    if (rc != LOCHAN_OK && out->data) {
        out->len = before;
        out->data[before] = 0;
    }
    return rc;
}

static lochan_status write_new(const char *path, const void *p, size_t n, lochan_error *err) {
    lochan_file *file;
    LOCHAN_TRY(lochan_file__open(
        path, LOCHAN_FS_WRITE | LOCHAN_FS_CREATE | LOCHAN_FS_EXCLUSIVE | LOCHAN_FS_NOFOLLOW, &file,
        err));
    lochan_status rc = lochan_file__write(file, p, n, 0, err);
    if (rc == LOCHAN_OK)
        rc = lochan_file__sync(file, false, err);
    LOCHAN_KEEP(lochan_file__close(file, LOCHAN_KEEP_ERR(rc, err)));
    if (rc != LOCHAN_OK)
        lochan_fs__unlink(path, true, NULL);
    return rc;
}

/* The folder of path: "" of "name" is ".", of "/name" is "/". Allocated. */
static char *folder_of(const char *path) {
    const char *base = lochan_path__basename(path);
    if (base == path)
        return lochan_mem__strdup(".");
    size_t n = (size_t)(base - path);
    return lochan_mem__strndup(path, n > 1 ? n - 1 : n);
}

lochan_status lochan_fs__write_all(const char *path, const void *p, size_t n, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    uint64_t random;
    lochan_random__bytes(&random, sizeof random);
    size_t cap = strlen(path) + 32;
    char *folder = folder_of(path);
    char *temporary = lochan_mem__alloc(cap);
    if (!folder || !temporary ||
        !lochan_format(temporary, cap, "%s.tmp-%016llx", path, (unsigned long long)random)) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(write_new(temporary, p, n, err));
    rc = lochan_fs__rename(temporary, path, err);
    if (rc != LOCHAN_OK) {
        lochan_fs__unlink(temporary, true, NULL);
        goto done;
    }
    LOCHAN_TRYG(lochan_fs__sync_dir(folder, err));
done:
    lochan_mem__free(temporary);
    lochan_mem__free(folder);
    return rc;
}
