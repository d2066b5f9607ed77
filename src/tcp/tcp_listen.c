/*
 * Listeners: who listens where, what a LISTEN does with a segment (RFC 9293, 3.10.7.2), and the
 * queue of connections that wait to be accepted.
 *
 * A listener takes what it is bound to: an address or any of ours (or any at all), one port or a
 * range, one interface or all, one family or both. Where several fit, the most specific has it;
 * several that share a port on purpose (REUSEPORT) have each its share of all tuples, by their
 * hash.
 *
 * A segment for no connection of the table belongs, in this order, to a half-open connection of
 * that tuple, to one in TIME-WAIT, to a listener, or to nobody. A SYN to a listener becomes a
 * record (tcp_halfopen.c), a connection at once (tcp_fastopen.c), or, where there is no room for a
 * record, a cookie (tcp_cookie.c). It is not taken at all while the accept queue is full: the peer
 * repeats it.
 *
 * The accept queue holds connections as a socket does: one that dies before it is accepted is
 * handed out with its error. So `waiting` is bounded by `backlog` whatever peers do.
 */
#include "tcp/tcp.h"

void tcp_listen_init(struct tcp *t)
{
    list_init(&t->listen.all);
    list_init(&t->listen.ranges);
    for (unsigned i = 0; i < TCP_LISTEN_BUCKETS; i++)
        list_init(&t->listen.by_port[i]);
    t->listen.gen = 1;
    tcp_port_init(t);
}

/* ---- who listens where ---- */

static struct list *bucket_of(struct tcp *t, uint16_t port, uint16_t port_last)
{
    return port == port_last ? &t->listen.by_port[port % TCP_LISTEN_BUCKETS] : &t->listen.ranges;
}

struct tcp_listener *tcp_listener_at(const struct tcp *t, uint32_t index)
{
    return pool_at(&t->listeners, index);
}

static bool takes_family(uint8_t family, bool v4)
{
    return family == ORIEL_DUAL || (family == ORIEL_IP4) == v4;
}

static bool is_ours(const struct tcp *t, const struct oriel_addr *a)
{
    return addr_is_loopback(a) || ip_is_own(t->ip, a);
}

static bool is_any(const struct tcp_listener *l)
{
    return addr_same_bits(&l->local.addr, &ADDR_NONE);
}

enum {                          /* how well a listener fits: the more specific, the higher */
    FITS = 1,
    FITS_OWN = 2,               /* our addresses only */
    FITS_PORT = 4,              /* no range */
    FITS_NIF = 8,
    FITS_ADDR = 16,
};

/* 0: not at all. */
static unsigned fit(const struct tcp_listener *l, const struct oriel_addr *to, uint16_t port,
                    uint16_t nif, bool ours)
{
    const uint16_t bound = l->prof->bind_nif;
    if (port < l->local.port || port > l->port_last || !takes_family(l->family, addr_is_v4(to)) ||
        (bound && bound != nif))
        return 0;
    unsigned f = FITS | (bound ? FITS_NIF : 0) | (l->any_addr ? 0 : FITS_OWN) |
                 (l->local.port == l->port_last ? FITS_PORT : 0);
    if (!is_any(l))
        return addr_eq(&l->local.addr, to) ? f | FITS_ADDR : 0;
    return ours || l->any_addr ? f : 0;
}

struct choice {
    struct tcp_listener *best;
    unsigned fit;
    uint32_t equals;            /* that fit as well; all of them share the port */
};

static void look(const struct list *in, const struct tcp_tuple *k, uint16_t nif, bool ours,
                 struct choice *out)
{
    const struct oriel_addr to = tuple_local(k);
    LIST_EACH(node, in) {
        struct tcp_listener *l = CONTAINER_OF(node, struct tcp_listener, hashed);
        unsigned f = fit(l, &to, k->local_port, nif, ours);
        if (f == 0 || f < out->fit)
            continue;
        out->equals = f == out->fit ? out->equals + 1 : 1;
        if (f > out->fit)
            out->best = l;
        out->fit = f;
    }
}

static struct choice choose(const struct tcp *t, const struct tcp_tuple *k, uint16_t nif, bool ours)
{
    struct choice c = {.best = NULL};
    look(&t->listen.by_port[k->local_port % TCP_LISTEN_BUCKETS], k, nif, ours, &c);
    if (oriel_unlikely(!list_empty(&t->listen.ranges)))
        look(&t->listen.ranges, k, nif, ours, &c);
    return c;
}

/* The nth of those that fit equally: they are in one list, as a range fits less than a port. */
static struct tcp_listener *share(const struct tcp *t, const struct tcp_tuple *k, uint16_t nif,
                                  bool ours, const struct choice *c, uint32_t n)
{
    const struct oriel_addr to = tuple_local(k);
    const struct list *in = (c->fit & FITS_PORT)
                                ? &t->listen.by_port[k->local_port % TCP_LISTEN_BUCKETS]
                                : &t->listen.ranges;
    LIST_EACH(node, in) {
        struct tcp_listener *l = CONTAINER_OF(node, struct tcp_listener, hashed);
        if (fit(l, &to, k->local_port, nif, ours) == c->fit && n-- == 0)
            return l;
    }
    return c->best;
}

static struct tcp_listen_known *known_slot(struct tcp *t, const struct tcp_tuple *k)
{
    return &t->listen.known[k->local_port % TCP_LISTEN_KNOWN];
}

static bool is_known(const struct tcp *t, const struct tcp_listen_known *n,
                     const struct tcp_tuple *k, uint16_t nif)
{
    return n->port == k->local_port && n->local_lo == k->local_lo && n->local_hi == k->local_hi &&
           n->zone == k->zone && n->nif == nif && n->gen == t->listen.gen &&
           n->ip_gen == t->ip->gen;
}

/* What was found of where segments go may be wrong now. */
static void listeners_changed(struct tcp *t)
{
    if (++t->listen.gen == 0)
        t->listen.gen = 1;      /* 0 is the generation of nothing */
}

static ORIEL_NEVER_INLINE struct tcp_listener *find_any(struct tcp *t, const struct tcp_tuple *k,
                                                        uint16_t nif)
{
    const struct oriel_addr to = tuple_local(k);
    bool ours = true;
    struct choice c = choose(t, k, nif, ours);
    if (c.best && is_any(c.best) && !c.best->any_addr && !is_ours(t, &to)) {
        ours = false;           /* seldom: only a link that brings everything brings such */
        c = choose(t, k, nif, ours);
    }
    if (oriel_likely(c.equals == 1))
        *known_slot(t, k) = (struct tcp_listen_known){
            .l = c.best,
            .local_hi = k->local_hi,
            .local_lo = k->local_lo,
            .zone = k->zone,
            .gen = t->listen.gen,
            .ip_gen = t->ip->gen,
            .port = k->local_port,
            .nif = nif,
        };
    if (oriel_likely(c.equals <= 1))
        return c.best;
    uint32_t n = (uint32_t)((uint64_t)tcp_tuple_hash(t, k) * c.equals >> 32);
    return share(t, k, nif, ours, &c, n);
}

struct tcp_listener *tcp_listener_find(struct tcp *t, const struct tcp_tuple *k, uint16_t nif)
{
    const struct tcp_listen_known *n = known_slot(t, k);
    return oriel_likely(is_known(t, n, k, nif)) ? n->l : find_any(t, k, nif);
}

/* ---- binding ---- */

/* What a socket of that family hears at that address. */
static uint8_t heard(const struct oriel_addr *addr, uint8_t family, const struct tcp_profile *p)
{
    if (!addr_is_unspecified(addr))
        return addr_is_v4(addr) ? ORIEL_IP4 : ORIEL_IP6;
    return family == ORIEL_DUAL && p->v6only ? ORIEL_IP6 : family;
}

struct claim {                  /* on a range of ports */
    struct oriel_addr addr;     /* ADDR_NONE: any */
    uint16_t first, last;
    uint8_t family;
    uint16_t nif;
    bool any_addr;
    bool reuseport;
};

static struct claim claim_of(const struct oriel_endpoint *local, uint16_t last, uint8_t family,
                             const struct tcp_profile *p)
{
    return (struct claim){
        .addr = addr_is_unspecified(&local->addr) ? ADDR_NONE : local->addr,
        .first = local->port,
        .last = last,
        .family = heard(&local->addr, family, p),
        .nif = p->bind_nif,
        .reuseport = p->reuseport,
    };
}

/* Who stands in for others is in nobody's way at our own addresses: there it is the last to be
 * asked. */
static bool clash(const struct tcp_listener *l, const struct claim *c)
{
    bool families = l->family == ORIEL_DUAL || c->family == ORIEL_DUAL || l->family == c->family;
    bool addrs = is_any(l) || addr_same_bits(&c->addr, &ADDR_NONE) ||
                 addr_eq(&l->local.addr, &c->addr);
    bool nifs = l->prof->bind_nif == 0 || c->nif == 0 || l->prof->bind_nif == c->nif;
    return families && addrs && nifs && l->any_addr == c->any_addr && l->local.port <= c->last &&
           c->first <= l->port_last && !(l->prof->reuseport && c->reuseport);
}

static bool clashes_in(const struct list *in, const struct claim *c)
{
    LIST_EACH(node, in)
        if (clash(CONTAINER_OF(node, struct tcp_listener, hashed), c))
            return true;
    return false;
}

static bool is_taken(const struct tcp *t, const struct claim *c)
{
    if (clashes_in(&t->listen.ranges, c))
        return true;
    if (c->first == c->last)
        return clashes_in(&t->listen.by_port[c->first % TCP_LISTEN_BUCKETS], c);
    LIST_EACH(node, &t->listen.all)
        if (clash(CONTAINER_OF(node, struct tcp_listener, node), c))
            return true;
    return false;
}

bool tcp_port_taken(const struct tcp *t, const struct oriel_endpoint *local, uint8_t family,
                    const struct tcp_profile *p)
{
    const struct claim c = claim_of(local, local->port, family, p);
    return is_taken(t, &c);
}

/* ---- life ---- */

/* Where it is to be; 0 or an error. */
static int find_place(struct tcp *t, const struct oriel_listen *l, uint8_t family,
                      const struct tcp_profile *prof, struct oriel_endpoint *local, uint16_t *last)
{
    struct tcp_tuple k = {.local_hi = local->addr.hi, .local_lo = local->addr.lo,
                          .zone = local->addr.zone};
    bool any = addr_is_unspecified(&local->addr);
    if (!any && !l->any_addr && !is_ours(t, &local->addr))
        return ORIEL_EADDRNOTAVAIL;
    if (any)
        local->addr = ADDR_NONE;
    else if (!takes_family(family, addr_is_v4(&local->addr)))
        return ORIEL_EAFNOSUPPORT;
    if (local->port == 0)
        local->port = l->port_last ? 0 : tcp_port_choose(t, &k, prof);
    if (local->port == 0)
        return l->port_last ? ORIEL_EINVAL : ORIEL_EADDRINUSE;
    *last = l->port_last ? l->port_last : local->port;
    if (*last < local->port)
        return ORIEL_EINVAL;
    struct claim c = claim_of(local, *last, family, prof);
    c.any_addr = l->any_addr;
    return is_taken(t, &c) ? ORIEL_EADDRINUSE : 0;
}

void tcp_listen_set_backlog(struct tcp_listener *l, uint32_t backlog)
{
    l->backlog = backlog == 0 ? TCP_BACKLOG_DEFAULT
                 : backlog < TCP_BACKLOG_MAX ? backlog : TCP_BACKLOG_MAX;
}

int tcp_listen_start(struct tcp *t, const struct oriel_endpoint *local,
                     const struct oriel_listen *l, uint8_t family, uint32_t sock,
                     struct tcp_profile *prof, struct tcp_listener **out)
{
    static const struct oriel_listen defaults;
    const struct oriel_listen *want = l ? l : &defaults;
    struct oriel_endpoint at = *local;
    uint16_t last;
    int err = find_place(t, want, family, prof, &at, &last);
    if (err)
        return err;
    struct tcp_listener *n = pool_get_zeroed(&t->listeners);
    if (!n)
        return ORIEL_ENOBUFS;
    n->prof = tcp_profile_get(t, prof);
    if (!n->prof) {
        pool_put(&t->listeners, n);
        return ORIEL_ENOBUFS;
    }
    n->local = at;
    n->port_last = last;
    n->family = heard(&at.addr, family, prof);
    n->any_addr = want->any_addr;
    n->defer = want->defer;
    n->sock = sock;
    n->first = n->last = TCP_NONE;
    tcp_listen_set_backlog(n, want->backlog);
    list_push_back(&t->listen.all, &n->node);
    list_push_back(bucket_of(t, at.port, last), &n->hashed);
    listeners_changed(t);
    *out = n;
    return 0;
}

/* Connections that were accepted before their handshake ended forget who made them. */
static void disown(struct tcp *t, struct tcp_listener *l)
{
    uint32_t index = pool_index(&t->listeners, l);
    for (uint32_t i = 0; l->fastopen_pending > 0 && i < t->conns.fresh; i++) {
        struct tcp_conn *c = pool_is_live(&t->conns, i) ? tcp_conn_at(t, i) : NULL;
        if (c && c->listener == index)
            c->listener = TCP_NONE;
    }
}

void tcp_listen_stop(struct tcp *t, struct tcp_listener *l)
{
    for (struct tcp_conn *c; (c = tcp_accept(t, l)) != NULL;)
        tcp_abort(t, c);
    tcp_half_forget_all(t, l);
    disown(t, l);
    list_remove(&l->node);
    list_remove(&l->hashed);
    listeners_changed(t);
    if (list_on(&l->dirty))
        list_remove(&l->dirty);
    tcp_profile_put(t, l->prof);
    pool_put(&t->listeners, l);
}

void tcp_listen_set_profile(struct tcp *t, struct tcp_listener *l, struct tcp_profile *prof)
{
    struct tcp_profile *was = l->prof;
    struct tcp_profile *now = tcp_profile_get(t, prof);
    if (!now)
        return;                 /* cannot be: who gives it holds it */
    l->prof = now;
    listeners_changed(t);
    tcp_profile_put(t, was);
}

/* ---- the accept queue ---- */

bool tcp_listener_full(const struct tcp_listener *l)
{
    return l->waiting >= l->backlog;
}

bool tcp_acceptable(const struct tcp_listener *l)
{
    return l->waiting > 0 || l->unnamed > 0;
}

void tcp_listener_mark(struct tcp *t, struct tcp_listener *l)
{
    if (!list_on(&l->dirty))
        list_push_back(&t->dirty_listeners, &l->dirty);
}

void tcp_listener_enqueue(struct tcp *t, struct tcp_listener *l, struct tcp_conn *c)
{
    uint32_t index = tcp_conn_id(t, c);
    c->listener = pool_index(&t->listeners, l);
    c->accept_next = TCP_NONE;
    c->is |= TCP_IS_ACCEPTQ;
    if (l->last != TCP_NONE)
        tcp_conn_at(t, l->last)->accept_next = index;
    else
        l->first = index;
    l->last = index;
    l->waiting++;
    tcp_listener_mark(t, l);
}

struct tcp_conn *tcp_accept(struct tcp *t, struct tcp_listener *l)
{
    if (l->first == TCP_NONE)
        return NULL;
    struct tcp_conn *c = tcp_conn_at(t, l->first);
    l->first = c->accept_next;
    if (l->first == TCP_NONE)
        l->last = TCP_NONE;
    ORIEL_ASSERT(l->waiting > 0);
    l->waiting--;
    c->accept_next = TCP_NONE;
    c->is &= ~(uint32_t)TCP_IS_ACCEPTQ;
    if (c->state != TCP_SYN_RCVD)       /* one that is counts as pending until its handshake ends */
        c->listener = TCP_NONE;
    return c;
}

/* ---- segments ---- */

/* The last step of a handshake of which nothing was kept but a cookie. False: it is none. */
static bool take_cookie(struct tcp *t, struct tcp_listener *l, struct tcp_seg *g)
{
    struct tcp_cookie k;
    seq_t irs = seq_add(g->seq, UINT32_MAX), iss = seq_add(g->ack, UINT32_MAX);
    if (!tcp_cookie_check(t, &g->tuple, irs, iss, g->opts.has_ts, g->opts.ts_ecr, &k))
        return false;
    if (tcp_listener_full(l)) {
        l->overflows++;
        tcp_seg_drop(t, g, DROP_TCP_ACCEPT_BACKLOG);
        return true;
    }
    const struct tcp_half h = {
        .tuple = g->tuple,
        .irs = irs,
        .iss = iss,
        .ts_off = tcp_isn(t, &g->tuple).ts_off,
        .ts_recent = g->opts.has_ts ? g->opts.ts_val : 0,
        .peer_mss = k.mss,
        .wscale = k.wscale,
        .flags = (uint16_t)((g->opts.has_ts ? HALF_TS : 0u) | (k.sack ? HALF_SACK : 0u) |
                            (k.ecn ? HALF_ECN : 0u)),
    };
    struct tcp_conn *c = tcp_half_born(t, l, &h, g, 0);
    if (c)
        tcp_rx_synchronized(t, c, g);
    else
        tcp_seg_drop(t, g, DROP_TCP_FULL);
    return true;
}

/* Second: it acknowledges what was never sent, unless that was a cookie. */
static void on_ack(struct tcp *t, struct tcp_listener *l, struct tcp_seg *g)
{
    bool perhaps = t->env->now < t->half.cookies_until && !(g->flags & TCP_SYN);
    if (perhaps && take_cookie(t, l, g))
        return;
    tcp_reset_for(t, g, WHY_RST_LISTEN);
    tcp_seg_drop(t, g, perhaps ? DROP_TCP_COOKIE : DROP_TCP_NO_CONN);
}

/* A SYN-ACK whose number is a cookie, and without what a cookie cannot keep. False: not wanted. */
static bool answer_with_cookie(struct tcp *t, struct tcp_listener *l, struct tcp_half *h,
                               const struct tcp_seg *g, const seq_t *floor)
{
    uint32_t ts_val = tcp_half_ts_now(t, h);
    struct tcp_opts o = g->opts;
    if (t->set.cookies == ORIEL_COOKIES_NEVER || l->defer)
        return false;
    if (h->flags & HALF_ACCECN)                 /* both bits may have meant the older kind too */
        h->flags ^= HALF_ACCECN | ((g->flags & TCP_ECE) && (g->flags & TCP_CWR) ? HALF_ECN : 0);
    if (!(h->flags & HALF_TS)) {
        h->flags &= (uint16_t)~(HALF_SACK | HALF_ECN);
        h->wscale = 0xff;
    }
    o.has_ts = (h->flags & HALF_TS) != 0;
    h->iss = tcp_cookie_make(t, &g->tuple, g->seq, &o, (h->flags & HALF_ECN) != 0, &ts_val);
    if (floor && !seq_lt(*floor, h->iss))
        return false;
    l->cookies_sent++;
    tcp_half_answer(t, l, h, ts_val, WHY_SYN_COOKIE);
    return true;
}

/* Is there a reason not to look at a SYN at all? */
static enum drop refuse_syn(const struct tcp *t, const struct tcp_listener *l,
                            const struct tcp_seg *g)
{
    if (oriel_unlikely((g->tuple.remote_hi | g->tuple.remote_lo) == 0))
        return DROP_TCP_GROUP;                  /* MUST-63: IPv6 lets :: through, as it may ask */
    if (oriel_unlikely(tcp_listener_full(l)))
        return DROP_TCP_ACCEPT_BACKLOG;
    return oriel_unlikely(t->conns.live >= t->conns.cap) ? DROP_TCP_FULL : DROP_NONE;
}

/* The SYN was answered or held; its data was not looked at. */
static void syn_done(struct tcp *t, struct tcp_seg *g)
{
    if (g->len > 0) {
        tcp_seg_drop(t, g, DROP_TCP_SYN_DATA);
        return;
    }
    pkt_free(g->p);
    g->p = NULL;
}

/* Third: a SYN. was: the connection in TIME-WAIT that makes way when it is taken; NULL: there is
 * none. */
static void on_syn(struct tcp *t, struct tcp_listener *l, struct tcp_seg *g, uint32_t hash,
                   struct tcp_tw *was, const seq_t *floor)
{
    enum drop why = refuse_syn(t, l, g);
    l->syns++;
    if (oriel_unlikely(why != DROP_NONE)) {
        l->overflows += why == DROP_TCP_ACCEPT_BACKLOG;
        tcp_seg_drop(t, g, why);
        return;
    }
    bool always = t->set.cookies == ORIEL_COOKIES_ALWAYS && !l->defer;
    struct tcp_half h = tcp_half_of_syn(t, l, g);
    if (oriel_unlikely(was != NULL) && !l->defer && !seq_lt(*floor, h.iss))
        h.iss = seq_add(*floor, 1);
    bool fastopen = oriel_unlikely(g->opts.has_fastopen) && l->prof->fastopen > 0 && !l->defer;
    bool born = fastopen && tcp_tfo_syn(t, l, &h, g);
    if (!born && (always || !tcp_half_add(t, l, &h, hash)) &&
        !answer_with_cookie(t, l, &h, g, was ? floor : NULL)) {
        tcp_seg_drop(t, g, DROP_TCP_SYN_BACKLOG);
        return;
    }
    if (oriel_unlikely(was != NULL))
        tcp_tw_forget(t, was);
    if (!born)
        syn_done(t, g);
}

/* RFC 9293, 3.10.7.1. */
static void on_closed(struct tcp *t, struct tcp_seg *g)
{
    tcp_reset_for(t, g, WHY_RST_CLOSED);
    tcp_seg_drop(t, g, DROP_TCP_NO_CONN);
}

void tcp_listen_input(struct tcp *t, struct tcp_seg *g)
{
    uint32_t hash = g->hash;
    struct tcp_half *h = tcp_half_find(t, &g->tuple, hash);
    if (h) {
        tcp_half_input(t, h, g, hash);
        return;
    }
    struct tcp_tw *w = tcp_tw_find(t, &g->tuple, hash);
    struct tcp_listener *l = tcp_listener_find(t, &g->tuple, g->nif);
    seq_t floor;
    if (oriel_unlikely(w != NULL) && !(l && tcp_tw_reopens(w, g, &floor)))
        tcp_timewait_input(t, w, g);
    else if (oriel_unlikely(!l))
        on_closed(t, g);
    else if (g->flags & TCP_RST)                /* 3.10.7.2, first */
        tcp_seg_drop(t, g, DROP_TCP_LISTEN_RST);
    else if (g->flags & TCP_ACK)
        on_ack(t, l, g);
    else if ((g->flags & (TCP_SYN | TCP_FIN)) != TCP_SYN)
        tcp_seg_drop(t, g, DROP_TCP_LISTEN_FLAGS);      /* SYN and FIN together mean no good */
    else
        on_syn(t, l, g, hash, w, w ? &floor : NULL);
}
