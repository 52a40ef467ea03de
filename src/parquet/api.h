/* api.h - what the files behind <lochan/parquet.h> share: the reader's handle and how options are
 * taken over. Invariant: a handle outlives every stream made from it. Private to api_*.c. May call:
 * reader.h, writer.h.
 */
#ifndef LOCHAN_PARQUET_API_H
#define LOCHAN_PARQUET_API_H

#include "base/ctx.h"
#include "parquet/reader.h"
#include <lochan/parquet.h>

/* The context (threads, budget, cancel flag) lies in the handle, so the inner reader goes before
 * it. */
struct lochan_parquet_reader {
    _Atomic int refs;
    lochan_cancel cancel;
    lochan_budget budget;
    lochan_ctx ctx;
    lochan_pq_reader *inner;
};

lochan_parquet_reader *lochan_parquet_reader__ref(const lochan_parquet_reader *reader);

/* Copies the options a caller of any version gave over the defaults in `out`. `known` is the size
 * up to the reserved bytes, which must be zero. */
lochan_status lochan_parquet__take_options(const void *given, uint32_t given_size, void *out,
                                           size_t size, size_t known, lochan_error *err);
#define LOCHAN_PARQUET_TAKE(given, out, type, err)                                                 \
    lochan_parquet__take_options((given), (given) ? (given)->struct_size : 0, (out), sizeof(type), \
                                 offsetof(type, reserved), (err))
/* Copies an output struct to a caller of any version, who has set its struct_size. */
lochan_status lochan_parquet__give(const void *from, size_t size, void *to, lochan_error *err);

/* NOT_FOUND, with the nearest name as hint. */
lochan_status lochan_parquet__find_column(const struct ArrowSchema *schema, const char *name,
                                          int *out, lochan_error *err);

#endif
