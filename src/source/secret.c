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
#define BASIC_HOLDER    "{secret:basic}"
#define MAX_SECRET      ((size_t)8192)
#define MIN_DATA_SECRET ((size_t)8)

/* The secret as it is sent, then as others may write it, to be overwritten where it comes back. The
 * last four are of "user:secret" in base64, NULL unless it is for Basic. */
enum form {
    PLAIN,
    PERCENT,
    JSON, /* inside of a JSON string, without quotes */
    BASIC,
    PERCENT_LOWER, /* %2f for %2F */
    JSON_SLASHES,  /* with a backslash before each slash */
    BASIC_PERCENT,
    BASIC_PERCENT_LOWER,
    BASIC_SLASHES,
    N_FORMS
};

struct lochan_secret {
    char *forms[N_FORMS];
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

/* "user:password" in base64; NULL: out of memory. */
static char *encode_basic(lochan_str user, lochan_str password) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = user.n + 1 + password.n;
    char *out = lochan_mem__alloc((n + 2) / 3 * 4 + 1), *p = out;
    if (!out)
        return NULL;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t bits = 0;
        for (size_t k = i; k < i + 3; k++) {
            uint8_t c = k < user.n    ? (uint8_t)user.p[k]
                        : k == user.n ? ':'
                        : k < n       ? (uint8_t)password.p[k - user.n - 1]
                                      : 0;
            bits = bits << 8 | c;
        }
        *p++ = digits[bits >> 18];
        *p++ = digits[bits >> 12 & 63];
        *p++ = i + 1 < n ? digits[bits >> 6 & 63] : '=';
        *p++ = i + 2 < n ? digits[bits & 63] : '=';
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

/* "user:password" becomes the user and the password. */
static lochan_status split_user(lochan_str *text, lochan_str *user, lochan_error *err) {
    const char *colon = memchr(text->p, ':', text->n);
    if (!colon)
        return lochan_error__set(
            err, LOCHAN_ERR_SPEC,
            "for auth: basic the secret is user:password, unless auth.user names the user");
    *user = (lochan_str){text->p, (size_t)(colon - text->p)};
    *text = (lochan_str){colon + 1, text->n - user->n - 1};
    return check_text(*text, err);
}

static lochan_secret *make(lochan_str text, const lochan_str *user) {
    lochan_secret *s = lochan_mem__zalloc(sizeof(*s));
    if (!s)
        return NULL;
    char **f = s->forms;
    bool ok = (f[PLAIN] = lochan_mem__strndup(text.p, text.n)) &&
              (f[PERCENT] = encode(f[PLAIN], true)) && (f[JSON] = encode(f[PLAIN], false)) &&
              (f[PERCENT_LOWER] = lower_hex(f[PERCENT])) &&
              (f[JSON_SLASHES] = with_slashes(f[JSON]));
    if (ok && user)
        ok = (f[BASIC] = encode_basic(*user, text)) &&
             (f[BASIC_PERCENT] = encode(f[BASIC], true)) &&
             (f[BASIC_PERCENT_LOWER] = lower_hex(f[BASIC_PERCENT])) &&
             (f[BASIC_SLASHES] = with_slashes(f[BASIC]));
    if (ok)
        return s;
    lochan_secret__free(s);
    return NULL;
}

static lochan_status load(const char *reference, bool basic, const char *name, lochan_secret **out,
                          lochan_error *err) {
    *out = NULL;
    if (!reference)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_secret__check_reference(reference, err));
    lochan_status rc = LOCHAN_OK;
    lochan_str user = lochan_str__of(name ? name : "");
    lochan_buf text;
    lochan_buf__init(&text, MAX_SECRET * 2);
    LOCHAN_TRYG(lochan_buf__reserve(&text, MAX_SECRET,
                                    err)); /* at once: growing would leave copies behind */
    LOCHAN_TRYG(read_reference(reference, &text, err));
    lochan_str trimmed = lochan_str__trim((lochan_str){(const char *)text.data, text.len});
    rc = check_text(trimmed, err);
    if (rc == LOCHAN_OK && basic && !name)
        rc = split_user(&trimmed, &user, err);
    if (rc != LOCHAN_OK) {
        lochan_error__prefix(err, rc, "%.100s", reference);
        goto done;
    }
    *out = make(trimmed, basic ? &user : NULL);
    if (!*out)
        rc = lochan_error__nomem(err);
done:
    lochan_secret__wipe(&text);
    return rc;
}

lochan_status lochan_secret__load(const char *reference, lochan_secret **out, lochan_error *err) {
    return load(reference, false, NULL, out, err);
}

lochan_status lochan_secret__load_basic(const char *reference, const char *user,
                                        lochan_secret **out, lochan_error *err) {
    return load(reference, true, user, out, err);
}

void lochan_secret__free(lochan_secret *secret) {
    if (!secret)
        return;
    for (size_t i = 0; i < N_FORMS; i++)
        wipe_string(secret->forms[i]);
    lochan_mem__free(secret);
}

lochan_status lochan_secret__fill(const lochan_secret *secret, lochan_secret_form form,
                                  const char *text, lochan_buf *out, lochan_error *err) {
    bool basic = strstr(text, BASIC_HOLDER) != NULL;
    if ((basic || strstr(text, PLACEHOLDER)) && !secret)
        return lochan_error__set(err, LOCHAN_ERR_SPEC,
                                 "the request needs a secret, but the source names none");
    if (basic && !secret->forms[BASIC])
        return lochan_error__set(err, LOCHAN_ERR_SPEC, "{secret:basic} is for auth: basic");
    const char *placeholder = basic ? BASIC_HOLDER : PLACEHOLDER;
    const char *value = !secret                         ? ""
                        : basic                         ? secret->forms[BASIC]
                        : form == LOCHAN_SECRET_PERCENT ? secret->forms[PERCENT]
                        : form == LOCHAN_SECRET_JSON    ? secret->forms[JSON]
                                                        : secret->forms[PLAIN];
    for (const char *hit; (hit = strstr(text, placeholder)) != NULL;
         text = hit + strlen(placeholder)) {
        LOCHAN_TRY(lochan_buf__append(out, text, (size_t)(hit - text), err));
        LOCHAN_TRY(lochan_buf__puts(out, value, err));
    }
    return lochan_buf__puts(out, text, err);
}

uint64_t lochan_secret__fingerprint(const lochan_secret *secret, const uint8_t *salt, size_t n) {
    if (!secret)
        return 0;
    uint64_t inner = lochan_hash__64(secret->forms[PLAIN], strlen(secret->forms[PLAIN]),
                                     lochan_hash__64(salt, n, 1));
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
    if (!secret || n == 0 || (is_data && strlen(secret->forms[PLAIN]) < MIN_DATA_SECRET))
        return false;
    bool found = false;
    for (size_t i = 0; i < N_FORMS; i++)
        if (secret->forms[i] && (i == 0 || strcmp(secret->forms[i], secret->forms[PLAIN]) != 0))
            found |= redact_text(secret->forms[i], p, n);
    return found;
}
