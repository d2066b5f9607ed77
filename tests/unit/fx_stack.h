/*
 * For whoever tests something through a whole stack: one instance, one interface (Ethernet,
 * 02:00:00:00:00:01, unless asked for another), virtual time from 0, frames in as text and out
 * under filters. Everything here works on any number of interfaces; there is no need to write
 * another one of these.
 *
 *     struct fx *f = fx_new(.netif = {.ip6 = true}, .stack = {.forward6 = true});
 *     fx_at(f, 2 * NS_PER_S);                     timers fire at their own nanosecond
 *     fx_in(f, "ip6 src=fe80::2 dst=fe80::1 / icmp6 echo id=1 seq=1");
 *     EXPECT_OUT(f, "icmpv6.type == 135 && why == \"ND_SOLICIT\"");    the next frame that left
 *     EXPECT(f->out_at == 2 * NS_PER_S);          when it did
 *     EXPECT_DROP(f, ND_CODE, fx_in(f, "..."));   exactly one drop, for that reason
 *     EXPECT_QUIET(f);                            nothing else has left
 *     fx_free(f);                                 nothing may be alive
 *
 * A line without `eth` gets one: from 02:00:00:00:00:02, to the group's or to the stack's address.
 * Frames that leave wait in order, of all interfaces together; f->out_nif tells by which one.
 * Membership reports are thrown away unless .reports is set: they come whenever an address does.
 */
#ifndef ORIEL_TESTS_FX_STACK_H
#define ORIEL_TESTS_FX_STACK_H

#include "fixture.h"

#include "lab/craft.h"
#include "lens/filter.h"
#include "stack/stack.h"

struct fx_opts {
    struct oriel_config stack;          /* what is left zero is filled in */
    struct oriel_netif_config netif;
    bool no_netif;
    bool reports;
};

struct fx_frame {
    struct fx_frame *next;
    oriel_time at;
    int nif;
    enum why why;
    size_t n;
    uint8_t bytes[];
};

struct fx {
    struct oriel_stack *s;
    int nif;                            /* the first interface */
    bool reports;
    void *memory;
    size_t memory_bytes;
    struct fx_frame *first, *last;      /* what has left and was not looked at */
    oriel_handle udp;                   /* of fx_send */
    /* the frame in hand */
    oriel_time out_at;                  /* since the start */
    int out_nif;
    size_t frame_n;
    uint8_t frame[CRAFT_FRAME_MAX];
    struct dissection d;
    struct filter filter;
};

#define FX_PEER "02:00:00:00:00:02"     /* where frames come from, unless they say so */

/* ---- time ---- */

static inline oriel_time fx_now(const struct fx *f)
{
    return f->s->env.now - FX_START;
}

static inline void fx_dissect(struct fx *f, const struct fx_frame *q, const uint8_t *bytes)
{
    const struct netif *n = netif_at(&f->s->link, (uint32_t)q->nif);
    struct lens_frame lf = {
        .link = n && n->kind == NETIF_RAW ? LENS_RAW : LENS_ETHERNET,
        .bytes = span_of(bytes, q->n),
        .number = 1,
        .time = q->at - FX_START,
        .why = span_str(why_of(q->why)->name),
    };
    dissect(&lf, &f->d);
}

static inline bool fx_is_report(const struct fx *f)
{
    const struct field *type = dissection_first(&f->d, F_ICMPV6_TYPE);
    return dissection_first(&f->d, F_IGMP) ||
           (type && (type->value.u == 131 || type->value.u == 132 || type->value.u == 143));
}

static inline void fx_collect_one(struct fx *f, int nif, struct pkt *p)
{
    struct fx_frame *q = malloc(sizeof(*q) + oriel_pkt_len(p));
    assert_non_null(q);
    *q = (struct fx_frame){.at = f->s->env.now, .nif = nif, .why = (enum why)p->why,
                           .n = oriel_pkt_len(p)};
    oriel_pkt_copy(p, q->bytes, q->n);
    oriel_pkt_free(p);
    if (!f->reports) {
        fx_dissect(f, q, q->bytes);
        if (fx_is_report(f)) {
            free(q);
            return;
        }
    }
    if (f->last)
        f->last->next = q;
    else
        f->first = q;
    f->last = q;
}

static inline void fx_collect(struct fx *f)
{
    struct pkt *p;
    for (int i = 1; i <= f->s->link.max; i++)
        while (netif_at(&f->s->link, (uint32_t)i) && oriel_netif_take(f->s, i, &p, 1) == 1)
            fx_collect_one(f, i, p);
}

static inline void fx_step(struct fx *f, oriel_time now, struct pkt_batch *rx)
{
    oriel_step(f->s, now, rx);
    fx_collect(f);
}

/* Until that time since the start, step by step: each frame leaves when its timer fires. */
static inline void fx_at(struct fx *f, oriel_time t)
{
    oriel_time end = FX_START + t;
    fx_collect(f);
    for (;;) {
        oriel_time next = oriel_next_deadline(f->s);
        if (next > end)
            break;
        fx_step(f, next > f->s->env.now ? next : f->s->env.now, NULL);
    }
    fx_step(f, end, NULL);
}

/* That much longer. */
static inline void fx_run(struct fx *f, oriel_time d)
{
    fx_at(f, fx_now(f) + d);
}

/* ---- made, and taken down ---- */

static inline struct oriel_addr fx_addr(const char *text)
{
    struct oriel_addr a;
    if (!addr_parse(span_str(text), &a))
        fail_msg("not an address: %s", text);
    return a;
}

/* Another interface; a name and an address of its own unless they are given. */
static inline int fx_netif(struct fx *f, const struct oriel_netif_config *cfg)
{
    static const char *const names[] = {"if1", "if2", "if3", "if4", "if5", "if6", "if7", "if8"};
    struct oriel_netif_config c = *cfg;
    unsigned n = 0;
    while (n < ARRAY_LEN(names) - 1 && netif_at(&f->s->link, n + 1))
        n++;
    if (!c.name)
        c.name = names[n];
    if (c.kind == ORIEL_NETIF_ETHER && mac_is_zero(&(struct mac){{c.mac[0], c.mac[1], c.mac[2],
                                                                  c.mac[3], c.mac[4], c.mac[5]}})) {
        c.mac[0] = 0x02;
        c.mac[5] = n == 0 ? 1 : (uint8_t)(0x10 + n);
    }
    int nif = oriel_netif_add(f->s, &c);
    assert_true(nif > 0);
    return nif;
}

static inline struct fx *fx_make(const struct fx_opts *o)
{
    struct fx *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    struct oriel_config c = o->stack;
    c.version = ORIEL_CONFIG_VERSION;
    c.now = FX_START;
    if (c.memory_bytes == 0)
        c.memory_bytes = (size_t)16 << 20;
    if (c.trace_events == 0)
        c.trace_events = 4096;
    if (c.icmp_per_s == 0)
        c.icmp_per_s = 1000;
    if (c.seed[0] == 0)
        memset(c.seed, 0x5e, sizeof(c.seed));
    f->memory_bytes = c.memory_bytes;
    c.memory = f->memory = malloc(c.memory_bytes);
    assert_non_null(c.memory);
    memset(c.memory, 0xa5, c.memory_bytes);     /* nobody may count on zeros */
    f->s = oriel_create(&c);
    assert_non_null(f->s);
    f->reports = o->reports;
    if (!o->no_netif)
        f->nif = fx_netif(f, &o->netif);
    return f;
}

/* struct fx_opts, field by field: fx_new(.netif = {.ip6 = true}). */
#define fx_new(...) fx_make(&(struct fx_opts){__VA_ARGS__})

/* What has left is thrown away; how many. */
static inline unsigned fx_skip(struct fx *f)
{
    unsigned n = 0;
    fx_collect(f);
    for (struct fx_frame *q; (q = f->first) != NULL; n++) {
        f->first = q->next;
        free(q);
    }
    f->last = NULL;
    return n;
}

static inline void fx_free(struct fx *f)
{
    (void)fx_skip(f);
    struct pkt_mem *mem = f->s->env.mem;
    oriel_destroy(f->s);
    assert_int_equal(pkt_mem_live(mem), 0);
    struct arena a;
    arena_init(&a, f->memory, f->memory_bytes);         /* the heap gets it back unpoisoned */
    free(f->memory);
    free(f);
}

/* "2001:db8::1/64" */
static inline void fx_add_addr(struct fx *f, int nif, const char *text)
{
    struct oriel_addr a;
    uint8_t len;
    assert_true(addr_and_len_parse(span_str(text), &a, &len));
    assert_int_equal(oriel_addr_add(f->s, nif, &a, len), 0);
}

/* gateway NULL: on the link. */
static inline void fx_add_route(struct fx *f, int nif, const char *prefix, const char *gateway)
{
    struct oriel_addr a, g = gateway ? fx_addr(gateway) : ADDR_NONE;
    uint8_t len;
    assert_true(addr_and_len_parse(span_str(prefix), &a, &len));
    assert_int_equal(oriel_route_add(f->s, &a, len, gateway ? &g : NULL, nif, 0), 0);
}

/* A host that is fe80::1 and 2001:db8::1, and whose addresses were not probed. */
static inline struct fx *fx_host6(void)
{
    struct fx *f = fx_new(.netif = {.no_dad = true}, .stack = {.memory_bytes = 4u << 20});
    fx_add_addr(f, f->nif, "fe80::1/64");
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    return f;
}

/* ---- in ---- */

/* Text as printf makes it; stands until the fourth call after this one. */
static inline const char *fx_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

static inline const char *fx_line(const char *format, ...)
{
    static char texts[4][4096];
    static unsigned at;
    char *text = texts[at++ % ARRAY_LEN(texts)];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof(texts[0]), format, args);
    va_end(args);
    assert_true(n > 0 && (size_t)n < sizeof(texts[0]));
    return text;
}

static inline void fx_in_bytes(struct fx *f, int nif, const void *bytes, size_t n)
{
    struct pkt *p = oriel_pkt_new(f->s, nif, bytes, n);
    assert_non_null(p);
    fx_step(f, f->s->env.now, &(struct pkt_batch){.pkts = &p, .n = 1});
}

/* The frame that a line means, in f->frame. */
static inline void fx_craft(struct fx *f, int nif, const char *text)
{
    char line[4096];
    struct txt t = txt_of(line, sizeof(line));
    struct wr w = wr_of(f->frame, sizeof(f->frame));
    struct syntax_error err;
    const struct netif *n = netif_at(&f->s->link, (uint32_t)nif);
    bool bare = n->kind != NETIF_RAW && !craft_is_ethernet(span_str(text));
    if (bare)
        txt_s(&t, "eth src=" FX_PEER " / ");
    txt_s(&t, text);
    assert_false(t.cut);
    if (!craft(span_str(line), &w, &err)) {
        char buf[300];
        struct txt e = txt_of(buf, sizeof(buf));
        syntax_error_print(&e, &err);
        fail_msg("%s: %s", line, buf);
    }
    f->frame_n = wr_len(&w);
    if (bare && (f->frame[0] & 1) == 0)
        memcpy(f->frame, n->mac.b, 6);
}

static inline void fx_in_on(struct fx *f, int nif, const char *text)
{
    fx_craft(f, nif, text);
    fx_in_bytes(f, nif, f->frame, f->frame_n);
}

/* A line of lab/craft.c, which arrives now by the first interface. */
static inline void fx_in(struct fx *f, const char *text)
{
    fx_in_on(f, f->nif, text);
}

/* A datagram of ours to port 9; what oriel_send says. */
static inline int fx_send(struct fx *f, const char *to, const char *data)
{
    struct oriel_msg m = {.peer = {.addr = fx_addr(to), .port = 9}};
    if (f->udp == 0)
        assert_int_equal(oriel_udp_open(f->s, ORIEL_DUAL, &f->udp), 0);
    int n = oriel_send(f->s, f->udp, data, strlen(data), &m);
    fx_collect(f);
    return n;
}

/* ---- out ---- */

/* The next frame that left becomes the one in hand. False: there is none. */
static inline bool fx_out(struct fx *f)
{
    fx_collect(f);
    struct fx_frame *q = f->first;
    if (!q)
        return false;
    f->first = q->next;
    if (!f->first)
        f->last = NULL;
    assert_true(q->n <= sizeof(f->frame));
    memcpy(f->frame, q->bytes, q->n);
    f->frame_n = q->n;
    f->out_at = q->at - FX_START;
    f->out_nif = q->nif;
    fx_dissect(f, q, f->frame);         /* the dissection points into bytes that stay */
    free(q);
    return true;
}

/* Is the frame in hand such a one? */
static inline bool fx_is(struct fx *f, const char *filter)
{
    struct syntax_error err;
    if (!filter_compile(span_str(filter), &f->filter, &err)) {
        char buf[300];
        struct txt t = txt_of(buf, sizeof(buf));
        syntax_error_print(&t, &err);
        fail_msg("%s: %s", filter, buf);
    }
    return filter_match(&f->filter, &f->d);
}

static inline bool fx_out_is(struct fx *f, const char *filter)
{
    return fx_out(f) && fx_is(f, filter);
}

/* Frames that left are thrown away up to the first such one, which is then in hand. */
static inline bool fx_out_until(struct fx *f, const char *filter)
{
    while (fx_out(f))
        if (fx_is(f, filter))
            return true;
    return false;
}

#define EXPECT_FRAME(f, filter)                                                                    \
    do {                                                                                           \
        if (!fx_is(f, filter))                                                                     \
            fail_msg("not \"%s\" but %s > %s %s %s", filter, (f)->d.src, (f)->d.dst, (f)->d.proto, \
                     (f)->d.info);                                                                 \
    } while (0)

#define EXPECT_OUT(f, filter)                                                                      \
    do {                                                                                           \
        if (!fx_out(f))                                                                            \
            fail_msg("nothing was sent, and should have been: %s", filter);                        \
        EXPECT_FRAME(f, filter);                                                                   \
    } while (0)

#define EXPECT_QUIET(f)                                                                            \
    do {                                                                                           \
        if (fx_out(f))                                                                             \
            fail_msg("sent: %s > %s %s %s", (f)->d.src, (f)->d.dst, (f)->d.proto, (f)->d.info);    \
    } while (0)

/* ---- what the stack holds ---- */

static inline uint64_t fx_drops(const struct fx *f, enum drop reason)
{
    return f->s->env.drop_count[reason];
}

static inline uint64_t fx_drops_all(const struct fx *f)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < DROP_N; i++)
        n += f->s->env.drop_count[i];
    return n;
}

/* The statement makes one drop, for that reason (without DROP_), which counts as tested. */
#define EXPECT_DROP(f, reason, statement)                                                          \
    do {                                                                                           \
        uint64_t fx_before = fx_drops(f, DROP_##reason), fx_all = fx_drops_all(f);                 \
        statement;                                                                                 \
        if (fx_drops(f, DROP_##reason) != fx_before + 1 || fx_drops_all(f) != fx_all + 1)          \
            fail_msg("not one drop by %s: %s", #reason, #statement);                               \
        EXPECT_DROPPED(&(f)->s->env, DROP_##reason);                                               \
    } while (0)

/* Our address of those bits on any interface; NULL. A link-local one needs no zone. */
static inline struct ifaddr *fx_find_addr(const struct fx *f, const char *text)
{
    struct oriel_addr a = fx_addr(text);
    return ifaddr_find(&f->s->ip, &a, 0);
}

/* "none", "tentative", "preferred", "deprecated", "duplicate" */
static inline const char *fx_addr_state(const struct fx *f, const char *text)
{
    static const char *const names[] = {"none", "tentative", "preferred", "deprecated",
                                        "duplicate"};
    const struct ifaddr *a = fx_find_addr(f, text);
    return names[a ? a->state : ADDR_FREE];
}

/* The first address of that origin on an interface, in any state; NULL. */
static inline struct ifaddr *fx_addr_of(const struct fx *f, int nif, enum addr_origin origin)
{
    LIST_EACH(node, &ip_if_of(&f->s->ip, (uint16_t)nif)->addrs) {
        struct ifaddr *a = CONTAINER_OF(node, struct ifaddr, node);
        if (a->origin == origin)
            return a;
    }
    return NULL;
}

static inline struct neigh *fx_neigh(const struct fx *f, int nif, const char *text)
{
    struct oriel_addr a = fx_addr(text);
    return neigh_find(&f->s->ip, (uint16_t)nif, &a);
}

/* As neigh_state_name; "none" when there is no entry. */
static inline const char *fx_neigh_state(const struct fx *f, int nif, const char *text)
{
    const struct neigh *n = fx_neigh(f, nif, text);
    return neigh_state_name(n ? (enum neigh_state)n->state : NEIGH_NONE);
}

/* The route of exactly that prefix and gateway (NULL: on the link), of any origin; NULL. */
static inline const struct route *fx_route(const struct fx *f, const char *prefix,
                                           const char *gateway)
{
    struct prefix p;
    struct oriel_addr g = gateway ? fx_addr(gateway) : ADDR_NONE;
    uint32_t cursor = 0;
    assert_true(prefix_parse(span_str(prefix), &p));
    for (const struct route *r; (r = route_each(&f->s->ip.routes, &cursor)) != NULL;)
        if (prefix_eq(&r->prefix, &p) && addr_same_bits(&r->gateway, &g))
            return r;
    return NULL;
}

static inline unsigned fx_routes(const struct fx *f, enum route_origin origin)
{
    unsigned n = 0;
    uint32_t cursor = 0;
    for (const struct route *r; (r = route_each(&f->s->ip.routes, &cursor)) != NULL;)
        n += r->origin == origin;
    return n;
}

#endif
