/* array.h - reference-counted buffers and the struct ArrowArray made of them.
 * Invariant: arrays made here hold a reference to every buffer, child and dictionary they show;
 * release from any thread. May call: base/, type.h, schema.h.
 */
#ifndef LOCHAN_ARROW_ARRAY_H
#define LOCHAN_ARROW_ARRAY_H

#include "arrow/schema.h"

/* Bytes with a reference count (atomic). 64-byte aligned, padded. */
typedef struct lochan_buffer {
    uint8_t *data;
    size_t size;
    _Atomic int refs;
    void (*release)(
        struct lochan_buffer *self); /* how `data` is given back when the last reference goes */
    void *owner;                     /* for release */
} lochan_buffer;

lochan_buffer *lochan_buffer__create(size_t size); /* NULL: out of memory; contents undefined */
/* Shows foreign memory; release(owner's context) runs when the last reference goes. NULL: out of
 * memory. */
lochan_buffer *lochan_buffer__wrap(const void *data, size_t size,
                                   void (*release)(lochan_buffer *self), void *owner);
lochan_buffer *lochan_buffer__ref(lochan_buffer *buffer);
void lochan_buffer__unref(lochan_buffer *buffer); /* NULL is a no-op */

/* Initialises an array with room for n_buffers (all NULL) and n_children (all released). length
 * etc. are 0. */
lochan_status lochan_array__init(struct ArrowArray *out, int n_buffers, int64_t n_children,
                                 lochan_error *err);
/* Gives one reference of `buffer` (may be NULL) to slot i of an array made by init. */
void lochan_array__give_buffer(struct ArrowArray *array, int i, lochan_buffer *buffer);
/* View arrays are made by init with 2 buffers and then given their data buffers here, at least once
 * (with n = 0 if there are none): appends them and keeps the trailing lengths buffer right. Takes
 * the references, also on failure. */
lochan_status lochan_array__give_view_data(struct ArrowArray *array, lochan_buffer **data, int n,
                                           lochan_error *err);
/* Allocates and gives the dictionary slot, to be filled by the caller. NULL when out of memory. */
struct ArrowArray *lochan_array__add_dictionary(struct ArrowArray *array);

void lochan_array__release(struct ArrowArray *array); /* no-op if already released or NULL */
void lochan_array__move(struct ArrowArray *from, struct ArrowArray *to);

/* A shared array: many cheap copies and slices of one imported or own array. The holder keeps
 * `array` alive. */
typedef struct lochan_shared lochan_shared;
/* Takes *array (also on failure). */
lochan_shared *lochan_shared__give(struct ArrowArray *array);
lochan_shared *lochan_shared__ref(lochan_shared *shared);
void lochan_shared__unref(lochan_shared *shared);
const struct ArrowArray *lochan_shared__get(const lochan_shared *shared);
/* An array that shows rows [offset, offset+length) of it (children included) and holds a reference.
 * A struct without nulls begins at offset 0: its children carry the offset, as consumers of record
 * batches expect. */
lochan_status lochan_shared__slice(lochan_shared *shared, int64_t offset, int64_t length,
                                   struct ArrowArray *out, lochan_error *err);
/* One child of a struct array, cut to the struct's rows, as an array of its own that holds a
 * reference. */
lochan_status lochan_shared__child(lochan_shared *shared, int64_t child, struct ArrowArray *out,
                                   lochan_error *err);

/* Checks an array from outside against its schema (which it checks first): buffer counts and
 * alignment, lengths, offsets monotonic and inside their data, view references, dictionary indices
 * in range, UTF-8 of strings, decimals within their precision, null counts, nulls where the schema
 * has none, children's lengths, depth. Buffer sizes cannot be checked (Arrow does not carry them),
 * and items that no row refers to are not looked at. A column of no rows may lack its buffers. DATA
 * with column and row. */
lochan_status lochan_array__check(const struct ArrowSchema *schema, const struct ArrowArray *array,
                                  lochan_error *err);

/* A stream over batches already in memory: takes schema and batches (also on failure). */
lochan_status lochan_stream__of_batches(struct ArrowSchema *schema, struct ArrowArray *batches,
                                        size_t n, struct ArrowArrayStream *out, lochan_error *err);
/* A stream made of functions of ours: next fills *out and leaves out->release NULL at the end. The
 * stream takes `schema` and calls free_state once (both also on failure). Its get_last_error
 * carries err.message; after an error or the end it does not call next again. */
typedef lochan_status (*lochan_stream_next_fn)(void *state, struct ArrowArray *out,
                                               lochan_error *err);
lochan_status lochan_stream__make(struct ArrowSchema *schema, lochan_stream_next_fn next,
                                  void (*free_state)(void *), void *state,
                                  struct ArrowArrayStream *out, lochan_error *err);
/* The state of a stream made with this `next`; NULL for every other stream. */
void *lochan_stream__state(const struct ArrowArrayStream *stream, lochan_stream_next_fn next);
void lochan_stream__release(struct ArrowArrayStream *stream);
/* Calls of a foreign stream with its error text turned into *err (the error of our own streams is
 * kept whole). A foreign errno gives: ENOMEM NO_MEMORY, EINVAL DATA, ENOSYS UNSUPPORTED, ECANCELED
 * and EINTR CANCELLED, ETIMEDOUT TIMEOUT, ECONNRESET and the like NETWORK, others IO. */
lochan_status lochan_stream__schema(struct ArrowArrayStream *stream, struct ArrowSchema *out,
                                    lochan_error *err);
lochan_status lochan_stream__next(struct ArrowArrayStream *stream, struct ArrowArray *out,
                                  lochan_error *err);

#endif
