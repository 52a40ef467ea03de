/* stream.c - streams of the library for Python: guarded ones for other libraries, and an iterator
 * over batches. Invariant: a guarded stream runs without the GIL in any thread and touches no
 * Python object.
 */
#include "module.h"

#include <errno.h>
#include <string.h>

/* ---- owners ---- */

py_owner *py_owner__make(void *object, void (*destroy)(void *), void (*cancel)(void *),
                         void (*resume)(void *), PyObject *keeps) {
    py_owner *o = malloc(sizeof *o);
    if (!o) {
        destroy(object);
        PyErr_NoMemory();
        return NULL;
    }
    *o = (py_owner){.process = py_process__id(),
                    .object = object,
                    .destroy = destroy,
                    .cancel = cancel,
                    .resume = resume,
                    .keeps = Py_XNewRef(keeps)};
    atomic_init(&o->refs, 1);
    return o;
}

static void do_nothing(void *object) {
    (void)object;
}

py_owner *py_owner__nobody(void) {
    return py_owner__make(NULL, do_nothing, do_nothing, do_nothing, NULL);
}

py_owner *py_owner__ref(py_owner *owner) {
    atomic_fetch_add(&owner->refs, 1);
    return owner;
}

void py_owner__unref(py_owner *owner) {
    if (!owner || atomic_fetch_sub(&owner->refs, 1) != 1 || owner->process != py_process__id())
        return;
    owner->destroy(owner->object);
    if (owner->keeps && Py_IsInitialized()) {
        PyGILState_STATE state = PyGILState_Ensure();
        Py_DECREF(owner->keeps);
        PyGILState_Release(state);
    }
    free(owner);
}

/* ---- watches ---- */

py_watch *py_watch__make(void) {
    py_watch *w = calloc(1, sizeof *w);
    if (!w) {
        PyErr_NoMemory();
        return NULL;
    }
    atomic_init(&w->refs, 1);
    pthread_mutex_init(&w->mutex, NULL);
    lochan_error_init(&w->err);
    return w;
}

static py_watch *ref_watch(py_watch *watch) {
    if (watch)
        atomic_fetch_add(&watch->refs, 1);
    return watch;
}

void py_watch__unref(py_watch *watch) {
    if (!watch || atomic_fetch_sub(&watch->refs, 1) != 1)
        return;
    pthread_mutex_destroy(&watch->mutex);
    free(watch);
}

void py_watch__note(py_watch *watch, const struct ArrowArrayStream *rows, lochan_status rc,
                    const lochan_error *err) {
    lochan_scan_stats stats;
    if (!watch)
        return;
    int known = lochan_scan_get_stats(rows, &stats, NULL) == LOCHAN_OK ||
                lochan_run_scan_stats(rows, &stats, NULL) == LOCHAN_OK;
    pthread_mutex_lock(&watch->mutex);
    if (known)
        watch->stats = stats;
    if (rc != LOCHAN_OK) {
        watch->rc = rc;
        watch->err = *err;
    }
    pthread_mutex_unlock(&watch->mutex);
}

/* ---- guarded streams ---- */

typedef struct guarded {
    py_owner *owner;
    py_watch *watch;
    struct ArrowArrayStream inner;
    const char *failure; /* ours, instead of the inner stream's */
} guarded;

int py_stream__errno(lochan_status rc) {
    switch (rc) {
    case LOCHAN_OK:
        return 0;
    case LOCHAN_ERR_CANCELLED:
        return ECANCELED;
    case LOCHAN_ERR_NO_MEMORY:
    case LOCHAN_ERR_MEMORY_LIMIT:
        return ENOMEM;
    case LOCHAN_ERR_NETWORK:
        return ECONNRESET;
    case LOCHAN_ERR_TIMEOUT:
        return ETIMEDOUT;
    case LOCHAN_ERR_DATA:
    case LOCHAN_ERR_SCHEMA:
        return EINVAL;
    default:
        return EIO;
    }
}

static int check_process(guarded *g) {
    if (g->owner->process == py_process__id())
        return 0;
    g->failure = "this stream was opened before fork; open it again in the child";
    return ENOSYS;
}

static int guarded_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
    guarded *g = stream->private_data;
    int rc = check_process(g);
    return rc ? rc : g->inner.get_schema(&g->inner, out);
}

static int guarded_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
    guarded *g = stream->private_data;
    lochan_error err;
    py_interrupt i;
    int rc = check_process(g);
    if (rc)
        return rc;
    lochan_error_init(&err);
    py_interrupt__begin(&i, g->owner->cancel, g->owner->object);
    if (g->watch) {
        lochan_status status = lochan_stream_get_next(&g->inner, out, &err);
        py_watch__note(g->watch, &g->inner, status, &err);
        rc = py_stream__errno(status);
    } else {
        rc = g->inner.get_next(&g->inner, out);
    }
    py_interrupt__end(&i);
    if (i.fired)
        g->owner->resume(g->owner->object);
    return rc;
}

static const char *guarded_error(struct ArrowArrayStream *stream) {
    guarded *g = stream->private_data;
    return g->failure ? g->failure : g->inner.get_last_error(&g->inner);
}

static void guarded_release(struct ArrowArrayStream *stream) {
    guarded *g = stream->private_data;
    stream->release = NULL;
    if (g->owner->process != py_process__id())
        return;
    py_watch__note(g->watch, &g->inner, LOCHAN_OK, NULL);
    py_watch__unref(g->watch);
    g->inner.release(&g->inner);
    py_owner__unref(g->owner);
    free(g);
}

int py_stream__guard(py_owner *owner, struct ArrowArrayStream *inner, py_watch *watch,
                     struct ArrowArrayStream *out) {
    guarded *g = malloc(sizeof *g);
    if (!g) {
        inner->release(inner);
        PyErr_NoMemory();
        return -1;
    }
    *g = (guarded){py_owner__ref(owner), ref_watch(watch), *inner, NULL};
    inner->release = NULL;
    *out =
        (struct ArrowArrayStream){guarded_schema, guarded_next, guarded_error, guarded_release, g};
    return 0;
}

/* ---- the iterator ---- */

typedef struct iterator {
    PyObject_HEAD py_owner *owner;
    py_watch *watch;
    struct ArrowArrayStream rows;
    int busy; /* a thread is in next, without the GIL */
} iterator;

static PyObject *iterator_type;

static void iterator_dealloc(PyObject *self) {
    iterator *it = (iterator *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (it->rows.release && it->owner->process == py_process__id())
        it->rows.release(&it->rows);
    py_watch__unref(it->watch);
    py_owner__unref(it->owner);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *iterator_next(PyObject *self) {
    iterator *it = (iterator *)self;
    struct ArrowSchema schema = {0};
    struct ArrowArray array = {0};
    lochan_error err;
    py_interrupt i;
    if (!py_process__check(it->owner->process, "stream"))
        return NULL;
    if (it->busy) {
        PyErr_SetString(PyExc_ValueError, "another thread is reading from this iterator");
        return NULL;
    }
    if (!it->rows.release)
        return NULL; /* the end, once reached */
    lochan_error_init(&err);
    it->busy = 1;
    lochan_status rc;
    Py_BEGIN_ALLOW_THREADS py_interrupt__begin(&i, it->owner->cancel, it->owner->object);
    rc = lochan_stream_get_next(&it->rows, &array, &err);
    if (rc == LOCHAN_OK && array.release)
        rc = lochan_stream_get_schema(&it->rows, &schema, &err);
    py_interrupt__end(&i);
    py_watch__note(it->watch, &it->rows, rc, &err);
    if (rc != LOCHAN_OK || !array.release)
        it->rows.release(&it->rows);
    Py_END_ALLOW_THREADS it->busy = 0;
    if (i.fired)
        it->owner->resume(it->owner->object);
    if (rc != LOCHAN_OK) {
        if (array.release)
            array.release(&array);
        return py_interrupt__raise(&i, rc, &err);
    }
    return array.release ? py_batch__make(&schema, &array) : NULL;
}

static PyObject *iterator_self(PyObject *self) {
    return Py_NewRef(self);
}

static PyType_Slot iterator_slots[] = {{Py_tp_dealloc, iterator_dealloc},
                                       {Py_tp_iter, iterator_self},
                                       {Py_tp_iternext, iterator_next},
                                       {Py_tp_doc, (void *)"Batches, one after the other."},
                                       {0, NULL}};
static PyType_Spec iterator_spec = {.name = "lochan.Batches",
                                    .basicsize = sizeof(iterator),
                                    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                    .slots = iterator_slots};

PyObject *py_stream__iterator(py_owner *owner, struct ArrowArrayStream *inner, py_watch *watch) {
    iterator *it = PyObject_New(iterator, (PyTypeObject *)iterator_type);
    if (!it) {
        inner->release(inner);
        return NULL;
    }
    it->owner = py_owner__ref(owner);
    it->watch = ref_watch(watch);
    memcpy(&it->rows, inner, sizeof *inner);
    inner->release = NULL;
    it->busy = 0;
    return (PyObject *)it;
}

int py_stream__add(PyObject *module) {
    iterator_type = PyType_FromSpec(&iterator_spec);
    return iterator_type ? PyModule_AddObjectRef(module, "Batches", iterator_type) : -1;
}
