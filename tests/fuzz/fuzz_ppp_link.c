/*
 * A PPP link and a peer that means well, joined by a line on which the input writes frames of its own: whole
 * ones, for no fuzzer guesses an FCS, with the numbers of requests put right where it asks for that. Whatever
 * comes, nothing gets in before its time.
 */
#include "fuzz.h"

#include "link/ppp_neg.h"

#define ORDERS 64               /* of one input, at most */
#define ROUNDS 4                /* of the line, after each */
#define BODY   200

enum order {
    FRAME,                      /* a frame of the input's own */
    NUMBERED,                   /* the same with the number of our last request */
    BYTES,                      /* bytes of the line as they are */
    LINE,                       /* what the two ends have to say to each other passes */
    TIME,
    AGAIN,                      /* the line was gone, and is back */
    ORDER_N,
};

struct end {
    struct ppp l;
    struct ppp_config cfg;
};

struct line {
    struct end us, peer;
    oriel_time now;
};

static void open_end(struct end *e, uint8_t options, uint8_t seed)
{
    static const char word[] = "sesame";
    e->cfg = (struct ppp_config){.mru = 600, .mtu = 600, .echo = NS_PER_S, .echoes_max = 3,
                                 .passive = options & 1, .auth = (options >> 1) % 3,
                                 .addr4 = options & 8 ? 0x0a000000u + seed : 0,
                                 .peer4 = options & 16 ? 0x0a000003u - seed : 0, .want_dns = options & 32};
    e->cfg.dns4[0] = options & 64 ? 0x08080808 : 0;
    memset(e->cfg.seed, seed, sizeof(e->cfg.seed));
    e->cfg.own = (struct ppp_secret){.name_n = 1, .word_n = sizeof(word) - 1, .name = "u"};
    memcpy(e->cfg.own.word, word, sizeof(word) - 1);
    e->cfg.peer = e->cfg.own;
    e->cfg.in = fuzz_alloc(ppp_in_bytes(600));
    e->cfg.out = fuzz_alloc(ppp_out_bytes(600));
    ppp_init(&e->l, &e->cfg);
}

static void check(const struct ppp *l)
{
    FUZZ_CHECK(l->lcp.state < PPP_STATES && l->ipcp.state < PPP_STATES && l->ipv6cp.state < PPP_STATES);
    FUZZ_CHECK(l->out.n <= l->out.cap);
    FUZZ_CHECK(l->phase != PPP_NETWORK || (l->lcp.state == PPP_OPENED && l->them.done && l->us.done));
    FUZZ_CHECK(l->phase == PPP_NETWORK || (l->ipcp.state <= PPP_STARTING && l->ipv6cp.state <= PPP_STARTING));
    FUZZ_CHECK(l->lcp.facts == 0);
}

static void hear(struct line *t, struct end *e, struct span bytes)
{
    struct rd r = rd_of(bytes);
    struct ppp_packet p;
    while (ppp_input(&e->l, t->now, &r, &p)) {
        FUZZ_CHECK(e->l.phase == PPP_NETWORK);
        FUZZ_CHECK(p.v6 ? ppp_has_ip6(&e->l) : ppp_has_ip4(&e->l));
        FUZZ_CHECK(p.bytes.n <= ppp_in_bytes(600));
        check(&e->l);
    }
    check(&e->l);
}

static void frame(struct line *t, struct rd *in, bool numbered)
{
    static const uint16_t protos[] = {PPP_LCP, PPP_LCP, PPP_IPCP, PPP_IPV6CP,
                                      PPP_PAP, PPP_CHAP, PPP_IP4, PPP_IP6};
    uint8_t bytes[2 * (BODY + 20)], body[BODY];
    uint16_t proto = protos[rd_u8(in) % ARRAY_LEN(protos)];
    size_t n = rd_u8(in) % BODY;
    n = n < rd_left(in) ? n : rd_left(in);
    rd_copy(in, body, n);
    const struct ppp *l = &t->us.l;
    if (numbered && n >= 4) {
        body[1] = proto == PPP_LCP ? l->lcp.id : proto == PPP_IPCP ? l->ipcp.id : proto == PPP_IPV6CP
                ? l->ipv6cp.id : l->them.id;
        body[2] = 0;
        body[3] = (uint8_t)n;
    }
    struct wr w = wr_of(bytes, sizeof(bytes));
    ppp_frame_emit(&w, &(struct ppp_tx){.accm = PPP_ACCM_ALL}, proto, span_of(body, n));
    FUZZ_CHECK(!w.bad);
    hear(t, &t->us, wr_span(&w));
}

static void pass(struct line *t)
{
    for (unsigned i = 0; i < 2 * ROUNDS; i++) {
        struct end *from = i % 2 ? &t->us : &t->peer, *to = i % 2 ? &t->peer : &t->us;
        size_t n = from->l.out.n;
        uint8_t *bytes = fuzz_alloc(n);
        if (n > 0)
            memcpy(bytes, from->l.out.p, n);
        ppp_written(&from->l, n);
        hear(t, to, span_of(bytes, n));
        free(bytes);
    }
}

static void run(struct line *t, oriel_time ns)
{
    t->now += ns;
    (void)ppp_run(&t->us.l, t->now);
    check(&t->us.l);
    (void)ppp_run(&t->peer.l, t->now);
    check(&t->peer.l);
}

static void obey(struct line *t, enum order o, struct rd *in)
{
    switch (o) {
    case FRAME:
    case NUMBERED:
        frame(t, in, o == NUMBERED);
        break;
    case BYTES: {
        size_t n = rd_u8(in) % BODY;
        hear(t, &t->us, rd_bytes(in, n < rd_left(in) ? n : rd_left(in)));
        break;
    }
    case LINE:
        pass(t);
        break;
    case TIME:
        run(t, rd_u8(in) * (NS_PER_S / 8));
        break;
    case AGAIN:
        ppp_up(&t->us.l, t->now);
        check(&t->us.l);
        break;
    case ORDER_N:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct line *t = fuzz_alloc(sizeof(*t));
    struct rd in = rd_of(span_of(data, size));
    memset(t, 0, sizeof(*t));
    open_end(&t->us, rd_u8(&in), 1);
    open_end(&t->peer, rd_u8(&in), 2);
    ppp_up(&t->us.l, t->now);
    ppp_up(&t->peer.l, t->now);
    for (unsigned i = 0; i < ORDERS && !rd_done(&in); i++)
        obey(t, (enum order)(rd_u8(&in) % ORDER_N), &in);
    run(t, 40 * NS_PER_S);
    free(t->us.cfg.in);
    free(t->us.cfg.out);
    free(t->peer.cfg.in);
    free(t->peer.cfg.out);
    free(t);
    return 0;
}
