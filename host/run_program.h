/* Looking at a program's file before it is executed: what kind it is, and whether a shim gets into it. */
#ifndef ORIEL_HOST_RUN_PROGRAM_H
#define ORIEL_HOST_RUN_PROGRAM_H

#include <limits.h>
#include <stdbool.h>

#define PROGRAM_SCRIPTS_MAX 4       /* a script whose interpreter is one, and so on: as the kernel has it */

struct program {
    char path[PATH_MAX];            /* what is loaded: of a script, its interpreter */
    char loader[128];               /* empty: none, it is static */
    bool script;
    bool readable;                  /* the rest is not known where it is not */
    bool elf;
    bool foreign;                   /* of another machine or word size than this one */
    bool other_library;             /* its loader is not ours: another C library */
    bool go;
    bool set_id;                    /* set-uid, set-gid, or with capabilities of its own */
};

/* Where execvp finds it. 0, or -ENOENT, -ENOTDIR, -EACCES. */
int program_find(const char *name, char path[PATH_MAX]);

void program_look(struct program *p, const char *path);
void program_look_at(struct program *p, int fd, const char *path);      /* the same, opened by somebody */

/* Does that text stand anywhere in the file? */
bool program_mentions(const char *path, const char *text);

/* "is static": why the shim of --mode=preload does not get into it; NULL: it does, or nobody knows. */
const char *program_shuts_out(const struct program *p);

#endif
