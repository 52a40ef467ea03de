/* lake_source.c - methods of Lake: trying a source out, and sources written in Python.
 * lochan/sources.py puts a friendlier face on them.
 * Invariant: what the library calls here takes the GIL for as long as Python code runs, and gives
 * it back while foreign streams are read.
 */
#include "module.h"

#include <errno.h>
#include <string.h>

/* ---- trying out ---- */

static int fill_answer(PyObject *dict, const lochan_source_answer *a) {
    return py_arguments__put(dict, "request", py_arguments__text(a->request)) < 0 ||
                   py_arguments__put(dict, "http_status", PyLong_FromLong(a->http_status)) < 0 ||
                   py_arguments__put(dict, "content_type", py_arguments__text(a->content_type)) <
                       0 ||
                   py_arguments__put(dict, "bytes", PyLong_FromLongLong(a->bytes)) < 0 ||
                   py_arguments__put(dict, "seconds", PyFloat_FromDouble(a->seconds)) < 0 ||
                   py_arguments__put(dict, "excerpt", py_arguments__text(a->excerpt)) < 0 ||
                   py_arguments__put(dict, "decoded", PyBool_FromLong(a->decoded)) < 0 ||
                   py_arguments__put(dict, "rows", PyLong_FromLongLong(a->rows)) < 0 ||
                   py_arguments__put(dict, "columns", PyLong_FromLongLong(a->columns)) < 0 ||
                   py_arguments__put(dict, "names", py_arguments__text(a->names)) < 0 ||
                   py_arguments__put(dict, "more", PyBool_FromLong(a->more)) < 0 ||
                   py_arguments__put(dict, "http_version", PyLong_FromLong(a->http_version)) < 0
               ? -1
               : 0;
}

/* (answer, source, dataset, start, end, parameters): the dict is filled as far as the answer came,
 * also on an error. */
static PyObject *source_test(PyObject *self, PyObject *args) {
    lochan_source_test_request r = LOCHAN_SOURCE_TEST_REQUEST_INIT;
    lochan_source_answer answer = {.struct_size = sizeof answer};
    PyObject *dict, *parameters, *keeps = NULL, *type, *value, *traceback;
    const char **texts = NULL;
    py_call c;
    if (!PyArg_ParseTuple(args, "O!szzzO:test", &PyDict_Type, &dict, &r.source, &r.dataset,
                          &r.start, &r.end, &parameters) ||
        py_arguments__texts(parameters, "parameters", &texts, &r.n_parameters, &keeps) < 0)
        return NULL;
    r.parameters = texts;
    lochan_lake *l = py_call__begin(self, &c);
    int failed = !l || py_call__end(&c, lochan_source_test(l, &r, &answer, &c.err)) < 0;
    PyMem_Free(texts);
    Py_XDECREF(keeps);
    PyErr_Fetch(&type, &value, &traceback);
    int bad = l && fill_answer(dict, &answer) < 0;
    if (failed)
        PyErr_Restore(type, value, traceback); /* it comes first */
    return failed || bad ? NULL : Py_NewRef(Py_None);
}

static PyObject *spec_draft(PyObject *module, PyObject *args) {
    (void)module;
    const char *sample, *name;
    Py_ssize_t size;
    char *source = NULL, *dataset = NULL;
    lochan_error err;
    if (!PyArg_ParseTuple(args, "s#s:draft", &sample, &size, &name))
        return NULL;
    lochan_error_init(&err);
    lochan_status rc = lochan_spec_draft(sample, (size_t)size, name, &source, &dataset, &err);
    PyObject *pair = rc == LOCHAN_OK ? Py_BuildValue("(NN)", py_arguments__text(source),
                                                     py_arguments__text(dataset))
                                     : py_errors__raise(rc, &err);
    lochan_free(source);
    lochan_free(dataset);
    return pair;
}

/* ---- what the update asks for, as dicts ---- */

static PyObject *list_texts(const char *const *texts, size_t n) {
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < n; i++) {
        PyObject *text = py_arguments__text(texts[i]);
        if (!text || PyList_Append(list, text) < 0)
            Py_CLEAR(list);
        Py_XDECREF(text);
    }
    return list;
}

static PyObject *show_context(const lochan_source_context *c) {
    return Py_BuildValue(
        "{s:s,s:s,s:s,s:z,s:z,s:N,s:N,s:N,s:N,s:s,s:i,s:i,s:i,s:d,s:N}", "source", c->source,
        "dataset", c->dataset, "source_dataset", c->source_dataset, "start", c->start, "end",
        c->end, "assets", list_texts(c->assets, c->n_assets), "force", PyBool_FromLong(c->force),
        "repair", PyBool_FromLong(c->repair), "backfill", PyBool_FromLong(c->backfill), "validate",
        c->validate, "workers", (int)c->workers, "batch_size", (int)c->batch_size, "max_retries",
        (int)c->max_retries, "retry_backoff_seconds", c->retry_backoff_seconds, "options",
        list_texts(c->options, c->n_options));
}

static PyObject *show_scope(const lochan_source_scope *s) {
    return Py_BuildValue("({s:z,s:z,s:N,s:N,s:z},N)", "start", s->start, "end", s->end, "assets",
                         list_texts(s->assets, s->n_assets), "parameters",
                         list_texts(s->parameters, s->n_parameters), "parameter_set",
                         s->parameter_set, show_context(s->context));
}

/* ---- rows of Python code as one stream ---- */

/* What an iterator gives: things with Arrow rows, all of one schema. */
typedef struct items {
    lochan_lake *lake;
    PyObject *iterator;
    struct ArrowSchema schema;   /* of the first */
    struct ArrowArrayStream now; /* the item that is read */
    int64_t n;                   /* items so far */
    lochan_error err;
} items;

static const char *name_of(const struct ArrowSchema *schema) {
    return schema->name ? schema->name : "";
}

/* The first column, of any depth, in which two schemas differ; NULL if there is none. */
static const struct ArrowSchema *find_difference(const struct ArrowSchema *a,
                                                 const struct ArrowSchema *b) {
    if (strcmp(a->format, b->format) != 0 || a->n_children != b->n_children ||
        !a->dictionary != !b->dictionary)
        return b;
    const struct ArrowSchema *found =
        a->dictionary ? find_difference(a->dictionary, b->dictionary) : NULL;
    for (int64_t i = 0; !found && i < a->n_children; i++)
        found = strcmp(name_of(a->children[i]), name_of(b->children[i])) == 0
                    ? find_difference(a->children[i], b->children[i])
                    : b->children[i];
    return found;
}

/* Puts the next item in place, with the GIL; at the end it->now stays empty. */
static lochan_status take_item(items *it) {
    PyObject *item = PyIter_Next(it->iterator);
    if (!item)
        return PyErr_Occurred() ? py_errors__take(&it->err) : LOCHAN_OK;
    int rc = py_arrow__import(item, &it->now);
    Py_DECREF(item);
    if (rc < 0)
        return py_errors__take(&it->err);
    struct ArrowSchema schema = {0};
    lochan_status status = lochan_stream_get_schema(&it->now, &schema, &it->err);
    if (status != LOCHAN_OK)
        return status;
    if (it->n++ == 0) {
        it->schema = schema;
        return LOCHAN_OK;
    }
    const struct ArrowSchema *other = find_difference(&it->schema, &schema);
    if (other)
        status = py_errors__set(&it->err, LOCHAN_ERR_SCHEMA,
                                "number %lld of what was yielded has other columns than the first, "
                                "or others of their types, such as '%.100s'",
                                (long long)it->n, name_of(other));
    schema.release(&schema);
    return status;
}

/* What ends a Python program ends the update: KeyboardInterrupt and the like. lochan/sources.py
 * lets the lake go on when it raises that again. */
static lochan_status stop_if_cancelled(lochan_lake *lake, lochan_status rc) {
    if (rc == LOCHAN_ERR_CANCELLED)
        lochan_lake_cancel(lake);
    return rc;
}

static lochan_status advance(items *it) {
    PyGILState_STATE state = PyGILState_Ensure();
    lochan_status rc = take_item(it);
    PyGILState_Release(state);
    return stop_if_cancelled(it->lake, rc);
}

static int items_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
    const items *it = stream->private_data;
    return py_batch__copy_schema(&it->schema, out) < 0 ? ENOMEM : 0;
}

static int items_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
    items *it = stream->private_data;
    lochan_status rc = LOCHAN_OK;
    memset(out, 0, sizeof *out);
    while (rc == LOCHAN_OK && it->now.release) {
        rc = lochan_stream_get_next(&it->now, out, &it->err);
        if (rc != LOCHAN_OK || out->release)
            break;
        it->now.release(&it->now);
        it->now.release = NULL;
        rc = advance(it);
    }
    return py_stream__errno(rc);
}

static const char *items_error(struct ArrowArrayStream *stream) {
    return ((items *)stream->private_data)->err.message;
}

static void free_items(items *it) {
    if (it->now.release)
        it->now.release(&it->now);
    if (it->schema.release)
        it->schema.release(&it->schema);
    PyGILState_STATE state = PyGILState_Ensure();
    Py_XDECREF(it->iterator);
    PyGILState_Release(state);
    free(it);
}

static void items_release(struct ArrowArrayStream *stream) {
    free_items(stream->private_data);
    stream->release = NULL;
}

/* ---- callbacks ---- */

/* What is registered for one source: the functions of lochan/sources.py. */
typedef struct registered {
    lochan_lake *lake; /* which outlives it */
    PyObject *plan;    /* or NULL */
    PyObject *fetch;
    long process;
} registered;

static lochan_status call_plan(registered *r, const lochan_source_scope *scope,
                               lochan_source_plan *plan, lochan_error *err) {
    PyObject *args = show_scope(scope);
    PyObject *windows = args ? PyObject_Call(r->plan, args, NULL) : NULL;
    lochan_status rc = LOCHAN_OK;
    Py_XDECREF(args);
    if (!windows)
        return py_errors__take(err);
    for (Py_ssize_t i = 0; rc == LOCHAN_OK && i < PyList_Size(windows); i++) {
        const char *start, *end;
        rc = PyArg_ParseTuple(PyList_GetItem(windows, i), "ss:plan", &start, &end)
                 ? lochan_source_plan_add(plan, start, end, err)
                 : py_errors__take(err);
    }
    Py_DECREF(windows);
    return rc;
}

static lochan_status on_plan(void *payload, const lochan_source_scope *scope,
                             lochan_source_plan *plan, lochan_error *err) {
    PyGILState_STATE state = PyGILState_Ensure();
    lochan_status rc = call_plan(payload, scope, plan, err);
    PyGILState_Release(state);
    return stop_if_cancelled(((registered *)payload)->lake, rc);
}

/* The iterator that fetch gives, and its first item. */
static lochan_status open_items(registered *r, const lochan_source_scope *scope, items *it) {
    PyObject *args = show_scope(scope);
    it->iterator = args ? PyObject_Call(r->fetch, args, NULL) : NULL;
    Py_XDECREF(args);
    return it->iterator ? take_item(it) : py_errors__take(&it->err);
}

static lochan_status on_fetch(void *payload, const lochan_source_scope *scope,
                              struct ArrowArrayStream *out, lochan_error *err) {
    static const struct ArrowSchema no_columns = {.format = "+s"};
    out->release = NULL;
    items *it = calloc(1, sizeof *it);
    if (!it)
        return py_errors__set(err, LOCHAN_ERR_NO_MEMORY, "out of memory");
    lochan_error_init(&it->err);
    it->lake = ((registered *)payload)->lake;
    PyGILState_STATE state = PyGILState_Ensure();
    lochan_status rc = stop_if_cancelled(it->lake, open_items(payload, scope, it));
    PyGILState_Release(state);
    if (rc == LOCHAN_OK && it->n == 0 && py_batch__copy_schema(&no_columns, &it->schema) < 0)
        rc = py_errors__set(&it->err, LOCHAN_ERR_NO_MEMORY, "out of memory");
    if (rc != LOCHAN_OK) {
        *err = it->err;
        free_items(it);
        return rc;
    }
    *out = (struct ArrowArrayStream){items_schema, items_next, items_error, items_release, it};
    return LOCHAN_OK;
}

/* In a forked child nothing is given back. */
static void on_release(void *payload) {
    registered *r = payload;
    if (r->process != py_process__id() || !Py_IsInitialized())
        return;
    PyGILState_STATE state = PyGILState_Ensure();
    Py_XDECREF(r->plan);
    Py_DECREF(r->fetch);
    PyGILState_Release(state);
    free(r);
}

/* (source, plan or None, fetch, parallel) */
static PyObject *source_register(PyObject *self, PyObject *args) {
    lochan_source_callbacks callbacks = LOCHAN_SOURCE_CALLBACKS_INIT;
    const char *source;
    PyObject *plan, *fetch;
    int parallel;
    py_call c;
    if (!PyArg_ParseTuple(args, "sOOp:register", &source, &plan, &fetch, &parallel))
        return NULL;
    registered *r = malloc(sizeof *r);
    if (!r)
        return PyErr_NoMemory();
    *r = (registered){NULL, plan == Py_None ? NULL : Py_NewRef(plan), Py_NewRef(fetch),
                      py_process__id()};
    callbacks.payload = r;
    callbacks.plan = r->plan ? on_plan : NULL;
    callbacks.fetch = on_fetch;
    callbacks.release = on_release;
    callbacks.parallel = parallel;
    lochan_lake *l = py_call__begin(self, &c);
    r->lake = l;
    if (l && py_call__end(&c, lochan_source_register(l, source, &callbacks, &c.err)) == 0)
        Py_RETURN_NONE;
    on_release(r);
    return NULL;
}

PyMethodDef py_lake__sources[] = {
    {"source_test", source_test, METH_VARARGS, "Makes one small request; fills the answer."},
    {"source_register", source_register, METH_VARARGS, "Functions for a source of this process."},
    {NULL, NULL, 0, NULL}};

PyMethodDef py_lake__drafts[] = {
    {"spec_draft", spec_draft, METH_VARARGS, "First specs from a sample: (source, dataset)."},
    {NULL, NULL, 0, NULL}};
