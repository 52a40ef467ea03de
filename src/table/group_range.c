/* group_range.c - see group_range.h.
 * Statistics tell the range of the order's first column; where that column has one value in the
 * whole group, the next column narrows it, and so on. May call: base/, arrow/, parquet/.
 */
#include "table/group_range.h"

void lochan_group_range__init(lochan_group_range *range) {
    lochan_buf__init(&range->low, LOCHAN_KEYCODE_MAX * 4);
    lochan_buf__init(&range->high, LOCHAN_KEYCODE_MAX * 4);
}

void lochan_group_range__deinit(lochan_group_range *range) {
    lochan_buf__deinit(&range->low);
    lochan_buf__deinit(&range->high);
}

/* Adds one bound; false if it has no code or its type is another than the column's. */
static lochan_status add_bound(lochan_buf *code, const lochan_type *type,
                               const lochan_expr_stats *stats, bool max, bool *known,
                               lochan_error *err) {
    *known = type->id == stats->type.id;
    if (type->id == LOCHAN_TYPE_TIMESTAMP)
        *known = *known && type->unit == stats->type.unit;
    if (!*known)
        return LOCHAN_OK;
    if (lochan_type__is_bytes(type->id))
        return lochan_keycode__put_bytes(code, max ? stats->max_s : stats->min_s, err);
    *known = type->id == LOCHAN_TYPE_BOOL || type->id == LOCHAN_TYPE_DATE32 ||
             type->id == LOCHAN_TYPE_TIMESTAMP ||
             (lochan_type__is_integer(type->id) && type->id != LOCHAN_TYPE_UINT64);
    return *known ? lochan_keycode__put_int(code, type, max ? stats->max_i : stats->min_i, err)
                  : LOCHAN_OK;
}

static bool is_one_value(const lochan_type *type, const lochan_expr_stats *stats) {
    if (!stats->min_exact || !stats->max_exact)
        return false;
    return lochan_type__is_bytes(type->id) ? lochan_str__eq(stats->min_s, stats->max_s)
                                           : stats->min_i == stats->max_i;
}

lochan_status lochan_group_range__read(lochan_group_range *range, const lochan_old_file *f,
                                       const lochan_write *w, int group, lochan_error *err) {
    bool one_value = true;
    lochan_buf__clear(&range->low);
    lochan_buf__clear(&range->high);
    for (size_t i = 0; i < w->table->n_order && one_value; i++) {
        int column = w->table->order[i].column, source = f->projection.source[column];
        lochan_expr_stats stats;
        lochan_type type;
        bool low, high;
        if (source < 0 || f->projection.cast[column] ||
            !lochan_pq_reader__column_stats(f->reader, group, source, &stats) || !stats.has_min ||
            !stats.has_max || stats.null_count != 0)
            return LOCHAN_OK;
        LOCHAN_TRY(lochan_type__parse(w->base.schema.children[column]->format, &type, err));
        size_t n_low = range->low.len, n_high = range->high.len;
        LOCHAN_TRY(add_bound(&range->low, &type, &stats, false, &low, err));
        LOCHAN_TRY(add_bound(&range->high, &type, &stats, true, &high, err));
        if (!low || !high) {
            range->low.len = n_low;
            range->high.len = n_high;
            return LOCHAN_OK;
        }
        one_value = is_one_value(&type, &stats);
    }
    return LOCHAN_OK;
}

static int compare_start(lochan_str key, const lochan_buf *start) {
    size_t n = key.n < start->len ? key.n : start->len;
    return n > 0 ? memcmp(key.p, start->data, n) : 0;
}

int lochan_group_range__compare(const lochan_group_range *range, lochan_str key) {
    if (compare_start(key, &range->low) < 0)
        return -1;
    return compare_start(key, &range->high) > 0 ? 1 : 0;
}

/* First row of the batch that is not below the range; *in: it lies in it. */
static lochan_status search(const lochan_group_range *range, const lochan_keycode *codes,
                            int64_t rows, int64_t *at, bool *in, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    int64_t low = 0, high = rows;
    lochan_buf code;
    lochan_buf__init(&code, LOCHAN_KEYCODE_MAX * 4);
    *in = false;
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        LOCHAN_TRYG(lochan_keycode__encode(codes, mid, &code, err));
        int c = lochan_group_range__compare(range, lochan_keycode__of(&code));
        if (c == 0) {
            *in = true;
            low = mid;
            break;
        }
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *at = low;
done:
    lochan_buf__deinit(&code);
    return rc;
}

lochan_status lochan_group_range__meets(const lochan_group_range *range, const lochan_segment *seg,
                                        const lochan_write *w, bool *meets, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    *meets = false;
    for (size_t i = 0; i < seg->n && !*meets; i++) {
        lochan_keycode codes = {0};
        int64_t at = 0;
        rc = lochan_keycode__init(&codes, &w->base.schema, &seg->batches[i], w->table->order,
                                  w->table->n_order, err);
        if (rc == LOCHAN_OK)
            rc = search(range, &codes, seg->batches[i].length, &at, meets, err);
        lochan_keycode__deinit(&codes);
        LOCHAN_TRY(rc);
    }
    return LOCHAN_OK;
}

lochan_status lochan_group__key(lochan_old_file *f, const lochan_write *w, int group, bool last,
                                lochan_buf *key, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_keycode codes = {0};
    struct ArrowArray batch = {0};
    bool any = false;
    LOCHAN_TRYG(lochan_old_file__rewind(f, &group, 1, err));
    for (bool more = true; more;) {
        LOCHAN_TRYG(lochan_old_file__next(f, &batch, err));
        if (!batch.release)
            break;
        if (batch.length > 0) {
            LOCHAN_TRYG(lochan_keycode__init(&codes, &w->base.schema, &batch, w->table->order,
                                             w->table->n_order, err));
            LOCHAN_TRYG(lochan_keycode__encode(&codes, last ? batch.length - 1 : 0, key, err));
            lochan_keycode__deinit(&codes);
            any = true;
        }
        more = last || !any;
        lochan_array__release(&batch);
    }
    if (!any)
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT, "row group %d of %s holds no row", group,
                               f->file->path);
done:
    lochan_keycode__deinit(&codes);
    lochan_array__release(&batch);
    return rc;
}
