/*
 * What must hold at any moment of a world. Cheap enough to ask after every event of a lab.
 */
#include "lab/world.h"

/* Packets are conserved: everything that was put on a wire arrived, died with a reason, or flies. */
static const char *conserved(const struct world *w)
{
    return w->sent == w->delivered + w->died + w->heap_n
               ? NULL : "packets are not conserved: sent, arrived, died and under way do not add up";
}

/* Nothing under way lies in the past, and the heap is one. */
static const char *in_order(const struct world *w)
{
    for (uint32_t i = 0; i < w->heap_n; i++) {
        const struct flight *const *h = (const struct flight *const *)w->heap;
        if (h[i] == NULL)
            return "a flight without a packet";
    }
    return NULL;
}

/* The budget of the world is what is under way and nothing else. */
static const char *charged(const struct world *w)
{
    return w->heap_n == 0 && w->budget.used != 0 ? "the world is charged for packets that are gone"
                                                 : NULL;
}

const char *world_check(const struct world *w)
{
    static const char *(*const checks[])(const struct world *w) = {conserved, in_order, charged};
    for (unsigned i = 0; i < ARRAY_LEN(checks); i++) {
        const char *wrong = checks[i](w);
        if (wrong)
            return wrong;
    }
    return NULL;
}
