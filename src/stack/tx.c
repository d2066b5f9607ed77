/* What leaves: the queues of the interfaces. */
#include "stack/stack.h"

bool stack_has_output(const struct oriel_stack *s)
{
    if (s->link.loop.n > 0)
        return true;
    for (uint16_t i = 0; i < s->link.max; i++)
        if (s->link.netifs[i].index && s->link.netifs[i].tx.n > 0)
            return true;
    return false;
}
