/* module.h - what the files of the extension module share.
 *
 * lochan._lochan is a thin layer over the public C API: it moves arguments, Arrow capsules and
 * errors, and has no logic of its own. Rules: the GIL is released while the library works; nothing
 * that may run without the GIL (callbacks of Arrow structs) touches a Python object; objects refuse
 * to work in a process other than the one that opened them.
 */
#ifndef LOCHAN_PYTHON_MODULE_H
#define LOCHAN_PYTHON_MODULE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <lochan/lochan.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Declares a function of the signature that METH_VARARGS | METH_KEYWORDS wants. */
#define KEYWORDS(function) (PyCFunction)(void (*)(void))(function)

/* ---- errors.c ---- */

/* Makes the classes of errors.def and adds them to the module. */
int py_errors__add(PyObject *module);
/* Raises the class of rc with the fields of err; returns NULL. */
PyObject *py_errors__raise(lochan_status rc, const lochan_error *err);
/* The exception, not raised; NULL with another one set. */
PyObject *py_errors__make(lochan_status rc, const lochan_error *err);
/* Raises, for a failure that is found here. */
PyObject *py_errors__format(lochan_status rc, const char *fmt, ...);
/* Fills err; returns rc. Needs no GIL. */
lochan_status py_errors__set(lochan_error *err, lochan_status rc, const char *fmt, ...);
/* The exception that is set, which is cleared, as an error of the library's. */
lochan_status py_errors__take(lochan_error *err);

/* ---- interrupt.c ---- */

/* Ctrl-C while the library works: between begin and end, SIGINT also calls cancel(object). Only in
 * the main thread, where Python handles signals; elsewhere begin and end do nothing. May be nested;
 * needs no GIL. */
typedef struct py_interrupt {
    void (*cancel)(void *object);
    void *object;
    struct py_interrupt *outer;
    volatile int fired;
    int active;
} py_interrupt;
void py_interrupt__begin(py_interrupt *i, void (*cancel)(void *), void *object);
void py_interrupt__end(py_interrupt *i);
/* After a failure, with the GIL: raises what the signal handler of Python raised
 * (KeyboardInterrupt), else the error. */
PyObject *py_interrupt__raise(const py_interrupt *i, lochan_status rc, const lochan_error *err);

/* ---- process.c: fork ---- */

long py_process__id(void);
/* Raises, and returns 0, if `opened_in` is not this process. */
int py_process__check(long opened_in, const char *what);

/* ---- arrow.c ---- */

/* Capsules as the Arrow PyCapsule interface wants them. The struct is moved, also on failure. */
PyObject *py_arrow__schema_capsule(struct ArrowSchema *schema);
PyObject *py_arrow__array_capsule(struct ArrowArray *array);
PyObject *py_arrow__stream_capsule(struct ArrowArrayStream *stream);

/* Rows of any object with __arrow_c_stream__ or __arrow_c_array__, as a stream. */
int py_arrow__import(PyObject *data, struct ArrowArrayStream *out);

typedef struct py_owner py_owner;
typedef struct py_watch py_watch;

/* ---- batch.c ---- */

int py_batch__add(PyObject *module);
/* A Batch of both structs, which are moved, also on failure. */
PyObject *py_batch__make(struct ArrowSchema *schema, struct ArrowArray *array);
/* The rows of a Batch, borrowed; and as a struct that holds them by itself, -1 for want of memory
 * (then *out is released). */
const struct ArrowArray *py_batch__array(PyObject *batch);
int py_batch__show(PyObject *batch, struct ArrowArray *out);
/* A deep copy; -1 for want of memory (then *out is released). */
int py_batch__copy_schema(const struct ArrowSchema *schema, struct ArrowSchema *out);

/* ---- values.c ---- */

/* Value `row` of a column as a Python object; `name` is for errors. */
PyObject *py_values__get(const struct ArrowSchema *schema, const struct ArrowArray *array,
                         int64_t row, const char *name);

/* ---- table.c ---- */

int py_table__add(PyObject *module);
/* No rows; *schema is moved, also on failure. */
PyObject *py_table__make(struct ArrowSchema *schema);
/* All rows of a stream, in memory; *rows is released. owner and watch may be NULL. */
PyObject *py_table__read(py_owner *owner, struct ArrowArrayStream *rows, py_watch *watch);

/* ---- stream.c ---- */

/* Something that streams are made from and that can be cancelled, shared by a Python object and its
 * streams. The last one to let go, in whatever thread, calls destroy; in a forked child nothing is
 * destroyed. */
struct py_owner {
    _Atomic long refs;
    long process;
    void *object;
    void (*destroy)(void *object);
    void (*cancel)(void *object);
    void (*resume)(void *object);
    PyObject *keeps; /* bytes that the object reads, or NULL */
};
/* NULL: out of memory, with the object destroyed and a Python error set. */
py_owner *py_owner__make(void *object, void (*destroy)(void *), void (*cancel)(void *),
                         void (*resume)(void *), PyObject *keeps);
/* One of nothing, for streams that need no lake; NULL with an error set. */
py_owner *py_owner__nobody(void);
py_owner *py_owner__ref(py_owner *owner);
void py_owner__unref(py_owner *owner); /* NULL is a no-op; needs no GIL */

/* What became of a stream that others read: the figures of a scan, and its error as a whole. The
 * last one to let go frees it. */
struct py_watch {
    _Atomic long refs;
    pthread_mutex_t mutex;
    lochan_scan_stats stats;
    lochan_status rc;
    lochan_error err;
};
py_watch *py_watch__make(void);        /* NULL with an error set */
void py_watch__unref(py_watch *watch); /* NULL is a no-op; needs no GIL */
/* Notes how far `rows` has come and, unless rc is 0, how it failed. */
void py_watch__note(py_watch *watch, const struct ArrowArrayStream *rows, lochan_status rc,
                    const lochan_error *err);

int py_stream__add(PyObject *module);
/* A stream for others, with Ctrl-C and fork minded; *inner is moved, also on failure. watch may be
 * NULL. */
int py_stream__guard(py_owner *owner, struct ArrowArrayStream *inner, py_watch *watch,
                     struct ArrowArrayStream *out);
/* What the C stream interface has instead of a status. */
int py_stream__errno(lochan_status rc);
/* A Python iterator over Batches; *inner is moved, also on failure. watch may be NULL. */
PyObject *py_stream__iterator(py_owner *owner, struct ArrowArrayStream *inner, py_watch *watch);

/* ---- parquet_reader.c, parquet_writer.c ---- */

int py_parquet_reader__add(PyObject *module);
extern PyMethodDef py_parquet_reader__verify[];
extern PyMethodDef py_parquet_writer__write[];

/* ---- lake.c ---- */

int py_lake__add(PyObject *module);
/* Raises TypeError, and returns 0, unless it is a Lake. */
int py_lake__check(PyObject *object);

/* One call on a lake: between begin and end the GIL is released, the lake is held open, and Ctrl-C
 * stops it. begin gives NULL, with an error set, for a lake that is closed or of another process.
 * end returns 0, or -1 with the error of rc raised. */
typedef struct py_call {
    py_owner *owner;
    PyThreadState *thread;
    py_interrupt interrupt;
    lochan_error err;
} py_call;
lochan_lake *py_call__begin(PyObject *lake, py_call *c);
int py_call__end(py_call *c, lochan_status rc);
/* The end of a call that gives a list: a Table. */
PyObject *py_call__end_table(py_call *c, lochan_status rc, struct ArrowArrayStream *rows);
/* The same, of a call that gives a text of the library's, which is freed; and one that gives rows
 * to be read later: a ScanStream. */
PyObject *py_call__end_text(py_call *c, lochan_status rc, char **text);
PyObject *py_call__end_scan(py_call *c, lochan_status rc, struct ArrowArrayStream *rows);

/* ---- lake_calls.c, lake_care.c, lake_source.c, lake_update.c, lake_scan.c, lake_runs.c ---- */

/* Methods of Lake, and functions of the module that need none. */
extern PyMethodDef py_lake__calls[];
extern PyMethodDef py_lake__sources[];
extern PyMethodDef py_lake__updates[];
extern PyMethodDef py_lake__care[];
extern PyMethodDef py_lake__scans[];
extern PyMethodDef py_lake__runs[];
extern PyMethodDef py_lake__raw[];
extern PyMethodDef py_lake__lakeless[];
extern PyMethodDef py_lake__drafts[];
extern PyMethodDef py_lake__closed_care[];
int py_scan__add(PyObject *module);
int py_runs__add(PyObject *module);
/* A ScanStream over rows, which are moved, also on failure. */
PyObject *py_scan__make(py_owner *owner, struct ArrowArrayStream *rows);

/* Python callbacks of one call of the library's, from any of its threads: the first exception it
 * raises stops the lake's work and is raised at the end. */
typedef struct py_callback {
    lochan_lake *lake;
    PyObject *type, *value, *traceback;
} py_callback;
/* Calls function(*args); takes over the reference to args; with the GIL. */
void py_callback__call(py_callback *c, PyObject *function, PyObject *args);
/* The end of the call: the exception of the callback comes first. */
int py_callback__end(py_callback *c, py_call *call, lochan_status rc);

/* ---- feed.c ---- */

int py_feed__add(PyObject *module);

/* ---- arguments.c ---- */

/* Path of a str, bytes or os.PathLike as new bytes; NULL with an error set. */
PyObject *py_arguments__path(PyObject *object);
/* A sequence of str as an array of borrowed texts that `keeps` holds; None gives NULL and n = 0.
 * Free with PyMem_Free. */
int py_arguments__texts(PyObject *object, const char *what, const char ***out, size_t *n,
                        PyObject **keeps);
/* Puts a new value into a dict; takes over the reference, NULL is a failure that was told. */
int py_arguments__put(PyObject *dict, const char *name, PyObject *value);
/* Text with bytes that are no UTF-8 replaced. */
PyObject *py_arguments__text(const char *text);

#endif
