/* Kept answers: what an update leaves, what counts as evidence, and a table built again from it
 * without its provider. */
#include "base/hash.h"
#include "pipeline/pipeline.h"
#include "support/fault.h"
#include "support/kill.h"

#include <lochan/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const market early = {.days = 60, .assets = 3};
static const market late = {.days = 91, .assets = 3, .bump_days = 40, .bump = 0.25};
static const char keeps[] = "settle_days: 0\nkeep_raw: true\n";

static lochan_status rebuild(lochan_lake *lake, bool partial, bool plan, lochan_raw_report *report,
                             lochan_error *err) {
    lochan_raw_options options = LOCHAN_RAW_OPTIONS_INIT;
    lochan_raw_report ignored;
    options.partial = partial;
    options.plan = plan;
    lochan_error_init(err);
    return lochan_raw_rebuild(lake, "market", "daily", &options, report ? report : &ignored, NULL,
                              err);
}

static void replace_spec(lochan_lake *lake, const char *find, const char *put, const char *extra) {
    char *yaml, text[8192];
    lochan_error err;
    assert_ok(lochan_dataset_show(lake, "market", "daily", &yaml, &err));
    const char *at = find ? strstr(yaml, find) : yaml + strlen(yaml);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s%s", (int)(at - yaml), yaml, find ? put : "",
             find ? at + strlen(find) : "", extra);
    lochan_free(yaml);
    assert_ok(lochan_dataset_add(lake, text, strlen(text), "daily.yaml", true, &err));
}

static int64_t status_int(lochan_lake *lake, const char *column) {
    struct ArrowArrayStream stream;
    lochan_error err;
    assert_ok(lochan_status_datasets(lake, "market", "daily", &stream, &err));
    return stream_int(&stream, column);
}

static int64_t kept_updates(lochan_lake *lake) {
    struct ArrowArrayStream stream;
    struct ArrowArray batch = {0};
    lochan_error err;
    assert_ok(lochan_raw_list(lake, "market", "daily", &stream, &err));
    assert_int_equal(stream.get_next(&stream, &batch), 0);
    int64_t n = batch.release ? batch.length : 0;
    if (batch.release)
        batch.release(&batch);
    stream.release(&stream);
    return n;
}

/* Two updates of which the second revises days of the first; the provider is gone. */
static pipe_lake two_updates(const char *extra) {
    pipe_lake p = pipe_start(early, NULL, extra);
    lochan_update_request force = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_error err;
    assert_ok(pipe_update(&p, "2020-02-29", NULL, NULL, &err));
    pipe_provider(&p, late, NULL);
    force.force = true;
    assert_ok(pipe_update(&p, "2020-03-31", &force, NULL, &err));
    provider_stop(&p.provider);
    return p;
}

/* ---- the same again ---- */

static void test_raw__nothing_is_kept_unless_asked(void **state) {
    (void)state;
    pipe_lake p = two_updates("settle_days: 0\n");
    lochan_error err;
    assert_int_equal(kept_updates(p.lake), 0);
    assert_int_equal(status_int(p.lake, "raw_bytes"), 0);
    assert_int_equal(rebuild(p.lake, false, false, NULL, &err), LOCHAN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.hint, "keep_raw"));
    pipe_stop(&p);
}

static void test_raw__the_same_spec_gives_the_same_table(void **state) {
    (void)state;
    pipe_lake p = two_updates(keeps);
    lochan_raw_report report;
    lochan_error err;
    int64_t snapshot = pipe_snapshot(p.lake);
    assert_int_equal(kept_updates(p.lake), 2);
    assert_true(status_int(p.lake, "raw_bytes") > 0);
    assert_int_equal(status_int(p.lake, "raw_files"), 2 + 3 + 2 + 2);
    assert_int_equal(status_int(p.lake, "staged_bytes"), 0);
    assert_ok(rebuild(p.lake, false, false, &report, &err));
    assert_int_equal(report.updates, 2);
    assert_int_equal(report.answers, 5);
    assert_int_equal(report.rows, 91 * 3);
    assert_int_equal(report.rows_unchanged, 91 * 3);
    assert_int_equal(report.files_written, 0);
    assert_int_equal(pipe_snapshot(p.lake), snapshot);
    pipe_expect(p.lake, late, 91);
    pipe_verify(p.lake);
    pipe_stop(&p);
}

/* What a repair took out comes back, and the ledger owes nothing any more. */
static void test_raw__brings_back_what_damage_took(void **state) {
    (void)state;
    pipe_lake p = two_updates(keeps);
    lochan_raw_report report;
    lochan_update_report update;
    lochan_repair_options options = LOCHAN_REPAIR_OPTIONS_INIT;
    lochan_repair_report repaired;
    struct ArrowArrayStream stream;
    char command[900];
    lochan_error err;
    assert_ok(lochan_lake_files(p.lake, "market", "daily", &stream, &err));
    char *path = stream_text(&stream, "path");
    snprintf(command, sizeof command, "rm '%s/%s'", p.path, path);
    assert_int_equal(system(command), 0);
    free(path);
    assert_ok(lochan_lake_repair(p.lake, "market", "daily", &options, &repaired, &stream, &err));
    stream.release(&stream);
    assert_true(pipe_rows(p.lake, NULL) < 91 * 3);
    assert_ok(rebuild(p.lake, false, false, &report, &err));
    assert_true(report.rows_new > 0);
    assert_int_equal(report.rows_new + report.rows_unchanged, 91 * 3);
    pipe_expect(p.lake, late, 91);
    pipe_verify(p.lake);
    assert_ok(pipe_update(&p, "2020-03-31", NULL, &update, &err));
    assert_true(update.nothing_to_do);
    pipe_stop(&p);
}

/* Only the days that are owed are touched: what else the answers lack does not matter. */
static void test_raw__brings_back_only_what_is_owed(void **state) {
    (void)state;
    pipe_lake p = pipe_start(late, NULL, "settle_days: 0\n");
    lochan_raw_options options = LOCHAN_RAW_OPTIONS_INIT;
    lochan_raw_report report;
    lochan_repair_options repair_options = LOCHAN_REPAIR_OPTIONS_INIT;
    lochan_repair_report repaired;
    lochan_update_report update;
    struct ArrowArrayStream stream;
    char command[900];
    lochan_error err;
    assert_ok(pipe_update(&p, "2020-01-31", NULL, NULL, &err));
    replace_spec(p.lake, NULL, "", "keep_raw: true\n");
    assert_ok(pipe_update(&p, "2020-03-31", NULL, NULL, &err));
    provider_stop(&p.provider);
    snprintf(command, sizeof command, "rm '%s'/data/market/daily/*/month=03/*.parquet", p.path);
    assert_int_equal(system(command), 0);
    assert_ok(
        lochan_lake_repair(p.lake, "market", "daily", &repair_options, &repaired, &stream, &err));
    stream.release(&stream);
    options.owed = true;
    options.plan = true;
    assert_ok(lochan_raw_rebuild(p.lake, "market", "daily", &options, &report, NULL, &err));
    assert_int_equal(report.rows_new, 31 * 3);
    assert_int_equal(pipe_rows(p.lake, NULL), 60 * 3);
    options.plan = false;
    assert_ok(lochan_raw_rebuild(p.lake, "market", "daily", &options, &report, NULL, &err));
    assert_int_equal(report.rows_new, 31 * 3);
    assert_int_equal(report.lacking, 0);
    pipe_expect(p.lake, late, 91);
    pipe_verify(p.lake);
    assert_ok(pipe_update(&p, "2020-03-31", NULL, &update, &err));
    assert_true(update.nothing_to_do);
    pipe_stop(&p);
}

static void test_raw__a_plan_changes_nothing(void **state) {
    (void)state;
    pipe_lake p = two_updates(keeps);
    lochan_raw_report report;
    lochan_error err;
    int64_t snapshot = pipe_snapshot(p.lake);
    replace_spec(p.lake, NULL, "",
                 "validation: [{column: price, rule: range, max: 50, "
                 "on_error: quarantine}]\n");
    assert_ok(rebuild(p.lake, false, true, &report, &err));
    assert_true(report.rows_removed > 0);
    assert_int_equal(report.snapshot_id, -1);
    assert_int_equal(pipe_snapshot(p.lake), snapshot);
    pipe_expect(p.lake, late, 91);
    char command[700];
    snprintf(command, sizeof command, "test ! -e '%s/data/staging/rebuild/market/daily'", p.path);
    assert_int_equal(system(command), 0);
    pipe_stop(&p);
}

/* ---- another spec ---- */

static void test_raw__a_changed_mapping_is_applied_to_old_answers(void **state) {
    (void)state;
    pipe_lake p = two_updates("settle_days: 0\nkeep_raw: true\nnew_columns: ignore\n");
    lochan_raw_report report;
    struct ArrowArrayStream stream;
    lochan_error err;
    int64_t before = pipe_snapshot(p.lake);
    replace_spec(p.lake, "  price:", "  lots: int64\n  price:", "");
    assert_ok(lochan_raw_list(p.lake, "market", "daily", &stream, &err));
    char *mapping = stream_text(&stream, "mapping");
    assert_string_equal(mapping, "other");
    free(mapping);
    assert_ok(rebuild(p.lake, false, false, &report, &err));
    assert_int_equal(report.rows_replaced, 91 * 3);
    assert_true(pipe_snapshot(p.lake) > before);
    assert_int_equal(pipe_rows(p.lake, "lots = 2"), 91);
    pipe_expect(p.lake, late, 91);
    pipe_verify(p.lake);
    pipe_stop(&p);
}

static char said[4096];

static void on_log(void *payload, lochan_log_level level, const char *message) {
    (void)payload;
    (void)level;
    snprintf(said, sizeof said, "%s", message);
}

/* An update says what a changed mapping would need, until all rows are of one. */
static void test_raw__an_update_tells_of_another_mapping(void **state) {
    (void)state;
    pipe_lake p = two_updates("settle_days: 0\nkeep_raw: true\nnew_columns: ignore\n");
    lochan_update_report update;
    lochan_error err;
    lochan_log_set(on_log, NULL, LOCHAN_LOG_WARN);
    assert_ok(pipe_update(&p, "2020-03-31", NULL, &update, &err));
    assert_string_equal(said, "");
    replace_spec(p.lake, "  price:", "  lots: int64\n  price:", "");
    assert_ok(pipe_update(&p, "2020-03-31", NULL, &update, &err));
    assert_true(update.nothing_to_do);
    assert_non_null(strstr(said, "another mapping"));
    assert_non_null(strstr(said, "rebuild-from-raw"));
    assert_non_null(strstr(said, "--force"));
    assert_ok(rebuild(p.lake, false, false, NULL, &err));
    said[0] = '\0';
    assert_ok(pipe_update(&p, "2020-03-31", NULL, &update, &err));
    assert_string_equal(said, "");
    lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
    pipe_stop(&p);
}

static void test_raw__rows_do_not_go_silently(void **state) {
    (void)state;
    pipe_lake p = two_updates(keeps);
    lochan_raw_report report;
    struct ArrowArrayStream stream;
    lochan_error err;
    replace_spec(p.lake, NULL, "",
                 "validation: [{column: price, rule: range, max: 50, "
                 "on_error: quarantine}]\n");
    assert_int_equal(rebuild(p.lake, false, false, &report, &err), LOCHAN_ERR_PARTIAL);
    assert_non_null(strstr(err.message, "rows that the table has"));
    pipe_expect(p.lake, late, 91);
    assert_ok(rebuild(p.lake, true, false, &report, &err));
    assert_true(report.rows_removed > 0);
    assert_int_equal(pipe_rows(p.lake, NULL), 91 * 3 - report.rows_removed);
    assert_ok(lochan_status_rejects(p.lake, "market", "daily", NULL, &stream, &err));
    char *rule = stream_text(&stream, "rule");
    assert_string_equal(rule, "range");
    free(rule);
    pipe_stop(&p);
}

/* ---- what was not kept ---- */

static void test_raw__days_without_answers_are_told(void **state) {
    (void)state;
    pipe_lake p = pipe_start(late, NULL, "settle_days: 0\n");
    lochan_raw_options options = LOCHAN_RAW_OPTIONS_INIT;
    lochan_raw_report report;
    lochan_update_report update;
    struct ArrowArrayStream lacks;
    lochan_error err;
    assert_ok(pipe_update(&p, "2020-01-31", NULL, NULL, &err));
    replace_spec(p.lake, NULL, "", "keep_raw: true\n");
    assert_ok(pipe_update(&p, "2020-03-31", NULL, NULL, &err));
    assert_int_equal(lochan_raw_rebuild(p.lake, "market", "daily", &options, &report, &lacks, &err),
                     LOCHAN_ERR_PARTIAL);
    assert_int_equal(report.lacking, 1);
    char *day = stream_text(&lacks, "day_to");
    assert_string_equal(day, "2020-01-31");
    free(day);
    assert_non_null(strstr(err.message, "2020-01-01 to 2020-01-31"));
    pipe_expect(p.lake, late, 91);
    assert_ok(rebuild(p.lake, true, false, &report, &err));
    assert_int_equal(report.rows_removed, 31 * 3);
    assert_int_equal(pipe_rows(p.lake, NULL), 60 * 3);
    assert_ok(pipe_update(&p, "2020-03-31", NULL, &update, &err)); /* they are owed */
    assert_int_equal(update.scopes, 1);
    pipe_expect(p.lake, late, 91);
    assert_ok(rebuild(p.lake, false, false, &report, &err)); /* now all is kept */
    assert_int_equal(report.rows_unchanged, 91 * 3);
    pipe_stop(&p);
}

/* A page that is damaged is found, and its days are named. */
static void test_raw__a_damaged_answer_is_no_evidence(void **state) {
    (void)state;
    pipe_lake p = two_updates(keeps);
    lochan_raw_report report;
    char command[900];
    lochan_error err;
    snprintf(command, sizeof command,
             "for f in '%s'/data/staging/raw/market/daily/*/*.page; do printf x | dd of=\"$f\" "
             "bs=1 seek=30 conv=notrunc 2>/dev/null; done",
             p.path);
    assert_int_equal(system(command), 0);
    assert_int_equal(rebuild(p.lake, false, false, &report, &err), LOCHAN_ERR_PARTIAL);
    assert_int_equal(report.scopes_failed, 5);
    pipe_expect(p.lake, late, 91);
    assert_int_equal(kept_updates(p.lake), 2); /* nothing of it was removed */
    snprintf(command, sizeof command,
             "for f in '%s'/data/staging/raw/market/daily/*/evidence; do printf x | dd of=\"$f\" "
             "bs=1 seek=20 conv=notrunc 2>/dev/null; done",
             p.path);
    assert_int_equal(system(command), 0);
    assert_int_equal(rebuild(p.lake, false, false, &report, &err), LOCHAN_ERR_CORRUPT);
    pipe_expect(p.lake, late, 91);
    pipe_stop(&p);
}

/* Puts a number into the record of the newest update that is kept, with the right hash; what was
 * there. */
static uint32_t forge(const pipe_lake *p, long at, uint32_t value) {
    char command[900], path[700];
    uint8_t bytes[4096];
    uint32_t old;
    snprintf(command, sizeof command, "ls -td '%s'/data/staging/raw/market/daily/*/evidence",
             p->path);
    FILE *found = popen(command, "r");
    assert_non_null(found);
    assert_non_null(fgets(path, sizeof path, found));
    pclose(found);
    path[strcspn(path, "\n")] = 0;
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    size_t n = fread(bytes, 1, sizeof bytes, file);
    assert_in_range(n, 120, sizeof bytes - 1);
    memcpy(&old, bytes + at, sizeof old);
    memcpy(bytes + at, &value, sizeof value);
    lochan_hash128 hash = lochan_hash__128(bytes, n - 16);
    memcpy(bytes + n - 16, &hash.lo, 8);
    memcpy(bytes + n - 8, &hash.hi, 8);
    rewind(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    return old;
}

/* What no update writes is refused, and nothing is counted with it. */
static void test_raw__a_forged_record_is_refused(void **state) {
    static const struct {
        long at;
        uint32_t value;
    } forgeries[] = {
        {96, 1u << 30},     /* scopes */
        {100, 0x80000000u}, /* the first day of the first */
        {104, INT32_MAX},   /* its last day */
        {112, 0x80000000u}  /* when it was asked, its upper half */
    };
    (void)state;
    pipe_lake p = two_updates(keeps);
    lochan_error err;
    for (size_t i = 0; i < sizeof forgeries / sizeof *forgeries; i++) {
        uint32_t old = forge(&p, forgeries[i].at, forgeries[i].value);
        assert_int_equal(rebuild(p.lake, false, false, NULL, &err), LOCHAN_ERR_CORRUPT);
        assert_non_null(strstr(err.file, "/evidence"));
        (void)forge(&p, forgeries[i].at, old);
    }
    assert_ok(rebuild(p.lake, false, false, NULL, &err));
    pipe_expect(p.lake, late, 91);
    pipe_stop(&p);
}

/* A folder that a killed update left, and whose record no one can read. */
static void test_raw__a_damaged_record_in_staging_stops_no_update(void **state) {
    (void)state;
    pipe_lake p = two_updates(keeps);
    lochan_update_request again = LOCHAN_UPDATE_REQUEST_INIT;
    char command[900];
    lochan_error err;
    snprintf(command, sizeof command,
             "cd '%s/data/staging' && f=$(ls -td raw/market/daily/* | head -1) && printf x | dd "
             "of=\"$f/evidence\" bs=1 seek=20 conv=notrunc 2>/dev/null && mv \"$f\" .",
             p.path);
    assert_int_equal(system(command), 0);
    pipe_provider(&p, late, NULL);
    again.force = true;
    assert_ok(pipe_update(&p, "2020-03-31", &again, NULL, &err));
    pipe_expect(p.lake, late, 91);
    snprintf(command, sizeof command, "test 1 = $(ls -d '%s'/data/staging/*/evidence | wc -l)",
             p.path);
    assert_int_equal(system(command), 0); /* it is there still */
    assert_int_equal(rebuild(p.lake, false, false, NULL, &err), LOCHAN_ERR_CORRUPT);
    pipe_stop(&p);
}

static void test_raw__failed_windows_are_no_evidence(void **state) {
    (void)state;
    pipe_lake p = pipe_start(late, NULL,
                             "settle_days: 0\nkeep_raw: true\nvalidation: "
                             "[{column: price, rule: range, max: 70, on_error: fail}]\n");
    lochan_raw_report report;
    lochan_error err;
    assert_int_equal(pipe_update(&p, "2020-03-31", NULL, NULL, &err), LOCHAN_ERR_PARTIAL);
    assert_int_equal(status_int(p.lake, "raw_files"), 2 + 2); /* January and February */
    assert_ok(rebuild(p.lake, false, false, &report, &err));
    assert_int_equal(report.scopes, 2);
    assert_int_equal(report.rows_unchanged, 60 * 3);
    pipe_stop(&p);
}

/* ---- the bound ---- */

static void test_raw__the_oldest_go_first(void **state) {
    (void)state;
    pipe_lake p = two_updates(keeps);
    int64_t files, bytes, all = status_int(p.lake, "raw_bytes");
    lochan_raw_report report;
    lochan_error err;
    assert_ok(lochan_raw_trim(p.lake, "market", "daily", -1, &files, &bytes, &err));
    assert_int_equal(files, 0);
    assert_ok(lochan_raw_trim(p.lake, "market", "daily", all - 1, &files, &bytes, &err));
    assert_int_equal(files, 2 + 2);
    assert_int_equal(status_int(p.lake, "raw_bytes"), all - bytes);
    assert_ok(rebuild(p.lake, false, false, &report, &err)); /* the second has it all */
    assert_int_equal(report.rows_unchanged, 91 * 3);
    assert_ok(lochan_raw_trim(p.lake, NULL, NULL, 0, &files, &bytes, &err));
    assert_int_equal(status_int(p.lake, "raw_bytes"), 0);
    assert_int_equal(kept_updates(p.lake), 0);
    pipe_stop(&p);
}

static void test_raw__they_go_with_the_data(void **state) {
    (void)state;
    pipe_lake p = two_updates(keeps);
    char path[500];
    lochan_error err;
    snprintf(path, sizeof path, "%s/data/staging/raw/market/daily", p.path);
    assert_int_equal(access(path, F_OK), 0);
    assert_ok(lochan_dataset_remove(p.lake, "market", "daily", true, &err));
    assert_int_not_equal(access(path, F_OK), 0);
    pipe_stop(&p);
}

static void test_raw__an_update_keeps_the_bound(void **state) {
    (void)state;
    pipe_lake p = two_updates("settle_days: 0\nkeep_raw: true\nraw_max_bytes: 1\n");
    assert_int_equal(status_int(p.lake, "raw_bytes"), 0);
    assert_int_equal(kept_updates(p.lake), 0);
    pipe_stop(&p);
}

/* ---- interrupted ---- */

struct fixture {
    pipe_lake base;
    char copy[320];
};

static struct fixture make_fixture(void) {
    struct fixture f;
    lochan_error err;
    f.base = pipe_start(early, NULL, keeps);
    assert_ok(pipe_update(&f.base, "2020-02-29", NULL, NULL, &err));
    pipe_provider(&f.base, late, NULL);
    lochan_lake_close(f.base.lake);
    f.base.lake = NULL;
    snprintf(f.copy, sizeof f.copy, "%s/copy", f.base.dir);
    return f;
}

static void free_fixture(struct fixture *f) {
    provider_stop(&f->base.provider);
    tmpdir_remove(f->base.dir);
}

static void fresh_copy(void *ctx) {
    struct fixture *f = ctx;
    tmpdir_mkdir(f->copy);
    tmpdir_clear(f->copy);
    tmpdir_copy(f->base.path, f->copy);
}

static lochan_status open_copy(struct fixture *f, lochan_lake **lake, lochan_error *err) {
    lochan_lake_options options = LOCHAN_LAKE_OPTIONS_INIT;
    options.threads = 1;
    return lochan_lake_open(f->copy, &options, lake, err);
}

static lochan_status update_copy(void *ctx, lochan_error *err) {
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_lake *lake = NULL;
    lochan_status rc = open_copy(ctx, &lake, err);
    if (rc == LOCHAN_OK) {
        request.source = "market";
        request.dataset = "daily";
        request.end = "2020-03-31";
        request.force = true;
        request.workers = 1;
        rc = lochan_update_run(lake, &request, &report, err);
    }
    lochan_lake_close(lake);
    return rc;
}

static lochan_status rebuild_copy(void *ctx, lochan_error *err) {
    lochan_lake *lake = NULL;
    lochan_raw_report report;
    lochan_raw_options options = LOCHAN_RAW_OPTIONS_INIT;
    lochan_status rc = open_copy(ctx, &lake, err);
    if (rc == LOCHAN_OK)
        rc = lochan_raw_rebuild(lake, "market", "daily", &options, &report, NULL, err);
    lochan_lake_close(lake);
    return rc;
}

/* Whatever became of the update: what is kept gives the table that there is, and the next update
 * brings the rest. */
static void check_update(void *ctx, lochan_status rc) {
    struct fixture *f = ctx;
    lochan_lake *lake = NULL;
    lochan_raw_report report;
    lochan_error err;
    (void)rc;
    lochan_error_init(&err);
    assert_ok(open_copy(f, &lake, &err));
    int64_t rows = pipe_rows(lake, NULL);
    assert_true(rows == 60 * 3 || rows == 91 * 3);
    if (rebuild(lake, false, false, &report, &err) != LOCHAN_OK)
        fail_msg("rebuild: %s", err.message);
    assert_int_equal(report.rows_unchanged, rows);
    assert_int_equal(kept_updates(lake), rows == 91 * 3 ? 2 : 1);
    lochan_lake_close(lake);
    assert_ok(update_copy(f, &err));
    assert_ok(open_copy(f, &lake, &err));
    assert_ok(rebuild(lake, false, false, &report, &err));
    assert_int_equal(report.rows_unchanged, 91 * 3);
    pipe_expect(lake, late, 91);
    lochan_lake_close(lake);
}

static void test_raw__an_update_killed_at_every_failpoint(void **state) {
    (void)state;
    struct fixture f = make_fixture();
    static kill_trace trace;
    fresh_copy(&f);
    kill_result whole = kill_list(update_copy, &f, &trace);
    assert_true(whole.finished && whole.rc == LOCHAN_OK);
    bool seen = false;
    for (size_t n = 1; n <= trace.count; n++) {
        seen = seen || strcmp(trace.names[n - 1], "update.raw.moved") == 0;
        if (strncmp(trace.names[n - 1], "update.", 7) != 0)
            continue;
        fresh_copy(&f);
        kill_result r = kill_at(update_copy, &f, n, NULL, NULL);
        assert_true(r.reached);
        check_update(&f, LOCHAN_OK);
    }
    assert_true(seen);
    free_fixture(&f);
}

/* A lake that lost a partition's rows to a repair, with its answers. */
static void lose_rows(struct fixture *f) {
    lochan_repair_options options = LOCHAN_REPAIR_OPTIONS_INIT;
    lochan_repair_report repaired;
    struct ArrowArrayStream stream;
    lochan_lake *lake = NULL;
    char command[900];
    lochan_error err;
    assert_ok(lochan_lake_open(f->base.path, NULL, &lake, &err));
    assert_ok(lochan_lake_files(lake, "market", "daily", &stream, &err));
    char *path = stream_text(&stream, "path");
    snprintf(command, sizeof command, "rm '%s/%s'", f->base.path, path);
    assert_int_equal(system(command), 0);
    free(path);
    assert_ok(lochan_lake_repair(lake, "market", "daily", &options, &repaired, &stream, &err));
    stream.release(&stream);
    lochan_lake_close(lake);
}

/* Before or after; and again without hindrance. */
static void check_rebuild(void *ctx, lochan_status rc) {
    struct fixture *f = ctx;
    lochan_lake *lake = NULL;
    lochan_error err;
    lochan_error_init(&err);
    assert_ok(open_copy(f, &lake, &err));
    int64_t rows = pipe_rows(lake, NULL);
    assert_true(rows == 60 * 3 || (rows < 60 * 3 && rc != LOCHAN_OK));
    assert_int_equal(kept_updates(lake), 1);
    pipe_verify(lake);
    lochan_lake_close(lake);
    if (rebuild_copy(f, &err) != LOCHAN_OK)
        fail_msg("rebuild: %s", err.message);
    assert_ok(open_copy(f, &lake, &err));
    pipe_expect(lake, early, 60);
    pipe_verify(lake);
    lochan_lake_close(lake);
}

static void test_raw__a_rebuild_killed_at_every_failpoint(void **state) {
    (void)state;
    struct fixture f = make_fixture();
    static kill_trace trace;
    lose_rows(&f);
    fresh_copy(&f);
    kill_result whole = kill_list(rebuild_copy, &f, &trace);
    assert_true(whole.finished && whole.rc == LOCHAN_OK);
    size_t killed = 0;
    for (size_t n = 1; n <= trace.count; n++) {
        if (strncmp(trace.names[n - 1], "update.rebuild.", 15) != 0 && n + 25 < trace.count)
            continue;
        fresh_copy(&f);
        kill_result r = kill_at(rebuild_copy, &f, n, NULL, NULL);
        assert_true(r.reached);
        check_rebuild(&f, LOCHAN_ERR_IO);
        killed++;
    }
    assert_true(killed >= 4);
    free_fixture(&f);
}

static void sweep(const char *name, bool rebuilds, unsigned kinds, long dense) {
    struct fixture f = make_fixture();
    if (rebuilds)
        lose_rows(&f);
    fault_totals totals =
        fault_sweep(&(fault_case){.name = name,
                                  .prep = fresh_copy,
                                  .body = rebuilds ? rebuild_copy : update_copy,
                                  .check = rebuilds ? check_rebuild : check_update,
                                  .ctx = &f,
                                  .kinds = kinds,
                                  .once_only = true,
                                  .dense = dense});
    assert_true(totals.failed > 0);
    free_fixture(&f);
}

static void test_raw__every_file_operation_of_an_update_can_fail(void **state) {
    (void)state;
    sweep("update with keep_raw", false, FAULT_EIO | FAULT_SYNC, 6);
}

static void test_raw__every_file_operation_of_a_rebuild_can_fail(void **state) {
    (void)state;
    sweep("rebuild", true, FAULT_EIO | FAULT_SYNC | FAULT_POINT, 6);
}

static void test_raw__memory_of_a_rebuild_can_run_out(void **state) {
    (void)state;
    sweep("rebuild", true, FAULT_OOM, 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_raw__nothing_is_kept_unless_asked),
        cmocka_unit_test(test_raw__the_same_spec_gives_the_same_table),
        cmocka_unit_test(test_raw__brings_back_what_damage_took),
        cmocka_unit_test(test_raw__brings_back_only_what_is_owed),
        cmocka_unit_test(test_raw__a_plan_changes_nothing),
        cmocka_unit_test(test_raw__a_changed_mapping_is_applied_to_old_answers),
        cmocka_unit_test(test_raw__an_update_tells_of_another_mapping),
        cmocka_unit_test(test_raw__rows_do_not_go_silently),
        cmocka_unit_test(test_raw__days_without_answers_are_told),
        cmocka_unit_test(test_raw__a_damaged_answer_is_no_evidence),
        cmocka_unit_test(test_raw__a_forged_record_is_refused),
        cmocka_unit_test(test_raw__a_damaged_record_in_staging_stops_no_update),
        cmocka_unit_test(test_raw__failed_windows_are_no_evidence),
        cmocka_unit_test(test_raw__the_oldest_go_first),
        cmocka_unit_test(test_raw__they_go_with_the_data),
        cmocka_unit_test(test_raw__an_update_keeps_the_bound),
        cmocka_unit_test(test_raw__an_update_killed_at_every_failpoint),
        cmocka_unit_test(test_raw__a_rebuild_killed_at_every_failpoint),
        cmocka_unit_test(test_raw__every_file_operation_of_an_update_can_fail),
        cmocka_unit_test(test_raw__every_file_operation_of_a_rebuild_can_fail),
        cmocka_unit_test(test_raw__memory_of_a_rebuild_can_run_out),
    };
    return cmocka_run_group_tests_name("pipeline/raw", tests, NULL, NULL);
}
