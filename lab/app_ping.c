/*
 * Ping: an echo request every interval, answers matched by identifier and sequence number.
 *
 * It ends as the familiar one does: when as many answers and errors came as were asked for, or when
 * nothing came for `wait` after the last probe (twice the longest round trip, at least one
 * interval; 10 s when nothing was ever heard).
 */
#include "lab/app.h"

#include "wire/icmp4.h"

#define LINGER  (10 * NS_PER_S)
#define MILLION 1000000u

enum probe {
    PROBE_NONE,
    PROBE_SENT,
    PROBE_ANSWERED,
    PROBE_FAILED,               /* an error came */
};

static_assert((PING_SLOTS & (PING_SLOTS - 1)) == 0, "a slot is the low bits of a number");

/* ---- what is printed ---- */

static void print_addr(struct txt *t, const struct oriel_addr *a)
{
    struct oriel_addr bare = *a;
    bare.zone = 0;
    txt_addr(t, &bare);
}

static void say_first(const struct ping *g)
{
    char line[160];
    struct txt t = txt_of(line, sizeof(line));
    txt_s(&t, "PING ");
    print_addr(&t, &g->p.to);
    txt_s(&t, " (");
    print_addr(&t, &g->p.to);
    txt_s(&t, ") ");
    txt_u(&t, g->p.size);
    if (g->v4) {
        txt_c(&t, '(');
        txt_u(&t, g->p.size + 28u);
        txt_s(&t, ") bytes of data.");
    } else {
        txt_s(&t, " data bytes");
    }
    app_say(&g->host, &t);
}

/* Milliseconds with three digits that count, as ping shows them: 0.042, 1.04, 12.3, 104. */
static void print_ms(struct txt *t, uint64_t us)
{
    unsigned digits = us >= 100000 ? 0 : us >= 10000 ? 1 : us >= 1000 ? 2 : 3;
    uint64_t unit = digits == 0 ? 1000 : digits == 1 ? 100 : digits == 2 ? 10 : 1;
    uint64_t scale = 1000 / unit;
    uint64_t v = (us + unit / 2) / unit;
    txt_u(t, v / scale);
    if (digits == 0)
        return;
    txt_c(t, '.');
    txt_u_pad(t, v % scale, digits, '0');
}

static void print_ms3(struct txt *t, uint64_t us)
{
    txt_u(t, us / 1000);
    txt_c(t, '.');
    txt_u_pad(t, us % 1000, 3, '0');
}

static void say_reply(const struct ping *g, const struct oriel_msg *m, uint16_t seq, uint64_t us,
                      bool dup)
{
    char line[160];
    struct txt t = txt_of(line, sizeof(line));
    if (g->p.quiet)
        return;
    txt_u(&t, m->len);
    txt_s(&t, " bytes from ");
    print_addr(&t, &m->peer.addr);
    txt_s(&t, ": icmp_seq=");
    txt_u(&t, seq);
    txt_s(&t, " ttl=");
    txt_u(&t, m->ttl);
    txt_s(&t, " time=");
    print_ms(&t, us);
    txt_s(&t, " ms");
    if (dup)
        txt_s(&t, " (DUP!)");
    app_say(&g->host, &t);
}

static void say_error(const struct ping *g, const struct oriel_addr *from, const struct app_icmp *m)
{
    char line[200];
    struct txt t = txt_of(line, sizeof(line));
    bool redirect = g->v4 && m->type == ICMP4_REDIRECT;
    if (g->p.quiet)
        return;
    txt_s(&t, "From ");
    print_addr(&t, from);
    txt_s(&t, redirect ? ": icmp_seq=" : " icmp_seq=");
    txt_u(&t, m->seq);
    txt_c(&t, ' ');
    if (redirect) {
        txt_s(&t, m->code == 0 ? "Redirect Network" : "Redirect Host");
        txt_s(&t, "(New nexthop: ");
        print_addr(&t, &m->gateway);
        txt_c(&t, ')');
    } else {
        app_icmp_text(&t, g->v4, m->type, m->code, m->info);
    }
    app_say(&g->host, &t);
}

/* A share of a hundred with at most six digits that count, as %g has it: 33.3333, 0, 100. */
static void print_percent(struct txt *t, uint64_t part, uint64_t whole)
{
    unsigned digits = part * 10 >= whole ? 4 : part * 100 >= whole ? 5 : 6;
    uint64_t scale = digits == 4 ? 10000 : digits == 5 ? 100000 : 1000000;
    uint64_t v = whole ? (part * 100 * scale + whole / 2) / whole : 0;
    uint64_t rest = v % scale;
    txt_u(t, v / scale);
    if (rest == 0)
        return;
    while (rest % 10 == 0) {
        rest /= 10;
        digits--;
    }
    txt_c(t, '.');
    txt_u_pad(t, rest, digits, '0');
}

/* The largest r with r * r <= v. */
static uint64_t root(uint64_t v)
{
    uint64_t r = 0;
    for (uint64_t bit = BIT64(31); bit > 0; bit >>= 1)
        if ((r + bit) * (r + bit) <= v)
            r += bit;
    return r;
}

static void say_times(const struct ping *g)
{
    char line[160];
    struct txt t = txt_of(line, sizeof(line));
    uint64_t n = (uint64_t)g->received + g->dups;
    uint64_t avg = g->sum_us / n;
    uint64_t mean2 = g->sum2_us / n;
    const uint64_t shown[] = {g->min_us, avg, g->max_us,
                              root(mean2 > avg * avg ? mean2 - avg * avg : 0)};
    txt_s(&t, "rtt min/avg/max/mdev = ");
    for (unsigned i = 0; i < ARRAY_LEN(shown); i++) {
        txt_s(&t, i ? "/" : "");
        print_ms3(&t, shown[i]);
    }
    txt_s(&t, " ms");
    if (g->pipe > 1) {
        txt_s(&t, ", pipe ");
        txt_u(&t, g->pipe);
    }
    app_say(&g->host, &t);
}

static void put_count(struct txt *t, const char *before, uint64_t n, const char *after)
{
    txt_s(t, before);
    txt_u(t, n);
    txt_s(t, after);
}

static void say_summary(const struct ping *g)
{
    char line[200];
    struct txt t = txt_of(line, sizeof(line));
    app_say(&g->host, &t);
    txt_s(&t, "--- ");
    print_addr(&t, &g->p.to);
    txt_s(&t, " ping statistics ---");
    app_say(&g->host, &t);
    t = txt_of(line, sizeof(line));
    put_count(&t, "", g->sent, " packets transmitted, ");
    put_count(&t, "", g->received, " received");
    if (g->dups)
        put_count(&t, ", +", g->dups, " duplicates");
    if (g->errors)
        put_count(&t, ", +", g->errors, " errors");
    txt_s(&t, ", ");
    print_percent(&t, g->sent > g->received ? g->sent - g->received : 0, g->sent);
    txt_s(&t, "% packet loss, time ");
    txt_u(&t, (g->last_sent - g->start) / NS_PER_MS);
    txt_s(&t, "ms");
    app_say(&g->host, &t);
    if (g->received > 0)
        say_times(g);
    else if (g->pipe > 1) {
        t = txt_of(line, sizeof(line));
        put_count(&t, "pipe ", g->pipe, "");
        app_say(&g->host, &t);
    }
}

static void say_local(const struct ping *g, int err)
{
    char line[120];
    struct txt t = txt_of(line, sizeof(line));
    txt_s(&t, "ping: sendmsg: ");
    txt_s(&t, app_error_text(err));
    app_say(&g->host, &t);
}

/* ---- life ---- */

void ping_stop(struct ping *g)
{
    if (g->done)
        return;
    g->done = true;
    g->next = ORIEL_NEVER;
    if (g->sock)
        best_effort(oriel_close(g->host.stack, g->sock));
    g->sock = 0;
    say_summary(g);
}

static int set_options(struct ping *g)
{
    const struct {
        enum oriel_opt opt;
        int64_t value;
    } opts[] = {
        {ORIEL_OPT_TTL, g->p.ttl},
        {ORIEL_OPT_MCAST_TTL, g->p.ttl ? g->p.ttl : 1},
        {ORIEL_OPT_TOS, g->p.tos},
        {ORIEL_OPT_DF, g->p.df},
        {ORIEL_OPT_BROADCAST, g->p.broadcast},
        {ORIEL_OPT_BIND_NETIF, g->p.netif},
    };
    for (size_t i = 0; i < ARRAY_LEN(opts); i++) {
        int err = oriel_setopt(g->host.stack, g->sock, opts[i].opt, opts[i].value);
        if (err)
            return err;
    }
    return 0;
}

void ping_start(struct ping *g, const struct app_host *host, const struct ping_params *p,
                oriel_time now)
{
    memset(g, 0, sizeof(*g));
    g->host = *host;
    g->p = *p;
    g->v4 = addr_is_v4(&p->to);
    g->start = g->last_sent = now;
    g->next = now;
    g->min_us = UINT64_MAX;
    say_first(g);
    g->failed = oriel_icmp_open(host->stack, g->v4 ? ORIEL_IP4 : ORIEL_IP6, &g->sock);
    if (!g->failed)
        g->failed = set_options(g);
    if (g->failed) {
        say_local(g, g->failed);
        ping_stop(g);
        return;
    }
    ping_step(g, now);
}

oriel_time ping_deadline(const struct ping *g)
{
    return g->done ? ORIEL_NEVER : g->next;
}

/* ---- out ---- */

static bool all_sent(const struct ping *g)
{
    return g->p.count != 0 && g->sent >= g->p.count;
}

static oriel_time linger(const struct ping *g)
{
    if (g->p.wait)
        return g->p.wait;
    if (g->received == 0)
        return LINGER;
    oriel_time twice = 2 * g->max_us * NS_PER_US;
    return twice > g->p.interval ? twice : g->p.interval;
}

static void send_one(struct ping *g, oriel_time now)
{
    uint16_t seq = (uint16_t)(g->sent + 1);
    struct oriel_msg to = {.peer = {.addr = g->p.to}, .netif = g->p.netif};
    size_t n = app_echo_request(g->host.buffer, g->v4, g->p.id, seq, g->p.size);
    g->sent++;
    g->last_sent = now;
    g->sent_at[seq % PING_SLOTS] = now;
    g->state[seq % PING_SLOTS] = PROBE_SENT;
    int err = oriel_send(g->host.stack, g->sock, g->host.buffer, n, &to);
    if (err < 0) {
        g->errors++;
        g->unsent++;
        g->state[seq % PING_SLOTS] = PROBE_FAILED;
        say_local(g, err);
    }
    g->next = time_after(now, all_sent(g) ? linger(g) : g->p.interval);
}

/* ---- in ---- */

/* How many probes were under way when this one was answered. */
static void note_pipe(struct ping *g, uint16_t seq)
{
    uint16_t behind = (uint16_t)(g->sent - seq);
    if (behind < 0x8000 && behind + 1u > g->pipe)
        g->pipe = behind + 1u;
}

static void on_reply(struct ping *g, const struct oriel_msg *m, uint16_t seq)
{
    uint8_t *state = &g->state[seq % PING_SLOTS];
    bool dup = *state == PROBE_ANSWERED;
    if (*state == PROBE_NONE)
        return;
    uint64_t us = (m->arrival - g->sent_at[seq % PING_SLOTS]) / NS_PER_US;
    if (dup)
        g->dups++;
    else
        g->received++;
    *state = PROBE_ANSWERED;
    note_pipe(g, seq);
    g->min_us = us < g->min_us ? us : g->min_us;
    g->max_us = us > g->max_us ? us : g->max_us;
    g->sum_us += us;
    g->sum2_us += us * us;
    say_reply(g, m, seq, us, dup);
}

static void on_error(struct ping *g, const struct oriel_addr *from, const struct app_icmp *m)
{
    bool redirect = g->v4 && m->type == ICMP4_REDIRECT;
    if (!redirect) {            /* a redirect is advice: the probe itself went on */
        g->errors++;
        note_pipe(g, m->seq);
        g->state[m->seq % PING_SLOTS] = PROBE_FAILED;
    }
    say_error(g, from, m);
}

/* Our own stack gave up on a probe: the oldest one that nothing is known of. */
static void on_local_error(struct ping *g, const struct oriel_error_info *e)
{
    struct app_icmp m = {.kind = APP_ICMP_ERROR, .type = g->v4 ? 3 : 1, .code = g->v4 ? 1 : 3};
    uint32_t from = g->sent > PING_SLOTS ? g->sent - PING_SLOTS + 1 : 1;
    if (e->err == ORIEL_EMSGSIZE) {
        m.type = g->v4 ? 3 : 2;
        m.code = g->v4 ? 4 : 0;
        m.info = e->mtu;
    }
    for (uint32_t seq = from; seq <= g->sent; seq++)
        if (g->state[seq % PING_SLOTS] == PROBE_SENT) {
            m.seq = (uint16_t)seq;
            on_error(g, &e->from, &m);
            return;
        }
}

static void take_local_errors(struct ping *g)
{
    struct oriel_error_info e;
    if (oriel_last_error(g->host.stack, g->sock, &e) != 0)
        return;
    bool ours = !e.from_net && addr_same_bits(&e.to.addr, &g->p.to);
    for (; g->local_errors < e.count; g->local_errors++)
        if (ours)
            on_local_error(g, &e);
}

static void take_messages(struct ping *g)
{
    struct oriel_msg m;
    for (;;) {
        int n = oriel_recv(g->host.stack, g->sock, g->host.buffer, APP_BUFFER, &m);
        if (n == ORIEL_EAGAIN)
            return;
        if (n < 0)
            continue;           /* told through oriel_last_error */
        struct app_icmp i = app_icmp_parse(span_of(g->host.buffer, (size_t)n), g->v4, g->p.id,
                                           &g->p.to);
        if (i.kind == APP_ICMP_REPLY)
            on_reply(g, &m, i.seq);
        else if (i.kind == APP_ICMP_ERROR)
            on_error(g, &m.peer.addr, &i);
    }
}

static bool all_known(const struct ping *g)
{
    return all_sent(g) && g->received + g->errors >= g->p.count;
}

void ping_step(struct ping *g, oriel_time now)
{
    if (g->done)
        return;
    take_messages(g);
    take_local_errors(g);
    if (now >= g->next && !all_sent(g))
        send_one(g, now);
    else if (now >= g->next)
        ping_stop(g);
    if (all_known(g))
        ping_stop(g);
}
