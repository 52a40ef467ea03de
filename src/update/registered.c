/* registered.c - see registered.h. One mutex of the process guards all lists: they are looked at
 * once an update. May call: base/, table/lake.h.
 */
#include "update/registered.h"

#include "base/str.h"
#include <pthread.h>
#include <stdatomic.h>

struct lochan_registered {
    lochan_source_callbacks callbacks;
    _Atomic int refs;
};

struct entry {
    struct entry *next;
    char *name;
    lochan_registered *registered;
};

struct list {
    struct entry *first;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

const lochan_source_callbacks *lochan_registered__get(const lochan_registered *registered) {
    return &registered->callbacks;
}

void lochan_registered__unref(lochan_registered *registered) {
    if (!registered || atomic_fetch_sub(&registered->refs, 1) != 1)
        return;
    if (registered->callbacks.release)
        registered->callbacks.release(registered->callbacks.payload);
    lochan_mem__free(registered);
}

static void free_entry(struct entry *entry) {
    if (!entry)
        return;
    lochan_registered__unref(entry->registered);
    lochan_mem__free(entry->name);
    lochan_mem__free(entry);
}

static void free_list(void *callbacks) {
    struct list *list = callbacks;
    while (list->first) {
        struct entry *entry = list->first;
        list->first = entry->next;
        free_entry(entry);
    }
    lochan_mem__free(list);
}

/* Where the entry of that name hangs, or NULL at the end. The mutex is held. */
static struct entry **find(struct list *list, const char *source) {
    struct entry **at = &list->first;
    while (*at && strcmp((*at)->name, source) != 0)
        at = &(*at)->next;
    return at;
}

lochan_registered *lochan_registered__find(lochan_lake *lake, const char *source) {
    lochan_registered *found = NULL;
    pthread_mutex_lock(&mutex);
    struct entry *entry = lake->callbacks ? *find(lake->callbacks, source) : NULL;
    if (entry) {
        found = entry->registered;
        atomic_fetch_add(&found->refs, 1);
    }
    pthread_mutex_unlock(&mutex);
    return found;
}

static lochan_status make_entry(const char *source, const lochan_source_callbacks *callbacks,
                                struct entry **out, lochan_error *err) {
    struct entry *entry = lochan_mem__zalloc(sizeof *entry);
    if (entry) {
        entry->name = lochan_mem__strndup(source, strlen(source));
        entry->registered = lochan_mem__zalloc(sizeof *entry->registered);
    }
    if (!entry || !entry->name || !entry->registered) {
        if (entry) {
            lochan_mem__free(entry->name);
            lochan_mem__free(entry->registered);
        }
        lochan_mem__free(entry);
        return lochan_error__nomem(err);
    }
    entry->registered->callbacks = *callbacks;
    entry->registered->refs = 1;
    *out = entry;
    return LOCHAN_OK;
}

lochan_status lochan_source_register(lochan_lake *lake, const char *source,
                                     const lochan_source_callbacks *callbacks, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && source && callbacks, err);
    LOCHAN_CHECK_ARG(callbacks->struct_size == sizeof *callbacks, err);
    LOCHAN_CHECK_ARG(callbacks->fetch, err);
    for (size_t i = 0; i < sizeof callbacks->reserved; i++)
        LOCHAN_CHECK_ARG(callbacks->reserved[i] == 0, err);
    LOCHAN_TRY(lochan_name__check("source", source, err));
    struct entry *entry = NULL, *old = NULL;
    LOCHAN_TRY(make_entry(source, callbacks, &entry, err));
    pthread_mutex_lock(&mutex);
    struct list *list = lake->callbacks;
    if (!list) {
        list = lochan_mem__zalloc(sizeof *list);
        lake->callbacks = list;
        lake->free_callbacks = free_list;
    }
    if (list) {
        struct entry **at = find(list, source);
        old = *at;
        entry->next = old ? old->next : NULL;
        *at = entry;
    }
    pthread_mutex_unlock(&mutex);
    free_entry(old); /* outside of the mutex: release is the caller's code */
    if (list)
        return LOCHAN_OK;
    entry->registered->callbacks.release = NULL;
    free_entry(entry);
    return lochan_error__nomem(err);
}

lochan_status lochan_source_unregister(lochan_lake *lake, const char *source, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && source, err);
    struct entry *old = NULL;
    pthread_mutex_lock(&mutex);
    if (lake->callbacks) {
        struct entry **at = find(lake->callbacks, source);
        old = *at;
        if (old)
            *at = old->next;
    }
    pthread_mutex_unlock(&mutex);
    if (!old)
        return lochan_error__set(err, LOCHAN_ERR_NOT_FOUND,
                                 "nothing is registered for source '%.100s'", source);
    free_entry(old);
    return LOCHAN_OK;
}
