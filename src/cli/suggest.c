/* suggest.c - finds the word that was meant.
 * Invariant: words longer than 63 bytes are never near, so the table is on the stack. May call:
 * libc.
 */
#include "cli/cli.h"

#include <string.h>

#define LONGEST 63

/* Edits (insert, remove, replace, swap of neighbours) from a to b. */
static size_t distance(const char *a, size_t an, const char *b, size_t bn) {
    size_t rows[3][LONGEST + 1];
    for (size_t j = 0; j <= bn; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= an; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3], *swap = rows[(i + 1) % 3]; /* i - 2 */
        row[0] = i;
        for (size_t j = 1; j <= bn; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                swap[j - 2] + 1 < best)
                best = swap[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[an % 3][bn];
}

const char *lochan_cli__nearest(const char *word, const char *const *candidates, size_t n) {
    const char *nearest = NULL;
    size_t len = strlen(word);
    size_t best = len < 4 ? 2 : len / 3 + 1; /* less than this is near */
    if (len == 0 || len > LONGEST)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t m = strlen(candidates[i]);
        if (m > LONGEST)
            continue;
        size_t d = distance(word, len, candidates[i], m);
        if (d < best) {
            best = d;
            nearest = candidates[i];
        }
    }
    return nearest;
}
