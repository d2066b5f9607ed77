#include "fx_stack.h"

TEST("a configuration of another version, or too little memory, makes no stack")
{
    struct oriel_config c;
    static uint8_t memory[1 << 20];
    oriel_config_init(&c);
    EXPECT(oriel_create(&c) == NULL);           /* no memory at all */
    c.memory = memory;
    c.memory_bytes = sizeof(memory);
    c.version = 99;
    EXPECT(oriel_create(&c) == NULL);
    c.version = ORIEL_CONFIG_VERSION;
    c.memory_bytes = 64;
    EXPECT(oriel_create(&c) == NULL);
}

TEST("every size of memory makes a stack that works, or none, and never touches what is not its own")
{
    const size_t max = 3u << 20;
    uint8_t *memory = malloc(max + 64);
    unsigned made = 0, refused = 0;
    COVERS("S36");
    for (size_t n = 0; n <= max; n += 40009) {
        struct oriel_config c;
        oriel_config_init(&c);
        c.memory = memory;
        c.memory_bytes = n;
        memset(memory + n, 0x77, 64);
        struct oriel_stack *s = oriel_create(&c);
        if (s) {
            made++;
            EXPECT(oriel_netif_add(s, &(struct oriel_netif_config){.name = "eth0"}) > 0);
            oriel_step(s, 1, NULL);
            oriel_destroy(s);
        } else {
            refused++;
        }
        for (unsigned i = 0; i < 64; i++)
            EXPECT_EQ(memory[n + i], 0x77);
    }
    EXPECT(made > 5 && refused > 5);
    struct arena a;
    arena_init(&a, memory, max);
    free(memory);
}

TEST("the least memory that is named is enough")
{
    static const uint32_t connections[] = {0, 1, 16, 256, 1024, 4096, 65536};
    for (unsigned i = 0; i < ARRAY_LEN(connections); i++) {
        struct oriel_config c;
        oriel_config_init(&c);
        c.connections = connections[i];
        c.memory_bytes = oriel_memory_min(connections[i]);
        c.memory = malloc(c.memory_bytes);
        struct oriel_stack *s = oriel_create(&c);
        EXPECT(s != NULL);
        oriel_destroy(s);
        struct arena a;
        arena_init(&a, c.memory, c.memory_bytes);
        free(c.memory);
    }
}

TEST("time does not go back")
{
    struct fx *f = fx_new();
    fx_run(f, NS_PER_S);
    EXPECT_ASSERTS(oriel_step(f->s, 5, NULL));
    fx_free(f);
}

TEST("with nothing to do there is no deadline, and with a packet to ourselves it is now")
{
    struct fx *f = fx_new(.netif = {.kind = ORIEL_NETIF_RAW});
    EXPECT_EQ(oriel_next_deadline(f->s), ORIEL_NEVER);
    EXPECT(oriel_netif_add(f->s, &(struct oriel_netif_config){.name = "lo",
                                                              .kind = ORIEL_NETIF_LOOPBACK}) > 0);
    EXPECT(fx_send(f, "127.0.0.1", "x") == 1);
    EXPECT_EQ(oriel_next_deadline(f->s), f->s->env.now);
    fx_free(f);
}

TEST("the same inputs give the same outputs, byte for byte, and another seed gives others")
{
    uint64_t hash[3] = {0, 0, 0};
    COVERS("INV-5");
    for (unsigned run = 0; run < 3; run++) {
        struct fx *f = fx_new(.netif = {.ip6 = true}, .stack = {.seed = {run == 2 ? 9 : 1}},
                              .reports = true);
        fx_add_addr(f, f->nif, "10.0.0.1/24");
        fx_run(f, 5 * NS_PER_S);
        while (fx_out(f)) {
            hash[run] = hash_word(hash[run], f->out_at);
            for (size_t i = 0; i < f->frame_n; i++)
                hash[run] = hash_word(hash[run], f->frame[i]);
        }
        fx_free(f);
    }
    EXPECT(hash[0] != 0 && hash[0] == hash[1]);
    EXPECT(hash[0] != hash[2]);
}

TEST("a stack that forwards nothing stays so however many interfaces it has")
{
    struct fx *f = fx_new();
    int two = fx_netif(f, &(struct oriel_netif_config){.name = "if2"});
    COVERS("1122-3.1");
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    fx_add_addr(f, two, "10.0.1.1/24");
    EXPECT_DROP(f, IP_NOT_OURS, fx_in(f, "ip src=10.0.0.2 dst=10.0.1.2 / udp 1>2 / \"x\""));
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("an interface that is removed takes its addresses, routes and neighbours along")
{
    struct fx *f = fx_new();
    const uint8_t mac[6] = {2, 0, 0, 0, 0, 2};
    struct oriel_addr n = fx_addr("10.0.0.2");
    struct oriel_addr_info a;
    struct oriel_route_info r;
    struct oriel_neigh_info g;
    uint32_t at = 0;
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    fx_add_route(f, f->nif, "0.0.0.0/0", "10.0.0.2");
    EXPECT_EQ(oriel_neigh_add(f->s, f->nif, &n, mac), 0);
    EXPECT_EQ(oriel_netif_remove(f->s, f->nif), 0);
    EXPECT(!oriel_addr_each(f->s, &at, &a));
    EXPECT(!oriel_route_each(f->s, &(uint32_t){0}, &r));
    EXPECT(!oriel_neigh_each(f->s, &(uint32_t){0}, &g));
    EXPECT_EQ(oriel_netif_remove(f->s, f->nif), ORIEL_ENOENT);
    fx_free(f);
}

TEST("an interface under a VLAN stays until the VLAN is gone")
{
    struct fx *f = fx_new();
    int vlan = oriel_netif_add(f->s, &(struct oriel_netif_config){
                                         .name = "if1.5", .kind = ORIEL_NETIF_VLAN,
                                         .vlan_parent = f->nif, .vlan_id = 5});
    EXPECT(vlan > 0);
    EXPECT_EQ(oriel_netif_remove(f->s, f->nif), ORIEL_EEXIST);
    EXPECT_EQ(oriel_netif_remove(f->s, vlan), 0);
    EXPECT_EQ(oriel_netif_remove(f->s, f->nif), 0);
    fx_free(f);
}

TEST("a link that goes down drops what waited, and comes back with what was configured")
{
    struct fx *f = fx_new();
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    EXPECT_EQ(oriel_netif_set_carrier(f->s, f->nif, false), 0);
    EXPECT(fx_send(f, "10.0.0.2", "x") < 0);
    EXPECT_DROP(f, LINK_DOWN, fx_in(f, "ip src=10.0.0.2 dst=10.0.0.1 / udp 1>2"));
    EXPECT_EQ(oriel_netif_set_carrier(f->s, f->nif, true), 0);
    EXPECT(fx_send(f, "10.0.0.2", "x") == 1);
    EXPECT_OUT(f, "arp.opcode == 1");
    EXPECT_EQ(oriel_netif_set_up(f->s, f->nif, false), 0);
    EXPECT(fx_send(f, "10.0.0.2", "x") < 0);
    EXPECT_EQ(oriel_netif_set_up(f->s, f->nif, true), 0);
    EXPECT(fx_send(f, "10.0.0.2", "x") == 1);
    fx_free(f);
}

TEST("a packet of the batch that finds no memory left is a drop, never an abort")
{
    struct fx *f = fx_new(.stack = {.memory_bytes = 2u << 20});
    unsigned sent = 0;
    COVERS("INV-1 INV-6 S36");
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    while (sent < 100000 && oriel_pkt_new(f->s, f->nif, "x", 1) != NULL)
        sent++;
    EXPECT(sent > 10 && sent < 100000);
    EXPECT(f->s->budget.refused > 0 || f->s->own_mem.blks[BLK_WHOLE].refused > 0);
    EXPECT(fx_send(f, "10.0.0.2", "x") == ORIEL_ENOBUFS || fx_send(f, "10.0.0.2", "x") == 1);
    /* The packets are ours to free: they were made and never given to a step. */
    pkt_mem_settle(&f->s->own_mem);
    for (uint32_t i = 0; i < f->s->own_mem.pkts.fresh; i++)
        if (pool_is_live(&f->s->own_mem.pkts, i))
            oriel_pkt_free(pool_at(&f->s->own_mem.pkts, i));
    fx_free(f);
}
