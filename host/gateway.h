/*
 * The gateway: a node whose far side is the host's own sockets. What a guest sends to any address is
 * carried on by a socket of the host, and back; no privileges are needed.
 *
 *     struct gateway *g = gateway_open(v, node, netif, &cfg, error);
 *     ... the world runs ...
 *     gateway_close(g);                  before live_close
 *
 * TCP: a SYN is held (oriel_admit) until the host's own connect has an answer: admitted, refused, or
 * unreachable, so a guest sees what the host saw. Then bytes both ways, without a copy of ours, with
 * back-pressure end to end: what the slower side does not take is not acknowledged. Half-close and
 * reset are carried through; urgent bytes arrive in line, without their mark. Each flow has its turn.
 * UDP: one host socket a flow (guest's endpoint), to any destination, kept while it is used; a closed port
 * comes back as port unreachable. ICMP echo: through the host's ping sockets where it allows them; elsewhere
 * it is answered as prohibited, except for addresses that are ours, and gateway_note says why.
 * DNS: at dns4 and dns6, port 53, questions are answered by a proxy with a cache, which asks the host's
 * name servers; one that does not answer gives way to the next. These addresses must be the node's own.
 * Published ports: a guest sees the peer's own address, or, where that means nothing to it (loopback, the
 * other family), the gateway's.
 *
 * The node's interface must stand in for others (oriel_netif_config.any_addr), and the node's readiness
 * (oriel_ready_take) is the gateway's. A flow takes descriptors, and the process's limit is its owner's to
 * raise, before; where they run out flows are refused with a reset.
 */
#ifndef ORIEL_HOST_GATEWAY_H
#define ORIEL_HOST_GATEWAY_H

#include "host/live.h"

struct gateway;

struct gateway_publish {            /* a port of the host that leads to the guest */
    struct oriel_endpoint host;     /* address all zero: every one of the host */
    struct oriel_endpoint guest;
    bool udp;
};

#define GATEWAY_PUBLISH_MAX 64

struct gateway_flow_info {
    const char *proto;              /* "tcp", "udp", "icmp" */
    struct oriel_endpoint guest, host;
    bool begins;
    int error;                      /* errno of the host's socket that ended it; 0: none */
    uint64_t bytes_in, bytes_out;   /* towards the guest, towards the host */
};

struct gateway_config {
    struct oriel_addr self4, self6; /* the host's loopback is reached there; zero: not at all */
    struct oriel_addr dns4, dns6;   /* the host's name servers are reached there; zero: not at all */
    struct gateway_publish publish[GATEWAY_PUBLISH_MAX];
    unsigned publish_n;
    struct oriel_endpoint name_servers[4];      /* instead of those in /etc/resolv.conf */
    unsigned name_servers_n;
    uint32_t flows;                 /* at most, as far as descriptors go; 0: 16,384 */
    oriel_time udp_life;            /* idle; 0: 60 s */
    /* A flow begins or ends, for summaries; may be NULL. */
    void (*on_flow)(void *ctx, const struct gateway_flow_info *f);
    void *on_flow_ctx;
};

/* NULL: a sentence in `error` (a published port that is taken, say). */
struct gateway *gateway_open(struct live *v, struct node *node, int netif,
                             const struct gateway_config *cfg, char error[DRV_ERROR_MAX]);
void gateway_close(struct gateway *g);

/* Flows that live now. */
unsigned gateway_flows(const struct gateway *g);
unsigned gateway_streams(const struct gateway *g);      /* those of TCP */
unsigned gateway_handshakes(const struct gateway *g);   /* and of those, where the guest has yet to answer */
bool gateway_owes(const struct gateway *g);             /* the host has not taken all that the guest sent */

/* What the host does not let it do, in a sentence; NULL: nothing. */
const char *gateway_note(const struct gateway *g);

#endif
