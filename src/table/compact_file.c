/* compact_file.c - the files of a group into one new file.
 * Invariants: no row is lost or comes twice, or the file is dropped; memory is a row group (of a
 * clustered partition: the partition); row groups of a fair size are copied as bytes. May call:
 * base/, arrow/, parquet/, store/.
 */
#include "table/compact.h"

#include "base/clock.h"
#include "base/str.h"

enum { ROW_GROUP_ROWS = 131072, COPY_ROWS = ROW_GROUP_ROWS / 4, CLUSTERED_PAGE_ROWS = 4096 };

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

static lochan_status label(const lochan_compaction *c, const lochan_joined *j, lochan_pq_writer *w,
                           const lochan_pq_reader *first, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const char *key, *value;
    lochan_buf replaces;
    lochan_buf__init(&replaces, 1 << 24);
    for (size_t i = 0; lochan_pq_reader__metadata_at(first, i, &key, &value); i++)
        if (strncmp(key, "lochan.", 7) == 0 && !is_own_label(key) &&
            (!j->group->cluster || strcmp(key, "lochan.sort") != 0))
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

/* The order of a clustered file, by names and by ids. */
static lochan_status label_order(const lochan_compaction *c, lochan_pq_writer *w,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_buf sort, ids;
    lochan_buf__init(&sort, 1 << 20);
    lochan_buf__init(&ids, 1 << 16);
    for (size_t i = 0; i < c->upkeep.n_rows; i++) {
        const struct ArrowSchema *field = c->table->def.schema.children[c->upkeep.rows[i].column];
        LOCHAN_TRYG(lochan_buf__putc(&sort, i > 0 ? ',' : '[', err));
        LOCHAN_TRYG(lochan_buf__json_string(&sort, field->name, strlen(field->name), err));
        LOCHAN_TRYG(lochan_buf__printf(&ids, err, "%s%lld", i > 0 ? "," : "",
                                       (long long)lochan_schema__field_id(field)));
    }
    LOCHAN_TRYG(lochan_buf__putc(&sort, ']', err));
    LOCHAN_TRYG(lochan_pq_writer__set_metadata(w, "lochan.sort", (const char *)sort.data, err));
    LOCHAN_TRYG(
        lochan_pq_writer__set_metadata(w, LOCHAN_LABEL_CLUSTERED, (const char *)ids.data, err));
done:
    lochan_buf__deinit(&sort);
    lochan_buf__deinit(&ids);
    return rc;
}

lochan_status lochan_compaction__decode(lochan_compaction *c, const lochan_data_file *file,
                                        lochan_pq_reader *reader,
                                        const lochan_projection *projection, int group,
                                        lochan_compaction_rows fn, void *ctx, lochan_error *err) {
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
        LOCHAN_TRYG(lochan_known_at__fill(&c->table->def.schema, c->table->known_at,
                                          file->published_ns, &rows, &filled, err));
        LOCHAN_TRYG(fn(ctx, &filled, err));
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

static lochan_status write_rows(void *ctx, struct ArrowArray *rows, lochan_error *err) {
    return lochan_pq_writer__write_batch(ctx, rows, err);
}

static lochan_status add_rows(lochan_compaction *c, const lochan_data_file *file,
                              lochan_pq_reader *reader, lochan_pq_writer *w, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_projection projection = {0};
    LOCHAN_TRYG(lochan_projection__init(&projection, lochan_pq_reader__schema(reader),
                                        &c->table->def.schema, LOCHAN_BY_FIELD_ID, err));
    bool copyable = lochan_pq_writer__can_copy(w, reader, NULL);
    for (int g = 0; g < lochan_pq_reader__row_groups(reader); g++) {
        lochan_pq_row_group_info info;
        lochan_pq_fill fill;
        lochan_pq_reader__row_group(reader, g, &info);
        LOCHAN_TRYG(lochan_cancel__check(c->lake->ctx.cancel, err));
        if (copyable && info.rows >= COPY_ROWS) {
            const lochan_pq_fill *times = lochan_known_at__fill_group(
                &c->table->def.schema, c->table->known_at, file->published_ns, reader, g, &fill);
            LOCHAN_TRYG(lochan_pq_writer__copy_filled(w, reader, g, times, err));
            c->report->groups_copied++;
        } else {
            LOCHAN_TRYG(
                lochan_compaction__decode(c, file, reader, &projection, g, write_rows, w, err));
        }
    }
done:
    lochan_projection__deinit(&projection);
    return rc;
}

static lochan_status open_writer(lochan_compaction *c, lochan_joined *j,
                                 lochan_store_writer **store, lochan_pq_writer **out,
                                 lochan_error *err) {
    LOCHAN_TRY(lochan_store__create(c->lake->store, j->path, store, err));
    lochan_pq_sink sink = {.write = lochan_store_writer__write, .self = *store, .name = j->path};
    lochan_pq_write_options o = {
        .codec = LOCHAN_PQ_ZSTD, .codec_set = true, .level = 3, .row_group_rows = ROW_GROUP_ROWS};
    if (j->sorted) {
        o.sorting = c->table->order;
        o.n_sorting = c->table->n_order;
    }
    if (j->group->cluster) { /* small pages: what is looked for lies in a few of them */
        o.sorting = c->upkeep.rows;
        o.n_sorting = c->upkeep.n_rows;
        o.page_rows = CLUSTERED_PAGE_ROWS;
    }
    return lochan_pq_writer__open(&c->lake->ctx, &sink, &c->table->def.schema, &o, out, err);
}

/* The files of the group one after the other; the labels of the first are those of the new one. */
static lochan_status write_file(lochan_compaction *c, const lochan_joined *j, lochan_pq_writer *w,
                                lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_pq_reader *reader = NULL;
    const lochan_compaction_group *group = j->group;
    for (size_t i = 0; i < (group->cluster ? 1 : group->n); i++) {
        LOCHAN_TRYG(lochan_data_file__open(c->lake, group->files[i], &reader, err));
        if (!group->cluster)
            LOCHAN_TRYG(add_rows(c, group->files[i], reader, w, err));
        if (i == 0)
            LOCHAN_TRYG(label(c, j, w, reader, err));
        lochan_pq_reader__close(reader);
        reader = NULL;
    }
    if (group->cluster) {
        LOCHAN_TRYG(label_order(c, w, err));
        LOCHAN_TRYG(lochan_compaction__write_clustered(c, group, w, err));
    }
done:
    lochan_pq_reader__close(reader);
    return rc;
}

lochan_status lochan_compaction__join(lochan_compaction *c, const lochan_compaction_group *group,
                                      lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_store_writer *store = NULL;
    lochan_pq_writer *writer = NULL;
    lochan_joined *j = &c->files[c->n_files];
    memset(j, 0, sizeof *j);
    j->group = group;
    j->sorted = !group->cluster && c->table->n_order > 0 && group->files[0]->key_min.n > 0;
    lochan_uuid__make(j->file_id);
    j->path = lochan_data_file__new_path(group->files[0], j->file_id);
    if (!j->path)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(open_writer(c, j, &store, &writer, err));
    LOCHAN_TRYG(write_file(c, j, writer, err));
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
    lochan_pq_writer__free(writer);
    lochan_store_writer__abort(store);
    if (rc != LOCHAN_OK) {
        lochan_mem__free(j->path);
        lochan_pq_summary__deinit(&j->summary);
    }
    return rc;
}
