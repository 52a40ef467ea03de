/* listing.c - see listing.h. A missing value of a row is noticed by its column being one short. May
 * call: base/, builder.h.
 */
#include "arrow/listing.h"

lochan_status lochan_listing__init(lochan_listing *listing, const lochan_listing_column *columns,
                                   lochan_error *err) {
    *listing = (lochan_listing){0};
    int64_t n = 0;
    lochan_status rc;
    while (columns[n].name)
        n++;
    LOCHAN_TRYG(lochan_schema__init_struct(&listing->schema, n, err));
    for (int64_t i = 0; i < n; i++) {
        lochan_type type;
        LOCHAN_TRYG(lochan_type__from_name(columns[i].type, &type, err));
        LOCHAN_TRYG(lochan_schema__set_field(listing->schema.children[i], columns[i].name, &type,
                                             true, err));
    }
    LOCHAN_TRYG(lochan_builder__create(&listing->schema, &listing->builder, err));
done:
    if (rc != LOCHAN_OK)
        lochan_listing__deinit(listing);
    return rc;
}

void lochan_listing__deinit(lochan_listing *listing) {
    lochan_builder__free(listing->builder);
    lochan_schema__release(&listing->schema);
    *listing = (lochan_listing){0};
}

static lochan_builder *column_of(lochan_listing *listing, int column) {
    lochan_builder *builder = lochan_builder__child(listing->builder, column);
    LOCHAN_ASSERT(lochan_builder__length(builder) == listing->rows);
    return builder;
}

lochan_status lochan_listing__string(lochan_listing *listing, int column, const char *text,
                                     lochan_error *err) {
    lochan_builder *builder = column_of(listing, column);
    return text ? lochan_builder__str(builder, lochan_str__of(text), err)
                : lochan_builder__null(builder, err);
}

lochan_status lochan_listing__int64(lochan_listing *listing, int column, int64_t v,
                                    lochan_error *err) {
    return lochan_builder__int64(column_of(listing, column), v, err);
}

lochan_status lochan_listing__time(lochan_listing *listing, int column, int64_t ns,
                                   lochan_error *err) {
    return lochan_builder__int64(column_of(listing, column), ns / 1000, err);
}

lochan_status lochan_listing__end_row(lochan_listing *listing, lochan_error *err) {
    for (int64_t i = 0; i < listing->schema.n_children; i++) {
        lochan_builder *builder = lochan_builder__child(listing->builder, i);
        if (lochan_builder__length(builder) == listing->rows)
            LOCHAN_TRY(lochan_builder__null(builder, err));
    }
    listing->rows++;
    return lochan_builder__end_row(listing->builder, err);
}

lochan_status lochan_listing__finish(lochan_listing *listing, struct ArrowArrayStream *out,
                                     lochan_error *err) {
    struct ArrowArray batch = {0};
    out->release = NULL;
    LOCHAN_TRY(lochan_builder__finish(listing->builder, &batch, err));
    listing->rows = 0;
    return lochan_stream__of_batches(&listing->schema, &batch, 1, out, err);
}
