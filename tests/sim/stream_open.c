/*
 * How streams begin: listeners of all kinds, connections to them, crossing ones, fast open; and the
 * options that both may have.
 */
#include "sim.h"

static struct oriel_stack *stack_of(const struct sim *s, unsigned who)
{
    return s->who[who].node->stack;
}

static void poke(struct sim *s, unsigned who)
{
    world_poke(&s->w, s->who[who].node);
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

void stream_set(struct sim *s, unsigned who, oriel_handle h)
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
        stream_set(s, who, h);
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

/* What connections of it will be like; all take urgent bytes where they stand. */
static void listener_options(struct sim *s, unsigned who, oriel_handle h)
{
    struct oriel_stack *k = stack_of(s, who);
    set_some(s, who, h);
    sim_see(s, (uint64_t)oriel_setopt(k, h, ORIEL_OPT_OOBINLINE, 1));
    if (one_in(s, 4))
        sim_see(s, (uint64_t)oriel_setopt(k, h, ORIEL_OPT_FASTOPEN, (int64_t)between(s, 1, 5)));
    if (one_in(s, 6))
        sim_see(s, (uint64_t)oriel_setopt(k, h, ORIEL_OPT_DEFER_ACCEPT_MS,
                                          (int64_t)sim_scale(s, 5000)));
}

static void listen_at(struct sim *s, unsigned who, unsigned slot)
{
    struct sim_listen *l = &s->who[who].listen[slot];
    struct oriel_stack *k = stack_of(s, who);
    struct oriel_endpoint at = {.port = (uint16_t)(PORT_STREAM + slot)};
    struct oriel_listen how = {.backlog = one_in(s, 3) ? (uint32_t)between(s, 1, 4) : 0,
                               .defer = one_in(s, 6)};
    int err = oriel_tcp_open(k, family_of(s), &l->h);
    sim_see(s, (uint64_t)err);
    if (err) {
        l->h = 0;
        return;
    }
    l->lazy = one_in(s, 4);
    l->defer = how.defer;
    listener_options(s, who, l->h);
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

/* SYNs that are held: most are answered, some refused, some never. */
static void decide_all(struct sim *s, unsigned who, struct sim_listen *l)
{
    struct oriel_held held;
    while (oriel_held_next(stack_of(s, who), l->h, &held) == 0) {
        enum oriel_admission what = one_in(s, 6) ? (enum oriel_admission)rng_below(&s->rng, 3)
                                                 : ORIEL_ADMIT;
        sim_see(s, held.id);
        if (!one_in(s, 10))
            sim_see(s, (uint64_t)oriel_admit(stack_of(s, who), l->h, held.id, what));
    }
}

void stream_take(struct sim *s, unsigned who, struct sim_listen *l)
{
    if (l->h && l->defer)
        decide_all(s, who, l);
    oriel_handle h;
    int err = 0;
    while (l->h && (err = oriel_accept(stack_of(s, who), l->h, &h, NULL)) == 0) {
        struct end *e = new_end(s, who);
        if (!e) {
            if (oriel_abort(stack_of(s, who), h) != 0)
                sim_wrong(s, "a stream cannot be aborted");
            continue;
        }
        int64_t in_line = 0;
        e->h = h;
        e->urgent = one_in(s, 6);
        e->in_line = oriel_getopt(stack_of(s, who), h, ORIEL_OPT_OOBINLINE, &in_line) == 0 && in_line;
        sim_say(s, "end %u: %s accepts", stream_number(s, e), s->who[who].node->name);
        if (!e->lazy)
            stream_drive(s, e, 0, true);
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

/* With data at once (RFC 7413), with data as soon as there is some, or as ever. */
static int begin(struct sim *s, struct end *e, const struct oriel_endpoint *remote, bool may_hurry)
{
    struct oriel_stack *k = stack_of(s, e->who);
    struct oriel_msg m = {.flags = ORIEL_MSG_FASTOPEN, .peer = *remote};
    if (!may_hurry || !one_in(s, 5))
        return oriel_connect(k, e->h, remote);
    if (one_in(s, 2)) {
        e->connecting = oriel_setopt(k, e->h, ORIEL_OPT_FASTOPEN_CONNECT, 1) != 0;
        return oriel_connect(k, e->h, remote);
    }
    size_t n = (size_t)sim_scale(s, e->total < 4000 ? e->total : 4000);
    stream_fill(s, stream_number(s, e), 0, s->buffer, n);
    int got = oriel_send(k, e->h, s->buffer, n, &m);
    if (got > (int)n)
        sim_wrong(s, "end %u sent %d bytes of %zu with its SYN", stream_number(s, e), got, n);
    e->written = got > 0 ? (uint32_t)got : 0;
    return got < 0 ? got : 0;
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
    e->in_line = oriel_setopt(k, e->h, ORIEL_OPT_OOBINLINE, 1) == 0;
    e->urgent = one_in(s, 6);
    if (from)
        err = oriel_bind(k, e->h, &local);
    e->connecting = true;
    if (!err)
        err = begin(s, e, &remote, from == 0);
    sim_see(s, (uint64_t)err);
    char text[64];
    (void)oriel_addr_print(&to, text, sizeof(text));
    sim_say(s, "end %u: %s connects to %s port %u: %s", stream_number(s, e), s->who[who].node->name, text,
            port, oriel_strerror(err));
    if (err)
        stream_failed(s, e, err);
    return e;
}

static unsigned somebody(struct sim *s)
{
    unsigned who = (unsigned)rng_below(&s->rng, s->all);
    return sim_first_leg(s, who) ? who : 0;
}

void stream_begin(struct sim *s, unsigned who)
{
    unsigned other = somebody(s);
    uint16_t port = (uint16_t)(PORT_STREAM + rng_below(&s->rng, LISTENS_AT_MOST + 1));
    (void)connect_to(s, who, 0, address_of(s, other), port);
    poke(s, who);
}

/* Both connect (RFC 9293, 3.5). */
void stream_cross(struct sim *s, unsigned who)
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

/* A listener closes: what waits there is reset. Or one opens. */
void stream_relisten(struct sim *s, unsigned who)
{
    unsigned slot = (unsigned)rng_below(&s->rng, LISTENS_AT_MOST);
    struct sim_listen *l = &s->who[who].listen[slot];
    if (!l->h) {
        listen_at(s, who, slot);
        return;
    }
    s->relistened = true;
    if (oriel_close(stack_of(s, who), l->h) != 0)
        sim_wrong(s, "a listener of %s cannot be closed", s->who[who].node->name);
    l->h = 0;
    poke(s, who);
}
