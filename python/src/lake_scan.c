/* lake_scan.c - ScanStream: one reading of a table, to be handed on once or iterated, and what
 * became of it. lochan/scan.py makes one for each reading of a Scan.
 */
#include "module.h"

#include <string.h>

typedef struct scan {
    PyObject_HEAD py_owner *owner;
    py_watch *watch;
    struct ArrowArrayStream rows; /* released once handed on */
} scan;

static PyObject *scan_type;

PyObject *py_scan__make(py_owner *owner, struct ArrowArrayStream *rows) {
    py_watch *watch = py_watch__make();
    scan *s = watch ? PyObject_New(scan, (PyTypeObject *)scan_type) : NULL;
    if (!s) {
        py_watch__unref(watch);
        rows->release(rows);
        return NULL;
    }
    s->owner = py_owner__ref(owner);
    s->watch = watch;
    s->rows = *rows;
    py_watch__note(watch, rows, LOCHAN_OK, NULL);
    return (PyObject *)s;
}

static PyObject *lake_scan(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"source", "dataset",    "columns",     "where", "limit",
                            "as_of",  "batch_rows", "known_as_of", NULL};
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    const char *source, *dataset, **texts = NULL;
    PyObject *columns = NULL, *keeps = NULL, *made = NULL;
    long long limit = -1, batch_rows = 0;
    struct ArrowArrayStream rows = {0};
    py_call c;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "ss|$OzLzLz:scan", names, &source, &dataset,
                                     &columns, &o.where, &limit, &o.as_of, &batch_rows,
                                     &o.known_as_of) ||
        py_arguments__texts(columns, "columns", &texts, &o.n_columns, &keeps) < 0)
        return NULL;
    o.columns = texts;
    o.limit = limit;
    o.batch_rows = batch_rows;
    lochan_lake *l = py_call__begin(self, &c);
    if (l)
        made =
            py_call__end_scan(&c, lochan_lake_scan(l, source, dataset, &o, &rows, &c.err), &rows);
    PyMem_Free(texts);
    Py_XDECREF(keeps);
    return made;
}

static PyObject *scan_release(PyObject *self, PyObject *ignored) {
    (void)ignored;
    scan *s = (scan *)self;
    if (s->rows.release && s->owner->process == py_process__id())
        s->rows.release(&s->rows);
    py_owner__unref(s->owner);
    s->owner = NULL;
    Py_RETURN_NONE;
}

static void scan_dealloc(PyObject *self) {
    scan *s = (scan *)self;
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(scan_release(self, NULL));
    py_watch__unref(s->watch);
    PyObject_Free(self);
    Py_DECREF(type);
}

/* The rows, once. */
static int take_rows(PyObject *self, struct ArrowArrayStream *out) {
    scan *s = (scan *)self;
    if (s->owner && !py_process__check(s->owner->process, "scan"))
        return -1;
    if (!s->rows.release) {
        PyErr_SetString(PyExc_ValueError, "the rows were handed on already");
        return -1;
    }
    *out = s->rows;
    s->rows.release = NULL;
    return 0;
}

/* What becomes of the rows holds the lake by itself. */
static PyObject *scan_stream(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"requested_schema", NULL};
    scan *s = (scan *)self;
    PyObject *requested = NULL;
    struct ArrowArrayStream rows, out;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:__arrow_c_stream__", names, &requested) ||
        take_rows(self, &rows) < 0 || py_stream__guard(s->owner, &rows, s->watch, &out) < 0)
        return NULL;
    Py_DECREF(scan_release(self, NULL));
    return py_arrow__stream_capsule(&out);
}

static PyObject *scan_iter(PyObject *self) {
    scan *s = (scan *)self;
    struct ArrowArrayStream rows;
    if (take_rows(self, &rows) < 0)
        return NULL;
    PyObject *iterator = py_stream__iterator(s->owner, &rows, s->watch);
    Py_DECREF(scan_release(self, NULL));
    return iterator;
}

static PyObject *scan_table(PyObject *self, PyObject *ignored) {
    (void)ignored;
    scan *s = (scan *)self;
    struct ArrowArrayStream rows;
    if (take_rows(self, &rows) < 0)
        return NULL;
    PyObject *table = py_table__read(s->owner, &rows, s->watch);
    Py_DECREF(scan_release(self, NULL));
    return table;
}

static PyObject *scan_schema(PyObject *self, PyObject *ignored) {
    (void)ignored;
    scan *s = (scan *)self;
    struct ArrowSchema schema = {0};
    lochan_error err;
    if (s->owner && !py_process__check(s->owner->process, "scan"))
        return NULL;
    if (!s->rows.release) {
        PyErr_SetString(PyExc_ValueError, "the rows were handed on already");
        return NULL;
    }
    lochan_error_init(&err);
    lochan_status rc = lochan_stream_get_schema(&s->rows, &schema, &err);
    return rc == LOCHAN_OK ? py_arrow__schema_capsule(&schema) : py_errors__raise(rc, &err);
}

static PyObject *scan_stats(PyObject *self, void *closure) {
    (void)closure;
    py_watch *w = ((scan *)self)->watch;
    pthread_mutex_lock(&w->mutex);
    lochan_scan_stats t = w->stats;
    pthread_mutex_unlock(&w->mutex);
    return Py_BuildValue("(LLLLLL)", (long long)t.snapshot_id, (long long)t.files,
                         (long long)t.files_read, (long long)t.row_groups_read,
                         (long long)t.bytes_read, (long long)t.rows_returned);
}

/* Raises the error with which the reading ended, if it did; KeyboardInterrupt, if that was why. */
static PyObject *scan_check(PyObject *self, PyObject *ignored) {
    (void)ignored;
    if (PyErr_CheckSignals() != 0)
        return NULL;
    py_watch *w = ((scan *)self)->watch;
    pthread_mutex_lock(&w->mutex);
    lochan_status rc = w->rc;
    lochan_error err = w->err;
    pthread_mutex_unlock(&w->mutex);
    if (rc != LOCHAN_OK)
        return py_errors__raise(rc, &err);
    Py_RETURN_NONE;
}

static PyMethodDef scan_methods[] = {
    {"__arrow_c_stream__", KEYWORDS(scan_stream), METH_VARARGS | METH_KEYWORDS,
     "The rows as an Arrow stream capsule, once."},
    {"__arrow_c_schema__", scan_schema, METH_NOARGS, "The schema as an Arrow capsule."},
    {"table", scan_table, METH_NOARGS, "The rows as a Table, once."},
    {"check", scan_check, METH_NOARGS, "Raises the error with which the reading ended, if any."},
    {"release", scan_release, METH_NOARGS, "Lets go of rows and lake; the stats stay."},
    {NULL, NULL, 0, NULL}};
static PyGetSetDef scan_getset[] = {
    {"stats", scan_stats, NULL,
     "snapshot_id, files, files_read, row_groups_read, bytes_read, rows_returned", NULL},
    {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot scan_slots[] = {{Py_tp_dealloc, scan_dealloc},
                                   {Py_tp_iter, scan_iter},
                                   {Py_tp_methods, scan_methods},
                                   {Py_tp_getset, scan_getset},
                                   {Py_tp_doc, (void *)"One reading of a table."},
                                   {0, NULL}};
static PyType_Spec scan_spec = {.name = "lochan._lochan.ScanStream",
                                .basicsize = sizeof(scan),
                                .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                .slots = scan_slots};

PyMethodDef py_lake__scans[] = {
    {"scan", KEYWORDS(lake_scan), METH_VARARGS | METH_KEYWORDS, "Opens a ScanStream."},
    {NULL, NULL, 0, NULL}};

int py_scan__add(PyObject *module) {
    scan_type = PyType_FromSpec(&scan_spec);
    return scan_type ? PyModule_AddObjectRef(module, "ScanStream", scan_type) : -1;
}
