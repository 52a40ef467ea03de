/* spec_own.h - what the files that read dataset specs share (spec.c, spec_request.c, spec_upkeep.c,
 * spec_rules.c).
 * May call: base/, source/yaml.h, spec.h.
 */
#ifndef LOCHAN_UPDATE_SPEC_OWN_H
#define LOCHAN_UPDATE_SPEC_OWN_H

#include "table/table.h"
#include "update/registry.h"
#include "update/spec.h"

/* Copies into the spec's arena. */
lochan_status lochan_spec__text(lochan_arena *arena, const char *text, const char **out,
                                lochan_error *err);
lochan_status lochan_spec__string(lochan_dataset_spec *spec, const lochan_yaml_node *map,
                                  const char *key, const char *otherwise, const char **out,
                                  lochan_error *err);
lochan_status lochan_spec__list(lochan_dataset_spec *spec, const lochan_yaml_node *map,
                                const char *key, const char *const **out, size_t *n,
                                lochan_error *err);
/* A map of texts; with room for `spare` more. */
lochan_status lochan_spec__pairs(lochan_dataset_spec *spec, const lochan_yaml_node *map,
                                 const char *key, const lochan_source_pair **out, size_t *n,
                                 size_t spare, lochan_error *err);
/* A list of columns of the dataset, each named once. */
lochan_status lochan_spec__columns(lochan_dataset_spec *spec, const lochan_yaml_node *map,
                                   const char *key, const char *const **out, size_t *n,
                                   lochan_error *err);
/* An entry of a registry by name; the first is the default. */
lochan_status lochan_spec__choice(const lochan_yaml_node *map, const char *key,
                                  lochan_registry list, const lochan_choice **out,
                                  lochan_error *err);

/* spec_request.c: what is asked for, and how often. */
lochan_status lochan_spec__read_requests(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                         lochan_error *err);
/* spec_upkeep.c: small files, and the order of partitions that rest. */
lochan_status lochan_spec__read_upkeep(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                       lochan_error *err);
/* spec_rules.c: validation. */
lochan_status lochan_spec__read_rules(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                      lochan_error *err);

#endif
