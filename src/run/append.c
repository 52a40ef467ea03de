/* append.c - rows of a stream into one commit.
 *
 * Read and check the rows; let the table grow if they bring new fields; split them by bucket; write
 * one part (or a few) a bucket; publish. Where the table has to grow, all rows are checked against
 * the columns it would have before anything is committed, so that refused rows leave no trace.
 *
 * Invariants: the cost does not depend on what the table holds; after a failure nothing of the
 * append is visible and no file of it is left. May call: base/, arrow/, catalog/, table/, own.h.
 */
#include "run/own.h"

#include "arrow/kernels.h"
#include "base/mem.h"
#include "table/projection.h"

/* Shaped rows kept before their parts are written: more than that makes several parts a bucket. */
enum { MOST_HELD_ROWS = 4 << 20, STATS_COLUMNS = 3, MAX_TRIES = 20 };

typedef struct append {
    lochan_run *run;
    lochan_append_options options;
    lochan_append_summary *summary;
    lochan_run_known *known;
    struct ArrowArrayStream *rows;
    struct ArrowSchema from;
    int64_t tick_bucket_size;
    struct ArrowArray *raw; /* read ahead of the writing */
    size_t n_raw, cap_raw, at_raw;
    struct ArrowArray *ready; /* of a rehearsal: they share the memory of `raw` */
    size_t n_ready, cap_ready, at_ready;
    struct ArrowSchema ready_for; /* the table they were shaped for */
    int64_t rows_read;
    lochan_table *table;
    lochan_write *write;
    lochan_run_shape shape;
    lochan_run_buckets buckets;
    bool hooked; /* the commit is ours, not an earlier one of the same token */
    char size_text[24];
    const char *metadata[3][2];
} append;

/* ---- reading ---- */

/* The next batch with rows of the stream; release NULL at the end. Rows from outside are checked
 * here and nowhere else. */
static lochan_status read_stream(append *a, struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    memset(out, 0, sizeof *out);
    while (!out->release) {
        LOCHAN_TRYG(lochan_cancel__check(a->run->lake->ctx.cancel, err));
        LOCHAN_TRYG(lochan_stream__next(a->rows, out, err));
        if (!out->release)
            return LOCHAN_OK;
        if (!a->from.release)
            LOCHAN_TRYG(lochan_error__set(err, LOCHAN_ERR_DATA, "rows came without a schema"));
        rc = lochan_array__check(&a->from, out, err);
        if (rc != LOCHAN_OK && err && err->row >= 0)
            err->row += a->rows_read;
        LOCHAN_TRYG(rc);
        a->rows_read += out->length;
        if (out->length == 0)
            lochan_array__release(out);
    }
done:
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    return rc;
}

/* The next batch to be written: of those read ahead, then of the stream. */
static lochan_status next_batch(append *a, struct ArrowArray *out, lochan_error *err) {
    if (a->at_raw == a->n_raw)
        return read_stream(a, out, err);
    lochan_array__move(&a->raw[a->at_raw++], out);
    return LOCHAN_OK;
}

static lochan_status read_ahead(append *a, bool all, lochan_error *err) {
    do {
        struct ArrowArray batch;
        LOCHAN_TRY(read_stream(a, &batch, err));
        if (!batch.release)
            return LOCHAN_OK;
        LOCHAN_TRY(lochan_run__push(&a->raw, &a->n_raw, &a->cap_raw, &batch, err));
    } while (all);
    return LOCHAN_OK;
}

/* ---- the table ---- */

static lochan_run_shape new_shape(const append *a, const struct ArrowSchema *to) {
    return (lochan_run_shape){.d = a->known->d,
                              .from = &a->from,
                              .to = to,
                              .run_id = a->run->run_id,
                              .tick_bucket_size = a->tick_bucket_size,
                              .check_required = !a->options.skip_schema,
                              .check_rows = a->options.validate_rows};
}

static void drop_ready(append *a) {
    for (size_t i = a->at_ready; i < a->n_ready; i++)
        lochan_array__release(&a->ready[i]);
    lochan_mem__free(a->ready);
    lochan_schema__release(&a->ready_for);
    a->ready = NULL;
    a->n_ready = a->cap_ready = a->at_ready = 0;
}

/* Shapes all rows, for the table as it would be. They are kept, unless they are too many: mostly
 * the table becomes what was foreseen. Takes `to`. */
static lochan_status rehearse(append *a, struct ArrowSchema *to, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray shaped = {0}, copy;
    lochan_schema__move(to, &a->ready_for);
    lochan_run_shape shape = new_shape(a, &a->ready_for);
    LOCHAN_TRY(lochan_run_shape__init(&shape, err));
    for (size_t i = 0; i < a->n_raw; i++) {
        copy = lochan_array__lend(&a->raw[i]);
        LOCHAN_TRYG(lochan_run_shape__apply(&shape, &copy, &shaped, err));
        if (a->rows_read <= MOST_HELD_ROWS)
            LOCHAN_TRYG(lochan_run__push(&a->ready, &a->n_ready, &a->cap_ready, &shaped, err));
        lochan_array__release(&shaped);
    }
done:
    lochan_array__release(&shaped);
    lochan_run_shape__deinit(&shape);
    return rc;
}

static bool same_fields(const struct ArrowSchema *a, const struct ArrowSchema *b) {
    if (strcmp(a->format, b->format) != 0 ||
        strcmp(a->name ? a->name : "", b->name ? b->name : "") || a->n_children != b->n_children ||
        a->dictionary || b->dictionary)
        return false;
    for (int64_t i = 0; i < a->n_children; i++)
        if (!same_fields(a->children[i], b->children[i]))
            return false;
    return true;
}

static lochan_status prepare_table(append *a, lochan_error *err) {
    struct ArrowSchema predicted = {0};
    bool changes;
    lochan_lake *lake = a->run->lake;
    LOCHAN_TRY(
        lochan_run__predict(lake, a->known->d, &a->from, &changes, &predicted, &a->table, err));
    if (!changes)
        return LOCHAN_OK;
    lochan_status rc = read_ahead(a, true, err);
    if (rc == LOCHAN_OK)
        rc = rehearse(a, &predicted, err);
    lochan_schema__release(&predicted);
    return rc;
}

/* The table as it is now and a write into it. Somebody else may let it grow in between. */
static lochan_status begin_write(append *a, lochan_error *err) {
    lochan_lake *lake = a->run->lake;
    lochan_write_options options = {.mode = LOCHAN_WRITE_APPEND,
                                    .kind = "append",
                                    .token = a->options.token,
                                    .message = a->run->run_id,
                                    .row_group_rows = a->run->options.row_group_size,
                                    .zstd_level = a->run->options.compression_level,
                                    .codec = a->run->options.compression,
                                    .stats_columns = STATS_COLUMNS,
                                    .unsynced = a->options.durability == LOCHAN_DURABILITY_NORMAL,
                                    .metadata = (const char *const(*)[2])a->metadata,
                                    .n_metadata = LOCHAN_COUNTOF(a->metadata)};
    for (int tries = 0;; tries++) {
        lochan_error seen;
        lochan_error_init(&seen);
        if (!a->table)
            LOCHAN_TRY(
                lochan_run__evolve(lake, a->run->run_id, a->known->d, &a->from, &a->table, err));
        lochan_status rc = lochan_write__begin(lake, a->table, NULL, &options, &a->write, &seen);
        if (rc == LOCHAN_OK)
            return LOCHAN_OK;
        lochan_table__close(a->table);
        a->table = NULL;
        if (rc != LOCHAN_ERR_CONFLICT || tries == MAX_TRIES) {
            if (err)
                *err = seen;
            return rc;
        }
    }
}

/* ---- writing ---- */

typedef struct flushing {
    append *a;
    uint32_t *ids; /* buckets with rows */
} flushing;

static lochan_status write_bucket(void *ctx, size_t index, lochan_error *err) {
    flushing *f = ctx;
    lochan_run_bucket *b = &f->a->buckets.items[f->ids[index]];
    struct ArrowSchema schema = {0};
    struct ArrowArrayStream stream = {0};
    size_t n = b->n;
    LOCHAN_TRY(lochan_schema__dup(&f->a->table->def.schema, &schema, err));
    b->n = 0; /* of_batches takes them, whatever comes of it */
    LOCHAN_TRY(lochan_stream__of_batches(&schema, b->batches, n, &stream, err));
    lochan_status rc =
        lochan_write__merge_partition_stream(f->a->write, f->ids[index], &stream, NULL, err);
    lochan_stream__release(&stream);
    return rc;
}

static lochan_status flush(append *a, lochan_error *err) {
    size_t n = 0;
    flushing f = {a, lochan_mem__array(a->buckets.n + 1, sizeof *f.ids)};
    if (!f.ids)
        return lochan_error__nomem(err);
    for (size_t b = 0; b < a->buckets.n; b++)
        if (a->buckets.items[b].n > 0)
            f.ids[n++] = (uint32_t)b;
    lochan_ctx *ctx = &a->run->lake->ctx;
    lochan_status rc = lochan_pool__for(ctx->pool, n, write_bucket, &f, ctx->cancel, err);
    lochan_mem__free(f.ids);
    a->buckets.held = 0;
    return rc;
}

/* The next rows of the table; release NULL at the end. */
static lochan_status next_shaped(append *a, struct ArrowArray *out, lochan_error *err) {
    struct ArrowArray batch;
    memset(out, 0, sizeof *out);
    if (a->n_ready > 0) {
        if (a->at_ready < a->n_ready)
            lochan_array__move(&a->ready[a->at_ready++], out);
        return LOCHAN_OK;
    }
    LOCHAN_TRY(next_batch(a, &batch, err));
    return batch.release ? lochan_run_shape__apply(&a->shape, &batch, out, err) : LOCHAN_OK;
}

static lochan_status write_rows(append *a, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray shaped = {0};
    a->buckets.write = a->write;
    a->buckets.schema = &a->table->def.schema;
    if (a->n_ready > 0 && !same_fields(&a->ready_for, &a->table->def.schema))
        drop_ready(a);
    for (;;) {
        LOCHAN_TRYG(next_shaped(a, &shaped, err));
        if (!shaped.release)
            break;
        LOCHAN_TRYG(lochan_run_buckets__add(&a->buckets, &shaped, err));
        if (a->buckets.held < MOST_HELD_ROWS)
            continue;
        a->summary->stage = LOCHAN_APPEND_WRITE;
        LOCHAN_TRYG(flush(a, err));
        a->summary->stage = LOCHAN_APPEND_CHECK;
    }
    a->summary->stage = LOCHAN_APPEND_WRITE;
    LOCHAN_FAILPOINTG("run.append.checked", err);
    LOCHAN_TRYG(flush(a, err));
done:
    lochan_array__release(&shaped);
    return rc;
}

/* ---- publishing ---- */

static int by_bucket(const void *x, const void *y) {
    const lochan_part_info *a = x, *b = y;
    return a->bucket_id != b->bucket_id
               ? (a->bucket_id > b->bucket_id) - (a->bucket_id < b->bucket_id)
               : strcmp(a->path, b->path);
}

/* Inside the transaction, so that want of memory takes the commit back instead of hiding it. */
static lochan_status fill_summary(append *a, lochan_error *err) {
    lochan_append_summary *s = a->summary;
    lochan_written_file f;
    size_t n = 0;
    int tick = lochan_schema__find(&a->table->def.schema, LOCHAN_RUN_TICK);
    lochan_arena *arena = lochan_mem__zalloc(sizeof *arena);
    if (!arena)
        return lochan_error__nomem(err);
    lochan_arena__init(arena, 0);
    s->memory = arena;
    while (lochan_write__file(a->write, n, tick, &f))
        n++;
    s->parts = lochan_arena__array(arena, n + 1, sizeof *s->parts);
    s->buckets = lochan_arena__array(arena, n + 1, sizeof *s->buckets);
    if (!s->parts || !s->buckets)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < n && lochan_write__file(a->write, i, tick, &f); i++) {
        const char *path = lochan_arena__strdup(arena, f.path);
        if (!path)
            return lochan_error__nomem(err);
        s->parts[i] = (lochan_part_info){.bucket_id = f.min / a->tick_bucket_size,
                                         .path = path,
                                         .rows = f.rows,
                                         .bytes = f.bytes,
                                         .tick_min = f.min,
                                         .tick_max = f.max};
        s->rows += f.rows;
    }
    s->n_parts = n;
    qsort(s->parts, n, sizeof *s->parts, by_bucket);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || s->parts[i].bucket_id != s->parts[i - 1].bucket_id)
            s->buckets[s->n_buckets++] = s->parts[i].bucket_id;
    return LOCHAN_OK;
}

static lochan_status check_bucket_size(const append *a, const lochan_run_rows *rows,
                                       lochan_error *err) {
    if (rows->n == 0 || rows->rows[0].tick_bucket_size == a->tick_bucket_size)
        return LOCHAN_OK;
    lochan_error__set(err, LOCHAN_ERR_SCHEMA,
                      "run %s has buckets of %lld ticks, this append wants buckets of %lld",
                      a->run->run_id, (long long)rows->rows[0].tick_bucket_size,
                      (long long)a->tick_bucket_size);
    return lochan_error__in_table(err, LOCHAN_ERR_SCHEMA, a->known->d->name, NULL, -1);
}

/* Columns that became float64 after our parts were written as integers: the values must be exact
 * there too. */
static lochan_status check_widened(const append *a, const struct ArrowSchema *before,
                                   const struct ArrowSchema *now, lochan_error *err) {
    int64_t min = 0, max = 0;
    const int64_t most = (int64_t)1 << 53;
    int32_t id = lochan_schema__field_id(before);
    if (strcmp(before->format, "l") == 0 && strcmp(now->format, "g") == 0 &&
        lochan_write__leaf_range(a->write, id, &min, &max) && (min < -most || max > most)) {
        lochan_status rc = lochan_error__set(
            err, LOCHAN_ERR_SCHEMA,
            "table %s: %s became f64 meanwhile, and integers of this append are too large to stay "
            "exact",
            a->known->d->name, before->name);
        return lochan_error__in_table(err, rc, a->known->d->name, before->name, -1);
    }
    for (int64_t i = 0; i < before->n_children; i++) {
        int c = strcmp(before->format, "+s") == 0
                    ? lochan_schema__find(now, before->children[i]->name)
                    : (i < now->n_children ? (int)i : -1);
        if (c >= 0)
            LOCHAN_TRY(check_widened(a, before->children[i], now->children[c], err));
    }
    return LOCHAN_OK;
}

static lochan_status on_publish(void *ctx, lochan_txn *txn, lochan_error *err) {
    append *a = ctx;
    lochan_status rc = LOCHAN_OK;
    lochan_run_rows rows = {0};
    lochan_table_def now = {0};
    const lochan_run_row run = {.run_id = a->run->run_id, .tick_bucket_size = a->tick_bucket_size};
    LOCHAN_TRYG(lochan_txn__run(txn, a->run->run_id, &rows, err));
    LOCHAN_TRYG(check_bucket_size(a, &rows, err));
    if (rows.n == 0)
        LOCHAN_TRYG(lochan_txn__put_run(txn, &run, err));
    if (lochan_txn__base(txn) != a->table->def.snapshot_id) {
        LOCHAN_TRYG(lochan_txn__table(txn, LOCHAN_RUN_SCHEMA, a->known->d->name, &now, err));
        LOCHAN_TRYG(check_widened(a, &a->table->def.schema, &now.schema, err));
    }
    LOCHAN_TRYG(fill_summary(a, err));
    a->hooked = true;
done:
    lochan_run_rows__deinit(&rows);
    lochan_table_def__deinit(&now);
    return rc;
}

/* ---- the whole ---- */

static lochan_status choose_bucket_size(append *a, lochan_error *err) {
    lochan_run_rows rows;
    LOCHAN_TRY(lochan_catalog__runs(a->run->lake->catalog, a->run->run_id, &rows, err));
    a->tick_bucket_size = a->run->options.tick_bucket_size;
    if (a->tick_bucket_size == 0)
        a->tick_bucket_size = rows.n > 0 ? rows.rows[0].tick_bucket_size : 100;
    lochan_status rc = check_bucket_size(a, &rows, err);
    lochan_run_rows__deinit(&rows);
    lochan_format(a->size_text, sizeof a->size_text, "%lld", (long long)a->tick_bucket_size);
    a->metadata[0][0] = "lochan.run_id";
    a->metadata[0][1] = a->run->run_id;
    a->metadata[1][0] = "lochan.tick_bucket_size";
    a->metadata[1][1] = a->size_text;
    a->metadata[2][0] = "lochan.schema_version"; /* of the descriptor, not of the lake's table */
    a->metadata[2][1] = a->known->d->version;
    return rc;
}

static lochan_status was_done(append *a, bool *done, lochan_error *err) {
    *done = false;
    if (!a->options.token)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_catalog__commit_by_token(a->run->lake->catalog, a->options.token, done,
                                               &a->summary->snapshot_id, err));
    a->summary->repeated = *done;
    return LOCHAN_OK;
}

static lochan_status run_append(append *a, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    bool repeated;
    const lochan_append_options *o = &a->options;
    LOCHAN_TRYG(was_done(a, &repeated, err));
    if (repeated)
        goto done;
    LOCHAN_TRYG(lochan_stream__schema(a->rows, &a->from, err));
    LOCHAN_TRYG(lochan_schema__check(&a->from, err));
    LOCHAN_TRYG(read_ahead(a, false, err));
    if (a->n_raw == 0)
        goto done;
    LOCHAN_TRYG(choose_bucket_size(a, err));
    LOCHAN_TRYG(lochan_run__check_columns(a->known->d, &a->from, !o->skip_schema,
                                          !o->skip_schema && !o->not_strict, err));
    LOCHAN_TRYG(prepare_table(a, err));
    LOCHAN_TRYG(begin_write(a, err));
    a->shape = new_shape(a, &a->table->def.schema);
    LOCHAN_TRYG(lochan_run_shape__init(&a->shape, err));
    LOCHAN_TRYG(write_rows(a, err));
    rc = lochan_write__publish(a->write, on_publish, a, &a->summary->snapshot_id, err);
    if (lochan_write__is_durable(a->write))
        a->summary->stage = LOCHAN_APPEND_PUBLISH;
    LOCHAN_TRYG(rc);
    a->summary->repeated = !a->hooked;
done:
    if (rc == LOCHAN_OK)
        a->summary->stage = LOCHAN_APPEND_DONE;
    else
        lochan_append_summary_deinit(a->summary);
    return rc;
}

static void append_deinit(append *a) {
    lochan_write__free(a->write);
    lochan_run_shape__deinit(&a->shape);
    lochan_run_buckets__deinit(&a->buckets);
    drop_ready(a); /* before what they share */
    for (size_t i = a->at_raw; i < a->n_raw; i++)
        lochan_array__release(&a->raw[i]);
    lochan_mem__free(a->raw);
    lochan_table__close(a->table);
    lochan_schema__release(&a->from);
    lochan_run_known__unref(a->known);
}

lochan_status lochan_append_options__read(const lochan_append_options *options,
                                          lochan_append_options *out, lochan_error *err) {
    static const uint8_t zero[sizeof out->reserved];
    *out = (lochan_append_options)LOCHAN_APPEND_OPTIONS_INIT;
    if (options) {
        LOCHAN_CHECK_ARG(options->struct_size >= offsetof(lochan_append_options, reserved), err);
        memcpy(out, options,
               options->struct_size < sizeof *out ? options->struct_size : sizeof *out);
        LOCHAN_CHECK_ARG(memcmp(out->reserved, zero, sizeof zero) == 0, err);
    }
    LOCHAN_CHECK_ARG(out->durability == LOCHAN_DURABILITY_FULL ||
                         out->durability == LOCHAN_DURABILITY_NORMAL,
                     err);
    return LOCHAN_OK;
}

lochan_status lochan_run_append(lochan_run *run, const char *table, struct ArrowArrayStream *rows,
                                const lochan_append_options *options,
                                lochan_append_summary *summary, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_append_summary own = LOCHAN_APPEND_SUMMARY_INIT;
    append a = {.run = run, .summary = summary ? summary : &own, .rows = rows};
    *a.summary = own;
    if (!run || !table || !rows || !rows->release) {
        rc = lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                               "%s: expected a run, a table and a stream of rows", __func__);
        goto done;
    }
    LOCHAN_TRYG(lochan_append_options__read(options, &a.options, err));
    LOCHAN_TRYG(lochan_lake__check_writable(run->lake, err));
    LOCHAN_TRYG(lochan_run_known__find(run->lake, &run->cache, &run->mutex, table, &a.known, err));
    rc = run_append(&a, err);
    lochan_error__in_table(err, rc, table, NULL, -1);
done:
    append_deinit(&a);
    if (rows)
        lochan_stream__release(rows);
    if (!summary)
        lochan_append_summary_deinit(&own);
    return rc;
}

void lochan_append_summary_deinit(lochan_append_summary *summary) {
    if (!summary || !summary->memory)
        return;
    lochan_arena__deinit(summary->memory);
    lochan_mem__free(summary->memory);
    summary->memory = NULL;
    summary->parts = NULL;
    summary->buckets = NULL;
    summary->n_parts = summary->n_buckets = 0;
}
