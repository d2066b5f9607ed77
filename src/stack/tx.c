/* What leaves: the queues of the interfaces. */
#include "stack/stack.h"

unsigned stack_take(struct oriel_stack *s, struct netif *nif, struct pkt *out[], unsigned max)
{
    unsigned n = 0;
    while (n < max && (out[n] = link_take(&s->link, nif)) != NULL)
        n++;
    return n;
}

bool stack_has_output(const struct oriel_stack *s)
{
    if (s->link.loop.n > 0)
        return true;
    for (uint16_t i = 0; i < s->link.max; i++)
        if (s->link.netifs[i].index && s->link.netifs[i].tx.n > 0)
            return true;
    return false;
}
