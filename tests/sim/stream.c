/*
 * What applications do with streams. An end is driven by what its stack says is ready (so that an
 * event that is not told shows as a stream that never ends), or, if it is lazy, now and then.
 *
 * Each end writes bytes that follow from its number and their place; whoever reads them knows after
 * eight bytes whose they are, and that they are a prefix of what was written. An end of file must
 * stand exactly behind the last byte.
 */
#include "sim.h"

#include <inttypes.h>

#define CHUNK_AT_MOST 40000
#define ROUNDS        64        /* calls in a row */

static struct oriel_stack *stack_of(const struct sim *s, unsigned who)
{
    return s->who[who].node->stack;
}

static void poke(struct sim *s, unsigned who)
{
    world_poke(&s->w, s->who[who].node);
}

unsigned stream_number(const struct sim *s, const struct end *e)
{
    return (unsigned)(e - s->end);
}

/* ---- bytes ---- */

static uint64_t key(const struct sim *s)
{
    return hash_word(0x73747265616dULL, s->seed);
}

static uint64_t word_at(const struct sim *s, unsigned id, uint64_t at)
{
    return at == 0 ? key(s) ^ id : hash_word(hash_word(key(s), id), at);
}

static uint8_t byte_at(const struct sim *s, unsigned id, uint64_t at)
{
    return (uint8_t)(word_at(s, id, at / 8) >> (at % 8 * 8));
}

void stream_fill(const struct sim *s, unsigned id, uint64_t at, uint8_t *data, size_t n)
{
    uint64_t word = word_at(s, id, at / 8);
    for (size_t i = 0; i < n; i++, at++) {
        if (at % 8 == 0)
            word = word_at(s, id, at / 8);
        data[i] = (uint8_t)(word >> (at % 8 * 8));
    }
}

static bool has_cookies(const struct sim *s, const struct end *e)
{
    return stack_of(s, e->who)->tcp.half.cookies_until > 0;
}

static void find_peer(struct sim *s, struct end *e)
{
    uint64_t tag = 0;
    for (unsigned i = 0; i < 8; i++)
        tag |= (uint64_t)e->tag[i] << (8 * i);
    uint64_t id = tag ^ key(s);
    if (id >= s->ends) {
        sim_wrong(s, "end %u of a stream read what nobody wrote", stream_number(s, e));
        return;
    }
    struct end *other = &s->end[id];
    int us = (int)stream_number(s, e);
    bool known = (e->peer >= 0 && e->peer != (int)id) || (other->peer >= 0 && other->peer != us);
    if (known && (has_cookies(s, e) || has_cookies(s, other))) {
        e->stray = true;        /* a cookie's last ACK came again, when its connection was over */
        return;
    }
    if (known)
        sim_wrong(s, "end %d reads what end %u wrote for end %d; its own is %d", us, (unsigned)id,
                  other->peer, e->peer);
    e->peer = (int16_t)id;
    other->peer = (int16_t)us;
}

static void judge(struct sim *s, struct end *e, const uint8_t *data, size_t n)
{
    size_t i = 0;
    if (e->stray)
        return;
    for (; i < n && e->read < 8; i++) {
        e->tag[e->read++] = data[i];
        if (e->read == 8)
            find_peer(s, e);
    }
    if (s->wrong[0] || e->stray || e->peer < 0)
        return;
    const struct end *other = &s->end[e->peer];
    for (; i < n; i++, e->read++)
        if (data[i] != byte_at(s, (unsigned)e->peer, e->read)) {
            sim_wrong(s, "end %u of a stream read a byte at %u that end %d did not write",
                      stream_number(s, e), e->read, e->peer);
            return;
        }
    if (e->read > other->written)
        sim_wrong(s, "end %u of a stream read %u bytes, and end %d wrote %u", stream_number(s, e), e->read,
                  e->peer, other->written);
    s->stream_bytes += n;
}

static void judge_end(struct sim *s, struct end *e)
{
    e->got_eof = true;
    if (e->got_error || e->deaf || e->peer < 0 || e->stray)
        return;
    const struct end *other = &s->end[e->peer];
    if (!other->shut || e->read != other->written)
        sim_wrong(s, "end %u of a stream came to its end at %u, and end %d wrote %u%s", stream_number(s, e),
                  e->read, e->peer, other->written, other->shut ? "" : " and did not close");
}

/* ---- calls ---- */

static void closed(struct sim *s, struct end *e, int err)
{
    if (err)
        sim_wrong(s, "end %u of a stream cannot be closed: %s", stream_number(s, e), oriel_strerror(err));
    e->h = 0;
}

static void close_end(struct sim *s, struct end *e)
{
    sim_say(s, "end %u closes: wrote %u, read %u", stream_number(s, e), e->written, e->read);
    if (!e->got_eof)
        e->stopped = true;
    e->shut = true;
    closed(s, e, oriel_close(stack_of(s, e->who), e->h));
}

static void abort_end(struct sim *s, struct end *e)
{
    sim_say(s, "end %u aborts", stream_number(s, e));
    e->stopped = true;
    closed(s, e, oriel_abort(stack_of(s, e->who), e->h));
}

/* Neither end was stopped, nobody's memory ran short: why would one reset the other? */
static void judge_reset(struct sim *s, const struct end *e)
{
    const struct end *o = e->peer >= 0 ? &s->end[e->peer] : NULL;
    struct oriel_tcp_info i;
    if (!o || !o->h || o->stopped || o->got_error || s->starved || !s->calm || s->bare || s->has_nat)
        return;
    if (oriel_tcp_info(stack_of(s, o->who), o->h, &i) == 0 && i.state != ORIEL_TCP_CLOSED)
        sim_wrong(s, "end %u was reset, and end %d stands in %s", stream_number(s, e), e->peer,
                  oriel_tcp_state_name(i.state));
}

void stream_failed(struct sim *s, struct end *e, int err)
{
    sim_say(s, "end %u: %s", stream_number(s, e), oriel_strerror(err));
    if (err == ORIEL_ECONNRESET)
        judge_reset(s, e);
    e->got_error = true;
    e->error = (int16_t)err;
    closed(s, e, oriel_close(stack_of(s, e->who), e->h));
}

static void shut_writing(struct sim *s, struct end *e)
{
    int err = oriel_shutdown(stack_of(s, e->who), e->h, ORIEL_SHUT_WRITE);
    sim_say(s, "end %u has written %u: %s", stream_number(s, e), e->written, oriel_strerror(err));
    sim_see(s, (uint64_t)err);
    e->shut = true;
}

static int recv_some(struct sim *s, struct end *e, size_t cap)
{
    struct oriel_bytes piece[4];
    struct oriel_msg m = {.flags = one_in(s, 16) ? ORIEL_MSG_PEEK : 0};
    struct oriel_stack *k = stack_of(s, e->who);
    if (!one_in(s, 4)) {
        int n = oriel_recv(k, e->h, s->buffer, cap, &m);
        if (n > 0 && !(m.flags & ORIEL_MSG_PEEK))
            judge(s, e, s->buffer, (size_t)n);
        return n;
    }
    int pieces = oriel_recv_view(k, e->h, piece, 4);
    size_t all = 0;
    for (int i = 0; i < pieces; i++) {
        judge(s, e, piece[i].p, piece[i].n);
        all += piece[i].n;
    }
    if (pieces <= 0)
        return pieces;
    int err = oriel_recv_release(k, e->h, all);
    if (err)
        sim_wrong(s, "what was seen of a stream cannot be released: %s", oriel_strerror(err));
    return (int)all;
}

static void read_end(struct sim *s, struct end *e, unsigned rounds, size_t cap)
{
    e->later = false;
    for (unsigned i = 0; i < rounds && e->h && !e->got_eof && !s->wrong[0]; i++) {
        int n = recv_some(s, e, cap);
        sim_see(s, (uint64_t)n);
        if (n == ORIEL_EAGAIN)
            return;
        if (n == 0)
            judge_end(s, e);
        else if (n < 0)
            stream_failed(s, e, n);
    }
    e->later = true;            /* there may be more, and nobody tells it again */
}

static int send_some(struct sim *s, struct end *e, size_t n)
{
    struct oriel_stack *k = stack_of(s, e->who);
    unsigned id = stream_number(s, e);
    struct oriel_room room = {0};
    if (one_in(s, 4))
        room = oriel_send_window(k, e->h);
    if (room.n > 0) {           /* 0: sending says why */
        n = n < room.n ? n : room.n;
        stream_fill(s, id, e->written, room.p, n);
        int err = oriel_send_commit(k, e->h, n);
        return err ? err : (int)n;
    }
    struct oriel_msg m = {.flags = one_in(s, 8) ? ORIEL_MSG_MORE : one_in(s, 8) ? ORIEL_MSG_EOR : 0};
    if (e->urgent && e->peer >= 0 && s->end[e->peer].in_line && one_in(s, 4))
        m.flags |= ORIEL_MSG_URGENT;    /* else a byte would be taken out of the stream */
    stream_fill(s, id, e->written, s->buffer, n);
    return oriel_send(k, e->h, s->buffer, n, &m);
}

static void write_end(struct sim *s, struct end *e, unsigned rounds, size_t most)
{
    for (unsigned i = 0; i < rounds && e->h && e->written < e->total && !e->shut; i++) {
        size_t n = (size_t)sim_scale(s, most), likely = 4 * (size_t)e->took + 500;
        if (n > likely)
            n = likely;         /* the bytes of what is refused would be made for nothing */
        if (n > e->total - e->written)
            n = e->total - e->written;
        int got = send_some(s, e, n);
        sim_see(s, (uint64_t)got);
        if (got > (int)n)
            sim_wrong(s, "end %u wrote %d bytes of %zu", stream_number(s, e), got, n);
        e->later |= got == ORIEL_ENOBUFS;
        e->took = got > 0 ? (uint32_t)got : 0;
        if (got == ORIEL_EAGAIN || got == ORIEL_ENOBUFS)
            return;
        if (got < 0)
            stream_failed(s, e, got);
        else
            e->written += (uint32_t)got;
    }
    e->later |= e->written < e->total;  /* it was not told that it cannot: nobody tells when it can */
}

/* Both directions have come to their end, or ours has. */
static void end_of_writing(struct sim *s, struct end *e)
{
    if (e->h && e->written == e->total && !e->shut && !e->connecting)
        shut_writing(s, e);
    if (e->h && e->shut && e->got_eof)
        close_end(s, e);
}

void stream_drive(struct sim *s, struct end *e, uint32_t events, bool all)
{
    if (events & (ORIEL_WRITABLE | ORIEL_FAILED | ORIEL_HUNG_UP))
        e->connecting = false;
    if (!e->connecting) {
        read_end(s, e, all ? ROUNDS : 2, one_in(s, 3) ? 1 + (size_t)sim_scale(s, 3000) : DATA_AT_MOST);
        write_end(s, e, all ? ROUNDS : 2, all ? CHUNK_AT_MOST : 2000);
    }
    int64_t err = 0;
    if (e->h && (events & ORIEL_FAILED) &&
        oriel_getopt(stack_of(s, e->who), e->h, ORIEL_OPT_ERROR, &err) == 0 && err != 0)
        stream_failed(s, e, (int)err);
    end_of_writing(s, e);
}

/* ---- what is ready ---- */

void stream_on_ready(struct sim *s, unsigned who, oriel_handle h, uint32_t events)
{
    struct actor *a = &s->who[who];
    for (unsigned i = 0; i < LISTENS_AT_MOST; i++)
        if (a->listen[i].h == h && h && !a->listen[i].lazy && (events & ORIEL_ACCEPTABLE))
            stream_take(s, who, &a->listen[i]);
    for (unsigned i = 0; i < s->ends; i++)
        if (s->end[i].who == who && s->end[i].h == h && !s->end[i].lazy)
            stream_drive(s, &s->end[i], events, true);
}

static void drive_lazy(struct sim *s, bool all)
{
    for (unsigned i = 0; i < s->ends; i++) {
        struct end *e = &s->end[i];
        if (!e->h || !(e->lazy || e->later) || (!all && !one_in(s, 4)))
            continue;
        stream_drive(s, e, oriel_ready(stack_of(s, e->who), e->h), all);
        poke(s, e->who);
    }
    for (unsigned i = 0; i < s->all; i++)
        for (unsigned k = 0; k < LISTENS_AT_MOST; k++)
            if ((s->who[i].listen[k].lazy || s->who[i].listen[k].later) && (all || one_in(s, 4))) {
                stream_take(s, i, &s->who[i].listen[k]);
                poke(s, i);
            }
}

/* ---- what an application does ---- */

static struct end *any_end(struct sim *s)
{
    struct end *e = s->ends ? &s->end[rng_below(&s->rng, s->ends)] : NULL;
    return e && e->h ? e : NULL;
}

static void stop_one(struct sim *s)
{
    struct end *e = any_end(s);
    if (!e)
        return;
    if (one_in(s, 2)) {
        e->total = e->written;
        end_of_writing(s, e);
    } else if (one_in(s, 3)) {
        close_end(s, e);
    } else if (one_in(s, 2)) {
        abort_end(s, e);
    } else {
        sim_see(s, (uint64_t)oriel_shutdown(stack_of(s, e->who), e->h, ORIEL_SHUT_READ));
        e->deaf = true;
    }
    poke(s, e->who);
}

static void set_something(struct sim *s)
{
    struct end *e = any_end(s);
    if (!e)
        return;
    stream_set(s, e->who, e->h);
    poke(s, e->who);
}

void stream_act(struct sim *s, unsigned who)
{
    switch (rng_below(&s->rng, 16)) {
    case 6: set_something(s); break;
    case 0: case 1: case 2: case 3: stream_begin(s, who); break;
    case 4: stream_cross(s, who); break;
    case 5: stop_one(s); break;
    case 7: stream_relisten(s, who); break;
    default: drive_lazy(s, false); break;
    }
}

/* ---- the end ---- */

/* Nothing that was set keeps it back, and who is gone is found out. */
static void hurry_end(struct sim *s, struct end *e)
{
    static const struct {
        enum oriel_opt opt;
        int64_t value;
    } hurried[] = {
        {ORIEL_OPT_KEEPIDLE_MS, 10000},  {ORIEL_OPT_KEEPINTVL_MS, 5000}, {ORIEL_OPT_KEEPCNT, 9},
        {ORIEL_OPT_KEEPALIVE, 1},        {ORIEL_OPT_RCVLOWAT, 1},        {ORIEL_OPT_LINGER, -1},
        {ORIEL_OPT_MAX_PACING_RATE, 0},  {ORIEL_OPT_USER_TIMEOUT_MS, 0}, {ORIEL_OPT_CORK, 0},
        {ORIEL_OPT_WINDOW_CLAMP, 0},
    };
    int err = 0;
    for (unsigned i = 0; i < ARRAY_LEN(hurried) && !err; i++)
        err = oriel_setopt(stack_of(s, e->who), e->h, hurried[i].opt, hurried[i].value);
    if (err == ORIEL_ENOBUFS)   /* too many that are set differently */
        abort_end(s, e);
    else if (err)
        sim_wrong(s, "an option of a stream cannot be set: %s", oriel_strerror(err));
    poke(s, e->who);
}

void stream_hurry(struct sim *s)
{
    for (unsigned i = 0; i < s->ends; i++) {
        struct end *e = &s->end[i];
        if (e->total > e->written + 100000)
            e->total = e->written + 100000;
        if (e->h)
            hurry_end(s, e);
    }
}

bool stream_all_done(struct sim *s)
{
    drive_lazy(s, true);
    for (unsigned i = 0; i < s->ends; i++)
        if (s->end[i].h)
            return false;
    return true;
}

static void say_end(const struct sim *s, const struct end *e)
{
    const struct oriel_stack *k = stack_of(s, e->who);
    struct oriel_tcp_info o;
    if (!e->h || oriel_tcp_info(k, e->h, &o) != 0)
        return;
    sim_say(s, "end %u of %s is %s%s, the other is %d: wrote %u of %u, read %u, %u queued, %u unread, "
            "limited by %s; una %u nxt %u wnd %u cwnd %u mss %u; rcv %u wnd %u; ready %x, rto at %"
            PRIu64 " ms; budget %" PRIu64 " of %" PRIu64, stream_number(s, e), s->who[e->who].node->name,
            oriel_tcp_state_name(o.state), e->lazy ? ", lazy" : "", e->peer, e->written, e->total,
            e->read, o.send_queue, o.recv_queue, oriel_tcp_limit_name(o.limit), o.snd_una, o.snd_nxt,
            o.snd_wnd, o.cwnd_bytes, o.snd_mss, o.rcv_nxt, o.rcv_wnd, oriel_ready(k, e->h),
            o.rto_at / NS_PER_MS, k->budget.used, k->budget.max);
}

void stream_stuck(struct sim *s)
{
    for (unsigned i = 0; i < s->ends; i++)
        say_end(s, &s->end[i]);
    for (unsigned i = 0; i < s->ends; i++) {
        const struct end *e = &s->end[i];
        struct oriel_tcp_info o;
        if (!e->h || oriel_tcp_info(stack_of(s, e->who), e->h, &o) != 0)
            continue;
        sim_wrong(s, "all is well again, but end %u (%s, end %d is the other) is %s for ever: wrote %u "
                  "of %u, read %u, limited by %s",
                  i, s->who[e->who].node->name, e->peer, oriel_tcp_state_name(o.state), e->written,
                  e->total, e->read, oriel_tcp_limit_name(o.limit));
    }
}

void stream_close_all(struct sim *s)
{
    for (unsigned i = 0; i < s->ends; i++)
        if (s->end[i].h)
            abort_end(s, &s->end[i]);
    for (unsigned i = 0; i < s->all; i++) {
        for (unsigned k = 0; k < LISTENS_AT_MOST; k++) {
            struct sim_listen *l = &s->who[i].listen[k];
            if (l->h && oriel_close(stack_of(s, i), l->h) != 0)
                sim_wrong(s, "a listener of %s cannot be closed", s->who[i].node->name);
            l->h = 0;
        }
        poke(s, i);
    }
}

/* To the letter of the RFC, one whose peer never closes stays in FIN-WAIT-2. */
static bool may_stay(const struct tcp *t, unsigned state)
{
    return t->set.fin_wait_2 == 0 && state == TCP_FIN_WAIT_2;
}

static bool is_gone(const struct tcp *t)
{
    bool stays = false;
    for (uint32_t i = 0; i < t->conns.fresh; i++) {
        if (!pool_is_live(&t->conns, i))
            continue;
        if (!may_stay(t, tcp_conn_at(t, i)->state))
            return false;
        stays = true;
    }
    return t->half.pool.live == 0 && t->tw.pool.live == 0 && t->records.live == 0 &&
           (stays || (t->flights.live == 0 && t->ranges.live == 0));
}

bool stream_all_gone(const struct sim *s)
{
    for (unsigned i = 0; i < s->all; i++)
        if (!is_gone(&stack_of(s, i)->tcp))
            return false;
    return true;
}

void stream_left(struct sim *s)
{
    for (unsigned i = 0; i < s->all; i++) {
        const struct tcp *t = &stack_of(s, i)->tcp;
        struct oriel_conn_info c;
        for (uint32_t at = 0; oriel_conn_each(stack_of(s, i), &at, &c);)
            if (!may_stay(t, c.state))
                sim_wrong(s, "every socket is closed for long, and %s still has port %u to %u in "
                          "%s", s->who[i].node->name, c.local.port, c.remote.port,
                          oriel_tcp_state_name(c.state));
        if (!is_gone(t))
            sim_wrong(s, "%s has %u flight blocks, %u records and %u ranges, and no connection",
                      s->who[i].node->name, t->flights.live, t->records.live, t->ranges.live);
    }
}
