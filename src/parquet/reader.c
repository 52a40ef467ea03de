/* reader.c - opening a file: footer, metadata, schema; questions about them. Rows are read by
 * row_group.c and stream.c. Invariant: after open, every row group has a chunk for every leaf, and
 * row counts add up. May call: base/, arrow/, the rest of parquet/.
 */
#include "parquet/arrow_schema.h"
#include "parquet/reader.h"
#include "parquet/reader_own.h"

enum { DEFAULT_MAX_FOOTER = 256 << 20, DEFAULT_BELIEVED = 16 << 20, MAX_ROW_GROUPS = 1 << 24 };

static lochan_status corrupt(lochan_pq_reader *r, int64_t offset, lochan_error *err,
                             const char *fmt, ...) LOCHAN_PRINTF(4, 5);

static lochan_status corrupt(lochan_pq_reader *r, int64_t offset, lochan_error *err,
                             const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    lochan_status rc = lochan_error__vset(err, LOCHAN_ERR_CORRUPT, fmt, args);
    va_end(args);
    return lochan_error__in_file(err, rc, r->file.name, offset);
}

static void free_reader(lochan_pq_reader *r) {
    lochan_pq_schema__deinit(&r->schema);
    lochan_arena__deinit(&r->arena);
    lochan_mem__free(r->footer);
    lochan_mem__free(r->file.name);
    lochan_pq_codec_cache__deinit(&r->file.codecs);
    if (r->file.source.close)
        r->file.source.close(r->file.source.self);
    lochan_mem__free(r);
}

void lochan_pq_reader__close(lochan_pq_reader *r) {
    if (r && atomic_fetch_sub(&r->refs, 1) == 1)
        free_reader(r);
}

/* Reads the footer's bytes into r->footer. */
static lochan_status read_footer(lochan_pq_reader *r, lochan_error *err) {
    uint64_t size = r->file.source.size;
    size_t max = r->options.max_footer ? r->options.max_footer : DEFAULT_MAX_FOOTER;
    uint8_t tail[8], head[4];
    if (size < 12)
        return corrupt(r, 0, err, "a Parquet file has at least 12 bytes, this one %llu",
                       (unsigned long long)size);
    LOCHAN_TRY(lochan_pq_file__read(&r->file, size - 8, 8, tail, err));
    if (memcmp(tail + 4, "PARE", 4) == 0)
        return lochan_error__in_file(
            err, lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "its footer is encrypted"),
            r->file.name, (int64_t)size - 4);
    if (memcmp(tail + 4, "PAR1", 4) != 0)
        return corrupt(r, (int64_t)size - 4, err,
                       "it does not end as a Parquet file does; it may be cut off");
    LOCHAN_TRY(lochan_pq_file__read(&r->file, 0, 4, head, err));
    if (memcmp(head, "PAR1", 4) != 0)
        return corrupt(r, 0, err, "it does not begin as a Parquet file does");
    r->footer_length = (uint32_t)tail[0] | (uint32_t)tail[1] << 8 | (uint32_t)tail[2] << 16 |
                       (uint32_t)tail[3] << 24;
    if (r->footer_length == 0 || r->footer_length > size - 12)
        return corrupt(r, (int64_t)size - 8, err, "a footer of %u bytes does not fit into the file",
                       r->footer_length);
    if (r->footer_length > max)
        return lochan_error__in_file(
            err,
            lochan_error__set(err, LOCHAN_ERR_MEMORY_LIMIT,
                              "its footer of %u bytes is larger than the limit of %zu",
                              r->footer_length, max),
            r->file.name, (int64_t)size - 8);
    r->footer = lochan_mem__alloc(r->footer_length);
    if (!r->footer)
        return lochan_error__nomem(err);
    return lochan_pq_file__read(&r->file, size - 8 - r->footer_length, r->footer_length, r->footer,
                                err);
}

/* Checks what the rest relies on. */
static lochan_status check_groups(lochan_pq_reader *r, lochan_error *err) {
    int64_t rows = 0, footer_at = (int64_t)(r->file.source.size - 8 - r->footer_length);
    if (r->meta.row_groups.n > MAX_ROW_GROUPS)
        return corrupt(r, footer_at, err, "%u row groups are too many", r->meta.row_groups.n);
    r->first_rows =
        lochan_arena__array(&r->arena, r->meta.row_groups.n + 1u, sizeof *r->first_rows);
    if (!r->first_rows)
        return lochan_error__nomem(err);
    for (int g = 0; g < (int)r->meta.row_groups.n; g++) {
        const lochan_pq_row_group_meta *group = lochan_pq_reader__group(r, g);
        if ((int)group->columns.n != r->schema.n_leaves)
            return corrupt(r, footer_at, err, "row group %d has %u columns, the schema %d", g,
                           group->columns.n, r->schema.n_leaves);
        r->first_rows[g] = rows;
        if (group->num_rows < 0 || __builtin_add_overflow(rows, group->num_rows, &rows))
            return corrupt(r, footer_at, err, "row group %d claims %lld rows", g,
                           (long long)group->num_rows);
        for (int l = 0; l < r->schema.n_leaves; l++) {
            const lochan_pq_column_chunk *chunk = lochan_pq_reader__chunk(r, g, l);
            if (!LOCHAN_PQ_HAS(chunk, 3))
                return lochan_error__in_file(
                    err,
                    lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                      "column '%s' is encrypted or has no metadata",
                                      r->schema.leaves[l].path),
                    r->file.name, footer_at);
            if (r->schema.leaves[l].max_rep == 0 && chunk->meta.num_values != group->num_rows)
                return corrupt(r, footer_at, err,
                               "column '%s' has %lld values in row group %d of %lld rows",
                               r->schema.leaves[l].path, (long long)chunk->meta.num_values, g,
                               (long long)group->num_rows);
        }
    }
    if (r->meta.num_rows == 0)
        r->meta.num_rows = rows; /* some writers leave it to the row groups */
    if (rows != r->meta.num_rows)
        return corrupt(r, footer_at, err, "the file claims %lld rows, its row groups hold %lld",
                       (long long)r->meta.num_rows, (long long)rows);
    return LOCHAN_OK;
}

/* parquet-mr up to 1.2.8 forgot the header of the dictionary page in the sizes of chunks. */
static bool sizes_lack_dictionary(const char *created_by) {
    static const char name[] = "parquet-mr";
    if (strncmp(created_by, name, sizeof name - 1) != 0)
        return false;
    const char *version = strstr(created_by, "version 1.");
    if (!version)
        return created_by[sizeof name - 1] == '\0';
    version += sizeof "version 1." - 1;
    return version[0] < '2' ? version[1] == '.'
                            : version[0] == '2' && version[1] == '.' && version[2] <= '8' &&
                                  (version[3] < '0' || version[3] > '9');
}

/* Bounds mean something only in an order that is known. Files that name no orders are old: there
 * plain signed comparison is what all writers agree on. */
static void forget_unknown_orders(lochan_pq_reader *r) {
    const lochan_pq_column_order *orders = r->meta.column_orders.items;
    for (int l = 0; l < r->schema.n_leaves; l++) {
        lochan_pq_leaf *leaf = &r->schema.leaves[l];
        bool is_float = leaf->order == LOCHAN_PQ_ORDER_FLOAT;
        bool known =
            (uint32_t)l < r->meta.column_orders.n
                ? LOCHAN_PQ_HAS(&orders[l], 1) || (is_float && LOCHAN_PQ_HAS(&orders[l], 2))
                : is_float || leaf->order == LOCHAN_PQ_ORDER_SIGNED;
        if (!known)
            leaf->order = LOCHAN_PQ_ORDER_NONE;
    }
}

/* The value of the key ARROW:schema, NULL if there is none. */
static const lochan_str *find_arrow_schema(const lochan_pq_reader *r) {
    const lochan_pq_key_value *kv = r->meta.key_values.items;
    for (uint32_t i = 0; i < r->meta.key_values.n; i++) {
        if (lochan_str__eq(kv[i].key, LOCHAN_STR(LOCHAN_PQ_ARROW_SCHEMA_KEY)))
            return &kv[i].value;
    }
    return NULL;
}

static lochan_status parse_footer(lochan_pq_reader *r, lochan_error *err) {
    uint64_t footer_at = r->file.source.size - 8 - r->footer_length;
    lochan_cursor cursor = {r->footer, r->footer + r->footer_length};
    /* one byte of metadata can become a struct of some hundred bytes; real footers stay far below
     * this */
    lochan_arena__init(&r->arena, (size_t)r->footer_length * 64 + (1u << 20));
    lochan_error inner;
    lochan_error_init(&inner);
    lochan_status rc = lochan_thrift__read(&cursor, r->footer, &lochan_pq_file_meta__type,
                                           &r->arena, &r->meta, &inner);
    if (rc != LOCHAN_OK) {
        int64_t at = inner.offset >= 0 ? inner.offset : 0;
        (void)lochan_error__set(err, rc, "%s", inner.message);
        return lochan_error__in_file(err, rc, r->file.name, (int64_t)footer_at + at);
    }
    if (LOCHAN_PQ_HAS(&r->meta, 8))
        return lochan_error__in_file(
            err, lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "it is encrypted"), r->file.name,
            (int64_t)footer_at);
    if (r->meta.num_rows < 0 || r->meta.schema.n == 0)
        return corrupt(r, (int64_t)footer_at, err,
                       "the footer has no schema or a negative number of rows");
    rc = lochan_pq_schema__from_file(r->meta.schema.items, r->meta.schema.n, r->options.strings,
                                     r->options.arrow_schema ? find_arrow_schema(r) : NULL,
                                     &r->schema, err);
    if (rc != LOCHAN_OK)
        return lochan_error__in_file(err, rc, r->file.name, (int64_t)footer_at);
    const char *by = lochan_arena__strndup(
        &r->arena, r->meta.created_by.p ? r->meta.created_by.p : "", r->meta.created_by.n);
    r->created_by = by;
    if (!by)
        return lochan_error__nomem(err);
    forget_unknown_orders(r);
    r->file.short_chunks = sizes_lack_dictionary(by);
    return check_groups(r, err);
}

/* Key-value metadata as C strings, made once so that they can be borrowed. */
static lochan_status own_key_values(lochan_pq_reader *r, lochan_error *err) {
    lochan_pq_key_value *kv = r->meta.key_values.items;
    for (uint32_t i = 0; i < r->meta.key_values.n; i++) {
        kv[i].key.p = lochan_arena__strndup(&r->arena, kv[i].key.p, kv[i].key.n);
        kv[i].value.p =
            lochan_arena__strndup(&r->arena, kv[i].value.p ? kv[i].value.p : "", kv[i].value.n);
        if (!kv[i].key.p || !kv[i].value.p)
            return lochan_error__nomem(err);
    }
    return LOCHAN_OK;
}

/* The pairs but for ARROW:schema as metadata of the schema, as Arrow libraries have them. */
static lochan_status show_key_values(lochan_pq_reader *r, lochan_error *err) {
    enum { MOST_BYTES = 16 << 20 };
    const lochan_pq_key_value *kv = r->meta.key_values.items;
    size_t n = 0, bytes = 0;
    if (!r->options.arrow_schema || r->meta.key_values.n == 0)
        return LOCHAN_OK;
    lochan_str *pairs = lochan_mem__array(2 * (size_t)r->meta.key_values.n, sizeof *pairs);
    if (!pairs)
        return lochan_error__nomem(err);
    for (uint32_t i = 0; i < r->meta.key_values.n; i++) {
        size_t more = kv[i].key.n + kv[i].value.n + 8;
        if (lochan_str__eq(kv[i].key, LOCHAN_STR(LOCHAN_PQ_ARROW_SCHEMA_KEY)) ||
            more > MOST_BYTES - bytes)
            continue;
        bytes += more;
        pairs[2 * n] = kv[i].key;
        pairs[2 * n++ + 1] = kv[i].value;
    }
    lochan_status rc = lochan_schema__add_metadata(&r->schema.arrow, pairs, n, err);
    lochan_mem__free(pairs);
    return rc;
}

lochan_status lochan_pq_reader__open(const lochan_ctx *ctx, const lochan_pq_source *source,
                                     const lochan_pq_read_options *options, lochan_pq_reader **out,
                                     lochan_error *err) {
    *out = NULL;
    lochan_pq_reader *r = lochan_mem__zalloc(sizeof *r);
    if (!r) {
        if (source->close)
            source->close(source->self);
        return lochan_error__nomem(err);
    }
    lochan_status rc;
    atomic_init(&r->refs, 1);
    if (ctx)
        r->file.ctx = *ctx;
    r->file.source = *source;
    if (options)
        r->options = *options;
    r->file.believed = r->options.max_page_bytes ? r->options.max_page_bytes : DEFAULT_BELIEVED;
    lochan_arena__init(&r->arena, 0);
    r->file.name = lochan_mem__strdup(source->name ? source->name : "");
    if (!r->file.name) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(read_footer(r, err));
    LOCHAN_TRYG(parse_footer(r, err));
    LOCHAN_TRYG(own_key_values(r, err));
    LOCHAN_TRYG(show_key_values(r, err));
    *out = r;
done:
    if (rc != LOCHAN_OK)
        lochan_pq_reader__close(r);
    return rc;
}

/* ---- local files ---- */

static lochan_status read_local(void *self, uint64_t offset, size_t n, void *dst,
                                lochan_error *err) {
    return lochan_file__read(self, dst, n, offset, err);
}

static void close_local(void *self) {
    (void)lochan_file__close(self, NULL);
}

lochan_status lochan_pq_reader__open_file(const lochan_ctx *ctx, const char *path, const char *name,
                                          const lochan_pq_read_options *options,
                                          lochan_pq_reader **out, lochan_error *err) {
    lochan_file *file = NULL;
    lochan_stat st;
    *out = NULL;
    LOCHAN_TRY(lochan_file__open(path, LOCHAN_FS_READ, &file, err));
    lochan_status rc = lochan_file__stat(file, &st, err);
    if (rc != LOCHAN_OK) {
        (void)lochan_file__close(file, NULL);
        return rc;
    }
    lochan_pq_source source = {.read = read_local,
                               .close = close_local,
                               .self = file,
                               .size = st.size,
                               .name = name ? name : path};
    return lochan_pq_reader__open(ctx, &source, options, out, err);
}

lochan_status lochan_pq_reader__bind(const lochan_pq_reader *r, lochan_expr *predicate,
                                     lochan_error *err) {
    const struct ArrowSchema *columns = &r->schema.arrow;
    size_t n = lochan_expr__columns(predicate);
    int64_t at = columns->n_children;
    struct ArrowSchema all;
    lochan_status rc;
    LOCHAN_TRY(lochan_schema__init_struct(&all, at + (int64_t)n, err));
    for (int64_t i = 0; i < at; i++)
        LOCHAN_TRYG(lochan_schema__dup(columns->children[i], all.children[i], err));
    for (size_t i = 0; i < n; i++, at++) {
        const char *name = lochan_expr__column(predicate, i);
        int leaf = lochan_pq_path__leaf(&r->schema, name);
        bool nested = lochan_schema__find(columns, name) < 0 && leaf >= 0;
        const lochan_type none = {.id = LOCHAN_TYPE_NULL};
        LOCHAN_TRYG(lochan_schema__set_field(all.children[at], nested ? name : "",
                                             nested ? &r->schema.leaves[leaf].type : &none, true,
                                             err));
    }
    rc = lochan_expr__bind(predicate, &all, err);
done:
    lochan_schema__release(&all);
    return rc;
}

/* ---- questions ---- */

int64_t lochan_pq_reader__rows(const lochan_pq_reader *r) {
    return r->meta.num_rows;
}

uint64_t lochan_pq_reader__file_size(const lochan_pq_reader *r) {
    return r->file.source.size;
}

uint32_t lochan_pq_reader__footer_length(const lochan_pq_reader *r) {
    return r->footer_length;
}

const char *lochan_pq_reader__created_by(const lochan_pq_reader *r) {
    return r->created_by;
}

const struct ArrowSchema *lochan_pq_reader__schema(const lochan_pq_reader *r) {
    return &r->schema.arrow;
}

const char *lochan_pq_reader__metadata(const lochan_pq_reader *r, const char *key) {
    const lochan_pq_key_value *kv = r->meta.key_values.items;
    for (uint32_t i = 0; i < r->meta.key_values.n; i++) {
        if (strcmp(kv[i].key.p, key) == 0)
            return kv[i].value.p;
    }
    return NULL;
}

bool lochan_pq_reader__metadata_at(const lochan_pq_reader *r, size_t i, const char **key,
                                   const char **value) {
    const lochan_pq_key_value *kv = r->meta.key_values.items;
    if (i >= r->meta.key_values.n)
        return false;
    *key = kv[i].key.p;
    *value = kv[i].value.p;
    return true;
}

int lochan_pq_reader__row_groups(const lochan_pq_reader *r) {
    return (int)r->meta.row_groups.n;
}

void lochan_pq_reader__row_group(const lochan_pq_reader *r, int row_group,
                                 lochan_pq_row_group_info *out) {
    const lochan_pq_row_group_meta *group = lochan_pq_reader__group(r, row_group);
    *out = (lochan_pq_row_group_info){.first_row = r->first_rows[row_group],
                                      .rows = group->num_rows,
                                      .uncompressed_bytes = group->total_byte_size,
                                      .offset = UINT64_MAX};
    for (int l = 0; l < r->schema.n_leaves; l++) {
        const lochan_pq_column_meta *meta = &lochan_pq_reader__chunk(r, row_group, l)->meta;
        int64_t start = meta->data_page_offset;
        if (LOCHAN_PQ_HAS(meta, 11) && meta->dictionary_page_offset > 0 &&
            meta->dictionary_page_offset < start)
            start = meta->dictionary_page_offset;
        if (start >= 0 && (uint64_t)start < out->offset)
            out->offset = (uint64_t)start;
        (void)__builtin_add_overflow(out->compressed_bytes, meta->compressed_size,
                                     &out->compressed_bytes);
    }
    if (out->offset == UINT64_MAX)
        out->offset = 4;
}

static int flat_leaf(const lochan_pq_reader *r, int column) {
    return column >= 0 && column < r->schema.root.n_children ? r->schema.root.children[column].leaf
                                                             : -1;
}

bool lochan_pq_reader__leaf_stats(const lochan_pq_reader *r, int row_group, int leaf,
                                  lochan_expr_stats *out) {
    const lochan_pq_column_meta *meta = &lochan_pq_reader__chunk(r, row_group, leaf)->meta;
    memset(out, 0, sizeof *out);
    return LOCHAN_PQ_HAS(meta, 12) &&
           lochan_pq_stats__read(&r->schema.leaves[leaf], &meta->statistics, meta->num_values, out);
}

/* Joins the bounds of two row groups. A row group of nulls only has no bounds and changes none. */
static void join(lochan_expr_stats *all, const lochan_expr_stats *one, lochan_pq_order order,
                 bool bytes) {
    bool one_empty = one->null_count >= 0 && one->null_count == one->row_count && !one->has_min;
    bool all_empty = all->null_count >= 0 && all->null_count == all->row_count && !all->has_min;
    int64_t nulls =
        all->null_count < 0 || one->null_count < 0 ? -1 : all->null_count + one->null_count;
    int64_t rows = all->row_count + one->row_count;
    bool nan = all->may_have_nan || one->may_have_nan;
    if (all_empty) {
        *all = *one;
    } else if (!one_empty) {
        bool lower, higher;
        if (order == LOCHAN_PQ_ORDER_FLOAT) {
            lower = one->min_f < all->min_f;
            higher = one->max_f > all->max_f;
        } else if (bytes) {
            size_t n = one->min_s.n < all->min_s.n ? one->min_s.n : all->min_s.n;
            int c = n ? memcmp(one->min_s.p, all->min_s.p, n) : 0;
            lower = c < 0 || (c == 0 && one->min_s.n < all->min_s.n);
            n = one->max_s.n < all->max_s.n ? one->max_s.n : all->max_s.n;
            c = n ? memcmp(one->max_s.p, all->max_s.p, n) : 0;
            higher = c > 0 || (c == 0 && one->max_s.n > all->max_s.n);
        } else {
            lower = one->min_i < all->min_i;
            higher = one->max_i > all->max_i;
        }
        if (lower) {
            all->min_i = one->min_i, all->min_f = one->min_f, all->min_s = one->min_s;
            all->min_exact = one->min_exact;
        }
        if (higher) {
            all->max_i = one->max_i, all->max_f = one->max_f, all->max_s = one->max_s;
            all->max_exact = one->max_exact;
        }
        all->has_min = all->has_min && one->has_min;
        all->has_max = all->has_max && one->has_max;
    }
    all->null_count = nulls;
    all->row_count = rows;
    all->may_have_nan = nan;
}

bool lochan_pq_reader__column_stats(const lochan_pq_reader *r, int row_group, int column,
                                    lochan_expr_stats *out) {
    int leaf = flat_leaf(r, column);
    memset(out, 0, sizeof *out);
    if (leaf < 0 || row_group >= (int)r->meta.row_groups.n)
        return false;
    if (row_group >= 0)
        return lochan_pq_reader__leaf_stats(r, row_group, leaf, out);
    const lochan_pq_leaf *l = &r->schema.leaves[leaf];
    bool bytes = lochan_type__is_bytes(l->type.id) || l->type.id == LOCHAN_TYPE_FIXED_BINARY;
    for (int g = 0; g < (int)r->meta.row_groups.n; g++) {
        lochan_expr_stats one;
        if (!lochan_pq_reader__leaf_stats(r, g, leaf, &one))
            return false;
        if (g == 0)
            *out = one;
        else
            join(out, &one, l->order, bytes);
    }
    return r->meta.row_groups.n > 0;
}

void lochan_pq_reader__counters(const lochan_pq_reader *reader, lochan_pq_counters *out) {
    lochan_pq_file *f = (lochan_pq_file *)(uintptr_t)&reader->file;
    out->bytes_read = atomic_load_explicit(&f->bytes_read, memory_order_relaxed);
    out->pages_decoded = atomic_load_explicit(&f->pages_decoded, memory_order_relaxed);
    out->row_groups_read = atomic_load_explicit(&f->row_groups_read, memory_order_relaxed);
    out->row_groups_pruned = atomic_load_explicit(&f->row_groups_pruned, memory_order_relaxed);
}
