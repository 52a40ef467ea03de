/* buffer.c - reference-counted bytes.
 * Invariant: the thread that drops the last reference gives the memory back. May call: base/.
 */
#include "arrow/array.h"
#include "base/mem.h"
#include <string.h>

static void release_aligned(lochan_buffer *self) {
    lochan_mem__free_aligned(self->data);
}

lochan_buffer *lochan_buffer__create(size_t size) {
    lochan_buffer *buffer = lochan_mem__alloc(sizeof *buffer);
    uint8_t *data = buffer ? lochan_mem__alloc_aligned(size ? size : 1) : NULL;
    if (!data) {
        lochan_mem__free(buffer);
        return NULL;
    }
    *buffer = (lochan_buffer){.data = data, .size = size, .release = release_aligned};
    atomic_init(&buffer->refs, 1);
    return buffer;
}

lochan_buffer *lochan_buffer__wrap(const void *data, size_t size,
                                   void (*release)(lochan_buffer *self), void *owner) {
    lochan_buffer *buffer = lochan_mem__alloc(sizeof *buffer);
    if (!buffer)
        return NULL;
    *buffer = (lochan_buffer){
        .data = (uint8_t *)(uintptr_t)data, .size = size, .release = release, .owner = owner};
    atomic_init(&buffer->refs, 1);
    return buffer;
}

lochan_buffer *lochan_buffer__ref(lochan_buffer *buffer) {
    if (buffer)
        atomic_fetch_add_explicit(&buffer->refs, 1, memory_order_relaxed);
    return buffer;
}

void lochan_buffer__unref(lochan_buffer *buffer) {
    if (!buffer || atomic_fetch_sub_explicit(&buffer->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (buffer->release)
        buffer->release(buffer);
    lochan_mem__free(buffer);
}
