/* heal.c - see heal.h. Invariant: only days with a good answer become owed, and they keep when they
 * were asked. May call: base/, catalog/, job.h.
 */
#include "update/heal.h"

#include "base/civil.h"
#include "base/log.h"
#include "base/str.h"
#include "catalog/intrusion.h"

static void name_of(const lochan_dataset_row *dataset, char dst[48]) {
    (void)lochan_format(dst, 48, "known.%lld", (long long)dataset->dataset_id);
}

static lochan_status find(lochan_job *job, lochan_intrusion_rows *out, lochan_error *err) {
    char name[48], noted[64];
    int64_t since = -1;
    name_of(job->dataset, name);
    LOCHAN_TRY(lochan_catalog__option(job->lake->catalog, name, noted, sizeof noted, err));
    if (noted[0] && !lochan_parse__int64(noted, strlen(noted), &since))
        since = -1;
    bool has_days = !job->timeless && job->source->kind != LOCHAN_SOURCE_FILES;
    return lochan_catalog__intrusions(job->lake->catalog, job->dataset, since,
                                      has_days ? lochan_job__window_column(job) : NULL, out, err);
}

/* Why, as the ledger keeps it. */
static lochan_status print_reason(lochan_job *job, const lochan_intrusion *intrusion,
                                  const char **out, lochan_error *err) {
    *out = lochan_arena__printf(&job->arena, "rows were changed by %s (snapshot %lld)",
                                intrusion->by, (long long)intrusion->snapshot_id);
    return *out ? LOCHAN_OK : lochan_error__nomem(err);
}

typedef struct healing {
    lochan_job *job;
    lochan_finality finality;
    bool planned; /* into what the plan is made from, else into what is put */
    bool any;
    lochan_window days; /* the hull of what became owed of one snapshot */
} healing;

static lochan_status owe(healing *h, lochan_series *series, const lochan_cover *cover,
                         const lochan_intrusion *intrusion, const char *reason, lochan_error *err) {
    lochan_cover part = *cover;
    part.from = cover->from > intrusion->day_from ? cover->from : intrusion->day_from;
    part.to = cover->to < intrusion->day_to ? cover->to : intrusion->day_to;
    bool good = cover->state == LOCHAN_COVER_SUCCESS || cover->state == LOCHAN_COVER_EMPTY;
    if (!good || part.from > part.to)
        return LOCHAN_OK;
    part.state = LOCHAN_COVER_FAILED;
    part.attempts = 0;
    part.rows = -1;
    part.hash[0] = '\0';
    part.message = reason;
    h->days.from = h->any && h->days.from < part.from ? h->days.from : part.from;
    h->days.to = h->any && h->days.to > part.to ? h->days.to : part.to;
    h->any = true;
    return h->planned ? lochan_ledger__record(&series->before, &part, h->finality, err)
                      : lochan_series__record(series, &part, h->finality, err);
}

static lochan_status owe_series(healing *h, lochan_series *series,
                                const lochan_intrusion *intrusion, const char *reason,
                                lochan_error *err) {
    lochan_ledger known = {0};
    lochan_status rc;
    LOCHAN_TRYG(lochan_ledger__dup(lochan_series__now(series), &known, err));
    for (size_t i = 0; i < known.count; i++)
        LOCHAN_TRYG(owe(h, series, &known.rows[i], intrusion, reason, err));
done:
    lochan_ledger__deinit(&known);
    return rc;
}

/* The files of one snapshot, rows [from, to). */
static lochan_status owe_snapshot(healing *h, lochan_book *book, const lochan_intrusion_rows *found,
                                  size_t from, size_t to, lochan_error *err) {
    const char *reason;
    LOCHAN_TRY(print_reason(h->job, &found->rows[from], &reason, err));
    h->any = false;
    for (size_t i = from; i < to; i++) {
        for (size_t s = 0; s < book->n; s++)
            LOCHAN_TRY(owe_series(h, book->items[s], &found->rows[i], reason, err));
    }
    return LOCHAN_OK;
}

static void note_text(lochan_job *job, const healing *h, const lochan_intrusion *intrusion) {
    char from[16], to[16];
    size_t n = strlen(job->healed);
    lochan_civil__format_date(h->days.from, from);
    lochan_civil__format_date(h->days.to, to);
    bool dated = !job->timeless && job->source->kind != LOCHAN_SOURCE_FILES;
    (void)lochan_format(job->healed + n, sizeof job->healed - n,
                        "%srows%s%s%s%s were changed by %s (snapshot %lld)", n ? ", " : "",
                        dated ? " of " : "", dated ? from : "", dated ? ".." : "", dated ? to : "",
                        intrusion->by, (long long)intrusion->snapshot_id);
}

static lochan_status owe_all(healing *h, lochan_book *book, const lochan_intrusion_rows *found,
                             lochan_error *err) {
    for (size_t from = 0, to; from < found->n; from = to) {
        for (to = from;
             to < found->n && found->rows[to].snapshot_id == found->rows[from].snapshot_id;)
            to++;
        LOCHAN_TRY(owe_snapshot(h, book, found, from, to, err));
        if (h->planned && h->any)
            note_text(h->job, h, &found->rows[from]);
    }
    return LOCHAN_OK;
}

static bool may_have_any(const lochan_job *job) {
    return job->dataset->table_id >= 0 && !job->replay;
}

lochan_status lochan_heal__plan(lochan_job *job, lochan_error *err) {
    lochan_intrusion_rows found = {0};
    healing h = {.job = job, .finality = job->finality, .planned = true};
    job->healed[0] = '\0';
    if (!may_have_any(job))
        return LOCHAN_OK;
    LOCHAN_TRY(find(job, &found, err));
    lochan_status rc = owe_all(&h, &job->book, &found, err);
    lochan_intrusion_rows__deinit(&found);
    return rc;
}

void lochan_heal__tell(const lochan_job *job) {
    if (job->healed[0] && job->n_scopes > 0)
        LOCHAN_WARN("%s: %s: asked again", job->full_name, job->healed);
}

lochan_status lochan_heal__publish(lochan_job *job, lochan_book *book, lochan_txn *txn,
                                   lochan_error *err) {
    lochan_intrusion_rows found = {0};
    healing h = {.job = job, .finality = job->finality};
    char name[48], known[24];
    lochan_status rc = LOCHAN_OK;
    if (!may_have_any(job))
        return LOCHAN_OK;
    LOCHAN_TRY(find(job, &found, err));
    if (found.n == 0)
        goto done;
    LOCHAN_TRYG(owe_all(&h, book, &found, err));
    name_of(job->dataset, name);
    (void)lochan_format(known, sizeof known, "%lld", (long long)lochan_txn__base(txn));
    LOCHAN_TRYG(lochan_txn__set_option(txn, name, known, err));
done:
    lochan_intrusion_rows__deinit(&found);
    return rc;
}
