/*
 * What applications set of connections. Most connections are set alike, so settings are interned:
 * one struct tcp_profile for all that are equal, counted, found by its contents. A connection pays
 * four bytes for having any number of options. Setting one makes the profile that differs in it
 * (or finds it), and tcp_on_profile does what follows from the difference.
 */
#include "tcp/tcp.h"

#define QUICK_ACKS 16           /* that follow when the application asks for quick ones */

struct tcp_profile tcp_profile_default(const struct tcp *t)
{
    bool bsd = t->set.personality == ORIEL_AS_FREEBSD;
    return (struct tcp_profile){
        .rcvlowat = 1,
        .linger_ms = -1,
        .keepidle_ms = 7200 * 1000,             /* MUST-28: two hours */
        .keepintvl_ms = 75 * 1000,
        .keepcnt = bsd ? 8 : 9,
        .cc = t->set.cc,
        .ecn = t->set.ecn,
        .df = 1,
        .soft_errors = true,
    };
}

/* ---- interning ---- */

#define WORDS 11

/* All that is compared, without holes. */
struct contents {
    uint64_t w[WORDS];
};

static uint64_t pair(uint32_t a, uint32_t b)
{
    return (uint64_t)a << 32 | b;
}

static uint32_t bits(const struct tcp_profile *p)
{
    const bool b[] = {p->keepalive, p->nodelay, p->cork, p->quickack_off, p->fastopen_connect,
                      p->oobinline, p->soft_errors, p->reuseaddr, p->reuseport, p->v6only,
                      p->any_addr};
    uint32_t v = 0;
    for (unsigned i = 0; i < ARRAY_LEN(b); i++)
        v |= (uint32_t)b[i] << i;
    return v;
}

static struct contents contents_of(const struct tcp_profile *p)
{
    return (struct contents){{
        pair(p->sndbuf, p->rcvbuf),
        pair(p->notsent_lowat, p->window_clamp),
        pair(p->rcvlowat, p->fastopen),
        p->max_pacing_bps,
        (uint64_t)p->linger_ms,
        pair(p->keepidle_ms, p->keepintvl_ms),
        pair(p->user_timeout_ms, p->defer_accept_ms),
        pair(p->maxseg, p->bind_nif),
        pair((uint32_t)p->keepcnt << 8 | p->syncnt, (uint32_t)p->ttl << 8 | p->tos),
        pair((uint32_t)p->cc << 8 | p->ecn, p->df),
        bits(p),
    }};
}

static_assert(sizeof(struct tcp_profile) == 96, "contents_of knows every field of it");

static uint32_t *bucket_of(struct tcp *t, const struct contents *k)
{
    uint64_t h = t->env->hash_seed;
    for (unsigned i = 0; i < WORDS; i++)
        h = hash_word(h, k->w[i]);
    return &t->profile_buckets[(h ^ h >> 32) % ARRAY_LEN(t->profile_buckets)];
}

static struct tcp_profile *profile_at(const struct tcp *t, uint32_t index1)
{
    return index1 ? pool_at(&t->profiles, index1 - 1) : NULL;
}

static struct tcp_profile *known(const struct tcp *t, uint32_t first, const struct contents *k)
{
    for (struct tcp_profile *p = profile_at(t, first); p; p = profile_at(t, p->next)) {
        struct contents other = contents_of(p);
        if (memcmp(&other, k, sizeof(*k)) == 0)
            return p;
    }
    return NULL;
}

/* Does p stand in the pool itself? */
static bool is_interned(const struct tcp *t, const struct tcp_profile *p)
{
    const uint8_t *at = (const uint8_t *)p, *base = t->profiles.base;
    return at >= base && at < base + (size_t)t->profiles.fresh * t->profiles.size;
}

/* The same to the byte, and to the padding. */
static bool is_alike(const struct tcp_profile *a, const struct tcp_profile *b)
{
    const size_t from = offsetof(struct tcp_profile, sndbuf);
    return memcmp((const uint8_t *)a + from, (const uint8_t *)b + from, sizeof(*a) - from) == 0;
}

struct tcp_profile *tcp_profile_get(struct tcp *t, const struct tcp_profile *p)
{
    if (is_interned(t, p)) {
        struct tcp_profile *q = pool_at(&t->profiles, pool_index(&t->profiles, p));
        ORIEL_ASSERT(q->refs > 0);
        q->refs++;
        return q;
    }
    if (oriel_likely(t->plain && is_alike(p, t->plain))) {
        t->plain->refs++;
        return t->plain;
    }
    struct contents k = contents_of(p);
    uint32_t *bucket = bucket_of(t, &k);
    struct tcp_profile *q = known(t, *bucket, &k);
    if (q) {
        q->refs++;
        return q;
    }
    q = pool_get(&t->profiles);
    if (!q)
        return NULL;
    *q = *p;
    q->refs = 1;
    q->next = *bucket;
    *bucket = pool_index(&t->profiles, q) + 1;
    return q;
}

void tcp_profile_put(struct tcp *t, struct tcp_profile *p)
{
    ORIEL_ASSERT(p->refs > 0);
    if (--p->refs > 0)
        return;
    struct contents k = contents_of(p);
    uint32_t *at = bucket_of(t, &k), index1 = pool_index(&t->profiles, p) + 1;
    while (*at != index1) {
        ORIEL_ASSERT(*at != 0);
        at = &profile_at(t, *at)->next;
    }
    *at = p->next;
    pool_put(&t->profiles, p);
}

/* ---- an option takes effect ---- */

static bool lives(const struct tcp_conn *c)
{
    return c->state != TCP_CLOSED && c->state != TCP_TIME_WAIT;
}

static void change_congestion(struct tcp *t, struct tcp_conn *c)
{
    enum cc_kind to = (enum cc_kind)c->prof->cc;
    if (c->flight)
        cc_change(&c->flight->cc, to, t->env->now);
    else
        c->cc_idle.memo = 0;    /* the windows stay, what the other one remembered does not */
}

static void change_sending(struct tcp *t, struct tcp_conn *c, const struct tcp_profile *was)
{
    const struct tcp_profile *p = c->prof;
    if (p->maxseg != was->maxseg && tcp_synchronized(c->state))
        tcp_mss_update(t, c);
    if ((was->cork && !p->cork) || (p->nodelay && !was->nodelay))
        c->is &= ~(uint32_t)TCP_IS_MORE;        /* whoever uncorks wants it out */
    if (p->nodelay != was->nodelay || p->cork != was->cork ||
        p->max_pacing_bps != was->max_pacing_bps || p->maxseg != was->maxseg)
        tcp_ready_to_send(t, c);                /* MUST-17: what was held may go now */
    if (p->sndbuf != was->sndbuf || p->notsent_lowat != was->notsent_lowat)
        tcp_mark_dirty(t, c);                   /* there may be room now */
}

static bool keeps_otherwise(const struct tcp_profile *a, const struct tcp_profile *b)
{
    return a->keepalive != b->keepalive || a->keepidle_ms != b->keepidle_ms ||
           a->keepintvl_ms != b->keepintvl_ms || a->keepcnt != b->keepcnt;
}

void tcp_on_profile(struct tcp *t, struct tcp_conn *c, const struct tcp_profile *was)
{
    const struct tcp_profile *p = c->prof;
    if (!lives(c))
        return;
    if (p->cc != was->cc)
        change_congestion(t, c);
    change_sending(t, c, was);
    tcp_rcv_on_options(t, c, was);
    if (p->user_timeout_ms != was->user_timeout_ms)
        tcp_timer_on_user_timeout(t, c);
    if (keeps_otherwise(p, was)) {              /* MUST-24, MUST-27 */
        c->out.probes = 0;
        tcp_timer_on_state(t, c);
    }
}

void tcp_on_quickack(struct tcp *t, struct tcp_conn *c, bool quick)
{
    c->out.quick = quick ? QUICK_ACKS : 0;
    if (quick && lives(c) && c->timer.delack_at != ORIEL_NEVER)
        tcp_ack_now(t, c, WHY_ACK_QUICK);       /* the one that is owed */
}
