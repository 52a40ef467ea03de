/* compact_plan.c - which files a compaction joins, and which partitions it sorts anew.
 * Invariants: only neighbours are joined, in the order in which readers see them, so that joining
 * them changes no order; no group is larger than a file should be, and none has a member larger
 * than the others together, so that a row is written anew a logarithmic number of times. A
 * partition that is clustered becomes one file, which is never joined with others. May call: base/,
 * catalog/, scan_plan.h.
 */
#include "table/compact.h"

#include "table/scan_plan.h"

bool lochan_files__same_partition(const lochan_data_file *a, const lochan_data_file *b, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const char *x = a->partition_values[i], *y = b->partition_values[i];
        if (!x != !y || (x && strcmp(x, y) != 0))
            return false;
    }
    return a->partition_id == b->partition_id;
}

/* Keys of the files, where they have any, must go up from one to the next. */
static bool may_follow(const lochan_data_file *a, const lochan_data_file *b) {
    bool keyed = a->key_min.n > 0 || b->key_min.n > 0;
    if (!keyed)
        return true;
    return a->sorted && b->sorted && a->key_max.n > 0 && b->key_min.n > 0 &&
           lochan_keycode__compare(a->key_max, b->key_min) < 0;
}

static bool is_small(const lochan_data_file *f, int64_t limit) {
    return !f->foreign && !f->clustered && f->bytes >= 0 && f->bytes < limit;
}

static lochan_status push_group(lochan_compaction_plan *plan, size_t from, size_t to, bool cluster,
                                lochan_error *err) {
    lochan_compaction_group *groups =
        lochan_mem__grow(plan->groups, plan->n, &plan->cap, sizeof *groups);
    if (!groups)
        return lochan_error__nomem(err);
    plan->groups = groups;
    lochan_compaction_group g = {.files = plan->files + from, .n = to - from, .cluster = cluster};
    for (size_t i = from; i < to; i++) {
        g.bytes += plan->files[i]->bytes;
        g.rows += plan->files[i]->rows;
    }
    groups[plan->n++] = g;
    return LOCHAN_OK;
}

/* Files [from, to) are small neighbours: as many of them as fit into one file, again and again. */
static lochan_status cut_run(lochan_compaction_plan *plan, size_t from, size_t to,
                             const lochan_compact_rules *rules, lochan_error *err) {
    while (from < to) {
        int64_t sum = 0, largest = 0;
        size_t end = from;
        for (; end < to && plan->files[end]->bytes <= rules->target_bytes - sum; end++) {
            int64_t bytes = plan->files[end]->bytes;
            sum += bytes;
            largest = bytes > largest ? bytes : largest;
        }
        bool worth =
            (int64_t)(end - from) >= rules->min_files && (rules->full || largest <= sum - largest);
        if (worth)
            LOCHAN_TRY(push_group(plan, from, end, false, err));
        from = worth ? end : from + 1;
    }
    return LOCHAN_OK;
}

/* The files [from, end) of one partition. */
static lochan_status cut_partition(lochan_compaction_plan *plan, size_t from, size_t end,
                                   const lochan_compact_rules *rules, lochan_error *err) {
    for (size_t to; from < end; from = to) {
        to = from + 1;
        if (!is_small(plan->files[from], rules->small_bytes))
            continue;
        while (to < end && is_small(plan->files[to], rules->small_bytes) &&
               may_follow(plan->files[to - 1], plan->files[to]))
            to++;
        LOCHAN_TRY(cut_run(plan, from, to, rules, err));
    }
    return LOCHAN_OK;
}

/* Whether the partition rests, fits into memory, and is not sorted already. */
static bool is_to_be_clustered(const lochan_compaction_plan *plan, size_t from, size_t end,
                               const lochan_compact_rules *rules) {
    int64_t rows = 0;
    if (rules->cold_before_ns == INT64_MIN)
        return false;
    if (end - from == 1 && plan->files[from]->clustered && !rules->full)
        return false;
    for (size_t i = from; i < end; i++) {
        const lochan_data_file *f = plan->files[i];
        if (f->foreign || f->published_ns >= rules->cold_before_ns ||
            f->rows > rules->max_cluster_rows - rows)
            return false;
        rows += f->rows;
    }
    return true;
}

static lochan_status cut_all(lochan_compaction_plan *plan, size_t n_values,
                             const lochan_compact_rules *rules, lochan_error *err) {
    for (size_t from = 0, to; from < plan->list.n; from = to) {
        to = from + 1;
        while (to < plan->list.n &&
               lochan_files__same_partition(plan->files[from], plan->files[to], n_values))
            to++;
        if (is_to_be_clustered(plan, from, to, rules))
            LOCHAN_TRY(push_group(plan, from, to, true, err));
        else
            LOCHAN_TRY(cut_partition(plan, from, to, rules, err));
    }
    return LOCHAN_OK;
}

void lochan_compaction_plan__deinit(lochan_compaction_plan *plan) {
    lochan_file_list__deinit(&plan->list);
    lochan_mem__free((void *)plan->files);
    lochan_mem__free(plan->groups);
    memset(plan, 0, sizeof *plan);
}

lochan_status lochan_compaction_plan__make(lochan_lake *lake, const lochan_table *table,
                                           const lochan_compact_rules *rules,
                                           lochan_compaction_plan *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    memset(out, 0, sizeof *out);
    LOCHAN_TRYG(lochan_catalog__files(lake->catalog, &table->def, NULL, 0, &out->list, err));
    out->files = lochan_mem__array(out->list.n + 1, sizeof *out->files);
    if (!out->files) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (size_t i = 0; i < out->list.n; i++)
        out->files[i] = &out->list.files[i];
    lochan_files__order(out->files, out->list.n, table->def.n_partition);
    LOCHAN_TRYG(cut_all(out, table->def.n_partition, rules, err));
done:
    if (rc != LOCHAN_OK)
        lochan_compaction_plan__deinit(out);
    return rc;
}
