/*
 * DHCP for IPv4: a BOOTP message of fixed fields, and options.
 *
 * Options may stand in three places and come in parts (RFC 2131, 4.1; RFC 3396). They are read in
 * two steps: one walk finds for each option we know where its first part is and how many there are;
 * then each is looked at whole, its length checked against one table of rules before any of it is
 * decoded. Only options in parts are copied, into a buffer whose size the caller chose.
 *
 * Left out: hardware other than Ethernet, user classes, relay information and vendor options, which
 * the walk still shows to whoever asks.
 */
#include "wire/dhcp4.h"

#include "wire/fault.h"

#define MAGIC        0x63825363u
#define OP_REQUEST   1
#define OP_REPLY     2
#define HTYPE_ETHER  1
#define HLEN_ETHER   6
#define CHADDR_LEN   16
#define FLAG_BCAST   0x8000u
#define PART_MAX     255
#define ADDR4_LEN    4

/* ---- the walk ---- */

struct dhcp4_walk dhcp4_walk_of(struct span options, struct span file, struct span sname)
{
    return (struct dhcp4_walk){.r = rd_of(options), .file = file, .sname = sname};
}

/* Go on in the next field that holds options. False: there is none. */
static bool next_field(struct dhcp4_walk *k)
{
    while (k->field < 2) {
        k->field++;
        if ((k->overload & BIT(k->field - 1u)) != 0) {
            k->r = rd_of(k->field == 1 ? k->file : k->sname);
            return true;
        }
    }
    k->r = rd_of(span_of(k->r.end, 0));
    return false;
}

/* The code of the next option, 0 at the end: pads are passed over, END leads to the next field. */
static uint8_t next_code(struct dhcp4_walk *k)
{
    for (;;) {
        uint8_t code = rd_done(&k->r) ? DHCP4_OPT_END : rd_u8(&k->r);
        if (code == DHCP4_OPT_END && !next_field(k))
            return 0;
        if (code != DHCP4_OPT_END && code != DHCP4_OPT_PAD)
            return code;
    }
}

bool dhcp4_opt_next(struct dhcp4_walk *k, struct dhcp4_opt *out)
{
    *out = (struct dhcp4_opt){0};
    if (k->r.bad != 0)
        return false;
    uint8_t code = next_code(k);
    if (code == 0)
        return false;
    if (k->n++ == DHCP4_OPTIONS_MAX)
        return rd_fail(&k->r, FAULT_OPT_COUNT);
    if (rd_done(&k->r))
        return rd_fail(&k->r, FAULT_OPT_LEN);
    size_t len = rd_u8(&k->r);
    if (len > rd_left(&k->r))
        return rd_fail(&k->r, FAULT_OPT_LEN);
    out->code = code;
    out->data = rd_bytes(&k->r, len);
    if (code == DHCP4_OPT_OVERLOAD && k->field == 0 && len == 1) {
        struct rd d = rd_of(out->data);
        k->overload = rd_u8(&d) & 3u;
    }
    return true;
}

/* ---- finding options and putting their parts together ---- */

struct rule {
    uint8_t code;
    uint8_t min;
    uint8_t max;                /* 0: no limit */
    uint8_t step;               /* the length is a multiple of it */
};

/* RFC 2132. Texts and identifiers may be empty: such an option says nothing. */
static const struct rule rules[] = {
    {DHCP4_OPT_TYPE, 1, 1, 1},      {DHCP4_OPT_MASK, 4, 4, 1},
    {DHCP4_OPT_ROUTERS, 4, 0, 4},   {DHCP4_OPT_DNS, 4, 0, 4},
    {DHCP4_OPT_NTP, 4, 0, 4},       {DHCP4_OPT_MTU, 2, 2, 1},
    {DHCP4_OPT_BROADCAST, 4, 4, 1}, {DHCP4_OPT_REQUESTED, 4, 4, 1},
    {DHCP4_OPT_LEASE, 4, 4, 1},     {DHCP4_OPT_OVERLOAD, 1, 1, 1},
    {DHCP4_OPT_SERVER_ID, 4, 4, 1}, {DHCP4_OPT_MAX_SIZE, 2, 2, 1},
    {DHCP4_OPT_T1, 4, 4, 1},        {DHCP4_OPT_T2, 4, 4, 1},
    {DHCP4_OPT_ROUTES, 5, 0, 1},    {DHCP4_OPT_PARAMS, 0, 0, 1},
    {DHCP4_OPT_HOST_NAME, 0, 0, 1}, {DHCP4_OPT_DOMAIN, 0, 0, 1},
    {DHCP4_OPT_MESSAGE, 0, 0, 1},   {DHCP4_OPT_VENDOR, 0, 0, 1},
    {DHCP4_OPT_CLIENT_ID, 0, 0, 1},
};

#define RULES ARRAY_LEN(rules)

struct slot {                   /* one option that was found */
    struct span first;
    uint16_t parts;
};

static_assert(DHCP4_OPTIONS_MAX <= UINT16_MAX, "struct slot counts parts in 16 bits");

static size_t rule_of(uint8_t code)
{
    size_t i = 0;
    while (i < RULES && rules[i].code != code)
        i++;
    return i;
}

static bool find_options(struct rd *r, struct dhcp4_walk k, struct slot *slots, uint8_t *overload)
{
    struct dhcp4_opt o;
    while (dhcp4_opt_next(&k, &o)) {
        size_t i = rule_of(o.code);
        if (i == RULES)
            continue;
        if (slots[i].parts++ == 0)
            slots[i].first = o.data;
    }
    *overload = k.overload;
    return rd_join(r, &k.r);
}

/* RFC 3396, 7: the parts in the order of the walk. */
static struct span join_parts(struct dhcp4_walk k, uint8_t code, struct wr *joined)
{
    size_t at = wr_len(joined);
    struct dhcp4_opt o;
    while (dhcp4_opt_next(&k, &o)) {
        if (o.code == code)
            wr_bytes(joined, o.data);
    }
    return span_of(joined->start + at, wr_len(joined) - at);
}

/* ---- decoding ---- */

static void parse_addrs(struct rd *d, struct oriel_addr *list, uint8_t *n)
{
    while (rd_left(d) >= ADDR4_LEN && *n < DHCP4_ADDRS_MAX)
        list[(*n)++] = rd_addr4(d);
}

static void parse_mask(struct rd *d, struct dhcp4_msg *out)
{
    uint32_t holes = ~rd_u32(d);                /* 0...01...1, if the mask is one */
    if ((holes & (holes + 1)) != 0) {
        rd_fail(d, FAULT_ADDR);
        return;
    }
    out->has_mask = true;
    out->mask_len = holes == 0 ? 32 : (uint8_t)(31 - bit_highest(holes));
}

/* RFC 3442: a length, as many bytes as it needs, and the router. */
static void parse_routes(struct rd *d, struct dhcp4_msg *out)
{
    while (!rd_done(d)) {
        uint8_t len = rd_u8(d);
        if (len > 32) {
            rd_fail(d, FAULT_ADDR);
            return;
        }
        unsigned bytes = (len + 7u) / 8;
        if (rd_left(d) < bytes + ADDR4_LEN) {
            rd_fail(d, FAULT_OPT_LEN);
            return;
        }
        uint32_t to = 0;
        for (unsigned i = 0; i < bytes; i++)
            to |= (uint32_t)rd_u8(d) << (24 - 8 * i);
        struct oriel_addr via = rd_addr4(d);
        if (out->routes_n < DHCP4_ROUTES_MAX)
            out->routes[out->routes_n++] = (struct dhcp4_route){prefix_v4(to, len), via};
    }
}

static struct span without_nuls(struct span s)
{
    while (s.n > 0 && s.p[s.n - 1] == 0)
        s.n--;
    return s;
}

static void parse_number(struct rd *d, enum dhcp4_opt_code code, struct dhcp4_msg *out)
{
    if (code == DHCP4_OPT_TYPE) {
        out->type = rd_u8(d);
    } else if (code == DHCP4_OPT_MTU) {
        out->mtu = rd_u16(d);
    } else if (code == DHCP4_OPT_MAX_SIZE) {
        out->max_size = rd_u16(d);
    } else if (code == DHCP4_OPT_LEASE) {
        out->lease_s = rd_u32(d);
        out->has_lease = true;
    } else if (code == DHCP4_OPT_T1) {
        out->t1_s = rd_u32(d);
        out->has_t1 = true;
    } else if (code == DHCP4_OPT_T2) {
        out->t2_s = rd_u32(d);
        out->has_t2 = true;
    }
}

static void parse_address(struct rd *d, enum dhcp4_opt_code code, struct dhcp4_msg *out)
{
    if (code == DHCP4_OPT_MASK)
        parse_mask(d, out);
    else if (code == DHCP4_OPT_ROUTERS)
        parse_addrs(d, out->routers, &out->routers_n);
    else if (code == DHCP4_OPT_DNS)
        parse_addrs(d, out->dns, &out->dns_n);
    else if (code == DHCP4_OPT_NTP)
        parse_addrs(d, out->ntp, &out->ntp_n);
    else if (code == DHCP4_OPT_BROADCAST)
        out->broadcast_addr = rd_addr4(d);
    else if (code == DHCP4_OPT_REQUESTED)
        out->requested = rd_addr4(d);
    else if (code == DHCP4_OPT_SERVER_ID)
        out->server_id = rd_addr4(d);
    else if (code == DHCP4_OPT_ROUTES)
        parse_routes(d, out);
}

static void keep_span(struct span data, enum dhcp4_opt_code code, struct dhcp4_msg *out)
{
    if (code == DHCP4_OPT_HOST_NAME)
        out->host_name = without_nuls(data);
    else if (code == DHCP4_OPT_DOMAIN)
        out->domain = without_nuls(data);
    else if (code == DHCP4_OPT_MESSAGE)
        out->message = without_nuls(data);
    else if (code == DHCP4_OPT_VENDOR)
        out->vendor = data;
    else if (code == DHCP4_OPT_CLIENT_ID)
        out->client_id = data;
    else if (code == DHCP4_OPT_PARAMS)
        out->params = data;
}

static bool parse_option(struct rd *r, const struct rule *rule, struct span data,
                         struct dhcp4_msg *out)
{
    if (data.n < rule->min || (rule->max != 0 && data.n > rule->max) || data.n % rule->step != 0)
        return rd_fail(r, FAULT_OPT_LEN);
    enum dhcp4_opt_code code = (enum dhcp4_opt_code)rule->code;
    struct rd d = rd_of(data);
    parse_number(&d, code, out);
    parse_address(&d, code, out);
    keep_span(data, code, out);
    return rd_join(r, &d);
}

static bool parse_options(struct rd *r, struct dhcp4_walk k, struct wr *joined,
                          struct dhcp4_msg *out, uint8_t *overload)
{
    struct slot slots[RULES] = {{{0}, 0}};
    if (!find_options(r, k, slots, overload))
        return false;
    for (size_t i = 0; i < RULES; i++) {
        if (slots[i].parts == 0)
            continue;
        struct span data = slots[i].first;
        if (slots[i].parts > 1)
            data = join_parts(k, rules[i].code, joined);
        if (joined->bad)
            return rd_fail(r, FAULT_OPT_COUNT);
        if (!parse_option(r, &rules[i], data, out))
            return false;
    }
    return true;
}

/* ---- the fixed part ---- */

static void parse_fixed(struct rd *h, struct dhcp4_msg *out)
{
    uint8_t op = rd_u8(h);
    uint8_t htype = rd_u8(h);
    uint8_t hlen = rd_u8(h);
    out->is_reply = op == OP_REPLY;
    out->hops = rd_u8(h);
    out->xid = rd_u32(h);
    out->secs = rd_u16(h);
    out->broadcast = (rd_u16(h) & FLAG_BCAST) != 0;
    out->ciaddr = rd_addr4(h);
    out->yiaddr = rd_addr4(h);
    out->siaddr = rd_addr4(h);
    out->giaddr = rd_addr4(h);
    out->chaddr = rd_mac(h);
    rd_skip(h, CHADDR_LEN - HLEN_ETHER);
    out->sname = rd_bytes(h, DHCP4_SNAME_LEN);
    out->file = rd_bytes(h, DHCP4_FILE_LEN);
    uint32_t magic = rd_u32(h);
    if (op != OP_REQUEST && op != OP_REPLY)
        rd_fail(h, FAULT_TYPE);
    if (htype != HTYPE_ETHER || hlen != HLEN_ETHER)
        rd_fail(h, FAULT_ADDR_LEN);
    if (magic != MAGIC)
        rd_fail(h, FAULT_MAGIC);
}

static struct span up_to_nul(struct span s)
{
    const uint8_t *nul = s.n > 0 ? memchr(s.p, 0, s.n) : NULL;
    if (nul)
        s.n = (size_t)(nul - s.p);
    return s;
}

static void clear(struct dhcp4_msg *out)
{
    *out = (struct dhcp4_msg){
        .ciaddr = ADDR_V4_ANY,
        .yiaddr = ADDR_V4_ANY,
        .siaddr = ADDR_V4_ANY,
        .giaddr = ADDR_V4_ANY,
        .broadcast_addr = ADDR_V4_ANY,
        .requested = ADDR_V4_ANY,
        .server_id = ADDR_V4_ANY,
    };
}

bool dhcp4_parse(struct rd *r, struct wr *joined, struct dhcp4_msg *out)
{
    clear(out);
    struct rd h = rd_sub(r, DHCP4_MIN_LEN);
    parse_fixed(&h, out);
    if (!rd_join(r, &h))
        return false;
    uint8_t overload = 0;
    struct dhcp4_walk k = dhcp4_walk_of(rd_rest(r), out->file, out->sname);
    if (!parse_options(r, k, joined, out, &overload))
        return false;
    if (out->type < DHCP4_DISCOVER || out->type > DHCP4_INFORM)
        return rd_fail(r, FAULT_TYPE);
    out->file = (overload & 1) != 0 ? span_of(out->file.p, 0) : up_to_nul(out->file);
    out->sname = (overload & 2) != 0 ? span_of(out->sname.p, 0) : up_to_nul(out->sname);
    return true;
}

/* ---- writing ---- */

static void emit_head(struct wr *w, uint8_t code, size_t len)
{
    ORIEL_ASSERT(len <= PART_MAX);
    wr_u8(w, code);
    wr_u8(w, (uint8_t)len);
}

static void emit_u16(struct wr *w, uint8_t code, uint16_t v)
{
    emit_head(w, code, 2);
    wr_u16(w, v);
}

static void emit_u32(struct wr *w, uint8_t code, uint32_t v)
{
    emit_head(w, code, 4);
    wr_u32(w, v);
}

static void emit_addr(struct wr *w, uint8_t code, const struct oriel_addr *a)
{
    if (!addr_is_unspecified(a))
        emit_u32(w, code, addr_to_v4(a));
}

static void emit_addrs(struct wr *w, uint8_t code, const struct oriel_addr *list, uint8_t n)
{
    ORIEL_ASSERT(n <= DHCP4_ADDRS_MAX);
    if (n == 0)
        return;
    emit_head(w, code, (size_t)n * ADDR4_LEN);
    for (unsigned i = 0; i < n; i++)
        wr_addr4(w, &list[i]);
}

static void emit_span(struct wr *w, uint8_t code, struct span s)
{
    struct rd r = rd_of(s);
    while (!rd_done(&r)) {
        size_t n = rd_left(&r) < PART_MAX ? rd_left(&r) : PART_MAX;
        emit_head(w, code, n);
        wr_bytes(w, rd_bytes(&r, n));
    }
}

static void emit_routes(struct wr *w, const struct dhcp4_msg *m)
{
    ORIEL_ASSERT(m->routes_n <= DHCP4_ROUTES_MAX);
    uint8_t bytes[DHCP4_ROUTES_MAX * 9];
    struct wr b = wr_of(bytes, sizeof bytes);
    for (unsigned i = 0; i < m->routes_n; i++) {
        const struct dhcp4_route *e = &m->routes[i];
        ORIEL_ASSERT(e->to.len >= 96);
        unsigned len = e->to.len - 96u;
        wr_u8(&b, (uint8_t)len);
        for (unsigned at = 0; at < len; at += 8)
            wr_u8(&b, (uint8_t)(addr_to_v4(&e->to.addr) >> (24 - at)));
        wr_addr4(&b, &e->via);
    }
    ORIEL_ASSERT(!b.bad);
    emit_span(w, DHCP4_OPT_ROUTES, wr_span(&b));
}

static uint32_t mask_of(uint8_t len)
{
    ORIEL_ASSERT(len <= 32);
    return len == 0 ? 0 : UINT32_MAX << (32 - len);
}

/* An address that may be absent, in either family's way of saying so. */
static void emit_field(struct wr *w, const struct oriel_addr *a)
{
    ORIEL_ASSERT(addr_is_v4(a) || addr_is_unspecified(a));
    wr_u32(w, addr_to_v4(a));
}

static void emit_fixed(struct wr *w, const struct dhcp4_msg *m)
{
    ORIEL_ASSERT(m->sname.n <= DHCP4_SNAME_LEN);
    ORIEL_ASSERT(m->file.n <= DHCP4_FILE_LEN);
    wr_u8(w, m->is_reply ? OP_REPLY : OP_REQUEST);
    wr_u8(w, HTYPE_ETHER);
    wr_u8(w, HLEN_ETHER);
    wr_u8(w, m->hops);
    wr_u32(w, m->xid);
    wr_u16(w, m->secs);
    wr_u16(w, m->broadcast ? FLAG_BCAST : 0);
    emit_field(w, &m->ciaddr);
    emit_field(w, &m->yiaddr);
    emit_field(w, &m->siaddr);
    emit_field(w, &m->giaddr);
    wr_mac(w, &m->chaddr);
    wr_zeros(w, CHADDR_LEN - HLEN_ETHER);
    wr_bytes(w, m->sname);
    wr_zeros(w, DHCP4_SNAME_LEN - m->sname.n);
    wr_bytes(w, m->file);
    wr_zeros(w, DHCP4_FILE_LEN - m->file.n);
    wr_u32(w, MAGIC);
}

static void emit_options(struct wr *w, const struct dhcp4_msg *m)
{
    emit_head(w, DHCP4_OPT_TYPE, 1);
    wr_u8(w, m->type);
    emit_span(w, DHCP4_OPT_CLIENT_ID, m->client_id);
    emit_addr(w, DHCP4_OPT_SERVER_ID, &m->server_id);
    emit_addr(w, DHCP4_OPT_REQUESTED, &m->requested);
    if (m->has_lease)
        emit_u32(w, DHCP4_OPT_LEASE, m->lease_s);
    if (m->has_t1)
        emit_u32(w, DHCP4_OPT_T1, m->t1_s);
    if (m->has_t2)
        emit_u32(w, DHCP4_OPT_T2, m->t2_s);
    if (m->has_mask)
        emit_u32(w, DHCP4_OPT_MASK, mask_of(m->mask_len));
    emit_addr(w, DHCP4_OPT_BROADCAST, &m->broadcast_addr);
    emit_addrs(w, DHCP4_OPT_ROUTERS, m->routers, m->routers_n);
    emit_addrs(w, DHCP4_OPT_DNS, m->dns, m->dns_n);
    emit_addrs(w, DHCP4_OPT_NTP, m->ntp, m->ntp_n);
    emit_routes(w, m);
    if (m->mtu != 0)
        emit_u16(w, DHCP4_OPT_MTU, m->mtu);
    if (m->max_size != 0)
        emit_u16(w, DHCP4_OPT_MAX_SIZE, m->max_size);
    emit_span(w, DHCP4_OPT_HOST_NAME, m->host_name);
    emit_span(w, DHCP4_OPT_DOMAIN, m->domain);
    emit_span(w, DHCP4_OPT_VENDOR, m->vendor);
    emit_span(w, DHCP4_OPT_PARAMS, m->params);
    emit_span(w, DHCP4_OPT_MESSAGE, m->message);
    wr_u8(w, DHCP4_OPT_END);
}

void dhcp4_emit(struct wr *w, const struct dhcp4_msg *m)
{
    size_t start = wr_len(w);
    emit_fixed(w, m);
    emit_options(w, m);
    size_t n = wr_len(w) - start;
    if (!w->bad && n < DHCP4_PAD_LEN)
        wr_zeros(w, DHCP4_PAD_LEN - n);
}

/* ---- showing ---- */

void dhcp4_print(struct txt *t, const struct dhcp4_msg *m)
{
    static const char *const names[] = {
        NULL, "Discover", "Offer", "Request", "Decline", "ACK", "NAK", "Release", "Inform",
    };
    txt_s(t, "DHCP ");
    if (m->type > 0 && m->type < ARRAY_LEN(names)) {
        txt_s(t, names[m->type]);
    } else {
        txt_s(t, "type ");
        txt_u(t, m->type);
    }
    txt_s(t, " xid 0x");
    txt_hex(t, m->xid, 8);
    if (!addr_is_unspecified(&m->requested)) {
        txt_s(t, " requests ");
        txt_addr(t, &m->requested);
    }
    if (!addr_is_unspecified(&m->yiaddr)) {
        txt_s(t, " gives ");
        txt_addr(t, &m->yiaddr);
    }
    if (m->has_lease) {
        txt_s(t, " for ");
        txt_u(t, m->lease_s);
        txt_s(t, " s");
    }
}
