/* What must hold: of each frame that leaves, after each event, and when everything is quiet. */
#include "sim.h"

#include "wire/eth.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#include <inttypes.h>

#define ROWS_AT_MOST   100000   /* of one table: more means that a cursor does not end */
#define CENSUS_EVERY   64

/* ---- a frame that leaves ---- */

static void check_packet(struct sim *s, const struct world_frame *f, struct rd *r,
                         const struct eth_hdr *h)
{
    struct ip4_hdr h4;
    struct ip6_hdr h6;
    const char *name = why_of(f->why)->name;
    if (h->type == ETH_IP4 && (!ip4_parse(r, &h4) || h4.total_len > h4.hdr_len + rd_left(r)))
        sim_wrong(s, "%s sent an IPv4 packet that cannot be read (%s)", f->port->node->name, name);
    if (h->type == ETH_IP6 && (!ip6_parse(r, &h6) || h6.payload_len > rd_left(r)))
        sim_wrong(s, "%s sent an IPv6 packet that cannot be read (%s)", f->port->node->name, name);
}

/* What a port was made with: packets may still wait that were cut before it was made less. */
static uint32_t mtu_at_most(const struct sim *s, const struct port *p)
{
    for (unsigned i = 0; i < s->legs; i++)
        if (s->leg[i].port == p)
            return s->seg[s->leg[i].seg].mtu;
    return 0;
}

static void check_bytes(struct sim *s, const struct world_frame *f)
{
    const char *who = f->port->node->name;
    size_t n = f->bytes.n, fcs = f->port->wire->dir[0].p.fcs ? ETH_FCS_LEN : 0;
    uint32_t mtu = mtu_at_most(s, f->port);
    if (!f->bytes.p)
        return;                 /* it lies in pieces, and there was no memory to show it in one */
    if (n < ETH_MIN + fcs) {
        sim_wrong(s, "%s sent a frame of %zu bytes", who, n);
        return;
    }
    if (fcs) {
        struct rd tail = rd_of(span_of(f->bytes.p + n - fcs, fcs));
        if (rd_fcs(&tail) != eth_fcs(span_of(f->bytes.p, n - fcs)))
            sim_wrong(s, "%s sent a frame with a wrong check sequence", who);
    }
    struct rd r = rd_of(span_of(f->bytes.p, n - fcs));
    struct eth_hdr h;
    if (!eth_parse(&r, &h)) {
        sim_wrong(s, "%s sent a frame that cannot be read", who);
        return;
    }
    if (rd_left(&r) > mtu)
        sim_wrong(s, "%s sent %zu bytes over a link of %u (%s)", who, rd_left(&r), mtu,
                  why_of(f->why)->name);
    check_packet(s, f, &r, &h);
}

static void see_frame(struct sim *s, const struct world_frame *f)
{
    sim_see(s, f->time);
    sim_see(s, f->packet_id << 16 | (uint64_t)f->fate << 8 | (uint64_t)f->why);
    sim_see(s, f->ev ^ f->cause << 32);
    sim_see(s, (uint64_t)f->port->node->id << 16 | (uint64_t)f->port->index << 8 | f->out);
    sim_see(s, f->draw);
    struct rd r = rd_of(f->bytes);
    while (rd_left(&r) >= 8)
        sim_see(s, rd_u64(&r));
    while (rd_left(&r) > 0)
        sim_see(s, rd_u8(&r));
}

static void keep_for_garbage(struct sim *s, const struct world_frame *f)
{
    if (!s->hostile || f->bytes.n > FRAME_AT_MOST)
        return;
    unsigned at = s->recent_at++ % ARRAY_LEN(s->recent_n);
    memcpy(s->recent[at], f->bytes.p, f->bytes.n);
    s->recent_n[at] = f->bytes.n;
}

void check_frame(struct sim *s, const struct world_frame *f)
{
    const struct node *n = f->port->node;
    s->frames++;
    s->doubles += f->duplicate;
    see_frame(s, f);
    keep_for_garbage(s, f);
    if (!f->out || !n->stack)
        return;
    if (f->why == WHY_NONE)
        sim_wrong(s, "%s sent a packet without a reason", n->name);
    if (f->ev == 0 || f->cause > f->ev)
        sim_wrong(s, "%s sent a packet whose cause comes after it", n->name);
    check_bytes(s, f);
    if (f->bytes.p && !s->wrong[0])
        watch_frame(s, sim_who(s, n), f);
}

/* ---- after an event ---- */

static uint32_t chain(const struct pkt *p)
{
    uint32_t n = 0;
    for (; p; p = p->next)
        n++;
    return n;
}

static uint32_t held_by_streams(const struct tcp *t)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->conns.fresh; i++) {
        const struct tcp_conn *c = pool_is_live(&t->conns, i) ? tcp_conn_at(t, i) : NULL;
        n += c ? chain(c->rcvq) : 0;
        for (const struct seqnode *r = c && c->flight ? c->flight->ooo.tree.first : NULL; r;
             r = seqtree_next(r))
            n += chain(CONTAINER_OF(r, struct tcp_range, node)->first);
    }
    return n;
}

/* Packets that a stack holds somewhere; reassembly holds at most one for each of its records. */
static uint32_t held(const struct oriel_stack *k, uint32_t *frags)
{
    uint32_t n = k->link.loop.n;
    for (uint16_t i = 1; i <= k->link.max; i++)
        n += netif_at(&k->link, i) ? netif_at(&k->link, i)->tx.n : 0;
    for (uint32_t i = 0; i < k->ip.neigh.pool.fresh; i++)
        if (pool_is_live(&k->ip.neigh.pool, i))
            n += ((const struct neigh *)pool_at(&k->ip.neigh.pool, i))->waiting.n;
    for (uint32_t i = 0; i < k->udp.pcbs.fresh; i++)
        if (pool_is_live(&k->udp.pcbs, i))
            n += ((const struct udp_pcb *)pool_at(&k->udp.pcbs, i))->rcv.n;
    for (uint32_t i = 0; i < k->socks.raw_pool.fresh; i++)
        if (pool_is_live(&k->socks.raw_pool, i))
            n += ((const struct raw_pcb *)pool_at(&k->socks.raw_pool, i))->rcv.n;
    *frags += k->ip.frag.recs.live;
    return n + held_by_streams(&k->tcp);
}

/* Every packet that is alive is somewhere: none has been lost, none is in two places. */
static void census(struct sim *s)
{
    uint32_t n = s->w.heap_n, frags = 0, live = s->w.mem.pkts.live - s->w.mem.ready_n;
    live -= hoard_of(s, &s->w.mem.pkts);
    for (unsigned i = 0; i < s->all; i++)
        n += held(s->who[i].node->stack, &frags);
    if (live < n || live > n + frags)
        sim_wrong(s, "%u packets are alive, but %u are somewhere (and %u datagrams incomplete)",
                  live, n, frags);
}

static uint64_t budgets(const struct sim *s)
{
    uint64_t used = s->w.budget.used;
    for (unsigned i = 0; i < s->all; i++)
        used += s->who[i].node->stack->budget.used;
    return used;
}

/* The pictures that a user can ask for: they end, and go into the history. */
#define LOOK(s, k, what, field)                                                                    \
    do {                                                                                           \
        struct oriel_##what##_info row;                                                            \
        uint32_t rows = 0;                                                                         \
        for (uint32_t at = 0; oriel_##what##_each(k, &at, &row) && rows < ROWS_AT_MOST; rows++)    \
            sim_see(s, (uint64_t)row.field);                                                       \
        if (rows == ROWS_AT_MOST)                                                                  \
            sim_wrong(s, "oriel_" #what "_each does not end");                                     \
    } while (0)

static void look(struct sim *s, const struct oriel_stack *k)
{
    struct oriel_limit_info l;
    LOOK(s, k, netif, tx_bytes);
    LOOK(s, k, addr, addr.lo);
    LOOK(s, k, route, prefix.lo);
    LOOK(s, k, neigh, confirmed);
    LOOK(s, k, socket, in_bytes);
    LOOK(s, k, group, group.lo);
    LOOK(s, k, nat, until);
    LOOK(s, k, pmtu, mtu);
    LOOK(s, k, reasm, held_bytes);
    LOOK(s, k, counter, value);
    for (uint32_t at = 0; oriel_limit_each(k, &at, &l);)
        if (l.used > l.value)
            sim_wrong(s, "%s: %" PRIu64 " used of %" PRIu64, l.name, l.used, l.value);
}

static void check_stack(struct sim *s, const struct actor *a)
{
    const struct oriel_stack *k = a->node->stack;
    if (oriel_next_deadline(k) < s->w.env.now)
        sim_wrong(s, "a deadline of %s lies in the past", a->node->name);
    if (k->budget.used > k->budget.max)
        sim_wrong(s, "%s holds %" PRIu64 " bytes of packets, more than its %" PRIu64, a->node->name,
                  k->budget.used, k->budget.max);
    if (k->ip.frag.bytes > k->ip.frag.bytes_max)
        sim_wrong(s, "%s holds more fragments than it may", a->node->name);
    if (k->env.facts.n != 0)
        sim_wrong(s, "%s has found out something and told nobody", a->node->name);
}

void check_event(struct sim *s)
{
    const char *wrong = world_check(&s->w);
    if (wrong)
        sim_wrong(s, "%s", wrong);
    for (unsigned i = 0; i < s->all; i++)
        check_stack(s, &s->who[i]);
    if (s->events % CENSUS_EVERY)
        return;
    census(s);
    look(s, s->who[s->events / CENSUS_EVERY % s->all].node->stack);
    sim_see(s, budgets(s));
}

/* ---- quiet ---- */

bool sim_is_quiet(const struct sim *s)
{
    return world_quiet(&s->w) && pkt_mem_live(&s->w.mem) == 0;
}

static void say_fragments(const struct sim *s, const struct actor *a)
{
    struct oriel_reasm_info r;
    for (uint32_t at = 0; oriel_reasm_each(a->node->stack, &at, &r);)
        sim_say(s, "%s holds %u of %u bytes of datagram %u until %" PRIu64 " ms", a->node->name,
                r.held_bytes, r.total_len, r.id, r.until / NS_PER_MS);
}

void check_quiet(struct sim *s)
{
    if (sim_is_quiet(s))
        return;
    for (unsigned i = 0; i < s->all; i++)
        say_fragments(s, &s->who[i]);
    uint32_t frags = 0, n = 0;
    for (unsigned i = 0; i < s->all; i++)
        n += held(s->who[i].node->stack, &frags);
    sim_wrong(s, "two minutes later it is not quiet: %u frames under way, %u packets held, %u "
                 "datagrams incomplete, %u packets and blocks alive",
              s->w.heap_n, n, frags, pkt_mem_live(&s->w.mem));
}
