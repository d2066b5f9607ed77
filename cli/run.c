/* oriel run: a program on the stack. */
#define _GNU_SOURCE
#include "cli/control.h"
#include "cli/observe.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "host/netns.h"
#include "host/preload/wire.h"
#include "host/run.h"
#include "host/run_program.h"
#include "host/user.h"

#include "base/addr.h"
#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINGER (10 * NS_PER_S)      /* what a program wrote before its end may take so long to arrive */
#define GRACE  NS_PER_S             /* and its peers so long to close, once all has */
#define NODE_BYTES ((size_t)128 << 20)
#define SWEEP  (250 * NS_PER_MS)    /* between two looks for parked calls that were given up */

static const struct opt opts[] = {
    {.name = "mode", .type = OPT_CHOICE, .arg = "MODE", .choices = "notify|preload|ns", .def = "notify",
     .help = "How the program is served. notify: its socket calls are answered by this stack, whatever "
             "program it is. preload: the same through a shim in the program, where the kernel has no user "
             "notification; static and Go programs are refused. ns: it has a network namespace of its own, "
             "where the kernel's TCP speaks to this stack over a TAP device; no call of the program is "
             "touched."},
    {.name = "mtu", .type = OPT_UINT, .arg = "BYTES", .min = 1280, .max = 65520, .def = "1500",
     .help = "With --mode=ns: the largest packet of the program's device."},
    {.name = "tun", .type = OPT_FILE, .arg = "FILE", .def = "/dev/net/tun",
     .help = "With --mode=ns: the device file that makes TAP devices, which must be yours to open."},
    {.name = "publish", .letter = 'p', .type = OPT_TEXT, .arg = "[ADDR:]PORT[:PORT][/udp]", .repeats = true,
     .help = "Let a port of the host lead to one of the program: of ADDR or of all its addresses, to the "
             "same port or to another."},
    {.name = "no-host-loopback", .type = OPT_FLAG,
     .help = "Do not let 127.0.0.1 and ::1 lead to the host's own services."},
    {.name = "quiet", .letter = 'q', .type = OPT_FLAG, .help = "Say nothing on standard error but errors."},
    OBSERVE_OPTS('v'),
    WATCH_OPTS('w'),
};

static const struct operand operands[] = {
    {.name = "PROGRAM", .help = "The program, searched for as a shell does.", .min = 1, .max = 1},
    {.name = "ARG", .help = "What it is given.", .min = 0, .max = 0},
};

static const struct verb_example examples[] = {
    {"oriel run -- curl -s http://example.org/", "curl, over this stack instead of the kernel's."},
    {"oriel run --impair 'loss 2%, delay 40ms' -w run.pcapng -- wget http://127.0.0.1:8080/file",
     "A bad wire between the program and a server on the host; what happened is told and captured."},
    {"oriel run --publish 8080 -- python3 -m http.server 8080",
     "A server that the host reaches at its port 8080."},
};

static const struct verb_exit exits[] = {
    {(enum exit_status)RUN_EXIT_OURS, "Oriel failed."},
    {(enum exit_status)RUN_EXIT_CANNOT,
     "The program cannot be served, or not be executed; the message says what to do."},
    {(enum exit_status)RUN_EXIT_NOT_FOUND, "There is no such program."},
};

struct runner {
    const struct args *args;
    struct gateway_publish publish[GATEWAY_PUBLISH_MAX];
    unsigned publish_n;
    bool ns;                        /* --mode=ns: app and run are NULL then */
    bool shim;                      /* --mode=preload */
    char **argv;
    struct netns_config netns;
    struct live *live;
    struct node *app;
    struct user_link link;
    struct run *run;
    struct notify *notify;          /* the one of these two that the mode needs */
    struct preload *preload;
    struct run_way way;
    struct run_child child;
    oriel_time sweep_at;            /* when parked calls are looked through */
    struct loop_source signals;
    struct observe seen;
    struct control *control;        /* `oriel ss` asks there */
    struct drv_addr addrs[2];
    bool observes;
};

static int fails(const char *error)
{
    out_error("run", "%s", error);
    return RUN_EXIT_OURS;
}

static void say(void *ctx, const char *sentence)
{
    const struct runner *u = ctx;
    if (!opt_on(u->args, "quiet"))
        out_note("oriel run: %s", sentence);
}

/* ---- --publish ---- */

static bool parse_port(const char *text, size_t n, uint16_t *out)
{
    uint64_t v;
    if (!txt_parse_u(span_of(text, n), 65535, &v) || v == 0)
        return false;
    *out = (uint16_t)v;
    return true;
}

/* "[ADDR:]HOSTPORT[:PORT][/udp]"; an IPv6 address stands in brackets. */
static bool parse_publish(const char *text, struct gateway_publish *p)
{
    char buf[96];
    size_t n = strlen(text);
    *p = (struct gateway_publish){0};
    if (n >= sizeof(buf))
        return false;
    memcpy(buf, text, n + 1);
    char *slash = strchr(buf, '/');
    if (slash) {
        p->udp = strcmp(slash, "/udp") == 0;
        if (!p->udp && strcmp(slash, "/tcp") != 0)
            return false;
        *slash = '\0';
    }
    char *rest = buf, *addr = NULL;
    if (*buf == '[') {
        char *end = strstr(buf, "]:");
        if (!end)
            return false;
        *end = '\0';
        addr = buf + 1;
        rest = end + 2;
    } else if (strchr(buf, '.')) {
        rest = strchr(buf, ':');
        if (!rest)
            return false;
        *rest++ = '\0';
        addr = buf;
    }
    if (addr && oriel_addr_parse(addr, &p->host.addr) != 0)
        return false;
    char *colon = strchr(rest, ':');
    size_t first = colon ? (size_t)(colon - rest) : strlen(rest);
    if (!parse_port(rest, first, &p->host.port))
        return false;
    p->guest.port = p->host.port;
    return !colon || parse_port(colon + 1, strlen(colon + 1), &p->guest.port);
}

static int read_publish(struct runner *u)
{
    size_t n = opt_times(u->args, "publish");
    for (size_t i = 0; i < n; i++) {
        const char *text = opt_nth(u->args, "publish", i)->text;
        if (i == GATEWAY_PUBLISH_MAX || !parse_publish(text, &u->publish[i])) {
            out_error("run", "--publish %s: expected [ADDR:]PORT[:PORT][/udp], at most %d of them", text,
                      GATEWAY_PUBLISH_MAX);
            return EXIT_USAGE;
        }
        u->publish_n++;
    }
    return EXIT_OK;
}

/* What belongs to the other mode would be passed over in silence. */
static int check_mode(const struct runner *u)
{
    static const char *const of_ns[] = {"mtu", "tun"};
    for (size_t i = 0; i < ARRAY_LEN(of_ns) && !u->ns; i++)
        if (opt_given(u->args, of_ns[i])) {
            out_error("run", "--%s is for --mode=ns", of_ns[i]);
            return EXIT_USAGE;
        }
    return EXIT_OK;
}

/* What the shim does not get into would be ended at its first socket: said while something can be done. */
static int check_program(const struct runner *u)
{
    char path[PATH_MAX];
    struct program p;
    if (getenv(PRELOAD_ENV)) {
        out_error("run", "cannot be served: this is itself a program of `oriel run --mode=preload`: start it "
                  "outside of that");
        return RUN_EXIT_CANNOT;
    }
    if (!u->shim || program_find(u->args->operands[0], path) != 0)
        return EXIT_OK;
    program_look(&p, path);
    const char *why = program_shuts_out(&p);
    if (!why)
        return EXIT_OK;
    out_error("run", "cannot be served: %s %s: the shim does not get into it; --mode=notify or --mode=ns "
              "serves it", p.path, why);
    return RUN_EXIT_CANNOT;
}

/* ---- the world ---- */

/* The program's sockets are on a node of ours, and that is joined to the gateway. */
static int open_app(struct runner *u, const struct wire_params *wire, const struct user_config *user)
{
    char error[DRV_ERROR_MAX];
    const struct oriel_netif_config lo = {.name = "lo", .kind = ORIEL_NETIF_LOOPBACK};
    struct oriel_config node;
    oriel_config_init(&node);
    node.connections = RUN_SOCKS_MAX;
    node.tcp.congestion = opt_text(u->args, "cc");
    u->app = world_add_node(live_world(u->live), NODE_HOST, span_str("app"), &node, NODE_BYTES);
    if (!u->app)
        return fails("there is no memory for a stack");
    if (!user_open(&u->link, u->live, u->app, wire, user, error))
        return fails(error);
    int err = oriel_netif_add(u->app->stack, &lo);      /* second: the link is interface 1 */
    return err < 0 ? fails(oriel_strerror(err)) : EXIT_OK;
}

/* The program's sockets are its kernel's: the device in its namespace is joined to the gateway. */
static int open_device(struct runner *u, const struct wire_params *wire, const struct user_config *user)
{
    struct drv_spec spec;
    char text[96], error[DRV_ERROR_MAX];
    (void)snprintf(text, sizeof(text), "tap:" NETNS_DEVICE ",fd=%d,mtu=%u%s", u->child.given, u->netns.mtu,
                   wire->direct ? "" : ",plain");
    struct drv *d = drv_spec_parse(&spec, text, error) ? drv_open(&spec, error) : NULL;
    if (!d || !user_open_door(&u->link, u->live, d, wire, user, error))
        return fails(error);
    return EXIT_OK;
}

static int open_world(struct runner *u)
{
    char error[DRV_ERROR_MAX];
    const struct args *a = u->args;
    const struct live_config live = {.seed = opt_u64(a, "seed"), .quiet = !observe_is_asked(a)};
    const struct user_config user = {.publish = u->publish, .publish_n = u->publish_n,
                                     .no_loopback = opt_on(a, "no-host-loopback"),
                                     .connections = RUN_SOCKS_MAX,
                                     .congestion = opt_text(a, "cc")};
    struct wire_params wire = {.direct = !observe_is_asked(a)};
    int status = observe_impair(a, &wire);
    if (status != EXIT_OK)
        return status;
    u->live = live_open(&live, error);
    if (!u->live)
        return fails(error);
    status = u->ns ? open_device(u, &wire, &user) : open_app(u, &wire, &user);
    if (status != EXIT_OK)
        return status;
    struct observe_config c = {.args = a, .world = live_world(u->live), .me = u->ns ? u->link.node : u->app,
                               .page = stderr, .what = a->operands[0], .addrs = u->addrs, .addrs_n = 2};
    observe_init(&u->seen, &c);
    u->observes = true;
    return observe_begin(&u->seen);
}

/* ---- the program ---- */

static void on_end(void *ctx, const struct oriel_tcp_info *info, int error)
{
    struct runner *u = ctx;
    summary_info(&u->seen.summary, info, error);
}

static void on_signal(void *ctx, uint32_t events)
{
    struct runner *u = ctx;
    (void)events;
    run_child_signals(&u->child);
    if (u->notify)
        (void)notify_sweep(u->notify);
}

/* The child, up to where it waits for us; in a namespace it will have the addresses of host/user.h. */
static int start_child(struct runner *u)
{
    char error[DRV_ERROR_MAX];
    u->addrs[0] = (struct drv_addr){.addr = addr_v4(USER_NET4 + 15), .prefix_len = 120};
    u->addrs[1] = (struct drv_addr){.addr = addr_v6(USER_NET6, 0x15), .prefix_len = 64};
    u->netns = (struct netns_config){
        .tun = opt_text(u->args, "tun"), .mtu = (uint32_t)opt_u64(u->args, "mtu"),
        .addrs = {u->addrs[0], u->addrs[1]}, .addrs_n = 2,
        .gateways = {addr_v4(USER_NET4 + 2), addr_v6(USER_NET6, 2)}, .gateways_n = 2,
        .dns = {addr_v4(USER_NET4 + 3)}, .dns_n = 1,
    };
    if (u->shim && !(u->preload = preload_prepare(error)))
        return fails(error);
    u->way = u->ns ? ns_way(&u->netns) : u->shim ? preload_way(u->preload) : notify_way;
    u->argv = calloc(u->args->operands_n + 1, sizeof(*u->argv));
    if (!u->argv)
        return fails("out of memory");
    memcpy(u->argv, u->args->operands, u->args->operands_n * sizeof(*u->argv));
    out_restore_signals();
    int status = run_child_start(&u->child, u->argv, &u->way, error);
    if (status != 0)
        out_error("run", "%s", error);
    return status;
}

/* Who answers the program's calls. */
static int serve(struct runner *u)
{
    char error[DRV_ERROR_MAX];
    const struct oriel_addr none = {0};
    bool closed = opt_on(u->args, "no-host-loopback");
    struct run_config rc = {.live = u->live, .app = u->app, .self4 = closed ? none : u->link.gateways[0],
                            .self6 = closed ? none : u->link.gateways[1], .dns4 = u->link.dns[0],
                            .publish = u->publish, .publish_n = u->publish_n, .say = say, .on_end = on_end,
                            .ctx = u};
    u->run = run_open(&rc, error);
    if (!u->run)
        return fails(error);
    if (u->shim) {
        int err = preload_serve(u->preload, u->run, live_loop(u->live), say, u);
        return err < 0 ? fails(strerror(-err)) : EXIT_OK;
    }
    u->notify = notify_open(u->run, live_loop(u->live), u->child.given, say, u, error);
    return u->notify ? EXIT_OK : fails(error);
}

static int start(struct runner *u)
{
    char error[DRV_ERROR_MAX];
    int status = u->ns ? EXIT_OK : serve(u);
    if (status != EXIT_OK)
        return status;
    u->signals = (struct loop_source){.fd = u->child.signals, .events = EPOLLIN, .on_ready = on_signal,
                                      .ctx = u};
    if (loop_add(live_loop(u->live), &u->signals) < 0)
        return fails("out of descriptors");
    status = run_child_go(&u->child, u->argv, error);
    if (status != 0)
        out_error("run", "%s", error);
    return status;
}

static oriel_time earliest(oriel_time a, oriel_time b)
{
    return a < b ? a : b;
}

/* Has all that the program wrote been delivered? In a namespace: has its kernel closed every connection? One
 * that was killed in the middle of a handshake is silent for ever. */
static bool is_quiet(const struct runner *u, bool closed)
{
    if (u->ns)
        return gateway_streams(u->link.gateway) == (closed ? 0 : gateway_handshakes(u->link.gateway));
    return run_is_quiet(u->run, closed) && !gateway_owes(u->link.gateway);
}

static oriel_time next_of(struct runner *u)
{
    return u->ns ? ORIEL_NEVER : earliest(run_next(u->run), u->sweep_at);
}

static void after_turn(struct runner *u)
{
    oriel_time now = live_now(u->live);
    if (!u->ns)
        run_turn(u->run);
    observe_turn(&u->seen);
    if (u->notify && (now >= u->sweep_at || u->sweep_at == ORIEL_NEVER))
        u->sweep_at = notify_sweep(u->notify) > 0 ? now + SWEEP : ORIEL_NEVER;
}

/* Until nobody is left, and what was written has arrived, or could not. */
static int turn(struct runner *u)
{
    oriel_time give_up = ORIEL_NEVER, grace = ORIEL_NEVER;
    u->sweep_at = ORIEL_NEVER;
    while (!u->child.alone || (!is_quiet(u, live_now(u->live) < grace) && live_now(u->live) < give_up)) {
        if (u->child.alone && give_up == ORIEL_NEVER) {
            give_up = live_now(u->live) + LINGER;
            grace = live_now(u->live) + GRACE;
        }
        oriel_time wait = live_now(u->live) < grace ? grace : give_up;
        int err = live_turn(u->live, earliest(next_of(u), wait));
        if (err < 0 && err != -EINTR)
            return fails(strerror(-err));
        after_turn(u);
    }
    if (u->shim && u->child.status == RUN_EXIT_SIGNAL + SIGSYS) {
        out_error("run", "cannot be served: the program was stopped at an Internet socket (SIGSYS): it is "
                  "one that the shim does not get into, or it got rid of that; --mode=notify or --mode=ns "
                  "serves it");
        return RUN_EXIT_CANNOT;
    }
    return u->child.status;
}

static int run(const struct args *a)
{
    struct runner *u = calloc(1, sizeof(*u));
    if (!u)
        return fails("out of memory");
    u->args = a;
    u->ns = strcmp(opt_text(a, "mode"), "ns") == 0;
    u->shim = strcmp(opt_text(a, "mode"), "preload") == 0;
    int status = check_mode(u);
    if (status == EXIT_OK)
        status = observe_check(a, stderr);
    if (status == EXIT_OK)
        status = read_publish(u);
    if (status == EXIT_OK)
        status = check_program(u);
    if (status == EXIT_OK)
        status = start_child(u);
    if (status == EXIT_OK)
        status = open_world(u);
    if (status == EXIT_OK)
        status = start(u);
    if (status == EXIT_OK) {
        u->control = control_open(live_loop(u->live), "run", live_world(u->live));
        status = turn(u);
    }
    control_close(u->control);
    notify_close(u->notify);
    preload_close(u->preload);
    run_close(u->run);
    if (u->observes)
        status = observe_close(&u->seen, status, opt_on(a, "verbose"));
    if (u->link.gateway)
        gateway_close(u->link.gateway);
    live_close(u->live);
    free(u->argv);
    free(u);
    return status;
}

const struct verb verb_run = {
    .name = "run",
    .summary = "run a program on this stack",
    .text = "Runs PROGRAM with its Internet sockets on a stack of its own, as an ordinary user; it knows "
            "nothing of that. What it sends goes over a wire to a gateway and from there through sockets of "
            "the host. 127.0.0.1 and ::1 are the program's own listeners first, then the host's services.\n\n"
            "The exit status is the program's own; 128 and the signal's number when a signal ended it. "
            "docs/run.md tells how it is done and where it differs from the kernel.",
    VERB_LIST(opts, opts),
    VERB_LIST(operands, operands),
    .stops_at_operand = true,
    VERB_LIST(examples, examples),
    VERB_LIST(exits, exits),
    .see_also = "lab-run ping",
    .run = run,
};
