/* choose.c - how a column's values are encoded, from the data, and where its pages end.
 * A dictionary is on trial until enough values have come; then a sample is encoded and
 * compressed every way there is, and the smallest stays, with a small lead for what is faster to
 * read. The choice holds for some row groups. A dictionary is left as soon as it costs more than
 * the plain values. Invariant: what is decided depends on the values and options only. May call:
 * base/, the rest of parquet/.
 */
#include "parquet/bits.h"
#include "parquet/column_writer.h"
#include "parquet/encode.h"

enum {
    SAMPLE_VALUES = 8192,
    LEAST_SAMPLE = 2048,
    FEW_VALUES = 256,
    DICTIONARY_SAMPLE = 64 << 10,
    /* shared by the columns of a file, so that a wide table takes no more memory for them, and no
       more time, than a narrow one */
    TRIAL_VALUES = 16 * 65536,
    SAMPLES_VALUES = 16 * SAMPLE_VALUES,
    DICTIONARY_BYTES = 32 << 20,
    PAGE_ROWS = 20000,
    NESTED_PAGE_ROWS = 8 * PAGE_ROWS,
    FEW_LEAVES = 32
};

static size_t share(const lochan_pq_column_writer *w, size_t all, size_t least, size_t most) {
    size_t part = all / (size_t)w->schema->n_leaves;
    return part < least ? least : part > most ? most : part;
}

/* A part of the memory limit for each column; `usual` if that is less or there is no limit. */
static size_t limited(const lochan_pq_column_writer *w, size_t usual, size_t parts, size_t least) {
    if (!w->budget || w->budget->limit == 0)
        return usual;
    size_t part = w->budget->limit / parts / (size_t)w->schema->n_leaves;
    part = part > least ? part : least;
    return part < usual ? part : usual;
}

/* Values that come before a dictionary is decided on, and the largest dictionary. Both take several
 * times their size: keys, hashes and a sparse table. */
static size_t trial_values(const lochan_pq_column_writer *w) {
    return limited(w, share(w, TRIAL_VALUES, SAMPLE_VALUES, 65536), 64, FEW_VALUES);
}

/* Values that every encoding is tried with. */
static size_t sample_values(const lochan_pq_column_writer *w) {
    size_t n = share(w, SAMPLES_VALUES, LEAST_SAMPLE, SAMPLE_VALUES);
    return w->n_values < n ? w->n_values : n;
}

/* Rows of a page. Skipping pages pays by flat columns only; nested ones, where they are few, end
 * theirs by bytes, which lets the codec see more. */
static size_t page_rows(const lochan_pq_column_writer *w) {
    bool large = w->leaf->n_parts > 1 && w->schema->n_leaves <= FEW_LEAVES;
    size_t rows = (size_t)w->options->page_rows;
    return rows ? rows : large ? NESTED_PAGE_ROWS : PAGE_ROWS;
}

static size_t max_dictionary(const lochan_pq_column_writer *w) {
    return limited(w, share(w, DICTIONARY_BYTES, 128 << 10, 2 << 20), 16, 1 << 10);
}

int32_t lochan_pq_write_options__encoding(const lochan_pq_write_options *o, const char *path) {
    for (size_t i = 0; i < o->n_encodings; i++) {
        if (strcmp(o->encodings[i].path, path) == 0)
            return o->encodings[i].encoding;
    }
    return -1;
}

/* Appends the values of n keys to `to`, byte arrays in PLAIN form. */
static lochan_status values_of_keys(const lochan_pq_column_writer *w, size_t n, lochan_pq_vec *to,
                                    lochan_error *err) {
    const uint32_t *keys = (const void *)w->keys.data;
    const uint8_t *entries = w->dictionary.values.data;
    size_t head = w->leaf->physical == LOCHAN_PQ_BYTE_ARRAY ? 4 : 0, total = 0;
    if (w->leaf->width == 4 || w->leaf->width == 8) {
        LOCHAN_TRY(lochan_pq_vec__reserve(to, n * (size_t)w->leaf->width, err));
        uint8_t *at = to->data + to->len;
        for (size_t i = 0; w->leaf->width == 4 && i < n; i++)
            memcpy(at + 4 * i, entries + 4 * (size_t)keys[i], 4);
        for (size_t i = 0; w->leaf->width == 8 && i < n; i++)
            memcpy(at + 8 * i, entries + 8 * (size_t)keys[i], 8);
        to->len += n * (size_t)w->leaf->width;
        return LOCHAN_OK;
    }
    for (size_t i = 0; i < n; i++)
        total += lochan_pq_dict_builder__entry(&w->dictionary, keys[i]).n + head;
    LOCHAN_TRY(lochan_pq_vec__reserve(to, total, err));
    uint8_t *dst = to->data + to->len;
    for (size_t i = 0; i < n; i++) {
        lochan_pq_slice e = lochan_pq_dict_builder__entry(&w->dictionary, keys[i]);
        memcpy(dst, e.p - head, e.n + head);
        dst += e.n + head;
    }
    to->len += total;
    return LOCHAN_OK;
}

/* Goes on without a dictionary: keys become values again. Pages already written keep theirs. */
static lochan_status drop_dictionary(lochan_pq_column_writer *w, lochan_error *err) {
    w->use_dictionary = false;
    w->values.len = 0;
    LOCHAN_TRY(values_of_keys(w, w->keys.len / sizeof(uint32_t), &w->values, err));
    lochan_pq_vec__free(&w->keys);
    if (w->key_pages == 0) { /* nothing refers to it any more */
        lochan_pq_dict_builder__deinit(&w->dictionary);
        lochan_pq_dict_builder__init(&w->dictionary, w->leaf->width);
    }
    return LOCHAN_OK;
}

/* ---- trials ---- */

static lochan_status size_at_level(lochan_pq_column_writer *w, int level, size_t *size,
                                   lochan_error *err) {
    lochan_buf__clear(&w->packed);
    LOCHAN_TRY(lochan_pq_codec__compress(w->codecs, w->options->codec, level, w->raw.data,
                                         w->raw.len, &w->packed, err));
    *size = w->packed.len;
    return LOCHAN_OK;
}

static lochan_status compressed_size(lochan_pq_column_writer *w, size_t *size, lochan_error *err) {
    return size_at_level(w, w->options->level, size, err);
}

/* Bytes of the first n values of PLAIN form at p. */
static size_t plain_bytes(const lochan_pq_leaf *leaf, const uint8_t *p, size_t n) {
    size_t at = 0;
    if (leaf->physical == LOCHAN_PQ_BOOLEAN)
        return n;
    if (leaf->physical != LOCHAN_PQ_BYTE_ARRAY)
        return n * (size_t)leaf->width;
    for (size_t i = 0; i < n; i++) {
        uint32_t len;
        memcpy(&len, p + at, 4);
        at += 4 + (size_t)len;
    }
    return at;
}

/* The best encoding of n values; PLAIN has a lead of a twentieth, of a tenth for text. */
static lochan_status try_encodings(lochan_pq_column_writer *w, const uint8_t *values, size_t n,
                                   int32_t *best, size_t *best_size, lochan_error *err) {
    int32_t candidates[4];
    int count = lochan_pq_encode__candidates(w->leaf, candidates);
    size_t bytes = plain_bytes(w->leaf, values, n), size;
    *best = LOCHAN_PQ_PLAIN;
    for (int i = 0; i < count; i++) {
        lochan_buf__clear(&w->raw);
        LOCHAN_TRY(lochan_pq_encode(candidates[i], w->leaf, values, bytes, n, &w->raw, err));
        LOCHAN_TRY(compressed_size(w, &size, err));
        size_t lead = i == 0                                      ? 0
                      : w->leaf->physical == LOCHAN_PQ_BYTE_ARRAY ? size / 10
                                                                  : size / 20;
        if (i == 0 || size + lead < *best_size) {
            *best = candidates[i];
            *best_size = size + lead;
        }
    }
    return LOCHAN_OK;
}

/* What n values would take with the dictionary: keys as they are, entries by a sample of them. */
static lochan_status try_dictionary(lochan_pq_column_writer *w, size_t n, size_t *keys_size,
                                    size_t *entries_size, lochan_error *err) {
    const lochan_buf *entries = &w->dictionary.values;
    unsigned width = w->dictionary.n > 1 ? lochan_bits__width(w->dictionary.n - 1) : 0;
    lochan_buf__clear(&w->raw);
    LOCHAN_TRY(lochan_rle__write32(&w->raw, (const void *)w->keys.data, n, width, err));
    LOCHAN_TRY(compressed_size(w, keys_size, err));
    size_t part = entries->len < DICTIONARY_SAMPLE ? entries->len : DICTIONARY_SAMPLE;
    lochan_buf__clear(&w->raw);
    LOCHAN_TRY(lochan_buf__append(&w->raw, entries->data, part, err));
    LOCHAN_TRY(compressed_size(w, entries_size, err));
    *entries_size =
        part ? (size_t)((double)*entries_size * (double)entries->len / (double)part) : 0;
    return LOCHAN_OK;
}

/* Whether entries and keys take clearly less than the plain values: for columns too short for a
 * trial. */
static bool dictionary_pays(const lochan_pq_column_writer *w) {
    size_t width = w->dictionary.n > 1 ? lochan_bits__width(w->dictionary.n - 1) : 0;
    return w->n_values > 0 &&
           w->dictionary.values.len + w->n_values * width / 8 <= w->plain_size - w->plain_size / 4;
}

/* Whether plain numbers of eight bytes repeat in a way for which zstd's default, which makes
 * `usual` bytes of them, is not made. */
static lochan_status choose_level(lochan_pq_column_writer *w, const uint8_t *values, size_t n,
                                  size_t usual, lochan_error *err) {
    const lochan_pq_write_options *o = w->options;
    size_t numbers;
    w->level = o->level;
    if (o->codec != LOCHAN_PQ_ZSTD || o->level != 0 || w->leaf->width != 8 ||
        w->encoding != LOCHAN_PQ_PLAIN)
        return LOCHAN_OK;
    lochan_buf__clear(&w->raw);
    LOCHAN_TRY(lochan_buf__append(&w->raw, values, n * 8, err));
    LOCHAN_TRY(size_at_level(w, LOCHAN_PQ_LEVEL_NUMBERS, &numbers, err));
    if (numbers < usual - usual / 32)
        w->level = LOCHAN_PQ_LEVEL_NUMBERS;
    return LOCHAN_OK;
}

/* A short chunk of one number or text needs no trial: its dictionary is tiny, and zstd makes the
 * differences of numbers so small that the page of a dictionary can be saved. */
static bool is_constant(const lochan_pq_column_writer *w) {
    int32_t p = w->leaf->physical;
    return w->use_dictionary && w->dictionary.n == 1 && w->n_values <= SAMPLE_VALUES &&
           (p == LOCHAN_PQ_INT32 || p == LOCHAN_PQ_INT64 || p == LOCHAN_PQ_BYTE_ARRAY);
}

static lochan_status decide_constant(lochan_pq_column_writer *w, lochan_error *err) {
    w->decided = false; /* the next row group may hold others */
    if (w->leaf->physical == LOCHAN_PQ_BYTE_ARRAY || w->options->codec != LOCHAN_PQ_ZSTD)
        return LOCHAN_OK;
    w->encoding = LOCHAN_PQ_DELTA_BINARY_PACKED;
    return drop_dictionary(w, err);
}

static lochan_status decide(lochan_pq_column_writer *w, bool full, lochan_error *err) {
    size_t n = sample_values(w), plain = 0, keys, entries;
    bool keep = w->use_dictionary && !full;
    w->decided = true;
    w->encoding = LOCHAN_PQ_PLAIN;
    w->level = w->options->level;
    if (w->n_values < FEW_VALUES) {
        w->decided = false; /* the next row group may be larger */
        return w->use_dictionary && !dictionary_pays(w) ? drop_dictionary(w, err) : LOCHAN_OK;
    }
    if (!full && is_constant(w))
        return decide_constant(w, err);
    keep =
        keep && w->dictionary.n < w->n_values; /* else entries are the values, keys come on top */
    w->sample.len = 0;
    if (w->use_dictionary)
        LOCHAN_TRY(values_of_keys(w, n, &w->sample, err));
    const uint8_t *sample = w->use_dictionary ? w->sample.data : w->values.data;
    LOCHAN_TRY(try_encodings(w, sample, n, &w->encoding, &plain, err));
    if (keep) {
        LOCHAN_TRY(try_dictionary(w, n, &keys, &entries, err));
        double scale = (double)w->n_values / (double)n,
               lead = w->leaf->physical == LOCHAN_PQ_BYTE_ARRAY ? 1.1 : 1.02;
        keep = (double)entries + (double)keys * scale <= (double)plain * scale * lead;
    }
    if (!keep)
        LOCHAN_TRY(choose_level(w, sample, n, plain, err));
    return w->use_dictionary && !keep ? drop_dictionary(w, err) : LOCHAN_OK;
}

/* Whether the entries and keys since the last look took more than their plain values would have. */
static bool stopped_paying(lochan_pq_column_writer *w) {
    size_t plain = w->plain_size - w->checked_plain, width = lochan_bits__width(w->dictionary.n);
    size_t entries = w->dictionary.values.len - w->checked_dictionary;
    if (plain < (size_t)w->options->page_bytes / 4)
        return false;
    size_t values =
        w->leaf->width ? plain / (size_t)w->leaf->width : w->keys.len / sizeof(uint32_t);
    w->checked_plain = w->plain_size;
    w->checked_dictionary = w->dictionary.values.len;
    return entries + values * width / 8 > plain;
}

/* ---- pages ---- */

/* Passes over blocks of entries of a repeated column that do not fill a page. Returns how many
 * entries; *done and *used: rows and values in them. */
static size_t skip_blocks(const lochan_pq_column_writer *w, size_t rows, size_t values,
                          size_t *done, size_t *used) {
    enum { PART = 256 };
    size_t i = 0;
    for (; i + PART <= w->n_entries; i += PART) {
        size_t r = lochan_bits__count_bytes(w->reps.data + i, PART, 0), v = PART;
        if (w->leaf->max_def > 0)
            v = lochan_bits__count_bytes(w->defs.data + i, PART, w->leaf->max_def);
        if (*done + r >= rows || *used + v >= values)
            break;
        *done += r, *used += v;
    }
    return i;
}

/* Entries of the next page: whole rows, at most page_rows and about page_bytes; 0 if there is no
 * full page yet. */
static size_t cut(const lochan_pq_column_writer *w, bool last) {
    size_t rows = page_rows(w), bytes = (size_t)w->options->page_bytes;
    const lochan_pq_leaf *leaf = w->leaf;
    size_t width = w->use_dictionary                     ? 4
                   : leaf->physical == LOCHAN_PQ_BOOLEAN ? 1
                                                         : (size_t)leaf->width;
    bool sized = !w->use_dictionary && leaf->physical == LOCHAN_PQ_BYTE_ARRAY;
    if (!sized && leaf->max_rep == 0) {
        size_t limit = bytes / (width ? width : 1);
        limit = limit < rows ? limit : rows;
        limit = limit ? limit : 1;
        return w->n_entries >= limit ? limit : last ? w->n_entries : 0;
    }
    if (w->n_rows <= rows && (sized ? w->values.len : w->n_values * width) < bytes)
        return last ? w->n_entries : 0;
    size_t at = 0, used = 0, done = 0;
    size_t i = sized ? 0 : skip_blocks(w, rows, bytes / (width ? width : 1), &done, &used);
    for (used *= width; i < w->n_entries; i++) {
        if (leaf->max_rep == 0 || w->reps.data[i] == 0) {
            if (i > 0 && (done >= rows || used >= bytes))
                return i;
            done++;
        }
        if (leaf->max_def > 0 && w->defs.data[i] < leaf->max_def)
            continue;
        size_t size = sized ? plain_bytes(leaf, w->values.data + at, 1) : width;
        at += size;
        used += size;
    }
    return last ? w->n_entries : 0;
}

lochan_status lochan_pq_column_writer__flush(lochan_pq_column_writer *w, bool last,
                                             lochan_error *err) {
    size_t rows = (size_t)w->total_entries + w->n_entries;
    bool full = w->use_dictionary && w->dictionary.values.len > max_dictionary(w);
    if (!last && w->leaf->max_rep == 0 && rows % LOCHAN_PQ_WRITE_BLOCK != 0)
        return LOCHAN_OK; /* decide and cut at the same rows however they come */
    if (!w->decided) {
        size_t wanted = trial_values(w);
        if (!w->use_dictionary && wanted > SAMPLE_VALUES)
            wanted = SAMPLE_VALUES;
        if (!last && !full && w->n_values < wanted && w->n_rows < trial_values(w))
            return LOCHAN_OK;
        LOCHAN_TRY(decide(w, full, err));
    }
    if (full || (w->use_dictionary && w->forced < 0 && stopped_paying(w))) {
        if (w->use_dictionary)
            LOCHAN_TRY(drop_dictionary(w, err));
    }
    for (size_t n; (n = cut(w, last)) > 0;)
        LOCHAN_TRY(lochan_pq_column_writer__data_page(w, n, err));
    return LOCHAN_OK;
}
