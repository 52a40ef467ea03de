/* rate_limit.c - a ring of the times of past requests in a file.
 * The file is: magic, number of slots, number of requests so far (16 bytes each way little-endian),
 * then the slots, each the wall time of a request in nanoseconds. A limit of L in a time W holds if
 * the L-th last request is older than W; so a check reads one slot for each limit, however large it
 * is. Bytes far behind the end are locked: one for the ring, one for each place of a request under
 * way. Invariants: read and written under the lock; a damaged file begins anew; times in the future
 * (a clock was set back) count as now. May call: base/.
 */
#include "source/rate_limit.h"

#include "base/clock.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/log.h"

#include <stdlib.h>

#define MAGIC        UINT64_C(0x314D494C484C4C4F) /* "OLLHLIM1" */
#define SECOND_NS    INT64_C(1000000000)
#define HEADER_BYTES 24
#define RING_LOCK    (UINT64_C(1) << 40)
#define FIRST_PLACE  (RING_LOCK + 1)
#define SALT_BYTES   32
#define PLACE_WAIT   (SECOND_NS / 20) /* a place or the ring is another process's: look again */

enum { N_LIMITS = 4, MAX_PLACES = 256 };

struct limit {
    int64_t count; /* 0 = none */
    int64_t time_ns;
    char text[32];
};

struct lochan_rate_limit {
    lochan_file *file;
    struct limit limits[N_LIMITS];
    int32_t concurrent;
    char concurrent_text[32];
    bool taken[MAX_PLACES];
    uint64_t slots;
    uint64_t requests; /* so far, as read last */
};

/* ---- the file's name ---- */

/* $XDG_STATE_HOME/lochan/limits, or ~/.local/state/lochan/limits; NULL if there is no home. */
static char *user_folder(void) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state && state[0] == '/')
        return lochan_path__join(state, "lochan/limits");
    return home && home[0] == '/' ? lochan_path__join(home, ".local/state/lochan/limits") : NULL;
}

/* A random number of the folder's own, made once. Two processes that make it at the same time agree
 * on the one that came first. */
static lochan_status read_salt(const char *folder, uint8_t salt[SALT_BYTES], lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_file *file = NULL;
    size_t got = 0;
    char *path = lochan_path__join(folder, "salt");
    bool locked = false;
    if (!path)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(
        lochan_file__open(path, LOCHAN_FS_READ | LOCHAN_FS_WRITE | LOCHAN_FS_CREATE, &file, err));
    for (int i = 0; i < 2000 && !locked; i++) {
        LOCHAN_TRYG(lochan_file__lock(file, LOCHAN_LOCK_EXCLUSIVE, RING_LOCK, 1, &locked, err));
        if (!locked)
            lochan_clock__sleep_ns(SECOND_NS / 1000);
    }
    LOCHAN_TRYG(lochan_file__read_some(file, salt, SALT_BYTES, 0, &got, err));
    if (got < SALT_BYTES) {
        lochan_random__bytes(salt, SALT_BYTES);
        LOCHAN_TRYG(lochan_file__write(file, salt, SALT_BYTES, 0, err));
    }
done:
    LOCHAN_KEEP(lochan_file__close(file, LOCHAN_KEEP_ERR(rc, err)));
    lochan_mem__free(path);
    return rc;
}

/* Source and endpoint may be read from the name; the secret only tells files apart: few of its bits
 * are left. */
static lochan_status file_name(const lochan_source_spec *spec, const char *endpoint,
                               const lochan_secret *secret, const uint8_t salt[SALT_BYTES],
                               char dst[400], lochan_error *err) {
    uint64_t key = lochan_secret__fingerprint(secret, salt, SALT_BYTES) & 0xFFFFFFFF;
    bool own = spec->limits.per_endpoint && endpoint && endpoint[0];
    if (own && lochan_name__check("endpoint", endpoint, NULL) != LOCHAN_OK) {
        char hex[33];
        lochan_hash128__hex(lochan_hash__128(endpoint, strlen(endpoint)), hex);
        lochan_format(dst, 400, "%s.%s.%08llx", spec->name, hex, (unsigned long long)key);
    } else if (!lochan_format(dst, 400, "%s%s%s.%08llx", spec->name, own ? "." : "",
                              own ? endpoint : "", (unsigned long long)key)) {
        return lochan_error__set(err, LOCHAN_ERR_INTERNAL, "a name is too long");
    }
    return LOCHAN_OK;
}

static lochan_status open_in(const char *folder, const lochan_source_spec *spec,
                             const char *endpoint, const lochan_secret *secret, lochan_file **out,
                             lochan_error *err) {
    uint8_t salt[SALT_BYTES];
    char name[400];
    LOCHAN_TRY(lochan_fs__mkdirs(folder, NULL, err));
    LOCHAN_TRY(read_salt(folder, salt, err));
    LOCHAN_TRY(file_name(spec, endpoint, secret, salt, name, err));
    char *path = lochan_path__join(folder, name);
    if (!path)
        return lochan_error__nomem(err);
    lochan_status rc =
        lochan_file__open(path, LOCHAN_FS_READ | LOCHAN_FS_WRITE | LOCHAN_FS_CREATE, out, err);
    lochan_mem__free(path);
    return rc;
}

static lochan_status open_file(const lochan_source_spec *spec, const char *endpoint,
                               const lochan_secret *secret, const char *fallback_dir,
                               lochan_file **out, lochan_error *err) {
    lochan_error why;
    lochan_error_init(&why);
    char *folder = user_folder();
    lochan_status rc = folder ? open_in(folder, spec, endpoint, secret, out, &why)
                              : lochan_error__set(&why, LOCHAN_ERR_NOT_FOUND,
                                                  "neither XDG_STATE_HOME nor HOME is set");
    lochan_mem__free(folder);
    if (rc == LOCHAN_OK || rc == LOCHAN_ERR_NO_MEMORY || !fallback_dir) {
        if (rc != LOCHAN_OK && err)
            *err = why;
        return rc;
    }
    LOCHAN_WARN("limits of source '%s' are kept in the lake only: %s", spec->name, why.message);
    folder = lochan_path__join(fallback_dir, "data/limits");
    if (!folder)
        return lochan_error__nomem(err);
    rc = open_in(folder, spec, endpoint, secret, out, err);
    lochan_mem__free(folder);
    return rc;
}

/* ---- the ring ---- */

static uint64_t get_u64(const uint8_t *p) {
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static void put_u64(uint8_t *p, uint64_t v) {
    for (int i = 0; i < 8; i++, v >>= 8)
        p[i] = (uint8_t)v;
}

static lochan_status write_header(lochan_rate_limit *l, lochan_error *err) {
    uint8_t header[HEADER_BYTES];
    put_u64(header, MAGIC);
    put_u64(header + 8, l->slots);
    put_u64(header + 16, l->requests);
    return lochan_file__write(l->file, header, sizeof(header), 0, err);
}

/* A ring that is too small for a limit that was raised, or a damaged one, begins anew. */
static lochan_status read_header(lochan_rate_limit *l, lochan_error *err) {
    uint8_t header[HEADER_BYTES];
    size_t got = 0;
    uint64_t need = 1;
    for (int i = 0; i < N_LIMITS; i++)
        if ((uint64_t)l->limits[i].count > need)
            need = (uint64_t)l->limits[i].count;
    LOCHAN_TRY(lochan_file__read_some(l->file, header, sizeof(header), 0, &got, err));
    l->slots = got == sizeof(header) && get_u64(header) == MAGIC ? get_u64(header + 8) : 0;
    l->requests = l->slots >= need && l->slots <= UINT32_MAX ? get_u64(header + 16) : 0;
    if (l->slots >= need && l->slots <= UINT32_MAX)
        return LOCHAN_OK;
    l->slots = need;
    LOCHAN_TRY(lochan_file__truncate(l->file, 0, err));
    return write_header(l, err);
}

/* The time of the n-th last request, 0 = there was none. */
static lochan_status read_time(const lochan_rate_limit *l, uint64_t n, int64_t *out,
                               lochan_error *err) {
    uint8_t slot[8] = {0};
    size_t got = 0;
    *out = 0;
    if (n > l->requests || n > l->slots)
        return LOCHAN_OK;
    uint64_t at = HEADER_BYTES + (l->requests - n) % l->slots * 8;
    LOCHAN_TRY(lochan_file__read_some(l->file, slot, sizeof(slot), at, &got, err));
    *out = got == sizeof(slot) ? (int64_t)get_u64(slot) : 0;
    return LOCHAN_OK;
}

static lochan_status count_request(lochan_rate_limit *l, int64_t now, int64_t *wait_ns,
                                   const char **why, lochan_error *err) {
    LOCHAN_TRY(read_header(l, err));
    for (int i = 0; i < N_LIMITS; i++) {
        const struct limit *limit = &l->limits[i];
        int64_t then;
        if (limit->count == 0)
            continue;
        LOCHAN_TRY(read_time(l, (uint64_t)limit->count, &then, err));
        int64_t age = then > 0 && then < now ? now - then : 0;
        if (then > 0 && age < limit->time_ns && limit->time_ns - age > *wait_ns) {
            *wait_ns = limit->time_ns - age;
            *why = limit->text;
        }
    }
    if (*wait_ns > 0)
        return LOCHAN_OK;
    uint8_t slot[8];
    put_u64(slot, (uint64_t)now);
    LOCHAN_TRY(lochan_file__write(l->file, slot, sizeof(slot),
                                  HEADER_BYTES + l->requests % l->slots * 8, err));
    l->requests++;
    return write_header(l, err);
}

/* ---- places ---- */

static lochan_status take_place(lochan_rate_limit *l, int32_t *place, lochan_error *err) {
    *place = -1;
    for (int32_t i = 0; i < l->concurrent && *place < 0; i++) {
        bool got = false;
        if (l->taken[i])
            continue;
        LOCHAN_TRY(lochan_file__lock(l->file, LOCHAN_LOCK_EXCLUSIVE, FIRST_PLACE + (uint64_t)i, 1,
                                     &got, err));
        if (got) {
            l->taken[i] = true;
            *place = i;
        }
    }
    return LOCHAN_OK;
}

void lochan_rate_limit__give(lochan_rate_limit *l, int32_t place) {
    bool got;
    if (!l || place < 0 || !l->taken[place])
        return;
    l->taken[place] = false;
    (void)!lochan_file__lock(l->file, LOCHAN_LOCK_NONE, FIRST_PLACE + (uint64_t)place, 1, &got,
                             NULL);
}

/* ---- all of it ---- */

lochan_status lochan_rate_limit__open(const lochan_source_spec *spec, const char *endpoint,
                                      const lochan_secret *secret, const char *fallback_dir,
                                      lochan_rate_limit **out, lochan_error *err) {
    const lochan_source_limits *s = &spec->limits;
    const int64_t counts[N_LIMITS] = {s->per_second, s->per_minute, s->per_hour, s->per_day};
    static const int64_t seconds[N_LIMITS] = {1, 60, 3600, 86400};
    static const char *const names[N_LIMITS] = {"second", "minute", "hour", "day"};
    *out = NULL;
    bool any = s->concurrent > 0;
    for (int i = 0; i < N_LIMITS; i++)
        any |= counts[i] > 0;
    if (!any)
        return LOCHAN_OK;
    lochan_rate_limit *l = lochan_mem__zalloc(sizeof(*l));
    if (!l)
        return lochan_error__nomem(err);
    for (int i = 0; i < N_LIMITS; i++) {
        l->limits[i].count = counts[i];
        l->limits[i].time_ns = seconds[i] * SECOND_NS;
        lochan_format(l->limits[i].text, sizeof(l->limits[i].text), "%lld a %s",
                      (long long)counts[i], names[i]);
    }
    l->concurrent = s->concurrent < MAX_PLACES ? s->concurrent : MAX_PLACES;
    lochan_format(l->concurrent_text, sizeof(l->concurrent_text), "%d at a time",
                  (int)s->concurrent);
    lochan_status rc = open_file(spec, endpoint, secret, fallback_dir, &l->file, err);
    if (rc != LOCHAN_OK) {
        lochan_mem__free(l);
        return lochan_error__prefix(err, rc, "limits of source '%s'", spec->name);
    }
    *out = l;
    return LOCHAN_OK;
}

void lochan_rate_limit__close(lochan_rate_limit *l) {
    if (!l)
        return;
    (void)!lochan_file__close(l->file, NULL);
    lochan_mem__free(l);
}

lochan_status lochan_rate_limit__take(lochan_rate_limit *l, int32_t *place, int64_t *wait_ns,
                                      const char **why, lochan_error *err) {
    bool got = false;
    *place = -1;
    *wait_ns = 0;
    *why = l->concurrent_text;
    if (l->concurrent > 0) {
        LOCHAN_TRY(take_place(l, place, err));
        if (*place < 0) {
            *wait_ns = PLACE_WAIT;
            return LOCHAN_OK;
        }
    }
    lochan_status rc = lochan_file__lock(l->file, LOCHAN_LOCK_EXCLUSIVE, RING_LOCK, 1, &got, err);
    if (rc == LOCHAN_OK && got) {
        rc = count_request(l, lochan_clock__wall_ns(), wait_ns, why, err);
        lochan_status unlocked = lochan_file__lock(l->file, LOCHAN_LOCK_NONE, RING_LOCK, 1, &got,
                                                   LOCHAN_KEEP_ERR(rc, err));
        rc = rc == LOCHAN_OK ? unlocked : rc;
    } else if (rc == LOCHAN_OK) {
        *wait_ns = SECOND_NS / 1000;
        *why = "another process is counting";
    }
    if (rc != LOCHAN_OK || *wait_ns > 0) {
        lochan_rate_limit__give(l, *place);
        *place = -1;
    }
    return rc;
}
