/*
 * What a test of anything above src/base needs: one env with time, timers, a trace ring, memory and
 * a budget, always the same seed.
 *
 *     struct fx_env fx;
 *     fx_env_init(&fx);
 *     ... &fx.env ... &fx.arena ...
 *     EXPECT_DROPPED(&fx.env, DROP_FRAG_LEN);
 *     fx_env_fini(&fx);            nothing may be alive
 *
 * A struct fx_env stays where it was initialised: its parts point at each other.
 */
#ifndef ORIEL_TESTS_FIXTURE_H
#define ORIEL_TESTS_FIXTURE_H

#include "test.h"

#include "pkt/pkt.h"

#define FX_ARENA_BYTES ((size_t)32 << 20)
#define FX_PKT_BYTES   ((size_t)8 << 20)
#define FX_TRACE_RECS  4096
#define FX_SEED        0x0f1c7e57u
#define FX_START       (1000 * NS_PER_S)        /* time of day one; not 0, so that 0 is visible */

struct fx_env {
    struct env env;
    struct arena arena;         /* what is left is for the modules under test */
    struct pkt_mem mem;
    struct budget budget;
    struct trace trace;
    void *memory;
};

static inline void fx_env_init_sized(struct fx_env *fx, size_t arena_bytes, size_t pkt_bytes)
{
    *fx = (struct fx_env){.memory = malloc(arena_bytes)};
    assert_non_null(fx->memory);
    memset(fx->memory, 0xa5, arena_bytes);      /* nobody may count on zeros */
    arena_init(&fx->arena, fx->memory, arena_bytes);
    assert_true(pkt_mem_init(&fx->mem, &fx->arena, pkt_bytes));
    struct trace_rec *ring = arena_take(&fx->arena, FX_TRACE_RECS * sizeof(*ring));
    assert_non_null(ring);
    trace_init(&fx->trace, ring, FX_TRACE_RECS);
    fx->budget.max = UINT64_MAX / 2;

    struct env *env = &fx->env;
    env->now = FX_START;
    env->trace_mask = TOPICS_ALL;
    env->trace = &fx->trace;
    env->mem = &fx->mem;
    env->budget = &fx->budget;
    env->csum = csum_ops_for(0);
    rng_seed(&env->rng, FX_SEED, 1);
    struct rng g;
    rng_seed(&g, FX_SEED, 2);
    env->hash_seed = rng_u64(&g);
    for (size_t i = 0; i < sizeof(env->seed); i++)
        env->seed[i] = (uint8_t)rng_u64(&g);
    wheel_init(&env->wheel, env->now);
}

static inline void fx_env_init(struct fx_env *fx)
{
    fx_env_init_sized(fx, FX_ARENA_BYTES, FX_PKT_BYTES);
}

static inline void fx_env_fini(struct fx_env *fx)
{
    assert_int_equal(pkt_mem_live(&fx->mem), 0);
    assert_int_equal(fx->budget.used, 0);
    arena_init(&fx->arena, fx->memory, fx->arena.size);     /* the heap gets it back unpoisoned */
    free(fx->memory);
    *fx = (struct fx_env){.memory = NULL};
}

/* Time passes; whoever owns timers pops them (fx_timer). */
static inline void fx_pass(struct fx_env *fx, oriel_time d)
{
    fx->env.now += d;
}

/* The next timer that is due, or NULL. */
static inline struct timer *fx_timer(struct fx_env *fx)
{
    return wheel_pop(&fx->env.wheel, fx->env.now);
}

/* It happened at least once; and the reason counts as tested. */
#define EXPECT_DROPPED(e, reason)                                                                  \
    do {                                                                                           \
        assert_true((e)->drop_count[reason] > 0);                                                  \
        test_reason_seen("drop", drop_of(reason)->name);                                           \
    } while (0)

#define EXPECT_WHY(e, reason)                                                                      \
    do {                                                                                           \
        assert_true((e)->why_count[reason] > 0);                                                   \
        test_reason_seen("why", why_of(reason)->name);                                             \
    } while (0)

#endif
