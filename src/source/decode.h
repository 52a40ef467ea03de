/* decode.h - an answer to a batch of typed columns, whatever its format, and what it says about the
 * pages that follow.
 * Invariants: an answer is decoded whole or not at all; what the provider calls an error is never
 * taken for an empty answer. May call: base/, arrow/, spec.h, csv.h.
 */
#ifndef LOCHAN_SOURCE_DECODE_H
#define LOCHAN_SOURCE_DECODE_H

#include "source/csv.h"
#include "source/spec.h"

/* options: declared columns and what becomes of the rest; delimiter and null texts of a NULL list
 * are the source's. paging: where the answer tells of the next page. body: as many bytes of room
 * behind it as it takes are made, so it may move. *batch has a field for each column that is kept;
 * declared ones are always there if there are no rows.
 *
 * PAGE: unusable, another answer may be better. RATE_LIMIT (err.retry_after_ms) and NETWORK: the
 * provider says so in its own codes, worth another try. HTTP: it refuses. The codes' meanings are
 * the spec's; EMPTY gives no rows. */
lochan_status lochan_source__decode(const lochan_ctx *ctx, const lochan_source_spec *spec,
                                    const lochan_paging *paging, const lochan_csv_options *options,
                                    lochan_buf *body, struct ArrowSchema *schema,
                                    struct ArrowArray *batch, lochan_page_facts *facts,
                                    lochan_error *err);

/* decode_json.c: formats table, records and ndjson. */
lochan_status lochan_json__decode(const lochan_ctx *ctx, const lochan_source_spec *spec,
                                  const lochan_paging *paging, const lochan_csv_options *options,
                                  lochan_buf *body, struct ArrowSchema *schema,
                                  struct ArrowArray *batch, lochan_page_facts *facts,
                                  lochan_error *err);
/* No rows of the declared columns. */
lochan_status lochan_source__no_rows(const lochan_csv_options *options, struct ArrowSchema *schema,
                                     struct ArrowArray *batch, lochan_error *err);

#endif
