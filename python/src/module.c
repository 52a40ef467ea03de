/* module.c - lochan._lochan: its functions and types put together. */
#include "module.h"

static PyObject *version(PyObject *self, PyObject *ignored) {
    (void)self, (void)ignored;
    return PyUnicode_FromString(lochan_version());
}

static PyMethodDef functions[] = {{"version", version, METH_NOARGS, "Version of the library."},
                                  {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "lochan._lochan",
                                        .m_doc = "The C part of lochan.", .m_size = -1,
                                        .m_methods = functions};

PyMODINIT_FUNC PyInit__lochan(void) {
    PyObject *module = PyModule_Create(&definition);
    if (module &&
        (py_errors__add(module) < 0 || py_batch__add(module) < 0 || py_stream__add(module) < 0 ||
         py_table__add(module) < 0 || py_lake__add(module) < 0 || py_scan__add(module) < 0 ||
         py_runs__add(module) < 0 || py_feed__add(module) < 0 ||
         py_parquet_reader__add(module) < 0 ||
         PyModule_AddFunctions(module, py_parquet_reader__verify) < 0 ||
         PyModule_AddFunctions(module, py_parquet_writer__write) < 0))
        Py_CLEAR(module);
    return module;
}
