#include "ip/fx_host.h"

/* The cache is one for both families: what differs is how they ask. */
struct family {
    const char *us, *peer, *peer2;
    const char *ask;            /* to everybody */
    const char *verify;         /* to the one that we believe in */
    const char *answer;
    const char *answer2;        /* of the second peer */
    const char *hear;           /* it asks us something */
};

static const struct family families[] = {
    {"10.0.0.1/24", "10.0.0.2", "10.0.0.3",
     "arp.opcode == 1 && eth.dst == ff:ff:ff:ff:ff:ff && why == \"ARP_REQUEST\"",
     "arp.opcode == 1 && eth.dst == 02:00:00:00:00:02 && why == \"ARP_VERIFY\"",
     "arp op=reply sha=02:00:00:00:00:02 spa=10.0.0.2 tpa=10.0.0.1",
     "arp op=reply sha=02:00:00:00:00:03 spa=10.0.0.3 tpa=10.0.0.1",
     "arp op=request sha=02:00:00:00:00:02 spa=10.0.0.2 tpa=10.0.0.1"},
    {"2001:db8::1/64", "2001:db8::2", "2001:db8::3",
     "icmpv6.type == 135 && eth.dst == 33:33:ff:00:00:02 && why == \"ND_SOLICIT\"",
     "icmpv6.type == 135 && eth.dst == 02:00:00:00:00:02 && why == \"ND_VERIFY\"",
     "ip6 src=2001:db8::2 dst=2001:db8::1 / icmp6 na target=2001:db8::2 solicited override "
     "tlla=02:00:00:00:00:02",
     "ip6 src=2001:db8::3 dst=2001:db8::1 / icmp6 na target=2001:db8::3 solicited override "
     "tlla=02:00:00:00:00:03",
     "ip6 src=2001:db8::2 dst=ff02::1:ff00:1 / icmp6 ns target=2001:db8::1 slla=02:00:00:00:00:02"},
};

#define EACH_FAMILY(g)                                                                             \
    for (const struct family *g = families; g < families + ARRAY_LEN(families); g++)

static struct fx *host_of(const struct family *g)
{
    struct fx *f = fx_new(.netif = {.no_dad = true});
    fx_add_addr(f, f->nif, g->us);
    (void)fx_skip(f);
    return f;
}

static const char *state_of(const struct fx *f, const struct family *g)
{
    return fx_neigh_state(f, f->nif, g->peer);
}

/* One packet went out and was answered for: REACHABLE, and nothing waits. */
static struct fx *reached(const struct family *g)
{
    struct fx *f = host_of(g);
    EXPECT_EQ(fx_send(f, g->peer, "x"), 1);
    fx_in(f, g->answer);
    EXPECT_EQ(fx_skip(f), 2);
    EXPECT_STR(state_of(f, g), "reachable");
    return f;
}

/* ---- the state chart of RFC 4861, 7.3.2, in virtual time ---- */

TEST("asked and answered: INCOMPLETE, then REACHABLE, and what waited leaves")
{
    COVERS("4861-12 1122-2.3.2.2");
    EACH_FAMILY(g) {
        struct fx *f = host_of(g);
        EXPECT_STR(state_of(f, g), "none");
        EXPECT_EQ(fx_send(f, g->peer, "x"), 1);
        EXPECT_STR(state_of(f, g), "incomplete");
        EXPECT_OUT(f, g->ask);
        EXPECT_QUIET(f);
        fx_at(f, NS_PER_S / 2);
        fx_in(f, g->answer);
        EXPECT_STR(state_of(f, g), "reachable");
        EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:00:02");
        EXPECT(f->out_at == NS_PER_S / 2);
        EXPECT_QUIET(f);
        fx_free(f);
    }
}

TEST("nobody answers: three questions a second apart, then FAILED, then forgotten")
{
    COVERS("4861-8 4861-12");
    EACH_FAMILY(g) {
        struct fx *f = host_of(g);
        EXPECT_EQ(fx_send(f, g->peer, "x"), 1);
        fx_at(f, 3 * NS_PER_S - 1);
        EXPECT_STR(state_of(f, g), "incomplete");
        EXPECT_DROP(f, NEIGH_FAILED, fx_at(f, 3 * NS_PER_S));
        EXPECT_STR(state_of(f, g), "failed");
        for (unsigned i = 0; i < 3; i++) {
            EXPECT_OUT(f, g->ask);
            EXPECT(f->out_at == i * NS_PER_S);
        }
        EXPECT_QUIET(f);
        EXPECT_DROP(f, NEIGH_FAILED, EXPECT_EQ(fx_send(f, g->peer, "x"), ORIEL_EHOSTUNREACH));
        fx_at(f, 6 * NS_PER_S - 1);
        EXPECT_STR(state_of(f, g), "failed");
        fx_at(f, 6 * NS_PER_S);
        EXPECT_STR(state_of(f, g), "none");
        EXPECT_QUIET(f);
        EXPECT_EQ(fx_send(f, g->peer, "x"), 1);                 /* and may be asked again */
        EXPECT_OUT(f, g->ask);
        fx_free(f);
    }
}

TEST("a late answer revives a FAILED entry")
{
    EACH_FAMILY(g) {
        struct fx *f = host_of(g);
        EXPECT_EQ(fx_send(f, g->peer, "x"), 1);
        fx_at(f, 4 * NS_PER_S);
        (void)fx_skip(f);
        EXPECT_STR(state_of(f, g), "failed");
        fx_in(f, g->answer);
        EXPECT_STR(state_of(f, g), "reachable");
        EXPECT_EQ(fx_send(f, g->peer, "x"), 1);
        EXPECT_OUT(f, "udp");
        fx_free(f);
    }
}

TEST("REACHABLE lasts 15 to 45 seconds, then STALE says nothing until it is used")
{
    COVERS("4861-12");
    EACH_FAMILY(g) {
        struct fx *f = reached(g);
        fx_at(f, 15 * NS_PER_S - 1);
        EXPECT_STR(state_of(f, g), "reachable");
        fx_at(f, 45 * NS_PER_S);
        EXPECT_STR(state_of(f, g), "stale");
        fx_at(f, 500 * NS_PER_S);
        EXPECT_STR(state_of(f, g), "stale");
        EXPECT_QUIET(f);
        fx_at(f, 645 * NS_PER_S);
        EXPECT_STR(state_of(f, g), "none");                        /* unused for ten minutes */
        EXPECT_QUIET(f);
        fx_free(f);
    }
}

TEST("a STALE entry in use is asked after 5 seconds, directly, and confirmed by the answer")
{
    COVERS("4861-12 1122-2.3.2.1a");
    EACH_FAMILY(g) {
        struct fx *f = reached(g);
        fx_at(f, 50 * NS_PER_S);
        EXPECT_EQ(fx_send(f, g->peer, "x"), 1);
        EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:00:02");   /* at once, to where it was */
        EXPECT_STR(state_of(f, g), "delay");
        fx_at(f, 55 * NS_PER_S - 1);
        EXPECT_QUIET(f);
        fx_at(f, 55 * NS_PER_S);
        EXPECT_OUT(f, g->verify);
        EXPECT_STR(state_of(f, g), "probe");
        EXPECT_EQ(fx_send(f, g->peer, "x"), 1);
        EXPECT_OUT(f, "udp");                                   /* traffic goes on */
        fx_in(f, g->answer);
        EXPECT_STR(state_of(f, g), "reachable");
        fx_at(f, 65 * NS_PER_S);
        EXPECT_QUIET(f);
        fx_free(f);
    }
    struct fx *f = reached(&families[0]);
    fx_run(f, 50 * NS_PER_S);
    (void)fx_send(f, families[0].peer, "x");
    fx_run(f, 5 * NS_PER_S);
    EXPECT_WHY(&f->s->env, WHY_ARP_VERIFY);
    fx_free(f);
    f = reached(&families[1]);
    EXPECT_WHY(&f->s->env, WHY_ND_SOLICIT);
    fx_run(f, 50 * NS_PER_S);
    (void)fx_send(f, families[1].peer, "x");
    fx_run(f, 5 * NS_PER_S);
    EXPECT_WHY(&f->s->env, WHY_ND_VERIFY);
    fx_free(f);
}

TEST("a neighbour that does not answer three direct questions has FAILED")
{
    COVERS("4861-12");
    EACH_FAMILY(g) {
        struct fx *f = reached(g);
        fx_at(f, 50 * NS_PER_S);
        EXPECT_EQ(fx_send(f, g->peer, "x"), 1);
        (void)fx_skip(f);
        fx_at(f, 58 * NS_PER_S - 1);
        EXPECT_STR(state_of(f, g), "probe");
        for (unsigned i = 0; i < 3; i++) {
            EXPECT_OUT(f, g->verify);
            EXPECT(f->out_at == (55 + i) * NS_PER_S);
        }
        fx_at(f, 58 * NS_PER_S);
        EXPECT_STR(state_of(f, g), "failed");
        EXPECT_QUIET(f);
        fx_free(f);
    }
}

TEST("only an answer confirms: hearing a neighbour makes a new entry STALE and leaves an old one")
{
    COVERS("4861-12");
    EACH_FAMILY(g) {
        struct fx *f = host_of(g);
        fx_in(f, g->hear);
        EXPECT_STR(state_of(f, g), "stale");
        fx_free(f);
        f = reached(g);
        fx_in(f, g->hear);
        EXPECT_STR(state_of(f, g), "reachable");
        (void)fx_skip(f);
        fx_at(f, 50 * NS_PER_S);
        EXPECT_EQ(fx_send(f, g->peer, "x"), 1);
        fx_in(f, g->hear);
        EXPECT_STR(state_of(f, g), "delay");
        fx_at(f, 55 * NS_PER_S);
        fx_in(f, g->hear);
        EXPECT_STR(state_of(f, g), "probe");
        fx_free(f);
    }
}

TEST("when an upper layer saw the neighbour answer, nobody is asked")
{
    COVERS("4861-12");
    EACH_FAMILY(g) {
        struct fx *f = reached(g);
        struct ip_path path;
        struct oriel_addr to = fx_addr(g->peer);
        EXPECT_EQ(ip_path_find(&f->s->ip, &to, NULL, 0, &path), 0);
        for (unsigned s = 0; s < 300; s += 10) {
            fx_at(f, s * NS_PER_S);
            ip_path_confirm(&f->s->ip, &path);
            EXPECT_STR(state_of(f, g), "reachable");
        }
        EXPECT_QUIET(f);
        fx_at(f, 350 * NS_PER_S);
        EXPECT_STR(state_of(f, g), "stale");
        ip_path_confirm(&f->s->ip, &path);
        EXPECT_STR(state_of(f, g), "reachable");
        fx_free(f);
        f = host_of(g);                         /* of what is unknown it says nothing */
        EXPECT_EQ(ip_path_find(&f->s->ip, &to, NULL, 0, &path), 0);
        ip_path_confirm(&f->s->ip, &path);
        EXPECT_STR(state_of(f, g), "incomplete");
        ip_changed(&f->s->ip);
        ip_path_confirm(&f->s->ip, &path);      /* and an old path names nobody */
        fx_free(f);
    }
}

/* ---- the queue ---- */

TEST("eight packets wait for an address; of more, the oldest give way")
{
    COVERS("1122-2.3.2.2 4861-8");
    EACH_FAMILY(g) {
        struct fx *f = host_of(g);
        char data[] = "0";
        for (; data[0] < '8'; data[0]++)
            EXPECT_EQ(fx_send(f, g->peer, data), 1);
        EXPECT_EQ(fx_neigh(f, f->nif, g->peer)->waiting.n, 8);
        EXPECT_DROP(f, NEIGH_QUEUE_FULL, EXPECT_EQ(fx_send(f, g->peer, "8"), 1));
        EXPECT_DROP(f, NEIGH_QUEUE_FULL, EXPECT_EQ(fx_send(f, g->peer, "9"), 1));
        EXPECT_OUT(f, g->ask);
        EXPECT_QUIET(f);
        fx_in(f, g->answer);
        for (data[0] = '2'; data[0] <= '9'; data[0]++)
            EXPECT_OUT(f, fx_line("udp[8:1] == %02x", (unsigned)data[0]));
        EXPECT_QUIET(f);
        fx_free(f);
    }
}

TEST("who waited in vain is told: our own sockets by an error, others by ICMP")
{
    COVERS("4861-8 1122-2.4b");
    EACH_FAMILY(g) {
        struct fx *f = host_of(g);
        oriel_handle h = fx_connected(f, 5, g->peer, 9);
        EXPECT_EQ(fx_send_n(f, h, 3), 3);
        EXPECT_EQ(fx_recv(f, h), ORIEL_EAGAIN);
        fx_at(f, 3 * NS_PER_S);
        EXPECT_EQ(fx_recv(f, h), ORIEL_EHOSTUNREACH);
        EXPECT_EQ(fx_recv(f, h), ORIEL_EAGAIN);
        struct oriel_error_info e;
        EXPECT_EQ(oriel_last_error(f->s, h, &e), 0);
        EXPECT(!e.from_net);
        fx_free(f);
    }
    struct fx *r = fx_router();
    fx_in(r, "ip src=10.0.0.2 dst=10.0.1.9 / udp 1>2 / \"to nobody\"");
    fx_in(r, "ip6 src=2001:db8::2 dst=2001:db8:1::9 / udp 1>2 / \"to nobody\"");
    fx_run(r, 4 * NS_PER_S);
    EXPECT(fx_out_until(r, "icmp.type == 3 && icmp.code == 1 && ip.dst == 10.0.0.2"));
    EXPECT(fx_out_until(r, "icmpv6.type == 1 && icmpv6.code == 3 && ipv6.dst == 2001:db8::2"));
    EXPECT_EQ(fx_drops(r, DROP_NEIGH_FAILED), 2);
    fx_in(r, "ip src=10.0.0.2 dst=10.0.1.9 / udp 1>2 / \"still\"");     /* known to be dead */
    EXPECT_OUT(r, "icmp.type == 3 && icmp.code == 1");
    EXPECT_EQ(fx_drops(r, DROP_NEIGH_FAILED), 3);
    fx_free(r);
}

TEST("ten thousand packets to a dead neighbour make one question a second, in both families")
{
    COVERS("1122-2.3.2.1b 4861-8");
    EACH_FAMILY(g) {
        struct fx *f = host_of(g);
        oriel_handle h = fx_connected(f, 5, g->peer, 9);
        oriel_time last = 0;
        unsigned asked = 0;
        for (unsigned i = 0; i < 10000; i++) {
            fx_at(f, i * NS_PER_MS);
            (void)fx_send_n(f, h, 1);
            while (fx_out(f)) {
                EXPECT_FRAME(f, g->ask);
                EXPECT(asked == 0 || f->out_at - last >= NS_PER_S);
                last = f->out_at;
                asked++;
            }
        }
        EXPECT_EQ(asked, 3 + 3);                /* and none while it is FAILED */
        fx_free(f);
    }
}

/* ---- static entries ---- */

TEST("a static entry is used without a question, for ever, and can be replaced and removed")
{
    EACH_FAMILY(g) {
        struct fx *f = host_of(g);
        fx_know(f, f->nif, g->peer, 9);
        fx_at(f, 10000 * NS_PER_S);
        EXPECT_STR(state_of(f, g), "static");
        EXPECT_EQ(fx_send(f, g->peer, "x"), 1);
        EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:00:09");
        fx_in(f, g->answer);
        fx_in(f, g->hear);
        (void)fx_skip(f);
        EXPECT_STR(state_of(f, g), "static");
        fx_know(f, f->nif, g->peer, 8);
        EXPECT_EQ(fx_send(f, g->peer, "x"), 1);
        EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:00:08");
        struct oriel_addr a = fx_addr(g->peer);
        EXPECT_EQ(oriel_neigh_remove(f->s, f->nif, &a), 0);
        EXPECT_EQ(oriel_neigh_remove(f->s, f->nif, &a), ORIEL_ENOENT);
        EXPECT_EQ(oriel_neigh_remove(f->s, 99, &a), ORIEL_ENOENT);
        EXPECT_EQ(fx_send(f, g->peer, "x"), 1);
        EXPECT_OUT(f, g->ask);
        fx_know(f, f->nif, g->peer, 7);         /* what waited leaves */
        EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:00:07");
        fx_free(f);
    }
}

TEST("nobody can be made a neighbour whom a frame cannot reach")
{
    struct fx *f = host_of(&families[0]);
    int raw = fx_netif(f, &(struct oriel_netif_config){.kind = ORIEL_NETIF_RAW});
    const uint8_t mac[6] = FX_MAC(2), group[6] = {1, 0, 0x5e, 0, 0, 1};
    struct oriel_addr a = fx_addr("10.0.0.2"), any = fx_addr("0.0.0.0"), m = fx_addr("224.0.0.1");
    EXPECT_EQ(oriel_neigh_add(f->s, f->nif, &a, group), ORIEL_EINVAL);
    EXPECT_EQ(oriel_neigh_add(f->s, f->nif, &any, mac), ORIEL_EINVAL);
    EXPECT_EQ(oriel_neigh_add(f->s, f->nif, &m, mac), ORIEL_EINVAL);
    EXPECT_EQ(oriel_neigh_add(f->s, raw, &a, mac), ORIEL_EINVAL);
    EXPECT_EQ(oriel_neigh_add(f->s, 99, &a, mac), ORIEL_EINVAL);
    fx_free(f);
}

TEST("an interface that goes down takes what was known over it along")
{
    EACH_FAMILY(g) {
        struct fx *f = reached(g);
        EXPECT_EQ(fx_send(f, g->peer2, "x"), 1);
        EXPECT_EQ(oriel_netif_set_up(f->s, f->nif, false), 0);
        EXPECT_EQ(f->s->ip.neigh.pool.live, 0);
        EXPECT_EQ(fx_drops(f, DROP_NEIGH_FAILED), 1);           /* what waited */
        fx_free(f);
    }
}

/* ---- a table that is full ---- */

static struct fx *small_stack(bool forward)
{
    struct fx *f = fx_new(.stack = {.memory_bytes = (size_t)3 << 19, .connections = 16,
                                    .trace_events = 64, .forward4 = forward, .forward6 = forward,
                                    .send_redirects = forward},
                          .netif = {.no_dad = true});
    fx_add_addr(f, f->nif, "10.0.0.1/8");
    fx_add_addr(f, f->nif, "2001:db8::1/64");
    (void)fx_skip(f);
    return f;
}

static uint32_t places(const struct fx *f)
{
    return f->s->ip.neigh.pool.cap - f->s->ip.neigh.pool.live;
}

/* Entries that are never given up, until so many places are left. */
static void fill(struct fx *f, uint32_t leave)
{
    for (unsigned i = 0; places(f) > leave; i++)
        fx_know(f, f->nif, fx_line("10.99.%u.%u", i / 250, i % 250 + 1), 0x99);
}

TEST("a table full of entries in use refuses new ones")
{
    COVERS("6583-1");
    struct fx *f = small_stack(true);
    fill(f, 0);
    EXPECT_EQ(fx_send(f, "10.0.0.2", "x"), ORIEL_ENOBUFS);
    EXPECT_EQ(fx_send(f, "2001:db8::2", "x"), ORIEL_ENOBUFS);
    EXPECT_DROP(f, NEIGH_TABLE_FULL, fx_in(f, "ip src=10.99.0.1 dst=10.0.0.3 / udp 1>2"));
    EXPECT(fx_out_until(f, "icmp.type == 3 && ip.dst == 10.99.0.1"));
    struct oriel_addr a = fx_addr("10.0.0.2");
    const uint8_t mac[6] = FX_MAC(2);
    EXPECT_EQ(oriel_neigh_add(f->s, f->nif, &a, mac), ORIEL_ENOBUFS);
    fx_in(f, families[0].hear);                 /* answered all the same */
    EXPECT_OUT(f, "arp.opcode == 2");
    EXPECT_QUIET(f);
    fx_free(f);
}

TEST("a scan of a million addresses costs the scanner, not the neighbours that are known")
{
    COVERS("6583-1 S18 INV-6");
    struct fx *f = small_stack(false);
    fx_know(f, f->nif, "10.0.0.9", 9);
    (void)fx_send(f, "10.0.0.2", "x");
    fx_in(f, families[0].answer);                               /* reachable */
    fx_in(f, "arp op=request sha=02:00:00:00:00:04 spa=10.0.0.4 tpa=10.0.0.1");  /* stale */
    (void)fx_skip(f);
    fx_listen(f, 7);
    oriel_handle h = fx_listen(f, 5);
    uint32_t cap = f->s->ip.neigh.pool.cap;
    uint64_t questions = 0;
    for (uint32_t i = 0; i < 1000000; i++) {
        struct oriel_msg m = {.peer = {.addr = addr_v4(0x0a010000u + i), .port = 9}};
        EXPECT_EQ(oriel_send(f->s, h, "x", 1, &m), 1);
        for (struct pkt *p; oriel_netif_take(f->s, f->nif, &p, 1) == 1; questions++)
            oriel_pkt_free(p);
        assert_true(f->s->ip.neigh.pool.live <= cap);
    }
    EXPECT(questions <= NEIGH_ASKS_MAX);        /* all of it in one moment */
    EXPECT_EQ(fx_drops(f, DROP_NEIGH_TABLE_FULL), 1000000 + 3 - cap);
    EXPECT_DROPPED(&f->s->env, DROP_NEIGH_TABLE_FULL);
    EXPECT_STR(fx_neigh_state(f, f->nif, "10.0.0.9"), "static");
    EXPECT_STR(fx_neigh_state(f, f->nif, "10.0.0.2"), "reachable");
    EXPECT_STR(fx_neigh_state(f, f->nif, "10.0.0.4"), "stale");
    static const char *const known[] = {"10.0.0.9", "10.0.0.2", "10.0.0.4"};
    for (unsigned i = 0; i < ARRAY_LEN(known); i++) {
        EXPECT_EQ(fx_send(f, known[i], "x"), 1);
        EXPECT_OUT(f, fx_line("udp && ip.dst == %s", known[i]));
    }
    fx_run(f, NS_PER_S);
    (void)fx_send(f, "10.0.0.3", "x");          /* and a new one can be reached */
    fx_in(f, families[0].answer2);
    EXPECT(fx_out_until(f, "udp && ip.dst == 10.0.0.3"));
    fx_free(f);
}

TEST("when nothing is unanswered the stalest entry gives way, past any number that are in use")
{
    COVERS("6583-1");
    struct fx *f = small_stack(false);
    fill(f, 2);                                 /* the oldest places are all taken for good */
    fx_in(f, "arp op=request sha=02:00:00:00:00:04 spa=10.0.0.4 tpa=10.0.0.1");
    fx_in(f, "arp op=request sha=02:00:00:00:00:05 spa=10.0.0.5 tpa=10.0.0.1");
    EXPECT_EQ(places(f), 0);
    unsigned tries = 1;
    for (; fx_send(f, "10.0.0.6", "x") != 1; tries++)
        EXPECT(tries < 100);
    EXPECT_STR(fx_neigh_state(f, f->nif, "10.0.0.4"), "none");
    EXPECT_STR(fx_neigh_state(f, f->nif, "10.0.0.5"), "stale");
    EXPECT_STR(fx_neigh_state(f, f->nif, "10.0.0.6"), "incomplete");
    fx_free(f);
}

TEST("telling senders in a full table that nobody answered does not touch what was given up")
{
    COVERS("INV-1");
    struct fx *f = small_stack(true);
    fill(f, 1);
    fx_in(f, "ip src=11.0.0.7 dst=10.0.0.3 ttl=9 / udp 1>2");      /* one place, for the next hop */
    fx_in(f, "ip src=11.0.0.7 dst=10.0.0.3 ttl=9 / udp 1>2");
    struct oriel_addr a = fx_addr("10.0.0.8");
    EXPECT_EQ(oriel_addr_remove(f->s, f->nif, &a), ORIEL_ENOENT);
    fx_add_route(f, f->nif, "11.0.0.0/8", NULL); /* sources that must be asked for */
    fx_run(f, 8 * NS_PER_S);                    /* two packets, and the two errors about them */
    EXPECT_EQ(fx_drops(f, DROP_NEIGH_FAILED) + fx_drops(f, DROP_NEIGH_TABLE_FULL), 4);
    fx_free(f);
}

TEST("a redirect that needs the next hop's place in a full table does not lose the packet's way")
{
    COVERS("INV-1");
    struct fx *f = small_stack(true);
    fx_add_route(f, f->nif, "12.0.0.0/8", "10.0.0.3");
    fx_add_route(f, f->nif, "2001:db8:f::/48", "2001:db8::3");
    fx_add_addr(f, f->nif, "fe80::1/64");
    fill(f, 1);
    fx_in(f, "ip src=10.0.0.7 dst=12.0.0.1 / udp 1>2");
    EXPECT(fx_out_until(f, "arp.dst.proto_ipv4 == 10.0.0.3"));
    EXPECT_EQ(fx_neigh(f, f->nif, "10.0.0.3")->waiting.n, 1);
    fx_in(f, "ip6 src=2001:db8::7 dst=2001:db8::66 / udp 1>2");
    EXPECT_EQ(fx_neigh(f, f->nif, "2001:db8::66")->waiting.n, 1);
    fx_run(f, 10 * NS_PER_S);
    fx_free(f);
}

/* ---- gateways ---- */

static struct fx *two_gateways(void)
{
    struct fx *f = fx_new();
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    struct oriel_addr any = fx_addr("0.0.0.0"), a = fx_addr("10.0.0.2"), b = fx_addr("10.0.0.3");
    EXPECT_EQ(oriel_route_add(f->s, &any, 96, &a, f->nif, 0), 0);
    EXPECT_EQ(oriel_route_add(f->s, &any, 96, &b, f->nif, 10), 0);
    EXPECT_EQ(fx_send(f, "192.0.2.1", "x"), 1);
    fx_in(f, families[0].answer);
    EXPECT(fx_out_until(f, "udp && eth.dst == 02:00:00:00:00:02"));
    return f;
}

TEST("when the first gateway dies traffic moves to the second and stays there until it is back")
{
    COVERS("1122-3.3.1");
    struct fx *f = two_gateways();
    oriel_handle h = fx_connected(f, 5, "192.0.2.1", 9);
    unsigned to_first = 0, to_second = 0, asked_first = 0;
    oriel_time last_to_first = 0, last_asked = 0;
    for (unsigned i = 1; i < 3000; i++) {       /* five minutes, ten packets a second */
        fx_at(f, i * (NS_PER_S / 10));
        (void)fx_send_n(f, h, 1);
        while (fx_out(f)) {
            if (fx_is(f, "arp.dst.proto_ipv4 == 10.0.0.3")) {
                fx_in(f, families[0].answer2);
                continue;
            }
            if (fx_is(f, "arp.dst.proto_ipv4 == 10.0.0.2 && eth.dst == ff:ff:ff:ff:ff:ff")) {
                EXPECT(asked_first == 0 || f->out_at - last_asked >= 3 * NS_PER_S);
                last_asked = f->out_at;
                asked_first++;
            }
            if (fx_is(f, "udp && eth.dst == 02:00:00:00:00:02")) {
                to_first++;
                last_to_first = f->out_at;
            }
            to_second += fx_is(f, "udp && eth.dst == 02:00:00:00:00:03");
        }
    }
    EXPECT(last_to_first < 60 * NS_PER_S);      /* 45 until it is stale, 5 of delay, 3 questions */
    EXPECT_EQ(to_first + to_second, 2999);      /* not one was lost on the way back and forth */
    EXPECT(asked_first > 10);                   /* there is traffic, so it is asked now and then */
    fx_in(f, families[0].answer);
    EXPECT_EQ(fx_send_n(f, h, 1), 1);
    EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:00:02");
    fx_free(f);
}

TEST("a dead gateway is not asked while there is nothing to send")
{
    COVERS("1122-3.3.1");
    struct fx *f = two_gateways();
    fx_run(f, 50 * NS_PER_S);
    EXPECT_EQ(fx_send(f, "192.0.2.1", "x"), 1);
    fx_run(f, 10 * NS_PER_S);
    EXPECT_STR(fx_neigh_state(f, f->nif, "10.0.0.2"), "failed");
    (void)fx_skip(f);
    fx_run(f, 3600 * NS_PER_S);
    EXPECT_QUIET(f);
    EXPECT_EQ(fx_send(f, "192.0.2.1", "x"), 1);
    EXPECT(fx_out_until(f, "arp.dst.proto_ipv4 == 10.0.0.3"));
    fx_free(f);
}

TEST("the only gateway is used even when it is thought dead, and found again when it is back")
{
    COVERS("1122-3.3.1");
    struct fx *f = fx_new();
    fx_add_addr(f, f->nif, "10.0.0.1/24");
    fx_add_route(f, f->nif, "0.0.0.0/0", "10.0.0.2");
    EXPECT_EQ(fx_send(f, "192.0.2.1", "x"), 1);
    fx_run(f, 7 * NS_PER_S);
    (void)fx_skip(f);
    EXPECT_EQ(fx_send(f, "192.0.2.1", "x"), ORIEL_EHOSTUNREACH);
    EXPECT_OUT(f, families[0].ask);
    fx_in(f, families[0].answer);
    EXPECT_EQ(fx_send(f, "192.0.2.1", "x"), 1);
    EXPECT_OUT(f, "udp && eth.dst == 02:00:00:00:00:02");
    fx_free(f);
}

TEST("a dead gateway is asked again for what goes to it and no further")
{
    COVERS("1122-3.3.1");
    struct fx *f = two_gateways();
    oriel_handle h = fx_connected(f, 5, "10.0.0.2", 9);
    fx_run(f, 50 * NS_PER_S);
    EXPECT_EQ(fx_send_n(f, h, 1), 1);
    fx_run(f, 60 * NS_PER_S);
    EXPECT_STR(fx_neigh_state(f, f->nif, "10.0.0.2"), "failed");
    fx_run(f, 200 * NS_PER_S);
    (void)fx_skip(f);
    (void)fx_send_n(f, h, 1);
    EXPECT(fx_out_until(f, families[0].ask));
    fx_in(f, families[0].answer);
    EXPECT_EQ(fx_send_n(f, h, 1), 1);
    EXPECT(fx_out_until(f, "udp && eth.dst == 02:00:00:00:00:02"));
    fx_free(f);
}
