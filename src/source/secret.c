/* secret.c - resolving, filling in and redacting secrets.
 * Invariants: memory that held a secret is wiped before it is freed; no error text is made from a
 * secret's bytes. May call: base/.
 */
#include "source/secret.h"

#include "base/fs.h"
#include "base/hash.h"
#include "base/str.h"

#include <stdio.h>

#define PLACEHOLDER     "{secret}"
#define MAX_SECRET      ((size_t)8192)
#define MIN_DATA_SECRET ((size_t)8)

struct lochan_secret {
    char *plain;
    char *percent;
    char *json; /* inside of a JSON string, without quotes */
    /* As others write it, to be overwritten where it comes back. */
    char *percent_lower; /* %2f for %2F */
    char *json_slashes;  /* with a backslash before each slash */
};

/* A plain memset may be left out by the compiler when the memory is freed next. */
static void wipe(void *p, size_t n) {
    volatile unsigned char *bytes = p;
    while (n-- > 0)
        *bytes++ = 0;
}

static void wipe_string(char *s) {
    if (!s)
        return;
    wipe(s, strlen(s));
    lochan_mem__free(s);
}

void lochan_secret__wipe(lochan_buf *buf) {
    if (buf->data)
        wipe(buf->data, buf->cap);
    lochan_buf__deinit(buf);
}

/* NULL: out of memory. */
static char *lower_hex(const char *percent) {
    char *copy = lochan_mem__strdup(percent);
    for (char *p = copy; p && *p; p++) {
        if (*p != '%')
            continue;
        for (int i = 0; i < 2 && p[1]; i++, p++)
            if (p[1] >= 'A' && p[1] <= 'F')
                p[1] = (char)(p[1] - 'A' + 'a');
    }
    return copy;
}

static char *with_slashes(const char *json) {
    char *out = lochan_mem__alloc(2 * strlen(json) + 1), *dst = out;
    for (const char *p = json; out && *p; p++) {
        if (*p == '/')
            *dst++ = '\\';
        *dst++ = *p;
    }
    if (out)
        *dst = '\0';
    return out;
}

lochan_status lochan_secret__check_reference(const char *reference, lochan_error *err) {
    const char *name = NULL;
    if (strncmp(reference, "env:", 4) == 0) {
        name = reference + 4;
        if (strchr(name, '='))
            name = NULL;
    } else if (strncmp(reference, "file:", 5) == 0) {
        name = reference + 5;
    }
    if (name && name[0] != '\0')
        return LOCHAN_OK;
    /* The text itself is not repeated: it may be the secret, given in the wrong place. */
    lochan_status rc = lochan_error__set(err, LOCHAN_ERR_SPEC,
                                         "a secret is given as env:NAME or file:PATH, not as such");
    lochan_error__hint(err,
                       "put the secret into an environment variable or a file and name that here");
    return rc;
}

static lochan_status read_reference(const char *reference, lochan_buf *out, lochan_error *err) {
    if (strncmp(reference, "env:", 4) == 0) {
        const char *value = getenv(reference + 4);
        if (!value || value[0] == '\0') {
            lochan_status rc = lochan_error__set(
                err, LOCHAN_ERR_NOT_FOUND,
                "the environment variable %.100s, which holds the secret, is not set",
                reference + 4);
            lochan_error__hint(err, "export %.100s=...", reference + 4);
            return rc;
        }
        return lochan_buf__puts(out, value, err);
    }
    lochan_status rc = lochan_fs__read_all(reference + 5, MAX_SECRET, out, err);
    return rc == LOCHAN_OK ? rc : lochan_error__prefix(err, rc, "reading the secret");
}

static char *encode(const char *s, bool percent) {
    static const char hex[] = "0123456789ABCDEF";
    size_t n = strlen(s);
    char *out = lochan_mem__alloc(n * 6 + 1), *p = out;
    if (!out)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        bool unreserved = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                          (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_' || c == '~';
        if (percent && !unreserved) {
            *p++ = '%';
            *p++ = hex[c >> 4];
            *p++ = hex[c & 15];
        } else {
            if (!percent && (c == '"' || c == '\\'))
                *p++ = '\\';
            *p++ = (char)c;
        }
    }
    *p = '\0';
    return out;
}

static lochan_status check_text(lochan_str s, lochan_error *err) {
    if (s.n == 0)
        return lochan_error__set(err, LOCHAN_ERR_SPEC, "the secret is empty");
    if (s.n > MAX_SECRET)
        return lochan_error__set(err, LOCHAN_ERR_SPEC, "the secret is longer than %zu bytes",
                                 MAX_SECRET);
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return lochan_error__set(err, LOCHAN_ERR_SPEC, "the secret holds a control character");
    return LOCHAN_OK;
}

lochan_status lochan_secret__load(const char *reference, lochan_secret **out, lochan_error *err) {
    *out = NULL;
    if (!reference)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_secret__check_reference(reference, err));
    lochan_status rc = LOCHAN_OK;
    lochan_secret *secret = NULL;
    lochan_buf text;
    lochan_buf__init(&text, MAX_SECRET * 2);
    LOCHAN_TRYG(lochan_buf__reserve(&text, MAX_SECRET,
                                    err)); /* at once: growing would leave copies behind */
    LOCHAN_TRYG(read_reference(reference, &text, err));
    lochan_str trimmed = lochan_str__trim((lochan_str){(const char *)text.data, text.len});
    rc = check_text(trimmed, err);
    if (rc != LOCHAN_OK) {
        lochan_error__prefix(err, rc, "%.100s", reference);
        goto done;
    }
    secret = lochan_mem__zalloc(sizeof(*secret));
    if (secret && (secret->plain = lochan_mem__strndup(trimmed.p, trimmed.n))) {
        secret->percent = encode(secret->plain, true);
        secret->json = encode(secret->plain, false);
        secret->percent_lower = secret->percent ? lower_hex(secret->percent) : NULL;
        secret->json_slashes = secret->json ? with_slashes(secret->json) : NULL;
    }
    if (!secret || !secret->percent_lower || !secret->json_slashes) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    *out = secret;
    secret = NULL;
done:
    lochan_secret__wipe(&text);
    lochan_secret__free(secret);
    return rc;
}

void lochan_secret__free(lochan_secret *secret) {
    if (!secret)
        return;
    wipe_string(secret->plain);
    wipe_string(secret->percent);
    wipe_string(secret->percent_lower);
    wipe_string(secret->json_slashes);
    wipe_string(secret->json);
    lochan_mem__free(secret);
}

lochan_status lochan_secret__fill(const lochan_secret *secret, lochan_secret_form form,
                                  const char *text, lochan_buf *out, lochan_error *err) {
    if (strstr(text, PLACEHOLDER) && !secret)
        return lochan_error__set(err, LOCHAN_ERR_SPEC,
                                 "the request needs a secret, but the source names none");
    const char *value = !secret                         ? ""
                        : form == LOCHAN_SECRET_PERCENT ? secret->percent
                        : form == LOCHAN_SECRET_JSON    ? secret->json
                                                        : secret->plain;
    for (const char *hit; (hit = strstr(text, PLACEHOLDER)) != NULL;
         text = hit + sizeof(PLACEHOLDER) - 1) {
        LOCHAN_TRY(lochan_buf__append(out, text, (size_t)(hit - text), err));
        LOCHAN_TRY(lochan_buf__puts(out, value, err));
    }
    return lochan_buf__puts(out, text, err);
}

uint64_t lochan_secret__fingerprint(const lochan_secret *secret, const uint8_t *salt, size_t n) {
    if (!secret)
        return 0;
    uint64_t inner =
        lochan_hash__64(secret->plain, strlen(secret->plain), lochan_hash__64(salt, n, 1));
    return lochan_hash__64(salt, n, inner);
}

static bool redact_text(const char *text, char *p, size_t n) {
    size_t length = strlen(text);
    bool found = false;
    while (n >= length) {
        char *hit = memmem(p, n, text, length);
        if (!hit)
            break;
        memset(hit, '*', length);
        n -= (size_t)(hit + length - p);
        p = hit + length;
        found = true;
    }
    return found;
}

bool lochan_secret__redact(const lochan_secret *secret, void *p, size_t n, bool is_data) {
    if (!secret || n == 0 || (is_data && strlen(secret->plain) < MIN_DATA_SECRET))
        return false;
    const char *const forms[] = {secret->plain, secret->percent, secret->percent_lower,
                                 secret->json, secret->json_slashes};
    bool found = false;
    for (size_t i = 0; i < LOCHAN_COUNTOF(forms); i++)
        if (i == 0 || strcmp(forms[i], secret->plain) != 0)
            found |= redact_text(forms[i], p, n);
    return found;
}
