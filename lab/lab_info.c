/* Numbers of struct oriel_tcp_info by the names that Linux gave them. */
#include "lab/lab_info.h"

#include "base/compiler.h"

#define NUMBER(name)                                                                               \
    {#name, (uint16_t)offsetof(struct oriel_tcp_info, name),                                       \
     (uint8_t)sizeof(((struct oriel_tcp_info *)0)->name)}

static const struct lab_info_field fields[] = {
    NUMBER(state), NUMBER(ca_state), NUMBER(retransmits), NUMBER(probes), NUMBER(backoff),
    NUMBER(timestamps), NUMBER(sack), NUMBER(wscale), NUMBER(ecn), NUMBER(ecn_seen),
    NUMBER(accurate_ecn), NUMBER(syn_data), NUMBER(delivery_app_limited), NUMBER(snd_wscale),
    NUMBER(rcv_wscale), NUMBER(fastopen_client_fail), NUMBER(rto_us), NUMBER(ato_us),
    NUMBER(snd_mss), NUMBER(rcv_mss), NUMBER(advmss), NUMBER(pmtu), NUMBER(unacked),
    NUMBER(sacked), NUMBER(lost), NUMBER(retrans), NUMBER(last_data_sent_ms),
    NUMBER(last_data_recv_ms), NUMBER(last_ack_recv_ms), NUMBER(rtt_us), NUMBER(rttvar_us),
    NUMBER(min_rtt_us), NUMBER(rcv_rtt_us), NUMBER(snd_ssthresh), NUMBER(snd_cwnd),
    NUMBER(cwnd_bytes), NUMBER(ssthresh_bytes), NUMBER(reordering), NUMBER(reord_seen),
    NUMBER(rcv_space), NUMBER(rcv_ssthresh), NUMBER(total_retrans), NUMBER(pacing_rate),
    NUMBER(max_pacing_rate), NUMBER(bytes_acked), NUMBER(bytes_received), NUMBER(bytes_sent),
    NUMBER(bytes_retrans), NUMBER(segs_out), NUMBER(segs_in), NUMBER(data_segs_in),
    NUMBER(data_segs_out), NUMBER(notsent_bytes), NUMBER(delivery_rate), NUMBER(busy_us),
    NUMBER(rwnd_limited_us), NUMBER(sndbuf_limited_us), NUMBER(delivered), NUMBER(delivered_ce),
    NUMBER(dsack_dups), NUMBER(rcv_ooopack), NUMBER(snd_wnd), NUMBER(rcv_wnd), NUMBER(rehash),
    NUMBER(total_rto), NUMBER(total_rto_recoveries), NUMBER(total_rto_time_ms),
    NUMBER(send_queue), NUMBER(recv_queue), NUMBER(sndbuf), NUMBER(rcvbuf), NUMBER(limit),
};

const struct lab_info_field *lab_info_field(size_t i)
{
    return i < ARRAY_LEN(fields) ? &fields[i] : NULL;
}

const struct lab_info_field *lab_info_named(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (span_is(name, fields[i].name))
            return &fields[i];
    return NULL;
}

uint64_t lab_info_value(const struct oriel_tcp_info *info, const struct lab_info_field *f)
{
    const char *at = (const char *)info + f->at;
    uint64_t v8 = 0;
    uint32_t v4 = 0;
    uint16_t v2 = 0;
    uint8_t v1 = 0;
    switch (f->size) {
    case 8: memcpy(&v8, at, 8); return v8;
    case 4: memcpy(&v4, at, 4); return v4;
    case 2: memcpy(&v2, at, 2); return v2;
    default: memcpy(&v1, at, 1); return v1;
    }
}
