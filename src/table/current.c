/* current.c - folder current/: a hard link to each live file, for readers that glob; and the files
 * of one snapshot. Invariants: only names that this file wrote down in current.list are ever
 * removed from current/; the list holds a name before the name is there. A commit never fails for
 * it. May call: base/, catalog/, arrow/.
 */
#include "arrow/listing.h"
#include "base/log.h"
#include "base/str.h"
#include "catalog/lock.h"
#include "table/table.h"

#define OPTION     "current"
#define LIST_NAME  "current.list"
#define UNFINISHED "# unfinished"

enum { LIST_MAX = 1 << 30 };

/* Sorted names. */
typedef struct names {
    const char **names;
    size_t n, cap;
    lochan_buf text; /* of a list that was read */
} names;

typedef struct current {
    lochan_lake *lake;
    char *folder, *list;
    names before, now;
    lochan_known_files known;
    bool unfinished; /* the list also holds names that may not be there */
} current;

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static lochan_status push(names *n, const char *name, lochan_error *err) {
    const char **list = lochan_mem__grow((void *)n->names, n->n, &n->cap, sizeof *list);
    if (!list)
        return lochan_error__nomem(err);
    n->names = list;
    n->names[n->n++] = name;
    return LOCHAN_OK;
}

static void sort(names *n) {
    if (n->n > 1)
        qsort((void *)n->names, n->n, sizeof *n->names, compare_names);
}

static bool has(const names *n, const char *name) {
    return n->n > 0 && bsearch(&name, n->names, n->n, sizeof *n->names, compare_names);
}

/* ---- the list ---- */

static lochan_status read_list(current *c, lochan_error *err) {
    if (!lochan_fs__exists(c->list))
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_fs__read_all(c->list, LIST_MAX, &c->before.text, err));
    char *p = (char *)c->before.text.data;
    for (char *line = p; p && *line;) {
        char *end = strchr(line, '\n');
        if (!end)
            break;
        *end = '\0';
        if (strcmp(line, UNFINISHED) == 0)
            c->unfinished = true;
        else if (lochan_path__check_relative(line, NULL) == LOCHAN_OK)
            LOCHAN_TRY(push(&c->before, line, err));
        line = end + 1;
    }
    sort(&c->before);
    return LOCHAN_OK;
}

static lochan_status write_list(const current *c, bool both, lochan_error *err) {
    lochan_buf text;
    lochan_status rc = LOCHAN_OK;
    lochan_buf__init(&text, LIST_MAX);
    if (both)
        LOCHAN_TRYG(lochan_buf__puts(&text, UNFINISHED "\n", err));
    for (size_t i = 0; i < c->now.n; i++)
        LOCHAN_TRYG(lochan_buf__printf(&text, err, "%s\n", c->now.names[i]));
    for (size_t i = 0; both && i < c->before.n; i++)
        if (!has(&c->now, c->before.names[i]))
            LOCHAN_TRYG(lochan_buf__printf(&text, err, "%s\n", c->before.names[i]));
    LOCHAN_TRYG(
        lochan_fs__write_all(c->list, text.len ? (const char *)text.data : "", text.len, err));
done:
    lochan_buf__deinit(&text);
    return rc;
}

/* ---- the links ---- */

static lochan_status add_link(const current *c, const char *path, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_error seen;
    char *from = lochan_path__join(c->lake->path, path), *to = lochan_path__join(c->folder, path);
    char *folder = to ? lochan_mem__strdup(to) : NULL;
    lochan_error_init(&seen);
    if (!from || !folder) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    *strrchr(folder, '/') = '\0';
    LOCHAN_TRYG(lochan_fs__mkdirs(folder, NULL, err));
    rc = lochan_fs__link(from, to, &seen);
    if (rc == LOCHAN_ERR_EXISTS || (rc != LOCHAN_OK && lochan_fs__exists(to)))
        rc = LOCHAN_OK;
    if (rc != LOCHAN_OK && err)
        *err = seen;
done:
    lochan_mem__free(from);
    lochan_mem__free(to);
    lochan_mem__free(folder);
    return rc;
}

/* With the folders that it leaves empty. */
static lochan_status remove_link(const current *c, const char *path, lochan_error *err) {
    char *full = lochan_path__join(c->folder, path);
    if (!full)
        return lochan_error__nomem(err);
    lochan_status rc = lochan_fs__unlink(full, true, err);
    size_t root = strlen(c->folder);
    while (rc == LOCHAN_OK && strlen(full) > root) {
        *strrchr(full, '/') = '\0';
        if (strlen(full) <= root || lochan_fs__rmdir(full, true, NULL) != LOCHAN_OK)
            break;
    }
    lochan_mem__free(full);
    return rc;
}

static lochan_status follow(current *c, lochan_error *err) {
    bool changed = c->unfinished || c->now.n != c->before.n;
    for (size_t i = 0; i < c->now.n && !changed; i++)
        changed = strcmp(c->now.names[i], c->before.names[i]) != 0;
    if (!changed)
        return LOCHAN_OK;
    LOCHAN_TRY(write_list(c, true, err));
    for (size_t i = 0; i < c->now.n; i++)
        if (c->unfinished || !has(&c->before, c->now.names[i]))
            LOCHAN_TRY(add_link(c, c->now.names[i], err));
    for (size_t i = 0; i < c->before.n; i++)
        if (!has(&c->now, c->before.names[i]))
            LOCHAN_TRY(remove_link(c, c->before.names[i], err));
    return write_list(c, false, err);
}

/* on = false: every link goes. */
static lochan_status refresh(lochan_lake *lake, bool on, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_lock *lock = NULL;
    current c = {.lake = lake};
    char *locks = lochan_path__join(lake->path, "locks");
    char *lock_path = lochan_path__join(lake->path, "locks/current.lock");
    lochan_buf__init(&c.before.text, LIST_MAX);
    c.folder = lochan_path__join(lake->path, "current");
    c.list = lochan_path__join(lake->path, LIST_NAME);
    if (!locks || !lock_path || !c.folder || !c.list) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_fs__mkdirs(locks, NULL, err)); /* made with the first lock */
    LOCHAN_TRYG(lochan_lock__acquire(lock_path, "folder current", "lochan", 60000, lake->ctx.cancel,
                                     &lock, err));
    LOCHAN_TRYG(read_list(&c, err));
    LOCHAN_TRYG(lochan_catalog__known_files(lake->catalog, &c.known, err));
    for (size_t i = 0; i < c.known.n && on; i++)
        if (c.known.files[i].live)
            LOCHAN_TRYG(push(&c.now, c.known.files[i].path, err));
    sort(&c.now);
    LOCHAN_TRYG(lochan_fs__mkdirs(c.folder, NULL, err));
    LOCHAN_TRYG(follow(&c, err));
    if (!on) {
        (void)!lochan_fs__unlink(c.list, true, NULL);
        (void)!lochan_fs__rmdir(c.folder, true, NULL);
    }
done:
    lochan_lock__release(lock);
    lochan_known_files__deinit(&c.known);
    lochan_mem__free((void *)c.before.names);
    lochan_mem__free((void *)c.now.names);
    lochan_buf__deinit(&c.before.text);
    lochan_mem__free(locks);
    lochan_mem__free(lock_path);
    lochan_mem__free(c.folder);
    lochan_mem__free(c.list);
    return rc;
}

/* Another commit brings it up to date where this one could not. */
static void on_publish(void *ctx) {
    lochan_error err;
    lochan_error_init(&err);
    if (refresh(ctx, true, &err) != LOCHAN_OK)
        LOCHAN_WARN("folder current is behind the newest snapshot: %s", err.message);
}

lochan_status lochan_lake__watch_current(lochan_lake *lake, lochan_error *err) {
    char value[16];
    LOCHAN_TRY(lochan_catalog__option(lake->catalog, OPTION, value, sizeof value, err));
    lochan_catalog__on_publish(lake->catalog, strcmp(value, "on") == 0 ? on_publish : NULL, lake);
    return LOCHAN_OK;
}

lochan_status lochan_lake_keep_current(lochan_lake *lake, bool on, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake, err);
    LOCHAN_TRY(lochan_lake__check_writable(lake, err));
    if (on)
        LOCHAN_TRY(refresh(lake, true, err));
    LOCHAN_TRY(lochan_catalog__set_option(lake->catalog, OPTION, on ? "on" : "off", err));
    LOCHAN_TRY(lochan_lake__watch_current(lake, err));
    return refresh(lake, on, err);
}

/* ---- the files of a snapshot ---- */

static lochan_status list_table(lochan_lake *lake, const lochan_table_name *name, int64_t snapshot,
                                lochan_listing *list, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_table_def def = {0};
    lochan_file_list files = {0};
    LOCHAN_TRYG(
        lochan_catalog__table(lake->catalog, name->source, name->dataset, snapshot, &def, err));
    LOCHAN_TRYG(lochan_catalog__files(lake->catalog, &def, NULL, 0, &files, err));
    for (size_t i = 0; i < files.n; i++) {
        LOCHAN_TRYG(lochan_listing__string(list, 0, name->source, err));
        LOCHAN_TRYG(lochan_listing__string(list, 1, name->dataset, err));
        LOCHAN_TRYG(lochan_listing__string(list, 2, files.files[i].path, err));
        LOCHAN_TRYG(lochan_listing__int64(list, 3, files.files[i].rows, err));
        LOCHAN_TRYG(lochan_listing__int64(list, 4, files.files[i].bytes, err));
        LOCHAN_TRYG(lochan_listing__end_row(list, err));
    }
done:
    lochan_file_list__deinit(&files);
    lochan_table_def__deinit(&def);
    return rc;
}

lochan_status lochan_lake_files_at(lochan_lake *lake, const char *source, const char *dataset,
                                   const char *as_of, struct ArrowArrayStream *out,
                                   lochan_error *err) {
    static const lochan_listing_column columns[] = {{"source", "string"}, {"dataset", "string"},
                                                    {"path", "string"},   {"rows", "int64"},
                                                    {"bytes", "int64"},   {NULL, NULL}};
    lochan_status rc = LOCHAN_OK;
    lochan_snapshot at;
    lochan_table_names tables = {0};
    lochan_table_def def = {0};
    lochan_listing list = {0};
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(lake && (source || !dataset), err);
    LOCHAN_TRYG(lochan_catalog__snapshot_at(lake->catalog, as_of, &at, err));
    if (dataset)
        LOCHAN_TRYG(lochan_catalog__table(lake->catalog, source, dataset, at.id, &def, err));
    LOCHAN_TRYG(lochan_catalog__tables(lake->catalog, at.id, &tables, err));
    LOCHAN_TRYG(lochan_listing__init(&list, columns, err));
    for (size_t i = 0; i < tables.n; i++) {
        const lochan_table_name *t = &tables.names[i];
        if ((source && strcmp(source, t->source) != 0) ||
            (dataset && strcmp(dataset, t->dataset) != 0))
            continue;
        LOCHAN_TRYG(list_table(lake, t, at.id, &list, err));
    }
    LOCHAN_TRYG(lochan_listing__finish(&list, out, err));
done:
    lochan_listing__deinit(&list);
    lochan_table_def__deinit(&def);
    lochan_table_names__deinit(&tables);
    return rc;
}
