/* lake_runs.c - run tables: methods of Lake, and Run: one run of a lake, with what it appends and
 * reads. lochan/io/ puts a friendlier face on them.
 * Invariant: a Run holds its lake open by itself, so that both may be let go in any order.
 */
#include "module.h"

/* ---- Run ---- */

/* What a Run owns: the run and, below it, the lake. */
typedef struct held_run {
    lochan_run *run;
    py_owner *lake;
} held_run;

typedef struct run {
    PyObject_HEAD PyObject *lake;
    py_owner *owner; /* of the held_run */
} run;

static PyObject *appender_type;

static void destroy_run(void *object) {
    held_run *h = object;
    lochan_run_close(h->run);
    py_owner__unref(h->lake);
    free(h);
}
/* Work on a run is cancelled as work on its lake. */
static void ignore(void *object) {
    (void)object;
}

static lochan_run *begin(PyObject *self, py_call *c) {
    run *r = (run *)self;
    return py_call__begin(r->lake, c) ? ((held_run *)r->owner->object)->run : NULL;
}

static PyObject *run_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"lake",           "run_id",      "tick_bucket_size",
                            "row_group_size", "compression", NULL};
    lochan_run_options o = LOCHAN_RUN_OPTIONS_INIT;
    PyObject *lake;
    const char *run_id;
    long long bucket = 0, rows = 0;
    py_call c;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Os|$LLz:Run", names, &lake, &run_id, &bucket,
                                     &rows, &o.compression))
        return NULL;
    o.tick_bucket_size = bucket;
    o.row_group_size = rows;
    held_run *h = calloc(1, sizeof *h);
    if (!h)
        return PyErr_NoMemory();
    lochan_lake *l = py_lake__check(lake) ? py_call__begin(lake, &c) : NULL;
    if (!l) {
        free(h);
        return NULL;
    }
    h->lake = py_owner__ref(c.owner);
    if (py_call__end(&c, lochan_run_open(l, run_id, &o, &h->run, &c.err)) < 0) {
        destroy_run(h);
        return NULL;
    }
    py_owner *owner = py_owner__make(h, destroy_run, ignore, ignore, NULL);
    run *self = owner ? PyObject_New(run, type) : NULL;
    if (!self) {
        py_owner__unref(owner);
        return NULL;
    }
    self->lake = Py_NewRef(lake);
    self->owner = owner;
    return (PyObject *)self;
}

static void run_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    py_owner *owner = ((run *)self)->owner;
    Py_BEGIN_ALLOW_THREADS py_owner__unref(owner);
    Py_END_ALLOW_THREADS Py_DECREF(((run *)self)->lake);
    PyObject_Free(self);
    Py_DECREF(type);
}

/* ---- appending ---- */

static PyObject *list_parts(const lochan_append_summary *s) {
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < s->n_parts; i++) {
        const lochan_part_info *p = &s->parts[i];
        PyObject *part =
            Py_BuildValue("{s:L,s:s,s:L,s:L,s:L,s:L}", "bucket_id", (long long)p->bucket_id, "path",
                          p->path, "rows", (long long)p->rows, "bytes", (long long)p->bytes,
                          "tick_min", (long long)p->tick_min, "tick_max", (long long)p->tick_max);
        if (!part || PyList_Append(list, part) < 0)
            Py_CLEAR(list);
        Py_XDECREF(part);
    }
    return list;
}

static PyObject *list_buckets(const lochan_append_summary *s) {
    PyObject *list = PyList_New(0);
    for (size_t i = 0; list && i < s->n_buckets; i++) {
        PyObject *bucket = PyLong_FromLongLong(s->buckets[i]);
        if (!bucket || PyList_Append(list, bucket) < 0)
            Py_CLEAR(list);
        Py_XDECREF(bucket);
    }
    return list;
}

static int fill_summary(PyObject *dict, const lochan_append_summary *s) {
    static const char *const stages[] = {"check", "write", "publish", "done"};
    const char *stage = (unsigned)s->stage < 4 ? stages[s->stage] : "";
    return py_arguments__put(dict, "stage", PyUnicode_FromString(stage)) < 0 ||
                   py_arguments__put(dict, "rows", PyLong_FromLongLong(s->rows)) < 0 ||
                   py_arguments__put(dict, "snapshot_id", PyLong_FromLongLong(s->snapshot_id)) <
                       0 ||
                   py_arguments__put(dict, "repeated", PyBool_FromLong(s->repeated)) < 0 ||
                   py_arguments__put(dict, "parts", list_parts(s)) < 0 ||
                   py_arguments__put(dict, "buckets", list_buckets(s)) < 0
               ? -1
               : 0;
}

/* The end of an append: its summary is told on every outcome; an error comes first. */
static PyObject *end_append(py_call *c, lochan_status rc, PyObject *dict,
                            lochan_append_summary *summary) {
    PyObject *type, *value, *traceback;
    int failed = py_call__end(c, rc) < 0;
    PyErr_Fetch(&type, &value, &traceback);
    int bad = fill_summary(dict, summary) < 0;
    lochan_append_summary_deinit(summary);
    if (failed)
        PyErr_Restore(type, value, traceback);
    return failed || bad ? NULL : Py_NewRef(Py_None);
}

static PyObject *run_append(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"summary",    "table",      "data",  "skip_schema", "validate_rows",
                            "not_strict", "durability", "token", NULL};
    lochan_append_options o = LOCHAN_APPEND_OPTIONS_INIT;
    lochan_append_summary summary = LOCHAN_APPEND_SUMMARY_INIT;
    PyObject *dict, *data;
    const char *table;
    int skip = 0, validate = 0, loose = 0;
    struct ArrowArrayStream rows;
    py_call c;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!sO|$pppiz:append", names, &PyDict_Type, &dict,
                                     &table, &data, &skip, &validate, &loose, &o.durability,
                                     &o.token) ||
        py_arrow__import(data, &rows) < 0)
        return NULL;
    o.skip_schema = skip;
    o.validate_rows = validate;
    o.not_strict = loose;
    lochan_run *r = begin(self, &c);
    if (!r) {
        rows.release(&rows);
        return NULL;
    }
    return end_append(&c, lochan_run_append(r, table, &rows, &o, &summary, &c.err), dict, &summary);
}

static PyObject *run_describe(PyObject *self, PyObject *args) {
    const char *parameters, *seed, *code_version;
    py_call c;
    if (!PyArg_ParseTuple(args, "zzz:describe", &parameters, &seed, &code_version))
        return NULL;
    lochan_run *r = begin(self, &c);
    if (!r || py_call__end(&c, lochan_run_describe(r, parameters, seed, code_version, &c.err)) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* ---- reading ---- */

/* The arguments of a reading, and what they borrow. */
typedef struct reading {
    lochan_run_scan_options o;
    int64_t tick_min, tick_max;
    const char **columns, **runs;
    size_t n_runs;
    PyObject *keeps[2];
} reading;

static int read_tick(PyObject *value, int64_t *tick, const int64_t **out) {
    if (value == Py_None)
        return 0;
    *tick = PyLong_AsLongLong(value);
    *out = tick;
    return *tick == -1 && PyErr_Occurred() ? -1 : 0;
}

static void end_reading(reading *r) {
    PyMem_Free(r->columns);
    PyMem_Free(r->runs);
    Py_XDECREF(r->keeps[0]);
    Py_XDECREF(r->keeps[1]);
}

static int begin_reading(PyObject *args, PyObject *kwargs, reading *r, const char **table) {
    static char *names[] = {"table", "runs",  "columns",    "tick_min", "tick_max",
                            "where", "limit", "batch_rows", "as_of",    NULL};
    PyObject *runs = Py_None, *columns = Py_None, *low = Py_None, *high = Py_None;
    long long limit = -1, batch_rows = 0;
    *r = (reading){.o = LOCHAN_RUN_SCAN_OPTIONS_INIT};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s|$OOOOzLLz:scan", names, table, &runs,
                                     &columns, &low, &high, &r->o.where, &limit, &batch_rows,
                                     &r->o.as_of))
        return -1;
    r->o.limit = limit;
    r->o.batch_rows = batch_rows;
    int rc = read_tick(low, &r->tick_min, &r->o.tick_min) < 0 ||
                     read_tick(high, &r->tick_max, &r->o.tick_max) < 0 ||
                     py_arguments__texts(columns, "columns", &r->columns, &r->o.n_columns,
                                         &r->keeps[0]) < 0 ||
                     py_arguments__texts(runs, "runs", &r->runs, &r->n_runs, &r->keeps[1]) < 0
                 ? -1
                 : 0;
    r->o.columns = r->columns;
    if (rc < 0)
        end_reading(r);
    return rc;
}

static PyObject *run_scan(PyObject *self, PyObject *args, PyObject *kwargs) {
    struct ArrowArrayStream rows = {0};
    const char *table;
    reading r;
    py_call c;
    if (begin_reading(args, kwargs, &r, &table) < 0)
        return NULL;
    lochan_run *from = begin(self, &c);
    PyObject *made = NULL;
    if (from)
        made = py_call__end_scan(&c, lochan_run_scan(from, table, &r.o, &rows, &c.err), &rows);
    end_reading(&r);
    return made;
}

static PyObject *runs_scan(PyObject *self, PyObject *args, PyObject *kwargs) {
    struct ArrowArrayStream rows = {0};
    const char *table;
    reading r;
    py_call c;
    if (begin_reading(args, kwargs, &r, &table) < 0)
        return NULL;
    lochan_lake *l = py_call__begin(self, &c);
    PyObject *made = NULL;
    if (l)
        made = py_call__end_scan(
            &c, lochan_runs_scan(l, table, r.runs, r.n_runs, &r.o, &rows, &c.err), &rows);
    end_reading(&r);
    return made;
}

static PyObject *run_manifest(PyObject *self, PyObject *args) {
    struct ArrowArrayStream rows = {0};
    const char *table;
    py_call c;
    if (!PyArg_ParseTuple(args, "s:manifest", &table))
        return NULL;
    lochan_run *r = begin(self, &c);
    if (!r)
        return NULL;
    return py_call__end_table(&c, lochan_run_manifest(r, table, &rows, &c.err), &rows);
}

/* ---- Appender ---- */

typedef struct held_appender {
    lochan_run_appender *appender;
    py_owner *run;
} held_appender;

typedef struct appender {
    PyObject_HEAD PyObject *lake;
    py_owner *owner; /* of the held_appender; NULL once closed */
} appender;

static void destroy_appender(void *object) {
    held_appender *h = object;
    lochan_run_appender_discard(h->appender);
    py_owner__unref(h->run);
    free(h);
}

static PyObject *run_appender(PyObject *self, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"table",         "rows",       "bytes",      "ticks", "skip_schema",
                            "validate_rows", "not_strict", "durability", NULL};
    lochan_run_appender_options o = LOCHAN_RUN_APPENDER_OPTIONS_INIT;
    lochan_append_options append = LOCHAN_APPEND_OPTIONS_INIT;
    const char *table;
    long long rows = 0, bytes = 0, ticks = 0;
    int skip = 0, validate = 0, loose = 0;
    py_call c;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s|$LLLpppi:appender", names, &table, &rows,
                                     &bytes, &ticks, &skip, &validate, &loose, &append.durability))
        return NULL;
    append.skip_schema = skip;
    append.validate_rows = validate;
    append.not_strict = loose;
    o.rows = rows;
    o.bytes = bytes;
    o.ticks = ticks;
    o.append = &append;
    held_appender *h = calloc(1, sizeof *h);
    if (!h)
        return PyErr_NoMemory();
    lochan_run *r = begin(self, &c);
    if (!r) {
        free(h);
        return NULL;
    }
    h->run = py_owner__ref(((run *)self)->owner);
    if (py_call__end(&c, lochan_run_appender_open(r, table, &o, &h->appender, &c.err)) < 0) {
        destroy_appender(h);
        return NULL;
    }
    py_owner *owner = py_owner__make(h, destroy_appender, ignore, ignore, NULL);
    appender *made = owner ? PyObject_New(appender, (PyTypeObject *)appender_type) : NULL;
    if (!made) {
        py_owner__unref(owner);
        return NULL;
    }
    made->lake = Py_NewRef(((run *)self)->lake);
    made->owner = owner;
    return (PyObject *)made;
}

/* Holds the appender through a call; NULL with an error set. */
static lochan_run_appender *hold(PyObject *self, py_call *c, py_owner **held) {
    appender *a = (appender *)self;
    if (!a->owner) {
        PyErr_SetString(PyExc_ValueError, "the appender is closed");
        return NULL;
    }
    *held = py_owner__ref(a->owner);
    if (py_call__begin(a->lake, c))
        return ((held_appender *)(*held)->object)->appender;
    py_owner__unref(*held);
    return NULL;
}

/* True: the rows are buffered, also if the flush that they brought about failed. */
static PyObject *appender_append(PyObject *self, PyObject *args) {
    PyObject *dict, *data;
    struct ArrowArrayStream rows;
    py_owner *held;
    py_call c;
    bool kept = false;
    if (!PyArg_ParseTuple(args, "O!O:append", &PyDict_Type, &dict, &data) ||
        py_arrow__import(data, &rows) < 0)
        return NULL;
    lochan_run_appender *a = hold(self, &c, &held);
    if (!a) {
        rows.release(&rows);
        return NULL;
    }
    int failed = py_call__end(&c, lochan_run_appender_append(a, &rows, &kept, &c.err)) < 0;
    py_owner__unref(held);
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    int bad = py_arguments__put(dict, "kept", PyBool_FromLong(kept)) < 0;
    if (failed)
        PyErr_Restore(type, value, traceback);
    return failed || bad ? NULL : Py_NewRef(Py_None);
}

static PyObject *appender_flush(PyObject *self, PyObject *args) {
    lochan_append_summary summary = LOCHAN_APPEND_SUMMARY_INIT;
    PyObject *dict;
    py_owner *held;
    py_call c;
    if (!PyArg_ParseTuple(args, "O!:flush", &PyDict_Type, &dict))
        return NULL;
    lochan_run_appender *a = hold(self, &c, &held);
    if (!a)
        return NULL;
    PyObject *done = end_append(&c, lochan_run_appender_flush(a, &summary, &c.err), dict, &summary);
    py_owner__unref(held);
    return done;
}

/* Forgets what is buffered. */
static PyObject *appender_discard(PyObject *self, PyObject *ignored) {
    (void)ignored;
    py_owner *owner = ((appender *)self)->owner;
    ((appender *)self)->owner = NULL;
    Py_BEGIN_ALLOW_THREADS py_owner__unref(owner);
    Py_END_ALLOW_THREADS Py_RETURN_NONE;
}

static void appender_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(appender_discard(self, NULL));
    Py_DECREF(((appender *)self)->lake);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyObject *appender_state(PyObject *self, void *closure) {
    (void)closure;
    const appender *a = (const appender *)self;
    int64_t rows = 0, bytes = 0, appended = 0, commits = 0;
    if (!a->owner) {
        PyErr_SetString(PyExc_ValueError, "the appender is closed");
        return NULL;
    }
    if (!py_process__check(a->owner->process, "appender"))
        return NULL;
    py_owner *held = py_owner__ref(a->owner);
    lochan_run_appender *it = ((held_appender *)held->object)->appender;
    Py_BEGIN_ALLOW_THREADS lochan_run_appender_state(it, &rows, &bytes, &appended, &commits);
    py_owner__unref(held);
    Py_END_ALLOW_THREADS return Py_BuildValue("(LLLL)", (long long)rows, (long long)bytes,
                                              (long long)appended, (long long)commits);
}

/* ---- functions without a lake ---- */

static PyObject *make_run_id(PyObject *module, PyObject *args) {
    (void)module;
    const char *prefix;
    char id[81];
    lochan_error err;
    if (!PyArg_ParseTuple(args, "s:make_run_id", &prefix))
        return NULL;
    lochan_error_init(&err);
    lochan_status rc = lochan_run_make_id(prefix, id, &err);
    return rc == LOCHAN_OK ? py_arguments__text(id) : py_errors__raise(rc, &err);
}

static PyObject *table_empty(PyObject *module, PyObject *args) {
    (void)module;
    const char *table;
    struct ArrowSchema schema = {0};
    lochan_error err;
    if (!PyArg_ParseTuple(args, "s:table_empty", &table))
        return NULL;
    lochan_error_init(&err);
    lochan_status rc = lochan_run_table_schema(NULL, table, &schema, &err);
    return rc == LOCHAN_OK ? py_table__make(&schema) : py_errors__raise(rc, &err);
}

static PyObject *run_rebuild(PyObject *module, PyObject *args, PyObject *kwargs) {
    (void)module;
    static char *names[] = {"path", "run_id", "table", "tick_bucket_size", NULL};
    lochan_run_options o = LOCHAN_RUN_OPTIONS_INIT;
    lochan_rebuild_report r = LOCHAN_REBUILD_REPORT_INIT;
    struct ArrowArrayStream problems = {0};
    PyObject *path;
    const char *run_id, *table;
    long long bucket = 0;
    lochan_error err;
    lochan_status rc;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O&ss|$L:rebuild", names, PyUnicode_FSConverter,
                                     &path, &run_id, &table, &bucket))
        return NULL;
    o.tick_bucket_size = bucket;
    lochan_error_init(&err);
    const char *folder = PyBytes_AsString(path);
    Py_BEGIN_ALLOW_THREADS rc =
        lochan_run_rebuild(folder, NULL, run_id, table, &o, &r, &problems, &err);
    Py_END_ALLOW_THREADS Py_DECREF(path);
    if (rc != LOCHAN_OK) {
        if (problems.release)
            problems.release(&problems);
        return py_errors__raise(rc, &err);
    }
    PyObject *list = py_table__read(NULL, &problems, NULL);
    return list ? Py_BuildValue("({s:O,s:L,s:L,s:L,s:L,s:L,s:L},N)", "lake_rebuilt",
                                r.lake_rebuilt ? Py_True : Py_False, "records",
                                (long long)r.records, "parts_whole", (long long)r.parts_whole,
                                "parts_damaged", (long long)r.parts_damaged, "parts_adopted",
                                (long long)r.parts_adopted, "parts_ignored",
                                (long long)r.parts_ignored, "rows", (long long)r.rows, list)
                : NULL;
}

/* ---- the types ---- */

static PyMethodDef run_methods[] = {
    {"append", KEYWORDS(run_append), METH_VARARGS | METH_KEYWORDS,
     "Appends rows; fills the summary on every outcome."},
    {"appender", KEYWORDS(run_appender), METH_VARARGS | METH_KEYWORDS, "Opens a RunAppender."},
    {"scan", KEYWORDS(run_scan), METH_VARARGS | METH_KEYWORDS, "Opens a ScanStream."},
    {"manifest", run_manifest, METH_VARARGS, "The parts as a Table."},
    {"describe", run_describe, METH_VARARGS, "Notes parameters, seed and code version."},
    {NULL, NULL, 0, NULL}};
static PyType_Slot run_slots[] = {{Py_tp_new, run_new},
                                  {Py_tp_dealloc, run_dealloc},
                                  {Py_tp_methods, run_methods},
                                  {Py_tp_doc, (void *)"One run of a lake."},
                                  {0, NULL}};
static PyType_Spec run_spec = {.name = "lochan._lochan.Run",
                               .basicsize = sizeof(run),
                               .flags = Py_TPFLAGS_DEFAULT,
                               .slots = run_slots};
static PyMethodDef appender_methods[] = {
    {"append", appender_append, METH_VARARGS, "Buffers rows; tells whether they were kept."},
    {"flush", appender_flush, METH_VARARGS, "Appends what is buffered; fills the summary."},
    {"discard", appender_discard, METH_NOARGS, "Forgets what is buffered, and closes."},
    {NULL, NULL, 0, NULL}};
static PyGetSetDef appender_getset[] = {
    {"state", appender_state, NULL, "buffered rows and bytes, appended rows, commits", NULL},
    {NULL, NULL, NULL, NULL, NULL}};
static PyType_Slot appender_slots[] = {{Py_tp_dealloc, appender_dealloc},
                                       {Py_tp_methods, appender_methods},
                                       {Py_tp_getset, appender_getset},
                                       {Py_tp_doc, (void *)"Many small appends to one table."},
                                       {0, NULL}};
static PyType_Spec appender_spec = {.name = "lochan._lochan.RunAppender",
                                    .basicsize = sizeof(appender),
                                    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                    .slots = appender_slots};
static PyMethodDef functions[] = {
    {"make_run_id", make_run_id, METH_VARARGS, "A new run id."},
    {"table_empty", table_empty, METH_VARARGS, "No rows of a bundled run table, as a Table."},
    {"run_rebuild", KEYWORDS(run_rebuild), METH_VARARGS | METH_KEYWORDS,
     "Makes catalog and files of a run's table agree: (report, problems)."},
    {NULL, NULL, 0, NULL}};

PyMethodDef py_lake__runs[] = {{"runs_scan", KEYWORDS(runs_scan), METH_VARARGS | METH_KEYWORDS,
                                "Opens a ScanStream over many runs."},
                               {NULL, NULL, 0, NULL}};

int py_runs__add(PyObject *module) {
    PyObject *type = PyType_FromSpec(&run_spec);
    appender_type = PyType_FromSpec(&appender_spec);
    int rc = type && appender_type && PyModule_AddObjectRef(module, "Run", type) == 0 &&
                     PyModule_AddObjectRef(module, "RunAppender", appender_type) == 0
                 ? PyModule_AddFunctions(module, functions)
                 : -1;
    Py_XDECREF(type);
    return rc;
}
