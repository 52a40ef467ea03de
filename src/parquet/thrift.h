/* thrift.h - Thrift's compact protocol, driven by tables that describe C structs.
 * Invariants: depth, list lengths and memory are bounded by the bytes at hand, never by what they
 * claim; decoded strings borrow from the input, lists live in the caller's arena. May call: base/.
 *
 * A described C struct begins with `uint32_t set`, where bit `id` says that field `id` is there
 * (ids are below 32). The C type of a field follows its kind: BOOL bool; I8, I16, I32 int32_t; I64
 * int64_t; DOUBLE double; BINARY lochan_str; STRUCT the struct itself, inline; LIST
 * lochan_thrift_list.
 */
#ifndef LOCHAN_PARQUET_THRIFT_H
#define LOCHAN_PARQUET_THRIFT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

typedef enum lochan_thrift_kind {
    LOCHAN_THRIFT_BOOL,
    LOCHAN_THRIFT_I8,
    LOCHAN_THRIFT_I16,
    LOCHAN_THRIFT_I32,
    LOCHAN_THRIFT_I64,
    LOCHAN_THRIFT_DOUBLE,
    LOCHAN_THRIFT_BINARY,
    LOCHAN_THRIFT_STRUCT,
    LOCHAN_THRIFT_LIST
} lochan_thrift_kind;

struct lochan_thrift_type;

typedef struct lochan_thrift_field {
    const char *name;
    uint8_t id;
    uint8_t kind; /* lochan_thrift_kind */
    uint8_t item; /* kind of a list's items: BOOL (1 byte each), I32, I64, BINARY or STRUCT */
    bool required;
    uint16_t offset;                       /* in the C struct */
    const struct lochan_thrift_type *type; /* STRUCT, LIST of STRUCT */
} lochan_thrift_field;

typedef struct lochan_thrift_type {
    const char *name;
    size_t size;
    const lochan_thrift_field *fields; /* ascending ids */
    size_t n_fields;
} lochan_thrift_type;

typedef struct lochan_thrift_list {
    void *items; /* bool, int32_t, int64_t, lochan_str or the C struct */
    uint32_t n;
} lochan_thrift_list;

/* Bit of a field in `set`. */
#define LOCHAN_THRIFT_BIT(id) (1u << (id))

/* Reads one struct of `type` from the cursor into *out (zeroed first) and moves the cursor past it.
 * CORRUPT says what is wrong; its offset is the byte counted from `base`. Unknown fields are
 * skipped. */
lochan_status lochan_thrift__read(lochan_cursor *cursor, const uint8_t *base,
                                  const lochan_thrift_type *type, lochan_arena *arena, void *out,
                                  lochan_error *err);
/* Appends one struct. Only fields whose bit is set are written. */
lochan_status lochan_thrift__write(lochan_buf *buf, const lochan_thrift_type *type, const void *in,
                                   lochan_error *err);

#endif
