/* api_names.c - names of codecs and encodings as people write them; option structs of any version.
 * May call: base/, metadata.h.
 */
#include "arrow/schema.h"
#include "base/str.h"
#include "parquet/api.h"
#include "parquet/metadata.h"

typedef struct named {
    const char *name;
    int32_t number;
} named;

static const named codecs[] = {
    {"none", LOCHAN_PARQUET_UNCOMPRESSED}, {"uncompressed", LOCHAN_PARQUET_UNCOMPRESSED},
    {"snappy", LOCHAN_PARQUET_SNAPPY},     {"gzip", LOCHAN_PARQUET_GZIP},
    {"brotli", LOCHAN_PARQUET_BROTLI},     {"lz4", LOCHAN_PARQUET_LZ4_RAW},
    {"lz4_raw", LOCHAN_PARQUET_LZ4_RAW},   {"zstd", LOCHAN_PARQUET_ZSTD},
};

static const named encodings[] = {
    {"auto", LOCHAN_PARQUET_ENCODING_AUTO},
    {"plain", LOCHAN_PARQUET_PLAIN},
    {"dictionary", LOCHAN_PARQUET_RLE_DICTIONARY},
    {"rle_dictionary", LOCHAN_PARQUET_RLE_DICTIONARY},
    {"delta_binary_packed", LOCHAN_PARQUET_DELTA_BINARY_PACKED},
    {"delta_length_byte_array", LOCHAN_PARQUET_DELTA_LENGTH_BYTE_ARRAY},
    {"delta_byte_array", LOCHAN_PARQUET_DELTA_BYTE_ARRAY},
    {"byte_stream_split", LOCHAN_PARQUET_BYTE_STREAM_SPLIT},
};

static bool same_name(const char *a, const char *b) {
    for (; *a && *b; a++, b++) {
        char lower = *a >= 'A' && *a <= 'Z' ? (char)(*a - 'A' + 'a') : *a;
        if (lower != *b)
            return false;
    }
    return *a == *b;
}

static lochan_status find(const named *list, size_t n, const char *what, const char *name,
                          int32_t *out, lochan_error *err) {
    LOCHAN_CHECK_ARG(out, err);
    *out = 0;
    LOCHAN_CHECK_ARG(name, err);
    for (size_t i = 0; i < n; i++) {
        if (same_name(name, list[i].name)) {
            *out = list[i].number;
            return LOCHAN_OK;
        }
    }
    lochan_status rc =
        lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "there is no %s '%.40s'", what, name);
    char known[200] = "";
    for (size_t i = 0, at = 0; i < n && at < sizeof known; at = strlen(known), i++)
        (void)lochan_format(known + at, sizeof known - at, "%s%s", i ? ", " : "", list[i].name);
    lochan_error__hint(err, "known are: %s", known);
    return rc;
}

lochan_status lochan_parquet_codec_from_name(const char *name, int32_t *out, lochan_error *err) {
    return find(codecs, LOCHAN_COUNTOF(codecs), "codec", name, out, err);
}

lochan_status lochan_parquet_encoding_from_name(const char *name, int32_t *out, lochan_error *err) {
    return find(encodings, LOCHAN_COUNTOF(encodings), "encoding", name, out, err);
}

/* ---- structs of callers ---- */

lochan_status lochan_parquet__take_options(const void *given, uint32_t given_size, void *out,
                                           size_t size, size_t known, lochan_error *err) {
    if (!given)
        return LOCHAN_OK;
    if (given_size < known)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "options of %u bytes: struct_size is not set, use the INIT macro",
                                 given_size);
    memcpy(out, given, given_size < size ? given_size : size);
    for (size_t i = known; i < size && i < given_size; i++) {
        if (((const uint8_t *)given)[i] != 0)
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "reserved bytes of options must be zero");
    }
    return LOCHAN_OK;
}

lochan_status lochan_parquet__give(const void *from, size_t size, void *to, lochan_error *err) {
    uint32_t wanted;
    memcpy(&wanted, to, sizeof wanted);
    if (wanted < sizeof wanted + sizeof(uint32_t))
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "struct_size is not set, use the INIT macro");
    size_t n = wanted < size ? wanted : size;
    memcpy((uint8_t *)to + sizeof wanted, (const uint8_t *)from + sizeof wanted, n - sizeof wanted);
    return LOCHAN_OK;
}

lochan_status lochan_parquet__find_column(const struct ArrowSchema *schema, const char *name,
                                          int *out, lochan_error *err) {
    *out = lochan_schema__find(schema, name);
    if (*out >= 0)
        return LOCHAN_OK;
    lochan_status rc =
        lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "the file has no column '%s'", name);
    const char **names = lochan_mem__array((size_t)schema->n_children + 1, sizeof *names);
    for (int64_t i = 0; names && i < schema->n_children; i++)
        names[i] = schema->children[i]->name;
    const char *near = names ? lochan_name__nearest(name, names, (size_t)schema->n_children) : NULL;
    if (near)
        lochan_error__hint(err, "did you mean '%s'?", near);
    lochan_mem__free(names);
    return lochan_error__in_table(err, rc, NULL, name, -1);
}
