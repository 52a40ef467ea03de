/* test_journal.c - records and segments by themselves: round trips, torn ends, new segments,
 * malformed bytes. */
#include "lake.h"

#include "catalog/journal.h"

static const char lake_id[] = "01234567-89ab-cdef-0123-456789abcdef";

typedef struct env {
    char *dir;
    lochan_journal journal;
} env;

static int setup(void **state) {
    lochan_error err;
    env *e = lochan_mem__zalloc(sizeof *e);
    e->dir = make_dir();
    char *folder = path_in(e->dir, "journal");
    ok(lochan_fs__mkdirs(folder, NULL, &err));
    lochan_mem__free(folder);
    ok(lochan_journal__init(&e->journal, e->dir, lake_id, &err));
    *state = e;
    return 0;
}

static int teardown(void **state) {
    env *e = *state;
    lochan_journal__deinit(&e->journal);
    drop_dir(e->dir);
    lochan_mem__free(e);
    return 0;
}

/* A record with n rows of lochan_meta and one of lochan_coverage. */
static void make_record(lochan_record *record, int n, uint64_t seq, lochan_hash128 previous) {
    lochan_error err;
    lochan_hash128 hash;
    lochan_record__init(record);
    for (int i = 0; i < n; i++) {
        char value[32];
        snprintf(value, sizeof value, "value %d", i);
        lochan_value row[] = {lochan_value__text("key"), lochan_value__text(value)};
        ok(lochan_record__add(record, LOCHAN_ROW_META, LOCHAN_OP_REPLACE, row, 2, &err));
    }
    lochan_value file[] = {lochan_value__int(-7), lochan_value__int(INT64_MIN)};
    ok(lochan_record__add(record, LOCHAN_ROW_DATA_FILE, LOCHAN_OP_END, file, 2, &err));
    ok(lochan_record__seal(record, seq, previous, &hash, &err));
}

static void append(lochan_journal *journal, int n) {
    lochan_error err;
    lochan_record record;
    make_record(&record, n, journal->seq + 1, journal->hash);
    ok(lochan_journal__append(journal, record.bytes.data, record.bytes.len, &err));
    lochan_record__deinit(&record);
}

static lochan_status count_row(void *ctx, lochan_row_kind kind, lochan_row_op op,
                               const lochan_value *values, size_t n, lochan_error *err) {
    (void)err;
    int *counts = ctx;
    if (kind == LOCHAN_ROW_META && op == LOCHAN_OP_REPLACE && n == 2 &&
        values[1].type == LOCHAN_VALUE_TEXT)
        counts[0]++;
    if (kind == LOCHAN_ROW_DATA_FILE && op == LOCHAN_OP_END && n == 2 && values[0].i == -7 &&
        values[1].i == INT64_MIN)
        counts[1]++;
    return LOCHAN_OK;
}

static void test_journal__a_record_reads_back(void **state) {
    (void)state;
    lochan_error err;
    lochan_record record;
    lochan_record_view view;
    int counts[2] = {0, 0};
    make_record(&record, 5, 9, (lochan_hash128){1, 2});
    assert_true(lochan_record__parse(record.bytes.data, record.bytes.len, &view));
    assert_int_equal(view.seq, 9);
    assert_int_equal(view.previous.hi, 2);
    assert_int_equal(view.total_bytes, record.bytes.len);
    ok(lochan_record__each_row(&view, count_row, counts, &err));
    assert_int_equal(counts[0], 5);
    assert_int_equal(counts[1], 1);
    for (size_t n = 0; n < record.bytes.len; n++)
        assert_false(lochan_record__parse(record.bytes.data, n, &view));
    for (size_t i = 0; i < record.bytes.len; i++) {
        record.bytes.data[i] ^= 4;
        assert_false(lochan_record__parse(record.bytes.data, record.bytes.len, &view));
        record.bytes.data[i] ^= 4;
    }
    lochan_record__deinit(&record);
}

/* Bodies whose checksum is right but whose contents are not: an error or rows, never a read past
 * the end. */
static void test_journal__malformed_bodies_are_errors(void **state) {
    (void)state;
    lochan_error err;
    lochan_record record;
    lochan_record_view view;
    uint8_t body[400];
    int failed = 0, counts[2];
    make_record(&record, 20, 1, (lochan_hash128){0, 0});
    assert_true(lochan_record__parse(record.bytes.data, record.bytes.len, &view));
    size_t n = view.body_bytes < sizeof body ? view.body_bytes : sizeof body;
    for (int round = 0; round < 20000; round++) {
        memcpy(body, view.body, n);
        for (int i = 0; i < 3; i++)
            body[lochan_random__below(n)] = (uint8_t)lochan_random__below(256);
        lochan_record_view bad = view;
        bad.body = body;
        bad.body_bytes = round % 2 ? n : lochan_random__below(n);
        failed += lochan_record__each_row(&bad, count_row, counts, &err) != LOCHAN_OK;
    }
    assert_true(failed > 1000);
    lochan_record__deinit(&record);
}

static void test_journal__sections_and_tables_of_newer_versions_are_skipped(void **state) {
    (void)state;
    lochan_error err;
    int counts[2] = {0, 0};
    /* kind 9 with 3 bytes; rows of table 9999; rows of lochan_meta with three values */
    static const uint8_t body[] = {9,  3,   'a', 'b', 'c', 1, 6,   0x8F, 0x4E, 1,   1, 1, 8,  1,
                                   12, 101, 2,   3,   3,   1, 'k', 3,    1,    'v', 3, 1, 'x'};
    lochan_record_view view = {.seq = 1, .body = body, .body_bytes = sizeof body};
    ok(lochan_record__each_row(&view, count_row, counts, &err));
    assert_int_equal(counts[0], 1);
}

/* ---- segments ---- */

typedef struct seen {
    uint64_t records, last;
    int problems;
} seen;

static lochan_status on_record(void *ctx, const char *path, const lochan_record_view *record,
                               lochan_error *err) {
    (void)path;
    (void)err;
    seen *s = ctx;
    s->records++;
    s->last = record->seq;
    return LOCHAN_OK;
}

static lochan_status on_problem(void *ctx, const char *path, uint64_t offset, const char *detail,
                                lochan_error *err) {
    (void)path;
    (void)offset;
    (void)detail;
    (void)err;
    ((seen *)ctx)->problems++;
    return LOCHAN_OK;
}

static void test_journal__a_full_segment_is_followed_by_the_next(void **state) {
    env *e = *state;
    lochan_error err;
    seen s = {0};
    lochan_journal *j = &e->journal;
    j->segment_max = 2000;
    ok(lochan_journal__read_end(j, false, &err));
    assert_int_equal(j->segment, 0);
    for (int i = 0; i < 50; i++)
        append(j, 5);
    assert_true(j->segment > 3);
    append(j, 500); /* larger than a segment may be: alone in one */
    append(j, 1);
    uint32_t segments = j->segment;
    ok(lochan_journal__each(e->dir, on_record, on_problem, &s, &err));
    assert_int_equal(s.records, 52);
    assert_int_equal(s.last, 52);
    assert_int_equal(s.problems, 0);
    /* another process finds the same end */
    ok(lochan_journal__read_end(j, false, &err));
    assert_int_equal(j->seq, 52);
    assert_int_equal(j->segment, segments);
    ok(lochan_journal__read_end(j, true, &err));
    assert_int_equal(j->seq, 52);
    append(j, 1);
    /* a segment in the middle is lost: reading tells, and goes on */
    char *middle = path_in(e->dir, "journal/000002.ljl");
    ok(lochan_fs__unlink(middle, false, &err));
    s = (seen){0};
    ok(lochan_journal__each(e->dir, on_record, on_problem, &s, &err));
    assert_int_equal(s.last, 53);
    assert_int_equal(s.problems, 1);
    assert_int_equal(lochan_journal__each(e->dir, on_record, NULL, &s, &err), LOCHAN_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "000003"));
    lochan_mem__free(middle);
    /* so is the first one: without its rows the others are no catalog */
    char *first = path_in(e->dir, "journal/000001.ljl");
    ok(lochan_fs__unlink(first, false, &err));
    s = (seen){0};
    ok(lochan_journal__each(e->dir, on_record, on_problem, &s, &err));
    assert_int_equal(s.problems, 1);
    lochan_mem__free(first);
}

static void test_journal__a_torn_end_is_cut_off_by_the_next_append(void **state) {
    env *e = *state;
    lochan_error err;
    seen s = {0};
    lochan_journal *j = &e->journal;
    ok(lochan_journal__read_end(j, false, &err));
    for (int i = 0; i < 3; i++)
        append(j, 3);
    char *path = path_in(e->dir, "journal/000001.ljl");
    lochan_file *file;
    ok(lochan_file__open(path, LOCHAN_FS_WRITE, &file, &err));
    ok(lochan_file__write(file, "LJR1 half a record", 18, j->end, &err));
    ok(lochan_file__close(file, &err));
    assert_true(lochan_journal__changed(j));
    ok(lochan_journal__read_end(j, false, &err));
    assert_int_equal(j->seq, 3);
    assert_int_equal(j->size, j->end + 18);
    append(j, 3);
    assert_int_equal(j->size, j->end);
    assert_false(lochan_journal__changed(j));
    ok(lochan_journal__each(e->dir, on_record, on_problem, &s, &err));
    assert_int_equal(s.records, 4);
    assert_int_equal(s.problems, 0);
    lochan_mem__free(path);
}

static void test_journal__records_must_follow(void **state) {
    env *e = *state;
    lochan_error err;
    lochan_record record;
    lochan_journal *j = &e->journal;
    ok(lochan_journal__read_end(j, false, &err));
    append(j, 1);
    make_record(&record, 1, 3, j->hash);
    assert_int_equal(lochan_journal__append(j, record.bytes.data, record.bytes.len, &err),
                     LOCHAN_ERR_CORRUPT);
    lochan_record__deinit(&record);
    make_record(&record, 1, 2, (lochan_hash128){5, 5});
    assert_int_equal(lochan_journal__append(j, record.bytes.data, record.bytes.len, &err),
                     LOCHAN_ERR_CORRUPT);
    lochan_record__deinit(&record);
    assert_true(lochan_journal__check_back(j, 1));
    append(j, 1);
    append(j, 1);
    ok(lochan_journal__rewind(j, 2, &err));
    assert_int_equal(j->seq, 1);
    append(j, 1);
    assert_int_equal(j->seq, 2);
    assert_int_equal(j->size, j->end);
}

static void test_journal__another_lakes_segment_is_refused(void **state) {
    env *e = *state;
    lochan_error err;
    lochan_journal other;
    ok(lochan_journal__read_end(&e->journal, false, &err));
    append(&e->journal, 1);
    ok(lochan_journal__init(&other, e->dir, "another1-89ab-cdef-0123-456789abcdef", &err));
    assert_int_equal(lochan_journal__read_end(&other, false, &err), LOCHAN_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "another lake"));
    lochan_journal__deinit(&other);
    char *path = path_in(e->dir, "journal/000001.ljl");
    ok(lochan_fs__write_all(path, "short", 5, &err));
    assert_int_equal(lochan_journal__read_end(&e->journal, false, &err), LOCHAN_ERR_CORRUPT);
    lochan_mem__free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_journal__a_record_reads_back),
        cmocka_unit_test(test_journal__malformed_bodies_are_errors),
        cmocka_unit_test(test_journal__sections_and_tables_of_newer_versions_are_skipped),
        cmocka_unit_test_setup_teardown(test_journal__a_full_segment_is_followed_by_the_next, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_journal__a_torn_end_is_cut_off_by_the_next_append,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal__records_must_follow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_journal__another_lakes_segment_is_refused, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
