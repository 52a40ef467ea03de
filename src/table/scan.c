/* scan.c - a table as a stream of batches.
 *
 * A few units (scan_unit.h) ahead of the consumer are under way on the pool, so memory is a handful
 * of row groups. Invariants: batches come in file order; the snapshot is that of the call, whatever
 * is written meanwhile; read-ahead never fails for want of memory, it only stops. May call: base/,
 * arrow/, parquet/, catalog/.
 */
#include "base/str.h"
#include "table/scan_unit.h"

enum { SMALL_FILE_ROWS = 262144, MAX_AHEAD = 4, LARGE_UNIT_BYTES = 48 << 20 };
/* Of tiny files more may be ahead, so that nobody waits for the next one. */
enum { TINY_AHEAD = 32, TINY_AHEAD_ROWS = 65536 };

typedef struct scan {
    lochan_scan_shared shared;
    int64_t limit; /* rows left to return, -1 = all */
    size_t next_file;
    lochan_scan_file *current; /* large file whose row groups are handed out */
    int next_group;
    lochan_scan_unit *head, *tail;
    size_t ahead;
    int64_t ahead_rows;
} scan;

/* ---- units ---- */

/* The rows of the next unit, and the file it is of: s->current or *small. *rows = -1: there is
 * none. */
static lochan_status peek_unit(scan *s, const lochan_data_file **small, int64_t *rows,
                               lochan_error *err) {
    lochan_pq_row_group_info info;
    *small = NULL;
    *rows = -1;
    if (!s->current && s->next_file == s->shared.plan.n_files)
        return LOCHAN_OK;
    if (!s->current) {
        const lochan_data_file *file = s->shared.plan.files[s->next_file];
        if (file->rows <= SMALL_FILE_ROWS) {
            *small = file;
            *rows = file->rows;
            return LOCHAN_OK;
        }
        LOCHAN_TRY(
            lochan_scan_file__open(&s->shared, file, &s->current, err)); /* it has row groups */
    }
    lochan_pq_reader__row_group(s->current->reader, s->next_group, &info);
    *rows = info.rows;
    return LOCHAN_OK;
}

static void pass_unit(scan *s) {
    if (s->current && ++s->next_group < lochan_pq_reader__row_groups(s->current->reader))
        return;
    lochan_scan_file__unref(&s->shared, s->current);
    s->current = NULL;
    s->next_group = 0;
    s->next_file++;
}

/* Decoding ahead uses at most half of the budget: the rest is for the unit whose turn it is, and
 * for everybody else. */
static bool take_ahead(lochan_budget *budget, size_t bytes) {
    if (budget && budget->limit > 0 &&
        (bytes > budget->limit / 2 || budget->used > budget->limit / 2 - bytes))
        return false;
    return lochan_budget__try_take(budget, bytes);
}

/* Starts one more unit; false in *more when there is none, or when it cannot be decoded ahead for
 * want of memory. */
static lochan_status start_unit(scan *s, bool *more, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const lochan_data_file *small;
    int64_t rows;
    lochan_budget *budget = s->shared.plan.lake->ctx.budget;
    *more = false;
    LOCHAN_TRY(peek_unit(s, &small, &rows, err));
    if (rows < 0)
        return LOCHAN_OK;
    size_t bytes = lochan_scan__bytes(&s->shared, rows);
    bool single = lochan_pool__threads(s->shared.plan.lake->ctx.pool) == 1;
    bool whole = !single && bytes <= LARGE_UNIT_BYTES && take_ahead(budget, bytes);
    if (!whole && s->head)
        return LOCHAN_OK;
    lochan_scan_unit *u =
        lochan_scan_unit__create(&s->shared, s->current, small ? -1 : s->next_group, small);
    if (!u) {
        lochan_budget__give(budget, whole ? bytes : 0);
        return lochan_error__nomem(err);
    }
    u->budget = whole ? bytes : 0;
    u->rows = rows;
    if (whole)
        LOCHAN_TRYG(lochan_scan_unit__submit(u, err));
    pass_unit(s);
    if (s->tail)
        s->tail->next = u;
    else
        s->head = u;
    s->tail = u;
    s->ahead++;
    s->ahead_rows += rows;
    *more = true;
    u = NULL;
done:
    lochan_scan_unit__free(u);
    return rc;
}

/* ---- the stream ---- */

static size_t wanted_ahead(const scan *s) {
    size_t threads = (size_t)lochan_pool__threads(s->shared.plan.lake->ctx.pool);
    if (threads == 1 || (s->limit >= 0 && s->limit < SMALL_FILE_ROWS))
        return 1;
    if (s->ahead_rows < TINY_AHEAD_ROWS)
        return TINY_AHEAD;
    return threads + 1 < MAX_AHEAD ? threads + 1 : MAX_AHEAD;
}

static void drop_head(scan *s) {
    lochan_scan_unit *u = s->head;
    s->head = u->next;
    if (!s->head)
        s->tail = NULL;
    s->ahead--;
    s->ahead_rows -= u->rows;
    lochan_scan_unit__free(u);
}

static lochan_status give_batch(scan *s, struct ArrowArray *batch, struct ArrowArray *out,
                                lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    if (s->limit >= 0 && batch->length > s->limit) {
        lochan_shared *shared = lochan_shared__give(batch);
        if (!shared)
            return lochan_error__nomem(err);
        rc = lochan_shared__slice(shared, 0, s->limit, out, err);
        lochan_shared__unref(shared);
    } else {
        lochan_array__move(batch, out);
    }
    if (rc == LOCHAN_OK && s->limit >= 0)
        s->limit -= out->length;
    pthread_mutex_lock(&s->shared.mutex);
    s->shared.stats.rows_returned += rc == LOCHAN_OK ? out->length : 0;
    pthread_mutex_unlock(&s->shared.mutex);
    return rc;
}

static lochan_status scan_next(void *state, struct ArrowArray *out, lochan_error *err) {
    scan *s = state;
    const lochan_scan_plan *plan = &s->shared.plan;
    while (s->limit != 0) {
        struct ArrowArray batch;
        bool more = true;
        LOCHAN_TRY(lochan_cancel__check(plan->lake->ctx.cancel, err));
        while (more && s->ahead < wanted_ahead(s))
            LOCHAN_TRY(start_unit(s, &more, err));
        if (!s->head)
            break;
        lochan_status rc = lochan_scan_unit__next(s->head, &batch, err);
        if (rc != LOCHAN_OK)
            return lochan_error__in_table(err, rc, plan->table->full_name, NULL, -1);
        if (batch.release)
            return give_batch(s, &batch, out, err);
        drop_head(s);
    }
    return LOCHAN_OK;
}

static void scan_free(void *state) {
    scan *s = state;
    s->shared.stopped = true;
    while (s->head)
        drop_head(s);
    lochan_scan_file__unref(&s->shared, s->current);
    lochan_scan_plan__deinit(&s->shared.plan);
    lochan_schema__release(&s->shared.output);
    lochan_schema__release(&s->shared.needed);
    pthread_mutex_destroy(&s->shared.mutex);
    lochan_mem__free(s);
}

/* The first n columns of what is read. */
static lochan_status first_columns(const lochan_scan_plan *plan, size_t n, struct ArrowSchema *out,
                                   lochan_error *err) {
    int *first = lochan_mem__array(n + 1, sizeof *first);
    if (!first)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < n; i++)
        first[i] = (int)i;
    lochan_status rc = lochan_schema__select(&plan->work, first, n, out, err);
    lochan_mem__free(first);
    return rc;
}

static lochan_status make_scan(lochan_lake *lake, const char *source, const char *name,
                               int64_t snapshot_id, const lochan_table_scan *what,
                               struct ArrowArrayStream *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowSchema schema = {0};
    scan *s = lochan_mem__zalloc(sizeof *s);
    if (!s)
        return lochan_error__nomem(err);
    pthread_mutex_init(&s->shared.mutex, NULL);
    s->limit = what->limit;
    s->shared.batch_rows = what->batch_rows; /* 0: as the reader likes */
    LOCHAN_TRYG(
        lochan_scan_plan__init(&s->shared.plan, lake, source, name, snapshot_id, what, err));
    LOCHAN_TRYG(first_columns(&s->shared.plan, s->shared.plan.n_output, &s->shared.output, err));
    LOCHAN_TRYG(first_columns(&s->shared.plan, s->shared.plan.n_needed, &s->shared.needed, err));
    LOCHAN_TRYG(lochan_schema__dup(&s->shared.output, &schema, err));
    s->shared.stats.snapshot_id = s->shared.plan.table->def.snapshot_id;
    s->shared.stats.files = (int64_t)s->shared.plan.list.n;
    s->shared.stats.files_read = (int64_t)s->shared.plan.n_files;
    scan *given = s;
    s = NULL;
    rc = lochan_stream__make(&schema, scan_next, scan_free, given, out, err);
done:
    lochan_schema__release(&schema);
    if (s)
        scan_free(s);
    return rc;
}

lochan_status lochan_table__scan(const lochan_table *table, const lochan_table_scan *what,
                                 struct ArrowArrayStream *out, lochan_error *err) {
    memset(out, 0, sizeof *out);
    return make_scan(table->lake, table->def.source, table->def.dataset, table->def.snapshot_id,
                     what, out, err);
}

/* ---- public ---- */

static lochan_status find_columns(lochan_lake *lake, const char *source, const char *dataset,
                                  int64_t snapshot_id, const lochan_scan_options *o, int *columns,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_table_def def = {0};
    const char **names = NULL;
    LOCHAN_TRYG(lochan_catalog__table(lake->catalog, source, dataset, snapshot_id, &def, err));
    size_t n = (size_t)def.schema.n_children;
    names = lochan_mem__array(n + 1, sizeof *names);
    if (!names) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        names[i] = def.schema.children[i]->name;
    for (size_t i = 0; i < o->n_columns; i++) {
        const char *wanted = o->columns[i] ? o->columns[i] : "";
        columns[i] = lochan_schema__find(&def.schema, wanted);
        if (columns[i] < 0) {
            const char *near = lochan_name__nearest(wanted, names, n);
            rc = lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "%s.%s has no column '%s'", source,
                                   dataset, wanted);
            if (near)
                lochan_error__hint(err, "did you mean '%s'?", near);
            lochan_error__in_table(err, rc, NULL, wanted, -1);
            goto done;
        }
    }
done:
    lochan_mem__free(names);
    lochan_table_def__deinit(&def);
    return rc;
}

static lochan_status read_options(const lochan_scan_options *options, lochan_scan_options *out,
                                  lochan_error *err) {
    static const uint8_t zero[sizeof out->reserved];
    *out = (lochan_scan_options)LOCHAN_SCAN_OPTIONS_INIT;
    if (!options)
        return LOCHAN_OK;
    LOCHAN_CHECK_ARG(options->struct_size >= offsetof(lochan_scan_options, known_as_of), err);
    memcpy(out, options, options->struct_size < sizeof *out ? options->struct_size : sizeof *out);
    LOCHAN_CHECK_ARG(memcmp(out->reserved, zero, sizeof zero) == 0, err);
    LOCHAN_CHECK_ARG(options->limit >= -1, err);
    LOCHAN_CHECK_ARG(options->batch_rows >= 0, err);
    LOCHAN_CHECK_ARG(!options->columns || options->n_columns > 0, err);
    return LOCHAN_OK;
}

lochan_status lochan_lake_scan(lochan_lake *lake, const char *source, const char *dataset,
                               const lochan_scan_options *options, struct ArrowArrayStream *out,
                               lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_scan_options o;
    lochan_snapshot snapshot;
    int *columns = NULL;
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(lake && source && dataset, err);
    LOCHAN_TRY(read_options(options, &o, err));
    LOCHAN_TRY(lochan_catalog__snapshot_at(lake->catalog, o.as_of, &snapshot, err));
    if (o.columns) {
        columns = lochan_mem__array(o.n_columns, sizeof *columns);
        if (!columns)
            return lochan_error__nomem(err);
        LOCHAN_TRYG(find_columns(lake, source, dataset, snapshot.id, &o, columns, err));
    }
    lochan_table_scan what = {.columns = columns,
                              .n_columns = o.n_columns,
                              .where = o.where,
                              .limit = o.limit,
                              .batch_rows = o.batch_rows,
                              .without_known_at = true,
                              .known_as_of = o.known_as_of};
    LOCHAN_TRYG(make_scan(lake, source, dataset, snapshot.id, &what, out, err));
done:
    lochan_mem__free(columns);
    return rc;
}

lochan_status lochan_scan_get_stats(const struct ArrowArrayStream *stream, lochan_scan_stats *out,
                                    lochan_error *err) {
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(stream, err);
    scan *s = lochan_stream__state(stream, scan_next);
    if (!s)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "this stream was not made by a scan");
    pthread_mutex_lock(&s->shared.mutex);
    *out = s->shared.stats;
    pthread_mutex_unlock(&s->shared.mutex);
    return LOCHAN_OK;
}
