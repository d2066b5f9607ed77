/*
 * Inside of the script parser: a cursor over the text that takes what a caller expects next.
 *
 *   script_lex.c           blanks, words, times      script_parse.c       options, events
 *   script_parse_packet.c  packets                   script_parse_opt.c   TCP options
 *   script_parse_icmp.c    types and codes of ICMP   script_parse_call.c  calls, values
 *
 * The language has no tokens that mean the same everywhere (`.` is a flag, a fraction, dots), so
 * each place asks for what can stand there. A line break is a blank: an event goes on until it is
 * whole. Every helper returns false after it has recorded what is wrong; the first error stays.
 */
#ifndef ORIEL_LAB_SCRIPT_TEXT_H
#define ORIEL_LAB_SCRIPT_TEXT_H

#include "lab/posix.h"
#include "lab/script.h"

struct sp_define {              /* --define=NAME=VALUE */
    struct span name, value;
};

struct sp {
    struct script *s;
    struct arena *arena;
    struct script_error *err;
    const uint8_t *start;       /* of the whole text: lines are counted from here */
    const uint8_t *at, *end;
    const uint8_t *last;        /* end of what was taken last */
    struct sp_define define[SCRIPT_DEFINES_MAX];
    uint8_t defines;
    bool python;                /* `#` alone begins a comment: `//` divides */
    bool bad;
};

struct sp sp_of(struct script *s, struct arena *arena, struct script_error *err, struct span text);

/* ---- mistakes: always false ---- */

bool sp_fail(struct sp *p, const char *expected);       /* what stands next is not that */
bool sp_fail_at(struct sp *p, struct span found, const char *expected);
bool sp_fail_memory(struct sp *p);

/* A word that is none of these, which are separated by blanks: the nearest is suggested. */
bool sp_fail_word(struct sp *p, struct span found, const char *expected, const char *words);
void sp_hint(struct sp *p, const char *known);          /* NULL: nothing */

/* The line of a place, from 1. */
uint32_t sp_line(const struct sp *p, const uint8_t *at);

/* ---- looking ---- */

void sp_skip(struct sp *p);             /* blanks, line breaks, comments */
bool sp_end(struct sp *p);              /* nothing more stands there */
uint8_t sp_peek(struct sp *p);          /* the next character behind blanks; 0: none */
bool sp_sees(struct sp *p, const char *text);           /* a word as a whole; signs as they are */
bool sp_sees_digit(struct sp *p);
struct span sp_token(struct sp *p);     /* the next word, number or sign, for messages */

/* ---- taking ---- */

void sp_took(struct sp *p, size_t n);    /* the next n bytes */
bool sp_take(struct sp *p, const char *text);           /* if it stands there */
bool sp_need(struct sp *p, const char *text);           /* it must; expected: that text in quotes */
bool sp_word(struct sp *p, struct span *out, const char *expected);
bool sp_uint(struct sp *p, uint64_t max, uint64_t *out, const char *expected);  /* or 0x... */
bool sp_u32(struct sp *p, uint32_t *out, const char *expected);
bool sp_u16(struct sp *p, uint16_t *out, const char *expected);
bool sp_u8(struct sp *p, uint8_t *out, const char *expected);
bool sp_time(struct sp *p, oriel_time *out);            /* 0 .1 0.100 1.000000001 */
bool sp_string(struct sp *p, struct span *out);         /* "...": escapes replaced */
bool sp_hex(struct sp *p, size_t max, struct span *out);        /* a1b2c3: bytes; may be defined */
bool sp_addr(struct sp *p, struct span text, struct oriel_addr *out);

/* A word's meaning by --define, or itself. */
struct span sp_defined(const struct sp *p, struct span word);

/* The rest of the line, or all up to a closing sign; what is taken is *out, without it. */
bool sp_until(struct sp *p, const char *close, struct span *out, const char *expected);

/* A note in parentheses on the same line is passed over; its text, or an empty span. */
struct span sp_note(struct sp *p);

void *sp_alloc(struct sp *p, size_t n);                 /* zeroed; NULL after sp_fail_memory */

/* ---- the parts ---- */

/* Behind < or >, which `in` tells. */
const struct script_packet *sp_packet(struct sp *p, bool in);
bool sp_tcp_options(struct sp *p, struct script_packet *k);     /* behind the opening < */
bool sp_icmp(struct sp *p, struct script_packet *k, bool v6_word);      /* behind icmp */
const struct script_call *sp_call(struct sp *p);        /* from an optional ...end on */

/* "3:4(1)" */
bool sp_seq(struct sp *p, uint32_t *seq, uint32_t *len);

#endif
