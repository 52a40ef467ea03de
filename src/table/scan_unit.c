/* scan_unit.c - see scan_unit.h.
 * Invariant: rows of a file become rows of the output here and nowhere else. May call: base/,
 * arrow/, parquet/.
 */
#include "table/scan_unit.h"

#include "arrow/view.h"
#include "table/scan_leaf.h"

/* Below it reading all of a file costs less than asking for its parts one by one. */
enum { WHOLE_FILE_BYTES = 32 << 10 };

static bool is_read_whole(const lochan_data_file *file) {
    return file->bytes >= 0 && file->bytes <= WHOLE_FILE_BYTES;
}

/* ---- files ---- */

void lochan_scan_file__unref(lochan_scan_shared *s, lochan_scan_file *f) {
    if (!f)
        return;
    pthread_mutex_lock(&s->mutex);
    bool last = --f->refs == 0;
    if (last && f->reader) {
        lochan_pq_counters c;
        lochan_pq_reader__counters(f->reader, &c);
        s->stats.bytes_read += is_read_whole(f->file) ? f->file->bytes : (int64_t)c.bytes_read;
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

lochan_scan_file *lochan_scan_file__ref(lochan_scan_shared *s, lochan_scan_file *f) {
    pthread_mutex_lock(&s->mutex);
    f->refs++;
    pthread_mutex_unlock(&s->mutex);
    return f;
}

/* The predicate names columns of the table; the reader can apply it if the file has them under the
 * same names and types. */
static bool can_push(const lochan_scan_shared *s, const lochan_data_file *data_file,
                     const struct ArrowSchema *file) {
    const lochan_expr *e = s->plan.where;
    const struct ArrowSchema *table = &s->plan.table->def.schema;
    if (!e || s->plan.where_known_at)
        return false;
    for (size_t i = 0; i < lochan_expr__columns(e); i++) {
        const char *name = lochan_expr__column(e, i);
        lochan_leaf t = lochan_leaf__find(table, name), f = lochan_leaf__find(file, name);
        if (f.depth == 0 || t.depth != f.depth || !lochan_field__same_type(t.field, f.field))
            return false;
        int32_t id = lochan_schema__field_id(f.field);
        if (data_file->mapping
                ? lochan_data_file__column_id(data_file, file->children[f.child[0]]) !=
                      lochan_schema__field_id(table->children[t.child[0]])
                : id >= 0 && id != lochan_schema__field_id(t.field))
            return false;
    }
    return true;
}

/* Decides which columns of the file are decoded. */
static lochan_status map_columns(lochan_scan_shared *s, lochan_scan_file *f, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const struct ArrowSchema *file = lochan_pq_reader__schema(f->reader);
    struct ArrowSchema decoded = *file; /* the fields are lent */
    lochan_projection all = {0};
    size_t most = (size_t)s->plan.work.n_children + 1;
    f->columns = lochan_mem__array(most, sizeof *f->columns);
    decoded.children = lochan_mem__array(most, sizeof *decoded.children);
    if (!f->columns || !decoded.children) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    f->push = can_push(s, f->file, file);
    LOCHAN_TRYG(lochan_data_file__project(f->file, file, &s->plan.work, &all, err));
    /* What only the predicate needs is not decoded twice if the reader applies it. */
    size_t needed = f->push ? s->plan.n_needed : s->plan.n_columns;
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
    for (size_t i = 0; i < f->n_columns; i++)
        decoded.children[i] = file->children[f->columns[i]];
    decoded.n_children = (int64_t)f->n_columns;
    LOCHAN_TRYG(lochan_data_file__project(f->file, &decoded, f->push ? &s->needed : &s->plan.work,
                                          &f->projection, err));
done:
    lochan_projection__deinit(&all);
    lochan_mem__free((void *)decoded.children);
    return lochan_error__in_file(err, rc, f->file->path, -1);
}

lochan_status lochan_scan_file__open(lochan_scan_shared *s, const lochan_data_file *file,
                                     lochan_scan_file **out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    *out = NULL;
    lochan_scan_file *f = lochan_mem__zalloc(sizeof *f);
    if (!f)
        return lochan_error__nomem(err);
    f->refs = 1;
    f->file = file;
    if (is_read_whole(file))
        LOCHAN_TRYG(lochan_data_file__open_whole(s->plan.lake, file, &f->reader, err));
    else
        LOCHAN_TRYG(lochan_data_file__open(s->plan.lake, file, &f->reader, err));
    LOCHAN_TRYG(map_columns(s, f, err));
    *out = f;
    f = NULL;
done:
    lochan_scan_file__unref(s, f);
    return rc;
}

/* ---- units ---- */

lochan_scan_unit *lochan_scan_unit__create(lochan_scan_shared *s, lochan_scan_file *file,
                                           int row_group, const lochan_data_file *small) {
    lochan_scan_unit *u = lochan_mem__zalloc(sizeof *u);
    if (!u)
        return NULL;
    u->shared = s;
    u->file = file ? lochan_scan_file__ref(s, file) : NULL;
    u->row_group = row_group;
    u->small = small;
    return u;
}

/* Clears the bits of rows that were published after the limit. */
static lochan_status clear_later(const lochan_scan_plan *p, const struct ArrowArray *rows,
                                 uint8_t *bits, lochan_error *err) {
    lochan_view view = {0};
    LOCHAN_TRY(
        lochan_view__init(&view, p->work.children[p->known_at], rows->children[p->known_at], err));
    for (int64_t i = 0; i < rows->length; i++) {
        if (lochan_view__is_null(&view, i) || lochan_view__int64(&view, i) > p->known_limit)
            bits[i / 8] &= (uint8_t) ~(1u << i % 8);
    }
    lochan_view__deinit(&view);
    return LOCHAN_OK;
}

/* The rows that are wanted, with the columns that are. `rows` has the columns of plan.work, or of
 * `needed` where the reader has applied the predicate. */
static lochan_status pick_rows(lochan_scan_shared *s, const lochan_scan_file *f,
                               const struct ArrowArray *rows, struct ArrowArray *out,
                               lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const lochan_scan_plan *p = &s->plan;
    const struct ArrowSchema *schema = f->push ? &s->needed : &p->work;
    struct ArrowArray picked = {0};
    lochan_projection trim = {0};
    size_t n = (size_t)rows->length / 8 + 1;
    int64_t kept;
    uint8_t *bits = lochan_mem__zalloc(n);
    if (!bits)
        return lochan_error__nomem(err);
    if (p->where && !f->push)
        LOCHAN_TRYG(lochan_leaf__apply(&p->work, rows, p->where, bits, &kept, err));
    else
        memset(bits, 0xff, n);
    if (p->known_limited)
        LOCHAN_TRYG(clear_later(p, rows, bits, err));
    LOCHAN_TRYG(lochan_filter(schema, rows, bits, &picked, err));
    LOCHAN_TRYG(lochan_projection__init(&trim, schema, &s->output, LOCHAN_BY_NAME, err));
    LOCHAN_TRYG(lochan_projection__apply(&trim, &picked, out, err));
done:
    lochan_mem__free(bits);
    lochan_projection__deinit(&trim);
    lochan_array__release(&picked);
    return rc;
}

/* Rows of the file as rows of the output. Takes *raw. */
static lochan_status finish_batch(lochan_scan_shared *s, lochan_scan_file *f,
                                  struct ArrowArray *raw, struct ArrowArray *out,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray work = {0}, filled = {0};
    const lochan_scan_plan *p = &s->plan;
    LOCHAN_TRYG(lochan_projection__apply(&f->projection, raw, &work, err));
    int known_at =
        p->known_at >= 0 && (size_t)p->known_at < (size_t)work.n_children ? p->known_at : -1;
    LOCHAN_TRYG(
        lochan_known_at__fill(&p->work, known_at, f->file->published_ns, &work, &filled, err));
    if ((f->push || !p->where) && !p->known_limited)
        lochan_array__move(&filled, out);
    else
        LOCHAN_TRYG(pick_rows(s, f, &filled, out, err));
done:
    lochan_array__release(&work);
    lochan_array__release(&filled);
    return lochan_error__in_file(err, rc, f->file->path, -1);
}

static lochan_status open_stream(lochan_scan_unit *u, lochan_error *err) {
    lochan_scan_shared *s = u->shared;
    if (!u->file)
        LOCHAN_TRY(lochan_scan_file__open(s, u->small, &u->file, err));
    lochan_scan_file *f = u->file;
    lochan_pq_scan what = {.columns = f->columns,
                           .n_columns = f->n_columns,
                           .predicate = f->push ? s->plan.where : NULL,
                           .batch_rows = s->batch_rows};
    if (u->row_group >= 0) {
        what.row_groups = &u->row_group;
        what.n_row_groups = 1;
    }
    return lochan_pq_reader__stream(f->reader, &what, &u->stream, err);
}

/* Reads on until a batch has rows. */
static lochan_status pull(lochan_scan_unit *u, struct ArrowArray *out, lochan_error *err) {
    struct ArrowArray raw = {0};
    memset(out, 0, sizeof *out);
    if (!u->stream.release)
        LOCHAN_TRY(open_stream(u, err));
    while (!out->release && !u->shared->stopped) {
        LOCHAN_TRY(lochan_cancel__check(u->shared->plan.lake->ctx.cancel, err));
        LOCHAN_TRY(lochan_stream__next(&u->stream, &raw, err));
        if (!raw.release)
            break;
        LOCHAN_TRY(finish_batch(u->shared, u->file, &raw, out, err));
        if (out->length == 0)
            lochan_array__release(out);
    }
    return LOCHAN_OK;
}

static lochan_status push_batch(lochan_scan_unit *u, struct ArrowArray *batch, lochan_error *err) {
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

static lochan_status unit_task(void *ctx, size_t index, lochan_error *err) {
    lochan_scan_unit *u = ctx;
    lochan_status rc = LOCHAN_OK;
    (void)index;
    while (!u->shared->stopped) {
        struct ArrowArray batch;
        LOCHAN_TRYG(pull(u, &batch, err));
        if (!batch.release)
            break;
        LOCHAN_TRYG(push_batch(u, &batch, err));
    }
done:
    lochan_stream__release(&u->stream);
    return rc;
}

lochan_status lochan_scan_unit__submit(lochan_scan_unit *u, lochan_error *err) {
    LOCHAN_TRY(lochan_group__create(u->shared->plan.lake->ctx.pool, &u->group, err));
    return lochan_group__submit(u->group, unit_task, u, 0, err);
}

/* The task ran out of memory while it collected: what it has is dropped, and read again batch by
 * batch. */
static void pull_instead(lochan_scan_unit *u) {
    lochan_group__free(u->group);
    u->group = NULL;
    for (; u->n > 0; u->n--)
        lochan_array__release(&u->batches[u->n - 1]);
    lochan_budget__give(u->shared->plan.lake->ctx.budget, u->budget);
    u->budget = 0;
}

lochan_status lochan_scan_unit__next(lochan_scan_unit *u, struct ArrowArray *out,
                                     lochan_error *err) {
    lochan_error seen;
    memset(out, 0, sizeof *out);
    if (!u->group)
        return pull(u, out, err);
    lochan_status rc = lochan_group__wait(u->group, &seen);
    if (rc == LOCHAN_ERR_MEMORY_LIMIT && u->at == 0) {
        pull_instead(u);
        return pull(u, out, err);
    }
    if (rc != LOCHAN_OK) {
        if (err)
            *err = seen;
        return rc;
    }
    if (u->at < u->n)
        lochan_array__move(&u->batches[u->at++], out);
    return LOCHAN_OK;
}

void lochan_scan_unit__free(lochan_scan_unit *u) {
    if (!u)
        return;
    lochan_group__free(u->group);
    for (size_t i = u->at; i < u->n; i++)
        lochan_array__release(&u->batches[i]);
    lochan_mem__free(u->batches);
    lochan_stream__release(&u->stream);
    lochan_scan_file__unref(u->shared, u->file);
    lochan_budget__give(u->shared->plan.lake->ctx.budget, u->budget);
    lochan_mem__free(u);
}

size_t lochan_scan__bytes(const lochan_scan_shared *s, int64_t rows) {
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
