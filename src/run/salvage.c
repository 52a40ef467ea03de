/* salvage.c - a lake whose lake.db is gone, read from its journal or from the footers of its parts.
 * Invariants: nothing is written into the lake's folder; the copy lies in a private temporary
 * folder and goes with the lake's handle. May call: base/, catalog/, table/, own.h.
 */
#include "run/own.h"

#include "base/log.h"
#include "base/mem.h"

static lochan_status exists(const char *lake, const char *name, bool *out, lochan_error *err) {
    char *full = lochan_path__join(lake, name);
    if (!full)
        return lochan_error__nomem(err);
    *out = lochan_fs__exists(full);
    lochan_mem__free(full);
    return LOCHAN_OK;
}

/* Logs the warning and hands it out; without memory for it the lake is closed again. */
static lochan_status warn(const char *text, char **warning, lochan_lake **out, lochan_error *err) {
    LOCHAN_WARN("%s", text);
    if (!warning)
        return LOCHAN_OK;
    *warning = lochan_mem__strdup(text);
    if (*warning)
        return LOCHAN_OK;
    lochan_lake_close(*out);
    *out = NULL;
    return lochan_error__nomem(err);
}

static lochan_status from_journal(const char *path, const lochan_lake_options *options,
                                  char **warning, lochan_lake **out, lochan_error *err) {
    char text[700];
    int64_t records = 0;
    LOCHAN_TRY(lochan_lake__open_salvaged(path, options, &records, out, err));
    lochan_format(text, sizeof text,
                  "lake.db of %.400s is gone: the lake is read from the %lld records of its "
                  "journal, and cannot be written; 'lochan run rebuild RUN TABLE' "
                  "(rebuild_manifest) makes it again",
                  path, (long long)records);
    return warn(text, warning, out, err);
}

static lochan_status from_footers(const char *path, const lochan_lake_options *options,
                                  char **warning, lochan_lake **out, lochan_error *err) {
    char text[700];
    int64_t parts = 0, left_out = 0;
    LOCHAN_TRY(lochan_run__from_footers(path, options, &parts, &left_out, out, err));
    lochan_format(
        text, sizeof text,
        "lake.db and journal of %.400s are gone: its runs are read from the footers of "
        "%lld parts (%lld files are left out), and cannot be written; 'lochan run rebuild "
        "RUN TABLE' (rebuild_manifest) takes them into a new catalog",
        path, (long long)parts, (long long)left_out);
    return warn(text, warning, out, err);
}

void lochan_run__hint_rebuild(lochan_error *err, lochan_status rc) {
    if (rc == LOCHAN_ERR_CORRUPT && err && strstr(err->message, "lake.db"))
        lochan_error__hint(err, "'lochan run rebuild RUN TABLE' (rebuild_manifest) makes lake.db "
                                "again from the journal");
}

lochan_status lochan_run_lake_open(const char *path, const lochan_lake_options *options,
                                   char **warning, lochan_lake **out, lochan_error *err) {
    bool db = false, journal = false, runs = false;
    lochan_error seen;
    if (warning)
        *warning = NULL;
    LOCHAN_CHECK_ARG(out, err);
    *out = NULL;
    LOCHAN_CHECK_ARG(path && *path, err);
    lochan_error_init(&seen);
    lochan_status rc = lochan_lake_open(path, options, out, &seen);
    if (rc == LOCHAN_OK)
        return rc;
    if (rc == LOCHAN_ERR_NOT_FOUND) {
        LOCHAN_TRY(exists(path, "lake.db", &db, err));
        LOCHAN_TRY(exists(path, "journal/000001.ljl", &journal, err));
        LOCHAN_TRY(exists(path, "runs", &runs, err));
        if (!db && journal)
            return from_journal(path, options, warning, out, err);
        if (!db && runs)
            return from_footers(path, options, warning, out, err);
    }
    lochan_run__hint_rebuild(&seen, rc);
    if (err)
        *err = seen;
    return rc;
}
