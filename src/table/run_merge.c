/* run_merge.c - see run_merge.h.
 * A heap of streams gives the next row. Batches lie in slots; the rows chosen are noted as slot and
 * row and copied out together, and then slots that nobody looks at any more are emptied. One row is
 * always held back: the next one may take its place. May call: base/, arrow/.
 */
#include "table/run_merge.h"

#include "arrow/schema.h"

enum { OUT_ROWS = 16384 };

typedef struct run_source {
    struct ArrowArrayStream stream;
    uint32_t slot;
    int64_t row, rows; /* in its slot */
} run_source;

typedef struct run_place {
    uint32_t slot, row;
} run_place;

struct lochan_run_merge {
    const struct ArrowSchema *schema;
    lochan_run_order order;
    run_source *sources;
    size_t n_sources;
    size_t *heap;
    size_t n_heap;
    struct ArrowArray *slots;
    const struct ArrowArray **slot_list;
    size_t n_slots, cap_slots;
    lochan_comparator *all, *same; /* over the slots; NULL: to be made */
    uint32_t *batch_of, *row_of;   /* chosen */
    size_t n_out;
    run_place held;
    bool has_held, started;
    int64_t dropped;
};

void lochan_run_merge__free(lochan_run_merge *m) {
    if (!m)
        return;
    for (size_t i = 0; i < m->n_sources; i++)
        lochan_stream__release(&m->sources[i].stream);
    for (size_t i = 0; i < m->n_slots; i++)
        lochan_array__release(&m->slots[i]);
    lochan_comparator__free(m->all);
    lochan_comparator__free(m->same);
    lochan_mem__free(m->sources);
    lochan_mem__free(m->heap);
    lochan_mem__free(m->slots);
    lochan_mem__free((void *)m->slot_list);
    lochan_mem__free(m->batch_of);
    lochan_mem__free(m->row_of);
    lochan_mem__free(m);
}

lochan_status lochan_run_merge__create(const struct ArrowSchema *schema,
                                       const lochan_run_order *order,
                                       struct ArrowArrayStream *streams, size_t n,
                                       lochan_run_merge **out, lochan_error *err) {
    lochan_run_merge *m = lochan_mem__zalloc(sizeof *m);
    *out = NULL;
    if (m) {
        m->schema = schema;
        m->order = *order;
        m->sources = lochan_mem__array(n + 1, sizeof *m->sources);
        m->heap = lochan_mem__array(n + 1, sizeof *m->heap);
        m->cap_slots = 4 * n + 4;
        m->slots = lochan_mem__array(m->cap_slots, sizeof *m->slots);
        m->slot_list = lochan_mem__array(m->cap_slots, sizeof *m->slot_list);
        m->batch_of = lochan_mem__array(OUT_ROWS, sizeof *m->batch_of);
        m->row_of = lochan_mem__array(OUT_ROWS, sizeof *m->row_of);
    }
    if (!m || !m->sources || !m->heap || !m->slots || !m->slot_list || !m->batch_of || !m->row_of) {
        for (size_t i = 0; i < n; i++)
            lochan_stream__release(&streams[i]);
        lochan_run_merge__free(m);
        return lochan_error__nomem(err);
    }
    for (size_t i = 0; i < n; i++) {
        m->sources[i].stream = streams[i];
        memset(&streams[i], 0, sizeof streams[i]);
    }
    m->n_sources = n;
    *out = m;
    return LOCHAN_OK;
}

int64_t lochan_run_merge__dropped(const lochan_run_merge *m) {
    return m->dropped;
}

/* ---- slots ---- */

static void drop_comparators(lochan_run_merge *m) {
    lochan_comparator__free(m->all);
    lochan_comparator__free(m->same);
    m->all = m->same = NULL;
}

static lochan_status make_comparators(lochan_run_merge *m, lochan_error *err) {
    if (m->all)
        return LOCHAN_OK;
    for (size_t i = 0; i < m->n_slots; i++)
        m->slot_list[i] = &m->slots[i];
    LOCHAN_TRY(lochan_comparator__create(m->schema, m->order.keys, m->order.n_keys, m->slot_list,
                                         m->n_slots, &m->all, err));
    if (m->order.n_same == 0)
        return LOCHAN_OK;
    return lochan_comparator__create(m->schema, m->order.keys, m->order.n_same, m->slot_list,
                                     m->n_slots, &m->same, err);
}

/* The source's next batch into a slot of its own; rows = 0 at its end. */
static lochan_status load(lochan_run_merge *m, run_source *s, lochan_error *err) {
    struct ArrowArray batch = {0};
    s->row = s->rows = 0;
    for (;;) {
        LOCHAN_TRY(lochan_stream__next(&s->stream, &batch, err));
        if (!batch.release)
            return LOCHAN_OK;
        if (batch.length > 0)
            break;
        lochan_array__release(&batch);
    }
    s->slot = (uint32_t)m->n_slots;
    s->rows = batch.length;
    lochan_array__move(&batch, &m->slots[m->n_slots++]);
    drop_comparators(m);
    return LOCHAN_OK;
}

/* Keeps the slots that a source or the held row is in. */
static void compact(lochan_run_merge *m) {
    size_t n = 0;
    for (uint32_t i = 0; i < m->n_slots; i++) {
        bool used = m->has_held && m->held.slot == i;
        for (size_t s = 0; s < m->n_sources; s++)
            used = used || (m->sources[s].rows > 0 && m->sources[s].slot == i);
        if (!used) {
            lochan_array__release(&m->slots[i]);
            continue;
        }
        if (m->has_held && m->held.slot == i)
            m->held.slot = (uint32_t)n;
        for (size_t s = 0; s < m->n_sources; s++) {
            if (m->sources[s].rows > 0 && m->sources[s].slot == i)
                m->sources[s].slot = (uint32_t)n;
        }
        if (n != i)
            lochan_array__move(&m->slots[i], &m->slots[n]);
        n++;
    }
    m->n_slots = n;
    drop_comparators(m);
}

/* ---- the heap ---- */

static bool is_before(const lochan_run_merge *m, size_t a, size_t b) {
    const run_source *x = &m->sources[a], *y = &m->sources[b];
    int c = lochan_comparator__compare(m->all, x->slot, x->row, y->slot, y->row);
    return c != 0 ? c < 0 : a < b;
}

static void sift_down(lochan_run_merge *m, size_t at) {
    for (;;) {
        size_t child = 2 * at + 1, least = at;
        for (size_t c = child; c < child + 2 && c < m->n_heap; c++) {
            if (is_before(m, m->heap[c], m->heap[least]))
                least = c;
        }
        if (least == at)
            return;
        size_t t = m->heap[at];
        m->heap[at] = m->heap[least];
        m->heap[least] = t;
        at = least;
    }
}

static lochan_status start(lochan_run_merge *m, lochan_error *err) {
    m->started = true;
    for (size_t i = 0; i < m->n_sources; i++) {
        LOCHAN_TRY(load(m, &m->sources[i], err));
        if (m->sources[i].rows > 0)
            m->heap[m->n_heap++] = i;
    }
    if (m->n_heap == 0)
        return LOCHAN_OK;
    LOCHAN_TRY(make_comparators(m, err));
    for (size_t i = m->n_heap; i-- > 0;)
        sift_down(m, i);
    return LOCHAN_OK;
}

/* Past the first row of the heap. */
static lochan_status advance(lochan_run_merge *m, lochan_error *err) {
    run_source *s = &m->sources[m->heap[0]];
    if (++s->row == s->rows) {
        LOCHAN_TRY(load(m, s, err));
        if (s->rows == 0)
            m->heap[0] = m->heap[--m->n_heap];
        LOCHAN_TRY(make_comparators(m, err));
    }
    if (m->n_heap > 1)
        sift_down(m, 0);
    return LOCHAN_OK;
}

/* ---- rows ---- */

static void choose_held(lochan_run_merge *m) {
    if (!m->has_held)
        return;
    m->batch_of[m->n_out] = m->held.slot;
    m->row_of[m->n_out++] = m->held.row;
    m->has_held = false;
}

static bool is_full(const lochan_run_merge *m) {
    return m->n_out + 1 >= OUT_ROWS || m->n_slots + 1 >= m->cap_slots;
}

static lochan_status choose_rows(lochan_run_merge *m, lochan_error *err) {
    while (m->n_heap > 0 && !is_full(m)) {
        const run_source *s = &m->sources[m->heap[0]];
        run_place next = {s->slot, (uint32_t)s->row};
        if (m->has_held && m->same &&
            lochan_comparator__compare(m->same, m->held.slot, m->held.row, next.slot, next.row) ==
                0)
            m->dropped++;
        else
            choose_held(m);
        m->held = next;
        m->has_held = true;
        LOCHAN_TRY(advance(m, err));
    }
    if (m->n_heap == 0)
        choose_held(m);
    return LOCHAN_OK;
}

lochan_status lochan_run_merge__next(lochan_run_merge *m, struct ArrowArray *out,
                                     lochan_error *err) {
    memset(out, 0, sizeof *out);
    if (!m->started)
        LOCHAN_TRY(start(m, err));
    while (!out->release && (m->n_heap > 0 || m->has_held)) {
        LOCHAN_TRY(make_comparators(m, err));
        LOCHAN_TRY(choose_rows(m, err));
        for (size_t i = 0; i < m->n_slots; i++)
            m->slot_list[i] = &m->slots[i];
        if (m->n_out > 0)
            LOCHAN_TRY(lochan_take_many(m->schema, m->slot_list, m->n_slots, m->batch_of, m->row_of,
                                        m->n_out, out, err));
        m->n_out = 0;
        compact(m);
    }
    return LOCHAN_OK;
}
