/* lake_env.h - a lake in a temporary folder and a small market table in it, for the tests of
 * table/. Rows are written and read as text: "2024-01-31 A 1.5 10" is day, asset, price (- = null),
 * quantity.
 */
#ifndef TEST_TABLE_LAKE_ENV_H
#define TEST_TABLE_LAKE_ENV_H

#include "arrow/builder.h"
#include "arrow/kernels.h"
#include "arrow/view.h"
#include "base/civil.h"
#include "support/cmocka_all.h"
#include "support/tmpdir.h"
#include "table/table.h"
#include <stdio.h>

typedef struct lake_env {
    char *dir;
    const char *path; /* of the lake */
    char path_text[512];
    lochan_lake *lake;
    int threads;
    uint64_t memory_limit;
    uint64_t target_file_bytes;
    int64_t row_group_rows;
    bool point_in_time;
    bool keyless;
    bool single_file;
    const char *strategy;   /* of partitions; NULL = year_month or single_file */
    bool add;               /* rows go in by lochan_write__add, `pieces` at a time */
    int64_t piece;          /* rows a piece, 0 = all at once */
    bool descending;        /* pieces come last first */
    lochan_write_mode mode; /* 0 = upsert, or append if keyless */
    const lochan_replace_scope *scopes;
    size_t n_scopes;
    lochan_dedup dedup;
    const char *order_column;
    int conflict_retries;
    lochan_upkeep upkeep;       /* of the table */
    lochan_write_counts counts; /* of the last write */
    int64_t snapshot;
    char *text; /* of the last env_read */
} lake_env;

static inline void env_open(lake_env *env) {
    lochan_error err;
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    o.threads = env->threads ? env->threads : 2;
    o.memory_limit = env->memory_limit;
    assert_ok(lochan_lake_open(env->path, &o, &env->lake, &err));
}

static inline int env_setup(void **state) {
    lochan_error err;
    lake_env *env = calloc(1, sizeof *env);
    env->dir = tmpdir_make("table");
    snprintf(env->path_text, sizeof env->path_text, "%s/lake", env->dir);
    env->path = env->path_text;
    assert_ok(lochan_lake_init(env->path, NULL, &err));
    env_open(env);
    *state = env;
    return 0;
}

static inline int env_teardown(void **state) {
    lake_env *env = *state;
    lochan_lake_close(env->lake);
    tmpdir_remove(env->dir);
    free(env->text);
    free(env);
    return 0;
}

static inline void env_reopen(lake_env *env) {
    lochan_lake_close(env->lake);
    env->lake = NULL;
    env_open(env);
}

/* ---- the table ---- */

static inline lochan_status env_schema(const lake_env *env, int extra, struct ArrowSchema *out,
                                       lochan_error *err) {
    lochan_type date = {.id = LOCHAN_TYPE_DATE32}, text = {.id = LOCHAN_TYPE_STRING},
                number = {.id = LOCHAN_TYPE_FLOAT64}, count = {.id = LOCHAN_TYPE_INT64};
    LOCHAN_TRY(lochan_schema__init_struct(out, 4 + extra, err));
    LOCHAN_TRY(lochan_schema__set_field(out->children[0], "time", &date, env->keyless, err));
    LOCHAN_TRY(lochan_schema__set_field(out->children[1], "asset_id", &text, env->keyless, err));
    LOCHAN_TRY(lochan_schema__set_field(out->children[2], "price", &number, true, err));
    LOCHAN_TRY(lochan_schema__set_field(out->children[3], "qty", &count, true, err));
    if (extra)
        LOCHAN_TRY(lochan_schema__set_field(out->children[4], "note", &text, true, err));
    return LOCHAN_OK;
}

static inline lochan_table_spec env_spec(const lake_env *env, const struct ArrowSchema *schema) {
    static const char *const key[] = {"asset_id", "time"};
    static const char *const sort[] = {"time"};
    static const char *const column[] = {"time"};
    lochan_table_spec spec = {
        .source = "test",
        .name = "daily",
        .schema = schema,
        .key = key,
        .n_key = env->keyless ? 0 : 2,
        .sort = sort,
        .n_sort = 1,
        .partition = {.strategy = "year_month", .columns = column, .n_columns = 1},
        .point_in_time = env->point_in_time,
        .upkeep = env->upkeep};
    if (env->single_file)
        spec.partition = (lochan_partition_def){.strategy = "single_file"};
    if (env->strategy) {
        static const char *const both[] = {"time", "asset_id"};
        size_t n = lochan_partition__column_count(env->strategy);
        spec.partition = (lochan_partition_def){
            .strategy = env->strategy,
            .columns = strcmp(env->strategy, "identity") == 0 ? &both[1] : both,
            .n_columns = n};
    }
    return spec;
}

static inline lochan_status env_ensure(const lake_env *env, int extra, lochan_table **out,
                                       lochan_error *err) {
    struct ArrowSchema schema = {0};
    *out = NULL;
    lochan_status rc = env_schema(env, extra, &schema, err);
    if (rc == LOCHAN_OK) {
        lochan_table_spec spec = env_spec(env, &schema);
        rc = lochan_table__ensure(env->lake, &spec, out, err);
    }
    lochan_schema__release(&schema);
    return rc;
}

/* ---- rows ---- */

static inline lochan_status env_append_row(lochan_builder *b, const char *line, int extra,
                                           lochan_error *err) {
    char day[32], asset[64], price[64], qty[32], note[64] = "";
    int32_t days = 0;
    double number = 0;
    int64_t count = 0;
    int got = sscanf(line, "%31s %63s %63s %31s %63s", day, asset, price, qty, note);
    if (got < 4 || !lochan_civil__parse_date(day, strlen(day), &days))
        return lochan_error__set(err, LOCHAN_ERR_INTERNAL, "bad test row '%s'", line);
    LOCHAN_TRY(lochan_builder__int64(lochan_builder__child(b, 0), days, err));
    LOCHAN_TRY(lochan_builder__bytes_value(lochan_builder__child(b, 1), asset, strlen(asset), err));
    if (lochan_parse__double(price, strlen(price), true, &number))
        LOCHAN_TRY(lochan_builder__double(lochan_builder__child(b, 2), number, err));
    else
        LOCHAN_TRY(lochan_builder__null(lochan_builder__child(b, 2), err));
    if (lochan_parse__int64(qty, strlen(qty), &count))
        LOCHAN_TRY(lochan_builder__int64(lochan_builder__child(b, 3), count, err));
    else
        LOCHAN_TRY(lochan_builder__null(lochan_builder__child(b, 3), err));
    if (extra) {
        if (note[0])
            LOCHAN_TRY(
                lochan_builder__bytes_value(lochan_builder__child(b, 4), note, strlen(note), err));
        else
            LOCHAN_TRY(lochan_builder__null(lochan_builder__child(b, 4), err));
    }
    return lochan_builder__end_row(b, err);
}

/* One line a row. */
static inline lochan_status env_batch(const lake_env *env, int extra, const char *text,
                                      struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowSchema schema = {0};
    lochan_builder *b = NULL;
    memset(out, 0, sizeof *out);
    LOCHAN_TRYG(env_schema(env, extra, &schema, err));
    LOCHAN_TRYG(lochan_builder__create(&schema, &b, err));
    while (*text) {
        char line[256];
        size_t n = strcspn(text, "\n");
        snprintf(line, sizeof line, "%.*s", (int)n, text);
        LOCHAN_TRYG(env_append_row(b, line, extra, err));
        text += n + (text[n] == '\n');
    }
    LOCHAN_TRYG(lochan_builder__finish(b, out, err));
done:
    lochan_builder__free(b);
    lochan_schema__release(&schema);
    return rc;
}

/* Rows of one partition, sorted. */
static inline lochan_status env_pick(const struct ArrowSchema *schema,
                                     const struct ArrowArray *batch, const uint32_t *ids,
                                     uint32_t id, const lochan_sort_key *order, size_t n_order,
                                     struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    int64_t *rows = NULL, *sorted = NULL;
    struct ArrowArray picked = {0};
    size_t n = 0;
    rows = lochan_mem__array((size_t)batch->length + 1, sizeof *rows);
    if (!rows)
        return lochan_error__nomem(err);
    for (int64_t i = 0; i < batch->length; i++) {
        if (ids[i] == id)
            rows[n++] = i;
    }
    LOCHAN_TRYG(lochan_take(schema, batch, rows, n, &picked, err));
    LOCHAN_TRYG(lochan_sort_indices(schema, &picked, order, n_order, &sorted, err));
    LOCHAN_TRYG(lochan_take(schema, &picked, sorted, n, out, err));
done:
    lochan_array__release(&picked);
    lochan_mem__free(rows);
    lochan_mem__free(sorted);
    return rc;
}

static inline lochan_status env_merge_all(lochan_write *w, const struct ArrowSchema *schema,
                                          const struct ArrowArray *batch, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray part = {0};
    size_t n_order;
    const lochan_sort_key *order = lochan_write__order(w, &n_order);
    uint32_t *ids = lochan_mem__array((size_t)batch->length + 1, sizeof *ids);
    if (!ids)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_write__partition_of(w, batch, ids, err));
    for (uint32_t p = 0; p < lochan_write__partitions(w); p++) {
        LOCHAN_TRYG(env_pick(schema, batch, ids, p, order, n_order, &part, err));
        LOCHAN_TRYG(lochan_write__merge_partition(w, p, &part, NULL, err));
        lochan_array__release(&part);
    }
done:
    lochan_array__release(&part);
    lochan_mem__free(ids);
    return rc;
}

/* The rows in pieces, each with its place in the plan. */
static inline lochan_status env_add_all(const lake_env *env, lochan_write *w,
                                        const struct ArrowArray *batch, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    int64_t step = env->piece > 0 ? env->piece : batch->length;
    int64_t n = step > 0 ? (batch->length + step - 1) / step : 0;
    struct ArrowArray slice = {0};
    lochan_shared *shared = NULL;
    struct ArrowSchema schema = {0};
    struct ArrowArray copy = {0};
    LOCHAN_TRYG(env_schema(env, 0, &schema, err));
    LOCHAN_TRYG(lochan_concat(&schema, &batch, 1, &copy, err));
    shared = lochan_shared__give(&copy);
    for (int64_t i = 0; shared && i < n; i++) {
        int64_t k = env->descending ? n - 1 - i : i;
        int64_t rows = batch->length - k * step < step ? batch->length - k * step : step;
        LOCHAN_TRYG(lochan_shared__slice(shared, k * step, rows, &slice, err));
        LOCHAN_TRYG(lochan_write__add(w, (uint64_t)k, &slice, err));
        lochan_array__release(&slice);
    }
done:
    lochan_array__release(&slice);
    lochan_shared__unref(shared);
    lochan_schema__release(&schema);
    return rc;
}

static inline lochan_status env_try_write_with(lake_env *env, int extra, const char *text,
                                               const char *token, lochan_write_hook hook, void *ctx,
                                               lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_table *table = NULL;
    lochan_write *w = NULL;
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    lochan_write_options o = {.mode = env->mode      ? env->mode
                                      : env->keyless ? LOCHAN_WRITE_APPEND
                                                     : LOCHAN_WRITE_UPSERT,
                              .dedup = env->dedup,
                              .order_column = env->order_column,
                              .conflict_retries = env->conflict_retries,
                              .asset_column = "asset_id",
                              .time_column = "time",
                              .token = token,
                              .target_file_bytes = env->target_file_bytes,
                              .row_group_rows = env->row_group_rows};
    LOCHAN_TRYG(env_schema(env, extra, &schema, err));
    LOCHAN_TRYG(env_batch(env, extra, text, &batch, err));
    LOCHAN_TRYG(env_ensure(env, extra, &table, err));
    LOCHAN_TRYG(lochan_write__begin(env->lake, table, &schema, &o, &w, err));
    LOCHAN_TRYG(lochan_write__replace(w, env->scopes, env->n_scopes, err));
    if (env->add)
        LOCHAN_TRYG(env_add_all(env, w, &batch, err));
    else
        LOCHAN_TRYG(env_merge_all(w, &schema, &batch, err));
    LOCHAN_TRYG(lochan_write__publish(w, hook, ctx, &env->snapshot, err));
    lochan_write__totals(w, &env->counts);
done:
    lochan_write__free(w);
    lochan_table__close(table);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
    return rc;
}

static inline lochan_status env_try_write(lake_env *env, const char *text, lochan_error *err) {
    return env_try_write_with(env, 0, text, NULL, NULL, NULL, err);
}

static inline void env_write(lake_env *env, const char *text) {
    lochan_error err;
    assert_ok(env_try_write(env, text, &err));
}

static inline void env_counts(const lake_env *env, int64_t added, int64_t replaced,
                              int64_t unchanged) {
    assert_int_equal(env->counts.rows_new, added);
    assert_int_equal(env->counts.rows_replaced, replaced);
    assert_int_equal(env->counts.rows_unchanged, unchanged);
}

/* Drains a stream into env->text: values of a row divided by a blank, null as "-". */
static inline lochan_status env_drain(lake_env *env, struct ArrowArrayStream *stream,
                                      lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    lochan_buf out;
    lochan_buf__init(&out, 1 << 28);
    free(env->text);
    env->text = NULL;
    LOCHAN_TRYG(lochan_stream__schema(stream, &schema, err));
    for (;;) {
        LOCHAN_TRYG(lochan_stream__next(stream, &batch, err));
        if (!batch.release)
            break;
        for (int64_t i = 0; i < batch.length; i++) {
            for (int64_t c = 0; c < batch.n_children; c++) {
                lochan_view v = {0};
                LOCHAN_TRYG(lochan_view__init(&v, schema.children[c], batch.children[c], err));
                if (c > 0)
                    LOCHAN_TRYG(lochan_buf__putc(&out, ' ', err));
                if (lochan_view__is_null(&v, i))
                    LOCHAN_TRYG(lochan_buf__putc(&out, '-', err));
                else
                    LOCHAN_TRYG(lochan_view__print(&v, i, &out, err));
                lochan_view__deinit(&v);
            }
            LOCHAN_TRYG(lochan_buf__putc(&out, '\n', err));
        }
        lochan_array__release(&batch);
    }
    env->text = calloc(1, out.len + 1);
    if (out.len > 0)
        memcpy(env->text, out.data, out.len);
done:
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
    lochan_buf__deinit(&out);
    return rc;
}

static inline lochan_status env_try_read(lake_env *env, const lochan_scan_options *o,
                                         lochan_scan_stats *stats, lochan_error *err) {
    struct ArrowArrayStream stream = {0};
    LOCHAN_TRY(lochan_lake_scan(env->lake, "test", "daily", o, &stream, err));
    lochan_status rc = env_drain(env, &stream, err);
    if (rc == LOCHAN_OK && stats)
        rc = lochan_scan_get_stats(&stream, stats, err);
    lochan_stream__release(&stream);
    return rc;
}

static inline const char *env_read(lake_env *env, const char *where) {
    lochan_error err;
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    o.where = where;
    assert_ok(env_try_read(env, &o, NULL, &err));
    return env->text;
}

/* Every file, page and row is as the catalog says; unknown files are allowed where `unknown` is. */
static inline void env_verify(lake_env *env, bool unknown) {
    lochan_error err;
    lochan_verify_options o = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report report;
    struct ArrowArrayStream problems = {0};
    o.deep = true;
    assert_ok(lochan_lake_verify(env->lake, &o, &report, &problems, &err));
    if (report.problems > 0 || (!unknown && report.unknown_files > 0)) {
        assert_ok(env_drain(env, &problems, &err));
        fail_msg("verify found:\n%s", env->text);
    }
    lochan_stream__release(&problems);
}

/* Live files of the table. */
static inline int64_t env_files(lake_env *env) {
    lochan_error err;
    lochan_verify_options o = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report report;
    assert_ok(lochan_lake_verify(env->lake, &o, &report, NULL, &err));
    assert_int_equal(report.problems, 0);
    return report.files_checked;
}

#endif
