/*
 * A router that translates: 10.0.0.0/24 inside, everything else outside, where it is 203.0.113.1.
 */
#ifndef ORIEL_TESTS_IP_FX_NAT_H
#define ORIEL_TESTS_IP_FX_NAT_H

#include "fx_stack.h"

#define INSIDE  1
#define OUTSIDE 2
#define GOOD    "ip.checksum.status == 1 && "

static inline struct fx *fx_nat_new(void)
{
    struct fx *f = fx_new(.stack = {.forward4 = true}, .netif = {.kind = ORIEL_NETIF_RAW});
    int out = fx_netif(f, &(struct oriel_netif_config){.kind = ORIEL_NETIF_RAW, .nat = true});
    EXPECT_EQ(f->nif, INSIDE);
    EXPECT_EQ(out, OUTSIDE);
    fx_add_addr(f, INSIDE, "10.0.0.1/24");
    fx_add_addr(f, OUTSIDE, "203.0.113.1/24");
    fx_add_route(f, OUTSIDE, "0.0.0.0/0", NULL);
    (void)fx_skip(f);
    return f;
}

static inline void fx_inside(struct fx *f, const char *line)
{
    fx_in_on(f, INSIDE, line);
}

static inline void fx_outside(struct fx *f, const char *line)
{
    fx_in_on(f, OUTSIDE, line);
}

#define EXPECT_LEFT(f, nif, filter)                                                                \
    do {                                                                                           \
        EXPECT_OUT(f, filter);                                                                     \
        EXPECT_EQ((f)->out_nif, nif);                                                              \
    } while (0)

static inline uint32_t fx_nat_live(const struct fx *f)
{
    return f->s->ip.nat.sessions.live;
}

/* One connection from 10.0.0.2 port 4000 to 198.51.100.7 port 80. */
#define OUT_TO "ip src=10.0.0.2 dst=198.51.100.7 / tcp 4000>80 "
#define IN_FROM "ip src=198.51.100.7 dst=203.0.113.1 / tcp 80>4000 "

static inline void fx_nat_handshake(struct fx *f)
{
    fx_inside(f, OUT_TO "flags=S seq=1");
    fx_outside(f, IN_FROM "flags=SA seq=9 ack=2");
    fx_inside(f, OUT_TO "flags=A seq=2 ack=10");
    (void)fx_skip(f);
}

/* The life of the only session from now, in seconds. */
static inline uint64_t fx_nat_life_s(const struct fx *f)
{
    struct nat_info info;
    uint32_t cursor = 0;
    EXPECT(nat_each(&f->s->ip, &cursor, &info));
    EXPECT_EQ(fx_nat_live(f), 1);
    return (info.until - f->s->env.now) / NS_PER_S;
}

#endif
