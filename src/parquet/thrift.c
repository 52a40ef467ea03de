/* thrift.c - see thrift.h. One recursive reader and one recursive writer serve all structs of the
 * format. Invariant: recursion follows the tables, which are finite; skipping unknown fields counts
 * its depth. May call: base/.
 */
#include "parquet/thrift.h"

enum {
    WIRE_STOP,
    WIRE_TRUE,
    WIRE_FALSE,
    WIRE_I8,
    WIRE_I16,
    WIRE_I32,
    WIRE_I64,
    WIRE_DOUBLE,
    WIRE_BINARY,
    WIRE_LIST,
    WIRE_SET,
    WIRE_MAP,
    WIRE_STRUCT,
    WIRE_UUID
};

enum { MAX_SKIP_DEPTH = 32 };

typedef struct thrift_reader {
    lochan_cursor *cursor;
    const uint8_t *base;
    lochan_arena *arena;
    lochan_error *err;
} thrift_reader;

static lochan_status corrupt(thrift_reader *r, const char *what, const char *type,
                             const char *field) {
    lochan_status rc =
        lochan_error__set(r->err, LOCHAN_ERR_CORRUPT, "metadata is damaged: %s in %s%s%s", what,
                          type, field[0] ? "." : "", field);
    if (r->err)
        r->err->offset = r->cursor->pos - r->base;
    return rc;
}

static int64_t unzigzag(uint64_t v) {
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static uint64_t zigzag(int64_t v) {
    return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static bool read_byte(lochan_cursor *c, uint8_t *out) {
    if (c->pos == c->end)
        return false;
    *out = *c->pos++;
    return true;
}

static bool read_varint(lochan_cursor *c, uint64_t *out) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b;
        if (!read_byte(c, &b))
            return false;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            *out = v;
            return true;
        }
    }
    return false;
}

/* Header of a list: item wire type and count. Every item takes at least one byte, so a count past
 * what is left is a lie. */
static bool read_list_header(lochan_cursor *c, uint8_t *wire, uint64_t *count) {
    uint8_t b;
    if (!read_byte(c, &b))
        return false;
    *wire = b & 0x0f;
    *count = b >> 4;
    if (*count == 15 && !read_varint(c, count))
        return false;
    return *count <= lochan_cursor__left(c);
}

static bool skip_value(lochan_cursor *c, uint8_t wire, bool in_list, int depth);

static bool skip_bytes(lochan_cursor *c, uint64_t n) {
    if (n > lochan_cursor__left(c))
        return false;
    c->pos += n;
    return true;
}

static bool skip_struct(lochan_cursor *c, int depth) {
    for (;;) {
        uint8_t b;
        uint64_t id;
        if (!read_byte(c, &b))
            return false;
        if ((b & 0x0f) == WIRE_STOP)
            return true;
        if ((b >> 4) == 0 && !read_varint(c, &id))
            return false;
        if (!skip_value(c, b & 0x0f, false, depth))
            return false;
    }
}

static bool skip_container(lochan_cursor *c, uint8_t wire, int depth) {
    uint8_t item;
    uint64_t count;
    if (wire != WIRE_MAP) {
        if (!read_list_header(c, &item, &count))
            return false;
        for (uint64_t i = 0; i < count; i++) {
            if (!skip_value(c, item, true, depth))
                return false;
        }
        return true;
    }
    if (!read_varint(c, &count))
        return false;
    if (count == 0)
        return true;
    if (count > lochan_cursor__left(c) || !read_byte(c, &item))
        return false;
    for (uint64_t i = 0; i < count; i++) {
        if (!skip_value(c, item >> 4, true, depth) || !skip_value(c, item & 0x0f, true, depth))
            return false;
    }
    return true;
}

static bool skip_value(lochan_cursor *c, uint8_t wire, bool in_list, int depth) {
    uint64_t n;
    if (depth >= MAX_SKIP_DEPTH)
        return false;
    switch (wire) {
    case WIRE_TRUE:
    case WIRE_FALSE: /* in a field the header itself is the value */
        return in_list ? skip_bytes(c, 1) : true;
    case WIRE_I8:
        return skip_bytes(c, 1);
    case WIRE_I16:
    case WIRE_I32:
    case WIRE_I64:
        return read_varint(c, &n);
    case WIRE_DOUBLE:
        return skip_bytes(c, 8);
    case WIRE_UUID:
        return skip_bytes(c, 16);
    case WIRE_BINARY:
        return read_varint(c, &n) && skip_bytes(c, n);
    case WIRE_LIST:
    case WIRE_SET:
    case WIRE_MAP:
        return skip_container(c, wire, depth + 1);
    case WIRE_STRUCT:
        return skip_struct(c, depth + 1);
    default:
        return false;
    }
}

static bool wire_fits(uint8_t kind, uint8_t wire) {
    switch (kind) {
    case LOCHAN_THRIFT_BOOL:
        return wire == WIRE_TRUE || wire == WIRE_FALSE;
    case LOCHAN_THRIFT_I8:
        return wire == WIRE_I8;
    case LOCHAN_THRIFT_I16:
    case LOCHAN_THRIFT_I32:
    case LOCHAN_THRIFT_I64: /* widths differ between writers; the range is checked by value */
        return wire == WIRE_I16 || wire == WIRE_I32 || wire == WIRE_I64;
    case LOCHAN_THRIFT_DOUBLE:
        return wire == WIRE_DOUBLE;
    case LOCHAN_THRIFT_BINARY:
        return wire == WIRE_BINARY;
    case LOCHAN_THRIFT_STRUCT:
        return wire == WIRE_STRUCT;
    default:
        return wire == WIRE_LIST || wire == WIRE_SET;
    }
}

static lochan_status read_struct(thrift_reader *r, const lochan_thrift_type *type, void *out);

/* One scalar, string or struct into `slot`. */
static lochan_status read_item(thrift_reader *r, const lochan_thrift_type *owner,
                               const lochan_thrift_field *f, uint8_t kind, void *slot) {
    lochan_cursor *c = r->cursor;
    uint64_t v;
    const uint8_t *p;
    switch (kind) {
    case LOCHAN_THRIFT_BOOL: { /* list items only: 1 is true, 2 (or 0 of some writers) false */
        uint8_t b;
        if (!read_byte(c, &b))
            return corrupt(r, "cut off", owner->name, f->name);
        *(bool *)slot = b == 1;
        return LOCHAN_OK;
    }
    case LOCHAN_THRIFT_I8: {
        uint8_t b;
        if (!read_byte(c, &b))
            return corrupt(r, "cut off", owner->name, f->name);
        *(int32_t *)slot = (int8_t)b;
        return LOCHAN_OK;
    }
    case LOCHAN_THRIFT_I16:
    case LOCHAN_THRIFT_I32: {
        if (!read_varint(c, &v))
            return corrupt(r, "bad number", owner->name, f->name);
        int64_t value = unzigzag(v);
        if (value < INT32_MIN || value > INT32_MAX)
            return corrupt(r, "number out of range", owner->name, f->name);
        *(int32_t *)slot = (int32_t)value;
        return LOCHAN_OK;
    }
    case LOCHAN_THRIFT_I64:
        if (!read_varint(c, &v))
            return corrupt(r, "bad number", owner->name, f->name);
        *(int64_t *)slot = unzigzag(v);
        return LOCHAN_OK;
    case LOCHAN_THRIFT_DOUBLE:
        if (lochan_cursor__left(c) < 8)
            return corrupt(r, "cut off", owner->name, f->name);
        memcpy(slot, c->pos, 8);
        c->pos += 8;
        return LOCHAN_OK;
    case LOCHAN_THRIFT_BINARY:
        if (!read_varint(c, &v) || v > lochan_cursor__left(c))
            return corrupt(r, "length past the end", owner->name, f->name);
        p = c->pos;
        c->pos += v;
        *(lochan_str *)slot = (lochan_str){(const char *)p, (size_t)v};
        return LOCHAN_OK;
    default:
        return read_struct(r, f->type, slot);
    }
}

static size_t item_size(const lochan_thrift_field *f) {
    switch (f->item) {
    case LOCHAN_THRIFT_BOOL:
        return sizeof(bool);
    case LOCHAN_THRIFT_I64:
        return sizeof(int64_t);
    case LOCHAN_THRIFT_BINARY:
        return sizeof(lochan_str);
    case LOCHAN_THRIFT_STRUCT:
        return f->type->size;
    default:
        return sizeof(int32_t);
    }
}

static lochan_status read_list(thrift_reader *r, const lochan_thrift_type *owner,
                               const lochan_thrift_field *f, lochan_thrift_list *out) {
    uint8_t wire;
    uint64_t count;
    if (!read_list_header(r->cursor, &wire, &count))
        return corrupt(r, "more list items than bytes", owner->name, f->name);
    if (count == 0)
        return LOCHAN_OK;
    if (!wire_fits(f->item, wire))
        return corrupt(r, "list of the wrong type", owner->name, f->name);
    size_t size = item_size(f);
    out->items = lochan_arena__array(r->arena, (size_t)count, size);
    if (!out->items)
        return lochan_error__set(r->err, LOCHAN_ERR_MEMORY_LIMIT,
                                 "metadata list %s.%s is too large", owner->name, f->name);
    out->n = (uint32_t)count;
    for (uint64_t i = 0; i < count; i++)
        LOCHAN_TRY(read_item(r, owner, f, f->item, (uint8_t *)out->items + i * size));
    return LOCHAN_OK;
}

static const lochan_thrift_field *find_field(const lochan_thrift_type *type, int64_t id) {
    for (size_t i = 0; i < type->n_fields; i++) {
        if (type->fields[i].id == id)
            return &type->fields[i];
    }
    return NULL;
}

static lochan_status read_field(thrift_reader *r, const lochan_thrift_type *type,
                                const lochan_thrift_field *f, uint8_t wire, void *out) {
    void *slot = (uint8_t *)out + f->offset;
    uint32_t *set = out;
    if (!wire_fits(f->kind, wire))
        return corrupt(r, "field of the wrong type", type->name, f->name);
    if (*set & LOCHAN_THRIFT_BIT(f->id))
        return corrupt(r, "field given twice", type->name, f->name);
    *set |= LOCHAN_THRIFT_BIT(f->id);
    if (f->kind == LOCHAN_THRIFT_BOOL) {
        *(bool *)slot = wire == WIRE_TRUE;
        return LOCHAN_OK;
    }
    if (f->kind == LOCHAN_THRIFT_LIST)
        return read_list(r, type, f, slot);
    return read_item(r, type, f, f->kind, slot);
}

static lochan_status read_struct(thrift_reader *r, const lochan_thrift_type *type, void *out) {
    int64_t id = 0;
    for (;;) {
        uint8_t b;
        if (!read_byte(r->cursor, &b))
            return corrupt(r, "cut off", type->name, "");
        uint8_t wire = b & 0x0f;
        if (wire == WIRE_STOP)
            break;
        if (b >> 4) {
            id += b >> 4;
        } else {
            uint64_t v;
            if (!read_varint(r->cursor, &v))
                return corrupt(r, "bad field id", type->name, "");
            id = unzigzag(v);
        }
        if (id < 0 || id > INT16_MAX)
            return corrupt(r, "bad field id", type->name, "");
        const lochan_thrift_field *f = find_field(type, id);
        if (f && !f->required && !wire_fits(f->kind, wire))
            f = NULL; /* an older or private use of the id: not ours */
        if (f)
            LOCHAN_TRY(read_field(r, type, f, wire, out));
        else if (!skip_value(r->cursor, wire, false, 0))
            return corrupt(r, "unknown field cannot be skipped", type->name, "");
    }
    for (size_t i = 0; i < type->n_fields; i++) {
        const lochan_thrift_field *f = &type->fields[i];
        if (f->required && !(*(uint32_t *)out & LOCHAN_THRIFT_BIT(f->id)))
            return corrupt(r, "missing field", type->name, f->name);
    }
    return LOCHAN_OK;
}

lochan_status lochan_thrift__read(lochan_cursor *cursor, const uint8_t *base,
                                  const lochan_thrift_type *type, lochan_arena *arena, void *out,
                                  lochan_error *err) {
    thrift_reader r = {cursor, base, arena, err};
    memset(out, 0, type->size);
    return read_struct(&r, type, out);
}

static const uint8_t wire_of_kind[] = {WIRE_TRUE,   WIRE_I8,     WIRE_I16,    WIRE_I32, WIRE_I64,
                                       WIRE_DOUBLE, WIRE_BINARY, WIRE_STRUCT, WIRE_LIST};

static lochan_status write_item(lochan_buf *buf, const lochan_thrift_field *f, uint8_t kind,
                                const void *slot, lochan_error *err) {
    switch (kind) {
    case LOCHAN_THRIFT_BOOL:
        return lochan_buf__putc(buf, *(const bool *)slot ? WIRE_TRUE : WIRE_FALSE, err);
    case LOCHAN_THRIFT_I8:
        return lochan_buf__putc(buf, (char)*(const int32_t *)slot, err);
    case LOCHAN_THRIFT_I16:
    case LOCHAN_THRIFT_I32:
        return lochan_buf__varint(buf, zigzag(*(const int32_t *)slot), err);
    case LOCHAN_THRIFT_I64:
        return lochan_buf__varint(buf, zigzag(*(const int64_t *)slot), err);
    case LOCHAN_THRIFT_DOUBLE:
        return lochan_buf__append(buf, slot, 8, err);
    case LOCHAN_THRIFT_BINARY: {
        const lochan_str *s = slot;
        LOCHAN_TRY(lochan_buf__varint(buf, s->n, err));
        return lochan_buf__append(buf, s->p, s->n, err);
    }
    default:
        return lochan_thrift__write(buf, f->type, slot, err);
    }
}

static lochan_status write_list(lochan_buf *buf, const lochan_thrift_field *f,
                                const lochan_thrift_list *list, lochan_error *err) {
    uint8_t wire = wire_of_kind[f->item];
    if (list->n < 15) {
        LOCHAN_TRY(lochan_buf__putc(buf, (char)(list->n << 4 | wire), err));
    } else {
        LOCHAN_TRY(lochan_buf__putc(buf, (char)(0xf0 | wire), err));
        LOCHAN_TRY(lochan_buf__varint(buf, list->n, err));
    }
    size_t size = item_size(f);
    for (uint32_t i = 0; i < list->n; i++)
        LOCHAN_TRY(write_item(buf, f, f->item, (const uint8_t *)list->items + i * size, err));
    return LOCHAN_OK;
}

lochan_status lochan_thrift__write(lochan_buf *buf, const lochan_thrift_type *type, const void *in,
                                   lochan_error *err) {
    uint32_t set = *(const uint32_t *)in;
    unsigned last = 0;
    for (size_t i = 0; i < type->n_fields; i++) {
        const lochan_thrift_field *f = &type->fields[i];
        const void *slot = (const uint8_t *)in + f->offset;
        if (!(set & LOCHAN_THRIFT_BIT(f->id)))
            continue;
        uint8_t wire = wire_of_kind[f->kind];
        if (f->kind == LOCHAN_THRIFT_BOOL)
            wire = *(const bool *)slot ? WIRE_TRUE : WIRE_FALSE;
        /* ids are ascending and below 32; a step above 15 takes the long form */
        unsigned step = f->id - last;
        if (step <= 15) {
            LOCHAN_TRY(lochan_buf__putc(buf, (char)(step << 4 | wire), err));
        } else {
            LOCHAN_TRY(lochan_buf__putc(buf, (char)wire, err));
            LOCHAN_TRY(lochan_buf__varint(buf, zigzag(f->id), err));
        }
        last = f->id;
        if (f->kind == LOCHAN_THRIFT_LIST)
            LOCHAN_TRY(write_list(buf, f, slot, err));
        else if (f->kind != LOCHAN_THRIFT_BOOL)
            LOCHAN_TRY(write_item(buf, f, f->kind, slot, err));
    }
    return lochan_buf__putc(buf, WIRE_STOP, err);
}
