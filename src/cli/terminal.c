/* terminal.c - see terminal.h. The width of characters follows Unicode's East Asian Width (wide and
 * full-width: two cells) and gives combining marks none; the tables hold the ranges in use, not
 * every code point. May call: libc.
 */
#include "cli/terminal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

typedef struct range {
    uint32_t first, last;
} range;

static const range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2e80, 0x303e},   {0x3041, 0x33ff},
    {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xa960, 0xa97f},
    {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
    {0xffe0, 0xffe6},   {0x16fe0, 0x18aff}, {0x1b000, 0x1b2ff}, {0x1f300, 0x1f64f},
    {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
};

static const range zero[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489},   {0x0591, 0x05bd}, {0x0610, 0x061a}, {0x064b, 0x065f},
    {0x06d6, 0x06dc}, {0x0900, 0x0902},   {0x093c, 0x093c}, {0x0941, 0x0948}, {0x0e31, 0x0e31},
    {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e},   {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200f},
    {0x2028, 0x202e}, {0x2060, 0x2064},   {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
    {0xfeff, 0xfeff}, {0xe0100, 0xe01ef},
};

static bool is_in(const range *ranges, size_t n, uint32_t code) {
    for (size_t i = 0; i < n && ranges[i].first <= code; i++) {
        if (code <= ranges[i].last)
            return true;
    }
    return false;
}

static int cells_of(uint32_t code) {
    if (code < 0x300)
        return 1;
    if (is_in(zero, sizeof zero / sizeof *zero, code))
        return 0;
    return is_in(wide, sizeof wide / sizeof *wide, code) ? 2 : 1;
}

bool lochan_cli__is_terminal(int fd) {
    const char *term = getenv("TERM");
    return isatty(fd) && !(term && strcmp(term, "dumb") == 0);
}

int lochan_cli__columns(int fd) {
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    const char *text = getenv("COLUMNS");
    long n = text ? strtol(text, NULL, 10) : 0;
    return n >= 20 && n <= 10000 ? (int)n : 80;
}

size_t lochan_cli__utf8(const char *s, size_t n, uint32_t *code) {
    const unsigned char *p = (const unsigned char *)s;
    if (n == 0)
        return 0;
    if (p[0] < 0x80) {
        *code = p[0];
        return 1;
    }
    size_t len = p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc2 ? 2 : 0;
    if (p[0] > 0xf4 || len == 0 || len > n)
        return 0;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t c = p[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *code = c;
    return len;
}

size_t lochan_cli__fit(const char *s, size_t n, int cells) {
    size_t i = 0;
    while (i < n) {
        uint32_t code = ' ';
        size_t len = lochan_cli__utf8(s + i, n - i, &code);
        cells -= cells_of(code);
        if (cells < 0)
            break;
        i += len ? len : 1;
    }
    return i;
}

int lochan_cli__width(const char *s, size_t n) {
    int cells = 0;
    for (size_t i = 0; i < n;) {
        uint32_t code = ' ';
        size_t len = lochan_cli__utf8(s + i, n - i, &code);
        cells += cells_of(code);
        i += len ? len : 1;
    }
    return cells;
}

void lochan_cli__add_count(lochan_cli_text *t, int64_t n) {
    char digits[24];
    uint64_t size = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)size);
    if (n < 0)
        lochan_cli__addc(t, '-');
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            lochan_cli__addc(t, ',');
        lochan_cli__addc(t, digits[i]);
    }
}

void lochan_cli__add_bytes(lochan_cli_text *t, int64_t bytes) {
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB"};
    if (bytes > -1000 && bytes < 1000) {
        lochan_cli__addf(t, "%d B", (int)bytes);
        return;
    }
    double size = (double)bytes / 1000;
    size_t unit = 0;
    while (unit < 4 && fabs(size) >= 999.5) {
        size /= 1000;
        unit++;
    }
    lochan_cli__addf(t, fabs(size) < 99.95 ? "%.1f %s" : "%.0f %s", size, units[unit]);
}

void lochan_cli__add_seconds(lochan_cli_text *t, double seconds) {
    if (seconds < 0.9995) {
        lochan_cli__addf(t, "%.0f ms", seconds * 1000);
    } else if (seconds < 60) {
        lochan_cli__addf(t, "%.1f s", seconds);
    } else {
        long long s = (long long)(seconds + 0.5);
        if (s < 3600)
            lochan_cli__addf(t, "%lld min %lld s", s / 60, s % 60);
        else
            lochan_cli__addf(t, "%lld h %lld min", s / 3600, s % 3600 / 60);
    }
}

double lochan_cli__now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
