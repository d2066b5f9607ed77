/*
 * Replaying: the calls of a recording, made again on a stack of our own, and their answers compared.
 * The file is read through a cursor that cannot leave it (base/bytes.h).
 */
#define _GNU_SOURCE
#include "host/replay.h"

#include "base/text.h"
#include "stack/stack.h"

#include <stdlib.h>
#include <sys/mman.h>

#define BATCH_MAX   4096            /* packets in one step, frames in one take */
#define SHARED      ((size_t)512 << 20)         /* packets of a world, address space */
#define NAME_MAX_   64
#define SOURCES_MAX 256

struct run {
    struct rd r;
    const struct replay_watch *watch;
    struct replay_result *out;
    struct oriel_stack *s;
    void *memory, *packets;
    size_t memory_bytes;
    struct pkt_mem shared;
    oriel_time now;
    uint8_t *buffer;                /* REPLAY_FRAME bytes, or more */
    size_t buffer_bytes;
    void *window;                   /* that oriel_send_window gave, until the next call */
    size_t window_n;
    oriel_handle window_of;
    bool ended;
    bool differs;
};

static const char *const names[REPLAY_CALLS] = {
    [REPLAY_END] = "the end",
#define CALL(name, function) [REPLAY_##name] = #function,
#include "host/replay.def"
#undef CALL
};

const char *replay_call_name(enum replay_call c)
{
    return c < REPLAY_CALLS ? names[c] : "an unknown call";
}

/* ---- reading ---- */

static uint64_t get(struct run *k)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = rd_u8(&k->r);
        v |= (uint64_t)(b & 127) << shift;
        if (!(b & 128))
            return v;
    }
    (void)rd_fail(&k->r, 1);
    return 0;
}

static struct span get_blob(struct run *k)
{
    uint64_t n = get(k);
    if (n > rd_left(&k->r)) {
        (void)rd_fail(&k->r, 1);
        return span_of(NULL, 0);
    }
    return rd_bytes(&k->r, (size_t)n);
}

static const char *get_text(struct run *k, char text[NAME_MAX_])
{
    uint64_t n = get(k);
    if (n == REPLAY_NOTHING)
        return NULL;
    if (n >= NAME_MAX_ || n > rd_left(&k->r)) {
        (void)rd_fail(&k->r, 1);
        return NULL;
    }
    rd_copy(&k->r, text, (size_t)n);
    text[n] = '\0';
    return text;
}

static struct oriel_addr get_addr(struct run *k)
{
    uint64_t hi = get(k), lo = get(k);
    return (struct oriel_addr){.hi = hi, .lo = lo, .zone = (uint32_t)get(k)};
}

static struct oriel_endpoint get_endpoint(struct run *k)
{
    struct oriel_addr a = get_addr(k);
    return (struct oriel_endpoint){.addr = a, .port = (uint16_t)get(k)};
}

static struct oriel_msg get_msg(struct run *k)
{
    struct oriel_msg m = {.flags = (uint32_t)get(k)};
    m.peer = get_endpoint(k);
    m.local = get_addr(k);
    m.netif = (int)(uint32_t)get(k);
    m.ttl = (uint8_t)get(k);
    m.tos = (uint8_t)get(k);
    m.local_port = (uint16_t)get(k);
    return m;
}

/* ---- comparing ---- */

static bool say(struct run *k, const char *what, int64_t is, int64_t was)
{
    struct txt t = txt_of(k->out->what, sizeof(k->out->what));
    txt_s(&t, what);
    if (is != was) {
        txt_s(&t, " is ");
        txt_i(&t, is);
        txt_s(&t, ", and was ");
        txt_i(&t, was);
    }
    k->differs = true;
    return false;
}

/* Did the call answer at all, and the same? False also where the recording ends inside the call. */
static bool same(struct run *k, int64_t result)
{
    if (rd_left(&k->r) == 0 || get(k) != REPLAY_DONE) {
        k->out->died = k->ended = true;         /* what follows is what was never written */
        return false;
    }
    uint64_t v = get(k);
    int64_t was = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
    return was == result || say(k, "its result", result, was);
}

static bool same_part(struct run *k, const char *what, uint64_t is)
{
    uint64_t was = get(k);
    return is == was || say(k, what, (int64_t)is, (int64_t)was);
}

/* ---- the stack ---- */

static bool damaged(struct run *k, const char *what)
{
    struct txt t = txt_of(k->out->what, sizeof(k->out->what));
    txt_s(&t, what);
    k->ended = k->differs = true;
    return false;
}

static void *address_space(size_t n)
{
    void *at = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return at == MAP_FAILED ? NULL : at;
}

static void give_back(void *at, size_t n)
{
    if (!at)
        return;
    ORIEL_UNPOISON(at, n);                      /* others may have it next */
    munmap(at, n);
}

static bool share_packets(struct run *k)
{
    struct arena a;
    k->packets = address_space(SHARED);
    if (!k->packets)
        return false;
    arena_init(&a, k->packets, SHARED);
    return pkt_mem_init(&k->shared, &a, SHARED / 2);
}

static bool do_create(struct run *k)
{
    struct oriel_config cfg;
    char name[NAME_MAX_];
    struct span bytes = get_blob(k);
    if (k->s || bytes.n != sizeof cfg)
        return damaged(k, "a stack is made where none can be");
    memcpy(&cfg, bytes.p, sizeof cfg);
    cfg.tcp.congestion = get_text(k, name);
    bool shared = get(k) != 0;
    k->memory_bytes = cfg.memory_bytes;
    cfg.memory = k->memory = address_space(cfg.memory_bytes);
    cfg.trace_events = 0;
    cfg.shared_trace = NULL;
    if (!k->memory || (shared && !share_packets(k)))
        return damaged(k, "there is no memory for the stack");
    cfg.shared_packets = shared ? &k->shared : NULL;
    k->s = oriel_create(&cfg);
    k->out->began = k->now = cfg.now;
    return same(k, k->s != NULL);
}

static bool do_destroy(struct run *k)
{
    oriel_destroy(k->s);
    k->s = NULL;
    k->out->whole = k->ended = true;
    return same(k, 0);
}

/* As much memory as it took: what a stack keeps is charged by that. */
static struct pkt *packet_like(struct run *k, struct span bytes, uint16_t charge)
{
    struct pkt *p = pkt_new_copy(&k->s->env, PKT_HEADROOM, bytes);
    for (unsigned c = 0; p && p->charge != charge && c < BLK_STREAM; c++)
        if (blk_class_bytes[c] >= bytes.n) {
            pkt_free(p);
            p = pkt_new_copy(&k->s->env, blk_class_bytes[c] - bytes.n, bytes);
        }
    return p;
}

static struct pkt *get_packet(struct run *k)
{
    uint16_t nif = (uint16_t)get(k);
    oriel_time arrival = get(k);
    uint16_t gso_size = (uint16_t)get(k), charge = (uint16_t)get(k);
    uint64_t csum = get(k), gso = get(k), flags = get(k);
    struct span bytes = get_blob(k);
    struct pkt *p = k->r.bad ? NULL : packet_like(k, bytes, charge);
    if (!p)
        return NULL;
    p->nif = nif;
    p->arrival = arrival;
    p->gso_size = gso_size;
    p->csum = csum & 3;
    p->gso = gso & 7;
    p->flags = (uint8_t)flags;
    if (k->watch && k->watch->on_frame)
        k->watch->on_frame(k->watch->ctx, k->now, nif, false, p);
    return p;
}

static bool do_step(struct run *k)
{
    static struct pkt *pkts[BATCH_MAX];
    struct pkt_batch rx = {.pkts = pkts};
    oriel_time now = get(k);
    uint64_t n = get(k);
    if (now < k->now || n > BATCH_MAX)
        return damaged(k, "time goes back, or a batch is too large");
    k->now = k->out->ended = now;
    for (uint64_t i = 0; i < n; i++) {
        struct pkt *p = get_packet(k);
        if (!p && k->r.bad)
            break;
        if (p)
            pkts[rx.n++] = p;
    }
    oriel_step(k->s, now, &rx);
    k->out->steps++;
    k->out->frames_in += n;
    return same(k, 0);
}

static bool do_take(struct run *k)
{
    static struct pkt *pkts[BATCH_MAX];
    int netif = (int)get(k);
    uint64_t max = get(k);
    if (max > BATCH_MAX)
        return damaged(k, "more frames are taken than anybody takes");
    unsigned n = oriel_netif_take(k->s, netif, pkts, (unsigned)max);
    bool ok = same(k, n);
    for (unsigned i = 0; i < n; i++) {
        size_t len = oriel_pkt_copy(pkts[i], k->buffer, k->buffer_bytes);
        if (k->watch && k->watch->on_frame)
            k->watch->on_frame(k->watch->ctx, k->now, netif, true, pkts[i]);
        ok = ok && same_part(k, "the length of a frame", len) &&
             same_part(k, "the sum of a frame", replay_sum(k->buffer, len)) &&
             same_part(k, "the reason of a frame", pkts[i]->why) &&
             same_part(k, "the segment size of a frame", pkts[i]->gso_size);
        pkt_free(pkts[i]);
    }
    k->out->frames_out += n;
    return ok;
}

/* ---- interfaces, addresses, routes, neighbours ---- */

static bool do_netif_add(struct run *k)
{
    struct oriel_netif_config c;
    char name[NAME_MAX_];
    struct span bytes = get_blob(k);
    if (bytes.n != sizeof c)
        return damaged(k, "an interface has another form");
    memcpy(&c, bytes.p, sizeof c);
    c.name = get_text(k, name);
    if (!c.name)
        return damaged(k, "an interface has no name");
    int netif = oriel_netif_add(k->s, &c);
    if (k->watch && k->watch->on_netif && netif > 0)
        k->watch->on_netif(k->watch->ctx, netif, &c);
    return same(k, netif);
}

static bool do_netif(struct run *k, enum replay_call c)
{
    int netif = (int)get(k);
    if (c == REPLAY_NETIF_REMOVE)
        return same(k, oriel_netif_remove(k->s, netif));
    if (c == REPLAY_NETIF_RARP)
        return same(k, oriel_netif_rarp(k->s, netif));
    uint64_t v = get(k);
    return same(k, c == REPLAY_NETIF_SET_UP        ? oriel_netif_set_up(k->s, netif, v != 0)
                   : c == REPLAY_NETIF_SET_CARRIER ? oriel_netif_set_carrier(k->s, netif, v != 0)
                                                   : oriel_netif_set_mtu(k->s, netif, (uint32_t)v));
}

static bool do_addr(struct run *k, enum replay_call c)
{
    int netif = (int)get(k);
    struct oriel_addr a = get_addr(k);
    if (c == REPLAY_ADDR_REMOVE)
        return same(k, oriel_addr_remove(k->s, netif, &a));
    if (c == REPLAY_NEIGH_REMOVE)
        return same(k, oriel_neigh_remove(k->s, netif, &a));
    if (c == REPLAY_ADDR_ADD)
        return same(k, oriel_addr_add(k->s, netif, &a, (uint8_t)get(k)));
    uint8_t mac[6];
    rd_copy(&k->r, mac, sizeof mac);
    return same(k, oriel_neigh_add(k->s, netif, &a, mac));
}

static bool do_rarp_serve(struct run *k)
{
    struct oriel_addr a = get_addr(k);
    uint8_t mac[6];
    rd_copy(&k->r, mac, sizeof mac);
    return same(k, oriel_rarp_serve(k->s, mac, &a));
}

static bool do_route(struct run *k, enum replay_call c)
{
    struct oriel_addr prefix = get_addr(k), gateway = {.hi = 0};
    uint8_t len = (uint8_t)get(k);
    bool has = get(k) != 0;
    if (has)
        gateway = get_addr(k);
    int netif = (int)get(k);
    uint32_t metric = (uint32_t)get(k);
    const struct oriel_addr *by = has ? &gateway : NULL;
    return same(k, c == REPLAY_ROUTE_ADD ? oriel_route_add(k->s, &prefix, len, by, netif, metric)
                                         : oriel_route_remove(k->s, &prefix, len, by, netif));
}

/* ---- sockets ---- */

static bool do_open(struct run *k, enum replay_call c)
{
    enum oriel_family family = (enum oriel_family)get(k);
    oriel_handle h = 0;
    int err = c == REPLAY_UDP_OPEN    ? oriel_udp_open(k->s, family, &h)
              : c == REPLAY_ICMP_OPEN ? oriel_icmp_open(k->s, family, &h)
                                      : oriel_tcp_open(k->s, family, &h);
    return same(k, err) && (err != 0 || same_part(k, "the handle", h));
}

static bool do_endpoint(struct run *k, enum replay_call c)
{
    oriel_handle h = get(k);
    struct oriel_endpoint e = get_endpoint(k);
    return same(k, c == REPLAY_BIND ? oriel_bind(k->s, h, &e) : oriel_connect(k->s, h, &e));
}

static bool do_send(struct run *k)
{
    oriel_handle h = get(k);
    struct span data = get_blob(k);
    struct oriel_msg m = {.flags = 0};
    bool has = get(k) != 0;
    if (has)
        m = get_msg(k);
    return same(k, oriel_send(k->s, h, data.p, data.n, has ? &m : NULL));
}

static bool room_for(struct run *k, uint64_t n)
{
    if (n <= k->buffer_bytes)
        return true;
    void *more = n > SHARED ? NULL : realloc(k->buffer, (size_t)n);
    if (!more)
        return damaged(k, "more is read at once than there is memory for");
    k->buffer = more;
    k->buffer_bytes = (size_t)n;
    return true;
}

static bool do_recv(struct run *k)
{
    oriel_handle h = get(k);
    uint64_t cap = get(k);
    bool has = get(k) != 0;
    struct oriel_msg m = {.flags = (uint32_t)get(k)};
    if (!room_for(k, cap))
        return false;
    int n = oriel_recv(k->s, h, k->buffer, (size_t)cap, has ? &m : NULL);
    return same(k, n) && (n < 0 || same_part(k, "the sum of what was read",
                                             replay_sum(k->buffer, (size_t)n)));
}

static bool do_listen(struct run *k)
{
    oriel_handle h = get(k);
    bool has = get(k) != 0;
    struct oriel_listen l = {.backlog = (uint32_t)get(k)};
    l.any_addr = get(k) != 0;
    l.port_last = (uint16_t)get(k);
    l.defer = get(k) != 0;
    return same(k, oriel_listen(k->s, h, has ? &l : NULL));
}

static bool do_accept(struct run *k)
{
    oriel_handle h = get(k), accepted = 0;
    int err = oriel_accept(k->s, h, &accepted, NULL);
    return same(k, err) && (err != 0 || same_part(k, "the handle", accepted));
}

static bool do_held_next(struct run *k)
{
    struct oriel_held held;
    oriel_handle h = get(k);
    int err = oriel_held_next(k->s, h, &held);
    return same(k, err) && (err != 0 || same_part(k, "the id", held.id));
}

static bool do_admit(struct run *k)
{
    oriel_handle h = get(k);
    uint64_t id = get(k);
    return same(k, oriel_admit(k->s, h, id, (enum oriel_admission)get(k)));
}

static bool do_send_window(struct run *k)
{
    k->window_of = get(k);
    struct oriel_room room = oriel_send_window(k->s, k->window_of);
    k->window = room.p;
    k->window_n = room.n;
    return same(k, (int64_t)room.n);
}

static bool do_send_commit(struct run *k)
{
    oriel_handle h = get(k);
    struct span data = get_blob(k);
    if (data.n > (h == k->window_of ? k->window_n : 0))
        return damaged(k, "more is written than there was room for");
    if (data.n > 0)
        memcpy(k->window, data.p, data.n);
    k->window_n = 0;
    return same(k, oriel_send_commit(k->s, h, data.n));
}

static bool do_recv_view(struct run *k)
{
    struct oriel_bytes view[BATCH_MAX];
    oriel_handle h = get(k);
    uint64_t max = get(k);
    if (max > BATCH_MAX)
        return damaged(k, "more pieces are asked for than anybody asks");
    int n = oriel_recv_view(k->s, h, view, (unsigned)max);
    bool ok = same(k, n);
    for (int i = 0; i < n && ok; i++)
        ok = same_part(k, "the sum of a piece", replay_sum(view[i].p, view[i].n));
    return ok;
}

/* ---- options, groups, readiness ---- */

static bool do_option(struct run *k, enum replay_call c)
{
    oriel_handle h = get(k);
    enum oriel_opt opt = (enum oriel_opt)get(k);
    if (c == REPLAY_SETOPT)
        return same(k, oriel_setopt(k->s, h, opt, (int64_t)get(k)));
    int64_t v = 0;
    int err = oriel_getopt(k->s, h, opt, &v);
    return same(k, err) && (err != 0 || same_part(k, "the value", (uint64_t)v));
}

static bool do_group(struct run *k, enum replay_call c)
{
    struct oriel_addr sources[SOURCES_MAX];
    oriel_handle h = get(k);
    int netif = (int)get(k);
    struct oriel_addr group = get_addr(k);
    if (c == REPLAY_GROUP_LEAVE)
        return same(k, oriel_group_leave(k->s, h, netif, &group));
    bool exclude = get(k) != 0;
    uint64_t n = get(k);
    if (n > SOURCES_MAX)
        return damaged(k, "a group has too many sources");
    for (uint64_t i = 0; i < n; i++)
        sources[i] = get_addr(k);
    return same(k, oriel_group_join(k->s, h, netif, &group, exclude, sources, (unsigned)n));
}

static bool do_ready_take(struct run *k)
{
    static struct oriel_readiness ready[BATCH_MAX];
    uint64_t max = get(k);
    if (max > BATCH_MAX)
        return damaged(k, "more sockets are asked for than anybody asks");
    unsigned n = oriel_ready_take(k->s, ready, (unsigned)max);
    bool ok = same(k, n);
    for (unsigned i = 0; i < n && ok; i++)
        ok = same_part(k, "a socket that is ready", ready[i].handle) &&
             same_part(k, "what it is ready for", ready[i].events);
    return ok;
}

static bool do_number(struct run *k, enum replay_call c)
{
    oriel_handle h = get(k);
    if (c == REPLAY_CLOSE)
        return same(k, oriel_close(k->s, h));
    if (c == REPLAY_ABORT)
        return same(k, oriel_abort(k->s, h));
    uint64_t v = get(k);
    return same(k, c == REPLAY_SHUTDOWN ? oriel_shutdown(k->s, h, (int)v)
                                        : oriel_recv_release(k->s, h, (size_t)v));
}

/* ---- all of it ---- */

static bool do_call(struct run *k, enum replay_call c)
{
    switch (c) {
    case REPLAY_CREATE: return do_create(k);
    case REPLAY_DESTROY: return do_destroy(k);
    case REPLAY_STEP: return do_step(k);
    case REPLAY_TAKE: return do_take(k);
    case REPLAY_NETIF_ADD: return do_netif_add(k);
    case REPLAY_NETIF_REMOVE: case REPLAY_NETIF_SET_UP: case REPLAY_NETIF_SET_CARRIER:
    case REPLAY_NETIF_SET_MTU: case REPLAY_NETIF_RARP: return do_netif(k, c);
    case REPLAY_ADDR_ADD: case REPLAY_ADDR_REMOVE: case REPLAY_NEIGH_ADD: case REPLAY_NEIGH_REMOVE:
        return do_addr(k, c);
    case REPLAY_ROUTE_ADD: case REPLAY_ROUTE_REMOVE: return do_route(k, c);
    case REPLAY_RARP_SERVE: return do_rarp_serve(k);
    case REPLAY_UDP_OPEN: case REPLAY_ICMP_OPEN: case REPLAY_TCP_OPEN: return do_open(k, c);
    case REPLAY_CLOSE: case REPLAY_ABORT: case REPLAY_SHUTDOWN: case REPLAY_RECV_RELEASE:
        return do_number(k, c);
    case REPLAY_BIND: case REPLAY_CONNECT: return do_endpoint(k, c);
    case REPLAY_SEND: return do_send(k);
    case REPLAY_RECV: return do_recv(k);
    case REPLAY_LISTEN: return do_listen(k);
    case REPLAY_ACCEPT: return do_accept(k);
    case REPLAY_HELD_NEXT: return do_held_next(k);
    case REPLAY_ADMIT: return do_admit(k);
    case REPLAY_SEND_WINDOW: return do_send_window(k);
    case REPLAY_SEND_COMMIT: return do_send_commit(k);
    case REPLAY_RECV_VIEW: return do_recv_view(k);
    case REPLAY_SETOPT: case REPLAY_GETOPT: return do_option(k, c);
    case REPLAY_GROUP_JOIN: case REPLAY_GROUP_LEAVE: return do_group(k, c);
    case REPLAY_READY_TAKE: return do_ready_take(k);
    case REPLAY_END: case REPLAY_CALLS: break;
    }
    return false;
}

/* One call; false: it is over, one way or another. */
static bool next_call(struct run *k)
{
    uint64_t c = rd_left(&k->r) > 0 ? get(k) : REPLAY_END;
    if (c == REPLAY_END) {
        k->out->whole = k->out->whole || rd_left(&k->r) == 0;
        return false;
    }
    if (c >= REPLAY_CALLS || (!k->s && c != REPLAY_CREATE))
        return damaged(k, "there is a call that cannot be");
    if (c != REPLAY_SEND_COMMIT)
        k->window_n = 0;
    bool ok = do_call(k, (enum replay_call)c);
    k->out->calls++;
    if (k->r.bad && !k->out->died)
        return damaged(k, "the recording is cut off or damaged");
    if (!ok && k->differs && !k->ended) {
        char what[REPLAY_TEXT_MAX];
        memcpy(what, k->out->what, sizeof what);
        struct txt t = txt_of(k->out->what, sizeof(k->out->what));
        txt_s(&t, "call ");
        txt_u(&t, k->out->calls);
        txt_s(&t, ", ");
        txt_s(&t, replay_call_name((enum replay_call)c));
        txt_s(&t, ": ");
        txt_s(&t, what);
    }
    return ok && !k->ended;
}

static bool begins_well(struct run *k)
{
    size_t n = strlen(REPLAY_MAGIC);
    if (rd_left(&k->r) < n || !span_is(rd_bytes(&k->r, n), REPLAY_MAGIC))
        return damaged(k, "this is no recording of this version");
    return (get(k) == sizeof(struct oriel_config) && get(k) == sizeof(struct oriel_netif_config)) ||
           damaged(k, "another build made this recording");
}

bool replay(struct span file, const struct replay_watch *watch, struct replay_result *out)
{
    struct run k = {.r = rd_of(file), .watch = watch, .out = out, .buffer_bytes = REPLAY_FRAME};
    *out = (struct replay_result){.calls = 0};
    k.buffer = malloc(REPLAY_FRAME);
    if (k.buffer && begins_well(&k))
        while (next_call(&k))
            ;
    if (k.s)
        oriel_destroy(k.s);
    give_back(k.memory, k.memory_bytes);
    give_back(k.packets, SHARED);
    bool same_all = k.buffer && !k.differs;
    free(k.buffer);
    return same_all;
}
