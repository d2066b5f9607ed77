/* The server by itself: messages made by hand, from hosts that exist in no world. */
#include "svc/fx_dhcp4.h"

/* The n-th client. */
static struct dhcp4_msg from(unsigned n, enum dhcp4_type type)
{
    return (struct dhcp4_msg){.type = (uint8_t)type, .xid = 0x1000 + n, .broadcast = true,
                              .chaddr = {{2, 0, 0, 0, 1, (uint8_t)n}}};
}

/* It says that from a's port 68, and hears everything that comes back as broadcast. */
static bool ask(struct fx_dhcp *f, const struct dhcp4_msg *m, struct dhcp4_msg *reply)
{
    static uint8_t buf[1500], parts[DHCP4_JOINED_MAX];
    struct oriel_stack *s = f->net->a->stack;
    const struct oriel_endpoint at = {.addr = ADDR_NONE, .port = 68};
    struct oriel_msg how = {.peer = {.addr = ADDR_V4_BCAST, .port = 67}, .local = ADDR_V4_ANY,
                            .netif = f->net->pa->netif};
    struct wr w = wr_of(buf, sizeof(buf));
    oriel_handle h;
    dhcp4_emit(&w, m);
    EXPECT_EQ(oriel_udp_open(s, ORIEL_IP4, &h), 0);
    EXPECT_EQ(oriel_setopt(s, h, ORIEL_OPT_BROADCAST, 1), 0);
    EXPECT_EQ(oriel_bind(s, h, &at), 0);
    EXPECT(oriel_send(s, h, buf, wr_len(&w), &how) > 0);
    fx_svc_run(f->net, 10 * NS_PER_MS);
    int n = oriel_recv(s, h, buf, sizeof(buf), NULL);
    EXPECT_EQ(oriel_close(s, h), 0);
    if (n < 0)
        return false;
    struct rd r = rd_of(span_of(buf, (size_t)n));
    struct wr joined = wr_of(parts, sizeof(parts));
    EXPECT(dhcp4_parse(&r, &joined, reply));
    EXPECT(reply->is_reply && reply->xid == m->xid && mac_eq(&reply->chaddr, &m->chaddr));
    return true;
}

/* What was offered; 0: nothing. */
static uint32_t offered(struct fx_dhcp *f, unsigned n, const char *wish)
{
    struct dhcp4_msg m = from(n, DHCP4_DISCOVER), r;
    if (wish)
        m.requested = fx_svc_ip(wish);
    if (!ask(f, &m, &r))
        return 0;
    EXPECT_EQ(r.type, DHCP4_OFFER);
    return addr_to_v4(&r.yiaddr);
}

static uint8_t request(struct fx_dhcp *f, unsigned n, uint32_t v4, bool selecting)
{
    struct dhcp4_msg m = from(n, DHCP4_REQUEST), r;
    m.requested = addr_v4(v4);
    if (selecting)
        m.server_id = fx_svc_ip("10.0.0.2");
    return ask(f, &m, &r) ? r.type : 0;
}

static uint32_t lease(struct fx_dhcp *f, unsigned n)
{
    uint32_t v4 = offered(f, n, NULL);
    EXPECT(v4 != 0);
    EXPECT_EQ(request(f, n, v4, true), DHCP4_ACK);
    return v4;
}

static struct fx_dhcp *serving(void)
{
    struct fx_dhcp *f = fx_dhcp_new(false);
    fx_dhcp_serve(f);
    return f;
}

TEST("an offer has all that a client needs, and an agreement the same")
{
    struct fx_dhcp *f = serving();
    struct dhcp4_msg m = from(1, DHCP4_DISCOVER), r;
    EXPECT(ask(f, &m, &r));
    EXPECT(r.type == DHCP4_OFFER && r.has_mask && r.mask_len == 24 && r.lease_s == FX_LEASE);
    EXPECT(r.t1_s == FX_LEASE / 2 && r.t2_s == FX_LEASE - FX_LEASE / 8);
    EXPECT(r.routers_n == 1 && r.dns_n == 1 && span_is(r.domain, "lan"));
    EXPECT_EQ(addr_to_v4(&r.server_id), 0x0a000002);
    EXPECT_EQ(request(f, 1, addr_to_v4(&r.yiaddr), true), DHCP4_ACK);
    EXPECT(f->v.offers == 1 && f->v.acks == 1);
    fx_dhcp_free(f);
}

TEST("everybody gets another address, and the same one again; a wish is granted if it can be")
{
    struct fx_dhcp *f = serving();
    uint32_t got[4];
    for (unsigned i = 0; i < 4; i++) {
        got[i] = lease(f, i);
        for (unsigned k = 0; k < i; k++)
            EXPECT(got[i] != got[k]);
    }
    EXPECT_EQ(offered(f, 0, "10.0.0.109"), got[0]);     /* what it has comes first */
    EXPECT_EQ(request(f, 0, got[0], true), DHCP4_ACK);
    uint32_t taken = got[0];
    char text[ADDR_TEXT_MAX];
    struct oriel_addr a = addr_v4(taken);
    (void)oriel_addr_print(&a, text, sizeof(text));
    EXPECT(offered(f, 5, text) != taken);
    EXPECT(offered(f, 6, "10.0.0.2") != 0x0a000002);    /* that is the server */
    EXPECT(offered(f, 7, "192.168.1.1") >> 8 == 0x0a0000);
    fx_dhcp_free(f);
}

TEST("when the range is used up nobody is offered anything, until something is given back")
{
    struct fx_dhcp *f = fx_dhcp_new(false);
    f->server.last = fx_svc_ip("10.0.0.102");
    fx_dhcp_serve(f);
    uint32_t one = lease(f, 1);
    (void)lease(f, 2);
    (void)lease(f, 3);
    EXPECT_EQ(offered(f, 4, NULL), 0);
    struct dhcp4_msg m = from(1, DHCP4_RELEASE), r;
    m.ciaddr = addr_v4(one);
    m.server_id = fx_svc_ip("10.0.0.2");
    EXPECT(!ask(f, &m, &r));
    EXPECT_EQ(offered(f, 4, NULL), one);
    fx_dhcp_free(f);
}

TEST("a full table of leases that hold takes nobody new; one that is over makes room")
{
    struct fx_dhcp *f = fx_dhcp_new(false);
    f->server.table_n = 2;
    fx_dhcp_serve(f);
    (void)lease(f, 1);
    fx_svc_run(f->net, FX_LEASE / 2 * NS_PER_S);
    uint32_t two = lease(f, 2);
    EXPECT_EQ(offered(f, 3, NULL), 0);
    fx_svc_run(f->net, (FX_LEASE / 2 + 1) * NS_PER_S);
    EXPECT(offered(f, 3, NULL) != 0);           /* in the place of the first */
    EXPECT_EQ(offered(f, 2, NULL), two);
    fx_dhcp_free(f);
}

TEST("an offer is kept for a minute, and given up when the client chooses another server")
{
    struct fx_dhcp *f = fx_dhcp_new(false);
    struct dhcp4_msg r;
    f->server.last = f->server.first;
    fx_dhcp_serve(f);
    uint32_t v4 = offered(f, 1, NULL);
    EXPECT_EQ(offered(f, 2, NULL), 0);
    fx_svc_run(f->net, DHCP4_OFFER_LIFE);
    EXPECT_EQ(offered(f, 2, NULL), v4);
    struct dhcp4_msg m = from(2, DHCP4_REQUEST);
    m.requested = fx_svc_ip("10.0.0.77");
    m.server_id = fx_svc_ip("10.0.0.9");
    EXPECT(!ask(f, &m, &r));
    EXPECT_EQ(offered(f, 3, NULL), v4);
    fx_dhcp_free(f);
}

TEST("hosts with a place of their own get it, and nobody else does")
{
    struct fx_dhcp *f = fx_dhcp_new(false);
    const struct dhcp4_reservation own[] = {
        {{{2, 0, 0, 0, 1, 1}}, fx_svc_ip("10.0.0.100")},        /* in the range */
        {{{2, 0, 0, 0, 1, 2}}, fx_svc_ip("10.0.0.50")},         /* and not in it */
    };
    f->server.reserved = own;
    f->server.reserved_n = 2;
    fx_dhcp_serve(f);
    EXPECT(offered(f, 9, "10.0.0.100") != 0x0a000064);
    EXPECT_EQ(offered(f, 1, "10.0.0.105"), 0x0a000064);
    EXPECT_EQ(offered(f, 2, NULL), 0x0a000032);
    EXPECT_EQ(request(f, 2, 0x0a000032, true), DHCP4_ACK);
    fx_dhcp_free(f);
}

TEST("a request for what was not offered is refused; of whom nothing is known nothing is said")
{
    struct fx_dhcp *f = serving();
    uint32_t v4 = lease(f, 1);
    EXPECT_EQ(request(f, 1, v4 + 1, true), DHCP4_NAK);
    EXPECT_EQ(request(f, 1, v4, false), DHCP4_ACK);             /* INIT-REBOOT */
    EXPECT_EQ(request(f, 1, v4 + 1, false), DHCP4_NAK);
    EXPECT_EQ(request(f, 2, 0x0a000069, false), 0);
    EXPECT_EQ(request(f, 2, 0xc0a80101, false), DHCP4_NAK);     /* of another network */
    EXPECT_EQ(request(f, 2, 0, false), 0);
    fx_dhcp_free(f);
}

TEST("a declined address is left alone for an hour, and only who has it may decline")
{
    struct fx_dhcp *f = fx_dhcp_new(false);
    struct dhcp4_msg r;
    f->server.last = f->server.first;
    fx_dhcp_serve(f);
    uint32_t v4 = lease(f, 1);
    struct dhcp4_msg m = from(2, DHCP4_DECLINE);
    m.requested = addr_v4(v4);
    m.server_id = fx_svc_ip("10.0.0.2");
    EXPECT(!ask(f, &m, &r) && f->v.declines == 0);
    m.chaddr = from(1, DHCP4_DECLINE).chaddr;
    EXPECT(!ask(f, &m, &r) && f->v.declines == 1);
    EXPECT_EQ(offered(f, 1, NULL), 0);
    fx_svc_run(f->net, DHCP4_SPOILT_LIFE);
    EXPECT_EQ(offered(f, 1, NULL), v4);
    fx_dhcp_free(f);
}

TEST("a client is known by its identifier where it has one, whatever hardware it speaks from")
{
    struct fx_dhcp *f = serving();
    struct dhcp4_msg m = from(1, DHCP4_DISCOVER), r;
    m.client_id = span_str("\x01one");
    EXPECT(ask(f, &m, &r));
    uint32_t v4 = addr_to_v4(&r.yiaddr);
    EXPECT(span_is(r.client_id, "\x01one"));            /* RFC 6842 */
    m.chaddr.b[5] = 99;
    EXPECT(ask(f, &m, &r) && addr_to_v4(&r.yiaddr) == v4);
    fx_dhcp_free(f);
}

TEST("who can take unicast gets it before its address is known to anybody")
{
    struct fx_dhcp *f = serving();
    struct dhcp4_msg m = from(1, DHCP4_DISCOVER), r;
    m.broadcast = false;
    EXPECT(!ask(f, &m, &r));                    /* a's stack does not take it: it is no broadcast */
    EXPECT_EQ(fx_dhcp_count(f, "dhcp.option.dhcp == 2 && eth.dst == 02:00:00:00:01:01 && "
                               "ip.dst == 10.0.0.96/28"), 1);
    EXPECT_EQ(fx_dhcp_count(f, "arp"), 0);
    fx_dhcp_free(f);
}

TEST("who has an address from elsewhere is told the rest, and given none")
{
    struct fx_dhcp *f = serving();
    struct dhcp4_msg m = from(1, DHCP4_INFORM), r;
    fx_svc_addr(f->net->a, f->net->pa->netif, "10.0.0.1/24");
    m.ciaddr = fx_svc_ip("10.0.0.1");
    EXPECT(ask(f, &m, &r));
    EXPECT(r.type == DHCP4_ACK && addr_is_unspecified(&r.yiaddr) && !r.has_lease && r.dns_n == 1);
    m.ciaddr = fx_svc_ip("192.168.0.1");
    EXPECT(!ask(f, &m, &r));
    fx_dhcp_free(f);
}

TEST("a relay on the network is answered at its own port; another one is not")
{
    struct fx_dhcp *f = serving();
    struct dhcp4_msg m = from(1, DHCP4_DISCOVER), r;
    fx_svc_addr(f->net->a, f->net->pa->netif, "10.0.0.1/24");
    m.giaddr = fx_svc_ip("10.0.0.1");
    EXPECT(!ask(f, &m, &r));
    EXPECT_EQ(fx_dhcp_count(f, "dhcp.option.dhcp == 2 && ip.dst == 10.0.0.1 && "
                               "udp.dstport == 67 && dhcp.ip.relay == 10.0.0.1 && !icmp"), 1);
    m.giaddr = fx_svc_ip("10.7.0.1");
    EXPECT(!ask(f, &m, &r));
    EXPECT_EQ(f->v.offers, 1);
    fx_dhcp_free(f);
}

TEST("replies, groups as hardware, and bytes that are no message are passed over")
{
    struct fx_dhcp *f = serving();
    struct dhcp4_msg m = from(1, DHCP4_DISCOVER), r;
    m.is_reply = true;
    EXPECT(!ask(f, &m, &r));
    m.is_reply = false;
    m.chaddr.b[0] = 1;
    EXPECT(!ask(f, &m, &r));
    m.chaddr.b[0] = 2;
    m.type = DHCP4_OFFER;
    EXPECT(!ask(f, &m, &r));
    EXPECT(f->v.ignored == 3 && f->v.offers == 0);
    fx_dhcp_free(f);
}

TEST("a lease for ever has no end")
{
    struct fx_dhcp *f = fx_dhcp_new(false);
    f->server.lease_s = 0xffffffff;
    fx_dhcp_serve(f);
    fx_dhcp_ask(f);
    fx_svc_run(f->net, 2 * 3600 * NS_PER_S);
    EXPECT(f->c.state == DHCP4_BOUND && f->c.lease.until == ORIEL_NEVER);
    EXPECT_EQ(fx_dhcp_count(f, "dhcp.option.dhcp == 3"), 1);
    fx_dhcp_free(f);
}
