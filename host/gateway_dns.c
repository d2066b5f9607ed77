/*
 * Names. At dns4 and dns6 of the gateway's node a proxy (svc/dns_proxy.h) hears the guest's questions. What
 * its cache does not know goes to the host's name servers, each question from a socket of its own, so
 * that neither its id nor its port can be guessed; over TCP where the guest asked so. A server whose port is
 * closed, or which is silent for a second, gives way to the next, with a second more at each try, for
 * this question and for those that follow. /etc/resolv.conf is read again when a question comes a second
 * after it was read.
 */
#define _GNU_SOURCE
#include "host/gateway_flow.h"

#include "svc/dns_proxy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define CACHE    512                    /* answers that are kept */
#define TRIES    4                      /* of one question */
#define PATIENCE (12 * NS_PER_S)        /* of the proxy: more than all of them take */
#define SERVERS  4
#define LENGTH   2                      /* in front of a message of a stream */

struct query {
    struct gw_dns *d;
    struct list node;
    struct loop_source source;          /* fd -1: none just now */
    uint16_t id;
    bool stream;
    uint8_t tries;
    unsigned server;                    /* that is asked, as gw_dns.server counts */
    oriel_time until;                   /* when it is the next one's turn */
    size_t n, sent, got;                /* of out, with the length; what came of a stream */
    uint8_t out[LENGTH + DNS_PROXY_QUERY_MAX];
    uint8_t in[];                       /* of a stream: an answer behind its length */
};

struct gw_dns {
    struct gateway *g;
    struct dns_proxy proxy;
    struct list queries;
    struct oriel_endpoint servers[SERVERS];
    unsigned servers_n, server;         /* the current one, counted on and on */
    oriel_time servers_read;            /* 0: never */
    void *memory;
};

/* ---- the host's name servers ---- */

static unsigned read_servers(struct oriel_endpoint list[SERVERS])
{
    char line[256], text[64];
    FILE *f = fopen("/etc/resolv.conf", "re");
    unsigned n = 0;
    while (f && n < SERVERS && fgets(line, sizeof(line), f)) {
        list[n] = (struct oriel_endpoint){.port = GW_DNS_PORT};
        if (sscanf(line, " nameserver %63[0-9a-fA-F.:]", text) == 1 &&
            oriel_addr_parse(text, &list[n].addr) == 0)
            n++;
    }
    if (f)
        (void)fclose(f);
    return n;
}

/* What others said may not hold for these. */
static void set_servers(struct gw_dns *d, const struct oriel_endpoint *list, unsigned n)
{
    bool same = n == d->servers_n;
    for (unsigned i = 0; same && i < n; i++)
        same = addr_same_bits(&list[i].addr, &d->servers[i].addr) && list[i].port == d->servers[i].port;
    if (same)
        return;
    dns_cache_clear(&d->proxy.cache);
    d->servers_n = n;
    d->server = 0;
    for (unsigned i = 0; i < n; i++)
        d->servers[i] = list[i];
}

static void look_for_servers(struct gw_dns *d)
{
    struct oriel_endpoint list[SERVERS];
    const struct gateway_config *cfg = &d->g->cfg;
    oriel_time now = live_now(d->g->v);
    if (cfg->name_servers_n > 0) {
        set_servers(d, cfg->name_servers, cfg->name_servers_n);
    } else if (d->servers_read == 0 || now - d->servers_read > NS_PER_S) {
        d->servers_read = now + 1;
        set_servers(d, list, read_servers(list));
    }
}

/* ---- one question ---- */

static void hang_up(struct query *q)
{
    if (q->source.fd < 0)
        return;
    loop_remove(q->d->g->loop, &q->source);
    close(q->source.fd);
    q->source.fd = -1;
}

static void end(struct query *q)
{
    hang_up(q);
    list_remove(&q->node);
    free(q);
}

static void server_ready(void *ctx, uint32_t events);

/* False: that server cannot be asked. */
static bool dial(struct query *q, const struct oriel_endpoint *server)
{
    struct sockaddr_storage to;
    socklen_t len = gw_sockaddr(server, &to);
    int type = (q->stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    size_t n = q->n - LENGTH;
    int fd = socket(to.ss_family, type, 0);
    bool good = fd >= 0 && (connect(fd, (struct sockaddr *)&to, len) == 0 || errno == EINPROGRESS) &&
                (q->stream || send(fd, q->out + LENGTH, n, MSG_NOSIGNAL) == (ssize_t)n);
    q->source = (struct loop_source){.fd = fd, .events = q->stream ? EPOLLOUT : EPOLLIN,
                                     .on_ready = server_ready, .ctx = q};
    q->sent = q->got = 0;
    if (good && loop_add(q->d->g->loop, &q->source) == 0)
        return true;
    if (fd >= 0)
        close(fd);
    q->source.fd = -1;
    return false;
}

/* Ask the current server, or who comes after it. Where nobody is left the guest is told, and q is gone. */
static void ask(struct query *q)
{
    struct gw_dns *d = q->d;
    for (; q->tries < TRIES && d->servers_n > 0; d->server++) {
        q->tries++;
        q->server = d->server;
        q->until = live_now(d->g->v) + q->tries * NS_PER_S;
        if (dial(q, &d->servers[d->server % d->servers_n]))
            return;
    }
    dns_proxy_fail(&d->proxy, q->id);
    end(q);
}

static void ask_next(struct query *q)
{
    hang_up(q);
    if (q->server == q->d->server)      /* another question may have gone on already */
        q->d->server++;
    ask(q);
}

/* Its answer, perhaps; then q is gone. */
static void answered(struct query *q, struct span msg)
{
    struct gateway *g = q->d->g;
    if (!dns_proxy_answer(&q->d->proxy, live_now(g->v), msg))
        return;
    end(q);
    gw_dns_guest_ready(g);              /* its stream may have waited for a place */
}

/* Out, then in. False: the server has given up, or says what is no answer. */
static bool move_stream(struct query *q)
{
    int fd = q->source.fd;
    if (q->sent < q->n) {
        ssize_t n = send(fd, q->out + q->sent, q->n - q->sent, MSG_NOSIGNAL);
        q->sent += n > 0 ? (size_t)n : 0;
        return n >= 0 ? q->sent < q->n || loop_change(q->d->g->loop, &q->source, EPOLLIN) == 0
                      : errno == EAGAIN;
    }
    ssize_t n = recv(fd, q->in + q->got, LENGTH + UINT16_MAX - q->got, 0);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    q->got += (size_t)n;
    struct rd r = rd_of(span_of(q->in, q->got));
    size_t len = rd_u16(&r);
    if (r.bad || rd_left(&r) < len)
        return true;
    q->got = 0;
    answered(q, rd_bytes(&r, len));
    return true;
}

static void server_ready(void *ctx, uint32_t events)
{
    struct query *q = ctx;
    struct gateway *g = q->d->g;
    (void)events;
    gw_enter(g);
    if (q->stream) {
        if (!move_stream(q))
            ask_next(q);
        return;
    }
    ssize_t n = recv(q->source.fd, g->buffer, GW_BUFFER, 0);
    if (n >= 0)
        answered(q, span_of(g->buffer, (size_t)n));
    else if (errno != EAGAIN)
        ask_next(q);
}

static void begin(struct gw_dns *d, const struct dns_proxy_out *o)
{
    struct query *q = calloc(1, sizeof(*q) + (o->stream ? LENGTH + UINT16_MAX : 0));
    if (!q) {
        dns_proxy_fail(&d->proxy, o->id);
        return;
    }
    struct wr w = wr_of(q->out, sizeof(q->out));
    wr_u16(&w, (uint16_t)o->msg.n);
    wr_bytes(&w, o->msg);
    ORIEL_ASSERT(!w.bad);
    q->d = d;
    q->id = o->id;
    q->stream = o->stream;
    q->n = wr_len(&w);
    q->source.fd = -1;
    list_push_back(&d->queries, &q->node);
    ask(q);
}

/* ---- turns ---- */

/* Is anything due later? */
static bool turn(struct gw_dns *d)
{
    struct dns_proxy_out out;
    oriel_time next = dns_proxy_step(&d->proxy, live_now(d->g->v));
    while (dns_proxy_next(&d->proxy, &out)) {
        look_for_servers(d);
        begin(d, &out);
    }
    return next != ORIEL_NEVER;
}

void gw_dns_guest_ready(struct gateway *g)
{
    if (g->dns && turn(g->dns))
        gw_tick_soon(g);
}

bool gw_dns_tick(struct gateway *g)
{
    struct gw_dns *d = g->dns;
    if (!d)
        return false;
    LIST_EACH(n, &d->queries) {
        struct query *q = CONTAINER_OF(n, struct query, node);
        if (live_now(g->v) >= q->until)
            ask_next(q);
    }
    return turn(d);
}

/* ---- life ---- */

static void free_all(struct gw_dns *d)
{
    struct arena a;
    if (d && d->memory)
        arena_init(&a, d->memory, dns_proxy_memory(0, CACHE));  /* unpoisoned, for who gets it next */
    free(d ? d->memory : NULL);
    free(d);
}

static int start(struct gw_dns *d)
{
    const struct gateway_config *cfg = &d->g->cfg;
    struct dns_proxy_config c = {.stack = d->g->s, .cache_entries = CACHE, .timeout = PATIENCE,
                                 .memory_bytes = dns_proxy_memory(0, CACHE)};
    const struct oriel_addr *at[] = {&cfg->dns4, &cfg->dns6};
    for (unsigned i = 0; i < ARRAY_LEN(at); i++)
        if (!addr_same_bits(at[i], &ADDR_NONE))
            c.listen[c.listen_n++].addr = *at[i];
    c.memory = d->memory = malloc(c.memory_bytes);
    if (!c.memory || getrandom(c.seed, sizeof(c.seed), 0) != sizeof(c.seed))
        return ORIEL_ENOBUFS;
    return dns_proxy_start(&d->proxy, &c);
}

bool gw_dns_open(struct gateway *g, char error[DRV_ERROR_MAX])
{
    if (addr_same_bits(&g->cfg.dns4, &ADDR_NONE) && addr_same_bits(&g->cfg.dns6, &ADDR_NONE))
        return true;
    struct gw_dns *d = calloc(1, sizeof(*d));
    int err = ORIEL_ENOBUFS;
    if (d) {
        d->g = g;
        list_init(&d->queries);
        err = start(d);
    }
    if (!err) {
        g->dns = d;
        return true;
    }
    (void)snprintf(error, DRV_ERROR_MAX, "the gateway cannot hear questions about names: %s",
                   oriel_strerror(err));
    free_all(d);
    return false;
}

void gw_dns_close(struct gateway *g)
{
    struct gw_dns *d = g->dns;
    if (!d)
        return;
    LIST_EACH(n, &d->queries)
        end(CONTAINER_OF(n, struct query, node));
    dns_proxy_stop(&d->proxy);
    free_all(d);
    g->dns = NULL;
}
