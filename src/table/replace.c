/* replace.c - see replace.h.
 * Invariants: a row is in at most one scope; scopes of every asset come first, then by asset and
 * day. May call: base/, arrow/, catalog/.
 */
#include "table/replace.h"

/* ---- scopes ---- */

static lochan_status find_column(const lochan_write *w, const char *what, const char *name,
                                 int *out, lochan_type *type, lochan_error *err) {
    *out = lochan_schema__find(&w->base.schema, name);
    if (*out < 0) {
        lochan_status rc = lochan_error__set(err, LOCHAN_ERR_SCHEMA, "%s has no %s column '%s'",
                                             w->table->full_name, what, name);
        return lochan_error__in_table(err, rc, w->table->full_name, name, -1);
    }
    return lochan_type__parse(w->base.schema.children[*out]->format, type, err);
}

static lochan_status wrong_type(const lochan_write *w, const char *name, const char *wanted,
                                lochan_error *err) {
    lochan_status rc = lochan_error__set(
        err, LOCHAN_ERR_SCHEMA, "rows of %s cannot be replaced by column '%s': it is no %s",
        w->table->full_name, name, wanted);
    return lochan_error__in_table(err, rc, w->table->full_name, name, -1);
}

/* The statistics to ask the catalog for. */
static void choose_stats(lochan_write *w) {
    lochan_replacement *r = &w->replace;
    const int columns[] = {r->asset_column, r->time_column};
    r->n_stats = 0;
    for (size_t i = 0; i < LOCHAN_COUNTOF(columns); i++) {
        if (columns[i] < 0)
            continue;
        r->stats_columns[r->n_stats] = columns[i];
        r->stats_ids[r->n_stats++] = lochan_schema__field_id(w->base.schema.children[columns[i]]);
    }
}

lochan_status lochan_replace__init(lochan_write *w, lochan_error *err) {
    lochan_replacement *r = &w->replace;
    const lochan_write_options *o = &w->options;
    lochan_type type;
    r->asset_column = r->time_column = -1;
    lochan_arena__init(&r->arena, 0);
    if (o->mode != LOCHAN_WRITE_REPLACE_ASSETS)
        return LOCHAN_OK;
    if (!o->asset_column)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "replacing the rows of assets of %s needs the asset column",
                                 w->table->full_name);
    LOCHAN_TRY(find_column(w, "asset", o->asset_column, &r->asset_column, &type, err));
    if (type.id != LOCHAN_TYPE_STRING)
        return wrong_type(w, o->asset_column, "text", err);
    choose_stats(w);
    if (!o->time_column)
        return LOCHAN_OK;
    LOCHAN_TRY(find_column(w, "time", o->time_column, &r->time_column, &type, err));
    if (type.id != LOCHAN_TYPE_DATE32 && type.id != LOCHAN_TYPE_TIMESTAMP)
        return wrong_type(w, o->time_column, "date or timestamp", err);
    choose_stats(w);
    return LOCHAN_OK;
}

void lochan_replace__deinit(lochan_write *w) {
    lochan_mem__free(w->replace.scopes);
    lochan_arena__deinit(&w->replace.arena);
}

static int compare_assets(const char *a, const char *b) {
    return !a || !b ? (a != NULL) - (b != NULL) : strcmp(a, b);
}

static int by_asset_and_day(const void *x, const void *y) {
    const lochan_replace_scope *a = x, *b = y;
    int c = compare_assets(a->asset, b->asset);
    return c != 0 ? c : (a->day_from > b->day_from) - (a->day_from < b->day_from);
}

void lochan_replace__close(lochan_write *w) {
    lochan_replacement *r = &w->replace;
    size_t n = 0;
    if (r->joined)
        return;
    if (r->n > 0)
        qsort(r->scopes, r->n, sizeof *r->scopes, by_asset_and_day);
    for (size_t i = 0; i < r->n; i++) {
        lochan_replace_scope *last = n > 0 ? &r->scopes[n - 1] : NULL;
        const lochan_replace_scope *s = &r->scopes[i];
        if (last && compare_assets(last->asset, s->asset) == 0 &&
            (int64_t)s->day_from <= (int64_t)last->day_to + 1) {
            if (s->day_to > last->day_to)
                last->day_to = s->day_to;
        } else {
            r->scopes[n++] = *s;
        }
    }
    r->n = n;
    r->joined = true;
}

static lochan_status add_scope(lochan_replacement *r, const lochan_replace_scope *scope,
                               lochan_error *err) {
    lochan_replace_scope *list = lochan_mem__grow(r->scopes, r->n, &r->cap, sizeof *r->scopes);
    if (!list)
        return lochan_error__nomem(err);
    r->scopes = list;
    list[r->n] = *scope;
    if (scope->asset) {
        list[r->n].asset = lochan_arena__strdup(&r->arena, scope->asset);
        if (!list[r->n].asset)
            return lochan_error__nomem(err);
    }
    r->n++;
    return LOCHAN_OK;
}

lochan_status lochan_write__replace(lochan_write *w, const lochan_replace_scope *scopes, size_t n,
                                    lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    if (w->options.mode != LOCHAN_WRITE_REPLACE_ASSETS)
        return LOCHAN_OK;
    pthread_mutex_lock(&w->mutex);
    if (w->replace.joined)
        rc = lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                               "the rows of %s are being merged already", w->table->full_name);
    for (size_t i = 0; i < n && rc == LOCHAN_OK; i++) {
        if (scopes[i].day_from > scopes[i].day_to)
            rc = lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                   "a window of rows to replace ends before it begins");
        else
            rc = add_scope(&w->replace, &scopes[i], err);
    }
    pthread_mutex_unlock(&w->mutex);
    return rc;
}

/* ---- rows ---- */

static bool is_open(const lochan_replace_scope *s) {
    return s->day_from == INT32_MIN && s->day_to == INT32_MAX;
}

/* First scope of the asset (NULL: of every asset). */
static size_t first_scope(const lochan_replacement *r, const lochan_str *asset) {
    size_t low = 0, high = r->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const char *name = r->scopes[mid].asset;
        bool below = asset && (!name || lochan_keycode__compare(lochan_str__of(name), *asset) < 0);
        if (below)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static bool in_scopes_of(const lochan_replacement *r, const lochan_str *asset, bool timed,
                         int64_t day) {
    for (size_t i = first_scope(r, asset); i < r->n; i++) {
        const lochan_replace_scope *s = &r->scopes[i];
        bool same =
            asset ? s->asset && lochan_str__eq(lochan_str__of(s->asset), *asset) : s->asset == NULL;
        if (!same)
            return false;
        if (is_open(s) || (timed && day >= s->day_from && day <= s->day_to))
            return true;
    }
    return false;
}

/* A view of one column of a batch; a negative column gives an empty one. */
static lochan_status view_column(const lochan_write *w, const struct ArrowArray *batch, int column,
                                 lochan_view *view, lochan_error *err) {
    if (column < 0)
        return LOCHAN_OK;
    LOCHAN_TRY(
        lochan_view__init(view, w->base.schema.children[column], batch->children[column], err));
    view->offset += batch->offset;
    return LOCHAN_OK;
}

lochan_status lochan_replace__mark(const lochan_write *w, const struct ArrowArray *batch,
                                   uint8_t *remove, bool *any, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const lochan_replacement *r = &w->replace;
    lochan_view asset = {0}, time = {0};
    bool all = w->options.mode == LOCHAN_WRITE_REPLACE_ALL;
    *any = all && batch->length > 0;
    for (int64_t i = 0; i < batch->length; i++)
        remove[i] = all ? 1 : 0;
    if (all || r->n == 0)
        return LOCHAN_OK;
    LOCHAN_TRYG(view_column(w, batch, r->asset_column, &asset, err));
    LOCHAN_TRYG(view_column(w, batch, r->time_column, &time, err));
    bool for_all = r->scopes[0].asset == NULL;
    for (int64_t i = 0; i < batch->length; i++) {
        int64_t day = 0;
        bool timed = r->time_column >= 0 && lochan_view__day(&time, i, &day);
        bool in = for_all && in_scopes_of(r, NULL, timed, day);
        if (!in && !lochan_view__is_null(&asset, i)) {
            lochan_str name = lochan_view__bytes(&asset, i);
            in = in_scopes_of(r, &name, timed, day);
        }
        remove[i] = in ? 1 : 0;
        *any = *any || in;
    }
done:
    lochan_view__deinit(&asset);
    lochan_view__deinit(&time);
    return rc;
}

/* ---- files ---- */

static const lochan_expr_stats *stats_of(const lochan_write *w, const lochan_data_file *file,
                                         int column) {
    const lochan_replacement *r = &w->replace;
    for (size_t i = 0; column >= 0 && file->stats && i < r->n_stats; i++) {
        const lochan_expr_stats *s = &file->stats[i];
        if (r->stats_columns[i] == column && file->stats_known[i] && s->has_min && s->has_max &&
            s->null_count == 0)
            return s;
    }
    return NULL;
}

static int64_t day_of_bound(const lochan_type *type, int64_t v) {
    static const int64_t units_per_day[] = {86400, 86400000LL, 86400000000LL, 86400000000000LL};
    if (type->id == LOCHAN_TYPE_DATE32)
        return v;
    int64_t per_day = units_per_day[type->unit];
    return v / per_day - (v % per_day < 0 ? 1 : 0);
}

bool lochan_replace__may_touch(const lochan_write *w, const lochan_data_file *file) {
    const lochan_replacement *r = &w->replace;
    if (w->options.mode == LOCHAN_WRITE_REPLACE_ALL)
        return true;
    const lochan_expr_stats *asset = stats_of(w, file, r->asset_column);
    const lochan_expr_stats *time = stats_of(w, file, r->time_column);
    bool timed =
        time && (time->type.id == LOCHAN_TYPE_DATE32 || time->type.id == LOCHAN_TYPE_TIMESTAMP);
    int64_t from = timed ? day_of_bound(&time->type, time->min_i) : INT32_MIN;
    int64_t to = timed ? day_of_bound(&time->type, time->max_i) : INT32_MAX;
    for (size_t i = 0; i < r->n; i++) {
        const lochan_replace_scope *s = &r->scopes[i];
        if (s->day_to < from || s->day_from > to)
            continue;
        if (!s->asset || !asset || asset->type.id != LOCHAN_TYPE_STRING)
            return true;
        lochan_str name = lochan_str__of(s->asset);
        if (lochan_keycode__compare(asset->min_s, name) <= 0 &&
            lochan_keycode__compare(name, asset->max_s) <= 0)
            return true;
    }
    return false;
}

lochan_status lochan_replace__find_partitions(lochan_write *w, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_replacement *r = &w->replace;
    lochan_file_list list = {0};
    if (!lochan_replace__is_on(w))
        return LOCHAN_OK;
    LOCHAN_TRYG(
        lochan_catalog__files(w->lake->catalog, &w->base, r->stats_ids, r->n_stats, &list, err));
    for (size_t i = 0; i < list.n; i++) {
        if (lochan_replace__may_touch(w, &list.files[i]))
            LOCHAN_TRYG(lochan_write__add_partition_of(w, &list.files[i], err));
    }
done:
    lochan_file_list__deinit(&list);
    return rc;
}
