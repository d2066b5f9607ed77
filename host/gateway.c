/*
 * The gateway: flows, their table, and their turns.
 *
 * Descriptors are waited on edge by edge: what a socket of the host was last known to be ready for
 * stands in its flow, so that a flow that moves costs no epoll_ctl. Readiness of the stack's sockets
 * comes the same way. A flow has one turn in a turn of the loop, of a quantum each way, and all flows
 * together have no more than GW_TURN: a fast sender must not keep the world from its clock. What is left
 * waits on `again`, behind all others: an eventfd keeps the loop from sleeping meanwhile. Ages are
 * looked at by a timerfd that runs only while a flow has one.
 */
#define _GNU_SOURCE
#include "host/gateway_flow.h"

#include "stack/stack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define FLOWS_DEFAULT  16384
#define READY_BATCH    64
#define HANDSHAKE_LIFE (75 * NS_PER_S)      /* the guest asked, and then said nothing more */
#define PING_LIFE      (10 * NS_PER_S)
#define UDP_LIFE       (60 * NS_PER_S)

/* ---- the table ---- */

static struct list *bucket_of(const struct gateway *g, enum gw_kind kind,
                              const struct oriel_endpoint *guest, const struct oriel_endpoint *asked)
{
    uint64_t h = guest->addr.hi ^ (guest->addr.lo * 31) ^ asked->addr.hi ^ (asked->addr.lo * 17);
    h = (h ^ ((uint64_t)guest->port << 32 | (uint64_t)asked->port << 8 | kind)) * 0x9e3779b97f4a7c15u;
    return &g->buckets[(h >> 32) & g->mask];
}

static bool same(const struct oriel_endpoint *a, const struct oriel_endpoint *b)
{
    return a->port == b->port && addr_identical(&a->addr, &b->addr);
}

struct gw_flow *gw_flow_find(const struct gateway *g, enum gw_kind kind,
                             const struct oriel_endpoint *guest, const struct oriel_endpoint *asked)
{
    LIST_EACH(node, bucket_of(g, kind, guest, asked)) {
        struct gw_flow *f = CONTAINER_OF(node, struct gw_flow, hashed);
        if (f->kind == kind && same(&f->guest, guest) && same(&f->asked, asked))
            return f;
    }
    return NULL;
}

/* ---- time ---- */

static oriel_time life_of(const struct gateway *g, enum gw_age age)
{
    switch (age) {
    case GW_AGE_HANDSHAKE: return HANDSHAKE_LIFE;
    case GW_AGE_UDP:       return g->cfg.udp_life ? g->cfg.udp_life : UDP_LIFE;
    case GW_AGE_PING:      return PING_LIFE;
    case GW_AGE_TCP:
    case GW_AGES:          break;
    }
    return ORIEL_NEVER;
}

static void set_ticking(struct gateway *g, bool on)
{
    const struct timespec every = {.tv_nsec = on ? (long)GW_TICK : 0};
    const struct itimerspec t = {.it_interval = every, .it_value = every};
    if (g->ticking != on)
        (void)timerfd_settime(g->tick.fd, 0, &t, NULL);
    g->ticking = on;
}

static void expire(struct gw_flow *f)
{
    if (f->kind == GW_TCP)
        gw_tcp_expire(f);
    else
        gw_flow_free(f);
}

static void on_tick(void *ctx, uint32_t events)
{
    struct gateway *g = ctx;
    uint64_t n;
    (void)events;
    if (read(g->tick.fd, &n, sizeof(n)) != sizeof(n))
        return;
    bool more = false;
    gw_enter(g);
    for (unsigned age = GW_AGE_HANDSHAKE; age < GW_AGES; age++) {
        oriel_time life = life_of(g, (enum gw_age)age);
        struct list *l;
        while ((l = list_first(&g->ages[age])) != NULL) {
            struct gw_flow *f = CONTAINER_OF(l, struct gw_flow, aged);
            if (live_now(g->v) - f->used < life)
                break;
            expire(f);
        }
        more = more || l != NULL;
    }
    gw_publish_tick(g);
    more = gw_dns_tick(g) || more;
    for (unsigned i = 0; i < g->cfg.publish_n; i++)
        more = more || g->publish[i].deaf;
    set_ticking(g, more);
}

void gw_flow_used(struct gw_flow *f, enum gw_age age)
{
    struct gateway *g = f->g;
    list_remove(&f->aged);
    f->used = live_now(g->v);
    f->age = (uint8_t)age;
    list_push_back(&g->ages[age], &f->aged);
    if (age != GW_AGE_TCP)
        set_ticking(g, true);
}

void gw_tick_soon(struct gateway *g)
{
    set_ticking(g, true);
}

void gw_enter(struct gateway *g)
{
    if (g->s->env.now < live_now(g->v))
        oriel_step(g->s, live_now(g->v), NULL);
}

/* ---- turns ---- */

static void set_kicked(struct gateway *g, bool on)
{
    uint64_t n = 1;
    if (g->kicked == on)
        return;
    g->kicked = on;
    ssize_t done = on ? write(g->kick.fd, &n, sizeof(n)) : read(g->kick.fd, &n, sizeof(n));
    ORIEL_ASSERT(done == sizeof(n));
}

static void stop_waiting(struct gw_flow *f)
{
    list_remove(&f->again);
    f->g->waiting--;
}

void gw_flow_again(struct gw_flow *f)
{
    if (!list_on(&f->again)) {
        list_push_back(&f->g->again, &f->again);
        f->g->waiting++;
    }
    set_kicked(f->g, true);
}

size_t gw_flow_quantum(struct gw_flow *f)
{
    struct gateway *g = f->g;
    if (g->turn_at != live_now(g->v)) {
        g->turn_at = live_now(g->v);
        g->turn_left = GW_TURN;
    }
    if (g->turn_left == 0 || f->turned == g->turn_at || (g->waiting > 0 && !g->serving))
        return 0;
    f->turned = g->turn_at;
    return g->waiting > GW_CROWD ? GW_CROWDED : GW_QUANTUM;
}

void gw_flow_moved(struct gw_flow *f, size_t n)
{
    struct gateway *g = f->g;
    n = n > GW_TURN_MIN ? n : GW_TURN_MIN;
    g->turn_left -= n < g->turn_left ? n : g->turn_left;
}

/* Flows that wait have a turn each, as far as this one of the loop goes. */
static void on_kick(void *ctx, uint32_t events)
{
    struct gateway *g = ctx;
    (void)events;
    gw_enter(g);
    struct list *end = g->again.prev, *l;
    g->serving = true;
    while ((g->turn_at != live_now(g->v) || g->turn_left > 0) &&
           (l = list_first(&g->again)) != NULL) {
        struct gw_flow *f = CONTAINER_OF(l, struct gw_flow, again);
        bool last = l == end;
        stop_waiting(f);
        if (f->kind == GW_TCP)
            gw_tcp_turn(f);
        else
            f->source.on_ready(f, EPOLLIN);
        if (last)
            break;
    }
    g->serving = false;
    set_kicked(g, !list_empty(&g->again));
}

/* ---- flows ---- */

static struct gw_flow *oldest_datagrams(const struct gateway *g)
{
    static const enum gw_age from[] = {GW_AGE_PING, GW_AGE_UDP};
    for (unsigned i = 0; i < ARRAY_LEN(from); i++) {
        struct list *l = list_first(&g->ages[from[i]]);
        if (l)
            return CONTAINER_OF(l, struct gw_flow, aged);
    }
    return NULL;
}

bool gw_has_room(struct gateway *g)
{
    struct gw_flow *oldest = g->flows < g->flows_max ? NULL : oldest_datagrams(g);
    if (oldest)
        gw_flow_free(oldest);
    return g->flows < g->flows_max;
}

static void (*ready_of(enum gw_kind kind))(void *, uint32_t)
{
    return kind == GW_TCP   ? gw_tcp_host_ready
           : kind == GW_UDP ? gw_udp_host_ready
                            : gw_ping_host_ready;
}

struct gw_flow *gw_flow_new(struct gateway *g, enum gw_kind kind, int fd, enum gw_age age,
                            const struct oriel_endpoint *guest, const struct oriel_endpoint *asked)
{
    struct gw_flow *f = g->flows < g->flows_max ? calloc(1, sizeof(*f)) : NULL;
    if (f) {
        uint32_t events = EPOLLIN | EPOLLET | (kind == GW_TCP ? EPOLLOUT | EPOLLRDHUP : 0u);
        f->source = (struct loop_source){.fd = fd, .events = events, .on_ready = ready_of(kind),
                                         .ctx = f};
    }
    if (!f || loop_add(g->loop, &f->source) < 0) {
        free(f);
        close(fd);
        return NULL;
    }
    f->g = g;
    f->kind = (uint8_t)kind;
    f->guest = *guest;
    f->asked = *asked;
    list_push_back(bucket_of(g, kind, guest, asked), &f->hashed);
    list_push_back(&g->ages[age], &f->aged);
    gw_flow_used(f, age);
    g->flows++;
    if (kind == GW_TCP) {
        g->streams++;
        gw_share(g, f);
    }
    return f;
}

static void tell(const struct gw_flow *f, bool begins)
{
    static const char *const names[GW_KINDS] = {"tcp", "udp", "icmp"};
    const struct gateway_config *cfg = &f->g->cfg;
    if (cfg->on_flow)
        cfg->on_flow(cfg->on_flow_ctx,
                     &(struct gateway_flow_info){.proto = names[f->kind], .guest = f->guest,
                                                 .host = f->host, .begins = begins, .error = f->error,
                                                 .bytes_in = f->bytes_in, .bytes_out = f->bytes_out});
}

void gw_flow_begins(const struct gw_flow *f)
{
    tell(f, true);
}

void gw_flow_free(struct gw_flow *f)
{
    struct gateway *g = f->g;
    tell(f, false);
    loop_remove(g->loop, &f->source);
    close(f->source.fd);
    if (f->h)
        g->by_slot[(uint32_t)f->h] = NULL;
    list_remove(&f->hashed);
    list_remove(&f->aged);
    if (list_on(&f->again))
        stop_waiting(f);
    g->flows--;
    if (f->kind == GW_TCP) {
        g->streams--;
        gw_share(g, NULL);
    }
    free(f);
}

void gw_flow_handle(struct gw_flow *f, oriel_handle h)
{
    struct gateway *g = f->g;
    uint32_t slot = (uint32_t)h;
    ORIEL_ASSERT(slot < g->slots);
    f->h = h;
    g->by_slot[slot] = f;
}

unsigned gateway_flows(const struct gateway *g)
{
    return g->flows;
}

unsigned gateway_streams(const struct gateway *g)
{
    return g->streams;
}

unsigned gateway_handshakes(const struct gateway *g)
{
    unsigned n = 0;
    LIST_EACH(l, &g->ages[GW_AGE_HANDSHAKE])
        n++;
    return n;
}

bool gateway_owes(const struct gateway *g)
{
    struct oriel_conn_info c;
    for (uint32_t at = 0; oriel_conn_each(g->s, &at, &c);)
        if (c.recv_queue > 0)
            return true;
    return false;
}

const char *gateway_note(const struct gateway *g)
{
    return g->note[0] != '\0' ? g->note : NULL;
}

/* ---- what the guest's side has to say ---- */

/* False: it is none of a flow, nor one that hears all. */
static bool ready(struct gateway *g, const struct oriel_readiness *r)
{
    uint32_t slot = (uint32_t)r->handle;
    struct gw_flow *f = slot < g->slots ? g->by_slot[slot] : NULL;
    if (f && f->h == r->handle)
        gw_tcp_guest_ready(f, r->events);
    else if (r->handle == g->listener)
        gw_tcp_listener_ready(g);
    else if (r->handle == g->udp)
        gw_udp_guest_ready(g);
    else if (r->handle == g->icmp4 || r->handle == g->icmp6)
        gw_ping_guest_ready(g, r->handle);
    else
        return false;
    return true;
}

static void step(void *ctx)
{
    struct gateway *g = ctx;
    struct oriel_readiness r[READY_BATCH];
    bool asked = false;
    unsigned n;
    while ((n = oriel_ready_take(g->s, r, READY_BATCH)) > 0)
        for (unsigned i = 0; i < n; i++)
            asked = !ready(g, &r[i]) || asked;
    if (asked)
        gw_dns_guest_ready(g);
}

/* ---- made, and taken down ---- */

/* Flows that there are descriptors for; the limit is the program's whose process this is. */
static uint32_t within_limit(uint32_t wanted)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return wanted;
    if (r.rlim_cur <= GW_SPARE)
        return 1;
    return r.rlim_cur - GW_SPARE < wanted ? (uint32_t)(r.rlim_cur - GW_SPARE) : wanted;
}

static bool open_sources(struct gateway *g, char error[DRV_ERROR_MAX])
{
    g->kick = (struct loop_source){.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .events = EPOLLIN,
                                   .on_ready = on_kick, .ctx = g};
    g->tick = (struct loop_source){.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC),
                                   .events = EPOLLIN, .on_ready = on_tick, .ctx = g};
    if (g->kick.fd >= 0 && g->tick.fd >= 0 && loop_add(g->loop, &g->kick) == 0 &&
        loop_add(g->loop, &g->tick) == 0)
        return true;
    (void)snprintf(error, DRV_ERROR_MAX, "the gateway cannot wait: %s", strerror(errno));
    return false;
}

static bool open_tables(struct gateway *g, char error[DRV_ERROR_MAX])
{
    uint32_t buckets = 256;
    while (buckets < g->flows_max)
        buckets *= 2;
    g->mask = buckets - 1;
    g->slots = g->s->socks.pool.cap + 1;
    g->buckets = calloc(buckets, sizeof(g->buckets[0]));
    g->by_slot = calloc(g->slots, sizeof(struct gw_flow *));
    g->buffer = malloc(GW_BUFFER);
    for (uint32_t i = 0; g->buckets && i < buckets; i++)
        list_init(&g->buckets[i]);
    if (g->buckets && g->by_slot && g->buffer)
        return true;
    (void)snprintf(error, DRV_ERROR_MAX, "out of memory for %u flows", g->flows_max);
    return false;
}

struct gateway *gateway_open(struct live *v, struct node *node, int netif,
                             const struct gateway_config *cfg, char error[DRV_ERROR_MAX])
{
    struct gateway *g = calloc(1, sizeof(*g));
    if (!g) {
        (void)snprintf(error, DRV_ERROR_MAX, "out of memory");
        return NULL;
    }
    g->v = v;
    g->loop = live_loop(v);
    g->node = node;
    g->s = node->stack;
    g->netif = netif;
    g->cfg = *cfg;
    g->kick.fd = g->tick.fd = g->spare_fd = -1;
    for (unsigned i = 0; i < GATEWAY_PUBLISH_MAX; i++)
        g->publish[i].source.fd = -1;
    g->flows_max = within_limit(cfg->flows ? cfg->flows : FLOWS_DEFAULT);
    gw_share_open(g);
    list_init(&g->again);
    for (unsigned i = 0; i < GW_AGES; i++)
        list_init(&g->ages[i]);
    if (!open_tables(g, error) || !open_sources(g, error) || !gw_tcp_open(g, error) ||
        !gw_udp_open(g, error) || !gw_ping_open(g, error) || !gw_dns_open(g, error) ||
        !gw_publish_open(g, error)) {
        gateway_close(g);
        return NULL;
    }
    live_app(v, node, step, g);
    live_poke(v, node);
    return g;
}

static void close_flows(struct gateway *g)
{
    struct list *l;
    while ((l = list_first(&g->ages[GW_AGE_TCP])) || (l = list_first(&g->ages[GW_AGE_HANDSHAKE])))
        gw_tcp_abort(CONTAINER_OF(l, struct gw_flow, aged));
    for (struct gw_flow *f; (f = oldest_datagrams(g)) != NULL;)
        gw_flow_free(f);
}

static void close_source(struct gateway *g, struct loop_source *s)
{
    if (s->fd < 0)
        return;
    loop_remove(g->loop, s);
    close(s->fd);
    s->fd = -1;
}

void gateway_close(struct gateway *g)
{
    const oriel_handle handles[] = {g->listener, g->udp, g->icmp4, g->icmp6};
    close_flows(g);
    gw_dns_close(g);
    gw_publish_close(g);
    live_poke(g->v, g->node);                   /* resets leave */
    live_app_remove(g->v, g);
    close_source(g, &g->kick);
    close_source(g, &g->tick);
    for (unsigned i = 0; i < ARRAY_LEN(handles); i++)
        if (handles[i])
            best_effort(oriel_close(g->s, handles[i]));
    free(g->buckets);
    free(g->by_slot);
    free(g->buffer);
    free(g);
}
