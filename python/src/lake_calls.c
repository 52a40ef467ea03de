/* lake_calls.c - methods of Lake that take texts and give nothing, a number, a text or rows: one
 * line of CALLS each. And those that take a spec, or give the figures of a clean-up.
 */
#include "module.h"

#include <string.h>

/* ---- calls by name ---- */

typedef enum kind { NOTHING, NUMBER, TEXT, ROWS, STREAM } kind;

typedef struct answer {
    int64_t number;
    char *text;
    struct ArrowArrayStream rows;
} answer;

/* What stands in the fourth column of a call: t its texts, n its number, flag; out, its answer. */
typedef lochan_status call_function(lochan_lake *l, const char *const *t, int64_t n, bool flag,
                                    answer *out, lochan_error *err);

#define TOKEN(text) (&(lochan_commit_options){sizeof(lochan_commit_options), text, {0}})

/* Name, what it gives, how many of its texts must not be None, the call. */
/* clang-format off */
#define CALLS(CALL)                                                                                \
    CALL(source_add_bundled, NOTHING, 1, lochan_source_add_bundled(l, t[0], err))                  \
    CALL(source_set, NOTHING, 2, lochan_source_set(l, t[0], t[1], t[2], err))                      \
    CALL(source_remove, NOTHING, 1, lochan_source_remove(l, t[0], err))                            \
    CALL(source_unregister, NOTHING, 1, lochan_source_unregister(l, t[0], err))                    \
    CALL(source, TEXT, 1, lochan_source_show(l, t[0], &out->text, err))                            \
    CALL(sources, ROWS, 0, lochan_source_list(l, &out->rows, err))                                 \
    CALL(dataset_add_bundled, NUMBER, 1, lochan_dataset_add_bundled(l, t[0], &out->number, err))   \
    CALL(dataset_enable, NOTHING, 2, lochan_dataset_enable(l, t[0], t[1], flag, err))              \
    CALL(dataset_remove, NOTHING, 2, lochan_dataset_remove(l, t[0], t[1], flag, err))              \
    CALL(dataset, TEXT, 2, lochan_dataset_show(l, t[0], t[1], &out->text, err))                    \
    CALL(datasets, ROWS, 0, lochan_dataset_list(l, &out->rows, err))                               \
    CALL(status, ROWS, 0, lochan_status_datasets(l, t[0], t[1], &out->rows, err))                  \
    CALL(updates, ROWS, 0, lochan_status_runs(l, t[0], t[1], n, &out->rows, err))                  \
    CALL(files, ROWS, 0, lochan_lake_files(l, t[0], t[1], &out->rows, err))                        \
    CALL(files_at, ROWS, 0, lochan_lake_files_at(l, t[0], t[1], t[2], &out->rows, err))            \
    CALL(keep_current, NOTHING, 0, lochan_lake_keep_current(l, flag, err))                         \
    CALL(set_retention, NOTHING, 0, lochan_lake_set_retention(l, n, err))                          \
    CALL(partitions, ROWS, 0, lochan_status_partitions(l, t[0], t[1], &out->rows, err))            \
    CALL(scopes, ROWS, 0, lochan_status_scopes(l, t[0], t[1], &out->rows, err))                    \
    CALL(failures, ROWS, 0, lochan_status_failures(l, t[0], t[1], n, &out->rows, err))             \
    CALL(gaps, ROWS, 2, lochan_status_gaps(l, t[0], t[1], t[2], t[3], &out->rows, err))            \
    CALL(rejects, ROWS, 0, lochan_status_rejects(l, t[0], t[1], t[2], &out->rows, err))            \
    CALL(release, NUMBER, 2, lochan_rejects_release(l, t[0], t[1], t[2], &out->number, err))       \
    CALL(drop, NUMBER, 2, lochan_rejects_drop(l, t[0], t[1], t[2], &out->number, err))             \
    CALL(raw, ROWS, 0, lochan_raw_list(l, t[0], t[1], &out->rows, err))                            \
    CALL(snapshots, ROWS, 0, lochan_lake_snapshots(l, t[0], t[1], n, &out->rows, err))             \
    CALL(tag, NUMBER, 1, lochan_lake_tag(l, t[0], t[1], TOKEN(t[2]), &out->number, err))           \
    CALL(untag, NOTHING, 1, lochan_lake_untag(l, t[0], TOKEN(t[1]), err))                          \
    CALL(diff, STREAM, 2, lochan_lake_diff(l, t[0], t[1], t[2], t[3], &out->rows, err))            \
    CALL(rollback, NUMBER, 3, lochan_lake_rollback(l, t[0], t[1], t[2], TOKEN(t[3]), &out->number, err)) \
    CALL(sql, TEXT, 0, lochan_lake_sql(l, &out->text, err))                                        \
    CALL(tables, ROWS, 0, lochan_run_table_list(l, &out->rows, err))                               \
    CALL(table, TEXT, 1, lochan_run_table_show(l, t[0], &out->text, err))                          \
    CALL(columns, ROWS, 1, lochan_run_table_columns(l, t[0], &out->rows, err))                     \
    CALL(runs, ROWS, 0, lochan_run_list(l, &out->rows, err))                                       \
    CALL(runs_of, ROWS, 0, lochan_runs_of(l, t[0], &out->rows, err))                               \
    CALL(run, TEXT, 1, lochan_run_export(l, t[0], &out->text, err))                                \
    CALL(run_delete, NUMBER, 1, lochan_run_delete(l, t[0], &out->number, err))

/* The same, of those that need no lake: functions of the module. */
#define LAKELESS_CALLS(CALL)                                                                       \
    CALL(bundled, ROWS, 0, lochan_bundled_list(&out->rows, err))                                   \
    CALL(bundled_tables, ROWS, 0, lochan_run_table_list(NULL, &out->rows, err))                    \
    CALL(bundled_table, TEXT, 1, lochan_run_table_show(NULL, t[0], &out->text, err))               \
    CALL(bundled_columns, ROWS, 1, lochan_run_table_columns(NULL, t[0], &out->rows, err))          \
    CALL(check_run_id, NOTHING, 1, lochan_run_check_id(t[0], err))
/* clang-format on */

#define DEFINE(name, kind, required, call)                                                         \
    static lochan_status call_##name(lochan_lake *l, const char *const *t, int64_t n, bool flag,   \
                                     answer *out, lochan_error *err) {                             \
        (void)l, (void)t, (void)n, (void)flag, (void)out;                                          \
        return call;                                                                               \
    }
CALLS(DEFINE)
LAKELESS_CALLS(DEFINE)

typedef struct entry {
    const char *name;
    kind gives;
    int required;
    call_function *call;
} entry;
#define ENTRY(name, kind, required, call) {#name, kind, required, call_##name},
static const entry calls[] = {CALLS(ENTRY){NULL, NOTHING, 0, NULL}};
static const entry lakeless_calls[] = {LAKELESS_CALLS(ENTRY){NULL, NOTHING, 0, NULL}};

/* A call with its arguments: (name, text, text, text, text, number, flag). */
typedef struct asked {
    const entry *entry;
    const char *texts[4];
    long long number;
    int flag;
} asked;

static int read_asked(PyObject *args, const entry *list, kind gives, asked *a) {
    const char *name;
    *a = (asked){.number = -1};
    if (!PyArg_ParseTuple(args, "s|zzzzLp", &name, &a->texts[0], &a->texts[1], &a->texts[2],
                          &a->texts[3], &a->number, &a->flag))
        return -1;
    while (list->name && (strcmp(list->name, name) != 0 || list->gives != gives))
        list++;
    if (!list->name) {
        py_errors__format(LOCHAN_ERR_INVALID_ARGUMENT, "there is no call '%.40s'", name);
        return -1;
    }
    for (int i = 0; i < list->required; i++) {
        if (!a->texts[i]) {
            PyErr_Format(PyExc_TypeError, "%s: expected str, got None", name);
            return -1;
        }
    }
    a->entry = list;
    return 0;
}

static PyObject *call_lake(PyObject *self, PyObject *args, kind gives) {
    asked a;
    answer out = {0};
    py_call c;
    if (read_asked(args, calls, gives, &a) < 0)
        return NULL;
    lochan_lake *l = py_call__begin(self, &c);
    if (!l)
        return NULL;
    lochan_status rc = a.entry->call(l, a.texts, a.number, a.flag != 0, &out, &c.err);
    switch (gives) {
    case TEXT:
        return py_call__end_text(&c, rc, &out.text);
    case ROWS:
        return py_call__end_table(&c, rc, &out.rows);
    case STREAM:
        return py_call__end_scan(&c, rc, &out.rows);
    case NUMBER:
        return py_call__end(&c, rc) < 0 ? NULL : PyLong_FromLongLong(out.number);
    default:
        return py_call__end(&c, rc) < 0 ? NULL : Py_NewRef(Py_None);
    }
}

static PyObject *lake_do(PyObject *self, PyObject *args) {
    return call_lake(self, args, NOTHING);
}
static PyObject *lake_number(PyObject *self, PyObject *args) {
    return call_lake(self, args, NUMBER);
}
static PyObject *lake_text(PyObject *self, PyObject *args) {
    return call_lake(self, args, TEXT);
}
static PyObject *lake_rows(PyObject *self, PyObject *args) {
    return call_lake(self, args, ROWS);
}
static PyObject *lake_stream(PyObject *self, PyObject *args) {
    return call_lake(self, args, STREAM);
}

static PyObject *call_lakeless(PyObject *args, kind gives) {
    asked a;
    answer out = {0};
    lochan_error err;
    if (read_asked(args, lakeless_calls, gives, &a) < 0)
        return NULL;
    lochan_error_init(&err);
    lochan_status rc = a.entry->call(NULL, a.texts, a.number, a.flag != 0, &out, &err);
    if (rc != LOCHAN_OK)
        return py_errors__raise(rc, &err);
    if (gives == ROWS)
        return py_table__read(NULL, &out.rows, NULL);
    if (gives == NOTHING)
        return Py_NewRef(Py_None);
    PyObject *text = py_arguments__text(out.text);
    lochan_free(out.text);
    return text;
}

static PyObject *module_do(PyObject *module, PyObject *args) {
    (void)module;
    return call_lakeless(args, NOTHING);
}
static PyObject *module_text(PyObject *module, PyObject *args) {
    (void)module;
    return call_lakeless(args, TEXT);
}
static PyObject *module_rows(PyObject *module, PyObject *args) {
    (void)module;
    return call_lakeless(args, ROWS);
}

/* ---- specs ---- */

typedef lochan_status spec_function(lochan_lake *, const char *, size_t, const char *, bool,
                                    lochan_error *);

/* (kind, yaml, file, replace): kind is source, dataset or table; file names the text in errors. */
static PyObject *lake_add(PyObject *self, PyObject *args) {
    const char *what, *yaml, *file;
    Py_ssize_t size;
    int replace;
    py_call c;
    if (!PyArg_ParseTuple(args, "ss#zp:add", &what, &yaml, &size, &file, &replace))
        return NULL;
    spec_function *add = *what == 's'   ? lochan_source_add
                         : *what == 'd' ? lochan_dataset_add
                                        : lochan_run_table_add;
    lochan_lake *l = py_call__begin(self, &c);
    if (!l || py_call__end(&c, add(l, yaml, (size_t)size, file, replace != 0, &c.err)) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* (yaml, file) */
static PyObject *lake_compare(PyObject *self, PyObject *args) {
    const char *yaml, *file;
    Py_ssize_t size;
    bool changed = false;
    py_call c;
    if (!PyArg_ParseTuple(args, "s#z:compare", &yaml, &size, &file))
        return NULL;
    lochan_lake *l = py_call__begin(self, &c);
    if (!l ||
        py_call__end(&c, lochan_dataset_compare(l, yaml, (size_t)size, file, &changed, &c.err)) < 0)
        return NULL;
    return PyBool_FromLong(changed);
}

/* ---- clean-ups ---- */

static PyObject *lake_expire(PyObject *self, PyObject *args) {
    lochan_expire_options o = LOCHAN_EXPIRE_OPTIONS_INIT;
    lochan_expire_report r = {0};
    long long older_than, keep;
    int dry_run;
    py_call c;
    if (!PyArg_ParseTuple(args, "LLpz:expire", &older_than, &keep, &dry_run, &o.token))
        return NULL;
    o.older_than = older_than;
    o.keep_newest = keep;
    o.dry_run = dry_run;
    lochan_lake *l = py_call__begin(self, &c);
    if (!l || py_call__end(&c, lochan_lake_expire(l, &o, &r, &c.err)) < 0)
        return NULL;
    return Py_BuildValue("(LLL)", (long long)r.snapshots, (long long)r.files, (long long)r.bytes);
}

static PyObject *lake_gc(PyObject *self, PyObject *args) {
    lochan_gc_options o = LOCHAN_GC_OPTIONS_INIT;
    lochan_gc_report r = {0};
    struct ArrowArrayStream plan = {0};
    long long grace;
    int dry_run;
    py_call c;
    if (!PyArg_ParseTuple(args, "Lpz:gc", &grace, &dry_run, &o.token))
        return NULL;
    o.grace = grace;
    o.dry_run = dry_run;
    lochan_lake *l = py_call__begin(self, &c);
    if (!l)
        return NULL;
    PyObject *table = py_call__end_table(&c, lochan_lake_gc(l, &o, &r, &plan, &c.err), &plan);
    return table ? Py_BuildValue("(LLLN)", (long long)r.files, (long long)r.bytes,
                                 (long long)r.waiting, table)
                 : NULL;
}

static PyObject *lake_commit_status(PyObject *self, PyObject *args) {
    const char *token;
    lochan_commit_state state = LOCHAN_COMMIT_UNKNOWN;
    int64_t snapshot_id = -1;
    py_call c;
    if (!PyArg_ParseTuple(args, "s:commit_status", &token))
        return NULL;
    lochan_lake *l = py_call__begin(self, &c);
    if (!l || py_call__end(&c, lochan_commit_status(l, token, &state, &snapshot_id, &c.err)) < 0)
        return NULL;
    return Py_BuildValue("(OL)", state == LOCHAN_COMMIT_DONE ? Py_True : Py_False,
                         (long long)snapshot_id);
}

/* ---- what others put together ---- */

PyMethodDef py_lake__calls[] = {
    {"do", lake_do, METH_VARARGS, "Makes a call that gives nothing."},
    {"number", lake_number, METH_VARARGS, "Makes a call that gives a number."},
    {"text", lake_text, METH_VARARGS, "Makes a call that gives a text."},
    {"rows", lake_rows, METH_VARARGS, "Makes a call that gives a Table."},
    {"stream", lake_stream, METH_VARARGS, "Makes a call that gives a ScanStream."},
    {"add", lake_add, METH_VARARGS, "Adds a source, dataset or run table from YAML."},
    {"compare", lake_compare, METH_VARARGS, "Whether a dataset's rows were made otherwise."},
    {"expire", lake_expire, METH_VARARGS, "Forgets snapshots: (snapshots, files, bytes)."},
    {"gc", lake_gc, METH_VARARGS, "Removes forgotten files: (files, bytes, waiting, plan)."},
    {"commit_status", lake_commit_status, METH_VARARGS, "(done, snapshot_id) of a token."},
    {NULL, NULL, 0, NULL}};

PyMethodDef py_lake__lakeless[] = {
    {"do", module_do, METH_VARARGS, "Makes a call that needs no lake and gives nothing."},
    {"text", module_text, METH_VARARGS, "The same, giving a text."},
    {"rows", module_rows, METH_VARARGS, "The same, giving a Table."},
    {NULL, NULL, 0, NULL}};
