/* check.c - the gate for Arrow data from outside.
 * Invariant: nothing is read through a pointer or an offset that was not checked before. Of a
 * nested column only the rows that the rows above refer to are looked at: a slice of a large array
 * costs what the slice costs. May call: base/, schema.h, view.h.
 */
#include "arrow/array.h"
#include "arrow/check_values.h"
#include "base/mem.h"

#define MAX_DEPTH 64

/* "a.b.c", without the unnamed root; its end is lost if it is too long. */
static void path_of(const lochan_column *c, char dst[128]) {
    char rest[128];
    dst[0] = '\0';
    for (; c; c = c->up) {
        memcpy(rest, dst, sizeof rest);
        if (!c->name[0] && !c->up)
            return;
        if (!lochan_format(dst, 128, rest[0] ? "%.60s.%s" : "%.120s%s", c->name, rest))
            return;
    }
}

lochan_status lochan_column__fail(const lochan_column *c, int64_t at, const char *fmt, ...) {
    char path[128];
    lochan_error what;
    int64_t row = at < 0 ? -1 : at - c->shift;
    va_list args;
    va_start(args, fmt);
    lochan_error__vset(&what, LOCHAN_ERR_DATA, fmt, args);
    va_end(args);
    path_of(c, path);
    if (at < 0)
        lochan_error__set(c->err, LOCHAN_ERR_DATA, "column '%s': %s", path, what.message);
    else
        lochan_error__set(c->err, LOCHAN_ERR_DATA, "column '%s', %s %lld: %s", path,
                          c->is_table_row ? "row" : "item", (long long)row, what.message);
    return lochan_error__in_table(c->err, LOCHAN_ERR_DATA, NULL, path, c->is_table_row ? row : -1);
}

/* Number of buffers; view types have any number from here on. */
static int64_t buffers_wanted(lochan_type_id id) {
    if (id == LOCHAN_TYPE_NULL)
        return 0;
    if (id == LOCHAN_TYPE_STRUCT || id == LOCHAN_TYPE_FIXED_LIST)
        return 1;
    return lochan_type__is_bytes(id) ? 3 : 2;
}

static lochan_status check_counts(const lochan_column *c) {
    const struct ArrowArray *a = c->array;
    int64_t total;
    int64_t wanted = buffers_wanted(c->type.id);
    bool is_view = c->type.id == LOCHAN_TYPE_STRING_VIEW || c->type.id == LOCHAN_TYPE_BINARY_VIEW;
    if (!a->release)
        return lochan_column__fail(c, -1, "the array was released or moved out");
    if (a->length < 0 || a->offset < 0 || __builtin_add_overflow(a->length, a->offset, &total) ||
        total > INT64_MAX / 64)
        return lochan_column__fail(c, -1, "impossible length %lld or offset %lld",
                                   (long long)a->length, (long long)a->offset);
    if (a->null_count < -1 || a->null_count > a->length)
        return lochan_column__fail(c, -1, "null count %lld of %lld rows", (long long)a->null_count,
                                   (long long)a->length);
    /* Polars gives the null type a validity buffer, as older versions of Arrow had it. */
    bool is_old_null = c->type.id == LOCHAN_TYPE_NULL && a->n_buffers == 1;
    if (is_view ? a->n_buffers < wanted : a->n_buffers != wanted && !is_old_null)
        return lochan_column__fail(c, -1, "%lld buffers, expected %lld", (long long)a->n_buffers,
                                   (long long)wanted);
    if (a->n_buffers > 0 && !a->buffers)
        return lochan_column__fail(c, -1, "the buffers are missing");
    if (a->n_children != c->schema->n_children || (a->n_children > 0 && !a->children))
        return lochan_column__fail(c, -1, "%lld children, expected %lld", (long long)a->n_children,
                                   (long long)c->schema->n_children);
    for (int64_t i = 0; i < a->n_children; i++)
        if (!a->children[i])
            return lochan_column__fail(c, -1, "child %lld is missing", (long long)i);
    if (!a->dictionary != !c->schema->dictionary)
        return lochan_column__fail(
            c, -1, a->dictionary ? "an unexpected dictionary" : "the dictionary is missing");
    return LOCHAN_OK;
}

/* Rows of the window must exist in the array. */
static lochan_status check_window(const lochan_column *c) {
    if (c->end > c->array->length)
        return lochan_column__fail(c, -1, "%lld rows, but the column around it refers to %lld",
                                   (long long)c->array->length, (long long)c->end);
    return LOCHAN_OK;
}

static int64_t first_null(const lochan_column *c) {
    int64_t i = c->begin;
    while (i < c->end && lochan_column__is_valid(c, i))
        i++;
    return i;
}

static lochan_status check_validity(lochan_column *c) {
    const struct ArrowArray *a = c->array;
    c->nulls = 0;
    if (c->type.id == LOCHAN_TYPE_NULL) {
        c->nulls = c->end - c->begin;
    } else if (!a->buffers[0]) {
        if (a->null_count > 0)
            return lochan_column__fail(c, -1, "null count %lld without a validity bitmap",
                                       (long long)a->null_count);
        return LOCHAN_OK;
    } else {
        c->validity = a->buffers[0];
        int64_t nulls = a->length - lochan_bit__count(c->validity, a->offset, a->length);
        if (a->null_count >= 0 && nulls != a->null_count)
            return lochan_column__fail(c, -1, "null count %lld, but the bitmap has %lld",
                                       (long long)a->null_count, (long long)nulls);
        int64_t window = c->end - c->begin;
        c->nulls = window - lochan_bit__count(c->validity, a->offset + c->begin, window);
    }
    if (c->nulls > 0 && c->never_null)
        return lochan_column__fail(c, first_null(c), "null in a column that is not nullable");
    return LOCHAN_OK;
}

static lochan_status check_at(lochan_column *c);

/* Whether nulls in a child contradict its schema: not if a null above hides them. */
static bool never_null(const lochan_column *c, int64_t i) {
    bool required = !(c->schema->children[i]->flags & ARROW_FLAG_NULLABLE);
    if (c->type.id == LOCHAN_TYPE_MAP || (c->up && c->up->type.id == LOCHAN_TYPE_MAP && i == 0))
        required = true; /* entries and keys */
    return required && !c->hidden && c->nulls == 0;
}

static lochan_status check_child(const lochan_column *c, int64_t i, int64_t begin, int64_t end) {
    const struct ArrowSchema *schema = c->schema->children[i];
    bool is_struct = c->type.id == LOCHAN_TYPE_STRUCT;
    lochan_column child = {.up = c,
                           .name = schema->name ? schema->name : "",
                           .schema = schema,
                           .array = c->array->children[i],
                           .begin = begin,
                           .end = end,
                           .depth = c->depth + 1,
                           .never_null = never_null(c, i),
                           .hidden = c->hidden || c->nulls > 0,
                           .is_table_row = c->is_table_row && is_struct,
                           .shift = is_struct ? c->shift + c->array->offset : 0,
                           .err = c->err};
    return check_at(&child);
}

static lochan_status check_list(const lochan_column *c) {
    int64_t begin = 0;
    int64_t end = 0;
    if (c->begin < c->end)
        LOCHAN_TRY(lochan_column__check_offsets(c, &begin, &end));
    return check_child(c, 0, begin, end);
}

static lochan_status check_fixed_list(const lochan_column *c) {
    int64_t first;
    int64_t last;
    int64_t items = c->type.byte_width;
    if (__builtin_mul_overflow(c->array->offset + c->begin, items, &first) ||
        __builtin_mul_overflow(c->array->offset + c->end, items, &last))
        return lochan_column__fail(c, -1, "impossible length %lld", (long long)c->array->length);
    return check_child(c, 0, first, last);
}

static lochan_status check_dictionary(const lochan_column *c) {
    const struct ArrowArray *values = c->array->dictionary;
    lochan_column child = {.up = c,
                           .name = "(dictionary)",
                           .schema = c->schema->dictionary,
                           .array = values,
                           .begin = 0,
                           .end = values->length > 0 ? values->length : 0,
                           .depth = c->depth + 1,
                           .hidden = true,
                           .err = c->err};
    LOCHAN_TRY(check_at(&child));
    return lochan_column__check_keys(c, values->length);
}

static lochan_status check_values(const lochan_column *c) {
    switch (c->type.id) {
    case LOCHAN_TYPE_NULL:
        return LOCHAN_OK;
    case LOCHAN_TYPE_STRUCT:
        for (int64_t i = 0; i < c->schema->n_children; i++)
            LOCHAN_TRY(check_child(c, i, c->array->offset + c->begin, c->array->offset + c->end));
        return LOCHAN_OK;
    case LOCHAN_TYPE_LIST:
    case LOCHAN_TYPE_LARGE_LIST:
    case LOCHAN_TYPE_MAP:
        return check_list(c);
    case LOCHAN_TYPE_FIXED_LIST:
        return check_fixed_list(c);
    default:
        break;
    }
    LOCHAN_TRY(lochan_type__is_bytes(c->type.id) ? lochan_column__check_text(c)
                                                 : lochan_column__check_fixed(c));
    return c->schema->dictionary ? check_dictionary(c) : LOCHAN_OK;
}

static lochan_status check_at(lochan_column *c) {
    if (c->depth > MAX_DEPTH)
        return lochan_column__fail(c, -1, "nested deeper than %d levels", MAX_DEPTH);
    LOCHAN_TRY(lochan_type__parse(c->schema->format, &c->type, c->err));
    LOCHAN_TRY(check_counts(c));
    LOCHAN_TRY(check_window(c));
    LOCHAN_TRY(check_validity(c));
    return check_values(c);
}

lochan_status lochan_array__check(const struct ArrowSchema *schema, const struct ArrowArray *array,
                                  lochan_error *err) {
    LOCHAN_TRY(lochan_schema__check(schema, err));
    if (!array)
        return lochan_error__set(err, LOCHAN_ERR_DATA, "array: missing");
    lochan_column root = {.name = schema->name ? schema->name : "",
                          .schema = schema,
                          .array = array,
                          .end = array->length > 0 ? array->length : 0,
                          .is_table_row = true,
                          .err = err};
    return check_at(&root);
}
