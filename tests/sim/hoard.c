/*
 * Memory runs short: somebody takes what a pool has, or most of it, or a stack's budget becomes less,
 * and all of it comes back after a while.
 */
#include "sim.h"

#include <stdlib.h>

#define HOLD_AT_MOST 20000

/* Of pools whose objects nobody looks through: those that are held here are none. */
static struct pool *some_pool(struct sim *s, struct tcp *t)
{
    struct pkt_mem *m = &s->w.mem;
    switch (rng_below(&s->rng, 8)) {
    case 0:
    case 1:  return &t->flights;
    case 2:
    case 3:  return &t->records;
    case 4:  return &t->ranges;
    case 5:  return &t->profiles;
    case 6:  return &m->pkts;
    default: return &m->blks[rng_below(&s->rng, BLK_CLASSES)];
    }
}

static void take_pool(struct sim *s, struct hoard *h, struct pool *p)
{
    void *obj;
    uint64_t leave = one_in(s, 2) ? 0 : sim_scale(s, 200);
    h->from = p;
    while (h->n < HOLD_AT_MOST && p->cap - p->live > leave && (obj = pool_get(p)) != NULL)
        h->held[h->n++] = obj;
}

static void take_budget(struct sim *s, struct hoard *h, struct budget *b)
{
    h->budget = b;
    h->max = b->max;
    b->max = b->used + (one_in(s, 2) ? 0 : sim_scale(s, 20000));
    if (b->max > h->max)
        b->max = h->max;
}

static bool is_hoarded(const struct sim *s, const void *what)
{
    for (unsigned i = 0; i < HOARDS_AT_MOST; i++)
        if (s->hoard[i].from == what || s->hoard[i].budget == what)
            return true;
    return false;
}

static void give_back(struct sim *s, struct hoard *h)
{
    if (h->budget)
        h->budget->max = h->max;
    while (h->n > 0)
        pool_put(h->from, h->held[--h->n]);
    free(h->held);
    *h = (struct hoard){.n = 0};
    sim_say(s, "memory comes back");
}

void hoard_act(struct sim *s, unsigned who)
{
    struct hoard *h = &s->hoard[rng_below(&s->rng, HOARDS_AT_MOST)];
    struct oriel_stack *k = s->who[who].node->stack;
    if (h->held) {
        give_back(s, h);
        return;
    }
    struct pool *p = some_pool(s, &k->tcp);
    bool budget = one_in(s, 3);
    if (is_hoarded(s, p) || is_hoarded(s, &k->budget))
        return;
    h->held = malloc(HOLD_AT_MOST * sizeof(h->held[0]));
    if (!h->held)
        return;
    s->starved = true;
    if (budget)
        take_budget(s, h, &k->budget);
    else
        take_pool(s, h, p);
    sim_say(s, "memory of %s runs short: %s", s->who[who].node->name, budget ? "budget" : p->name);
}

/* How many of that pool's objects are not what they seem. */
uint32_t hoard_of(const struct sim *s, const struct pool *p)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < HOARDS_AT_MOST; i++)
        n += s->hoard[i].from == p ? s->hoard[i].n : 0;
    return n;
}

void hoard_end(struct sim *s)
{
    for (unsigned i = 0; i < HOARDS_AT_MOST; i++)
        if (s->hoard[i].held)
            give_back(s, &s->hoard[i]);
}
