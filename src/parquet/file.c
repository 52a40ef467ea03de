/* file.c - see file.h. May call: base/, arrow/. */
#include "parquet/file.h"

lochan_status lochan_pq_file__read(lochan_pq_file *file, uint64_t offset, size_t n, void *dst,
                                   lochan_error *err) {
    if (offset > file->source.size || n > file->source.size - offset) {
        lochan_status rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                             "%zu bytes at %llu lie past the end of the file", n,
                                             (unsigned long long)offset);
        return lochan_error__in_file(err, rc, file->name, (int64_t)offset);
    }
    atomic_fetch_add_explicit(&file->bytes_read, n, memory_order_relaxed);
    if (file->source.data) {
        memcpy(dst, file->source.data + offset, n);
        return LOCHAN_OK;
    }
    lochan_status rc =
        n == 0 ? LOCHAN_OK : file->source.read(file->source.self, offset, n, dst, err);
    return rc == LOCHAN_OK ? rc : lochan_error__in_file(err, rc, file->name, (int64_t)offset);
}

lochan_status lochan_pq_scratch__reserve(lochan_pq_scratch *s, size_t n, lochan_error *err) {
    if (n <= s->cap && s->data)
        return LOCHAN_OK;
    if (n > SIZE_MAX / 2)
        return lochan_error__nomem(err);
    lochan_pq_scratch__free(s);
    size_t cap = n + n / 8 + 64;
    LOCHAN_TRY(lochan_budget__take(s->budget, cap, "decoding Parquet pages", err));
    s->data = lochan_mem__alloc_aligned(cap + LOCHAN_PQ_PAD);
    if (!s->data) {
        lochan_budget__give(s->budget, cap);
        return lochan_error__nomem(err);
    }
    memset(s->data + cap, 0, LOCHAN_PQ_PAD);
    s->cap = cap;
    return LOCHAN_OK;
}

void lochan_pq_scratch__free(lochan_pq_scratch *s) {
    if (s->data) {
        lochan_mem__free_aligned(s->data);
        lochan_budget__give(s->budget, s->cap);
    }
    s->data = NULL;
    s->cap = 0;
}

static void release_scratch(lochan_buffer *buffer) {
    lochan_mem__free_aligned(buffer->data);
}

lochan_buffer *lochan_pq_scratch__detach(lochan_pq_scratch *s) {
    lochan_buffer *buffer = lochan_buffer__wrap(s->data, s->cap, release_scratch, NULL);
    if (!buffer)
        return NULL;
    lochan_budget__give(s->budget, s->cap);
    s->data = NULL;
    s->cap = 0;
    return buffer;
}
