/* adopt_unknown.h - files of whole appends that no catalog knows, made part of their tables.
 * May call: verify.h. */
#ifndef LOCHAN_TABLE_ADOPT_UNKNOWN_H
#define LOCHAN_TABLE_ADOPT_UNKNOWN_H

#include "table/verify.h"

/* Looks through data/. What is not taken becomes a finding of kind "kept" that says why. *adopted =
 * files. */
lochan_status lochan_unknown__adopt(lochan_verification *v, int64_t *adopted, lochan_error *err);

#endif
