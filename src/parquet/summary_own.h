/* summary_own.h - making a summary from metadata; shared by reader and writer. May call: the rest
 * of parquet/. */
#ifndef LOCHAN_PARQUET_SUMMARY_OWN_H
#define LOCHAN_PARQUET_SUMMARY_OWN_H

#include "parquet/schema.h"
#include "parquet/summary.h"

lochan_status lochan_pq_summary__of_meta(const lochan_pq_file_meta *meta,
                                         const lochan_pq_schema *schema, uint64_t file_size,
                                         uint32_t footer_length, lochan_pq_summary *out,
                                         lochan_error *err);

#endif
