/*
 * Text into a bounded buffer, always NUL-terminated. What does not fit is cut and `cut` is set.
 * The core has no stdio; this is its printf.
 */
#ifndef ORIEL_BASE_TEXT_H
#define ORIEL_BASE_TEXT_H

#include "base/bytes.h"

struct txt {
    char *p;
    size_t n;           /* characters so far, without the NUL */
    size_t cap;         /* bytes of the buffer; at least 1 */
    bool cut;
};

struct txt txt_of(char *buf, size_t cap);
void txt_c(struct txt *t, char c);
void txt_s(struct txt *t, const char *s);
void txt_span(struct txt *t, struct span s);            /* as it is */
void txt_u(struct txt *t, uint64_t v);                  /* decimal */
void txt_i(struct txt *t, int64_t v);
void txt_u_pad(struct txt *t, uint64_t v, unsigned width, char pad);
void txt_hex(struct txt *t, uint64_t v, unsigned digits);       /* the low 0..16, lower case */
void txt_hex_bytes(struct txt *t, struct span s, char sep);     /* sep 0: none */
void txt_quoted(struct txt *t, struct span s);          /* "..." with \n, \", \u00NN; valid JSON
                                                           where the bytes are UTF-8, \xNN if not */
/* A time or duration in seconds with `digits` decimals, 0..9, not rounded: 1.041000. */
void txt_seconds(struct txt *t, oriel_time ns, unsigned digits);
void txt_pad_to(struct txt *t, size_t column);          /* spaces up to that many characters */

/* Numbers from text: all of it must be used, and the value must fit. */
bool txt_parse_u(struct span s, uint64_t max, uint64_t *out);   /* decimal or 0x... */
bool span_is(struct span s, const char *word);

static inline struct span span_str(const char *s)
{
    return span_of(s, strlen(s));
}

#endif
