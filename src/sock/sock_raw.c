/*
 * Raw ICMP sockets: what ping and traceroute stand on.
 *
 * A socket sends whole messages (its checksum is filled in) and hears every message that the stack
 * itself does not consume: answers, and errors about messages of its own family. It sorts them itself
 * by identifier, as raw sockets do everywhere.
 */
#include "sock/sock.h"

#include "wire/icmp4.h"
#include "wire/icmp6.h"

#define ICMP_DATA_MAX (65535 - 20)

void raw_free(struct socks *ss, struct raw_pcb *c)
{
    pkt_queue_drop(ss->env, &c->rcv, DROP_SOCK_CLOSED);
    list_remove(&c->node);
    pool_put(&ss->raw_pool, c);
}

/* ---- in ---- */

static bool wants(const struct raw_pcb *c, const struct ip_rx *rx, bool foreign)
{
    const struct oriel_addr none = ADDR_NONE;
    return (c->any_addr || !foreign) && addr_is_v4(&rx->dst) == (c->family == ORIEL_IP4) &&
           (c->bind_nif == 0 || c->bind_nif == rx->nif) &&
           (addr_same_bits(&c->local, &none) || addr_eq(&c->local, &rx->dst)) &&
           (addr_same_bits(&c->remote, &none) || addr_eq(&c->remote, &rx->src));
}

static void queue(struct socks *ss, struct raw_pcb *c, struct pkt *p)
{
    uint64_t charge = (uint64_t)p->charge * 256;
    if (c->rcv_charge + charge > c->rcv_max && c->rcv.n > 0) {
        c->dropped++;
        pkt_drop(ss->env, p, DROP_SOCK_RCVBUF);
        return;
    }
    c->rcv_charge += charge;
    c->in_pkts++;
    c->in_bytes += pkt_len(p) - p->l4;
    c->dirty = true;
    pkt_enqueue(&c->rcv, p);
}

bool raw_stands_in(const struct socks *ss, const struct ip_rx *rx)
{
    LIST_EACH(node, &ss->raws)
        if (wants(CONTAINER_OF(node, struct raw_pcb, node), rx, true))
            return true;
    return false;
}

void raw_input(struct socks *ss, struct pkt *p, const struct ip_rx *rx)
{
    bool heard = false, foreign = !rx->to_group && ip_is_foreign(ss->ip, &rx->dst);
    LIST_EACH(node, &ss->raws) {
        struct raw_pcb *c = CONTAINER_OF(node, struct raw_pcb, node);
        if (!wants(c, rx, foreign))
            continue;
        struct pkt *copy = pkt_share(ss->env, p);
        heard = true;
        if (copy)
            queue(ss, c, copy);
        else
            pkt_drop_note(ss->env, p, DROP_NO_MEMORY);
    }
    if (heard)
        pkt_free(p);
    else
        pkt_drop(ss->env, p, DROP_RAW_NO_SOCKET);
}

bool raw_owns(const struct socks *ss, const struct fact *f)
{
    bool v4 = addr_is_v4(&f->remote.addr);
    if (f->proto != (v4 ? IP_ICMP : IP_ICMP6))
        return false;
    LIST_EACH(node, &ss->raws) {
        const struct raw_pcb *c = CONTAINER_OF(node, struct raw_pcb, node);
        if ((c->family == ORIEL_IP4) == v4)
            return true;
    }
    return false;
}

void raw_on_error(struct socks *ss, const struct fact *f)
{
    bool v4 = addr_is_v4(&f->remote.addr);
    LIST_EACH(node, &ss->raws) {
        struct raw_pcb *c = CONTAINER_OF(node, struct raw_pcb, node);
        if ((c->family == ORIEL_IP4) != v4)
            continue;
        c->last = (struct udp_error){.err = f->err, .icmp_type = f->icmp_type,
                                     .icmp_code = f->icmp_code, .from_net = f->from_net,
                                     .from = f->from, .to = f->remote, .mtu = f->mtu,
                                     .count = c->last.count + 1};
        if (!f->from_net)
            c->error = f->err;  /* what the network says arrives as a message */
        c->dirty = true;
        TRACE(ss->env, EV_SOCK_ERROR, c->member, -f->err);
    }
}

static void describe(const struct pkt *p, bool v4, struct oriel_msg *msg)
{
    struct rd r = pkt_rd(p, p->l3);
    struct ip4_hdr h4;
    struct ip6_hdr h6;
    *msg = (struct oriel_msg){.netif = p->nif, .arrival = p->arrival};
    if (v4 && ip4_parse_quoted(&r, &h4)) {
        msg->peer.addr = h4.src;
        msg->local = h4.dst;
        msg->ttl = h4.ttl;
        msg->tos = h4.tos;
    } else if (!v4 && ip6_parse_quoted(&r, &h6)) {
        msg->peer.addr = h6.src;
        msg->local = h6.dst;
        msg->ttl = h6.hop_limit;
        msg->tos = h6.tclass;
        if (addr_is_link_local(&h6.src))
            msg->peer.addr.zone = p->nif;
    }
}

int raw_recv(struct socks *ss, struct raw_pcb *c, void *buf, size_t cap, struct oriel_msg *msg)
{
    (void)ss;
    if (c->error) {
        int err = c->error;
        c->error = 0;
        return err;
    }
    struct pkt *p = pkt_dequeue(&c->rcv);
    if (!p)
        return ORIEL_EAGAIN;
    size_t len = pkt_len(p) - p->l4;
    size_t n = len < cap ? len : cap;
    pkt_read(p, p->l4, buf, n);
    if (msg) {
        describe(p, c->family == ORIEL_IP4, msg);
        msg->len = len;
        msg->truncated = n < len;
    }
    c->rcv_charge -= (uint64_t)p->charge * 256;
    pkt_free(p);
    return (int)n;
}

/* ---- out ---- */

/* The message's checksum, over what the application gave with the field read as zero. */
static void seal(struct socks *ss, struct pkt *p, const struct ip_path *path, bool v4)
{
    size_t len = pkt_len(p);
    struct wr w = wr_of(pkt_data(p), len);
    (void)wr_room(&w, len);
    wr_patch_u16(&w, 2, 0);
    uint32_t sum = pkt_sum(ss->env, p, 0, len);
    if (!v4)
        sum = csum_add(sum, csum_pseudo(&path->src, &path->dst, IP_ICMP6, (uint32_t)len));
    wr_patch_u16(&w, 2, csum_finish(sum));
}

int raw_send(struct socks *ss, struct raw_pcb *c, struct span data, const struct oriel_msg *msg)
{
    const struct oriel_addr none = ADDR_NONE;
    const struct oriel_addr *to = msg && !addr_same_bits(&msg->peer.addr, &none) ? &msg->peer.addr
                                                                                 : &c->remote;
    const struct oriel_addr *src = msg && !addr_same_bits(&msg->local, &none) ? &msg->local
                                                                              : &c->local;
    bool v4 = c->family == ORIEL_IP4;
    struct ip_path path;
    if (addr_same_bits(to, &none))
        return ORIEL_ENOTCONN;
    if (addr_is_v4(to) != v4)
        return ORIEL_EAFNOSUPPORT;
    if (data.n < 8)
        return ORIEL_EINVAL;            /* no ICMP message is shorter */
    if (data.n > ICMP_DATA_MAX)
        return ORIEL_EMSGSIZE;
    if (!c->any_addr && !addr_is_unspecified(src) && ip_is_foreign(ss->ip, src))
        return ORIEL_EADDRNOTAVAIL;
    uint16_t nif = msg && msg->netif ? (uint16_t)msg->netif : c->bind_nif;
    int err = ip_path_find(ss->ip, to, src, nif, &path);
    if (err)
        return err;
    if (path.broadcast && !c->broadcast)
        return ORIEL_EACCES;
    if (c->df == 2)
        path.mtu = path.nif->mtu;
    struct pkt *p = pkt_new_copy(ss->env, PKT_HEADROOM, data);
    if (!p)
        return ORIEL_ENOBUFS;
    seal(ss, p, &path, v4);
    struct ip_tx tx = {.proto = v4 ? IP_ICMP : IP_ICMP6, .df = c->df != 0,
                       .tos = msg && msg->tos ? msg->tos : c->tos,
                       .ttl = msg && msg->ttl ? msg->ttl : path.group ? c->mcast_ttl : c->ttl};
    err = ip_output(ss->ip, p, &path, &tx, WHY_RAW_DATA);
    if (err)
        return err;
    c->out_pkts++;
    c->out_bytes += data.n;
    return (int)data.n;
}
