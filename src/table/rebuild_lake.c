/* rebuild_lake.c - a lake made whole again: lake.db from the journal, then a look at every file.
 * Invariants: what is not certain to be a whole append that never was part of a table is reported,
 * never made data; no file is changed. May call: base/, parquet/, store/, catalog/,
 * adopt_unknown.c.
 */
#include "table/adopt_unknown.h"

#include "base/str.h"
#include "catalog/rebuild.h"

static lochan_status read_options(const lochan_lake_rebuild_options *options,
                                  lochan_lake_rebuild_options *out, lochan_error *err) {
    static const uint8_t zero[sizeof out->reserved];
    *out = (lochan_lake_rebuild_options)LOCHAN_LAKE_REBUILD_OPTIONS_INIT;
    if (!options)
        return LOCHAN_OK;
    LOCHAN_CHECK_ARG(options->struct_size >= offsetof(lochan_lake_rebuild_options, reserved), err);
    memcpy(out, options, options->struct_size < sizeof *out ? options->struct_size : sizeof *out);
    LOCHAN_CHECK_ARG(memcmp(out->reserved, zero, sizeof zero) == 0, err);
    return LOCHAN_OK;
}

static lochan_status rebuild_catalog(const char *path, const lochan_lake_options *lake_options,
                                     const lochan_lake_rebuild_options *o, int64_t *records,
                                     lochan_error *err) {
    lochan_catalog_options c = {.command = "lochan rebuild"};
    if (lake_options)
        c.lock_timeout_ms = lake_options->lock_timeout_ms;
    if (o->cut)
        return lochan_catalog__cut_journal(path, &c, records, err);
    lochan_status rc = lochan_catalog__rebuild(path, &c, records, err);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        lochan_error__hint(err, "without a journal nothing tells live files from replaced ones: "
                                "restore a backup");
    return rc;
}

static lochan_status count(lochan_lake *lake, lochan_lake_rebuild_report *report,
                           lochan_error *err) {
    lochan_table_names names = {0};
    lochan_known_files known = {0};
    lochan_status rc = lochan_catalog__tables(lake->catalog, -1, &names, err);
    if (rc == LOCHAN_OK)
        rc = lochan_catalog__known_files(lake->catalog, &known, err);
    report->tables = (int64_t)names.n;
    for (size_t i = 0; i < known.n; i++) {
        report->files += known.files[i].live;
        report->rows += known.files[i].live ? known.files[i].rows : 0;
    }
    lochan_table_names__deinit(&names);
    lochan_known_files__deinit(&known);
    return rc;
}

lochan_status lochan_lake_rebuild(const char *path, const lochan_lake_options *lake_options,
                                  const lochan_lake_rebuild_options *options,
                                  lochan_lake_rebuild_report *report,
                                  struct ArrowArrayStream *problems, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_lake_rebuild_options o;
    lochan_verify_options look = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report verified;
    lochan_verification v;
    lochan_lake *lake = NULL;
    if (problems)
        memset(problems, 0, sizeof *problems);
    LOCHAN_CHECK_ARG(report, err);
    memset(report, 0, sizeof *report);
    LOCHAN_CHECK_ARG(path && *path, err);
    LOCHAN_TRY(read_options(options, &o, err));
    if (lake_options && lake_options->read_only)
        return lochan_error__set(err, LOCHAN_ERR_READ_ONLY,
                                 "a lake that was opened read-only cannot be made again");
    LOCHAN_TRY(rebuild_catalog(path, lake_options, &o, &report->records, err));
    LOCHAN_TRYG(lochan_lake_open(path, lake_options, &lake, err));
    lochan_verification__init(&v, lake, &look, &verified);
    if (o.adopt)
        rc = lochan_unknown__adopt(&v, &report->adopted, err);
    if (rc == LOCHAN_OK)
        rc = lochan_verification__collect(&v, err);
    if (rc == LOCHAN_OK)
        rc = lochan_verification__finish(&v, problems, err);
    lochan_verification__deinit(&v);
    LOCHAN_TRYG(rc);
    report->missing = verified.problems;
    report->unknown_files = verified.unknown_files;
    LOCHAN_TRYG(count(lake, report, err));
done:
    lochan_lake_close(lake);
    return rc;
}
