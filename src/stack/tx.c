/*
 * What leaves. Packets that are not a transport's, or answers of no connection, wait in the queue of
 * their interface. What connections send is built when the host asks (oriel_netif_take): connections
 * that may send take turns until there is as much as the host takes.
 */
#include "stack/stack.h"

/* Segments to ourselves are built at the beginning of a step, so many at most. */
#define LOOPED_A_STEP 256

static bool netif_has_output(const struct oriel_stack *s, const struct netif *nif)
{
    return nif->tx.n > 0 || (netif_works(nif) && tcp_has_output(&s->tcp, nif->index));
}

bool stack_has_looped(const struct oriel_stack *s)
{
    return s->link.loop.n > 0 || (s->link.loopback && tcp_has_output(&s->tcp, s->link.loopback));
}

bool stack_has_output(const struct oriel_stack *s)
{
    if (stack_has_looped(s))
        return true;
    for (uint16_t i = 0; i < s->link.used; i++)
        if (s->link.netifs[i].index && netif_has_output(s, &s->link.netifs[i]))
            return true;
    return false;
}

void stack_loop(struct oriel_stack *s)
{
    if (tcp_next_departure(&s->tcp) <= s->env.now)
        tcp_on_departures(&s->tcp);
    if (s->link.loopback)
        tcp_take(&s->tcp, s->link.loopback, LOOPED_A_STEP);
}

unsigned stack_take(struct oriel_stack *s, struct netif *nif, struct pkt *out[], unsigned max)
{
    unsigned n = nif->tx.n > 0 ? link_take(&s->link, nif, out, max) : 0;
    if (!netif_works(nif))
        return n;
    while (n < max && tcp_has_output(&s->tcp, nif->index)) {
        link_ask(&s->link, nif, out + n, max - n);
        tcp_take(&s->tcp, nif->index, max - n);
        unsigned more = link_asked(nif, out + n);
        if (nif->tx.n > 0)
            more += link_take(&s->link, nif, out + n + more, max - n - more);
        if (more == 0)
            break;              /* it went another way, or waits for a link address */
        n += more;
    }
    return n;
}
