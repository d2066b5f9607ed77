/*
 * TCP with its options.
 *
 * What a segment is in relation to those before it comes from the table of conversations
 * (conversation.h), which is asked once the header is whole and before anything is added that
 * depends on it: numbers relative to the start, the scaled window, the remarks in front of the
 * information column. Quoted segments are never shown to it.
 */
#include "lens/layer.h"
#include "wire/dns.h"
#include "wire/tcp.h"

struct tcp_seen {
    uint64_t src;
    uint64_t dst;
    uint32_t seq;
    uint32_t ack;
    uint64_t word;              /* data offset and flags */
    uint64_t wnd;
    uint64_t urg;
    const uint8_t *seq_at, *ack_at, *wnd_at;
    size_t hdr_len;
    size_t len;                 /* of the payload */
    bool known;                 /* view is filled in */
    struct tcp_view view;
};

/* ---- flags and columns ---- */

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

static void flags_info(struct lens *l, uint64_t flags)
{
    struct txt *t = lens_info(l);
    size_t from = t->n + 1;
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
    if (!l->quoted) {
        l->d->flags_at = (uint16_t)from;
        l->d->flags_n = (uint16_t)(t->n - from);
    }
}

static void remark(struct lens *l, const char *text)
{
    struct txt *t = lens_info(l);
    txt_s(t, "[TCP ");
    txt_s(t, text);
    txt_s(t, "] ");
}

/* Remarks stand in front of the column, the last one first, as tshark has them. */
static const struct remark {
    uint32_t note;
    enum field_id field;
    const char *text;           /* NULL: another one says it */
} remarks[] = {
    {TCP_NOTE_ZERO_WINDOW_PROBE_ACK, F_TCP_ANALYSIS_ZERO_WINDOW_PROBE_ACK, "ZeroWindowProbeAck"},
    {TCP_NOTE_ZERO_WINDOW, F_TCP_ANALYSIS_ZERO_WINDOW, "ZeroWindow"},
    {TCP_NOTE_ZERO_WINDOW_PROBE, F_TCP_ANALYSIS_ZERO_WINDOW_PROBE, "ZeroWindowProbe"},
    {TCP_NOTE_DUPLICATE_ACK, F_TCP_ANALYSIS_DUPLICATE_ACK, NULL},
    {TCP_NOTE_KEEP_ALIVE_ACK, F_TCP_ANALYSIS_KEEP_ALIVE_ACK, "Keep-Alive ACK"},
    {TCP_NOTE_KEEP_ALIVE, F_TCP_ANALYSIS_KEEP_ALIVE, "Keep-Alive"},
    {TCP_NOTE_WINDOW_FULL, F_TCP_ANALYSIS_WINDOW_FULL, "Window Full"},
    {TCP_NOTE_WINDOW_UPDATE, F_TCP_ANALYSIS_WINDOW_UPDATE, "Window Update"},
    {TCP_NOTE_ACK_LOST_SEGMENT, F_TCP_ANALYSIS_ACK_LOST_SEGMENT, "ACKed unseen segment"},
    {TCP_NOTE_LOST_SEGMENT, F_TCP_ANALYSIS_LOST_SEGMENT, "Previous segment not captured"},
    {TCP_NOTE_REUSED_PORTS, F_TCP_ANALYSIS_REUSED_PORTS, "Port numbers reused"},
    {TCP_NOTE_OUT_OF_ORDER, F_TCP_ANALYSIS_OUT_OF_ORDER, "Out-Of-Order"},
    {TCP_NOTE_SPURIOUS, F_TCP_ANALYSIS_SPURIOUS_RETRANSMISSION, "Spurious Retransmission"},
    {TCP_NOTE_FAST_RETRANSMISSION, F_TCP_ANALYSIS_FAST_RETRANSMISSION, "Fast Retransmission"},
    {TCP_NOTE_RETRANSMISSION, F_TCP_ANALYSIS_RETRANSMISSION, "Retransmission"},
};

/* "[TCP Dup ACK 5#1] ": the original's frame, and which repetition of it this is. */
static void remark_duplicate(struct lens *l, const struct tcp_view *v)
{
    struct txt *t = lens_info(l);
    txt_s(t, "[TCP Dup ACK ");
    txt_u(t, v->original);
    txt_c(t, '#');
    txt_u(t, v->duplicate);
    txt_s(t, "] ");
}

static void remarks_info(struct lens *l, const struct tcp_view *v)
{
    bool special = (v->notes & (TCP_NOTE_SPURIOUS | TCP_NOTE_FAST_RETRANSMISSION)) != 0;
    for (size_t i = 0; i < ARRAY_LEN(remarks); i++) {
        const struct remark *r = &remarks[i];
        if (!(v->notes & r->note) || (special && r->note == TCP_NOTE_RETRANSMISSION))
            continue;
        if (r->note == TCP_NOTE_DUPLICATE_ACK)
            remark_duplicate(l, v);
        else
            remark(l, r->text);
    }
}

/* Numbers as they are shown: relative where the start is known. */
static uint32_t shown_seq(const struct tcp_seen *s)
{
    return s->known ? s->seq - s->view.seq_base : s->seq;
}

static uint32_t shown_ack(const struct tcp_seen *s, uint32_t ack)
{
    return s->known ? ack - s->view.ack_base : ack;
}

static void tcp_info(struct lens *l, const struct tcp_seen *s, bool good)
{
    if (s->known)
        remarks_info(l, &s->view);
    lens_info_ports(l, s->src, s->dst);
    flags_info(l, s->word & 0x1ff);
    struct txt *t = lens_info(l);
    txt_s(t, " Seq=");
    txt_u(t, shown_seq(s));
    if (s->word & TCP_ACK) {
        txt_s(t, " Ack=");
        txt_u(t, shown_ack(s, s->ack));
    }
    txt_s(t, " Win=");
    txt_u(t, s->known ? s->view.window : s->wnd);
    if (s->word & TCP_URG) {
        txt_s(t, " Urg=");
        txt_u(t, s->urg);
    }
    txt_s(t, good ? " Len=" : " [TCP CHECKSUM INCORRECT] Len=");
    txt_u(t, s->len);
}

/* ---- options ---- */

/* A name with its value at the end of the information column. */
static void note(struct lens *l, const char *name, uint64_t v)
{
    txt_s(lens_info(l), name);
    txt_u(lens_info(l), v);
}

static uint32_t add_edge(struct lens *l, struct rd *r, enum field_id id, const struct tcp_seen *s)
{
    const uint8_t *at = r->p;
    uint32_t v = shown_ack(s, rd_u32(r));
    lens_put_u(l, id, at, 4, v);
    return v;
}

static void add_sack(struct lens *l, struct rd *r, const struct tcp_seen *s)
{
    uint64_t n = 0;
    for (; rd_left(r) >= 8; n++) {
        note(l, " SLE=", add_edge(l, r, F_TCP_OPTIONS_SACK_LE, s));
        note(l, " SRE=", add_edge(l, r, F_TCP_OPTIONS_SACK_RE, s));
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

static void add_fast_open(struct lens *l, const uint8_t *at, struct rd *r)
{
    size_t n = rd_left(r);
    lens_add(l, F_TCP_OPTIONS_TFO, at, n + 2);
    if (n == 0)
        lens_add(l, F_TCP_OPTIONS_TFO_REQUEST, at, 2);
    else
        lens_bytes(l, r, F_TCP_OPTIONS_TFO_COOKIE, n);
    txt_s(lens_info(l), n == 0 ? " TFO=R" : " TFO=C");
}

static void add_known_option(struct lens *l, const uint8_t *at, uint8_t kind, struct rd *r,
                             const struct tcp_seen *s)
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
        add_sack(l, r, s);
        break;
    case TCP_OPT_TS:
        lens_add(l, F_TCP_OPTIONS_TIMESTAMP, at, len);
        add_timestamp(l, r);
        break;
    case TCP_OPT_FASTOPEN:
        add_fast_open(l, at, r);
        break;
    default:
        break;
    }
}

/* One option; false at the end of the list. */
static bool add_tcp_option(struct lens *l, struct rd *r, const struct tcp_seen *s)
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
    add_known_option(l, at, kind, &body, s);
    return true;
}

static void add_tcp_options(struct lens *l, struct rd opts, const struct tcp_seen *s)
{
    if (rd_done(&opts))
        return;
    lens_put_bytes(l, F_TCP_OPTIONS, lens_peek(&opts));
    while (!rd_done(&opts) && add_tcp_option(l, &opts, s))
        ;
    if (opts.bad)
        lens_fault(l, opts.bad);
}

/* ---- the conversation ---- */

static void see(struct lens *l, struct tcp_seen *s, struct rd opts)
{
    struct conversations *c = l->in->conversations;
    struct tcp_opts o = {0};
    if (!c || l->quoted || l->fragment)
        return;
    (void)tcp_opts_parse(&opts, &o);        /* what stands before a fault counts */
    struct tcp_sighting seen = {
        .src = {.addr = l->ip_src, .port = (uint16_t)s->src},
        .dst = {.addr = l->ip_dst, .port = (uint16_t)s->dst},
        .seq = s->seq, .ack = s->ack, .len = (uint32_t)s->len,
        .flags = (uint16_t)(s->word & 0x1ff), .window = (uint16_t)s->wnd,
        .scale = (int8_t)(!o.has_wscale ? TCP_SCALE_UNKNOWN : o.wscale > 14 ? 14 : o.wscale),
        .time = l->in->time, .number = l->in->number,
    };
    s->view = conversation_see(c, &seen);
    s->known = true;
}

static void add_relative(struct lens *l, const struct tcp_seen *s)
{
    const struct tcp_view *v = &s->view;
    uint32_t seq = shown_seq(s);
    uint32_t next = seq + (uint32_t)s->len + ((s->word & (TCP_SYN | TCP_FIN)) ? 1 : 0);
    lens_put_u(l, F_TCP_STREAM, NULL, 0, v->stream);
    lens_put_u(l, F_TCP_SEQ, s->seq_at, 4, seq);
    lens_put_u(l, F_TCP_NXTSEQ, NULL, 0, next);
    lens_put_u(l, F_TCP_ACK, s->ack_at, 4, shown_ack(s, s->ack));
    lens_put_u(l, F_TCP_WINDOW_SIZE, s->wnd_at, 2, v->window);
    lens_put_u(l, F_TCP_TIME_RELATIVE, NULL, 0, v->since_first);
    lens_put_u(l, F_TCP_TIME_DELTA, NULL, 0, v->since_last);
    if (v->notes == 0)
        return;
    lens_add(l, F_TCP_ANALYSIS_FLAGS, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(remarks); i++)
        if (v->notes & remarks[i].note)
            lens_add(l, remarks[i].field, NULL, 0);
    if (v->notes & TCP_NOTE_DUPLICATE_ACK) {
        lens_put_u(l, F_TCP_ANALYSIS_DUPLICATE_ACK_NUM, NULL, 0, v->duplicate);
        lens_put_u(l, F_TCP_ANALYSIS_DUPLICATE_ACK_FRAME, NULL, 0, v->original);
    }
}

/* ---- the layer ---- */

static bool add_tcp_fixed(struct lens *l, struct rd *r, struct tcp_seen *s)
{
    s->src = lens_uint(l, r, F_TCP_SRCPORT, 2);
    s->dst = lens_uint(l, r, F_TCP_DSTPORT, 2);
    s->seq_at = r->p;
    s->seq = (uint32_t)lens_uint(l, r, F_TCP_SEQ_RAW, 4);
    s->ack_at = r->p;
    s->ack = (uint32_t)lens_uint(l, r, F_TCP_ACK_RAW, 4);
    const uint8_t *at = r->p;
    s->word = rd_u16(r);
    if (r->bad)
        return false;
    s->hdr_len = (size_t)(s->word >> 12) * 4;
    lens_put_u(l, F_TCP_HDR_LEN, at, 1, s->hdr_len);
    add_flags(l, at, s->word);
    s->wnd_at = r->p;
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
    if (fixed && (s.hdr_len < TCP_HDR_LEN || s.hdr_len > segment.n))
        rd_fail(&r, s.hdr_len > segment.n && l->quoted ? FAULT_SHORT : FAULT_HDR_LEN);
    s.urg = lens_uint(l, &r, F_TCP_URGENT_POINTER, 2);
    if (lens_is_bad(l, &r))
        return;
    rd_skip(&whole, s.hdr_len);
    s.len = rd_left(&whole);
    layer->len = (uint32_t)s.hdr_len;
    enum lens_csum ok = lens_csum_of(l, lens_sum_pseudo(l, segment, IP_TCP));
    struct rd opts = rd_sub(&r, s.hdr_len - TCP_HDR_LEN);
    see(l, &s, opts);
    lens_put_u(l, F_TCP_CHECKSUM_STATUS, NULL, 0, ok);
    lens_put_u(l, F_TCP_LEN, NULL, 0, s.len);
    if (s.known)
        add_relative(l, &s);
    tcp_info(l, &s, ok != LENS_CSUM_BAD);
    add_tcp_options(l, opts, &s);
    tcp_payload(l, &s, whole);
}
