/*
 * Verbs: `oriel VERB ...`. Each is a struct verb in its own file cli/VERB.c, declared below and
 * listed in cli/verbs.c. cli/README.md shows how to add one.
 */
#ifndef ORIEL_CLI_VERBS_H
#define ORIEL_CLI_VERBS_H

#include "cli/opt.h"

enum exit_status {
    EXIT_OK = 0,
    EXIT_NEGATIVE = 1,      /* a negative answer: no reply, a test failed, a file is damaged */
    EXIT_USAGE = 2,         /* the command line makes no sense */
    EXIT_SETUP = 3,         /* cannot set up: a device, a permission, a file to write */
    EXIT_RESOLVE = 4,       /* a name cannot be resolved */
    EXIT_REFUSED = 5,
    EXIT_UNREACHABLE = 6,
    EXIT_TIMEOUT = 7,
    EXIT_RESET = 8,         /* reset, or the other side broke the protocol */
};

struct verb_example {
    const char *command;    /* "oriel dump -r run.pcapng udp" */
    const char *says;       /* a sentence; ends in a full stop */
};

struct verb_exit {
    enum exit_status status;
    const char *says;       /* when it is returned; ends in a full stop */
};

struct verb {
    const char *name;           /* "dump"; two words for a verb of a family: "lab run" */
    const char *summary;        /* one line, lower case, no full stop */
    const char *text;           /* paragraphs with an empty line between: what it does and shows */
    const struct opt *opts;
    size_t opts_n;
    const struct operand *operands;
    size_t operands_n;
    bool stops_at_operand;      /* options after the first operand belong to somebody else */
    const struct verb_example *examples;
    size_t examples_n;
    const struct verb_exit *exits;      /* beyond 0 and 2, which all verbs have */
    size_t exits_n;
    const char *see_also;       /* other verbs, separated by spaces; may be NULL */
    int (*run)(const struct args *a);
};

/* Fills a pointer and its count: VERB_LIST(opts, my_opts). */
#define VERB_LIST(field, array) .field = (array), .field##_n = ARRAY_LEN(array)

extern const struct verb verb_addr;
extern const struct verb verb_arp;
extern const struct verb verb_bench;
extern const struct verb verb_doctor;
extern const struct verb verb_dump;
extern const struct verb verb_help;
extern const struct verb verb_lab_check;
extern const struct verb verb_lab_list;
extern const struct verb verb_lab_run;
extern const struct verb verb_ladder;
extern const struct verb verb_link_list;
extern const struct verb verb_nc;
extern const struct verb verb_ping;
extern const struct verb verb_replay;
extern const struct verb verb_route;
extern const struct verb verb_run;
extern const struct verb verb_script_run;
extern const struct verb verb_ss;
extern const struct verb verb_stat;
extern const struct verb verb_traceroute;

/* All verbs in the order of help; NULL beyond the last. */
const struct verb *verb_at(size_t i);

/* By name; NULL when there is none. */
const struct verb *verb_find(const char *name);

#endif
