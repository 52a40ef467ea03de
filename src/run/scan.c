/* scan.c - reading one run or many, and the list of a run's parts.
 *
 * The work is that of the table's scan; here a run becomes ranges of partitions, ticks become a
 * predicate, and columns that the table does not keep yet are made: an open struct without fields
 * reads as a struct without values. Invariants: a struct or list that the descriptor does not call
 * nullable is never null; a run or range without rows gives the descriptor's columns. May call:
 * base/, arrow/, catalog/, table/, own.h.
 */
#include "run/own.h"

#include "arrow/builder.h"
#include "arrow/listing.h"
#include "arrow/spans.h"
#include "base/mem.h"

/* More buckets than this are not looked up one by one. */
enum { MAX_BUCKETS = 256, MAX_RUN_LOOKUPS = 256 };

/* One column of the output. */
typedef struct out_column {
    int stored;  /* column of the inner stream, -1 = made here */
    bool filled; /* never null */
} out_column;

typedef struct run_scan {
    struct ArrowArrayStream inner; /* released if the table does not exist yet */
    struct ArrowSchema schema;
    out_column *columns;
} run_scan;

static void scan_free(void *state) {
    run_scan *s = state;
    lochan_stream__release(&s->inner);
    lochan_schema__release(&s->schema);
    lochan_mem__free(s->columns);
    lochan_mem__free(s);
}

/* n values of a column that no part keeps: empty structs, empty lists, or nulls. */
static lochan_status make_column(const struct ArrowSchema *field, bool filled, int64_t n,
                                 struct ArrowArray *out, lochan_error *err) {
    const lochan_span nulls = {NULL, 0, n}, none = {NULL, 0, 0};
    if (!filled || field->format[0] != '+')
        return lochan_spans__copy(field, &nulls, 1, out, err);
    bool list = field->format[1] != 's';
    LOCHAN_TRY(lochan_array__init(out, list ? 2 : 1, field->n_children, err));
    out->length = n;
    if (list) {
        LOCHAN_TRY(lochan_array__make_values(out, 1, n + 1, sizeof(int32_t), err));
        memset((void *)(uintptr_t)out->buffers[1], 0, (size_t)(n + 1) * sizeof(int32_t));
    }
    for (int64_t i = 0; i < field->n_children; i++)
        LOCHAN_TRY(lochan_spans__copy(field->children[i], list ? &none : &nulls, 1,
                                      out->children[i], err));
    return LOCHAN_OK;
}

static lochan_status scan_next(void *state, struct ArrowArray *out, lochan_error *err) {
    run_scan *s = state;
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray batch = {0};
    lochan_shared *shared = NULL;
    if (!s->inner.release)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_stream__next(&s->inner, &batch, err));
    if (!batch.release)
        return LOCHAN_OK;
    int64_t rows = batch.length;
    shared = lochan_shared__give(&batch);
    if (!shared)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_array__init(out, 1, s->schema.n_children, err));
    out->length = rows;
    for (int64_t i = 0; i < s->schema.n_children; i++) {
        const out_column *c = &s->columns[i];
        struct ArrowArray *to = out->children[i];
        if (c->stored < 0) {
            LOCHAN_TRYG(make_column(s->schema.children[i], c->filled, rows, to, err));
            continue;
        }
        LOCHAN_TRYG(lochan_shared__child(shared, c->stored, to, err));
        if (c->filled) { /* what has no field in a part is there, and empty */
            to->buffers[0] = NULL;
            to->null_count = 0;
        }
    }
done:
    lochan_shared__unref(shared);
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    return rc;
}

lochan_status lochan_run_scan_stats(const struct ArrowArrayStream *scan, lochan_scan_stats *out,
                                    lochan_error *err) {
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(scan, err);
    run_scan *s = lochan_stream__state(scan, scan_next);
    if (!s)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "this stream was not made by a scan of runs");
    return s->inner.release ? lochan_scan_get_stats(&s->inner, out, err) : LOCHAN_OK;
}

/* ---- what is asked ---- */

typedef struct request {
    lochan_lake *lake;
    const char *const *run_ids; /* NULL = all */
    size_t n_runs;
    bool with_run_id;
    lochan_run_scan_options o;
    lochan_run_known *known;
    lochan_table *table; /* NULL: nothing was ever appended */
    int64_t snapshot_id;
    lochan_arena arena;
    const char **names; /* of the output */
    size_t n_names;
    int *stored; /* columns of the table that are read */
    size_t n_stored;
    lochan_file_range *ranges;
    size_t n_ranges;
    lochan_buf where;
} request;

static lochan_status read_options(const lochan_run_scan_options *options,
                                  lochan_run_scan_options *out, lochan_error *err) {
    static const uint8_t zero[sizeof out->reserved];
    *out = (lochan_run_scan_options)LOCHAN_RUN_SCAN_OPTIONS_INIT;
    if (options) {
        LOCHAN_CHECK_ARG(options->struct_size >= offsetof(lochan_run_scan_options, reserved), err);
        memcpy(out, options,
               options->struct_size < sizeof *out ? options->struct_size : sizeof *out);
        LOCHAN_CHECK_ARG(memcmp(out->reserved, zero, sizeof zero) == 0, err);
    }
    LOCHAN_CHECK_ARG(out->limit >= -1, err);
    LOCHAN_CHECK_ARG(out->batch_rows >= 0, err);
    return LOCHAN_OK;
}

/* The descriptor's columns, then undeclared ones of the table. */
static lochan_status default_names(request *q, lochan_error *err) {
    const lochan_run_descriptor *d = q->known->d;
    const struct ArrowSchema *t = q->table ? &q->table->def.schema : NULL;
    size_t most = 1 + d->n + (t ? (size_t)t->n_children : 0);
    q->names = lochan_arena__array(&q->arena, most, sizeof *q->names);
    if (!q->names)
        return lochan_error__nomem(err);
    if (q->with_run_id)
        q->names[q->n_names++] = LOCHAN_RUN_ID;
    for (size_t i = 0; i < d->n; i++)
        q->names[q->n_names++] = d->columns[i].name;
    for (int64_t i = 0; t && i < t->n_children; i++)
        if (strcmp(t->children[i]->name, LOCHAN_RUN_ID) != 0 &&
            lochan_run_descriptor__find(d, t->children[i]->name) < 0)
            q->names[q->n_names++] = t->children[i]->name;
    return LOCHAN_OK;
}

static lochan_status choose_names(request *q, lochan_error *err) {
    if (!q->o.columns)
        return default_names(q, err);
    q->names = lochan_arena__array(&q->arena, q->o.n_columns + 1, sizeof *q->names);
    if (!q->names)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < q->o.n_columns; i++) {
        LOCHAN_CHECK_ARG(q->o.columns[i], err);
        q->names[q->n_names++] = q->o.columns[i];
    }
    return LOCHAN_OK;
}

static lochan_status no_column(const request *q, const char *name, lochan_error *err) {
    const lochan_run_descriptor *d = q->known->d;
    lochan_status rc = lochan_error__set(err, LOCHAN_ERR_SCHEMA,
                                         "run table %s has no column '%.100s'", d->name, name);
    lochan_run_descriptor__hint_column(d, name, err);
    return lochan_error__in_table(err, rc, d->name, name, -1);
}

/* The columns of the output, and which of them the table keeps. */
static lochan_status choose_columns(request *q, run_scan *s, lochan_error *err) {
    static const lochan_type text = {.id = LOCHAN_TYPE_STRING};
    LOCHAN_TRY(choose_names(q, err));
    LOCHAN_TRY(lochan_schema__init_struct(&s->schema, (int64_t)q->n_names, err));
    s->columns = lochan_mem__array(q->n_names + 1, sizeof *s->columns);
    q->stored = lochan_arena__array(&q->arena, q->n_names + 1, sizeof *q->stored);
    if (!s->columns || !q->stored)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < q->n_names; i++) {
        struct ArrowSchema *field = s->schema.children[i];
        int c = lochan_run_descriptor__find(q->known->d, q->names[i]);
        int t = q->table ? lochan_schema__find(&q->table->def.schema, q->names[i]) : -1;
        bool is_run_id = strcmp(q->names[i], LOCHAN_RUN_ID) == 0;
        if (c < 0 && t < 0 && !is_run_id)
            return no_column(q, q->names[i], err);
        s->columns[i].stored = -1;
        if (t >= 0) {
            s->columns[i].stored = (int)q->n_stored;
            q->stored[q->n_stored++] = t;
            LOCHAN_TRY(lochan_schema__dup(q->table->def.schema.children[t], field, err));
        } else if (is_run_id) {
            LOCHAN_TRY(lochan_schema__set_field(field, LOCHAN_RUN_ID, &text, false, err));
        } else {
            LOCHAN_TRY(lochan_schema__dup(q->known->d->columns[c].field, field, err));
        }
        s->columns[i].filled =
            c >= 0 && !q->known->d->columns[c].nullable && field->format[0] == '+';
    }
    return LOCHAN_OK;
}

/* ---- runs and ticks ---- */

/* Adds the partitions of one run that may hold the ticks. size 0: not known. */
static lochan_status add_run_ranges(request *q, const char *run_id, int64_t size,
                                    lochan_error *err) {
    int64_t low = q->o.tick_min && *q->o.tick_min > 0 ? *q->o.tick_min : 0;
    int64_t high = q->o.tick_max ? *q->o.tick_max : INT64_MAX, n = 1, first = -1;
    if (high < low)
        return LOCHAN_OK;
    if (size > 0 && high / size - low / size < MAX_BUCKETS) {
        first = low / size;
        n = high / size - first + 1;
    }
    lochan_file_range *more = lochan_arena__array(&q->arena, q->n_ranges + (size_t)n, sizeof *more);
    if (!more)
        return lochan_error__nomem(err);
    if (q->n_ranges)
        memcpy(more, q->ranges, q->n_ranges * sizeof *more);
    q->ranges = more;
    for (int64_t i = 0; i < n; i++)
        LOCHAN_TRY(lochan_run__range(&q->arena, run_id, first < 0 ? -1 : first + i,
                                     &q->ranges[q->n_ranges++], err));
    return LOCHAN_OK;
}

static lochan_status bucket_size(request *q, const char *run_id, int64_t *size, lochan_error *err) {
    lochan_run_rows rows;
    *size = 0;
    if (q->n_runs > MAX_RUN_LOOKUPS || (!q->o.tick_min && !q->o.tick_max))
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_catalog__runs(q->lake->catalog, run_id, &rows, err));
    if (rows.n > 0)
        *size = rows.rows[0].tick_bucket_size;
    lochan_run_rows__deinit(&rows);
    return LOCHAN_OK;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, each once: the ranges of a scan must not overlap. */
static lochan_status choose_ranges(request *q, lochan_error *err) {
    if (!q->run_ids)
        return LOCHAN_OK;
    const char **ids = lochan_arena__array(&q->arena, q->n_runs + 1, sizeof *ids);
    q->ranges = lochan_arena__array(&q->arena, 1, sizeof *q->ranges);
    if (!ids || !q->ranges)
        return lochan_error__nomem(err);
    if (q->n_runs > 0)
        memcpy((void *)ids, q->run_ids, q->n_runs * sizeof *ids);
    qsort((void *)ids, q->n_runs, sizeof *ids, by_text);
    size_t n = 0;
    for (size_t i = 0; i < q->n_runs; i++)
        if (n == 0 || strcmp(ids[n - 1], ids[i]) != 0)
            ids[n++] = ids[i];
    q->run_ids = ids;
    q->n_runs = n;
    for (size_t i = 0; i < n; i++) {
        int64_t size;
        LOCHAN_TRY(bucket_size(q, ids[i], &size, err));
        LOCHAN_TRY(add_run_ranges(q, ids[i], size, err));
    }
    return LOCHAN_OK;
}

static lochan_status and_part(request *q, lochan_error *err) {
    return q->where.len > 0 ? lochan_buf__puts(&q->where, " and ", err) : LOCHAN_OK;
}

/* Ids of runs hold no quotes. */
static lochan_status make_predicate(request *q, lochan_error *err) {
    lochan_buf *w = &q->where;
    if (q->run_ids) {
        LOCHAN_TRY(lochan_buf__puts(w, q->n_runs == 1 ? "run_id = '" : "run_id in ('", err));
        for (size_t i = 0; i < q->n_runs; i++)
            LOCHAN_TRY(lochan_buf__printf(w, err, "%s%s", i ? "', '" : "", q->run_ids[i]));
        LOCHAN_TRY(lochan_buf__puts(w, q->n_runs == 1 ? "'" : "')", err));
    }
    if (q->o.tick_min && *q->o.tick_min > 0) {
        LOCHAN_TRY(and_part(q, err));
        LOCHAN_TRY(lochan_buf__printf(w, err, "tick >= %lld", (long long)*q->o.tick_min));
    }
    if (q->o.tick_max) {
        LOCHAN_TRY(and_part(q, err));
        LOCHAN_TRY(lochan_buf__printf(w, err, "tick <= %lld", (long long)*q->o.tick_max));
    }
    if (q->o.where && *q->o.where) {
        LOCHAN_TRY(and_part(q, err));
        LOCHAN_TRY(lochan_buf__printf(w, err, "(%s)", q->o.where));
    }
    return LOCHAN_OK;
}

/* A predicate of the user must be whole by itself: it is put between brackets. */
static lochan_status check_where(const request *q, lochan_error *err) {
    lochan_expr *e = NULL;
    LOCHAN_TRY(lochan_expr__parse(q->o.where, &e, err));
    lochan_expr__free(e);
    return LOCHAN_OK;
}

static lochan_status open_inner(request *q, run_scan *s, lochan_error *err) {
    if (!q->table || (q->run_ids && q->n_runs == 0))
        return LOCHAN_OK;
    LOCHAN_TRY(choose_ranges(q, err));
    LOCHAN_TRY(make_predicate(q, err));
    if (q->n_stored == 0) /* rows must be counted by something */
        q->stored[q->n_stored++] = lochan_schema__find(&q->table->def.schema, LOCHAN_RUN_BUCKET);
    lochan_table_scan what = {.columns = q->stored,
                              .n_columns = q->n_stored,
                              .where = (const char *)q->where.data,
                              .limit = q->o.limit,
                              .batch_rows = q->o.batch_rows,
                              .partitions = q->ranges,
                              .n_partitions = q->n_ranges};
    return lochan_table__scan(q->table, &what, &s->inner, err);
}

static lochan_status find_snapshot(request *q, lochan_error *err) {
    lochan_snapshot snapshot;
    q->snapshot_id = -1;
    if (!q->o.as_of)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_catalog__snapshot_at(q->lake->catalog, q->o.as_of, &snapshot, err));
    q->snapshot_id = snapshot.id;
    return LOCHAN_OK;
}

static lochan_status scan(request *q, const char *table, struct ArrowArrayStream *out,
                          lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowSchema schema = {0};
    run_scan *s = lochan_mem__zalloc(sizeof *s);
    lochan_arena__init(&q->arena, 0);
    lochan_buf__init(&q->where, (size_t)64 << 20);
    if (!s) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    if (!q->known)
        LOCHAN_TRYG(lochan_run_known__find(q->lake, NULL, NULL, table, &q->known, err));
    LOCHAN_TRYG(check_where(q, err));
    LOCHAN_TRYG(find_snapshot(q, err));
    LOCHAN_TRYG(lochan_run__open_table(q->lake, table, q->snapshot_id, &q->table, err));
    LOCHAN_TRYG(choose_columns(q, s, err));
    LOCHAN_TRYG(open_inner(q, s, err));
    LOCHAN_TRYG(lochan_schema__dup(&s->schema, &schema, err));
    run_scan *given = s;
    s = NULL;
    rc = lochan_stream__make(&schema, scan_next, scan_free, given, out, err);
done:
    lochan_table__close(q->table);
    lochan_run_known__unref(q->known);
    lochan_buf__deinit(&q->where);
    lochan_arena__deinit(&q->arena);
    if (s)
        scan_free(s);
    return lochan_error__in_table(err, rc, table, NULL, -1);
}

lochan_status lochan_run_scan(lochan_run *run, const char *table,
                              const lochan_run_scan_options *options, struct ArrowArrayStream *out,
                              lochan_error *err) {
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(run && table, err);
    const char *ids[] = {run->run_id};
    request q = {.lake = run->lake, .run_ids = ids, .n_runs = 1};
    LOCHAN_TRY(read_options(options, &q.o, err));
    lochan_status rc =
        lochan_run_known__find(run->lake, &run->cache, &run->mutex, table, &q.known, err);
    if (rc == LOCHAN_OK)
        rc = scan(&q, table, out, err);
    lochan_run__hint_rebuild(err, rc);
    return rc;
}

lochan_status lochan_runs_scan(lochan_lake *lake, const char *table, const char *const *run_ids,
                               size_t n_run_ids, const lochan_run_scan_options *options,
                               struct ArrowArrayStream *out, lochan_error *err) {
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(lake && table, err);
    request q = {.lake = lake, .run_ids = run_ids, .n_runs = n_run_ids, .with_run_id = true};
    LOCHAN_TRY(read_options(options, &q.o, err));
    for (size_t i = 0; run_ids && i < n_run_ids; i++)
        LOCHAN_TRY(lochan_run_check_id(run_ids[i], err));
    lochan_status rc = scan(&q, table, out, err);
    lochan_run__hint_rebuild(err, rc);
    return rc;
}

/* ---- the manifest ---- */

typedef struct part {
    const lochan_data_file *file;
    int64_t bucket;
} part;

static int by_bucket(const void *x, const void *y) {
    const part *a = x, *b = y;
    if (a->bucket != b->bucket)
        return (a->bucket > b->bucket) - (a->bucket < b->bucket);
    return (a->file->id > b->file->id) - (a->file->id < b->file->id);
}

/* One row for each part of parts[from, to), which are one bucket. */
static lochan_status list_bucket(lochan_listing *list, const part *parts, size_t from, size_t to,
                                 lochan_error *err) {
    int64_t min = INT64_MAX, max = INT64_MIN, rows = 0, bytes = 0;
    bool known = true;
    for (size_t i = from; i < to; i++) {
        const lochan_data_file *f = parts[i].file;
        known = known && f->stats_known[0] && f->stats[0].has_min && f->stats[0].has_max;
        if (known && f->stats[0].min_i < min)
            min = f->stats[0].min_i;
        if (known && f->stats[0].max_i > max)
            max = f->stats[0].max_i;
        rows += f->rows;
        bytes += f->bytes;
    }
    for (size_t i = from; i < to; i++) {
        const lochan_data_file *f = parts[i].file;
        LOCHAN_TRY(lochan_listing__int64(list, 0, parts[i].bucket, err));
        LOCHAN_TRY(lochan_listing__string(list, 1, "ready", err));
        if (known) {
            LOCHAN_TRY(lochan_listing__int64(list, 2, min, err));
            LOCHAN_TRY(lochan_listing__int64(list, 3, max, err));
        }
        LOCHAN_TRY(lochan_listing__int64(list, 4, rows, err));
        LOCHAN_TRY(lochan_listing__int64(list, 5, bytes, err));
        LOCHAN_TRY(lochan_listing__string(list, 6, f->path, err));
        LOCHAN_TRY(lochan_listing__int64(list, 7, f->rows, err));
        LOCHAN_TRY(lochan_listing__int64(list, 8, f->bytes, err));
        if (f->stats_known[0] && f->stats[0].has_min && f->stats[0].has_max) {
            LOCHAN_TRY(lochan_listing__int64(list, 9, f->stats[0].min_i, err));
            LOCHAN_TRY(lochan_listing__int64(list, 10, f->stats[0].max_i, err));
        }
        LOCHAN_TRY(lochan_listing__time(list, 11, f->published_ns, err));
        LOCHAN_TRY(lochan_listing__end_row(list, err));
    }
    return LOCHAN_OK;
}

static lochan_status list_parts(lochan_run *run, const lochan_table *t, lochan_listing *list,
                                lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_arena arena;
    lochan_file_range range;
    lochan_file_list files = {0};
    part *parts = NULL;
    size_t n = 0;
    lochan_arena__init(&arena, 1 << 16);
    int tick = lochan_schema__find(&t->def.schema, LOCHAN_RUN_TICK);
    int64_t id = tick >= 0 ? lochan_schema__field_id(t->def.schema.children[tick]) : -1;
    LOCHAN_TRYG(lochan_run__range(&arena, run->run_id, -1, &range, err));
    LOCHAN_TRYG(
        lochan_catalog__files_in(run->lake->catalog, &t->def, &range, 1, &id, 1, &files, err));
    parts = lochan_mem__array(files.n + 1, sizeof *parts);
    if (!parts) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (size_t i = 0; i < files.n; i++) {
        const char *const *v = (const char *const *)files.files[i].partition_values;
        if (!v || !v[0] || !v[1] || strcmp(v[0], run->run_id) != 0 ||
            !lochan_parse__int64(v[1], strlen(v[1]), &parts[n].bucket))
            continue; /* of another client, in no bucket of this run */
        parts[n++].file = &files.files[i];
    }
    qsort(parts, n, sizeof *parts, by_bucket);
    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && parts[to].bucket == parts[from].bucket; to++)
            ;
        LOCHAN_TRYG(list_bucket(list, parts, from, to, err));
    }
done:
    lochan_mem__free(parts);
    lochan_file_list__deinit(&files);
    lochan_arena__deinit(&arena);
    return rc;
}

lochan_status lochan_run_manifest(lochan_run *run, const char *table, struct ArrowArrayStream *out,
                                  lochan_error *err) {
    static const lochan_listing_column columns[] = {{"bucket_id", "int64"},
                                                    {"state", "string"},
                                                    {"tick_min", "int64"},
                                                    {"tick_max", "int64"},
                                                    {"row_count", "int64"},
                                                    {"byte_size", "int64"},
                                                    {"path", "string"},
                                                    {"rows", "int64"},
                                                    {"bytes", "int64"},
                                                    {"part_tick_min", "int64"},
                                                    {"part_tick_max", "int64"},
                                                    {"created_at", "timestamp[us, UTC]"},
                                                    {NULL, NULL}};
    lochan_status rc = LOCHAN_OK;
    lochan_listing list = {0};
    lochan_run_known *known = NULL;
    lochan_table *t = NULL;
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(run && table, err);
    LOCHAN_TRYG(lochan_run_known__find(run->lake, &run->cache, &run->mutex, table, &known, err));
    LOCHAN_TRYG(lochan_listing__init(&list, columns, err));
    LOCHAN_TRYG(lochan_run__open_table(run->lake, table, -1, &t, err));
    if (t)
        LOCHAN_TRYG(list_parts(run, t, &list, err));
    LOCHAN_TRYG(lochan_listing__finish(&list, out, err));
done:
    lochan_table__close(t);
    lochan_run_known__unref(known);
    lochan_listing__deinit(&list);
    lochan_run__hint_rebuild(err, rc);
    return rc;
}
