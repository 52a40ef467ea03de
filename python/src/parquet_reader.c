/* parquet_reader.c - ParquetReader: one open Parquet file. lochan/parquet.py puts a friendlier face
 * on it. */
#include "module.h"

#include <string.h>

typedef struct reader {
    PyObject_HEAD py_owner *owner; /* of the lochan_parquet_reader; NULL once closed */
} reader;

static lochan_parquet_reader *handle(PyObject *self) {
    py_owner *owner = ((reader *)self)->owner;
    if (!owner) {
        PyErr_SetString(PyExc_ValueError, "the file is closed");
        return NULL;
    }
    return py_process__check(owner->process, "file") ? owner->object : NULL;
}

static void destroy(void *object) {
    lochan_parquet_reader_close(object);
}
static void cancel(void *object) {
    lochan_parquet_reader_cancel(object);
}
static void resume(void *object) {
    lochan_parquet_reader_resume(object);
}

/* ---- open and close ---- */

static int strings_from_name(const char *name, int32_t *out) {
    static const char *const names[] = {"string", "large_string", "string_view", "dictionary"};
    for (int32_t i = 0; i < 4; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = i;
            return 0;
        }
    }
    py_errors__format(
        LOCHAN_ERR_INVALID_ARGUMENT,
        "strings: expected string, large_string, string_view or dictionary, got '%.40s'", name);
    return -1;
}

static PyObject *reader_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"source",       "strings", "threads",        "memory_limit",
                            "arrow_schema", "mapped",  "max_page_bytes", NULL};
    PyObject *source, *path = NULL;
    const char *strings = "string";
    long long memory_limit = 0, max_page_bytes = 0;
    int arrow_schema = 1, mapped = 0;
    lochan_parquet_read_options o = LOCHAN_PARQUET_READ_OPTIONS_INIT;
    lochan_parquet_reader *opened = NULL;
    lochan_error err;
    lochan_status rc;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|siLppL:ParquetReader", names, &source,
                                     &strings, &o.threads, &memory_limit, &arrow_schema, &mapped,
                                     &max_page_bytes) ||
        strings_from_name(strings, &o.strings) < 0)
        return NULL;
    if (memory_limit < 0 || max_page_bytes < 0)
        return py_errors__format(LOCHAN_ERR_INVALID_ARGUMENT, "%s: expected bytes, got %lld",
                                 memory_limit < 0 ? "memory_limit" : "max_page_bytes",
                                 memory_limit < 0 ? memory_limit : max_page_bytes);
    o.memory_limit = (uint64_t)memory_limit;
    o.max_page_bytes = (uint64_t)max_page_bytes;
    o.map = mapped;
    o.no_arrow_schema = !arrow_schema;
    int is_bytes = PyBytes_Check(source);
    lochan_error_init(&err);
    if (is_bytes) {
        char *data;
        Py_ssize_t size;
        if (PyBytes_AsStringAndSize(source, &data, &size) < 0)
            return NULL;
        rc = lochan_parquet_reader_open_memory(data, (size_t)size, &o, &opened, &err);
    } else {
        path = py_arguments__path(source);
        const char *text = path ? PyBytes_AsString(path) : NULL;
        if (!text) {
            Py_XDECREF(path);
            return NULL;
        }
        Py_BEGIN_ALLOW_THREADS rc = lochan_parquet_reader_open(text, &o, &opened, &err);
        Py_END_ALLOW_THREADS Py_DECREF(path);
    }
    if (rc != LOCHAN_OK)
        return py_errors__raise(rc, &err);
    py_owner *owner = py_owner__make(opened, destroy, cancel, resume, is_bytes ? source : NULL);
    reader *self = owner ? PyObject_New(reader, type) : NULL;
    if (self)
        self->owner = owner;
    else
        py_owner__unref(owner);
    return (PyObject *)self;
}

static PyObject *reader_close(PyObject *self, PyObject *ignored) {
    (void)ignored;
    py_owner *owner = ((reader *)self)->owner;
    ((reader *)self)->owner = NULL;
    py_owner__unref(owner);
    Py_RETURN_NONE;
}

static void reader_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    py_owner__unref(((reader *)self)->owner);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *reader_closed(PyObject *self, void *closure) {
    (void)closure;
    return PyBool_FromLong(((reader *)self)->owner == NULL);
}

/* ---- facts ---- */

static PyObject *reader_info(PyObject *self, PyObject *ignored) {
    (void)ignored;
    lochan_parquet_reader *r = handle(self);
    lochan_parquet_info i = LOCHAN_PARQUET_INFO_INIT;
    lochan_error err;
    lochan_error_init(&err);
    if (!r)
        return NULL;
    lochan_status rc = lochan_parquet_reader_info(r, &i, &err);
    if (rc != LOCHAN_OK)
        return py_errors__raise(rc, &err);
    PyObject *created_by = py_arguments__text(i.created_by);
    return created_by
               ? Py_BuildValue("{s:L,s:i,s:i,s:i,s:i,s:K,s:K,s:N}", "rows", (long long)i.rows,
                               "row_groups", i.row_groups, "columns", i.columns, "leaf_columns",
                               i.leaf_columns, "version", i.version, "file_bytes",
                               (unsigned long long)i.file_bytes, "footer_bytes",
                               (unsigned long long)i.footer_bytes, "created_by", created_by)
               : NULL;
}

static PyObject *reader_metadata(PyObject *self, PyObject *ignored) {
    (void)ignored;
    lochan_parquet_reader *r = handle(self);
    const char *key, *value;
    PyObject *dict = r ? PyDict_New() : NULL;
    for (size_t i = 0; dict && lochan_parquet_reader_metadata_at(r, i, &key, &value); i++) {
        PyObject *k = py_arguments__text(key), *v = k ? py_arguments__text(value) : NULL;
        if (!v || PyDict_SetItem(dict, k, v) < 0)
            Py_CLEAR(dict);
        Py_XDECREF(k);
        Py_XDECREF(v);
    }
    return dict;
}

static PyObject *reader_counters(PyObject *self, PyObject *ignored) {
    (void)ignored;
    lochan_parquet_reader *r = handle(self);
    lochan_parquet_counters c = LOCHAN_PARQUET_COUNTERS_INIT;
    lochan_error err;
    lochan_error_init(&err);
    if (!r)
        return NULL;
    lochan_status rc = lochan_parquet_reader_counters(r, &c, &err);
    if (rc != LOCHAN_OK)
        return py_errors__raise(rc, &err);
    return Py_BuildValue("{s:K,s:K,s:K,s:K}", "bytes_read", (unsigned long long)c.bytes_read,
                         "pages_decoded", (unsigned long long)c.pages_decoded, "row_groups_read",
                         (unsigned long long)c.row_groups_read, "row_groups_pruned",
                         (unsigned long long)c.row_groups_pruned);
}

static PyObject *reader_list(PyObject *self, PyObject *args) {
    static const struct {
        const char *name;
        lochan_status (*list)(const lochan_parquet_reader *, struct ArrowArrayStream *,
                              lochan_error *);
    } lists[] = {{"row_groups", lochan_parquet_reader_row_groups},
                 {"columns", lochan_parquet_reader_columns},
                 {"chunks", lochan_parquet_reader_chunks}};
    const char *name;
    struct ArrowArrayStream stream;
    lochan_error err;
    lochan_parquet_reader *r = handle(self);
    if (!r || !PyArg_ParseTuple(args, "s:list", &name))
        return NULL;
    lochan_error_init(&err);
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(lists[i].name, name) != 0)
            continue;
        lochan_status rc = lists[i].list(r, &stream, &err);
        return rc == LOCHAN_OK ? py_arrow__stream_capsule(&stream) : py_errors__raise(rc, &err);
    }
    return py_errors__format(LOCHAN_ERR_INVALID_ARGUMENT, "there is no list '%.40s'", name);
}

/* ---- rows ---- */

/* Row groups as an array; None gives NULL. Free with PyMem_Free. */
static int read_row_groups(PyObject *object, int32_t **out, size_t *n) {
    *out = NULL;
    *n = 0;
    if (!object || object == Py_None)
        return 0;
    PyObject *list = PySequence_List(object);
    if (!list)
        return -1;
    *n = (size_t)PyList_Size(list);
    *out = PyMem_Calloc(*n + 1, sizeof **out);
    for (size_t i = 0; *out && i < *n; i++) {
        long value = PyLong_AsLong(PyList_GetItem(list, (Py_ssize_t)i));
        (*out)[i] = value < 0 || value > INT32_MAX ? -1 : (int32_t)value;
    }
    Py_DECREF(list);
    if (*out && !PyErr_Occurred())
        return 0;
    if (!PyErr_Occurred())
        PyErr_NoMemory();
    PyMem_Free(*out);
    *out = NULL;
    return -1;
}

/* Pairs (from, to) as an array; None gives NULL. Free with PyMem_Free. */
static int read_rows(PyObject *object, lochan_parquet_rows **out, size_t *n) {
    *out = NULL;
    *n = 0;
    if (!object || object == Py_None)
        return 0;
    PyObject *list = PySequence_List(object);
    if (!list)
        return -1;
    *n = (size_t)PyList_Size(list);
    *out = PyMem_Calloc(*n + 1, sizeof **out);
    if (!*out)
        PyErr_NoMemory();
    for (size_t i = 0; i < *n && !PyErr_Occurred(); i++) {
        PyObject *item = PyList_GetItem(list, (Py_ssize_t)i);
        long long from = 0, to = 0;
        if (!PyTuple_Check(item))
            PyErr_Format(PyExc_TypeError, "rows: expected pairs (from, to), got %R", item);
        else if (PyArg_ParseTuple(item, "LL;rows: expected pairs (from, to)", &from, &to))
            (*out)[i] = (lochan_parquet_rows){from, to};
    }
    Py_DECREF(list);
    if (!PyErr_Occurred())
        return 0;
    PyMem_Free(*out);
    *out = NULL;
    return -1;
}

/* Opens a stream with the keywords of stream() and batches(). */
static int open_stream(PyObject *self, PyObject *args, PyObject *kwargs,
                       struct ArrowArrayStream *out) {
    static char *names[] = {"columns", "where", "row_groups", "batch_rows", "limit", "rows", NULL};
    PyObject *columns = NULL, *row_groups = NULL, *rows = NULL, *keeps = NULL;
    long long batch_rows = 0, limit = -1;
    const char **texts = NULL;
    int32_t *groups = NULL;
    lochan_parquet_rows *ranges = NULL;
    size_t n_groups = 0;
    lochan_parquet_scan scan = LOCHAN_PARQUET_SCAN_INIT;
    lochan_error err;
    lochan_parquet_reader *r = handle(self);
    lochan_status rc = LOCHAN_OK;
    int ok = r && PyArg_ParseTupleAndKeywords(args, kwargs, "|OzOLLO", names, &columns, &scan.where,
                                              &row_groups, &batch_rows, &limit, &rows);
    ok = ok && py_arguments__texts(columns, "columns", &texts, &scan.n_columns, &keeps) == 0;
    ok = ok && read_row_groups(row_groups, &groups, &n_groups) == 0;
    ok = ok && read_rows(rows, &ranges, &scan.n_rows) == 0;
    if (ok) {
        scan.columns = scan.n_columns > 0 ? texts : NULL;
        scan.no_columns = texts && scan.n_columns == 0;
        scan.row_groups = groups;
        scan.n_row_groups = n_groups;
        scan.batch_rows = batch_rows;
        scan.limit = limit;
        scan.rows = ranges;
        lochan_error_init(&err);
        rc = lochan_parquet_reader_stream(r, &scan, out, &err);
        if (rc != LOCHAN_OK)
            py_errors__raise(rc, &err);
    }
    PyMem_Free(texts);
    PyMem_Free(groups);
    PyMem_Free(ranges);
    Py_XDECREF(keeps);
    return ok && rc == LOCHAN_OK ? 0 : -1;
}

static PyObject *reader_stream(PyObject *self, PyObject *args, PyObject *kwargs) {
    struct ArrowArrayStream rows, out;
    if (open_stream(self, args, kwargs, &rows) < 0 ||
        py_stream__guard(((reader *)self)->owner, &rows, NULL, &out) < 0)
        return NULL;
    return py_arrow__stream_capsule(&out);
}

static PyObject *reader_batches(PyObject *self, PyObject *args, PyObject *kwargs) {
    struct ArrowArrayStream rows;
    return open_stream(self, args, kwargs, &rows) < 0
               ? NULL
               : py_stream__iterator(((reader *)self)->owner, &rows, NULL);
}

/* Schema of the rows of the given columns. */
static PyObject *reader_schema(PyObject *self, PyObject *args, PyObject *kwargs) {
    struct ArrowArrayStream rows;
    struct ArrowSchema schema;
    lochan_error err;
    if (open_stream(self, args, kwargs, &rows) < 0)
        return NULL;
    lochan_error_init(&err);
    lochan_status rc = lochan_stream_get_schema(&rows, &schema, &err);
    rows.release(&rows);
    return rc == LOCHAN_OK ? py_arrow__schema_capsule(&schema) : py_errors__raise(rc, &err);
}

static PyMethodDef reader_methods[] = {
    {"close", reader_close, METH_NOARGS, "Closes the file; streams made from it go on."},
    {"info", reader_info, METH_NOARGS, "Rows, row groups, columns, sizes."},
    {"metadata", reader_metadata, METH_NOARGS, "Key-value metadata of the footer."},
    {"counters", reader_counters, METH_NOARGS, "What was read and decoded so far."},
    {"list", reader_list, METH_VARARGS,
     "row_groups, columns or chunks as an Arrow stream capsule."},
    {"stream", KEYWORDS(reader_stream), METH_VARARGS | METH_KEYWORDS,
     "Rows as an Arrow stream capsule."},
    {"batches", KEYWORDS(reader_batches), METH_VARARGS | METH_KEYWORDS,
     "Rows as an iterator over Batch."},
    {"schema", KEYWORDS(reader_schema), METH_VARARGS | METH_KEYWORDS,
     "Their schema as an Arrow capsule."},
    {NULL, NULL, 0, NULL}};
static PyGetSetDef reader_getset[] = {
    {"closed", reader_closed, NULL, "Whether close was called.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot reader_slots[] = {
    {Py_tp_new, reader_new},
    {Py_tp_dealloc, reader_dealloc},
    {Py_tp_methods, reader_methods},
    {Py_tp_getset, reader_getset},
    {Py_tp_doc, (void *)"An open Parquet file: a path, or bytes that hold a file."},
    {0, NULL}};
static PyType_Spec reader_spec = {.name = "lochan._lochan.ParquetReader",
                                  .basicsize = sizeof(reader),
                                  .flags = Py_TPFLAGS_DEFAULT,
                                  .slots = reader_slots};

int py_parquet_reader__add(PyObject *module) {
    PyObject *type = PyType_FromSpec(&reader_spec);
    int rc = type ? PyModule_AddObjectRef(module, "ParquetReader", type) : -1;
    Py_XDECREF(type);
    return rc;
}

/* ---- verify ---- */

/* A damaged footer is a finding as well; then there is no reader to cancel, and nothing that takes
 * long. */
static lochan_status verify_file(const char *path, lochan_parquet_verify_report *report,
                                 struct ArrowArrayStream *problems, py_interrupt *i,
                                 lochan_error *err) {
    lochan_parquet_reader *r = NULL;
    lochan_status rc = lochan_parquet_reader_open(path, NULL, &r, err);
    if (rc == LOCHAN_ERR_CORRUPT)
        return lochan_parquet_verify(path, NULL, report, problems, err);
    if (rc != LOCHAN_OK)
        return rc;
    py_interrupt__begin(i, cancel, r);
    rc = lochan_parquet_reader_verify(r, report, problems, err);
    py_interrupt__end(i);
    lochan_parquet_reader_close(r);
    return rc;
}

static PyObject *verify(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *path = NULL;
    lochan_parquet_verify_report r = LOCHAN_PARQUET_VERIFY_REPORT_INIT;
    struct ArrowArrayStream problems = {0};
    py_interrupt i = {0};
    lochan_error err;
    lochan_status rc;
    if (!PyArg_ParseTuple(args, "O&:verify_parquet", PyUnicode_FSConverter, &path))
        return NULL;
    const char *text = PyBytes_AsString(path);
    lochan_error_init(&err);
    Py_BEGIN_ALLOW_THREADS rc = verify_file(text, &r, &problems, &i, &err);
    Py_END_ALLOW_THREADS Py_DECREF(path);
    if (rc != LOCHAN_OK)
        return py_interrupt__raise(&i, rc, &err);
    PyObject *capsule = py_arrow__stream_capsule(&problems);
    return capsule
               ? Py_BuildValue("({s:L,s:L,s:L,s:L,s:L,s:L},N)", "rows", (long long)r.rows, "chunks",
                               (long long)r.chunks, "pages", (long long)r.pages,
                               "pages_without_crc", (long long)r.pages_without_crc, "bytes_read",
                               (long long)r.bytes_read, "problems", (long long)r.problems, capsule)
               : NULL;
}

PyMethodDef py_parquet_reader__verify[] = {
    {"verify_parquet", verify, METH_VARARGS,
     "Reads a whole file: (report, problems as a stream capsule)."},
    {NULL, NULL, 0, NULL}};
