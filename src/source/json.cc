/* json.cc - the C face of simdjson's on-demand parser. The only C++ file: compiled without
 * exceptions and run-time types, memory of its own only through nothrow new.
 * Invariants: as in json.h; every value of a row is looked at, so that what on-demand parsing would
 * pass over is not taken for valid. May call: base/hash.h, base/str.h, simdjson.
 */
#include <new>
#include <simdjson.h>

extern "C" { /* headers of C know nothing of C++ */
#include "base/hash.h"
#include "base/status.h"
#include "base/str.h"
}
#include "source/json.h"

using namespace simdjson;

struct lochan_json {
    ondemand::parser parser{};
    const char *text = nullptr; /* under work */
    size_t size = 0;
    lochan_str whole = {nullptr, 0}; /* the answer that it is a part of, for the byte of an error */
};

extern "C" lochan_json *lochan_json__create(void) {
    return new (std::nothrow) lochan_json;
}

extern "C" void lochan_json__free(lochan_json *json) {
    delete json;
}

extern "C" size_t lochan_json__bytes_for(size_t n) {
    /* An index of 4 bytes for each byte, of which only the tokens' are touched, and the strings. */
    return n > SIZE_MAX / 4 ? SIZE_MAX : n * 3;
}

/* ---- errors ---- */

static long long byte_of(const lochan_json *json, const char *at) {
    bool inside = at >= json->whole.p && at <= json->whole.p + json->whole.n;
    return inside ? (long long)(at - json->whole.p) : -1;
}

static lochan_status json_error(const lochan_json *json, error_code code, const char *at,
                                lochan_error *err) {
    if (code == MEMALLOC)
        return lochan_error__nomem(err);
    if (code == CAPACITY)
        return lochan_error__set(err, LOCHAN_ERR_MEMORY_LIMIT, "JSON of more than 4 GB");
    const char *what = code == STRING_ERROR ? "a string has an invalid escape (a lone surrogate?)"
                       : code == UTF8_ERROR ? "the text is no valid UTF-8"
                       : code == EMPTY      ? "the text is empty"
                       : code == UNCLOSED_STRING            ? "a string has no end"
                       : code == UNESCAPED_CHARS            ? "a string holds a control character"
                       : code == INCOMPLETE_ARRAY_OR_OBJECT ? "a list or an object has no end"
                                                            : "a value or a comma is wrong";
    long long byte = at ? byte_of(json, at) : -1;
    if (byte >= 0)
        return lochan_error__set(err, LOCHAN_ERR_PAGE, "not valid JSON at byte %lld: %s", byte,
                                 what);
    return lochan_error__set(err, LOCHAN_ERR_PAGE, "not valid JSON: %s", what);
}

static lochan_status start(lochan_json *json, lochan_str text, ondemand::document *doc,
                           lochan_error *err) {
    json->text = text.p;
    json->size = text.n;
    if (text.n == 0)
        return json_error(json, EMPTY, nullptr, err);
    /* The bytes behind the text are read, never believed. */
    error_code code = json->parser.iterate(text.p, text.n, text.n + SIMDJSON_PADDING).get(*doc);
    static_assert(SIMDJSON_PADDING <= LOCHAN_JSON_PADDING, "padding");
    return code == SUCCESS ? (lochan_status)LOCHAN_OK : json_error(json, code, nullptr, err);
}

/* ---- values ---- */

static std::string_view trim_end(std::string_view s) {
    while (!s.empty() &&
           (s.back() == ' ' || s.back() == '\n' || s.back() == '\r' || s.back() == '\t'))
        s.remove_suffix(1);
    return s;
}

/* The text of a value up to what follows it. Behind the last token of a text that ends too early
 * simdjson knows no length: what does not lie inside the text is no value. */
static std::string_view token_of(const lochan_json *json, ondemand::value value) {
    std::string_view token = value.raw_json_token();
    const char *end = json->text + json->size;
    if (token.data() < json->text || token.data() > end ||
        token.size() > (size_t)(end - token.data()))
        return std::string_view();
    return trim_end(token);
}

/* -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)? */
static bool is_number(std::string_view s) {
    const char *p = s.data(), *end = p + s.size();
    auto digits = [&]() {
        const char *first = p;
        while (p < end && (unsigned char)(*p - '0') <= 9)
            p++;
        return p > first;
    };
    p += p < end && *p == '-';
    if (p < end && *p == '0')
        p++;
    else if (!digits())
        return false;
    if (p < end && *p == '.') {
        p++;
        if (!digits())
            return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        if (!digits())
            return false;
    }
    return p == end;
}

static lochan_json_kind kind_of(std::string_view token) {
    switch (token.empty() ? '\0' : token[0]) {
    case '"':
        return LOCHAN_JSON_STRING;
    case '[':
        return LOCHAN_JSON_LIST;
    case '{':
        return LOCHAN_JSON_OBJECT;
    case 'n':
        return token == "null" ? LOCHAN_JSON_NULL : LOCHAN_JSON_MISSING;
    case 't':
    case 'f':
        return token == "true" || token == "false" ? LOCHAN_JSON_BOOL : LOCHAN_JSON_MISSING;
    default:
        return is_number(token) ? LOCHAN_JSON_NUMBER : LOCHAN_JSON_MISSING;
    }
}

/* One value as a cell. SUCCESS, or what is wrong with it. */
static error_code to_cell(const lochan_json *json, ondemand::value value, bool nan_is_null,
                          lochan_csv_cell *cell) {
    std::string_view token = token_of(json, value);
    cell->flags = 0;
    lochan_json_kind kind = kind_of(token);
    if (kind == LOCHAN_JSON_STRING) {
        if (token.size() < 2 || token.back() != '"')
            return TAPE_ERROR; /* something follows its end */
        if (memchr(token.data(), '\\', token.size()) == nullptr)
            token = std::string_view(token.data() + 1, token.size() - 2);
        else if (error_code code = value.get_string().get(token))
            return code;
    } else if (kind == LOCHAN_JSON_NULL) {
        token = std::string_view();
        cell->flags = LOCHAN_CSV_NULL;
    } else if (kind == LOCHAN_JSON_LIST) {
        ondemand::array list;
        error_code code = value.get_array().get(list);
        if (code || (code = list.raw_json().get(token)))
            return code;
        token = trim_end(token);
    } else if (kind == LOCHAN_JSON_OBJECT) {
        ondemand::object object;
        error_code code = value.get_object().get(object);
        if (code || (code = object.raw_json().get(token)))
            return code;
        token = trim_end(token);
    } else if (kind == LOCHAN_JSON_MISSING) {
        bool nan = token == "NaN" || token == "Infinity" || token == "-Infinity";
        if (!nan)
            return NUMBER_ERROR;
        if (!nan_is_null)
            return F_ATOM_ERROR; /* stands for it, see cell_error */
        token = std::string_view();
        cell->flags = LOCHAN_CSV_NULL;
    }
    if (token.size() > UINT32_MAX / 2)
        return CAPACITY;
    cell->p = token.data() ? token.data() : "";
    cell->n = (uint32_t)token.size();
    return SUCCESS;
}

static lochan_status cell_error(const lochan_json *json, error_code code, ondemand::value value,
                                lochan_error *err) {
    std::string_view token = token_of(json, value);
    if (code == F_ATOM_ERROR) {
        lochan_status rc =
            lochan_error__set(err, LOCHAN_ERR_PAGE, "%.*s at byte %lld is no value of JSON",
                              (int)token.size(), token.data(), byte_of(json, token.data()));
        lochan_error__hint(err, "json: {nan_is_null: true} in the source's spec reads it as null");
        return rc;
    }
    return json_error(json, code, token.data(), err);
}

/* ---- values by path ---- */

struct finder {
    lochan_json *json;
    const char *const *paths;
    size_t n;
    lochan_json_span *out;
    lochan_error *err;
};

/* Whether `path` goes on with `name` after `prefix` bytes; *rest: where what follows begins. */
static bool steps_into(const char *path, size_t prefix, std::string_view name, size_t *rest) {
    const char *p = path + prefix;
    if (strncmp(p, name.data(), name.size()) != 0 || memchr(name.data(), '\0', name.size()))
        return false;
    *rest = prefix + name.size();
    return path[*rest] == '\0' || path[*rest] == '.';
}

static lochan_status walk(finder *f, ondemand::value value, const size_t *prefix, const bool *alive,
                          int depth);

/* Notes the value for each path that ends here, and looks into it for those that go on. */
static lochan_status visit(finder *f, ondemand::value value, const size_t *prefix,
                           const bool *alive, int depth) {
    bool deeper = false;
    for (size_t i = 0; i < f->n; i++)
        deeper |= alive[i] && f->paths[i][prefix[i]] != '\0';
    std::string_view token = token_of(f->json, value);
    lochan_json_kind kind = kind_of(token);
    if (kind == LOCHAN_JSON_MISSING)
        return json_error(f->json, NUMBER_ERROR, token.data(), f->err);
    if (deeper && kind == LOCHAN_JSON_OBJECT)
        return walk(f, value, prefix, alive, depth);
    if (kind == LOCHAN_JSON_LIST || kind == LOCHAN_JSON_OBJECT) {
        error_code code;
        ondemand::array list;
        ondemand::object object;
        if (kind == LOCHAN_JSON_LIST)
            code = (code = value.get_array().get(list)) ? code : list.raw_json().get(token);
        else
            code = (code = value.get_object().get(object)) ? code : object.raw_json().get(token);
        if (code)
            return json_error(f->json, code, token.data(), f->err);
        token = trim_end(token);
    }
    for (size_t i = 0; i < f->n; i++)
        if (alive[i] && f->paths[i][prefix[i]] == '\0')
            f->out[i] = {kind, {token.data(), token.size()}};
    return LOCHAN_OK;
}

enum { MAX_PATHS = 16, MAX_STEPS = 32 };

static lochan_status walk(finder *f, ondemand::value value, const size_t *prefix, const bool *alive,
                          int depth) {
    ondemand::object object;
    bool met[MAX_PATHS] = {};
    if (depth >= MAX_STEPS)
        return lochan_error__set(f->err, LOCHAN_ERR_PAGE, "a path has too many steps");
    if (error_code code = value.get_object().get(object))
        return json_error(f->json, code, nullptr, f->err);
    for (auto entry : object) {
        ondemand::field field;
        if (error_code code = std::move(entry).get(field))
            return json_error(f->json, code, nullptr, f->err);
        std::string_view name;
        if (error_code code = field.unescaped_key().get(name))
            return json_error(f->json, code, nullptr, f->err);
        size_t next[MAX_PATHS];
        bool taken[MAX_PATHS], any = false;
        for (size_t i = 0; i < f->n; i++) {
            taken[i] = alive[i] && steps_into(f->paths[i], prefix[i], name, &next[i]);
            if (taken[i] && met[i])
                return lochan_error__set(f->err, LOCHAN_ERR_PAGE,
                                         "the answer has the name '%.*s' twice in one object",
                                         (int)(name.size() < 60 ? name.size() : 60), name.data());
            if (!taken[i])
                next[i] = prefix[i];
            else if (f->paths[i][next[i]] == '.')
                next[i]++;
            met[i] |= taken[i];
            any |= taken[i];
        }
        if (any) {
            lochan_status rc = visit(f, field.value(), next, taken, depth + 1);
            if (rc != LOCHAN_OK)
                return rc;
        }
    }
    return LOCHAN_OK;
}

/* After a document nothing but blanks may follow. */
static lochan_status check_end(lochan_json *json, ondemand::document *doc, lochan_error *err) {
    const char *at;
    if (doc->current_location().get(at) == SUCCESS && at < json->text + json->size)
        return lochan_error__set(err, LOCHAN_ERR_PAGE,
                                 "not valid JSON at byte %lld: something follows its end",
                                 byte_of(json, at));
    return LOCHAN_OK;
}

extern "C" lochan_status lochan_json__find(lochan_json *json, lochan_str text,
                                           const char *const *paths, size_t n,
                                           lochan_json_span *out, lochan_error *err) {
    ondemand::document doc;
    for (size_t i = 0; i < n; i++)
        out[i] = {LOCHAN_JSON_MISSING, {nullptr, 0}};
    if (n > MAX_PATHS)
        return lochan_error__set(err, LOCHAN_ERR_INTERNAL, "too many paths");
    json->whole = text;
    lochan_status rc = start(json, text, &doc, err);
    if (rc != LOCHAN_OK)
        return rc;
    finder f = {json, paths, n, out, err};
    size_t prefix[MAX_PATHS] = {};
    bool alive[MAX_PATHS];
    for (size_t i = 0; i < n; i++)
        alive[i] = true;
    ondemand::json_type type;
    ondemand::value root;
    if (doc.type().get(type) ||
        (type != ondemand::json_type::object && type != ondemand::json_type::array))
        return lochan_error__set(err, LOCHAN_ERR_PAGE,
                                 "the answer is neither an object nor a list of JSON");
    if (error_code code = doc.get_value().get(root))
        return json_error(json, code, nullptr, err);
    std::string_view whole = trim_end(std::string_view(text.p, text.n));
    while (!whole.empty() && strchr(" \t\r\n", whole[0]))
        whole.remove_prefix(1);
    for (size_t i = 0; i < n; i++) {
        if (paths[i][0] != '\0')
            continue;
        out[i] = {type == ondemand::json_type::object ? LOCHAN_JSON_OBJECT : LOCHAN_JSON_LIST,
                  {whole.data(), whole.size()}};
        alive[i] = false;
    }
    rc = visit(&f, root, prefix, alive, 0);
    return rc == LOCHAN_OK ? check_end(json, &doc, err) : rc;
}

extern "C" lochan_status lochan_json__string(lochan_json *json, lochan_json_span span,
                                             lochan_str *out, lochan_error *err) {
    *out = {nullptr, 0};
    if (span.kind != LOCHAN_JSON_STRING) {
        *out = span.raw; /* numbers and words are their own text */
        return LOCHAN_OK;
    }
    ondemand::document doc;
    std::string_view text;
    lochan_status rc = start(json, span.raw, &doc, err);
    if (rc != LOCHAN_OK)
        return rc;
    if (error_code code = doc.get_string().get(text))
        return json_error(json, code, nullptr, err);
    *out = {text.data(), text.size()};
    return LOCHAN_OK;
}

/* ---- rows ---- */

static lochan_status in_row(lochan_error *err, lochan_status rc, int64_t row) {
    if (rc == LOCHAN_ERR_PAGE) {
        lochan_error__in_table(err, rc, nullptr, nullptr, row);
        lochan_error__prefix(err, rc, "row %lld", (long long)row);
    }
    return rc;
}

static lochan_status open_list(lochan_json *json, lochan_str text, ondemand::document *doc,
                               ondemand::array *list, lochan_error *err) {
    lochan_status rc = start(json, text, doc, err);
    if (rc != LOCHAN_OK)
        return rc;
    if (error_code code = doc->get_array().get(*list))
        return json_error(json, code, nullptr, err);
    return LOCHAN_OK;
}

extern "C" lochan_status lochan_json__count(lochan_json *json, lochan_str text, int64_t *out,
                                            lochan_error *err) {
    ondemand::document doc;
    ondemand::array list;
    *out = 0;
    lochan_status rc = open_list(json, text, &doc, &list, err);
    if (rc != LOCHAN_OK)
        return rc;
    size_t n;
    if (error_code code = list.count_elements().get(n))
        return json_error(json, code, nullptr, err);
    *out = (int64_t)n;
    return LOCHAN_OK;
}

extern "C" lochan_status lochan_json__strings(lochan_json *json, lochan_json_span span, size_t max,
                                              lochan_str *out, size_t *n, lochan_error *err) {
    ondemand::document doc;
    ondemand::array list;
    *n = 0;
    lochan_status rc = open_list(json, span.raw, &doc, &list, err);
    if (rc != LOCHAN_OK)
        return rc;
    for (auto element : list) {
        std::string_view text;
        if (*n == max)
            return lochan_error__set(err, LOCHAN_ERR_PAGE, "more than %zu fields", max);
        if (error_code code = element.get_string().get(text))
            return code == INCORRECT_TYPE
                       ? lochan_error__set(err, LOCHAN_ERR_PAGE, "field %zu has no name but %s",
                                           *n + 1, "another value")
                       : json_error(json, code, nullptr, err);
        out[(*n)++] = {text.data(), text.size()};
    }
    return LOCHAN_OK;
}

static lochan_status read_list(lochan_json *json, ondemand::value value, int64_t row,
                               const lochan_json_rows *rows, lochan_csv_cell *cells,
                               lochan_error *err) {
    ondemand::array list;
    if (error_code code = value.get_array().get(list))
        return in_row(err,
                      code == INCORRECT_TYPE
                          ? lochan_error__set(err, LOCHAN_ERR_PAGE, "expected a list of values")
                          : json_error(json, code, nullptr, err),
                      row);
    size_t k = 0;
    for (auto element : list) {
        ondemand::value cell;
        error_code code = element.get(cell);
        if (code)
            return in_row(err, json_error(json, code, nullptr, err), row);
        if (k < rows->n_cells && (code = to_cell(json, cell, rows->nan_is_null, &cells[k]))) {
            lochan_status rc = cell_error(json, code, cell, err);
            lochan_error__prefix(err, rc, "field %zu", k + 1);
            return in_row(err, rc, row);
        }
        k++;
    }
    if (k != rows->n_cells)
        return in_row(
            err,
            lochan_error__set(err, LOCHAN_ERR_PAGE, "%zu values for %zu fields", k, rows->n_cells),
            row);
    return LOCHAN_OK;
}

/* The rows of a list, handed over in blocks; read_row(value, row, cells) fills the cells of one. */
template <class Read>
static lochan_status read_blocks(lochan_json *json, lochan_str text, const lochan_json_rows *rows,
                                 Read read_row, lochan_error *err) {
    ondemand::document doc;
    ondemand::array list;
    lochan_status rc = open_list(json, text, &doc, &list, err);
    if (rc != LOCHAN_OK)
        return rc;
    int64_t row = 0;
    size_t n = 0;
    for (auto element : list) {
        ondemand::value value;
        if (error_code code = element.get(value))
            return in_row(err, json_error(json, code, nullptr, err), row);
        rc = read_row(value, row, rows->cells + n * rows->n_cells);
        if (rc == LOCHAN_OK && ++n == rows->block_rows) {
            rc = rows->fn(rows->ctx, rows->cells, n, err);
            n = 0;
        }
        if (rc != LOCHAN_OK)
            return rc;
        row++;
    }
    return n > 0 ? rows->fn(rows->ctx, rows->cells, n, err) : (lochan_status)LOCHAN_OK;
}

extern "C" lochan_status lochan_json__lists(lochan_json *json, lochan_str text,
                                            const lochan_json_rows *rows, lochan_error *err) {
    return read_blocks(
        json, text, rows,
        [=](ondemand::value value, int64_t row, lochan_csv_cell *cells) {
            return read_list(json, value, row, rows, cells, err);
        },
        err);
}

/* ---- names ---- */

struct lochan_json_names {
    struct name {
        char *text;
        size_t n;
    } * names;
    size_t n, cap, max;
    uint32_t *slots; /* open hash: index + 1 */
    size_t n_slots;  /* a power of two */
};

extern "C" lochan_json_names *lochan_json_names__create(size_t max) {
    lochan_json_names *names = new (std::nothrow) lochan_json_names{};
    if (names)
        names->max = max;
    return names;
}

extern "C" void lochan_json_names__free(lochan_json_names *names) {
    for (size_t i = 0; names && i < names->n; i++)
        delete[] names->names[i].text;
    if (names) {
        delete[] names->names;
        delete[] names->slots;
    }
    delete names;
}

extern "C" size_t lochan_json_names__count(const lochan_json_names *names) {
    return names->n;
}

extern "C" const char *lochan_json_names__get(const lochan_json_names *names, size_t i) {
    return names->names[i].text;
}

/* The slot that holds the name, or the free one where it belongs. */
static uint32_t *find_slot(const lochan_json_names *names, std::string_view name) {
    size_t mask = names->n_slots - 1, at = (size_t)lochan_hash__64(name.data(), name.size(), 0);
    for (;; at++) {
        uint32_t *slot = &names->slots[at & mask];
        if (*slot == 0)
            return slot;
        const auto &other = names->names[*slot - 1];
        if (other.n == name.size() && memcmp(other.text, name.data(), other.n) == 0)
            return slot;
    }
}

static size_t find_name(const lochan_json_names *names, std::string_view name) {
    if (names->n_slots == 0)
        return SIZE_MAX;
    uint32_t slot = *find_slot(names, name);
    return slot ? slot - 1 : SIZE_MAX;
}

/* Twice the room, for names and slots. */
static bool grow(lochan_json_names *names) {
    size_t cap = names->cap ? names->cap * 2 : 32, n_slots = cap * 2;
    auto *list = new (std::nothrow) lochan_json_names::name[cap]();
    auto *slots = new (std::nothrow) uint32_t[n_slots]();
    if (!list || !slots) {
        delete[] list;
        delete[] slots;
        return false;
    }
    if (names->n > 0)
        memcpy((void *)list, (const void *)names->names, names->n * sizeof(*list));
    delete[] names->names;
    delete[] names->slots;
    names->names = list;
    names->slots = slots;
    names->cap = cap;
    names->n_slots = n_slots;
    for (size_t i = 0; i < names->n; i++)
        *find_slot(names, {list[i].text, list[i].n}) = (uint32_t)i + 1;
    return true;
}

static lochan_status add_name(lochan_json_names *names, std::string_view name, lochan_error *err) {
    if (name.size() > 1024 || memchr(name.data(), '\0', name.size()))
        return lochan_error__set(err, LOCHAN_ERR_PAGE, "a name is no name of a field");
    if (names->n == names->max)
        return lochan_error__set(err, LOCHAN_ERR_PAGE, "the records have more than %zu fields",
                                 names->max);
    char *text = new (std::nothrow) char[name.size() + 1];
    if (!text || (names->n == names->cap && !grow(names))) {
        delete[] text;
        return lochan_error__nomem(err);
    }
    memcpy(text, name.data(), name.size());
    text[name.size()] = '\0';
    names->names[names->n] = {text, name.size()};
    *find_slot(names, name) = (uint32_t)++names->n;
    return LOCHAN_OK;
}

/* Most objects of a list have the same names in the same order: the expected one is compared where
 * it stands, before it is read. *index = SIZE_MAX if the name is not known; *name is set then. */
static error_code match_name(const lochan_json *json, const lochan_json_names *names,
                             ondemand::field *field, size_t expected, size_t *index,
                             std::string_view *name) {
    if (expected < names->n) {
        const auto &guess = names->names[expected];
        const char *raw = field->key().raw(), *end = json->text + json->size;
        if (raw < end && guess.n < (size_t)(end - raw) && memcmp(raw, guess.text, guess.n) == 0 &&
            raw[guess.n] == '"') {
            *index = expected;
            return SUCCESS;
        }
    }
    if (error_code code = field->unescaped_key().get(*name))
        return code;
    *index = find_name(names, *name);
    return SUCCESS;
}

static lochan_status open_object(lochan_json *json, ondemand::value value, ondemand::object *out,
                                 lochan_error *err) {
    error_code code = value.get_object().get(*out);
    if (code == INCORRECT_TYPE)
        return lochan_error__set(err, LOCHAN_ERR_PAGE, "expected an object");
    return code ? json_error(json, code, nullptr, err) : (lochan_status)LOCHAN_OK;
}

extern "C" lochan_status lochan_json__names(lochan_json *json, lochan_str text,
                                            lochan_json_names *names, int64_t *n_rows,
                                            lochan_error *err) {
    ondemand::document doc;
    ondemand::array list;
    *n_rows = 0;
    lochan_status rc = open_list(json, text, &doc, &list, err);
    if (rc != LOCHAN_OK)
        return rc;
    for (auto element : list) {
        ondemand::value value;
        ondemand::object object;
        if (error_code code = element.get(value))
            return in_row(err, json_error(json, code, nullptr, err), *n_rows);
        rc = open_object(json, value, &object, err);
        if (rc != LOCHAN_OK)
            return in_row(err, rc, *n_rows);
        size_t expected = 0, index;
        for (auto entry : object) {
            ondemand::field field;
            std::string_view name;
            error_code code = std::move(entry).get(field);
            if (!code)
                code = match_name(json, names, &field, expected, &index, &name);
            if (code)
                return in_row(err, json_error(json, code, nullptr, err), *n_rows);
            if (index == SIZE_MAX) {
                index = names->n;
                rc = add_name(names, name, err);
                if (rc != LOCHAN_OK)
                    return in_row(err, rc, *n_rows);
            }
            expected = index + 1;
        }
        (*n_rows)++;
    }
    return LOCHAN_OK;
}

static lochan_status read_object(lochan_json *json, ondemand::value value, int64_t row,
                                 const lochan_json_names *names, const lochan_json_rows *rows,
                                 lochan_csv_cell *cells, lochan_error *err) {
    ondemand::object object;
    lochan_status rc = open_object(json, value, &object, err);
    if (rc != LOCHAN_OK)
        return in_row(err, rc, row);
    for (size_t k = 0; k < rows->n_cells; k++)
        cells[k] = {nullptr, 0, LOCHAN_CSV_NULL};
    size_t expected = 0;
    for (auto entry : object) {
        ondemand::field field;
        std::string_view name;
        size_t k = SIZE_MAX;
        error_code code = std::move(entry).get(field);
        if (!code)
            code = match_name(json, names, &field, expected, &k, &name);
        if (code || k == SIZE_MAX)
            return in_row(err, json_error(json, code, nullptr, err), row);
        if (cells[k].p)
            return in_row(err,
                          lochan_error__set(err, LOCHAN_ERR_PAGE, "the name '%.60s' stands twice",
                                            names->names[k].text),
                          row);
        ondemand::value cell = field.value();
        if ((code = to_cell(json, cell, rows->nan_is_null, &cells[k]))) {
            rc = cell_error(json, code, cell, err);
            lochan_error__prefix(err, rc, "field '%.60s'", names->names[k].text);
            lochan_error__in_table(err, rc, nullptr, names->names[k].text, row);
            return in_row(err, rc, row);
        }
        expected = k + 1;
    }
    for (size_t k = 0; k < rows->n_cells; k++)
        if (!cells[k].p)
            cells[k].p = "";
    return LOCHAN_OK;
}

extern "C" lochan_status lochan_json__objects(lochan_json *json, lochan_str text,
                                              const lochan_json_names *names,
                                              const lochan_json_rows *rows, lochan_error *err) {
    return read_blocks(
        json, text, rows,
        [=](ondemand::value value, int64_t row, lochan_csv_cell *cells) {
            return read_object(json, value, row, names, rows, cells, err);
        },
        err);
}
