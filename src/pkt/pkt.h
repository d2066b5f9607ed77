/*
 * Packets: who owns bytes.
 *
 *   blk    reference-counted storage from a pool of one of seven sizes; it knows where it came from
 *   slice  a reference to part of a block; each holds one reference
 *   pkt    a head slice with headroom before it, up to four payload slices, and what is known
 *          about the packet; 128 bytes
 *
 * A packet has exactly one owner. *_input, *_output and *_queue consume it on every path; everything
 * else borrows. Blocks may be shared (retransmission, the application, a switch that floods): a
 * shared block is never written to.
 *
 * Headers are contiguous in the head: pkt_need pulls them together once, at the layer that reads
 * them. Reference counts are plain integers: one thread.
 *
 * Pools may be shared by the stacks of one thread. What a stack holds is charged to its budget by
 * true sizes; pkt_recharge moves a packet to another one, at a link.
 */
#ifndef ORIEL_PKT_PKT_H
#define ORIEL_PKT_PKT_H

#include "trace/env.h"

#define PKT_SLICES_MAX 4
#define PKT_CHARGE_UNIT 256     /* bytes */
#define PKT_HEADROOM   192      /* what a sender leaves for headers of all layers below it */

enum blk_class {
    BLK_HEAD,           /* headers, control packets */
    BLK_FRAME,          /* one frame of 1,500 */
    BLK_JUMBO,          /* one frame of 9,000 */
    BLK_WHOLE,          /* the largest IP datagram */
    BLK_STREAM_S,       /* of streams alone (stream.h): a few bytes */
    BLK_STREAM_M,       /* two segments of 1,460 */
    BLK_STREAM_L,       /* twenty-two */
    BLK_CLASSES
};

#define BLK_STREAM BLK_STREAM_S /* the first class that only streams have */


struct blk {
    struct pkt_mem *mem;
    uint32_t refs;
    uint32_t class;     /* enum blk_class; blk_class_bytes[class] bytes follow */
    uint8_t bytes[];
};

extern const uint32_t blk_class_bytes[BLK_CLASSES];    /* usable bytes of each */

#define BLK_HEAD_BYTES  (256 - sizeof(struct blk))
#define BLK_FRAME_BYTES (2048 - sizeof(struct blk))

struct slice {
    struct blk *blk;
    uint32_t off;
    uint32_t len;
};

enum pkt_csum {         /* of the transport's checksum */
    CSUM_NONE,          /* as it stands in the bytes; nobody has checked */
    CSUM_VERIFIED,      /* the link vouches for it */
    CSUM_PARTIAL,       /* the field holds the pseudo-header's sum; pkt_seal finishes it, at the
                         * bottom or before somebody changes what it covers */
};

/*
 * A super-segment: one header and the payload of several segments, gso_size bytes each but the last;
 * at most 65,535 bytes from the network header on. The link cuts it, or takes it whole. Until then
 * its lengths may be wrong and its checksum field means nothing (p->csum is not looked at).
 */
enum pkt_gso {
    GSO_NONE,
    GSO_TCP4,
    GSO_TCP6,
    GSO_UDP,
};

enum pkt_flag {
    PKT_L2_BCAST = 1,   /* it came to the link's broadcast address */
    PKT_L2_MCAST = 2,
    PKT_FORWARDED = 4,
    PKT_LOOPED = 8,     /* it never left this host */
    PKT_NO_NAT = 16,
    PKT_CUT = 32,       /* a super-segment whose first pieces have left */
    PKT_ACE = 64,       /* a super-segment whose CWR flag is part of a counter (RFC 9768) */
    PKT_PAYS = 128,     /* its payload in a stream's blocks is charged to it */
};

struct budget {
    uint64_t used;      /* bytes, by true sizes */
    uint64_t max;
    uint64_t peak;
    uint64_t refused;
};

struct pkt {
    struct pkt *next;           /* on a queue; the owner's */
    struct slice head;          /* headers, and payload that arrived with them */
    struct slice more[PKT_SLICES_MAX];
    oriel_time arrival;         /* when the link gave it to us */
    uint64_t ev;                /* event that describes its last step */
    struct budget *budget;
    uint16_t nif;               /* interface index: it came from, or is to leave by */
    uint16_t l4;                /* offset of the transport header in the head */
    uint16_t gso_size;          /* payload bytes a segment when gso is set */
    uint16_t charge;            /* what is charged, in PKT_CHARGE_UNITs */
    uint8_t l3;                 /* offset of the network header in the head */
    uint8_t more_n : 3;
    uint8_t csum : 2;           /* enum pkt_csum */
    uint8_t gso : 3;            /* enum pkt_gso */
    uint8_t why;                /* enum why: why it was sent; 0 on what arrived */
    uint8_t flags;              /* enum pkt_flag */
    uint32_t hash;              /* of its flow, where somebody computed it */
};

static_assert(sizeof(struct pkt) <= 128, "a packet is two cache lines");

/* From there on a packet is told by, before that stands what it holds. */
#define PKT_FACTS offsetof(struct pkt, arrival)

/*
 * What packets that came in one train have in common, taken together to be compared at once: all that is
 * known of them but bytes, moment, event, and flow.
 */
struct pkt_kind {
    uint64_t sizes;             /* nif, l4, gso_size, charge */
    uint32_t rest;              /* l3, more_n, csum, gso, why, flags */
};

static_assert(offsetof(struct pkt, l3) == offsetof(struct pkt, nif) + 8 &&
              offsetof(struct pkt, hash) == offsetof(struct pkt, l3) + 4, "read as two words");

static inline struct pkt_kind pkt_kind_of(const struct pkt *p)
{
    struct pkt_kind k;
    memcpy(&k.sizes, &p->nif, sizeof(k.sizes));
    memcpy(&k.rest, &p->l3, sizeof(k.rest));
    return k;
}

static inline bool pkt_is_of(const struct pkt *p, struct pkt_kind k)
{
    struct pkt_kind own = pkt_kind_of(p);
    return own.sizes == k.sizes && own.rest == k.rest;
}

struct pkt_queue {
    struct pkt *first;
    struct pkt *last;
    uint32_t n;
};

/*
 * A freed packet keeps its head where that is a small block and nobody else's: what is sent next most
 * often wants both. Where either runs short, `ready` is taken apart again.
 */
struct pkt_mem {
    struct pkt *ready;          /* by `next`; each with a block of BLK_HEAD as head, refs 1 */
    uint32_t ready_n;
    struct pool pkts;
    struct pool blks[BLK_CLASSES];
};

/* Carve pools out of the arena: `bytes` in all. False when that is too little for a few packets. */
bool pkt_mem_init(struct pkt_mem *m, struct arena *a, size_t bytes);

/* Packets and blocks alive: zero when nothing is under way. */
uint32_t pkt_mem_live(const struct pkt_mem *m);

/* Whatever was freed goes back to its pool. */
void pkt_mem_settle(struct pkt_mem *m);

/* It is to be used again. */
static inline void pkt_ready_wake(struct pkt *p)
{
    ORIEL_UNPOISON(p, sizeof(*p));
    ORIEL_UNPOISON(p->head.blk->bytes, BLK_HEAD_BYTES);
}

/* A freed packet with its block, contents undefined; NULL: none is ready. */
static inline struct pkt *pkt_ready_take(struct pkt_mem *m)
{
    struct pkt *p = m->ready;
    if (oriel_unlikely(!p))
        return NULL;
    pkt_ready_wake(p);
    m->ready = p->next;
    m->ready_n--;
    return p;
}

/* ---- blocks, for who holds bytes that are no packet ---- */

/* A block of that class, one reference held. NULL: none is left. */
static inline struct blk *blk_get(struct pkt_mem *m, enum blk_class class)
{
    struct blk *b = pool_get(&m->blks[class]);
    if (oriel_likely(b != NULL)) {
        b->mem = m;
        b->refs = 1;
        b->class = class;
    }
    return b;
}

void blk_free(struct blk *b);   /* its last reference is gone */

/* Let go of a reference. */
static inline void blk_put(struct blk *b)
{
    ORIEL_ASSERT(b->refs > 0);
    if (--b->refs == 0)
        blk_free(b);
}

static inline struct slice slice_share(struct slice s)
{
    s.blk->refs++;
    return s;
}

static inline bool budget_has(const struct budget *b, uint64_t bytes)
{
    return oriel_likely(b->used + bytes <= b->max);
}

static inline void budget_spend(struct budget *b, uint64_t bytes)
{
    b->used += bytes;
    if (b->used > b->peak)
        b->peak = b->used;
}

/* False, counted, when it is used up. */
static inline bool budget_take(struct budget *b, uint64_t bytes)
{
    if (oriel_unlikely(!budget_has(b, bytes))) {
        b->refused++;
        return false;
    }
    budget_spend(b, bytes);
    return true;
}

static inline void budget_give(struct budget *b, uint64_t bytes)
{
    ORIEL_ASSERT(b->used >= bytes);
    b->used -= bytes;
}

/* ---- making and ending ---- */

/*
 * A packet with room for `headroom` bytes before and `len` bytes of data behind it (contents
 * undefined, length len). NULL when a pool or the budget is exhausted, counted there.
 */
struct pkt *pkt_new(struct env *env, size_t headroom, size_t len);
struct pkt *pkt_new_copy(struct env *env, size_t headroom, struct span data);

/*
 * A packet of len bytes of a block that the caller filled, from off on: it takes the caller's reference.
 * NULL as pkt_new, and the reference stays the caller's.
 */
struct pkt *pkt_new_blk(struct env *env, struct blk *b, uint32_t off, uint32_t len);

/*
 * A packet whose head is a copy of the first n bytes of p's, with no payload; all that is known of p
 * is known of it, except that it is whole (GSO_NONE) and its checksum as it stands. NULL as pkt_new.
 */
struct pkt *pkt_new_like(struct env *env, const struct pkt *p, size_t n);

/*
 * Many such packets, each with one slice of payload: their headers end where their block does and are
 * in a mold, to be made once.
 */
#define PKT_MOLD_HEAD 128

struct pkt_mold {
    struct pkt form;            /* head.off and head.len are of each of them */
    uint8_t head[PKT_MOLD_HEAD];        /* the headers, up to its end */
};

/*
 * False: n bytes of headers are too many for a mold. Each packet is charged for its `payload` as well:
 * it is about to leave (PKT_PAYS).
 */
bool pkt_mold_make(struct pkt_mold *m, struct env *env, const struct pkt *p, size_t n,
                   uint32_t payload);

/* How many of n packets of that mold can be paid for; that is done. What is not cast is given back. */
unsigned pkt_mold_pay(const struct pkt_mold *m, unsigned n);
void pkt_mold_repay(const struct pkt_mold *m, unsigned n);

/* What is written into each of them, at hand while many are cast. */
struct pkt_cast {
    struct bytes64 far, near;   /* the mold's head; the second half ends it */
    struct bytes16 fact[2];     /* of its form, from PKT_FACTS on */
    uint64_t last_fact;
    uint32_t off, len;          /* of the packet's head */
};

static_assert(PKT_MOLD_HEAD == 2 * sizeof(struct bytes64) &&
              sizeof(struct pkt) - PKT_FACTS == 2 * sizeof(struct bytes16) + sizeof(uint64_t),
              "all of a mold is in a cast");

static ORIEL_ALWAYS_INLINE void pkt_cast_begin(struct pkt_cast *k, const struct pkt_mold *m)
{
    const uint8_t *facts = (const uint8_t *)&m->form + PKT_FACTS;
    bytes64_load(&k->far, m->head);
    bytes64_load(&k->near, m->head + sizeof(k->far));
    bytes16_load(&k->fact[0], facts);
    bytes16_load(&k->fact[1], facts + 16);
    memcpy(&k->last_fact, facts + 32, sizeof(k->last_fact));
    k->off = m->form.head.off;
    k->len = m->form.head.len;
}

/* Headers of at most that many bytes are all in the second half. */
#define PKT_CAST_NEAR 64

/* One of them, paid for, out of a freed packet. `all`: the whole head of the mold is wanted. */
static ORIEL_ALWAYS_INLINE void pkt_cast_into(struct pkt *p, const struct pkt_cast *k, bool all,
                                              struct slice payload)
{
    uint8_t *const end = p->head.blk->bytes + BLK_HEAD_BYTES, *facts = (uint8_t *)p + PKT_FACTS;
    p->next = NULL;
    p->head.off = k->off;
    p->head.len = k->len;
    p->more[0] = payload;
    bytes16_store(&k->fact[0], facts);
    bytes16_store(&k->fact[1], facts + 16);
    memcpy(facts + 32, &k->last_fact, sizeof(k->last_fact));
    if (all)
        bytes64_store(&k->far, end - PKT_MOLD_HEAD);
    bytes64_store(&k->near, end - PKT_CAST_NEAR);
}

/* The same bytes, shared; all that is known about it copied. NULL as pkt_new. */
struct pkt *pkt_share(struct env *env, const struct pkt *p);

/* The same bytes, copied and contiguous, with that headroom. NULL as pkt_new. */
struct pkt *pkt_copy(struct env *env, const struct pkt *p, size_t headroom);

void pkt_free(struct pkt *p);                                   /* its work is done */
void pkt_free_chain(struct pkt *first);         /* of all that are linked by `next`; NULL: of none */
void pkt_drop(struct env *env, struct pkt *p, enum drop why);   /* counted and traced, then freed */

/* Count and trace a drop of something that was never a packet of ours, or lives on. */
void pkt_drop_note(struct env *env, const struct pkt *p, enum drop why);

/*
 * Payload in a stream's blocks is charged to the stream as long as it is not acknowledged. Who takes p
 * for itself (another stack, the receiver in this one) charges p with it, by its length. False,
 * nothing changed: the budget is full. Doing so twice makes no difference.
 */
bool pkt_charge_payload(struct pkt *p);

/* Move what p charges to another budget, with its payload. False, nothing changed, when that is full. */
bool pkt_recharge(struct pkt *p, struct budget *to);

/* ---- bytes ---- */

static inline size_t pkt_len(const struct pkt *p)
{
    size_t n = p->head.len;
    if (oriel_unlikely(p->more_n > 0)) {
        n += p->more[0].len;
        for (unsigned i = 1; oriel_unlikely(i < p->more_n); i++)
            n += p->more[i].len;
    }
    return n;
}

static inline uint8_t *pkt_data(const struct pkt *p)
{
    return p->head.blk->bytes + p->head.off;
}

/* The contiguous head. */
static inline struct span pkt_span(const struct pkt *p)
{
    return span_of(pkt_data(p), p->head.len);
}

static inline struct rd pkt_rd(const struct pkt *p, size_t from)
{
    ORIEL_ASSERT(from <= p->head.len);
    return rd_of(span_of(pkt_data(p) + from, p->head.len - from));
}

/* The first n bytes are contiguous afterwards. False: the packet is shorter, or no memory. */
bool pkt_need_slow(struct env *env, struct pkt *p, size_t n);

static inline bool pkt_need(struct env *env, struct pkt *p, size_t n)
{
    return oriel_likely(p->head.len >= n) || pkt_need_slow(env, p, n);
}

/* All bytes contiguous. */
bool pkt_linearize_slow(struct env *env, struct pkt *p);

static inline bool pkt_linearize(struct env *env, struct pkt *p)
{
    return oriel_likely(p->more_n == 0) || pkt_linearize_slow(env, p);
}

/* The head may be written to afterwards: copied when its block is shared. False: no memory. */
bool pkt_own_head(struct env *env, struct pkt *p);

/* n more bytes in front (a header), to be written by the caller. NULL: no headroom and no memory. */
uint8_t *pkt_push(struct env *env, struct pkt *p, size_t n);

/* May n bytes be put in front without further ado? */
static inline bool pkt_has_headroom(const struct pkt *p, size_t n)
{
    return oriel_likely(p->head.off >= n && p->head.blk->refs == 1);
}

/* The same as pkt_push where that is so. */
static inline uint8_t *pkt_push_within(struct pkt *p, size_t n)
{
    p->head.off -= (uint32_t)n;
    p->head.len += (uint32_t)n;
    p->l3 = (uint8_t)(p->l3 + n);
    p->l4 = (uint16_t)(p->l4 + n);
    return pkt_data(p);
}

/* Take n bytes off the front; they must be in the head. l3 and l4 offsets follow. */
static inline void pkt_pull(struct pkt *p, size_t n)
{
    ORIEL_ASSERT(n <= p->head.len);
    p->head.off += (uint32_t)n;
    p->head.len -= (uint32_t)n;
    p->l3 = (uint8_t)(p->l3 > n ? p->l3 - n : 0);
    p->l4 = (uint16_t)(p->l4 > n ? p->l4 - n : 0);
}

/* Take the link's header, n bytes, off the front: there is the network header then. */
static inline void pkt_unwrap(struct pkt *p, size_t n)
{
    ORIEL_ASSERT(n <= p->head.len);
    p->head.off += (uint32_t)n;
    p->head.len -= (uint32_t)n;
    p->l3 = 0;
    p->l4 = 0;
}

/* Shorten to n bytes. */
void pkt_trim_slow(struct pkt *p, size_t n);

static inline void pkt_trim(struct pkt *p, size_t n)
{
    if (oriel_unlikely(p->more_n > 0))
        pkt_trim_slow(p, n);
    else if (n < p->head.len)
        p->head.len = (uint32_t)n;
}

/* n more bytes at the end of a packet of one slice, zeroed. False: no room and no memory. */
bool pkt_extend(struct env *env, struct pkt *p, size_t n);

/* Copy n bytes from `from` on; the packet is at least that long. */
void pkt_read(const struct pkt *p, size_t from, void *to, size_t n);

/* Internet sum of n bytes from `from` on, all of them read. */
uint32_t pkt_sum(const struct env *env, const struct pkt *p, size_t from, size_t n);

/* ---- queues ---- */

static inline void pkt_enqueue(struct pkt_queue *q, struct pkt *p)
{
    ORIEL_ASSERT(p->next == NULL && q->last != p);
    if (q->last)
        q->last->next = p;
    else
        q->first = p;
    q->last = p;
    q->n++;
}

/* NULL when empty. */
static inline struct pkt *pkt_dequeue(struct pkt_queue *q)
{
    struct pkt *p = q->first;
    if (!p)
        return NULL;
    q->first = p->next;
    if (!q->first)
        q->last = NULL;
    p->next = NULL;
    q->n--;
    return p;
}

size_t pkt_queue_bytes(const struct pkt_queue *q);      /* of all that wait; it walks */
void pkt_queue_free(struct pkt_queue *q);
void pkt_queue_drop(struct env *env, struct pkt_queue *q, enum drop why);

#endif
