/* parquet_scan.c - any bytes as a Parquet file of which some rows are asked for: by a predicate,
 * which takes statistics, page index, bloom filter and dictionary into use, or by ranges of rows;
 * then all that the file says of its columns is verified. The first three bytes choose how text
 * comes out and where bytes come from, the predicate, and the ranges. Checked: no crash; memory
 * stays in a budget of 64 MiB; every batch passes the checks of an array from outside; errors carry
 * a message.
 */
#include "parquet/verify_own.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 3, MOST_ROWS = 100000, MOST_LEAVES = 64 };

static lochan_status read_at(void *self, uint64_t offset, size_t n, void *dst, lochan_error *err) {
    (void)err;
    memcpy(dst, (const uint8_t *)self + offset, n);
    return LOCHAN_OK;
}

/* A predicate on one of the columns that suits its type; NULL: none. */
static lochan_expr *make_predicate(const lochan_pq_reader *r, unsigned choice) {
    static const char *const tests[] = {"= 7",
                                        "> 3 ",
                                        "between 2 and 20",
                                        "in (1, 5, 9, 1000)",
                                        "is null",
                                        "!= 0.5",
                                        "<= 'text 1'",
                                        "= 'text 2'",
                                        "= true",
                                        "= ''",
                                        "< '1970-01-20'",
                                        "in ('a', 'text 3', 'zz')",
                                        "= '-1'",
                                        "is not null",
                                        "> '2020-01-01 00:00:00'",
                                        "not between -5 and 1e9"};
    const struct ArrowSchema *schema = lochan_pq_reader__schema(r);
    char text[300];
    lochan_expr *e = NULL;
    if (schema->n_children == 0)
        return NULL;
    const char *name =
        schema->children[choice / LOCHAN_COUNTOF(tests) % (size_t)schema->n_children]->name;
    if (!name || strlen(name) > 200 || strchr(name, '"'))
        return NULL;
    snprintf(text, sizeof text, "\"%s\" %s", name, tests[choice % LOCHAN_COUNTOF(tests)]);
    if (lochan_expr__parse(text, &e, NULL) == LOCHAN_OK &&
        lochan_pq_reader__bind(r, e, NULL) == LOCHAN_OK)
        return e;
    lochan_expr__free(e);
    return NULL;
}

static lochan_status read_some(lochan_pq_reader *r, const lochan_expr *predicate, unsigned choice,
                               lochan_error *err) {
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    lochan_pq_range ranges[] = {{choice & 15, 5 + (choice & 31)},
                                {40 + (choice & 7), 60 + (choice & 63)}};
    lochan_pq_scan scan = {.predicate = predicate,
                           .batch_rows = choice & 64 ? 7 : 5000,
                           .rows = choice & 128 ? ranges : NULL,
                           .n_rows = choice & 128 ? LOCHAN_COUNTOF(ranges) : 0};
    LOCHAN_TRY(lochan_pq_reader__stream(r, &scan, &stream, err));
    lochan_status rc;
    int64_t rows = 0;
    while ((rc = lochan_stream__next(&stream, &batch, err)) == LOCHAN_OK && batch.release &&
           rows < MOST_ROWS) {
        if (lochan_array__check(lochan_pq_reader__schema(r), &batch, err) != LOCHAN_OK)
            abort();
        rows += batch.length;
        lochan_array__release(&batch);
    }
    if (rc == LOCHAN_OK)
        lochan_array__release(&batch);
    lochan_stream__release(&stream);
    return rc;
}

static void verify(lochan_pq_reader *r) {
    lochan_error err;
    int leaves = r->schema.n_leaves < MOST_LEAVES ? r->schema.n_leaves : MOST_LEAVES;
    if (lochan_pq_reader__row_groups(r) == 0 || lochan_pq_reader__rows(r) > MOST_ROWS)
        return;
    for (int l = 0; l < leaves; l++) {
        lochan_pq_leaf_check check;
        lochan_error_init(&err);
        lochan_status rc = lochan_pq_verify__leaf(r, 0, l, &check, &err);
        if (rc != LOCHAN_OK && (err.code != rc || err.message[0] == '\0'))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    lochan_error err;
    lochan_budget budget;
    lochan_pq_reader *r;
    if (size < HEAD)
        return 0;
    lochan_pq_read_options options = {.strings = (lochan_pq_strings)(data[0] & 3),
                                      .arrow_schema = data[0] & 8};
    lochan_pq_source source = {.read = read_at,
                               .self = (void *)(uintptr_t)(data + HEAD),
                               .data = data[0] & 4 ? data + HEAD : NULL,
                               .size = size - HEAD,
                               .name = "fuzz"};
    lochan_budget__init(&budget, data[0] & 64 ? 0 : 64 << 20);
    lochan_ctx ctx = {.budget = &budget};
    lochan_error_init(&err);
    lochan_status rc = lochan_pq_reader__open(&ctx, &source, &options, &r, &err);
    if (rc == LOCHAN_OK) {
        lochan_expr *predicate = data[0] & 16 ? NULL : make_predicate(r, data[1]);
        rc = read_some(r, predicate, data[2], &err);
        lochan_expr__free(predicate);
        if (data[0] & 32)
            verify(r);
        lochan_pq_reader__close(r);
    }
    if (budget.used != 0 || (rc != LOCHAN_OK && err.message[0] == '\0'))
        abort();
    return 0;
}
