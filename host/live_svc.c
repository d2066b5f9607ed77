/*
 * Services of a live world. They are stepped after every step of their node, as any application; a
 * timer of their own wakes the loop when one of them is due, whatever else the world waits for.
 */
#define _GNU_SOURCE
#include "host/live_svc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct live_svc {
    struct live *v;
    struct node *node;
    int netif;
    bool dhcp;
    struct live_svc_config cfg;
    struct oriel_addr dns[RESOLVE_SERVERS_MAX];         /* of the caller */
    struct dhcp4_client client;
    struct resolver resolver;
    struct resolve_host *hosts;
    unsigned hosts_n;
    void *memory;
    struct loop_source timer;
    oriel_time armed;
    bool in_loop;
};

static bool fail(struct live_svc *s, char error[DRV_ERROR_MAX], const char *what)
{
    (void)snprintf(error, DRV_ERROR_MAX, "%s", what);
    live_svc_close(s);
    return false;
}

/* ---- name servers ---- */

static void add_server(struct oriel_endpoint *list, unsigned *n, const struct oriel_addr *a)
{
    if (*n < RESOLVE_SERVERS_MAX)
        list[(*n)++] = (struct oriel_endpoint){.addr = *a};
}

static void update_servers(struct live_svc *s, oriel_time now)
{
    struct oriel_endpoint list[RESOLVE_SERVERS_MAX];
    const struct dhcp4_lease *l = live_svc_lease(s);
    struct oriel_dns_info d;
    unsigned n = 0;
    for (unsigned i = 0; i < s->cfg.dns_n; i++)
        add_server(list, &n, &s->dns[i]);
    for (unsigned i = 0; l && i < l->dns_n; i++)
        add_server(list, &n, &l->dns[i]);
    for (uint32_t at = 0; oriel_dns_each(s->node->stack, &at, &d);)
        if (d.netif == s->netif)
            add_server(list, &n, &d.addr);
    resolver_set_servers(&s->resolver, now, list, n);
}

/* ---- time ---- */

/* The timer fires at `next`, or a little later; ORIEL_NEVER: not at all. */
static void arm(struct live_svc *s, oriel_time now, oriel_time next)
{
    struct itimerspec t = {{0, 0}, {0, 0}};
    if (next == s->armed)
        return;
    s->armed = next;
    if (next != ORIEL_NEVER) {
        oriel_time in = next > now ? next - now : 1;
        t.it_value.tv_sec = (time_t)(in / NS_PER_S);
        t.it_value.tv_nsec = (long)(in % NS_PER_S);
    }
    (void)timerfd_settime(s->timer.fd, 0, &t, NULL);
}

static void step(void *ctx)
{
    struct live_svc *s = ctx;
    oriel_time now = live_now(s->v);
    oriel_time next = s->dhcp ? dhcp4_client_step(&s->client, now) : ORIEL_NEVER;
    update_servers(s, now);
    oriel_time then = resolver_step(&s->resolver, now);
    arm(s, now, then < next ? then : next);
}

static void on_timer(void *ctx, uint32_t events)
{
    struct live_svc *s = ctx;
    uint64_t n;
    (void)events;
    if (read(s->timer.fd, &n, sizeof n) != (ssize_t)sizeof n)
        return;                         /* it was set anew meanwhile */
    s->armed = ORIEL_NEVER;
    live_poke(s->v, s->node);
}

/* ---- life ---- */

static bool open_timer(struct live_svc *s)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    s->timer = (struct loop_source){.fd = fd, .events = EPOLLIN, .on_ready = on_timer, .ctx = s};
    s->in_loop = s->timer.fd >= 0 && loop_add(live_loop(s->v), &s->timer) == 0;
    return s->in_loop;
}

/* "ADDRESS NAME NAME... # words": an entry for each of the names. */
static void take_hosts_line(struct live_svc *s, char *line)
{
    struct resolve_host h;
    char *more, *word;
    line[strcspn(line, "#\n")] = '\0';
    word = strtok_r(line, " \t", &more);
    if (!word || oriel_addr_parse(word, &h.addr) != 0)
        return;
    while (s->hosts_n < LIVE_SVC_HOSTS && (word = strtok_r(NULL, " \t", &more)) != NULL)
        if (dns_name_of(span_str(word), &h.name))
            s->hosts[s->hosts_n++] = h;
}

/* A file that cannot be read knows nobody. */
static bool read_hosts(struct live_svc *s, const char *path)
{
    char line[1024];
    FILE *f = path ? fopen(path, "re") : NULL;
    if (!f)
        return true;
    s->hosts = malloc(LIVE_SVC_HOSTS * sizeof *s->hosts);
    while (s->hosts && fgets(line, sizeof line, f))
        take_hosts_line(s, line);
    (void)fclose(f);
    return s->hosts != NULL;
}

static bool open_resolver(struct live_svc *s, const uint8_t seed[32])
{
    size_t bytes = resolver_memory(LIVE_SVC_CACHE);
    struct resolver_config c = {.stack = s->node->stack, .cache_entries = LIVE_SVC_CACHE,
                                .memory_bytes = bytes, .hosts = s->hosts, .hosts_n = s->hosts_n};
    c.memory = s->memory = malloc(bytes);
    memcpy(c.seed, seed, sizeof c.seed);
    return c.memory && resolver_init(&s->resolver, &c) == 0;
}

static int start_dhcp(struct live_svc *s, const uint8_t seed[32])
{
    struct dhcp4_client_config c = {.stack = s->node->stack, .netif = s->netif};
    struct oriel_netif_info n;
    for (uint32_t at = 0; oriel_netif_each(s->node->stack, &at, &n);)
        if (n.netif == s->netif)
            memcpy(c.mac.b, n.mac, sizeof c.mac.b);
    memcpy(c.seed, seed, sizeof c.seed);
    return dhcp4_client_start(&s->client, live_now(s->v), &c);
}

struct live_svc *live_svc_open(struct live *v, struct node *node, int netif,
                               const struct live_svc_config *cfg, char error[DRV_ERROR_MAX])
{
    uint8_t seed[32];
    struct live_svc *s = calloc(1, sizeof *s);
    if (!s) {
        (void)snprintf(error, DRV_ERROR_MAX, "there is no memory for services");
        return NULL;
    }
    *s = (struct live_svc){.v = v, .node = node, .netif = netif, .cfg = *cfg, .timer = {.fd = -1},
                           .armed = ORIEL_NEVER};
    if (s->cfg.dns_n > RESOLVE_SERVERS_MAX)
        s->cfg.dns_n = RESOLVE_SERVERS_MAX;
    if (s->cfg.dns_n > 0)
        memcpy(s->dns, cfg->dns, s->cfg.dns_n * sizeof s->dns[0]);
    if (getrandom(seed, sizeof seed, 0) != (ssize_t)sizeof seed)
        return fail(s, error, "the system gives no randomness (getrandom)"), NULL;
    if (!open_timer(s))
        return fail(s, error, "the system gives no timer (timerfd_create)"), NULL;
    if (!read_hosts(s, cfg->hosts) || !open_resolver(s, seed))
        return fail(s, error, "there is no memory for a resolver"), NULL;
    int err = cfg->dhcp ? start_dhcp(s, seed) : 0;
    if (err)
        return fail(s, error, oriel_strerror(err)), NULL;
    s->dhcp = cfg->dhcp;
    live_app(v, node, step, s);
    live_poke(v, node);
    return s;
}

void live_svc_close(struct live_svc *s)
{
    if (!s)
        return;
    if (s->dhcp) {
        dhcp4_client_release(&s->client);
        live_poke(s->v, s->node);
    }
    s->dhcp = false;
    live_app_remove(s->v, s);
    if (s->memory)
        resolver_fini(&s->resolver);
    if (s->in_loop)
        loop_remove(live_loop(s->v), &s->timer);
    if (s->timer.fd >= 0)
        (void)close(s->timer.fd);
    free(s->hosts);
    free(s->memory);
    free(s);
}

const struct dhcp4_lease *live_svc_lease(const struct live_svc *s)
{
    return s->dhcp ? dhcp4_client_lease(&s->client) : NULL;
}

struct resolver *live_svc_resolver(struct live_svc *s)
{
    return &s->resolver;
}
