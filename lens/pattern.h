/*
 * Regular expressions for `matches`: . * + ? | ( ) [ ] [^ ] ^ $ and the classes \d \w \s \D \W \S,
 * \n \r \t \xNN; a backslash before anything that is no letter or digit takes it as it is. ASCII
 * letters match in both cases.
 *
 * A pattern is a small automaton; matching follows all its states at once, so that no pattern and
 * no text make it slow: the cost is at most (bytes of text) times (states).
 */
#ifndef ORIEL_LENS_PATTERN_H
#define ORIEL_LENS_PATTERN_H

#include "base/bytes.h"

#define PATTERN_STATES_MAX 128
#define PATTERN_SETS_MAX   8
#define PATTERN_DEPTH_MAX  16       /* groups inside one another */
#define PATTERN_WORK_MAX   (1u << 22)   /* states visited; beyond it there is no match */

struct pattern_state {
    uint8_t kind;
    uint8_t arg;            /* a byte, or the number of a set */
    int16_t to;             /* of jumps: relative */
};

struct pattern {
    uint16_t n;
    uint8_t sets_n;
    struct pattern_state state[PATTERN_STATES_MAX];
    uint64_t set[PATTERN_SETS_MAX][4];      /* a bit a byte */
};

/* False: *wrong says what was expected, *at where (an offset in text). */
bool pattern_compile(struct span text, struct pattern *out, size_t *at, const char **wrong);

/* Does it match anywhere in text? */
bool pattern_matches(const struct pattern *p, struct span text);

#endif
