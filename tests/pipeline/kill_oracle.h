/* kill_oracle.h - what a lake must hold after a child was killed at any moment.
 *
 * The child writes into a log outside the lake what it is about to do, and after the answer that it
 * was done. The oracle replays the log: what was acknowledged must be there, once; the one
 * operation without an answer may have landed, as a whole, or not at all.
 *
 * The lake has one dataset, of which each day has one version (added to its prices), and one run
 * table with three rows a tick.
 */
#ifndef TEST_PIPELINE_KILL_ORACLE_H
#define TEST_PIPELINE_KILL_ORACLE_H

#include "pipeline/pipeline.h"

enum { DAYS = 75, ASSETS = 2, VERSIONS = 3, TAGS = 3, TICKS = 100000, APPEND_ROWS = 3 };

typedef enum what {
    UPDATE,   /* up to day a - 1 */
    FORCE,    /* the same, every day asked again */
    APPEND,   /* tick a */
    TAG,      /* number a */
    UNTAG,    /* number a */
    ROLLBACK, /* to tag a */
    OTHER,    /* changes no row */
    N_WHAT
} what;

typedef struct log_line {
    what what;
    int a;
    int version; /* that the provider serves */
    enum { TRYING, DONE, REFUSED } state;
} log_line;

void log_write(int fd, log_line line); /* synced */

typedef struct table_state {
    int days;
    signed char version[DAYS];
} table_state;

typedef struct oracle {
    table_state now;
    table_state tags[TAGS];
    bool tagged[TAGS];
    bool owed[DAYS]; /* a rollback changed the day, and no update has asked for it since */
    signed char ticks[TICKS];
    int next_tick;
    long acked[N_WHAT];
} oracle;

/* Replays the log and compares with the lake, which is verified deeply; forgets the log. */
void oracle_check(oracle *o, const char *lake, const char *log);

#endif
