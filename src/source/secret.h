/* secret.h - tokens and passwords: resolved late, wiped, never printed.
 * Invariant: no function here formats a secret; the only ways out are fill (into what is sent) and
 * redact (which removes it). May call: base/.
 */
#ifndef LOCHAN_SOURCE_SECRET_H
#define LOCHAN_SOURCE_SECRET_H

#include "base/buf.h"

typedef struct lochan_secret lochan_secret;

/* Checks the form of a reference ("env:NAME" | "file:PATH") without resolving it. */
lochan_status lochan_secret__check_reference(const char *reference, lochan_error *err);
/* Resolves a reference. NULL reference: *out = NULL. NOT_FOUND names the variable or file, never a
 * value. Blanks around the secret are dropped; an empty one, one above 8 KB or with control
 * characters is refused. */
lochan_status lochan_secret__load(const char *reference, lochan_secret **out, lochan_error *err);
/* The same for HTTP's Basic: fill and redact know "user:secret" in base64, too. user NULL: the
 * reference holds "user:password", and the secret is the password. */
lochan_status lochan_secret__load_basic(const char *reference, const char *user,
                                        lochan_secret **out, lochan_error *err);
void lochan_secret__free(lochan_secret *secret); /* wipes; NULL is a no-op */

typedef enum lochan_secret_form {
    LOCHAN_SECRET_PLAIN,
    LOCHAN_SECRET_PERCENT,
    LOCHAN_SECRET_JSON
} lochan_secret_form;
/* Appends `text` to `out` with each "{secret}" replaced, and "{secret:basic}" by the base64 of
 * Basic. A placeholder without a secret (NULL) is a SPEC error. The caller wipes `out`
 * (lochan_secret__wipe) after use. */
lochan_status lochan_secret__fill(const lochan_secret *secret, lochan_secret_form form,
                                  const char *text, lochan_buf *out, lochan_error *err);
void lochan_secret__wipe(lochan_buf *buf); /* zeroes and frees */

/* A number that tells secrets apart, under a salt; 0 for no secret. Not for anything to be kept
 * whole: callers shorten it. */
uint64_t lochan_secret__fingerprint(const lochan_secret *secret, const uint8_t *salt, size_t n);

/* Overwrites every occurrence, plain, percent-encoded (in either case) or JSON-escaped (slashes
 * too), with '*' (sizes stay). In data (as opposed to messages) secrets shorter than 8 bytes are
 * left, since they cannot be told from values. NULL secret: no-op. Returns whether something was
 * overwritten. */
bool lochan_secret__redact(const lochan_secret *secret, void *p, size_t n, bool is_data);

#endif
