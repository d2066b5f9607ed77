/* ICMPv6: errors and echo here; neighbour discovery and multicast listeners by their messages. */
#include "lens/layer.h"
#include "wire/icmp6.h"
#include "wire/mld.h"
#include "wire/ndp.h"

static const struct lens_name types[] = {
    {ICMP6_UNREACHABLE, "Destination Unreachable"},
    {ICMP6_TOO_BIG, "Packet Too Big"},
    {ICMP6_TIME_EXCEEDED, "Time Exceeded"},
    {ICMP6_PARAM_PROBLEM, "Parameter Problem"},
    {ICMP6_ECHO, "Echo (ping) request"},
    {ICMP6_ECHO_REPLY, "Echo (ping) reply"},
    {ICMP6_MLD_QUERY, "Multicast Listener Query"},
    {ICMP6_MLD_REPORT, "Multicast Listener Report"},
    {ICMP6_MLD_DONE, "Multicast Listener Done"},
    {ICMP6_RS, "Router Solicitation"},
    {ICMP6_RA, "Router Advertisement"},
    {ICMP6_NS, "Neighbor Solicitation"},
    {ICMP6_NA, "Neighbor Advertisement"},
    {ICMP6_REDIRECT, "Redirect"},
    {ICMP6_MLD2_REPORT, "Multicast Listener Report Message v2"},
    {0, NULL},
};

static const struct lens_name unreachable[] = {
    {0, "no route to destination"},
    {1, "Administratively prohibited"},
    {2, "Beyond scope of source address"},
    {3, "Address unreachable"},
    {4, "Port unreachable"},
    {5, "Source address failed ingress/egress policy"},
    {6, "Reject route to destination"},
    {0, NULL},
};

static const struct lens_name exceeded[] = {
    {0, "hop limit exceeded in transit"},
    {1, "fragment reassembly time exceeded"},
    {0, NULL},
};

static const struct lens_name problems[] = {
    {0, "erroneous header field encountered"},
    {1, "unrecognized Next Header type encountered"},
    {2, "unrecognized IPv6 option encountered"},
    {3, "IPv6 First Fragment has incomplete IPv6 Header Chain"},
    {0, NULL},
};

static const char *code_name(uint8_t type, uint8_t code)
{
    switch (type) {
    case ICMP6_UNREACHABLE:   return lens_name_of(unreachable, code);
    case ICMP6_TIME_EXCEEDED: return lens_name_of(exceeded, code);
    case ICMP6_PARAM_PROBLEM: return lens_name_of(problems, code);
    default:                  return NULL;
    }
}

static void icmp6_info(struct txt *t, uint8_t type, uint8_t code)
{
    const char *name = lens_name_of(types, type);
    if (name) {
        txt_s(t, name);
    } else {
        txt_s(t, "Unknown (");
        txt_u(t, type);
        txt_c(t, ')');
    }
    const char *what = code_name(type, code);
    if (!what)
        return;
    txt_s(t, " (");
    txt_s(t, what);
    txt_c(t, ')');
}

static void add_echo(struct lens *l, struct rd *r)
{
    uint64_t id = lens_uint(l, r, F_ICMPV6_ECHO_IDENTIFIER, 2);
    uint64_t seq = lens_uint(l, r, F_ICMPV6_ECHO_SEQUENCE_NUMBER, 2);
    struct txt *t = lens_info(l);
    txt_s(t, " id=0x");
    txt_hex(t, id, 4);
    txt_s(t, ", seq=");
    txt_u(t, seq);
    txt_s(t, ", hop limit=");
    txt_u(t, l->ttl);
}

static void dissect_error(struct lens *l, struct field *layer, struct rd r, uint8_t type)
{
    if (type == ICMP6_TOO_BIG) {
        lens_uint(l, &r, F_ICMPV6_MTU, 4);
    } else if (type == ICMP6_PARAM_PROBLEM) {
        lens_uint(l, &r, F_ICMPV6_POINTER, 4);
    } else {
        struct rd peek = r;
        bool length = rd_u8(&peek) != 0;        /* RFC 4884, 4 */
        if (length)
            lens_uint(l, &r, F_ICMPV6_LENGTH, 1);
        lens_bytes(l, &r, F_ICMPV6_RESERVED, length ? 3 : 4);
    }
    lens_layer_end(layer, &r);
    if (!lens_is_bad(l, &r) && !rd_done(&r))
        dissect_quoted(l, r, true);
}

static void dissect_message(struct lens *l, struct field *layer, struct rd r, uint8_t type)
{
    if (type == ICMP6_ECHO || type == ICMP6_ECHO_REPLY) {
        add_echo(l, &r);
        lens_layer_end(layer, &r);
        if (!lens_is_bad(l, &r))
            dissect_data(l, r);
        return;
    }
    if (dissect_ndp(l, type, &r) || dissect_mld(l, type, &r)) {
        lens_layer_end(layer, &r);
        (void)lens_is_bad(l, &r);
        return;
    }
    lens_layer_end(layer, &r);
}

void dissect_icmp6(struct lens *l, struct rd r)
{
    struct field *layer = lens_layer(l, F_ICMPV6, &r);
    lens_columns(l, "ICMPv6");
    if (!layer)
        return;
    uint32_t sum = csum_add(lens_sum(lens_peek(&r)),
                            csum_pseudo(&l->ip_src, &l->ip_dst, IP_ICMP6, (uint32_t)rd_left(&r)));
    uint8_t type = (uint8_t)lens_uint(l, &r, F_ICMPV6_TYPE, 1);
    uint8_t code = (uint8_t)lens_uint(l, &r, F_ICMPV6_CODE, 1);
    lens_uint(l, &r, F_ICMPV6_CHECKSUM, 2);
    if (lens_is_bad(l, &r))
        return;
    lens_put_u(l, F_ICMPV6_CHECKSUM_STATUS, NULL, 0,
               l->quoted ? LENS_CSUM_UNVERIFIED : lens_csum_of(l, sum));
    icmp6_info(lens_info(l), type, code);
    if (type >= ICMP6_UNREACHABLE && type <= ICMP6_PARAM_PROBLEM)
        dissect_error(l, layer, r, type);
    else
        dissect_message(l, layer, r, type);
}
