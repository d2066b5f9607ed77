/* Events into the ring, facts into their queue, timers that remember who armed them. */
#include "trace/env.h"

uint64_t trace_write(struct env *env, uint32_t what, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    struct trace *t = env->trace;
    uint64_t id = t->next++;
    if (!t->ring)
        return id;
    t->ring[id & t->mask] = (struct trace_rec){
        .id = id,
        .t = env->now,
        .cause = env->cause,
        .event = (uint16_t)what,
        .why = (uint8_t)(what >> 16),
        .drop = (uint8_t)(what >> 24),
        .node = env->node,
        .a = a,
        .b = b,
        .c = c,
        .d = d,
    };
    return id;
}

void env_fact(struct env *env, const struct fact *f)
{
    struct fact_queue *q = &env->facts;
    if (q->n == FACTS_MAX) {
        q->lost++;
        return;
    }
    q->f[q->n] = *f;
    q->f[q->n++].cause = env->cause;
}

void env_arm(struct env *env, struct timer *t, oriel_time deadline)
{
    wheel_arm(&env->wheel, t, deadline, env->cause);
}

void env_arm_in(struct env *env, struct timer *t, oriel_time delay)
{
    env_arm(env, t, time_after(env->now, delay));
}
