/* lake_raw.c - kept answers: a dataset built again from them, and less of them. */
#include "module.h"

/* (source, dataset, updates or None, since or None, partial, plan, owed) */
static PyObject *raw_rebuild(PyObject *self, PyObject *args) {
    lochan_raw_options o = LOCHAN_RAW_OPTIONS_INIT;
    lochan_raw_report r = {0};
    struct ArrowArrayStream lacks = {0};
    const char *source, *dataset, **ids;
    PyObject *updates, *keeps;
    int partial, plan, owed;
    py_call c;
    if (!PyArg_ParseTuple(args, "ssOzppp:raw_rebuild", &source, &dataset, &updates, &o.since,
                          &partial, &plan, &owed))
        return NULL;
    if (py_arguments__texts(updates, "updates", &ids, &o.n_update_ids, &keeps) < 0)
        return NULL;
    o.update_ids = ids;
    o.partial = partial;
    o.plan = plan;
    o.owed = owed;
    PyObject *table = NULL;
    lochan_lake *l = py_call__begin(self, &c);
    if (l) {
        lochan_status rc = lochan_raw_rebuild(l, source, dataset, &o, &r, &lacks, &c.err);
        if (rc != LOCHAN_OK && lacks.release)
            lacks.release(&lacks);
        table = py_call__end_table(&c, rc, &lacks);
    }
    PyMem_Free(ids);
    Py_XDECREF(keeps);
    return table ? Py_BuildValue("((LLLLLLLLLLLLLL)N)", (long long)r.updates, (long long)r.scopes,
                                 (long long)r.scopes_failed, (long long)r.answers,
                                 (long long)r.rows, (long long)r.rows_new,
                                 (long long)r.rows_replaced, (long long)r.rows_unchanged,
                                 (long long)r.rows_removed, (long long)r.rows_rejected,
                                 (long long)r.lacking, (long long)r.files_written,
                                 (long long)r.bytes_written, (long long)r.snapshot_id, table)
                 : NULL;
}

/* (source or None, dataset or None, max_bytes; -1: what the specs say) */
static PyObject *raw_trim(PyObject *self, PyObject *args) {
    const char *source, *dataset;
    long long most;
    int64_t files, bytes;
    py_call c;
    if (!PyArg_ParseTuple(args, "zzL:raw_trim", &source, &dataset, &most))
        return NULL;
    lochan_lake *l = py_call__begin(self, &c);
    if (!l ||
        py_call__end(&c, lochan_raw_trim(l, source, dataset, most, &files, &bytes, &c.err)) < 0)
        return NULL;
    return Py_BuildValue("(LL)", (long long)files, (long long)bytes);
}

PyMethodDef py_lake__raw[] = {
    {"raw_rebuild", raw_rebuild, METH_VARARGS,
     "Builds a dataset again from its kept answers: (figures, days that they lack)."},
    {"raw_trim", raw_trim, METH_VARARGS, "Removes the oldest kept answers: (files, bytes)."},
    {NULL, NULL, 0, NULL}};
