/* Services in a lab: started, stopped, and asked what came of them. */
#include "lab/lab.h"

/* ---- what happens ---- */

static void add_server(struct oriel_endpoint *list, uint8_t *n, const struct oriel_addr *a)
{
    if (*n < RESOLVE_SERVERS_MAX)
        list[(*n)++] = (struct oriel_endpoint){.addr = *a};
}

/* The name servers that a node learned: from DHCP, then from routers. */
static uint8_t learned_servers(const struct lab *l, const struct node *n,
                               struct oriel_endpoint list[RESOLVE_SERVERS_MAX])
{
    uint8_t count = 0;
    struct oriel_dns_info d;
    for (uint16_t i = 0; i < l->apps_n; i++) {
        const struct lab_app *a = &l->apps[i];
        bool client = a->started && a->node == n && a->kind == LAB_SVC &&
                      a->is.svc->p.kind == SVC_DHCP && !a->is.svc->failed;
        const struct dhcp4_lease *lease = client ? dhcp4_client_lease(&a->is.svc->is.client) : NULL;
        for (uint8_t k = 0; lease && k < lease->dns_n; k++)
            add_server(list, &count, &lease->dns[k]);
    }
    for (uint32_t at = 0; oriel_dns_each(n->stack, &at, &d);)
        add_server(list, &count, &d.addr);
    return count;
}

void lab_svc_start(struct lab *l, struct lab_app *a, const struct app_host *host)
{
    struct svc_params p = *a->act->u.svc;
    struct oriel_endpoint servers[RESOLVE_SERVERS_MAX];
    uint8_t n = learned_servers(l, a->node, servers);
    uint64_t seed = l->seed * 1000003 + (uint64_t)(a - l->apps);
    a->kind = LAB_SVC;
    p.netif = lab_netif(l, p.netif);
    svc_app_start(a->is.svc, host, &p, seed, servers, n, a->is.svc + 1, l->w->env.now);
}

/* The service of that kind that runs on that node, at that interface. */
static struct lab_app *service_on(const struct lab *l, const struct node *n, enum svc_kind kind,
                                  int netif)
{
    for (uint16_t i = 0; i < l->apps_n; i++) {
        struct lab_app *a = &l->apps[i];
        if (a->started && a->node == n && a->kind == LAB_SVC && a->is.svc->p.kind == kind &&
            (netif == 0 || a->is.svc->p.netif == netif))
            return a;
    }
    return NULL;
}

int lab_svc_stop(struct lab *l, const struct sc_act *act)
{
    int netif = act->port == SC_NONE ? 0 : l->netifs[act->port];
    struct lab_app *a = service_on(l, &l->w->nodes[act->node],
                                   (enum svc_kind)act->u.svc_stop.kind, netif);
    if (!a)
        return ORIEL_ENOENT;
    svc_app_stop(a->is.svc, act->u.svc_stop.release);
    if (a->is.svc->p.kind != SVC_DHCP)
        a->started = false;             /* another one may take its place */
    return 0;
}

/* ---- what came of it ---- */

static bool has_addrs(const struct expect *e, const struct oriel_addr *list, uint8_t n)
{
    for (uint8_t i = 0; i < e->hops_n; i++)
        if (i >= n || !addr_same_bits(&e->hops[i], &list[i]))
            return false;
    return true;
}

static void print_addrs(struct txt *t, const struct oriel_addr *list, uint8_t n)
{
    for (uint8_t i = 0; i < n; i++) {
        txt_c(t, ' ');
        txt_addr(t, &list[i]);
    }
}

static bool answer_holds(const struct expect *e, const struct svc_app *a, struct txt *t)
{
    int err = a->failed ? a->failed : a->err;
    txt_s(t, app_error_name(err));
    print_addrs(t, a->answer.addrs, a->answer.addrs_n);
    if (err == 0) {
        txt_s(t, " name ");
        dns_name_print(t, &a->answer.name);
    }
    return err == (e->has_err ? e->err : 0) &&
           has_addrs(e, a->answer.addrs, a->answer.addrs_n) &&
           (!e->svc->has_end || dns_name_eq(&e->svc->end, &a->answer.name));
}

static bool lease_holds(const struct expect *e, const struct svc_app *a, struct txt *t)
{
    const struct dhcp4_client *c = &a->is.client;
    const struct dhcp4_lease *l = dhcp4_client_lease(c);
    struct prefix net = prefix_of(e->addr.addr, e->addr.len);
    txt_s(t, dhcp4_state_name((enum dhcp4_state)c->state));
    if (l) {
        txt_c(t, ' ');
        txt_addr(t, &l->addr);
        txt_s(t, " dns");
        print_addrs(t, l->dns, l->dns_n);
    }
    txt_s(t, " naks ");
    txt_u(t, c->naks);
    txt_s(t, " declines ");
    txt_u(t, c->declines);
    return (!e->word.p || span_is(e->word, dhcp4_state_name((enum dhcp4_state)c->state))) &&
           (!e->has_addr || (l && prefix_has(&net, &l->addr))) &&
           (!e->has_from || (l && addr_same_bits(&e->from_addr, &l->server))) &&
           (e->hops_n == 0 || (l && has_addrs(e, l->dns, l->dns_n))) &&
           (e->svc->naks.how == HOW_ANY || ex_count_holds(&e->svc->naks, c->naks)) &&
           (e->svc->declines.how == HOW_ANY || ex_count_holds(&e->svc->declines, c->declines));
}

bool lab_ask_svc(const struct lab *l, const struct expect *e, struct txt *t)
{
    const struct node *n = &l->w->nodes[e->node];
    bool met = false;
    for (uint16_t i = 0; i < l->apps_n; i++) {
        const struct lab_app *a = &l->apps[i];
        const struct svc_app *v = a->is.svc;
        if (!a->started || a->node != n || a->kind != LAB_SVC)
            continue;
        bool meant = e->kind == EX_DHCP
                         ? v->p.kind == SVC_DHCP && v->p.netif == l->netifs[e->port]
                         : v->p.kind == SVC_RESOLVE && v->p.ask.type == e->svc->type &&
                               dns_name_eq(&v->p.ask.name, &e->svc->name);
        if (!meant)
            continue;
        txt_s(t, met ? "; " : "");
        met = true;
        if (e->kind == EX_DHCP ? lease_holds(e, v, t) : answer_holds(e, v, t))
            return true;
    }
    if (!met)
        txt_s(t, "nothing of that kind was started there");
    return false;
}
