/* lake.h - what the tests of the catalog share: a temporary folder, a small table, files without
 * bytes. */
#ifndef TESTS_CATALOG_LAKE_H
#define TESTS_CATALOG_LAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/civil.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "catalog/catalog.h"
#include "catalog/query.h"
#include "catalog/txn.h"
#include <lochan/log.h>

#define ok(call) assert_ok_((call), &err, #call, __FILE__, __LINE__)

static inline void assert_ok_(lochan_status rc, const lochan_error *err, const char *what,
                              const char *file, int line) {
    if (rc != LOCHAN_OK) {
        fprintf(stderr, "%s:%d: %s: %s: %s\n", file, line, what, lochan_status_name(rc),
                err->message);
        fail();
    }
}

static inline void quiet_log(void *payload, lochan_log_level level, const char *message) {
    (void)payload;
    (void)level;
    (void)message;
}

/* Warnings are part of what the tests provoke. */
static inline void be_quiet(void) {
    lochan_log_set(quiet_log, NULL, LOCHAN_LOG_WARN);
}

static inline void use_memory_folder(void) {
    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0);
}

/* A new folder below $TMPDIR; free with drop_dir. */
static inline char *make_dir(void) {
    const char *tmp = getenv("TMPDIR");
    char *path = lochan_mem__alloc(200);
    char uuid[37];
    lochan_uuid__make(uuid);
    snprintf(path, 200, "%s/lochan-test-%s", tmp && *tmp ? tmp : "/tmp", uuid);
    lochan_error err;
    ok(lochan_fs__mkdirs(path, NULL, &err));
    return path;
}

static inline void drop_dir(char *path) {
    lochan_error err;
    ok(lochan_fs__remove_tree(path, &err));
    lochan_mem__free(path);
}

static inline char *path_in(const char *dir, const char *name) {
    char *path = lochan_path__join(dir, name);
    assert_non_null(path);
    return path;
}

/* asset string, day date, close float64; by month of the day, ordered by day and asset. */
static inline lochan_status demo_schema(struct ArrowSchema *schema, lochan_error *err) {
    lochan_type text = {.id = LOCHAN_TYPE_STRING}, day = {.id = LOCHAN_TYPE_DATE32},
                real = {.id = LOCHAN_TYPE_FLOAT64};
    LOCHAN_TRY(lochan_schema__init_struct(schema, 3, err));
    LOCHAN_TRY(lochan_schema__set_field(schema->children[0], "asset", &text, false, err));
    LOCHAN_TRY(lochan_schema__set_field(schema->children[1], "day", &day, false, err));
    return lochan_schema__set_field(schema->children[2], "close", &real, true, err);
}

static inline lochan_status create_demo(lochan_txn *txn, const char *dataset, int64_t *table_id,
                                        lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowSchema schema = {0};
    lochan_partition_key keys[] = {{.column = 1, .transform = "year"},
                                   {.column = 1, .transform = "month"}};
    lochan_table_sort sort[] = {{.column = 1}, {.column = 0}};
    LOCHAN_TRYG(demo_schema(&schema, err));
    lochan_table_create create = {.source = "ecb",
                                  .dataset = dataset,
                                  .schema = &schema,
                                  .n_partition = 2,
                                  .partition = keys,
                                  .n_sort = 2,
                                  .sort = sort};
    LOCHAN_TRYG(lochan_txn__create_table(txn, &create, table_id, err));
done:
    lochan_schema__release(&schema);
    return rc;
}

/* A file of 10 rows in month `month` of 2024, with statistics. */
static inline lochan_status add_demo(lochan_txn *txn, int64_t table_id, const char *dataset,
                                     int month, int64_t *id, lochan_error *err) {
    char uuid[37], path[200], number[16], min[16], max[16];
    lochan_uuid__make(uuid);
    snprintf(number, sizeof number, "%d", month);
    snprintf(path, sizeof path, "data/ecb/%s/2024-%02d/%s.parquet", dataset, month, uuid);
    snprintf(min, sizeof min, "2024-%02d-01", month);
    snprintf(max, sizeof max, "2024-%02d-10", month);
    const char *values[] = {"2024", number};
    lochan_column_stats stats[] = {{.column_id = 1,
                                    .compressed_bytes = 100,
                                    .value_count = 10,
                                    .contains_nan = -1,
                                    .min = "AUD",
                                    .max = "USD"},
                                   {.column_id = 2,
                                    .compressed_bytes = 50,
                                    .value_count = 10,
                                    .contains_nan = -1,
                                    .min = min,
                                    .max = max},
                                   {.column_id = 3,
                                    .compressed_bytes = 80,
                                    .value_count = 10,
                                    .null_count = 1,
                                    .min = "0.5",
                                    .max = "1.25"}};
    lochan_file_add file = {.path = path,
                            .rows = 10,
                            .bytes = 1000,
                            .footer_bytes = 200,
                            .partition_values = values,
                            .n_partition_values = 2,
                            .stats = stats,
                            .n_stats = 3,
                            .file_id = uuid,
                            .sorted = true,
                            .key_min = {"a", 1},
                            .key_max = {"b", 1}};
    return lochan_txn__add_file(txn, table_id, &file, id, err);
}

#endif
