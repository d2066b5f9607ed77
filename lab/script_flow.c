/*
 * Whose packet a line means, and what its numbers are on the wire.
 *
 * Most scripts have one connection and name no ports: a line is about the flow that the last line
 * was about. A SYN that arrives begins a new one when a listener is newer than the current flow.
 * The script's side is a port that was not used before. Lines with ports name their flow.
 *
 * Bytes of streams and datagrams are a pattern that does not repeat within what a test moves, so
 * that a stack that hands out the wrong bytes is found, whatever the script is about.
 */
#include "lab/script_run.h"

#define FIRST_PORT 40001

static bool same_end(const struct oriel_endpoint *a, const struct oriel_endpoint *b)
{
    return a->port == b->port && addr_same_bits(&a->addr, &b->addr);
}

struct sr_flow *sr_flow_at(struct script_run *r, enum script_proto proto,
                           const struct oriel_endpoint *local, const struct oriel_endpoint *remote)
{
    for (uint16_t i = 0; i < r->flows_n; i++) {
        struct sr_flow *f = &r->flows[i];
        if (f->proto == proto && same_end(&f->local, local) && same_end(&f->remote, remote))
            return f;
    }
    return NULL;
}

struct sr_flow *sr_flow_new(struct script_run *r, enum script_proto proto,
                            const struct oriel_endpoint *local,
                            const struct oriel_endpoint *remote)
{
    struct sr_flow *f = sr_flow_at(r, proto, local, remote);
    if (!f && r->flows_n < SR_FLOWS_MAX) {
        f = &r->flows[r->flows_n++];
        *f = (struct sr_flow){.proto = proto, .local = *local, .remote = *remote};
    }
    return f;
}

/* ---- the flow of a line ---- */

static void fill_side(const struct script_side *s, struct oriel_endpoint *e)
{
    if (s->has_addr)
        e->addr = s->addr;
    if (s->has_port)
        e->port = s->port;
}

static void ends_of(const struct script_run *r, const struct script_packet *k,
                    struct oriel_endpoint *local, struct oriel_endpoint *remote)
{
    *local = (struct oriel_endpoint){.addr = script_local(&r->setup, r->v6)};
    *remote = (struct oriel_endpoint){.addr = script_remote(&r->setup, r->v6)};
    fill_side(k->in ? &k->dst : &k->src, local);
    fill_side(k->in ? &k->src : &k->dst, remote);
}

struct sr_flow *sr_flow_named(struct script_run *r, const struct script_packet *k)
{
    struct oriel_endpoint local, remote;
    if (!k->has_sides)
        return NULL;
    ends_of(r, k, &local, &remote);
    return sr_flow_new(r, k->proto, &local, &remote);
}

/* ICMP is about the current flow, whatever it carries. */
static bool fits(const struct script_run *r, const struct script_packet *k)
{
    const struct sr_flow *f = r->current;
    if (!f)
        return false;
    if (k->proto == SCRIPT_ICMP)
        return !k->icmp.quotes || f->proto == k->icmp.quoted;
    bool syn = k->proto == SCRIPT_TCP && (k->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
    bool begins = r->fresh && (syn || k->proto != SCRIPT_TCP);
    return f->proto == k->proto && !begins;
}

static struct sr_flow *begin(struct script_run *r, enum script_proto proto)
{
    struct oriel_endpoint local = {.addr = script_local(&r->setup, r->v6), .port = r->bound_port};
    struct oriel_endpoint remote = {.addr = script_remote(&r->setup, r->v6),
                                    .port = (uint16_t)(FIRST_PORT + r->next_port++)};
    r->fresh = false;
    return sr_flow_new(r, proto, &local, &remote);
}

struct sr_flow *sr_flow_in(struct script_run *r, const struct script_packet *k)
{
    struct sr_flow *f = sr_flow_named(r, k);
    if (!f)
        f = fits(r, k) ? r->current
                       : begin(r, k->proto == SCRIPT_ICMP ? k->icmp.quoted : k->proto);
    if (!f)
        return NULL;
    r->current = f;
    if (k->proto != SCRIPT_TCP || !(k->flags & TCP_SYN))
        return f;
    f->irs_next = k->seq;
    f->again = f->again || (f->has_irs && f->irs != k->seq);
    if (!f->has_irs)
        f->irs = k->seq;
    f->has_irs = true;
    return f;
}

/* ---- numbers ---- */

uint32_t sr_live_seq(const struct sr_flow *f, uint32_t script)
{
    return f && f->has_iss ? script - f->iss_script + f->iss : script;
}

uint32_t sr_script_seq(const struct sr_flow *f, uint32_t live)
{
    return f && f->has_iss ? live - f->iss + f->iss_script : live;
}

/* The very one, if the script named it before; otherwise as far from the first as it says. */
uint32_t sr_live_stamp(const struct sr_flow *f, uint32_t script)
{
    uint32_t n = f->stamps < SR_STAMPS_MAX ? f->stamps : SR_STAMPS_MAX;
    for (uint32_t i = 1; i <= n; i++) {
        uint32_t at = (f->stamps - i) % SR_STAMPS_MAX;
        if (f->stamp_script[at] == script)
            return f->stamp[at];
    }
    return f->has_ts && script != 0 ? script - f->ts_script + f->ts : script;
}

uint32_t sr_script_stamp(const struct sr_flow *f, uint32_t live)
{
    return f && f->has_ts ? live - f->ts + f->ts_script : live;
}

void sr_note_stamp(struct sr_flow *f, uint32_t script, uint32_t live)
{
    if (!f->has_ts) {
        f->has_ts = true;
        f->ts = live;
        f->ts_script = script;
    }
    f->stamp[f->stamps % SR_STAMPS_MAX] = live;
    f->stamp_script[f->stamps % SR_STAMPS_MAX] = script;
    f->stamps++;
}

/* ---- bytes ---- */

uint8_t sr_pattern(uint64_t n)
{
    return (uint8_t)(n + (n >> 8) * 7 + (n >> 16) * 13);
}

void sr_fill(uint8_t *at, size_t n, uint64_t from)
{
    for (size_t i = 0; i < n; i++)
        at[i] = sr_pattern(from + i);
}

bool sr_is_pattern(struct span s, uint64_t from)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != sr_pattern(from + i))
            return false;
    return true;
}
