/* lease.c - see lease.h. Times are of the lake's transactions, which never go back. May call:
 * base/, internal.h.
 */
#include "catalog/lease.h"

#include "base/cancel.h"
#include "base/civil.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/ticker.h"
#include "catalog/internal.h"

#include <string.h>
#include <unistd.h>

enum { DEFAULT_TTL_MS = 60000, LONGEST_ASSETS = 1 << 20, HOLDER_BYTES = 300 };

#define LEASE_LOCKS "leases.lock" /* byte N is locked by the holder of lease N */

struct lochan_lease {
    lochan_catalog *catalog;
    char *source, *dataset;
    char *assets; /* names in order, each ended by a line feed; "" = every asset */
    int32_t day_from, day_to;
    int64_t number, ttl_ns;
    char holder[HOLDER_BYTES];
    lochan_file *locks;
    lochan_ticker *heartbeat;
    bool committed;
};

/* ---- ranges ---- */

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in order, each once. A list that is too long, or a name that could not be told from
 * two, covers every asset. */
static lochan_status join_assets(const lochan_lease_range *range, char **out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const char **names = NULL;
    bool all = range->n_assets == 0;
    size_t bytes = 0;
    lochan_buf text;
    lochan_buf__init(&text, LONGEST_ASSETS + 1);
    for (size_t i = 0; i < range->n_assets && !all; i++) {
        bytes += strlen(range->assets[i]) + 1;
        all = bytes > LONGEST_ASSETS || !*range->assets[i] || strchr(range->assets[i], '\n');
    }
    if (!all) {
        names = lochan_mem__array(range->n_assets, sizeof *names);
        if (!names) {
            rc = lochan_error__nomem(err);
            goto done;
        }
        memcpy(names, range->assets, range->n_assets * sizeof *names);
        qsort(names, range->n_assets, sizeof *names, by_name);
        for (size_t i = 0; i < range->n_assets; i++) {
            if (i > 0 && strcmp(names[i], names[i - 1]) == 0)
                continue;
            LOCHAN_TRYG(lochan_buf__puts(&text, names[i], err));
            LOCHAN_TRYG(lochan_buf__putc(&text, '\n', err));
        }
    }
    *out = lochan_mem__strdup(text.len > 0 ? (const char *)text.data : "");
    if (!*out)
        rc = lochan_error__nomem(err);
done:
    lochan_mem__free((void *)names);
    lochan_buf__deinit(&text);
    return rc;
}

/* Whether two lists, each in order, share a name. */
static bool assets_meet(const char *a, const char *b) {
    if (!*a || !*b)
        return true;
    while (*a && *b) {
        size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");
        int c = memcmp(a, b, n < m ? n : m);
        if (c == 0)
            c = (n > m) - (n < m);
        if (c == 0)
            return true;
        if (c < 0)
            a += n + (a[n] != '\0');
        else
            b += m + (b[m] != '\0');
    }
    return false;
}

/* ---- rows ---- */

typedef struct lease_row {
    int64_t number, day_from, day_to, taken_ns, expires_ns;
    const char *assets, *holder;
} lease_row;

static void take_row(lochan_reader *r, lease_row *row) {
    *row = (lease_row){.number = lochan_reader__count(r, 0),
                       .day_from = lochan_reader__int(r, 1),
                       .day_to = lochan_reader__int(r, 2),
                       .assets = lochan_reader__text(r, 3),
                       .holder = lochan_reader__text(r, 4),
                       .taken_ns = lochan_reader__time(r, 5),
                       .expires_ns = lochan_reader__time(r, 6)};
}

static lochan_status put_row(const lochan_lease *l, lochan_txn *txn, int64_t taken_ns,
                             lochan_error *err) {
    char taken[40], expires[40];
    lochan_civil__format_utc(taken_ns, taken);
    lochan_civil__format_utc(txn->time_ns + l->ttl_ns, expires);
    return lochan_txn__replace(
        txn, LOCHAN_ROW_LEASE,
        LOCHAN_ROW(lochan_value__int(l->number), lochan_value__text(l->source),
                   lochan_value__text(l->dataset), lochan_value__int(l->day_from),
                   lochan_value__int(l->day_to), lochan_value__text(l->assets),
                   lochan_value__text(l->holder), lochan_value__text(taken),
                   lochan_value__text(expires)),
        err);
}

static lochan_status delete_row(lochan_txn *txn, int64_t number, lochan_error *err) {
    return lochan_txn__delete(txn, LOCHAN_ROW_LEASE, LOCHAN_ROW(lochan_value__int(number)), err);
}

/* The row of a lease that still holds; LOCKED if it does not. */
static lochan_status own_row(const lochan_lease *l, lochan_txn *txn, lease_row *row,
                             lochan_error *err) {
    bool found = false;
    lochan_reader r =
        lochan_reader__start(txn->db, LOCHAN_SQL_LEASE_BY_ID, "lochan_lease", &txn->arena, err);
    lochan_reader__bind_int(&r, 1, l->number);
    if (lochan_reader__next(&r)) {
        take_row(&r, row);
        found = r.rc == LOCHAN_OK && strcmp(row->holder, l->holder) == 0;
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    if (found && row->expires_ns > txn->time_ns)
        return LOCHAN_OK;
    lochan_status rc = lochan_error__set(
        err, LOCHAN_ERR_LOCKED, "the lease %lld on %s/%s ended while this process did not run",
        (long long)l->number, l->source, l->dataset);
    lochan_error__hint(err, "nothing was published; run the command again");
    return rc;
}

/* ---- who is in the way ---- */

static lochan_status open_locks(lochan_lease *l, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    char *dir = lochan_path__join(l->catalog->path, LOCHAN_LOCKS);
    char *path = dir ? lochan_path__join(dir, LEASE_LOCKS) : NULL;
    if (!path) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_fs__mkdirs(dir, NULL, err));
    rc = lochan_file__open(path,
                           LOCHAN_FS_READ | LOCHAN_FS_WRITE | LOCHAN_FS_CREATE | LOCHAN_FS_NOFOLLOW,
                           &l->locks, err);
done:
    lochan_mem__free(path);
    lochan_mem__free(dir);
    return rc;
}

static lochan_status refuse(const lochan_lease *l, const lease_row *row, lochan_error *err) {
    char since[40], from[16] = "the first day", to[16] = "the last";
    lochan_civil__format_utc(row->taken_ns, since);
    since[19] = '\0';
    if (row->day_from > INT32_MIN)
        lochan_civil__format_date((int32_t)row->day_from, from);
    if (row->day_to < INT32_MAX)
        lochan_civil__format_date((int32_t)row->day_to, to);
    return lochan_error__set(err, LOCHAN_ERR_LOCKED,
                             "%s/%s, %s to %s, is being updated by %s, since %s UTC", l->source,
                             l->dataset, from, to, row->holder, since);
}

/* Removes leases that ended, and refuses if one that holds meets ours. */
static lochan_status clear_way(const lochan_lease *l, lochan_txn *txn, lochan_error *err) {
    size_t n = 0, cap = 0;
    lease_row *rows = NULL;
    lochan_reader r =
        lochan_reader__start(txn->db, LOCHAN_SQL_LEASES, "lochan_lease", &txn->arena, err);
    lochan_reader__bind_text(&r, 1, l->source);
    lochan_reader__bind_text(&r, 2, l->dataset);
    while (lochan_reader__next(&r)) {
        lease_row *more = lochan_arena__grow(&txn->arena, rows, n, &cap, sizeof *more);
        if (!more) {
            r.rc = lochan_error__nomem(err);
            break;
        }
        rows = more;
        take_row(&r, &rows[n++]);
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    for (size_t i = 0; i < n; i++) {
        bool held = rows[i].expires_ns > txn->time_ns;
        if (held)
            LOCHAN_TRY(lochan_file__lock_test(l->locks, LOCHAN_LOCK_EXCLUSIVE,
                                              (uint64_t)rows[i].number, 1, &held, err));
        if (!held)
            LOCHAN_TRY(delete_row(txn, rows[i].number, err));
        else if (rows[i].day_from <= l->day_to && rows[i].day_to >= l->day_from &&
                 assets_meet(rows[i].assets, l->assets))
            return refuse(l, &rows[i], err);
    }
    return LOCHAN_OK;
}

/* ---- taking it ---- */

static lochan_status begin(lochan_lease *l, lochan_txn **txn, lochan_error *err) {
    const lochan_txn_options options = {.kind = "lease"};
    return lochan_txn__begin(l->catalog, &options, NULL, NULL, txn, err);
}

static lochan_status try_once(lochan_lease *l, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    bool got = false;
    LOCHAN_TRYG(begin(l, &txn, err));
    LOCHAN_TRYG(clear_way(l, txn, err));
    l->number = (int64_t)txn->seq + 1; /* of this commit's record */
    LOCHAN_TRYG(
        lochan_file__lock(l->locks, LOCHAN_LOCK_EXCLUSIVE, (uint64_t)l->number, 1, &got, err));
    if (!got) {
        rc = lochan_error__set(err, LOCHAN_ERR_LOCKED, "lease %lld of %s/%s is held already",
                               (long long)l->number, l->source, l->dataset);
        goto done;
    }
    LOCHAN_TRYG(put_row(l, txn, txn->time_ns, err));
    LOCHAN_FAILPOINTG("catalog.lease.taken", err);
    rc = lochan_txn__commit(&txn, NULL, err);
    l->committed = rc == LOCHAN_OK;
done:
    lochan_txn__abort(txn);
    if (rc != LOCHAN_OK && got)
        (void)!lochan_file__lock(l->locks, LOCHAN_LOCK_NONE, (uint64_t)l->number, 1, &got, NULL);
    return rc;
}

static lochan_status wait_for(lochan_lease *l, int64_t wait_ms, lochan_error *err) {
    int64_t start = lochan_clock__mono_ns(), pause = 5000000;
    lochan_error seen;
    for (;;) {
        LOCHAN_TRY(lochan_cancel__check(l->catalog->cancel, err));
        lochan_error_init(&seen);
        lochan_status rc = try_once(l, &seen);
        int64_t spent = (lochan_clock__mono_ns() - start) / 1000000;
        if (rc != LOCHAN_ERR_LOCKED || (wait_ms >= 0 && spent >= wait_ms)) {
            if (rc != LOCHAN_OK && err)
                *err = seen;
            return rc;
        }
        lochan_clock__sleep_ns(pause / 2 + (int64_t)lochan_random__below((uint64_t)pause));
        if (pause < 500000000)
            pause *= 2;
    }
}

lochan_status lochan_lease__renew(lochan_lease *l, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    lease_row row;
    LOCHAN_TRYG(begin(l, &txn, err));
    LOCHAN_TRYG(own_row(l, txn, &row, err));
    LOCHAN_TRYG(put_row(l, txn, row.taken_ns, err));
    rc = lochan_txn__commit(&txn, NULL, err);
done:
    lochan_txn__abort(txn);
    return rc;
}

/* A failure is tried again at the next beat; if the lease ends meanwhile, the publish says so. */
static void beat(void *ctx) {
    lochan_lease *l = ctx;
    lochan_error err;
    lochan_error_init(&err);
    if (lochan_lease__renew(l, &err) != LOCHAN_OK)
        LOCHAN_WARN("lease %lld was not prolonged: %s", (long long)l->number, err.message);
}

/* ---- the calls ---- */

static void free_lease(lochan_lease *l) {
    if (l->locks)
        (void)!lochan_file__close(l->locks, NULL);
    lochan_mem__free(l->source);
    lochan_mem__free(l->dataset);
    lochan_mem__free(l->assets);
    lochan_mem__free(l);
}

static void name_holder(lochan_lease *l) {
    char host[128], id[37];
    if (gethostname(host, sizeof host) != 0)
        memcpy(host, "?", 2);
    host[sizeof host - 1] = '\0';
    lochan_uuid__make(id);
    lochan_format(l->holder, sizeof l->holder, "process %ld on %s (%s) %.8s", (long)getpid(), host,
                  l->catalog->command, id);
}

lochan_status lochan_lease__acquire(lochan_catalog *catalog, const lochan_lease_range *range,
                                    int64_t ttl_ms, int64_t wait_ms, lochan_lease **out,
                                    lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    *out = NULL;
    LOCHAN_CHECK_ARG(range->source && range->dataset && range->day_from <= range->day_to, err);
    LOCHAN_CHECK_ARG(ttl_ms >= 0 && ttl_ms <= 86400000, err);
    LOCHAN_TRY(lochan_catalog__check_writable(catalog, err));
    lochan_lease *l = lochan_mem__zalloc(sizeof *l);
    if (!l)
        return lochan_error__nomem(err);
    l->catalog = catalog;
    l->day_from = range->day_from;
    l->day_to = range->day_to;
    l->ttl_ns = (ttl_ms > 0 ? ttl_ms : DEFAULT_TTL_MS) * 1000000;
    name_holder(l);
    l->source = lochan_mem__strdup(range->source);
    l->dataset = lochan_mem__strdup(range->dataset);
    if (!l->source || !l->dataset) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(join_assets(range, &l->assets, err));
    LOCHAN_TRYG(open_locks(l, err));
    LOCHAN_TRYG(wait_for(l, wait_ms, err));
    rc = lochan_ticker__start(l->ttl_ns / 3, beat, l, &l->heartbeat, err);
done:
    if (rc != LOCHAN_OK) {
        lochan_lease__release(l);
        return rc;
    }
    *out = l;
    return LOCHAN_OK;
}

int64_t lochan_lease__number(const lochan_lease *lease) {
    return lease->number;
}

lochan_status lochan_lease__check(const lochan_lease *l, lochan_txn *txn, lochan_error *err) {
    lease_row row;
    LOCHAN_TRY(lochan_txn__check(txn, err));
    return lochan_txn__note(txn, own_row(l, txn, &row, err));
}

lochan_status lochan_lease__end(const lochan_lease *l, lochan_txn *txn, lochan_error *err) {
    LOCHAN_TRY(lochan_lease__check(l, txn, err));
    return delete_row(txn, l->number, err);
}

/* Gives the row back. Failing harms nobody: the lease ends by itself, at once for those who see its
 * lock gone. */
static lochan_status give_back(lochan_lease *l, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    lease_row row;
    LOCHAN_TRYG(begin(l, &txn, err));
    LOCHAN_TRYG(own_row(l, txn, &row, err));
    LOCHAN_TRYG(delete_row(txn, l->number, err));
    rc = lochan_txn__commit(&txn, NULL, err);
done:
    lochan_txn__abort(txn);
    return rc;
}

void lochan_lease__release(lochan_lease *l) {
    lochan_error err;
    if (!l)
        return;
    lochan_ticker__stop(l->heartbeat);
    if (l->committed)
        (void)!give_back(l, &err);
    free_lease(l);
}
