/* incoming.c - see incoming.h.
 * Invariant: every row that came is handed out once. May call: base/, arrow/.
 */
#include "table/incoming.h"

static void drop_batch(lochan_incoming *in) {
    lochan_keycode__deinit(&in->codes);
    lochan_shared__unref(in->batch);
    in->batch = NULL;
    in->pos = in->length = 0;
}

/* A key with a null in it has no place in the order; other columns that must not be null are
 * checked with it. */
static lochan_status check_nulls(const lochan_incoming *in, const struct ArrowArray *rows,
                                 lochan_error *err) {
    const struct ArrowSchema *schema = &in->w->base.schema;
    for (int64_t c = 0; c < rows->n_children; c++) {
        lochan_view view = {0};
        int64_t bad = -1;
        if ((schema->children[c]->flags & ARROW_FLAG_NULLABLE) ||
            rows->children[c]->null_count == 0)
            continue;
        LOCHAN_TRY(lochan_view__init(&view, schema->children[c], rows->children[c], err));
        for (int64_t i = 0; bad < 0 && i < rows->length; i++)
            bad = lochan_view__is_null(&view, i) ? i : -1;
        lochan_view__deinit(&view);
        if (bad >= 0) {
            lochan_status rc = lochan_error__set(
                err, LOCHAN_ERR_VALUE, "row %lld of the new rows: column '%s' must not be null",
                (long long)(in->rows + bad), schema->children[c]->name);
            return lochan_error__in_table(err, rc, in->w->table->full_name,
                                          schema->children[c]->name, in->rows + bad);
        }
    }
    return LOCHAN_OK;
}

/* Takes a batch of the input's schema, also on failure. */
static lochan_status accept(lochan_incoming *in, struct ArrowArray *raw, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_write *w = in->w;
    struct ArrowArray rows = {0};
    int64_t bad;
    if (raw->null_count != 0 && raw->buffers[0]) {
        rc = lochan_error__set(err, LOCHAN_ERR_DATA, "a batch of rows must not be null as a whole");
        goto done;
    }
    LOCHAN_TRYG(lochan_projection__apply(&w->input, raw, &rows, err));
    LOCHAN_TRYG(check_nulls(in, &rows, err));
    LOCHAN_TRYG(lochan_write__check_rows(w, in->partition, &rows, err));
    LOCHAN_TRYG(
        lochan_rows__check_order(w->table, &w->base.schema, w->keyed, &rows, &in->last, &bad, err));
    if (bad >= 0) {
        rc = lochan_error__set(err, LOCHAN_ERR_DATA, "row %lld of the new rows is out of order%s",
                               (long long)(in->rows + bad),
                               w->keyed ? " or repeats the key before it" : "");
        rc = lochan_error__in_table(err, rc, w->table->full_name, NULL, in->rows + bad);
        goto done;
    }
    LOCHAN_TRYG(lochan_keycode__init(&in->codes, &w->base.schema, &rows, w->table->order,
                                     w->table->n_order, err));
    in->length = rows.length;
    in->rows += rows.length;
    in->batch = lochan_shared__give(&rows);
    if (!in->batch)
        rc = lochan_error__nomem(err);
done:
    lochan_array__release(raw);
    lochan_array__release(&rows);
    return rc;
}

lochan_status lochan_incoming__init(lochan_incoming *in, lochan_write *w, uint32_t partition,
                                    struct ArrowArrayStream *stream, const struct ArrowArray *batch,
                                    lochan_error *err) {
    memset(in, 0, sizeof *in);
    in->w = w;
    in->partition = partition;
    in->stream = stream;
    lochan_buf__init(&in->last, LOCHAN_KEYCODE_MAX * 4);
    if (!batch)
        return LOCHAN_OK;
    struct ArrowArray lent = lochan_array__lend(batch);
    return accept(in, &lent, err);
}

void lochan_incoming__deinit(lochan_incoming *in) {
    drop_batch(in);
    lochan_buf__deinit(&in->last);
}

static lochan_status fill(lochan_incoming *in, lochan_error *err) {
    while (in->pos == in->length && in->stream) {
        struct ArrowArray raw = {0};
        drop_batch(in);
        LOCHAN_TRY(lochan_stream__next(in->stream, &raw, err));
        if (!raw.release) {
            in->stream = NULL;
            break;
        }
        LOCHAN_TRY(accept(in, &raw, err));
    }
    return LOCHAN_OK;
}

static lochan_status is_below(lochan_incoming *in, int64_t row, const lochan_str *key,
                              bool inclusive, lochan_buf *code, bool *below, lochan_error *err) {
    LOCHAN_TRY(lochan_keycode__encode(&in->codes, row, code, err));
    int c = lochan_keycode__compare((lochan_str){(const char *)code->data, code->len}, *key);
    *below = c < 0 || (inclusive && c == 0);
    return LOCHAN_OK;
}

/* First row at or after pos that is not below key. */
static lochan_status find_end(lochan_incoming *in, const lochan_str *key, bool inclusive,
                              int64_t *end, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    int64_t low = in->pos, high = in->length;
    lochan_buf code;
    bool below;
    lochan_buf__init(&code, LOCHAN_KEYCODE_MAX * 4);
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        LOCHAN_TRYG(is_below(in, mid, key, inclusive, &code, &below, err));
        if (below)
            low = mid + 1;
        else
            high = mid;
    }
    *end = low;
done:
    lochan_buf__deinit(&code);
    return rc;
}

lochan_status lochan_incoming__take(lochan_incoming *in, const lochan_str *key, bool inclusive,
                                    struct ArrowArray *out, lochan_error *err) {
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(fill(in, err));
    int64_t end = in->length;
    if (key && in->pos < in->length)
        LOCHAN_TRY(find_end(in, key, inclusive, &end, err));
    if (end == in->pos)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_shared__slice(in->batch, in->pos, end - in->pos, out, err));
    in->pos = end;
    return LOCHAN_OK;
}

/* ---- segments ---- */

/* A guess of what rows hold in memory: fixed widths, and 32 bytes for everything else. It keeps a
 * stream of any length from piling up unseen; exactness is not needed. */
static size_t row_bytes(const struct ArrowSchema *schema) {
    size_t bytes = 0;
    for (int64_t i = 0; i < schema->n_children; i++) {
        lochan_type type;
        int bits = lochan_type__parse(schema->children[i]->format, &type, NULL) == LOCHAN_OK
                       ? lochan_type__bit_width(&type)
                       : 0;
        bytes += bits > 0 ? (size_t)(bits + 7) / 8 : 32;
    }
    return bytes;
}

lochan_status lochan_segment__give(lochan_segment *seg, lochan_write *w, struct ArrowArray *rows,
                                   lochan_error *err) {
    if (seg->n == seg->cap) {
        size_t cap = seg->cap ? seg->cap * 2 : 8;
        struct ArrowArray *batches = lochan_mem__realloc(seg->batches, cap * sizeof *batches);
        if (!batches)
            return lochan_error__nomem(err);
        seg->batches = batches;
        seg->cap = cap;
    }
    size_t bytes = (size_t)rows->length * row_bytes(&w->base.schema);
    LOCHAN_TRY(
        lochan_budget__take(w->lake->ctx.budget, bytes, "merging new rows into a file", err));
    seg->budget += bytes;
    seg->rows += rows->length;
    lochan_array__move(rows, &seg->batches[seg->n++]);
    return LOCHAN_OK;
}

void lochan_segment__deinit(lochan_segment *seg, lochan_write *w) {
    for (size_t i = 0; i < seg->n; i++)
        lochan_array__release(&seg->batches[i]);
    lochan_mem__free(seg->batches);
    lochan_budget__give(w->lake->ctx.budget, seg->budget);
    memset(seg, 0, sizeof *seg);
}

void lochan_segment__rewind(lochan_segment *seg) {
    seg->at = 0;
    seg->row = 0;
}

int64_t lochan_segment__left(const lochan_segment *seg) {
    int64_t left = -seg->row;
    for (size_t i = seg->at; i < seg->n; i++)
        left += seg->batches[i].length;
    return seg->at < seg->n ? left : 0;
}

lochan_status lochan_segment__write_left(lochan_segment *seg, lochan_output *out,
                                         lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray rows = {0};
    for (; seg->at < seg->n && rc == LOCHAN_OK; seg->at++, seg->row = 0) {
        struct ArrowArray lent = lochan_array__lend(&seg->batches[seg->at]);
        int64_t n = lent.length - seg->row;
        lochan_shared *shared = lochan_shared__give(&lent);
        if (!shared)
            return lochan_error__nomem(err);
        rc = lochan_shared__slice(shared, seg->row, n, &rows, err);
        lochan_shared__unref(shared);
        if (rc == LOCHAN_OK)
            rc = lochan_output__rows(out, &rows, err);
        lochan_array__release(&rows);
    }
    return rc;
}

/* <0, 0, >0: value of row i against a bound; 0 also if they cannot be compared. */
static int compare_bound(const lochan_view *v, int64_t i, const lochan_expr_stats *stats,
                         bool max) {
    if (lochan_view__is_null(v, i))
        return 0;
    if (lochan_type__is_bytes(v->type.id)) {
        return lochan_keycode__compare(lochan_view__bytes(v, i), max ? stats->max_s : stats->min_s);
    }
    bool plain = v->type.id == LOCHAN_TYPE_BOOL || v->type.id == LOCHAN_TYPE_DATE32 ||
                 (lochan_type__is_integer(v->type.id) && v->type.id != LOCHAN_TYPE_UINT64) ||
                 (v->type.id == LOCHAN_TYPE_TIMESTAMP && v->type.unit == stats->type.unit);
    if (!plain)
        return 0;
    int64_t a = lochan_view__int64(v, i), b = max ? stats->max_i : stats->min_i;
    return (a > b) - (a < b);
}

bool lochan_segment__may_meet(const lochan_segment *seg, const struct ArrowSchema *schema,
                              int column, const lochan_expr_stats *stats) {
    const struct ArrowArray *head = &seg->batches[0], *tail = &seg->batches[seg->n - 1];
    lochan_view first = {0}, last = {0};
    bool meet = true;
    lochan_type type;
    if (!stats->has_min || !stats->has_max || stats->null_count != 0 ||
        lochan_type__parse(schema->children[column]->format, &type, NULL) != LOCHAN_OK ||
        type.id != stats->type.id)
        return true;
    if (lochan_view__init(&first, schema->children[column], head->children[column], NULL) ==
            LOCHAN_OK &&
        lochan_view__init(&last, schema->children[column], tail->children[column], NULL) ==
            LOCHAN_OK) {
        meet = compare_bound(&first, head->offset, stats, true) <= 0 &&
               compare_bound(&last, tail->offset + tail->length - 1, stats, false) >= 0;
    }
    lochan_view__deinit(&first);
    lochan_view__deinit(&last);
    return meet;
}
