/* Services of a verb's link: an address by DHCP where none is given, and names of hosts. */
#include "cli/netrun.h"
#include "cli/out.h"

#include <stdio.h>

#define LEASE_PATIENCE (8 * NS_PER_S)   /* two questions went unanswered then */
#define RA_PATIENCE    (4 * NS_PER_S)   /* for a router that tells of name servers */
#define NAME_PATIENCE  (30 * NS_PER_S)

static bool has_lease(void *ctx)
{
    const struct netrun *n = ctx;
    return live_svc_lease(n->svc) != NULL;
}

/* Without an address the verb may still speak IPv6. */
static int await_lease(struct netrun *n)
{
    int status = netrun_wait(n, LEASE_PATIENCE, has_lease, n);
    char text[ADDR_TEXT_MAX];
    const struct dhcp4_lease *l = live_svc_lease(n->svc);
    if (status != EXIT_OK || n->interrupted)
        return status;
    if (!l && n->spec.dhcp) {
        out_error(n->args->verb->name, "no DHCP server answers on %s; addr=A/LEN gives an address "
                                       "without one", n->drv->name);
        return EXIT_SETUP;
    }
    if (!l) {
        out_note("no DHCP server answers on %s: there is no IPv4 address", n->drv->name);
    } else if (opt_on(n->args, "verbose")) {
        (void)oriel_addr_print(&l->addr, text, sizeof text);
        out_note("%s: %s/%u by DHCP", n->drv->name, text, l->prefix_len - 96u);
    }
    return EXIT_OK;
}

int netrun_open_services(struct netrun *n)
{
    char error[DRV_ERROR_MAX];
    struct live_svc_config cfg = {.dns = n->spec.dns, .dns_n = n->spec.dns_n,
                                  .hosts = "/etc/hosts"};
    cfg.dhcp = n->drv && (n->spec.dhcp || (n->spec.addrs_n == 0 && !n->drv->caps.ip));
    n->svc = live_svc_open(n->live, n->me, n->netif, &cfg, error);
    if (!n->svc) {
        out_error(n->args->verb->name, "%s", error);
        return EXIT_SETUP;
    }
    return cfg.dhcp ? await_lease(n) : EXIT_OK;
}

/* ---- names ---- */

struct lookup {
    struct netrun *n;
    uint32_t ticket;
    int err;
    struct dns_answer answer;
};

static bool is_answered(void *ctx)
{
    struct lookup *l = ctx;
    if (l->err == ORIEL_EAGAIN)
        l->err = resolve_take(live_svc_resolver(l->n->svc), l->ticket, &l->answer);
    return l->err != ORIEL_EAGAIN;
}

/* The first address of that type; an error that resolve_take tells. */
static int look_up(struct netrun *n, const struct dns_name *name, uint16_t type,
                   struct oriel_addr *out)
{
    struct lookup l = {.n = n, .err = ORIEL_EAGAIN};
    struct resolver *r = live_svc_resolver(n->svc);
    int err = resolve_start(r, netrun_now(n), name, type, &l.ticket);
    if (err)
        return err;
    netrun_poke(n);
    if (netrun_wait(n, NAME_PATIENCE, is_answered, &l) != EXIT_OK || n->interrupted)
        return ORIEL_ETIMEDOUT;
    if (l.err == 0)
        *out = l.answer.addrs[0];
    return l.err == ORIEL_EAGAIN ? ORIEL_ETIMEDOUT : l.err;
}

static bool has_servers(void *ctx)
{
    const struct netrun *n = ctx;
    return live_svc_resolver(n->svc)->cfg.servers_n > 0;
}

/* An address of the name; DNS_A first, since a name server may refuse to say that there is no AAAA. */
static int look_up_family(struct netrun *n, const struct dns_name *name, enum oriel_family family,
                          struct oriel_addr *out)
{
    int err = family == ORIEL_IP6 ? ORIEL_ENOENT : look_up(n, name, DNS_A, out);
    if (err == 0 || err == ORIEL_ETIMEDOUT || family == ORIEL_IP4)
        return err;
    return look_up(n, name, DNS_AAAA, out);
}

/* An address to ask a name server of IPv6 from. */
static void await_address(struct netrun *n)
{
    if (has_servers(n) && !addr_is_v4(&live_svc_resolver(n->svc)->cfg.servers[0].addr))
        (void)netrun_ready(n, false, RA_PATIENCE);
}

bool netrun_lookup(struct netrun *n, const char *text, enum oriel_family family,
                   struct oriel_addr *out)
{
    struct dns_name name;
    if (!n->svc || !dns_name_of(span_str(text), &name) || name.n <= 1) {
        out_error(n->args->verb->name, "'%s' is neither an address nor a name", text);
        return false;
    }
    await_address(n);
    int err = look_up_family(n, &name, family, out);
    if (err == ORIEL_ENETUNREACH && !has_servers(n)) {
        (void)netrun_wait(n, RA_PATIENCE, has_servers, n);
        await_address(n);
        err = look_up_family(n, &name, family, out);
    }
    if (err == ORIEL_ENOENT)
        out_error(n->args->verb->name, "there is no host of the name '%s'%s", text,
                  family == ORIEL_DUAL ? "" : family == ORIEL_IP4 ? " with an IPv4 address"
                                                                 : " with an IPv6 address");
    else if (err && !has_servers(n))
        out_error(n->args->verb->name, "'%s' is no address, and no name server is known: dns=A",
                  text);
    else if (err)
        out_error(n->args->verb->name, "no name server says who '%s' is: %s", text,
                  oriel_strerror(err));
    return err == 0;
}
