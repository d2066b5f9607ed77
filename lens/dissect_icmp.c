/*
 * ICMP, and the packets that errors quote.
 *
 * A quoted packet's fields appear among the frame's own, as Wireshark has it: `ip.dst == X` finds
 * the errors about X, too. Its columns do not show, and its end is where the router cut it.
 */
#include "lens/layer.h"
#include "wire/icmp4.h"

static const struct lens_name unreachable[] = {
    {0, "Network unreachable"},
    {1, "Host unreachable"},
    {2, "Protocol unreachable"},
    {3, "Port unreachable"},
    {4, "Fragmentation needed"},
    {5, "Source route failed"},
    {6, "Network unknown"},
    {7, "Host unknown"},
    {8, "Source host isolated"},
    {9, "Network administratively prohibited"},
    {10, "Host administratively prohibited"},
    {11, "Network unreachable for TOS"},
    {12, "Host unreachable for TOS"},
    {13, "Communication administratively filtered"},
    {14, "Host precedence violation"},
    {15, "Precedence cutoff in effect"},
    {0, NULL},
};

static const struct lens_name redirects[] = {
    {0, "Redirect for network"},
    {1, "Redirect for host"},
    {2, "Redirect for type of service and network"},
    {3, "Redirect for type of service and host"},
    {0, NULL},
};

static const struct lens_name exceeded[] = {
    {ICMP4_TTL, "Time to live exceeded in transit"},
    {ICMP4_REASM, "Fragment reassembly time exceeded"},
    {0, NULL},
};

static const struct lens_name problems[] = {
    {0, "Pointer indicates the error"},
    {1, "Required option missing"},
    {2, "Bad length"},
    {0, NULL},
};

/* With the spaces that tshark puts behind the short ones. */
static const struct lens_name types[] = {
    {ICMP4_ECHO_REPLY, "Echo (ping) reply   "},
    {ICMP4_UNREACHABLE, "Destination unreachable"},
    {ICMP4_SOURCE_QUENCH, "Source quench (flow control)"},
    {ICMP4_REDIRECT, "Redirect            "},
    {ICMP4_ECHO, "Echo (ping) request "},
    {9, "Mobile IP Advertisement"},
    {10, "Router solicitation "},
    {ICMP4_TIME_EXCEEDED, "Time-to-live exceeded"},
    {ICMP4_PARAM_PROBLEM, "Parameter problem   "},
    {ICMP4_TIMESTAMP, "Timestamp request   "},
    {ICMP4_TIMESTAMP_REPLY, "Timestamp reply     "},
    {0, NULL},
};

static const char *code_name(uint8_t type, uint8_t code)
{
    switch (type) {
    case ICMP4_UNREACHABLE:   return lens_name_of(unreachable, code);
    case ICMP4_REDIRECT:      return lens_name_of(redirects, code);
    case ICMP4_TIME_EXCEEDED: return lens_name_of(exceeded, code);
    case ICMP4_PARAM_PROBLEM: return lens_name_of(problems, code);
    default:                  return NULL;
    }
}

void dissect_quoted(struct lens *l, struct rd r, bool v6)
{
    bool was_quoted = l->quoted;
    struct oriel_addr src = l->ip_src;
    struct oriel_addr dst = l->ip_dst;
    uint8_t ttl = l->ttl;
    bool partial = l->partial;
    bool was_v6 = l->v6;
    l->quoted = true;
    if (v6)
        dissect_ip6(l, r);
    else
        dissect_ip4(l, r);
    l->quoted = was_quoted;
    l->partial = partial;
    l->v6 = was_v6;
    l->ip_src = src;
    l->ip_dst = dst;
    l->ttl = ttl;
}

static uint16_t swapped(uint64_t v)
{
    return (uint16_t)((v << 8 | v >> 8) & 0xffff);
}

static void add_id_and_seq(struct lens *l, struct rd *r)
{
    const uint8_t *at = r->p;
    uint64_t id = lens_uint(l, r, F_ICMP_IDENT, 2);
    uint64_t seq = lens_uint(l, r, F_ICMP_SEQ, 2);
    if (r->bad)
        return;
    lens_put_u(l, F_ICMP_IDENT_LE, at, 2, swapped(id));
    lens_put_u(l, F_ICMP_SEQ_LE, at + 2, 2, swapped(seq));
    struct txt *t = lens_info(l);
    txt_s(t, " id=0x");
    txt_hex(t, id, 4);
    txt_s(t, ", seq=");
    txt_u(t, seq);
    txt_c(t, '/');
    txt_u(t, swapped(seq));
    txt_s(t, ", ttl=");
    txt_u(t, l->ttl);
}

/*
 * The four bytes of an error: RFC 4884, 4 made a length of the second one, which old ones leave 0;
 * then it is unused like the bytes around it.
 */
static void add_error_bytes(struct lens *l, struct rd *r, uint8_t type, uint8_t code)
{
    bool pointer = type == ICMP4_PARAM_PROBLEM;
    bool mtu = type == ICMP4_UNREACHABLE && code == ICMP4_FRAG_NEEDED;
    struct rd peek = *r;
    rd_skip(&peek, 1);
    bool length = rd_u8(&peek) != 0;
    if (pointer)
        lens_uint(l, r, F_ICMP_POINTER, 1);
    if (length) {
        if (!pointer)
            lens_bytes(l, r, F_ICMP_UNUSED, 1);
        lens_uint(l, r, F_ICMP_LENGTH, 1);
    }
    size_t unused = length ? 2 : pointer ? 3 : 4;
    if (mtu)
        unused -= 2;
    if (unused > 0)
        lens_bytes(l, r, F_ICMP_UNUSED, unused);
    if (mtu)
        lens_uint(l, r, F_ICMP_MTU, 2);
}

/* The four bytes whose meaning depends on the type, and what is behind them. */
static void add_rest(struct lens *l, struct rd *r, uint8_t type, uint8_t code)
{
    switch (type) {
    case ICMP4_ECHO:
    case ICMP4_ECHO_REPLY:
        add_id_and_seq(l, r);
        break;
    case ICMP4_TIMESTAMP:
    case ICMP4_TIMESTAMP_REPLY:
        add_id_and_seq(l, r);
        lens_uint(l, r, F_ICMP_ORIGINATE_TIMESTAMP, 4);
        lens_uint(l, r, F_ICMP_RECEIVE_TIMESTAMP, 4);
        lens_uint(l, r, F_ICMP_TRANSMIT_TIMESTAMP, 4);
        break;
    case ICMP4_UNREACHABLE:
    case ICMP4_TIME_EXCEEDED:
    case ICMP4_PARAM_PROBLEM:
        add_error_bytes(l, r, type, code);
        break;
    case ICMP4_REDIRECT:
        lens_addr4(l, r, F_ICMP_REDIR_GW);
        break;
    case ICMP4_SOURCE_QUENCH:
        rd_skip(r, 4);
        break;
    default:
        break;
    }
}

static void icmp4_info(struct txt *t, uint8_t type, uint8_t code)
{
    const char *name = lens_name_of(types, type);
    if (name) {
        txt_s(t, name);
    } else {
        txt_s(t, "Unknown ICMP (obsolete or malformed?)");
    }
    const char *what = code_name(type, code);
    if (!what)
        return;
    txt_s(t, " (");
    txt_s(t, what);
    txt_c(t, ')');
}

void dissect_icmp4(struct lens *l, struct rd r)
{
    struct field *layer = lens_layer(l, F_ICMP, &r);
    lens_columns(l, "ICMP");
    if (!layer)
        return;
    uint32_t sum = lens_sum(lens_peek(&r));
    uint8_t type = (uint8_t)lens_uint(l, &r, F_ICMP_TYPE, 1);
    uint8_t code = (uint8_t)lens_uint(l, &r, F_ICMP_CODE, 1);
    lens_uint(l, &r, F_ICMP_CHECKSUM, 2);
    if (lens_is_bad(l, &r))
        return;
    lens_put_u(l, F_ICMP_CHECKSUM_STATUS, NULL, 0,
               l->quoted ? LENS_CSUM_UNVERIFIED : lens_csum_of(l, sum));
    icmp4_info(lens_info(l), type, code);
    add_rest(l, &r, type, code);
    lens_layer_end(layer, &r);
    if (lens_is_bad(l, &r))
        return;
    if (icmp4_is_error(type) && !rd_done(&r))
        dissect_quoted(l, r, false);
    else if (type == ICMP4_ECHO || type == ICMP4_ECHO_REPLY)
        dissect_data(l, r);
}
