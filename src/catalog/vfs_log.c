/* vfs_log.c - writes of SQLite's log (lake.db-wal), gathered: a commit's frames go to the file at
 * once instead of one by one, each in two halves.
 *
 * SQLite writes a frame as a header of 24 bytes and a page. A header names the size of the database
 * if its frame ends a commit. Until that header comes nobody reads the frames, so they may wait;
 * what comes after it (its page, the filling up to a whole sector, halves of frames around a sync)
 * is not delayed.
 *
 * Invariants: everything is in the file before SQLite reads it, syncs it, asks for its size, or
 * hears that the commit's last frame is written; frames that were not committed are dropped with
 * the write lock, since the next writer may be somebody else. Want of memory only makes it slower.
 * May call: base/, vfs.h.
 */
#include "catalog/vfs.h"

#include "base/mem.h"

#include <string.h>

enum { HEADER = 24, LOG_HEADER = 32, MOST_BYTES = 256 << 10 };

void lochan_vfs__log_open(lochan_vfs_file *f, lochan_vfs_file *main) {
    f->log = lochan_mem__zalloc(sizeof *f->log);
    if (!f->log)
        return;
    f->log->bytes = lochan_mem__alloc(MOST_BYTES);
    if (!f->log->bytes) {
        lochan_mem__free(f->log);
        f->log = NULL;
        return;
    }
    f->log->main = main;
    main->log_file = f;
}

void lochan_vfs__log_close(lochan_vfs_file *f) {
    if (!f->log)
        return;
    if (f->log->main->log_file == f)
        f->log->main->log_file = NULL;
    lochan_mem__free(f->log->bytes);
    lochan_mem__free(f->log);
    f->log = NULL;
}

static int write_now(lochan_vfs_file *f, const void *p, size_t n, uint64_t offset) {
    lochan_error err;
    if (lochan_file__write(f->file, p, n, offset, &err) != LOCHAN_OK)
        return lochan_vfs__code(&err, SQLITE_IOERR_WRITE);
    return SQLITE_OK;
}

int lochan_vfs__log_flush(lochan_vfs_file *f) {
    lochan_vfs_log *log = f->log;
    if (!log || log->n == 0)
        return SQLITE_OK;
    size_t n = log->n;
    log->n = 0; /* a failed write is not tried again */
    return write_now(f, log->bytes, n, log->offset);
}

/* Bytes 4 to 7 of a header: pages of the database after the commit, 0 inside of one. */
static bool ends_commit(const unsigned char *header) {
    return (header[4] | header[5] | header[6] | header[7]) != 0;
}

int lochan_vfs__log_write(lochan_vfs_file *f, const void *p, size_t n, uint64_t offset) {
    lochan_vfs_log *log = f->log;
    if (!log)
        return write_now(f, p, n, offset);
    bool fits = log->n == 0 || (log->offset + log->n == offset && n <= MOST_BYTES - log->n);
    if (!fits) {
        int rc = lochan_vfs__log_flush(f);
        if (rc != SQLITE_OK)
            return rc;
    }
    bool is_header = !log->is_commit && !log->in_frame && n == HEADER && offset >= LOG_HEADER;
    if (!is_header && !(log->in_frame && log->n > 0 && n <= MOST_BYTES - log->n)) {
        log->in_frame = false;
        int rc = lochan_vfs__log_flush(f);
        return rc == SQLITE_OK ? write_now(f, p, n, offset) : rc;
    }
    if (log->n == 0)
        log->offset = offset;
    memcpy(log->bytes + log->n, p, n);
    log->n += n;
    log->in_frame = is_header;
    if (is_header)
        log->is_commit = ends_commit(p);
    return log->is_commit && !is_header ? lochan_vfs__log_flush(f) : SQLITE_OK;
}

void lochan_vfs__log_end(lochan_vfs_file *main) {
    lochan_vfs_log *log = main->log_file ? main->log_file->log : NULL;
    if (!log)
        return;
    log->n = 0;
    log->in_frame = log->is_commit = false;
}
