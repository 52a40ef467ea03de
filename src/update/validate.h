/* validate.h - what validate.c offers beside the functions of job.h.
 * May call: base/, arrow/, job.h.
 */
#ifndef LOCHAN_UPDATE_VALIDATE_H
#define LOCHAN_UPDATE_VALIDATE_H

#include "update/job.h"

/* NULL = spec. INVALID_ARGUMENT lists the levels. */
lochan_status lochan_validate__level(const char *name, lochan_validate_level *out,
                                     lochan_error *err);
/* The rule that quarantines values of the column which are not of its type, NULL if there is none:
 * then the decoder reads the type. Else it reads text, and lochan_job__check_rows the type. */
const lochan_rule *lochan_validate__type_rule(const lochan_dataset_spec *spec, const char *column);
/* Appends one row as a JSON object of texts. */
lochan_status lochan_validate__record(const struct ArrowSchema *schema,
                                      const struct ArrowArray *batch, int64_t row, lochan_buf *out,
                                      lochan_error *err);
/* Rule unique, over all rows of the update; a scope that breaks it fails. */
lochan_status lochan_job__check_unique(lochan_job *job, lochan_error *err);

#endif
