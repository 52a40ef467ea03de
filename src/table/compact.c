/* compact.c - small neighbouring files joined into larger ones, without changing a row.
 * Invariants: a commit retires exactly the files whose rows it writes anew, and is dropped, not
 * repeated, where one of them is gone or, in a table with a key, another file came between them; a
 * row keeps the time at which it was first published; memory is a row group. Row groups of a fair
 * size are copied as bytes. May call: base/, arrow/, parquet/, store/, catalog/, compact_plan.c.
 */
#include "table/compact.h"

#include "arrow/listing.h"
#include "base/clock.h"
#include "base/str.h"

enum { ROW_GROUP_ROWS = 131072, COPY_ROWS = ROW_GROUP_ROWS / 4 };
#define COMMIT_BYTES (1ll << 30) /* input of one commit */
#define COMMIT_FILES 256         /* new files of one commit */

typedef struct joined {
    const lochan_compaction_group *group;
    char *path;
    char file_id[37];
    lochan_pq_summary summary;
    bool sorted;
    bool dropped; /* somebody else changed its files meanwhile */
} joined;

typedef struct compaction {
    lochan_lake *lake;
    lochan_table *table;
    const lochan_compact_options *options;
    lochan_compact_report *report;
    lochan_compaction_plan plan;
    int known_at;
    int stats_columns; /* as lochan_write_options has it */
    lochan_store_batch *batch;
    char commit_id[37];
    joined files[COMMIT_FILES]; /* of the commit under way */
    size_t n_files;
    bool published;
} compaction;

/* ---- one new file ---- */

/* Labels that differ from file to file. */
static bool is_own_label(const char *key) {
    static const char *const own[] = {
        "lochan.file_id",  "lochan.commit_id",      "lochan.commit_ordinal", "lochan.commit_total",
        "lochan.replaces", "lochan.lochan_version", "lochan.schema_version"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(own); i++)
        if (strcmp(key, own[i]) == 0)
            return true;
    return false;
}

static lochan_status put_label(lochan_pq_writer *w, const char *key, int64_t v, lochan_error *err) {
    char text[24];
    lochan_format(text, sizeof text, "%lld", (long long)v);
    return lochan_pq_writer__set_metadata(w, key, text, err);
}

static lochan_status label(const compaction *c, const joined *j, lochan_pq_writer *w,
                           const lochan_pq_reader *first, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const char *key, *value;
    lochan_buf replaces;
    lochan_buf__init(&replaces, 1 << 24);
    for (size_t i = 0; lochan_pq_reader__metadata_at(first, i, &key, &value); i++)
        if (strncmp(key, "lochan.", 7) == 0 && !is_own_label(key))
            LOCHAN_TRYG(lochan_pq_writer__set_metadata(w, key, value, err));
    for (size_t i = 0; i < j->group->n; i++)
        LOCHAN_TRYG(lochan_buf__printf(&replaces, err, "%c\"%s\"", i > 0 ? ',' : '[',
                                       j->group->files[i]->file_id));
    LOCHAN_TRYG(lochan_buf__putc(&replaces, ']', err));
    LOCHAN_TRYG(
        lochan_pq_writer__set_metadata(w, "lochan.replaces", (const char *)replaces.data, err));
    LOCHAN_TRYG(lochan_pq_writer__set_metadata(w, "lochan.file_id", j->file_id, err));
    LOCHAN_TRYG(lochan_pq_writer__set_metadata(w, "lochan.commit_id", c->commit_id, err));
    LOCHAN_TRYG(lochan_pq_writer__set_metadata(w, "lochan.lochan_version", LOCHAN_VERSION, err));
    LOCHAN_TRYG(put_label(w, "lochan.schema_version", c->table->def.schema_begin, err));
    LOCHAN_TRYG(put_label(w, "lochan.commit_ordinal", (int64_t)c->n_files, err));
done:
    lochan_buf__deinit(&replaces);
    return rc;
}

/* A group whose rows tell themselves when they were published. */
static bool has_own_times(const compaction *c, const lochan_pq_reader *reader, int group) {
    lochan_expr_stats stats;
    const struct ArrowSchema *schema = lochan_pq_reader__schema(reader);
    if (c->known_at < 0)
        return true;
    int column = lochan_schema__find(schema, LOCHAN_KNOWN_AT);
    return column >= 0 && lochan_pq_reader__column_stats(reader, group, column, &stats) &&
           stats.null_count == 0;
}

static lochan_status decode_group(compaction *c, const lochan_data_file *file,
                                  lochan_pq_reader *reader, const lochan_projection *projection,
                                  int group, lochan_pq_writer *w, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArrayStream stream = {0};
    struct ArrowArray raw = {0}, rows = {0}, filled = {0};
    lochan_pq_scan scan = {.row_groups = &group, .n_row_groups = 1};
    LOCHAN_TRYG(lochan_pq_reader__stream(reader, &scan, &stream, err));
    for (;;) {
        LOCHAN_TRYG(lochan_cancel__check(c->lake->ctx.cancel, err));
        LOCHAN_TRYG(lochan_stream__next(&stream, &raw, err));
        if (!raw.release)
            break;
        LOCHAN_TRYG(lochan_projection__apply(projection, &raw, &rows, err));
        LOCHAN_TRYG(lochan_known_at__fill(&c->table->def.schema, c->known_at, file->published_ns,
                                          &rows, &filled, err));
        LOCHAN_TRYG(lochan_pq_writer__write_batch(w, &filled, err));
        lochan_array__release(&filled);
    }
    c->report->groups_decoded++;
done:
    lochan_array__release(&raw);
    lochan_array__release(&rows);
    lochan_array__release(&filled);
    lochan_stream__release(&stream);
    return rc;
}

static lochan_status add_rows(compaction *c, const lochan_data_file *file, lochan_pq_reader *reader,
                              lochan_pq_writer *w, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_projection projection = {0};
    LOCHAN_TRYG(lochan_projection__init(&projection, lochan_pq_reader__schema(reader),
                                        &c->table->def.schema, LOCHAN_BY_FIELD_ID, err));
    bool copyable = lochan_pq_writer__can_copy(w, reader, NULL);
    for (int g = 0; g < lochan_pq_reader__row_groups(reader); g++) {
        lochan_pq_row_group_info info;
        lochan_pq_reader__row_group(reader, g, &info);
        LOCHAN_TRYG(lochan_cancel__check(c->lake->ctx.cancel, err));
        if (copyable && info.rows >= COPY_ROWS && has_own_times(c, reader, g)) {
            LOCHAN_TRYG(lochan_pq_writer__copy_row_group(w, reader, g, err));
            c->report->groups_copied++;
        } else {
            LOCHAN_TRYG(decode_group(c, file, reader, &projection, g, w, err));
        }
    }
done:
    lochan_projection__deinit(&projection);
    return rc;
}

static lochan_status open_writer(compaction *c, joined *j, lochan_store_writer **store,
                                 lochan_pq_writer **out, lochan_error *err) {
    LOCHAN_TRY(lochan_store__create(c->lake->store, j->path, store, err));
    lochan_pq_sink sink = {.write = lochan_store_writer__write, .self = *store, .name = j->path};
    lochan_pq_write_options o = {
        .codec = LOCHAN_PQ_ZSTD, .codec_set = true, .level = 3, .row_group_rows = ROW_GROUP_ROWS};
    if (j->sorted) {
        o.sorting = c->table->order;
        o.n_sorting = c->table->n_order;
    }
    return lochan_pq_writer__open(&c->lake->ctx, &sink, &c->table->def.schema, &o, out, err);
}

/* Reads the files of a group one after the other into one. */
static lochan_status join_group(compaction *c, const lochan_compaction_group *group,
                                lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_store_writer *store = NULL;
    lochan_pq_writer *writer = NULL;
    lochan_pq_reader *reader = NULL;
    joined *j = &c->files[c->n_files];
    memset(j, 0, sizeof *j);
    j->group = group;
    j->sorted = c->table->n_order > 0 && group->files[0]->key_min.n > 0;
    lochan_uuid__make(j->file_id);
    j->path = lochan_data_file__new_path(group->files[0], j->file_id);
    if (!j->path)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(open_writer(c, j, &store, &writer, err));
    for (size_t i = 0; i < group->n; i++) {
        LOCHAN_TRYG(lochan_data_file__open(c->lake, group->files[i], &reader, err));
        LOCHAN_TRYG(add_rows(c, group->files[i], reader, writer, err));
        if (i == 0)
            LOCHAN_TRYG(label(c, j, writer, reader, err));
        lochan_pq_reader__close(reader);
        reader = NULL;
    }
    LOCHAN_TRYG(lochan_pq_writer__close(writer, &j->summary, err));
    if (j->summary.rows != group->rows) {
        rc =
            lochan_error__set(err, LOCHAN_ERR_ACCOUNTING, "%s would hold %lld rows instead of %lld",
                              j->path, (long long)j->summary.rows, (long long)group->rows);
        goto done;
    }
    lochan_store_writer *whole = store;
    store = NULL;
    LOCHAN_TRYG(lochan_store_batch__add(c->batch, whole, err));
    c->n_files++;
done:
    lochan_pq_reader__close(reader);
    lochan_pq_writer__free(writer);
    lochan_store_writer__abort(store);
    if (rc != LOCHAN_OK) {
        lochan_mem__free(j->path);
        lochan_pq_summary__deinit(&j->summary);
    }
    return rc;
}

/* ---- publishing ---- */

static bool is_member(const joined *j, int64_t id) {
    for (size_t i = 0; i < j->group->n; i++)
        if (j->group->files[i]->id == id)
            return true;
    return false;
}

/* Whether `f`, which is live now, lies among the keys of the group without being of it. */
static bool is_in_between(const joined *j, const lochan_data_file *f, size_t n_values) {
    const lochan_data_file *first = j->group->files[0], *last = j->group->files[j->group->n - 1];
    if (first->key_min.n == 0 || is_member(j, f->id) ||
        !lochan_files__same_partition(first, f, n_values))
        return false;
    return f->key_min.n == 0 || f->key_max.n == 0 ||
           (lochan_keycode__compare(f->key_min, last->key_max) <= 0 &&
            lochan_keycode__compare(f->key_max, first->key_min) >= 0);
}

/* Groups whose files others changed since the plan are dropped. */
static lochan_status drop_changed(compaction *c, size_t *left, lochan_error *err) {
    lochan_file_list now = {0};
    lochan_table_def def = {0};
    lochan_status rc = LOCHAN_OK;
    *left = 0;
    LOCHAN_TRYG(lochan_catalog__table(c->lake->catalog, c->table->def.source, c->table->def.dataset,
                                      -1, &def, err));
    LOCHAN_TRYG(lochan_catalog__files(c->lake->catalog, &def, NULL, 0, &now, err));
    bool same = def.table_id == c->table->def.table_id &&
                def.partition_id == c->table->def.partition_id &&
                def.schema_begin == c->table->def.schema_begin;
    for (size_t k = 0; k < c->n_files; k++) {
        joined *j = &c->files[k];
        size_t alive = 0;
        j->dropped = !same;
        for (size_t i = 0; i < now.n && same; i++) {
            alive += is_member(j, now.files[i].id);
            j->dropped = j->dropped || is_in_between(j, &now.files[i], def.n_partition);
        }
        j->dropped = j->dropped || alive < j->group->n;
        *left += !j->dropped;
        c->report->conflicts += j->dropped;
    }
done:
    lochan_file_list__deinit(&now);
    lochan_table_def__deinit(&def);
    return rc;
}

static lochan_status list_file(compaction *c, lochan_txn *txn, const joined *j, int64_t ordinal,
                               lochan_error *err) {
    const lochan_data_file *first = j->group->files[0], *last = j->group->files[j->group->n - 1];
    lochan_file_add add = {.path = j->path,
                           .file_id = j->file_id,
                           .ordinal = ordinal,
                           .sorted = j->sorted,
                           .n_partition_values = c->table->def.n_partition};
    if (c->table->def.n_partition > 0)
        add.partition_values = (const char *const *)first->partition_values;
    if (j->sorted) {
        add.key_min = first->key_min;
        add.key_max = last->key_max;
    }
    for (size_t i = 0; i < j->group->n; i++) {
        const lochan_data_file *f = j->group->files[i];
        LOCHAN_TRY(lochan_txn__retire_file(txn, c->table->def.table_id, f->id, err));
        if (f->published_ns > add.published_ns)
            add.published_ns = f->published_ns;
    }
    return lochan_data_file__add(txn, c->table->def.table_id, &j->summary, c->stats_columns, &add,
                                 err);
}

static void count(compaction *c, const joined *j) {
    lochan_compact_report *r = c->report;
    r->groups++;
    r->files_joined += (int64_t)j->group->n;
    r->rows += j->summary.rows;
    r->bytes_read += j->group->bytes;
    r->bytes_written += (int64_t)j->summary.file_size;
}

static lochan_status publish(compaction *c, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    size_t left;
    lochan_txn_options options = {.kind = "compact", .commit_id = c->commit_id};
    LOCHAN_FAILPOINTG("table.compact.written", err);
    LOCHAN_TRYG(lochan_store_batch__finish(c->batch, err));
    LOCHAN_FAILPOINTG("table.compact.durable", err);
    LOCHAN_TRYG(lochan_txn__begin(c->lake->catalog, &options, NULL, NULL, &txn, err));
    LOCHAN_TRYG(drop_changed(c, &left, err)); /* under the queue lock: it stays as it is now */
    if (left == 0)
        goto done;
    for (size_t i = 0; i < c->n_files; i++)
        if (!c->files[i].dropped)
            LOCHAN_TRYG(list_file(c, txn, &c->files[i], (int64_t)i, err));
    LOCHAN_FAILPOINTG("table.compact.listed", err);
    rc = lochan_txn__commit(&txn, &c->report->snapshot_id, err);
    c->published = rc == LOCHAN_OK || lochan_catalog__fate_is_open(c->lake->catalog, c->commit_id);
    for (size_t i = 0; i < c->n_files && rc == LOCHAN_OK; i++)
        if (!c->files[i].dropped)
            count(c, &c->files[i]);
done:
    lochan_txn__abort(txn);
    return rc;
}

/* Ends a commit, whatever became of it: files of no use go. */
static void end_commit(compaction *c) {
    for (size_t i = 0; i < c->n_files; i++) {
        joined *j = &c->files[i];
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
static lochan_status compact_some(compaction *c, size_t from, size_t *to, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    int64_t bytes = 0;
    c->published = false;
    lochan_uuid__make(c->commit_id);
    *to = from;
    LOCHAN_TRYG(lochan_store_batch__create(c->lake->store, &c->batch, err));
    while (*to < c->plan.n && c->n_files < COMMIT_FILES && bytes < COMMIT_BYTES) {
        bytes += c->plan.groups[*to].bytes;
        LOCHAN_TRYG(join_group(c, &c->plan.groups[(*to)++], err));
    }
    LOCHAN_TRYG(publish(c, err));
done:
    end_commit(c);
    return rc;
}

/* ---- one table ---- */

/* Statistics are kept of as many of the first columns as the files that are there have. */
static lochan_status find_stats_columns(compaction *c, lochan_error *err) {
    const struct ArrowSchema *schema = &c->table->def.schema;
    size_t n = (size_t)schema->n_children;
    lochan_file_list list = {0};
    int64_t *ids = lochan_mem__array(n + 1, sizeof *ids);
    if (!ids)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < n; i++)
        ids[i] = lochan_schema__field_id(schema->children[i]);
    lochan_status rc = lochan_catalog__files(c->lake->catalog, &c->table->def, ids, n, &list, err);
    const lochan_data_file *f = rc == LOCHAN_OK && list.n > 0 ? &list.files[list.n - 1] : NULL;
    for (size_t i = 0; f && i < n && f->stats_known[i]; i++)
        c->stats_columns = (int)i + 1;
    if (c->stats_columns == (int)n)
        c->stats_columns = 0; /* all, nested ones too */
    lochan_file_list__deinit(&list);
    lochan_mem__free(ids);
    return rc;
}

static lochan_status show_plan(const compaction *c, lochan_listing *list, lochan_error *err) {
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
        LOCHAN_TRY(lochan_listing__end_row(list, err));
    }
    return LOCHAN_OK;
}

/* The cap on input of the whole call. */
static void cap_plan(compaction *c) {
    int64_t left = (int64_t)c->options->max_input_bytes - c->report->bytes_planned;
    size_t n = 0;
    while (n < c->plan.n && (c->options->max_input_bytes == 0 || c->plan.groups[n].bytes <= left))
        left -= c->plan.groups[n++].bytes;
    c->report->groups_left += (int64_t)(c->plan.n - n);
    c->plan.n = n;
    for (size_t i = 0; i < n; i++)
        c->report->bytes_planned += c->plan.groups[i].bytes;
}

static lochan_status compact_table(lochan_lake *lake, const lochan_table_name *name,
                                   const lochan_compact_options *options,
                                   lochan_compact_report *report, lochan_listing *list,
                                   lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    compaction *c = lochan_mem__zalloc(sizeof *c);
    if (!c)
        return lochan_error__nomem(err);
    c->lake = lake;
    c->options = options;
    c->report = report;
    LOCHAN_TRYG(lochan_table__open(lake, name->source, name->dataset, -1, &c->table, err));
    c->known_at = lochan_schema__find(&c->table->def.schema, LOCHAN_KNOWN_AT);
    LOCHAN_TRYG(lochan_compaction_plan__make(lake, c->table, options, &c->plan, err));
    cap_plan(c);
    LOCHAN_TRYG(show_plan(c, list, err));
    if (options->dry_run || c->plan.n == 0)
        goto done;
    LOCHAN_TRYG(find_stats_columns(c, err));
    for (size_t at = 0, next; at < c->plan.n; at = next)
        LOCHAN_TRYG(compact_some(c, at, &next, err));
done:
    lochan_compaction_plan__deinit(&c->plan);
    lochan_table__close(c->table);
    lochan_mem__free(c);
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
        rc = compact_table(lake, n, options, report, list, err);
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
    if (out->min_files == 0)
        out->min_files = 8;
    if (out->target_bytes == 0)
        out->target_bytes = 128ull << 20;
    LOCHAN_CHECK_ARG(out->min_files >= 2, err);
    LOCHAN_CHECK_ARG(out->target_bytes <= 1ull << 40 && out->max_input_bytes <= 1ull << 60, err);
    return LOCHAN_OK;
}

lochan_status lochan_lake_compact(lochan_lake *lake, const char *source, const char *dataset,
                                  const lochan_compact_options *options,
                                  lochan_compact_report *report, struct ArrowArrayStream *plan,
                                  lochan_error *err) {
    static const lochan_listing_column columns[] = {
        {"source", "string"}, {"dataset", "string"}, {"folder", "string"}, {"files", "int64"},
        {"rows", "int64"},    {"bytes", "int64"},    {NULL, NULL}};
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
