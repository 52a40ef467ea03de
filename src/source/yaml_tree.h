/* yaml_tree.h - what the files of the YAML reader share: the document and the making of nodes.
 * Invariant: nodes live in the document's arena and are linked in written order. May call: base/,
 * yaml.h.
 */
#ifndef LOCHAN_SOURCE_YAML_TREE_H
#define LOCHAN_SOURCE_YAML_TREE_H

#include "base/arena.h"
#include "source/yaml.h"

enum { LOCHAN_YAML_MAX_SIZE = 1 << 20, LOCHAN_YAML_MAX_NODES = 20000, LOCHAN_YAML_MAX_DEPTH = 32 };

struct lochan_yaml {
    lochan_arena arena;
    const char *file;
    lochan_yaml_node *root;
    size_t nodes;
};

/* A zeroed node of the document; SPEC at the given place if there are too many. */
lochan_status lochan_yaml__new_node(lochan_yaml *doc, lochan_yaml_kind kind, int32_t line,
                                    int32_t column, lochan_yaml_node **out, lochan_error *err);
/* Appends `node` to `parent` after `last` (NULL = it becomes the first entry). */
void lochan_yaml__link(lochan_yaml_node *parent, lochan_yaml_node *last, lochan_yaml_node *node);
/* SPEC at a place of the document that is no node yet. */
lochan_status lochan_yaml__error_at(const lochan_yaml *doc, int32_t line, int32_t column,
                                    lochan_error *err, const char *fmt, ...) LOCHAN_PRINTF(5, 6);

#endif
