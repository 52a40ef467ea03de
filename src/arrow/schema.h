/* schema.h - making, copying and searching struct ArrowSchema.
 * Invariant: schemas made here own all they point to. May call: base/, type.h.
 */
#ifndef LOCHAN_ARROW_SCHEMA_H
#define LOCHAN_ARROW_SCHEMA_H

#include "arrow/type.h"
#include "base/buf.h"
#include "base/str.h"

/* A struct schema (format "+s") with n children, each still empty: fill with set_field. */
lochan_status lochan_schema__init_struct(struct ArrowSchema *out, int64_t n_children,
                                         lochan_error *err);
/* Initialises one flat field: name and type; nullable sets the flag. `field` may be a child slot or
 * a struct of its own. */
lochan_status lochan_schema__set_field(struct ArrowSchema *field, const char *name,
                                       const lochan_type *type, bool nullable, lochan_error *err);
/* Nested field: as set_field, with room for n children. */
lochan_status lochan_schema__set_nested(struct ArrowSchema *field, const char *name,
                                        const lochan_type *type, bool nullable, int64_t n_children,
                                        lochan_error *err);
/* Dictionary field: `index` is the type of the keys, `value` the type of the values. */
lochan_status lochan_schema__set_dictionary(struct ArrowSchema *field, const char *name,
                                            const lochan_type *index, const lochan_type *value,
                                            bool nullable, lochan_error *err);
lochan_status lochan_schema__dup(const struct ArrowSchema *in, struct ArrowSchema *out,
                                 lochan_error *err);
/* The given children of `in`, in that order. */
lochan_status lochan_schema__select(const struct ArrowSchema *in, const int *columns, size_t n,
                                    struct ArrowSchema *out, lochan_error *err);
void lochan_schema__release(struct ArrowSchema *schema); /* no-op if already released or NULL */
void lochan_schema__move(struct ArrowSchema *from, struct ArrowSchema *to);

/* Index of the child with that name, -1 if none. */
int lochan_schema__find(const struct ArrowSchema *schema, const char *name);
/* Same names, types, nullability; otherwise SCHEMA with the first difference in the message.
 * Metadata, the names of list items and map entries, and name and nullability of an unnamed root (a
 * batch) are ignored. */
lochan_status lochan_schema__check_equal(const struct ArrowSchema *expected,
                                         const struct ArrowSchema *got, lochan_error *err);
/* Checks a schema from outside before anything trusts it: depth (<= 64), children present, formats
 * known, names UTF-8. */
lochan_status lochan_schema__check(const struct ArrowSchema *schema, lochan_error *err);

/* Key-value metadata of a field (Arrow's binary encoding). get: *value borrowed, NULL if the key is
 * missing. set adds or replaces, on schemas made here. */
bool lochan_schema__get_metadata(const struct ArrowSchema *schema, const char *key,
                                 const char **value, size_t *n);
lochan_status lochan_schema__set_metadata(struct ArrowSchema *schema, const char *key,
                                          const char *value, lochan_error *err);
/* The pairs one after the other: `at` is zeroed before the first. False past the last. */
typedef struct lochan_schema_pairs {
    size_t pos;
    int32_t done;
} lochan_schema_pairs;
bool lochan_schema__next_metadata(const struct ArrowSchema *schema, lochan_schema_pairs *at,
                                  lochan_str *key, lochan_str *value);
/* Adds n pairs (key, value, key, ...) behind those that are there, on schemas made here. */
lochan_status lochan_schema__add_metadata(struct ArrowSchema *schema, const lochan_str *pairs,
                                          size_t n, lochan_error *err);
/* Parquet field id, carried as the metadata key "PARQUET:field_id" (the key pyarrow uses); -1 if
 * none. */
int32_t lochan_schema__field_id(const struct ArrowSchema *schema);
lochan_status lochan_schema__set_field_id(struct ArrowSchema *schema, int32_t id,
                                          lochan_error *err);

#endif
