/* Services in a world. */
#include "lab/app_svc.h"

size_t svc_app_memory(const struct svc_params *p)
{
    return p->kind == SVC_RESOLVE ? resolver_memory(SVC_CACHE) : 0;
}

static void seed_of(uint64_t seed, uint8_t out[32])
{
    struct rng g;
    rng_seed(&g, seed, 1);
    for (unsigned i = 0; i < 32; i++)
        out[i] = (uint8_t)rng_u64(&g);
}

static struct mac mac_of(const struct svc_app *a)
{
    struct oriel_netif_info n;
    struct mac mac = MAC_NONE;
    for (uint32_t at = 0; oriel_netif_each(a->host.stack, &at, &n);)
        if (n.netif == a->p.netif)
            memcpy(mac.b, n.mac, sizeof(mac.b));
    return mac;
}

static void start_resolver(struct svc_app *a, uint64_t seed, const struct oriel_endpoint *servers,
                           uint8_t servers_n, void *memory, oriel_time now)
{
    struct resolver_config c = {.stack = a->host.stack, .memory = memory,
                                .memory_bytes = resolver_memory(SVC_CACHE),
                                .cache_entries = SVC_CACHE};
    bool named = a->p.ask.servers_n > 0;
    c.servers_n = named ? a->p.ask.servers_n : servers_n;
    memcpy(c.servers, named ? a->p.ask.servers : servers, c.servers_n * sizeof(c.servers[0]));
    seed_of(seed, c.seed);
    a->failed = resolver_init(&a->is.resolver, &c);
    a->err = ORIEL_EAGAIN;
    if (!a->failed)
        a->failed = resolve_start(&a->is.resolver, now, &a->p.ask.name, a->p.ask.type, &a->ticket);
}

static void start_dhcp(struct svc_app *a, uint64_t seed, oriel_time now)
{
    struct dhcp4_client_config c = {.stack = a->host.stack, .netif = a->p.netif, .mac = mac_of(a),
                                    .host_name = a->p.dhcp.host_name,
                                    .requested = a->p.dhcp.requested};
    seed_of(seed, c.seed);
    a->failed = dhcp4_client_start(&a->is.client, now, &c);
}

/* The server's own address is the interface's on whose network the range is. */
static bool find_own(const struct svc_app *a, struct dhcp4_server_config *c)
{
    struct oriel_addr_info i;
    for (uint32_t at = 0; oriel_addr_each(a->host.stack, &at, &i);) {
        struct prefix net = prefix_of(i.addr, i.prefix_len);
        if (i.netif != a->p.netif || !prefix_has(&net, &c->first))
            continue;
        c->addr = i.addr;
        c->prefix_len = i.prefix_len;
        return true;
    }
    return false;
}

static void start_dhcp_server(struct svc_app *a, uint64_t seed)
{
    struct dhcp4_server_config c = {
        .stack = a->host.stack, .netif = a->p.netif, .first = a->p.serve.first,
        .last = a->p.serve.last, .table = a->is.dhcp.table, .table_n = SVC_LEASES_MAX,
        .reserved = a->p.serve.reserved, .reserved_n = a->p.serve.reserved_n,
        .router = a->p.serve.router, .dns_n = a->p.serve.dns_n, .domain = a->p.serve.domain,
        .mtu = a->p.serve.mtu, .lease_s = a->p.serve.lease_s};
    memcpy(c.dns, a->p.serve.dns, sizeof(c.dns));
    seed_of(seed, c.seed);
    a->failed = find_own(a, &c) ? dhcp4_server_start(&a->is.dhcp.server, &c)
                                : ORIEL_EADDRNOTAVAIL;
}

static void start_ra(struct svc_app *a, uint64_t seed, oriel_time now)
{
    struct ra_config c = a->p.ra;
    c.stack = a->host.stack;
    c.netif = a->p.netif;
    c.seed = seed;
    a->failed = ra_start(&a->is.ra, now, &c);
}

void svc_app_start(struct svc_app *a, const struct app_host *host, const struct svc_params *p,
                   uint64_t seed, const struct oriel_endpoint *servers, uint8_t servers_n,
                   void *memory, oriel_time now)
{
    memset(a, 0, sizeof(*a));
    a->host = *host;
    a->p = *p;
    a->due = ORIEL_NEVER;
    switch ((enum svc_kind)p->kind) {
    case SVC_NAMES:
        a->failed = names_start(&a->is.names, host, &p->names);
        break;
    case SVC_RESOLVE:
        start_resolver(a, seed, servers, servers_n, memory, now);
        break;
    case SVC_DHCP:
        start_dhcp(a, seed, now);
        break;
    case SVC_DHCP_SERVER:
        start_dhcp_server(a, seed);
        break;
    case SVC_RA:
        start_ra(a, seed, now);
        break;
    }
    svc_app_step(a, now);
}

void svc_app_step(struct svc_app *a, oriel_time now)
{
    if (a->failed)
        return;
    switch ((enum svc_kind)a->p.kind) {
    case SVC_NAMES:
        names_step(&a->is.names);
        break;
    case SVC_RESOLVE:
        a->due = resolver_step(&a->is.resolver, now);
        if (a->err == ORIEL_EAGAIN)
            a->err = resolve_take(&a->is.resolver, a->ticket, &a->answer);
        break;
    case SVC_DHCP:
        a->due = dhcp4_client_step(&a->is.client, now);
        break;
    case SVC_DHCP_SERVER:
        dhcp4_server_step(&a->is.dhcp.server, now);
        break;
    case SVC_RA:
        a->due = ra_step(&a->is.ra, now);
        break;
    }
}

void svc_app_stop(struct svc_app *a, bool release)
{
    if (a->failed)
        return;
    switch ((enum svc_kind)a->p.kind) {
    case SVC_NAMES:
        names_stop(&a->is.names);
        break;
    case SVC_RESOLVE:
        resolver_fini(&a->is.resolver);
        break;
    case SVC_DHCP:
        if (release)
            dhcp4_client_release(&a->is.client);
        else
            dhcp4_client_stop(&a->is.client);
        break;
    case SVC_DHCP_SERVER:
        dhcp4_server_stop(&a->is.dhcp.server);
        break;
    case SVC_RA:
        ra_stop(&a->is.ra);
        break;
    }
    a->due = ORIEL_NEVER;
}

bool svc_app_busy(const struct svc_app *a)
{
    if (a->failed)
        return false;
    if (a->p.kind == SVC_RESOLVE)
        return a->err == ORIEL_EAGAIN;
    return a->p.kind == SVC_DHCP && a->is.client.state != DHCP4_BOUND &&
           a->is.client.state != DHCP4_STOPPED;
}
