/* flat.h - flatbuffers as far as one message needs them: tables, vectors of tables, texts.
 * Invariants: a reader never looks outside its bytes, whatever offsets they hold; a writer puts
 * what is pointed to after what points to it. May call: base/.
 *
 * A table starts with the distance back to its vtable, which lists at which byte of the table each
 * field lies (0: absent). References are distances forward, from the place that holds them.
 */
#ifndef LOCHAN_PARQUET_FLAT_H
#define LOCHAN_PARQUET_FLAT_H

#include "base/buf.h"
#include "base/str.h"

/* ---- reading ---- */

typedef struct lochan_flat {
    const uint8_t *data;
    size_t size;
} lochan_flat;

typedef struct lochan_flat_table {
    const lochan_flat *flat;
    size_t at, vtable;
    unsigned fields; /* that the vtable has room for */
} lochan_flat_table;

typedef struct lochan_flat_vector {
    const lochan_flat *flat;
    size_t at; /* first element */
    uint32_t n;
} lochan_flat_vector;

/* All return false where something is absent or lies outside the bytes. */
bool lochan_flat__root(const lochan_flat *flat, lochan_flat_table *out);
bool lochan_flat__table(const lochan_flat_table *t, unsigned field, lochan_flat_table *out);
bool lochan_flat__text(const lochan_flat_table *t, unsigned field, lochan_str *out);
bool lochan_flat__vector(const lochan_flat_table *t, unsigned field, lochan_flat_vector *out);
bool lochan_flat__element(const lochan_flat_vector *v, uint32_t i, lochan_flat_table *out);
/* An integer of 1, 2, 4 or 8 bytes; `absent` where it is not there. */
int64_t lochan_flat__integer(const lochan_flat_table *t, unsigned field, unsigned bytes,
                             int64_t absent);

/* ---- writing ---- */

typedef struct lochan_flat_slot {
    uint8_t field;
    uint8_t bytes; /* of an integer; 0: a reference, `value` is then where it was put */
    uint64_t value;
} lochan_flat_slot;

enum { LOCHAN_FLAT_FIELDS = 8 }; /* most fields of a table */

/* The place of the root's reference, the first thing in an empty buffer. */
lochan_status lochan_flat__begin(lochan_buf *buf, uint64_t *root, lochan_error *err);
/* Puts a table of n slots and lets the reference at `ref` show it. The slots of references get
 * the places where those are, to be given to what is put next. */
lochan_status lochan_flat__put_table(lochan_buf *buf, uint64_t ref, lochan_flat_slot *slots,
                                     unsigned n, lochan_error *err);
lochan_status lochan_flat__put_text(lochan_buf *buf, uint64_t ref, lochan_str text,
                                    lochan_error *err);
/* Room for n references, the first of them at *first, 4 bytes apart. */
lochan_status lochan_flat__put_vector(lochan_buf *buf, uint64_t ref, uint32_t n, uint64_t *first,
                                      lochan_error *err);

/* ---- base64, with padding ---- */

lochan_status lochan_base64__encode(const uint8_t *p, size_t n, lochan_buf *out, lochan_error *err);
/* False: it is none. out holds at least n / 4 * 3 bytes. */
bool lochan_base64__decode(const char *text, size_t n, uint8_t *out, size_t *out_n);

#endif
