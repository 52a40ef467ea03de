/* validate.c - canonical rows against the spec: row filter, rules, what is never null; and the hash
 * that tells rows without a key apart.
 *
 * A rule that fails ends the scope as invalid; one that quarantines moves the row to the scope's
 * rejects; one that warns only counts. Levels of an update: `spec` does what the spec says,
 * `strict` lets every rule fail, `off` leaves the rules out; what the table needs (types, keys that
 * are never null) holds at every level. May call: base/, arrow/, rejects.h, reference.h.
 */
#include "update/validate.h"
#include "update/deliver.h"

#include "arrow/builder.h"
#include "arrow/view.h"
#include "table/partition.h"

/* Rows of one page under check. */
struct check {
    lochan_job *job;
    lochan_scope *scope;
    int64_t page; /* from 0 */
    struct ArrowSchema *schema;
    struct ArrowArray *batch;
    uint8_t *keep; /* a bit a row */
    int64_t dropped;
};

lochan_status lochan_validate__level(const char *name, lochan_validate_level *out,
                                     lochan_error *err) {
    static const char *const names[] = {"spec", "strict", "off"};
    *out = LOCHAN_VALIDATE_SPEC;
    for (size_t i = 0; name && i < LOCHAN_COUNTOF(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (lochan_validate_level)i;
            return LOCHAN_OK;
        }
    }
    if (!name)
        return LOCHAN_OK;
    return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                             "validate: expected spec, strict or off, got '%.40s'", name);
}

static void drop_row(struct check *c, int64_t row) {
    if (lochan_bit__get(c->keep, row)) {
        lochan_bit__clear(c->keep, row);
        c->dropped++;
    }
}

/* {"asset_id": "A", "close": null}: every value as text, so that nothing of it is lost. */
lochan_status lochan_validate__record(const struct ArrowSchema *schema,
                                      const struct ArrowArray *batch, int64_t row, lochan_buf *out,
                                      lochan_error *err) {
    lochan_buf text;
    lochan_status rc;
    lochan_buf__init(&text, 16u << 20);
    LOCHAN_TRYG(lochan_buf__putc(out, '{', err));
    for (int64_t i = 0; i < schema->n_children; i++) {
        const char *name = schema->children[i]->name;
        lochan_view view;
        lochan_buf__clear(&text);
        LOCHAN_TRYG(lochan_view__init(&view, schema->children[i], batch->children[i], err));
        bool null = lochan_view__is_null(&view, row);
        rc = null ? LOCHAN_OK : lochan_view__print(&view, row, &text, err);
        lochan_view__deinit(&view);
        LOCHAN_TRYG(rc);
        LOCHAN_TRYG(lochan_buf__puts(out, i ? ", " : "", err));
        LOCHAN_TRYG(lochan_buf__json_string(out, name, strlen(name), err));
        LOCHAN_TRYG(lochan_buf__puts(out, ": ", err));
        LOCHAN_TRYG(null ? lochan_buf__puts(out, "null", err)
                         : lochan_buf__json_string(out, text.len ? (const char *)text.data : "",
                                                   text.len, err));
    }
    rc = lochan_buf__putc(out, '}', err);
done:
    lochan_buf__deinit(&text);
    return rc;
}

static lochan_status breach(struct check *c, const lochan_rule *rule, int64_t row,
                            const char *reason, lochan_error *err) {
    lochan_rule_action action =
        c->job->level == LOCHAN_VALIDATE_STRICT ? LOCHAN_RULE_FAIL : rule->action;
    if (action == LOCHAN_RULE_WARN) {
        c->scope->rows_warned++;
        return LOCHAN_OK;
    }
    if (action == LOCHAN_RULE_FAIL) {
        lochan_status rc =
            lochan_error__set(err, LOCHAN_ERR_VALIDATION, "row %lld: %s", (long long)row, reason);
        return lochan_error__in_table(err, rc, c->job->full_name, rule->columns[0], row);
    }
    if (!lochan_bit__get(c->keep, row))
        return LOCHAN_OK; /* one reason is enough */
    lochan_reject reject = {.page = c->page + 1, .row = row, .rule = rule};
    (void)lochan_format(reject.reason, sizeof reject.reason, "%s", reason);
    lochan_buf values;
    lochan_buf__init(&values, 16u << 20);
    lochan_status rc = lochan_validate__record(c->schema, c->batch, row, &values, err);
    if (rc == LOCHAN_OK)
        rc = lochan_rejects__add(&c->scope->rejects, &reject, &values, err);
    lochan_buf__deinit(&values);
    if (rc != LOCHAN_OK)
        return rc;
    drop_row(c, row);
    c->scope->rows_rejected++;
    return LOCHAN_OK;
}

/* ---- row filter ---- */

static bool is_listed(const char *const *values, size_t n, const lochan_buf *text) {
    for (size_t i = 0; i < n; i++) {
        if (strlen(values[i]) == text->len &&
            (text->len == 0 || memcmp(values[i], text->data, text->len) == 0))
            return true;
    }
    return false;
}

static lochan_status filter_rows(struct check *c, lochan_error *err) {
    const lochan_dataset_spec *spec = c->job->spec;
    if (!spec->filter_column)
        return LOCHAN_OK;
    int at = lochan_schema__find(c->schema, spec->filter_column);
    lochan_view view;
    lochan_buf text;
    lochan_status rc = LOCHAN_OK;
    LOCHAN_TRY(lochan_view__init(&view, c->schema->children[at], c->batch->children[at], err));
    lochan_buf__init(&text, 16u << 20);
    for (int64_t i = 0; i < view.length && rc == LOCHAN_OK; i++) {
        lochan_buf__clear(&text);
        rc = lochan_view__print(&view, i, &text, err);
        if (rc == LOCHAN_OK && (lochan_view__is_null(&view, i) ||
                                !is_listed(spec->filter_in, spec->n_filter_in, &text))) {
            drop_row(c, i);
            c->scope->rows_filtered++;
        }
    }
    lochan_buf__deinit(&text);
    lochan_view__deinit(&view);
    return rc;
}

/* ---- types: columns that came as text because a value that cannot be read is quarantined ---- */

const lochan_rule *lochan_validate__type_rule(const lochan_dataset_spec *spec, const char *column) {
    for (size_t i = 0; i < spec->n_rules; i++) {
        const lochan_rule *rule = &spec->rules[i];
        if (rule->kind == LOCHAN_RULE_TYPE && rule->action == LOCHAN_RULE_QUARANTINE &&
            strcmp(rule->columns[0], column) == 0)
            return rule;
    }
    return NULL;
}

/* Text of one cell to a value of the column; false if it is none. */
static bool read_cell(const lochan_job *job, const lochan_dataset_column *column, lochan_str text,
                      const struct ArrowSchema *to, lochan_builder *out) {
    const lochan_type type = {.id = LOCHAN_TYPE_STRING};
    struct ArrowSchema field = {0};
    struct ArrowArray one = {0}, cast = {0};
    lochan_builder *builder = NULL;
    lochan_view view;
    if (column->type.id == LOCHAN_TYPE_DATE32) {
        const lochan_date_format *format =
            column->has_format ? &column->format : &job->source->date_format;
        int32_t day;
        return lochan_date_format__parse(format, text.p, text.n, &day, NULL) &&
               lochan_builder__int64(out, day, NULL) == LOCHAN_OK;
    }
    bool good = lochan_schema__set_field(&field, "text", &type, true, NULL) == LOCHAN_OK &&
                lochan_builder__create(&field, &builder, NULL) == LOCHAN_OK &&
                lochan_builder__str(builder, text, NULL) == LOCHAN_OK &&
                lochan_builder__finish(builder, &one, NULL) == LOCHAN_OK &&
                lochan_cast(&field, &one, to, &cast, NULL) == LOCHAN_OK &&
                lochan_view__init(&view, to, &cast, NULL) == LOCHAN_OK;
    if (good) {
        good = lochan_builder__copy(out, &view, 0, NULL) == LOCHAN_OK;
        lochan_view__deinit(&view);
    }
    lochan_array__release(&cast);
    lochan_array__release(&one);
    lochan_builder__free(builder);
    lochan_schema__release(&field);
    return good;
}

static lochan_status read_type(struct check *c, int at, const lochan_dataset_column *column,
                               const lochan_rule *rule, lochan_error *err) {
    struct ArrowSchema to = {0};
    lochan_builder *builder = NULL;
    lochan_view view = {0};
    struct ArrowArray typed = {0};
    char reason[160], type[80];
    lochan_status rc;
    lochan_type__name(&column->type, type);
    LOCHAN_TRYG(lochan_schema__set_field(&to, column->name, &column->type, true, err));
    LOCHAN_TRYG(lochan_builder__create(&to, &builder, err));
    LOCHAN_TRYG(lochan_view__init(&view, c->schema->children[at], c->batch->children[at], err));
    for (int64_t i = 0; i < view.length; i++) {
        if (lochan_view__is_null(&view, i)) {
            LOCHAN_TRYG(lochan_builder__null(builder, err));
            continue;
        }
        lochan_str text = lochan_view__bytes(&view, i);
        if (read_cell(c->job, column, text, &to, builder))
            continue;
        LOCHAN_TRYG(lochan_builder__null(builder, err));
        (void)lochan_format(reason, sizeof reason, "column '%s': '%.*s' is no %s", column->name,
                            (int)(text.n < 60 ? text.n : 60), text.p, type);
        LOCHAN_TRYG(breach(c, rule, i, reason, err));
    }
    LOCHAN_TRYG(lochan_builder__finish(builder, &typed, err));
    lochan_array__release(c->batch->children[at]);
    lochan_array__move(&typed, c->batch->children[at]);
    lochan_schema__release(c->schema->children[at]);
    rc = lochan_schema__set_field(c->schema->children[at], column->name, &column->type,
                                  column->nullable, err);
done:
    lochan_view__deinit(&view);
    lochan_array__release(&typed);
    lochan_builder__free(builder);
    lochan_schema__release(&to);
    return rc;
}

static lochan_status read_types(struct check *c, lochan_error *err) {
    const lochan_dataset_spec *spec = c->job->spec;
    for (size_t i = 0; i < spec->n_columns; i++) {
        const lochan_dataset_column *column = &spec->columns[i];
        const lochan_rule *rule = lochan_validate__type_rule(spec, column->name);
        int at = lochan_schema__find(c->schema, column->name);
        lochan_type type;
        if (!rule || column->type.id == LOCHAN_TYPE_STRING)
            continue;
        LOCHAN_TRY(lochan_type__parse(c->schema->children[at]->format, &type, err));
        if (type.id == LOCHAN_TYPE_STRING)
            LOCHAN_TRY(read_type(c, at, column, rule, err));
    }
    return LOCHAN_OK;
}

/* ---- rules about one value ---- */

/* Why the value of row i breaks the rule; false if it does not. */
static lochan_status test_value(const struct check *c, const lochan_rule *rule,
                                const lochan_view *view, int64_t i, char *reason, size_t cap,
                                bool *breaks, lochan_error *err) {
    const char *name = rule->columns[0];
    bool null = lochan_view__is_null(view, i);
    *breaks = false;
    if (rule->kind == LOCHAN_RULE_REQUIRED) {
        *breaks = null;
        (void)lochan_format(reason, cap, "column '%s' has no value", name);
        return LOCHAN_OK;
    }
    if (null)
        return LOCHAN_OK;
    if (rule->kind == LOCHAN_RULE_RANGE) {
        double v = lochan_view__double(view, i);
        *breaks = !((!rule->has_min || v >= rule->min) && (!rule->has_max || v <= rule->max));
        if (*breaks)
            (void)lochan_format(reason, cap, "column '%s': %.17g is out of range", name, v);
        return LOCHAN_OK;
    }
    if (rule->kind == LOCHAN_RULE_CALENDAR) {
        int64_t day;
        *breaks = lochan_view__day(view, i, &day) && day >= INT32_MIN && day <= INT32_MAX &&
                  lochan_job__is_holiday(c->job, (int32_t)day);
        (void)lochan_format(reason, cap, "column '%s': the calendar has no such day", name);
        return LOCHAN_OK;
    }
    lochan_buf text;
    lochan_buf__init(&text, 16u << 20);
    lochan_status rc = lochan_view__print(view, i, &text, err);
    *breaks = rc == LOCHAN_OK && !is_listed(rule->values, rule->n_values, &text);
    if (*breaks)
        (void)lochan_format(reason, cap, "column '%s': '%.*s' is not allowed", name,
                            (int)(text.len < 60 ? text.len : 60), (const char *)text.data);
    lochan_buf__deinit(&text);
    return rc;
}

static lochan_status check_rule(struct check *c, const lochan_rule *rule, lochan_error *err) {
    int at = lochan_schema__find(c->schema, rule->columns[0]);
    lochan_view view;
    lochan_status rc = LOCHAN_OK;
    LOCHAN_ASSERT(at >= 0);
    if (rule->kind == LOCHAN_RULE_REQUIRED && c->batch->children[at]->null_count == 0)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_view__init(&view, c->schema->children[at], c->batch->children[at], err));
    for (int64_t i = 0; i < view.length && rc == LOCHAN_OK; i++) {
        char reason[160];
        bool breaks;
        if (!lochan_bit__get(c->keep, i))
            continue;
        rc = test_value(c, rule, &view, i, reason, sizeof reason, &breaks, err);
        if (rc == LOCHAN_OK && breaks)
            rc = breach(c, rule, i, reason, err);
    }
    lochan_view__deinit(&view);
    return rc;
}

static lochan_status check_rules(struct check *c, lochan_error *err) {
    for (size_t i = 0; i < c->job->spec->n_rules; i++) {
        const lochan_rule *rule = &c->job->spec->rules[i];
        bool elsewhere = rule->kind == LOCHAN_RULE_TYPE || rule->kind == LOCHAN_RULE_UNIQUE;
        if (!elsewhere && c->job->level != LOCHAN_VALIDATE_OFF)
            LOCHAN_TRY(check_rule(c, rule, err));
    }
    return LOCHAN_OK;
}

/* ---- what the table needs ---- */

static lochan_status check_not_null(const struct check *c, lochan_error *err) {
    const lochan_dataset_spec *spec = c->job->spec;
    for (size_t n = 0; n < spec->n_columns; n++) {
        const lochan_dataset_column *column = &spec->columns[n];
        int at = lochan_schema__find(c->schema, column->name);
        if (column->nullable || c->batch->children[at]->null_count == 0)
            continue;
        lochan_view view;
        int64_t i = 0;
        LOCHAN_TRY(lochan_view__init(&view, c->schema->children[at], c->batch->children[at], err));
        while (i < view.length && lochan_view__is_valid(&view, i))
            i++;
        bool found = i < view.length;
        lochan_view__deinit(&view);
        if (!found)
            continue;
        lochan_status rc = lochan_error__set(
            err, LOCHAN_ERR_VALIDATION,
            "row %lld: column '%s' (field '%.100s') is null, but the spec says it never is",
            (long long)i, column->name, column->field);
        return lochan_error__in_table(err, rc, c->job->full_name, column->name, i);
    }
    return LOCHAN_OK;
}

static lochan_status apply_keep(struct check *c, lochan_error *err) {
    struct ArrowArray kept = {0};
    if (c->dropped == 0)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_filter(c->schema, c->batch, c->keep, &kept, err));
    lochan_array__release(c->batch);
    lochan_array__move(&kept, c->batch);
    c->dropped = 0;
    return LOCHAN_OK;
}

/* Column record_hash, behind the columns that every canonical table has. */
static lochan_status hash_column(const struct check *c, struct ArrowArray *out, lochan_error *err) {
    const lochan_type type = {.id = LOCHAN_TYPE_INT64};
    size_t n = (size_t)c->schema->n_children, rows = (size_t)c->batch->length;
    struct ArrowSchema field = {0};
    lochan_builder *builder = NULL;
    lochan_status rc;
    int *columns = lochan_mem__array(n + 1, sizeof *columns);
    lochan_hash128 *hashes = lochan_mem__array(rows + 1, sizeof *hashes);
    if (!columns || !hashes) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        columns[i] = (int)i;
    LOCHAN_TRYG(lochan_hash_rows(c->schema, c->batch, columns, n, hashes, err));
    LOCHAN_TRYG(lochan_schema__set_field(&field, "record_hash", &type, false, err));
    LOCHAN_TRYG(lochan_builder__create(&field, &builder, err));
    for (size_t i = 0; i < rows; i++)
        LOCHAN_TRYG(lochan_builder__int64(builder, (int64_t)hashes[i].lo, err));
    rc = lochan_builder__finish(builder, out, err);
done:
    lochan_builder__free(builder);
    lochan_schema__release(&field);
    lochan_mem__free(columns);
    lochan_mem__free(hashes);
    return rc;
}

static lochan_status add_record_hash(const struct check *c, lochan_error *err) {
    const lochan_type type = {.id = LOCHAN_TYPE_INT64};
    int64_t n = c->schema->n_children, place = (int64_t)c->job->spec->n_columns + 2;
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    lochan_status rc;
    LOCHAN_TRYG(lochan_schema__init_struct(&schema, n + 1, err));
    LOCHAN_TRYG(lochan_array__init(&batch, 1, n + 1, err));
    LOCHAN_TRYG(lochan_schema__set_field(schema.children[place], "record_hash", &type, false, err));
    LOCHAN_TRYG(hash_column(c, batch.children[place], err));
    batch.length = c->batch->length;
    for (int64_t i = 0; i < n; i++) {
        int64_t to = i < place ? i : i + 1;
        lochan_schema__move(c->schema->children[i], schema.children[to]);
        lochan_array__move(c->batch->children[i], batch.children[to]);
    }
    lochan_schema__release(c->schema);
    lochan_array__release(c->batch);
    lochan_schema__move(&schema, c->schema);
    lochan_array__move(&batch, c->batch);
done:
    lochan_schema__release(&schema);
    lochan_array__release(&batch);
    return rc;
}

lochan_status lochan_job__check_rows(lochan_job *job, lochan_scope *scope, int64_t page,
                                     struct ArrowSchema *schema, struct ArrowArray *batch,
                                     lochan_error *err) {
    struct check c = {.job = job, .scope = scope, .page = page, .schema = schema, .batch = batch};
    size_t bytes = (size_t)batch->length / 8 + 1;
    lochan_status rc;
    c.keep = lochan_mem__alloc(bytes);
    if (!c.keep)
        return lochan_error__nomem(err);
    memset(c.keep, 0xff, bytes);
    LOCHAN_TRYG(filter_rows(&c, err));
    LOCHAN_TRYG(read_types(&c, err));
    LOCHAN_TRYG(check_rules(&c, err));
    LOCHAN_TRYG(apply_keep(&c, err));
    LOCHAN_TRYG(check_not_null(&c, err));
    if (job->spec->has_record_hash)
        LOCHAN_TRYG(add_record_hash(&c, err));
done:
    lochan_mem__free(c.keep);
    return rc;
}

/* ---- unique: over the whole update ---- */

struct seen {
    lochan_hash128 *slots; /* zero = free */
    size_t n_slots, n;
};

/* Whether the hash was there; it is afterwards. */
static bool meet(struct seen *seen, lochan_hash128 hash) {
    size_t mask = seen->n_slots - 1, at = (size_t)hash.lo & mask;
    if (hash.lo == 0 && hash.hi == 0)
        hash.lo = 1;
    for (; seen->slots[at].lo || seen->slots[at].hi; at = (at + 1) & mask) {
        if (seen->slots[at].lo == hash.lo && seen->slots[at].hi == hash.hi)
            return true;
    }
    seen->slots[at] = hash;
    seen->n++;
    return false;
}

/* Which rows of the answer are left, for when it is decoded again. */
static lochan_status note_kept(const struct check *c, lochan_scope_page *page, lochan_error *err) {
    if (c->dropped == 0)
        return LOCHAN_OK;
    int64_t rows = page->kept ? page->answered : c->batch->length;
    uint8_t *kept = lochan_mem__zalloc((size_t)rows / 8 + 1);
    if (!kept)
        return lochan_error__nomem(err);
    for (int64_t i = 0, at = 0; i < rows; i++) {
        if (page->kept && !lochan_bit__get(page->kept, i))
            continue;
        if (lochan_bit__get(c->keep, at++))
            lochan_bit__set(kept, i);
    }
    lochan_mem__free(page->kept);
    page->kept = kept;
    page->answered = rows;
    return LOCHAN_OK;
}

static lochan_status check_unique_page(struct check *c, const lochan_rule *rule, struct seen *seen,
                                       lochan_scope_page *page, lochan_error *err) {
    size_t rows = (size_t)c->batch->length, bytes = rows / 8 + 1;
    int *columns = lochan_mem__array(rule->n_columns + 1, sizeof *columns);
    lochan_hash128 *hashes = lochan_mem__array(rows + 1, sizeof *hashes);
    lochan_status rc;
    c->keep = lochan_mem__alloc(bytes);
    if (!columns || !hashes || !c->keep) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    memset(c->keep, 0xff, bytes);
    for (size_t i = 0; i < rule->n_columns; i++)
        columns[i] = lochan_schema__find(c->schema, rule->columns[i]);
    LOCHAN_TRYG(lochan_hash_rows(c->schema, c->batch, columns, rule->n_columns, hashes, err));
    for (size_t i = 0; i < rows; i++) {
        if (meet(seen, hashes[i]))
            LOCHAN_TRYG(breach(c, rule, (int64_t)i,
                               "another row of the update is equal in the "
                               "columns of rule unique",
                               err));
    }
    rc = note_kept(c, page, err);
    if (rc == LOCHAN_OK)
        rc = apply_keep(c, err);
    page->rows = c->batch->length;
done:
    lochan_mem__free(c->keep);
    lochan_mem__free(columns);
    lochan_mem__free(hashes);
    return rc;
}

static lochan_status check_unique(lochan_job *job, const lochan_rule *rule, size_t rows,
                                  lochan_error *err) {
    struct seen seen = {.n_slots = 16};
    lochan_status rc = LOCHAN_OK;
    while (seen.n_slots < 2 * rows)
        seen.n_slots *= 2;
    size_t bytes = seen.n_slots * sizeof *seen.slots;
    LOCHAN_TRY(lochan_budget__take(job->lake->ctx.budget, bytes, "rule unique", err));
    seen.slots = lochan_mem__zalloc(bytes);
    if (!seen.slots)
        rc = lochan_error__nomem(err);
    for (size_t i = 0; i < job->n_scopes && rc == LOCHAN_OK; i++) {
        lochan_scope *scope = &job->scopes[i];
        lochan_error why;
        lochan_error_init(&why);
        for (size_t p = 0;
             scope->state == LOCHAN_SCOPE_DONE && p < scope->n_pages && rc == LOCHAN_OK; p++) {
            lochan_scope_page *page = &scope->pages[p];
            struct check c = {.job = job,
                              .scope = scope,
                              .page = page->number,
                              .schema = &page->schema,
                              .batch = &page->batch};
            rc = lochan_deliver__load(job, scope, page, &why);
            if (rc == LOCHAN_OK)
                rc = check_unique_page(&c, rule, &seen, page, &why);
            lochan_deliver__relieve(job, scope);
        }
        if (rc == LOCHAN_ERR_VALIDATION) {
            lochan_scope__clear(job, scope);
            lochan_job__fail_scope(job, i, &why, scope->attempts);
            rc = LOCHAN_OK;
        } else if (rc != LOCHAN_OK && err) {
            *err = why;
        }
    }
    lochan_mem__free(seen.slots);
    lochan_budget__give(job->lake->ctx.budget, bytes);
    return rc;
}

lochan_status lochan_job__check_unique(lochan_job *job, lochan_error *err) {
    size_t rows = 0;
    for (size_t i = 0; i < job->n_scopes; i++) {
        for (size_t p = 0; p < job->scopes[i].n_pages; p++)
            rows += (size_t)job->scopes[i].pages[p].rows;
    }
    for (size_t i = 0; i < job->spec->n_rules && job->level != LOCHAN_VALIDATE_OFF; i++) {
        if (job->spec->rules[i].kind == LOCHAN_RULE_UNIQUE)
            LOCHAN_TRY(check_unique(job, &job->spec->rules[i], rows, err));
    }
    return LOCHAN_OK;
}
