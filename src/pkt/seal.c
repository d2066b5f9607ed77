/* Transport checksums that were left for later. */
#include "pkt/seal.h"

#include "pkt/stream.h"
#include "wire/cut.h"

static struct span network(const struct pkt *p)
{
    ORIEL_ASSERT(p->l3 <= p->head.len);
    return span_of(pkt_data(p) + p->l3, p->head.len - p->l3);
}

bool pkt_seal(struct env *env, struct pkt *p)
{
    struct transport t;
    ORIEL_ASSERT(p->csum == CSUM_PARTIAL);
    if (!transport_find(network(p), &t) || t.csum_at == 0 || !pkt_own_head(env, p))
        return false;
    size_t from = (size_t)p->l3 + t.at;
    uint32_t sum = pkt_sum_kept(env, p, from, pkt_len(p) - from);
    transport_put_csum(pkt_data(p) + p->l3, &t, transport_csum(&t, sum));
    p->csum = CSUM_NONE;
    return true;
}

bool pkt_gso_whole(struct env *env, struct pkt *p)
{
    struct cut_form f;
    ORIEL_ASSERT(p->gso != GSO_NONE);
    size_t len = pkt_len(p) - p->l3;
    if (!cut_form_of(network(p), &f) || len > IP4_LEN_MAX || len < f.len || !pkt_own_head(env, p))
        return false;
    uint32_t payload = (uint32_t)len - f.len;
    uint8_t *net = pkt_data(p) + p->l3;
    cut_put_net(net, &f, payload);
    transport_put_csum(net, &f.t, cut_partial(&f, payload));
    p->csum = CSUM_PARTIAL;
    return true;
}

bool pkt_offload_of(const struct pkt *p, struct pkt_offload *out)
{
    struct transport t;
    size_t end = transport_find(network(p), &t) ? transport_end(network(p), &t) : 0;
    if (end == 0)
        return false;
    *out = (struct pkt_offload){
        .csum_start = (uint16_t)(p->l3 + t.at),
        .csum_offset = (uint16_t)(t.csum_at - t.at),
        .hdr_len = (uint16_t)(p->l3 + end),
    };
    return true;
}

/* The sum of all from there on, into the field, which holds what is to be added. */
static bool finish_at(struct env *env, struct pkt *p, size_t start, size_t field)
{
    if (field + 2 > p->head.len || !pkt_own_head(env, p))
        return false;
    uint16_t csum = csum_finish(pkt_sum(env, p, start, pkt_len(p) - start));
    struct wr w = wr_of(pkt_data(p) + field, 2);
    wr_u16(&w, csum ? csum : 0xffff);           /* UDP's is never 0; to others both mean the same */
    p->csum = CSUM_NONE;
    return true;
}

bool pkt_on_offload(struct env *env, struct pkt *p, uint16_t csum_start, uint16_t csum_offset)
{
    struct transport t;
    size_t field = (size_t)csum_start + csum_offset;
    bool ours = p->l3 <= p->head.len && transport_find(network(p), &t) && t.csum_at != 0 &&
                (size_t)p->l3 + t.at == csum_start && (size_t)p->l3 + t.csum_at == field;
    if (!ours)
        return finish_at(env, p, csum_start, field);
    p->csum = CSUM_PARTIAL;
    return true;
}

bool pkt_gso_fits(const struct pkt *p, size_t mtu)
{
    struct cut_form f;
    return p->gso_size > 0 && cut_form_of(network(p), &f) && (size_t)f.len + p->gso_size <= mtu;
}
