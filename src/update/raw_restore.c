/* raw_restore.c - days that the ledger owes, from kept answers instead of the provider: what a
 * repair took out comes back, and nothing else of the table is touched.
 * Invariant: only rows of days that are owed are written, and the ledger says in the same commit
 * that they are there. May call: base/, catalog/, table/, raw_rebuild.h.
 */
#include "update/raw_rebuild.h"

#include "update/mode.h"

static bool is_good(const lochan_cover *cover) {
    return cover->state == LOCHAN_COVER_SUCCESS || cover->state == LOCHAN_COVER_EMPTY;
}

/* ---- rows ---- */

static lochan_status put_quoted(lochan_buf *out, const char *text, lochan_error *err) {
    LOCHAN_TRY(lochan_buf__putc(out, '\'', err));
    for (; *text; text++) {
        if (*text == '\'')
            LOCHAN_TRY(lochan_buf__putc(out, '\'', err));
        LOCHAN_TRY(lochan_buf__putc(out, *text, err));
    }
    return lochan_buf__putc(out, '\'', err);
}

/* "time >= '2020-01-01' and time < '2020-02-01' and asset_id = 'A'" */
static lochan_status print_where(const struct lochan_rebuild *r, const lochan_series *series,
                                 const lochan_cover *cover, lochan_buf *out, lochan_error *err) {
    const char *days = r->spec->window_column;
    char from[16], after[16];
    lochan_buf__clear(out);
    if (days) {
        lochan_civil__format_date(cover->from, from);
        lochan_civil__format_date(cover->to + 1, after);
        LOCHAN_TRY(
            lochan_buf__printf(out, err, "%s >= '%s' and %s < '%s'", days, from, days, after));
    }
    if (!series->asset[0])
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_buf__printf(out, err, "%sasset_id = ", days ? " and " : ""));
    return put_quoted(out, series->asset, err);
}

static lochan_status copy_interval(struct lochan_rebuild *r, const lochan_series *series,
                                   const lochan_cover *cover, lochan_error *err) {
    lochan_buf where;
    lochan_buf__init(&where, 4096);
    lochan_status rc = print_where(r, series, cover, &where, err);
    if (rc == LOCHAN_OK && r->built)
        rc = lochan_rebuild__copy(r, where.len ? (const char *)where.data : NULL, err);
    lochan_buf__deinit(&where);
    return rc;
}

/* ---- the ledger ---- */

/* Days of an answer that the lake's ledger does not have. */
static lochan_status restore_part(struct lochan_rebuild *r, lochan_series *series,
                                  const lochan_cover *good, int32_t from, int32_t to,
                                  lochan_error *err) {
    const lochan_finality f = {r->spec->settle_days, r->spec->refresh_days, r->started_ns};
    lochan_cover cover = *good;
    cover.from = from;
    cover.to = to;
    cover.hash[0] = '\0';
    if (cover.from != good->from || cover.to != good->to)
        cover.rows = -1;
    LOCHAN_TRY(copy_interval(r, series, &cover, err));
    r->report->scopes++;
    return lochan_series__record(series, &cover, f, err);
}

/* What is left of a good interval after those that the ledger calls good. */
static lochan_status restore_interval(struct lochan_rebuild *r, lochan_series *series,
                                      const lochan_cover *good, lochan_error *err) {
    int64_t next = good->from;
    for (size_t i = 0; i < series->before.count && next <= good->to; i++) {
        const lochan_cover *known = &series->before.rows[i];
        if (!is_good(known) || known->to < next)
            continue;
        if (known->from > next)
            LOCHAN_TRY(restore_part(r, series, good, (int32_t)next,
                                    known->from - 1 < good->to ? known->from - 1 : good->to, err));
        next = (int64_t)known->to + 1;
    }
    return next <= good->to ? restore_part(r, series, good, (int32_t)next, good->to, err)
                            : LOCHAN_OK;
}

static lochan_status restore_series(struct lochan_rebuild *r, const lochan_series *replayed,
                                    lochan_error *err) {
    lochan_series *series;
    LOCHAN_TRY(lochan_book__get(&r->book, replayed->asset, replayed->variant, &series, err));
    for (size_t i = 0; i < replayed->before.count; i++) {
        if (is_good(&replayed->before.rows[i]))
            LOCHAN_TRY(restore_interval(r, series, &replayed->before.rows[i], err));
    }
    return LOCHAN_OK;
}

/* Days that failed and of which no answer was kept. */
static lochan_status find_rest(struct lochan_rebuild *r, lochan_series *series, lochan_error *err) {
    for (size_t i = 0; i < series->before.count; i++) {
        if (!is_good(&series->before.rows[i]))
            LOCHAN_TRY(lochan_rebuild__find_lacks(r, series, &series->before.rows[i], err));
    }
    return LOCHAN_OK;
}

lochan_status lochan_rebuild__restore(struct lochan_rebuild *r, lochan_error *err) {
    if (!r->spec->update_mode->keyed)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "%s/%s has no key by which rows could be told apart; "
                                 "rebuild-from-raw makes all of it again",
                                 r->dataset->source, r->dataset->name);
    r->report->scopes = 0;
    LOCHAN_TRY(lochan_rebuild__open(r, LOCHAN_WRITE_UPSERT, err));
    for (size_t s = 0; s < r->replayed.n; s++)
        LOCHAN_TRY(restore_series(r, r->replayed.items[s], err));
    for (size_t s = 0; s < r->book.n; s++)
        LOCHAN_TRY(find_rest(r, r->book.items[s], err));
    r->report->lacking = (int64_t)r->n_lacks;
    return lochan_rebuild__merge(r, err);
}
