/* arrow_schema_read.c - what a file's ARROW:schema tells about types that Parquet does not have.
 * Invariants: the walk follows the schema made from Parquet, never the message, so it ends; fields
 * are matched by place and, in structs, by name; what does not match stays as Parquet has it. May
 * call: base/, arrow/, flat.h.
 */
#include "parquet/arrow_schema.h"
#include "parquet/flat.h"

/* Pairs of a field's metadata that are kept. */
enum { MOST_PAIRS = 64, MOST_ZONE = 39 };

typedef struct restorer {
    bool texts;
    size_t metadata_left; /* bytes: shared texts must not multiply */
    lochan_error *err;
} restorer;

/* ---- types ---- */

static lochan_time_unit unit_of(const lochan_flat_table *t, int64_t absent) {
    return (lochan_time_unit)(lochan_flat__integer(t, 0, 2, absent) & 3);
}

/* Names of zones are letters, digits and a few signs. */
static bool zone_of(const lochan_flat_table *t, char out[40]) {
    lochan_str zone;
    if (!lochan_flat__text(t, 1, &zone) || zone.n == 0 || zone.n > MOST_ZONE)
        return false;
    for (size_t i = 0; i < zone.n; i++) {
        char c = zone.p[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter && (c == '\0' || !strchr("/_+-:", c)))
            return false;
    }
    memcpy(out, zone.p, zone.n);
    out[zone.n] = '\0';
    return true;
}

/* Text or binary: same[0] is the type the file has, of three layouts. */
static lochan_type_id layout_of(lochan_type_id id, int64_t ipc) {
    switch (ipc) {
    case LOCHAN_IPC_UTF8:
        return id == LOCHAN_TYPE_STRING ? id : LOCHAN_TYPE_NULL;
    case LOCHAN_IPC_BINARY:
        return id == LOCHAN_TYPE_BINARY ? id : LOCHAN_TYPE_NULL;
    case LOCHAN_IPC_LARGE_UTF8:
        return id == LOCHAN_TYPE_STRING ? LOCHAN_TYPE_LARGE_STRING : LOCHAN_TYPE_NULL;
    case LOCHAN_IPC_UTF8_VIEW:
        return id == LOCHAN_TYPE_STRING ? LOCHAN_TYPE_STRING_VIEW : LOCHAN_TYPE_NULL;
    case LOCHAN_IPC_LARGE_BINARY:
        return id == LOCHAN_TYPE_BINARY ? LOCHAN_TYPE_LARGE_BINARY : LOCHAN_TYPE_NULL;
    case LOCHAN_IPC_BINARY_VIEW:
        return id == LOCHAN_TYPE_BINARY ? LOCHAN_TYPE_BINARY_VIEW : LOCHAN_TYPE_NULL;
    default:
        return LOCHAN_TYPE_NULL;
    }
}

/* Changes *type where the message's type `ipc` is another way to show the same values. */
static void restore_flat(lochan_type *type, int64_t ipc, const lochan_flat_table *t, bool texts) {
    lochan_type_id layout = layout_of(type->id, ipc);
    if (layout != LOCHAN_TYPE_NULL) {
        type->id = texts ? layout : type->id;
    } else if (ipc == LOCHAN_IPC_TIMESTAMP && type->id == LOCHAN_TYPE_TIMESTAMP) {
        if (type->zone[0])
            (void)zone_of(t, type->zone);
        if (type->unit == LOCHAN_UNIT_MILLI && unit_of(t, 0) == LOCHAN_UNIT_SECOND)
            type->unit = LOCHAN_UNIT_SECOND;
    } else if (ipc == LOCHAN_IPC_TIME && type->id == LOCHAN_TYPE_TIME32) {
        if (unit_of(t, 1) == LOCHAN_UNIT_SECOND)
            type->unit = LOCHAN_UNIT_SECOND;
    } else if (ipc == LOCHAN_IPC_DURATION && type->id == LOCHAN_TYPE_INT64) {
        *type = (lochan_type){.id = LOCHAN_TYPE_DURATION, .unit = unit_of(t, 1)};
    } else if (ipc == LOCHAN_IPC_DATE && type->id == LOCHAN_TYPE_DATE32) {
        if (lochan_flat__integer(t, 0, 2, 1) == 1)
            type->id = LOCHAN_TYPE_DATE64;
    } else if (ipc == LOCHAN_IPC_DECIMAL && type->id == LOCHAN_TYPE_DECIMAL128) {
        if (lochan_flat__integer(t, 2, 4, 128) == 256)
            type->id = LOCHAN_TYPE_DECIMAL256;
    }
}

/* Replaces a field by one of another type with the same name, field id and children. */
static lochan_status retype(restorer *r, struct ArrowSchema *field, const lochan_type *type) {
    struct ArrowSchema fresh;
    int32_t id = lochan_schema__field_id(field);
    LOCHAN_TRY(lochan_schema__set_nested(
        &fresh, field->name, type, field->flags & ARROW_FLAG_NULLABLE, field->n_children, r->err));
    lochan_status rc = id >= 0 ? lochan_schema__set_field_id(&fresh, id, r->err) : LOCHAN_OK;
    if (rc != LOCHAN_OK) {
        lochan_schema__release(&fresh);
        return rc;
    }
    for (int64_t i = 0; i < field->n_children; i++)
        lochan_schema__move(field->children[i], fresh.children[i]);
    lochan_schema__release(field);
    lochan_schema__move(&fresh, field);
    return LOCHAN_OK;
}

/* A column of text whose values were keys: keys have 32 bits, whatever they had. */
static lochan_status make_dictionary(restorer *r, struct ArrowSchema *field,
                                     const lochan_type *values, bool ordered) {
    const lochan_type keys = {.id = LOCHAN_TYPE_INT32};
    struct ArrowSchema fresh;
    int32_t id = lochan_schema__field_id(field);
    LOCHAN_TRY(lochan_schema__set_dictionary(&fresh, field->name, &keys, values,
                                             field->flags & ARROW_FLAG_NULLABLE, r->err));
    lochan_status rc = id >= 0 ? lochan_schema__set_field_id(&fresh, id, r->err) : LOCHAN_OK;
    if (rc != LOCHAN_OK) {
        lochan_schema__release(&fresh);
        return rc;
    }
    fresh.flags |= ordered ? ARROW_FLAG_DICTIONARY_ORDERED : 0;
    lochan_schema__release(field);
    lochan_schema__move(&fresh, field);
    return LOCHAN_OK;
}

/* ---- metadata ---- */

/* Adds the pairs of a field to those it has (its field id). */
static lochan_status add_metadata(restorer *r, const lochan_flat_table *from,
                                  struct ArrowSchema *field) {
    lochan_flat_vector pairs;
    lochan_flat_table pair;
    lochan_str kept[2 * MOST_PAIRS];
    size_t n = 0;
    if (!lochan_flat__vector(from, LOCHAN_IPC_FIELD_METADATA, &pairs))
        return LOCHAN_OK;
    for (uint32_t i = 0; i < pairs.n && n < MOST_PAIRS; i++) {
        lochan_str *key = &kept[2 * n], *value = key + 1;
        if (!lochan_flat__element(&pairs, i, &pair) || !lochan_flat__text(&pair, 0, key) ||
            !lochan_flat__text(&pair, 1, value) || !lochan_utf8__valid(key->p, key->n) ||
            lochan_str__eq(*key, LOCHAN_STR("PARQUET:field_id")) ||
            key->n + value->n > r->metadata_left)
            continue;
        r->metadata_left -= key->n + value->n;
        n++;
    }
    return lochan_schema__add_metadata(field, kept, n, r->err);
}

/* ---- fields ---- */

static lochan_status restore_field(restorer *r, const lochan_flat_table *from,
                                   struct ArrowSchema *field, int depth);

static bool same_name(const lochan_flat_table *from, const struct ArrowSchema *field) {
    lochan_str name;
    return lochan_flat__text(from, LOCHAN_IPC_FIELD_NAME, &name) &&
           lochan_str__eq(name, lochan_str__of(field->name));
}

/* Children by place; by_name: all must also have the names of those in the file. */
static lochan_status restore_children(restorer *r, const lochan_flat_vector *fields,
                                      struct ArrowSchema *schema, bool by_name, int depth) {
    lochan_flat_table child;
    if (fields->n != (uint64_t)schema->n_children)
        return LOCHAN_OK;
    for (uint32_t i = 0; i < fields->n; i++) {
        if (lochan_flat__element(fields, i, &child) &&
            (!by_name || same_name(&child, schema->children[i])))
            LOCHAN_TRY(restore_field(r, &child, schema->children[i], depth + 1));
    }
    return LOCHAN_OK;
}

/* Lists, structs and maps. *goes: the message has the same shape. */
static lochan_status restore_nested(restorer *r, const lochan_flat_table *from, int64_t ipc,
                                    const lochan_flat_table *t, lochan_type type,
                                    struct ArrowSchema *field, int depth, bool *goes) {
    lochan_flat_vector children;
    bool list =
        ipc == LOCHAN_IPC_LIST || ipc == LOCHAN_IPC_LARGE_LIST || ipc == LOCHAN_IPC_FIXED_LIST;
    *goes = type.id == LOCHAN_TYPE_LIST     ? list
            : type.id == LOCHAN_TYPE_STRUCT ? ipc == LOCHAN_IPC_STRUCT
                                            : ipc == LOCHAN_IPC_MAP;
    if (!*goes || !lochan_flat__vector(from, LOCHAN_IPC_FIELD_CHILDREN, &children)) {
        *goes = false;
        return LOCHAN_OK;
    }
    LOCHAN_TRY(restore_children(r, &children, field, type.id == LOCHAN_TYPE_STRUCT, depth));
    int64_t items = lochan_flat__integer(t, 0, 4, 0);
    if (ipc == LOCHAN_IPC_MAP && lochan_flat__integer(t, 0, 1, 0))
        field->flags |= ARROW_FLAG_MAP_KEYS_SORTED;
    if (ipc == LOCHAN_IPC_LARGE_LIST)
        type.id = LOCHAN_TYPE_LARGE_LIST;
    else if (ipc == LOCHAN_IPC_FIXED_LIST && items > 0)
        type = (lochan_type){.id = LOCHAN_TYPE_FIXED_LIST, .byte_width = (int32_t)items};
    else
        return LOCHAN_OK;
    return retype(r, field, &type);
}

/* Types of flat fields that are the same values in another form, or the very same. */
static bool goes_with(const lochan_type *type, int64_t ipc) {
    static const uint8_t families[] = {[LOCHAN_TYPE_NULL] = LOCHAN_IPC_NULL,
                                       [LOCHAN_TYPE_BOOL] = LOCHAN_IPC_BOOL,
                                       [LOCHAN_TYPE_FLOAT16] = LOCHAN_IPC_FLOAT,
                                       [LOCHAN_TYPE_FLOAT32] = LOCHAN_IPC_FLOAT,
                                       [LOCHAN_TYPE_FLOAT64] = LOCHAN_IPC_FLOAT,
                                       [LOCHAN_TYPE_DECIMAL128] = LOCHAN_IPC_DECIMAL,
                                       [LOCHAN_TYPE_DECIMAL256] = LOCHAN_IPC_DECIMAL,
                                       [LOCHAN_TYPE_FIXED_BINARY] = LOCHAN_IPC_FIXED_BINARY,
                                       [LOCHAN_TYPE_DATE32] = LOCHAN_IPC_DATE,
                                       [LOCHAN_TYPE_TIME32] = LOCHAN_IPC_TIME,
                                       [LOCHAN_TYPE_TIME64] = LOCHAN_IPC_TIME,
                                       [LOCHAN_TYPE_TIMESTAMP] = LOCHAN_IPC_TIMESTAMP};
    if (lochan_type__is_integer(type->id))
        return ipc == LOCHAN_IPC_INT ||
               (ipc == LOCHAN_IPC_DURATION && type->id == LOCHAN_TYPE_INT64);
    if (lochan_type__is_bytes(type->id)) {
        bool text = type->id <= LOCHAN_TYPE_STRING_VIEW;
        return layout_of(text ? LOCHAN_TYPE_STRING : LOCHAN_TYPE_BINARY, ipc) != LOCHAN_TYPE_NULL;
    }
    return type->id < LOCHAN_COUNTOF(families) && families[type->id] == ipc;
}

static lochan_status restore_field(restorer *r, const lochan_flat_table *from,
                                   struct ArrowSchema *field, int depth) {
    lochan_flat_table t, dictionary;
    lochan_type type, shown;
    bool goes = false;
    int64_t ipc = lochan_flat__integer(from, LOCHAN_IPC_FIELD_TYPE_ID, 1, 0);
    if (!lochan_flat__table(from, LOCHAN_IPC_FIELD_TYPE, &t))
        return LOCHAN_OK;
    const char *format = field->dictionary ? field->dictionary->format : field->format;
    LOCHAN_TRY(lochan_type__parse(format, &type, r->err));
    if (lochan_type__is_nested(type.id)) {
        LOCHAN_TRY(restore_nested(r, from, ipc, &t, type, field, depth, &goes));
        return goes ? add_metadata(r, from, field) : LOCHAN_OK;
    }
    if (!goes_with(&type, ipc))
        return LOCHAN_OK;
    shown = type;
    restore_flat(&shown, ipc, &t, r->texts);
    bool keys = r->texts && depth == 1 && lochan_type__is_bytes(type.id) && !field->dictionary &&
                lochan_flat__table(from, LOCHAN_IPC_FIELD_DICTIONARY, &dictionary);
    if (keys)
        LOCHAN_TRY(
            make_dictionary(r, field, &shown, lochan_flat__integer(&dictionary, 2, 1, 0) != 0));
    else if (!field->dictionary && !lochan_type__equal(&type, &shown))
        LOCHAN_TRY(retype(r, field, &shown));
    return add_metadata(r, from, field);
}

lochan_status lochan_pq_arrow_schema__restore_message(struct ArrowSchema *schema,
                                                      const uint8_t *message, size_t n, bool texts,
                                                      lochan_error *err) {
    restorer r = {.texts = texts, .metadata_left = n, .err = err};
    lochan_flat_table header, body;
    lochan_flat_vector fields;
    lochan_flat flat;
    bool marked = n >= 8 && memcmp(message, "\xff\xff\xff\xff", 4) == 0; /* older ones are not */
    size_t lead = marked ? 8 : 4;
    if (n < lead + 4)
        return LOCHAN_OK;
    flat = (lochan_flat){message + lead, n - lead};
    if (!lochan_flat__root(&flat, &header) ||
        lochan_flat__integer(&header, 1, 1, 0) != LOCHAN_IPC_HEADER_SCHEMA ||
        !lochan_flat__table(&header, 2, &body) || lochan_flat__integer(&body, 0, 2, 0) != 0 ||
        !lochan_flat__vector(&body, 1, &fields))
        return LOCHAN_OK;
    return restore_children(&r, &fields, schema, true, 0);
}

lochan_status lochan_pq_arrow_schema__restore(struct ArrowSchema *schema, const char *value,
                                              size_t n, bool texts, lochan_error *err) {
    size_t size;
    uint8_t *message = lochan_mem__alloc(n / 4 * 3 + 1);
    if (!message)
        return lochan_error__nomem(err);
    lochan_status rc =
        lochan_base64__decode(value, n, message, &size)
            ? lochan_pq_arrow_schema__restore_message(schema, message, size, texts, err)
            : LOCHAN_OK;
    lochan_mem__free(message);
    return rc;
}
