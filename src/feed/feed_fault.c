/* feed_fault.c - parses the list of faults, draws one for a request, damages pages.
 * Invariant: as in feed_fault.h. May call: base/.
 */
#include "feed/feed_fault.h"

#include "base/hash.h"
#include "base/str.h"

static const char *const fault_names[LOCHAN_FAULT_COUNT] = {
    "http500", "http503", "http429", "http404", "cut",  "hang",  "slow",
    "empty",   "garbage", "columns", "type",    "html", "reset",
};

static lochan_status unknown_fault(lochan_str name, lochan_error *err) {
    char text[40], list[200] = "";
    lochan_format(text, sizeof(text), "%.*s", (int)(name.n < 39 ? name.n : 39), name.p);
    for (size_t i = 0; i < LOCHAN_FAULT_COUNT; i++)
        lochan_format(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "",
                      fault_names[i]);
    const char *near = lochan_name__nearest(text, fault_names, LOCHAN_FAULT_COUNT);
    lochan_status rc =
        near ? lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "unknown fault '%s', did you mean '%s'?", text, near)
             : lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "unknown fault '%s'", text);
    lochan_error__hint(err, "faults: %s", list);
    return rc;
}

static lochan_status parse_fault(lochan_faults *f, lochan_str item, lochan_error *err) {
    const char *colon = memchr(item.p, ':', item.n);
    lochan_str name = {item.p, colon ? (size_t)(colon - item.p) : item.n};
    double rate = 1;
    if (colon && (!lochan_parse__double(colon + 1, item.n - name.n - 1, false, &rate) || rate < 0 ||
                  rate > 1))
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "faults: the rate in '%.*s' is no number from 0 to 1",
                                 (int)(item.n < 60 ? item.n : 60), item.p);
    for (int k = 0; k < LOCHAN_FAULT_COUNT; k++) {
        if (!lochan_str__eq(name, lochan_str__of(fault_names[k])))
            continue;
        for (size_t i = 0; i < f->n; i++)
            if ((int)f->order[i] == k)
                return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                         "faults: %s is given twice", fault_names[k]);
        f->rate[k] = rate;
        f->order[f->n++] = (lochan_fault_kind)k;
        return LOCHAN_OK;
    }
    return unknown_fault(name, err);
}

lochan_status lochan_faults__init(lochan_faults *f, const char *text, uint64_t seed,
                                  lochan_error *err) {
    memset(f, 0, sizeof(*f));
    f->seed = seed;
    pthread_mutex_init(&f->lock, NULL);
    lochan_str rest = lochan_str__trim(lochan_str__of(text ? text : ""));
    while (rest.n > 0) {
        const char *comma = memchr(rest.p, ',', rest.n);
        lochan_str item = {rest.p, comma ? (size_t)(comma - rest.p) : rest.n};
        LOCHAN_TRY(parse_fault(f, lochan_str__trim(item), err));
        size_t used = comma ? item.n + 1 : item.n;
        rest = (lochan_str){rest.p + used, rest.n - used};
    }
    if (f->n == 0)
        return LOCHAN_OK;
    f->asked = lochan_mem__array(LOCHAN_FAULT_MEMORY, sizeof(*f->asked));
    f->attempts = lochan_mem__array(LOCHAN_FAULT_MEMORY, sizeof(*f->attempts));
    return f->asked && f->attempts ? LOCHAN_OK : lochan_error__nomem(err);
}

void lochan_faults__deinit(lochan_faults *f) {
    lochan_mem__free(f->asked);
    lochan_mem__free(f->attempts);
    pthread_mutex_destroy(&f->lock);
    memset(f, 0, sizeof(*f));
}

/* How often this request was asked before. When the memory is full, newcomers count as asked for
 * the first time. */
static uint32_t count_attempt(lochan_faults *f, uint64_t key) {
    uint32_t before = 0;
    pthread_mutex_lock(&f->lock);
    for (size_t i = 0; i < 64; i++) {
        size_t slot = (size_t)(key + i) % LOCHAN_FAULT_MEMORY;
        if (f->asked[slot] != 0 && f->asked[slot] != key)
            continue;
        f->asked[slot] = key;
        before = f->attempts[slot]++;
        break;
    }
    pthread_mutex_unlock(&f->lock);
    return before;
}

lochan_fault_kind lochan_faults__choose(lochan_faults *f, const void *request, size_t n,
                                        uint64_t *draw) {
    *draw = 0;
    if (f->n == 0)
        return LOCHAN_FAULT_NONE;
    uint64_t key = lochan_hash__64(request, n, f->seed) | 1;
    uint64_t dice[2] = {key, count_attempt(f, key)};
    uint64_t h = lochan_hash__64(dice, sizeof(dice), f->seed);
    *draw = lochan_hash__64(&h, sizeof(h), f->seed + 1);
    double u = (double)(h >> 11) / 9007199254740992.0, sum = 0;
    for (size_t i = 0; i < f->n; i++) {
        sum += f->rate[f->order[i]];
        if (u < sum)
            return f->order[i];
    }
    return LOCHAN_FAULT_NONE;
}

/* One data row of the page: [*begin, *end) without its line end. False if there is none. */
static bool pick_row(const lochan_buf *page, uint64_t draw, size_t *begin, size_t *end) {
    const uint8_t *first = page->data ? memchr(page->data, '\n', page->len) : NULL;
    if (!first || first + 1 == page->data + page->len)
        return false;
    size_t from = (size_t)(first - page->data) + 1;
    size_t at = from + (size_t)(draw % (page->len - from));
    while (at > from && page->data[at - 1] != '\n')
        at--;
    *begin = at;
    while (at < page->len && page->data[at] != '\n' && page->data[at] != '\r')
        at++;
    *end = at;
    return *end > *begin;
}

static void remove_bytes(lochan_buf *page, size_t begin, size_t end) {
    memmove(page->data + begin, page->data + end, page->len - end);
    page->len -= end - begin;
}

/* The last field of a row disappears with its delimiter. */
static void drop_column(lochan_buf *page, uint64_t draw, char delimiter) {
    size_t begin, end;
    if (!pick_row(page, draw, &begin, &end))
        return;
    size_t at = end;
    while (at > begin && page->data[at - 1] != (uint8_t)delimiter)
        at--;
    remove_bytes(page, at > begin ? at - 1 : at, end);
}

/* The digits of the last number of a row become letters. */
static void spoil_number(lochan_buf *page, uint64_t draw) {
    size_t begin, end;
    if (!pick_row(page, draw, &begin, &end))
        return;
    size_t at = end;
    while (at > begin && !(page->data[at - 1] >= '0' && page->data[at - 1] <= '9'))
        at--;
    if (at > begin)
        page->data[at - 1] = 'x';
}

lochan_status lochan_faults__damage(lochan_fault_kind kind, uint64_t draw, char delimiter,
                                    lochan_buf *page, lochan_error *err) {
    if (kind == LOCHAN_FAULT_COLUMNS) {
        drop_column(page, draw, delimiter);
    } else if (kind == LOCHAN_FAULT_TYPE) {
        spoil_number(page, draw);
    } else if (kind == LOCHAN_FAULT_GARBAGE) {
        if (page->len < 64)
            LOCHAN_TRY(lochan_buf__reserve(page, 64 - page->len, err));
        if (page->len < 64)
            page->len = 64;
        for (size_t i = 0; i < page->len; i++) {
            draw = draw * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            page->data[i] = (uint8_t)(draw >> 56);
        }
    }
    return LOCHAN_OK;
}
