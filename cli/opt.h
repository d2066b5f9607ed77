/*
 * The command line: one table of options per verb, from which come parsing, help, man pages and
 * completions.
 *
 *     static const struct opt opts[] = {
 *         {.name = "count", .letter = 'c', .arg = "N", .type = OPT_UINT, .min = 1, .max = 1000,
 *          .def = "5", .help = "Stop after N packets."},
 *     };
 *     ...
 *     uint64_t n = opt_u64(a, "count");
 *
 * Accepted: --count 5, --count=5, -c 5, -c5, clusters (-xqc5), options after operands, and -- to
 * end them. Options are asked for by their long name; asking for one that the verb has not is a
 * mistake of ours and stops the program. The value of an option not given is its default; without
 * a default it is 0 or NULL.
 */
#ifndef ORIEL_CLI_OPT_H
#define ORIEL_CLI_OPT_H

#include "base/text.h"

enum opt_type {
    OPT_FLAG,       /* no argument */
    OPT_TEXT,       /* any text */
    OPT_FILE,       /* a path, or - */
    OPT_CHOICE,     /* one of `choices` */
    OPT_UINT,       /* a whole number, decimal or 0x... */
    OPT_DURATION,   /* 10s 5ms 1.5s 250us 100ns 2m 1h; alone: seconds. The value: nanoseconds */
    OPT_RATE,       /* 9600bit 64kbit 10mbit 1gbit; alone: bits a second. The value: those */
    OPT_SIZE,       /* 1500 64k 1M 2G (powers of 1024). The value: bytes */
    OPT_PERCENT,    /* 2% 0.5%; alone: percent. The value: parts in a million */
};

struct opt {
    const char *name;       /* long, without the dashes; every option has one */
    char letter;            /* short, or 0 */
    enum opt_type type;
    const char *arg;        /* what the argument is called in help: "N"; NULL only for flags */
    const char *choices;    /* OPT_CHOICE: "auto|always|never" */
    uint64_t min, max;      /* of numbers, in the unit of the value; max 0: no limit */
    const char *def;        /* default, as it would be typed; NULL: none */
    const char *help;       /* one sentence or a few */
    bool required;          /* the verb makes no sense without it */
    bool repeats;           /* each occurrence counts; otherwise the last one does */
    bool negatable;         /* a flag that --no-NAME turns off again */
};

/* What stands on the line without dashes. */
enum operand_kind {
    OPERAND_TEXT,
    OPERAND_FILE,
    OPERAND_HOST,
};

struct operand {
    const char *name;       /* "FILTER" */
    enum operand_kind kind;
    const char *help;
    const char *words;      /* a command that prints the possible ones, for completion; or NULL */
    unsigned min, max;      /* how many; max 0: any number */
};

struct verb;

#define OPT_GIVEN_MAX 128       /* options on one command line */

struct opt_given {
    const struct opt *opt;
    const char *text;           /* as typed; NULL for flags */
    uint64_t value;             /* flags: 1, or 0 for --no-NAME */
};

struct args {
    const struct verb *verb;
    size_t given_n;
    struct opt_given given[OPT_GIVEN_MAX];
    size_t operands_n;
    char **operands;            /* in argv, in their order */
};

#define OPT_ERROR_MAX 256

/*
 * argv[0..argc) is what follows the verb; it is reordered. False: `error` holds a sentence without
 * the program's name, ready to be shown, that names the nearest known option where one is near.
 */
bool opt_parse(struct args *a, const struct verb *v, int argc, char **argv,
               char error[OPT_ERROR_MAX]);

bool opt_given(const struct args *a, const char *name);         /* was it on the line? */
bool opt_on(const struct args *a, const char *name);            /* a flag, with its default */
uint64_t opt_u64(const struct args *a, const char *name);       /* numbers, by the type's unit */
const char *opt_text(const struct args *a, const char *name);   /* text, file, choice */
size_t opt_times(const struct args *a, const char *name);       /* occurrences */
const struct opt_given *opt_nth(const struct args *a, const char *name, size_t i);

/* Operands joined by single spaces, for filters. False: longer than cap. */
bool opt_join_operands(const struct args *a, char *out, size_t cap);

/*
 * The value of one argument. False: `error` says what is wrong with it and what is expected. Open
 * to verbs that take such values elsewhere than in options.
 */
bool opt_value(const struct opt *o, const char *text, uint64_t *out, char error[OPT_ERROR_MAX]);

/*
 * The i-th option of a verb, its own first and those that all verbs have (--color, --help) after;
 * NULL beyond the last.
 */
const struct opt *opt_at(const struct verb *v, size_t i);

/* A value in its type's unit, as it would be typed: 10ms, 64k. */
void opt_print_value(struct txt *t, enum opt_type type, uint64_t value);

/* "1..1000", "from 1 on", or nothing: the bounds of a number. */
void opt_print_bounds(struct txt *t, const struct opt *o);

/* Our own mistakes in a verb's table stop the program: a default out of bounds, a name twice. */
void opt_check(const struct verb *v);

/* The nearest of n words to a mistyped one, or NULL when none is near. */
const char *opt_nearest(const char *typed, const char *const *words, size_t n);

#endif
