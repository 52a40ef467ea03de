/* interrupt.c - Ctrl-C while the library works without the GIL.
 * Python's own handler of SIGINT only notes the signal; it is raised when Python code runs again,
 * which may be minutes later. So while work is under way in the main thread, a handler of ours asks
 * that work to stop and then calls Python's. Invariant: outside of begin and end, the handlers are
 * those of Python.
 */
#include "module.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static py_interrupt *volatile current; /* innermost, of the main thread */
static struct sigaction python_action;

static void on_signal(int number) {
    for (py_interrupt *i = current; i; i = i->outer) {
        i->fired = 1;
        i->cancel(i->object);
    }
    python_action.sa_handler(number);
}

static int is_main_thread(void) {
#ifdef __linux__
    return gettid() == getpid();
#else
    extern int pthread_main_np(void);
    return pthread_main_np();
#endif
}

void py_interrupt__begin(py_interrupt *i, void (*cancel)(void *), void *object) {
    *i = (py_interrupt){.cancel = cancel, .object = object};
    if (!is_main_thread())
        return;
    struct sigaction now;
    if (!current) {
        /* Ignored or deadly: then Ctrl-C is not Python's. A handler with more arguments is not
         * either. */
        if (sigaction(SIGINT, NULL, &now) != 0 || (now.sa_flags & SA_SIGINFO) ||
            now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN)
            return;
        python_action = now;
        now.sa_handler = on_signal;
        now.sa_flags |= SA_RESTART;
        if (sigaction(SIGINT, &now, NULL) != 0)
            return;
    }
    i->active = 1;
    i->outer = current;
    current = i;
}

void py_interrupt__end(py_interrupt *i) {
    if (!i->active)
        return;
    if (!i->outer)
        sigaction(SIGINT, &python_action, NULL);
    current = i->outer;
    i->active = 0;
}

/* Python code under a foreign stream may have got the KeyboardInterrupt, which then comes back as
 * the text of that stream's error. */
PyObject *py_interrupt__raise(const py_interrupt *i, lochan_status rc, const lochan_error *err) {
    if (i->fired && PyErr_CheckSignals() != 0)
        return NULL;
    if (rc != LOCHAN_ERR_CANCELLED && strstr(err->message, "KeyboardInterrupt")) {
        PyErr_SetNone(PyExc_KeyboardInterrupt);
        return NULL;
    }
    return PyErr_Occurred() ? NULL : py_errors__raise(rc, err);
}
