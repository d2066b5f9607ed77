/* Links: Ethernet, tags, SNAP, ARP, VXLAN. The destination comes from what is inside. */
#include "lab/craft_layer.h"

#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/vxlan.h"

#define MAC_OF_SENDER   ((struct mac){{0x02, 0, 0, 0, 0, 0x01}})
#define MAC_OF_RECEIVER ((struct mac){{0x02, 0, 0, 0, 0, 0x02}})
#define VXLAN_VALID 0x08    /* the I flag */

/* The type that stands before the layer that follows: a tag may have chosen its own. */
static uint16_t type_of_next(const struct craft *c)
{
    const struct craft_kind *next = craft_next(c);
    if (!next || next->ethertype == 0)
        return CRAFT_NO_TYPE;
    if (!craft_next_is(c, "vlan"))
        return next->ethertype;
    struct craft_word word;
    size_t at = 0;
    uint64_t tpid = ETH_VLAN;
    while (craft_cut_word(c->layers[c->at + 1].args, &at, &word))
        if (span_is(word.key, "tpid"))
            (void)txt_parse_u(word.value, UINT16_MAX, &tpid);   /* wrong: said by the tag */
    return (uint16_t)tpid;
}

/* The network layer's destination, however many tags are before it. */
static struct mac mac_for_dst(const struct craft *c)
{
    for (unsigned i = c->at + 1; i < c->n; i++) {
        const char *name = c->layers[i].kind->name;
        if (strcmp(name, "vlan") == 0 || strcmp(name, "snap") == 0)
            continue;
        struct craft_word word;
        size_t at = 0;
        struct oriel_addr dst = ADDR_NONE;
        bool reply = false;
        while (craft_cut_word(c->layers[i].args, &at, &word)) {
            if (span_is(word.key, "dst"))
                (void)addr_parse(word.value, &dst);
            reply = reply || span_is(word.text, "op=reply");
        }
        if (strcmp(name, "arp") == 0)
            return reply ? MAC_OF_RECEIVER : MAC_BROADCAST;
        if (addr_is_limited_broadcast(&dst))
            return MAC_BROADCAST;
        return addr_is_multicast(&dst) ? addr_multicast_mac(&dst) : MAC_OF_RECEIVER;
    }
    return MAC_OF_RECEIVER;
}

void craft_eth(struct craft *c)
{
    struct mac dst = craft_mac(c, "dst", mac_for_dst(c));
    struct mac src = craft_mac(c, "src", MAC_OF_SENDER);
    uint16_t type = (uint16_t)craft_u(c, "type", UINT16_MAX, type_of_next(c));
    bool has_len = craft_has(c, "len");
    uint16_t len = (uint16_t)craft_u(c, "len", UINT16_MAX, 0);
    if (!craft_args_done(c))
        return;
    wr_mac(c->w, &dst);
    wr_mac(c->w, &src);
    size_t at = wr_len(c->w);
    bool snap = craft_next_is(c, "snap");
    wr_u16(c->w, has_len || snap ? len : type);
    craft_rest(c);
    if (snap && !has_len && !c->w->bad)
        wr_patch_u16(c->w, at, (uint16_t)(wr_len(c->w) - at - 2));
}

void craft_vlan(struct craft *c)
{
    uint64_t id = craft_u(c, "id", 0xfff, 1);
    uint64_t pcp = craft_u(c, "pcp", 7, 0);
    uint64_t dei = craft_flag(c, "dei");
    uint64_t type = craft_u(c, "type", UINT16_MAX, type_of_next(c));
    craft_u(c, "tpid", UINT16_MAX, 0);      /* written by the layer before */
    if (!craft_args_done(c))
        return;
    wr_u16(c->w, (uint16_t)(pcp << 13 | dei << 12 | id));
    wr_u16(c->w, (uint16_t)type);
    craft_rest(c);
}

void craft_snap(struct craft *c)
{
    uint64_t type = craft_u(c, "type", UINT16_MAX, type_of_next(c));
    uint64_t oui = craft_u(c, "oui", 0xffffff, 0);
    if (!craft_args_done(c))
        return;
    wr_u24(c->w, 0xaaaa03);
    wr_u24(c->w, (uint32_t)oui);
    wr_u16(c->w, (uint16_t)type);
    craft_rest(c);
}

static const struct craft_name arp_ops[] = {
    {"request", ARP_REQUEST},
    {"reply", ARP_REPLY},
    {"rarp-request", RARP_REQUEST},
    {"rarp-reply", RARP_REPLY},
    {NULL, 0},
};

void craft_arp(struct craft *c)
{
    uint64_t op = craft_named(c, "op", arp_ops, UINT16_MAX, ARP_REQUEST);
    uint64_t hwtype = craft_u(c, "hwtype", UINT16_MAX, 1);
    uint64_t proto = craft_u(c, "proto", UINT16_MAX, ETH_IP4);
    uint64_t hlen = craft_u(c, "hlen", UINT8_MAX, 6);
    uint64_t plen = craft_u(c, "plen", UINT8_MAX, 4);
    struct mac sha = craft_mac(c, "sha", MAC_OF_SENDER);
    struct mac tha = craft_mac(c, "tha", op == ARP_REPLY ? MAC_OF_RECEIVER : MAC_NONE);
    struct oriel_addr spa = craft_addr(c, "spa", false, NULL);
    struct oriel_addr tpa = craft_addr(c, "tpa", false, NULL);
    if (!craft_args_done(c))
        return;
    wr_u16(c->w, (uint16_t)hwtype);
    wr_u16(c->w, (uint16_t)proto);
    wr_u8(c->w, (uint8_t)hlen);
    wr_u8(c->w, (uint8_t)plen);
    wr_u16(c->w, (uint16_t)op);
    wr_mac(c->w, &sha);
    wr_addr4(c->w, &spa);
    wr_mac(c->w, &tha);
    wr_addr4(c->w, &tpa);
    craft_rest(c);
}

void craft_vxlan(struct craft *c)
{
    uint64_t vni = craft_u(c, "vni", VXLAN_VNI_MAX, 1);
    uint64_t flags = craft_u(c, "flags", UINT8_MAX, VXLAN_VALID);
    if (!craft_args_done(c))
        return;
    wr_u8(c->w, (uint8_t)flags);
    wr_u24(c->w, 0);
    wr_u24(c->w, (uint32_t)vni);
    wr_u8(c->w, 0);
    craft_rest(c);
}
