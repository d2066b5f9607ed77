/* UDP, TCP with its options, and which application is behind a port. */
#include "lens/layer.h"
#include "wire/dhcp4.h"
#include "wire/dns.h"
#include "wire/tcp.h"
#include "wire/udp.h"
#include "wire/vxlan.h"

#define ARROW " \xe2\x86\x92 "      /* U+2192, as tshark prints it */

static void ports_info(struct txt *t, uint64_t src, uint64_t dst)
{
    txt_u(t, src);
    txt_s(t, ARROW);
    txt_u(t, dst);
}

static uint32_t sum_with_pseudo(const struct lens *l, struct span segment, uint8_t proto)
{
    return csum_add(lens_sum(segment),
                    csum_pseudo(&l->ip_src, &l->ip_dst, proto, (uint32_t)segment.n));
}

/* ---- UDP ---- */

typedef void dissector(struct lens *l, struct rd r);

static dissector *udp_application(uint64_t src, uint64_t dst)
{
    static const struct {
        uint16_t port;
        dissector *app;
    } apps[] = {
        {DNS_PORT, dissect_dns},
        {DHCP4_SERVER_PORT, dissect_dhcp},
        {DHCP4_CLIENT_PORT, dissect_dhcp},
        {VXLAN_PORT, dissect_vxlan},
    };
    for (size_t i = 0; i < ARRAY_LEN(apps); i++)
        if (apps[i].port == src || apps[i].port == dst)
            return apps[i].app;
    return dissect_data;
}

static enum lens_csum udp_csum(const struct lens *l, struct span datagram, uint64_t field)
{
    if (field == 0)
        return l->v6 ? LENS_CSUM_ILLEGAL : LENS_CSUM_NOT_PRESENT;
    return lens_csum_of(l, sum_with_pseudo(l, datagram, IP_UDP));
}

/* The bytes that the length field counts: a fragment holds less, and so may a quote. */
static struct rd udp_datagram(struct lens *l, struct rd *r, size_t len)
{
    size_t have = rd_left(r);
    if (len > have && l->fragment)
        len = have;
    if (len < UDP_HDR_LEN) {
        lens_fault(l, FAULT_TOTAL_LEN);
        return (struct rd){.p = r->p, .end = r->p, .bad = FAULT_TOTAL_LEN};
    }
    return lens_narrow(l, r, len);
}

void dissect_udp(struct lens *l, struct rd r)
{
    struct field *layer = lens_layer(l, F_UDP, &r);
    lens_columns(l, "UDP");
    if (!layer)
        return;
    struct rd whole = r;
    uint64_t src = lens_uint(l, &r, F_UDP_SRCPORT, 2);
    uint64_t dst = lens_uint(l, &r, F_UDP_DSTPORT, 2);
    size_t len = (size_t)lens_uint(l, &r, F_UDP_LENGTH, 2);
    uint64_t csum = lens_uint(l, &r, F_UDP_CHECKSUM, 2);
    if (lens_is_bad(l, &r))
        return;
    lens_layer_end(layer, &r);
    struct txt *t = lens_info(l);
    ports_info(t, src, dst);
    txt_s(t, " Len=");
    txt_u(t, len >= UDP_HDR_LEN ? len - UDP_HDR_LEN : 0);
    struct rd datagram = udp_datagram(l, &whole, len);
    enum lens_csum ok = udp_csum(l, lens_peek(&datagram), csum);
    lens_put_u(l, F_UDP_CHECKSUM_STATUS, NULL, 0, ok);
    if (ok == LENS_CSUM_BAD)
        txt_s(t, " [UDP CHECKSUM INCORRECT]");
    if (ok == LENS_CSUM_ILLEGAL)
        txt_s(t, " [ILLEGAL CHECKSUM (0)]");
    if (datagram.bad)
        return;
    rd_skip(&datagram, UDP_HDR_LEN);
    if (rd_done(&datagram))
        return;
    lens_put_bytes(l, F_UDP_PAYLOAD, lens_peek(&datagram));
    dissector *app = l->fragment ? dissect_data : udp_application(src, dst);
    app(l, datagram);
}

/* ---- TCP ---- */

static void add_flags(struct lens *l, const uint8_t *at, uint64_t word)
{
    static const struct {
        uint16_t bit;
        enum field_id id;
    } bits[] = {
        {TCP_AE, F_TCP_FLAGS_AE},   {TCP_CWR, F_TCP_FLAGS_CWR}, {TCP_ECE, F_TCP_FLAGS_ECE},
        {TCP_URG, F_TCP_FLAGS_URG}, {TCP_ACK, F_TCP_FLAGS_ACK}, {TCP_PSH, F_TCP_FLAGS_PUSH},
        {TCP_RST, F_TCP_FLAGS_RESET}, {TCP_SYN, F_TCP_FLAGS_SYN}, {TCP_FIN, F_TCP_FLAGS_FIN},
    };
    lens_put_u(l, F_TCP_FLAGS, at, 2, word & 0xfff);
    lens_put_u(l, F_TCP_FLAGS_RES, at, 1, (word & 0xe00) != 0);
    for (size_t i = 0; i < ARRAY_LEN(bits); i++)
        lens_put_u(l, bits[i].id, at, 2, (word & bits[i].bit) != 0);
}

static void flags_info(struct txt *t, uint64_t flags)
{
    static const char *const names[] = {"FIN", "SYN", "RST", "PSH", "ACK",
                                        "URG", "ECE", "CWR", "AE"};
    const char *sep = " [";
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (((flags >> i) & 1) == 0)
            continue;
        txt_s(t, sep);
        txt_s(t, names[i]);
        sep = ", ";
    }
    txt_s(t, sep[1] == '[' ? " [<None>]" : "]");
}

/* A name with its value at the end of the information column. */
static void note(struct lens *l, const char *name, uint64_t v)
{
    txt_s(lens_info(l), name);
    txt_u(lens_info(l), v);
}

static void add_sack(struct lens *l, struct rd *r)
{
    uint64_t n = 0;
    for (; rd_left(r) >= 8; n++) {
        uint64_t left = lens_uint(l, r, F_TCP_OPTIONS_SACK_LE, 4);
        uint64_t right = lens_uint(l, r, F_TCP_OPTIONS_SACK_RE, 4);
        note(l, " SLE=", left);
        note(l, " SRE=", right);
    }
    lens_put_u(l, F_TCP_OPTIONS_SACK_COUNT, NULL, 0, n);
}

static void add_wscale(struct lens *l, struct rd *r)
{
    uint64_t shift = lens_uint(l, r, F_TCP_OPTIONS_WSCALE_SHIFT, 1);
    uint64_t used = shift > 14 ? 14 : shift;    /* RFC 7323, 2.3 */
    lens_put_u(l, F_TCP_OPTIONS_WSCALE_MULTIPLIER, NULL, 0, 1u << used);
    note(l, " WS=", 1u << used);
}

static void add_timestamp(struct lens *l, struct rd *r)
{
    uint64_t val = lens_uint(l, r, F_TCP_OPTIONS_TIMESTAMP_TSVAL, 4);
    uint64_t ecr = lens_uint(l, r, F_TCP_OPTIONS_TIMESTAMP_TSECR, 4);
    note(l, " TSval=", val);
    note(l, " TSecr=", ecr);
}

static void add_known_option(struct lens *l, const uint8_t *at, uint8_t kind, struct rd *r)
{
    size_t len = rd_left(r) + 2;
    switch (kind) {
    case TCP_OPT_MSS:
        lens_add(l, F_TCP_OPTIONS_MSS, at, len);
        note(l, " MSS=", lens_uint(l, r, F_TCP_OPTIONS_MSS_VAL, 2));
        break;
    case TCP_OPT_WSCALE:
        lens_add(l, F_TCP_OPTIONS_WSCALE, at, len);
        add_wscale(l, r);
        break;
    case TCP_OPT_SACK_PERM:
        lens_add(l, F_TCP_OPTIONS_SACK_PERM, at, len);
        txt_s(lens_info(l), " SACK_PERM");
        break;
    case TCP_OPT_SACK:
        lens_add(l, F_TCP_OPTIONS_SACK, at, len);
        add_sack(l, r);
        break;
    case TCP_OPT_TS:
        lens_add(l, F_TCP_OPTIONS_TIMESTAMP, at, len);
        add_timestamp(l, r);
        break;
    default:
        break;
    }
}

/* One option; false at the end of the list. */
static bool add_tcp_option(struct lens *l, struct rd *r)
{
    const uint8_t *at = r->p;
    uint8_t kind = (uint8_t)lens_uint(l, r, F_TCP_OPTION_KIND, 1);
    if (kind == TCP_OPT_NOP) {
        lens_add(l, F_TCP_OPTIONS_NOP, at, 1);
        return true;
    }
    if (kind == TCP_OPT_EOL) {
        lens_add(l, F_TCP_OPTIONS_EOL, at, 1);
        return false;
    }
    uint64_t len = lens_uint(l, r, F_TCP_OPTION_LEN, 1);
    if (r->bad || len < 2 || len - 2 > rd_left(r)) {
        r->bad = FAULT_OPT_LEN;
        return false;
    }
    struct rd body = rd_sub(r, (size_t)len - 2);
    add_known_option(l, at, kind, &body);
    return true;
}

static void add_tcp_options(struct lens *l, struct rd opts)
{
    if (rd_done(&opts))
        return;
    lens_put_bytes(l, F_TCP_OPTIONS, lens_peek(&opts));
    while (!rd_done(&opts) && add_tcp_option(l, &opts))
        ;
    if (opts.bad)
        lens_fault(l, opts.bad);
}

struct tcp_seen {
    uint64_t src;
    uint64_t dst;
    uint64_t seq;
    uint64_t ack;
    uint64_t word;          /* data offset and flags */
    uint64_t wnd;
    uint64_t urg;
};

static void tcp_info(struct txt *t, const struct tcp_seen *s, size_t len, bool good)
{
    ports_info(t, s->src, s->dst);
    flags_info(t, s->word & 0x1ff);
    txt_s(t, " Seq=");
    txt_u(t, s->seq);
    if (s->word & TCP_ACK) {
        txt_s(t, " Ack=");
        txt_u(t, s->ack);
    }
    txt_s(t, " Win=");
    txt_u(t, s->wnd);
    if (s->word & TCP_URG) {
        txt_s(t, " Urg=");
        txt_u(t, s->urg);
    }
    txt_s(t, good ? " Len=" : " [TCP CHECKSUM INCORRECT] Len=");
    txt_u(t, len);
}

static bool add_tcp_fixed(struct lens *l, struct rd *r, struct tcp_seen *s)
{
    s->src = lens_uint(l, r, F_TCP_SRCPORT, 2);
    s->dst = lens_uint(l, r, F_TCP_DSTPORT, 2);
    s->seq = lens_uint(l, r, F_TCP_SEQ_RAW, 4);
    s->ack = lens_uint(l, r, F_TCP_ACK_RAW, 4);
    const uint8_t *at = r->p;
    s->word = rd_u16(r);
    if (r->bad)
        return false;
    lens_put_u(l, F_TCP_HDR_LEN, at, 1, (s->word >> 12) * 4);
    add_flags(l, at, s->word);
    s->wnd = lens_uint(l, r, F_TCP_WINDOW_SIZE_VALUE, 2);
    lens_uint(l, r, F_TCP_CHECKSUM, 2);
    return !r->bad;
}

static void tcp_payload(struct lens *l, const struct tcp_seen *s, struct rd r)
{
    if (rd_done(&r))
        return;
    lens_put_bytes(l, F_TCP_PAYLOAD, lens_peek(&r));
    struct rd peek = r;
    size_t message = rd_u16(&peek);
    bool dns = (s->src == DNS_PORT || s->dst == DNS_PORT) && message >= DNS_HDR_LEN;
    if (dns && rd_left(&peek) >= message && !l->fragment) {     /* RFC 1035, 4.2.2 */
        lens_uint(l, &r, F_DNS_LENGTH, 2);
        dissect_dns(l, rd_sub(&r, message));
        return;
    }
    dissect_data(l, r);
}

void dissect_tcp(struct lens *l, struct rd r)
{
    struct field *layer = lens_layer(l, F_TCP, &r);
    lens_columns(l, "TCP");
    if (!layer)
        return;
    struct span segment = lens_peek(&r);
    struct rd whole = r;
    struct tcp_seen s = {0};
    bool fixed = add_tcp_fixed(l, &r, &s);
    size_t hdr_len = (size_t)(s.word >> 12) * 4;
    if (fixed && (hdr_len < TCP_HDR_LEN || hdr_len > segment.n))
        rd_fail(&r, hdr_len > segment.n && l->quoted ? FAULT_SHORT : FAULT_HDR_LEN);
    s.urg = lens_uint(l, &r, F_TCP_URGENT_POINTER, 2);
    if (lens_is_bad(l, &r))
        return;
    rd_skip(&whole, hdr_len);
    layer->len = (uint32_t)hdr_len;
    enum lens_csum ok = lens_csum_of(l, sum_with_pseudo(l, segment, IP_TCP));
    lens_put_u(l, F_TCP_CHECKSUM_STATUS, NULL, 0, ok);
    lens_put_u(l, F_TCP_LEN, NULL, 0, rd_left(&whole));
    tcp_info(lens_info(l), &s, rd_left(&whole), ok != LENS_CSUM_BAD);
    add_tcp_options(l, rd_sub(&r, hdr_len - TCP_HDR_LEN));
    tcp_payload(l, &s, whole);
}
