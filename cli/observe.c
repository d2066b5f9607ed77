/* From the options of a verb to captures, pictures and a summary of a live world. */
#define _GNU_SOURCE
#include "cli/observe.h"

#include "cli/out.h"

#include <stdlib.h>
#include <time.h>

/* ---- options ---- */

bool observe_is_asked(const struct args *a)
{
    static const char *const options[] = {"write", "ladder", "why", "log", "impair"};
    for (size_t i = 0; i < ARRAY_LEN(options); i++)
        if (opt_given(a, options[i]))
            return true;
    return false;
}

static int bad(const struct args *a, const char *text)
{
    out_error(a->verb->name, "%s", text);
    return EXIT_USAGE;
}

int observe_check(const struct args *a, FILE *page)
{
    const char *place = opt_text(a, "vantage");
    if (place && !opt_text(a, "write"))
        return bad(a, "--vantage says where a capture sees from; --write FILE is missing");
    if (place && strcmp(place, "both") != 0)
        return bad(a, "--vantage of a link is `both` or nothing");
    if (place && watch_takes_stdout(a))
        return bad(a, "--vantage both writes several files; -w - is one");
    if (page == stdout && watch_takes_stdout(a) && opt_on(a, "ladder"))
        return bad(a, "--ladder and -w - would both write to standard output");
    return EXIT_OK;
}

int observe_impair(const struct args *a, struct wire_params *wire)
{
    const char *text = opt_text(a, "impair");
    struct syntax_error e = {0};
    char error[400];
    struct txt t = txt_of(error, sizeof error);
    if (!text || wire_params_parse(span_str(text), wire, &e))
        return EXIT_OK;
    txt_s(&t, "--impair: ");
    syntax_error_print(&t, &e);
    return bad(a, error);
}

/* ---- beginning ---- */

struct place {
    const struct observe *o;
    const struct port *port;
};

static bool is_raw(const struct port *p)
{
    struct oriel_netif_info i;
    for (uint32_t at = 0; p->netif && oriel_netif_each(p->node->stack, &at, &i);)
        if (i.netif == p->netif)
            return i.kind == ORIEL_NETIF_RAW;
    return false;
}

static void begin_vantage(void *ctx, struct vantage *v, struct sink out, void *scratch)
{
    const struct place *at = ctx;
    const struct observe *o = at->o;
    const struct wire *x = at->port->wire;
    struct pcapng_addr addrs[DRV_ADDRS_MAX];
    struct timespec now;
    char what[160], os[64];
    struct txt d = txt_of(what, sizeof what), s = txt_of(os, sizeof os);
    clock_gettime(CLOCK_REALTIME, &now);
    txt_s(&d, "what leaves and arrives at ");
    txt_s(&d, at->port->node->name);
    txt_s(&d, ", on the wire to ");
    txt_s(&d, x->end[!at->port->side]->node->name);
    txt_s(&s, "real time, seed ");
    txt_u(&s, o->c.world->seed);
    for (unsigned i = 0; i < o->c.addrs_n; i++)
        addrs[i] = (struct pcapng_addr){o->c.addrs[i].addr, o->c.addrs[i].prefix_len};
    const struct vantage_config c = {
        .world = o->c.world, .port = at->port, .d = o->d, .hardware = o->what, .os = os,
        .description = what,
        .link = is_raw(x->end[0]) || is_raw(x->end[1]) ? LINKTYPE_RAW : LINKTYPE_ETHERNET,
        .addrs = addrs, .addrs_n = at->port->node == o->c.me ? o->c.addrs_n : 0,
        .speed_bps = x->dir[at->port->side].p.rate_bps,
        .epoch = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec - o->c.world->env.now,
    };
    (void)vantage_open(v, &c, out, scratch);    /* watch_close tells */
}

static void begin_ladder(void *ctx, struct world_ladder *g, struct sink out,
                         struct ladder_style style)
{
    const struct observe *o = ctx;
    style.states = true;
    world_ladder_open(g, o->c.world, out, style);
}

/* At the end that the verb is about, or at both. */
static int begin_captures(struct observe *o, const struct wire *x)
{
    const char *file = opt_text(o->c.args, "write");
    bool both = opt_text(o->c.args, "vantage") != NULL;
    int status = EXIT_OK;
    for (unsigned i = 0; i < 2 && file && status == EXIT_OK; i++) {
        struct place at = {.o = o, .port = x->end[i]};
        const struct node *n = x->end[i]->node;
        if (both || n == o->c.me)
            status = watch_capture(&o->watch, both ? watch_name(file, n->name, NULL) : strdup(file),
                                   begin_vantage, &at);
    }
    return status;
}

/* With the first frame, because a node speaks as soon as it is plugged in. */
static void begin(struct observe *o, const struct wire *x)
{
    o->begun = true;
    o->d = malloc(sizeof *o->d);
    o->failed = o->d ? begin_captures(o, x) : EXIT_SETUP;
    if (o->failed == EXIT_OK)
        o->failed = watch_ladder(&o->watch, begin_ladder, o);
    if (o->failed == EXIT_OK)
        o->failed = watch_lines(&o->watch);
    if (o->failed == EXIT_OK)
        o->failed = watch_log(&o->watch);
}

static void on_frame(void *ctx, const struct world_frame *f)
{
    struct observe *o = ctx;
    if (!o->begun)
        begin(o, f->port->wire);
    if (o->failed != EXIT_OK)
        return;
    summary_frame(&o->summary, f);
    watch_frame(&o->watch, f);
}

void observe_init(struct observe *o, const struct observe_config *c)
{
    *o = (struct observe){.c = *c, .asked = observe_is_asked(c->args)};
    struct txt t = txt_of(o->what, sizeof o->what);
    txt_s(&t, c->what);
    summary_init(&o->summary, c->world);
    watch_init(&o->watch, c->args, c->world, c->page, true);
    if (!o->asked)
        return;
    c->world->on_frame = on_frame;
    c->world->on_frame_ctx = o;
}

int observe_begin(struct observe *o)
{
    if (o->asked && !o->begun)
        begin(o, &o->c.world->wires[0]);
    return o->failed;
}

void observe_turn(struct observe *o)
{
    watch_drain(&o->watch);
}

/* ---- the end ---- */

void observe_tell(const struct summary *s, const struct args *a, FILE *page)
{
    bool as_json = opt_on(a, "json");
    struct file_sink to;
    out_flush();
    summary_print(s, as_json, as_json && page == stdout && !watch_takes_stdout(a)
                                  ? out_sink() : file_sink_stream(&to, stderr));
}

int observe_close(struct observe *o, int status, bool tell)
{
    watch_end_ladder(&o->watch);
    if (o->failed == EXIT_OK && (o->begun || tell)) {
        observe_tell(&o->summary, o->c.args, o->c.page);
        watch_tell_files(&o->watch);
    }
    status = watch_close(&o->watch, status);
    summary_fini(&o->summary);
    free(o->d);
    return status;
}
