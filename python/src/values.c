/* values.c - single values of Arrow columns as Python objects, for small tables.
 * Invariant: exact, or an error that names the column. Columns come from the library, so their
 * buffers are sound.
 */
#include "module.h"

#include <stdio.h>
#include <string.h>

static int bit(const void *bits, int64_t i) {
    return ((const uint8_t *)bits)[i >> 3] >> (i & 7) & 1;
}

static PyObject *unsupported(const char *format, const char *name) {
    return py_errors__format(LOCHAN_ERR_UNSUPPORTED,
                             "column '%.100s': values of Arrow type '%.40s' have no Python form "
                             "here; use to_arrow() or to_polars()",
                             name, format);
}

/* ---- numbers ---- */

static PyObject *get_number(char format, const void *data, int64_t i) {
    switch (format) {
    case 'b':
        return PyBool_FromLong(bit(data, i));
    case 'c':
        return PyLong_FromLong(((const int8_t *)data)[i]);
    case 'C':
        return PyLong_FromLong(((const uint8_t *)data)[i]);
    case 's':
        return PyLong_FromLong(((const int16_t *)data)[i]);
    case 'S':
        return PyLong_FromLong(((const uint16_t *)data)[i]);
    case 'i':
        return PyLong_FromLong(((const int32_t *)data)[i]);
    case 'I':
        return PyLong_FromUnsignedLong(((const uint32_t *)data)[i]);
    case 'l':
        return PyLong_FromLongLong(((const int64_t *)data)[i]);
    case 'L':
        return PyLong_FromUnsignedLongLong(((const uint64_t *)data)[i]);
    case 'f':
        return PyFloat_FromDouble((double)((const float *)data)[i]);
    default: /* 'g' */
        return PyFloat_FromDouble(((const double *)data)[i]);
    }
}

/* decimal.Decimal of a text keeps every digit. */
static PyObject *get_decimal(const char *format, const void *data, int64_t i, const char *name) {
    int precision = 0, scale = 0, bits = 128;
    if (sscanf(format, "d:%d,%d,%d", &precision, &scale, &bits) < 2)
        return unsupported(format, name);
    int size = bits / 8;
    PyObject *module = PyImport_ImportModule("decimal");
    PyObject *number =
        PyObject_CallMethod((PyObject *)&PyLong_Type, "from_bytes", "y#s",
                            (const char *)data + i * size, (Py_ssize_t)size, "little");
    /* from_bytes takes `signed` by keyword only: the sign is put right by hand. */
    if (number && ((const int8_t *)data)[i * size + size - 1] < 0) {
        PyObject *one = PyLong_FromLong(1), *shift = PyLong_FromLong(bits);
        PyObject *whole = one && shift ? PyNumber_Lshift(one, shift) : NULL;
        PyObject *negative = whole ? PyNumber_Subtract(number, whole) : NULL;
        Py_XDECREF(one);
        Py_XDECREF(shift);
        Py_XDECREF(whole);
        Py_DECREF(number);
        number = negative;
    }
    PyObject *text = number ? PyUnicode_FromFormat("%SE%d", number, -scale) : NULL;
    PyObject *value = module && text ? PyObject_CallMethod(module, "Decimal", "O", text) : NULL;
    Py_XDECREF(module);
    Py_XDECREF(number);
    Py_XDECREF(text);
    return value;
}

/* ---- dates and times ---- */

static PyObject *get_date(int64_t days) {
    PyObject *module = PyImport_ImportModule("datetime");
    PyObject *class = module ? PyObject_GetAttrString(module, "date") : NULL;
    PyObject *value =
        class ? PyObject_CallMethod(class, "fromordinal", "L", (long long)days + 719163) : NULL;
    Py_XDECREF(module);
    Py_XDECREF(class);
    return value;
}

/* The first moment of 1970, with or without a zone, plus `value` units. Python has no nanoseconds:
 * they are cut off. */
static PyObject *get_timestamp(const char *format, int64_t value) {
    long long per_second = format[2] == 's'   ? 1
                           : format[2] == 'm' ? 1000
                           : format[2] == 'u' ? 1000000
                                              : 1000000000;
    long long seconds = value / per_second, rest = value % per_second;
    if (rest < 0) {
        seconds--;
        rest += per_second;
    }
    long long us = per_second <= 1000000 ? rest * (1000000 / per_second) : rest / 1000;
    PyObject *module = PyImport_ImportModule("datetime"), *zone = NULL, *epoch = NULL, *gap = NULL;
    PyObject *zones = module ? PyObject_GetAttrString(module, "timezone") : NULL;
    if (zones)
        zone = format[3] == ':' && format[4] ? PyObject_GetAttrString(zones, "utc")
                                             : Py_NewRef(Py_None);
    if (zone)
        epoch = PyObject_CallMethod(module, "datetime", "iiiiiiiO", 1970, 1, 1, 0, 0, 0, 0, zone);
    if (epoch)
        gap = PyObject_CallMethod(module, "timedelta", "LLL", seconds / 86400, seconds % 86400, us);
    PyObject *result = gap ? PyNumber_Add(epoch, gap) : NULL;
    Py_XDECREF(module);
    Py_XDECREF(zones);
    Py_XDECREF(zone);
    Py_XDECREF(epoch);
    Py_XDECREF(gap);
    return result;
}

static PyObject *get_time(const char *format, const void *data, int64_t i, const char *name) {
    PyObject *value;
    if (strcmp(format, "tdD") == 0)
        value = get_date(((const int32_t *)data)[i]);
    else if (format[1] == 's')
        value = get_timestamp(format, ((const int64_t *)data)[i]);
    else
        return unsupported(format, name);
    if (!value &&
        (PyErr_ExceptionMatches(PyExc_OverflowError) || PyErr_ExceptionMatches(PyExc_ValueError))) {
        PyErr_Clear();
        py_errors__format(LOCHAN_ERR_VALUE,
                          "column '%.100s', row %lld: the date lies outside of the years 1 to "
                          "9999, which is all that Python has",
                          name, (long long)i);
    }
    return value;
}

/* ---- text ---- */

static PyObject *get_text(char format, const struct ArrowArray *a, int64_t i) {
    int64_t from, to;
    if (format == 'U' || format == 'Z') {
        from = ((const int64_t *)a->buffers[1])[i];
        to = ((const int64_t *)a->buffers[1])[i + 1];
    } else {
        from = ((const int32_t *)a->buffers[1])[i];
        to = ((const int32_t *)a->buffers[1])[i + 1];
    }
    const char *p = to > from ? (const char *)a->buffers[2] + from : "";
    return format == 'u' || format == 'U'
               ? PyUnicode_DecodeUTF8(p, (Py_ssize_t)(to - from), "replace")
               : PyBytes_FromStringAndSize(p, (Py_ssize_t)(to - from));
}

/* ---- nested ---- */

static PyObject *get_struct(const struct ArrowSchema *s, const struct ArrowArray *a, int64_t i,
                            const char *name) {
    PyObject *dict = PyDict_New();
    for (int64_t c = 0; dict && c < s->n_children; c++) {
        PyObject *value = py_values__get(s->children[c], a->children[c], i, name);
        if (!value || PyDict_SetItemString(dict, s->children[c]->name, value) < 0)
            Py_CLEAR(dict);
        Py_XDECREF(value);
    }
    return dict;
}

/* A map is a list of pairs: its keys need not be hashable. */
static PyObject *get_list(const struct ArrowSchema *s, const struct ArrowArray *a, int64_t i,
                          const char *name) {
    int wide = strcmp(s->format, "+L") == 0;
    int64_t from = wide ? ((const int64_t *)a->buffers[1])[i] : ((const int32_t *)a->buffers[1])[i];
    int64_t to =
        wide ? ((const int64_t *)a->buffers[1])[i + 1] : ((const int32_t *)a->buffers[1])[i + 1];
    PyObject *list = PyList_New(0);
    for (int64_t k = from; list && k < to; k++) {
        PyObject *value = py_values__get(s->children[0], a->children[0], k, name);
        if (!value || PyList_Append(list, value) < 0)
            Py_CLEAR(list);
        Py_XDECREF(value);
    }
    return list;
}

PyObject *py_values__get(const struct ArrowSchema *schema, const struct ArrowArray *array,
                         int64_t row, const char *name) {
    const char *f = schema->format;
    int64_t i = row + array->offset;
    if (f[0] == 'n' || (array->null_count != 0 && array->n_buffers > 0 && array->buffers[0] &&
                        !bit(array->buffers[0], i)))
        Py_RETURN_NONE;
    if (strcmp(f, "+s") == 0)
        return get_struct(schema, array, i, name);
    if (strcmp(f, "+l") == 0 || strcmp(f, "+L") == 0 || strcmp(f, "+m") == 0)
        return get_list(schema, array, i, name);
    if (!f[1] && strchr("bcCsSiIlLfg", f[0]) && !schema->dictionary)
        return get_number(f[0], array->buffers[1], i);
    if (!f[1] && strchr("uUzZ", f[0]))
        return get_text(f[0], array, i);
    if (f[0] == 'd')
        return get_decimal(f, array->buffers[1], i, name);
    if (f[0] == 't')
        return get_time(f, array->buffers[1], i, name);
    return unsupported(f, name);
}
