/* A listener that counts, keeps and perhaps returns what it hears; and a sender. */
#include "lab/app.h"

/* Append to a text of which UDP_TEXT_MAX bytes are kept. */
static void keep(uint8_t *text, uint32_t *n, struct span more)
{
    size_t room = UDP_TEXT_MAX - *n;
    struct wr w = wr_of(text + *n, room);
    wr_bytes(&w, span_of(more.p, more.n < room ? more.n : room));
    *n += (uint32_t)wr_len(&w);
}

static bool is_text(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return s.n > 0 && s.n <= 60;
}

static void print_endpoint(struct txt *t, const struct oriel_endpoint *e)
{
    bool v4 = addr_is_v4(&e->addr);
    txt_s(t, v4 ? "" : "[");
    txt_addr(t, &e->addr);
    txt_s(t, v4 ? ":" : "]:");
    txt_u(t, e->port);
}

static void say_heard(const struct app_host *h, uint16_t port, struct span data,
                      const struct oriel_endpoint *from)
{
    char line[240];
    struct txt t = txt_of(line, sizeof(line));
    txt_s(&t, "udp ");
    txt_u(&t, port);
    txt_s(&t, ": ");
    txt_u(&t, data.n);
    txt_s(&t, " bytes from ");
    print_endpoint(&t, from);
    if (is_text(data)) {
        txt_s(&t, ": ");
        txt_span(&t, data);
    }
    app_say(h, &t);
}

static void say_error(const struct app_host *h, const struct oriel_endpoint *to, int err,
                      const struct oriel_addr *from)
{
    char line[240];
    struct txt t = txt_of(line, sizeof(line));
    txt_s(&t, "udp to ");
    print_endpoint(&t, to);
    txt_s(&t, ": ");
    txt_s(&t, app_error_text(err));
    if (!addr_is_unspecified(from)) {
        txt_s(&t, " (says ");
        txt_addr(&t, from);
        txt_c(&t, ')');
    }
    app_say(h, &t);
}

static int set(const struct app_host *h, oriel_handle s, enum oriel_opt opt, int64_t value)
{
    return value == 0 ? 0 : oriel_setopt(h->stack, s, opt, value);
}

/* ---- the listener ---- */

static int listener_options(struct udp_listener *u)
{
    const struct udp_listen_params *p = &u->p;
    const struct app_host *h = &u->host;
    int err = set(h, u->sock, ORIEL_OPT_REUSEADDR, p->reuse);
    if (!err) err = set(h, u->sock, ORIEL_OPT_V6ONLY, p->v6only);
    if (!err) err = set(h, u->sock, ORIEL_OPT_ANY_ADDR, p->any_addr);
    if (!err) err = set(h, u->sock, ORIEL_OPT_BROADCAST, p->broadcast);
    if (!err) err = set(h, u->sock, ORIEL_OPT_RCVBUF, p->rcvbuf);
    if (!err) err = set(h, u->sock, ORIEL_OPT_TTL, p->ttl);
    if (!err) err = set(h, u->sock, ORIEL_OPT_BIND_NETIF, p->netif);
    if (!err) err = oriel_bind(h->stack, u->sock, &p->local);
    if (!err && p->has_group)
        err = oriel_group_join(h->stack, u->sock, p->group.netif, &p->group.group,
                               p->group.exclude, p->group.sources, p->group.n);
    return err;
}

int udp_listener_start(struct udp_listener *u, const struct app_host *host,
                       const struct udp_listen_params *p)
{
    enum oriel_family family = addr_is_unspecified(&p->local.addr) ? ORIEL_DUAL
                               : addr_is_v4(&p->local.addr) ? ORIEL_IP4 : ORIEL_IP6;
    memset(u, 0, sizeof(*u));
    u->host = *host;
    u->p = *p;
    u->failed = oriel_udp_open(host->stack, family, &u->sock);
    if (!u->failed)
        u->failed = listener_options(u);
    if (u->failed)
        udp_listener_stop(u);
    return u->failed;
}

static void answer(struct udp_listener *u, struct span data, const struct oriel_msg *heard)
{
    struct oriel_msg back = {.peer = heard->peer, .local = heard->local};
    int n = oriel_send(u->host.stack, u->sock, data.p, data.n, &back);
    if (n == ORIEL_EADDRNOTAVAIL || n == ORIEL_EINVAL) {
        back.local = ADDR_NONE;         /* it came to a group or broadcast: nobody's source */
        n = oriel_send(u->host.stack, u->sock, data.p, data.n, &back);
    }
    if (n >= 0)
        u->echoed++;
    else
        u->error = n;
}

void udp_listener_step(struct udp_listener *u)
{
    struct oriel_msg m;
    while (u->sock && !u->p.unread) {
        int n = oriel_recv(u->host.stack, u->sock, u->host.buffer, APP_BUFFER, &m);
        if (n == ORIEL_EAGAIN)
            return;
        if (n < 0) {
            u->error = n;
            continue;
        }
        struct span data = span_of(u->host.buffer, (size_t)n);
        u->received++;
        u->bytes += data.n;
        keep(u->text, &u->text_n, data);
        say_heard(&u->host, u->p.local.port, data, &m.peer);
        if (u->p.echo)
            answer(u, data, &m);
    }
}

void udp_listener_stop(struct udp_listener *u)
{
    if (u->sock)
        best_effort(oriel_close(u->host.stack, u->sock));
    u->sock = 0;
}

/* ---- the sender ---- */

static void note_error(struct udp_sender *u, int err, const struct oriel_addr *from)
{
    u->errors++;
    if (!u->error) {
        u->error = err;
        u->error_from = *from;
    }
    say_error(&u->host, &u->p.to, err, from);
}

static int sender_options(struct udp_sender *u)
{
    const struct udp_send_params *p = &u->p;
    const struct app_host *h = &u->host;
    struct oriel_endpoint local = {.addr = p->from, .port = p->from_port};
    int err = set(h, u->sock, ORIEL_OPT_BROADCAST, p->broadcast);
    if (!err) err = set(h, u->sock, ORIEL_OPT_NO_CSUM, p->no_csum);
    if (!err) err = set(h, u->sock, ORIEL_OPT_DF, p->df);
    if (!err) err = set(h, u->sock, ORIEL_OPT_TTL, p->ttl);
    if (!err) err = set(h, u->sock, ORIEL_OPT_MCAST_TTL, p->ttl);
    if (!err) err = set(h, u->sock, ORIEL_OPT_TOS, p->tos);
    if (!err) err = set(h, u->sock, ORIEL_OPT_MCAST_NETIF, p->netif);
    if (!err) err = set(h, u->sock, ORIEL_OPT_BIND_NETIF, p->netif);
    if (!err && (p->from_port || !addr_is_unspecified(&p->from)))
        err = oriel_bind(h->stack, u->sock, &local);
    if (!err && p->connected)
        err = oriel_connect(h->stack, u->sock, &p->to);
    return err;
}

void udp_sender_start(struct udp_sender *u, const struct app_host *host,
                      const struct udp_send_params *p, oriel_time now)
{
    const struct oriel_addr none = ADDR_NONE;
    memset(u, 0, sizeof(*u));
    u->host = *host;
    u->p = *p;
    u->next = now;
    u->failed = oriel_udp_open(host->stack, addr_is_v4(&p->to.addr) ? ORIEL_IP4 : ORIEL_IP6,
                               &u->sock);
    if (!u->failed)
        u->failed = sender_options(u);
    if (u->failed) {
        note_error(u, u->failed, &none);
        udp_sender_stop(u);
        return;
    }
    udp_sender_step(u, now);
}

static struct span payload(struct udp_sender *u)
{
    if (u->p.text.p)
        return u->p.text;
    app_fill(u->host.buffer, u->p.size);
    return span_of(u->host.buffer, u->p.size);
}

static void send_one(struct udp_sender *u, oriel_time now)
{
    const struct oriel_addr none = ADDR_NONE;
    struct oriel_msg m = {.peer = u->p.to, .local = u->p.from, .netif = u->p.netif};
    struct span data = payload(u);
    int n = oriel_send(u->host.stack, u->sock, data.p, data.n, u->p.connected ? NULL : &m);
    if (n < 0)
        note_error(u, n, &none);
    u->sent++;
    u->next = u->sent >= u->p.count ? ORIEL_NEVER : time_after(now, u->p.every);
}

/* What ICMP, or our own stack, said about datagrams of ours. */
static void take_errors(struct udp_sender *u)
{
    struct oriel_error_info e;
    if (oriel_last_error(u->host.stack, u->sock, &e) != 0)
        return;
    for (; u->errors_seen < e.count; u->errors_seen++)
        note_error(u, e.err, &e.from);
}

void udp_sender_step(struct udp_sender *u, oriel_time now)
{
    struct oriel_msg m;
    if (!u->sock)
        return;
    take_errors(u);
    for (;;) {
        int n = oriel_recv(u->host.stack, u->sock, u->host.buffer, APP_BUFFER, &m);
        if (n == ORIEL_EAGAIN)
            break;
        if (n < 0)
            continue;           /* take_errors has seen it */
        struct span data = span_of(u->host.buffer, (size_t)n);
        struct oriel_endpoint local = {0};
        best_effort(oriel_local(u->host.stack, u->sock, &local));
        u->received++;
        u->bytes += data.n;
        keep(u->text, &u->text_n, data);
        say_heard(&u->host, local.port, data, &m.peer);
    }
    while (u->next != ORIEL_NEVER && now >= u->next)
        send_one(u, now);
}

void udp_sender_stop(struct udp_sender *u)
{
    if (u->sock)
        best_effort(oriel_close(u->host.stack, u->sock));
    u->sock = 0;
    u->next = ORIEL_NEVER;
}
