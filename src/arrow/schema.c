/* schema.c - making, copying and searching struct ArrowSchema.
 * Invariant: a schema made here owns its strings and slots; a child that was moved out (release
 * NULL) is passed over. May call: base/, type.h.
 */
#include "arrow/schema.h"
#include "arrow/schema_own.h"
#include "base/str.h"

#define MAX_DEPTH 64

/* What private_data of our schemas points to. */
typedef struct schema_own {
    char *format;
    char *name;
    char *metadata;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *slots; /* the children themselves, one block */
    struct ArrowSchema *dictionary;
} schema_own;

static void release_own(struct ArrowSchema *schema) {
    if (!schema->release)
        return;
    schema_own *own = schema->private_data;
    for (int64_t i = 0; i < own->n_children; i++)
        lochan_schema__release(&own->slots[i]);
    lochan_schema__release(own->dictionary);
    lochan_mem__free(own->dictionary);
    lochan_mem__free(own->children);
    lochan_mem__free(own->slots);
    lochan_mem__free(own->metadata);
    lochan_mem__free(own->name);
    lochan_mem__free(own->format);
    lochan_mem__free(own);
    memset(schema, 0, sizeof *schema);
}

void lochan_schema__release(struct ArrowSchema *schema) {
    if (schema && schema->release)
        schema->release(schema);
}

void lochan_schema__move(struct ArrowSchema *from, struct ArrowSchema *to) {
    *to = *from;
    memset(from, 0, sizeof *from);
}

static bool alloc_children(schema_own *own, int64_t n) {
    if (n == 0)
        return true;
    own->slots = lochan_mem__array((size_t)n, sizeof *own->slots);
    own->children = lochan_mem__array((size_t)n, sizeof(struct ArrowSchema *));
    if (!own->slots || !own->children)
        return false;
    for (int64_t i = 0; i < n; i++)
        own->children[i] = &own->slots[i];
    own->n_children = n;
    return true;
}

/* Fills *out with owned copies of the strings and n empty children. On failure *out is released. */
static lochan_status make(struct ArrowSchema *out, const char *format, const char *name,
                          int64_t flags, int64_t n_children, lochan_error *err) {
    memset(out, 0, sizeof *out);
    if (n_children < 0 || n_children > LOCHAN_SCHEMA_MAX_CHILDREN)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "a schema of %lld children",
                                 (long long)n_children);
    schema_own *own = lochan_mem__zalloc(sizeof *own);
    if (!own)
        return lochan_error__nomem(err);
    out->private_data = own;
    out->release = release_own;
    own->format = lochan_mem__strdup(format);
    own->name = lochan_mem__strdup(name ? name : "");
    if (!own->format || !own->name || !alloc_children(own, n_children)) {
        release_own(out);
        return lochan_error__nomem(err);
    }
    out->format = own->format;
    out->name = own->name;
    out->flags = flags;
    out->n_children = n_children;
    out->children = own->children;
    return LOCHAN_OK;
}

static struct ArrowSchema *add_dictionary(struct ArrowSchema *schema) {
    schema_own *own = schema->private_data;
    own->dictionary = lochan_mem__zalloc(sizeof *own->dictionary);
    schema->dictionary = own->dictionary;
    return own->dictionary;
}

lochan_status lochan_schema__init_struct(struct ArrowSchema *out, int64_t n_children,
                                         lochan_error *err) {
    return make(out, "+s", "", 0, n_children, err);
}

lochan_status lochan_schema__set_field(struct ArrowSchema *field, const char *name,
                                       const lochan_type *type, bool nullable, lochan_error *err) {
    return lochan_schema__set_nested(field, name, type, nullable, 0, err);
}

lochan_status lochan_schema__set_nested(struct ArrowSchema *field, const char *name,
                                        const lochan_type *type, bool nullable, int64_t n_children,
                                        lochan_error *err) {
    char format[64];
    lochan_type__format(type, format);
    return make(field, format, name, nullable ? ARROW_FLAG_NULLABLE : 0, n_children, err);
}

lochan_status lochan_schema__set_dictionary(struct ArrowSchema *field, const char *name,
                                            const lochan_type *index, const lochan_type *value,
                                            bool nullable, lochan_error *err) {
    memset(field, 0, sizeof *field);
    if (!lochan_type__is_integer(index->id))
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "dictionary keys of column '%s' must be integers", name);
    LOCHAN_TRY(lochan_schema__set_field(field, name, index, nullable, err));
    struct ArrowSchema *dictionary = add_dictionary(field);
    lochan_status rc = dictionary ? lochan_schema__set_field(dictionary, "", value, true, err)
                                  : lochan_error__nomem(err);
    if (rc != LOCHAN_OK)
        lochan_schema__release(field);
    return rc;
}

static lochan_status copy_metadata(const struct ArrowSchema *in, struct ArrowSchema *out,
                                   lochan_error *err) {
    size_t n;
    if (!in->metadata)
        return LOCHAN_OK;
    if (!lochan_schema__metadata_size(in->metadata, &n))
        return lochan_error__set(err, LOCHAN_ERR_DATA, "metadata of column '%.100s' is damaged",
                                 in->name ? in->name : "");
    char *copy = lochan_mem__alloc(n);
    if (!copy)
        return lochan_error__nomem(err);
    memcpy(copy, in->metadata, n);
    lochan_schema__own_metadata(out, copy);
    return LOCHAN_OK;
}

static lochan_status dup_at(const struct ArrowSchema *in, struct ArrowSchema *out, int depth,
                            lochan_error *err) {
    memset(out, 0, sizeof *out);
    if (depth > MAX_DEPTH || !in->release || !in->format || (in->n_children > 0 && !in->children))
        return lochan_error__set(err, LOCHAN_ERR_DATA,
                                 "schema is released, too deep or without its children");
    lochan_status rc;
    LOCHAN_TRY(make(out, in->format, in->name, in->flags, in->n_children, err));
    LOCHAN_TRYG(copy_metadata(in, out, err));
    for (int64_t i = 0; i < in->n_children; i++)
        LOCHAN_TRYG(dup_at(in->children[i], out->children[i], depth + 1, err));
    if (in->dictionary) {
        struct ArrowSchema *dictionary = add_dictionary(out);
        if (!dictionary)
            LOCHAN_TRYG(lochan_error__nomem(err));
        LOCHAN_TRYG(dup_at(in->dictionary, dictionary, depth + 1, err));
    }
done:
    if (rc != LOCHAN_OK)
        lochan_schema__release(out);
    return rc;
}

lochan_status lochan_schema__dup(const struct ArrowSchema *in, struct ArrowSchema *out,
                                 lochan_error *err) {
    return dup_at(in, out, 0, err);
}

lochan_status lochan_schema__select(const struct ArrowSchema *in, const int *columns, size_t n,
                                    struct ArrowSchema *out, lochan_error *err) {
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < n; i++)
        if (columns[i] < 0 || columns[i] >= in->n_children)
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "column %d of a schema of %lld columns", columns[i],
                                     (long long)in->n_children);
    lochan_status rc;
    LOCHAN_TRY(make(out, in->format, in->name, in->flags, (int64_t)n, err));
    LOCHAN_TRYG(copy_metadata(in, out, err));
    for (size_t i = 0; i < n; i++)
        LOCHAN_TRYG(dup_at(in->children[columns[i]], out->children[i], 1, err));
done:
    if (rc != LOCHAN_OK)
        lochan_schema__release(out);
    return rc;
}

int lochan_schema__find(const struct ArrowSchema *schema, const char *name) {
    for (int64_t i = 0; name && i < schema->n_children; i++) {
        const char *have = schema->children[i]->name;
        if (strcmp(have ? have : "", name) == 0)
            return (int)i;
    }
    return -1;
}

bool lochan_schema__is_own(const struct ArrowSchema *schema) {
    return schema->release == release_own;
}

void lochan_schema__own_metadata(struct ArrowSchema *schema, char *metadata) {
    schema_own *own = schema->private_data;
    lochan_mem__free(own->metadata);
    own->metadata = metadata;
    schema->metadata = metadata;
}
