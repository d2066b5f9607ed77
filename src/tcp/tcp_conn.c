/*
 * The life of a connection: the instance, the table by tuple, birth, the flight block, death.
 *
 * A connection that ended stays as long as somebody holds it: a socket that may still read what came
 * before the end and learn how it ended, or an accept queue. Nobody else names a connection; the
 * lists of those that may send and of those whose sockets are to be told hold pool indices.
 */
#include "tcp/tcp.h"

/* ---- the instance ---- */

static bool init_pools(struct tcp *t, struct arena *a, const struct tcp_limits *l)
{
    return pool_init(&t->conns, "tcp", a, sizeof(struct tcp_conn), l->conns) &&
           pool_init(&t->flights, "tcp.flights", a, sizeof(struct tcp_flight), l->flights) &&
           pool_init(&t->records, "tcp.records", a, sizeof(struct tcp_sent), l->records) &&
           pool_init(&t->ranges, "tcp.ranges", a, sizeof(struct tcp_range), l->ranges) &&
           pool_init(&t->profiles, "tcp.profiles", a, sizeof(struct tcp_profile), l->profiles) &&
           pool_init(&t->listeners, "tcp.listeners", a, sizeof(struct tcp_listener),
                     l->listeners) &&
           hmap_init(&t->table, a, l->conns);
}

static bool init_ready(struct tcp *t, struct arena *a)
{
    size_t n = (size_t)t->ip->link->max + 1;    /* index 0: no way is known yet */
    t->ready = arena_take(a, n * sizeof(t->ready[0]));
    for (size_t i = 0; t->ready && i < n; i++) {
        t->ready[i].first = t->ready[i].last = TCP_NONE;
        t->ready[i].n = 0;
    }
    return t->ready != NULL;
}

static bool init_plain(struct tcp *t)
{
    const struct tcp_profile p = tcp_profile_default(t);
    t->plain = tcp_profile_get(t, &p);
    return t->plain != NULL;
}

bool tcp_init(struct tcp *t, struct env *env, struct ip *ip, struct arena *a,
              const struct tcp_limits *l, const struct oriel_tcp_config *cfg)
{
    *t = (struct tcp){.env = env, .ip = ip};
    tcp_settings_from(&t->set, cfg);
    t->isn_key = siphash_derive(env->seed, "tcp isn");
    t->isn_range.mask = UINT32_MAX;
    t->port_key = siphash_derive(env->seed, "tcp port");
    list_init(&t->dirty_listeners);
    wheel_init(&t->departures, env->now);
    t->dirty_max = l->conns;
    t->dirty = arena_take(a, (size_t)l->conns * sizeof(t->dirty[0]));
    tcp_port_init(t);
    tcp_listen_init(t);
    tcp_tfo_init(t, cfg->fastopen_key);
    tcp_shortage_init(t);
    return t->dirty && init_pools(t, a, l) && init_ready(t, a) && init_plain(t) &&
           tcp_halfopen_init(t, a, l->half_open) && tcp_timewait_init(t, a, l->time_wait);
}

/* What connections and records still hold of memory goes back. Listeners went with their sockets. */
void tcp_fini(struct tcp *t)
{
    for (uint32_t i = 0; i < t->conns.fresh; i++) {
        if (!pool_is_live(&t->conns, i))
            continue;
        struct tcp_conn *c = pool_at(&t->conns, i);
        c->sock = 0;
        c->is &= ~(uint32_t)TCP_IS_ACCEPTQ;
        tcp_end(t, c, 0);
    }
    tcp_halfopen_fini(t);
    tcp_profile_put(t, t->plain);
}

/* ---- the table ---- */

uint32_t tcp_tuple_hash(const struct tcp *t, const struct tcp_tuple *k)
{
    uint64_t ports = (uint64_t)k->local_port << 16 | k->remote_port;
    return hash_4(t->env->hash_seed, k->remote_lo, k->remote_hi ^ (uint64_t)k->zone << 32,
                  k->local_lo ^ k->local_hi, ports);
}

struct tcp_conn *tcp_find_hashed(const struct tcp *t, const struct tcp_tuple *k, uint32_t hash)
{
    uint32_t ref;
    for (uint32_t at = hmap_first(&t->table, hash);
         (ref = hmap_next(&t->table, hash, &at)) != HMAP_NONE;) {
        struct tcp_conn *c = pool_at(&t->conns, ref);
        if (tcp_tuple_eq(&c->tuple, k))
            return c;
    }
    return NULL;
}

struct tcp_conn *tcp_find(const struct tcp *t, const struct tcp_tuple *k)
{
    return tcp_find_hashed(t, k, tcp_tuple_hash(t, k));
}

bool tcp_table_add(struct tcp *t, struct tcp_conn *c, uint32_t hash)
{
    if (!hmap_put(&t->table, hash, tcp_conn_id(t, c)))
        return false;
    c->is |= TCP_IS_IN_TABLE;
    return true;
}

static void off_table(struct tcp *t, struct tcp_conn *c)
{
    if (c->is & TCP_IS_IN_TABLE)
        hmap_del(&t->table, tcp_tuple_hash(t, &c->tuple), tcp_conn_id(t, c));
    tcp_known_forget(t, c);
    c->is &= ~(uint32_t)TCP_IS_IN_TABLE;
}

/* ---- birth ---- */

struct tcp_conn *tcp_open(struct tcp *t, const struct tcp_profile *p, uint32_t sock)
{
    struct tcp_conn *c = pool_get_zeroed(&t->conns);
    if (!c)
        return NULL;
    c->prof = tcp_profile_get(t, p);
    if (!c->prof) {
        pool_put(&t->conns, c);
        return NULL;
    }
    c->state = TCP_CLOSED;
    c->sock = sock;
    c->listener = c->accept_next = TCP_NONE;
    c->ready_next = c->ready_prev = TCP_NONE;
    c->rcv.wscale = t->set.wscale <= TCP_WSCALE_MAX ? t->set.wscale : 0;
    c->out.quick = t->set.quick_start ? 16 : 0;
    tcp_timer_init(t, c);
    tcp_rtt_init(t, c);
    tcp_limit_init(t, c);
    return c;
}

/* The interface that the host asks for packets: what is below the VLANs. */
static uint16_t bottom(const struct tcp *t, uint16_t index)
{
    const struct netif *nif = netif_at(t->ip->link, index);
    while (nif && nif->parent)
        nif = nif->parent;
    return nif ? nif->index : 0;
}

static void born_with(const struct tcp *t, struct tcp_conn *c, const struct tcp_birth *b)
{
    c->tuple = b->tuple;
    c->nif = bottom(t, b->nif);
    c->iss = b->iss;
    c->irs = b->irs;
    c->is = b->is | TCP_IS_PASSIVE;
    c->snd.una = b->iss;
    c->snd.nxt = c->snd.end = c->snd.small = seq_add(b->iss, 1);
    c->snd.wnd = c->snd.wnd_max = b->wnd;
    c->snd.wl1 = b->irs;
    c->snd.wl2 = b->iss;
    c->snd.peer_mss = b->peer_mss;
    c->snd_wscale = b->snd_wscale;
    c->rcv.wscale = b->rcv_wscale;
    c->rcv.nxt = seq_add(b->irs, 1);
    c->rcv.ts_recent = b->ts_recent;
    c->ts_off = b->ts_off;
    c->sock = b->sock;
}

struct tcp_conn *tcp_born(struct tcp *t, const struct tcp_listener *l, const struct tcp_birth *b)
{
    struct tcp_conn *c = tcp_open(t, l->prof, 0);
    if (!c)
        return NULL;
    born_with(t, c, b);
    c->listener = pool_index(&t->listeners, l);
    c->ts_recent_s = (uint32_t)(t->env->now / NS_PER_S);
    if (!tcp_table_add(t, c, b->hash)) {
        tcp_end(t, c, 0);
        return NULL;
    }
    t->heard = c;
    tcp_rcv_opened(t, c, b->rcv_wnd);
    tcp_mss_update(t, c);
    tcp_set_state(t, c, TCP_SYN_RCVD);
    if (b->syn_ack_at && !(b->is & TCP_IS_SYN_LOST))
        tcp_rtt_sample(t, c, t->env->now - b->syn_ack_at);
    return c;
}

/* ---- the flight block ---- */

/* Congestion control goes on from what was kept of it, or begins. */
static void cc_wake(struct tcp *t, struct tcp_conn *c, struct cc *cc)
{
    bool first = c->cc_idle.cwnd == 0;
    unsigned iw = (c->is & TCP_IS_SYN_LOST) ? 1 : t->set.initial_window;        /* 5681-3 */
    *cc = (struct cc){.cwnd = c->cc_idle.cwnd, .ssthresh = c->cc_idle.ssthresh,
                      .memo = c->cc_idle.memo, .mss = c->snd.mss, .kind = c->prof->cc,
                      .hystart = t->set.hystart, .priv = &c->flight->priv};
    memset(cc->priv, 0, sizeof(*cc->priv));
    if (first) {
        cc->cwnd = cc_initial_window(c->snd.mss, iw);
        cc->ssthresh = CC_SSTHRESH_NONE;
        cc_ops_of((enum cc_kind)cc->kind)->init(cc);
    }
    if (cc->cwnd < cc->mss)     /* segments became larger meanwhile */
        cc->cwnd = cc->mss;
    cc_ops_of((enum cc_kind)cc->kind)->begin(cc, t->env->now);
}

struct tcp_flight *tcp_flight_make(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_flight *f = pool_get(&t->flights);
    if (!f)
        return NULL;
    c->flight = f;
    f->conn = tcp_conn_id(t, c);
    stream_init(&f->sndq, c->snd.end);
    tcp_sent_init(t, c);
    tcp_rack_init(c);
    tcp_recovery_init(c);
    tcp_ooo_init(t, c);
    timer_init(&f->pace, TIMER_TCP_PACE);
    f->depart_at = 0;
    memset(&f->mtu, 0, sizeof(f->mtu));
    memset(&f->ecn, 0, sizeof(f->ecn));
    cc_wake(t, c, &f->cc);
    tcp_mtu_on_open(t, c);
    if (!timer_armed(&c->timer.wake))           /* it is looked at again, and given back */
        env_arm_in(t->env, &c->timer.wake, NS_PER_S);
    return f;
}

static bool flight_is_idle(const struct tcp_conn *c)
{
    const struct tcp_flight *f = c->flight;
    bool may_send = !(c->is & TCP_IS_FIN_SENT), fin_to_come = (c->out.want & TCP_WANT_FIN) && may_send;
    bool keeps_model = cc_ops_of((enum cc_kind)f->cc.kind)->keeps_priv;
    return f->sent.tree.n == 0 && f->ooo.tree.n == 0 && !f->ooo.has_fin && f->sndq.len == 0 &&
           !c->out.dsack && !fin_to_come && !(c->is & (TCP_IS_READY | TCP_IS_PACED | TCP_IS_ACCECN)) &&
           tcp_recovery_state(c) == ORIEL_CA_OPEN && !(keeps_model && may_send);
}

static void flight_free(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_flight *f = c->flight;
    if (!f)
        return;
    c->cc_idle.cwnd = f->cc.cwnd;
    c->cc_idle.ssthresh = f->cc.ssthresh;
    c->cc_idle.memo = f->cc.memo;
    stream_free(t->env, &f->sndq);
    tcp_sent_free(t, c);
    tcp_reasm_free(t, c);
    c->flight = NULL;
    pool_put(&t->flights, f);
}

void tcp_flight_maybe_free(struct tcp *t, struct tcp_conn *c)
{
    if (c->flight && flight_is_idle(c))
        flight_free(t, c);
}

/* ---- death ---- */

static void release(struct tcp *t, struct tcp_conn *c)
{
    tcp_rcvq_drop(t, c, DROP_SOCK_CLOSED);
    tcp_profile_put(t, c->prof);
    c->is = 0;
    pool_put(&t->conns, c);
}

/* Nothing is sent or received any more; what can be read stays. */
static void retire(struct tcp *t, struct tcp_conn *c)
{
    off_table(t, c);
    tcp_timer_stop(t, c);
    tcp_not_ready(t, c);
    c->out.want = 0;
    tcp_starves_no_more(t, c);
    flight_free(t, c);
}

/* Does a socket hold it, or the listener that it waits at? */
static bool is_held(const struct tcp_conn *c)
{
    return c->sock != 0 || (c->is & TCP_IS_ACCEPTQ);
}

void tcp_end(struct tcp *t, struct tcp_conn *c, int err)
{
    retire(t, c);
    if (err && c->error == 0)
        c->error = (int16_t)err;
    if (c->state == TCP_SYN_RCVD && c->listener != TCP_NONE)
        tcp_listen_on_end(t, c, (c->is & TCP_IS_RESET) != 0);
    if (c->state != TCP_CLOSED)
        tcp_set_state(t, c, TCP_CLOSED);
    if (!is_held(c))
        release(t, c);
}

/* Both sides closed, and we last: a small record answers from now on (RFC 9293, 3.6.1). */
void tcp_end_time_wait(struct tcp *t, struct tcp_conn *c)
{
    tcp_set_state(t, c, TCP_TIME_WAIT);
    tcp_timewait_enter(t, c);
    retire(t, c);
    if (!is_held(c))
        release(t, c);
}

/* ---- sockets that are to be told ---- */

/* Entries of connections that were freed meanwhile, and the second of two, make room. */
static void compact_dirty(struct tcp *t)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->dirty_n; i++) {
        uint32_t index = t->dirty[i];
        struct tcp_conn *c = pool_is_live(&t->conns, index) ? tcp_conn_at(t, index) : NULL;
        if (!c || !(c->is & TCP_IS_DIRTY))
            continue;
        c->is &= ~(uint32_t)TCP_IS_DIRTY;       /* it is on the list already */
        t->dirty[n++] = index;
    }
    for (uint32_t i = 0; i < n; i++)
        tcp_conn_at(t, t->dirty[i])->is |= TCP_IS_DIRTY;
    t->dirty_n = n;
}

void tcp_list_dirty(struct tcp *t, struct tcp_conn *c)
{
    if (t->dirty_n == t->dirty_max)
        compact_dirty(t);
    if (t->dirty_n == t->dirty_max)
        return;                 /* cannot be: each of that many connections is on it once */
    c->is |= TCP_IS_DIRTY;
    t->dirty[t->dirty_n++] = tcp_conn_id(t, c);
}

struct tcp_conn *tcp_dirty_pop(struct tcp *t)
{
    while (t->dirty_n > 0) {
        uint32_t index = t->dirty[--t->dirty_n];
        if (!pool_is_live(&t->conns, index))
            continue;
        struct tcp_conn *c = tcp_conn_at(t, index);
        if ((c->is & TCP_IS_DIRTY) && c->sock != 0)
            return c;
    }
    return NULL;
}
