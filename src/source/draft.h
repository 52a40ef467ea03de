/* draft.h - a first description of an answer nobody has described yet.
 * May call: base/, arrow/, decode.h, json.h.
 */
#ifndef LOCHAN_SOURCE_DRAFT_H
#define LOCHAN_SOURCE_DRAFT_H

#include "base/buf.h"

/* Appends a source's spec and a dataset's. PAGE if the sample is neither CSV nor JSON with rows. */
lochan_status lochan_source__draft(const void *sample, size_t size, const char *name,
                                   lochan_buf *source, lochan_buf *dataset, lochan_error *err);

#endif
