/*
 * Neighbour discovery (RFC 4861): five messages of a fixed part and options in units of 8 bytes.
 *
 * Whether a message may be believed (hop limit, source, code) is the receiver's question; here is
 * only what the bytes say. An option of a kind we know but of a length that its format does not
 * have is passed over like an unknown one (RFC 4861, 4.6), because the rest of the message may
 * still be good; only link-layer addresses are strict, since the neighbour cache is built on them.
 * Left out: the route information option (RFC 4191) and DNS search lists (RFC 8106, 5.2).
 */
#include "wire/ndp.h"

#include "wire/fault.h"

#define OPT_UNIT        8
#define OPT_WORDS_MAX   255     /* the length field has 8 bits */
#define OPT_HEAD        2       /* type and length */
#define LL_OPT_LEN      8
#define PREFIX_OPT_LEN  32
#define MTU_OPT_LEN     8
#define NONCE_OPT_LEN   8
#define RDNSS_OPT_MIN   24
#define REDIRECTED_HEAD 8
#define ADDR6_LEN       16

#define RA_MANAGED 0x80u
#define RA_OTHER   0x40u

#define NA_ROUTER    0x80u
#define NA_SOLICITED 0x40u
#define NA_OVERRIDE  0x20u

#define PREFIX_ON_LINK    0x80u
#define PREFIX_AUTONOMOUS 0x40u

/* ---- reading ---- */

static struct mac parse_link_addr(struct rd *o, bool *has, size_t len)
{
    if (len != LL_OPT_LEN) {
        rd_fail(o, FAULT_ADDR_LEN);
        return MAC_NONE;
    }
    *has = true;
    return rd_mac(o);
}

static void parse_prefix(struct rd *o, struct ndp_msg *out)
{
    uint8_t len = rd_u8(o);
    uint8_t flags = rd_u8(o);
    struct ndp_prefix p = {
        .on_link = (flags & PREFIX_ON_LINK) != 0,
        .autonomous = (flags & PREFIX_AUTONOMOUS) != 0,
    };
    p.valid_s = rd_u32(o);
    p.preferred_s = rd_u32(o);
    rd_skip(o, 4);
    struct oriel_addr a = rd_addr6(o);
    if (len > 128 || out->prefixes_n == NDP_PREFIXES_MAX)
        return;
    p.prefix = prefix_of(a, len);
    out->prefixes[out->prefixes_n++] = p;
}

static void parse_rdnss(struct rd *o, struct ndp_msg *out)
{
    rd_skip(o, 2);
    uint32_t lifetime_s = rd_u32(o);
    /* One lifetime is kept for the list: the shortest, so that no server is used beyond its own. */
    if (out->dns_n == 0 || lifetime_s < out->dns_lifetime_s)
        out->dns_lifetime_s = lifetime_s;
    while (rd_left(o) >= ADDR6_LEN && out->dns_n < NDP_DNS_MAX)
        out->dns[out->dns_n++] = rd_addr6(o);
}

static void parse_nonce(struct rd *o, struct ndp_msg *out)
{
    uint64_t hi = rd_u16(o);
    out->nonce = (hi << 32) | rd_u32(o);
    out->has_nonce = true;
}

static void parse_mtu(struct rd *o, struct ndp_msg *out)
{
    rd_skip(o, 2);
    out->mtu = rd_u32(o);
    out->has_mtu = true;
}

/* o holds the option after its type and length; len is the option's whole length in bytes. */
static void parse_known(struct rd *o, uint8_t kind, size_t len, struct ndp_msg *out)
{
    bool is_ra = out->type == ICMP6_RA;
    if (kind == NDP_OPT_SLLA) {
        out->slla = parse_link_addr(o, &out->has_slla, len);
    } else if (kind == NDP_OPT_TLLA) {
        out->tlla = parse_link_addr(o, &out->has_tlla, len);
    } else if (kind == NDP_OPT_PREFIX && len == PREFIX_OPT_LEN && is_ra) {
        parse_prefix(o, out);
    } else if (kind == NDP_OPT_MTU && len == MTU_OPT_LEN && is_ra) {
        parse_mtu(o, out);
    } else if (kind == NDP_OPT_RDNSS && len >= RDNSS_OPT_MIN && is_ra) {
        parse_rdnss(o, out);
    } else if (kind == NDP_OPT_NONCE && len == NONCE_OPT_LEN) {
        parse_nonce(o, out);
    } else if (kind == NDP_OPT_REDIRECTED && out->type == ICMP6_REDIRECT) {
        rd_skip(o, REDIRECTED_HEAD - OPT_HEAD);
        out->redirected = rd_rest(o);
    }
}

static bool parse_options(struct rd *r, struct ndp_msg *out)
{
    for (unsigned n = 0; r->bad == 0 && !rd_done(r); n++) {
        if (n == NDP_OPTIONS_MAX)
            return rd_fail(r, FAULT_OPT_COUNT);
        size_t left = rd_left(r);
        if (left < OPT_UNIT)
            return rd_fail(r, FAULT_OPT_LEN);
        uint8_t kind = rd_u8(r);
        size_t len = (size_t)rd_u8(r) * OPT_UNIT;
        if (len == 0 || len > left)
            return rd_fail(r, FAULT_OPT_LEN);
        struct rd o = rd_sub(r, len - OPT_HEAD);
        parse_known(&o, kind, len, out);
        rd_join(r, &o);
    }
    return r->bad == 0;
}

static void parse_ra(struct rd *r, struct ndp_msg *out)
{
    struct rd h = rd_sub(r, 12);
    out->hop_limit = rd_u8(&h);
    uint8_t flags = rd_u8(&h);
    out->managed = (flags & RA_MANAGED) != 0;
    out->other = (flags & RA_OTHER) != 0;
    out->router_lifetime_s = rd_u16(&h);
    out->reachable_ms = rd_u32(&h);
    out->retrans_ms = rd_u32(&h);
}

/* The word of flags (NA) or of reserved bits, then the target. */
static void parse_target(struct rd *r, struct ndp_msg *out)
{
    struct rd h = rd_sub(r, 4 + ADDR6_LEN);
    uint8_t flags = rd_u8(&h);
    rd_skip(&h, 3);
    out->target = rd_addr6(&h);
    if (out->type == ICMP6_NA) {
        out->router = (flags & NA_ROUTER) != 0;
        out->solicited = (flags & NA_SOLICITED) != 0;
        out->override = (flags & NA_OVERRIDE) != 0;
    }
}

bool ndp_parse(struct rd *r, uint8_t type, struct ndp_msg *out)
{
    *out = (struct ndp_msg){.type = type};
    switch (type) {
    case ICMP6_RS:
        rd_skip(r, 4);
        break;
    case ICMP6_RA:
        parse_ra(r, out);
        break;
    case ICMP6_NS:
    case ICMP6_NA:
        parse_target(r, out);
        break;
    case ICMP6_REDIRECT:
        parse_target(r, out);
        out->dest = rd_addr6(r);
        break;
    default:
        return rd_fail(r, FAULT_TYPE);
    }
    return r->bad == 0 && parse_options(r, out);
}

/* ---- writing ---- */

static void emit_opt_head(struct wr *w, uint8_t kind, size_t len)
{
    ORIEL_ASSERT(len % OPT_UNIT == 0);
    ORIEL_ASSERT(len / OPT_UNIT <= OPT_WORDS_MAX);
    wr_u8(w, kind);
    wr_u8(w, (uint8_t)(len / OPT_UNIT));
}

static void emit_link_addr(struct wr *w, uint8_t kind, const struct mac *m)
{
    emit_opt_head(w, kind, LL_OPT_LEN);
    wr_mac(w, m);
}

static void emit_prefix(struct wr *w, const struct ndp_prefix *p)
{
    emit_opt_head(w, NDP_OPT_PREFIX, PREFIX_OPT_LEN);
    wr_u8(w, p->prefix.len);
    wr_u8(w, (uint8_t)((p->on_link ? PREFIX_ON_LINK : 0) |
                       (p->autonomous ? PREFIX_AUTONOMOUS : 0)));
    wr_u32(w, p->valid_s);
    wr_u32(w, p->preferred_s);
    wr_zeros(w, 4);
    wr_addr6(w, &p->prefix.addr);
}

static void emit_rdnss(struct wr *w, const struct ndp_msg *m)
{
    emit_opt_head(w, NDP_OPT_RDNSS, OPT_UNIT + (size_t)m->dns_n * ADDR6_LEN);
    wr_zeros(w, 2);
    wr_u32(w, m->dns_lifetime_s);
    for (unsigned i = 0; i < m->dns_n; i++)
        wr_addr6(w, &m->dns[i]);
}

/* RFC 4861, 4.6: padded to 8 bytes; the quoted header says where the packet ends. */
static void emit_redirected(struct wr *w, struct span quote)
{
    size_t pad = (OPT_UNIT - quote.n % OPT_UNIT) % OPT_UNIT;
    emit_opt_head(w, NDP_OPT_REDIRECTED, REDIRECTED_HEAD + quote.n + pad);
    wr_zeros(w, REDIRECTED_HEAD - OPT_HEAD);
    wr_bytes(w, quote);
    wr_zeros(w, pad);
}

static void emit_options(struct wr *w, const struct ndp_msg *m)
{
    ORIEL_ASSERT(m->prefixes_n <= NDP_PREFIXES_MAX);
    ORIEL_ASSERT(m->dns_n <= NDP_DNS_MAX);
    if (m->has_slla)
        emit_link_addr(w, NDP_OPT_SLLA, &m->slla);
    if (m->has_tlla)
        emit_link_addr(w, NDP_OPT_TLLA, &m->tlla);
    if (m->has_mtu) {
        emit_opt_head(w, NDP_OPT_MTU, MTU_OPT_LEN);
        wr_zeros(w, 2);
        wr_u32(w, m->mtu);
    }
    for (unsigned i = 0; i < m->prefixes_n; i++)
        emit_prefix(w, &m->prefixes[i]);
    if (m->dns_n > 0)
        emit_rdnss(w, m);
    if (m->has_nonce) {
        emit_opt_head(w, NDP_OPT_NONCE, NONCE_OPT_LEN);
        wr_u16(w, (uint16_t)(m->nonce >> 32));
        wr_u32(w, (uint32_t)m->nonce);
    }
    if (m->redirected.n > 0)
        emit_redirected(w, m->redirected);
}

static void emit_ra(struct wr *w, const struct ndp_msg *m)
{
    wr_u8(w, m->hop_limit);
    wr_u8(w, (uint8_t)((m->managed ? RA_MANAGED : 0) | (m->other ? RA_OTHER : 0)));
    wr_u16(w, m->router_lifetime_s);
    wr_u32(w, m->reachable_ms);
    wr_u32(w, m->retrans_ms);
}

static void emit_target(struct wr *w, const struct ndp_msg *m)
{
    wr_u8(w, (uint8_t)((m->router ? NA_ROUTER : 0) | (m->solicited ? NA_SOLICITED : 0) |
                       (m->override ? NA_OVERRIDE : 0)));
    wr_zeros(w, 3);
    wr_addr6(w, &m->target);
}

void ndp_emit(struct wr *w, const struct ndp_msg *m)
{
    ORIEL_ASSERT(m->type >= ICMP6_RS && m->type <= ICMP6_REDIRECT);
    wr_u8(w, m->type);
    wr_zeros(w, 3);             /* code and checksum */
    if (m->type == ICMP6_RS)
        wr_zeros(w, 4);
    else if (m->type == ICMP6_RA)
        emit_ra(w, m);
    else
        emit_target(w, m);
    if (m->type == ICMP6_REDIRECT)
        wr_addr6(w, &m->dest);
    emit_options(w, m);
}

/* ---- showing ---- */

static void print_mac(struct txt *t, const char *before, bool has, const struct mac *m)
{
    if (!has)
        return;
    txt_s(t, before);
    txt_mac(t, m);
}

static void print_ra(struct txt *t, const struct ndp_msg *m)
{
    txt_s(t, "Router Advertisement");
    print_mac(t, " from ", m->has_slla, &m->slla);
    for (unsigned i = 0; i < m->prefixes_n; i++) {
        txt_c(t, ' ');
        txt_prefix(t, &m->prefixes[i].prefix);
    }
}

static void print_na(struct txt *t, const struct ndp_msg *m)
{
    const char *sep = " (";
    txt_s(t, "Neighbor Advertisement ");
    txt_addr(t, &m->target);
    if (m->router) {
        txt_s(t, sep);
        txt_s(t, "rtr");
        sep = ", ";
    }
    if (m->solicited) {
        txt_s(t, sep);
        txt_s(t, "sol");
        sep = ", ";
    }
    if (m->override) {
        txt_s(t, sep);
        txt_s(t, "ovr");
    }
    if (m->router || m->solicited || m->override)
        txt_c(t, ')');
    print_mac(t, " is at ", m->has_tlla, &m->tlla);
}

void ndp_print(struct txt *t, const struct ndp_msg *m)
{
    switch (m->type) {
    case ICMP6_RS:
        txt_s(t, "Router Solicitation");
        print_mac(t, " from ", m->has_slla, &m->slla);
        break;
    case ICMP6_RA:
        print_ra(t, m);
        break;
    case ICMP6_NS:
        txt_s(t, "Neighbor Solicitation for ");
        txt_addr(t, &m->target);
        print_mac(t, " from ", m->has_slla, &m->slla);
        break;
    case ICMP6_NA:
        print_na(t, m);
        break;
    case ICMP6_REDIRECT:
        txt_s(t, "Redirect ");
        txt_addr(t, &m->dest);
        txt_s(t, " via ");
        txt_addr(t, &m->target);
        print_mac(t, " is at ", m->has_tlla, &m->tlla);
        break;
    default:
        txt_s(t, "Neighbor discovery type ");
        txt_u(t, m->type);
        break;
    }
}
