/* Groups through a whole stack: memberships as text, and waiting for the next report. */
#ifndef ORIEL_TESTS_IP_FX_GROUP_H
#define ORIEL_TESTS_IP_FX_GROUP_H

#include "fx_stack.h"

/* "in 10.0.0.1 10.0.0.2", "ex": the filter. */
static inline struct mcast_filter fx_filter(const char *text)
{
    struct mcast_filter f = {.exclude = memcmp(text, "ex", 2) == 0};
    for (const char *at = strchr(text, ' '); at; at = strchr(at + 1, ' ')) {
        const char *end = strchr(at + 1, ' ');
        size_t n = end ? (size_t)(end - at - 1) : strlen(at + 1);
        assert_true(f.n < MCAST_SOURCES_MAX);
        assert_true(addr_parse(span_of(at + 1, n), &f.source[f.n++]));
    }
    return f;
}

static inline int fx_set(struct fx *f, const char *group, uint32_t member, const char *filter)
{
    struct oriel_addr g = fx_addr(group);
    struct mcast_filter in = fx_filter(filter);
    return mcast_set(&f->s->ip, (uint16_t)f->nif, &g, member, &in);
}

static inline int fx_join_on(struct fx *f, int nif, const char *group, uint32_t member)
{
    struct oriel_addr g = fx_addr(group);
    return mcast_join(&f->s->ip, (uint16_t)nif, &g, member);
}

static inline int fx_join(struct fx *f, const char *group, uint32_t member)
{
    return fx_join_on(f, f->nif, group, member);
}

static inline void fx_leave_on(struct fx *f, int nif, const char *group, uint32_t member)
{
    struct oriel_addr g = fx_addr(group);
    mcast_leave(&f->s->ip, (uint16_t)nif, &g, member);
}

static inline void fx_leave(struct fx *f, const char *group, uint32_t member)
{
    fx_leave_on(f, f->nif, group, member);
}

/* Everything that is to be said for now has been said. */
static inline void fx_settle(struct fx *f)
{
    fx_run(f, 60 * NS_PER_S);
    (void)fx_skip(f);
}

/* Until the next frame leaves; in milliseconds, rounded up. Fails when none does within `ms`. */
static inline uint64_t fx_wait_ms(struct fx *f, uint64_t ms)
{
    oriel_time began = f->s->env.now;
    oriel_time end = began + ms * NS_PER_MS;
    fx_collect(f);
    while (!f->first) {
        oriel_time next = oriel_next_deadline(f->s);
        if (next > end)
            fail_msg("nothing was sent within %llu ms", (unsigned long long)ms);
        fx_step(f, next > f->s->env.now ? next : f->s->env.now, NULL);
    }
    return (f->s->env.now - began + NS_PER_MS - 1) / NS_PER_MS;
}

#endif
