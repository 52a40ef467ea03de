/* array.c - struct ArrowArray made of reference-counted buffers.
 * Invariant: what release needs lives in private_data only, so that a consumer may change every
 * public field; a child that was moved out (release NULL) is passed over. May call: base/,
 * buffer.c.
 */
#include "arrow/array.h"
#include "base/mem.h"
#include <string.h>

/* What private_data of our arrays points to. One block holds it, the child pointers and the
 * children. */
typedef struct array_own {
    int64_t n_buffers;
    int64_t n_view_data;    /* data buffers of a view array, behind the two fixed ones */
    const void **shown;     /* what the consumer sees */
    lochan_buffer **held;   /* one reference each, same index */
    lochan_buffer *lengths; /* last buffer of a view array */
    struct ArrowArray *dictionary;
    int64_t n_children;
    struct ArrowArray **children;
    struct ArrowArray *slots;
} array_own;

static void release_own(struct ArrowArray *array) {
    if (!array->release)
        return;
    array_own *own = array->private_data;
    for (int64_t i = 0; i < own->n_children; i++)
        lochan_array__release(&own->slots[i]);
    lochan_array__release(own->dictionary);
    lochan_mem__free(own->dictionary);
    for (int64_t i = 0; i < own->n_buffers; i++)
        lochan_buffer__unref(own->held[i]);
    lochan_buffer__unref(own->lengths);
    lochan_mem__free((void *)own->shown);
    lochan_mem__free(own->held);
    lochan_mem__free(own);
    memset(array, 0, sizeof *array);
}

void lochan_array__release(struct ArrowArray *array) {
    if (array && array->release)
        array->release(array);
}

void lochan_array__move(struct ArrowArray *from, struct ArrowArray *to) {
    *to = *from;
    memset(from, 0, sizeof *from);
}

/* The private block with room for n children behind it. */
static array_own *alloc_own(int64_t n_children) {
    size_t n = (size_t)n_children;
    size_t slots;
    size_t pointers;
    size_t size;
    if (!lochan_size__mul(n, sizeof(struct ArrowArray), &slots) ||
        !lochan_size__mul(n, sizeof(struct ArrowArray *), &pointers) ||
        !lochan_size__add(slots, pointers, &size) ||
        !lochan_size__add(size, sizeof(array_own), &size))
        return NULL;
    array_own *own = lochan_mem__zalloc(size);
    if (!own || n == 0)
        return own;
    own->slots = (struct ArrowArray *)(own + 1);
    own->children = (struct ArrowArray **)(own->slots + n);
    for (size_t i = 0; i < n; i++)
        own->children[i] = &own->slots[i];
    own->n_children = n_children;
    return own;
}

lochan_status lochan_array__init(struct ArrowArray *out, int n_buffers, int64_t n_children,
                                 lochan_error *err) {
    memset(out, 0, sizeof *out);
    if (n_buffers < 0 || n_children < 0)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "array of %d buffers and %lld children", n_buffers,
                                 (long long)n_children);
    array_own *own = alloc_own(n_children);
    if (!own)
        return lochan_error__nomem(err);
    size_t n = n_buffers ? (size_t)n_buffers : 1;
    own->shown = lochan_mem__array(n, sizeof *own->shown);
    own->held = lochan_mem__array(n, sizeof(lochan_buffer *));
    out->private_data = own;
    out->release = release_own;
    if (!own->shown || !own->held) {
        release_own(out);
        return lochan_error__nomem(err);
    }
    own->n_buffers = n_buffers;
    out->n_buffers = n_buffers;
    out->buffers = own->shown;
    out->n_children = n_children;
    out->children = own->children;
    return LOCHAN_OK;
}

void lochan_array__give_buffer(struct ArrowArray *array, int i, lochan_buffer *buffer) {
    array_own *own = array->private_data;
    LOCHAN_ASSERT(array->release == release_own && i >= 0 && i < own->n_buffers);
    lochan_buffer__unref(own->held[i]);
    own->held[i] = buffer;
    own->shown[i] = buffer ? buffer->data : NULL;
}

/* Room for the new data buffers and the lengths behind them; nothing visible changes. */
static lochan_status grow_view(array_own *own, int64_t n_data, lochan_buffer **lengths,
                               lochan_error *err) {
    size_t slots = (size_t)n_data + 3;
    const void **shown = lochan_mem__realloc((void *)own->shown, slots * sizeof *shown);
    if (shown)
        own->shown = shown;
    lochan_buffer **held = lochan_mem__realloc(own->held, slots * sizeof(lochan_buffer *));
    if (held)
        own->held = held;
    *lengths = shown && held ? lochan_buffer__create((size_t)n_data * sizeof(int64_t)) : NULL;
    return *lengths ? LOCHAN_OK : lochan_error__nomem(err);
}

lochan_status lochan_array__give_view_data(struct ArrowArray *array, lochan_buffer **data, int n,
                                           lochan_error *err) {
    array_own *own = array->private_data;
    LOCHAN_ASSERT(array->release == release_own && own->n_buffers >= 2);
    lochan_buffer *lengths = NULL;
    int64_t had = own->n_view_data;
    lochan_status rc = grow_view(own, had + n, &lengths, err);
    array->buffers = own->shown; /* may have moved even on failure */
    if (rc != LOCHAN_OK) {
        for (int i = 0; i < n; i++)
            lochan_buffer__unref(data[i]);
        return rc;
    }
    for (int i = 0; i < n; i++) {
        own->held[2 + had + i] = data[i];
        own->shown[2 + had + i] = data[i]->data;
    }
    own->n_view_data = had + n;
    own->n_buffers = 2 + had + n;
    int64_t *sizes = (int64_t *)(void *)lengths->data;
    for (int64_t i = 0; i < had + n; i++)
        sizes[i] = (int64_t)own->held[2 + i]->size;
    lochan_buffer__unref(own->lengths);
    own->lengths = lengths;
    own->shown[2 + had + n] = lengths->data;
    array->n_buffers = 3 + had + n;
    return LOCHAN_OK;
}

struct ArrowArray *lochan_array__add_dictionary(struct ArrowArray *array) {
    array_own *own = array->private_data;
    LOCHAN_ASSERT(array->release == release_own);
    if (!own->dictionary)
        own->dictionary = lochan_mem__zalloc(sizeof *own->dictionary);
    array->dictionary = own->dictionary;
    return own->dictionary;
}
