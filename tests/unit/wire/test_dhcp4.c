#include "wire/dhcp4.h"

#include "wire/props.h"

struct whole {                  /* a message, and the room for options in parts */
    struct dhcp4_msg m;
    uint8_t joined[DHCP4_JOINED_MAX];
};

static bool parse_whole(struct rd *r, struct whole *h)
{
    struct wr joined = wr_of(h->joined, sizeof(h->joined));
    return dhcp4_parse(r, &joined, &h->m);
}

static struct oriel_addr gen_addr(struct prop_gen *g)
{
    return prop_bool(g) ? prop_addr4(g) : ADDR_V4_ANY;
}

static uint8_t gen_addrs(struct prop_gen *g, struct oriel_addr *list)
{
    uint8_t n = (uint8_t)prop_upto(g, DHCP4_ADDRS_MAX);
    for (unsigned i = 0; i < n; i++)
        list[i] = prop_addr4(g);
    return n;
}

/* Text without NULs. */
static struct span gen_text(struct prop_gen *g, size_t max)
{
    size_t n = prop_upto(g, max);
    uint8_t *b = prop_room(g, n);
    for (size_t i = 0; i < n; i++)
        b[i] = b[i] ? b[i] : 'x';
    return span_of(b, n);
}

static void gen_times(struct prop_gen *g, struct dhcp4_msg *m)
{
    m->has_lease = prop_bool(g);
    m->lease_s = m->has_lease ? prop_u32(g) : 0;
    m->has_t1 = prop_bool(g);
    m->t1_s = m->has_t1 ? prop_u32(g) : 0;
    m->has_t2 = prop_bool(g);
    m->t2_s = m->has_t2 ? prop_u32(g) : 0;
    m->has_mask = prop_bool(g);
    m->mask_len = m->has_mask ? (uint8_t)prop_upto(g, 32) : 0;
    m->mtu = prop_u16(g);
    m->max_size = prop_u16(g);
}

static void gen_options(struct prop_gen *g, struct dhcp4_msg *m)
{
    gen_times(g, m);
    m->broadcast_addr = gen_addr(g);
    m->requested = gen_addr(g);
    m->server_id = gen_addr(g);
    m->routers_n = gen_addrs(g, m->routers);
    m->dns_n = gen_addrs(g, m->dns);
    m->ntp_n = gen_addrs(g, m->ntp);
    m->routes_n = (uint8_t)prop_upto(g, DHCP4_ROUTES_MAX);
    for (unsigned i = 0; i < m->routes_n; i++) {
        m->routes[i].to = prefix_v4(prop_u32(g), (unsigned)prop_upto(g, 32));
        m->routes[i].via = prop_addr4(g);
    }
    m->host_name = gen_text(g, 60);
    m->domain = gen_text(g, 400);       /* in parts, when it is long */
    m->message = gen_text(g, 60);
    m->vendor = prop_bytes(g, prop_upto(g, 60));
    m->client_id = prop_bytes(g, prop_upto(g, 60));
    m->params = prop_bytes(g, prop_upto(g, 60));
}

static struct span gen_dhcp4(struct prop_gen *g, struct whole *h)
{
    struct dhcp4_msg *m = &h->m;
    m->is_reply = prop_bool(g);
    m->type = (uint8_t)(1 + prop_upto(g, 7));
    m->hops = prop_u8(g);
    m->broadcast = prop_bool(g);
    m->secs = prop_u16(g);
    m->xid = prop_u32(g);
    m->ciaddr = prop_addr4(g);
    m->yiaddr = prop_addr4(g);
    m->siaddr = prop_addr4(g);
    m->giaddr = prop_addr4(g);
    m->chaddr = prop_mac(g);
    m->sname = gen_text(g, DHCP4_SNAME_LEN);
    m->file = gen_text(g, DHCP4_FILE_LEN);
    gen_options(g, m);
    return span_of(h, 0);
}

static bool addrs_equal(const struct oriel_addr *a, const struct oriel_addr *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (!addr_same_bits(&a[i], &b[i]))
            return false;
    }
    return true;
}

static bool lists_equal(const struct dhcp4_msg *a, const struct dhcp4_msg *b)
{
    if (!PROP_EQ(routers_n) || !PROP_EQ(dns_n) || !PROP_EQ(ntp_n) || !PROP_EQ(routes_n))
        return false;
    for (unsigned i = 0; i < a->routes_n; i++) {
        if (!prefix_eq(&a->routes[i].to, &b->routes[i].to) || !PROP_EQ_ADDR(routes[i].via))
            return false;
    }
    return addrs_equal(a->routers, b->routers, a->routers_n) &&
           addrs_equal(a->dns, b->dns, a->dns_n) && addrs_equal(a->ntp, b->ntp, a->ntp_n);
}

PROP_FORMAT(dhcp4, struct whole, gen_dhcp4(g, h), parse_whole(r, h), dhcp4_emit(w, &h->m),
            dhcp4_print(t, &h->m),
            PROP_EQ(m.is_reply) && PROP_EQ(m.type) && PROP_EQ(m.hops) && PROP_EQ(m.broadcast) &&
                PROP_EQ(m.secs) && PROP_EQ(m.xid) && PROP_EQ_ADDR(m.ciaddr) &&
                PROP_EQ_ADDR(m.yiaddr) && PROP_EQ_ADDR(m.siaddr) && PROP_EQ_ADDR(m.giaddr) &&
                PROP_EQ_MAC(m.chaddr) && PROP_EQ_SPAN(m.sname) && PROP_EQ_SPAN(m.file) &&
                PROP_EQ(m.has_mask) && PROP_EQ(m.mask_len) && PROP_EQ(m.has_lease) &&
                PROP_EQ(m.lease_s) && PROP_EQ(m.has_t1) && PROP_EQ(m.t1_s) && PROP_EQ(m.has_t2) &&
                PROP_EQ(m.t2_s) && PROP_EQ(m.mtu) && PROP_EQ(m.max_size) &&
                PROP_EQ_ADDR(m.broadcast_addr) && PROP_EQ_ADDR(m.requested) &&
                PROP_EQ_ADDR(m.server_id) && PROP_EQ_SPAN(m.host_name) && PROP_EQ_SPAN(m.domain) &&
                PROP_EQ_SPAN(m.message) && PROP_EQ_SPAN(m.vendor) && PROP_EQ_SPAN(m.client_id) &&
                PROP_EQ_SPAN(m.params) && lists_equal(&a->m, &b->m),
            .faults = BIT(FAULT_SHORT) | BIT(FAULT_TYPE) | BIT(FAULT_ADDR_LEN) | BIT(FAULT_MAGIC) |
                      BIT(FAULT_OPT_LEN) | BIT(FAULT_ADDR) | BIT(FAULT_OPT_COUNT),
            .lens = PROP_LENS({.at = 2, .width = 1}, {.at = 241, .width = 1},
                              {.at = 244, .width = 1}, {.at = 250, .width = 1},
                              {.at = 256, .width = 1}));

TEST("a message that is emitted parses back, and emits the same bytes")
{
    prop_round_trip(&dhcp4_format);
}

TEST("a message cut anywhere is never read beyond, and refused without its type")
{
    struct prop_gen g = prop_gen_of(PROP_SEED);
    struct whole *h = malloc(sizeof(*h));
    assert_non_null(h);
    for (unsigned i = 0; i < 8; i++) {
        struct span rest;
        struct prop_block b = prop_next(&dhcp4_format, &g, h, &rest);
        prop_cuts_of(&dhcp4_format, span_of(b.p, b.n), DHCP4_MIN_LEN + 3);
        free(b.base);
    }
    free(h);
}

TEST("no length of an option leads outside the message")
{
    prop_lengths(&dhcp4_format);
}

TEST("damaged messages are refused or stay stable")
{
    prop_damage(&dhcp4_format);
}

/* ---- messages made by hand ---- */

struct made {
    uint8_t b[2048];
    size_t n;
    struct whole h;
};

/* The fixed part of an offer, then these options. */
static void make(struct made *d, const char *options)
{
    struct wr w = wr_of(d->b, sizeof(d->b));
    uint8_t opts[1024];
    memset(d->b, 0, sizeof(d->b));
    wr_u32(&w, 0x02010600);
    wr_u32(&w, 0x00003d1d);
    wr_zeros(&w, 8);
    wr_u32(&w, 0xc0a8000a);
    wr_u32(&w, 0xc0a80001);
    wr_zeros(&w, 4);
    wr_mac(&w, &(struct mac){{0, 0x0b, 0x82, 1, 0xfc, 0x42}});
    wr_zeros(&w, 10 + DHCP4_SNAME_LEN + DHCP4_FILE_LEN);
    wr_u32(&w, 0x63825363);
    wr_bytes(&w, prop_hex_into(options, opts));
    d->n = wr_len(&w);
}

static void put_at(struct made *d, size_t at, const char *hex)
{
    prop_hex_into(hex, d->b + at);
}

#define SNAME_AT 44
#define FILE_AT  108

static uint8_t parse_made(struct made *d)
{
    uint8_t fault = prop_fault(&dhcp4_format, span_of(d->b, d->n));
    struct rd r = rd_of(span_of(d->b, d->n));
    EXPECT_EQ(parse_whole(&r, &d->h), fault == 0);
    EXPECT_EQ(r.bad, fault);
    return fault;
}

static uint8_t fault_of(const char *options)
{
    struct made d;
    make(&d, options);
    return parse_made(&d);
}

#define OFFER "350102 0104ffffff00 3a0400000708 3b0400000c4e 330400000e10 3604c0a80001 "

TEST("an offer reads as it was sent")
{
    struct made d;
    make(&d, OFFER "0304c0a80001 0608 08080808 08080404 0f05 6c6f63616c ff");
    EXPECT_EQ(parse_made(&d), 0);
    const struct dhcp4_msg *m = &d.h.m;
    EXPECT(m->is_reply);
    EXPECT_EQ(m->type, DHCP4_OFFER);
    EXPECT_EQ(m->xid, 0x3d1d);
    EXPECT_EQ(addr_to_v4(&m->yiaddr), 0xc0a8000a);
    EXPECT_EQ(addr_to_v4(&m->siaddr), 0xc0a80001);
    EXPECT_EQ(m->chaddr.b[5], 0x42);
    EXPECT(m->has_mask && m->mask_len == 24);
    EXPECT(m->has_lease && m->lease_s == 3600);
    EXPECT(m->has_t1 && m->t1_s == 1800);
    EXPECT(m->has_t2 && m->t2_s == 3150);
    EXPECT_EQ(addr_to_v4(&m->server_id), 0xc0a80001);
    EXPECT_EQ(m->routers_n, 1);
    EXPECT_EQ(m->dns_n, 2);
    EXPECT_EQ(addr_to_v4(&m->dns[1]), 0x08080404);
    EXPECT(span_is(m->domain, "local"));
    prop_prints(&dhcp4_format, &d.h, "DHCP Offer xid 0x00003d1d gives 192.168.0.10 for 3600 s");
}

TEST("a discover asks for what it wants")
{
    struct dhcp4_msg m = {.type = DHCP4_DISCOVER, .xid = 7, .requested = addr_v4(0x0a000005)};
    uint8_t b[DHCP4_SIZE_MAX];
    struct wr w = wr_of(b, sizeof(b));
    HEX(params, "01 03 06 0f");
    m.params = params;
    dhcp4_emit(&w, &m);
    EXPECT_EQ(wr_len(&w), DHCP4_PAD_LEN);
    EXPECT_EQ(b[0], 1);
    HEX(want, "350101 3204 0a000005 3704 01 03 06 0f ff 00");
    EXPECT_MEM(b + DHCP4_MIN_LEN, want.p, want.n);
    struct whole h = {.m = m};
    prop_prints(&dhcp4_format, &h, "DHCP Discover xid 0x00000007 requests 10.0.0.5");
}

TEST("a message shorter than header and cookie is short")
{
    struct made d;
    make(&d, "350102ff");
    EXPECT_EQ(prop_fault(&dhcp4_format, span_of(d.b, DHCP4_MIN_LEN - 1)), FAULT_SHORT);
    EXPECT_EQ(prop_fault(&dhcp4_format, span_of(d.b, 0)), FAULT_SHORT);
}

TEST("the cookie, the hardware and the operation must be right")
{
    struct made d;
    make(&d, "350102ff");
    d.b[236] = 0x64;
    EXPECT_EQ(parse_made(&d), FAULT_MAGIC);
    for (unsigned op = 0; op < 256; op++) {
        make(&d, "350102ff");
        d.b[0] = (uint8_t)op;
        EXPECT_EQ(parse_made(&d), op == 1 || op == 2 ? 0 : FAULT_TYPE);
    }
    make(&d, "350102ff");
    d.b[1] = 6;
    EXPECT_EQ(parse_made(&d), FAULT_ADDR_LEN);
    make(&d, "350102ff");
    d.b[2] = 16;
    EXPECT_EQ(parse_made(&d), FAULT_ADDR_LEN);
}

TEST("a message without a type, or of an unknown one, is refused")
{
    EXPECT_EQ(fault_of("ff"), FAULT_TYPE);
    EXPECT_EQ(fault_of(""), FAULT_TYPE);
    EXPECT_EQ(fault_of("350100ff"), FAULT_TYPE);
    EXPECT_EQ(fault_of("350109ff"), FAULT_TYPE);
}

TEST("known options have the length of their type")
{
    static const uint8_t four[] = {1, 28, 50, 51, 54, 58, 59};
    static const uint8_t two[] = {26, 57};
    for (unsigned len = 0; len < 12; len++) {
        char text[80];
        for (size_t i = 0; i < ARRAY_LEN(four); i++) {
            snprintf(text, sizeof(text), "350102 %02x%02x%.*sff", four[i], len, (int)len * 2,
                     "000000000000000000000000");
            EXPECT_EQ(fault_of(text), len == 4 ? 0 : FAULT_OPT_LEN);
        }
        for (size_t i = 0; i < ARRAY_LEN(two); i++) {
            snprintf(text, sizeof(text), "350102 %02x%02x%.*sff", two[i], len, (int)len * 2,
                     "000000000000000000000000");
            EXPECT_EQ(fault_of(text), len == 2 ? 0 : FAULT_OPT_LEN);
        }
        snprintf(text, sizeof(text), "350102 06%02x%.*sff", len, (int)len * 2,
                 "000000000000000000000000");
        EXPECT_EQ(fault_of(text), len == 4 || len == 8 ? 0 : FAULT_OPT_LEN);
    }
    EXPECT_EQ(fault_of("35020202ff"), FAULT_OPT_LEN);
    EXPECT_EQ(fault_of("350102 340201 01ff"), FAULT_OPT_LEN);
}

TEST("an option that passes the end of its field is a fault")
{
    COVERS("2131-7");
    EXPECT_EQ(fault_of("350102 0c"), FAULT_OPT_LEN);
    EXPECT_EQ(fault_of("350102 0c05 61"), FAULT_OPT_LEN);
    struct made d;
    make(&d, "350102 340101 ff");
    put_at(&d, FILE_AT + 126, "0c01");          /* its byte would be the cookie's first */
    EXPECT_EQ(parse_made(&d), FAULT_OPT_LEN);
}

TEST("options go on in file, then in sname, as overload says")
{
    COVERS("2131-7");
    struct made d;
    make(&d, "350102 340103 0c01 61 ff 0c01 7a");
    put_at(&d, FILE_AT, "0c01 62 00 ff 0c01 79");
    put_at(&d, SNAME_AT, "0c01 63 0f01 64");
    EXPECT_EQ(parse_made(&d), 0);
    EXPECT(span_is(d.h.m.host_name, "abc"));
    EXPECT(span_is(d.h.m.domain, "d"));
    EXPECT_EQ(d.h.m.file.n, 0);
    EXPECT_EQ(d.h.m.sname.n, 0);
}

TEST("file and sname are names where overload does not say otherwise")
{
    COVERS("2131-7");
    struct made d;
    make(&d, "350102 340102 ff");
    put_at(&d, FILE_AT, "70786530 00 61");
    put_at(&d, SNAME_AT, "0f01 64 ff");
    EXPECT_EQ(parse_made(&d), 0);
    EXPECT(span_is(d.h.m.file, "pxe0"));
    EXPECT_EQ(d.h.m.sname.n, 0);
    EXPECT(span_is(d.h.m.domain, "d"));
    make(&d, "350102 340101 ff");
    put_at(&d, FILE_AT, "0f01 64 340102 ff");   /* only the options field can overload */
    put_at(&d, SNAME_AT, "737276");
    EXPECT_EQ(parse_made(&d), FAULT_OPT_LEN);   /* and it stands twice, in parts of one byte */
    make(&d, "350102 ff");
    put_at(&d, SNAME_AT, "737276");
    EXPECT_EQ(parse_made(&d), 0);
    EXPECT(span_is(d.h.m.sname, "srv"));
}

TEST("an option in parts is put together in the order of the fields")
{
    COVERS("2131-7");
    struct made d;
    make(&d, "350102 7905 18c0a805 01 0c02 6162 7903 020304 0c01 63 ff");
    EXPECT_EQ(parse_made(&d), 0);
    EXPECT(span_is(d.h.m.host_name, "abc"));
    EXPECT_EQ(d.h.m.routes_n, 1);
    EXPECT_EQ(addr_to_v4(&d.h.m.routes[0].via), 0x01020304);
    EXPECT_EQ(fault_of("350102 0402 0000 0402 0000 3302 0000 3302 0000 ff"), 0);
    EXPECT_EQ(fault_of("350102 33040000 0000 33040000 0000 ff"), FAULT_OPT_LEN);
}

TEST("without room an option in parts is a fault, and others are not")
{
    struct made d;
    uint8_t room[3];
    make(&d, "350102 0c02 6162 0c02 6364 ff");
    struct wr joined = wr_of(room, sizeof(room));
    struct rd r = rd_of(span_of(d.b, d.n));
    EXPECT(!dhcp4_parse(&r, &joined, &d.h.m));
    EXPECT_EQ(r.bad, FAULT_OPT_COUNT);
    make(&d, OFFER "ff");
    joined = wr_of(room, 0);
    r = rd_of(span_of(d.b, d.n));
    EXPECT(dhcp4_parse(&r, &joined, &d.h.m));
}

TEST("a mask with holes and a route longer than an address are refused")
{
    EXPECT_EQ(fault_of("350102 0104ff00ff00 ff"), FAULT_ADDR);
    EXPECT_EQ(fault_of("350102 010400ffffff ff"), FAULT_ADDR);
    EXPECT_EQ(fault_of("350102 79092100000000c0a80001 ff"), FAULT_ADDR);
    EXPECT_EQ(fault_of("350102 7906 18c0a80001c0 ff"), FAULT_OPT_LEN);
    for (unsigned len = 0; len <= 32; len++) {
        struct made d;
        char text[40];
        uint32_t mask = len == 0 ? 0 : UINT32_MAX << (32 - len);
        snprintf(text, sizeof(text), "350102 0104%08x ff", (unsigned)mask);
        make(&d, text);
        EXPECT_EQ(parse_made(&d), 0);
        EXPECT_EQ(d.h.m.mask_len, len);
    }
}

TEST("classless routes have a prefix and a router")
{
    struct made d;
    make(&d, "350105 790e 00 c0a80001 18 0a0102 c0a80002 00 ff");
    EXPECT_EQ(parse_made(&d), FAULT_OPT_LEN);
    make(&d, "350105 790d 00 c0a80001 18 0a0102 c0a80002 ff");
    EXPECT_EQ(parse_made(&d), 0);
    EXPECT_EQ(d.h.m.routes_n, 2);
    EXPECT_EQ(d.h.m.routes[0].to.len, 96);
    EXPECT_EQ(d.h.m.routes[1].to.len, 120);
    EXPECT_EQ(addr_to_v4(&d.h.m.routes[1].to.addr), 0x0a010200);
    EXPECT_EQ(addr_to_v4(&d.h.m.routes[1].via), 0xc0a80002);
}

TEST("lists keep their first addresses")
{
    struct made d;
    make(&d, "350105 0614 00000001 00000002 00000003 00000004 00000005 ff");
    EXPECT_EQ(parse_made(&d), 0);
    EXPECT_EQ(d.h.m.dns_n, DHCP4_ADDRS_MAX);
    EXPECT_EQ(addr_to_v4(&d.h.m.dns[3]), 4);
}

TEST("texts lose the NULs that some servers append")
{
    struct made d;
    make(&d, "350106 3804 6e6f0000 ff");
    EXPECT_EQ(parse_made(&d), 0);
    EXPECT(span_is(d.h.m.message, "no"));
}

TEST("more options than the limit are a fault")
{
    struct made d;
    make(&d, "350102");
    for (unsigned i = 0; i < DHCP4_OPTIONS_MAX - 1; i++) {
        d.b[d.n++] = 200;
        d.b[d.n++] = 0;
    }
    d.b[d.n++] = DHCP4_OPT_END;
    EXPECT_EQ(parse_made(&d), 0);
    d.b[d.n - 1] = 200;
    d.b[d.n++] = 0;
    EXPECT_EQ(parse_made(&d), FAULT_OPT_COUNT);
}

TEST("what does not fit its field is our mistake")
{
    uint8_t b[600];
    struct wr w = wr_of(b, sizeof(b));
    struct dhcp4_msg m = {.type = DHCP4_ACK, .sname = span_of(b, 65)};
    EXPECT_ASSERTS(dhcp4_emit(&w, &m));
    m = (struct dhcp4_msg){.type = DHCP4_ACK, .has_mask = true, .mask_len = 33};
    w = wr_of(b, sizeof(b));
    EXPECT_ASSERTS(dhcp4_emit(&w, &m));
}
