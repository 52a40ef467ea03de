/* test_encode.c - every encoder against its decoder, over types, counts and shapes of data. */
#include "parquet/pq_sample.h"

#include "parquet/bits.h"
#include "parquet/encode.h"
#include <stdlib.h>

enum { MAX_N = 700 };

typedef struct values {
    const lochan_pq_leaf *leaf;
    uint8_t bytes[MAX_N * 40];
    size_t size, n;
} values;

/* Kinds of data: constant, ascending, small steps, random, extremes. */
static uint64_t number(int kind, size_t i, uint64_t *seed) {
    static const uint64_t extremes[] = {0,         UINT64_MAX,  (uint64_t)INT64_MIN,
                                        INT64_MAX, 0x80000000u, 0x7fffffff};
    switch (kind) {
    case 0:
        return 7;
    case 1:
        return 1000 + i * 3;
    case 2:
        return 5000 - i + fake_random(seed) % 3;
    case 3:
        return fake_random(seed);
    default:
        return extremes[fake_random(seed) % LOCHAN_COUNTOF(extremes)];
    }
}

static void make_values(values *v, int kind, size_t n, uint64_t *seed) {
    v->n = n;
    v->size = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t x = number(kind, i, seed);
        if (v->leaf->physical == LOCHAN_PQ_BOOLEAN) {
            v->bytes[v->size++] = (uint8_t)(x & 1);
        } else if (v->leaf->physical == LOCHAN_PQ_BYTE_ARRAY) {
            char text[40];
            uint32_t len = (uint32_t)snprintf(text, sizeof text, "%llu", (unsigned long long)x);
            len = kind == 4 && i % 3 == 0 ? 0 : len;
            memcpy(v->bytes + v->size, &len, 4);
            memcpy(v->bytes + v->size + 4, text, len);
            v->size += 4 + len;
        } else {
            size_t width = (size_t)v->leaf->width;
            memset(v->bytes + v->size, 0, width);
            memcpy(v->bytes + v->size, &x, width < 8 ? width : 8);
            v->size += width;
        }
    }
}

/* Decodes in pieces of random lengths and compares with what was encoded. */
static void check(const values *v, int32_t encoding, uint64_t *seed) {
    lochan_error err;
    lochan_buf buf;
    lochan_pq_scratch made = {0}, last = {0};
    lochan_pq_leaf leaf = *v->leaf;
    uint8_t out[MAX_N * 40];
    lochan_buf__init(&buf, 1 << 20);
    assert_ok(lochan_pq_encode(encoding, &leaf, v->bytes, v->size, v->n, &buf, &err));
    uint8_t *exact = malloc(buf.len + LOCHAN_PQ_PAD); /* pages are followed by readable bytes */
    memset(exact, 0, buf.len + LOCHAN_PQ_PAD);
    if (buf.len > 0)
        memcpy(exact, buf.data, buf.len);
    lochan_pq_values d = {.physical = leaf.physical,
                          .width = leaf.width,
                          .pos = exact,
                          .end = exact + buf.len,
                          .count = v->n,
                          .made = &made,
                          .last = &last};
    d.ops = lochan_pq_decoding__find(encoding, leaf.physical);
    assert_non_null(d.ops);
    assert_true(!d.ops->begin || d.ops->begin(&d));
    size_t size = 0;
    for (size_t at = 0; at < v->n;) {
        size_t m = 1 + fake_random(seed) % 90;
        m = m < v->n - at ? m : v->n - at;
        if (leaf.physical == LOCHAN_PQ_BOOLEAN) {
            uint8_t bits[MAX_N / 8 + 2] = {0};
            assert_true(d.ops->bits(&d, m, bits, 3));
            for (size_t i = 0; i < m; i++)
                out[size++] = (bits[(i + 3) >> 3] >> ((i + 3) & 7)) & 1;
        } else if (leaf.physical == LOCHAN_PQ_BYTE_ARRAY) {
            lochan_pq_slice slices[90];
            m = d.ops->bytes(&d, m, slices);
            assert_true(m > 0);
            for (size_t i = 0; i < m; i++) {
                memcpy(out + size, &slices[i].n, 4);
                memcpy(out + size + 4, slices[i].p, slices[i].n);
                size += 4 + slices[i].n;
            }
        } else {
            assert_true(d.ops->fixed(&d, m, out + size));
            size += m * (size_t)leaf.width;
        }
        at += m;
    }
    assert_int_equal(size, v->size);
    assert_memory_equal(out, v->bytes, size);
    lochan_pq_scratch__free(&made);
    lochan_pq_scratch__free(&last);
    free(exact);
    lochan_buf__deinit(&buf);
}

static void test_encode__every_encoding_comes_back(void **state) {
    (void)state;
    static const int32_t encodings[] = {0, 3, 5, 6, 7, 9};
    static const char *const formats[] = {"b", "i", "l", "f", "g", "u", "w:3", "w:16", "d:20,4"};
    static const size_t counts[] = {0, 1, 2, 16, 17, 32, 33, 34, 128, 129, 130, 257, MAX_N};
    static values v;
    uint64_t seed = 21;
    int done = 0;
    for (size_t f = 0; f < LOCHAN_COUNTOF(formats); f++) {
        lochan_error err;
        struct ArrowSchema arrow;
        lochan_pq_schema schema;
        pq_schema_one(&arrow, formats[f], true);
        assert_ok(lochan_pq_schema__from_arrow(&arrow, &schema, &err));
        v.leaf = &schema.leaves[0];
        for (size_t e = 0; e < LOCHAN_COUNTOF(encodings); e++) {
            if (!lochan_pq_encode__fits(encodings[e], v.leaf))
                continue;
            for (int kind = 0; kind < 5; kind++) {
                for (size_t c = 0; c < LOCHAN_COUNTOF(counts); c++, done++) {
                    make_values(&v, kind, counts[c], &seed);
                    lochan_bits__force_plain(done & 1);
                    check(&v, encodings[e], &seed);
                }
            }
        }
        lochan_pq_schema__deinit(&schema);
        lochan_schema__release(&arrow);
    }
    lochan_bits__force_plain(false);
    assert_true(done > 1000);
}

static void test_encode__a_constant_column_takes_a_few_bytes(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema arrow;
    lochan_pq_schema schema;
    lochan_buf buf;
    static values v;
    uint64_t seed = 1;
    pq_schema_one(&arrow, "l", true);
    assert_ok(lochan_pq_schema__from_arrow(&arrow, &schema, &err));
    v.leaf = &schema.leaves[0];
    make_values(&v, 1, MAX_N, &seed);
    lochan_buf__init(&buf, 1 << 20);
    assert_ok(
        lochan_pq_encode(LOCHAN_PQ_DELTA_BINARY_PACKED, v.leaf, v.bytes, v.size, v.n, &buf, &err));
    assert_true(buf.len < 50);
    lochan_buf__deinit(&buf);
    lochan_pq_schema__deinit(&schema);
    lochan_schema__release(&arrow);
}

/* Damaged runs of numbers: heads that lie, widths above 64, cut blocks. */
static void test_encode__damaged_deltas_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
    } heads[] = {
        {"\x80\x01\x00\x05\x00", 5},                          /* no miniblocks */
        {"\x00\x04\x05\x00", 4},                              /* blocks without values */
        {"\x07\x01\x05\x00", 4},                              /* miniblocks of seven values */
        {"\x80\x01\x04\x05", 4},                              /* cut */
        {"\xff\xff\xff\xff\xff\xff\xff\x7f\x01\x05\x00", 11}, /* huge */
    };
    for (size_t i = 0; i < LOCHAN_COUNTOF(heads); i++) {
        lochan_pq_delta d;
        const uint8_t *p = (const uint8_t *)heads[i].bytes;
        assert_false(lochan_pq_delta__begin(&d, p, p + heads[i].n, NULL));
    }
    lochan_pq_delta d;
    uint64_t out[200];
    const uint8_t wide[] = "\x80\x01\x04\x05\x00\x00\x41\x00\x00\x00........................";
    assert_true(lochan_pq_delta__begin(&d, wide, wide + sizeof wide - 1, NULL));
    assert_false(lochan_pq_delta__read(&d, out, 5));
    const uint8_t cut[] = "\x80\x01\x04\x50\x00\x00\x20\x20\x00\x00....";
    assert_true(lochan_pq_delta__begin(&d, cut, cut + sizeof cut - 1, NULL));
    assert_false(lochan_pq_delta__read(&d, out, 80));
    const uint8_t *end;
    assert_false(lochan_pq_delta__begin(&d, cut, cut + sizeof cut - 1, &end));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode__every_encoding_comes_back),
        cmocka_unit_test(test_encode__a_constant_column_takes_a_few_bytes),
        cmocka_unit_test(test_encode__damaged_deltas_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
