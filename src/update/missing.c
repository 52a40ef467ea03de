/* missing.c - see missing.h. Invariant: one flag a declared column, only ever raised. May call:
 * base/, arrow/, job.h.
 */
#include "update/missing.h"

#include "arrow/view.h"
#include "base/log.h"

enum { ENOUGH_ROWS = 20 }; /* fewer may well have no value in common */

bool lochan_missing__may_be(const lochan_job *job, const lochan_dataset_column *column) {
    return column->nullable && job->source->format != LOCHAN_FORMAT_CSV &&
           job->source->format != LOCHAN_FORMAT_TABLE;
}

lochan_status lochan_missing__begin(lochan_job *job, lochan_error *err) {
    job->seen = lochan_mem__zalloc((job->spec->n_columns + 1) * sizeof *job->seen);
    return job->seen ? LOCHAN_OK : lochan_error__nomem(err);
}

void lochan_missing__deinit(lochan_job *job) {
    lochan_mem__free((void *)job->seen);
    job->seen = NULL;
}

lochan_status lochan_missing__note(lochan_job *job, const struct ArrowSchema *schema,
                                   const struct ArrowArray *batch, lochan_error *err) {
    for (size_t c = 0; job->seen && c < job->spec->n_columns; c++) {
        const lochan_dataset_column *column = &job->spec->columns[c];
        int at = lochan_schema__find(schema, column->name);
        bool found = false;
        lochan_view view;
        if (at < 0 || job->seen[c] || !lochan_missing__may_be(job, column))
            continue;
        LOCHAN_TRY(lochan_view__init(&view, schema->children[at], batch->children[at], err));
        for (int64_t i = 0; i < view.length && !found; i++)
            found = lochan_view__is_valid(&view, i);
        lochan_view__deinit(&view);
        if (found)
            job->seen[c] = true;
    }
    return LOCHAN_OK;
}

void lochan_missing__warn(const lochan_job *job) {
    int64_t rows = job->report->rows_fetched;
    for (size_t c = 0; c < job->spec->n_columns && rows >= ENOUGH_ROWS; c++) {
        const lochan_dataset_column *column = &job->spec->columns[c];
        if (!job->seen[c] && lochan_missing__may_be(job, column))
            LOCHAN_WARN("%s: field '%s' had no value in any of %lld rows; column '%s' of them is "
                        "null",
                        job->full_name, column->field, (long long)rows, column->name);
    }
}
