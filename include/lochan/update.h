/* update.h - sources, datasets, and keeping datasets current.
 *
 * A source says where rows come from; a dataset says which rows, how they are typed, keyed,
 * partitioned and merged. Both are YAML documents (docs/specs.md), kept in the catalog. Thread rule
 * as in lake.h. Updates of one dataset run beside each other where they ask for different days or
 * assets; else one waits for the other up to the lake's lock_timeout, says so in its progress, and
 * then asks only for what is still missing (LOCKED after that time names the holder). Since 0.1.
 */
#ifndef LOCHAN_UPDATE_H
#define LOCHAN_UPDATE_H

#include <lochan/lake.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- sources ---- */

/* Adds a source from the text of a spec; file names it in errors. EXISTS unless replace. */
LOCHAN_API lochan_status lochan_source_add(lochan_lake *lake, const char *yaml, size_t size,
                                           const char *file, bool replace,
                                           lochan_error *err) LOCHAN_MUST_CHECK;
/* Adds the bundled source of that name. NOT_FOUND names the bundled ones. */
LOCHAN_API lochan_status lochan_source_add_bundled(lochan_lake *lake, const char *name,
                                                   lochan_error *err) LOCHAN_MUST_CHECK;
/* Overrides one field of a source, e.g. ("ecb", "url", "http://127.0.0.1:8000"); value NULL takes
 * the override back. Dotted keys reach nested fields. The value is checked as in a spec. Secrets
 * are references (env:NAME, file:PATH). */
LOCHAN_API lochan_status lochan_source_set(lochan_lake *lake, const char *name, const char *key,
                                           const char *value, lochan_error *err) LOCHAN_MUST_CHECK;
/* Forgets a source and its overrides. EXISTS while datasets of it are there. */
LOCHAN_API lochan_status lochan_source_remove(lochan_lake *lake, const char *name,
                                              lochan_error *err) LOCHAN_MUST_CHECK;
/* Columns: name, kind, url, enabled (bool), bundled (bool), datasets (int64). A source whose key
 * `enabled` is false (lochan_source_set changes it) is asked by no update: one of a dataset is
 * refused (UNSUPPORTED), those of many leave its datasets out. */
LOCHAN_API lochan_status lochan_source_list(lochan_lake *lake, struct ArrowArrayStream *out,
                                            lochan_error *err) LOCHAN_MUST_CHECK;
/* The effective spec as YAML, overrides applied; free with lochan_free. */
LOCHAN_API lochan_status lochan_source_show(lochan_lake *lake, const char *name, char **yaml,
                                            lochan_error *err) LOCHAN_MUST_CHECK;

/* ---- datasets ---- */

LOCHAN_API lochan_status lochan_dataset_add(lochan_lake *lake, const char *yaml, size_t size,
                                            const char *file, bool replace,
                                            lochan_error *err) LOCHAN_MUST_CHECK;
/* name: "ecb/fx_daily", or "ecb" for all datasets bundled with that source; *added = how many were
 * new. */
LOCHAN_API lochan_status lochan_dataset_add_bundled(lochan_lake *lake, const char *name,
                                                    int64_t *added,
                                                    lochan_error *err) LOCHAN_MUST_CHECK;
/* Columns: source, dataset, category, enabled, key, partition, update_mode, rows, last_update. */
LOCHAN_API lochan_status lochan_dataset_list(lochan_lake *lake, struct ArrowArrayStream *out,
                                             lochan_error *err) LOCHAN_MUST_CHECK;
LOCHAN_API lochan_status lochan_dataset_show(lochan_lake *lake, const char *source,
                                             const char *dataset, char **yaml,
                                             lochan_error *err) LOCHAN_MUST_CHECK;
/* A disabled dataset is refused by updates and left out by those of many. */
LOCHAN_API lochan_status lochan_dataset_enable(lochan_lake *lake, const char *source,
                                               const char *dataset, bool enabled,
                                               lochan_error *err) LOCHAN_MUST_CHECK;
/* Forgets the dataset and its ledger. Its table stays and can be read, unless delete_data: then its
 * files are retired (older snapshots still show them until they expire) in the same commit. LOCKED
 * while an update of it runs. */
LOCHAN_API lochan_status lochan_dataset_remove(lochan_lake *lake, const char *source,
                                               const char *dataset, bool delete_data,
                                               lochan_error *err) LOCHAN_MUST_CHECK;
/* What putting this spec in place of the dataset's would mean: *mapping_changed if rows that are
 * there were made under another mapping, so that they need `update --force` to become alike. */
LOCHAN_API lochan_status lochan_dataset_compare(lochan_lake *lake, const char *yaml, size_t size,
                                                const char *file, bool *mapping_changed,
                                                lochan_error *err) LOCHAN_MUST_CHECK;
/* The bundled specs. Columns: kind ("source" | "dataset"), name. Needs no lake. */
LOCHAN_API lochan_status lochan_bundled_list(struct ArrowArrayStream *out,
                                             lochan_error *err) LOCHAN_MUST_CHECK;

/* ---- update ---- */

typedef enum lochan_stage {
    LOCHAN_STAGE_PLAN,
    LOCHAN_STAGE_FETCH,     /* until every page has ended */
    LOCHAN_STAGE_NORMALISE, /* decode, normalise, validate, stage: in worker threads while pages
                               come */
    LOCHAN_STAGE_WRITE,     /* deduplicate, merge into partitions */
    LOCHAN_STAGE_PUBLISH,
    LOCHAN_STAGE_DONE,
    LOCHAN_STAGE_COUNT
} lochan_stage;

/* A sign of life; strings are valid during the call. Called from the thread that runs the update,
 * at most about ten times a second and at each change of stage. */
typedef struct lochan_progress {
    uint32_t struct_size;
    lochan_stage stage;
    int64_t pages_done, pages_total; /* total grows while pages are discovered */
    int64_t rows;
    int64_t bytes;
    int64_t retries;
    const char
        *waiting_for; /* why nothing moves ("back-off 2 s after HTTP 503"), NULL = it moves */
    const char *source, *dataset;
} lochan_progress;
typedef void (*lochan_progress_fn)(void *payload, const lochan_progress *progress);

/* What the merge of an update's rows would touch; borrowed for the call. */
typedef struct lochan_update_plan {
    uint32_t struct_size;
    const char *source, *dataset;
    int64_t rows;         /* that go to the merge; rows found unchanged before are not among them */
    int64_t partitions;   /* touched */
    int64_t files;        /* that may be rewritten */
    int64_t files_bytes;  /* of them */
    int64_t row_groups;   /* of them that have to be decoded; the others are copied as they are */
    int64_t memory_bytes; /* an estimate of what the merge holds at a time */
    int64_t spilled_bytes; /* that memory_limit has put on disk so far */
} lochan_update_plan;
typedef void (*lochan_explain_fn)(void *payload, const lochan_update_plan *plan);

/* The request context of the update API. Dates are "YYYY-MM-DD", inclusive. NULL start = the spec's
 * default_start or the first day the ledger knows, whichever is earlier; NULL end = today. Only
 * days that are not final are asked for. */
typedef struct lochan_update_request {
    uint32_t struct_size;
    const char *source;
    const char *dataset;
    const char *start;
    const char *end;
    const char *const
        *assets; /* NULL = all; refused if the dataset's planner does not ask by asset */
    size_t n_assets;
    bool force;  /* ask again what the ledger calls final */
    bool repair; /* ask again the scopes recorded as failed or invalid, only those, and those behind
                    damaged files (verify --deep), which the table forgets first */
    bool backfill; /* recorded as a backfill; start and end must be given */
    bool dry_run;  /* plan only: report.scopes says what would be asked; asks and writes nothing */
    int32_t workers;                   /* requests in flight, 0 = the source's, then 4 */
    int32_t batch_size;                /* assets a request, 0 = the spec's */
    int32_t max_retries;               /* a page, -1 = the source's, then 4 */
    double retry_backoff_seconds;      /* first back-off, < 0 = the source's, then 0.5 */
    const char *const *source_options; /* "key=value" pairs for the source */
    size_t n_source_options;
    const char *token;           /* commit token, NULL = none */
    lochan_progress_fn progress; /* NULL = none */
    void *payload;
    const char *validate; /* "spec" (NULL): rules as the spec says; "strict": every rule that a row
                             breaks makes its scope invalid; "off": no rules */
    const char *record;   /* a folder that gets every answer as it came, secrets redacted, for
                             lochan feed --replay; NULL = none */
    lochan_explain_fn explain; /* gets the plan of the merge once all rows are there and before any
                                  file is written, from the thread that runs the update; NULL =
                                  none. Refused with dry_run, which fetches nothing */
    uint8_t reserved[8];
} lochan_update_request;
#define LOCHAN_UPDATE_REQUEST_INIT                                                                 \
    {                                                                                              \
        sizeof(lochan_update_request), NULL, NULL, NULL, NULL, NULL, 0, false, false, false,       \
            false, 0, 0, -1, -1.0, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, {                  \
            0                                                                                      \
        }                                                                                          \
    }

/* What an update did. rows_fetched (after wide-to-long) = new + replaced + unchanged + duplicate +
 * rejected + filtered. */
typedef struct lochan_update_report {
    uint32_t struct_size;
    char update_id[40];
    int64_t snapshot_id; /* -1: nothing was published */
    int64_t scopes, scopes_failed;
    int64_t requests, pages, pages_resumed, retries, failures;
    int64_t rows_fetched, rows_new, rows_replaced, rows_unchanged, rows_duplicate, rows_rejected,
        rows_filtered;
    int64_t partitions_written, partitions_skipped, files_written;
    int64_t bytes_fetched, bytes_written;
    double
        stage_seconds[LOCHAN_STAGE_COUNT]; /* of NORMALISE: seconds of the worker threads, summed */
    double seconds;
    bool nothing_to_do;   /* the ledger calls everything asked for final */
    int64_t rows_removed; /* old rows that a replacement took out */
    int64_t rows_warned;  /* rows that broke a rule which only warns */
    uint8_t reserved[16];
} lochan_update_report;

/* Brings one dataset up to date. PARTIAL: some scopes failed, the others were published; the
 * failures are recorded and asked again by the next update. The report is filled on every outcome.
 * After CANCELLED or a kill, the next update goes on from the staged pages; with force it asks
 * again, since a staged page may be older than a revision. */
LOCHAN_API lochan_status lochan_update_run(lochan_lake *lake, const lochan_update_request *request,
                                           lochan_update_report *report,
                                           lochan_error *err) LOCHAN_MUST_CHECK;

/* The end of one dataset's update; borrowed for the call. */
typedef struct lochan_update_result {
    uint32_t struct_size;
    const char *source, *dataset;
    lochan_status status;
    const lochan_error *error; /* if status is not OK */
    const lochan_update_report *report;
} lochan_update_result;

/* Which datasets, and how. */
typedef struct lochan_update_many {
    uint32_t struct_size;
    const char *source;          /* NULL = of any source */
    const char *const *datasets; /* "source/dataset"; with source the dataset alone will do */
    size_t n_datasets;           /* 0 = all that are enabled */
    int32_t parallel;            /* updates at a time, 1 to 32; 0 = 4 */
    bool stop_on_failure;        /* start no other after a failure */
    void (*on_done)(void *payload, const lochan_update_result *result); /* one call at a time */
    void *payload;
    uint8_t reserved[32];
} lochan_update_many;
#define LOCHAN_UPDATE_MANY_INIT                                                                    \
    {                                                                                              \
        sizeof(lochan_update_many), NULL, NULL, 0, 0, false, NULL, NULL, {                         \
            0                                                                                      \
        }                                                                                          \
    }

/* Updates many datasets with one request (its source, dataset and token are not read; progress is
 * called from several threads): reference datasets first, then those that read them, independent
 * ones at the same time. PARTIAL: some failed or were not reached; *err tells of the first. */
LOCHAN_API lochan_status lochan_update_run_many(lochan_lake *lake, const lochan_update_many *which,
                                                const lochan_update_request *request,
                                                lochan_error *err) LOCHAN_MUST_CHECK;

/* ---- status ---- */

/* One row a dataset (filters may be NULL). Columns: source, dataset, rows, bytes, files,
 * partitions, time_min, time_max (where the data ends), covered_to (date up to which the ledger is
 * final; null for sources of kind files), last_update, last_state, failed_scopes, staged_bytes,
 * snapshot_id, asked_to (the last day for which the provider gave an answer, with rows or without),
 * asked_at (when it was last asked), raw_files, raw_bytes (of kept answers). */
LOCHAN_API lochan_status lochan_status_datasets(lochan_lake *lake, const char *source,
                                                const char *dataset, struct ArrowArrayStream *out,
                                                lochan_error *err) LOCHAN_MUST_CHECK;
/* Past updates, newest first. Columns: update_id, source, dataset, kind, state, started_at,
 * seconds, requests, retries, rows_fetched, rows_new, rows_replaced, rows_unchanged,
 * rows_duplicate, rows_rejected, partitions_written, snapshot_id, error. */
LOCHAN_API lochan_status lochan_status_runs(lochan_lake *lake, const char *source,
                                            const char *dataset, int64_t limit,
                                            struct ArrowArrayStream *out,
                                            lochan_error *err) LOCHAN_MUST_CHECK;

/* What the provider still owes: days of [start, end] (NULL = where the ledger begins, today) that
 * are not final, by asset and parameters. Columns: source, dataset, asset (null = all), variant,
 * day_from, day_to, reason ("never asked", "failed", "invalid", "not final yet"), attempts,
 * asked_at, message. Assets that a reference dataset names and that were never asked are there. Of
 * sources of kind files: the files that could not be read (variant), with the day of the reading.
 */
LOCHAN_API lochan_status lochan_status_gaps(lochan_lake *lake, const char *source,
                                            const char *dataset, const char *start, const char *end,
                                            struct ArrowArrayStream *out,
                                            lochan_error *err) LOCHAN_MUST_CHECK;
/* The fetch ledger as it is. Columns: source, dataset, asset, variant, day_from, day_to, state
 * ("success", "empty", "failed", "invalid"), rows (null = not known), attempts, asked_at,
 * update_id, message. */
LOCHAN_API lochan_status lochan_status_scopes(lochan_lake *lake, const char *source,
                                              const char *dataset, struct ArrowArrayStream *out,
                                              lochan_error *err) LOCHAN_MUST_CHECK;
/* Scopes that past updates gave up, newest first. Columns: update_id, source, dataset, scope, page,
 * code, http_status, message, attempts, at. limit -1 = all. */
LOCHAN_API lochan_status lochan_status_failures(lochan_lake *lake, const char *source,
                                                const char *dataset, int64_t limit,
                                                struct ArrowArrayStream *out,
                                                lochan_error *err) LOCHAN_MUST_CHECK;
/* Columns: source, dataset, partition (JSON), files, rows, bytes, published_at. */
LOCHAN_API lochan_status lochan_status_partitions(lochan_lake *lake, const char *source,
                                                  const char *dataset, struct ArrowArrayStream *out,
                                                  lochan_error *err) LOCHAN_MUST_CHECK;

/* ---- rejects ---- */

/* Rows that a rule quarantined. Columns: update_id, source, dataset, state ("kept", "released"),
 * scope, page (from 1), row (of the page, from 0), column, rule, reason, record (JSON, values as
 * text). Filters may be NULL. */
LOCHAN_API lochan_status lochan_status_rejects(lochan_lake *lake, const char *source,
                                               const char *dataset, const char *update_id,
                                               struct ArrowArrayStream *out,
                                               lochan_error *err) LOCHAN_MUST_CHECK;
/* Writes the kept rows of an update (NULL: of all) into the dataset, past the rules; *rows = how
 * many. VALUE names a row whose values do not fit the table's types: then nothing is written. */
LOCHAN_API lochan_status lochan_rejects_release(lochan_lake *lake, const char *source,
                                                const char *dataset, const char *update_id,
                                                int64_t *rows, lochan_error *err) LOCHAN_MUST_CHECK;
/* Forgets them, and removes their files. */
LOCHAN_API lochan_status lochan_rejects_drop(lochan_lake *lake, const char *source,
                                             const char *dataset, const char *update_id,
                                             int64_t *rows, lochan_error *err) LOCHAN_MUST_CHECK;

/* ---- kept answers (keep_raw in a dataset's spec), see docs/maintenance.md ---- */

/* The published updates whose answers are kept, oldest commit first. Columns: source, dataset,
 * update_id, started_at, scopes, answers, files, bytes, mapping ("current" | "other" than the spec
 * has now). A damaged record is CORRUPT. */
LOCHAN_API lochan_status lochan_raw_list(lochan_lake *lake, const char *source, const char *dataset,
                                         struct ArrowArrayStream *out,
                                         lochan_error *err) LOCHAN_MUST_CHECK;

typedef struct lochan_raw_options {
    uint32_t struct_size;
    const char *const *update_ids; /* only these updates; NULL = all that are kept */
    size_t n_update_ids;
    const char *since; /* only updates that began at this UTC time or later; NULL = all */
    bool partial;      /* also if days or rows of the table are not in the answers: they go, and the
                          days are asked again by the next update */
    bool plan;         /* find out everything, change nothing */
    bool owed;         /* only the days that the ledger owes (failed, or taken out by a repair):
                          their rows are added, the others of the table stay; needs a key */
    lochan_progress_fn progress; /* of each update that is read again; NULL = none */
    void *payload;
    uint8_t reserved[32];
} lochan_raw_options;
/* clang-format off */
#define LOCHAN_RAW_OPTIONS_INIT \
    {sizeof(lochan_raw_options), NULL, 0, NULL, false, false, false, NULL, NULL, {0}}
/* clang-format on */

typedef struct lochan_raw_report {
    uint32_t struct_size;
    char update_id[40];               /* of the rebuild, in the list of runs */
    int64_t updates, scopes, answers; /* that were read */
    int64_t scopes_failed;            /* that the spec as it is now does not take */
    int64_t rows;                     /* of the table afterwards */
    int64_t rows_new, rows_replaced, rows_unchanged;
    int64_t rows_removed;  /* that the answers do not give */
    int64_t rows_rejected; /* quarantined by rules, over all updates */
    int64_t lacking;       /* intervals of days in *lacks */
    int64_t files_written, bytes_written;
    int64_t snapshot_id; /* -1: nothing changed, or a plan */
    uint8_t reserved[32];
} lochan_raw_report;

/* Builds the dataset's table again from its kept answers, under its spec as it is now, in one
 * commit; the provider is not asked. Files that nothing changes stay. NOT_FOUND: there are no kept
 * answers. PARTIAL: days of the ledger or rows of the table are not in them; nothing was changed
 * (but for options->partial). *lacks (may be NULL) has the days: source, dataset, asset (null =
 * all), variant, day_from, day_to. With options->owed it never is PARTIAL: *lacks has what is still
 * owed. The report and *lacks are filled then, too. */
LOCHAN_API lochan_status lochan_raw_rebuild(lochan_lake *lake, const char *source,
                                            const char *dataset, const lochan_raw_options *options,
                                            lochan_raw_report *report,
                                            struct ArrowArrayStream *lacks,
                                            lochan_error *err) LOCHAN_MUST_CHECK;
/* Removes the oldest kept answers until the others take at most max_bytes (-1 = what the dataset's
 * spec says). *files and *bytes: what went. */
LOCHAN_API lochan_status lochan_raw_trim(lochan_lake *lake, const char *source, const char *dataset,
                                         int64_t max_bytes, int64_t *files, int64_t *bytes,
                                         lochan_error *err) LOCHAN_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
