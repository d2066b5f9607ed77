#include "fx_veth.h"

#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>

extern const struct drv_kind drv_xdp;

/* two_namespaces, where this kernel has AF_XDP. */
static void xdp_namespaces(unsigned mtu)
{
    char why_not[DRV_ERROR_MAX];
    if (!drv_xdp.available(why_not)) {
        print_message("# %s\n", why_not);
        skip();
    }
    two_namespaces(mtu);
}

static struct fxl *open_xdp(const char *more)
{
    char spec[256];
    (void)snprintf(spec, sizeof(spec), "xdp:v0,addr=" OURS4 "/24,addr=" OURS6 "/64%s", more);
    struct fxl *f = link_open(spec);
    f->enter = into_far;
    return f;
}

static bool says(const struct drv *d, const char *what)
{
    for (unsigned i = 0; i < d->notes_n; i++)
        if (strstr(d->notes[i], what))
            return true;
    return false;
}

static void both_ways(struct fxl *f, bool v6, uint64_t bytes)
{
    const char *ours = v6 ? OURS6 : OURS4, *theirs = v6 ? THEIRS6 : THEIRS4;
    link_ping(f, ours, theirs, 56);
    link_ping(f, ours, theirs, 3000);
    link_datagram(f, ours, 4001);
    link_talk(f, ours, theirs, bytes);
    EXPECT_EQ(f->d->rx_dropped, 0);
    EXPECT_EQ(f->d->tx_dropped, 0);
}

static void all_ways(unsigned mtu, bool v6, bool plain, const char *more)
{
    xdp_namespaces(mtu);
    if (plain)
        far_is_plain();
    struct fxl *f = open_xdp(more);
    EXPECT_EQ(f->d->caps.mtu, mtu);
    both_ways(f, v6, 1 << 20);
    link_close(f);
    far_end();
}

TEST("pings, datagrams in fragments and TCP both ways; frames of several pieces; the far end's sums open and not")
{
    all_ways(576, false, false, "");
    all_ways(9000, true, false, "");
    all_ways(1500, false, true, ",plain");
}

TEST("it says what the kernel gave it: native where nothing else is said, generic, copies")
{
    xdp_namespaces(1500);
    struct fxl *f = open_xdp("");
    EXPECT(says(f->d, "native mode"));
    EXPECT(says(f->d, "copy: the kernel copies"));
    EXPECT(says(f->d, "sums that the other end left"));
    link_close(f);
    far_is_plain();                             /* its super-segments would come whole */
    f = open_xdp(",generic,copy");
    EXPECT(says(f->d, "generic mode"));
    both_ways(f, false, 300000);
    link_close(f);
    far_end();
}

/* The interface's own link address, as mac=. */
static void own_mac(char *to, size_t cap)
{
    uint8_t m[6];
    EXPECT_EQ(kernif_mac("v0", m), 0);
    (void)snprintf(to, cap, ",mac=%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
}

static int ping_host(void *arg)
{
    (void)arg;
    into_far();
    struct link_peer k = {.to = HOST4, .size = 100};
    return link_ping_child(&k);
}

static void host_is_left_alone(struct fxl *f)
{
    uint64_t before = f->d->rx_pkts;
    for (unsigned i = 0; i < 3; i++)
        EXPECT_EQ(link_wait(f, link_child(ping_host, NULL)), 0);
    EXPECT(f->d->rx_pkts <= before + 3);        /* groups: membership reports */
}

TEST("the host's own traffic is left alone, with a link address beside its own and where that is shared")
{
    char mac[64];
    xdp_namespaces(1500);
    struct fxl *f = open_xdp("");
    host_is_left_alone(f);
    link_close(f);
    own_mac(mac, sizeof(mac));
    f = open_xdp(mac);
    both_ways(f, false, 300000);
    both_ways(f, true, 300000);
    host_is_left_alone(f);
    link_close(f);
    far_end();
}

TEST("a queue that is not the first; what arrives at others comes all the same")
{
    link_veth = " numrxqueues 2 numtxqueues 2";
    xdp_namespaces(1500);
    link_veth = "";
    struct fxl *f = open_xdp(",queue=1");
    EXPECT(says(f->d, "queue 1 of 2 is read"));
    both_ways(f, false, 300000);
    link_close(f);
    far_end();
}

TEST("an interface that is down: what is sent is lost, nobody wakes for nothing; up again it goes on")
{
    xdp_namespaces(1500);
    struct fxl *f = open_xdp("");
    link_ping(f, OURS4, THEIRS4, 100);
    link_run("ip link set v0 down");
    struct oriel_msg m = {.peer = link_at(THEIRS4, 9)};
    oriel_handle h;
    EXPECT_EQ(oriel_udp_open(f->n->stack, ORIEL_IP4, &h), 0);
    for (unsigned i = 0; i < 20; i++) {
        EXPECT_EQ(oriel_send(f->n->stack, h, "x", 1, &m), 1);
        live_poke(f->v, f->n);
        link_turn(f, NS_PER_MS);
    }
    EXPECT(f->d->tx_dropped > 10);
    unsigned turns = 0;
    for (oriel_time end = live_now(f->v) + 20 * NS_PER_MS; live_now(f->v) < end; turns++)
        link_turn(f, 10 * NS_PER_MS);
    EXPECT(turns < 20);
    link_run("ip link set v0 up");
    link_ping(f, OURS4, THEIRS4, 100);
    link_close(f);
    far_end();
}

TEST("an interface that goes away ends the link")
{
    xdp_namespaces(1500);
    struct fxl *f = open_xdp("");
    v0_goes_away(f);
}

static int killed(void *arg)
{
    (void)arg;
    (void)open_xdp("");
    link_run("ip link show v0 | grep -q prog/xdp");
    (void)raise(SIGKILL);
    return 1;
}

TEST("a process that is killed leaves no program on the interface")
{
    int status;
    xdp_namespaces(1500);
    EXPECT(waitpid(link_child(killed, NULL), &status, 0) > 0);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    link_run("for i in $(seq 100); do ip link show v0 | grep -q prog/xdp || exit 0; sleep .02; done; exit 1");
    struct fxl *f = open_xdp("");
    link_ping(f, OURS4, THEIRS4, 100);
    link_close(f);
    far_end();
}

TEST("an address that the kernel has, a queue that is not there, one that is taken, no zero-copy: refused")
{
    xdp_namespaces(1500);
    link_refused("xdp:v0,addr=" HOST4 "/24", HOST4, "kernel's own (on v0)");
    link_refused("xdp:nowhere", "nowhere", "no such interface");
    link_refused("xdp:v0,queue=1", "queue '1'", "v0 has 1");
    link_refused("xdp:v0,queue=x", "queue 'x'", "v0 has 1");
    link_refused("xdp:v0,zerocopy", "v0", "no zero-copy here");
    link_refused("xdp:v0,mtu=9000", "9000", "1500");
    link_refused("xdp:v0,native,generic", "native", "generic");
    link_refused("xdp:v0,generic,zerocopy", "zerocopy", "only one");
    struct fxl *f = open_xdp("");
    link_refused("xdp:v0,addr=10.78.0.9/24", "v0", "another");
    link_close(f);
    far_end();
}

/* Of all capabilities those alone. */
static void keep_capabilities(uint64_t which)
{
    struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct c[2] = {
        {.effective = (uint32_t)which, .permitted = (uint32_t)which},
        {.effective = (uint32_t)(which >> 32), .permitted = (uint32_t)(which >> 32)},
    };
    if (syscall(SYS_capset, &h, c) != 0)
        _exit(91);
}

static int raw_alone(void *arg)
{
    (void)arg;
    keep_capabilities(1ull << CAP_NET_RAW);
    link_refused("xdp:v0", "CAP_BPF", "--link packet:v0");
    return 0;
}

static int no_locking(void *arg)
{
    struct rlimit little = {65536, 65536};
    (void)arg;
    (void)setrlimit(RLIMIT_MEMLOCK, &little);
    keep_capabilities(1ull << CAP_NET_RAW | 1ull << CAP_NET_ADMIN | 1ull << CAP_BPF);
    link_refused("xdp:v0", "CAP_IPC_LOCK", "ulimit -l");
    return 0;
}

static int unprivileged(void *arg)
{
    (void)arg;
    if (setgid(65534) != 0 || setuid(65534) != 0)
        return 1;
    link_refused("xdp:v0", "CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF", "--link user");
    return 0;
}

TEST("without the capabilities: which, and the flag that needs none")
{
    static int (*const who[])(void *) = {unprivileged, raw_alone, no_locking};
    xdp_namespaces(1500);
    for (unsigned i = 0; i < 3; i++) {
        int status = -1;
        EXPECT(waitpid(link_child(who[i], NULL), &status, 0) > 0);
        EXPECT_EQ(status, 0);
    }
    far_end();
}
