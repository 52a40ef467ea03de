/* builder.c - builders: life, memory, and finishing into an array.
 * Invariant: buffers double, so appending is amortised O(1); finish hands the buffers over as they
 * are. May call: base/, array.h, schema.h, view.h.
 */
#include "arrow/builder_own.h"
#include "base/mem.h"
#include <string.h>

#define FIRST_ROWS 64
#define MAX_ROWS   (INT64_MAX / 64)

lochan_status lochan_builder__fail(const lochan_builder *b, lochan_status code, lochan_error *err,
                                   const char *fmt, ...) {
    va_list args;
    const char *name = b->schema->name ? b->schema->name : "";
    va_start(args, fmt);
    lochan_error__vset(err, code, fmt, args);
    va_end(args);
    if (*name)
        lochan_error__prefix(err, code, "column '%.100s'", name);
    return lochan_error__in_table(err, code, NULL, name, b->length);
}

static lochan_status init_at(lochan_builder *b, const struct ArrowSchema *schema,
                             lochan_error *err) {
    b->schema = schema;
    LOCHAN_TRY(lochan_type__parse(schema->format, &b->type, err));
    b->width = is_view_type(b->type.id) ? 16 : (size_t)lochan_type__bit_width(&b->type) / 8;
    if (schema->n_children > 0) {
        b->children = lochan_mem__array((size_t)schema->n_children, sizeof *b->children);
        if (!b->children)
            return lochan_error__nomem(err);
        b->n_children = schema->n_children;
    }
    for (int64_t i = 0; i < b->n_children; i++)
        LOCHAN_TRY(init_at(&b->children[i], schema->children[i], err));
    if (!schema->dictionary)
        return LOCHAN_OK;
    b->dictionary = lochan_mem__zalloc(sizeof *b->dictionary);
    if (!b->dictionary)
        return lochan_error__nomem(err);
    LOCHAN_TRY(init_at(b->dictionary, schema->dictionary, err));
    lochan_type_id id = b->dictionary->type.id;
    if (lochan_type__is_nested(id) || id == LOCHAN_TYPE_NULL)
        return lochan_builder__fail(b, LOCHAN_ERR_UNSUPPORTED, err,
                                    "building a dictionary of nested or null values");
    return LOCHAN_OK;
}

lochan_status lochan_builder__create(const struct ArrowSchema *schema, lochan_builder **out,
                                     lochan_error *err) {
    *out = NULL;
    LOCHAN_TRY(lochan_schema__check(schema, err));
    lochan_builder *b = lochan_mem__zalloc(sizeof *b);
    if (!b)
        return lochan_error__nomem(err);
    lochan_status rc;
    LOCHAN_TRYG(lochan_schema__dup(schema, &b->own_schema, err));
    LOCHAN_TRYG(init_at(b, &b->own_schema, err));
    *out = b;
    b = NULL;
done:
    lochan_builder__free(b);
    return rc;
}

/* Drops what was built; the builder is empty then. */
static void reset(lochan_builder *b) {
    lochan_buffer__unref(b->validity);
    lochan_buffer__unref(b->data);
    lochan_buffer__unref(b->offsets);
    lochan_buffer__unref(b->bytes);
    for (size_t i = 0; i < b->n_blocks; i++)
        lochan_buffer__unref(b->blocks[i]);
    b->validity = b->data = b->offsets = b->bytes = NULL;
    b->length = b->cap = b->null_count = 0;
    b->bytes_len = b->n_blocks = 0;
    for (int64_t i = 0; i < b->n_children; i++)
        reset(&b->children[i]);
    if (b->dictionary)
        reset(b->dictionary);
    if (b->table)
        memset(b->table, 0, b->table_size * sizeof *b->table);
}

static void free_parts(lochan_builder *b) {
    reset(b);
    for (int64_t i = 0; i < b->n_children; i++)
        free_parts(&b->children[i]);
    if (b->dictionary)
        free_parts(b->dictionary);
    lochan_mem__free(b->children);
    lochan_mem__free(b->dictionary);
    lochan_mem__free(b->blocks);
    lochan_mem__free(b->table);
}

void lochan_builder__free(lochan_builder *b) {
    if (!b)
        return;
    free_parts(b);
    lochan_schema__release(&b->own_schema);
    lochan_mem__free(b);
}

int64_t lochan_builder__length(const lochan_builder *b) {
    return b->length;
}

static size_t size_of(const lochan_buffer *buffer) {
    return buffer ? buffer->size : 0;
}

size_t lochan_builder__bytes(const lochan_builder *b) {
    size_t n = size_of(b->validity) + size_of(b->data) + size_of(b->offsets) + size_of(b->bytes) +
               b->table_size * sizeof *b->table;
    for (size_t i = 0; i < b->n_blocks; i++)
        n += b->blocks[i]->size;
    for (int64_t i = 0; i < b->n_children; i++)
        n += lochan_builder__bytes(&b->children[i]);
    return b->dictionary ? n + lochan_builder__bytes(b->dictionary) : n;
}

/* Replaces *buffer by one of `size` bytes that begins with the `used` first ones; the rest is zero
 * if asked. */
static lochan_status enlarge(lochan_buffer **buffer, size_t used, size_t size, bool zero,
                             lochan_error *err) {
    if (*buffer && (*buffer)->size >= size)
        return LOCHAN_OK;
    lochan_buffer *fresh = lochan_buffer__create(size);
    if (!fresh)
        return lochan_error__nomem(err);
    if (used)
        memcpy(fresh->data, (*buffer)->data, used);
    if (zero)
        memset(fresh->data + used, 0, size - used);
    lochan_buffer__unref(*buffer);
    *buffer = fresh;
    return LOCHAN_OK;
}

static size_t bit_bytes(int64_t rows) {
    return (size_t)(rows + 7) / 8;
}

lochan_status lochan_builder__grow(lochan_builder *b, int64_t rows, lochan_error *err) {
    int64_t cap = b->cap < FIRST_ROWS / 2 ? FIRST_ROWS : b->cap * 2;
    size_t bytes;
    if (rows < 0 || rows > MAX_ROWS - b->length)
        return lochan_builder__fail(b, LOCHAN_ERR_VALUE, err, "too many rows");
    if (cap < b->length + rows)
        cap = b->length + rows;
    if (!lochan_size__mul((size_t)cap, b->width, &bytes))
        return lochan_builder__fail(b, LOCHAN_ERR_VALUE, err, "too many rows");
    if (b->validity)
        LOCHAN_TRY(enlarge(&b->validity, bit_bytes(b->length), bit_bytes(cap), true, err));
    if (b->type.id == LOCHAN_TYPE_BOOL)
        LOCHAN_TRY(
            enlarge(&b->data, b->data ? bit_bytes(b->length) : 0, bit_bytes(cap), true, err));
    else if (b->width || b->type.id == LOCHAN_TYPE_FIXED_BINARY)
        LOCHAN_TRY(enlarge(&b->data, b->width * (size_t)b->length, bytes, false, err));
    if (is_offset32(b->type.id) || is_offset64(b->type.id)) {
        size_t one = is_offset32(b->type.id) ? 4 : 8;
        size_t used = b->offsets ? one * (size_t)(b->length + 1) : 0;
        LOCHAN_TRY(enlarge(&b->offsets, used, one * (size_t)(cap + 1), used == 0, err));
    }
    b->cap = cap;
    return LOCHAN_OK;
}

lochan_status lochan_builder__grow_bytes(lochan_builder *b, size_t n, lochan_error *err) {
    size_t need;
    size_t size = size_of(b->bytes) < 512 ? 1024 : size_of(b->bytes) * 2;
    if (!lochan_size__add(b->bytes_len, n, &need))
        return lochan_error__nomem(err);
    if (need <= size_of(b->bytes))
        return LOCHAN_OK;
    return enlarge(&b->bytes, b->bytes_len, need > size ? need : size, false, err);
}

lochan_status lochan_builder__need_validity(lochan_builder *b, lochan_error *err) {
    if (b->validity)
        return LOCHAN_OK;
    LOCHAN_TRY(enlarge(&b->validity, 0, bit_bytes(b->cap ? b->cap : 1), true, err));
    memset(b->validity->data, 0xff, (size_t)b->length / 8);
    for (int64_t i = b->length / 8 * 8; i < b->length; i++)
        lochan_bit__set(b->validity->data, i);
    return LOCHAN_OK;
}

lochan_status lochan_builder__reserve(lochan_builder *b, int64_t rows, lochan_error *err) {
    if (rows < 0 || rows > MAX_ROWS - b->length)
        return lochan_builder__fail(b, LOCHAN_ERR_VALUE, err, "too many rows");
    if (rows > b->cap - b->length)
        LOCHAN_TRY(lochan_builder__grow(b, rows, err));
    for (int64_t i = 0; i < b->n_children && b->type.id == LOCHAN_TYPE_STRUCT; i++)
        LOCHAN_TRY(lochan_builder__reserve(&b->children[i], rows, err));
    return LOCHAN_OK;
}

lochan_builder *lochan_builder__child(lochan_builder *b, int64_t i) {
    return i >= 0 && i < b->n_children ? &b->children[i] : NULL;
}

/* The child's length that the rows ended so far account for. */
static int64_t rows_wanted(lochan_builder *b) {
    if (b->type.id == LOCHAN_TYPE_STRUCT)
        return b->length;
    if (b->type.id == LOCHAN_TYPE_FIXED_LIST)
        return b->length * b->type.byte_width;
    if (!b->offsets)
        return 0;
    return is_offset32(b->type.id) ? offsets32(b)[b->length] : offsets64(b)[b->length];
}

static lochan_status check_lengths(lochan_builder *b, lochan_error *err) {
    for (int64_t i = 0; i < b->n_children; i++) {
        lochan_builder *child = &b->children[i];
        if (child->length != rows_wanted(b))
            return lochan_builder__fail(child, LOCHAN_ERR_INVALID_ARGUMENT, err,
                                        "built %lld rows, expected %lld", (long long)child->length,
                                        (long long)rows_wanted(b));
        LOCHAN_TRY(check_lengths(child, err));
    }
    return LOCHAN_OK;
}

/* Moves a buffer of the builder into slot i, cut to the bytes used. */
static void move_out(struct ArrowArray *out, int i, lochan_buffer **buffer, size_t used) {
    if (*buffer)
        (*buffer)->size = used;
    lochan_array__give_buffer(out, i, *buffer);
    *buffer = NULL;
}

static lochan_status move_view_data(lochan_builder *b, struct ArrowArray *out, lochan_error *err) {
    if (b->bytes) {
        LOCHAN_TRY(lochan_builder__need_block(b, err));
        b->bytes->size = b->bytes_len;
        b->blocks[b->n_blocks++] = b->bytes;
        b->bytes = NULL;
    }
    size_t n = b->n_blocks;
    b->n_blocks = 0;
    return lochan_array__give_view_data(out, b->blocks, (int)n, err);
}

/* Moves the buffers of one level. */
static lochan_status move_buffers(lochan_builder *b, struct ArrowArray *out, lochan_error *err) {
    size_t n = (size_t)b->length;
    lochan_type_id id = b->type.id;
    if (id == LOCHAN_TYPE_NULL)
        return LOCHAN_OK;
    if (b->cap == 0)
        LOCHAN_TRY(lochan_builder__grow(b, 1, err));
    move_out(out, 0, &b->validity, bit_bytes(b->length));
    if (is_view_type(id)) {
        move_out(out, 1, &b->data, 16 * n);
        return move_view_data(b, out, err);
    }
    if (lochan_type__is_bytes(id) && !b->bytes)
        LOCHAN_TRY(lochan_builder__grow_bytes(b, 1, err));
    if (b->data)
        move_out(out, 1, &b->data, id == LOCHAN_TYPE_BOOL ? bit_bytes(b->length) : b->width * n);
    if (b->offsets)
        move_out(out, 1, &b->offsets, (n + 1) * (is_offset32(id) ? 4 : 8));
    if (b->bytes)
        move_out(out, 2, &b->bytes, b->bytes_len);
    return LOCHAN_OK;
}

static int buffers_of(lochan_type_id id) {
    if (id == LOCHAN_TYPE_NULL)
        return 0;
    if (id == LOCHAN_TYPE_STRUCT || id == LOCHAN_TYPE_FIXED_LIST)
        return 1;
    return lochan_type__is_bytes(id) && !is_view_type(id) ? 3 : 2;
}

static lochan_status finish_at(lochan_builder *b, struct ArrowArray *out, lochan_error *err) {
    LOCHAN_TRY(lochan_array__init(out, buffers_of(b->type.id), b->n_children, err));
    out->length = b->length;
    out->null_count = b->null_count;
    LOCHAN_TRY(move_buffers(b, out, err));
    for (int64_t i = 0; i < b->n_children; i++)
        LOCHAN_TRY(finish_at(&b->children[i], out->children[i], err));
    if (!b->dictionary)
        return LOCHAN_OK;
    struct ArrowArray *dictionary = lochan_array__add_dictionary(out);
    if (!dictionary)
        return lochan_error__nomem(err);
    return finish_at(b->dictionary, dictionary, err);
}

lochan_status lochan_builder__finish(lochan_builder *b, struct ArrowArray *out, lochan_error *err) {
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(check_lengths(b, err));
    lochan_status rc = finish_at(b, out, err);
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    reset(b);
    return rc;
}
