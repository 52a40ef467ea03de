/* option.c - settings of a lake, and who is told of its commits.
 * Invariant: a setting changes by a commit of its own. May call: base/, internal.h.
 */
#include "catalog/internal.h"

#include <string.h>

lochan_status lochan_catalog__option(lochan_catalog *catalog, const char *name, char *dst,
                                     size_t cap, lochan_error *err) {
    lochan_db *db;
    lochan_error seen;
    lochan_error_init(&seen);
    dst[0] = '\0';
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    lochan_status rc = lochan_db__meta(db, name, dst, cap, &seen);
    lochan_catalog__read_end(catalog);
    if (rc == LOCHAN_ERR_CORRUPT) { /* there is none */
        dst[0] = '\0';
        return LOCHAN_OK;
    }
    if (rc != LOCHAN_OK && err)
        *err = seen;
    return rc;
}

lochan_status lochan_txn__set_option(lochan_txn *txn, const char *name, const char *value,
                                     lochan_error *err) {
    LOCHAN_TRY(lochan_txn__check(txn, err));
    return lochan_txn__note(
        txn,
        lochan_txn__replace(txn, LOCHAN_ROW_META,
                            LOCHAN_ROW(lochan_value__text(name), lochan_value__text(value)), err));
}

lochan_status lochan_catalog__set_option(lochan_catalog *catalog, const char *name,
                                         const char *value, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    lochan_txn_options options = {.kind = "option"};
    LOCHAN_TRYG(lochan_txn__begin(catalog, &options, NULL, NULL, &txn, err));
    LOCHAN_TRYG(lochan_txn__set_option(txn, name, value, err));
    LOCHAN_TRYG(lochan_txn__commit(&txn, NULL, err));
done:
    lochan_txn__abort(txn);
    return rc;
}

void lochan_catalog__on_publish(lochan_catalog *catalog, void (*fn)(void *ctx), void *ctx) {
    catalog->published = fn;
    catalog->published_ctx = ctx;
}
