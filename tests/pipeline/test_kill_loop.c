/* test_kill_loop.c - one lake, used by one child after another: each updates, appends, merges,
 * compacts, tags, rolls back, expires, collects, rebuilds, backs up and restores, and is killed
 * somewhere: at each failpoint that the sources name, and at any time, with and without a power cut
 * that takes and tears what was not synced. What was acknowledged is there, once (kill_oracle.h).
 *
 * LOCHAN_KILL_ROUNDS and LOCHAN_KILL_SEED ask for more rounds than the suite makes, and for others
 * (tools/kill_loop).
 */
#include "pipeline/kill_oracle.h"

#include "base/civil.h"
#include "catalog/internal.h"
#include "run/run_env.h"
#include "support/kill.h"
#include "support/torn.h"

#include <dirent.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 200, STEPS = 7 };

typedef enum step {
    S_FORCE,
    S_APPEND,
    S_APPEND_UNSYNCED,
    S_COMPACT,
    S_TAG,
    S_UNTAG,
    S_ROLLBACK,
    S_EXPIRE,
    S_GC,
    S_BACKUP,
    S_RESTORE,
    S_REBUILD,
    S_CURRENT,
    S_UPDATE, /* ends the script */
    N_STEPS
} step;

typedef struct loop {
    pipe_lake base;
    provider providers[VERSIONS];
    char log[320], backup[320], restored[320];
    uint64_t seed;
    oracle oracle; /* a child goes on with its own copy */
    int version;   /* that the provider of this round serves */
    bool torn;     /* the power is cut too: what was not synced is lost or torn, as `cut` says */
    uint64_t cut;
    /* of the child */
    run_env env; /* the open lake */
    int fd;
    step script[2 * N_STEPS];
    int n_steps;
} loop;

static uint64_t rnd(loop *l, uint64_t below) {
    l->seed = l->seed * 6364136223846793005ull + 1442695040888963407ull;
    return (l->seed >> 33) % below;
}

static int setting(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text && *text ? atoi(text) : otherwise;
}

/* ---- the child ---- */

static lochan_status open_lake(loop *l, lochan_error *err) {
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    o.threads = 1;
    LOCHAN_TRY(lochan_lake_open(l->base.path, &o, &l->env.lake, err));
    l->env.lake->catalog->checkpoint_pages = 100; /* every few commits */
    return LOCHAN_OK;
}

static lochan_status update(loop *l, const log_line *line, lochan_error *err) {
    lochan_update_request r = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    char end[16];
    lochan_civil__format_date(18262 + line->a - 1, end);
    r.source = "market";
    r.dataset = "daily";
    r.end = end;
    r.force = line->what == FORCE;
    r.workers = 1;
    return lochan_update_run(l->env.lake, &r, &report, err);
}

static lochan_status append(loop *l, int tick, bool synced, lochan_error *err) {
    lochan_append_options o = LOCHAN_APPEND_OPTIONS_INIT;
    char rows[160];
    o.durability = synced ? LOCHAN_DURABILITY_FULL : LOCHAN_DURABILITY_NORMAL;
    snprintf(rows, sizeof rows, "%d a A 1\n%d b A 2\n%d c A 3\n", tick, tick, tick);
    return env_try_append(&l->env, tick % 2 ? "odd" : "even", "holdings", HOLDINGS, rows, &o, err);
}

static lochan_status compact(loop *l, lochan_error *err) {
    lochan_compact_options o = LOCHAN_COMPACT_OPTIONS_INIT;
    lochan_compact_report report;
    o.full = true;
    return lochan_lake_compact(l->env.lake, NULL, NULL, &o, &report, NULL, err);
}

static lochan_status expire(loop *l, lochan_error *err) {
    lochan_expire_options o = LOCHAN_EXPIRE_OPTIONS_INIT;
    lochan_expire_report report;
    o.older_than = 0;
    o.keep_newest = 2;
    return lochan_lake_expire(l->env.lake, &o, &report, err);
}

static lochan_status gc(loop *l, lochan_error *err) {
    lochan_gc_options o = LOCHAN_GC_OPTIONS_INIT;
    lochan_gc_report report;
    o.grace = 0;
    return lochan_lake_gc(l->env.lake, &o, &report, NULL, err);
}

static lochan_status backup(loop *l, lochan_error *err) {
    lochan_backup_report report;
    return lochan_lake_backup(l->env.lake, l->backup, NULL, &report, err);
}

/* Whatever became of the backups that were cut off, the last whole one can be used. */
static lochan_status restore(loop *l, lochan_error *err) {
    lochan_restore_options o = LOCHAN_RESTORE_OPTIONS_INIT;
    lochan_restore_report report;
    lochan_backup_report made;
    LOCHAN_TRY(lochan_lake_backup(l->env.lake, l->backup, NULL, &made, err));
    o.verify = true;
    tmpdir_mkdir(l->restored);
    tmpdir_clear(l->restored);
    LOCHAN_TRY(lochan_lake_restore(l->backup, l->restored, NULL, &o, &report, NULL, err));
    return report.problems == 0 ? LOCHAN_OK
                                : lochan_error__set(err, LOCHAN_ERR_CORRUPT, "a bad restore");
}

static lochan_status rebuild(loop *l, lochan_error *err) {
    lochan_lake_rebuild_report report;
    lochan_lake_close(l->env.lake);
    l->env.lake = NULL;
    LOCHAN_TRY(lochan_lake_rebuild(l->base.path, NULL, NULL, &report, NULL, err));
    return open_lake(l, err);
}

static lochan_status act(loop *l, step s, const log_line *line, lochan_error *err) {
    char tag[16];
    snprintf(tag, sizeof tag, "tag-%d", line->a);
    switch (s) {
    case S_FORCE:
    case S_UPDATE:
        return update(l, line, err);
    case S_APPEND:
    case S_APPEND_UNSYNCED:
        return append(l, line->a, s == S_APPEND, err);
    case S_COMPACT:
        return compact(l, err);
    case S_TAG:
        return lochan_lake_tag(l->env.lake, tag, NULL, NULL, NULL, err);
    case S_UNTAG:
        return lochan_lake_untag(l->env.lake, tag, NULL, err);
    case S_ROLLBACK:
        return lochan_lake_rollback(l->env.lake, "market", "daily", tag, NULL, NULL, err);
    case S_EXPIRE:
        return expire(l, err);
    case S_GC:
        return gc(l, err);
    case S_BACKUP:
        return backup(l, err);
    case S_RESTORE:
        return restore(l, err);
    case S_REBUILD:
        return rebuild(l, err);
    default:
        return lochan_lake_keep_current(l->env.lake, rnd(l, 2) == 0, err);
    }
}

static log_line plan(loop *l, step s) {
    static const what what_of[N_STEPS] = {
        [S_FORCE] = FORCE,       [S_UPDATE] = UPDATE,
        [S_APPEND] = APPEND,     [S_APPEND_UNSYNCED] = APPEND,
        [S_TAG] = TAG,           [S_UNTAG] = UNTAG,
        [S_ROLLBACK] = ROLLBACK, [S_COMPACT] = OTHER,
        [S_EXPIRE] = OTHER,      [S_GC] = OTHER,
        [S_BACKUP] = OTHER,      [S_RESTORE] = OTHER,
        [S_REBUILD] = OTHER,     [S_CURRENT] = OTHER,
    };
    log_line line = {.what = what_of[s], .version = l->version};
    if (line.what == APPEND)
        line.a = l->oracle.next_tick++;
    else if (line.what == UPDATE || line.what == FORCE)
        line.a = 1 + (int)rnd(l, DAYS);
    else
        line.a = (int)rnd(l, TAGS);
    return line;
}

/* One step, with its two lines in the log. A conflict is an answer too: nothing happened. */
static lochan_status take_step(loop *l, step s, lochan_error *err) {
    log_line line = plan(l, s);
    bool *tagged = &l->oracle.tagged[line.a % TAGS];
    if ((s == S_UNTAG || s == S_ROLLBACK) && !*tagged)
        return LOCHAN_OK;
    log_write(l->fd, line);
    lochan_status rc = act(l, s, &line, err);
    bool conflict = rc == LOCHAN_ERR_LOCKED || rc == LOCHAN_ERR_CONFLICT;
    line.state = rc == LOCHAN_OK ? DONE : REFUSED;
    log_write(l->fd, line);
    if (rc == LOCHAN_OK && (s == S_TAG || s == S_UNTAG))
        *tagged = s == S_TAG;
    if (rc != LOCHAN_OK && !conflict)
        fprintf(stderr, "step %d (%d): %s\n", (int)s, line.a, err->message);
    return conflict ? LOCHAN_OK : rc;
}

static lochan_status live(void *ctx, lochan_error *err) {
    loop *l = ctx;
    lochan_status rc = LOCHAN_OK;
    l->fd = open(l->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (l->fd < 0)
        return lochan_error__set(err, LOCHAN_ERR_IO, "the log");
    if (l->torn)
        torn_start(l->base.dir);
    LOCHAN_TRYG(open_lake(l, err));
    for (int i = 0; i < l->n_steps; i++)
        LOCHAN_TRYG(take_step(l, l->script[i], err));
done:
    env_close(&l->env);
    close(l->fd);
    return rc;
}

/* ---- the parent ---- */

static void random_script(loop *l) {
    static const step often[] = {S_FORCE,   S_APPEND, S_APPEND_UNSYNCED,
                                 S_COMPACT, S_TAG,    S_ROLLBACK};
    l->n_steps = 0;
    while (l->n_steps < STEPS)
        l->script[l->n_steps++] =
            rnd(l, 2) ? often[rnd(l, LOCHAN_COUNTOF(often))] : (step)rnd(l, S_UPDATE);
    for (int i = 0; i < l->n_steps; i++)
        if (l->torn && l->script[i] == S_APPEND_UNSYNCED) /* a power cut may take these */
            l->script[i] = S_APPEND;
    if (rnd(l, 2))
        l->script[l->n_steps++] = S_UPDATE;
}

/* Everything, in an order in which each step finds something to do. */
static void whole_script(loop *l) {
    static const step whole[] = {S_CURRENT,         S_FORCE,    S_APPEND, S_TAG,    S_FORCE,
                                 S_APPEND_UNSYNCED, S_ROLLBACK, S_APPEND, S_FORCE,  S_COMPACT,
                                 S_UNTAG,           S_EXPIRE,   S_GC,     S_BACKUP, S_FORCE,
                                 S_RESTORE,         S_REBUILD,  S_UPDATE};
    l->n_steps = LOCHAN_COUNTOF(whole);
    memcpy(l->script, whole, sizeof whole);
}

/* The provider of this round; tells the lake. */
static void choose_provider(loop *l) {
    lochan_error err;
    l->version = (int)rnd(l, VERSIONS);
    assert_ok(open_lake(l, &err));
    assert_ok(lochan_source_set(l->env.lake, "market", "url", l->providers[l->version].url, &err));
    env_close(&l->env);
}

static void check_end(loop *l, const kill_result *r) {
    if (r->finished && r->rc != LOCHAN_OK)
        fail_msg("the child failed: %s: %s", lochan_status_name(r->rc), r->err.message);
    if (l->torn) {
        char stash[340]; /* what the cut set aside */
        snprintf(stash, sizeof stash, "%s.torn", l->base.dir);
        tmpdir_mkdir(stash);
        tmpdir_clear(stash);
        rmdir(stash);
    }
    oracle_check(&l->oracle, l->base.path, l->log);
    tmpdir_mkdir(l->restored);
    tmpdir_clear(l->restored);
}

static loop *start(uint64_t seed) {
    loop *l = calloc(1, sizeof *l);
    l->seed = seed;
    l->base = pipe_start((market){.days = DAYS, .assets = ASSETS}, NULL, "settle_days: 0\n");
    lochan_lake_close(l->base.lake);
    l->base.lake = NULL;
    for (int v = 0; v < VERSIONS; v++) {
        char csv[320];
        snprintf(csv, sizeof csv, "%s/v%d/", l->base.dir, v);
        tmpdir_mkdir(csv);
        snprintf(csv, sizeof csv, "%s/v%d/market.csv", l->base.dir, v);
        market_write(csv, (market){.days = DAYS, .assets = ASSETS, .bump_days = DAYS, .bump = v});
        l->providers[v] = provider_start(csv, NULL);
    }
    snprintf(l->log, sizeof l->log, "%s/log", l->base.dir);
    snprintf(l->backup, sizeof l->backup, "%s/backup", l->base.dir);
    snprintf(l->restored, sizeof l->restored, "%s/restored", l->base.dir);
    snprintf(l->env.path, sizeof l->env.path, "%s", l->base.path);
    return l;
}

/* The first rows, by a child that is left alone. */
static void begin(loop *l) {
    static kill_trace trace;
    choose_provider(l);
    l->n_steps = 1;
    l->script[0] = S_FORCE;
    kill_result r = kill_list(live, l, &trace);
    check_end(l, &r);
    assert_true(l->oracle.now.days > 0);
}

static void stop(loop *l) {
    for (int v = 0; v < VERSIONS; v++)
        provider_stop(&l->providers[v]);
    pipe_stop(&l->base);
    free(l);
}

/* ---- the failpoints of the sources ---- */

typedef struct names {
    int n;
    char text[128][KILL_NAME];
    bool killed[128];
} names;

static void add_names(names *all, const char *path) {
    char *text = tmpdir_read(path, NULL);
    for (char *at = text; at && (at = strstr(at, "AILPOINT")); at++) { /* LOCHAN_FAILPOINT, ...G */
        char *open = strchr(at, '(');
        if (open - at <= 9 && open[1] == '"' && all->n < (int)LOCHAN_COUNTOF(all->text)) {
            size_t n = strcspn(open + 2, "\"");
            snprintf(all->text[all->n++], KILL_NAME, "%.*s", (int)n, open + 2);
        }
    }
    for (char *at = text; at && (at = strstr(at, "failpoint__hit(\"")); at++)
        snprintf(all->text[all->n++], KILL_NAME, "%.*s", (int)strcspn(at + 16, "\""), at + 16);
    free(text);
}

static void list_names(names *all) {
    static const char *const folders[] = {"store", "catalog", "table", "update", "run"};
    memset(all, 0, sizeof *all);
    for (size_t i = 0; i < LOCHAN_COUNTOF(folders); i++) {
        char path[800];
        snprintf(path, sizeof path, LOCHAN_SOURCE_DIR "/src/%s", folders[i]);
        DIR *dir = opendir(path);
        assert_non_null(dir);
        for (struct dirent *e; (e = readdir(dir));) {
            snprintf(path, sizeof path, LOCHAN_SOURCE_DIR "/src/%s/%s", folders[i], e->d_name);
            if (strstr(e->d_name, ".c"))
                add_names(all, path);
        }
        closedir(dir);
    }
}

/* Those that a lake in use does not pass; tests/catalog, tests/table and tests/run kill there. */
static bool is_elsewhere(const char *name) {
    static const char *const elsewhere[] = {
        "catalog.init.",
        "catalog.cut.",
        "table.repair.",
        "update.repair.",
        "table.adopt.",
        "run.delete.",
        "run.rebuild.",
        "run.evolve.",
        "table.unsynced.",
        "catalog.unsynced.",
        "table.compact.automatic",
        "table.ensure.",
        "update.rebuild.",
        "update.raw.",
    };
    for (size_t i = 0; i < LOCHAN_COUNTOF(elsewhere); i++)
        if (strncmp(name, elsewhere[i], strlen(elsewhere[i])) == 0)
            return true;
    return false;
}

/* ---- tests ---- */

static void kill_at_each_name(loop *l, names *all, int *rounds) {
    int missed = 0;
    for (int i = 0; i < all->n; i++) {
        for (int nth = 0; nth < 2; nth++, ++*rounds) {
            choose_provider(l);
            whole_script(l);
            size_t at = nth == 0 ? 1 : 2 + (size_t)rnd(l, 8);
            kill_result r = kill_at_name(live, l, all->text[i], at, NULL, NULL);
            all->killed[i] |= r.reached;
            check_end(l, &r);
        }
        if (!all->killed[i] && !is_elsewhere(all->text[i])) {
            print_error("no child passes the failpoint %s\n", all->text[i]);
            missed++;
        }
    }
    assert_int_equal(missed, 0);
}

static void kill_at_random(loop *l, int round) {
    kill_result r;
    choose_provider(l);
    l->torn = round % 4 == 1;
    l->cut = rnd(l, 1000);
    random_script(l);
    (void)rnd(l, 2); /* the child's choices differ from the parent's next ones */
    if (round % 2)
        r = kill_at(live, l, 1 + (size_t)rnd(l, 90), l->torn ? torn_last_act : NULL, &l->cut);
    else
        r = kill_after(live, l, 1000000 + (long long)rnd(l, 400) * 1000000);
    check_end(l, &r);
}

static void test_kill_loop__nothing_acknowledged_is_lost(void **state) {
    static names all;
    int rounds = setting("LOCHAN_KILL_ROUNDS", ROUNDS), done = 0;
    int seed = setting("LOCHAN_KILL_SEED", 1);
    loop *l = start((uint64_t)seed);
    list_names(&all);
    assert_true(all.n > 40);
    begin(l);
    kill_at_each_name(l, &all, &done);
    for (; done < rounds; done++)
        kill_at_random(l, done);
    const long *acked = l->oracle.acked;
    print_message(
        "seed %d, %d rounds, %d failpoints; acknowledged: %ld + %ld updates, %ld appends, "
        "%ld tags, %ld rollbacks, %ld others\n",
        seed, done, all.n, acked[UPDATE], acked[FORCE], acked[APPEND], acked[TAG], acked[ROLLBACK],
        acked[OTHER]);
    for (int i = 0; i < N_WHAT; i++)
        assert_true(acked[i] > 0);
    stop(l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill_loop__nothing_acknowledged_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
