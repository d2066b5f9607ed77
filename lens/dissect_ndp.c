/* Neighbour discovery: the five messages and their options. */
#include "lens/layer.h"
#include "wire/ndp.h"

/* Link-layer addresses that the options gave, for the information column. */
struct ndp_seen {
    bool has_mac;
    struct mac mac;
};

/* ---- options ---- */

static void add_reserved(struct lens *l, struct rd *r, size_t n)
{
    const uint8_t *at = r->p;
    rd_skip(r, n);
    if (!r->bad)
        lens_add(l, F_ICMPV6_OPT_RESERVED, at, n);
}

static void add_linkaddr(struct lens *l, struct rd *r, uint8_t type, struct ndp_seen *seen)
{
    struct rd mac = *r;
    struct span addr = lens_bytes(l, r, F_ICMPV6_OPT_LINKADDR, rd_left(r));
    lens_put_bytes(l, type == NDP_OPT_SLLA ? F_ICMPV6_OPT_SRC_LINKADDR
                                           : F_ICMPV6_OPT_TARGET_LINKADDR, addr);
    if (addr.n != 6)
        return;
    seen->has_mac = true;
    seen->mac = rd_mac(&mac);
}

static void add_prefix(struct lens *l, struct rd *r)
{
    lens_uint(l, r, F_ICMPV6_OPT_PREFIX_LENGTH, 1);
    const uint8_t *at = r->p;
    uint64_t flags = lens_uint(l, r, F_ICMPV6_OPT_PREFIX_FLAG, 1);
    if (r->bad)
        return;
    lens_put_u(l, F_ICMPV6_OPT_PREFIX_FLAG_L, at, 1, flags >> 7);
    lens_put_u(l, F_ICMPV6_OPT_PREFIX_FLAG_A, at, 1, (flags >> 6) & 1);
    lens_put_u(l, F_ICMPV6_OPT_PREFIX_FLAG_R, at, 1, (flags >> 5) & 1);
    lens_put_u(l, F_ICMPV6_OPT_PREFIX_FLAG_RESERVED, at, 1, flags & 31);
    lens_uint(l, r, F_ICMPV6_OPT_PREFIX_VALID_LIFETIME, 4);
    lens_uint(l, r, F_ICMPV6_OPT_PREFIX_PREFERRED_LIFETIME, 4);
    add_reserved(l, r, 4);
    lens_addr6(l, r, F_ICMPV6_OPT_PREFIX);
}

static void add_rdnss(struct lens *l, struct rd *r)
{
    add_reserved(l, r, 2);
    lens_uint(l, r, F_ICMPV6_OPT_RDNSS_LIFETIME, 4);
    while (rd_left(r) >= 16)
        lens_addr6(l, r, F_ICMPV6_OPT_RDNSS);
}

static void add_redirected(struct lens *l, struct rd *r)
{
    add_reserved(l, r, 6);
    if (r->bad)
        return;
    lens_add(l, F_ICMPV6_OPT_REDIRECTED_PACKET, r->p, rd_left(r));
    dissect_quoted(l, *r, true);
}

static void add_option_body(struct lens *l, uint8_t type, struct rd *r, struct ndp_seen *seen)
{
    switch (type) {
    case NDP_OPT_SLLA:
    case NDP_OPT_TLLA:
        add_linkaddr(l, r, type, seen);
        break;
    case NDP_OPT_PREFIX:
        add_prefix(l, r);
        break;
    case NDP_OPT_REDIRECTED:
        add_redirected(l, r);
        break;
    case NDP_OPT_MTU:
        add_reserved(l, r, 2);
        lens_uint(l, r, F_ICMPV6_OPT_MTU, 4);
        break;
    case NDP_OPT_NONCE:
        lens_bytes(l, r, F_ICMPV6_OPT_NONCE, rd_left(r));
        break;
    case NDP_OPT_RDNSS:
        add_rdnss(l, r);
        break;
    default:
        break;
    }
}

/* One option: its length counts units of eight bytes. */
static bool add_option(struct lens *l, struct rd *r, struct ndp_seen *seen)
{
    struct field *opt = lens_add(l, F_ICMPV6_OPT, r->p, 0);
    size_t all = rd_left(r);
    uint8_t type = (uint8_t)lens_uint(l, r, F_ICMPV6_OPT_TYPE, 1);
    uint64_t units = lens_uint(l, r, F_ICMPV6_OPT_LENGTH, 1);
    if (r->bad || units == 0 || units * 8 > all) {
        r->bad = FAULT_OPT_LEN;
        return false;
    }
    opt->len = (uint32_t)units * 8;
    struct rd body = rd_sub(r, (size_t)units * 8 - 2);
    add_option_body(l, type, &body, seen);
    return rd_join(r, &body);
}

static struct ndp_seen add_options(struct lens *l, struct rd *r)
{
    struct ndp_seen seen = {0};
    while (!r->bad && !rd_done(r) && add_option(l, r, &seen))
        ;
    return seen;
}

/* ---- messages ---- */

static void info_mac(struct lens *l, const char *before, const struct ndp_seen *seen)
{
    if (!seen->has_mac)
        return;
    txt_s(lens_info(l), before);
    txt_mac(lens_info(l), &seen->mac);
}

static void add_rs(struct lens *l, struct rd *r)
{
    lens_bytes(l, r, F_ICMPV6_RESERVED, 4);
    struct ndp_seen seen = add_options(l, r);
    info_mac(l, " from ", &seen);
}

static void add_ra(struct lens *l, struct rd *r)
{
    lens_uint(l, r, F_ICMPV6_ND_RA_CUR_HOP_LIMIT, 1);
    const uint8_t *at = r->p;
    uint64_t flags = lens_uint(l, r, F_ICMPV6_ND_RA_FLAG, 1);
    if (r->bad)
        return;
    lens_put_u(l, F_ICMPV6_ND_RA_FLAG_M, at, 1, flags >> 7);
    lens_put_u(l, F_ICMPV6_ND_RA_FLAG_O, at, 1, (flags >> 6) & 1);
    lens_put_u(l, F_ICMPV6_ND_RA_FLAG_H, at, 1, (flags >> 5) & 1);
    lens_put_u(l, F_ICMPV6_ND_RA_FLAG_PRF, at, 1, (flags >> 3) & 3);
    lens_put_u(l, F_ICMPV6_ND_RA_FLAG_P, at, 1, (flags >> 2) & 1);
    lens_put_u(l, F_ICMPV6_ND_RA_FLAG_RSV, at, 1, flags & 3);
    lens_uint(l, r, F_ICMPV6_ND_RA_ROUTER_LIFETIME, 2);
    lens_uint(l, r, F_ICMPV6_ND_RA_REACHABLE_TIME, 4);
    lens_uint(l, r, F_ICMPV6_ND_RA_RETRANS_TIMER, 4);
    struct ndp_seen seen = add_options(l, r);
    info_mac(l, " from ", &seen);
}

static void add_ns(struct lens *l, struct rd *r)
{
    lens_bytes(l, r, F_ICMPV6_RESERVED, 4);
    struct oriel_addr target = lens_addr6(l, r, F_ICMPV6_ND_NS_TARGET_ADDRESS);
    if (r->bad)
        return;
    txt_s(lens_info(l), " for ");
    txt_addr(lens_info(l), &target);
    struct ndp_seen seen = add_options(l, r);
    info_mac(l, " from ", &seen);
}

static void na_flags_info(struct txt *t, uint64_t flags)
{
    static const char *const names[] = {"rtr", "sol", "ovr"};
    const char *sep = " (";
    if (flags >> 29 == 0)
        txt_s(t, " (none");
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (((flags >> (31 - i)) & 1) == 0)
            continue;
        txt_s(t, sep);
        txt_s(t, names[i]);
        sep = ", ";
    }
    txt_c(t, ')');
}

static void add_na(struct lens *l, struct rd *r)
{
    const uint8_t *at = r->p;
    uint64_t flags = lens_uint(l, r, F_ICMPV6_ND_NA_FLAG, 4);
    if (r->bad)
        return;
    lens_put_u(l, F_ICMPV6_ND_NA_FLAG_R, at, 4, flags >> 31);
    lens_put_u(l, F_ICMPV6_ND_NA_FLAG_S, at, 4, (flags >> 30) & 1);
    lens_put_u(l, F_ICMPV6_ND_NA_FLAG_O, at, 4, (flags >> 29) & 1);
    lens_put_u(l, F_ICMPV6_ND_NA_FLAG_RSV, at, 4, flags & 0x1fffffff);
    struct oriel_addr target = lens_addr6(l, r, F_ICMPV6_ND_NA_TARGET_ADDRESS);
    if (r->bad)
        return;
    txt_c(lens_info(l), ' ');
    txt_addr(lens_info(l), &target);
    na_flags_info(lens_info(l), flags);
    struct ndp_seen seen = add_options(l, r);
    info_mac(l, " is at ", &seen);
}

static void add_redirect(struct lens *l, struct rd *r)
{
    lens_bytes(l, r, F_ICMPV6_RESERVED, 4);
    lens_addr6(l, r, F_ICMPV6_ND_RD_TARGET_ADDRESS);
    lens_addr6(l, r, F_ICMPV6_RD_NA_DESTINATION_ADDRESS);
    if (r->bad)
        return;
    struct ndp_seen seen = add_options(l, r);
    info_mac(l, " is at ", &seen);
}

bool dissect_ndp(struct lens *l, uint8_t type, struct rd *r)
{
    switch (type) {
    case ICMP6_RS:       add_rs(l, r); return true;
    case ICMP6_RA:       add_ra(l, r); return true;
    case ICMP6_NS:       add_ns(l, r); return true;
    case ICMP6_NA:       add_na(l, r); return true;
    case ICMP6_REDIRECT: add_redirect(l, r); return true;
    default:             return false;
    }
}
