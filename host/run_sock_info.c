/* TCP_INFO: what the stack tells of a connection, in Linux's struct. */
#define _GNU_SOURCE
#include "host/run_sock.h"

#include <linux/tcp.h>
#include <string.h>

static const uint8_t state_of[ORIEL_TCP_STATES] = {
    [ORIEL_TCP_CLOSED] = 7, [ORIEL_TCP_LISTEN] = 10, [ORIEL_TCP_SYN_SENT] = 2, [ORIEL_TCP_SYN_RCVD] = 3,
    [ORIEL_TCP_ESTABLISHED] = 1, [ORIEL_TCP_FIN_WAIT_1] = 4, [ORIEL_TCP_FIN_WAIT_2] = 5,
    [ORIEL_TCP_CLOSE_WAIT] = 8, [ORIEL_TCP_CLOSING] = 11, [ORIEL_TCP_LAST_ACK] = 9, [ORIEL_TCP_TIME_WAIT] = 6,
};

static void put_path(struct tcp_info *t, const struct oriel_tcp_info *o)
{
    t->tcpi_rto = o->rto_us;
    t->tcpi_ato = o->ato_us;
    t->tcpi_snd_mss = o->snd_mss;
    t->tcpi_rcv_mss = o->rcv_mss;
    t->tcpi_unacked = o->unacked;
    t->tcpi_sacked = o->sacked;
    t->tcpi_lost = o->lost;
    t->tcpi_retrans = o->retrans;
    t->tcpi_last_data_sent = o->last_data_sent_ms;
    t->tcpi_last_data_recv = o->last_data_recv_ms;
    t->tcpi_last_ack_recv = o->last_ack_recv_ms;
    t->tcpi_pmtu = o->pmtu;
    t->tcpi_rcv_ssthresh = o->rcv_ssthresh;
    t->tcpi_rtt = o->rtt_us;
    t->tcpi_rttvar = o->rttvar_us;
    t->tcpi_snd_ssthresh = o->snd_ssthresh;
    t->tcpi_snd_cwnd = o->snd_cwnd;
    t->tcpi_advmss = o->advmss;
    t->tcpi_reordering = o->reordering;
    t->tcpi_rcv_rtt = o->rcv_rtt_us;
    t->tcpi_rcv_space = o->rcv_space;
    t->tcpi_total_retrans = o->total_retrans;
    t->tcpi_min_rtt = o->min_rtt_us;
}

static void put_counts(struct tcp_info *t, const struct oriel_tcp_info *o)
{
    t->tcpi_pacing_rate = o->pacing_rate;
    t->tcpi_max_pacing_rate = o->max_pacing_rate;
    t->tcpi_bytes_acked = o->bytes_acked;
    t->tcpi_bytes_received = o->bytes_received;
    t->tcpi_segs_out = o->segs_out;
    t->tcpi_segs_in = o->segs_in;
    t->tcpi_notsent_bytes = o->notsent_bytes;
    t->tcpi_data_segs_in = o->data_segs_in;
    t->tcpi_data_segs_out = o->data_segs_out;
    t->tcpi_delivery_rate = o->delivery_rate;
    t->tcpi_busy_time = o->busy_us;
    t->tcpi_rwnd_limited = o->rwnd_limited_us;
    t->tcpi_sndbuf_limited = o->sndbuf_limited_us;
    t->tcpi_delivered = o->delivered;
    t->tcpi_delivered_ce = o->delivered_ce;
    t->tcpi_bytes_sent = o->bytes_sent;
    t->tcpi_bytes_retrans = o->bytes_retrans;
    t->tcpi_dsack_dups = o->dsack_dups;
    t->tcpi_reord_seen = o->reord_seen;
    t->tcpi_rcv_ooopack = o->rcv_ooopack;
    t->tcpi_snd_wnd = o->snd_wnd;
}

size_t rinfo_tcp(const struct rsock *s, void *buf, size_t cap)
{
    struct oriel_tcp_info o = {.state = ORIEL_TCP_CLOSED};
    struct tcp_info t = {0};
    size_t n = sizeof(t) < cap ? sizeof(t) : cap;
    if (s->h && oriel_tcp_info(s->run->stack, s->h, &o) < 0)
        o.state = ORIEL_TCP_CLOSED;
    t.tcpi_state = state_of[o.state];
    t.tcpi_ca_state = (uint8_t)o.ca_state;
    t.tcpi_retransmits = o.retransmits;
    t.tcpi_probes = o.probes;
    t.tcpi_backoff = o.backoff;
    t.tcpi_options = (uint8_t)((o.timestamps ? TCPI_OPT_TIMESTAMPS : 0) | (o.sack ? TCPI_OPT_SACK : 0) |
                               (o.wscale ? TCPI_OPT_WSCALE : 0) | (o.ecn ? TCPI_OPT_ECN : 0) |
                               (o.ecn_seen ? TCPI_OPT_ECN_SEEN : 0) | (o.syn_data ? TCPI_OPT_SYN_DATA : 0));
    t.tcpi_snd_wscale = (unsigned char)o.snd_wscale & 0xfu;
    t.tcpi_rcv_wscale = (unsigned char)o.rcv_wscale & 0xfu;
    t.tcpi_delivery_rate_app_limited = o.delivery_app_limited;
    put_path(&t, &o);
    put_counts(&t, &o);
    memcpy(buf, &t, n);
    return n;
}
