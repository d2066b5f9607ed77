/* DNS with one question and a few answers, and DHCP. For anything odder there is hex and patch. */
#include "lab/craft_layer.h"

#include "wire/dhcp4.h"
#include "wire/dns.h"

/* ---- DNS ---- */

#define DNS_TO_QUESTION 0xc00c      /* a pointer to the name behind the header */

static void put_name(struct craft *c, struct span text)
{
    struct dns_name name;
    if (!dns_name_of(text, &name)) {
        craft_fail(c, text, "a domain name");
        return;
    }
    dns_name_emit(c->w, &name);
}

/* type=AAAA, or a number */
static uint16_t question_type(struct craft *c)
{
    struct span v = craft_value(c, "type");
    uint16_t type = DNS_A;
    uint64_t number;
    if (!v.p || dns_type_named(v, &type))
        return type;
    if (txt_parse_u(v, UINT16_MAX, &number))
        return (uint16_t)number;
    craft_fail(c, v, "a type of record such as AAAA, or a number");
    return type;
}

static const struct craft_name answer_types[] = {
    {"a", DNS_A}, {"aaaa", DNS_AAAA}, {"cname", DNS_CNAME}, {NULL, 0},
};

static void put_answer(struct craft *c, const struct craft_word *word, uint64_t ttl)
{
    uint64_t type;
    if (!word->value.p || !craft_name_find(answer_types, word->key, &type))
        return;
    craft_take(c, word);
    wr_u16(c->w, DNS_TO_QUESTION);
    wr_u16(c->w, (uint16_t)type);
    wr_u16(c->w, DNS_IN);
    wr_u32(c->w, (uint32_t)ttl);
    size_t at = wr_len(c->w);
    wr_u16(c->w, 0);
    if (type == DNS_CNAME) {
        put_name(c, word->value);
    } else {
        struct oriel_addr a = craft_text_addr(c, word->value, type == DNS_AAAA);
        if (type == DNS_AAAA)
            wr_addr6(c->w, &a);
        else
            wr_addr4(c->w, &a);
    }
    if (!c->w->bad)
        wr_patch_u16(c->w, at, (uint16_t)(wr_len(c->w) - at - 2));
}

static uint16_t count_answers(struct craft *c)
{
    uint16_t n = 0;
    struct craft_word word;
    size_t it = 0;
    while (craft_word_next(c, &it, &word)) {
        uint64_t type;
        bool one = word.value.p && craft_name_find(answer_types, word.key, &type);
        n = (uint16_t)(n + one);
    }
    return n;
}

void craft_dns(struct craft *c)
{
    struct dns_hdr h = {.questions_n = craft_has(c, "q") ? 1 : 0, .answers_n = count_answers(c)};
    h.id = (uint16_t)craft_u(c, "id", UINT16_MAX, 0);
    h.is_response = craft_flag(c, "reply");
    h.aa = craft_flag(c, "aa");
    h.tc = craft_flag(c, "tc");
    h.rd = !craft_flag(c, "norecurse");
    h.ra = h.is_response;
    h.rcode = (uint8_t)craft_u(c, "rcode", 15, 0);
    uint64_t ttl = craft_u(c, "ttl", UINT32_MAX, 300);
    uint16_t type = question_type(c);
    struct span name = craft_value(c, "q");
    dns_emit(c->w, &h);
    if (name.p) {
        put_name(c, name);
        wr_u16(c->w, type);
        wr_u16(c->w, DNS_IN);
    }
    struct craft_word word;
    size_t it = 0;
    while (!craft_failed(c) && craft_word_next(c, &it, &word))
        put_answer(c, &word, ttl);
    if (craft_args_done(c))
        craft_rest(c);
}

/* ---- DHCP ---- */

static const struct craft_name dhcp_types[] = {
    {"discover", DHCP4_DISCOVER}, {"offer", DHCP4_OFFER},     {"request", DHCP4_REQUEST},
    {"decline", DHCP4_DECLINE},   {"ack", DHCP4_ACK},         {"nak", DHCP4_NAK},
    {"release", DHCP4_RELEASE},   {"inform", DHCP4_INFORM},   {NULL, 0},
};

static void take_dhcp_addrs(struct craft *c, struct dhcp4_msg *m)
{
    const struct oriel_addr any = ADDR_V4_ANY;
    m->ciaddr = craft_addr(c, "ciaddr", false, &any);
    m->yiaddr = craft_addr(c, "yiaddr", false, &any);
    m->siaddr = craft_addr(c, "siaddr", false, &any);
    m->giaddr = craft_addr(c, "giaddr", false, &any);
    m->requested = craft_addr(c, "requested", false, &any);
    m->server_id = craft_addr(c, "server", false, &any);
    m->broadcast_addr = any;
    m->routers_n = craft_has(c, "router");
    m->routers[0] = craft_addr(c, "router", false, &any);
    m->dns_n = craft_has(c, "dns");
    m->dns[0] = craft_addr(c, "dns", false, &any);
}

static void take_dhcp_numbers(struct craft *c, struct dhcp4_msg *m)
{
    m->xid = (uint32_t)craft_u(c, "xid", UINT32_MAX, 0);
    m->secs = (uint16_t)craft_u(c, "secs", UINT16_MAX, 0);
    m->has_mask = craft_has(c, "mask");
    m->mask_len = (uint8_t)craft_u(c, "mask", 32, 0);
    m->has_lease = craft_has(c, "lease");
    m->lease_s = (uint32_t)craft_u(c, "lease", UINT32_MAX, 0);
    m->has_t1 = craft_has(c, "t1");
    m->t1_s = (uint32_t)craft_u(c, "t1", UINT32_MAX, 0);
    m->has_t2 = craft_has(c, "t2");
    m->t2_s = (uint32_t)craft_u(c, "t2", UINT32_MAX, 0);
    m->mtu = (uint16_t)craft_u(c, "mtu", UINT16_MAX, 0);
}

void craft_dhcp(struct craft *c)
{
    struct dhcp4_msg m = {.type = (uint8_t)craft_word_named(c, dhcp_types, DHCP4_DISCOVER)};
    m.is_reply = m.type == DHCP4_OFFER || m.type == DHCP4_ACK || m.type == DHCP4_NAK;
    m.broadcast = craft_flag(c, "broadcast");
    m.chaddr = craft_mac(c, "mac", (struct mac){{0x02, 0, 0, 0, 0, 0x01}});
    take_dhcp_addrs(c, &m);
    take_dhcp_numbers(c, &m);
    m.host_name = craft_value(c, "hostname");
    m.domain = craft_value(c, "domain");
    if (!craft_args_done(c))
        return;
    dhcp4_emit(c->w, &m);
    craft_rest(c);
}
