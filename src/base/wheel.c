/*
 * A hierarchical timing wheel (Varghese and Lauck) that is exact.
 *
 * Where a timer stands. `now` is the wheel's position. A timer whose tick (2^16 ns) is the current
 * one or past stands in `due`, sorted. Any other stands at the level of the highest group of six
 * bits in which its deadline differs from `now`, in the slot that its deadline has in that group.
 * It follows that within a level every busy slot lies after the position, without wrapping; that
 * all of a level comes before all of the levels above it; and that `now` may move to any moment up
 * to the start of the first busy slot without a timer having to move. So the wheel never ticks: it
 * finds the first busy slot with two bit scans and jumps there.
 *
 * When a slot's time has come its timers are placed again, now nearer: at most once a level for
 * each. Those of the current tick are merge-sorted into `due`, all at once.
 *
 * Putting off. Moving an armed timer later writes its deadline and no more. It stays linked under
 * its old deadline, which is early and therefore safe, and is placed again when that comes up.
 *
 * The earliest deadline, exactly. When nothing is due, `next` is the least deadline of the first
 * busy slot, which may hold a hundred thousand timers for a far moment. Slots therefore keep their
 * lists in order of deadline as long as that costs nothing: a timer goes to the tail, or a few
 * places before it, which is where equal timeouts armed one after the other belong. A list that got
 * out of order all the same is marked jumbled, and sorted when it is the first and is asked; the
 * sort takes runs as they are, so that a list with one stray costs one pass. After it the least is
 * the head, and a head that was put off or cancelled costs one step.
 */
#include "base/wheel.h"

#define GROUP_BITS 6
#define SLOT_MASK  ((uint64_t)WHEEL_SLOTS - 1)
#define NEAR_TAIL  8        /* places that a timer may stand before the tail of its slot */
#define SORT_BINS  32       /* bin i holds 2^i runs */

static_assert(WHEEL_SLOTS == 1 << GROUP_BITS, "a slot is a group of bits");
static_assert(WHEEL_TICK_SHIFT + WHEEL_LEVELS * GROUP_BITS == 64, "all of time is covered");
static_assert(WHEEL_SLOTS == 64, "a level's busy slots are a word");

static struct timer *timer_of(struct list *n)
{
    return CONTAINER_OF(n, struct timer, node);
}

static uint64_t tick_of(oriel_time t)
{
    return t >> WHEEL_TICK_SHIFT;
}

static bool is_before(struct list *a, struct list *b)
{
    const struct timer *x = timer_of(a);
    const struct timer *y = timer_of(b);
    return x->deadline != y->deadline ? x->deadline < y->deadline : x->order < y->order;
}

void wheel_init(struct wheel *w, oriel_time now)
{
    *w = (struct wheel){.now = now, .next = ORIEL_NEVER};
    list_init(&w->due);
    for (unsigned level = 0; level < WHEEL_LEVELS; level++)
        for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
            list_init(&w->slot[level][slot]);
}

/* ---- sorting a list ---- */

/* Two chains, linked by `next` and ended by NULL, become one; of equals, a's come first. */
static struct list *merge(struct list *a, struct list *b)
{
    struct list *first = NULL;
    struct list **end = &first;
    while (a && b) {
        struct list **lesser = is_before(b, a) ? &b : &a;
        *end = *lesser;
        end = &(*lesser)->next;
        *lesser = *end;
    }
    *end = a ? a : b;
    return first;
}

/* Cut the longest run in order off the front of *chain. */
static struct list *take_run(struct list **chain)
{
    struct list *run = *chain;
    struct list *last = run;
    while (last->next && !is_before(last->next, last))
        last = last->next;
    *chain = last->next;
    last->next = NULL;
    return run;
}

static void relink(struct list *l, struct list *chain)
{
    list_init(l);
    for (struct list *n = chain; n != NULL;) {
        struct list *next = n->next;
        n->next = l;
        n->prev = l->prev;
        l->prev->next = n;
        l->prev = n;
        n = next;
    }
}

/* Merge sort from the bottom up over natural runs. Stable; O(n log runs). */
static void sort(struct list *l)
{
    struct list *bin[SORT_BINS] = {NULL};
    struct list *chain = list_first(l);
    l->prev->next = NULL;
    while (chain) {
        struct list *run = take_run(&chain);
        unsigned i = 0;
        for (; i < SORT_BINS - 1 && bin[i]; i++) {
            run = merge(bin[i], run);
            bin[i] = NULL;
        }
        bin[i] = bin[i] ? merge(bin[i], run) : run;
    }
    for (unsigned i = 0; i < SORT_BINS; i++)
        chain = bin[i] ? merge(bin[i], chain) : chain;
    relink(l, chain);
}

/* ---- linking ---- */

/* Insert in order, from the tail. False, and at the tail, when that took more than `steps`. */
static bool insert_in_order(struct list *l, struct list *n, uint32_t steps)
{
    struct list *after = l->prev;
    for (; after != l && is_before(n, after); after = after->prev) {
        if (steps-- == 0) {
            list_push_back(l, n);
            return false;
        }
    }
    list_insert_after(after, n);
    return true;
}

static void link_due(struct wheel *w, struct timer *t)
{
    t->level = WHEEL_DUE;
    insert_in_order(&w->due, &t->node, UINT32_MAX);
}

static void link_slot(struct wheel *w, struct timer *t)
{
    unsigned level = bit_highest(tick_of(t->deadline ^ w->now)) / GROUP_BITS;
    unsigned slot = (t->deadline >> (WHEEL_TICK_SHIFT + level * GROUP_BITS)) & SLOT_MASK;
    uint64_t bit = BIT64(slot);
    t->level = (uint8_t)level;
    t->slot = (uint8_t)slot;
    w->busy[level] |= bit;
    if (w->jumbled[level] & bit)
        list_push_back(&w->slot[level][slot], &t->node);
    else if (!insert_in_order(&w->slot[level][slot], &t->node, NEAR_TAIL))
        w->jumbled[level] |= bit;
}

static bool is_current(const struct wheel *w, const struct timer *t)
{
    return tick_of(t->deadline) <= tick_of(w->now);
}

static void link_timer(struct wheel *w, struct timer *t)
{
    t->put_off = false;
    if (is_current(w, t))
        link_due(w, t);
    else
        link_slot(w, t);
}

static void unlink_timer(struct wheel *w, struct timer *t)
{
    list_remove(&t->node);
    if (t->level == WHEEL_DUE)
        return;
    if (list_empty(&w->slot[t->level][t->slot])) {
        w->busy[t->level] &= ~BIT64(t->slot);
        w->jumbled[t->level] &= ~BIT64(t->slot);
    }
}

/* ---- arming ---- */

void wheel_arm(struct wheel *w, struct timer *t, oriel_time deadline, uint64_t cause)
{
    if (deadline == ORIEL_NEVER) {
        wheel_cancel(w, t);
        return;
    }
    t->cause = cause;
    t->order = w->order++;
    if (timer_armed(t) && t->level != WHEEL_DUE && deadline >= t->deadline) {
        t->deadline = deadline;
        t->put_off = true;
        return;
    }
    if (timer_armed(t))
        unlink_timer(w, t);
    else
        w->armed++;
    t->deadline = deadline;
    link_timer(w, t);
    if (deadline < w->next)
        w->next = deadline;
}

void wheel_cancel(struct wheel *w, struct timer *t)
{
    if (timer_armed(t)) {
        ORIEL_ASSERT(w->armed > 0);
        unlink_timer(w, t);
        w->armed--;
        if (w->armed == 0)
            w->next = ORIEL_NEVER;
    }
    t->deadline = ORIEL_NEVER;
}

/* ---- running ---- */

struct place {
    unsigned level;
    unsigned slot;
    oriel_time start;
};

/* The busy slot that comes first. False when there is none. */
static bool first_busy(const struct wheel *w, struct place *out)
{
    unsigned level = 0;
    while (level < WHEEL_LEVELS && w->busy[level] == 0)
        level++;
    if (level == WHEEL_LEVELS)
        return false;
    unsigned shift = WHEEL_TICK_SHIFT + level * GROUP_BITS;
    unsigned slot = bit_lowest(w->busy[level]);
    oriel_time start = ((w->now >> shift & ~SLOT_MASK) | slot) << shift;
    ORIEL_ASSERT(start > w->now);
    *out = (struct place){.level = level, .slot = slot, .start = start};
    return true;
}

/* Go to a slot whose time has come and place its timers again. Nothing else is due. */
static void open_slot(struct wheel *w, const struct place *at)
{
    ORIEL_ASSERT(list_empty(&w->due));
    w->now = at->start;
    w->busy[at->level] &= ~BIT64(at->slot);
    w->jumbled[at->level] &= ~BIT64(at->slot);
    bool in_order = true;
    LIST_EACH(n, &w->slot[at->level][at->slot]) {
        struct timer *t = timer_of(n);
        list_remove(n);
        t->put_off = false;
        if (!is_current(w, t)) {
            link_slot(w, t);
            continue;
        }
        t->level = WHEEL_DUE;
        in_order = in_order && (list_empty(&w->due) || !is_before(n, w->due.prev));
        list_push_back(&w->due, n);
    }
    if (!in_order)
        sort(&w->due);
}

/* Bring a jumbled slot in order, by the deadlines as they are now. */
static void tidy(struct wheel *w, const struct place *at)
{
    struct list *l = &w->slot[at->level][at->slot];
    LIST_EACH(n, l)
        timer_of(n)->put_off = false;
    sort(l);
    w->jumbled[at->level] &= ~BIT64(at->slot);
}

/* Still in the slot that its deadline asks for? A timer that was put off may have outgrown it. */
static bool is_at_home(const struct timer *t, const struct place *at)
{
    unsigned shift = WHEEL_TICK_SHIFT + at->level * GROUP_BITS;
    return !t->put_off && t->deadline >> shift == at->start >> shift;
}

/* Nothing is due at `now`: the earliest deadline of all, exactly. */
static oriel_time settle(struct wheel *w)
{
    struct place at;
    while (first_busy(w, &at)) {
        if (w->jumbled[at.level] & BIT64(at.slot))
            tidy(w, &at);
        struct timer *head = timer_of(list_first(&w->slot[at.level][at.slot]));
        if (is_at_home(head, &at))
            return head->deadline;
        unlink_timer(w, head);
        link_timer(w, head);
    }
    return ORIEL_NEVER;
}

/* Open slots until something stands in `due` or the next slot is in the future. */
static struct timer *first_due(struct wheel *w, oriel_time now)
{
    struct place at;
    while (list_empty(&w->due) && first_busy(w, &at) && at.start <= now)
        open_slot(w, &at);
    struct list *n = list_first(&w->due);
    return n ? timer_of(n) : NULL;
}

struct timer *wheel_pop_slow(struct wheel *w, oriel_time now)
{
    ORIEL_ASSERT(now >= w->now);
    struct timer *t = first_due(w, now);
    if (!t || t->deadline > now) {
        w->now = now;
        w->next = t ? t->deadline : settle(w);
        return NULL;
    }
    ORIEL_ASSERT(w->armed > 0);
    unlink_timer(w, t);
    w->armed--;
    w->next = w->armed > 0 ? t->deadline : ORIEL_NEVER;
    return t;
}
