/* verify_file.c - is one data file what the catalog says it is?
 * Shallow: there, size, footer, rows, label. Deep: every page (checksums), nulls and bounds of
 * every flat column, order, first and last key, partition of every row, and that no row was known
 * after its file was published. Invariant: what the file does wrong is a finding; only what keeps
 * us from looking is an error. May call: base/, arrow/, parquet/, catalog/.
 */
#include "base/str.h"
#include "table/upkeep.h"
#include "table/verify.h"

/* What is being found out about one column. */
typedef struct column_facts {
    int64_t nulls;
    bool reported;
} column_facts;

typedef struct file_check {
    lochan_verification *v;
    const lochan_table *table;
    const lochan_data_file *file;
    lochan_pq_reader *reader;
    lochan_projection projection;
    column_facts *columns;
    lochan_table ordered;   /* the table, with the order of this file */
    lochan_sort_key *order; /* of a clustered file */
    lochan_buf last, first_key, last_key;
    int64_t rows;
    bool keyed;
    bool order_reported, partition_reported, time_reported;
} file_check;

/* Errors that say nothing about the file. */
static bool is_ours(lochan_status rc) {
    return rc == LOCHAN_ERR_NO_MEMORY || rc == LOCHAN_ERR_MEMORY_LIMIT ||
           rc == LOCHAN_ERR_CANCELLED || rc == LOCHAN_ERR_INTERNAL;
}

/* Turns the failure of reading the file into a finding. */
static lochan_status found(file_check *c, const char *kind, lochan_status rc,
                           const lochan_error *seen, lochan_error *err) {
    if (is_ours(rc) || (c->v->io_fails && rc == LOCHAN_ERR_IO)) {
        if (err)
            *err = *seen;
        return rc;
    }
    return lochan_verification__add(c->v, err, kind, c->table, c->file->path, "%s", seen->message);
}

/* ---- the footer ---- */

static lochan_status check_label(file_check *c, const char *key, const char *expected,
                                 lochan_error *err) {
    const char *value = lochan_pq_reader__metadata(c->reader, key);
    if (value && strcmp(value, expected) == 0)
        return LOCHAN_OK;
    return lochan_verification__add(c->v, err, "footer", c->table, c->file->path,
                                    "%s is '%s' in the footer instead of '%s'", key,
                                    value ? value : "", expected);
}

static lochan_status check_footer(file_check *c, lochan_error *err) {
    const lochan_data_file *f = c->file;
    uint32_t footer = lochan_pq_reader__footer_length(c->reader);
    if (f->footer_bytes >= 0 && (uint32_t)f->footer_bytes != footer)
        LOCHAN_TRY(lochan_verification__add(c->v, err, "footer", c->table, f->path,
                                            "the footer has %u bytes, the catalog says %lld",
                                            footer, (long long)f->footer_bytes));
    if (f->foreign)
        return LOCHAN_OK;
    if (f->file_id[0])
        LOCHAN_TRY(check_label(c, "lochan.file_id", f->file_id, err));
    LOCHAN_TRY(check_label(c, "lochan.format", LOCHAN_FILE_FORMAT, err));
    LOCHAN_TRY(check_label(c, "lochan.table_uuid", c->table->def.uuid, err));
    const char *key = lochan_pq_reader__metadata(c->reader, "lochan.key");
    c->keyed = key && strcmp(key, "[]") != 0;
    return LOCHAN_OK;
}

static int column_of_id(const struct ArrowSchema *schema, int64_t id) {
    for (int64_t i = 0; i < schema->n_children; i++)
        if (lochan_schema__field_id(schema->children[i]) == id)
            return (int)i;
    return -1;
}

/* A clustered file tells its order in its label. */
static lochan_status find_order(file_check *c, lochan_error *err) {
    const struct ArrowSchema *schema = &c->table->def.schema;
    const char *text = lochan_pq_reader__metadata(c->reader, LOCHAN_LABEL_CLUSTERED);
    size_t n = 0;
    c->ordered = *c->table;
    if (!c->file->clustered)
        return LOCHAN_OK;
    c->order = lochan_mem__array((size_t)schema->n_children + 1, sizeof *c->order);
    if (!c->order)
        return lochan_error__nomem(err);
    bool good = text && *text;
    while (good && *text) {
        size_t len = strcspn(text, ",");
        int64_t id = -1;
        good = lochan_parse__int64(text, len, &id) && n < (size_t)schema->n_children;
        int column = good ? column_of_id(schema, id) : -1;
        good = column >= 0;
        if (good)
            c->order[n++] = (lochan_sort_key){.column = column, .nulls_first = true};
        text += len + (text[len] == ',');
    }
    c->ordered.order = c->order;
    c->ordered.n_order = n;
    return good ? LOCHAN_OK
                : lochan_verification__add(c->v, err, "footer", c->table, c->file->path,
                                           "the order of the clustered file cannot be read");
}

/* ---- values ---- */

/* Whether value i of the view lies outside the bounds. Types without typed bounds are taken as
 * inside. */
static bool outside(const lochan_view *v, int64_t i, const lochan_expr_stats *s) {
    if (lochan_type__is_bytes(v->type.id)) {
        lochan_str x = lochan_view__bytes(v, i);
        if (s->has_min && lochan_keycode__compare(x, s->min_s) < 0)
            return true;
        /* a maximum may be cut: then it is a prefix of the true one, or lies above it */
        bool prefix = s->has_max && !s->max_exact && x.n >= s->max_s.n &&
                      memcmp(x.p, s->max_s.p, s->max_s.n) == 0;
        return s->has_max && !prefix && lochan_keycode__compare(x, s->max_s) > 0;
    }
    if (lochan_type__is_float(v->type.id)) {
        double x = lochan_view__double(v, i);
        if (x != x)
            return !s->may_have_nan;
        return (s->has_min && x < s->min_f) || (s->has_max && x > s->max_f);
    }
    if (v->type.id == LOCHAN_TYPE_UINT64) {
        uint64_t x = (uint64_t)lochan_view__int64(v, i);
        return (s->has_min && x < (uint64_t)s->min_i) || (s->has_max && x > (uint64_t)s->max_i);
    }
    int64_t x = lochan_view__int64(v, i);
    return (s->has_min && x < s->min_i) || (s->has_max && x > s->max_i);
}

static bool has_typed_bounds(const lochan_type *type, const lochan_expr_stats *s) {
    bool known = type->id == LOCHAN_TYPE_BOOL || lochan_type__is_integer(type->id) ||
                 lochan_type__is_bytes(type->id) || type->id == LOCHAN_TYPE_FLOAT32 ||
                 type->id == LOCHAN_TYPE_FLOAT64 ||
                 (type->id >= LOCHAN_TYPE_DATE32 && type->id <= LOCHAN_TYPE_TIMESTAMP);
    return known && s->type.id == type->id && s->type.unit == type->unit;
}

static lochan_status check_column(file_check *c, int64_t column, const struct ArrowArray *rows,
                                  lochan_error *err) {
    const struct ArrowSchema *field = c->table->def.schema.children[column];
    column_facts *facts = &c->columns[column];
    lochan_view view = {0};
    LOCHAN_TRY(lochan_view__init(&view, field, rows->children[column], err));
    const lochan_expr_stats *s = &c->file->stats[column];
    bool bounds = c->file->stats_known[column] && has_typed_bounds(&view.type, s);
    lochan_status rc = LOCHAN_OK;
    for (int64_t i = 0; i < rows->length && rc == LOCHAN_OK; i++) {
        if (lochan_view__is_null(&view, i)) {
            facts->nulls++;
        } else if (bounds && !facts->reported && outside(&view, i, s)) {
            facts->reported = true;
            rc = lochan_verification__add(
                c->v, err, "statistics", c->table, c->file->path,
                "row %lld of column '%s' lies outside the bounds in the catalog",
                (long long)(c->rows + i), field->name);
        }
    }
    lochan_view__deinit(&view);
    return rc;
}

static lochan_status check_order(file_check *c, const struct ArrowArray *rows, lochan_error *err) {
    int64_t bad = -1;
    const struct ArrowSchema *schema = &c->table->def.schema;
    if ((!c->file->sorted && !c->file->clustered) || c->order_reported)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_rows__check_order(&c->ordered, schema, c->keyed, rows, &c->last, &bad, err));
    if (bad < 0)
        return LOCHAN_OK;
    c->order_reported = true;
    return lochan_verification__add(c->v, err, "order", c->table, c->file->path,
                                    "row %lld is out of order%s", (long long)(c->rows + bad),
                                    c->keyed ? " or repeats a key" : "");
}

static lochan_status note_keys(file_check *c, const struct ArrowArray *rows, lochan_error *err) {
    lochan_keycode codes = {0};
    if (c->file->key_min.n == 0)
        return LOCHAN_OK;
    lochan_status rc = lochan_keycode__init(&codes, &c->table->def.schema, rows, c->table->order,
                                            c->table->n_order, err);
    if (rc == LOCHAN_OK && c->rows == 0)
        rc = lochan_keycode__encode(&codes, 0, &c->first_key, err);
    if (rc == LOCHAN_OK)
        rc = lochan_keycode__encode(&codes, rows->length - 1, &c->last_key, err);
    lochan_keycode__deinit(&codes);
    return rc;
}

/* A row without a value lies where the partition has none: other programs write such files. */
static bool lies_in_null(const file_check *c, const lochan_view *views, int64_t row) {
    const lochan_partition_strategy *s = c->table->partition;
    bool null = false, stored = true;
    for (size_t i = 0; i < s->n_columns; i++)
        null = null || lochan_view__is_null(&views[i], row);
    for (size_t f = 0; f < s->n_fields; f++)
        stored = stored && c->file->partition_values[f];
    return null && !stored;
}

static lochan_status check_partition(file_check *c, const struct ArrowArray *rows,
                                     lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const lochan_partition_strategy *s = c->table->partition;
    lochan_view views[LOCHAN_PARTITION_MAX] = {0};
    lochan_partition_values v = {0}, last = {0};
    bool any = false; /* `last` holds values */
    lochan_buf text;
    if (!s || s->n_fields == 0 || c->partition_reported ||
        c->file->partition_id != c->table->def.partition_id) /* the partition changed since */
        return LOCHAN_OK;
    lochan_buf__init(&text, 4096);
    for (size_t i = 0; i < s->n_columns; i++) {
        int column = c->table->partition_columns[i];
        if (column < 0)
            goto done; /* what the partition was derived from is not known */
        LOCHAN_TRYG(lochan_view__init(&views[i], c->table->def.schema.children[column],
                                      rows->children[column], err));
    }
    for (int64_t i = 0; i < rows->length; i++) {
        if (lies_in_null(c, views, i))
            continue;
        bool right = s->values_of(views, i, c->table->partition_number, &v);
        if (right && any && lochan_partition__equal(s, &v, &last))
            continue;
        for (size_t f = 0; right && f < s->n_fields; f++) {
            const char *stored = c->file->partition_values[f];
            lochan_buf__clear(&text);
            LOCHAN_TRYG(lochan_partition__value_text(s, &v, f, &text, err));
            right =
                stored && strlen(stored) == text.len && memcmp(stored, text.data, text.len) == 0;
        }
        if (!right) {
            c->partition_reported = true;
            rc = lochan_verification__add(c->v, err, "partition", c->table, c->file->path,
                                          "row %lld belongs to another partition",
                                          (long long)(c->rows + i));
            goto done;
        }
        last = v;
        any = true;
    }
done:
    for (size_t i = 0; i < LOCHAN_PARTITION_MAX; i++)
        lochan_view__deinit(&views[i]);
    lochan_buf__deinit(&text);
    return rc;
}

/* No row was known before it was there: its time is that of the file at the latest, and so never
 * in the future. */
static lochan_status check_known_at(file_check *c, const struct ArrowArray *rows,
                                    lochan_error *err) {
    int column = c->table->known_at;
    lochan_view view = {0};
    int64_t i = 0;
    if (column < 0 || c->file->published_ns <= 0 || c->time_reported)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_view__init(&view, c->table->def.schema.children[column],
                                 rows->children[column], err));
    while (i < rows->length && (lochan_view__is_null(&view, i) ||
                                lochan_view__int64(&view, i) <= c->file->published_ns / 1000))
        i++;
    lochan_view__deinit(&view);
    if (i == rows->length)
        return LOCHAN_OK;
    c->time_reported = true;
    return lochan_verification__add(c->v, err, "time", c->table, c->file->path,
                                    "row %lld of column '%s' is younger than the file's commit",
                                    (long long)(c->rows + i), LOCHAN_KNOWN_AT);
}

static lochan_status check_batch(file_check *c, const struct ArrowArray *rows, lochan_error *err) {
    for (int64_t i = 0; i < rows->n_children; i++)
        LOCHAN_TRY(check_column(c, i, rows, err));
    LOCHAN_TRY(check_order(c, rows, err));
    LOCHAN_TRY(note_keys(c, rows, err));
    LOCHAN_TRY(check_partition(c, rows, err));
    LOCHAN_TRY(check_known_at(c, rows, err));
    c->rows += rows->length;
    return LOCHAN_OK;
}

/* Every page of every row group. A damaged one ends the check of this file. */
static lochan_status read_all(file_check *c, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArrayStream stream = {0};
    struct ArrowArray raw = {0}, rows = {0};
    lochan_error seen;
    lochan_error_init(&seen);
    rc = lochan_pq_reader__stream(c->reader, NULL, &stream, &seen);
    while (rc == LOCHAN_OK) {
        LOCHAN_TRYG(lochan_cancel__check(c->v->lake->ctx.cancel, err));
        rc = lochan_stream__next(&stream, &raw, &seen);
        if (rc != LOCHAN_OK || !raw.release)
            break;
        rc = lochan_projection__apply(&c->projection, &raw, &rows, &seen);
        if (rc == LOCHAN_OK)
            LOCHAN_TRYG(check_batch(c, &rows, err));
        lochan_array__release(&rows);
    }
    if (rc != LOCHAN_OK)
        rc = found(c, "page", rc, &seen, err);
done:
    lochan_array__release(&raw);
    lochan_array__release(&rows);
    lochan_stream__release(&stream);
    return rc;
}

static bool same_key(const lochan_buf *got, lochan_str expected) {
    return lochan_keycode__compare((lochan_str){(const char *)got->data, got->len}, expected) == 0;
}

/* What only the whole file tells. */
static lochan_status check_totals(file_check *c, lochan_error *err) {
    const lochan_data_file *f = c->file;
    const struct ArrowSchema *schema = &c->table->def.schema;
    if (c->rows != f->rows) /* reading stopped at a damaged page, which is reported */
        return LOCHAN_OK;
    for (int64_t i = 0; i < schema->n_children; i++) {
        const lochan_expr_stats *s = &f->stats[i];
        if (f->stats_known[i] && s->null_count >= 0 && schema->children[i]->n_children == 0 &&
            s->null_count != c->columns[i].nulls)
            LOCHAN_TRY(lochan_verification__add(
                c->v, err, "statistics", c->table, f->path,
                "column '%s' has %lld nulls, the catalog says %lld", schema->children[i]->name,
                (long long)c->columns[i].nulls, (long long)s->null_count));
    }
    if (f->key_min.n > 0 &&
        (!same_key(&c->first_key, f->key_min) || !same_key(&c->last_key, f->key_max)))
        LOCHAN_TRY(lochan_verification__add(c->v, err, "key", c->table, f->path,
                                            "the first or last key is not the one in the catalog"));
    return LOCHAN_OK;
}

static lochan_status check_deep(file_check *c, lochan_error *err) {
    lochan_error seen;
    lochan_error_init(&seen);
    lochan_status rc = lochan_data_file__project(c->file, lochan_pq_reader__schema(c->reader),
                                                 &c->table->def.schema, &c->projection, &seen);
    if (rc != LOCHAN_OK)
        return found(c, "footer", rc, &seen, err);
    c->columns = lochan_mem__array((size_t)c->table->def.schema.n_children + 1, sizeof *c->columns);
    if (!c->columns)
        return lochan_error__nomem(err);
    LOCHAN_TRY(read_all(c, err));
    return check_totals(c, err);
}

/* "missing" and "size" are told apart from other failures of opening. */
static const char *kind_of(lochan_lake *lake, const lochan_data_file *file) {
    lochan_stat st;
    if (lochan_store__stat(lake->store, file->path, &st, NULL) != LOCHAN_OK)
        return "missing";
    return st.size != (uint64_t)file->bytes ? "size" : "footer";
}

lochan_status lochan_verification__file(lochan_verification *v, const lochan_table *table,
                                        const lochan_data_file *file, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_error seen;
    file_check c = {.v = v, .table = table, .file = file};
    lochan_error_init(&seen);
    lochan_buf__init(&c.last, LOCHAN_KEYCODE_MAX * 4);
    lochan_buf__init(&c.first_key, LOCHAN_KEYCODE_MAX * 4);
    lochan_buf__init(&c.last_key, LOCHAN_KEYCODE_MAX * 4);
    rc = lochan_data_file__open(v->lake, file, &c.reader, &seen);
    if (rc != LOCHAN_OK) {
        rc = found(&c, kind_of(v->lake, file), rc, &seen, err);
        goto done;
    }
    LOCHAN_TRYG(check_footer(&c, err));
    LOCHAN_TRYG(find_order(&c, err));
    if (v->options->deep)
        LOCHAN_TRYG(check_deep(&c, err));
done:
    if (c.reader) {
        lochan_pq_counters counters;
        lochan_pq_reader__counters(c.reader, &counters);
        pthread_mutex_lock(&v->mutex);
        v->report->bytes_read += (int64_t)counters.bytes_read;
        v->report->rows_checked += c.rows;
        pthread_mutex_unlock(&v->mutex);
    }
    lochan_projection__deinit(&c.projection);
    lochan_pq_reader__close(c.reader);
    lochan_mem__free(c.columns);
    lochan_mem__free(c.order);
    lochan_buf__deinit(&c.last);
    lochan_buf__deinit(&c.first_key);
    lochan_buf__deinit(&c.last_key);
    return rc;
}
