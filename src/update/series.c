/* series.c - see series.h. May call: base/, catalog/, ledger.h. */
#include "update/series.h"

#include "base/hash.h"

/* ---- the hash table ---- */

static uint64_t hash_of(const char *asset, const char *variant) {
    return lochan_hash__64(asset, strlen(asset), lochan_hash__64(variant, strlen(variant), 1));
}

/* The slot of the pair, or the free one where it belongs. */
static size_t slot_of(const lochan_book *book, const char *asset, const char *variant) {
    size_t mask = book->n_slots - 1, at = (size_t)hash_of(asset, variant) & mask;
    for (; book->slots[at]; at = (at + 1) & mask) {
        const lochan_series *series = book->items[book->slots[at] - 1];
        if (strcmp(series->asset, asset) == 0 && strcmp(series->variant, variant) == 0)
            break;
    }
    return at;
}

static lochan_status grow_slots(lochan_book *book, lochan_error *err) {
    size_t n = book->n_slots ? 2 * book->n_slots : 64;
    uint32_t *slots = lochan_mem__array(n, sizeof *slots);
    if (!slots)
        return lochan_error__nomem(err);
    memset(slots, 0, n * sizeof *slots);
    lochan_mem__free(book->slots);
    book->slots = slots;
    book->n_slots = n;
    for (size_t i = 0; i < book->n; i++)
        slots[slot_of(book, book->items[i]->asset, book->items[i]->variant)] = (uint32_t)i + 1;
    return LOCHAN_OK;
}

lochan_series *lochan_book__find(const lochan_book *book, const char *asset, const char *variant) {
    if (book->n_slots == 0)
        return NULL;
    uint32_t number = book->slots[slot_of(book, asset, variant)];
    return number ? book->items[number - 1] : NULL;
}

lochan_status lochan_book__get(lochan_book *book, const char *asset, const char *variant,
                               lochan_series **out, lochan_error *err) {
    *out = lochan_book__find(book, asset, variant);
    if (*out)
        return LOCHAN_OK;
    if (2 * (book->n + 1) > book->n_slots)
        LOCHAN_TRY(grow_slots(book, err));
    void *items = lochan_mem__grow(book->items, book->n, &book->cap, sizeof(lochan_series *));
    if (!items)
        return lochan_error__nomem(err);
    book->items = items;
    lochan_series *series = lochan_arena__alloc(&book->arena, sizeof *series);
    char *a = lochan_arena__strdup(&book->arena, asset);
    char *v = lochan_arena__strdup(&book->arena, variant);
    if (!series || !a || !v)
        return lochan_error__nomem(err);
    series->asset = a;
    series->variant = v;
    book->items[book->n++] = series;
    book->slots[slot_of(book, asset, variant)] = (uint32_t)book->n;
    *out = series;
    return LOCHAN_OK;
}

/* ---- reading ---- */

static lochan_status load_row(lochan_series *series, const lochan_coverage *row,
                              lochan_error *err) {
    lochan_cover cover = {.from = row->day_from,
                          .to = row->day_to,
                          .state = (lochan_cover_state)(row->state - LOCHAN_COVERAGE_SUCCESS),
                          .asked_at = row->asked_ns,
                          .attempts = (int32_t)row->attempts,
                          .rows = row->rows,
                          .message = row->message};
    (void)lochan_format(cover.hash, sizeof cover.hash, "%s", row->content_hash);
    (void)lochan_format(cover.update_id, sizeof cover.update_id, "%s", row->update_id);
    return lochan_ledger__load(&series->before, &cover, err);
}

lochan_status lochan_book__load(lochan_book *book, lochan_catalog *catalog, int64_t dataset_id,
                                lochan_error *err) {
    LOCHAN_TRY(lochan_catalog__coverage(catalog, dataset_id, &book->rows, err));
    for (size_t i = 0; i < book->rows.n; i++) {
        const lochan_coverage *row = &book->rows.rows[i];
        lochan_series *series;
        LOCHAN_TRY(lochan_book__get(book, row->asset, row->variant, &series, err));
        LOCHAN_TRY(load_row(series, row, err));
    }
    return LOCHAN_OK;
}

void lochan_book__deinit(lochan_book *book) {
    for (size_t i = 0; i < book->n; i++) {
        lochan_ledger__deinit(&book->items[i]->before);
        lochan_ledger__deinit(&book->items[i]->after);
    }
    lochan_mem__free(book->items);
    lochan_mem__free(book->slots);
    lochan_coverage_rows__deinit(&book->rows);
    lochan_arena__deinit(&book->arena);
    *book = (lochan_book){0};
}

/* ---- changing ---- */

static lochan_status begin_change(lochan_series *series, lochan_error *err) {
    if (series->changed)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_ledger__dup(&series->before, &series->after, err));
    series->changed = true;
    return LOCHAN_OK;
}

lochan_status lochan_series__record(lochan_series *series, const lochan_cover *cover,
                                    lochan_finality f, lochan_error *err) {
    LOCHAN_TRY(begin_change(series, err));
    return lochan_ledger__record(&series->after, cover, f, err);
}

const lochan_ledger *lochan_series__now(const lochan_series *series) {
    return series->changed ? &series->after : &series->before;
}

void lochan_series__clear(lochan_series *series) {
    lochan_ledger__deinit(&series->after);
    series->changed = true;
}

/* ---- writing ---- */

static const lochan_cover *find_from(const lochan_ledger *ledger, int32_t from) {
    size_t low = 0, high = ledger->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ledger->rows[middle].from < from)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ledger->count && ledger->rows[low].from == from ? &ledger->rows[low] : NULL;
}

static bool same_cover(const lochan_cover *a, const lochan_cover *b) {
    return a->to == b->to && a->state == b->state && a->asked_at == b->asked_at &&
           a->attempts == b->attempts && a->rows == b->rows && strcmp(a->hash, b->hash) == 0 &&
           strcmp(a->update_id, b->update_id) == 0 &&
           strcmp(a->message ? a->message : "", b->message ? b->message : "") == 0;
}

static lochan_status put_cover(const lochan_series *series, lochan_txn *txn, int64_t dataset_id,
                               const lochan_cover *cover, lochan_error *err) {
    lochan_coverage row = {.asset = series->asset,
                           .variant = series->variant,
                           .day_from = cover->from,
                           .day_to = cover->to,
                           .state = (lochan_coverage_state)(cover->state + LOCHAN_COVERAGE_SUCCESS),
                           .asked_ns = cover->asked_at,
                           .attempts = cover->attempts,
                           .rows = cover->rows,
                           .content_hash = cover->hash,
                           .update_id = cover->update_id,
                           .message = cover->message ? cover->message : ""};
    return lochan_txn__put_coverage(txn, dataset_id, &row, err);
}

static lochan_status put_series(const lochan_series *series, lochan_txn *txn, int64_t dataset_id,
                                lochan_error *err) {
    for (size_t i = 0; i < series->before.count; i++) {
        int32_t from = series->before.rows[i].from;
        if (!find_from(&series->after, from))
            LOCHAN_TRY(lochan_txn__delete_coverage(txn, dataset_id, series->asset, series->variant,
                                                   from, err));
    }
    for (size_t i = 0; i < series->after.count; i++) {
        const lochan_cover *cover = &series->after.rows[i];
        const lochan_cover *old = find_from(&series->before, cover->from);
        if (!old || !same_cover(old, cover))
            LOCHAN_TRY(put_cover(series, txn, dataset_id, cover, err));
    }
    return LOCHAN_OK;
}

lochan_status lochan_book__put(const lochan_book *book, lochan_txn *txn, int64_t dataset_id,
                               lochan_error *err) {
    for (size_t i = 0; i < book->n; i++) {
        if (book->items[i]->changed)
            LOCHAN_TRY(put_series(book->items[i], txn, dataset_id, err));
    }
    return LOCHAN_OK;
}
