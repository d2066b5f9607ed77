/*
 * Traceroute: probes with a hop count of 1, 2, 3 ... and who complains about each.
 *
 * One probe at a time, three a hop. A probe is a datagram to a port that nobody listens on, each to
 * the next one (33434 and up), or an echo request whose sequence number counts. It ends when the
 * destination itself answered, or at hops_max.
 */
#include "lab/app.h"

#include "wire/icmp4.h"
#include "wire/icmp6.h"

#define HOPS_DEFAULT 30
#define WAIT_DEFAULT (5 * NS_PER_S)
#define SIZE4        60
#define SIZE6        80
#define PACKET_MAX   65000

/* ---- what is printed: a line a hop ---- */

static struct txt line_of(struct tracer *t)
{
    return (struct txt){.p = t->line, .n = t->line_n, .cap = sizeof(t->line)};
}

static void print_addr(struct txt *t, const struct oriel_addr *a)
{
    struct oriel_addr bare = *a;
    bare.zone = 0;
    txt_addr(t, &bare);
}

static void say_first(struct tracer *t)
{
    struct txt l = txt_of(t->line, sizeof(t->line));
    txt_s(&l, "traceroute to ");
    print_addr(&l, &t->p.to);
    txt_s(&l, " (");
    print_addr(&l, &t->p.to);
    txt_s(&l, "), ");
    txt_u(&l, t->p.hops_max);
    txt_s(&l, " hops max, ");
    txt_u(&l, t->p.size);
    txt_s(&l, " byte packets");
    app_say(&t->host, &l);
}

static void begin_line(struct tracer *t)
{
    struct txt l = txt_of(t->line, sizeof(t->line));
    txt_u_pad(&l, t->hop, 2, ' ');
    txt_c(&l, ' ');
    t->line_n = l.n;
    t->shown = ADDR_NONE;
}

static void end_line(struct tracer *t)
{
    struct txt l = line_of(t);
    app_say(&t->host, &l);
}

static void print_answer(struct tracer *t, const struct oriel_addr *from, oriel_time rtt,
                         const char *mark, uint32_t info)
{
    struct txt l = line_of(t);
    if (!addr_same_bits(&t->shown, from)) {
        txt_c(&l, ' ');
        print_addr(&l, from);
        t->shown = *from;
    }
    txt_s(&l, "  ");
    txt_u(&l, rtt / NS_PER_MS);
    txt_c(&l, '.');
    txt_u_pad(&l, rtt / NS_PER_US % 1000, 3, '0');
    txt_s(&l, " ms");
    if (mark[0] != '\0') {
        txt_c(&l, ' ');
        txt_s(&l, mark);
        if (info)
            txt_u(&l, info);
    }
    t->line_n = l.n;
}

static void print_silence(struct tracer *t)
{
    struct txt l = line_of(t);
    txt_s(&l, " *");
    t->line_n = l.n;
}

/* What is put behind a time where the answer is not the usual one. */
static const char *mark4(uint8_t type, uint8_t code)
{
    static const char *const marks[] = {"!N", "!H", "!P", "", "!F-", "!S", "!U", "!W",
                                        "!I", "!A",  "!Z", "!Q", "!T", "!X", "!V", "!C"};
    if (type != ICMP4_UNREACHABLE)
        return "";
    return code < ARRAY_LEN(marks) ? marks[code] : "!";
}

static const char *mark6(uint8_t type, uint8_t code)
{
    static const char *const marks[] = {"!N", "!X", "!S", "!H", ""};
    if (type == ICMP6_TOO_BIG)
        return "!F-";
    if (type == ICMP6_PARAM_PROBLEM)
        return "!P";
    if (type != ICMP6_UNREACHABLE)
        return "";
    return code < ARRAY_LEN(marks) ? marks[code] : "!";
}

/* ---- life ---- */

static void finish(struct tracer *t)
{
    t->done = true;
    t->deadline = ORIEL_NEVER;
    if (t->sock)
        best_effort(oriel_close(t->host.stack, t->sock));
    t->sock = 0;
}

static void fail(struct tracer *t, int err)
{
    struct txt l = txt_of(t->line, sizeof(t->line));
    t->failed = err;
    txt_s(&l, "traceroute: ");
    txt_s(&l, app_error_text(err));
    app_say(&t->host, &l);
    finish(t);
}

static size_t probe_data(const struct tracer *t)
{
    size_t headers = t->v4 ? 28 : 48;
    return t->p.size > headers ? t->p.size - headers : 0;
}

static int send_probe(struct tracer *t)
{
    uint8_t *b = t->host.buffer;
    struct oriel_msg m = {.peer = {.addr = t->p.to}, .ttl = t->hop};
    size_t n = probe_data(t);
    if (t->p.icmp) {
        n = app_echo_request(b, t->v4, t->p.id, t->number, n);
    } else {
        m.peer.port = (uint16_t)(TRACE_PORT + t->number - 1);
        app_fill(b, n);
    }
    return oriel_send(t->host.stack, t->sock, b, n, &m);
}

static void next_probe(struct tracer *t, oriel_time now)
{
    t->number++;
    t->sent_at = now;
    t->deadline = time_after(now, t->p.wait);
    int err = send_probe(t);
    if (err < 0) {
        if (t->probe > 0)
            end_line(t);
        fail(t, err);
    }
}

/* A probe was answered or given up: the next one, the next hop, or the end. */
static void advance(struct tracer *t, oriel_time now)
{
    if (++t->probe == t->p.probes) {
        end_line(t);
        if (t->reached || t->hop == t->p.hops_max) {
            finish(t);
            return;
        }
        t->hop++;
        t->probe = 0;
        begin_line(t);
    }
    next_probe(t, now);
}

void trace_start(struct tracer *t, const struct app_host *host, const struct trace_params *p,
                 oriel_time now)
{
    memset(t, 0, sizeof(*t));
    t->host = *host;
    t->p = *p;
    t->v4 = addr_is_v4(&p->to);
    t->p.hops_max = p->hops_max == 0 ? HOPS_DEFAULT
                    : p->hops_max > TRACE_HOPS_MAX ? TRACE_HOPS_MAX : p->hops_max;
    t->p.probes = p->probes == 0 || p->probes > TRACE_PROBES ? TRACE_PROBES : p->probes;
    t->p.wait = p->wait ? p->wait : WAIT_DEFAULT;
    t->p.size = p->size ? p->size : t->v4 ? SIZE4 : SIZE6;
    if (t->p.size > PACKET_MAX)
        t->p.size = PACKET_MAX;
    say_first(t);
    enum oriel_family family = t->v4 ? ORIEL_IP4 : ORIEL_IP6;
    int err = p->icmp ? oriel_icmp_open(host->stack, family, &t->sock)
                      : oriel_udp_open(host->stack, family, &t->sock);
    if (err) {
        fail(t, err);
        return;
    }
    t->hop = 1;
    begin_line(t);
    next_probe(t, now);
}

oriel_time trace_deadline(const struct tracer *t)
{
    return t->done ? ORIEL_NEVER : t->deadline;
}

/* ---- answers ---- */

struct answer {
    struct oriel_addr from;
    oriel_time at;
    uint8_t type, code;
    uint32_t info;
    bool reply;                 /* an echo reply: the destination itself */
};

static bool is_final(const struct tracer *t, const struct answer *a)
{
    return a->reply || a->type == (t->v4 ? ICMP4_UNREACHABLE : ICMP6_UNREACHABLE);
}

static void on_answer(struct tracer *t, const struct answer *a, oriel_time now)
{
    struct trace_hop *h = &t->hops[t->hop - 1];
    const char *mark = a->reply ? "" : t->v4 ? mark4(a->type, a->code) : mark6(a->type, a->code);
    if (h->answers == 0)
        h->from = a->from;
    h->rtt[t->probe] = a->at - t->sent_at;
    h->answers++;
    bool too_big = mark[0] == '!' && mark[1] == 'F';
    print_answer(t, &a->from, a->at - t->sent_at, mark, too_big ? a->info : 0);
    if (is_final(t, a))
        t->reached = true;
    advance(t, now);
}

/* What ICMP said about the datagram in hand: its port tells which it was. */
static bool take_udp_error(struct tracer *t, struct answer *a, oriel_time now)
{
    struct oriel_error_info e;
    if (oriel_last_error(t->host.stack, t->sock, &e) != 0 || e.count == t->errors_seen)
        return false;
    t->errors_seen = e.count;
    if (e.to.port != (uint16_t)(TRACE_PORT + t->number - 1))
        return false;
    *a = (struct answer){.from = e.from, .at = now, .type = e.icmp_type, .code = e.icmp_code,
                         .info = e.mtu};
    if (!e.from_net) {          /* we found out ourselves: nobody is there */
        a->type = t->v4 ? ICMP4_UNREACHABLE : ICMP6_UNREACHABLE;
        a->code = t->v4 ? ICMP4_HOST : ICMP6_ADDR;
    }
    return true;
}

static bool take_message(struct tracer *t, struct answer *a, oriel_time now)
{
    struct oriel_msg m;
    for (;;) {
        int n = oriel_recv(t->host.stack, t->sock, t->host.buffer, APP_BUFFER, &m);
        if (n == ORIEL_EAGAIN)
            return false;
        if (!t->p.icmp)         /* somebody listens on that port after all */
            continue;
        if (n < 0) {            /* no neighbour: as if the router had said so */
            struct oriel_error_info e;
            if (oriel_last_error(t->host.stack, t->sock, &e) != 0)
                continue;
            *a = (struct answer){.from = e.from, .at = now, .type = t->v4 ? 3 : 1,
                                 .code = t->v4 ? ICMP4_HOST : ICMP6_ADDR};
            return true;
        }
        struct app_icmp i = app_icmp_parse(span_of(t->host.buffer, (size_t)n), t->v4, t->p.id,
                                           &t->p.to);
        if (i.kind == APP_ICMP_OTHER || i.seq != t->number)
            continue;
        *a = (struct answer){.from = m.peer.addr, .at = m.arrival, .type = i.type, .code = i.code,
                             .info = i.info, .reply = i.kind == APP_ICMP_REPLY};
        return true;
    }
}

void trace_step(struct tracer *t, oriel_time now)
{
    struct answer a;
    while (!t->done && (take_message(t, &a, now) ||
                        (!t->p.icmp && take_udp_error(t, &a, now))))
        on_answer(t, &a, now);
    if (!t->done && now >= t->deadline) {
        print_silence(t);
        advance(t, now);
    }
}
