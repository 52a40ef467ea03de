/* adopt_publish.c - adopted files brought into the lake, and listed in one commit.
 *
 * Each file gets a name of its own below the table's folder, under the same folders key=value as
 * before: DuckLake's clients read a key's value out of them. What was adopted is noted in the
 * catalog for ever, by place and content, so that it is never taken twice, whatever became of it.
 * Invariant: files are durable under their new names before the transaction begins; after a failure
 * the new names are gone. May call: base/, store/, catalog/.
 */
#include "table/adopt.h"

#include "base/clock.h"
#include "base/str.h"
#include "table/scan_leaf.h"

/* ---- what is known ---- */

static const char *note_of(lochan_arena *arena, const char *uuid, const lochan_adopt_file *f) {
    return lochan_arena__printf(arena, "adopted/%s/%s/%s", uuid, f->content, f->below);
}

static lochan_status recognise(lochan_adoption *a, lochan_adopt_set *set, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_table_def def = {0};
    lochan_error seen;
    char value[40];
    set->n_new = set->n;
    lochan_error_init(&seen);
    rc = lochan_catalog__table(a->lake->catalog, set->source, set->dataset, -1, &def, &seen);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        return LOCHAN_OK;
    if (rc != LOCHAN_OK) {
        if (err)
            *err = seen;
        return rc;
    }
    for (size_t i = 0; i < set->n; i++) {
        const char *note = note_of(&a->arena, def.uuid, &set->files[i]);
        if (!note) {
            rc = lochan_error__nomem(err);
            goto done;
        }
        LOCHAN_TRYG(lochan_catalog__option(a->lake->catalog, note, value, sizeof value, err));
        set->files[i].known = value[0] != '\0';
        set->n_new -= set->files[i].known;
    }
done:
    lochan_table_def__deinit(&def);
    return rc;
}

lochan_status lochan_adoption__recognise(lochan_adoption *a, lochan_error *err) {
    for (size_t i = 0; i < a->n; i++)
        LOCHAN_TRY(recognise(a, &a->sets[i], err));
    return LOCHAN_OK;
}

/* ---- places ---- */

/* The folders key=value of a file; others are left out. */
static lochan_status put_folders(lochan_buf *out, const char *below, lochan_error *err) {
    for (const char *end; (end = strchr(below, '/')); below = end + 1) {
        const char *equals = memchr(below, '=', (size_t)(end - below));
        if (equals && equals != below)
            LOCHAN_TRY(lochan_buf__append(out, below, (size_t)(end - below) + 1, err));
    }
    return LOCHAN_OK;
}

static lochan_status choose_path(lochan_adoption *a, const lochan_adopt_set *set,
                                 lochan_adopt_file *f, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    char id[37];
    lochan_buf path;
    lochan_buf__init(&path, 1 << 16);
    lochan_uuid__make(id);
    LOCHAN_TRYG(lochan_buf__printf(&path, err, "data/%s/%s/", set->source, set->dataset));
    LOCHAN_TRYG(put_folders(&path, f->below, err));
    LOCHAN_TRYG(lochan_buf__printf(&path, err, "%s.parquet", id));
    f->path = lochan_arena__strndup(&a->arena, (const char *)path.data, path.len);
    if (!f->path)
        rc = lochan_error__nomem(err);
    else
        rc = lochan_error__in_file(err, lochan_path__check_relative(f->path, err), f->from, -1);
done:
    lochan_buf__deinit(&path);
    return rc;
}

static lochan_status copy_file(lochan_lake *lake, const char *from, const char *to,
                               lochan_error *err) {
    enum { CHUNK = 1 << 20 };
    lochan_status rc = LOCHAN_OK;
    lochan_file *in = NULL;
    lochan_store_writer *out = NULL;
    size_t got = CHUNK;
    uint8_t *chunk = lochan_mem__alloc(CHUNK);
    if (!chunk)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_file__open(from, LOCHAN_FS_READ, &in, err));
    LOCHAN_TRYG(lochan_store__create(lake->store, to, &out, err));
    for (uint64_t at = 0; got == CHUNK; at += got) {
        LOCHAN_TRYG(lochan_cancel__check(lake->ctx.cancel, err));
        LOCHAN_TRYG(lochan_file__read_some(in, chunk, CHUNK, at, &got, err));
        LOCHAN_TRYG(lochan_store_writer__write(out, chunk, got, err));
    }
    lochan_store_writer *whole = out;
    out = NULL;
    LOCHAN_TRYG(lochan_store_writer__finish(whole, err));
done:
    lochan_store_writer__abort(out);
    (void)lochan_file__close(in, NULL);
    lochan_mem__free(chunk);
    return rc;
}

/* A second name for the bytes, durable. */
static lochan_status link_file(lochan_lake *lake, const char *from, const char *to,
                               lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_file *file = NULL;
    lochan_error why;
    char *path = lochan_path__join(lochan_store__root(lake->store), to);
    char *folder = path ? lochan_mem__strdup(path) : NULL;
    if (!folder) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    *strrchr(folder, '/') = '\0';
    LOCHAN_TRYG(lochan_fs__mkdirs(folder, NULL, err));
    lochan_error_init(&why);
    rc = lochan_fs__link(from, path, &why);
    if (rc != LOCHAN_OK) {
        lochan_error__set(err, rc, "'%s' cannot be linked into the lake: %.200s", from,
                          why.message);
        lochan_error__hint(err, "on another file system, or one without hard links: --copy");
        goto done;
    }
    LOCHAN_TRYG(lochan_file__open(path, LOCHAN_FS_READ | LOCHAN_FS_NOFOLLOW, &file, err));
    LOCHAN_TRYG(lochan_file__sync(file, false, err));
    for (char *end; strlen(folder) > strlen(lochan_store__root(lake->store)); *end = '\0') {
        LOCHAN_TRYG(lochan_fs__sync_dir(folder, err));
        end = strrchr(folder, '/');
    }
done:
    (void)lochan_file__close(file, NULL);
    if (rc != LOCHAN_OK && path)
        (void)lochan_fs__unlink(path, true, NULL);
    lochan_mem__free(path);
    lochan_mem__free(folder);
    return rc;
}

/* The file that has its new name must be the one whose footer was read. */
static lochan_status check_unchanged(const lochan_adopt_file *f, lochan_error *err) {
    lochan_stat now;
    LOCHAN_TRY(lochan_fs__stat(f->from, &now, err));
    if (now.device == f->seen.device && now.inode == f->seen.inode && now.size == f->seen.size &&
        now.mtime_ns == f->seen.mtime_ns)
        return LOCHAN_OK;
    return lochan_error__set(err, LOCHAN_ERR_CONFLICT, "'%s' changed while it was being adopted",
                             f->from);
}

static lochan_status place_all(lochan_adoption *a, lochan_error *err) {
    for (size_t i = 0; i < a->n; i++) {
        for (size_t k = 0; k < a->sets[i].n; k++) {
            lochan_adopt_file *f = &a->sets[i].files[k];
            if (f->known)
                continue;
            LOCHAN_TRY(lochan_cancel__check(a->lake->ctx.cancel, err));
            LOCHAN_TRY(choose_path(a, &a->sets[i], f, err));
            lochan_status rc = a->options->how == LOCHAN_ADOPT_COPY
                                   ? copy_file(a->lake, f->from, f->path, err)
                                   : link_file(a->lake, f->from, f->path, err);
            f->placed = rc == LOCHAN_OK;
            if (rc == LOCHAN_OK)
                rc = check_unchanged(f, err);
            LOCHAN_TRY(lochan_error__in_file(err, rc, f->from, -1));
            LOCHAN_FAILPOINT("table.adopt.placed", err);
        }
    }
    return LOCHAN_OK;
}

/* Takes the new names (after a failure) or the old ones (after a move) away. */
static void remove_names(lochan_adoption *a, bool old) {
    for (size_t i = 0; i < a->n; i++) {
        for (size_t k = 0; k < a->sets[i].n; k++) {
            lochan_adopt_file *f = &a->sets[i].files[k];
            char *path = f->placed && !old
                             ? lochan_path__join(lochan_store__root(a->lake->store), f->path)
                             : NULL;
            if (f->placed && (old || path))
                (void)lochan_fs__unlink(old ? f->from : path, true, NULL);
            lochan_mem__free(path);
        }
    }
}

/* ---- the table ---- */

static lochan_status create(lochan_adoption *a, lochan_txn *txn, const lochan_adopt_set *set,
                            lochan_error *err) {
    const lochan_adopt_options *o = a->options;
    int64_t table_id;
    lochan_table_sort *sort = lochan_arena__array(&a->arena, o->n_key + 1, sizeof *sort);
    if (!sort)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < o->n_key; i++)
        sort[i] = (lochan_table_sort){.column = lochan_schema__find(&set->schema, o->key[i]),
                                      .expression = o->key[i],
                                      .nulls_first = true};
    lochan_table_create make = {.source = set->source,
                                .dataset = set->dataset,
                                .schema = &set->schema,
                                .n_partition = set->n_fields,
                                .partition = set->fields,
                                .n_sort = o->n_key,
                                .sort = sort};
    return lochan_txn__create_table(txn, &make, &table_id, err);
}

static lochan_status misfit(const lochan_adopt_set *set, const char *what, lochan_error *err) {
    return lochan_error__set(err, LOCHAN_ERR_SCHEMA,
                             "%s.%s is there already, with %s than the files below '%s' have",
                             set->source, set->dataset, what, set->folder);
}

static lochan_status check_fields(const lochan_adopt_set *set, const lochan_table_def *def,
                                  lochan_error *err) {
    bool same = def->n_partition == set->n_fields;
    for (size_t i = 0; i < set->n_fields && same; i++)
        same = strcmp(def->partition[i].name, set->fields[i].name) == 0 &&
               strcmp(def->partition[i].transform, set->fields[i].transform) == 0;
    return same ? LOCHAN_OK : misfit(set, "another partition", err);
}

/* A table that is there: its columns must hold those of the files; new ones are added. */
static lochan_status extend(lochan_txn *txn, const lochan_adopt_set *set,
                            const lochan_table_def *def, lochan_error *err) {
    LOCHAN_TRY(check_fields(set, def, err));
    for (int64_t i = 0; i < set->schema.n_children; i++) {
        const struct ArrowSchema *field = set->schema.children[i];
        int c = lochan_schema__find(&def->schema, field->name);
        int64_t id;
        if (c >= 0 && !lochan_adopt__fits(field, def->schema.children[c])) {
            lochan_status rc = misfit(set, "a narrower type of a column", err);
            return lochan_error__in_table(err, rc, NULL, field->name, -1);
        }
        if (c < 0)
            LOCHAN_TRY(lochan_txn__add_column(txn, def->table_id, 0, field, &id, err));
    }
    for (int64_t i = 0; i < def->schema.n_children; i++) {
        const struct ArrowSchema *field = def->schema.children[i];
        int c = lochan_schema__find(&set->schema, field->name);
        bool needed = !(field->flags & ARROW_FLAG_NULLABLE);
        if (needed && (c < 0 || set->schema.children[c]->flags & ARROW_FLAG_NULLABLE)) {
            lochan_status rc = lochan_error__set(
                err, LOCHAN_ERR_SCHEMA,
                "column '%s' of %s.%s must not be null: adopt with --key and that column",
                field->name, set->source, set->dataset);
            return lochan_error__in_table(err, rc, NULL, field->name, -1);
        }
    }
    return LOCHAN_OK;
}

/* ---- the mapping ---- */

typedef struct lines {
    lochan_arena *arena;
    lochan_mapping_line *list;
    size_t n, cap;
} lines;

static lochan_status add_lines(lines *l, const struct ArrowSchema *field, bool is_partition,
                               int parent, const char *name, lochan_error *err) {
    lochan_mapping_line *list = lochan_arena__grow(l->arena, l->list, l->n, &l->cap, sizeof *list);
    if (!list)
        return lochan_error__nomem(err);
    int at = (int)l->n++;
    l->list = list;
    list[at] = (lochan_mapping_line){.name = name,
                                     .column_id = lochan_schema__field_id(field),
                                     .parent = parent,
                                     .is_partition = is_partition};
    bool is_list = strncmp(field->format, "+l", 2) == 0 || strncmp(field->format, "+L", 2) == 0;
    for (int64_t i = 0; i < field->n_children; i++)
        LOCHAN_TRY(add_lines(l, field->children[i], false, at,
                             is_list ? "element" : field->children[i]->name, err));
    return LOCHAN_OK;
}

static lochan_status make_mapping(lochan_adoption *a, lochan_txn *txn, const lochan_adopt_set *set,
                                  const lochan_table_def *def, int64_t *id, lochan_error *err) {
    lines l = {.arena = &a->arena};
    for (int64_t i = 0; i < set->schema.n_children; i++) {
        const char *name = set->schema.children[i]->name;
        int c = lochan_schema__find(&def->schema, name);
        LOCHAN_TRY(add_lines(&l, def->schema.children[c], set->from_folder[i], -1, name, err));
    }
    return lochan_txn__add_mapping(txn, def->table_id, l.list, l.n, id, err);
}

/* ---- files ---- */

/* Bounds in the text of another type say the same, unless a float was rounded to it. */
static bool text_holds(const struct ArrowSchema *file, const struct ArrowSchema *table) {
    lochan_type a, b;
    if (lochan_type__parse((file->dictionary ? file->dictionary : file)->format, &a, NULL) !=
            LOCHAN_OK ||
        lochan_type__parse(table->format, &b, NULL) != LOCHAN_OK)
        return false;
    return a.id == b.id || (!lochan_type__is_float(a.id) && !lochan_type__is_float(b.id));
}

/* What the footer says of the leaves that the table has, and the value of each folder's key. */
static lochan_status list_stats(lochan_adoption *a, const lochan_adopt_set *set,
                                const lochan_adopt_file *f, const lochan_table_def *def,
                                lochan_file_add *add, lochan_error *err) {
    const lochan_pq_summary *s = &f->summary;
    size_t most = (size_t)s->n_leaves + (size_t)set->schema.n_children + 1, n = 0;
    lochan_column_stats *stats = lochan_arena__array(&a->arena, most, sizeof *stats);
    if (!stats)
        return lochan_error__nomem(err);
    for (int i = 0; i < s->n_leaves; i++) {
        const lochan_pq_leaf_summary *leaf = &s->leaves[i];
        lochan_leaf file = lochan_leaf__find(&f->schema, leaf->path);
        lochan_leaf at = lochan_leaf__find(&def->schema, leaf->path);
        if (at.depth == 0 || file.depth != at.depth || at.field->n_children > 0)
            continue;
        bool holds = text_holds(file.field, at.field);
        stats[n++] = (lochan_column_stats){.column_id = lochan_schema__field_id(at.field),
                                           .compressed_bytes = leaf->compressed_bytes,
                                           .value_count = leaf->value_count,
                                           .null_count = leaf->null_count,
                                           .contains_nan = leaf->contains_nan,
                                           .min = holds ? leaf->min_text : NULL,
                                           .max = holds ? leaf->max_text : NULL};
    }
    for (int64_t i = 0; i < set->schema.n_children; i++) {
        const char *value = NULL, *name = set->schema.children[i]->name;
        if (!set->from_folder[i])
            continue;
        for (size_t k = 0; k < set->n_keys; k++)
            value = strcmp(set->keys[k], name) == 0 ? f->partition[k] : value;
        int c = lochan_schema__find(&def->schema, name);
        stats[n++] =
            (lochan_column_stats){.column_id = lochan_schema__field_id(def->schema.children[c]),
                                  .value_count = s->rows,
                                  .null_count = value ? 0 : s->rows,
                                  .min = value,
                                  .max = value};
    }
    add->stats = stats;
    add->n_stats = n;
    return LOCHAN_OK;
}

static lochan_status list_file(lochan_adoption *a, lochan_txn *txn, const lochan_adopt_set *set,
                               const lochan_adopt_file *f, const lochan_table_def *def,
                               int64_t mapping_id, int64_t ordinal, lochan_error *err) {
    int64_t id;
    lochan_file_add add = {.path = f->path,
                           .rows = f->summary.rows,
                           .bytes = (int64_t)f->summary.file_size,
                           .footer_bytes = (int64_t)f->summary.footer_length,
                           .file_id = "",
                           .ordinal = ordinal,
                           .partition_values = set->n_fields > 0 ? f->partition : NULL,
                           .n_partition_values = set->n_fields,
                           .mapping_id = mapping_id};
    const char *note = note_of(&a->arena, def->uuid, f);
    if (!note)
        return lochan_error__nomem(err);
    LOCHAN_TRY(list_stats(a, set, f, def, &add, err));
    LOCHAN_TRY(lochan_txn__add_file(txn, def->table_id, &add, &id, err));
    return lochan_txn__set_option(txn, note, "1", err);
}

static lochan_status list_set(lochan_adoption *a, lochan_txn *txn, const lochan_adopt_set *set,
                              lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_table_def def = {0};
    lochan_error seen;
    int64_t mapping_id, ordinal = 0;
    lochan_error_init(&seen);
    rc = lochan_txn__table(txn, set->source, set->dataset, &def, &seen);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        rc = create(a, txn, set, err);
    else if (rc == LOCHAN_OK)
        rc = extend(txn, set, &def, err);
    else if (err)
        *err = seen;
    lochan_table_def__deinit(&def);
    LOCHAN_TRYG(rc);
    LOCHAN_TRYG(lochan_txn__table(txn, set->source, set->dataset, &def, err));
    LOCHAN_TRYG(make_mapping(a, txn, set, &def, &mapping_id, err));
    for (size_t i = 0; i < set->n; i++) {
        if (!set->files[i].known)
            LOCHAN_TRYG(list_file(a, txn, set, &set->files[i], &def, mapping_id, ordinal++, err));
    }
done:
    lochan_table_def__deinit(&def);
    return rc;
}

/* Nobody may have adopted any of the files meanwhile: asked under the queue lock, where the answer
 * holds. */
static lochan_status check_new(lochan_adoption *a, lochan_error *err) {
    for (size_t i = 0; i < a->n; i++) {
        size_t before = a->sets[i].n_new;
        LOCHAN_TRY(recognise(a, &a->sets[i], err));
        if (a->sets[i].n_new == before)
            continue;
        lochan_error__set(err, LOCHAN_ERR_CONFLICT,
                          "files below '%s' were adopted by somebody else meanwhile",
                          a->sets[i].folder);
        lochan_error__hint(err, "run it again: what is in the lake is left out");
        return LOCHAN_ERR_CONFLICT;
    }
    return LOCHAN_OK;
}

static lochan_status commit(lochan_adoption *a, const char *commit_id, int64_t *snapshot_id,
                            lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    lochan_txn_options options = {.kind = "adopt", .commit_id = commit_id};
    LOCHAN_TRYG(lochan_txn__begin(a->lake->catalog, &options, NULL, NULL, &txn, err));
    LOCHAN_TRYG(check_new(a, err));
    for (size_t i = 0; i < a->n; i++) {
        if (a->sets[i].n_new > 0)
            LOCHAN_TRYG(list_set(a, txn, &a->sets[i], err));
    }
    LOCHAN_FAILPOINTG("table.adopt.listed", err);
    rc = lochan_txn__commit(&txn, snapshot_id, err);
done:
    lochan_txn__abort(txn);
    return rc;
}

lochan_status lochan_adoption__publish(lochan_adoption *a, int64_t *snapshot_id,
                                       lochan_error *err) {
    char commit_id[37];
    lochan_uuid__make(commit_id);
    lochan_status rc = place_all(a, err);
    if (rc == LOCHAN_OK)
        rc = commit(a, commit_id, snapshot_id, err);
    if (rc != LOCHAN_OK && !lochan_catalog__fate_is_open(a->lake->catalog, commit_id))
        remove_names(a, false);
    if (rc == LOCHAN_OK && a->options->how == LOCHAN_ADOPT_MOVE)
        remove_names(a, true);
    return rc;
}
