/* cast.c - columns to another type, lossless or refused.
 * Invariant: a refused value is named with its row; null rows are never looked at. May call: base/,
 * builder.h, cast.h.
 */
#include "arrow/cast.h"
#include "arrow/builder.h"
#include "arrow/spans.h"

#include <inttypes.h>

lochan_status lochan_cast__no_way(const struct ArrowSchema *from_schema,
                                  const struct ArrowSchema *to_schema, lochan_error *err) {
    lochan_type a, b;
    char from[80] = "?", to[80] = "?";
    if (lochan_type__parse(from_schema->format, &a, NULL) == LOCHAN_OK)
        lochan_type__name(&a, from);
    if (lochan_type__parse(to_schema->format, &b, NULL) == LOCHAN_OK)
        lochan_type__name(&b, to);
    return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "%s%s cannot be cast to %s%s",
                             from_schema->dictionary ? "a dictionary of " : "", from,
                             to_schema->dictionary ? "a dictionary of " : "", to);
}

/* VALUE with the row and the value as people write it. */
static lochan_status refuse(const struct ArrowSchema *schema, const struct ArrowArray *array,
                            int64_t row, const lochan_type *to, lochan_error *err) {
    char type[80];
    lochan_buf text;
    lochan_view view;
    lochan_type__name(to, type);
    lochan_buf__init(&text, 1 << 20);
    if (lochan_view__init(&view, schema, array, NULL) == LOCHAN_OK) {
        if (lochan_view__print(&view, row, &text, NULL) != LOCHAN_OK)
            lochan_buf__clear(&text);
        lochan_view__deinit(&view);
    }
    int shown = text.len > 80 ? 80 : (int)text.len;
    while (shown > 0 && (size_t)shown < text.len &&
           (text.data[shown] & 0xc0) == 0x80) /* no half character */
        shown--;
    lochan_status rc = lochan_error__set(
        err, LOCHAN_ERR_VALUE, "row %" PRId64 ": '%.*s'%s does not fit %s", row, shown,
        text.data ? (const char *)text.data : "", (size_t)shown < text.len ? "..." : "", type);
    lochan_buf__deinit(&text);
    return lochan_error__in_table(err, rc, NULL, schema->name, row);
}

static lochan_status copy_validity(const lochan_cells *c, int64_t n, struct ArrowArray *out,
                                   lochan_error *err) {
    if (c->validity && n > 0) {
        LOCHAN_TRY(lochan_array__make_bits(out, 0, n, err));
        lochan_bitmap__copy((uint8_t *)(uintptr_t)out->buffers[0], 0, c->validity, c->at, n);
    }
    lochan_array__settle_nulls(out);
    return LOCHAN_OK;
}

/* Conversions that cannot fail, in one loop. */
#define WIDEN(A, B)                                                                                \
    do {                                                                                           \
        const A *from = (const A *)c->data + c->at;                                                \
        B *values = to;                                                                            \
        for (int64_t i = 0; i < n; i++)                                                            \
            values[i] = (B)from[i];                                                                \
    } while (0)

static bool widen(const lochan_cast_plan *p, const lochan_cells *c, int64_t n, void *to) {
    lochan_type_id a = p->from.id, b = p->to.id;
    if (a == LOCHAN_TYPE_INT32 && b == LOCHAN_TYPE_INT64)
        WIDEN(int32_t, int64_t);
    else if (a == LOCHAN_TYPE_INT32 && b == LOCHAN_TYPE_FLOAT64)
        WIDEN(int32_t, double);
    else if (a == LOCHAN_TYPE_INT16 && b == LOCHAN_TYPE_INT32)
        WIDEN(int16_t, int32_t);
    else if (a == LOCHAN_TYPE_FLOAT32 && b == LOCHAN_TYPE_FLOAT64)
        WIDEN(float, double);
    else
        return false;
    return true;
}

static lochan_status cast_fixed(const struct ArrowSchema *schema, const struct ArrowArray *from,
                                lochan_cast_plan *p, lochan_cast_fn convert, struct ArrowArray *out,
                                lochan_error *err) {
    int64_t n = from->length;
    bool is_bool = p->to.id == LOCHAN_TYPE_BOOL;
    size_t width = (size_t)lochan_type__byte_width(&p->to);
    const lochan_cells *c = &p->column;
    LOCHAN_TRY(lochan_array__init(out, 2, 0, err));
    out->length = n;
    LOCHAN_TRY(copy_validity(c, n, out, err));
    if (is_bool)
        LOCHAN_TRY(lochan_array__make_bits(out, 1, n, err));
    else
        LOCHAN_TRY(lochan_array__make_values(out, 1, n, width, err));
    uint8_t *to = (uint8_t *)(uintptr_t)out->buffers[1];
    if (n == 0 || widen(p, c, n, to))
        return LOCHAN_OK;
    if (!is_bool)
        memset(to, 0, (size_t)n * width);
    for (int64_t i = 0; i < n; i++) {
        int64_t slot = lochan_cells__slot(c, i);
        uint8_t bit = 0;
        if (slot < 0)
            continue;
        if (!convert(p, slot, is_bool ? &bit : to + (size_t)i * width))
            return refuse(schema, from, i, &p->to, err);
        if (bit)
            lochan_bit__set(to, i);
    }
    return LOCHAN_OK;
}

static bool is_text(lochan_type_id id) {
    return id == LOCHAN_TYPE_STRING || id == LOCHAN_TYPE_LARGE_STRING ||
           id == LOCHAN_TYPE_STRING_VIEW;
}

/* Bytes as they are, into the usual layout: counted first, then copied. *fits = false: they are too
 * many for it. */
static lochan_status gather_bytes(const lochan_cells *c, int64_t n, bool *fits,
                                  struct ArrowArray *out, lochan_error *err) {
    size_t total = 0;
    for (int64_t i = 0; i < n && total <= INT32_MAX; i++) {
        int64_t slot = lochan_cells__slot(c, i);
        total += slot < 0 ? 0 : lochan_cells__bytes(c, slot).n;
    }
    *fits = total <= INT32_MAX;
    if (!*fits)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_array__init(out, 3, 0, err));
    out->length = n;
    LOCHAN_TRY(lochan_array__make_values(out, 1, n + 1, sizeof(int32_t), err));
    LOCHAN_TRY(lochan_array__make_values(out, 2, (int64_t)total, 1, err));
    int32_t *offsets = (int32_t *)(uintptr_t)out->buffers[1], at = 0;
    char *data = (char *)(uintptr_t)out->buffers[2];
    for (int64_t i = 0; i < n; i++) {
        int64_t slot = lochan_cells__slot(c, i);
        lochan_str s = slot < 0 ? (lochan_str){NULL, 0} : lochan_cells__bytes(c, slot);
        offsets[i] = at;
        if (s.n > 0)
            memcpy(data + at, s.p, s.n);
        at += (int32_t)s.n;
    }
    offsets[n] = at;
    return copy_validity(c, n, out, err);
}

/* Text and binary targets of any layout: bytes as they are, all else as people write it. */
static lochan_status cast_to_bytes(const struct ArrowSchema *schema, const struct ArrowArray *from,
                                   const lochan_cast_plan *p, const struct ArrowSchema *to_schema,
                                   struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_builder *b = NULL;
    lochan_view view = {0};
    lochan_buf text;
    lochan_buf__init(&text, (size_t)1 << 31);
    bool raw = lochan_type__is_bytes(p->from.id) || p->from.id == LOCHAN_TYPE_FIXED_BINARY;
    bool check = is_text(p->to.id) && !is_text(p->from.id), fits = false;
    if (raw && !check && (p->to.id == LOCHAN_TYPE_STRING || p->to.id == LOCHAN_TYPE_BINARY))
        LOCHAN_TRYG(gather_bytes(&p->column, from->length, &fits, out, err));
    if (fits)
        goto done;
    LOCHAN_TRYG(lochan_view__init(&view, schema, from, err));
    LOCHAN_TRYG(lochan_builder__create(to_schema, &b, err));
    LOCHAN_TRYG(lochan_builder__reserve(b, from->length, err));
    for (int64_t i = 0; i < from->length; i++) {
        int64_t slot = lochan_cells__slot(&p->column, i);
        if (slot < 0) {
            LOCHAN_TRYG(lochan_builder__null(b, err));
            continue;
        }
        lochan_str s;
        if (raw) {
            s = lochan_cells__bytes(&p->column, slot);
        } else {
            lochan_buf__clear(&text);
            LOCHAN_TRYG(lochan_view__print(&view, i, &text, err));
            s = (lochan_str){(const char *)text.data, text.len};
        }
        if (check && !lochan_utf8__valid(s.p, s.n)) {
            rc = refuse(schema, from, i, &p->to, err);
            goto done;
        }
        LOCHAN_TRYG(lochan_builder__str(b, s, err));
    }
    LOCHAN_TRYG(lochan_builder__finish(b, out, err));
done:
    lochan_view__deinit(&view);
    lochan_builder__free(b);
    lochan_buf__deinit(&text);
    return rc;
}

static lochan_status cast_flat(const struct ArrowSchema *from_schema, const struct ArrowArray *from,
                               const struct ArrowSchema *to_schema, lochan_cast_plan *p,
                               struct ArrowArray *out, lochan_error *err) {
    LOCHAN_TRY(lochan_cells__init(&p->column, from_schema, from, 0, err));
    if (lochan_type__is_bytes(p->to.id)) {
        bool bytes = lochan_type__is_bytes(p->from.id) || p->from.id == LOCHAN_TYPE_FIXED_BINARY;
        if (!bytes && !is_text(p->to.id))
            return lochan_cast__no_way(from_schema, to_schema, err);
        return cast_to_bytes(from_schema, from, p, to_schema, out, err);
    }
    lochan_cast_fn convert = lochan_cast__find(p);
    if (!convert)
        return lochan_cast__no_way(from_schema, to_schema, err);
    return cast_fixed(from_schema, from, p, convert, out, err);
}

/* Anything to the null type: only if there is nothing but nulls. */
static lochan_status cast_to_null(const struct ArrowSchema *from_schema,
                                  const struct ArrowArray *from,
                                  const struct ArrowSchema *to_schema, const lochan_type *to,
                                  struct ArrowArray *out, lochan_error *err) {
    lochan_cells c;
    LOCHAN_TRY(lochan_cells__init(&c, from_schema, from, 0, err));
    for (int64_t i = 0; i < from->length; i++) {
        if (lochan_cells__slot(&c, i) >= 0)
            return refuse(from_schema, from, i, to, err);
    }
    lochan_span nulls = {NULL, 0, from->length};
    return lochan_spans__copy(to_schema, &nulls, 1, out, err);
}

static bool same_flat(const struct ArrowSchema *a, const struct ArrowSchema *b,
                      const lochan_cast_plan *p) {
    if (!a->dictionary != !b->dictionary || !lochan_type__equal(&p->from, &p->to))
        return false;
    if (!a->dictionary)
        return !lochan_type__is_nested(p->from.id);
    lochan_type x, y;
    return lochan_type__parse(a->dictionary->format, &x, NULL) == LOCHAN_OK &&
           lochan_type__parse(b->dictionary->format, &y, NULL) == LOCHAN_OK &&
           lochan_type__equal(&x, &y) && !lochan_type__is_nested(x.id);
}

lochan_status lochan_cast(const struct ArrowSchema *from_schema, const struct ArrowArray *from,
                          const struct ArrowSchema *to_schema, struct ArrowArray *out,
                          lochan_error *err) {
    lochan_cast_plan p = {0};
    memset(out, 0, sizeof(*out));
    LOCHAN_TRY(lochan_type__parse(from_schema->format, &p.from, err));
    LOCHAN_TRY(lochan_type__parse(to_schema->format, &p.to, err));
    lochan_span all = {from, 0, from->length};
    lochan_status rc;
    if (same_flat(from_schema, to_schema, &p)) {
        rc = lochan_spans__copy(to_schema, &all, 1, out, err);
    } else if (p.from.id == LOCHAN_TYPE_NULL && !from_schema->dictionary) {
        all.array = NULL;
        rc = lochan_spans__copy(to_schema, &all, 1, out, err);
    } else if (p.to.id == LOCHAN_TYPE_NULL && !to_schema->dictionary) {
        rc = cast_to_null(from_schema, from, to_schema, &p.to, out, err);
    } else if (from_schema->dictionary || to_schema->dictionary ||
               lochan_type__is_nested(p.from.id) || lochan_type__is_nested(p.to.id)) {
        rc = lochan_cast__nested(from_schema, from, to_schema, out, err);
    } else {
        rc = cast_flat(from_schema, from, to_schema, &p, out, err);
    }
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    return rc == LOCHAN_OK ? rc : lochan_error__in_table(err, rc, NULL, from_schema->name, -1);
}
