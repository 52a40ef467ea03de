/* rejects.c - see rejects.h. May call: base/, arrow/, parquet/, catalog/, table/. */
#include "update/rejects.h"

void lochan_rejects__deinit(lochan_rejects *rejects) {
    for (size_t i = 0; i < rejects->n; i++)
        lochan_buf__deinit(&rejects->values[i]);
    lochan_mem__free(rejects->items);
    lochan_mem__free(rejects->values);
    *rejects = (lochan_rejects){0};
}

lochan_status lochan_rejects__add(lochan_rejects *rejects, const lochan_reject *reject,
                                  lochan_buf *values, lochan_error *err) {
    void *items =
        lochan_mem__grow(rejects->items, rejects->n, &rejects->cap, sizeof *rejects->items);
    if (!items)
        return lochan_error__nomem(err);
    rejects->items = items;
    void *texts = lochan_mem__grow(rejects->values, rejects->n, &rejects->cap_values,
                                   sizeof *rejects->values);
    if (!texts)
        return lochan_error__nomem(err);
    rejects->values = texts;
    rejects->items[rejects->n] = *reject;
    rejects->values[rejects->n++] = *values;
    lochan_buf__init(values, 1);
    return LOCHAN_OK;
}
