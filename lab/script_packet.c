/*
 * The packets of a script: a line -> bytes that arrive. Lengths and checksums are computed; what
 * the line leaves out is what a well-behaved peer would write (a hop limit of 255 as packetdrill
 * has it, a window of 65535, the pattern of script_flow.c as data).
 */
#include "lab/script_run.h"

#include "base/csum.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/ip6.h"
#include "wire/udp.h"

#define HOPS        255
#define QUOTED      8           /* bytes of a quoted packet behind its IP header (RFC 792) */
#define UDPLITE     136
#define FO_MAGIC    0xf989u
#define CSUM_AT_TCP 16
#define CSUM_AT_UDP 6
#define ECHO_ID     1

/* ---- IP ---- */

/* The header of a packet with `n` bytes behind it. */
static void put_ip(struct wr *w, const struct script_packet *k, const struct oriel_addr *src,
                   const struct oriel_addr *dst, uint8_t proto, size_t n, bool v6)
{
    uint8_t ttl = k->has_ttl ? k->ttl : HOPS;
    if (v6) {
        struct ip6_hdr h = {.tclass = k->tos, .flow = k->flow, .payload_len = (uint16_t)n,
                            .next = proto, .hop_limit = ttl, .src = *src, .dst = *dst};
        ip6_emit(w, &h);
    } else {
        struct ip4_hdr h = {.hdr_len = IP4_HDR_LEN, .tos = k->tos,
                            .total_len = (uint16_t)(IP4_HDR_LEN + n), .ttl = ttl, .proto = proto,
                            .df = true, .src = *src, .dst = *dst};
        ip4_emit(w, &h);
    }
}

/* Put the sum over what stands at l4 into the field at `at` of it. */
static void seal(struct wr *w, size_t l4, size_t at, const struct sr_flow *f, uint8_t proto,
                 bool bad)
{
    if (w->bad)
        return;
    struct span all = wr_span(w);
    struct span s = span_of(all.p + l4, all.n - l4);
    uint32_t sum = csum_pseudo(&f->remote.addr, &f->local.addr, proto, (uint32_t)s.n);
    uint16_t field = csum_finish(csum_add(sum, csum_portable.sum(s.p, s.n)));
    if (field == 0 && proto != IP_TCP)
        field = 0xffff;
    wr_patch_u16(w, l4 + at, bad ? (uint16_t)(field ^ 0x5555) : field);
}

static void put_data(struct wr *w, size_t n, uint64_t from)
{
    uint8_t *at = wr_room(w, n);
    if (at)
        sr_fill(at, n, from);
}

/* ---- TCP ---- */

static void put_head(struct wr *w, uint8_t kind, size_t data)
{
    wr_u8(w, kind);
    wr_u8(w, (uint8_t)(data + 2));
}

static void put_cookie(struct wr *w, const struct script_run *r, const struct script_opt *o)
{
    struct span c = o->latest ? span_of(r->cookie, r->cookie_n) : o->data;
    bool old = o->kind == SCRIPT_OPT_FOEXP;
    put_head(w, o->kind, c.n + (old ? 2 : 0));
    if (old)
        wr_u16(w, FO_MAGIC);
    wr_bytes(w, c);
}

static void put_opt(struct wr *w, const struct script_run *r, const struct sr_flow *f,
                    const struct script_opt *o)
{
    if (o->bare) {
        wr_bytes(w, o->data);
        return;
    }
    if (o->raw || o->kind == TCP_OPT_MD5) {
        put_head(w, o->kind, o->data.n);
        wr_bytes(w, o->data);
        return;
    }
    switch (o->kind) {
    case TCP_OPT_NOP:
    case TCP_OPT_EOL:
        wr_u8(w, o->kind);
        return;
    case TCP_OPT_MSS:
        put_head(w, o->kind, 2);
        wr_u16(w, (uint16_t)o->a);
        return;
    case TCP_OPT_WSCALE:
        put_head(w, o->kind, 1);
        wr_u8(w, (uint8_t)o->a);
        return;
    case TCP_OPT_SACK_PERM:
        put_head(w, o->kind, 0);
        return;
    case TCP_OPT_SACK:
        put_head(w, o->kind, 8u * o->n);
        for (uint8_t i = 0; i < o->n; i++) {
            wr_u32(w, sr_live_seq(f, o->left[i]));
            wr_u32(w, sr_live_seq(f, o->right[i]));
        }
        return;
    case TCP_OPT_TS:
        put_head(w, o->kind, 8);
        wr_u32(w, o->a);
        wr_u32(w, sr_live_stamp(f, o->b));
        return;
    default:
        put_cookie(w, r, o);
    }
}

static void put_tcp(struct wr *w, const struct script_run *r, const struct script_packet *k,
                    const struct sr_flow *f)
{
    uint8_t room[TCP_OPTS_MAX];
    struct wr o = wr_of(room, sizeof(room));
    for (uint8_t i = 0; i < k->opts_n; i++)
        put_opt(&o, r, f, &k->opts[i]);
    size_t opts = o.bad ? 0 : wr_len(&o), padded = (opts + 3) / 4 * 4;
    struct tcp_hdr h = {
        .src_port = f->remote.port, .dst_port = f->local.port, .seq = seq_of(k->seq),
        .ack = seq_of(k->flags & TCP_ACK ? sr_live_seq(f, k->ack) : 0), .flags = k->flags,
        .wnd = k->has_win ? k->win : UINT16_MAX, .urg = k->urg, .opts = span_of(room, opts),
    };
    put_ip(w, k, &f->remote.addr, &f->local.addr, IP_TCP, TCP_HDR_LEN + padded + k->len, r->v6);
    size_t l4 = wr_len(w);
    tcp_emit(w, &h);
    uint32_t first = k->flags & TCP_SYN ? k->seq : f->has_irs ? f->irs + 1 : 1;
    put_data(w, k->len, k->seq - first);
    seal(w, l4, CSUM_AT_TCP, f, IP_TCP, k->bad_csum);
}

/* ---- UDP ---- */

static void put_udp(struct wr *w, const struct script_run *r, const struct script_packet *k,
                    const struct sr_flow *f)
{
    bool lite = k->proto == SCRIPT_UDPLITE;
    struct udp_hdr h = {.src_port = f->remote.port, .dst_port = f->local.port,
                        .len = lite ? k->cover : (uint16_t)(UDP_HDR_LEN + k->len)};
    uint8_t proto = lite ? UDPLITE : IP_UDP;
    put_ip(w, k, &f->remote.addr, &f->local.addr, proto, UDP_HDR_LEN + k->len, r->v6);
    size_t l4 = wr_len(w);
    udp_emit(w, &h);
    put_data(w, k->len, 0);
    seal(w, l4, CSUM_AT_UDP, f, proto, k->bad_csum);
}

/* ---- ICMP ---- */

/* What the stack sent: its IP header and eight bytes. */
static void put_quote(struct wr *w, const struct script_run *r, const struct script_packet *k,
                      const struct sr_flow *f)
{
    struct script_packet as = {.has_ttl = true, .ttl = 64};
    bool tcp = f->proto == SCRIPT_TCP;
    uint32_t seq = k->icmp.quotes ? sr_live_seq(f, k->seq) : f->sent_seq;
    uint32_t len = k->icmp.quotes ? k->len : f->sent_len;
    size_t n = (tcp ? TCP_HDR_LEN : UDP_HDR_LEN) + len;
    put_ip(w, &as, &f->local.addr, &f->remote.addr, tcp ? IP_TCP : IP_UDP, n, r->v6);
    wr_u16(w, f->local.port);
    wr_u16(w, f->remote.port);
    if (tcp) {
        wr_u32(w, seq);
    } else {
        wr_u16(w, (uint16_t)n);
        wr_u16(w, 0);
    }
}

static void put_icmp(struct wr *w, const struct script_run *r, const struct script_packet *k,
                     const struct sr_flow *f)
{
    uint8_t room[IP6_HDR_LEN + QUOTED];
    struct wr q = wr_of(room, sizeof(room));
    const struct script_icmp *m = &k->icmp;
    uint8_t type = r->v6 ? m->type6 : m->type4, code = r->v6 ? m->code6 : m->code4;
    if (r->v6 ? icmp6_is_error(type) : icmp4_is_error(type))
        put_quote(&q, r, k, f);
    struct span quote = wr_span(&q);
    uint32_t sum = csum_portable.sum(quote.p, quote.n);
    size_t n = ICMP4_HDR_LEN + quote.n;
    put_ip(w, k, &f->remote.addr, &f->local.addr, r->v6 ? IP_ICMP6 : IP_ICMP, n, r->v6);
    if (r->v6) {
        struct icmp6_hdr h = {.type = type, .code = code, .mtu = m->mtu, .id = ECHO_ID, .seq = 1};
        icmp6_emit(w, &h, &f->remote.addr, &f->local.addr, (uint32_t)n, sum);
    } else {
        struct icmp4_hdr h = {.type = type, .code = code, .mtu = (uint16_t)m->mtu, .id = ECHO_ID,
                              .seq = 1, .gateway = f->remote.addr};
        icmp4_emit(w, &h, sum);
    }
    wr_bytes(w, quote);
}

/* ---- any ---- */

static bool is_possible(struct script_run *r, const struct script_event *v)
{
    const struct script_packet *k = v->is.packet;
    if (k->proto == SCRIPT_ICMP && !(r->v6 ? k->icmp.ok6 : k->icmp.ok4))
        return sr_fail(r, v, r->v6 ? "    but ICMPv6 has no such message\n"
                                   : "    but ICMP has no such message\n");
    for (uint8_t i = 0; i < k->opts_n; i++)
        if (k->opts[i].latest && r->cookie_n == 0)
            return sr_fail(r, v, "    but the stack has sent no cookie yet\n");
    return true;
}

struct span sr_make(struct script_run *r, const struct script_event *v, struct sr_flow *f)
{
    const struct script_packet *k = v->is.packet;
    struct wr w = wr_of(r->packet, SR_PACKET_MAX);
    if (!is_possible(r, v))
        return span_of(r->packet, 0);
    switch (k->proto) {
    case SCRIPT_TCP:
        put_tcp(&w, r, k, f);
        break;
    case SCRIPT_UDP:
    case SCRIPT_UDPLITE:
        put_udp(&w, r, k, f);
        break;
    case SCRIPT_ICMP:
        put_icmp(&w, r, k, f);
        break;
    }
    if (w.bad || wr_len(&w) > IP4_LEN_MAX) {
        (void)sr_fail(r, v, "    but a packet is not that large\n");
        return span_of(r->packet, 0);
    }
    return wr_span(&w);
}
