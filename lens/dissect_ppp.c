/*
 * PPP: the protocol, and the packets with which two ends agree. Passwords are no field and in no column.
 *
 * Address and control may be missing, and the protocol may be one byte, as LCP allows both.
 */
#include "lens/layer.h"
#include "wire/ppp.h"

#define ADDRESS  0xffu
#define TEXT_MAX 160

/* A layer of its own each, with names of their own for the same three fields, or not. */
struct control {
    uint16_t proto;
    enum field_id layer, code, id, len;
    const char *column;
};

static const struct control controls[] = {
    {PPP_LCP, F_LCP, F_PPP_CODE, F_PPP_IDENTIFIER, F_PPP_LENGTH, "PPP LCP"},
    {PPP_IPCP, F_IPCP, F_PPP_CODE, F_PPP_IDENTIFIER, F_PPP_LENGTH, "PPP IPCP"},
    {PPP_IPV6CP, F_IPV6CP, F_PPP_CODE, F_PPP_IDENTIFIER, F_PPP_LENGTH, "PPP IPV6CP"},
    {PPP_PAP, F_PAP, F_PAP_CODE, F_PAP_IDENTIFIER, F_PAP_LENGTH, "PPP PAP"},
    {PPP_CHAP, F_CHAP, F_CHAP_CODE, F_CHAP_IDENTIFIER, F_CHAP_LENGTH, "PPP CHAP"},
};

/* ---- options ---- */

static const struct {
    uint16_t proto;
    uint8_t type, n;
    enum field_id id;
} options[] = {
    {PPP_LCP, LCP_OPT_MRU, 2, F_LCP_OPT_MRU},
    {PPP_LCP, LCP_OPT_ACCM, 4, F_LCP_OPT_ASYNCMAP},
    {PPP_LCP, LCP_OPT_MAGIC, 4, F_LCP_OPT_MAGIC_NUMBER},
    {PPP_IPCP, IPCP_OPT_ADDR, 4, F_IPCP_OPT_IP_ADDRESS},
    {PPP_IPCP, IPCP_OPT_DNS1, 4, F_IPCP_OPT_PRI_DNS_ADDRESS},
    {PPP_IPCP, IPCP_OPT_DNS2, 4, F_IPCP_OPT_SEC_DNS_ADDRESS},
    {PPP_IPV6CP, IPV6CP_OPT_IFID, 8, F_IPV6CP_INTERFACE_IDENTIFIER},
};

static void add_option(struct lens *l, uint16_t proto, const struct ppp_opt *o)
{
    struct rd r = rd_of(o->data);
    if (proto == PPP_LCP && o->type == LCP_OPT_AUTH && o->data.n >= 2)
        lens_uint(l, &r, F_LCP_OPT_AUTH_PROTOCOL, 2);
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        if (options[i].proto != proto || options[i].type != o->type || options[i].n != o->data.n)
            continue;
        if (proto == PPP_IPV6CP)
            lens_bytes(l, &r, options[i].id, o->data.n);
        else if (proto == PPP_IPCP)
            lens_addr4(l, &r, options[i].id);
        else
            lens_uint(l, &r, options[i].id, options[i].n);
    }
}

static void add_options(struct lens *l, uint16_t proto, struct rd r)
{
    struct ppp_opt o;
    while (ppp_opt_next(&r, &o))
        add_option(l, proto, &o);
    (void)lens_is_bad(l, &r);
}

/* ---- what is in a packet ---- */

static void add_chap(struct lens *l, uint8_t code, struct rd r)
{
    if (code != CHAP_CHALLENGE && code != CHAP_RESPONSE)
        return;
    size_t n = rd_u8(&r);
    lens_bytes(l, &r, F_CHAP_VALUE, n);
    struct span name = rd_rest(&r);
    if (!lens_is_bad(l, &r))
        lens_put_text(l, F_CHAP_NAME, name.p, name.n, name);
}

static void add_pap(struct lens *l, uint8_t code, struct rd r)
{
    if (code != PAP_REQUEST)
        return;
    struct span name = rd_bytes(&r, rd_u8(&r));
    if (!lens_is_bad(l, &r))
        lens_put_text(l, F_PAP_PEER_ID, name.p, name.n, name);
}

static void add_body(struct lens *l, uint16_t proto, uint8_t code, struct rd r)
{
    bool echo = code == PPP_ECHO_REQ || code == PPP_ECHO_REPLY || code == PPP_DISCARD_REQ;
    if (proto == PPP_CHAP)
        add_chap(l, code, r);
    else if (proto == PPP_PAP)
        add_pap(l, code, r);
    else if (code >= PPP_CONF_REQ && code <= PPP_CONF_REJ)
        add_options(l, proto, r);
    else if (proto == PPP_LCP && echo)
        lens_uint(l, &r, F_LCP_MAGIC_NUMBER, 4);
    else if (proto == PPP_LCP && code == PPP_PROTO_REJ)
        lens_uint(l, &r, F_LCP_REJ_PROTO, 2);
}

/* "Configuration Request id 1 <MRU 1500>": the name of the protocol has a column of its own. */
static void info(struct lens *l, uint16_t proto, const struct ppp_cp *p)
{
    char buf[TEXT_MAX];
    struct txt t = txt_of(buf, sizeof buf);
    size_t name = strlen(ppp_proto_name(proto)) + 1;
    ppp_cp_print(&t, proto, p);
    txt_span(lens_info(l), span_of(buf + name, t.n > name ? t.n - name : 0));
}

static void dissect_control(struct lens *l, const struct control *c, struct rd r)
{
    struct field *layer = lens_layer(l, c->layer, &r);
    lens_columns(l, c->column);
    if (!layer)
        return;
    struct rd ahead = r;
    uint8_t code = (uint8_t)lens_uint(l, &r, c->code, 1);
    lens_uint(l, &r, c->id, 1);
    uint64_t len = lens_uint(l, &r, c->len, 2);
    if (r.bad == 0 && len < PPP_CP_HDR_LEN)
        (void)rd_fail(&r, FAULT_TOTAL_LEN);
    if (lens_is_bad(l, &r))
        return;
    struct ppp_cp p;
    if (ppp_cp_parse(&ahead, &p))
        info(l, c->proto, &p);
    struct rd body = lens_narrow(l, &r, (size_t)len - PPP_CP_HDR_LEN);
    add_body(l, c->proto, code, body);
    lens_layer_end(layer, &r);
}

static void dissect_inside(struct lens *l, uint16_t proto, struct rd r)
{
    for (size_t i = 0; i < ARRAY_LEN(controls); i++)
        if (controls[i].proto == proto) {
            dissect_control(l, &controls[i], r);
            return;
        }
    if (proto == PPP_IP4)
        dissect_ip4(l, r);
    else if (proto == PPP_IP6)
        dissect_ip6(l, r);
    else
        dissect_data(l, r);
}

void dissect_ppp(struct lens *l, struct rd r)
{
    struct field *layer = lens_layer(l, F_PPP, &r);
    lens_columns(l, "PPP");
    if (!layer)
        return;
    struct rd ahead = r;
    if (rd_u8(&ahead) == ADDRESS) {
        lens_uint(l, &r, F_PPP_ADDRESS, 1);
        lens_uint(l, &r, F_PPP_CONTROL, 1);
    }
    ahead = r;
    bool one = (rd_u8(&ahead) & 1) != 0;        /* RFC 1661, 6.5: the last byte of the field is odd */
    uint16_t proto = (uint16_t)lens_uint(l, &r, F_PPP_PROTOCOL, one ? 1 : 2);
    lens_layer_end(layer, &r);
    if (!lens_is_bad(l, &r))
        dissect_inside(l, proto, r);
}
