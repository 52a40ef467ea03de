/* manage.h - sources and datasets as the catalog keeps them.
 * May call: base/, catalog/, source/, spec.h, bundled.h.
 */
#ifndef LOCHAN_UPDATE_MANAGE_H
#define LOCHAN_UPDATE_MANAGE_H

#include "catalog/read.h"
#include "source/spec.h"
#include "table/table.h"
#include "update/spec.h"

/* The dataset's row and parsed spec. NOT_FOUND names the datasets of the source, or the command
 * that adds a bundled one. Deinit rows, free spec (also after a failure). */
lochan_status lochan_manage__load_dataset(lochan_lake *lake, const char *source,
                                          const char *dataset, lochan_dataset_rows *rows,
                                          lochan_dataset_spec **spec, lochan_error *err);

/* The source's spec with its overrides, then `options` ("key=value"), applied. */
lochan_status lochan_manage__load_source(lochan_lake *lake, const char *name,
                                         const char *const *options, size_t n_options,
                                         lochan_source_spec **out, lochan_error *err);

/* Whether the source is of kind files, whose ledger has a series a file instead of days. */
lochan_status lochan_manage__reads_files(lochan_lake *lake, const char *source, bool *files,
                                         lochan_error *err);

/* The columns that every row of the dataset has: declared ones, then those the pipeline fills.
 * Release *out also after a failure. */
lochan_status lochan_manage__declared_schema(const lochan_dataset_spec *spec,
                                             struct ArrowSchema *out, lochan_error *err);
/* The dataset's table as its spec describes it (made if there is none). */
lochan_status lochan_manage__open_table(lochan_lake *lake, const lochan_dataset_spec *spec,
                                        lochan_table **out, lochan_error *err);
/* A hash of all that decides how a provider's row becomes a stored row; a description, a batch or a
 * chunk size does not. */
lochan_status lochan_manage__hash_mapping(const lochan_dataset_spec *spec, char hex[33],
                                          lochan_error *err);

#endif
