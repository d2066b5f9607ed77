/*
 * One TCP connection as an application sees it.
 *
 * A step does what can be done: take what came, send what there is room for, end when all is said.
 * Nothing waits in here: what must happen later is a moment in next_write, next_read or then_at,
 * and the caller steps again when it has come. A connection that failed keeps its numbers.
 */
#include "lab/app_tcp.h"

#define FNV_PRIME 0x100000001b3u
#define CHUNK     (16u * 1024)      /* of the pattern, made and sent at once */

/* Eight bytes of the pattern at once; the first is the lowest. */
static uint64_t pattern_word(uint64_t i)
{
    uint64_t word = i * 0x9e3779b97f4a7c15u + 0x7f4a7c159e3779b9u;
    return word ^ word >> 29;
}

uint8_t tcp_pattern(uint64_t n)
{
    return (uint8_t)(pattern_word(n >> 3) >> (8 * (n & 7)));
}

static void pattern_fill(struct wr *w, uint64_t from, size_t n)
{
    uint64_t word = pattern_word(from >> 3) >> (8 * (from & 7));
    for (uint64_t at = from; at < from + n; at++, word >>= 8) {
        if ((at & 7) == 0)
            word = pattern_word(at >> 3);
        wr_u8(w, (uint8_t)word);
    }
}

uint64_t tcp_hash(uint64_t h, struct span more)
{
    struct rd r = rd_of(more);
    while (!rd_done(&r))
        h = (h ^ rd_u8(&r)) * FNV_PRIME;
    return h;
}

/* ---- words ---- */

static void put_endpoint(struct txt *t, const struct oriel_endpoint *e)
{
    bool v4 = addr_is_v4(&e->addr);
    txt_s(t, v4 ? "" : "[");
    txt_addr(t, &e->addr);
    txt_s(t, v4 ? ":" : "]:");
    txt_u(t, e->port);
}

static void put_rate(struct txt *t, uint64_t bps)
{
    static const struct {
        uint64_t unit;
        const char *name;
    } units[] = {{1000000000, " Gbit/s"}, {1000000, " Mbit/s"}, {1000, " kbit/s"}, {1, " bit/s"}};
    size_t i = 0;
    while (i + 1 < ARRAY_LEN(units) && bps < units[i].unit)
        i++;
    txt_u(t, bps / units[i].unit);
    if (units[i].unit > 1) {
        txt_c(t, '.');
        txt_u_pad(t, bps % units[i].unit / (units[i].unit / 100), 2, '0');
    }
    txt_s(t, units[i].name);
}

static void begin_line(const struct tcp_talk *t, struct txt *line)
{
    txt_s(line, "tcp ");
    put_endpoint(line, &t->remote);
    txt_s(line, ": ");
}

static void say_connected(const struct tcp_talk *t)
{
    char text[240];
    struct txt line = txt_of(text, sizeof(text));
    begin_line(t, &line);
    txt_s(&line, t->passive ? "accepted on port " : "connected from port ");
    txt_u(&line, t->local.port);
    app_say(&t->host, &line);
}

static bool is_printable(const struct tcp_talk *t)
{
    for (uint32_t i = 0; i < t->text_n; i++)
        if (t->text[i] < 0x20 || t->text[i] >= 0x7f)
            return false;
    return t->text_n > 0 && t->text_n == t->received && t->text_n <= 60;
}

/* "tcp 10.0.2.1:42181: 12 bytes heard: Hello Client; 0 sent" */
static void say_end(const struct tcp_talk *t)
{
    char text[400];
    struct txt line = txt_of(text, sizeof(text));
    begin_line(t, &line);
    txt_u(&line, t->received);
    txt_s(&line, " bytes heard");
    if (is_printable(t)) {
        txt_s(&line, ": ");
        txt_span(&line, span_of(t->text, t->text_n));
    } else if (t->received > 0 && tcp_talk_rate(t) > 0) {
        txt_s(&line, " at ");
        put_rate(&line, tcp_talk_rate(t));
    }
    txt_s(&line, ", ");
    txt_u(&line, t->sent);
    txt_s(&line, t->error ? " sent; " : " sent");
    if (t->error)
        txt_s(&line, app_error_text(t->error));
    app_say(&t->host, &line);
}

static bool told(const struct tcp_talk *t, uint32_t event)
{
    return t->sock && (oriel_ready(t->host.stack, t->sock) & event) != 0;
}

/* ---- ends ---- */

static void is_over(struct tcp_talk *t, oriel_time now)
{
    if (t->over)
        return;
    t->over = true;
    t->ended_at = now;
    t->next_write = t->next_read = t->then_at = ORIEL_NEVER;
    say_end(t);
}

static bool all_said(const struct tcp_talk *t)
{
    return t->text_at == t->plan.text.n && t->pattern_out == t->plan.size &&
           (!t->plan.echo || t->eof);
}

int tcp_talk_end(struct tcp_talk *t, enum tcp_then how, oriel_time now)
{
    int err = ORIEL_ENOTCONN;
    oriel_handle h = t->sock;
    t->then_at = ORIEL_NEVER;
    if (!h || how == TCP_THEN_STAY)
        return h ? 0 : err;
    t->told_end = true;
    if (how == TCP_THEN_SHUTDOWN)
        return oriel_shutdown(t->host.stack, h, ORIEL_SHUT_WRITE);
    err = how == TCP_THEN_ABORT ? oriel_abort(t->host.stack, h) : oriel_close(t->host.stack, h);
    t->sock = 0;
    is_over(t, now);
    return err;
}

/* An error was told. Some end the connection, some only say what the network thinks. */
static void note_error(struct tcp_talk *t, int err, oriel_time now)
{
    if (!t->error)
        t->error = err;
    if (oriel_ready(t->host.stack, t->sock) & ORIEL_HUNG_UP)
        best_effort(tcp_talk_end(t, TCP_THEN_CLOSE, now));
}

/* ---- hearing ---- */

static void hear(struct tcp_talk *t, struct span data, oriel_time now)
{
    struct rd r = rd_of(data);
    uint64_t word = pattern_word(t->received >> 3) >> (8 * (t->received & 7));
    if (t->received == 0)
        t->first_in = now;
    t->last_in = now;
    t->hash_in = tcp_hash(t->hash_in, data);
    for (uint64_t n = t->received; t->intact && !rd_done(&r); n++, word >>= 8) {
        if ((n & 7) == 0)
            word = pattern_word(n >> 3);
        t->intact = rd_u8(&r) == (uint8_t)word;
    }
    struct wr w = wr_of(t->text + t->text_n, TCP_TEXT_KEPT - t->text_n);
    wr_bytes(&w, span_of(data.p, data.n < wr_left(&w) ? data.n : wr_left(&w)));
    t->text_n += (uint32_t)wr_len(&w);
    t->received += data.n;
}

/* Bytes that may be taken now. */
static size_t may_take(const struct tcp_talk *t, oriel_time now)
{
    uint64_t n = t->plan.read && t->plan.read < APP_BUFFER ? t->plan.read : APP_BUFFER;
    if (!t->sock || t->eof || now < t->next_read)
        return 0;
    if (t->read_until != UINT64_MAX && t->read_until - t->received < n)
        n = t->read_until - t->received;
    return (size_t)n;
}

static void note_sent(struct tcp_talk *t, struct span data, oriel_time now)
{
    t->hash_out = tcp_hash(t->hash_out, data);
    t->sent += data.n;
    t->last_out = now;
}

/* Looks at what came, returns as much of it as there is room for, and takes that. */
static int take_echo(struct tcp_talk *t, size_t cap, oriel_time now)
{
    struct oriel_msg peek = {.flags = ORIEL_MSG_PEEK};
    int n = oriel_recv(t->host.stack, t->sock, t->host.buffer, cap, &peek);
    if (n <= 0)
        return n;
    int sent = oriel_send(t->host.stack, t->sock, t->host.buffer, (size_t)n, NULL);
    if (sent <= 0)
        return sent;
    note_sent(t, span_of(t->host.buffer, (size_t)sent), now);
    return oriel_recv(t->host.stack, t->sock, t->host.buffer, (size_t)sent, NULL);
}

static void take(struct tcp_talk *t, oriel_time now)
{
    for (size_t cap; (cap = may_take(t, now)) > 0;) {
        int n = t->plan.echo ? take_echo(t, cap, now)
                             : oriel_recv(t->host.stack, t->sock, t->host.buffer, cap, NULL);
        if (n == ORIEL_EAGAIN)
            return;
        if (n < 0) {
            note_error(t, n, now);
            continue;
        }
        if (n == 0) {
            t->eof = true;
            return;
        }
        hear(t, span_of(t->host.buffer, (size_t)n), now);
        if (t->plan.read_every)
            t->next_read = time_after(now, t->plan.read_every);
    }
}

/* ---- saying ---- */

/* What is to be sent next; empty: nothing now. */
static struct span next_words(struct tcp_talk *t)
{
    size_t most = t->plan.write && t->plan.write < CHUNK ? t->plan.write : CHUNK;
    size_t left = t->plan.text.n - t->text_at;
    if (left > 0)
        return span_of(t->plan.text.p + t->text_at, left < most ? left : most);
    uint64_t size = t->plan.size - t->pattern_out;
    size_t n = size < most ? (size_t)size : most;
    struct wr w = wr_of(t->host.buffer, n);
    pattern_fill(&w, t->pattern_out, n);
    return wr_span(&w);
}

static uint32_t flags_of(const struct tcp_talk *t, struct span words)
{
    bool text = t->text_at < t->plan.text.n;
    bool last_of_text = text && t->text_at + words.n == t->plan.text.n;
    bool last = text ? last_of_text && t->pattern_out == t->plan.size
                     : t->pattern_out + words.n == t->plan.size;
    return (t->plan.urgent && last_of_text ? (uint32_t)ORIEL_MSG_URGENT : 0u) |
           (t->plan.more && !last ? (uint32_t)ORIEL_MSG_MORE : 0u);
}

static bool may_say(const struct tcp_talk *t, oriel_time now)
{
    bool early = false;
    for (uint8_t i = 0; i < t->plan.settings_n; i++)
        early = early || t->plan.settings[i].opt == ORIEL_OPT_FASTOPEN_CONNECT;
    if (!t->sock || t->told_end || now < t->next_write || (t->plan.late && !t->eof))
        return false;
    return t->connected ? told(t, ORIEL_WRITABLE) : early;
}

static bool has_words(const struct tcp_talk *t)
{
    return t->text_at < t->plan.text.n || t->pattern_out < t->plan.size;
}

static void say(struct tcp_talk *t, oriel_time now)
{
    while (has_words(t) && may_say(t, now)) {
        struct span words = next_words(t);
        struct oriel_msg m = {.flags = flags_of(t, words)};
        int n = oriel_send(t->host.stack, t->sock, words.p, words.n, &m);
        if (n == ORIEL_EAGAIN || n == ORIEL_EINPROGRESS)
            return;
        if (n < 0) {
            note_error(t, n, now);
            return;
        }
        words.n = (size_t)n;
        note_sent(t, words, now);
        if (t->text_at < t->plan.text.n)
            t->text_at += words.n;
        else
            t->pattern_out += words.n;
        if (t->plan.every)
            t->next_write = time_after(now, t->plan.every);
    }
}

/* ---- a step ---- */

static void look(struct tcp_talk *t, oriel_time now)
{
    uint32_t ready = oriel_ready(t->host.stack, t->sock);
    int64_t err = 0;
    bool reads = t->connected && !t->plan.unread && !t->eof;    /* then that tells, in its place */
    if ((ready & ORIEL_FAILED) && !reads &&
        oriel_getopt(t->host.stack, t->sock, ORIEL_OPT_ERROR, &err) == 0 && err)
        note_error(t, (int)err, now);
    struct oriel_tcp_info i;
    if (!t->sock || t->connected || oriel_tcp_info(t->host.stack, t->sock, &i) != 0)
        return;
    best_effort(oriel_local(t->host.stack, t->sock, &t->local));
    if (i.state < ORIEL_TCP_ESTABLISHED && !t->passive)     /* fast open: accepted before that */
        return;
    t->connected = true;
    t->connected_at = t->mark_at = now;
    say_connected(t);
}

/* All was said, or the peer has ended: when is it time to end as well? */
static void plan_end(struct tcp_talk *t, oriel_time now)
{
    if (!t->sock || !t->connected || t->then_at != ORIEL_NEVER || !all_said(t))
        return;
    if (t->plan.then != TCP_THEN_STAY && !t->told_end)
        t->then_at = time_after(now, t->plan.then_after);
    else if (t->eof && !t->plan.stay)
        t->then_at = time_after(now, t->plan.pause);
}

static void end_if_due(struct tcp_talk *t, oriel_time now)
{
    if (!t->sock || now < t->then_at)
        return;
    bool ours = t->plan.then != TCP_THEN_STAY && !t->told_end;
    enum tcp_then how = ours ? (enum tcp_then)t->plan.then : TCP_THEN_CLOSE;
    int err = tcp_talk_end(t, how, now);
    if (err < 0 && !t->error)
        t->error = err;
}

void tcp_talk_step(struct tcp_talk *t, oriel_time now)
{
    if (t->over)
        return;
    if (t->sock)
        look(t, now);
    if (t->sock && !t->plan.unread && t->connected)
        take(t, now);
    if (t->sock)
        say(t, now);
    if (told(t, ORIEL_URGENT))
        t->urgent_seen++;
    plan_end(t, now);
    end_if_due(t, now);
    plan_end(t, now);               /* a shutdown, and the peer had ended before */
    end_if_due(t, now);
}

static bool wants_to_write(const struct tcp_talk *t)
{
    return !t->told_end && has_words(t);
}

oriel_time tcp_talk_deadline(const struct tcp_talk *t)
{
    oriel_time next = t->then_at;
    if (!t->sock || t->over)
        return ORIEL_NEVER;
    if (t->plan.every && t->connected && wants_to_write(t) && t->next_write < next &&
        told(t, ORIEL_WRITABLE))
        next = t->next_write;
    if (t->plan.read_every && !t->eof && t->next_read < next && told(t, ORIEL_READABLE))
        next = t->next_read;
    return next;
}

bool tcp_talk_busy(const struct tcp_talk *t)
{
    struct oriel_tcp_info i;
    if (!t->sock)
        return false;
    if (tcp_talk_deadline(t) != ORIEL_NEVER || wants_to_write(t))
        return t->plan.size != UINT64_MAX;
    if (oriel_tcp_info(t->host.stack, t->sock, &i) != 0)
        return false;
    return i.state == ORIEL_TCP_SYN_SENT || i.state == ORIEL_TCP_SYN_RCVD || i.send_queue > 0;
}

/* ---- what it is told ---- */

int tcp_talk_say(struct tcp_talk *t, struct span text, bool urgent)
{
    if (!t->sock || t->told_end)
        return ORIEL_EPIPE;
    if (t->text_at < t->plan.text.n)
        return ORIEL_EAGAIN;        /* it still speaks */
    t->plan.text = text;
    t->plan.urgent = urgent;
    t->text_at = 0;
    return 0;
}

void tcp_talk_send(struct tcp_talk *t, uint64_t size)
{
    t->plan.size = size > UINT64_MAX - t->plan.size ? UINT64_MAX : t->plan.size + size;
}

void tcp_talk_read(struct tcp_talk *t, uint64_t size)
{
    t->plan.unread = false;
    t->read_until = size ? t->received + size : UINT64_MAX;
}

void tcp_talk_pause_reading(struct tcp_talk *t)
{
    t->plan.unread = true;
}

int tcp_talk_set(struct tcp_talk *t, const struct tcp_setting *s)
{
    if (!t->sock)
        return ORIEL_ENOTCONN;
    return oriel_setopt(t->host.stack, t->sock, (enum oriel_opt)s->opt, s->value);
}

void tcp_talk_mark(struct tcp_talk *t, oriel_time now)
{
    t->mark_at = now;
    t->mark_received = t->received;
}

uint64_t tcp_talk_rate(const struct tcp_talk *t)
{
    uint64_t bytes = t->received - t->mark_received;
    if (t->last_in <= t->mark_at)
        return 0;
    uint64_t us = (t->last_in - t->mark_at) / 1000;
    return us ? bytes * 8 / us * 1000000 + bytes * 8 % us * 1000000 / us : 0;
}

/* ---- the client ---- */

static void talk_init(struct tcp_talk *t, const struct app_host *host, const struct tcp_plan *plan,
                      oriel_time now)
{
    memset(t, 0, sizeof(*t));
    t->host = *host;
    t->plan = *plan;
    t->intact = true;
    t->hash_in = t->hash_out = TCP_HASH_SEED;
    t->started = now;
    t->then_at = ORIEL_NEVER;
    t->read_until = UINT64_MAX;
}

static int open_options(const struct app_host *h, oriel_handle s, const struct tcp_plan *p,
                        int netif)
{
    int err = netif ? oriel_setopt(h->stack, s, ORIEL_OPT_BIND_NETIF, netif) : 0;
    for (uint8_t i = 0; !err && i < p->settings_n; i++)
        err = oriel_setopt(h->stack, s, (enum oriel_opt)p->settings[i].opt, p->settings[i].value);
    return err;
}

static int client_open(struct tcp_talk *t, const struct tcp_connect_params *p)
{
    struct oriel_endpoint local = {.addr = p->from, .port = p->from_port};
    struct oriel_stack *s = t->host.stack;
    int err = oriel_tcp_open(s, addr_is_v4(&p->to.addr) ? ORIEL_IP4 : ORIEL_IP6, &t->sock);
    if (!err)
        err = open_options(&t->host, t->sock, &p->plan, p->netif);
    if (!err && (p->from_port || !addr_is_unspecified(&p->from)))
        err = oriel_bind(s, t->sock, &local);
    if (!err)
        err = oriel_connect(s, t->sock, &p->to);
    return err;
}

void tcp_client_start(struct tcp_talk *t, const struct app_host *host,
                      const struct tcp_connect_params *p, oriel_time now)
{
    talk_init(t, host, &p->plan, now);
    t->remote = p->to;
    t->error = client_open(t, p);
    if (t->error) {
        if (t->sock)
            best_effort(oriel_close(host->stack, t->sock));
        t->sock = 0;
        is_over(t, now);
        return;
    }
    best_effort(oriel_local(host->stack, t->sock, &t->local));
    tcp_talk_step(t, now);
}

/* ---- the listener ---- */

static int server_open(struct tcp_server *v)
{
    const struct tcp_listen_params *p = &v->p;
    struct oriel_stack *s = v->host.stack;
    struct oriel_listen l = {.backlog = p->backlog, .any_addr = p->any_addr,
                             .port_last = p->port_last};
    int err = p->reuse ? oriel_setopt(s, v->sock, ORIEL_OPT_REUSEADDR, 1) : 0;
    if (!err)
        err = open_options(&v->host, v->sock, &p->plan, p->netif);
    if (!err)
        err = oriel_bind(s, v->sock, &p->local);
    return err ? err : oriel_listen(s, v->sock, &l);
}

int tcp_server_start(struct tcp_server *v, const struct app_host *host,
                     const struct tcp_listen_params *p)
{
    enum oriel_family family = addr_is_unspecified(&p->local.addr) ? ORIEL_DUAL
                               : addr_is_v4(&p->local.addr) ? ORIEL_IP4 : ORIEL_IP6;
    memset(v, 0, sizeof(*v));
    v->host = *host;
    v->p = *p;
    v->failed = oriel_tcp_open(host->stack, family, &v->sock);
    if (!v->failed)
        v->failed = server_open(v);
    if (v->failed)
        tcp_server_stop(v);
    return v->failed;
}

static void serve(struct tcp_server *v, oriel_handle h, const struct oriel_endpoint *peer,
                  oriel_time now)
{
    if (v->n == TCP_TALKS_MAX) {
        v->turned_away++;
        best_effort(oriel_close(v->host.stack, h));
        return;
    }
    struct tcp_talk *t = &v->talk[v->n++];
    talk_init(t, &v->host, &v->p.plan, now);
    t->passive = true;
    t->sock = h;
    t->remote = *peer;
    best_effort(oriel_local(v->host.stack, h, &t->local));
}

void tcp_server_step(struct tcp_server *v, oriel_time now)
{
    struct oriel_endpoint peer = {0};
    oriel_handle h;
    while (v->sock && !v->p.unaccepted &&
           oriel_accept(v->host.stack, v->sock, &h, &peer) == 0) {
        v->accepted++;
        serve(v, h, &peer, now);
    }
    for (uint32_t i = 0; i < v->n; i++)
        tcp_talk_step(&v->talk[i], now);
}

oriel_time tcp_server_deadline(const struct tcp_server *v)
{
    oriel_time next = ORIEL_NEVER;
    for (uint32_t i = 0; i < v->n; i++) {
        oriel_time t = tcp_talk_deadline(&v->talk[i]);
        next = t < next ? t : next;
    }
    return next;
}

void tcp_server_stop(struct tcp_server *v)
{
    if (v->sock)
        best_effort(oriel_close(v->host.stack, v->sock));
    v->sock = 0;
}
