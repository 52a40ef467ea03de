/* feed.c - Feed: a provider on loopback, for tests and demonstrations. */
#include "module.h"

typedef struct feed {
    PyObject_HEAD lochan_feed *feed; /* NULL once stopped */
    long process;
    int port;
    lochan_feed_stats last; /* of a feed that was stopped */
} feed;

static PyObject *feed_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {
        "path",   "port",       "date_column", "latency_ms",      "page_cap", "rate_per_second",
        "faults", "fault_seed", "replay",      "tls_certificate", "tls_key",  NULL};
    lochan_feed_options o = LOCHAN_FEED_OPTIONS_INIT;
    PyObject *path = NULL;
    lochan_feed *started = NULL;
    lochan_error err;
    lochan_status rc;
    int port = 0, replay = 0;
    long long page_cap = 0;
    unsigned long long seed = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O&|$iziLizKpzz:Feed", names,
                                     PyUnicode_FSConverter, &path, &port, &o.date_column,
                                     &o.latency_ms, &page_cap, &o.rate_per_second, &o.faults, &seed,
                                     &replay, &o.tls_certificate, &o.tls_key))
        return NULL;
    if (port < 0 || port > 65535) {
        Py_DECREF(path);
        return py_errors__format(LOCHAN_ERR_INVALID_ARGUMENT, "port: expected 0 to 65535, got %d",
                                 port);
    }
    o.port = (uint16_t)port;
    o.page_cap = page_cap;
    o.fault_seed = seed;
    o.replay = replay;
    const char *text = PyBytes_AsString(path);
    lochan_error_init(&err);
    Py_BEGIN_ALLOW_THREADS rc = lochan_feed_start(text, &o, &started, &err);
    Py_END_ALLOW_THREADS Py_DECREF(path);
    if (rc != LOCHAN_OK)
        return py_errors__raise(rc, &err);
    feed *self = PyObject_New(feed, type);
    if (!self) {
        lochan_feed_stop(started);
        return NULL;
    }
    self->feed = started;
    self->process = py_process__id();
    self->port = lochan_feed_port(started);
    self->last = (lochan_feed_stats){0};
    return (PyObject *)self;
}

/* In a forked child nothing is stopped: the feed's threads are the parent's. */
static PyObject *feed_stop(PyObject *self, PyObject *ignored) {
    (void)ignored;
    feed *f = (feed *)self;
    lochan_feed *running = f->feed;
    f->feed = NULL;
    if (running && f->process == py_process__id()) {
        Py_BEGIN_ALLOW_THREADS lochan_feed_get_stats(running, &f->last);
        lochan_feed_stop(running);
        Py_END_ALLOW_THREADS
    }
    Py_RETURN_NONE;
}

static void feed_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(feed_stop(self, NULL));
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *feed_stats(PyObject *self, void *closure) {
    (void)closure;
    feed *f = (feed *)self;
    if (f->feed)
        lochan_feed_get_stats(f->feed, &f->last);
    return Py_BuildValue("(LLLLL)", (long long)f->last.requests, (long long)f->last.answered,
                         (long long)f->last.faults, (long long)f->last.bytes,
                         (long long)f->last.limited);
}

static PyObject *feed_port(PyObject *self, void *closure) {
    (void)closure;
    return PyLong_FromLong(((feed *)self)->port);
}

static PyObject *feed_running(PyObject *self, void *closure) {
    (void)closure;
    return PyBool_FromLong(((feed *)self)->feed != NULL);
}

static PyMethodDef feed_methods[] = {{"stop", feed_stop, METH_NOARGS, "Stops serving."},
                                     {NULL, NULL, 0, NULL}};
static PyGetSetDef feed_getset[] = {
    {"port", feed_port, NULL, "Where it listens.", NULL},
    {"running", feed_running, NULL, "Whether it serves.", NULL},
    {"stats", feed_stats, NULL, "requests, answered, faults, bytes, limited", NULL},
    {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot feed_slots[] = {{Py_tp_new, feed_new},
                                   {Py_tp_dealloc, feed_dealloc},
                                   {Py_tp_methods, feed_methods},
                                   {Py_tp_getset, feed_getset},
                                   {Py_tp_doc, (void *)"A provider on loopback."},
                                   {0, NULL}};
static PyType_Spec feed_spec = {.name = "lochan._lochan.Feed",
                                .basicsize = sizeof(feed),
                                .flags = Py_TPFLAGS_DEFAULT,
                                .slots = feed_slots};

int py_feed__add(PyObject *module) {
    PyObject *type = PyType_FromSpec(&feed_spec);
    int rc = type ? PyModule_AddObjectRef(module, "Feed", type) : -1;
    Py_XDECREF(type);
    return rc;
}
