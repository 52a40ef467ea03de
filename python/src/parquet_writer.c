/* parquet_writer.c - write_parquet: any Arrow rows to a file. Options are checked by the library.
 */
#include "module.h"

#include <string.h>

/* What the options point to, until the writer is open. */
typedef struct write_arguments {
    lochan_parquet_write_options o;
    PyObject *path;
    PyObject *keeps[4]; /* lists that hold the texts */
    lochan_parquet_column_encoding *encodings;
    lochan_parquet_pair *metadata;
    lochan_parquet_sorting *sorting;
    const char **bloom;
} write_arguments;

static void free_arguments(write_arguments *a) {
    Py_XDECREF(a->path);
    for (int i = 0; i < 4; i++)
        Py_XDECREF(a->keeps[i]);
    PyMem_Free(a->encodings);
    PyMem_Free(a->metadata);
    PyMem_Free(a->sorting);
    PyMem_Free(a->bloom);
}

/* A dict of str to str as keys and values in one list of texts: k0, v0, k1, v1, ... */
static int read_pairs(PyObject *dict, const char *what, const char ***texts, size_t *n,
                      PyObject **keeps) {
    *texts = NULL;
    *n = 0;
    if (dict == Py_None)
        return 0;
    PyObject *items = PyMapping_Items(dict), *flat = items ? PyList_New(0) : NULL;
    for (Py_ssize_t i = 0; flat && i < PyList_Size(items); i++) {
        PyObject *pair = PyList_GetItem(items, i);
        if (PyList_Append(flat, PyTuple_GetItem(pair, 0)) < 0 ||
            PyList_Append(flat, PyTuple_GetItem(pair, 1)) < 0)
            Py_CLEAR(flat);
    }
    int rc = flat ? py_arguments__texts(flat, what, texts, n, keeps) : -1;
    *n /= 2;
    Py_XDECREF(items);
    Py_XDECREF(flat);
    return rc;
}

static int read_encodings(write_arguments *a, PyObject *dict) {
    const char **texts;
    size_t n;
    lochan_error err;
    if (read_pairs(dict, "encodings", &texts, &n, &a->keeps[0]) < 0)
        return -1;
    lochan_error_init(&err);
    a->encodings = PyMem_Calloc(n + 1, sizeof *a->encodings);
    lochan_status rc = a->encodings ? LOCHAN_OK : LOCHAN_ERR_NO_MEMORY;
    for (size_t i = 0; i < n && rc == LOCHAN_OK; i++) {
        a->encodings[i].column = texts[2 * i];
        rc = lochan_parquet_encoding_from_name(texts[2 * i + 1], &a->encodings[i].encoding, &err);
    }
    PyMem_Free(texts);
    a->o.encodings = a->encodings;
    a->o.n_encodings = n;
    if (rc != LOCHAN_OK)
        py_errors__raise(rc, &err);
    return rc == LOCHAN_OK ? 0 : -1;
}

static int read_metadata(write_arguments *a, PyObject *dict) {
    const char **texts;
    size_t n;
    if (read_pairs(dict, "metadata", &texts, &n, &a->keeps[1]) < 0)
        return -1;
    a->metadata = PyMem_Calloc(n + 1, sizeof *a->metadata);
    for (size_t i = 0; i < n && a->metadata; i++)
        a->metadata[i] = (lochan_parquet_pair){texts[2 * i], texts[2 * i + 1]};
    PyMem_Free(texts);
    a->o.metadata = a->metadata;
    a->o.n_metadata = n;
    if (!a->metadata)
        PyErr_NoMemory();
    return a->metadata ? 0 : -1;
}

/* Names, a leading "-" meaning descending. */
static int read_sorting(write_arguments *a, PyObject *list) {
    const char **texts;
    size_t n;
    if (py_arguments__texts(list, "sorting", &texts, &n, &a->keeps[2]) < 0)
        return -1;
    a->sorting = PyMem_Calloc(n + 1, sizeof *a->sorting);
    for (size_t i = 0; i < n && a->sorting; i++)
        a->sorting[i] =
            (lochan_parquet_sorting){texts[i] + (texts[i][0] == '-'), texts[i][0] == '-', false};
    PyMem_Free(texts);
    a->o.sorting = a->sorting;
    a->o.n_sorting = n;
    if (!a->sorting)
        PyErr_NoMemory();
    return a->sorting ? 0 : -1;
}

static int read_bloom(write_arguments *a, PyObject *list) {
    if (py_arguments__texts(list, "bloom", &a->bloom, &a->o.n_bloom_filters, &a->keeps[3]) < 0)
        return -1;
    a->o.bloom_filters = a->bloom;
    return 0;
}

static int read_arguments(PyObject *args, PyObject *kwargs, PyObject **data, write_arguments *a) {
    static char *names[] = {"data",           "path",
                            "compression",    "level",
                            "row_group_rows", "row_group_bytes",
                            "page_bytes",     "page_rows",
                            "encodings",      "metadata",
                            "sorting",        "dictionary",
                            "statistics",     "crc",
                            "page_index",     "page_v2",
                            "overwrite",      "sync",
                            "threads",        "memory_limit",
                            "bloom",          "max_statistics_bytes",
                            "arrow_schema",   NULL};
    const char *codec = "zstd";
    PyObject *path, *encodings = Py_None, *metadata = Py_None, *sorting = Py_None, *bloom = Py_None;
    long long group_rows = 0, group_bytes = 0, memory_limit = 0;
    int dictionary = 1, statistics = 1, crc = 1, page_index = 1, page_v2 = 0, overwrite = 0,
        sync = 1, arrow_schema = 1;
    lochan_error err;
    *a = (write_arguments){.o = LOCHAN_PARQUET_WRITE_OPTIONS_INIT};
    if (!PyArg_ParseTupleAndKeywords(
            args, kwargs, "OO|$siLLiiOOOpppppppiLOip:write_parquet", names, data, &path, &codec,
            &a->o.level, &group_rows, &group_bytes, &a->o.page_bytes, &a->o.page_rows, &encodings,
            &metadata, &sorting, &dictionary, &statistics, &crc, &page_index, &page_v2, &overwrite,
            &sync, &a->o.threads, &memory_limit, &bloom, &a->o.max_statistics_bytes, &arrow_schema))
        return -1;
    if (memory_limit < 0) {
        py_errors__format(LOCHAN_ERR_INVALID_ARGUMENT, "memory_limit: expected bytes, got %lld",
                          memory_limit);
        return -1;
    }
    a->o.row_group_rows = group_rows;
    a->o.row_group_bytes = group_bytes;
    a->o.memory_limit = (uint64_t)memory_limit;
    a->o.no_dictionary = !dictionary;
    a->o.no_statistics = !statistics;
    a->o.no_crc = !crc;
    a->o.no_page_index = !page_index;
    a->o.page_v2 = page_v2;
    a->o.overwrite = overwrite;
    a->o.no_sync = !sync;
    a->o.no_arrow_schema = !arrow_schema;
    lochan_error_init(&err);
    lochan_status rc = lochan_parquet_codec_from_name(codec, &a->o.codec, &err);
    if (rc != LOCHAN_OK) {
        py_errors__raise(rc, &err);
        return -1;
    }
    a->path = py_arguments__path(path);
    return a->path && read_encodings(a, encodings) == 0 && read_metadata(a, metadata) == 0 &&
                   read_sorting(a, sorting) == 0 && read_bloom(a, bloom) == 0
               ? 0
               : -1;
}

/* ---- the work, without the GIL ---- */

static void cancel(void *object) {
    lochan_parquet_writer_cancel(object);
}

/* One batch. *more = 0 at the end. */
static lochan_status copy_batch(struct ArrowArrayStream *rows, lochan_parquet_writer *writer,
                                int *more, lochan_error *err) {
    struct ArrowArray batch = {0};
    lochan_status rc = lochan_stream_get_next(rows, &batch, err);
    *more = rc == LOCHAN_OK && batch.release != NULL;
    if (*more) {
        rc = lochan_parquet_writer_write_batch(writer, &batch, err);
        batch.release(&batch);
    }
    return rc;
}

static lochan_status open_writer(struct ArrowArrayStream *rows, const char *path,
                                 const lochan_parquet_write_options *o, lochan_parquet_writer **out,
                                 lochan_error *err) {
    struct ArrowSchema schema = {0};
    lochan_status rc = lochan_stream_get_schema(rows, &schema, err);
    if (rc == LOCHAN_OK)
        rc = lochan_parquet_writer_open(path, &schema, o, out, err);
    if (schema.release)
        schema.release(&schema);
    return rc;
}

/* Batch by batch; Python's signals are looked at after each. Returns 0, or -1 with an error raised.
 */
static int copy_rows(struct ArrowArrayStream *rows, const char *path,
                     const lochan_parquet_write_options *o, int64_t *written) {
    lochan_parquet_writer *writer = NULL;
    lochan_error err;
    lochan_status rc;
    py_interrupt i = {0};
    int more = 1, raised = 0;
    lochan_error_init(&err);
    Py_BEGIN_ALLOW_THREADS rc = open_writer(rows, path, o, &writer, &err);
    Py_END_ALLOW_THREADS while (rc == LOCHAN_OK && more && !raised) {
        Py_BEGIN_ALLOW_THREADS py_interrupt__begin(&i, cancel, writer);
        rc = copy_batch(rows, writer, &more, &err);
        if (rc == LOCHAN_OK && !more)
            rc = lochan_parquet_writer_close(writer, &err);
        py_interrupt__end(&i);
        Py_END_ALLOW_THREADS raised = PyErr_CheckSignals() != 0;
    }
    *written = lochan_parquet_writer_rows(writer);
    Py_BEGIN_ALLOW_THREADS lochan_parquet_writer_free(writer);
    Py_END_ALLOW_THREADS if (raised) return -1;
    if (rc != LOCHAN_OK)
        py_interrupt__raise(&i, rc, &err);
    return rc == LOCHAN_OK ? 0 : -1;
}

static PyObject *write_parquet(PyObject *self, PyObject *args, PyObject *kwargs) {
    (void)self;
    PyObject *data;
    write_arguments a;
    struct ArrowArrayStream rows = {0};
    int64_t written = 0;
    int rc = read_arguments(args, kwargs, &data, &a);
    if (rc == 0)
        rc = py_arrow__import(data, &rows);
    if (rc == 0)
        rc = copy_rows(&rows, PyBytes_AsString(a.path), &a.o, &written);
    if (rows.release)
        rows.release(&rows);
    free_arguments(&a);
    return rc == 0 ? PyLong_FromLongLong(written) : NULL;
}

PyMethodDef py_parquet_writer__write[] = {{"write_parquet", KEYWORDS(write_parquet),
                                           METH_VARARGS | METH_KEYWORDS,
                                           "Writes rows to a file; returns how many."},
                                          {NULL, NULL, 0, NULL}};
