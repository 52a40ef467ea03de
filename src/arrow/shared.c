/* shared.c - many cheap slices of one array.
 * Invariant: every array handed out (each child of it too, since consumers may move children out)
 * holds a reference, and owns only its pointers. May call: base/, array.h.
 */
#include "arrow/array.h"
#include "arrow/view.h"
#include "base/mem.h"
#include <string.h>

#define MAX_DEPTH 64

struct lochan_shared {
    struct ArrowArray array;
    _Atomic int refs;
};

/* private_data of an array that shows part of a shared one. One block holds it, the child pointers
 * and the children. */
typedef struct window {
    lochan_shared *shared;
    const void *validity[1]; /* buffers of a struct whose validity was left out */
    int64_t n_children;
    struct ArrowArray **children;
    struct ArrowArray *slots;
    struct ArrowArray dictionary;
} window;

lochan_shared *lochan_shared__give(struct ArrowArray *array) {
    lochan_shared *shared = lochan_mem__zalloc(sizeof *shared);
    if (!shared) {
        lochan_array__release(array);
        return NULL;
    }
    lochan_array__move(array, &shared->array);
    atomic_init(&shared->refs, 1);
    return shared;
}

lochan_shared *lochan_shared__ref(lochan_shared *shared) {
    if (shared)
        atomic_fetch_add_explicit(&shared->refs, 1, memory_order_relaxed);
    return shared;
}

void lochan_shared__unref(lochan_shared *shared) {
    if (!shared || atomic_fetch_sub_explicit(&shared->refs, 1, memory_order_acq_rel) != 1)
        return;
    lochan_array__release(&shared->array);
    lochan_mem__free(shared);
}

const struct ArrowArray *lochan_shared__get(const lochan_shared *shared) {
    return &shared->array;
}

static void release_window(struct ArrowArray *array) {
    if (!array->release)
        return;
    window *own = array->private_data;
    for (int64_t i = 0; i < own->n_children; i++)
        lochan_array__release(&own->slots[i]);
    lochan_array__release(&own->dictionary);
    lochan_shared__unref(own->shared);
    lochan_mem__free(own);
    memset(array, 0, sizeof *array);
}

static window *alloc_window(int64_t n_children) {
    size_t n = (size_t)n_children;
    size_t size = n * (sizeof(struct ArrowArray) + sizeof(struct ArrowArray *)) + sizeof(window);
    window *own = lochan_mem__zalloc(size);
    if (!own)
        return NULL;
    own->slots = (struct ArrowArray *)(own + 1);
    own->children = (struct ArrowArray **)(own->slots + n);
    for (size_t i = 0; i < n; i++)
        own->children[i] = &own->slots[i];
    own->n_children = n_children;
    return own;
}

static int64_t nulls_in(const struct ArrowArray *in, int64_t offset, int64_t length) {
    if (in->n_buffers == 0) /* the null type */
        return in->null_count ? length : 0;
    if (in->null_count == 0 || !in->buffers[0])
        return 0;
    if (offset == in->offset && length == in->length)
        return in->null_count;
    return length - lochan_bit__count(in->buffers[0], offset, length);
}

/* Whether the window's offset can move from a struct into its children, so that the struct itself
 * begins at 0, as consumers of record batches demand. Without a schema a struct with one child
 * looks like a fixed-size list; the lengths tell them apart, since a list of n items a row has n
 * times the rows below. */
static bool is_plain_struct(const struct ArrowArray *in) {
    if (in->n_buffers != 1 || in->dictionary || (in->buffers[0] && in->null_count != 0))
        return false;
    return in->n_children != 1 || in->children[0]->length == in->offset + in->length;
}

/* *out shows rows [offset, offset + length) of the physical rows of `in`. */
static lochan_status show(lochan_shared *shared, const struct ArrowArray *in, int64_t offset,
                          int64_t length, int depth, struct ArrowArray *out, lochan_error *err) {
    memset(out, 0, sizeof *out);
    if (depth > MAX_DEPTH || !in->release)
        return lochan_error__set(err, LOCHAN_ERR_DATA,
                                 "array was released or is nested too deeply");
    window *own = alloc_window(in->n_children);
    if (!own)
        return lochan_error__nomem(err);
    own->shared = lochan_shared__ref(shared);
    *out = (struct ArrowArray){.length = length,
                               .null_count = nulls_in(in, offset, length),
                               .offset = length ? offset : 0, /* some readers size buffers by it */
                               .n_buffers = in->n_buffers,
                               .n_children = in->n_children,
                               .buffers = in->buffers,
                               .children = own->children,
                               .release = release_window,
                               .private_data = own};
    lochan_status rc = LOCHAN_OK;
    bool push = is_plain_struct(in);
    if (push) {
        out->offset = 0;
        out->null_count = 0;
        out->buffers = own->validity;
    }
    for (int64_t i = 0; i < in->n_children; i++) {
        const struct ArrowArray *child = in->children[i];
        int64_t from = push ? child->offset + offset : child->offset;
        LOCHAN_TRYG(show(shared, child, from, push ? length : child->length, depth + 1,
                         &own->slots[i], err));
    }
    if (in->dictionary) {
        const struct ArrowArray *values = in->dictionary;
        LOCHAN_TRYG(
            show(shared, values, values->offset, values->length, depth + 1, &own->dictionary, err));
        out->dictionary = &own->dictionary;
    }
done:
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    return rc;
}

lochan_status lochan_shared__slice(lochan_shared *shared, int64_t offset, int64_t length,
                                   struct ArrowArray *out, lochan_error *err) {
    const struct ArrowArray *in = &shared->array;
    memset(out, 0, sizeof *out);
    if (offset < 0 || length < 0 || offset > in->length || length > in->length - offset)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "%lld rows from row %lld of an array of %lld", (long long)length,
                                 (long long)offset, (long long)in->length);
    return show(shared, in, in->offset + offset, length, 0, out, err);
}

lochan_status lochan_shared__child(lochan_shared *shared, int64_t child, struct ArrowArray *out,
                                   lochan_error *err) {
    const struct ArrowArray *in = &shared->array;
    memset(out, 0, sizeof *out);
    if (child < 0 || child >= in->n_children)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "child %lld of an array of %lld",
                                 (long long)child, (long long)in->n_children);
    const struct ArrowArray *column = in->children[child];
    return show(shared, column, column->offset + in->offset, in->length, 0, out, err);
}
