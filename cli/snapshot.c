/* Sockets, limits and counters of all stacks of a world, as text or JSON. */
#include "cli/snapshot.h"

#include "base/addr.h"
#include "cli/json.h"
#include "cli/summary.h"
#include "lab/lab_info.h"

/* ---- the question ---- */

static const char *const whats[] = {
    [SNAPSHOT_SOCKETS] = "ss", [SNAPSHOT_LIMITS] = "limits", [SNAPSHOT_COUNTERS] = "stat",
};

void snapshot_line(struct txt *t, const struct snapshot_want *w)
{
    txt_s(t, whats[w->what]);
    txt_s(t, w->json ? " json" : "");
    txt_s(t, w->prometheus ? " prometheus" : "");
    txt_s(t, w->zeros ? " zeros" : "");
    txt_s(t, w->tcp ? " tcp" : "");
    txt_s(t, w->udp ? " udp" : "");
    txt_s(t, w->icmp ? " icmp" : "");
    txt_s(t, w->info ? " info" : "");
    txt_s(t, " states=");
    txt_u(t, w->states);
}

static bool take_word(struct span word, struct snapshot_want *w)
{
    uint64_t states;
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {
        {"json", &w->json}, {"prometheus", &w->prometheus}, {"zeros", &w->zeros}, {"tcp", &w->tcp},
        {"udp", &w->udp}, {"icmp", &w->icmp}, {"info", &w->info},
    };
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (span_is(word, flags[i].name))
            return *flags[i].flag = true;
    if (word.n < 8 || memcmp(word.p, "states=", 7) != 0 ||
        !txt_parse_u(span_of(word.p + 7, word.n - 7), UINT32_MAX, &states))
        return false;
    w->states = (uint32_t)states;
    return true;
}

bool snapshot_parse(struct span line, struct snapshot_want *w)
{
    bool known = false;
    *w = (struct snapshot_want){.what = SNAPSHOT_SOCKETS};
    for (unsigned n = 0; line.n > 0; n++) {
        size_t k = 0;
        while (k < line.n && line.p[k] != ' ')
            k++;
        struct span word = span_of(line.p, k);
        for (size_t i = 0; n == 0 && i < ARRAY_LEN(whats); i++)
            if (span_is(word, whats[i])) {
                w->what = (enum snapshot_what)i;
                known = true;
            }
        if (!known || (n > 0 && !take_word(word, w)))
            return false;
        line = span_of(line.p + k + (k < line.n), line.n - k - (k < line.n));
    }
    return known;
}

/* ---- sockets ---- */

static void put(struct txt *t, const struct sink *out)
{
    txt_c(t, '\n');
    (void)sink_put(out, span_of(t->p, t->n));
    t->n = 0;
}

static void put_end(struct txt *t, const struct oriel_endpoint *e, enum oriel_family family)
{
    bool any = addr_is_unspecified(&e->addr);
    bool six = !any && !addr_is_v4(&e->addr);
    if (any)
        txt_s(t, family == ORIEL_DUAL ? "*" : family == ORIEL_IP6 ? "[::]" : "0.0.0.0");
    else {
        txt_s(t, six ? "[" : "");
        txt_addr(t, &e->addr);
        txt_s(t, six ? "]" : "");
    }
    txt_c(t, ':');
    if (e->port)
        txt_u(t, e->port);
    else
        txt_c(t, '*');
}

/* As ss calls them. */
static const char *state_word(enum oriel_tcp_state st)
{
    static const char *const words[ORIEL_TCP_STATES] = {
        [ORIEL_TCP_CLOSED] = "CLOSED",         [ORIEL_TCP_LISTEN] = "LISTEN",
        [ORIEL_TCP_SYN_SENT] = "SYN-SENT",     [ORIEL_TCP_SYN_RCVD] = "SYN-RECV",
        [ORIEL_TCP_ESTABLISHED] = "ESTAB",     [ORIEL_TCP_FIN_WAIT_1] = "FIN-WAIT-1",
        [ORIEL_TCP_FIN_WAIT_2] = "FIN-WAIT-2", [ORIEL_TCP_CLOSE_WAIT] = "CLOSE-WAIT",
        [ORIEL_TCP_CLOSING] = "CLOSING",       [ORIEL_TCP_LAST_ACK] = "LAST-ACK",
        [ORIEL_TCP_TIME_WAIT] = "TIME-WAIT",
    };
    return words[st];
}

struct row {
    const char *kind;           /* "tcp" */
    oriel_handle handle;        /* 0: no socket any more */
    enum oriel_family family;
    bool stream;
    enum oriel_tcp_state state;
    uint32_t recv_queue, send_queue;
    struct oriel_endpoint local, remote;
    uint64_t dropped;
};

struct printer {
    const struct snapshot_want *want;
    const struct oriel_stack *stack;
    const char *node, *verb;
    int pid;
    struct sink out;
};

static void put_ms(struct txt *t, const char *name, uint32_t us)
{
    txt_s(t, name);
    txt_u(t, us / 1000);
    txt_c(t, '.');
    txt_u_pad(t, us % 1000, 3, '0');
}

static void put_u(struct txt *t, const char *name, uint64_t v)
{
    if (v == 0)
        return;
    txt_s(t, name);
    txt_u(t, v);
}

/* What ss -ti says, with its names; then what Linux does not know. */
static void print_info(const struct printer *p, const struct oriel_tcp_info *i)
{
    char line[1536];
    struct txt t = txt_of(line, sizeof line);
    txt_s(&t, "        ");
    txt_s(&t, i->congestion);
    txt_s(&t, i->timestamps ? " ts" : "");
    txt_s(&t, i->sack ? " sack" : "");
    txt_s(&t, i->ecn ? " ecn" : "");
    if (i->wscale) {
        put_u(&t, " wscale:", i->snd_wscale);
        put_u(&t, ",", i->rcv_wscale);
    }
    put_ms(&t, " rto:", i->rto_us);
    put_ms(&t, " rtt:", i->rtt_us);
    put_ms(&t, "/", i->rttvar_us);
    put_ms(&t, " minrtt:", i->min_rtt_us);
    put_u(&t, " mss:", i->snd_mss);
    put_u(&t, " pmtu:", i->pmtu);
    put_u(&t, " rcvmss:", i->rcv_mss);
    put_u(&t, " advmss:", i->advmss);
    put_u(&t, " cwnd:", i->snd_cwnd);
    if (i->ssthresh_bytes != UINT32_MAX)
        put_u(&t, " ssthresh:", i->snd_ssthresh);
    put_u(&t, " bytes_sent:", i->bytes_sent);
    put_u(&t, " bytes_retrans:", i->bytes_retrans);
    put_u(&t, " bytes_acked:", i->bytes_acked);
    put_u(&t, " bytes_received:", i->bytes_received);
    put_u(&t, " segs_out:", i->segs_out);
    put_u(&t, " segs_in:", i->segs_in);
    put_u(&t, " data_segs_out:", i->data_segs_out);
    put_u(&t, " data_segs_in:", i->data_segs_in);
    if (i->delivery_rate > 0) {
        txt_s(&t, " delivery_rate ");
        txt_u(&t, i->delivery_rate * 8);
        txt_s(&t, "bps");
    }
    put_u(&t, " unacked:", i->unacked);
    put_u(&t, " retrans:0/", i->total_retrans);
    put_u(&t, " lost:", i->lost);
    put_u(&t, " sacked:", i->sacked);
    put_u(&t, " dsack_dups:", i->dsack_dups);
    put_u(&t, " reordering:", i->reordering);
    put_u(&t, " rcv_space:", i->rcv_space);
    put_u(&t, " snd_wnd:", i->snd_wnd);
    put_u(&t, " rcv_wnd:", i->rcv_wnd);
    put(&t, &p->out);
    txt_s(&t, "        now limited by: ");
    txt_s(&t, oriel_tcp_limit_name(i->limit));
    summary_put_limits(&t, i->limit_ns, "; ", "; ");
    put(&t, &p->out);
}

static void json_info(struct json *j, const struct oriel_tcp_info *i)
{
    json_open(j, "tcp_info", '{');
    json_text(j, "congestion", i->congestion);
    const struct lab_info_field *f;
    for (size_t k = 0; (f = lab_info_field(k)) != NULL; k++)
        if (strcmp(f->name, "limit") != 0)
            json_u(j, f->name, lab_info_value(i, f));
    json_close(j, '}');
    json_text(j, "limited_by", summary_limit_key(i->limit));
    json_open(j, "limit_ns", '{');
    for (unsigned k = 0; k < ORIEL_LIMIT_N; k++)
        json_u(j, summary_limit_key((enum oriel_tcp_limit)k), i->limit_ns[k]);
    json_close(j, '}');
}

static void json_end_point(struct json *j, const char *key, const char *port_key,
                           const struct oriel_endpoint *e)
{
    char text[ADDR_TEXT_MAX];
    struct txt t = txt_of(text, sizeof text);
    txt_addr(&t, &e->addr);
    json_text(j, key, text);
    json_u(j, port_key, e->port);
}

static void json_row(const struct printer *p, const struct row *r, const struct oriel_tcp_info *i)
{
    struct json j;
    json_begin(&j, p->out);
    json_text(&j, "event", "socket");
    json_u(&j, "pid", (uint64_t)p->pid);
    json_text(&j, "verb", p->verb);
    json_text(&j, "node", p->node);
    json_text(&j, "kind", r->kind);
    json_text(&j, "state", r->stream ? oriel_tcp_state_name(r->state) : "");
    json_end_point(&j, "local", "local_port", &r->local);
    json_end_point(&j, "remote", "remote_port", &r->remote);
    json_u(&j, "recv_queue", r->recv_queue);
    json_u(&j, "send_queue", r->send_queue);
    json_u(&j, "dropped", r->dropped);
    if (i)
        json_info(&j, i);
    json_end(&j);
}

static void text_row(const struct printer *p, const struct row *r, const struct oriel_tcp_info *i)
{
    char line[320];
    struct txt t = txt_of(line, sizeof line);
    txt_s(&t, r->kind);
    txt_pad_to(&t, 6);
    txt_s(&t, r->stream ? state_word(r->state) : "UNCONN");
    txt_pad_to(&t, 18);
    txt_u(&t, r->recv_queue);
    txt_pad_to(&t, 26);
    txt_u(&t, r->send_queue);
    txt_pad_to(&t, 34);
    put_end(&t, &r->local, r->family);
    txt_s(&t, " ");
    txt_pad_to(&t, 56);
    put_end(&t, &r->remote, r->family);
    txt_s(&t, " ");
    txt_pad_to(&t, 78);
    txt_s(&t, p->verb);
    txt_c(&t, '/');
    txt_u(&t, (uint64_t)p->pid);
    txt_c(&t, '/');
    txt_s(&t, p->node);
    put(&t, &p->out);
    if (i && p->want->info)
        print_info(p, i);
}

static void print_row(const struct printer *p, const struct row *r)
{
    struct oriel_tcp_info info;
    bool wanted = r->stream ? p->want->tcp && (p->want->states & BIT(r->state))
                  : strcmp(r->kind, "udp") == 0 ? p->want->udp : p->want->icmp;
    if (!wanted)
        return;
    bool told = r->stream && r->handle && r->state != ORIEL_TCP_LISTEN &&
                oriel_tcp_info(p->stack, r->handle, &info) == 0;
    if (p->want->json)
        json_row(p, r, told ? &info : NULL);
    else
        text_row(p, r, told ? &info : NULL);
}

static void print_sockets(const struct printer *p)
{
    struct oriel_socket_info s;
    struct oriel_conn_info c;
    for (uint32_t at = 0; oriel_socket_each(p->stack, &at, &s);) {
        struct oriel_tcp_info i;
        struct row r = {
            .kind = s.kind, .handle = s.handle, .family = s.family, .state = s.state,
            .stream = strcmp(s.kind, "tcp") == 0, .recv_queue = s.rcv_bytes, .local = s.local,
            .remote = s.remote, .dropped = s.dropped,
        };
        if (r.stream && oriel_tcp_info(p->stack, s.handle, &i) == 0) {
            r.recv_queue = i.recv_queue;
            r.send_queue = i.send_queue;
        }
        print_row(p, &r);
    }
    for (uint32_t at = 0; oriel_conn_each(p->stack, &at, &c);) {
        const struct row r = {
            .kind = "tcp", .stream = true, .state = c.state, .recv_queue = c.recv_queue,
            .send_queue = c.send_queue, .local = c.local, .remote = c.remote,
        };
        if (c.handle == 0)
            print_row(p, &r);
    }
}

/* ---- limits ---- */

static void print_limits(const struct printer *p)
{
    struct oriel_limit_info l;
    for (uint32_t at = 0; oriel_limit_each(p->stack, &at, &l);) {
        char line[256];
        struct txt t = txt_of(line, sizeof line);
        struct json j;
        if (p->want->json) {
            json_begin(&j, p->out);
            json_text(&j, "event", "limit");
            json_u(&j, "pid", (uint64_t)p->pid);
            json_text(&j, "node", p->node);
            json_text(&j, "name", l.name);
            json_u(&j, "used", l.used);
            json_u(&j, "limit", l.value);
            json_text(&j, "from", l.from);
            json_end(&j);
            continue;
        }
        txt_s(&t, p->node);
        txt_s(&t, " ");
        txt_pad_to(&t, 10);
        txt_s(&t, l.name);
        txt_s(&t, " ");
        txt_pad_to(&t, 34);
        txt_u(&t, l.used);
        txt_s(&t, " ");
        txt_pad_to(&t, 48);
        txt_u(&t, l.value);
        txt_s(&t, " ");
        txt_pad_to(&t, 62);
        txt_s(&t, l.from);
        put(&t, &p->out);
    }
}

/* ---- counters ---- */

static void prometheus(const struct printer *p, const struct oriel_counter_info *c)
{
    char line[512];
    struct txt t = txt_of(line, sizeof line);
    txt_s(&t, "oriel_");
    txt_s(&t, c->group);
    txt_s(&t, "_total{pid=\"");
    txt_u(&t, (uint64_t)p->pid);
    txt_s(&t, "\",node=\"");
    txt_s(&t, p->node);
    txt_s(&t, "\",reason=\"");
    txt_s(&t, c->name);
    txt_s(&t, "\"} ");
    txt_u(&t, c->value);
    put(&t, &p->out);
}

static void json_counter(const struct printer *p, const struct oriel_counter_info *c)
{
    struct json j;
    json_begin(&j, p->out);
    json_text(&j, "event", "counter");
    json_u(&j, "pid", (uint64_t)p->pid);
    json_text(&j, "node", p->node);
    json_text(&j, "group", c->group);
    json_text(&j, "name", c->name);
    json_u(&j, "value", c->value);
    json_text(&j, "text", c->text);
    json_end(&j);
}

static void print_counters(const struct printer *p)
{
    const char *group = "";
    struct oriel_counter_info c;
    char line[512];
    struct txt t = txt_of(line, sizeof line);
    for (uint32_t at = 0; oriel_counter_each(p->stack, &at, &c);) {
        if (c.value == 0 && !p->want->zeros)
            continue;
        if (p->want->prometheus) {
            prometheus(p, &c);
            continue;
        }
        if (p->want->json) {
            json_counter(p, &c);
            continue;
        }
        if (strcmp(group, c.group) != 0) {
            txt_s(&t, p->verb);
            txt_c(&t, '/');
            txt_u(&t, (uint64_t)p->pid);
            txt_c(&t, '/');
            txt_s(&t, p->node);
            txt_s(&t, strcmp(c.group, "why") == 0 ? ": sent because" : ": dropped because");
            put(&t, &p->out);
        }
        group = c.group;
        txt_s(&t, "    ");
        txt_u_pad(&t, c.value, 8, ' ');
        txt_s(&t, "  ");
        txt_s(&t, c.text);
        txt_s(&t, " (");
        txt_s(&t, c.name);
        txt_c(&t, ')');
        put(&t, &p->out);
    }
}

/* ---- all of it ---- */

void snapshot_header(const struct snapshot_want *w, struct sink out)
{
    static const char sockets[] =
        "Netid State       Recv-Q  Send-Q  Local address:port    Peer address:port     Process\n";
    static const char limits[] =
        "Node      Limit                   Used          At most       From\n";
    static const char metrics[] =
        "# HELP oriel_why_total Packets sent, by reason.\n# TYPE oriel_why_total counter\n"
        "# HELP oriel_drop_total Packets dropped, by reason.\n# TYPE oriel_drop_total counter\n";
    if (w->prometheus)
        (void)sink_put(&out, span_str(metrics));
    else if (!w->json && w->what != SNAPSHOT_COUNTERS)
        (void)sink_put(&out, span_str(w->what == SNAPSHOT_SOCKETS ? sockets : limits));
}

void snapshot_print(const struct snapshot_want *w, const struct node *nodes, unsigned n,
                    const char *verb, int pid, struct sink out)
{
    for (unsigned i = 0; i < n; i++) {
        const struct printer p = {.want = w, .stack = nodes[i].stack, .node = nodes[i].name,
                                  .verb = verb, .pid = pid, .out = out};
        if (!p.stack)
            continue;
        switch (w->what) {
        case SNAPSHOT_SOCKETS:  print_sockets(&p); break;
        case SNAPSHOT_LIMITS:   print_limits(&p); break;
        case SNAPSHOT_COUNTERS: print_counters(&p); break;
        }
    }
}
