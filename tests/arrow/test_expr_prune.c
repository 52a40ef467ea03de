/* test_expr_prune.c - pruning never drops a row that matches, and does drop what it can. */
#include "arrow/expr_model.h"

typedef struct stats_of {
    lochan_expr_stats s[MODEL_COLUMNS];
    bool known[MODEL_COLUMNS];
    char min[MODEL_COLUMNS][16], max[MODEL_COLUMNS][16];
} stats_of;

static bool get_stats(void *ctx, const char *column, lochan_expr_stats *out) {
    const stats_of *all = ctx;
    for (int c = 0; c < MODEL_COLUMNS; c++) {
        if (strcmp(model_columns[c].name, column) == 0 && all->known[c]) {
            *out = all->s[c];
            return true;
        }
    }
    return false;
}

/* Bounds of text are cut at random: the minimum to a prefix, the maximum to a prefix or to the next
 * prefix. */
static void text_bounds(stats_of *all, int c, const char *min, const char *max, uint64_t *seed) {
    lochan_expr_stats *s = &all->s[c];
    snprintf(all->min[c], 16, "%s", min);
    snprintf(all->max[c], 16, "%s", max);
    size_t cut = 1 + model_random(seed, 2);
    if (model_random(seed, 2) && strlen(min) > cut) {
        all->min[c][cut] = 0;
        s->min_exact = false;
    }
    if (model_random(seed, 2) && strlen(max) > cut) {
        all->max[c][cut] = 0;
        s->max_exact = false;
        if (model_random(seed, 2))
            all->max[c][cut - 1]++;
    }
    s->min_s = lochan_str__of(all->min[c]);
    s->max_s = lochan_str__of(all->max[c]);
}

static void column_stats(stats_of *all, const model_batch *m, int c, uint64_t *seed) {
    const model_column *col = &model_columns[c];
    lochan_expr_stats *s = &all->s[c];
    const model_value *min = NULL, *max = NULL;
    memset(s, 0, sizeof *s);
    s->type = sample_type(strcmp(col->format, "dictionary") == 0 ? "u" : col->format);
    s->min_exact = s->max_exact = true;
    s->row_count = m->rows;
    for (int64_t r = 0; r < m->rows; r++) {
        const model_value *v = &m->values[c][r];
        if (v->null) {
            s->null_count++;
            continue;
        }
        if (col->kind == MODEL_FLOAT && isnan(v->f)) {
            s->may_have_nan = true;
            continue;
        }
        if (col->kind == MODEL_FLOAT) {
            min = !min || v->f < min->f ? v : min;
            max = !max || v->f > max->f ? v : max;
        } else if (col->kind == MODEL_TEXT) {
            min = !min || strcmp(v->s, min->s) < 0 ? v : min;
            max = !max || strcmp(v->s, max->s) > 0 ? v : max;
        } else {
            min = !min || v->i < min->i ? v : min;
            max = !max || v->i > max->i ? v : max;
        }
    }
    s->has_min = min && model_random(seed, 6);
    s->has_max = max && model_random(seed, 6);
    s->may_have_nan |= model_random(seed, 4) == 0;
    if (model_random(seed, 4) == 0)
        s->null_count = -1;
    if (model_random(seed, 8) == 0)
        s->row_count = -1;
    if (!min)
        return;
    if (col->kind == MODEL_TEXT) {
        text_bounds(all, c, min->s, max->s, seed);
        return;
    }
    s->min_f = min->f;
    s->max_f = max->f;
    if (col->kind == MODEL_FLOAT)
        return;
    s->min_i = (int64_t)(min->i / col->unit);
    s->max_i = (int64_t)(max->i / col->unit);
}

static void test_expr_prune__agrees_with_rows(void **state) {
    (void)state;
    uint64_t seed = 4711;
    static model_batch m;
    long pruned = 0, whole = 0, all = 0;
    for (int round = 0; round < 150; round++) {
        stats_of stats;
        model_make(&m, &seed);
        m.rows = m.rows > 12 ? m.rows % 12 : m.rows; /* few rows, so that often all or none match */
        for (int c = 0; c < MODEL_COLUMNS; c++) {
            column_stats(&stats, &m, c, &seed);
            stats.known[c] = model_random(&seed, 12) > 0;
        }
        for (int k = 0; k < 150; k++) {
            lochan_buf text;
            model_expr *p = model_predicate(&seed, k % 3);
            lochan_expr *e = model_bind(p, &m, &text);
            int64_t count = 0;
            for (int64_t r = 0; r < m.rows; r++)
                count += model_eval(p, &m, r) == 1;
            bool may = lochan_expr__may_match(e, get_stats, &stats);
            bool every = lochan_expr__all_match(e, get_stats, &stats);
            if (!may && count > 0)
                fail_msg("%lld rows of %lld match and were pruned: %s", (long long)count,
                         (long long)m.rows, (const char *)text.data);
            if (every && count < m.rows)
                fail_msg("only %lld rows of %lld match: %s", (long long)count, (long long)m.rows,
                         (const char *)text.data);
            all++;
            pruned += !may;
            whole += every;
            lochan_expr__free(e);
            lochan_buf__deinit(&text);
            model_expr_free(p);
        }
        model_free(&m);
    }
    /* It has to be worth having: these shares hold for this seed and would fall if a case were
     * given up. */
    assert_true(pruned * 5 > all);
    assert_true(whole * 20 > all);
}

static lochan_expr_stats one;

static bool get_one(void *ctx, const char *column, lochan_expr_stats *out) {
    (void)ctx, (void)column;
    *out = one;
    return true;
}

/* may_match and all_match of a predicate over x, as "mn": m = may, a = all. */
static const char *verdict(const char *format, const char *predicate) {
    static char out[3];
    lochan_error err;
    struct ArrowSchema schema;
    lochan_expr *e;
    assert_ok(lochan_schema__init_struct(&schema, 1, &err));
    assert_ok(sample_field(schema.children[0], "x", format, 0, &err));
    assert_ok(lochan_expr__parse(predicate, &e, &err));
    assert_ok(lochan_expr__bind(e, &schema, &err));
    out[0] = lochan_expr__may_match(e, get_one, NULL) ? 'm' : '-';
    out[1] = lochan_expr__all_match(e, get_one, NULL) ? 'a' : '-';
    lochan_expr__free(e);
    lochan_schema__release(&schema);
    return out;
}

static void test_expr_prune__types_that_differ(void **state) {
    (void)state;
    /* int32 file under an int64 column: used; under text or another unit: unknown. */
    one = (lochan_expr_stats){.has_min = true,
                              .has_max = true,
                              .min_exact = true,
                              .max_exact = true,
                              .type = sample_type("i"),
                              .min_i = 5,
                              .max_i = 9,
                              .row_count = 10};
    assert_string_equal(verdict("l", "x > 9"), "--");
    assert_string_equal(verdict("l", "x > 4"), "ma");
    assert_string_equal(verdict("L", "x < 5"), "--");
    assert_string_equal(verdict("g", "x > 9.5"), "--");
    assert_string_equal(verdict("g", "x > 9"), "m-"); /* the conversion might have rounded */
    assert_string_equal(verdict("u", "x > 'a'"), "m-");
    assert_string_equal(verdict("tdD", "x > '2020-01-01'"), "m-");
    one.type = sample_type("tss:");
    assert_string_equal(verdict("tsu:", "x > '2020-01-01'"), "m-");
    assert_string_equal(verdict("tss:UTC", "x > '2020-01-01'"), "--");
    one.type = sample_type("L");
    one.max_i = -1; /* the largest uint64 */
    assert_string_equal(verdict("L", "x > 4"), "ma");
    assert_string_equal(verdict("L", "x <= 9"), "m-");
    assert_string_equal(verdict("l", "x < 5"), "--");
    one.type = sample_type("d:10,2");
    one.max_i = 900;
    assert_string_equal(verdict("d:12,2", "x > 9"), "--");
    assert_string_equal(verdict("d:12,3", "x > 9"), "m-");
}

static void test_expr_prune__damaged_statistics_are_unknown(void **state) {
    (void)state;
    one = (lochan_expr_stats){.has_min = true,
                              .has_max = true,
                              .type = sample_type("g"),
                              .min_f = (double)NAN,
                              .max_f = 5,
                              .row_count = 10};
    assert_string_equal(verdict("g", "x > 9"), "m-");
    one = (lochan_expr_stats){.has_min = true,
                              .has_max = true,
                              .type = sample_type("l"),
                              .min_i = 9,
                              .max_i = 5,
                              .row_count = 10};
    assert_string_equal(verdict("l", "x > 9"), "m-");
    one = (lochan_expr_stats){.has_min = true,
                              .has_max = true,
                              .type = sample_type("u"),
                              .min_s = LOCHAN_STR("b"),
                              .max_s = LOCHAN_STR("a"),
                              .row_count = 10};
    assert_string_equal(verdict("u", "x > 'c'"), "m-");
    one = (lochan_expr_stats){.type = sample_type("u"), .row_count = 10, .null_count = 11};
    assert_string_equal(verdict("u", "x > 'c'"), "m-");
}

/* Catalogs keep bounds as text: the float32 0.1 comes back as the double 0.1, which is less. */
static void test_expr_prune__float_bounds_from_text(void **state) {
    (void)state;
    one = (lochan_expr_stats){.has_min = true,
                              .has_max = true,
                              .type = sample_type("f"),
                              .min_f = 0.1,
                              .max_f = 0.1,
                              .row_count = 10};
    assert_string_equal(verdict("f", "x >= 0.1"), "m-");
    assert_string_equal(verdict("f", "x = 0.1"), "m-");
    assert_string_equal(verdict("f", "x < 0.05"), "--");
    one.min_exact = one.max_exact = true;
    assert_string_equal(verdict("f", "x >= 0.1"), "ma");
    assert_string_equal(verdict("f", "x in (0.1)"), "ma");
    assert_string_equal(verdict("f", "x > 0.1"), "--");
    one.type = sample_type("g");
    one.max_f = 0.3;
    one.max_exact = false;
    assert_string_equal(verdict("g", "x > 0.3"), "m-");
    assert_string_equal(verdict("g", "x > 0.4"), "--");
}

/* Both bounds are cut to "ab": the values may be "abc" and "abd". */
static void test_expr_prune__cut_text_is_no_value(void **state) {
    (void)state;
    one = (lochan_expr_stats){.has_min = true,
                              .has_max = true,
                              .type = sample_type("u"),
                              .min_s = LOCHAN_STR("ab"),
                              .max_s = LOCHAN_STR("ab"),
                              .row_count = 10};
    assert_string_equal(verdict("u", "x in ('ab')"), "m-");
    assert_string_equal(verdict("u", "x not in ('ab')"), "m-");
    assert_string_equal(verdict("u", "x != 'ab'"), "m-");
    assert_string_equal(verdict("u", "x = 'abc'"), "m-");
    assert_string_equal(verdict("u", "x = 'ac'"), "--");
    assert_string_equal(verdict("u", "x between 'a' and 'ac'"), "ma");
    assert_string_equal(verdict("u", "x <= 'ab'"), "m-");
    assert_string_equal(verdict("u", "x > 'abz'"), "m-");
    one.min_exact = one.max_exact = true;
    assert_string_equal(verdict("u", "x in ('ab')"), "ma");
    assert_string_equal(verdict("u", "x not in ('ab')"), "--");
    assert_string_equal(verdict("u", "x != 'ab'"), "--");
    assert_string_equal(verdict("u", "x > 'ab'"), "--");
}

static void test_expr_prune__nulls_and_nothing(void **state) {
    (void)state;
    one = (lochan_expr_stats){.type = sample_type("l"), .row_count = 10, .null_count = 10};
    assert_string_equal(verdict("l", "x != 5"), "--");
    assert_string_equal(verdict("l", "x is null"), "ma");
    assert_string_equal(verdict("l", "x is not null"), "--");
    one.null_count = -1;
    assert_string_equal(verdict("l", "x is null"), "m-");
    assert_string_equal(verdict("l", "x is not null"), "m-");
    assert_string_equal(verdict("n", "x = 1"), "--");
    assert_true(lochan_expr__may_match(NULL, NULL, NULL));
    assert_true(lochan_expr__all_match(NULL, NULL, NULL));
    lochan_error err;
    lochan_expr *e;
    assert_ok(lochan_expr__parse("x = 1", &e, &err));
    assert_true(lochan_expr__may_match(e, get_one, NULL)); /* not bound: nothing is known */
    assert_false(lochan_expr__all_match(e, get_one, NULL));
    lochan_expr__free(e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expr_prune__agrees_with_rows),
        cmocka_unit_test(test_expr_prune__types_that_differ),
        cmocka_unit_test(test_expr_prune__damaged_statistics_are_unknown),
        cmocka_unit_test(test_expr_prune__float_bounds_from_text),
        cmocka_unit_test(test_expr_prune__cut_text_is_no_value),
        cmocka_unit_test(test_expr_prune__nulls_and_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
