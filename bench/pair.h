/*
 * Two stacks in one process, joined by a cable that is a function call: frames move from
 * oriel_netif_take of one to oriel_step of the other, through packet pools that both use.
 *
 * Side 0 is 10.1.0.1 (fd00::1:0:0:1) and connects; side 1 has `peers` addresses from 10.2.0.1
 * (fd00::2:0:0:1) on and listens on `ports` ports. Neighbours are known from the start. Time is a
 * number: it moves on by `tick` with every batch of frames, and to the next deadline where nothing
 * moves.
 *
 * Each stack lives in an area of its own, so that what it touches can be counted; packets live in a
 * third. The areas are asked for in huge pages unless `small_pages` is set.
 */
#ifndef ORIEL_BENCH_PAIR_H
#define ORIEL_BENCH_PAIR_H

#include "bench/bench.h"

#include "base/addr.h"
#include "base/clock.h"
#include "pkt/pkt.h"

#define PAIR_BATCH     64
#define PAIR_PORT      7000
#define PAIR_PORTS_MAX 1024

struct pair_config {
    struct oriel_tcp_config tcp;
    size_t stack_bytes;         /* of each; 0: what so many connections need */
    size_t packet_bytes;
    uint32_t connections;
    uint32_t peers;             /* addresses of side 1; 0: one */
    uint32_t ports;             /* on which it listens; 0: one */
    uint32_t trace_events;
    bool ip6;
    bool vouches;               /* the cable fills in and vouches for checksums */
    bool super;                 /* and takes super-segments */
    bool small_pages;
};

struct pair {
    struct pair_config cfg;
    struct oriel_stack *s[2];
    int nif[2];
    void *area[2];
    size_t area_bytes[2];
    struct pkt_mem mem;
    void *mem_area;
    size_t mem_bytes;
    oriel_handle l[PAIR_PORTS_MAX];     /* who listens on side 1 */
    oriel_time now, tick;
    uint64_t frames[2];         /* that left side 0, side 1 */
};

static const uint8_t pair_mac[2][6] = {{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}};

static inline int pair_must(int v, const char *what)
{
    if (v < 0) {
        fprintf(stderr, "%s: %s\n", what, oriel_strerror(v));
        exit(1);
    }
    return v;
}

static inline struct oriel_addr pair_addr(const struct pair *x, int side, uint32_t i)
{
    if (x->cfg.ip6)
        return addr_v6(0xfd00000000000000, ((uint64_t)(side + 1) << 48) + i + 1);
    return addr_v4(0x0a000001 + ((uint32_t)(side + 1) << 16) + i);
}

static inline uint32_t pair_peers(const struct pair *x)
{
    return x->cfg.peers ? x->cfg.peers : 1;
}

/* Which listener the i-th connection goes to. */
static inline uint32_t pair_port(const struct pair *x, uint64_t i)
{
    return (uint32_t)(i / pair_peers(x) % (x->cfg.ports ? x->cfg.ports : 1));
}

static inline struct oriel_endpoint pair_peer(const struct pair *x, uint64_t i)
{
    uint16_t port = (uint16_t)(PAIR_PORT + pair_port(x, i));
    return (struct oriel_endpoint){pair_addr(x, 1, (uint32_t)(i % pair_peers(x))), port};
}

/* ---- making ---- */

static inline void pair_make_stack(struct pair *x, int side)
{
    struct oriel_config cfg;
    oriel_config_init(&cfg);
    x->area_bytes[side] = x->cfg.stack_bytes ? x->cfg.stack_bytes
                          : ((size_t)64 << 20) + oriel_memory_min(x->cfg.connections);
    x->area[side] = bench_area(x->area_bytes[side], !x->cfg.small_pages);
    cfg.memory = x->area[side];
    cfg.memory_bytes = x->area_bytes[side];
    cfg.connections = x->cfg.connections;
    cfg.cpu = bench_cpu();
    cfg.tcp = x->cfg.tcp;
    cfg.trace_events = x->cfg.trace_events;
    cfg.shared_packets = &x->mem;
    cfg.now = x->now;
    cfg.node = (uint16_t)side;
    cfg.seed[0] = (uint8_t)(side + 1);
    x->s[side] = oriel_create(&cfg);
    if (!x->s[side])
        bench_skip("the stack does not fit in its memory");
}

static inline void pair_make_link(struct pair *x, int side)
{
    struct oriel_netif_config nif = {.name = "eth0", .vouches = x->cfg.vouches, .no_dad = true};
    nif.gso = x->cfg.super;
    memcpy(nif.mac, pair_mac[side], 6);
    x->nif[side] = pair_must(oriel_netif_add(x->s[side], &nif), "interface");
}

static inline void pair_make_addrs(struct pair *x)
{
    uint8_t len = x->cfg.ip6 ? 64 : 96 + 8;
    struct oriel_addr us = pair_addr(x, 0, 0);
    pair_must(oriel_addr_add(x->s[0], x->nif[0], &us, len), "address");
    pair_must(oriel_neigh_add(x->s[1], x->nif[1], &us, pair_mac[0]), "neighbour");
    for (uint32_t i = 0; i < pair_peers(x); i++) {
        struct oriel_addr a = pair_addr(x, 1, i);
        pair_must(oriel_addr_add(x->s[1], x->nif[1], &a, len), "address");
        pair_must(oriel_neigh_add(x->s[0], x->nif[0], &a, pair_mac[1]), "neighbour");
    }
}

/* The stacks die with their memory, whatever they hold. */
static inline void pair_forget(struct pair *x)
{
    for (int side = 0; side < 2; side++)
        (void)munmap(x->area[side], x->area_bytes[side]);
    (void)munmap(x->mem_area, x->mem_bytes);
}

/* They have nothing that is alive, and say so. */
static inline void pair_end(struct pair *x)
{
    oriel_destroy(x->s[0]);
    oriel_destroy(x->s[1]);
    pair_forget(x);
}

/* ---- the cable ---- */

/* One batch from that side to the other; how many frames it was. */
static inline unsigned pair_move(struct pair *x, int side)
{
    struct pkt *p[PAIR_BATCH];
    unsigned n = oriel_netif_take(x->s[side], x->nif[side], p, PAIR_BATCH);
    if (n == 0)
        return 0;
    x->now += x->tick;
    for (unsigned i = 0; i < n; i++) {
        p[i]->nif = (uint16_t)x->nif[!side];
        p[i]->arrival = x->now;
        p[i]->flags &= PKT_PAYS;
        p[i]->csum = x->cfg.vouches ? CSUM_VERIFIED : CSUM_NONE;
    }
    struct pkt_batch batch = {.pkts = p, .n = n};
    oriel_step(x->s[!side], x->now, &batch);
    x->frames[side] += n;
    return n;
}

/* Until nothing moves. */
static inline void pair_settle(struct pair *x)
{
    while (pair_move(x, 0) + pair_move(x, 1) > 0) {
    }
}

/* Time passes, for both. */
static inline void pair_wait(struct pair *x, oriel_time ns)
{
    x->now += ns;
    oriel_step(x->s[0], x->now, NULL);
    oriel_step(x->s[1], x->now, NULL);
}

/* To the next deadline. False: there is none. */
static inline bool pair_skip(struct pair *x)
{
    oriel_time a = oriel_next_deadline(x->s[0]), b = oriel_next_deadline(x->s[1]);
    oriel_time next = a < b ? a : b;
    if (next == ORIEL_NEVER)
        return false;
    pair_wait(x, next > x->now ? next - x->now : 0);
    return true;
}

/* ---- all of it ---- */

static inline void pair_make(struct pair *x, const struct pair_config *cfg)
{
    struct arena arena;
    *x = (struct pair){.cfg = *cfg, .now = 1000 * NS_PER_S, .tick = 10 * NS_PER_US};
    x->mem_bytes = cfg->packet_bytes ? cfg->packet_bytes : (size_t)64 << 20;
    size_t room = x->mem_bytes + x->mem_bytes / 4 + ((size_t)4 << 20);
    x->mem_area = bench_area(room, !cfg->small_pages);
    arena_init(&arena, x->mem_area, room);
    if (!pkt_mem_init(&x->mem, &arena, x->mem_bytes))
        bench_skip("not enough memory for packets");
    x->mem_bytes = room;
    for (int side = 0; side < 2; side++) {
        pair_make_stack(x, side);
        pair_make_link(x, side);
    }
    pair_make_addrs(x);
    pair_settle(x);             /* what interfaces say when they come up */
}

/* ---- sockets ---- */

static inline void pair_listen(struct pair *x, uint32_t backlog)
{
    struct oriel_listen l = {.backlog = backlog};
    for (uint16_t i = 0; i < x->cfg.ports || i == 0; i++) {
        struct oriel_endpoint any = {.port = (uint16_t)(PAIR_PORT + i)};
        pair_must(oriel_tcp_open(x->s[1], x->cfg.ip6 ? ORIEL_IP6 : ORIEL_IP4, &x->l[i]), "open");
        pair_must(oriel_bind(x->s[1], x->l[i], &any), "bind");
        pair_must(oriel_listen(x->s[1], x->l[i], &l), "listen");
    }
}

static inline oriel_handle pair_connect(struct pair *x, uint64_t i)
{
    oriel_handle h;
    struct oriel_endpoint to = pair_peer(x, i);
    pair_must(oriel_tcp_open(x->s[0], x->cfg.ip6 ? ORIEL_IP6 : ORIEL_IP4, &h), "open");
    pair_must(oriel_connect(x->s[0], h, &to), "connect");
    return h;
}

/* The other end of the i-th. */
static inline oriel_handle pair_accept(struct pair *x, uint64_t i, struct oriel_endpoint *from)
{
    oriel_handle h;
    pair_must(oriel_accept(x->s[1], x->l[pair_port(x, i)], &h, from), "accept");
    return h;
}

/* Both ends, whatever is under way. */
static inline void pair_abort(struct pair *x, oriel_handle a, oriel_handle b)
{
    pair_must(oriel_abort(x->s[0], a), "abort");
    pair_settle(x);
    pair_must(oriel_abort(x->s[1], b), "abort");
    pair_settle(x);
}

/* One byte from one to the other, which must arrive. */
static inline void pair_byte(struct pair *x, int side, oriel_handle from, oriel_handle to)
{
    uint8_t b = 1;
    pair_must(oriel_send(x->s[side], from, &b, 1, NULL), "send");
    (void)pair_move(x, side);
    if (pair_must(oriel_recv(x->s[!side], to, &b, 1, NULL), "receive") != 1)
        pair_must(ORIEL_EPIPE, "receive");
}

/* There and back. */
static inline void pair_ping(struct pair *x, oriel_handle a, oriel_handle b)
{
    pair_byte(x, 0, a, b);
    pair_byte(x, 1, b, a);
}

#endif
