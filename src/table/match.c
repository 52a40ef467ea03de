/* match.c - see match.h. Positions are found by galloping, so few new rows cost few comparisons.
 * Invariant: equality of rows is equality of their 128-bit hashes, over every column but _known_at.
 * May call: base/, arrow/.
 */
#include "table/match.h"

typedef struct lochan_pair {
    size_t place; /* in batch_of and row_of */
    uint32_t old_row, batch, row;
} lochan_pair;

void lochan_match__deinit(lochan_match *m) {
    lochan_mem__free(m->batch_of);
    lochan_mem__free(m->row_of);
    lochan_mem__free(m->pairs);
    memset(m, 0, sizeof *m);
}

static lochan_status reserve(lochan_match *m, size_t more, lochan_error *err) {
    size_t need = m->n_rows + more;
    if (need <= m->cap_rows)
        return LOCHAN_OK;
    size_t cap = need > m->cap_rows * 2 ? need : m->cap_rows * 2;
    uint32_t *a = lochan_mem__realloc(m->batch_of, cap * sizeof *a);
    if (!a)
        return lochan_error__nomem(err);
    m->batch_of = a;
    uint32_t *b = lochan_mem__realloc(m->row_of, cap * sizeof *b);
    if (!b)
        return lochan_error__nomem(err);
    m->row_of = b;
    m->cap_rows = cap;
    return LOCHAN_OK;
}

static lochan_status emit(lochan_match *m, uint32_t batch, int64_t from, int64_t to,
                          lochan_error *err) {
    LOCHAN_TRY(reserve(m, (size_t)(to - from), err));
    for (int64_t i = from; i < to; i++) {
        m->batch_of[m->n_rows] = batch;
        m->row_of[m->n_rows++] = (uint32_t)i;
    }
    return LOCHAN_OK;
}

/* Old rows that no new one meets. */
static lochan_status emit_old(lochan_match *m, int64_t from, int64_t to, lochan_error *err) {
    if (!m->remove)
        return emit(m, 0, from, to, err);
    for (int64_t i = from; i < to; i++) {
        if (m->remove[i])
            m->n_removed++;
        else
            LOCHAN_TRY(emit(m, 0, i, i + 1, err));
    }
    return LOCHAN_OK;
}

static lochan_status emit_pair(lochan_match *m, int64_t old_row, size_t batch, int64_t row,
                               lochan_error *err) {
    if (m->n_pairs == m->cap_pairs) {
        size_t cap = m->cap_pairs ? m->cap_pairs * 2 : 1024;
        lochan_pair *pairs = lochan_mem__realloc(m->pairs, cap * sizeof *pairs);
        if (!pairs)
            return lochan_error__nomem(err);
        m->pairs = pairs;
        m->cap_pairs = cap;
    }
    m->pairs[m->n_pairs++] =
        (lochan_pair){m->n_rows, (uint32_t)old_row, (uint32_t)batch, (uint32_t)row};
    return emit(m, 0, old_row, old_row + 1, err);
}

/* First old row at or after `from` that is not below the new row. */
static int64_t find(const lochan_comparator *cmp, int64_t from, int64_t length, size_t batch,
                    int64_t row) {
    int64_t low = from, step = 1;
    while (low < length && lochan_comparator__compare(cmp, 0, low, batch, row) < 0) {
        from = low + 1;
        low += step;
        step *= 2;
    }
    int64_t high = low < length ? low : length;
    while (from < high) {
        int64_t mid = from + (high - from) / 2;
        if (lochan_comparator__compare(cmp, 0, mid, batch, row) < 0)
            from = mid + 1;
        else
            high = mid;
    }
    return from;
}

static lochan_status walk(lochan_match *m, const lochan_comparator *cmp, int64_t length,
                          lochan_segment *seg, lochan_error *err) {
    int64_t old = 0;
    while (seg->at < seg->n) {
        if (seg->row == seg->batches[seg->at].length) {
            seg->at++;
            seg->row = 0;
            continue;
        }
        size_t batch = seg->at + 1;
        if (lochan_comparator__compare(cmp, 0, length - 1, batch, seg->row) < 0)
            break;
        int64_t place = find(cmp, old, length, batch, seg->row);
        LOCHAN_TRY(emit_old(m, old, place, err));
        old = place;
        if (lochan_comparator__compare(cmp, 0, place, batch, seg->row) == 0) {
            LOCHAN_TRY(emit_pair(m, place, batch, seg->row, err));
            old++;
        } else {
            LOCHAN_TRY(emit(m, (uint32_t)batch, seg->row, seg->row + 1, err));
            m->n_new++;
        }
        seg->row++;
    }
    return emit_old(m, old, length, err);
}

/* Hashes of one side of the pairs. */
static lochan_status hash_side(lochan_match *m, lochan_write *w,
                               const struct ArrowArray *const *batches, size_t n, bool old,
                               const int *columns, size_t n_columns, lochan_hash128 *out,
                               lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray rows = {0};
    uint32_t *batch_of = lochan_mem__array(m->n_pairs, sizeof *batch_of);
    uint32_t *row_of = lochan_mem__array(m->n_pairs, sizeof *row_of);
    if (!batch_of || !row_of) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (size_t i = 0; i < m->n_pairs; i++) {
        batch_of[i] = old ? 0 : m->pairs[i].batch;
        row_of[i] = old ? m->pairs[i].old_row : m->pairs[i].row;
    }
    LOCHAN_TRYG(
        lochan_take_many(&w->base.schema, batches, n, batch_of, row_of, m->n_pairs, &rows, err));
    LOCHAN_TRYG(lochan_hash_rows(&w->base.schema, &rows, columns, n_columns, out, err));
done:
    lochan_array__release(&rows);
    lochan_mem__free(batch_of);
    lochan_mem__free(row_of);
    return rc;
}

/* Puts the new row in the place of the old one where they differ. */
static lochan_status settle_pairs(lochan_match *m, lochan_write *w,
                                  const struct ArrowArray *const *batches, size_t n,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    size_t all = (size_t)w->base.schema.n_children, n_columns = 0;
    if (m->n_pairs == 0)
        return LOCHAN_OK;
    int *columns = lochan_mem__array(all, sizeof *columns);
    lochan_hash128 *a = lochan_mem__array(m->n_pairs, sizeof *a);
    lochan_hash128 *b = lochan_mem__array(m->n_pairs, sizeof *b);
    if (!columns || !a || !b) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (size_t c = 0; c < all; c++) {
        if ((int)c != w->table->known_at)
            columns[n_columns++] = (int)c;
    }
    LOCHAN_TRYG(hash_side(m, w, batches, n, true, columns, n_columns, a, err));
    LOCHAN_TRYG(hash_side(m, w, batches, n, false, columns, n_columns, b, err));
    for (size_t i = 0; i < m->n_pairs; i++) {
        if (a[i].lo == b[i].lo && a[i].hi == b[i].hi) {
            m->n_unchanged++;
            continue;
        }
        m->n_replaced++;
        m->batch_of[m->pairs[i].place] = m->pairs[i].batch;
        m->row_of[m->pairs[i].place] = m->pairs[i].row;
    }
done:
    lochan_mem__free(columns);
    lochan_mem__free(a);
    lochan_mem__free(b);
    return rc;
}

lochan_status lochan_match__run(lochan_match *m, lochan_write *w, const struct ArrowArray *old,
                                lochan_segment *seg, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_comparator *cmp = NULL;
    m->n_rows = m->n_pairs = 0;
    m->n_new = m->n_replaced = m->n_unchanged = m->n_removed = 0;
    if (old->length == 0)
        return LOCHAN_OK;
    const struct ArrowArray **batches = lochan_mem__array(seg->n + 1, sizeof *batches);
    if (!batches)
        return lochan_error__nomem(err);
    batches[0] = old;
    for (size_t i = 0; i < seg->n; i++)
        batches[i + 1] = &seg->batches[i];
    LOCHAN_TRYG(lochan_comparator__create(&w->base.schema, w->table->order, w->table->n_order,
                                          batches, seg->n + 1, &cmp, err));
    LOCHAN_TRYG(walk(m, cmp, old->length, seg, err));
    LOCHAN_TRYG(settle_pairs(m, w, batches, seg->n + 1, err));
done:
    lochan_comparator__free(cmp);
    lochan_mem__free(batches);
    return rc;
}
