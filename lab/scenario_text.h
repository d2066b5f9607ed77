/*
 * Inside of the scenario parser: statements cut into words that know where they stand.
 *
 *   scenario_text.c   words, parameters, values       scenario_act.c      at, on, route, neigh ...
 *   scenario_parse.c  statements about the world      scenario_expect.c   expect
 *   scenario_frame.c  frames of scripted peers         scenario_nodes.c    names of nodes and ports
 *   scenario_tcp.c    TCP: what happens                scenario_tcp_expect.c  what must come of it
 *   scenario_svc.c    services: both
 *
 * Every helper that takes a value from the line returns false after it has recorded what is wrong;
 * the first error stays. A statement is one line; it goes on behind a backslash at the end of a
 * line, inside quotes and braces, and on a line that begins with a quote.
 */
#ifndef ORIEL_LAB_SCENARIO_TEXT_H
#define ORIEL_LAB_SCENARIO_TEXT_H

#include "lab/scenario.h"

#define SC_WORDS_MAX 512        /* words in one statement */

enum sc_word_kind {
    SC_WORD,
    SC_STRING,                  /* "..." or '...' */
    SC_BRACE,                   /* { or } */
};

struct sc_word {
    uint8_t kind;
    bool literal;               /* '...': nothing in it is special */
    struct span raw;            /* as it stands; of a string without its quotes */
    struct span text;           /* parameters and escapes replaced */
};

struct sc_parser {
    struct scenario *s;
    struct arena *arena;
    struct scenario_error *err;
    const uint8_t *next;        /* of the text */
    const uint8_t *end;
    const uint8_t *start;       /* of the statement */
    struct sc_word words[SC_WORDS_MAX];
    size_t n;
    size_t at;                  /* next word */
    const struct sc_param *set; /* from outside */
    size_t set_n;
    uint8_t *scratch;           /* APP_BUFFER bytes */
    bool bad;
};

/* ---- words ---- */

/* Cut the next statement into words. False at the end of the text and after a mistake (p->bad). */
bool sc_statement(struct sc_parser *p);

/* The next word without taking it; NULL at the end of the statement. */
const struct sc_word *sc_look(const struct sc_parser *p);
bool sc_sees(const struct sc_parser *p, const char *word);      /* the next one is that */
bool sc_take(struct sc_parser *p, const char *word);            /* ... and then it is taken */

/* Everything was taken; otherwise the next word is at fault. */
bool sc_done(struct sc_parser *p, const char *expected);

/* ---- mistakes ---- */

/* The next word (or the end of the line) is not what should stand there. Always false. */
bool sc_fail(struct sc_parser *p, const char *expected);

/* The same for a word that was taken already. */
bool sc_fail_word(struct sc_parser *p, const struct sc_word *w, const char *expected);

/* The next word is none of these, which are shown; the nearest of them is suggested. */
bool sc_fail_words(struct sc_parser *p, const char *words);

/* The same with a sentence of its own, where the words are too many to be shown. */
bool sc_fail_of(struct sc_parser *p, const char *shown, const char *words);

/* What is wrong inside a word, as another language says it. */
bool sc_fail_inside(struct sc_parser *p, const struct sc_word *w, const struct syntax_error *e);

/* Suggest the known word nearest to what was found. */
void sc_hint(struct sc_parser *p, struct span typed, struct span known);

bool sc_fail_memory(struct sc_parser *p);

/* ---- values: taken from the line ---- */

/* The next word if it is a plain one, not taken yet; NULL after a mistake. */
const struct sc_word *sc_plain(struct sc_parser *p, const char *what);

bool sc_name(struct sc_parser *p, const char *what, struct span *out);
bool sc_string(struct sc_parser *p, const char *what, const struct sc_word **out);
bool sc_u(struct sc_parser *p, uint64_t min, uint64_t max, uint64_t *out);
bool sc_time(struct sc_parser *p, oriel_time *out);
bool sc_u32(struct sc_parser *p, uint64_t min, uint64_t max, uint32_t *out);
bool sc_u16(struct sc_parser *p, uint64_t min, uint16_t *out);
bool sc_u8(struct sc_parser *p, uint64_t min, uint8_t *out);
bool sc_size(struct sc_parser *p, uint64_t max, uint64_t *out);         /* 64k, 2M */
bool sc_rate(struct sc_parser *p, uint64_t *out);                       /* 10mbit */
bool sc_dev(struct sc_parser *p, uint16_t node, int *out);              /* see struct sc_act */
bool sc_count(struct sc_parser *p, struct ex_count *out);               /* 3, >= 3, between 3 5 */
enum ex_how sc_how(struct sc_parser *p);                                /* the words before it */

/* The text of a string with its escapes replaced, in memory of its own. */
bool sc_text(struct sc_parser *p, const struct sc_word *w, struct span *out);

/* The next word if it is one of these; it is taken then. */
bool sc_one_of(struct sc_parser *p, const char *const *words, size_t n, struct span *out);
bool sc_host_addr(struct sc_parser *p, struct oriel_addr *out);
bool sc_addr_len(struct sc_parser *p, struct sc_addr *out);             /* 10.0.0.1/24 */
bool sc_mac(struct sc_parser *p, struct mac *out);
bool sc_endpoint(struct sc_parser *p, struct oriel_endpoint *out);      /* 10.0.0.1:7 [::1]:7 */
bool sc_node_of(struct sc_parser *p, uint16_t *out);
bool sc_stack_of(struct sc_parser *p, uint16_t *out);                   /* a host or router */
bool sc_port_of(struct sc_parser *p, uint16_t node, uint16_t *out);     /* eth0 */
bool sc_node_port(struct sc_parser *p, uint16_t *out);                  /* a.eth0 */

/* "100ms": true when all of the text is a time. */
bool sc_parse_time(struct span s, oriel_time *out);

/* The default link address of the i-th port of a node, as worlds give it. */
struct mac sc_default_mac(uint16_t node, unsigned i);

/* ---- statements: each takes the words behind its own name ---- */

typedef bool sc_statement_fn(struct sc_parser *p);

sc_statement_fn sc_at, sc_on, sc_route, sc_neigh, sc_rarp;              /* scenario_act.c */

/* Behind `tcp` of an action and of `config`; [PORT] [@N]. scenario_tcp.c */
bool sc_act_tcp(struct sc_parser *p, struct sc_act *a);
bool sc_config_tcp(struct sc_parser *p, struct oriel_tcp_config *c);
bool sc_talks_of(struct sc_parser *p, uint16_t node, struct sc_talks *out);

/* Behind `tcp` of an expectation; behind `expect ratio`. scenario_tcp_expect.c */
bool sc_ex_tcp(struct sc_parser *p, struct expect *e);
bool sc_ex_ratio(struct sc_parser *p, struct expect *e);

/* An action of a service, or what is expected of one. scenario_svc.c: false: the verb is another. */
bool sc_act_svc(struct sc_parser *p, struct sc_act *a, bool *good);
bool sc_ex_resolve(struct sc_parser *p, struct expect *e);
bool sc_ex_dhcp(struct sc_parser *p, struct expect *e);

/* Behind `expect`; with `at` the moment when it is asked, otherwise NULL. scenario_expect.c */
bool sc_expect(struct sc_parser *p, const oriel_time *at);

/* A port on a line behind its node's name: its name, addresses and settings. scenario_parse.c */
bool sc_port_line(struct sc_parser *p, uint16_t node);
bool sc_vlan_line(struct sc_parser *p, uint16_t node, bool late);

/*
 * The rest of the line as wire_params_parse takes it: changes *out and keeps the words as text.
 * scenario_parse.c
 */
bool sc_wire_params(struct sc_parser *p, struct wire_params *out, struct span *text);

/* A frame in quotes, tried out with zeros in its holes. scenario_frame.c */
bool sc_frame_text(struct sc_parser *p, struct span *out);

/* A compiled copy of the filter in a string; NULL after a mistake. */
struct filter *sc_filter(struct sc_parser *p, const struct sc_word *w);

/* A new action; NULL after a mistake. */
struct sc_act *sc_act_new(struct sc_parser *p, enum sc_act_kind kind);

#endif
