/* page.h - one answer to canonical rows, in two steps: decoding, which another answer may cure, and
 * what the dataset's contract says of the rows, which it cannot.
 * May call: base/, arrow/, source/decode.h, job.h.
 */
#ifndef LOCHAN_UPDATE_PAGE_H
#define LOCHAN_UPDATE_PAGE_H

#include "source/decode.h"
#include "update/job.h"

typedef struct lochan_rows { /* both parts are owned */
    struct ArrowSchema schema;
    struct ArrowArray batch;
} lochan_rows;

void lochan_rows__release(lochan_rows *rows);

/* Failures that are not a page's fault end the update: the scope would fail for them again. */
bool lochan_page__ends_update(lochan_status code);

/* The provider's columns; body may be moved. PAGE, NETWORK, RATE_LIMIT: worth asking again. */
lochan_status lochan_page__decode(const lochan_job *job, const lochan_scope *scope,
                                  const lochan_paging *paging, lochan_buf *body, lochan_rows *rows,
                                  lochan_page_facts *facts, lochan_error *err);
/* The same of a batch that has types of its own: a struct without nulls and offset, which passed
 * lochan_array__check. */
lochan_status lochan_page__conform(const lochan_job *job, const struct ArrowSchema *schema,
                                   const struct ArrowArray *batch, lochan_rows *rows,
                                   lochan_error *err);
/* Wide to long, canonical columns, the days asked for, the rules; then the rows are the scope's.
 * VALIDATION, SCHEMA: the answer breaks the contract. */
lochan_status lochan_page__keep(lochan_job *job, lochan_scope *scope, int64_t number,
                                lochan_rows *rows, lochan_error *err);

#endif
