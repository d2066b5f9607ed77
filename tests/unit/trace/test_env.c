#include "fixture.h"

TEST("a timer remembers the event that armed it")
{
    struct fx_env fx;
    struct timer t;
    fx_env_init(&fx);
    timer_init(&t, TIMER_NEIGH);
    fx.env.cause = 77;
    env_arm_in(&fx.env, &t, NS_PER_S);
    fx.env.cause = 78;
    EXPECT(fx_timer(&fx) == NULL);
    fx_pass(&fx, NS_PER_S);
    EXPECT(fx_timer(&fx) == &t);
    EXPECT_EQ(t.cause, 77);
    env_cancel(&fx.env, &t);            /* not armed any more: nothing happens */
    fx_env_fini(&fx);
}

TEST("a delay past the end of time is never")
{
    struct fx_env fx;
    struct timer t;
    fx_env_init(&fx);
    timer_init(&t, TIMER_NEIGH);
    env_arm_in(&fx.env, &t, ORIEL_NEVER);
    EXPECT(!timer_armed(&t));
    fx_env_fini(&fx);
}

TEST("a full queue of facts loses the newest, counted, and keeps the rest")
{
    struct fx_env fx;
    fx_env_init(&fx);
    for (uint32_t i = 0; i < FACTS_MAX + 3; i++)
        env_fact(&fx.env, &(struct fact){.kind = FACT_ERROR, .mtu = i});
    EXPECT_EQ(fx.env.facts.n, FACTS_MAX);
    EXPECT_EQ(fx.env.facts.lost, 3);
    EXPECT_EQ(fx.env.facts.f[FACTS_MAX - 1].mtu, FACTS_MAX - 1);
    fx_env_fini(&fx);
}
