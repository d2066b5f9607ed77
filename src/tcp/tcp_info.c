/* STATUS (RFC 9293, 3.9.1.6): everything that Linux tells in struct tcp_info, and more. */
#include "tcp/tcp.h"

static uint32_t us(uint64_t ns)
{
    uint64_t v = ns / NS_PER_US;
    return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static uint32_t ago_ms(const struct tcp *t, uint32_t at_ms)
{
    return (uint32_t)(t->env->now / NS_PER_MS) - at_ms;
}

static uint32_t segments(const struct tcp_conn *c, uint32_t bytes)
{
    return c->snd.mss ? (bytes + c->snd.mss - 1) / c->snd.mss : 0;
}

static void windows(const struct tcp *t, const struct tcp_conn *c, struct oriel_tcp_info *o)
{
    bool never = !c->flight && c->cc_idle.cwnd == 0;
    uint32_t cwnd = c->flight ? c->flight->cc.cwnd : c->cc_idle.cwnd;
    uint32_t ssthresh = c->flight ? c->flight->cc.ssthresh : c->cc_idle.ssthresh;
    if (never) {
        unsigned iw = (c->is & TCP_IS_SYN_LOST) ? 1 : t->set.initial_window;
        cwnd = c->snd.mss ? cc_initial_window(c->snd.mss, iw) : 0;
        ssthresh = CC_SSTHRESH_NONE;
    }
    o->cwnd_bytes = cwnd;
    o->ssthresh_bytes = ssthresh;
    o->snd_cwnd = c->snd.mss ? cwnd / c->snd.mss : 0;
    o->snd_ssthresh = ssthresh == CC_SSTHRESH_NONE ? INT32_MAX : segments(c, ssthresh);
    o->congestion = cc_ops_of((enum cc_kind)(c->flight ? c->flight->cc.kind : c->prof->cc))->name;
}

static void flight(const struct tcp_conn *c, struct oriel_tcp_info *o)
{
    const struct tcp_flight *f = c->flight;
    o->ca_state = (enum oriel_tcp_ca)tcp_recovery_state(c);
    if (!f)
        return;
    o->unacked = segments(c, (uint32_t)seq_diff(c->snd.una, c->snd.nxt));
    o->sacked = segments(c, f->sent.sacked_bytes);
    o->lost = segments(c, f->sent.lost_bytes);
    o->retrans = segments(c, f->sent.resent_bytes);
    o->pacing_rate = tcp_pacing(c) == CC_UNPACED ? UINT64_MAX : tcp_pacing(c);
    o->reord_seen = f->rack.reordering_seen;
    o->send_queue = f->sndq.len;
    o->delivery_app_limited = f->sent.app_limited != 0;
}

static void times(const struct tcp *t, const struct tcp_conn *c, struct oriel_tcp_info *o)
{
    o->rto_us = us(tcp_rto(t, c));
    o->ato_us = us(t->set.delack);
    o->rtt_us = c->rtt.srtt_us8 / 8;
    o->rttvar_us = c->rtt.rttvar_us4 / 4;
    o->min_rtt_us = c->rtt.min_us;
    o->rcv_rtt_us = c->tune.rtt_us;
    o->last_data_sent_ms = ago_ms(t, c->timer.tx_ms);
    o->last_data_recv_ms = o->last_ack_recv_ms = ago_ms(t, c->timer.rx_ms);
    o->rto_at = c->timer.rtx_at;
    o->delack_at = c->timer.delack_at;
}

static void agreed(const struct tcp_conn *c, struct oriel_tcp_info *o)
{
    o->timestamps = (c->is & TCP_IS_TS) != 0;
    o->sack = (c->is & TCP_IS_SACK) != 0;
    o->wscale = (c->is & TCP_IS_WSCALE) != 0;
    o->ecn = (c->is & (TCP_IS_ECN | TCP_IS_ACCECN)) != 0;
    o->accurate_ecn = (c->is & TCP_IS_ACCECN) != 0;
    o->ecn_seen = c->stat.delivered_ce > 0;
    o->syn_data = (c->is & TCP_IS_TFO) != 0;
    o->snd_wscale = c->snd_wscale;
    o->rcv_wscale = c->rcv.wscale;
}

/* Bytes of the application that are not acknowledged: SYN and FIN are none. */
static uint32_t unacknowledged(const struct tcp_conn *c)
{
    uint32_t n = (uint32_t)seq_diff(c->snd.una, c->snd.nxt);
    bool syn = seq_eq(c->snd.una, c->iss) && c->stat.bytes_acked == 0;
    bool fin = (c->is & TCP_IS_FIN_SENT) != 0;
    return n == 0 ? 0 : n - syn - fin;
}

static void counters(const struct tcp_conn *c, struct oriel_tcp_info *o)
{
    o->total_retrans = c->stat.rtx;
    o->bytes_acked = c->stat.bytes_acked;
    o->bytes_received = c->stat.bytes_in;
    o->bytes_retrans = c->stat.bytes_rtx;
    o->bytes_sent = c->stat.bytes_acked + c->stat.bytes_rtx + unacknowledged(c);
    o->segs_out = c->stat.segs_out;
    o->segs_in = c->stat.segs_in;
    o->data_segs_in = c->stat.data_in;
    o->data_segs_out = c->stat.data_out;
    o->delivered = c->stat.delivered;
    o->delivered_ce = c->stat.delivered_ce;
    o->dsack_dups = c->stat.dsacks;
    o->rcv_ooopack = c->stat.ooo;
    o->total_rto = c->stat.rtos;
    o->retransmits = c->rtt.rtx_n;
    o->backoff = c->rtt.backoff;
    o->probes = c->out.probes;
}

static void limits(const struct tcp *t, const struct tcp_conn *c, struct oriel_tcp_info *o)
{
    o->limit = (enum oriel_tcp_limit)c->stat.limit;
    for (unsigned l = 0; l < ORIEL_LIMIT_N; l++)
        o->limit_ns[l] = tcp_limit_ns(t, c, (enum oriel_tcp_limit)l);
    o->rwnd_limited_us = o->limit_ns[ORIEL_LIMIT_PEER_WINDOW] / NS_PER_US;
    o->sndbuf_limited_us = o->limit_ns[ORIEL_LIMIT_SEND_BUFFER] / NS_PER_US;
    for (unsigned l = 0; l < ORIEL_LIMIT_N; l++)
        if (l != ORIEL_LIMIT_APPLICATION && l != ORIEL_LIMIT_HANDSHAKE)
            o->busy_us += o->limit_ns[l] / NS_PER_US;
}

void tcp_info(struct tcp *t, const struct tcp_conn *c, struct oriel_tcp_info *o)
{
    const struct tcp_path *p = NULL;
    *o = (struct oriel_tcp_info){.state = (enum oriel_tcp_state)c->state};
    if (c->tuple.remote_port != 0)
        p = tcp_path_of(t, &c->tuple, c->prof->ttl, c->prof->tos, c->prof->bind_nif);
    o->snd_mss = c->snd.mss;
    o->rcv_mss = c->rcv.mss;
    o->advmss = p ? tcp_mss_offer(t, &c->tuple, c->prof->bind_nif) : 0;
    o->pmtu = p ? p->path.mtu : 0;
    o->max_pacing_rate = c->prof->max_pacing_bps ? c->prof->max_pacing_bps : UINT64_MAX;
    o->pacing_rate = UINT64_MAX;
    o->reordering = t->set.dupthresh;
    windows(t, c, o);
    flight(c, o);
    times(t, c, o);
    agreed(c, o);
    counters(c, o);
    limits(t, c, o);
    o->notsent_bytes = tcp_unsent(c);
    o->snd_wnd = c->snd.wnd;
    o->rcv_wnd = (uint32_t)seq_diff(c->rcv.nxt, c->rcv.adv);
    o->rcv_space = c->rcv.buf;
    o->rcv_ssthresh = c->rcv.buf;
    o->iss = c->iss.v;
    o->irs = c->irs.v;
    o->snd_una = c->snd.una.v;
    o->snd_nxt = c->snd.nxt.v;
    o->rcv_nxt = c->rcv.nxt.v;
    o->recv_queue = c->rcv.unread;
    o->sndbuf = tcp_sndbuf(t, c);
    o->rcvbuf = c->rcv.buf;
}
