/*
 * A world in real time. A turn:
 *
 *   wait (loop) -> live_woke: time, frames that came in at doors, the world up to now -> descriptors of
 *   applications (on_ready) -> what they led to -> frames that leave by doors
 *
 * A driver that could not send all is asked again when its descriptor is writable; meanwhile the stack
 * before that door keeps the rest (lab/door.c).
 */
#define _GNU_SOURCE
#include "host/live.h"

#include "base/addr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define DOORS_MAX  16
#define APPS_MAX   32
#define ROUNDS     16               /* batches that doors take in one turn, so that others have theirs */
#define BATCH_BYTES ((size_t)256 << 10)     /* in one: what was read is in the cache when it is worked on */
#define PATIENCE   64               /* rounds, before more frames are asked for than were there */

struct door {
    struct live *v;
    struct drv *drv;
    struct node *node;              /* the door itself */
    struct port *inside;            /* what it is plugged into */
    struct loop_source source, beside;      /* the latter of a driver that has two descriptors */
    bool readable;                  /* more may wait than was taken */
    unsigned quota;                 /* frames that it is asked for at once: as many as probably wait, */
    unsigned full;                  /* times in a row that there were as many, */
    unsigned patience;              /* and how many until it is asked for more */
    bool grew;                      /* this time it was */
    bool stuck;                     /* the driver took no more */
    bool gone;
};

struct app {
    struct node *node;
    void (*step)(void *ctx);
    void *ctx;
};

struct live {
    struct world w;
    struct loop loop;
    void *memory;
    size_t bytes;
    oriel_time began;               /* host_now() of time 0 */
    struct door doors[DOORS_MAX];
    unsigned doors_n;
    struct app apps[APPS_MAX];
    unsigned apps_n;
};

static struct live *fail(struct live *v, char error[DRV_ERROR_MAX], const char *what)
{
    (void)snprintf(error, DRV_ERROR_MAX, "%s", what);
    if (v && v->memory)
        munmap(v->memory, v->bytes);
    free(v);
    return NULL;
}

static uint32_t cpu_can(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") ? ORIEL_CPU_AVX2 : 0;
#else
    return 0;
#endif
}

static void live_woke(void *ctx);

static void on_step(void *ctx, struct node *n)
{
    struct live *v = ctx;
    for (unsigned i = 0; i < v->apps_n; i++)
        if (v->apps[i].node == n)
            v->apps[i].step(v->apps[i].ctx);
}

struct live *live_open(const struct live_config *cfg, char error[DRV_ERROR_MAX])
{
    struct live *v = calloc(1, sizeof(*v));
    struct world_config wc = {.seed = cfg->seed, .trace_events = cfg->trace_events,
                              .cpu = cpu_can(), .quiet = cfg->quiet};
    if (!v)
        return fail(v, error, "out of memory");
    if (wc.seed == 0 && getrandom(&wc.seed, sizeof(wc.seed), 0) != sizeof(wc.seed))
        return fail(v, error, "the system gives no randomness (getrandom)");
    v->bytes = cfg->memory ? cfg->memory : LIVE_MEMORY;
    void *at = mmap(NULL, v->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                    -1, 0);
    v->memory = at == MAP_FAILED ? NULL : at;
    if (!v->memory || !world_init(&v->w, v->memory, v->bytes, &wc))
        return fail(v, error, "not enough memory for a world");
    int err = loop_open(&v->loop);
    if (err < 0)
        return fail(v, error, strerror(-err));
    v->loop.spin = cfg->spin;
    v->loop.on_wake = live_woke;
    v->loop.wake_ctx = v;
    v->w.batch_max = WORLD_BATCH_MAX;
    v->w.on_step = on_step;
    v->w.on_step_ctx = v;
    v->began = host_now();
    return v;
}

void live_close(struct live *v)
{
    if (!v)
        return;
    for (unsigned i = 0; i < v->doors_n; i++)
        drv_close(v->doors[i].drv);
    loop_close(&v->loop);
    world_fini(&v->w);
    ORIEL_UNPOISON(v->memory, v->bytes);        /* others may have it next */
    munmap(v->memory, v->bytes);
    free(v);
}

struct world *live_world(struct live *v)
{
    return &v->w;
}

struct loop *live_loop(struct live *v)
{
    return &v->loop;
}

oriel_time live_now(const struct live *v)
{
    return v->w.env.now;
}

void live_app(struct live *v, struct node *node, void (*step)(void *ctx), void *ctx)
{
    ORIEL_ASSERT(v->apps_n < APPS_MAX);
    v->apps[v->apps_n++] = (struct app){.node = node, .step = step, .ctx = ctx};
}

void live_app_remove(struct live *v, void *ctx)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < v->apps_n; i++)
        if (v->apps[i].ctx != ctx)
            v->apps[kept++] = v->apps[i];
    v->apps_n = kept;
}

void live_poke(struct live *v, struct node *node)
{
    world_poke(&v->w, node);
}

/* ---- doors ---- */

/* live_woke has taken note of everything before. */
static void door_ready(void *ctx, uint32_t events)
{
    (void)ctx;
    (void)events;
}

static void door_look(struct live *v, struct door *d)
{
    uint32_t events = d->gone ? 0 : loop_ready(&v->loop, &d->source);
    if (d->drv->has_beside && !d->gone)
        events |= loop_ready(&v->loop, &d->beside) & ~(uint32_t)EPOLLOUT;
    if ((events & (EPOLLERR | EPOLLHUP)) && d->drv->kind->trouble)
        d->drv->kind->trouble(d->drv);
    d->readable = d->readable || (events & (EPOLLIN | EPOLLERR | EPOLLHUP));
    if (events & EPOLLOUT)
        d->stuck = false;
}

/* The link is gone: the stack sees its carrier go, and nothing waits on the descriptor any more. */
static void door_lost(struct live *v, struct door *d)
{
    if (d->gone)
        return;
    d->gone = true;
    d->readable = false;
    loop_remove(&v->loop, &d->source);
    if (d->drv->has_beside)
        loop_remove(&v->loop, &d->beside);
    world_set_wire(&v->w, d->inside->wire, false);
}

/* As large as they are, so many make a batch. */
static unsigned quota_max(struct pkt *const pkts[], unsigned n)
{
    size_t bytes = 1;
    for (unsigned i = 0; i < n; i++)
        bytes += pkt_len(pkts[i]);
    size_t fit = BATCH_BYTES * n / bytes;
    return fit < 4 ? 4 : fit < DRV_BATCH ? (unsigned)fit : DRV_BATCH;
}

/*
 * What to ask for next. Whoever asks for as many frames as there are need not ask once more to hear that
 * there are none; so where asking for more was in vain, it is done more rarely.
 */
static void adapt(struct door *d, unsigned n, unsigned most)
{
    bool full = n == d->quota, grew = d->grew;
    d->grew = full && ++d->full >= d->patience;
    if (grew)
        d->patience = full ? 1 : d->patience * 2 < PATIENCE ? d->patience * 2 : PATIENCE;
    if (d->grew || !full)
        d->full = 0;
    if (d->grew)
        d->quota = 2 * n < most ? 2 * n : most;
    else if (!full)
        d->quota = n > 0 ? n : 1;
}

/* One batch. Were there any? */
static bool door_in(struct live *v, struct door *d)
{
    struct pkt *pkts[DRV_BATCH];
    unsigned n = d->drv->kind->rx(d->drv, &v->w.env, pkts, d->quota), most = quota_max(pkts, n);
    if (n > 0)
        world_door_put(&v->w, d->node, pkts, n);
    adapt(d, n, most);
    d->readable = n > 0;
    d->stuck = d->stuck && !d->drv->resumed;
    if (d->drv->error)
        door_lost(v, d);
    return d->readable;
}

static void door_out(struct live *v, struct door *d)
{
    struct pkt *pkts[DRV_BATCH];
    unsigned n;
    while (!d->gone && !d->stuck && ((n = world_door_peek(d->node, pkts, DRV_BATCH)) > 0 || d->drv->unsent)) {
        unsigned sent = d->drv->kind->tx(d->drv, pkts, n);
        world_door_done(&v->w, d->node, sent);
        d->stuck = sent < n || d->drv->unsent;
        if (d->drv->error)
            door_lost(v, d);
    }
    if (!d->gone)
        (void)loop_change(&v->loop, &d->source, d->stuck ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static int plug(struct live *v, struct door *d, struct node *node, const struct oriel_netif_config *n,
                const struct wire_params *wire)
{
    struct world *w = &v->w;
    char name[NODE_NAME_MAX];
    int err = ORIEL_ENOBUFS;
    (void)snprintf(name, sizeof(name), "door%u", v->doors_n);
    d->node = world_add_node(w, NODE_DOOR, span_str(name), NULL, 0);
    struct oriel_netif_config outside = {.name = "out"};
    struct port *out = d->node ? world_add_port(w, d->node, &outside, &err) : NULL;
    d->inside = out ? world_add_port(w, node, n, &err) : NULL;
    if (!d->inside)
        return err;
    return world_join(w, d->inside, out, wire) ? d->inside->netif : ORIEL_ENOBUFS;
}

/* What the driver can do, where the caller left it open. */
static void fill_in(struct oriel_netif_config *n, const struct drv_caps *caps, bool direct)
{
    static const uint8_t none[6];
    n->kind = caps->ip ? ORIEL_NETIF_RAW : ORIEL_NETIF_ETHER;
    n->mtu = n->mtu ? n->mtu : caps->mtu;
    if (memcmp(n->mac, none, 6) == 0)
        memcpy(n->mac, caps->mac, 6);
    n->vouches = direct && caps->csum;
    n->gso = n->vouches && caps->gso4 && caps->gso6;
}

static int listen_to(struct live *v, struct door *d)
{
    d->source = (struct loop_source){.fd = d->drv->fd, .events = EPOLLIN, .on_ready = door_ready, .ctx = d};
    d->beside = d->source;
    d->beside.fd = d->drv->beside;
    int err = loop_add(&v->loop, &d->source);
    if (err < 0 || !d->drv->has_beside)
        return err;
    err = loop_add(&v->loop, &d->beside);
    if (err < 0)
        loop_remove(&v->loop, &d->source);
    return err;
}

int live_door(struct live *v, struct drv *drv, struct node *node, struct oriel_netif_config *n,
              const struct wire_params *wire, char error[DRV_ERROR_MAX])
{
    struct door *d = &v->doors[v->doors_n];
    int netif = ORIEL_ENOBUFS;
    if (v->doors_n == DOORS_MAX) {
        (void)snprintf(error, DRV_ERROR_MAX, "too many links: %u at most", DOORS_MAX);
        drv_close(drv);
        return netif;
    }
    if (drv->caps.csum && !wire->direct) {
        (void)snprintf(error, DRV_ERROR_MAX, "%s: a link with offloads needs a direct wire; open it plain",
                       drv->name);
        drv_close(drv);
        return ORIEL_EINVAL;
    }
    live_enter(v);                              /* to open the link may have taken its time */
    *d = (struct door){.v = v, .drv = drv, .readable = true, .quota = 1, .patience = 1};
    fill_in(n, &drv->caps, wire->direct);
    netif = plug(v, d, node, n, wire);
    int err = netif < 0 ? 0 : listen_to(v, d);
    if (netif < 0 || err < 0) {
        (void)snprintf(error, DRV_ERROR_MAX, "%s: %s", drv->name,
                       netif < 0 ? oriel_strerror(netif) : strerror(-err));
        drv_close(drv);
        return netif < 0 ? netif : ORIEL_ENOBUFS;
    }
    v->doors_n++;
    return netif;
}

bool live_addrs(struct live *v, struct node *node, int netif, const struct drv_spec *s,
                char error[DRV_ERROR_MAX])
{
    char text[64];
    int err = 0;
    for (unsigned i = 0; i < s->addrs_n && err == 0; i++) {
        (void)oriel_addr_print(&s->addrs[i].addr, text, sizeof(text));
        err = oriel_addr_add(node->stack, netif, &s->addrs[i].addr, s->addrs[i].prefix_len);
    }
    for (unsigned i = 0; i < s->gateways_n && err == 0; i++) {
        const struct oriel_addr *gw = &s->gateways[i];
        const struct oriel_addr all = addr_is_v4(gw) ? ADDR_V4_ANY : ADDR_NONE;
        (void)oriel_addr_print(gw, text, sizeof(text));
        err = oriel_route_add(node->stack, &all, addr_is_v4(gw) ? 96 : 0, gw, netif, 0);
    }
    if (err < 0)
        (void)snprintf(error, DRV_ERROR_MAX, "%s: %s", text, oriel_strerror(err));
    for (unsigned i = 0; i < v->doors_n && err == 0; i++)
        if (v->doors[i].inside->node == node && v->doors[i].inside->netif == netif &&
            v->doors[i].drv->kind->set_addrs)
            v->doors[i].drv->kind->set_addrs(v->doors[i].drv, s->addrs, s->addrs_n);
    live_poke(v, node);
    return err == 0;
}

/* ---- the turn ---- */

static bool any_readable(const struct live *v)
{
    for (unsigned i = 0; i < v->doors_n; i++)
        if (v->doors[i].readable)
            return true;
    return false;
}

static void set_time(struct live *v)
{
    oriel_time now = host_now() - v->began;
    v->w.env.now = now > v->w.env.now ? now : v->w.env.now;
}

void live_enter(struct live *v)
{
    set_time(v);
    world_run(&v->w, v->w.env.now);
}

void live_leave(struct live *v)
{
    for (uint16_t i = 0; i < v->w.nodes_n; i++)
        world_poke(&v->w, &v->w.nodes[i]);
    world_run(&v->w, v->w.env.now);
    for (unsigned i = 0; i < v->doors_n; i++)
        door_out(v, &v->doors[i]);
}

/*
 * Frames first: an acknowledgement that waits goes before the timer that it stops. Then once more, until
 * there are none: what was sent is often answered by now, and a look at the link costs less than a wait.
 */
static void live_woke(void *ctx)
{
    struct live *v = ctx;
    for (unsigned i = 0; i < v->doors_n; i++)
        door_look(v, &v->doors[i]);
    bool more = true;
    for (unsigned round = 0; more && round < ROUNDS; round++) {
        more = false;
        set_time(v);
        for (unsigned i = 0; i < v->doors_n; i++)
            more = (v->doors[i].readable && door_in(v, &v->doors[i])) || more;
        world_run(&v->w, v->w.env.now);
        for (unsigned i = 0; i < v->doors_n; i++)
            door_out(v, &v->doors[i]);
    }
}

int live_turn(struct live *v, oriel_time until)
{
    oriel_time next = world_next(&v->w);
    next = next < until ? next : until;
    if (any_readable(v) || next <= v->w.env.now)
        next = 0;
    int n = loop_wait(&v->loop, next == ORIEL_NEVER || next == 0 ? next : v->began + next);
    world_run(&v->w, v->w.env.now);
    for (unsigned i = 0; i < v->doors_n; i++)
        door_out(v, &v->doors[i]);
    return n < 0 ? n : 0;
}
