/* schema_own.h - what the schema files share: limits, metadata of schemas made here.
 * Invariant: private to schema*.c. May call: base/, schema.h.
 */
#ifndef LOCHAN_ARROW_SCHEMA_OWN_H
#define LOCHAN_ARROW_SCHEMA_OWN_H

#include "arrow/schema.h"

#define LOCHAN_SCHEMA_MAX_CHILDREN 1000000

/* Bytes of Arrow's binary key-value metadata; false if a length in it is negative or the sum past
 * 64 MiB. */
bool lochan_schema__metadata_size(const char *metadata, size_t *size);
/* Whether set_metadata may change it, i.e. schema.c made it. */
bool lochan_schema__is_own(const struct ArrowSchema *schema);
/* Gives a new metadata block to an own schema in place of the old one. */
void lochan_schema__own_metadata(struct ArrowSchema *schema, char *metadata);

#endif
