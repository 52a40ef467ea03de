/* api_lists.c - what the footer says, as tables: row groups, leaf columns, column chunks.
 * Invariant: figures come from the footer as they are, bounds only where they can be trusted. May
 * call: base/, arrow/, reader_own.h.
 */
#include "arrow/listing.h"
#include "parquet/api.h"
#include "parquet/reader_own.h"

enum { TEXT_MAX = 1 << 20 };

/* A list in the making: its rows, a scratch text and the column that comes next. */
typedef struct list {
    lochan_listing rows;
    lochan_buf text;
    int column;
    lochan_status rc; /* the first failure; later puts are no-ops */
    lochan_error *err;
} list;

static void begin(list *l, const lochan_listing_column *columns, lochan_error *err) {
    *l = (list){.err = err};
    lochan_buf__init(&l->text, TEXT_MAX);
    l->rc = lochan_listing__init(&l->rows, columns, err);
}

static void put_int(list *l, int64_t v, bool known) {
    if (l->rc == LOCHAN_OK && known)
        l->rc = lochan_listing__int64(&l->rows, l->column, v, l->err);
    l->column++;
}

/* Names of a file need not be UTF-8; what we hand out is. */
static void put_text(list *l, const char *text) {
    char *copy = NULL;
    if (l->rc == LOCHAN_OK && text && !lochan_utf8__valid(text, strlen(text))) {
        copy = lochan_mem__strdup(text);
        if (!copy)
            l->rc = lochan_error__nomem(l->err);
        for (char *p = copy; p && *p; p++)
            *p = (unsigned char)*p < 0x80 ? *p : '?';
        text = copy;
    }
    if (l->rc == LOCHAN_OK && text)
        l->rc = lochan_listing__string(&l->rows, l->column, text, l->err);
    lochan_mem__free(copy);
    l->column++;
}

/* What was gathered in l->text; nothing becomes null. */
static void put_gathered(list *l) {
    put_text(l, l->text.len ? (const char *)l->text.data : NULL);
    lochan_buf__clear(&l->text);
}

/* Adds a word to l->text unless it is there; words are separated by ", ". */
static void gather(list *l, const char *word) {
    size_t n = strlen(word);
    for (const char *p = l->text.len ? (const char *)l->text.data : ""; *p;) {
        size_t m = strcspn(p, ",");
        if (m == n && memcmp(p, word, n) == 0)
            return;
        p += p[m] ? m + 2 : m;
    }
    if (l->rc == LOCHAN_OK)
        l->rc = lochan_buf__printf(&l->text, l->err, "%s%s", l->text.len ? ", " : "", word);
}

static void end_row(list *l) {
    if (l->rc == LOCHAN_OK)
        l->rc = lochan_listing__end_row(&l->rows, l->err);
    l->column = 0;
}

static lochan_status finish(list *l, struct ArrowArrayStream *out) {
    if (l->rc == LOCHAN_OK)
        l->rc = lochan_listing__finish(&l->rows, out, l->err);
    lochan_listing__deinit(&l->rows);
    lochan_buf__deinit(&l->text);
    return l->rc;
}

/* ---- row groups ---- */

static void gather_sorting(list *l, const lochan_pq_reader *r,
                           const lochan_pq_row_group_meta *group) {
    const lochan_pq_sorting_column *s = group->sorting.items;
    for (uint32_t i = 0; i < group->sorting.n && l->rc == LOCHAN_OK; i++) {
        const char *path = s[i].column >= 0 && s[i].column < r->schema.n_leaves
                               ? r->schema.leaves[s[i].column].path
                               : "?";
        l->rc = lochan_buf__printf(&l->text, l->err, "%s%s%s%s", i ? ", " : "", path,
                                   s[i].descending ? " desc" : "",
                                   s[i].nulls_first ? " nulls first" : "");
    }
}

lochan_status lochan_parquet_reader_row_groups(const lochan_parquet_reader *reader,
                                               struct ArrowArrayStream *out, lochan_error *err) {
    static const lochan_listing_column columns[] = {{"row_group", "int32"},
                                                    {"first_row", "int64"},
                                                    {"rows", "int64"},
                                                    {"compressed_bytes", "int64"},
                                                    {"uncompressed_bytes", "int64"},
                                                    {"offset", "int64"},
                                                    {"sorting", "string"},
                                                    {NULL, NULL}};
    list l;
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(reader, err);
    begin(&l, columns, err);
    for (int g = 0; g < lochan_pq_reader__row_groups(reader->inner) && l.rc == LOCHAN_OK; g++) {
        lochan_pq_row_group_info info;
        lochan_pq_reader__row_group(reader->inner, g, &info);
        put_int(&l, g, true);
        put_int(&l, info.first_row, true);
        put_int(&l, info.rows, true);
        put_int(&l, info.compressed_bytes, true);
        put_int(&l, info.uncompressed_bytes, true);
        put_int(&l, (int64_t)info.offset, true);
        gather_sorting(&l, reader->inner, lochan_pq_reader__group(reader->inner, g));
        put_gathered(&l);
        end_row(&l);
    }
    return finish(&l, out);
}

/* ---- leaf columns ---- */

static const char *time_unit(const lochan_pq_time_unit *unit) {
    return LOCHAN_PQ_HAS(unit, 1) ? "ms" : LOCHAN_PQ_HAS(unit, 2) ? "us" : "ns";
}

/* The logical type as the format's documents write it; without one the converted type; "" if there
 * is neither. */
static void logical_text(const lochan_pq_element *e, char *dst, size_t cap) {
    static const char *const plain[] = {"",     "STRING", "MAP",  "LIST",   "ENUM", "",
                                        "DATE", "",       "",     "",       "",     "UNKNOWN",
                                        "JSON", "BSON",   "UUID", "FLOAT16"};
    static const char *const converted[] = {"STRING",
                                            "MAP",
                                            "MAP_KEY_VALUE",
                                            "LIST",
                                            "ENUM",
                                            "DECIMAL",
                                            "DATE",
                                            "TIME_MILLIS",
                                            "TIME_MICROS",
                                            "TIMESTAMP_MILLIS",
                                            "TIMESTAMP_MICROS",
                                            "UINT_8",
                                            "UINT_16",
                                            "UINT_32",
                                            "UINT_64",
                                            "INT_8",
                                            "INT_16",
                                            "INT_32",
                                            "INT_64",
                                            "JSON",
                                            "BSON",
                                            "INTERVAL"};
    const lochan_pq_logical *l = &e->logical;
    lochan_pq_logical_id id =
        LOCHAN_PQ_HAS(e, 10) ? lochan_pq_logical__id(l) : LOCHAN_PQ_LOGICAL_NONE;
    dst[0] = '\0';
    if (id == LOCHAN_PQ_LOGICAL_DECIMAL)
        (void)lochan_format(dst, cap, "DECIMAL(%d,%d)", l->decimal.precision, l->decimal.scale);
    else if (id == LOCHAN_PQ_LOGICAL_TIME || id == LOCHAN_PQ_LOGICAL_TIMESTAMP)
        (void)lochan_format(dst, cap, "%s(%s%s)",
                            id == LOCHAN_PQ_LOGICAL_TIME ? "TIME" : "TIMESTAMP",
                            time_unit(&l->time.unit), l->time.is_utc ? ", UTC" : "");
    else if (id == LOCHAN_PQ_LOGICAL_INTEGER)
        (void)lochan_format(dst, cap, "INT(%d, %s)", l->integer.bit_width,
                            l->integer.is_signed ? "signed" : "unsigned");
    else if (id != LOCHAN_PQ_LOGICAL_NONE)
        (void)lochan_format(dst, cap, "%s", plain[id]);
    else if (LOCHAN_PQ_HAS(e, 6) && e->converted == LOCHAN_PQ_CONVERTED_DECIMAL)
        (void)lochan_format(dst, cap, "DECIMAL(%d,%d)", e->precision, e->scale);
    else if (LOCHAN_PQ_HAS(e, 6) && e->converted >= 0 &&
             (size_t)e->converted < LOCHAN_COUNTOF(converted))
        (void)lochan_format(dst, cap, "%s", converted[e->converted]);
}

static void put_type(list *l, const lochan_pq_leaf *leaf) {
    static const char *const repetitions[] = {"required", "optional", "repeated"};
    char type[80], logical[80];
    int32_t repetition = leaf->element->repetition;
    lochan_type__name(&leaf->type, type);
    logical_text(leaf->element, logical, sizeof logical);
    put_text(l, leaf->path);
    put_text(l, type);
    put_text(l, lochan_pq_physical__name(leaf->physical));
    put_text(l, logical[0] ? logical : NULL);
    put_text(l, repetition >= 0 && repetition <= 2 ? repetitions[repetition] : NULL);
    put_int(l, leaf->field_id, leaf->field_id >= 0);
    put_int(l, leaf->max_def, true);
    put_int(l, leaf->max_rep, true);
}

static void gather_encodings(list *l, const lochan_pq_column_meta *meta) {
    const int32_t *encodings = meta->encodings.items;
    for (uint32_t i = 0; i < meta->encodings.n; i++)
        gather(l, lochan_pq_encoding__name(encodings[i]));
}

lochan_status lochan_parquet_reader_columns(const lochan_parquet_reader *reader,
                                            struct ArrowArrayStream *out, lochan_error *err) {
    static const lochan_listing_column columns[] = {{"column", "string"},
                                                    {"type", "string"},
                                                    {"physical", "string"},
                                                    {"logical", "string"},
                                                    {"repetition", "string"},
                                                    {"field_id", "int32"},
                                                    {"max_definition", "int32"},
                                                    {"max_repetition", "int32"},
                                                    {"codecs", "string"},
                                                    {"encodings", "string"},
                                                    {"values", "int64"},
                                                    {"nulls", "int64"},
                                                    {"min", "string"},
                                                    {"max", "string"},
                                                    {"compressed_bytes", "int64"},
                                                    {"uncompressed_bytes", "int64"},
                                                    {NULL, NULL}};
    list l;
    lochan_pq_summary summary;
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(reader, err);
    const lochan_pq_reader *r = reader->inner;
    LOCHAN_TRY(lochan_pq_reader__summary(r, &summary, err));
    begin(&l, columns, err);
    for (int i = 0; i < r->schema.n_leaves && l.rc == LOCHAN_OK; i++) {
        const lochan_pq_leaf_summary *s = &summary.leaves[i];
        int n = lochan_pq_reader__row_groups(r);
        int64_t uncompressed = 0;
        put_type(&l, &r->schema.leaves[i]);
        for (int g = 0; g < n; g++)
            gather(&l, lochan_pq_codec__label(lochan_pq_reader__chunk(r, g, i)->meta.codec));
        put_gathered(&l);
        for (int g = 0; g < n; g++) {
            const lochan_pq_column_meta *meta = &lochan_pq_reader__chunk(r, g, i)->meta;
            gather_encodings(&l, meta);
            (void)__builtin_add_overflow(uncompressed, meta->uncompressed_size, &uncompressed);
        }
        put_gathered(&l);
        put_int(&l, s->value_count, true);
        put_int(&l, s->null_count, s->null_count >= 0);
        put_text(&l, s->min_text);
        put_text(&l, s->max_text);
        put_int(&l, s->compressed_bytes, true);
        put_int(&l, uncompressed, true);
        end_row(&l);
    }
    lochan_pq_summary__deinit(&summary);
    return finish(&l, out);
}

/* ---- chunks ---- */

static void put_statistics(list *l, const lochan_pq_leaf *leaf, const lochan_pq_column_meta *meta) {
    const lochan_pq_statistics *s = &meta->statistics;
    bool has = LOCHAN_PQ_HAS(meta, 12), cut = leaf->physical == LOCHAN_PQ_BYTE_ARRAY;
    lochan_str min = {NULL, 0}, max = {NULL, 0};
    lochan_arena arena;
    lochan_arena__init(&arena, 0);
    put_int(l, s->null_count, has && LOCHAN_PQ_HAS(s, 3));
    put_int(l, s->nan_count, has && LOCHAN_PQ_HAS(s, 9));
    put_int(l, s->distinct_count, has && LOCHAN_PQ_HAS(s, 4));
    if (has)
        (void)lochan_pq_stats__bounds(leaf, s, &min, &max);
    const char *min_text = min.p ? lochan_pq_stats__text(leaf, min, &arena) : NULL;
    const char *max_text = max.p ? lochan_pq_stats__text(leaf, max, &arena) : NULL;
    put_text(l, min_text);
    put_text(l, max_text);
    put_int(l, !cut || (LOCHAN_PQ_HAS(s, 8) && s->min_exact), min_text != NULL);
    put_int(l, !cut || (LOCHAN_PQ_HAS(s, 7) && s->max_exact), max_text != NULL);
    lochan_arena__deinit(&arena);
}

static void put_chunk(list *l, const lochan_pq_leaf *leaf, const lochan_pq_column_chunk *chunk,
                      int row_group) {
    const lochan_pq_column_meta *meta = &chunk->meta;
    bool dictionary = LOCHAN_PQ_HAS(meta, 11) && meta->dictionary_page_offset > 0;
    int64_t offset = meta->data_page_offset;
    if (dictionary && meta->dictionary_page_offset < offset)
        offset = meta->dictionary_page_offset;
    put_int(l, row_group, true);
    put_text(l, leaf->path);
    put_text(l, lochan_pq_codec__label(meta->codec));
    gather_encodings(l, meta);
    put_gathered(l);
    put_int(l, meta->num_values, true);
    put_statistics(l, leaf, meta);
    put_int(l, meta->compressed_size, true);
    put_int(l, meta->uncompressed_size, true);
    put_int(l, offset, true);
    put_int(l, dictionary, true);
    put_int(l, LOCHAN_PQ_HAS(chunk, 6), true);
    put_int(l, LOCHAN_PQ_HAS(chunk, 4), true);
    put_int(l, LOCHAN_PQ_HAS(meta, 14), true);
    end_row(l);
}

lochan_status lochan_parquet_reader_chunks(const lochan_parquet_reader *reader,
                                           struct ArrowArrayStream *out, lochan_error *err) {
    static const lochan_listing_column columns[] = {{"row_group", "int32"},
                                                    {"column", "string"},
                                                    {"codec", "string"},
                                                    {"encodings", "string"},
                                                    {"values", "int64"},
                                                    {"nulls", "int64"},
                                                    {"nans", "int64"},
                                                    {"distinct", "int64"},
                                                    {"min", "string"},
                                                    {"max", "string"},
                                                    {"min_exact", "bool"},
                                                    {"max_exact", "bool"},
                                                    {"compressed_bytes", "int64"},
                                                    {"uncompressed_bytes", "int64"},
                                                    {"offset", "int64"},
                                                    {"dictionary", "bool"},
                                                    {"column_index", "bool"},
                                                    {"offset_index", "bool"},
                                                    {"bloom_filter", "bool"},
                                                    {NULL, NULL}};
    list l;
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(reader, err);
    const lochan_pq_reader *r = reader->inner;
    begin(&l, columns, err);
    for (int g = 0; g < lochan_pq_reader__row_groups(r); g++) {
        for (int i = 0; i < r->schema.n_leaves && l.rc == LOCHAN_OK; i++)
            put_chunk(&l, &r->schema.leaves[i], lochan_pq_reader__chunk(r, g, i), g);
    }
    return finish(&l, out);
}
