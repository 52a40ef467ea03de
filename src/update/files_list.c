/* files_list.c - the files that a source's path means: a folder with all that is in it, or a
 * pattern with wildcards (* ? [a-z]) in its parts.
 * Invariants: the list is in byte order of the names; names that begin with '.' or '_' (what is
 * being written, markers) are left out unless the pattern spells that; links to folders are not
 * followed below a folder. May call: base/, files.h.
 */
#include "update/files.h"

#include "base/fs.h"
#include <fnmatch.h>
#include <stdlib.h>

enum { MAX_FILES = 1000000, MAX_DEPTH = 32, MAX_PATH = 4000 };

struct listing {
    lochan_job *job;
    const char *base; /* folder before the first wildcard */
    lochan_listed_file *files;
    size_t n, cap;
    int depth;
};

/* Endings that a folder is searched for, by format. */
static bool fits_format(lochan_source_format format, const char *name) {
    static const char *const endings[][3] = {[LOCHAN_FORMAT_CSV] = {".csv", ".tsv", ".txt"},
                                             [LOCHAN_FORMAT_TABLE] = {".json", NULL, NULL},
                                             [LOCHAN_FORMAT_RECORDS] = {".json", NULL, NULL},
                                             [LOCHAN_FORMAT_NDJSON] = {".ndjson", ".jsonl", NULL},
                                             [LOCHAN_FORMAT_PARQUET] = {".parquet", ".pq", NULL}};
    size_t n = strlen(name);
    for (int i = 0; i < 3 && endings[format][i]; i++) {
        size_t m = strlen(endings[format][i]);
        if (n > m && strcmp(name + n - m, endings[format][i]) == 0)
            return true;
    }
    return false;
}

/* The name becomes a key of the ledger and part of messages. */
static lochan_status check_name(const char *name, lochan_error *err) {
    size_t n = strlen(name);
    bool good = n <= MAX_PATH && lochan_utf8__valid(name, n);
    for (size_t i = 0; i < n; i++)
        good = good && (unsigned char)name[i] >= ' ' && name[i] != 0x7f;
    if (good)
        return LOCHAN_OK;
    return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                             "a file's name is not UTF-8, too long or has control characters: "
                             "rename it");
}

static lochan_status add_file(struct listing *list, const char *path, const lochan_stat *st,
                              lochan_error *err) {
    const char *name = path + strlen(list->base);
    name += *name == '/';
    LOCHAN_TRY(check_name(path, err));
    if (list->n >= MAX_FILES)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "more than %d files in %.200s",
                                 MAX_FILES, list->base);
    void *files = lochan_mem__grow(list->files, list->n, &list->cap, sizeof *list->files);
    if (!files)
        return lochan_error__nomem(err);
    list->files = files;
    char *copy = lochan_arena__strdup(&list->job->arena, path);
    if (!copy)
        return lochan_error__nomem(err);
    list->files[list->n++] = (lochan_listed_file){
        .path = copy, .name = copy + (name - path), .size = st->size, .mtime_ns = st->mtime_ns};
    return LOCHAN_OK;
}

/* ---- walking ---- */

struct step {
    struct listing *list;
    const char *folder;
    const char *pattern; /* what is left of it, NULL: everything below */
};

static lochan_status walk(struct listing *list, const char *folder, const char *pattern,
                          lochan_error *err);

/* An entry of a folder that is searched whole. */
static lochan_status take_entry(struct step *step, const char *path, const char *name,
                                const lochan_stat *st, lochan_error *err) {
    lochan_stat target = *st;
    if (name[0] == '.' || name[0] == '_')
        return LOCHAN_OK;
    if (st->is_dir)
        return walk(step->list, path, NULL, err);
    if (!fits_format(step->list->job->source->format, name))
        return LOCHAN_OK;
    if (st->is_link)
        LOCHAN_TRY(lochan_fs__stat(path, &target, err));
    return target.is_dir ? LOCHAN_OK : add_file(step->list, path, &target, err);
}

/* An entry that may fit the first part of the pattern. */
static lochan_status match_entry(struct step *step, const char *path, const char *name,
                                 const lochan_stat *st, lochan_error *err) {
    size_t n = strcspn(step->pattern, "/");
    const char *rest = step->pattern + n;
    char part[256];
    lochan_stat target = *st;
    if (n >= sizeof part || !lochan_format(part, sizeof part, "%.*s", (int)n, step->pattern) ||
        fnmatch(part, name, FNM_PERIOD) != 0)
        return LOCHAN_OK;
    if (st->is_link)
        LOCHAN_TRY(lochan_fs__stat(path, &target, err));
    if (*rest)
        return target.is_dir ? walk(step->list, path, rest + 1, err) : LOCHAN_OK;
    return target.is_dir ? LOCHAN_OK : add_file(step->list, path, &target, err);
}

static lochan_status on_entry(void *ctx, const char *name, const lochan_stat *st,
                              lochan_error *err) {
    struct step *step = ctx;
    char *path = lochan_path__join(step->folder, name);
    if (!path)
        return lochan_error__nomem(err);
    lochan_status rc = step->pattern ? match_entry(step, path, name, st, err)
                                     : take_entry(step, path, name, st, err);
    lochan_mem__free(path);
    return rc;
}

static lochan_status walk(struct listing *list, const char *folder, const char *pattern,
                          lochan_error *err) {
    struct step step = {list, folder, pattern};
    if (list->depth >= MAX_DEPTH)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "folders deeper than %d below %.200s", MAX_DEPTH, list->base);
    list->depth++;
    lochan_status rc = lochan_fs__list(folder, on_entry, &step, err);
    list->depth--;
    return rc;
}

/* ---- the path of the spec ---- */

/* {source_dataset} and {dataset} filled; relative paths are below the lake's folder. */
static lochan_status fill_path(const lochan_job *job, lochan_buf *out, lochan_error *err) {
    const char *const names[] = {"{source_dataset}", "{dataset}"};
    const char *const values[] = {job->spec->source_dataset, job->spec->name};
    const char *p = job->source->path;
    if (*p != '/')
        LOCHAN_TRY(lochan_buf__printf(out, err, "%s/", lochan_lake_path(job->lake)));
    while (*p) {
        size_t i = 0;
        while (i < 2 && strncmp(p, names[i], strlen(names[i])) != 0)
            i++;
        if (i == 2) {
            LOCHAN_TRY(lochan_buf__putc(out, *p++, err));
            continue;
        }
        if (strchr(values[i], '/') || strcmp(values[i], "..") == 0)
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "'%.100s' cannot be a part of a path", values[i]);
        LOCHAN_TRY(lochan_buf__puts(out, values[i], err));
        p += strlen(names[i]);
    }
    while (out->len > 1 && out->data[out->len - 1] == '/')
        out->data[--out->len] = 0;
    return LOCHAN_OK;
}

/* Cuts the path before its first part with a wildcard; *pattern = the rest, NULL = none. */
static void split_pattern(char *path, const char **pattern) {
    size_t wild = strcspn(path, "*?[");
    *pattern = NULL;
    if (!path[wild])
        return;
    while (wild > 0 && path[wild - 1] != '/')
        wild--;
    *pattern = path + wild;
    if (wild > 0)
        path[wild - 1] = 0;
}

static lochan_status list_path(struct listing *list, char *path, lochan_error *err) {
    const char *pattern;
    lochan_stat st;
    split_pattern(path, &pattern);
    const char *base = path[0] ? path : "/";
    LOCHAN_TRY(lochan_fs__stat(base, &st, err));
    if (!pattern && !st.is_dir) { /* one file; its key is its last part */
        char *slash = strrchr(path, '/');
        list->base = lochan_arena__strndup(&list->job->arena, path, (size_t)(slash - path));
        return list->base ? add_file(list, path, &st, err) : lochan_error__nomem(err);
    }
    list->base = path;
    return walk(list, base, pattern, err);
}

static int compare_files(const void *a, const void *b) {
    return strcmp(((const lochan_listed_file *)a)->name, ((const lochan_listed_file *)b)->name);
}

lochan_status lochan_files__list(lochan_job *job, lochan_listed_file **out, size_t *n,
                                 lochan_error *err) {
    struct listing list = {.job = job, .base = ""};
    lochan_buf path;
    *out = NULL;
    *n = 0;
    lochan_buf__init(&path, MAX_PATH + 1);
    lochan_status rc = fill_path(job, &path, err);
    if (rc == LOCHAN_OK)
        rc = list_path(&list, (char *)path.data, err);
    if (rc == LOCHAN_OK && list.n > 0) {
        qsort(list.files, list.n, sizeof *list.files, compare_files);
        *out = lochan_arena__array(&job->arena, list.n, sizeof **out);
        if (*out)
            memcpy(*out, list.files, list.n * sizeof **out);
        else
            rc = lochan_error__nomem(err);
        *n = rc == LOCHAN_OK ? list.n : 0;
    }
    lochan_mem__free(list.files);
    lochan_buf__deinit(&path);
    return rc;
}
