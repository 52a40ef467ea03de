/* prune_dictionary.c - row groups left out by their dictionaries: where every page of a chunk holds
 * keys, its dictionary holds all its values. A predicate on one column is applied to them; one on
 * several asks for the values it wants to be equal. What is read here is kept by the columns, which
 * need it anyway. May call: base/, arrow/, the rest of parquet/.
 */
#include "parquet/assemble.h"
#include "parquet/prune.h"

/* Values asked for one by one; more are not worth looking through a dictionary. */
enum { MAX_QUESTIONS = 256 };

static bool is_keys(int32_t encoding) {
    return encoding == LOCHAN_PQ_PLAIN_DICTIONARY || encoding == LOCHAN_PQ_RLE_DICTIONARY;
}

/* Whether the footer says that all data pages hold keys. */
static bool is_all_keys(const lochan_pq_column_meta *meta) {
    const lochan_pq_encoding_stats *stats = meta->encoding_stats.items;
    const int32_t *encodings = meta->encodings.items;
    bool any = false;
    if (!LOCHAN_PQ_HAS(meta, 11) || meta->dictionary_page_offset <= 0)
        return false;
    for (uint32_t i = 0; i < meta->encoding_stats.n; i++) {
        if (stats[i].page_type != LOCHAN_PQ_DATA_PAGE &&
            stats[i].page_type != LOCHAN_PQ_DATA_PAGE_V2)
            continue;
        any = true;
        if (stats[i].count != 0 && !is_keys(stats[i].encoding))
            return false;
    }
    if (any || meta->encoding_stats.n > 0)
        return any;
    /* without them: old writers name PLAIN only for pages of values */
    for (uint32_t i = 0; i < meta->encodings.n; i++) {
        any = any || encodings[i] == LOCHAN_PQ_PLAIN_DICTIONARY;
        if (encodings[i] != LOCHAN_PQ_PLAIN_DICTIONARY && encodings[i] != LOCHAN_PQ_RLE &&
            encodings[i] != LOCHAN_PQ_BIT_PACKED)
            return false;
    }
    return any;
}

static lochan_status loaded(lochan_pq_column *c, bool *is, lochan_error *err) {
    *is = false;
    return is_all_keys(&c->chunk->meta) ? lochan_pq_column__load_dictionary(c, is, err) : LOCHAN_OK;
}

/* ---- one column ---- */

/* The entries, and a null if the chunk may have one, as a column of its form in batches. */
static lochan_status entries(lochan_pq_column *c, bool nulls, struct ArrowArray *out,
                             lochan_error *err) {
    lochan_pq_dictionary *d = &c->dictionary;
    size_t n = d->n, slots = n + nulls, width = c->as_keys ? 4 : (size_t)c->leaf->out_width;
    LOCHAN_TRY(lochan_array__init(out, 2, 0, err));
    lochan_status rc = LOCHAN_OK;
    lochan_buffer *values = lochan_buffer__create(slots * width), *valid = NULL;
    lochan_array__give_buffer(out, 1, values);
    if (nulls) {
        valid = lochan_buffer__create(slots / 8 + 1);
        lochan_array__give_buffer(out, 0, valid);
    }
    if (!values || (nulls && !valid)) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    memset(values->data, 0, slots * width);
    if (valid) {
        memset(valid->data, 0xff, slots / 8 + 1);
        valid->data[n / 8] = (uint8_t)((1u << (n % 8)) - 1);
    }
    for (size_t i = 0; c->as_keys && i < n; i++)
        ((int32_t *)(void *)values->data)[i] = (int32_t)i;
    if (!c->as_keys && n > 0)
        memcpy(values->data, d->values.data, n * width);
    out->length = (int64_t)slots;
    out->null_count = nulls;
    if (c->as_keys)
        LOCHAN_TRYG(lochan_pq_assemble__dictionary(c, out, err));
done:
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    return rc;
}

static lochan_status apply_to_entries(lochan_pq_column *c, const struct ArrowSchema *schema,
                                      const lochan_expr *predicate, bool nulls, bool *may,
                                      lochan_error *err) {
    struct ArrowArray batch;
    uint8_t *bits = NULL;
    int64_t count = 0;
    lochan_status rc;
    LOCHAN_TRY(lochan_array__init(&batch, 1, 1, err));
    LOCHAN_TRYG(entries(c, nulls, batch.children[0], err));
    batch.length = batch.children[0]->length;
    bits = lochan_mem__alloc((size_t)batch.length / 8 + 1);
    if (!bits) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    if (batch.length > 0)
        LOCHAN_TRYG(lochan_expr__apply(predicate, schema, &batch, bits, &count, err));
    *may = count > 0;
done:
    lochan_mem__free(bits);
    lochan_array__release(&batch);
    return rc;
}

/* ---- several columns ---- */

typedef struct asked_column {
    const lochan_pq_column *column; /* NULL: its dictionary does not say everything */
    int questions;
} asked_column;

typedef struct asked_group {
    const lochan_pq_group_read *g;
    asked_column *columns; /* as in the projection */
} asked_group;

static bool holds_number(const lochan_pq_dictionary *d, int32_t width, uint64_t bits) {
    for (uint32_t i = 0; i < d->n; i++) {
        uint64_t v = 0;
        memcpy(&v, d->values.data + (size_t)i * (size_t)width, (size_t)width);
        if (v == bits)
            return true;
    }
    return false;
}

/* True in every doubt. */
static bool dictionary_may_hold(void *ctx, const lochan_expr_value *value) {
    asked_column *a = ctx;
    const lochan_pq_dictionary *d = &a->column->dictionary;
    const lochan_pq_leaf *leaf = a->column->leaf;
    if (++a->questions > MAX_QUESTIONS)
        return true;
    if (value->kind == LOCHAN_EXPR_VALUE_TEXT && leaf->convert == LOCHAN_PQ_CONVERT_BYTES) {
        const lochan_pq_slice *slices = (const void *)d->slices.data;
        for (uint32_t i = 0; i < d->n; i++) {
            if (slices[i].n == value->s.n && memcmp(slices[i].p, value->s.p, value->s.n) == 0)
                return true;
        }
        return false;
    }
    bool number = leaf->out_width == 4 || leaf->out_width == 8;
    if (value->kind == LOCHAN_EXPR_VALUE_INT && number && !lochan_type__is_float(leaf->type.id)) {
        uint64_t bits = (uint64_t)value->i;
        return holds_number(d, leaf->out_width, leaf->out_width == 4 ? bits & UINT32_MAX : bits);
    }
    return true;
}

static bool known_of_column(void *ctx, const char *name, lochan_expr_stats *out) {
    asked_group *asked = ctx;
    const lochan_pq_group_read *g = asked->g;
    int leaf = lochan_pq_path__leaf(&g->reader->schema, name);
    bool known = leaf >= 0 && lochan_pq_reader__leaf_stats(g->reader, g->row_group, leaf, out);
    for (size_t i = 0; i < g->projection->n; i++) {
        asked_column *a = &asked->columns[i];
        if (!a->column || a->column->leaf->index != leaf)
            continue;
        if (!known)
            *out = (lochan_expr_stats){.type = a->column->leaf->type,
                                       .null_count = -1,
                                       .row_count = -1,
                                       .may_have_nan = true};
        out->may_hold = dictionary_may_hold;
        out->may_hold_ctx = a;
        return true;
    }
    return known;
}

lochan_status lochan_pq_prune__dictionaries(lochan_pq_group_read *g,
                                            const struct ArrowSchema *schema,
                                            const lochan_expr *predicate, bool *may,
                                            lochan_error *err) {
    const lochan_pq_projection *p = g->projection;
    lochan_status rc = LOCHAN_OK;
    bool any = false;
    *may = true;
    asked_group asked = {g, lochan_mem__array(p->n + 1, sizeof(asked_column))};
    if (!asked.columns)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < p->n; i++) {
        lochan_pq_column *c =
            p->columns[i].leaf < 0 ? NULL : lochan_pq_group_read__column(g, p->columns[i].leaf);
        bool is = false;
        if (c)
            LOCHAN_TRYG(loaded(c, &is, err));
        asked.columns[i].column = is ? c : NULL;
        any = any || is;
    }
    if (any && p->n == 1) {
        lochan_pq_column *c = lochan_pq_group_read__column(g, p->columns[0].leaf);
        lochan_expr_stats stats;
        bool known = lochan_pq_reader__leaf_stats(g->reader, g->row_group, c->leaf->index, &stats);
        bool nulls = c->leaf->max_def > 0 && !(known && stats.null_count == 0);
        LOCHAN_TRYG(apply_to_entries(c, schema, predicate, nulls, may, err));
    } else if (any) {
        *may = lochan_expr__may_match(predicate, known_of_column, &asked);
    }
done:
    lochan_mem__free(asked.columns);
    return rc;
}
