/* shape.c - rows from outside as rows of the table: columns by name, casts without loss, run and
 * bucket added.
 * Invariants: a value is stored exactly or its append is refused; every refusal is SCHEMA and names
 * column and row. May call: base/, arrow/, table/.
 */
#include "run/own.h"

#include "arrow/builder.h"
#include "arrow/kernels.h"
#include "arrow/spans.h"
#include "arrow/view.h"
#include "base/mem.h"

#include <strings.h>

/* ---- columns ---- */

static lochan_status column_error(lochan_error *err, const char *column, const char *fmt, ...)
    LOCHAN_PRINTF(3, 4);
static lochan_status column_error(lochan_error *err, const char *column, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    lochan_status rc = lochan_error__vset(err, LOCHAN_ERR_SCHEMA, fmt, args);
    va_end(args);
    return lochan_error__in_table(err, rc, NULL, column, -1);
}

static lochan_status unknown_column(const lochan_run_descriptor *d, const char *name,
                                    lochan_error *err) {
    lochan_status rc = column_error(err, name, "there is no column '%.100s'", name);
    lochan_run_descriptor__hint_column(d, name, err);
    return rc;
}

static lochan_status check_names(const lochan_run_descriptor *d, const struct ArrowSchema *from,
                                 bool strict, lochan_error *err) {
    for (int64_t i = 0; i < from->n_children; i++) {
        const char *name = from->children[i]->name;
        if (!name || !*name)
            return column_error(err, NULL, "column %lld of the rows has no name", (long long)i);
        if (strcasecmp(name, LOCHAN_RUN_ID) == 0)
            return column_error(err, name, "column %s is written by lochan itself: leave it out",
                                name);
        for (int64_t j = 0; j < i; j++)
            if (strcasecmp(from->children[j]->name, name) == 0)
                return column_error(err, name, "the rows have column '%.100s' twice", name);
        if (lochan_run_descriptor__find(d, name) >= 0)
            continue;
        if (strict)
            return unknown_column(d, name, err);
        for (size_t j = 0; j < d->n; j++)
            if (strcasecmp(d->columns[j].name, name) == 0)
                return column_error(err, name, "column '%.100s' is called '%s' here", name,
                                    d->columns[j].name);
    }
    return LOCHAN_OK;
}

lochan_status lochan_run__check_columns(const lochan_run_descriptor *d,
                                        const struct ArrowSchema *from, bool required, bool strict,
                                        lochan_error *err) {
    LOCHAN_TRY(lochan_schema__check(from, err));
    if (!from->format || strcmp(from->format, "+s") != 0)
        return column_error(err, NULL, "rows come as a struct, not as %.40s", from->format);
    LOCHAN_TRY(check_names(d, from, strict, err));
    for (size_t i = 0; i < d->n; i++) {
        const lochan_run_column *c = &d->columns[i];
        bool needed = strcmp(c->name, LOCHAN_RUN_TICK) == 0 || (required && c->required);
        if (needed && strcmp(c->name, LOCHAN_RUN_BUCKET) != 0 &&
            lochan_schema__find(from, c->name) < 0)
            return column_error(err, c->name, "the rows have no column '%s'", c->name);
    }
    return LOCHAN_OK;
}

/* ---- pruning: what the table does not keep is left out of the incoming arrays ---- */

typedef struct pruning {
    lochan_arena arena;         /* shells: structs that show others' buffers and own nothing */
    struct ArrowArray made[64]; /* nulls made here */
    size_t n_made;
    const char *column;
} pruning;

static void pruning_deinit(pruning *p) {
    for (size_t i = 0; i < p->n_made; i++)
        lochan_array__release(&p->made[i]);
    lochan_arena__deinit(&p->arena);
}

static int64_t count_items(const struct ArrowSchema *schema, const struct ArrowArray *array) {
    if (array->length == 0)
        return 0;
    if (schema->format[1] == 'w')
        return array->children[0]->length > 0 ? array->length : 0;
    bool large = schema->format[1] == 'L';
    return lochan_array__offset_at(array, large, array->length) -
           lochan_array__offset_at(array, large, 0);
}

/* Nothing of this is kept: that must lose nothing but the field itself. */
static lochan_status check_void(const pruning *p, const struct ArrowSchema *schema,
                                const struct ArrowArray *array, lochan_error *err) {
    if (schema->format[0] != '+')
        return LOCHAN_OK;
    if (schema->format[1] != 's') {
        if (count_items(schema, array) == 0)
            return LOCHAN_OK;
        return column_error(err, p->column,
                            "column %.100s: lists with items of no known type cannot be kept yet",
                            p->column);
    }
    for (int64_t i = 0; i < schema->n_children; i++)
        LOCHAN_TRY(check_void(p, schema->children[i], array->children[i], err));
    return LOCHAN_OK;
}

static lochan_status prune(pruning *p, const struct ArrowSchema *from,
                           const struct ArrowArray *array, const struct ArrowSchema *to,
                           struct ArrowSchema *schema_out, struct ArrowArray *array_out,
                           lochan_error *err);

static lochan_status make_shells(pruning *p, int64_t n, struct ArrowSchema *schema,
                                 struct ArrowArray *array, lochan_error *err) {
    size_t count = (size_t)(n ? n : 1);
    struct ArrowSchema *schemas = lochan_arena__array(&p->arena, count, sizeof *schemas);
    struct ArrowArray *arrays = lochan_arena__array(&p->arena, count, sizeof *arrays);
    schema->children = lochan_arena__array(&p->arena, count, sizeof *schema->children);
    array->children = lochan_arena__array(&p->arena, count, sizeof *array->children);
    if (!schemas || !arrays || !schema->children || !array->children)
        return lochan_error__nomem(err);
    for (int64_t i = 0; i < n; i++) {
        schema->children[i] = &schemas[i];
        array->children[i] = &arrays[i];
    }
    schema->n_children = array->n_children = n;
    return LOCHAN_OK;
}

static lochan_status prune_struct(pruning *p, const struct ArrowSchema *from,
                                  const struct ArrowArray *array, const struct ArrowSchema *to,
                                  struct ArrowSchema *schema_out, struct ArrowArray *array_out,
                                  lochan_error *err) {
    int64_t at = 0;
    LOCHAN_TRY(make_shells(p, from->n_children, schema_out, array_out, err));
    for (int64_t i = 0; i < from->n_children; i++) {
        const struct ArrowSchema *child = from->children[i];
        int t = lochan_schema__find(to, child->name);
        if (t < 0 && !lochan_run_field__is_void(child))
            return column_error(err, p->column, "field '%.100s' of %.100s is not declared",
                                child->name, p->column);
        if (t < 0) {
            LOCHAN_TRY(check_void(p, child, array->children[i], err));
            continue;
        }
        LOCHAN_TRY(prune(p, child, array->children[i], to->children[t], schema_out->children[at],
                         array_out->children[at], err));
        at++;
    }
    schema_out->n_children = array_out->n_children = at;
    return LOCHAN_OK;
}

static lochan_status prune(pruning *p, const struct ArrowSchema *from,
                           const struct ArrowArray *array, const struct ArrowSchema *to,
                           struct ArrowSchema *schema_out, struct ArrowArray *array_out,
                           lochan_error *err) {
    *schema_out = *from;
    *array_out = *array;
    bool nested = !from->dictionary && from->format[0] == '+';
    if (from->format[0] == 'n' && !from->dictionary) {
        if (p->n_made == LOCHAN_COUNTOF(p->made))
            return column_error(err, p->column, "column %.100s has too many fields without a type",
                                p->column);
        struct ArrowArray *nulls = &p->made[p->n_made];
        struct ArrowArray all = {0};
        const lochan_span span = {NULL, 0, array->offset + array->length};
        LOCHAN_TRY(lochan_spans__copy(to, &span, 1, &all, err));
        *nulls = all;
        p->n_made++;
        *schema_out = *to;
        *array_out = *nulls;
        array_out->offset = array->offset;
        array_out->length = array->length;
        return LOCHAN_OK;
    }
    if (!nested || to->format[0] != '+')
        return LOCHAN_OK;
    if (from->format[1] == 's' && to->format[1] == 's')
        return prune_struct(p, from, array, to, schema_out, array_out, err);
    if (from->format[1] != 's' && to->format[1] == 'l' && from->n_children == 1) {
        LOCHAN_TRY(make_shells(p, 1, schema_out, array_out, err));
        return prune(p, from->children[0], array->children[0], to->children[0],
                     schema_out->children[0], array_out->children[0], err);
    }
    return LOCHAN_OK;
}

/* ---- one column ---- */

static lochan_status to_json(const struct ArrowSchema *from, const struct ArrowArray *array,
                             const struct ArrowSchema *to, struct ArrowArray *out,
                             lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_view view = {0};
    lochan_builder *b = NULL;
    lochan_buf text;
    lochan_buf__init(&text, (size_t)1 << 30);
    LOCHAN_TRYG(lochan_view__init(&view, from, array, err));
    LOCHAN_TRYG(lochan_builder__create(to, &b, err));
    for (int64_t i = 0; i < array->length; i++) {
        if (lochan_view__is_null(&view, i)) {
            LOCHAN_TRYG(lochan_builder__null(b, err));
            continue;
        }
        lochan_buf__clear(&text);
        LOCHAN_TRYG(lochan_view__json(&view, i, &text, err));
        LOCHAN_TRYG(lochan_builder__bytes_value(b, text.data, text.len, err));
    }
    LOCHAN_TRYG(lochan_builder__finish(b, out, err));
done:
    lochan_buf__deinit(&text);
    lochan_builder__free(b);
    lochan_view__deinit(&view);
    return rc;
}

/* The incoming column as the table keeps it. */
static lochan_status cast_column(const lochan_run_shape *s, lochan_shared *batch, int column,
                                 const struct ArrowSchema *to, struct ArrowArray *out,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const struct ArrowSchema *from = s->from->children[column];
    int c = lochan_run_descriptor__find(s->d, from->name);
    struct ArrowArray raw = {0}, slim_array;
    struct ArrowSchema slim;
    pruning p = {.column = from->name};
    lochan_arena__init(&p.arena, 0);
    LOCHAN_TRYG(lochan_shared__child(batch, column, &raw, err));
    if (c >= 0 && s->d->columns[c].json && from->format[0] == '+') {
        LOCHAN_TRYG(to_json(from, &raw, to, out, err));
    } else if (strcmp(from->format, to->format) == 0 && from->format[0] != '+' &&
               !from->dictionary && raw.offset == 0) {
        lochan_array__move(&raw, out);
    } else {
        LOCHAN_TRYG(prune(&p, from, &raw, to, &slim, &slim_array, err));
        LOCHAN_TRYG(lochan_cast(&slim, &slim_array, to, out, err));
    }
done:
    lochan_array__release(&raw);
    pruning_deinit(&p);
    return lochan_run__refuse(err, rc, s->d->name, from->name, -1);
}

static lochan_status first_null(const struct ArrowSchema *schema, const struct ArrowArray *array,
                                int64_t *row, lochan_error *err) {
    lochan_view view = {0};
    *row = -1;
    if (array->null_count == 0)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_view__init(&view, schema, array, err));
    for (int64_t i = 0; *row < 0 && i < array->length; i++)
        *row = lochan_view__is_null(&view, i) ? i : -1;
    lochan_view__deinit(&view);
    return LOCHAN_OK;
}

static lochan_status check_null(const lochan_run_shape *s, const char *name, bool always,
                                const struct ArrowSchema *schema, const struct ArrowArray *array,
                                lochan_error *err) {
    int64_t row;
    int c = lochan_run_descriptor__find(s->d, name);
    if (!always && (!s->check_required || c < 0 || s->d->columns[c].nullable))
        return LOCHAN_OK;
    LOCHAN_TRY(first_null(schema, array, &row, err));
    if (row < 0)
        return LOCHAN_OK;
    lochan_status rc =
        lochan_error__set(err, LOCHAN_ERR_SCHEMA, "row %lld: column '%s' must not be null",
                          (long long)(s->rows + row), name);
    return lochan_error__in_table(err, rc, s->d->name, name, s->rows + row);
}

/* ---- run and bucket ---- */

static lochan_status repeat_text(const char *text, int64_t n, struct ArrowArray *out,
                                 lochan_error *err) {
    size_t len = strlen(text), bytes;
    if (!lochan_size__mul(len, (size_t)n, &bytes) || bytes > INT32_MAX)
        return lochan_error__set(err, LOCHAN_ERR_MEMORY_LIMIT, "a batch of %lld rows is too large",
                                 (long long)n);
    LOCHAN_TRY(lochan_array__init(out, 3, 0, err));
    out->length = n;
    LOCHAN_TRY(lochan_array__make_values(out, 1, n + 1, sizeof(int32_t), err));
    LOCHAN_TRY(lochan_array__make_values(out, 2, (int64_t)bytes, 1, err));
    int32_t *offsets = (int32_t *)(uintptr_t)out->buffers[1];
    char *data = (char *)(uintptr_t)out->buffers[2];
    for (int64_t i = 0; i <= n; i++)
        offsets[i] = (int32_t)(i * (int64_t)len);
    memcpy(data, text, bytes < len ? bytes : len);
    for (size_t done = len; done < bytes; done *= 2) /* each time as much as there is */
        memcpy(data + done, data, bytes - done < done ? bytes - done : done);
    return LOCHAN_OK;
}

/* tick / size of every row. */
static lochan_status make_buckets(const lochan_run_shape *s, const struct ArrowArray *ticks,
                                  struct ArrowArray *out, lochan_error *err) {
    const int64_t *tick = (const int64_t *)ticks->buffers[1] + ticks->offset;
    int64_t n = ticks->length;
    LOCHAN_TRY(lochan_array__init(out, 2, 0, err));
    out->length = n;
    LOCHAN_TRY(lochan_array__make_values(out, 1, n, sizeof(int64_t), err));
    int64_t *to = (int64_t *)(uintptr_t)out->buffers[1];
    for (int64_t i = 0; i < n; i++) {
        if (tick[i] < 0) {
            lochan_status rc =
                lochan_error__set(err, LOCHAN_ERR_SCHEMA, "row %lld: tick %lld is negative",
                                  (long long)(s->rows + i), (long long)tick[i]);
            return lochan_error__in_table(err, rc, s->d->name, LOCHAN_RUN_TICK, s->rows + i);
        }
        to[i] = tick[i] / s->tick_bucket_size;
    }
    return LOCHAN_OK;
}

/* ---- batches ---- */

lochan_status lochan_run_shape__init(lochan_run_shape *s, lochan_error *err) {
    const struct ArrowSchema *to = s->to;
    s->source = lochan_mem__array((size_t)to->n_children + 1, sizeof *s->source);
    if (!s->source)
        return lochan_error__nomem(err);
    for (int64_t i = 0; i < to->n_children; i++)
        s->source[i] = lochan_schema__find(s->from, to->children[i]->name);
    return LOCHAN_OK;
}

void lochan_run_shape__deinit(lochan_run_shape *s) {
    lochan_mem__free(s->source);
    s->source = NULL;
}

/* Columns that the table does not have yet, since nothing of them can be kept. */
static lochan_status check_left_out(const lochan_run_shape *s, const struct ArrowArray *batch,
                                    lochan_error *err) {
    for (int64_t i = 0; i < s->from->n_children; i++) {
        const struct ArrowSchema *from = s->from->children[i];
        if (lochan_schema__find(s->to, from->name) >= 0)
            continue;
        pruning p = {.column = from->name};
        struct ArrowArray rows = *batch->children[i];
        rows.offset += batch->offset;
        rows.length = batch->length;
        if (batch->offset > 0 || batch->children[i]->length != batch->length)
            rows.null_count = rows.null_count == 0 ? 0 : -1;
        LOCHAN_TRY(check_null(s, from->name, false, from, &rows, err));
        LOCHAN_TRY(check_void(&p, from, &rows, err));
    }
    return LOCHAN_OK;
}

static lochan_status shape_column(const lochan_run_shape *s, lochan_shared *batch, int64_t rows,
                                  int64_t i, struct ArrowArray *out, lochan_error *err) {
    const struct ArrowSchema *to = s->to->children[i];
    if (strcmp(to->name, LOCHAN_RUN_ID) == 0)
        return repeat_text(s->run_id, rows, out, err);
    if (strcmp(to->name, LOCHAN_RUN_BUCKET) == 0)
        return LOCHAN_OK; /* comes after tick */
    if (s->source[i] >= 0)
        LOCHAN_TRY(cast_column(s, batch, s->source[i], to, out, err));
    else {
        const lochan_span nulls = {NULL, 0, rows};
        return lochan_spans__copy(to, &nulls, 1, out, err);
    }
    return check_null(s, to->name, strcmp(to->name, LOCHAN_RUN_TICK) == 0, to, out, err);
}

lochan_status lochan_run_shape__apply(lochan_run_shape *s, struct ArrowArray *batch,
                                      struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const struct ArrowSchema *to = s->to;
    int64_t rows = batch->length;
    int bucket = lochan_schema__find(to, LOCHAN_RUN_BUCKET),
        tick = lochan_schema__find(to, LOCHAN_RUN_TICK);
    memset(out, 0, sizeof *out);
    lochan_shared *shared = lochan_shared__give(batch);
    if (!shared)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_array__init(out, 1, to->n_children, err));
    out->length = rows;
    LOCHAN_TRYG(check_left_out(s, lochan_shared__get(shared), err));
    for (int64_t i = 0; i < to->n_children; i++)
        LOCHAN_TRYG(shape_column(s, shared, rows, i, out->children[i], err));
    LOCHAN_TRYG(make_buckets(s, out->children[tick], out->children[bucket], err));
    if (s->check_rows)
        LOCHAN_TRYG(lochan_run__check_rows(s->d, s->to, out, s->rows, err));
    s->rows += rows;
done:
    lochan_shared__unref(shared);
    if (rc != LOCHAN_OK) {
        lochan_array__release(out);
        if (s->rows > 0 && err && err->row >= 0 && err->row < rows) /* told by a cast */
            err->row += s->rows;
    }
    return lochan_run__refuse(err, rc, s->d->name, NULL, -1);
}

/* ---- values and rules ---- */

static bool is_one_of(lochan_str text, const char *const *values, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (lochan_str__eq(text, lochan_str__of(values[i])))
            return true;
    return false;
}

typedef struct row_check {
    const lochan_run_descriptor *d;
    const struct ArrowSchema *schema;
    const struct ArrowArray *rows;
    int64_t first_row;
    lochan_buf text;
} row_check;

static lochan_status check_values(row_check *c, const lochan_run_column *column,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_view view = {0};
    int at = lochan_schema__find(c->schema, column->name);
    if (at < 0 || column->n_values == 0)
        return LOCHAN_OK;
    LOCHAN_TRYG(lochan_view__init(&view, c->schema->children[at], c->rows->children[at], err));
    for (int64_t i = 0; i < c->rows->length; i++) {
        if (lochan_view__is_null(&view, i))
            continue;
        lochan_buf__clear(&c->text);
        LOCHAN_TRYG(lochan_view__print(&view, i, &c->text, err));
        lochan_str text = {(const char *)c->text.data, c->text.len};
        if (is_one_of(text, column->values, column->n_values))
            continue;
        rc = lochan_error__set(err, LOCHAN_ERR_SCHEMA, "row %lld: column '%s' cannot be '%.*s'",
                               (long long)(c->first_row + i), column->name,
                               (int)(text.n > 60 ? 60 : text.n), text.p ? text.p : "");
        const char *near =
            lochan_name__nearest((const char *)c->text.data, column->values, column->n_values);
        if (near)
            lochan_error__hint(err, "did you mean %s?", near);
        rc = lochan_error__in_table(err, rc, c->d->name, column->name, c->first_row + i);
        goto done;
    }
done:
    lochan_view__deinit(&view);
    return rc;
}

/* Row i breaks the rule if one of the required columns is null. */
static lochan_status check_rule_row(row_check *c, const lochan_run_rule *rule, int64_t i,
                                    lochan_error *err) {
    for (size_t r = 0; r < rule->n_require; r++) {
        const char *name = c->d->columns[rule->require[r]].name;
        int at = lochan_schema__find(c->schema, name);
        bool null = at < 0;
        if (!null) {
            lochan_view view;
            LOCHAN_TRY(
                lochan_view__init(&view, c->schema->children[at], c->rows->children[at], err));
            null = lochan_view__is_null(&view, i);
            lochan_view__deinit(&view);
        }
        if (!null)
            continue;
        lochan_status rc = lochan_error__set(
            err, LOCHAN_ERR_SCHEMA, "row %lld: column '%s' must not be null where %s is '%.*s'",
            (long long)(c->first_row + i), name, c->d->columns[rule->when].name,
            (int)(c->text.len > 60 ? 60 : c->text.len), (const char *)c->text.data);
        return lochan_error__in_table(err, rc, c->d->name, name, c->first_row + i);
    }
    return LOCHAN_OK;
}

static lochan_status check_rule(row_check *c, const lochan_run_rule *rule, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_view view = {0};
    int at = lochan_schema__find(c->schema, c->d->columns[rule->when].name);
    if (at < 0)
        return LOCHAN_OK;
    LOCHAN_TRYG(lochan_view__init(&view, c->schema->children[at], c->rows->children[at], err));
    for (int64_t i = 0; i < c->rows->length; i++) {
        if (lochan_view__is_null(&view, i))
            continue;
        lochan_buf__clear(&c->text);
        LOCHAN_TRYG(lochan_view__print(&view, i, &c->text, err));
        if (is_one_of((lochan_str){(const char *)c->text.data, c->text.len}, rule->is, rule->n_is))
            LOCHAN_TRYG(check_rule_row(c, rule, i, err));
    }
done:
    lochan_view__deinit(&view);
    return rc;
}

lochan_status lochan_run__check_rows(const lochan_run_descriptor *d,
                                     const struct ArrowSchema *schema,
                                     const struct ArrowArray *rows, int64_t first_row,
                                     lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    row_check c = {.d = d, .schema = schema, .rows = rows, .first_row = first_row};
    lochan_buf__init(&c.text, (size_t)1 << 30);
    for (size_t i = 0; i < d->n; i++)
        LOCHAN_TRYG(check_values(&c, &d->columns[i], err));
    for (size_t i = 0; i < d->n_rules; i++)
        LOCHAN_TRYG(check_rule(&c, &d->rules[i], err));
done:
    lochan_buf__deinit(&c.text);
    return rc;
}
