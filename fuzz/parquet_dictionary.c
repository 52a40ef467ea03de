/* parquet_dictionary.c - any bytes as a dictionary page and as keys into it (PLAIN_DICTIONARY,
 * RLE_DICTIONARY).
 * The first four bytes choose the column and how keys are read, the number of entries, how many
 * bytes hold them, and the width of keys. Checked: no crash, no key past the entries followed, no
 * slice outside the dictionary.
 */
#include "parquet/dictionary.h"
#include "parquet_leaves.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 4, KEYS = 100, ROUNDS = 10, WIDEST = 32 }; /* runs can be without end */

static void read_slices(const lochan_pq_dictionary *d, lochan_rle *keys) {
    lochan_pq_slice slices[KEYS];
    const uint8_t *begin = d->page.data, *end = begin + d->page.cap;
    for (int r = 0; r < ROUNDS && lochan_pq_dictionary__gather_slices(d, keys, KEYS, slices); r++) {
        for (int i = 0; i < KEYS; i++) {
            if (slices[i].p < begin || slices[i].n > (size_t)(end - slices[i].p))
                abort();
        }
    }
}

static void read_fixed(const lochan_pq_dictionary *d, const lochan_pq_leaf *leaf,
                       lochan_rle *keys) {
    uint8_t out[KEYS * WIDEST];
    for (int r = 0; r < ROUNDS && lochan_pq_dictionary__gather(d, keys, KEYS, leaf->out_width, out);
         r++) {
    }
}

static void read_keys(const lochan_pq_dictionary *d, lochan_rle *keys) {
    uint32_t out[KEYS];
    for (int r = 0; r < ROUNDS && lochan_pq_dictionary__keys(d, keys, KEYS, out); r++) {
        for (int i = 0; i < KEYS; i++) {
            if (out[i] >= d->n)
                abort();
        }
    }
}

/* Texts of few bytes, appended to a column. */
static void append(lochan_pq_dictionary *d, const lochan_pq_leaf *leaf, lochan_rle *keys) {
    lochan_pq_out out;
    bool done, damaged;
    lochan_pq_out__init(&out, leaf, false);
    if (lochan_pq_out__reserve(&out, KEYS, NULL) == LOCHAN_OK &&
        lochan_pq_dictionary__append_short(d, keys, &out, KEYS, &done, &damaged, NULL) ==
            LOCHAN_OK &&
        done && !damaged) {
        const int32_t *ends = (const int32_t *)(const void *)out.values.data;
        if (ends[KEYS] < 0 || (size_t)ends[KEYS] != out.bytes.len)
            abort();
    }
    lochan_pq_out__free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < HEAD)
        return 0;
    const lochan_pq_schema *schema = fuzz_schema(LOCHAN_PQ_STRINGS_PLAIN);
    const lochan_pq_leaf *leaf = &schema->leaves[data[0] % FUZZ_COLUMNS];
    size_t n = size - HEAD, entries = data[2] < n ? data[2] : n;
    uint8_t *page = malloc(entries + LOCHAN_PQ_PAD), *bytes = malloc(n - entries + LOCHAN_PQ_PAD);
    if (!page || !bytes)
        abort();
    memcpy(page, data + HEAD, entries);
    memset(page + entries, 0xff, LOCHAN_PQ_PAD);
    memcpy(bytes, data + HEAD + entries, n - entries);
    memset(bytes + n - entries, 0xff, LOCHAN_PQ_PAD);
    lochan_budget budget;
    lochan_budget__init(&budget, 64 << 20);
    char name[] = "fuzz";
    lochan_pq_file file = {.ctx = {.budget = &budget}, .name = name};
    lochan_pq_pages pages = {.file = &file, .leaf = leaf};
    lochan_pq_page p = {
        .encoding = LOCHAN_PQ_PLAIN, .num_values = data[1], .values = page, .values_size = entries};
    lochan_pq_dictionary d = {0};
    lochan_error err;
    lochan_rle keys;
    lochan_error_init(&err);
    lochan_rle__init(&keys, bytes, n - entries, data[3] % 33);
    lochan_status rc = lochan_pq_dictionary__load(&d, &pages, &p, &err);
    if (rc != LOCHAN_OK && err.message[0] == '\0')
        abort();
    if (rc == LOCHAN_OK) {
        bool text = leaf->convert == LOCHAN_PQ_CONVERT_BYTES;
        unsigned how = data[0] >> 6;
        if (how == 0)
            read_keys(&d, &keys);
        else if (!text)
            read_fixed(&d, leaf, &keys);
        else if (how == 1)
            read_slices(&d, &keys);
        else
            append(&d, leaf, &keys);
    }
    lochan_pq_dictionary__deinit(&d);
    if (budget.used != 0)
        abort();
    free(page);
    free(bytes);
    return 0;
}
