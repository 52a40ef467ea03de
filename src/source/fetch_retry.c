/* fetch_retry.c - when a page is asked again.
 * Invariant: time and chance come from base/clock.h, so a test decides both. May call: base/,
 * libcurl (dates).
 */
#include "source/fetch_own.h"

#include "base/clock.h"

int64_t lochan_fetch__next_backoff(int64_t first_ns, int64_t max_ns, int64_t last_ns) {
    if (first_ns <= 0)
        return 0;
    int64_t last = last_ns < first_ns ? first_ns : last_ns;
    int64_t top = last > max_ns / 3 ? max_ns : last * 3;
    if (top <= first_ns)
        return first_ns < max_ns ? first_ns : max_ns;
    return first_ns + (int64_t)lochan_random__below((uint64_t)(top - first_ns) + 1);
}

int64_t lochan_fetch__parse_retry_after(const char *text, int64_t wall_ns) {
    const int64_t second = 1000000000;
    lochan_str s = lochan_str__trim(lochan_str__of(text));
    uint64_t seconds;
    if (s.n == 0)
        return -1;
    if (lochan_parse__uint64(s.p, s.n, &seconds)) {
        if (seconds == 0)
            return -1;
        return seconds > (uint64_t)(INT64_MAX / second) ? INT64_MAX : (int64_t)seconds * second;
    }
    int64_t when = (int64_t)curl_getdate(text, NULL);
    if (when <= 0 || when > INT64_MAX / second || when * second <= wall_ns)
        return -1;
    return when * second - wall_ns;
}
