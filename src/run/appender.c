/* appender.c - many small appends buffered into few commits.
 *
 * Rows are checked and brought into the table's shape when they come, so that bad ones are refused
 * to whoever brought them; they wait as batches, one list for each set of columns. A flush takes
 * the whole buffer, unites the columns and appends it with a token of its own, so that a commit
 * whose answer was lost is found when the flush is tried again.
 *
 * Invariants: what is buffered was taken from the lake's budget; rows of a failed flush go before
 * later ones. Lock: the appender's mutex, held while it appends too. May call: base/, arrow/,
 * table/, own.h.
 */
#include "run/own.h"

#include "arrow/kernels.h"
#include "arrow/spans.h"
#include "base/clock.h"
#include "base/mem.h"
#include "table/projection.h"

/* Small batches are joined when there are so many of them. */
enum { MOST_BATCHES = 64, DEFAULT_ROWS = 100000 };

/* Rows with the same columns. */
typedef struct group {
    struct ArrowSchema schema; /* of the table, without run_id */
    struct ArrowArray *batches;
    size_t n, cap;
    size_t small; /* the last so many batches may be joined */
} group;

typedef struct buffer {
    group *groups;
    size_t n, cap;
    int64_t rows, bytes;
    int64_t tick_min, tick_max;
    char token[37]; /* "" until it was tried */
} buffer;

struct lochan_run_appender {
    lochan_run *run;
    char *table;
    lochan_append_options append;
    int64_t most_rows, most_bytes, most_ticks; /* INT64_MAX = no threshold */
    pthread_mutex_t mutex;
    buffer filling, failed; /* rows that come; rows of a flush that failed */
    int64_t appended, commits;
};

/* ---- buffers ---- */

static void group_deinit(group *g) {
    for (size_t i = 0; i < g->n; i++)
        lochan_array__release(&g->batches[i]);
    lochan_mem__free(g->batches);
    lochan_schema__release(&g->schema);
}

static void buffer_clear(lochan_run_appender *a, buffer *b) {
    for (size_t i = 0; i < b->n; i++)
        group_deinit(&b->groups[i]);
    lochan_mem__free(b->groups);
    lochan_budget__give(a->run->lake->ctx.budget, (size_t)b->bytes);
    *b = (buffer){.tick_min = INT64_MAX, .tick_max = INT64_MIN};
}

static bool same_columns(const struct ArrowSchema *a, const struct ArrowSchema *b) {
    if (a->n_children != b->n_children)
        return false;
    for (int64_t i = 0; i < a->n_children; i++)
        if (strcmp(a->children[i]->name, b->children[i]->name) != 0 ||
            !lochan_field__same_type(a->children[i], b->children[i]))
            return false;
    return true;
}

/* The group for rows of this schema; takes the schema. */
static lochan_status find_group(buffer *b, struct ArrowSchema *schema, group **out,
                                lochan_error *err) {
    for (size_t i = 0; i < b->n; i++)
        if (same_columns(&b->groups[i].schema, schema)) {
            lochan_schema__release(schema);
            *out = &b->groups[i];
            return LOCHAN_OK;
        }
    group *more = lochan_mem__grow(b->groups, b->n, &b->cap, sizeof *more);
    if (!more) {
        lochan_schema__release(schema);
        return lochan_error__nomem(err);
    }
    b->groups = more;
    *out = &more[b->n++];
    memset(*out, 0, sizeof **out);
    lochan_schema__move(schema, &(*out)->schema);
    return LOCHAN_OK;
}

/* Many batches of few rows cost more than their rows. */
static lochan_status join_small(group *g, lochan_error *err) {
    struct ArrowArray joined = {0};
    const struct ArrowArray *list[MOST_BATCHES];
    size_t from = g->n - g->small;
    if (g->small < MOST_BATCHES)
        return LOCHAN_OK;
    for (size_t i = 0; i < g->small; i++)
        list[i] = &g->batches[from + i];
    LOCHAN_TRY(lochan_concat(&g->schema, list, g->small, &joined, err));
    for (size_t i = 0; i < g->small; i++)
        lochan_array__release(&g->batches[from + i]);
    lochan_array__move(&joined, &g->batches[from]);
    g->n = from + 1;
    g->small = 0;
    return LOCHAN_OK;
}

/* ---- sizes ---- */

static int64_t text_bytes(const struct ArrowArray *a, bool large) {
    if (a->length == 0)
        return 0;
    return lochan_array__offset_at(a, large, a->length) - lochan_array__offset_at(a, large, 0);
}

/* About what the rows of an array take. */
static int64_t array_bytes(const struct ArrowSchema *schema, const struct ArrowArray *a) {
    int64_t bytes = a->length / 8 + 64;
    char f = schema->format[0];
    if (f == 'u' || f == 'z' || f == 'U' || f == 'Z')
        bytes += 8 * a->length + text_bytes(a, f == 'U' || f == 'Z');
    else
        bytes += 8 * a->length;
    for (int64_t i = 0; i < schema->n_children; i++)
        bytes += array_bytes(schema->children[i], a->children[i]);
    return bytes;
}

static void tick_range(const struct ArrowSchema *schema, const struct ArrowArray *rows,
                       int64_t *min, int64_t *max) {
    int tick = lochan_schema__find(schema, LOCHAN_RUN_TICK);
    const struct ArrowArray *c = rows->children[tick];
    const int64_t *v = (const int64_t *)c->buffers[1] + c->offset;
    for (int64_t i = 0; i < rows->length; i++) {
        *min = v[rows->offset + i] < *min ? v[rows->offset + i] : *min;
        *max = v[rows->offset + i] > *max ? v[rows->offset + i] : *max;
    }
}

/* ---- taking rows ---- */

/* Rows of one call, until all of them are known to be good. */
typedef struct incoming {
    lochan_run_appender *a;
    lochan_run_known *known;
    struct ArrowSchema from, to;
    struct ArrowSchema kept; /* `to` without run_id */
    lochan_run_shape shape;
    struct ArrowArray *batches;
    size_t n, cap;
    int64_t rows, bytes, tick_min, tick_max;
} incoming;

static void incoming_deinit(incoming *in) {
    for (size_t i = 0; i < in->n; i++)
        lochan_array__release(&in->batches[i]);
    lochan_mem__free(in->batches);
    lochan_run_shape__deinit(&in->shape);
    lochan_schema__release(&in->from);
    lochan_schema__release(&in->to);
    lochan_schema__release(&in->kept);
    lochan_run_known__unref(in->known);
}

/* run_id is the first column of the table and is written by every append itself. */
static lochan_status drop_run_id(struct ArrowArray *shaped, struct ArrowArray *out,
                                 lochan_error *err) {
    LOCHAN_TRY(lochan_array__init(out, 1, shaped->n_children - 1, err));
    out->length = shaped->length;
    for (int64_t i = 1; i < shaped->n_children; i++)
        lochan_array__move(shaped->children[i], out->children[i - 1]);
    lochan_array__release(shaped);
    return LOCHAN_OK;
}

static lochan_status start(incoming *in, struct ArrowArrayStream *rows, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_run_appender *a = in->a;
    const lochan_append_options *o = &a->append;
    LOCHAN_TRY(lochan_run_known__find(a->run->lake, &a->run->cache, &a->run->mutex, a->table,
                                      &in->known, err));
    LOCHAN_TRY(lochan_stream__schema(rows, &in->from, err));
    LOCHAN_TRY(lochan_schema__check(&in->from, err));
    LOCHAN_TRY(lochan_run__check_columns(in->known->d, &in->from, !o->skip_schema,
                                         !o->skip_schema && !o->not_strict, err));
    LOCHAN_TRY(lochan_run__wanted(in->known->d, &in->from, &in->to, err));
    int *columns = lochan_mem__array((size_t)in->to.n_children + 1, sizeof *columns);
    if (!columns)
        return lochan_error__nomem(err);
    for (int64_t i = 1; i < in->to.n_children; i++)
        columns[i - 1] = (int)i;
    rc = lochan_schema__select(&in->to, columns, (size_t)in->to.n_children - 1, &in->kept, err);
    lochan_mem__free(columns);
    LOCHAN_TRY(rc);
    in->shape = (lochan_run_shape){.d = in->known->d,
                                   .from = &in->from,
                                   .to = &in->to,
                                   .run_id = a->run->run_id,
                                   .tick_bucket_size = a->run->options.tick_bucket_size
                                                           ? a->run->options.tick_bucket_size
                                                           : 100,
                                   .check_required = !o->skip_schema,
                                   .check_rows = o->validate_rows};
    return lochan_run_shape__init(&in->shape, err);
}

static lochan_status flush(lochan_run_appender *a, lochan_append_summary *summary,
                           lochan_error *err);

/* Where there is no room, what is buffered goes first. A flush needs memory too, so that the buffer
 * never takes more than half of what there is. */
static lochan_status take_memory(lochan_run_appender *a, int64_t bytes, lochan_error *err) {
    lochan_budget *budget = a->run->lake->ctx.budget;
    lochan_append_summary summary = LOCHAN_APPEND_SUMMARY_INIT;
    int64_t held = a->filling.bytes + a->failed.bytes;
    bool fits = budget->limit == 0 || (size_t)(held + bytes) <= budget->limit / 2;
    if (fits && lochan_budget__try_take(budget, (size_t)bytes))
        return LOCHAN_OK;
    LOCHAN_TRY(flush(a, &summary, err));
    lochan_append_summary_deinit(&summary);
    return lochan_budget__take(budget, (size_t)bytes, "buffering rows of a run", err);
}

static lochan_status take_batch(incoming *in, struct ArrowArray *batch, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray shaped = {0}, kept = {0};
    struct ArrowArray *more;
    LOCHAN_TRYG(lochan_array__check(&in->from, batch, err));
    if (batch->length == 0)
        goto done;
    LOCHAN_TRYG(lochan_run_shape__apply(&in->shape, batch, &shaped, err));
    LOCHAN_TRYG(drop_run_id(&shaped, &kept, err));
    int64_t bytes = array_bytes(&in->kept, &kept);
    LOCHAN_TRYG(take_memory(in->a, bytes, err));
    in->bytes += bytes;
    more = lochan_mem__grow(in->batches, in->n, &in->cap, sizeof *more);
    if (!more) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    in->batches = more;
    in->rows += kept.length;
    tick_range(&in->kept, &kept, &in->tick_min, &in->tick_max);
    lochan_array__move(&kept, &more[in->n++]);
done:
    lochan_array__release(batch);
    lochan_array__release(&shaped);
    lochan_array__release(&kept);
    return rc;
}

/* Moves rows that are all good into the buffer. */
static lochan_status keep(incoming *in, buffer *b, lochan_error *err) {
    group *g = NULL;
    LOCHAN_TRY(find_group(b, &in->kept, &g, err));
    size_t need = g->n + in->n;
    if (need > g->cap) {
        size_t cap = need * 2;
        struct ArrowArray *more = lochan_mem__realloc(g->batches, cap * sizeof *more);
        if (!more)
            return lochan_error__nomem(err);
        g->batches = more;
        g->cap = cap;
    }
    bool small = in->n == 1 && in->rows < DEFAULT_ROWS / MOST_BATCHES;
    for (size_t i = 0; i < in->n; i++)
        lochan_array__move(&in->batches[i], &g->batches[g->n++]);
    g->small = small ? g->small + 1 : 0;
    in->n = 0;
    b->rows += in->rows;
    b->bytes += in->bytes;
    in->bytes = 0;
    b->tick_min = in->tick_min < b->tick_min ? in->tick_min : b->tick_min;
    b->tick_max = in->tick_max > b->tick_max ? in->tick_max : b->tick_max;
    (void)!join_small(g, NULL); /* without memory they stay as they are */
    return LOCHAN_OK;
}

/* ---- flushing ---- */

/* The rows of a buffer, lent, with the columns of all its groups. */
typedef struct lending {
    const buffer *b;
    struct ArrowSchema to;
    size_t at_group, at_batch;
    lochan_projection projection; /* of the group under way */
    bool projected;
} lending;

static void lending_free(void *state) {
    lending *l = state;
    lochan_projection__deinit(&l->projection);
    lochan_schema__release(&l->to);
    lochan_mem__free(l);
}

static lochan_status lending_next(void *state, struct ArrowArray *out, lochan_error *err) {
    lending *l = state;
    while (l->at_group < l->b->n && l->at_batch == l->b->groups[l->at_group].n) {
        l->at_group++;
        l->at_batch = 0;
        lochan_projection__deinit(&l->projection);
        memset(&l->projection, 0, sizeof l->projection);
        l->projected = false;
    }
    if (l->at_group == l->b->n)
        return LOCHAN_OK;
    const group *g = &l->b->groups[l->at_group];
    if (!l->projected)
        LOCHAN_TRY(
            lochan_projection__init(&l->projection, &g->schema, &l->to, LOCHAN_BY_NAME, err));
    l->projected = true;
    struct ArrowArray lent = lochan_array__lend(&g->batches[l->at_batch++]);
    return lochan_projection__apply(&l->projection, &lent, out, err);
}

/* The columns of all groups together. Any of them may lack in a group, so they are nullable here;
 * what must not be null was checked. */
static lochan_status unite(const buffer *b, struct ArrowSchema *out, lochan_error *err) {
    LOCHAN_TRY(lochan_schema__dup(&b->groups[0].schema, out, err));
    for (size_t i = 1; i < b->n; i++) {
        struct ArrowSchema both = {0};
        LOCHAN_TRY(lochan_run__unite(out, &b->groups[i].schema, &both, err));
        lochan_schema__release(out);
        lochan_schema__move(&both, out);
    }
    for (int64_t i = 0; i < out->n_children; i++)
        out->children[i]->flags |= ARROW_FLAG_NULLABLE;
    return LOCHAN_OK;
}

static lochan_status lend(const buffer *b, struct ArrowArrayStream *out, lochan_error *err) {
    struct ArrowSchema schema = {0};
    lending *l = lochan_mem__zalloc(sizeof *l);
    if (!l)
        return lochan_error__nomem(err);
    l->b = b;
    lochan_status rc = unite(b, &l->to, err);
    if (rc == LOCHAN_OK)
        rc = lochan_schema__dup(&l->to, &schema, err);
    if (rc != LOCHAN_OK) {
        lending_free(l);
        return rc;
    }
    return lochan_stream__make(&schema, lending_next, lending_free, l, out, err);
}

/* Appends a buffer and empties it; it stays as it was if that fails. */
static lochan_status append_buffer(lochan_run_appender *a, buffer *b,
                                   lochan_append_summary *summary, lochan_error *err) {
    struct ArrowArrayStream rows = {0};
    lochan_append_options o = a->append;
    if (!b->token[0])
        lochan_uuid__make(b->token);
    o.token = b->token;
    o.skip_schema = true; /* both were checked when the rows came */
    o.validate_rows = false;
    LOCHAN_TRY(lend(b, &rows, err));
    LOCHAN_TRY(lochan_run_append(a->run, a->table, &rows, &o, summary, err));
    a->appended += b->rows;
    a->commits++;
    buffer_clear(a, b);
    return LOCHAN_OK;
}

/* Rows of an earlier flush first: they came first, and may have landed. */
static lochan_status flush(lochan_run_appender *a, lochan_append_summary *summary,
                           lochan_error *err) {
    if (a->failed.rows > 0)
        LOCHAN_TRY(append_buffer(a, &a->failed, summary, err));
    if (a->filling.rows == 0)
        return LOCHAN_OK;
    a->failed = a->filling;
    a->filling = (buffer){.tick_min = INT64_MAX, .tick_max = INT64_MIN};
    lochan_append_summary_deinit(summary);
    return append_buffer(a, &a->failed, summary, err);
}

static bool is_full(const lochan_run_appender *a) {
    const buffer *b = &a->filling;
    return b->rows >= a->most_rows || b->bytes >= a->most_bytes ||
           (b->rows > 0 &&
            (uint64_t)b->tick_max - (uint64_t)b->tick_min + 1 >= (uint64_t)a->most_ticks);
}

/* ---- public ---- */

static int64_t threshold(int64_t asked, int64_t otherwise) {
    return asked > 0 ? asked : asked < 0 ? INT64_MAX : otherwise;
}

static lochan_status read_options(lochan_run_appender *a,
                                  const lochan_run_appender_options *options, lochan_error *err) {
    lochan_run_appender_options o = LOCHAN_RUN_APPENDER_OPTIONS_INIT;
    static const uint8_t zero[sizeof o.reserved];
    if (options) {
        LOCHAN_CHECK_ARG(options->struct_size >= offsetof(lochan_run_appender_options, reserved),
                         err);
        memcpy(&o, options, options->struct_size < sizeof o ? options->struct_size : sizeof o);
        LOCHAN_CHECK_ARG(memcmp(o.reserved, zero, sizeof zero) == 0, err);
    }
    LOCHAN_CHECK_ARG(o.rows >= -1 && o.bytes >= -1 && o.ticks >= -1, err);
    LOCHAN_TRY(lochan_append_options__read(o.append, &a->append, err));
    LOCHAN_CHECK_ARG(!a->append.token, err);
    size_t limit = a->run->lake->budget.limit;
    a->most_rows = threshold(o.rows, DEFAULT_ROWS);
    a->most_bytes = threshold(o.bytes, limit ? (int64_t)(limit / 8) : 32 << 20);
    a->most_ticks = threshold(o.ticks, INT64_MAX);
    return LOCHAN_OK;
}

lochan_status lochan_run_appender_open(lochan_run *run, const char *table,
                                       const lochan_run_appender_options *options,
                                       lochan_run_appender **out, lochan_error *err) {
    lochan_run_known *known = NULL;
    LOCHAN_CHECK_ARG(out, err);
    *out = NULL;
    LOCHAN_CHECK_ARG(run && table, err);
    LOCHAN_TRY(lochan_lake__check_writable(run->lake, err));
    LOCHAN_TRY(lochan_run_known__find(run->lake, &run->cache, &run->mutex, table, &known, err));
    lochan_run_known__unref(known);
    lochan_run_appender *a = lochan_mem__zalloc(sizeof *a);
    if (!a)
        return lochan_error__nomem(err);
    pthread_mutex_init(&a->mutex, NULL);
    a->run = run;
    a->filling = a->failed = (buffer){.tick_min = INT64_MAX, .tick_max = INT64_MIN};
    a->table = lochan_mem__strdup(table);
    lochan_status rc = a->table ? read_options(a, options, err) : lochan_error__nomem(err);
    if (rc != LOCHAN_OK) {
        lochan_run_appender_discard(a);
        return rc;
    }
    *out = a;
    return LOCHAN_OK;
}

static lochan_status take_rows(incoming *in, struct ArrowArrayStream *rows, lochan_error *err) {
    struct ArrowArray batch = {0};
    LOCHAN_TRY(start(in, rows, err));
    for (;;) {
        LOCHAN_TRY(lochan_cancel__check(in->a->run->lake->ctx.cancel, err));
        LOCHAN_TRY(lochan_stream__next(rows, &batch, err));
        if (!batch.release)
            return LOCHAN_OK;
        LOCHAN_TRY(take_batch(in, &batch, err));
    }
}

lochan_status lochan_run_appender_append(lochan_run_appender *appender,
                                         struct ArrowArrayStream *rows, bool *kept,
                                         lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    if (kept)
        *kept = false;
    if (!appender || !rows || !rows->release) {
        lochan_stream__release(rows);
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "%s: expected an appender and a stream of rows", __func__);
    }
    incoming in = {.a = appender, .tick_min = INT64_MAX, .tick_max = INT64_MIN};
    pthread_mutex_lock(&appender->mutex);
    rc = take_rows(&in, rows, err);
    if (rc == LOCHAN_OK && in.rows > 0)
        rc = keep(&in, &appender->filling, err);
    lochan_budget__give(appender->run->lake->ctx.budget, (size_t)in.bytes);
    lochan_stream__release(rows);
    incoming_deinit(&in);
    if (rc == LOCHAN_OK && kept)
        *kept = true;
    if (rc == LOCHAN_OK && is_full(appender)) {
        lochan_append_summary summary = LOCHAN_APPEND_SUMMARY_INIT;
        rc = flush(appender, &summary, err);
        lochan_append_summary_deinit(&summary);
    }
    lochan_error__in_table(err, rc, appender->table, NULL, -1);
    pthread_mutex_unlock(&appender->mutex);
    return rc;
}

lochan_status lochan_run_appender_flush(lochan_run_appender *appender,
                                        lochan_append_summary *summary, lochan_error *err) {
    lochan_append_summary own = LOCHAN_APPEND_SUMMARY_INIT;
    LOCHAN_CHECK_ARG(appender, err);
    if (summary)
        *summary = own;
    pthread_mutex_lock(&appender->mutex);
    lochan_status rc = flush(appender, summary ? summary : &own, err);
    pthread_mutex_unlock(&appender->mutex);
    lochan_append_summary_deinit(&own);
    return rc;
}

void lochan_run_appender_state(lochan_run_appender *appender, int64_t *buffered_rows,
                               int64_t *buffered_bytes, int64_t *appended_rows, int64_t *commits) {
    int64_t values[4] = {0};
    if (appender) {
        pthread_mutex_lock(&appender->mutex);
        values[0] = appender->filling.rows + appender->failed.rows;
        values[1] = appender->filling.bytes + appender->failed.bytes;
        values[2] = appender->appended;
        values[3] = appender->commits;
        pthread_mutex_unlock(&appender->mutex);
    }
    int64_t *const to[] = {buffered_rows, buffered_bytes, appended_rows, commits};
    for (int i = 0; i < 4; i++)
        if (to[i])
            *to[i] = values[i];
}

lochan_status lochan_run_appender_close(lochan_run_appender *appender, lochan_error *err) {
    if (!appender)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_run_appender_flush(appender, NULL, err));
    lochan_run_appender_discard(appender);
    return LOCHAN_OK;
}

void lochan_run_appender_discard(lochan_run_appender *appender) {
    if (!appender)
        return;
    buffer_clear(appender, &appender->filling);
    buffer_clear(appender, &appender->failed);
    pthread_mutex_destroy(&appender->mutex);
    lochan_mem__free(appender->table);
    lochan_mem__free(appender);
}
