/*
 * Oriel and the kernel over a veth, Oriel on an AF_PACKET socket of its end (host/drv_packet.c), both on one
 * processor, beside the bound of any stack on such a socket (kernraw.h) in the same run. Needs root; makes
 * network namespaces of its own.
 *
 *     build/bench/packet [--strict]
 *
 *     packet.bulk.rx, packet.bulk.tx      Gbit/s from the kernel and to it, super-segments both ways
 *     packet.plain.rx                     the same in frames of 1,500: the kernel's end leaves nothing to the veth
 */
#include "bench/kernlive.h"
#include "bench/kernraw.h"

#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>

static const char *const super = "true";
static const char *const plain = "ip link set v1 gso_max_size 1500 gso_max_segs 1";

/* A veth from the namespace of who asks (v1, tuned) to one of our own (v0). False: said why. */
static bool make_veth(const char *more, uint8_t mac[6])
{
    char line[256];
    if (kern_run("ip link add v0 type veth peer name v1 && ip addr add " KERN_THEM "/24 dev v1 && "
                 "ip link set v1 up") != 0 ||
        kern_run(more) != 0 || !kern_tune("v1") || kernif_mac("v1", mac) != 0 || unshare(CLONE_NEWNET) != 0)
        return false;
    snprintf(line, sizeof(line), "nsenter -t %d -n ip link set v0 netns %d && ip link set v0 up",
             (int)getppid(), (int)getpid());
    return kern_run(line) == 0;
}

static void serve_raw(void *ctx)
{
    uint8_t mac[6];
    int one = 1, big = 16 << 20;
    if (!make_veth(ctx, mac))
        return;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
                             .sll_ifindex = kernif_index("v0")};
    if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) != 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof(big)) != 0 ||
        bind(fd, (struct sockaddr *)(void *)&at, sizeof(at)) != 0) {
        perror("an AF_PACKET socket");
        return;
    }
    raw_serve_on(fd, true, true, mac);
}

static void serve_live(void *ctx)
{
    uint8_t mac[6];
    if (make_veth(ctx, mac))
        live_serve_on("packet:v0,addr=" KERN_US "/24,mac=02:00:00:00:00:02", false);
}

static void measure(const char *name, const char *more, enum kern_what what, uint64_t n)
{
    struct kern bound, ours;
    struct bench_runs b = {.n = 0}, r = {.n = 0}, ratio = {.n = 0};
    char text[128];
    snprintf(text, sizeof(text), "%s", more);
    kern_start(&bound, serve_raw, text);
    kern_start(&ours, serve_live, text);
    for (int i = -1; i < BENCH_REPS; i++) {
        double x = kern_ask(&bound, what, n), y = kern_ask(&ours, what, n);
        if (i < 0)
            continue;           /* to become warm */
        bench_add(&b, (double)n * 8e-9 / x);
        bench_add(&r, (double)n * 8e-9 / y);
        bench_add(&ratio, x / y);
    }
    kern_stop(&bound);
    kern_stop(&ours);
    bench_bound(name, &b, "Gbit/s");
    bench_reach_bound(name, &r, "Gbit/s", &b, &ratio, 0.90);
}

int main(int argc, char **argv)
{
    bool strict = argc > 1 && strcmp(argv[argc - 1], "--strict") == 0;
    kern_begin();
    measure("packet.bulk.rx", super, KERN_SEND, (uint64_t)1 << 30);
    measure("packet.bulk.tx", super, KERN_RECV, (uint64_t)1 << 30);
    measure("packet.plain.rx", plain, KERN_SEND, (uint64_t)128 << 20);
    return strict && *bench_short() > 0;
}
