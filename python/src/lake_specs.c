/* lake_specs.c - methods of Lake: sources, datasets, run tables. */
#include "module.h"

static PyObject *none_or_error(int rc) {
    return rc < 0 ? NULL : Py_NewRef(Py_None);
}

/* ---- sources ---- */

typedef lochan_status add_function(lochan_lake *, const char *, size_t, const char *, bool,
                                   lochan_error *);

/* (yaml, file, replace); file names the text in errors. */
static PyObject *add_yaml(PyObject *self, PyObject *args, add_function *add) {
    const char *yaml, *file;
    Py_ssize_t size;
    int replace;
    py_call c;
    if (!PyArg_ParseTuple(args, "s#zp:add", &yaml, &size, &file, &replace))
        return NULL;
    lochan_lake *l = py_call__begin(self, &c);
    return l ? none_or_error(
                   py_call__end(&c, add(l, yaml, (size_t)size, file, replace != 0, &c.err)))
             : NULL;
}

PyObject *py_lake__source_add(PyObject *self, PyObject *args) {
    return add_yaml(self, args, lochan_source_add);
}

PyObject *py_lake__source_add_bundled(PyObject *self, PyObject *args) {
    const char *name;
    py_call c;
    if (!PyArg_ParseTuple(args, "s:add", &name))
        return NULL;
    lochan_lake *l = py_call__begin(self, &c);
    return l ? none_or_error(py_call__end(&c, lochan_source_add_bundled(l, name, &c.err))) : NULL;
}

PyObject *py_lake__source_set(PyObject *self, PyObject *args) {
    const char *name, *key, *value;
    py_call c;
    if (!PyArg_ParseTuple(args, "ssz:configure", &name, &key, &value))
        return NULL;
    lochan_lake *l = py_call__begin(self, &c);
    return l ? none_or_error(py_call__end(&c, lochan_source_set(l, name, key, value, &c.err)))
             : NULL;
}

PyObject *py_lake__source_show(PyObject *self, PyObject *args) {
    const char *name;
    char *yaml = NULL;
    py_call c;
    if (!PyArg_ParseTuple(args, "s:get", &name))
        return NULL;
    lochan_lake *l = py_call__begin(self, &c);
    return l ? py_call__end_text(&c, lochan_source_show(l, name, &yaml, &c.err), &yaml) : NULL;
}

/* ---- datasets ---- */

PyObject *py_lake__dataset_add(PyObject *self, PyObject *args) {
    return add_yaml(self, args, lochan_dataset_add);
}

PyObject *py_lake__table_add(PyObject *self, PyObject *args) {
    return add_yaml(self, args, lochan_run_table_add);
}

PyObject *py_lake__dataset_add_bundled(PyObject *self, PyObject *args) {
    const char *name;
    int64_t added = 0;
    py_call c;
    if (!PyArg_ParseTuple(args, "s:add", &name))
        return NULL;
    lochan_lake *l = py_call__begin(self, &c);
    if (!l || py_call__end(&c, lochan_dataset_add_bundled(l, name, &added, &c.err)) < 0)
        return NULL;
    return PyLong_FromLongLong(added);
}

PyObject *py_lake__dataset_show(PyObject *self, PyObject *args) {
    const char *source, *dataset;
    char *yaml = NULL;
    py_call c;
    if (!PyArg_ParseTuple(args, "ss:get", &source, &dataset))
        return NULL;
    lochan_lake *l = py_call__begin(self, &c);
    if (!l)
        return NULL;
    return py_call__end_text(&c, lochan_dataset_show(l, source, dataset, &yaml, &c.err), &yaml);
}

typedef lochan_status switch_function(lochan_lake *, const char *, const char *, bool,
                                      lochan_error *);

/* (source, dataset, flag) */
static PyObject *call_switch(PyObject *self, PyObject *args, switch_function *function) {
    const char *source, *dataset;
    int flag;
    py_call c;
    if (!PyArg_ParseTuple(args, "ssp", &source, &dataset, &flag))
        return NULL;
    lochan_lake *l = py_call__begin(self, &c);
    return l ? none_or_error(py_call__end(&c, function(l, source, dataset, flag != 0, &c.err)))
             : NULL;
}

PyObject *py_lake__dataset_enable(PyObject *self, PyObject *args) {
    return call_switch(self, args, lochan_dataset_enable);
}

PyObject *py_lake__dataset_remove(PyObject *self, PyObject *args) {
    return call_switch(self, args, lochan_dataset_remove);
}
