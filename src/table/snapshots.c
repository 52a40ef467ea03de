/* snapshots.c - the public calls about snapshots: list, tags, expire, gc.
 * Invariants: a file is removed only after the transaction that forgot it is durable and its grace
 * is over, and never while the catalog knows its path. May call: base/, arrow/, store/, catalog/.
 */
#include "catalog/snapshots.h"
#include "arrow/listing.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "table/write.h"

/* ---- the list ---- */

static lochan_status put_text(lochan_listing *list, int column, const char *text,
                              lochan_error *err) {
    return *text ? lochan_listing__string(list, column, text, err) : LOCHAN_OK;
}

static lochan_status put_row(lochan_listing *list, const lochan_snapshot_row *row,
                             lochan_error *err) {
    LOCHAN_TRY(lochan_listing__int64(list, 0, row->id, err));
    LOCHAN_TRY(lochan_listing__time(list, 1, row->time_ns, err));
    LOCHAN_TRY(put_text(list, 2, row->kind, err));
    LOCHAN_TRY(put_text(list, 3, row->author, err));
    LOCHAN_TRY(put_text(list, 4, row->message, err));
    LOCHAN_TRY(put_text(list, 5, row->changes, err));
    LOCHAN_TRY(put_text(list, 6, row->tags, err));
    return lochan_listing__end_row(list, err);
}

lochan_status lochan_lake_snapshots(lochan_lake *lake, const char *source, const char *dataset,
                                    int64_t limit, struct ArrowArrayStream *out,
                                    lochan_error *err) {
    static const lochan_listing_column columns[] = {
        {"snapshot_id", "int64"}, {"time", "timestamp[us, UTC]"},
        {"kind", "string"},       {"author", "string"},
        {"message", "string"},    {"changes", "string"},
        {"tags", "string"},       {NULL, NULL}};
    lochan_status rc = LOCHAN_OK;
    lochan_snapshot_rows rows = {0};
    lochan_listing list = {0};
    lochan_table_def def = {0};
    int64_t table_id = -1;
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(lake && (source != NULL) == (dataset != NULL), err);
    if (source) {
        LOCHAN_TRYG(lochan_catalog__table(lake->catalog, source, dataset, -1, &def, err));
        table_id = def.table_id;
    }
    LOCHAN_TRYG(lochan_catalog__snapshots(lake->catalog, table_id, limit, &rows, err));
    LOCHAN_TRYG(lochan_listing__init(&list, columns, err));
    for (size_t i = 0; i < rows.n; i++)
        LOCHAN_TRYG(put_row(&list, &rows.rows[i], err));
    LOCHAN_TRYG(lochan_listing__finish(&list, out, err));
done:
    lochan_listing__deinit(&list);
    lochan_snapshot_rows__deinit(&rows);
    lochan_table_def__deinit(&def);
    return rc;
}

/* ---- tags ---- */

/* *txn = NULL: the token was committed before. */
static lochan_status begin(lochan_lake *lake, const char *kind, const char *token, lochan_txn **txn,
                           lochan_error *err) {
    lochan_txn_options options = {.kind = kind, .token = token};
    bool done_already;
    *txn = NULL;
    LOCHAN_TRY(lochan_lake__check_writable(lake, err));
    return lochan_txn__begin(lake->catalog, &options, &done_already, NULL, txn, err);
}

lochan_status lochan_commit_options__token(const lochan_commit_options *options, const char **token,
                                           lochan_error *err) {
    static const uint8_t zero[sizeof options->reserved];
    *token = NULL;
    if (!options)
        return LOCHAN_OK;
    LOCHAN_CHECK_ARG(options->struct_size == sizeof *options &&
                         memcmp(options->reserved, zero, sizeof zero) == 0,
                     err);
    *token = options->token;
    return LOCHAN_OK;
}

lochan_status lochan_lake__is_done(lochan_lake *lake, const char *token, bool *done,
                                   int64_t *snapshot_id, lochan_error *err) {
    *done = false;
    *snapshot_id = -1;
    return token ? lochan_catalog__commit_by_token(lake->catalog, token, done, snapshot_id, err)
                 : LOCHAN_OK;
}

/* The snapshot that bears the name, if one does. */
static lochan_status find_tag(lochan_lake *lake, const char *name, int64_t *id, lochan_error *err) {
    lochan_snapshot at;
    lochan_error seen;
    lochan_error_init(&seen);
    lochan_status rc = lochan_catalog__snapshot_at(lake->catalog, name, &at, &seen);
    if (rc == LOCHAN_OK && id)
        *id = at.id;
    bool none = rc == LOCHAN_ERR_NOT_FOUND || rc == LOCHAN_ERR_INVALID_ARGUMENT; /* no such name */
    if (rc != LOCHAN_OK && !none && err)
        *err = seen;
    return none ? LOCHAN_OK : rc;
}

lochan_status lochan_lake_tag(lochan_lake *lake, const char *name, const char *as_of,
                              const lochan_commit_options *options, int64_t *snapshot_id,
                              lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    lochan_snapshot at;
    const char *token;
    if (snapshot_id)
        *snapshot_id = -1;
    LOCHAN_CHECK_ARG(lake && name, err);
    LOCHAN_TRY(lochan_commit_options__token(options, &token, err));
    LOCHAN_TRYG(begin(lake, "tag", token, &txn, err));
    if (!txn)
        return find_tag(lake, name, snapshot_id, err);
    /* under the queue lock: nobody can expire it meanwhile */
    LOCHAN_TRYG(lochan_catalog__snapshot_at(lake->catalog, as_of, &at, err));
    LOCHAN_TRYG(lochan_txn__put_tag(txn, name, at.id, err));
    LOCHAN_TRYG(lochan_txn__commit(&txn, NULL, err));
    if (snapshot_id)
        *snapshot_id = at.id;
done:
    lochan_txn__abort(txn);
    return rc;
}

lochan_status lochan_lake_untag(lochan_lake *lake, const char *name,
                                const lochan_commit_options *options, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    const char *token;
    LOCHAN_CHECK_ARG(lake && name, err);
    LOCHAN_TRY(lochan_commit_options__token(options, &token, err));
    LOCHAN_TRYG(begin(lake, "tag", token, &txn, err));
    if (!txn)
        goto done;
    LOCHAN_TRYG(lochan_txn__delete_tag(txn, name, err));
    LOCHAN_TRYG(lochan_txn__commit(&txn, NULL, err));
done:
    lochan_txn__abort(txn);
    return rc;
}

/* ---- expire ---- */

enum { DEFAULT_GRACE = 86400, SNAPSHOTS_A_COMMIT = 1000 };

static int64_t ago(int64_t seconds) {
    int64_t now = lochan_clock__wall_ns();
    return seconds > now / 1000000000 ? INT64_MIN : now - seconds * 1000000000;
}

/* One commit. Only the last one bears the token: with a token, a commit that leaves nothing to do
 * is made for it. */
static lochan_status expire_once(lochan_lake *lake, const lochan_expire_options *o,
                                 const char *token, int64_t before, lochan_expired *did,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    memset(did, 0, sizeof *did);
    LOCHAN_TRYG(begin(lake, "expire", token, &txn, err));
    if (!txn)
        goto done;
    LOCHAN_TRYG(lochan_txn__expire(txn, before, o->keep_newest > 0 ? o->keep_newest : 1,
                                   o->dry_run || token ? -1 : SNAPSHOTS_A_COMMIT, did, err));
    if (!o->dry_run) {
        LOCHAN_FAILPOINTG("table.expire.forgotten", err);
        LOCHAN_TRYG(lochan_txn__commit(&txn, NULL, err));
    }
done:
    lochan_txn__abort(txn);
    return rc;
}

static void count_expired(lochan_expire_report *report, const lochan_expired *did) {
    report->snapshots += did->snapshots;
    report->files += did->files;
    report->bytes += did->bytes;
}

lochan_status lochan_lake_expire(lochan_lake *lake, const lochan_expire_options *options,
                                 lochan_expire_report *report, lochan_error *err) {
    lochan_expire_options o = LOCHAN_EXPIRE_OPTIONS_INIT;
    lochan_expired did = {.more = true};
    bool done;
    int64_t id;
    LOCHAN_CHECK_ARG(lake && report, err);
    memset(report, 0, sizeof *report);
    if (options) {
        LOCHAN_CHECK_ARG(options->struct_size == sizeof o, err);
        o = *options;
    }
    LOCHAN_CHECK_ARG(o.older_than >= -1 && o.keep_newest >= 0, err);
    const char *token = o.dry_run ? NULL : o.token;
    LOCHAN_TRY(lochan_lake__is_done(lake, token, &done, &id, err));
    if (done)
        return LOCHAN_OK;
    if (o.older_than < 0)
        LOCHAN_TRY(lochan_catalog__retention(lake->catalog, &o.older_than, err));
    int64_t before = ago(o.older_than);
    while (did.more) {
        LOCHAN_TRY(expire_once(lake, &o, NULL, before, &did, err));
        count_expired(report, &did);
    }
    if (!token)
        return LOCHAN_OK;
    LOCHAN_TRY(expire_once(lake, &o, token, before, &did, err));
    count_expired(report, &did);
    return LOCHAN_OK;
}

lochan_status lochan_lake_set_retention(lochan_lake *lake, int64_t seconds, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && seconds >= 0, err);
    LOCHAN_TRY(lochan_lake__check_writable(lake, err));
    return lochan_catalog__set_retention(lake->catalog, seconds, err);
}

static lochan_status expire_some(lochan_lake *lake, int64_t retention, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_expired did;
    lochan_txn *txn = NULL;
    LOCHAN_TRYG(begin(lake, "expire", NULL, &txn, err));
    LOCHAN_TRYG(lochan_txn__expire(txn, ago(retention), 1, SNAPSHOTS_A_COMMIT, &did, err));
    LOCHAN_TRYG(lochan_txn__note_expire(txn, err));
    LOCHAN_TRYG(lochan_txn__commit(&txn, NULL, err));
done:
    lochan_txn__abort(txn);
    return rc;
}

/* The publish before it stands whatever happens here. */
void lochan_lake__expire_now_and_then(lochan_lake *lake) {
    lochan_error err;
    bool due;
    int64_t retention;
    lochan_error_init(&err);
    lochan_status rc = lochan_catalog__expire_due(lake->catalog, &due, &retention, &err);
    if (rc == LOCHAN_OK && due)
        rc = expire_some(lake, retention, &err);
    if (rc != LOCHAN_OK)
        LOCHAN_WARN("old snapshots were not expired: %s", err.message);
}

/* ---- gc ---- */

static lochan_status plan_file(lochan_lake *lake, const lochan_scheduled_file *f,
                               lochan_listing *list, lochan_gc_report *report, lochan_error *err) {
    lochan_stat st = {0};
    lochan_error seen;
    lochan_error_init(&seen);
    lochan_status rc = lochan_store__stat(lake->store, f->path, &st, &seen);
    if (rc != LOCHAN_OK && rc != LOCHAN_ERR_NOT_FOUND) {
        if (err)
            *err = seen;
        return rc;
    }
    report->files++;
    report->bytes += (int64_t)st.size;
    LOCHAN_TRY(lochan_listing__string(list, 0, f->path, err));
    LOCHAN_TRY(lochan_listing__int64(list, 1, (int64_t)st.size, err));
    LOCHAN_TRY(lochan_listing__time(list, 2, f->since_ns, err));
    return lochan_listing__end_row(list, err);
}

/* Removes the files first and then what is known of them: repeated after a crash, it finds them
 * missing. */
static lochan_status remove_files(lochan_lake *lake, const lochan_scheduled_file *const *files,
                                  size_t n, const char *token, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    for (size_t i = 0; i < n; i++) {
        LOCHAN_TRYG(lochan_cancel__check(lake->ctx.cancel, err));
        LOCHAN_TRYG(lochan_store__remove(lake->store, files[i]->path, true, err));
        LOCHAN_FAILPOINTG("table.gc.removed", err);
    }
    if (n > 0 || token) {
        LOCHAN_TRYG(begin(lake, "gc", token, &txn, err));
        for (size_t i = 0; i < n && txn; i++)
            LOCHAN_TRYG(lochan_txn__forget_scheduled(txn, files[i]->id, err));
        if (txn)
            LOCHAN_TRYG(lochan_txn__commit(&txn, NULL, err));
    }
done:
    lochan_txn__abort(txn);
    return rc;
}

lochan_status lochan_lake_gc(lochan_lake *lake, const lochan_gc_options *options,
                             lochan_gc_report *report, struct ArrowArrayStream *plan,
                             lochan_error *err) {
    static const lochan_listing_column columns[] = {{"path", "string"},
                                                    {"bytes", "int64"},
                                                    {"forgotten_at", "timestamp[us, UTC]"},
                                                    {NULL, NULL}};
    lochan_status rc = LOCHAN_OK;
    lochan_gc_options o = LOCHAN_GC_OPTIONS_INIT;
    lochan_scheduled_files scheduled = {0};
    lochan_known_files known = {0};
    lochan_listing list = {0};
    const lochan_scheduled_file **chosen = NULL;
    size_t n = 0;
    bool done_already;
    int64_t id;
    if (plan)
        memset(plan, 0, sizeof *plan);
    LOCHAN_CHECK_ARG(lake && report, err);
    memset(report, 0, sizeof *report);
    if (options) {
        LOCHAN_CHECK_ARG(options->struct_size == sizeof o, err);
        o = *options;
    }
    LOCHAN_CHECK_ARG(o.grace >= -1, err);
    if (!o.dry_run)
        LOCHAN_TRYG(lochan_lake__check_writable(lake, err));
    LOCHAN_TRYG(lochan_lake__is_done(lake, o.dry_run ? NULL : o.token, &done_already, &id, err));
    int64_t before = ago(o.grace < 0 ? DEFAULT_GRACE : o.grace);
    LOCHAN_TRYG(lochan_catalog__scheduled(lake->catalog, &scheduled, err));
    LOCHAN_TRYG(lochan_catalog__known_files(lake->catalog, &known, err));
    LOCHAN_TRYG(lochan_listing__init(&list, columns, err));
    chosen = lochan_mem__array(scheduled.n + 1, sizeof *chosen);
    if (!chosen) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (size_t i = 0; i < scheduled.n && !done_already; i++) {
        const lochan_scheduled_file *f = &scheduled.files[i];
        if (lochan_known_files__has(&known,
                                    f->path)) /* of a table again: another program's doing */
            continue;
        if (f->since_ns > before) {
            report->waiting++;
            continue;
        }
        LOCHAN_TRYG(plan_file(lake, f, &list, report, err));
        chosen[n++] = f;
    }
    if (!o.dry_run && !done_already)
        LOCHAN_TRYG(remove_files(lake, chosen, n, o.token, err));
    if (plan)
        LOCHAN_TRYG(lochan_listing__finish(&list, plan, err));
done:
    lochan_mem__free((void *)chosen);
    lochan_listing__deinit(&list);
    lochan_known_files__deinit(&known);
    lochan_scheduled_files__deinit(&scheduled);
    return rc;
}
