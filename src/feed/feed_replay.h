/* feed_replay.h - recorded answers, found by their request.
 * A request is found by its method, path, parameters in any order, and body; "{secret}" in what was
 * recorded stands for any text. Asked again, a request gets the answers in the order in which they
 * were recorded, and the last one from then on. Invariant: the answers never change after load. May
 * call: base/, source/recorded.h.
 */
#ifndef LOCHAN_FEED_FEED_REPLAY_H
#define LOCHAN_FEED_FEED_REPLAY_H

#include "source/recorded.h"

#include <pthread.h>

typedef lochan_recorded lochan_feed_recorded;
typedef struct lochan_feed_replay lochan_feed_replay;

lochan_status lochan_feed_replay__load(const char *dir, lochan_feed_replay **out,
                                       lochan_error *err);
void lochan_feed_replay__free(lochan_feed_replay *replay); /* NULL is a no-op */

enum { LOCHAN_REPLAY_PARAMETERS = 64 };

/* A request as it came; names and values are borrowed. */
typedef struct lochan_feed_replay_key {
    const char *method, *path;
    const char *names[LOCHAN_REPLAY_PARAMETERS], *values[LOCHAN_REPLAY_PARAMETERS];
    size_t n;
} lochan_feed_replay_key;

void lochan_feed_replay__begin(lochan_feed_replay_key *key, const char *method, const char *path);
bool lochan_feed_replay__add_parameter(lochan_feed_replay_key *key, const char *name,
                                       const char *value); /* false: too many */
/* NULL if it was not recorded. lock: held while an answer is counted. */
const lochan_feed_recorded *lochan_feed_replay__find(lochan_feed_replay *replay,
                                                     const lochan_feed_replay_key *key,
                                                     lochan_str body, pthread_mutex_t *lock);

#endif
