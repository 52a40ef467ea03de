/* old_file.c - see old_file.h.
 * Invariant: what comes out has the table's columns, whatever the file was written with. May call:
 * base/, arrow/, parquet/.
 */
#include "table/old_file.h"

void lochan_old_file__deinit(lochan_old_file *f) {
    lochan_stream__release(&f->stream);
    lochan_projection__deinit(&f->projection);
    lochan_pq_reader__close(f->reader);
    memset(f, 0, sizeof *f);
}

lochan_status lochan_old_file__open(lochan_old_file *f, lochan_write *w,
                                    const lochan_data_file *file, lochan_error *err) {
    memset(f, 0, sizeof *f);
    f->file = file;
    LOCHAN_TRY(lochan_data_file__open(w->lake, file, &f->reader, err));
    return lochan_data_file__project(file, lochan_pq_reader__schema(f->reader), &w->base.schema,
                                     &f->projection, err);
}

lochan_status lochan_old_file__rewind(lochan_old_file *f, const int *groups, size_t n,
                                      lochan_error *err) {
    lochan_pq_scan scan = {.row_groups = groups, .n_row_groups = n};
    lochan_stream__release(&f->stream);
    return lochan_pq_reader__stream(f->reader, &scan, &f->stream, err);
}

lochan_status lochan_old_file__next(lochan_old_file *f, struct ArrowArray *out, lochan_error *err) {
    struct ArrowArray raw = {0};
    memset(out, 0, sizeof *out);
    lochan_status rc = lochan_stream__next(&f->stream, &raw, err);
    if (rc == LOCHAN_OK && raw.release)
        rc = lochan_projection__apply(&f->projection, &raw, out, err);
    return lochan_error__in_file(err, rc, f->file->path, -1);
}
