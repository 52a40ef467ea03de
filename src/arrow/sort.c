/* sort.c - stable order of the rows of a batch.
 * Keys become unsigned codes (sort_codes.c) that are packed into one 64-bit word a row, first key
 * on top. If all keys fit exactly, a radix sort over the used bits settles it, with the row number
 * in the same word where there is room; otherwise a merge sort compares words and asks the
 * comparator about equal ones. Invariant: the order is that of lochan_comparator__compare, equal
 * rows keep theirs. May call: base/, sort_codes.h, kernels.h.
 */
#include "arrow/sort_codes.h"

/* Insertion sort of short stretches, then merging bottom-up between the two halves of memory. */
enum { STRETCH = 16 };

static bool item_after(const lochan_sort_item *a, const lochan_sort_item *b, lochan_sort_tie tie,
                       const void *ctx) {
    if (a->code != b->code)
        return a->code > b->code;
    return tie && tie(ctx, a->row, b->row) > 0;
}

static void sort_stretch(lochan_sort_item *v, int64_t n, lochan_sort_tie tie, const void *ctx) {
    for (int64_t i = 1; i < n; i++) {
        lochan_sort_item x = v[i];
        int64_t k = i;
        for (; k > 0 && item_after(&v[k - 1], &x, tie, ctx); k--)
            v[k] = v[k - 1];
        v[k] = x;
    }
}

static void merge_pair(const lochan_sort_item *from, int64_t n_left, int64_t n,
                       lochan_sort_item *to, lochan_sort_tie tie, const void *ctx) {
    int64_t a = 0, b = n_left;
    if (b < n && !item_after(&from[b - 1], &from[b], tie, ctx))
        b = n; /* already in order: copied below */
    if (b == n) {
        memcpy(to, from, (size_t)n * sizeof(*to));
        return;
    }
    for (int64_t i = 0; i < n; i++)
        to[i] = b >= n || (a < n_left && !item_after(&from[a], &from[b], tie, ctx)) ? from[a++]
                                                                                    : from[b++];
}

void lochan_sort_items__merge(lochan_sort_item *items, lochan_sort_item *spare, int64_t n,
                              lochan_sort_tie tie, const void *ctx) {
    for (int64_t i = 0; i < n; i += STRETCH)
        sort_stretch(items + i, n - i < STRETCH ? n - i : STRETCH, tie, ctx);
    lochan_sort_item *from = items, *to = spare;
    for (int64_t width = STRETCH; width < n; width *= 2) {
        for (int64_t i = 0; i < n; i += 2 * width) {
            int64_t left = n - i < width ? n - i : width;
            int64_t both = n - i < 2 * width ? n - i : 2 * width;
            merge_pair(from + i, left, both, to + i, tie, ctx);
        }
        lochan_sort_item *swap = from;
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, (size_t)n * sizeof(*items));
}

enum { DIGIT = 11, DIGITS = 6 };

/* Radix sort, lowest digit first, over bits [low, low + bits) of a word. T is the element, KEY(x)
 * its word. Returns the buffer that holds the result. Digits that are alike in all rows are passed
 * over. */
#define RADIX(name, T, KEY)                                                                        \
    static T *name(T *v, T *spare, int64_t n, int low, int bits, uint32_t(*counts)[1 << DIGIT]) {  \
        int passes = (bits + DIGIT - 1) / DIGIT;                                                   \
        int width = passes ? (bits + passes - 1) / passes : 1;                                     \
        uint64_t mask = (1ull << width) - 1;                                                       \
        memset(counts, 0, (size_t)passes * sizeof(*counts));                                       \
        for (int64_t i = 0; i < n; i++) {                                                          \
            uint64_t w = KEY(v[i]) >> low;                                                         \
            for (int p = 0; p < passes; p++, w >>= width)                                          \
                counts[p][w & mask]++;                                                             \
        }                                                                                          \
        for (int p = 0; p < passes; p++) {                                                         \
            uint32_t *count = counts[p], at = 0;                                                   \
            int shift = low + p * width;                                                           \
            if (count[(KEY(v[0]) >> shift) & mask] == (uint32_t)n)                                 \
                continue;                                                                          \
            for (uint64_t d = 0; d <= mask; d++) {                                                 \
                uint32_t here = count[d];                                                          \
                count[d] = at;                                                                     \
                at += here;                                                                        \
            }                                                                                      \
            for (int64_t i = 0; i < n; i++)                                                        \
                spare[count[(KEY(v[i]) >> shift) & mask]++] = v[i];                                \
            T *swap = v;                                                                           \
            v = spare;                                                                             \
            spare = swap;                                                                          \
        }                                                                                          \
        return v;                                                                                  \
    }
#define WORD(x) (x)
#define CODE(x) ((x).code)
RADIX(radix_words, uint64_t, WORD)
RADIX(radix_items, lochan_sort_item, CODE)

/* All keys of a row in one word. */
typedef struct packed {
    uint64_t *words;
    int bits;
    bool exact; /* equal words mean equal rows */
} packed;

static lochan_status pack_keys(packed *out, const struct ArrowSchema *schema,
                               const struct ArrowArray *in, const lochan_sort_key *keys,
                               size_t n_keys, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    int64_t n = in->length;
    lochan_sort_codes codes = {lochan_mem__array((size_t)n, sizeof(uint64_t)), 0, true};
    out->words = lochan_mem__array((size_t)n, sizeof(uint64_t));
    out->exact = true;
    if (!codes.codes || !out->words) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (size_t k = 0; k < n_keys && out->exact; k++) {
        lochan_cells column;
        int child = keys[k].column;
        LOCHAN_TRYG(lochan_cells__init(&column, schema->children[child], in->children[child],
                                       in->offset, err));
        LOCHAN_TRYG(lochan_sort_codes__make(&codes, &column, n, &keys[k], err));
        int room = 64 - out->bits;
        int cut = codes.bits > room ? codes.bits - room : 0;
        int width = codes.bits - cut;
        out->exact = codes.exact && cut == 0;
        out->bits += width;
        if (width == 0)
            continue;
        for (int64_t i = 0; i < n; i++)
            out->words[i] = (width == 64 ? 0 : out->words[i] << width) | codes.codes[i] >> cut;
    }
done:
    lochan_mem__free(codes.codes);
    return rc;
}

/* Word and row number share 64 bits. The words are overwritten; rows holds the result. */
static lochan_status sort_words(packed *p, int row_bits, int64_t n, int64_t *rows, void *counts,
                                lochan_error *err) {
    uint64_t *spare = lochan_mem__alloc((size_t)n * sizeof(*spare));
    if (!spare)
        return lochan_error__nomem(err);
    for (int64_t i = 0; i < n; i++)
        p->words[i] = (row_bits == 64 ? 0 : p->words[i] << row_bits) | (uint64_t)i;
    uint64_t *sorted = radix_words(p->words, spare, n, row_bits, p->bits, counts);
    uint64_t mask = (1ull << row_bits) - 1;
    for (int64_t i = 0; i < n; i++)
        rows[i] = (int64_t)(sorted[i] & mask);
    lochan_mem__free(spare);
    return LOCHAN_OK;
}

static int tie_rows(const void *ctx, int64_t a, int64_t b) {
    return lochan_comparator__compare(ctx, 0, a, 0, b);
}

static lochan_status sort_items(packed *p, const lochan_comparator *c, int64_t n, int64_t *rows,
                                void *counts, lochan_error *err) {
    lochan_sort_item *items = lochan_mem__array((size_t)n, 2 * sizeof(*items));
    if (!items)
        return lochan_error__nomem(err);
    for (int64_t i = 0; i < n; i++)
        items[i] = (lochan_sort_item){p->words[i], i};
    const lochan_sort_item *sorted = items;
    if (p->exact)
        sorted = radix_items(items, items + n, n, 0, p->bits, counts);
    else
        lochan_sort_items__merge(items, items + n, n, tie_rows, c);
    for (int64_t i = 0; i < n; i++)
        rows[i] = sorted[i].row;
    lochan_mem__free(items);
    return LOCHAN_OK;
}

static bool is_sorted(const lochan_comparator *c, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        if (lochan_comparator__compare(c, 0, i - 1, 0, i) > 0)
            return false;
    }
    return true;
}

static lochan_status sort_unsorted(const struct ArrowSchema *schema, const struct ArrowArray *in,
                                   const lochan_sort_key *keys, size_t n_keys,
                                   const lochan_comparator *c, int64_t *rows, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    packed p = {0};
    int64_t n = in->length;
    int row_bits = 64 - __builtin_clzll((uint64_t)n);
    void *counts = lochan_mem__alloc(sizeof(uint32_t[DIGITS][1 << DIGIT]));
    if (!counts) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(pack_keys(&p, schema, in, keys, n_keys, err));
    if (p.exact && p.bits + row_bits <= 64)
        LOCHAN_TRYG(sort_words(&p, row_bits, n, rows, counts, err));
    else
        LOCHAN_TRYG(sort_items(&p, c, n, rows, counts, err));
done:
    lochan_mem__free(counts);
    lochan_mem__free(p.words);
    return rc;
}

lochan_status lochan_sort_indices(const struct ArrowSchema *schema, const struct ArrowArray *in,
                                  const lochan_sort_key *keys, size_t n_keys, int64_t **out,
                                  lochan_error *err) {
    *out = NULL;
    lochan_status rc = LOCHAN_OK;
    lochan_comparator *c = NULL;
    int64_t n = in->length;
    if (n > UINT32_MAX)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "sorting more than %u rows at once",
                                 UINT32_MAX);
    int64_t *rows = lochan_mem__array(n ? (size_t)n : 1, sizeof(*rows));
    if (!rows)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_comparator__create(schema, keys, n_keys, &in, 1, &c, err));
    if (is_sorted(c, n)) {
        for (int64_t i = 0; i < n; i++)
            rows[i] = i;
    } else {
        LOCHAN_TRYG(sort_unsorted(schema, in, keys, n_keys, c, rows, err));
    }
done:
    lochan_comparator__free(c);
    if (rc != LOCHAN_OK)
        lochan_mem__free(rows);
    else
        *out = rows;
    return rc;
}
