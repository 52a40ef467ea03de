/* footers.c - a lake of which only the parts of runs are left, read from their footers.
 *
 * A catalog of these parts is made in a private temporary folder, and the lake is opened with it,
 * read-only. What counts is what a rebuild would take over: appends of which every part is there.
 *
 * Invariants: nothing is written into the lake's folder; a part is listed under the run and table
 * that its footer and its path agree on, or not at all. May call: base/, arrow/, parquet/, store/,
 * catalog/, table/, own.h.
 */
#include "run/own.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "parquet/reader.h"
#include "table/projection.h"

#include <stdlib.h>

/* Columns of parts of one table; most parts share theirs. */
typedef struct columns {
    const char *table;
    struct ArrowSchema schema;
} columns;

typedef struct part {
    const char *path, *run_id, *table, *file_id, *commit_id;
    int64_t bucket, tick_bucket_size, ordinal, total; /* total -1: not the last of its append */
    int64_t rows, bytes, footer_bytes;
    lochan_expr_stats ticks;
    size_t columns;
    bool good;
} part;

typedef struct footers {
    lochan_store *store;
    lochan_lake *made; /* in the temporary folder */
    lochan_arena arena;
    pthread_mutex_t mutex; /* guards arena, columns and bad while parts are read */
    part *parts;
    size_t n, cap;
    columns *columns;
    size_t n_columns, cap_columns;
    int64_t listed, left_out;
} footers;

/* ---- reading ---- */

static lochan_status found_file(void *ctx, const char *path, const lochan_stat *st, bool temporary,
                                lochan_error *err) {
    footers *f = ctx;
    size_t n = strlen(path);
    if (st->is_link || temporary || n <= 8 || strcmp(path + n - 8, ".parquet") != 0)
        return LOCHAN_OK;
    part *more = lochan_mem__grow(f->parts, f->n, &f->cap, sizeof *more);
    if (!more)
        return lochan_error__nomem(err);
    f->parts = more;
    more[f->n] = (part){.path = lochan_arena__strdup(&f->arena, path)};
    return more[f->n++].path ? LOCHAN_OK : lochan_error__nomem(err);
}

static bool same_columns(const struct ArrowSchema *a, const struct ArrowSchema *b) {
    if (a->n_children != b->n_children)
        return false;
    for (int64_t i = 0; i < a->n_children; i++) {
        const struct ArrowSchema *x = a->children[i], *y = b->children[i];
        if (strcmp(x->name, y->name) != 0 || x->flags != y->flags ||
            lochan_schema__field_id(x) != lochan_schema__field_id(y) ||
            !lochan_field__same_type(x, y))
            return false;
    }
    return true;
}

static lochan_status note_columns(footers *f, part *p, const struct ArrowSchema *schema,
                                  lochan_error *err) {
    for (size_t i = f->n_columns; i-- > 0;) {
        if (strcmp(f->columns[i].table, p->table) == 0 &&
            same_columns(&f->columns[i].schema, schema)) {
            p->columns = i;
            return LOCHAN_OK;
        }
    }
    columns *more = lochan_mem__grow(f->columns, f->n_columns, &f->cap_columns, sizeof *more);
    if (!more)
        return lochan_error__nomem(err);
    f->columns = more;
    more[f->n_columns] = (columns){.table = p->table};
    LOCHAN_TRY(lochan_schema__dup(schema, &more[f->n_columns].schema, err));
    p->columns = f->n_columns++;
    return LOCHAN_OK;
}

static int64_t number_of(const lochan_pq_reader *reader, const char *key) {
    int64_t v;
    const char *text = lochan_pq_reader__metadata(reader, key);
    return text && lochan_parse__int64(text, strlen(text), &v) ? v : -1;
}

/* The number in "runs/<run>/tables/<table>/bucket=000123/part-..."; -1: that is not the path. */
static int64_t bucket_of(const char *path, const char *run_id, const char *table) {
    char folder[400];
    int64_t bucket;
    lochan_format(folder, sizeof folder, "runs/%s/tables/%s/bucket=", run_id, table);
    size_t n = strlen(folder);
    if (strncmp(path, folder, n) != 0)
        return -1;
    const char *slash = strchr(path + n, '/');
    return slash && lochan_parse__int64(path + n, (size_t)(slash - path) - n, &bucket) ? bucket
                                                                                       : -1;
}

static lochan_status describe(footers *f, part *p, const lochan_pq_reader *reader,
                              lochan_error *err) {
    const char *run = lochan_pq_reader__metadata(reader, "lochan.run_id");
    const char *table = lochan_pq_reader__metadata(reader, "lochan.table");
    const char *file = lochan_pq_reader__metadata(reader, "lochan.file_id");
    const char *commit = lochan_pq_reader__metadata(reader, "lochan.commit_id");
    const struct ArrowSchema *schema = lochan_pq_reader__schema(reader);
    int tick = lochan_schema__find(schema, LOCHAN_RUN_TICK);
    p->ordinal = number_of(reader, "lochan.commit_ordinal");
    p->total = number_of(reader, "lochan.commit_total");
    p->tick_bucket_size = number_of(reader, "lochan.tick_bucket_size");
    if (!run || !table || !file || !commit || strlen(file) != 36 || tick < 0 ||
        p->tick_bucket_size <= 0 || lochan_run_check_id(run, NULL) != LOCHAN_OK)
        return LOCHAN_OK;
    p->bucket = bucket_of(p->path, run, table);
    p->run_id = lochan_arena__strdup(&f->arena, run);
    p->table = lochan_arena__strdup(&f->arena, table);
    p->file_id = lochan_arena__strdup(&f->arena, file);
    p->commit_id = lochan_arena__strdup(&f->arena, commit);
    if (!p->run_id || !p->table || !p->file_id || !p->commit_id)
        return lochan_error__nomem(err);
    LOCHAN_TRY(note_columns(f, p, schema, err));
    p->rows = lochan_pq_reader__rows(reader);
    if (!lochan_pq_reader__column_stats(reader, -1, tick, &p->ticks))
        p->ticks.has_min = p->ticks.has_max = false;
    p->good = p->bucket >= 0;
    return LOCHAN_OK;
}

static lochan_status read_part(void *ctx, size_t index, lochan_error *err) {
    footers *f = ctx;
    part *p = &f->parts[index];
    lochan_store_reader *store = NULL;
    lochan_pq_reader *reader = NULL;
    lochan_pq_summary summary = {0};
    lochan_error seen;
    lochan_error_init(&seen);
    lochan_status rc = lochan_store__open(f->store, p->path, &store, &seen);
    if (rc == LOCHAN_OK) {
        p->bytes = (int64_t)lochan_store_reader__size(store);
        lochan_pq_source source = {.read = lochan_store_reader__read,
                                   .close = lochan_store_reader__close,
                                   .self = store,
                                   .size = lochan_store_reader__size(store),
                                   .name = p->path};
        rc = lochan_pq_reader__open(&f->made->ctx, &source, NULL, &reader, &seen);
    }
    if (rc == LOCHAN_OK)
        rc = lochan_pq_reader__summary(reader, &summary, &seen);
    if (rc == LOCHAN_OK) {
        p->footer_bytes = summary.footer_length;
        pthread_mutex_lock(&f->mutex);
        rc = describe(f, p, reader, &seen);
        pthread_mutex_unlock(&f->mutex);
    }
    lochan_pq_summary__deinit(&summary);
    lochan_pq_reader__close(reader);
    if (rc == LOCHAN_ERR_CORRUPT || rc == LOCHAN_ERR_UNSUPPORTED) {
        LOCHAN_WARN("left out: %s", seen.message);
        return LOCHAN_OK;
    }
    if (rc != LOCHAN_OK && err)
        *err = seen;
    return rc;
}

/* ---- what counts ---- */

static int compare_text(const char *a, const char *b) {
    return strcmp(a ? a : "", b ? b : "");
}

static int by_commit(const void *x, const void *y) {
    const part *a = x, *b = y;
    int c = compare_text(a->commit_id, b->commit_id);
    if (c == 0)
        c = (a->ordinal > b->ordinal) - (a->ordinal < b->ordinal);
    return c ? c : strcmp(a->path, b->path);
}

static int by_table(const void *x, const void *y) {
    const part *a = x, *b = y;
    int c = compare_text(a->table, b->table);
    return c ? c : compare_text(a->file_id, b->file_id);
}

/* Of an append that is not whole no part stays, and of copies the first. */
static void keep_whole_appends(footers *f) {
    if (f->n > 1)
        qsort(f->parts, f->n, sizeof *f->parts, by_commit);
    for (size_t from = 0, to; from < f->n; from = to) {
        int64_t there = 0, total = -1;
        for (to = from;
             to < f->n && compare_text(f->parts[to].commit_id, f->parts[from].commit_id) == 0;
             to++) {
            part *p = &f->parts[to];
            p->good = p->good && p->ordinal == there; /* else a copy, or one before it is missing */
            there += p->good;
            total = p->good && p->total > total ? p->total : total;
        }
        for (size_t i = from; i < to; i++)
            f->parts[i].good = f->parts[i].good && there == total;
    }
    if (f->n > 1)
        qsort(f->parts, f->n, sizeof *f->parts, by_table);
}

/* ---- the catalog ---- */

/* Whether the columns go together: one name has one id, and one id one name. */
static bool ids_agree(const struct ArrowSchema *all, const struct ArrowSchema *more) {
    for (int64_t i = 0; i < more->n_children; i++) {
        int32_t id = lochan_schema__field_id(more->children[i]);
        for (int64_t j = 0; j < all->n_children; j++) {
            bool same_name = strcmp(all->children[j]->name, more->children[i]->name) == 0;
            if (id < 0 || same_name != (lochan_schema__field_id(all->children[j]) == id))
                return false;
        }
    }
    return true;
}

/* What one of the two lacks may be null. */
static void relax(const struct ArrowSchema *schema, const struct ArrowSchema *other,
                  struct ArrowSchema *out) {
    for (int64_t i = 0; i < schema->n_children; i++) {
        const struct ArrowSchema *c = schema->children[i];
        int o = lochan_schema__find(other, c->name), at = lochan_schema__find(out, c->name);
        if (at >= 0 && (o < 0 || (c->flags & ARROW_FLAG_NULLABLE)))
            out->children[at]->flags |= ARROW_FLAG_NULLABLE;
    }
}

/* Adds the columns of `more` to those of *all. */
static lochan_status add_columns(struct ArrowSchema *all, const struct ArrowSchema *more,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowSchema both = {0};
    LOCHAN_TRY(lochan_run__unite(all, more, &both, err));
    relax(all, more, &both);
    relax(more, all, &both);
    for (int64_t i = 0; i < both.n_children; i++) {
        const char *name = both.children[i]->name;
        int a = lochan_schema__find(all, name), m = lochan_schema__find(more, name);
        const struct ArrowSchema *of = a >= 0 ? all->children[a] : more->children[m];
        LOCHAN_TRYG(
            lochan_schema__set_field_id(both.children[i], lochan_schema__field_id(of), err));
    }
    lochan_schema__release(all);
    lochan_schema__move(&both, all);
done:
    lochan_schema__release(&both);
    return rc;
}

/* The columns of all good parts of [from, to); parts that do not go together with earlier ones are
 * left out. */
static lochan_status unite_columns(footers *f, size_t from, size_t to, struct ArrowSchema *out,
                                   lochan_error *err) {
    size_t last = SIZE_MAX;
    for (size_t i = from; i < to; i++) {
        part *p = &f->parts[i];
        if (!p->good || p->columns == last)
            continue;
        const struct ArrowSchema *schema = &f->columns[p->columns].schema;
        if (!out->release) {
            LOCHAN_TRY(lochan_schema__dup(schema, out, err));
        } else if (ids_agree(out, schema)) {
            LOCHAN_TRY(add_columns(out, schema, err));
        } else {
            LOCHAN_WARN("left out: %s has columns of another table '%s'", p->path, p->table);
            p->good = false;
            continue;
        }
        last = p->columns;
    }
    return LOCHAN_OK;
}

static lochan_status add_part(lochan_txn *txn, int64_t table_id, const part *p, int32_t tick_id,
                              lochan_error *err) {
    char bucket[24], min[24], max[24];
    int64_t id;
    const char *values[] = {p->run_id, bucket};
    bool known = p->ticks.has_min && p->ticks.has_max;
    lochan_format(bucket, sizeof bucket, "%lld", (long long)p->bucket);
    lochan_format(min, sizeof min, "%lld", (long long)p->ticks.min_i);
    lochan_format(max, sizeof max, "%lld", (long long)p->ticks.max_i);
    lochan_column_stats ticks = {.column_id = tick_id,
                                 .value_count = p->rows,
                                 .min = known ? min : NULL,
                                 .max = known ? max : NULL};
    lochan_file_add file = {.path = p->path,
                            .rows = p->rows,
                            .bytes = p->bytes,
                            .footer_bytes = p->footer_bytes,
                            .partition_values = values,
                            .n_partition_values = 2,
                            .stats = &ticks,
                            .n_stats = 1,
                            .file_id = p->file_id,
                            .ordinal = p->ordinal};
    return lochan_txn__add_file(txn, table_id, &file, &id, err);
}

/* A run is known by the first of its parts. */
static lochan_status put_run(lochan_txn *txn, const part *p, lochan_error *err) {
    lochan_run_rows rows = {0};
    const lochan_run_row row = {.run_id = p->run_id, .tick_bucket_size = p->tick_bucket_size};
    lochan_status rc = lochan_txn__run(txn, p->run_id, &rows, err);
    if (rc == LOCHAN_OK && rows.n == 0)
        rc = lochan_txn__put_run(txn, &row, err);
    lochan_run_rows__deinit(&rows);
    return rc;
}

static lochan_status put_table(footers *f, lochan_txn *txn, size_t from, size_t to,
                               lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowSchema all = {0};
    int64_t table_id;
    LOCHAN_TRYG(unite_columns(f, from, to, &all, err));
    if (!all.release)
        goto done;
    lochan_partition_key keys[] = {{.column = lochan_schema__find(&all, LOCHAN_RUN_ID),
                                    .name = LOCHAN_RUN_ID,
                                    .transform = "identity"},
                                   {.column = lochan_schema__find(&all, LOCHAN_RUN_BUCKET),
                                    .name = LOCHAN_RUN_BUCKET,
                                    .transform = "identity"}};
    if (keys[0].column < 0 || keys[1].column < 0)
        goto done;
    lochan_table_create make = {.source = LOCHAN_RUN_SCHEMA,
                                .dataset = f->parts[from].table,
                                .path = "",
                                .schema = &all,
                                .keep_ids = true,
                                .n_partition = 2,
                                .partition = keys};
    LOCHAN_TRYG(lochan_txn__create_table(txn, &make, &table_id, err));
    int32_t tick =
        lochan_schema__field_id(all.children[lochan_schema__find(&all, LOCHAN_RUN_TICK)]);
    for (size_t i = from; i < to; i++) {
        if (!f->parts[i].good)
            continue;
        LOCHAN_TRYG(add_part(txn, table_id, &f->parts[i], tick, err));
        LOCHAN_TRYG(put_run(txn, &f->parts[i], err));
        f->listed++;
    }
done:
    lochan_schema__release(&all);
    return rc;
}

static lochan_status put_all(footers *f, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    bool already;
    lochan_txn_options options = {.kind = "footers"};
    LOCHAN_TRYG(lochan_txn__begin(f->made->catalog, &options, &already, NULL, &txn, err));
    for (size_t from = 0, to; from < f->n; from = to) {
        for (to = from + 1;
             to < f->n && compare_text(f->parts[to].table, f->parts[from].table) == 0; to++) {
        }
        if (f->parts[from].table)
            LOCHAN_TRYG(put_table(f, txn, from, to, err));
    }
    LOCHAN_TRYG(lochan_txn__commit(&txn, NULL, err));
done:
    lochan_txn__abort(txn);
    return rc;
}

/* ---- the whole ---- */

static lochan_status make_catalog(const char *path, const char *dir, footers *f,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    LOCHAN_TRYG(lochan_lake_init(dir, NULL, err));
    LOCHAN_TRYG(lochan_lake_open(dir, NULL, &f->made, err));
    LOCHAN_TRYG(lochan_store__open_local(path, true, &f->store, err));
    LOCHAN_TRYG(lochan_store__list(f->store, "runs", found_file, f, err));
    LOCHAN_TRYG(lochan_pool__for(f->made->ctx.pool, f->n, read_part, f, NULL, err));
    keep_whole_appends(f);
    LOCHAN_TRYG(put_all(f, err));
    f->left_out = (int64_t)f->n - f->listed;
done:
    lochan_store__close(f->store);
    lochan_lake_close(f->made);
    lochan_arena__deinit(&f->arena);
    for (size_t i = 0; i < f->n_columns; i++)
        lochan_schema__release(&f->columns[i].schema);
    lochan_mem__free(f->columns);
    lochan_mem__free(f->parts);
    return rc;
}

lochan_status lochan_run__from_footers(const char *path, const lochan_lake_options *options,
                                       int64_t *parts, int64_t *left_out, lochan_lake **out,
                                       lochan_error *err) {
    char uuid[37], name[64];
    footers f = {0};
    const char *tmp = getenv("TMPDIR");
    *out = NULL;
    lochan_uuid__make(uuid);
    lochan_format(name, sizeof name, "lochan-%s", uuid);
    char *dir = lochan_path__join(tmp && *tmp ? tmp : "/tmp", name);
    if (!dir)
        return lochan_error__nomem(err);
    lochan_arena__init(&f.arena, 0);
    pthread_mutex_init(&f.mutex, NULL);
    lochan_status rc = make_catalog(path, dir, &f, err);
    pthread_mutex_destroy(&f.mutex);
    *parts = f.listed;
    *left_out = f.left_out;
    if (rc == LOCHAN_OK)
        rc = lochan_lake__open_beside(path, options, dir, out, err);
    if (!*out)
        (void)!lochan_fs__remove_tree(dir, NULL);
    lochan_mem__free(dir);
    return rc;
}
