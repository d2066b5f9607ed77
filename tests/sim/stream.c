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

static unsigned number(const struct sim *s, const struct end *e)
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

static void fill(const struct sim *s, unsigned id, uint64_t at, uint8_t *data, size_t n)
{
    uint64_t word = word_at(s, id, at / 8);
    for (size_t i = 0; i < n; i++, at++) {
        if (at % 8 == 0)
            word = word_at(s, id, at / 8);
        data[i] = (uint8_t)(word >> (at % 8 * 8));
    }
}

static void find_peer(struct sim *s, struct end *e)
{
    uint64_t tag = 0;
    for (unsigned i = 0; i < 8; i++)
        tag |= (uint64_t)e->tag[i] << (8 * i);
    uint64_t id = tag ^ key(s);
    if (id >= s->ends) {
        sim_wrong(s, "end %u of a stream read what nobody wrote", number(s, e));
        return;
    }
    struct end *other = &s->end[id];
    if (other->peer >= 0 && other->peer != (int)number(s, e))
        sim_wrong(s, "end %u reads what was written for end %d", number(s, e), other->peer);
    e->peer = (int16_t)id;
    other->peer = (int16_t)number(s, e);
}

static void judge(struct sim *s, struct end *e, const uint8_t *data, size_t n)
{
    size_t i = 0;
    for (; i < n && e->read < 8; i++)
        e->tag[e->read++] = data[i];
    if (e->read >= 8 && e->peer < 0)
        find_peer(s, e);
    if (s->wrong[0] || e->peer < 0)
        return;
    const struct end *other = &s->end[e->peer];
    for (; i < n; i++, e->read++)
        if (data[i] != byte_at(s, (unsigned)e->peer, e->read)) {
            sim_wrong(s, "end %u of a stream read a byte at %u that end %d did not write",
                      number(s, e), e->read, e->peer);
            return;
        }
    if (e->read > other->written)
        sim_wrong(s, "end %u of a stream read %u bytes, and end %d wrote %u", number(s, e), e->read,
                  e->peer, other->written);
    s->stream_bytes += n;
}

static void judge_end(struct sim *s, struct end *e)
{
    e->got_eof = true;
    if (e->got_error || e->deaf || e->peer < 0)
        return;
    const struct end *other = &s->end[e->peer];
    if (!other->shut || e->read != other->written)
        sim_wrong(s, "end %u of a stream came to its end at %u, and end %d wrote %u%s", number(s, e),
                  e->read, e->peer, other->written, other->shut ? "" : " and did not close");
}

/* ---- calls ---- */

static void closed(struct sim *s, struct end *e, int err)
{
    if (err)
        sim_wrong(s, "end %u of a stream cannot be closed: %s", number(s, e), oriel_strerror(err));
    e->h = 0;
}

static void close_end(struct sim *s, struct end *e)
{
    sim_say(s, "end %u closes: wrote %u, read %u", number(s, e), e->written, e->read);
    if (!e->got_eof)
        e->stopped = true;
    e->shut = true;
    closed(s, e, oriel_close(stack_of(s, e->who), e->h));
}

static void abort_end(struct sim *s, struct end *e)
{
    sim_say(s, "end %u aborts", number(s, e));
    e->stopped = true;
    closed(s, e, oriel_abort(stack_of(s, e->who), e->h));
}

static void on_error(struct sim *s, struct end *e, int err)
{
    sim_say(s, "end %u: %s", number(s, e), oriel_strerror(err));
    e->got_error = true;
    e->error = (int16_t)err;
    closed(s, e, oriel_close(stack_of(s, e->who), e->h));
}

static void shut_writing(struct sim *s, struct end *e)
{
    int err = oriel_shutdown(stack_of(s, e->who), e->h, ORIEL_SHUT_WRITE);
    sim_say(s, "end %u has written %u: %s", number(s, e), e->written, oriel_strerror(err));
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
            on_error(s, e, n);
    }
    e->later = true;            /* there may be more, and nobody tells it again */
}

static int send_some(struct sim *s, struct end *e, size_t n)
{
    struct oriel_stack *k = stack_of(s, e->who);
    unsigned id = number(s, e);
    struct oriel_room room = {0};
    if (one_in(s, 4))
        room = oriel_send_window(k, e->h);
    if (room.n > 0) {           /* 0: sending says why */
        n = n < room.n ? n : room.n;
        fill(s, id, e->written, room.p, n);
        int err = oriel_send_commit(k, e->h, n);
        return err ? err : (int)n;
    }
    struct oriel_msg m = {.flags = one_in(s, 8) ? ORIEL_MSG_MORE : one_in(s, 8) ? ORIEL_MSG_EOR : 0};
    fill(s, id, e->written, s->buffer, n);
    return oriel_send(k, e->h, s->buffer, n, &m);
}

static void write_end(struct sim *s, struct end *e, unsigned rounds, size_t most)
{
    for (unsigned i = 0; i < rounds && e->h && e->written < e->total && !e->shut; i++) {
        size_t n = (size_t)sim_scale(s, most);
        if (n > e->total - e->written)
            n = e->total - e->written;
        int got = send_some(s, e, n);
        sim_see(s, (uint64_t)got);
        if (got > (int)n)
            sim_wrong(s, "end %u wrote %d bytes of %zu", number(s, e), got, n);
        e->later |= got == ORIEL_ENOBUFS;
        if (got == ORIEL_EAGAIN || got == ORIEL_ENOBUFS)
            return;
        if (got < 0)
            on_error(s, e, got);
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

static void drive(struct sim *s, struct end *e, uint32_t events, bool all)
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
        on_error(s, e, (int)err);
    end_of_writing(s, e);
}

/* ---- options ---- */

static const struct {
    enum oriel_opt opt;
    int64_t lo, hi;
    bool scaled;                /* small values are as likely as large ones */
} options[] = {
    {ORIEL_OPT_NODELAY, 0, 1, false},       {ORIEL_OPT_CORK, 0, 1, false},
    {ORIEL_OPT_CONGESTION, 0, 2, false},    {ORIEL_OPT_SNDBUF, 2048, 400000, true},
    {ORIEL_OPT_RCVBUF, 2048, 400000, true}, {ORIEL_OPT_KEEPALIVE, 0, 1, false},
    {ORIEL_OPT_KEEPIDLE_MS, 100, 100000, true}, {ORIEL_OPT_KEEPINTVL_MS, 100, 20000, true},
    {ORIEL_OPT_KEEPCNT, 1, 10, false},      {ORIEL_OPT_ECN, 0, 4, false},
    {ORIEL_OPT_MAXSEG, 88, 3000, true},     {ORIEL_OPT_NOTSENT_LOWAT, 0, 50000, true},
    {ORIEL_OPT_QUICKACK, 0, 1, false},      {ORIEL_OPT_WINDOW_CLAMP, 100, 100000, true},
    {ORIEL_OPT_MAX_PACING_RATE, 10000, 10000000, true}, {ORIEL_OPT_TTL, 10, 255, false},
    {ORIEL_OPT_TOS, 0, 255, false},         {ORIEL_OPT_SYNCNT, 3, 10, false},
    {ORIEL_OPT_SOFT_ERRORS, 0, 1, false},   {ORIEL_OPT_LINGER, -1, 60000, true},
    {ORIEL_OPT_USER_TIMEOUT_MS, 30000, 600000, true}, {ORIEL_OPT_RCVLOWAT, 1, 5000, true},
};

static void set_one(struct sim *s, unsigned who, oriel_handle h)
{
    unsigned i = (unsigned)rng_below(&s->rng, ARRAY_LEN(options));
    int64_t lo = options[i].lo, hi = options[i].hi, v;
    v = options[i].scaled ? lo - 1 + (int64_t)sim_scale(s, (uint64_t)(hi - lo + 1))
                          : lo + (int64_t)rng_below(&s->rng, (uint64_t)(hi - lo + 1));
    int err = oriel_setopt(stack_of(s, who), h, options[i].opt, v);
    sim_see(s, (uint64_t)err);
    sim_see(s, (uint64_t)oriel_getopt(stack_of(s, who), h, options[i].opt, &v));
    sim_see(s, (uint64_t)v);
}

static void set_some(struct sim *s, unsigned who, oriel_handle h)
{
    for (unsigned n = one_in(s, 2) ? (unsigned)between(s, 1, 6) : 0; n > 0; n--)
        set_one(s, who, h);
}

/* ---- opening ---- */

static struct end *new_end(struct sim *s, unsigned who)
{
    if (s->ends == ENDS_AT_MOST)
        return NULL;
    struct end *e = &s->end[s->ends++];
    *e = (struct end){.who = (uint8_t)who, .used = true, .peer = -1,
                      .lazy = one_in(s, 4), .total = (uint32_t)sim_scale(s, STREAM_AT_MOST / 2)};
    if (one_in(s, 4))
        e->total = (uint32_t)sim_scale(s, 3000);
    return e;
}

static enum oriel_family family_of(const struct sim *s)
{
    return s->v4 && s->v6 ? ORIEL_DUAL : s->v4 ? ORIEL_IP4 : ORIEL_IP6;
}

static void listen_at(struct sim *s, unsigned who, unsigned slot)
{
    struct sim_listen *l = &s->who[who].listen[slot];
    struct oriel_stack *k = stack_of(s, who);
    struct oriel_endpoint at = {.port = (uint16_t)(PORT_STREAM + slot)};
    struct oriel_listen how = {.backlog = one_in(s, 3) ? (uint32_t)between(s, 1, 4) : 0};
    int err = oriel_tcp_open(k, family_of(s), &l->h);
    sim_see(s, (uint64_t)err);
    if (err) {
        l->h = 0;
        return;
    }
    l->lazy = one_in(s, 4);
    set_some(s, who, l->h);
    err = oriel_bind(k, l->h, &at);
    if (!err)
        err = oriel_listen(k, l->h, &how);
    sim_see(s, (uint64_t)err);
    if (!err)
        return;
    if (oriel_close(k, l->h) != 0)
        sim_wrong(s, "a socket of %s cannot be closed", s->who[who].node->name);
    l->h = 0;
}

void stream_open_all(struct sim *s)
{
    for (unsigned i = 0; i < s->all; i++)
        for (unsigned k = 0; k < LISTENS_AT_MOST; k++)
            if (!one_in(s, 4))
                listen_at(s, i, k);
}

static void accept_all(struct sim *s, unsigned who, struct sim_listen *l)
{
    oriel_handle h;
    int err = 0;
    while (l->h && (err = oriel_accept(stack_of(s, who), l->h, &h, NULL)) == 0) {
        struct end *e = new_end(s, who);
        if (!e) {
            if (oriel_abort(stack_of(s, who), h) != 0)
                sim_wrong(s, "a stream cannot be aborted");
            continue;
        }
        e->h = h;
        sim_say(s, "end %u: %s accepts", number(s, e), s->who[who].node->name);
        if (!e->lazy)
            drive(s, e, 0, true);
    }
    sim_see(s, (uint64_t)err);
    l->later = err == ORIEL_ENOBUFS;
}

static struct oriel_addr address_of(struct sim *s, unsigned who)
{
    const struct leg *l = sim_first_leg(s, who);
    for (unsigned i = 0; i < s->legs; i++)
        if (s->leg[i].who == who && one_in(s, 2))
            l = &s->leg[i];
    return s->v4 && (!s->v6 || one_in(s, 2)) ? l->a4 : l->a6;
}

static struct end *connect_to(struct sim *s, unsigned who, uint16_t from, struct oriel_addr to,
                              uint16_t port)
{
    struct oriel_stack *k = stack_of(s, who);
    struct oriel_endpoint local = {.port = from}, remote = {.addr = to, .port = port};
    struct end *e = new_end(s, who);
    if (!e)
        return NULL;
    int err = oriel_tcp_open(k, family_of(s), &e->h);
    if (err) {
        e->h = 0;
        return NULL;
    }
    set_some(s, who, e->h);
    if (from)
        err = oriel_bind(k, e->h, &local);
    if (!err)
        err = oriel_connect(k, e->h, &remote);
    sim_see(s, (uint64_t)err);
    e->connecting = true;
    char text[64];
    (void)oriel_addr_print(&to, text, sizeof(text));
    sim_say(s, "end %u: %s connects to %s port %u: %s", number(s, e), s->who[who].node->name, text,
            port, oriel_strerror(err));
    if (err)
        on_error(s, e, err);
    return e;
}

static unsigned somebody(struct sim *s)
{
    unsigned who = (unsigned)rng_below(&s->rng, s->all);
    return sim_first_leg(s, who) ? who : 0;
}

static void connect_somebody(struct sim *s, unsigned who)
{
    unsigned other = somebody(s);
    uint16_t port = (uint16_t)(PORT_STREAM + rng_below(&s->rng, LISTENS_AT_MOST + 1));
    (void)connect_to(s, who, 0, address_of(s, other), port);
    poke(s, who);
}

/* Both connect (RFC 9293, 3.5). */
static void cross(struct sim *s, unsigned who)
{
    unsigned other = somebody(s);
    uint16_t port = (uint16_t)(PORT_CROSS + s->ends);
    bool v4 = s->v4 && (!s->v6 || one_in(s, 2));
    const struct leg *a = sim_first_leg(s, who), *b = sim_first_leg(s, other);
    if (other == who)
        return;
    (void)connect_to(s, who, port, v4 ? b->a4 : b->a6, port);
    (void)connect_to(s, other, port, v4 ? a->a4 : a->a6, port);
    poke(s, who);
    poke(s, other);
}

/* ---- what is ready ---- */

void stream_on_ready(struct sim *s, unsigned who, oriel_handle h, uint32_t events)
{
    struct actor *a = &s->who[who];
    for (unsigned i = 0; i < LISTENS_AT_MOST; i++)
        if (a->listen[i].h == h && h && !a->listen[i].lazy && (events & ORIEL_ACCEPTABLE))
            accept_all(s, who, &a->listen[i]);
    for (unsigned i = 0; i < s->ends; i++)
        if (s->end[i].who == who && s->end[i].h == h && !s->end[i].lazy)
            drive(s, &s->end[i], events, true);
}

static void drive_lazy(struct sim *s, bool all)
{
    for (unsigned i = 0; i < s->ends; i++) {
        struct end *e = &s->end[i];
        if (!e->h || !(e->lazy || e->later) || (!all && !one_in(s, 4)))
            continue;
        drive(s, e, oriel_ready(stack_of(s, e->who), e->h), all);
        poke(s, e->who);
    }
    for (unsigned i = 0; i < s->all; i++)
        for (unsigned k = 0; k < LISTENS_AT_MOST; k++)
            if ((s->who[i].listen[k].lazy || s->who[i].listen[k].later) && (all || one_in(s, 4))) {
                accept_all(s, i, &s->who[i].listen[k]);
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
    } else if (one_in(s, 2)) {
        close_end(s, e);
    } else {
        abort_end(s, e);
    }
    poke(s, e->who);
}

static void set_something(struct sim *s)
{
    struct end *e = any_end(s);
    if (!e)
        return;
    set_one(s, e->who, e->h);
    poke(s, e->who);
}

void stream_act(struct sim *s, unsigned who)
{
    switch (rng_below(&s->rng, 16)) {
    case 6: set_something(s); break;
    case 0: case 1: case 2: case 3: connect_somebody(s, who); break;
    case 4: cross(s, who); break;
    case 5: stop_one(s); break;
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
            PRIu64 " ms; budget %" PRIu64 " of %" PRIu64, number(s, e), s->who[e->who].node->name,
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
