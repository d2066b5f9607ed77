/*
 * For tests of the gateway: a network namespace of the test's own with a loopback that is also 192.0.2.7,
 * a live world of a guest (10.0.2.15, fd00::15) and a gateway (10.0.2.2, fd00::2), and short ways to
 * sockets on both sides. UNTIL turns the world until something is true, for ten seconds at most.
 */
#ifndef ORIEL_TESTS_FX_GATEWAY_H
#define ORIEL_TESTS_FX_GATEWAY_H

#define _GNU_SOURCE
#include "test.h"

#include "base/addr.h"
#include "base/clock.h"
#include "host/gateway.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define FX_ALIAS "192.0.2.7"
#define FX_WORLD ((size_t)192 << 20)    /* beside the stacks: packets, events */

struct fx {
    struct live *v;
    struct node *guest, *gw;
    struct gateway *g;
    unsigned begun, ended;          /* flows that on_flow told of */
    struct gateway_flow_info last;
    char error[DRV_ERROR_MAX];
};

/* ---- a namespace ---- */

static inline bool fx_put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        close(fd);
    return good;
}

static inline bool fx_lo(int fd, const char *name, const char *addr)
{
    struct ifreq r = {.ifr_flags = IFF_UP};
    struct sockaddr_in a = {.sin_family = AF_INET};
    (void)snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    if (addr) {
        a.sin_addr.s_addr = inet_addr(addr);
        memcpy(&r.ifr_addr, &a, sizeof(a));
        if (ioctl(fd, SIOCSIFADDR, &r) < 0)
            return false;
        memset(&r.ifr_ifru, 0, sizeof(r.ifr_ifru));
        r.ifr_flags = IFF_UP;
    }
    return ioctl(fd, SIOCSIFFLAGS, &r) == 0;
}

/* Once for the whole program. False: this machine allows no namespaces. */
static inline bool fx_own_net(void)
{
    static int made;
    char map[64];
    if (made)
        return made > 0;
    made = -1;
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(uid == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return false;
    if (uid != 0) {
        (void)snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
        (void)fx_put("/proc/self/uid_map", map);
        (void)fx_put("/proc/self/setgroups", "deny");
        (void)snprintf(map, sizeof(map), "0 %u 1", (unsigned)gid);
        (void)fx_put("/proc/self/gid_map", map);
    }
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fx_lo(fd, "lo", NULL) && fx_lo(fd, "lo:1", FX_ALIAS))
        made = 1;
    close(fd);
    return made > 0;
}

/* ---- the world ---- */

static inline struct oriel_addr fx_addr(const char *text)
{
    struct oriel_addr a = {0};
    EXPECT_EQ(oriel_addr_parse(text, &a), 0);
    return a;
}

static inline struct oriel_endpoint fx_at(const char *addr, uint16_t port)
{
    return (struct oriel_endpoint){.addr = fx_addr(addr), .port = port};
}

static inline struct node *fx_node(struct fx *f, const char *name, bool any, size_t memory,
                                   uint32_t connections)
{
    struct oriel_config c;
    struct oriel_netif_config n = {.name = "eth0", .any_addr = any, .no_dad = true, .ip6 = true,
                                   .mtu = 65520, .vouches = true, .gso = true, .tx_queue = 1024};
    static const char *const gateway[] = {"10.0.2.2/24", "fd00::2/64", "10.0.2.3/24", "fd00::3/64"};
    static const char *const guest[] = {"10.0.2.15/24", "fd00::15/64"};
    int err;
    oriel_config_init(&c);
    c.connections = connections;
    struct node *k = world_add_node(live_world(f->v), NODE_HOST, span_str(name), &c, memory);
    EXPECT(k != NULL && world_add_port(live_world(f->v), k, &n, &err) != NULL);
    for (unsigned i = 0; i < (any ? 4 : 2); i++) {
        struct oriel_addr a;
        uint8_t len;
        EXPECT_EQ(oriel_prefix_parse(any ? gateway[i] : guest[i], &a, &len), 0);
        EXPECT_EQ(oriel_addr_add(k->stack, k->ports[0].netif, &a, len), 0);
    }
    return k;
}

static inline void fx_routes(struct fx *f)
{
    const struct oriel_addr all4 = fx_addr("0.0.0.0"), all6 = {0};
    const struct oriel_addr gw4 = fx_addr("10.0.2.2"), gw6 = fx_addr("fd00::2");
    EXPECT_EQ(oriel_route_add(f->guest->stack, &all4, 96, &gw4, 0, 0), 0);
    EXPECT_EQ(oriel_route_add(f->guest->stack, &all6, 0, &gw6, 0, 0), 0);
}

static inline void fx_on_flow(void *ctx, const struct gateway_flow_info *i)
{
    struct fx *f = ctx;
    f->begun += i->begins;
    f->ended += !i->begins;
    f->last = *i;
}

/* What is not said of addresses is as `oriel run` has it. */
static inline struct fx *fx_open(const struct gateway_config *cfg, size_t memory, uint32_t connections)
{
    struct fx *f = calloc(1, sizeof(*f));
    struct gateway_config c = *cfg;
    f->v = live_open(&(struct live_config){.seed = 1, .quiet = true, .memory = 2 * memory + FX_WORLD}, f->error);
    EXPECT(f->v != NULL);
    f->guest = fx_node(f, "guest", false, memory, connections);
    f->gw = fx_node(f, "gw", true, memory, connections);
    EXPECT(world_join(live_world(f->v), &f->guest->ports[0], &f->gw->ports[0],
                      &(struct wire_params){.direct = true}) != NULL);
    fx_routes(f);
    c.on_flow = fx_on_flow;
    c.on_flow_ctx = f;
    f->g = gateway_open(f->v, f->gw, f->gw->ports[0].netif, &c, f->error);
    if (!f->g)
        fail_msg("%s", f->error);
    return f;
}

#define FX_USUAL .self4 = fx_addr("10.0.2.2"), .self6 = fx_addr("fd00::2"), \
                 .dns4 = fx_addr("10.0.2.3"), .dns6 = fx_addr("fd00::3")

static inline void fx_close(struct fx *f)
{
    EXPECT(world_check(live_world(f->v)) == NULL);
    gateway_close(f->g);
    EXPECT_EQ(f->begun, f->ended);
    live_close(f->v);
    free(f);
}

static inline void fx_turn(struct fx *f)
{
    EXPECT_EQ(live_turn(f->v, live_now(f->v) + NS_PER_MS), 0);
    oriel_step(f->guest->stack, live_now(f->v), NULL);
}

#define UNTIL(f, condition)                                                                        \
    do {                                                                                           \
        oriel_time fx_end = host_now() + 10 * NS_PER_S;                                            \
        bool fx_true;                                                                              \
        while (!(fx_true = (condition)) && host_now() < fx_end)                                    \
            fx_turn(f);                                                                            \
        if (!fx_true)                                                                              \
            fail_msg("not within ten seconds: %s", #condition);                                    \
    } while (0)

/* ---- the guest's sockets ---- */

static inline oriel_handle fx_connect(struct fx *f, const char *to, uint16_t port)
{
    oriel_handle h;
    struct oriel_endpoint e = fx_at(to, port);
    EXPECT_EQ(oriel_tcp_open(f->guest->stack, ORIEL_DUAL, &h), 0);
    EXPECT_EQ(oriel_connect(f->guest->stack, h, &e), 0);
    live_poke(f->v, f->guest);
    return h;
}

static inline uint32_t fx_ready(const struct fx *f, oriel_handle h)
{
    return oriel_ready(f->guest->stack, h);
}

static inline int fx_error(struct fx *f, oriel_handle h)
{
    int64_t e = 0;
    EXPECT_EQ(oriel_getopt(f->guest->stack, h, ORIEL_OPT_ERROR, &e), 0);
    return (int)e;
}

static inline int fx_send(struct fx *f, oriel_handle h, const void *data, size_t n)
{
    int took = oriel_send(f->guest->stack, h, data, n, NULL);
    live_poke(f->v, f->guest);
    return took;
}

static inline int fx_recv(struct fx *f, oriel_handle h, void *data, size_t n)
{
    int got = oriel_recv(f->guest->stack, h, data, n, NULL);
    live_poke(f->v, f->guest);
    return got;
}

static inline void fx_shutdown(struct fx *f, oriel_handle h)
{
    EXPECT_EQ(oriel_shutdown(f->guest->stack, h, ORIEL_SHUT_WRITE), 0);
    live_poke(f->v, f->guest);
}

static inline void fx_close_handle(struct fx *f, oriel_handle h, bool abort)
{
    EXPECT_EQ(abort ? oriel_abort(f->guest->stack, h) : oriel_close(f->guest->stack, h), 0);
    live_poke(f->v, f->guest);
}

static inline oriel_handle fx_udp(struct fx *f, uint16_t port, const char *to, uint16_t to_port)
{
    oriel_handle h;
    const struct oriel_endpoint at = {.port = port};
    EXPECT_EQ(oriel_udp_open(f->guest->stack, ORIEL_DUAL, &h), 0);
    EXPECT_EQ(oriel_bind(f->guest->stack, h, &at), 0);
    if (to) {
        struct oriel_endpoint e = fx_at(to, to_port);
        EXPECT_EQ(oriel_connect(f->guest->stack, h, &e), 0);
    }
    return h;
}

/* ---- the host's sockets ---- */

static inline struct sockaddr_storage fx_sockaddr(const char *addr, uint16_t port, socklen_t *len)
{
    struct sockaddr_storage s = {0};
    struct sockaddr_in *in = (struct sockaddr_in *)&s;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&s;
    bool v4 = strchr(addr, ':') == NULL;
    s.ss_family = v4 ? AF_INET : AF_INET6;
    if (v4)
        in->sin_port = htons(port);
    else
        in6->sin6_port = htons(port);
    EXPECT_EQ(inet_pton(s.ss_family, addr, v4 ? (void *)&in->sin_addr : (void *)&in6->sin6_addr), 1);
    *len = v4 ? sizeof(*in) : sizeof(*in6);
    return s;
}

/* Bound to the address; *port is the one that was chosen. */
static inline int fx_host(int type, const char *addr, uint16_t *port)
{
    socklen_t len;
    struct sockaddr_storage s = fx_sockaddr(addr, *port, &len);
    int fd = socket(s.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    EXPECT(fd >= 0);
    EXPECT_EQ(bind(fd, (struct sockaddr *)&s, len), 0);
    if (type == SOCK_STREAM)
        EXPECT_EQ(listen(fd, 4096), 0);
    EXPECT_EQ(getsockname(fd, (struct sockaddr *)&s, &len), 0);
    *port = ntohs(((struct sockaddr_in *)&s)->sin_port);        /* at one place in both families */
    return fd;
}

/* Connecting from that address (NULL: any), not waited for. */
static inline int fx_dial(const char *from, const char *to, uint16_t port)
{
    socklen_t len;
    struct sockaddr_storage s = fx_sockaddr(from ? from : to, 0, &len);
    int fd = socket(s.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (from)
        EXPECT_EQ(bind(fd, (struct sockaddr *)&s, len), 0);
    s = fx_sockaddr(to, port, &len);
    EXPECT(connect(fd, (struct sockaddr *)&s, len) == 0 || errno == EINPROGRESS);
    return fd;
}

static inline int fx_accept(struct fx *f, int listener)
{
    int fd = -1;
    UNTIL(f, (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0);
    return fd;
}

/* Bytes of which every one can be checked. */
static inline uint8_t fx_byte(unsigned flow, uint64_t at)
{
    return (uint8_t)(at * 31 + (at >> 8) * 7 + flow * 13);
}

static inline void fx_fill(uint8_t *to, size_t n, unsigned flow, uint64_t at)
{
    for (size_t i = 0; i < n; i++)
        to[i] = fx_byte(flow, at + i);
}

static inline bool fx_right(const uint8_t *p, size_t n, unsigned flow, uint64_t at)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != fx_byte(flow, at + i))
            return false;
    return true;
}

#endif
