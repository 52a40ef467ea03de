/* appender.c - many small appends buffered into few commits. */
#include "run/own.h"

lochan_status lochan_run_appender_open(lochan_run *run, const char *table,
                                       const lochan_run_appender_options *options,
                                       lochan_run_appender **out, lochan_error *err) {
    (void)options;
    LOCHAN_CHECK_ARG(out, err);
    *out = NULL;
    LOCHAN_CHECK_ARG(run && table, err);
    return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "appenders come with the next build");
}

lochan_status lochan_run_appender_append(lochan_run_appender *appender,
                                         struct ArrowArrayStream *rows, bool *kept,
                                         lochan_error *err) {
    (void)appender;
    if (kept)
        *kept = false;
    lochan_stream__release(rows);
    return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "appenders come with the next build");
}

lochan_status lochan_run_appender_flush(lochan_run_appender *appender,
                                        lochan_append_summary *summary, lochan_error *err) {
    (void)appender;
    (void)summary;
    return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "appenders come with the next build");
}

void lochan_run_appender_state(lochan_run_appender *appender, int64_t *buffered_rows,
                               int64_t *buffered_bytes, int64_t *appended_rows, int64_t *commits) {
    (void)appender;
    (void)buffered_rows;
    (void)buffered_bytes;
    (void)appended_rows;
    (void)commits;
}

lochan_status lochan_run_appender_close(lochan_run_appender *appender, lochan_error *err) {
    (void)appender;
    (void)err;
    return LOCHAN_OK;
}

void lochan_run_appender_discard(lochan_run_appender *appender) {
    (void)appender;
}
