/* salvage.c - a lake whose lake.db is gone, read from its journal.
 * Invariants: nothing is written into the lake's folder; the copy lies in a private temporary
 * folder and goes with the lake's handle. May call: base/, catalog/, table/, own.h.
 */
#include "run/own.h"

#include "base/log.h"
#include "base/mem.h"

static lochan_status find_journal(const char *path, bool *out, lochan_error *err) {
    char *first = lochan_path__join(path, "journal/000001.ljl");
    if (!first)
        return lochan_error__nomem(err);
    *out = lochan_fs__exists(first);
    lochan_mem__free(first);
    return LOCHAN_OK;
}

static lochan_status lake_db_exists(const char *path, bool *out, lochan_error *err) {
    char *db = lochan_path__join(path, "lake.db");
    if (!db)
        return lochan_error__nomem(err);
    *out = lochan_fs__exists(db);
    lochan_mem__free(db);
    return LOCHAN_OK;
}

static lochan_status salvage(const char *path, const lochan_lake_options *options, char **warning,
                             lochan_lake **out, lochan_error *err) {
    char text[700];
    int64_t records = 0;
    LOCHAN_TRY(lochan_lake__open_salvaged(path, options, &records, out, err));
    lochan_format(text, sizeof text,
                  "lake.db of %.400s is gone: the lake is read from the %lld records of its "
                  "journal, and cannot be written; 'lochan run rebuild RUN TABLE' "
                  "(rebuild_manifest) makes it again",
                  path, (long long)records);
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

void lochan_run__hint_rebuild(lochan_error *err, lochan_status rc) {
    if (rc == LOCHAN_ERR_CORRUPT && err && strstr(err->message, "lake.db"))
        lochan_error__hint(err, "'lochan run rebuild RUN TABLE' (rebuild_manifest) makes lake.db "
                                "again from the journal");
}

lochan_status lochan_run_lake_open(const char *path, const lochan_lake_options *options,
                                   char **warning, lochan_lake **out, lochan_error *err) {
    bool db = false, journal = false;
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
        LOCHAN_TRY(lake_db_exists(path, &db, err));
        LOCHAN_TRY(find_journal(path, &journal, err));
        if (!db && journal)
            return salvage(path, options, warning, out, err);
    }
    lochan_run__hint_rebuild(&seen, rc);
    if (err)
        *err = seen;
    return rc;
}
