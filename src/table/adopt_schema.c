/* adopt_schema.c - one schema for the files of a dataset, and the partition that their folders are.
 *
 * Columns are matched by name; a type gives way to a wider one only where every value stays what it
 * is. Folders year=/month=/day= are those parts of a date of the rows where statistics prove it in
 * every file; any other key is a column of its own. Invariant: statistics that are missing prove
 * nothing. May call: base/, arrow/, parquet/.
 */
#include "table/adopt.h"

#include "base/civil.h"
#include "base/str.h"

/* ---- types ---- */

static bool is_signed(lochan_type_id id) {
    return id == LOCHAN_TYPE_INT8 || id == LOCHAN_TYPE_INT16 || id == LOCHAN_TYPE_INT32 ||
           id == LOCHAN_TYPE_INT64;
}

/* The narrowest integer that holds both; false if there is none. */
static bool widen_integers(const lochan_type *a, const lochan_type *b, lochan_type *out) {
    static const lochan_type_id next[] = {LOCHAN_TYPE_INT16, LOCHAN_TYPE_INT32, LOCHAN_TYPE_INT64};
    int x = lochan_type__bit_width(a), y = lochan_type__bit_width(b);
    *out = x >= y ? *a : *b;
    if (is_signed(a->id) == is_signed(b->id))
        return true;
    int s = is_signed(a->id) ? x : y, u = is_signed(a->id) ? y : x;
    if (s > u) {
        *out = is_signed(a->id) ? *a : *b;
        return true;
    }
    if (u == 64)
        return false;
    *out = (lochan_type){.id = next[u == 8 ? 0 : u == 16 ? 1 : 2]};
    return true;
}

/* Whether a float holds every integer of so many bits. */
static bool widen_to_float(const lochan_type *a, const lochan_type *b, lochan_type *out) {
    const lochan_type *f = lochan_type__is_float(a->id) ? a : b, *i = f == a ? b : a;
    int bits = lochan_type__bit_width(i);
    if (f->id == LOCHAN_TYPE_FLOAT16 || bits > 32)
        return false;
    *out = bits == 32 ? (lochan_type){.id = LOCHAN_TYPE_FLOAT64} : *f;
    return true;
}

static bool widen(const lochan_type *a, const lochan_type *b, lochan_type *out) {
    bool x_int = lochan_type__is_integer(a->id), y_int = lochan_type__is_integer(b->id);
    bool x_float = lochan_type__is_float(a->id), y_float = lochan_type__is_float(b->id);
    *out = *a;
    if (lochan_type__equal(a, b) || b->id == LOCHAN_TYPE_NULL)
        return true;
    if (a->id == LOCHAN_TYPE_NULL) {
        *out = *b;
        return true;
    }
    if (x_int && y_int)
        return widen_integers(a, b, out);
    if ((x_int && y_float) || (x_float && y_int))
        return widen_to_float(a, b, out);
    if (x_float && y_float) {
        *out = a->id > b->id ? *a : *b;
        return true;
    }
    if (a->id == LOCHAN_TYPE_TIMESTAMP && b->id == LOCHAN_TYPE_TIMESTAMP) {
        *out = a->unit > b->unit ? *a : *b; /* nanoseconds reach from 1677 to 2262 only */
        return strcmp(a->zone, b->zone) == 0 && out->unit != LOCHAN_UNIT_NANO;
    }
    if (a->id == b->id && a->id == LOCHAN_TYPE_DECIMAL128 && a->scale == b->scale) {
        *out = a->precision > b->precision ? *a : *b;
        return true;
    }
    return false;
}

bool lochan_adopt__fits(const struct ArrowSchema *from, const struct ArrowSchema *to) {
    lochan_type a, b, both;
    if (lochan_type__parse(from->format, &a, NULL) != LOCHAN_OK ||
        lochan_type__parse(to->format, &b, NULL) != LOCHAN_OK)
        return false;
    if (lochan_type__is_nested(a.id) || lochan_type__is_nested(b.id))
        return lochan_field__same_type(from, to);
    return widen(&b, &a, &both) && lochan_type__equal(&b, &both);
}

/* Copies a field as a nullable one; a dictionary counts as its values. */
static lochan_status copy_field(const struct ArrowSchema *in, struct ArrowSchema *out,
                                lochan_error *err) {
    lochan_type type;
    const struct ArrowSchema *shown = in->dictionary ? in->dictionary : in;
    LOCHAN_TRY(lochan_type__parse(shown->format, &type, err));
    if (!lochan_type__is_nested(type.id))
        return lochan_schema__set_field(out, in->name, &type, true, err);
    LOCHAN_TRY(lochan_schema__dup(in, out, err));
    out->flags |= ARROW_FLAG_NULLABLE;
    return LOCHAN_OK;
}

static lochan_status clash(const lochan_adopt_set *set, const lochan_adopt_file *f,
                           const char *column, const lochan_type *before, const lochan_type *now,
                           lochan_error *err) {
    char x[80], y[80];
    lochan_type__name(before, x);
    lochan_type__name(now, y);
    lochan_status rc = lochan_error__set(
        err, LOCHAN_ERR_SCHEMA,
        "column '%s' is %s in '%s' and %s in files before it: no type holds both without loss",
        column, y, f->from, x);
    (void)set;
    lochan_error__in_table(err, rc, NULL, column, -1);
    return lochan_error__in_file(err, rc, f->from, -1);
}

/* ---- columns ---- */

/* A column of the set meets the one of a file. */
static lochan_status join_field(const lochan_adopt_set *set, const lochan_adopt_file *f,
                                struct ArrowSchema *field, const struct ArrowSchema *other,
                                lochan_error *err) {
    lochan_type a, b, both;
    struct ArrowSchema fresh = {0};
    const struct ArrowSchema *shown = other->dictionary ? other->dictionary : other;
    LOCHAN_TRY(lochan_type__parse(field->format, &a, err));
    LOCHAN_TRY(lochan_type__parse(shown->format, &b, err));
    bool nested = lochan_type__is_nested(a.id) || lochan_type__is_nested(b.id);
    if (nested ? !lochan_field__same_type(field, shown) : !widen(&a, &b, &both))
        return clash(set, f, field->name, &a, &b, err);
    if (nested || lochan_type__equal(&a, &both))
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_schema__set_field(&fresh, field->name, &both, true, err));
    lochan_schema__release(field);
    lochan_schema__move(&fresh, field);
    return LOCHAN_OK;
}

/* Appends a column; children of a struct are moved, so the schema is made anew. */
static lochan_status push_field(struct ArrowSchema *schema, struct ArrowSchema *field,
                                lochan_error *err) {
    struct ArrowSchema wider = {0};
    int64_t n = schema->release ? schema->n_children : 0;
    LOCHAN_TRY(lochan_schema__init_struct(&wider, n + 1, err));
    for (int64_t i = 0; i < n; i++)
        lochan_schema__move(schema->children[i], wider.children[i]);
    lochan_schema__move(field, wider.children[n]);
    lochan_schema__release(schema);
    lochan_schema__move(&wider, schema);
    return LOCHAN_OK;
}

static lochan_status check_column_name(const lochan_adopt_file *f, const char *name,
                                       lochan_error *err) {
    bool good = name && *name && strlen(name) <= 240;
    for (const char *p = name; good && *p; p++)
        good = (unsigned char)*p >= ' ' && *p != 127;
    if (good)
        return LOCHAN_OK;
    lochan_status rc = lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                         "'%s' has a column without a usable name", f->from);
    return lochan_error__in_file(err, rc, f->from, -1);
}

/* The column of that name; another one that differs in its case is refused: SQL cannot tell them
 * apart. */
static lochan_status find_column(const struct ArrowSchema *schema, const lochan_adopt_file *f,
                                 const char *name, int *out, lochan_error *err) {
    *out = -1;
    for (int64_t i = 0; schema->release && i < schema->n_children; i++) {
        const char *there = schema->children[i]->name;
        if (strcasecmp(there, name) != 0)
            continue;
        if (strcmp(there, name) != 0) {
            lochan_status rc = lochan_error__set(
                err, LOCHAN_ERR_SCHEMA, "columns '%s' and '%s' (of '%s') differ in case only",
                there, name, f->from);
            return lochan_error__in_file(err, rc, f->from, -1);
        }
        *out = (int)i;
    }
    return LOCHAN_OK;
}

static lochan_status join_file(lochan_adopt_set *set, const lochan_adopt_file *f,
                               lochan_error *err) {
    for (int64_t i = 0; i < f->schema.n_children; i++) {
        const struct ArrowSchema *other = f->schema.children[i];
        struct ArrowSchema field = {0};
        int column;
        LOCHAN_TRY(check_column_name(f, other->name, err));
        LOCHAN_TRY(find_column(&set->schema, f, other->name, &column, err));
        if (column >= 0) {
            LOCHAN_TRY(join_field(set, f, set->schema.children[column], other, err));
            continue;
        }
        lochan_status rc = copy_field(other, &field, err);
        if (rc == LOCHAN_OK)
            rc = push_field(&set->schema, &field, err);
        lochan_schema__release(&field);
        LOCHAN_TRY(lochan_error__in_file(err, rc, f->from, -1));
    }
    return LOCHAN_OK;
}

/* ---- keys of folders ---- */

static bool has_column(const lochan_adopt_file *f, const char *name) {
    return lochan_schema__find(&f->schema, name) >= 0;
}

/* Whole numbers, days, or text: what all values can be. */
static lochan_type type_of_key(const lochan_adopt_set *set, size_t key) {
    bool numbers = true, days = true, any = false;
    for (size_t i = 0; i < set->n; i++) {
        const char *v = set->files[i].values[key];
        int64_t number;
        int32_t day;
        if (!v)
            continue;
        any = true;
        numbers = numbers && lochan_parse__int64(v, strlen(v), &number);
        days = days && lochan_civil__parse_date(v, strlen(v), &day);
    }
    return (lochan_type){.id = any && numbers ? LOCHAN_TYPE_INT64
                               : any && days  ? LOCHAN_TYPE_DATE32
                                              : LOCHAN_TYPE_STRING};
}

/* A key that the files do not hold becomes a column. */
static lochan_status add_key_column(lochan_adopt_set *set, size_t key, lochan_error *err) {
    struct ArrowSchema field = {0};
    lochan_type type = type_of_key(set, key);
    LOCHAN_TRY(check_column_name(&set->files[0], set->keys[key], err));
    LOCHAN_TRY(lochan_schema__set_field(&field, set->keys[key], &type, true, err));
    lochan_status rc = push_field(&set->schema, &field, err);
    lochan_schema__release(&field);
    return rc;
}

/* Whether the files hold a column of the key's name: all of them or none. */
static lochan_status is_stored(const lochan_adopt_set *set, size_t key, bool *stored,
                               lochan_error *err) {
    int column;
    LOCHAN_TRY(find_column(&set->schema, &set->files[0], set->keys[key], &column, err));
    *stored = column >= 0;
    for (size_t i = 0; *stored && i < set->n; i++) {
        if (has_column(&set->files[i], set->keys[key]))
            continue;
        lochan_status rc = lochan_error__set(
            err, LOCHAN_ERR_SCHEMA,
            "column '%s' is the name of a folder for '%s', and stored in other files",
            set->keys[key], set->files[i].from);
        return lochan_error__in_file(err, rc, set->files[i].from, -1);
    }
    return LOCHAN_OK;
}

/* ---- partitions ---- */

static const char *const parts[] = {"year", "month", "day"};

/* year=/month= or year=/month=/day= */
static bool names_parts_of_a_date(const lochan_adopt_set *set) {
    if (set->n_keys < 2 || set->n_keys > 3)
        return false;
    for (size_t i = 0; i < set->n_keys; i++)
        if (strcasecmp(set->keys[i], parts[i]) != 0)
            return false;
    return true;
}

static bool same_part(int64_t day, size_t part, int64_t value) {
    if (day < -719162 || day > 2932896)
        return false;
    lochan_civil c = lochan_civil__from_days((int32_t)day);
    return value == (part == 0 ? c.year : part == 1 ? c.month : c.day);
}

static int64_t day_of(const lochan_expr_stats *s, int64_t v) {
    static const int64_t units[] = {86400, 86400000LL, 86400000000LL, 86400000000000LL};
    if (s->type.id == LOCHAN_TYPE_DATE32)
        return v;
    int64_t n = units[s->type.unit];
    return v / n - (v % n < 0);
}

/* Whether all rows of a file lie in the year and month (and day) that its folders name. */
static bool lies_in_folder(const lochan_adopt_set *set, const lochan_adopt_file *f,
                           const char *column) {
    int at = lochan_schema__find(&f->schema, column);
    const lochan_pq_leaf_summary *s = at >= 0 ? lochan_pq_summary__column(&f->summary, at) : NULL;
    if (!s || s->null_count != 0 || !s->stats.has_min || !s->stats.has_max ||
        (s->stats.type.id != LOCHAN_TYPE_DATE32 && s->stats.type.id != LOCHAN_TYPE_TIMESTAMP))
        return false;
    int64_t low = day_of(&s->stats, s->stats.min_i), high = day_of(&s->stats, s->stats.max_i);
    for (size_t i = 0; i < set->n_keys; i++) {
        int64_t v;
        if (!f->values[i] || !lochan_parse__int64(f->values[i], strlen(f->values[i]), &v) ||
            !same_part(low, i, v) || !same_part(high, i, v))
            return false;
    }
    /* same month of the same year, or same day: what lies between is in it too */
    return true;
}

static bool lie_in_folders(const lochan_adopt_set *set, const char *column) {
    for (size_t i = 0; i < set->n; i++)
        if (set->files[i].summary.rows > 0 && !lies_in_folder(set, &set->files[i], column))
            return false;
    return true;
}

/* The date or timestamp that the folders are parts of, a column `time` before others; -1 = none. */
static int find_date(const lochan_adopt_set *set) {
    int found = -1;
    for (int64_t i = 0; i < set->schema.n_children; i++) {
        const struct ArrowSchema *field = set->schema.children[i];
        lochan_type type;
        if (lochan_type__parse(field->format, &type, NULL) != LOCHAN_OK ||
            (type.id != LOCHAN_TYPE_DATE32 && type.id != LOCHAN_TYPE_TIMESTAMP) ||
            !lie_in_folders(set, field->name))
            continue;
        if (strcmp(field->name, "time") == 0)
            return (int)i;
        found = found < 0 ? (int)i : found;
    }
    return found;
}

/* Values as the catalog keeps them: numbers without leading zeros. */
static lochan_status canonical(lochan_arena *arena, const struct ArrowSchema *field, bool number,
                               const char *value, const char **out, lochan_error *err) {
    lochan_type type;
    int64_t v;
    *out = NULL;
    if (!value)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_type__parse(field->format, &type, err));
    number = number || lochan_type__is_integer(type.id);
    if (number && lochan_parse__int64(value, strlen(value), &v))
        *out = lochan_arena__printf(arena, "%lld", (long long)v);
    else
        *out = lochan_arena__strdup(arena, value);
    return *out ? LOCHAN_OK : lochan_error__nomem(err);
}

/* Whether statistics say that a value is outside of, or not the only one of, a column. Of types
 * that folders spell in many ways they say nothing. */
static bool is_another(const lochan_expr_stats *s, const char *value) {
    int64_t v;
    int32_t day;
    size_t n = strlen(value);
    if (!s->has_min || !s->has_max)
        return false;
    if (s->type.id == LOCHAN_TYPE_STRING)
        return s->min_exact && s->max_exact &&
               (!lochan_str__eq(s->min_s, (lochan_str){value, n}) ||
                !lochan_str__eq(s->max_s, (lochan_str){value, n}));
    if (s->type.id == LOCHAN_TYPE_DATE32 && lochan_civil__parse_date(value, n, &day))
        return s->min_i != day || s->max_i != day;
    return lochan_type__is_integer(s->type.id) && lochan_parse__int64(value, n, &v) &&
           (s->min_i != v || s->max_i != v);
}

/* Whether a key that is stored as a column, too, has other values there than in the folder. */
static bool contradicts(const lochan_adopt_file *f, const char *column, const char *value) {
    int at = lochan_schema__find(&f->schema, column);
    const lochan_pq_leaf_summary *s = at >= 0 ? lochan_pq_summary__column(&f->summary, at) : NULL;
    if (!s || f->summary.rows == 0 || s->null_count < 0)
        return false;
    return value ? s->null_count > 0 || is_another(&s->stats, value)
                 : s->null_count < f->summary.rows;
}

static lochan_status set_partition(lochan_adoption *a, lochan_adopt_set *set, int date,
                                   lochan_error *err) {
    set->n_fields = set->n_keys;
    set->fields = lochan_arena__array(&a->arena, set->n_keys + 1, sizeof *set->fields);
    if (!set->fields)
        return lochan_error__nomem(err);
    for (size_t k = 0; k < set->n_keys; k++) {
        int column = date >= 0 ? date : lochan_schema__find(&set->schema, set->keys[k]);
        set->fields[k] = (lochan_partition_key){.column = column,
                                                .name = set->schema.children[column]->name,
                                                .transform = date >= 0 ? parts[k] : "identity"};
        for (size_t i = 0; i < set->n; i++) {
            lochan_adopt_file *f = &set->files[i];
            if (!f->partition)
                f->partition = lochan_arena__array(&a->arena, set->n_keys, sizeof *f->partition);
            if (!f->partition)
                return lochan_error__nomem(err);
            LOCHAN_TRY(canonical(&a->arena, set->schema.children[column], date >= 0, f->values[k],
                                 &f->partition[k], err));
            if (date >= 0 || !contradicts(f, set->keys[k], f->partition[k]))
                continue;
            lochan_status rc = lochan_error__set(
                err, LOCHAN_ERR_DATA, "'%s' has rows whose '%s' is not the '%s' of its folder",
                f->from, set->keys[k], f->values[k] ? f->values[k] : LOCHAN_HIVE_NULL);
            lochan_error__in_table(err, rc, NULL, set->keys[k], -1);
            return lochan_error__in_file(err, rc, f->from, -1);
        }
    }
    return LOCHAN_OK;
}

/* ---- the key ---- */

/* No row may lack a part of the key, and lochan's code for keys must know the type. */
static lochan_status check_key(const lochan_adoption *a, lochan_adopt_set *set, lochan_error *err) {
    for (size_t k = 0; k < a->options->n_key; k++) {
        const char *name = a->options->key[k] ? a->options->key[k] : "";
        int column = lochan_schema__find(&set->schema, name);
        if (column < 0) {
            lochan_status rc = lochan_error__set(err, LOCHAN_ERR_NOT_FOUND,
                                                 "%s.%s has no column '%s' to be part of its key",
                                                 set->source, set->dataset, name);
            lochan_error__hint(err, "a key is that of one dataset: adopt its folder alone");
            return lochan_error__in_table(err, rc, NULL, name, -1);
        }
        for (size_t i = 0; i < set->n; i++) {
            const lochan_adopt_file *f = &set->files[i];
            int at = lochan_schema__find(&f->schema, name);
            const lochan_pq_leaf_summary *s =
                at >= 0 ? lochan_pq_summary__column(&f->summary, at) : NULL;
            bool good =
                set->from_folder[column] || f->summary.rows == 0 || (s && s->null_count == 0);
            if (good)
                continue;
            lochan_status rc = lochan_error__set(
                err, LOCHAN_ERR_DATA,
                "column '%s' of '%s' may hold nulls (its statistics do not rule them out): it "
                "cannot be part of a key",
                name, f->from);
            lochan_error__in_table(err, rc, NULL, name, -1);
            return lochan_error__in_file(err, rc, f->from, -1);
        }
        set->schema.children[column]->flags &= ~(int64_t)ARROW_FLAG_NULLABLE;
    }
    return LOCHAN_OK;
}

/* Every dataset that is updated has these. In adopted rows they are null. */
static lochan_status add_columns_of_updates(lochan_adopt_set *set, lochan_error *err) {
    static const char *const names[] = {"source", "source_dataset"};
    lochan_type text = {.id = LOCHAN_TYPE_STRING};
    for (size_t i = 0; i < LOCHAN_COUNTOF(names); i++) {
        struct ArrowSchema field = {0};
        if (lochan_schema__find(&set->schema, names[i]) >= 0)
            continue;
        lochan_status rc = lochan_schema__set_field(&field, names[i], &text, true, err);
        if (rc == LOCHAN_OK)
            rc = push_field(&set->schema, &field, err);
        lochan_schema__release(&field);
        LOCHAN_TRY(rc);
    }
    return LOCHAN_OK;
}

lochan_status lochan_adoption__unite(lochan_adoption *a, lochan_adopt_set *set, lochan_error *err) {
    for (size_t i = 0; i < set->n; i++)
        LOCHAN_TRY(join_file(set, &set->files[i], err));
    if (!set->schema.release)
        return lochan_error__set(err, LOCHAN_ERR_SCHEMA, "the files below '%s' have no columns",
                                 set->folder);
    int64_t stored = set->schema.n_children;
    int date = names_parts_of_a_date(set) ? find_date(set) : -1;
    for (size_t k = 0; k < set->n_keys && date < 0; k++) {
        bool is;
        LOCHAN_TRY(is_stored(set, k, &is, err));
        if (!is)
            LOCHAN_TRY(add_key_column(set, k, err));
    }
    int64_t known = set->schema.n_children;
    if (a->options->n_key > 0)
        LOCHAN_TRY(add_columns_of_updates(set, err));
    set->from_folder =
        lochan_arena__array(&a->arena, (size_t)set->schema.n_children, sizeof *set->from_folder);
    if (!set->from_folder)
        return lochan_error__nomem(err);
    for (int64_t i = stored; i < known; i++)
        set->from_folder[i] = true;
    LOCHAN_TRY(set_partition(a, set, date, err));
    return check_key(a, set, err);
}
