/*
 * Fragmentation: cutting what is too large (RFC 791, 3.2; RFC 8200, 4.5) and the identifications
 * that hold the pieces together.
 *
 * Pieces are copies. Sharing the original's block would save a copy of data that is in the cache,
 * and keep 64 KB alive until the last piece has left.
 *
 * An identification must not be repeated soon between the same two hosts, or a late piece of one
 * datagram fits into another; and nobody may guess it, or he can put a piece of his own into a
 * datagram he cannot see. A counter gives the first, a keyed permutation the second: the counters
 * are few and shared by all pairs that hash to them, the permutation belongs to the pair alone. It
 * is a Feistel network of four rounds, whose key is a keyed hash (SipHash) of the pair, so that all
 * the identifications one peer has seen say nothing about another's.
 *
 * DEVIATION(6864-2): RFC 6864, 4.3: a source shall not send more than 65,536 fragmented datagrams to one
 * host in two minutes, so that none is repeated while an old one may live. Nothing here slows down
 * for that, as no other stack does; IPv6 has 32 bits and no such limit.
 */
#include "ip/frag.h"

#include "pkt/seal.h"

#define ID_ROUNDS 4u

/* A permutation of the numbers of 2 * half bits. */
static uint32_t permute(uint64_t key, uint32_t x, unsigned half)
{
    uint32_t mask = BIT(half) - 1;
    uint32_t left = x >> half & mask;
    uint32_t right = x & mask;
    for (uint32_t i = 0; i < ID_ROUNDS; i++) {
        uint64_t f = hash_word(hash_word(key, right), i);
        uint32_t mixed = left ^ ((uint32_t)(f >> 32) & mask);
        left = right;
        right = mixed;
    }
    return left << half | right;
}

uint32_t frag_id(struct frag_table *t, const struct oriel_addr *src, const struct oriel_addr *dst,
                 uint8_t proto)
{
    const uint64_t pair[] = {src->hi, src->lo, dst->hi, dst->lo, proto};
    uint64_t key = siphash_words(&t->id_key, pair, ARRAY_LEN(pair));
    uint32_t clock = t->id_clock[key % FRAG_ID_CLOCKS]++;
    return permute(key, clock, addr_is_v4(dst) ? 8 : 16);
}

/* ---- pieces ---- */

/* `len` bytes from `from` on, with room for a header to be written in front of them. */
static struct pkt *piece_new(struct env *env, const struct pkt *p, size_t hdr_len, size_t from,
                             size_t len)
{
    struct pkt *piece = pkt_new(env, PKT_HEADROOM, hdr_len + len);
    if (!piece)
        return NULL;
    pkt_read(p, from, pkt_data(piece) + hdr_len, len);
    piece->arrival = p->arrival;
    piece->ev = p->ev;
    piece->nif = p->nif;
    piece->flags = p->flags;
    piece->hash = p->hash;
    piece->l4 = (uint16_t)hdr_len;
    piece->why = WHY_FRAGMENT;
    return piece;
}

/* How much of the `left` bytes goes behind a header of that size: all, or a multiple of 8. */
static size_t piece_len(uint32_t mtu, size_t hdr_len, size_t left)
{
    ORIEL_ASSERT(mtu >= hdr_len + 8);
    size_t room = mtu - hdr_len;
    return left <= room ? left : room & ~(size_t)7;
}

/* All pieces are made, or one could not be: then none of them leaves. */
static int settle(struct env *env, struct pkt *p, bool made, struct pkt_queue *pieces,
                  struct pkt_queue *out)
{
    if (!made) {
        pkt_queue_free(pieces);
        pkt_drop(env, p, DROP_NO_MEMORY);
        return ORIEL_ENOBUFS;
    }
    for (struct pkt *piece; (piece = pkt_dequeue(pieces)) != NULL;)
        pkt_enqueue(out, piece);
    pkt_free(p);
    return 0;
}

/* A checksum over the whole cannot be finished in pieces. False: p is gone. */
static bool seal(struct env *env, struct pkt *p)
{
    ORIEL_ASSERT(p->gso == GSO_NONE);
    if (p->csum != CSUM_PARTIAL || pkt_seal(env, p))
        return true;
    pkt_drop(env, p, DROP_NO_MEMORY);
    return false;
}

/* ---- IPv4 ---- */

/* RFC 791, 3.1: options whose type has the top bit set are copied into every fragment. */
static struct span copied_options(struct span opts, struct wr *w)
{
    struct rd r = rd_of(opts);
    struct ip4_opt_it it = {.at = 0};
    while (ip4_opt_next(&r, &it)) {
        if (!(it.type & 0x80))
            continue;
        wr_u8(w, it.type);
        wr_u8(w, (uint8_t)(it.data.n + 2));
        wr_bytes(w, it.data);
    }
    while (wr_len(w) % 4 != 0)
        wr_u8(w, IP4_OPT_EOL);
    return wr_span(w);
}

static bool cut4(struct env *env, const struct pkt *p, const struct ip4_hdr *h, uint32_t mtu,
                 struct pkt_queue *pieces)
{
    uint8_t kept[IP4_OPTS_MAX];
    struct wr w = wr_of(kept, sizeof(kept));
    struct ip4_hdr q = *h;
    size_t n = 0;
    for (size_t at = h->hdr_len; at < h->total_len; at += n) {
        n = piece_len(mtu, q.hdr_len, h->total_len - at);
        struct pkt *piece = piece_new(env, p, q.hdr_len, at, n);
        if (!piece)
            return false;
        q.total_len = (uint16_t)(q.hdr_len + n);
        q.frag_off = (uint16_t)(h->frag_off + at - h->hdr_len);
        q.mf = h->mf || at + n < h->total_len;
        struct wr head = wr_of(pkt_data(piece), q.hdr_len);
        ip4_emit(&head, &q);
        pkt_enqueue(pieces, piece);
        if (at == h->hdr_len) {
            q.opts = copied_options(h->opts, &w);
            q.hdr_len = (uint8_t)(IP4_HDR_LEN + q.opts.n);
        }
    }
    return true;
}

int frag_cut4(struct env *env, struct pkt *p, uint32_t mtu, struct pkt_queue *out)
{
    if (pkt_len(p) <= mtu) {
        pkt_enqueue(out, p);
        return 0;
    }
    if (!seal(env, p))
        return ORIEL_ENOBUFS;
    struct ip4_hdr h;
    struct rd r = pkt_rd(p, 0);
    bool ok = ip4_parse_quoted(&r, &h);
    ORIEL_ASSERT(ok && h.total_len <= pkt_len(p));
    struct pkt_queue pieces = {.first = NULL};
    bool made = cut4(env, p, &h, mtu, &pieces);
    return settle(env, p, made, &pieces, out);
}

/* ---- IPv6 ---- */

struct cut6 {
    struct ip6_hdr h;
    struct ip6_frag f;
    struct span exts;           /* what else is unfragmentable */
    uint16_t unfrag_len;
    uint16_t next_at;
};

static void emit_piece6(const struct cut6 *c, struct pkt *piece)
{
    struct wr w = wr_of(pkt_data(piece), c->unfrag_len + (size_t)IP6_FRAG_LEN);
    ip6_emit(&w, &c->h);
    wr_bytes(&w, c->exts);
    ip6_frag_emit(&w, &c->f);
    struct wr next = wr_of(w.start + c->next_at, 1);
    wr_u8(&next, IP_FRAGMENT);
}

static bool cut6(struct env *env, const struct pkt *p, struct cut6 *c, uint32_t mtu,
                 struct pkt_queue *pieces)
{
    size_t end = IP6_HDR_LEN + (size_t)c->h.payload_len;
    size_t hdr_len = c->unfrag_len + (size_t)IP6_FRAG_LEN;
    size_t n = 0;
    for (size_t at = c->unfrag_len; at < end; at += n) {
        n = piece_len(mtu, hdr_len, end - at);
        struct pkt *piece = piece_new(env, p, hdr_len, at, n);
        if (!piece)
            return false;
        c->h.payload_len = (uint16_t)(hdr_len - IP6_HDR_LEN + n);
        c->f.off = (uint16_t)(at - c->unfrag_len);
        c->f.more = at + n < end;
        emit_piece6(c, piece);
        pkt_enqueue(pieces, piece);
    }
    return true;
}

int frag_cut6(struct env *env, struct pkt *p, uint32_t mtu, uint32_t id, uint16_t unfrag_len,
              uint16_t next_at, struct pkt_queue *out)
{
    ORIEL_ASSERT(unfrag_len >= IP6_HDR_LEN);
    ORIEL_ASSERT(next_at < unfrag_len);
    if (pkt_len(p) <= mtu) {
        pkt_enqueue(out, p);
        return 0;
    }
    struct cut6 c = {.unfrag_len = unfrag_len, .next_at = next_at, .f.id = id};
    struct rd r = pkt_rd(p, 0);
    bool ok = ip6_parse_quoted(&r, &c.h);
    c.exts = rd_bytes(&r, unfrag_len - (size_t)IP6_HDR_LEN);
    struct rd next = pkt_rd(p, next_at);
    c.f.next = rd_u8(&next);
    ORIEL_ASSERT(ok && r.bad == 0);
    ORIEL_ASSERT(IP6_HDR_LEN + (size_t)c.h.payload_len <= pkt_len(p));
    struct pkt_queue pieces = {.first = NULL};
    bool made = cut6(env, p, &c, mtu, &pieces);
    return settle(env, p, made, &pieces, out);
}
