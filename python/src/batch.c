/* batch.c - Batch: some rows, for __arrow_c_array__ of anybody, any number of times.
 * Invariant: every struct handed out, children too, holds the rows by itself, so that a consumer
 * may move children out and release them in any order and thread.
 */
#include "module.h"

#include <string.h>

typedef struct shared_rows {
    _Atomic long refs;
    struct ArrowArray array;
} shared_rows;

typedef struct batch {
    PyObject_HEAD struct ArrowSchema schema;
    shared_rows *rows;
} batch;

static PyObject *batch_type;

static void unref_rows(shared_rows *rows) {
    if (!rows || atomic_fetch_sub(&rows->refs, 1) != 1)
        return;
    if (rows->array.release)
        rows->array.release(&rows->array);
    free(rows);
}

/* ---- arrays handed out ---- */

static void release_shown(struct ArrowArray *array) {
    for (int64_t i = 0; i < array->n_children; i++) {
        if (array->children[i]->release)
            array->children[i]->release(array->children[i]);
        free(array->children[i]);
    }
    if (array->dictionary) {
        if (array->dictionary->release)
            array->dictionary->release(array->dictionary);
        free(array->dictionary);
    }
    free(array->children);
    unref_rows(array->private_data);
    array->release = NULL;
}

/* `out` shows the same buffers as `from`. After a failure what was made is released. */
static int show(shared_rows *rows, const struct ArrowArray *from, struct ArrowArray *out) {
    *out = *from;
    out->n_children = 0;
    out->children = NULL;
    out->dictionary = NULL;
    out->release = release_shown;
    out->private_data = rows;
    atomic_fetch_add(&rows->refs, 1);
    if (from->n_children > 0) {
        out->children = calloc((size_t)from->n_children, sizeof *out->children);
        if (!out->children)
            return -1;
    }
    for (int64_t i = 0; i < from->n_children; i++) {
        out->children[i] = calloc(1, sizeof **out->children);
        if (!out->children[i])
            return -1;
        out->n_children = i + 1;
        if (show(rows, from->children[i], out->children[i]) < 0)
            return -1;
    }
    if (from->dictionary) {
        out->dictionary = calloc(1, sizeof *out->dictionary);
        if (!out->dictionary || show(rows, from->dictionary, out->dictionary) < 0)
            return -1;
    }
    return 0;
}

/* ---- schemas handed out: a deep copy ---- */

static size_t metadata_size(const char *metadata) {
    int32_t n, length;
    const char *p = metadata;
    if (!metadata)
        return 0;
    memcpy(&n, p, sizeof n);
    p += sizeof n;
    for (int32_t i = 0; i < 2 * n; i++) {
        memcpy(&length, p, sizeof length);
        p += sizeof length + (size_t)length;
    }
    return (size_t)(p - metadata);
}

static void release_copy(struct ArrowSchema *schema) {
    for (int64_t i = 0; i < schema->n_children; i++) {
        if (schema->children[i]->release)
            schema->children[i]->release(schema->children[i]);
        free(schema->children[i]);
    }
    if (schema->dictionary) {
        if (schema->dictionary->release)
            schema->dictionary->release(schema->dictionary);
        free(schema->dictionary);
    }
    free(schema->children);
    free(schema->private_data);
    schema->release = NULL;
}

/* format, name and metadata in one block of memory. */
static int copy_texts(const struct ArrowSchema *from, struct ArrowSchema *out) {
    size_t format = strlen(from->format) + 1, name = from->name ? strlen(from->name) + 1 : 0;
    size_t metadata = metadata_size(from->metadata);
    char *p = malloc(format + name + metadata);
    if (!p)
        return -1;
    out->private_data = p;
    out->format = memcpy(p, from->format, format);
    if (name > 0)
        out->name = memcpy(p + format, from->name, name);
    if (metadata > 0)
        out->metadata = memcpy(p + format + name, from->metadata, metadata);
    return 0;
}

static int copy_schema(const struct ArrowSchema *from, struct ArrowSchema *out) {
    *out = (struct ArrowSchema){.flags = from->flags, .release = release_copy};
    if (copy_texts(from, out) < 0)
        return -1;
    if (from->n_children > 0) {
        out->children = calloc((size_t)from->n_children, sizeof *out->children);
        if (!out->children)
            return -1;
    }
    for (int64_t i = 0; i < from->n_children; i++) {
        out->children[i] = calloc(1, sizeof **out->children);
        if (!out->children[i])
            return -1;
        out->n_children = i + 1;
        if (copy_schema(from->children[i], out->children[i]) < 0)
            return -1;
    }
    if (from->dictionary) {
        out->dictionary = calloc(1, sizeof *out->dictionary);
        if (!out->dictionary || copy_schema(from->dictionary, out->dictionary) < 0)
            return -1;
    }
    return 0;
}

/* ---- the type ---- */

static void batch_dealloc(PyObject *self) {
    batch *b = (batch *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (b->schema.release)
        b->schema.release(&b->schema);
    unref_rows(b->rows);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *batch_schema(PyObject *self, PyObject *ignored) {
    (void)ignored;
    struct ArrowSchema copy;
    return py_batch__copy_schema(&((batch *)self)->schema, &copy) < 0
               ? PyErr_NoMemory()
               : py_arrow__schema_capsule(&copy);
}

/* requested_schema is best effort by the interface: rows come as they are. */
static PyObject *batch_array(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"requested_schema", NULL};
    PyObject *requested = NULL;
    struct ArrowArray array;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:__arrow_c_array__", names, &requested))
        return NULL;
    if (py_batch__show(self, &array) < 0)
        return PyErr_NoMemory();
    PyObject *rows = py_arrow__array_capsule(&array);
    PyObject *schema = rows ? batch_schema(self, NULL) : NULL;
    PyObject *pair = schema ? PyTuple_Pack(2, schema, rows) : NULL;
    Py_XDECREF(schema);
    Py_XDECREF(rows);
    return pair;
}

static Py_ssize_t batch_length(PyObject *self) {
    return (Py_ssize_t)((batch *)self)->rows->array.length;
}

static PyObject *batch_num_rows(PyObject *self, void *closure) {
    (void)closure;
    return PyLong_FromSsize_t(batch_length(self));
}

static PyObject *batch_names(PyObject *self, void *closure) {
    (void)closure;
    const struct ArrowSchema *schema = &((batch *)self)->schema;
    PyObject *list = PyList_New(0);
    for (int64_t i = 0; list && i < schema->n_children; i++) {
        PyObject *name =
            py_arguments__text(schema->children[i]->name ? schema->children[i]->name : "");
        if (!name || PyList_Append(list, name) < 0)
            Py_CLEAR(list);
        Py_XDECREF(name);
    }
    return list;
}

static PyObject *batch_repr(PyObject *self) {
    return PyUnicode_FromFormat("<lochan.Batch: %zd rows, %d columns>", batch_length(self),
                                (int)((batch *)self)->schema.n_children);
}

static PyMethodDef batch_methods[] = {
    {"__arrow_c_array__", KEYWORDS(batch_array), METH_VARARGS | METH_KEYWORDS,
     "The rows as Arrow capsules."},
    {"__arrow_c_schema__", batch_schema, METH_NOARGS, "The schema as an Arrow capsule."},
    {NULL, NULL, 0, NULL}};
static PyGetSetDef batch_getset[] = {
    {"num_rows", batch_num_rows, NULL, "Number of rows.", NULL},
    {"column_names", batch_names, NULL, "Names of the columns.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot batch_slots[] = {
    {Py_tp_dealloc, batch_dealloc},
    {Py_tp_methods, batch_methods},
    {Py_tp_getset, batch_getset},
    {Py_tp_repr, batch_repr},
    {Py_sq_length, batch_length},
    {Py_tp_doc, (void *)"Some rows of a stream, for any library that reads Arrow."},
    {0, NULL}};
static PyType_Spec batch_spec = {.name = "lochan.Batch",
                                 .basicsize = sizeof(batch),
                                 .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                 .slots = batch_slots};

const struct ArrowArray *py_batch__array(PyObject *self) {
    return &((batch *)self)->rows->array;
}

int py_batch__show(PyObject *self, struct ArrowArray *out) {
    shared_rows *rows = ((batch *)self)->rows;
    int rc = show(rows, &rows->array, out);
    if (rc < 0)
        release_shown(out);
    return rc;
}

int py_batch__copy_schema(const struct ArrowSchema *schema, struct ArrowSchema *out) {
    int rc = copy_schema(schema, out);
    if (rc < 0)
        release_copy(out);
    return rc;
}

PyObject *py_batch__make(struct ArrowSchema *schema, struct ArrowArray *array) {
    shared_rows *rows = malloc(sizeof *rows);
    batch *b = rows ? PyObject_New(batch, (PyTypeObject *)batch_type) : NULL;
    if (!b) {
        free(rows);
        schema->release(schema);
        array->release(array);
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    }
    atomic_init(&rows->refs, 1);
    memcpy(&rows->array, array, sizeof *array);
    memcpy(&b->schema, schema, sizeof *schema);
    array->release = NULL;
    schema->release = NULL;
    b->rows = rows;
    return (PyObject *)b;
}

int py_batch__add(PyObject *module) {
    batch_type = PyType_FromSpec(&batch_spec);
    return batch_type ? PyModule_AddObjectRef(module, "Batch", batch_type) : -1;
}
