/*
 * Payloads that can be recognised: key, number, length, then a pattern of that number. Whatever
 * arrives at a socket is looked up and compared byte by byte, and counted: once for each socket
 * that may have it, more often only where a wire has doubled frames.
 *
 * Fewer than HEAD bytes have no room for that; they are the first bytes of the same for all.
 */
#include "sim.h"

#define HEAD 16

static uint64_t key(const struct sim *s)
{
    return hash_word(0x6f7269656cu, s->seed) | 1;
}

static uint8_t pattern(uint64_t mixed, size_t i)
{
    return (uint8_t)((mixed >> (i % 7 * 8)) + i / 7);
}

void sim_fill(const struct sim *s, uint32_t id, uint8_t *data, size_t len)
{
    uint8_t head[HEAD];
    struct wr w = wr_of(head, sizeof(head));
    wr_u64(&w, key(s));
    wr_u32(&w, len < HEAD ? 0 : id);
    wr_u32(&w, len < HEAD ? 0 : (uint32_t)len);
    memcpy(data, head, len < HEAD ? len : HEAD);
    uint64_t mixed = hash_word(key(s), id);
    for (size_t i = HEAD; i < len; i++)
        data[i] = pattern(mixed, i);
}

uint32_t sim_record(struct sim *s, const struct sent *what)
{
    if (s->sent_n >= (s->healing ? SENT_AT_MOST : SENT_AT_MOST / 2))
        return UINT32_MAX;
    s->sent[s->sent_n] = *what;
    return s->sent_n++;
}

/* ---- what arrived ---- */

static bool has_address(const struct sim *s, unsigned who, const struct oriel_addr *a)
{
    if (addr_is_loopback(a) || addr_is_link_local(a))
        return true;
    for (unsigned i = 0; i < s->legs; i++) {
        const struct leg *l = &s->leg[i];
        if (l->who == who && (addr_same_bits(a, &l->a4) || addr_same_bits(a, &l->a6)))
            return true;
    }
    /* One that was added by and by (meddle.c). */
    uint64_t net = ADDR_V4_MAPPED | 0x0a000000u | who << 8;
    return addr_is_v4(a) ? (a->lo & ~0xffULL) == (net | MEDDLE_ADDR) ||
                               (a->lo & ~0xffULL) == (net | MEDDLE_VLAN)
                         : a->hi == 0xfd00006400000000u + who;
}

static void judge_ends(struct sim *s, unsigned who, const struct sim_sock *k, const struct sent *r,
                       const struct oriel_msg *m)
{
    const char *name = s->who[who].node->name;
    if (m->arrival < r->at || m->arrival > s->w.env.now)
        sim_wrong(s, "what arrived at %s arrived before it was sent", name);
    if (s->has_nat || s->meddled_addresses || s->hostile)
        return;                 /* addresses are not what they were at the beginning */
    if (!r->is_ping && k->port != r->dst_port)
        sim_wrong(s, "a datagram for port %u came to port %u of %s", r->dst_port, k->port, name);
    if (!r->is_ping && m->peer.port != r->src_port)
        sim_wrong(s, "a datagram from port %u came from port %u", r->src_port, m->peer.port);
    if (!r->is_ping && !addr_same_bits(&m->local, &r->dst))
        sim_wrong(s, "a datagram came to %s at an address that it was not sent to", name);
    if (!r->is_ping && !has_address(s, r->who, &m->peer.addr))
        sim_wrong(s, "a datagram from %s came from somebody else's address",
                  s->who[r->who].node->name);
    if (r->is_ping && who != r->who)
        sim_wrong(s, "an answer to a ping of %s came to %s", s->who[r->who].node->name, name);
}

/* A copy of a copy of a copy: each wire may have doubled it. */
static void judge_count(struct sim *s, unsigned who, unsigned slot, uint32_t id)
{
    struct sent *r = &s->sent[id];
    uint8_t *got = &r->got[who][slot];
    if (*got < UINT8_MAX)
        (*got)++;
    if (*got > 1 && s->doubles == 0 && !s->hostile && !(r->is_ping && r->group))
        sim_wrong(s, "datagram %u came to %s %u times, and no wire doubles", id,
                  s->who[who].node->name, *got);
}

static bool is_foreign(struct sim *s, unsigned who, const char *what)
{
    if (!s->hostile)
        sim_wrong(s, "%s got %s that nobody sent", s->who[who].node->name, what);
    return true;
}

static void judge_small(struct sim *s, unsigned who, const uint8_t *data, size_t n)
{
    uint8_t small[HEAD];
    sim_fill(s, 0, small, n);
    if (memcmp(small, data, n) != 0)
        (void)is_foreign(s, who, "a small datagram");
}

const struct sent *sim_judge(struct sim *s, unsigned who, unsigned slot, const uint8_t *data,
                             size_t n, const struct oriel_msg *m)
{
    const struct sim_sock *k = &s->who[who].sock[slot];
    size_t shown = n;
    if (n < HEAD) {
        if (m->len < HEAD)
            judge_small(s, who, data, n);
        return NULL;
    }
    struct rd r = rd_of(span_of(data, n));
    uint64_t its_key = rd_u64(&r);
    uint32_t id = rd_u32(&r), len = rd_u32(&r);
    if (its_key != key(s) || id >= s->sent_n) {
        (void)is_foreign(s, who, "a datagram");
        return NULL;
    }
    if (len != s->sent[id].len || m->len != len) {
        sim_wrong(s, "datagram %u of %u bytes came to %s with %zu", id, s->sent[id].len,
                  s->who[who].node->name, m->len);
        return NULL;
    }
    sim_fill(s, id, s->buffer + DATA_AT_MOST + HEAD, len);
    if (memcmp(s->buffer + DATA_AT_MOST + HEAD, data, shown) != 0) {
        sim_wrong(s, "datagram %u came to %s changed", id, s->who[who].node->name);
        return NULL;
    }
    judge_ends(s, who, k, &s->sent[id], m);
    judge_count(s, who, slot, id);
    return &s->sent[id];
}
