/* metadata.c - the tables that tie the C structs of metadata.h to their Thrift form. No logic but
 * names. Invariant: ids, kinds and required-ness follow parquet.thrift. May call: thrift.h.
 */
#include "parquet/metadata.h"

#define FIELD(struct_, id_, member_, kind_, required_)                                             \
    {                                                                                              \
        .name = #member_, .id = (id_), .kind = LOCHAN_THRIFT_##kind_, .required = (required_),     \
        .offset = (uint16_t)offsetof(struct_, member_)                                             \
    }
#define STRUCT(struct_, id_, member_, type_, required_)                                            \
    {                                                                                              \
        .name = #member_, .id = (id_), .kind = LOCHAN_THRIFT_STRUCT, .required = (required_),      \
        .offset = (uint16_t)offsetof(struct_, member_), .type = &(type_)                           \
    }
#define LIST(struct_, id_, member_, item_, required_)                                              \
    {                                                                                              \
        .name = #member_, .id = (id_), .kind = LOCHAN_THRIFT_LIST, .item = LOCHAN_THRIFT_##item_,  \
        .required = (required_), .offset = (uint16_t)offsetof(struct_, member_)                    \
    }
#define LIST_OF(struct_, id_, member_, type_, required_)                                           \
    {                                                                                              \
        .name = #member_, .id = (id_), .kind = LOCHAN_THRIFT_LIST, .item = LOCHAN_THRIFT_STRUCT,   \
        .required = (required_), .offset = (uint16_t)offsetof(struct_, member_), .type = &(type_)  \
    }
#define TYPE(name_, struct_, fields_)                                                              \
    { name_, sizeof(struct_), fields_, LOCHAN_COUNTOF(fields_) }

static const lochan_thrift_type empty_type = {"struct", sizeof(lochan_pq_empty), NULL, 0};

static const lochan_thrift_field time_unit_fields[] = {
    STRUCT(lochan_pq_time_unit, 1, member, empty_type, false),
    STRUCT(lochan_pq_time_unit, 2, member, empty_type, false),
    STRUCT(lochan_pq_time_unit, 3, member, empty_type, false),
};
static const lochan_thrift_type time_unit_type =
    TYPE("TimeUnit", lochan_pq_time_unit, time_unit_fields);

static const lochan_thrift_field decimal_fields[] = {
    FIELD(lochan_pq_decimal, 1, scale, I32, true),
    FIELD(lochan_pq_decimal, 2, precision, I32, true),
};
static const lochan_thrift_type decimal_type =
    TYPE("DecimalType", lochan_pq_decimal, decimal_fields);

static const lochan_thrift_field time_fields[] = {
    FIELD(lochan_pq_time, 1, is_utc, BOOL, true),
    STRUCT(lochan_pq_time, 2, unit, time_unit_type, true),
};
static const lochan_thrift_type time_type = TYPE("TimeType", lochan_pq_time, time_fields);

static const lochan_thrift_field int_fields[] = {
    FIELD(lochan_pq_int, 1, bit_width, I8, true),
    FIELD(lochan_pq_int, 2, is_signed, BOOL, true),
};
static const lochan_thrift_type int_type = TYPE("IntType", lochan_pq_int, int_fields);

static const lochan_thrift_field logical_fields[] = {
    STRUCT(lochan_pq_logical, 1, empty, empty_type, false),
    STRUCT(lochan_pq_logical, 2, empty, empty_type, false),
    STRUCT(lochan_pq_logical, 3, empty, empty_type, false),
    STRUCT(lochan_pq_logical, 4, empty, empty_type, false),
    STRUCT(lochan_pq_logical, 5, decimal, decimal_type, false),
    STRUCT(lochan_pq_logical, 6, empty, empty_type, false),
    STRUCT(lochan_pq_logical, 7, time, time_type, false),
    STRUCT(lochan_pq_logical, 8, time, time_type, false),
    STRUCT(lochan_pq_logical, 10, integer, int_type, false),
    STRUCT(lochan_pq_logical, 11, empty, empty_type, false),
    STRUCT(lochan_pq_logical, 12, empty, empty_type, false),
    STRUCT(lochan_pq_logical, 13, empty, empty_type, false),
    STRUCT(lochan_pq_logical, 14, empty, empty_type, false),
    STRUCT(lochan_pq_logical, 15, empty, empty_type, false),
};
static const lochan_thrift_type logical_type =
    TYPE("LogicalType", lochan_pq_logical, logical_fields);

static const lochan_thrift_field element_fields[] = {
    FIELD(lochan_pq_element, 1, type, I32, false),
    FIELD(lochan_pq_element, 2, type_length, I32, false),
    FIELD(lochan_pq_element, 3, repetition, I32, false),
    FIELD(lochan_pq_element, 4, name, BINARY, true),
    FIELD(lochan_pq_element, 5, num_children, I32, false),
    FIELD(lochan_pq_element, 6, converted, I32, false),
    FIELD(lochan_pq_element, 7, scale, I32, false),
    FIELD(lochan_pq_element, 8, precision, I32, false),
    FIELD(lochan_pq_element, 9, field_id, I32, false),
    STRUCT(lochan_pq_element, 10, logical, logical_type, false),
};
static const lochan_thrift_type element_type =
    TYPE("SchemaElement", lochan_pq_element, element_fields);

static const lochan_thrift_field statistics_fields[] = {
    FIELD(lochan_pq_statistics, 1, max_old, BINARY, false),
    FIELD(lochan_pq_statistics, 2, min_old, BINARY, false),
    FIELD(lochan_pq_statistics, 3, null_count, I64, false),
    FIELD(lochan_pq_statistics, 4, distinct_count, I64, false),
    FIELD(lochan_pq_statistics, 5, max, BINARY, false),
    FIELD(lochan_pq_statistics, 6, min, BINARY, false),
    FIELD(lochan_pq_statistics, 7, max_exact, BOOL, false),
    FIELD(lochan_pq_statistics, 8, min_exact, BOOL, false),
    FIELD(lochan_pq_statistics, 9, nan_count, I64, false),
};
static const lochan_thrift_type statistics_type =
    TYPE("Statistics", lochan_pq_statistics, statistics_fields);

static const lochan_thrift_field data_fields[] = {
    FIELD(lochan_pq_data_header, 1, num_values, I32, true),
    FIELD(lochan_pq_data_header, 2, encoding, I32, true),
    FIELD(lochan_pq_data_header, 3, def_encoding, I32, true),
    FIELD(lochan_pq_data_header, 4, rep_encoding, I32, true),
};
static const lochan_thrift_type data_type =
    TYPE("DataPageHeader", lochan_pq_data_header, data_fields);

static const lochan_thrift_field dictionary_fields[] = {
    FIELD(lochan_pq_dictionary_header, 1, num_values, I32, true),
    FIELD(lochan_pq_dictionary_header, 2, encoding, I32, true),
    FIELD(lochan_pq_dictionary_header, 3, is_sorted, BOOL, false),
};
static const lochan_thrift_type dictionary_type =
    TYPE("DictionaryPageHeader", lochan_pq_dictionary_header, dictionary_fields);

static const lochan_thrift_field data_v2_fields[] = {
    FIELD(lochan_pq_data_header_v2, 1, num_values, I32, true),
    FIELD(lochan_pq_data_header_v2, 2, num_nulls, I32, true),
    FIELD(lochan_pq_data_header_v2, 3, num_rows, I32, true),
    FIELD(lochan_pq_data_header_v2, 4, encoding, I32, true),
    FIELD(lochan_pq_data_header_v2, 5, def_length, I32, true),
    FIELD(lochan_pq_data_header_v2, 6, rep_length, I32, true),
    FIELD(lochan_pq_data_header_v2, 7, is_compressed, BOOL, false),
};
static const lochan_thrift_type data_v2_type =
    TYPE("DataPageHeaderV2", lochan_pq_data_header_v2, data_v2_fields);

static const lochan_thrift_field page_fields[] = {
    FIELD(lochan_pq_page_header, 1, type, I32, true),
    FIELD(lochan_pq_page_header, 2, uncompressed_size, I32, true),
    FIELD(lochan_pq_page_header, 3, compressed_size, I32, true),
    FIELD(lochan_pq_page_header, 4, crc, I32, false),
    STRUCT(lochan_pq_page_header, 5, data, data_type, false),
    STRUCT(lochan_pq_page_header, 7, dictionary, dictionary_type, false),
    STRUCT(lochan_pq_page_header, 8, data_v2, data_v2_type, false),
};
const lochan_thrift_type lochan_pq_page_header__type =
    TYPE("PageHeader", lochan_pq_page_header, page_fields);

static const lochan_thrift_field key_value_fields[] = {
    FIELD(lochan_pq_key_value, 1, key, BINARY, true),
    FIELD(lochan_pq_key_value, 2, value, BINARY, false),
};
static const lochan_thrift_type key_value_type =
    TYPE("KeyValue", lochan_pq_key_value, key_value_fields);

static const lochan_thrift_field encoding_stats_fields[] = {
    FIELD(lochan_pq_encoding_stats, 1, page_type, I32, true),
    FIELD(lochan_pq_encoding_stats, 2, encoding, I32, true),
    FIELD(lochan_pq_encoding_stats, 3, count, I32, true),
};
static const lochan_thrift_type encoding_stats_type =
    TYPE("PageEncodingStats", lochan_pq_encoding_stats, encoding_stats_fields);

static const lochan_thrift_field sizes_fields[] = {
    FIELD(lochan_pq_size_statistics, 1, unencoded_bytes, I64, false),
    LIST(lochan_pq_size_statistics, 2, rep_histogram, I64, false),
    LIST(lochan_pq_size_statistics, 3, def_histogram, I64, false),
};
static const lochan_thrift_type sizes_type =
    TYPE("SizeStatistics", lochan_pq_size_statistics, sizes_fields);

static const lochan_thrift_field column_meta_fields[] = {
    FIELD(lochan_pq_column_meta, 1, type, I32, true),
    LIST(lochan_pq_column_meta, 2, encodings, I32, true),
    LIST(lochan_pq_column_meta, 3, path, BINARY, true),
    FIELD(lochan_pq_column_meta, 4, codec, I32, true),
    FIELD(lochan_pq_column_meta, 5, num_values, I64, true),
    FIELD(lochan_pq_column_meta, 6, uncompressed_size, I64, true),
    FIELD(lochan_pq_column_meta, 7, compressed_size, I64, true),
    FIELD(lochan_pq_column_meta, 9, data_page_offset, I64, true),
    FIELD(lochan_pq_column_meta, 11, dictionary_page_offset, I64, false),
    STRUCT(lochan_pq_column_meta, 12, statistics, statistics_type, false),
    LIST_OF(lochan_pq_column_meta, 13, encoding_stats, encoding_stats_type, false),
    FIELD(lochan_pq_column_meta, 14, bloom_filter_offset, I64, false),
    FIELD(lochan_pq_column_meta, 15, bloom_filter_length, I32, false),
    STRUCT(lochan_pq_column_meta, 16, sizes, sizes_type, false),
};
static const lochan_thrift_type column_meta_type =
    TYPE("ColumnMetaData", lochan_pq_column_meta, column_meta_fields);

static const lochan_thrift_field column_chunk_fields[] = {
    FIELD(lochan_pq_column_chunk, 1, file_path, BINARY, false),
    FIELD(lochan_pq_column_chunk, 2, file_offset, I64, false),
    STRUCT(lochan_pq_column_chunk, 3, meta, column_meta_type, false),
    FIELD(lochan_pq_column_chunk, 4, offset_index_offset, I64, false),
    FIELD(lochan_pq_column_chunk, 5, offset_index_length, I32, false),
    FIELD(lochan_pq_column_chunk, 6, column_index_offset, I64, false),
    FIELD(lochan_pq_column_chunk, 7, column_index_length, I32, false),
    STRUCT(lochan_pq_column_chunk, 8, crypto, empty_type, false),
};
static const lochan_thrift_type column_chunk_type =
    TYPE("ColumnChunk", lochan_pq_column_chunk, column_chunk_fields);

static const lochan_thrift_field sorting_fields[] = {
    FIELD(lochan_pq_sorting_column, 1, column, I32, true),
    FIELD(lochan_pq_sorting_column, 2, descending, BOOL, true),
    FIELD(lochan_pq_sorting_column, 3, nulls_first, BOOL, true),
};
static const lochan_thrift_type sorting_type =
    TYPE("SortingColumn", lochan_pq_sorting_column, sorting_fields);

static const lochan_thrift_field row_group_fields[] = {
    LIST_OF(lochan_pq_row_group_meta, 1, columns, column_chunk_type, true),
    FIELD(lochan_pq_row_group_meta, 2, total_byte_size, I64, true),
    FIELD(lochan_pq_row_group_meta, 3, num_rows, I64, true),
    LIST_OF(lochan_pq_row_group_meta, 4, sorting, sorting_type, false),
    FIELD(lochan_pq_row_group_meta, 5, file_offset, I64, false),
    FIELD(lochan_pq_row_group_meta, 6, total_compressed, I64, false),
    FIELD(lochan_pq_row_group_meta, 7, ordinal, I16, false),
};
static const lochan_thrift_type row_group_type =
    TYPE("RowGroup", lochan_pq_row_group_meta, row_group_fields);

static const lochan_thrift_field column_order_fields[] = {
    STRUCT(lochan_pq_column_order, 1, type_order, empty_type, false),
    STRUCT(lochan_pq_column_order, 2, type_order, empty_type, false),
};
static const lochan_thrift_type column_order_type =
    TYPE("ColumnOrder", lochan_pq_column_order, column_order_fields);

static const lochan_thrift_field file_meta_fields[] = {
    FIELD(lochan_pq_file_meta, 1, version, I32, true),
    LIST_OF(lochan_pq_file_meta, 2, schema, element_type, true),
    FIELD(lochan_pq_file_meta, 3, num_rows, I64, true),
    LIST_OF(lochan_pq_file_meta, 4, row_groups, row_group_type, true),
    LIST_OF(lochan_pq_file_meta, 5, key_values, key_value_type, false),
    FIELD(lochan_pq_file_meta, 6, created_by, BINARY, false),
    LIST_OF(lochan_pq_file_meta, 7, column_orders, column_order_type, false),
    STRUCT(lochan_pq_file_meta, 8, encryption, empty_type, false),
};
const lochan_thrift_type lochan_pq_file_meta__type =
    TYPE("FileMetaData", lochan_pq_file_meta, file_meta_fields);

static const lochan_thrift_field page_location_fields[] = {
    FIELD(lochan_pq_page_location, 1, offset, I64, true),
    FIELD(lochan_pq_page_location, 2, compressed_size, I32, true),
    FIELD(lochan_pq_page_location, 3, first_row, I64, true),
};
static const lochan_thrift_type page_location_type =
    TYPE("PageLocation", lochan_pq_page_location, page_location_fields);

static const lochan_thrift_field offset_index_fields[] = {
    LIST_OF(lochan_pq_offset_index, 1, pages, page_location_type, true),
    LIST(lochan_pq_offset_index, 2, unencoded_bytes, I64, false),
};
const lochan_thrift_type lochan_pq_offset_index__type =
    TYPE("OffsetIndex", lochan_pq_offset_index, offset_index_fields);

static const lochan_thrift_field column_index_fields[] = {
    LIST(lochan_pq_column_index, 1, null_pages, BOOL, true),
    LIST(lochan_pq_column_index, 2, mins, BINARY, true),
    LIST(lochan_pq_column_index, 3, maxs, BINARY, true),
    FIELD(lochan_pq_column_index, 4, order, I32, true),
    LIST(lochan_pq_column_index, 5, null_counts, I64, false),
    LIST(lochan_pq_column_index, 8, nan_counts, I64, false),
};
const lochan_thrift_type lochan_pq_column_index__type =
    TYPE("ColumnIndex", lochan_pq_column_index, column_index_fields);

static const lochan_thrift_field bloom_fields[] = {
    FIELD(lochan_pq_bloom_header, 1, num_bytes, I32, true),
    STRUCT(lochan_pq_bloom_header, 2, algorithm, time_unit_type, true),
    STRUCT(lochan_pq_bloom_header, 3, hash, time_unit_type, true),
    STRUCT(lochan_pq_bloom_header, 4, compression, time_unit_type, true),
};
const lochan_thrift_type lochan_pq_bloom_header__type =
    TYPE("BloomFilterHeader", lochan_pq_bloom_header, bloom_fields);

lochan_pq_logical_id lochan_pq_logical__id(const lochan_pq_logical *logical) {
    for (int id = LOCHAN_PQ_LOGICAL_STRING; id <= LOCHAN_PQ_LOGICAL_FLOAT16; id++) {
        if (LOCHAN_PQ_HAS(logical, id))
            return (lochan_pq_logical_id)id;
    }
    return LOCHAN_PQ_LOGICAL_NONE;
}

const char *lochan_pq_physical__name(int32_t type) {
    static const char *const names[] = {"BOOLEAN", "INT32",  "INT64",      "INT96",
                                        "FLOAT",   "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"};
    return type >= 0 && (size_t)type < LOCHAN_COUNTOF(names) ? names[type] : "unknown";
}

const char *lochan_pq_encoding__name(int32_t encoding) {
    static const char *const names[] = {"PLAIN",
                                        "GROUP_VAR_INT",
                                        "PLAIN_DICTIONARY",
                                        "RLE",
                                        "BIT_PACKED",
                                        "DELTA_BINARY_PACKED",
                                        "DELTA_LENGTH_BYTE_ARRAY",
                                        "DELTA_BYTE_ARRAY",
                                        "RLE_DICTIONARY",
                                        "BYTE_STREAM_SPLIT",
                                        "ALP"};
    return encoding >= 0 && (size_t)encoding < LOCHAN_COUNTOF(names) ? names[encoding] : "unknown";
}
