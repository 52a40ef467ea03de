/* adopt_find.c - the datasets below a folder, and what their files' footers say.
 *
 * A folder that holds Parquet files or folders key=value is a dataset, with all that lies below it;
 * any other folder is looked through for datasets. Names that begin with '.' or '_' are left out.
 * Invariant: nothing is guessed: a file that is no whole Parquet file ends the adoption. May call:
 * base/, parquet/.
 */
#include "table/adopt.h"

#include "base/hash.h"
#include "base/str.h"

#include <ctype.h>

enum { MAX_DEPTH = 32 };

typedef struct entry {
    const char *name;
    bool is_dir, is_link;
    uint64_t device, inode;
} entry;

typedef struct listing {
    lochan_arena *arena;
    entry *entries;
    size_t n, cap;
} listing;

static bool ends_with(const char *s, const char *end) {
    size_t n = strlen(s), m = strlen(end);
    return n > m && strcmp(s + n - m, end) == 0;
}

static bool is_parquet(const char *name) {
    return ends_with(name, ".parquet") || ends_with(name, ".pq");
}

static bool is_hive(const char *name) {
    const char *equals = strchr(name, '=');
    return equals && equals != name;
}

static lochan_status take_entry(void *ctx, const char *name, const lochan_stat *st,
                                lochan_error *err) {
    listing *l = ctx;
    if (name[0] == '.' || name[0] == '_')
        return LOCHAN_OK;
    entry *entries = lochan_arena__grow(l->arena, l->entries, l->n, &l->cap, sizeof *entries);
    if (!entries)
        return lochan_error__nomem(err);
    l->entries = entries;
    entries[l->n] = (entry){lochan_arena__strdup(l->arena, name), st->is_dir, st->is_link,
                            st->device, st->inode};
    return entries[l->n++].name ? LOCHAN_OK : lochan_error__nomem(err);
}

/* ---- names ---- */

/* The n-th part of a path from its end, n = 0 the last one. */
static const char *part_of(lochan_arena *arena, const char *path, int n) {
    const char *end = path + strlen(path), *start;
    for (;; n--) {
        while (end > path && end[-1] == '/')
            end--;
        for (start = end; start > path && start[-1] != '/';)
            start--;
        if (n == 0 || start == path)
            return lochan_arena__strndup(arena, start, n == 0 ? (size_t)(end - start) : 0);
        end = start;
    }
}

static lochan_status check_name(const char *what, const char *option, const char *name,
                                const char *folder, lochan_error *err) {
    lochan_error why;
    if (lochan_name__check(what, name, &why) == LOCHAN_OK)
        return LOCHAN_OK;
    lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                      "'%.80s' cannot be the name of the %s of folder '%s'", name, what, folder);
    lochan_error__hint(err, "name it with %s", option);
    return LOCHAN_ERR_INVALID_ARGUMENT;
}

static lochan_status add_set(lochan_adoption *a, const char *folder, lochan_adopt_set **out,
                             lochan_error *err) {
    lochan_adopt_set *sets = lochan_arena__grow(&a->arena, a->sets, a->n, &a->cap, sizeof *sets);
    if (!sets)
        return lochan_error__nomem(err);
    a->sets = sets;
    lochan_adopt_set *set = &sets[a->n];
    memset(set, 0, sizeof *set);
    a->n++;
    set->folder = folder;
    set->source = a->options->source ? a->options->source : part_of(&a->arena, folder, 1);
    set->dataset = a->options->dataset ? a->options->dataset : part_of(&a->arena, folder, 0);
    if (!set->source || !set->dataset)
        return lochan_error__nomem(err);
    LOCHAN_TRY(check_name("dataset", "--name", set->dataset, folder, err));
    LOCHAN_TRY(check_name("source", "--source", set->source, folder, err));
    for (size_t i = 0; i + 1 < a->n; i++) {
        if (strcmp(sets[i].source, set->source) == 0 && strcmp(sets[i].dataset, set->dataset) == 0)
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "folders '%s' and '%s' would both be dataset %s.%s",
                                     sets[i].folder, folder, set->source, set->dataset);
    }
    *out = set;
    return LOCHAN_OK;
}

/* ---- one file ---- */

/* The keys of a path, which those of the set must be; the first file names them. */
static lochan_status read_keys(lochan_adoption *a, lochan_adopt_set *set, lochan_adopt_file *f,
                               lochan_error *err) {
    const char *keys[MAX_DEPTH];
    char value[LOCHAN_HIVE_VALUE];
    size_t n = 0;
    const char *at = f->below;
    for (const char *end; n < MAX_DEPTH && (end = strchr(at, '/')); at = end + 1) {
        const char *equals = memchr(at, '=', (size_t)(end - at));
        if (!equals || equals == at)
            continue;
        keys[n] = lochan_arena__strndup(&a->arena, at, (size_t)(equals - at));
        if (!keys[n++])
            return lochan_error__nomem(err);
    }
    bool same = set->n == 0 || n == set->n_keys;
    for (size_t i = 0; i < n && same; i++) {
        same = set->n == 0 || strcmp(keys[i], set->keys[i]) == 0;
        for (size_t k = 0; k < i; k++)
            same = same && strcmp(keys[i], keys[k]) != 0;
    }
    if (!same) {
        lochan_status rc = lochan_error__set(
            err, LOCHAN_ERR_DATA, "the folders key=value of '%s' are not those of other files",
            f->from);
        return lochan_error__in_file(err, rc, f->from, -1);
    }
    f->values = lochan_arena__array(&a->arena, n + 1, sizeof *f->values);
    const char **list =
        set->n == 0 ? lochan_arena__array(&a->arena, n + 1, sizeof *list) : set->keys;
    if (!f->values || !list)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < n; i++) {
        list[i] = keys[i];
        if (lochan_hive__value(f->below, keys[i], value, sizeof value) &&
            !(f->values[i] = lochan_arena__strdup(&a->arena, value)))
            return lochan_error__nomem(err);
    }
    set->keys = list;
    set->n_keys = n;
    return LOCHAN_OK;
}

static lochan_status hash_content(lochan_adopt_file *f, lochan_error *err) {
    enum { CHUNK = 1 << 20 };
    lochan_status rc = LOCHAN_OK;
    lochan_file *file = NULL;
    uint8_t *chunk = lochan_mem__alloc(CHUNK);
    lochan_hasher *h = lochan_hasher__create();
    size_t got = CHUNK;
    if (!chunk || !h) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_file__open(f->from, LOCHAN_FS_READ, &file, err));
    for (uint64_t at = 0; got == CHUNK; at += got) {
        LOCHAN_TRYG(lochan_file__read_some(file, chunk, CHUNK, at, &got, err));
        lochan_hasher__update(h, chunk, got);
    }
    lochan_hash128__hex(lochan_hasher__digest(h), f->content);
done:
    lochan_hasher__free(h);
    lochan_mem__free(chunk);
    (void)lochan_file__close(file, NULL);
    return rc;
}

static lochan_status read_footer(lochan_adoption *a, lochan_adopt_file *f, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_pq_reader *reader = NULL;
    LOCHAN_TRYG(lochan_fs__stat(f->from, &f->seen, err));
    LOCHAN_TRYG(lochan_pq_reader__open_file(&a->lake->ctx, f->from, NULL, NULL, &reader, err));
    LOCHAN_TRYG(lochan_schema__dup(lochan_pq_reader__schema(reader), &f->schema, err));
    LOCHAN_TRYG(lochan_pq_reader__summary(reader, &f->summary, err));
    LOCHAN_TRYG(hash_content(f, err));
done:
    lochan_pq_reader__close(reader);
    return lochan_error__in_file(err, rc, f->from, -1);
}

/* bagelquant-data keeps old generations of a partition beside the one that counts, and only its
 * database tells them apart. */
static bool is_generation(const char *below) {
    const char *slash = strrchr(below, '/'), *name = slash ? slash + 1 : below;
    if (strncmp(name, "data-", 5) != 0 || strlen(name) != 5 + 32 + 8)
        return false;
    for (int i = 5; i < 37; i++)
        if (!isxdigit((unsigned char)name[i]))
            return false;
    return true;
}

static lochan_status check_generations(const lochan_adopt_set *set, const lochan_adopt_file *f,
                                       lochan_error *err) {
    if (set->n == 0 || !is_generation(f->below))
        return LOCHAN_OK;
    const lochan_adopt_file *before = f - 1; /* files come folder by folder */
    const char *x = strrchr(f->below, '/'), *y = strrchr(before->below, '/');
    size_t n = x ? (size_t)(x - f->below) : 0, m = y ? (size_t)(y - before->below) : 0;
    if (n != m || strncmp(f->below, before->below, n) != 0 || !is_generation(before->below))
        return LOCHAN_OK;
    lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                      "'%s' and '%s' are generations of one partition: only one of them counts",
                      before->from, f->from);
    lochan_error__hint(err, "adopt a folder with the files that bagelquant-data's manifest names");
    return lochan_error__in_file(err, LOCHAN_ERR_UNSUPPORTED, f->from, -1);
}

static lochan_status add_file(lochan_adoption *a, lochan_adopt_set *set, const char *path,
                              lochan_error *err) {
    lochan_adopt_file *files =
        lochan_arena__grow(&a->arena, set->files, set->n, &set->cap, sizeof *files);
    if (!files)
        return lochan_error__nomem(err);
    set->files = files;
    lochan_adopt_file *f = &files[set->n];
    memset(f, 0, sizeof *f);
    f->from = path;
    f->below = path + strlen(set->folder) + 1;
    LOCHAN_TRY(lochan_cancel__check(a->lake->ctx.cancel, err));
    LOCHAN_TRY(read_keys(a, set, f, err));
    LOCHAN_TRY(check_generations(set, f, err));
    set->n++; /* from here on it is freed with the set */
    return read_footer(a, f, err);
}

/* ---- folders ---- */

static bool leads_to_folder(const char *link) {
    lochan_stat st;
    return lochan_fs__stat(link, &st, NULL) == LOCHAN_OK && st.is_dir;
}

static lochan_status visit(lochan_adoption *a, const char *folder, size_t set, int depth,
                           lochan_error *err) {
    enum { NO_SET = 0 };
    listing l = {.arena = &a->arena};
    if (depth > MAX_DEPTH)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "folder '%s' lies too deep", folder);
    LOCHAN_TRY(lochan_fs__list(folder, take_entry, &l, err));
    for (size_t i = 0; set == NO_SET && i < l.n; i++) {
        lochan_adopt_set *made;
        if (l.entries[i].is_dir ? !is_hive(l.entries[i].name) : !is_parquet(l.entries[i].name))
            continue;
        LOCHAN_TRY(add_set(a, folder, &made, err));
        set = a->n;
    }
    for (size_t i = 0; i < l.n; i++) {
        const entry *e = &l.entries[i];
        const char *path = lochan_arena__printf(&a->arena, "%s/%s", folder, e->name);
        if (!path)
            return lochan_error__nomem(err);
        if (e->is_link && (is_parquet(e->name) || is_hive(e->name) || leads_to_folder(path))) {
            lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "'%s' is a symbolic link", path);
            return lochan_error__in_file(err, LOCHAN_ERR_UNSUPPORTED, path, -1);
        }
        if (e->is_dir && e->device == a->device && e->inode == a->inode)
            continue; /* the lake itself */
        if (e->is_dir)
            LOCHAN_TRY(visit(a, path, set, depth + 1, err));
        else if (set != NO_SET && !e->is_link && is_parquet(e->name))
            LOCHAN_TRY(add_file(a, &a->sets[set - 1], path, err));
    }
    return LOCHAN_OK;
}

lochan_status lochan_adoption__find(lochan_adoption *a, const char *dir, lochan_error *err) {
    size_t n = strlen(dir), files = 0;
    lochan_stat st;
    LOCHAN_TRY(lochan_fs__stat(lochan_store__root(a->lake->store), &st, err));
    a->device = st.device;
    a->inode = st.inode;
    LOCHAN_TRY(lochan_fs__stat(dir, &st, err));
    while (n > 1 && dir[n - 1] == '/')
        n--;
    const char *folder = lochan_arena__strndup(&a->arena, dir, n);
    if (!folder)
        return lochan_error__nomem(err);
    if (!st.is_dir)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "'%s' is not a folder", dir);
    LOCHAN_TRY(visit(a, folder, 0, 0, err));
    for (size_t i = 0; i < a->n; i++)
        files += a->sets[i].n;
    if (files == 0)
        return lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "there is no Parquet file below '%s'",
                                 dir);
    return LOCHAN_OK;
}

void lochan_adoption__deinit(lochan_adoption *a) {
    for (size_t i = 0; i < a->n; i++) {
        for (size_t k = 0; k < a->sets[i].n; k++) {
            lochan_schema__release(&a->sets[i].files[k].schema);
            lochan_pq_summary__deinit(&a->sets[i].files[k].summary);
        }
        lochan_schema__release(&a->sets[i].schema);
    }
    lochan_arena__deinit(&a->arena);
    memset(a, 0, sizeof *a);
}
