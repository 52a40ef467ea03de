/* export.c - a stream of rows to one Parquet file anywhere.
 * Invariant: the target's name appears only over a whole, durable file. May call: base/, arrow/,
 * parquet/.
 */
#include "arrow/array.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"
#include "parquet/writer.h"
#include <lochan/lake.h>

/* Temporary name beside the target, and the folder of both. */
static lochan_status make_names(const char *path, char **temp, char **dir, lochan_error *err) {
    lochan_buf buf;
    char uuid[37];
    const char *base = lochan_path__basename(path);
    lochan_buf__init(&buf, 1 << 16);
    lochan_uuid__make(uuid);
    size_t n = (size_t)(base - path);
    *dir = n == 0 ? lochan_mem__strdup(".") : lochan_mem__strndup(path, n > 1 ? n - 1 : 1);
    lochan_status rc = lochan_buf__printf(&buf, err, "%.*s.%s.tmp-%s", (int)n, path, base, uuid);
    if (rc == LOCHAN_OK)
        *temp = (char *)lochan_buf__take(&buf, NULL);
    lochan_buf__deinit(&buf);
    if (rc == LOCHAN_OK && (!*temp || !*dir))
        rc = lochan_error__nomem(err);
    return rc;
}

static lochan_status copy_rows(struct ArrowArrayStream *stream, lochan_file *file, const char *name,
                               int64_t *rows, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_ctx ctx = {0};
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    lochan_pq_writer *writer = NULL;
    lochan_pq_file_sink state;
    lochan_pq_sink sink = lochan_pq_sink__of_file(&state, file);
    sink.name = name;
    LOCHAN_TRYG(lochan_stream__schema(stream, &schema, err));
    LOCHAN_TRYG(lochan_schema__check(&schema, err));
    LOCHAN_TRYG(lochan_pq_writer__open(&ctx, &sink, &schema, NULL, &writer, err));
    for (;;) {
        LOCHAN_TRYG(lochan_stream__next(stream, &batch, err));
        if (!batch.release)
            break;
        LOCHAN_TRYG(lochan_array__check(&schema, &batch, err));
        LOCHAN_TRYG(lochan_pq_writer__write_batch(writer, &batch, err));
        *rows += batch.length;
        lochan_array__release(&batch);
    }
    LOCHAN_TRYG(lochan_pq_writer__close(writer, NULL, err));
    LOCHAN_TRYG(lochan_file__sync(file, false, err));
done:
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
    lochan_pq_writer__free(writer);
    return rc;
}

/* Without overwrite the name is given by link, which fails where something bears it already. */
static lochan_status give_name(const char *temp, const char *path, bool overwrite,
                               lochan_error *err) {
    if (overwrite)
        return lochan_fs__rename(temp, path, err);
    LOCHAN_TRY(lochan_fs__link(temp, path, err));
    return lochan_fs__unlink(temp, false, err);
}

lochan_status lochan_parquet_write_stream(struct ArrowArrayStream *stream, const char *path,
                                          bool overwrite, int64_t *rows, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    char *temp = NULL, *dir = NULL;
    lochan_file *file = NULL;
    int64_t n = 0;
    bool made = false;
    if (rows)
        *rows = 0;
    LOCHAN_CHECK_ARG(stream && stream->release && path && *path, err);
    if (!overwrite && lochan_fs__exists(path)) {
        rc = lochan_error__set(err, LOCHAN_ERR_EXISTS, "file '%s' exists already", path);
        return lochan_error__in_file(err, rc, path, -1);
    }
    LOCHAN_TRYG(make_names(path, &temp, &dir, err));
    LOCHAN_TRYG(lochan_file__open(temp, LOCHAN_FS_WRITE | LOCHAN_FS_CREATE | LOCHAN_FS_EXCLUSIVE,
                                  &file, err));
    made = true;
    LOCHAN_TRYG(copy_rows(stream, file, path, &n, err));
    rc = lochan_file__close(file, err);
    file = NULL;
    LOCHAN_TRYG(rc);
    LOCHAN_TRYG(give_name(temp, path, overwrite, err));
    made = false;
    LOCHAN_TRYG(lochan_fs__sync_dir(dir, err));
    if (rows)
        *rows = n;
done:
    LOCHAN_KEEP(lochan_file__close(file, LOCHAN_KEEP_ERR(rc, err)));
    if (made)
        (void)!lochan_fs__unlink(temp, true, NULL);
    lochan_mem__free(temp);
    lochan_mem__free(dir);
    return rc;
}
