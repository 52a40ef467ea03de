/* release.c - rejected rows into their dataset after all, or forgotten.
 * A record is text; it becomes a row of the table by the table's types, or the release fails as a
 * whole. The catalog's row changes its state in the same commit that takes the rows. May call:
 * base/, arrow/, catalog/, table/, rejects.h, claim.h, manage.h.
 */
#include "arrow/builder.h"
#include "arrow/view.h"
#include "base/fs.h"
#include "base/log.h"
#include "update/claim.h"
#include "update/dedup.h"
#include "update/manage.h"
#include "update/mode.h"
#include "update/validate.h"

/* The records of all files as text columns of the table's schema. */
struct release {
    lochan_table *table;
    struct ArrowSchema schema; /* the table's columns but for those that it fills itself */
    lochan_builder **columns;  /* a text a column of the schema */
    int64_t rows;
    lochan_reject_row *files;
    size_t n_files;
    const char *state;
    const lochan_lease *lease; /* NULL: the rows are only forgotten */
};

static lochan_status add_record(struct release *r, lochan_str record, lochan_error *err) {
    const struct ArrowSchema *schema = &r->schema;
    lochan_yaml *doc = NULL;
    lochan_status rc = LOCHAN_OK;
    LOCHAN_TRY(lochan_yaml__parse(record.p, record.n, "record", &doc, err));
    for (int64_t c = 0; c < schema->n_children && rc == LOCHAN_OK; c++) {
        const lochan_yaml_node *node =
            lochan_yaml__get(lochan_yaml__root(doc), schema->children[c]->name);
        rc = node ? lochan_builder__str(r->columns[c], node->text, err)
                  : lochan_builder__null(r->columns[c], err);
    }
    r->rows++;
    lochan_yaml__free(doc);
    return rc;
}

static lochan_status add_batch(void *ctx, const lochan_reject_row *file,
                               const struct ArrowSchema *schema, const struct ArrowArray *batch,
                               lochan_error *err) {
    const int last = (int)schema->n_children - 1; /* record */
    lochan_view view;
    (void)file;
    LOCHAN_TRY(lochan_view__init(&view, schema->children[last], batch->children[last], err));
    lochan_status rc = LOCHAN_OK;
    for (int64_t i = 0; i < view.length && rc == LOCHAN_OK; i++)
        rc = add_record(ctx, lochan_view__bytes(&view, i), err);
    lochan_view__deinit(&view);
    return rc;
}

static lochan_status choose_schema(struct release *r, lochan_error *err) {
    const struct ArrowSchema *all = &r->table->def.schema;
    size_t n = 0;
    int *columns = lochan_mem__array((size_t)all->n_children + 1, sizeof *columns);
    if (!columns)
        return lochan_error__nomem(err);
    for (int c = 0; c < (int)all->n_children; c++) {
        if (c != r->table->known_at && c != r->table->derived)
            columns[n++] = c;
    }
    lochan_status rc = lochan_schema__select(all, columns, n, &r->schema, err);
    lochan_mem__free(columns);
    return rc;
}

static lochan_status create_columns(struct release *r, lochan_error *err) {
    const lochan_type text = {.id = LOCHAN_TYPE_STRING};
    int64_t n = r->schema.n_children;
    lochan_status rc = LOCHAN_OK;
    r->columns = lochan_mem__array((size_t)n + 1, sizeof *r->columns);
    if (!r->columns)
        return lochan_error__nomem(err);
    memset(r->columns, 0, ((size_t)n + 1) * sizeof *r->columns);
    for (int64_t c = 0; c < n && rc == LOCHAN_OK; c++) {
        struct ArrowSchema field = {0};
        rc = lochan_schema__set_field(&field, r->schema.children[c]->name, &text, true, err);
        if (rc == LOCHAN_OK)
            rc = lochan_builder__create(&field, &r->columns[c], err);
        lochan_schema__release(&field);
    }
    return rc;
}

/* Text columns to the table's types. */
static lochan_status finish_rows(struct release *r, struct ArrowArray *out, lochan_error *err) {
    const lochan_type type = {.id = LOCHAN_TYPE_STRING};
    const struct ArrowSchema *schema = &r->schema;
    struct ArrowSchema field = {0};
    struct ArrowArray text = {0};
    lochan_status rc;
    LOCHAN_TRYG(lochan_array__init(out, 1, schema->n_children, err));
    LOCHAN_TRYG(lochan_schema__set_field(&field, "text", &type, true, err));
    out->length = r->rows;
    for (int64_t c = 0; c < schema->n_children; c++) {
        LOCHAN_TRYG(lochan_builder__finish(r->columns[c], &text, err));
        rc = lochan_cast(&field, &text, schema->children[c], out->children[c], err);
        lochan_array__release(&text);
        if (rc != LOCHAN_OK) {
            lochan_error__in_table(err, rc, r->table->full_name, schema->children[c]->name, -1);
            goto done;
        }
    }
done:
    lochan_array__release(&text);
    lochan_schema__release(&field);
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    return rc;
}

static lochan_status put_states(void *ctx, lochan_txn *txn, lochan_error *err) {
    struct release *r = ctx;
    if (r->lease)
        LOCHAN_TRY(lochan_lease__end(r->lease, txn, err));
    for (size_t i = 0; i < r->n_files; i++) {
        lochan_reject_row row = r->files[i];
        row.state = r->state;
        LOCHAN_TRY(lochan_txn__put_reject(txn, &row, err));
    }
    return LOCHAN_OK;
}

static lochan_status write_rows(lochan_lake *lake, const lochan_dataset_spec *spec,
                                struct release *r, lochan_error *err) {
    struct ArrowArray rows = {0};
    lochan_write *write = NULL;
    lochan_write_options options = {.mode = spec->update_mode->keyed ? LOCHAN_WRITE_UPSERT
                                                                     : LOCHAN_WRITE_APPEND,
                                    .kind = "release",
                                    .dedup = spec->dedup->write,
                                    .order_column = spec->order_column};
    lochan_status rc;
    LOCHAN_TRYG(finish_rows(r, &rows, err));
    LOCHAN_TRYG(lochan_array__check(&r->schema, &rows, err));
    LOCHAN_TRYG(lochan_write__begin(lake, r->table, &r->schema, &options, &write, err));
    LOCHAN_TRYG(lochan_write__add(write, 0, &rows, err));
    rc = lochan_write__publish(write, put_states, r, NULL, err);
done:
    lochan_write__free(write);
    lochan_array__release(&rows);
    return rc;
}

/* ---- the two ways out ---- */

static void keep_only(lochan_reject_rows *files, const char *state, int64_t *rows) {
    size_t n = 0;
    *rows = 0;
    for (size_t i = 0; i < files->n; i++) {
        if (strcmp(files->rows[i].state, state) != 0)
            continue;
        *rows += files->rows[i].rows;
        files->rows[n++] = files->rows[i];
    }
    files->n = n;
}

lochan_status lochan_rejects_release(lochan_lake *lake, const char *source, const char *dataset,
                                     const char *update_id, int64_t *rows, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && source && dataset && rows, err);
    lochan_dataset_rows datasets = {0};
    lochan_dataset_spec *spec = NULL;
    lochan_lease *lease = NULL;
    lochan_reject_rows files = {0};
    struct release r = {.state = "released"};
    lochan_status rc;
    *rows = 0;
    LOCHAN_TRYG(lochan_lake__check_writable(lake, err));
    LOCHAN_TRYG(lochan_manage__load_dataset(lake, source, dataset, &datasets, &spec, err));
    LOCHAN_TRYG(lochan_claim__dataset(lake, source, dataset, &lease, err));
    r.lease = lease;
    LOCHAN_TRYG(lochan_catalog__rejects(lake->catalog, source, dataset, update_id, &files, err));
    keep_only(&files, "kept", rows);
    if (files.n == 0)
        goto done;
    if (spec->has_record_hash) {
        rc = lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                               "%s/%s tells rows apart by their hash, which a rejected row does "
                               "not have; loosen the rule and run 'lochan update --force'",
                               source, dataset);
        goto done;
    }
    r.files = files.rows;
    r.n_files = files.n;
    LOCHAN_TRYG(lochan_manage__open_table(lake, spec, &r.table, err));
    LOCHAN_TRYG(choose_schema(&r, err));
    LOCHAN_TRYG(create_columns(&r, err));
    for (size_t i = 0; i < files.n; i++)
        LOCHAN_TRYG(
            lochan_rejects__read(lochan_lake_path(lake), &files.rows[i], add_batch, &r, err));
    rc = write_rows(lake, spec, &r, err);
done:
    for (int64_t c = 0; r.columns && c < r.schema.n_children; c++)
        lochan_builder__free(r.columns[c]);
    lochan_mem__free(r.columns);
    lochan_schema__release(&r.schema);
    lochan_table__close(r.table);
    lochan_reject_rows__deinit(&files);
    lochan_lease__release(lease);
    lochan_dataset_spec__free(spec);
    lochan_dataset_rows__deinit(&datasets);
    if (rc != LOCHAN_OK)
        *rows = 0;
    return rc;
}

static void remove_files(lochan_lake *lake, const lochan_reject_rows *files) {
    for (size_t i = 0; i < files->n; i++) {
        lochan_error why;
        lochan_error_init(&why);
        char *path = lochan_path__join(lochan_lake_path(lake), files->rows[i].path);
        if (path && lochan_fs__unlink(path, true, &why) != LOCHAN_OK)
            LOCHAN_WARN("%s was not removed: %s", files->rows[i].path, why.message);
        lochan_mem__free(path);
    }
}

lochan_status lochan_rejects_drop(lochan_lake *lake, const char *source, const char *dataset,
                                  const char *update_id, int64_t *rows, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && source && dataset && rows, err);
    lochan_reject_rows files = {0};
    lochan_txn *txn = NULL;
    lochan_txn_options options = {.kind = "rejects"};
    struct release r = {.state = "dropped"};
    bool done = false;
    lochan_status rc;
    *rows = 0;
    LOCHAN_TRYG(lochan_lake__check_writable(lake, err));
    LOCHAN_TRYG(lochan_catalog__rejects(lake->catalog, source, dataset, update_id, &files, err));
    keep_only(&files, "kept", rows);
    if (files.n == 0)
        goto done;
    r.files = files.rows;
    r.n_files = files.n;
    LOCHAN_TRYG(lochan_txn__begin(lake->catalog, &options, &done, NULL, &txn, err));
    rc = put_states(&r, txn, err);
    if (rc != LOCHAN_OK) {
        lochan_txn__abort(txn);
        goto done;
    }
    LOCHAN_TRYG(lochan_txn__commit(&txn, NULL, err));
    remove_files(lake, &files); /* the catalog has forgotten them */
done:
    lochan_reject_rows__deinit(&files);
    if (rc != LOCHAN_OK)
        *rows = 0;
    return rc;
}
