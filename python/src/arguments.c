/* arguments.c - Python values as C values. */
#include "module.h"

#include <string.h>

PyObject *py_arguments__path(PyObject *object) {
    PyObject *bytes = NULL;
    return PyUnicode_FSConverter(object, &bytes) ? bytes : NULL;
}

PyObject *py_arguments__text(const char *text) {
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

int py_arguments__texts(PyObject *object, const char *what, const char ***out, size_t *n,
                        PyObject **keeps) {
    *out = NULL;
    *n = 0;
    *keeps = NULL;
    if (!object || object == Py_None)
        return 0;
    if (PyUnicode_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s: expected a list of names, got one str", what);
        return -1;
    }
    PyObject *list = PySequence_List(object);
    if (!list)
        return -1;
    Py_ssize_t count = PyList_Size(list);
    const char **texts = PyMem_Calloc((size_t)count + 1, sizeof *texts);
    if (!texts) {
        PyErr_NoMemory();
        Py_DECREF(list);
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = PyList_GetItem(list, i);
        Py_ssize_t length;
        texts[i] = PyUnicode_Check(item) ? PyUnicode_AsUTF8AndSize(item, &length) : NULL;
        if (texts[i] && strlen(texts[i]) == (size_t)length)
            continue;
        if (!PyErr_Occurred())
            PyErr_Format(PyExc_TypeError, "%s: expected str without NUL, got %R", what, item);
        PyMem_Free(texts);
        Py_DECREF(list);
        return -1;
    }
    *out = texts;
    *n = (size_t)count;
    *keeps = list;
    return 0;
}

int py_arguments__put(PyObject *dict, const char *name, PyObject *value) {
    int rc = value ? PyDict_SetItemString(dict, name, value) : -1;
    Py_XDECREF(value);
    return rc;
}
