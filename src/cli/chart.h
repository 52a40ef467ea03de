/* chart.h - a column drawn as a line in the terminal. May call: libc, print.h. */
#ifndef LOCHAN_CLI_CHART_H
#define LOCHAN_CLI_CHART_H

#include "cli/print.h"

typedef struct lochan_cli_chart {
    const char *y;  /* a column of numbers */
    const char *x;  /* NULL = the first date or timestamp */
    const char *by; /* NULL, or the column whose values have a line each */
    int width;      /* cells of the whole chart */
    int height;     /* lines of the plot */
} lochan_cli_chart;

/* Draws the rows of the stream. Rows without x or y are left out; several rows of one cell are
 * averaged. */
lochan_status lochan_cli__print_chart(struct ArrowArrayStream *stream,
                                      const lochan_cli_chart *chart, lochan_cli_out *out,
                                      lochan_error *err);

#endif
