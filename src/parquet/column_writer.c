/* column_writer.c - see column_writer.h.
 * Values are gathered in physical form or as dictionary keys; choose.c decides how they are encoded
 * and where pages end, page_writer.c writes them. May call: base/, arrow/, the rest of parquet/.
 */
#include "parquet/column_writer.h"
#include "arrow/view.h"
#include "parquet/bits.h"
#include "parquet/convert.h"

#define BIT LOCHAN_THRIFT_BIT

enum { BLOCK = LOCHAN_PQ_WRITE_BLOCK, KEEP_CHOICE = 7 };

/* Columns of wide tables do not keep their scratch memory; how far the budget may lag behind. */
enum { WIDE_COLUMNS = 32, ACCOUNT_SLACK = 1 << 20 };

lochan_status lochan_pq_column_writer__init(lochan_pq_column_writer *w,
                                            const lochan_pq_schema *schema,
                                            const lochan_pq_leaf *leaf,
                                            const lochan_pq_write_options *options,
                                            lochan_pq_codec_cache *codecs, lochan_budget *budget,
                                            lochan_error *err) {
    (void)err;
    *w = (lochan_pq_column_writer){
        .schema = schema, .leaf = leaf, .options = options, .codecs = codecs, .budget = budget};
    lochan_buf__init(&w->raw, SIZE_MAX / 4);
    lochan_buf__init(&w->levels, SIZE_MAX / 4);
    lochan_pq_page_index__init(&w->index);
    lochan_buf__init(&w->packed, SIZE_MAX / 4);
    lochan_buf__init(&w->dictionary_page, SIZE_MAX / 4);
    lochan_buf__init(&w->pages, SIZE_MAX / 4);
    lochan_buf__init(&w->bloom, SIZE_MAX / 4);
    for (size_t i = 0; i < options->n_bloom_filters; i++)
        w->has_bloom = w->has_bloom || strcmp(options->bloom_filters[i], leaf->path) == 0;
    lochan_pq_stats__init(&w->page_stats, leaf);
    lochan_pq_stats__init(&w->stats, leaf);
    lochan_pq_dict_builder__init(&w->dictionary, leaf->width);
    lochan_pq_column_writer__clear(w);
    return LOCHAN_OK;
}

void lochan_pq_column_writer__deinit(lochan_pq_column_writer *w) {
    lochan_budget__give(w->budget, w->budgeted);
    lochan_pq_shred__free(&w->shred);
    lochan_pq_vec__free(&w->defs);
    lochan_pq_vec__free(&w->reps);
    lochan_pq_vec__free(&w->values);
    lochan_pq_vec__free(&w->keys);
    lochan_pq_vec__free(&w->seen);
    lochan_pq_vec__free(&w->sample);
    lochan_pq_page_index__deinit(&w->index);
    lochan_buf__deinit(&w->levels);
    lochan_pq_dict_builder__deinit(&w->dictionary);
    lochan_buf__deinit(&w->raw);
    lochan_buf__deinit(&w->packed);
    lochan_buf__deinit(&w->dictionary_page);
    lochan_buf__deinit(&w->pages);
    lochan_pq_vec__free(&w->hashes);
    lochan_buf__deinit(&w->bloom);
    lochan_pq_stats__deinit(&w->page_stats);
    lochan_pq_stats__deinit(&w->stats);
    lochan_pq_scratch__free(&w->block);
}

/* How the next row group begins: as the last one ended, or with a dictionary on trial. */
static void begin_choice(lochan_pq_column_writer *w) {
    const lochan_pq_leaf *leaf = w->leaf;
    bool may = leaf->physical != LOCHAN_PQ_BOOLEAN && leaf->convert != LOCHAN_PQ_CONVERT_NULL;
    bool has = w->decided && w->groups_since_choice++ < KEEP_CHOICE;
    w->forced = lochan_pq_write_options__encoding(w->options, leaf->path);
    if (has && w->forced < 0)
        return;
    w->groups_since_choice = 0;
    w->use_dictionary = may && !w->options->no_dictionary;
    w->encoding = LOCHAN_PQ_PLAIN;
    w->level = w->options->level;
    w->decided = leaf->convert == LOCHAN_PQ_CONVERT_NULL || w->forced >= 0;
    if (w->forced >= 0 && w->forced != LOCHAN_PQ_RLE_DICTIONARY) {
        w->use_dictionary = false;
        w->encoding = w->forced;
    }
}

void lochan_pq_column_writer__clear(lochan_pq_column_writer *w) {
    w->n_entries = w->n_rows = w->n_values = 0;
    w->defs.len = w->reps.len = w->values.len = w->keys.len = 0;
    begin_choice(w);
    w->plain_size = 0;
    w->key_pages = 0;
    w->n_used = 0;
    w->checked_plain = w->checked_dictionary = 0;
    lochan_pq_page_index__clear(&w->index);
    w->total_entries = w->total_rows = w->uncompressed_size = w->text_bytes = 0;
    memset(w->def_histogram, 0, sizeof w->def_histogram);
    memset(w->rep_histogram, 0, sizeof w->rep_histogram);
    lochan_pq_dict_builder__clear(&w->dictionary);
    lochan_buf__clear(&w->dictionary_page);
    lochan_buf__clear(&w->pages);
    lochan_pq_stats__clear(&w->stats);
    lochan_pq_vec__free(&w->hashes);
}

size_t lochan_pq_column_writer__bytes(const lochan_pq_column_writer *w) {
    return w->pages.len + w->values.len + w->keys.len + w->dictionary.values.len;
}

/* ---- gathering values ---- */

static lochan_status append_bytes(lochan_pq_vec *v, const void *p, size_t n, lochan_error *err) {
    if (n == 0)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_pq_vec__reserve(v, n, err));
    memcpy(v->data + v->len, p, n);
    v->len += n;
    return LOCHAN_OK;
}

static int64_t position(const lochan_pq_shred *s, size_t i) {
    return s->positions ? s->positions[i] : s->first + (int64_t)i;
}

static lochan_status add_slices(lochan_pq_column_writer *w, const lochan_pq_slice *slices, size_t n,
                                lochan_error *err) {
    size_t total = 4 * n;
    for (size_t i = 0; i < n; i++)
        total += slices[i].n;
    if (w->use_dictionary) {
        LOCHAN_TRY(lochan_pq_vec__reserve(&w->keys, n * sizeof(uint32_t), err));
        uint32_t *keys = (void *)(w->keys.data + w->keys.len);
        LOCHAN_TRY(lochan_pq_dict_builder__add_slices(&w->dictionary, slices, n, keys, err));
        w->keys.len += n * sizeof(uint32_t);
        w->plain_size += total;
        return LOCHAN_OK;
    }
    LOCHAN_TRY(lochan_pq_vec__reserve(&w->values, total, err));
    uint8_t *dst = w->values.data + w->values.len;
    for (size_t i = 0; i < n; i++) {
        memcpy(dst, &slices[i].n, 4);
        memcpy(dst + 4, slices[i].p, slices[i].n);
        dst += 4 + (size_t)slices[i].n;
    }
    w->values.len += total;
    return LOCHAN_OK;
}

static lochan_status add_fixed(lochan_pq_column_writer *w, const uint8_t *values, size_t n,
                               lochan_error *err) {
    size_t width = w->leaf->physical == LOCHAN_PQ_BOOLEAN ? 1 : (size_t)w->leaf->width;
    if (!w->use_dictionary)
        return append_bytes(&w->values, values, n * width, err);
    LOCHAN_TRY(lochan_pq_vec__reserve(&w->keys, n * sizeof(uint32_t), err));
    uint32_t *keys = (void *)(w->keys.data + w->keys.len);
    LOCHAN_TRY(lochan_pq_dict_builder__add_fixed(&w->dictionary, values, n, keys, err));
    w->keys.len += n * sizeof(uint32_t);
    w->plain_size += n * width;
    return LOCHAN_OK;
}

/* Texts behind 32-bit offsets, the usual layout. */
static void slices_at(const lochan_view *view, const lochan_pq_shred *s, size_t from, size_t n,
                      lochan_pq_slice *out) {
    for (size_t i = 0; i < n; i++) {
        const int32_t *o = (const int32_t *)view->offsets + view->offset + position(s, from + i);
        out[i] = (lochan_pq_slice){view->bytes + o[0], (uint32_t)(o[1] - o[0])};
    }
}

static lochan_status add_texts(lochan_pq_column_writer *w, const lochan_view *view, size_t from,
                               size_t n, lochan_error *err) {
    lochan_pq_slice slices[BLOCK];
    bool plain = !view->dictionary && view->bytes &&
                 (view->type.id == LOCHAN_TYPE_STRING || view->type.id == LOCHAN_TYPE_BINARY);
    for (size_t at = 0; at < n; at += BLOCK) {
        size_t m = n - at < BLOCK ? n - at : BLOCK;
        if (plain) {
            slices_at(view, &w->shred, from + at, m, slices);
            LOCHAN_TRY(add_slices(w, slices, m, err));
            continue;
        }
        for (size_t i = 0; i < m; i++) {
            lochan_str s = lochan_view__bytes(view, position(&w->shred, from + at + i));
            if (s.n > INT32_MAX)
                return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                         "a value of column '%s' passes 2 GiB", w->leaf->path);
            slices[i] = (lochan_pq_slice){(const uint8_t *)s.p, (uint32_t)s.n};
        }
        LOCHAN_TRY(add_slices(w, slices, m, err));
    }
    return LOCHAN_OK;
}

/* Values of `width` bytes at the shred's positions, side by side. */
static void collect(const lochan_pq_shred *s, const lochan_view *view, size_t from, size_t n,
                    size_t width, uint8_t *dst) {
    const uint8_t *base = (const uint8_t *)view->data + (size_t)view->offset * width;
    if (!s->positions) {
        memcpy(dst, base + (size_t)(s->first + (int64_t)from) * width, n * width);
        return;
    }
    const int64_t *at = s->positions + from;
    if (width == 8) { /* constant sizes make the copies loads and stores */
        for (size_t i = 0; i < n; i++)
            memcpy(dst + i * 8, base + (size_t)at[i] * 8, 8);
    } else if (width == 4) {
        for (size_t i = 0; i < n; i++)
            memcpy(dst + i * 4, base + (size_t)at[i] * 4, 4);
    } else {
        for (size_t i = 0; i < n; i++)
            memcpy(dst + i * width, base + (size_t)at[i] * width, width);
    }
}

static void collect_bools(const lochan_pq_shred *s, const lochan_view *view, size_t from, size_t n,
                          uint8_t *dst) {
    for (size_t i = 0; i < n; i++)
        dst[i] = lochan_bit__get(view->data, view->offset + position(s, from + i));
}

static int64_t key_at(const lochan_view *view, int64_t i) {
    i += view->offset;
    switch (view->index_id) {
    case LOCHAN_TYPE_INT8:
        return ((const int8_t *)view->indices)[i];
    case LOCHAN_TYPE_UINT8:
        return ((const uint8_t *)view->indices)[i];
    case LOCHAN_TYPE_INT16:
        return ((const int16_t *)view->indices)[i];
    case LOCHAN_TYPE_UINT16:
        return ((const uint16_t *)view->indices)[i];
    case LOCHAN_TYPE_INT32:
        return ((const int32_t *)view->indices)[i];
    case LOCHAN_TYPE_UINT32:
        return ((const uint32_t *)view->indices)[i];
    default:
        return ((const int64_t *)view->indices)[i];
    }
}

/* A dictionary array of fixed-width values: look each key up. */
static void collect_keyed(const lochan_pq_shred *s, const lochan_view *view, size_t from, size_t n,
                          size_t width, uint8_t *dst) {
    const lochan_view *values = view->dictionary;
    for (size_t i = 0; i < n; i++) {
        int64_t at = values->offset + key_at(view, position(s, from + i));
        if (values->type.id == LOCHAN_TYPE_BOOL)
            dst[i] = lochan_bit__get(values->data, at);
        else
            memcpy(dst + i * width, (const uint8_t *)values->data + (size_t)at * width, width);
    }
}

static lochan_status bad_value(lochan_pq_column_writer *w, lochan_error *err) {
    char name[80];
    lochan_type__name(&w->leaf->type, name);
    lochan_status rc = lochan_error__set(err, LOCHAN_ERR_VALUE,
                                         "column '%s' of type %s holds a value that Parquet "
                                         "cannot hold",
                                         w->leaf->path, name);
    return lochan_error__in_table(err, rc, "", w->leaf->path, -1);
}

static lochan_status add_numbers(lochan_pq_column_writer *w, const lochan_view *view, size_t from,
                                 size_t n, lochan_error *err) {
    const lochan_pq_leaf *leaf = w->leaf;
    bool is_bool = leaf->physical == LOCHAN_PQ_BOOLEAN;
    size_t in = is_bool ? 1 : (size_t)leaf->out_width, out = is_bool ? 1 : (size_t)leaf->width, bad;
    bool same = leaf->convert == LOCHAN_PQ_CONVERT_SAME;
    if (same && !w->shred.positions && !view->dictionary)
        return add_fixed(w,
                         (const uint8_t *)view->data +
                             (size_t)(view->offset + w->shred.first + (int64_t)from) * in,
                         n, err);
    if (same && !w->use_dictionary && !view->dictionary && !is_bool) {
        LOCHAN_TRY(lochan_pq_vec__reserve(&w->values, n * in, err));
        collect(&w->shred, view, from, n, in, w->values.data + w->values.len);
        w->values.len += n * in;
        return LOCHAN_OK;
    }
    LOCHAN_TRY(lochan_pq_scratch__reserve(&w->block, BLOCK * (in + out), err));
    uint8_t *arrow = w->block.data, *physical = arrow + BLOCK * in;
    for (size_t at = 0; at < n; at += BLOCK) {
        size_t m = n - at < BLOCK ? n - at : BLOCK;
        if (view->dictionary)
            collect_keyed(&w->shred, view, from + at, m, in, arrow);
        else if (is_bool)
            collect_bools(&w->shred, view, from + at, m, arrow);
        else
            collect(&w->shred, view, from + at, m, in, arrow);
        if (!same && !is_bool && !lochan_pq_convert__write(leaf, arrow, m, physical, &bad))
            return bad_value(w, err);
        LOCHAN_TRY(add_fixed(w, same || is_bool ? arrow : physical, m, err));
    }
    return LOCHAN_OK;
}

static size_t memory(const lochan_pq_column_writer *w) {
    return w->defs.cap + w->reps.cap + w->values.cap + w->keys.cap + w->sample.cap + w->block.cap +
           w->seen.cap + w->levels.cap + w->raw.cap + w->packed.cap + w->pages.cap +
           w->dictionary_page.cap + lochan_pq_dict_builder__memory(&w->dictionary) + w->hashes.cap +
           w->bloom.cap;
}

static lochan_status account(lochan_pq_column_writer *w, lochan_error *err) {
    size_t now = memory(w), slack = ACCOUNT_SLACK / (size_t)w->schema->n_leaves;
    if (now > w->budgeted + slack)
        LOCHAN_TRY(
            lochan_budget__take(w->budget, now - w->budgeted, "writing a Parquet row group", err));
    else if (now + slack < w->budgeted)
        lochan_budget__give(w->budget, w->budgeted - now);
    else
        return LOCHAN_OK;
    w->budgeted = now;
    return LOCHAN_OK;
}

/* Gives up what only one page needs. */
static lochan_status settle(lochan_pq_column_writer *w, lochan_error *err) {
    if (w->schema->n_leaves > WIDE_COLUMNS) {
        lochan_buf__deinit(&w->levels);
        lochan_buf__deinit(&w->raw);
        lochan_buf__deinit(&w->packed);
        lochan_pq_vec__free(&w->sample);
        lochan_pq_vec__free(&w->seen);
        lochan_pq_scratch__free(&w->block);
        lochan_pq_shred__free(&w->shred);
        if (w->n_values == 0)
            lochan_pq_vec__free(&w->values);
    }
    return account(w, err);
}

/* Entries of the next piece: whole rows, and of flat columns those up to the next multiple of BLOCK
 * rows of the chunk. */
static size_t piece(const lochan_pq_column_writer *w, size_t at) {
    const lochan_pq_shred *s = &w->shred;
    size_t left = s->n_entries - at, n = 1;
    if (w->leaf->max_rep == 0) {
        size_t done = (size_t)w->total_entries + w->n_entries, room = BLOCK - done % BLOCK;
        return left < room ? left : room;
    }
    while (n < left && (n < BLOCK || s->reps[at + n] != 0))
        n++;
    return n;
}

/* Adds the shredded entries in pieces, so that pages are cut at the same places however rows
 * arrive. */
static lochan_status add_entries(lochan_pq_column_writer *w, const lochan_view *view,
                                 lochan_error *err) {
    const lochan_pq_shred *s = &w->shred;
    const lochan_pq_leaf *leaf = w->leaf;
    size_t value = 0;
    for (size_t at = 0; at < s->n_entries;) {
        size_t n = piece(w, at), values = n, rows = n;
        if (s->defs)
            values = lochan_bits__count_bytes(s->defs + at, n, leaf->max_def);
        if (leaf->max_rep > 0)
            rows = lochan_bits__count_bytes(s->reps + at, n, 0);
        if (leaf->max_def > 0) {
            LOCHAN_TRY(lochan_pq_vec__reserve(&w->defs, n, err));
            if (s->defs)
                memcpy(w->defs.data + w->defs.len, s->defs + at, n);
            else
                memset(w->defs.data + w->defs.len, leaf->max_def, n);
            w->defs.len += n;
        }
        if (leaf->max_rep > 0)
            LOCHAN_TRY(append_bytes(&w->reps, s->reps + at, n, err));
        if (values > 0 && leaf->convert == LOCHAN_PQ_CONVERT_BYTES)
            LOCHAN_TRY(add_texts(w, view, value, values, err));
        else if (values > 0)
            LOCHAN_TRY(add_numbers(w, view, value, values, err));
        w->n_entries += n;
        w->n_rows += rows;
        w->n_values += values;
        value += values;
        at += n;
        LOCHAN_TRY(lochan_pq_column_writer__flush(w, false, err));
        LOCHAN_TRY(account(w, err));
    }
    return LOCHAN_OK;
}

lochan_status lochan_pq_column_writer__append(lochan_pq_column_writer *w,
                                              const struct ArrowArray *column, int64_t first,
                                              int64_t n, int64_t row0, lochan_error *err) {
    LOCHAN_TRY(lochan_pq_shred__rows(&w->shred, w->schema, w->leaf, column, first, n, row0, err));
    lochan_view view;
    LOCHAN_TRY(lochan_view__init(&view, w->shred.schema, w->shred.array, err));
    lochan_status rc = add_entries(w, &view, err);
    lochan_view__deinit(&view);
    return rc == LOCHAN_OK ? settle(w, err) : rc;
}

lochan_status lochan_pq_column_writer__append_nulls(lochan_pq_column_writer *w, int64_t n,
                                                    lochan_error *err) {
    while (n > 0) {
        size_t m = n < BLOCK ? (size_t)n : BLOCK;
        LOCHAN_TRY(lochan_pq_vec__reserve(&w->defs, m, err));
        memset(w->defs.data + w->defs.len, 0, m);
        w->defs.len += m;
        if (w->leaf->max_rep > 0) {
            LOCHAN_TRY(lochan_pq_vec__reserve(&w->reps, m, err));
            memset(w->reps.data + w->reps.len, 0, m);
            w->reps.len += m;
        }
        w->n_entries += m;
        w->n_rows += m;
        n -= (int64_t)m;
        LOCHAN_TRY(lochan_pq_column_writer__flush(w, false, err));
    }
    return LOCHAN_OK;
}

static lochan_status make_bloom(lochan_pq_column_writer *w, lochan_error *err) {
    uint32_t n = w->key_pages > 0 ? w->dictionary.n : 0;
    for (uint32_t i = 0; i < n; i++)
        LOCHAN_TRY(lochan_pq_bloom__hash_slice(lochan_pq_dict_builder__entry(&w->dictionary, i),
                                               &w->hashes, err));
    lochan_buf__clear(&w->bloom);
    LOCHAN_TRY(lochan_pq_bloom__write(&w->hashes, &w->bloom, err));
    lochan_pq_vec__free(&w->hashes);
    return LOCHAN_OK;
}

lochan_status lochan_pq_column_writer__finish(lochan_pq_column_writer *w, lochan_error *err) {
    LOCHAN_TRY(lochan_pq_column_writer__flush(w, true, err));
    if (w->key_pages > 0)
        LOCHAN_TRY(lochan_pq_column_writer__dictionary_page(w, err));
    if (w->has_bloom)
        LOCHAN_TRY(make_bloom(w, err));
    return settle(w, err);
}

static void add_encoding(int32_t *encodings, uint32_t *n, int32_t encoding) {
    for (uint32_t i = 0; i < *n; i++) {
        if (encodings[i] == encoding)
            return;
    }
    encodings[(*n)++] = encoding;
}

static lochan_status describe_encodings(const lochan_pq_column_writer *w, lochan_arena *arena,
                                        lochan_pq_column_meta *meta, lochan_error *err) {
    int32_t *encodings = lochan_arena__array(arena, LOCHAN_PQ_MAX_USED + 3, sizeof *encodings);
    lochan_pq_encoding_stats *stats =
        lochan_arena__array(arena, LOCHAN_PQ_MAX_USED + 2, sizeof *stats);
    if (!encodings || !stats)
        return lochan_error__nomem(err);
    uint32_t n = 0, k = 0;
    const uint32_t all = BIT(1) | BIT(2) | BIT(3);
    const int32_t page = w->options->page_v2 ? LOCHAN_PQ_DATA_PAGE_V2 : LOCHAN_PQ_DATA_PAGE;
    if (w->key_pages > 0) {
        add_encoding(encodings, &n, LOCHAN_PQ_PLAIN); /* of the dictionary */
        add_encoding(encodings, &n, LOCHAN_PQ_RLE_DICTIONARY);
        stats[k++] = (lochan_pq_encoding_stats){all, LOCHAN_PQ_DICTIONARY_PAGE, LOCHAN_PQ_PLAIN, 1};
        stats[k++] = (lochan_pq_encoding_stats){all, page, LOCHAN_PQ_RLE_DICTIONARY, w->key_pages};
    }
    if (w->leaf->max_def > 0 || w->leaf->max_rep > 0)
        add_encoding(encodings, &n, LOCHAN_PQ_RLE);
    for (int i = 0; i < w->n_used; i++) {
        add_encoding(encodings, &n, w->used[i].encoding);
        stats[k++] = (lochan_pq_encoding_stats){all, page, w->used[i].encoding, w->used[i].pages};
    }
    meta->encodings = (lochan_thrift_list){encodings, n};
    meta->encoding_stats = (lochan_thrift_list){stats, k};
    return LOCHAN_OK;
}

static bool dup_histogram(const int64_t *from, unsigned max, lochan_arena *arena,
                          lochan_thrift_list *out) {
    int64_t *copy = lochan_arena__array(arena, max + 1u, sizeof *copy);
    if (copy)
        memcpy(copy, from, (max + 1u) * sizeof *copy);
    *out = (lochan_thrift_list){copy, max + 1u};
    return copy != NULL;
}

static lochan_status describe_sizes(const lochan_pq_column_writer *w, lochan_arena *arena,
                                    lochan_pq_column_meta *meta, lochan_error *err) {
    lochan_pq_size_statistics *s = &meta->sizes;
    meta->set |= BIT(16);
    if (w->leaf->physical == LOCHAN_PQ_BYTE_ARRAY) {
        s->set |= BIT(1);
        s->unencoded_bytes = w->text_bytes;
    }
    if (w->leaf->max_rep > 0) {
        s->set |= BIT(2);
        if (!dup_histogram(w->rep_histogram, w->leaf->max_rep, arena, &s->rep_histogram))
            return lochan_error__nomem(err);
    }
    if (w->leaf->max_def > 0) {
        s->set |= BIT(3);
        if (!dup_histogram(w->def_histogram, w->leaf->max_def, arena, &s->def_histogram))
            return lochan_error__nomem(err);
    }
    return LOCHAN_OK;
}

lochan_status lochan_pq_column_writer__describe(const lochan_pq_column_writer *w, int64_t offset,
                                                lochan_arena *arena, lochan_pq_column_chunk *out,
                                                lochan_error *err) {
    lochan_pq_column_meta *meta = &out->meta;
    memset(out, 0, sizeof *out);
    out->set = BIT(2) | BIT(3);
    meta->set = BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(9) | BIT(13);
    meta->type = w->leaf->physical;
    meta->path = (lochan_thrift_list){(void *)(uintptr_t)w->leaf->parts, w->leaf->n_parts};
    meta->codec = w->options->codec;
    meta->num_values = w->total_entries;
    meta->uncompressed_size = w->uncompressed_size;
    meta->compressed_size = (int64_t)(w->dictionary_page.len + w->pages.len);
    meta->data_page_offset = offset + (int64_t)w->dictionary_page.len;
    if (w->dictionary_page.len > 0) {
        meta->set |= BIT(11);
        meta->dictionary_page_offset = offset;
    }
    LOCHAN_TRY(describe_encodings(w, arena, meta, err));
    if (w->options->no_statistics)
        return LOCHAN_OK;
    LOCHAN_TRY(describe_sizes(w, arena, meta, err));
    meta->set |= BIT(12);
    return lochan_pq_stats__finish(&w->stats, w->options->max_statistics_bytes, arena,
                                   &meta->statistics, err);
}
