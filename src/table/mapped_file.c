/* mapped_file.c - files of other programs whose columns are known by name, some of them only by the
 * name of a folder. Invariant: what the mapping does not name is read as null, as DuckLake does it.
 * May call: base/, arrow/, catalog/read.h.
 */
#include "table/write.h"

#include "base/str.h"

enum { NO_COLUMN = INT32_MAX }; /* a field id that no column has */

int64_t lochan_data_file__column_id(const lochan_data_file *file, const struct ArrowSchema *field) {
    const lochan_name_mapping *m = file->mapping;
    if (!m)
        return lochan_schema__field_id(field);
    for (size_t i = 0; i < m->n; i++) {
        if (!m->names[i].is_partition && strcmp(m->names[i].name, field->name) == 0)
            return m->names[i].column_id;
    }
    return -1;
}

static int hex(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool lochan_hive__value(const char *path, const char *key, char *out, size_t cap) {
    size_t n = strlen(key), at = 0;
    for (const char *end; (end = strchr(path, '/')); path = end + 1) {
        const char *p = path + n + 1;
        if ((size_t)(end - path) <= n || memcmp(path, key, n) != 0 || path[n] != '=')
            continue;
        for (; p < end && at + 1 < cap; p++) {
            bool escaped = *p == '%' && end - p > 2 && hex(p[1]) >= 0 && hex(p[2]) >= 0;
            out[at++] = (char)(escaped ? hex(p[1]) * 16 + hex(p[2]) : *p);
            p += escaped ? 2 : 0;
        }
        out[at] = '\0';
        return p == end && strlen(out) == at && strcmp(out, LOCHAN_HIVE_NULL) != 0;
    }
    return false;
}

/* For each column of `to` the text that the path gives it. */
static lochan_status read_constants(const lochan_data_file *file, const struct ArrowSchema *to,
                                    const char **out, lochan_arena *arena, lochan_error *err) {
    const lochan_name_mapping *m = file->mapping;
    char value[LOCHAN_HIVE_VALUE];
    for (int64_t c = 0; c < to->n_children; c++) {
        out[c] = NULL;
        for (size_t i = 0; i < m->n; i++) {
            if (!m->names[i].is_partition ||
                m->names[i].column_id != lochan_schema__field_id(to->children[c]) ||
                !lochan_hive__value(file->path, m->names[i].name, value, sizeof value))
                continue;
            out[c] = lochan_arena__strdup(arena, value);
            if (!out[c])
                return lochan_error__nomem(err);
        }
    }
    return LOCHAN_OK;
}

/* The file's columns with the ids of the table's. */
static lochan_status label_fields(const lochan_data_file *file, const struct ArrowSchema *from,
                                  struct ArrowSchema *out, lochan_error *err) {
    LOCHAN_TRY(lochan_schema__dup(from, out, err));
    for (int64_t i = 0; i < out->n_children; i++) {
        int64_t id = lochan_data_file__column_id(file, out->children[i]);
        LOCHAN_TRY(lochan_schema__set_field_id(
            out->children[i], id >= 0 && id < NO_COLUMN ? (int32_t)id : NO_COLUMN, err));
    }
    return LOCHAN_OK;
}

lochan_status lochan_data_file__project(const lochan_data_file *file,
                                        const struct ArrowSchema *from,
                                        const struct ArrowSchema *to, lochan_projection *out,
                                        lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowSchema labelled = {0};
    lochan_arena arena;
    if (!file->mapping)
        return lochan_projection__init(out, from, to, LOCHAN_BY_FIELD_ID, err);
    memset(out, 0, sizeof *out);
    lochan_arena__init(&arena, 0);
    const char **constants =
        lochan_arena__array(&arena, (size_t)to->n_children + 1, sizeof *constants);
    if (!constants) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(read_constants(file, to, constants, &arena, err));
    LOCHAN_TRYG(label_fields(file, from, &labelled, err));
    LOCHAN_TRYG(
        lochan_projection__init_with(out, &labelled, to, LOCHAN_BY_FIELD_ID, constants, err));
done:
    lochan_schema__release(&labelled);
    lochan_arena__deinit(&arena);
    return rc;
}
