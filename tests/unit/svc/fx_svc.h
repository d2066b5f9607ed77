/*
 * Two hosts and a wire of a millisecond, for services: a asks, b serves.
 *
 *     struct fx_svc *f = fx_svc_new();
 *     f->step = my_step; f->ctx = ...;     called whenever something happened; says when it is due
 *     fx_svc_run(f, 2 * NS_PER_S);         that much longer
 *     fx_svc_free(f);
 *
 * a is 10.0.0.1 and fd00::1, b is 10.0.0.2 and fd00::2, unless made with fx_svc_bare.
 */
#ifndef ORIEL_TESTS_FX_SVC_H
#define ORIEL_TESTS_FX_SVC_H

#include "fixture.h"

#include "lab/app.h"
#include "lab/craft.h"
#include "lab/world.h"
#include "lens/filter.h"

#define FX_SVC_MEMORY ((size_t)48 << 20)
#define FX_SVC_SEEN   256

struct fx_seen {                /* a frame that was put on the wire */
    oriel_time time;
    bool from_a;
    size_t n;
    uint8_t bytes[1600];
};

struct fx_svc {
    struct world w;
    void *memory;
    struct node *a, *b;
    struct port *pa, *pb;
    struct wire *wire;
    oriel_time (*step)(void *ctx, oriel_time now);
    void *ctx;
    oriel_time due;
    uint8_t buffer[APP_BUFFER];
    unsigned seen_n;
    struct fx_seen seen[FX_SVC_SEEN];
    struct dissection d;
};

static inline void fx_svc_saw(void *ctx, const struct world_frame *wf)
{
    struct fx_svc *f = ctx;
    if (!wf->out || f->seen_n == FX_SVC_SEEN)
        return;
    struct fx_seen *s = &f->seen[f->seen_n++];
    *s = (struct fx_seen){.time = wf->time, .from_a = wf->port->node == f->a, .n = wf->bytes.n};
    if (s->n > sizeof(s->bytes))
        s->n = sizeof(s->bytes);
    memcpy(s->bytes, wf->bytes.p, s->n);
}

static inline struct node *fx_svc_host(struct fx_svc *f, const char *name,
                                       const struct oriel_netif_config *nif, bool router,
                                       struct port **port)
{
    struct oriel_config cfg;
    int err = 0;
    oriel_config_init(&cfg);
    cfg.forward4 = cfg.forward6 = router;
    struct node *n = world_add_node(&f->w, router ? NODE_ROUTER : NODE_HOST, span_str(name), &cfg,
                                    NODE_MEMORY);
    assert_non_null(n);
    *port = world_add_port(&f->w, n, nif, &err);
    assert_non_null(*port);
    return n;
}

static inline struct fx_svc *fx_svc_bare(const struct oriel_netif_config *na,
                                         const struct oriel_netif_config *nb, bool b_routes)
{
    struct fx_svc *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->memory = malloc(FX_SVC_MEMORY);
    assert_non_null(f->memory);
    assert_true(world_init(&f->w, f->memory, FX_SVC_MEMORY, &(struct world_config){.seed = 7}));
    f->a = fx_svc_host(f, "a", na, false, &f->pa);
    f->b = fx_svc_host(f, "b", nb, b_routes, &f->pb);
    f->wire = world_join(&f->w, f->pa, f->pb, &(struct wire_params){.delay_ns = NS_PER_MS});
    assert_non_null(f->wire);
    f->w.on_frame = fx_svc_saw;
    f->w.on_frame_ctx = f;
    f->due = ORIEL_NEVER;
    return f;
}

static inline void fx_svc_addr(struct node *n, int nif, const char *text)
{
    struct oriel_addr a;
    uint8_t len;
    assert_true(addr_and_len_parse(span_str(text), &a, &len));
    assert_int_equal(oriel_addr_add(n->stack, nif, &a, len), 0);
}

static inline struct fx_svc *fx_svc_new(void)
{
    const struct oriel_netif_config nif = {.name = "eth0", .ip6 = true, .no_dad = true};
    struct fx_svc *f = fx_svc_bare(&nif, &nif, false);
    fx_svc_addr(f->a, f->pa->netif, "10.0.0.1/24");
    fx_svc_addr(f->a, f->pa->netif, "fd00::1/64");
    fx_svc_addr(f->b, f->pb->netif, "10.0.0.2/24");
    fx_svc_addr(f->b, f->pb->netif, "fd00::2/64");
    return f;
}

static inline oriel_time fx_svc_now(const struct fx_svc *f)
{
    return f->w.env.now;
}

/* The services act on what is there, and what they say leaves. */
static inline void fx_svc_poke(struct fx_svc *f)
{
    if (f->step)
        f->due = f->step(f->ctx, fx_svc_now(f));
    world_poke(&f->w, f->a);
    world_poke(&f->w, f->b);
}

static inline void fx_svc_run(struct fx_svc *f, oriel_time d)
{
    oriel_time end = fx_svc_now(f) + d;
    fx_svc_poke(f);
    for (;;) {
        oriel_time next = world_next(&f->w);
        next = next < f->due ? next : f->due;
        if (next > end)
            break;
        world_run(&f->w, next > fx_svc_now(f) ? next : fx_svc_now(f));
        fx_svc_poke(f);
    }
    world_run(&f->w, end);
    fx_svc_poke(f);
}

static inline void fx_svc_free(struct fx_svc *f)
{
    world_fini(&f->w);
    free(f->memory);
    free(f);
}

static inline struct oriel_addr fx_svc_ip(const char *text)
{
    struct oriel_addr a;
    assert_true(addr_parse(span_str(text), &a));
    return a;
}

/* Frames put on the wire since fx_svc_forget that match the filter; *first: when the first was. */
static inline unsigned fx_svc_count(struct fx_svc *f, const char *filter, oriel_time *first)
{
    static struct filter compiled;
    struct syntax_error err;
    unsigned n = 0;
    if (!filter_compile(span_str(filter), &compiled, &err))
        fail_msg("not a filter: %s", filter);
    for (unsigned i = 0; i < f->seen_n; i++) {
        struct fx_seen *s = &f->seen[i];
        struct lens_frame lf = {.link = LENS_ETHERNET, .bytes = span_of(s->bytes, s->n),
                                .number = i + 1, .time = s->time};
        dissect(&lf, &f->d);
        if (!filter_match(&compiled, &f->d))
            continue;
        if (n++ == 0 && first)
            *first = s->time;
    }
    return n;
}

/* For whoever looks for what is wrong: the frames so far. */
static inline void fx_svc_print(struct fx_svc *f)
{
    for (unsigned i = 0; i < f->seen_n; i++) {
        struct fx_seen *s = &f->seen[i];
        struct lens_frame lf = {.link = LENS_ETHERNET, .bytes = span_of(s->bytes, s->n),
                                .number = i + 1, .time = s->time};
        dissect(&lf, &f->d);
        printf("# %10.6f %s > %s %s %s\n", (double)s->time / 1e9, f->d.src, f->d.dst, f->d.proto,
               f->d.info);
    }
}

static inline void fx_svc_forget(struct fx_svc *f)
{
    f->seen_n = 0;
}

#endif
