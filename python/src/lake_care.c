/* lake_care.c - looking after a lake: verify, back up, compact and repair; and, of lakes that
 * nobody has open, restore and rebuild.
 */
#include "module.h"

/* The callback that counts files. */
typedef struct watched {
    PyObject *progress;
    py_callback callback;
} watched;

static void on_files(void *payload, int64_t done, int64_t total) {
    watched *w = payload;
    PyGILState_STATE state = PyGILState_Ensure();
    py_callback__call(&w->callback, w->progress,
                      Py_BuildValue("(LL)", (long long)done, (long long)total));
    PyGILState_Release(state);
}

static lochan_lake *begin(PyObject *self, watched *w, py_call *c) {
    w->callback.lake = py_call__begin(self, c);
    return w->callback.lake;
}

static PyObject *lake_verify(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"deep", "source", "dataset", "progress", NULL};
    lochan_verify_options o = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report r = {0};
    struct ArrowArrayStream problems = {0};
    watched w = {0};
    py_call c;
    int deep = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$pzzO:verify", names, &deep, &o.source,
                                     &o.dataset, &w.progress))
        return NULL;
    o.deep = deep;
    if (w.progress && w.progress != Py_None) {
        o.progress = on_files;
        o.payload = &w;
    }
    if (!begin(self, &w, &c))
        return NULL;
    py_owner *owner = py_owner__ref(c.owner);
    lochan_status rc = lochan_lake_verify(w.callback.lake, &o, &r, &problems, &c.err);
    PyObject *table = NULL;
    if (py_callback__end(&w.callback, &c, rc) == 0)
        table = py_table__read(owner, &problems, NULL);
    else if (problems.release)
        problems.release(&problems);
    py_owner__unref(owner);
    return table ? Py_BuildValue("({s:L,s:L,s:L,s:L,s:L},N)", "files_checked",
                                 (long long)r.files_checked, "rows_checked",
                                 (long long)r.rows_checked, "bytes_read", (long long)r.bytes_read,
                                 "problems", (long long)r.problems, "unknown_files",
                                 (long long)r.unknown_files, table)
                 : NULL;
}

/* (folder, all, link, progress or None) */
static PyObject *lake_backup(PyObject *self, PyObject *args) {
    lochan_backup_options o = LOCHAN_BACKUP_OPTIONS_INIT;
    lochan_backup_report r = {0};
    PyObject *folder;
    watched w = {0};
    int all, link;
    py_call c;
    if (!PyArg_ParseTuple(args, "O&ppO:backup", PyUnicode_FSConverter, &folder, &all, &link,
                          &w.progress))
        return NULL;
    o.all = all;
    o.link = link;
    if (w.progress != Py_None) {
        o.progress = on_files;
        o.payload = &w;
    }
    const char *path = PyBytes_AsString(folder);
    lochan_lake *l = begin(self, &w, &c);
    int failed =
        !l || py_callback__end(&w.callback, &c, lochan_lake_backup(l, path, &o, &r, &c.err)) < 0;
    Py_DECREF(folder);
    return failed ? NULL
                  : Py_BuildValue("(LLLLLL)", (long long)r.snapshot_id, (long long)r.files,
                                  (long long)r.bytes, (long long)r.files_copied,
                                  (long long)r.bytes_copied, (long long)r.files_removed);
}

/* (source, dataset, full, cluster, min_files, target_bytes, max_input_bytes, min_file_bytes,
 * dry_run); 0 is the default. */
static PyObject *lake_compact(PyObject *self, PyObject *args) {
    lochan_compact_options o = LOCHAN_COMPACT_OPTIONS_INIT;
    lochan_compact_report r = {0};
    struct ArrowArrayStream plan = {0};
    const char *source, *dataset;
    long long min_files, target, most, least;
    int full, cluster, dry_run;
    py_call c;
    if (!PyArg_ParseTuple(args, "zzppLLLLp:compact", &source, &dataset, &full, &cluster, &min_files,
                          &target, &most, &least, &dry_run))
        return NULL;
    if (target < 0 || most < 0 || least < 0) {
        py_errors__format(LOCHAN_ERR_INVALID_ARGUMENT, "a number of bytes is not negative");
        return NULL;
    }
    o.dry_run = dry_run;
    o.full = full;
    o.cluster = cluster;
    o.min_files = min_files;
    o.min_file_bytes = (uint64_t)least;
    o.target_bytes = (uint64_t)target;
    o.max_input_bytes = (uint64_t)most;
    lochan_lake *l = py_call__begin(self, &c);
    if (!l)
        return NULL;
    lochan_status rc = lochan_lake_compact(l, source, dataset, &o, &r, &plan, &c.err);
    PyObject *table = py_call__end_table(&c, rc, &plan);
    return table ? Py_BuildValue("((LLLLLLLLLLLLL)N)", (long long)r.groups,
                                 (long long)r.files_joined, (long long)r.rows,
                                 (long long)r.bytes_read, (long long)r.bytes_written,
                                 (long long)r.groups_copied, (long long)r.groups_decoded,
                                 (long long)r.bytes_planned, (long long)r.groups_left,
                                 (long long)r.conflicts, (long long)r.tables_skipped,
                                 (long long)r.groups_clustered, (long long)r.snapshot_id, table)
                 : NULL;
}

/* (dir, source, dataset, key, how, dry_run) */
static PyObject *lake_adopt(PyObject *self, PyObject *args) {
    lochan_adopt_options o = LOCHAN_ADOPT_OPTIONS_INIT;
    lochan_adopt_report r = {0};
    struct ArrowArrayStream list = {0};
    const char *dir, **key = NULL;
    PyObject *names = NULL, *keeps = NULL, *table = NULL;
    int how, dry_run;
    py_call c;
    if (!PyArg_ParseTuple(args, "szzOip:adopt", &dir, &o.source, &o.dataset, &names, &how,
                          &dry_run) ||
        py_arguments__texts(names, "key", &key, &o.n_key, &keeps) < 0)
        return NULL;
    o.key = key;
    o.how = how;
    o.dry_run = dry_run;
    lochan_lake *l = py_call__begin(self, &c);
    if (l)
        table = py_call__end_table(&c, lochan_lake_adopt(l, dir, &o, &r, &list, &c.err), &list);
    PyMem_Free(key);
    Py_XDECREF(keeps);
    return table ? Py_BuildValue("((LLLLLL)N)", (long long)r.datasets, (long long)r.files,
                                 (long long)r.rows, (long long)r.bytes, (long long)r.files_known,
                                 (long long)r.snapshot_id, table)
                 : NULL;
}

/* (source, dataset, deep, force, dry_run) */
static PyObject *lake_repair(PyObject *self, PyObject *args) {
    lochan_repair_options o = LOCHAN_REPAIR_OPTIONS_INIT;
    lochan_repair_report r = {0};
    struct ArrowArrayStream plan = {0};
    const char *source, *dataset;
    int deep, force, dry_run;
    py_call c;
    if (!PyArg_ParseTuple(args, "zzppp:repair", &source, &dataset, &deep, &force, &dry_run))
        return NULL;
    o.dry_run = dry_run;
    o.deep = deep;
    o.force = force;
    lochan_lake *l = py_call__begin(self, &c);
    if (!l)
        return NULL;
    lochan_status rc = lochan_lake_repair(l, source, dataset, &o, &r, &plan, &c.err);
    PyObject *table = py_call__end_table(&c, rc, &plan);
    return table ? Py_BuildValue("((LLLLLL)N)", (long long)r.files_damaged,
                                 (long long)r.files_taken_out, (long long)r.rows_taken_out,
                                 (long long)r.intervals_reopened, (long long)r.not_repaired,
                                 (long long)r.snapshot_id, table)
                 : NULL;
}

PyMethodDef py_lake__care[] = {
    {"verify", KEYWORDS(lake_verify), METH_VARARGS | METH_KEYWORDS,
     "Compares catalog, journal and files: (report, problems)."},
    {"backup", lake_backup, METH_VARARGS,
     "(snapshot_id, files, bytes, files_copied, bytes_copied, files_removed)"},
    {"adopt", lake_adopt, METH_VARARGS, "Takes Parquet folders over: (figures, list)."},
    {"compact", lake_compact, METH_VARARGS, "Joins small files: (figures, plan)."},
    {"repair", lake_repair, METH_VARARGS, "Takes damaged files out: (figures, plan)."},
    {NULL, NULL, 0, NULL}};

/* ---- without a lake that is open ---- */

/* The figures and the list of problems; *problems may be empty. */
static PyObject *end(lochan_status rc, const lochan_error *err, PyObject *figures,
                     struct ArrowArrayStream *problems) {
    PyObject *list = NULL;
    if (rc != LOCHAN_OK) {
        if (problems->release)
            problems->release(problems);
        Py_XDECREF(figures);
        return py_errors__raise(rc, err);
    }
    list = problems->release ? py_table__read(NULL, problems, NULL) : Py_NewRef(Py_None);
    return figures && list ? Py_BuildValue("(NN)", figures, list) : NULL;
}

/* (backup, path, verify, link) */
static PyObject *restore_lake(PyObject *module, PyObject *args) {
    (void)module;
    lochan_restore_options o = LOCHAN_RESTORE_OPTIONS_INIT;
    lochan_restore_report r = {0};
    struct ArrowArrayStream problems = {0};
    PyObject *backup = NULL, *path = NULL;
    int verify, link;
    lochan_error err;
    lochan_status rc;
    if (!PyArg_ParseTuple(args, "O&O&pp:restore", PyUnicode_FSConverter, &backup,
                          PyUnicode_FSConverter, &path, &verify, &link))
        return NULL;
    o.verify = verify;
    o.link = link;
    const char *from = PyBytes_AsString(backup), *to = PyBytes_AsString(path);
    lochan_error_init(&err);
    Py_BEGIN_ALLOW_THREADS rc =
        lochan_lake_restore(from, to, NULL, &o, &r, verify ? &problems : NULL, &err);
    Py_END_ALLOW_THREADS Py_DECREF(backup);
    Py_DECREF(path);
    PyObject *figures =
        Py_BuildValue("(LLLLL)", (long long)r.snapshot_id, (long long)r.files, (long long)r.bytes,
                      (long long)r.forgotten, (long long)r.problems);
    return end(rc, &err, figures, &problems);
}

/* (path, cut, adopt) */
static PyObject *rebuild_lake(PyObject *module, PyObject *args) {
    (void)module;
    lochan_lake_rebuild_options o = LOCHAN_LAKE_REBUILD_OPTIONS_INIT;
    lochan_lake_rebuild_report r = {0};
    struct ArrowArrayStream problems = {0};
    PyObject *path = NULL;
    int cut, adopt;
    lochan_error err;
    lochan_status rc;
    if (!PyArg_ParseTuple(args, "O&pp:rebuild", PyUnicode_FSConverter, &path, &cut, &adopt))
        return NULL;
    o.cut = cut;
    o.adopt = adopt;
    const char *folder = PyBytes_AsString(path);
    lochan_error_init(&err);
    Py_BEGIN_ALLOW_THREADS rc = lochan_lake_rebuild(folder, NULL, &o, &r, &problems, &err);
    Py_END_ALLOW_THREADS Py_DECREF(path);
    PyObject *figures = Py_BuildValue("(LLLLLLL)", (long long)r.records, (long long)r.tables,
                                      (long long)r.files, (long long)r.rows, (long long)r.missing,
                                      (long long)r.unknown_files, (long long)r.adopted);
    return end(rc, &err, figures, &problems);
}

PyMethodDef py_lake__closed_care[] = {
    {"restore_lake", restore_lake, METH_VARARGS, "(figures, problems or None)"},
    {"rebuild_lake", rebuild_lake, METH_VARARGS, "(figures, problems)"},
    {NULL, NULL, 0, NULL}};
