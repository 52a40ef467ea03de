/* spans.h - what filter, take, concat and cast share: copying runs of rows, bit ranges, and joining
 * dictionaries. Invariant: rows are counted from the array's own offset; outputs own all their
 * memory and start at offset 0. May call: base/, array.h, schema.h, type.h.
 */
#ifndef LOCHAN_ARROW_SPANS_H
#define LOCHAN_ARROW_SPANS_H

#include "arrow/array.h"

/* Rows [start, start + n) of one array; array NULL stands for n null rows. */
typedef struct lochan_span {
    const struct ArrowArray *array;
    int64_t start;
    int64_t n;
} lochan_span;

/* All spans one after the other, as one new array of `schema`. */
lochan_status lochan_spans__copy(const struct ArrowSchema *schema, const lochan_span *spans,
                                 size_t n, struct ArrowArray *out, lochan_error *err);

/* Copies n bits; the destination's other bits are kept. */
void lochan_bitmap__copy(uint8_t *dst, int64_t dst_at, const uint8_t *src, int64_t src_at,
                         int64_t n);
void lochan_bitmap__fill(uint8_t *dst, int64_t at, int64_t n, bool value);

/* How many buffers an array of this type has, view data not counted. */
int lochan_type__buffers(const lochan_type *type, bool dictionary);
/* Bytes of one value of a fixed-width type, 0 for bool, null and all others. */
int32_t lochan_type__byte_width(const lochan_type *type);

/* The validity bits of an array, NULL if it is known to have no nulls. */
static inline const uint8_t *lochan_array__validity(const struct ArrowArray *array) {
    return array->n_buffers > 0 && array->null_count != 0 ? (const uint8_t *)array->buffers[0]
                                                          : NULL;
}
/* An offset of a list or of text of either width; an empty array may lack the buffer. */
static inline int64_t lochan_array__offset_at(const struct ArrowArray *array, bool large,
                                              int64_t i) {
    const void *p = array->buffers[1];
    if (!p)
        return 0;
    return large ? ((const int64_t *)p)[array->offset + i]
                 : ((const int32_t *)p)[array->offset + i];
}
/* Creates a buffer of `size` bytes in slot i of an array made by lochan_array__init. */
lochan_status lochan_array__make_buffer(struct ArrowArray *array, int i, size_t size,
                                        lochan_error *err);
/* count * width bytes. */
lochan_status lochan_array__make_values(struct ArrowArray *array, int i, int64_t count,
                                        size_t width, lochan_error *err);
/* A zeroed bitmap for `length` rows. */
lochan_status lochan_array__make_bits(struct ArrowArray *array, int i, int64_t length,
                                      lochan_error *err);
/* Counts the nulls of an array whose length and validity are set; drops the bitmap if there are
 * none. */
void lochan_array__settle_nulls(struct ArrowArray *array);

/* Writes the data buffers of a view array: `views` (already in place, null ones zeroed) are made to
 * point into the new buffers. Two passes: declare every source, start with the bytes the views
 * need, then fix every run of views. */
typedef struct lochan_view_writer {
    lochan_buffer **buffers;
    const struct ArrowArray **sources;
    int32_t *bases; /* first own buffer of each source, when whole sources are copied */
    size_t n_sources;
    size_t cap_sources;
    int32_t n_buffers;
    int32_t cap;
    size_t used;     /* bytes of the last buffer */
    size_t need;     /* bytes that views refer to in all */
    size_t whole;    /* bytes of the source arrays */
    bool copy_whole; /* views share bytes: copy the sources' buffers instead of each value */
} lochan_view_writer;
/* Sources are numbered from 0 in the order of their declaration. */
lochan_status lochan_view_writer__declare(lochan_view_writer *w, const struct ArrowArray *source,
                                          lochan_error *err);
lochan_status lochan_view_writer__start(lochan_view_writer *w, const void *views, int64_t n,
                                        lochan_error *err);
lochan_status lochan_view_writer__fix(lochan_view_writer *w, size_t source, void *views, int64_t n,
                                      lochan_error *err);
/* Gives the buffers to `array`. */
lochan_status lochan_view_writer__finish(lochan_view_writer *w, struct ArrowArray *array,
                                         lochan_error *err);
void lochan_view_writer__deinit(lochan_view_writer *w);

/* One dictionary for several arrays of one dictionary schema. remap[i] turns keys of arrays[i] into
 * keys of the joined dictionary (NULL: unchanged). Fails with VALUE if the joined dictionary does
 * not fit the key type. */
typedef struct lochan_dict_join {
    size_t n;
    int64_t **remap;
    int64_t *sizes; /* length of each source dictionary */
} lochan_dict_join;
lochan_status lochan_dict_join__make(lochan_dict_join *join, const struct ArrowSchema *schema,
                                     const struct ArrowArray *const *arrays, size_t n,
                                     struct ArrowArray *dictionary, lochan_error *err);
void lochan_dict_join__deinit(lochan_dict_join *join);
/* Rewrites n keys in place with the map of source i; keys of null rows become 0. valid may be NULL.
 */
lochan_status lochan_dict_join__apply(const lochan_dict_join *join, size_t i,
                                      lochan_type_id key_type, void *keys, int64_t n,
                                      const uint8_t *valid, int64_t valid_at, lochan_error *err);
/* Plain values (of the type of schema->dictionary) as an array with a dictionary; nulls stay nulls
 * of the keys. */
lochan_status lochan_dict__encode(const struct ArrowSchema *schema, const struct ArrowArray *values,
                                  struct ArrowArray *out, lochan_error *err);

#endif
