/*
 * Translation of source addresses (RFC 4787, 5382, 5508).
 *
 * A session maps one inside endpoint (protocol, address, port) to one outside endpoint, whoever it
 * talks to: endpoint-independent mapping. It remembers the last few peers that the inside wrote to,
 * and lets in only what they send: address-dependent filtering. The port stays what it was where
 * nobody else has it; else it is drawn from a keyed hash, so that it cannot be guessed, in the same
 * range (below 1024 or not) and with the same parity (RFC 4787, REQ-3 and REQ-4). ICMP echo is
 * translated by its identifier in the place of a port.
 *
 * Sessions of one kind of life stand in a list by last use, so its head is both the first to run
 * out and the first to give way. Traffic in either direction keeps a session (RFC 4787, REQ-6
 * allows inbound refresh): only peers that the inside wrote to can do it. TCP connections are
 * watched for SYN, FIN and RST on both sides, each peer's on its own; a session with one that is
 * open lives two hours, any other four minutes (RFC 5382, REQ-5).
 *
 * ICMP errors are translated with the packet that they quote, in both directions (RFC 5508, REQ-3
 * to REQ-5). Checksums inside the quote are updated, never computed: what was wrong stays wrong,
 * and a UDP checksum of 0 stays 0. Errors do not keep a session.
 *
 * Left out. Hairpinning (RFC 4787, REQ-9): what an inside host sends to an outside endpoint is
 * addressed to this router itself and never comes to nat_out. Ports on which this router itself
 * listens are not known here: while an inside host's mapping has such a port, the peers of that
 * host reach the inside host there and everybody else nobody. Endpoints inside payloads are not
 * looked for. Of ICMP, requests other than echo, redirects and source quench are not translated.
 */
#include "ip/ip.h"

#include "pkt/seal.h"
#include "wire/icmp4.h"
#include "wire/tcp.h"
#include "wire/udp.h"

#define PORT_TRIES   64         /* draws for a free port before the new translation is refused */
#define PORT_CLASS   1024       /* below and from here: two ranges that are not mixed */
#define PORTS_ALL    65536
#define HEADERS_MAX  (IP4_HDR_MAX + TCP_HDR_MAX)
#define QUOTED_MIN   8          /* bytes that a quote holds after its IP header (RFC 792) */

struct end {
    uint32_t addr;
    uint16_t port;
};

enum seen {                     /* of a TCP connection */
    SEEN_SYN_OUT = 1,
    SEEN_SYN_IN = 2,
    SEEN_FIN_OUT = 4,
    SEEN_FIN_IN = 8,
    SEEN_RST = 16,
};

#define SEEN_SYNS (SEEN_SYN_OUT | SEEN_SYN_IN)
#define SEEN_FINS (SEEN_FIN_OUT | SEEN_FIN_IN)

/* One that the inside wrote to; TCP: one connection. */
struct peer {
    struct end end;             /* port 0 where it is not TCP */
    uint8_t seen;
};

struct nat_session {
    struct list node;           /* of its life */
    oriel_time until;
    struct end inside;
    struct end outside;
    uint16_t nif;               /* outside */
    uint8_t proto;
    uint8_t life;               /* enum nat_life */
    uint8_t peers_n;
    struct peer peers[NAT_PEERS_MAX];   /* latest first */
};

/* What translation looks at of a packet, or of one that is quoted in it. */
struct flow {
    struct end src;
    struct end dst;             /* echo: both ports are the identifier */
    size_t at;                  /* offset of the IP header in the packet */
    size_t l4_at;
    size_t l4_held;             /* bytes that are there from l4_at on */
    uint16_t tcp_flags;
    uint8_t proto;
    uint8_t icmp_type;
};

static const oriel_time life_of[NAT_LIVES] = {
    [NAT_LIFE_OF_ICMP] = NAT_ICMP_LIFE,
    [NAT_LIFE_OF_UDP] = NAT_UDP_LIFE,
    [NAT_LIFE_OF_TCP] = NAT_TCP_LIFE,
    [NAT_LIFE_OF_OPEN_TCP] = NAT_TCP_OPEN_LIFE,
};

static struct nat_session *session_of(const struct list *n)
{
    return CONTAINER_OF(n, struct nat_session, node);
}

bool nat_init(struct nat *n, struct env *env, struct arena *a, uint32_t sessions_max)
{
    for (unsigned i = 0; i < NAT_LIVES; i++)
        list_init(&n->by_use[i]);
    timer_init(&n->timer, TIMER_NAT);
    n->port_key = siphash_derive(env->seed, "nat port");
    return pool_init(&n->sessions, "translations", a, sizeof(struct nat_session), sessions_max) &&
           hmap_init(&n->inside, a, sessions_max) && hmap_init(&n->outside, a, sessions_max);
}

/* ---- reading packets ---- */

/* The transport's ports or identifier. False: it cannot be read, or is none of ours. */
static bool read_ports(struct rd *r, bool quoted, struct flow *f)
{
    struct icmp4_hdr icmp;
    struct rd ports = *r;
    switch (f->proto) {
    case IP_UDP:
    case IP_TCP:
        return udp_ports_parse(&ports, &f->src.port, &f->dst.port);
    case IP_ICMP:
        /* A quote is cut off, and its checksum with it: its fields are read all the same. */
        if (!icmp4_parse(&ports, &icmp) && !(quoted && rd_left(r) >= ICMP4_HDR_LEN))
            return false;
        if (quoted && icmp.type != ICMP4_ECHO && icmp.type != ICMP4_ECHO_REPLY)
            return false;
        f->icmp_type = icmp.type;
        f->src.port = icmp.id;
        f->dst.port = icmp.id;
        return true;
    default:
        return false;
    }
}

static bool read_flow(const struct pkt *p, size_t at, bool quoted, struct flow *f)
{
    struct rd r = pkt_rd(p, at);
    struct ip4_hdr h;
    *f = (struct flow){.at = at};
    if (!ip4_parse_quoted(&r, &h) || h.frag_off != 0)
        return false;
    f->l4_at = at + h.hdr_len;
    f->l4_held = rd_left(&r);
    f->proto = h.proto;
    f->src.addr = addr_to_v4(&h.src);
    f->dst.addr = addr_to_v4(&h.dst);
    return f->l4_held >= QUOTED_MIN && read_ports(&r, quoted, f);
}

/* What is changed here is in the checksum. A super-segment's means nothing yet. */
static bool finished(struct env *env, struct pkt *p)
{
    return p->csum != CSUM_PARTIAL || p->gso != GSO_NONE || pkt_seal(env, p);
}

/* Headers are contiguous afterwards; of ICMP everything is, for its checksum. */
static bool make_contiguous(struct env *env, struct pkt *p)
{
    size_t len = pkt_len(p);
    if (!pkt_need(env, p, len < HEADERS_MAX ? len : HEADERS_MAX))
        return false;
    struct rd r = pkt_rd(p, 0);
    struct ip4_hdr h;
    return !ip4_parse_quoted(&r, &h) || h.proto != IP_ICMP || pkt_linearize(env, p);
}

static bool read_packet(const struct pkt *p, struct flow *f)
{
    struct tcp_hdr tcp;
    if (!read_flow(p, 0, false, f))
        return false;
    if (f->proto != IP_TCP)
        return true;
    struct rd r = pkt_rd(p, f->l4_at);
    if (!tcp_parse(&r, &tcp))
        return false;
    f->tcp_flags = tcp.flags;
    return true;
}

/* Errors that travel on, with their quote; the others are for the next router only. */
static bool is_error(const struct flow *f)
{
    return f->proto == IP_ICMP &&
           (f->icmp_type == ICMP4_UNREACHABLE || f->icmp_type == ICMP4_TIME_EXCEEDED ||
            f->icmp_type == ICMP4_PARAM_PROBLEM);
}

/* ---- sessions ---- */

static uint32_t hash_end(const struct ip *ip, uint16_t nif, uint8_t proto, struct end e)
{
    return hash_4(ip->env->hash_seed, e.addr, e.port, proto, nif);
}

static bool same_end(struct end a, struct end b)
{
    return a.addr == b.addr && a.port == b.port;
}

static struct nat_session *find_inside(const struct ip *ip, uint16_t nif, uint8_t proto,
                                       struct end e)
{
    const struct nat *n = &ip->nat;
    uint32_t hash = hash_end(ip, nif, proto, e);
    uint32_t ref;
    for (uint32_t at = hmap_first(&n->inside, hash);
         (ref = hmap_next(&n->inside, hash, &at)) != HMAP_NONE;) {
        struct nat_session *s = pool_at(&n->sessions, ref);
        if (s->nif == nif && s->proto == proto && same_end(s->inside, e))
            return s;
    }
    return NULL;
}

static struct nat_session *find_outside(const struct ip *ip, uint16_t nif, uint8_t proto,
                                        struct end e)
{
    const struct nat *n = &ip->nat;
    uint32_t hash = hash_end(ip, nif, proto, e);
    uint32_t ref;
    for (uint32_t at = hmap_first(&n->outside, hash);
         (ref = hmap_next(&n->outside, hash, &at)) != HMAP_NONE;) {
        struct nat_session *s = pool_at(&n->sessions, ref);
        if (s->nif == nif && s->proto == proto && same_end(s->outside, e))
            return s;
    }
    return NULL;
}

static void session_free(struct ip *ip, struct nat_session *s)
{
    struct nat *n = &ip->nat;
    uint32_t ref = pool_index(&n->sessions, s);
    hmap_del(&n->inside, hash_end(ip, s->nif, s->proto, s->inside), ref);
    hmap_del(&n->outside, hash_end(ip, s->nif, s->proto, s->outside), ref);
    list_remove(&s->node);
    pool_put(&n->sessions, s);
}

/* The transitory session that was silent longest gives way. False: there is none. */
static bool evict(struct ip *ip)
{
    struct nat_session *silent = NULL;
    for (unsigned i = 0; i < NAT_LIFE_OF_OPEN_TCP; i++) {
        struct list *n = list_first(&ip->nat.by_use[i]);
        if (!n)
            continue;
        struct nat_session *s = session_of(n);
        if (!silent || s->until - life_of[s->life] < silent->until - life_of[silent->life])
            silent = s;
    }
    if (silent)
        session_free(ip, silent);
    return silent != NULL;
}

/* The ports that may stand for one: `first`, and so many more each `step` further. */
struct port_range {
    uint32_t first;
    uint32_t step;
    uint32_t n;
};

static struct port_range range_like(uint8_t proto, uint16_t port)
{
    uint32_t odd = port & 1u;
    if (proto == IP_ICMP)
        return (struct port_range){.first = 0, .step = 1, .n = PORTS_ALL};
    if (port >= PORT_CLASS)
        return (struct port_range){PORT_CLASS + odd, 2, (PORTS_ALL - PORT_CLASS) / 2};
    return odd ? (struct port_range){1, 2, PORT_CLASS / 2}
               : (struct port_range){2, 2, PORT_CLASS / 2 - 1};
}

/* An outside port for the session; its outside address is set. False: none was found. */
static bool choose_port(const struct ip *ip, struct nat_session *s)
{
    struct port_range range = range_like(s->proto, s->inside.port);
    s->outside.port = s->inside.port;
    if ((s->inside.port != 0 || s->proto == IP_ICMP) &&
        !find_outside(ip, s->nif, s->proto, s->outside))
        return true;
    for (uint64_t i = 0; i < PORT_TRIES; i++) {
        uint64_t words[] = {s->inside.addr, s->inside.port, s->outside.addr, s->proto, i};
        uint64_t draw = siphash_words(&ip->nat.port_key, words, ARRAY_LEN(words));
        s->outside.port = (uint16_t)(range.first + range.step * (uint32_t)(draw % range.n));
        if (!find_outside(ip, s->nif, s->proto, s->outside))
            return true;
    }
    return false;
}

static struct nat_session *session_new(struct ip *ip, uint16_t nif, const struct ifaddr *own,
                                       const struct flow *f)
{
    struct nat *n = &ip->nat;
    struct nat_session made = {
        .inside = f->src,
        .outside = {.addr = addr_to_v4(&own->addr)},
        .nif = nif,
        .proto = f->proto,
        .until = ORIEL_NEVER,
    };
    if (!choose_port(ip, &made))
        return NULL;
    struct nat_session *s = pool_get(&n->sessions);
    if (!s && evict(ip))
        s = pool_get(&n->sessions);
    if (!s)
        return NULL;
    *s = made;
    uint32_t ref = pool_index(&n->sessions, s);
    bool in = hmap_put(&n->inside, hash_end(ip, nif, s->proto, s->inside), ref);
    bool out = hmap_put(&n->outside, hash_end(ip, nif, s->proto, s->outside), ref);
    ORIEL_ASSERT(in && out);        /* the maps are as large as the pool */
    list_push_back(&n->by_use[s->life], &s->node);
    TRACE(ip->env, EV_NAT_NEW, s->inside.port, s->outside.port, s->proto);
    return s;
}

/* Its outside address is still the interface's. */
static bool is_current(const struct ip *ip, const struct nat_session *s)
{
    struct oriel_addr a = addr_v4(s->outside.addr);
    const struct ifaddr *own = ifaddr_find(ip, &a, s->nif);
    return own && ifaddr_usable(own);
}

/* The session of what leaves, made where there is none. NULL: *why. */
static struct nat_session *session_for(struct ip *ip, uint16_t nif, const struct flow *f,
                                       enum drop *why)
{
    struct nat_session *s = find_inside(ip, nif, f->proto, f->src);
    if (s && is_current(ip, s))
        return s;
    if (s)
        session_free(ip, s);
    const struct ifaddr *own = ifaddr_first(ip, nif, true);
    *why = own ? DROP_NAT_FULL : DROP_NAT_UNKNOWN;
    return own ? session_new(ip, nif, own, f) : NULL;
}

/* ---- peers and life ---- */

static bool is_open(const struct peer *p)
{
    return (p->seen & SEEN_SYNS) == SEEN_SYNS && (p->seen & SEEN_FINS) != SEEN_FINS &&
           !(p->seen & SEEN_RST);
}

static bool has_peer(const struct nat_session *s, uint32_t addr)
{
    for (unsigned i = 0; i < s->peers_n; i++)
        if (s->peers[i].end.addr == addr)
            return true;
    return false;
}

static struct peer *peer_find(struct nat_session *s, struct end e)
{
    for (unsigned i = 0; i < s->peers_n; i++)
        if (same_end(s->peers[i].end, e))
            return &s->peers[i];
    return NULL;
}

/* The place for a new peer: behind the last one, or of the oldest whose connection is not open. */
static unsigned peer_slot(struct nat_session *s)
{
    if (s->peers_n < NAT_PEERS_MAX)
        return s->peers_n++;
    for (unsigned i = NAT_PEERS_MAX; i-- > 0;)
        if (!is_open(&s->peers[i]))
            return i;
    return NAT_PEERS_MAX - 1;
}

/* The inside wrote to that one: it is first now. */
static struct peer *peer_touch(struct nat_session *s, struct end e)
{
    struct peer *known = peer_find(s, e);
    struct peer p = known ? *known : (struct peer){.end = e};
    unsigned at = known ? (unsigned)(known - s->peers) : peer_slot(s);
    for (; at > 0; at--)
        s->peers[at] = s->peers[at - 1];
    s->peers[0] = p;
    return &s->peers[0];
}

/* The remote end of a flow, as peers are kept. */
static struct end peer_end(const struct flow *f, struct end remote)
{
    return (struct end){.addr = remote.addr, .port = f->proto == IP_TCP ? remote.port : 0};
}

static void watch_tcp(struct peer *p, uint16_t flags, bool out)
{
    bool over = (p->seen & SEEN_FINS) == SEEN_FINS || (p->seen & SEEN_RST);
    if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && over)
        p->seen = 0;            /* the same ports again, for another connection */
    if (flags & TCP_SYN)
        p->seen |= out ? SEEN_SYN_OUT : SEEN_SYN_IN;
    if (out && (flags & TCP_SYN) && (flags & TCP_ACK))
        p->seen |= SEEN_SYN_IN; /* it answers one, which may have come before the peer was known */
    if (flags & TCP_FIN)
        p->seen |= out ? SEEN_FIN_OUT : SEEN_FIN_IN;
    if (flags & TCP_RST)
        p->seen |= SEEN_RST;
}

static enum nat_life life_now(const struct nat_session *s)
{
    if (s->proto != IP_TCP)
        return s->proto == IP_UDP ? NAT_LIFE_OF_UDP : NAT_LIFE_OF_ICMP;
    for (unsigned i = 0; i < s->peers_n; i++)
        if (is_open(&s->peers[i]))
            return NAT_LIFE_OF_OPEN_TCP;
    return NAT_LIFE_OF_TCP;
}

/* The session was used: it lives on from now. */
static void keep_alive(struct ip *ip, struct nat_session *s)
{
    struct nat *n = &ip->nat;
    s->life = (uint8_t)life_now(s);
    s->until = time_after(ip->env->now, life_of[s->life]);
    list_remove(&s->node);
    list_push_back(&n->by_use[s->life], &s->node);
    if (!timer_armed(&n->timer) || s->until < n->timer.deadline)
        env_arm(ip->env, &n->timer, s->until);
}

/* ---- rewriting ---- */

/* One end of a flow becomes `to`, with all checksums of that packet. The head is writable. */
static void rewrite(struct pkt *p, const struct flow *f, bool source, struct end to)
{
    uint8_t *hdr = pkt_data(p) + f->at;
    uint8_t *l4 = pkt_data(p) + f->l4_at;
    uint32_t from = source ? f->src.addr : f->dst.addr;
    struct oriel_addr addr = addr_v4(to.addr);
    switch (f->proto) {
    case IP_UDP:
        if (source)
            udp_patch_src(l4, to.port, from, to.addr);
        else
            udp_patch_dst(l4, to.port, from, to.addr);
        break;
    case IP_TCP:
        if (source)
            tcp_patch_src(l4, f->l4_held, to.port, from, to.addr);
        else
            tcp_patch_dst(l4, f->l4_held, to.port, from, to.addr);
        break;
    default:
        icmp4_patch_id(l4, to.port);
        break;
    }
    if (source)
        ip4_patch_src(hdr, &addr);
    else
        ip4_patch_dst(hdr, &addr);
    p->hash = 0;
}

/*
 * An ICMP error and its quote. Going out, the quote's destination and the error's source become the
 * outside; coming in, the quote's source and the error's destination become the inside.
 */
static void rewrite_error(struct pkt *p, const struct flow *f, const struct flow *quoted, bool out,
                          struct end to)
{
    struct oriel_addr addr = addr_v4(to.addr);
    rewrite(p, quoted, !out, to);
    icmp4_reseal(pkt_data(p) + f->l4_at, f->l4_held);
    if (out)
        ip4_patch_src(pkt_data(p), &addr);
    else
        ip4_patch_dst(pkt_data(p), &addr);
}

static enum nat_verdict refuse(struct ip *ip, struct pkt *p, enum drop why)
{
    pkt_drop(ip->env, p, why);
    return NAT_CONSUMED;
}

/* ---- out ---- */

static enum nat_verdict out_error(struct ip *ip, struct pkt *p, uint16_t nif, const struct flow *f)
{
    struct flow quoted;
    if (!read_flow(p, f->l4_at + ICMP4_HDR_LEN, true, &quoted))
        return refuse(ip, p, DROP_ICMP_QUOTE);
    const struct nat_session *s = find_inside(ip, nif, quoted.proto, quoted.dst);
    if (!s || !has_peer(s, quoted.src.addr))
        return refuse(ip, p, DROP_NAT_UNKNOWN);
    rewrite_error(p, f, &quoted, true, s->outside);
    return NAT_DONE;
}

enum nat_verdict nat_out(struct ip *ip, struct pkt *p, uint16_t nif)
{
    struct flow f;
    enum drop why = DROP_NONE;
    if (!finished(ip->env, p) || !make_contiguous(ip->env, p) || !pkt_own_head(ip->env, p))
        return refuse(ip, p, DROP_NO_MEMORY);
    if (!read_packet(p, &f))
        return refuse(ip, p, DROP_NAT_PROTOCOL);
    if (is_error(&f))
        return out_error(ip, p, nif, &f);
    if (f.proto == IP_ICMP && f.icmp_type != ICMP4_ECHO)
        return refuse(ip, p, DROP_NAT_PROTOCOL);
    struct nat_session *s = session_for(ip, nif, &f, &why);
    if (!s)
        return refuse(ip, p, why);
    watch_tcp(peer_touch(s, peer_end(&f, f.dst)), f.tcp_flags, true);
    keep_alive(ip, s);
    rewrite(p, &f, true, s->outside);
    return NAT_DONE;
}

void nat_quote_out(struct ip *ip, struct pkt *q, size_t at, uint16_t nif)
{
    struct flow f;
    if (!read_flow(q, at, true, &f))
        return;
    const struct nat_session *s = find_inside(ip, nif, f.proto, f.dst);
    if (s && has_peer(s, f.src.addr))
        rewrite(q, &f, false, s->outside);
}

/* ---- in ---- */

static enum nat_verdict in_error(struct ip *ip, struct pkt *p, uint16_t nif, const struct flow *f)
{
    struct flow quoted;
    if (!read_flow(p, f->l4_at + ICMP4_HDR_LEN, true, &quoted))
        return NAT_PASS;        /* this host says what is wrong with it */
    const struct nat_session *s = find_outside(ip, nif, quoted.proto, quoted.src);
    if (!s)
        return NAT_PASS;
    if (!has_peer(s, quoted.dst.addr))
        return refuse(ip, p, DROP_NAT_UNKNOWN);
    if (!pkt_own_head(ip->env, p))
        return refuse(ip, p, DROP_NO_MEMORY);
    rewrite_error(p, f, &quoted, false, s->inside);
    return NAT_DONE;
}

enum nat_verdict nat_in(struct ip *ip, struct pkt *p, uint16_t nif)
{
    struct flow f;
    if (!finished(ip->env, p) || !make_contiguous(ip->env, p))
        return refuse(ip, p, DROP_NO_MEMORY);
    if (!read_packet(p, &f))
        return NAT_PASS;
    if (is_error(&f))
        return in_error(ip, p, nif, &f);
    if (f.proto == IP_ICMP && f.icmp_type != ICMP4_ECHO_REPLY)
        return NAT_PASS;
    struct nat_session *s = find_outside(ip, nif, f.proto, f.dst);
    if (!s)
        return NAT_PASS;
    if (!has_peer(s, f.src.addr))
        return refuse(ip, p, DROP_NAT_UNKNOWN);
    if (!pkt_own_head(ip->env, p))
        return refuse(ip, p, DROP_NO_MEMORY);
    struct peer *peer = peer_find(s, peer_end(&f, f.src));
    if (peer)
        watch_tcp(peer, f.tcp_flags, false);
    keep_alive(ip, s);
    rewrite(p, &f, false, s->inside);
    return NAT_DONE;
}

/* ---- time, interfaces, showing ---- */

void nat_on_timer(struct ip *ip)
{
    struct nat *n = &ip->nat;
    oriel_time next = ORIEL_NEVER;
    for (unsigned i = 0; i < NAT_LIVES; i++) {
        LIST_EACH(node, &n->by_use[i]) {
            struct nat_session *s = session_of(node);
            if (s->until > ip->env->now) {
                next = s->until < next ? s->until : next;
                break;
            }
            session_free(ip, s);
        }
    }
    if (next != ORIEL_NEVER)
        env_arm(ip->env, &n->timer, next);
}

void nat_drop_nif(struct ip *ip, uint16_t nif)
{
    for (unsigned i = 0; i < NAT_LIVES; i++) {
        LIST_EACH(node, &ip->nat.by_use[i]) {
            struct nat_session *s = session_of(node);
            if (s->nif == nif)
                session_free(ip, s);
        }
    }
}

static const struct nat_session *first_from(const struct nat *n, unsigned life)
{
    for (; life < NAT_LIVES; life++) {
        const struct list *node = list_first(&n->by_use[life]);
        if (node)
            return session_of(node);
    }
    return NULL;
}

static const struct nat_session *session_after(const struct nat *n, const struct nat_session *s)
{
    const struct list *node = list_next(&n->by_use[s->life], &s->node);
    return node ? session_of(node) : first_from(n, s->life + 1u);
}

static struct oriel_endpoint endpoint_of(struct end e)
{
    return (struct oriel_endpoint){.addr = addr_v4(e.addr), .port = e.port};
}

bool nat_each(const struct ip *ip, uint32_t *cursor, struct nat_info *out)
{
    const struct nat *n = &ip->nat;
    const struct nat_session *s =
        *cursor == 0 ? first_from(n, 0) : session_after(n, pool_at(&n->sessions, *cursor - 1));
    if (!s)
        return false;
    *cursor = pool_index(&n->sessions, s) + 1;
    *out = (struct nat_info){
        .proto = s->proto,
        .inside = endpoint_of(s->inside),
        .outside = endpoint_of(s->outside),
        .nif = s->nif,
        .until = s->until,
        .peers = s->peers_n,
    };
    return true;
}
