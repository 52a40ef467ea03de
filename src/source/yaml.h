/* yaml.h - a small strict reader of YAML specs over libfyaml, shared with update/.
 * Invariant: every node knows its line and column; a document is bounded in size (1 MB), nodes
 * (20,000) and depth (32); anchors, aliases, tags, merge keys, duplicate keys and second documents
 * are refused, so nothing can multiply itself. All errors are LOCHAN_ERR_SPEC with file, line and
 * column. May call: base/.
 */
#ifndef LOCHAN_SOURCE_YAML_H
#define LOCHAN_SOURCE_YAML_H

#include "base/buf.h"
#include "base/str.h"

typedef enum lochan_yaml_kind {
    LOCHAN_YAML_NULL, /* nothing, ~ or null written plainly */
    LOCHAN_YAML_SCALAR,
    LOCHAN_YAML_LIST,
    LOCHAN_YAML_MAP
} lochan_yaml_kind;

typedef struct lochan_yaml lochan_yaml;
typedef struct lochan_yaml_node lochan_yaml_node;

/* Borrowed from its document. Fields may be read, not written. */
struct lochan_yaml_node {
    lochan_yaml_kind kind;
    bool quoted;     /* scalar written in quotes or as a block: always text */
    int32_t line;    /* 1-based; 0 for nodes made by lochan_yaml__set */
    int32_t column;  /* 1-based, in characters */
    lochan_str text; /* scalars: UTF-8, followed by a zero byte, without zero bytes inside */
    const char *key; /* in a map: the entry's key */
    int32_t key_line, key_column;
    const lochan_yaml_node *parent; /* NULL at the root */
    const lochan_yaml_node *first;  /* lists and maps: entries in written order */
    const lochan_yaml_node *next;   /* next entry of the parent */
    size_t count;                   /* entries */
    const lochan_yaml *doc;
};

/* Parses text; `file` names it in errors (copied). An empty document has a NULL root kind. */
lochan_status lochan_yaml__parse(const char *text, size_t size, const char *file, lochan_yaml **out,
                                 lochan_error *err);
/* The same from a file on disk. */
lochan_status lochan_yaml__load(const char *path, lochan_yaml **out, lochan_error *err);
void lochan_yaml__free(lochan_yaml *doc); /* NULL is a no-op */
const lochan_yaml_node *lochan_yaml__root(const lochan_yaml *doc);
const char *lochan_yaml__file(const lochan_yaml *doc);

/* Fills *err with LOCHAN_ERR_SPEC at the place of `node` (of its key with at_key) and returns that
 * code. */
lochan_status lochan_yaml__error(const lochan_yaml_node *node, lochan_error *err, const char *fmt,
                                 ...) LOCHAN_PRINTF(3, 4);
lochan_status lochan_yaml__key_error(const lochan_yaml_node *node, lochan_error *err,
                                     const char *fmt, ...) LOCHAN_PRINTF(3, 4);
/* "columns.time.type": the dotted name of a node for messages; list entries as [0]. */
void lochan_yaml__path(const lochan_yaml_node *node, char *dst, size_t cap);

/* The entry of a map, NULL if missing, null, or if `map` is NULL or no map. */
const lochan_yaml_node *lochan_yaml__get(const lochan_yaml_node *map, const char *key);
/* Refuses keys of a map that are not in `known`; the hint names the nearest one. */
lochan_status lochan_yaml__check_keys(const lochan_yaml_node *map, const char *const *known,
                                      size_t n, lochan_error *err);
lochan_status lochan_yaml__expect(const lochan_yaml_node *node, lochan_yaml_kind kind,
                                  lochan_error *err);

/* Conversions of one node (never NULL). Strings are borrowed from the document. A plain number or
 * bool is also a valid string, as written. */
lochan_status lochan_yaml__to_string(const lochan_yaml_node *node, const char **out,
                                     lochan_error *err);
lochan_status lochan_yaml__to_int64(const lochan_yaml_node *node, int64_t min, int64_t max,
                                    int64_t *out, lochan_error *err);
lochan_status lochan_yaml__to_double(const lochan_yaml_node *node, double min, double max,
                                     double *out, lochan_error *err);
lochan_status lochan_yaml__to_bool(const lochan_yaml_node *node, bool *out,
                                   lochan_error *err); /* true | false */
/* "500ms", "20s", "5m"; a plain number is seconds. Not negative. */
lochan_status lochan_yaml__to_duration_ns(const lochan_yaml_node *node, int64_t *out,
                                          lochan_error *err);
/* "64MB"; a plain number is bytes. */
lochan_status lochan_yaml__to_bytes(const lochan_yaml_node *node, uint64_t *out, lochan_error *err);
/* Index of the scalar among `names`; the error lists them and names the nearest. */
lochan_status lochan_yaml__to_choice(const lochan_yaml_node *node, const char *const *names,
                                     size_t n, int *out, lochan_error *err);
/* A list of strings, or one string (a list of one). *out lives in the document. */
lochan_status lochan_yaml__to_strings(const lochan_yaml_node *node, const char *const **out,
                                      size_t *n, lochan_error *err);

/* The same by key of a map. A missing or null key leaves *out as it is (the caller's default).
 * Required keys first go through lochan_yaml__require, which reports the missing key at the place
 * of the map. */
lochan_status lochan_yaml__require(const lochan_yaml_node *map, const char *key,
                                   const lochan_yaml_node **out, lochan_error *err);
lochan_status lochan_yaml__get_string(const lochan_yaml_node *map, const char *key,
                                      const char **out, lochan_error *err);
lochan_status lochan_yaml__get_int64(const lochan_yaml_node *map, const char *key, int64_t min,
                                     int64_t max, int64_t *out, lochan_error *err);
lochan_status lochan_yaml__get_double(const lochan_yaml_node *map, const char *key, double min,
                                      double max, double *out, lochan_error *err);
lochan_status lochan_yaml__get_bool(const lochan_yaml_node *map, const char *key, bool *out,
                                    lochan_error *err);
lochan_status lochan_yaml__get_duration_ns(const lochan_yaml_node *map, const char *key,
                                           int64_t *out, lochan_error *err);
lochan_status lochan_yaml__get_bytes(const lochan_yaml_node *map, const char *key, uint64_t *out,
                                     lochan_error *err);
lochan_status lochan_yaml__get_choice(const lochan_yaml_node *map, const char *key,
                                      const char *const *names, size_t n, int *out,
                                      lochan_error *err);
lochan_status lochan_yaml__get_strings(const lochan_yaml_node *map, const char *key,
                                       const char *const **out, size_t *n, lochan_error *err);

/* Sets the entry that a dotted key names ("csv.delimiter"), making maps on the way. `value` is
 * taken as it stands
 * ("8", "%Y%m%d"), but for lists and quoted text, which are YAML ("[a, b]", "'8'"); NULL removes
 * the entry. Lists cannot be entered. Nodes got before stay valid. */
lochan_status lochan_yaml__set(lochan_yaml *doc, const char *dotted_key, const char *value,
                               lochan_error *err);
/* Prints a node as YAML that parses back to the same tree (comments are gone). */
lochan_status lochan_yaml__print(const lochan_yaml_node *node, lochan_buf *out, lochan_error *err);

#endif
