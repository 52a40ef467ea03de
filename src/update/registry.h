/* registry.h - lists of named choices that a spec can make: planners, deduplications, update modes.
 * An entry is a static struct that begins with its name, in a file of its own; the built-in ones
 * are listed in registry.c, others can be added while no update runs (tests, programs that embed
 * the library). May call: base/.
 */
#ifndef LOCHAN_UPDATE_REGISTRY_H
#define LOCHAN_UPDATE_REGISTRY_H

#include "base/status.h"

typedef enum lochan_registry {
    LOCHAN_REGISTRY_PLANNER = 0,
    LOCHAN_REGISTRY_DEDUP,
    LOCHAN_REGISTRY_MODE,
    LOCHAN_REGISTRY_COUNT
} lochan_registry;

/* What every entry begins with. */
typedef struct lochan_choice {
    const char *name;
} lochan_choice;

/* The i-th entry, NULL past the last. */
const lochan_choice *lochan_registry__get(lochan_registry list, size_t i);
/* Adds an entry (borrowed for ever). EXISTS if the name is taken, MEMORY_LIMIT if the list is full.
 */
lochan_status lochan_registry__add(lochan_registry list, const lochan_choice *entry,
                                   lochan_error *err);

#endif
