/* decode.c - chooses the decoder of a format.
 * Invariant: as in decode.h. May call: base/, arrow/, csv.h, typed.h.
 */
#include "source/decode.h"

#include "source/typed.h"

static lochan_status decode_csv(const lochan_ctx *ctx, const lochan_source_spec *spec,
                                const lochan_csv_options *options, const lochan_buf *body,
                                struct ArrowSchema *schema, struct ArrowArray *batch,
                                lochan_page_facts *facts, lochan_error *err) {
    lochan_csv_options own = *options;
    if (!own.delimiter)
        own.delimiter = spec->csv_delimiter;
    if (!own.null_texts) {
        own.null_texts = spec->csv_null_texts;
        own.n_null_texts = spec->n_csv_null_texts;
    }
    LOCHAN_TRY(lochan_csv__decode(ctx, &own, body->data, body->len, schema, batch, err));
    facts->rows = batch->length;
    facts->hash = lochan_hash__128(body->data, body->len);
    return LOCHAN_OK;
}

lochan_status lochan_source__no_rows(const lochan_csv_options *options, struct ArrowSchema *schema,
                                     struct ArrowArray *batch, lochan_error *err) {
    int64_t n = (int64_t)options->n_columns;
    lochan_status rc = lochan_schema__init_struct(schema, n, err);
    if (rc == LOCHAN_OK)
        rc = lochan_array__init(batch, 1, n, err);
    for (int64_t i = 0; i < n && rc == LOCHAN_OK; i++) {
        lochan_builder *builder = NULL;
        rc = lochan_schema__set_field(schema->children[i], options->columns[i].name,
                                      &options->columns[i].type, true, err);
        if (rc == LOCHAN_OK)
            rc = lochan_builder__create(schema->children[i], &builder, err);
        if (rc == LOCHAN_OK)
            rc = lochan_builder__finish(builder, batch->children[i], err);
        lochan_builder__free(builder);
    }
    if (rc != LOCHAN_OK) {
        lochan_schema__release(schema);
        lochan_array__release(batch);
    }
    return rc;
}

lochan_status lochan_source__decode(const lochan_ctx *ctx, const lochan_source_spec *spec,
                                    const lochan_paging *paging, const lochan_csv_options *options,
                                    lochan_buf *body, struct ArrowSchema *schema,
                                    struct ArrowArray *batch, lochan_page_facts *facts,
                                    lochan_error *err) {
    memset(schema, 0, sizeof(*schema));
    memset(batch, 0, sizeof(*batch));
    memset(facts, 0, sizeof(*facts));
    if (spec->format == LOCHAN_FORMAT_CSV)
        return decode_csv(ctx, spec, options, body, schema, batch, facts, err);
    if (spec->format != LOCHAN_FORMAT_PARQUET)
        return lochan_json__decode(ctx, spec, paging, options, body, schema, batch, facts, err);
    LOCHAN_TRY(
        lochan_typed__decode_parquet(ctx, options, body->data, body->len, schema, batch, err));
    facts->rows = batch->length;
    facts->hash = lochan_hash__128(body->data, body->len);
    return LOCHAN_OK;
}
