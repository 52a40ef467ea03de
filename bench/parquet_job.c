/* parquet_job.c - one job of the benchmark `parquet` (parquet.py), done by lochan through
 * <lochan/parquet.h>: makes the data, reads, writes, and measures what the machine could do at
 * best. Prints one line of JSON. Only `make` and `limits` look inside the library.
 */
#include "arrow/builder.h"
#include "base/clock.h"
#include "base/pool.h"
#include "parquet/reader_own.h"
#include <lochan/parquet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { THREADS = 2, ASSETS = 500, WIDE_COLUMNS = 300, BATCH = 65536, MAX_NAMES = 512 };

static void must(lochan_status rc, const lochan_error *err) {
    if (rc != LOCHAN_OK) {
        fprintf(stderr, "%s: %s\n", lochan_status_name(rc), err->message);
        exit(1);
    }
}

static double now(void) {
    return (double)lochan_clock__mono_ns() * 1e-9;
}

/* Processor seconds of all threads. */
static double cpu(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static long peak_kb(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

/* ---- data: the same on every machine ---- */

static uint64_t state;

static uint64_t bits(void) {
    uint64_t z = (state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

static double uniform(void) {
    return (double)(bits() >> 11) * 0x1p-53;
}

/* Roughly normal, mean 0, deviation 1: exact sums, so no libm is asked. */
static double noise(void) {
    double sum = 0;
    for (int i = 0; i < 12; i++)
        sum += uniform();
    return sum - 6;
}

static double rounded(double v, double per_unit) {
    return (double)(int64_t)(v * per_unit + (v < 0 ? -0.5 : 0.5)) / per_unit;
}

typedef struct shape {
    const char *name;
    void (*schema)(struct ArrowSchema *out);
    void (*row)(lochan_builder *b, int64_t row, int64_t rows);
} shape;

static lochan_error failure;
#define TRY(expr) must((expr), &failure)

static void field(struct ArrowSchema *s, const char *name, lochan_type_id id) {
    TRY(lochan_schema__set_field(s, name, &(lochan_type){.id = id}, true, &failure));
}

static void nested(struct ArrowSchema *s, const char *name, lochan_type_id id, int64_t n) {
    TRY(lochan_schema__set_nested(s, name, &(lochan_type){.id = id}, true, n, &failure));
}

static void text(lochan_builder *b, const char *format, int n) {
    char s[48];
    int len = snprintf(s, sizeof s, format, n);
    TRY(lochan_builder__bytes_value(b, s, (size_t)len, &failure));
}

static const char *const market_names[] = {"asset", "day",   "open",   "high",
                                           "low",   "close", "volume", "amount"};

static void market_schema(struct ArrowSchema *out) {
    TRY(lochan_schema__init_struct(out, 8, &failure));
    field(out->children[0], market_names[0], LOCHAN_TYPE_STRING);
    field(out->children[1], market_names[1], LOCHAN_TYPE_DATE32);
    for (int i = 2; i < 8; i++)
        field(out->children[i], market_names[i], i == 6 ? LOCHAN_TYPE_INT64 : LOCHAN_TYPE_FLOAT64);
}

static struct {
    double price;
    uint64_t state;
} assets[ASSETS];

static void market_row(lochan_builder *b, int asset, int64_t day) {
    state = day == 0 ? (uint64_t)asset + 1 : assets[asset].state;
    double before = day == 0 ? 2 + 300 * uniform() * uniform() : assets[asset].price;
    double close = before * (1 + 0.02 * noise()), open = before * (1 + 0.008 * noise());
    close = rounded(close < 1 ? 1 : close, 100), open = rounded(open < 1 ? 1 : open, 100);
    double top = open > close ? open : close, bottom = open < close ? open : close;
    double wide = close * 0.01 * (0.2 + uniform());
    int64_t volume = (int64_t)(100 * (1 + 20000 * uniform() * uniform() * uniform())) * 100;
    assets[asset].price = close;
    assets[asset].state = state;
    text(lochan_builder__child(b, 0), "%06d.SZ", asset * 7 + 1);
    TRY(lochan_builder__int64(lochan_builder__child(b, 1), 7305 + day + day / 5 * 2, &failure));
    const double prices[] = {open, rounded(top + wide, 100), rounded(bottom - wide * 0.5, 100),
                             close};
    for (int i = 0; i < 4; i++)
        TRY(lochan_builder__double(lochan_builder__child(b, 2 + i), prices[i], &failure));
    TRY(lochan_builder__int64(lochan_builder__child(b, 6), volume, &failure));
    TRY(lochan_builder__double(lochan_builder__child(b, 7),
                               rounded((double)volume * (open + close) / 2, 100), &failure));
    TRY(lochan_builder__end_row(b, &failure));
}

static void market_by_day(lochan_builder *b, int64_t row, int64_t rows) {
    (void)rows;
    market_row(b, (int)(row % ASSETS), row / ASSETS);
}

static void market_by_asset(lochan_builder *b, int64_t row, int64_t rows) {
    int64_t days = rows / ASSETS ? rows / ASSETS : 1;
    market_row(b, (int)(row / days % ASSETS), row % days);
}

/* `decisions` of a simulation: what an agent chose, among what, and what it thought of it. */
static void nested_schema(struct ArrowSchema *out) {
    TRY(lochan_schema__init_struct(out, 6, &failure));
    field(out->children[0], "bucket", LOCHAN_TYPE_INT64);
    field(out->children[1], "tick", LOCHAN_TYPE_INT64);
    field(out->children[2], "agent_id", LOCHAN_TYPE_STRING);
    nested(out->children[3], "chosen_action", LOCHAN_TYPE_STRUCT, 3);
    nested(out->children[4], "action_candidates", LOCHAN_TYPE_LIST, 1);
    nested(out->children[4]->children[0], "item", LOCHAN_TYPE_STRUCT, 3);
    nested(out->children[5], "token_value_estimates", LOCHAN_TYPE_STRUCT, 4);
    struct ArrowSchema *actions[] = {out->children[3], out->children[4]->children[0]};
    for (int i = 0; i < 2; i++) {
        field(actions[i]->children[0], "kind", LOCHAN_TYPE_STRING);
        field(actions[i]->children[1], "token", LOCHAN_TYPE_STRING);
        field(actions[i]->children[2], i ? "score" : "size", LOCHAN_TYPE_FLOAT64);
    }
    for (int i = 0; i < 4; i++) {
        char name[2] = {(char)('A' + i), 0};
        field(out->children[5]->children[i], name, LOCHAN_TYPE_FLOAT64);
    }
}

static void action(lochan_builder *b) {
    static const char *const kinds[] = {"hold", "buy", "sell", "swap", "message", "lend"};
    const char *kind = kinds[bits() % 6];
    TRY(lochan_builder__bytes_value(lochan_builder__child(b, 0), kind, strlen(kind), &failure));
    if (bits() % 8 == 0)
        TRY(lochan_builder__null(lochan_builder__child(b, 1), &failure));
    else
        text(lochan_builder__child(b, 1), "token_%02d", (int)(bits() % 40));
    TRY(lochan_builder__double(lochan_builder__child(b, 2), noise(), &failure));
    TRY(lochan_builder__end_row(b, &failure));
}

static void nested_row(lochan_builder *b, int64_t row, int64_t rows) {
    (void)rows;
    state = (uint64_t)row * 7919 + 1;
    TRY(lochan_builder__int64(lochan_builder__child(b, 0), row / 100000, &failure));
    TRY(lochan_builder__int64(lochan_builder__child(b, 1), row / 1000, &failure));
    text(lochan_builder__child(b, 2), "agent_%05d", (int)(row % 1000));
    action(lochan_builder__child(b, 3));
    lochan_builder *list = lochan_builder__child(b, 4);
    for (uint64_t n = bits() % 6; n > 0; n--)
        action(lochan_builder__child(list, 0));
    TRY(lochan_builder__end_row(list, &failure));
    lochan_builder *estimates = lochan_builder__child(b, 5);
    for (int i = 0; i < 4; i++) {
        if (bits() % 16 == 0)
            TRY(lochan_builder__null(lochan_builder__child(estimates, i), &failure));
        else
            TRY(lochan_builder__double(lochan_builder__child(estimates, i),
                                       rounded(100 + 10 * noise(), 10000), &failure));
    }
    TRY(lochan_builder__end_row(estimates, &failure));
    TRY(lochan_builder__end_row(b, &failure));
}

/* Features: a third with all their digits, a third with two decimals, a third with gaps. */
static void wide_schema(struct ArrowSchema *out) {
    TRY(lochan_schema__init_struct(out, WIDE_COLUMNS, &failure));
    for (int i = 0; i < WIDE_COLUMNS; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%03d", i);
        field(out->children[i], name, LOCHAN_TYPE_FLOAT32);
    }
}

static void wide_row(lochan_builder *b, int64_t row, int64_t rows) {
    (void)rows;
    state = (uint64_t)row * 104729 + 1;
    for (int i = 0; i < WIDE_COLUMNS; i++) {
        lochan_builder *c = lochan_builder__child(b, i);
        double v = (uniform() + uniform() + uniform() - 1.5) * 2;
        if (i % 3 == 2 && bits() % 20 == 0)
            TRY(lochan_builder__null(c, &failure));
        else
            TRY(lochan_builder__double(c, i % 3 == 1 ? rounded(v, 100) : v, &failure));
    }
    TRY(lochan_builder__end_row(b, &failure));
}

static const shape shapes[] = {{"market", market_schema, market_by_day},
                               {"sorted", market_schema, market_by_asset},
                               {"nested", nested_schema, nested_row},
                               {"wide", wide_schema, wide_row}};

static lochan_parquet_writer *open_writer(const char *path, const struct ArrowSchema *schema,
                                          const char *codec) {
    lochan_parquet_write_options options = LOCHAN_PARQUET_WRITE_OPTIONS_INIT;
    lochan_parquet_writer *writer;
    options.threads = THREADS;
    const char *limit = getenv("PARQUET_BENCH_MEMORY"); /* bytes the writer may take */
    options.memory_limit = limit ? strtoull(limit, NULL, 10) : 0;
    const char *rows = getenv("PARQUET_BENCH_GROUP_ROWS"); /* short row groups cost a reader less */
    options.row_group_rows = rows ? strtoll(rows, NULL, 10) : 0;
    options.overwrite = options.no_sync = true; /* the peers do not wait for the disk either */
    TRY(lochan_parquet_codec_from_name(codec, &options.codec, &failure));
    TRY(lochan_parquet_writer_open(path, schema, &options, &writer, &failure));
    return writer;
}

static int make(const char *name, const char *path, int64_t rows) {
    const shape *s = NULL;
    for (size_t i = 0; i < LOCHAN_COUNTOF(shapes); i++)
        s = strcmp(shapes[i].name, name) == 0 ? &shapes[i] : s;
    if (!s)
        return 2;
    struct ArrowSchema schema;
    lochan_builder *builder;
    s->schema(&schema);
    lochan_parquet_writer *writer = open_writer(path, &schema, "snappy");
    TRY(lochan_builder__create(&schema, &builder, &failure));
    for (int64_t row = 0; row < rows;) {
        struct ArrowArray batch;
        for (int64_t end = row + BATCH < rows ? row + BATCH : rows; row < end; row++)
            s->row(builder, row, rows);
        TRY(lochan_builder__finish(builder, &batch, &failure));
        TRY(lochan_parquet_writer_write_batch(writer, &batch, &failure));
        batch.release(&batch);
    }
    TRY(lochan_parquet_writer_close(writer, &failure));
    lochan_parquet_writer_free(writer);
    lochan_builder__free(builder);
    schema.release(&schema);
    return 0;
}

/* ---- reading and writing ---- */

typedef struct batches {
    struct ArrowSchema schema;
    struct ArrowArray *items;
    size_t n;
    int64_t rows;
} batches;

static void next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
    if (stream->get_next(stream, out) != 0) {
        fprintf(stderr, "%s\n", stream->get_last_error(stream));
        exit(1);
    }
}

static void free_batches(batches *b) {
    for (size_t i = 0; i < b->n; i++)
        b->items[i].release(&b->items[i]);
    free(b->items);
    b->schema.release(&b->schema);
    memset(b, 0, sizeof *b);
}

static struct ArrowArrayStream open_stream(const char *path, const char *columns,
                                           const char *where) {
    lochan_parquet_read_options options = LOCHAN_PARQUET_READ_OPTIONS_INIT;
    lochan_parquet_scan scan = LOCHAN_PARQUET_SCAN_INIT;
    lochan_parquet_reader *reader;
    struct ArrowArrayStream stream;
    char list[8192];
    const char *names[MAX_NAMES];
    options.threads = THREADS;
    const char *strings = getenv("PARQUET_BENCH_STRINGS"); /* "view": as Polars delivers them */
    options.strings = strings && strcmp(strings, "view") == 0 ? LOCHAN_PARQUET_STRINGS_VIEW
                                                              : LOCHAN_PARQUET_STRINGS_PLAIN;
    if (columns && *columns) {
        snprintf(list, sizeof list, "%s", columns);
        scan.columns = names;
        for (char *at = list, *end; at; at = end) {
            end = strchr(at, ',');
            if (end)
                *end++ = 0;
            names[scan.n_columns++] = at;
        }
    }
    scan.where = where && *where ? where : NULL;
    TRY(lochan_parquet_reader_open(path, &options, &reader, &failure));
    TRY(lochan_parquet_reader_stream(reader, &scan, &stream, &failure));
    lochan_parquet_reader_close(reader);
    return stream;
}

static batches read_all(const char *path, const char *columns, const char *where) {
    batches b = {0};
    size_t room = 0;
    struct ArrowArrayStream stream = open_stream(path, columns, where);
    if (stream.get_schema(&stream, &b.schema) != 0)
        exit(1);
    for (;;) {
        if (b.n == room) {
            room = room ? room * 2 : 64;
            b.items = realloc(b.items, room * sizeof *b.items);
            if (!b.items)
                exit(1);
        }
        next(&stream, &b.items[b.n]);
        if (!b.items[b.n].release)
            break;
        b.rows += b.items[b.n++].length;
    }
    stream.release(&stream);
    return b;
}

static void result(double wall, double used, int64_t rows) {
    printf("{\"wall\": %.6f, \"cpu\": %.6f, \"rows\": %lld, \"peak_kb\": %ld}\n", wall, used,
           (long long)rows, peak_kb());
}

static int read_job(const char *path, int repeats, const char *columns, const char *where) {
    double best = 1e9, least = 1e9;
    int64_t rows = 0;
    for (int i = 0; i < repeats; i++) {
        double used = cpu(), begin = now();
        batches b = read_all(path, columns, where);
        double wall = now() - begin;
        used = cpu() - used;
        best = wall < best ? wall : best, least = used < least ? used : least;
        rows = b.rows;
        free_batches(&b);
    }
    result(best, least, rows);
    return 0;
}

static int write_job(const char *in, const char *out, const char *codec, int repeats) {
    batches b = read_all(in, NULL, NULL);
    double best = 1e9, least = 1e9;
    for (int i = 0; i < repeats; i++) {
        (void)remove(out); /* what the file system does with an old file is not measured */
        double used = cpu(), begin = now();
        lochan_parquet_writer *writer = open_writer(out, &b.schema, codec);
        for (size_t k = 0; k < b.n; k++)
            TRY(lochan_parquet_writer_write_batch(writer, &b.items[k], &failure));
        TRY(lochan_parquet_writer_close(writer, &failure));
        lochan_parquet_writer_free(writer);
        double wall = now() - begin;
        used = cpu() - used;
        best = wall < best ? wall : best, least = used < least ? used : least;
    }
    result(best, least, b.rows);
    free_batches(&b);
    return 0;
}

/* Copies a file row group by row group, as bytes. */
static int raw_copy(const char *in, const char *out, int repeats) {
    double best = 1e9, least = 1e9;
    int64_t rows = 0;
    for (int i = 0; i < repeats; i++) {
        lochan_parquet_read_options options = LOCHAN_PARQUET_READ_OPTIONS_INIT;
        lochan_parquet_reader *reader;
        struct ArrowSchema schema;
        (void)remove(out);
        double used = cpu(), begin = now();
        options.threads = THREADS;
        TRY(lochan_parquet_reader_open(in, &options, &reader, &failure));
        TRY(lochan_parquet_reader_schema(reader, &schema, &failure));
        lochan_parquet_writer *writer = open_writer(out, &schema, "zstd");
        lochan_parquet_info info = LOCHAN_PARQUET_INFO_INIT;
        TRY(lochan_parquet_reader_info(reader, &info, &failure));
        for (int g = 0; g < info.row_groups; g++)
            TRY(lochan_parquet_writer_copy_row_group(writer, reader, g, &failure));
        rows = lochan_parquet_writer_rows(writer);
        TRY(lochan_parquet_writer_close(writer, &failure));
        lochan_parquet_writer_free(writer);
        lochan_parquet_reader_close(reader);
        schema.release(&schema);
        double wall = now() - begin;
        used = cpu() - used;
        best = wall < best ? wall : best, least = used < least ? used : least;
    }
    result(best, least, rows);
    return 0;
}

/* ---- memory ---- */

static uint64_t bytes_of(const struct ArrowSchema *schema, const struct ArrowArray *a) {
    uint64_t n = 0;
    lochan_type type;
    TRY(lochan_type__parse(schema->format, &type, &failure));
    if (type.id == LOCHAN_TYPE_STRING)
        n = 4 * (uint64_t)a->length + (uint64_t)((const int32_t *)a->buffers[1])[a->length];
    else
        n = (uint64_t)a->length * (uint64_t)lochan_type__bit_width(&type) / 8;
    for (int64_t i = 0; i < a->n_children; i++)
        n += bytes_of(schema->children[i], a->children[i]);
    return n;
}

/* Writes the batches of `in` again and again until `total` bytes of arrays have gone through. */
static int stream_write(const char *in, const char *out, uint64_t total) {
    struct ArrowArrayStream stream = open_stream(in, NULL, NULL);
    struct ArrowSchema schema;
    struct ArrowArray batch;
    uint64_t bytes = 0;
    if (stream.get_schema(&stream, &schema) != 0)
        exit(1);
    double used = cpu(), begin = now();
    lochan_parquet_writer *writer = open_writer(out, &schema, "zstd");
    while (bytes < total) {
        next(&stream, &batch);
        if (!batch.release) {
            stream.release(&stream);
            stream = open_stream(in, NULL, NULL);
            continue;
        }
        bytes += bytes_of(&schema, &batch);
        TRY(lochan_parquet_writer_write_batch(writer, &batch, &failure));
        batch.release(&batch);
    }
    int64_t rows = lochan_parquet_writer_rows(writer);
    TRY(lochan_parquet_writer_close(writer, &failure));
    lochan_parquet_writer_free(writer);
    result(now() - begin, cpu() - used, rows);
    stream.release(&stream);
    schema.release(&schema);
    return 0;
}

static int stream_read(const char *path) {
    struct ArrowArrayStream stream = open_stream(path, NULL, NULL);
    struct ArrowArray batch;
    int64_t rows = 0;
    double used = cpu(), begin = now();
    for (;;) {
        next(&stream, &batch);
        if (!batch.release)
            break;
        rows += batch.length;
        batch.release(&batch);
    }
    result(now() - begin, cpu() - used, rows);
    stream.release(&stream);
    return 0;
}

/* ---- what the machine could do ---- */

typedef struct packed_page {
    const uint8_t *src;
    size_t n, size;
    int32_t codec;
} packed_page;

typedef struct unpack_job {
    packed_page *pages;
    size_t n;
    lochan_pq_codec_cache codecs;
    uint8_t *dst[THREADS];
    double packing[THREADS];
} unpack_job;

/* Every THREADS-th page, into memory that is reused. */
static lochan_status unpack(void *ctx, size_t index, lochan_error *err) {
    unpack_job *job = ctx;
    for (size_t i = index; i < job->n; i += THREADS) {
        const packed_page *p = &job->pages[i];
        LOCHAN_TRY(lochan_pq_codec__decompress(&job->codecs, p->codec, p->src, p->n,
                                               job->dst[index], p->size, err));
    }
    return LOCHAN_OK;
}

/* Packs every THREADS-th page again, and counts only that. */
static lochan_status pack(void *ctx, size_t index, lochan_error *err) {
    unpack_job *job = ctx;
    lochan_buf out;
    lochan_status rc = LOCHAN_OK;
    lochan_buf__init(&out, SIZE_MAX / 4);
    job->packing[index] = 0;
    for (size_t i = index; i < job->n && rc == LOCHAN_OK; i += THREADS) {
        const packed_page *p = &job->pages[i];
        LOCHAN_TRYG(lochan_pq_codec__decompress(&job->codecs, p->codec, p->src, p->n,
                                                job->dst[index], p->size, err));
        double begin = now();
        lochan_buf__clear(&out);
        LOCHAN_TRYG(lochan_pq_codec__compress(&job->codecs, p->codec, 0, job->dst[index], p->size,
                                              &out, err));
        job->packing[index] += now() - begin;
    }
done:
    lochan_buf__deinit(&out);
    return rc;
}

/* Seconds that storing the bytes of the file takes, and nothing else. */
static double store(const char *path, const uint8_t *data, size_t n) {
    char other[4096];
    snprintf(other, sizeof other, "%s.stored", path);
    double begin = now();
    FILE *f = fopen(other, "wb");
    if (!f || setvbuf(f, NULL, _IONBF, 0) != 0)
        exit(1);
    for (size_t at = 0; at < n; at += 1 << 20) {
        size_t part = n - at < 1 << 20 ? n - at : 1 << 20;
        if (fwrite(data + at, 1, part, f) != part)
            exit(1);
    }
    fclose(f);
    double took = now() - begin;
    (void)remove(other);
    return took;
}

static void find_pages(lochan_pq_reader *r, unpack_job *job, size_t *largest) {
    size_t room = 0;
    for (int g = 0; g < lochan_pq_reader__row_groups(r); g++) {
        for (int l = 0; l < r->schema.n_leaves; l++) {
            lochan_pq_pages pages;
            lochan_pq_page page;
            bool more;
            TRY(lochan_pq_pages__init(&pages, &r->file, &r->schema.leaves[l],
                                      lochan_pq_reader__chunk(r, g, l), g, 1 << 20, &failure));
            for (;;) {
                TRY(lochan_pq_pages__next(&pages, &page, &more, &failure));
                if (!more)
                    break;
                if (job->n == room) {
                    room = room ? room * 2 : 1024;
                    job->pages = realloc(job->pages, room * sizeof *job->pages);
                    if (!job->pages)
                        exit(1);
                }
                size_t n = (size_t)page.header.compressed_size,
                       size = (size_t)page.header.uncompressed_size;
                job->pages[job->n++] =
                    (packed_page){r->file.source.data + pages.pos - n, n, size, pages.meta->codec};
                *largest = size > *largest ? size : *largest;
            }
            lochan_pq_pages__deinit(&pages);
        }
    }
}

typedef struct copy_job {
    uint8_t *from, *to;
    size_t n;
} copy_job;

static lochan_status copy_half(void *ctx, size_t index, lochan_error *err) {
    copy_job *job = ctx;
    (void)err;
    memcpy(job->to + index * job->n, job->from + index * job->n, job->n);
    return LOCHAN_OK;
}

static int limits(const char *path) {
    lochan_pool *pool;
    unpack_job job = {0};
    size_t largest = 0, size;
    lochan_pq_reader *reader;
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0)
        return 1;
    size = (size_t)ftell(f);
    rewind(f);
    uint8_t *data = malloc(size + 64);
    if (!data || fread(data, 1, size, f) != size)
        return 1;
    fclose(f);
    TRY(lochan_pool__create(THREADS, &pool, &failure));
    lochan_pq_source source = {.data = data, .size = size, .name = path};
    TRY(lochan_pq_reader__open(NULL, &source, NULL, &reader, &failure));
    find_pages(reader, &job, &largest);
    for (int i = 0; i < THREADS; i++)
        job.dst[i] = malloc(largest + 64);
    double unpacking = 1e9, copying = 1e9, packing = 1e9, storing = 1e9;
    copy_job copy = {malloc(256 << 20), malloc(256 << 20), 128 << 20};
    if (!copy.from || !copy.to)
        return 1;
    memset(copy.from, 1, 256 << 20);
    memset(copy.to, 1, 256 << 20);
    for (int i = 0; i < 5; i++) {
        double begin = now();
        TRY(lochan_pool__for(pool, THREADS, unpack, &job, NULL, &failure));
        double middle = now();
        TRY(lochan_pool__for(pool, THREADS, copy_half, &copy, NULL, &failure));
        double end = now();
        unpacking = middle - begin < unpacking ? middle - begin : unpacking;
        copying = end - middle < copying ? end - middle : copying;
        TRY(lochan_pool__for(pool, THREADS, pack, &job, NULL, &failure));
        double slowest = 0, stored = store(path, data, size);
        for (int t = 0; t < THREADS; t++)
            slowest = job.packing[t] > slowest ? job.packing[t] : slowest;
        packing = slowest < packing ? slowest : packing;
        storing = stored < storing ? stored : storing;
    }
    printf("{\"unpack\": %.6f, \"pack\": %.6f, \"store\": %.6f, \"copy_gb_s\": %.3f, "
           "\"pages\": %zu, \"rows\": %lld}\n",
           unpacking, packing, storing, 0.268435456 / copying, job.n,
           (long long)lochan_pq_reader__rows(reader));
    return 0; /* the rest goes with the process */
}

int main(int argc, char **argv) {
    const char *job = argc > 1 ? argv[1] : "";
    if (strcmp(job, "make") == 0 && argc == 5)
        return make(argv[2], argv[3], strtoll(argv[4], NULL, 10));
    if (strcmp(job, "read") == 0 && argc == 6)
        return read_job(argv[2], (int)strtol(argv[3], NULL, 10), argv[4], argv[5]);
    if (strcmp(job, "write") == 0 && argc == 6)
        return write_job(argv[2], argv[3], argv[4], (int)strtol(argv[5], NULL, 10));
    if (strcmp(job, "copy") == 0 && argc == 5)
        return raw_copy(argv[2], argv[3], (int)strtol(argv[4], NULL, 10));
    if (strcmp(job, "stream-write") == 0 && argc == 5)
        return stream_write(argv[2], argv[3], strtoull(argv[4], NULL, 10));
    if (strcmp(job, "stream-read") == 0 && argc == 3)
        return stream_read(argv[2]);
    if (strcmp(job, "limits") == 0 && argc == 3)
        return limits(argv[2]);
    fprintf(stderr, "parquet_job make SHAPE FILE ROWS | read FILE TIMES COLUMNS WHERE | "
                    "write IN OUT CODEC TIMES | copy IN OUT TIMES | stream-write IN OUT BYTES | "
                    "stream-read FILE | "
                    "limits FILE\n");
    return 2;
}
