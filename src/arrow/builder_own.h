/* builder_own.h - what the builder files share.
 * Invariant: every buffer of a builder has room for `cap` rows; bits past `length` are zero.
 * Private to builder*.c.
 */
#ifndef LOCHAN_ARROW_BUILDER_OWN_H
#define LOCHAN_ARROW_BUILDER_OWN_H

#include "arrow/builder.h"
#include "arrow/view.h"

/* While a builder holds a buffer, its `size` is the room; finish sets it to the bytes used. */
struct lochan_builder {
    const struct ArrowSchema *schema; /* part of own_schema of the root */
    lochan_type type; /* of the stored values; of the keys if there is a dictionary */
    size_t width;     /* bytes a row takes in `data`; 0 for bool and what has no data */
    int64_t length;
    int64_t cap;
    int64_t null_count;
    lochan_buffer *validity; /* NULL until the first null */
    lochan_buffer *data;     /* fixed-width values, bits of bools, references of view types */
    lochan_buffer *offsets;  /* cap + 1 of them */
    lochan_buffer *bytes;    /* text; of view types the block being filled */
    size_t bytes_len;
    lochan_buffer **blocks; /* full blocks of a view type */
    size_t n_blocks;
    size_t cap_blocks;
    struct lochan_builder *children;
    int64_t n_children;
    struct lochan_builder *dictionary; /* the values, distinct */
    uint32_t *table;                   /* hash table of row + 1 of the dictionary, 0 = free */
    size_t table_size;                 /* power of two */
    struct ArrowSchema own_schema;     /* of the root */
};

/* Makes room for `rows` more rows. */
lochan_status lochan_builder__grow(lochan_builder *b, int64_t rows, lochan_error *err);
/* Makes room for n more bytes of text in b->bytes. */
lochan_status lochan_builder__grow_bytes(lochan_builder *b, size_t n, lochan_error *err);
/* Allocates the validity bitmap, with ones for all rows so far. */
lochan_status lochan_builder__need_validity(lochan_builder *b, lochan_error *err);
/* Makes room for one more pointer in b->blocks. */
lochan_status lochan_builder__need_block(lochan_builder *b, lochan_error *err);
/* Fills the error with column and row. */
lochan_status lochan_builder__fail(const lochan_builder *b, lochan_status code, lochan_error *err,
                                   const char *fmt, ...) LOCHAN_PRINTF(4, 5);
/* Appends a value as stored: `width` bytes (one byte for bool), or the text of any bytes type;
 * dictionaries too. */
lochan_status lochan_builder__put(lochan_builder *b, const void *p, size_t n, lochan_error *err);

static inline lochan_status room(lochan_builder *b, lochan_error *err) {
    return b->length < b->cap ? LOCHAN_OK : lochan_builder__grow(b, 1, err);
}

/* The new last row is valid; its data are in place. */
static inline void end_valid(lochan_builder *b) {
    if (b->validity)
        lochan_bit__set(b->validity->data, b->length);
    b->length++;
}

static inline int32_t *offsets32(lochan_builder *b) {
    return (int32_t *)(void *)b->offsets->data;
}
static inline int64_t *offsets64(lochan_builder *b) {
    return (int64_t *)(void *)b->offsets->data;
}

static inline bool is_offset32(lochan_type_id id) {
    return id == LOCHAN_TYPE_STRING || id == LOCHAN_TYPE_BINARY || id == LOCHAN_TYPE_LIST ||
           id == LOCHAN_TYPE_MAP;
}
static inline bool is_offset64(lochan_type_id id) {
    return id == LOCHAN_TYPE_LARGE_STRING || id == LOCHAN_TYPE_LARGE_BINARY ||
           id == LOCHAN_TYPE_LARGE_LIST;
}
static inline bool is_view_type(lochan_type_id id) {
    return id == LOCHAN_TYPE_STRING_VIEW || id == LOCHAN_TYPE_BINARY_VIEW;
}
/* The type a caller's values have. */
static inline const lochan_type *value_type(const lochan_builder *b) {
    return b->dictionary ? &b->dictionary->type : &b->type;
}

#endif
