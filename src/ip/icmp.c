/*
 * ICMP and ICMPv6: errors that we send, errors that we receive, echo.
 *
 * What is sent about a received packet obeys RFC 1122, 3.2.2 and RFC 4443, 2.4: never about an
 * error, a group, a later fragment or a source that is not one host; and at a limited rate. The
 * rate is kept per peer, by a keyed hash, and for all peers together in a bucket from which an
 * error takes more or less by chance, so that an outsider learns nothing from what he is not sent
 * (the SAD DNS attack).
 *
 * What is received about a packet of ours becomes a fact. This file believes nothing: the transport
 * is asked first.
 */
#include "ip/ip.h"

#include "wire/fault.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define QUOTE4_MAX (576 - IP4_HDR_LEN - ICMP4_HDR_LEN)          /* RFC 1812, 4.3.2.3 */
#define QUOTE6_MAX (IP6_MTU_MIN - IP6_HDR_LEN - ICMP6_HDR_LEN)  /* RFC 4443, 2.4 (c) */
#define ICMP_TOS   0xc0                                         /* RFC 1812, 4.3.2.5 */
#define ALL_BURST  50
#define ALL_PER_S  1000
#define REDIRECT_CODE_MAX 3                                     /* RFC 792: host and service */

/* ---- the rate ---- */

static void refill(struct ip *ip, struct icmp_bucket *b, uint32_t per_s)
{
    oriel_time gap = NS_PER_S / per_s;
    oriel_time n = (ip->env->now - b->refilled) / gap;
    b->refilled += n * gap;
    b->spent = n > b->spent ? 0 : (uint16_t)(b->spent - n);
}

static bool may_send(struct ip *ip, const struct oriel_addr *to)
{
    struct icmp *ic = &ip->icmp;
    uint32_t h = hash_2(ip->env->hash_seed ^ 0x1c3b, to->hi, to->lo);
    struct icmp_bucket *b = &ic->per_peer[h % ICMP_BUCKETS];
    uint32_t per_s = ip->set.icmp_per_s < ALL_PER_S ? ip->set.icmp_per_s : ALL_PER_S;
    refill(ip, b, per_s);
    refill(ip, &ic->all, ALL_PER_S);
    if (b->spent >= per_s || ic->all.spent >= ALL_BURST)
        return false;
    b->spent++;
    ic->all.spent = (uint16_t)(ic->all.spent + rng_below(&ip->env->rng, 3));    /* one on average */
    return true;
}

/* ---- errors out ---- */

struct error4 {
    uint8_t type, code;
    enum why why;
};

static struct error4 error4_of(enum icmp_error_kind kind)
{
    static const struct error4 table[] = {
        [ICMP_NET_UNREACHABLE] = {ICMP4_UNREACHABLE, ICMP4_NET, WHY_ICMP_UNREACHABLE},
        [ICMP_HOST_UNREACHABLE] = {ICMP4_UNREACHABLE, ICMP4_HOST, WHY_ICMP_UNREACHABLE},
        [ICMP_PROTO_UNREACHABLE] = {ICMP4_UNREACHABLE, ICMP4_PROTO, WHY_ICMP_UNREACHABLE},
        [ICMP_PORT_UNREACHABLE] = {ICMP4_UNREACHABLE, ICMP4_PORT, WHY_ICMP_UNREACHABLE},
        [ICMP_TOO_BIG] = {ICMP4_UNREACHABLE, ICMP4_FRAG_NEEDED, WHY_ICMP_TOO_BIG},
        [ICMP_ADMIN_PROHIBITED] = {ICMP4_UNREACHABLE, ICMP4_ADMIN, WHY_ICMP_UNREACHABLE},
        [ICMP_TTL_EXCEEDED] = {ICMP4_TIME_EXCEEDED, ICMP4_TTL, WHY_ICMP_TIME_EXCEEDED},
        [ICMP_REASM_TIMEOUT] = {ICMP4_TIME_EXCEEDED, ICMP4_REASM, WHY_ICMP_REASM_TIMEOUT},
        [ICMP_BAD_FIELD] = {ICMP4_PARAM_PROBLEM, 0, WHY_ICMP_PARAM_PROBLEM},
        [ICMP_BAD_OPTION] = {ICMP4_PARAM_PROBLEM, 0, WHY_ICMP_PARAM_PROBLEM},
        [ICMP_BAD_CHAIN] = {ICMP4_PARAM_PROBLEM, 0, WHY_ICMP_PARAM_PROBLEM},
        [ICMP_BEYOND_SCOPE] = {ICMP4_UNREACHABLE, ICMP4_NET, WHY_ICMP_UNREACHABLE},
    };
    return table[kind];
}

static struct error4 error6_of(enum icmp_error_kind kind)
{
    static const struct error4 table[] = {
        [ICMP_NET_UNREACHABLE] = {ICMP6_UNREACHABLE, ICMP6_NO_ROUTE, WHY_ICMP_UNREACHABLE},
        [ICMP_HOST_UNREACHABLE] = {ICMP6_UNREACHABLE, ICMP6_ADDR, WHY_ICMP_UNREACHABLE},
        [ICMP_PROTO_UNREACHABLE] = {ICMP6_PARAM_PROBLEM, ICMP6_NEXT_HEADER, WHY_ICMP_PARAM_PROBLEM},
        [ICMP_PORT_UNREACHABLE] = {ICMP6_UNREACHABLE, ICMP6_PORT, WHY_ICMP_UNREACHABLE},
        [ICMP_TOO_BIG] = {ICMP6_TOO_BIG, 0, WHY_ICMP_TOO_BIG},
        [ICMP_ADMIN_PROHIBITED] = {ICMP6_UNREACHABLE, ICMP6_ADMIN, WHY_ICMP_UNREACHABLE},
        [ICMP_TTL_EXCEEDED] = {ICMP6_TIME_EXCEEDED, 0, WHY_ICMP_TIME_EXCEEDED},
        [ICMP_REASM_TIMEOUT] = {ICMP6_TIME_EXCEEDED, 1, WHY_ICMP_REASM_TIMEOUT},
        [ICMP_BAD_FIELD] = {ICMP6_PARAM_PROBLEM, ICMP6_FIELD, WHY_ICMP_PARAM_PROBLEM},
        [ICMP_BAD_OPTION] = {ICMP6_PARAM_PROBLEM, ICMP6_OPTION, WHY_ICMP_PARAM_PROBLEM},
        [ICMP_BAD_CHAIN] = {ICMP6_PARAM_PROBLEM, ICMP6_CHAIN, WHY_ICMP_PARAM_PROBLEM},
        [ICMP_BEYOND_SCOPE] = {ICMP6_UNREACHABLE, ICMP6_SCOPE, WHY_ICMP_UNREACHABLE},
    };
    return table[kind];
}

/* Is it itself an error message (or a redirect)? `r` stands at the ICMP header. */
static bool is_error(struct rd *r, bool v4)
{
    uint8_t type = rd_u8(r);
    return v4 ? icmp4_is_error(type) : icmp6_is_error(type) || type == ICMP6_REDIRECT;
}

/* One host, whom an answer can reach. */
static bool one_host(const struct ip *ip, const struct pkt *p, const struct oriel_addr *a)
{
    return !addr_is_unspecified(a) && !addr_is_multicast(a) && !addr_is_class_e(a) &&
           !(addr_is_loopback(a) && !(p->flags & PKT_LOOPED)) && !ip_is_broadcast(ip, p->nif, a);
}

/* The same behind extension headers; of a later fragment nobody can tell, and it counts as one. */
static bool is_error6(struct rd *r, uint8_t next)
{
    struct ip6_ext e;
    bool later = false;
    for (unsigned i = 0; i < IP6_EXT_MAX && !later && ip6_is_ext(next); i++) {
        if (!ip6_ext_parse(r, next, &e))
            return false;
        struct rd body = rd_of(e.body);
        later = e.type == IP_FRAGMENT && (rd_u16(&body) & 0xfff8) != 0;
        next = e.next;
    }
    return next == IP_ICMP6 && (later || is_error(r, false));
}

/* The rules about what may be answered with an error; fills in who it came from and went to. */
static bool may_answer(const struct ip *ip, const struct pkt *p, enum icmp_error_kind kind,
                       struct oriel_addr *src, struct oriel_addr *dst)
{
    struct rd r = pkt_rd(p, p->l3);
    struct rd peek = r;
    if (rd_u8(&peek) >> 4 == 4) {
        struct ip4_hdr h;
        if (!ip4_parse_quoted(&r, &h) || h.frag_off != 0)
            return false;
        *src = h.src;
        *dst = h.dst;
        return !(p->flags & (PKT_L2_BCAST | PKT_L2_MCAST)) && one_host(ip, p, src) &&
               !addr_is_multicast(dst) && !ip_is_broadcast(ip, p->nif, dst) &&
               !(h.proto == IP_ICMP && is_error(&r, true));
    }
    struct ip6_hdr h;
    if (!ip6_parse_quoted(&r, &h))
        return false;
    *src = h.src;
    *dst = h.dst;
    if (addr_is_link_local(src))
        src->zone = p->nif;
    bool group_ok = kind == ICMP_TOO_BIG || kind == ICMP_BAD_OPTION;
    bool to_group = addr_is_multicast(dst) || (p->flags & (PKT_L2_BCAST | PKT_L2_MCAST));
    return one_host(ip, p, src) && (!to_group || group_ok) && !is_error6(&r, h.next);
}

/* The address that speaks: the one that was addressed, else the interface's (RFC 1812, 4.3.2.4). */
static struct oriel_addr speaker(const struct ip *ip, const struct pkt *p,
                                 const struct oriel_addr *dst)
{
    bool stands_in = netif_at(ip->link, p->nif) && ip_if_of(ip, p->nif)->any_addr;
    if (ip_is_own(ip, dst) || stands_in)
        return *dst;
    const struct ifaddr *first = netif_at(ip->link, p->nif)
                                     ? ifaddr_first(ip, p->nif, addr_is_v4(dst)) : NULL;
    if (first && (addr_is_v4(dst) || !addr_is_link_local(&first->addr)))
        return first->addr;
    return ADDR_NONE;           /* the path's choice */
}

/* The way to one host. What looked like one may be the broadcast address of another link. */
static bool path_back(struct ip *ip, const struct oriel_addr *to, const struct oriel_addr *from,
                      struct ip_path *path)
{
    return ip_path_find(ip, to, from, 0, path) == 0 && !path->broadcast && !path->group;
}

static void emit4(struct ip *ip, const struct pkt *p, struct error4 e, uint32_t info,
                  const struct ip_path *path)
{
    size_t quote = pkt_len(p) - p->l3;
    quote = quote > QUOTE4_MAX ? QUOTE4_MAX : quote;
    struct pkt *q = pkt_new(ip->env, PKT_HEADROOM, ICMP4_HDR_LEN + quote);
    if (!q)
        return;
    struct icmp4_hdr h = {.type = e.type, .code = e.code, .gateway = ADDR_NONE};
    if (e.type == ICMP4_PARAM_PROBLEM)
        h.pointer = (uint8_t)info;
    else
        h.mtu = (uint16_t)info;
    pkt_read(p, p->l3, pkt_data(q) + ICMP4_HDR_LEN, quote);
    if (ip_if_of(ip, path->nif->index)->nat)
        nat_quote_out(ip, q, ICMP4_HDR_LEN, path->nif->index);
    struct wr w = wr_of(pkt_data(q), ICMP4_HDR_LEN);
    icmp4_emit(&w, &h, pkt_sum(ip->env, q, ICMP4_HDR_LEN, quote));
    struct ip_tx tx = {.proto = IP_ICMP, .tos = ICMP_TOS};
    (void)ip_output(ip, q, path, &tx, e.why);
}

static void emit6(struct ip *ip, const struct pkt *p, struct error4 e, uint32_t info,
                  const struct ip_path *path)
{
    size_t quote = pkt_len(p) - p->l3;
    quote = quote > QUOTE6_MAX ? QUOTE6_MAX : quote;
    size_t len = ICMP6_HDR_LEN + quote;
    struct pkt *q = pkt_new(ip->env, PKT_HEADROOM, len);
    if (!q)
        return;
    struct icmp6_hdr h = {.type = e.type, .code = e.code};
    if (e.type == ICMP6_PARAM_PROBLEM)
        h.pointer = info;
    else
        h.mtu = info;
    pkt_read(p, p->l3, pkt_data(q) + ICMP6_HDR_LEN, quote);
    struct wr w = wr_of(pkt_data(q), ICMP6_HDR_LEN);
    icmp6_emit(&w, &h, &path->src, &path->dst, (uint32_t)len,
               pkt_sum(ip->env, q, ICMP6_HDR_LEN, quote));
    struct ip_tx tx = {.proto = IP_ICMP6};
    (void)ip_output(ip, q, path, &tx, e.why);
}

void icmp_error(struct ip *ip, const struct pkt *p, enum icmp_error_kind kind, uint32_t info)
{
    struct oriel_addr src, dst;
    struct ip_path path;
    if (!may_answer(ip, p, kind, &src, &dst) || !may_send(ip, &src))
        return;
    struct oriel_addr from = speaker(ip, p, &dst);
    if (!path_back(ip, &src, &from, &path))
        return;
    if (addr_is_v4(&src))
        emit4(ip, p, error4_of(kind), info, &path);
    else
        emit6(ip, p, error6_of(kind), info, &path);
}

bool icmp_may_redirect(struct ip *ip, const struct pkt *p, struct oriel_addr *src,
                       struct oriel_addr *dst)
{
    return may_answer(ip, p, ICMP_HOST_UNREACHABLE, src, dst) && may_send(ip, src);
}

void icmp4_send_redirect(struct ip *ip, const struct pkt *p, const struct oriel_addr *gateway)
{
    struct oriel_addr src, dst;
    struct ip_path path;
    if (!icmp_may_redirect(ip, p, &src, &dst))
        return;
    const struct ifaddr *us = ifaddr_first(ip, p->nif, true);
    if (!us || !path_back(ip, &src, &us->addr, &path))
        return;
    size_t quote = pkt_len(p) > QUOTE4_MAX ? QUOTE4_MAX : pkt_len(p);
    struct pkt *q = pkt_new(ip->env, PKT_HEADROOM, ICMP4_HDR_LEN + quote);
    if (!q)
        return;
    struct icmp4_hdr h = {.type = ICMP4_REDIRECT, .code = 1, .gateway = *gateway};
    pkt_read(p, 0, pkt_data(q) + ICMP4_HDR_LEN, quote);
    struct wr w = wr_of(pkt_data(q), ICMP4_HDR_LEN);
    icmp4_emit(&w, &h, pkt_sum(ip->env, q, ICMP4_HDR_LEN, quote));
    struct ip_tx tx = {.proto = IP_ICMP, .tos = ICMP_TOS};
    (void)ip_output(ip, q, &path, &tx, WHY_ICMP_REDIRECT);
}

/* ---- facts ---- */

/* Ports (or the echo identifier) of a quoted transport header. */
static void quote_ports(struct rd *r, struct fact *f)
{
    switch (f->proto) {
    case IP_UDP:
    case IP_TCP:
        f->local.port = rd_u16(r);
        f->remote.port = rd_u16(r);
        f->seq = rd_u32(r);
        return;
    case IP_ICMP:
    case IP_ICMP6:
        rd_skip(r, 4);          /* type, code, checksum */
        f->local.port = rd_u16(r);
        (void)rd_u16(r);
        return;
    }
}

/* Read a packet that we sent, as quoted: who, to whom, which flow. */
static bool read_quote(struct rd *r, struct fact *f)
{
    struct rd peek = *r;
    if (rd_u8(&peek) >> 4 == 4) {
        struct ip4_hdr h;
        if (!ip4_parse_quoted(r, &h) || h.frag_off != 0)
            return false;
        f->local.addr = h.src;
        f->remote.addr = h.dst;
        f->proto = h.proto;
        f->quoted_len = h.total_len;
    } else {
        struct ip6_hdr h;
        struct ip6_ext e;
        if (!ip6_parse_quoted(r, &h))
            return false;
        f->local.addr = h.src;
        f->remote.addr = h.dst;
        f->proto = h.next;
        f->quoted_len = h.payload_len + IP6_HDR_LEN;
        for (unsigned i = 0; i < IP6_EXT_MAX && ip6_is_ext(f->proto); i++) {
            if (!ip6_ext_parse(r, f->proto, &e))
                return false;
            f->proto = e.next;
        }
    }
    quote_ports(r, f);
    return r->bad == 0;
}

void icmp_tell_sender(struct ip *ip, const struct pkt *p, int err, uint32_t mtu)
{
    struct fact f = {.kind = mtu ? FACT_PMTU : FACT_ERROR, .err = (int16_t)err, .mtu = mtu};
    struct rd r = pkt_rd(p, p->l3);
    if (!read_quote(&r, &f))
        return;
    f.from = f.local.addr;
    env_fact(ip->env, &f);
}

static int error_of4(uint8_t type, uint8_t code)
{
    switch (type) {
    case ICMP4_TIME_EXCEEDED: return ORIEL_EHOSTUNREACH;
    case ICMP4_PARAM_PROBLEM: return ORIEL_EPROTO;
    }
    switch (code) {
    case ICMP4_PROTO:
    case ICMP4_PORT:        return ORIEL_ECONNREFUSED;
    case ICMP4_FRAG_NEEDED: return ORIEL_EMSGSIZE;
    case ICMP4_NET:
    case 6:                     /* network unknown */
    case 9:                     /* network prohibited */
    case 11:                    /* network, for that service */
        return ORIEL_ENETUNREACH;
    }
    return ORIEL_EHOSTUNREACH;
}

static int error_of6(uint8_t type, uint8_t code)
{
    switch (type) {
    case ICMP6_TOO_BIG:       return ORIEL_EMSGSIZE;
    case ICMP6_TIME_EXCEEDED: return ORIEL_EHOSTUNREACH;
    case ICMP6_PARAM_PROBLEM: return ORIEL_EPROTO;
    }
    switch (code) {
    case ICMP6_PORT:     return ORIEL_ECONNREFUSED;
    case ICMP6_NO_ROUTE: return ORIEL_ENETUNREACH;
    case ICMP6_ADMIN:    return ORIEL_EACCES;
    }
    return ORIEL_EHOSTUNREACH;
}

/* An error came: what it says, or why it is not listened to. */
static enum drop error_fact(struct ip *ip, const struct ip_rx *rx, struct rd *quote, struct fact *f)
{
    if (!read_quote(quote, f) || addr_is_v4(&f->remote.addr) != addr_is_v4(&rx->dst))
        return DROP_ICMP_QUOTE;
    if (!ifaddr_find(ip, &f->local.addr, 0) && !ip_if_of(ip, rx->nif)->any_addr)
        return DROP_ICMP_NOT_OURS;
    if (addr_is_link_local(&f->remote.addr))
        f->remote.addr.zone = rx->nif;
    f->from = rx->src;
    f->from_net = true;
    return DROP_NONE;
}

void icmp_accept_pmtu(struct ip *ip, struct fact *fact)
{
    uint32_t told = fact->mtu;
    uint32_t now = pmtu_lower(&ip->pmtu, &fact->remote.addr, told, fact->quoted_len);
    fact->mtu = now;
    if (now != 0) {
        ip_changed(ip);
        TRACE(ip->env, EV_PMTU, fact->remote.addr.hi, fact->remote.addr.lo, now, told);
    }
}

/* ---- echo ---- */

/* p starts at the IP header; its message is whole and its checksum good. */
void icmp_echo_reply(struct ip *ip, struct pkt *p, const struct ip_rx *rx)
{
    struct ip_path path;
    struct rd r = pkt_rd(p, p->l4);
    rd_skip(&r, 4);             /* type, code, checksum */
    uint16_t id = rd_u16(&r), seq = rd_u16(&r);
    const struct oriel_addr from = rx->to_group ? ADDR_NONE : rx->dst;
    bool v4 = rx->proto == IP_ICMP;
    if (!path_back(ip, &rx->src, &from, &path)) {
        pkt_drop(ip->env, p, DROP_IP_NO_ROUTE);
        return;
    }
    if (!pkt_own_head(ip->env, p)) {
        pkt_drop(ip->env, p, DROP_NO_MEMORY);
        return;
    }
    pkt_pull(p, p->l4);
    size_t len = rx->payload_len;
    uint32_t data_sum = pkt_sum(ip->env, p, ICMP4_HDR_LEN, len - ICMP4_HDR_LEN);
    struct wr w = wr_of(pkt_data(p), ICMP4_HDR_LEN);
    if (v4) {
        struct icmp4_hdr h = {.type = ICMP4_ECHO_REPLY, .id = id, .seq = seq, .gateway = ADDR_NONE};
        icmp4_emit(&w, &h, data_sum);
    } else {
        struct icmp6_hdr h = {.type = ICMP6_ECHO_REPLY, .id = id, .seq = seq};
        icmp6_emit(&w, &h, &path.src, &path.dst, (uint32_t)len, data_sum);
    }
    p->flags = 0;
    struct ip_tx tx = {.proto = rx->proto, .tos = rx->tos};
    (void)ip_output(ip, p, &path, &tx, WHY_ECHO_REPLY);
}

static enum icmp_verdict echo(struct ip *ip, struct pkt *p, const struct ip_rx *rx)
{
    if (!rx->to_group && ip_is_foreign(ip, &rx->dst))
        return ICMP_ECHO_FOREIGN;
    icmp_echo_reply(ip, p, rx);
    return ICMP_DONE;
}

static enum icmp_verdict refuse(struct ip *ip, struct pkt *p, enum drop why)
{
    pkt_drop(ip->env, p, why);
    return ICMP_DONE;
}

/* ---- ICMP ---- */

/* A redirect: only from the current first hop, to a neighbour of ours (RFC 1122, 3.2.2.2). */
static enum icmp_verdict redirect4(struct ip *ip, struct pkt *p, const struct ip_rx *rx,
                                   const struct icmp4_hdr *h, struct rd *quote)
{
    struct fact f = {.kind = FACT_ERROR};
    struct ip_path now;
    if (!ip->set.accept_redirects || ip->set.forward4 || !read_quote(quote, &f) ||
        !ifaddr_find(ip, &f.local.addr, 0) ||
        ip_path_route(ip, &f.remote.addr, 0, &now) != 0 || now.nif->index != rx->nif ||
        !addr_same_bits(&now.next_hop, &rx->src))
        return refuse(ip, p, DROP_ICMP_REDIRECT);
    const struct route *to = route_lookup(&ip->routes, &h->gateway, rx->nif);
    if (!to || to->origin != ROUTE_CONNECTED || ifaddr_find(ip, &h->gateway, 0) ||
        ip_is_broadcast(ip, rx->nif, &h->gateway) || h->code > REDIRECT_CODE_MAX)
        return refuse(ip, p, DROP_ICMP_REDIRECT);
    redirect_learn(ip, &f.remote.addr, &h->gateway, rx->nif);
    pkt_free(p);
    return ICMP_DONE;
}

static enum icmp_verdict input4(struct ip *ip, struct pkt *p, const struct ip_rx *rx, struct rd *r,
                                struct fact *fact)
{
    struct icmp4_hdr h;
    if (!icmp4_parse(r, &h))
        return refuse(ip, p, r->bad == FAULT_CSUM ? DROP_ICMP_CSUM : DROP_ICMP_SHORT);
    switch (h.type) {
    case ICMP4_ECHO:
        if (rx->to_group && !ip->set.echo_group)
            return refuse(ip, p, DROP_ICMP_ECHO_GROUP);
        return echo(ip, p, rx);
    case ICMP4_ECHO_REPLY:
        return ICMP_FOR_SOCKETS;
    case ICMP4_REDIRECT:
        return redirect4(ip, p, rx, &h, r);
    case ICMP4_UNREACHABLE:
    case ICMP4_TIME_EXCEEDED:
    case ICMP4_PARAM_PROBLEM:
        break;
    default:                    /* RFC 1122, 3.2.2; source quench: RFC 6633 */
        return refuse(ip, p, DROP_ICMP_TYPE);
    }
    bool too_big = h.type == ICMP4_UNREACHABLE && h.code == ICMP4_FRAG_NEEDED;
    *fact = (struct fact){.kind = too_big ? FACT_PMTU : FACT_ERROR,
                          .err = (int16_t)error_of4(h.type, h.code),
                          .icmp_type = h.type, .icmp_code = h.code, .mtu = h.mtu};
    enum drop why = error_fact(ip, rx, r, fact);
    return why == DROP_NONE ? ICMP_ERROR : refuse(ip, p, why);
}

/* ---- ICMPv6 ---- */

static enum icmp_verdict error6(struct ip *ip, struct pkt *p, const struct ip_rx *rx,
                                const struct icmp6_hdr *h, struct rd *r, struct fact *fact)
{
    if (h->type == 0 || h->type > ICMP6_PARAM_PROBLEM)
        return ICMP_FOR_SOCKETS;        /* RFC 4443, 2.4 (a): unknown errors go up */
    bool too_big = h->type == ICMP6_TOO_BIG;
    *fact = (struct fact){.kind = too_big ? FACT_PMTU : FACT_ERROR,
                          .err = (int16_t)error_of6(h->type, h->code),
                          .icmp_type = h->type, .icmp_code = h->code,
                          .mtu = h->mtu > NETIF_MTU_MAX ? NETIF_MTU_MAX : h->mtu};
    enum drop why = error_fact(ip, rx, r, fact);
    return why == DROP_NONE ? ICMP_ERROR : refuse(ip, p, why);
}

static enum icmp_verdict input6(struct ip *ip, struct pkt *p, const struct ip_rx *rx, struct rd *r,
                                struct fact *fact)
{
    struct icmp6_hdr h;
    if (!icmp6_parse(r, &rx->src, &rx->dst, &h))
        return refuse(ip, p, r->bad == FAULT_CSUM ? DROP_ICMP_CSUM : DROP_ICMP_SHORT);
    if (icmp6_is_error(h.type))
        return error6(ip, p, rx, &h, r, fact);
    switch (h.type) {
    case ICMP6_ECHO:
        if (rx->to_group && !ip->set.echo_group)
            return refuse(ip, p, DROP_ICMP_ECHO_GROUP);
        return echo(ip, p, rx);
    case ICMP6_ECHO_REPLY:
        return ICMP_FOR_SOCKETS;
    case ICMP6_MLD_QUERY:
    case ICMP6_MLD_REPORT:
    case ICMP6_MLD_DONE:
    case ICMP6_MLD2_REPORT:
        mld_input(ip, p, rx, h.type, r);
        break;
    case ICMP6_RS:
    case ICMP6_RA:
    case ICMP6_NS:
    case ICMP6_NA:
    case ICMP6_REDIRECT:
        if (ndp_input(ip, p, rx, h.type, h.code, r))
            return ICMP_FOR_SOCKETS;
        break;
    default:
        return refuse(ip, p, DROP_ICMP_TYPE);
    }
    pkt_free(p);
    return ICMP_DONE;
}

enum icmp_verdict icmp_input(struct ip *ip, struct pkt *p, const struct ip_rx *rx,
                             struct fact *fact)
{
    if (!pkt_linearize(ip->env, p))
        return refuse(ip, p, DROP_NO_MEMORY);
    struct rd r = rd_of(span_of(pkt_data(p) + p->l4, rx->payload_len));
    return rx->proto == IP_ICMP ? input4(ip, p, rx, &r, fact) : input6(ip, p, rx, &r, fact);
}
