/* diff.c - what changed in a table between two snapshots.
 * Partition by partition, the rows of files that only the older snapshot has and those of files
 * that only the newer one has are walked together: by key where every file is sorted by it, else as
 * whole rows by their hash. Invariant: files that both snapshots share are not read. Memory is two
 * batches with a key, the files concerned of one partition without. May call: base/, arrow/,
 * parquet/, catalog/, run_merge.h.
 */
#include "arrow/builder.h"
#include "base/hash.h"
#include "table/run_merge.h"
#include "table/write.h"

enum { OLD = 0, NEW = 1 };

/* One file of the comparison; partitions are runs of equal texts. */
typedef struct diff_file {
    const lochan_data_file *file;
    int side;
} diff_file;

typedef struct diff {
    lochan_lake *lake;
    lochan_table *table; /* as of the newer snapshot */
    lochan_file_list lists[2];
    diff_file *files; /* by partition, side and key */
    size_t n_files, at;
    bool keyed;
    struct ArrowSchema rows; /* the table's columns and the side */
    struct ArrowSchema output;
    lochan_sort_key *keys; /* the order, then the side */
    size_t n_keys;
    int *compared; /* columns that make a row another one */
    size_t n_compared;
    lochan_run_merge *merge; /* of the partition in hand */
    struct ArrowArray held;  /* its last old row: the next may be its new one */
} diff;

static void free_diff(void *state) {
    diff *d = state;
    lochan_run_merge__free(d->merge);
    lochan_array__release(&d->held);
    lochan_schema__release(&d->rows);
    lochan_schema__release(&d->output);
    lochan_file_list__deinit(&d->lists[0]);
    lochan_file_list__deinit(&d->lists[1]);
    lochan_table__close(d->table);
    lochan_mem__free(d->files);
    lochan_mem__free(d->keys);
    lochan_mem__free(d->compared);
    lochan_mem__free(d);
}

/* ---- the files ---- */

static int compare_partitions(const lochan_data_file *a, const lochan_data_file *b, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const char *x = a->partition_values[i], *y = b->partition_values[i];
        int c = !x || !y ? (x != NULL) - (y != NULL) : strcmp(x, y);
        if (c != 0)
            return c;
    }
    return 0;
}

static int compare_files(const void *x, const void *y, void *ctx) {
    const diff_file *a = x, *b = y;
    int c = compare_partitions(a->file, b->file, *(size_t *)ctx);
    if (c == 0)
        c = a->side - b->side;
    if (c == 0)
        c = lochan_keycode__compare(a->file->key_min, b->file->key_min);
    return c != 0 ? c : (a->file->id > b->file->id) - (a->file->id < b->file->id);
}

static void take_file(diff *d, const lochan_data_file *file, int side) {
    d->files[d->n_files++] = (diff_file){file, side};
    d->keyed = d->keyed && !file->foreign && file->sorted && file->key_min.n > 0;
}

/* The files that only one of the snapshots has; both lists are in the order of ids. */
static lochan_status choose_files(diff *d, lochan_error *err) {
    const lochan_file_list *old = &d->lists[OLD], *new = &d->lists[NEW];
    size_t a = 0, b = 0, n_values = d->table->def.n_partition;
    d->files = lochan_mem__array(old->n + new->n + 1, sizeof *d->files);
    if (!d->files)
        return lochan_error__nomem(err);
    d->keyed = d->table->n_order > 0;
    while (a < old->n || b < new->n) {
        const lochan_data_file *x = a < old->n ? &old->files[a] : NULL,
                               *y = b < new->n ? &new->files[b] : NULL;
        bool same = x && y && x->id == y->id;
        bool from_old = x && (!y || x->id < y->id);
        if (!same)
            take_file(d, from_old ? x : y, from_old ? OLD : NEW);
        a += same || from_old;
        b += same || !from_old;
    }
    if (d->n_files > 0)
        qsort_r(d->files, d->n_files, sizeof *d->files, compare_files, &n_values);
    return LOCHAN_OK;
}

/* ---- the rows of one side of a partition, file after file ---- */

typedef struct side_rows {
    diff *d;
    size_t at, end;
    lochan_pq_reader *reader;
    lochan_projection projection;
    struct ArrowArrayStream stream;
} side_rows;

static void close_file(side_rows *s) {
    lochan_stream__release(&s->stream);
    lochan_projection__deinit(&s->projection);
    lochan_pq_reader__close(s->reader);
    s->reader = NULL;
}

static void free_side(void *state) {
    close_file(state);
    lochan_mem__free(state);
}

static lochan_status open_file(side_rows *s, lochan_error *err) {
    const lochan_data_file *file = s->d->files[s->at].file;
    LOCHAN_TRY(lochan_data_file__open(s->d->lake, file, &s->reader, err));
    LOCHAN_TRY(lochan_data_file__project(file, lochan_pq_reader__schema(s->reader),
                                         &s->d->table->def.schema, &s->projection, err));
    return lochan_pq_reader__stream(s->reader, NULL, &s->stream, err);
}

/* The table's columns and the side of each row. Takes the rows. */
static lochan_status add_side(const diff *d, int side, struct ArrowArray *in,
                              struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    int64_t n = in->length, columns = in->n_children;
    lochan_builder *b = NULL;
    lochan_shared *shared = lochan_shared__give(in);
    if (!shared)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_array__init(out, 1, columns + 1, err));
    for (int64_t c = 0; c < columns; c++)
        LOCHAN_TRYG(lochan_shared__child(shared, c, out->children[c], err));
    LOCHAN_TRYG(lochan_builder__create(d->rows.children[columns], &b, err));
    for (int64_t i = 0; i < n; i++)
        LOCHAN_TRYG(lochan_builder__int64(b, side, err));
    LOCHAN_TRYG(lochan_builder__finish(b, out->children[columns], err));
    out->length = n;
done:
    lochan_builder__free(b);
    lochan_shared__unref(shared);
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    return rc;
}

static lochan_status next_of_side(void *state, struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    side_rows *s = state;
    struct ArrowArray raw = {0}, rows = {0};
    memset(out, 0, sizeof *out);
    while (s->at < s->end && !out->release) {
        const diff_file *f = &s->d->files[s->at];
        LOCHAN_TRYG(lochan_cancel__check(s->d->lake->ctx.cancel, err));
        if (!s->reader)
            LOCHAN_TRYG(open_file(s, err));
        LOCHAN_TRYG(lochan_stream__next(&s->stream, &raw, err));
        if (!raw.release) {
            close_file(s);
            s->at++;
            continue;
        }
        LOCHAN_TRYG(lochan_projection__apply(&s->projection, &raw, &rows, err));
        LOCHAN_TRYG(add_side(s->d, f->side, &rows, out, err));
    }
done:
    lochan_array__release(&rows);
    return s->at < s->end ? lochan_error__in_file(err, rc, s->d->files[s->at].file->path, -1) : rc;
}

static lochan_status open_side(diff *d, size_t from, size_t to, struct ArrowArrayStream *out,
                               lochan_error *err) {
    struct ArrowSchema schema = {0};
    side_rows *s = lochan_mem__zalloc(sizeof *s);
    if (!s)
        return lochan_error__nomem(err);
    *s = (side_rows){.d = d, .at = from, .end = to};
    lochan_status rc = lochan_schema__dup(&d->rows, &schema, err);
    if (rc != LOCHAN_OK) {
        free_side(s);
        return rc;
    }
    return lochan_stream__make(&schema, next_of_side, free_side, s, out, err);
}

/* Opens both sides of the next partition. */
static lochan_status open_partition(diff *d, struct ArrowArrayStream sides[2], lochan_error *err) {
    size_t from = d->at, end = from, cut = from;
    while (end < d->n_files && compare_partitions(d->files[from].file, d->files[end].file,
                                                  d->table->def.n_partition) == 0)
        end++;
    while (cut < end && d->files[cut].side == OLD)
        cut++;
    d->at = end;
    LOCHAN_TRY(open_side(d, from, cut, &sides[OLD], err));
    return open_side(d, cut, end, &sides[NEW], err);
}

/* ---- what comes out ---- */

/* Rows chosen from a batch, what is said of each, and how often it changed. */
typedef struct changes {
    int64_t *rows;
    const char **words;
    int64_t *counts;
    size_t n;
} changes;

static lochan_status make_changes(changes *c, int64_t rows, lochan_error *err) {
    c->rows = lochan_mem__array((size_t)rows + 1, sizeof *c->rows);
    c->words = lochan_mem__array((size_t)rows + 1, sizeof *c->words);
    c->counts = lochan_mem__array((size_t)rows + 1, sizeof *c->counts);
    return c->rows && c->words && c->counts ? LOCHAN_OK : lochan_error__nomem(err);
}

static void free_changes(changes *c) {
    lochan_mem__free(c->rows);
    lochan_mem__free((void *)c->words);
    lochan_mem__free(c->counts);
}

static void note(changes *c, int64_t row, const char *word, int64_t count) {
    c->rows[c->n] = row;
    c->words[c->n] = word;
    c->counts[c->n++] = count;
}

static lochan_status put_words(const diff *d, const changes *c, struct ArrowArray *out,
                               lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_builder *b = NULL;
    LOCHAN_TRYG(lochan_builder__create(d->output.children[0], &b, err));
    for (size_t i = 0; i < c->n; i++)
        LOCHAN_TRYG(lochan_builder__str(b, lochan_str__of(c->words[i]), err));
    LOCHAN_TRYG(lochan_builder__finish(b, out->children[0], err));
    if (d->keyed)
        goto done;
    lochan_builder__free(b);
    b = NULL;
    LOCHAN_TRYG(lochan_builder__create(d->output.children[1], &b, err));
    LOCHAN_TRYG(lochan_builder__append_int64s(b, c->counts, (int64_t)c->n, err));
    LOCHAN_TRYG(lochan_builder__finish(b, out->children[1], err));
done:
    lochan_builder__free(b);
    return rc;
}

static lochan_status give_changes(const diff *d, const struct ArrowArray *rows, const changes *c,
                                  struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray taken = {0};
    lochan_shared *shared = NULL;
    int64_t first = d->keyed ? 1 : 2, own = d->table->def.schema.n_children;
    if (c->n == 0)
        return LOCHAN_OK;
    LOCHAN_TRYG(lochan_take(&d->rows, rows, c->rows, c->n, &taken, err));
    LOCHAN_TRYG(lochan_array__init(out, 1, own + first, err));
    LOCHAN_TRYG(put_words(d, c, out, err));
    shared = lochan_shared__give(&taken);
    if (!shared) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (int64_t i = 0; i < own; i++)
        LOCHAN_TRYG(lochan_shared__child(shared, i, out->children[first + i], err));
    out->length = (int64_t)c->n;
done:
    lochan_array__release(&taken);
    lochan_shared__unref(shared);
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    return rc;
}

static int side_of(const struct ArrowArray *rows, int64_t i) {
    const struct ArrowArray *side = rows->children[rows->n_children - 1];
    const int32_t *values = side->buffers[1];
    return values[side->offset + rows->offset + i];
}

static lochan_status hash_all(const diff *d, const struct ArrowArray *rows, lochan_hash128 **out,
                              lochan_error *err) {
    *out = lochan_mem__array((size_t)rows->length + 1, sizeof **out);
    if (!*out)
        return lochan_error__nomem(err);
    return lochan_hash_rows(&d->rows, rows, d->compared, d->n_compared, *out, err);
}

/* ---- by key ---- */

static lochan_status walk_keys(diff *d, const struct ArrowArray *rows, int64_t n, changes *c,
                               lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_comparator *cmp = NULL;
    lochan_hash128 *hash = NULL;
    LOCHAN_TRYG(hash_all(d, rows, &hash, err));
    LOCHAN_TRYG(lochan_comparator__create(&d->rows, d->keys, d->n_keys - 1, &rows, 1, &cmp, err));
    for (int64_t i = 0; i < n; i++) {
        bool old = side_of(rows, i) == OLD;
        bool pair = old && i + 1 < n && lochan_comparator__compare(cmp, 0, i, 0, i + 1) == 0;
        if (!pair) {
            note(c, i, old ? "removed" : "added", 1);
            continue;
        }
        if (hash[i].lo != hash[i + 1].lo || hash[i].hi != hash[i + 1].hi) {
            note(c, i, "before", 1);
            note(c, i + 1, "after", 1);
        }
        i++;
    }
done:
    lochan_comparator__free(cmp);
    lochan_mem__free(hash);
    return rc;
}

/* The held row and a batch behind it. Takes the batch. */
static lochan_status join_held(diff *d, struct ArrowArray *batch, struct ArrowArray *out,
                               lochan_error *err) {
    if (!d->held.release) {
        lochan_array__move(batch, out);
        return LOCHAN_OK;
    }
    const struct ArrowArray *both[] = {&d->held, batch};
    lochan_status rc = lochan_concat(&d->rows, both, batch->release ? 2 : 1, out, err);
    lochan_array__release(batch);
    lochan_array__release(&d->held);
    return rc;
}

/* One batch of the partition in hand; *end: it has no more. */
static lochan_status next_by_key(diff *d, struct ArrowArray *out, bool *end, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray batch = {0}, rows = {0};
    changes c = {0};
    LOCHAN_TRYG(lochan_run_merge__next(d->merge, &batch, err));
    *end = !batch.release;
    if (*end && !d->held.release)
        goto done;
    LOCHAN_TRYG(join_held(d, &batch, &rows, err));
    int64_t n = rows.length;
    if (!*end && side_of(&rows, n - 1) == OLD) {
        n--;
        LOCHAN_TRYG(lochan_take(&d->rows, &rows, &n, 1, &d->held, err));
    }
    LOCHAN_TRYG(make_changes(&c, rows.length, err));
    LOCHAN_TRYG(walk_keys(d, &rows, n, &c, err));
    LOCHAN_TRYG(give_changes(d, &rows, &c, out, err));
done:
    free_changes(&c);
    lochan_array__release(&batch);
    lochan_array__release(&rows);
    return rc;
}

static lochan_status diff_keys(diff *d, struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const lochan_run_order order = {.keys = d->keys, .n_keys = d->n_keys};
    while (!out->release && (d->merge || d->at < d->n_files)) {
        bool end = false;
        if (!d->merge) {
            struct ArrowArrayStream sides[2] = {{0}};
            rc = open_partition(d, sides, err);
            if (rc == LOCHAN_OK)
                rc = lochan_run_merge__create(&d->rows, &order, sides, 2, &d->merge, err);
            lochan_stream__release(&sides[0]);
            lochan_stream__release(&sides[1]);
            LOCHAN_TRY(rc);
        }
        LOCHAN_TRY(next_by_key(d, out, &end, err));
        if (end) {
            lochan_run_merge__free(d->merge);
            d->merge = NULL;
        }
    }
    return LOCHAN_OK;
}

/* ---- whole rows ---- */

/* All rows of a partition's files. */
static lochan_status load_all(diff *d, struct ArrowArray *out, size_t *taken, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArrayStream sides[2] = {{0}};
    struct ArrowArray *batches = NULL;
    const struct ArrowArray **list = NULL;
    size_t n = 0, cap = 0;
    LOCHAN_TRYG(open_partition(d, sides, err));
    for (int side = OLD; side <= NEW; side++) {
        for (;;) {
            struct ArrowArray *more = lochan_mem__grow(batches, n, &cap, sizeof *batches);
            if (!more) {
                rc = lochan_error__nomem(err);
                goto done;
            }
            batches = more;
            LOCHAN_TRYG(lochan_stream__next(&sides[side], &batches[n], err));
            if (!batches[n].release)
                break;
            size_t bytes = (size_t)batches[n++].length * (size_t)(d->rows.n_children * 32);
            LOCHAN_TRYG(lochan_budget__take(d->lake->ctx.budget, bytes,
                                            "comparing a partition of a table without a key", err));
            *taken += bytes;
        }
    }
    list = lochan_mem__array(n + 1, sizeof *list);
    if (!list) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        list[i] = &batches[i];
    LOCHAN_TRYG(lochan_concat(&d->rows, list, n, out, err));
done:
    for (size_t i = 0; i < n; i++)
        lochan_array__release(&batches[i]);
    lochan_mem__free(batches);
    lochan_mem__free((void *)list);
    lochan_stream__release(&sides[0]);
    lochan_stream__release(&sides[1]);
    return rc;
}

typedef struct hashed_row {
    lochan_hash128 hash;
    int64_t row;
} hashed_row;

static int by_hash(const void *x, const void *y) {
    const hashed_row *a = x, *b = y;
    if (a->hash.hi != b->hash.hi)
        return a->hash.hi < b->hash.hi ? -1 : 1;
    if (a->hash.lo != b->hash.lo)
        return a->hash.lo < b->hash.lo ? -1 : 1;
    return (a->row > b->row) - (a->row < b->row);
}

static lochan_status count_rows(diff *d, const struct ArrowArray *rows, changes *c,
                                lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_hash128 *hash = NULL;
    size_t n = (size_t)rows->length;
    hashed_row *list = lochan_mem__array(n + 1, sizeof *list);
    if (!list)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(hash_all(d, rows, &hash, err));
    for (size_t i = 0; i < n; i++)
        list[i] = (hashed_row){hash[i], (int64_t)i};
    if (n > 0)
        qsort(list, n, sizeof *list, by_hash);
    for (size_t i = 0, end; i < n; i = end) {
        int64_t more = 0;
        for (end = i; end < n && list[end].hash.lo == list[i].hash.lo &&
                      list[end].hash.hi == list[i].hash.hi;
             end++)
            more += side_of(rows, list[end].row) == NEW ? 1 : -1;
        if (more != 0)
            note(c, list[i].row, more > 0 ? "added" : "removed", more > 0 ? more : -more);
    }
done:
    lochan_mem__free(hash);
    lochan_mem__free(list);
    return rc;
}

static lochan_status diff_rows(diff *d, struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    while (!out->release && d->at < d->n_files && rc == LOCHAN_OK) {
        struct ArrowArray rows = {0};
        changes c = {0};
        size_t taken = 0;
        rc = load_all(d, &rows, &taken, err);
        if (rc == LOCHAN_OK)
            rc = make_changes(&c, rows.length, err);
        if (rc == LOCHAN_OK)
            rc = count_rows(d, &rows, &c, err);
        if (rc == LOCHAN_OK)
            rc = give_changes(d, &rows, &c, out, err);
        free_changes(&c);
        lochan_array__release(&rows);
        lochan_budget__give(d->lake->ctx.budget, taken);
    }
    return rc;
}

static lochan_status next_changes(void *state, struct ArrowArray *out, lochan_error *err) {
    diff *d = state;
    memset(out, 0, sizeof *out);
    return d->keyed ? diff_keys(d, out, err) : diff_rows(d, out, err);
}

/* ---- opening ---- */

static lochan_status make_schemas(diff *d, lochan_error *err) {
    const struct ArrowSchema *own = &d->table->def.schema;
    lochan_type text = {.id = LOCHAN_TYPE_STRING}, whole = {.id = LOCHAN_TYPE_INT64},
                side = {.id = LOCHAN_TYPE_INT32};
    int64_t n = own->n_children, first = d->keyed ? 1 : 2;
    LOCHAN_TRY(lochan_schema__init_struct(&d->rows, n + 1, err));
    LOCHAN_TRY(lochan_schema__init_struct(&d->output, n + first, err));
    LOCHAN_TRY(lochan_schema__set_field(d->output.children[0], "_change", &text, false, err));
    if (!d->keyed)
        LOCHAN_TRY(lochan_schema__set_field(d->output.children[1], "_count", &whole, false, err));
    for (int64_t i = 0; i < n; i++) {
        LOCHAN_TRY(lochan_schema__dup(own->children[i], d->rows.children[i], err));
        LOCHAN_TRY(lochan_schema__dup(own->children[i], d->output.children[first + i], err));
    }
    return lochan_schema__set_field(d->rows.children[n], "lochan:side", &side, false, err);
}

static lochan_status make_keys(diff *d, lochan_error *err) {
    const lochan_table *t = d->table;
    int n = (int)t->def.schema.n_children;
    d->keys = lochan_mem__array(t->n_order + 1, sizeof *d->keys);
    d->compared = lochan_mem__array((size_t)n + 1, sizeof *d->compared);
    if (!d->keys || !d->compared)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < t->n_order; i++)
        d->keys[d->n_keys++] = t->order[i];
    d->keys[d->n_keys++] = (lochan_sort_key){.column = n};
    for (int c = 0; c < n; c++) {
        if (c != t->known_at)
            d->compared[d->n_compared++] = c;
    }
    return LOCHAN_OK;
}

static lochan_status list_at(diff *d, const char *source, const char *dataset, const char *as_of,
                             int side, lochan_error *err) {
    lochan_snapshot at;
    lochan_table_def def = {0};
    LOCHAN_TRY(lochan_catalog__snapshot_at(d->lake->catalog, as_of, &at, err));
    if (side == NEW)
        LOCHAN_TRY(lochan_table__open(d->lake, source, dataset, at.id, &d->table, err));
    LOCHAN_TRY(lochan_catalog__table(d->lake->catalog, source, dataset, at.id, &def, err));
    lochan_status rc = lochan_catalog__files(d->lake->catalog, &def, NULL, 0, &d->lists[side], err);
    lochan_table_def__deinit(&def);
    return rc;
}

lochan_status lochan_lake_diff(lochan_lake *lake, const char *source, const char *dataset,
                               const char *from, const char *to, struct ArrowArrayStream *out,
                               lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowSchema output = {0};
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(lake && source && dataset, err);
    diff *d = lochan_mem__zalloc(sizeof *d);
    if (!d)
        return lochan_error__nomem(err);
    d->lake = lake;
    LOCHAN_TRYG(list_at(d, source, dataset, to, NEW, err));
    LOCHAN_TRYG(list_at(d, source, dataset, from, OLD, err));
    LOCHAN_TRYG(choose_files(d, err));
    LOCHAN_TRYG(make_schemas(d, err));
    LOCHAN_TRYG(make_keys(d, err));
    LOCHAN_TRYG(lochan_schema__dup(&d->output, &output, err));
    rc = lochan_stream__make(&output, next_changes, free_diff, d, out, err);
    d = NULL;
done:
    if (d)
        free_diff(d);
    return rc;
}
