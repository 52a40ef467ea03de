/* projection.c - see projection.h.
 * Invariant: a column is moved, cast or made of nulls; nothing else ever happens to values here.
 * May call: base/, arrow/.
 */
#include "table/projection.h"

#include "arrow/builder.h"
#include "base/civil.h"
#include "base/mem.h"
#include "base/str.h"
#include <string.h>

bool lochan_field__same_type(const struct ArrowSchema *a, const struct ArrowSchema *b) {
    if (strcmp(a->format, b->format) != 0 || a->n_children != b->n_children ||
        !a->dictionary != !b->dictionary)
        return false;
    for (int64_t i = 0; i < a->n_children; i++) {
        const struct ArrowSchema *x = a->children[i], *y = b->children[i];
        bool named = a->format[0] == '+' && a->format[1] == 's';
        if ((named && strcmp(x->name, y->name) != 0) || !lochan_field__same_type(x, y))
            return false;
    }
    return !a->dictionary || lochan_field__same_type(a->dictionary, b->dictionary);
}

static int find_field_id(const struct ArrowSchema *schema, int32_t id) {
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (lochan_schema__field_id(schema->children[i]) == id)
            return (int)i;
    }
    return -1;
}

static bool has_field_ids(const struct ArrowSchema *schema) {
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (lochan_schema__field_id(schema->children[i]) >= 0)
            return true;
    }
    return false;
}

static lochan_status keep_constants(lochan_projection *p, const char *const *constants, size_t n,
                                    lochan_error *err) {
    p->constant = lochan_mem__array(n ? n : 1, sizeof *p->constant);
    if (!p->constant)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < n; i++)
        p->constant[i] = NULL;
    p->n = n;
    for (size_t i = 0; i < n; i++) {
        p->constant[i] = constants[i] ? lochan_mem__strdup(constants[i]) : NULL;
        if (constants[i] && !p->constant[i])
            return lochan_error__nomem(err);
    }
    return LOCHAN_OK;
}

lochan_status lochan_projection__init(lochan_projection *p, const struct ArrowSchema *from,
                                      const struct ArrowSchema *to, lochan_projection_by by,
                                      lochan_error *err) {
    return lochan_projection__init_with(p, from, to, by, NULL, err);
}

lochan_status lochan_projection__init_with(lochan_projection *p, const struct ArrowSchema *from,
                                           const struct ArrowSchema *to, lochan_projection_by by,
                                           const char *const *constants, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    size_t n = (size_t)to->n_children;
    memset(p, 0, sizeof *p);
    bool ids = by == LOCHAN_BY_FIELD_ID && has_field_ids(from);
    p->identity = from->n_children == to->n_children;
    bool only_moves = true;
    p->source = lochan_mem__array(n ? n : 1, sizeof *p->source);
    p->cast = lochan_mem__array(n ? n : 1, sizeof *p->cast);
    if (!p->source || !p->cast) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    if (constants)
        LOCHAN_TRYG(keep_constants(p, constants, n, err));
    for (size_t i = 0; i < n; i++) {
        const struct ArrowSchema *field = to->children[i];
        int s = ids ? find_field_id(from, lochan_schema__field_id(field))
                    : lochan_schema__find(from, field->name);
        p->source[i] = s;
        bool is_constant = constants && constants[i];
        if (s < 0 && !is_constant && !(field->flags & ARROW_FLAG_NULLABLE)) {
            rc = lochan_error__set(err, LOCHAN_ERR_SCHEMA,
                                   "column '%s' is missing and must not be null", field->name);
            rc = lochan_error__in_table(err, rc, NULL, field->name, -1);
            goto done;
        }
        p->cast[i] = s >= 0 && !lochan_field__same_type(from->children[s], field);
        p->identity = p->identity && s == (int)i && !p->cast[i];
        only_moves = only_moves && s >= 0 && !p->cast[i];
    }
    p->n = n;
    if (!only_moves) {
        LOCHAN_TRYG(lochan_schema__dup(from, &p->from, err));
        LOCHAN_TRYG(lochan_schema__dup(to, &p->to, err));
    }
done:
    if (rc != LOCHAN_OK)
        lochan_projection__deinit(p);
    return rc;
}

void lochan_projection__deinit(lochan_projection *p) {
    lochan_schema__release(&p->from);
    lochan_schema__release(&p->to);
    for (size_t i = 0; p->constant && i < p->n; i++)
        lochan_mem__free(p->constant[i]);
    lochan_mem__free(p->constant);
    lochan_mem__free(p->source);
    lochan_mem__free(p->cast);
    memset(p, 0, sizeof *p);
}

lochan_status lochan_nulls__make(const struct ArrowSchema *field, int64_t n, struct ArrowArray *out,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_builder *b = NULL;
    memset(out, 0, sizeof *out);
    LOCHAN_TRYG(lochan_builder__create(field, &b, err));
    LOCHAN_TRYG(lochan_builder__reserve(b, n, err));
    for (int64_t i = 0; i < n; i++)
        LOCHAN_TRYG(lochan_builder__null(b, err));
    LOCHAN_TRYG(lochan_builder__finish(b, out, err));
done:
    lochan_builder__free(b);
    return rc;
}

/* One value; *known = false if the text stands for none. */
static lochan_status add_value(lochan_builder *b, const lochan_type *type, const char *text,
                               bool *known, lochan_error *err) {
    size_t n = strlen(text);
    int64_t i = 0;
    int32_t day;
    double f;
    *known = true;
    if (type->id == LOCHAN_TYPE_STRING)
        return lochan_builder__bytes_value(b, text, n, err);
    if (type->id == LOCHAN_TYPE_DATE32) {
        *known = lochan_civil__parse_date(text, n, &day);
        i = day;
    } else if (type->id == LOCHAN_TYPE_BOOL) {
        i = strcmp(text, "true") == 0;
        *known = i || strcmp(text, "false") == 0;
    } else if (lochan_type__is_float(type->id)) {
        *known = lochan_parse__double(text, n, true, &f);
        return *known ? lochan_builder__double(b, f, err) : LOCHAN_OK;
    } else {
        *known = lochan_parse__int64(text, n, &i);
    }
    return *known ? lochan_builder__int64(b, i, err) : LOCHAN_OK;
}

lochan_status lochan_constant__make(const struct ArrowSchema *field, const char *text, int64_t n,
                                    struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_builder *b = NULL;
    lochan_type type;
    bool known = true;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_type__parse(field->format, &type, err));
    if (type.id != LOCHAN_TYPE_STRING && type.id != LOCHAN_TYPE_DATE32 &&
        type.id != LOCHAN_TYPE_BOOL && !lochan_type__is_float(type.id) &&
        !lochan_type__is_integer(type.id))
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "column '%s' cannot be read from the name of a folder",
                                 field->name);
    LOCHAN_TRYG(lochan_builder__create(field, &b, err));
    LOCHAN_TRYG(lochan_builder__reserve(b, n, err));
    for (int64_t i = 0; i < n && known; i++)
        LOCHAN_TRYG(add_value(b, &type, text, &known, err));
    if (!known) {
        rc = lochan_error__set(err, LOCHAN_ERR_VALUE, "'%.100s' is no value of column '%s'", text,
                               field->name);
        goto done;
    }
    LOCHAN_TRYG(lochan_builder__finish(b, out, err));
done:
    lochan_builder__free(b);
    return rc;
}

static lochan_status make_column(const lochan_projection *p, size_t i, lochan_shared *in,
                                 int64_t rows, struct ArrowArray *out, lochan_error *err) {
    struct ArrowArray raw = {0};
    if (p->source[i] >= 0 && !p->cast[i])
        return lochan_shared__child(in, p->source[i], out, err);
    const struct ArrowSchema *field = p->to.children[i];
    if (p->source[i] < 0 && p->constant && p->constant[i])
        return lochan_constant__make(field, p->constant[i], rows, out, err);
    if (p->source[i] < 0)
        return lochan_nulls__make(field, rows, out, err);
    LOCHAN_TRY(lochan_shared__child(in, p->source[i], &raw, err));
    lochan_status rc = lochan_cast(p->from.children[p->source[i]], &raw, field, out, err);
    lochan_array__release(&raw);
    return lochan_error__in_table(err, rc, NULL, field->name, -1);
}

lochan_status lochan_projection__apply(const lochan_projection *p, struct ArrowArray *in,
                                       struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    memset(out, 0, sizeof *out);
    if (p->identity && in->offset == 0) {
        lochan_array__move(in, out);
        return LOCHAN_OK;
    }
    int64_t rows = in->length;
    lochan_shared *shared = lochan_shared__give(in);
    if (!shared)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_array__init(out, 1, (int64_t)p->n, err));
    for (size_t i = 0; i < p->n; i++)
        LOCHAN_TRYG(make_column(p, i, shared, rows, out->children[i], err));
    out->length = rows;
done:
    lochan_shared__unref(shared);
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    return rc;
}

static void release_lent(struct ArrowArray *array) {
    array->release = NULL;
}

struct ArrowArray lochan_array__lend(const struct ArrowArray *in) {
    struct ArrowArray out = *in;
    out.release = release_lent;
    out.private_data = NULL;
    return out;
}
