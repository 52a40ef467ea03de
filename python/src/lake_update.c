/* lake_update.c - methods of Lake that take long: update and verify, with their callbacks. */
#include "module.h"

#include <string.h>

/* ---- update ---- */

static void on_progress(void *payload, const lochan_progress *p) {
    static const char *const stages[] = {"plan", "fetch", "normalise", "write", "publish", "done"};
    PyGILState_STATE state = PyGILState_Ensure();
    const char *stage = (unsigned)p->stage < sizeof stages / sizeof *stages ? stages[p->stage] : "";
    py_callback__call(payload,
                      Py_BuildValue("(sLLLLLz)", stage, (long long)p->pages_done,
                                    (long long)p->pages_total, (long long)p->rows,
                                    (long long)p->bytes, (long long)p->retries, p->waiting_for));
    PyGILState_Release(state);
}

static int put(PyObject *dict, const char *name, PyObject *value) {
    int rc = value ? PyDict_SetItemString(dict, name, value) : -1;
    Py_XDECREF(value);
    return rc;
}

static int fill_report(PyObject *dict, const lochan_update_request *request,
                       const lochan_update_report *r, lochan_status rc, const char *message) {
    static const char *const seconds[] = {"plan_seconds", "fetch_seconds", "normalise_seconds",
                                          "write_seconds", "publish_seconds"};
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = {{"snapshot_id", r->snapshot_id},
                   {"scopes", r->scopes},
                   {"scopes_failed", r->scopes_failed},
                   {"requests", r->requests},
                   {"pages", r->pages},
                   {"pages_resumed", r->pages_resumed},
                   {"retries", r->retries},
                   {"failures", r->failures},
                   {"rows_fetched", r->rows_fetched},
                   {"rows_new", r->rows_new},
                   {"rows_replaced", r->rows_replaced},
                   {"rows_unchanged", r->rows_unchanged},
                   {"rows_duplicate", r->rows_duplicate},
                   {"rows_rejected", r->rows_rejected},
                   {"rows_filtered", r->rows_filtered},
                   {"rows_removed", r->rows_removed},
                   {"rows_warned", r->rows_warned},
                   {"partitions_written", r->partitions_written},
                   {"partitions_skipped", r->partitions_skipped},
                   {"files_written", r->files_written},
                   {"bytes_fetched", r->bytes_fetched},
                   {"bytes_written", r->bytes_written}};
    int bad =
        put(dict, "source", py_arguments__text(request->source)) < 0 ||
        put(dict, "dataset", py_arguments__text(request->dataset)) < 0 ||
        put(dict, "kind", PyUnicode_FromString(request->backfill ? "backfill" : "update")) < 0 ||
        put(dict, "status", PyUnicode_FromString(lochan_status_name(rc))) < 0 ||
        put(dict, "error", message ? py_arguments__text(message) : Py_NewRef(Py_None)) < 0 ||
        put(dict, "dry_run", PyBool_FromLong(request->dry_run)) < 0 ||
        put(dict, "nothing_to_do", PyBool_FromLong(r->nothing_to_do)) < 0 ||
        put(dict, "update_id", py_arguments__text(r->update_id)) < 0 ||
        put(dict, "seconds", PyFloat_FromDouble(r->seconds)) < 0;
    for (size_t i = 0; !bad && i < sizeof numbers / sizeof *numbers; i++)
        bad = put(dict, numbers[i].name, PyLong_FromLongLong(numbers[i].value)) < 0;
    for (int i = 0; !bad && i < 5; i++)
        bad = put(dict, seconds[i], PyFloat_FromDouble(r->stage_seconds[i])) < 0;
    return bad ? -1 : 0;
}

/* Runs a request that is whole; fills the report, whatever happens. */
static int run_update(PyObject *self, const lochan_update_request *request, py_callback *callback,
                      PyObject *dict) {
    lochan_update_report report = {.struct_size = sizeof report, .snapshot_id = -1};
    py_call c;
    lochan_lake *l = py_call__begin(self, &c);
    if (!l)
        return -1;
    callback->lake = l;
    lochan_status rc = lochan_update_run(l, request, &report, &c.err);
    int failed = py_callback__end(callback, &c, rc) < 0;
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    int bad = fill_report(dict, request, &report, rc, rc == LOCHAN_OK ? NULL : c.err.message) < 0;
    if (failed)
        PyErr_Restore(type, value, traceback); /* it comes first */
    return failed || bad ? -1 : 0;
}

PyObject *py_lake__update(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"report",
                            "source",
                            "dataset",
                            "start",
                            "end",
                            "assets",
                            "force",
                            "repair",
                            "backfill",
                            "dry_run",
                            "workers",
                            "batch_size",
                            "max_retries",
                            "retry_backoff_seconds",
                            "source_options",
                            "token",
                            "progress",
                            "validate",
                            "record",
                            NULL};
    lochan_update_request r = LOCHAN_UPDATE_REQUEST_INIT;
    PyObject *report, *assets = NULL, *options = NULL, *progress = NULL, *keeps[2] = {0};
    const char **asset_texts = NULL, **option_texts = NULL;
    int force = 0, repair = 0, backfill = 0, dry_run = 0;
    py_callback callback = {0};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!ss|$zzOppppiiidOzOzz:update", names,
                                     &PyDict_Type, &report, &r.source, &r.dataset, &r.start, &r.end,
                                     &assets, &force, &repair, &backfill, &dry_run, &r.workers,
                                     &r.batch_size, &r.max_retries, &r.retry_backoff_seconds,
                                     &options, &r.token, &progress, &r.validate, &r.record))
        return NULL;
    r.force = force;
    r.repair = repair;
    r.backfill = backfill;
    r.dry_run = dry_run;
    if (progress && progress != Py_None) {
        callback.function = progress;
        r.progress = on_progress;
        r.payload = &callback;
    }
    int rc = py_arguments__texts(assets, "assets", &asset_texts, &r.n_assets, &keeps[0]);
    if (rc == 0)
        rc = py_arguments__texts(options, "source_options", &option_texts, &r.n_source_options,
                                 &keeps[1]);
    r.assets = asset_texts;
    r.source_options = option_texts;
    if (rc == 0)
        rc = run_update(self, &r, &callback, report);
    PyMem_Free(asset_texts);
    PyMem_Free(option_texts);
    Py_XDECREF(keeps[0]);
    Py_XDECREF(keeps[1]);
    return rc < 0 ? NULL : Py_NewRef(Py_None);
}

/* ---- verify ---- */

static void on_verify(void *payload, int64_t done, int64_t total) {
    PyGILState_STATE state = PyGILState_Ensure();
    py_callback__call(payload, Py_BuildValue("(LL)", (long long)done, (long long)total));
    PyGILState_Release(state);
}

PyObject *py_lake__verify(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"deep", "source", "dataset", "progress", NULL};
    lochan_verify_options o = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report r = {0};
    struct ArrowArrayStream problems = {0};
    PyObject *progress = NULL;
    py_callback callback = {0};
    py_call c;
    int deep = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$pzzO:verify", names, &deep, &o.source,
                                     &o.dataset, &progress))
        return NULL;
    o.deep = deep;
    if (progress && progress != Py_None) {
        callback.function = progress;
        o.progress = on_verify;
        o.payload = &callback;
    }
    callback.lake = py_call__begin(self, &c);
    if (!callback.lake)
        return NULL;
    py_owner *owner = py_owner__ref(c.owner);
    lochan_status rc = lochan_lake_verify(callback.lake, &o, &r, &problems, &c.err);
    PyObject *table = NULL;
    if (py_callback__end(&callback, &c, rc) == 0)
        table = py_table__read(owner, &problems, NULL);
    else if (problems.release)
        problems.release(&problems);
    py_owner__unref(owner);
    return table ? Py_BuildValue("({s:L,s:L,s:L,s:L,s:L},N)", "files_checked",
                                 (long long)r.files_checked, "rows_checked",
                                 (long long)r.rows_checked, "bytes_read", (long long)r.bytes_read,
                                 "problems", (long long)r.problems, "unknown_files",
                                 (long long)r.unknown_files, table)
                 : NULL;
}
