/* compact.c - small neighbouring files joined into larger ones, without changing a row, and
 * partitions that rest sorted by other columns.
 * Invariants: each commit stands for itself, so that a compaction can be cut off and repeated; what
 * the caller does not say is as the table's spec has it. May call: base/, arrow/, store/, catalog/,
 * compact_plan.c, compact_file.c, compact_publish.c.
 */
#include "table/compact.h"

#include "arrow/listing.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"

#define COMMIT_BYTES    (1ll << 30)   /* input of one commit */
#define AUTOMATIC_BYTES (256ll << 20) /* input of one automatic compaction */
#define DAY_NS          INT64_C(86400000000000)

enum { MIN_FILES = 8, CLUSTER_AFTER_DAYS = 30 };
static const int64_t TARGET_BYTES = INT64_C(128) << 20;

/* Ends a commit, whatever became of it: files of no use go. */
static void end_commit(lochan_compaction *c) {
    for (size_t i = 0; i < c->n_files; i++) {
        lochan_joined *j = &c->files[i];
        if (c->published && j->dropped)
            (void)lochan_store__remove(c->lake->store, j->path, true, NULL);
        lochan_mem__free(j->path);
        lochan_pq_summary__deinit(&j->summary);
    }
    c->n_files = 0;
    if (c->published)
        lochan_store_batch__free(c->batch);
    else
        lochan_store_batch__discard(c->batch);
    c->batch = NULL;
}

/* Groups [from, *to) as one commit. */
static lochan_status compact_some(lochan_compaction *c, size_t from, size_t *to,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    int64_t bytes = 0;
    c->published = false;
    lochan_uuid__make(c->commit_id);
    *to = from;
    LOCHAN_TRYG(lochan_store_batch__create(c->lake->store, &c->batch, err));
    while (*to < c->plan.n && c->n_files < LOCHAN_COMPACT_COMMIT_FILES && bytes < COMMIT_BYTES) {
        bytes += c->plan.groups[*to].bytes;
        LOCHAN_TRYG(lochan_compaction__join(c, &c->plan.groups[(*to)++], err));
    }
    LOCHAN_TRYG(lochan_compaction__publish(c, err));
done:
    end_commit(c);
    return rc;
}

/* ---- one table ---- */

/* Statistics are kept of as many of the first columns as the files that are there have. */
static lochan_status find_stats_columns(lochan_compaction *c, lochan_error *err) {
    size_t n = (size_t)c->table->def.schema.n_children;
    lochan_file_list list = {0};
    lochan_status rc = lochan_table__files(c->table, &list, err);
    const lochan_data_file *f = rc == LOCHAN_OK && list.n > 0 ? &list.files[list.n - 1] : NULL;
    for (size_t i = 0; f && i < n && f->stats_known[i]; i++)
        c->stats_columns = (int)i + 1;
    if (c->stats_columns == (int)n)
        c->stats_columns = 0; /* all, nested ones too */
    lochan_file_list__deinit(&list);
    return rc;
}

static lochan_status show_plan(const lochan_compaction *c, lochan_listing *list,
                               lochan_error *err) {
    for (size_t i = 0; i < c->plan.n; i++) {
        const lochan_compaction_group *g = &c->plan.groups[i];
        const char *path = g->files[0]->path, *slash = strrchr(path, '/');
        char folder[600];
        lochan_format(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) : 0, path);
        LOCHAN_TRY(lochan_listing__string(list, 0, c->table->def.source, err));
        LOCHAN_TRY(lochan_listing__string(list, 1, c->table->def.dataset, err));
        LOCHAN_TRY(lochan_listing__string(list, 2, folder, err));
        LOCHAN_TRY(lochan_listing__int64(list, 3, (int64_t)g->n, err));
        LOCHAN_TRY(lochan_listing__int64(list, 4, g->rows, err));
        LOCHAN_TRY(lochan_listing__int64(list, 5, g->bytes, err));
        LOCHAN_TRY(lochan_listing__string(list, 6, g->cluster ? "cluster" : "join", err));
        LOCHAN_TRY(lochan_listing__end_row(list, err));
    }
    return LOCHAN_OK;
}

/* The cap on input of the whole call. */
static void cap_plan(lochan_compaction *c) {
    int64_t left = c->rules.max_input_bytes - c->report->bytes_planned;
    size_t n = 0;
    while (n < c->plan.n && (c->rules.max_input_bytes == 0 || c->plan.groups[n].bytes <= left))
        left -= c->plan.groups[n++].bytes;
    c->report->groups_left += (int64_t)(c->plan.n - n);
    c->plan.n = n;
    for (size_t i = 0; i < n; i++)
        c->report->bytes_planned += c->plan.groups[i].bytes;
}

/* What the caller says, else the table's spec, else what is usual. */
static int64_t first_of(int64_t said, int64_t kept, int64_t usual) {
    return said > 0 ? said : kept > 0 ? kept : usual;
}

static void make_rules(lochan_compaction *c, const lochan_compact_options *o) {
    const lochan_upkeep *kept = &c->upkeep.set;
    lochan_compact_rules *r = &c->rules;
    const lochan_budget *budget = c->lake->ctx.budget;
    int64_t row = (int64_t)lochan_cluster__row_bytes(&c->table->def.schema);
    if (row == 0) /* a damaged catalog's table without columns */
        row = 1;
    r->full = o->full;
    r->min_files = o->full ? 2 : first_of(o->min_files, kept->max_files, MIN_FILES);
    r->target_bytes = first_of((int64_t)o->target_bytes, kept->target_file_bytes, TARGET_BYTES);
    r->small_bytes =
        first_of((int64_t)o->min_file_bytes, kept->min_file_bytes, r->target_bytes / 2);
    r->max_input_bytes = first_of((int64_t)o->max_input_bytes, kept->max_input_bytes, 0);
    r->cold_before_ns = INT64_MIN;
    if (c->upkeep.n_rows > 0 && o->cluster)
        r->cold_before_ns = INT64_MAX;
    else if (c->upkeep.n_rows > 0)
        r->cold_before_ns = lochan_clock__wall_ns() -
                            first_of(0, kept->cluster_after_days, CLUSTER_AFTER_DAYS) * DAY_NS;
    /* a merge that meets the partition later holds it in memory, too, three times at worst */
    r->max_cluster_rows =
        budget && budget->limit > 0 ? (int64_t)(budget->limit / 8) / row : INT64_MAX / row;
}

static lochan_status open_table(lochan_compaction *c, const char *source, const char *dataset,
                                lochan_error *err) {
    LOCHAN_TRY(lochan_table__open(c->lake, source, dataset, -1, &c->table, err));
    return lochan_upkeep__load(c->table, &c->upkeep, err);
}

static lochan_status carry_out(lochan_compaction *c, lochan_error *err) {
    if (c->plan.n == 0)
        return LOCHAN_OK;
    LOCHAN_TRY(find_stats_columns(c, err));
    for (size_t at = 0, next; at < c->plan.n; at = next)
        LOCHAN_TRY(compact_some(c, at, &next, err));
    return LOCHAN_OK;
}

static void free_compaction(lochan_compaction *c) {
    lochan_compaction_plan__deinit(&c->plan);
    lochan_upkeep__deinit(&c->upkeep);
    lochan_table__close(c->table);
    lochan_mem__free(c);
}

static lochan_status compact_table(lochan_lake *lake, const lochan_table_name *name,
                                   const lochan_compact_options *options, bool asked,
                                   lochan_compact_report *report, lochan_listing *list,
                                   lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_compaction *c = lochan_mem__zalloc(sizeof *c);
    if (!c)
        return lochan_error__nomem(err);
    c->lake = lake;
    c->report = report;
    LOCHAN_TRYG(open_table(c, name->source, name->dataset, err));
    if (options->cluster && asked && c->upkeep.n_rows == 0) {
        rc = lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "%s has no cluster_columns",
                               c->table->full_name);
        lochan_error__hint(err, "name them in the dataset's spec, and update it");
        goto done;
    }
    make_rules(c, options);
    LOCHAN_TRYG(lochan_compaction_plan__make(lake, c->table, &c->rules, &c->plan, err));
    cap_plan(c);
    LOCHAN_TRYG(show_plan(c, list, err));
    if (!options->dry_run)
        LOCHAN_TRYG(carry_out(c, err));
done:
    free_compaction(c);
    return rc;
}

static lochan_status compact_tables(lochan_lake *lake, const char *source, const char *dataset,
                                    const lochan_compact_options *options,
                                    lochan_compact_report *report, lochan_listing *list,
                                    lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_table_names names = {0};
    bool any = false;
    LOCHAN_TRYG(lochan_catalog__tables(lake->catalog, -1, &names, err));
    for (size_t i = 0; i < names.n; i++) {
        const lochan_table_name *n = &names.names[i];
        if ((source && strcmp(source, n->source) != 0) ||
            (dataset && strcmp(dataset, n->dataset) != 0))
            continue;
        any = true;
        rc = compact_table(lake, n, options, dataset != NULL, report, list, err);
        if (rc == LOCHAN_ERR_UNSUPPORTED && !dataset) {
            report->tables_skipped++;
            rc = LOCHAN_OK;
        }
        LOCHAN_TRYG(rc);
    }
    if (dataset && !any)
        rc = lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "there is no table %s.%s", source,
                               dataset);
done:
    lochan_table_names__deinit(&names);
    return rc;
}

static lochan_status read_options(const lochan_compact_options *options,
                                  lochan_compact_options *out, lochan_error *err) {
    static const uint8_t zero[sizeof out->reserved];
    *out = (lochan_compact_options)LOCHAN_COMPACT_OPTIONS_INIT;
    if (options) {
        LOCHAN_CHECK_ARG(options->struct_size >= offsetof(lochan_compact_options, reserved), err);
        memcpy(out, options,
               options->struct_size < sizeof *out ? options->struct_size : sizeof *out);
        LOCHAN_CHECK_ARG(memcmp(out->reserved, zero, sizeof zero) == 0, err);
    }
    LOCHAN_CHECK_ARG(out->min_files == 0 || out->min_files >= 2, err);
    LOCHAN_CHECK_ARG(out->target_bytes <= 1ull << 40 && out->min_file_bytes <= 1ull << 40, err);
    LOCHAN_CHECK_ARG(out->max_input_bytes <= 1ull << 60, err);
    return LOCHAN_OK;
}

lochan_status lochan_lake_compact(lochan_lake *lake, const char *source, const char *dataset,
                                  const lochan_compact_options *options,
                                  lochan_compact_report *report, struct ArrowArrayStream *plan,
                                  lochan_error *err) {
    static const lochan_listing_column columns[] = {
        {"source", "string"}, {"dataset", "string"}, {"folder", "string"}, {"files", "int64"},
        {"rows", "int64"},    {"bytes", "int64"},    {"action", "string"}, {NULL, NULL}};
    lochan_status rc = LOCHAN_OK;
    lochan_compact_options o;
    lochan_listing list = {0};
    if (plan)
        memset(plan, 0, sizeof *plan);
    LOCHAN_CHECK_ARG(report, err);
    memset(report, 0, sizeof *report);
    report->snapshot_id = -1;
    LOCHAN_CHECK_ARG(lake && (source || !dataset), err);
    LOCHAN_TRY(read_options(options, &o, err));
    if (!o.dry_run)
        LOCHAN_TRY(lochan_lake__check_writable(lake, err));
    LOCHAN_TRYG(lochan_listing__init(&list, columns, err));
    LOCHAN_TRYG(compact_tables(lake, source, dataset, &o, report, &list, err));
    if (plan)
        LOCHAN_TRYG(lochan_listing__finish(&list, plan, err));
done:
    lochan_listing__deinit(&list);
    return rc;
}

/* ---- by itself ---- */

static lochan_status tend(lochan_compaction *c, const lochan_table *t, lochan_error *err) {
    lochan_compact_options o = LOCHAN_COMPACT_OPTIONS_INIT;
    LOCHAN_TRY(open_table(c, t->def.source, t->def.dataset, err));
    if (!c->upkeep.set.automatic)
        return LOCHAN_OK;
    make_rules(c, &o);
    if (c->rules.max_input_bytes == 0)
        c->rules.max_input_bytes = AUTOMATIC_BYTES;
    LOCHAN_TRY(lochan_compaction_plan__make(c->lake, c->table, &c->rules, &c->plan, err));
    cap_plan(c);
    LOCHAN_FAILPOINT("table.compact.automatic", err);
    return carry_out(c, err);
}

void lochan_table__tend(const lochan_table *table) {
    lochan_error err;
    lochan_compact_report report = {.snapshot_id = -1};
    lochan_compaction *c = lochan_mem__zalloc(sizeof *c);
    lochan_error_init(&err);
    if (!c)
        return;
    c->lake = table->lake;
    c->report = &report;
    if (tend(c, table, &err) != LOCHAN_OK)
        LOCHAN_WARN("%s: small files were not joined: %s", table->full_name, err.message);
    free_compaction(c);
}
