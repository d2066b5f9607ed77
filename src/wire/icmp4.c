/*
 * ICMP (RFC 792; the next-hop MTU of RFC 1191): eight bytes whose second half means something else
 * for every type, then data or a quote of the datagram at fault.
 *
 * What a type does not use is ignored on receipt and sent as zero.
 */
#include "wire/icmp4.h"

#include "base/csum.h"
#include "wire/fault.h"

#define AT_CSUM 2
#define AT_ID   4

static void read_rest(struct rd *h, struct icmp4_hdr *out)
{
    switch (out->type) {
    case ICMP4_ECHO:
    case ICMP4_ECHO_REPLY:
    case ICMP4_TIMESTAMP:
    case ICMP4_TIMESTAMP_REPLY:
        out->id = rd_u16(h);
        out->seq = rd_u16(h);
        return;
    case ICMP4_UNREACHABLE:
        rd_skip(h, 2);
        if (out->code == ICMP4_FRAG_NEEDED)
            out->mtu = rd_u16(h);
        return;
    case ICMP4_REDIRECT:
        out->gateway = addr_v4(rd_u32(h));
        return;
    case ICMP4_PARAM_PROBLEM:
        out->pointer = rd_u8(h);
        return;
    default:
        return;
    }
}

bool icmp4_parse(struct rd *r, struct icmp4_hdr *out)
{
    struct span all = span_of(r->p, rd_left(r));
    struct rd h = rd_sub(r, ICMP4_HDR_LEN);
    *out = (struct icmp4_hdr){0};
    out->type = rd_u8(&h);
    out->code = rd_u8(&h);
    out->csum = rd_u16(&h);
    read_rest(&h, out);
    if (h.bad == 0 && csum_finish(csum_span(&csum_portable, all)) != 0)
        rd_fail(&h, FAULT_CSUM);
    return rd_join(r, &h);
}

/* The second four bytes, as a number. */
static uint32_t rest_of(const struct icmp4_hdr *h)
{
    switch (h->type) {
    case ICMP4_ECHO:
    case ICMP4_ECHO_REPLY:
    case ICMP4_TIMESTAMP:
    case ICMP4_TIMESTAMP_REPLY:
        return ((uint32_t)h->id << 16) | h->seq;
    case ICMP4_UNREACHABLE:
        return h->code == ICMP4_FRAG_NEEDED ? h->mtu : 0;
    case ICMP4_REDIRECT:
        return addr_to_v4(&h->gateway);
    case ICMP4_PARAM_PROBLEM:
        return (uint32_t)h->pointer << 24;
    default:
        return 0;
    }
}

void icmp4_emit(struct wr *w, const struct icmp4_hdr *h, uint32_t data_sum)
{
    uint8_t *at = wr_room(w, ICMP4_HDR_LEN);
    if (!at)
        return;
    struct wr f = wr_of(at, ICMP4_HDR_LEN);
    wr_u8(&f, h->type);
    wr_u8(&f, h->code);
    wr_u16(&f, 0);
    wr_u32(&f, rest_of(h));
    uint32_t sum = csum_add(csum_small(at, ICMP4_HDR_LEN), data_sum);
    wr_patch_u16(&f, AT_CSUM, csum_finish(sum));
}

bool icmp4_is_error(uint8_t type)
{
    switch (type) {
    case ICMP4_UNREACHABLE:
    case ICMP4_SOURCE_QUENCH:
    case ICMP4_REDIRECT:
    case ICMP4_TIME_EXCEEDED:
    case ICMP4_PARAM_PROBLEM:
        return true;
    default:
        return false;
    }
}

static const char *type_text(uint8_t type)
{
    switch (type) {
    case ICMP4_ECHO_REPLY:      return "Echo (ping) reply";
    case ICMP4_UNREACHABLE:     return "Destination unreachable";
    case ICMP4_SOURCE_QUENCH:   return "Source quench";
    case ICMP4_REDIRECT:        return "Redirect";
    case ICMP4_ECHO:            return "Echo (ping) request";
    case ICMP4_TIME_EXCEEDED:   return "Time-to-live exceeded";
    case ICMP4_PARAM_PROBLEM:   return "Parameter problem";
    case ICMP4_TIMESTAMP:       return "Timestamp request";
    case ICMP4_TIMESTAMP_REPLY: return "Timestamp reply";
    default:                    return NULL;
    }
}

static const char *unreachable_text(uint8_t code)
{
    static const char *const text[] = {
        "Network unreachable",
        "Host unreachable",
        "Protocol unreachable",
        "Port unreachable",
        "Fragmentation needed",
        "Source route failed",
        "Network unknown",
        "Host unknown",
        "Source host isolated",
        "Network administratively prohibited",
        "Host administratively prohibited",
        "Network unreachable for TOS",
        "Host unreachable for TOS",
        "Communication administratively filtered",
    };
    return code < ARRAY_LEN(text) ? text[code] : NULL;
}

static const char *code_text(uint8_t type, uint8_t code)
{
    static const char *const redirect[] = {
        "Redirect for network",
        "Redirect for host",
        "Redirect for TOS and network",
        "Redirect for TOS and host",
    };
    switch (type) {
    case ICMP4_UNREACHABLE:
        return unreachable_text(code);
    case ICMP4_REDIRECT:
        return code < ARRAY_LEN(redirect) ? redirect[code] : NULL;
    case ICMP4_TIME_EXCEEDED:
        if (code == ICMP4_TTL)
            return "Time to live exceeded in transit";
        return code == ICMP4_REASM ? "Fragment reassembly time exceeded" : NULL;
    default:
        return NULL;
    }
}

static void print_code(struct txt *t, const struct icmp4_hdr *h)
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

static void print_rest(struct txt *t, const struct icmp4_hdr *h)
{
    switch (h->type) {
    case ICMP4_ECHO:
    case ICMP4_ECHO_REPLY:
    case ICMP4_TIMESTAMP:
    case ICMP4_TIMESTAMP_REPLY:
        txt_s(t, " id=0x");
        txt_hex(t, h->id, 4);
        txt_s(t, " seq=");
        txt_u(t, h->seq);
        return;
    case ICMP4_UNREACHABLE:
        if (h->code == ICMP4_FRAG_NEEDED) {
            txt_s(t, " mtu=");
            txt_u(t, h->mtu);
        }
        return;
    case ICMP4_REDIRECT:
        txt_s(t, " to ");
        txt_addr(t, &h->gateway);
        return;
    case ICMP4_PARAM_PROBLEM:
        txt_s(t, " pointer=");
        txt_u(t, h->pointer);
        return;
    default:
        return;
    }
}

void icmp4_print(struct txt *t, const struct icmp4_hdr *h)
{
    const char *type = type_text(h->type);
    if (type) {
        txt_s(t, type);
    } else {
        txt_s(t, "ICMP type ");
        txt_u(t, h->type);
    }
    print_code(t, h);
    print_rest(t, h);
}

/* ---- changing in place ---- */

static uint16_t word_at(const uint8_t *at)
{
    struct rd r = rd_of(span_of(at, 2));
    return rd_u16(&r);
}

static void put_word(uint8_t *at, uint16_t v)
{
    struct wr w = wr_of(at, 2);
    wr_u16(&w, v);
}

void icmp4_patch_id(uint8_t *message, uint16_t id)
{
    uint16_t csum = csum_update16(word_at(message + AT_CSUM), word_at(message + AT_ID), id);
    put_word(message + AT_CSUM, csum);
    put_word(message + AT_ID, id);
}

void icmp4_reseal(uint8_t *message, size_t n)
{
    ORIEL_ASSERT(n >= ICMP4_HDR_LEN);
    put_word(message + AT_CSUM, 0);
    put_word(message + AT_CSUM, csum_finish(csum_span(&csum_portable, span_of(message, n))));
}
