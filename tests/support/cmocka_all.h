/* cmocka_all.h - cmocka with the headers it wants before it, and an assertion for a status.
 * Invariant: the only place that names cmocka's include order.
 */
#ifndef TEST_SUPPORT_CMOCKA_ALL_H
#define TEST_SUPPORT_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <lochan/error.h>

/* The expression uses a `lochan_error err` of the caller for the message of a failure. */
#define assert_ok(expr)                                                                            \
    do {                                                                                           \
        lochan_status assert_rc_ = (expr);                                                         \
        if (assert_rc_ != LOCHAN_OK)                                                               \
            fail_msg("%s: %s: %s", #expr, lochan_status_name(assert_rc_), err.message);            \
    } while (0)

#define assert_status(expr, expected)                                                              \
    do {                                                                                           \
        lochan_status assert_rc_ = (expr);                                                         \
        if (assert_rc_ != (expected))                                                              \
            fail_msg("%s: %s, expected %s", #expr, lochan_status_name(assert_rc_),                 \
                     lochan_status_name(expected));                                                \
    } while (0)

#endif
