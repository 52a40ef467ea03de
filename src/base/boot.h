/* boot.h - which start of the machine this is: what was not synced in an earlier one may be lost.
 * Invariant: the id does not change while a process lives. May call: status.h.
 */
#ifndef LOCHAN_BASE_BOOT_H
#define LOCHAN_BASE_BOOT_H

#include "base/status.h"

#define LOCHAN_BOOT_MAX 40

/* The system's boot id; "" if it has none, then nobody can tell whether the machine was started
 * again. */
void lochan_boot__id(char dst[LOCHAN_BOOT_MAX + 1]);
void lochan_boot__set(const char *id); /* NULL = the system's; tests only */

#endif
