/* order.c - whether rows come in a table's order.
 * Invariant: batches of any size give the same answer as all rows in one. May call: base/, arrow/.
 */
#include "table/write.h"

lochan_status lochan_rows__check_order(const lochan_table *t, const struct ArrowSchema *schema,
                                       bool keyed, const struct ArrowArray *batch, lochan_buf *last,
                                       int64_t *bad, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_comparator *cmp = NULL;
    lochan_keycode codes = {0};
    lochan_buf first;
    int limit = keyed ? 0 : 1; /* a comparison with the next row must stay below it */
    *bad = -1;
    lochan_buf__init(&first, LOCHAN_KEYCODE_MAX * 4);
    if (t->n_order == 0 || batch->length == 0)
        return LOCHAN_OK;
    LOCHAN_TRYG(lochan_comparator__create(schema, t->order, t->n_order, &batch, 1, &cmp, err));
    for (int64_t i = 1; i < batch->length; i++) {
        if (lochan_comparator__compare(cmp, 0, i - 1, 0, i) >= limit) {
            *bad = i;
            goto done;
        }
    }
    LOCHAN_TRYG(lochan_keycode__init(&codes, schema, batch, t->order, t->n_order, err));
    if (last->len > 0) {
        rc = lochan_keycode__encode(&codes, 0, &first, keyed ? err : NULL);
        lochan_str a = {(const char *)last->data, last->len},
                   b = {(const char *)first.data, first.len};
        if (rc == LOCHAN_OK && lochan_keycode__compare(a, b) >= limit) {
            *bad = 0;
            goto done;
        }
    }
    if (rc == LOCHAN_OK)
        rc = lochan_keycode__encode(&codes, batch->length - 1, last, keyed ? err : NULL);
    if (rc != LOCHAN_OK &&
        !keyed) { /* too long for a code: the next batch is not compared with this one */
        lochan_buf__clear(last);
        rc = LOCHAN_OK;
    }
done:
    lochan_comparator__free(cmp);
    lochan_keycode__deinit(&codes);
    lochan_buf__deinit(&first);
    return rc;
}
