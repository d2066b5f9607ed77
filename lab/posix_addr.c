/* struct sockaddr_in and sockaddr_in6, byte by byte: the family in the machine's order, the rest in
 * the wire's. */
#include "lab/posix.h"

#define IN_BYTES  16            /* family, port, address, eight of padding */
#define IN6_BYTES 28            /* family, port, flow, address, scope */

int px_sockaddr_parse(struct span bytes, struct oriel_endpoint *out)
{
    uint16_t family = 0;
    if (bytes.n < sizeof(family))
        return -PX_EINVAL;
    memcpy(&family, bytes.p, sizeof(family));
    struct rd r = rd_of(bytes);
    rd_skip(&r, sizeof(family));
    out->port = rd_u16(&r);
    if (family == PX_AF_UNSPEC) {
        *out = (struct oriel_endpoint){.addr = ADDR_NONE};
        return 0;
    }
    if (family == PX_AF_INET) {
        out->addr = rd_addr4(&r);
        return bytes.n >= IN_BYTES ? 0 : -PX_EINVAL;
    }
    if (family != PX_AF_INET6)
        return -PX_EAFNOSUPPORT;
    rd_skip(&r, 4);
    out->addr = rd_addr6(&r);
    return r.bad == 0 ? 0 : -PX_EINVAL;
}

size_t px_sockaddr_emit(const struct oriel_endpoint *e, bool v6, uint8_t out[PX_SOCKADDR_MAX])
{
    uint16_t family = v6 || !addr_is_v4(&e->addr) ? PX_AF_INET6 : PX_AF_INET;
    struct wr w = wr_of(out, PX_SOCKADDR_MAX);
    wr_bytes(&w, span_of(&family, sizeof(family)));
    wr_u16(&w, e->port);
    if (family == PX_AF_INET) {
        wr_addr4(&w, &e->addr);
        wr_zeros(&w, 8);
    } else {
        wr_zeros(&w, 4);
        wr_addr6(&w, &e->addr);
        wr_zeros(&w, 4);
    }
    ORIEL_ASSERT(!w.bad);
    return wr_len(&w);
}
