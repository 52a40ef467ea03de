/* rebuild.c - a run whose catalog and files disagree, or whose catalog is gone, made whole again.
 * Invariants: no file is removed or written over; what is not certain to have been committed is
 * reported, never made data; every change of the catalog is a commit. May call: base/, arrow/,
 * parquet/, store/, catalog/, table/, own.h.
 */
#include "run/own.h"

#include "arrow/listing.h"
#include "base/clock.h"
#include "base/mem.h"
#include "catalog/rebuild.h"
#include "parquet/reader.h"
#include "table/write.h"

enum { MAX_MANIFEST = 256 << 20 };

/* ---- the lake ---- */

static lochan_status has_journal(const char *lake, bool *out, lochan_error *err) {
    lochan_stat st;
    char *path = lochan_path__join(lake, "journal/000001.ljl");
    if (!path)
        return lochan_error__nomem(err);
    *out = lochan_fs__exists(path) && lochan_fs__stat(path, &st, NULL) == LOCHAN_OK && st.size > 0;
    lochan_mem__free(path);
    return LOCHAN_OK;
}

/* Opens the lake, after making it again if need be. */
static lochan_status open_lake(const char *path, const lochan_lake_options *options,
                               lochan_rebuild_report *report, lochan_lake **out,
                               lochan_error *err) {
    static const lochan_catalog_options catalog_options = {.command = "lochan rebuild",
                                                           .lock_timeout_ms = 60000};
    bool journal = false;
    lochan_error seen;
    lochan_error_init(&seen);
    lochan_status rc = lochan_lake_open(path, options, out, &seen);
    if (rc == LOCHAN_OK)
        return rc;
    if (rc != LOCHAN_ERR_NOT_FOUND && rc != LOCHAN_ERR_CORRUPT) {
        if (err)
            *err = seen;
        return rc;
    }
    LOCHAN_TRY(has_journal(path, &journal, err));
    if (!journal && rc == LOCHAN_ERR_CORRUPT) {
        if (err)
            *err = seen;
        return rc;
    }
    if (journal)
        LOCHAN_TRY(lochan_catalog__rebuild(path, &catalog_options, &report->records, err));
    else
        LOCHAN_TRY(lochan_catalog__init(path, err));
    report->lake_rebuilt = true;
    return lochan_lake_open(path, options, out, err);
}

/* ---- what was found ---- */

typedef struct rebuild {
    lochan_lake *lake;
    lochan_run *run;
    const char *table;
    lochan_table *stored; /* NULL: nothing was ever appended */
    lochan_rebuild_report *report;
    lochan_listing problems;
    lochan_arena arena;
    int64_t lake_began_ns;
    int64_t *damaged; /* ids of files that leave the catalog */
    size_t n_damaged, cap_damaged;
    struct found *unknown; /* files that the catalog never knew */
    size_t n_unknown, cap_unknown;
    lochan_known_files known; /* by path */
    lochan_buf manifest;      /* of the Python original */
    bool has_manifest;
} rebuild;

typedef enum found_kind { FOUND_OTHER, FOUND_OURS, FOUND_ORIGINAL } found_kind;

typedef struct found {
    const char *path;
    found_kind kind;
    const char *file_id, *commit_id;
    int64_t ordinal, total; /* total -1: not the last file of its commit */
    int64_t tick_bucket_size;
    bool done;
} found;

static lochan_status problem(rebuild *r, const char *kind, const char *path, const char *detail,
                             lochan_error *err) {
    LOCHAN_TRY(lochan_listing__string(&r->problems, 0, kind, err));
    LOCHAN_TRY(lochan_listing__string(&r->problems, 1, path, err));
    LOCHAN_TRY(lochan_listing__string(&r->problems, 2, detail, err));
    return lochan_listing__end_row(&r->problems, err);
}

static lochan_status ignore(rebuild *r, const char *path, const char *why, lochan_error *err) {
    r->report->parts_ignored++;
    return problem(r, "ignored", path, why, err);
}

/* What says nothing about the part itself. What the disk refuses to read is no reason to drop it:
 * it may be there the next time. */
static bool is_hard(lochan_status rc) {
    return rc == LOCHAN_ERR_NO_MEMORY || rc == LOCHAN_ERR_CANCELLED ||
           rc == LOCHAN_ERR_MEMORY_LIMIT || rc == LOCHAN_ERR_IO;
}

/* ---- one part ---- */

static lochan_status open_part(rebuild *r, const char *path, lochan_pq_reader **out,
                               lochan_error *err) {
    lochan_store_reader *store = NULL;
    *out = NULL;
    LOCHAN_TRY(lochan_store__open(r->lake->store, path, &store, err));
    lochan_pq_source source = {.read = lochan_store_reader__read,
                               .close = lochan_store_reader__close,
                               .self = store,
                               .size = lochan_store_reader__size(store),
                               .name = path};
    return lochan_pq_reader__open(&r->lake->ctx, &source, NULL, out, err);
}

/* Reads every tick: their checksums, their number and their range. */
static lochan_status read_ticks(lochan_pq_reader *reader, int64_t *rows, int64_t *min, int64_t *max,
                                lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArrayStream stream = {0};
    struct ArrowArray batch = {0};
    const struct ArrowSchema *schema = lochan_pq_reader__schema(reader);
    int tick = lochan_schema__find(schema, LOCHAN_RUN_TICK);
    *rows = 0;
    *min = INT64_MAX;
    *max = INT64_MIN;
    if (tick < 0 || strcmp(schema->children[tick]->format, "l") != 0)
        return lochan_error__set(err, LOCHAN_ERR_SCHEMA, "there is no column tick of type i64");
    lochan_pq_scan scan = {.columns = &tick, .n_columns = 1};
    LOCHAN_TRYG(lochan_pq_reader__stream(reader, &scan, &stream, err));
    for (;;) {
        LOCHAN_TRYG(lochan_stream__next(&stream, &batch, err));
        if (!batch.release)
            break;
        const struct ArrowArray *c = batch.children[0];
        const int64_t *v = (const int64_t *)c->buffers[1] + c->offset + batch.offset;
        for (int64_t i = 0; i < batch.length; i++) {
            *min = v[i] < *min ? v[i] : *min;
            *max = v[i] > *max ? v[i] : *max;
        }
        *rows += batch.length;
        lochan_array__release(&batch);
    }
done:
    lochan_array__release(&batch);
    lochan_stream__release(&stream);
    return rc;
}

/* Whether a part of the catalog is what the catalog says. Damage is *whole = false with *why. */
static lochan_status check_part(rebuild *r, const lochan_data_file *f, bool *whole, char why[300],
                                lochan_error *err) {
    lochan_pq_reader *reader = NULL;
    lochan_error seen;
    int64_t rows = 0, min = 0, max = 0;
    lochan_error_init(&seen);
    *whole = false;
    lochan_status rc = lochan_data_file__open(r->lake, f, &reader, &seen);
    if (rc == LOCHAN_OK)
        rc = read_ticks(reader, &rows, &min, &max, &seen);
    lochan_pq_reader__close(reader);
    if (is_hard(rc)) {
        if (err)
            *err = seen;
        return rc;
    }
    const lochan_expr_stats *s = &f->stats[0];
    if (rc != LOCHAN_OK)
        lochan_format(why, 300, "%.290s", seen.message);
    else if (rows != f->rows)
        lochan_format(why, 300, "%lld rows, the catalog says %lld", (long long)rows,
                      (long long)f->rows);
    else if (f->stats_known[0] && s->has_min && s->has_max && (s->min_i != min || s->max_i != max))
        lochan_format(why, 300, "ticks %lld to %lld, the catalog says %lld to %lld", (long long)min,
                      (long long)max, (long long)s->min_i, (long long)s->max_i);
    else
        *whole = true;
    return LOCHAN_OK;
}

/* Parts of the catalog, looked at on the pool. */
typedef struct checking {
    rebuild *r;
    const lochan_file_list *files;
    struct verdict {
        bool looked_at, whole;
        char *why; /* NULL if whole */
    } * verdicts;
} checking;

static lochan_status check_one(void *ctx, size_t index, lochan_error *err) {
    checking *c = ctx;
    struct verdict *v = &c->verdicts[index];
    char why[300];
    const lochan_data_file *f = &c->files->files[index];
    const char *run = f->partition_values ? f->partition_values[0] : NULL;
    if (!run || strcmp(run, c->r->run->run_id) != 0)
        return LOCHAN_OK; /* just added by another client */
    LOCHAN_TRY(check_part(c->r, f, &v->whole, why, err));
    v->looked_at = true;
    if (v->whole)
        return LOCHAN_OK;
    v->why = lochan_mem__strdup(why);
    return v->why ? LOCHAN_OK : lochan_error__nomem(err);
}

static lochan_status note_damaged(rebuild *r, const lochan_data_file *f, const char *why,
                                  lochan_error *err) {
    if (r->n_damaged == r->cap_damaged) {
        size_t cap = r->cap_damaged ? r->cap_damaged * 2 : 16;
        int64_t *ids = lochan_mem__realloc(r->damaged, cap * sizeof *ids);
        if (!ids)
            return lochan_error__nomem(err);
        r->damaged = ids;
        r->cap_damaged = cap;
    }
    r->damaged[r->n_damaged++] = f->id;
    r->report->parts_damaged++;
    return problem(r, "damaged", f->path, why, err);
}

static lochan_status check_parts(rebuild *r, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_file_range range;
    lochan_file_list files = {0};
    checking c = {.r = r, .files = &files};
    lochan_ctx *ctx = &r->lake->ctx;
    const lochan_table_def *def = &r->stored->def;
    int tick = lochan_schema__find(&def->schema, LOCHAN_RUN_TICK);
    int64_t id = tick >= 0 ? lochan_schema__field_id(def->schema.children[tick]) : -1;
    LOCHAN_TRY(lochan_run__range(&r->arena, r->run->run_id, -1, &range, err));
    LOCHAN_TRYG(lochan_catalog__files_in(r->lake->catalog, def, &range, 1, &id, 1, &files, err));
    c.verdicts = lochan_mem__array(files.n + 1, sizeof *c.verdicts);
    if (!c.verdicts) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_pool__for(ctx->pool, files.n, check_one, &c, ctx->cancel, err));
    for (size_t i = 0; i < files.n; i++) {
        r->report->parts_whole += c.verdicts[i].whole;
        r->report->rows += c.verdicts[i].whole ? files.files[i].rows : 0;
        if (c.verdicts[i].looked_at && !c.verdicts[i].whole)
            LOCHAN_TRYG(note_damaged(r, &files.files[i], c.verdicts[i].why, err));
    }
done:
    for (size_t i = 0; c.verdicts && i < files.n; i++)
        lochan_mem__free(c.verdicts[i].why);
    lochan_mem__free(c.verdicts);
    lochan_file_list__deinit(&files);
    return rc;
}

static lochan_status retire_damaged(rebuild *r, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    bool already;
    lochan_txn_options options = {.kind = "rebuild", .message = r->run->run_id};
    if (r->n_damaged == 0)
        return LOCHAN_OK;
    LOCHAN_TRYG(lochan_txn__begin(r->lake->catalog, &options, &already, NULL, &txn, err));
    for (size_t i = 0; i < r->n_damaged; i++)
        LOCHAN_TRYG(lochan_txn__retire_file(txn, r->stored->def.table_id, r->damaged[i], err));
    LOCHAN_FAILPOINTG("run.rebuild.retired", err);
    LOCHAN_TRYG(lochan_txn__commit(&txn, NULL, err));
done:
    lochan_txn__abort(txn);
    return rc;
}

/* ---- files that the catalog never knew ---- */

static lochan_status push_found(rebuild *r, const found *f, lochan_error *err) {
    if (r->n_unknown == r->cap_unknown) {
        size_t cap = r->cap_unknown ? r->cap_unknown * 2 : 16;
        found *list = lochan_mem__realloc(r->unknown, cap * sizeof *list);
        if (!list)
            return lochan_error__nomem(err);
        r->unknown = list;
        r->cap_unknown = cap;
    }
    r->unknown[r->n_unknown++] = *f;
    return LOCHAN_OK;
}

static const char *kept(rebuild *r, const lochan_pq_reader *reader, const char *key) {
    const char *value = lochan_pq_reader__metadata(reader, key);
    return value ? lochan_arena__strdup(&r->arena, value) : NULL;
}

static int64_t number_of(const lochan_pq_reader *reader, const char *key, int64_t otherwise) {
    int64_t v;
    const char *text = lochan_pq_reader__metadata(reader, key);
    return text && lochan_parse__int64(text, strlen(text), &v) ? v : otherwise;
}

/* Who wrote a part, and as part of what. */
static lochan_status describe_part(rebuild *r, const lochan_pq_reader *reader, found *f,
                                   lochan_error *err) {
    const char *run = lochan_pq_reader__metadata(reader, "lochan.run_id");
    const char *table = lochan_pq_reader__metadata(reader, "lochan.table");
    const char *old_run = lochan_pq_reader__metadata(reader, "crv_run_id");
    const char *old_table = lochan_pq_reader__metadata(reader, "crv_table_name");
    if (run && table && strcmp(run, r->run->run_id) == 0 && strcmp(table, r->table) == 0) {
        f->kind = FOUND_OURS;
        f->file_id = kept(r, reader, "lochan.file_id");
        f->commit_id = kept(r, reader, "lochan.commit_id");
        f->ordinal = number_of(reader, "lochan.commit_ordinal", -1);
        f->total = number_of(reader, "lochan.commit_total", -1);
        f->tick_bucket_size = number_of(reader, "lochan.tick_bucket_size", 0);
        if (!f->file_id || !f->commit_id || strlen(f->file_id) != 36)
            f->kind = FOUND_OTHER;
    } else if (old_run && old_table && strcmp(old_run, r->run->run_id) == 0 &&
               strcmp(old_table, r->table) == 0) {
        f->kind = FOUND_ORIGINAL;
    }
    (void)err;
    return LOCHAN_OK;
}

static lochan_status look_at_file(void *ctx, const char *path, const lochan_stat *st,
                                  bool temporary, lochan_error *err) {
    rebuild *r = ctx;
    size_t n = strlen(path);
    lochan_pq_reader *reader = NULL;
    lochan_error seen;
    int64_t rows, min, max;
    bool parquet = n > 8 && strcmp(path + n - 8, ".parquet") == 0;
    if (st->is_link || !parquet || lochan_known_files__has(&r->known, path))
        return LOCHAN_OK;
    if (temporary)
        return ignore(r, path, "the temporary file of a write that was cut off", err);
    lochan_error_init(&seen);
    found f = {.path = lochan_arena__strdup(&r->arena, path), .ordinal = -1, .total = -1};
    if (!f.path)
        return lochan_error__nomem(err);
    lochan_status rc = open_part(r, path, &reader, &seen);
    if (rc == LOCHAN_OK)
        rc = read_ticks(reader, &rows, &min, &max, &seen);
    if (rc == LOCHAN_OK)
        rc = describe_part(r, reader, &f, &seen);
    lochan_pq_reader__close(reader);
    if (is_hard(rc)) {
        if (err)
            *err = seen;
        return rc;
    }
    if (rc != LOCHAN_OK) {
        r->report->parts_damaged++;
        return problem(r, "damaged", path, seen.message, err);
    }
    if (f.kind == FOUND_OTHER)
        return ignore(r, path, "was not written for this run and table", err);
    return push_found(r, &f, err);
}

/* Milliseconds since 1970 in a UUID of version 7; -1 if it is none. */
static int64_t uuid_ms(const char *uuid) {
    int64_t ms = 0;
    for (int i = 0; i < 13; i++) {
        char c = uuid[i];
        if (i == 8)
            continue;
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return -1;
        ms = ms * 16 + digit;
    }
    return uuid[14] == '7' ? ms : -1;
}

/* ---- taking over ---- */

/* Parts one after the other, without the columns that an append writes itself. */
typedef struct parts_stream {
    rebuild *r;
    const char **paths;
    size_t n, at;
    int *columns;
    size_t n_columns;
    struct ArrowArrayStream inner;
} parts_stream;

static void parts_free(void *state) {
    parts_stream *p = state;
    lochan_stream__release(&p->inner);
    lochan_mem__free((void *)p->paths);
    lochan_mem__free(p->columns);
    lochan_mem__free(p);
}

static lochan_status open_next(parts_stream *p, lochan_error *err) {
    lochan_pq_reader *reader;
    LOCHAN_TRY(open_part(p->r, p->paths[p->at], &reader, err));
    lochan_pq_scan scan = {.columns = p->columns, .n_columns = p->n_columns};
    lochan_status rc = lochan_pq_reader__stream(reader, &scan, &p->inner, err);
    lochan_pq_reader__close(reader);
    p->at++;
    return rc;
}

static lochan_status parts_next(void *state, struct ArrowArray *out, lochan_error *err) {
    parts_stream *p = state;
    for (;;) {
        if (!p->inner.release && p->at == p->n)
            return LOCHAN_OK;
        if (!p->inner.release)
            LOCHAN_TRY(open_next(p, err));
        LOCHAN_TRY(lochan_stream__next(&p->inner, out, err));
        if (out->release)
            return LOCHAN_OK;
        lochan_stream__release(&p->inner);
    }
}

/* Takes the list of paths. */
static lochan_status make_stream(rebuild *r, const char **paths, size_t n,
                                 struct ArrowArrayStream *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_pq_reader *reader = NULL;
    struct ArrowSchema schema = {0};
    parts_stream *p = lochan_mem__zalloc(sizeof *p);
    if (!p) {
        lochan_mem__free((void *)paths);
        return lochan_error__nomem(err);
    }
    p->r = r;
    p->paths = paths;
    p->n = n;
    LOCHAN_TRYG(open_part(r, paths[0], &reader, err));
    const struct ArrowSchema *all = lochan_pq_reader__schema(reader);
    p->columns = lochan_mem__array((size_t)all->n_children + 1, sizeof *p->columns);
    if (!p->columns) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (int64_t i = 0; i < all->n_children; i++)
        if (strcmp(all->children[i]->name, LOCHAN_RUN_ID) != 0)
            p->columns[p->n_columns++] = (int)i;
    LOCHAN_TRYG(lochan_schema__select(all, p->columns, p->n_columns, &schema, err));
    parts_stream *given = p;
    p = NULL;
    rc = lochan_stream__make(&schema, parts_next, parts_free, given, out, err);
done:
    lochan_pq_reader__close(reader);
    lochan_schema__release(&schema);
    if (p)
        parts_free(p);
    return rc;
}

/* Appends parts as one commit, whose token makes a second rebuild leave them alone. */
static lochan_status adopt(rebuild *r, const char **paths, size_t n, const char *token,
                           int64_t tick_bucket_size, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_run *run = NULL;
    struct ArrowArrayStream rows = {0};
    lochan_error seen;
    const char *first = paths[0];
    lochan_run_options options = r->run->options;
    lochan_append_options how = LOCHAN_APPEND_OPTIONS_INIT;
    lochan_append_summary summary = LOCHAN_APPEND_SUMMARY_INIT;
    how.skip_schema = true;
    how.token = token;
    if (tick_bucket_size > 0 && options.tick_bucket_size == 0)
        options.tick_bucket_size = tick_bucket_size;
    lochan_error_init(&seen);
    rc = make_stream(r, paths, n, &rows, &seen);
    if (rc == LOCHAN_OK)
        rc = lochan_run_open(r->lake, r->run->run_id, &options, &run, &seen);
    if (rc == LOCHAN_OK)
        rc = lochan_run_append(run, r->table, &rows, &how, &summary, &seen);
    lochan_stream__release(&rows);
    lochan_run_close(run);
    bool repeated = summary.repeated;
    int64_t added = summary.rows;
    lochan_append_summary_deinit(&summary);
    if (rc == LOCHAN_ERR_CORRUPT || rc == LOCHAN_ERR_SCHEMA || rc == LOCHAN_ERR_DATA) {
        r->report->parts_damaged += (int64_t)n;
        return problem(r, "damaged", first, seen.message, err);
    }
    if (rc != LOCHAN_OK) {
        if (err)
            *err = seen;
        return rc;
    }
    if (repeated) {
        r->report->parts_ignored += (int64_t)n;
        return problem(r, "ignored", first, "was taken over before", err);
    }
    r->report->parts_adopted += (int64_t)n;
    r->report->rows += added;
    return LOCHAN_OK;
}

static lochan_status adopt_original(rebuild *r, found *f, lochan_error *err) {
    char token[400];
    const char *name = lochan_path__basename(f->path);
    if (r->has_manifest && !strstr((const char *)r->manifest.data, name))
        return ignore(r, f->path, "is not in manifest.json: its append never ended", err);
    const char **paths = lochan_mem__array(1, sizeof *paths);
    if (!paths)
        return lochan_error__nomem(err);
    paths[0] = f->path;
    lochan_format(token, sizeof token, "adopt:%.390s", f->path);
    return adopt(r, paths, 1, token, 0, err);
}

/* All files of the commit of unknown[i], if every one of them is there once. */
static lochan_status adopt_commit(rebuild *r, size_t i, lochan_error *err) {
    const char *commit = r->unknown[i].commit_id;
    int64_t total = -1, size = 0;
    char token[80];
    size_t n = 0, there = 0;
    for (size_t k = i; k < r->n_unknown; k++) {
        found *f = &r->unknown[k];
        if (f->kind != FOUND_OURS || strcmp(f->commit_id, commit) != 0)
            continue;
        n++;
        total = f->total > total ? f->total : total;
        size = f->tick_bucket_size ? f->tick_bucket_size : size;
    }
    const char **paths = lochan_mem__array(n + 1, sizeof *paths);
    if (!paths)
        return lochan_error__nomem(err);
    for (size_t k = i; k < r->n_unknown; k++) {
        found *f = &r->unknown[k];
        if (f->kind != FOUND_OURS || strcmp(f->commit_id, commit) != 0)
            continue;
        f->done = true;
        if (f->ordinal >= 0 && (size_t)f->ordinal < n && !paths[f->ordinal]) {
            paths[f->ordinal] = f->path;
            there++;
        } else {
            lochan_status rc = ignore(r, f->path, "a copy of another part", err);
            if (rc != LOCHAN_OK) {
                lochan_mem__free((void *)paths);
                return rc;
            }
        }
    }
    int64_t ms = uuid_ms(r->unknown[i].file_id);
    bool old = ms >= 0 && r->lake_began_ns > 0 && ms < r->lake_began_ns / 1000000;
    if (old && total > 0 && there == (size_t)total) {
        lochan_format(token, sizeof token, "adopt:%s", commit);
        return adopt(r, paths, there, token, size, err);
    }
    lochan_status rc = LOCHAN_OK;
    for (size_t k = 0; k < n && rc == LOCHAN_OK; k++)
        if (paths[k])
            rc = ignore(r, paths[k],
                        old ? "its append is not complete"
                            : "its append never ended: neither catalog nor journal knows it",
                        err);
    lochan_mem__free((void *)paths);
    return rc;
}

static int compare_path(const void *a, const void *b) {
    return strcmp(((const found *)a)->path, ((const found *)b)->path);
}

static bool is_copy(const rebuild *r, const found *f) {
    char part[80];
    if (f->kind != FOUND_OURS)
        return false;
    lochan_format(part, sizeof part, "part-%s.parquet", f->file_id);
    for (size_t i = 0; i < r->known.n; i++)
        if (strcmp(lochan_path__basename(r->known.files[i].path), part) == 0)
            return true;
    return false;
}

static lochan_status adopt_unknown(rebuild *r, lochan_error *err) {
    if (r->n_unknown > 1)
        qsort(r->unknown, r->n_unknown, sizeof *r->unknown, compare_path);
    for (size_t i = 0; i < r->n_unknown; i++) {
        found *f = &r->unknown[i];
        if (f->done)
            continue;
        if (is_copy(r, f)) {
            f->done = true;
            f->commit_id = ""; /* belongs to no commit of its own */
            LOCHAN_TRY(ignore(r, f->path, "a copy of a part that the catalog knows", err));
        }
    }
    for (size_t i = 0; i < r->n_unknown; i++) {
        found *f = &r->unknown[i];
        if (f->done)
            continue;
        LOCHAN_TRY(f->kind == FOUND_ORIGINAL ? adopt_original(r, f, err) : adopt_commit(r, i, err));
    }
    return LOCHAN_OK;
}

/* ---- the whole ---- */

/* Of the Python original, if it is whole. */
static lochan_status read_manifest(rebuild *r, const char *folder, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    char *rel = lochan_path__join(folder, "manifest.json"), *full = NULL;
    full = rel ? lochan_path__join(r->lake->path, rel) : NULL;
    if (!full) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    if (!lochan_fs__exists(full))
        goto done;
    LOCHAN_TRYG(lochan_fs__read_all(full, MAX_MANIFEST, &r->manifest, err));
    lochan_str text = {(const char *)r->manifest.data, r->manifest.len};
    text = lochan_str__trim(text);
    r->has_manifest = text.n > 1 && text.p[0] == '{' && text.p[text.n - 1] == '}' &&
                      memchr(text.p, 0, text.n) == NULL;
done:
    lochan_mem__free(rel);
    lochan_mem__free(full);
    return rc;
}

static lochan_status run_rebuild(rebuild *r, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_snapshot began;
    lochan_run_known *known = NULL;
    LOCHAN_TRYG(lochan_run_known__find(r->lake, NULL, NULL, r->table, &known, err));
    const char *folder =
        lochan_arena__printf(&r->arena, "runs/%s/tables/%s", r->run->run_id, r->table);
    if (!folder) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    if (lochan_catalog__snapshot_at(r->lake->catalog, "0", &began, NULL) == LOCHAN_OK)
        r->lake_began_ns = began.time_ns;
    LOCHAN_TRYG(lochan_run__open_table(r->lake, r->table, -1, &r->stored, err));
    if (r->stored)
        LOCHAN_TRYG(check_parts(r, err));
    LOCHAN_TRYG(retire_damaged(r, err));
    LOCHAN_TRYG(lochan_catalog__known_files(r->lake->catalog, &r->known, err));
    LOCHAN_TRYG(read_manifest(r, folder, err));
    LOCHAN_TRYG(lochan_store__list(r->lake->store, folder, look_at_file, r, err));
    LOCHAN_TRYG(adopt_unknown(r, err));
done:
    lochan_run_known__unref(known);
    return rc;
}

static void rebuild_deinit(rebuild *r) {
    lochan_table__close(r->stored);
    lochan_known_files__deinit(&r->known);
    lochan_listing__deinit(&r->problems);
    lochan_buf__deinit(&r->manifest);
    lochan_mem__free(r->damaged);
    lochan_mem__free(r->unknown);
    lochan_arena__deinit(&r->arena);
    lochan_run_close(r->run);
    lochan_lake_close(r->lake);
}

lochan_status lochan_run_rebuild(const char *lake_path, const lochan_lake_options *lake_options,
                                 const char *run_id, const char *table,
                                 const lochan_run_options *run_options,
                                 lochan_rebuild_report *report, struct ArrowArrayStream *problems,
                                 lochan_error *err) {
    static const lochan_listing_column columns[] = {
        {"kind", "string"}, {"path", "string"}, {"detail", "string"}, {NULL, NULL}};
    lochan_status rc = LOCHAN_OK;
    lochan_rebuild_report own = LOCHAN_REBUILD_REPORT_INIT;
    rebuild r = {.table = table, .report = report ? report : &own};
    *r.report = own;
    if (problems)
        memset(problems, 0, sizeof *problems);
    LOCHAN_CHECK_ARG(lake_path && *lake_path && table, err);
    LOCHAN_TRY(lochan_run_check_id(run_id, err));
    lochan_arena__init(&r.arena, 0);
    lochan_buf__init(&r.manifest, MAX_MANIFEST);
    LOCHAN_TRYG(open_lake(lake_path, lake_options, r.report, &r.lake, err));
    LOCHAN_TRYG(lochan_lake__check_writable(r.lake, err));
    LOCHAN_TRYG(lochan_run_open(r.lake, run_id, run_options, &r.run, err));
    LOCHAN_TRYG(lochan_listing__init(&r.problems, columns, err));
    LOCHAN_TRYG(run_rebuild(&r, err));
    if (problems)
        LOCHAN_TRYG(lochan_listing__finish(&r.problems, problems, err));
done:
    rebuild_deinit(&r);
    return rc;
}
