/* partition.c - the strategies that cut a table into folders.
 * Invariant: a row's partition depends on its values only. A new strategy is one entry of
 * `strategies` and its two functions. May call: base/, arrow/.
 */
#include "table/partition.h"

#include "base/civil.h"
#include "base/str.h"

bool lochan_view__day(const lochan_view *view, int64_t i, int64_t *days) {
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

/* The civil day of row i; false for null and for years that not every reader of the files knows. */
static bool civil_of(const lochan_view *view, int64_t i, lochan_civil *out) {
    int64_t days;
    /* -719162 is 0001-01-01, 2932896 is 9999-12-31: the years civil.h and every reader of the files
     * know. */
    if (!lochan_view__day(view, i, &days) || days < -719162 || days > 2932896)
        return false;
    *out = lochan_civil__from_days((int32_t)days);
    return true;
}

static bool year_month_of(const lochan_view *views, int64_t i, int64_t number,
                          lochan_partition_values *out) {
    lochan_civil c;
    (void)number;
    if (!civil_of(&views[0], i, &c))
        return false;
    out->v[0].i = c.year;
    out->v[1].i = c.month;
    return true;
}

static bool day_values_of(const lochan_view *views, int64_t i, int64_t number,
                          lochan_partition_values *out) {
    lochan_civil c;
    (void)number;
    if (!civil_of(&views[0], i, &c))
        return false;
    out->v[0].i = c.year;
    out->v[1].i = c.month;
    out->v[2].i = c.day;
    return true;
}

static bool ten_years_of(const lochan_view *views, int64_t i, int64_t number,
                         lochan_partition_values *out) {
    lochan_civil c;
    (void)number;
    if (!civil_of(&views[0], i, &c))
        return false;
    out->v[0].i = c.year / 10 * 10;
    return true;
}

/* ---- buckets ---- */

static uint32_t rotate(uint32_t v, int bits) {
    return v << bits | v >> (32 - bits);
}

static uint32_t mix(uint32_t h, uint32_t k) {
    k *= 0xcc9e2d51u;
    k = rotate(k, 15);
    return h ^ k * 0x1b873593u;
}

/* Murmur3, 32 bits, seed 0: the hash that DuckLake's and Iceberg's bucket transform is made of. */
static uint32_t murmur3(const uint8_t *p, size_t n) {
    uint32_t h = 0, tail = 0;
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        uint32_t k =
            p[i] | (uint32_t)p[i + 1] << 8 | (uint32_t)p[i + 2] << 16 | (uint32_t)p[i + 3] << 24;
        h = rotate(mix(h, k), 13) * 5 + 0xe6546b64u;
    }
    for (size_t left = n - i; left > 0; left--)
        tail = tail << 8 | p[i + left - 1];
    if (i < n)
        h = mix(h, tail);
    h ^= (uint32_t)n;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

/* Texts by their bytes, whole numbers as 64 bits, little-endian. */
static int64_t bucket_of(const lochan_view *view, int64_t i, int64_t buckets) {
    uint8_t bytes[8];
    uint32_t h;
    if (lochan_type__is_bytes(view->type.id)) {
        lochan_str s = lochan_view__bytes(view, i);
        h = murmur3((const uint8_t *)s.p, s.n);
    } else {
        uint64_t v = (uint64_t)lochan_view__int64(view, i);
        for (int b = 0; b < 8; b++)
            bytes[b] = (uint8_t)(v >> (8 * b));
        h = murmur3(bytes, sizeof bytes);
    }
    return (int64_t)(h & INT32_MAX) % buckets;
}

static bool is_text_or_integer(const lochan_type *type) {
    return type->id == LOCHAN_TYPE_STRING ||
           (lochan_type__is_integer(type->id) && type->id != LOCHAN_TYPE_UINT64);
}

static bool is_time_and_asset(size_t column, const lochan_type *type) {
    return column == 0 ? is_date_or_timestamp(column, type) : is_text_or_integer(type);
}

static bool year_bucket_of(const lochan_view *views, int64_t i, int64_t number,
                           lochan_partition_values *out) {
    lochan_civil c;
    if (!civil_of(&views[0], i, &c) || lochan_view__is_null(&views[1], i))
        return false;
    out->v[0].i = c.year;
    out->v[1].i = bucket_of(&views[1], i, number);
    return true;
}

/* ---- identity ---- */

static bool is_text(size_t column, const lochan_type *type) {
    (void)column;
    return type->id == LOCHAN_TYPE_STRING;
}

static bool is_integer(size_t column, const lochan_type *type) {
    (void)column;
    return lochan_type__is_integer(type->id) && type->id != LOCHAN_TYPE_UINT64;
}

/* A folder's name has room for so much once it is escaped. */
enum { MAX_IDENTITY = 80 };

static bool identity_text_of(const lochan_view *views, int64_t i, int64_t number,
                             lochan_partition_values *out) {
    (void)number;
    if (lochan_view__is_null(&views[0], i))
        return false;
    out->v[0].s = lochan_view__bytes(&views[0], i);
    return out->v[0].s.n > 0 && out->v[0].s.n <= MAX_IDENTITY &&
           !memchr(out->v[0].s.p, 0, out->v[0].s.n);
}

static bool identity_number_of(const lochan_view *views, int64_t i, int64_t number,
                               lochan_partition_values *out) {
    (void)number;
    if (lochan_view__is_null(&views[0], i))
        return false;
    out->v[0].i = lochan_view__int64(&views[0], i);
    return true;
}

/* Letters, digits, '.', '_' and '-' as they are, every other byte as %XX: the value comes from a
 * provider. */
static lochan_status identity_folder(const char *table, const lochan_partition_values *v,
                                     lochan_buf *out, lochan_error *err) {
    (void)table;
    LOCHAN_TRY(lochan_buf__puts(out, "value=", err));
    for (size_t i = 0; i < v->v[0].s.n; i++) {
        uint8_t c = (uint8_t)v->v[0].s.p[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     c == '.' || c == '_' || c == '-';
        LOCHAN_TRY(plain ? lochan_buf__putc(out, (char)c, err)
                         : lochan_buf__printf(out, err, "%%%02X", c));
    }
    return LOCHAN_OK;
}

/* Run tables: the run, and ticks in buckets of a size that the run chose. */
static bool is_run_and_bucket(size_t column, const lochan_type *type) {
    return type->id == (column == 0 ? LOCHAN_TYPE_STRING : LOCHAN_TYPE_INT64);
}

static bool tick_bucket_of(const lochan_view *views, int64_t i, int64_t number,
                           lochan_partition_values *out) {
    (void)number;
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
    {.name = "year_bucket",
     .n_columns = 2,
     .n_fields = 2,
     .fields = {{.folder_key = "year", .transform = "year", .digits = 4},
                {.folder_key = "bucket", .transform = "bucket", .column = 1, .digits = 3}},
     .accepts = is_time_and_asset,
     .values_of = year_bucket_of,
     .number = 16,
     .max_number = 4096},
    {.name = "ten_year_range",
     .n_columns = 1,
     .n_fields = 1,
     .fields = {{.folder_key = "ten_years",
                 .transform = "identity",
                 .digits = 4,
                 .derived = "_ten_years"}},
     .accepts = is_date_or_timestamp,
     .values_of = ten_years_of},
    {.name = "day",
     .n_columns = 1,
     .n_fields = 3,
     .fields = {{.folder_key = "year", .transform = "year", .digits = 4},
                {.folder_key = "month", .transform = "month", .digits = 2},
                {.folder_key = "day", .transform = "day", .digits = 2}},
     .accepts = is_date_or_timestamp,
     .values_of = day_values_of},
    {.name = "identity",
     .n_columns = 1,
     .n_fields = 1,
     .fields = {{.folder_key = "value", .transform = "identity", .is_text = true}},
     .accepts = is_text,
     .values_of = identity_text_of,
     .folder = identity_folder},
    {.name = "identity",
     .n_columns = 1,
     .n_fields = 1,
     .fields = {{.folder_key = "value", .transform = "identity"}},
     .accepts = is_integer,
     .values_of = identity_number_of},
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

const lochan_partition_strategy *lochan_partition__find_for(const char *name,
                                                            const lochan_type *types, size_t n) {
    const lochan_partition_strategy *first = lochan_partition__find(name);
    for (const lochan_partition_strategy *s = first;
         s && s < strategies + LOCHAN_COUNTOF(strategies); s++) {
        bool fits = strcmp(s->name, first->name) == 0 && s->n_columns == n;
        for (size_t c = 0; fits && c < n; c++)
            fits = s->accepts(c, &types[c]);
        if (fits)
            return s;
    }
    return first;
}

void lochan_partition__transform(const lochan_partition_strategy *s, size_t field, int64_t number,
                                 char out[LOCHAN_TRANSFORM_TEXT]) {
    const char *transform = s->fields[field].transform;
    if (strcmp(transform, "bucket") == 0)
        lochan_format(out, LOCHAN_TRANSFORM_TEXT, "bucket(%lld)", (long long)number);
    else
        lochan_format(out, LOCHAN_TRANSFORM_TEXT, "%s", transform);
}

int lochan_partition__derived(const lochan_partition_strategy *s,
                              const struct ArrowSchema *schema) {
    for (size_t f = 0; s && f < s->n_fields; f++) {
        if (s->fields[f].derived)
            return lochan_schema__find(schema, s->fields[f].derived);
    }
    return -1;
}

/* "bucket(16)" */
static bool is_bucket(const char *transform, int64_t *buckets) {
    size_t n = strlen(transform);
    return n > 8 && memcmp(transform, "bucket(", 7) == 0 && transform[n - 1] == ')' &&
           lochan_parse__int64(transform + 7, n - 8, buckets);
}

/* Whether a stored field is the strategy's; notes its column and number. */
static bool field_fits(const lochan_partition_strategy *s, size_t f,
                       const lochan_partition_key *stored, const struct ArrowSchema *schema,
                       int *columns, int64_t *number) {
    const lochan_partition_field *field = &s->fields[f];
    char text[LOCHAN_TRANSFORM_TEXT];
    int64_t buckets = 0;
    lochan_type type;
    if (strcmp(field->transform, "bucket") == 0 && is_bucket(stored->transform, &buckets) &&
        buckets > 0 && buckets <= s->max_number)
        *number = buckets;
    lochan_partition__transform(s, f, *number, text);
    if (strcmp(text, stored->transform) != 0 || stored->column < 0)
        return false;
    if (field->derived)
        return strcmp(stored->name, field->derived) == 0;
    int *c = &columns[field->column];
    if ((*c >= 0 && *c != stored->column) ||
        lochan_type__parse(schema->children[stored->column]->format, &type, NULL) != LOCHAN_OK ||
        !s->accepts(field->column, &type))
        return false;
    *c = stored->column;
    return true;
}

const lochan_partition_strategy *lochan_partition__of_table(const lochan_table_def *def,
                                                            int columns[LOCHAN_PARTITION_MAX],
                                                            int64_t *number) {
    for (size_t i = 0; i < LOCHAN_COUNTOF(strategies); i++) {
        const lochan_partition_strategy *s = &strategies[i];
        bool same = s->n_fields == def->n_partition;
        for (size_t c = 0; c < LOCHAN_PARTITION_MAX; c++)
            columns[c] = -1;
        *number = s->number;
        for (size_t f = 0; same && f < s->n_fields; f++)
            same = field_fits(s, f, &def->partition[f], &def->schema, columns, number);
        if (same)
            return s;
    }
    return NULL;
}

/* The n-th entry whose name no entry before it bears. */
const char *lochan_partition__name(size_t i) {
    for (size_t s = 0; s < LOCHAN_COUNTOF(strategies); s++) {
        bool first = lochan_partition__find(strategies[s].name) == &strategies[s];
        if (first && i-- == 0)
            return strategies[s].name;
    }
    return NULL;
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
