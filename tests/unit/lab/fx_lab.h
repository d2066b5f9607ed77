/*
 * A scenario from a string, in memory of its own.
 *
 *     struct fx_lab fx;
 *     fx_lab_run(&fx, HOSTS "at 0 a ping 10.0.0.2\n");
 *     EXPECT(fx.good);
 *     fx_lab_fini(&fx);
 */
#ifndef ORIEL_TESTS_FX_LAB_H
#define ORIEL_TESTS_FX_LAB_H

#include "test.h"

#include "lab/lab.h"

#define FX_LAB_BYTES ((size_t)96 << 20)

/* Two hosts on a wire, both ends named. */
#define TWO_HOSTS                                                                                  \
    "host a eth0 10.0.0.1/24\n"                                                                    \
    "host b eth0 10.0.0.2/24\n"                                                                    \
    "link a.eth0 b.eth0 delay 1ms\n"

/* A scripted peer x and a host b. */
#define PEER_AND_HOST                                                                              \
    "peer x eth0 mac 02:00:00:00:00:99\n"                                                          \
    "host b eth0 10.0.0.1/24\n"                                                                    \
    "link x.eth0 b.eth0 delay 1ms\n"

struct fx_text {                /* a sink */
    char *p;
    size_t n, cap;
};

static inline bool fx_text_put(void *ctx, struct span bytes)
{
    struct fx_text *t = ctx;
    if (t->n + bytes.n + 1 > t->cap) {
        t->cap = 2 * (t->n + bytes.n + 1);
        t->p = realloc(t->p, t->cap);
        assert_non_null(t->p);
    }
    memcpy(t->p + t->n, bytes.p, bytes.n);
    t->n += bytes.n;
    t->p[t->n] = '\0';
    return true;
}

static inline struct sink fx_text_sink(struct fx_text *t)
{
    *t = (struct fx_text){.p = NULL};
    (void)fx_text_put(t, span_of("", 0));
    return (struct sink){.put = fx_text_put, .ctx = t};
}

struct fx_lab {
    void *memory;
    struct arena arena;
    struct scenario *s;
    struct lab *lab;
    struct scenario_error err;
    char error[512];            /* as it is printed; "" when there was none */
    struct lab_options opt;
    struct fx_text out;         /* what applications printed */
    bool good;
};

static inline void fx_lab_fail(struct fx_lab *fx)
{
    struct txt t = txt_of(fx->error, sizeof(fx->error));
    scenario_error_print(&t, &fx->err);
}

/* Parses; fx->s is NULL after a mistake. */
static inline bool fx_lab_parse(struct fx_lab *fx, const char *text, const struct sc_param *set,
                                size_t set_n)
{
    *fx = (struct fx_lab){.memory = malloc(FX_LAB_BYTES)};
    assert_non_null(fx->memory);
    arena_init(&fx->arena, fx->memory, FX_LAB_BYTES);
    fx->opt = (struct lab_options){.check = true, .bare = true, .out = fx_text_sink(&fx->out)};
    fx->s = scenario_parse(&fx->arena, span_str("t.lab"), span_str(text), set, set_n, &fx->err);
    if (!fx->s)
        fx_lab_fail(fx);
    return fx->s != NULL;
}

static inline bool fx_lab_build(struct fx_lab *fx)
{
    fx->lab = lab_build(&fx->arena, fx->s, &fx->opt, &fx->err);
    if (!fx->lab)
        fx_lab_fail(fx);
    return fx->lab != NULL;
}

static inline void fx_lab_go(struct fx_lab *fx)
{
    lab_start(fx->lab);
    lab_run(fx->lab, ORIEL_NEVER);
    fx->good = lab_finish(fx->lab);
}

static inline void fx_lab_run(struct fx_lab *fx, const char *text)
{
    if (!fx_lab_parse(fx, text, NULL, 0) || !fx_lab_build(fx))
        fail_msg("%s", fx->error);
    fx_lab_go(fx);
}

static inline void fx_lab_fini(struct fx_lab *fx)
{
    if (fx->lab)
        lab_fini(fx->lab);
    arena_init(&fx->arena, fx->memory, FX_LAB_BYTES);   /* the heap gets it back unpoisoned */
    free(fx->memory);
    free(fx->out.p);
}

/* Everything that does not hold, for the message of a test that fails. */
static inline const char *fx_lab_why(const struct fx_lab *fx, char *buf, size_t cap)
{
    struct txt t = txt_of(buf, cap);
    for (uint16_t i = 0; i < fx->s->expects_n; i++)
        if (!fx->lab->results[i].holds) {
            lab_print_result(&t, fx->lab, &fx->lab->results[i]);
            txt_c(&t, '\n');
        }
    for (uint16_t i = 0; i < fx->lab->troubles_n; i++) {
        lab_print_trouble(&t, fx->lab, &fx->lab->troubles[i]);
        txt_c(&t, '\n');
    }
    return buf;
}

/* The scenario holds in every expectation. */
static inline void fx_lab_holds(const char *text)
{
    struct fx_lab fx;
    char buf[4096];
    fx_lab_run(&fx, text);
    if (!fx.good)
        fail_msg("%s", fx_lab_why(&fx, buf, sizeof(buf)));
    fx_lab_fini(&fx);
}

/* Its last expectation does not hold, all others do, and that is what is said of it. */
static inline void fx_lab_fails(const char *text, const char *seen)
{
    struct fx_lab fx;
    char buf[4096];
    fx_lab_run(&fx, text);
    assert_true(fx.s->expects_n > 0);
    const struct lab_result *last = &fx.lab->results[fx.s->expects_n - 1];
    for (uint16_t i = 0; i + 1 < fx.s->expects_n; i++)
        if (!fx.lab->results[i].holds)
            fail_msg("%s", fx_lab_why(&fx, buf, sizeof(buf)));
    assert_false(last->holds);
    if (!strstr(last->seen, seen))
        fail_msg("expected: %s\nseen: %s", seen, last->seen);
    fx_lab_fini(&fx);
}

#endif
