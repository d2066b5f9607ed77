/*
 * Deadlines. Facts come in (data left, something was acknowledged, an acknowledgement is owed ...),
 * deadlines are fields of the connection, and one entry in the timing wheel stands at the earliest.
 *
 * The wheel is touched only when the earliest deadline moves earlier than the entry: what an
 * acknowledgement moves later is written down, and the entry finds nothing to do when it fires early.
 * So a connection in full flow touches the wheel about once in a delayed-acknowledgement time.
 *
 *   rtx_at      data, SYN or FIN under way: the retransmission timeout (RFC 6298, 5)
 *               nothing under way, data held: persist (9293, 3.8.6.1), override (3.8.6.2.1), cork
 *   delack_at   an acknowledgement is owed (9293, 3.8.6.3)
 *   life_at     keep-alive (3.8.4), FIN-WAIT-2 of an orphan, linger, deferred accept
 *   rack.reo_at, rack.tlp_at    RACK's (8985), while there is a flight block
 */
#include "tcp/tcp.h"

enum which {                    /* what EV_TCP_TIMER calls them */
    WHICH_RTO = 1,
    WHICH_PERSIST,
    WHICH_DELACK,
    WHICH_LIFE,
    WHICH_REORDER,
    WHICH_TAIL,
};

#define CORK_NS (200 * NS_PER_MS)       /* small data is held back no longer */

static uint32_t now_ms(const struct tcp *t)
{
    return (uint32_t)(t->env->now / NS_PER_MS);
}

static uint64_t since(const struct tcp *t, uint32_t ms)
{
    return (uint64_t)(now_ms(t) - ms) * NS_PER_MS;
}

static oriel_time in(const struct tcp *t, uint64_t ns)
{
    return t->env->now + ns;
}

void tcp_timer_init(struct tcp *t, struct tcp_conn *c)
{
    timer_init(&c->timer.wake, TIMER_TCP);
    c->timer.rtx_at = c->timer.delack_at = c->timer.life_at = ORIEL_NEVER;
    c->timer.rx_ms = c->timer.tx_ms = c->timer.since_ms = now_ms(t);
}

void tcp_timer_stop(struct tcp *t, struct tcp_conn *c)
{
    env_cancel(t->env, &c->timer.wake);
    c->timer.rtx_at = c->timer.delack_at = c->timer.life_at = ORIEL_NEVER;
    if (c->flight)
        c->flight->rack.reo_at = c->flight->rack.tlp_at = ORIEL_NEVER;
}

static inline oriel_time earlier(oriel_time a, oriel_time b)
{
    return a < b ? a : b;
}

static inline oriel_time earliest(const struct tcp_conn *c)
{
    oriel_time at = earlier(earlier(c->timer.rtx_at, c->timer.delack_at), c->timer.life_at);
    return c->flight ? earlier(at, earlier(c->flight->rack.reo_at, c->flight->rack.tlp_at)) : at;
}

static inline void sync(struct tcp *t, struct tcp_conn *c)
{
    oriel_time at = earliest(c);
    if (oriel_likely(timer_armed(&c->timer.wake) && c->timer.wake.deadline <= at))
        return;
    if (at != ORIEL_NEVER)
        env_arm(t->env, &c->timer.wake, at);
}

void tcp_timer_sync(struct tcp *t, struct tcp_conn *c)
{
    sync(t, c);
}

/* ---- facts ---- */

void tcp_timer_on_sent(struct tcp *t, struct tcp_conn *c)
{
    if (c->timer.rtx_at == ORIEL_NEVER) {       /* RFC 6298, 5.1 */
        c->timer.rtx_at = in(t, tcp_rto(t, c));
        if (c->rtt.rtx_n == 0 && c->out.probes == 0)
            c->timer.since_ms = now_ms(t);
    }
    if (c->flight && tcp_synchronized(c->state))
        c->flight->rack.tlp_at = tcp_tlp_deadline(t, c);
    sync(t, c);
}

void tcp_timer_on_progress(struct tcp *t, struct tcp_conn *c)
{
    tcp_rtt_on_progress(c);
    c->timer.since_ms = now_ms(t);
    c->timer.rtx_at = in(t, tcp_rto(t, c));     /* RFC 6298, 5.3 */
    c->is &= ~(uint32_t)TCP_IS_R1;
    if (c->flight)
        c->flight->rack.tlp_at = tcp_tlp_deadline(t, c);
    tcp_timer_sync(t, c);
}

void tcp_timer_on_all_acked(struct tcp *t, struct tcp_conn *c)
{
    tcp_rtt_on_progress(c);
    c->timer.since_ms = now_ms(t);
    c->timer.rtx_at = ORIEL_NEVER;              /* RFC 6298, 5.2 */
    c->is &= ~(uint32_t)TCP_IS_R1;
    if (c->flight)
        c->flight->rack.tlp_at = c->flight->rack.reo_at = ORIEL_NEVER;
}

void tcp_timer_on_ack_owed(struct tcp *t, struct tcp_conn *c)
{
    if (c->timer.delack_at != ORIEL_NEVER)
        return;
    c->timer.delack_at = in(t, t->set.delack);
    sync(t, c);
}

void tcp_timer_on_held(struct tcp *t, struct tcp_conn *c, enum oriel_tcp_limit by)
{
    if (c->timer.rtx_at != ORIEL_NEVER || tcp_outstanding(c) || !tcp_synchronized(c->state))
        return;
    if (by == ORIEL_LIMIT_CORK)
        c->timer.rtx_at = in(t, CORK_NS);
    else if (by == ORIEL_LIMIT_PEER_WINDOW)
        c->timer.rtx_at = in(t, tcp_rto(t, c)); /* SHLD-29 */
    else
        return;
    c->timer.since_ms = c->out.probes == 0 ? now_ms(t) : c->timer.since_ms;
    tcp_timer_sync(t, c);
}

void tcp_timer_on_stalled(struct tcp *t, struct tcp_conn *c)
{
    bool fin_waits = (c->out.want & TCP_WANT_FIN) && !(c->is & TCP_IS_FIN_SENT);
    if (c->out.want & TCP_WANT_ACK) {
        c->timer.delack_at = in(t, t->set.delack);
        c->out.want &= (uint8_t)~TCP_WANT_ACK;
    }
    if (c->timer.rtx_at == ORIEL_NEVER && (tcp_outstanding(c) || tcp_unsent(c) > 0 || fin_waits))
        c->timer.rtx_at = in(t, tcp_rto(t, c));
    tcp_timer_sync(t, c);
}

/* ---- life: keep-alive and the ends of orphans ---- */

static uint64_t ms(uint32_t v)
{
    return (uint64_t)v * NS_PER_MS;
}

static bool keeps_alive(const struct tcp_conn *c)
{
    return c->prof->keepalive && (c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT ||
                                  c->state == TCP_FIN_WAIT_1 || c->state == TCP_FIN_WAIT_2);
}

void tcp_timer_on_state(struct tcp *t, struct tcp_conn *c)
{
    bool orphan = (c->is & TCP_IS_ORPHAN) != 0;
    oriel_time at = ORIEL_NEVER;
    if (c->state == TCP_CLOSED || c->state == TCP_TIME_WAIT)
        return;
    if (orphan && c->state == TCP_FIN_WAIT_2 && t->set.fin_wait_2)
        at = in(t, t->set.fin_wait_2);
    else if (orphan && c->prof->linger_ms > 0)
        at = in(t, ms((uint32_t)c->prof->linger_ms));
    else if (keeps_alive(c))
        at = in(t, ms(c->prof->keepidle_ms));
    if (at == c->timer.life_at)
        return;
    c->timer.life_at = at;
    tcp_timer_sync(t, c);
}

static bool user_timeout_over(const struct tcp *t, const struct tcp_conn *c)
{
    uint64_t limit = c->prof->user_timeout_ms ? ms(c->prof->user_timeout_ms) : 0;
    return limit != 0 && since(t, c->timer.rx_ms) >= limit;
}

/* One unanswered probe kills nobody (MUST-29). False: it was the end of the connection. */
static bool keep_alive(struct tcp *t, struct tcp_conn *c)
{
    uint64_t idle = since(t, c->timer.rx_ms);
    if (c->out.probes == 0 && idle < ms(c->prof->keepidle_ms)) {
        c->timer.life_at = in(t, ms(c->prof->keepidle_ms) - idle);
        return true;
    }
    if (tcp_outstanding(c) || tcp_unsent(c) > 0) {      /* MUST-26: data asks by itself */
        c->timer.life_at = in(t, ms(c->prof->keepidle_ms));
        return true;
    }
    bool give_up = c->prof->user_timeout_ms ? user_timeout_over(t, c) && c->out.probes > 0
                                            : c->out.probes >= c->prof->keepcnt;
    if (give_up) {
        tcp_reset_conn(t, c, WHY_RST_TIMEOUT);
        tcp_end(t, c, ORIEL_ETIMEDOUT);
        return false;
    }
    c->out.probes++;
    c->out.rtx_why = WHY_PROBE_ALIVE;
    tcp_want(t, c, TCP_WANT_PROBE);
    c->timer.life_at = in(t, ms(c->prof->keepintvl_ms));
    return true;
}

static bool on_life(struct tcp *t, struct tcp_conn *c)
{
    c->timer.life_at = ORIEL_NEVER;
    if ((c->is & TCP_IS_ORPHAN) && c->state == TCP_FIN_WAIT_2) {
        tcp_end(t, c, 0);       /* the peer's FIN does not come */
        return false;
    }
    if ((c->is & TCP_IS_ORPHAN) && c->prof->linger_ms > 0) {
        tcp_reset_conn(t, c, WHY_RST_ABORT);
        tcp_end(t, c, ORIEL_ETIMEDOUT);
        return false;
    }
    return keeps_alive(c) ? keep_alive(t, c) : true;
}

/* ---- retransmission and persist ---- */

static uint64_t r2(const struct tcp *t, const struct tcp_conn *c)
{
    if (c->prof->user_timeout_ms)
        return ms(c->prof->user_timeout_ms);
    return tcp_synchronized(c->state) && c->state != TCP_SYN_RCVD ? t->set.user_timeout
                                                                  : t->set.syn_timeout;
}

static bool give_up(struct tcp *t, struct tcp_conn *c)
{
    if (tcp_synchronized(c->state))
        tcp_reset_conn(t, c, WHY_RST_TIMEOUT);
    tcp_end(t, c, c->soft_error ? c->soft_error : ORIEL_ETIMEDOUT);
    return false;
}

/* RFC 9293, 3.8.3: at R1 the network layer looks for another way, and the application may know. */
static void at_r1(struct tcp *t, struct tcp_conn *c)
{
    if (c->is & TCP_IS_R1)
        return;
    c->is |= TCP_IS_R1;
    struct tcp_path *p = tcp_path_of(t, &c->tuple, c->prof->ttl, c->prof->tos, c->prof->bind_nif);
    if (p)
        ip_path_doubt(t->ip, &p->path);
    tcp_mark_dirty(t, c);
}

static bool on_rto(struct tcp *t, struct tcp_conn *c)
{
    bool by_count = c->prof->syncnt && !tcp_synchronized(c->state);
    /* A window that shrank to nothing holds data back as long as the peer answers (SHLD-17). */
    bool shut = c->snd.wnd == 0 && tcp_synchronized(c->state) && !(c->is & TCP_IS_ORPHAN);
    uint32_t from = shut ? c->timer.rx_ms : c->timer.since_ms;
    if (by_count ? c->rtt.rtx_n >= c->prof->syncnt : since(t, from) >= r2(t, c))
        return give_up(t, c);
    if (c->rtt.rtx_n >= TCP_R1)
        at_r1(t, c);
    if (c->stat.rtos < UINT16_MAX)
        c->stat.rtos++;
    if (c->state == TCP_SYN_SENT || c->state == TCP_SYN_RCVD)
        tcp_open_on_timeout(t, c);
    if (c->flight && tcp_sent_first(c)) {
        tcp_mtu_on_timeout(t, c);
        tcp_recovery_on_rto(t, c);
    }
    tcp_rtt_on_timeout(t, c);
    uint64_t rto = tcp_rto(t, c), left = r2(t, c);
    uint64_t gone = since(t, from);
    left = left > gone ? left - gone : 1;       /* not later than R2 */
    c->timer.rtx_at = in(t, rto < left ? rto : left);
    return true;
}

/* RFC 6429, 3: nobody waits for it any more, and a peer that never opens its window must not hold our
 * memory for ever. */
static bool is_left_behind(const struct tcp *t, const struct tcp_conn *c)
{
    return (c->is & TCP_IS_ORPHAN) && since(t, c->timer.since_ms) >= r2(t, c);
}

/* Nothing is under way: the window is closed, or something small is held. */
static bool on_persist(struct tcp *t, struct tcp_conn *c)
{
    if (tcp_unsent(c) == 0 && !(c->out.want & TCP_WANT_FIN))
        return true;
    if (tcp_usable(c) > 0) {
        tcp_want(t, c, TCP_WANT_OVERRIDE);
        return true;
    }
    if (since(t, c->timer.rx_ms) >= r2(t, c) || user_timeout_over(t, c) || is_left_behind(t, c))
        return give_up(t, c);   /* not the closed window, the silence ends it (MUST-37) */
    if (c->out.probes < UINT8_MAX)
        c->out.probes++;
    c->out.rtx_why = WHY_PROBE_WINDOW;
    tcp_want(t, c, TCP_WANT_PROBE);
    tcp_rtt_on_timeout(t, c);                   /* SHLD-30 */
    uint64_t rto = tcp_rto(t, c), left = r2(t, c) - since(t, c->timer.rx_ms);
    c->timer.rtx_at = in(t, rto < left ? rto : left);   /* not later than R2 */
    return true;
}

static bool on_rtx(struct tcp *t, struct tcp_conn *c)
{
    c->timer.rtx_at = ORIEL_NEVER;
    return tcp_outstanding(c) || c->state == TCP_SYN_SENT ? on_rto(t, c) : on_persist(t, c);
}

/* R2 is another now (MUST-21): the timer that would find out fires no later than it. */
void tcp_timer_on_user_timeout(struct tcp *t, struct tcp_conn *c)
{
    uint64_t limit = ms(c->prof->user_timeout_ms);
    if (limit == 0 || c->timer.rtx_at == ORIEL_NEVER)
        return;
    uint64_t gone = since(t, c->timer.since_ms);
    c->timer.rtx_at = earlier(c->timer.rtx_at, in(t, limit > gone ? limit - gone : 0));
    tcp_timer_sync(t, c);
}

/* ---- the wheel's entry fired ---- */

static bool due(const struct tcp *t, oriel_time at)
{
    return at <= t->env->now;
}

static void note(struct tcp *t, struct tcp_conn *c, enum which w)
{
    TRACE(t->env, EV_TCP_TIMER, tcp_conn_id(t, c), w, c->rtt.backoff);
}

static void flight_deadlines(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_rack *r = &c->flight->rack;
    if (due(t, r->reo_at)) {
        note(t, c, WHICH_REORDER);
        r->reo_at = ORIEL_NEVER;
        tcp_rack_on_timer(t, c);
    }
    if (due(t, r->tlp_at)) {
        r->tlp_at = ORIEL_NEVER;
        if (due(t, c->timer.rtx_at))            /* RFC 8985, 7.2: the probe goes before it */
            c->timer.rtx_at = in(t, tcp_rto(t, c));
        note(t, c, WHICH_TAIL);
        tcp_want(t, c, TCP_WANT_TAIL);
    }
}

void tcp_on_timer(struct tcp *t, struct tcp_conn *c)
{
    if (c->flight)
        flight_deadlines(t, c);
    if (due(t, c->timer.delack_at)) {
        note(t, c, WHICH_DELACK);
        c->timer.delack_at = ORIEL_NEVER;
        tcp_ack_now(t, c, WHY_ACK_DELAYED);
    }
    if (due(t, c->timer.rtx_at)) {
        note(t, c, tcp_outstanding(c) ? WHICH_RTO : WHICH_PERSIST);
        if (!on_rtx(t, c))
            return;             /* and perhaps freed */
    }
    if (due(t, c->timer.life_at)) {
        note(t, c, WHICH_LIFE);
        if (!on_life(t, c))
            return;
    }
    tcp_flight_maybe_free(t, c);
    tcp_timer_sync(t, c);
}
