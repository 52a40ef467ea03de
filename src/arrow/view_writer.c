/* view_writer.c - data buffers for arrays of string and binary views whose views were copied from
 * other arrays. Invariant: memory never exceeds the smaller of what the views refer to and what the
 * sources hold, because a small array of views can refer to the same bytes a million times. May
 * call: base/, array.h, spans.h.
 */
#include "arrow/spans.h"

#include <string.h>

enum { BLOCK = 1 << 30 }; /* offsets in views are int32 */

typedef struct view16 {
    int32_t length;
    char prefix[4];
    int32_t buffer;
    int32_t offset;
} view16;

static int64_t source_buffers(const struct ArrowArray *source) {
    return source->n_buffers > 3 ? source->n_buffers - 3 : 0;
}

static size_t source_size(const struct ArrowArray *source, int64_t i) {
    const int64_t *sizes = source->buffers[source->n_buffers - 1];
    return (size_t)sizes[i];
}

lochan_status lochan_view_writer__declare(lochan_view_writer *w, const struct ArrowArray *source,
                                          lochan_error *err) {
    if (w->n_sources == w->cap_sources) {
        size_t cap = w->cap_sources ? w->cap_sources * 2 : 4;
        void *p = lochan_mem__realloc(w->sources, cap * sizeof(*w->sources));
        if (!p)
            return lochan_error__nomem(err);
        w->sources = p;
        w->cap_sources = cap;
    }
    w->sources[w->n_sources++] = source;
    for (int64_t i = 0; i < source_buffers(source); i++) {
        if (!lochan_size__add(w->whole, source_size(source, i), &w->whole))
            w->whole = SIZE_MAX / 2;
    }
    return LOCHAN_OK;
}

static lochan_status add_buffer(lochan_view_writer *w, size_t size, lochan_error *err) {
    if (w->n_buffers == w->cap) {
        int32_t cap = w->cap ? w->cap * 2 : 4;
        lochan_buffer **p = lochan_mem__realloc(w->buffers, (size_t)cap * sizeof(*p));
        if (!p)
            return lochan_error__nomem(err);
        w->buffers = p;
        w->cap = cap;
    }
    w->buffers[w->n_buffers] = lochan_buffer__create(size);
    if (!w->buffers[w->n_buffers])
        return lochan_error__nomem(err);
    w->n_buffers++;
    w->used = 0;
    return LOCHAN_OK;
}

static lochan_status copy_sources(lochan_view_writer *w, lochan_error *err) {
    w->bases = lochan_mem__array(w->n_sources, sizeof(*w->bases));
    if (!w->bases)
        return lochan_error__nomem(err);
    for (size_t s = 0; s < w->n_sources; s++) {
        w->bases[s] = w->n_buffers;
        for (int64_t i = 0; i < source_buffers(w->sources[s]); i++) {
            size_t size = source_size(w->sources[s], i);
            LOCHAN_TRY(add_buffer(w, size, err));
            if (size)
                memcpy(w->buffers[w->n_buffers - 1]->data, w->sources[s]->buffers[2 + i], size);
        }
    }
    return LOCHAN_OK;
}

lochan_status lochan_view_writer__start(lochan_view_writer *w, const void *views, int64_t n,
                                        lochan_error *err) {
    const view16 *v = views;
    for (int64_t i = 0; i < n; i++) {
        if (v[i].length > 12 && !lochan_size__add(w->need, (size_t)v[i].length, &w->need))
            return lochan_error__nomem(err);
    }
    if (w->need == 0)
        return LOCHAN_OK;
    w->copy_whole = w->need > w->whole;
    if (w->copy_whole)
        return copy_sources(w, err);
    return add_buffer(w, w->need < BLOCK ? w->need : BLOCK, err);
}

/* Copies one long value behind the last one; opens the next buffer when it does not fit. */
static lochan_status copy_value(lochan_view_writer *w, const struct ArrowArray *source, view16 *v,
                                lochan_error *err) {
    size_t length = (size_t)v->length;
    lochan_buffer *to = w->buffers[w->n_buffers - 1];
    if (length > to->size - w->used) {
        size_t next = w->need < BLOCK ? w->need : BLOCK;
        LOCHAN_TRY(add_buffer(w, next < length ? length : next, err));
        to = w->buffers[w->n_buffers - 1];
    }
    memcpy(to->data + w->used, (const uint8_t *)source->buffers[2 + v->buffer] + v->offset, length);
    v->buffer = w->n_buffers - 1;
    v->offset = (int32_t)w->used;
    w->used += length;
    w->need -= length;
    return LOCHAN_OK;
}

lochan_status lochan_view_writer__fix(lochan_view_writer *w, size_t source, void *views, int64_t n,
                                      lochan_error *err) {
    view16 *v = views;
    for (int64_t i = 0; i < n; i++) {
        if (v[i].length <= 12)
            continue;
        if (w->copy_whole)
            v[i].buffer += w->bases[source];
        else
            LOCHAN_TRY(copy_value(w, w->sources[source], &v[i], err));
    }
    return LOCHAN_OK;
}

lochan_status lochan_view_writer__finish(lochan_view_writer *w, struct ArrowArray *array,
                                         lochan_error *err) {
    if (w->n_buffers == 0)
        return lochan_array__give_view_data(array, NULL, 0, err);
    if (!w->copy_whole)
        w->buffers[w->n_buffers - 1]->size =
            w->used; /* what a block could not hold lies in the next one */
    int32_t n = w->n_buffers;
    w->n_buffers = 0; /* given, also on failure */
    return lochan_array__give_view_data(array, w->buffers, n, err);
}

void lochan_view_writer__deinit(lochan_view_writer *w) {
    for (int32_t i = 0; i < w->n_buffers; i++)
        lochan_buffer__unref(w->buffers[i]);
    lochan_mem__free(w->buffers);
    lochan_mem__free(w->sources);
    lochan_mem__free(w->bases);
    memset(w, 0, sizeof(*w));
}
