/*
 * Packets as they crossed the interface, taken apart, and written down as a line of a script would
 * have them: with its own relative numbers, so that both can be laid side by side.
 */
#include "lab/script_run.h"

#include "base/csum.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/ip6.h"
#include "wire/udp.h"

#define UDPLITE 136
#define FO_MAGIC 0xf989u        /* RFC 7413, appendix A */

/* ---- taking apart ---- */

static bool sum_is_good(const struct sr_seen *s, struct span l4, uint8_t proto)
{
    uint32_t sum = csum_pseudo(&s->src.addr, &s->dst.addr, proto, (uint32_t)l4.n);
    return csum_finish(csum_add(sum, csum_portable.sum(l4.p, l4.n))) == 0;
}

static bool see_udp(struct rd r, struct sr_seen *s)
{
    struct span l4 = span_of(r.p, rd_left(&r));
    struct udp_hdr h;
    if (!udp_parse(&r, &h))
        return false;
    s->proto = SCRIPT_UDP;
    s->src.port = h.src_port;
    s->dst.port = h.dst_port;
    s->payload = span_of(r.p, (size_t)h.len - UDP_HDR_LEN);
    s->bad_csum = h.csum != 0 ? !sum_is_good(s, span_of(l4.p, h.len), IP_UDP) : s->v6;
    return true;
}

static bool see_tcp(struct rd r, struct sr_seen *s)
{
    s->proto = SCRIPT_TCP;
    s->bad_csum = !sum_is_good(s, span_of(r.p, rd_left(&r)), IP_TCP);
    if (!tcp_parse(&r, &s->tcp))
        return false;
    s->src.port = s->tcp.src_port;
    s->dst.port = s->tcp.dst_port;
    s->payload = rd_rest(&r);
    return true;
}

/* Behind the header of a quoted packet: ports, and of TCP the sequence number. */
static void see_quoted(struct rd r, struct sr_seen *s, uint8_t proto, size_t len)
{
    if (proto != IP_TCP && proto != IP_UDP)
        return;
    s->quotes = udp_ports_parse(&r, &s->quoted_src.port, &s->quoted_dst.port);
    s->quoted = proto == IP_TCP ? SCRIPT_TCP : SCRIPT_UDP;
    uint32_t word = rd_u32(&r);
    if (proto == IP_TCP)
        s->quoted_seq = word;
    rd_skip(&r, 4);
    size_t hdr = proto == IP_UDP ? UDP_HDR_LEN : (size_t)(rd_u8(&r) >> 4) * 4;
    if (r.bad || hdr < UDP_HDR_LEN)
        hdr = proto == IP_UDP ? UDP_HDR_LEN : TCP_HDR_LEN;
    s->quoted_len = len >= hdr ? (uint32_t)(len - hdr) : 0;
}

static void see_quote4(struct rd r, struct sr_seen *s)
{
    struct ip4_hdr h;
    if (!ip4_parse_quoted(&r, &h))
        return;
    s->quoted_src.addr = h.src;
    s->quoted_dst.addr = h.dst;
    see_quoted(r, s, h.proto, h.total_len >= h.hdr_len ? (size_t)h.total_len - h.hdr_len : 0);
}

static void see_quote6(struct rd r, struct sr_seen *s)
{
    struct ip6_hdr h;
    if (!ip6_parse_quoted(&r, &h))
        return;
    s->quoted_src.addr = h.src;
    s->quoted_dst.addr = h.dst;
    see_quoted(r, s, h.next, h.payload_len);
}

static bool see_icmp4(struct rd r, struct sr_seen *s)
{
    struct icmp4_hdr h;
    struct rd again = r;
    s->proto = SCRIPT_ICMP;
    s->bad_csum = csum_finish(csum_portable.sum(r.p, rd_left(&r))) != 0;
    if (!icmp4_parse(&again, &h))
        return false;
    s->type = h.type;
    s->code = h.code;
    s->mtu = h.mtu;
    if (icmp4_is_error(h.type))
        see_quote4(again, s);
    return true;
}

static bool see_icmp6(struct rd r, struct sr_seen *s)
{
    struct icmp6_hdr h;
    struct rd again = r;
    s->proto = SCRIPT_ICMP;
    s->bad_csum = !sum_is_good(s, span_of(r.p, rd_left(&r)), IP_ICMP6);
    if (!icmp6_parse(&again, &s->src.addr, &s->dst.addr, &h))
        return false;
    s->type = h.type;
    s->code = h.code;
    s->mtu = h.mtu;
    if (icmp6_is_error(h.type))
        see_quote6(again, s);
    return true;
}

static bool see_transport(struct rd r, struct sr_seen *s, uint8_t proto)
{
    if (proto == IP_TCP)
        return see_tcp(r, s);
    if (proto == IP_UDP)
        return see_udp(r, s);
    if (proto == UDPLITE) {
        bool good = udp_ports_parse(&r, &s->src.port, &s->dst.port);
        rd_skip(&r, 4);
        s->proto = SCRIPT_UDPLITE;
        s->payload = rd_rest(&r);
        return good;
    }
    return proto == IP_ICMP ? see_icmp4(r, s) : proto == IP_ICMP6 && see_icmp6(r, s);
}

static bool see4(struct rd r, struct sr_seen *s)
{
    struct ip4_hdr h;
    if (!ip4_parse(&r, &h))
        return false;
    s->tos = h.tos;
    s->ttl = h.ttl;
    s->ip_proto = h.proto;
    s->src.addr = h.src;
    s->dst.addr = h.dst;
    struct rd body = rd_sub(&r, (size_t)h.total_len - h.hdr_len);
    s->whole = !h.mf && h.frag_off == 0 && see_transport(body, s, h.proto);
    return true;
}

static bool see6(struct rd r, struct sr_seen *s)
{
    struct ip6_hdr h;
    struct ip6_ext e;
    if (!ip6_parse(&r, &h))
        return false;
    s->v6 = true;
    s->tos = h.tclass;
    s->ttl = h.hop_limit;
    s->flow = h.flow;
    s->src.addr = h.src;
    s->dst.addr = h.dst;
    struct rd body = rd_sub(&r, h.payload_len);
    uint8_t next = h.next;
    for (int i = 0; i < IP6_EXT_MAX && ip6_is_ext(next) && next != IP_FRAGMENT; i++) {
        if (!ip6_ext_parse(&body, next, &e))
            return true;
        next = e.next;
    }
    s->ip_proto = next;
    s->whole = next != IP_FRAGMENT && see_transport(body, s, next);
    return true;
}

bool sr_see(struct span packet, struct sr_seen *out)
{
    struct rd r = rd_of(packet), first = r;
    *out = (struct sr_seen){0};
    uint8_t version = rd_u8(&first) >> 4;
    return version == 6 ? see6(r, out) : version == 4 && see4(r, out);
}

bool script_is_aside(struct span packet)
{
    struct sr_seen s;
    if (!sr_see(packet, &s))
        return false;
    if (!s.v6)
        return s.ip_proto == IP_IGMP;
    return s.whole && s.proto == SCRIPT_ICMP &&
           ((s.type >= ICMP6_MLD_QUERY && s.type <= ICMP6_REDIRECT) ||
            s.type == ICMP6_MLD2_REPORT);
}

bool script_destination(struct span packet, struct oriel_addr *out)
{
    struct sr_seen s;
    bool good = sr_see(packet, &s);
    *out = good ? s.dst.addr : ADDR_NONE;
    return good;
}

/* ---- writing down ---- */

static void print_flags(struct txt *t, uint16_t flags)
{
    static const struct {
        uint16_t flag;
        char letter;
    } letters[] = {
        {TCP_FIN, 'F'}, {TCP_SYN, 'S'}, {TCP_RST, 'R'}, {TCP_PSH, 'P'}, {TCP_ACK, '.'},
        {TCP_URG, 'U'}, {TCP_ECE, 'E'}, {TCP_CWR, 'W'}, {TCP_AE, 'A'},
    };
    size_t before = t->n;
    for (size_t i = 0; i < ARRAY_LEN(letters); i++)
        if (flags & letters[i].flag)
            txt_c(t, letters[i].letter);
    if (t->n == before)
        txt_c(t, '-');
}

static void print_seq(struct txt *t, uint32_t seq, size_t len)
{
    txt_u(t, seq);
    txt_c(t, ':');
    txt_u(t, seq + (uint32_t)len);
    txt_c(t, '(');
    txt_u(t, len);
    txt_c(t, ')');
}

static void print_sack(struct txt *t, const struct sr_flow *f, struct rd d, bool in)
{
    txt_s(t, "sack");
    while (rd_left(&d) >= 8) {
        uint32_t left = rd_u32(&d), right = rd_u32(&d);
        txt_c(t, ' ');
        txt_u(t, in ? sr_script_seq(f, left) : left);
        txt_c(t, ':');
        txt_u(t, in ? sr_script_seq(f, right) : right);
    }
}

static void print_stamps(struct txt *t, const struct sr_flow *f, struct rd d, bool in)
{
    uint32_t val = rd_u32(&d), ecr = rd_u32(&d);
    txt_s(t, "TS val ");
    txt_u(t, in ? val : sr_script_stamp(f, val));
    txt_s(t, " ecr ");
    txt_u(t, in && ecr != 0 ? sr_script_stamp(f, ecr) : ecr);
}

static void print_named(struct txt *t, const char *name, struct span data)
{
    txt_s(t, name);
    if (data.n > 0)
        txt_c(t, ' ');
    txt_hex_bytes(t, data, 0);
}

static void print_other(struct txt *t, const struct tcp_opt_it *it)
{
    struct rd d = rd_of(it->data);
    if (it->kind == TCP_OPT_FASTOPEN) {
        print_named(t, "FO", it->data);
    } else if (it->kind == SCRIPT_OPT_FOEXP && rd_u16(&d) == FO_MAGIC) {
        print_named(t, "FOEXP", rd_rest(&d));
    } else if (it->kind == TCP_OPT_MD5) {
        print_named(t, "md5", it->data);
    } else {
        txt_s(t, "option ");
        txt_u(t, it->kind);
        print_named(t, "", it->data);
    }
}

static void print_opt(struct txt *t, const struct sr_flow *f, const struct tcp_opt_it *it, bool in)
{
    struct rd d = rd_of(it->data);
    size_t n = it->data.n;
    if (it->kind == TCP_OPT_NOP) {
        txt_s(t, "nop");
    } else if (it->kind == TCP_OPT_MSS && n == 2) {
        txt_s(t, "mss ");
        txt_u(t, rd_u16(&d));
    } else if (it->kind == TCP_OPT_WSCALE && n == 1) {
        txt_s(t, "wscale ");
        txt_u(t, rd_u8(&d));
    } else if (it->kind == TCP_OPT_SACK_PERM && n == 0) {
        txt_s(t, "sackOK");
    } else if (it->kind == TCP_OPT_SACK && n % 8 == 0) {
        print_sack(t, f, d, in);
    } else if (it->kind == TCP_OPT_TS && n == 8) {
        print_stamps(t, f, d, in);
    } else {
        print_other(t, it);
    }
}

void sr_print_opts(struct txt *t, const struct sr_flow *f, struct span opts, bool in)
{
    struct rd r = rd_of(opts);
    struct tcp_opt_it it;
    txt_c(t, '<');
    for (unsigned n = 0; n < TCP_OPTIONS_MAX && tcp_opt_next(&r, &it); n++) {
        if (n > 0)
            txt_c(t, ',');
        print_opt(t, f, &it, in);
    }
    txt_c(t, '>');
}

static void print_tcp(struct txt *t, const struct sr_flow *f, const struct sr_seen *s, bool in)
{
    uint32_t seq = s->tcp.seq.v, ack = s->tcp.ack.v;
    print_flags(t, s->tcp.flags);
    txt_c(t, ' ');
    print_seq(t, in ? seq : sr_script_seq(f, seq), s->payload.n);
    if (s->tcp.flags & TCP_ACK) {
        txt_s(t, " ack ");
        txt_u(t, in ? sr_script_seq(f, ack) : ack);
    }
    txt_s(t, " win ");
    txt_u(t, s->tcp.wnd);
    if (s->tcp.flags & TCP_URG) {
        txt_s(t, " urg ");
        txt_u(t, s->tcp.urg);
    }
    if (s->tcp.opts.n > 0) {
        txt_c(t, ' ');
        sr_print_opts(t, f, s->tcp.opts, in);
    }
}

static void print_icmp(struct txt *t, const struct sr_flow *f, const struct sr_seen *s, bool in)
{
    if (s->quotes && s->quoted == SCRIPT_TCP) {
        txt_c(t, '[');
        print_seq(t, in ? sr_script_seq(f, s->quoted_seq) : s->quoted_seq, s->quoted_len);
        txt_s(t, "] ");
    } else if (s->quotes) {
        txt_s(t, "[udp (");
        txt_u(t, s->quoted_len);
        txt_s(t, ")] ");
    }
    txt_s(t, s->v6 ? "icmpv6 type " : "icmp type ");
    txt_u(t, s->type);
    txt_s(t, " code ");
    txt_u(t, s->code);
    if (s->mtu > 0) {
        txt_s(t, " mtu ");
        txt_u(t, s->mtu);
    }
}

static void print_ports(struct txt *t, const struct sr_seen *s)
{
    txt_u(t, s->src.port);
    txt_s(t, " > ");
    txt_u(t, s->dst.port);
    txt_c(t, ' ');
}

static void print_tos(struct txt *t, uint8_t tos)
{
    static const char *const ecn[] = {"", "[ect1] ", "[ect0] ", "[ce] "};
    if (tos > 3) {
        txt_s(t, "[tos 0x");
        txt_hex(t, tos, 2);
        txt_s(t, "] ");
    } else {
        txt_s(t, ecn[tos]);
    }
}

void sr_print(struct txt *t, const struct script_run *r, const struct sr_record *rec)
{
    struct sr_seen s;
    bool in = rec->kind == SR_IN;
    if (!sr_see(rec->bytes, &s) || !s.whole) {
        txt_s(t, "a packet of ");
        txt_u(t, rec->bytes.n);
        txt_s(t, " bytes");
        return;
    }
    print_tos(t, s.tos);
    if (r->flows_n > 1 && s.proto != SCRIPT_ICMP)
        print_ports(t, &s);
    switch (s.proto) {
    case SCRIPT_TCP:
        print_tcp(t, rec->flow, &s, in);
        return;
    case SCRIPT_UDP:
    case SCRIPT_UDPLITE:
        txt_s(t, s.proto == SCRIPT_UDP ? "udp (" : "udplite (");
        txt_u(t, s.payload.n);
        txt_c(t, ')');
        return;
    case SCRIPT_ICMP:
        print_icmp(t, rec->flow, &s, in);
        return;
    }
}
