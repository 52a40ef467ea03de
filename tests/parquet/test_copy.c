/* test_copy.c - raw copy of row groups: same rows, new columns null, damage noticed, misfits
 * refused. */
#include "parquet/pq_sample.h"

/* The sample with 23 rows in row groups of 10; `extra` adds a column "more" of the format. */
static void make_schema(struct ArrowSchema *out, const char *extra) {
    lochan_error err;
    struct ArrowSchema base;
    pq_schema(&base, true);
    assert_ok(lochan_schema__init_struct(out, base.n_children + (extra ? 1 : 0), &err));
    for (int64_t i = 0; i < base.n_children; i++)
        lochan_schema__move(base.children[i], out->children[i]);
    if (extra)
        assert_ok(sample_field(out->children[base.n_children], "more", extra, 0, &err));
    lochan_schema__release(&base);
}

static void make_file(const lochan_pq_write_options *o, lochan_buf *file, lochan_buf *rows) {
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    make_schema(&schema, NULL);
    assert_ok(sample_batch(&schema, 23, &batch, &err));
    assert_ok(pq_write(NULL, &schema, &batch, 0, o, file, NULL, &err));
    lochan_buf__init(rows, 1 << 24);
    pq_print(&schema, &batch, rows);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

static lochan_status copy_all(const lochan_buf *file, const struct ArrowSchema *schema,
                              lochan_buf *out, lochan_pq_summary *summary, lochan_error *err) {
    lochan_pq_reader *r = NULL;
    lochan_pq_writer *w = NULL;
    lochan_status rc;
    lochan_buf__init(out, 1 << 24);
    lochan_pq_sink sink = lochan_pq_sink__of_buf(out);
    LOCHAN_TRY(pq_open(NULL, file, NULL, &r, err));
    LOCHAN_TRYG(lochan_pq_writer__open(NULL, &sink, schema, NULL, &w, err));
    for (int g = lochan_pq_reader__row_groups(r) - 1; g >= 0; g--)
        LOCHAN_TRYG(lochan_pq_writer__copy_row_group(w, r, g, err));
    lochan_pq_reader__close(r); /* nothing of it is needed for the footer */
    r = NULL;
    LOCHAN_TRYG(lochan_pq_writer__close(w, summary, err));
done:
    lochan_pq_reader__close(r);
    lochan_pq_writer__free(w);
    return rc;
}

/* Rows of a file in the order of row groups given. */
static void read_groups(const lochan_buf *file, bool backwards, lochan_buf *out) {
    lochan_error err;
    lochan_pq_reader *r;
    lochan_buf__init(out, 1 << 24);
    assert_ok(pq_open(NULL, file, NULL, &r, &err));
    int n = lochan_pq_reader__row_groups(r);
    for (int g = 0; g < n; g++) {
        int group = backwards ? n - 1 - g : g;
        lochan_pq_scan scan = {.row_groups = &group, .n_row_groups = 1};
        assert_ok(pq_read(r, &scan, out, &err));
    }
    lochan_pq_reader__close(r);
}

static void test_copy__rows_are_the_same_in_the_order_copied(void **state) {
    (void)state;
    lochan_error err;
    for (int variant = 0; variant < 4; variant++) {
        lochan_pq_write_options o = {.row_group_rows = 10,
                                     .page_rows = variant & 1 ? 3 : 0,
                                     .page_v2 = variant & 2,
                                     .codec_set = true,
                                     .codec = variant & 1 ? LOCHAN_PQ_SNAPPY : LOCHAN_PQ_ZSTD};
        struct ArrowSchema schema;
        lochan_buf file, rows, copy, got, want;
        lochan_pq_summary s;
        make_file(&o, &file, &rows);
        make_schema(&schema, NULL);
        assert_ok(copy_all(&file, &schema, &copy, &s, &err));
        assert_int_equal(s.rows, 23);
        assert_int_equal(s.row_groups, 3);
        read_groups(&copy, false, &got);
        read_groups(&file, true, &want);
        assert_same_lines(&got, &want);
        lochan_pq_summary__deinit(&s);
        lochan_buf__deinit(&file);
        lochan_buf__deinit(&rows);
        lochan_buf__deinit(&copy);
        lochan_buf__deinit(&got);
        lochan_buf__deinit(&want);
        lochan_schema__release(&schema);
    }
}

static void test_copy__a_new_column_is_null(void **state) {
    (void)state;
    static const char *const formats[] = {"l", "u", "b"};
    lochan_error err;
    lochan_pq_write_options o = {.row_group_rows = 10};
    lochan_buf file, rows;
    make_file(&o, &file, &rows);
    for (size_t i = 0; i < LOCHAN_COUNTOF(formats); i++) {
        struct ArrowSchema schema;
        lochan_buf copy;
        lochan_pq_reader *r;
        lochan_pq_summary s;
        struct ArrowArray a;
        make_schema(&schema, formats[i]);
        assert_ok(copy_all(&file, &schema, &copy, &s, &err));
        assert_int_equal(lochan_pq_summary__column(&s, (int)schema.n_children - 1)->null_count, 23);
        assert_ok(pq_open(NULL, &copy, NULL, &r, &err));
        assert_ok(lochan_pq_reader__read_row_group(r, 1, NULL, 0, &a, &err));
        assert_int_equal(a.children[schema.n_children - 1]->null_count, 10);
        lochan_array__release(&a);
        lochan_pq_reader__close(r);
        lochan_pq_summary__deinit(&s);
        lochan_buf__deinit(&copy);
        lochan_schema__release(&schema);
    }
    lochan_buf__deinit(&file);
    lochan_buf__deinit(&rows);
}

static void test_copy__misfits_are_refused_with_the_reason(void **state) {
    (void)state;
    lochan_error err;
    lochan_buf file, rows;
    make_file(NULL, &file, &rows);
    for (int variant = 0; variant < 3; variant++) {
        struct ArrowSchema schema;
        lochan_buf copy;
        make_schema(&schema, variant == 2 ? "l" : NULL);
        if (variant == 0) { /* another type */
            lochan_schema__release(schema.children[6]);
            assert_ok(sample_field(schema.children[6], "i", "l", 0, &err));
        } else if (variant == 1) { /* other levels */
            schema.children[6]->flags = 0;
        } else { /* a new column that may not be null */
            schema.children[schema.n_children - 1]->flags = 0;
        }
        assert_status(copy_all(&file, &schema, &copy, NULL, &err), LOCHAN_ERR_UNSUPPORTED);
        assert_non_null(strstr(err.message, variant == 2 ? "'more'" : "'i'"));
        lochan_buf__deinit(&copy);
        lochan_schema__release(&schema);
    }
    lochan_buf__deinit(&file);
    lochan_buf__deinit(&rows);
}

static void test_copy__damage_is_not_copied(void **state) {
    (void)state;
    lochan_error err;
    uint64_t seed = 8;
    struct ArrowSchema schema;
    lochan_buf file, rows, copy, got;
    lochan_pq_write_options o = {.row_group_rows = 10, .no_page_index = true};
    make_file(&o, &file, &rows);
    make_schema(&schema, NULL);
    lochan_pq_reader *r;
    assert_ok(pq_open(NULL, &file, NULL, &r, &err));
    size_t footer = file.len - 8 - lochan_pq_reader__footer_length(r);
    lochan_pq_reader__close(r);
    lochan_buf want;
    read_groups(&file, true, &want);
    for (int round = 0; round < 300; round++) {
        size_t at = 4 + fake_random(&seed) % (footer - 4);
        uint8_t bit = (uint8_t)(1u << (fake_random(&seed) & 7));
        file.data[at] ^= bit;
        if (copy_all(&file, &schema, &copy, NULL, &err) ==
            LOCHAN_OK) { /* a bit of a header that says nothing */
            lochan_error inner;
            assert_ok(pq_open(NULL, &copy, NULL, &r, &inner));
            lochan_buf__init(&got, 1 << 24);
            if (pq_read(r, NULL, &got, &inner) == LOCHAN_OK)
                assert_same_lines(&got, &want);
            lochan_buf__deinit(&got);
            lochan_pq_reader__close(r);
        } else {
            assert_true(err.message[0] != '\0');
        }
        lochan_buf__deinit(&copy);
        file.data[at] ^= bit;
    }
    lochan_buf__deinit(&want);
    lochan_buf__deinit(&file);
    lochan_buf__deinit(&rows);
    lochan_schema__release(&schema);
}

static void test_copy__pages_without_checksums_are_refused(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    lochan_buf file, rows, copy;
    lochan_pq_write_options o = {.no_crc = true};
    make_file(&o, &file, &rows);
    make_schema(&schema, NULL);
    assert_status(copy_all(&file, &schema, &copy, NULL, &err), LOCHAN_ERR_UNSUPPORTED);
    lochan_buf__deinit(&file);
    lochan_buf__deinit(&rows);
    lochan_buf__deinit(&copy);
    lochan_schema__release(&schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy__rows_are_the_same_in_the_order_copied),
        cmocka_unit_test(test_copy__a_new_column_is_null),
        cmocka_unit_test(test_copy__misfits_are_refused_with_the_reason),
        cmocka_unit_test(test_copy__damage_is_not_copied),
        cmocka_unit_test(test_copy__pages_without_checksums_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
