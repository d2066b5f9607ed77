/* DHCP and the options that one would filter by. VXLAN, which is as short as this sentence. */
#include "lens/layer.h"
#include "wire/dhcp4.h"
#include "wire/vxlan.h"

static const struct lens_name types[] = {
    {DHCP4_DISCOVER, "Discover"},
    {DHCP4_OFFER, "Offer   "},
    {DHCP4_REQUEST, "Request "},
    {DHCP4_DECLINE, "Decline "},
    {DHCP4_ACK, "ACK     "},
    {DHCP4_NAK, "NAK     "},
    {DHCP4_RELEASE, "Release "},
    {DHCP4_INFORM, "Inform  "},
    {0, NULL},
};

enum shape {
    SHAPE_UINT,
    SHAPE_ADDRS,
    SHAPE_TEXT,
    SHAPE_BYTES,            /* each byte a value */
};

static const struct {
    uint8_t code;
    uint8_t shape;
    uint16_t id;
} options[] = {
    {DHCP4_OPT_MASK, SHAPE_ADDRS, F_DHCP_OPTION_SUBNET_MASK},
    {DHCP4_OPT_ROUTERS, SHAPE_ADDRS, F_DHCP_OPTION_ROUTER},
    {DHCP4_OPT_DNS, SHAPE_ADDRS, F_DHCP_OPTION_DOMAIN_NAME_SERVER},
    {DHCP4_OPT_HOST_NAME, SHAPE_TEXT, F_DHCP_OPTION_HOSTNAME},
    {DHCP4_OPT_DOMAIN, SHAPE_TEXT, F_DHCP_OPTION_DOMAIN_NAME},
    {DHCP4_OPT_MTU, SHAPE_UINT, F_DHCP_OPTION_INTERFACE_MTU},
    {DHCP4_OPT_BROADCAST, SHAPE_ADDRS, F_DHCP_OPTION_BROADCAST_ADDRESS},
    {DHCP4_OPT_NTP, SHAPE_ADDRS, F_DHCP_OPTION_NTP_SERVER},
    {DHCP4_OPT_REQUESTED, SHAPE_ADDRS, F_DHCP_OPTION_REQUESTED_IP_ADDRESS},
    {DHCP4_OPT_LEASE, SHAPE_UINT, F_DHCP_OPTION_IP_ADDRESS_LEASE_TIME},
    {DHCP4_OPT_OVERLOAD, SHAPE_UINT, F_DHCP_OPTION_OPTION_OVERLOAD},
    {DHCP4_OPT_TYPE, SHAPE_UINT, F_DHCP_OPTION_DHCP},
    {DHCP4_OPT_SERVER_ID, SHAPE_ADDRS, F_DHCP_OPTION_DHCP_SERVER_ID},
    {DHCP4_OPT_PARAMS, SHAPE_BYTES, F_DHCP_OPTION_REQUEST_LIST_ITEM},
    {DHCP4_OPT_MESSAGE, SHAPE_TEXT, F_DHCP_OPTION_MESSAGE},
    {DHCP4_OPT_MAX_SIZE, SHAPE_UINT, F_DHCP_OPTION_DHCP_MAX_MESSAGE_SIZE},
    {DHCP4_OPT_T1, SHAPE_UINT, F_DHCP_OPTION_RENEWAL_TIME_VALUE},
    {DHCP4_OPT_T2, SHAPE_UINT, F_DHCP_OPTION_REBINDING_TIME_VALUE},
    {DHCP4_OPT_VENDOR, SHAPE_TEXT, F_DHCP_OPTION_VENDOR_CLASS_ID},
};

/* The text before the first NUL. */
static struct span until_nul(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == 0)
            return span_of(s.p, i);
    return s;
}

static void add_value(struct lens *l, struct rd *r, enum field_id id, unsigned shape)
{
    size_t n = rd_left(r);
    switch ((enum shape)shape) {
    case SHAPE_UINT:
        if (n * 8 == field_info(id)->bits)
            lens_uint(l, r, id, (unsigned)n);
        break;
    case SHAPE_ADDRS:
        while (rd_left(r) >= 4)
            lens_addr4(l, r, id);
        break;
    case SHAPE_TEXT:
        lens_put_text(l, id, r->p, n, until_nul(lens_peek(r)));
        break;
    case SHAPE_BYTES:
        while (!rd_done(r))
            lens_uint(l, r, id, 1);
        break;
    }
}

static void add_client_id(struct lens *l, struct rd *r)
{
    if (rd_left(r) != 7)
        return;
    uint64_t hw = lens_uint(l, r, F_DHCP_HW_TYPE, 1);
    if (hw == 1)
        lens_mac(l, r, F_DHCP_HW_MAC_ADDR);
}

static void add_option_value(struct lens *l, uint8_t code, struct rd *r)
{
    if (code == DHCP4_OPT_CLIENT_ID) {
        add_client_id(l, r);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (options[i].code == code)
            add_value(l, r, (enum field_id)options[i].id, options[i].shape);
}

/* One option; false at the end of the list. */
static bool add_option(struct lens *l, struct rd *r, uint8_t *message)
{
    const uint8_t *at = r->p;
    uint8_t code = (uint8_t)lens_uint(l, r, F_DHCP_OPTION_TYPE, 1);
    if (code == DHCP4_OPT_PAD)
        return true;
    if (code == DHCP4_OPT_END) {
        lens_put_u(l, F_DHCP_OPTION_END, at, 1, code);
        return false;
    }
    uint64_t len = lens_uint(l, r, F_DHCP_OPTION_LENGTH, 1);
    if (r->bad || len > rd_left(r)) {
        r->bad = FAULT_OPT_LEN;
        return false;
    }
    struct rd value = rd_sub(r, (size_t)len);
    if (len > 0)
        lens_put_bytes(l, F_DHCP_OPTION_VALUE, lens_peek(&value));
    struct rd peek = value;
    if (code == DHCP4_OPT_TYPE)
        *message = rd_u8(&peek);
    add_option_value(l, code, &value);
    return true;
}

static void add_options(struct lens *l, struct rd *r, uint8_t *message)
{
    while (!rd_done(r) && add_option(l, r, message))
        ;
    if (!r->bad && !rd_done(r))
        lens_bytes(l, r, F_DHCP_OPTION_PADDING, rd_left(r));
}

static void add_flags(struct lens *l, struct rd *r)
{
    const uint8_t *at = r->p;
    uint64_t flags = lens_uint(l, r, F_DHCP_FLAGS, 2);
    if (r->bad)
        return;
    lens_put_u(l, F_DHCP_FLAGS_BC, at, 2, flags >> 15);
    lens_put_u(l, F_DHCP_FLAGS_RESERVED, at, 2, flags & 0x7fff);
}

static void add_names(struct lens *l, struct rd *r)
{
    static const struct {
        enum field_id id;
        uint8_t len;
    } names[] = {{F_DHCP_SERVER, DHCP4_SNAME_LEN}, {F_DHCP_FILE, DHCP4_FILE_LEN}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct span s = rd_bytes(r, names[i].len);
        struct span text = until_nul(s);
        if (text.n > 0)
            lens_put_text(l, names[i].id, s.p, s.n, text);
    }
}

static uint64_t add_fixed(struct lens *l, struct rd *r)
{
    lens_uint(l, r, F_DHCP_TYPE, 1);
    lens_uint(l, r, F_DHCP_HW_TYPE, 1);
    lens_uint(l, r, F_DHCP_HW_LEN, 1);
    lens_uint(l, r, F_DHCP_HOPS, 1);
    uint64_t xid = lens_uint(l, r, F_DHCP_ID, 4);
    lens_uint(l, r, F_DHCP_SECS, 2);
    add_flags(l, r);
    lens_addr4(l, r, F_DHCP_IP_CLIENT);
    lens_addr4(l, r, F_DHCP_IP_YOUR);
    lens_addr4(l, r, F_DHCP_IP_SERVER);
    lens_addr4(l, r, F_DHCP_IP_RELAY);
    lens_mac(l, r, F_DHCP_HW_MAC_ADDR);
    lens_bytes(l, r, F_DHCP_HW_ADDR_PADDING, 10);
    add_names(l, r);
    return xid;
}

static void dhcp_info(struct txt *t, uint8_t message, uint64_t op, uint64_t xid)
{
    const char *name = lens_name_of(types, message);
    if (name) {
        txt_s(t, "DHCP ");
        txt_s(t, name);
        txt_s(t, " - Transaction ID 0x");
        txt_hex(t, xid, 8);
        return;
    }
    txt_s(t, op == 1 ? "Boot Request" : "Boot Reply");
}

void dissect_dhcp(struct lens *l, struct rd r)
{
    struct field *layer = lens_layer(l, F_DHCP, &r);
    lens_columns(l, "DHCP");
    if (!layer)
        return;
    struct rd peek = r;
    uint64_t op = rd_u8(&peek);
    uint64_t xid = add_fixed(l, &r);
    lens_addr4(l, &r, F_DHCP_COOKIE);
    if (lens_is_bad(l, &r))
        return;
    uint8_t message = 0;
    add_options(l, &r, &message);
    dhcp_info(lens_info(l), message, op, xid);
    (void)lens_is_bad(l, &r);
}

/* RFC 7348, 5: the flag that says that there is an identifier, the identifier, and a frame. */
#define VXLAN_FLAG_I 0x0800

void dissect_vxlan(struct lens *l, struct rd r)
{
    struct field *layer = lens_layer(l, F_VXLAN, &r);
    lens_columns(l, "VXLAN");
    if (!layer)
        return;
    const uint8_t *at = r.p;
    uint64_t flags = lens_uint(l, &r, F_VXLAN_FLAGS, 2);
    if (!r.bad)
        lens_put_u(l, F_VXLAN_FLAG_I, at, 2, (flags & VXLAN_FLAG_I) != 0);
    lens_uint(l, &r, F_VXLAN_GBP, 2);
    lens_uint(l, &r, F_VXLAN_VNI, 3);
    lens_uint(l, &r, F_VXLAN_RESERVED8, 1);
    lens_layer_end(layer, &r);
    if (!lens_is_bad(l, &r))
        dissect_eth(l, r);
}
