/* gaps.c - the ledger as lists: what was asked, what is missing and why, what failed.
 * May call: base/, arrow/, catalog/, ledger.h, series.h, reference.h, manage.h.
 */
#include "arrow/listing.h"
#include "base/clock.h"
#include "catalog/query.h"
#include "update/manage.h"
#include "update/planner.h"
#include "update/reference.h"
#include "update/series.h"
#include <lochan/update.h>

#define DAY_NS INT64_C(86400000000000)

/* One dataset and its ledger. */
struct look {
    lochan_lake *lake;
    const lochan_dataset_row *row;
    lochan_dataset_spec *spec;
    lochan_book book;
    lochan_listing *list;
    bool has_start;
    int32_t start, end;
    int64_t now;
};

typedef lochan_status (*look_fn)(struct look *look, lochan_error *err);

static lochan_status look_at(struct look *look, look_fn fn, lochan_error *err) {
    const lochan_dataset_row *row = look->row;
    lochan_status rc;
    look->book = (lochan_book){0};
    look->spec = NULL;
    LOCHAN_TRYG(
        lochan_dataset_spec__parse(row->spec, strlen(row->spec), row->name, &look->spec, err));
    LOCHAN_TRYG(lochan_book__load(&look->book, look->lake->catalog, row->dataset_id, err));
    rc = fn(look, err);
done:
    lochan_book__deinit(&look->book);
    lochan_dataset_spec__free(look->spec);
    return rc;
}

static lochan_status look_at_all(struct look *look, const char *source, const char *dataset,
                                 const lochan_listing_column *columns, look_fn fn,
                                 struct ArrowArrayStream *out, lochan_error *err) {
    lochan_dataset_rows rows = {0};
    lochan_listing list = {0};
    lochan_status rc;
    out->release = NULL;
    look->list = &list;
    look->now = lochan_clock__wall_ns();
    LOCHAN_TRYG(lochan_catalog__datasets(look->lake->catalog, source, dataset, &rows, err));
    if (rows.n == 0 && dataset) {
        rc = lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "no dataset %s/%s in lake %.200s",
                               source ? source : "*", dataset, lochan_lake_path(look->lake));
        goto done;
    }
    LOCHAN_TRYG(lochan_listing__init(&list, columns, err));
    for (size_t i = 0; i < rows.n; i++) {
        look->row = &rows.rows[i];
        LOCHAN_TRYG(look_at(look, fn, err));
    }
    rc = lochan_listing__finish(&list, out, err);
done:
    lochan_listing__deinit(&list);
    lochan_dataset_rows__deinit(&rows);
    return rc;
}

static lochan_status put_names(struct look *look, const lochan_series *series, int32_t from,
                               int32_t to, lochan_error *err) {
    char day[16];
    LOCHAN_TRY(lochan_listing__string(look->list, 0, look->row->source, err));
    LOCHAN_TRY(lochan_listing__string(look->list, 1, look->row->name, err));
    if (series->asset[0])
        LOCHAN_TRY(lochan_listing__string(look->list, 2, series->asset, err));
    if (series->variant[0])
        LOCHAN_TRY(lochan_listing__string(look->list, 3, series->variant, err));
    lochan_civil__format_date(from, day);
    LOCHAN_TRY(lochan_listing__string(look->list, 4, day, err));
    lochan_civil__format_date(to, day);
    return lochan_listing__string(look->list, 5, day, err);
}

static lochan_status put_message(struct look *look, int column, const char *message,
                                 lochan_error *err) {
    return message && *message ? lochan_listing__string(look->list, column, message, err)
                               : LOCHAN_OK;
}

/* ---- scopes ---- */

static lochan_status list_scopes(struct look *look, lochan_error *err) {
    for (size_t i = 0; i < look->book.n; i++) {
        const lochan_series *series = look->book.items[i];
        for (size_t r = 0; r < series->before.count; r++) {
            const lochan_cover *c = &series->before.rows[r];
            LOCHAN_TRY(put_names(look, series, c->from, c->to, err));
            LOCHAN_TRY(
                lochan_listing__string(look->list, 6, lochan_cover_state__name(c->state), err));
            if (c->rows >= 0)
                LOCHAN_TRY(lochan_listing__int64(look->list, 7, c->rows, err));
            LOCHAN_TRY(lochan_listing__int64(look->list, 8, c->attempts, err));
            LOCHAN_TRY(lochan_listing__time(look->list, 9, c->asked_at, err));
            LOCHAN_TRY(lochan_listing__string(look->list, 10, c->update_id, err));
            LOCHAN_TRY(put_message(look, 11, c->message, err));
            LOCHAN_TRY(lochan_listing__end_row(look->list, err));
        }
    }
    return LOCHAN_OK;
}

lochan_status lochan_status_scopes(lochan_lake *lake, const char *source, const char *dataset,
                                   struct ArrowArrayStream *out, lochan_error *err) {
    static const lochan_listing_column columns[] = {{"source", "string"},
                                                    {"dataset", "string"},
                                                    {"asset", "string"},
                                                    {"variant", "string"},
                                                    {"day_from", "string"},
                                                    {"day_to", "string"},
                                                    {"state", "string"},
                                                    {"rows", "int64"},
                                                    {"attempts", "int64"},
                                                    {"asked_at", "timestamp[us, UTC]"},
                                                    {"update_id", "string"},
                                                    {"message", "string"},
                                                    {NULL, NULL}};
    LOCHAN_CHECK_ARG(lake && out, err);
    struct look look = {.lake = lake};
    return look_at_all(&look, source, dataset, columns, list_scopes, out, err);
}

/* ---- gaps ---- */

static lochan_status put_gap(struct look *look, const lochan_series *series, int32_t from,
                             int32_t to, const lochan_cover *cover, lochan_error *err) {
    const char *reason = "never asked";
    LOCHAN_TRY(put_names(look, series, from, to, err));
    if (cover) {
        bool good = cover->state == LOCHAN_COVER_SUCCESS || cover->state == LOCHAN_COVER_EMPTY;
        reason = good ? "not final yet" : lochan_cover_state__name(cover->state);
        LOCHAN_TRY(lochan_listing__int64(look->list, 7, cover->attempts, err));
        LOCHAN_TRY(lochan_listing__time(look->list, 8, cover->asked_at, err));
        LOCHAN_TRY(put_message(look, 9, cover->message, err));
    }
    LOCHAN_TRY(lochan_listing__string(look->list, 6, reason, err));
    return lochan_listing__end_row(look->list, err);
}

/* One gap, cut where the reason changes. */
static lochan_status explain_gap(struct look *look, const lochan_series *series, lochan_window gap,
                                 lochan_error *err) {
    int64_t next = gap.from;
    for (size_t i = 0; i < series->before.count && next <= gap.to; i++) {
        const lochan_cover *cover = &series->before.rows[i];
        if (cover->to < next)
            continue;
        if (cover->from > gap.to)
            break;
        if (cover->from > next)
            LOCHAN_TRY(put_gap(look, series, (int32_t)next, cover->from - 1, NULL, err));
        int32_t from = cover->from > next ? cover->from : (int32_t)next;
        int32_t to = cover->to < gap.to ? cover->to : gap.to;
        LOCHAN_TRY(put_gap(look, series, from, to, cover, err));
        next = (int64_t)to + 1;
    }
    return next <= gap.to ? put_gap(look, series, (int32_t)next, gap.to, NULL, err) : LOCHAN_OK;
}

/* Days asked for all assets at once count for each asset. */
static lochan_status list_series(struct look *look, const lochan_series *series, int32_t start,
                                 lochan_error *err) {
    const lochan_series *all =
        series->asset[0] ? lochan_book__find(&look->book, "", series->variant) : NULL;
    lochan_finality f = {look->spec->settle_days, look->spec->refresh_days, look->now};
    lochan_windows first = {0}, gaps = {0};
    lochan_status rc = LOCHAN_OK;
    if (all)
        LOCHAN_TRYG(
            lochan_ledger__gaps(&all->before, start, look->end, f, LOCHAN_GAP_OPEN, &first, err));
    else
        LOCHAN_TRYG(lochan_windows__add(&first, start, look->end, err));
    for (size_t i = 0; i < first.count; i++)
        LOCHAN_TRYG(lochan_ledger__gaps(&series->before, first.items[i].from, first.items[i].to, f,
                                        LOCHAN_GAP_OPEN, &gaps, err));
    for (size_t i = 0; i < gaps.count; i++)
        LOCHAN_TRYG(explain_gap(look, series, gaps.items[i], err));
done:
    lochan_windows__deinit(&first);
    lochan_windows__deinit(&gaps);
    return rc;
}

/* Assets that the spec's reference names and the ledger does not know yet. */
static lochan_status add_unknown_assets(struct look *look, lochan_error *err) {
    const lochan_dataset_spec *spec = look->spec;
    lochan_names names = {0};
    lochan_series *series;
    if (!spec->planner->by_asset || !spec->assets.source)
        return LOCHAN_OK;
    lochan_status rc = lochan_reference__read(look->lake, &spec->assets, spec->asset_separator,
                                              &look->book.arena, &names, err);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        return LOCHAN_OK; /* the reference was never updated: nobody knows yet */
    LOCHAN_TRY(rc);
    for (size_t v = 0; v == 0 || v < spec->n_param_sets; v++) {
        const char *variant = spec->n_param_sets ? spec->param_sets[v].name : "";
        for (size_t i = 0; i < names.n; i++)
            LOCHAN_TRY(lochan_book__get(&look->book, names.items[i], variant, &series, err));
    }
    return LOCHAN_OK;
}

static lochan_status add_unknown_variants(struct look *look, lochan_error *err) {
    const lochan_dataset_spec *spec = look->spec;
    lochan_series *series;
    for (size_t v = 0; !spec->planner->by_asset && (v == 0 || v < spec->n_param_sets); v++)
        LOCHAN_TRY(lochan_book__get(
            &look->book, "", spec->n_param_sets ? spec->param_sets[v].name : "", &series, err));
    return LOCHAN_OK;
}

static lochan_status list_timeless(struct look *look, const lochan_series *series,
                                   lochan_error *err) {
    int32_t today = (int32_t)(look->now / DAY_NS);
    for (size_t i = 0; i < series->before.count; i++) {
        const lochan_cover *cover = &series->before.rows[i];
        if (cover->state == LOCHAN_COVER_FAILED || cover->state == LOCHAN_COVER_INVALID)
            LOCHAN_TRY(put_gap(look, series, cover->from, cover->to, cover, err));
    }
    return series->before.count == 0 ? put_gap(look, series, today, today, NULL, err) : LOCHAN_OK;
}

/* Of files nothing is owed but what could not be read: days are no matter of theirs. */
static lochan_status list_files(struct look *look, lochan_error *err) {
    for (size_t i = 0; i < look->book.n; i++) {
        const lochan_series *series = look->book.items[i];
        if (lochan_ledger__has_failed(&series->before))
            LOCHAN_TRY(list_timeless(look, series, err));
    }
    return LOCHAN_OK;
}

static lochan_status list_gaps(struct look *look, lochan_error *err) {
    bool timeless = !look->spec->window_column, files;
    LOCHAN_TRY(lochan_manage__reads_files(look->lake, look->spec->source, &files, err));
    if (files)
        return list_files(look, err);
    int32_t start = look->start, known = INT32_MAX;
    for (size_t i = 0; i < look->book.n; i++) {
        const lochan_ledger *ledger = &look->book.items[i]->before;
        if (ledger->count > 0 && ledger->rows[0].from < known)
            known = ledger->rows[0].from;
    }
    if (look->spec->has_default_start && look->spec->default_start < known)
        known = look->spec->default_start;
    if (!look->has_start)
        start = known;
    if (!timeless && start > look->end)
        return LOCHAN_OK; /* never asked, and nothing says from when */
    LOCHAN_TRY(add_unknown_assets(look, err));
    LOCHAN_TRY(add_unknown_variants(look, err));
    for (size_t i = 0; i < look->book.n; i++) {
        const lochan_series *series = look->book.items[i];
        bool stray = !look->spec->planner->by_asset && series->asset[0];
        if (stray || (look->spec->planner->by_asset && !series->asset[0]))
            continue; /* only an addition to the series that the planner keeps */
        LOCHAN_TRY(timeless ? list_timeless(look, series, err)
                            : list_series(look, series, start, err));
    }
    return LOCHAN_OK;
}

static lochan_status parse_day(const char *what, const char *text, int32_t *out,
                               lochan_error *err) {
    if (text && !lochan_civil__parse_date(text, strlen(text), out))
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "%s: expected a date like 2026-01-31, got '%.40s'", what, text);
    return LOCHAN_OK;
}

lochan_status lochan_status_gaps(lochan_lake *lake, const char *source, const char *dataset,
                                 const char *start, const char *end, struct ArrowArrayStream *out,
                                 lochan_error *err) {
    static const lochan_listing_column columns[] = {{"source", "string"},
                                                    {"dataset", "string"},
                                                    {"asset", "string"},
                                                    {"variant", "string"},
                                                    {"day_from", "string"},
                                                    {"day_to", "string"},
                                                    {"reason", "string"},
                                                    {"attempts", "int64"},
                                                    {"asked_at", "timestamp[us, UTC]"},
                                                    {"message", "string"},
                                                    {NULL, NULL}};
    LOCHAN_CHECK_ARG(lake && out, err);
    out->release = NULL;
    struct look look = {.lake = lake,
                        .has_start = start != NULL,
                        .end = (int32_t)(lochan_clock__wall_ns() / DAY_NS)};
    LOCHAN_TRY(parse_day("start", start, &look.start, err));
    LOCHAN_TRY(parse_day("end", end, &look.end, err));
    if (start && look.start > look.end)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "start %s lies after end %s",
                                 start, end ? end : "(today)");
    return look_at_all(&look, source, dataset, columns, list_gaps, out, err);
}

/* ---- failures, partitions ---- */

lochan_status lochan_status_failures(lochan_lake *lake, const char *source, const char *dataset,
                                     int64_t limit, struct ArrowArrayStream *out,
                                     lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && out && limit >= -1, err);
    return lochan_catalog__query_failures(lake->catalog, source, dataset, limit, out, err);
}

lochan_status lochan_status_partitions(lochan_lake *lake, const char *source, const char *dataset,
                                       struct ArrowArrayStream *out, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && out, err);
    return lochan_catalog__query_partitions(lake->catalog, source, dataset, out, err);
}
