/* rows.c - the tables of rows.def, their statements, and the bytes of values.
 * Invariant: every statement that changes a row of the catalog is made here. May call: base/,
 * rows.h.
 */
#include "catalog/rows.h"

#include <string.h>

enum { KEY = 1, PRIMARY = 2, REQUIRED = 4 };
#define INT  LOCHAN_VALUE_INT
#define TEXT LOCHAN_VALUE_TEXT
#define REAL LOCHAN_VALUE_REAL
#define BLOB LOCHAN_VALUE_BLOB

#define TABLE(name, number, table) static const lochan_row_column columns_##name[] = {
#define COLUMN(name, type, flags)                                                                  \
    {name, type, ((flags)&KEY) != 0, ((flags)&PRIMARY) != 0, ((flags)&REQUIRED) != 0},
#define END                                                                                        \
    }                                                                                              \
    ;
#include "catalog/rows.def"
#undef TABLE
#undef COLUMN
#undef END

static const lochan_row_table tables[] = {
#define TABLE(name, number, table) {number, table, columns_##name, LOCHAN_COUNTOF(columns_##name)},
#define COLUMN(name, type, flags)
#define END
#include "catalog/rows.def"
#undef TABLE
#undef COLUMN
#undef END
};

#define TABLE(name, number, table)                                                                 \
    _Static_assert(LOCHAN_COUNTOF(columns_##name) <= LOCHAN_ROW_MAX_COLUMNS,                       \
                   "raise LOCHAN_ROW_MAX_COLUMNS");
#define COLUMN(name, type, flags)
#define END
#include "catalog/rows.def"
#undef TABLE
#undef COLUMN
#undef END

const lochan_row_table *lochan_row__table(lochan_row_kind kind) {
    return &tables[kind];
}

bool lochan_row__kind(uint64_t number, lochan_row_kind *out) {
    for (size_t i = 0; i < LOCHAN_COUNTOF(tables); i++) {
        if (tables[i].number == number) {
            *out = (lochan_row_kind)i;
            return true;
        }
    }
    return false;
}

size_t lochan_row__n_keys(const lochan_row_table *table) {
    size_t n = 0;
    for (size_t i = 0; i < table->n_columns; i++)
        n += table->columns[i].key;
    return n;
}

int lochan_row__column(const lochan_row_table *table, const char *name) {
    for (size_t i = 0; i < table->n_columns; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return (int)i;
    return -1;
}

size_t lochan_row__n_values(const lochan_row_table *table, lochan_row_op op) {
    if (op == LOCHAN_OP_DELETE)
        return lochan_row__n_keys(table);
    if (op == LOCHAN_OP_END)
        return lochan_row__n_keys(table) + 1;
    return table->n_columns;
}

/* ---- statements ---- */

static lochan_status insert_sql(const lochan_row_table *table, lochan_buf *out, lochan_error *err) {
    LOCHAN_TRY(lochan_buf__printf(out, err, "INSERT INTO %s(", table->name));
    for (size_t i = 0; i < table->n_columns; i++)
        LOCHAN_TRY(lochan_buf__printf(out, err, "%s\"%s\"", i ? "," : "", table->columns[i].name));
    LOCHAN_TRY(lochan_buf__puts(out, ") VALUES (", err));
    for (size_t i = 0; i < table->n_columns; i++)
        LOCHAN_TRY(lochan_buf__printf(out, err, "%s?%zu", i ? "," : "", i + 1));
    return lochan_buf__puts(out, ")", err);
}

/* "IS" and not "=", because a part of a key may be null. */
static lochan_status where_sql(const lochan_row_table *table, lochan_buf *out, lochan_error *err) {
    size_t n = 0;
    for (size_t i = 0; i < table->n_columns; i++) {
        if (!table->columns[i].key)
            continue;
        n++;
        LOCHAN_TRY(lochan_buf__printf(out, err, "%s\"%s\" IS ?%zu", n > 1 ? " AND " : " WHERE ",
                                      table->columns[i].name, n));
    }
    return LOCHAN_OK;
}

lochan_status lochan_row__sql(const lochan_row_table *table, lochan_row_op op, lochan_buf *out,
                              lochan_error *err) {
    switch (op) {
    case LOCHAN_OP_INSERT:
        return insert_sql(table, out, err);
    case LOCHAN_OP_DELETE:
        LOCHAN_TRY(lochan_buf__printf(out, err, "DELETE FROM %s", table->name));
        return where_sql(table, out, err);
    case LOCHAN_OP_END:
        if (lochan_row__column(table, "end_snapshot") < 0)
            break;
        LOCHAN_TRY(lochan_buf__printf(out, err, "UPDATE %s SET end_snapshot = ?%zu", table->name,
                                      lochan_row__n_keys(table) + 1));
        LOCHAN_TRY(where_sql(table, out, err));
        return lochan_buf__puts(out, " AND end_snapshot IS NULL", err);
    default:
        break;
    }
    return lochan_error__set(err, LOCHAN_ERR_INTERNAL, "table %s has no operation %d", table->name,
                             (int)op);
}

static const char *column_type(const lochan_row_table *table, const lochan_row_column *column) {
    bool ducklake = table->number < 100;
    switch (column->type) {
    case LOCHAN_VALUE_INT:
        return ducklake ? "BIGINT" : "INTEGER";
    case LOCHAN_VALUE_REAL:
        return "REAL";
    case LOCHAN_VALUE_BLOB:
        return "BLOB";
    default:
        return ducklake ? "VARCHAR" : "TEXT";
    }
}

/* DuckLake's tables exactly as its own client makes them; ours have their key as primary key. */
lochan_status lochan_row__ddl(const lochan_row_table *table, lochan_buf *out, lochan_error *err) {
    LOCHAN_TRY(lochan_buf__printf(out, err, "CREATE TABLE %s(", table->name));
    for (size_t i = 0; i < table->n_columns; i++) {
        const lochan_row_column *c = &table->columns[i];
        LOCHAN_TRY(
            lochan_buf__printf(out, err, "%s\"%s\" %s%s%s", i ? ", " : "", c->name,
                               column_type(table, c), c->primary ? " PRIMARY KEY" : "",
                               c->required || (c->key && table->number > 100) ? " NOT NULL" : ""));
    }
    if (table->number > 100) {
        LOCHAN_TRY(lochan_buf__puts(out, ", PRIMARY KEY(", err));
        bool first = true;
        for (size_t i = 0; i < table->n_columns; i++) {
            if (!table->columns[i].key)
                continue;
            LOCHAN_TRY(lochan_buf__printf(out, err, "%s\"%s\"", first ? "" : ", ",
                                          table->columns[i].name));
            first = false;
        }
        LOCHAN_TRY(lochan_buf__puts(out, ")", err));
    }
    return lochan_buf__puts(out, ")", err);
}

/* ---- bytes of values ---- */

lochan_status lochan_value__encode(const lochan_value *value, lochan_buf *out, lochan_error *err) {
    LOCHAN_TRY(lochan_buf__putc(out, (char)value->type, err));
    uint64_t bits;
    switch (value->type) {
    case LOCHAN_VALUE_NULL:
        return LOCHAN_OK;
    case LOCHAN_VALUE_INT: /* zigzag */
        return lochan_buf__varint(out, ((uint64_t)value->i << 1) ^ (value->i < 0 ? ~0ull : 0), err);
    case LOCHAN_VALUE_REAL:
        memcpy(&bits, &value->f, sizeof bits);
        return lochan_buf__u64le(out, bits, err);
    default:
        LOCHAN_TRY(lochan_buf__varint(out, value->s.n, err));
        return lochan_buf__append(out, value->s.p, value->s.n, err);
    }
}

bool lochan_value__decode(lochan_cursor *in, lochan_value *out) {
    const uint8_t *p;
    uint64_t bits;
    if (!lochan_cursor__bytes(in, 1, &p))
        return false;
    *out = lochan_value__null();
    out->type = *p;
    switch (*p) {
    case LOCHAN_VALUE_NULL:
        return true;
    case LOCHAN_VALUE_INT:
        if (!lochan_cursor__varint(in, &bits))
            return false;
        out->i = (int64_t)((bits >> 1) ^ (~(bits & 1) + 1));
        return true;
    case LOCHAN_VALUE_REAL:
        if (!lochan_cursor__u64le(in, &bits))
            return false;
        memcpy(&out->f, &bits, sizeof bits);
        return true;
    case LOCHAN_VALUE_TEXT:
    case LOCHAN_VALUE_BLOB:
        if (!lochan_cursor__varint(in, &bits) || bits > lochan_cursor__left(in) ||
            !lochan_cursor__bytes(in, (size_t)bits, &p))
            return false;
        out->s = (lochan_str){(const char *)p, (size_t)bits};
        return true;
    default:
        return false;
    }
}
