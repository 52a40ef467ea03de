/* schema_meta.c - key-value metadata of a field, in Arrow's binary encoding: int32 count, then for
 * each pair int32 length and bytes of the key, int32 length and bytes of the value, all in the
 * machine's byte order. Invariant: lengths are checked for sign and sum; the block carries no total
 * size. May call: base/, schema.h.
 */
#include "arrow/schema_own.h"
#include "base/str.h"

#define MAX_METADATA (64u << 20)
#define FIELD_ID_KEY "PARQUET:field_id"

/* Reads one length-prefixed text at *pos and moves behind it. */
static bool next_text(const char *metadata, size_t *pos, lochan_str *out) {
    int32_t n;
    memcpy(&n, metadata + *pos, sizeof n);
    if (n < 0 || (size_t)n > MAX_METADATA - *pos)
        return false;
    *out = (lochan_str){metadata + *pos + sizeof n, (size_t)n};
    *pos += sizeof n + (size_t)n;
    return *pos <= MAX_METADATA;
}

static int32_t pair_count(const char *metadata) {
    int32_t count = 0;
    if (metadata)
        memcpy(&count, metadata, sizeof count);
    return count;
}

bool lochan_schema__metadata_size(const char *metadata, size_t *size) {
    lochan_str text;
    int32_t count = pair_count(metadata);
    size_t pos = sizeof count;
    *size = 0;
    if (count < 0)
        return false;
    for (int64_t i = 0; i < 2 * (int64_t)count; i++)
        if (!next_text(metadata, &pos, &text))
            return false;
    *size = pos;
    return true;
}

bool lochan_schema__get_metadata(const struct ArrowSchema *schema, const char *key,
                                 const char **value, size_t *n) {
    *value = NULL;
    *n = 0;
    lochan_str wanted = lochan_str__of(key);
    lochan_str k;
    lochan_str v;
    int32_t count = pair_count(schema->metadata);
    size_t pos = sizeof count;
    for (int32_t i = 0; i < count; i++) {
        if (!next_text(schema->metadata, &pos, &k) || !next_text(schema->metadata, &pos, &v))
            return false;
        if (lochan_str__eq(k, wanted)) {
            *value = v.p;
            *n = v.n;
            return true;
        }
    }
    return false;
}

bool lochan_schema__next_metadata(const struct ArrowSchema *schema, lochan_schema_pairs *at,
                                  lochan_str *key, lochan_str *value) {
    if (at->done >= pair_count(schema->metadata))
        return false;
    if (at->done++ == 0)
        at->pos = sizeof(int32_t);
    return next_text(schema->metadata, &at->pos, key) &&
           next_text(schema->metadata, &at->pos, value);
}

static char *put_text(char *dst, lochan_str s) {
    int32_t n = (int32_t)s.n;
    memcpy(dst, &n, sizeof n);
    if (s.n)
        memcpy(dst + sizeof n, s.p, s.n);
    return dst + sizeof n + s.n;
}

lochan_status lochan_schema__set_metadata(struct ArrowSchema *schema, const char *key,
                                          const char *value, lochan_error *err) {
    size_t old_size = sizeof(int32_t);
    lochan_str wanted = lochan_str__of(key);
    lochan_str text = lochan_str__of(value);
    if (!lochan_schema__is_own(schema))
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "metadata can be set on own schemas only");
    if (schema->metadata && !lochan_schema__metadata_size(schema->metadata, &old_size))
        return lochan_error__set(err, LOCHAN_ERR_DATA, "metadata of column '%.100s' is damaged",
                                 schema->name);
    if (wanted.n + text.n > MAX_METADATA - old_size - 2 * sizeof(int32_t))
        return lochan_error__set(err, LOCHAN_ERR_VALUE, "metadata of column '%.100s' is too large",
                                 schema->name);
    char *fresh = lochan_mem__alloc(old_size + 2 * sizeof(int32_t) + wanted.n + text.n);
    if (!fresh)
        return lochan_error__nomem(err);

    int32_t kept = 0;
    size_t pos = sizeof kept;
    char *dst = fresh + sizeof kept;
    int32_t count = pair_count(schema->metadata);
    for (int32_t i = 0; i < count; i++) {
        lochan_str k = {NULL, 0};
        lochan_str v = {NULL, 0};
        next_text(schema->metadata, &pos, &k);
        next_text(schema->metadata, &pos, &v);
        if (lochan_str__eq(k, wanted))
            continue;
        dst = put_text(put_text(dst, k), v);
        kept++;
    }
    put_text(put_text(dst, wanted), text);
    kept++;
    memcpy(fresh, &kept, sizeof kept);
    lochan_schema__own_metadata(schema, fresh);
    return LOCHAN_OK;
}

lochan_status lochan_schema__add_metadata(struct ArrowSchema *schema, const lochan_str *pairs,
                                          size_t n, lochan_error *err) {
    size_t old = sizeof(int32_t), size;
    int32_t count = pair_count(schema->metadata);
    LOCHAN_CHECK_ARG(lochan_schema__is_own(schema), err);
    if (n == 0)
        return LOCHAN_OK;
    if (schema->metadata && !lochan_schema__metadata_size(schema->metadata, &old))
        return lochan_error__set(err, LOCHAN_ERR_DATA, "metadata of column '%.100s' is damaged",
                                 schema->name);
    size = old;
    for (size_t i = 0; i < 2 * n; i++) {
        if (pairs[i].n > MAX_METADATA || (size += sizeof(int32_t) + pairs[i].n) > MAX_METADATA)
            return lochan_error__set(err, LOCHAN_ERR_MEMORY_LIMIT,
                                     "more than 64 MiB of metadata in column '%.100s'",
                                     schema->name);
    }
    char *block = lochan_mem__alloc(size), *dst = block + old;
    if (!block)
        return lochan_error__nomem(err);
    if (schema->metadata)
        memcpy(block, schema->metadata, old);
    count += (int32_t)n;
    memcpy(block, &count, sizeof count);
    for (size_t i = 0; i < 2 * n; i++)
        dst = put_text(dst, pairs[i]);
    lochan_schema__own_metadata(schema, block);
    return LOCHAN_OK;
}

int32_t lochan_schema__field_id(const struct ArrowSchema *schema) {
    const char *value;
    size_t n;
    int64_t id;
    if (!lochan_schema__get_metadata(schema, FIELD_ID_KEY, &value, &n) ||
        !lochan_parse__int64(value, n, &id) || id < 0 || id > INT32_MAX)
        return -1;
    return (int32_t)id;
}

lochan_status lochan_schema__set_field_id(struct ArrowSchema *schema, int32_t id,
                                          lochan_error *err) {
    char text[16];
    lochan_format(text, sizeof text, "%d", id);
    return lochan_schema__set_metadata(schema, FIELD_ID_KEY, text, err);
}
