/*
 * Services for the machine's own kernel and programs at the other end of a TAP: busybox's DHCP
 * client, the kernel's own router discovery, and whoever asks for names.
 */
#define _GNU_SOURCE
#include "test.h"

#include "host/kernif.h"
#include "host/live.h"
#include "svc/dhcp4_server.h"
#include "svc/dns_proxy.h"
#include "svc/ra.h"

#include <errno.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#define LEASES   8
#define PATIENCE 20                     /* seconds that a command may take */

struct fx {
    struct live *v;
    struct node *n;
    int netif;
    struct dhcp4_server dhcp;
    struct dhcp4_binding table[LEASES];
    struct ra_sender ra;
    struct dns_proxy proxy;
    void *memory;
    unsigned asked;             /* of the world outside */
    char error[DRV_ERROR_MAX];
};

/* Outside, every name has one address. */
static void answer(struct fx *f, oriel_time now, struct span msg)
{
    uint8_t buf[512];
    struct wr w = wr_of(buf, sizeof(buf));
    struct rd r = rd_of(msg);
    struct dns_hdr h;
    struct dns_question q;
    EXPECT(dns_parse(&r, &h));
    struct dns_walk k = dns_walk_of(msg, &h);
    EXPECT(dns_question_next(&k, &q));
    struct dns_rr rr = {.name = q.name, .type = DNS_A, .rclass = DNS_IN, .ttl_s = 60};
    struct dns_data d = {.addr = addr_v4(0xc0000207)};          /* 192.0.2.7 */
    h = (struct dns_hdr){.id = h.id, .is_response = true, .rd = true, .ra = true, .questions_n = 1,
                         .answers_n = q.qtype == DNS_A};
    dns_emit(&w, &h);
    dns_question_emit(&w, &q);
    if (q.qtype == DNS_A)
        dns_rr_emit(&w, &rr, &d, &q.name);
    EXPECT(!w.bad && dns_proxy_answer(&f->proxy, now, wr_span(&w)));
    f->asked++;
}

static void step(void *ctx)
{
    struct fx *f = ctx;
    oriel_time now = live_now(f->v);
    struct dns_proxy_out out;
    dhcp4_server_step(&f->dhcp, now);
    (void)ra_step(&f->ra, now);
    (void)dns_proxy_step(&f->proxy, now);
    while (dns_proxy_next(&f->proxy, &out)) {
        uint8_t copy[DNS_PROXY_QUERY_MAX];
        memcpy(copy, out.msg.p, out.msg.n);
        answer(f, now, span_of(copy, out.msg.n));
    }
}

static struct oriel_addr ip(const char *text)
{
    struct oriel_addr a;
    assert_true(addr_parse(span_str(text), &a));
    return a;
}

static void plug(struct fx *f)
{
    struct drv_spec s;
    struct oriel_config cfg;
    struct oriel_netif_config nif = {.name = "eth0", .ip6 = true, .no_dad = true};
    struct wire_params wire = {.direct = true};
    oriel_config_init(&cfg);
    cfg.forward4 = cfg.forward6 = true;
    f->v = live_open(&(struct live_config){.seed = 1, .quiet = true}, f->error);
    EXPECT(f->v != NULL);
    f->n = world_add_node(live_world(f->v), NODE_ROUTER, span_str("r"), &cfg, 16u << 20);
    EXPECT(drv_spec_parse(&s, "tap:t0,addr=10.9.9.1/24,addr=fd99::1/64", f->error));
    struct drv *d = drv_open(&s, f->error);
    if (!d)
        fail_msg("%s", f->error);
    f->netif = live_door(f->v, d, f->n, &nif, &wire, f->error);
    EXPECT(f->netif > 0);
    EXPECT(live_addrs(f->v, f->n, f->netif, &s, f->error));
    EXPECT_EQ(kernif_set_up("t0"), 0);
}

static struct fx *fx_open(void)
{
    struct fx *f = calloc(1, sizeof(*f));
    struct prefix net6;
    if (unshare(CLONE_NEWNET) != 0) {
        print_message("# a network namespace needs root here: %s\n", strerror(errno));
        free(f);
        skip();
    }
    plug(f);
    const struct dhcp4_server_config dhcp = {
        .stack = f->n->stack, .netif = f->netif, .addr = ip("10.9.9.1"), .prefix_len = 120,
        .first = ip("10.9.9.100"), .last = ip("10.9.9.120"), .table = f->table, .table_n = LEASES,
        .router = ip("10.9.9.1"), .dns = {ip("10.9.9.1")}, .dns_n = 1, .domain = span_str("lan"),
        .seed = {1}};
    EXPECT_EQ(dhcp4_server_start(&f->dhcp, &dhcp), 0);
    EXPECT(prefix_parse(span_str("fd99::/64"), &net6));
    const struct ra_config ra = {.stack = f->n->stack, .netif = f->netif, .seed = 2,
                                 .prefixes_n = 1, .prefixes = {ra_prefix(&net6)}};
    EXPECT_EQ(ra_start(&f->ra, live_now(f->v), &ra), 0);
    struct dns_proxy_config proxy = {.stack = f->n->stack, .seed = {3}, .listen_n = 1,
                                     .listen = {{.addr = ip("10.9.9.1")}},
                                     .memory_bytes = dns_proxy_memory(0, 16), .cache_entries = 16};
    proxy.memory = f->memory = malloc(proxy.memory_bytes);
    EXPECT_EQ(dns_proxy_start(&f->proxy, &proxy), 0);
    live_app(f->v, f->n, step, f);
    return f;
}

static void fx_close(struct fx *f)
{
    dhcp4_server_stop(&f->dhcp);
    ra_stop(&f->ra);
    dns_proxy_stop(&f->proxy);
    live_app_remove(f->v, f);
    live_close(f->v);
    struct arena a;
    arena_init(&a, f->memory, dns_proxy_memory(0, 16));         /* unpoisoned */
    free(f->memory);
    free(f);
}

/* The world goes on while a command of the shell runs; its exit status. */
static int while_runs(struct fx *f, const char *line)
{
    int status = -1;
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        (void)alarm(PATIENCE);
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    while (waitpid(child, &status, WNOHANG) == 0) {
        EXPECT_EQ(live_turn(f->v, live_now(f->v) + 10 * NS_PER_MS), 0);
        live_poke(f->v, f->n);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool has(const char *program)
{
    char line[100];
    (void)snprintf(line, sizeof(line), "command -v %s >/dev/null 2>&1", program);
    if (system(line) == 0)
        return true;
    print_message("# %s is not here\n", program);
    return false;
}

/* Its script puts the address on the interface, as a system's would. */
#define UDHCPC                                                                                     \
    "s=$(mktemp); echo '#!/bin/sh\n[ \"$1\" = bound ] || exit 0\n[ \"$router\" = 10.9.9.1 ] && "   \
    "[ \"$dns\" = 10.9.9.1 ] && [ \"$domain\" = lan ] && ip addr add $ip/$mask dev t0' >$s; "      \
    "chmod +x $s; busybox udhcpc -i t0 -n -q -t 3 -T 1 -s $s >/dev/null 2>&1; r=$?; rm -f $s; "    \
    "exit $r"

TEST("busybox gets an address from our DHCP server, and reaches us with it")
{
    struct fx *f = fx_open();
    if (!has("busybox")) {
        fx_close(f);
        skip();
    }
    EXPECT_EQ(while_runs(f, UDHCPC), 0);
    EXPECT(f->dhcp.offers >= 1 && f->dhcp.acks == 1);
    EXPECT_EQ(while_runs(f, "ip -4 addr show dev t0 | grep -q 'inet 10.9.9.1[0-2][0-9]/24'"), 0);
    EXPECT_EQ(while_runs(f, "busybox ping -c 1 -W 2 10.9.9.1 >/dev/null"), 0);
    fx_close(f);
}

TEST("the kernel forms an address and a route from our advertisements")
{
    struct fx *f = fx_open();
    EXPECT_EQ(while_runs(f, "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do "
                            "ip -6 addr show dev t0 | grep -q 'inet6 fd99:' && "
                            "ip -6 route | grep -q '^default via fe80.* dev t0 proto ra' && exit 0; "
                            "sleep 0.2; done; ip -6 addr; ip -6 route; exit 1"), 0);
    fx_close(f);
}

TEST("names are asked of the world outside through our proxy, and are known then")
{
    struct fx *f = fx_open();
    if (!has("dig")) {
        fx_close(f);
        skip();
    }
    EXPECT_EQ(while_runs(f, "ip addr add 10.9.9.9/24 dev t0 && "
                            "[ \"$(dig +short +tries=1 @10.9.9.1 www.example)\" = 192.0.2.7 ]"), 0);
    EXPECT_EQ(while_runs(f, "[ \"$(dig +short +tries=1 +tcp @10.9.9.1 t.example)\" = 192.0.2.7 ]"), 0);
    EXPECT_EQ(f->asked, 2);
    EXPECT_EQ(while_runs(f, "[ \"$(dig +short +noad @10.9.9.1 www.example)\" = 192.0.2.7 ] && ["
                            " -z \"$(dig +short +tries=1 @10.9.9.1 www.example AAAA)\" ]"), 0);
    fx_close(f);
}
