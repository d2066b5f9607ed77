/*
 * Building segments. Everything that TCP sends passes through `leave`, with its reason: the path
 * between two addresses is found once and kept (struct tcp_path), the header is written in front of
 * payload that stays where it is, and the checksum is finished here, at the bottom (super-segments,
 * tcp_output.c decides their size) or by the link where it vouches.
 */
#include "tcp/tcp.h"

/* ---- paths ---- */

static uint32_t path_slot(const struct tcp_tuple *k, uint8_t tos)
{
    uint32_t h = (uint32_t)(k->local_lo * 31 ^ k->remote_lo ^ k->remote_hi ^ tos) * 0x9e3779b1u;
    return h >> (32 - TCP_PATH_BITS);
}

static bool path_is(const struct tcp *t, const struct tcp_path *p, const struct tcp_tuple *k,
                    uint8_t ttl, uint8_t tos, uint16_t bind_nif)
{
    return p->path.gen == t->ip->gen && p->path.src.lo == k->local_lo &&
           p->path.dst.lo == k->remote_lo && p->path.src.hi == k->local_hi &&
           p->path.dst.hi == k->remote_hi && p->path.dst.zone == k->zone && p->ttl == ttl &&
           p->tos == tos && p->bind_nif == bind_nif;
}

/* The interface that is asked for packets: what is below the VLANs. */
static uint16_t bottom_of(const struct netif *nif)
{
    while (nif->parent)
        nif = nif->parent;
    return nif->index;
}

static bool path_find(struct tcp *t, struct tcp_path *p, const struct tcp_tuple *k, uint8_t ttl,
                      uint8_t tos, uint16_t bind_nif)
{
    const struct oriel_addr src = tuple_local(k), dst = tuple_remote(k);
    const struct ip_tx tx = {.proto = IP_TCP, .ttl = ttl, .tos = tos, .df = true};
    /* A listener that stands in for others answers from addresses that are not ours. */
    int err = ip_path_find(t->ip, &dst, &src, bind_nif, &p->path);
    if (err == ORIEL_EADDRNOTAVAIL)
        err = ip_path_route(t->ip, &dst, bind_nif, &p->path);
    if (err) {
        p->path.gen = 0;
        return false;
    }
    p->id = ++t->path_ids;
    p->path.src = src;
    p->path.dst = dst;
    p->ttl = ttl;
    p->tos = tos;
    p->bind_nif = bind_nif;
    p->flowing = ip4_flow_make(t->ip, &p->path, &tx, &p->flow);
    p->bottom = bottom_of(p->path.nif);
    p->framed = p->flowing && p->path.neigh && p->path.nif->kind == NETIF_ETHER;
    if (p->framed)
        frame_form_make(&p->frame, &p->path.nif->mac, &p->flow.header);
    p->sum = csum_wide_pseudo(&src, &dst, IP_TCP, 0);
    return true;
}

struct tcp_path *tcp_path_of(struct tcp *t, const struct tcp_tuple *k, uint8_t ttl, uint8_t tos,
                             uint16_t bind_nif)
{
    struct tcp_path *p = &t->paths[path_slot(k, tos)];
    if (oriel_likely(path_is(t, p, k, ttl, tos, bind_nif)))
        return p;
    return path_find(t, p, k, ttl, tos, bind_nif) ? p : NULL;
}

/* It is where it was last, and what it was. */
static inline bool path_stands(const struct tcp *t, const struct tcp_conn *c,
                               const struct tcp_path *p, uint8_t tos)
{
    const struct tcp_profile *f = c->prof;
    return oriel_likely(p->id == c->path_id && p->path.gen == t->ip->gen && p->tos == tos &&
                        p->ttl == f->ttl && p->bind_nif == f->bind_nif);
}

struct tcp_path *tcp_conn_path(struct tcp *t, struct tcp_conn *c, uint8_t tos)
{
    struct tcp_path *p = &t->paths[c->path];
    const struct tcp_profile *f = c->prof;
    if (path_stands(t, c, p, tos))
        return p;
    p = tcp_path_of(t, &c->tuple, f->ttl, tos, f->bind_nif);
    if (p) {
        c->path = (uint16_t)(p - t->paths);
        c->path_id = p->id;
    }
    return p;
}

bool tcp_link_sums(const struct tcp *t, const struct tcp_conn *c)
{
    const struct tcp_path *p = &t->paths[c->path];
    return p->id == c->path_id && p->path.gen == t->ip->gen && p->path.nif->vouches;
}

/* ---- the one way out ---- */

/* The checksum of what stands in p behind the IP header, its field 0; gso: the bottom's to do. */
static inline void seal(struct tcp *t, struct pkt *p, const struct tcp_path *path)
{
    if (p->gso != GSO_NONE)
        return;
    size_t len = pkt_len(p);
    uint64_t sum = csum_wide_add(path->sum, len);
    if (oriel_likely(len <= CSUM_SMALL && p->more_n == 0 && !path->path.nif->vouches)) {
        tcp_patch_csum(pkt_data(p), csum_wide_finish(csum_wide_add(sum, csum_wide(pkt_data(p), len))));
        return;
    }
    if (path->path.nif->vouches && !path->path.local) {
        p->csum = CSUM_PARTIAL;
        tcp_patch_csum(pkt_data(p), csum_wide_fold(sum));
        return;
    }
    if (path->path.nif->vouches)
        return;
    sum = csum_wide_add(sum, csum_small(pkt_data(p), p->head.len));
    if (len > p->head.len)
        sum = csum_wide_add(sum, pkt_sum_kept(t->env, p, p->head.len, len - p->head.len));
    tcp_patch_csum(pkt_data(p), csum_wide_finish(sum));
}

/* The frame is written: to who asks for it, or into the interface's queue. */
static ORIEL_ALWAYS_INLINE void hand_over(struct tcp *t, struct pkt *p, const struct tcp_path *path, enum why why)
{
    static_assert(ETH_MIN - FRAME_HDR_LEN <= sizeof(uint64_t), "a word of zeros is enough");
    static_assert(PKT_HEADROOM + sizeof(uint64_t) <= BLK_HEAD_BYTES, "and there is room for it");
    const uint64_t zeros = 0;
    if (p->head.len < ETH_MIN && p->more_n == 0) {
        memcpy(pkt_data(p) + p->head.len, &zeros, sizeof(zeros));
        p->head.len = ETH_MIN;
    }
    p->l3 = FRAME_IP_AT;
    p->l4 = FRAME_TCP_AT;
    p->why = (uint8_t)why;
    path->path.neigh->used = true;
    link_hand(t->ip->link, path->path.nif, p, why);
}

/* The link finishes the checksum of `len` bytes of TCP: what its field holds until then. */
static inline uint16_t left_to_link(struct pkt *p, const struct tcp_path *path, size_t len)
{
    p->csum = CSUM_PARTIAL;
    return (uint16_t)csum_wide_fold(csum_wide_add(path->sum, len));
}

/* To a neighbour who is known, by an interface that takes frames as they are and has room. */
static inline bool may_leave_at_once(const struct tcp_path *path)
{
    const struct netif *nif = path->path.nif;
    return path->framed && neigh_is_open(path->path.neigh) && nif->plain &&
           netif_waiting(nif) < nif->tx_max;
}

/*
 * Straight to the interface, with all headers written at once: a whole IPv4 segment over
 * Ethernet, to a neighbour who is known. False: as any packet.
 */
static inline bool leave_at_once(struct tcp *t, struct pkt *p, const struct tcp_path *path,
                                 struct tcp_hdr *h, enum why why)
{
    size_t hdr_len = TCP_HDR_LEN + (h->opts.n + 3) / 4 * 4, len = pkt_len(p);
    if (oriel_unlikely(!may_leave_at_once(path) || p->gso != GSO_NONE ||
                       IP4_HDR_LEN + hdr_len + len > path->path.mtu))
        return false;
    if (oriel_likely(!path->path.nif->vouches)) {
        uint64_t sum = csum_wide_add(path->sum + hdr_len + len, frame_tcp_sum(h, hdr_len));
        if (oriel_unlikely(h->opts.n > 0))
            sum = csum_wide_add(sum, csum_wide(h->opts.p, h->opts.n));
        if (oriel_likely(p->more_n == 0 && len <= CSUM_SMALL))
            sum = csum_wide_add(sum, csum_wide(pkt_data(p), len));
        else if (len > 0)
            sum = csum_wide_add(sum, pkt_sum_kept(t->env, p, 0, len));
        h->csum = csum_wide_finish(sum);
    } else {
        h->csum = left_to_link(p, path, hdr_len + len);
    }
    frame_emit(pkt_push_within(p, FRAME_TCP_AT + hdr_len), &path->frame, &path->path.neigh->mac, h,
               hdr_len, len);
    hand_over(t, p, path, why);
    return true;
}

/* p holds the payload (none in its head) and has headroom. Consumes it. */
static int leave(struct tcp *t, struct pkt *p, struct tcp_path *path, struct tcp_hdr *h,
                 enum why why)
{
    if (oriel_likely(leave_at_once(t, p, path, h, why)))
        return 0;
    size_t hdr_len = TCP_HDR_LEN + (h->opts.n + 3) / 4 * 4;
    struct wr w = wr_of(pkt_push_within(p, hdr_len), hdr_len);
    if (oriel_likely(h->opts.n == 0))
        tcp_emit_plain(&w, h);
    else
        tcp_emit(&w, h);
    p->l4 = 0;
    seal(t, p, path);
    if (oriel_likely(path->flowing))
        return ip4_flow_output(t->ip, p, &path->path, &path->flow, why);
    const struct ip_tx tx = {.proto = IP_TCP, .ttl = path->ttl, .tos = path->tos, .df = true};
    return ip_output(t->ip, p, &path->path, &tx, why);
}

/* ---- segments of connections ---- */

/* SACK blocks that a segment carries beside timestamps (RFC 2018, 3). */
static unsigned sack_room(const struct tcp_conn *c)
{
    return (c->is & TCP_IS_TS) ? TCP_SACK_MAX - 1 : TCP_SACK_MAX;
}

static inline bool has_sacks(const struct tcp_conn *c)
{
    return (c->is & TCP_IS_SACK) && c->flight && (c->out.dsack || c->flight->ooo.tree.n > 0);
}

uint32_t tcp_mss_now(const struct tcp_conn *c)
{
    if (oriel_likely(!has_sacks(c)))
        return c->snd.mss;
    uint32_t blocks = c->flight->ooo.tree.n + c->out.dsack;
    return (uint32_t)c->snd.mss - (4 + 8 * (blocks < sack_room(c) ? blocks : sack_room(c)));
}

/* Options of a segment of a connection that stands, into buf. */
static struct span conn_options(struct tcp *t, struct tcp_conn *c, uint8_t *buf, uint16_t flags)
{
    static const uint8_t ts_kinds[] = {TCP_OPT_NOP, TCP_OPT_NOP, TCP_OPT_TS};
    static const uint8_t sack_kinds[] = {TCP_OPT_NOP, TCP_OPT_NOP, TCP_OPT_SACK};
    struct tcp_opts o;
    struct wr w = wr_of(buf, TCP_OPTS_MAX);
    if (c->is & TCP_IS_TS) {
        o.ts_val = tcp_ts_now(t, c);
        o.ts_ecr = c->rcv.ts_recent;
        tcp_opts_emit(&w, &o, ts_kinds, ARRAY_LEN(ts_kinds));
    }
    if (oriel_unlikely(has_sacks(c)) && !(flags & TCP_RST)) {
        tcp_reasm_sacks(c, &o, sack_room(c));
        if (o.sack_n > 0)
            tcp_opts_emit(&w, &o, sack_kinds, ARRAY_LEN(sack_kinds));
    }
    return wr_span(&w);
}

/* Options of a SYN or SYN-ACK of a connection. */
static struct span syn_options(struct tcp *t, struct tcp_conn *c, uint8_t *buf, bool answer)
{
    struct tcp_opts o = {0};
    uint8_t kinds[TCP_OPTS_MAX], n = 0;
    struct wr w = wr_of(buf, TCP_OPTS_MAX);
    o.mss = tcp_mss_offer(t, &c->tuple, c->prof->bind_nif);
    if (c->prof->maxseg && c->prof->maxseg < o.mss)
        o.mss = c->prof->maxseg;
    o.has_mss = true;
    o.has_ts = answer ? (c->is & TCP_IS_TS) != 0 : t->set.timestamps;
    o.sack_perm = answer ? (c->is & TCP_IS_SACK) != 0 : t->set.sack;
    o.has_wscale = answer ? (c->is & TCP_IS_WSCALE) != 0 : t->set.wscale <= TCP_WSCALE_MAX;
    o.wscale = c->rcv.wscale;
    o.ts_val = tcp_ts_now(t, c);
    o.ts_ecr = answer ? c->rcv.ts_recent : 0;
    if (!answer)
        tcp_open_fastopen_option(t, c, &o);
    tcp_syn_options(t, &o, kinds, &n);
    tcp_opts_emit(&w, &o, kinds, n);
    return wr_span(&w);
}

/* The right edge of what we take: it never goes back, whatever is told (RFC 7323, 2.4). */
static void promise(struct tcp_conn *c, uint32_t wnd)
{
    seq_t edge = seq_add(c->rcv.nxt, wnd);
    if (seq_lt(c->rcv.adv, edge))
        c->rcv.adv = edge;
}

/* The window field. SYNs are not scaled (RFC 7323, 2.2); a reset promises nothing. */
static uint16_t window_field(struct tcp *t, struct tcp_conn *c, uint16_t flags)
{
    if (flags & TCP_RST)
        return 0;
    uint32_t wnd = tcp_window(t, c);
    if (flags & TCP_SYN) {
        wnd = wnd < UINT16_MAX ? wnd : UINT16_MAX;
        promise(c, wnd);
        return (uint16_t)wnd;
    }
    promise(c, wnd);
    return (uint16_t)(wnd >> c->rcv.wscale);
}

/* ECT stands on new data only, never on what is sent again, probes or bare ACKs (3168, 6.1). */
static uint8_t ecn_bits(const struct tcp_conn *c, seq_t seq, uint32_t len, uint16_t flags)
{
    if (!(c->is & (TCP_IS_ECN | TCP_IS_ACCECN)) || len == 0 || (flags & TCP_SYN))
        return 0;
    return seq_eq(seq, c->snd.nxt) ? 2 : 0;
}

static uint16_t ecn_flags(struct tcp_conn *c, seq_t seq, uint32_t len, uint16_t flags)
{
    if (flags & (TCP_SYN | TCP_RST))
        return flags;
    if (c->is & TCP_IS_ACCECN)
        return (uint16_t)(flags | tcp_accecn_flags(c));
    if ((c->is & TCP_IS_CE) && (flags & TCP_ACK))
        flags |= TCP_ECE;
    if ((c->is & TCP_IS_CWR) && len > 0 && seq_eq(seq, c->snd.nxt)) {
        flags |= TCP_CWR;
        c->is &= ~(uint32_t)TCP_IS_CWR;
    }
    return flags;
}

static void urgent_pointer(const struct tcp_conn *c, seq_t seq, struct tcp_hdr *h)
{
    if (!(c->is & TCP_IS_URG_OUT) || !seq_lt(seq, c->snd_up))
        return;
    int32_t up = seq_diff(seq, c->snd_up);      /* MUST-62: the octet after the last urgent one */
    h->urg = up > (int32_t)UINT16_MAX ? UINT16_MAX : (uint16_t)up;
    h->flags |= TCP_URG;
}

static void count_out(struct tcp_conn *c, uint32_t len)
{
    uint32_t segs = len > c->snd.mss ? (len + c->snd.mss - 1) / c->snd.mss : 1;
    c->stat.segs_out += segs;
    if (len > 0)
        c->stat.data_out += segs;
}

/* An acknowledgement left with it. */
static void acked(struct tcp_conn *c)
{
    c->rcv.acked = c->rcv.nxt;
    c->rcv.unacked_segs = 0;
    c->out.want &= (uint8_t)~TCP_WANT_ACK;
    c->out.ack_why = WHY_NONE;
    c->out.dsack = 0;
    if (c->out.quick > 0)
        c->out.quick--;
    tcp_timer_on_ack_sent(c);
}

/* So little payload is copied behind its header rather than referred to. */
#define COPIED_HEADROOM 128     /* link, VLANs, IPv6, TCP with all its options */
#define COPIED_MAX      96

/* The same bytes in one block, behind a head of its own where they will be cut; NULL: no memory. */
static ORIEL_NEVER_INLINE struct pkt *copied(struct tcp *t, struct tcp_conn *c, seq_t seq,
                                             uint32_t len, bool cut)
{
    struct pkt *p = pkt_new(t->env, PKT_HEADROOM, len);
    if (p)
        stream_copy(&c->flight->sndq, seq, pkt_data(p), len);
    if (!p || !cut)
        return p;
    struct pkt *super = pkt_new(t->env, PKT_HEADROOM, 0);
    if (super)
        super->more[super->more_n++] = slice_share(p->head);
    pkt_free(p);
    return super;
}

/* len bytes from seq on, of the stream, as the payload of a packet without a header yet. */
static inline struct pkt *with_payload(struct tcp *t, struct tcp_conn *c, seq_t seq, uint32_t len,
                                bool whole)
{
    struct pkt *p;
    if (len <= COPIED_MAX) {
        p = pkt_new(t->env, COPIED_HEADROOM, len);
        if (oriel_likely(p && len > 0))
            stream_copy(&c->flight->sndq, seq, pkt_data(p), len);
        return p;
    }
    p = pkt_new(t->env, PKT_HEADROOM, 0);
    uint32_t mss = tcp_mss_now(c);
    if (!p)
        return p;
    bool cut = len > mss && !whole;     /* one that was whole before, too, where SACKs take room now */
    if (oriel_unlikely(stream_attach(&c->flight->sndq, p, seq, len, 0) != len)) {
        pkt_free(p);            /* a segment in many little blocks: memory was short */
        p = copied(t, c, seq, len, cut);
    }
    if (p && cut) {
        p->gso = tuple_is_v4(&c->tuple) ? GSO_TCP4 : GSO_TCP6;
        p->gso_size = (uint16_t)mss;
        if (c->is & TCP_IS_ACCECN)
            p->flags |= PKT_ACE;        /* the flags are a counter: on every piece */
    }
    return p;
}

/* Is there nothing to a segment of c but data, acknowledgement and window? */
static inline bool is_bare(const struct tcp_conn *c, uint16_t flags)
{
    const uint32_t more = TCP_IS_TS | TCP_IS_ECN | TCP_IS_ACCECN | TCP_IS_CE | TCP_IS_CWR |
                          TCP_IS_URG_OUT;
    return !(c->is & more) && !(flags & (TCP_SYN | TCP_RST)) && !has_sacks(c);
}

static ORIEL_NEVER_INLINE int emit_any(struct tcp *t, struct tcp_conn *c, seq_t seq, uint32_t len,
                                       uint16_t flags, enum why why)
{
    uint8_t opts[TCP_OPTS_MAX];
    uint8_t tos = (uint8_t)(c->prof->tos | ecn_bits(c, seq, len, flags));
    bool syn = (flags & TCP_SYN) != 0, probe = why == WHY_PROBE_MTU;
    /* Before the path is looked up: what a SYN says of it may take its place among the known ones. */
    struct span said = syn ? syn_options(t, c, opts, (flags & TCP_ACK) != 0)
                           : conn_options(t, c, opts, flags);
    struct tcp_path *path = tcp_conn_path(t, c, tos);
    if (oriel_unlikely(!path))
        return ORIEL_ENETUNREACH;
    struct pkt *p = with_payload(t, c, seq_add(seq, syn), len, probe);
    if (oriel_unlikely(!p))
        return ORIEL_ENOBUFS;
    struct tcp_path large;
    if (oriel_unlikely(probe)) {                /* as if the path took all that its first link does */
        large = *path;
        large.path.mtu = path->path.nif->mtu;
        path = &large;
    }
    struct tcp_hdr h = {
        .src_port = c->tuple.local_port,
        .dst_port = c->tuple.remote_port,
        .seq = seq,
        .ack = (flags & TCP_ACK) ? c->rcv.nxt : seq_of(0),
        .flags = ecn_flags(c, seq, len, flags),
        .wnd = window_field(t, c, flags),
        .opts = said,
    };
    if (oriel_unlikely(c->is & TCP_IS_URG_OUT))
        urgent_pointer(c, seq, &h);
    if (flags & TCP_ACK)
        acked(c);
    count_out(c, len);
    if (!(c->is & TCP_IS_READY))
        c->nif = path->bottom;
    TRACE_WHY(t->env, EV_TCP_SEG_TX, why, tcp_conn_id(t, c), seq.v, len, h.flags);
    return leave(t, p, path, &h, why);
}

/* The short way, for what is_bare: the same segment. */
int tcp_emit_segment(struct tcp *t, struct tcp_conn *c, seq_t seq, uint32_t len, uint16_t flags,
                     enum why why)
{
    struct tcp_path *path = tcp_conn_path(t, c, c->prof->tos);
    if (oriel_unlikely(!t->set.fast_path || !is_bare(c, flags) || !path || why == WHY_PROBE_MTU))
        return emit_any(t, c, seq, len, flags, why);
    struct pkt *p = with_payload(t, c, seq, len, false);
    if (oriel_unlikely(!p))
        return ORIEL_ENOBUFS;
    uint32_t wnd = tcp_window(t, c);
    struct tcp_hdr h = {
        .src_port = c->tuple.local_port,
        .dst_port = c->tuple.remote_port,
        .seq = seq,
        .ack = (flags & TCP_ACK) ? c->rcv.nxt : seq_of(0),
        .flags = flags,
        .wnd = (uint16_t)(wnd >> c->rcv.wscale),
    };
    promise(c, wnd);
    if (flags & TCP_ACK)
        acked(c);
    count_out(c, len);
    if (!(c->is & TCP_IS_READY))
        c->nif = path->bottom;
    TRACE_WHY(t->env, EV_TCP_SEG_TX, why, tcp_conn_id(t, c), seq.v, len, flags);
    return leave(t, p, path, &h, why);
}

/*
 * The payload of a turn and its sum, where somebody wants it; NULL: it does not lie in one piece, or there is
 * no memory.
 */
static ORIEL_ALWAYS_INLINE struct pkt *turn_payload(struct tcp *t, struct tcp_conn *c, uint32_t len,
                                                    bool wanted, uint64_t *sum)
{
    struct stream *s = &c->flight->sndq;
    if (oriel_unlikely(len > CSUM_SMALL)) {
        struct pkt *p = with_payload(t, c, c->snd.nxt, len, false);
        *sum = p && wanted ? pkt_sum_kept(t->env, p, 0, len) : 0;
        return p;
    }
    const uint8_t *bytes = stream_whole(s);
    struct pkt *p = bytes ? pkt_new(t->env, COPIED_HEADROOM, len) : NULL;
    if (oriel_likely(p != NULL))
        *sum = csum_wide_copy(pkt_data(p), bytes, len);
    return p;
}

bool tcp_emit_turn(struct tcp *t, struct tcp_conn *c, uint32_t len)
{
    struct tcp_path *path = &t->paths[c->path];
    uint8_t ts[TCP_TS_LEN];
    const uint32_t hdr_len = TCP_HDR_LEN + ((c->is & TCP_IS_TS) ? TCP_TS_LEN : 0);
    uint64_t sum;
    if (oriel_unlikely(!path_stands(t, c, path, c->prof->tos)))
        path = tcp_conn_path(t, c, c->prof->tos);
    if (oriel_unlikely(!path || !may_leave_at_once(path) ||
                       IP4_HDR_LEN + hdr_len + len > path->path.mtu))
        return false;
    const bool vouches = path->path.nif->vouches;
    struct pkt *p = turn_payload(t, c, len, !vouches, &sum);
    if (oriel_unlikely(!p))
        return false;
    uint32_t wnd = tcp_window(t, c);
    struct tcp_hdr h = {.src_port = c->tuple.local_port, .dst_port = c->tuple.remote_port,
                        .seq = c->snd.nxt, .ack = c->rcv.nxt, .flags = TCP_ACK | TCP_PSH,
                        .wnd = (uint16_t)(wnd >> c->rcv.wscale)};
    if (hdr_len > TCP_HDR_LEN) {
        tcp_ts_emit(ts, tcp_ts_now(t, c), c->rcv.ts_recent);
        h.opts = span_of(ts, sizeof(ts));
        sum = csum_wide_add(sum, csum_wide(ts, sizeof(ts)));
    }
    promise(c, wnd);
    acked(c);
    c->stat.segs_out++;
    c->stat.data_out++;
    c->nif = path->bottom;
    TRACE_WHY(t->env, EV_TCP_SEG_TX, WHY_DATA_NEW, tcp_conn_id(t, c), h.seq.v, len, h.flags);
    sum = csum_wide_add(sum, path->sum + hdr_len + len + frame_tcp_sum(&h, hdr_len));
    h.csum = oriel_likely(!vouches) ? csum_wide_finish(sum) : left_to_link(p, path, hdr_len + len);
    frame_emit(pkt_push_within(p, FRAME_TCP_AT + hdr_len), &path->frame, &path->path.neigh->mac, &h,
               hdr_len, len);
    hand_over(t, p, path, WHY_DATA_NEW);
    return true;
}

void tcp_reset_conn(struct tcp *t, struct tcp_conn *c, enum why why)
{
    /* RFC 9293, 3.10.5: <SEQ=SND.NXT><CTL=RST>; with ACK, as middleboxes look at it. */
    if (tcp_emit_segment(t, c, c->snd.nxt, 0, TCP_RST | TCP_ACK, why) != 0)
        t->resets_lost++;       /* the peer finds out when it speaks */
}

/* ---- segments of no connection ---- */

void tcp_reply(struct tcp *t, const struct tcp_reply *r, enum why why)
{
    uint8_t opts[TCP_OPTS_MAX];
    struct wr w = wr_of(opts, sizeof(opts));
    struct tcp_path *path = tcp_path_of(t, &r->tuple, r->ttl, (uint8_t)(r->tos | r->ecn), r->nif);
    struct pkt *p = path ? pkt_new(t->env, PKT_HEADROOM, 0) : NULL;
    if (!p)
        return;                 /* the peer asks again */
    tcp_opts_emit(&w, &r->opts, r->kinds, r->kinds_n);
    struct tcp_hdr h = {
        .src_port = r->tuple.local_port,
        .dst_port = r->tuple.remote_port,
        .seq = r->seq,
        .ack = r->ack,
        .flags = r->flags,
        .wnd = r->wnd,
        .opts = wr_span(&w),
    };
    TRACE_WHY(t->env, EV_TCP_SEG_TX, why, UINT32_MAX, r->seq.v, 0, h.flags);
    (void)leave(t, p, path, &h, why);
}

void tcp_reset_for(struct tcp *t, const struct tcp_seg *g, enum why why)
{
    struct tcp_reply r = {.tuple = g->tuple};
    if (g->flags & TCP_RST)
        return;
    if (g->flags & TCP_ACK) {
        r.seq = g->ack;
        r.flags = TCP_RST;
    } else {
        r.seq = seq_of(0);
        r.ack = seg_end(g);
        r.flags = TCP_RST | TCP_ACK;
    }
    tcp_reply(t, &r, why);
}

/* ---- what SYNs say ---- */

uint16_t tcp_mss_offer(struct tcp *t, const struct tcp_tuple *k, uint16_t bind_nif)
{
    bool v4 = tuple_is_v4(k);
    const struct tcp_path *p = tcp_path_of(t, k, 0, 0, bind_nif);
    uint32_t headers = v4 ? 40 : 60;
    uint32_t mtu = p ? (p->path.local ? NETIF_MTU_MAX : p->path.nif->mtu) : 576;
    if (mtu < headers + TCP_MSS_FLOOR)
        return TCP_MSS_FLOOR;
    return (uint16_t)(mtu - headers);
}

void tcp_mss_update(struct tcp *t, struct tcp_conn *c)
{
    uint32_t headers = tuple_is_v4(&c->tuple) ? 40 : 60;
    const struct tcp_path *p = tcp_conn_path(t, c, c->prof->tos);
    uint32_t mss = c->snd.peer_mss;
    uint32_t mtu = p ? p->path.mtu : headers + mss;
    if (c->flight && c->flight->mtu.suspect && c->flight->mtu.low < mtu)
        mtu = c->flight->mtu.low;
    if (mtu < headers + TCP_MSS_FLOOR)
        mtu = headers + TCP_MSS_FLOOR;
    if (mss > mtu - headers)
        mss = mtu - headers;
    if (c->prof->maxseg && mss > c->prof->maxseg)
        mss = c->prof->maxseg;
    if (mss < TCP_MSS_FLOOR)
        mss = TCP_MSS_FLOOR;
    mss -= (c->is & TCP_IS_TS) ? 12 : 0;
    if (mss == c->snd.mss)
        return;
    c->snd.mss = (uint16_t)mss;
    if (c->flight)
        cc_set_mss(&c->flight->cc, (uint16_t)mss);
}

/* NOPs until the next option stands at that offset of a word. */
static void pad(uint8_t *kinds, uint8_t *n, unsigned *at, unsigned rest)
{
    for (; *at % 4 != rest; (*at)++)
        kinds[(*n)++] = TCP_OPT_NOP;
}

/*
 * One option where it stands best: timestamps on a word (7323, appendix A) behind SACK-permitted or
 * two NOPs, the shift behind one NOP.
 */
static void add_kind(const struct tcp *t, const struct tcp_opts *o, uint8_t kind, uint8_t *kinds,
                     uint8_t *n, unsigned *at)
{
    bool bsd = t->set.personality == ORIEL_AS_FREEBSD;
    switch (kind) {
    case TCP_OPT_MSS:
        if (!o->has_mss)
            return;
        *at += 4;
        break;
    case TCP_OPT_WSCALE:
        if (!o->has_wscale)
            return;
        pad(kinds, n, at, 1);
        *at += 3;
        break;
    case TCP_OPT_SACK_PERM:
        if (!o->sack_perm)
            return;
        pad(kinds, n, at, o->has_ts || bsd ? 0 : 2);
        *at += 2;
        break;
    case TCP_OPT_TS:
        if (!o->has_ts)
            return;
        pad(kinds, n, at, 2);
        *at += 10;
        break;
    case TCP_OPT_FASTOPEN:
        if (!o->has_fastopen)
            return;
        pad(kinds, n, at, bsd ? 0 : (4 - (2 + (unsigned)o->fastopen.n) % 4) % 4);
        *at += 2 + (unsigned)o->fastopen.n;
        break;
    default:
        return;                 /* NOPs are put in above */
    }
    kinds[(*n)++] = kind;
}

void tcp_syn_options(const struct tcp *t, struct tcp_opts *o, uint8_t *kinds, uint8_t *n)
{
    unsigned at = 0;
    *n = 0;
    for (unsigned i = 0; i < t->set.syn_opts_n; i++)
        add_kind(t, o, t->set.syn_opts[i], kinds, n, &at);
    add_kind(t, o, TCP_OPT_FASTOPEN, kinds, n, &at);
    ORIEL_ASSERT(at <= TCP_OPTS_MAX);
}
