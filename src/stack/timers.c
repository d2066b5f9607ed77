/* Which module a timer belongs to. */
#include "stack/stack.h"

static void fire_if(struct oriel_stack *s, struct timer *t)
{
    rs_on_timer(&s->ip, CONTAINER_OF(t, struct ip_if, rs_timer));
}

static void fire_mcast(struct oriel_stack *s, struct timer *t)
{
    struct ip_if *f = CONTAINER_OF(t, struct ip_if, mcast.timer);
    mcast_on_timer(&s->ip, f->nif);
}

static void fire_frag(struct oriel_stack *s, struct timer *t)
{
    struct pkt *first = frag_on_timer(&s->ip.frag, t);
    if (!first)
        return;
    icmp_error(&s->ip, first, ICMP_REASM_TIMEOUT, 0);
    pkt_free(first);
}

static void fire(struct oriel_stack *s, struct timer *t)
{
    switch ((enum timer_kind)t->kind) {
    case TIMER_NEIGH:  neigh_on_timer(&s->ip, CONTAINER_OF(t, struct neigh, timer)); return;
    case TIMER_FRAG:   fire_frag(s, t); return;
    case TIMER_ADDR:   ifaddr_on_timer(&s->ip, CONTAINER_OF(t, struct ifaddr, timer)); return;
    case TIMER_IF:     fire_if(s, t); return;
    case TIMER_ROUTER: slaac_on_timer(&s->ip); return;
    case TIMER_PMTU:   if (pmtu_on_timer(&s->ip.pmtu)) ip_changed(&s->ip); return;
    case TIMER_NAT:    nat_on_timer(&s->ip); return;
    case TIMER_MCAST:  fire_mcast(s, t); return;
    case TIMER_RARP:   rarp_on_timer(&s->ip, CONTAINER_OF(t, struct ip_if, rarp_timer)); return;
    case TIMER_TCP:    tcp_on_timer(&s->tcp, CONTAINER_OF(t, struct tcp_conn, timer.wake)); return;
    case TIMER_TCP_HALF_OPEN: tcp_halfopen_on_timer(&s->tcp); return;
    case TIMER_TCP_TIME_WAIT: tcp_timewait_on_timer(&s->tcp); return;
    case TIMER_TCP_SHORTAGE: tcp_shortage_on_timer(&s->tcp); return;
    case TIMER_TCP_PACE:        /* stands in a wheel of its own */
    case TIMER_NONE:   break;
    }
    ORIEL_ASSERT(t->kind != TIMER_NONE && t->kind != TIMER_TCP_PACE);
}

void stack_timers(struct oriel_stack *s)
{
    struct env *env = &s->env;
    for (struct timer *t; (t = wheel_pop(&env->wheel, env->now)) != NULL;) {
        if (TRACE_ON(env, EV_TIMER)) {
            env->cause = t->cause;
            env->cause = trace_put(env, EV_TIMER, WHY_NONE, DROP_NONE, t->kind, 0, 0, 0);
        }
        fire(s, t);
    }
    env->cause = 0;
}
