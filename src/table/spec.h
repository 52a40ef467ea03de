/* spec.h - table definitions: what ensure needs of spec.c. May call: base/, arrow/. */
#ifndef LOCHAN_TABLE_SPEC_H
#define LOCHAN_TABLE_SPEC_H

#include "table/partition.h"
#include "table/table.h"

/* The type under which a field's values are stored: dictionaries as their values, all layouts of
 * text as string. */
lochan_status lochan_field__stored_type(const struct ArrowSchema *field, lochan_type *out,
                                        lochan_error *err);
/* The strategy that the definition names, for the types of its columns; NULL if there is none. And
 * its number, for one that is there. */
const lochan_partition_strategy *lochan_table_spec__strategy(const lochan_table_spec *spec);
int64_t lochan_table_spec__number(const lochan_table_spec *spec);
/* Sort columns, then the key columns missing from them; room for n_sort + n_key names. */
void lochan_table_spec__order(const lochan_table_spec *spec, const char **order, size_t *n);
/* Whether the stored table fits the definition; *missing: some of its columns have to be added.
 * SCHEMA names both. */
lochan_status lochan_table_spec__compare(const lochan_table_spec *spec, const lochan_table_def *def,
                                         bool *missing, lochan_error *err);

#endif
