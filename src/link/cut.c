/*
 * Super-segments become frames where they are taken: as many as are asked for; the rest stays at the
 * head of the queue as a smaller super-segment, its header already that of the next piece.
 *
 * A frame is a copy of the headers, patched (wire/cut.h), and a reference to the payload, whose sum was
 * kept when it was written (pkt/stream.h): no byte of payload is looked at.
 *
 * Where memory runs out after some frames were taken, the rest waits for the next take. Where there is
 * none for even one, it is dropped, as any frame that cannot be finished is.
 */
#include "link/netif.h"

#include "pkt/seal.h"
#include "pkt/stream.h"
#include "wire/cut.h"

struct cutter {
    struct env *env;
    struct pkt *p;              /* the super-segment; its slices shrink from the front */
    struct cut_form form;
    uint32_t left;              /* bytes of payload */
    uint32_t hdr_len;           /* of all headers, the link's included */
    unsigned at;                /* the slice that is cut from */
    bool first;                 /* nothing has been cut from it yet */
    bool partial;               /* the link finishes checksums */
    bool molded;
    uint16_t flags;             /* of pieces that are neither first nor last */
    struct pkt_mold mold;       /* of these */
};

/* ---- beginning and ending ---- */

/* All payload in slices: what stands behind the headers becomes one. */
static bool split_head(struct env *env, struct pkt *p, uint32_t hdr_len)
{
    if (p->head.len == hdr_len)
        return true;
    if (p->more_n == PKT_SLICES_MAX && !pkt_linearize(env, p))
        return false;
    for (unsigned i = p->more_n; i > 0; i--)
        p->more[i] = p->more[i - 1];
    p->more[0] = slice_share(p->head);
    p->more[0].off += hdr_len;
    p->more[0].len -= hdr_len;
    p->more_n++;
    p->head.len = hdr_len;
    return true;
}

static bool begin(struct cutter *c, struct env *env, const struct netif *nif, struct pkt *p)
{
    struct rd r = pkt_rd(p, p->l3);
    c->env = env;
    c->p = p;
    c->at = 0;
    c->first = !(p->flags & PKT_CUT);
    c->partial = nif->vouches;
    c->molded = false;
    if (!cut_form_of(rd_rest(&r), &c->form))
        return false;
    c->hdr_len = (uint32_t)p->l3 + c->form.len;
    if (p->gso_size == 0 || !split_head(env, p, c->hdr_len))
        return false;
    c->left = (uint32_t)pkt_len(p) - c->hdr_len;
    c->flags = cut_flags(&c->form, false, false, (p->flags & PKT_ACE) != 0);
    return c->left > 0;
}

/* Forget the slices that were moved away. */
static void forget_moved(struct cutter *c)
{
    unsigned n = 0;
    for (unsigned i = c->at; i < c->p->more_n; i++)
        c->p->more[n++] = c->p->more[i];
    c->p->more_n = (uint8_t)(n & 7);
    c->at = 0;
}

/* What was not cut is a super-segment of its own. False: no memory to say so. */
static bool keep_rest(struct cutter *c)
{
    struct pkt *p = c->p;
    if (!pkt_own_head(c->env, p))
        return false;
    cut_put_rest(pkt_data(p) + p->l3, &c->form, (p->flags & PKT_ACE) != 0);
    p->flags |= PKT_CUT;
    return true;
}

/* ---- one piece, whatever it is ---- */

/* The next n bytes of payload go to q; their sum. The last piece of a slice takes its reference. */
static uint32_t move_payload(struct cutter *c, struct pkt *q, uint32_t n)
{
    uint32_t sum = 0;
    bool odd = false;
    while (n > 0) {
        struct slice *s = &c->p->more[c->at];
        uint32_t part = n < s->len ? n : s->len;
        q->more[q->more_n++] = (struct slice){s->blk, s->off, part};
        if (!c->partial) {
            uint32_t add = slice_sum(c->env, s->blk, s->off, part);
            sum = odd ? csum_add_odd(sum, add) : csum_add(sum, add);
            odd ^= part % 2 != 0;
        }
        if (part == s->len) {
            c->at++;
        } else {
            s->blk->refs++;
            s->off += part;
            s->len -= part;
        }
        n -= part;
    }
    return csum_fold(sum);
}

static uint16_t flags_of(const struct cutter *c, bool last)
{
    return cut_flags(&c->form, c->first, last, (c->p->flags & PKT_ACE) != 0);
}

/* The next piece, all headers in it; false: no memory. */
static bool cut_one(struct cutter *c, struct pkt **out)
{
    const struct pkt *p = c->p;
    struct pkt *q = pkt_new_like(c->env, p, c->hdr_len);
    if (oriel_unlikely(!q))
        return false;
    uint32_t n = c->left < p->gso_size ? c->left : p->gso_size;
    uint16_t flags = flags_of(c, n == c->left);
    uint32_t sum = move_payload(c, q, n);
    (void)pkt_charge_payload(q);        /* where the budget is full, it is when somebody takes it */
    uint8_t *net = pkt_data(q) + q->l3, *tcp = net + c->form.t.at;
    cut_put_net(net, &c->form, n);
    cut_put_flags(tcp, flags);
    cut_put_seq(tcp, c->form.seq,
                c->partial ? cut_partial(&c->form, n)
                           : cut_csum(cut_csum_base(&c->form, flags, n), c->form.seq, sum));
    q->csum = c->partial ? CSUM_PARTIAL : CSUM_NONE;
    cut_advance(&c->form, 1, n);
    c->left -= n;
    c->first = false;
    *out = q;
    return true;
}

/* ---- many pieces that differ in their place alone ---- */

/* How many of the next pieces are such: as those in the middle, and whole in the slice at hand. */
static unsigned alike(const struct cutter *c, unsigned max)
{
    uint32_t size = c->p->gso_size, left = c->left;
    if (!c->form.df || (c->first && flags_of(c, false) != c->flags))
        return 0;
    if (left % size == 0 && flags_of(c, true) != c->flags)
        left--;                         /* the last piece is whole, but says that it is the last */
    uint32_t here = c->p->more[c->at].len / size, ahead = left / size;
    uint32_t n = here < ahead ? here : ahead;
    return n < max ? n : max;
}

/* Their common part; false: the headers are too long. */
static bool make_mold(struct cutter *c)
{
    struct pkt_mold *m = &c->mold;
    if (c->molded)
        return true;
    if (!pkt_mold_make(m, c->env, c->p, c->hdr_len, c->p->gso_size))
        return false;
    uint8_t *net = m->head + PKT_MOLD_HEAD - c->form.len;
    cut_put_net(net, &c->form, c->p->gso_size);
    cut_put_flags(net + c->form.t.at, c->flags);
    m->form.csum = c->partial ? CSUM_PARTIAL : CSUM_NONE;
    c->molded = true;
    return true;
}

enum sums {                     /* of pieces of payload */
    SUMS_LEFT,                  /* to the link */
    SUMS_KEPT,                  /* one behind the other, since the copy */
    SUMS_MADE,                  /* now */
};

/*
 * So many are cast, fewer where no memory lies at hand, or where what is kept is not of these pieces. The
 * last two are constants where it stands.
 */
static ORIEL_ALWAYS_INLINE unsigned cast(const struct cutter *c, struct pkt *out[], unsigned n,
                                         const struct stream_piece *kept, bool all, enum sums sums)
{
    struct pkt_mem *const mem = c->env->mem;
    const uint32_t size = c->p->gso_size;
    const uint64_t base = cut_csum_base(&c->form, c->flags, size);
    const size_t tcp_at = BLK_HEAD_BYTES - (size_t)(c->form.len - c->form.t.at);
    struct slice s = {c->p->more[c->at].blk, c->p->more[c->at].off, size};
    uint16_t csum = cut_partial(&c->form, size);
    seq_t seq = c->form.seq;
    struct pkt *q, *ready = mem->ready;
    struct pkt_cast k;
    unsigned i = 0;
    pkt_cast_begin(&k, &c->mold);
    for (; i < n && (q = ready) != NULL; i++) {
        uint32_t sum = 0;
        if (sums == SUMS_KEPT && oriel_unlikely(!stream_piece_is(&kept[i], s.off, size)))
            break;
        if (sums != SUMS_LEFT) {
            sum = sums == SUMS_KEPT ? kept[i].sum : slice_sum(c->env, s.blk, s.off, size);
            csum = cut_csum(base, seq, sum);
        }
        pkt_ready_wake(q);
        ready = q->next;
        uint8_t *tcp = q->head.blk->bytes + tcp_at;
        pkt_cast_into(q, &k, all, s);
        cut_put_seq(tcp, seq, csum);
        seq = seq_add(seq, size);
        s.off += size;
        out[i] = q;
    }
    mem->ready = ready;
    mem->ready_n -= i;
    return i;
}

static ORIEL_ALWAYS_INLINE unsigned cast_with(const struct cutter *c, struct pkt *out[], unsigned n,
                                              bool all)
{
    if (c->partial)
        return cast(c, out, n, NULL, all, SUMS_LEFT);
    struct stream_sums kept = stream_sums_from(c->p->more[c->at].blk, c->p->more[c->at].off);
    return kept.end - kept.next >= (ptrdiff_t)n ? cast(c, out, n, kept.next, all, SUMS_KEPT)
                                                : cast(c, out, n, NULL, all, SUMS_MADE);
}

static unsigned cast_any(const struct cutter *c, struct pkt *out[], unsigned n)
{
    return oriel_likely(c->hdr_len <= PKT_CAST_NEAR) ? cast_with(c, out, n, false)
                                                     : cast_with(c, out, n, true);
}

static unsigned cut_alike(struct cutter *c, struct pkt *out[], unsigned n)
{
    struct slice *s = &c->p->more[c->at];
    if (!make_mold(c))
        return 0;
    unsigned paid = pkt_mold_pay(&c->mold, n);
    unsigned made = cast_any(c, out, paid);
    if (oriel_unlikely(made < paid))
        pkt_mold_repay(&c->mold, paid - made);
    if (made == 0)
        return 0;
    const uint32_t bytes = made * c->p->gso_size;
    s->blk->refs += made;
    s->off += bytes;
    s->len -= bytes;
    if (s->len == 0) {
        blk_put(s->blk);
        c->at++;
    }
    cut_advance(&c->form, made, c->p->gso_size);
    c->left -= bytes;
    c->first = false;
    return made;
}

/* ---- the queue ---- */

static void give_up(struct link *l, struct netif *nif, enum drop why)
{
    pkt_drop(l->env, pkt_dequeue(&nif->tx), why);
}

static unsigned cut_some(struct cutter *c, struct pkt *out[], unsigned max)
{
    unsigned n = 0;
    while (n < max && c->left > 0) {
        unsigned same = alike(c, max - n), made = same > 1 ? cut_alike(c, out + n, same) : 0;
        if (made == 0 && !cut_one(c, &out[n + made++]))
            break;
        n += made;
    }
    return n;
}

/* What was cut, and whether each frame is long enough as it is. */
static struct link_cut counted(const struct cutter *c, const struct netif *nif, unsigned n,
                               uint32_t before)
{
    uint32_t bytes = before - c->left;
    uint32_t shortest = n > 0 && c->left == 0 ? bytes - (n - 1) * c->p->gso_size : c->p->gso_size;
    return (struct link_cut){.n = n, .bytes = bytes + n * c->hdr_len,
                             .finished = nif->plain && c->hdr_len + shortest >= ETH_MIN};
}

struct link_cut link_cut(struct link *l, struct netif *nif, struct pkt *out[], unsigned max, bool wait)
{
    struct pkt *p = nif->tx.first;
    struct cutter c;
    nif->tx_more -= netif_pieces(nif, p) - 1;
    if (!begin(&c, l->env, nif, p)) {
        give_up(l, nif, DROP_IP_TOO_BIG);
        return (struct link_cut){0};
    }
    bool first = c.first;
    uint32_t before = c.left;
    unsigned n = cut_some(&c, out, max);
    struct link_cut r = counted(&c, nif, n, before);
    if (n > 0)
        l->env->why_count[p->why] += n - first;         /* one was counted when it was queued */
    forget_moved(&c);
    if (c.left == 0)
        pkt_free(pkt_dequeue(&nif->tx));
    else if (n == 0 ? !wait : !keep_rest(&c))
        give_up(l, nif, DROP_NO_MEMORY);
    else
        nif->tx_more += netif_pieces(nif, p) - 1;
    return r;
}
