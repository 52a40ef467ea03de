/* arrow_schema.h - the key ARROW:schema of a file: the Arrow schema it was written from, as other
 * Arrow libraries write and read it (an IPC schema message in base64).
 *
 * It only says how values are to be shown: seconds that are stored as milliseconds, durations,
 * dictionaries, time zones, layouts of text and lists, metadata of fields. Invariants: the Parquet
 * schema decides what is in the file; what does not go with it is passed over, field by field; no
 * size of it is believed. May call: base/, arrow/, flat.h.
 */
#ifndef LOCHAN_PARQUET_ARROW_SCHEMA_H
#define LOCHAN_PARQUET_ARROW_SCHEMA_H

#include "arrow/schema.h"

#define LOCHAN_PQ_ARROW_SCHEMA_KEY "ARROW:schema"

/* Appends the value of the key for a schema that lochan_schema__check accepts. */
lochan_status lochan_pq_arrow_schema__write(const struct ArrowSchema *schema, lochan_buf *out,
                                            lochan_error *err);
/* Gives the fields of `schema`, made from a Parquet schema, the types that the key's value tells.
 * texts: also the layouts of text. A damaged value changes nothing. NO_MEMORY only. */
lochan_status lochan_pq_arrow_schema__restore(struct ArrowSchema *schema, const char *value,
                                              size_t n, bool texts, lochan_error *err);
/* The same from the message's bytes. */
lochan_status lochan_pq_arrow_schema__restore_message(struct ArrowSchema *schema,
                                                      const uint8_t *message, size_t n, bool texts,
                                                      lochan_error *err);

/* Numbers of Arrow's Schema.fbs. */
enum {
    LOCHAN_IPC_NULL = 1,
    LOCHAN_IPC_INT,
    LOCHAN_IPC_FLOAT,
    LOCHAN_IPC_BINARY,
    LOCHAN_IPC_UTF8,
    LOCHAN_IPC_BOOL,
    LOCHAN_IPC_DECIMAL,
    LOCHAN_IPC_DATE,
    LOCHAN_IPC_TIME,
    LOCHAN_IPC_TIMESTAMP,
    LOCHAN_IPC_LIST = 12,
    LOCHAN_IPC_STRUCT,
    LOCHAN_IPC_FIXED_BINARY = 15,
    LOCHAN_IPC_FIXED_LIST,
    LOCHAN_IPC_MAP,
    LOCHAN_IPC_DURATION,
    LOCHAN_IPC_LARGE_BINARY,
    LOCHAN_IPC_LARGE_UTF8,
    LOCHAN_IPC_LARGE_LIST,
    LOCHAN_IPC_BINARY_VIEW = 23,
    LOCHAN_IPC_UTF8_VIEW
};
/* Fields of its tables. */
enum {
    LOCHAN_IPC_FIELD_NAME,
    LOCHAN_IPC_FIELD_NULLABLE,
    LOCHAN_IPC_FIELD_TYPE_ID,
    LOCHAN_IPC_FIELD_TYPE,
    LOCHAN_IPC_FIELD_DICTIONARY,
    LOCHAN_IPC_FIELD_CHILDREN,
    LOCHAN_IPC_FIELD_METADATA
};
enum { LOCHAN_IPC_HEADER_SCHEMA = 1, LOCHAN_IPC_V5 = 4 };

#endif
