/*
 * Packets. The common packet is one block with headroom in front: push and pull move an offset.
 * More slices appear only where payload is shared with a sender's buffer or a long chain arrives.
 */
#include "pkt/pkt.h"

const uint32_t blk_class_bytes[BLK_CLASSES] = {
    [BLK_HEAD] = BLK_HEAD_BYTES,
    [BLK_FRAME] = BLK_FRAME_BYTES,
    [BLK_JUMBO] = 10240 - sizeof(struct blk),
    [BLK_WHOLE] = 66048 - sizeof(struct blk),
    [BLK_STREAM_S] = 512 - sizeof(struct blk),
    [BLK_STREAM_M] = 4096 - sizeof(struct blk),
    [BLK_STREAM_L] = 32768 - sizeof(struct blk),
};

/* ---- memory ---- */

bool pkt_mem_init(struct pkt_mem *m, struct arena *a, size_t bytes)
{
    static const char *const name[BLK_CLASSES] = {"blk.head", "blk.frame", "blk.jumbo",
                                                  "blk.whole", "blk.stream.s", "blk.stream.m",
                                                  "blk.stream.l"};
    static const uint8_t share[BLK_CLASSES] = {10, 45, 5, 15, 2, 3, 20};    /* per cent */
    uint32_t pkts = 0;
    m->ready = NULL;
    m->ready_n = 0;
    for (unsigned c = 0; c < BLK_CLASSES; c++) {
        size_t size = sizeof(struct blk) + blk_class_bytes[c];
        size_t n = bytes / 100 * share[c] / size;
        uint32_t cap = n < 2 ? 2 : n > INT32_MAX ? INT32_MAX : (uint32_t)n;
        if (!pool_init(&m->blks[c], name[c], a, size, cap))
            return false;
        pkts += c < BLK_STREAM ? cap : 0;
    }
    return pool_init(&m->pkts, "pkt", a, sizeof(struct pkt), pkts + pkts / 2);
}

uint32_t pkt_mem_live(const struct pkt_mem *m)
{
    uint32_t n = m->pkts.live - 2 * m->ready_n;
    for (unsigned c = 0; c < BLK_CLASSES; c++)
        n += m->blks[c].live;
    return n;
}

ORIEL_NEVER_INLINE void blk_free(struct blk *b)
{
    pool_put(&b->mem->blks[b->class], b);
}

/* Nobody may look at what is ready. */
static inline void forget(struct pkt *p)
{
    ORIEL_POISON(p->head.blk->bytes, BLK_HEAD_BYTES);
    ORIEL_POISON(&p->head, sizeof(*p) - offsetof(struct pkt, head));
}

static inline void ready_put(struct pkt_mem *m, struct pkt *p)
{
    p->budget = NULL;
    p->next = m->ready;
    m->ready = p;
    m->ready_n++;
    forget(p);
}

/* Take a freed packet and its block apart. */
static void settle_one(struct pkt_mem *m)
{
    struct pkt *p = pkt_ready_take(m);
    blk_put(p->head.blk);
    pool_put(&m->pkts, p);
}

void pkt_mem_settle(struct pkt_mem *m)
{
    while (m->ready)
        settle_one(m);
}

static struct pkt *pkt_get(struct pkt_mem *m)
{
    if (oriel_unlikely(m->ready && m->pkts.live == m->pkts.cap))
        settle_one(m);
    return pool_get(&m->pkts);
}

static struct blk *blk_of_class(struct pkt_mem *m, enum blk_class class)
{
    if (class == BLK_HEAD && m->ready && m->blks[BLK_HEAD].live == m->blks[BLK_HEAD].cap)
        settle_one(m);
    return blk_get(m, class);
}

/* A block of at least n usable bytes: the smallest class that has one. */
static struct blk *blk_new(struct pkt_mem *m, size_t n)
{
    for (unsigned c = 0; c < BLK_STREAM; c++) {
        struct blk *b = blk_class_bytes[c] < n ? NULL : blk_of_class(m, (enum blk_class)c);
        if (b)
            return b;
    }
    return NULL;
}

static uint16_t charge_of(size_t blk_bytes)
{
    return (uint16_t)((blk_bytes + sizeof(struct pkt) + PKT_CHARGE_UNIT - 1) / PKT_CHARGE_UNIT);
}

static uint16_t charge_of_payload(uint32_t bytes)
{
    return (uint16_t)((bytes + PKT_CHARGE_UNIT - 1) / PKT_CHARGE_UNIT);
}

static uint64_t bytes_of(uint16_t charge)
{
    return (uint64_t)charge * PKT_CHARGE_UNIT;
}

/* ---- making and ending ---- */

/* What stands in `more` counts only as far as more_n says. */
static inline void pkt_init(struct pkt *p, const struct env *env, struct slice head,
                            uint16_t charge)
{
    p->next = NULL;
    p->head = head;
    p->arrival = env->now;
    p->ev = 0;
    p->budget = env->budget;
    p->nif = 0;
    p->l4 = 0;
    p->gso_size = 0;
    p->charge = charge;
    p->l3 = 0;
    p->more_n = 0;
    p->csum = CSUM_NONE;
    p->gso = GSO_NONE;
    p->why = WHY_NONE;
    p->flags = 0;
    p->hash = 0;
}

/* A packet around a part of a block, which it owns afterwards; the block is put back on failure. */
static struct pkt *pkt_around(struct env *env, struct slice head, uint16_t charge)
{
    struct pkt *p = NULL;
    if (budget_take(env->budget, bytes_of(charge))) {
        p = pkt_get(env->mem);
        if (!p)
            budget_give(env->budget, bytes_of(charge));
    }
    if (!p) {
        blk_put(head.blk);
        return NULL;
    }
    pkt_init(p, env, head, charge);
    return p;
}

static ORIEL_NEVER_INLINE struct pkt *new_any(struct env *env, size_t headroom, size_t len)
{
    struct blk *b = blk_new(env->mem, headroom + len);
    if (!b)
        return NULL;
    struct slice head = {.blk = b, .off = (uint32_t)headroom, .len = (uint32_t)len};
    return pkt_around(env, head, charge_of(blk_class_bytes[b->class]));
}

/* The same where what is freed lies at hand, as nearly always. NULL: look further. */
static inline struct pkt *new_head(struct env *env, size_t headroom, size_t len)
{
    const uint16_t charge = charge_of(BLK_HEAD_BYTES);
    struct pkt *p = budget_has(env->budget, bytes_of(charge)) ? pkt_ready_take(env->mem) : NULL;
    if (oriel_unlikely(!p))
        return NULL;
    budget_spend(env->budget, bytes_of(charge));
    struct slice head = {p->head.blk, (uint32_t)headroom, (uint32_t)len};
    pkt_init(p, env, head, charge);
    return p;
}

static inline struct pkt *new_frame(struct env *env, size_t headroom, size_t len)
{
    struct pkt_mem *m = env->mem;
    const uint16_t charge = charge_of(BLK_FRAME_BYTES);
    if (oriel_unlikely(!pool_has_freed(&m->blks[BLK_FRAME]) || !pool_has_freed(&m->pkts) ||
                       !budget_has(env->budget, bytes_of(charge))))
        return NULL;
    budget_spend(env->budget, bytes_of(charge));
    struct blk *b = pool_get_freed(&m->blks[BLK_FRAME]);
    struct pkt *p = pool_get_freed(&m->pkts);
    b->mem = m;
    b->refs = 1;
    b->class = BLK_FRAME;
    struct slice head = {b, (uint32_t)headroom, (uint32_t)len};
    pkt_init(p, env, head, charge);
    return p;
}

struct pkt *pkt_new(struct env *env, size_t headroom, size_t len)
{
    const size_t n = headroom + len;
    struct pkt *p = NULL;
    if (n <= BLK_HEAD_BYTES)
        p = new_head(env, headroom, len);
    else if (n <= BLK_FRAME_BYTES)
        p = new_frame(env, headroom, len);
    return oriel_likely(p != NULL) ? p : new_any(env, headroom, len);
}

struct pkt *pkt_new_copy(struct env *env, size_t headroom, struct span data)
{
    struct pkt *p = pkt_new(env, headroom, data.n);
    if (p && data.n > 0)
        memcpy(pkt_data(p), data.p, data.n);
    return p;
}

struct pkt *pkt_new_blk(struct env *env, struct blk *b, uint32_t off, uint32_t len)
{
    struct slice head = {.blk = b, .off = off, .len = len};
    ORIEL_ASSERT(off + len <= blk_class_bytes[b->class] && b->class < BLK_STREAM);
    b->refs++;                  /* one is put back where there is no packet */
    struct pkt *p = pkt_around(env, head, charge_of(blk_class_bytes[b->class]));
    if (p)
        b->refs--;
    return p;
}

static void copy_facts(struct pkt *to, const struct pkt *from)
{
    to->arrival = from->arrival;
    to->ev = from->ev;
    to->nif = from->nif;
    to->l3 = from->l3;
    to->l4 = from->l4;
    to->gso = from->gso;
    to->gso_size = from->gso_size;
    to->csum = from->csum;
    to->why = from->why;
    to->flags = from->flags;
    to->hash = from->hash;
}

#define OF_WHOLE (PKT_CUT | PKT_ACE | PKT_PAYS)        /* flags that are about its payload */

/* What is known of a piece of p that is a packet by itself. */
static void piece_facts(struct pkt *q, const struct pkt *p)
{
    copy_facts(q, p);
    q->flags &= (uint8_t)~OF_WHOLE;
    q->csum = CSUM_NONE;
    q->gso = GSO_NONE;
}

struct pkt *pkt_new_like(struct env *env, const struct pkt *p, size_t n)
{
    ORIEL_ASSERT(n <= p->head.len);
    struct pkt *q = pkt_new(env, n <= BLK_HEAD_BYTES ? BLK_HEAD_BYTES - n : PKT_HEADROOM, n);
    if (!q)
        return NULL;
    memcpy(pkt_data(q), pkt_data(p), n);
    piece_facts(q, p);
    return q;
}

bool pkt_mold_make(struct pkt_mold *m, struct env *env, const struct pkt *p, size_t n,
                   uint32_t payload)
{
    ORIEL_ASSERT(n <= p->head.len);
    if (n > PKT_MOLD_HEAD)
        return false;
    struct slice head = {NULL, (uint32_t)(BLK_HEAD_BYTES - n), (uint32_t)n};
    uint16_t charge = (uint16_t)(charge_of(BLK_HEAD_BYTES) + charge_of_payload(payload));
    pkt_init(&m->form, env, head, charge);
    piece_facts(&m->form, p);
    m->form.flags |= PKT_PAYS;
    m->form.more_n = 1;
    memcpy(m->head + PKT_MOLD_HEAD - n, pkt_data(p), n);
    return true;
}

unsigned pkt_mold_pay(const struct pkt_mold *m, unsigned n)
{
    struct budget *b = m->form.budget;
    uint64_t each = bytes_of(m->form.charge);
    if (oriel_unlikely(!budget_has(b, n * each)))
        n = b->used < b->max ? (unsigned)((b->max - b->used) / each) : 0;
    budget_spend(b, n * each);
    return n;
}

void pkt_mold_repay(const struct pkt_mold *m, unsigned n)
{
    budget_give(m->form.budget, n * bytes_of(m->form.charge));
}

struct pkt *pkt_share(struct env *env, const struct pkt *p)
{
    /* The whole charge: who shares a block may be the last to hold it. */
    struct pkt *q = pkt_around(env, slice_share(p->head), p->charge);
    if (!q)
        return NULL;
    for (unsigned i = 0; i < p->more_n; i++)
        q->more[i] = slice_share(p->more[i]);
    q->more_n = p->more_n;
    copy_facts(q, p);
    return q;
}

struct pkt *pkt_copy(struct env *env, const struct pkt *p, size_t headroom)
{
    size_t n = pkt_len(p);
    struct pkt *q = pkt_new(env, headroom, n);
    if (!q)
        return NULL;
    pkt_read(p, 0, pkt_data(q), n);
    copy_facts(q, p);
    return q;
}

static ORIEL_NEVER_INLINE void free_any(struct pkt *p)
{
    struct blk *b = p->head.blk;
    struct pkt_mem *m = b->mem;
    for (unsigned i = 0; i < p->more_n; i++)
        blk_put(p->more[i].blk);
    if (b->refs == 1 && b->class == BLK_HEAD) {
        ready_put(m, p);
        return;
    }
    blk_put(b);
    pool_put(&m->pkts, p);
}

/* The usual packet has a small head and one slice of payload at most, whose block others hold too. */
static inline bool lets_go_of_nothing(const struct pkt *p)
{
    const struct blk *b = p->head.blk;
    return b->refs == 1 && b->class == BLK_HEAD &&
           (oriel_likely(p->more_n == 1) ? p->more[0].blk->refs > 1 : p->more_n == 0);
}

void pkt_free(struct pkt *p)
{
    ORIEL_ASSERT(p->next == NULL);
    ORIEL_ASSERT(p->budget != NULL);            /* it was freed already */
    budget_give(p->budget, bytes_of(p->charge));
    if (oriel_unlikely(!lets_go_of_nothing(p))) {
        free_any(p);
        return;
    }
    if (p->more_n > 0)
        p->more[0].blk->refs--;
    ready_put(p->head.blk->mem, p);
}

/* As many as are usual and of one budget. The rest, or NULL. */
static struct pkt *free_usual(struct pkt *first)
{
    struct budget *const budget = first->budget;
    struct pkt_mem *const m = first->head.blk->mem;
    struct pkt *p = first, *last = NULL;
    uint64_t charge = 0;
    uint32_t n = 0;
    ORIEL_ASSERT(budget != NULL);               /* it was freed already */
    while (p && p->budget == budget && lets_go_of_nothing(p) && p->head.blk->mem == m) {
        if (p->more_n > 0)
            p->more[0].blk->refs--;
        charge += p->charge;
        p->budget = NULL;
        last = p;
        p = p->next;
        n++;
        forget(last);
    }
    if (n == 0)
        return first;
    budget_give(budget, charge * PKT_CHARGE_UNIT);
    last->next = m->ready;
    m->ready = first;
    m->ready_n += n;
    return p;
}

void pkt_free_chain(struct pkt *first)
{
    while (first) {
        struct pkt *rest = free_usual(first);
        if (rest == first) {
            rest = first->next;
            first->next = NULL;
            pkt_free(first);
        }
        first = rest;
    }
}

void pkt_drop_note(struct env *env, const struct pkt *p, enum drop why)
{
    ORIEL_ASSERT(why != DROP_NONE);
    env->drop_count[why]++;
    if (TRACE_ON(env, EV_PKT_DROP)) {
        uint64_t was = env->cause;
        if (p->ev)
            env->cause = p->ev;
        (void)trace_put(env, EV_PKT_DROP, (enum why)p->why, why, p->nif, pkt_len(p), 0, 0);
        env->cause = was;
    }
}

void pkt_drop(struct env *env, struct pkt *p, enum drop why)
{
    pkt_drop_note(env, p, why);
    pkt_free(p);
}

static_assert(PKT_SLICES_MAX * 32768u / PKT_CHARGE_UNIT < UINT16_MAX / 2, "charges fit 16 bits");

/* What p charges when its payload is charged to it as well. */
static inline uint16_t charge_with_payload(const struct pkt *p)
{
    uint32_t charge = p->charge;
    if (p->flags & PKT_PAYS)
        return p->charge;
    for (unsigned i = 0; i < p->more_n; i++)
        if (p->more[i].blk->class >= BLK_STREAM)
            charge += charge_of_payload(p->more[i].len);
    return (uint16_t)charge;
}

bool pkt_charge_payload(struct pkt *p)
{
    uint16_t charge = charge_with_payload(p);
    if (!budget_take(p->budget, bytes_of((uint16_t)(charge - p->charge))))
        return false;
    p->charge = charge;
    p->flags |= PKT_PAYS;
    return true;
}

bool pkt_recharge(struct pkt *p, struct budget *to)
{
    if (p->budget == to)
        return true;
    uint16_t charge = charge_with_payload(p);
    if (!budget_take(to, bytes_of(charge)))
        return false;
    budget_give(p->budget, bytes_of(p->charge));
    p->budget = to;
    p->charge = charge;
    p->flags |= PKT_PAYS;
    return true;
}

/* ---- bytes ---- */

void pkt_read(const struct pkt *p, size_t from, void *to, size_t n)
{
    ORIEL_ASSERT(from + n <= pkt_len(p));
    uint8_t *out = to;
    const struct slice *s = &p->head;
    for (unsigned i = 0; n > 0; s = &p->more[i++]) {
        if (from >= s->len) {
            from -= s->len;
            continue;
        }
        size_t part = s->len - from < n ? s->len - from : n;
        memcpy(out, s->blk->bytes + s->off + from, part);
        out += part;
        n -= part;
        from = 0;
    }
}

/* Replace all slices by one block that holds the same bytes, with that headroom. */
static bool rebuild(struct env *env, struct pkt *p, size_t headroom, size_t room)
{
    size_t n = pkt_len(p);
    struct blk *b = blk_new(env->mem, headroom + n + room);
    if (!b)
        return false;
    uint16_t charge = charge_of(blk_class_bytes[b->class]);
    if (charge > p->charge && !budget_take(p->budget, bytes_of((uint16_t)(charge - p->charge)))) {
        blk_put(b);
        return false;
    }
    if (charge < p->charge)
        budget_give(p->budget, bytes_of((uint16_t)(p->charge - charge)));
    pkt_read(p, 0, b->bytes + headroom, n);
    blk_put(p->head.blk);
    for (unsigned i = 0; i < p->more_n; i++)
        blk_put(p->more[i].blk);
    p->head = (struct slice){.blk = b, .off = (uint32_t)headroom, .len = (uint32_t)n};
    p->more_n = 0;
    p->charge = charge;
    return true;
}

bool pkt_need_slow(struct env *env, struct pkt *p, size_t n)
{
    return pkt_len(p) >= n && rebuild(env, p, PKT_HEADROOM, 0);
}

bool pkt_linearize_slow(struct env *env, struct pkt *p)
{
    return p->more_n == 0 || rebuild(env, p, p->head.off, 0);
}

/* The payload stays where it is. */
static bool own_head_alone(struct env *env, struct pkt *p)
{
    struct blk *b = blk_new(env->mem, (size_t)p->head.off + p->head.len);
    if (!b)
        return false;
    uint16_t charge = charge_of(blk_class_bytes[b->class]);
    if (charge > p->charge) {
        if (!budget_take(p->budget, bytes_of((uint16_t)(charge - p->charge)))) {
            blk_put(b);
            return false;
        }
        p->charge = charge;
    }
    memcpy(b->bytes + p->head.off, pkt_data(p), p->head.len);
    blk_put(p->head.blk);
    p->head.blk = b;
    return true;
}

bool pkt_own_head(struct env *env, struct pkt *p)
{
    if (oriel_likely(p->head.blk->refs == 1))
        return true;
    return p->more_n > 0 ? own_head_alone(env, p) : rebuild(env, p, p->head.off, 0);
}

uint8_t *pkt_push(struct env *env, struct pkt *p, size_t n)
{
    if (!pkt_has_headroom(p, n) && !rebuild(env, p, PKT_HEADROOM + n, 0))
        return NULL;
    return pkt_push_within(p, n);
}

void pkt_trim_slow(struct pkt *p, size_t n)
{
    if (n < p->head.len)
        p->head.len = (uint32_t)n;
    n -= p->head.len;
    unsigned keep = 0;
    for (unsigned i = 0; i < p->more_n; i++) {
        if (n == 0) {
            blk_put(p->more[i].blk);
            continue;
        }
        if (p->more[i].len > n)
            p->more[i].len = (uint32_t)n;
        n -= p->more[i].len;
        keep++;
    }
    p->more_n = (uint8_t)(keep & 7);
}

bool pkt_extend(struct env *env, struct pkt *p, size_t n)
{
    size_t end = p->head.off + p->head.len;
    bool fits = p->more_n == 0 && p->head.blk->refs == 1 &&
                end + n <= blk_class_bytes[p->head.blk->class];
    if (!fits && !rebuild(env, p, p->head.off, n))
        return false;
    memset(pkt_data(p) + p->head.len, 0, n);
    p->head.len += (uint32_t)n;
    return true;
}

uint32_t pkt_sum(const struct env *env, const struct pkt *p, size_t from, size_t n)
{
    ORIEL_ASSERT(from + n <= pkt_len(p));
    if (oriel_likely(from + n <= p->head.len))
        return csum_span(env->csum, span_of(pkt_data(p) + from, n));
    uint32_t sum = 0;
    bool odd = false;
    const struct slice *s = &p->head;
    for (unsigned i = 0; n > 0; s = &p->more[i++]) {
        if (from >= s->len) {
            from -= s->len;
            continue;
        }
        size_t part = s->len - from < n ? s->len - from : n;
        uint32_t add = csum_span(env->csum, span_of(s->blk->bytes + s->off + from, part));
        sum = odd ? csum_add_odd(sum, add) : csum_add(sum, add);
        odd ^= (part & 1) != 0;
        n -= part;
        from = 0;
    }
    return sum;
}

/* ---- queues ---- */

size_t pkt_queue_bytes(const struct pkt_queue *q)
{
    size_t n = 0;
    for (const struct pkt *p = q->first; p; p = p->next)
        n += pkt_len(p);
    return n;
}

void pkt_queue_free(struct pkt_queue *q)
{
    pkt_free_chain(q->first);
    *q = (struct pkt_queue){.first = NULL};
}

void pkt_queue_drop(struct env *env, struct pkt_queue *q, enum drop why)
{
    for (struct pkt *p; (p = pkt_dequeue(q)) != NULL;)
        pkt_drop(env, p, why);
}
