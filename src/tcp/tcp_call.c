/*
 * The user calls of RFC 9293, 3.9.1: OPEN, SEND, RECEIVE, CLOSE, ABORT, STATUS; and readiness.
 *
 * Calls change the connection and put it on the list of those that may send; nothing is built here,
 * except a reset, which leaves at once since the connection is gone afterwards.
 */
#include "tcp/tcp.h"

/* ---- OPEN ---- */

static struct tcp_tuple tuple_of(const struct oriel_addr *local, uint16_t local_port,
                                 const struct oriel_endpoint *remote)
{
    return (struct tcp_tuple){
        .local_hi = local->hi,
        .local_lo = local->lo,
        .remote_hi = remote->addr.hi,
        .remote_lo = remote->addr.lo,
        .zone = tcp_zone(&remote->addr, local),
        .local_port = local_port,
        .remote_port = remote->port,
    };
}

static int check_remote(const struct tcp *t, const struct oriel_endpoint *r)
{
    const struct oriel_addr *a = &r->addr;
    if (r->port == 0 || addr_is_unspecified(a) || addr_is_multicast(a) ||
        addr_is_limited_broadcast(a))
        return ORIEL_EINVAL;    /* MUST-46 */
    (void)t;
    return 0;
}

static int claim(struct tcp *t, struct tcp_conn *c, struct tcp_tuple *k)
{
    bool ours = k->local_port == 0;             /* to choose: nobody has it then */
    if (ours)
        k->local_port = tcp_port_choose(t, k, c->prof);
    if (k->local_port == 0)
        return ORIEL_EADDRNOTAVAIL;
    if (!ours && (tcp_find(t, k) || (tcp_timewait_has(t, k) && !tcp_timewait_yield(t, k))))
        return ORIEL_EADDRINUSE;
    c->tuple = *k;
    return tcp_table_add(t, c, tcp_tuple_hash(t, k)) ? 0 : ORIEL_ENOBUFS;
}

static void begin(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_secret s = tcp_isn(t, &c->tuple);
    c->iss = s.iss;
    c->ts_off = s.ts_off;
    c->snd.una = c->iss;
    c->snd.nxt = c->snd.end = c->snd.small = seq_add(c->iss, 1);
    c->snd.peer_mss = tuple_is_v4(&c->tuple) ? TCP_MSS_DEFAULT4 : TCP_MSS_DEFAULT6;
    c->rcv.nxt = c->rcv.adv = c->rcv.acked = seq_of(0);
    c->rcv.buf = c->prof->rcvbuf ? c->prof->rcvbuf : t->set.rcvbuf;
    if (t->set.ecn >= ORIEL_ECN_ON || c->prof->ecn >= ORIEL_ECN_ON)
        c->is |= TCP_IS_ECN_TRIED;
    tcp_set_state(t, c, TCP_SYN_SENT);
    c->out.rtx_why = WHY_SYN;
    tcp_want(t, c, TCP_WANT_SYN);
}

/* Who opens connections mostly opens them to whom it did before. */
static int find_way(struct tcp *t, const struct oriel_addr *remote, const struct oriel_addr *local,
                    uint16_t bind_nif, struct ip_path *out)
{
    const struct ip_path *last = &t->way.path;
    bool any = addr_identical(local, &ADDR_NONE);
    if (any && last->gen == t->ip->gen && t->way.bind_nif == bind_nif &&
        addr_identical(&last->dst, remote)) {
        *out = *last;
        return 0;
    }
    int err = ip_path_find(t->ip, remote, local, bind_nif, out);
    if (!err && any) {
        t->way.path = *out;
        t->way.bind_nif = bind_nif;
    }
    return err;
}

int tcp_connect(struct tcp *t, struct tcp_conn *c, const struct oriel_endpoint *local,
                const struct oriel_endpoint *remote, struct span fastopen_data)
{
    struct ip_path path;
    if (c->state != TCP_CLOSED)
        return c->state == TCP_SYN_SENT || c->state == TCP_SYN_RCVD ? ORIEL_EINPROGRESS
                                                                    : ORIEL_EISCONN;
    if (c->is & TCP_IS_CONNECTING)
        return ORIEL_EINPROGRESS;
    if (c->error)
        return ORIEL_EINVAL;    /* a connection lives once */
    int err = check_remote(t, remote);
    if (!err)
        err = find_way(t, &remote->addr, &local->addr, c->prof->bind_nif, &path);
    if (!err && (path.broadcast || path.group))
        err = ORIEL_EINVAL;
    if (err)
        return err;
    struct tcp_tuple k = tuple_of(&path.src, local->port, remote);
    if ((err = claim(t, c, &k)) != 0)
        return err;
    struct netif *nif = path.nif;
    while (nif->parent)
        nif = nif->parent;
    c->nif = nif->index;
    if (c->prof->fastopen_connect && fastopen_data.n == 0) {
        c->is |= TCP_IS_TFO;
        if (tcp_open_fastopen_ready(t, c)) {    /* the SYN waits for the first data */
            c->is |= TCP_IS_CONNECTING;
            tcp_mark_dirty(t, c);
            return 0;
        }
    }
    begin(t, c);
    if (fastopen_data.n > 0)
        return tcp_open_fastopen(t, c, fastopen_data);
    return 0;
}

/* ---- SEND ---- */

static uint32_t send_buffer(const struct tcp *t, const struct tcp_conn *c)
{
    if (c->prof->sndbuf)
        return c->prof->sndbuf;
    uint64_t want = c->flight ? 2 * (uint64_t)c->flight->cc.cwnd : 0;   /* two windows' worth */
    if (want < t->set.sndbuf)
        want = t->set.sndbuf;
    return want > t->set.sndbuf_max ? t->set.sndbuf_max : (uint32_t)want;
}

/* Bytes that the send buffer takes. */
static uint32_t buffer_room(const struct tcp *t, const struct tcp_conn *c)
{
    uint32_t held = c->flight ? c->flight->sndq.len : 0;
    uint32_t max = send_buffer(t, c);
    uint32_t lowat = c->prof->notsent_lowat;
    if (lowat != 0 && tcp_unsent(c) >= lowat)
        return 0;
    return held < max ? max - held : 0;
}

/* So much that who writes is told of it? */
static bool has_buffer_room(const struct tcp *t, const struct tcp_conn *c)
{
    return buffer_room(t, c) >= send_buffer(t, c) / 3;
}

/*
 * Is there room for so little as n bytes, as there nearly always is? What is asked here is enough for
 * send_room to find it: a large block is free, and so is twice its size of the budget.
 */
#define LITTLE_MAX  4096
#define LITTLE_HELD 16384

static inline bool has_room_for_little(const struct tcp *t, const struct tcp_conn *c, size_t n)
{
    const struct pool *large = &t->env->mem->blks[BLK_STREAM_L];
    const struct budget *b = t->env->budget;
    uint32_t held = c->flight ? c->flight->sndq.len : 0, most = held + (uint32_t)n;
    return n <= LITTLE_MAX && held <= LITTLE_HELD && large->live < large->cap &&
           b->used + 65536 <= b->max - b->max / TCP_WRITE_BUDGET_SHARE && c->prof->sndbuf == 0 &&
           c->prof->notsent_lowat == 0 && most <= t->set.sndbuf && most <= t->set.sndbuf_max;
}

/* Bytes that may be written now. */
static uint32_t send_room(const struct tcp *t, const struct tcp_conn *c)
{
    uint32_t room = buffer_room(t, c);
    uint64_t memory = tcp_memory_to_write(t, c->flight ? c->flight->sndq.len : 0);
    return room < memory ? room : (uint32_t)memory;
}

static int take_error(struct tcp_conn *c)
{
    int err = c->error;
    c->error = 0;
    return err;
}

/* 0: data may be written, unless an error waits. */
static int may_write(const struct tcp_conn *c)
{
    switch ((enum oriel_tcp_state)c->state) {
    case ORIEL_TCP_ESTABLISHED:
    case ORIEL_TCP_CLOSE_WAIT:
        return (c->out.want & TCP_WANT_FIN) ? ORIEL_EPIPE : 0;
    case ORIEL_TCP_SYN_RCVD:
        return (c->is & (TCP_IS_TFO | TCP_IS_PASSIVE)) == (TCP_IS_TFO | TCP_IS_PASSIVE)
                   ? 0 : ORIEL_EAGAIN;
    case ORIEL_TCP_SYN_SENT:
        return ORIEL_EAGAIN;
    case ORIEL_TCP_CLOSED:
        return c->tuple.remote_port ? ORIEL_EPIPE : ORIEL_ENOTCONN;
    case ORIEL_TCP_LISTEN:
    case ORIEL_TCP_FIN_WAIT_1:
    case ORIEL_TCP_FIN_WAIT_2:
    case ORIEL_TCP_CLOSING:
    case ORIEL_TCP_LAST_ACK:
    case ORIEL_TCP_TIME_WAIT:
    case ORIEL_TCP_STATES:
        break;
    }
    return ORIEL_EPIPE;
}

static inline int check_send(struct tcp_conn *c)
{
    if (oriel_likely(c->state == TCP_ESTABLISHED && !c->error && !(c->out.want & TCP_WANT_FIN)))
        return 0;
    return c->error ? take_error(c) : may_write(c);
}

static void wrote(struct tcp *t, struct tcp_conn *c, uint32_t n, uint32_t flags)
{
    c->snd.end = seq_add(c->snd.end, n);
    c->is &= ~(uint32_t)TCP_IS_SNDBUF_FULL;
    if (flags & ORIEL_MSG_MORE)
        c->is |= TCP_IS_MORE;
    else
        c->is &= ~(uint32_t)TCP_IS_MORE;
    if (flags & ORIEL_MSG_URGENT) {
        c->snd_up = c->snd.end;                 /* MUST-62 */
        c->is |= TCP_IS_URG_OUT;
        tcp_ack_now(t, c, WHY_URGENT);          /* the peer learns of it though its window is closed */
    }
    tcp_ready_to_send(t, c);
}

/* Behind what was written before; how much found room. */
static inline size_t write_into(struct tcp *t, struct tcp_conn *c, struct span data)
{
    struct stream *s = &c->flight->sndq;
    if (stream_put(s, data))
        return data.n;
    if (tcp_link_sums(t, c))
        return stream_write_unsummed(t->env, s, data, tcp_mss_now(c));
    return stream_write(t->env, s, data, tcp_mss_now(c));
}

/* There is no room, or no memory: it will want to hear of room. */
static int refused(struct tcp *t, struct tcp_conn *c)
{
    c->is |= TCP_IS_SNDBUF_FULL;
    if (has_buffer_room(t, c))
        tcp_starve(t, c);
    return c->flight && c->flight->sndq.len > 0 ? ORIEL_EAGAIN : ORIEL_ENOBUFS;
}

int tcp_send(struct tcp *t, struct tcp_conn *c, struct span data, uint32_t flags)
{
    if (oriel_unlikely(c->is & TCP_IS_CONNECTING)) {
        c->is &= ~(uint32_t)TCP_IS_CONNECTING;
        begin(t, c);
        return tcp_open_fastopen(t, c, data);
    }
    int err = check_send(c);
    if (oriel_unlikely(err))
        return err;
    if (data.n == 0)
        return 0;
    bool little = has_room_for_little(t, c, data.n);
    uint32_t room = oriel_likely(little) ? (uint32_t)data.n : send_room(t, c);
    if (room == 0 || !tcp_flight_of(t, c))
        return refused(t, c);
    bool cut = data.n > room;
    if (cut)
        data.n = room;
    size_t n = write_into(t, c, data);
    if (n == 0)
        return refused(t, c);
    cut = cut || n < data.n;
    wrote(t, c, (uint32_t)n, cut ? flags & ~(uint32_t)ORIEL_MSG_URGENT : flags);
    if (cut)
        c->is |= TCP_IS_SNDBUF_FULL;            /* it will want to hear of room */
    return (int)n;
}

struct oriel_room tcp_send_window(struct tcp *t, struct tcp_conn *c)
{
    struct oriel_room out = {0};
    uint32_t room = c->error == 0 && may_write(c) == 0 ? send_room(t, c) : 0;
    if (room == 0 || !tcp_flight_of(t, c)) {
        (void)refused(t, c);
        return out;
    }
    out.p = stream_room(t->env, &c->flight->sndq, room, tcp_mss_now(c), &out.n);
    if (!out.p) {
        out.n = 0;
        (void)refused(t, c);
    }
    if (out.n > room)
        out.n = room;
    return out;
}

int tcp_send_commit(struct tcp *t, struct tcp_conn *c, size_t n)
{
    int err = check_send(c);
    if (err)
        return err;
    if (n > buffer_room(t, c) || !c->flight)
        return ORIEL_EINVAL;
    if (n == 0)
        return 0;
    stream_commit(&c->flight->sndq, n);
    wrote(t, c, (uint32_t)n, 0);
    return 0;
}

/* ---- RECEIVE ---- */

static bool at_end(const struct tcp_conn *c)
{
    return (c->is & (TCP_IS_FIN_RCVD | TCP_IS_SHUT_RD)) || c->state == TCP_TIME_WAIT;
}

/* What reading gives when no bytes wait. */
static int nothing_to_read(struct tcp_conn *c)
{
    if (c->error)
        return take_error(c);
    if (at_end(c))
        return 0;
    if (c->state == TCP_CLOSED)
        return c->tuple.remote_port ? 0 : ORIEL_ENOTCONN;
    return ORIEL_EAGAIN;
}

int tcp_recv(struct tcp *t, struct tcp_conn *c, void *buf, size_t cap, uint32_t flags)
{
    if (flags & ORIEL_MSG_URGENT)
        return tcp_recv_oob(t, c, buf, cap, (flags & ORIEL_MSG_PEEK) != 0);
    if (c->rcv.unread == 0)
        return nothing_to_read(c);
    if (cap == 0)
        return 0;
    uint32_t max = cap > INT32_MAX ? INT32_MAX : (uint32_t)cap;
    uint32_t n = tcp_reasm_read(t, c, buf, max, (flags & ORIEL_MSG_PEEK) != 0);
    return n > 0 ? (int)n : ORIEL_EAGAIN;
}

int tcp_recv_view(const struct tcp_conn *c, struct oriel_bytes out[], unsigned max)
{
    if (c->rcv.unread == 0) {
        if (c->error)
            return c->error;
        return at_end(c) || c->state == TCP_CLOSED ? 0 : ORIEL_EAGAIN;
    }
    return (int)tcp_reasm_view(c, out, max);
}

int tcp_recv_release(struct tcp *t, struct tcp_conn *c, size_t n)
{
    if (n > c->rcv.unread)
        return ORIEL_EINVAL;
    if (n > 0)
        tcp_reasm_skip(t, c, (uint32_t)n);
    return 0;
}

/* ---- CLOSE, ABORT ---- */

/* Our side closes: a FIN after all that was written (3.10.4). */
static void close_sending(struct tcp *t, struct tcp_conn *c)
{
    switch ((enum oriel_tcp_state)c->state) {
    case ORIEL_TCP_SYN_RCVD:            /* queued until ESTABLISHED: tcp_open_on_ack goes on */
        break;
    case ORIEL_TCP_ESTABLISHED:
        tcp_set_state(t, c, TCP_FIN_WAIT_1);
        break;
    case ORIEL_TCP_CLOSE_WAIT:
        tcp_set_state(t, c, TCP_LAST_ACK);
        break;
    case ORIEL_TCP_CLOSED:
    case ORIEL_TCP_LISTEN:
    case ORIEL_TCP_SYN_SENT:
    case ORIEL_TCP_FIN_WAIT_1:
    case ORIEL_TCP_FIN_WAIT_2:
    case ORIEL_TCP_CLOSING:
    case ORIEL_TCP_LAST_ACK:
    case ORIEL_TCP_TIME_WAIT:
    case ORIEL_TCP_STATES:
        return;
    }
    c->is &= ~(uint32_t)TCP_IS_MORE;
    if (!tcp_flight_of(t, c)) { /* no memory even for a FIN: the peer must learn of the end */
        tcp_reset_conn(t, c, WHY_RST_ABORT);
        tcp_end(t, c, ORIEL_ENOBUFS);
        return;
    }
    tcp_want(t, c, TCP_WANT_FIN);
}

int tcp_shutdown(struct tcp *t, struct tcp_conn *c, int how)
{
    if (how < ORIEL_SHUT_READ || how > (ORIEL_SHUT_READ | ORIEL_SHUT_WRITE))
        return ORIEL_EINVAL;
    if (c->state == TCP_CLOSED || c->state == TCP_TIME_WAIT)
        return ORIEL_ENOTCONN;
    if ((how & ORIEL_SHUT_WRITE) && c->state == TCP_SYN_SENT) {
        tcp_end(t, c, ORIEL_ECONNABORTED);
        return 0;
    }
    if (how & ORIEL_SHUT_READ) {
        c->is |= TCP_IS_SHUT_RD;
        if (c->rcv.unread > 0)
            tcp_reasm_skip(t, c, c->rcv.unread);
        tcp_mark_dirty(t, c);
    }
    if (how & ORIEL_SHUT_WRITE)
        close_sending(t, c);
    return 0;
}

/* Does the peer have to be told of an abort (3.10.5)? */
static bool reset_due(const struct tcp_conn *c)
{
    return tcp_synchronized(c->state) && c->state != TCP_TIME_WAIT;
}

static void end_with_reset(struct tcp *t, struct tcp_conn *c, enum why why)
{
    c->sock = 0;
    c->is &= ~(uint32_t)TCP_IS_DIRTY;
    if (reset_due(c))
        tcp_reset_conn(t, c, why);
    tcp_end(t, c, 0);
}

void tcp_abort(struct tcp *t, struct tcp_conn *c)
{
    end_with_reset(t, c, WHY_RST_ABORT);
}

void tcp_close(struct tcp *t, struct tcp_conn *c)
{
    if (c->prof->linger_ms == 0) {
        end_with_reset(t, c, WHY_RST_ABORT);
        return;
    }
    if (c->rcv.unread > 0 && reset_due(c) && !(c->is & TCP_IS_SHUT_RD)) {
        end_with_reset(t, c, WHY_RST_UNREAD);   /* SHLD-3 */
        return;
    }
    c->sock = 0;
    c->is &= ~(uint32_t)TCP_IS_DIRTY;
    c->is |= TCP_IS_ORPHAN | TCP_IS_SHUT_RD;
    tcp_reasm_free(t, c);       /* what lies out of order nobody will read */
    if (c->state == TCP_CLOSED || c->state == TCP_SYN_SENT || c->state == TCP_TIME_WAIT) {
        tcp_end(t, c, 0);
        return;
    }
    if (c->state == TCP_FIN_WAIT_2 || c->state == TCP_FIN_WAIT_1 || c->state == TCP_CLOSING ||
        c->state == TCP_LAST_ACK)
        tcp_timer_on_state(t, c);
    else
        close_sending(t, c);
}

/* ---- readiness ---- */

static bool can_write(const struct tcp *t, const struct tcp_conn *c)
{
    if (c->is & TCP_IS_CONNECTING)
        return true;
    if (c->state == TCP_CLOSED)
        return c->tuple.remote_port != 0;       /* writing says what happened */
    if (!tcp_may_send(c) && !(c->state == TCP_SYN_RCVD && (c->is & TCP_IS_TFO)))
        return c->state != TCP_SYN_SENT && c->state != TCP_SYN_RCVD;
    return !(c->is & TCP_IS_STARVED) && has_buffer_room(t, c);
}

/* Is urgent data ahead, or here and not taken? Once its byte was taken apart only the mark is left. */
static bool urgent_waits(const struct tcp_conn *c)
{
    if (!(c->is & TCP_IS_URG_IN))
        return (c->is & TCP_IS_OOB_BYTE) != 0;
    return (c->is & TCP_IS_OOB_BYTE) || c->prof->oobinline || seq_lt(c->rcv.nxt, c->rcv_up);
}

bool tcp_room_returned(const struct tcp *t, const struct tcp_conn *c)
{
    return (c->is & TCP_IS_SNDBUF_FULL) && can_write(t, c);
}

/* As much as was asked for waits to be read, or as much as there is room for. */
static bool has_enough(const struct tcp_conn *c)
{
    uint32_t least = c->prof->rcvlowat ? c->prof->rcvlowat : 1;
    return c->rcv.unread >= least ||
           (c->rcv.unread > 0 && seq_diff(c->rcv.nxt, c->rcv.adv) < (int32_t)c->rcv.mss);
}

uint32_t tcp_ready(const struct tcp *t, const struct tcp_conn *c)
{
    uint32_t events = 0;
    bool ended = c->state == TCP_CLOSED && c->tuple.remote_port != 0 &&
                 !(c->is & TCP_IS_CONNECTING);
    if (has_enough(c) || at_end(c) || ended)
        events |= ORIEL_READABLE;
    if (can_write(t, c))
        events |= ORIEL_WRITABLE;
    if (c->error)
        events |= ORIEL_FAILED;
    if (urgent_waits(c))
        events |= ORIEL_URGENT;
    if ((c->is & TCP_IS_FIN_RCVD) || ended)
        events |= ORIEL_PEER_CLOSED;
    if (ended || c->state == TCP_TIME_WAIT ||
        ((c->is & TCP_IS_FIN_RCVD) && (c->is & TCP_IS_FIN_SENT)))
        events |= ORIEL_HUNG_UP;
    return events;
}

uint32_t tcp_sndbuf(const struct tcp *t, const struct tcp_conn *c)
{
    return send_buffer(t, c);
}
