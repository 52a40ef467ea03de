/* many.c - several datasets in one call: references before those that read them, independent ones
 * at the same time; the failure of one is told and does not stop the others unless asked. May call:
 * base/, catalog/, manage.h.
 */
#include "base/pool.h"
#include "update/manage.h"
#include <lochan/update.h>
#include <pthread.h>

#define MAX_PARALLEL 32

/* One dataset of the call. */
struct entry {
    const lochan_dataset_row *row;
    lochan_dataset_spec *spec;
    int wave; /* 0: needs nobody; else one more than those it reads */
    lochan_status status;
    bool ran;
};

struct many {
    lochan_lake *lake;
    const lochan_update_many *which;
    const lochan_update_request *request;
    lochan_dataset_rows rows;
    struct entry *entries;
    size_t n;
    int wave; /* under way */
    pthread_mutex_t mutex;
    size_t done, failed; /* under mutex, as all below */
    bool stop;
    lochan_error first;
};

/* ---- which ---- */

static bool is_named(const lochan_update_many *which, const lochan_dataset_row *row) {
    char full[300];
    if (which->source && strcmp(which->source, row->source) != 0)
        return false;
    if (which->n_datasets == 0)
        return row->enabled;
    (void)lochan_format(full, sizeof full, "%s/%s", row->source, row->name);
    for (size_t i = 0; i < which->n_datasets; i++) {
        if (strcmp(which->datasets[i], full) == 0 ||
            (which->source && strcmp(which->datasets[i], row->name) == 0))
            return true;
    }
    return false;
}

/* Every name that was given must be one. */
static lochan_status check_names(const struct many *m, lochan_error *err) {
    for (size_t i = 0; i < m->which->n_datasets; i++) {
        lochan_update_many one = *m->which;
        bool found = false;
        one.datasets = &m->which->datasets[i];
        one.n_datasets = 1;
        for (size_t r = 0; r < m->rows.n && !found; r++)
            found = is_named(&one, &m->rows.rows[r]);
        if (!found)
            return lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "no dataset %.200s in lake %.200s",
                                     m->which->datasets[i], lochan_lake_path(m->lake));
    }
    return LOCHAN_OK;
}

/* All datasets that are enabled are those of sources that are. */
static lochan_status is_chosen(const struct many *m, const lochan_dataset_row *row, bool *chosen,
                               lochan_error *err) {
    lochan_source_spec *spec = NULL;
    *chosen = is_named(m->which, row);
    if (!*chosen || m->which->n_datasets > 0)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_manage__load_source(m->lake, row->source, m->request->source_options,
                                          m->request->n_source_options, &spec, err));
    *chosen = spec->enabled;
    lochan_source_spec__free(spec);
    return LOCHAN_OK;
}

static lochan_status choose(struct many *m, lochan_error *err) {
    bool chosen;
    LOCHAN_TRY(lochan_catalog__datasets(m->lake->catalog, NULL, NULL, &m->rows, err));
    LOCHAN_TRY(check_names(m, err));
    m->entries = lochan_mem__array(m->rows.n + 1, sizeof *m->entries);
    if (!m->entries)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < m->rows.n; i++) {
        const lochan_dataset_row *row = &m->rows.rows[i];
        LOCHAN_TRY(is_chosen(m, row, &chosen, err));
        if (!chosen)
            continue;
        struct entry *entry = &m->entries[m->n++];
        *entry = (struct entry){.row = row};
        LOCHAN_TRY(
            lochan_dataset_spec__parse(row->spec, strlen(row->spec), row->name, &entry->spec, err));
    }
    return LOCHAN_OK;
}

/* ---- order ---- */

static bool reads(const lochan_dataset_spec *spec, const lochan_dataset_row *other) {
    const lochan_reference *const references[] = {&spec->assets, &spec->discovery, &spec->calendar};
    for (size_t i = 0; i < LOCHAN_COUNTOF(references); i++) {
        const lochan_reference *r = references[i];
        if (r->source && strcmp(r->source, other->source) == 0 &&
            strcmp(r->dataset, other->name) == 0)
            return true;
    }
    return false;
}

/* Waves by repeated passes; a circle of references ends after as many passes as there are datasets
 * and then runs in whatever order it has. Reference tables go before all others. */
static void order(struct many *m) {
    for (size_t i = 0; i < m->n; i++)
        m->entries[i].wave = m->entries[i].spec->reference ? 0 : 1;
    bool changed = true;
    for (size_t pass = 0; changed && pass < m->n; pass++) {
        changed = false;
        for (size_t i = 0; i < m->n; i++) {
            struct entry *entry = &m->entries[i];
            for (size_t j = 0; j < m->n; j++) {
                if (i == j || !reads(entry->spec, m->entries[j].row) ||
                    m->entries[j].wave < entry->wave)
                    continue;
                entry->wave = m->entries[j].wave + 1;
                changed = true;
            }
        }
    }
}

/* ---- running ---- */

static void run_one(struct many *m, struct entry *entry) {
    lochan_update_request request = *m->request;
    lochan_update_report report = {.struct_size = sizeof report, .snapshot_id = -1};
    lochan_error error;
    lochan_error_init(&error);
    request.source = entry->row->source;
    request.dataset = entry->row->name;
    entry->status = lochan_update_run(m->lake, &request, &report, &error);
    entry->ran = true;
    lochan_update_result result = {.struct_size = sizeof result,
                                   .source = request.source,
                                   .dataset = request.dataset,
                                   .status = entry->status,
                                   .error = &error,
                                   .report = &report};
    pthread_mutex_lock(&m->mutex);
    m->done++;
    if (entry->status != LOCHAN_OK) {
        if (m->failed++ == 0)
            m->first = error;
        m->stop = m->stop || m->which->stop_on_failure || entry->status == LOCHAN_ERR_CANCELLED;
    }
    if (m->which->on_done)
        m->which->on_done(m->which->payload, &result);
    pthread_mutex_unlock(&m->mutex);
}

/* Failures stay in the entries: one must not keep the pool from starting the others. */
static lochan_status run_task(void *ctx, size_t index, lochan_error *err) {
    struct many *m = ctx;
    (void)err;
    pthread_mutex_lock(&m->mutex);
    bool stop = m->stop;
    pthread_mutex_unlock(&m->mutex);
    if (!stop && m->entries[index].wave == m->wave)
        run_one(m, &m->entries[index]);
    return LOCHAN_OK;
}

static lochan_status outcome(const struct many *m, lochan_error *err) {
    if (m->failed == 0)
        return LOCHAN_OK;
    lochan_status code = m->failed < m->n ? LOCHAN_ERR_PARTIAL : m->first.code;
    if (m->first.code == LOCHAN_ERR_CANCELLED)
        code = LOCHAN_ERR_CANCELLED;
    if (err) {
        *err = m->first;
        err->code = code;
        (void)lochan_format(err->message, sizeof err->message,
                            "%zu of %zu datasets failed or were not reached; the first: %s",
                            m->failed + (m->n - m->done), m->n, m->first.message);
    }
    return code;
}

lochan_status lochan_update_run_many(lochan_lake *lake, const lochan_update_many *which,
                                     const lochan_update_request *request, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && which && request && which->struct_size == sizeof *which, err);
    struct many m = {.lake = lake, .which = which, .request = request};
    int parallel = which->parallel > 0 ? which->parallel : 4;
    lochan_pool *pool = NULL;
    int last = 0;
    lochan_status rc;
    if (which->parallel < 0 || which->parallel > MAX_PARALLEL)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "parallel: expected 1 to %d, got %d", MAX_PARALLEL,
                                 which->parallel);
    if (request->token)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "a token names one commit; many datasets are many");
    pthread_mutex_init(&m.mutex, NULL);
    LOCHAN_TRYG(choose(&m, err));
    order(&m);
    for (size_t i = 0; i < m.n; i++)
        last = m.entries[i].wave > last ? m.entries[i].wave : last;
    LOCHAN_TRYG(lochan_pool__create(parallel, &pool, err)); /* not the lake's: its tasks wait */
    for (m.wave = 0; m.wave <= last && !m.stop; m.wave++)
        LOCHAN_TRYG(lochan_pool__for(pool, m.n, run_task, &m, NULL, err));
    rc = outcome(&m, err);
done:
    lochan_pool__free(pool);
    for (size_t i = 0; i < m.n; i++)
        lochan_dataset_spec__free(m.entries[i].spec);
    lochan_mem__free(m.entries);
    lochan_dataset_rows__deinit(&m.rows);
    pthread_mutex_destroy(&m.mutex);
    return rc;
}
