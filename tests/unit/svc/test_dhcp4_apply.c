/* A lease on an interface, without anybody who gave it. */
#include "svc/fx_dhcp4.h"

#include "svc/dhcp4_apply.h"

static struct dhcp4_lease lease(const char *addr, const char *router, uint16_t mtu)
{
    return (struct dhcp4_lease){.addr = fx_svc_ip(addr), .prefix_len = 120, .mtu = mtu,
                                .routes_n = 1, .routes = {{prefix_v4(0, 0), fx_svc_ip(router)}}};
}

static struct fx_dhcp *holder(void)
{
    struct fx_dhcp *f = fx_dhcp_new(false);
    f->c.cfg = f->client;
    return f;
}

TEST("a lease brings its address, and when that may be used its routes and MTU; all leave with it")
{
    struct fx_dhcp *f = holder();
    struct dhcp4_lease l = lease("10.0.0.7", "10.0.0.1", 1400);
    EXPECT_STR(dhcp4_addr_state(&f->c), "none");
    EXPECT_EQ(dhcp4_apply(&f->c, &l), 0);
    EXPECT(fx_dhcp_has(f, "10.0.0.7") && !fx_dhcp_routes(f, "0.0.0.0/0", "10.0.0.1"));
    EXPECT_STR(dhcp4_addr_state(&f->c), "preferred");
    dhcp4_apply_rest(&f->c);
    EXPECT(fx_dhcp_routes(f, "0.0.0.0/0", "10.0.0.1") && fx_dhcp_mtu(f) == 1400);
    uint32_t changes = f->c.changes;
    dhcp4_apply_rest(&f->c);                    /* there already */
    EXPECT_EQ(f->c.changes, changes);
    dhcp4_withdraw(&f->c);
    EXPECT(!fx_dhcp_has(f, "10.0.0.7") && !fx_dhcp_routes(f, "0.0.0.0/0", "10.0.0.1"));
    EXPECT(fx_dhcp_mtu(f) == 1500 && f->c.changes == changes + 1);
    dhcp4_withdraw(&f->c);                      /* once is enough */
    EXPECT_EQ(f->c.changes, changes + 1);
    fx_dhcp_free(f);
}

TEST("the same address with other routes keeps the address; a larger MTU than the link's is none")
{
    struct fx_dhcp *f = holder();
    struct dhcp4_lease l = lease("10.0.0.7", "10.0.0.1", 1400);
    EXPECT_EQ(dhcp4_apply(&f->c, &l), 0);
    dhcp4_apply_rest(&f->c);
    l = lease("10.0.0.7", "10.0.0.2", 9000);
    EXPECT_EQ(dhcp4_apply(&f->c, &l), 0);
    EXPECT(!fx_dhcp_routes(f, "0.0.0.0/0", "10.0.0.1"));
    EXPECT(fx_dhcp_routes(f, "0.0.0.0/0", "10.0.0.2") && fx_dhcp_mtu(f) == 1500);
    l = lease("10.0.0.8", "10.0.0.2", 0);
    EXPECT_EQ(dhcp4_apply(&f->c, &l), 0);
    EXPECT(!fx_dhcp_has(f, "10.0.0.7") && fx_dhcp_has(f, "10.0.0.8"));
    EXPECT(!fx_dhcp_routes(f, "0.0.0.0/0", "10.0.0.2"));        /* until the new one may be used */
    dhcp4_withdraw(&f->c);
    fx_dhcp_free(f);
}

TEST("an address that the interface has already is no lease's to take")
{
    struct fx_dhcp *f = holder();
    struct dhcp4_lease l = lease("10.0.0.7", "10.0.0.1", 0);
    fx_svc_addr(f->net->a, f->net->pa->netif, "10.0.0.7/24");
    EXPECT_EQ(dhcp4_apply(&f->c, &l), ORIEL_EEXIST);
    EXPECT(!f->c.has_lease && fx_dhcp_has(f, "10.0.0.7"));
    fx_dhcp_free(f);
}
