/* arrow.c - Arrow structs in and out of capsules (the Arrow PyCapsule interface).
 * Invariant: a struct has one holder at a time; a capsule that nobody opened releases its struct.
 */
#include "module.h"

#include <string.h>

/* ---- out ---- */

static void free_schema(PyObject *capsule) {
    struct ArrowSchema *schema = PyCapsule_GetPointer(capsule, "arrow_schema");
    if (schema && schema->release)
        schema->release(schema);
    free(schema);
}

static void free_array(PyObject *capsule) {
    struct ArrowArray *array = PyCapsule_GetPointer(capsule, "arrow_array");
    if (array && array->release)
        array->release(array);
    free(array);
}

static void free_stream(PyObject *capsule) {
    struct ArrowArrayStream *stream = PyCapsule_GetPointer(capsule, "arrow_array_stream");
    if (stream && stream->release)
        stream->release(stream);
    free(stream);
}

/* Moves `size` bytes of a struct into memory of a new capsule. On failure NULL, and the struct is
 * still the caller's. */
static PyObject *make_capsule(const void *from, size_t size, const char *name,
                              PyCapsule_Destructor destroy) {
    void *copy = malloc(size);
    if (!copy)
        return PyErr_NoMemory();
    memcpy(copy, from, size);
    PyObject *capsule = PyCapsule_New(copy, name, destroy);
    if (!capsule)
        free(copy);
    return capsule;
}

PyObject *py_arrow__schema_capsule(struct ArrowSchema *schema) {
    PyObject *capsule = make_capsule(schema, sizeof *schema, "arrow_schema", free_schema);
    if (!capsule && schema->release)
        schema->release(schema);
    schema->release = NULL;
    return capsule;
}

PyObject *py_arrow__array_capsule(struct ArrowArray *array) {
    PyObject *capsule = make_capsule(array, sizeof *array, "arrow_array", free_array);
    if (!capsule && array->release)
        array->release(array);
    array->release = NULL;
    return capsule;
}

PyObject *py_arrow__stream_capsule(struct ArrowArrayStream *stream) {
    PyObject *capsule = make_capsule(stream, sizeof *stream, "arrow_array_stream", free_stream);
    if (!capsule && stream->release)
        stream->release(stream);
    stream->release = NULL;
    return capsule;
}

/* ---- in ---- */

/* One array as a stream of one batch. */
typedef struct one_batch {
    struct ArrowSchema schema;
    struct ArrowArray array;
} one_batch;

/* The schema is handed out once: every reader of a stream here asks once. */
static int one_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
    one_batch *b = stream->private_data;
    memcpy(out, &b->schema, sizeof *out);
    b->schema.release = NULL;
    return out->release ? 0 : 22; /* EINVAL */
}

static int one_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
    one_batch *b = stream->private_data;
    memcpy(out, &b->array, sizeof *out);
    b->array.release = NULL;
    return 0;
}

static const char *one_error(struct ArrowArrayStream *stream) {
    (void)stream;
    return "the schema was asked for twice";
}

static void one_release(struct ArrowArrayStream *stream) {
    one_batch *b = stream->private_data;
    if (b->schema.release)
        b->schema.release(&b->schema);
    if (b->array.release)
        b->array.release(&b->array);
    free(b);
    stream->release = NULL;
}

static int import_array(PyObject *pair, struct ArrowArrayStream *out) {
    if (!PyTuple_Check(pair) || PyTuple_Size(pair) != 2) {
        PyErr_SetString(PyExc_TypeError, "__arrow_c_array__ did not return a pair of capsules");
        return -1;
    }
    struct ArrowSchema *schema = PyCapsule_GetPointer(PyTuple_GetItem(pair, 0), "arrow_schema");
    struct ArrowArray *array =
        schema ? PyCapsule_GetPointer(PyTuple_GetItem(pair, 1), "arrow_array") : NULL;
    if (!array)
        return -1;
    if (!schema->release || !array->release) {
        py_errors__format(LOCHAN_ERR_DATA, "the Arrow array was released already");
        return -1;
    }
    one_batch *b = malloc(sizeof *b);
    if (!b) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(&b->schema, schema, sizeof *schema);
    memcpy(&b->array, array, sizeof *array);
    schema->release = NULL;
    array->release = NULL;
    *out = (struct ArrowArrayStream){one_schema, one_next, one_error, one_release, b};
    return 0;
}

static int import_stream(PyObject *capsule, struct ArrowArrayStream *out) {
    struct ArrowArrayStream *stream = PyCapsule_GetPointer(capsule, "arrow_array_stream");
    if (!stream)
        return -1;
    if (!stream->release) {
        py_errors__format(LOCHAN_ERR_DATA, "the Arrow stream was consumed already");
        return -1;
    }
    memcpy(out, stream, sizeof *out);
    stream->release = NULL;
    return 0;
}

int py_arrow__import(PyObject *data, struct ArrowArrayStream *out) {
    memset(out, 0, sizeof *out);
    int is_stream = PyObject_HasAttrString(data, "__arrow_c_stream__");
    if (!is_stream && !PyObject_HasAttrString(data, "__arrow_c_array__")) {
        PyErr_Format(PyExc_TypeError,
                     "expected rows with __arrow_c_stream__ or __arrow_c_array__ (of Polars, "
                     "pyarrow, DuckDB, pandas 2.2 "
                     "or later, ...), got %R",
                     (PyObject *)Py_TYPE(data));
        return -1;
    }
    PyObject *got =
        PyObject_CallMethod(data, is_stream ? "__arrow_c_stream__" : "__arrow_c_array__", NULL);
    if (!got)
        return -1;
    int rc = is_stream ? import_stream(got, out) : import_array(got, out);
    Py_DECREF(got);
    return rc;
}
