/*
 * Scenarios by name: the files *.lab in ./labs, in every directory of $ORIEL_LABS (separated by
 * colons), and where the program was installed. The first of several with one name counts.
 */
#ifndef ORIEL_CLI_LABS_H
#define ORIEL_CLI_LABS_H

#include <stdbool.h>
#include <stddef.h>

#ifndef ORIEL_LABDIR
#define ORIEL_LABDIR "/usr/local/share/oriel/labs"
#endif

struct lab_file {
    char *name;         /* "hello-udp" */
    char *path;         /* "labs/hello-udp.lab" */
};

struct lab_files {
    struct lab_file *file;      /* by name */
    size_t n;
};

/* All that there are. False: there is no memory. */
bool labs_find(struct lab_files *f);
void labs_free(struct lab_files *f);

/*
 * The path of a scenario: a name, a prefix that only one name has, or a path. NULL after a message
 * of that verb. Release with free.
 */
char *labs_path(const char *verb, const char *name);

#endif
