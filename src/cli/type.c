/* type.c - Arrow format strings to the type tree of value.h.
 * Invariant: a format that is not known is UNSUPPORTED, never guessed. May call: libc.
 */
#include "cli/cli.h"
#include "cli/value.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *format;
    lochan_cli_kind kind;
    lochan_cli_layout layout;
    int width;
    bool is_unsigned;
} plain_types[] = {
    {"n", LOCHAN_CLI_NULL, 0, 0, false},
    {"b", LOCHAN_CLI_BOOL, 0, 1, false},
    {"c", LOCHAN_CLI_INT, 0, 8, false},
    {"C", LOCHAN_CLI_INT, 0, 8, true},
    {"s", LOCHAN_CLI_INT, 0, 16, false},
    {"S", LOCHAN_CLI_INT, 0, 16, true},
    {"i", LOCHAN_CLI_INT, 0, 32, false},
    {"I", LOCHAN_CLI_INT, 0, 32, true},
    {"l", LOCHAN_CLI_INT, 0, 64, false},
    {"L", LOCHAN_CLI_INT, 0, 64, true},
    {"e", LOCHAN_CLI_FLOAT, 0, 16, false},
    {"f", LOCHAN_CLI_FLOAT, 0, 32, false},
    {"g", LOCHAN_CLI_FLOAT, 0, 64, false},
    {"u", LOCHAN_CLI_STRING, LOCHAN_CLI_OFFSETS_32, 0, false},
    {"U", LOCHAN_CLI_STRING, LOCHAN_CLI_OFFSETS_64, 0, false},
    {"vu", LOCHAN_CLI_STRING, LOCHAN_CLI_VIEWS, 0, false},
    {"z", LOCHAN_CLI_BINARY, LOCHAN_CLI_OFFSETS_32, 0, false},
    {"Z", LOCHAN_CLI_BINARY, LOCHAN_CLI_OFFSETS_64, 0, false},
    {"vz", LOCHAN_CLI_BINARY, LOCHAN_CLI_VIEWS, 0, false},
    {"tdD", LOCHAN_CLI_DATE, 0, 32, false},
    {"tdm", LOCHAN_CLI_DATE, 0, 64, false},
    {"tts", LOCHAN_CLI_TIME, 0, 32, false},
    {"ttm", LOCHAN_CLI_TIME, 0, 32, false},
    {"ttu", LOCHAN_CLI_TIME, 0, 64, false},
    {"ttn", LOCHAN_CLI_TIME, 0, 64, false},
    {"tDs", LOCHAN_CLI_DURATION, 0, 64, false},
    {"tDm", LOCHAN_CLI_DURATION, 0, 64, false},
    {"tDu", LOCHAN_CLI_DURATION, 0, 64, false},
    {"tDn", LOCHAN_CLI_DURATION, 0, 64, false},
    {"+l", LOCHAN_CLI_LIST, LOCHAN_CLI_OFFSETS_32, 0, false},
    {"+L", LOCHAN_CLI_LIST, LOCHAN_CLI_OFFSETS_64, 0, false},
    {"+s", LOCHAN_CLI_STRUCT, 0, 0, false},
    {"+m", LOCHAN_CLI_MAP, LOCHAN_CLI_OFFSETS_32, 0, false},
};

static void set_unit(lochan_cli_type *type, char unit) {
    static const char units[] = "smun";
    type->per_second = 1;
    for (size_t i = 0; i < 4 && units[i] != unit; i++) {
        type->per_second *= 1000;
        type->digits += 3;
    }
}

/* "d:19,10" or "d:19,10,256". */
static bool read_decimal(const char *format, lochan_cli_type *type) {
    int precision, width = 128;
    int n = sscanf(format, "d:%d,%d,%d", &precision, &type->scale, &width);
    type->kind = LOCHAN_CLI_DECIMAL;
    type->width = width;
    bool is_width = width == 32 || width == 64 || width == 128 || width == 256;
    return n >= 2 && is_width && type->scale > -80 && type->scale <= 80;
}

static bool read_format(const char *format, lochan_cli_type *type) {
    for (size_t i = 0; i < sizeof plain_types / sizeof *plain_types; i++) {
        if (strcmp(plain_types[i].format, format) != 0)
            continue;
        type->kind = plain_types[i].kind;
        type->layout = plain_types[i].layout;
        type->width = plain_types[i].width;
        type->is_unsigned = plain_types[i].is_unsigned;
        if (format[0] == 't')
            set_unit(type, strcmp(format, "tdD") == 0 ? 's' : format[2]);
        return true;
    }
    if (format[0] == 'd')
        return read_decimal(format, type);
    if (strncmp(format, "w:", 2) == 0 || strncmp(format, "+w:", 3) == 0) {
        type->kind = format[0] == 'w' ? LOCHAN_CLI_BINARY : LOCHAN_CLI_LIST;
        type->layout = LOCHAN_CLI_FIXED;
        type->fixed = strtoll(strchr(format, ':') + 1, NULL, 10);
        return type->fixed >= 0;
    }
    if (strncmp(format, "ts", 2) == 0 && format[2] && strchr("smun", format[2]) &&
        format[3] == ':') {
        type->kind = LOCHAN_CLI_TIMESTAMP;
        type->width = 64;
        type->has_zone = format[4] != '\0';
        set_unit(type, format[2]);
        return true;
    }
    return false;
}

static lochan_status read_children(const struct ArrowSchema *schema, lochan_cli_type *type,
                                   lochan_error *err) {
    size_t n = schema->dictionary ? 1 : (size_t)schema->n_children;
    type->children = lochan_cli__alloc(n, sizeof *type->children);
    for (; type->n_children < n; type->n_children++) {
        const struct ArrowSchema *child =
            schema->dictionary ? schema->dictionary : schema->children[type->n_children];
        lochan_status rc = lochan_cli__read_type(child, &type->children[type->n_children], err);
        if (rc != LOCHAN_OK)
            return rc;
    }
    return LOCHAN_OK;
}

lochan_status lochan_cli__read_type(const struct ArrowSchema *schema, lochan_cli_type **out,
                                    lochan_error *err) {
    lochan_cli_type *type = lochan_cli__alloc(1, sizeof *type);
    const char *name = schema->name ? schema->name : "";
    *out = NULL;
    type->name = lochan_cli__dup(name, strlen(name));
    lochan_status rc = LOCHAN_OK;
    if (!read_format(schema->format, type))
        rc = lochan_cli__fail(err, LOCHAN_ERR_UNSUPPORTED,
                              "column '%s': Arrow type '%s' cannot be printed", name,
                              schema->format);
    if (rc == LOCHAN_OK)
        rc = read_children(schema, type, err);
    if (rc != LOCHAN_OK) {
        lochan_cli__free_type(type);
        return rc;
    }
    if (schema->dictionary)
        type->kind = LOCHAN_CLI_DICTIONARY;
    *out = type;
    return LOCHAN_OK;
}

void lochan_cli__free_type(lochan_cli_type *type) {
    if (!type)
        return;
    for (size_t i = 0; i < type->n_children; i++)
        lochan_cli__free_type(type->children[i]);
    free(type->children);
    free(type->name);
    free(type);
}
