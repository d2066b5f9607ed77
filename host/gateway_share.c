/*
 * What the host's kernel may keep of a flow, each way.
 *
 * Its memory for TCP is one for all its sockets (tcp_mem). Once it economises, what has come is dropped, of whomever, and
 * waits for somebody's timeout: of ten thousand flows that all moved, a third moved a quarter less and some stood
 * still for seconds. So flows share what there is before that, one half for each way. As long as a share is no
 * smaller than what a socket may be given, sockets are left to the kernel, which knows better. It lets a socket alone once
 * it was set: a flow that outlives a crowd has GW_SHARE_ENOUGH from then on.
 */
#include "host/gateway_flow.h"

#include <stdio.h>
#include <unistd.h>

/* Namespaces do not see the number; it is a sixteenth of all memory where nobody has set another. */
void gw_share_open(struct gateway *g)
{
    unsigned long low, economises;
    uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES) / 16;
    FILE *f = fopen("/proc/sys/net/ipv4/tcp_mem", "re");
    if (f && fscanf(f, "%lu %lu", &low, &economises) == 2)
        pages = economises;
    if (f)
        (void)fclose(f);
    g->host_memory = pages * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
    g->share = GW_SHARE_ENOUGH;
}

/* Half of what it is to hold: what the kernel keeps beside the bytes is the other. */
static void give(const struct gw_flow *f, uint64_t share)
{
    const int bytes = (int)(share / 2);
    (void)setsockopt(f->source.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    (void)setsockopt(f->source.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

static void give_all(const struct gateway *g, enum gw_age age)
{
    for (struct list *l = g->ages[age].next; l != &g->ages[age]; l = l->next)
        give(CONTAINER_OF(l, struct gw_flow, aged), g->share);
}

void gw_share(struct gateway *g, const struct gw_flow *begun)
{
    const uint64_t before = g->share;
    if (g->streams > g->sharers || g->streams < g->sharers / 2) {
        g->sharers = g->streams + g->streams / 4;       /* so that not each that comes changes all */
        g->share = g->host_memory / (g->sharers ? g->sharers : 1);
        g->share = g->share < GW_SHARE_ENOUGH ? g->share : GW_SHARE_ENOUGH;
    }
    if (g->share != before) {
        give_all(g, GW_AGE_TCP);
        give_all(g, GW_AGE_HANDSHAKE);
    } else if (begun && g->share < GW_SHARE_ENOUGH) {
        give(begun, g->share);
    }
}
