/* lake_template.h - a lake that is made once and copied for every round of a fault sweep or a kill.
 */
#ifndef TEST_TABLE_LAKE_TEMPLATE_H
#define TEST_TABLE_LAKE_TEMPLATE_H

#include "support/fault.h"
#include "support/kill.h"
#include "table/lake_env.h"

typedef struct lake_template {
    lake_env env;
    char *dir;
    char *expected; /* a text of the test's own, freed with the rest; may be NULL */
} lake_template;

/* Opens a new lake in t->env: write into it, then call template_keep. */
static inline void template_make(lake_template *t, const char *name) {
    lochan_error err;
    memset(t, 0, sizeof *t);
    t->dir = tmpdir_make(name);
    t->env.threads = 1;
    snprintf(t->env.path_text, sizeof t->env.path_text, "%s/template", t->dir);
    t->env.path = t->env.path_text;
    assert_ok(lochan_lake_init(t->env.path, NULL, &err));
    env_open(&t->env);
}

static inline void template_keep(lake_template *t) {
    lochan_lake_close(t->env.lake);
    t->env.lake = NULL;
}

/* A fresh copy, not opened; t->env is it from now on. */
static inline void template_copy(lake_template *t) {
    char *lake = strdup(tmpdir_path(t->dir, "lake"));
    if (tmpdir_exists(lake))
        tmpdir_clear(lake);
    tmpdir_copy(tmpdir_path(t->dir, "template"), lake);
    snprintf(t->env.path_text, sizeof t->env.path_text, "%s", lake);
    free(lake);
}

/* As `prep` of a fault case. */
static inline void template_open_copy(void *ctx) {
    lake_template *t = ctx;
    template_copy(t);
    env_open(&t->env);
}

static inline void template_free(lake_template *t) {
    lochan_lake_close(t->env.lake);
    free(t->expected);
    free(t->env.text);
    tmpdir_remove(t->dir);
}

#endif
