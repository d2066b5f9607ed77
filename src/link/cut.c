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
    bool partial;               /* the link finishes checksums */
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
    *c = (struct cutter){.env = env, .p = p, .partial = nif->vouches};
    if (!cut_form_of(rd_rest(&r), &c->form))
        return false;
    c->hdr_len = (uint32_t)p->l3 + c->form.len;
    if (p->gso_size == 0 || !split_head(env, p, c->hdr_len))
        return false;
    c->left = (uint32_t)pkt_len(p) - c->hdr_len;
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

/* ---- a piece ---- */

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

/* The next piece, all headers in it; NULL: no memory. */
static struct pkt *cut_piece(struct cutter *c, bool first)
{
    const struct pkt *p = c->p;
    struct pkt *q = pkt_new_like(c->env, p, c->hdr_len);
    if (oriel_unlikely(!q))
        return NULL;
    uint32_t n = c->left < p->gso_size ? c->left : p->gso_size;
    uint16_t flags = cut_flags(&c->form, first, n == c->left, (p->flags & PKT_ACE) != 0);
    uint32_t sum = move_payload(c, q, n);
    uint8_t *net = pkt_data(q) + q->l3;
    cut_put_net(net, &c->form, n);
    cut_put_tcp(net, &c->form, flags,
                c->partial ? cut_partial(&c->form, n) : cut_csum(&c->form, flags, n, sum));
    if (c->partial)
        q->csum = CSUM_PARTIAL;
    cut_advance(&c->form, n);
    c->left -= n;
    return q;
}

/* ---- the queue ---- */

static void give_up(struct link *l, struct netif *nif, enum drop why)
{
    pkt_drop(l->env, pkt_dequeue(&nif->tx), why);
}

unsigned link_cut(struct link *l, struct netif *nif, struct pkt *out[], unsigned max, bool wait)
{
    struct pkt *p = nif->tx.first;
    struct cutter c;
    unsigned n = 0;
    nif->tx_more -= netif_pieces(nif, p) - 1;
    if (!begin(&c, l->env, nif, p)) {
        give_up(l, nif, DROP_IP_TOO_BIG);
        return 0;
    }
    bool first = !(p->flags & PKT_CUT);
    while (n < max && c.left > 0 && (out[n] = cut_piece(&c, first && n == 0)) != NULL)
        n++;
    if (n > 0)
        l->env->why_count[p->why] += n - first;         /* one was counted when it was queued */
    forget_moved(&c);
    if (c.left == 0)
        pkt_free(pkt_dequeue(&nif->tx));
    else if (n == 0 ? !wait : !keep_rest(&c))
        give_up(l, nif, DROP_NO_MEMORY);
    else
        nif->tx_more += netif_pieces(nif, p) - 1;
    return n;
}
