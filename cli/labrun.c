/* From the name of a lab and the options of a verb to a world that runs and is watched. */
#define _GNU_SOURCE
#include "cli/labrun.h"

#include "cli/labs.h"
#include "cli/out.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SETS_MAX 64

/* ---- reading ---- */

static int fails(const struct labrun *r, const struct scenario_error *e)
{
    char text[512];
    struct txt t = txt_of(text, sizeof text);
    scenario_error_print(&t, e);
    out_error(r->verb, "%s", text);
    return EXIT_USAGE;
}

static struct labrun *new_run(const char *verb)
{
    struct labrun *r = calloc(1, sizeof *r);
    if (r)
        r->memory = malloc(LAB_MEMORY);
    if (!r || !r->memory) {
        out_error(verb, "there is no memory");
        free(r);
        return NULL;
    }
    r->verb = verb;
    r->about = SC_NONE;
    arena_init(&r->arena, r->memory, LAB_MEMORY);
    return r;
}

static void release(struct labrun *r)
{
    file_close(&r->file);
    summary_fini(&r->summary);
    arena_init(&r->arena, r->memory, LAB_MEMORY);       /* unpoisoned, for who gets it next */
    free(r->memory);
    free(r->path);
    free(r);
}

static int read_scenario(struct labrun *r, const struct sc_param *set, size_t set_n)
{
    struct scenario_error e;
    int error = file_open(&r->file, r->path);
    if (error != 0) {
        out_error(r->verb, "cannot read %s: %s", r->path, strerror(error));
        return EXIT_USAGE;
    }
    r->s = scenario_parse(&r->arena, span_str(r->path), r->file.bytes, set, set_n, &e);
    return r->s ? EXIT_OK : fails(r, &e);
}

static int build(struct labrun *r, const struct lab_options *o)
{
    struct scenario_error e;
    r->lab = lab_build(&r->arena, r->s, o, &e);
    if (r->lab && r->args)
        watch_init(&r->watch, r->args, r->lab->w, stdout, false);
    if (r->lab)
        summary_init(&r->summary, r->lab->w);
    return r->lab ? EXIT_OK : fails(r, &e);
}

int labrun_read(struct labrun **out, const char *verb, const char *path)
{
    struct labrun *r = new_run(verb);
    const struct lab_options o = {.check = true};
    if (!r)
        return EXIT_SETUP;
    r->path = strdup(path);
    int status = r->path ? read_scenario(r, NULL, 0) : EXIT_SETUP;
    if (status == EXIT_OK)
        status = build(r, &o);
    if (status == EXIT_OK)
        *out = r;
    else
        release(r);
    return status;
}

/* --set KEY=VALUE */
static int take_sets(const struct labrun *r, struct sc_param set[SETS_MAX], size_t *n)
{
    *n = opt_times(r->args, "set");
    if (*n > SETS_MAX) {
        out_error(r->verb, "--set is given more than %d times", SETS_MAX);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < *n; i++) {
        const char *text = opt_nth(r->args, "set", i)->text;
        const char *is = strchr(text, '=');
        if (!is || is == text) {
            out_error(r->verb, "--set %s: expected KEY=VALUE, such as loss=5%%", text);
            return EXIT_USAGE;
        }
        set[i].name = span_of(text, (size_t)(is - text));
        set[i].value = span_str(is + 1);
    }
    return EXIT_OK;
}

static void on_frame(void *ctx, const struct world_frame *f)
{
    struct labrun *r = ctx;
    watch_frame(&r->watch, f);
    if (r->sums)
        summary_frame(&r->summary, f);
}

int labrun_open(struct labrun **out, const struct args *a, const char *name, struct sink sink)
{
    struct sc_param set[SETS_MAX];
    size_t set_n;
    struct labrun *r = new_run(a->verb->name);
    if (!r)
        return EXIT_SETUP;
    r->args = a;
    r->path = labs_path(r->verb, name);
    const char *impair = opt_text(a, "impair");
    struct lab_options o = {
        .has_seed = opt_given(a, "seed"), .seed = opt_u64(a, "seed"), .out = sink,
        .impair = span_str(impair ? impair : ""), .check = !opt_on(a, "no-check"),
        .on_frame = on_frame, .on_frame_ctx = r,
    };
    int status = r->path ? take_sets(r, set, &set_n) : EXIT_USAGE;
    if (status == EXIT_OK)
        status = read_scenario(r, set, set_n);
    if (status == EXIT_OK)
        status = build(r, &o);
    if (status == EXIT_OK)
        *out = r;
    else
        release(r);
    return status;
}

/* SC_NONE after a message. */
static uint16_t node_named(const struct labrun *r, const char *name)
{
    const char *names[WORLD_NODES_MAX];
    size_t n = 0;
    for (uint16_t i = 0; i < r->s->nodes_n; i++) {
        const struct node *node = &r->lab->w->nodes[i];
        if (!node->stack)
            continue;
        if (strcmp(node->name, name) == 0)
            return i;
        names[n++] = node->name;
    }
    const char *near = opt_nearest(name, names, n);
    out_error(r->verb, "%s has no host or router '%s'%s%s%s", r->path, name,
              near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return SC_NONE;
}

static void not_an_address(const struct labrun *r, const char *text)
{
    const char *names[WORLD_NODES_MAX];
    for (uint16_t i = 0; i < r->s->nodes_n; i++)
        names[i] = r->lab->w->nodes[i].name;
    const char *near = opt_nearest(text, names, r->s->nodes_n);
    out_error(r->verb, "'%s' is neither an address nor a node with one%s%s%s", text,
              near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static bool port_addr(const struct sc_port *p, enum oriel_family family, struct oriel_addr *out)
{
    for (unsigned i = 0; i < p->addrs_n; i++) {
        *out = p->addrs[i].addr;
        if (family == ORIEL_DUAL || addr_is_v4(out) == (family == ORIEL_IP4))
            return true;
    }
    return false;
}

bool labrun_addr(const struct labrun *r, const char *text, enum oriel_family family,
                 struct oriel_addr *out)
{
    if (addr_parse(span_str(text), out))
        return true;
    uint16_t node = scenario_node(r->s, span_str(text));
    for (uint16_t i = 0; i < r->s->ports_n && node != SC_NONE; i++)
        if (r->s->ports[i].node == node && port_addr(&r->s->ports[i], family, out))
            return true;
    if (node != SC_NONE)
        out_error(r->verb, "the node '%s' has no %s address", text,
                  family == ORIEL_DUAL ? "such" : family == ORIEL_IP4 ? "IPv4" : "IPv6");
    else
        not_an_address(r, text);
    return false;
}

/* ---- captures ---- */

/* The first plugged port of a node; SC_NONE. */
static uint16_t port_of_node(const struct scenario *s, uint16_t node)
{
    for (uint16_t i = 0; i < s->ports_n; i++)
        if (s->ports[i].node == node && s->ports[i].linked)
            return i;
    return SC_NONE;
}

/* Where the application that speaks first lives; otherwise the first port of the first link. */
static uint16_t default_port(const struct labrun *r)
{
    const struct scenario *s = r->s;
    for (uint16_t i = 0; i < s->acts_n; i++) {
        enum sc_act_kind kind = (enum sc_act_kind)s->acts[i].kind;
        bool speaks = kind == ACT_PING || kind == ACT_TRACE || kind == ACT_UDP_SEND ||
                      kind == ACT_TCP_CONNECT || kind == ACT_SEND;
        uint16_t port = speaks ? port_of_node(s, s->acts[i].node) : SC_NONE;
        if (port != SC_NONE)
            return port;
    }
    return s->links_n > 0 ? s->links[0].end[0] : SC_NONE;
}

/* NODE or NODE.PORT */
static uint16_t named_port(const struct labrun *r, const char *place)
{
    const struct scenario *s = r->s;
    size_t dot = strcspn(place, ".");
    uint16_t node = scenario_node(s, span_of(place, dot));
    uint16_t port = node == SC_NONE ? SC_NONE
                    : place[dot] == '.' ? scenario_port(s, node, span_str(place + dot + 1))
                                        : port_of_node(s, node);
    if (port == SC_NONE || !s->ports[port].linked) {
        out_error(r->verb,
                  "--vantage %s: expected NODE or NODE.PORT of a plugged port, both or all", place);
        return SC_NONE;
    }
    return port;
}

/* "run.pcapng" -> "run.a.pcapng"; with the port where the node has several. */
static char *file_for(const struct labrun *r, const char *file, uint16_t port)
{
    const struct scenario *s = r->s;
    const struct sc_port *p = &s->ports[port];
    bool many = false;
    for (uint16_t i = 0; i < s->ports_n; i++)
        many = many || (i != port && s->ports[i].node == p->node && s->ports[i].linked);
    return watch_name(file, r->lab->w->nodes[p->node].name, many ? p->name : NULL);
}

struct place {
    const struct lab *lab;
    uint16_t port;
};

static void begin_vantage(void *ctx, struct vantage *v, struct sink out, void *scratch)
{
    const struct place *p = ctx;
    (void)lab_vantage_open(v, p->lab, p->port, out, scratch);   /* close tells */
}

static int open_vantage(struct labrun *r, uint16_t port, char *name)
{
    struct place p = {.lab = r->lab, .port = port};
    return watch_capture(&r->watch, name, begin_vantage, &p);
}

static bool is_end(const struct scenario *s, uint16_t port)
{
    enum node_kind kind = s->nodes[s->ports[port].node].kind;
    return kind == NODE_HOST || kind == NODE_PEER;
}

static int open_captures(struct labrun *r)
{
    const char *file = opt_text(r->args, "write");
    const char *place = opt_text(r->args, "vantage");
    if (!file) {
        if (place)
            out_error(r->verb, "--vantage says where a capture sees from; -w FILE is missing");
        return place ? EXIT_USAGE : EXIT_OK;
    }
    bool both = place && strcmp(place, "both") == 0;
    bool all = place && strcmp(place, "all") == 0;
    if (!both && !all) {
        uint16_t port = place ? named_port(r, place)
                        : r->about != SC_NONE ? port_of_node(r->s, r->about) : default_port(r);
        if (port == SC_NONE && !place)
            out_error(r->verb, "%s has no link to capture from", r->path);
        return port == SC_NONE ? EXIT_USAGE : open_vantage(r, port, strdup(file));
    }
    if (strcmp(file, "-") == 0) {
        out_error(r->verb, "--vantage %s writes several files; -w - is one", place);
        return EXIT_USAGE;
    }
    int status = EXIT_OK;
    for (uint16_t i = 0; i < r->s->ports_n && status == EXIT_OK; i++)
        if (r->s->ports[i].linked && (all || is_end(r->s, i)))
            status = open_vantage(r, i, file_for(r, file, i));
    return status;
}

static void begin_ladder(void *ctx, struct world_ladder *g, struct sink out,
                         struct ladder_style style)
{
    const struct labrun *r = ctx;
    lab_ladder_open(g, r->lab, out, style);
}

/* ---- running ---- */

int labrun_start(struct labrun *r)
{
    int status = open_captures(r);
    if (status == EXIT_OK)
        status = watch_ladder(&r->watch, begin_ladder, r);
    if (status == EXIT_OK)
        status = watch_lines(&r->watch);
    if (status == EXIT_OK)
        status = watch_log(&r->watch);
    if (status == EXIT_OK)
        lab_start(r->lab);
    return status;
}

void labrun_run(struct labrun *r, oriel_time until)
{
    if (!r->watch.logging) {
        lab_run(r->lab, until);
        return;
    }
    for (oriel_time next; !lab_over(r->lab) && out_ok();) {
        next = lab_next(r->lab);
        if (next == ORIEL_NEVER || next > until)
            break;
        lab_run(r->lab, next);
        watch_drain(&r->watch);
    }
    lab_run(r->lab, until);
}

int labrun_at(struct labrun **out, const struct args *a, const char *name, const char *on,
              oriel_time otherwise, uint16_t *node)
{
    const struct sink nowhere = {.put = NULL};
    int status = labrun_open(out, a, name, nowhere);
    if (status != EXIT_OK)
        return status;
    *node = node_named(*out, on);
    (*out)->about = *node;
    (*out)->sums = opt_on(a, "verbose");
    status = *node == SC_NONE ? EXIT_USAGE : labrun_start(*out);
    if (status != EXIT_OK) {
        status = labrun_close(*out, status);
        *out = NULL;
        return status;
    }
    labrun_run(*out, opt_given(a, "at") ? opt_u64(a, "at") : otherwise);
    return EXIT_OK;
}

void labrun_end_ladder(struct labrun *r)
{
    watch_end_ladder(&r->watch);
}

int labrun_close(struct labrun *r, int status)
{
    status = watch_close(&r->watch, status);
    lab_fini(r->lab);
    release(r);
    return status;
}
