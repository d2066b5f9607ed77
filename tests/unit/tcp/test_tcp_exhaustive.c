/*
 * Every state, every combination of the six flags, every position of the sequence and acknowledgement
 * numbers relative to the windows, with and without data: what the stack answers and where it is
 * afterwards, against a literal transcription of RFC 9293, 3.10.7, with RFC 5961 where that replaced
 * it. The transcription is an oracle and nothing else: it is written from the text, in its order,
 * and shares no line with src/tcp.
 *
 * One stack is brought into each state; its memory is kept and put back before each segment, so a
 * hundred thousand cases take seconds.
 */
#include "test.h"

#include "stack/stack.h"
#include "wire/ip4.h"
#include "wire/tcp.h"

#define US    0x0a000001u       /* 10.0.0.1, the stack */
#define PEER  0x0a000002u
#define PORT  80
#define FROM  4000
#define PEER_ISS 0x7ffffff0u    /* near 2^31: comparisons go round */
#define MEMORY (5u << 18)      /* little more than a stack must have */
#define PAGE   4096u
#define TIME_WAIT_WINDOW 65535u /* a record does not keep the window: it answers with this one */

/* ---- the stack under test ---- */

static _Alignas(64) uint8_t memory[MEMORY], kept[MEMORY];
static struct oriel_stack *stack;
static int nif;
static oriel_handle sock;
static bool fast_path;

struct seg {                    /* one segment, either way */
    uint16_t flags;
    uint32_t seq, ack;
    uint16_t wnd, len;
};

static struct seg out[16];
static unsigned out_n;

/* MUST-2: of everything that leaves. */
static void expect_sum(const uint8_t *packet, const struct ip4_hdr *ih)
{
    uint32_t len = (uint32_t)ih->total_len - ih->hdr_len;
    uint32_t sum = csum_pseudo(&ih->src, &ih->dst, IP_TCP, len);
    sum = csum_add(sum, csum_portable.sum(packet + ih->hdr_len, len));
    EXPECT_EQ(csum_finish(sum), 0);
}

static void collect(void)
{
    struct pkt *p[8];
    out_n = 0;
    for (unsigned n; (n = oriel_netif_take(stack, nif, p, 8)) > 0;) {
        for (unsigned i = 0; i < n; i++) {
            uint8_t bytes[2048];
            size_t len = oriel_pkt_copy(p[i], bytes, sizeof(bytes));
            struct rd r = rd_of(span_of(bytes, len));
            struct ip4_hdr ih;
            struct tcp_hdr th;
            EXPECT(ip4_parse(&r, &ih));
            expect_sum(bytes, &ih);
            EXPECT(tcp_parse(&r, &th));
            EXPECT(out_n < 16);
            out[out_n++] = (struct seg){.flags = th.flags, .seq = th.seq.v, .ack = th.ack.v,
                                        .wnd = th.wnd, .len = (uint16_t)rd_left(&r)};
            oriel_pkt_free(p[i]);
        }
    }
}

static struct pkt *make_seg(uint16_t port, const struct seg *g)
{
    uint8_t bytes[2048];
    struct wr w = wr_of(bytes, sizeof(bytes));
    struct oriel_addr us = addr_v4(US), peer = addr_v4(PEER);
    const struct ip4_hdr ih = {.total_len = (uint16_t)(40 + g->len), .ttl = 64, .proto = IP_TCP,
                               .src = peer, .dst = us, .df = true};
    struct tcp_hdr th = {.src_port = FROM, .dst_port = port, .seq = seq_of(g->seq),
                         .ack = seq_of(g->ack), .flags = g->flags, .wnd = g->wnd};
    ip4_emit(&w, &ih);
    tcp_emit(&w, &th);
    wr_zeros(&w, g->len);
    uint32_t sum = csum_pseudo(&peer, &us, IP_TCP, 20u + g->len);
    sum = csum_add(sum, csum_portable.sum(bytes + 20, 20u + g->len));
    tcp_patch_csum(bytes + 20, csum_finish(sum));
    struct pkt *p = oriel_pkt_new(stack, nif, bytes, 40u + g->len);
    EXPECT(p != NULL);
    return p;
}

/* They arrive at one moment, and what is said to them is in `out`. */
static void give(struct pkt *p[], unsigned n)
{
    struct pkt_batch rx = {.pkts = p, .n = n};
    oriel_step(stack, stack->env.now, &rx);
    collect();
}

static void send_seg(uint16_t port, const struct seg *g)
{
    struct pkt *p = make_seg(port, g);
    give(&p, 1);
}

static void start(void)
{
    struct oriel_config cfg;
    struct oriel_addr us = addr_v4(US);
    oriel_config_init(&cfg);
    cfg.memory = memory;
    cfg.memory_bytes = sizeof(memory);
    cfg.connections = 16;
    cfg.now = 1000 * NS_PER_S;
    cfg.tcp.no_timestamps = true;
    cfg.tcp.window_scale = -1;
    cfg.tcp.rcvbuf = cfg.tcp.rcvbuf_max = 4096;
    cfg.tcp.no_fast_path = !fast_path;
    cfg.seed[0] = 1;
    ORIEL_UNPOISON(memory, sizeof(memory));
    memset(memory, 0, sizeof(memory));
    stack = oriel_create(&cfg);
    EXPECT(stack != NULL);
    const struct oriel_netif_config nc = {.name = "raw0", .kind = ORIEL_NETIF_RAW};
    nif = oriel_netif_add(stack, &nc);
    EXPECT(nif > 0);
    EXPECT_EQ(oriel_addr_add(stack, nif, &us, 96 + 24), 0);
}

/* ---- bringing it into a state ---- */

static uint16_t port;           /* ours, in this connection */
static uint32_t iss;

static void open_actively(void)
{
    const struct oriel_endpoint to = {.addr = addr_v4(PEER), .port = FROM};
    struct oriel_endpoint local;
    EXPECT_EQ(oriel_tcp_open(stack, ORIEL_IP4, &sock), 0);
    EXPECT_EQ(oriel_connect(stack, sock, &to), 0);
    EXPECT_EQ(oriel_local(stack, sock, &local), 0);
    port = local.port;
    collect();
    EXPECT_EQ(out_n, 1);
    iss = out[0].seq;
}

static void listen_there(void)
{
    const struct oriel_endpoint at = {.port = PORT};
    EXPECT_EQ(oriel_tcp_open(stack, ORIEL_IP4, &sock), 0);
    EXPECT_EQ(oriel_bind(stack, sock, &at), 0);
    EXPECT_EQ(oriel_listen(stack, sock, NULL), 0);
    port = PORT;
}

static struct seg from_peer(uint16_t flags, uint32_t seq, uint32_t ack, uint16_t len)
{
    return (struct seg){.flags = flags, .seq = seq, .ack = ack, .wnd = 1000, .len = len};
}

static void peer_says(uint16_t flags, uint32_t seq, uint32_t ack)
{
    struct seg g = from_peer(flags, seq, ack, 0);
    send_seg(port, &g);
}

/* Established, with a hundred bytes of ours under way. */
static void establish(void)
{
    static const uint8_t data[100];
    open_actively();
    peer_says(TCP_SYN | TCP_ACK, PEER_ISS, iss + 1);
    EXPECT_EQ(oriel_send(stack, sock, data, sizeof(data), NULL), (int)sizeof(data));
    collect();
}

static void close_first(void)
{
    establish();
    EXPECT_EQ(oriel_shutdown(stack, sock, ORIEL_SHUT_WRITE), 0);
    collect();
}

#define SENT (iss + 1 + 100)    /* one beyond our data */
#define GOT  (PEER_ISS + 1)

/* What is free is kept too: the sanitizer need not guard it in this program. */
static void keep(void)
{
    ORIEL_UNPOISON(memory, sizeof(memory));
    memcpy(kept, memory, sizeof(memory));
}

static void enter(unsigned state)
{
    start();
    switch (state) {
    case ORIEL_TCP_CLOSED:
        port = PORT;
        break;
    case ORIEL_TCP_LISTEN:
        listen_there();
        break;
    case ORIEL_TCP_SYN_SENT:
        open_actively();
        break;
    case ORIEL_TCP_SYN_RCVD:            /* simultaneous; the passive one is below */
        open_actively();
        peer_says(TCP_SYN, PEER_ISS, 0);
        break;
    case ORIEL_TCP_ESTABLISHED:
        establish();
        break;
    case ORIEL_TCP_FIN_WAIT_1:
        close_first();
        break;
    case ORIEL_TCP_FIN_WAIT_2:
        close_first();
        peer_says(TCP_ACK, GOT, SENT + 1);
        break;
    case ORIEL_TCP_CLOSE_WAIT:
        establish();
        peer_says(TCP_FIN | TCP_ACK, GOT, iss + 1);
        break;
    case ORIEL_TCP_CLOSING:
        close_first();
        peer_says(TCP_FIN | TCP_ACK, GOT, iss + 1);
        break;
    case ORIEL_TCP_LAST_ACK:
        establish();
        peer_says(TCP_FIN | TCP_ACK, GOT, iss + 1);
        EXPECT_EQ(oriel_shutdown(stack, sock, ORIEL_SHUT_WRITE), 0);
        collect();
        break;
    case ORIEL_TCP_TIME_WAIT:
        close_first();
        peer_says(TCP_FIN | TCP_ACK, GOT, SENT + 1);
        break;
    }
    /* A challenge ACK may be sent again: those are limited by time, which is not what is tested. */
    oriel_step(stack, stack->env.now + 10 * NS_PER_MS, NULL);
    collect();
    keep();
}

#define PASSIVE_SYN_RCVD ORIEL_TCP_STATES

static void enter_passive(void)
{
    start();
    listen_there();
    peer_says(TCP_SYN, PEER_ISS, 0);
    EXPECT_EQ(out_n, 1);
    iss = out[0].seq;
    keep();
}

/* The state now; a listener that is left alone is CLOSED as far as the tuple is concerned. */
static unsigned state_now(void)
{
    struct oriel_conn_info i;
    for (uint32_t at = 0; oriel_conn_each(stack, &at, &i);)
        if (i.remote.port == FROM && i.local.port == port && i.state != ORIEL_TCP_LISTEN)
            return i.state;
    return ORIEL_TCP_CLOSED;
}

/* ---- the oracle: RFC 9293, 3.10.7 ---- */

struct model {
    unsigned state;
    bool passive;
    uint32_t iss, snd_una, snd_nxt, snd_wnd_max;
    uint32_t rcv_nxt, rcv_wnd;
    bool fin_sent;
};

enum reply {
    SAYS_NOTHING,
    SAYS_ACK,                   /* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, at once */
    MAY_ACK,                    /* the same, perhaps later, perhaps on data */
    SAYS_RST,                   /* <SEQ=SEG.ACK><CTL=RST> */
    SAYS_RST_ACK,               /* <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK> */
    SAYS_SYN_ACK,
};

struct verdict {
    enum reply reply;
    unsigned state;
    uint32_t rcv_nxt;
};

static bool lt(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static bool leq(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) <= 0;
}

static bool has(const struct seg *g, uint16_t flag)
{
    return (g->flags & flag) != 0;
}

static uint32_t space(const struct seg *g)
{
    return (uint32_t)g->len + has(g, TCP_SYN) + has(g, TCP_FIN);
}

/* 3.10.7.1 */
static struct verdict in_closed(const struct seg *g, unsigned state)
{
    struct verdict v = {.state = state};
    if (!has(g, TCP_RST))
        v.reply = has(g, TCP_ACK) ? SAYS_RST : SAYS_RST_ACK;
    return v;
}

/* 3.10.7.2: first RST, second ACK, third SYN, fourth the rest. */
static struct verdict in_listen(const struct seg *g)
{
    struct verdict v = {.state = ORIEL_TCP_CLOSED};
    if (has(g, TCP_RST))
        return v;
    if (has(g, TCP_ACK)) {
        v.reply = SAYS_RST;
        return v;
    }
    if (has(g, TCP_SYN) && !has(g, TCP_FIN)) {  /* SYN with FIN opens nothing: no sane peer */
        v.reply = SAYS_SYN_ACK;
        v.state = ORIEL_TCP_SYN_RCVD;
        v.rcv_nxt = g->seq + 1;
    }
    return v;
}

/* 3.10.7.3 */
static struct verdict in_syn_sent(const struct model *m, const struct seg *g)
{
    struct verdict v = {.state = ORIEL_TCP_SYN_SENT};
    bool acceptable = has(g, TCP_ACK) && lt(m->iss, g->ack) && leq(g->ack, m->snd_nxt);
    if (has(g, TCP_ACK) && !acceptable) {
        v.reply = has(g, TCP_RST) ? SAYS_NOTHING : SAYS_RST;
        return v;
    }
    if (has(g, TCP_RST)) {
        if (acceptable)
            v.state = ORIEL_TCP_CLOSED;
        return v;
    }
    if (!has(g, TCP_SYN))
        return v;
    if (!acceptable) {
        v.state = ORIEL_TCP_SYN_RCVD;
        v.reply = SAYS_SYN_ACK;
        v.rcv_nxt = g->seq + 1;
        return v;
    }
    v.rcv_nxt = g->seq + space(g);
    v.state = has(g, TCP_FIN) ? ORIEL_TCP_CLOSE_WAIT : ORIEL_TCP_ESTABLISHED;
    v.reply = SAYS_ACK;
    return v;
}

/* 3.10.7.4, first: the four cases of the table. */
static bool acceptable(const struct model *m, const struct seg *g)
{
    uint32_t first = g->seq, last = g->seq + space(g) - 1, end = m->rcv_nxt + m->rcv_wnd;
    if (space(g) == 0 && m->rcv_wnd == 0)
        return g->seq == m->rcv_nxt;
    if (space(g) == 0)
        return leq(m->rcv_nxt, first) && lt(first, end);
    if (m->rcv_wnd == 0)
        return false;
    return (leq(m->rcv_nxt, first) && lt(first, end)) || (leq(m->rcv_nxt, last) && lt(last, end));
}

static struct verdict stays(const struct model *m, enum reply r)
{
    return (struct verdict){.reply = r, .state = m->state, .rcv_nxt = m->rcv_nxt};
}

static struct verdict ends(void)
{
    return (struct verdict){.state = ORIEL_TCP_CLOSED};
}

/* Fifth: what our FIN's acknowledgement does. False: the segment is done with. */
static bool on_ack(struct model *m, const struct seg *g, struct verdict *v)
{
    bool fin_acked = m->fin_sent && g->ack == m->snd_nxt;
    if (m->state == ORIEL_TCP_SYN_RCVD) {
        if (!(lt(m->snd_una, g->ack) && leq(g->ack, m->snd_nxt))) {
            *v = stays(m, SAYS_RST);
            return false;
        }
        m->state = ORIEL_TCP_ESTABLISHED;
        return true;
    }
    if (m->state == ORIEL_TCP_TIME_WAIT) {      /* only a FIN sent again can arrive */
        *v = stays(m, has(g, TCP_FIN) ? SAYS_ACK : SAYS_NOTHING);
        return false;
    }
    if (lt(m->snd_nxt, g->ack) || lt(g->ack, m->snd_una - m->snd_wnd_max)) {
        *v = stays(m, SAYS_ACK);                /* RFC 5961, 5.2 for the old ones */
        return false;
    }
    if (m->state == ORIEL_TCP_FIN_WAIT_1 && fin_acked)
        m->state = ORIEL_TCP_FIN_WAIT_2;
    if (m->state == ORIEL_TCP_CLOSING && fin_acked) {
        *v = (struct verdict){.state = ORIEL_TCP_TIME_WAIT};
        return false;
    }
    if (m->state == ORIEL_TCP_LAST_ACK && fin_acked) {
        *v = ends();
        return false;
    }
    return true;
}

static struct verdict in_synchronized(struct model m, const struct seg *given)
{
    struct seg seg = *given, *g = &seg;
    struct verdict v;
    uint32_t skip;
    /* A SYN-ACK in a simultaneous open is the SYN that was taken, and an ACK (figure 8). */
    if (m.state == ORIEL_TCP_SYN_RCVD && has(g, TCP_SYN) && g->seq == m.rcv_nxt - 1 &&
        !has(g, TCP_RST)) {
        if (!has(g, TCP_ACK) && !has(g, TCP_FIN))
            return stays(&m, SAYS_SYN_ACK);     /* it did not get ours */
        if (has(g, TCP_ACK) && !m.passive) {
            g->seq++;
            g->flags &= (uint16_t)~TCP_SYN;
        }
    }
    if (!acceptable(&m, g))                     /* first */
        return stays(&m, has(g, TCP_RST) ? SAYS_NOTHING : SAYS_ACK);
    if (has(g, TCP_RST)) {                      /* second; RFC 5961, 3.2; 1337 in TIME-WAIT */
        if (m.state == ORIEL_TCP_TIME_WAIT)
            return stays(&m, SAYS_NOTHING);
        return g->seq == m.rcv_nxt ? ends() : stays(&m, SAYS_ACK);
    }
    if (has(g, TCP_SYN))                        /* fourth; RFC 5961, 4.2 */
        return stays(&m, SAYS_ACK);
    if (!has(g, TCP_ACK))                       /* fifth */
        return stays(&m, SAYS_NOTHING);
    if (!on_ack(&m, g, &v))
        return v;
    v = stays(&m, SAYS_NOTHING);
    bool takes = m.state == ORIEL_TCP_ESTABLISHED || m.state == ORIEL_TCP_FIN_WAIT_1 ||
                 m.state == ORIEL_TCP_FIN_WAIT_2;
    if (g->len == 0 && !has(g, TCP_FIN))
        return v;
    if (!takes) {                               /* the peer had closed: nothing can follow */
        v.reply = SAYS_ACK;
        return v;
    }
    skip = m.rcv_nxt - g->seq;
    if (lt(m.rcv_nxt, g->seq)) {                /* a gap: at once (RFC 5681, 4.2) */
        v.reply = SAYS_ACK;
        return v;
    }
    uint32_t text = g->len - (skip < g->len ? skip : g->len);
    bool fits = text <= m.rcv_wnd;
    v.rcv_nxt = m.rcv_nxt + (fits ? text : m.rcv_wnd);
    v.reply = skip > 0 ? SAYS_ACK : MAY_ACK;    /* what was there already is told at once (2883) */
    if (!has(g, TCP_FIN) || !fits || text + 1 > m.rcv_wnd)
        return v;
    v.rcv_nxt++;                                /* eighth */
    v.reply = SAYS_ACK;
    v.state = m.state == ORIEL_TCP_ESTABLISHED  ? ORIEL_TCP_CLOSE_WAIT
              : m.state == ORIEL_TCP_FIN_WAIT_1 ? ORIEL_TCP_CLOSING
                                                : ORIEL_TCP_TIME_WAIT;
    return v;
}

static struct verdict oracle(const struct model *m, const struct seg *g)
{
    switch (m->state) {
    case ORIEL_TCP_CLOSED:   return in_closed(g, ORIEL_TCP_CLOSED);
    case ORIEL_TCP_LISTEN:   return in_listen(g);
    case ORIEL_TCP_SYN_SENT: return in_syn_sent(m, g);
    }
    return in_synchronized(*m, g);
}

/* ---- comparing ---- */

static void say(const struct model *m, const struct seg *g, const struct verdict *v)
{
    printf("# state %s%s, segment flags %03x seq rcv.nxt%+d ack snd.una%+d len %u\n",
           oriel_tcp_state_name((enum oriel_tcp_state)m->state), m->passive ? " (passive)" : "",
           g->flags, (int)(g->seq - m->rcv_nxt), (int)(g->ack - m->snd_una), g->len);
    printf("# expected reply %d, state %s; came %u segments, state %s\n", (int)v->reply,
           oriel_tcp_state_name((enum oriel_tcp_state)v->state), out_n,
           oriel_tcp_state_name((enum oriel_tcp_state)state_now()));
    for (unsigned i = 0; i < out_n; i++)
        printf("#   flags %03x seq %u ack %u len %u\n", out[i].flags, out[i].seq, out[i].ack,
               out[i].len);
}

static bool is_ack(const struct model *m, const struct seg *s, const struct verdict *v)
{
    return (s->flags & ~(unsigned)TCP_PSH) == TCP_ACK && s->seq == m->snd_nxt &&
           s->ack == v->rcv_nxt && s->len == 0;
}

static bool reply_is_right(const struct model *m, const struct seg *g, const struct verdict *v)
{
    const struct seg *s = &out[0];
    switch (v->reply) {
    case SAYS_NOTHING:
        return out_n == 0;
    case MAY_ACK:
        return out_n == 0 || (out_n == 1 && is_ack(m, s, v));
    case SAYS_ACK:
        return out_n == 1 && is_ack(m, s, v);
    case SAYS_RST:
        return out_n == 1 && s->flags == TCP_RST && s->seq == g->ack;
    case SAYS_RST_ACK:
        return out_n == 1 && s->flags == (TCP_RST | TCP_ACK) && s->seq == 0 &&
               s->ack == g->seq + space(g);
    case SAYS_SYN_ACK:
        return out_n == 1 && s->flags == (TCP_SYN | TCP_ACK) && s->ack == v->rcv_nxt;
    }
    return false;
}

/* After a reset or its own end a passive half-open connection is a LISTEN again: nothing. */
static bool state_is_right(const struct verdict *v)
{
    return state_now() == v->state;
}

/* As it was when the state was reached; only what was written to since is copied. */
static void put_back(void)
{
    ORIEL_UNPOISON(memory, sizeof(memory));
    for (size_t at = 0; at < sizeof(memory); at += PAGE)
        if (memcmp(memory + at, kept + at, PAGE) != 0)
            memcpy(memory + at, kept + at, PAGE);
}

static unsigned one_case(const struct model *m, const struct seg *g)
{
    struct verdict v = oracle(m, g);
    put_back();
    send_seg(port, g);
    if (reply_is_right(m, g, &v) && state_is_right(&v))
        return 0;
    say(m, g, &v);
    return 1;
}

/* Positions about a window [from, from + wnd): before, at, in, the last, beyond, far. */
static unsigned positions(uint32_t from, uint32_t wnd, uint32_t at[], unsigned max)
{
    const uint32_t all[] = {from - 0x40000000u, from - 2, from - 1, from, from + 1, from + wnd / 2,
                            from + wnd - 1, from + wnd, from + wnd + 1, from + 0x40000000u};
    unsigned n = 0;
    for (unsigned i = 0; i < ARRAY_LEN(all) && n < max; i++)
        at[n++] = all[i];
    return n;
}

static unsigned ack_positions(const struct model *m, uint32_t at[])
{
    const uint32_t all[] = {m->snd_una - m->snd_wnd_max - 1, m->snd_una - m->snd_wnd_max,
                            m->snd_una - 1, m->snd_una, m->snd_una + 1, m->snd_nxt - 1, m->snd_nxt,
                            m->snd_nxt + 1, m->snd_nxt + 0x30000000u};
    memcpy(at, all, sizeof(all));
    return ARRAY_LEN(all);
}

static struct model model_of(unsigned state)
{
    struct model m = {.state = state, .iss = iss, .snd_una = iss + 1, .snd_nxt = SENT,
                      .snd_wnd_max = 1000, .rcv_nxt = GOT, .rcv_wnd = 4096};
    switch (state) {
    case PASSIVE_SYN_RCVD:
        m.state = ORIEL_TCP_SYN_RCVD;
        m.passive = true;
        m.snd_una = iss;
        m.snd_nxt = iss + 1;
        break;
    case ORIEL_TCP_SYN_SENT:
    case ORIEL_TCP_SYN_RCVD:
        m.snd_una = iss;
        m.snd_nxt = iss + 1;
        break;
    case ORIEL_TCP_FIN_WAIT_2:
    case ORIEL_TCP_TIME_WAIT:
        m.snd_una = m.snd_nxt = SENT + 1;
        m.fin_sent = true;
        break;
    case ORIEL_TCP_FIN_WAIT_1:
    case ORIEL_TCP_CLOSING:
    case ORIEL_TCP_LAST_ACK:
        m.snd_nxt = SENT + 1;
        m.fin_sent = true;
        break;
    }
    if (state == ORIEL_TCP_CLOSE_WAIT || state == ORIEL_TCP_CLOSING ||
        state == ORIEL_TCP_LAST_ACK || state == ORIEL_TCP_TIME_WAIT) {
        m.rcv_nxt++;            /* the peer's FIN */
        m.rcv_wnd--;
    }
    if (state == ORIEL_TCP_TIME_WAIT)
        m.rcv_wnd = TIME_WAIT_WINDOW;
    return m;
}

static void check_state(unsigned state)
{
    unsigned wrong = 0, cases = 0;
    uint32_t seqs[16], acks[16];
    if (state == PASSIVE_SYN_RCVD)
        enter_passive();
    else
        enter(state);
    struct model m = model_of(state);
    unsigned seq_n = positions(m.rcv_nxt, m.rcv_wnd, seqs, 16), ack_n = ack_positions(&m, acks);
    for (uint16_t flags = 0; flags < 64 && wrong < 20; flags++)
        for (unsigned s = 0; s < seq_n; s++)
            for (unsigned a = 0; a < ack_n; a++)
                for (uint16_t len = 0; len < 2; len++) {
                    struct seg g = from_peer(flags, seqs[s], acks[a], len);
                    wrong += one_case(&m, &g);
                    cases++;
                }
    printf("# %u cases\n", cases);
    EXPECT_EQ(wrong, 0);
}

static void check(unsigned state)
{
    for (unsigned fast = 0; fast < 2; fast++) {
        fast_path = fast != 0;
        check_state(state);
    }
}

TEST("CLOSED: every segment is answered as RFC 9293, 3.10.7.1 says")
{
    COVERS("9293-CLOSED 9293-RSTSEQ MUST-2");
    check(ORIEL_TCP_CLOSED);
}

TEST("LISTEN: every segment is answered as 3.10.7.2 says")
{
    COVERS("9293-LISTEN");
    check(ORIEL_TCP_LISTEN);
}

TEST("SYN-SENT: every segment is answered as 3.10.7.3 says")
{
    COVERS("9293-SYNSENT");
    check(ORIEL_TCP_SYN_SENT);
}

TEST("SYN-RECEIVED after a simultaneous open: every segment, as 3.10.7.4 says")
{
    check(ORIEL_TCP_SYN_RCVD);
}

TEST("SYN-RECEIVED after a passive open: every segment, as 3.10.7.4 says")
{
    check(PASSIVE_SYN_RCVD);
}

TEST("ESTABLISHED: every segment, as 3.10.7.4 says")
{
    COVERS("9293-ACC 5961-1 5961-2 5961-5 MAY-12");
    check(ORIEL_TCP_ESTABLISHED);
}

TEST("FIN-WAIT-1: every segment, as 3.10.7.4 says")
{
    check(ORIEL_TCP_FIN_WAIT_1);
}

TEST("FIN-WAIT-2: every segment, as 3.10.7.4 says")
{
    check(ORIEL_TCP_FIN_WAIT_2);
}

TEST("CLOSE-WAIT: every segment, as 3.10.7.4 says")
{
    check(ORIEL_TCP_CLOSE_WAIT);
}

TEST("CLOSING: every segment, as 3.10.7.4 says")
{
    check(ORIEL_TCP_CLOSING);
}

TEST("LAST-ACK: every segment, as 3.10.7.4 says")
{
    check(ORIEL_TCP_LAST_ACK);
}

TEST("TIME-WAIT: every segment, as 3.10.7.4 says")
{
    COVERS("1337-1");
    check(ORIEL_TCP_TIME_WAIT);
}

TEST("a FIN is acknowledged though the connection is over by the end of the batch it came in")
{
    for (unsigned fast = 0; fast < 2; fast++) {
        fast_path = fast != 0;
        enter(ORIEL_TCP_FIN_WAIT_1);
        const struct seg text = from_peer(TCP_ACK, GOT, SENT, 1000);
        const struct seg fin = from_peer(TCP_FIN | TCP_ACK, GOT + 1000, SENT, 1000);
        const struct seg ack = from_peer(TCP_ACK, GOT + 2001, SENT + 1, 0);
        struct pkt *all[] = {make_seg(port, &text), make_seg(port, &fin), make_seg(port, &ack)};
        give(all, 3);
        EXPECT_EQ(out_n, 1);
        EXPECT_EQ(out[0].flags, TCP_ACK);
        EXPECT_EQ(out[0].ack, GOT + 2001);
        EXPECT_EQ(out[0].seq, SENT + 1);
    }
}
