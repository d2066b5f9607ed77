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

bool pkt_gso_fits(const struct pkt *p, size_t mtu)
{
    struct cut_form f;
    return p->gso_size > 0 && cut_form_of(network(p), &f) && (size_t)f.len + p->gso_size <= mtu;
}
