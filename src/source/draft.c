/* draft.c - finds the rows in a sample, then the types of their columns.
 * The draft is tried on the sample before it is handed out. Rules are simple and stand in the draft
 * to be corrected: a column is what all its values can be read as. May call: base/, arrow/,
 * decode.h, json.h.
 */
#include "source/draft.h"

#include "arrow/view.h"
#include "source/decode.h"
#include "source/json.h"

enum { MAX_DEPTH = 4, MAX_NAMES = 256, MAX_VISITS = 500, PATH_BYTES = 400 };

struct shape {
    const char *format;
    char items[PATH_BYTES], fields[PATH_BYTES];
    char delimiter;
    int visits; /* each reads the whole sample */
};

/* ---- where the rows are ---- */

static char first_of(lochan_str list) {
    size_t i = 1;
    while (i < list.n && strchr(" \t\r\n", list.p[i]))
        i++;
    return i < list.n ? list.p[i] : ']';
}

static void take_list(struct shape *shape, const char *path, lochan_str list) {
    char first = first_of(list);
    if (first == '{' && !shape->format) {
        shape->format = "records";
        lochan_format(shape->items, sizeof(shape->items), "%s", path);
    } else if (first == '[') {
        shape->format = "table";
        lochan_format(shape->items, sizeof(shape->items), "%s", path);
    } else if (first == '"' && !shape->fields[0]) {
        lochan_format(shape->fields, sizeof(shape->fields), "%s", path);
    }
}

/* The names of one object, through a list of it alone. */
static lochan_status list_names(lochan_json *json, lochan_str object, lochan_json_names **out,
                                lochan_error *err) {
    int64_t rows;
    lochan_buf text;
    lochan_buf__init(&text, object.n + 2 + LOCHAN_JSON_PADDING);
    *out = lochan_json_names__create(MAX_NAMES);
    lochan_status rc = *out ? lochan_buf__reserve(&text, object.n + 2 + LOCHAN_JSON_PADDING, err)
                            : lochan_error__nomem(err);
    if (rc == LOCHAN_OK)
        rc = lochan_buf__putc(&text, '[', err);
    if (rc == LOCHAN_OK)
        rc = lochan_buf__append(&text, object.p, object.n, err);
    if (rc == LOCHAN_OK)
        rc = lochan_buf__putc(&text, ']', err);
    if (rc == LOCHAN_OK)
        rc = lochan_json__names(json, (lochan_str){(const char *)text.data, text.len}, *out, &rows,
                                err);
    lochan_buf__deinit(&text);
    return rc;
}

/* Looks at the lists below the object at `path`; nearest the root comes first. */
static lochan_status explore(lochan_json *json, lochan_str text, const char *path, int depth,
                             struct shape *shape, lochan_error *err) {
    lochan_json_span at;
    LOCHAN_TRY(lochan_json__find(json, text, &path, 1, &at, err));
    if (at.kind == LOCHAN_JSON_LIST)
        take_list(shape, path, at.raw);
    if (at.kind != LOCHAN_JSON_OBJECT || depth == MAX_DEPTH || shape->visits++ > MAX_VISITS)
        return LOCHAN_OK;
    lochan_json_names *names = NULL;
    lochan_status rc = list_names(json, at.raw, &names, err);
    for (size_t i = 0; rc == LOCHAN_OK && i < lochan_json_names__count(names); i++) {
        char deeper[PATH_BYTES];
        const char *name = lochan_json_names__get(names, i);
        if (!strchr(name, '.') && name[0] && shape->visits++ < MAX_VISITS &&
            lochan_format(deeper, sizeof(deeper), "%s%s%s", path, path[0] ? "." : "", name))
            rc = explore(json, text, deeper, depth + 1, shape, err);
    }
    lochan_json_names__free(names);
    return rc;
}

static lochan_status find_json(lochan_str text, struct shape *shape, lochan_error *err) {
    lochan_json *json = lochan_json__create();
    lochan_status rc = json ? explore(json, text, "", 0, shape, err) : lochan_error__nomem(err);
    lochan_json__free(json);
    if (rc == LOCHAN_OK && (!shape->format || (shape->format[0] == 't' && !shape->fields[0])))
        rc = lochan_error__set(err, LOCHAN_ERR_PAGE,
                               "the sample has neither a list of objects nor a list of rows with "
                               "a list of field names");
    return rc;
}

/* The delimiter that the header line has most of. */
static void find_csv(lochan_str text, struct shape *shape) {
    static const char candidates[] = {',', ';', '\t', '|'};
    size_t most = 0, line = 0;
    while (line < text.n && text.p[line] != '\n')
        line++;
    shape->format = "csv";
    shape->delimiter = ',';
    for (size_t i = 0; i < sizeof(candidates); i++) {
        size_t count = 0;
        for (size_t k = 0; k < line; k++)
            count += text.p[k] == candidates[i];
        if (count > most) {
            most = count;
            shape->delimiter = candidates[i];
        }
    }
}

/* ---- types ---- */

struct kind {
    const char *name;
    const char *format; /* of dates */
};

static bool fits(const struct kind *kind, lochan_str s) {
    int64_t i;
    double d;
    lochan_date_format format;
    int32_t days;
    switch (kind->name[0]) {
    case 'i': /* a leading zero is a code's */
        return lochan_parse__int64(s.p, s.n, &i) && (s.n == 1 || s.p[0] != '0');
    case 'f':
        return lochan_parse__double(s.p, s.n, false, &d) &&
               (s.n == 1 || s.p[0] != '0' || s.p[1] == '.');
    case 'b':
        return lochan_str__eq(s, LOCHAN_STR("true")) || lochan_str__eq(s, LOCHAN_STR("false"));
    case 'd':
        return lochan_date_format__init(&format, kind->format, NULL) == LOCHAN_OK &&
               lochan_date_format__parse(&format, s.p, s.n, &days, NULL);
    default:
        return true;
    }
}

/* The first kind that all values of the column are. */
static struct kind kind_of(const lochan_view *view) {
    static const struct kind kinds[] = {{"date", "%Y-%m-%d"}, {"date", "%Y%m%d"}, {"bool", NULL},
                                        {"int64", NULL},      {"float64", NULL},  {"string", NULL}};
    bool any = false;
    for (size_t k = 0; k < LOCHAN_COUNTOF(kinds); k++) {
        bool all = true;
        any = false;
        for (int64_t i = 0; i < view->length && all; i++) {
            lochan_str s =
                lochan_view__is_valid(view, i) ? lochan_view__bytes(view, i) : (lochan_str){"", 0};
            any |= s.n > 0;
            all = s.n == 0 || fits(&kinds[k], s);
        }
        if (all && any)
            return kinds[k];
    }
    return kinds[LOCHAN_COUNTOF(kinds) - 1];
}

/* ---- the texts ---- */

static lochan_status print_source(const struct shape *shape, const char *name, lochan_buf *out,
                                  lochan_error *err) {
    LOCHAN_TRY(lochan_buf__printf(out, err,
                                  "# A draft made from a sample: put in the url, and what the "
                                  "provider wants to know.\nname: %s\nkind: http\n"
                                  "url: http://127.0.0.1:8700\npath: /{source_dataset}\n"
                                  "query: {start: \"{start}\", end: \"{end}\"}\nformat: %s\n",
                                  name, shape->format));
    if (shape->delimiter && shape->delimiter != ',')
        LOCHAN_TRY(lochan_buf__printf(out, err, "csv: {delimiter: \"%s\"}\n",
                                      shape->delimiter == '\t'  ? "\\t"
                                      : shape->delimiter == ';' ? ";"
                                                                : "|"));
    if (shape->format[0] == 'c')
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_buf__puts(out, "response: {", err));
    if (shape->format[0] == 't') {
        LOCHAN_TRY(lochan_buf__puts(out, "fields: ", err));
        LOCHAN_TRY(lochan_buf__json_string(out, shape->fields, strlen(shape->fields), err));
        LOCHAN_TRY(lochan_buf__puts(out, ", ", err));
    }
    LOCHAN_TRY(lochan_buf__puts(out, "items: ", err));
    LOCHAN_TRY(lochan_buf__json_string(out, shape->items, strlen(shape->items), err));
    return lochan_buf__puts(out, "}\n", err);
}

/* A column; fields whose names no column can have are left to new_columns. *time: there was a date
 * already, which is what windows are made of. */
static lochan_status print_column(const char *field, const struct kind *kind, bool *time,
                                  lochan_buf *out, lochan_error *err) {
    bool first = kind->format && !*time;
    if (lochan_name__check("column", field, NULL) != LOCHAN_OK || field[0] == '_')
        return LOCHAN_OK;
    *time |= first;
    LOCHAN_TRY(lochan_buf__printf(out, err, "  %s: {type: %s", first ? "time" : field, kind->name));
    if (kind->format)
        LOCHAN_TRY(lochan_buf__printf(out, err, ", format: \"%s\"", kind->format));
    return lochan_buf__puts(out, "}\n", err);
}

static lochan_status print_dataset(const char *name, const struct ArrowSchema *schema,
                                   const struct ArrowArray *batch, lochan_buf *out,
                                   lochan_error *err) {
    lochan_buf columns;
    const char *time = NULL, *key = NULL;
    bool has_time = false;
    lochan_status rc = LOCHAN_OK;
    lochan_buf__init(&columns, 1 << 20);
    for (int64_t i = 0; i < schema->n_children && rc == LOCHAN_OK; i++) {
        lochan_view view;
        const char *field = schema->children[i]->name;
        LOCHAN_TRYG(lochan_view__init(&view, schema->children[i], batch->children[i], err));
        struct kind kind = kind_of(&view);
        lochan_view__deinit(&view);
        bool usable = lochan_name__check("column", field, NULL) == LOCHAN_OK && field[0] != '_';
        if (kind.format && !has_time && usable)
            time = field;
        else if (usable && !key && kind.name[0] == 's')
            key = field;
        rc = print_column(field, &kind, &has_time, &columns, err);
    }
    LOCHAN_TRYG(rc);
    LOCHAN_TRYG(lochan_buf__printf(
        out, err,
        "# A draft made from a sample: check the types, and say what identifies a row "
        "(primary_key).\nname: %s_rows\nsource: %s\nsource_dataset: NAME\n",
        name, name));
    if (time)
        LOCHAN_TRYG(
            lochan_buf__printf(out, err, "time_column: %s\ndefault_start: 2020-01-01\n", time));
    LOCHAN_TRYG(lochan_buf__puts(out, "columns:\n", err));
    LOCHAN_TRYG(lochan_buf__append(out, columns.data, columns.len, err));
    if (key || time)
        LOCHAN_TRYG(lochan_buf__printf(out, err, "primary_key: [%s%s%s]\n", key ? key : "",
                                       key && time ? ", " : "", time ? "time" : ""));
done:
    lochan_buf__deinit(&columns);
    return rc;
}

/* ---- all of it ---- */

lochan_status lochan_source__draft(const void *sample, size_t size, const char *name,
                                   lochan_buf *source, lochan_buf *dataset, lochan_error *err) {
    struct shape shape = {0};
    lochan_source_spec *spec = NULL;
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    lochan_page_facts facts = {0};
    lochan_buf body;
    lochan_status rc;
    LOCHAN_TRY(lochan_name__check("source", name, err));
    lochan_buf__init(&body, size + 2 * LOCHAN_JSON_PADDING);
    LOCHAN_TRYG(lochan_buf__reserve(&body, size + LOCHAN_JSON_PADDING, err));
    LOCHAN_TRYG(lochan_buf__append(&body, sample, size, err));
    lochan_str text = {(const char *)body.data, body.len};
    lochan_str begin = lochan_str__trim(text);
    if (begin.n > 0 && (begin.p[0] == '{' || begin.p[0] == '['))
        LOCHAN_TRYG(find_json(text, &shape, err));
    else
        find_csv(text, &shape);
    LOCHAN_TRYG(print_source(&shape, name, source, err));
    LOCHAN_TRYG(
        lochan_source_spec__parse((const char *)source->data, source->len, "draft", &spec, err));
    const lochan_csv_options options = {.rest_type = {.id = LOCHAN_TYPE_STRING}};
    LOCHAN_TRYG(lochan_source__decode(NULL, spec, &spec->paging, &options, &body, &schema, &batch,
                                      &facts, err));
    if (batch.length == 0)
        rc = lochan_error__set(err, LOCHAN_ERR_PAGE, "the sample has no rows");
    else
        rc = print_dataset(name, &schema, &batch, dataset, err);
done:
    lochan_schema__release(&schema);
    lochan_array__release(&batch);
    lochan_page_facts__deinit(&facts);
    lochan_source_spec__free(spec);
    lochan_buf__deinit(&body);
    return rc;
}
