/* From the options of a verb to a stack on a link, or on a node of a lab. */
#define _GNU_SOURCE
#include "cli/netrun.h"

#include "cli/interrupt.h"
#include "cli/out.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CONNECTIONS  4096
#define STACK_MEMORY ((size_t)128 << 20)
#define LAST_FRAMES  (2 * NS_PER_S)     /* that they have at most */

/* ---- signals ---- */

static void signal_came(void *ctx, uint32_t events)
{
    struct netrun *n = ctx;
    (void)events;
    n->interrupted = true;
}

static int watch_signals(struct netrun *n)
{
    n->signals = interrupt_open();
    if (n->signals < 0)
        return n->signals;
    n->on_signal = (struct loop_source){.fd = n->signals, .events = EPOLLIN, .ctx = n,
                                        .on_ready = signal_came};
    return loop_add(netrun_loop(n), &n->on_signal);
}

/* ---- a link ---- */

static int fails(const struct netrun *n, enum exit_status status, const char *error)
{
    out_error(n->args->verb->name, "%s", error);
    return (int)status;
}

static int check_options(const struct netrun *n)
{
    static const char *const of_labs[] = {"on", "set", "no-check"};
    char text[128];
    for (size_t i = 0; i < ARRAY_LEN(of_labs); i++)
        if (opt_given(n->args, of_labs[i])) {
            snprintf(text, sizeof text, "--%s is about labs; --lab NAME is missing", of_labs[i]);
            return fails(n, EXIT_USAGE, text);
        }
    return observe_check(n->args, n->page);
}

static int open_world(struct netrun *n, const char *link)
{
    char error[DRV_ERROR_MAX];
    const struct live_config cfg = {.seed = opt_u64(n->args, "seed"), .quiet = !observe_is_asked(n->args)};
    n->live = live_open(&cfg, error);
    if (!n->live)
        return fails(n, EXIT_SETUP, error);
    n->world = live_world(n->live);
    struct oriel_config node;
    oriel_config_init(&node);
    node.connections = CONNECTIONS;
    node.tcp.congestion = opt_text(n->args, "cc");
    n->me = world_add_node(n->world, NODE_HOST, span_str("host"), &node, STACK_MEMORY);
    if (!n->me)
        return fails(n, EXIT_SETUP, "there is no memory for a stack");
    n->stack = n->me->stack;
    const struct observe_config seen = {
        .args = n->args, .world = n->world, .me = n->me, .page = n->page,
        .what = link, .addrs = n->spec.addrs, .addrs_n = n->spec.addrs_n,
    };
    observe_init(&n->seen, &seen);
    return EXIT_OK;
}

static void tell(const struct netrun *n)
{
    for (unsigned i = 0; opt_on(n->args, "verbose") && i < n->drv->notes_n; i++)
        out_note("%s: %s", n->drv->name, n->drv->notes[i]);
}

static int plug(struct netrun *n, struct wire_params *wire)
{
    char error[DRV_ERROR_MAX];
    n->spec.plain = n->spec.plain || n->seen.asked;
    n->drv = drv_open(&n->spec, error);
    if (!n->drv)
        return fails(n, EXIT_SETUP, error);
    tell(n);
    drv_adopt(&n->spec, n->drv);
    struct oriel_netif_config netif = {.name = "eth0", .ip6 = true, .accept_ra = true};
    n->netif = live_door(n->live, n->drv, n->me, &netif, wire, error);
    if (n->netif < 0)
        return fails(n, EXIT_SETUP, error);
    return live_addrs(n->live, n->me, n->netif, &n->spec, error) ? EXIT_OK
                                                                 : fails(n, EXIT_SETUP, error);
}

static int plug_user(struct netrun *n, struct wire_params *wire)
{
    char error[DRV_ERROR_MAX];
    if (!netrun_open_user(n, wire, error))
        return fails(n, EXIT_SETUP, error);
    const char *note = opt_on(n->args, "verbose") ? gateway_note(n->gateway) : NULL;
    if (note)
        out_note("user: %s", note);
    return EXIT_OK;
}

static int open_link(struct netrun *n, const char *text)
{
    char error[DRV_ERROR_MAX];
    struct wire_params wire = {0};
    bool user = strcmp(text, "user") == 0;
    int status = check_options(n);
    if (status == EXIT_OK && !user && !drv_spec_parse(&n->spec, text, error))
        status = fails(n, EXIT_USAGE, error);
    if (status == EXIT_OK)
        status = observe_impair(n->args, &wire);
    if (status == EXIT_OK)
        status = open_world(n, text);
    wire.direct = !n->seen.asked;
    if (status == EXIT_OK)
        status = user ? plug_user(n, &wire) : plug(n, &wire);
    return status == EXIT_OK ? observe_begin(&n->seen) : status;
}

/* ---- a lab ---- */

static bool is_lab_link(const char *link)
{
    return link && strncmp(link, "lab:", 4) == 0;
}

/* "lab:NAME,node=NODE" into its two parts. */
static bool split_lab(const char *link, char name[DRV_NAME_MAX], char node[DRV_NAME_MAX])
{
    const char *comma = strstr(link, ",node=");
    if (!comma || comma - link - 4 >= DRV_NAME_MAX || strlen(comma + 6) >= DRV_NAME_MAX)
        return false;
    memcpy(name, link + 4, (size_t)(comma - link - 4));
    name[comma - link - 4] = '\0';
    snprintf(node, DRV_NAME_MAX, "%s", comma + 6);
    return true;
}

static int open_lab(struct netrun *n, oriel_time otherwise)
{
    const char *link = opt_text(n->args, "link");
    char name[DRV_NAME_MAX], node[DRV_NAME_MAX];
    const char *lab = opt_text(n->args, "lab"), *on = opt_text(n->args, "on");
    if (is_lab_link(link)) {
        if (!split_lab(link, name, node))
            return fails(n, EXIT_USAGE, "--link lab: expected lab:NAME,node=NODE");
        lab = name;
        on = node;
    }
    if (!on)
        return fails(n, EXIT_USAGE, "--on NODE is missing: which node of the lab is it about?");
    int status = labrun_at(&n->lab, n->args, lab, on, otherwise, &n->lab_node);
    if (status != EXIT_OK)
        return status;
    n->world = n->lab->lab->w;
    n->me = &n->world->nodes[n->lab_node];
    n->stack = n->me->stack;
    for (unsigned i = 0; i < n->me->ports_n && n->netif == 0; i++)
        n->netif = n->me->ports[i].netif;
    if (loop_open(&n->own_loop) < 0)
        return fails(n, EXIT_SETUP, "the system gives no descriptor to wait with");
    return EXIT_OK;
}

/* ---- opening and closing ---- */

static void release(struct netrun *n)
{
    interrupt_close(n->signals);
    live_svc_close(n->svc);
    if (n->gateway)
        gateway_close(n->gateway);
    live_close(n->live);
    if (n->own_loop.epoll > 0)
        loop_close(&n->own_loop);
    free(n->kept);
    free(n->buffer);
    free(n);
}

/* It could not be opened as a whole. */
static int abandon(struct netrun *n, int status)
{
    control_close(n->control);
    if (n->lab)
        status = labrun_close(n->lab, status);
    if (n->seen.c.args)
        status = observe_close(&n->seen, status, false);
    release(n);
    return status;
}

int netrun_open(struct netrun **out, const struct args *a, FILE *page, oriel_time otherwise)
{
    struct netrun *n = calloc(1, sizeof *n);
    const char *link = opt_text(a, "link");
    if (n)
        n->buffer = malloc(APP_BUFFER);
    if (!n || !n->buffer) {
        free(n);
        out_error(a->verb->name, "there is no memory");
        return EXIT_SETUP;
    }
    n->args = a;
    n->page = page;
    n->signals = -1;
    int status;
    if (link && opt_given(a, "lab"))
        status = fails(n, EXIT_USAGE, "--lab and --link are both given");
    else if (opt_given(a, "lab") || is_lab_link(link))
        status = open_lab(n, otherwise);
    else
        status = open_link(n, link ? link : "user");
    if (status == EXIT_OK && watch_signals(n) < 0)
        status = fails(n, EXIT_SETUP, "the system gives no descriptor for signals");
    if (status == EXIT_OK && n->live)
        n->control = control_open(netrun_loop(n), a->verb->name, n->world);
    if (status == EXIT_OK && n->live)
        status = netrun_open_services(n);
    if (status == EXIT_OK)
        *out = n;
    else
        status = abandon(n, status);
    return status;
}

static bool no_frames(void *ctx)
{
    const struct netrun *n = ctx;
    return world_quiet(n->world);
}

/* What an application said last leaves, and frames that a wire delays arrive. */
static void let_leave(struct netrun *n)
{
    live_leave(n->live);
    if (!world_quiet(n->world) && !n->interrupted)
        (void)netrun_wait(n, LAST_FRAMES, no_frames, n);
    live_leave(n->live);
}

int netrun_close(struct netrun *n, int status)
{
    control_close(n->control);
    live_svc_close(n->svc);
    n->svc = NULL;
    if (n->live && n->stack)
        let_leave(n);
    bool tell = opt_on(n->args, "verbose");
    if (n->lab && tell) {
        labrun_end_ladder(n->lab);
        observe_tell(&n->lab->summary, n->args, n->page);
    }
    if (n->lab)
        status = labrun_close(n->lab, status);
    else
        status = observe_close(&n->seen, status, n->interrupted || tell);
    release(n);
    return status;
}

/* ---- running ---- */

struct summary *netrun_summary(struct netrun *n)
{
    return n->lab ? &n->lab->summary : &n->seen.summary;
}

oriel_time netrun_now(const struct netrun *n)
{
    return n->world->env.now;
}

struct loop *netrun_loop(struct netrun *n)
{
    return n->live ? live_loop(n->live) : &n->own_loop;
}

bool netrun_add(struct netrun *n, struct loop_source *s)
{
    bool good = loop_add(netrun_loop(n), s) == 0;
    n->sources += good;
    return good;
}

void netrun_remove(struct netrun *n, struct loop_source *s)
{
    loop_remove(netrun_loop(n), s);
    n->sources--;
}

void netrun_poke(struct netrun *n)
{
    world_poke(n->world, n->me);
}

static void live_step(void *ctx)
{
    struct netrun *n = ctx;
    if (n->app)
        n->app->step(n->app->ctx, n->world->env.now);
}

static int turn_live(struct netrun *n, oriel_time until)
{
    int err = live_turn(n->live, until);
    if (until <= n->world->env.now)
        live_leave(n->live);
    observe_turn(&n->seen);
    if (err < 0 && err != -EINTR) {
        out_error(n->args->verb->name, "the world cannot go on: %s", strerror(-err));
        return err;
    }
    if (n->drv && n->drv->error < 0 && n->app->busy(n->app->ctx)) {
        out_error(n->args->verb->name, "the link %s is gone: %s", n->drv->name, drv_gone(n->drv));
        return n->drv->error;
    }
    return 0;
}

/* Virtual time goes on whenever no descriptor is ready. */
static int turn_lab(struct netrun *n)
{
    struct lab *l = n->lab->lab;
    bool more = lab_next(l) != ORIEL_NEVER && lab_next(l) < LAB_TIME_MAX && !l->wrong;
    if (!more && n->sources == 0)
        return -EDEADLK;
    int err = loop_wait(&n->own_loop, more ? 0 : ORIEL_NEVER);
    if (err < 0 && err != -EINTR)
        return err;
    (void)lab_step(l, ORIEL_NEVER);
    watch_drain(&n->lab->watch);
    return 0;
}

static int run_while(struct netrun *n)
{
    int err = 0;
    while (err == 0 && !n->interrupted && out_ok() && n->app->busy(n->app->ctx))
        err = n->lab ? turn_lab(n) : turn_live(n, n->app->deadline(n->app->ctx));
    return err == 0 || err == -EDEADLK ? EXIT_OK : EXIT_SETUP;
}

int netrun_run(struct netrun *n, const struct netrun_app *app)
{
    n->app = app;
    if (n->lab) {
        n->outside = (struct lab_outside){.step = app->step, .deadline = app->deadline,
                                          .busy = app->busy, .ctx = app->ctx};
        if (!n->lab_app)
            n->lab_app = lab_take_over(n->lab->lab, n->lab_node, LAB_OUTSIDE, &n->outside);
        n->lab_app->started = true;
    } else if (!n->stepping) {
        live_app(n->live, n->me, live_step, n);
        n->stepping = true;
    }
    if (n->live)
        live_leave(n->live);
    else
        world_poke(n->world, n->me);
    int status = run_while(n);
    n->app = NULL;
    if (n->lab)
        n->lab_app->started = false;
    return status;
}

/* ---- waiting ---- */

/* An application that does nothing. */
struct waiting {
    struct netrun *n;
    oriel_time until;
    bool (*done)(void *ctx);
    void *ctx;
    bool over;
};

static void wait_step(void *ctx, oriel_time now)
{
    struct waiting *w = ctx;
    w->over = now >= w->until || (w->done && w->done(w->ctx));
}

static oriel_time wait_deadline(const void *ctx)
{
    const struct waiting *w = ctx;
    oriel_time soon = netrun_now(w->n) + 20 * NS_PER_MS;
    return w->over ? ORIEL_NEVER : w->done && soon < w->until ? soon : w->until;
}

static bool wait_busy(const void *ctx)
{
    const struct waiting *w = ctx;
    return !w->over;
}

int netrun_wait(struct netrun *n, oriel_time most, bool (*done)(void *ctx), void *ctx)
{
    struct waiting w = {.n = n, .until = netrun_now(n) + most, .done = done, .ctx = ctx};
    const struct netrun_app app = {.step = wait_step, .deadline = wait_deadline, .busy = wait_busy,
                                   .ctx = &w};
    return netrun_run(n, &app);
}

struct family {
    const struct netrun *n;
    bool v4, any;
};

static bool is_usable(void *ctx)
{
    const struct family *f = ctx;
    struct oriel_addr_info i;
    for (uint32_t at = 0; oriel_addr_each(f->n->stack, &at, &i);)
        if (i.netif == f->n->netif && (f->any || addr_is_v4(&i.addr) == f->v4) &&
            strcmp(i.state, "tentative") == 0)
            return false;
    return true;
}

int netrun_ready(struct netrun *n, bool v4, oriel_time most)
{
    struct family f = {.n = n, .v4 = v4};
    return n->lab ? EXIT_OK : netrun_wait(n, most, is_usable, &f);
}

int netrun_settle(struct netrun *n)
{
    struct family f = {.n = n, .any = true};
    if (n->lab)
        return EXIT_OK;
    if (opt_given(n->args, "at"))
        return netrun_wait(n, opt_u64(n->args, "at"), NULL, NULL);
    return netrun_wait(n, 3 * NS_PER_S, is_usable, &f);
}

int netrun_status(int err)
{
    switch ((enum oriel_err)err) {
    case ORIEL_OK:           return EXIT_OK;
    case ORIEL_ECONNREFUSED: return EXIT_REFUSED;
    case ORIEL_ENETUNREACH:
    case ORIEL_EHOSTUNREACH:
    case ORIEL_ENETDOWN:
    case ORIEL_EACCES:       return EXIT_UNREACHABLE;
    case ORIEL_ETIMEDOUT:    return EXIT_TIMEOUT;
    case ORIEL_ECONNRESET:
    case ORIEL_ECONNABORTED:
    case ORIEL_EPIPE:
    case ORIEL_EPROTO:       return EXIT_RESET;
    default:                 return EXIT_SETUP;
    }
}

int netrun_congestion(const struct netrun *n, oriel_handle h)
{
    const char *cc = opt_text(n->args, "cc");
    return cc ? oriel_setopt(n->stack, h, ORIEL_OPT_CONGESTION, oriel_congestion_named(cc)) : 0;
}

/* ---- names ---- */

int netrun_port(const struct netrun *n, const char *name)
{
    struct oriel_netif_info i;
    for (uint32_t at = 0; oriel_netif_each(n->stack, &at, &i);)
        if (strcmp(i.name, name) == 0)
            return i.netif;
    return 0;
}

bool netrun_addr(struct netrun *n, const char *text, enum oriel_family family,
                 struct oriel_addr *out)
{
    if (n->lab)
        return labrun_addr(n->lab, text, family, out);
    if (!addr_parse(span_str(text), out) && !netrun_lookup(n, text, family, out))
        return false;
    if (n->gateway && addr_is_loopback(out))
        *out = addr_is_v4(out) ? n->spec.gateways[0] : n->spec.gateways[1];
    if (!addr_is_v4(out) && addr_is_link_local(out) && out->zone == 0)
        out->zone = (uint32_t)n->netif;
    return true;
}

/* ---- what applications print ---- */

static bool put_out(void *ctx, struct span bytes)
{
    (void)ctx;
    out_put(bytes);
    out_flush();
    return true;
}

static bool put_kept(void *ctx, struct span bytes)
{
    struct netrun *n = ctx;
    char *more = realloc(n->kept, n->kept_n + bytes.n);
    if (!more)
        return false;
    memcpy(more + n->kept_n, bytes.p, bytes.n);
    n->kept = more;
    n->kept_n += bytes.n;
    return true;
}

struct app_host netrun_host(struct netrun *n)
{
    const struct watch *w = n->lab ? &n->lab->watch : &n->seen.watch;
    bool silent = watch_takes_stdout(n->args), keep = w->ladder && n->page == stdout;
    struct app_host h = {.stack = n->stack, .buffer = n->buffer};
    h.out = (struct sink){.put = silent ? NULL : keep ? put_kept : put_out, .ctx = n};
    return h;
}

void netrun_show(struct netrun *n)
{
    watch_end_ladder(n->lab ? &n->lab->watch : &n->seen.watch);
    out_put(span_of(n->kept, n->kept_n));
    n->kept_n = 0;
}
