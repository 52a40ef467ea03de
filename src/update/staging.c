/* staging.c - one folder per update under data/staging, one file per page.
 * A page file is: magic, fixed header (little-endian), the request's text, one zstd frame with the
 * body; docs/format.md. May call: base/, catalog/lock.h, source/yaml.h.
 */
#include "update/staging.h"

#include "base/civil.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"
#include "catalog/lock.h"
#include "source/yaml.h"
#include <zstd.h>

#define MAGIC     "LCHPAGE2"
#define OLD_MAGIC "LCHPAGE1" /* nothing is known of the headers */
#define HEADER_BYTES                                                                               \
    56 /* magic 8, fetched_at 8, body size 8, body hash 16, http status 4, text size 4, flags 8 */
#define HAS_MORE_KNOWN 1u
#define HAS_MORE       2u
#define MAX_TEXT       (64u << 10)
#define MAX_MANIFEST   (64u << 10)
#define PAGE_SUFFIX    ".page"
#define FAST_LEVEL     1 /* staged pages live for seconds: speed before size */

struct lochan_staging {
    char *folder; /* <lake>/data/staging/<update id> */
    bool read_only;
    lochan_lock *lock;
};

lochan_status lochan_staging__lock(const char *folder, lochan_lock **out, lochan_error *err) {
    *out = NULL;
    char *path = lochan_path__join(folder, LOCHAN_STAGING_LOCK);
    if (!path)
        return lochan_error__nomem(err);
    lochan_status rc = lochan_lock__acquire(path, folder, "lochan", 0, NULL, out, err);
    lochan_mem__free(path);
    return rc;
}

/* ---- folders of earlier updates ---- */

struct adoption {
    const char *root; /* <lake>/data/staging */
    const char *own;  /* name of our folder */
    const char *source;
    const char *dataset;
    const char *into; /* our folder's path */
    int64_t oldest;   /* wall time: older pages are not believed any more */
    int64_t adopted;
    int64_t bytes;
    const lochan_staging_claim *claim;
};

/* Whether the folder's update.yaml says that it belongs to the dataset. Anything unreadable belongs
 * to nobody. */
static bool belongs_to(const char *folder, const char *source, const char *dataset) {
    bool same = false;
    lochan_buf text;
    lochan_buf__init(&text, MAX_MANIFEST);
    char *path = lochan_path__join(folder, "update.yaml");
    lochan_yaml *doc = NULL;
    if (path && lochan_fs__read_all(path, MAX_MANIFEST, &text, NULL) == LOCHAN_OK &&
        lochan_yaml__parse((const char *)text.data, text.len, path, &doc, NULL) == LOCHAN_OK) {
        const lochan_yaml_node *root = lochan_yaml__root(doc);
        const char *s = NULL, *d = NULL;
        if (lochan_yaml__get_string(root, "source", &s, NULL) == LOCHAN_OK &&
            lochan_yaml__get_string(root, "dataset", &d, NULL) == LOCHAN_OK)
            same = s && d && strcmp(s, source) == 0 && strcmp(d, dataset) == 0;
    }
    lochan_yaml__free(doc);
    lochan_mem__free(path);
    lochan_buf__deinit(&text);
    return same;
}

static bool ends_with(const char *name, const char *suffix) {
    size_t n = strlen(name), m = strlen(suffix);
    return n > m && memcmp(name + n - m, suffix, m) == 0;
}

struct page_move {
    struct adoption *all;
    const char *from;
};

static lochan_status adopt_page(void *ctx, const char *name, const lochan_stat *st,
                                lochan_error *err) {
    struct page_move *move = ctx;
    if (st->is_dir || st->is_link || !ends_with(name, PAGE_SUFFIX) ||
        st->mtime_ns < move->all->oldest)
        return LOCHAN_OK;
    char *from = lochan_path__join(move->from, name);
    char *to = lochan_path__join(move->all->into, name);
    lochan_status rc = from && to ? LOCHAN_OK : lochan_error__nomem(err);
    if (rc == LOCHAN_OK && !lochan_fs__exists(to)) {
        rc = lochan_fs__rename(from, to, err);
        move->all->adopted += rc == LOCHAN_OK;
    }
    lochan_mem__free(from);
    lochan_mem__free(to);
    return rc;
}

static lochan_status move_pages(struct adoption *all, const char *folder, const char *name,
                                lochan_error *err) {
    struct page_move move = {all, folder};
    lochan_lock *lock;
    bool claimed = false;
    LOCHAN_TRY(lochan_staging__lock(folder, &lock, err));
    lochan_status rc =
        all->claim ? all->claim->fn(all->claim->ctx, folder, name, &claimed, err) : LOCHAN_OK;
    if (rc == LOCHAN_OK && !claimed)
        rc = lochan_fs__list(folder, adopt_page, &move, err);
    if (rc == LOCHAN_OK && !claimed)
        rc = lochan_fs__remove_tree(folder, err);
    lochan_lock__release(lock);
    return rc;
}

/* Unless its owner lives, or somebody else is taking it over; an owner that has published may be
 * removing it. */
static lochan_status take_over(struct adoption *all, const char *folder, const char *name,
                               lochan_error *err) {
    lochan_error why;
    lochan_error_init(&why);
    lochan_status rc = move_pages(all, folder, name, &why);
    if (rc == LOCHAN_ERR_LOCKED || rc == LOCHAN_ERR_NOT_FOUND)
        return LOCHAN_OK;
    if (rc != LOCHAN_OK && err)
        *err = why;
    return rc;
}

static lochan_status adopt_folder(void *ctx, const char *name, const lochan_stat *st,
                                  lochan_error *err) {
    struct adoption *all = ctx;
    if (!st->is_dir || strcmp(name, all->own) == 0)
        return LOCHAN_OK;
    char *folder = lochan_path__join(all->root, name);
    if (!folder)
        return lochan_error__nomem(err);
    lochan_status rc = LOCHAN_OK;
    if (belongs_to(folder, all->source, all->dataset))
        rc = take_over(all, folder, name, err);
    lochan_mem__free(folder);
    return rc;
}

static lochan_status write_manifest(const char *folder, const char *update_id, const char *source,
                                    const char *dataset, lochan_error *err) {
    char started[40];
    lochan_civil__format_utc(lochan_clock__wall_ns(), started);
    lochan_buf text;
    lochan_buf__init(&text, MAX_MANIFEST);
    char *path = lochan_path__join(folder, "update.yaml");
    lochan_status rc = path ? LOCHAN_OK : lochan_error__nomem(err);
    if (rc == LOCHAN_OK)
        rc = lochan_buf__printf(
            &text, err, "update_id: %s\nsource: \"%s\"\ndataset: \"%s\"\nstarted_at: \"%s\"\n",
            update_id, source, dataset, started);
    if (rc == LOCHAN_OK)
        rc = lochan_fs__write_all(path, text.data, text.len, err);
    lochan_mem__free(path);
    lochan_buf__deinit(&text);
    return rc;
}

lochan_status lochan_staging__open(const char *lake_path, const char *update_id, const char *source,
                                   const char *dataset, int64_t max_age_ns,
                                   const lochan_staging_claim *claim, lochan_staging **out,
                                   int64_t *adopted, lochan_error *err) {
    *out = NULL;
    *adopted = 0;
    lochan_status rc = LOCHAN_OK;
    char *root = lochan_path__join(lake_path, "data/staging");
    char *folder = root ? lochan_path__join(root, update_id) : NULL;
    lochan_staging *staging = lochan_mem__zalloc(sizeof *staging);
    if (!folder || !staging) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_fs__mkdirs(folder, NULL, err));
    LOCHAN_TRYG(lochan_staging__lock(folder, &staging->lock, err)); /* before it says whose it is */
    LOCHAN_TRYG(write_manifest(folder, update_id, source, dataset, err));
    struct adoption all = {root,    update_id, source,
                           dataset, folder,    lochan_clock__wall_ns() - max_age_ns,
                           0,       0,         claim};
    LOCHAN_TRYG(lochan_fs__list(root, adopt_folder, &all, err));
    *adopted = all.adopted;
    staging->folder = folder;
    *out = staging;
    folder = NULL;
    staging = NULL;
done:
    if (staging)
        lochan_lock__release(staging->lock);
    lochan_mem__free(root);
    lochan_mem__free(folder);
    lochan_mem__free(staging);
    return rc;
}

lochan_status lochan_staging__at(const char *folder, lochan_staging **out, lochan_error *err) {
    *out = lochan_mem__zalloc(sizeof **out);
    if (*out)
        (*out)->folder = lochan_mem__strdup(folder);
    if (!*out || !(*out)->folder) {
        lochan_staging__free(*out);
        *out = NULL;
        return lochan_error__nomem(err);
    }
    (*out)->read_only = true;
    return LOCHAN_OK;
}

const char *lochan_staging__folder(const lochan_staging *staging) {
    return staging->folder;
}

void lochan_staging__free(lochan_staging *staging) {
    if (staging) {
        lochan_lock__release(staging->lock);
        lochan_mem__free(staging->folder);
        lochan_mem__free(staging);
    }
}

lochan_status lochan_staging__remove(lochan_staging *staging, lochan_error *err) {
    return lochan_fs__remove_tree(staging->folder, err);
}

/* ---- pages ---- */

static char *page_path(const lochan_staging *staging, lochan_hash128 request) {
    char name[33 + sizeof PAGE_SUFFIX];
    lochan_hash128__hex(request, name);
    memcpy(name + 32, PAGE_SUFFIX, sizeof PAGE_SUFFIX);
    return lochan_path__join(staging->folder, name);
}

bool lochan_staging__is_page(const char *name, lochan_hash128 *request) {
    uint64_t part[2] = {0, 0};
    if (strlen(name) != 32 + strlen(PAGE_SUFFIX) || strcmp(name + 32, PAGE_SUFFIX) != 0)
        return false;
    for (int i = 0; i < 32; i++) {
        const char *digit = strchr("0123456789abcdef", name[i]);
        if (!digit)
            return false;
        part[i / 16] = part[i / 16] << 4 | (uint64_t)(digit - "0123456789abcdef");
    }
    *request = (lochan_hash128){.hi = part[0], .lo = part[1]};
    return true;
}

static lochan_status append_header(lochan_buf *buf, const lochan_staged_page *page,
                                   const void *body, size_t size, lochan_error *err) {
    size_t text = strlen(page->request_text);
    lochan_hash128 hash = lochan_hash__128(body, size);
    text = text < MAX_TEXT ? text : MAX_TEXT;
    LOCHAN_TRY(lochan_buf__append(buf, MAGIC, 8, err));
    LOCHAN_TRY(lochan_buf__u64le(buf, (uint64_t)page->fetched_at, err));
    LOCHAN_TRY(lochan_buf__u64le(buf, size, err));
    LOCHAN_TRY(lochan_buf__u64le(buf, hash.lo, err));
    LOCHAN_TRY(lochan_buf__u64le(buf, hash.hi, err));
    LOCHAN_TRY(lochan_buf__u32le(buf, (uint32_t)page->http_status, err));
    LOCHAN_TRY(lochan_buf__u32le(buf, (uint32_t)text, err));
    uint64_t flags = (page->has_more_known ? HAS_MORE_KNOWN : 0) | (page->has_more ? HAS_MORE : 0);
    LOCHAN_TRY(lochan_buf__u64le(buf, flags, err));
    return lochan_buf__append(buf, page->request_text, text, err);
}

/* Renames without a sync: what a power cut tears is noticed by its hash. */
static lochan_status write_unsynced(const char *path, const lochan_buf *buf, lochan_error *err) {
    char id[37];
    lochan_uuid__make(id);
    size_t n = strlen(path) + sizeof id + 8;
    char *temporary = lochan_mem__alloc(n);
    if (!temporary)
        return lochan_error__nomem(err);
    (void)lochan_format(temporary, n, "%s.%s.tmp", path, id);
    lochan_file *file = NULL;
    lochan_status rc = lochan_file__open(
        temporary, LOCHAN_FS_WRITE | LOCHAN_FS_CREATE | LOCHAN_FS_EXCLUSIVE, &file, err);
    if (rc == LOCHAN_OK)
        rc = lochan_file__write(file, buf->data, buf->len, 0, err);
    LOCHAN_KEEP(lochan_file__close(file, LOCHAN_KEEP_ERR(rc, err)));
    if (rc == LOCHAN_OK)
        rc = lochan_fs__rename(temporary, path, err);
    if (rc != LOCHAN_OK)
        (void)lochan_fs__unlink(temporary, true, NULL);
    lochan_mem__free(temporary);
    return rc;
}

lochan_status lochan_staging__put(lochan_staging *staging, const lochan_staged_page *page,
                                  const void *body, size_t size, lochan_error *err) {
    lochan_buf buf;
    size_t bound = ZSTD_compressBound(size);
    lochan_buf__init(&buf, bound + HEADER_BYTES + MAX_TEXT + 1);
    char *path = page_path(staging, page->request);
    lochan_status rc = path ? LOCHAN_OK : lochan_error__nomem(err);
    if (rc != LOCHAN_OK)
        goto done;
    LOCHAN_TRYG(append_header(&buf, page, body, size, err));
    LOCHAN_TRYG(lochan_buf__reserve(&buf, bound, err));
    size_t n = ZSTD_compress(buf.data + buf.len, bound, body, size, FAST_LEVEL);
    if (ZSTD_isError(n)) {
        rc = lochan_error__set(err, LOCHAN_ERR_NO_MEMORY, "compressing a staged page: %s",
                               ZSTD_getErrorName(n));
        goto done;
    }
    buf.len += n;
    LOCHAN_TRYG(write_unsynced(path, &buf, err));
done:
    lochan_buf__deinit(&buf);
    lochan_mem__free(path);
    return rc;
}

/* An older page does not say what its headers did, so nobody can tell from it what follows. */
static bool is_magic(const uint8_t *magic, bool old_too) {
    return memcmp(magic, MAGIC, 8) == 0 || (old_too && memcmp(magic, OLD_MAGIC, 8) == 0);
}

/* Decodes a page file; *good = false if anything about it is wrong. */
static lochan_status decode_page(const lochan_buf *file, bool old_too, size_t max_body,
                                 lochan_buf *body, lochan_staged_page *page, bool *good,
                                 lochan_error *err) {
    lochan_cursor c = {file->data, file->data + file->len};
    const uint8_t *magic, *text;
    uint64_t when, size, flags;
    lochan_hash128 want;
    uint32_t http_status, text_size;
    *good = false;
    if (!lochan_cursor__bytes(&c, 8, &magic) || !is_magic(magic, old_too) ||
        !lochan_cursor__u64le(&c, &when) || !lochan_cursor__u64le(&c, &size) ||
        !lochan_cursor__u64le(&c, &want.lo) || !lochan_cursor__u64le(&c, &want.hi) ||
        !lochan_cursor__u32le(&c, &http_status) || !lochan_cursor__u32le(&c, &text_size) ||
        !lochan_cursor__u64le(&c, &flags) || !lochan_cursor__bytes(&c, text_size, &text) ||
        flags > (HAS_MORE_KNOWN | HAS_MORE) || size > max_body ||
        ZSTD_getFrameContentSize(c.pos, lochan_cursor__left(&c)) != size)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_buf__reserve(body, (size_t)size + 1, err));
    size_t n =
        ZSTD_decompress(body->data + body->len, (size_t)size, c.pos, lochan_cursor__left(&c));
    if (ZSTD_isError(n) || n != size)
        return LOCHAN_OK;
    lochan_hash128 got = lochan_hash__128(body->data + body->len, n);
    *good = got.lo == want.lo && got.hi == want.hi;
    if (*good) {
        body->len += n;
        body->data[body->len] = 0;
        page->http_status = (int32_t)http_status;
        page->fetched_at = (int64_t)when;
        page->has_more_known = flags & HAS_MORE_KNOWN;
        page->has_more = flags & HAS_MORE;
    }
    return LOCHAN_OK;
}

lochan_status lochan_staging__get_page(lochan_staging *staging, lochan_hash128 request,
                                       size_t max_body, lochan_buf *body, lochan_staged_page *page,
                                       bool *found, lochan_error *err) {
    *found = false;
    *page = (lochan_staged_page){.request = request};
    char *path = page_path(staging, request);
    if (!path)
        return lochan_error__nomem(err);
    lochan_buf file;
    size_t max_file = ZSTD_compressBound(max_body) + HEADER_BYTES + MAX_TEXT;
    lochan_buf__init(&file, max_file + 1);
    lochan_status rc = LOCHAN_OK;
    if (lochan_fs__exists(path)) {
        rc = lochan_fs__read_all(path, max_file, &file, err);
        if (rc == LOCHAN_OK)
            rc = decode_page(&file, staging->read_only, max_body, body, page, found, err);
        if (rc == LOCHAN_OK && !*found && !staging->read_only)
            rc = lochan_fs__unlink(path, true, err);
    }
    lochan_buf__deinit(&file);
    lochan_mem__free(path);
    return rc;
}

lochan_status lochan_staging__get(lochan_staging *staging, lochan_hash128 request, size_t max_body,
                                  lochan_buf *body, int64_t *fetched_at, bool *found,
                                  lochan_error *err) {
    lochan_staged_page page;
    lochan_status rc =
        lochan_staging__get_page(staging, request, max_body, body, &page, found, err);
    *fetched_at = page.fetched_at;
    return rc;
}

/* ---- disk use ---- */

static lochan_status add_size(void *ctx, const char *name, const lochan_stat *st,
                              lochan_error *err) {
    (void)name;
    (void)err;
    struct adoption *all = ctx;
    all->bytes += st->is_dir ? 0 : (int64_t)st->size;
    return LOCHAN_OK;
}

static lochan_status add_folder(void *ctx, const char *name, const lochan_stat *st,
                                lochan_error *err) {
    struct adoption *all = ctx;
    if (!st->is_dir)
        return LOCHAN_OK;
    char *folder = lochan_path__join(all->root, name);
    if (!folder)
        return lochan_error__nomem(err);
    lochan_status rc = LOCHAN_OK;
    if (!all->dataset || belongs_to(folder, all->source, all->dataset))
        rc = lochan_fs__list(folder, add_size, all, err);
    lochan_mem__free(folder);
    /* an update that ends meanwhile takes its folder away */
    return rc == LOCHAN_ERR_NOT_FOUND ? LOCHAN_OK : rc;
}

lochan_status lochan_staging__disk_use(const char *lake_path, const char *source,
                                       const char *dataset, int64_t *bytes, lochan_error *err) {
    *bytes = 0;
    char *root = lochan_path__join(lake_path, "data/staging");
    if (!root)
        return lochan_error__nomem(err);
    struct adoption all = {root, "", source, dataset, "", 0, 0, 0, NULL};
    lochan_status rc =
        lochan_fs__exists(root) ? lochan_fs__list(root, add_folder, &all, err) : LOCHAN_OK;
    if (rc == LOCHAN_ERR_NOT_FOUND)
        rc = LOCHAN_OK;
    *bytes = all.bytes;
    lochan_mem__free(root);
    return rc;
}
