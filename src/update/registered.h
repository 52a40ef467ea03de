/* registered.h - the functions of sources in code, by name, for each open lake.
 * Invariant: counted; release of the caller's payload runs once, when the last user is gone.
 * Thread-safe. May call: base/, table/lake.h.
 */
#ifndef LOCHAN_UPDATE_REGISTERED_H
#define LOCHAN_UPDATE_REGISTERED_H

#include "table/lake.h"
#include <lochan/source.h>

typedef struct lochan_registered lochan_registered;

/* A reference to the functions registered under that name; NULL if there are none. */
lochan_registered *lochan_registered__find(lochan_lake *lake, const char *source);
void lochan_registered__unref(lochan_registered *registered); /* NULL is a no-op */
const lochan_source_callbacks *lochan_registered__get(const lochan_registered *registered);

#endif
