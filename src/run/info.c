/* info.c - what is known of runs: which have rows in a table, and one run as JSON.
 * Invariant: nothing is written. May call: base/, arrow/, catalog/, table/, own.h.
 */
#include "run/own.h"

#include "arrow/listing.h"
#include "base/civil.h"
#include "base/mem.h"

enum { MOST_JSON = 1 << 30 };

/* ---- runs of a table ---- */

static const lochan_run_figures *find_figures(const lochan_run_figures_rows *f, const char *run_id,
                                              int64_t table_id) {
    size_t low = 0, high = f->n; /* by run, then table */
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = strcmp(f->rows[mid].run_id, run_id);
        if (c < 0 || (c == 0 && f->rows[mid].table_id < table_id))
            low = mid + 1;
        else
            high = mid;
    }
    bool found =
        low < f->n && strcmp(f->rows[low].run_id, run_id) == 0 && f->rows[low].table_id == table_id;
    return found ? &f->rows[low] : NULL;
}

/* What a run has in one table (-1 = in all). */
static lochan_run_figures sum_up(const lochan_run_figures_rows *f, const char *run_id,
                                 int64_t table_id) {
    lochan_run_figures sum = {.run_id = run_id, .table_id = table_id};
    for (size_t i = 0; i < f->n; i++) {
        if (strcmp(f->rows[i].run_id, run_id) != 0)
            continue;
        if (table_id >= 0 && f->rows[i].table_id != table_id)
            continue;
        sum.files += f->rows[i].files;
        sum.rows += f->rows[i].rows;
        sum.bytes += f->rows[i].bytes;
    }
    return sum;
}

static lochan_status list_run(lochan_listing *list, const lochan_run_row *run,
                              const lochan_run_figures *f, lochan_error *err) {
    LOCHAN_TRY(lochan_listing__string(list, 0, run->run_id, err));
    LOCHAN_TRY(lochan_listing__time(list, 1, run->created_ns, err));
    LOCHAN_TRY(lochan_listing__int64(list, 2, run->tick_bucket_size, err));
    LOCHAN_TRY(lochan_listing__int64(list, 3, f->files, err));
    LOCHAN_TRY(lochan_listing__int64(list, 4, f->rows, err));
    LOCHAN_TRY(lochan_listing__int64(list, 5, f->bytes, err));
    LOCHAN_TRY(lochan_listing__string(list, 6, run->seed, err));
    LOCHAN_TRY(lochan_listing__string(list, 7, run->code_version, err));
    LOCHAN_TRY(lochan_listing__string(list, 8, run->parameters, err));
    return lochan_listing__end_row(list, err);
}

/* Id of a table; -1 if nothing was appended to it yet. SCHEMA if there is no such table. */
static lochan_status table_id_of(lochan_lake *lake, const char *table, int64_t *id,
                                 lochan_error *err) {
    lochan_run_known *known = NULL;
    lochan_table *t = NULL;
    *id = -1;
    LOCHAN_TRY(lochan_run_known__find(lake, NULL, NULL, table, &known, err));
    lochan_run_known__unref(known);
    LOCHAN_TRY(lochan_run__open_table(lake, table, -1, &t, err));
    if (t)
        *id = t->def.table_id;
    lochan_table__close(t);
    return LOCHAN_OK;
}

lochan_status lochan_runs_of(lochan_lake *lake, const char *table, struct ArrowArrayStream *out,
                             lochan_error *err) {
    static const lochan_listing_column columns[] = {{"run_id", "string"},
                                                    {"created_at", "timestamp[us, UTC]"},
                                                    {"tick_bucket_size", "int64"},
                                                    {"parts", "int64"},
                                                    {"rows", "int64"},
                                                    {"bytes", "int64"},
                                                    {"seed", "string"},
                                                    {"code_version", "string"},
                                                    {"parameters", "string"},
                                                    {NULL, NULL}};
    lochan_status rc = LOCHAN_OK;
    lochan_listing list = {0};
    lochan_run_rows runs = {0};
    lochan_run_figures_rows figures = {0};
    int64_t table_id = -1;
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(lake, err);
    if (table)
        LOCHAN_TRYG(table_id_of(lake, table, &table_id, err));
    LOCHAN_TRYG(lochan_listing__init(&list, columns, err));
    LOCHAN_TRYG(lochan_catalog__runs(lake->catalog, NULL, &runs, err));
    LOCHAN_TRYG(lochan_catalog__run_figures(lake->catalog, &figures, err));
    for (size_t i = 0; i < runs.n; i++) {
        const char *run_id = runs.rows[i].run_id;
        const lochan_run_figures *f = find_figures(&figures, run_id, table_id);
        lochan_run_figures all = table ? (lochan_run_figures){0} : sum_up(&figures, run_id, -1);
        if (!table || f)
            LOCHAN_TRYG(list_run(&list, &runs.rows[i], table ? f : &all, err));
    }
    LOCHAN_TRYG(lochan_listing__finish(&list, out, err));
done:
    lochan_run_figures_rows__deinit(&figures);
    lochan_run_rows__deinit(&runs);
    lochan_listing__deinit(&list);
    return rc;
}

/* ---- one run as JSON ---- */

static lochan_status put_key(lochan_buf *out, bool first, const char *key, lochan_error *err) {
    return lochan_buf__printf(out, err, "%s\"%s\":", first ? "" : ",", key);
}

static lochan_status put_text(lochan_buf *out, const char *key, const char *text,
                              lochan_error *err) {
    LOCHAN_TRY(put_key(out, false, key, err));
    return text ? lochan_buf__json_string(out, text, strlen(text), err)
                : lochan_buf__puts(out, "null", err);
}

static lochan_status put_int(lochan_buf *out, bool first, const char *key, int64_t v,
                             lochan_error *err) {
    LOCHAN_TRY(put_key(out, first, key, err));
    return lochan_buf__printf(out, err, "%lld", (long long)v);
}

static lochan_status put_time(lochan_buf *out, const char *key, int64_t ns, lochan_error *err) {
    char text[40];
    lochan_civil__format_utc(ns, text);
    return put_text(out, key, text, err);
}

static lochan_status put_ticks(lochan_buf *out, bool known, int64_t min, int64_t max,
                               lochan_error *err) {
    if (!known)
        return lochan_buf__puts(out, ",\"tick_min\":null,\"tick_max\":null", err);
    LOCHAN_TRY(put_int(out, false, "tick_min", min, err));
    return put_int(out, false, "tick_max", max, err);
}

static lochan_status put_part(lochan_buf *out, const lochan_data_file *f, int64_t bucket,
                              lochan_error *err) {
    const lochan_expr_stats *s = &f->stats[0];
    LOCHAN_TRY(lochan_buf__putc(out, '{', err));
    LOCHAN_TRY(put_int(out, true, "bucket_id", bucket, err));
    LOCHAN_TRY(put_text(out, "path", f->path, err));
    LOCHAN_TRY(put_int(out, false, "rows", f->rows, err));
    LOCHAN_TRY(put_int(out, false, "bytes", f->bytes, err));
    LOCHAN_TRY(
        put_ticks(out, f->stats_known[0] && s->has_min && s->has_max, s->min_i, s->max_i, err));
    LOCHAN_TRY(put_time(out, "created_at", f->published_ns, err));
    return lochan_buf__putc(out, '}', err);
}

/* Parts of the run, in the order of their commits. */
static lochan_status put_parts(lochan_buf *out, const lochan_file_list *files, const char *run_id,
                               lochan_error *err) {
    bool first = true;
    LOCHAN_TRY(lochan_buf__puts(out, ",\"parts\":[", err));
    for (size_t i = 0; i < files->n; i++) {
        int64_t bucket;
        const char *const *v = (const char *const *)files->files[i].partition_values;
        if (!v || !v[0] || !v[1] || strcmp(v[0], run_id) != 0 ||
            !lochan_parse__int64(v[1], strlen(v[1]), &bucket))
            continue; /* of another client, in no bucket of this run */
        if (!first)
            LOCHAN_TRY(lochan_buf__putc(out, ',', err));
        first = false;
        LOCHAN_TRY(put_part(out, &files->files[i], bucket, err));
    }
    return lochan_buf__putc(out, ']', err);
}

static lochan_status put_columns(lochan_buf *out, const struct ArrowSchema *schema,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_buf type;
    lochan_buf__init(&type, 1 << 20);
    LOCHAN_TRYG(lochan_buf__puts(out, ",\"columns\":[", err));
    for (int64_t i = 0; i < schema->n_children; i++) {
        const char *name = schema->children[i]->name;
        lochan_buf__clear(&type);
        LOCHAN_TRYG(lochan_run_field__type_name(schema->children[i], &type, err));
        LOCHAN_TRYG(lochan_buf__puts(out, i ? ",{\"name\":" : "{\"name\":", err));
        LOCHAN_TRYG(lochan_buf__json_string(out, name, strlen(name), err));
        LOCHAN_TRYG(put_text(out, "type", (const char *)type.data, err));
        LOCHAN_TRYG(lochan_buf__putc(out, '}', err));
    }
    LOCHAN_TRYG(lochan_buf__putc(out, ']', err));
done:
    lochan_buf__deinit(&type);
    return rc;
}

static void tick_range(const lochan_file_list *files, bool *known, int64_t *min, int64_t *max) {
    *known = files->n > 0;
    *min = INT64_MAX;
    *max = INT64_MIN;
    for (size_t i = 0; i < files->n; i++) {
        const lochan_data_file *f = &files->files[i];
        *known = *known && f->stats_known[0] && f->stats[0].has_min && f->stats[0].has_max;
        *min = f->stats[0].min_i < *min ? f->stats[0].min_i : *min;
        *max = f->stats[0].max_i > *max ? f->stats[0].max_i : *max;
    }
}

static lochan_status put_table(lochan_buf *out, lochan_lake *lake, const char *name,
                               const lochan_run_figures *f, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_table *t = NULL;
    lochan_run_known *known = NULL;
    lochan_file_list files = {0};
    lochan_file_range range;
    lochan_arena arena;
    bool has_ticks;
    int64_t min, max;
    lochan_arena__init(&arena, 1 << 16);
    LOCHAN_TRYG(lochan_run__open_table(lake, name, -1, &t, err));
    if (!t)
        goto done;
    /* a table whose descriptor was taken away is told without its version */
    (void)!lochan_run_known__find(lake, NULL, NULL, name, &known, NULL);
    int tick = lochan_schema__find(&t->def.schema, LOCHAN_RUN_TICK);
    int64_t id = tick >= 0 ? lochan_schema__field_id(t->def.schema.children[tick]) : -1;
    LOCHAN_TRYG(lochan_run__range(&arena, f->run_id, -1, &range, err));
    LOCHAN_TRYG(lochan_catalog__files_in(lake->catalog, &t->def, &range, 1, &id, 1, &files, err));
    tick_range(&files, &has_ticks, &min, &max);
    LOCHAN_TRYG(lochan_buf__puts(out, "{\"table\":", err));
    LOCHAN_TRYG(lochan_buf__json_string(out, name, strlen(name), err));
    LOCHAN_TRYG(
        put_text(out, "version", known && *known->d->version ? known->d->version : NULL, err));
    LOCHAN_TRYG(put_int(out, false, "rows", f->rows, err));
    LOCHAN_TRYG(put_int(out, false, "bytes", f->bytes, err));
    LOCHAN_TRYG(put_ticks(out, has_ticks, min, max, err));
    LOCHAN_TRYG(put_columns(out, &t->def.schema, err));
    LOCHAN_TRYG(put_parts(out, &files, f->run_id, err));
    LOCHAN_TRYG(lochan_buf__putc(out, '}', err));
done:
    lochan_file_list__deinit(&files);
    lochan_run_known__unref(known);
    lochan_table__close(t);
    lochan_arena__deinit(&arena);
    return rc;
}

static lochan_status put_run(lochan_buf *out, const lochan_run_row *run, lochan_error *err) {
    /* older lakes may hold parameters that a laxer check let in */
    bool is_json = run->parameters && lochan_run__is_json_object(run->parameters);
    LOCHAN_TRY(lochan_buf__puts(out, "{\"format\":\"lochan.run\",\"version\":1", err));
    LOCHAN_TRY(put_text(out, "run_id", run->run_id, err));
    LOCHAN_TRY(put_time(out, "created_at", run->created_ns, err));
    LOCHAN_TRY(put_int(out, false, "tick_bucket_size", run->tick_bucket_size, err));
    LOCHAN_TRY(put_text(out, "seed", run->seed, err));
    LOCHAN_TRY(put_text(out, "code_version", run->code_version, err));
    if (!is_json)
        return put_text(out, "parameters", run->parameters, err);
    LOCHAN_TRY(put_key(out, false, "parameters", err));
    return lochan_buf__puts(out, run->parameters, err);
}

static lochan_status put_tables(lochan_buf *out, lochan_lake *lake, const char *run_id,
                                lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_table_names names = {0};
    lochan_run_figures_rows figures = {0};
    bool first = true;
    LOCHAN_TRYG(lochan_buf__puts(out, ",\"tables\":[", err));
    LOCHAN_TRYG(lochan_catalog__tables(lake->catalog, -1, &names, err));
    LOCHAN_TRYG(lochan_catalog__run_figures(lake->catalog, &figures, err));
    for (size_t i = 0; i < names.n; i++) {
        const lochan_table_name *n = &names.names[i];
        const lochan_run_figures *f = find_figures(&figures, run_id, n->table_id);
        if (strcmp(n->source, LOCHAN_RUN_SCHEMA) != 0 || !f)
            continue;
        if (!first)
            LOCHAN_TRYG(lochan_buf__putc(out, ',', err));
        first = false;
        LOCHAN_TRYG(put_table(out, lake, n->dataset, f, err));
    }
    LOCHAN_TRYG(lochan_buf__puts(out, "]}", err));
done:
    lochan_table_names__deinit(&names);
    lochan_run_figures_rows__deinit(&figures);
    return rc;
}

lochan_status lochan_run_export(lochan_lake *lake, const char *run_id, char **json,
                                lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_run_rows runs = {0};
    lochan_buf out;
    LOCHAN_CHECK_ARG(json, err);
    *json = NULL;
    LOCHAN_CHECK_ARG(lake, err);
    LOCHAN_TRY(lochan_run_check_id(run_id, err));
    lochan_buf__init(&out, MOST_JSON);
    LOCHAN_TRYG(lochan_catalog__runs(lake->catalog, run_id, &runs, err));
    if (runs.n == 0) {
        rc = lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "there is no run '%s'", run_id);
        lochan_error__hint(err, "'lochan run list' shows the runs");
        goto done;
    }
    LOCHAN_TRYG(put_run(&out, &runs.rows[0], err));
    LOCHAN_TRYG(put_tables(&out, lake, run_id, err));
    *json = (char *)lochan_buf__take(&out, NULL);
done:
    lochan_buf__deinit(&out);
    lochan_run_rows__deinit(&runs);
    lochan_run__hint_rebuild(err, rc);
    return rc;
}
