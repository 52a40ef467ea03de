/* errors.c - one exception class for every code of errors.def, below lochan.Error.
 * The classes have the names of the list and, where Python has a class for the same thing, that one
 * as a second base, so that `except FileNotFoundError` and `except ValueError` work.
 */
#include "module.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_CODES = 64 };
static PyObject *base_class;
static PyObject *classes[MAX_CODES];

static PyObject *second_base(lochan_status code) {
    switch (code) {
    case LOCHAN_ERR_NO_MEMORY:
    case LOCHAN_ERR_MEMORY_LIMIT:
        return PyExc_MemoryError;
    case LOCHAN_ERR_IO:
    case LOCHAN_ERR_NO_SPACE:
        return PyExc_OSError;
    case LOCHAN_ERR_NOT_FOUND:
        return PyExc_FileNotFoundError;
    case LOCHAN_ERR_EXISTS:
        return PyExc_FileExistsError;
    case LOCHAN_ERR_READ_ONLY:
        return PyExc_PermissionError;
    case LOCHAN_ERR_UNSUPPORTED:
        return PyExc_NotImplementedError;
    case LOCHAN_ERR_TIMEOUT:
        return PyExc_TimeoutError;
    case LOCHAN_ERR_NETWORK:
        return PyExc_ConnectionError;
    case LOCHAN_ERR_INTERNAL:
        return PyExc_RuntimeError;
    case LOCHAN_ERR_INVALID_ARGUMENT:
    case LOCHAN_ERR_CORRUPT:
    case LOCHAN_ERR_SCHEMA:
    case LOCHAN_ERR_SPEC:
    case LOCHAN_ERR_VALIDATION:
    case LOCHAN_ERR_VALUE:
    case LOCHAN_ERR_DATA:
        return PyExc_ValueError;
    default:
        return NULL;
    }
}

/* ---- the base class ---- */

static int set(PyObject *exception, const char *name, PyObject *value) {
    int rc = value ? PyObject_SetAttrString(exception, name, value) : -1;
    Py_XDECREF(value);
    return rc;
}

/* As any exception made by Python code. */
static PyObject *plain_str(PyObject *self) {
    PyObject *args = PyObject_GetAttrString(self, "args"), *text = NULL;
    Py_ssize_t n = args && PyTuple_Check(args) ? PyTuple_Size(args) : -1;
    if (n == 0)
        text = PyUnicode_FromString("");
    else if (args)
        text = PyObject_Str(n == 1 ? PyTuple_GetItem(args, 0) : args);
    Py_XDECREF(args);
    return text;
}

/* The message, and the hint on a line of its own. */
static PyObject *error_str(PyObject *self) {
    PyObject *message = PyObject_GetAttrString(self, "message");
    PyObject *hint = message ? PyObject_GetAttrString(self, "hint") : NULL;
    PyObject *text = NULL;
    if (hint && PyUnicode_Check(message) && PyUnicode_GetLength(message) == 0)
        text = plain_str(self);
    else if (hint)
        text = PyObject_IsTrue(hint) == 1 ? PyUnicode_FromFormat("%S\nhint: %S", message, hint)
                                          : PyObject_Str(message);
    Py_XDECREF(message);
    Py_XDECREF(hint);
    return text;
}

static PyType_Slot base_slots[] = {
    {Py_tp_str, error_str},
    {Py_tp_doc, (void *)"What every failure of lochan is. The fields are those of lochan_error: "
                        "code, name, message, hint,\n"
                        "file, offset, table, row, column, line, line_column, sys_errno, "
                        "http_status, retryable,\n"
                        "retry_after (seconds), exit_code; None where they do not apply."},
    {0, NULL}};
static PyType_Spec base_spec = {
    .name = "lochan.Error", .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, .slots = base_slots};

/* Fields that an exception made by Python code has too. */
static int add_defaults(void) {
    static const char *const none[] = {
        "file",      "table",       "column",      "offset", "row",     "line",  "line_column",
        "sys_errno", "http_status", "retry_after", "report", "reports", "answer"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        if (PyObject_SetAttrString(base_class, none[i], Py_None) < 0)
            return -1;
    }
    return set(base_class, "message", PyUnicode_FromString("")) < 0 ||
                   set(base_class, "hint", PyUnicode_FromString("")) < 0 ||
                   set(base_class, "name", PyUnicode_FromString("INTERNAL")) < 0 ||
                   set(base_class, "code", PyLong_FromLong(LOCHAN_ERR_INTERNAL)) < 0 ||
                   set(base_class, "exit_code", PyLong_FromLong(70)) < 0 ||
                   set(base_class, "retryable", PyBool_FromLong(0)) < 0
               ? -1
               : 0;
}

static int add_class(PyObject *module, lochan_status code, const char *name, const char *text,
                     int retryable) {
    char full[80];
    PyObject *second = second_base(code);
    /* A missing column is a failed look-up, a missing file is no file. */
    PyObject *bases = code == LOCHAN_ERR_NOT_FOUND
                          ? PyTuple_Pack(3, base_class, second, PyExc_LookupError)
                      : second ? PyTuple_Pack(2, base_class, second)
                               : PyTuple_Pack(1, base_class);
    PyObject *fields =
        bases ? Py_BuildValue("{s:i,s:s,s:i,s:N}", "code", (int)code, "name",
                              lochan_status_name(code), "exit_code", lochan_status_exit_code(code),
                              "retryable", PyBool_FromLong(retryable))
              : NULL;
    snprintf(full, sizeof full, "lochan.%s", name);
    if (fields)
        classes[code] = PyErr_NewExceptionWithDoc(full, text, bases, fields);
    Py_XDECREF(bases);
    Py_XDECREF(fields);
    return classes[code] ? PyModule_AddObjectRef(module, name, classes[code]) : -1;
}

int py_errors__add(PyObject *module) {
    PyObject *bases = PyTuple_Pack(1, PyExc_Exception);
    base_class = bases ? PyType_FromSpecWithBases(&base_spec, bases) : NULL;
    Py_XDECREF(bases);
    if (!base_class || add_defaults() < 0 || PyModule_AddObjectRef(module, "Error", base_class) < 0)
        return -1;
#define LOCHAN_STATUS(name, number, python, exit_code, retryable, text, hint)                      \
    if (number != 0 && add_class(module, number, python, text, retryable) < 0)                     \
        return -1;
#include <lochan/errors.def>
#undef LOCHAN_STATUS
    return 0;
}

/* ---- raising ---- */

static int set_int(PyObject *exception, const char *name, long long value, bool known) {
    return set(exception, name, known ? PyLong_FromLongLong(value) : Py_NewRef(Py_None));
}

static int set_text(PyObject *exception, const char *name, const char *text) {
    return set(exception, name, text[0] ? py_arguments__text(text) : Py_NewRef(Py_None));
}

static int set_fields(PyObject *e, lochan_status rc, const lochan_error *err) {
    return set(e, "message", py_arguments__text(err->message)) < 0 ||
                   set(e, "hint", py_arguments__text(err->hint)) < 0 ||
                   set_int(e, "code", rc, true) < 0 ||
                   set_text(e, "name", lochan_status_name(rc)) < 0 ||
                   set_text(e, "file", err->file) < 0 || set_text(e, "table", err->table) < 0 ||
                   set_text(e, "column", err->column) < 0 ||
                   set_int(e, "offset", err->offset, err->offset >= 0) < 0 ||
                   set_int(e, "row", err->row, err->row >= 0) < 0 ||
                   set_int(e, "line", err->line, err->line >= 0) < 0 ||
                   set_int(e, "line_column", err->line_column, err->line_column >= 0) < 0 ||
                   set_int(e, "sys_errno", err->sys_errno, err->sys_errno != 0) < 0 ||
                   set_int(e, "http_status", err->http_status, err->http_status != 0) < 0 ||
                   set_int(e, "exit_code", lochan_status_exit_code(rc), true) < 0 ||
                   set(e, "retryable", PyBool_FromLong(err->retryable)) < 0 ||
                   set(e, "retry_after",
                       err->retry_after_ms >= 0
                           ? PyFloat_FromDouble((double)err->retry_after_ms / 1000)
                           : Py_NewRef(Py_None)) < 0
               ? -1
               : 0;
}

/* Also where OSError looks for them. */
static int set_os_fields(PyObject *e, const lochan_error *err) {
    if (PyObject_IsInstance(e, PyExc_OSError) != 1)
        return 0;
    if (err->sys_errno != 0 && set_int(e, "errno", err->sys_errno, true) < 0)
        return -1;
    return err->file[0] ? set_text(e, "filename", err->file) : 0;
}

PyObject *py_errors__make(lochan_status rc, const lochan_error *err) {
    PyObject *class = rc > 0 && rc < MAX_CODES && classes[rc] ? classes[rc] : base_class;
    PyObject *message = py_arguments__text(err->message);
    PyObject *e = message ? PyObject_CallFunctionObjArgs(class, message, NULL) : NULL;
    Py_XDECREF(message);
    if (e && (set_fields(e, rc, err) < 0 || set_os_fields(e, err) < 0))
        Py_CLEAR(e);
    return e;
}

PyObject *py_errors__raise(lochan_status rc, const lochan_error *err) {
    PyObject *e = py_errors__make(rc, err);
    if (e)
        PyErr_SetObject((PyObject *)Py_TYPE(e), e);
    Py_XDECREF(e);
    return NULL;
}

static lochan_status set_args(lochan_error *err, lochan_status rc, const char *fmt, va_list args) {
    lochan_error_init(err);
    err->code = rc;
    vsnprintf(err->message, sizeof err->message, fmt, args);
    return rc;
}

lochan_status py_errors__set(lochan_error *err, lochan_status rc, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    set_args(err, rc, fmt, args);
    va_end(args);
    return rc;
}

PyObject *py_errors__format(lochan_status rc, const char *fmt, ...) {
    lochan_error err;
    va_list args;
    va_start(args, fmt);
    set_args(&err, rc, fmt, args);
    va_end(args);
    return py_errors__raise(rc, &err);
}

/* ---- and the other way ---- */

/* The code for an exception of the user's. What is not known to pass is not tried again. */
static lochan_status code_of(PyObject *e) {
    if (!PyObject_TypeCheck(e, (PyTypeObject *)PyExc_Exception))
        return LOCHAN_ERR_CANCELLED; /* KeyboardInterrupt and the like */
    if (PyObject_TypeCheck(e, (PyTypeObject *)PyExc_MemoryError))
        return LOCHAN_ERR_NO_MEMORY;
    if (PyObject_TypeCheck(e, (PyTypeObject *)PyExc_TimeoutError))
        return LOCHAN_ERR_TIMEOUT;
    if (PyObject_TypeCheck(e, (PyTypeObject *)PyExc_ConnectionError))
        return LOCHAN_ERR_NETWORK;
    return LOCHAN_ERR_DATA;
}

static double number_of(PyObject *e, const char *field, double otherwise) {
    PyObject *value = PyObject_GetAttrString(e, field);
    double number = value && value != Py_None ? PyFloat_AsDouble(value) : otherwise;
    Py_XDECREF(value);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        return otherwise;
    }
    return number;
}

/* "ValueError: no such field", or the message alone of an error of ours; as bytes. */
static PyObject *describe(PyObject *e, int ours) {
    PyObject *said = ours ? PyObject_GetAttrString(e, "message") : NULL;
    if (!said || !PyUnicode_Check(said) || PyUnicode_GetLength(said) == 0) {
        PyObject *name = PyObject_GetAttrString((PyObject *)Py_TYPE(e), "__name__");
        Py_XDECREF(said);
        said = name ? PyUnicode_FromFormat("%S: %S", name, e) : NULL;
        Py_XDECREF(name);
    }
    PyObject *bytes = said ? PyUnicode_AsEncodedString(said, "utf-8", "replace") : NULL;
    Py_XDECREF(said);
    return bytes;
}

lochan_status py_errors__take(lochan_error *err) {
    PyObject *type, *e, *traceback;
    PyErr_Fetch(&type, &e, &traceback);
    PyErr_NormalizeException(&type, &e, &traceback);
    lochan_status rc = LOCHAN_ERR_INTERNAL;
    int ours = e && PyObject_TypeCheck(e, (PyTypeObject *)base_class);
    if (ours)
        rc = (lochan_status)number_of(e, "code", LOCHAN_ERR_DATA);
    else if (e)
        rc = code_of(e);
    PyObject *text = e ? describe(e, ours) : NULL;
    if (!text)
        PyErr_Clear();
    py_errors__set(err, rc, "%s", text ? PyBytes_AsString(text) : "an exception without a text");
    err->retryable = e && number_of(e, "retryable", 0) != 0;
    double wait = e ? number_of(e, "retry_after", -1) : -1;
    if (wait >= 0 && wait < 1e6)
        err->retry_after_ms = (int64_t)(wait * 1000);
    Py_XDECREF(text);
    Py_XDECREF(type);
    Py_XDECREF(e);
    Py_XDECREF(traceback);
    return rc;
}
