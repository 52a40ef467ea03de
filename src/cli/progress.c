/* progress.c - draws the progress line: stage, pages, rows, rate, retries, why it waits, time left.
 * Invariant: a line is one write, cut to the width of the terminal. May call: libc, text.h,
 * terminal.h.
 */
#include "cli/progress.h"

#include "cli/terminal.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define WIPE "\r\033[K"

static atomic_bool drawn;

void lochan_cli__wipe_progress(void) {
    if (atomic_exchange(&drawn, false))
        fputs(WIPE, stderr);
}

void lochan_cli__start_progress(lochan_cli_progress *p, const lochan_cli *cli, const char *what) {
    *p = (lochan_cli_progress){.shown = lochan_cli__is_terminal(2) && !cli->quiet,
                               .what = what,
                               .started = lochan_cli__now(),
                               .fetch_started = lochan_cli__now(),
                               .stage = LOCHAN_STAGE_PLAN};
}

static void draw(lochan_cli_text *t) {
    lochan_cli_text line = {0};
    lochan_cli__adds(&line, WIPE);
    lochan_cli__add(&line, t->data, lochan_cli__fit(t->data, t->len, lochan_cli__columns(2) - 1));
    atomic_store(&drawn, true);
    fwrite(line.data, 1, line.len, stderr);
    lochan_cli__free(&line);
}

/* Time left, from the pages so far; only once there is something to judge by. */
static void add_time_left(lochan_cli_text *t, const lochan_cli_progress *p,
                          const lochan_progress *now) {
    double seconds = lochan_cli__now() - p->fetch_started;
    if (now->stage != LOCHAN_STAGE_FETCH || now->pages_done < 2 || seconds < 1)
        return;
    double left = seconds / (double)now->pages_done * (double)(now->pages_total - now->pages_done);
    if (left < 1)
        return;
    lochan_cli__adds(t, "  about ");
    lochan_cli__add_seconds(t, left);
    lochan_cli__adds(t, " left");
}

static const char *stage_name(lochan_stage stage) {
    switch (stage) {
    case LOCHAN_STAGE_PLAN:
        return "planning";
    case LOCHAN_STAGE_FETCH:
        return "fetching";
    case LOCHAN_STAGE_WRITE:
        return "writing";
    case LOCHAN_STAGE_PUBLISH:
        return "publishing";
    default: /* of a newer library */
        return "working";
    }
}

void lochan_cli__on_update(void *payload, const lochan_progress *now) {
    lochan_cli_progress *p = payload;
    if (!p->shown)
        return;
    if (now->stage == LOCHAN_STAGE_FETCH && p->stage != LOCHAN_STAGE_FETCH)
        p->fetch_started = lochan_cli__now();
    p->stage = now->stage;
    if (now->stage == LOCHAN_STAGE_DONE) {
        lochan_cli__wipe_progress();
        return;
    }
    lochan_cli_text t = {0};
    lochan_cli__addf(&t, "%s: %s", p->what, stage_name(now->stage));
    if (now->pages_total > 0)
        lochan_cli__addf(&t, "  %lld/%lld pages", (long long)now->pages_done,
                         (long long)now->pages_total);
    if (now->rows > 0) {
        double seconds = lochan_cli__now() - p->fetch_started;
        lochan_cli__adds(&t, "  ");
        lochan_cli__add_count(&t, now->rows);
        lochan_cli__adds(&t, " rows");
        if (seconds > 0.5 && now->stage == LOCHAN_STAGE_FETCH && !now->waiting_for) {
            lochan_cli__adds(&t, " (");
            lochan_cli__add_count(&t, (int64_t)((double)now->rows / seconds));
            lochan_cli__adds(&t, "/s)");
        }
    }
    if (now->retries > 0)
        lochan_cli__addf(&t, "  %lld %s", (long long)now->retries,
                         now->retries == 1 ? "retry" : "retries");
    if (now->waiting_for) {
        lochan_cli__adds(&t, "  waiting: ");
        lochan_cli__add_visible(&t, now->waiting_for, strlen(now->waiting_for));
    }
    add_time_left(&t, p, now);
    draw(&t);
    lochan_cli__free(&t);
}

void lochan_cli__on_verify(void *payload, int64_t done, int64_t total) {
    lochan_cli_progress *p = payload;
    if (!p->shown)
        return;
    lochan_cli_text t = {0};
    lochan_cli__addf(&t, "verify: %lld/%lld files", (long long)done, (long long)total);
    draw(&t);
    lochan_cli__free(&t);
}
