/* alloc.h - an allocator table that counts what is alive and can fail the N-th request.
 * Invariant: blocks carry no header, so blocks made before it was installed may be freed under it.
 * Thread-safe.
 */
#ifndef TEST_SUPPORT_ALLOC_H
#define TEST_SUPPORT_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

void alloc_install(void); /* counts start at 0 */
void alloc_remove(void);

long alloc_live(void);    /* blocks made less blocks freed since install */
long alloc_made(void);    /* requests since install */
size_t alloc_bytes(void); /* usable bytes alive since install; 0 if more was freed than made */

/* Fails the nth request from now (1 = the next), and with `persistent` every one after it; 0 =
 * never. */
void alloc_fail_at(long nth, bool persistent);
bool alloc_fired(void); /* since alloc_fail_at */

/* For a test's setup and teardown: installs, and on leave asserts (cmocka) that nothing is alive.
 */
int alloc_setup(void **state);
int alloc_teardown(void **state);

#endif
