/*
 * Fast open (RFC 7413): data in the SYN, for a client that has proven before that it is where it
 * says.
 *
 * Server. The proof is a cookie, a SipHash of the client's address: nothing is kept. The key can be
 * changed; the one before it is still good, so a client loses its cookie when it was changed twice.
 * A SYN with a good cookie makes a connection at once, in SYN-RECEIVED: its data can be read and
 * the connection accepted before the handshake ends. How many such there may be is limited per
 * listener (4.2, 5.1), and a reset does not make room at once, or a flood of forged SYNs and resets
 * would not be limited at all. Whatever does not fit is an ordinary handshake, and its data comes
 * again.
 *
 * Client. What servers gave us stands in a table that is indexed by their address; who comes later
 * takes the place of who was there. A SYN with data that was not answered is remembered too:
 * something on the way drops them, and for a while that server gets plain SYNs.
 */
#include "tcp/tcp.h"

#define FAILED_NS (3600 * NS_PER_S)     /* 4.1.3.1: then it is tried again */
#define RESETS_NS (60 * NS_PER_S)       /* 5.1: as long as a handshake is waited for */

/* ---- cookies ---- */

void tcp_tfo_set_key(struct tcp *t, const uint8_t key[16])
{
    struct tcp_fastopen *f = &t->tfo;
    struct rd r = rd_of(span_of(key, 16));
    f->key[1] = f->key[0];
    f->has_old = true;
    f->key[0].k0 = rd_u64(&r);
    f->key[0].k1 = rd_u64(&r);
}

void tcp_tfo_init(struct tcp *t, const uint8_t key[16])
{
    static const uint8_t none[16];
    t->tfo = (struct tcp_fastopen){.key[0] = siphash_derive(t->env->seed, "tcp fast open")};
    if (memcmp(key, none, sizeof(none)) != 0)
        tcp_tfo_set_key(t, key);
    t->tfo.has_old = false;
}

/* 4.1.2: of the client's address alone, so that its next connection may come from any port. */
static uint64_t cookie_with(const struct siphash_key *key, const struct tcp_tuple *k)
{
    const uint64_t words[] = {k->remote_hi, k->remote_lo};
    return siphash_words(key, words, ARRAY_LEN(words));
}

void tcp_tfo_cookie(const struct tcp *t, const struct tcp_tuple *k, uint8_t *out)
{
    struct wr w = wr_of(out, TCP_TFO_COOKIE);
    wr_u64(&w, cookie_with(&t->tfo.key[0], k));
}

bool tcp_tfo_cookie_ok(const struct tcp *t, const struct tcp_tuple *k, struct span cookie)
{
    struct rd r = rd_of(cookie);
    if (cookie.n != TCP_TFO_COOKIE)
        return false;
    uint64_t theirs = rd_u64(&r);
    return theirs == cookie_with(&t->tfo.key[0], k) ||
           (t->tfo.has_old && theirs == cookie_with(&t->tfo.key[1], k));
}

/* ---- server ---- */

static uint32_t pending(const struct tcp *t, const struct tcp_listener *l)
{
    bool resets = t->env->now < l->fastopen_resets_until;
    return l->fastopen_pending + (resets ? l->fastopen_resets : 0);
}

/* The SYN's data as that of any segment: behind the SYN. */
static void take_data(struct tcp *t, struct tcp_conn *c, struct tcp_seg *g)
{
    g->seq = seq_add(g->seq, 1);
    g->flags &= (uint16_t)~TCP_SYN;
    if (g->len > 0) {
        (void)tcp_reasm_input(t, c, g);         /* no FIN comes with a SYN: tcp_listen.c */
        return;
    }
    pkt_free(g->p);
    g->p = NULL;
}

bool tcp_tfo_syn(struct tcp *t, struct tcp_listener *l, struct tcp_half *h, struct tcp_seg *g)
{
    if (!tcp_tfo_cookie_ok(t, &g->tuple, g->opts.fastopen)) {
        h->flags |= HALF_COOKIE;                /* a request, or 7413-5 */
        return false;
    }
    if (pending(t, l) >= l->prof->fastopen)
        return false;                           /* 7413-4 */
    struct tcp_conn *c = tcp_half_born(t, l, h, g, TCP_IS_TFO);
    if (!c)
        return false;
    l->fastopen_pending++;
    c->out.rtx_why = WHY_SYN_ACK;
    tcp_want(t, c, TCP_WANT_SYN);
    take_data(t, c, g);
    return true;
}

static struct tcp_listener *pending_at(const struct tcp *t, const struct tcp_conn *c)
{
    bool is_pending = c->state == TCP_SYN_RCVD && (c->is & TCP_IS_TFO) && c->listener != TCP_NONE;
    if (!is_pending || !pool_is_live(&t->listeners, c->listener))
        return NULL;
    return tcp_listener_at(t, c->listener);
}

void tcp_listen_on_established(struct tcp *t, struct tcp_conn *c)
{
    struct tcp_listener *l = pending_at(t, c);
    if (l && l->fastopen_pending > 0)
        l->fastopen_pending--;
    if (!(c->is & TCP_IS_ACCEPTQ))
        c->listener = TCP_NONE;
}

void tcp_listen_on_end(struct tcp *t, struct tcp_conn *c, bool reset)
{
    struct tcp_listener *l = pending_at(t, c);
    if (!l)
        return;
    if (l->fastopen_pending > 0)
        l->fastopen_pending--;
    if (!reset)
        return;
    if (t->env->now >= l->fastopen_resets_until)
        l->fastopen_resets = 0;
    l->fastopen_resets++;
    l->fastopen_resets_until = t->env->now + RESETS_NS;
}

/* ---- client ---- */

static uint32_t slot_of(const struct tcp *t, const struct oriel_addr *peer)
{
    return hash_2(t->env->hash_seed, peer->hi ^ (uint64_t)peer->zone << 32, peer->lo) %
           TCP_TFO_CACHE;
}

bool tcp_tfo_lookup(const struct tcp *t, const struct oriel_addr *peer, struct span *cookie,
                    uint16_t *mss, bool *failed)
{
    uint32_t i = slot_of(t, peer);
    const uint8_t *bytes = t->tfo.cache[i].cookie;
    *failed = false;
    if (!addr_identical(&t->tfo.cache[i].peer, peer))
        return false;
    *failed = t->tfo.cache[i].failed && t->env->now < t->tfo.cache[i].until;
    if (*failed || t->tfo.cache[i].n == 0)
        return false;
    *cookie = span_of(bytes, t->tfo.cache[i].n);
    *mss = t->tfo.cache[i].mss;
    return true;
}

/* The place of that peer; empty if it was another's. */
static uint32_t place_of(struct tcp *t, const struct oriel_addr *peer)
{
    uint32_t i = slot_of(t, peer);
    if (!addr_identical(&t->tfo.cache[i].peer, peer)) {
        memset(&t->tfo.cache[i], 0, sizeof(t->tfo.cache[i]));
        t->tfo.cache[i].peer = *peer;
    }
    return i;
}

void tcp_tfo_learn(struct tcp *t, const struct oriel_addr *peer, struct span cookie, uint16_t mss)
{
    if (cookie.n > TCP_COOKIE_MAX || (cookie.n > 0 && cookie.n < TCP_COOKIE_MIN))
        return;
    uint32_t i = place_of(t, peer);
    if (cookie.n > 0)
        memcpy(t->tfo.cache[i].cookie, cookie.p, cookie.n);
    t->tfo.cache[i].n = (uint8_t)cookie.n;
    t->tfo.cache[i].mss = mss;
    t->tfo.cache[i].failed = false;
}

void tcp_tfo_failed(struct tcp *t, const struct oriel_addr *peer)
{
    uint32_t i = place_of(t, peer);
    t->tfo.cache[i].failed = true;
    t->tfo.cache[i].until = time_after(t->env->now, FAILED_NS);
}
