/*
 * UDP. Small on purpose: what is interesting is who may send what where, and who hears it.
 *
 * Most datagrams are like the one before: to the same peer, from the same peer. For these, what was
 * found for one is kept with a generation and holds for the next while nothing changed: the path and
 * the header of what leaves (flows), the endpoint of what arrives (find_again). Whatever is not so
 * plain takes the long way, where every rule stands once.
 */
#include "udp/udp.h"

#include "wire/fault.h"
#include "wire/udp.h"

bool udp_init(struct udp *u, struct env *env, struct ip *ip, struct arena *a, uint32_t pcbs_max)
{
    *u = (struct udp){.env = env, .ip = ip, .gen = 1};
    list_init(&u->stand_ins);
    u->port_key = siphash_derive(env->seed, "udp port");
    u->dirty = arena_take(a, pcbs_max * sizeof(u->dirty[0]));
    return u->dirty && pool_init(&u->pcbs, "udp", a, sizeof(struct udp_pcb), pcbs_max) &&
           hmap_init(&u->ports, a, pcbs_max) && hmap_init(&u->flows, a, pcbs_max);
}

/* ---- tables ---- */

static uint32_t port_hash(const struct udp *u, uint16_t port)
{
    return hash_2(u->env->hash_seed, port, 17);
}

static uint32_t flow_hash(const struct udp *u, uint16_t local_port, const struct oriel_addr *remote,
                          uint16_t remote_port)
{
    return hash_4(u->env->hash_seed, remote->hi, remote->lo, remote_port, local_port);
}

static uint32_t flow_hash_of(const struct udp *u, const struct udp_pcb *c)
{
    return flow_hash(u, c->local.port, &c->remote.addr, c->remote.port);
}

static void unlink_flow(struct udp *u, struct udp_pcb *c)
{
    if (c->connected_hash)
        hmap_del(&u->flows, flow_hash_of(u, c), pool_index(&u->pcbs, c));
    c->connected_hash = false;
}

/* What was found for flows may be wrong now. Never 0, which is the generation of nothing. */
static void endpoints_changed(struct udp *u)
{
    if (++u->gen == 0)
        u->gen = 1;
}

/* Where every port is looked for last. */
static void list_stand_in(struct udp *u, struct udp_pcb *c)
{
    bool want = c->any_addr && c->local.port == 0;
    if (want && !list_on(&c->stand_in))
        list_push_back(&u->stand_ins, &c->stand_in);
    else if (!want && list_on(&c->stand_in))
        list_remove(&c->stand_in);
}

void udp_option_changed(struct udp *u, struct udp_pcb *c)
{
    c->path.gen = 0;
    list_stand_in(u, c);
    endpoints_changed(u);
}

static void mark_dirty(struct udp *u, struct udp_pcb *c)
{
    if (c->dirty)
        return;
    c->dirty = true;
    u->dirty[u->dirty_n++] = c;
}

struct udp_pcb *udp_dirty_pop(struct udp *u)
{
    if (u->dirty_n == 0)
        return NULL;
    struct udp_pcb *c = u->dirty[--u->dirty_n];
    c->dirty = false;
    return c;
}

uint32_t udp_ready(const struct udp_pcb *c)
{
    return (c->rcv.n > 0 ? ORIEL_READABLE : 0u) | ORIEL_WRITABLE | (c->error ? ORIEL_FAILED : 0u);
}

/* ---- life ---- */

struct udp_pcb *udp_new(struct udp *u, uint8_t family, uint32_t member)
{
    struct udp_pcb *c = pool_get_zeroed(&u->pcbs);
    if (!c)
        return NULL;
    c->family = family;
    c->member = member;
    c->mcast_ttl = 1;           /* RFC 1112, 6.1 */
    c->mcast_loop = true;
    c->rcv_max = UDP_RCVBUF_DEFAULT;
    return c;
}

static void forget_dirty(struct udp *u, const struct udp_pcb *c)
{
    for (uint32_t i = 0; i < u->dirty_n; i++) {
        if (u->dirty[i] != c)
            continue;
        memmove(&u->dirty[i], &u->dirty[i + 1], (u->dirty_n - i - 1) * sizeof(u->dirty[0]));
        u->dirty_n--;
        return;
    }
}

void udp_free(struct udp *u, struct udp_pcb *c)
{
    pkt_queue_drop(u->env, &c->rcv, DROP_SOCK_CLOSED);
    unlink_flow(u, c);
    if (list_on(&c->stand_in))
        list_remove(&c->stand_in);
    if (c->local.port)
        hmap_del(&u->ports, port_hash(u, c->local.port), pool_index(&u->pcbs, c));
    mcast_leave_all(u->ip, c->member);
    endpoints_changed(u);
    if (c->dirty)
        forget_dirty(u, c);
    pool_put(&u->pcbs, c);
}

/* ---- ports ---- */

static bool overlap(const struct udp_pcb *a, const struct oriel_addr *addr, uint16_t nif)
{
    bool any_addr = addr_is_unspecified(&a->local.addr) || addr_is_unspecified(addr);
    bool any_nif = a->bind_nif == 0 || nif == 0;
    return (any_addr || addr_eq(&a->local.addr, addr)) && (any_nif || a->bind_nif == nif);
}

static bool families_meet(const struct udp_pcb *a, const struct udp_pcb *b)
{
    return a->family == ORIEL_DUAL || b->family == ORIEL_DUAL || a->family == b->family;
}

static bool port_taken(const struct udp *u, const struct udp_pcb *c, const struct oriel_addr *addr,
                       uint16_t port)
{
    uint32_t h = port_hash(u, port), ref;
    for (uint32_t at = hmap_first(&u->ports, h);
         (ref = hmap_next(&u->ports, h, &at)) != HMAP_NONE;) {
        const struct udp_pcb *o = pool_at(&u->pcbs, ref);
        if (o != c && o->local.port == port && !(o->reuse && c->reuse) && families_meet(o, c) &&
            overlap(o, addr, c->bind_nif))
            return true;
    }
    return false;
}

/* RFC 6056, 3.3.4 (double hash would need a destination): a keyed start that moves by chance. */
static uint16_t choose_port(struct udp *u, const struct udp_pcb *c, const struct oriel_addr *addr)
{
    const uint32_t span = UDP_PORT_EPHEMERAL_MAX - UDP_PORT_EPHEMERAL_MIN + 1;
    uint64_t words[3] = {addr->lo, u->port_clock++, u->env->now};
    uint32_t start = (uint32_t)(siphash_words(&u->port_key, words, 3) % span);
    for (uint32_t i = 0; i < span; i++) {
        uint16_t port = (uint16_t)(UDP_PORT_EPHEMERAL_MIN + (start + i) % span);
        if (!port_taken(u, c, addr, port))
            return port;
    }
    return 0;
}

static bool family_takes(const struct udp_pcb *c, const struct oriel_addr *a)
{
    if (addr_same_bits(a, &ADDR_NONE) || c->family == ORIEL_DUAL)
        return !(c->v6only && addr_is_v4(a));
    return addr_is_v4(a) == (c->family == ORIEL_IP4);
}

static int check_local(const struct udp *u, const struct udp_pcb *c, const struct oriel_addr *a)
{
    if (!family_takes(c, a))
        return ORIEL_EAFNOSUPPORT;
    if (addr_is_unspecified(a) || addr_is_multicast(a) || addr_is_limited_broadcast(a) ||
        addr_is_loopback(a))
        return 0;               /* a group may be bound to: only its datagrams come */
    return c->any_addr || ip_is_own(u->ip, a) ? 0 : ORIEL_EADDRNOTAVAIL;
}

int udp_bind(struct udp *u, struct udp_pcb *c, const struct oriel_endpoint *local)
{
    int err = check_local(u, c, &local->addr);
    if (err)
        return err;
    if (c->local.port)
        return ORIEL_EINVAL;
    struct oriel_addr addr = addr_is_unspecified(&local->addr) ? ADDR_NONE : local->addr;
    uint16_t port = local->port ? local->port : choose_port(u, c, &addr);
    if (port == 0 || (local->port && port_taken(u, c, &addr, port)))
        return ORIEL_EADDRINUSE;
    if (!hmap_put(&u->ports, port_hash(u, port), pool_index(&u->pcbs, c)))
        return ORIEL_ENOBUFS;
    c->local = (struct oriel_endpoint){.addr = addr, .port = port};
    c->source = addr_is_multicast(&addr) ? ADDR_NONE : addr;
    list_stand_in(u, c);
    endpoints_changed(u);
    return 0;
}

static int bind_if_needed(struct udp *u, struct udp_pcb *c)
{
    const struct oriel_endpoint any = {.addr = ADDR_NONE, .port = 0};
    return c->local.port ? 0 : udp_bind(u, c, &any);
}

/* What follows from the path that was just found, for that source and interface. */
static void keep_path(struct udp_pcb *c, const struct oriel_addr *src, uint16_t nif)
{
    struct ip_path *path = &c->path;
    c->path_src = *src;
    c->path_nif = nif;
    c->path_summed = !path->nif->vouches && !(c->no_csum && addr_is_v4(&path->dst));
    c->flowing = false;
    c->path_sum = csum_wide_pseudo(&path->src, &path->dst, IP_UDP, 0);
    if (c->df == 2)
        path->mtu = path->nif->mtu;
}

int udp_connect(struct udp *u, struct udp_pcb *c, const struct oriel_endpoint *remote)
{
    struct ip_path path;
    if (addr_same_bits(&remote->addr, &ADDR_NONE)) {    /* undo */
        unlink_flow(u, c);
        endpoints_changed(u);
        c->remote = (struct oriel_endpoint){.addr = ADDR_NONE, .port = 0};
        return 0;
    }
    if (remote->port == 0 || addr_is_unspecified(&remote->addr))
        return ORIEL_EINVAL;
    if (!family_takes(c, &remote->addr))
        return ORIEL_EAFNOSUPPORT;
    const struct oriel_addr src = c->local.addr;
    int err = ip_path_find(u->ip, &remote->addr, &src, c->bind_nif, &path);
    if (!err && path.broadcast && !c->broadcast)
        err = ORIEL_EACCES;
    if (!err)
        err = bind_if_needed(u, c);
    if (err)
        return err;
    unlink_flow(u, c);
    uint32_t h = flow_hash(u, c->local.port, &remote->addr, remote->port);
    if (!hmap_put(&u->flows, h, pool_index(&u->pcbs, c)))
        return ORIEL_ENOBUFS;
    endpoints_changed(u);
    c->remote = *remote;
    c->connected_hash = true;
    c->path = path;
    keep_path(c, &src, c->bind_nif);
    return 0;
}

struct oriel_endpoint udp_local(const struct udp *u, const struct udp_pcb *c)
{
    struct oriel_endpoint e = c->local;
    struct ip_path path;
    if (c->remote.port != 0 && addr_is_unspecified(&e.addr) &&
        ip_path_find(u->ip, &c->remote.addr, &c->source, c->bind_nif, &path) == 0)
        e.addr = path.src;
    return e;
}

/* ---- out ---- */

static int check_destination(const struct udp_pcb *c, const struct oriel_endpoint *to)
{
    if (to->port == 0)
        return c->remote.port ? ORIEL_EINVAL : ORIEL_ENOTCONN;
    return family_takes(c, &to->addr) ? 0 : ORIEL_EAFNOSUPPORT;
}

/* Does the path that is kept answer that question, and does it hold? */
static bool path_answers(const struct udp *u, const struct udp_pcb *c, const struct oriel_addr *dst,
                         const struct oriel_addr *src, uint16_t nif)
{
    return c->path.gen == u->ip->gen && c->path_nif == nif &&
           addr_identical(&c->path.dst, dst) && addr_identical(&c->path_src, src);
}

/* May datagrams leave from there? Only who stands in for others has such sources. */
static bool may_be_source(const struct udp *u, const struct udp_pcb *c, const struct oriel_addr *src)
{
    return c->any_addr || addr_is_unspecified(src) || !ip_is_foreign(u->ip, src);
}

static int find_path(struct udp *u, struct udp_pcb *c, const struct oriel_endpoint *to,
                     const struct oriel_msg *m)
{
    const struct oriel_addr none = ADDR_NONE;
    const struct oriel_addr *src = addr_same_bits(&m->local, &none) ? &c->source : &m->local;
    uint16_t nif = m->netif ? (uint16_t)m->netif
                   : c->mcast_nif && addr_is_multicast(&to->addr) ? c->mcast_nif : c->bind_nif;
    if (path_answers(u, c, &to->addr, src, nif))
        return 0;
    int err = may_be_source(u, c, src) ? ip_path_find(u->ip, &to->addr, src, nif, &c->path)
                                       : ORIEL_EADDRNOTAVAIL;
    if (err)
        c->path.gen = 0;        /* half an answer is none */
    else
        keep_path(c, src, nif);
    return err;
}

/* May so much data go that way? 0, or the reason why not. */
static int check_path(const struct udp_pcb *c, size_t n)
{
    bool v4 = addr_is_v4(&c->path.dst);
    size_t whole = n + UDP_HDR_LEN + (v4 ? IP4_HDR_LEN : IP6_HDR_LEN);
    if (c->path.broadcast && !c->broadcast)
        return ORIEL_EACCES;
    if (n > (v4 ? UDP_DATA_MAX4 : UDP_DATA_MAX6) || (c->df != 0 && whole > c->path.mtu))
        return ORIEL_EMSGSIZE;
    return 0;
}

/* No link fills in a sum over pieces. */
static bool will_be_cut(const struct udp_pcb *c, size_t n)
{
    return UDP_HDR_LEN + IP6_HDR_LEN + n > c->path.mtu;
}

/* The link finishes it, unless there is to be none. */
static void leave_sum(const struct udp_pcb *c, struct pkt *p, struct udp_hdr *h)
{
    if (c->no_csum && addr_is_v4(&c->path.dst))
        return;
    h->csum = (uint16_t)csum_wide_fold(csum_wide_add(c->path_sum, h->len));
    p->csum = CSUM_PARTIAL;
}

/* The datagram, its data copied and summed in one pass. */
static ORIEL_ALWAYS_INLINE struct pkt *build(struct udp *u, const struct udp_pcb *c,
                                             struct span data, uint16_t from_port, uint16_t to_port)
{
    struct pkt *p = pkt_new(u->env, PKT_HEADROOM, UDP_HDR_LEN + data.n);
    if (oriel_unlikely(!p))
        return NULL;
    uint8_t *at = pkt_data(p);
    struct udp_hdr h = {.src_port = from_port, .dst_port = to_port,
                        .len = (uint16_t)(UDP_HDR_LEN + data.n)};
    if (oriel_likely(c->path_summed) || will_be_cut(c, data.n)) {
        uint64_t sum = data.n <= CSUM_SMALL
                           ? csum_wide_copy(at + UDP_HDR_LEN, data.p, data.n)
                           : u->env->csum->copy(at + UDP_HDR_LEN, data.p, data.n);
        /* The length counts twice: it is in the pseudo-header too. */
        uint64_t words = (uint64_t)h.src_port + h.dst_port + h.len + h.len;
        h.csum = csum_wide_finish(csum_wide_add(csum_wide_add(sum, c->path_sum), words));
        if (h.csum == 0)
            h.csum = 0xffff;    /* RFC 768: zero says that none was computed */
    } else {
        if (data.n > 0)
            memcpy(at + UDP_HDR_LEN, data.p, data.n);
        leave_sum(c, p, &h);
    }
    struct wr w = wr_of(at, UDP_HDR_LEN);
    udp_emit(&w, &h);
    return p;
}

static_assert(offsetof(struct oriel_msg, local_port) + sizeof(uint16_t) ==
                  offsetof(struct oriel_msg, netif) + sizeof(uint64_t), "says_nothing looks at all");

/* Is nothing said of a datagram but where it goes? */
static inline bool says_nothing(const struct oriel_msg *m)
{
    uint64_t rest;              /* netif, ttl, tos, local_port: one look */
    memcpy(&rest, (const uint8_t *)m + offsetof(struct oriel_msg, netif), sizeof(rest));
    return (m->local.hi | m->local.lo | rest) == 0;
}

/* Count what was sent. err, or the bytes that went. */
static inline int sent(struct udp_pcb *c, int err, size_t n)
{
    if (oriel_unlikely(err != 0))
        return err;
    c->out_pkts++;
    c->out_bytes += n;
    return (int)n;
}

/* The port that a datagram leaves from: its socket's, or what is said where there is a choice. */
static int choose_from(struct udp *u, struct udp_pcb *c, const struct oriel_msg *m, uint16_t *from)
{
    *from = m->local_port;
    if (c->any_addr && m->local_port != 0)
        return 0;
    if (c->any_addr && c->local.port == 0)
        return ORIEL_EINVAL;
    int err = bind_if_needed(u, c);
    *from = c->local.port;
    return !err && m->local_port != 0 && m->local_port != *from ? ORIEL_EADDRNOTAVAIL : err;
}

/* Find where a datagram goes and how; and whether the next will go like it. */
static ORIEL_NEVER_INLINE int send_any(struct udp *u, struct udp_pcb *c, struct span data,
                                       const struct oriel_endpoint *to, const struct oriel_msg *m)
{
    uint16_t from;
    int err = check_destination(c, to);
    if (err || (err = choose_from(u, c, m, &from)) != 0 || (err = find_path(u, c, to, m)) != 0 ||
        (err = check_path(c, data.n)) != 0)
        return err;
    bool group = c->path.group;
    const struct ip_tx tx = {.proto = IP_UDP, .tos = m->tos ? m->tos : c->tos,
                             .ttl = m->ttl ? m->ttl : group ? c->mcast_ttl : c->ttl,
                             .loop = group && c->mcast_loop};
    if (says_nothing(m) && c->df == 0)
        c->flowing = ip4_flow_make(u->ip, &c->path, &tx, &c->flow);
    struct pkt *p = build(u, c, data, from, to->port);
    if (!p)
        return ORIEL_ENOBUFS;
    return sent(c, ip_output(u->ip, p, &c->path, &tx, WHY_UDP_DATA), data.n);
}

/*
 * One datagram after the other to one peer, with nothing else said of it: what was found for the
 * first holds for the next, until something changes (ip->gen) or an option is set (path.gen is 0).
 */
static inline bool flows(const struct udp *u, const struct udp_pcb *c, const struct oriel_addr *to,
                         const struct oriel_msg *m)
{
    return oriel_likely(c->flowing && c->path.gen == u->ip->gen) &&
           oriel_likely(addr_identical(&c->path.dst, to)) && oriel_likely(says_nothing(m));
}

int udp_send(struct udp *u, struct udp_pcb *c, struct span data, const struct oriel_msg *msg)
{
    static const struct oriel_msg nothing_said;
    const struct oriel_msg *m = msg ? msg : &nothing_said;
    const struct oriel_endpoint *to = m->peer.port != 0 ? &m->peer : &c->remote;
    if (oriel_unlikely(!flows(u, c, &to->addr, m) || data.n > UDP_DATA_MAX4))
        return send_any(u, c, data, to, m);
    struct pkt *p = build(u, c, data, c->local.port, to->port);
    if (oriel_unlikely(!p))
        return ORIEL_ENOBUFS;
    return sent(c, ip4_flow_output(u->ip, p, &c->path, &c->flow, WHY_UDP_DATA), data.n);
}

/* ---- in ---- */

/*
 * How well an endpoint fits a datagram (foreign: to an address that is not ours): 0 not at all; more is
 * more specific. By interface 0: any.
 */
static int score(const struct udp_pcb *c, const struct ip_rx *rx, uint16_t src_port,
                 uint16_t dst_port, bool foreign)
{
    if (c->local.port != dst_port || !family_takes(c, &rx->dst) ||
        (c->bind_nif && rx->nif && c->bind_nif != rx->nif) || (foreign && !c->any_addr))
        return 0;
    int s = 1 + (c->bind_nif ? 1 : 0);
    if (!addr_is_unspecified(&c->local.addr)) {
        if (!addr_eq(&c->local.addr, &rx->dst))
            return 0;
        s += 2;
    }
    if (c->remote.port) {
        if (c->remote.port != src_port || !addr_eq(&c->remote.addr, &rx->src))
            return 0;
        s += 4;
    }
    return s;
}

/* The best of the endpoints that a table names under a hash; NULL. */
static struct udp_pcb *best_of(const struct udp *u, const struct hmap *table, uint32_t hash,
                               const struct ip_rx *rx, uint16_t src_port, uint16_t dst_port,
                               bool foreign)
{
    struct udp_pcb *best = NULL;
    int best_score = 0;
    uint32_t ref;
    for (uint32_t at = hmap_first(table, hash); (ref = hmap_next(table, hash, &at)) != HMAP_NONE;) {
        struct udp_pcb *c = pool_at(&u->pcbs, ref);
        int s = score(c, rx, src_port, dst_port, foreign);
        if (s > best_score)
            best = c, best_score = s;
    }
    return best;
}

/* Who takes what is to every port. */
static struct udp_pcb *find_stand_in(const struct udp *u, const struct ip_rx *rx, uint16_t src_port,
                                     bool foreign)
{
    struct udp_pcb *best = NULL;
    int best_score = 0;
    LIST_EACH(node, &u->stand_ins) {
        struct udp_pcb *c = CONTAINER_OF(node, struct udp_pcb, stand_in);
        int s = score(c, rx, src_port, c->local.port, foreign);
        if (s > best_score)
            best = c, best_score = s;
    }
    return best;
}

/* Who has that port, or the flow. */
static struct udp_pcb *find_owner(const struct udp *u, const struct ip_rx *rx, uint16_t src_port,
                                  uint16_t dst_port, bool foreign)
{
    if (u->flows.used > 0) {
        uint32_t h = flow_hash(u, dst_port, &rx->src, src_port);
        struct udp_pcb *c = best_of(u, &u->flows, h, rx, src_port, dst_port, foreign);
        if (c)
            return c;
    }
    return best_of(u, &u->ports, port_hash(u, dst_port), rx, src_port, dst_port, foreign);
}

static struct udp_pcb *find_any(const struct udp *u, const struct ip_rx *rx, uint16_t src_port,
                                uint16_t dst_port)
{
    bool foreign = ip_is_foreign(u->ip, &rx->dst);
    struct udp_pcb *c = find_owner(u, rx, src_port, dst_port, foreign);
    return oriel_likely(c != NULL) ? c : find_stand_in(u, rx, src_port, foreign);
}

static struct udp_heard *heard_slot(struct udp *u, const struct ip_rx *rx, uint32_t ports)
{
    uint32_t mixed = ((uint32_t)rx->src.lo ^ ports) * 0x9e3779b1u;
    return &u->heard[mixed >> (32 - UDP_HEARD_BITS)];
}

static struct udp_pcb *find_and_keep(struct udp *u, const struct ip_rx *rx, uint32_t ports)
{
    struct udp_pcb *c = find_any(u, rx, (uint16_t)(ports >> 16), (uint16_t)ports);
    if (c)
        *heard_slot(u, rx, ports) = (struct udp_heard){
            .c = c,
            .src_hi = rx->src.hi,
            .src_lo = rx->src.lo,
            .dst_hi = rx->dst.hi,
            .dst_lo = rx->dst.lo,
            .ports = ports,
            .gen = u->gen + u->ip->gen,
            .nif = rx->nif,
        };
    return c;
}

/* Where the datagram before went, when it was of the same flow. */
static inline bool find_again(struct udp *u, const struct ip_rx *rx, uint32_t ports,
                              struct udp_pcb **out)
{
    const struct udp_heard *h = heard_slot(u, rx, ports);
    *out = h->c;
    return h->ports == ports && h->src_lo == rx->src.lo && h->dst_lo == rx->dst.lo &&
           h->src_hi == rx->src.hi && h->dst_hi == rx->dst.hi && h->nif == rx->nif &&
           h->gen == u->gen + u->ip->gen;
}

static bool has_room(const struct udp_pcb *c, const struct pkt *p)
{
    return oriel_likely(c->rcv_charge + (uint64_t)p->charge * 256 <= c->rcv_max || c->rcv.n == 0);
}

/* Where there is room. The payload stays behind its headers, which say what oriel_recv tells. */
static inline void queue_within(struct udp *u, struct udp_pcb *c, struct pkt *p, uint64_t bytes)
{
    c->rcv_charge += (uint64_t)p->charge * 256;
    c->in_pkts++;
    c->in_bytes += bytes;
    pkt_enqueue(&c->rcv, p);
    mark_dirty(u, c);
}

/* One datagram onto an endpoint's queue; consumes p. */
static void queue(struct udp *u, struct udp_pcb *c, struct pkt *p)
{
    if (has_room(c, p)) {
        queue_within(u, c, p, p->head.len - p->l4 - UDP_HDR_LEN);
        return;
    }
    c->dropped++;
    pkt_drop(u->env, p, DROP_SOCK_RCVBUF);
}

/* To a group or broadcast: every endpoint that wants it has a share. Consumes p. */
static void input_group(struct udp *u, struct pkt *p, const struct ip_rx *rx, uint16_t from_port,
                        uint16_t port)
{
    bool group = addr_is_multicast(&rx->dst), heard = false;
    uint32_t h = port_hash(u, port), ref;
    for (uint32_t at = hmap_first(&u->ports, h);
         (ref = hmap_next(&u->ports, h, &at)) != HMAP_NONE;) {
        struct udp_pcb *c = pool_at(&u->pcbs, ref);
        if (score(c, rx, from_port, port, false) == 0 ||
            (group && !mcast_member_wants(u->ip, rx->nif, &rx->dst, &rx->src, c->member)))
            continue;
        struct pkt *copy = pkt_share(u->env, p);
        heard = true;
        if (copy)
            queue(u, c, copy);
        else
            pkt_drop_note(u->env, p, DROP_NO_MEMORY);
    }
    if (heard)
        pkt_free(p);
    else
        pkt_drop(u->env, p, DROP_UDP_GROUP_UNJOINED);
}

/* Is that the sum of a datagram of that length whose checksum is right? */
static inline bool sum_good(uint64_t sum, const struct ip_rx *rx, size_t len)
{
    return csum_wide_good(csum_wide_add(csum_wide_add(sum, rx->addrs_sum), IP_UDP + len));
}

static bool checksum_good(const struct udp *u, const struct pkt *p, const struct ip_rx *rx,
                          const struct udp_hdr *h)
{
    if (p->csum != CSUM_NONE || (h->csum == 0 && addr_is_v4(&rx->dst)))
        return true;
    return sum_good(pkt_sum(u->env, p, p->l4, h->len), rx, h->len);
}

static enum drop check(struct udp *u, struct pkt *p, const struct ip_rx *rx, struct udp_hdr *h)
{
    if (oriel_unlikely(!pkt_linearize(u->env, p)))
        return DROP_NO_MEMORY;
    struct rd r = rd_of(span_of(pkt_data(p) + p->l4, rx->payload_len));
    if (!udp_parse(&r, h))
        return r.bad == FAULT_SHORT ? DROP_UDP_SHORT : DROP_UDP_LEN;
    if (h->csum == 0 && !addr_is_v4(&rx->dst) && p->csum == CSUM_NONE)
        return DROP_UDP_NO_CSUM;
    if (!checksum_good(u, p, rx, h))
        return DROP_UDP_CSUM;
    return h->dst_port == 0 ? DROP_UDP_PORT_0 : DROP_NONE;
}

static uint32_t ports_of(const struct udp_hdr *h)
{
    return (uint32_t)h->src_port << 16 | h->dst_port;
}

static ORIEL_NEVER_INLINE int input_any(struct udp *u, struct pkt **pp, const struct ip_rx *rx)
{
    struct pkt *p = *pp;
    struct udp_hdr h;
    enum drop why = check(u, p, rx, &h);
    if (why != DROP_NONE) {
        pkt_drop(u->env, p, why);
        *pp = NULL;
        return 0;
    }
    pkt_trim(p, (size_t)p->l4 + h.len);         /* what follows is nobody's */
    if (rx->to_group) {
        input_group(u, p, rx, h.src_port, h.dst_port);
        *pp = NULL;
        return 0;
    }
    struct udp_pcb *c;
    if (!find_again(u, rx, ports_of(&h), &c) && !(c = find_and_keep(u, rx, ports_of(&h))))
        return ORIEL_ECONNREFUSED;
    queue(u, c, p);
    *pp = NULL;
    return 0;
}

/* What the short way leaves to be looked at is the checksum, and it is worth a call. */
static ORIEL_NEVER_INLINE int input_long(struct udp *u, struct pkt **pp, const struct ip_rx *rx,
                                         struct udp_pcb *c)
{
    struct pkt *p = *pp;
    bool good = p->csum != CSUM_NONE ||
                sum_good(pkt_sum(u->env, p, p->l4, rx->payload_len), rx, rx->payload_len);
    if (oriel_unlikely(!good))
        return input_any(u, pp, rx);
    queue_within(u, c, p, (size_t)rx->payload_len - UDP_HDR_LEN);
    *pp = NULL;
    return 0;
}

/*
 * The short way, for a datagram that is whole and right and of a flow that is known, to an endpoint
 * with room: it leaves out what input_any would find to be so again.
 */
int udp_input(struct udp *u, struct pkt **pp, const struct ip_rx *rx)
{
    struct pkt *p = *pp;
    struct udp_hdr h;
    struct udp_pcb *c;
    struct span datagram = span_of(pkt_data(p) + p->l4, rx->payload_len);
    if (oriel_unlikely(p->more_n > 0 || rx->to_group || !udp_parse_plain(datagram, &h) ||
                       !find_again(u, rx, ports_of(&h), &c) || !has_room(c, p)))
        return input_any(u, pp, rx);
    if (p->csum != CSUM_NONE || datagram.n > CSUM_SMALL)
        return input_long(u, pp, rx, c);
    if (oriel_unlikely(!sum_good(csum_wide(datagram.p, datagram.n), rx, datagram.n)))
        return input_any(u, pp, rx);
    queue_within(u, c, p, datagram.n - UDP_HDR_LEN);
    *pp = NULL;
    return 0;
}

/* What the headers of a queued datagram say: they are still there, before the payload. */
static void describe(const struct pkt *p, struct oriel_msg *msg)
{
    struct rd r = pkt_rd(p, p->l3);
    struct rd peek = r;
    struct ip4_hdr h4;
    struct ip6_hdr h6;
    struct udp_hdr u;
    *msg = (struct oriel_msg){.netif = p->nif, .arrival = p->arrival};
    if (rd_u8(&peek) >> 4 == 4 && ip4_parse_quoted(&r, &h4)) {
        msg->peer.addr = h4.src;
        msg->local = h4.dst;
        msg->ttl = h4.ttl;
        msg->tos = h4.tos;
    } else if (ip6_parse_quoted(&r, &h6)) {
        msg->peer.addr = h6.src;
        msg->local = h6.dst;
        msg->ttl = h6.hop_limit;
        msg->tos = h6.tclass;
        if (addr_is_link_local(&h6.src))
            msg->peer.addr.zone = p->nif;
    }
    r = pkt_rd(p, p->l4);
    if (udp_parse(&r, &u)) {
        msg->peer.port = u.src_port;
        msg->local_port = u.dst_port;
    }
}

int udp_recv(struct udp *u, struct udp_pcb *c, void *buf, size_t cap, struct oriel_msg *msg)
{
    (void)u;
    if (c->error) {
        int err = c->error;
        c->error = 0;
        return err;
    }
    struct pkt *p = pkt_dequeue(&c->rcv);
    if (!p)
        return ORIEL_EAGAIN;
    size_t at = (size_t)p->l4 + UDP_HDR_LEN;
    size_t len = pkt_len(p) - at;
    size_t n = len < cap ? len : cap;
    pkt_read(p, at, buf, n);
    if (msg) {
        describe(p, msg);
        msg->len = len;
        msg->truncated = n < len;
    }
    c->rcv_charge -= (uint64_t)p->charge * 256;
    pkt_free(p);
    return (int)n;
}

/* ---- errors ---- */

/* Whose was it (RFC 5927)? Who stands in for all ports speaks for addresses that are not ours. */
static struct udp_pcb *find_sender(const struct udp *u, const struct fact *f)
{
    struct ip_rx rx = {.src = f->remote.addr, .dst = f->local.addr, .proto = IP_UDP};
    bool foreign = ip_is_foreign(u->ip, &rx.dst);
    struct udp_pcb *c = find_owner(u, &rx, f->remote.port, f->local.port, foreign);
    return c || !foreign ? c : find_stand_in(u, &rx, f->remote.port, foreign);
}

bool udp_owns(const struct udp *u, const struct fact *f)
{
    return f->proto == IP_UDP && find_sender(u, f) != NULL;
}

void udp_on_error(struct udp *u, const struct fact *f)
{
    struct udp_pcb *c = find_sender(u, f);
    if (!c)
        return;
    c->last = (struct udp_error){.err = f->err, .icmp_type = f->icmp_type,
                                 .icmp_code = f->icmp_code, .from_net = f->from_net,
                                 .from = f->from, .to = f->remote, .mtu = f->mtu,
                                 .count = c->last.count + 1};
    /* RFC 1122, 4.1.3.3: up to who asked; without a connection an error has no clear owner. */
    if (c->remote.port && f->kind != FACT_PMTU)
        c->error = f->err;
    mark_dirty(u, c);
    TRACE(u->env, EV_SOCK_ERROR, c->member, -f->err);
}
