/* body.h - request bodies written as YAML, sent as JSON.
 * A string that is one placeholder may name a type: "{limit:int}" becomes 500, not "500"; the types
 * are int, number, bool and list (text cut at commas). "{params}" is an object of the dataset's
 * parameters. Invariant: an entry whose placeholder has no value is left out. May call: base/,
 * yaml.h, request.h.
 */
#ifndef LOCHAN_SOURCE_BODY_H
#define LOCHAN_SOURCE_BODY_H

#include "source/request.h"

/* Copies a map or list into the arena. SPEC errors have line and column. */
lochan_status lochan_body__from_yaml(const lochan_yaml_node *node, lochan_arena *arena,
                                     const lochan_body_node **out, lochan_error *err);
/* The map *tree with one more entry; NULL: a map of its own. *taken: it has the entry, or is no
 * map. */
lochan_status lochan_body__add_text(const lochan_body_node **tree, lochan_arena *arena,
                                    const char *key, const char *text, bool *taken,
                                    lochan_error *err);
/* Whether a placeholder of that name is in the tree; NULL tree: false. */
bool lochan_body__uses(const lochan_body_node *tree, const char *name);
/* Whether the spec's body, text or tree, has a place for parameters. */
bool lochan_body__takes_params(const lochan_source_spec *spec);
/* Appends the filled tree as JSON. */
lochan_status lochan_body__fill(const lochan_body_node *tree, lochan_filler *f, lochan_buf *out,
                                lochan_error *err);
/* Appends the object that stands for "{params}". */
lochan_status lochan_body__put_params(lochan_filler *f, lochan_buf *out, lochan_error *err);

#endif
