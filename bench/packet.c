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
#include "bench/kernveth.h"

#include <linux/if_packet.h>
#include <net/ethernet.h>

static const char *const super = "true";
static const char *const plain = "ip link set v1 gso_max_size 1500 gso_max_segs 1";

static void serve_raw(void *ctx)
{
    uint8_t mac[6];
    int one = 1, big = 16 << 20;
    if (!veth_make(ctx, mac))
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
    if (veth_make(ctx, mac))
        live_serve_on("packet:v0,addr=" KERN_US "/24,mac=02:00:00:00:00:02", false);
}

int main(int argc, char **argv)
{
    bool strict = argc > 1 && strcmp(argv[argc - 1], "--strict") == 0;
    kern_begin();
    veth_measure("packet.bulk.rx", serve_raw, serve_live, super, KERN_SEND, (uint64_t)1 << 30);
    veth_measure("packet.bulk.tx", serve_raw, serve_live, super, KERN_RECV, (uint64_t)1 << 30);
    veth_measure("packet.plain.rx", serve_raw, serve_live, plain, KERN_SEND, (uint64_t)128 << 20);
    return strict && *bench_short() > 0;
}
