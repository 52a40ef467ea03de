/* source_test.c - the public functions that try a source out.
 * Invariant: nothing is written but what rate limits count. May call: base/, source/, manage.h.
 */
#include "update/manage.h"

#include "base/clock.h"
#include "source/decode.h"
#include "source/draft.h"
#include "source/fetch.h"
#include "source/page_request.h"
#include <lochan/source.h>

#define DAY_NS         INT64_C(86400000000000)
#define FEW_ROWS       5
#define MAX_PARAMETERS 64
#define MAX_DRAFT      ((size_t)1 << 20)

struct trial {
    lochan_lake *lake;
    const lochan_source_test_request *request;
    lochan_source_answer *answer;
    lochan_source_spec *spec;
    lochan_fetcher *fetcher;
    lochan_error failure; /* code OK: none */
};

/* One line of text without control characters. */
static void copy_line(char *dst, size_t cap, const char *p, size_t n) {
    size_t used = 0;
    for (size_t i = 0; i < n && used + 1 < cap; i++) {
        unsigned char c = (unsigned char)p[i];
        if (c > ' ' || (used > 0 && dst[used - 1] != ' '))
            dst[used++] = c <= ' ' ? ' ' : c == 0x7f ? '?' : (char)c;
    }
    dst[used] = '\0';
}

static void name_columns(lochan_source_answer *answer, const struct ArrowSchema *schema) {
    size_t used = 0;
    for (int64_t i = 0; i < schema->n_children; i++) {
        char *dst = answer->names + used;
        if (!lochan_format(dst, sizeof(answer->names) - used, "%s%s", i ? "," : "",
                           schema->children[i]->name))
            break;
        used += strlen(dst);
    }
}

static lochan_status on_page(void *ctx, size_t index, lochan_buf *body,
                             const lochan_fetch_meta *meta, lochan_error *err) {
    struct trial *t = ctx;
    lochan_source_answer *a = t->answer;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_page_facts facts;
    const lochan_csv_options options = {.rest_type = {.id = LOCHAN_TYPE_STRING}};
    (void)index, (void)err;
    a->http_status = meta->http_status;
    a->http_version = meta->http_version;
    lochan_format(a->content_type, sizeof(a->content_type), "%s", meta->content_type);
    a->bytes = meta->bytes;
    a->seconds = (double)meta->elapsed_ns / 1e9;
    copy_line(a->excerpt, sizeof(a->excerpt), (const char *)body->data, body->len);
    if (meta->empty) {
        a->decoded = true;
        return LOCHAN_OK;
    }
    lochan_status rc = lochan_source__decode(&t->lake->ctx, t->spec, &t->spec->paging, &options,
                                             body, &schema, &batch, &facts, &t->failure);
    if (rc != LOCHAN_OK)
        return LOCHAN_OK; /* the failure is the answer */
    a->decoded = true;
    a->rows = batch.length;
    a->columns = schema.n_children;
    a->more =
        facts.has_more || (facts.next && facts.next[0]) || (meta->has_more_known && meta->has_more);
    name_columns(a, &schema);
    lochan_schema__release(&schema);
    lochan_array__release(&batch);
    lochan_page_facts__deinit(&facts);
    return LOCHAN_OK;
}

static lochan_status on_failure(void *ctx, size_t index, const lochan_error *error,
                                int32_t attempts, lochan_error *err) {
    struct trial *t = ctx;
    (void)index, (void)attempts, (void)err;
    t->failure = *error;
    t->answer->http_status = error->http_status;
    return LOCHAN_OK;
}

static lochan_status choose_days(const lochan_source_test_request *r, int32_t *from, int32_t *to,
                                 lochan_error *err) {
    *to = (int32_t)(lochan_clock__wall_ns() / DAY_NS);
    if (r->end && !lochan_civil__parse_date(r->end, strlen(r->end), to))
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "end: expected a date like 2026-01-31, got '%.40s'", r->end);
    *from = *to - 6;
    if (r->start && !lochan_civil__parse_date(r->start, strlen(r->start), from))
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "start: expected a date like 2026-01-31, got '%.40s'", r->start);
    if (*from > *to)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "start lies after end");
    return LOCHAN_OK;
}

/* The request's own parameters, then the pager's. */
static lochan_status list_parameters(const lochan_source_test_request *r, lochan_arena *arena,
                                     lochan_source_pair *out, size_t *n, lochan_error *err) {
    *n = 0;
    if (r->n_parameters > MAX_PARAMETERS)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "more than %d parameters",
                                 MAX_PARAMETERS);
    for (size_t i = 0; i < r->n_parameters; i++) {
        size_t name = strcspn(r->parameters[i], "=");
        if (name == 0 || !r->parameters[i][name])
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "expected NAME=VALUE, got '%.60s'", r->parameters[i]);
        out[*n].name = lochan_arena__strndup(arena, r->parameters[i], name);
        out[*n].value = r->parameters[i] + name + 1;
        if (!out[(*n)++].name)
            return lochan_error__nomem(err);
    }
    return LOCHAN_OK;
}

static lochan_status build_request(struct trial *t, lochan_arena *arena, lochan_source_request *out,
                                   lochan_error *err) {
    char from[64], to[64];
    int32_t first, last;
    size_t n_extra, n = 0;
    lochan_pager pager;
    lochan_pager_ask ask;
    lochan_source_value values[8];
    lochan_source_pair extra[MAX_PARAMETERS + 2];
    LOCHAN_TRY(choose_days(t->request, &first, &last, err));
    LOCHAN_TRY(lochan_source_spec__print_date(t->spec, first, from, sizeof(from), err));
    LOCHAN_TRY(lochan_source_spec__print_date(t->spec, last, to, sizeof(to), err));
    LOCHAN_TRY(list_parameters(t->request, arena, extra, &n_extra, err));
    if (t->spec->paging.page_size > FEW_ROWS)
        t->spec->paging.page_size = FEW_ROWS;
    lochan_pager__init(&pager, &t->spec->paging);
    lochan_pager__ask(&pager, &ask);
    values[n++] = (lochan_source_value){"start", from};
    values[n++] = (lochan_source_value){"end", to};
    if (t->request->dataset) {
        values[n++] = (lochan_source_value){"source_dataset", t->request->dataset};
        values[n++] = (lochan_source_value){"dataset", t->request->dataset};
    }
    memcpy(values + n, ask.values, ask.n_values * sizeof(*values));
    memcpy(extra + n_extra, ask.params, ask.n_params * sizeof(*extra));
    lochan_status rc = lochan_source__build_request(t->spec, values, n + ask.n_values, extra,
                                                    n_extra + ask.n_params, out, err);
    lochan_pager__deinit(&pager);
    return rc;
}

static lochan_status ask_once(struct trial *t, const lochan_source_request *request,
                              lochan_error *err) {
    const lochan_fetch_callbacks callbacks = {
        .ctx = t, .on_page = on_page, .on_failure = on_failure};
    lochan_fetch_options options;
    lochan_fetch_options__init(&options, t->spec);
    options.workers = 1;
    options.max_retries = 0;
    options.endpoint = t->request->dataset;
    options.state_dir = t->lake->path;
    LOCHAN_TRY(
        lochan_fetcher__create(&t->lake->ctx, t->spec, &options, &callbacks, &t->fetcher, err));
    LOCHAN_TRY(lochan_fetcher__add(t->fetcher, 0, request, err));
    LOCHAN_TRY(lochan_fetcher__run(t->fetcher, err));
    if (t->failure.code == LOCHAN_OK)
        return LOCHAN_OK;
    lochan_fetcher__redact(t->fetcher, &t->failure);
    if (err)
        *err = t->failure;
    return t->failure.code;
}

lochan_status lochan_source_test(lochan_lake *lake, const lochan_source_test_request *request,
                                 lochan_source_answer *answer, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && request && answer && request->source, err);
    LOCHAN_CHECK_ARG(request->struct_size == sizeof *request, err);
    LOCHAN_CHECK_ARG(answer->struct_size == sizeof *answer, err);
    *answer = (lochan_source_answer){.struct_size = sizeof *answer};
    struct trial t = {.lake = lake, .request = request, .answer = answer};
    lochan_source_request ready = {0};
    lochan_arena arena;
    lochan_error_init(&t.failure);
    lochan_arena__init(&arena, 0);
    lochan_status rc;
    LOCHAN_TRYG(lochan_manage__load_source(lake, request->source, NULL, 0, &t.spec, err));
    LOCHAN_TRYG(build_request(&t, &arena, &ready, err));
    (void)lochan_format(answer->request, sizeof(answer->request), "%s %s%s%s",
                        ready.method == LOCHAN_METHOD_POST ? "POST" : "GET", ready.url,
                        ready.body ? " " : "", ready.body ? ready.body : "");
    rc = ask_once(&t, &ready, err);
done:
    lochan_fetcher__free(t.fetcher);
    lochan_source_request__deinit(&ready);
    lochan_source_spec__free(t.spec);
    lochan_arena__deinit(&arena);
    return rc;
}

lochan_status lochan_spec_draft(const void *sample, size_t size, const char *name,
                                char **source_yaml, char **dataset_yaml, lochan_error *err) {
    LOCHAN_CHECK_ARG(source_yaml && dataset_yaml, err);
    *source_yaml = *dataset_yaml = NULL;
    LOCHAN_CHECK_ARG(name && (sample || size == 0), err);
    lochan_buf source, dataset;
    size_t n;
    lochan_buf__init(&source, MAX_DRAFT);
    lochan_buf__init(&dataset, MAX_DRAFT);
    lochan_status rc = lochan_source__draft(sample, size, name, &source, &dataset, err);
    if (rc == LOCHAN_OK) {
        *source_yaml = (char *)lochan_buf__take(&source, &n);
        *dataset_yaml = (char *)lochan_buf__take(&dataset, &n);
    }
    lochan_buf__deinit(&source);
    lochan_buf__deinit(&dataset);
    return rc;
}
