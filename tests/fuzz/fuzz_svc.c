/*
 * The services of src/svc on one stack, and datagrams to each of them: messages that make sense,
 * changed here and there, with ids and link addresses put right, for no fuzzer guesses them.
 * The stack must give out no address that no host can have, and in the end nothing may be alive.
 */
#include "fuzz.h"

#include "stack/stack.h"
#include "svc/dhcp4_client.h"
#include "svc/dhcp4_server.h"
#include "svc/dns_proxy.h"
#include "svc/resolve.h"
#include "wire/udp.h"

#define MEMORY  ((size_t)2 << 20)
#define LEASES  4
#define CACHE   4
#define ORDERS  24              /* of one input, at most */
#define MESSAGE 1200

enum order {
    TO_CLIENT,
    TO_SERVER,
    TO_PROXY,
    FROM_OUTSIDE,               /* an answer for the proxy */
    TO_RESOLVER,
    TIME,
    ORDER_N,
};

struct target {
    struct oriel_stack *s;
    int nif;
    oriel_time now;
    struct dhcp4_client client;
    struct dhcp4_server server;
    struct dhcp4_binding table[LEASES];
    struct dns_proxy proxy;
    struct resolver resolver;
    uint32_t ticket;
};

static const struct mac our_mac = {{2, 0, 0, 0, 0, 1}}, peer_mac = {{2, 0, 0, 0, 0, 2}};

static void *block(size_t n)
{
    void *p = fuzz_alloc(n);
    memset(p, 0xa5, n);
    return p;
}

static void open_stack(struct target *t)
{
    struct oriel_config c;
    struct oriel_netif_config n = {.name = "a", .no_dad = true};
    struct oriel_addr a = addr_v4(0x0a000001), peer = addr_v4(0x0a000002);
    memcpy(n.mac, our_mac.b, 6);
    oriel_config_init(&c);
    c.memory = block(MEMORY);
    c.memory_bytes = MEMORY;
    c.connections = 64;
    c.now = t->now;
    t->s = oriel_create(&c);
    FUZZ_CHECK(t->s != NULL);
    t->nif = oriel_netif_add(t->s, &n);
    FUZZ_CHECK(t->nif > 0 && oriel_addr_add(t->s, t->nif, &a, 120) == 0);
    FUZZ_CHECK(oriel_neigh_add(t->s, t->nif, &peer, peer_mac.b) == 0);
}

static void open_services(struct target *t)
{
    const struct dhcp4_client_config client = {.stack = t->s, .netif = t->nif, .mac = our_mac};
    const struct dhcp4_server_config server = {
        .stack = t->s, .netif = t->nif, .addr = addr_v4(0x0a000001), .prefix_len = 120,
        .first = addr_v4(0x0a000064), .last = addr_v4(0x0a000067), .table = t->table,
        .table_n = LEASES, .router = addr_v4(0x0a000001)};
    const struct dns_proxy_config proxy = {
        .stack = t->s, .listen_n = 1, .listen = {{.addr = addr_v4(0x0a000001)}}, .asks = 4,
        .cache_entries = CACHE, .memory = block(dns_proxy_memory(4, CACHE)),
        .memory_bytes = dns_proxy_memory(4, CACHE)};
    const struct resolver_config resolver = {
        .stack = t->s, .servers_n = 1, .servers = {{.addr = addr_v4(0x0a000002)}},
        .cache_entries = CACHE, .memory = block(resolver_memory(CACHE)),
        .memory_bytes = resolver_memory(CACHE)};
    FUZZ_CHECK(dhcp4_client_start(&t->client, t->now, &client) == 0);
    FUZZ_CHECK(dhcp4_server_start(&t->server, &server) == 0);
    FUZZ_CHECK(dns_proxy_start(&t->proxy, &proxy) == 0);
    FUZZ_CHECK(resolver_init(&t->resolver, &resolver) == 0);
}

/* ---- steps ---- */

static bool is_host(const struct oriel_addr *a)
{
    return addr_is_v4(a) && !addr_is_unspecified(a) && !addr_is_multicast(a) &&
           !addr_is_loopback(a) && !addr_is_class_e(a) && !addr_is_limited_broadcast(a);
}

static void services(struct target *t)
{
    struct pkt *p;
    (void)dhcp4_client_step(&t->client, t->now);
    dhcp4_server_step(&t->server, t->now);
    (void)dns_proxy_step(&t->proxy, t->now);
    (void)resolver_step(&t->resolver, t->now);
    while (oriel_netif_take(t->s, t->nif, &p, 1) == 1)
        oriel_pkt_free(p);
    const struct dhcp4_lease *l = dhcp4_client_lease(&t->client);
    FUZZ_CHECK(!l || (is_host(&l->addr) && l->t1 <= l->t2 && l->t2 <= l->until));
    FUZZ_CHECK(t->proxy.asks.live <= 4);
}

static void step(struct target *t, struct pkt *p)
{
    struct pkt_batch batch = {.pkts = &p, .n = p ? 1 : 0};
    oriel_step(t->s, t->now, &batch);
    services(t);
}

static void pass(struct target *t, oriel_time d)
{
    t->now += d;
    step(t, NULL);
}

/* ---- datagrams ---- */

/* From the peer's port to one of ours; the payload is b. Port 0: nowhere. */
static void datagram(struct target *t, uint16_t from, uint16_t to, bool all, struct span b)
{
    uint8_t frame[MESSAGE + 64];
    struct wr w = wr_of(frame, sizeof(frame));
    struct ip4_hdr ip = {.hdr_len = IP4_HDR_LEN, .ttl = 64, .proto = IP_UDP,
                         .total_len = (uint16_t)(IP4_HDR_LEN + UDP_HDR_LEN + b.n),
                         .src = addr_v4(0x0a000002),
                         .dst = all ? ADDR_V4_BCAST : addr_v4(0x0a000001)};
    struct udp_hdr udp = {.src_port = from, .dst_port = to, .len = (uint16_t)(UDP_HDR_LEN + b.n)};
    eth_emit_plain(&w, all ? &MAC_BROADCAST : &our_mac, &peer_mac, ETH_IP4);
    ip4_emit(&w, &ip);
    udp_emit(&w, &udp);
    wr_bytes(&w, b);
    FUZZ_CHECK(!w.bad);
    struct pkt *p = oriel_pkt_new(t->s, t->nif, frame, wr_len(&w));
    if (p)
        step(t, p);
}

static void put(uint8_t *b, size_t n, size_t at, const void *bytes, size_t len)
{
    if (at + len <= n)
        memcpy(b + at, bytes, len);
}

/* A message of DHCP, as far as it is always the same. */
static void dress(uint8_t *b, size_t n, uint8_t op, const struct mac *mac)
{
    const uint8_t head[4] = {op, 1, 6, 0}, magic[4] = {99, 130, 83, 99};
    put(b, n, 0, head, 4);
    put(b, n, 28, mac->b, 6);
    put(b, n, DHCP4_FIXED_LEN, magic, 4);
}

/* The client hears the id that it waits for. */
static void to_client(struct target *t, uint8_t *b, size_t n)
{
    uint8_t xid[4];
    store_be32(xid, t->client.xid);
    dress(b, n, 2, &our_mac);
    put(b, n, 4, xid, 4);
    datagram(t, DHCP4_SERVER_PORT, DHCP4_CLIENT_PORT, true, span_of(b, n));
}

/* An answer to the question that was handed out last. */
static void from_outside(struct target *t, uint8_t *b, size_t n)
{
    struct dns_proxy_out out;
    uint8_t id[2];
    if (!dns_proxy_next(&t->proxy, &out))
        return;
    struct rd r = rd_of(out.msg);
    store_be16(id, rd_u16(&r));
    put(b, n, 0, id, 2);
    (void)dns_proxy_answer(&t->proxy, t->now, span_of(b, n));
    services(t);
}

static void to_resolver(struct target *t, uint8_t *b, size_t n)
{
    struct dns_name name;
    struct dns_answer a;
    const struct resolve_query *q = t->resolver.query;
    FUZZ_CHECK(dns_name_of(span_str("a.b"), &name));
    if (resolve_take(&t->resolver, t->ticket, &a) == ORIEL_EAGAIN) {
        struct oriel_endpoint local;
        uint8_t id[2];
        store_be16(id, q->id);
        put(b, n, 0, id, 2);
        if (q->phase == RESOLVE_UDP && oriel_local(t->s, q->sock, &local) == 0)
            datagram(t, DNS_PORT, local.port, false, span_of(b, n));
    } else if (resolve_start(&t->resolver, t->now, &name, n % 2 ? DNS_A : DNS_PTR, &t->ticket)) {
        return;
    }
    services(t);
}

static void to_server(struct target *t, uint8_t *b, size_t n)
{
    dress(b, n, 1, &peer_mac);
    datagram(t, DHCP4_CLIENT_PORT, DHCP4_SERVER_PORT, true, span_of(b, n));
}

/* ---- messages that make sense, before they are changed ---- */

static size_t dhcp_message(uint8_t *b, uint8_t type, bool reply)
{
    struct wr w = wr_of(b, MESSAGE);
    struct oriel_addr it = addr_v4(0x0a000064u + type % 4);
    struct dhcp4_msg m = {
        .is_reply = reply, .type = (uint8_t)(1 + type % 8), .xid = 1, .chaddr = our_mac,
        .yiaddr = reply ? it : ADDR_V4_ANY, .requested = reply ? ADDR_V4_ANY : it,
        .server_id = addr_v4(type & 8 ? 0x0a000001 : 0x0a000002), .has_mask = true, .mask_len = 24,
        .has_lease = true, .lease_s = 60, .has_t1 = true, .t1_s = 20, .has_t2 = true, .t2_s = 40,
        .mtu = 1400, .routers_n = 1, .routers = {addr_v4(0x0a000002)}, .dns_n = 1,
        .dns = {addr_v4(0x0a000002)}, .routes_n = 1,
        .routes = {{prefix_v4(0x0a010000, 16), addr_v4(0x0a000002)}},
        .domain = span_str("lan"), .broadcast = (type & 16) != 0,
        .ciaddr = type & 32 ? it : ADDR_V4_ANY};
    dhcp4_emit(&w, &m);
    return wr_len(&w);
}

static size_t dns_message(uint8_t *b, uint8_t kind, bool reply)
{
    struct wr w = wr_of(b, MESSAGE);
    struct dns_hdr h = {.is_response = reply, .rd = true, .questions_n = 1, .id = kind % 4,
                        .answers_n = reply ? 2 : 0, .authority_n = reply};
    struct dns_question q = {.qtype = kind & 16 ? DNS_PTR : DNS_A, .qclass = DNS_IN};
    struct dns_data d = {.addr = addr_v4(1), .minimum_s = 60};
    FUZZ_CHECK(dns_name_of(span_str("a.b"), &q.name) && dns_name_of(span_str("c.b"), &d.name));
    d.mailbox = d.name;
    dns_emit(&w, &h);
    dns_question_emit(&w, &q);
    struct dns_rr rr = {.name = q.name, .type = DNS_CNAME, .rclass = DNS_IN, .ttl_s = 60};
    if (reply) {
        dns_rr_emit(&w, &rr, &d, &q.name);
        rr.name = d.name;
        rr.type = q.qtype;
        dns_rr_emit(&w, &rr, &d, &q.name);
        rr.type = DNS_SOA;
        dns_rr_emit(&w, &rr, &d, &q.name);
    }
    return wr_len(&w);
}

/* A message for that order, changed as the input says. */
static size_t message(enum order what, struct rd *r, uint8_t *b)
{
    uint8_t kind = rd_u8(r), changes = rd_u8(r);
    bool dhcp = what == TO_CLIENT || what == TO_SERVER;
    bool reply = what == TO_CLIENT || what == FROM_OUTSIDE || what == TO_RESOLVER;
    size_t n = dhcp ? dhcp_message(b, kind, reply) : dns_message(b, kind, reply);
    for (unsigned i = 0; i < changes % 16u; i++) {
        size_t at = rd_u16(r) % n;
        b[at] = rd_u8(r);
    }
    return changes & 128 ? rd_u16(r) % (n + 1) : n;
}

static void order(struct target *t, enum order what, uint8_t *b, size_t n)
{
    switch (what) {
    case TO_CLIENT:    to_client(t, b, n); return;
    case TO_SERVER:    to_server(t, b, n); return;
    case TO_PROXY:     datagram(t, 1053, DNS_PORT, false, span_of(b, n)); return;
    case FROM_OUTSIDE: from_outside(t, b, n); return;
    case TO_RESOLVER:  to_resolver(t, b, n); return;
    case TIME:         pass(t, n * n * NS_PER_S); return;
    case ORDER_N:      return;
    }
}

static void close_all(struct target *t)
{
    struct pkt_mem *mem = t->s->env.mem;
    void *memory = t->s->arena.base;
    struct arena a;
    dhcp4_client_release(&t->client);
    dhcp4_server_stop(&t->server);
    dns_proxy_stop(&t->proxy);
    resolver_fini(&t->resolver);
    oriel_destroy(t->s);
    FUZZ_CHECK(pkt_mem_live(mem) == 0);
    void *const blocks[] = {memory, t->proxy.cfg.memory, t->resolver.cfg.memory};
    const size_t sizes[] = {MEMORY, dns_proxy_memory(4, CACHE), resolver_memory(CACHE)};
    for (unsigned i = 0; i < 3; i++) {
        arena_init(&a, blocks[i], sizes[i]);    /* the heap gets it back unpoisoned */
        free(blocks[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rd r = rd_of(span_of(data, size));
    struct target t = {.now = NS_PER_S};
    uint8_t b[MESSAGE] = {0};
    open_stack(&t);
    open_services(&t);
    step(&t, NULL);
    for (unsigned i = 0; i < ORDERS && !rd_done(&r); i++) {
        enum order what = (enum order)(rd_u8(&r) % ORDER_N);
        size_t n = what == TIME ? rd_u8(&r) : message(what, &r, b);
        order(&t, what, b, n);
    }
    close_all(&t);
    return 0;
}
