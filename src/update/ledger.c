/* ledger.c - interval algebra of the coverage ledger.
 * A series is a sorted array; it is short (neighbours are joined), so plain splicing is fast enough
 * and easy to follow. May call: base/.
 */
#include "update/ledger.h"

#include <string.h>

#define DAY_NS INT64_C(86400000000000)

static const char *const state_names[] = {"success", "empty", "failed", "invalid"};

const char *lochan_cover_state__name(lochan_cover_state state) {
    return state_names[state];
}

void lochan_ledger__deinit(lochan_ledger *ledger) {
    lochan_mem__free(ledger->rows);
    *ledger = (lochan_ledger){0};
}

void lochan_windows__deinit(lochan_windows *windows) {
    lochan_mem__free(windows->items);
    *windows = (lochan_windows){0};
}

lochan_status lochan_windows__add(lochan_windows *windows, int32_t from, int32_t to,
                                  lochan_error *err) {
    void *items = lochan_mem__grow(windows->items, windows->count, &windows->capacity,
                                   sizeof *windows->items);
    if (!items)
        return lochan_error__nomem(err);
    windows->items = items;
    windows->items[windows->count++] = (lochan_window){from, to};
    return LOCHAN_OK;
}

static lochan_status push(lochan_ledger *ledger, const lochan_cover *cover, lochan_error *err) {
    void *rows =
        lochan_mem__grow(ledger->rows, ledger->count, &ledger->capacity, sizeof *ledger->rows);
    if (!rows)
        return lochan_error__nomem(err);
    ledger->rows = rows;
    ledger->rows[ledger->count++] = *cover;
    return LOCHAN_OK;
}

lochan_status lochan_ledger__dup(const lochan_ledger *from, lochan_ledger *to, lochan_error *err) {
    for (size_t i = 0; i < from->count; i++)
        LOCHAN_TRY(push(to, &from->rows[i], err));
    return LOCHAN_OK;
}

lochan_status lochan_ledger__load(lochan_ledger *ledger, const lochan_cover *cover,
                                  lochan_error *err) {
    bool sorted = ledger->count == 0 || ledger->rows[ledger->count - 1].to < cover->from;
    if (!sorted || cover->to < cover->from)
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                 "coverage intervals of the ledger overlap at day %d", cover->from);
    return push(ledger, cover, err);
}

int32_t lochan_ledger__final_day(int64_t asked_at, int32_t settle_days) {
    return (int32_t)(asked_at / DAY_NS) - 1 - settle_days;
}

static bool good(const lochan_cover *cover) {
    return cover->state == LOCHAN_COVER_SUCCESS || cover->state == LOCHAN_COVER_EMPTY;
}

/* Last final day of an interval, before its first day if none is. */
static int32_t final_end(const lochan_cover *cover, int32_t settle_days) {
    if (!good(cover))
        return cover->from - 1;
    int32_t day = lochan_ledger__final_day(cover->asked_at, settle_days);
    return day < cover->to ? day : cover->to;
}

static bool is_stale(const lochan_cover *cover, lochan_finality f) {
    return f.refresh_days > 0 && f.now - cover->asked_at >= f.refresh_days * DAY_NS;
}

static lochan_status failed_gaps(const lochan_ledger *ledger, int32_t from, int32_t to,
                                 lochan_windows *out, lochan_error *err) {
    for (size_t i = 0; i < ledger->count; i++) {
        const lochan_cover *cover = &ledger->rows[i];
        int32_t a = cover->from > from ? cover->from : from;
        int32_t b = cover->to < to ? cover->to : to;
        if (!good(cover) && a <= b)
            LOCHAN_TRY(lochan_windows__add(out, a, b, err));
    }
    return LOCHAN_OK;
}

lochan_status lochan_ledger__gaps(const lochan_ledger *ledger, int32_t from, int32_t to,
                                  lochan_finality f, lochan_gap_kind kind, lochan_windows *out,
                                  lochan_error *err) {
    if (kind == LOCHAN_GAP_FAILED)
        return failed_gaps(ledger, from, to, out, err);
    int32_t next = from; /* first day not known to be final */
    for (size_t i = 0; kind == LOCHAN_GAP_OPEN && i < ledger->count && next <= to; i++) {
        const lochan_cover *cover = &ledger->rows[i];
        int32_t last = final_end(cover, f.settle_days);
        if (last < cover->from || last < next || is_stale(cover, f))
            continue;
        int32_t before = cover->from - 1 < to ? cover->from - 1 : to;
        if (next <= before)
            LOCHAN_TRY(lochan_windows__add(out, next, before, err));
        next = last + 1;
    }
    if (next <= to)
        LOCHAN_TRY(lochan_windows__add(out, next, to, err));
    return LOCHAN_OK;
}

/* The part [from, to] of an interval; what only held for the whole is forgotten. */
static lochan_cover cut(const lochan_cover *cover, int32_t from, int32_t to) {
    lochan_cover part = *cover;
    if (from != cover->from || to != cover->to) {
        part.from = from;
        part.to = to;
        part.rows = -1;
        part.hash[0] = 0;
    }
    return part;
}

static const char *text_of(const char *message) {
    return message ? message : "";
}

/* Two touching intervals can be one: final good ones, or failures of one cause. */
static bool joinable(const lochan_cover *a, const lochan_cover *b, lochan_finality f) {
    if (a->to + 1 != b->from)
        return false;
    if (f.refresh_days > 0 &&
        a->asked_at / (f.refresh_days * DAY_NS) != b->asked_at / (f.refresh_days * DAY_NS))
        return false;
    if (good(a) && good(b))
        return final_end(a, f.settle_days) == a->to && final_end(b, f.settle_days) == b->to;
    return a->state == b->state && a->asked_at == b->asked_at && a->attempts == b->attempts &&
           strcmp(text_of(a->message), text_of(b->message)) == 0;
}

static void join(lochan_cover *a, const lochan_cover *b) {
    a->to = b->to;
    if (b->state == LOCHAN_COVER_SUCCESS)
        a->state = b->state;
    a->rows = a->rows >= 0 && b->rows >= 0 ? a->rows + b->rows : -1;
    a->hash[0] = 0;
    if (b->asked_at > a->asked_at) {
        a->asked_at = b->asked_at;
        memcpy(a->update_id, b->update_id, sizeof a->update_id);
    }
}

static lochan_status push_joined(lochan_ledger *ledger, const lochan_cover *cover,
                                 lochan_finality f, lochan_error *err) {
    if (ledger->count > 0 && joinable(&ledger->rows[ledger->count - 1], cover, f)) {
        join(&ledger->rows[ledger->count - 1], cover);
        return LOCHAN_OK;
    }
    return push(ledger, cover, err);
}

/* The new interval in at most two parts: final days, and days that may still change. */
static lochan_status push_new(lochan_ledger *ledger, const lochan_cover *cover, lochan_finality f,
                              lochan_error *err) {
    int32_t last = final_end(cover, f.settle_days);
    if (!good(cover) || last < cover->from || last == cover->to)
        return push_joined(ledger, cover, f, err);
    lochan_cover settled = cut(cover, cover->from, last);
    lochan_cover recent = cut(cover, last + 1, cover->to);
    LOCHAN_TRY(push_joined(ledger, &settled, f, err));
    return push_joined(ledger, &recent, f, err);
}

lochan_status lochan_ledger__record(lochan_ledger *ledger, const lochan_cover *cover,
                                    lochan_finality f, lochan_error *err) {
    lochan_ledger merged = {0};
    lochan_status rc = LOCHAN_OK;
    bool placed = false;
    for (size_t i = 0; i < ledger->count; i++) {
        const lochan_cover *old = &ledger->rows[i];
        if (old->from < cover->from) {
            lochan_cover left =
                cut(old, old->from, old->to < cover->from ? old->to : cover->from - 1);
            LOCHAN_TRYG(push_joined(&merged, &left, f, err));
        }
        if (!placed && old->to >= cover->from) {
            LOCHAN_TRYG(push_new(&merged, cover, f, err));
            placed = true;
        }
        if (old->to > cover->to) {
            lochan_cover right =
                cut(old, old->from > cover->to ? old->from : cover->to + 1, old->to);
            LOCHAN_TRYG(push_joined(&merged, &right, f, err));
        }
    }
    if (!placed)
        LOCHAN_TRYG(push_new(&merged, cover, f, err));
    lochan_ledger swap = *ledger;
    *ledger = merged;
    merged = swap;
done:
    lochan_ledger__deinit(&merged);
    return rc;
}

bool lochan_ledger__is_fresh(const lochan_ledger *ledger, lochan_finality f) {
    for (size_t i = 0; i < ledger->count; i++) {
        if (!good(&ledger->rows[i]) || is_stale(&ledger->rows[i], f))
            return false;
    }
    return ledger->count > 0;
}

bool lochan_ledger__has_failed(const lochan_ledger *ledger) {
    for (size_t i = 0; i < ledger->count; i++) {
        if (!good(&ledger->rows[i]))
            return true;
    }
    return false;
}

int64_t lochan_ledger__asked_at(const lochan_ledger *ledger, lochan_window window) {
    int64_t last = 0;
    for (size_t i = 0; i < ledger->count; i++) {
        const lochan_cover *cover = &ledger->rows[i];
        if (cover->from <= window.to && cover->to >= window.from && cover->asked_at > last)
            last = cover->asked_at;
    }
    return last;
}

int32_t lochan_ledger__final_to(const lochan_ledger *ledger, int32_t settle_days) {
    int32_t last = INT32_MIN;
    for (size_t i = 0; i < ledger->count; i++) {
        const lochan_cover *cover = &ledger->rows[i];
        int32_t end = final_end(cover, settle_days);
        if (end < cover->from || (i > 0 && cover->from != last + 1))
            break;
        last = end;
        if (end < cover->to)
            break;
    }
    return last;
}
