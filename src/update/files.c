/* files.c - planning and reading of files; see files.h.
 * A file is read whole, under its budget; its state is taken before and after, so that one which
 * is written meanwhile is not believed. Files are not staged: they are there to be read again.
 * May call: base/, arrow/, parquet/, source/, page.h.
 */
#include "update/files.h"

#include "base/fs.h"
#include "base/log.h"
#include "parquet/reader.h"
#include "update/mode.h"
#include "update/page.h"

enum { NAMED_GONE = 10, HASH_BLOCK = 1 << 20 };

/* ---- state ---- */

static uint64_t hash_of_stat(uint64_t size, int64_t mtime_ns) {
    uint64_t facts[2] = {size, (uint64_t)mtime_ns};
    return lochan_hash__64(facts, sizeof facts, 1);
}

static void set_state(lochan_listed_file *file, uint64_t content) {
    (void)lochan_format(file->state, sizeof file->state, "%016llx%016llx",
                        (unsigned long long)hash_of_stat(file->size, file->mtime_ns),
                        (unsigned long long)content);
}

/* The content in blocks: files of any size. */
static lochan_status hash_content(const char *path, uint64_t *out, lochan_error *err) {
    lochan_file *file = NULL;
    uint64_t hash = 2, at = 0;
    size_t got = HASH_BLOCK;
    void *block = lochan_mem__alloc(HASH_BLOCK);
    lochan_status rc = block ? LOCHAN_OK : lochan_error__nomem(err);
    if (rc == LOCHAN_OK)
        rc = lochan_file__open(path, LOCHAN_FS_READ, &file, err);
    while (rc == LOCHAN_OK && got == HASH_BLOCK) {
        rc = lochan_file__read_some(file, block, HASH_BLOCK, at, &got, err);
        if (rc == LOCHAN_OK && got > 0)
            hash = lochan_hash__64(block, got, hash);
        at += got;
    }
    *out = hash;
    if (file)
        LOCHAN_KEEP(lochan_file__close(file, LOCHAN_KEEP_ERR(rc, err)));
    lochan_mem__free(block);
    return rc;
}

static uint64_t hash_of_body(const lochan_buf *body) {
    uint64_t hash = 2;
    for (size_t at = 0; at < body->len; at += HASH_BLOCK) {
        size_t left = body->len - at;
        hash = lochan_hash__64(body->data + at, left < HASH_BLOCK ? left : HASH_BLOCK, hash);
    }
    return hash;
}

/* ---- plan ---- */

/* Whether what the ledger knows of the file still holds. A new time alone does not make a file
 * another one: then its content decides. */
static lochan_status is_known(const lochan_listed_file *file, const lochan_series *series,
                              bool *known, lochan_error *err) {
    lochan_listed_file now = *file;
    uint64_t content;
    *known = false;
    if (series->before.count == 0)
        return LOCHAN_OK;
    const lochan_cover *last = &series->before.rows[series->before.count - 1];
    bool good = last->state == LOCHAN_COVER_SUCCESS || last->state == LOCHAN_COVER_EMPTY;
    if (!good || strlen(last->hash) != 32)
        return LOCHAN_OK;
    set_state(&now, 0);
    if (memcmp(now.state, last->hash, 16) == 0) {
        *known = true;
        return LOCHAN_OK;
    }
    LOCHAN_TRY(hash_content(file->path, &content, err));
    set_state(&now, content);
    *known = memcmp(now.state + 16, last->hash + 16, 16) == 0;
    return LOCHAN_OK;
}

static lochan_status must_read(const lochan_job *job, const lochan_listed_file *file,
                               const lochan_series *series, bool *read, lochan_error *err) {
    bool known;
    *read = true;
    if (job->gap_kind == LOCHAN_GAP_ALL)
        return LOCHAN_OK;
    *read = lochan_ledger__has_failed(&series->before);
    if (*read || job->gap_kind == LOCHAN_GAP_FAILED)
        return LOCHAN_OK;
    LOCHAN_TRY(is_known(file, series, &known, err));
    *read = !known;
    return LOCHAN_OK;
}

static lochan_status add_scope(lochan_job *job, const lochan_listed_file *file,
                               lochan_series *series, lochan_error *err) {
    lochan_scope *scope = &job->scopes[job->n_scopes];
    lochan_param_set *named = lochan_arena__alloc(&job->arena, sizeof *named);
    lochan_series **list = lochan_arena__alloc(&job->arena, sizeof(lochan_series *));
    if (!named || !list)
        return lochan_error__nomem(err);
    *named = (lochan_param_set){.name = file->name};
    list[0] = series;
    *scope = (lochan_scope){.window = {job->end, job->end},
                            .variant = named, /* messages name the file */
                            .series = list,
                            .n_series = 1,
                            .file = file};
    job->n_scopes++;
    return LOCHAN_OK;
}

/* What the ledger knows and the folder does not have any more. */
static void report_gone(const lochan_job *job, const lochan_listed_file *files, size_t n) {
    size_t gone = 0;
    for (size_t i = 0; i < job->book.n; i++) {
        const lochan_series *series = job->book.items[i];
        size_t low = 0, high = n;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (strcmp(files[middle].name, series->variant) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        bool here = low < n && strcmp(files[low].name, series->variant) == 0;
        if (!here && series->before.count > 0 && gone++ < NAMED_GONE)
            LOCHAN_WARN("%s: file '%.200s' is gone; its rows stay", job->full_name,
                        series->variant);
    }
    if (gone > NAMED_GONE)
        LOCHAN_WARN("%s: %zu files in all are gone; their rows stay", job->full_name, gone);
}

static lochan_status plan_files(lochan_job *job, const lochan_listed_file *files, size_t n,
                                lochan_error *err) {
    for (size_t i = 0; i < n; i++) {
        lochan_series *series;
        bool read;
        LOCHAN_TRY(lochan_cancel__check(job->lake->ctx.cancel, err));
        LOCHAN_TRY(lochan_book__get(&job->book, "", files[i].name, &series, err));
        LOCHAN_TRY(must_read(job, &files[i], series, &read, err));
        if (read)
            LOCHAN_TRY(add_scope(job, &files[i], series, err));
    }
    return LOCHAN_OK;
}

lochan_status lochan_files__plan(lochan_job *job, lochan_error *err) {
    lochan_listed_file *files;
    size_t n, bytes;
    job->timeless = true; /* what is asked for are files, not days */
    job->start = job->end;
    if (job->spec->update_mode->asks_assets)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "%s: update_mode %s replaces the days that were asked for, and a "
                                 "file says of no days that it has all their rows",
                                 job->full_name, job->spec->update_mode->name);
    LOCHAN_TRY(lochan_files__list(job, &files, &n, err));
    if (n == 0)
        LOCHAN_WARN("%s: no files in %.300s", job->full_name, job->source->path);
    bytes = (n + 1) * sizeof *job->scopes;
    LOCHAN_TRY(lochan_budget__take(job->lake->ctx.budget, bytes, "the plan of an update", err));
    job->plan_budget += bytes;
    job->scopes = lochan_mem__array(n + 1, sizeof *job->scopes);
    if (!job->scopes)
        return lochan_error__nomem(err);
    LOCHAN_TRY(plan_files(job, files, n, err));
    report_gone(job, files, n);
    if (job->spec->update_mode->all_scopes && job->n_scopes > 0 &&
        job->gap_kind != LOCHAN_GAP_ALL) {
        job->n_scopes = 0; /* a table that becomes what comes needs all of it */
        job->gap_kind = LOCHAN_GAP_ALL;
        LOCHAN_TRY(plan_files(job, files, n, err));
    }
    return LOCHAN_OK;
}

/* ---- reading ---- */

static lochan_status check_unchanged(const lochan_listed_file *file, lochan_error *err) {
    lochan_stat st;
    LOCHAN_TRY(lochan_fs__stat(file->path, &st, err));
    if (st.size == file->size && st.mtime_ns == file->mtime_ns)
        return LOCHAN_OK;
    return lochan_error__set(err, LOCHAN_ERR_PAGE, "the file was changed while it was read");
}

static lochan_status keep(lochan_job *job, lochan_scope *scope, lochan_rows *rows,
                          lochan_direct_outcome *outcome, lochan_error *err) {
    outcome->theirs = false;
    lochan_status rc = lochan_page__keep(job, scope, outcome->pages, rows, err);
    outcome->pages++;
    return rc;
}

/* One text file is one page. */
static lochan_status read_text(lochan_job *job, lochan_scope *scope, lochan_listed_file *file,
                               lochan_direct_outcome *outcome, lochan_error *err) {
    lochan_rows rows = {0};
    lochan_page_facts facts = {0};
    lochan_buf body;
    size_t taken = 0;
    lochan_status rc;
    lochan_buf__init(&body, (size_t)job->source->max_body + 4096);
    outcome->theirs = true;
    if (file->size > job->source->max_body) {
        rc = lochan_error__set(
            err, LOCHAN_ERR_VALIDATION, "the file has %llu bytes, and max_body allows %llu",
            (unsigned long long)file->size, (unsigned long long)job->source->max_body);
        goto done;
    }
    LOCHAN_TRYG(lochan_budget__take(job->lake->ctx.budget, (size_t)file->size, "a file", err));
    taken = (size_t)file->size;
    LOCHAN_TRYG(lochan_fs__read_all(file->path, (size_t)file->size + 1, &body, err));
    LOCHAN_TRYG(check_unchanged(file, err));
    set_state(file, hash_of_body(&body));
    scope->bytes = (int64_t)body.len;
    LOCHAN_TRYG(lochan_page__decode(job, scope, NULL, &body, &rows, &facts, err));
    rc = keep(job, scope, &rows, outcome, err);
done:
    lochan_budget__give(job->lake->ctx.budget, taken);
    lochan_rows__release(&rows);
    lochan_page_facts__deinit(&facts);
    lochan_buf__deinit(&body);
    return rc;
}

static lochan_status read_batches(lochan_job *job, lochan_scope *scope, lochan_pq_reader *reader,
                                  lochan_direct_outcome *outcome, lochan_error *err) {
    struct ArrowArrayStream stream;
    LOCHAN_TRY(lochan_pq_reader__stream(reader, NULL, &stream, err));
    lochan_status rc = LOCHAN_OK;
    while (rc == LOCHAN_OK) {
        struct ArrowArray batch = {0};
        lochan_rows rows = {0};
        rc = lochan_cancel__check(job->lake->ctx.cancel, err);
        outcome->theirs = true;
        if (rc == LOCHAN_OK)
            rc = lochan_stream__next(&stream, &batch, err);
        if (rc != LOCHAN_OK || !batch.release)
            break;
        rc = lochan_page__conform(job, lochan_pq_reader__schema(reader), &batch, &rows, err);
        if (rc == LOCHAN_OK)
            rc = keep(job, scope, &rows, outcome, err);
        lochan_array__release(&batch);
        lochan_rows__release(&rows);
    }
    lochan_stream__release(&stream);
    return rc;
}

/* Each batch of rows is a page. */
static lochan_status read_parquet(lochan_job *job, lochan_scope *scope, lochan_listed_file *file,
                                  lochan_direct_outcome *outcome, lochan_error *err) {
    const lochan_pq_read_options options = {.arrow_schema = true};
    lochan_pq_reader *reader = NULL;
    uint64_t content;
    outcome->theirs = true;
    LOCHAN_TRY(hash_content(file->path, &content, err));
    LOCHAN_TRY(
        lochan_pq_reader__open_file(&job->lake->ctx, file->path, NULL, &options, &reader, err));
    lochan_status rc = read_batches(job, scope, reader, outcome, err);
    lochan_pq_reader__close(reader);
    if (rc == LOCHAN_OK) {
        outcome->theirs = true;
        rc = check_unchanged(file, err);
    }
    set_state(file, content);
    scope->bytes = (int64_t)file->size;
    return rc;
}

lochan_status lochan_files__fetch(lochan_job *job, lochan_scope *scope,
                                  lochan_direct_outcome *outcome, lochan_error *err) {
    lochan_listed_file *file = (lochan_listed_file *)(uintptr_t)scope->file; /* the scope's own */
    lochan_status rc = job->source->format == LOCHAN_FORMAT_PARQUET
                           ? read_parquet(job, scope, file, outcome, err)
                           : read_text(job, scope, file, outcome, err);
    if (rc == LOCHAN_ERR_NO_MEMORY || rc == LOCHAN_ERR_MEMORY_LIMIT)
        outcome->theirs = false;
    return rc == LOCHAN_OK ? rc : lochan_error__in_file(err, rc, file->path, -1);
}
