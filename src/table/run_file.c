/* run_file.c - see run_file.h. The file is Parquet with small pages, so that many runs can be read
 * side by side. May call: base/, arrow/, parquet/.
 */
#include "table/run_file.h"

#include "arrow/schema.h"
#include "base/clock.h"
#include "base/str.h"
#include "parquet/writer.h"

enum { GROUP_ROWS = 65536, LEAST_GROUP_ROWS = 8192, PAGE_ROWS = 4096, READ_ROWS = 4096 };

void lochan_run__free(lochan_run *run) {
    if (!run)
        return;
    lochan_shared__unref(run->memory);
    lochan_pq_reader__close(run->reader);
    (void)lochan_file__close(run->file, NULL);
    lochan_mem__free(run->parts);
    lochan_mem__free(run);
}

static int32_t partition_at(const struct ArrowArray *rows, int partition, int64_t i) {
    const struct ArrowArray *column = rows->children[partition];
    const int32_t *values = column->buffers[1];
    return values[column->offset + rows->offset + i];
}

/* End of the rows that belong to the same partition as row `from`. */
static int64_t end_of_part(const struct ArrowArray *rows, int partition, int64_t from) {
    int32_t p = partition_at(rows, partition, from);
    int64_t low = from, high = rows->length;
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        if (partition_at(rows, partition, mid) == p)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static lochan_status note_part(lochan_run *run, uint32_t partition, int64_t rows,
                               lochan_error *err) {
    lochan_run_part *last = run->n_parts > 0 ? &run->parts[run->n_parts - 1] : NULL;
    if (!last || last->partition != partition) {
        lochan_run_part *parts =
            lochan_mem__grow(run->parts, run->n_parts, &run->cap_parts, sizeof *parts);
        if (!parts)
            return lochan_error__nomem(err);
        run->parts = parts;
        last = &parts[run->n_parts++];
        *last = (lochan_run_part){.partition = partition, .from = run->rows, .to = run->rows};
    }
    last->to += rows;
    run->rows += rows;
    return LOCHAN_OK;
}

lochan_status lochan_run__of_memory(struct ArrowArray *rows, int partition, lochan_run **out,
                                    lochan_error *err) {
    lochan_run *run = lochan_mem__zalloc(sizeof *run);
    lochan_status rc = run ? LOCHAN_OK : lochan_error__nomem(err);
    int64_t end;
    *out = NULL;
    for (int64_t i = 0; rc == LOCHAN_OK && i < rows->length; i = end) {
        end = end_of_part(rows, partition, i);
        rc = note_part(run, (uint32_t)partition_at(rows, partition, i), end - i, err);
    }
    lochan_shared *memory = lochan_shared__give(rows);
    if (rc == LOCHAN_OK && !memory)
        rc = lochan_error__nomem(err);
    if (rc != LOCHAN_OK) {
        lochan_shared__unref(memory);
        lochan_run__free(run);
        return rc;
    }
    run->memory = memory;
    *out = run;
    return LOCHAN_OK;
}

/* ---- files ---- */

/* A file that loses its name at once: nothing is left of it after a crash. */
static lochan_status create_file(const char *folder, lochan_file **out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    char id[37], name[48];
    bool made;
    *out = NULL;
    lochan_uuid__make(id);
    lochan_format(name, sizeof name, "%s.run", id);
    LOCHAN_TRY(lochan_fs__mkdirs(folder, &made, err));
    char *path = lochan_path__join(folder, name);
    if (!path)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_file__open(path,
                                  LOCHAN_FS_READ | LOCHAN_FS_WRITE | LOCHAN_FS_CREATE |
                                      LOCHAN_FS_EXCLUSIVE | LOCHAN_FS_NOFOLLOW,
                                  out, err));
    rc = lochan_fs__unlink(path, false, err);
    if (rc != LOCHAN_OK) {
        (void)lochan_file__close(*out, NULL);
        *out = NULL;
    }
done:
    lochan_mem__free(path);
    return rc;
}

static lochan_status write_rows(lochan_run *run, lochan_pq_writer *writer, int64_t *in_group,
                                struct ArrowArray *batch, int partition, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    int64_t end;
    struct ArrowArray slice = {0};
    const struct ArrowArray *rows;
    lochan_shared *shared = lochan_shared__give(batch);
    if (!shared)
        return lochan_error__nomem(err);
    rows = lochan_shared__get(shared);
    for (int64_t i = 0; i < rows->length; i = end) {
        uint32_t p = (uint32_t)partition_at(rows, partition, i);
        end = end_of_part(rows, partition, i);
        bool another = run->n_parts > 0 && run->parts[run->n_parts - 1].partition != p;
        if (*in_group >= GROUP_ROWS || (another && *in_group >= LEAST_GROUP_ROWS)) {
            LOCHAN_TRYG(lochan_pq_writer__end_row_group(writer, err));
            *in_group = 0;
        }
        LOCHAN_TRYG(lochan_shared__slice(shared, i, end - i, &slice, err));
        LOCHAN_TRYG(lochan_pq_writer__write_batch(writer, &slice, err));
        lochan_array__release(&slice);
        LOCHAN_TRYG(note_part(run, p, end - i, err));
        *in_group += end - i;
    }
done:
    lochan_array__release(&slice);
    lochan_shared__unref(shared);
    return rc;
}

static lochan_status read_file(void *self, uint64_t offset, size_t n, void *dst,
                               lochan_error *err) {
    return lochan_file__read(self, dst, n, offset, err);
}

static lochan_status open_reader(const lochan_ctx *ctx, lochan_run *run, uint64_t size,
                                 lochan_error *err) {
    lochan_pq_source source = {
        .read = read_file, .self = run->file, .size = size, .name = "a run of new rows"};
    run->bytes = size;
    return lochan_pq_reader__open(ctx, &source, NULL, &run->reader, err);
}

lochan_status lochan_run__write(const lochan_ctx *ctx, const char *folder,
                                const struct ArrowSchema *schema, int partition,
                                lochan_run_merge *rows, lochan_run **out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_pq_writer *writer = NULL;
    lochan_pq_file_sink state = {0};
    struct ArrowArray batch = {0};
    int64_t in_group = 0;
    const lochan_pq_write_options options = {.codec = LOCHAN_PQ_LZ4_RAW,
                                             .codec_set = true,
                                             .row_group_rows = 2 * GROUP_ROWS,
                                             .page_rows = PAGE_ROWS,
                                             .no_statistics = true,
                                             .no_page_index = true};
    *out = NULL;
    lochan_run *run = lochan_mem__zalloc(sizeof *run);
    if (!run)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(create_file(folder, &run->file, err));
    lochan_pq_sink sink = lochan_pq_sink__of_file(&state, run->file);
    LOCHAN_TRYG(lochan_pq_writer__open(ctx, &sink, schema, &options, &writer, err));
    for (;;) {
        LOCHAN_TRYG(lochan_cancel__check(ctx->cancel, err));
        LOCHAN_TRYG(lochan_run_merge__next(rows, &batch, err));
        if (!batch.release)
            break;
        LOCHAN_TRYG(write_rows(run, writer, &in_group, &batch, partition, err));
    }
    LOCHAN_TRYG(lochan_pq_writer__close(writer, NULL, err));
    LOCHAN_TRYG(open_reader(ctx, run, state.offset, err));
    *out = run;
    run = NULL;
done:
    lochan_array__release(&batch);
    lochan_pq_writer__free(writer);
    lochan_run__free(run);
    return rc;
}

/* ---- reading ---- */

typedef struct run_rows {
    struct ArrowArrayStream groups;
    int64_t skip, left;
} run_rows;

static void free_rows(void *state) {
    run_rows *r = state;
    lochan_stream__release(&r->groups);
    lochan_mem__free(r);
}

static lochan_status next_rows(void *state, struct ArrowArray *out, lochan_error *err) {
    run_rows *r = state;
    struct ArrowArray batch = {0};
    memset(out, 0, sizeof *out);
    while (r->left > 0 && !out->release) {
        LOCHAN_TRY(lochan_stream__next(&r->groups, &batch, err));
        if (!batch.release)
            return lochan_error__set(err, LOCHAN_ERR_CORRUPT, "a run of new rows ends too early");
        int64_t from = r->skip < batch.length ? r->skip : batch.length;
        int64_t n = batch.length - from < r->left ? batch.length - from : r->left;
        r->skip -= from;
        r->left -= n;
        lochan_shared *shared = lochan_shared__give(&batch);
        if (!shared)
            return lochan_error__nomem(err);
        lochan_status rc = n > 0 ? lochan_shared__slice(shared, from, n, out, err) : LOCHAN_OK;
        lochan_shared__unref(shared);
        LOCHAN_TRY(rc);
    }
    return LOCHAN_OK;
}

static lochan_status rows_of_memory(lochan_run *run, const struct ArrowSchema *schema, int64_t from,
                                    int64_t to, struct ArrowArrayStream *out, lochan_error *err) {
    struct ArrowArray slice = {0};
    struct ArrowSchema copy = {0};
    LOCHAN_TRY(lochan_shared__slice(run->memory, from, to - from, &slice, err));
    lochan_status rc = lochan_schema__dup(schema, &copy, err);
    if (rc == LOCHAN_OK)
        return lochan_stream__of_batches(&copy, &slice, 1, out, err);
    lochan_array__release(&slice);
    return rc;
}

/* The row groups that hold rows [from, to), and how many rows of the first come before them. */
static lochan_status find_groups(const lochan_run *run, int64_t from, int64_t to, int **groups,
                                 size_t *n, int64_t *skip, lochan_error *err) {
    int all = lochan_pq_reader__row_groups(run->reader);
    *n = 0;
    *skip = 0;
    *groups = lochan_mem__array((size_t)all + 1, sizeof **groups);
    if (!*groups)
        return lochan_error__nomem(err);
    for (int g = 0; g < all; g++) {
        lochan_pq_row_group_info info;
        lochan_pq_reader__row_group(run->reader, g, &info);
        if (info.first_row >= to || info.first_row + info.rows <= from)
            continue;
        if (*n == 0)
            *skip = from - info.first_row;
        (*groups)[(*n)++] = g;
    }
    return LOCHAN_OK;
}

lochan_status lochan_run__rows(lochan_run *run, const struct ArrowSchema *schema, int64_t from,
                               int64_t to, struct ArrowArrayStream *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    int *groups = NULL;
    size_t n;
    struct ArrowSchema copy = {0};
    memset(out, 0, sizeof *out);
    if (run->memory)
        return rows_of_memory(run, schema, from, to, out, err);
    run_rows *r = lochan_mem__zalloc(sizeof *r);
    if (!r)
        return lochan_error__nomem(err);
    r->left = to - from;
    LOCHAN_TRYG(find_groups(run, from, to, &groups, &n, &r->skip, err));
    lochan_pq_scan scan = {.row_groups = groups, .n_row_groups = n, .batch_rows = READ_ROWS};
    LOCHAN_TRYG(lochan_pq_reader__stream(run->reader, &scan, &r->groups, err));
    LOCHAN_TRYG(lochan_schema__dup(schema, &copy, err));
    rc = lochan_stream__make(&copy, next_rows, free_rows, r, out, err);
    r = NULL;
done:
    if (r)
        free_rows(r);
    lochan_mem__free(groups);
    return rc;
}

const lochan_run_part *lochan_run__part(const lochan_run *run, uint32_t partition) {
    size_t low = 0, high = run->n_parts;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (run->parts[mid].partition < partition)
            low = mid + 1;
        else
            high = mid;
    }
    return low < run->n_parts && run->parts[low].partition == partition ? &run->parts[low] : NULL;
}
