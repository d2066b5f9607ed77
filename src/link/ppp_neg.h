/*
 * Negotiation as all control protocols of PPP have it (RFC 1661, 4 and 5): packets and the restart timer
 * round the automaton. What the options mean is the protocol's: a row of struct ppp_neg_kind. For
 * src/link/ppp*.c.
 */
#ifndef ORIEL_LINK_PPP_NEG_H
#define ORIEL_LINK_PPP_NEG_H

#include "link/ppp.h"

enum ppp_verdict {              /* about an option that the peer asks for */
    PPP_TAKE,
    PPP_BETTER,                 /* Nak: *o holds what would be taken */
    PPP_REFUSE,
};

struct ppp_neg_kind {
    uint16_t proto;
    /* A request begins: what the peer did not mention is as the protocol has it by default. */
    void (*begin)(struct ppp *l);
    enum ppp_verdict (*judge)(struct ppp *l, struct ppp_value *o);
    /* It ends: is there something that the peer should have mentioned? It is asked for once; may be NULL. */
    bool (*misses)(const struct ppp *l, struct ppp_value *o);
    /* The peer would rather have o: change our own, which asks for the same, or do not. */
    void (*on_nak)(struct ppp *l, struct ppp_value *own, const struct ppp_value *o);
    void (*on_reject)(struct ppp *l, struct ppp_value *own);
};

extern const struct ppp_neg_kind ppp_lcp_kind, ppp_ipcp_kind, ppp_ipv6cp_kind;

void ppp_neg_init(struct ppp_neg *g, const struct ppp_neg_kind *kind);
void ppp_neg_want(struct ppp_neg *g, uint8_t type, uint8_t n, uint64_t v);
struct ppp_value *ppp_neg_own(struct ppp_neg *g, uint8_t type);         /* NULL: not asked for */
static inline const struct ppp_value *ppp_neg_has(const struct ppp_neg *g, uint8_t type)
{
    for (unsigned i = 0; i < g->own_n; i++)
        if (g->own[i].type == type && g->own[i].on)
            return &g->own[i];
    return NULL;
}

/* An event of the automaton that no packet brought. */
void ppp_neg_event(struct ppp *l, struct ppp_neg *g, enum ppp_event e);
void ppp_neg_input(struct ppp *l, struct ppp_neg *g, struct span info);
void ppp_neg_run(struct ppp *l, struct ppp_neg *g);

/* ---- ppp_lcp.c ---- */

void ppp_lcp_init(struct ppp *l);
void ppp_lcp_on_up(struct ppp *l);              /* frames look as agreed */
void ppp_lcp_on_down(struct ppp *l);            /* ... as if nothing were */
void ppp_lcp_on_echo(struct ppp *l, const struct ppp_cp *p);    /* request, reply: whose magic number? */
void ppp_lcp_reject_protocol(struct ppp *l, uint16_t proto, struct span info);
void ppp_lcp_run(struct ppp *l);

/* ---- ppp_auth.c ---- */

void ppp_auth_begin(struct ppp *l);             /* LCP is open: who has to prove what? */
void ppp_auth_input(struct ppp *l, uint16_t proto, struct span info);
void ppp_auth_run(struct ppp *l);
bool ppp_auth_is_done(const struct ppp *l);

/* ---- ppp.c ---- */

void ppp_put(struct ppp *l, uint16_t proto, const struct ppp_cp *p);    /* a control packet */
void ppp_fail(struct ppp *l, enum ppp_end why);         /* the first reason stays; LCP closes */
uint64_t ppp_random(struct ppp *l);
void ppp_rejected(struct ppp *l, struct span info);     /* a Protocol-Reject came */
void ppp_begin_networks(struct ppp *l);

#endif
