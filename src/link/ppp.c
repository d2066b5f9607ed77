/*
 * A PPP link: the automata of its protocols, one above the other.
 *
 *   PPP_DEAD -> ESTABLISH (LCP) -> AUTHENTICATE (PAP, CHAP) -> NETWORK (IPCP, IPV6CP) -> TERMINATE -> DEAD
 *
 * An automaton does not call the one above: it leaves facts (this layer is up, down, finished), and
 * `settle`, here, carries them upward after each packet and each timeout.
 */
#include "link/ppp_neg.h"

/* ---- what became of it ---- */

const char *ppp_end_text(enum ppp_end e)
{
    static const char *const texts[PPP_ENDS] = {
        [PPP_END_NONE] = "it works",
        [PPP_END_NO_ANSWER] = "nobody answers at the other end",
        [PPP_END_NOT_AGREED] = "the two ends do not agree on how to talk",
        [PPP_END_LOOPED] = "the line is looped back: what is sent comes back",
        [PPP_END_NO_SECRET] = "the other end asks for a name and a password",
        [PPP_END_REFUSED] = "the other end does not take our name and password",
        [PPP_END_NOT_PROVEN] = "the other end is not who it should be: wrong name or password, or none",
        [PPP_END_NO_NETWORK] = "neither IPv4 nor IPv6 could be agreed on",
        [PPP_END_SILENT] = "the other end does not answer any more",
        [PPP_END_BY_PEER] = "the other end has hung up",
        [PPP_END_BY_US] = "closed",
    };
    ORIEL_ASSERT(e < PPP_ENDS);
    return texts[e];
}

void ppp_fail(struct ppp *l, enum ppp_end why)
{
    if (l->end == PPP_END_NONE)
        l->end = (uint8_t)why;
    ppp_neg_event(l, &l->lcp, PPP_EV_CLOSE);
}

uint64_t ppp_random(struct ppp *l)
{
    l->drawn++;
    return siphash_words(&l->key, &l->drawn, 1);
}

static void set_phase(struct ppp *l, enum ppp_phase to)
{
    static const uint8_t legal[PPP_PHASES] = {
        [PPP_DEAD] = BIT(PPP_DEAD) | BIT(PPP_ESTABLISH),
        [PPP_ESTABLISH] = BIT(PPP_AUTHENTICATE) | BIT(PPP_TERMINATE) | BIT(PPP_DEAD) | BIT(PPP_ESTABLISH),
        [PPP_AUTHENTICATE] = BIT(PPP_NETWORK) | BIT(PPP_TERMINATE) | BIT(PPP_ESTABLISH) | BIT(PPP_DEAD),
        [PPP_NETWORK] = BIT(PPP_TERMINATE) | BIT(PPP_ESTABLISH) | BIT(PPP_DEAD),
        [PPP_TERMINATE] = BIT(PPP_DEAD) | BIT(PPP_ESTABLISH) | BIT(PPP_TERMINATE),
    };
    ORIEL_ASSERT(legal[l->phase] & BIT(to));
    l->phase = (uint8_t)to;
}

/* ---- facts ---- */

static uint16_t take_facts(struct ppp_neg *g)
{
    uint16_t facts = g->facts;
    g->facts = 0;
    return facts;
}

/* It ended without anybody having said why. */
static enum ppp_end guess(const struct ppp *l)
{
    if (l->hint != PPP_END_NONE)
        return (enum ppp_end)l->hint;
    return l->lcp.heard ? PPP_END_NOT_AGREED : PPP_END_NO_ANSWER;
}

static void lcp_is_down(struct ppp *l)
{
    ppp_lcp_on_down(l);
    ppp_neg_event(l, &l->ipcp, PPP_EV_DOWN);
    ppp_neg_event(l, &l->ipv6cp, PPP_EV_DOWN);
    l->us.deadline = l->them.deadline = ORIEL_NEVER;
}

static void settle_lcp(struct ppp *l)
{
    uint16_t facts = take_facts(&l->lcp);
    if (facts & PPP_TLD)
        lcp_is_down(l);
    if (facts & PPP_TLU) {
        set_phase(l, PPP_AUTHENTICATE);
        ppp_lcp_on_up(l);
        ppp_auth_begin(l);
    } else if (facts & PPP_TLF) {
        l->end = l->end == PPP_END_NONE ? (uint8_t)guess(l) : l->end;
        set_phase(l, PPP_DEAD);
    } else if (facts & PPP_TLD) {
        bool closing = l->lcp.state == PPP_CLOSING || l->lcp.state == PPP_STOPPING;
        set_phase(l, closing ? PPP_TERMINATE : PPP_ESTABLISH);
    }
}

static bool is_decided(const struct ppp_neg *g)
{
    return g->state < PPP_REQ_SENT || g->state == PPP_OPENED;
}

bool ppp_is_settled(const struct ppp *l)
{
    return l->phase == PPP_NETWORK && is_decided(&l->ipcp) && is_decided(&l->ipv6cp);
}

static void settle(struct ppp *l)
{
    while (l->lcp.facts)
        settle_lcp(l);
    if (l->phase == PPP_AUTHENTICATE && ppp_auth_is_done(l) && l->lcp.state == PPP_OPENED) {
        set_phase(l, PPP_NETWORK);
        ppp_begin_networks(l);
    }
    if (ppp_is_settled(l) && !ppp_has_ip4(l) && !ppp_has_ip6(l)) {
        ppp_fail(l, PPP_END_NO_NETWORK);
        while (l->lcp.facts)
            settle_lcp(l);
    }
}

/* ---- life ---- */

void ppp_init(struct ppp *l, const struct ppp_config *cfg)
{
    *l = (struct ppp){.cfg = *cfg, .phase = PPP_DEAD};
    l->cfg.mru = cfg->mru ? cfg->mru : PPP_MRU;
    l->cfg.mtu = cfg->mtu ? cfg->mtu : PPP_MRU;
    l->key = siphash_derive(cfg->seed, "ppp");
    ppp_rx_init(&l->rx, cfg->in, ppp_in_bytes(l->cfg.mru));
    l->out.p = cfg->out;
    l->out.cap = ppp_out_bytes(l->cfg.mtu);
    l->us.deadline = l->them.deadline = ORIEL_NEVER;
    ppp_lcp_on_down(l);
    ppp_neg_init(&l->lcp, &ppp_lcp_kind);
    ppp_neg_init(&l->ipcp, &ppp_ipcp_kind);
    ppp_neg_init(&l->ipv6cp, &ppp_ipv6cp_kind);
    if (!cfg->no_ip4)
        ppp_neg_event(l, &l->ipcp, PPP_EV_OPEN);
    if (!cfg->no_ip6)
        ppp_neg_event(l, &l->ipv6cp, PPP_EV_OPEN);
}

void ppp_up(struct ppp *l, oriel_time now)
{
    ppp_down(l, now);
    l->end = l->hint = PPP_END_NONE;
    l->lcp.heard = false;
    l->lcp.failures = l->lcp.naks = 0;
    ppp_lcp_init(l);
    set_phase(l, PPP_ESTABLISH);
    ppp_neg_event(l, &l->lcp, PPP_EV_OPEN);
    ppp_neg_event(l, &l->lcp, PPP_EV_UP);
    l->lcp.facts &= (uint16_t)~PPP_TLS;         /* the line is there already */
}

void ppp_down(struct ppp *l, oriel_time now)
{
    l->now = now;
    ppp_neg_event(l, &l->lcp, PPP_EV_DOWN);
    settle(l);
    set_phase(l, PPP_DEAD);
    ppp_rx_init(&l->rx, l->rx.buf, l->rx.cap);
    l->out.n = 0;
}

void ppp_close(struct ppp *l, oriel_time now)
{
    l->now = now;
    ppp_fail(l, PPP_END_BY_US);
    settle(l);
}

static oriel_time earlier(oriel_time a, oriel_time b)
{
    return a < b ? a : b;
}

oriel_time ppp_run(struct ppp *l, oriel_time now)
{
    l->now = now;
    ppp_neg_run(l, &l->lcp);
    ppp_neg_run(l, &l->ipcp);
    ppp_neg_run(l, &l->ipv6cp);
    settle(l);
    if (l->phase == PPP_AUTHENTICATE)
        ppp_auth_run(l);
    if (l->phase == PPP_NETWORK)
        ppp_lcp_run(l);
    settle(l);
    oriel_time next = earlier(l->lcp.deadline, earlier(l->ipcp.deadline, l->ipv6cp.deadline));
    if (l->phase == PPP_AUTHENTICATE)
        next = earlier(next, earlier(l->us.done ? ORIEL_NEVER : l->us.deadline,
                                     l->them.done ? ORIEL_NEVER : l->them.deadline));
    return l->phase == PPP_NETWORK ? earlier(next, l->echo_at) : next;
}

/* ---- frames ---- */

void ppp_put(struct ppp *l, uint16_t proto, const struct ppp_cp *p)
{
    uint8_t bytes[PPP_CP_HDR_LEN + PPP_REPLY_MAX];
    struct wr cp = wr_of(bytes, sizeof(bytes)), w = wr_of(l->out.p + l->out.n, l->out.cap - l->out.n);
    ppp_cp_emit(&cp, p);
    if (!cp.bad)
        ppp_frame_emit(&w, &l->tx, proto, wr_span(&cp));
    if (cp.bad || w.bad)
        l->lost++;
    else
        l->out.n += wr_len(&w);
}

static struct ppp_neg *neg_of(struct ppp *l, uint16_t proto)
{
    switch (proto) {
    case PPP_LCP:
        return &l->lcp;
    case PPP_IPCP:
        return &l->ipcp;
    case PPP_IPV6CP:
        return &l->ipv6cp;
    default:
        return NULL;
    }
}

/* We speak it, and were not told to leave it alone. */
static bool is_wanted(const struct ppp *l, uint16_t proto)
{
    bool v4 = proto == PPP_IPCP || proto == PPP_IP4, v6 = proto == PPP_IPV6CP || proto == PPP_IP6;
    return (v4 && !l->cfg.no_ip4) || (v6 && !l->cfg.no_ip6);
}

/* The peer does not know that protocol: LCP goes on, the protocol does not. */
void ppp_rejected(struct ppp *l, struct span info)
{
    struct rd r = rd_of(info);
    struct ppp_neg *g = neg_of(l, rd_u16(&r));
    if (r.bad == 0 && g)
        ppp_neg_event(l, g, PPP_EV_REJECT_FATAL);
}

/* RFC 1661, 3.4 and 3.5: what comes before its time is dropped. */
static bool take_control(struct ppp *l, uint16_t proto, struct span info)
{
    bool auth = proto == PPP_PAP || proto == PPP_CHAP;
    if (proto == PPP_LCP)
        ppp_neg_input(l, &l->lcp, info);
    else if (auth && (l->phase == PPP_AUTHENTICATE || l->phase == PPP_NETWORK))
        ppp_auth_input(l, proto, info);
    else if (!auth && l->phase == PPP_NETWORK && is_wanted(l, proto))
        ppp_neg_input(l, neg_of(l, proto), info);
    else if (!auth && l->phase == PPP_NETWORK)
        ppp_lcp_reject_protocol(l, proto, info);
    else
        return false;
    settle(l);
    return true;
}

/* True: it is a packet for the network. A link that has ended hears nothing until ppp_up. */
static bool take_frame(struct ppp *l, struct span frame, struct ppp_packet *out)
{
    struct rd r = rd_of(frame);
    struct ppp_hdr h;
    bool known = ppp_parse(&r, &h) && l->phase != PPP_DEAD, v6 = h.proto == PPP_IP6;
    struct span info = rd_rest(&r);
    if (known && (h.proto == PPP_IP4 || v6) && is_wanted(l, h.proto)) {
        *out = (struct ppp_packet){.v6 = v6, .bytes = info};
        known = v6 ? ppp_has_ip6(l) : ppp_has_ip4(l);
        l->dropped += !known;
        return known;
    }
    l->dropped += !known || !take_control(l, h.proto, info);
    return false;
}

bool ppp_input(struct ppp *l, oriel_time now, struct rd *in, struct ppp_packet *out)
{
    struct span frame;
    l->now = now;
    while (ppp_rx_next(&l->rx, in, &frame))
        if (take_frame(l, frame, out))
            return true;
    return false;
}

/* ---- packets ---- */

uint16_t ppp_mtu(const struct ppp *l)
{
    return l->lcp_peer.mru < l->cfg.mtu ? l->lcp_peer.mru : l->cfg.mtu;
}

bool ppp_can_send(const struct ppp *l)
{
    return l->phase == PPP_NETWORK && (ppp_has_ip4(l) || ppp_has_ip6(l)) &&
           l->out.cap - l->out.n >= ppp_encoded_max(l->cfg.mtu) + PPP_CONTROL_ROOM;
}

enum ppp_sent ppp_send(struct ppp *l, struct ppp_packet p)
{
    struct wr w = wr_of(l->out.p + l->out.n, l->out.cap - l->out.n);
    const struct ppp_neg *g = p.v6 ? &l->ipv6cp : &l->ipcp;
    if (!ppp_can_send(l) || (g->worked && !is_decided(g)))
        return PPP_LATER;
    if (p.bytes.n > ppp_mtu(l) || !(p.v6 ? ppp_has_ip6(l) : ppp_has_ip4(l)))
        return PPP_NEVER;
    ppp_frame_emit(&w, &l->tx, p.v6 ? PPP_IP6 : PPP_IP4, p.bytes);
    ORIEL_ASSERT(!w.bad);
    l->out.n += wr_len(&w);
    return PPP_SENT;
}

void ppp_written(struct ppp *l, size_t n)
{
    ORIEL_ASSERT(n <= l->out.n);
    l->out.n -= n;
    memmove(l->out.p, l->out.p + n, l->out.n);
}
