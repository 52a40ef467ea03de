/* table.c - Table: the rows of a list (status, runs, files, ...) in memory, as Arrow for anybody,
 * any number of times, and as plain Python values. lochan/table.py puts a friendlier face on it.
 */
#include "module.h"

#include <errno.h>
#include <string.h>

typedef struct table {
    PyObject_HEAD struct ArrowSchema schema;
    PyObject *batches; /* list of Batch */
} table;

static PyObject *table_type;

static void table_dealloc(PyObject *self) {
    table *t = (table *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (t->schema.release)
        t->schema.release(&t->schema);
    Py_XDECREF(t->batches);
    PyObject_Free(self);
    Py_DECREF(type);
}

/* ---- as Arrow ---- */

/* Batches for one consumer; touches no Python object. */
typedef struct shown {
    struct ArrowSchema schema;
    struct ArrowArray *batches;
    size_t n, next;
} shown;

static int shown_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
    return py_batch__copy_schema(&((shown *)stream->private_data)->schema, out) < 0 ? ENOMEM : 0;
}

static int shown_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
    shown *s = stream->private_data;
    memset(out, 0, sizeof *out);
    if (s->next < s->n) {
        *out = s->batches[s->next];
        s->batches[s->next++].release = NULL;
    }
    return 0;
}

static const char *shown_error(struct ArrowArrayStream *stream) {
    (void)stream;
    return "out of memory";
}

static void shown_release(struct ArrowArrayStream *stream) {
    shown *s = stream->private_data;
    for (size_t i = s->next; i < s->n; i++)
        s->batches[i].release(&s->batches[i]);
    if (s->schema.release)
        s->schema.release(&s->schema);
    free(s->batches);
    free(s);
    stream->release = NULL;
}

static PyObject *table_stream(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"requested_schema", NULL};
    table *t = (table *)self;
    PyObject *requested = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:__arrow_c_stream__", names, &requested))
        return NULL;
    size_t n = (size_t)PyList_Size(t->batches);
    shown *s = calloc(1, sizeof *s);
    if (!s)
        return PyErr_NoMemory();
    struct ArrowArrayStream out = {shown_schema, shown_next, shown_error, shown_release, s};
    s->batches = calloc(n + 1, sizeof *s->batches);
    int rc = s->batches ? py_batch__copy_schema(&t->schema, &s->schema) : -1;
    while (rc == 0 && s->n < n) {
        rc = py_batch__show(PyList_GetItem(t->batches, (Py_ssize_t)s->n), &s->batches[s->n]);
        s->n += rc == 0;
    }
    if (rc < 0) {
        shown_release(&out);
        return PyErr_NoMemory();
    }
    return py_arrow__stream_capsule(&out);
}

static PyObject *table_schema(PyObject *self, PyObject *ignored) {
    (void)ignored;
    struct ArrowSchema copy;
    return py_batch__copy_schema(&((table *)self)->schema, &copy) < 0
               ? PyErr_NoMemory()
               : py_arrow__schema_capsule(&copy);
}

/* ---- as Python values ---- */

static const char *column_name(const table *t, int64_t i) {
    return t->schema.children[i]->name ? t->schema.children[i]->name : "";
}

static PyObject *get_row(const table *t, const struct ArrowArray *batch, int64_t row) {
    PyObject *values = PyTuple_New((Py_ssize_t)t->schema.n_children);
    for (int64_t c = 0; values && c < t->schema.n_children; c++) {
        PyObject *value = py_values__get(t->schema.children[c], batch->children[c],
                                         row + batch->offset, column_name(t, c));
        if (!value || PyTuple_SetItem(values, (Py_ssize_t)c, value) < 0)
            Py_CLEAR(values);
    }
    return values;
}

static PyObject *table_values(PyObject *self, PyObject *args) {
    const table *t = (const table *)self;
    long long limit = -1;
    if (!PyArg_ParseTuple(args, "|L:values", &limit))
        return NULL;
    PyObject *list = PyList_New(0);
    for (Py_ssize_t b = 0; list && b < PyList_Size(t->batches); b++) {
        const struct ArrowArray *batch = py_batch__array(PyList_GetItem(t->batches, b));
        for (int64_t i = 0; list && i < batch->length && limit != 0; i++, limit -= limit > 0) {
            PyObject *row = get_row(t, batch, i);
            if (!row || PyList_Append(list, row) < 0)
                Py_CLEAR(list);
            Py_XDECREF(row);
        }
    }
    return list;
}

static PyObject *table_rows(PyObject *self, void *closure) {
    (void)closure;
    const table *t = (const table *)self;
    long long n = 0;
    for (Py_ssize_t b = 0; b < PyList_Size(t->batches); b++)
        n += py_batch__array(PyList_GetItem(t->batches, b))->length;
    return PyLong_FromLongLong(n);
}

static PyObject *table_names(PyObject *self, void *closure) {
    (void)closure;
    const table *t = (const table *)self;
    PyObject *list = PyList_New(0);
    for (int64_t i = 0; list && i < t->schema.n_children; i++) {
        PyObject *name = py_arguments__text(column_name(t, i));
        if (!name || PyList_Append(list, name) < 0)
            Py_CLEAR(list);
        Py_XDECREF(name);
    }
    return list;
}

/* ---- the type ---- */

static PyMethodDef table_methods[] = {
    {"__arrow_c_stream__", KEYWORDS(table_stream), METH_VARARGS | METH_KEYWORDS,
     "The rows as an Arrow stream capsule."},
    {"__arrow_c_schema__", table_schema, METH_NOARGS, "The schema as an Arrow capsule."},
    {"values", table_values, METH_VARARGS, "The rows, or the first so many, as tuples."},
    {NULL, NULL, 0, NULL}};
static PyGetSetDef table_getset[] = {
    {"num_rows", table_rows, NULL, "Number of rows.", NULL},
    {"column_names", table_names, NULL, "Names of the columns.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot table_slots[] = {{Py_tp_dealloc, table_dealloc},
                                    {Py_tp_methods, table_methods},
                                    {Py_tp_getset, table_getset},
                                    {Py_tp_doc, (void *)"Rows in memory."},
                                    {0, NULL}};
static PyType_Spec table_spec = {.name = "lochan._lochan.Table",
                                 .basicsize = sizeof(table),
                                 .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                 .slots = table_slots};

PyObject *py_table__make(struct ArrowSchema *schema) {
    table *t = PyObject_New(table, (PyTypeObject *)table_type);
    if (!t) {
        if (schema->release)
            schema->release(schema);
        return NULL;
    }
    t->schema = *schema;
    schema->release = NULL;
    t->batches = PyList_New(0);
    if (!t->batches)
        Py_CLEAR(t);
    return (PyObject *)t;
}

/* Leaves an error set if it fails. */
static void read_batches(table *t, py_owner *owner, struct ArrowArrayStream *rows,
                         py_watch *watch) {
    PyObject *iterator = py_stream__iterator(owner, rows, watch), *batch;
    while (iterator && (batch = PyIter_Next(iterator))) {
        int failed = PyList_Append(t->batches, batch) < 0;
        Py_DECREF(batch);
        if (failed)
            break;
    }
    Py_XDECREF(iterator);
}

PyObject *py_table__read(py_owner *owner, struct ArrowArrayStream *rows, py_watch *watch) {
    lochan_error err;
    lochan_error_init(&err);
    struct ArrowSchema schema = {0};
    lochan_status rc = lochan_stream_get_schema(rows, &schema, &err);
    PyObject *t = rc == LOCHAN_OK ? py_table__make(&schema) : py_errors__raise(rc, &err);
    owner = owner ? py_owner__ref(owner) : py_owner__nobody();
    if (t && owner)
        read_batches((table *)t, owner, rows, watch);
    else
        rows->release(rows);
    py_owner__unref(owner);
    if (PyErr_Occurred())
        Py_CLEAR(t);
    return t;
}

int py_table__add(PyObject *module) {
    table_type = PyType_FromSpec(&table_spec);
    return table_type ? PyModule_AddObjectRef(module, "Table", table_type) : -1;
}
