/* upkeep.c - see upkeep.h.
 * Invariant: the text "key=number ..." in lake.db is read as written or not at all; columns are
 * kept by their ids, which never change. May call: base/, catalog/.
 */
#include "table/upkeep.h"

#include "base/str.h"

enum { NAME_BYTES = 48, TEXT_BYTES = 512, MOST_DAYS = 36500 };

static void name_of(const lochan_table *t, char name[NAME_BYTES]) {
    lochan_format(name, NAME_BYTES, "upkeep.%lld", (long long)t->def.table_id);
}

/* ---- the text ---- */

static lochan_status print(const lochan_table *t, const lochan_upkeep *u, lochan_buf *out,
                           lochan_error *err) {
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"automatic", u->automatic},
                   {"max_files", u->max_files},
                   {"min_file_bytes", u->min_file_bytes},
                   {"target_file_bytes", u->target_file_bytes},
                   {"max_input_bytes", u->max_input_bytes},
                   {"cluster_after_days", u->cluster_after_days}};
    for (size_t i = 0; i < LOCHAN_COUNTOF(numbers); i++)
        if (numbers[i].value != 0)
            LOCHAN_TRY(lochan_buf__printf(out, err, "%s=%lld ", numbers[i].key,
                                          (long long)numbers[i].value));
    for (size_t i = 0; i < u->n_cluster; i++) {
        int c = lochan_schema__find(&t->def.schema, u->cluster[i]);
        if (c < 0)
            return lochan_error__set(err, LOCHAN_ERR_SPEC,
                                     "cluster column '%s' is not a column of %s", u->cluster[i],
                                     t->full_name);
        LOCHAN_TRY(
            lochan_buf__printf(out, err, "column=%lld ",
                               (long long)lochan_schema__field_id(t->def.schema.children[c])));
    }
    return lochan_buf__putc(out, '\0', err);
}

static void add_column(const lochan_table *t, lochan_kept_upkeep *out, int column) {
    for (size_t i = 0; i < out->n_rows; i++)
        if (out->rows[i].column == column)
            return;
    lochan_sort_key key = {.column = column, .nulls_first = true};
    for (size_t i = 0; i < t->n_order; i++)
        if (t->order[i].column == column)
            key = t->order[i];
    out->rows[out->n_rows++] = key;
}

static int column_of_id(const lochan_table *t, int64_t id) {
    for (int64_t i = 0; i < t->def.schema.n_children; i++)
        if (lochan_schema__field_id(t->def.schema.children[i]) == id)
            return (int)i;
    return -1;
}

static bool take(const lochan_table *t, lochan_str key, int64_t value, lochan_kept_upkeep *out) {
    lochan_upkeep *u = &out->set;
    const struct {
        const char *key;
        int64_t *value;
    } numbers[] = {{"max_files", &u->max_files},
                   {"min_file_bytes", &u->min_file_bytes},
                   {"target_file_bytes", &u->target_file_bytes},
                   {"max_input_bytes", &u->max_input_bytes},
                   {"cluster_after_days", &u->cluster_after_days}};
    if (value < 0 || (value > MOST_DAYS && lochan_str__eq(key, LOCHAN_STR("cluster_after_days"))))
        return false;
    for (size_t i = 0; i < LOCHAN_COUNTOF(numbers); i++) {
        if (lochan_str__eq(key, lochan_str__of(numbers[i].key))) {
            *numbers[i].value = value;
            return true;
        }
    }
    if (lochan_str__eq(key, LOCHAN_STR("automatic"))) {
        u->automatic = value != 0;
        return true;
    }
    int c = column_of_id(t, value);
    if (!lochan_str__eq(key, LOCHAN_STR("column")) || u->n_cluster == LOCHAN_CLUSTER_MAX)
        return false;
    if (c >= 0 && u->n_cluster == out->n_rows) /* none was missing before it */
        add_column(t, out, c);
    u->n_cluster++;
    return true;
}

static bool parse(const lochan_table *t, const char *text, lochan_kept_upkeep *out) {
    while (*text) {
        size_t n = strcspn(text, " "), k = strcspn(text, "=");
        int64_t value;
        if (k >= n || !lochan_parse__int64(text + k + 1, n - k - 1, &value) ||
            !take(t, (lochan_str){text, k}, value, out))
            return false;
        text += n + (text[n] == ' ');
    }
    return true;
}

/* ---- kept with the table ---- */

lochan_status lochan_upkeep__load(const lochan_table *t, lochan_kept_upkeep *out,
                                  lochan_error *err) {
    char name[NAME_BYTES], text[TEXT_BYTES];
    memset(out, 0, sizeof *out);
    name_of(t, name);
    LOCHAN_TRY(lochan_catalog__option(t->lake->catalog, name, text, sizeof text, err));
    out->rows = lochan_mem__array(t->n_order + LOCHAN_CLUSTER_MAX + 1, sizeof *out->rows);
    if (!out->rows)
        return lochan_error__nomem(err);
    if (!parse(t, text, out)) {
        lochan_upkeep__deinit(out);
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT, "lake.db: setting %s is '%.100s'", name,
                                 text);
    }
    out->n_columns = out->n_rows;
    for (size_t i = 0; i < t->n_order && out->n_columns > 0; i++)
        add_column(t, out, t->order[i].column);
    return LOCHAN_OK;
}

void lochan_upkeep__deinit(lochan_kept_upkeep *kept) {
    lochan_mem__free(kept->rows);
    memset(kept, 0, sizeof *kept);
}

lochan_status lochan_upkeep__keep(const lochan_table *t, const lochan_upkeep *wish,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    char name[NAME_BYTES], text[TEXT_BYTES];
    lochan_buf wanted;
    lochan_buf__init(&wanted, TEXT_BYTES);
    name_of(t, name);
    LOCHAN_TRYG(print(t, wish, &wanted, err));
    LOCHAN_TRYG(lochan_catalog__option(t->lake->catalog, name, text, sizeof text, err));
    if (strcmp(text, (const char *)wanted.data) == 0)
        goto done;
    LOCHAN_TRYG(lochan_catalog__set_option(t->lake->catalog, name, (const char *)wanted.data, err));
done:
    lochan_buf__deinit(&wanted);
    return rc;
}
