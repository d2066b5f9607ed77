/*
 * Who is at the other end: PAP (RFC 1334), which says a password as it is, and CHAP with MD5 (RFC 1994),
 * which proves that it is known. Each end may ask the other, in its own way.
 *
 * One wrong answer ends the link: who guesses has to begin with LCP again. A challenge of ours that comes
 * back as the peer's own is not answered, so that nobody has us compute what we want to hear.
 */
#include "link/ppp_neg.h"

#include "base/md5.h"

#define PATIENCE (PPP_CONFIGURES_MAX * PPP_RESTART)     /* for the other end to begin */

static_assert(PPP_CHALLENGE_LEN == MD5_LEN, "a challenge and a response share struct ppp_proof's value");

static struct span name_of(const struct ppp_secret *s)
{
    return span_of(s->name, s->name_n);
}

static struct span word_of(const struct ppp_secret *s)
{
    return span_of(s->word, s->word_n);
}

/* Equal? How long it takes does not tell where they differ. */
static bool is_same(struct span a, struct span b)
{
    struct rd x = rd_of(a), y = rd_of(b);
    unsigned differ = a.n != b.n;
    while (!rd_done(&x))
        differ |= (unsigned)rd_u8(&x) ^ rd_u8(&y);
    return differ == 0;
}

static bool is_peer(const struct ppp *l, struct span name, struct span value, struct span expected)
{
    bool named = is_same(name, name_of(&l->cfg.peer));
    return is_same(value, expected) && named;
}

/* RFC 1994, 4.1. */
static void digest(uint8_t out[MD5_LEN], uint8_t id, struct span word, struct span challenge)
{
    struct md5 m;
    md5_init(&m);
    md5_add(&m, span_of(&id, 1));
    md5_add(&m, word);
    md5_add(&m, challenge);
    md5_end(&m, out);
}

/* ---- what we send ---- */

static void send_pap(struct ppp *l, uint8_t code, uint8_t id, const struct ppp_auth *a)
{
    uint8_t bytes[2 + 2 * PPP_NAME_MAX];
    struct wr w = wr_of(bytes, sizeof(bytes));
    pap_emit(&w, code, a);
    ORIEL_ASSERT(!w.bad);
    ppp_put(l, PPP_PAP, &(struct ppp_cp){code, id, wr_span(&w)});
}

static void send_chap(struct ppp *l, uint8_t code, uint8_t id, const struct ppp_auth *a)
{
    uint8_t bytes[1 + MD5_LEN + PPP_NAME_MAX];
    struct wr w = wr_of(bytes, sizeof(bytes));
    chap_emit(&w, code, a);
    ORIEL_ASSERT(!w.bad);
    ppp_put(l, PPP_CHAP, &(struct ppp_cp){code, id, wr_span(&w)});
}

static struct span value_of(const struct ppp_proof *p)
{
    return span_of(p->value, PPP_CHALLENGE_LEN);
}

/* Name and password, or the response to the last challenge. */
static void say_us(struct ppp *l)
{
    struct ppp_proof *p = &l->us;
    struct ppp_auth a = {.name = name_of(&l->cfg.own)};
    bool pap = l->lcp_peer.auth == PPP_AUTH_PAP;
    a.secret = pap ? word_of(&l->cfg.own) : value_of(p);
    p->begun = true;
    p->tries++;
    p->deadline = time_after(l->now, PPP_RESTART);
    if (pap)
        send_pap(l, PAP_REQUEST, p->id, &a);
    else
        send_chap(l, CHAP_RESPONSE, p->id, &a);
}

static void ask_them(struct ppp *l)
{
    struct ppp_proof *p = &l->them;
    const struct ppp_auth a = {.name = name_of(&l->cfg.own), .secret = value_of(p)};
    p->begun = true;
    p->tries++;
    p->deadline = time_after(l->now, PPP_RESTART);
    send_chap(l, CHAP_CHALLENGE, p->id, &a);
}

/* ---- time ---- */

void ppp_auth_begin(struct ppp *l)
{
    struct wr w = wr_of(l->them.value, PPP_CHALLENGE_LEN);
    oriel_time until = time_after(l->now, PATIENCE);
    l->us = (struct ppp_proof){.done = l->lcp_peer.auth == PPP_AUTH_NONE, .id = (uint8_t)ppp_random(l),
                               .deadline = until};
    l->them = (struct ppp_proof){.done = l->cfg.auth == PPP_AUTH_NONE, .id = (uint8_t)ppp_random(l),
                                 .deadline = until};
    wr_u64(&w, ppp_random(l));
    wr_u64(&w, ppp_random(l));
    if (!l->us.done && l->lcp_peer.auth == PPP_AUTH_PAP)
        say_us(l);
    if (!l->them.done && l->cfg.auth == PPP_AUTH_CHAP)
        ask_them(l);
}

void ppp_auth_run(struct ppp *l)
{
    bool again_us = l->us.begun && l->us.tries < PPP_CONFIGURES_MAX;
    bool again_them = l->them.begun && l->them.tries < PPP_CONFIGURES_MAX;
    if (!l->us.done && l->now >= l->us.deadline) {
        if (again_us)
            say_us(l);
        else
            ppp_fail(l, PPP_END_REFUSED);
    }
    if (!l->them.done && l->now >= l->them.deadline) {
        if (again_them)
            ask_them(l);
        else
            ppp_fail(l, PPP_END_NOT_PROVEN);
    }
}

bool ppp_auth_is_done(const struct ppp *l)
{
    return l->us.done && l->them.done;
}

/* ---- what comes ---- */

static void judge_them(struct ppp *l, bool good)
{
    l->them.done = l->them.done || good;
    if (!good)
        ppp_fail(l, PPP_END_NOT_PROVEN);
}

/* What was said of us, in answer to what we said last. */
static bool on_judged(struct ppp *l, uint8_t id, bool good)
{
    if (!l->us.begun || l->us.done || id != l->us.id)
        return false;
    l->us.done = good;
    if (!good)
        ppp_fail(l, PPP_END_REFUSED);
    return true;
}

static bool on_pap(struct ppp *l, const struct ppp_cp *in, const struct ppp_auth *a)
{
    const struct ppp_auth nothing = {.text = span_of(NULL, 0)};
    if (in->code != PAP_REQUEST)
        return l->lcp_peer.auth == PPP_AUTH_PAP && on_judged(l, in->id, in->code == PAP_ACK);
    if (l->cfg.auth != PPP_AUTH_PAP)
        return false;
    bool good = is_peer(l, a->name, a->secret, word_of(&l->cfg.peer));
    send_pap(l, good ? PAP_ACK : PAP_NAK, in->id, &nothing);
    judge_them(l, good);
    return true;
}

static bool on_challenge(struct ppp *l, const struct ppp_cp *in, const struct ppp_auth *a)
{
    bool ours = l->them.begun && span_eq(a->secret, value_of(&l->them));
    if (l->lcp_peer.auth != PPP_AUTH_CHAP || a->secret.n == 0 || ours)
        return false;
    digest(l->us.value, in->id, word_of(&l->cfg.own), a->secret);
    l->us.id = in->id;
    l->us.tries = 0;
    say_us(l);
    return true;
}

static bool on_response(struct ppp *l, const struct ppp_cp *in, const struct ppp_auth *a)
{
    const struct ppp_auth nothing = {.text = span_of(NULL, 0)};
    uint8_t expected[MD5_LEN];
    if (l->cfg.auth != PPP_AUTH_CHAP || !l->them.begun || in->id != l->them.id)
        return false;
    digest(expected, in->id, word_of(&l->cfg.peer), value_of(&l->them));
    bool good = is_peer(l, a->name, a->secret, span_of(expected, sizeof(expected)));
    send_chap(l, good ? CHAP_SUCCESS : CHAP_FAILURE, in->id, &nothing);
    judge_them(l, good);
    return true;
}

static bool on_chap(struct ppp *l, const struct ppp_cp *in, const struct ppp_auth *a)
{
    if (in->code == CHAP_CHALLENGE)
        return on_challenge(l, in, a);
    if (in->code == CHAP_RESPONSE)
        return on_response(l, in, a);
    return l->lcp_peer.auth == PPP_AUTH_CHAP && on_judged(l, in->id, in->code == CHAP_SUCCESS);
}

void ppp_auth_input(struct ppp *l, uint16_t proto, struct span info)
{
    struct rd r = rd_of(info);
    struct ppp_cp in;
    struct ppp_auth a;
    bool known = ppp_cp_parse(&r, &in);
    struct rd data = rd_of(in.data);
    if (known && proto == PPP_PAP)
        known = pap_parse(&data, in.code, &a) && on_pap(l, &in, &a);
    else if (known)
        known = chap_parse(&data, in.code, &a) && on_chap(l, &in, &a);
    l->dropped += !known;
}
