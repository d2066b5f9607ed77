#include "fx_link.h"

#include "fixture.h"
#include "pkt/seal.h"
#include "wire/cut.h"

#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define OURS4   "10.77.0.2"
#define THEIRS4 "10.77.0.1"
#define OURS6   "fd77::2"
#define THEIRS6 "fd77::1"

/* A namespace, and in it a device file of the kind that is meant; or the reason why not. */
static void needs_tun(void)
{
    link_namespace();
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        print_message("# no /dev/net/tun for us: %s\n", strerror(errno));
        skip();
    }
    close(fd);
}

/* ---- everything over everything ---- */

static void all_ways(const char *kind, unsigned mtu, bool v6, bool plain)
{
    char spec[256];
    const char *ours = v6 ? OURS6 : OURS4, *theirs = v6 ? THEIRS6 : THEIRS4;
    needs_tun();
    (void)snprintf(spec, sizeof(spec), "%s:t0,mtu=%u,addr=%s/%s,host=%s/%s%s", kind, mtu, ours,
                   v6 ? "64" : "24", theirs, v6 ? "64" : "24", plain ? ",plain" : "");
    struct fxl *f = link_open(spec);
    const struct drv *d = f->d;
    EXPECT_EQ(d->caps.mtu, mtu);
    EXPECT_EQ(d->caps.csum, !plain);
    link_ping(f, ours, theirs, 56);
    link_ping(f, ours, theirs, 3000);           /* in fragments, where it does not fit */
    link_datagram(f, ours, 1);
    link_datagram(f, ours, 4001);
    uint64_t pkts = d->rx_pkts + d->tx_pkts, bytes = d->rx_bytes + d->tx_bytes;
    link_talk(f, ours, theirs, 3 << 20);
    /* Half of the frames are acknowledgements. */
    uint64_t mean = (d->rx_bytes + d->tx_bytes - bytes) / (d->rx_pkts + d->tx_pkts - pkts);
    EXPECT(plain ? mean <= mtu : mtu >= 9000 || mean > mtu);
    EXPECT_EQ(d->rx_dropped, 0);
    EXPECT_EQ(d->tx_dropped, 0);
    link_close(f);
}

TEST("TAP: pings, datagrams in fragments and TCP both ways, both families, with offloads and plain")
{
    all_ways("tap", 576, false, false);
    all_ways("tap", 1500, false, true);
    all_ways("tap", 1280, true, false);
    all_ways("tap", 9000, true, true);
}

TEST("TUN: bare packets of both families, with offloads and plain")
{
    for (unsigned i = 0; i < 4; i++)
        all_ways("tun", 1500, i / 2, i % 2);
}

TEST("the largest MTU there is")
{
    all_ways("tun", 65535, false, true);
    all_ways("tap", 65521, true, false);
}

/* ---- what a frame holds ---- */

/* Some frames as a driver hands them up, without a stack. */
struct bare {
    struct fx_env fx;
    struct drv *d;
    struct pkt *p[DRV_BATCH];
    unsigned n;
};

static struct bare *bare_open(const char *spec)
{
    struct bare *b = calloc(1, sizeof(*b));
    struct drv_spec s;
    char error[DRV_ERROR_MAX];
    fx_env_init(&b->fx);
    b->d = link_driver(&s, spec, error);
    if (!b->d)
        fail_msg("%s", error);
    return b;
}

static void bare_free(struct bare *b)
{
    for (unsigned i = 0; i < b->n; i++)
        pkt_free(b->p[i]);
    b->n = 0;
}

static void bare_close(struct bare *b)
{
    bare_free(b);
    drv_close(b->d);
    fx_env_fini(&b->fx);
    free(b);
}

/* The kernel sends so many datagrams of that size to a neighbour that it knows, and they are read. */
static void bare_get(struct bare *b, size_t size, unsigned count)
{
    static const uint8_t data[65000];
    struct sockaddr_storage s;
    socklen_t n = link_sockaddr(&s, OURS4, 9);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    bare_free(b);
    for (unsigned i = 0; i < count; i++)
        EXPECT_EQ(sendto(fd, data, size, 0, (struct sockaddr *)&s, n), size);
    close(fd);
    b->n = b->d->kind->rx(b->d, &b->fx.env, b->p, DRV_BATCH);
}

static struct bare *bare_with(const char *more)
{
    char spec[200];
    needs_tun();
    (void)snprintf(spec, sizeof(spec), "tap:t0,host=%s/24%s", THEIRS4, more);
    struct bare *b = bare_open(spec);
    link_run("ip neigh replace %s lladdr 02:00:00:00:00:02 dev t0 nud permanent", OURS4);
    link_run("sysctl -qw net.ipv6.conf.t0.disable_ipv6=1");
    bare_get(b, 1, 1);
    return b;
}

TEST("a frame holds memory in proportion to its length")
{
    static const struct {
        size_t size;
        uint64_t most;
    } rows[] = {{18, 512}, {1472, 2304}, {1880, 2304}, {1973, 10752}, {8972, 10752}, {20000, 66304},
                {65000 - 28, 66304}};
    struct bare *b = bare_with(",mtu=65000,plain");
    for (unsigned i = 0; i < 7; i++) {
        bare_free(b);
        uint64_t before = b->fx.budget.used;
        bare_get(b, rows[i].size, 1);
        EXPECT_EQ(b->n, 1);
        EXPECT_EQ(pkt_len(b->p[0]), rows[i].size + 42);
        EXPECT(b->fx.budget.used - before <= rows[i].most);
    }
    bare_close(b);
}

TEST("what the kernel did not sum is told apart from what it did")
{
    struct bare *b = bare_with("");
    bare_get(b, 100, 3);
    EXPECT_EQ(b->n, 3);
    EXPECT_EQ(b->p[0]->csum, CSUM_PARTIAL);
    EXPECT_EQ(b->p[0]->l3, 14);
    bare_close(b);
    b = bare_with(",plain");
    bare_get(b, 100, 3);
    EXPECT_EQ(b->p[2]->csum, CSUM_NONE);
    bare_close(b);
}

#define SENT_AS_ONE 103                 /* UDP_SEGMENT */

/* So many bytes in one call, in datagrams of `each`. */
static void send_as_one(const char *to, size_t bytes, int each)
{
    static uint8_t data[60000];
    struct sockaddr_storage s;
    socklen_t n = link_sockaddr(&s, to, 9);
    int fd = socket(s.ss_family, SOCK_DGRAM, 0);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)(i * 7);
    EXPECT_EQ(setsockopt(fd, IPPROTO_UDP, SENT_AS_ONE, &each, sizeof(each)), 0);
    EXPECT_EQ(sendto(fd, data, bytes, 0, (struct sockaddr *)&s, n), bytes);
    close(fd);
}

/* Its headers, and where its data stands in what was sent. */
static void is_datagram(struct env *env, struct pkt *p, size_t hdr, size_t from, size_t size)
{
    EXPECT_EQ(pkt_len(p), hdr + size);
    EXPECT(p->csum == CSUM_PARTIAL && p->gso == GSO_NONE && p->l3 == 14);
    EXPECT(pkt_seal(env, p));
    struct transport t;
    const uint8_t *net = pkt_data(p) + 14;
    EXPECT(transport_find(span_of(net, pkt_len(p) - 14), &t) && t.proto == IP_UDP);
    EXPECT_EQ(load_be16(net + t.at + 4), size + 8);
    uint32_t sum = csum_add(transport_partial(&t, (uint32_t)size + 8), csum_small(net + t.at, size + 8));
    EXPECT_EQ(csum_finish(sum), 0);
    EXPECT_EQ(t.v4 ? load_be16(net + 2) : load_be16(net + 4) + 40u, pkt_len(p) - 14);
    EXPECT(!t.v4 || csum_finish(csum_small(net, 20)) == 0);
    for (size_t i = 0; i < size; i++)
        EXPECT_EQ(pkt_data(p)[hdr + i], (uint8_t)((from + i) * 7));
}

TEST("datagrams that a program sent as one come one by one, whole")
{
    struct bare *b = bare_with(",host=10.77.1.1/24");
    link_run("sysctl -qw net.ipv6.conf.t0.disable_ipv6=0 && ip addr add " THEIRS6 "/64 dev t0 nodad && "
             "ip neigh replace " OURS6 " lladdr 02:00:00:00:00:02 dev t0 nud permanent");
    for (unsigned v6 = 0; v6 < 2; v6++) {
        size_t from = 0;
        do {                                    /* what the kernel says of its own goes by */
            bare_free(b);
            b->n = b->d->kind->rx(b->d, &b->fx.env, b->p, 1);
        } while (b->n > 0);
        uint64_t frames = b->d->rx_pkts;
        send_as_one(v6 ? OURS6 : OURS4, 9500, 1000);
        for (unsigned i = 0; i < 10; i++, from += 1000) {
            bare_free(b);
            b->n = b->d->kind->rx(b->d, &b->fx.env, b->p, 1);
            EXPECT_EQ(b->n, 1);
            is_datagram(&b->fx.env, b->p[0], v6 ? 62 : 42, from, i < 9 ? 1000 : 500);
        }
        EXPECT(!strstr(b->d->notes[0], "pass as one") || b->d->rx_pkts == frames + 1);
    }
    send_as_one(OURS4, 9500, 1000);
    bare_free(b);
    b->n = b->d->kind->rx(b->d, &b->fx.env, b->p, 3);
    EXPECT_EQ(b->n, 3);
    b->fx.budget.max = b->fx.budget.used;
    EXPECT_EQ(b->d->kind->rx(b->d, &b->fx.env, b->p + 3, 20), 0);
    EXPECT_EQ(b->d->rx_lost[DRV_LOST_MEMORY], 7);
    bare_close(b);
}

TEST("datagrams of ours that are one behind the other leave as one, on TAP and TUN")
{
    for (unsigned i = 0; i < 4; i++) {
        char spec[200];
        const char *ours = i % 2 ? OURS6 : OURS4, *theirs = i % 2 ? THEIRS6 : THEIRS4;
        needs_tun();
        (void)snprintf(spec, sizeof(spec), "%s:t0,addr=%s/%s,host=%s/%s", i / 2 ? "tun" : "tap", ours,
                       i % 2 ? "64" : "24", theirs, i % 2 ? "64" : "24");
        struct fxl *f = link_open(spec);
        link_ping(f, ours, theirs, 56);
        link_datagrams(f, ours, strstr(f->d->notes[0], "pass as one") != NULL);
        link_close(f);
    }
}

TEST("without memory frames are thrown away, counted: they would wake us for ever")
{
    struct bare *b = bare_with("");
    bare_free(b);
    b->fx.budget.max = b->fx.budget.used;
    bare_get(b, 1000, 5);
    EXPECT_EQ(b->n, 0);
    EXPECT_EQ(b->d->rx_dropped, 5);
    EXPECT_EQ(b->d->rx_lost[DRV_LOST_MEMORY], 5);
    struct pollfd p = {.fd = b->d->fd, .events = POLLIN};
    EXPECT_EQ(poll(&p, 1, 0), 0);
    b->fx.budget.max = 1 << 20;
    bare_get(b, 1000, 5);
    EXPECT_EQ(b->n, 5);
    bare_close(b);
}

/* ---- devices that somebody else made, several queues ---- */

TEST("a device that exists is used as it is: made for one queue or for several, and still there afterwards")
{
    for (unsigned i = 0; i < 2; i++) {
        needs_tun();
        link_run("ip tuntap add t0 mode tap %s && ip addr add %s/24 dev t0 && ip link set t0 up",
                 i ? "multi_queue" : "", THEIRS4);
        struct fxl *f = link_open("tap:t0,addr=" OURS4 "/24");
        EXPECT(f->d->notes_n >= 1);
        EXPECT_EQ(kernif_queue("t0"), 1000);
        link_ping(f, OURS4, THEIRS4, 100);
        link_talk(f, OURS4, THEIRS4, 100000);
        link_close(f);
        EXPECT(kernif_index("t0") > 0);
    }
}

TEST("a device that we make has a long queue, and goes with us")
{
    needs_tun();
    struct fxl *f = link_open("tap:t0,host=" THEIRS4 "/24,addr=" OURS4 "/24");
    EXPECT_EQ(kernif_queue("t0"), 16384);
    EXPECT_EQ(kernif_is_up("t0"), 1);
    link_close(f);
    EXPECT(kernif_index("t0") < 0);
    f = link_open("tap:,host=" THEIRS4 "/24,addr=" OURS4 "/24,txq=77,mac=02:00:00:00:00:09");
    EXPECT_STR(f->d->name, "oriel0");
    EXPECT_EQ(kernif_queue("oriel0"), 77);
    EXPECT_EQ(f->d->caps.mac[5], 9);
    link_close(f);
}

TEST("several queues carry what one would")
{
    needs_tun();
    struct fxl *f = link_open("tap:t0,queues=3,host=" THEIRS4 "/24,addr=" OURS4 "/24");
    EXPECT(strstr(f->d->notes[0], "3 queues") != NULL);
    for (unsigned i = 0; i < 6; i++)
        link_talk_one(f, OURS4, THEIRS4, 300000, i % 2);
    link_ping(f, OURS4, THEIRS4, 100);
    link_close(f);
}

TEST("a device that is taken away ends the link, and nothing else")
{
    needs_tun();
    struct fxl *f = link_open("tap:t0,host=" THEIRS4 "/24,addr=" OURS4 "/24");
    link_ping(f, OURS4, THEIRS4, 100);
    link_run("ip link del t0");
    link_turn(f, 10 * NS_PER_MS);
    link_turn(f, 10 * NS_PER_MS);
    EXPECT(f->d->error < 0);
    EXPECT(world_next(live_world(f->v)) > live_now(f->v));      /* it sleeps */
    link_close(f);
}

TEST("a device that is down drops what is sent, and works when it is up again")
{
    needs_tun();
    struct fxl *f = link_open("tap:t0,host=" THEIRS4 "/24,addr=" OURS4 "/24");
    link_ping(f, OURS4, THEIRS4, 100);
    link_run("ip link set t0 down");
    struct oriel_msg m = {.peer = link_at(THEIRS4, 9)};
    oriel_handle h;
    EXPECT_EQ(oriel_udp_open(f->n->stack, ORIEL_IP4, &h), 0);
    EXPECT_EQ(oriel_send(f->n->stack, h, "x", 1, &m), 1);
    live_poke(f->v, f->n);
    link_turn(f, NS_PER_MS);
    EXPECT(f->d->tx_dropped >= 1);              /* a membership report may have been on its way */
    EXPECT_EQ(f->d->error, 0);
    link_run("ip link set t0 up");
    link_ping(f, OURS4, THEIRS4, 100);
    link_close(f);
}

/* ---- refusals ---- */

static void refused(const char *spec, const char *const words[], unsigned n)
{
    struct drv_spec s;
    char error[DRV_ERROR_MAX];
    struct drv *d = link_driver(&s, spec, error);
    if (d)
        fail_msg("%s was opened", spec);
    for (unsigned i = 0; i < n; i++)
        if (!strstr(error, words[i]))
            fail_msg("%s: '%s' does not say '%s'", spec, error, words[i]);
}

#define REFUSED(spec, ...)                                                                         \
    refused(spec, (const char *const[]){__VA_ARGS__},                                              \
            (unsigned)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)))

TEST("what makes no sense is refused with what was found and what was expected")
{
    needs_tun();
    REFUSED("tap:t0,host=10.0.0.1", "host", "10.0.0.1", "prefix");
    REFUSED("tap:t0,queues=0", "queues", "'0'", "1 to 16");
    REFUSED("tap:t0,queues=17", "1 to 16");
    REFUSED("tap:t0,txq=many", "txq", "many");
    REFUSED("tap:t0,colour=red", "colour", "host=");
    REFUSED("tap:t0,fd=5,queues=2", "queues=2", "fd=");
    REFUSED("tap:t0,fd=none", "fd", "none", "descriptor");
    REFUSED("tun:t0,mac=02:00:00:00:00:01", "mac", "no link addresses");
    REFUSED("tap:t0,dev=", "dev", "/dev/net/tun");
    REFUSED("tap:averyveryverylongname", "averyveryverylongname", "15");
    REFUSED("tap:lo", "lo", "no tap device");
    REFUSED("tun:t0,dev=/nowhere/tun", "/nowhere/tun", "modprobe tun", "--link user");
    link_run("ip tuntap add t1 mode tun");
    REFUSED("tap:t1", "t1", "no tap device");
    struct fxl *f = link_open("tap:t0,host=" THEIRS4 "/24,addr=" OURS4 "/24");
    REFUSED("tap:t0", "t0", "another program");
    link_close(f);
}

/* As somebody without privileges, who may open that device file or may not. */
static int unprivileged(void *arg)
{
    const char *path = arg;
    struct drv_spec s;
    char error[DRV_ERROR_MAX], spec[200];
    const char *const no_file[] = {path, "permission denied", "dev=", "--link user"};
    const char *const no_cap[] = {"CAP_NET_ADMIN", "ip tuntap add t0", "--link user"};
    if (setgid(65534) != 0 || setuid(65534) != 0)
        return 1;
    (void)snprintf(spec, sizeof(spec), "tap:t0,dev=%s", path);
    REFUSED(spec, no_file[0], no_file[1], no_file[2], no_file[3]);
    (void)snprintf(spec, sizeof(spec), "tap:t0,dev=%s2", path);
    REFUSED(spec, no_cap[0], no_cap[1], no_cap[2]);
    (void)snprintf(spec, sizeof(spec), "tap:t9,dev=%s2", path);
    struct drv *d = link_driver(&s, spec, error);
    if (!d)
        return 2;                       /* it was made for us */
    drv_close(d);
    (void)snprintf(spec, sizeof(spec), "tap:t9,host=10.0.0.1/24,dev=%s2", path);
    REFUSED(spec, "t9", "brought up", "CAP_NET_ADMIN");
    return 0;
}

TEST("without permission: which file, which capability, and the flag that needs none")
{
    char dir[] = "/tmp/oriel-tun-XXXXXX", path[64], path2[64];
    int status = -1;
    needs_tun();
    EXPECT(mkdtemp(dir) != NULL);
    EXPECT_EQ(chmod(dir, 0755), 0);
    (void)snprintf(path, sizeof(path), "%s/tun", dir);
    (void)snprintf(path2, sizeof(path2), "%s/tun2", dir);
    bool made = mknod(path, S_IFCHR | 0600, makedev(10, 200)) == 0 &&
                mknod(path2, S_IFCHR | 0666, makedev(10, 200)) == 0 && chmod(path2, 0666) == 0;
    int fd = made ? open(path2, O_RDWR) : -1;
    if (fd >= 0) {
        close(fd);
        link_run("ip tuntap add t9 mode tap user 65534");
        EXPECT_EQ(waitpid(link_child(unprivileged, path), &status, 0) > 0, 1);
    }
    (void)unlink(path);
    (void)unlink(path2);
    (void)rmdir(dir);
    if (fd < 0) {
        print_message("# device files cannot be made or opened in /tmp: %s\n", strerror(errno));
        skip();
    }
    EXPECT_EQ(status, 0);
}
