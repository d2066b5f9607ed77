/*
 * Services (src/svc) as applications of a world: a name server, a question to one, DHCP's client
 * and server, a sender of router advertisements. One struct for all: a scenario starts them by
 * kind.
 */
#ifndef ORIEL_LAB_APP_SVC_H
#define ORIEL_LAB_APP_SVC_H

#include "lab/app_names.h"
#include "svc/dhcp4_client.h"
#include "svc/dhcp4_server.h"
#include "svc/ra.h"
#include "svc/resolve.h"

#define SVC_LEASES_MAX   64
#define SVC_RESERVED_MAX 8
#define SVC_CACHE        8

enum svc_kind {
    SVC_NAMES,
    SVC_RESOLVE,
    SVC_DHCP,
    SVC_DHCP_SERVER,
    SVC_RA,
};

/* What is wanted; of the kind's part only. */
struct svc_params {
    uint8_t kind;
    int netif;                          /* DHCP, advertisements */
    struct names_params names;
    struct {
        struct dns_name name;
        uint16_t type;
        uint8_t servers_n;              /* 0: those that the node learned */
        struct oriel_endpoint servers[RESOLVE_SERVERS_MAX];
    } ask;
    struct {
        struct oriel_addr requested;
        struct span host_name;
    } dhcp;
    struct {
        struct oriel_addr first, last, router;
        uint8_t dns_n;
        struct oriel_addr dns[DHCP4_ADDRS_MAX];
        struct span domain;
        uint16_t mtu;
        uint32_t lease_s;
        uint32_t reserved_n;
        struct dhcp4_reservation reserved[SVC_RESERVED_MAX];
    } serve;
    struct ra_config ra;
};

struct svc_app {
    struct app_host host;
    struct svc_params p;
    int failed;                         /* it could not be started: enum oriel_err */
    oriel_time due;
    /* SVC_RESOLVE */
    uint32_t ticket;
    int err;                            /* ORIEL_EAGAIN: no answer yet */
    struct dns_answer answer;
    union {
        struct names names;
        struct resolver resolver;
        struct dhcp4_client client;
        struct {
            struct dhcp4_server server;
            struct dhcp4_binding table[SVC_LEASES_MAX];
        } dhcp;
        struct ra_sender ra;
    } is;
};

/* Bytes that a question needs besides. */
size_t svc_app_memory(const struct svc_params *p);

/*
 * seed tells applications apart. servers: name servers for a question that names none. memory:
 * svc_app_memory bytes.
 */
void svc_app_start(struct svc_app *a, const struct app_host *host, const struct svc_params *p,
                   uint64_t seed, const struct oriel_endpoint *servers, uint8_t servers_n,
                   void *memory, oriel_time now);
void svc_app_step(struct svc_app *a, oriel_time now);
void svc_app_stop(struct svc_app *a, bool release);     /* release: a lease is given back */

/* Is there something that it wants to bring to an end? */
bool svc_app_busy(const struct svc_app *a);

#endif
