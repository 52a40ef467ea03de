/* output.c - sorted rows to data files: cut near the target size, labelled in their footers.
 * Invariants: a file holds rows of one partition, in order; it is never cut between equal keys; the
 * last file of a commit that is closed carries the commit's total. May call: base/, arrow/,
 * parquet/, store/.
 */
#include "base/clock.h"
#include "base/str.h"
#include "table/write.h"

enum { SLICE_ROWS = 65536, MAX_LIST = 1 << 24 };

/* ---- footers ---- */

/* Everything known before the file is closed. */
static lochan_status describe_part(lochan_write *w, lochan_part *p, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const lochan_table_def *def = &w->base;
    lochan_buf sort, key;
    char version[24];
    lochan_buf__init(&sort, MAX_LIST);
    lochan_buf__init(&key, MAX_LIST);
    lochan_format(version, sizeof version, "%lld", (long long)def->schema_begin);
    LOCHAN_TRYG(lochan_buf__putc(&sort, '[', err));
    for (size_t i = 0; i < w->table->n_order; i++) {
        const char *name = def->schema.children[w->table->order[i].column]->name;
        if (i > 0)
            LOCHAN_TRYG(lochan_buf__putc(&sort, ',', err));
        LOCHAN_TRYG(lochan_buf__json_string(&sort, name, strlen(name), err));
    }
    LOCHAN_TRYG(lochan_buf__putc(&sort, ']', err));
    LOCHAN_TRYG(lochan_buf__putc(&key, '[', err));
    for (size_t i = 0; i < w->table->n_key; i++) {
        const char *name = def->schema.children[w->table->key[i]]->name;
        if (i > 0)
            LOCHAN_TRYG(lochan_buf__putc(&key, ',', err));
        LOCHAN_TRYG(lochan_buf__json_string(&key, name, strlen(name), err));
    }
    LOCHAN_TRYG(lochan_buf__putc(&key, ']', err));
    const char *pairs[][2] = {{"lochan.format", LOCHAN_FILE_FORMAT},
                              {"lochan.schema", def->source},
                              {"lochan.table", def->dataset},
                              {"lochan.table_uuid", def->uuid},
                              {"lochan.schema_version", version},
                              {"lochan.file_id", p->file_id},
                              {"lochan.commit_id", w->commit_id},
                              {"lochan.partition", w->partitions[p->partition]->json},
                              {"lochan.sort", (const char *)sort.data},
                              {"lochan.key", (const char *)key.data},
                              {"lochan.lochan_version", LOCHAN_VERSION}};
    for (size_t i = 0; i < LOCHAN_COUNTOF(pairs); i++)
        LOCHAN_TRYG(lochan_pq_writer__set_metadata(p->parquet, pairs[i][0], pairs[i][1], err));
    for (size_t i = 0; i < w->options.n_metadata; i++)
        LOCHAN_TRYG(lochan_pq_writer__set_metadata(p->parquet, w->options.metadata[i][0],
                                                   w->options.metadata[i][1], err));
done:
    lochan_buf__deinit(&sort);
    lochan_buf__deinit(&key);
    return rc;
}

/* What is known only when the file is closed. */
static lochan_status describe_end(lochan_part *p, int64_t ordinal, int64_t total,
                                  lochan_error *err) {
    char number[24];
    LOCHAN_TRY(lochan_buf__puts(&p->replaces, p->replaces.len > 0 ? "]" : "[]", err));
    LOCHAN_TRY(lochan_pq_writer__set_metadata(p->parquet, "lochan.replaces",
                                              (const char *)p->replaces.data, err));
    lochan_format(number, sizeof number, "%lld", (long long)ordinal);
    LOCHAN_TRY(lochan_pq_writer__set_metadata(p->parquet, "lochan.commit_ordinal", number, err));
    if (total < 0)
        return LOCHAN_OK;
    lochan_format(number, sizeof number, "%lld", (long long)total);
    return lochan_pq_writer__set_metadata(p->parquet, "lochan.commit_total", number, err);
}

/* ---- one file ---- */

void lochan_part__free(lochan_part *part) {
    if (!part)
        return;
    lochan_pq_writer__free(part->parquet);
    lochan_store_writer__abort(part->store);
    lochan_mem__free(part->path);
    lochan_buf__deinit(&part->key_min);
    lochan_buf__deinit(&part->key_max);
    lochan_buf__deinit(&part->replaces);
    lochan_mem__free(part);
}

void lochan_new_file__deinit(lochan_new_file *file) {
    lochan_mem__free(file->path);
    lochan_buf__deinit(&file->key_min);
    lochan_buf__deinit(&file->key_max);
    lochan_pq_summary__deinit(&file->summary);
}

static char *part_path(lochan_write *w, const lochan_part *p) {
    lochan_buf path;
    const char *folder = w->partitions[p->partition]->folder;
    lochan_buf__init(&path, 4096);
    const char *prefix = w->table->partition->file_prefix;
    lochan_status rc = lochan_buf__printf(&path, NULL, "%s%s%s%s%s.parquet", w->base.path, folder,
                                          *folder ? "/" : "", prefix ? prefix : "", p->file_id);
    char *out = rc == LOCHAN_OK ? (char *)lochan_buf__take(&path, NULL) : NULL;
    lochan_buf__deinit(&path);
    return out;
}

/* A rewritten row group may grow by half, or every added row would leave a small one behind it. */
static int64_t group_rows(const lochan_output *o) {
    int64_t rows = o->w->options.row_group_rows;
    return o->n_replacing > 0 ? rows + rows / 2 : rows;
}

static lochan_status open_part(lochan_output *o, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_write *w = o->w;
    lochan_part *p = lochan_mem__zalloc(sizeof *p);
    if (!p)
        return lochan_error__nomem(err);
    lochan_buf__init(&p->key_min, LOCHAN_KEYCODE_MAX * 4);
    lochan_buf__init(&p->key_max, LOCHAN_KEYCODE_MAX * 4);
    lochan_buf__init(&p->replaces, MAX_LIST);
    p->partition = o->partition;
    lochan_uuid__make(p->file_id);
    pthread_mutex_lock(&w->mutex); /* the list of partitions may move while others add to it */
    p->path = part_path(w, p);
    pthread_mutex_unlock(&w->mutex);
    if (!p->path) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_store__create(w->lake->store, p->path, &p->store, err));
    lochan_pq_sink sink = {.write = lochan_store_writer__write, .self = p->store, .name = p->path};
    lochan_pq_write_options options = {.codec = w->codec,
                                       .codec_set = true,
                                       .level =
                                           w->codec == LOCHAN_PQ_ZSTD ? w->options.zstd_level : 0,
                                       .row_group_rows = group_rows(o),
                                       .sink_any_thread = true,
                                       .sorting = w->table->order,
                                       .n_sorting = w->table->n_order};
    LOCHAN_TRYG(
        lochan_pq_writer__open(&w->lake->ctx, &sink, &w->base.schema, &options, &p->parquet, err));
    pthread_mutex_lock(&w->mutex);
    rc = describe_part(w, p, err);
    pthread_mutex_unlock(&w->mutex);
    LOCHAN_TRYG(rc);
    LOCHAN_FAILPOINTG("table.write.created", err);
    o->part = p;
    p = NULL;
    o->cut_next = false;
done:
    lochan_part__free(p);
    return rc;
}

static lochan_status push_new_file(lochan_write *w, lochan_new_file *file, lochan_error *err) {
    if (w->n_new == w->cap_new) {
        size_t cap = w->cap_new ? w->cap_new * 2 : 16;
        lochan_new_file *files = lochan_mem__realloc(w->new_files, cap * sizeof *files);
        if (!files)
            return lochan_error__nomem(err);
        w->new_files = files;
        w->cap_new = cap;
    }
    w->new_files[w->n_new++] = *file;
    memset(file, 0, sizeof *file);
    return LOCHAN_OK;
}

/* Writes the footer and hands the bytes to the commit's batch. Takes the part. */
static lochan_status close_part(lochan_write *w, lochan_part *p, int64_t ordinal, int64_t total,
                                lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_new_file file = {.partition = p->partition, .ordinal = ordinal};
    memcpy(file.file_id, p->file_id, sizeof file.file_id);
    LOCHAN_TRYG(describe_end(p, ordinal, total, err));
    LOCHAN_TRYG(lochan_pq_writer__close(p->parquet, &file.summary, err));
    LOCHAN_FAILPOINTG("table.write.closed", err);
    file.path = p->path;
    p->path = NULL;
    file.key_min = p->key_min;
    file.key_max = p->key_max;
    lochan_buf__init(&p->key_min, 0);
    lochan_buf__init(&p->key_max, 0);
    lochan_store_writer *store = p->store;
    p->store = NULL;
    pthread_mutex_lock(&w->mutex);
    rc = lochan_store_batch__add(w->batch, store, err);
    if (rc == LOCHAN_OK)
        rc = push_new_file(w, &file, err);
    pthread_mutex_unlock(&w->mutex);
done:
    lochan_new_file__deinit(&file);
    lochan_part__free(p);
    return rc;
}

/* ---- rows ---- */

lochan_status lochan_output__cut(lochan_output *o, lochan_error *err) {
    lochan_write *w = o->w;
    lochan_part *p = o->part, *before;
    if (!p)
        return LOCHAN_OK;
    o->part = NULL;
    lochan_status rc = lochan_pq_writer__finish_data(p->parquet, err);
    if (rc != LOCHAN_OK) {
        lochan_part__free(p);
        return rc;
    }
    o->counts->files_written++;
    o->counts->bytes_written += (int64_t)lochan_pq_writer__bytes(p->parquet);
    pthread_mutex_lock(&w->mutex);
    before = w->held;
    w->held = p;
    int64_t ordinal = before ? w->next_ordinal++ : 0;
    pthread_mutex_unlock(&w->mutex);
    return before ? close_part(w, before, ordinal, -1, err) : LOCHAN_OK;
}

lochan_status lochan_write__close_held(lochan_write *w, lochan_error *err) {
    lochan_part *p = w->held;
    w->held = NULL;
    if (!p)
        return LOCHAN_OK;
    int64_t ordinal = w->next_ordinal++;
    return close_part(w, p, ordinal, ordinal + 1, err);
}

static lochan_status note_replaced(lochan_output *o, lochan_error *err) {
    lochan_part *p = o->part;
    for (size_t i = 0; p && i < o->n_replacing; i++) {
        const char *id = o->replacing[i];
        LOCHAN_TRY(lochan_buf__putc(&p->replaces, p->replaces.len > 0 ? ',' : '[', err));
        LOCHAN_TRY(lochan_buf__json_string(&p->replaces, id, strlen(id), err));
    }
    return LOCHAN_OK;
}

lochan_status lochan_output__replace(lochan_output *o, const char *const *file_ids, size_t n,
                                     lochan_error *err) {
    o->replacing = file_ids;
    o->n_replacing = n;
    return note_replaced(o, err);
}

/* Whether the first row of `codes` may go into another file than the last one written. */
static lochan_status differs_from_last(lochan_output *o, const lochan_keycode *codes, bool *differs,
                                       lochan_error *err) {
    lochan_buf first;
    lochan_buf__init(&first, LOCHAN_KEYCODE_MAX * 4);
    lochan_status rc = lochan_keycode__encode(codes, 0, &first, o->w->keyed ? err : NULL);
    lochan_str a = {(const char *)first.data, first.len};
    lochan_str b = {(const char *)o->part->key_max.data, o->part->key_max.len};
    *differs = rc == LOCHAN_OK && lochan_keycode__compare(a, b) != 0;
    lochan_buf__deinit(&first);
    return o->w->keyed ? rc : LOCHAN_OK; /* the order of a table without a key may have values too
                                            long for a code */
}

static lochan_status note_keys(lochan_output *o, const lochan_keycode *codes, int64_t rows,
                               bool first, lochan_error *err) {
    lochan_part *p = o->part;
    bool keyed = o->w->keyed;
    lochan_status rc = LOCHAN_OK;
    if (first)
        rc = lochan_keycode__encode(codes, 0, &p->key_min, keyed ? err : NULL);
    if (rc == LOCHAN_OK)
        rc = lochan_keycode__encode(codes, rows - 1, &p->key_max, keyed ? err : NULL);
    return keyed ? rc : LOCHAN_OK;
}

static lochan_status write_slice(lochan_output *o, const struct ArrowArray *slice,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_write *w = o->w;
    lochan_keycode codes = {0};
    LOCHAN_TRYG(lochan_cancel__check(w->lake->ctx.cancel, err));
    LOCHAN_TRYG(lochan_keycode__init(&codes, &w->base.schema, slice, w->table->order,
                                     w->table->n_order, err));
    bool differs = w->table->n_order == 0;
    if (o->part && o->cut_next && !differs)
        LOCHAN_TRYG(differs_from_last(o, &codes, &differs, err));
    if (o->part && o->cut_next && differs)
        LOCHAN_TRYG(lochan_output__cut(o, err));
    bool first = !o->part || o->part->rows == 0;
    if (!o->part) {
        LOCHAN_TRYG(open_part(o, err));
        LOCHAN_TRYG(note_replaced(o, err));
    }
    LOCHAN_TRYG(note_keys(o, &codes, slice->length, first, err));
    LOCHAN_TRYG(lochan_pq_writer__write_batch(o->part->parquet, slice, err));
    o->part->rows += slice->length;
    o->cut_next = lochan_pq_writer__bytes(o->part->parquet) >= w->options.target_file_bytes;
done:
    lochan_keycode__deinit(&codes);
    return rc;
}

lochan_status lochan_output__rows(lochan_output *o, const struct ArrowArray *batch,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray lent = lochan_array__lend(batch), slice = {0};
    if (batch->length == 0)
        return LOCHAN_OK;
    lochan_shared *shared = lochan_shared__give(&lent);
    if (!shared)
        return lochan_error__nomem(err);
    int64_t step =
        o->w->options.row_group_rows < SLICE_ROWS ? o->w->options.row_group_rows : SLICE_ROWS;
    for (int64_t from = 0; from < batch->length; from += step) {
        int64_t n = batch->length - from < step ? batch->length - from : step;
        LOCHAN_TRYG(lochan_shared__slice(shared, from, n, &slice, err));
        LOCHAN_TRYG(write_slice(o, &slice, err));
        lochan_array__release(&slice);
    }
done:
    lochan_array__release(&slice);
    lochan_shared__unref(shared);
    return rc;
}

lochan_status lochan_output__begin_group(lochan_output *o, bool *fresh, lochan_error *err) {
    if (o->part && o->cut_next)
        LOCHAN_TRY(lochan_output__cut(o, err));
    *fresh = !o->part || o->part->key_min.len == 0;
    if (!o->part) {
        LOCHAN_TRY(open_part(o, err));
        LOCHAN_TRY(note_replaced(o, err));
    }
    return LOCHAN_OK;
}

lochan_status lochan_output__copy_group(lochan_output *o, lochan_pq_reader *reader, int group,
                                        const lochan_pq_fill *fill, lochan_error *err) {
    lochan_pq_row_group_info info;
    lochan_pq_reader__row_group(reader, group, &info);
    LOCHAN_TRY(lochan_pq_writer__copy_filled(o->part->parquet, reader, group, fill, err));
    o->part->rows += info.rows;
    o->cut_next = lochan_pq_writer__bytes(o->part->parquet) >= o->w->options.target_file_bytes;
    return LOCHAN_OK;
}

void lochan_output__deinit(lochan_output *o) {
    lochan_part__free(o->part);
    o->part = NULL;
}
