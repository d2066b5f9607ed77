/*
 * Properties that every format of src/wire has, so that its own test need only say how to make a
 * random valid header.
 *
 *     static struct span gen_udp(struct prop_gen *g, struct udp_hdr *h)
 *     {
 *         struct span data = prop_bytes(g, prop_upto(g, 64));
 *         h->src_port = prop_u16(g);
 *         ...
 *         h->len = (uint16_t)(UDP_HDR_LEN + data.n);
 *         return data;
 *     }
 *
 *     PROP_FORMAT(udp, struct udp_hdr, gen_udp(g, h), udp_parse(r, h), udp_emit(w, h),
 *                 udp_print(t, h), PROP_EQ(src_port) && PROP_EQ(dst_port) && ...,
 *                 .faults = BIT(FAULT_SHORT) | BIT(FAULT_TOTAL_LEN),
 *                 .lens = PROP_LENS({.at = 4, .width = 2}))
 *
 *     TEST("udp: what is emitted parses back") { prop_round_trip(&udp_format); }
 *     TEST("udp: a packet cut anywhere is refused") { prop_cuts(&udp_format); }
 *     TEST("udp: no length field leads outside the packet") { prop_lengths(&udp_format); }
 *     TEST("udp: damaged packets are refused or stay stable") { prop_damage(&udp_format); }
 *
 * The calls see these names: g (struct prop_gen *), h (the header), r (struct rd *), w (struct
 * wr *), t (struct txt *), rest (struct span: what follows the header; a checksum may need it), and
 * in the comparison a and b. The generator returns what follows the header; the properties append
 * it.
 * Every packet that is parsed ends where its heap block ends, so the address sanitizer sees the
 * first byte read beyond it.
 */
#ifndef ORIEL_TESTS_WIRE_PROPS_H
#define ORIEL_TESTS_WIRE_PROPS_H

#include "test.h"

#include "base/addr.h"
#include "wire/fault.h"

#define PROP_RUNS     400       /* random packets a property looks at */
#define PROP_POOL     4096      /* random bytes that one header and what follows it may take */
#define PROP_WHOLE    8192      /* longest packet emitted */
#define PROP_SEED     0x6f7269656cu

/* ---- random values: seeded, and fond of the ends of their range ---- */

struct prop_gen {
    uint64_t state;
    size_t used;                /* of the pool; begins again for every packet */
    uint8_t pool[PROP_POOL];
};

static inline uint64_t prop_u64(struct prop_gen *g)
{
    uint64_t z = (g->state += 0x9e3779b97f4a7c15u);     /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0..max, the ends more often than their share. */
static inline uint64_t prop_upto(struct prop_gen *g, uint64_t max)
{
    uint64_t v = prop_u64(g);
    switch (v >> 60) {
    case 0:  return 0;
    case 1:  return max;
    default: return max == UINT64_MAX ? v : v % (max + 1);
    }
}

static inline uint8_t prop_u8(struct prop_gen *g)
{
    return (uint8_t)prop_upto(g, UINT8_MAX);
}

static inline uint16_t prop_u16(struct prop_gen *g)
{
    return (uint16_t)prop_upto(g, UINT16_MAX);
}

static inline uint32_t prop_u32(struct prop_gen *g)
{
    return (uint32_t)prop_upto(g, UINT32_MAX);
}

static inline bool prop_bool(struct prop_gen *g)
{
    return (prop_u64(g) >> 32 & 1) != 0;
}

/* One of the values given: PROP_ONE_OF(g, 1, 2, 5). */
#define PROP_ONE_OF(g, ...)                                                                        \
    (((const uint64_t[]){__VA_ARGS__})[prop_u64(g) % (sizeof((const uint64_t[]){__VA_ARGS__}) / 8)])

/* n bytes that stay until the next packet. */
static inline uint8_t *prop_room(struct prop_gen *g, size_t n)
{
    assert_true(n <= PROP_POOL - g->used);
    uint8_t *at = g->pool + g->used;
    g->used += n;
    for (size_t i = 0; i < n; i++)
        at[i] = prop_u8(g);
    return at;
}

static inline struct span prop_bytes(struct prop_gen *g, size_t n)
{
    return span_of(prop_room(g, n), n);
}

static inline struct mac prop_mac(struct prop_gen *g)
{
    struct mac m;
    memcpy(m.b, prop_bytes(g, sizeof(m.b)).p, sizeof(m.b));
    return m;
}

static inline struct oriel_addr prop_addr4(struct prop_gen *g)
{
    return addr_v4(prop_u32(g));
}

/* Never a mapped IPv4 address. */
static inline struct oriel_addr prop_addr6(struct prop_gen *g)
{
    uint64_t hi = prop_u64(g);
    return addr_v6(hi | (uint64_t)0x2000 << 48, prop_u64(g));
}

/* ---- a format ---- */

struct prop_len {               /* a field that says how long something is */
    uint16_t at;                /* offset of its first byte */
    uint8_t width;              /* bytes, 1..4; 0 ends a list */
    uint32_t mask;              /* its bits within them; 0: all */
};

#define PROP_LENS(...) (const struct prop_len[]){__VA_ARGS__, {0, 0, 0}}

struct prop_format {
    const char *name;
    size_t size;                                        /* of the header struct */
    struct span (*gen)(struct prop_gen *g, void *hdr);
    bool (*parse)(struct rd *r, void *hdr);
    void (*emit)(struct wr *w, const void *hdr, struct span rest);
    void (*print)(struct txt *t, const void *hdr);
    bool (*equal)(const void *a, const void *b);
    uint32_t faults;                                    /* BIT(fault): the documented ones */
    const struct prop_len *lens;                        /* NULL: none */
    void (*seal)(uint8_t *b, size_t n);                 /* make the checksum right again; or NULL */
    void (*after)(const void *hdr);                     /* walk what was accepted; or NULL */
};

/* Of scalars, and of spans, in the comparison of a format. */
#define PROP_EQ(field)      (a->field == b->field)
#define PROP_EQ_ADDR(field) addr_same_bits(&a->field, &b->field)
#define PROP_EQ_MAC(field)  mac_eq(&a->field, &b->field)
#define PROP_EQ_SPAN(field) span_eq(a->field, b->field)

#define PROP_FORMAT(id, type, gen_call, parse_call, emit_call, print_call, comparison, ...)        \
    static struct span id##_prop_gen(struct prop_gen *g, void *hdr)                                \
    {                                                                                              \
        type *h = hdr;                                                                             \
        return gen_call;                                                                           \
    }                                                                                              \
    static bool id##_prop_parse(struct rd *r, void *hdr)                                           \
    {                                                                                              \
        type *h = hdr;                                                                             \
        return parse_call;                                                                         \
    }                                                                                              \
    static void id##_prop_emit(struct wr *w, const void *hdr, struct span rest)                    \
    {                                                                                              \
        const type *h = hdr;                                                                       \
        (void)rest;                                                                                \
        emit_call;                                                                                 \
    }                                                                                              \
    static void id##_prop_print(struct txt *t, const void *hdr)                                    \
    {                                                                                              \
        const type *h = hdr;                                                                       \
        print_call;                                                                                \
    }                                                                                              \
    static bool id##_prop_equal(const void *one, const void *other)                                \
    {                                                                                              \
        const type *a = one;                                                                       \
        const type *b = other;                                                                     \
        return comparison;                                                                         \
    }                                                                                              \
    static const struct prop_format id##_format = {                                                \
        .name = #id,                                                                               \
        .size = sizeof(type),                                                                      \
        .gen = id##_prop_gen,                                                                      \
        .parse = id##_prop_parse,                                                                  \
        .emit = id##_prop_emit,                                                                    \
        .print = id##_prop_print,                                                                  \
        .equal = id##_prop_equal,                                                                  \
        __VA_ARGS__                                                                                \
    }

/* ---- bytes ---- */

struct prop_block {             /* a heap block that ends where the packet ends */
    uint8_t *base;
    uint8_t *p;
    size_t n;
};

static inline struct prop_block prop_block_of(struct span s)
{
    struct prop_block b = {.base = malloc(s.n ? s.n : 1), .n = s.n};
    assert_non_null(b.base);
    b.p = b.base + (s.n ? 0 : 1);
    if (s.n)
        memcpy(b.p, s.p, s.n);
    return b;
}

static inline struct span prop_hex_into(const char *text, uint8_t *out)
{
    size_t n = 0;
    for (; *text; text++) {
        const char *digits = "0123456789abcdef";
        const char *d = strchr(digits, *text);
        if (!d)
            continue;           /* blanks between the bytes */
        out[n / 2] = (uint8_t)((n % 2 ? out[n / 2] << 4 : 0) | (d - digits));
        n++;
    }
    assert_int_equal(n % 2, 0);
    return span_of(out, n / 2);
}

/* Declares `name`, a span of the bytes written in (lower case) hex. */
#define HEX(name, text)                                                                            \
    uint8_t name##_bytes[sizeof(text)] = {0};                                                      \
    const struct span name = prop_hex_into(text, name##_bytes)

#define PROP_FAIL(f, b, what)                                                                      \
    do {                                                                                           \
        char hex_[2 * 256 + 1];                                                                    \
        struct txt t_ = txt_of(hex_, sizeof(hex_));                                                \
        txt_hex_bytes(&t_, span_of((b).p, (b).n), 0);                                              \
        fail_msg("%s: %s: %s", (f)->name, what, hex_);                                             \
    } while (0)

#define PROP_CHECK(cond, f, b, what)                                                               \
    do {                                                                                           \
        if (!(cond))                                                                               \
            PROP_FAIL(f, b, what);                                                                 \
    } while (0)

/* Room for a header, filled so that a field the parser forgets does not look like zero. */
static inline void *prop_hdr_new(const struct prop_format *f)
{
    void *h = malloc(f->size);
    assert_non_null(h);
    memset(h, 0xa5, f->size);
    return h;
}

/* Header and what follows it, as bytes. */
static inline struct prop_block prop_emit(const struct prop_format *f, const void *h,
                                          struct span rest)
{
    uint8_t *whole = malloc(PROP_WHOLE);
    assert_non_null(whole);
    struct wr w = wr_of(whole, PROP_WHOLE);
    f->emit(&w, h, rest);
    wr_bytes(&w, rest);
    assert_false(w.bad);
    struct prop_block b = prop_block_of(wr_span(&w));
    free(whole);
    return b;
}

/*
 * Parse, print and walk one packet; a refusal must be one of the documented ones. Gives the fault,
 * FAULT_NONE when it was accepted: then *h and *rest are filled (they point into b).
 */
static inline uint8_t prop_parse(const struct prop_format *f, const struct prop_block *b, void *h,
                                 struct span *rest)
{
    struct rd r = rd_of(span_of(b->p, b->n));
    bool ok = f->parse(&r, h);
    PROP_CHECK(ok == (r.bad == FAULT_NONE), f, *b, "the result and the fault disagree");
    PROP_CHECK(r.p >= b->p && r.p <= r.end && r.end == b->p + b->n, f, *b, "the reader left");
    if (!ok) {
        PROP_CHECK(r.bad < FAULT_N && (f->faults & BIT(r.bad)), f, *b, fault_text(r.bad));
        return r.bad;
    }
    char text[300];
    struct txt t = txt_of(text, sizeof(text));
    f->print(&t, h);
    PROP_CHECK(t.n > 0 && strlen(text) == t.n, f, *b, "it does not print");
    if (f->after)
        f->after(h);
    *rest = rd_rest(&r);
    return FAULT_NONE;
}

/*
 * What a parser accepted can be emitted, and comes back equal; emitted again it is the same bytes.
 * `exact`: the bytes are also those that came, because they were canonical.
 */
static inline void prop_stable(const struct prop_format *f, const struct prop_block *b,
                               const void *h, struct span rest, bool exact)
{
    struct prop_block one = prop_emit(f, h, rest);
    if (exact)
        PROP_CHECK(one.n == b->n && memcmp(one.p, b->p, b->n) == 0, f, *b, "not canonical");
    void *h2 = prop_hdr_new(f);
    struct span rest2;
    PROP_CHECK(prop_parse(f, &one, h2, &rest2) == FAULT_NONE, f, one, "our own is refused");
    PROP_CHECK(f->equal(h, h2), f, one, "the header came back changed");
    PROP_CHECK(span_eq(rest, rest2), f, one, "what follows came back changed");
    struct prop_block two = prop_emit(f, h2, rest2);
    PROP_CHECK(one.n == two.n && memcmp(one.p, two.p, one.n) == 0, f, one, "not stable");
    free(two.base);
    free(h2);
    free(one.base);
}

/* Look at bytes of any kind: refused as documented, or accepted and stable. */
static inline uint8_t prop_look(const struct prop_format *f, const struct prop_block *b)
{
    void *h = prop_hdr_new(f);
    struct span rest;
    uint8_t fault = prop_parse(f, b, h, &rest);
    if (fault == FAULT_NONE)
        prop_stable(f, b, h, rest, false);
    free(h);
    return fault;
}

/* The fault of these bytes; FAULT_NONE: accepted. */
static inline uint8_t prop_fault(const struct prop_format *f, struct span s)
{
    struct prop_block b = prop_block_of(s);
    uint8_t fault = prop_look(f, &b);
    free(b.base);
    return fault;
}

static inline uint8_t prop_fault_hex(const struct prop_format *f, const char *text)
{
    uint8_t bytes[1024];
    assert_true(strlen(text) <= sizeof(bytes));
    return prop_fault(f, prop_hex_into(text, bytes));
}

/* A real packet: accepted, and emitted as it came. */
static inline void prop_exact(const struct prop_format *f, struct span s)
{
    struct prop_block b = prop_block_of(s);
    void *h = prop_hdr_new(f);
    struct span rest;
    PROP_CHECK(prop_parse(f, &b, h, &rest) == FAULT_NONE, f, b, "refused");
    prop_stable(f, &b, h, rest, true);
    free(h);
    free(b.base);
}

/* A header prints as this text. */
static inline void prop_prints(const struct prop_format *f, const void *h, const char *text)
{
    char buf[300];
    struct txt t = txt_of(buf, sizeof(buf));
    f->print(&t, h);
    assert_string_equal(buf, text);
}

/* ---- the properties ---- */

static inline struct prop_gen prop_gen_of(uint64_t seed)
{
    return (struct prop_gen){.state = seed};
}

/* The next random valid packet. */
static inline struct prop_block prop_next(const struct prop_format *f, struct prop_gen *g, void *h,
                                          struct span *rest)
{
    g->used = 0;
    memset(h, 0, f->size);
    *rest = f->gen(g, h);
    return prop_emit(f, h, *rest);
}

/* parse(emit(h)) equals h, and emit(parse(b)) equals b. */
static inline void prop_round_trip(const struct prop_format *f)
{
    struct prop_gen g = prop_gen_of(PROP_SEED);
    void *h = prop_hdr_new(f);
    void *back = prop_hdr_new(f);
    for (unsigned i = 0; i < PROP_RUNS; i++) {
        struct span rest, rest_back;
        struct prop_block b = prop_next(f, &g, h, &rest);
        memset(back, 0xa5, f->size);
        PROP_CHECK(prop_parse(f, &b, back, &rest_back) == FAULT_NONE, f, b, "refused");
        PROP_CHECK(f->equal(h, back), f, b, "the header came back changed");
        PROP_CHECK(span_eq(rest, rest_back), f, b, "what follows came back changed");
        prop_stable(f, &b, back, rest_back, true);
        free(b.base);
    }
    free(back);
    free(h);
}

/* One packet cut at every length; where the header itself is cut it must be refused. */
static inline void prop_cuts_of(const struct prop_format *f, struct span whole, size_t hdr_len)
{
    for (size_t n = 0; n < whole.n; n++) {
        struct prop_block b = prop_block_of(span_of(whole.p, n));
        uint8_t fault = prop_look(f, &b);
        PROP_CHECK(n >= hdr_len || fault != FAULT_NONE, f, b, "a cut header is accepted");
        free(b.base);
    }
}

static inline void prop_cuts(const struct prop_format *f)
{
    struct prop_gen g = prop_gen_of(PROP_SEED + 1);
    void *h = prop_hdr_new(f);
    for (unsigned i = 0; i < PROP_RUNS / 8; i++) {
        struct span rest;
        struct prop_block b = prop_next(f, &g, h, &rest);
        prop_cuts_of(f, span_of(b.p, b.n), b.n - rest.n);
        free(b.base);
    }
    free(h);
}

static inline uint32_t prop_len_get(const struct prop_len *l, const uint8_t *b)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < l->width; i++)
        v = v << 8 | b[l->at + i];
    return v;
}

static inline void prop_len_set(const struct prop_len *l, uint8_t *b, uint32_t v)
{
    for (unsigned i = l->width; i-- > 0; v >>= 8)
        b[l->at + i] = (uint8_t)v;
}

/* One field of one packet at 0, 1, its maximum, and beside its value and the packet's length. */
static inline void prop_length_of(const struct prop_format *f, struct span whole,
                                  const struct prop_len *l)
{
    uint32_t all = l->width == 4 ? UINT32_MAX : (1u << (8 * l->width)) - 1;
    uint32_t mask = l->mask ? l->mask : all;
    uint32_t shift = bit_lowest(mask);
    uint32_t old = (prop_len_get(l, whole.p) & mask) >> shift;
    uint32_t n = (uint32_t)whole.n;
    const uint32_t values[] = {0, 1, UINT32_MAX, old - 1, old + 1, n - 1, n, n + 1};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        struct prop_block b = prop_block_of(whole);
        uint32_t word = prop_len_get(l, b.p) & ~mask;
        prop_len_set(l, b.p, word | ((values[i] << shift) & mask));
        (void)prop_look(f, &b);
        if (f->seal) {
            f->seal(b.p, b.n);
            (void)prop_look(f, &b);
        }
        free(b.base);
    }
}

static inline void prop_lengths(const struct prop_format *f)
{
    struct prop_gen g = prop_gen_of(PROP_SEED + 2);
    void *h = prop_hdr_new(f);
    for (unsigned i = 0; i < PROP_RUNS; i++) {
        struct span rest;
        struct prop_block b = prop_next(f, &g, h, &rest);
        for (const struct prop_len *l = f->lens; l && l->width; l++) {
            if (l->at + (size_t)l->width <= b.n)
                prop_length_of(f, span_of(b.p, b.n), l);
        }
        free(b.base);
    }
    free(h);
}

/* Valid packets with a few bytes changed, with and without the checksum put right. */
static inline void prop_damage(const struct prop_format *f)
{
    struct prop_gen g = prop_gen_of(PROP_SEED + 3);
    void *h = prop_hdr_new(f);
    for (unsigned i = 0; i < PROP_RUNS * 4; i++) {
        struct span rest;
        struct prop_block b = prop_next(f, &g, h, &rest);
        for (uint64_t hits = 1 + prop_u64(&g) % 3; hits > 0 && b.n > 0; hits--)
            b.p[prop_u64(&g) % b.n] = prop_u8(&g);
        (void)prop_look(f, &b);
        if (f->seal) {
            f->seal(b.p, b.n);
            (void)prop_look(f, &b);
        }
        free(b.base);
    }
    free(h);
}

/* Every single bit of a packet flipped is refused: what a checksum over all of it promises. */
static inline void prop_flips_refused(const struct prop_format *f, struct span whole)
{
    for (size_t bit = 0; bit < whole.n * 8; bit++) {
        struct prop_block b = prop_block_of(whole);
        b.p[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        PROP_CHECK(prop_look(f, &b) != FAULT_NONE, f, b, "a flipped bit is accepted");
        free(b.base);
    }
}

#endif
