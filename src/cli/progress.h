/* progress.h - one line on stderr that is drawn anew while something runs.
 * Invariant: nothing is written unless stderr is a terminal; whoever else writes to stderr wipes
 * the line first. May call: libc, text.h, terminal.h.
 */
#ifndef LOCHAN_CLI_PROGRESS_H
#define LOCHAN_CLI_PROGRESS_H

#include "cli/cli.h"

typedef struct lochan_cli_progress {
    bool shown; /* stderr is a terminal and --quiet was not given */
    const char *what;
    double started;
    double fetch_started;
    lochan_stage stage;
} lochan_cli_progress;

/* what: "ecb/fx_daily"; borrowed. */
void lochan_cli__start_progress(lochan_cli_progress *p, const lochan_cli *cli, const char *what);
/* For lochan_update_request.progress; payload is a lochan_cli_progress. */
void lochan_cli__on_update(void *payload, const lochan_progress *progress);
/* For lochan_verify_options.progress. */
void lochan_cli__on_verify(void *payload, int64_t done, int64_t total);
/* Clears the line if there is one. From any thread. */
void lochan_cli__wipe_progress(void);

#endif
