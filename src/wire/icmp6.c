/*
 * ICMPv6 (RFC 4443): type, code and checksum are common; errors and echo have four bytes more. The
 * checksum covers a pseudo-header, so a message cannot be read without its packet's addresses.
 *
 * What a type does not use is ignored on receipt and sent as zero.
 */
#include "wire/icmp6.h"

#include "base/csum.h"
#include "wire/fault.h"
#include "wire/ip4.h"

#define AT_CSUM    2
#define COMMON_LEN 4

static bool is_echo(uint8_t type)
{
    return type == ICMP6_ECHO || type == ICMP6_ECHO_REPLY;
}

/* The second four bytes, as a number. */
static void read_rest(uint32_t rest, struct icmp6_hdr *out)
{
    if (is_echo(out->type)) {
        out->id = (uint16_t)(rest >> 16);
        out->seq = (uint16_t)rest;
    } else if (out->type == ICMP6_TOO_BIG) {
        out->mtu = rest;
    } else if (out->type == ICMP6_PARAM_PROBLEM) {
        out->pointer = rest;
    }
}

static bool csum_is_right(struct span all, const struct oriel_addr *src,
                          const struct oriel_addr *dst)
{
    uint32_t sum = csum_pseudo(src, dst, IP_ICMP6, (uint32_t)all.n);
    return csum_finish(csum_add(sum, csum_span(&csum_portable, all))) == 0;
}

bool icmp6_parse(struct rd *r, const struct oriel_addr *src, const struct oriel_addr *dst,
                 struct icmp6_hdr *out)
{
    struct span all = span_of(r->p, rd_left(r));
    struct rd h = rd_sub(r, COMMON_LEN);
    *out = (struct icmp6_hdr){0};
    out->type = rd_u8(&h);
    out->code = rd_u8(&h);
    out->csum = rd_u16(&h);
    if (!rd_join(r, &h))
        return false;
    if (icmp6_is_error(out->type) || is_echo(out->type))
        read_rest(rd_u32(r), out);
    if (!csum_is_right(all, src, dst))
        rd_fail(r, FAULT_CSUM);
    return r->bad == 0;
}

static uint32_t rest_of(const struct icmp6_hdr *h)
{
    if (is_echo(h->type))
        return ((uint32_t)h->id << 16) | h->seq;
    if (h->type == ICMP6_TOO_BIG)
        return h->mtu;
    return h->type == ICMP6_PARAM_PROBLEM ? h->pointer : 0;
}

void icmp6_emit(struct wr *w, const struct icmp6_hdr *h, const struct oriel_addr *src,
                const struct oriel_addr *dst, uint32_t len, uint32_t data_sum)
{
    ORIEL_ASSERT(icmp6_is_error(h->type) || is_echo(h->type));
    ORIEL_ASSERT(len >= ICMP6_HDR_LEN);
    uint8_t *at = wr_room(w, ICMP6_HDR_LEN);
    if (!at)
        return;
    struct wr f = wr_of(at, ICMP6_HDR_LEN);
    wr_u8(&f, h->type);
    wr_u8(&f, h->code);
    wr_u16(&f, 0);
    wr_u32(&f, rest_of(h));
    uint32_t sum = csum_add(csum_small(at, ICMP6_HDR_LEN), data_sum);
    sum = csum_add(sum, csum_pseudo(src, dst, IP_ICMP6, len));
    wr_patch_u16(&f, AT_CSUM, csum_finish(sum));
}

void icmp6_seal(struct wr *w, const struct oriel_addr *src, const struct oriel_addr *dst)
{
    struct span all = wr_span(w);
    uint32_t sum = csum_pseudo(src, dst, IP_ICMP6, (uint32_t)all.n);
    wr_patch_u16(w, AT_CSUM, csum_finish(csum_add(sum, csum_span(&csum_portable, all))));
}

static const char *type_text(uint8_t type)
{
    switch (type) {
    case ICMP6_UNREACHABLE:   return "Destination Unreachable";
    case ICMP6_TOO_BIG:       return "Packet Too Big";
    case ICMP6_TIME_EXCEEDED: return "Time Exceeded";
    case ICMP6_PARAM_PROBLEM: return "Parameter Problem";
    case ICMP6_ECHO:          return "Echo (ping) request";
    case ICMP6_ECHO_REPLY:    return "Echo (ping) reply";
    case ICMP6_MLD_QUERY:     return "Multicast Listener Query";
    case ICMP6_MLD_REPORT:    return "Multicast Listener Report";
    case ICMP6_MLD_DONE:      return "Multicast Listener Done";
    case ICMP6_RS:            return "Router Solicitation";
    case ICMP6_RA:            return "Router Advertisement";
    case ICMP6_NS:            return "Neighbor Solicitation";
    case ICMP6_NA:            return "Neighbor Advertisement";
    case ICMP6_REDIRECT:      return "Redirect";
    case ICMP6_MLD2_REPORT:   return "Multicast Listener Report v2";
    default:                  return NULL;
    }
}

static const char *code_text(uint8_t type, uint8_t code)
{
    static const char *const unreachable[] = {
        "no route to destination",
        "Administratively prohibited",
        "Beyond scope of source address",
        "Address unreachable",
        "Port unreachable",
        "Source address failed ingress/egress policy",
        "Reject route to destination",
    };
    static const char *const exceeded[] = {
        "hop limit exceeded in transit",
        "fragment reassembly time exceeded",
    };
    static const char *const param[] = {
        "erroneous header field encountered",
        "unrecognized Next Header type encountered",
        "unrecognized IPv6 option encountered",
        "First Fragment has incomplete IPv6 Header Chain",
    };
    switch (type) {
    case ICMP6_UNREACHABLE:
        return code < ARRAY_LEN(unreachable) ? unreachable[code] : NULL;
    case ICMP6_TIME_EXCEEDED:
        return code < ARRAY_LEN(exceeded) ? exceeded[code] : NULL;
    case ICMP6_PARAM_PROBLEM:
        return code < ARRAY_LEN(param) ? param[code] : NULL;
    default:
        return NULL;
    }
}

static void print_code(struct txt *t, const struct icmp6_hdr *h)
{
    const char *code = code_text(h->type, h->code);
    if (code) {
        txt_s(t, " (");
        txt_s(t, code);
        txt_c(t, ')');
    } else if (h->code != 0) {
        txt_s(t, " (code ");
        txt_u(t, h->code);
        txt_c(t, ')');
    }
}

void icmp6_print(struct txt *t, const struct icmp6_hdr *h)
{
    const char *type = type_text(h->type);
    if (type) {
        txt_s(t, type);
    } else {
        txt_s(t, "ICMPv6 type ");
        txt_u(t, h->type);
    }
    print_code(t, h);
    if (is_echo(h->type)) {
        txt_s(t, " id=0x");
        txt_hex(t, h->id, 4);
        txt_s(t, " seq=");
        txt_u(t, h->seq);
    } else if (h->type == ICMP6_TOO_BIG) {
        txt_s(t, " mtu=");
        txt_u(t, h->mtu);
    } else if (h->type == ICMP6_PARAM_PROBLEM) {
        txt_s(t, " pointer=");
        txt_u(t, h->pointer);
    }
}
