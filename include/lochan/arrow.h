/* arrow.h - the Arrow C data and C stream interfaces, the currency of every lochan call that moves
 * rows.
 *
 * The three structs are those of the Arrow specification ("The Arrow C data interface", "The Arrow
 * C stream interface"); their layout is fixed for ever and shared with every other Arrow library,
 * hence the include guards of the specification. Ownership: a struct with a non-NULL `release` owns
 * its contents; whoever holds it calls `release(self)` once, or moves the struct (copy the bytes,
 * then set the old `release` to NULL).
 */
#ifndef LOCHAN_ARROW_H
#define LOCHAN_ARROW_H

#include <lochan/error.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE           2
#define ARROW_FLAG_MAP_KEYS_SORTED    4

struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

#endif

/* ---- reading a stream ----
 * The same as calling get_schema and get_next of the stream, but with the whole error: of a stream
 * of lochan with its code, place and hint, where the C stream interface only has an errno and a
 * text. Since 0.1. */

/* *out is released by the caller. */
LOCHAN_API lochan_status lochan_stream_get_schema(struct ArrowArrayStream *stream,
                                                  struct ArrowSchema *out,
                                                  lochan_error *err) LOCHAN_MUST_CHECK;
/* At the end *out has a NULL release. Otherwise it is released by the caller. */
LOCHAN_API lochan_status lochan_stream_get_next(struct ArrowArrayStream *stream,
                                                struct ArrowArray *out,
                                                lochan_error *err) LOCHAN_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
