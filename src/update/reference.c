/* reference.c - see reference.h. May call: base/, arrow/, table/. */
#include "update/reference.h"

#include "arrow/view.h"
#include "table/partition.h"
#include "table/table.h"

#define MAX_NAME  200
#define MAX_NAMES 1000000

lochan_status lochan_names__add(lochan_names *names, lochan_arena *arena, const char *text,
                                size_t size, lochan_error *err) {
    if (size > MAX_NAME)
        return lochan_error__set(err, LOCHAN_ERR_DATA, "'%.40s...' is too long for an asset", text);
    for (size_t i = 0; i < size; i++) {
        if ((unsigned char)text[i] < 0x20)
            return lochan_error__set(err, LOCHAN_ERR_DATA,
                                     "an asset's name holds a control character");
    }
    if (names->n >= MAX_NAMES)
        return lochan_error__set(err, LOCHAN_ERR_MEMORY_LIMIT, "more than %d assets", MAX_NAMES);
    void *items = lochan_arena__grow(arena, names->items, names->n, &names->cap, sizeof(char *));
    char *copy = lochan_arena__strndup(arena, text, size);
    if (!items || !copy)
        return lochan_error__nomem(err);
    names->items = items;
    names->items[names->n++] = copy;
    return LOCHAN_OK;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void lochan_names__sort(lochan_names *names) {
    size_t n = 0;
    if (names->n == 0)
        return;
    qsort(names->items, names->n, sizeof *names->items, compare_names);
    for (size_t i = 0; i < names->n; i++) {
        if (n == 0 || strcmp(names->items[n - 1], names->items[i]) != 0)
            names->items[n++] = names->items[i];
    }
    names->n = n;
}

/* ---- scanning one column ---- */

typedef lochan_status (*take_fn)(void *ctx, const lochan_view *view, lochan_error *err);

static lochan_status scan_batches(const lochan_reference *reference,
                                  struct ArrowArrayStream *stream, take_fn take, void *ctx,
                                  lochan_error *err) {
    struct ArrowSchema schema = {0};
    lochan_status rc;
    LOCHAN_TRY(lochan_stream__schema(stream, &schema, err));
    for (bool more = true; more;) {
        struct ArrowArray batch = {0};
        lochan_view view = {0};
        LOCHAN_TRYG(lochan_stream__next(stream, &batch, err));
        more = batch.release != NULL;
        if (!more)
            break;
        rc = lochan_view__init(&view, schema.children[0], batch.children[0], err);
        if (rc == LOCHAN_OK)
            rc = take(ctx, &view, err);
        lochan_view__deinit(&view);
        lochan_array__release(&batch);
        if (rc != LOCHAN_OK) {
            lochan_error__in_table(err, rc, reference->dataset, reference->column, -1);
            goto done;
        }
    }
done:
    lochan_schema__release(&schema);
    return rc;
}

static lochan_status scan_column(lochan_lake *lake, const lochan_reference *reference, take_fn take,
                                 void *ctx, lochan_error *err) {
    lochan_table *table = NULL;
    struct ArrowArrayStream stream = {0};
    lochan_status rc =
        lochan_table__open(lake, reference->source, reference->dataset, -1, &table, err);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        lochan_error__hint(err,
                           "it is read to plan this update: run 'lochan update %.100s/%.100s' "
                           "first",
                           reference->source, reference->dataset);
    if (rc != LOCHAN_OK)
        return rc;
    int column = lochan_schema__find(&table->def.schema, reference->column);
    if (column < 0) {
        rc = lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "%s has no column '%s'", table->full_name,
                               reference->column);
        goto done;
    }
    lochan_table_scan scan = {
        .columns = &column, .n_columns = 1, .where = reference->where, .limit = -1};
    LOCHAN_TRYG(lochan_table__scan(table, &scan, &stream, err));
    LOCHAN_TRYG(scan_batches(reference, &stream, take, ctx, err));
done:
    lochan_stream__release(&stream);
    lochan_table__close(table);
    return rc;
}

/* ---- names ---- */

/* Runs of one name are the rule, so most rows cost one comparison. */
lochan_status lochan_names__of_column(lochan_names *names, lochan_arena *arena,
                                      const struct ArrowSchema *schema,
                                      const struct ArrowArray *batch, const char *column,
                                      lochan_error *err) {
    int at = lochan_schema__find(schema, column);
    lochan_view view;
    lochan_buf text;
    lochan_status rc = LOCHAN_OK;
    LOCHAN_TRY(lochan_view__init(&view, schema->children[at], batch->children[at], err));
    lochan_buf__init(&text, 1u << 20);
    for (int64_t i = 0; i < view.length && rc == LOCHAN_OK; i++) {
        const char *last = names->n ? names->items[names->n - 1] : NULL;
        lochan_buf__clear(&text);
        rc = lochan_view__print(&view, i, &text, err);
        bool same = rc == LOCHAN_OK && last && strlen(last) == text.len && text.len > 0 &&
                    memcmp(last, text.data, text.len) == 0;
        if (rc == LOCHAN_OK && !same && text.len > 0)
            rc = lochan_names__add(names, arena, (const char *)text.data, text.len, err);
    }
    lochan_names__sort(names);
    lochan_buf__deinit(&text);
    lochan_view__deinit(&view);
    return rc;
}

struct name_reader {
    lochan_arena *arena;
    lochan_names *names;
    const char *separator;
};

static lochan_status take_names(void *ctx, const lochan_view *view, lochan_error *err) {
    struct name_reader *reader = ctx;
    lochan_buf text;
    lochan_status rc = LOCHAN_OK;
    lochan_buf__init(&text, 4096);
    for (int64_t i = 0; i < view->length && rc == LOCHAN_OK; i++) {
        if (lochan_view__is_null(view, i))
            continue;
        lochan_buf__clear(&text);
        LOCHAN_TRYG(lochan_view__print(view, i, &text, err));
        if (text.len == 0)
            continue;
        const char *name = (const char *)text.data;
        LOCHAN_TRYG(lochan_names__add(reader->names, reader->arena, name, text.len, err));
        name = reader->names->items[reader->names->n - 1];
        if (strstr(name, reader->separator))
            rc = lochan_error__set(err, LOCHAN_ERR_DATA, "asset '%s' holds the separator '%s'",
                                   name, reader->separator);
    }
done:
    lochan_buf__deinit(&text);
    return rc;
}

lochan_status lochan_reference__read(lochan_lake *lake, const lochan_reference *reference,
                                     const char *separator, lochan_arena *arena, lochan_names *out,
                                     lochan_error *err) {
    struct name_reader reader = {arena, out, separator};
    LOCHAN_TRY(scan_column(lake, reference, take_names, &reader, err));
    lochan_names__sort(out);
    return LOCHAN_OK;
}

/* ---- days ---- */

struct day_reader {
    lochan_arena *arena;
    int32_t *days;
    size_t n, cap;
};

static lochan_status add_day(struct day_reader *reader, int64_t day, lochan_error *err) {
    void *days = lochan_arena__grow(reader->arena, reader->days, reader->n, &reader->cap,
                                    sizeof *reader->days);
    if (!days)
        return lochan_error__nomem(err);
    reader->days = days;
    reader->days[reader->n++] = (int32_t)day;
    return LOCHAN_OK;
}

/* A day may be a date, a timestamp, or text as 2026-01-31 or 20260131. */
static bool read_day(const lochan_view *view, int64_t i, int64_t *day) {
    if (view->type.id == LOCHAN_TYPE_DATE32 || view->type.id == LOCHAN_TYPE_TIMESTAMP)
        return lochan_view__day(view, i, day);
    lochan_str s = lochan_view__bytes(view, i);
    lochan_date_format plain;
    int32_t days = 0;
    bool good = lochan_civil__parse_date(s.p, s.n, &days) ||
                (lochan_date_format__init(&plain, "%Y%m%d", NULL) == LOCHAN_OK &&
                 lochan_date_format__parse(&plain, s.p, s.n, &days, NULL));
    *day = days;
    return good;
}

static lochan_status take_days(void *ctx, const lochan_view *view, lochan_error *err) {
    bool readable = view->type.id == LOCHAN_TYPE_DATE32 || view->type.id == LOCHAN_TYPE_TIMESTAMP ||
                    view->type.id == LOCHAN_TYPE_STRING;
    if (!readable)
        return lochan_error__set(err, LOCHAN_ERR_DATA, "a calendar's column must hold dates");
    for (int64_t i = 0; i < view->length; i++) {
        int64_t day;
        if (lochan_view__is_null(view, i))
            continue;
        if (!read_day(view, i, &day))
            return lochan_error__set(err, LOCHAN_ERR_DATA, "row %lld holds no date", (long long)i);
        LOCHAN_TRY(add_day(ctx, day, err));
    }
    return LOCHAN_OK;
}

static int compare_days(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

lochan_status lochan_calendar__read(lochan_lake *lake, const lochan_reference *reference,
                                    lochan_arena *arena, lochan_calendar *out, lochan_error *err) {
    struct day_reader reader = {.arena = arena};
    *out = (lochan_calendar){0};
    LOCHAN_TRY(scan_column(lake, reference, take_days, &reader, err));
    if (reader.n > 0)
        qsort(reader.days, reader.n, sizeof *reader.days, compare_days);
    out->days = reader.days;
    out->n = reader.n;
    return LOCHAN_OK;
}

bool lochan_calendar__has(const lochan_calendar *calendar, int32_t day) {
    return calendar->n > 0 &&
           bsearch(&day, calendar->days, calendar->n, sizeof day, compare_days) != NULL;
}
