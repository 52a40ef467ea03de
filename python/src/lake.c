/* lake.c - Lake: one open lake. lochan/lake.py puts a friendlier face on it.
 * Invariant: every call holds the lake open by itself, so that close() may come from any thread at
 * any time.
 */
#include "module.h"

#include <string.h>

typedef struct lake {
    PyObject_HEAD py_owner *owner; /* of the lochan_lake; NULL once closed */
    PyObject *path;
    PyObject *warning; /* None unless only a copy of the catalog could be read */
    int read_only;
} lake;

static PyObject *lake_type;

static void destroy(void *object) {
    lochan_lake_close(object);
}
static void cancel(void *object) {
    lochan_lake_cancel(object);
}
static void resume(void *object) {
    lochan_lake_resume(object);
}

/* ---- calls ---- */

int py_lake__check(PyObject *object) {
    if (PyObject_TypeCheck(object, (PyTypeObject *)lake_type))
        return 1;
    PyErr_Format(PyExc_TypeError, "expected a Lake, got %R", (PyObject *)Py_TYPE(object));
    return 0;
}

static py_owner *get_owner(PyObject *self) {
    py_owner *owner = ((lake *)self)->owner;
    if (!owner) {
        PyErr_SetString(PyExc_ValueError, "the lake is closed");
        return NULL;
    }
    return py_process__check(owner->process, "lake") ? owner : NULL;
}

lochan_lake *py_call__begin(PyObject *self, py_call *c) {
    py_owner *owner = get_owner(self);
    if (!owner)
        return NULL;
    lochan_error_init(&c->err);
    c->owner = py_owner__ref(owner);
    c->thread = PyEval_SaveThread();
    py_interrupt__begin(&c->interrupt, cancel, owner->object);
    return owner->object;
}

/* Back to Python; the owner is still held. */
static void return_to_python(py_call *c) {
    py_interrupt__end(&c->interrupt);
    if (c->interrupt.fired)
        lochan_lake_resume(c->owner->object);
    PyEval_RestoreThread(c->thread);
}

static void let_go(py_owner *owner) {
    Py_BEGIN_ALLOW_THREADS py_owner__unref(owner);
    Py_END_ALLOW_THREADS
}

int py_call__end(py_call *c, lochan_status rc) {
    return_to_python(c);
    let_go(c->owner);
    if (rc == LOCHAN_OK)
        return 0;
    py_interrupt__raise(&c->interrupt, rc, &c->err);
    return -1;
}

PyObject *py_call__end_table(py_call *c, lochan_status rc, struct ArrowArrayStream *rows) {
    return_to_python(c);
    PyObject *table = rc == LOCHAN_OK ? py_table__read(c->owner, rows, NULL)
                                      : py_interrupt__raise(&c->interrupt, rc, &c->err);
    let_go(c->owner);
    return table;
}

PyObject *py_call__end_scan(py_call *c, lochan_status rc, struct ArrowArrayStream *rows) {
    return_to_python(c);
    PyObject *made = rc == LOCHAN_OK ? py_scan__make(c->owner, rows)
                                     : py_interrupt__raise(&c->interrupt, rc, &c->err);
    let_go(c->owner);
    return made;
}

PyObject *py_call__end_text(py_call *c, lochan_status rc, char **text) {
    PyObject *made = py_call__end(c, rc) == 0 ? py_arguments__text(*text) : NULL;
    lochan_free(*text);
    return made;
}

/* ---- callbacks ---- */

void py_callback__call(py_callback *c, PyObject *args) {
    PyObject *done = !args || c->type ? NULL : PyObject_Call(c->function, args, NULL);
    Py_XDECREF(args);
    if (done && PyErr_CheckSignals() != 0)
        Py_CLEAR(done);
    if (!done && !c->type) {
        PyErr_Fetch(&c->type, &c->value, &c->traceback);
        lochan_lake_cancel(c->lake);
    }
    Py_XDECREF(done);
}

int py_callback__end(py_callback *c, py_call *call, lochan_status rc) {
    if (!c->type)
        return py_call__end(call, rc);
    lochan_lake_resume(c->lake);
    (void)py_call__end(call, LOCHAN_OK);
    PyErr_Restore(c->type, c->value, c->traceback);
    return -1;
}

/* ---- open and close ---- */

static int read_options(PyObject *args, PyObject *kwargs, PyObject **path, lochan_lake_options *o,
                        int *runs) {
    static char *names[] = {"path", "read_only", "threads", "memory_limit", "lock_timeout_ms",
                            "runs", NULL};
    long long memory_limit = 0, lock_timeout = 0;
    int read_only = 0;
    *o = (lochan_lake_options)LOCHAN_LAKE_OPTIONS_INIT;
    *path = NULL;
    *runs = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O&|$piLLp:Lake", names, PyUnicode_FSConverter,
                                     path, &read_only, &o->threads, &memory_limit, &lock_timeout,
                                     runs))
        return -1;
    o->read_only = read_only;
    o->memory_limit = (uint64_t)memory_limit;
    o->lock_timeout_ms = lock_timeout;
    if (memory_limit >= 0)
        return 0;
    Py_CLEAR(*path);
    py_errors__format(LOCHAN_ERR_INVALID_ARGUMENT, "memory_limit: expected bytes, got %lld",
                      memory_limit);
    return -1;
}

static PyObject *lake_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *path;
    lochan_lake_options o;
    lochan_lake *opened = NULL;
    lochan_error err;
    lochan_status rc;
    char *warning = NULL;
    int runs;
    if (read_options(args, kwargs, &path, &o, &runs) < 0)
        return NULL;
    const char *text = PyBytes_AsString(path);
    lochan_error_init(&err);
    Py_BEGIN_ALLOW_THREADS rc = runs ? lochan_run_lake_open(text, &o, &warning, &opened, &err)
                                     : lochan_lake_open(text, &o, &opened, &err);
    Py_END_ALLOW_THREADS Py_DECREF(path);
    if (rc != LOCHAN_OK)
        return py_errors__raise(rc, &err);
    PyObject *said = warning ? py_arguments__text(warning) : Py_NewRef(Py_None);
    lochan_free(warning);
    const char *shown = lochan_lake_path(opened);
    path = PyUnicode_DecodeFSDefault(shown);
    int read_only = lochan_lake_is_read_only(opened);
    py_owner *owner = py_owner__make(opened, destroy, cancel, resume, NULL);
    lake *self = owner && path && said ? PyObject_New(lake, type) : NULL;
    if (!self) {
        py_owner__unref(owner);
        Py_XDECREF(path);
        Py_XDECREF(said);
        return NULL;
    }
    self->owner = owner;
    self->path = path;
    self->warning = said;
    self->read_only = read_only;
    return (PyObject *)self;
}

static PyObject *init_lake(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    PyObject *path;
    lochan_lake_options o;
    lochan_error err;
    lochan_status rc;
    int runs;
    if (read_options(args, kwargs, &path, &o, &runs) < 0)
        return NULL;
    const char *text = PyBytes_AsString(path);
    lochan_error_init(&err);
    Py_BEGIN_ALLOW_THREADS rc = lochan_lake_init(text, &o, &err);
    Py_END_ALLOW_THREADS Py_DECREF(path);
    if (rc != LOCHAN_OK)
        return py_errors__raise(rc, &err);
    Py_RETURN_NONE;
}

static PyObject *lake_close(PyObject *self, PyObject *ignored) {
    (void)ignored;
    py_owner *owner = ((lake *)self)->owner;
    ((lake *)self)->owner = NULL;
    let_go(owner);
    Py_RETURN_NONE;
}

static void lake_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    py_owner__unref(((lake *)self)->owner);
    Py_XDECREF(((lake *)self)->path);
    Py_XDECREF(((lake *)self)->warning);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *lake_cancel(PyObject *self, PyObject *ignored) {
    (void)ignored;
    py_owner *owner = get_owner(self);
    if (!owner)
        return NULL;
    lochan_lake_cancel(owner->object);
    Py_RETURN_NONE;
}

static PyObject *lake_resume(PyObject *self, PyObject *ignored) {
    (void)ignored;
    py_owner *owner = get_owner(self);
    if (!owner)
        return NULL;
    lochan_lake_resume(owner->object);
    Py_RETURN_NONE;
}

/* ---- facts ---- */

static PyObject *lake_closed(PyObject *self, void *closure) {
    (void)closure;
    return PyBool_FromLong(((lake *)self)->owner == NULL);
}

static PyObject *lake_path(PyObject *self, void *closure) {
    (void)closure;
    return Py_NewRef(((lake *)self)->path);
}

static PyObject *lake_read_only(PyObject *self, void *closure) {
    (void)closure;
    return PyBool_FromLong(((lake *)self)->read_only);
}

static PyObject *lake_warning(PyObject *self, void *closure) {
    (void)closure;
    return Py_NewRef(((lake *)self)->warning);
}

static PyObject *lake_sql(PyObject *self, PyObject *ignored) {
    (void)ignored;
    py_call c;
    char *sql = NULL;
    lochan_lake *l = py_call__begin(self, &c);
    return l ? py_call__end_text(&c, lochan_lake_sql(l, &sql, &c.err), &sql) : NULL;
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

/* ---- lists ---- */

/* What a list is asked for. */
typedef struct asked {
    const char *source, *dataset; /* also: of which run table */
    const char *first, *second;   /* days, or an update */
    int64_t limit;
} asked;

static lochan_status sources(lochan_lake *l, const asked *a, struct ArrowArrayStream *out,
                             lochan_error *err) {
    (void)a;
    return lochan_source_list(l, out, err);
}
static lochan_status datasets(lochan_lake *l, const asked *a, struct ArrowArrayStream *out,
                              lochan_error *err) {
    (void)a;
    return lochan_dataset_list(l, out, err);
}
static lochan_status status(lochan_lake *l, const asked *a, struct ArrowArrayStream *out,
                            lochan_error *err) {
    return lochan_status_datasets(l, a->source, a->dataset, out, err);
}
static lochan_status updates(lochan_lake *l, const asked *a, struct ArrowArrayStream *out,
                             lochan_error *err) {
    return lochan_status_runs(l, a->source, a->dataset, a->limit, out, err);
}
static lochan_status files(lochan_lake *l, const asked *a, struct ArrowArrayStream *out,
                           lochan_error *err) {
    return lochan_lake_files(l, a->source, a->dataset, out, err);
}
static lochan_status tables(lochan_lake *l, const asked *a, struct ArrowArrayStream *out,
                            lochan_error *err) {
    (void)a;
    return lochan_run_table_list(l, out, err);
}
static lochan_status columns(lochan_lake *l, const asked *a, struct ArrowArrayStream *out,
                             lochan_error *err) {
    return lochan_run_table_columns(l, a->dataset, out, err);
}
static lochan_status all_runs(lochan_lake *l, const asked *a, struct ArrowArrayStream *out,
                              lochan_error *err) {
    (void)a;
    return lochan_run_list(l, out, err);
}
static lochan_status runs_of(lochan_lake *l, const asked *a, struct ArrowArrayStream *out,
                             lochan_error *err) {
    return lochan_runs_of(l, a->dataset, out, err);
}

static lochan_status gaps(lochan_lake *l, const asked *a, struct ArrowArrayStream *out,
                          lochan_error *err) {
    return lochan_status_gaps(l, a->source, a->dataset, a->first, a->second, out, err);
}
static lochan_status scopes(lochan_lake *l, const asked *a, struct ArrowArrayStream *out,
                            lochan_error *err) {
    return lochan_status_scopes(l, a->source, a->dataset, out, err);
}
static lochan_status failures(lochan_lake *l, const asked *a, struct ArrowArrayStream *out,
                              lochan_error *err) {
    return lochan_status_failures(l, a->source, a->dataset, a->limit, out, err);
}
static lochan_status partitions(lochan_lake *l, const asked *a, struct ArrowArrayStream *out,
                                lochan_error *err) {
    return lochan_status_partitions(l, a->source, a->dataset, out, err);
}
static lochan_status rejects(lochan_lake *l, const asked *a, struct ArrowArrayStream *out,
                             lochan_error *err) {
    return lochan_status_rejects(l, a->source, a->dataset, a->first, out, err);
}

static const struct {
    const char *name;
    lochan_status (*read)(lochan_lake *l, const asked *a, struct ArrowArrayStream *out,
                          lochan_error *err);
} lists[] = {{"sources", sources},       {"datasets", datasets},
             {"status", status},         {"updates", updates},
             {"files", files},           {"tables", tables},
             {"columns", columns},       {"runs", all_runs},
             {"runs_of", runs_of},       {"gaps", gaps},
             {"scopes", scopes},         {"failures", failures},
             {"partitions", partitions}, {"rejects", rejects}};

static PyObject *lake_list(PyObject *self, PyObject *args) {
    enum { N = sizeof lists / sizeof *lists };
    const char *what;
    asked a = {.limit = -1};
    long long limit = -1;
    struct ArrowArrayStream rows = {0};
    py_call c;
    size_t i = 0;
    if (!PyArg_ParseTuple(args, "s|zzLzz:list", &what, &a.source, &a.dataset, &limit, &a.first,
                          &a.second))
        return NULL;
    a.limit = limit;
    while (i < N && strcmp(lists[i].name, what) != 0)
        i++;
    if (i == N)
        return py_errors__format(LOCHAN_ERR_INVALID_ARGUMENT, "there is no list '%.40s'", what);
    lochan_lake *l = py_call__begin(self, &c);
    return l ? py_call__end_table(&c, lists[i].read(l, &a, &rows, &c.err), &rows) : NULL;
}

static PyObject *bundled(PyObject *module, PyObject *ignored) {
    (void)module, (void)ignored;
    struct ArrowArrayStream rows = {0};
    lochan_error err;
    lochan_error_init(&err);
    lochan_status rc = lochan_bundled_list(&rows, &err);
    return rc == LOCHAN_OK ? py_table__read(NULL, &rows, NULL) : py_errors__raise(rc, &err);
}

/* ---- the type ---- */

static PyMethodDef lake_methods[] = {
    {"close", lake_close, METH_NOARGS, "Closes the lake; streams made from it go on."},
    {"cancel", lake_cancel, METH_NOARGS, "Asks all that runs on the lake to stop."},
    {"resume", lake_resume, METH_NOARGS, "Takes cancel back."},
    {"sql", lake_sql, METH_NOARGS, "The statement with which DuckDB attaches the lake."},
    {"commit_status", lake_commit_status, METH_VARARGS, "(done, snapshot_id) of a token."},
    {"list", lake_list, METH_VARARGS,
     "A Table: sources, datasets, status, updates, files, gaps, ...; see lists."},
    {"source_add", py_lake__source_add, METH_VARARGS, "Adds a source from YAML."},
    {"source_add_bundled", py_lake__source_add_bundled, METH_VARARGS, "Adds a bundled source."},
    {"source_set", py_lake__source_set, METH_VARARGS, "Overrides a field of a source."},
    {"source_show", py_lake__source_show, METH_VARARGS, "A source as YAML."},
    {"dataset_add", py_lake__dataset_add, METH_VARARGS, "Adds a dataset from YAML."},
    {"dataset_add_bundled", py_lake__dataset_add_bundled, METH_VARARGS,
     "Adds bundled datasets; returns how many were new."},
    {"dataset_show", py_lake__dataset_show, METH_VARARGS, "A dataset as YAML."},
    {"dataset_enable", py_lake__dataset_enable, METH_VARARGS, "Enables or disables a dataset."},
    {"dataset_remove", py_lake__dataset_remove, METH_VARARGS, "Forgets a dataset."},
    {"update", KEYWORDS(py_lake__update), METH_VARARGS | METH_KEYWORDS,
     "Brings a dataset up to date; fills the report on every outcome."},
    {"verify", KEYWORDS(py_lake__verify), METH_VARARGS | METH_KEYWORDS,
     "Compares catalog, journal and files: (report, problems)."},
    {"scan", KEYWORDS(py_lake__scan), METH_VARARGS | METH_KEYWORDS, "Opens a ScanStream."},
    {"table_add", py_lake__table_add, METH_VARARGS, "Adds a run table from YAML."},
    {"table_show", py_lake__table_show, METH_VARARGS, "The descriptor of a run table."},
    {"runs_scan", KEYWORDS(py_lake__runs_scan), METH_VARARGS | METH_KEYWORDS,
     "Opens a ScanStream over many runs."},
    {"run_delete", py_lake__run_delete, METH_VARARGS, "Removes a run; returns its parts."},
    {"run_export", py_lake__run_export, METH_VARARGS, "What is known of a run, as JSON."},
    {NULL, NULL, 0, NULL}};
static PyGetSetDef lake_getset[] = {
    {"closed", lake_closed, NULL, "Whether close was called.", NULL},
    {"path", lake_path, NULL, "The folder.", NULL},
    {"read_only", lake_read_only, NULL, "Whether nothing can be written.", NULL},
    {"warning", lake_warning, NULL, "What is wrong with the catalog, or None.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot lake_slots[] = {{Py_tp_new, lake_new},
                                   {Py_tp_dealloc, lake_dealloc},
                                   {Py_tp_methods, lake_methods},
                                   {Py_tp_getset, lake_getset},
                                   {Py_tp_doc, (void *)"An open lake."},
                                   {0, NULL}};
static PyType_Spec lake_spec = {.name = "lochan._lochan.Lake",
                                .basicsize = sizeof(lake),
                                .flags = Py_TPFLAGS_DEFAULT,
                                .slots = lake_slots};
static PyMethodDef functions[] = {
    {"init_lake", KEYWORDS(init_lake), METH_VARARGS | METH_KEYWORDS, "Makes an empty lake."},
    {"bundled", bundled, METH_NOARGS, "The bundled specs."},
    {NULL, NULL, 0, NULL}};

int py_lake__add(PyObject *module) {
    lake_type = PyType_FromSpec(&lake_spec);
    int rc = lake_type ? PyModule_AddObjectRef(module, "Lake", lake_type) : -1;
    return rc < 0 ? rc : PyModule_AddFunctions(module, functions);
}
