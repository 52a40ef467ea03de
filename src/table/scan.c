/* scan.c - a table as a stream of batches.
 *
 * The files are cut into units (a small file, or one row group of a large one). A unit is decoded
 * whole by one task; a few units ahead of the consumer are under way on the pool, so memory is a
 * handful of row groups. Invariants: batches come in file order; the snapshot is that of the call,
 * whatever is written meanwhile; read-ahead never fails for want of memory, it only stops. May
 * call: base/, arrow/, parquet/, catalog/.
 */
#include "base/str.h"
#include "table/scan_plan.h"

enum { SMALL_FILE_ROWS = 262144, MAX_AHEAD = 4 };

/* An open file, shared by its units. */
typedef struct scan_file {
    lochan_pq_reader *reader;
    int *columns; /* of the file: what its units decode */
    size_t n_columns;
    lochan_projection projection; /* from those columns to plan->work */
    bool push;                    /* the reader applies the predicate */
    int units;                    /* references, under scan->mutex */
    const lochan_data_file *file;
} scan_file;

typedef struct scan_unit {
    struct scan_unit *next;
    struct scan *scan;
    lochan_group *group; /* one task: waiting for it runs it if nobody did */
    scan_file *file;     /* NULL: a small file, opened by the task */
    const lochan_data_file *small;
    int row_group; /* -1: all of them */
    struct ArrowArray *batches;
    size_t n, at, cap;
    size_t budget;
} scan_unit;

typedef struct scan {
    lochan_scan_plan plan;
    struct ArrowSchema output;
    int64_t limit; /* rows left to return, -1 = all */
    int64_t batch_rows;
    size_t next_file;
    scan_file *current; /* large file whose row groups are handed out */
    int next_group;
    scan_unit *head, *tail;
    size_t ahead;
    _Atomic bool stopped;
    pthread_mutex_t mutex;
    lochan_scan_stats stats; /* under mutex */
} scan;

/* ---- files ---- */

static void close_file(scan *s, scan_file *f) {
    if (!f)
        return;
    pthread_mutex_lock(&s->mutex);
    bool last = --f->units == 0;
    if (last && f->reader) {
        lochan_pq_counters c;
        lochan_pq_reader__counters(f->reader, &c);
        s->stats.bytes_read += (int64_t)c.bytes_read;
        s->stats.row_groups_read += (int64_t)c.row_groups_read;
    }
    pthread_mutex_unlock(&s->mutex);
    if (!last)
        return;
    lochan_pq_reader__close(f->reader);
    lochan_projection__deinit(&f->projection);
    lochan_mem__free(f->columns);
    lochan_mem__free(f);
}

/* The predicate names columns of the table; the reader can apply it if the file has them under the
 * same names and types. */
static bool can_push(const scan *s, const struct ArrowSchema *file) {
    const lochan_expr *e = s->plan.where;
    const struct ArrowSchema *table = &s->plan.table->def.schema;
    if (!e || s->plan.where_known_at)
        return false;
    for (size_t i = 0; i < lochan_expr__columns(e); i++) {
        const char *name = lochan_expr__column(e, i);
        int t = lochan_schema__find(table, name), f = lochan_schema__find(file, name);
        if (f < 0 || t < 0 || !lochan_field__same_type(table->children[t], file->children[f]) ||
            (lochan_schema__field_id(file->children[f]) !=
                 lochan_schema__field_id(table->children[t]) &&
             lochan_schema__field_id(file->children[f]) >= 0))
            return false;
    }
    return true;
}

/* Decides which columns of the file are decoded. */
static lochan_status map_columns(scan *s, scan_file *f, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const struct ArrowSchema *file = lochan_pq_reader__schema(f->reader);
    struct ArrowSchema decoded = {0};
    lochan_projection all = {0};
    f->columns = lochan_mem__array((size_t)s->plan.work.n_children + 1, sizeof *f->columns);
    if (!f->columns)
        return lochan_error__nomem(err);
    f->push = can_push(s, file);
    LOCHAN_TRYG(lochan_projection__init(&all, file, &s->plan.work, LOCHAN_BY_FIELD_ID, err));
    /* What only the predicate needs is not decoded twice if the reader applies it. */
    size_t needed = f->push ? s->plan.n_output : s->plan.n_columns;
    for (size_t i = 0; i < needed; i++) {
        bool seen = all.source[i] < 0;
        for (size_t j = 0; j < f->n_columns; j++)
            seen = seen || f->columns[j] == all.source[i];
        if (!seen)
            f->columns[f->n_columns++] = all.source[i];
    }
    /* A batch needs a column to count its rows by. */
    if (f->n_columns == 0 && file->n_children > 0)
        f->columns[f->n_columns++] = 0;
    LOCHAN_TRYG(lochan_schema__select(file, f->columns, f->n_columns, &decoded, err));
    LOCHAN_TRYG(lochan_projection__init(
        &f->projection, &decoded, f->push ? &s->output : &s->plan.work, LOCHAN_BY_FIELD_ID, err));
done:
    lochan_projection__deinit(&all);
    lochan_schema__release(&decoded);
    return lochan_error__in_file(err, rc, f->file->path, -1);
}

static lochan_status open_file(scan *s, const lochan_data_file *file, scan_file **out,
                               lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    *out = NULL;
    scan_file *f = lochan_mem__zalloc(sizeof *f);
    if (!f)
        return lochan_error__nomem(err);
    f->units = 1;
    f->file = file;
    LOCHAN_TRYG(lochan_data_file__open(s->plan.lake, file, &f->reader, err));
    LOCHAN_TRYG(map_columns(s, f, err));
    *out = f;
    f = NULL;
done:
    close_file(s, f);
    return rc;
}

/* ---- units ---- */

/* Rows of the file as rows of the output. Takes *raw. */
static lochan_status finish_batch(scan *s, scan_file *f, struct ArrowArray *raw,
                                  struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray work = {0}, filled = {0};
    lochan_projection trim = {0};
    uint8_t *bits = NULL;
    int64_t kept;
    const lochan_scan_plan *p = &s->plan;
    LOCHAN_TRYG(lochan_projection__apply(&f->projection, raw, &work, err));
    int known_at =
        p->known_at >= 0 && (size_t)p->known_at < (size_t)work.n_children ? p->known_at : -1;
    LOCHAN_TRYG(
        lochan_known_at__fill(&p->work, known_at, f->file->published_ns, &work, &filled, err));
    if (f->push || !p->where) {
        lochan_array__move(&filled, out);
        goto done;
    }
    bits = lochan_mem__zalloc((size_t)filled.length / 8 + 1);
    if (!bits) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_expr__apply(p->where, &p->work, &filled, bits, &kept, err));
    LOCHAN_TRYG(lochan_filter(&p->work, &filled, bits, &work, err));
    LOCHAN_TRYG(lochan_projection__init(&trim, &p->work, &s->output, LOCHAN_BY_NAME, err));
    LOCHAN_TRYG(lochan_projection__apply(&trim, &work, out, err));
done:
    lochan_mem__free(bits);
    lochan_projection__deinit(&trim);
    lochan_array__release(&work);
    lochan_array__release(&filled);
    return lochan_error__in_file(err, rc, f->file->path, -1);
}

static lochan_status push_batch(scan_unit *u, struct ArrowArray *batch, lochan_error *err) {
    if (batch->length == 0) {
        lochan_array__release(batch);
        return LOCHAN_OK;
    }
    if (u->n == u->cap) {
        size_t cap = u->cap ? u->cap * 2 : 4;
        struct ArrowArray *list = lochan_mem__realloc(u->batches, cap * sizeof *list);
        if (!list) {
            lochan_array__release(batch);
            return lochan_error__nomem(err);
        }
        u->batches = list;
        u->cap = cap;
    }
    lochan_array__move(batch, &u->batches[u->n++]);
    return LOCHAN_OK;
}

static lochan_status decode_unit(scan_unit *u, scan_file *f, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    scan *s = u->scan;
    struct ArrowArrayStream stream = {0};
    struct ArrowArray raw = {0}, batch = {0};
    lochan_pq_scan what = {.columns = f->columns,
                           .n_columns = f->n_columns,
                           .predicate = f->push ? s->plan.where : NULL,
                           .batch_rows = s->batch_rows};
    if (u->row_group >= 0) {
        what.row_groups = &u->row_group;
        what.n_row_groups = 1;
    }
    LOCHAN_TRYG(lochan_pq_reader__stream(f->reader, &what, &stream, err));
    while (!s->stopped) {
        LOCHAN_TRYG(lochan_cancel__check(s->plan.lake->ctx.cancel, err));
        LOCHAN_TRYG(lochan_stream__next(&stream, &raw, err));
        if (!raw.release)
            break;
        LOCHAN_TRYG(finish_batch(s, f, &raw, &batch, err));
        LOCHAN_TRYG(push_batch(u, &batch, err));
    }
done:
    lochan_array__release(&raw);
    lochan_array__release(&batch);
    lochan_stream__release(&stream);
    return rc;
}

static lochan_status unit_task(void *ctx, size_t index, lochan_error *err) {
    scan_unit *u = ctx;
    scan_file *f = NULL;
    (void)index;
    if (u->scan->stopped)
        return LOCHAN_OK;
    if (u->file)
        return decode_unit(u, u->file, err);
    LOCHAN_TRY(open_file(u->scan, u->small, &f, err));
    lochan_status rc = decode_unit(u, f, err);
    close_file(u->scan, f);
    return rc;
}

static void free_unit(scan_unit *u) {
    if (!u)
        return;
    lochan_group__free(u->group);
    for (size_t i = u->at; i < u->n; i++)
        lochan_array__release(&u->batches[i]);
    lochan_mem__free(u->batches);
    close_file(u->scan, u->file);
    lochan_budget__give(u->scan->plan.lake->ctx.budget, u->budget);
    lochan_mem__free(u);
}

/* What a unit will hold when it is decoded, as far as one can tell before. */
static size_t unit_bytes(const scan *s, int64_t rows) {
    size_t bytes = 0;
    for (int64_t i = 0; i < s->plan.work.n_children; i++) {
        lochan_type type;
        int bits = lochan_type__parse(s->plan.work.children[i]->format, &type, NULL) == LOCHAN_OK
                       ? lochan_type__bit_width(&type)
                       : 0;
        bytes += bits > 0 ? (size_t)(bits + 7) / 8 : 24;
    }
    return bytes * (size_t)rows;
}

/* Starts one more unit; false in *more when there is none, or when read-ahead has no memory left.
 */
static lochan_status start_unit(scan *s, bool *more, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_pq_row_group_info info;
    *more = false;
    if (!s->current && s->next_file == s->plan.n_files)
        return LOCHAN_OK;
    scan_unit *u = lochan_mem__zalloc(sizeof *u);
    if (!u)
        return lochan_error__nomem(err);
    u->scan = s;
    u->row_group = -1;
    if (!s->current) {
        const lochan_data_file *file = s->plan.files[s->next_file];
        info.rows = file->rows;
        if (file->rows <= SMALL_FILE_ROWS)
            u->small = file;
        else
            LOCHAN_TRYG(
                open_file(s, file, &s->current, err)); /* has row groups: its rows are theirs */
    }
    if (s->current)
        lochan_pq_reader__row_group(s->current->reader, s->next_group, &info);
    size_t bytes = unit_bytes(s, info.rows > 0 ? info.rows : 0);
    if (s->head && !lochan_budget__try_take(s->plan.lake->ctx.budget, bytes))
        goto done;
    u->budget = s->head ? bytes : 0;
    if (s->current) {
        pthread_mutex_lock(&s->mutex);
        s->current->units++;
        pthread_mutex_unlock(&s->mutex);
        u->file = s->current;
        u->row_group = s->next_group++;
    }
    if (u->small || s->next_group >= lochan_pq_reader__row_groups(s->current->reader)) {
        close_file(s, s->current);
        s->current = NULL;
        s->next_group = 0;
        s->next_file++;
    }
    LOCHAN_TRYG(lochan_group__create(s->plan.lake->ctx.pool, &u->group, err));
    LOCHAN_TRYG(lochan_group__submit(u->group, unit_task, u, 0, err));
    if (s->tail)
        s->tail->next = u;
    else
        s->head = u;
    s->tail = u;
    s->ahead++;
    *more = true;
    u = NULL;
done:
    free_unit(u);
    return rc;
}

/* ---- the stream ---- */

static size_t wanted_ahead(const scan *s) {
    size_t threads = (size_t)lochan_pool__threads(s->plan.lake->ctx.pool);
    if (threads == 1 || (s->limit >= 0 && s->limit < SMALL_FILE_ROWS))
        return 1;
    return threads + 1 < MAX_AHEAD ? threads + 1 : MAX_AHEAD;
}

static void drop_head(scan *s) {
    scan_unit *u = s->head;
    s->head = u->next;
    if (!s->head)
        s->tail = NULL;
    s->ahead--;
    free_unit(u);
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
    pthread_mutex_lock(&s->mutex);
    s->stats.rows_returned += rc == LOCHAN_OK ? out->length : 0;
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

static lochan_status scan_next(void *state, struct ArrowArray *out, lochan_error *err) {
    scan *s = state;
    while (s->limit != 0) {
        bool more = true;
        LOCHAN_TRY(lochan_cancel__check(s->plan.lake->ctx.cancel, err));
        while (more && s->ahead < wanted_ahead(s))
            LOCHAN_TRY(start_unit(s, &more, err));
        if (!s->head)
            break;
        lochan_status rc = lochan_group__wait(s->head->group, err);
        if (rc != LOCHAN_OK)
            return lochan_error__in_table(err, rc, s->plan.table->full_name, NULL, -1);
        if (s->head->at < s->head->n)
            return give_batch(s, &s->head->batches[s->head->at++], out, err);
        drop_head(s);
    }
    return LOCHAN_OK;
}

static void scan_free(void *state) {
    scan *s = state;
    s->stopped = true;
    while (s->head)
        drop_head(s);
    close_file(s, s->current);
    lochan_scan_plan__deinit(&s->plan);
    lochan_schema__release(&s->output);
    pthread_mutex_destroy(&s->mutex);
    lochan_mem__free(s);
}

static lochan_status make_scan(lochan_lake *lake, const char *source, const char *name,
                               int64_t snapshot_id, const lochan_table_scan *what,
                               struct ArrowArrayStream *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowSchema schema = {0};
    int *first = NULL;
    scan *s = lochan_mem__zalloc(sizeof *s);
    if (!s)
        return lochan_error__nomem(err);
    pthread_mutex_init(&s->mutex, NULL);
    s->limit = what->limit;
    s->batch_rows = what->batch_rows > 0 ? what->batch_rows : 65536;
    LOCHAN_TRYG(lochan_scan_plan__init(&s->plan, lake, source, name, snapshot_id, what, err));
    first = lochan_mem__array(s->plan.n_output + 1, sizeof *first);
    if (!first) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (size_t i = 0; i < s->plan.n_output; i++)
        first[i] = (int)i;
    LOCHAN_TRYG(lochan_schema__select(&s->plan.work, first, s->plan.n_output, &s->output, err));
    LOCHAN_TRYG(lochan_schema__dup(&s->output, &schema, err));
    s->stats.snapshot_id = s->plan.table->def.snapshot_id;
    s->stats.files = (int64_t)s->plan.list.n;
    s->stats.files_read = (int64_t)s->plan.n_files;
    scan *given = s;
    s = NULL;
    rc = lochan_stream__make(&schema, scan_next, scan_free, given, out, err);
done:
    lochan_mem__free(first);
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
    LOCHAN_CHECK_ARG(options->struct_size >= offsetof(lochan_scan_options, reserved), err);
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
                              .batch_rows = o.batch_rows};
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
    pthread_mutex_lock(&s->mutex);
    *out = s->stats;
    pthread_mutex_unlock(&s->mutex);
    return LOCHAN_OK;
}
