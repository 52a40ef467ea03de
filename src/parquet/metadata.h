/* metadata.h - the structs of Parquet's footer and page headers, as C structs, and how they are
 * read and written. Invariant: field n of a struct is present if bit n of `set` is (LOCHAN_PQ_HAS);
 * numbers are those of parquet.thrift. May call: base/, thrift.h.
 */
#ifndef LOCHAN_PARQUET_METADATA_H
#define LOCHAN_PARQUET_METADATA_H

#include "parquet/thrift.h"

typedef enum lochan_pq_physical {
    LOCHAN_PQ_BOOLEAN = 0,
    LOCHAN_PQ_INT32 = 1,
    LOCHAN_PQ_INT64 = 2,
    LOCHAN_PQ_INT96 = 3,
    LOCHAN_PQ_FLOAT = 4,
    LOCHAN_PQ_DOUBLE = 5,
    LOCHAN_PQ_BYTE_ARRAY = 6,
    LOCHAN_PQ_FIXED_BYTES = 7
} lochan_pq_physical;

typedef enum lochan_pq_repetition {
    LOCHAN_PQ_REQUIRED = 0,
    LOCHAN_PQ_OPTIONAL = 1,
    LOCHAN_PQ_REPEATED = 2
} lochan_pq_repetition;

typedef enum lochan_pq_converted {
    LOCHAN_PQ_CONVERTED_UTF8 = 0,
    LOCHAN_PQ_CONVERTED_MAP = 1,
    LOCHAN_PQ_CONVERTED_MAP_KEY_VALUE = 2,
    LOCHAN_PQ_CONVERTED_LIST = 3,
    LOCHAN_PQ_CONVERTED_ENUM = 4,
    LOCHAN_PQ_CONVERTED_DECIMAL = 5,
    LOCHAN_PQ_CONVERTED_DATE = 6,
    LOCHAN_PQ_CONVERTED_TIME_MILLIS = 7,
    LOCHAN_PQ_CONVERTED_TIME_MICROS = 8,
    LOCHAN_PQ_CONVERTED_TIMESTAMP_MILLIS = 9,
    LOCHAN_PQ_CONVERTED_TIMESTAMP_MICROS = 10,
    LOCHAN_PQ_CONVERTED_UINT_8 = 11,
    LOCHAN_PQ_CONVERTED_UINT_16 = 12,
    LOCHAN_PQ_CONVERTED_UINT_32 = 13,
    LOCHAN_PQ_CONVERTED_UINT_64 = 14,
    LOCHAN_PQ_CONVERTED_INT_8 = 15,
    LOCHAN_PQ_CONVERTED_INT_16 = 16,
    LOCHAN_PQ_CONVERTED_INT_32 = 17,
    LOCHAN_PQ_CONVERTED_INT_64 = 18,
    LOCHAN_PQ_CONVERTED_JSON = 19,
    LOCHAN_PQ_CONVERTED_BSON = 20,
    LOCHAN_PQ_CONVERTED_INTERVAL = 21
} lochan_pq_converted;

typedef enum lochan_pq_encoding {
    LOCHAN_PQ_PLAIN = 0,
    LOCHAN_PQ_PLAIN_DICTIONARY = 2,
    LOCHAN_PQ_RLE = 3,
    LOCHAN_PQ_BIT_PACKED = 4,
    LOCHAN_PQ_DELTA_BINARY_PACKED = 5,
    LOCHAN_PQ_DELTA_LENGTH_BYTE_ARRAY = 6,
    LOCHAN_PQ_DELTA_BYTE_ARRAY = 7,
    LOCHAN_PQ_RLE_DICTIONARY = 8,
    LOCHAN_PQ_BYTE_STREAM_SPLIT = 9
} lochan_pq_encoding;

typedef enum lochan_pq_page_type {
    LOCHAN_PQ_DATA_PAGE = 0,
    LOCHAN_PQ_INDEX_PAGE = 1,
    LOCHAN_PQ_DICTIONARY_PAGE = 2,
    LOCHAN_PQ_DATA_PAGE_V2 = 3
} lochan_pq_page_type;

/* Ids of the members of the LogicalType union. */
typedef enum lochan_pq_logical_id {
    LOCHAN_PQ_LOGICAL_NONE = 0,
    LOCHAN_PQ_LOGICAL_STRING = 1,
    LOCHAN_PQ_LOGICAL_MAP = 2,
    LOCHAN_PQ_LOGICAL_LIST = 3,
    LOCHAN_PQ_LOGICAL_ENUM = 4,
    LOCHAN_PQ_LOGICAL_DECIMAL = 5,
    LOCHAN_PQ_LOGICAL_DATE = 6,
    LOCHAN_PQ_LOGICAL_TIME = 7,
    LOCHAN_PQ_LOGICAL_TIMESTAMP = 8,
    LOCHAN_PQ_LOGICAL_INTEGER = 10,
    LOCHAN_PQ_LOGICAL_UNKNOWN = 11,
    LOCHAN_PQ_LOGICAL_JSON = 12,
    LOCHAN_PQ_LOGICAL_BSON = 13,
    LOCHAN_PQ_LOGICAL_UUID = 14,
    LOCHAN_PQ_LOGICAL_FLOAT16 = 15
} lochan_pq_logical_id;

#define LOCHAN_PQ_HAS(s, id) (((s)->set >> (id)) & 1u)

typedef struct lochan_pq_empty {
    uint32_t set;
} lochan_pq_empty;

typedef struct lochan_pq_time_unit { /* union: bit 1 millis, 2 micros, 3 nanos */
    uint32_t set;
    lochan_pq_empty member;
} lochan_pq_time_unit;

typedef struct lochan_pq_decimal {
    uint32_t set;
    int32_t scale;     /* 1 */
    int32_t precision; /* 2 */
} lochan_pq_decimal;

typedef struct lochan_pq_time { /* TimeType and TimestampType */
    uint32_t set;
    bool is_utc;              /* 1 */
    lochan_pq_time_unit unit; /* 2 */
} lochan_pq_time;

typedef struct lochan_pq_int {
    uint32_t set;
    int32_t bit_width; /* 1 */
    bool is_signed;    /* 2 */
} lochan_pq_int;

typedef struct lochan_pq_logical { /* union: one bit of lochan_pq_logical_id */
    uint32_t set;
    lochan_pq_empty empty; /* all members without fields */
    lochan_pq_decimal decimal;
    lochan_pq_time time;
    lochan_pq_int integer;
} lochan_pq_logical;

typedef struct lochan_pq_element { /* SchemaElement */
    uint32_t set;
    int32_t type;              /* 1 */
    int32_t type_length;       /* 2 */
    int32_t repetition;        /* 3 */
    lochan_str name;           /* 4 */
    int32_t num_children;      /* 5 */
    int32_t converted;         /* 6 */
    int32_t scale;             /* 7 */
    int32_t precision;         /* 8 */
    int32_t field_id;          /* 9 */
    lochan_pq_logical logical; /* 10 */
} lochan_pq_element;

typedef struct lochan_pq_statistics {
    uint32_t set;
    lochan_str max_old;     /* 1: signed byte order, trusted for plain signed numbers only */
    lochan_str min_old;     /* 2 */
    int64_t null_count;     /* 3 */
    int64_t distinct_count; /* 4 */
    lochan_str max;         /* 5 */
    lochan_str min;         /* 6 */
    bool max_exact;         /* 7 */
    bool min_exact;         /* 8 */
    int64_t nan_count;      /* 9 */
} lochan_pq_statistics;

typedef struct lochan_pq_data_header {
    uint32_t set;
    int32_t num_values;   /* 1 */
    int32_t encoding;     /* 2 */
    int32_t def_encoding; /* 3 */
    int32_t rep_encoding; /* 4 */
} lochan_pq_data_header;

typedef struct lochan_pq_dictionary_header {
    uint32_t set;
    int32_t num_values; /* 1 */
    int32_t encoding;   /* 2 */
    bool is_sorted;     /* 3 */
} lochan_pq_dictionary_header;

typedef struct lochan_pq_data_header_v2 {
    uint32_t set;
    int32_t num_values; /* 1 */
    int32_t num_nulls;  /* 2 */
    int32_t num_rows;   /* 3 */
    int32_t encoding;   /* 4 */
    int32_t def_length; /* 5 */
    int32_t rep_length; /* 6 */
    bool is_compressed; /* 7: true if absent */
} lochan_pq_data_header_v2;

typedef struct lochan_pq_page_header {
    uint32_t set;
    int32_t type;                           /* 1 */
    int32_t uncompressed_size;              /* 2 */
    int32_t compressed_size;                /* 3 */
    int32_t crc;                            /* 4 */
    lochan_pq_data_header data;             /* 5 */
    lochan_pq_dictionary_header dictionary; /* 7 */
    lochan_pq_data_header_v2 data_v2;       /* 8 */
} lochan_pq_page_header;

typedef struct lochan_pq_key_value {
    uint32_t set;
    lochan_str key;   /* 1 */
    lochan_str value; /* 2 */
} lochan_pq_key_value;

typedef struct lochan_pq_encoding_stats {
    uint32_t set;
    int32_t page_type; /* 1 */
    int32_t encoding;  /* 2 */
    int32_t count;     /* 3 */
} lochan_pq_encoding_stats;

typedef struct lochan_pq_size_statistics {
    uint32_t set;
    int64_t unencoded_bytes;          /* 1: byte arrays only */
    lochan_thrift_list rep_histogram; /* 2: int64_t */
    lochan_thrift_list def_histogram; /* 3: int64_t */
} lochan_pq_size_statistics;

typedef struct lochan_pq_column_meta {
    uint32_t set;
    int32_t type;                      /* 1 */
    lochan_thrift_list encodings;      /* 2: int32_t */
    lochan_thrift_list path;           /* 3: lochan_str */
    int32_t codec;                     /* 4 */
    int64_t num_values;                /* 5 */
    int64_t uncompressed_size;         /* 6 */
    int64_t compressed_size;           /* 7 */
    int64_t data_page_offset;          /* 9 */
    int64_t dictionary_page_offset;    /* 11 */
    lochan_pq_statistics statistics;   /* 12 */
    lochan_thrift_list encoding_stats; /* 13: lochan_pq_encoding_stats */
    int64_t bloom_filter_offset;       /* 14 */
    int32_t bloom_filter_length;       /* 15 */
    lochan_pq_size_statistics sizes;   /* 16 */
} lochan_pq_column_meta;

typedef struct lochan_pq_column_chunk {
    uint32_t set;
    lochan_str file_path;        /* 1 */
    int64_t file_offset;         /* 2 */
    lochan_pq_column_meta meta;  /* 3 */
    int64_t offset_index_offset; /* 4 */
    int32_t offset_index_length; /* 5 */
    int64_t column_index_offset; /* 6 */
    int32_t column_index_length; /* 7 */
    lochan_pq_empty crypto;      /* 8: its presence is all we look at */
} lochan_pq_column_chunk;

typedef struct lochan_pq_sorting_column {
    uint32_t set;
    int32_t column;   /* 1: leaf ordinal */
    bool descending;  /* 2 */
    bool nulls_first; /* 3 */
} lochan_pq_sorting_column;

typedef struct lochan_pq_row_group_meta {
    uint32_t set;
    lochan_thrift_list columns; /* 1: lochan_pq_column_chunk */
    int64_t total_byte_size;    /* 2 */
    int64_t num_rows;           /* 3 */
    lochan_thrift_list sorting; /* 4: lochan_pq_sorting_column */
    int64_t file_offset;        /* 5 */
    int64_t total_compressed;   /* 6 */
    int32_t ordinal;            /* 7 */
} lochan_pq_row_group_meta;

typedef struct lochan_pq_column_order { /* union; 1: defined by the type, 2: IEEE 754 total order */
    uint32_t set;
    lochan_pq_empty type_order;
} lochan_pq_column_order;

typedef struct lochan_pq_file_meta {
    uint32_t set;
    int32_t version;                  /* 1 */
    lochan_thrift_list schema;        /* 2: lochan_pq_element */
    int64_t num_rows;                 /* 3 */
    lochan_thrift_list row_groups;    /* 4: lochan_pq_row_group_meta */
    lochan_thrift_list key_values;    /* 5: lochan_pq_key_value */
    lochan_str created_by;            /* 6 */
    lochan_thrift_list column_orders; /* 7: lochan_pq_column_order */
    lochan_pq_empty encryption;       /* 8: its presence is all we look at */
} lochan_pq_file_meta;

typedef struct lochan_pq_page_location {
    uint32_t set;
    int64_t offset;          /* 1 */
    int32_t compressed_size; /* 2: with the header */
    int64_t first_row;       /* 3: in the row group */
} lochan_pq_page_location;

typedef struct lochan_pq_offset_index {
    uint32_t set;
    lochan_thrift_list pages;           /* 1: lochan_pq_page_location */
    lochan_thrift_list unencoded_bytes; /* 2: int64_t */
} lochan_pq_offset_index;

typedef struct lochan_pq_column_index {
    uint32_t set;
    lochan_thrift_list null_pages;  /* 1: bool */
    lochan_thrift_list mins;        /* 2: lochan_str */
    lochan_thrift_list maxs;        /* 3: lochan_str */
    int32_t order;                  /* 4: 0 unordered, 1 ascending, 2 descending */
    lochan_thrift_list null_counts; /* 5: int64_t */
    lochan_thrift_list nan_counts;  /* 8: int64_t */
} lochan_pq_column_index;

typedef struct lochan_pq_bloom_header {
    uint32_t set;
    int32_t num_bytes;               /* 1 */
    lochan_pq_time_unit algorithm;   /* 2: union, member 1 = split block */
    lochan_pq_time_unit hash;        /* 3: union, member 1 = xxHash */
    lochan_pq_time_unit compression; /* 4: union, member 1 = none */
} lochan_pq_bloom_header;

extern const lochan_thrift_type lochan_pq_file_meta__type;
extern const lochan_thrift_type lochan_pq_page_header__type;
extern const lochan_thrift_type lochan_pq_offset_index__type;
extern const lochan_thrift_type lochan_pq_column_index__type;
extern const lochan_thrift_type lochan_pq_bloom_header__type;

/* Id of the one member a LogicalType holds, LOGICAL_NONE if it holds none we know. */
lochan_pq_logical_id lochan_pq_logical__id(const lochan_pq_logical *logical);

const char *lochan_pq_physical__name(int32_t type);
const char *lochan_pq_encoding__name(int32_t encoding);

#endif
