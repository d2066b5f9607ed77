/*
 * What must hold of a connection between two calls: for the simulator and for tests, which ask after
 * every step. Whatever another file keeps as a sum, a list or a flag is found here a second time from
 * what it is a sum, a list or a flag of.
 *
 * Each check gives a sentence about what is wrong, or NULL. Nothing is changed.
 */
#include "tcp/tcp_rcv.h"

#define SLACK_BYTES (2 * 66048u)        /* tcp_rcv.h: "a block or two more" */

typedef const char *check(const struct tcp *t, const struct tcp_conn *c);

static const char *first_wrong(check *const checks[], unsigned n, const struct tcp *t,
                               const struct tcp_conn *c)
{
    for (unsigned i = 0; i < n; i++) {
        const char *wrong = checks[i](t, c);
        if (wrong)
            return wrong;
    }
    return NULL;
}

static bool is_over(const struct tcp_conn *c)
{
    return c->state == TCP_CLOSED || c->state == TCP_TIME_WAIT;
}

static bool wants_fin(const struct tcp_conn *c)
{
    return (c->out.want & TCP_WANT_FIN) && !(c->is & TCP_IS_FIN_SENT);
}

/* ---- sending ---- */

static const char *check_send_space(const struct tcp *t, const struct tcp_conn *c)
{
    uint32_t fin = (c->is & TCP_IS_FIN_SENT) != 0;
    (void)t;
    if (!seq_leq(c->snd.una, c->snd.nxt))
        return "SND.UNA is beyond SND.NXT";
    if (!seq_leq(c->snd.nxt, seq_add(c->snd.end, fin)))
        return "SND.NXT is beyond what was written";
    if (fin && !seq_eq(c->snd.nxt, seq_add(c->snd.end, 1)))
        return "the FIN was sent and does not stand behind all data";
    if (!seq_leq(c->iss, c->snd.una))
        return "SND.UNA is before the initial number";
    return NULL;
}

/* Which states go with a FIN of ours. */
static const char *check_fin(const struct tcp *t, const struct tcp_conn *c)
{
    bool sent = (c->is & TCP_IS_FIN_SENT) != 0, got = (c->is & TCP_IS_FIN_RCVD) != 0;
    bool open = c->state == TCP_ESTABLISHED || c->state == TCP_CLOSE_WAIT;
    bool after = c->state == TCP_CLOSE_WAIT || c->state == TCP_CLOSING || c->state == TCP_LAST_ACK;
    (void)t;
    if (open && (sent || (c->out.want & TCP_WANT_FIN)))
        return "a FIN where the application has not closed";
    if (c->state == TCP_FIN_WAIT_2 && (!sent || tcp_outstanding(c)))
        return "FIN-WAIT-2, and the FIN is not acknowledged";
    if (c->state > TCP_ESTABLISHED && !open && !sent && !wants_fin(c))
        return "the application closed, and no FIN is to be sent";
    return got == after ? NULL : "the state does not tell whether the peer's FIN came";
}

static const char *check_stream(const struct tcp *t, const struct tcp_conn *c)
{
    const struct tcp_flight *f = c->flight;
    seq_t first = seq_add(c->iss, 1);
    (void)t;
    if (!f)
        return tcp_unsent(c) == 0 ? NULL : "bytes to be sent, and no flight block";
    if (seq_lt(first, c->snd.una))
        first = seq_lt(c->snd.una, c->snd.end) ? c->snd.una : c->snd.end;
    if (!seq_eq(f->sndq.base, first))
        return "the send queue does not begin at SND.UNA";
    return seq_eq(seq_add(f->sndq.base, f->sndq.len), c->snd.end)
               ? NULL : "the send queue does not end where writing does";
}

/* ---- the scoreboard ---- */

struct sums {
    uint32_t n, out, sacked, sacked_segs, lost, resent, twice, by_time;
};

static const char *check_record(const struct tcp_conn *c, const struct tcp_sent *r, seq_t at)
{
    bool sacked = (r->flags & SENT_SACKED) != 0, lost = (r->flags & SENT_LOST) != 0;
    bool again = (r->flags & (SENT_RESENT | SENT_TWICE)) != 0;
    bool last = seq_eq(sent_end(r), c->snd.nxt);
    const struct tcp_sent *next = tcp_sent_after(r);
    if (!seq_eq(r->node.key, at))
        return "the scoreboard has a gap or counts twice";
    if (r->len == 0 || r->seg == 0)
        return "an empty record";
    if ((sacked && lost) || ((sacked || lost) && again))
        return "a record is in two states";
    if (((r->flags & SENT_FIN) != 0) != (last && (c->is & TCP_IS_FIN_SENT)))
        return "the FIN is not in the last record";
    if (sacked && next && (next->flags & SENT_SACKED))
        return "two SACKED records touch";
    return NULL;
}

static void add_record(struct sums *s, const struct tcp_sent *r)
{
    s->n++;
    s->out += r->len;
    s->sacked += (r->flags & SENT_SACKED) ? r->len : 0;
    s->sacked_segs += (r->flags & SENT_SACKED) ? r->segs : 0;
    s->lost += (r->flags & SENT_LOST) ? r->len : 0;
    s->resent += (r->flags & SENT_RESENT) ? r->len : 0;
    s->twice += (r->flags & SENT_TWICE) ? r->len : 0;
    s->by_time += !(r->flags & (SENT_SACKED | SENT_LOST));
}

/* A tree of those with that flag: all of them, if there are as many. */
static const char *check_set(const struct seqtree *set, unsigned flag)
{
    uint32_t n = 0;
    for (struct seqnode *at = set->first; at; at = seqtree_next(at), n++) {
        const struct tcp_sent *r = CONTAINER_OF(at, struct tcp_sent, alt);
        if (!(r->flags & flag) || !seq_eq(r->alt.key, r->node.key))
            return "a record in the wrong set";
    }
    return n == set->n ? NULL : "a set of records has lost count";
}

static const char *check_by_time(const struct tcp_scoreboard *b, uint32_t expected)
{
    uint32_t n = 0;
    oriel_time at = 0;
    LIST_EACH(node, &b->by_time) {
        const struct tcp_sent *r = CONTAINER_OF(node, struct tcp_sent, by_time);
        if (r->flags & (SENT_SACKED | SENT_LOST))
            return "a record among those under way that is not";
        if (r->sent_at < at)
            return "those under way are not in order of departure";
        at = r->sent_at;
        n++;
    }
    return n == expected ? NULL : "a record is under way and not in that list";
}

static uint32_t count_with(const struct tcp_scoreboard *b, unsigned flag)
{
    uint32_t n = 0;
    for (struct seqnode *at = b->tree.first; at; at = seqtree_next(at))
        n += (CONTAINER_OF(at, struct tcp_sent, node)->flags & flag) != 0;
    return n;
}

static const char *check_sets(const struct tcp_scoreboard *b, const struct sums *s)
{
    const char *wrong = check_set(&b->lost, SENT_LOST);
    if (!wrong)
        wrong = check_set(&b->sacked, SENT_SACKED);
    if (!wrong)
        wrong = check_by_time(b, s->by_time);
    if (!wrong && (count_with(b, SENT_LOST) != b->lost.n || count_with(b, SENT_SACKED) != b->sacked.n))
        wrong = "a record is not in the set of its state";
    return wrong;
}

static const char *check_sums(const struct tcp_conn *c, const struct sums *s)
{
    const struct tcp_scoreboard *b = &c->flight->sent;
    uint32_t under_way = s->out + s->twice, left = s->sacked + s->lost + b->emulated;
    if (s->n != b->tree.n || s->out != b->out_bytes)
        return "the scoreboard has lost count";
    if (s->sacked != b->sacked_bytes || s->sacked_segs != b->sacked_segs)
        return "bytes SACKED are counted wrong";
    if (s->lost != b->lost_bytes)
        return "bytes lost are counted wrong";
    if (s->resent != b->resent_bytes || s->twice != b->twice_bytes)
        return "bytes sent again are counted wrong";
    if (b->emulated > 0 && ((c->is & TCP_IS_SACK) || b->emulated > b->out_bytes))
        return "duplicates speak for more than was sent";
    if (tcp_pipe(c) != (under_way > left ? under_way - left : 0))
        return "pipe is not what its records say";
    return NULL;
}

/* Records cover [SND.UNA, SND.NXT) without the SYN exactly. */
static const char *check_scoreboard(const struct tcp *t, const struct tcp_conn *c)
{
    const struct tcp_flight *f = c->flight;
    seq_t at = seq_eq(c->snd.una, c->iss) ? seq_add(c->iss, 1) : c->snd.una;
    struct sums s = {0};
    (void)t;
    if (!f)
        return seq_eq(at, c->snd.nxt) ? NULL : "something is under way, and no flight block";
    for (struct tcp_sent *r = tcp_sent_first(c); r; r = tcp_sent_after(r)) {
        const char *wrong = check_record(c, r, at);
        if (wrong)
            return wrong;
        at = sent_end(r);
        add_record(&s, r);
    }
    if (!seq_eq(at, c->snd.nxt))
        return "the scoreboard does not end at SND.NXT";
    const char *wrong = check_sums(c, &s);
    return wrong ? wrong : check_sets(&f->sent, &s);
}

/* ---- congestion ---- */

static const char *check_congestion(const struct tcp *t, const struct tcp_conn *c)
{
    const struct tcp_flight *f = c->flight;
    const struct tcp_recov *r = f ? &f->recov : NULL;
    (void)t;
    if (!r)
        return NULL;
    bool recovering = r->ca >= ORIEL_CA_RECOVERY;
    if (f->cc.mss != c->snd.mss)
        return "congestion control counts in segments of another size";
    if ((f->cc.cwnd < f->cc.mss && !tcp_prr_rules(f)) || f->cc.cwnd > CC_CWND_MAX)
        return "a congestion window of less than a segment, or of more than there can be";
    if (r->quota > 0 && r->ca != ORIEL_CA_RECOVERY)
        return "PRR's share outside of recovery";
    if (r->frto != FRTO_OFF && r->ca != ORIEL_CA_LOSS)
        return "F-RTO without a timeout";
    if (recovering && (!r->has_point || !seq_lt(c->snd.una, r->point)))
        return "recovery goes on, and all it was about is acknowledged";
    if (r->has_point && seq_lt(c->snd.nxt, r->point))
        return "the recovery point is beyond SND.NXT";
    if (f->sent.lost.n > 0 && r->frto != FRTO_NEW_DATA && !(c->out.want & TCP_WANT_RTX))
        return "something is lost, and nobody wants to send it again";
    return NULL;
}

/* ---- receiving ---- */

static const char *check_queue(const struct tcp *t, const struct tcp_conn *c)
{
    uint64_t bytes = 0, charge = 0;
    const struct pkt *last = NULL;
    (void)t;
    for (const struct pkt *p = c->rcvq; p; p = p->next) {
        bytes += pkt_len(p);
        charge += rcv_cost(p);
        last = p;
    }
    if (last != c->rcvq_last)
        return "the receive queue ends elsewhere";
    if (bytes != (uint64_t)c->rcv.unread + c->rcvq_off)
        return "bytes that wait to be read are counted wrong";
    return charge == c->rcv.charge ? NULL : "memory of what waits to be read is counted wrong";
}

static const char *check_range(const struct tcp_conn *c, const struct tcp_range *r, seq_t beyond)
{
    uint64_t bytes = 0;
    const struct pkt *last = NULL;
    for (const struct pkt *p = r->first; p; p = p->next) {
        bytes += pkt_len(p);
        last = p;
    }
    if (!seq_lt(beyond, r->node.key))
        return "ranges out of order touch, or lie in what was received";
    if (last != r->last || bytes == 0 || bytes != (uint32_t)seq_diff(r->node.key, r->end))
        return "a range does not hold what it says";
    return seq_leq(r->end, c->rcv.adv) ? NULL : "a range lies beyond the window";
}

static const char *check_out_of_order(const struct tcp *t, const struct tcp_conn *c)
{
    const struct tcp_ooo *o = c->flight ? &c->flight->ooo : NULL;
    uint64_t bytes = 0, charge = 0;
    seq_t beyond = c->rcv.nxt;
    (void)t;
    for (struct seqnode *at = o ? o->tree.first : NULL; at; at = seqtree_next(at)) {
        const struct tcp_range *r = CONTAINER_OF(at, struct tcp_range, node);
        const char *wrong = check_range(c, r, beyond);
        if (wrong)
            return wrong;
        bytes += (uint32_t)seq_diff(r->node.key, r->end);
        for (const struct pkt *p = r->first; p; p = p->next)
            charge += rcv_cost(p);
        beyond = r->end;
    }
    if (o && (bytes != o->bytes || charge != o->charge))
        return "bytes out of order are counted wrong";
    if (o && o->has_fin && (seq_lt(o->fin, beyond) || (c->is & TCP_IS_FIN_RCVD)))
        return "data beyond the peer's FIN, or a FIN that was consumed";
    return NULL;
}

static const char *check_window(const struct tcp *t, const struct tcp_conn *c)
{
    (void)t;
    if (!seq_leq(c->rcv.nxt, c->rcv.adv) && !(c->is & TCP_IS_FIN_RCVD))
        return "RCV.NXT is beyond what was promised";
    /* What was promised before the application made its buffer smaller is still promised. */
    bool fits = (uint64_t)c->rcv.unread + rcv_promised(c) <= c->rcv.buf;
    if (fits && rcv_memory(c) > RCV_MEMORY * (uint64_t)c->rcv.buf + SLACK_BYTES)
        return "more memory is promised than the buffer may take";
    return NULL;
}

/* ---- timers, and whose turn it is ---- */

static oriel_time sooner(oriel_time a, oriel_time b)
{
    return a < b ? a : b;
}

static const char *check_wheel(const struct tcp *t, const struct tcp_conn *c)
{
    oriel_time at = sooner(sooner(c->timer.rtx_at, c->timer.delack_at), c->timer.life_at);
    const struct tcp_rack *r = c->flight ? &c->flight->rack : NULL;
    (void)t;
    if (r)
        at = sooner(at, sooner(r->reo_at, r->tlp_at));
    if (at != ORIEL_NEVER && !timer_armed(&c->timer.wake))
        return "a deadline, and nothing in the timing wheel";
    if (at != ORIEL_NEVER && c->timer.wake.deadline > at)
        return "the timing wheel wakes later than a deadline";
    if (r && (r->reo_at != ORIEL_NEVER || r->tlp_at != ORIEL_NEVER) && c->flight->sent.tree.n == 0)
        return "RACK waits for what is not under way";
    return NULL;
}

/* Whoever has something to say is heard, now or at a deadline. */
static const char *check_turn(const struct tcp *t, const struct tcp_conn *c)
{
    bool ready = (c->is & TCP_IS_READY) != 0, paced = (c->is & TCP_IS_PACED) != 0;
    bool rtx = c->timer.rtx_at != ORIEL_NEVER, delack = c->timer.delack_at != ORIEL_NEVER;
    bool held = tcp_unsent(c) > 0 || wants_fin(c);
    if (paced && (!c->flight || !timer_armed(&c->flight->pace)))
        return "a paced connection without a departure";
    if (tcp_outstanding(c) && !rtx && !(c->out.want & TCP_WANT_SYN))
        return "something is under way, and no timeout";
    if (held && !tcp_outstanding(c) && c->state != TCP_SYN_SENT && !ready && !paced && !rtx)
        return "something is to be sent, and nobody will";
    if (!held && !tcp_outstanding(c) && rtx)
        return "a timeout, and nothing is under way or held";
    if ((c->out.want & TCP_WANT_ACK) && !ready)
        return "an acknowledgement is wanted, and nobody will send it";
    if (!seq_eq(c->rcv.acked, c->rcv.nxt) && !delack && !(c->out.want & TCP_WANT_ACK))
        return "an acknowledgement is owed, and nobody will send it";
    if (!ready && !paced && !rtx && !delack && tcp_next_action(t, c).act != ACT_NOTHING)
        return "it may send, and is not on the list";
    return NULL;
}

/* ---- all of it ---- */

static const char *check_over(const struct tcp *t, const struct tcp_conn *c)
{
    uint32_t listed = TCP_IS_READY | TCP_IS_PACED;
    (void)t;
    if (!(c->is & TCP_IS_CONNECTING))           /* its SYN waits for data: it has its tuple already */
        listed |= TCP_IS_IN_TABLE;
    if (c->is & listed)
        return "it is over, and still in a table or on a list";
    if (c->flight || timer_armed(&c->timer.wake))
        return "it is over, and holds a flight block or a timer";
    return NULL;
}

static const char *check_table(const struct tcp *t, const struct tcp_conn *c)
{
    if (!(c->is & TCP_IS_IN_TABLE) || tcp_find(t, &c->tuple) != c)
        return "it lives and cannot be found";
    if (c->sock == 0 && !(c->is & (TCP_IS_ORPHAN | TCP_IS_ACCEPTQ)))
        return "nobody holds it";
    return NULL;
}

const char *tcp_check(const struct tcp *t, const struct tcp_conn *c)
{
    static check *const over[] = {check_over, check_queue};
    static check *const opening[] = {check_table, check_send_space, check_scoreboard, check_stream,
                                     check_wheel, check_turn};
    static check *const alive[] = {
        check_table, check_send_space, check_fin, check_stream, check_scoreboard, check_congestion,
        check_queue, check_out_of_order, check_window, check_wheel, check_turn,
    };
    if (is_over(c))
        return first_wrong(over, ARRAY_LEN(over), t, c);
    if (c->state == TCP_SYN_SENT)
        return first_wrong(opening, ARRAY_LEN(opening), t, c);
    return first_wrong(alive, ARRAY_LEN(alive), t, c);
}

/* Those that are ready to send are on the list of one interface, once. */
static const char *check_shortage(const struct tcp *t)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->conns.fresh; i++)
        n += pool_is_live(&t->conns, i) && (tcp_conn_at(t, i)->is & TCP_IS_STARVED);
    if (n != t->shortage.n)
        return "connections that starve for memory are miscounted";
    return n == 0 || timer_armed(&t->shortage.timer) ? NULL : "connections starve, and nobody looks for memory";
}

const char *tcp_check_lists(const struct tcp *t)
{
    uint32_t flagged = 0, listed = 0;
    for (uint32_t i = 0; i < t->conns.fresh; i++)
        flagged += pool_is_live(&t->conns, i) && (tcp_conn_at(t, i)->is & TCP_IS_READY);
    for (uint16_t nif = 0; nif <= t->ip->link->max; nif++) {
        uint32_t prev = TCP_NONE, n = 0;
        for (uint32_t at = t->ready[nif].first; at != TCP_NONE; n++) {
            const struct tcp_conn *c = tcp_conn_at(t, at);
            if (!(c->is & TCP_IS_READY) || c->nif != nif || c->ready_prev != prev || n > flagged)
                return "a list of those that may send is broken";
            prev = at;
            at = c->ready_next;
        }
        if (n != t->ready[nif].n || prev != t->ready[nif].last)
            return "a list of those that may send has lost count";
        listed += n;
    }
    return listed == flagged ? check_shortage(t) : "a connection may send, and is on no list";
}
