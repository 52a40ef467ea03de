/* extras.c - see extras.h. May call: base/, arrow/, table/, job.h, manage.h. */
#include "update/job.h"
#include "update/manage.h"

#include "arrow/view.h"

/* A number as JSON writes it: no leading zeros, no plus, no blanks, no "nan". */
static bool is_json_number(lochan_str s) {
    size_t i = 0;
    i += i < s.n && s.p[i] == '-';
    if (i >= s.n || s.p[i] < '0' || s.p[i] > '9')
        return false;
    if (s.p[i] == '0' && i + 1 < s.n && s.p[i + 1] >= '0' && s.p[i + 1] <= '9')
        return false;
    double ignored;
    return s.p[s.n - 1] != '.' && lochan_parse__double(s.p, s.n, false, &ignored);
}

/* ---- the list ---- */

static lochan_status number_of(lochan_extras *all, const char *name, uint32_t *out,
                               lochan_error *err) {
    for (size_t i = 0; i < all->n; i++) {
        *out = (uint32_t)i;
        if (strcmp(all->items[i].name, name) == 0)
            return LOCHAN_OK;
    }
    void *items = lochan_mem__grow(all->items, all->n, &all->cap, sizeof *all->items);
    if (!items)
        return lochan_error__nomem(err);
    all->items = items;
    const char *copy = lochan_arena__strdup(&all->arena, name);
    if (!copy)
        return lochan_error__nomem(err);
    *out = (uint32_t)all->n;
    all->items[all->n++] =
        (lochan_extra){.name = copy, .type = (lochan_type){.id = LOCHAN_TYPE_FLOAT64}};
    return LOCHAN_OK;
}

/* Columns that the table has and the spec does not declare, but for those it fills itself. */
static lochan_status add_table_columns(lochan_job *job, const struct ArrowSchema *declared,
                                       lochan_error *err) {
    lochan_table *table = NULL;
    lochan_status rc =
        lochan_table__open(job->lake, job->spec->source, job->spec->name, -1, &table, err);
    if (rc == LOCHAN_ERR_NOT_FOUND) /* rolled back to before it was there: it is made again */
        return LOCHAN_OK;
    if (rc != LOCHAN_OK)
        return rc;
    const struct ArrowSchema *schema = &table->def.schema;
    for (int64_t i = 0; i < schema->n_children && rc == LOCHAN_OK; i++) {
        const struct ArrowSchema *column = schema->children[i];
        uint32_t at;
        bool filled = i == table->known_at || i == table->derived;
        if (filled || column->n_children > 0 || !(column->flags & ARROW_FLAG_NULLABLE) ||
            lochan_schema__find(declared, column->name) >= 0)
            continue;
        rc = number_of(&job->extras, column->name, &at, err);
        if (rc == LOCHAN_OK) {
            job->extras.items[at].in_table = true;
            rc = lochan_type__parse(column->format, &job->extras.items[at].type, err);
        }
    }
    lochan_table__close(table);
    return rc;
}

lochan_status lochan_extras__init(lochan_job *job, lochan_error *err) {
    struct ArrowSchema declared = {0};
    pthread_mutex_init(&job->extras.mutex, NULL);
    lochan_arena__init(&job->extras.arena, 0);
    job->extras.ready = true;
    if (job->dataset->table_id < 0)
        return LOCHAN_OK;
    lochan_status rc = lochan_manage__declared_schema(job->spec, &declared, err);
    if (rc == LOCHAN_OK)
        rc = add_table_columns(job, &declared, err);
    lochan_schema__release(&declared);
    return rc;
}

void lochan_extras__deinit(lochan_job *job) {
    if (!job->extras.ready)
        return;
    lochan_mem__free(job->extras.items);
    lochan_arena__deinit(&job->extras.arena);
    pthread_mutex_destroy(&job->extras.mutex);
}

int64_t lochan_extras__n_declared(const lochan_job *job) {
    return (int64_t)job->spec->n_columns + 2 + job->spec->has_record_hash;
}

/* ---- what a page has ---- */

static lochan_status entry_of(lochan_job *job, lochan_scope *scope, const char *name,
                              lochan_scope_extra **out, lochan_error *err) {
    uint32_t field = 0;
    pthread_mutex_lock(&job->extras.mutex);
    lochan_status rc = number_of(&job->extras, name, &field, err);
    pthread_mutex_unlock(&job->extras.mutex);
    if (rc != LOCHAN_OK)
        return rc;
    for (size_t i = 0; i < scope->n_extras; i++) {
        *out = &scope->extras[i];
        if (scope->extras[i].field == field)
            return LOCHAN_OK;
    }
    void *items =
        lochan_mem__grow(scope->extras, scope->n_extras, &scope->cap_extras, sizeof *scope->extras);
    if (!items)
        return lochan_error__nomem(err);
    scope->extras = items;
    *out = &scope->extras[scope->n_extras++];
    **out = (lochan_scope_extra){.field = field};
    return LOCHAN_OK;
}

static lochan_status look_at_column(lochan_scope_extra *extra, const struct ArrowSchema *schema,
                                    const struct ArrowArray *column, lochan_error *err) {
    lochan_view view;
    if (extra->has_text)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_view__init(&view, schema, column, err));
    for (int64_t i = 0; i < view.length && !extra->has_text; i++) {
        if (!lochan_view__is_valid(&view, i))
            continue;
        extra->has_values = true;
        extra->has_text =
            view.type.id == LOCHAN_TYPE_STRING && !is_json_number(lochan_view__bytes(&view, i));
    }
    lochan_view__deinit(&view);
    return LOCHAN_OK;
}

lochan_status lochan_extras__note(lochan_job *job, lochan_scope *scope,
                                  const struct ArrowSchema *schema, const struct ArrowArray *batch,
                                  lochan_error *err) {
    for (int64_t c = lochan_extras__n_declared(job); c < schema->n_children; c++) {
        lochan_scope_extra *extra = NULL;
        LOCHAN_TRY(entry_of(job, scope, schema->children[c]->name, &extra, err));
        LOCHAN_TRY(look_at_column(extra, schema->children[c], batch->children[c], err));
    }
    return LOCHAN_OK;
}

bool lochan_extras__are_new(lochan_job *job, const lochan_scope *scope) {
    bool any = false;
    pthread_mutex_lock(&job->extras.mutex);
    for (size_t i = 0; i < scope->n_extras; i++)
        any = any ||
              (scope->extras[i].has_values && !job->extras.items[scope->extras[i].field].in_table);
    pthread_mutex_unlock(&job->extras.mutex);
    return any;
}

/* ---- the schema ---- */

/* Types of new fields, and their order: *list gets their numbers. */
static size_t decide(lochan_job *job, uint32_t *list) {
    lochan_extras *all = &job->extras;
    size_t n = 0;
    for (size_t i = 0; i < all->n; i++) {
        all->items[i].taken = all->items[i].in_table;
        if (!all->items[i].in_table)
            all->items[i].type = (lochan_type){.id = LOCHAN_TYPE_FLOAT64};
    }
    for (size_t s = 0; s < job->n_scopes; s++) {
        const lochan_scope *scope = &job->scopes[s];
        for (size_t i = 0; scope->state == LOCHAN_SCOPE_DONE && i < scope->n_extras; i++) {
            lochan_extra *extra = &all->items[scope->extras[i].field];
            if (extra->in_table || !scope->extras[i].has_values)
                continue;
            if (!extra->taken)
                list[n++] = scope->extras[i].field;
            extra->taken = true;
            if (scope->extras[i].has_text)
                extra->type = (lochan_type){.id = LOCHAN_TYPE_STRING};
        }
    }
    return n;
}

lochan_status lochan_extras__schema(lochan_job *job, bool new_ones, struct ArrowSchema *out,
                                    lochan_error *err) {
    const lochan_extras *all = &job->extras;
    struct ArrowSchema declared = {0};
    lochan_status rc;
    size_t n = 0;
    uint32_t *list = lochan_mem__array(all->n + 1, sizeof *list);
    memset(out, 0, sizeof *out);
    if (!list)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < all->n; i++) {
        if (all->items[i].in_table)
            list[n++] = (uint32_t)i;
    }
    if (new_ones)
        n += decide(job, list + n);
    LOCHAN_TRYG(lochan_manage__declared_schema(job->spec, &declared, err));
    LOCHAN_TRYG(lochan_schema__init_struct(out, declared.n_children + (int64_t)n, err));
    for (int64_t i = 0; i < declared.n_children; i++)
        lochan_schema__move(declared.children[i], out->children[i]);
    for (size_t i = 0; i < n; i++) {
        const lochan_extra *extra = &all->items[list[i]];
        LOCHAN_TRYG(lochan_schema__set_field(out->children[declared.n_children + (int64_t)i],
                                             extra->name, &extra->type, true, err));
    }
done:
    lochan_schema__release(&declared);
    if (rc != LOCHAN_OK)
        lochan_schema__release(out);
    lochan_mem__free(list);
    return rc;
}
