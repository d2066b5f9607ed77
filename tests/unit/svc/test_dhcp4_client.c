/* The client through all its states, against our server and against messages made by hand. */
#include "svc/fx_dhcp4.h"

#define DISCOVER "dhcp.option.dhcp == 1"
#define REQUEST  "dhcp.option.dhcp == 3"

static bool in_pool(const struct dhcp4_lease *l)
{
    uint32_t v4 = addr_to_v4(&l->addr);
    return v4 >= 0x0a000064 && v4 <= 0x0a00006d;
}

TEST("a client gets an address, a route, name servers and a domain, and says what it must")
{
    struct fx_dhcp *f = fx_dhcp_new(false);
    oriel_time asked;
    COVERS("2131-2 2131-9");
    fx_dhcp_serve(f);
    fx_dhcp_ask(f);
    fx_svc_run(f->net, NS_PER_S);
    const struct dhcp4_lease *l = dhcp4_client_lease(&f->c);
    EXPECT(l != NULL && f->c.state == DHCP4_BOUND);
    EXPECT(in_pool(l));
    EXPECT(l->prefix_len == 120 && l->dns_n == 1 && addr_to_v4(&l->dns[0]) == 0x0a000002);
    EXPECT(l->domain_n == 3 && memcmp(l->domain, "lan", 3) == 0);
    EXPECT(fx_dhcp_routes(f, "0.0.0.0/0", "10.0.0.2"));
    EXPECT_EQ(fx_dhcp_count(f, DISCOVER " && ip.src == 0.0.0.0 && ip.dst == 255.255.255.255 && "
                               "dhcp.ip.client == 0.0.0.0 && dhcp.flags.bc == 1 && "
                               "udp.srcport == 68"), 1);
    EXPECT_EQ(fx_dhcp_count(f, DISCOVER " && dhcp.option.dhcp_server_id"), 0);
    EXPECT_EQ(fx_svc_count(f->net, REQUEST " && ip.src == 0.0.0.0 && ip.dst == 255.255.255.255 && "
                           "dhcp.ip.client == 0.0.0.0 && dhcp.option.dhcp_server_id == 10.0.0.2 && "
                           "dhcp.option.requested_ip_address && dhcp.flags.bc == 1", &asked), 1);
    EXPECT_EQ(fx_dhcp_count(f, "dhcp.option.request_list_item == 121 && dhcp.hw.mac_addr == "
                               "02:00:00:00:01:01"), 2);
    EXPECT_EQ(l->until, asked + FX_LEASE * NS_PER_S);   /* it counts from the request */
    EXPECT(f->c.changes > 0);
    fx_dhcp_free(f);
}

TEST("at T1 it asks the server for more time; nothing that goes on is disturbed")
{
    struct fx_dhcp *f = fx_dhcp_bound();
    struct dhcp4_lease before = f->c.lease;
    oriel_time at;
    COVERS("2131-3");
    fx_svc_run(f->net, before.t1 - fx_svc_now(f->net) + NS_PER_S);
    EXPECT_EQ(fx_svc_count(f->net, REQUEST " && ip.dst == 10.0.0.2 && dhcp.ip.client == "
                           "10.0.0.96/28 && !dhcp.option.dhcp_server_id && "
                           "!dhcp.option.requested_ip_address && dhcp.flags.bc == 0", &at), 1);
    EXPECT(at >= before.t1 && at < before.t1 + 5 * NS_PER_MS);   /* its link address is asked for */
    EXPECT(at > (FX_LEASE / 2 - 10) * NS_PER_S && at <= (FX_LEASE / 2 + 1) * NS_PER_S);
    EXPECT(f->c.state == DHCP4_BOUND && f->c.lease.until == before.t1 + FX_LEASE * NS_PER_S);
    EXPECT(addr_same_bits(&f->c.lease.addr, &before.addr));
    EXPECT_EQ(fx_dhcp_count(f, "arp.isannouncement || " DISCOVER), 0);
    fx_dhcp_free(f);
}

TEST("when the server is silent it asks all; at the end of the lease the address is gone")
{
    struct fx_dhcp *f = fx_dhcp_bound();
    struct dhcp4_lease l = f->c.lease;
    char addr[ADDR_TEXT_MAX];
    oriel_time at;
    COVERS("2131-3 2131-4");
    (void)oriel_addr_print(&l.addr, addr, sizeof(addr));
    fx_dhcp_silence(f);
    fx_svc_run(f->net, l.t2 - fx_svc_now(f->net) - NS_PER_MS);
    EXPECT_EQ(f->c.state, DHCP4_RENEWING);
    EXPECT_EQ(fx_dhcp_count(f, REQUEST " && ip.dst == 255.255.255.255"), 0);
    unsigned renewals = fx_dhcp_count(f, REQUEST " && !icmp");
    EXPECT_EQ(renewals, 3);                     /* at half of what is left, a minute at least */
    fx_svc_run(f->net, 2 * NS_PER_MS);
    EXPECT_EQ(f->c.state, DHCP4_REBINDING);
    EXPECT_EQ(fx_svc_count(f->net, REQUEST " && ip.dst == 255.255.255.255 && dhcp.ip.client == "
                           "10.0.0.96/28 && ip.src == 10.0.0.96/28 && "
                           "!dhcp.option.dhcp_server_id", &at), 1);
    EXPECT_EQ(at, l.t2);
    fx_svc_run(f->net, l.until - fx_svc_now(f->net) - NS_PER_MS);
    EXPECT(fx_dhcp_has(f, addr) && dhcp4_client_lease(&f->c));
    fx_svc_run(f->net, 2 * NS_PER_MS);
    EXPECT(!fx_dhcp_has(f, addr) && !dhcp4_client_lease(&f->c));
    EXPECT(!fx_dhcp_routes(f, "0.0.0.0/0", "10.0.0.2"));
    EXPECT_EQ(f->c.state, DHCP4_SELECTING);
    fx_dhcp_free(f);
}

TEST("another server may answer at T2, and the lease is its own then")
{
    struct fx_dhcp *f = fx_dhcp_bound();
    struct dhcp4_lease l = f->c.lease;
    fx_dhcp_silence(f);
    fx_svc_run(f->net, l.t2 - fx_svc_now(f->net) + 10 * NS_PER_MS);
    struct dhcp4_msg ack = {.is_reply = true, .type = DHCP4_ACK, .xid = f->c.xid,
                            .chaddr = f->net->pa->mac, .yiaddr = l.addr, .has_mask = true,
                            .mask_len = 24, .has_lease = true, .lease_s = 0xffffffff,
                            .server_id = fx_svc_ip("10.0.0.9")};
    fx_dhcp_say(f, &ack, 67);
    EXPECT_EQ(f->c.state, DHCP4_BOUND);
    EXPECT(f->c.lease.until == ORIEL_NEVER && addr_to_v4(&f->c.lease.server) == 0x0a000009);
    EXPECT(!fx_dhcp_routes(f, "0.0.0.0/0", "10.0.0.2"));        /* it gave none */
    fx_svc_run(f->net, 3600 * NS_PER_S);
    EXPECT_EQ(f->c.state, DHCP4_BOUND);
    fx_dhcp_free(f);
}

TEST("unanswered it asks after 4, 8, 16, 32, 64 seconds and then every 64, a second more or less")
{
    struct fx_dhcp *f = fx_dhcp_new(false);
    static const unsigned gaps[] = {4, 8, 16, 32, 64, 64, 64};
    oriel_time last = 0;
    unsigned n = 0, off_beat = 0;
    COVERS("2131-6");
    fx_dhcp_ask(f);
    fx_svc_run(f->net, 260 * NS_PER_S);
    for (unsigned i = 0; i < f->net->seen_n; i++) {
        oriel_time gap = f->net->seen[i].time - last;
        if (n > 0) {
            EXPECT(gap >= (gaps[n - 1] - 1) * NS_PER_S && gap <= (gaps[n - 1] + 1) * NS_PER_S);
            off_beat += gap % NS_PER_S != 0;
        }
        last = f->net->seen[i].time;
        n++;
    }
    EXPECT(n == 8 && off_beat >= 6);
    EXPECT_EQ(fx_dhcp_count(f, DISCOVER), n);
    fx_dhcp_free(f);
}

TEST("a refusal ends what there was, and the search begins again without the address of old")
{
    struct fx_dhcp *f = fx_dhcp_bound();
    char addr[ADDR_TEXT_MAX];
    COVERS("2131-10");
    (void)oriel_addr_print(&f->c.lease.addr, addr, sizeof(addr));
    fx_dhcp_silence(f);
    f->server.first = fx_svc_ip("10.1.0.100");  /* the network has another number now */
    f->server.last = fx_svc_ip("10.1.0.109");
    f->server.addr = f->server.router = fx_svc_ip("10.1.0.2");
    fx_svc_addr(f->net->b, f->net->pb->netif, "10.1.0.2/24");
    fx_dhcp_serve(f);
    fx_svc_run(f->net, f->c.lease.t1 - fx_svc_now(f->net) + NS_PER_S);
    EXPECT(f->c.naks == 1 && !fx_dhcp_has(f, addr));
    EXPECT_EQ(f->c.state, DHCP4_BOUND);
    EXPECT_EQ(addr_to_v4(&f->c.lease.addr) >> 16, 0x0a01);
    EXPECT_EQ(fx_dhcp_count(f, DISCOVER " && dhcp.option.requested_ip_address"), 0);
    fx_dhcp_free(f);
}

TEST("who is refused again and again waits longer each time")
{
    struct fx_dhcp *f = fx_dhcp_new(false);
    oriel_time last = 0, gap = 0;
    struct dhcp4_msg nak = {.is_reply = true, .type = DHCP4_NAK, .chaddr = f->net->pa->mac,
                            .server_id = fx_svc_ip("10.0.0.2")};
    f->client.requested = fx_svc_ip("10.0.0.7");
    for (unsigned i = 0; i < 6; i++) {
        if (i == 0)
            fx_dhcp_ask(f);
        oriel_time began = fx_svc_now(f->net);
        while (f->c.state == DHCP4_INIT)
            fx_svc_run(f->net, NS_PER_S);
        gap = fx_svc_now(f->net) - began;
        EXPECT(i < 2 || gap > last);
        last = gap;
        if (f->c.state == DHCP4_SELECTING) {
            struct dhcp4_msg offer = {.is_reply = true, .type = DHCP4_OFFER, .xid = f->c.xid,
                                      .chaddr = f->net->pa->mac, .has_lease = true, .lease_s = 60,
                                      .yiaddr = fx_svc_ip("10.0.0.50"),
                                      .server_id = fx_svc_ip("10.0.0.2")};
            fx_dhcp_say(f, &offer, 67);
        }
        nak.xid = f->c.xid;
        fx_dhcp_say(f, &nak, 67);
        EXPECT_EQ(f->c.naks, i + 1);
    }
    fx_dhcp_free(f);
}

TEST("an address of old is asked for by itself; a server that knows it agrees")
{
    struct fx_dhcp *f = fx_dhcp_bound();
    struct oriel_addr a = f->c.lease.addr;
    COVERS("2131-10");
    dhcp4_client_stop(&f->c);
    f->client.requested = a;
    fx_dhcp_ask(f);
    EXPECT_EQ(f->c.state, DHCP4_REBOOTING);
    fx_svc_run(f->net, NS_PER_S);
    EXPECT(f->c.state == DHCP4_BOUND && addr_same_bits(&f->c.lease.addr, &a));
    EXPECT_EQ(fx_dhcp_count(f, DISCOVER), 0);
    EXPECT_EQ(fx_dhcp_count(f, REQUEST " && dhcp.option.requested_ip_address && "
                               "!dhcp.option.dhcp_server_id && dhcp.ip.client == 0.0.0.0 && "
                               "ip.dst == 255.255.255.255"), 1);
    fx_dhcp_free(f);
}

TEST("an address of old that cannot be here is refused; one that nobody knows of is given up")
{
    static const char *const olds[] = {"192.168.7.7", "10.0.0.105"};
    COVERS("2131-10");
    for (unsigned i = 0; i < 2; i++) {
        struct fx_dhcp *f = fx_dhcp_new(false);
        f->client.requested = fx_svc_ip(olds[i]);
        fx_dhcp_serve(f);
        fx_dhcp_ask(f);
        fx_svc_run(f->net, 40 * NS_PER_S);
        EXPECT_EQ(f->c.state, DHCP4_BOUND);
        EXPECT_EQ(f->c.naks, i == 0 ? 1 : 0);
        EXPECT_EQ(fx_dhcp_count(f, REQUEST " && !dhcp.option.dhcp_server_id"),
                  i == 0 ? 1 : DHCP4_REBOOTS);
        if (i == 1)                     /* it is wished for again, and free */
            EXPECT_EQ(addr_to_v4(&f->c.lease.addr), 0x0a000069);
        fx_dhcp_free(f);
    }
}

TEST("an address that somebody has is declined, and another one comes after ten seconds")
{
    struct fx_dhcp *f = fx_dhcp_new(true);
    oriel_time declined, again;
    COVERS("2131-5");
    f->server.first = f->server.last = fx_svc_ip("10.0.0.100");
    f->server.last = fx_svc_ip("10.0.0.101");
    fx_svc_addr(f->net->b, f->net->pb->netif, "10.0.0.100/24");         /* b has it itself */
    fx_dhcp_serve(f);
    f->client.requested = fx_svc_ip("10.0.0.100");
    fx_dhcp_ask(f);
    fx_svc_run(f->net, 60 * NS_PER_S);
    EXPECT(f->c.state == DHCP4_BOUND && f->c.declines == 1 && f->v.declines == 1);
    EXPECT_EQ(addr_to_v4(&f->c.lease.addr), 0x0a000065);
    EXPECT_EQ(fx_svc_count(f->net, "dhcp.option.dhcp == 4 && "
                           "dhcp.option.dhcp_server_id == 10.0.0.2 && "
                           "dhcp.option.requested_ip_address == 10.0.0.100 && "
                           "dhcp.ip.client == 0.0.0.0 && ip.src == 0.0.0.0", &declined), 1);
    EXPECT_EQ(fx_svc_count(f->net, DISCOVER " && !dhcp.option.requested_ip_address",
                           &again), 1);
    EXPECT(again >= declined + 10 * NS_PER_S);
    EXPECT(!fx_dhcp_has(f, "10.0.0.100"));
    fx_dhcp_free(f);
}

TEST("an address that is lost to somebody later is declined too")
{
    struct fx_dhcp *f = fx_dhcp_new(true);
    char addr[ADDR_TEXT_MAX];
    COVERS("2131-5");
    fx_dhcp_serve(f);
    fx_dhcp_ask(f);
    fx_svc_run(f->net, 60 * NS_PER_S);
    EXPECT_EQ(f->c.state, DHCP4_BOUND);
    (void)oriel_addr_print(&f->c.lease.addr, addr, sizeof(addr));
    for (unsigned i = 0; i < 3; i++) {          /* it is defended once in ten seconds */
        char line[300];
        uint8_t frame[128];
        struct wr w = wr_of(frame, sizeof(frame));
        struct syntax_error err;
        (void)snprintf(line, sizeof(line), "eth dst=ff:ff:ff:ff:ff:ff src=02:00:00:00:00:77 / arp "
                       "op=request sha=02:00:00:00:00:77 spa=%s tpa=%s", addr, addr);
        assert_true(craft(span_str(line), &w, &err));
        wr_zeros(&w, 60 - wr_len(&w));
        EXPECT(world_send(&f->net->w, f->net->pb, wr_span(&w)));
        fx_svc_run(f->net, NS_PER_S);
    }
    EXPECT_EQ(f->c.declines, 1);
    EXPECT(!fx_dhcp_has(f, addr));
    fx_dhcp_free(f);
}

TEST("released, the address is given back and taken off")
{
    struct fx_dhcp *f = fx_dhcp_bound();
    char addr[ADDR_TEXT_MAX];
    (void)oriel_addr_print(&f->c.lease.addr, addr, sizeof(addr));
    dhcp4_client_release(&f->c);
    fx_svc_run(f->net, NS_PER_S);
    EXPECT(f->c.state == DHCP4_STOPPED && !fx_dhcp_has(f, addr) && f->v.releases == 1);
    EXPECT_EQ(fx_dhcp_count(f, "dhcp.option.dhcp == 7 && ip.dst == 10.0.0.2 && dhcp.ip.client == "
                               "10.0.0.96/28 && dhcp.option.dhcp_server_id == 10.0.0.2"), 1);
    EXPECT_EQ(fx_svc_now(f->net) < dhcp4_client_step(&f->c, fx_svc_now(f->net)), 1);
    fx_dhcp_free(f);
}

/* The link goes away and comes back. */
static void replug(struct fx_dhcp *f)
{
    struct wire *x = f->net->pa->wire;
    world_set_wire(&f->net->w, x, false);
    fx_svc_run(f->net, NS_PER_S);
    world_set_wire(&f->net->w, x, true);
    fx_svc_run(f->net, NS_PER_MS);
}

TEST("a link that comes back is asked whether the address still holds, which it does meanwhile")
{
    struct fx_dhcp *f = fx_dhcp_bound();
    struct oriel_addr a = f->c.lease.addr;
    oriel_time until = f->c.lease.until;
    fx_dhcp_silence(f);
    replug(f);
    EXPECT(f->c.state == DHCP4_REBOOTING && dhcp4_client_lease(&f->c));
    fx_svc_run(f->net, 60 * NS_PER_S);
    EXPECT(f->c.state == DHCP4_BOUND && f->c.lease.until == until);     /* nobody said no */
    fx_dhcp_serve(f);                           /* one that does not know us is silent */
    replug(f);
    fx_svc_run(f->net, 60 * NS_PER_S);
    EXPECT(f->c.state == DHCP4_BOUND && addr_same_bits(&f->c.lease.addr, &a));
    fx_dhcp_free(f);
}

/* ---- what is not believed ---- */

/* The client has asked; an offer that it would take. */
static struct dhcp4_msg good_offer(struct fx_dhcp *f)
{
    if (!f->client_on)
        fx_dhcp_ask(f);
    fx_svc_run(f->net, 10 * NS_PER_MS);
    return (struct dhcp4_msg){.is_reply = true, .type = DHCP4_OFFER, .xid = f->c.xid,
                              .chaddr = f->net->pa->mac, .yiaddr = fx_svc_ip("10.0.0.50"),
                              .has_mask = true, .mask_len = 24, .has_lease = true, .lease_s = 60,
                              .server_id = fx_svc_ip("10.0.0.2")};
}

TEST("an offer with another id, for another host, from another port, or a request, is passed over")
{
    struct fx_dhcp *f = fx_dhcp_new(false);
    struct dhcp4_msg m = good_offer(f);
    COVERS("2131-1");
    m.xid ^= 0x80000000;
    fx_dhcp_say(f, &m, 67);
    m.xid ^= 0x80000000;
    m.chaddr.b[5] ^= 1;
    fx_dhcp_say(f, &m, 67);
    m.chaddr.b[5] ^= 1;
    m.is_reply = false;
    fx_dhcp_say(f, &m, 67);
    m.is_reply = true;
    fx_dhcp_say(f, &m, 6767);
    m.type = DHCP4_ACK;                         /* nothing was requested yet */
    fx_dhcp_say(f, &m, 67);
    EXPECT_EQ(f->c.state, DHCP4_SELECTING);
    m.type = DHCP4_OFFER;
    fx_dhcp_say(f, &m, 67);
    EXPECT_EQ(f->c.state, DHCP4_REQUESTING);
    m.type = DHCP4_ACK;
    m.server_id = fx_svc_ip("10.0.0.3");        /* not the one that was chosen */
    fx_dhcp_say(f, &m, 67);
    EXPECT_EQ(f->c.state, DHCP4_REQUESTING);
    m.server_id = fx_svc_ip("10.0.0.2");
    fx_dhcp_say(f, &m, 67);
    EXPECT_EQ(f->c.state, DHCP4_BOUND);
    fx_dhcp_free(f);
}

TEST("ids of exchanges have no pattern that one sees")
{
    struct fx_dhcp *f = fx_dhcp_new(false);
    uint32_t last = 0;
    COVERS("2131-1");
    for (unsigned i = 0; i < 20; i++) {
        fx_dhcp_ask(f);
        fx_svc_run(f->net, 10 * NS_PER_MS);
        EXPECT(f->c.xid - last > 1000 || i == 0);
        last = f->c.xid;
        dhcp4_client_stop(&f->c);
        f->client.seed[0]++;
    }
    fx_dhcp_free(f);
}

TEST("addresses that no host can have are not taken, nor leases without a time or a server")
{
    static const char *const bad[] = {"0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.5",
                                      "255.255.255.255", "241.0.0.1", "10.0.0.0", "10.0.0.255"};
    struct fx_dhcp *f = fx_dhcp_new(false);
    struct dhcp4_msg m = good_offer(f);
    COVERS("2131-8 S30");
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        m.yiaddr = fx_svc_ip(bad[i]);
        fx_dhcp_say(f, &m, 67);
        EXPECT_EQ(f->c.state, DHCP4_SELECTING);
    }
    m.yiaddr = fx_svc_ip("10.0.0.50");
    m.has_lease = false;
    fx_dhcp_say(f, &m, 67);
    m.has_lease = true;
    m.lease_s = 0;
    fx_dhcp_say(f, &m, 67);
    m.lease_s = 60;
    m.server_id = ADDR_V4_ANY;
    fx_dhcp_say(f, &m, 67);
    EXPECT_EQ(f->c.state, DHCP4_SELECTING);
    fx_dhcp_free(f);
}

TEST("routers and name servers that make no sense are left out; such times are the usual ones")
{
    struct fx_dhcp *f = fx_dhcp_new(false);
    struct dhcp4_msg m = good_offer(f);
    COVERS("2131-8 2131-3");
    fx_dhcp_say(f, &m, 67);
    m.type = DHCP4_ACK;
    m.lease_s = 1000;
    m.has_t1 = m.has_t2 = true;
    m.t1_s = 900;                               /* T1 after T2 */
    m.t2_s = 800;
    m.mtu = 68;
    m.routers_n = 3;
    m.routers[0] = fx_svc_ip("224.0.0.1");
    m.routers[1] = fx_svc_ip("0.0.0.0");
    m.routers[2] = fx_svc_ip("10.0.0.3");
    m.dns_n = 2;
    m.dns[0] = fx_svc_ip("224.0.0.2");
    m.dns[1] = fx_svc_ip("10.0.0.4");
    oriel_time asked = f->c.asked;
    fx_dhcp_say(f, &m, 67);
    const struct dhcp4_lease *l = dhcp4_client_lease(&f->c);
    EXPECT(l && l->routes_n == 1 && addr_to_v4(&l->routes[0].via) == 0x0a000003);
    EXPECT(l->dns_n == 1 && addr_to_v4(&l->dns[0]) == 0x0a000004 && l->mtu == 0);
    EXPECT(l->t1 <= asked + 500 * NS_PER_S && l->t1 >= asked + 490 * NS_PER_S);
    EXPECT(l->t2 <= asked + 875 * NS_PER_S && l->t2 >= asked + 865 * NS_PER_S);
    EXPECT_EQ(fx_dhcp_mtu(f), 1500);
    fx_dhcp_free(f);
}

TEST("classless routes take the place of routers; a small MTU is the link's as long as the lease")
{
    struct fx_dhcp *f = fx_dhcp_new(false);
    struct dhcp4_msg m = good_offer(f);
    fx_dhcp_say(f, &m, 67);
    m.type = DHCP4_ACK;
    m.mtu = 1400;
    m.routers_n = 1;
    m.routers[0] = fx_svc_ip("10.0.0.3");
    m.routes_n = 3;
    m.routes[0] = (struct dhcp4_route){prefix_v4(0, 0), fx_svc_ip("10.0.0.2")};
    m.routes[1] = (struct dhcp4_route){prefix_v4(0xac100000, 12), fx_svc_ip("10.0.0.9")};
    m.routes[2] = (struct dhcp4_route){prefix_v4(0xa9fe0000, 16), ADDR_V4_ANY};
    fx_dhcp_say(f, &m, 67);
    EXPECT(fx_dhcp_routes(f, "0.0.0.0/0", "10.0.0.2"));
    EXPECT(!fx_dhcp_routes(f, "0.0.0.0/0", "10.0.0.3"));
    EXPECT(fx_dhcp_routes(f, "172.16.0.0/12", "10.0.0.9"));
    EXPECT(fx_dhcp_routes(f, "169.254.0.0/16", NULL));
    EXPECT_EQ(fx_dhcp_mtu(f), 1400);
    dhcp4_client_stop(&f->c);
    EXPECT(!fx_dhcp_routes(f, "172.16.0.0/12", "10.0.0.9") && fx_dhcp_mtu(f) == 1500);
    fx_dhcp_free(f);
}

TEST("names of states are the RFC's")
{
    EXPECT_STR(dhcp4_state_name(DHCP4_SELECTING), "SELECTING");
    EXPECT_STR(dhcp4_state_name(DHCP4_REBINDING), "REBINDING");
}
