/*
 * ARP and RARP (RFC 826, 903). The format carries the lengths of its own addresses; here they are
 * those of Ethernet and IPv4 or the message is refused, as RFC 826 asks of who does not speak them.
 */
#include "wire/arp.h"

#include "wire/eth.h"
#include "wire/fault.h"

#define HW_ETHERNET 1
#define HW_LEN      6
#define PROTO_LEN   4

bool arp_parse(struct rd *r, struct arp_msg *out)
{
    struct rd h = rd_sub(r, ARP_LEN);
    uint16_t hw = rd_u16(&h);
    uint16_t proto = rd_u16(&h);
    uint8_t hw_len = rd_u8(&h);
    uint8_t proto_len = rd_u8(&h);
    out->op = rd_u16(&h);
    rd_copy(&h, out->sha.b, HW_LEN);
    out->spa = addr_v4(rd_u32(&h));
    rd_copy(&h, out->tha.b, HW_LEN);
    out->tpa = addr_v4(rd_u32(&h));
    if (hw != HW_ETHERNET || proto != ETH_IP4)
        rd_fail(&h, FAULT_TYPE);
    else if (hw_len != HW_LEN || proto_len != PROTO_LEN)
        rd_fail(&h, FAULT_ADDR_LEN);
    else if (out->op < ARP_REQUEST || out->op > RARP_REPLY)
        rd_fail(&h, FAULT_TYPE);
    return rd_join(r, &h);
}

void arp_emit(struct wr *w, const struct arp_msg *m)
{
    wr_u16(w, HW_ETHERNET);
    wr_u16(w, ETH_IP4);
    wr_u8(w, HW_LEN);
    wr_u8(w, PROTO_LEN);
    wr_u16(w, m->op);
    wr_bytes(w, span_of(m->sha.b, HW_LEN));
    wr_u32(w, addr_to_v4(&m->spa));
    wr_bytes(w, span_of(m->tha.b, HW_LEN));
    wr_u32(w, addr_to_v4(&m->tpa));
}

static void print_request(struct txt *t, const struct arp_msg *m)
{
    if (addr_same_bits(&m->spa, &m->tpa)) {
        txt_s(t, "ARP Announcement for ");
        txt_addr(t, &m->tpa);
        return;
    }
    txt_s(t, "Who has ");
    txt_addr(t, &m->tpa);
    if (addr_is_unspecified(&m->spa)) {
        txt_s(t, "? (ARP Probe)");
        return;
    }
    txt_s(t, "? Tell ");
    txt_addr(t, &m->spa);
}

static void print_reply(struct txt *t, const struct arp_msg *m)
{
    if (addr_same_bits(&m->spa, &m->tpa))
        txt_s(t, "Gratuitous ARP: ");
    txt_addr(t, &m->spa);
    txt_s(t, " is at ");
    txt_mac(t, &m->sha);
}

void arp_print(struct txt *t, const struct arp_msg *m)
{
    switch (m->op) {
    case ARP_REQUEST:
        print_request(t, m);
        return;
    case ARP_REPLY:
        print_reply(t, m);
        return;
    case RARP_REQUEST:
        txt_s(t, "Who is ");
        txt_mac(t, &m->tha);
        txt_s(t, "? Tell ");
        txt_mac(t, &m->sha);
        return;
    case RARP_REPLY:
        txt_mac(t, &m->tha);
        txt_s(t, " is at ");
        txt_addr(t, &m->tpa);
        return;
    default:
        txt_s(t, "ARP operation ");
        txt_u(t, m->op);
    }
}
