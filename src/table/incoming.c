/* incoming.c - see incoming.h.
 * Invariant: every row that came is handed out once. May call: base/, arrow/.
 */
#include "table/incoming.h"

static void drop_batch(lochan_incoming_batch *b) {
    lochan_keycode__deinit(&b->codes);
    lochan_shared__unref(b->rows);
    memset(b, 0, sizeof *b);
}

/* Takes rows of the table's schema, also on failure. */
static lochan_status hold_batch(lochan_incoming *in, lochan_incoming_batch *b,
                                struct ArrowArray *rows, lochan_error *err) {
    lochan_status rc = lochan_keycode__init(&b->codes, &in->w->base.schema, rows,
                                            in->w->table->order, in->w->table->n_order, err);
    b->length = rows->length;
    b->rows = lochan_shared__give(rows);
    if (rc == LOCHAN_OK && !b->rows)
        rc = lochan_error__nomem(err);
    if (rc != LOCHAN_OK)
        drop_batch(b);
    return rc;
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
    if (in->stored) {
        lochan_array__move(raw, &rows);
    } else {
        LOCHAN_TRYG(lochan_projection__apply(&w->input, raw, &rows, err));
        LOCHAN_TRYG(lochan_write__fill_derived(w, &rows, err));
    }
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
    in->rows += rows.length;
    rc = hold_batch(in, &in->now, &rows, err);
done:
    lochan_array__release(raw);
    lochan_array__release(&rows);
    return rc;
}

lochan_status lochan_incoming__init(lochan_incoming *in, lochan_write *w, uint32_t partition,
                                    struct ArrowArrayStream *stream, const struct ArrowArray *batch,
                                    lochan_error *err) {
    bool stored = in->stored;
    memset(in, 0, sizeof *in);
    in->stored = stored;
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
    drop_batch(&in->now);
    drop_batch(&in->back);
    for (size_t i = in->at_given_back; i < in->n_given_back; i++)
        lochan_array__release(&in->given_back[i]);
    lochan_mem__free(in->given_back);
    lochan_buf__deinit(&in->last);
}

/* The batch with the next rows; it is empty if there are none. */
static lochan_status fill(lochan_incoming *in, lochan_incoming_batch **b, lochan_error *err) {
    while (in->back.pos == in->back.length && in->at_given_back < in->n_given_back) {
        drop_batch(&in->back);
        LOCHAN_TRY(hold_batch(in, &in->back, &in->given_back[in->at_given_back++], err));
    }
    *b = &in->back;
    if (in->back.pos < in->back.length)
        return LOCHAN_OK;
    *b = &in->now;
    while (in->now.pos == in->now.length && in->stream) {
        struct ArrowArray raw = {0};
        drop_batch(&in->now);
        LOCHAN_TRY(lochan_stream__next(in->stream, &raw, err));
        if (!raw.release) {
            in->stream = NULL;
            break;
        }
        LOCHAN_TRY(accept(in, &raw, err));
    }
    return LOCHAN_OK;
}

void lochan_incoming__give_back(lochan_incoming *in, lochan_segment *seg) {
    drop_batch(&in->back);
    lochan_mem__free(in->given_back); /* all of it came again before the segment was taken */
    in->given_back = seg->batches;
    in->n_given_back = seg->n;
    in->at_given_back = 0;
    seg->batches = NULL;
    seg->n = seg->cap = 0;
}

lochan_status lochan_incoming__peek(lochan_incoming *in, lochan_buf *code, bool *any,
                                    lochan_error *err) {
    lochan_incoming_batch *b;
    LOCHAN_TRY(fill(in, &b, err));
    *any = b->pos < b->length;
    return *any ? lochan_keycode__encode(&b->codes, b->pos, code, err) : LOCHAN_OK;
}

static lochan_status is_below(const lochan_incoming_batch *b, int64_t row, const lochan_str *key,
                              bool inclusive, lochan_buf *code, bool *below, lochan_error *err) {
    LOCHAN_TRY(lochan_keycode__encode(&b->codes, row, code, err));
    int c = lochan_keycode__compare((lochan_str){(const char *)code->data, code->len}, *key);
    *below = c < 0 || (inclusive && c == 0);
    return LOCHAN_OK;
}

/* First row at or after pos that is not below key. */
static lochan_status find_end(const lochan_incoming_batch *b, const lochan_str *key, bool inclusive,
                              int64_t *end, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    int64_t low = b->pos, high = b->length;
    lochan_buf code;
    bool below;
    lochan_buf__init(&code, LOCHAN_KEYCODE_MAX * 4);
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        LOCHAN_TRYG(is_below(b, mid, key, inclusive, &code, &below, err));
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
    lochan_incoming_batch *b;
    LOCHAN_TRY(fill(in, &b, err));
    int64_t end = b->length;
    if (key && b->pos < b->length)
        LOCHAN_TRY(find_end(b, key, inclusive, &end, err));
    if (end == b->pos)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_shared__slice(b->rows, b->pos, end - b->pos, out, err));
    b->pos = end;
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

bool lochan_segment__is_full(const lochan_segment *seg, const lochan_write *w) {
    enum { MOST = 64 << 20 };
    const lochan_budget *budget = w->lake->ctx.budget;
    size_t most =
        budget && budget->limit > 0 && budget->limit / 8 < MOST ? budget->limit / 8 : MOST;
    return seg->budget > most;
}
