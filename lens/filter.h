/*
 * The filter language: Wireshark's display filters over the fields that we have.
 *
 *     ip.addr == 10.0.0.0/8 && !(tcp.flags.syn == 1) and udp.port in {53, 67..68}
 *     why == "UDP_DATA" or frame.comment contains "lost" or eth.src[0:3] == 00:00:5e
 *
 * Operators: == eq, != ne, < lt, <= le, > gt, >= ge, contains, matches ~, in {a, b, 10..20},
 * not in, and &&, or ||, not !, (), FIELD & MASK; a field alone asks whether it is there. Values:
 * numbers (decimal, 0x, 0b), true and false, addresses and prefixes, MAC addresses, seconds, "text"
 * with \" \\ \n \r \t \0 \xNN, r"text" as it stands, bytes like 01:02:ff. Slices: [from:length],
 * [from-to], [at], [:length], [from:]; negative from the end.
 *
 * Semantics of Wireshark 4: `==` holds when any value of the field is equal, `!=` when all differ,
 * the other comparisons when any value satisfies them; `===` wants all equal, `!==` any that
 * differs, and `all` or `any` before the field say it for every operator. A comparison with an
 * absent field is false. A protocol's bytes reach from its header to the end of what it carries.
 * `and` binds more than `or`, `not` more than both. `matches` ignores case (pattern.h). An empty
 * text matches every frame.
 *
 * Compiled once into a bounded program without pointers (it may be copied); evaluation costs one
 * walk over the fields a comparison, and a bounded number of steps for `matches`.
 */
#ifndef ORIEL_LENS_FILTER_H
#define ORIEL_LENS_FILTER_H

#include "lens/dissect.h"
#include "lens/pattern.h"
#include "lens/syntax.h"

#define FILTER_TEXT_MAX   2048      /* bytes of source */
#define FILTER_OPS_MAX    160
#define FILTER_VALUES_MAX 160
#define FILTER_DATA_MAX   2048      /* strings and bytes */
#define FILTER_PATTERNS_MAX 4
#define FILTER_DEPTH_MAX  24        /* parentheses and `not` inside one another */

/* One value, or a range with both ends: prefixes are ranges, too. */
struct filter_value {
    union {
        struct {
            uint64_t lo;            /* numbers, times, MAC addresses */
            uint64_t hi;
        } num;
        struct {
            struct oriel_addr lo;
            struct oriel_addr hi;
        } addr;
        struct {
            uint16_t at;            /* in data */
            uint16_t n;
        } bytes;
        uint16_t pattern;
    } v;
};

/* A step of the program: there is one truth value, which tests set and jumps look at. */
struct filter_op {
    uint8_t kind;                   /* enum filter_kind */
    uint8_t cmp;                    /* enum filter_cmp */
    uint8_t type;                   /* enum field_type of what is compared: a slice's is bytes */
    bool all;                       /* every value of the field must satisfy, not just one */
    bool sliced;
    uint16_t field;                 /* enum field_id */
    uint16_t at;                    /* the first of the values, or the operation to go to */
    uint16_t n;                     /* values */
    int32_t slice_at;               /* negative: from the end */
    int32_t slice_n;                /* bytes; -1: up to the end */
    uint64_t mask;                  /* 0: none */
};

enum filter_kind {
    FILTER_TEST,
    FILTER_NOT,
    FILTER_IF_FALSE,                /* go to `at` */
    FILTER_IF_TRUE,
};

enum filter_cmp {
    CMP_PRESENT,
    CMP_EQ,                         /* with several values: equal to one of them */
    CMP_NE,
    CMP_LT,
    CMP_LE,
    CMP_GT,
    CMP_GE,
    CMP_CONTAINS,
    CMP_MATCHES,
};

struct filter {
    uint16_t ops_n;
    uint16_t values_n;
    uint16_t data_n;
    uint16_t patterns_n;
    struct filter_op ops[FILTER_OPS_MAX];
    struct filter_value values[FILTER_VALUES_MAX];
    uint8_t data[FILTER_DATA_MAX];
    struct pattern patterns[FILTER_PATTERNS_MAX];
};

/* False: *err says why, and *out matches nothing. err may be NULL. */
bool filter_compile(struct span text, struct filter *out, struct syntax_error *err);

bool filter_match(const struct filter *f, const struct dissection *d);

#endif
