/*
 * LCP (RFC 1661, 6): how frames look, who has to say who it is, whether we hear ourselves, and whether the
 * other end is there.
 *
 * A line that is looped back gives us our own magic number. A request that has it is answered with another
 * one, which comes back as well; after PPP_LOOPS_MAX rounds the line is said to be looped (RFC 1661, 6.4).
 * Once the link is open one echo of our own is enough.
 */
#include "link/ppp_neg.h"

#define AUTH_PAP      PPP_PAP
#define AUTH_CHAP_MD5 ((uint64_t)PPP_CHAP << 8 | 5)

/* ---- what we ask for ---- */

static uint32_t new_magic(struct ppp *l)
{
    uint32_t m = (uint32_t)ppp_random(l);
    return m ? m : 1;
}

void ppp_lcp_init(struct ppp *l)
{
    struct ppp_neg *g = &l->lcp;
    g->own_n = 0;
    if (l->cfg.mru != PPP_MRU)
        ppp_neg_want(g, LCP_OPT_MRU, 2, l->cfg.mru);
    ppp_neg_want(g, LCP_OPT_ACCM, 4, l->cfg.accm);
    if (l->cfg.auth == PPP_AUTH_PAP)
        ppp_neg_want(g, LCP_OPT_AUTH, 2, AUTH_PAP);
    if (l->cfg.auth == PPP_AUTH_CHAP)
        ppp_neg_want(g, LCP_OPT_AUTH, 3, AUTH_CHAP_MD5);
    ppp_neg_want(g, LCP_OPT_MAGIC, 4, new_magic(l));
    ppp_neg_want(g, LCP_OPT_PFC, 0, 0);
    ppp_neg_want(g, LCP_OPT_ACFC, 0, 0);
    l->loops = 0;
    l->nak_magic = 0;
}

static void heard_ourselves(struct ppp *l, unsigned times)
{
    l->loops = (uint8_t)(l->loops + times);
    if (l->loops >= PPP_LOOPS_MAX)
        ppp_fail(l, PPP_END_LOOPED);
}

static void on_nak(struct ppp *l, struct ppp_value *own, const struct ppp_value *o)
{
    switch (own->type) {
    case LCP_OPT_MRU:
        if (o->v >= PPP_MRU_MIN && o->v <= ppp_in_bytes(l->cfg.mru) - 6)
            own->v = o->v;
        break;
    case LCP_OPT_ACCM:
        own->v |= o->v;
        break;
    case LCP_OPT_MAGIC:
        if (o->v == l->nak_magic)
            heard_ourselves(l, 1);
        own->v = new_magic(l);
        break;
    }
}

static void on_reject(struct ppp *l, struct ppp_value *own)
{
    if (own->type == LCP_OPT_AUTH)
        ppp_fail(l, PPP_END_NOT_PROVEN);
}

/* ---- what the peer asks for ---- */

static void begin(struct ppp *l)
{
    l->lcp_peer = (struct ppp_lcp_peer){.mru = PPP_MRU, .accm = PPP_ACCM_ALL};
}

/* Which way of saying who we are do we know? */
static enum ppp_verdict judge_auth(struct ppp *l, struct ppp_value *o)
{
    if (l->cfg.own.name_n == 0) {
        l->hint = PPP_END_NO_SECRET;
        return PPP_REFUSE;
    }
    if (o->n == 3 && o->v == AUTH_CHAP_MD5)
        l->lcp_peer.auth = PPP_AUTH_CHAP;
    else if (o->n == 2 && o->v == AUTH_PAP && !l->cfg.no_pap)
        l->lcp_peer.auth = PPP_AUTH_PAP;
    else
        *o = (struct ppp_value){.type = LCP_OPT_AUTH, .n = 3, .v = AUTH_CHAP_MD5};
    return l->lcp_peer.auth == PPP_AUTH_NONE ? PPP_BETTER : PPP_TAKE;
}

static enum ppp_verdict judge_magic(struct ppp *l, struct ppp_value *o)
{
    const struct ppp_value *own = ppp_neg_has(&l->lcp, LCP_OPT_MAGIC);
    bool same = own && o->v == own->v;
    if (same)
        heard_ourselves(l, 1);
    if (!same && o->v != 0) {
        l->lcp_peer.magic = (uint32_t)o->v;
        l->loops = 0;
        return PPP_TAKE;
    }
    o->v = l->nak_magic = new_magic(l);
    return PPP_BETTER;
}

static enum ppp_verdict judge_mru(struct ppp *l, struct ppp_value *o)
{
    if (o->v >= PPP_MRU_MIN) {
        l->lcp_peer.mru = (uint16_t)o->v;
        return PPP_TAKE;
    }
    o->v = PPP_MRU;
    return PPP_BETTER;
}

static enum ppp_verdict judge(struct ppp *l, struct ppp_value *o)
{
    static const uint8_t lens[] = {[LCP_OPT_MRU] = 2, [LCP_OPT_ACCM] = 4, [LCP_OPT_MAGIC] = 4,
                                   [LCP_OPT_PFC] = 0, [LCP_OPT_ACFC] = 0};
    if (o->type == LCP_OPT_AUTH)
        return judge_auth(l, o);
    if (o->type >= ARRAY_LEN(lens) || o->n != lens[o->type])
        return PPP_REFUSE;
    switch (o->type) {
    case LCP_OPT_MRU:
        return judge_mru(l, o);
    case LCP_OPT_MAGIC:
        return judge_magic(l, o);
    case LCP_OPT_ACCM:
        l->lcp_peer.accm = (uint32_t)o->v;
        return PPP_TAKE;
    case LCP_OPT_PFC:
        l->lcp_peer.pfc = true;
        return PPP_TAKE;
    case LCP_OPT_ACFC:
        l->lcp_peer.acfc = true;
        return PPP_TAKE;
    }
    return PPP_REFUSE;
}

const struct ppp_neg_kind ppp_lcp_kind = {
    .proto = PPP_LCP, .begin = begin, .judge = judge, .on_nak = on_nak, .on_reject = on_reject,
};

/* ---- up and down ---- */

void ppp_lcp_on_up(struct ppp *l)
{
    const struct ppp_value *accm = ppp_neg_has(&l->lcp, LCP_OPT_ACCM);
    const struct ppp_lcp_peer *p = &l->lcp_peer;
    l->tx = (struct ppp_tx){.accm = p->accm, .pfc = p->pfc, .acfc = p->acfc};
    l->rx.accm = accm ? (uint32_t)accm->v : PPP_ACCM_ALL;
    l->echoes = 0;
    l->echo_at = l->cfg.echo ? time_after(l->now, l->cfg.echo) : ORIEL_NEVER;
}

void ppp_lcp_on_down(struct ppp *l)
{
    l->tx = (struct ppp_tx){.accm = PPP_ACCM_ALL};
    l->rx.accm = PPP_ACCM_ALL;
    l->echo_at = ORIEL_NEVER;
}

/* ---- echoes ---- */

static uint32_t own_magic(const struct ppp *l)
{
    const struct ppp_value *m = ppp_neg_has(&l->lcp, LCP_OPT_MAGIC);
    return m ? (uint32_t)m->v : 0;
}

/* The answer has the same data, but for the magic number, which is ours. */
static void send_echo(struct ppp *l, uint8_t code, uint8_t id, struct span rest)
{
    uint8_t bytes[PPP_REPLY_MAX];
    struct wr w = wr_of(bytes, sizeof(bytes));
    wr_u32(&w, own_magic(l));
    wr_bytes(&w, span_of(rest.p, rest.n < wr_left(&w) ? rest.n : wr_left(&w)));
    ppp_put(l, PPP_LCP, &(struct ppp_cp){code, id, wr_span(&w)});
}

void ppp_lcp_on_echo(struct ppp *l, const struct ppp_cp *in)
{
    struct rd r = rd_of(in->data);
    uint32_t magic = rd_u32(&r);
    if (r.bad) {
        l->dropped++;
        return;
    }
    if (magic != 0 && magic == own_magic(l)) {
        heard_ourselves(l, PPP_LOOPS_MAX);
        return;
    }
    if (in->code == PPP_ECHO_REQ)
        send_echo(l, PPP_ECHO_REPLY, in->id, rd_rest(&r));
    else if (in->code == PPP_ECHO_REPLY)
        l->echoes = 0;
}

void ppp_lcp_run(struct ppp *l)
{
    if (l->now < l->echo_at)
        return;
    if (l->echoes >= l->cfg.echoes_max) {
        ppp_fail(l, PPP_END_SILENT);
        return;
    }
    l->echoes++;
    send_echo(l, PPP_ECHO_REQ, ++l->echo_id, span_of(NULL, 0));
    l->echo_at = l->cfg.echo ? time_after(l->now, l->cfg.echo) : ORIEL_NEVER;
}

/* RFC 1661, 5.7: the protocol, and the packet as far as the peer takes it. */
void ppp_lcp_reject_protocol(struct ppp *l, uint16_t proto, struct span info)
{
    uint8_t bytes[PPP_REPLY_MAX];
    size_t room = l->lcp_peer.mru - 6u < sizeof(bytes) ? l->lcp_peer.mru - 6u : sizeof(bytes);
    struct wr w = wr_of(bytes, room);
    wr_u16(&w, proto);
    wr_bytes(&w, span_of(info.p, info.n < wr_left(&w) ? info.n : wr_left(&w)));
    ppp_put(l, PPP_LCP, &(struct ppp_cp){PPP_PROTO_REJ, ++l->lcp.other_id, wr_span(&w)});
}
