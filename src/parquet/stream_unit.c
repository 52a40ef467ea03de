/* stream_unit.c - how a unit becomes a batch: leaves of the predicate, the predicate, the other
 * leaves where rows are left, the columns in the order asked for. Invariant: nothing here takes the
 * lock of the stream, and no two tasks of a unit touch the same of its parts. May call: base/,
 * arrow/, the rest of parquet/.
 */
#include "arrow/kernels.h"
#include "arrow/view.h"
#include "parquet/stream_own.h"

/* Keeps the rows whose bit is set; *a is replaced. */
static lochan_status keep_rows(const struct ArrowSchema *schema, struct ArrowArray *a,
                               const uint8_t *bits, lochan_error *err) {
    struct ArrowArray kept;
    LOCHAN_TRY(lochan_filter(schema, a, bits, &kept, err));
    lochan_array__release(a);
    lochan_array__move(&kept, a);
    return LOCHAN_OK;
}

/* Room in the budget for the texts of a dictionary that stand in the rows (-1: none). */
static lochan_status claim_texts(lochan_pq_claim *claim, const struct ArrowSchema *schema,
                                 const struct ArrowArray *dictionary, const int64_t *rows,
                                 int64_t n, lochan_error *err) {
    lochan_view view;
    size_t bytes = 0;
    LOCHAN_TRY(lochan_view__init(&view, schema, dictionary, err));
    for (int64_t r = 0; r < n; r++)
        bytes += rows[r] < 0 ? 0 : lochan_view__bytes(&view, rows[r]).n;
    lochan_view__deinit(&view);
    return lochan_pq_claim__take(claim, bytes, err);
}

/* Turns keys back into text. */
static lochan_status expand_keys(const lochan_pq_stream *s, lochan_pq_unit *u, lochan_error *err) {
    const lochan_pq_open_group *o = u->group;
    struct ArrowArray *first = &u->first;
    for (size_t i = 0; o->first.keyed && i < s->plan.first.n; i++) {
        struct ArrowArray *a = first->children[i], text;
        if (!lochan_pq_group_read__is_keyed(&o->first, i))
            continue;
        const int32_t *keys = (const int32_t *)a->buffers[1] + a->offset;
        const uint8_t *valid = a->null_count != 0 ? a->buffers[0] : NULL;
        int64_t *rows = lochan_mem__array((size_t)a->length + 1, sizeof *rows);
        if (!rows)
            return lochan_error__nomem(err);
        for (int64_t r = 0; r < a->length; r++)
            rows[r] = valid && !lochan_bit__get(valid, a->offset + r) ? -1 : keys[r];
        const struct ArrowSchema *schema = s->plan.first.arrow.children[i];
        lochan_status rc = LOCHAN_OK;
        if (s->bounded)
            rc = claim_texts(&u->claim, schema, a->dictionary, rows, a->length, err);
        if (rc == LOCHAN_OK)
            rc = lochan_take(schema, a->dictionary, rows, (size_t)a->length, &text, err);
        lochan_mem__free(rows);
        if (rc != LOCHAN_OK)
            return rc;
        lochan_array__release(a);
        lochan_array__move(&text, a);
    }
    return LOCHAN_OK;
}

/* Whether the rows wanted lie in so few stretches that passing over the others pays. */
static bool is_sparse(const uint8_t *bits, int64_t rows) {
    enum { ROWS_PER_STRETCH = 64 };
    int64_t edges = 0, bytes = (rows + 7) / 8, i = 0;
    unsigned before = 0;
    for (uint64_t eight; i + 8 <= bytes; i += 8) { /* most rows are not wanted */
        memcpy(&eight, bits + i, 8);
        if (eight == 0 && before == 0)
            continue;
        for (int k = 0; k < 8; k++) {
            edges += __builtin_popcount((bits[i + k] ^ (bits[i + k] << 1 | before)) & 0xff);
            before = bits[i + k] >> 7;
        }
    }
    for (; i < bytes; i++) {
        edges += __builtin_popcount((bits[i] ^ (bits[i] << 1 | before)) & 0xff);
        before = bits[i] >> 7;
    }
    return edges / 2 * ROWS_PER_STRETCH <= rows;
}

/* Columns of both parts in the order asked for. */
static lochan_status join_parts(const lochan_pq_stream *s, struct ArrowArray *first,
                                struct ArrowArray *rest, int64_t rows, struct ArrowArray *out,
                                lochan_error *err) {
    LOCHAN_TRY(lochan_array__init(out, 1, (int64_t)s->plan.n_out, err));
    for (size_t i = 0; i < s->plan.n_out; i++) {
        size_t at = (size_t)s->plan.order[i];
        struct ArrowArray *from =
            at < s->plan.first.n ? first->children[at] : rest->children[at - s->plan.first.n];
        lochan_array__move(from, out->children[i]);
    }
    out->length = rows;
    return LOCHAN_OK;
}

static const struct ArrowSchema *first_schema(const lochan_pq_stream *s,
                                              const lochan_pq_open_group *o) {
    return o->first.keyed ? &o->keyed_schema : &s->plan.first.arrow;
}

lochan_status lochan_pq_unit__read(const lochan_pq_stream *s, lochan_pq_unit *u, size_t leaf,
                                   size_t *bytes, lochan_error *err) {
    size_t n_first = s->plan.first.n_slots;
    bool first = leaf < n_first;
    lochan_pq_group_read *part = first ? &u->group->first : &u->group->rest;
    size_t at = first ? leaf : leaf - n_first;
    const uint8_t *bits = !first && u->sparse ? u->bits : NULL;
    part->leaves[at].out.claim = s->bounded ? &u->claim : NULL;
    lochan_status rc = lochan_pq_group_read__leaf(
        part, at, u->row, u->rows, bits, first ? u->rows : u->kept, &u->leaves[leaf], bytes, err);
    part->leaves[at].out.claim = NULL; /* it ends with the unit */
    return rc;
}

lochan_status lochan_pq_unit__test(const lochan_pq_stream *s, lochan_pq_unit *u,
                                   lochan_error *err) {
    lochan_pq_open_group *o = u->group;
    if (s->plan.first.n > 0)
        LOCHAN_TRY(lochan_pq_group_read__assemble(&o->first, u->leaves, u->rows, &u->first, err));
    if (!s->predicate || o->all_match)
        return LOCHAN_OK;
    u->bits = lochan_mem__alloc((size_t)(u->rows + 7) / 8);
    if (!u->bits)
        return lochan_error__nomem(err);
    LOCHAN_TRY(
        lochan_expr__apply(s->predicate, first_schema(s, o), &u->first, u->bits, &u->kept, err));
    u->sparse = u->kept < u->rows && is_sparse(u->bits, u->rows);
    return LOCHAN_OK;
}

lochan_status lochan_pq_unit__join(lochan_pq_stream *s, lochan_pq_unit *u, lochan_error *err) {
    lochan_pq_open_group *o = u->group;
    struct ArrowArray rest = {0};
    lochan_status rc = LOCHAN_OK;
    lochan_pq_stream__learn(s, u);
    LOCHAN_TRYG(lochan_pq_group_read__assemble(&o->rest, u->leaves + s->plan.first.n_slots,
                                               u->sparse ? u->kept : u->rows, &rest, err));
    if (u->kept < u->rows) {
        LOCHAN_TRYG(keep_rows(first_schema(s, o), &u->first, u->bits, err));
        if (s->plan.rest.n > 0 && !u->sparse)
            LOCHAN_TRYG(keep_rows(&s->plan.rest.arrow, &rest, u->bits, err));
    }
    LOCHAN_TRYG(expand_keys(s, u, err));
    rc = join_parts(s, &u->first, &rest, u->kept, &u->out, err);
done:
    lochan_array__release(&rest);
    return rc;
}

void lochan_pq_unit__free(const lochan_pq_stream *s, lochan_pq_unit *u) {
    size_t n = s->plan.first.n_slots + s->plan.rest.n_slots;
    if (!u)
        return;
    for (size_t i = 0; u->leaves && i < n; i++)
        lochan_pq_leaf_rows__free(&u->leaves[i]);
    lochan_budget__give(s->reader->file.ctx.budget, u->taken);
    lochan_pq_claim__end(&u->claim);
    lochan_array__release(&u->first);
    lochan_array__release(&u->out);
    lochan_mem__free(u->bits);
    lochan_mem__free(u->leaves);
    lochan_mem__free(u->states);
    lochan_mem__free(u);
}
