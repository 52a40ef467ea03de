/* arrow_schema_write.c - an Arrow schema as an IPC schema message in base64.
 * Invariant: the same schema gives the same bytes. May call: base/, arrow/, flat.h.
 */
#include "parquet/arrow_schema.h"
#include "parquet/flat.h"

/* The most bytes of a message: a footer with more is not readable anyway. */
enum { MOST_BYTES = 64 << 20 };

typedef struct message {
    lochan_buf buf;
    int64_t dictionaries; /* numbers given */
    lochan_error *err;
} message;

/* Table and number of a type, for those that one row describes. */
typedef struct plain_type {
    lochan_type_id id;
    uint8_t ipc;
    uint8_t bits;   /* of integers: field 0 */
    bool is_signed; /* field 1 */
    uint8_t kind;   /* of floats and dates: field 0, 2 bytes */
} plain_type;

static const plain_type plain_types[] = {
    {LOCHAN_TYPE_NULL, LOCHAN_IPC_NULL, 0, false, 0},
    {LOCHAN_TYPE_BOOL, LOCHAN_IPC_BOOL, 0, false, 0},
    {LOCHAN_TYPE_INT8, LOCHAN_IPC_INT, 8, true, 0},
    {LOCHAN_TYPE_UINT8, LOCHAN_IPC_INT, 8, false, 0},
    {LOCHAN_TYPE_INT16, LOCHAN_IPC_INT, 16, true, 0},
    {LOCHAN_TYPE_UINT16, LOCHAN_IPC_INT, 16, false, 0},
    {LOCHAN_TYPE_INT32, LOCHAN_IPC_INT, 32, true, 0},
    {LOCHAN_TYPE_UINT32, LOCHAN_IPC_INT, 32, false, 0},
    {LOCHAN_TYPE_INT64, LOCHAN_IPC_INT, 64, true, 0},
    {LOCHAN_TYPE_UINT64, LOCHAN_IPC_INT, 64, false, 0},
    {LOCHAN_TYPE_FLOAT16, LOCHAN_IPC_FLOAT, 0, false, 0},
    {LOCHAN_TYPE_FLOAT32, LOCHAN_IPC_FLOAT, 0, false, 1},
    {LOCHAN_TYPE_FLOAT64, LOCHAN_IPC_FLOAT, 0, false, 2},
    {LOCHAN_TYPE_STRING, LOCHAN_IPC_UTF8, 0, false, 0},
    {LOCHAN_TYPE_LARGE_STRING, LOCHAN_IPC_LARGE_UTF8, 0, false, 0},
    {LOCHAN_TYPE_STRING_VIEW, LOCHAN_IPC_UTF8_VIEW, 0, false, 0},
    {LOCHAN_TYPE_BINARY, LOCHAN_IPC_BINARY, 0, false, 0},
    {LOCHAN_TYPE_LARGE_BINARY, LOCHAN_IPC_LARGE_BINARY, 0, false, 0},
    {LOCHAN_TYPE_BINARY_VIEW, LOCHAN_IPC_BINARY_VIEW, 0, false, 0},
    {LOCHAN_TYPE_DATE32, LOCHAN_IPC_DATE, 0, false, 0},
    {LOCHAN_TYPE_DATE64, LOCHAN_IPC_DATE, 0, false, 1},
    {LOCHAN_TYPE_LIST, LOCHAN_IPC_LIST, 0, false, 0},
    {LOCHAN_TYPE_LARGE_LIST, LOCHAN_IPC_LARGE_LIST, 0, false, 0},
    {LOCHAN_TYPE_STRUCT, LOCHAN_IPC_STRUCT, 0, false, 0},
};

static lochan_status put_table(message *m, uint64_t ref, lochan_flat_slot *slots, unsigned n) {
    return lochan_flat__put_table(&m->buf, ref, slots, n, m->err);
}

static uint8_t ipc_number(lochan_type_id id) {
    for (size_t i = 0; i < LOCHAN_COUNTOF(plain_types); i++) {
        if (plain_types[i].id == id)
            return plain_types[i].ipc;
    }
    switch (id) {
    case LOCHAN_TYPE_DECIMAL128:
    case LOCHAN_TYPE_DECIMAL256:
        return LOCHAN_IPC_DECIMAL;
    case LOCHAN_TYPE_FIXED_BINARY:
        return LOCHAN_IPC_FIXED_BINARY;
    case LOCHAN_TYPE_TIME32:
    case LOCHAN_TYPE_TIME64:
        return LOCHAN_IPC_TIME;
    case LOCHAN_TYPE_TIMESTAMP:
        return LOCHAN_IPC_TIMESTAMP;
    case LOCHAN_TYPE_DURATION:
        return LOCHAN_IPC_DURATION;
    case LOCHAN_TYPE_FIXED_LIST:
        return LOCHAN_IPC_FIXED_LIST;
    default:
        return LOCHAN_IPC_MAP;
    }
}

static lochan_status put_plain_type(message *m, uint64_t ref, const plain_type *p) {
    lochan_flat_slot integer[] = {{0, 4, p->bits}, {1, 1, p->is_signed}};
    lochan_flat_slot kind[] = {{0, 2, p->kind}};
    if (p->ipc == LOCHAN_IPC_INT)
        return put_table(m, ref, integer, 2);
    return put_table(m, ref, kind, p->ipc == LOCHAN_IPC_FLOAT || p->ipc == LOCHAN_IPC_DATE);
}

static lochan_status put_type(message *m, uint64_t ref, const lochan_type *t, bool sorted_keys) {
    for (size_t i = 0; i < LOCHAN_COUNTOF(plain_types); i++) {
        if (plain_types[i].id == t->id)
            return put_plain_type(m, ref, &plain_types[i]);
    }
    lochan_flat_slot s[3] = {{0, 2, (uint64_t)t->unit}};
    switch (t->id) {
    case LOCHAN_TYPE_DECIMAL128:
    case LOCHAN_TYPE_DECIMAL256:
        s[0] = (lochan_flat_slot){0, 4, (uint32_t)t->precision};
        s[1] = (lochan_flat_slot){1, 4, (uint32_t)t->scale};
        s[2] = (lochan_flat_slot){2, 4, t->id == LOCHAN_TYPE_DECIMAL128 ? 128 : 256};
        return put_table(m, ref, s, 3);
    case LOCHAN_TYPE_FIXED_BINARY:
    case LOCHAN_TYPE_FIXED_LIST:
        s[0] = (lochan_flat_slot){0, 4, (uint32_t)t->byte_width};
        return put_table(m, ref, s, 1);
    case LOCHAN_TYPE_TIME32:
    case LOCHAN_TYPE_TIME64:
        s[1] = (lochan_flat_slot){1, 4, t->id == LOCHAN_TYPE_TIME32 ? 32 : 64};
        return put_table(m, ref, s, 2);
    case LOCHAN_TYPE_TIMESTAMP:
        s[1] = (lochan_flat_slot){1, 0, 0};
        LOCHAN_TRY(put_table(m, ref, s, t->zone[0] ? 2 : 1));
        return t->zone[0]
                   ? lochan_flat__put_text(&m->buf, s[1].value, lochan_str__of(t->zone), m->err)
                   : LOCHAN_OK;
    case LOCHAN_TYPE_DURATION:
        return put_table(m, ref, s, 1);
    default:
        s[0] = (lochan_flat_slot){0, 1, sorted_keys};
        return put_table(m, ref, s, 1);
    }
}

static lochan_status put_dictionary(message *m, uint64_t ref, const struct ArrowSchema *field) {
    lochan_type keys;
    lochan_flat_slot s[] = {{0, 8, (uint64_t)m->dictionaries++},
                            {1, 0, 0},
                            {2, 1, (field->flags & ARROW_FLAG_DICTIONARY_ORDERED) != 0}};
    LOCHAN_TRY(lochan_type__parse(field->format, &keys, m->err));
    LOCHAN_TRY(put_table(m, ref, s, 3));
    return put_type(m, s[1].value, &keys, false);
}

/* ---- metadata ---- */

/* The next pair but for field ids, which have a place of their own in Parquet. */
static bool next_pair(const struct ArrowSchema *schema, lochan_schema_pairs *at, lochan_str *key,
                      lochan_str *value) {
    while (lochan_schema__next_metadata(schema, at, key, value)) {
        if (!lochan_str__eq(*key, LOCHAN_STR("PARQUET:field_id")))
            return true;
    }
    return false;
}

static uint32_t count_pairs(const struct ArrowSchema *schema) {
    lochan_str key, value;
    uint32_t n = 0;
    for (lochan_schema_pairs at = {0}; next_pair(schema, &at, &key, &value);)
        n++;
    return n;
}

static lochan_status put_metadata(message *m, uint64_t ref, const struct ArrowSchema *schema) {
    lochan_str key, value;
    uint64_t place;
    LOCHAN_TRY(lochan_flat__put_vector(&m->buf, ref, count_pairs(schema), &place, m->err));
    for (lochan_schema_pairs at = {0}; next_pair(schema, &at, &key, &value); place += 4) {
        lochan_flat_slot s[] = {{0, 0, 0}, {1, 0, 0}};
        LOCHAN_TRY(put_table(m, place, s, 2));
        LOCHAN_TRY(lochan_flat__put_text(&m->buf, s[0].value, key, m->err));
        LOCHAN_TRY(lochan_flat__put_text(&m->buf, s[1].value, value, m->err));
    }
    return LOCHAN_OK;
}

/* ---- fields ---- */

static lochan_status put_field(message *m, uint64_t ref, const struct ArrowSchema *field);

static lochan_status put_fields(message *m, uint64_t ref, const struct ArrowSchema *of) {
    uint64_t place;
    LOCHAN_TRY(lochan_flat__put_vector(&m->buf, ref, (uint32_t)of->n_children, &place, m->err));
    for (int64_t i = 0; i < of->n_children; i++)
        LOCHAN_TRY(put_field(m, place + 4 * (uint64_t)i, of->children[i]));
    return LOCHAN_OK;
}

static lochan_status put_field(message *m, uint64_t ref, const struct ArrowSchema *field) {
    enum { NAME, NULLABLE, TYPE_ID, TYPE, CHILDREN, OPTIONAL };
    const struct ArrowSchema *values = field->dictionary ? field->dictionary : field;
    lochan_type type;
    unsigned n = OPTIONAL, dictionary = 0, metadata = 0;
    LOCHAN_TRY(lochan_type__parse(values->format, &type, m->err));
    /* they are stored as milliseconds, and readers exist that would take those for seconds */
    if (type.id == LOCHAN_TYPE_TIME32)
        type.unit = LOCHAN_UNIT_MILLI;
    lochan_flat_slot s[LOCHAN_FLAT_FIELDS] = {
        [NAME] = {LOCHAN_IPC_FIELD_NAME, 0, 0},
        [NULLABLE] = {LOCHAN_IPC_FIELD_NULLABLE, 1, (field->flags & ARROW_FLAG_NULLABLE) != 0},
        [TYPE_ID] = {LOCHAN_IPC_FIELD_TYPE_ID, 1, ipc_number(type.id)},
        [TYPE] = {LOCHAN_IPC_FIELD_TYPE, 0, 0},
        [CHILDREN] = {LOCHAN_IPC_FIELD_CHILDREN, 0, 0}};
    if (field->dictionary) {
        dictionary = n++;
        s[dictionary].field = LOCHAN_IPC_FIELD_DICTIONARY;
    }
    if (count_pairs(field) > 0) {
        metadata = n++;
        s[metadata].field = LOCHAN_IPC_FIELD_METADATA;
    }
    LOCHAN_TRY(put_table(m, ref, s, n));
    LOCHAN_TRY(lochan_flat__put_text(&m->buf, s[NAME].value,
                                     lochan_str__of(field->name ? field->name : ""), m->err));
    LOCHAN_TRY(put_type(m, s[TYPE].value, &type, field->flags & ARROW_FLAG_MAP_KEYS_SORTED));
    LOCHAN_TRY(put_fields(m, s[CHILDREN].value, values));
    if (dictionary)
        LOCHAN_TRY(put_dictionary(m, s[dictionary].value, field));
    return metadata ? put_metadata(m, s[metadata].value, field) : LOCHAN_OK;
}

static lochan_status put_schema(message *m, const struct ArrowSchema *schema) {
    uint64_t root;
    lochan_flat_slot header[] = {
        {0, 2, LOCHAN_IPC_V5}, {1, 1, LOCHAN_IPC_HEADER_SCHEMA}, {2, 0, 0}, {3, 8, 0}};
    lochan_flat_slot body[] = {{0, 2, 0}, {1, 0, 0}, {2, 0, 0}}; /* little-endian */
    bool has = count_pairs(schema) > 0;
    LOCHAN_TRY(lochan_flat__begin(&m->buf, &root, m->err));
    LOCHAN_TRY(put_table(m, root, header, LOCHAN_COUNTOF(header)));
    LOCHAN_TRY(put_table(m, header[2].value, body, has ? 3 : 2));
    LOCHAN_TRY(put_fields(m, body[1].value, schema));
    if (has)
        LOCHAN_TRY(put_metadata(m, body[2].value, schema));
    while (m->buf.len % 8 != 0)
        LOCHAN_TRY(lochan_buf__putc(&m->buf, 0, m->err));
    return LOCHAN_OK;
}

lochan_status lochan_pq_arrow_schema__write(const struct ArrowSchema *schema, lochan_buf *out,
                                            lochan_error *err) {
    lochan_status rc;
    message m = {.err = err};
    lochan_buf framed;
    lochan_buf__init(&m.buf, MOST_BYTES);
    lochan_buf__init(&framed, MOST_BYTES + 8);
    LOCHAN_TRYG(put_schema(&m, schema));
    LOCHAN_TRYG(lochan_buf__u32le(&framed, UINT32_MAX, err)); /* a message follows, of this size */
    LOCHAN_TRYG(lochan_buf__u32le(&framed, (uint32_t)m.buf.len, err));
    LOCHAN_TRYG(lochan_buf__append(&framed, m.buf.data, m.buf.len, err));
    LOCHAN_TRYG(lochan_base64__encode(framed.data, framed.len, out, err));
done:
    lochan_buf__deinit(&m.buf);
    lochan_buf__deinit(&framed);
    return rc;
}
