/* lake_update.c - the method of Lake that updates datasets, with its callbacks. */
#include "module.h"

#include <string.h>

/* An update of one dataset or of many. */
typedef struct update {
    lochan_update_request request;
    lochan_update_many many;
    const char **texts[3]; /* assets, source_options, datasets */
    PyObject *keeps[3];    /* what holds them */
    PyObject *told, *progress, *explain;
    py_callback callback;
} update;

static void on_progress(void *payload, const lochan_progress *p) {
    static const char *const stages[] = {"plan", "fetch", "normalise", "write", "publish", "done"};
    update *u = payload;
    PyGILState_STATE state = PyGILState_Ensure();
    const char *stage = (unsigned)p->stage < sizeof stages / sizeof *stages ? stages[p->stage] : "";
    py_callback__call(&u->callback, u->progress,
                      Py_BuildValue("(sssLLLLLz)", p->source, p->dataset, stage,
                                    (long long)p->pages_done, (long long)p->pages_total,
                                    (long long)p->rows, (long long)p->bytes, (long long)p->retries,
                                    p->waiting_for));
    PyGILState_Release(state);
}

static void on_plan(void *payload, const lochan_update_plan *p) {
    update *u = payload;
    PyGILState_STATE state = PyGILState_Ensure();
    py_callback__call(&u->callback, u->explain,
                      Py_BuildValue("(ssLLLLLLL)", p->source, p->dataset, (long long)p->rows,
                                    (long long)p->partitions, (long long)p->files,
                                    (long long)p->files_bytes, (long long)p->row_groups,
                                    (long long)p->memory_bytes, (long long)p->spilled_bytes));
    PyGILState_Release(state);
}

static PyObject *make_report(const update *u, const lochan_update_result *result) {
    const lochan_update_report *r = result->report;
    const char *message = result->status == LOCHAN_OK ? NULL : result->error->message;
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
    PyObject *dict = PyDict_New();
    int bad =
        !dict || py_arguments__put(dict, "source", py_arguments__text(result->source)) < 0 ||
        py_arguments__put(dict, "dataset", py_arguments__text(result->dataset)) < 0 ||
        py_arguments__put(dict, "kind",
                          PyUnicode_FromString(u->request.backfill ? "backfill" : "update")) < 0 ||
        py_arguments__put(dict, "status",
                          PyUnicode_FromString(lochan_status_name(result->status))) < 0 ||
        py_arguments__put(dict, "error",
                          message ? py_arguments__text(message) : Py_NewRef(Py_None)) < 0 ||
        py_arguments__put(dict, "dry_run", PyBool_FromLong(u->request.dry_run)) < 0 ||
        py_arguments__put(dict, "nothing_to_do", PyBool_FromLong(r->nothing_to_do)) < 0 ||
        py_arguments__put(dict, "update_id", py_arguments__text(r->update_id)) < 0 ||
        py_arguments__put(dict, "seconds", PyFloat_FromDouble(r->seconds)) < 0;
    for (size_t i = 0; !bad && i < sizeof numbers / sizeof *numbers; i++)
        bad = py_arguments__put(dict, numbers[i].name, PyLong_FromLongLong(numbers[i].value)) < 0;
    for (int i = 0; !bad && i < 5; i++)
        bad = py_arguments__put(dict, seconds[i], PyFloat_FromDouble(r->stage_seconds[i])) < 0;
    if (bad)
        Py_CLEAR(dict);
    return dict;
}

/* told(report, exception or None) of each dataset, when it ended. */
static void on_done(void *payload, const lochan_update_result *result) {
    update *u = payload;
    PyGILState_STATE state = PyGILState_Ensure();
    PyObject *report = make_report(u, result);
    PyObject *why = result->status == LOCHAN_OK ? Py_NewRef(Py_None)
                                                : py_errors__make(result->status, result->error);
    py_callback__call(&u->callback, u->told, report && why ? PyTuple_Pack(2, report, why) : NULL);
    Py_XDECREF(report);
    Py_XDECREF(why);
    PyGILState_Release(state);
}

static lochan_status run_one(lochan_lake *l, update *u, lochan_error *err) {
    lochan_update_report report = {.struct_size = sizeof report, .snapshot_id = -1};
    lochan_status rc = lochan_update_run(l, &u->request, &report, err);
    const lochan_update_result result = {.struct_size = sizeof result,
                                         .source = u->request.source,
                                         .dataset = u->request.dataset,
                                         .status = rc,
                                         .error = err,
                                         .report = &report};
    on_done(u, &result);
    return rc;
}

static int run_update(PyObject *self, update *u) {
    py_call c;
    lochan_lake *l = py_call__begin(self, &c);
    if (!l)
        return -1;
    u->callback.lake = l;
    u->many.datasets = u->texts[2];
    u->many.on_done = on_done;
    u->many.payload = u;
    return py_callback__end(&u->callback, &c,
                            u->request.dataset
                                ? run_one(l, u, &c.err)
                                : lochan_update_run_many(l, &u->many, &u->request, &c.err));
}

/* Texts of three lists; the rest of the request stands in u. */
static int read_lists(update *u, PyObject *const lists[3]) {
    static const char *const names[] = {"assets", "source_options", "datasets"};
    size_t *const counts[] = {&u->request.n_assets, &u->request.n_source_options,
                              &u->many.n_datasets};
    for (int i = 0; i < 3; i++) {
        if (py_arguments__texts(lists[i], names[i], &u->texts[i], counts[i], &u->keeps[i]) < 0)
            return -1;
    }
    u->request.assets = u->texts[0];
    u->request.source_options = u->texts[1];
    return 0;
}

/* dataset None: those of `datasets`, or all that are enabled, of the source if it is given. */
static PyObject *lake_update(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"told",
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
                            "datasets",
                            "parallel",
                            "stop_on_failure",
                            "explain",
                            NULL};
    update u = {.request = LOCHAN_UPDATE_REQUEST_INIT, .many = LOCHAN_UPDATE_MANY_INIT};
    lochan_update_request *r = &u.request;
    PyObject *lists[3] = {NULL, NULL, NULL};
    int force = 0, repair = 0, backfill = 0, dry_run = 0, stop = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Ozz|$zzOppppiiidOzOzzOipO:update", names,
                                     &u.told, &r->source, &r->dataset, &r->start, &r->end,
                                     &lists[0], &force, &repair, &backfill, &dry_run, &r->workers,
                                     &r->batch_size, &r->max_retries, &r->retry_backoff_seconds,
                                     &lists[1], &r->token, &u.progress, &r->validate, &r->record,
                                     &lists[2], &u.many.parallel, &stop, &u.explain))
        return NULL;
    u.many.source = r->source;
    u.many.stop_on_failure = stop;
    r->force = force;
    r->repair = repair;
    r->backfill = backfill;
    r->dry_run = dry_run;
    r->payload = &u;
    if (u.progress && u.progress != Py_None)
        r->progress = on_progress;
    if (u.explain && u.explain != Py_None)
        r->explain = on_plan;
    int rc = read_lists(&u, lists);
    if (rc == 0)
        rc = run_update(self, &u);
    for (int i = 0; i < 3; i++) {
        PyMem_Free(u.texts[i]);
        Py_XDECREF(u.keeps[i]);
    }
    return rc < 0 ? NULL : Py_NewRef(Py_None);
}

PyMethodDef py_lake__updates[] = {{"update", KEYWORDS(lake_update), METH_VARARGS | METH_KEYWORDS,
                                   "Brings datasets up to date; tells how each of them ended."},
                                  {NULL, NULL, 0, NULL}};
