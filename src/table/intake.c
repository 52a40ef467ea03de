/* intake.c - see intake.h.
 * Rows carry hidden columns behind the table's own: their partition, for exact deduplication their
 * hash, and their place in the plan. A run is sorted by partition, the table's order and these;
 * sixteen runs of one level are merged into one of the next, so that few are open at a time. May
 * call: base/, arrow/, run_file.h.
 */
#include "table/intake.h"

#include "arrow/builder.h"
#include "base/hash.h"
#include "table/run_file.h"

enum { RUNS_OF_LEVEL = 16, HIDDEN_MAX = 4 };

typedef struct lochan_duplicates {
    int64_t spilled, merged;
} lochan_duplicates;

struct lochan_intake {
    pthread_mutex_t mutex; /* taken before the write's */
    struct ArrowSchema schema;
    int n_own; /* columns of the table */
    int partition, place;
    int hash[2]; /* -1: no exact deduplication */
    lochan_sort_key *keys;
    lochan_run_order order;
    char *folder;
    struct ArrowArray *pending;
    size_t n_pending, cap_pending;
    size_t held, most; /* bytes of pending rows, taken from the budget; where they are spilled */
    int64_t rows;
    lochan_run **runs;
    size_t n_runs, cap_runs;
    lochan_duplicates *duplicates; /* by partition */
    size_t n_duplicates;
    bool closed;
};

/* ---- making it ---- */

static lochan_status make_schema(lochan_intake *in, const lochan_write *w, lochan_error *err) {
    static const char *const names[] = {"lochan:partition", "lochan:hash_low", "lochan:hash_high",
                                        "lochan:place"};
    const struct ArrowSchema *own = &w->base.schema;
    bool exact = w->options.dedup == LOCHAN_DEDUP_EXACT;
    int n = (int)own->n_children;
    in->n_own = n;
    LOCHAN_TRY(lochan_schema__init_struct(&in->schema, n + (exact ? 4 : 2), err));
    for (int i = 0; i < n; i++)
        LOCHAN_TRY(lochan_schema__dup(own->children[i], in->schema.children[i], err));
    in->partition = n;
    in->hash[0] = exact ? n + 1 : -1;
    in->hash[1] = exact ? n + 2 : -1;
    in->place = n + (exact ? 3 : 1);
    for (int i = 0; i < HIDDEN_MAX; i++) {
        int at = n + (exact || i == 0 ? i : i - 2);
        lochan_type type = {.id = i == 0 ? LOCHAN_TYPE_INT32 : LOCHAN_TYPE_INT64};
        if (exact || i == 0 || i == 3)
            LOCHAN_TRY(
                lochan_schema__set_field(in->schema.children[at], names[i], &type, false, err));
    }
    /* ids of columns mean nothing in a run, and the hidden ones have none */
    for (int i = 0; i < in->schema.n_children; i++)
        LOCHAN_TRY(lochan_schema__set_field_id(in->schema.children[i], i + 1, err));
    return LOCHAN_OK;
}

static lochan_status find_order_column(const lochan_write *w, int *out, lochan_error *err) {
    lochan_type type;
    const char *name = w->options.order_column;
    *out = -1;
    if (!name || w->options.dedup != LOCHAN_DEDUP_LAST || !w->keyed)
        return LOCHAN_OK;
    *out = lochan_schema__find(&w->base.schema, name);
    if (*out >= 0)
        LOCHAN_TRY(lochan_type__parse(w->base.schema.children[*out]->format, &type, err));
    if (*out < 0 || !lochan_keycode__supports(&type)) {
        lochan_status rc = lochan_error__set(
            err, LOCHAN_ERR_SCHEMA, "column '%s' cannot order rows of one key: %s", name,
            *out < 0 ? "it is not there" : "its type has no order");
        return lochan_error__in_table(err, rc, w->table->full_name, name, -1);
    }
    return LOCHAN_OK;
}

static lochan_status make_order(lochan_intake *in, const lochan_write *w, lochan_error *err) {
    const lochan_table *t = w->table;
    size_t n = 0;
    int order_column;
    LOCHAN_TRY(find_order_column(w, &order_column, err));
    in->keys = lochan_mem__array(t->n_order + 5, sizeof *in->keys);
    if (!in->keys)
        return lochan_error__nomem(err);
    in->keys[n++] = (lochan_sort_key){.column = in->partition};
    for (size_t i = 0; i < t->n_order; i++)
        in->keys[n++] = t->order[i];
    in->order.n_same = w->keyed && w->options.dedup == LOCHAN_DEDUP_LAST ? n : 0;
    if (order_column >= 0)
        in->keys[n++] = (lochan_sort_key){.column = order_column, .nulls_first = true};
    if (in->hash[0] >= 0) {
        in->keys[n++] = (lochan_sort_key){.column = in->hash[0]};
        in->keys[n++] = (lochan_sort_key){.column = in->hash[1]};
        in->order.n_same = n;
    }
    in->keys[n++] = (lochan_sort_key){.column = in->place};
    in->order.keys = in->keys;
    in->order.n_keys = n;
    return LOCHAN_OK;
}

static lochan_status create(const lochan_write *w, lochan_intake **out, lochan_error *err) {
    enum { MOST = 64 << 20, LEAST = 1 << 20 };
    lochan_status rc = LOCHAN_OK;
    const lochan_budget *budget = w->lake->ctx.budget;
    lochan_intake *in = lochan_mem__zalloc(sizeof *in);
    *out = NULL;
    if (!in)
        return lochan_error__nomem(err);
    pthread_mutex_init(&in->mutex, NULL);
    in->most = budget && budget->limit > 0 ? budget->limit / 8 : MOST;
    in->most = in->most > MOST ? MOST : in->most < LEAST ? LEAST : in->most;
    LOCHAN_TRYG(make_schema(in, w, err));
    LOCHAN_TRYG(make_order(in, w, err));
    in->folder = lochan_path__join(w->lake->path, "data/staging");
    if (!in->folder)
        rc = lochan_error__nomem(err);
    *out = in;
    in = NULL;
done:
    lochan_intake__free(in);
    return rc;
}

static void drop_pending(lochan_intake *in, lochan_budget *budget) {
    for (size_t i = 0; i < in->n_pending; i++)
        lochan_array__release(&in->pending[i]);
    in->n_pending = 0;
    lochan_budget__give(budget, in->held);
    in->held = 0;
}

void lochan_intake__free(lochan_intake *in) {
    if (!in)
        return;
    for (size_t i = 0; i < in->n_pending; i++)
        lochan_array__release(&in->pending[i]);
    for (size_t i = 0; i < in->n_runs; i++)
        lochan_run__free(in->runs[i]);
    lochan_mem__free(in->pending);
    lochan_mem__free(in->runs);
    lochan_mem__free(in->duplicates);
    lochan_mem__free(in->keys);
    lochan_mem__free(in->folder);
    lochan_schema__release(&in->schema);
    pthread_mutex_destroy(&in->mutex);
    lochan_mem__free(in);
}

/* ---- runs ---- */

static lochan_status push_run(lochan_intake *in, lochan_run *run, lochan_error *err) {
    lochan_run **runs = lochan_mem__grow(in->runs, in->n_runs, &in->cap_runs, sizeof *runs);
    if (!runs) {
        lochan_run__free(run);
        return lochan_error__nomem(err);
    }
    in->runs = runs;
    runs[in->n_runs++] = run;
    return LOCHAN_OK;
}

static lochan_status grow_duplicates(lochan_intake *in, size_t partitions, lochan_error *err) {
    if (partitions <= in->n_duplicates)
        return LOCHAN_OK;
    lochan_duplicates *list = lochan_mem__realloc(in->duplicates, 2 * partitions * sizeof *list);
    if (!list)
        return lochan_error__nomem(err);
    memset(list + in->n_duplicates, 0, (2 * partitions - in->n_duplicates) * sizeof *list);
    in->duplicates = list;
    in->n_duplicates = 2 * partitions;
    return LOCHAN_OK;
}

/* What a run lost of each partition when its rows were settled: rows before less rows after. */
static void count_spilled(lochan_intake *in, const lochan_run *run, int sign) {
    for (size_t i = 0; i < run->n_parts; i++)
        in->duplicates[run->parts[i].partition].spilled +=
            sign * (run->parts[i].to - run->parts[i].from);
}

/* Merges runs [from, n_runs) into one of a higher level, in their place. */
static lochan_status join_runs(lochan_intake *in, const lochan_ctx *ctx, size_t from,
                               lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    size_t n = in->n_runs - from;
    lochan_run_merge *merge = NULL;
    lochan_run *joined = NULL;
    struct ArrowArrayStream *streams = lochan_mem__array(n, sizeof *streams);
    if (!streams)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < n; i++)
        LOCHAN_TRYG(lochan_run__rows(in->runs[from + i], &in->schema, 0, in->runs[from + i]->rows,
                                     &streams[i], err));
    LOCHAN_TRYG(lochan_run_merge__create(&in->schema, &in->order, streams, n, &merge, err));
    LOCHAN_TRYG(
        lochan_run__write(ctx, in->folder, &in->schema, in->partition, merge, &joined, err));
    joined->level = in->runs[from]->level + 1;
    for (size_t i = from; i < in->n_runs; i++) {
        count_spilled(in, in->runs[i], 1);
        lochan_run__free(in->runs[i]);
    }
    count_spilled(in, joined, -1);
    in->runs[from] = joined;
    in->n_runs = from + 1;
done:
    for (size_t i = 0; i < n; i++)
        lochan_stream__release(&streams[i]);
    lochan_mem__free(streams);
    lochan_run_merge__free(merge);
    return rc;
}

/* Pending rows as one sorted array; they are gone afterwards. */
static lochan_status sort_pending(lochan_intake *in, lochan_budget *budget, struct ArrowArray *out,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray all = {0};
    int64_t *rows = NULL;
    const struct ArrowArray **batches = lochan_mem__array(in->n_pending + 1, sizeof *batches);
    if (!batches)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < in->n_pending; i++)
        batches[i] = &in->pending[i];
    LOCHAN_TRYG(lochan_concat(&in->schema, batches, in->n_pending, &all, err));
    drop_pending(in, budget);
    LOCHAN_TRYG(lochan_sort_indices(&in->schema, &all, in->keys, in->order.n_keys, &rows, err));
    LOCHAN_TRYG(lochan_take(&in->schema, &all, rows, (size_t)all.length, out, err));
done:
    lochan_array__release(&all);
    lochan_mem__free(rows);
    lochan_mem__free((void *)batches);
    return rc;
}

/* The pending rows become a run in memory, or in a file. */
static lochan_status end_pending(lochan_intake *in, const lochan_ctx *ctx, bool spill,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray sorted = {0};
    lochan_run *memory = NULL, *run = NULL;
    lochan_run_merge *merge = NULL;
    struct ArrowArrayStream stream = {0};
    if (in->n_pending == 0)
        return LOCHAN_OK;
    LOCHAN_TRYG(sort_pending(in, ctx->budget, &sorted, err));
    LOCHAN_TRYG(lochan_run__of_memory(&sorted, in->partition, &memory, err));
    if (!spill) {
        rc = push_run(in, memory, err);
        memory = NULL;
        goto done;
    }
    LOCHAN_TRYG(lochan_run__rows(memory, &in->schema, 0, memory->rows, &stream, err));
    LOCHAN_TRYG(lochan_run_merge__create(&in->schema, &in->order, &stream, 1, &merge, err));
    LOCHAN_TRYG(lochan_run__write(ctx, in->folder, &in->schema, in->partition, merge, &run, err));
    count_spilled(in, memory, 1);
    count_spilled(in, run, -1);
    LOCHAN_TRYG(push_run(in, run, err));
    for (size_t from = in->n_runs; from >= RUNS_OF_LEVEL;) {
        from = in->n_runs - RUNS_OF_LEVEL;
        if (in->runs[from]->level != in->runs[in->n_runs - 1]->level)
            break;
        LOCHAN_TRYG(join_runs(in, ctx, from, err));
        from = in->n_runs;
    }
done:
    lochan_array__release(&sorted);
    lochan_stream__release(&stream);
    lochan_run_merge__free(merge);
    lochan_run__free(memory);
    return rc;
}

/* ---- adding ---- */

/* What rows hold in memory: fixed widths, the bytes of texts, and 32 for everything else. */
static size_t bytes_of(const struct ArrowSchema *schema, const struct ArrowArray *rows) {
    size_t bytes = 0, n = (size_t)rows->length;
    for (int64_t i = 0; i < schema->n_children; i++) {
        lochan_type type;
        const struct ArrowArray *c = rows->children[i];
        bool known = lochan_type__parse(schema->children[i]->format, &type, NULL) == LOCHAN_OK;
        int bits = known ? lochan_type__bit_width(&type) : 0;
        if (bits > 0) {
            bytes += n * (size_t)(bits + 7) / 8;
        } else if (known && n > 0 &&
                   (type.id == LOCHAN_TYPE_STRING || type.id == LOCHAN_TYPE_BINARY)) {
            const int32_t *offsets = c->buffers[1];
            bytes += n * 4 + (size_t)(offsets[c->offset + c->length] - offsets[c->offset]);
        } else {
            bytes += n * 32;
        }
    }
    return bytes;
}

static lochan_status int_column(const struct ArrowSchema *field, const void *values, size_t width,
                                int64_t n, struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_builder *b = NULL;
    LOCHAN_TRYG(lochan_builder__create(field, &b, err));
    LOCHAN_TRYG(lochan_builder__append_values(b, values, width, NULL, n, err));
    LOCHAN_TRYG(lochan_builder__finish(b, out, err));
done:
    lochan_builder__free(b);
    return rc;
}

static lochan_status hash_columns(const lochan_intake *in, const lochan_write *w,
                                  const struct ArrowArray *rows, struct ArrowArray *out,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    size_t n = (size_t)rows->length, n_columns = 0;
    int *columns = lochan_mem__array((size_t)in->n_own + 1, sizeof *columns);
    lochan_hash128 *hashes = lochan_mem__array(n + 1, sizeof *hashes);
    uint64_t *half = lochan_mem__array(n + 1, sizeof *half);
    if (!columns || !hashes || !half) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (int c = 0; c < in->n_own; c++) {
        if (c != w->table->known_at)
            columns[n_columns++] = c;
    }
    LOCHAN_TRYG(lochan_hash_rows(&w->base.schema, rows, columns, n_columns, hashes, err));
    for (int h = 0; h < 2; h++) {
        for (size_t i = 0; i < n; i++)
            half[i] = h == 0 ? hashes[i].lo : hashes[i].hi;
        LOCHAN_TRYG(int_column(in->schema.children[in->hash[h]], half, sizeof *half, rows->length,
                               out->children[in->hash[h]], err));
    }
done:
    lochan_mem__free(columns);
    lochan_mem__free(hashes);
    lochan_mem__free(half);
    return rc;
}

/* Adds the hidden columns. Takes rows of the table's schema; *out shares their memory. */
static lochan_status dress(lochan_intake *in, const lochan_write *w, struct ArrowArray *rows,
                           const uint32_t *partitions, uint64_t place, struct ArrowArray *out,
                           lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    int64_t n = rows->length;
    uint64_t *places = lochan_mem__array((size_t)n + 1, sizeof *places);
    lochan_shared *shared = NULL;
    memset(out, 0, sizeof *out);
    if (!places) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (int64_t i = 0; i < n; i++)
        places[i] = place;
    LOCHAN_TRYG(lochan_array__init(out, 1, in->schema.n_children, err));
    if (in->hash[0] >= 0)
        LOCHAN_TRYG(hash_columns(in, w, rows, out, err));
    LOCHAN_TRYG(int_column(in->schema.children[in->partition], partitions, sizeof *partitions, n,
                           out->children[in->partition], err));
    LOCHAN_TRYG(int_column(in->schema.children[in->place], places, sizeof *places, n,
                           out->children[in->place], err));
    shared = lochan_shared__give(rows);
    if (!shared) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (int c = 0; c < in->n_own; c++)
        LOCHAN_TRYG(lochan_shared__child(shared, c, out->children[c], err));
    out->length = n;
done:
    lochan_array__release(rows);
    lochan_shared__unref(shared);
    lochan_mem__free(places);
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    return rc;
}

/* Holds a copy of the rows; spills first what is held, or afterwards, where memory ends. */
static lochan_status hold(lochan_intake *in, const lochan_ctx *ctx, const struct ArrowArray *rows,
                          lochan_error *err) {
    size_t bytes = bytes_of(&in->schema, rows);
    struct ArrowArray copy = {0};
    const struct ArrowArray *only = rows;
    if (!lochan_budget__try_take(ctx->budget, bytes)) {
        LOCHAN_TRY(end_pending(in, ctx, true, err));
        LOCHAN_TRY(lochan_budget__take(ctx->budget, bytes, "new rows of an update", err));
    }
    in->held += bytes;
    LOCHAN_TRY(lochan_concat(&in->schema, &only, 1, &copy, err));
    struct ArrowArray *pending =
        lochan_mem__grow(in->pending, in->n_pending, &in->cap_pending, sizeof *pending);
    if (!pending) {
        lochan_array__release(&copy);
        return lochan_error__nomem(err);
    }
    in->pending = pending;
    lochan_array__move(&copy, &pending[in->n_pending++]);
    in->rows += rows->length;
    return in->held > in->most ? end_pending(in, ctx, true, err) : LOCHAN_OK;
}

static lochan_status add(lochan_write *w, lochan_intake *in, uint64_t place,
                         const struct ArrowArray *batch, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray lent = lochan_array__lend(batch), rows = {0}, dressed = {0};
    uint32_t *ids = lochan_mem__array((size_t)batch->length + 1, sizeof *ids);
    if (!ids)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_write__partition_of(w, batch, ids, err));
    LOCHAN_TRYG(lochan_projection__apply(&w->input, &lent, &rows, err));
    LOCHAN_TRYG(lochan_write__fill_derived(w, &rows, err));
    LOCHAN_TRYG(grow_duplicates(in, lochan_write__partitions(w), err));
    LOCHAN_TRYG(dress(in, w, &rows, ids, place, &dressed, err));
    LOCHAN_TRYG(hold(in, &w->lake->ctx, &dressed, err));
done:
    lochan_array__release(&rows);
    lochan_array__release(&dressed);
    lochan_mem__free(ids);
    return rc;
}

/* Batches come from several threads: those after the first failure are told of it, too. */
static lochan_status fail(lochan_write *w, lochan_status rc, lochan_error *err) {
    lochan_error__in_table(err, rc, w->table->full_name, NULL, -1);
    pthread_mutex_lock(&w->mutex);
    w->failed = true;
    if (w->failure.code == LOCHAN_OK && err)
        w->failure = *err;
    pthread_mutex_unlock(&w->mutex);
    return rc;
}

static lochan_status begin_add(lochan_write *w, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    bool created = true;
    pthread_mutex_lock(&w->mutex);
    if (w->failure.code != LOCHAN_OK) {
        rc = w->failure.code;
        if (err)
            *err = w->failure;
    } else if (w->failed || w->published) {
        rc = lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                               "the rows of %s are being merged already", w->table->full_name);
    } else if (!w->intake) {
        rc = create(w, &w->intake, err);
        created = rc == LOCHAN_OK;
    }
    pthread_mutex_unlock(&w->mutex);
    return created ? rc : fail(w, rc, err);
}

lochan_status lochan_write__add(lochan_write *w, uint64_t place, const struct ArrowArray *batch,
                                lochan_error *err) {
    lochan_status rc = begin_add(w, err);
    if (rc != LOCHAN_OK)
        return lochan_error__in_table(err, rc, w->table->full_name, NULL, -1);
    lochan_intake *in = w->intake;
    pthread_mutex_lock(&in->mutex);
    bool closed = in->closed;
    if (closed)
        rc = lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                               "the rows of %s are being merged already", w->table->full_name);
    else if (batch->length > 0)
        rc = add(w, in, place, batch, err);
    if (rc != LOCHAN_OK && !closed)
        fail(w, rc, err);
    pthread_mutex_unlock(&in->mutex);
    return lochan_error__in_table(err, rc, w->table->full_name, NULL, -1);
}

lochan_status lochan_intake__close(lochan_write *w, lochan_error *err) {
    lochan_intake *in = w->intake;
    if (!in)
        return LOCHAN_OK;
    pthread_mutex_lock(&in->mutex);
    in->closed = true;
    lochan_status rc = end_pending(in, &w->lake->ctx, false, err);
    if (rc == LOCHAN_OK)
        rc = grow_duplicates(in, lochan_write__partitions(w), err);
    pthread_mutex_unlock(&in->mutex);
    return rc;
}

void lochan_intake__figures(lochan_write *w, lochan_intake_figures *out) {
    lochan_intake *in = w->intake;
    memset(out, 0, sizeof *out);
    if (!in)
        return;
    pthread_mutex_lock(&in->mutex);
    out->rows = in->rows;
    out->memory_bytes = in->held;
    for (size_t i = 0; i < in->n_runs; i++)
        out->spilled_bytes += in->runs[i]->bytes;
    pthread_mutex_unlock(&in->mutex);
}

/* ---- handing out ---- */

typedef struct intake_stream {
    lochan_write *w;
    uint32_t partition;
    lochan_run_merge *merge;
} intake_stream;

static void free_stream(void *state) {
    intake_stream *s = state;
    lochan_run_merge__free(s->merge);
    lochan_mem__free(s);
}

/* Without the hidden columns. */
static lochan_status next_rows(void *state, struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    intake_stream *s = state;
    lochan_intake *in = s->w->intake;
    struct ArrowArray rows = {0};
    lochan_shared *shared = NULL;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_run_merge__next(s->merge, &rows, err));
    in->duplicates[s->partition].merged = lochan_run_merge__dropped(s->merge);
    if (!rows.release)
        return LOCHAN_OK;
    int64_t n = rows.length;
    shared = lochan_shared__give(&rows);
    if (!shared)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_array__init(out, 1, in->n_own, err));
    for (int c = 0; c < in->n_own; c++)
        LOCHAN_TRYG(lochan_shared__child(shared, c, out->children[c], err));
    out->length = n;
done:
    lochan_shared__unref(shared);
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    return rc;
}

lochan_status lochan_intake__stream(lochan_write *w, uint32_t partition,
                                    struct ArrowArrayStream *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_intake *in = w->intake;
    size_t n = 0;
    struct ArrowSchema schema = {0};
    intake_stream *s = lochan_mem__zalloc(sizeof *s);
    struct ArrowArrayStream *streams = lochan_mem__array(in->n_runs + 1, sizeof *streams);
    memset(out, 0, sizeof *out);
    if (!s || !streams) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    s->w = w;
    s->partition = partition;
    for (size_t i = 0; i < in->n_runs; i++) {
        const lochan_run_part *part = lochan_run__part(in->runs[i], partition);
        if (part)
            LOCHAN_TRYG(lochan_run__rows(in->runs[i], &in->schema, part->from, part->to,
                                         &streams[n++], err));
    }
    LOCHAN_TRYG(lochan_run_merge__create(&in->schema, &in->order, streams, n, &s->merge, err));
    LOCHAN_TRYG(lochan_schema__dup(&w->base.schema, &schema, err));
    rc = lochan_stream__make(&schema, next_rows, free_stream, s, out, err);
    s = NULL;
done:
    for (size_t i = 0; streams && i < n; i++)
        lochan_stream__release(&streams[i]);
    lochan_mem__free(streams);
    if (s)
        free_stream(s);
    return rc;
}

int64_t lochan_intake__duplicates(lochan_write *w, uint32_t partition) {
    const lochan_intake *in = w->intake;
    if (!in || partition >= in->n_duplicates)
        return 0;
    return in->duplicates[partition].spilled + in->duplicates[partition].merged;
}

bool lochan_intake__is_large(lochan_write *w, uint32_t partition) {
    const lochan_intake *in = w->intake;
    int64_t rows = 0;
    for (size_t i = 0; in && i < in->n_runs; i++) {
        const lochan_run_part *part = lochan_run__part(in->runs[i], partition);
        rows += part ? part->to - part->from : 0;
    }
    return in && (uint64_t)rows * 16 * (uint64_t)in->n_own > in->most;
}
