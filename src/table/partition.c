/* partition.c - the strategies that cut a table into folders.
 * Invariant: a row's partition depends on its values only. A new strategy is one entry of
 * `strategies` and its two functions. May call: base/, arrow/.
 */
#include "table/partition.h"

#include "base/civil.h"

/* Days since 1970 of a date or timestamp; false for null. Timestamps count as written: those with a
 * zone are UTC. */
static bool day_of(const lochan_view *view, int64_t i, int64_t *days) {
    static const int64_t units_per_day[] = {86400, 86400000LL, 86400000000LL, 86400000000000LL};
    if (lochan_view__is_null(view, i))
        return false;
    int64_t v = lochan_view__int64(view, i);
    if (view->type.id == LOCHAN_TYPE_DATE32) {
        *days = v;
        return true;
    }
    int64_t per_day = units_per_day[view->type.unit];
    *days = v / per_day - (v % per_day < 0 ? 1 : 0);
    return true;
}

static bool is_date_or_timestamp(size_t column, const lochan_type *type) {
    (void)column;
    return type->id == LOCHAN_TYPE_DATE32 || type->id == LOCHAN_TYPE_TIMESTAMP;
}

static bool year_month_of(const lochan_view *views, int64_t i, lochan_partition_values *out) {
    int64_t days;
    /* -719162 is 0001-01-01, 2932896 is 9999-12-31: the years civil.h and every reader of the files
     * know. */
    if (!day_of(&views[0], i, &days) || days < -719162 || days > 2932896)
        return false;
    lochan_civil c = lochan_civil__from_days((int32_t)days);
    out->v[0].i = c.year;
    out->v[1].i = c.month;
    return true;
}

/* Run tables: the run, and ticks in buckets of a size that the run chose. */
static bool is_run_and_bucket(size_t column, const lochan_type *type) {
    return type->id == (column == 0 ? LOCHAN_TYPE_STRING : LOCHAN_TYPE_INT64);
}

static bool tick_bucket_of(const lochan_view *views, int64_t i, lochan_partition_values *out) {
    if (lochan_view__is_null(&views[0], i) || lochan_view__is_null(&views[1], i))
        return false;
    out->v[0].s = lochan_view__bytes(&views[0], i);
    out->v[1].i = lochan_view__int64(&views[1], i);
    return out->v[0].s.n > 0 && out->v[1].i >= 0;
}

static lochan_status tick_bucket_folder(const char *table, const lochan_partition_values *v,
                                        lochan_buf *out, lochan_error *err) {
    return lochan_buf__printf(out, err, "runs/%.*s/tables/%s/bucket=%06lld", (int)v->v[0].s.n,
                              v->v[0].s.p, table, (long long)v->v[1].i);
}

static const lochan_partition_strategy strategies[] = {
    {.name = "single_file"},
    {.name = "year_month",
     .n_columns = 1,
     .n_fields = 2,
     .fields = {{.folder_key = "year", .transform = "year", .digits = 4},
                {.folder_key = "month", .transform = "month", .digits = 2}},
     .accepts = is_date_or_timestamp,
     .values_of = year_month_of},
    {.name = "tick_bucket",
     .n_columns = 2,
     .n_fields = 2,
     .fields = {{.folder_key = "run_id", .transform = "identity", .column = 0, .is_text = true},
                {.folder_key = "bucket", .transform = "identity", .column = 1, .digits = 6}},
     .accepts = is_run_and_bucket,
     .values_of = tick_bucket_of,
     .stored = true,
     .folder = tick_bucket_folder,
     .file_prefix = "part-"},
};

const lochan_partition_strategy *lochan_partition__find(const char *name) {
    if (!name)
        return &strategies[0];
    for (size_t i = 0; i < LOCHAN_COUNTOF(strategies); i++) {
        if (strcmp(strategies[i].name, name) == 0)
            return &strategies[i];
    }
    return NULL;
}

const lochan_partition_strategy *lochan_partition__find_transforms(const char *const *transforms,
                                                                   size_t n) {
    for (size_t i = 0; i < LOCHAN_COUNTOF(strategies); i++) {
        const lochan_partition_strategy *s = &strategies[i];
        bool same = s->n_fields == n;
        for (size_t f = 0; same && f < n; f++)
            same = strcmp(s->fields[f].transform, transforms[f]) == 0;
        if (same)
            return s;
    }
    return NULL;
}

const char *lochan_partition__name(size_t i) {
    return i < LOCHAN_COUNTOF(strategies) ? strategies[i].name : NULL;
}

size_t lochan_partition__column_count(const char *strategy) {
    const lochan_partition_strategy *s = lochan_partition__find(strategy);
    return s ? s->n_columns : 0;
}

bool lochan_partition__equal(const lochan_partition_strategy *s, const lochan_partition_values *a,
                             const lochan_partition_values *b) {
    for (size_t f = 0; f < s->n_fields; f++) {
        bool same =
            s->fields[f].is_text ? lochan_str__eq(a->v[f].s, b->v[f].s) : a->v[f].i == b->v[f].i;
        if (!same)
            return false;
    }
    return true;
}

lochan_status lochan_partition__value_text(const lochan_partition_strategy *s,
                                           const lochan_partition_values *v, size_t field,
                                           lochan_buf *out, lochan_error *err) {
    if (s->fields[field].is_text)
        return lochan_buf__append(out, v->v[field].s.p, v->v[field].s.n, err);
    return lochan_buf__printf(out, err, "%lld", (long long)v->v[field].i);
}

lochan_status lochan_partition__folder(const lochan_partition_strategy *s, const char *table,
                                       const lochan_partition_values *v, lochan_buf *out,
                                       lochan_error *err) {
    if (s->folder)
        return s->folder(table, v, out, err);
    for (size_t f = 0; f < s->n_fields; f++) {
        const lochan_partition_field *field = &s->fields[f];
        LOCHAN_TRY(lochan_buf__printf(out, err, "%s%s=", f > 0 ? "/" : "", field->folder_key));
        if (field->is_text)
            LOCHAN_TRY(lochan_buf__append(out, v->v[f].s.p, v->v[f].s.n, err));
        else
            LOCHAN_TRY(lochan_buf__printf(out, err, "%0*lld", field->digits, (long long)v->v[f].i));
    }
    return out->data ? LOCHAN_OK : lochan_buf__puts(out, "", err);
}

lochan_status lochan_partition__json(const lochan_partition_strategy *s,
                                     const lochan_partition_values *v, lochan_buf *out,
                                     lochan_error *err) {
    LOCHAN_TRY(lochan_buf__putc(out, '{', err));
    for (size_t f = 0; f < s->n_fields; f++) {
        LOCHAN_TRY(
            lochan_buf__printf(out, err, "%s\"%s\":", f > 0 ? "," : "", s->fields[f].folder_key));
        if (s->fields[f].is_text)
            LOCHAN_TRY(lochan_buf__json_string(out, v->v[f].s.p, v->v[f].s.n, err));
        else
            LOCHAN_TRY(lochan_buf__printf(out, err, "%lld", (long long)v->v[f].i));
    }
    return lochan_buf__putc(out, '}', err);
}
