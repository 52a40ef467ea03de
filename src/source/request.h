/* request.h - what request.c offers inside source/ only.
 * Invariant: as in spec.h. May call: base/, spec.h, secret.h.
 */
#ifndef LOCHAN_SOURCE_REQUEST_H
#define LOCHAN_SOURCE_REQUEST_H

#include "source/secret.h"
#include "source/spec.h"

/* How a secret is written into the body: by its content type, JSON unless it is a form. */
lochan_secret_form lochan_source_request__body_form(const lochan_source_request *request);
lochan_status lochan_source_request__dup(const lochan_source_request *from,
                                         lochan_source_request *out, lochan_error *err);

#endif
