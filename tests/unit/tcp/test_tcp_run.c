/*
 * A run is taken as its frames are when each comes by itself. A sender's frames go to two receivers that
 * are the same in everything: to one in batches, to the other one a step. After each batch both must have
 * come to the same, and answer with the same bytes. On the way frames are lost, exchanged, doubled, and
 * spoilt; applications read as they please; memory runs out.
 */
#include "test.h"

#include "stack/stack.h"
#include "wire/props.h"

#define STACK_BYTES ((size_t)24 << 20)
#define POOL_BYTES  ((size_t)16 << 20)
#define BATCH       64
#define PORT        7000

enum { SENDER, BATCHED, SINGLY, STACKS };

struct twins {
    struct pkt_mem mem;
    void *pool, *memory[STACKS];
    struct oriel_stack *s[STACKS];
    int nif[STACKS];
    oriel_handle l[STACKS], h[STACKS];
    oriel_time now;
    struct prop_gen g;
    unsigned mischief;          /* of a hundred frames */
    uint64_t trains;            /* frames that came behind another in a batch */
};

static const uint8_t macs[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};

static struct oriel_addr addr_of(bool v6, unsigned i)
{
    return v6 ? addr_v6(0xfd00000000000000, i + 1) : addr_v4(0x0a000001 + i);
}

/* Receivers are one and the same but for their memory. */
static void make_stack(struct twins *t, unsigned i, bool v6, const struct oriel_tcp_config *tcp)
{
    struct oriel_config cfg;
    struct oriel_netif_config nif = {.name = "eth0", .no_dad = true};
    unsigned me = i == SENDER ? 0 : 1;
    struct oriel_addr us = addr_of(v6, me), them = addr_of(v6, !me);
    oriel_config_init(&cfg);
    t->memory[i] = malloc(STACK_BYTES);
    assert_non_null(t->memory[i]);
    cfg.memory = t->memory[i];
    cfg.memory_bytes = STACK_BYTES;
    cfg.connections = 16;
    cfg.tcp = *tcp;
    cfg.shared_packets = &t->mem;
    cfg.now = t->now;
    cfg.seed[0] = (uint8_t)(me + 1);
    t->s[i] = oriel_create(&cfg);
    assert_non_null(t->s[i]);
    memcpy(nif.mac, macs[me], 6);
    t->nif[i] = oriel_netif_add(t->s[i], &nif);
    EXPECT(t->nif[i] > 0);
    EXPECT(oriel_addr_add(t->s[i], t->nif[i], &us, v6 ? 64 : 96 + 24) >= 0);
    EXPECT_EQ(oriel_neigh_add(t->s[i], t->nif[i], &them, macs[!me]), 0);
}

static unsigned take(struct twins *t, unsigned i, struct pkt *out[])
{
    return oriel_netif_take(t->s[i], t->nif[i], out, BATCH);
}

static void give(struct twins *t, unsigned to, struct pkt *p[], unsigned n, bool singly)
{
    for (unsigned i = 0; i < n; i++) {
        p[i]->nif = (uint16_t)t->nif[to];
        p[i]->arrival = t->now;
        p[i]->flags &= PKT_PAYS;
        p[i]->csum = CSUM_NONE;
    }
    for (unsigned i = 0, part = singly ? 1 : n; i < n; i += part) {
        struct pkt_batch b = {.pkts = p + i, .n = part};
        oriel_step(t->s[to], t->now, &b);
    }
}

static void same_bytes(struct twins *t, struct pkt *const a[], struct pkt *const b[], unsigned n)
{
    static uint8_t x[2048], y[2048];
    (void)t;
    for (unsigned i = 0; i < n; i++) {
        size_t len = pkt_len(a[i]);
        EXPECT_EQ(len, pkt_len(b[i]));
        pkt_read(a[i], 0, x, len);
        pkt_read(b[i], 0, y, len);
        EXPECT(memcmp(x, y, len) == 0);
    }
}

/* What the receivers say goes back; they must say the same. */
static unsigned back(struct twins *t)
{
    struct pkt *a[BATCH], *b[BATCH];
    unsigned n = take(t, BATCHED, a);
    EXPECT_EQ(n, take(t, SINGLY, b));
    same_bytes(t, a, b, n);
    for (unsigned i = 0; i < n; i++)
        oriel_pkt_free(b[i]);
    t->now += 10 * NS_PER_US;
    give(t, SENDER, a, n, false);
    return n;
}

/* A copy that lies in memory as p does: headers, and a slice of payload. */
static struct pkt *copy_in_two(struct env *env, const struct pkt *p)
{
    struct pkt *all = pkt_copy(env, p, PKT_HEADROOM), *q = pkt_new_like(env, p, p->head.len);
    assert_non_null(all);
    assert_non_null(q);
    uint64_t more = (uint64_t)PKT_CHARGE_UNIT * (uint16_t)(p->charge - q->charge);
    EXPECT(p->more_n == 0 || budget_take(env->budget, more));
    if (p->more_n > 0) {
        q->charge = p->charge;
        q->flags = p->flags;
        q->more[0] = slice_share(all->head);
        q->more[0].off += q->head.len;
        q->more[0].len -= q->head.len;
        q->more_n = 1;
    }
    pkt_free(all);
    return q;
}

/* One bit of it, in a copy: its bytes are the sender's too. */
static struct pkt *spoil(struct twins *t, struct pkt *p)
{
    struct pkt *q = copy_in_two(&t->s[SENDER]->env, p);
    const struct slice *s = q->more_n > 0 && prop_bool(&t->g) ? &q->more[0] : &q->head;
    size_t from = s == &q->head ? ETH_HDR_LEN : 0;
    s->blk->bytes[s->off + from + prop_u64(&t->g) % (s->len - from)] ^= (uint8_t)BIT(prop_u8(&t->g) % 8);
    oriel_pkt_free(p);
    return q;
}

/* Some of them are lost, exchanged, doubled, spoilt, or padded by their link. */
static unsigned meddle(struct twins *t, struct pkt *p[], unsigned n)
{
    unsigned out = 0;
    for (unsigned i = 0; i < n; i++) {
        p[out++] = p[i];
        if (prop_upto(&t->g, 99) >= t->mischief)
            continue;
        switch (prop_upto(&t->g, 3)) {
        case 0:
            oriel_pkt_free(p[--out]);
            break;
        case 1:
            p[out - 1] = spoil(t, p[out - 1]);
            break;
        case 2:
            if (i + 1 < n) {
                struct pkt *q = p[i + 1];
                p[i + 1] = p[out - 1];
                p[out - 1] = q;
            }
            break;
        default:
            EXPECT(pkt_linearize(&t->s[SENDER]->env, p[out - 1]));
        }
    }
    return out;
}

static unsigned forth(struct twins *t)
{
    struct pkt *a[BATCH], *b[BATCH];
    unsigned n = meddle(t, a, take(t, SENDER, a));
    for (unsigned i = 0; i < n; i++) {
        b[i] = pkt_share(&t->s[SENDER]->env, a[i]);
        assert_non_null(b[i]);
    }
    t->now += 10 * NS_PER_US;
    t->trains += n;
    give(t, BATCHED, a, n, false);
    give(t, SINGLY, b, n, true);
    return n;
}

static struct tcp_conn *conn_of(struct twins *t, unsigned i)
{
    struct tcp *tcp = &t->s[i]->tcp;
    for (uint32_t k = 0; k < tcp->conns.fresh; k++)
        if (pool_is_live(&tcp->conns, k))
            return pool_at(&tcp->conns, k);
    return NULL;
}

static void same_state(struct twins *t)
{
    struct oriel_stack *x = t->s[BATCHED], *y = t->s[SINGLY];
    struct tcp_conn *a = conn_of(t, BATCHED), *b = conn_of(t, SINGLY);
    EXPECT(memcmp(&a->snd, &b->snd, sizeof(a->snd)) == 0);
    EXPECT_EQ(a->rcv.nxt.v, b->rcv.nxt.v);
    EXPECT_EQ(a->rcv.adv.v, b->rcv.adv.v);
    EXPECT_EQ(a->rcv.unread, b->rcv.unread);
    EXPECT_EQ(a->rcv.charge, b->rcv.charge);
    EXPECT_EQ(a->rcv.unacked_segs, b->rcv.unacked_segs);
    EXPECT(memcmp(&a->stat, &b->stat, sizeof(a->stat)) == 0);
    EXPECT(memcmp(&a->out, &b->out, sizeof(a->out)) == 0);
    EXPECT_EQ(x->env.budget->used, y->env.budget->used);
    EXPECT(memcmp(x->env.drop_count, y->env.drop_count, sizeof(x->env.drop_count)) == 0);
    struct netif *n = netif_at(&x->link, (uint16_t)t->nif[BATCHED]);
    struct netif *m = netif_at(&y->link, (uint16_t)t->nif[SINGLY]);
    EXPECT(memcmp(&n->stats, &m->stats, sizeof(n->stats)) == 0);
    uint32_t bytes = 0;
    for (const struct pkt *p = a->rcvq; p; p = p->next)
        bytes += (uint32_t)pkt_len(p);
    EXPECT_EQ(bytes - (a->rcvq ? a->rcvq_off : 0), a->rcv.unread);
}

/* Both applications read as much, and the same. */
static size_t read_some(struct twins *t, size_t max)
{
    static uint8_t x[1 << 16], y[1 << 16];
    size_t want = max < sizeof(x) ? max : sizeof(x);
    int n = oriel_recv(t->s[BATCHED], t->h[BATCHED], x, want, NULL);
    EXPECT_EQ(n, oriel_recv(t->s[SINGLY], t->h[SINGLY], y, want, NULL));
    if (n <= 0)
        return 0;
    EXPECT(memcmp(x, y, (size_t)n) == 0);
    return (size_t)n;
}

static void write_some(struct twins *t)
{
    static uint8_t bytes[1 << 16];
    size_t n = 1 + prop_u64(&t->g) % sizeof(bytes);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(prop_u64(&t->g) >> 9);
    int sent = oriel_send(t->s[SENDER], t->h[SENDER], bytes, n, NULL);
    EXPECT(sent > 0 || sent == ORIEL_EAGAIN);
}

static void connect_all(struct twins *t, bool v6)
{
    struct oriel_endpoint to = {addr_of(v6, 1), PORT}, any = {.port = PORT};
    struct oriel_listen l = {0};
    for (unsigned i = BATCHED; i < STACKS; i++) {
        EXPECT_EQ(oriel_tcp_open(t->s[i], v6 ? ORIEL_IP6 : ORIEL_IP4, &t->l[i]), 0);
        EXPECT_EQ(oriel_bind(t->s[i], t->l[i], &any), 0);
        EXPECT_EQ(oriel_listen(t->s[i], t->l[i], &l), 0);
    }
    EXPECT_EQ(oriel_tcp_open(t->s[SENDER], v6 ? ORIEL_IP6 : ORIEL_IP4, &t->h[SENDER]), 0);
    EXPECT_EQ(oriel_connect(t->s[SENDER], t->h[SENDER], &to), 0);
    while (forth(t) + back(t) > 0) {
    }
    for (unsigned i = BATCHED; i < STACKS; i++)
        EXPECT_EQ(oriel_accept(t->s[i], t->l[i], &t->h[i], NULL), 0);
}

static void make(struct twins *t, uint64_t seed, bool v6, const struct oriel_tcp_config *tcp)
{
    struct arena a;
    *t = (struct twins){.now = 1000 * NS_PER_S, .g = prop_gen_of(seed)};
    t->pool = malloc(2 * POOL_BYTES);
    assert_non_null(t->pool);
    arena_init(&a, t->pool, 2 * POOL_BYTES);
    EXPECT(pkt_mem_init(&t->mem, &a, POOL_BYTES));
    for (unsigned i = 0; i < STACKS; i++)
        make_stack(t, i, v6, tcp);
    while (forth(t) + back(t) > 0) {
    }
    connect_all(t, v6);
}

static void end(struct twins *t)
{
    for (unsigned i = 0; i < STACKS; i++) {
        EXPECT_EQ(oriel_abort(t->s[i], t->h[i]), 0);
        oriel_destroy(t->s[i]);
        free(t->memory[i]);
    }
    EXPECT_EQ(pkt_mem_live(&t->mem), 0);
    free(t->pool);
}

/* Time goes on to the next deadline, the same for both receivers. */
static void wait(struct twins *t)
{
    oriel_time next = ORIEL_NEVER;
    EXPECT_EQ(oriel_next_deadline(t->s[BATCHED]), oriel_next_deadline(t->s[SINGLY]));
    for (unsigned i = 0; i < STACKS; i++) {
        oriel_time d = oriel_next_deadline(t->s[i]);
        next = d < next ? d : next;
    }
    t->now = next != ORIEL_NEVER && next > t->now ? next : t->now + NS_PER_MS;
    for (unsigned i = 0; i < STACKS; i++)
        oriel_step(t->s[i], t->now, NULL);
}

/* Write, move, compare, read, answer. How many bytes were read. */
static size_t rounds(struct twins *t, unsigned n, unsigned reads_of_ten)
{
    size_t read = 0;
    for (unsigned i = 0; i < n; i++) {
        write_some(t);
        bool moved = forth(t) > 0;
        same_state(t);
        if (prop_u64(&t->g) % 10 < reads_of_ten)
            for (size_t got = 1; got > 0; read += got)
                got = read_some(t, 1 + prop_u64(&t->g) % 40000);
        same_state(t);
        if (back(t) == 0 && !moved)
            wait(t);
    }
    return read;
}

TEST("frames of a batch come to what they come to one by one: without and with options, IPv4 and IPv6")
{
    for (unsigned i = 0; i < 4; i++) {
        struct twins t;
        struct oriel_tcp_config tcp = {.no_timestamps = i % 2 != 0};
        make(&t, i, i / 2 != 0, &tcp);
        EXPECT(rounds(&t, 300, 10) > (4u << 20));
        EXPECT(t.trains > 3000);
        end(&t);
    }
}

TEST("and when some are lost, exchanged, spoilt, or lie in another way in memory")
{
    for (uint64_t seed = 0; seed < 24; seed++) {
        struct twins t;
        struct oriel_tcp_config tcp = {.no_timestamps = seed % 2 != 0};
        make(&t, seed, seed / 2 % 2 != 0, &tcp);
        t.mischief = seed % 3 == 0 ? 1 : seed % 3 == 1 ? 5 : 30;
        EXPECT(rounds(&t, 300, 10) > (100u << 10));
        end(&t);
    }
}

/* What the sender believes to be promised is more than that. */
static void promise_less(struct twins *t)
{
    uint32_t less = (uint32_t)(prop_u64(&t->g) % 20000);
    for (unsigned i = BATCHED; i < STACKS; i++) {
        struct tcp_conn *c = conn_of(t, i);
        if (seq_lt(seq_add(c->rcv.nxt, less), c->rcv.adv))
            c->rcv.adv = seq_add(c->rcv.nxt, less);
    }
}

TEST("and when nobody reads for long, up to the edge of the window and beyond")
{
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct twins t;
        uint32_t window = (uint32_t[]){4000, 20000, 65536, 300000}[seed % 4];
        struct oriel_tcp_config tcp = {.rcvbuf = window, .rcvbuf_max = window};
        make(&t, seed, false, &tcp);
        EXPECT(rounds(&t, 400, 1) > window);
        for (unsigned i = 0; i < 200; i++) {
            promise_less(&t);
            (void)rounds(&t, 1, 5);
        }
        end(&t);
    }
}

TEST("and when the receivers have little memory left")
{
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct twins t;
        struct oriel_tcp_config tcp = {.no_timestamps = true};
        make(&t, seed, false, &tcp);
        for (unsigned i = 0; i < 300; i++) {
            uint64_t room = prop_u64(&t.g) % 60000;
            for (unsigned k = BATCHED; k < STACKS; k++)
                t.s[k]->env.budget->max = t.s[k]->env.budget->used + room;
            (void)rounds(&t, 1, 5);
        }
        EXPECT(t.s[BATCHED]->env.drop_count[DROP_NO_MEMORY] > 0);
        end(&t);
    }
}

/* ---- links that make sums themselves ---- */

static const struct csum_ops *real_ops;
static unsigned summed_copies;

static uint32_t counting_copy(uint8_t *to, const uint8_t *from, size_t n)
{
    summed_copies++;
    return real_ops->copy(to, from, n);
}

TEST("what is written for a link that makes sums is not summed, and right where none of them does")
{
    struct twins t;
    struct oriel_tcp_config tcp = {.no_timestamps = true};
    make(&t, 1, false, &tcp);
    struct netif *nif = netif_at(&t.s[SENDER]->link, (uint16_t)t.nif[SENDER]);
    real_ops = t.s[SENDER]->env.csum;
    struct csum_ops counting = *real_ops;
    counting.copy = counting_copy;
    t.s[SENDER]->env.csum = &counting;
    write_some(&t);
    EXPECT(summed_copies > 0);
    while (forth(&t) + read_some(&t, 60000) + back(&t) > 0) {
    }
    summed_copies = 0;
    nif->vouches = true;
    write_some(&t);
    EXPECT_EQ(summed_copies, 0);
    nif->vouches = false;
    write_some(&t);             /* a segment has bytes of both kinds */
    while (forth(&t) + read_some(&t, 60000) + back(&t) > 0) {
    }
    EXPECT_EQ(t.s[SINGLY]->env.drop_count[DROP_TCP_CSUM], 0);
    EXPECT_EQ(conn_of(&t, SINGLY)->rcv.nxt.v, conn_of(&t, SENDER)->snd.end.v);
    end(&t);
}
