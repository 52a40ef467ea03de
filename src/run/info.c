/* info.c - what is known of runs: which have rows in a table, and one run as JSON. */
#include "run/own.h"

lochan_status lochan_runs_of(lochan_lake *lake, const char *table, struct ArrowArrayStream *out,
                             lochan_error *err) {
    (void)table;
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(lake, err);
    return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "comes with the next build");
}

lochan_status lochan_run_export(lochan_lake *lake, const char *run_id, char **json,
                                lochan_error *err) {
    (void)run_id;
    LOCHAN_CHECK_ARG(json, err);
    *json = NULL;
    LOCHAN_CHECK_ARG(lake, err);
    return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "comes with the next build");
}
