/* cell.h - one value of a page as text: what the scanners make and the columns take.
 * Invariant: cells point into the page, or into what their scanner keeps. May call: nothing.
 */
#ifndef LOCHAN_SOURCE_CELL_H
#define LOCHAN_SOURCE_CELL_H

#include <stdint.h>

enum {
    LOCHAN_CSV_QUOTED = 1,  /* was in quotes (they are not part of the cell) */
    LOCHAN_CSV_DOUBLED = 2, /* holds doubled quotes, each standing for one */
    LOCHAN_CSV_NULL = 4     /* no value, whatever the text */
};

typedef struct lochan_csv_cell {
    const char *p;
    uint32_t n;
    uint32_t flags;
} lochan_csv_cell;

#endif
