/*
 * What applications do: datagrams of all sizes to all kinds of places, pings, groups, sockets that
 * come and go. Every third time somebody meddles with the world instead (meddle.c).
 */
#include "sim.h"

#include "wire/icmp4.h"
#include "wire/icmp6.h"

#define ICMP_HEAD    8
#define PING_ID      0x4f52
#define READ_AT_MOST 100000
#define READY_AT_MOST 10000     /* rounds of asking what is ready, in one step */

enum slot {                     /* the sockets that everybody has; dynamic ones come after */
    SLOT_ECHO,
    SLOT_SINK,
    SLOT_LAZY,
    SLOT_GROUP,
    SLOT_PING4,
    SLOT_PING6,
    SLOT_DYNAMIC,
};

static struct oriel_stack *stack_of(const struct sim *s, unsigned who)
{
    return s->who[who].node->stack;
}

static void poke(struct sim *s, unsigned who)
{
    world_poke(&s->w, s->who[who].node);
}

/* ---- sockets ---- */

static bool open_socket(struct sim *s, unsigned who, unsigned slot, const struct sim_sock *how)
{
    struct sim_sock *k = &s->who[who].sock[slot];
    struct oriel_stack *st = stack_of(s, who);
    *k = *how;
    int err = k->is_icmp ? oriel_icmp_open(st, k->family, &k->h)
                         : oriel_udp_open(st, k->family, &k->h);
    sim_see(s, (uint64_t)err);
    if (err) {
        k->h = 0;
        return false;
    }
    if (k->port == PORT_GROUP)
        err = oriel_setopt(st, k->h, ORIEL_OPT_REUSEADDR, 1);
    if (!err && k->port)
        err = oriel_bind(st, k->h, &(struct oriel_endpoint){.port = k->port});
    if (!err)
        return true;
    err = oriel_close(st, k->h);
    k->h = 0;
    return err != 0;            /* a close cannot fail: told where it is looked at */
}

static void must_open(struct sim *s, unsigned who, unsigned slot, const struct sim_sock *how)
{
    if (!open_socket(s, who, slot, how) || !s->who[who].sock[slot].h)
        sim_wrong(s, "%s cannot open its sockets", s->who[who].node->name);
}

void sim_open_all(struct sim *s)
{
    enum oriel_family f = s->v4 && s->v6 ? ORIEL_DUAL : s->v4 ? ORIEL_IP4 : ORIEL_IP6;
    for (unsigned i = 0; i < s->all; i++) {
        must_open(s, i, SLOT_ECHO, &(struct sim_sock){.family = f, .port = PORT_ECHO,
                                                      .echo = true});
        must_open(s, i, SLOT_SINK, &(struct sim_sock){.family = f, .port = PORT_SINK});
        must_open(s, i, SLOT_LAZY, &(struct sim_sock){.family = f, .port = PORT_SINK + 1,
                                                      .lazy = true});
        must_open(s, i, SLOT_GROUP, &(struct sim_sock){.family = f, .port = PORT_GROUP});
        must_open(s, i, SLOT_PING4, &(struct sim_sock){.family = ORIEL_IP4, .is_icmp = true});
        must_open(s, i, SLOT_PING6, &(struct sim_sock){.family = ORIEL_IP6, .is_icmp = true});
    }
}

static void close_socket(struct sim *s, unsigned who, unsigned slot)
{
    struct sim_sock *k = &s->who[who].sock[slot];
    if (k->h && oriel_close(stack_of(s, who), k->h) != 0)
        sim_wrong(s, "a socket of %s cannot be closed", s->who[who].node->name);
    k->h = 0;
}

void sim_close_all(struct sim *s)
{
    for (unsigned i = 0; i < s->all; i++) {
        for (unsigned k = 0; k < SOCKS_AT_MOST; k++)
            close_socket(s, i, k);
        poke(s, i);
    }
}

int sim_slot_of(enum oriel_family family, bool icmp)
{
    return icmp ? family == ORIEL_IP4 ? SLOT_PING4 : SLOT_PING6 : SLOT_SINK;
}

/* ---- sending ---- */

static bool is_for_many(const struct sim *s, const struct oriel_addr *a)
{
    if (addr_is_multicast(a) || addr_is_limited_broadcast(a))
        return true;
    for (unsigned i = 0; addr_is_v4(a) && i < s->segs; i++) {
        struct prefix p = prefix_v4(0x0a000000u + (i << 8), 24);
        struct oriel_addr all = prefix_v4_broadcast(&p);
        if (addr_same_bits(a, &all) || addr_same_bits(a, &p.addr))
            return true;
    }
    return false;
}

static void note_result(struct sim *s, unsigned who, int r, size_t len)
{
    sim_see(s, (uint64_t)r);
    if (r >= 0 && (size_t)r != len)
        sim_wrong(s, "%s sent %d bytes of %zu", s->who[who].node->name, r, len);
    if (r < ORIEL_EAFNOSUPPORT)
        sim_wrong(s, "%s: sending ends with %d, which is no error", s->who[who].node->name, r);
}

static int datagram(struct sim *s, unsigned who, unsigned slot, const struct oriel_msg *m,
                    size_t len, bool reply)
{
    struct sim_sock *k = &s->who[who].sock[slot];
    struct oriel_endpoint us;
    struct sent r = {.at = s->w.env.now, .len = (uint32_t)len, .dst = m->peer.addr,
                     .dst_port = m->peer.port, .who = (uint8_t)who, .reply = reply,
                     .group = is_for_many(s, &m->peer.addr)};
    uint32_t id = sim_record(s, &r);
    if (id == UINT32_MAX)
        return 0;
    sim_fill(s, id, s->buffer, len);
    int n = oriel_send(stack_of(s, who), k->h, s->buffer, len, m);
    if (oriel_local(stack_of(s, who), k->h, &us) == 0)
        k->port = us.port;
    s->sent[id].src_port = k->port;
    note_result(s, who, n, len);
    return n;
}

int sim_ping(struct sim *s, unsigned who, const struct oriel_addr *to, size_t len)
{
    bool v4 = addr_is_v4(to);
    const struct sim_sock *k = &s->who[who].sock[v4 ? SLOT_PING4 : SLOT_PING6];
    struct sent r = {.at = s->w.env.now, .len = (uint32_t)len, .dst = *to, .who = (uint8_t)who,
                     .is_ping = true, .group = is_for_many(s, to)};
    uint32_t id = k->h ? sim_record(s, &r) : UINT32_MAX;
    if (id == UINT32_MAX)
        return ORIEL_ENOBUFS;
    struct wr w = wr_of(s->buffer, ICMP_HEAD);
    wr_u8(&w, v4 ? ICMP4_ECHO : ICMP6_ECHO);
    wr_u8(&w, 0);
    wr_u16(&w, 0);
    wr_u16(&w, (uint16_t)(PING_ID + who));     /* a translator does not know its own */
    wr_u16(&w, (uint16_t)id);
    sim_fill(s, id, s->buffer + ICMP_HEAD, len);
    int n = oriel_send(stack_of(s, who), k->h, s->buffer, ICMP_HEAD + len,
                       &(struct oriel_msg){.peer.addr = *to});
    note_result(s, who, n, ICMP_HEAD + len);
    if (n < 0)
        sim_say(s, "%s cannot ping: %s", s->who[who].node->name, oriel_strerror(n));
    poke(s, who);
    return n;
}

/* ---- receiving ---- */

static void heard_ping(struct sim *s, unsigned who, unsigned slot, size_t n, struct oriel_msg *m)
{
    struct rd r = rd_of(span_of(s->buffer, n));
    uint8_t type = rd_u8(&r);
    bool v4 = s->who[who].sock[slot].family == ORIEL_IP4;
    if (n < ICMP_HEAD || type != (v4 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY))
        return;                 /* an error: somebody else's sentence */
    m->len -= ICMP_HEAD;
    if (sim_judge(s, who, slot, s->buffer + ICMP_HEAD, n - ICMP_HEAD, m))
        s->answered++;
}

static void heard(struct sim *s, unsigned who, unsigned slot, size_t n, const struct oriel_msg *m)
{
    const struct sent *r = sim_judge(s, who, slot, s->buffer, n, m);
    s->delivered++;
    if (!r || !s->who[who].sock[slot].echo || r->reply || s->healing)
        return;
    struct oriel_msg back = {.peer = m->peer};
    (void)datagram(s, who, slot, &back, r->len, true);
}

void sim_read(struct sim *s, unsigned who, unsigned slot)
{
    struct sim_sock *k = &s->who[who].sock[slot];
    struct oriel_msg m;
    for (unsigned i = 0; k->h && i < READ_AT_MOST; i++) {
        size_t cap = k->cap && !k->is_icmp ? k->cap : DATA_AT_MOST + ICMP_HEAD;
        int n = oriel_recv(stack_of(s, who), k->h, s->buffer, cap, &m);
        sim_see(s, (uint64_t)n);
        if (n == ORIEL_EAGAIN)
            return;
        if (n < 0)
            continue;           /* what the network said of something sent earlier */
        if ((size_t)n > cap || m.truncated != ((size_t)n < m.len))
            sim_wrong(s, "%s read %d bytes of %zu into %zu", s->who[who].node->name, n, m.len, cap);
        else if (k->is_icmp)
            heard_ping(s, who, slot, (size_t)n, &m);
        else
            heard(s, who, slot, (size_t)n, &m);
    }
    if (k->h)
        sim_wrong(s, "a socket of %s is never empty", s->who[who].node->name);
}

void sim_read_eager(struct sim *s, unsigned who)
{
    struct oriel_readiness ready[8];
    unsigned got;
    for (unsigned round = 0; (got = oriel_ready_take(stack_of(s, who), ready, 8)) > 0; round++) {
        if (round == READY_AT_MOST) {
            sim_wrong(s, "something is ready at %s for ever", s->who[who].node->name);
            return;
        }
        for (unsigned k = 0; k < got; k++) {
            sim_see(s, (uint64_t)ready[k].handle << 32 | ready[k].events);
            stream_on_ready(s, who, ready[k].handle, ready[k].events);
        }
    }
    for (unsigned k = 0; k < SOCKS_AT_MOST; k++)
        if (s->who[who].sock[k].h && !s->who[who].sock[k].lazy)
            sim_read(s, who, k);
}

void sim_read_all(struct sim *s)
{
    for (unsigned i = 0; i < s->all; i++) {
        for (unsigned k = 0; k < SOCKS_AT_MOST; k++)
            sim_read(s, i, k);
        poke(s, i);
    }
}

/* ---- choosing ---- */

static const struct leg *any_leg(struct sim *s)
{
    return &s->leg[rng_below(&s->rng, s->legs)];
}

static struct oriel_addr address_of(struct sim *s, const struct leg *l)
{
    return s->v4 && (!s->v6 || one_in(s, 2)) ? l->a4 : l->a6;
}

static struct oriel_addr any_group(struct sim *s, bool v4)
{
    uint64_t n = between(s, 1, 3);
    return v4 ? addr_v4(0xef010100u + (uint32_t)n)
              : addr_v6(one_in(s, 2) ? 0xff02000000000000 : 0xff05000000000000, 0x1234 + n);
}

/* The link-local address of somebody on one of our links, with our zone. */
static struct oriel_addr link_local(struct sim *s, unsigned who)
{
    const struct leg *mine = sim_first_leg(s, who), *other = any_leg(s);
    struct oriel_addr_info a;
    for (uint32_t at = 0; oriel_addr_each(stack_of(s, other->who), &at, &a);)
        if (a.netif == other->netif && !addr_is_v4(&a.addr) && addr_is_link_local(&a.addr)) {
            a.addr.zone = (uint32_t)mine->netif;
            return a.addr;
        }
    return mine->a6;
}

static struct oriel_addr nobody(struct sim *s, unsigned who)
{
    struct oriel_addr a = address_of(s, sim_first_leg(s, who));
    a.lo += between(s, 50, 99);
    return a;
}

static struct oriel_addr any_destination(struct sim *s, unsigned who)
{
    bool v4 = s->v4 && (!s->v6 || one_in(s, 2));
    switch (rng_below(&s->rng, 24)) {
    case 0:  return address_of(s, sim_first_leg(s, who));
    case 1:  return v4 ? addr_v4(0x7f000001) : addr_v6(0, 1);
    case 2:
    case 3:  return any_group(s, v4);
    case 4:  return v4 ? ADDR_V4_BCAST : ADDR_V6_ALL_NODES;
    case 5:  return v4 ? addr_v4(addr_to_v4(&any_leg(s)->a4) | 0xff) : ADDR_V6_ALL_ROUTERS;
    case 6:  return nobody(s, who);
    case 7:  return v4 ? addr_v4(0xc0000201) : addr_v6(0x20010db800000000, 1);
    case 8:  return v4 ? addr_v4(0xa9fe0101) : link_local(s, who);
    default: return address_of(s, any_leg(s));
    }
}

static uint16_t any_port(struct sim *s, const struct oriel_addr *to)
{
    if (is_for_many(s, to) && !one_in(s, 4))
        return PORT_GROUP;
    switch (rng_below(&s->rng, 8)) {
    case 0:  return PORT_CLOSED;
    case 1:
    case 2:  return PORT_ECHO;
    case 3:  return (uint16_t)between(s, PORT_SINK, PORT_SINK + SOCKS_AT_MOST);
    case 4:  return PORT_SINK + 1;
    case 5:  return PORT_GROUP;
    default: return PORT_SINK;
    }
}

static size_t any_length(struct sim *s)
{
    switch (rng_below(&s->rng, 8)) {
    case 0:  return (size_t)between(s, 0, 40);
    case 1:  return (size_t)between(s, 0, DATA_AT_MOST);
    case 2:  return s->seg[rng_below(&s->rng, s->segs)].mtu - (size_t)between(s, 20, 80);
    default: return (size_t)sim_scale(s, DATA_AT_MOST);
    }
}

static unsigned any_udp_slot(struct sim *s, unsigned who)
{
    unsigned at = (unsigned)rng_below(&s->rng, SOCKS_AT_MOST);
    const struct sim_sock *k = &s->who[who].sock[at];
    return k->h && !k->is_icmp ? at : SLOT_SINK;
}

/* ---- what an application does ---- */

static void send_some(struct sim *s, unsigned who)
{
    unsigned slot = any_udp_slot(s, who), n = one_in(s, 6) ? (unsigned)sim_scale(s, 30) : 1;
    struct oriel_msg m = {.peer.addr = any_destination(s, who)};
    m.peer.port = any_port(s, &m.peer.addr);
    m.ttl = one_in(s, 12) ? (uint8_t)between(s, 1, 3) : 0;
    m.tos = one_in(s, 6) ? (uint8_t)between(s, 0, 255) : 0;
    m.netif = one_in(s, 12) ? (int)between(s, 1, 4) : 0;
    if (one_in(s, 12))
        m.local = address_of(s, any_leg(s));
    if (!s->who[who].sock[slot].h)
        return;
    size_t len = any_length(s);
    for (unsigned i = 0; i < n; i++)
        (void)datagram(s, who, slot, &m, one_in(s, 3) ? any_length(s) : len, false);
    poke(s, who);
}

static void ping_somebody(struct sim *s, unsigned who)
{
    struct oriel_addr to = any_destination(s, who);
    (void)sim_ping(s, who, &to, any_length(s));
}

static void read_lazy(struct sim *s, unsigned who)
{
    for (unsigned k = 0; k < SOCKS_AT_MOST; k++)
        if (s->who[who].sock[k].lazy)
            sim_read(s, who, k);
    poke(s, who);
}

static void open_or_close(struct sim *s, unsigned who)
{
    unsigned slot = (unsigned)between(s, SLOT_DYNAMIC, SOCKS_AT_MOST - 1);
    struct sim_sock k = {
        .family = s->v4 && s->v6 ? one_in(s, 2) ? ORIEL_DUAL : one_in(s, 2) ? ORIEL_IP4 : ORIEL_IP6
                  : s->v4 ? ORIEL_IP4 : ORIEL_IP6,
        .port = one_in(s, 2) ? (uint16_t)(PORT_SINK + slot) : one_in(s, 3) ? PORT_GROUP : 0,
        .lazy = one_in(s, 3),
        .cap = one_in(s, 4) ? (uint16_t)between(s, 1, 2000) : 0,
    };
    if (s->who[who].sock[slot].h)
        close_socket(s, who, slot);
    else
        (void)open_socket(s, who, slot, &k);
    poke(s, who);
}

static void connect_somewhere(struct sim *s, unsigned who)
{
    unsigned slot = (unsigned)between(s, SLOT_DYNAMIC, SOCKS_AT_MOST - 1);
    struct oriel_endpoint to = {.addr = any_destination(s, who)};
    if (!s->who[who].sock[slot].h)
        return;
    to.port = any_port(s, &to.addr);
    if (one_in(s, 3))
        to = (struct oriel_endpoint){.port = 0};
    sim_see(s, (uint64_t)oriel_connect(stack_of(s, who), s->who[who].sock[slot].h, &to));
    if (oriel_local(stack_of(s, who), s->who[who].sock[slot].h, &to) == 0)
        s->who[who].sock[slot].port = to.port;
    poke(s, who);
}

static void set_something(struct sim *s, unsigned who)
{
    static const struct {
        enum oriel_opt opt;
        int64_t most;
    } row[] = {
        {ORIEL_OPT_RCVBUF, 100000}, {ORIEL_OPT_TTL, 255},  {ORIEL_OPT_MCAST_TTL, 8},
        {ORIEL_OPT_MCAST_LOOP, 1},  {ORIEL_OPT_TOS, 255},  {ORIEL_OPT_BROADCAST, 1},
        {ORIEL_OPT_DF, 2},          {ORIEL_OPT_MTU, 0},    {ORIEL_OPT_MCAST_NETIF, 4},
        {ORIEL_OPT_BIND_NETIF, 4},  {ORIEL_OPT_NO_CSUM, 1}, {ORIEL_OPT_V6ONLY, 1},
    };
    unsigned at = (unsigned)rng_below(&s->rng, ARRAY_LEN(row)), slot = any_udp_slot(s, who);
    int64_t value = (int64_t)between(s, 0, (uint64_t)row[at].most);
    if (row[at].opt == ORIEL_OPT_NO_CSUM && (s->bare || s->hostile))
        return;                 /* then damage could not be told from data */
    oriel_handle h = s->who[who].sock[slot].h;
    sim_see(s, (uint64_t)oriel_setopt(stack_of(s, who), h, row[at].opt, value));
    sim_see(s, (uint64_t)oriel_getopt(stack_of(s, who), h, row[at].opt, &value));
    sim_see(s, (uint64_t)value);
}

static void join_or_leave(struct sim *s, unsigned who)
{
    struct oriel_addr group = any_group(s, s->v4 && (!s->v6 || one_in(s, 2)));
    struct oriel_addr sources[3];
    unsigned slot = one_in(s, 2) ? SLOT_GROUP : any_udp_slot(s, who);
    oriel_handle h = s->who[who].sock[slot].h;
    int netif = sim_first_leg(s, who)->netif;
    unsigned n = one_in(s, 3) ? (unsigned)between(s, 1, 3) : 0;
    for (unsigned i = 0; i < n; i++)
        sources[i] = addr_is_v4(&group) ? any_leg(s)->a4 : any_leg(s)->a6;
    if (one_in(s, 3))
        sim_see(s, (uint64_t)oriel_group_leave(stack_of(s, who), h, netif, &group));
    else
        sim_see(s, (uint64_t)oriel_group_join(stack_of(s, who), h, netif, &group,
                                              n == 0 || one_in(s, 2), sources, n));
    poke(s, who);
}

void sim_act(struct sim *s)
{
    unsigned who = (unsigned)rng_below(&s->rng, s->all);
    if (!sim_first_leg(s, who))
        return;
    if (one_in(s, 16) && s->short_memory) {
        hoard_act(s, who);
        return;
    }
    if (s->calm && s->flapping && one_in(s, 24)) {
        sim_meddle(s, who);
        return;
    }
    if (s->calm || one_in(s, 2)) {
        stream_act(s, who);
        return;
    }
    switch (rng_below(&s->rng, 32)) {
    case 0: case 1: case 2:          ping_somebody(s, who); return;
    case 3: case 4:                  read_lazy(s, who); return;
    case 5: case 6:                  open_or_close(s, who); return;
    case 7:                          connect_somewhere(s, who); return;
    case 8: case 9:                  set_something(s, who); return;
    case 10: case 11: case 12:       join_or_leave(s, who); return;
    case 13: case 14: case 15: case 16: sim_meddle(s, who); return;
    case 17: case 18: case 19: case 20:
        if (s->peer) {
            sim_garbage(s);
            return;
        }
        break;
    }
    send_some(s, who);
}
