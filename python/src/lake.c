/* lake.c - Lake: one open lake. lochan/lake.py puts a friendlier face on it.
 * Invariant: every call holds the lake open by itself, so that close() may come from any thread at
 * any time.
 */
#include "module.h"

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

void py_callback__call(py_callback *c, PyObject *function, PyObject *args) {
    PyObject *done = !args || c->type ? NULL : PyObject_Call(function, args, NULL);
    Py_XDECREF(args);
    if (done && PyErr_CheckSignals() != 0)
        Py_CLEAR(done);
    if (!done && !c->type) {
        PyErr_Fetch(&c->type, &c->value, &c->traceback);
        lochan_lake_cancel(c->lake);
    } else if (!done) {
        PyErr_Clear(); /* of another thread: the first one counts */
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

/* ---- the type ---- */

static PyMethodDef own_methods[] = {
    {"close", lake_close, METH_NOARGS, "Closes the lake; streams made from it go on."},
    {"cancel", lake_cancel, METH_NOARGS, "Asks all that runs on the lake to stop."},
    {"resume", lake_resume, METH_NOARGS, "Takes cancel back."},
    {NULL, NULL, 0, NULL}};
/* All methods of the type, those of the other files too. */
static PyMethodDef lake_methods[40];

static int gather_methods(void) {
    static const PyMethodDef *const parts[] = {own_methods,      py_lake__calls, py_lake__sources,
                                               py_lake__updates, py_lake__care,  py_lake__scans,
                                               py_lake__runs,    py_lake__raw};
    size_t n = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        for (const PyMethodDef *m = parts[i]; m->ml_name; m++) {
            if (n + 1 == sizeof lake_methods / sizeof *lake_methods) {
                PyErr_SetString(PyExc_SystemError, "more methods than there is room for");
                return -1;
            }
            lake_methods[n++] = *m;
        }
    }
    return 0;
}

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
    {NULL, NULL, 0, NULL}};

int py_lake__add(PyObject *module) {
    lake_type = gather_methods() == 0 ? PyType_FromSpec(&lake_spec) : NULL;
    return lake_type && PyModule_AddObjectRef(module, "Lake", lake_type) == 0 &&
                   PyModule_AddFunctions(module, functions) == 0 &&
                   PyModule_AddFunctions(module, py_lake__lakeless) == 0 &&
                   PyModule_AddFunctions(module, py_lake__drafts) == 0 &&
                   PyModule_AddFunctions(module, py_lake__closed_care) == 0
               ? 0
               : -1;
}
