/* scan_plan.c - see scan_plan.h.
 * Invariants: a column whose statistics do not speak of what readers see (_known_at) prunes
 * nothing; unknown statistics keep the file. May call: base/, arrow/, catalog/.
 */
#include "table/scan_plan.h"

#include "base/civil.h"
#include "base/str.h"
#include "table/scan_leaf.h"

/* ---- order ---- */

/* Numbers by value, others as text; a missing value first. */
static int compare_value(const char *a, const char *b) {
    int64_t x, y;
    if (!a || !b)
        return (a != NULL) - (b != NULL);
    if (lochan_parse__int64(a, strlen(a), &x) && lochan_parse__int64(b, strlen(b), &y) && x != y)
        return x < y ? -1 : 1;
    return strcmp(a, b);
}

static int compare_files(const void *x, const void *y, void *ctx) {
    const lochan_data_file *a = *(const lochan_data_file *const *)x,
                           *b = *(const lochan_data_file *const *)y;
    for (size_t i = 0; i < *(size_t *)ctx; i++) {
        int c = compare_value(a->partition_values[i], b->partition_values[i]);
        if (c != 0)
            return c;
    }
    int c = lochan_keycode__compare(a->key_min, b->key_min);
    /* a file that stands for older ones keeps their place */
    if (c == 0 && a->published_ns > 0 && b->published_ns > 0)
        c = (a->published_ns > b->published_ns) - (a->published_ns < b->published_ns);
    return c != 0 ? c : (a->id > b->id) - (a->id < b->id);
}

void lochan_files__order(const lochan_data_file **files, size_t n, size_t n_partition_values) {
    if (n > 0)
        qsort_r(files, n, sizeof *files, compare_files, &n_partition_values);
}

/* ---- columns ---- */

static void add_column(lochan_scan_plan *plan, int column) {
    for (size_t i = 0; i < plan->n_columns; i++) {
        if (plan->columns[i] == column)
            return;
    }
    plan->columns[plan->n_columns++] = column;
}

/* The limit of _known_at, where one is asked for. */
static lochan_status read_limit(lochan_scan_plan *plan, const char *known_as_of,
                                lochan_error *err) {
    int64_t ns;
    if (!known_as_of)
        return LOCHAN_OK;
    if (!lochan_civil__parse_utc(known_as_of, strlen(known_as_of), &ns))
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "'%.100s' is not a time such as 2026-10-30 12:00:00", known_as_of);
    if (plan->table->known_at < 0) {
        lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                          "%s does not keep when a row was first published",
                          plan->table->full_name);
        lochan_error__hint(err, "as_of (--as-of) reads the newest snapshot of that time, as long "
                                "as it is kept; datasets with point_in_time: true keep the time of "
                                "each row");
        return LOCHAN_ERR_UNSUPPORTED;
    }
    plan->known_limited = true;
    plan->known_limit = ns / 1000 - (ns % 1000 < 0 ? 1 : 0);
    return LOCHAN_OK;
}

/* The columns of the output. */
static void choose_output(lochan_scan_plan *plan, const lochan_table_scan *scan, size_t n) {
    for (size_t i = 0; i < n; i++) {
        bool hidden = !scan->columns && scan->without_known_at && (int)i == plan->table->known_at;
        if (!hidden)
            plan->columns[plan->n_columns++] = scan->columns ? scan->columns[i] : (int)i;
    }
    plan->n_output = plan->n_columns;
}

static lochan_status choose_columns(lochan_scan_plan *plan, const lochan_table_scan *scan,
                                    lochan_error *err) {
    const struct ArrowSchema *schema = &plan->table->def.schema;
    size_t all = (size_t)schema->n_children, n = scan->columns ? scan->n_columns : all;
    size_t n_where = plan->where ? lochan_expr__columns(plan->where) : 0;
    plan->columns = lochan_mem__array(n + n_where + 2, sizeof *plan->columns);
    plan->stat_columns = lochan_mem__array(n_where + 2, sizeof *plan->stat_columns);
    if (!plan->columns || !plan->stat_columns)
        return lochan_error__nomem(err);
    choose_output(plan, scan, n);
    if (plan->known_limited)
        add_column(plan, plan->table->known_at);
    plan->n_needed = plan->n_columns;
    for (size_t i = 0; i < n_where; i++) {
        lochan_leaf leaf = lochan_leaf__find(schema, lochan_expr__column(plan->where, i));
        add_column(plan, leaf.child[0]);
        if (leaf.child[0] == plan->table->known_at)
            plan->where_known_at = true;
        plan->stat_columns[plan->n_stat_columns++] = lochan_schema__field_id(leaf.field);
    }
    if (plan->known_limited)
        plan->stat_columns[plan->n_stat_columns++] =
            lochan_schema__field_id(schema->children[plan->table->known_at]);
    plan->known_at = -1;
    for (size_t i = 0; i < plan->n_columns; i++) {
        if (plan->table->known_at >= 0 && plan->columns[i] == plan->table->known_at)
            plan->known_at = (int)i;
    }
    return lochan_schema__select(schema, plan->columns, plan->n_columns, &plan->work, err);
}

/* ---- pruning ---- */

typedef struct stats_of {
    const lochan_scan_plan *plan;
    const lochan_data_file *file;
} stats_of;

static bool find_stats(void *ctx, const char *column, lochan_expr_stats *out) {
    const stats_of *s = ctx;
    const struct ArrowSchema *schema = &s->plan->table->def.schema;
    lochan_leaf leaf = lochan_leaf__find(schema, column);
    if (leaf.depth == 0 || leaf.child[0] == s->plan->table->known_at)
        return false;
    int64_t id = lochan_schema__field_id(leaf.field);
    for (size_t i = 0; i < s->plan->n_stat_columns; i++) {
        if (s->plan->stat_columns[i] == id && s->file->stats_known[i]) {
            *out = s->file->stats[i];
            return true;
        }
    }
    return false;
}

/* False only if every row of the file was published after the limit. Statistics speak of the times
 * that the file holds itself; all its other rows have that of the file. */
static bool may_be_known(const lochan_scan_plan *plan, const lochan_data_file *file) {
    size_t slot = plan->n_stat_columns - 1;
    if (!plan->known_limited || file->published_ns <= 0 ||
        file->published_ns / 1000 <= plan->known_limit)
        return true;
    if (!file->stats_known[slot] || file->stats[slot].null_count < 0)
        return true;
    const lochan_expr_stats *s = &file->stats[slot];
    if (s->null_count == file->rows)
        return false;
    return !s->has_min || s->type.unit != LOCHAN_UNIT_MICRO || s->min_i <= plan->known_limit;
}

static lochan_status choose_files(lochan_scan_plan *plan, const lochan_table_scan *scan,
                                  lochan_error *err) {
    lochan_catalog *catalog = plan->lake->catalog;
    if (scan->partitions)
        LOCHAN_TRY(lochan_catalog__files_in(catalog, &plan->table->def, scan->partitions,
                                            scan->n_partitions, plan->stat_columns,
                                            plan->n_stat_columns, &plan->list, err));
    else
        LOCHAN_TRY(lochan_catalog__files(catalog, &plan->table->def, plan->stat_columns,
                                         plan->n_stat_columns, &plan->list, err));
    plan->files = lochan_mem__array(plan->list.n + 1, sizeof *plan->files);
    if (!plan->files)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < plan->list.n; i++) {
        stats_of s = {plan, &plan->list.files[i]};
        if (lochan_expr__may_match(plan->where, find_stats, &s) &&
            may_be_known(plan, &plan->list.files[i]))
            plan->files[plan->n_files++] = &plan->list.files[i];
    }
    lochan_files__order(plan->files, plan->n_files, plan->table->def.n_partition);
    return LOCHAN_OK;
}

lochan_status lochan_scan_plan__init(lochan_scan_plan *plan, lochan_lake *lake, const char *source,
                                     const char *name, int64_t snapshot_id,
                                     const lochan_table_scan *scan, lochan_error *err) {
    memset(plan, 0, sizeof *plan);
    plan->lake = lake;
    LOCHAN_TRY(lochan_table__open(lake, source, name, snapshot_id, &plan->table, err));
    lochan_status rc = lochan_expr__parse(scan->where, &plan->where, err);
    if (rc == LOCHAN_OK && plan->where)
        rc = lochan_leaf__bind(&plan->table->def.schema, plan->where, err);
    if (rc == LOCHAN_OK)
        rc = read_limit(plan, scan->known_as_of, err);
    if (rc == LOCHAN_OK)
        rc = choose_columns(plan, scan, err);
    if (rc == LOCHAN_OK)
        rc = choose_files(plan, scan, err);
    return lochan_error__in_table(err, rc, plan->table->full_name, NULL, -1);
}

void lochan_scan_plan__deinit(lochan_scan_plan *plan) {
    lochan_file_list__deinit(&plan->list);
    lochan_mem__free((void *)plan->files);
    lochan_mem__free(plan->columns);
    lochan_mem__free(plan->stat_columns);
    lochan_schema__release(&plan->work);
    lochan_expr__free(plan->where);
    lochan_table__close(plan->table);
    memset(plan, 0, sizeof *plan);
}
