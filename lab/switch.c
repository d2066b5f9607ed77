/*
 * A learning switch with VLANs (IEEE 802.1D, 802.1Q): looks at a whole frame, then passes it on.
 *
 * A damaged frame dies here as it does in a real switch. A frame belongs to the VLAN of its tag, or
 * to its port's where it has none; it leaves untagged by ports of that VLAN and tagged by those that
 * carry it so.
 */
#include "lab/world.h"

#include "wire/fault.h"

struct inside {                 /* a frame inside the switch: no check sequence, no tag */
    struct eth_hdr h;
    struct span payload;        /* after addresses and our tag: from the type field on */
    uint16_t vid;
    uint8_t pcp;
};

static bool carries_tagged(const struct port *p, uint16_t vid)
{
    for (uint8_t i = 0; i < p->vlans_n; i++)
        if (p->vlans[i] == vid)
            return true;
    return p->trunk && vid != p->pvid;
}

static bool carries(const struct port *p, uint16_t vid)
{
    return p->pvid == vid || carries_tagged(p, vid);
}

/* ---- the table of stations ---- */

static struct fdb_entry *fdb_find(struct node *n, const struct mac *mac, uint16_t vid)
{
    for (uint16_t i = 0; i < n->fdb_n; i++)
        if (n->fdb[i].vid == vid && mac_eq(&n->fdb[i].mac, mac))
            return &n->fdb[i];
    return NULL;
}

static struct fdb_entry *fdb_oldest(struct node *n)
{
    struct fdb_entry *old = &n->fdb[0];
    for (uint16_t i = 1; i < n->fdb_n; i++)
        if (n->fdb[i].seen < old->seen)
            old = &n->fdb[i];
    return old;
}

static void learn(struct node *n, const struct mac *mac, uint16_t vid, uint8_t port, oriel_time now)
{
    struct fdb_entry *e = fdb_find(n, mac, vid);
    if (mac_is_group(mac))
        return;
    if (!e)
        e = n->fdb_n < FDB_MAX ? &n->fdb[n->fdb_n++] : fdb_oldest(n);
    *e = (struct fdb_entry){.mac = *mac, .vid = vid, .port = port, .seen = now};
}

/* ---- in and out ---- */

static enum drop check_fcs(const struct port *in, struct pkt *p)
{
    size_t n = pkt_len(p);
    if (!in->wire->dir[0].p.fcs)
        return DROP_NONE;
    if (n < ETH_MIN + ETH_FCS_LEN)
        return DROP_ETH_SHORT;
    struct rd r = pkt_rd(p, n - ETH_FCS_LEN);
    uint32_t told = rd_fcs(&r);
    pkt_trim(p, n - ETH_FCS_LEN);
    return eth_fcs(pkt_span(p)) == told ? DROP_NONE : DROP_ETH_FCS;
}

static enum drop read_frame(const struct port *in, const struct pkt *p, struct inside *f)
{
    struct rd r = pkt_rd(p, 0);
    if (!eth_parse(&r, &f->h) && r.bad != FAULT_TYPE && r.bad != FAULT_TOTAL_LEN)
        return DROP_ETH_SHORT;
    bool tagged = f->h.tags_n > 0 && f->h.tags[0].tpid == ETH_VLAN && f->h.tags[0].vid != 0;
    f->vid = tagged ? f->h.tags[0].vid : in->pvid;
    f->pcp = tagged ? f->h.tags[0].pcp : 0;
    size_t from = 12u + (tagged ? ETH_TAG_LEN : 0u);
    f->payload = span_of(pkt_data(p) + from, p->head.len - from);
    if (tagged ? !carries(in, f->vid) : in->pvid == 0)
        return DROP_SWITCH_VLAN;
    return DROP_NONE;
}

/* The frame as it leaves by that port. */
static struct pkt *build(struct world *w, const struct inside *f, const struct port *out)
{
    bool tag = carries_tagged(out, f->vid);
    bool fcs = out->wire && out->wire->dir[0].p.fcs;
    size_t len = 12u + (tag ? ETH_TAG_LEN : 0u) + f->payload.n;
    size_t whole = (len < ETH_MIN ? ETH_MIN : len) + (fcs ? ETH_FCS_LEN : 0u);
    struct pkt *q = pkt_new(&w->env, PKT_HEADROOM, whole);
    if (!q)
        return NULL;
    struct wr o = wr_of(pkt_data(q), whole);
    wr_mac(&o, &f->h.dst);
    wr_mac(&o, &f->h.src);
    if (tag) {
        wr_u16(&o, ETH_VLAN);
        wr_u16(&o, (uint16_t)((f->pcp << 13) | f->vid));
    }
    wr_bytes(&o, f->payload);
    if (len < ETH_MIN)
        wr_zeros(&o, ETH_MIN - len);
    if (fcs)
        wr_fcs(&o, eth_fcs(wr_span(&o)));
    return q;
}

static void send_by(struct world *w, const struct inside *f, const struct pkt *p, struct port *out,
                    uint64_t packet_id)
{
    struct pkt *q = build(w, f, out);
    if (!q)
        return;
    q->why = p->why;
    q->ev = p->ev;
    world_transmit(w, out, q, packet_id);
}

void switch_input(struct world *w, struct port *in, struct pkt *p, uint64_t packet_id)
{
    struct node *n = in->node;
    struct inside f;
    enum drop why = check_fcs(in, p);
    if (why == DROP_NONE)
        why = read_frame(in, p, &f);
    if (why != DROP_NONE) {
        pkt_drop(&w->env, p, why);
        return;
    }
    learn(n, &f.h.src, f.vid, in->index, w->env.now);
    struct fdb_entry *to = mac_is_group(&f.h.dst) ? NULL : fdb_find(n, &f.h.dst, f.vid);
    if (to && w->env.now - to->seen >= FDB_LIFE)
        to = NULL;
    if (to && to->port == in->index) {
        pkt_drop(&w->env, p, DROP_SWITCH_FILTERED);
        return;
    }
    for (uint8_t i = 0; i < n->ports_n; i++) {
        struct port *out = &n->ports[i];
        if (out != in && out->wire && carries(out, f.vid) && (!to || to->port == i))
            send_by(w, &f, p, out, packet_id);
    }
    pkt_free(p);
}
