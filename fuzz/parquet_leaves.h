/* parquet_leaves.h - a schema with a column of every kind, for targets that decode one column. */
#ifndef LOCHAN_FUZZ_PARQUET_LEAVES_H
#define LOCHAN_FUZZ_PARQUET_LEAVES_H

#include "parquet/schema.h"

#include <stdlib.h>

enum { FUZZ_COLUMNS = 16 }; /* each has one leaf */

#define FUZZ_BIT(id) LOCHAN_THRIFT_BIT(id)
/* A leaf without a logical type: type, repetition and name are there. */
#define FUZZ_LEAF(column, physical, rep)                                                           \
    .type = LOCHAN_PQ_##physical, .repetition = LOCHAN_PQ_##rep, .name = LOCHAN_STR(column)
enum { FUZZ_PLAIN = FUZZ_BIT(1) | FUZZ_BIT(3) | FUZZ_BIT(4) };
/* One with a converted type. */
enum { FUZZ_CONVERTED = FUZZ_PLAIN | FUZZ_BIT(6) };
/* A group of one child; `list` has a converted type. */
#define FUZZ_GROUP(column, rep)                                                                    \
    .repetition = LOCHAN_PQ_##rep, .name = LOCHAN_STR(column), .num_children = 1
enum {
    FUZZ_STRUCT = FUZZ_BIT(3) | FUZZ_BIT(4) | FUZZ_BIT(5),
    FUZZ_LIST = FUZZ_STRUCT | FUZZ_BIT(6)
};

/* The schema with texts as `strings` says; made once. */
static inline const lochan_pq_schema *fuzz_schema(lochan_pq_strings strings) {
    static lochan_pq_schema schemas[4];
    const lochan_pq_element elements[] = {
        {.set = FUZZ_BIT(4) | FUZZ_BIT(5),
         .name = LOCHAN_STR("schema"),
         .num_children = FUZZ_COLUMNS},
        {.set = FUZZ_PLAIN, FUZZ_LEAF("b", BOOLEAN, OPTIONAL)},
        {.set = FUZZ_PLAIN, FUZZ_LEAF("i", INT32, OPTIONAL)},
        {.set = FUZZ_PLAIN, FUZZ_LEAF("l", INT64, REQUIRED)},
        {.set = FUZZ_PLAIN, FUZZ_LEAF("t", INT96, OPTIONAL)},
        {.set = FUZZ_PLAIN, FUZZ_LEAF("f", FLOAT, REQUIRED)},
        {.set = FUZZ_PLAIN, FUZZ_LEAF("d", DOUBLE, OPTIONAL)},
        {.set = FUZZ_CONVERTED,
         FUZZ_LEAF("s", BYTE_ARRAY, OPTIONAL),
         .converted = LOCHAN_PQ_CONVERTED_UTF8},
        {.set = FUZZ_PLAIN, FUZZ_LEAF("z", BYTE_ARRAY, REQUIRED)},
        {.set = FUZZ_PLAIN | FUZZ_BIT(2), FUZZ_LEAF("x", FIXED_BYTES, OPTIONAL), .type_length = 7},
        {.set = FUZZ_CONVERTED,
         FUZZ_LEAF("n", INT32, OPTIONAL),
         .converted = LOCHAN_PQ_CONVERTED_INT_8},
        {.set = FUZZ_CONVERTED | FUZZ_BIT(7) | FUZZ_BIT(8),
         FUZZ_LEAF("m", BYTE_ARRAY, OPTIONAL),
         .converted = LOCHAN_PQ_CONVERTED_DECIMAL,
         .scale = 2,
         .precision = 20},
        {.set = FUZZ_CONVERTED | FUZZ_BIT(2) | FUZZ_BIT(7) | FUZZ_BIT(8),
         FUZZ_LEAF("y", FIXED_BYTES, OPTIONAL),
         .type_length = 5,
         .converted = LOCHAN_PQ_CONVERTED_DECIMAL,
         .scale = 1,
         .precision = 10},
        {.set = FUZZ_LIST, FUZZ_GROUP("li", OPTIONAL), .converted = LOCHAN_PQ_CONVERTED_LIST},
        {.set = FUZZ_STRUCT, FUZZ_GROUP("list", REPEATED)},
        {.set = FUZZ_PLAIN, FUZZ_LEAF("element", INT32, OPTIONAL)},
        {.set = FUZZ_LIST, FUZZ_GROUP("ls", OPTIONAL), .converted = LOCHAN_PQ_CONVERTED_LIST},
        {.set = FUZZ_STRUCT, FUZZ_GROUP("list", REPEATED)},
        {.set = FUZZ_CONVERTED,
         FUZZ_LEAF("element", BYTE_ARRAY, OPTIONAL),
         .converted = LOCHAN_PQ_CONVERTED_UTF8},
        {.set = FUZZ_LIST, FUZZ_GROUP("ll", OPTIONAL), .converted = LOCHAN_PQ_CONVERTED_LIST},
        {.set = FUZZ_STRUCT, FUZZ_GROUP("list", REPEATED)},
        {.set = FUZZ_LIST, FUZZ_GROUP("element", OPTIONAL), .converted = LOCHAN_PQ_CONVERTED_LIST},
        {.set = FUZZ_STRUCT, FUZZ_GROUP("list", REPEATED)},
        {.set = FUZZ_PLAIN, FUZZ_LEAF("element", DOUBLE, REQUIRED)},
        {.set = FUZZ_STRUCT, FUZZ_GROUP("st", OPTIONAL)},
        {.set = FUZZ_PLAIN, FUZZ_LEAF("v", INT64, OPTIONAL)},
    };
    lochan_pq_schema *schema = &schemas[strings & 3];
    if (!schema->leaves) {
        /* names are borrowed: literals live on */
        if (lochan_pq_schema__from_parquet(elements, LOCHAN_COUNTOF(elements), strings & 3, schema,
                                           NULL) != LOCHAN_OK ||
            schema->n_leaves != FUZZ_COLUMNS)
            abort();
    }
    return schema;
}

#endif
