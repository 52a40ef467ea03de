/* schema.h - a Parquet schema beside its Arrow schema: fields as a tree, leaves as a list, with all
 * levels computed. Invariants: depth is at most 64; leaves are in file order; the tree of fields
 * mirrors the Arrow schema child by child. May call: base/, arrow/, metadata.h.
 *
 * Levels (Dremel): an entry of a leaf has a definition level (how far down its path is defined) and
 * a repetition level (which list it continues). For every field we keep the levels at which
 * something about it can be told from an entry.
 */
#ifndef LOCHAN_PARQUET_SCHEMA_H
#define LOCHAN_PARQUET_SCHEMA_H

#include "arrow/schema.h"
#include "parquet/metadata.h"
#include "parquet/reader.h"

enum { LOCHAN_PQ_MAX_DEPTH = 64 };

/* How physical values become Arrow values and back. */
typedef enum lochan_pq_convert {
    LOCHAN_PQ_CONVERT_SAME,    /* fixed width, the same bytes */
    LOCHAN_PQ_CONVERT_BOOL,    /* bits */
    LOCHAN_PQ_CONVERT_BYTES,   /* BYTE_ARRAY <-> strings and binaries */
    LOCHAN_PQ_CONVERT_NARROW,  /* INT32 <-> 8 and 16 bit integers */
    LOCHAN_PQ_CONVERT_DECIMAL, /* INT32, INT64, FIXED, BYTE_ARRAY <-> decimal128 and decimal256 */
    LOCHAN_PQ_CONVERT_INT96,   /* INT96 -> timestamp[ns] */
    LOCHAN_PQ_CONVERT_SECONDS, /* milliseconds <-> seconds */
    LOCHAN_PQ_CONVERT_DATE64,  /* days <-> milliseconds */
    LOCHAN_PQ_CONVERT_NULL     /* the null type: no values at all */
} lochan_pq_convert;

/* How values of a leaf compare in statistics. */
typedef enum lochan_pq_order {
    LOCHAN_PQ_ORDER_NONE, /* no statistics */
    LOCHAN_PQ_ORDER_SIGNED,
    LOCHAN_PQ_ORDER_UNSIGNED,
    LOCHAN_PQ_ORDER_FLOAT,
    LOCHAN_PQ_ORDER_BYTES,  /* unsigned bytes */
    LOCHAN_PQ_ORDER_DECIMAL /* two's complement, big-endian */
} lochan_pq_order;

typedef struct lochan_pq_leaf {
    int index;               /* among the leaves */
    int column;              /* top-level column */
    const char *path;        /* dotted */
    const lochan_str *parts; /* path_in_schema */
    uint32_t n_parts;
    const lochan_pq_element *element;
    int32_t physical;
    int32_t width;     /* bytes of a physical value; 0 for BOOLEAN and BYTE_ARRAY */
    int32_t field_id;  /* -1 = none */
    lochan_type type;  /* Arrow type of the values */
    int32_t out_width; /* bytes of an Arrow value; 0 for bool, bytes, null */
    lochan_pq_convert convert;
    lochan_pq_order order;
    uint8_t max_def, max_rep;
    uint8_t slot_def; /* an entry is a slot of the Arrow array if its level is at least this */
    bool nullable;    /* the leaf's own field */
} lochan_pq_leaf;

static inline bool lochan_pq_leaf__is_text(const lochan_pq_leaf *leaf) {
    return leaf->type.id >= LOCHAN_TYPE_STRING && leaf->type.id <= LOCHAN_TYPE_STRING_VIEW;
}

typedef struct lochan_pq_field {
    const struct ArrowSchema *schema; /* borrowed from the schema's `arrow` */
    lochan_type type;
    bool nullable;
    uint8_t slot_def, slot_rep; /* an entry is a slot here if rep <= slot_rep and def >= slot_def */
    uint8_t def;                /* the slot is not null if def >= this */
    uint8_t item_def,
        item_rep; /* lists and maps: an item begins if def >= item_def and rep <= item_rep */
    int first_leaf, n_leaves;
    int leaf; /* index, -1 for nested fields */
    struct lochan_pq_field *children;
    int n_children;
} lochan_pq_field;

typedef struct lochan_pq_schema {
    lochan_arena arena;
    struct ArrowSchema arrow;
    lochan_pq_field root; /* children = columns */
    lochan_pq_leaf *leaves;
    int n_leaves;
    lochan_pq_element *elements; /* depth first, [0] is the root */
    uint32_t n_elements;
} lochan_pq_schema;

/* From the elements of a file. Their strings are borrowed, they must outlive the schema. */
lochan_status lochan_pq_schema__from_parquet(const lochan_pq_element *elements, uint32_t n,
                                             lochan_pq_strings strings, lochan_pq_schema *out,
                                             lochan_error *err);
/* The same with the types that the value of the key ARROW:schema restores (NULL: there is none). */
lochan_status lochan_pq_schema__from_file(const lochan_pq_element *elements, uint32_t n,
                                          lochan_pq_strings strings, const lochan_str *arrow_schema,
                                          lochan_pq_schema *out, lochan_error *err);
/* From an Arrow schema, for writing. The schema is copied. */
lochan_status lochan_pq_schema__from_arrow(const struct ArrowSchema *arrow, lochan_pq_schema *out,
                                           lochan_error *err);
void lochan_pq_schema__deinit(lochan_pq_schema *schema); /* a zeroed one is fine */

/* How a node is to be read, by the compatibility rules of LogicalTypes.md. */
typedef enum lochan_pq_shape {
    LOCHAN_PQ_SHAPE_LEAF,
    LOCHAN_PQ_SHAPE_STRUCT,
    LOCHAN_PQ_SHAPE_REPEATED, /* a repeated node outside a list: a list of itself */
    LOCHAN_PQ_SHAPE_LIST2,    /* the repeated child is itself the item */
    LOCHAN_PQ_SHAPE_LIST3,    /* the repeated child wraps the item */
    LOCHAN_PQ_SHAPE_MAP
} lochan_pq_shape;
/* is_item: the node's repetition has already been accounted for by the list around it. */
lochan_pq_shape lochan_pq_element__shape(const lochan_pq_element *e, bool is_item);

/* schema_leaf.c: the Arrow type of a leaf's values, or the element that an Arrow type is written
 * as. */
lochan_status lochan_pq_element__to_type(const lochan_pq_element *e, lochan_pq_strings strings,
                                         lochan_type *type, lochan_pq_convert *convert,
                                         lochan_error *err);
lochan_status lochan_pq_element__of_type(const lochan_type *type, const char *column,
                                         lochan_pq_element *e, lochan_pq_convert *convert,
                                         lochan_error *err);
lochan_pq_order lochan_pq_element__order(const lochan_pq_element *e, const lochan_type *type);

/* schema_link.c: builds fields and leaves over schema->elements and schema->arrow. */
lochan_status lochan_pq_schema__link(lochan_pq_schema *schema, bool writing, lochan_error *err);

#endif
