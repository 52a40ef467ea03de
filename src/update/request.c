/* request.c - from what the caller asked to a job that may start: every argument is checked before
 * anything is done. May call: base/, catalog/, source/, spec.h.
 */
#include "update/job.h"

#include "base/clock.h"
#include "update/callback.h"
#include "update/manage.h"
#include "update/mapping.h"
#include "update/mode.h"
#include "update/validate.h"

#define DAY_NS          INT64_C(86400000000000)
#define MAX_WORKERS     256
#define MAX_RETRIES     1000
#define MAX_BACKOFF     3600.0
#define MAX_REQUEST_TXT (1u << 20)

static lochan_status parse_day(const char *what, const char *text, int32_t *out,
                               lochan_error *err) {
    if (!lochan_civil__parse_date(text, strlen(text), out))
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "%s: expected a date like 2026-01-31, got '%.40s'", what, text);
    return LOCHAN_OK;
}

static lochan_status check_numbers(const lochan_update_request *r, lochan_error *err) {
    if (r->workers < 0 || r->workers > MAX_WORKERS)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "workers: expected 1 to %d, got %d", MAX_WORKERS, r->workers);
    if (r->batch_size < 0)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "batch_size: expected 1 or more, got %d", r->batch_size);
    if (r->max_retries < -1 || r->max_retries > MAX_RETRIES)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "max_retries: expected 0 to %d, got %d", MAX_RETRIES,
                                 r->max_retries);
    if (!(r->retry_backoff_seconds <= MAX_BACKOFF)) /* NaN too */
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "retry_backoff_seconds: expected 0 to %g, got %g", MAX_BACKOFF,
                                 r->retry_backoff_seconds);
    return LOCHAN_OK;
}

static lochan_status check_request(const lochan_update_request *r, lochan_error *err) {
    LOCHAN_CHECK_ARG(r->struct_size == sizeof *r, err);
    LOCHAN_CHECK_ARG(r->source && r->dataset, err);
    for (size_t i = 0; i < sizeof r->reserved; i++)
        LOCHAN_CHECK_ARG(r->reserved[i] == 0, err);
    LOCHAN_TRY(check_numbers(r, err));
    lochan_validate_level level;
    LOCHAN_TRY(lochan_validate__level(r->validate, &level, err));
    if (r->force && r->repair)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "force and repair exclude each other");
    if (r->explain && r->dry_run)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "explain and dry_run exclude each other: without rows there is "
                                 "nothing to explain");
    if (r->backfill && (!r->start || !r->end))
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "a backfill needs a start and an end");
    return LOCHAN_OK;
}

/* Assets and batch sizes belong to planners that ask by asset. */
static lochan_status check_planner(const lochan_job *job, lochan_error *err) {
    const lochan_update_request *r = job->request;
    const lochan_dataset_spec *spec = job->spec;
    bool can_choose = spec->planner->by_asset || spec->request_param;
    if ((r->n_assets > 0 && !can_choose) || (r->batch_size > 0 && !can_choose))
        return lochan_error__set(
            err, LOCHAN_ERR_UNSUPPORTED,
            "%s: request_planner %s asks for all assets at once; %s cannot be chosen",
            job->full_name, spec->planner->name, r->n_assets > 0 ? "assets" : "batch_size");
    if (r->n_assets > 0 && spec->update_mode->all_scopes)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "%s: update_mode %s makes the table what came; with some assets "
                                 "only the others would be lost",
                                 job->full_name, spec->update_mode->name);
    for (size_t i = 0; i < r->n_assets; i++) {
        const char *asset = r->assets[i];
        if (!asset || !asset[0] || strstr(asset, spec->asset_separator))
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "assets: '%.60s' is no asset", asset ? asset : "");
    }
    return LOCHAN_OK;
}

static lochan_status read_dates(lochan_job *job, lochan_error *err) {
    const lochan_update_request *r = job->request;
    job->end = (int32_t)(job->started_ns / DAY_NS);
    if (r->end)
        LOCHAN_TRY(parse_day("end", r->end, &job->end, err));
    job->has_start = r->start != NULL;
    if (r->start)
        LOCHAN_TRY(parse_day("start", r->start, &job->start, err));
    if (r->start && job->start > job->end)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "start %s lies after end %s",
                                 r->start, r->end ? r->end : "(today)");
    return LOCHAN_OK;
}

static lochan_status json_field(lochan_buf *buf, const char *key, const char *value,
                                lochan_error *err) {
    if (!value)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_buf__printf(buf, err, "%s\"%s\": ", buf->len > 1 ? ", " : "", key));
    return lochan_buf__json_string(buf, value, strlen(value), err);
}

/* The first assets of a long list: the record is for people. */
static lochan_status json_assets(lochan_buf *buf, const lochan_update_request *r,
                                 lochan_error *err) {
    const size_t most = 1000;
    if (r->n_assets == 0)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_buf__printf(buf, err, "%s\"n_assets\": %zu, \"assets\": [",
                                  buf->len > 1 ? ", " : "", r->n_assets));
    for (size_t i = 0; i < r->n_assets && i < most; i++) {
        LOCHAN_TRY(lochan_buf__puts(buf, i ? ", " : "", err));
        LOCHAN_TRY(lochan_buf__json_string(buf, r->assets[i], strlen(r->assets[i]), err));
    }
    return lochan_buf__putc(buf, ']', err);
}

/* What was asked, for the run's record. Source options may carry what is private and are left out.
 */
static lochan_status print_request(lochan_job *job, lochan_error *err) {
    const lochan_update_request *r = job->request;
    lochan_buf buf;
    lochan_buf__init(&buf, MAX_REQUEST_TXT);
    lochan_status rc;
    LOCHAN_TRYG(lochan_buf__putc(&buf, '{', err));
    LOCHAN_TRYG(json_field(&buf, "start", r->start, err));
    LOCHAN_TRYG(json_field(&buf, "end", r->end, err));
    LOCHAN_TRYG(json_field(&buf, "token", r->token, err));
    LOCHAN_TRYG(json_field(&buf, "validate", r->validate, err));
    if (r->batch_size > 0)
        LOCHAN_TRYG(lochan_buf__printf(&buf, err, "%s\"batch_size\": %d", buf.len > 1 ? ", " : "",
                                       r->batch_size));
    LOCHAN_TRYG(json_assets(&buf, r, err));
    if (r->force)
        LOCHAN_TRYG(lochan_buf__printf(&buf, err, "%s\"force\": true", buf.len > 1 ? ", " : ""));
    if (r->repair)
        LOCHAN_TRYG(lochan_buf__printf(&buf, err, "%s\"repair\": true", buf.len > 1 ? ", " : ""));
    LOCHAN_TRYG(lochan_buf__putc(&buf, '}', err));
    job->request_json = (char *)lochan_buf__take(&buf, NULL);
done:
    lochan_buf__deinit(&buf);
    return rc;
}

static void drop_specs(lochan_job *job) {
    lochan_callback__release(job);
    lochan_source_spec__free(job->source);
    lochan_dataset_spec__free(job->spec);
    lochan_dataset_rows__deinit(&job->dataset_rows);
    job->source = NULL;
    job->spec = NULL;
    job->dataset = NULL;
}

lochan_status lochan_job__load_specs(lochan_job *job, lochan_error *err) {
    const lochan_update_request *r = job->request;
    drop_specs(job);
    LOCHAN_TRY(lochan_manage__load_dataset(job->lake, r->source, r->dataset, &job->dataset_rows,
                                           &job->spec, err));
    job->dataset = &job->dataset_rows.rows[0];
    if (!job->dataset->enabled)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "dataset %s is disabled",
                                 job->full_name);
    LOCHAN_TRY(lochan_manage__load_source(job->lake, r->source, r->source_options,
                                          r->n_source_options, &job->source, err));
    if (!job->source->enabled && !job->replay) {
        lochan_status rc = lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "source %s is disabled",
                                             job->source->name);
        lochan_error__hint(err, "'lochan source enable %.100s' takes it back", job->source->name);
        return rc;
    }
    if (job->spec->keep_raw && job->source->kind == LOCHAN_SOURCE_FILES)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "%s: keep_raw: the files that the source reads are the evidence",
                                 job->full_name);
    if (job->source->kind == LOCHAN_SOURCE_CALLBACK && !job->replay)
        LOCHAN_TRY(lochan_callback__acquire(job, err));
    LOCHAN_TRY(
        lochan_dataset_spec__join_paging(job->spec, job->dataset->spec, &job->source->paging, err));
    return check_planner(job, err);
}

lochan_status lochan_job__prepare(lochan_job *job, lochan_error *err) {
    LOCHAN_TRY(check_request(job->request, err));
    LOCHAN_TRY(lochan_name__check("source", job->request->source, err));
    LOCHAN_TRY(lochan_name__check("dataset", job->request->dataset, err));
    if (!job->request->dry_run)
        LOCHAN_TRY(lochan_lake__check_writable(job->lake, err));
    LOCHAN_TRY(read_dates(job, err));
    LOCHAN_TRY(lochan_job__load_specs(job, err));
    LOCHAN_TRY(lochan_validate__level(job->request->validate, &job->level, err));
    LOCHAN_TRY(lochan_mapping__warn(job, err));
    return print_request(job, err);
}
