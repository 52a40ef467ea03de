/* spec_own.h - what the files that read a source's spec share.
 * Invariant: strings are copied into the spec's arena. May call: base/, yaml.h.
 */
#ifndef LOCHAN_SOURCE_SPEC_OWN_H
#define LOCHAN_SOURCE_SPEC_OWN_H

#include "source/spec.h"

/* Optional text copied into the spec; *out keeps its default if the key is missing. */
lochan_status lochan_source_spec__copy_string(lochan_source_spec *spec, const lochan_yaml_node *map,
                                              const char *key, const char **out, lochan_error *err);
/* Optional list of texts, likewise. */
lochan_status lochan_source_spec__copy_strings(lochan_source_spec *spec,
                                               const lochan_yaml_node *map, const char *key,
                                               const char *const **out, size_t *n,
                                               lochan_error *err);

/* spec.c: a header's name is a token of RFC 9110, and none that the HTTP library sets itself. */
lochan_status lochan_source_spec__check_header(const lochan_yaml_node *node, const char *name,
                                               lochan_error *err);

/* spec_auth.c: auth. After url, headers, query, body and secret. */
lochan_status lochan_source_spec__read_auth(lochan_source_spec *spec, const lochan_yaml_node *root,
                                            lochan_error *err);

/* spec_answer.c: csv, json, response, errors, rate_limit, paging. */
lochan_status lochan_source_spec__read_answer(lochan_source_spec *spec,
                                              const lochan_yaml_node *root, lochan_error *err);

#endif
