/* recorded.c - writes and reads one recorded answer.
 * Invariant: values of lines hold no line break, so nothing can pretend to be another line. May
 * call: base/.
 */
#include "source/recorded.h"

#include "base/fs.h"

#include <stdio.h>

#define MAGIC "lochan-record: 1\n"

const char *lochan_recorded__target(const char *url) {
    const char *host = strstr(url, "://");
    const char *target = strchr(host ? host + 3 : url, '/');
    return target ? target : "/";
}

static lochan_status put_line(lochan_buf *out, const char *key, const char *value, size_t n,
                              lochan_error *err) {
    if (n == 0)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_buf__printf(out, err, "%s: ", key));
    for (size_t i = 0; i < n; i++)
        LOCHAN_TRY(lochan_buf__putc(out, (unsigned char)value[i] < ' ' ? ' ' : value[i], err));
    return lochan_buf__putc(out, '\n', err);
}

lochan_status lochan_recorded__write(const char *dir, int64_t number, const lochan_recorded *r,
                                     lochan_error *err) {
    char path[4096];
    lochan_buf text;
    lochan_status rc;
    lochan_buf__init(&text, r->body.n + r->request_body.n + 65536);
    LOCHAN_TRYG(lochan_buf__puts(&text, MAGIC, err));
    LOCHAN_TRYG(put_line(&text, "method", r->method, strlen(r->method), err));
    LOCHAN_TRYG(put_line(&text, "target", r->target.p, r->target.n, err));
    LOCHAN_TRYG(lochan_buf__printf(&text, err, "status: %d\nrequest-bytes: %zu\nbytes: %zu\n",
                                   (int)r->status, r->request_body.n, r->body.n));
    LOCHAN_TRYG(put_line(&text, "content-type", r->content_type, strlen(r->content_type), err));
    LOCHAN_TRYG(put_line(&text, "retry-after", r->retry_after, strlen(r->retry_after), err));
    LOCHAN_TRYG(put_line(&text, "x-has-more", r->has_more, strlen(r->has_more), err));
    LOCHAN_TRYG(lochan_buf__putc(&text, '\n', err));
    LOCHAN_TRYG(lochan_buf__append(&text, r->request_body.p, r->request_body.n, err));
    LOCHAN_TRYG(lochan_buf__append(&text, r->body.p, r->body.n, err));
    if (!lochan_format(path, sizeof(path), "%s/%08lld%s", dir, (long long)number,
                       LOCHAN_RECORDED_SUFFIX)) {
        rc = lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "the path is too long");
        goto done;
    }
    rc = lochan_fs__write_all(path, text.data, text.len, err);
done:
    lochan_buf__deinit(&text);
    return rc;
}

static bool is_key(lochan_str line, const char *key, lochan_str *value) {
    size_t n = strlen(key);
    if (line.n < n + 2 || memcmp(line.p, key, n) != 0 || line.p[n] != ':')
        return false;
    *value = lochan_str__trim((lochan_str){line.p + n + 1, line.n - n - 1});
    return true;
}

static void copy_value(char *dst, size_t cap, lochan_str value) {
    lochan_format(dst, cap, "%.*s", (int)(value.n < cap ? value.n : cap - 1), value.p);
}

lochan_status lochan_recorded__parse(const char *text, size_t n, lochan_recorded *out,
                                     lochan_error *err) {
    memset(out, 0, sizeof(*out));
    uint64_t sizes[2] = {0, 0}, status = 0;
    const char *p = text, *end = text + n;
    bool magic = n > strlen(MAGIC) && memcmp(text, MAGIC, strlen(MAGIC)) == 0;
    while (magic && p < end && *p != '\n') {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        lochan_str line = {p, stop ? (size_t)(stop - p) : (size_t)(end - p)}, value;
        if (is_key(line, "method", &value))
            copy_value(out->method, sizeof(out->method), value);
        else if (is_key(line, "target", &value))
            out->target = value;
        else if (is_key(line, "status", &value))
            magic = lochan_parse__uint64(value.p, value.n, &status) && status < 1000;
        else if (is_key(line, "request-bytes", &value))
            magic = lochan_parse__uint64(value.p, value.n, &sizes[0]);
        else if (is_key(line, "bytes", &value))
            magic = lochan_parse__uint64(value.p, value.n, &sizes[1]);
        else if (is_key(line, "content-type", &value))
            copy_value(out->content_type, sizeof(out->content_type), value);
        else if (is_key(line, "retry-after", &value))
            copy_value(out->retry_after, sizeof(out->retry_after), value);
        else if (is_key(line, "x-has-more", &value))
            copy_value(out->has_more, sizeof(out->has_more), value);
        p = stop ? stop + 1 : end;
    }
    size_t left = p < end ? (size_t)(end - p - 1) : 0;
    if (!magic || p >= end || !out->target.n || status < 100 || sizes[0] > left ||
        left - sizes[0] != sizes[1])
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT, "this is no whole recorded answer");
    out->status = (int32_t)status;
    out->request_body = (lochan_str){p + 1, sizes[0]};
    out->body = (lochan_str){p + 1 + sizes[0], sizes[1]};
    return LOCHAN_OK;
}
