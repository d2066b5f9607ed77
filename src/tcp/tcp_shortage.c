/*
 * Memory for what is written, and those who were refused for want of it.
 *
 * Who finds the send buffer full is told when an acknowledgement makes room. Who finds no memory, and has
 * nothing under way, would never hear anything: others have to give it back, on connections or stacks of
 * their own. So such a connection is marked, is not writable, and a timer looks for memory as long as there
 * are any of them; they are told in turns, as many as there is something for.
 */
#include "tcp/tcp.h"

#include "base/clock.h"

#define LOOK_NS   (5 * NS_PER_MS)
#define LOOKED_AT 4096u         /* connections a time */
#define PORTION   16384u        /* that each of those who are told may find */

static uint64_t blocks_to_write(const struct pkt_mem *m)
{
    uint64_t n = 0;
    for (unsigned i = BLK_STREAM; i < BLK_CLASSES; i++)
        n += (uint64_t)(m->blks[i].cap - m->blks[i].live) * blk_class_bytes[i];
    return n;
}

uint64_t tcp_memory_to_write(const struct tcp *t, uint32_t held)
{
    const struct budget *b = t->env->budget;
    uint64_t most = b->max - b->max / TCP_WRITE_BUDGET_SHARE;
    uint64_t left = b->used < most ? most - b->used : 0, blocks = blocks_to_write(t->env->mem);
    left = left < blocks ? left : blocks;
    return left > held ? (left - held + 1) / 2 : 0;
}

void tcp_shortage_init(struct tcp *t)
{
    timer_init(&t->shortage.timer, TIMER_TCP_SHORTAGE);
}

void tcp_starve(struct tcp *t, struct tcp_conn *c)
{
    if (c->is & TCP_IS_STARVED)
        return;
    c->is |= TCP_IS_STARVED;
    t->shortage.n++;
    if (!timer_armed(&t->shortage.timer))
        env_arm_in(t->env, &t->shortage.timer, LOOK_NS);
}

void tcp_starves_no_more(struct tcp *t, struct tcp_conn *c)
{
    if (!(c->is & TCP_IS_STARVED))
        return;
    c->is &= ~(uint32_t)TCP_IS_STARVED;
    t->shortage.n--;
}

/* The next to be looked at; NULL: nobody is there. */
static struct tcp_conn *next(struct tcp *t)
{
    uint32_t i = t->shortage.at < t->conns.fresh ? t->shortage.at : 0;
    t->shortage.at = i + 1;
    return pool_is_live(&t->conns, i) ? tcp_conn_at(t, i) : NULL;
}

void tcp_shortage_on_timer(struct tcp *t)
{
    uint64_t bytes = tcp_memory_to_write(t, 0), portions = bytes / PORTION;
    if (portions == 0 && bytes > 0)
        portions = 1;           /* of a small stack all that is left may be less, for good */
    for (uint32_t i = 0; i < LOOKED_AT && i < t->conns.fresh && portions > 0 && t->shortage.n > 0; i++) {
        struct tcp_conn *c = next(t);
        if (!c || !(c->is & TCP_IS_STARVED))
            continue;
        tcp_starves_no_more(t, c);
        tcp_mark_dirty(t, c);
        portions--;
    }
    if (t->shortage.n > 0)
        env_arm_in(t->env, &t->shortage.timer, LOOK_NS);
}
