/* adopt.c - lochan_lake_adopt: Parquet files below a folder become part of the lake as they are.
 * Invariant: everything is known and checked before the first file is touched. May call: adopt.h.
 */
#include "table/adopt.h"

#include "arrow/listing.h"

static lochan_status read_options(const lochan_adopt_options *options, lochan_adopt_options *out,
                                  lochan_error *err) {
    static const uint8_t zero[sizeof out->reserved];
    *out = (lochan_adopt_options)LOCHAN_ADOPT_OPTIONS_INIT;
    if (!options)
        return LOCHAN_OK;
    LOCHAN_CHECK_ARG(options->struct_size >= offsetof(lochan_adopt_options, reserved), err);
    memcpy(out, options, options->struct_size < sizeof *out ? options->struct_size : sizeof *out);
    LOCHAN_CHECK_ARG(memcmp(out->reserved, zero, sizeof zero) == 0, err);
    LOCHAN_CHECK_ARG(out->how >= LOCHAN_ADOPT_LINK && out->how <= LOCHAN_ADOPT_MOVE, err);
    LOCHAN_CHECK_ARG(out->n_key == 0 || out->key, err);
    return LOCHAN_OK;
}

/* A folder of the lake itself, or one that holds the lake, is no folder to adopt. */
static lochan_status check_apart(const lochan_lake *lake, const char *dir, lochan_error *err) {
    lochan_stat lake_st, st;
    lochan_status rc = LOCHAN_OK;
    LOCHAN_TRY(lochan_fs__stat(lochan_store__root(lake->store), &lake_st, err));
    char *path = lochan_mem__strdup(dir);
    if (!path)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_fs__stat(path, &st, err));
    for (int up = 0; up < 64; up++) { /* the root of the file system is its own parent */
        if (st.inode == lake_st.inode && st.device == lake_st.device) {
            rc = lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "'%s' lies in the lake", dir);
            goto done;
        }
        uint64_t inode = st.inode, device = st.device;
        char *above = lochan_path__join(path, "..");
        lochan_mem__free(path);
        path = above;
        if (!path) {
            rc = lochan_error__nomem(err);
            goto done;
        }
        LOCHAN_TRYG(lochan_fs__stat(path, &st, err));
        if (st.inode == inode && st.device == device)
            break;
    }
done:
    lochan_mem__free(path);
    return rc;
}

/* ---- the list ---- */

static lochan_status partition_text(lochan_adoption *a, const lochan_adopt_set *set,
                                    const lochan_adopt_file *f, const char **out,
                                    lochan_error *err) {
    *out = "";
    for (size_t i = 0; i < set->n_keys && *out; i++)
        *out = lochan_arena__printf(&a->arena, "%s%s%s=%s", *out, i > 0 ? "/" : "", set->keys[i],
                                    f->values[i] ? f->values[i] : "");
    return *out ? LOCHAN_OK : lochan_error__nomem(err);
}

static lochan_status show(lochan_adoption *a, struct ArrowArrayStream *out, lochan_error *err) {
    static const lochan_listing_column columns[] = {
        {"source", "string"}, {"dataset", "string"}, {"path", "string"},  {"partition", "string"},
        {"rows", "int64"},    {"bytes", "int64"},    {"state", "string"}, {NULL, NULL}};
    lochan_status rc = LOCHAN_OK;
    lochan_listing list = {0};
    LOCHAN_TRYG(lochan_listing__init(&list, columns, err));
    for (size_t i = 0; i < a->n; i++) {
        for (size_t k = 0; k < a->sets[i].n; k++) {
            const lochan_adopt_file *f = &a->sets[i].files[k];
            const char *partition;
            LOCHAN_TRYG(partition_text(a, &a->sets[i], f, &partition, err));
            LOCHAN_TRYG(lochan_listing__string(&list, 0, a->sets[i].source, err));
            LOCHAN_TRYG(lochan_listing__string(&list, 1, a->sets[i].dataset, err));
            LOCHAN_TRYG(lochan_listing__string(&list, 2, f->from, err));
            LOCHAN_TRYG(lochan_listing__string(&list, 3, partition, err));
            LOCHAN_TRYG(lochan_listing__int64(&list, 4, f->summary.rows, err));
            LOCHAN_TRYG(lochan_listing__int64(&list, 5, (int64_t)f->summary.file_size, err));
            LOCHAN_TRYG(lochan_listing__string(&list, 6, f->known ? "known" : "new", err));
            LOCHAN_TRYG(lochan_listing__end_row(&list, err));
        }
    }
    rc = lochan_listing__finish(&list, out, err);
done:
    lochan_listing__deinit(&list);
    return rc;
}

static void count(const lochan_adoption *a, lochan_adopt_report *report) {
    report->datasets = (int64_t)a->n;
    for (size_t i = 0; i < a->n; i++) {
        for (size_t k = 0; k < a->sets[i].n; k++) {
            const lochan_adopt_file *f = &a->sets[i].files[k];
            report->files += !f->known;
            report->files_known += f->known;
            report->rows += f->known ? 0 : f->summary.rows;
            report->bytes += f->known ? 0 : (int64_t)f->summary.file_size;
        }
    }
}

static lochan_status adopt(lochan_adoption *a, const char *dir, lochan_adopt_report *report,
                           struct ArrowArrayStream *list, lochan_error *err) {
    LOCHAN_TRY(check_apart(a->lake, dir, err));
    LOCHAN_TRY(lochan_adoption__find(a, dir, err));
    for (size_t i = 0; i < a->n; i++) {
        char name[260];
        lochan_format(name, sizeof name, "%s.%s", a->sets[i].source, a->sets[i].dataset);
        lochan_status rc = lochan_adoption__unite(a, &a->sets[i], err);
        LOCHAN_TRY(lochan_error__in_table(err, rc, name, NULL, -1));
    }
    LOCHAN_TRY(lochan_adoption__recognise(a, err));
    count(a, report);
    if (list)
        LOCHAN_TRY(show(a, list, err));
    if (a->options->dry_run || report->files == 0)
        return LOCHAN_OK;
    return lochan_adoption__publish(a, &report->snapshot_id, err);
}

lochan_status lochan_lake_adopt(lochan_lake *lake, const char *dir,
                                const lochan_adopt_options *options, lochan_adopt_report *report,
                                struct ArrowArrayStream *list, lochan_error *err) {
    lochan_adopt_options o;
    if (list)
        memset(list, 0, sizeof *list);
    LOCHAN_CHECK_ARG(report, err);
    memset(report, 0, sizeof *report);
    report->snapshot_id = -1;
    LOCHAN_CHECK_ARG(lake && dir && *dir, err);
    LOCHAN_TRY(read_options(options, &o, err));
    if (!o.dry_run)
        LOCHAN_TRY(lochan_lake__check_writable(lake, err));
    lochan_adoption a = {.lake = lake, .options = &o};
    lochan_arena__init(&a.arena, 0);
    lochan_status rc = adopt(&a, dir, report, list, err);
    lochan_adoption__deinit(&a);
    if (rc != LOCHAN_OK && list && list->release) {
        list->release(list);
        memset(list, 0, sizeof *list);
    }
    return rc;
}
