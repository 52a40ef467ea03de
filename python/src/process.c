/* process.c - after fork, a child has the parent's objects but not its threads: they are refused by
 * name. */
#include "module.h"

#include <unistd.h>

long py_process__id(void) {
    return (long)getpid();
}

int py_process__check(long opened_in, const char *what) {
    if (opened_in == py_process__id())
        return 1;
    py_errors__format(LOCHAN_ERR_UNSUPPORTED,
                      "this %s was opened in process %ld, before fork; open it again in the child",
                      what, opened_in);
    return 0;
}
