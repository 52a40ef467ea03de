/* same.c - see same.h. May call: base/, arrow/, catalog/, job.h, manage.h, mode.h. */
#include "update/same.h"

#include "arrow/kernels.h"
#include "arrow/view.h"
#include "base/log.h"
#include "catalog/snapshots.h"
#include "update/manage.h"
#include "update/mode.h"

/* ---- which hashes hold ---- */

/* "<32 hexadecimal digits>@<snapshot>"; false for anything else, as of sources of kind files. */
static bool split(const char *hash, int64_t *base) {
    char *end;
    if (strlen(hash) < 34 || hash[32] != '@')
        return false;
    *base = strtoll(hash + 33, &end, 10);
    return *end == '\0';
}

/* The one interval that is the scope's window; NULL if the ledger has cut or joined it. */
static const lochan_cover *cover_of(const lochan_job *job, const lochan_scope *scope,
                                    const lochan_series *series) {
    const lochan_ledger *ledger = &series->before;
    if (job->timeless)
        return ledger->count == 1 ? &ledger->rows[0] : NULL;
    for (size_t i = 0; i < ledger->count; i++) {
        const lochan_cover *cover = &ledger->rows[i];
        if (cover->from == scope->window.from && cover->to == scope->window.to)
            return cover;
    }
    return NULL;
}

static bool has_column(const char *const *columns, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++) {
        if (strcmp(columns[i], name) == 0)
            return true;
    }
    return false;
}

/* Whether rows of one scope cannot have the key of another's, of this update or an earlier one:
 * then a scope can be skipped while another is merged. */
static bool are_apart(const lochan_job *job) {
    const lochan_dataset_spec *spec = job->spec;
    if (spec->n_param_sets > 1)
        return false;
    if (spec->update_mode->all_scopes)
        return job->n_scopes == 1;
    if (job->scopes[0].assets && !has_column(spec->primary_key, spec->n_primary_key, "asset_id"))
        return false;
    if (job->timeless)
        return job->n_scopes == 1;
    return has_column(spec->primary_key, spec->n_primary_key, lochan_job__window_column(job));
}

static int64_t oldest_base(const lochan_job *job) {
    int64_t oldest = INT64_MAX, base;
    for (size_t i = 0; i < job->n_scopes; i++) {
        const lochan_scope *scope = &job->scopes[i];
        const lochan_cover *cover = cover_of(job, scope, scope->series[0]);
        if (cover && split(cover->hash, &base) && base < oldest)
            oldest = base;
    }
    return oldest;
}

lochan_status lochan_same__begin(lochan_job *job, lochan_error *err) {
    const lochan_update_mode *mode = job->spec->update_mode;
    job->hashes = mode->write != LOCHAN_WRITE_APPEND && job->source->kind != LOCHAN_SOURCE_FILES &&
                  (job->spec->n_primary_key > 0 || mode->all_scopes);
    job->skips = job->hashes && job->streams && job->dataset->table_id >= 0 && are_apart(job);
    if (!job->hashes)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_manage__hash_mapping(job->spec, job->mapping, err));
    int64_t oldest = job->skips ? oldest_base(job) : INT64_MAX;
    job->skips = oldest != INT64_MAX;
    return job->skips
               ? lochan_catalog__newest_intrusion(job->lake->catalog, oldest, &job->intrusion, err)
               : LOCHAN_OK;
}

lochan_status lochan_same__confirm(lochan_job *job, lochan_txn *txn, lochan_error *err) {
    int64_t newest, oldest = oldest_base(job);
    job->intruded = false;
    if (!job->skips)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_txn__newest_intrusion(txn, oldest, &newest, err));
    job->intruded = newest > job->intrusion;
    if (job->intruded)
        LOCHAN_WARN("%s: another program changed the lake meanwhile; what was equal before is "
                    "asked again by the next update",
                    job->full_name);
    return LOCHAN_OK;
}

static bool is_all(const lochan_series *series) {
    return series->asset[0] == '\0';
}

static const lochan_cover *find_hash(const lochan_series *series, lochan_window window) {
    const lochan_ledger *ledger = lochan_series__now(series);
    for (size_t i = 0; i < ledger->count; i++) {
        const lochan_cover *cover = &ledger->rows[i];
        if (cover->hash[0] && cover->from <= window.to && cover->to >= window.from)
            return cover;
    }
    return NULL;
}

static lochan_status void_series(lochan_series *series, lochan_window window, lochan_finality f,
                                 lochan_error *err) {
    for (const lochan_cover *found; (found = find_hash(series, window)) != NULL;) {
        lochan_cover cover = *found;
        cover.hash[0] = '\0';
        LOCHAN_TRY(lochan_series__record(series, &cover, f, err));
    }
    return LOCHAN_OK;
}

lochan_status lochan_same__void_others(const lochan_job *job, lochan_book *book,
                                       const lochan_scope *scope, lochan_finality f,
                                       lochan_error *err) {
    lochan_window window = scope->window;
    if (scope->unchanged || !job->hashes)
        return LOCHAN_OK;
    if (job->timeless)
        window = (lochan_window){INT32_MIN, INT32_MAX};
    bool all = is_all(scope->series[0]);
    for (size_t i = 0; i < book->n; i++) {
        if (is_all(book->items[i]) != all)
            LOCHAN_TRY(void_series(book->items[i], window, f, err));
    }
    return LOCHAN_OK;
}

/* ---- the content of an answer ---- */

static int compare_asset(const void *name, const void *series) {
    return strcmp(name, (*(lochan_series *const *)series)->asset);
}

/* Whether each row is of an asset that the scope asks for. */
static bool are_asked(const lochan_scope *scope, const struct ArrowSchema *schema,
                      const struct ArrowArray *batch) {
    int at = lochan_schema__find(schema, "asset_id");
    char name[256];
    lochan_view view;
    bool asked = true;
    if (at < 0 ||
        lochan_view__init(&view, schema->children[at], batch->children[at], NULL) != LOCHAN_OK)
        return false;
    for (int64_t i = 0; i < view.length && asked; i++) {
        lochan_str text = lochan_view__is_valid(&view, i) ? lochan_view__bytes(&view, i)
                                                          : (lochan_str){NULL, sizeof name};
        asked = text.n < sizeof name;
        if (!asked)
            break;
        memcpy(name, text.p, text.n);
        name[text.n] = '\0';
        asked = bsearch(name, scope->series, scope->n_series, sizeof *scope->series,
                        compare_asset) != NULL;
    }
    lochan_view__deinit(&view);
    return asked;
}

static uint64_t hash_of_columns(const struct ArrowSchema *schema) {
    uint64_t hash = 1;
    for (int64_t i = 0; i < schema->n_children; i++) {
        const struct ArrowSchema *column = schema->children[i];
        hash = lochan_hash__64(column->name, strlen(column->name) + 1, hash);
        hash = lochan_hash__64(column->format, strlen(column->format) + 1, hash);
    }
    return hash;
}

static bool add_rows(lochan_scope *scope, const struct ArrowSchema *schema,
                     const struct ArrowArray *batch, lochan_hash128 *hashes, int *columns) {
    uint64_t of_columns = hash_of_columns(schema);
    for (int64_t i = 0; i < schema->n_children; i++)
        columns[i] = (int)i;
    if (lochan_hash_rows(schema, batch, columns, (size_t)schema->n_children, hashes, NULL) !=
        LOCHAN_OK)
        return false;
    for (int64_t i = 0; i < batch->length; i++) {
        scope->content.lo += hashes[i].lo + of_columns;
        scope->content.hi += hashes[i].hi;
    }
    scope->content_rows += batch->length;
    return true;
}

/* What cannot be hashed, for want of memory, is merged. */
void lochan_same__note(lochan_job *job, lochan_scope *scope, const struct ArrowSchema *schema,
                       const struct ArrowArray *batch) {
    lochan_budget *budget = job->lake->ctx.budget;
    size_t bytes = (size_t)batch->length * sizeof(lochan_hash128);
    if (!job->hashes || scope->no_content)
        return;
    if (scope->assets && !are_asked(scope, schema, batch)) {
        scope->no_content = true;
        job->unasked = true;
        return;
    }
    scope->no_content = !lochan_budget__try_take(budget, bytes);
    if (scope->no_content)
        return;
    lochan_hash128 *hashes = lochan_mem__array((size_t)batch->length + 1, sizeof *hashes);
    int *columns = lochan_mem__array((size_t)schema->n_children + 1, sizeof *columns);
    scope->no_content = !hashes || !columns || !add_rows(scope, schema, batch, hashes, columns);
    lochan_mem__free(hashes);
    lochan_mem__free(columns);
    lochan_budget__give(budget, bytes);
}

static void print_content(const lochan_job *job, const lochan_scope *scope, char hex[33]) {
    char text[160];
    (void)lochan_format(text, sizeof text, "%s %016llx%016llx %lld", job->mapping,
                        (unsigned long long)scope->content.hi,
                        (unsigned long long)scope->content.lo, (long long)scope->content_rows);
    lochan_hash128__hex(lochan_hash__128(text, strlen(text)), hex);
}

/* ---- what follows from it ---- */

static bool is_unchanged(const lochan_job *job, const lochan_scope *scope) {
    char hex[33];
    int64_t base;
    if (!job->skips || scope->no_content || scope->content_rows == 0)
        return false;
    print_content(job, scope, hex);
    for (size_t i = 0; i < scope->n_series; i++) {
        const lochan_cover *cover = cover_of(job, scope, scope->series[i]);
        if (!cover || !split(cover->hash, &base) || base < job->intrusion ||
            memcmp(cover->hash, hex, 32) != 0)
            return false;
    }
    return scope->n_series > 0;
}

lochan_status lochan_same__check(const lochan_job *job, lochan_scope *scope, lochan_error *err) {
    if (!is_unchanged(job, scope))
        return LOCHAN_OK;
    scope->series_rows = lochan_mem__array(scope->n_series, sizeof(int64_t));
    if (!scope->series_rows)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < scope->n_series; i++)
        scope->series_rows[i] = cover_of(job, scope, scope->series[i])->rows;
    scope->unchanged = true;
    return LOCHAN_OK;
}

void lochan_same__settle(lochan_job *job) {
    for (size_t i = 0; i < job->n_scopes; i++)
        job->scopes[i].unchanged = job->scopes[i].unchanged && !job->unasked;
}

void lochan_same__hash(const lochan_job *job, const lochan_scope *scope, int64_t base,
                       char out[LOCHAN_COVER_HASH]) {
    out[0] = '\0';
    if (!job->hashes || scope->no_content || scope->content_rows == 0 || job->unasked ||
        job->report->rows_duplicate > 0)
        return;
    char hex[33];
    print_content(job, scope, hex);
    /* what was not merged is as old as it was */
    const lochan_cover *cover = cover_of(job, scope, scope->series[0]);
    if (scope->unchanged && cover)
        (void)split(cover->hash, &base);
    (void)lochan_format(out, LOCHAN_COVER_HASH, "%s@%lld", hex, (long long)base);
}
