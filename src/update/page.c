/* page.c - one answer to canonical rows: decode, wide to long, rename and order the columns,
 * validate, keep the window.
 *
 * Declared columns come in their declared type. Fields the spec does not declare come as text and
 * stay so here: their type is decided once for the table, over all pages (assemble.c), never page
 * by page. Errors: PAGE if the answer is broken and another one may be better; VALIDATION if it is
 * whole but breaks the dataset's contract. May call: base/, arrow/, source/.
 */
#include "update/validate.h"

#include "arrow/builder.h"
#include "arrow/view.h"
#include "source/typed.h"
#include "update/missing.h"
#include "update/page.h"

#define SECONDS_PER_DAY INT64_C(86400)

void lochan_rows__release(lochan_rows *rows) {
    lochan_array__release(&rows->batch);
    lochan_schema__release(&rows->schema);
}

bool lochan_page__ends_update(lochan_status code) {
    switch (code) {
    case LOCHAN_ERR_PAGE:
    case LOCHAN_ERR_VALIDATION:
    case LOCHAN_ERR_SCHEMA:
    case LOCHAN_ERR_VALUE:
    case LOCHAN_ERR_HTTP:
    case LOCHAN_ERR_NETWORK:
    case LOCHAN_ERR_RATE_LIMIT:
    case LOCHAN_ERR_UNSUPPORTED:
        return false;
    default:
        return true;
    }
}

/* ---- decode ---- */

static bool is_wide_target(const lochan_dataset_spec *spec, const char *name) {
    return spec->normalizer == LOCHAN_NORMALIZER_WIDE_TO_LONG &&
           (strcmp(name, spec->wide_name_to) == 0 || strcmp(name, spec->wide_value_to) == 0);
}

/* Declared columns as the decoder wants them. Nulls are let through, so that a missing value is
 * reported as what it is: a breach of the contract, not a broken page. */
static size_t list_columns(const lochan_job *job, lochan_csv_column *out) {
    size_t n = 0;
    for (size_t i = 0; i < job->spec->n_columns; i++) {
        const lochan_dataset_column *column = &job->spec->columns[i];
        if (is_wide_target(job->spec, column->name))
            continue;
        out[n].name = column->field;
        out[n].type = column->type;
        if (lochan_validate__type_rule(job->spec, column->name))
            out[n].type = (lochan_type){.id = LOCHAN_TYPE_STRING};
        out[n].nullable = true;
        /* records leave out what is null, older files and batches what came later */
        out[n].optional = lochan_missing__may_be(job, column);
        out[n].null_texts = column->n_null_texts ? column->null_texts : NULL;
        out[n].n_null_texts = column->n_null_texts;
        if (out[n].type.id == LOCHAN_TYPE_STRING)
            out[n].date_format = NULL;
        else if (column->has_format)
            out[n].date_format = &column->format;
        else if (column->type.id == LOCHAN_TYPE_DATE32)
            out[n].date_format = &job->source->date_format;
        n++;
    }
    return n;
}

/* What the decoder is told; options->columns is to be freed. */
static lochan_status choose_options(const lochan_job *job, lochan_csv_options *options,
                                    lochan_error *err) {
    const lochan_dataset_spec *spec = job->spec;
    lochan_csv_column *columns = lochan_mem__array(spec->n_columns + 1, sizeof *columns);
    *options = (lochan_csv_options){.columns = columns, .rest_type = {.id = LOCHAN_TYPE_STRING}};
    if (!columns)
        return lochan_error__nomem(err);
    options->n_columns = list_columns(job, columns);
    if (spec->normalizer == LOCHAN_NORMALIZER_WIDE_TO_LONG) {
        options->rest_type = lochan_dataset_spec__column(spec, spec->wide_value_to)->type;
        options->null_texts = spec->wide_skip;
        options->n_null_texts = spec->n_wide_skip;
    } else if (spec->new_columns == LOCHAN_NEW_COLUMNS_IGNORE) {
        options->rest = LOCHAN_CSV_REST_SKIP;
    }
    return LOCHAN_OK;
}

lochan_status lochan_page__decode(const lochan_job *job, const lochan_scope *scope,
                                  const lochan_paging *paging, lochan_buf *body, lochan_rows *rows,
                                  lochan_page_facts *facts, lochan_error *err) {
    lochan_csv_options options;
    LOCHAN_TRY(choose_options(job, &options, err));
    options.strict_end = scope->open_ended;
    lochan_status rc = lochan_source__decode(&job->lake->ctx, job->source, paging, &options, body,
                                             &rows->schema, &rows->batch, facts, err);
    lochan_mem__free((void *)(uintptr_t)options.columns);
    return rc;
}

lochan_status lochan_page__conform(const lochan_job *job, const struct ArrowSchema *schema,
                                   const struct ArrowArray *batch, lochan_rows *rows,
                                   lochan_error *err) {
    lochan_csv_options options;
    LOCHAN_TRY(choose_options(job, &options, err));
    lochan_status rc =
        lochan_typed__conform(&options, schema, batch, &rows->schema, &rows->batch, err);
    lochan_mem__free((void *)(uintptr_t)options.columns);
    return rc;
}

/* ---- wide to long ---- */

/* The declared column that a provider's field fills, NULL if it is not declared. */
static const lochan_dataset_column *declared_by(const lochan_dataset_spec *spec,
                                                const char *field) {
    for (size_t i = 0; i < spec->n_columns; i++) {
        if (strcmp(spec->columns[i].field, field) == 0)
            return &spec->columns[i];
    }
    return NULL;
}

struct melt {
    const lochan_dataset_spec *spec;
    const lochan_rows *wide;
    int *kept; /* indices of the columns that are repeated for each cell */
    size_t n_kept;
    int64_t *rows; /* of each cell that is a row */
    size_t n_rows;
    lochan_builder *names;
    lochan_builder *values;
};

static lochan_status melt_column(struct melt *melt, int column, lochan_error *err) {
    const struct ArrowSchema *schema = melt->wide->schema.children[column];
    lochan_view view;
    LOCHAN_TRY(lochan_view__init(&view, schema, melt->wide->batch.children[column], err));
    lochan_str name = lochan_str__of(schema->name);
    lochan_status rc = LOCHAN_OK;
    for (int64_t i = 0; i < view.length && rc == LOCHAN_OK; i++) {
        if (!lochan_view__is_valid(&view, i))
            continue;
        melt->rows[melt->n_rows++] = i;
        rc = lochan_builder__str(melt->names, name, err);
        if (rc == LOCHAN_OK)
            rc = lochan_builder__copy(melt->values, &view, i, err);
    }
    lochan_view__deinit(&view);
    return rc;
}

/* Columns in the order kept..., name, value. */
static lochan_status melt_finish(struct melt *melt, lochan_rows *out, lochan_error *err) {
    int64_t n = (int64_t)melt->n_kept;
    LOCHAN_TRY(lochan_schema__init_struct(&out->schema, n + 2, err));
    LOCHAN_TRY(lochan_array__init(&out->batch, 1, n + 2, err));
    out->batch.length = (int64_t)melt->n_rows;
    for (int64_t i = 0; i < n; i++) {
        const struct ArrowSchema *schema = melt->wide->schema.children[melt->kept[i]];
        LOCHAN_TRY(lochan_schema__dup(schema, out->schema.children[i], err));
        LOCHAN_TRY(lochan_take(schema, melt->wide->batch.children[melt->kept[i]], melt->rows,
                               melt->n_rows, out->batch.children[i], err));
    }
    const lochan_dataset_column *name =
        lochan_dataset_spec__column(melt->spec, melt->spec->wide_name_to);
    const lochan_dataset_column *value =
        lochan_dataset_spec__column(melt->spec, melt->spec->wide_value_to);
    LOCHAN_TRY(
        lochan_schema__set_field(out->schema.children[n], name->field, &name->type, true, err));
    LOCHAN_TRY(lochan_schema__set_field(out->schema.children[n + 1], value->field, &value->type,
                                        true, err));
    LOCHAN_TRY(lochan_builder__finish(melt->names, out->batch.children[n], err));
    return lochan_builder__finish(melt->values, out->batch.children[n + 1], err);
}

static lochan_status melt_builders(struct melt *melt, lochan_error *err) {
    const lochan_type text = {.id = LOCHAN_TYPE_STRING};
    const lochan_dataset_column *value =
        lochan_dataset_spec__column(melt->spec, melt->spec->wide_value_to);
    struct ArrowSchema field = {0};
    lochan_status rc;
    LOCHAN_TRYG(lochan_schema__set_field(&field, "name", &text, false, err));
    LOCHAN_TRYG(lochan_builder__create(&field, &melt->names, err));
    lochan_schema__release(&field);
    LOCHAN_TRYG(lochan_schema__set_field(&field, "value", &value->type, false, err));
    LOCHAN_TRYG(lochan_builder__create(&field, &melt->values, err));
done:
    lochan_schema__release(&field);
    return rc;
}

/* What the cells will take as rows: a long name of a column makes a short cell large. */
static size_t long_bytes(const lochan_dataset_spec *spec, const lochan_rows *rows) {
    size_t per_cell = sizeof(int64_t) + sizeof(int32_t) + 16,
           total = 0; /* row number, offset, value */
    for (int64_t i = 0; i < rows->schema.n_children; i++) {
        const struct ArrowArray *cells = rows->batch.children[i];
        const char *name = rows->schema.children[i]->name;
        const lochan_dataset_column *column = declared_by(spec, name);
        if (!column || is_wide_target(spec, column->name))
            total += (size_t)(cells->length - cells->null_count) * (strlen(name) + per_cell);
    }
    return total;
}

/* Replaces *rows by one row for each cell that is not null. */
static lochan_status wide_to_long(const lochan_dataset_spec *spec, lochan_rows *rows,
                                  lochan_error *err) {
    size_t n_columns = (size_t)rows->schema.n_children, cells;
    lochan_rows out = {0};
    struct melt melt = {.spec = spec, .wide = rows};
    lochan_status rc;
    if (!lochan_size__mul(n_columns, (size_t)rows->batch.length, &cells))
        return lochan_error__nomem(err);
    melt.kept = lochan_mem__array(n_columns + 1, sizeof *melt.kept);
    melt.rows = lochan_mem__array(cells + 1, sizeof *melt.rows);
    if (!melt.kept || !melt.rows) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(melt_builders(&melt, err));
    for (size_t i = 0; i < n_columns; i++) {
        const lochan_dataset_column *column = declared_by(spec, rows->schema.children[i]->name);
        if (column && !is_wide_target(spec, column->name))
            melt.kept[melt.n_kept++] = (int)i;
        else
            LOCHAN_TRYG(melt_column(&melt, (int)i, err));
    }
    LOCHAN_TRYG(melt_finish(&melt, &out, err));
    lochan_rows__release(rows);
    *rows = out;
    out = (lochan_rows){0};
done:
    lochan_rows__release(&out);
    lochan_mem__free(melt.kept);
    lochan_mem__free(melt.rows);
    lochan_builder__free(melt.names);
    lochan_builder__free(melt.values);
    return rc;
}

/* ---- canonical order and names ---- */

static lochan_status constant_column(const char *text, int64_t rows, struct ArrowArray *out,
                                     lochan_error *err) {
    const lochan_type type = {.id = LOCHAN_TYPE_STRING};
    struct ArrowSchema field = {0};
    lochan_builder *builder = NULL;
    lochan_status rc;
    LOCHAN_TRYG(lochan_schema__set_field(&field, "constant", &type, false, err));
    LOCHAN_TRYG(lochan_builder__create(&field, &builder, err));
    LOCHAN_TRYG(lochan_builder__reserve(builder, rows, err));
    lochan_str s = lochan_str__of(text);
    for (int64_t i = 0; i < rows && rc == LOCHAN_OK; i++)
        rc = lochan_builder__str(builder, s, err);
    if (rc == LOCHAN_OK)
        rc = lochan_builder__finish(builder, out, err);
done:
    lochan_builder__free(builder);
    lochan_schema__release(&field);
    return rc;
}

/* Puts column `from` of *rows at position `at` of *out under its canonical name. */
static lochan_status move_column(lochan_rows *rows, int from, lochan_rows *out, int64_t at,
                                 const char *name, bool nullable, lochan_error *err) {
    lochan_type type;
    LOCHAN_TRY(lochan_type__parse(rows->schema.children[from]->format, &type, err));
    LOCHAN_TRY(lochan_schema__set_field(out->schema.children[at], name, &type, nullable, err));
    lochan_array__move(rows->batch.children[from], out->batch.children[at]);
    return LOCHAN_OK;
}

static lochan_status check_undeclared(const lochan_dataset_spec *spec,
                                      const struct ArrowSchema *taken, const char *field,
                                      lochan_error *err) {
    lochan_error why;
    lochan_error_init(&why);
    if (spec->new_columns == LOCHAN_NEW_COLUMNS_FAIL)
        return lochan_error__set(
            err, LOCHAN_ERR_VALIDATION,
            "field '%.100s' is not declared, and the spec says new_columns: fail", field);
    if (lochan_name__check("column", field, &why) != LOCHAN_OK || field[0] == '_')
        return lochan_error__set(
            err, LOCHAN_ERR_VALIDATION,
            "field '%.100s' cannot be the name of a column; map it with field_mapping", field);
    for (int64_t i = 0; i < taken->n_children && taken->children[i]->release; i++) {
        if (strcmp(taken->children[i]->name, field) == 0)
            return lochan_error__set(
                err, LOCHAN_ERR_VALIDATION,
                "field '%.100s' has the name of a column that is filled from elsewhere; map it "
                "with field_mapping",
                field);
    }
    return LOCHAN_OK;
}

/* Declared columns in table order, source, source_dataset, then what is not declared, in the page's
 * order. */
static lochan_status canonicalise(const lochan_job *job, lochan_rows *rows, lochan_error *err) {
    const lochan_dataset_spec *spec = job->spec;
    lochan_rows out = {0};
    const lochan_type text = {.id = LOCHAN_TYPE_STRING};
    const char *const constants[2][2] = {{"source", spec->source},
                                         {"source_dataset", spec->source_dataset}};
    int64_t declared = (int64_t)spec->n_columns;
    int64_t rest = rows->schema.n_children - declared, at = 0, n = rows->batch.length;
    lochan_status rc;
    LOCHAN_ASSERT(rest >= 0);
    LOCHAN_TRYG(lochan_schema__init_struct(&out.schema, declared + 2 + rest, err));
    LOCHAN_TRYG(lochan_array__init(&out.batch, 1, declared + 2 + rest, err));
    out.batch.length = n;
    for (; at < declared; at++) {
        int from = lochan_schema__find(&rows->schema, spec->columns[at].field);
        LOCHAN_ASSERT(from >= 0); /* the decoder refuses a page without a declared column */
        LOCHAN_TRYG(move_column(rows, from, &out, at, spec->columns[at].name,
                                spec->columns[at].nullable, err));
    }
    for (size_t i = 0; i < 2; i++, at++) {
        LOCHAN_TRYG(
            lochan_schema__set_field(out.schema.children[at], constants[i][0], &text, false, err));
        LOCHAN_TRYG(constant_column(constants[i][1], n, out.batch.children[at], err));
    }
    for (int64_t i = 0; i < rows->schema.n_children; i++) {
        const char *field = rows->schema.children[i]->name;
        if (declared_by(spec, field))
            continue;
        LOCHAN_TRYG(
            check_undeclared(spec, &out.schema, lochan_dataset_spec__canonical(spec, field), err));
        LOCHAN_TRYG(move_column(rows, (int)i, &out, at++,
                                lochan_dataset_spec__canonical(spec, field), true, err));
    }
    lochan_rows__release(rows);
    *rows = out;
    out = (lochan_rows){0};
done:
    lochan_rows__release(&out);
    return rc;
}

/* ---- window ---- */

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static int64_t units_per_day(const lochan_type *type) {
    static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
    return type->id == LOCHAN_TYPE_TIMESTAMP ? per_second[type->unit] * SECONDS_PER_DAY : 1;
}

/* A provider may send more than was asked for. Those rows belong to other scopes; believing them
 * here would put days into the table that the ledger knows nothing of. */
static lochan_status keep_window(lochan_scope *scope, lochan_rows *rows, int time,
                                 lochan_error *err) {
    lochan_view view;
    struct ArrowArray kept = {0};
    int64_t inside = 0, n = rows->batch.length;
    LOCHAN_TRY(
        lochan_view__init(&view, rows->schema.children[time], rows->batch.children[time], err));
    uint8_t *bits = lochan_mem__zalloc((size_t)n / 8 + 1);
    lochan_status rc = bits ? LOCHAN_OK : lochan_error__nomem(err);
    int64_t per_day = units_per_day(&view.type);
    for (int64_t i = 0; i < n && rc == LOCHAN_OK; i++) {
        int64_t day = lochan_view__is_valid(&view, i)
                          ? floor_div(lochan_view__int64(&view, i), per_day)
                          : scope->window.from;
        if (day >= scope->window.from && day <= scope->window.to) {
            lochan_bit__set(bits, i);
            inside++;
        }
    }
    if (rc == LOCHAN_OK && inside < n) {
        rc = lochan_filter(&rows->schema, &rows->batch, bits, &kept, err);
        if (rc == LOCHAN_OK) {
            lochan_array__release(&rows->batch);
            lochan_array__move(&kept, &rows->batch);
            scope->rows_filtered += n - inside;
        }
    }
    lochan_view__deinit(&view);
    lochan_mem__free(bits);
    return rc;
}

/* ---- all of it ---- */

lochan_status lochan_page__keep(lochan_job *job, lochan_scope *scope, int64_t number,
                                lochan_rows *rows, lochan_error *err) {
    if (job->spec->normalizer == LOCHAN_NORMALIZER_WIDE_TO_LONG) {
        size_t bytes = long_bytes(job->spec, rows);
        LOCHAN_TRY(lochan_budget__take(job->lake->ctx.budget, bytes,
                                       "turning a wide page into rows", err));
        lochan_status rc = wide_to_long(job->spec, rows, err);
        lochan_budget__give(job->lake->ctx.budget, bytes);
        LOCHAN_TRY(rc);
    }
    LOCHAN_TRY(canonicalise(job, rows, err));
    LOCHAN_TRY(lochan_missing__note(job, &rows->schema, &rows->batch, err));
    scope->rows_fetched += rows->batch.length;
    const char *days = job->timeless ? NULL : lochan_job__window_column(job);
    if (days)
        LOCHAN_TRY(keep_window(scope, rows, lochan_schema__find(&rows->schema, days), err));
    LOCHAN_TRY(lochan_job__check_rows(job, scope, number, &rows->schema, &rows->batch, err));
    return lochan_scope__give_page(job, scope, number, &rows->schema, &rows->batch, err);
}
