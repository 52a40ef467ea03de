/* kill_oracle.c - see kill_oracle.h. */
#include "pipeline/kill_oracle.h"

#include "arrow/view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_DAY 18262 /* 2020-01-01 */

void log_write(int fd, log_line line) {
    if (write(fd, &line, sizeof line) != (ssize_t)sizeof line || fdatasync(fd) != 0)
        abort();
}

/* The log of the last child. */
static const log_line *told;
static size_t n_told;

/* Ends the test; says what the child told. */
static void differ(const char *format, ...) LOCHAN_PRINTF(1, 2);
static void differ(const char *format, ...) {
    static const char *const names[N_WHAT] = {"update", "force",    "append", "tag",
                                              "untag",  "rollback", "other"};
    static const char *const states[] = {"?", "done", "refused"};
    char text[200];
    va_list args;
    for (size_t i = 0; i < n_told; i++)
        print_error("  %s %d, provider %d: %s\n", names[told[i].what], told[i].a, told[i].version,
                    states[told[i].state]);
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fail_msg("%s", text);
}

/* ---- what is there ---- */

/* Row i must be asset i % ASSETS of day i / ASSETS; all rows of a day have one version. */
static int64_t read_batch(const struct ArrowSchema *schema, const struct ArrowArray *batch,
                          table_state *out, int64_t at) {
    lochan_view asset, time, price;
    lochan_error err;
    assert_ok(lochan_view__init(&asset, schema->children[0], batch->children[0], &err));
    assert_ok(lochan_view__init(&time, schema->children[1], batch->children[1], &err));
    assert_ok(lochan_view__init(&price, schema->children[2], batch->children[2], &err));
    for (int64_t i = 0; i < batch->length; i++, at++) {
        int day = (int)(at / ASSETS), which = (int)(at % ASSETS);
        char name[16];
        assert_true(day < DAYS);
        snprintf(name, sizeof name, "A%03d", which);
        assert_int_equal(lochan_view__int64(&time, i), FIRST_DAY + day);
        assert_memory_equal(lochan_view__bytes(&asset, i).p, name, 4);
        double version = lochan_view__double(&price, i) - day - which / 100.0;
        assert_true(fabs(version - round(version)) < 0.001);
        if (which == 0)
            out->version[day] = (signed char)lround(version);
        else
            assert_int_equal(out->version[day], lround(version));
    }
    lochan_view__deinit(&asset);
    lochan_view__deinit(&time);
    lochan_view__deinit(&price);
    return at;
}

static void read_state(lochan_lake *lake, const char *as_of, table_state *out) {
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    lochan_scan_options options = LOCHAN_SCAN_OPTIONS_INIT;
    const char *const columns[] = {"asset_id", "time", "price"};
    lochan_error err;
    int64_t at = 0;
    *out = (table_state){0};
    options.columns = columns;
    options.n_columns = 3;
    options.as_of = as_of;
    lochan_status rc = lochan_lake_scan(lake, "market", "daily", &options, &stream, &err);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        return;
    assert_ok(rc);
    assert_ok(lochan_stream__schema(&stream, &schema, &err));
    for (;;) {
        struct ArrowArray batch = {0};
        assert_ok(lochan_stream__next(&stream, &batch, &err));
        if (!batch.release)
            break;
        at = read_batch(&schema, &batch, out, at);
        batch.release(&batch);
    }
    assert_int_equal(at % ASSETS, 0);
    out->days = (int)(at / ASSETS);
    schema.release(&schema);
    stream.release(&stream);
}

/* How often each tick is there, in rows. */
static void read_ticks(lochan_lake *lake, signed char *rows) {
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    lochan_run_scan_options options = LOCHAN_RUN_SCAN_OPTIONS_INIT;
    const char *const columns[] = {"tick"};
    lochan_error err;
    options.columns = columns;
    options.n_columns = 1;
    assert_ok(lochan_runs_scan(lake, "holdings", NULL, 0, &options, &stream, &err));
    assert_ok(lochan_stream__schema(&stream, &schema, &err));
    int at = lochan_schema__find(&schema, "tick");
    for (;;) {
        struct ArrowArray batch = {0};
        lochan_view tick;
        assert_ok(lochan_stream__next(&stream, &batch, &err));
        if (!batch.release)
            break;
        assert_ok(lochan_view__init(&tick, schema.children[at], batch.children[at], &err));
        for (int64_t i = 0; i < batch.length; i++) {
            int64_t t = lochan_view__int64(&tick, i);
            assert_true(t >= 0 && t < TICKS && rows[t] < APPEND_ROWS);
            rows[t]++;
        }
        lochan_view__deinit(&tick);
        batch.release(&batch);
    }
    schema.release(&schema);
    stream.release(&stream);
}

/* ---- what may be there ---- */

static bool same_state(const table_state *a, const table_state *b) {
    return a->days == b->days &&
           (a->days <= 0 || memcmp(a->version, b->version, (size_t)a->days) == 0);
}

/* Every day up to the end is there and has the provider's version, unless it was there before and
 * was not asked again. Days that a rollback changed since are always asked again. */
static bool may_follow(const oracle *o, const table_state *after, const log_line *l) {
    const table_state *before = &o->now;
    int days = before->days > l->a ? before->days : l->a;
    if (after->days != days)
        return false;
    for (int d = 0; d < days; d++) {
        bool as_before = d < before->days && after->version[d] == before->version[d];
        bool as_served = d < l->a && after->version[d] == l->version;
        bool must_be_served = (l->what == FORCE || o->owed[d]) && d < l->a;
        if (must_be_served ? !as_served : !as_before && !as_served)
            return false;
    }
    return true;
}

typedef struct sight {
    table_state now;
    table_state tags[TAGS];
    signed char ticks[TICKS];
} sight;

/* An update without --force chooses what it asks, so its result is taken from what was seen: it
 * ends the log. */
static void apply_update(oracle *o, const log_line *l, const sight *s) {
    if (l->what == UPDATE) {
        if (!may_follow(o, &s->now, l))
            differ("an update up to day %d left %d days, or other versions", l->a, s->now.days);
        memset(o->owed, 0, (size_t)l->a);
        o->now = s->now;
        return;
    }
    memset(o->owed, 0, (size_t)l->a);
    if (l->a > o->now.days)
        o->now.days = l->a;
    memset(o->now.version, l->version, (size_t)l->a);
}

static void apply_rollback(oracle *o, const table_state *to) {
    int days = o->now.days > to->days ? o->now.days : to->days;
    for (int d = 0; d < days; d++)
        if (d >= o->now.days || d >= to->days || o->now.version[d] != to->version[d])
            o->owed[d] = true;
    o->now = *to;
}

static void apply(oracle *o, const log_line *l, const sight *s) {
    switch (l->what) {
    case UPDATE:
    case FORCE:
        apply_update(o, l, s);
        break;
    case APPEND:
        o->ticks[l->a] = APPEND_ROWS;
        break;
    case TAG:
        o->tagged[l->a] = true;
        o->tags[l->a] = o->now;
        break;
    case UNTAG:
        o->tagged[l->a] = false;
        break;
    case ROLLBACK:
        apply_rollback(o, &o->tags[l->a]);
        break;
    default:
        break;
    }
}

/* Whether the operation that was cut off landed. */
static bool has_landed(const oracle *o, const log_line *l, const sight *s, bool tag_is_there) {
    switch (l->what) {
    case UPDATE:
    case FORCE:
        return !same_state(&o->now, &s->now) && may_follow(o, &s->now, l);
    case APPEND:
        return s->ticks[l->a] > 0;
    case TAG:
        return tag_is_there && same_state(&s->tags[l->a], &o->now);
    case UNTAG:
        return !tag_is_there;
    case ROLLBACK:
        return !same_state(&o->now, &s->now) && same_state(&s->now, &o->tags[l->a]);
    default:
        return false;
    }
}

static bool look_at_tag(lochan_lake *lake, int tag, table_state *out) {
    char name[16];
    lochan_error err;
    struct ArrowArrayStream files;
    snprintf(name, sizeof name, "tag-%d", tag);
    if (lochan_lake_files_at(lake, NULL, NULL, name, &files, &err) != LOCHAN_OK)
        return false;
    files.release(&files);
    read_state(lake, name, out);
    return true;
}

static void compare(const oracle *o, const sight *s, const bool *tags) {
    if (!same_state(&o->now, &s->now))
        differ("the table has %d days, expected %d (or other versions)", s->now.days, o->now.days);
    for (int i = 0; i < TICKS; i++)
        if (o->ticks[i] != s->ticks[i])
            differ("tick %d has %d rows, expected %d", i, s->ticks[i], o->ticks[i]);
    for (int i = 0; i < TAGS; i++) {
        if (o->tagged[i] != tags[i])
            differ("tag %d is %sthere", i, tags[i] ? "" : "not ");
        if (o->tagged[i] && !same_state(&o->tags[i], &s->tags[i]))
            differ("tag %d shows another state", i);
    }
}

static void replay(oracle *o, const sight *s, const bool *tags) {
    for (size_t i = 0; i < n_told; i++) {
        const log_line *l = &told[i];
        bool last = i + 1 == n_told;
        if (l->what == APPEND && l->a >= o->next_tick)
            o->next_tick = l->a + 1;
        assert_true(l->what != UPDATE || l->state != DONE || last);
        o->acked[l->what] += l->state == DONE;
        if (l->state == DONE)
            apply(o, l, s);
        else if (l->state == TRYING && last) {
            bool there = l->what == TAG || l->what == UNTAG ? tags[l->a] : false;
            bool updates = l->what == UPDATE || l->what == FORCE;
            if (has_landed(o, l, s, there))
                apply(o, l, s);
            else if (updates && may_follow(o, &s->now, l))
                memset(o->owed, 0, (size_t)l->a); /* it may have landed: nothing differs */
        }
    }
}

/* A rebuild that was cut off between the old lake.db and the new one is repeated, as the error
 * says.
 */
static lochan_lake *open_whole(const char *path) {
    lochan_error err;
    lochan_lake *lake;
    lochan_lake_options options = LOCHAN_LAKE_OPTIONS_INIT;
    lochan_lake_rebuild_report report;
    options.threads = 1;
    lochan_status rc = lochan_lake_open(path, &options, &lake, &err);
    if (rc == LOCHAN_ERR_NOT_FOUND && strstr(err.hint, "rebuild")) {
        assert_ok(lochan_lake_rebuild(path, &options, NULL, &report, NULL, &err));
        rc = lochan_lake_open(path, &options, &lake, &err);
    }
    assert_ok(rc);
    return lake;
}

void oracle_check(oracle *o, const char *path, const char *log) {
    static sight s;
    bool tags[TAGS];
    size_t size = 0;
    memset(&s, 0, sizeof s);
    lochan_lake *lake = open_whole(path);
    pipe_verify(lake);
    read_state(lake, NULL, &s.now);
    read_ticks(lake, s.ticks);
    for (int i = 0; i < TAGS; i++)
        tags[i] = look_at_tag(lake, i, &s.tags[i]);
    lochan_lake_close(lake);
    char *lines = tmpdir_read(log, &size);
    told = (const log_line *)(const void *)lines;
    n_told = size / sizeof(log_line);
    replay(o, &s, tags);
    compare(o, &s, tags);
    free(lines);
    tmpdir_write(log, "", 0);
}
