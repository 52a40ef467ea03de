/* manage.c - sources and datasets in the catalog: add, override, show, and load for an update.
 * A source's overrides are a JSON object of dotted keys; they are laid over the spec each time it
 * is read, so a new version of a bundled spec keeps them. May call: base/, arrow/, catalog/,
 * source/, spec.h, bundled.h.
 */
#include "update/manage.h"

#include "arrow/listing.h"
#include "catalog/txn.h"
#include "table/table.h"
#include "update/bundled.h"
#include "update/dedup.h"
#include "update/mapping.h"
#include <lochan/update.h>

#define MAX_SPEC (1u << 20)

/* ---- bundled specs ---- */

static const lochan_bundled *find_bundled(const char *folder, const char *name) {
    char path[300];
    if (!lochan_format(path, sizeof path, "%s/%s.yaml", folder, name))
        return NULL;
    for (size_t i = 0; i < lochan_bundled__count; i++) {
        if (strcmp(lochan_bundled__specs[i].path, path) == 0)
            return &lochan_bundled__specs[i];
    }
    return NULL;
}

/* "ecb, tushare": names of the bundled specs of one folder, for messages. */
static void list_bundled(const char *folder, char *dst, size_t cap) {
    size_t n = strlen(folder), used = 0;
    dst[0] = 0;
    for (size_t i = 0; i < lochan_bundled__count; i++) {
        const char *path = lochan_bundled__specs[i].path;
        if (strncmp(path, folder, n) != 0 || path[n] != '/')
            continue;
        int name = (int)(strlen(path) - n - 1 - strlen(".yaml"));
        if (!lochan_format(dst + used, cap - used, "%s%.*s", used ? ", " : "", name, path + n + 1))
            break;
        used = strlen(dst);
    }
}

/* ---- commits of one row ---- */

typedef lochan_status (*put_fn)(void *ctx, lochan_txn *txn, lochan_error *err);

static lochan_status commit_row(lochan_lake *lake, const char *kind, put_fn put, void *ctx,
                                lochan_error *err) {
    lochan_txn *txn = NULL;
    bool done = false;
    lochan_txn_options options = {.kind = kind};
    LOCHAN_TRY(lochan_lake__check_writable(lake, err));
    LOCHAN_TRY(lochan_txn__begin(lake->catalog, &options, &done, NULL, &txn, err));
    lochan_status rc = put(ctx, txn, err);
    if (rc != LOCHAN_OK) {
        lochan_txn__abort(txn);
        return rc;
    }
    return lochan_txn__commit(&txn, NULL, err);
}

static lochan_status put_source(void *ctx, lochan_txn *txn, lochan_error *err) {
    return lochan_txn__put_source(txn, ctx, err);
}

static lochan_status put_dataset(void *ctx, lochan_txn *txn, lochan_error *err) {
    int64_t dataset_id;
    return lochan_txn__put_dataset(txn, ctx, &dataset_id, err);
}

/* ---- sources ---- */

static lochan_status find_source(lochan_lake *lake, const char *name, lochan_source_rows *rows,
                                 lochan_error *err) {
    LOCHAN_TRY(lochan_catalog__sources(lake->catalog, name, rows, err));
    if (rows->n > 0)
        return LOCHAN_OK;
    lochan_status rc =
        lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "no source '%.100s' in lake %.200s", name,
                          lochan_lake_path(lake));
    if (find_bundled("sources", name))
        lochan_error__hint(err, "add the bundled one with 'lochan source add %.100s'", name);
    else
        lochan_error__hint(err, "'lochan source list' shows what there is");
    return rc;
}

/* Lays the overrides (a JSON object of dotted keys, "" = none) over the document. */
static lochan_status apply_overrides(lochan_yaml *doc, const char *overrides, lochan_error *err) {
    lochan_yaml *map = NULL;
    if (!overrides[0])
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_yaml__parse(overrides, strlen(overrides), "overrides", &map, err));
    const lochan_yaml_node *root = lochan_yaml__root(map);
    lochan_status rc = LOCHAN_OK;
    for (const lochan_yaml_node *entry = root->first; entry && rc == LOCHAN_OK;
         entry = entry->next) {
        const char *value;
        rc = lochan_yaml__to_string(entry, &value, err);
        if (rc == LOCHAN_OK)
            rc = lochan_yaml__set(doc, entry->key, value, err);
    }
    lochan_yaml__free(map);
    return rc;
}

static lochan_status apply_option(lochan_yaml *doc, const char *option, lochan_error *err) {
    char key[128];
    const char *equals = strchr(option, '=');
    if (!equals || equals == option || (size_t)(equals - option) >= sizeof key)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "source option: expected key=value");
    (void)lochan_format(key, sizeof key, "%.*s", (int)(equals - option), option);
    return lochan_yaml__set(doc, key, equals + 1, err);
}

/* The document of a source as it is in force. */
static lochan_status effective_source(const lochan_source_row *row, const char *const *options,
                                      size_t n_options, lochan_yaml **out, lochan_error *err) {
    char file[160];
    (void)lochan_format(file, sizeof file, "source %.100s", row->name);
    LOCHAN_TRY(lochan_yaml__parse(row->spec, strlen(row->spec), file, out, err));
    lochan_status rc = apply_overrides(*out, row->overrides, err);
    for (size_t i = 0; i < n_options && rc == LOCHAN_OK; i++)
        rc = apply_option(*out, options[i], err);
    if (rc != LOCHAN_OK) {
        lochan_yaml__free(*out);
        *out = NULL;
    }
    return rc;
}

lochan_status lochan_manage__load_source(lochan_lake *lake, const char *name,
                                         const char *const *options, size_t n_options,
                                         lochan_source_spec **out, lochan_error *err) {
    lochan_source_rows rows = {0};
    lochan_yaml *doc = NULL;
    lochan_status rc;
    *out = NULL;
    LOCHAN_TRYG(find_source(lake, name, &rows, err));
    LOCHAN_TRYG(effective_source(&rows.rows[0], options, n_options, &doc, err));
    LOCHAN_TRYG(lochan_source_spec__from_yaml(lochan_yaml__root(doc), out, err));
done:
    lochan_yaml__free(doc);
    lochan_source_rows__deinit(&rows);
    return rc;
}

static lochan_status add_source(lochan_lake *lake, const char *yaml, size_t size, const char *file,
                                bool replace, bool bundled, lochan_error *err) {
    lochan_source_spec *spec = NULL;
    lochan_source_rows rows = {0};
    char *text = NULL;
    lochan_status rc;
    LOCHAN_TRYG(lochan_source_spec__parse(yaml, size, file, &spec, err));
    LOCHAN_TRYG(lochan_catalog__sources(lake->catalog, spec->name, &rows, err));
    if (rows.n > 0 && !replace) {
        rc = lochan_error__set(err, LOCHAN_ERR_EXISTS, "source '%s' is in the lake already",
                               spec->name);
        lochan_error__hint(err, "--replace puts the new spec in its place");
        goto done;
    }
    text = lochan_mem__strndup(yaml, size);
    if (!text) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    lochan_source_row row = {.name = spec->name,
                             .spec = text,
                             .overrides = rows.n > 0 ? rows.rows[0].overrides : "",
                             .bundled = bundled};
    rc = commit_row(lake, "source", put_source, &row, err);
done:
    lochan_mem__free(text);
    lochan_source_rows__deinit(&rows);
    lochan_source_spec__free(spec);
    return rc;
}

lochan_status lochan_source_add(lochan_lake *lake, const char *yaml, size_t size, const char *file,
                                bool replace, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && yaml && file, err);
    return add_source(lake, yaml, size, file, replace, false, err);
}

lochan_status lochan_source_add_bundled(lochan_lake *lake, const char *name, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && name, err);
    const lochan_bundled *spec = find_bundled("sources", name);
    if (!spec) {
        char names[400];
        list_bundled("sources", names, sizeof names);
        return lochan_error__set(err, LOCHAN_ERR_NOT_FOUND,
                                 "no bundled source '%.60s'; there are: %s", name, names);
    }
    return add_source(lake, spec->text, spec->size, spec->path, false, true, err);
}

/* The overrides as JSON with `key` set to `value`, or taken back. */
static lochan_status change_overrides(const char *overrides, const char *key, const char *value,
                                      lochan_buf *out, lochan_error *err) {
    lochan_yaml *map = NULL;
    const char *text = overrides[0] ? overrides : "{}", *sep = "";
    bool had = false;
    lochan_status rc;
    LOCHAN_TRYG(lochan_yaml__parse(text, strlen(text), "overrides", &map, err));
    LOCHAN_TRYG(lochan_buf__putc(out, '{', err));
    for (const lochan_yaml_node *entry = lochan_yaml__root(map)->first; entry;
         entry = entry->next) {
        had = had || strcmp(entry->key, key) == 0;
        if (strcmp(entry->key, key) == 0)
            continue;
        LOCHAN_TRYG(lochan_buf__puts(out, sep, err));
        LOCHAN_TRYG(lochan_buf__json_string(out, entry->key, strlen(entry->key), err));
        LOCHAN_TRYG(lochan_buf__puts(out, ": ", err));
        LOCHAN_TRYG(lochan_buf__json_string(out, entry->text.p, entry->text.n, err));
        sep = ", ";
    }
    if (!value && !had) {
        rc = lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "'%.100s' is not overridden", key);
        goto done;
    }
    if (value) {
        LOCHAN_TRYG(lochan_buf__puts(out, sep, err));
        LOCHAN_TRYG(lochan_buf__json_string(out, key, strlen(key), err));
        LOCHAN_TRYG(lochan_buf__puts(out, ": ", err));
        LOCHAN_TRYG(lochan_buf__json_string(out, value, strlen(value), err));
    }
    rc = lochan_buf__putc(out, '}', err);
done:
    lochan_yaml__free(map);
    return rc;
}

lochan_status lochan_source_set(lochan_lake *lake, const char *name, const char *key,
                                const char *value, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && name && key, err);
    lochan_source_rows rows = {0};
    lochan_yaml *doc = NULL;
    lochan_source_spec *checked = NULL;
    lochan_buf overrides;
    lochan_status rc;
    lochan_buf__init(&overrides, MAX_SPEC);
    if (strcmp(key, "name") == 0)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "the name of a source cannot be overridden");
    LOCHAN_TRYG(find_source(lake, name, &rows, err));
    LOCHAN_TRYG(change_overrides(rows.rows[0].overrides, key, value, &overrides, err));
    lochan_source_row row = rows.rows[0];
    row.overrides = (const char *)overrides.data;
    LOCHAN_TRYG(effective_source(&row, NULL, 0, &doc, err));
    LOCHAN_TRYG(lochan_source_spec__from_yaml(lochan_yaml__root(doc), &checked, err));
    LOCHAN_TRYG(commit_row(lake, "source", put_source, &row, err));
done:
    lochan_source_spec__free(checked);
    lochan_yaml__free(doc);
    lochan_buf__deinit(&overrides);
    lochan_source_rows__deinit(&rows);
    return rc;
}

lochan_status lochan_source_show(lochan_lake *lake, const char *name, char **yaml,
                                 lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && name && yaml, err);
    lochan_source_rows rows = {0};
    lochan_yaml *doc = NULL;
    lochan_buf text;
    lochan_status rc;
    *yaml = NULL;
    lochan_buf__init(&text, 4 * MAX_SPEC);
    LOCHAN_TRYG(find_source(lake, name, &rows, err));
    if (rows.rows[0].overrides[0]) {
        LOCHAN_TRYG(effective_source(&rows.rows[0], NULL, 0, &doc, err));
        LOCHAN_TRYG(lochan_yaml__print(lochan_yaml__root(doc), &text, err));
    } else {
        LOCHAN_TRYG(
            lochan_buf__puts(&text, rows.rows[0].spec, err)); /* as written, with its comments */
    }
    *yaml = (char *)lochan_buf__take(&text, NULL);
done:
    lochan_yaml__free(doc);
    lochan_buf__deinit(&text);
    lochan_source_rows__deinit(&rows);
    return rc;
}

/* ---- datasets ---- */

lochan_status lochan_manage__load_dataset(lochan_lake *lake, const char *source,
                                          const char *dataset, lochan_dataset_rows *rows,
                                          lochan_dataset_spec **spec, lochan_error *err) {
    char name[300];
    *spec = NULL;
    LOCHAN_TRY(lochan_catalog__datasets(lake->catalog, source, dataset, rows, err));
    (void)lochan_format(name, sizeof name, "%s/%s", source, dataset);
    if (rows->n == 0) {
        lochan_status rc =
            lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "no dataset %.200s in lake %.200s", name,
                              lochan_lake_path(lake));
        if (find_bundled("datasets", name))
            lochan_error__hint(err, "add the bundled one with 'lochan dataset add %.200s'", name);
        else
            lochan_error__hint(err, "'lochan dataset list' shows what there is");
        return rc;
    }
    const char *text = rows->rows[0].spec;
    return lochan_dataset_spec__parse(text, strlen(text), name, spec, err);
}

lochan_status lochan_manage__declared_schema(const lochan_dataset_spec *spec,
                                             struct ArrowSchema *out, lochan_error *err) {
    static const char *const constants[] = {"source", "source_dataset", "record_hash"};
    const lochan_type types[] = {
        {.id = LOCHAN_TYPE_STRING}, {.id = LOCHAN_TYPE_STRING}, {.id = LOCHAN_TYPE_INT64}};
    int64_t n = (int64_t)spec->n_columns, more = spec->has_record_hash ? 3 : 2;
    LOCHAN_TRY(lochan_schema__init_struct(out, n + more, err));
    for (int64_t i = 0; i < n; i++)
        LOCHAN_TRY(lochan_schema__set_field(out->children[i], spec->columns[i].name,
                                            &spec->columns[i].type, spec->columns[i].nullable,
                                            err));
    for (int64_t i = 0; i < more; i++)
        LOCHAN_TRY(
            lochan_schema__set_field(out->children[n + i], constants[i], &types[i], false, err));
    return LOCHAN_OK;
}

lochan_status lochan_manage__open_table(lochan_lake *lake, const lochan_dataset_spec *spec,
                                        lochan_table **out, lochan_error *err) {
    struct ArrowSchema schema = {0};
    lochan_table_spec wish;
    *out = NULL;
    lochan_status rc = lochan_manage__declared_schema(spec, &schema, err);
    if (rc == LOCHAN_OK) {
        lochan_dataset_spec__table(spec, &schema, &wish);
        rc = lochan_table__ensure(lake, &wish, out, err);
    }
    lochan_schema__release(&schema);
    return rc;
}

/* What a table will be made of the declared columns is checked when the spec is added, not at the
 * first update. */
static lochan_status check_table(const lochan_dataset_spec *spec, lochan_error *err) {
    struct ArrowSchema schema = {0};
    lochan_table_spec wish;
    lochan_status rc = lochan_manage__declared_schema(spec, &schema, err);
    if (rc == LOCHAN_OK) {
        lochan_dataset_spec__table(spec, &schema, &wish);
        rc = lochan_table_spec__check(&wish, err);
    }
    lochan_schema__release(&schema);
    return rc;
}

/* A hash of all that decides how a provider's row becomes a stored row; a description or a chunk
 * size does not. */
lochan_status lochan_manage__hash_mapping(const lochan_dataset_spec *spec, char hex[33],
                                          lochan_error *err) {
    lochan_buf text;
    lochan_status rc;
    lochan_buf__init(&text, 4 * MAX_SPEC);
    LOCHAN_TRYG(lochan_buf__printf(&text, err, "%d|%s|%d|%s|", (int)spec->normalizer,
                                   spec->dedup->name, (int)spec->new_columns,
                                   spec->source_dataset));
    for (size_t i = 0; i < spec->n_columns; i++) {
        const lochan_dataset_column *column = &spec->columns[i];
        char type[80];
        lochan_type__name(&column->type, type);
        LOCHAN_TRYG(lochan_buf__printf(&text, err, "%s=%s:%s:%d:%s|", column->name, column->field,
                                       type, column->nullable,
                                       column->has_format ? column->format.text : ""));
    }
    for (size_t i = 0; i < spec->n_field_mapping; i++)
        LOCHAN_TRYG(lochan_buf__printf(&text, err, "%s>%s|", spec->field_mapping[i].name,
                                       spec->field_mapping[i].value));
    for (size_t i = 0; i < spec->n_primary_key; i++)
        LOCHAN_TRYG(lochan_buf__printf(&text, err, "key %s|", spec->primary_key[i]));
    for (size_t i = 0; i < spec->n_wide_skip; i++)
        LOCHAN_TRYG(lochan_buf__printf(&text, err, "skip %s|", spec->wide_skip[i]));
    lochan_hash128__hex(lochan_hash__128(text.data, text.len), hex);
done:
    lochan_buf__deinit(&text);
    return rc;
}

static lochan_status put_dataset_text(lochan_lake *lake, const lochan_dataset_spec *spec,
                                      const char *yaml, size_t size, bool bundled,
                                      const lochan_dataset_rows *old, lochan_error *err) {
    char spec_hash[33], mapping_hash[33];
    LOCHAN_TRY(lochan_manage__hash_mapping(spec, mapping_hash, err));
    lochan_hash128__hex(lochan_hash__128(yaml, size), spec_hash);
    if (old->n > 0)
        LOCHAN_TRY(lochan_mapping__note(lake, &old->rows[0], mapping_hash, err));
    char *text = lochan_mem__strndup(yaml, size);
    if (!text)
        return lochan_error__nomem(err);
    lochan_dataset_row row = {
        .source = spec->source, .name = spec->name, .enabled = true, .table_id = -1};
    if (old->n > 0)
        row = old->rows[0];
    row.spec = text;
    row.spec_hash = spec_hash;
    row.mapping_hash = mapping_hash;
    row.time_column = lochan_dataset_spec__column(spec, "time") ? "time" : "";
    row.settle_ns = spec->settle_days * INT64_C(86400000000000);
    row.bundled = bundled;
    lochan_status rc = commit_row(lake, "dataset", put_dataset, &row, err);
    lochan_mem__free(text);
    return rc;
}

static lochan_status add_dataset(lochan_lake *lake, const char *yaml, size_t size, const char *file,
                                 bool replace, bool bundled, lochan_error *err) {
    lochan_dataset_spec *spec = NULL;
    lochan_dataset_rows old = {0};
    lochan_source_rows sources = {0};
    lochan_status rc;
    LOCHAN_TRYG(lochan_dataset_spec__parse(yaml, size, file, &spec, err));
    rc = check_table(spec, err);
    if (rc != LOCHAN_OK) {
        lochan_error__in_file(err, rc, file, -1);
        goto done;
    }
    LOCHAN_TRYG(find_source(lake, spec->source, &sources, err));
    LOCHAN_TRYG(lochan_catalog__datasets(lake->catalog, spec->source, spec->name, &old, err));
    if (old.n > 0 && !replace) {
        rc = lochan_error__set(err, LOCHAN_ERR_EXISTS, "dataset %s/%s is in the lake already",
                               spec->source, spec->name);
        lochan_error__hint(err, "--replace puts the new spec in its place");
        goto done;
    }
    LOCHAN_TRYG(put_dataset_text(lake, spec, yaml, size, bundled, &old, err));
done:
    lochan_source_rows__deinit(&sources);
    lochan_dataset_rows__deinit(&old);
    lochan_dataset_spec__free(spec);
    return rc;
}

lochan_status lochan_dataset_add(lochan_lake *lake, const char *yaml, size_t size, const char *file,
                                 bool replace, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && yaml && file, err);
    return add_dataset(lake, yaml, size, file, replace, false, err);
}

/* All datasets bundled with one source; those that are there already stay as they are. */
static lochan_status add_all_bundled(lochan_lake *lake, const char *source, int64_t *added,
                                     bool *any, lochan_error *err) {
    char prefix[200];
    size_t n;
    *any = false;
    if (!lochan_format(prefix, sizeof prefix, "datasets/%s/", source))
        return LOCHAN_OK;
    n = strlen(prefix);
    for (size_t i = 0; i < lochan_bundled__count; i++) {
        const lochan_bundled *spec = &lochan_bundled__specs[i];
        if (strncmp(spec->path, prefix, n) != 0)
            continue;
        *any = true;
        lochan_error why;
        lochan_error_init(&why);
        lochan_status rc = add_dataset(lake, spec->text, spec->size, spec->path, false, true, &why);
        *added += rc == LOCHAN_OK;
        if (rc != LOCHAN_OK && rc != LOCHAN_ERR_EXISTS) {
            if (err)
                *err = why;
            return rc;
        }
    }
    return LOCHAN_OK;
}

lochan_status lochan_dataset_add_bundled(lochan_lake *lake, const char *name, int64_t *added,
                                         lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && name && added, err);
    bool any = false;
    *added = 0;
    const lochan_bundled *spec = find_bundled("datasets", name);
    if (spec) {
        LOCHAN_TRY(add_dataset(lake, spec->text, spec->size, spec->path, false, true, err));
        *added = 1;
        return LOCHAN_OK;
    }
    LOCHAN_TRY(add_all_bundled(lake, name, added, &any, err));
    if (any)
        return LOCHAN_OK;
    char names[400];
    list_bundled("datasets", names, sizeof names);
    return lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "no bundled dataset '%.60s'; there are: %s",
                             name, names);
}

lochan_status lochan_dataset_show(lochan_lake *lake, const char *source, const char *dataset,
                                  char **yaml, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && source && dataset && yaml, err);
    lochan_dataset_rows rows = {0};
    lochan_dataset_spec *spec = NULL;
    *yaml = NULL;
    lochan_status rc = lochan_manage__load_dataset(lake, source, dataset, &rows, &spec, err);
    if (rc == LOCHAN_OK) {
        *yaml = lochan_mem__strdup(rows.rows[0].spec);
        rc = *yaml ? LOCHAN_OK : lochan_error__nomem(err);
    }
    lochan_dataset_spec__free(spec);
    lochan_dataset_rows__deinit(&rows);
    return rc;
}
