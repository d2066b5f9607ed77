/* Looking for scenarios in directories. */
#define _GNU_SOURCE
#include "cli/labs.h"

#include "cli/opt.h"
#include "cli/out.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SUFFIX ".lab"

static bool has_name(const struct lab_files *f, const char *name, size_t n)
{
    for (size_t i = 0; i < f->n; i++)
        if (strlen(f->file[i].name) == n && memcmp(f->file[i].name, name, n) == 0)
            return true;
    return false;
}

static bool add(struct lab_files *f, const char *dir, const char *entry, size_t name_n)
{
    struct lab_file *more = realloc(f->file, (f->n + 1) * sizeof *more);
    if (!more)
        return false;
    f->file = more;
    struct lab_file *new = &more[f->n];
    new->name = strndup(entry, name_n);
    if (!new->name || asprintf(&new->path, "%s/%s", dir, entry) < 0) {
        free(new->name);
        return false;
    }
    f->n++;
    return true;
}

/* A directory that is not there has no scenarios. */
static bool add_directory(struct lab_files *f, const char *dir)
{
    DIR *d = opendir(dir);
    bool good = true;
    if (!d)
        return true;
    for (struct dirent *e; good && (e = readdir(d)) != NULL;) {
        size_t n = strlen(e->d_name);
        if (n <= strlen(SUFFIX) || strcmp(e->d_name + n - strlen(SUFFIX), SUFFIX) != 0)
            continue;
        n -= strlen(SUFFIX);
        good = has_name(f, e->d_name, n) || add(f, dir, e->d_name, n);
    }
    closedir(d);
    return good;
}

static int by_name(const void *a, const void *b)
{
    const struct lab_file *x = a;
    const struct lab_file *y = b;
    return strcmp(x->name, y->name);
}

static bool add_directories(struct lab_files *f, const char *list)
{
    bool good = true;
    while (good && list && *list != '\0') {
        size_t n = strcspn(list, ":");
        char *dir = strndup(list, n);
        good = dir && add_directory(f, n > 0 ? dir : ".");
        free(dir);
        list += n + (list[n] == ':');
    }
    return good;
}

bool labs_find(struct lab_files *f)
{
    *f = (struct lab_files){.file = NULL};
    if (!add_directory(f, "labs") || !add_directories(f, getenv("ORIEL_LABS")) ||
        !add_directory(f, ORIEL_LABDIR)) {
        labs_free(f);
        return false;
    }
    if (f->n > 0)
        qsort(f->file, f->n, sizeof f->file[0], by_name);
    return true;
}

void labs_free(struct lab_files *f)
{
    for (size_t i = 0; i < f->n; i++) {
        free(f->file[i].name);
        free(f->file[i].path);
    }
    free(f->file);
    *f = (struct lab_files){.file = NULL};
}

/* ---- one of them ---- */

static void unknown(const char *verb, const char *name, const struct lab_files *f)
{
    const char **names = calloc(f->n + 1, sizeof *names);
    for (size_t i = 0; names && i < f->n; i++)
        names[i] = f->file[i].name;
    const char *near = names ? opt_nearest(name, names, f->n) : NULL;
    if (near)
        out_error(verb, "there is no lab '%s'; did you mean '%s'?", name, near);
    else
        out_error(verb, "there is no lab '%s'; `oriel lab list` shows those in ./labs, $ORIEL_LABS "
                  "and %s", name, ORIEL_LABDIR);
    free(names);
}

static const struct lab_file *by_prefix(const char *verb, const char *name,
                                        const struct lab_files *f)
{
    const struct lab_file *only = NULL;
    size_t n = strlen(name);
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->file[i].name, name) == 0)
            return &f->file[i];
    for (size_t i = 0; i < f->n; i++) {
        if (strncmp(f->file[i].name, name, n) != 0)
            continue;
        if (only) {
            out_error(verb, "'%s' is short for '%s' and for '%s'", name, only->name,
                      f->file[i].name);
            return NULL;
        }
        only = &f->file[i];
    }
    if (!only)
        unknown(verb, name, f);
    return only;
}

char *labs_path(const char *verb, const char *name)
{
    struct lab_files f;
    if (strchr(name, '/') || strcmp(name, "-") == 0 ||
        (strlen(name) > strlen(SUFFIX) && access(name, R_OK) == 0))
        return strdup(name);
    if (!labs_find(&f)) {
        out_error(verb, "there is no memory");
        return NULL;
    }
    const struct lab_file *found = by_prefix(verb, name, &f);
    char *path = found ? strdup(found->path) : NULL;
    labs_free(&f);
    return path;
}
