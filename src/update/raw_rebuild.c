/* raw_rebuild.c - a dataset's table built again from its kept answers.
 *
 * Each update that is evidence is replayed, in the order of the commits, into a lake of its own
 * below data/staging, by the same code as an update; so modes, deduplication, rules and late fields
 * give what they gave. What comes out replaces the rows of the table in one commit, with the ledger
 * of what was replayed. Invariants: the provider is not asked; days and rows that the answers lack
 * are told before anything is published, and never go silently. May call: base/, arrow/, catalog/,
 * table/, manage.h, raw.h.
 */
#include "update/raw_rebuild.h"

#include "base/clock.h"
#include "base/fs.h"
#include "update/claim.h"
#include "update/manage.h"

/* ---- a lake of its own ---- */

static lochan_status make_scratch(struct lochan_rebuild *r, lochan_error *err) {
    lochan_lake_options options = LOCHAN_LAKE_OPTIONS_INIT;
    char *yaml = NULL;
    lochan_status rc;
    r->scratch_path = lochan_path__join(lochan_lake_path(r->lake), "data/staging/rebuild");
    if (r->scratch_path) {
        char *root = r->scratch_path;
        char name[420];
        (void)lochan_format(name, sizeof name, "%s/%s", r->dataset->source, r->dataset->name);
        r->scratch_path = lochan_path__join(root, name);
        lochan_mem__free(root);
    }
    if (!r->scratch_path) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_fs__remove_tree(r->scratch_path, err)); /* of one that was killed */
    LOCHAN_TRYG(lochan_fs__mkdirs(r->scratch_path, NULL, err));
    options.threads = lochan_pool__threads(r->lake->ctx.pool);
    LOCHAN_TRYG(lochan_lake_init(r->scratch_path, &options, err));
    LOCHAN_TRYG(lochan_lake_open(r->scratch_path, &options, &r->scratch, err));
    r->scratch->ctx.budget = r->lake->ctx.budget;
    r->scratch->ctx.cancel = r->lake->ctx.cancel;
    LOCHAN_TRYG(lochan_source_show(r->lake, r->dataset->source, &yaml, err));
    LOCHAN_TRYG(lochan_source_add(r->scratch, yaml, strlen(yaml), r->dataset->source, false, err));
    rc = lochan_dataset_add(r->scratch, r->dataset->spec, strlen(r->dataset->spec),
                            r->dataset->name, false, err);
done:
    lochan_free(yaml);
    return rc;
}

static void drop_scratch(struct lochan_rebuild *r) {
    lochan_lake_close(r->scratch);
    r->scratch = NULL;
    if (r->scratch_path)
        (void)lochan_fs__remove_tree(r->scratch_path, NULL);
    lochan_mem__free(r->scratch_path);
    r->scratch_path = NULL;
}

/* ---- replaying ---- */

/* Rejects that were released before `until`: their rows are in the table without an answer of their
 * own. */
static lochan_status release_until(struct lochan_rebuild *r, int64_t until, lochan_error *err) {
    for (size_t i = 0; i < r->rejects.n; i++) {
        lochan_reject_row *row = &r->rejects.rows[i];
        int64_t rows;
        if (strcmp(row->state, "released") != 0 || row->changed_ns >= until)
            continue;
        LOCHAN_TRY(lochan_rejects_release(r->scratch, r->dataset->source, r->dataset->name,
                                          row->update_id, &rows, err));
    }
    return LOCHAN_OK;
}

static lochan_status replay_one(struct lochan_rebuild *r, const lochan_raw_update *update,
                                lochan_raw_record *record, lochan_error *err) {
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    const lochan_replay replay = {record, update->folder, r->lake};
    request.source = r->dataset->source;
    request.dataset = r->dataset->name;
    request.progress = r->options->progress;
    request.payload = r->options->payload;
    LOCHAN_TRY(lochan_replay__run(r->scratch, &request, &replay, &report, err));
    r->report->updates++;
    r->report->scopes += report.scopes;
    r->report->scopes_failed += report.scopes_failed;
    r->report->answers += record->answers;
    r->report->rows_rejected += report.rows_rejected;
    return LOCHAN_OK;
}

static bool is_wanted(const struct lochan_rebuild *r, const lochan_raw_update *update) {
    const lochan_raw_options *o = r->options;
    if (o->n_update_ids == 0)
        return true;
    for (size_t i = 0; i < o->n_update_ids; i++) {
        if (strcmp(o->update_ids[i], update->update_id) == 0)
            return true;
    }
    return false;
}

static lochan_status replay_all(struct lochan_rebuild *r, lochan_error *err) {
    for (size_t i = 0; i < r->updates.n; i++) {
        const lochan_raw_update *update = &r->updates.items[i];
        lochan_raw_record record;
        if (!is_wanted(r, update))
            continue;
        lochan_status rc = lochan_raw_record__read(update->folder, &record, err);
        if (rc == LOCHAN_OK && record.started_ns >= r->since_ns)
            rc = release_until(r, update->finished_ns, err);
        if (rc == LOCHAN_OK && record.started_ns >= r->since_ns)
            rc = replay_one(r, update, &record, err);
        lochan_raw_record__deinit(&record);
        if (rc != LOCHAN_OK)
            return rc;
        LOCHAN_FAILPOINT("update.rebuild.replayed", err);
    }
    return release_until(r, INT64_MAX, err);
}

static lochan_status check_ids(const struct lochan_rebuild *r, lochan_error *err) {
    const lochan_raw_options *o = r->options;
    for (size_t i = 0; i < o->n_update_ids; i++) {
        bool there = false;
        for (size_t u = 0; u < r->updates.n; u++)
            there = there || strcmp(r->updates.items[u].update_id, o->update_ids[i]) == 0;
        if (!there)
            return lochan_error__set(err, LOCHAN_ERR_NOT_FOUND,
                                     "%s/%s: no answers of update '%.60s' are kept",
                                     r->dataset->source, r->dataset->name, o->update_ids[i]);
    }
    if (r->updates.n > 0)
        return LOCHAN_OK;
    lochan_status rc = lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "%s/%s: no answers are kept",
                                         r->dataset->source, r->dataset->name);
    lochan_error__hint(err, "'keep_raw: true' in the dataset's spec keeps those of later updates");
    return rc;
}

/* ---- what the answers lack ---- */

static bool is_good(const lochan_cover *cover) {
    return cover->state == LOCHAN_COVER_SUCCESS || cover->state == LOCHAN_COVER_EMPTY;
}

static lochan_status add_lack(struct lochan_rebuild *r, lochan_series *series, int32_t from,
                              int32_t to, lochan_error *err) {
    void *lacks = lochan_mem__grow(r->lacks, r->n_lacks, &r->cap_lacks, sizeof *r->lacks);
    if (!lacks)
        return lochan_error__nomem(err);
    r->lacks = lacks;
    r->lacks[r->n_lacks++] = (struct lochan_rebuild_lack){series, from, to};
    return LOCHAN_OK;
}

/* Days of [from, to] that the replayed series does not call good. */
lochan_status lochan_rebuild__find_lacks(struct lochan_rebuild *r, lochan_series *series,
                                         const lochan_cover *cover, lochan_error *err) {
    const lochan_series *found = lochan_book__find(&r->replayed, series->asset, series->variant);
    int64_t next = cover->from;
    for (size_t i = 0; found && i < found->before.count && next <= cover->to; i++) {
        const lochan_cover *c = &found->before.rows[i];
        if (!is_good(c) || c->to < next)
            continue;
        if (c->from > next)
            LOCHAN_TRY(add_lack(r, series, (int32_t)next,
                                c->from - 1 < cover->to ? c->from - 1 : cover->to, err));
        next = (int64_t)c->to + 1;
    }
    return next <= cover->to ? add_lack(r, series, (int32_t)next, cover->to, err) : LOCHAN_OK;
}

static lochan_status load_ledgers(struct lochan_rebuild *r, lochan_error *err) {
    lochan_dataset_rows rows = {0};
    lochan_status rc;
    LOCHAN_TRYG(lochan_catalog__datasets(r->scratch->catalog, r->dataset->source, r->dataset->name,
                                         &rows, err));
    LOCHAN_TRYG(lochan_book__load(&r->replayed, r->scratch->catalog, rows.rows[0].dataset_id, err));
    rc = lochan_book__load(&r->book, r->lake->catalog, r->dataset->dataset_id, err);
done:
    lochan_dataset_rows__deinit(&rows);
    return rc;
}

static lochan_status compare_ledgers(struct lochan_rebuild *r, lochan_error *err) {
    for (size_t s = 0; s < r->book.n; s++) {
        lochan_series *series = r->book.items[s];
        for (size_t i = 0; i < series->before.count; i++) {
            if (is_good(&series->before.rows[i]))
                LOCHAN_TRY(lochan_rebuild__find_lacks(r, series, &series->before.rows[i], err));
        }
    }
    r->report->lacking = (int64_t)r->n_lacks;
    return LOCHAN_OK;
}

/* The ledger as it will be: what was replayed, over what was known; what is lacking is owed. */
static lochan_status merge_ledgers(struct lochan_rebuild *r, lochan_error *err) {
    const lochan_dataset_spec *spec = r->spec;
    lochan_finality f = {spec->settle_days, spec->refresh_days, lochan_clock__wall_ns()};
    for (size_t s = 0; s < r->replayed.n; s++) {
        const lochan_series *from = r->replayed.items[s];
        lochan_series *to;
        LOCHAN_TRY(lochan_book__get(&r->book, from->asset, from->variant, &to, err));
        if (!spec->window_column && from->before.count > 0)
            lochan_series__clear(to);
        for (size_t i = 0; i < from->before.count; i++) {
            lochan_cover cover = from->before.rows[i];
            cover.hash[0] = '\0'; /* it names snapshots of the other lake */
            LOCHAN_TRY(lochan_series__record(to, &cover, f, err));
        }
    }
    for (size_t i = 0; i < r->n_lacks; i++) {
        lochan_cover owed = {.from = r->lacks[i].from,
                             .to = r->lacks[i].to,
                             .state = LOCHAN_COVER_FAILED,
                             .asked_at = f.now,
                             .rows = -1,
                             .message = "no answer was kept from which the table was built again"};
        memcpy(owed.update_id, r->report->update_id, sizeof owed.update_id);
        LOCHAN_TRY(lochan_series__record(r->lacks[i].series, &owed, f, err));
    }
    return LOCHAN_OK;
}

/* ---- the whole ---- */

static lochan_status refuse(const struct lochan_rebuild *r, int64_t lost, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    char from[16], to[16];
    if (r->n_lacks > 0) {
        lochan_civil__format_date(r->lacks[0].from, from);
        lochan_civil__format_date(r->lacks[0].to, to);
        rc = lochan_error__set(
            err, LOCHAN_ERR_PARTIAL,
            "%s/%s: the kept answers lack %zu intervals of days that the ledger has, the first "
            "from %s to %s%s%.60s",
            r->dataset->source, r->dataset->name, r->n_lacks, from, to,
            r->lacks[0].series->asset[0] ? " of " : "", r->lacks[0].series->asset);
    } else if (lost > 0) {
        rc = lochan_error__set(err, LOCHAN_ERR_PARTIAL,
                               "%s/%s: the kept answers do not give %lld rows that the table has",
                               r->dataset->source, r->dataset->name, (long long)lost);
    }
    if (rc != LOCHAN_OK)
        lochan_error__hint(err, "--plan shows more; --partial goes on without them");
    return rc;
}

static lochan_status restore(struct lochan_rebuild *r, lochan_error *err) {
    LOCHAN_TRY(lochan_rebuild__restore(r, err));
    if (r->options->plan || r->report->scopes == 0)
        return LOCHAN_OK;
    return lochan_rebuild__publish(r, err);
}

static lochan_status rebuild(struct lochan_rebuild *r, lochan_error *err) {
    int64_t lost = 0;
    LOCHAN_TRY(compare_ledgers(r, err));
    if (r->n_lacks > 0 && !r->options->partial && !r->options->plan)
        return refuse(r, 0, err);
    LOCHAN_TRY(merge_ledgers(r, err));
    LOCHAN_TRY(lochan_rebuild__write(r, &lost, err));
    if (r->options->plan)
        return LOCHAN_OK;
    if (!r->options->partial)
        LOCHAN_TRY(refuse(r, lost, err));
    return lochan_rebuild__publish(r, err);
}

static lochan_status run(struct lochan_rebuild *r, lochan_error *err) {
    LOCHAN_TRY(make_scratch(r, err));
    LOCHAN_TRY(replay_all(r, err));
    LOCHAN_TRY(load_ledgers(r, err));
    LOCHAN_FAILPOINT("update.rebuild.compared", err);
    return r->options->owed ? restore(r, err) : rebuild(r, err);
}

static lochan_status open_dataset(struct lochan_rebuild *r, const char *source, const char *dataset,
                                  lochan_error *err) {
    const lochan_raw_options *o = r->options;
    bool writes = !o->plan;
    if (o->since && !lochan_civil__parse_utc(o->since, strlen(o->since), &r->since_ns))
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "since: expected a time like 2026-01-31 12:00:00, got '%.40s'",
                                 o->since);
    LOCHAN_TRY(lochan_lake__check_writable(r->lake, err));
    LOCHAN_TRY(lochan_manage__load_dataset(r->lake, source, dataset, &r->rows, &r->spec, err));
    r->dataset = &r->rows.rows[0];
    LOCHAN_TRY(lochan_claim__dataset(r->lake, source, dataset, &r->lease, err));
    LOCHAN_TRY(lochan_raw__list(r->lake, r->dataset, writes, &r->updates, err));
    LOCHAN_TRY(check_ids(r, err));
    return lochan_catalog__rejects(r->lake->catalog, source, dataset, NULL, &r->rejects, err);
}

static void close_all(struct lochan_rebuild *r) {
    lochan_rebuild__drop(r);
    drop_scratch(r);
    lochan_book__deinit(&r->book);
    lochan_book__deinit(&r->replayed);
    lochan_mem__free(r->lacks);
    lochan_reject_rows__deinit(&r->rejects);
    lochan_raw_updates__deinit(&r->updates);
    lochan_lease__release(r->lease);
    lochan_dataset_spec__free(r->spec);
    lochan_dataset_rows__deinit(&r->rows);
}

static lochan_status check_options(const lochan_raw_options *o, lochan_error *err) {
    LOCHAN_CHECK_ARG(o->struct_size == sizeof *o && (o->update_ids || o->n_update_ids == 0), err);
    for (size_t i = 0; i < sizeof o->reserved; i++)
        LOCHAN_CHECK_ARG(o->reserved[i] == 0, err);
    for (size_t i = 0; i < o->n_update_ids; i++)
        LOCHAN_CHECK_ARG(o->update_ids[i] != NULL, err);
    return LOCHAN_OK;
}

lochan_status lochan_raw_rebuild(lochan_lake *lake, const char *source, const char *dataset,
                                 const lochan_raw_options *options, lochan_raw_report *report,
                                 struct ArrowArrayStream *lacks, lochan_error *err) {
    const lochan_raw_options defaults = LOCHAN_RAW_OPTIONS_INIT;
    struct lochan_rebuild r = {.lake = lake,
                               .options = options ? options : &defaults,
                               .report = report,
                               .since_ns = INT64_MIN};
    if (lacks)
        memset(lacks, 0, sizeof *lacks);
    LOCHAN_CHECK_ARG(lake && source && dataset && report, err);
    LOCHAN_TRY(check_options(r.options, err));
    *report = (lochan_raw_report){.struct_size = sizeof *report, .snapshot_id = -1};
    r.started_ns = lochan_clock__wall_ns();
    lochan_uuid__make(report->update_id);
    lochan_status rc = open_dataset(&r, source, dataset, err);
    if (rc == LOCHAN_OK)
        rc = run(&r, err);
    if (lacks && (rc == LOCHAN_OK || rc == LOCHAN_ERR_PARTIAL))
        LOCHAN_KEEP(lochan_rebuild__list_lacks(&r, lacks, LOCHAN_KEEP_ERR(rc, err)));
    close_all(&r);
    return rc;
}
