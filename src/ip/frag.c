/*
 * Reassembly (RFC 791, 3.2; RFC 815 for the problem; RFC 8200, 4.5; RFC 5722 for overlaps).
 *
 * The classic answer is a list of holes or of fragments, and the classic attack makes it long. Here
 * nothing is a list: data goes straight to its place in one block, and two bitmaps of 8-byte units
 * say which units have come and which of them began a fragment. A fragment is an exact copy of an
 * earlier one when its units are all there, only the first of them began a fragment, whatever
 * follows did not belong to the same one, and the bytes are the same. Anything else that meets
 * units that are there is an overlap: two readers could disagree about the datagram, so nobody gets
 * it. The work for a fragment depends on its own length alone.
 *
 * The block begins as small as its first fragment allows and moves to a larger one at most twice:
 * most fragmented datagrams are 8 KB or less, and 64 KB for each would let a sender of 8-byte
 * fragments use up memory eight thousand times faster than it sends.
 *
 * Contradictions about the end of a datagram (two last fragments, or one before data that has come)
 * abandon it like overlaps do. An abandoned record holds no data; it stays so that the rest of the
 * datagram does not begin a new one. Checksums of the fragments' headers were checked by the caller
 * and have no meaning for the whole.
 *
 * All records live equally long, so the list by age is also the order in which they expire.
 */
#include "ip/frag.h"

#define UNITS      8192u                /* of 8 bytes, in the largest datagram */
#define UNIT_WORDS (UNITS / 64)

enum ecn {                              /* RFC 3168, 5 */
    ECN_NOT = 0,
    ECN_CE = 3,
};

struct units {
    uint64_t w[UNIT_WORDS];
};

struct head {                           /* what fragment zero had before its data */
    uint8_t bytes[FRAG_HDR_MAX];        /* IPv6: with the fragment header */
    uint16_t len;                       /* without it */
    uint16_t next_at;
    uint8_t next;
};

struct frag_rec {
    struct list node;                   /* of the table, oldest first */
    struct timer timer;
    struct frag_key key;
    struct pkt *data;                   /* from offset 0 on; NULL: abandoned, or just made */
    uint32_t seen;                      /* the largest offset that any fragment reached */
    uint32_t total;                     /* bytes of data; 0: the last fragment has not come */
    uint32_t held;                      /* bytes that have come */
    uint16_t zero_len;                  /* data of fragment zero; 0: it has not come */
    uint8_t ecn;                        /* a bit for each codepoint that has come */
    bool abandoned;                     /* holds no data any more, and takes none */
    struct head head;
    struct units have;
    struct units starts;                /* units that began a fragment */
};

bool frag_init(struct frag_table *t, struct env *env, struct arena *a, uint32_t recs_max,
               uint64_t bytes_max)
{
    *t = (struct frag_table){.env = env, .bytes_max = bytes_max};
    list_init(&t->by_age);
    t->id_key = siphash_derive(env->seed, "fragment identification");
    t->id_clock = arena_take(a, FRAG_ID_CLOCKS * sizeof(*t->id_clock));
    for (uint32_t i = 0; t->id_clock && i < FRAG_ID_CLOCKS; i++)
        t->id_clock[i] = (uint32_t)rng_u64(&env->rng);
    return t->id_clock && pool_init(&t->recs, "frag", a, sizeof(struct frag_rec), recs_max) &&
           hmap_init(&t->map, a, recs_max) && hmap_init(&t->by_src, a, recs_max);
}

/* ---- units ---- */

/* The bits of word i that stand for units from..to-1. */
static uint64_t unit_bits(unsigned i, unsigned from, unsigned to)
{
    unsigned lo = from > i * 64 ? from - i * 64 : 0;
    unsigned hi = to < (i + 1) * 64 ? to - i * 64 : 64;
    ORIEL_ASSERT(lo < hi);
    return (UINT64_MAX << lo) & (UINT64_MAX >> (64 - hi));
}

static void units_set(struct units *u, unsigned from, unsigned to)
{
    for (unsigned i = from / 64; i * 64 < to; i++)
        u->w[i] |= unit_bits(i, from, to);
}

static bool units_any(const struct units *u, unsigned from, unsigned to)
{
    for (unsigned i = from / 64; i * 64 < to && from < to; i++)
        if (u->w[i] & unit_bits(i, from, to))
            return true;
    return false;
}

static bool units_all(const struct units *u, unsigned from, unsigned to)
{
    for (unsigned i = from / 64; i * 64 < to; i++)
        if (~u->w[i] & unit_bits(i, from, to))
            return false;
    return true;
}

/* ---- a fragment by itself ---- */

static bool is_v4(const struct frag_in *in)
{
    return addr_is_v4(&in->key.src);
}

/* Header and, in IPv6, fragment header. */
static uint16_t head_len(const struct frag_in *in)
{
    return (uint16_t)(in->hdr_len + (is_v4(in) ? 0 : IP6_FRAG_LEN));
}

static uint32_t end_of(const struct frag_in *in)
{
    return (uint32_t)in->off + in->len;
}

/* IPv4 counts its header in the total length, IPv6 only what follows the first 40 bytes. */
static bool is_too_long(const struct frag_in *in, uint32_t hdr_len, uint32_t data_len)
{
    return hdr_len + data_len - (is_v4(in) ? 0 : IP6_HDR_LEN) > IP4_LEN_MAX;
}

static bool is_whole(const struct frag_in *in)
{
    return in->off == 0 && !in->more;
}

enum drop frag_check(const struct frag_in *in)
{
    ORIEL_ASSERT(in->off % 8 == 0);
    if (in->more && in->len % 8 != 0)
        return DROP_FRAG_LEN;
    if (in->len == 0 && !is_whole(in))
        return DROP_FRAG_LEN;
    if (is_too_long(in, in->hdr_len, end_of(in)))
        return DROP_FRAG_BEYOND;
    if (head_len(in) > FRAG_HDR_MAX)
        return DROP_IP6_EXT_COUNT;
    return DROP_NONE;
}

/* ---- records ---- */

static uint32_t hash_key(const struct frag_table *t, const struct frag_key *k)
{
    uint64_t rest = (uint64_t)k->id << 32 | (uint32_t)k->nif << 8 | k->proto;
    return hash_4(t->env->hash_seed, k->src.hi ^ k->dst.hi, k->src.lo, k->dst.lo,
                  hash_word(k->dst.hi ^ t->env->hash_seed, rest));
}

static uint32_t hash_source(const struct frag_table *t, const struct frag_key *k)
{
    return hash_2(t->env->hash_seed, k->src.hi ^ k->nif, k->src.lo);
}

static bool same_source(const struct frag_key *a, const struct frag_key *b)
{
    return addr_same_bits(&a->src, &b->src) && a->nif == b->nif;
}

static bool same_key(const struct frag_key *a, const struct frag_key *b)
{
    return a->id == b->id && a->proto == b->proto && same_source(a, b) &&
           addr_same_bits(&a->dst, &b->dst);
}

static struct frag_rec *rec_at(const struct frag_table *t, uint32_t index)
{
    return pool_at(&t->recs, index);
}

static struct frag_rec *rec_find(const struct frag_table *t, const struct frag_key *key)
{
    uint32_t hash = hash_key(t, key);
    uint32_t ref;
    for (uint32_t at = hmap_first(&t->map, hash);
         (ref = hmap_next(&t->map, hash, &at)) != HMAP_NONE;)
        if (same_key(&rec_at(t, ref)->key, key))
            return rec_at(t, ref);
    return NULL;
}

static uint32_t blk_bytes(const struct pkt *d)
{
    return d ? blk_class_bytes[d->head.blk->class] : 0;
}

/* The data leaves its record. */
static struct pkt *data_take(struct frag_table *t, struct frag_rec *rec)
{
    struct pkt *d = rec->data;
    ORIEL_ASSERT(t->bytes >= blk_bytes(d));
    t->bytes -= blk_bytes(d);
    rec->data = NULL;
    return d;
}

static void rec_free(struct frag_table *t, struct frag_rec *rec)
{
    ORIEL_ASSERT(rec->data == NULL);
    uint32_t index = pool_index(&t->recs, rec);
    hmap_del(&t->map, hash_key(t, &rec->key), index);
    hmap_del(&t->by_src, hash_source(t, &rec->key), index);
    list_remove(&rec->node);
    env_cancel(t->env, &rec->timer);
    pool_put(&t->recs, rec);
}

/* What came of a datagram is lost, and counted once; an abandoned one was counted before. */
static void give_up(struct frag_table *t, struct frag_rec *rec, enum drop why)
{
    if (rec->data)
        pkt_drop(t->env, data_take(t, rec), why);
    rec_free(t, rec);
}

static void abandon(struct frag_table *t, struct frag_rec *rec)
{
    ORIEL_ASSERT(!rec->abandoned);
    if (rec->data)
        pkt_free(data_take(t, rec));
    rec->abandoned = true;
}

static struct frag_rec *rec_of(struct list *node)
{
    return CONTAINER_OF(node, struct frag_rec, node);
}

/* The oldest record but that one; NULL: there is no other. */
static struct frag_rec *oldest_but(const struct frag_table *t, const struct frag_rec *but)
{
    struct list *n = list_first(&t->by_age);
    if (n && rec_of(n) == but)
        n = list_next(&t->by_age, n);
    return n ? rec_of(n) : NULL;
}

/* The oldest record of that source where it has as many as it may have, NULL where it has not. */
static struct frag_rec *oldest_of_full_source(const struct frag_table *t,
                                              const struct frag_key *key)
{
    struct frag_rec *oldest = NULL;
    unsigned n = 0;
    uint32_t hash = hash_source(t, key);
    uint32_t ref;
    for (uint32_t at = hmap_first(&t->by_src, hash);
         (ref = hmap_next(&t->by_src, hash, &at)) != HMAP_NONE;) {
        struct frag_rec *rec = rec_at(t, ref);
        if (!same_source(&rec->key, key))
            continue;
        n++;
        if (!oldest || rec->timer.order < oldest->timer.order)
            oldest = rec;
    }
    ORIEL_ASSERT(n <= FRAG_PER_HOST);
    return n == FRAG_PER_HOST ? oldest : NULL;
}

/* NULL only in a table of no records at all. */
static struct frag_rec *rec_new(struct frag_table *t, const struct frag_key *key)
{
    struct frag_rec *victim = oldest_of_full_source(t, key);
    if (!victim && t->recs.live == t->recs.cap)
        victim = oldest_but(t, NULL);
    if (victim)
        give_up(t, victim, DROP_FRAG_FULL);
    struct frag_rec *rec = pool_get_zeroed(&t->recs);
    if (!rec)
        return NULL;
    rec->key = *key;
    uint32_t index = pool_index(&t->recs, rec);
    bool put = hmap_put(&t->map, hash_key(t, key), index);
    bool put_src = hmap_put(&t->by_src, hash_source(t, key), index);
    ORIEL_ASSERT(put && put_src);
    list_push_back(&t->by_age, &rec->node);
    timer_init(&rec->timer, TIMER_FRAG);
    env_arm_in(t->env, &rec->timer, FRAG_TIMEOUT);
    return rec;
}

/* ---- a fragment among others ---- */

static bool contradicts_end(const struct frag_rec *rec, const struct frag_in *in)
{
    uint32_t end = end_of(in);
    if (rec->total == 0)
        return !in->more && end < rec->seen;
    return in->more ? end >= rec->total : end != rec->total;
}

/* Are in's bytes those that are there? */
static bool same_bytes(const struct frag_rec *rec, const struct pkt *p, const struct frag_in *in)
{
    uint8_t part[256];
    size_t n = 0;
    for (size_t at = 0; at < in->len; at += n) {
        n = in->len - at < sizeof(part) ? in->len - at : sizeof(part);
        pkt_read(p, head_len(in) + at, part, n);
        struct rd there = pkt_rd(rec->data, in->off + at);
        if (!span_eq(rd_bytes(&there, n), span_of(part, n)))
            return false;
    }
    return true;
}

static bool is_copy(const struct frag_rec *rec, const struct pkt *p, const struct frag_in *in)
{
    unsigned from = in->off / 8u;
    unsigned to = (end_of(in) + 7) / 8;
    if (!units_any(&rec->starts, from, from + 1) || units_any(&rec->starts, from + 1, to) ||
        !units_all(&rec->have, from, to))
        return false;
    bool goes_on = to < UNITS && units_any(&rec->have, to, to + 1) &&
                   !units_any(&rec->starts, to, to + 1);
    bool was_last = end_of(in) == rec->total;
    return !goes_on && was_last == !in->more && same_bytes(rec, p, in);
}

static enum drop examine(const struct frag_rec *rec, const struct pkt *p, const struct frag_in *in)
{
    if (rec->abandoned)
        return DROP_FRAG_ABANDONED;
    if (contradicts_end(rec, in))
        return DROP_FRAG_BEYOND;
    if (units_any(&rec->have, in->off / 8u, (end_of(in) + 7) / 8))
        return is_copy(rec, p, in) ? DROP_FRAG_DUPLICATE : DROP_FRAG_OVERLAP;
    unsigned ecn = rec->ecn | BIT(in->ecn & 3);
    if ((ecn & BIT(ECN_CE)) && (ecn & BIT(ECN_NOT)))
        return DROP_FRAG_ECN;
    uint32_t hdr_len = in->off == 0 ? in->hdr_len : rec->head.len;
    uint32_t total = in->more ? rec->total : end_of(in);
    if (hdr_len != 0 && total != 0 && is_too_long(in, hdr_len, total))
        return DROP_FRAG_BEYOND;        /* the header of fragment zero may be the longer one */
    return DROP_NONE;
}

/* Data up to `end` has room in its block afterwards. False: no memory. */
static bool data_reach(struct frag_table *t, struct frag_rec *rec, uint32_t end)
{
    uint32_t was = blk_bytes(rec->data);
    if (!rec->data) {
        rec->data = pkt_new(t->env, FRAG_HDR_MAX, end);
        if (!rec->data)
            return false;
        rec->data->nif = rec->key.nif;
    } else if (end > pkt_len(rec->data) &&
               !pkt_extend(t->env, rec->data, end - pkt_len(rec->data))) {
        return false;
    }
    t->bytes = t->bytes - was + blk_bytes(rec->data);
    return true;
}

/* The oldest other record whose block would do for data up to `end`; NULL: none. */
static struct frag_rec *oldest_with_room(const struct frag_table *t, const struct frag_rec *but,
                                         uint32_t end)
{
    LIST_EACH(n, &t->by_age)
        if (rec_of(n) != but && blk_bytes(rec_of(n)->data) >= FRAG_HDR_MAX + end)
            return rec_of(n);
    return NULL;
}

/*
 * Room for data up to `end`, at the cost of others where it must be: of one when the packet pools
 * are empty (they serve more than fragments, so that need not help), of as many as it takes when
 * the limit of this table is reached.
 */
static enum drop make_room(struct frag_table *t, struct frag_rec *rec, uint32_t end)
{
    if (!data_reach(t, rec, end)) {
        struct frag_rec *victim = oldest_with_room(t, rec, end);
        if (victim)
            give_up(t, victim, DROP_FRAG_FULL);
        if (!victim || !data_reach(t, rec, end))
            return DROP_NO_MEMORY;
    }
    for (struct frag_rec *victim; t->bytes > t->bytes_max;) {
        victim = oldest_but(t, rec);
        if (!victim)
            return DROP_FRAG_FULL;
        give_up(t, victim, DROP_FRAG_FULL);
    }
    return DROP_NONE;
}

/* ---- the datagram ---- */

static void head_read(struct head *h, const struct pkt *p, const struct frag_in *in)
{
    ORIEL_ASSERT(head_len(in) <= sizeof(h->bytes));
    ORIEL_ASSERT(is_v4(in) || in->next_at < in->hdr_len);
    pkt_read(p, 0, h->bytes, head_len(in));
    h->len = in->hdr_len;
    h->next = in->next;
    h->next_at = in->next_at;
}

static void emit_head4(const struct head *h, struct wr *w, size_t data_len, bool ce)
{
    struct ip4_hdr ip;
    struct rd r = rd_of(span_of(h->bytes, h->len));
    bool ok = ip4_parse_quoted(&r, &ip);
    ORIEL_ASSERT(ok && ip.hdr_len == h->len);
    ip.total_len = (uint16_t)(h->len + data_len);
    ip.mf = false;
    ip.frag_off = 0;
    ip.tos = ce ? ip.tos | ECN_CE : ip.tos;
    ip4_emit(w, &ip);
}

/* The fragment header goes: what named it names what followed it. */
static void emit_head6(const struct head *h, struct wr *w, size_t data_len, bool ce)
{
    struct ip6_hdr ip;
    struct rd r = rd_of(span_of(h->bytes, h->len));
    bool ok = ip6_parse_quoted(&r, &ip);
    ORIEL_ASSERT(ok);
    ip.payload_len = (uint16_t)(h->len - IP6_HDR_LEN + data_len);
    ip.tclass = ce ? ip.tclass | ECN_CE : ip.tclass;
    ip6_emit(w, &ip);
    wr_bytes(w, rd_rest(&r));
    struct wr next = wr_of(w->start + h->next_at, 1);
    wr_u8(&next, h->next);
}

/* d holds the data: put the header of the whole datagram in front. */
static struct pkt *put_head(struct frag_table *t, struct pkt *d, const struct head *h, bool v4,
                            bool ce)
{
    size_t data_len = pkt_len(d);
    uint8_t *at = pkt_push(t->env, d, h->len);
    ORIEL_ASSERT(at != NULL);           /* the room was made together with the block */
    struct wr w = wr_of(at, h->len);
    if (v4)
        emit_head4(h, &w, data_len, ce);
    else
        emit_head6(h, &w, data_len, ce);
    ORIEL_ASSERT(!w.bad && wr_left(&w) == 0);
    d->l3 = 0;
    d->l4 = h->len;
    return d;
}

static void facts_of_last(struct pkt *d, const struct pkt *last)
{
    d->nif = last->nif;
    d->flags = last->flags;
    d->arrival = last->arrival;
    d->ev = last->ev;
}

static void keep(struct frag_table *t, struct frag_rec *rec, const struct pkt *p,
                 const struct frag_in *in)
{
    unsigned from = in->off / 8u;
    pkt_read(p, head_len(in), pkt_data(rec->data) + in->off, in->len);
    units_set(&rec->have, from, (end_of(in) + 7) / 8);
    units_set(&rec->starts, from, from + 1);
    rec->held += in->len;
    rec->ecn |= (uint8_t)BIT(in->ecn & 3);
    if (end_of(in) > rec->seen)
        rec->seen = end_of(in);
    if (!in->more)
        rec->total = end_of(in);
    rec->data->ev = p->ev;
    if (in->off == 0) {
        head_read(&rec->head, p, in);
        rec->zero_len = in->len;
        rec->data->flags = p->flags;
    }
    TRACE(t->env, EV_REASM, in->key.id, in->off, in->len, in->more);
}

static struct pkt *complete(struct frag_table *t, struct frag_rec *rec, const struct pkt *last)
{
    struct pkt *d = data_take(t, rec);
    ORIEL_ASSERT(pkt_len(d) == rec->total);
    put_head(t, d, &rec->head, addr_is_v4(&rec->key.src), rec->ecn & BIT(ECN_CE));
    facts_of_last(d, last);
    rec_free(t, rec);
    return d;
}

/* RFC 6946: a fragment that is the whole datagram. */
static struct pkt *unwrap(struct frag_table *t, const struct pkt *p, const struct frag_in *in)
{
    struct head h;
    struct pkt *d = pkt_new(t->env, FRAG_HDR_MAX, in->len);
    if (!d)
        return NULL;
    pkt_read(p, head_len(in), pkt_data(d), in->len);
    head_read(&h, p, in);
    facts_of_last(d, p);
    return put_head(t, d, &h, is_v4(in), false);
}

/* It was made for one fragment, which had no room; or it has grown beyond the table's limit. */
static void withdraw(struct frag_table *t, struct frag_rec *rec)
{
    if (rec->held == 0 && rec->data)
        pkt_free(data_take(t, rec));
    give_up(t, rec, DROP_FRAG_FULL);
}

static enum drop insert(struct frag_table *t, const struct pkt *p, const struct frag_in *in,
                        struct frag_rec **out)
{
    struct frag_rec *rec = rec_find(t, &in->key);
    if (!rec)
        rec = rec_new(t, &in->key);
    if (!rec)
        return DROP_FRAG_FULL;
    enum drop why = examine(rec, p, in);
    if (why == DROP_FRAG_OVERLAP || why == DROP_FRAG_BEYOND || why == DROP_FRAG_ECN)
        abandon(t, rec);
    if (why == DROP_NONE)
        why = make_room(t, rec, end_of(in));
    if (why == DROP_NONE) {
        keep(t, rec, p, in);
        *out = rec;
    } else if (why == DROP_FRAG_FULL || (rec->held == 0 && !rec->abandoned)) {
        withdraw(t, rec);
    }
    return why;
}

struct pkt *frag_input(struct frag_table *t, struct pkt *p, const struct frag_in *in,
                       enum drop *why)
{
    ORIEL_ASSERT(pkt_len(p) >= (size_t)head_len(in) + in->len);
    struct frag_rec *rec = NULL;
    struct pkt *whole = NULL;
    *why = frag_check(in);
    if (*why == DROP_NONE && is_whole(in)) {
        whole = unwrap(t, p, in);
        *why = whole ? DROP_NONE : DROP_NO_MEMORY;
    } else if (*why == DROP_NONE) {
        *why = insert(t, p, in, &rec);
    }
    if (*why != DROP_NONE) {
        pkt_drop(t->env, p, *why);
        return NULL;
    }
    if (rec && rec->held == rec->total)
        whole = complete(t, rec, p);
    pkt_free(p);
    return whole;
}

/* ---- the end of a record ---- */

/* Fragment zero as it came. */
static struct pkt *quote(struct frag_table *t, struct frag_rec *rec)
{
    struct pkt *d = data_take(t, rec);
    size_t head = rec->head.len + (addr_is_v4(&rec->key.src) ? 0u : IP6_FRAG_LEN);
    pkt_trim(d, rec->zero_len);
    struct wr w = wr_of(pkt_push(t->env, d, head), head);
    wr_bytes(&w, span_of(rec->head.bytes, head));
    d->l3 = 0;
    d->l4 = (uint16_t)head;
    return d;
}

struct pkt *frag_on_timer(struct frag_table *t, struct timer *timer)
{
    struct frag_rec *rec = CONTAINER_OF(timer, struct frag_rec, timer);
    struct pkt *zero = NULL;
    if (rec->data && rec->zero_len > 0) {
        pkt_drop_note(t->env, rec->data, DROP_FRAG_TIMEOUT);
        zero = quote(t, rec);
    }
    give_up(t, rec, DROP_FRAG_TIMEOUT);
    return zero;
}

void frag_drop_nif(struct frag_table *t, uint16_t nif)
{
    LIST_EACH(n, &t->by_age)
        if (rec_of(n)->key.nif == nif)
            give_up(t, rec_of(n), DROP_LINK_DOWN);
}

/* The cursor is the index of the record given last, plus one. */
bool frag_each(const struct frag_table *t, uint32_t *cursor, struct frag_info *out)
{
    struct list *n = *cursor == 0 ? list_first(&t->by_age)
                                  : list_next(&t->by_age, &rec_at(t, *cursor - 1)->node);
    if (!n)
        return false;
    const struct frag_rec *rec = rec_of(n);
    *out = (struct frag_info){
        .key = rec->key,
        .held_bytes = rec->abandoned ? 0 : rec->held,
        .total_len = rec->total,
        .deadline = rec->timer.deadline,
    };
    *cursor = pool_index(&t->recs, rec) + 1;
    return true;
}
