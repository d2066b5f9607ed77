/*
 * A packet that left, beside the line that expects one. The first thing that differs is told, in
 * the script's own numbers.
 *
 * A SYN of the stack teaches where its sequence numbers begin; so may a later one after a new SYN
 * came or the application connected again. The first timestamp teaches where those begin; each
 * later one must be as far from it as the script says, give or take the tolerance.
 */
#include "lab/script_run.h"

#include "wire/icmp4.h"

#define FO_MAGIC 0xf989u

static bool differs(struct txt *t, const char *what, uint64_t came, uint64_t expected)
{
    txt_s(t, what);
    txt_c(t, ' ');
    txt_u(t, came);
    txt_s(t, ", not ");
    txt_u(t, expected);
    return false;
}

static bool differs_text(struct txt *t, const char *text)
{
    txt_s(t, text);
    return false;
}

/* ---- IP ---- */

/* Where the interface vouches for sums they are not computed. */
static bool match_ip(const struct script_run *r, const struct script_packet *k,
                     const struct sr_seen *s, struct txt *t)
{
    uint8_t tos = k->tos_check == SCRIPT_TOS_ECN ? s->tos & 3 : s->tos;
    if (s->bad_csum && !r->setup.tso)
        return differs_text(t, "its checksum is wrong");
    if (k->tos_check == SCRIPT_TOS_ECN && tos != k->tos)
        return differs(t, "the bits of ECN are", tos, k->tos);
    if (k->tos_check == SCRIPT_TOS_ALL && tos != k->tos)
        return differs(t, "the traffic class is", tos, k->tos);
    if (k->has_ttl && s->ttl != k->ttl)
        return differs(t, "the hop limit is", s->ttl, k->ttl);
    if (k->has_flow && s->flow != k->flow)
        return differs(t, "the flow label is", s->flow, k->flow);
    return true;
}

/* ---- TCP options ---- */

/*
 * The next one of the script's as bytes in *w, but for timestamps and a cookie that are looked at.
 */
static void emit_opt(struct wr *w, const struct sr_flow *f, const struct script_opt *o)
{
    (void)f;
    if (o->raw || o->kind == TCP_OPT_MD5 || o->kind == TCP_OPT_FASTOPEN) {
        wr_bytes(w, o->data);
    } else if (o->kind == SCRIPT_OPT_FOEXP) {
        wr_u16(w, FO_MAGIC);
        wr_bytes(w, o->data);
    } else if (o->kind == TCP_OPT_MSS) {
        wr_u16(w, (uint16_t)o->a);
    } else if (o->kind == TCP_OPT_WSCALE) {
        wr_u8(w, (uint8_t)o->a);
    }
    for (uint8_t i = 0; i < o->n; i++) {
        wr_u32(w, o->left[i]);
        wr_u32(w, o->right[i]);
    }
}

static bool match_stamp(struct script_run *r, struct sr_flow *f, const struct script_opt *o,
                        struct rd d)
{
    uint32_t val = rd_u32(&d), ecr = rd_u32(&d), tick = r->setup.ts_tick_us;
    if (ecr != o->b)
        return false;
    if (f->has_ts && tick > 0) {
        uint32_t is = val - f->ts, should = o->a - f->ts_script;
        uint32_t off = is - should < UINT32_MAX / 2 ? is - should : should - is;
        if (off > r->setup.tolerance / NS_PER_US / tick + 1)
            return false;
    }
    sr_note_stamp(f, o->a, val);
    return true;
}

static bool match_cookie(struct script_run *r, const struct tcp_opt_it *it)
{
    struct rd d = rd_of(it->data);
    if (it->kind == SCRIPT_OPT_FOEXP && rd_u16(&d) != FO_MAGIC)
        return false;
    size_t n = rd_left(&d);
    if (n == 0 || n > sizeof(r->cookie))
        return false;
    rd_copy(&d, r->cookie, n);
    r->cookie_n = (uint8_t)n;
    return true;
}

static bool match_opt(struct script_run *r, struct sr_flow *f, const struct script_opt *o,
                      const struct tcp_opt_it *it)
{
    uint8_t room[TCP_OPTS_MAX];
    struct wr w = wr_of(room, sizeof(room));
    if (o->kind != it->kind)
        return false;
    if (o->kind == TCP_OPT_TS && !o->raw)
        return it->data.n == 8 && match_stamp(r, f, o, rd_of(it->data));
    if (o->latest)
        return match_cookie(r, it);
    emit_opt(&w, f, o);
    return span_eq(wr_span(&w), it->data);
}

/* The end of the list stands there or not; an `eol` of the script must. */
static bool match_opts(struct script_run *r, struct sr_flow *f, const struct script_packet *k,
                       struct span opts)
{
    struct rd rd = rd_of(opts);
    struct tcp_opt_it it;
    size_t left = opts.n;
    uint8_t i = 0;
    for (unsigned n = 0; n < TCP_OPTIONS_MAX && tcp_opt_next(&rd, &it); n++, i++) {
        if (i == k->opts_n || !match_opt(r, f, &k->opts[i], &it))
            return false;
        left = rd_left(&rd);
    }
    bool eol = rd.bad == 0 && left > rd_left(&rd);      /* it was read, and nothing came of it */
    if (i < k->opts_n && k->opts[i].kind == TCP_OPT_EOL && eol)
        return true;
    return i == k->opts_n && rd.bad == 0;
}

/* ---- TCP ---- */

/* Where the stack's numbers begin. */
static void learn(struct sr_flow *f, const struct script_packet *k, const struct sr_seen *s)
{
    if (!(k->flags & TCP_SYN) || !(s->tcp.flags & TCP_SYN) || (f->has_iss && !f->again))
        return;
    if (f->has_iss && f->iss != s->tcp.seq.v)
        f->has_ts = false;
    if (f->again)
        f->irs = f->irs_next;
    f->has_iss = true;
    f->again = false;
    f->iss = s->tcp.seq.v;
    f->iss_script = k->seq;
}

static bool match_flags(const struct script_packet *k, const struct sr_seen *s, struct txt *t)
{
    if (k->flags == s->tcp.flags)
        return true;
    txt_s(t, "its flags are ");
    tcp_flags_print(t, s->tcp.flags);
    txt_s(t, ", not ");
    tcp_flags_print(t, k->flags);
    return false;
}

/* Data of a stream are the pattern, from the byte behind the SYN on. */
static bool match_data(const struct script_run *r, const struct sr_flow *f, const struct sr_seen *s,
                       struct txt *t)
{
    uint32_t from = s->tcp.seq.v - f->iss - (s->tcp.flags & TCP_SYN ? 0u : 1u);
    if (r->literal || !f->has_iss || sr_is_pattern(s->payload, from) ||
        (s->payload.n == 1 && from == UINT32_MAX))
        return true;
    return differs_text(t, "its bytes are not those that were written there");
}

static bool match_tcp(struct script_run *r, const struct script_packet *k, struct sr_flow *f,
                      const struct sr_seen *s, struct txt *t)
{
    if (!match_flags(k, s, t))
        return false;
    learn(f, k, s);
    uint32_t seq = sr_script_seq(f, s->tcp.seq.v);
    if (seq != k->seq)
        return differs(t, "its sequence number is", seq, k->seq);
    if (s->payload.n != k->len)
        return differs(t, "its length is", s->payload.n, k->len);
    if (k->has_ack && s->tcp.ack.v != k->ack)
        return differs(t, "it acknowledges", s->tcp.ack.v, k->ack);
    if (k->has_win && s->tcp.wnd != k->win)
        return differs(t, "its window is", s->tcp.wnd, k->win);
    if (k->has_urg && s->tcp.urg != k->urg)
        return differs(t, "its urgent pointer is", s->tcp.urg, k->urg);
    if (!k->any_opts && !match_opts(r, f, k, s->tcp.opts)) {
        txt_s(t, "its options are ");
        sr_print_opts(t, f, s->tcp.opts, false);
        return false;
    }
    f->has_sent = true;
    f->sent_seq = s->tcp.seq.v;
    f->sent_len = (uint32_t)s->payload.n;
    return match_data(r, f, s, t);
}

/* ---- the rest ---- */

static bool match_udp(const struct script_run *r, const struct script_packet *k, struct sr_flow *f,
                      const struct sr_seen *s, struct txt *t)
{
    if (s->payload.n != k->len)
        return differs(t, "its length is", s->payload.n, k->len);
    if (!r->literal && !sr_is_pattern(s->payload, 0))
        return differs_text(t, "its bytes are not those that were written");
    f->has_sent = true;
    f->sent_len = (uint32_t)s->payload.n;
    return true;
}

static bool match_icmp(const struct script_run *r, const struct script_packet *k,
                       const struct sr_seen *s, struct txt *t)
{
    const struct script_icmp *m = &k->icmp;
    uint8_t type = r->v6 ? m->type6 : m->type4, code = r->v6 ? m->code6 : m->code4;
    if (!(r->v6 ? m->ok6 : m->ok4))
        return differs_text(t, "this family has no such message");
    if (s->type != type)
        return differs(t, "its type is", s->type, type);
    if (s->code != code)
        return differs(t, "its code is", s->code, code);
    if (m->has_mtu && s->mtu != m->mtu)
        return differs(t, "its MTU is", s->mtu, m->mtu);
    if (!m->quotes)
        return true;
    if (!s->quotes || s->quoted != m->quoted)
        return differs_text(t, "it quotes another kind of packet");
    if (m->quoted == SCRIPT_TCP && s->quoted_seq != k->seq)
        return differs(t, "it quotes the sequence number", s->quoted_seq, k->seq);
    if (s->quoted_len != k->len)
        return differs(t, "it quotes a packet with that many bytes:", s->quoted_len, k->len);
    return true;
}

static bool match_any(struct script_run *r, const struct script_packet *k, struct sr_record *rec,
                      const struct sr_seen *s, struct txt *t)
{
    static const char *const names[] = {"TCP", "UDP", "UDP-Lite", "ICMP"};
    if (s->proto != k->proto) {
        txt_s(t, "it is ");
        txt_s(t, names[s->proto]);
        txt_s(t, ", not ");
        txt_s(t, names[k->proto]);
        return false;
    }
    if (k->proto == SCRIPT_ICMP)
        return match_icmp(r, k, s, t);
    struct sr_flow *named = sr_flow_named(r, k);
    rec->flow = rec->flow ? rec->flow : sr_flow_new(r, s->proto, &s->src, &s->dst);
    if (!rec->flow)
        return differs_text(t, "there are too many flows");
    if (named && named != rec->flow)
        return differs_text(t, "it is of another flow");
    if (k->proto == SCRIPT_TCP ? !match_tcp(r, k, rec->flow, s, t)
                               : !match_udp(r, k, rec->flow, s, t))
        return false;
    r->current = rec->flow;
    r->fresh = false;
    return true;
}

bool sr_match(struct script_run *r, const struct script_packet *k, struct sr_record *rec,
              struct txt *t)
{
    struct sr_seen s;
    if (!sr_see(rec->bytes, &s) || !s.whole)
        return differs_text(t, "it is nothing that a line can expect");
    if (s.v6 != r->v6)
        return differs_text(t, "it is of the other family");
    if (!match_any(r, k, rec, &s, t) || !match_ip(r, k, &s, t))
        return false;
    if (k->why == WHY_NONE)
        return true;
    if (k->why != rec->why) {
        txt_s(t, "the reason is ");
        txt_s(t, why_of(rec->why)->name);
        txt_s(t, ", not ");
        txt_s(t, why_of(k->why)->name);
        return false;
    }
    sr_reason(r, k->why, DROP_NONE);
    return true;
}
