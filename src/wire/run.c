/*
 * What a run looks like.
 *
 * The headers are compared as words in the order of the machine; a mask leaves out what may differ,
 * and in the two words with the network's lengths and checksum it is not even needed for a frame as
 * long as the last one: what was found of these fields once is true of the same bytes.
 *
 * Sums are kept without those fields and completed with the new ones (RFC 1071): IPv4's header in
 * the order of the machine, where its three fields are two loads, TCP's as its value is read. Either
 * way a sum is right when ffff divides it, whatever the order.
 */
#include "wire/run.h"

#define AT_ETH_TYPE  12

/* Flags of segments in a run, whatever else says the word that they stand in. */
#define FLAGS_CONTROL (TCP_FIN | TCP_SYN | TCP_RST | TCP_URG)

/* Bytes that may differ, in a copy of the headers. */
static void leave_out(uint8_t *bytes, size_t at, size_t n)
{
    memset(bytes + at, 0, n);
}

/* The network header's kind and length; false: it makes no run. */
static bool learn_net(struct wire_run *run, struct span head)
{
    const uint8_t *net = head.p + ETH_HDR_LEN;
    uint16_t type = load_be16(head.p + AT_ETH_TYPE);
    if (type == ETH_IP4) {
        run->v4 = true;
        run->tcp_at = ETH_HDR_LEN + IP4_HDR_LEN;
        return net[0] == IP4_FIRST && net[IP4_AT_PROTO] == IP_TCP &&
               (load_be16(net + IP4_AT_FRAGMENT) & (IP4_MF | IP4_OFF_MASK)) == 0;
    }
    run->v4 = false;
    run->tcp_at = ETH_HDR_LEN + IP6_HDR_LEN;
    return type == ETH_IP6 && head.n >= ETH_HDR_LEN + IP6_HDR_LEN + TCP_HDR_LEN &&
           net[0] >> 4 == 6 && net[IP6_AT_NEXT] == IP_TCP;
}

static bool learn_tcp(struct wire_run *run, struct span head)
{
    const uint8_t *tcp = head.p + run->tcp_at;
    uint16_t flags = load_be16(tcp + TCP_AT_FLAGS);
    size_t len = (size_t)(flags >> 12) * 4;
    run->hdr_len = (uint16_t)(run->tcp_at + len);
    return len >= TCP_HDR_LEN && run->hdr_len <= head.n && (flags & TCP_ACK) != 0 &&
           (flags & FLAGS_CONTROL) == 0;
}

static void learn_words(struct wire_run *run, const uint8_t *want, const uint8_t *mask)
{
    const unsigned words = (run->hdr_len + 7u) / 8;
    for (unsigned i = 0; i < words; i++) {
        size_t at = i + 1u < words ? (size_t)i * 8 : run->hdr_len - (size_t)8;
        run->want[i] = csum_load(want + at);
        run->mask[i] = csum_load(mask + at);
    }
}

/* Sums of the headers without what was left out of them. */
static void learn_sums(struct wire_run *run, const uint8_t *want)
{
    const uint8_t *net = want + ETH_HDR_LEN, *tcp = want + run->tcp_at;
    size_t tcp_len = (size_t)run->hdr_len - run->tcp_at;
    size_t addrs_at = ETH_HDR_LEN + (size_t)(run->v4 ? IP4_AT_SRC : IP6_AT_SRC);
    uint32_t addrs = csum_small(want + addrs_at, run->tcp_at - addrs_at);
    uint64_t words = run->v4 ? csum_words(net, IP4_HDR_LEN) : 0;
    run->ip_sum = (words >> 32) + (uint32_t)words;      /* with room for carries */
    run->tcp_sum = (uint64_t)addrs + IP_TCP + csum_small(tcp, tcp_len);
}

/* Is it as what is known already, in all that must be? */
static bool is_known(const struct wire_run *run, struct span head)
{
    if (run->hdr_len == 0 || head.n < run->hdr_len)
        return false;
    uint64_t differ = run_differ(run, head.p, run->hdr_len);
    for (unsigned i = 0; i < 4; i++)
        differ |= run_word(run, head.p, i, (size_t)i * 8) & run->mask[i];
    return differ == 0;
}

/* Another kind of frame. */
static bool learn(struct wire_run *run, struct span head)
{
    uint8_t want[RUN_HDR_MAX], mask[RUN_HDR_MAX];
    if (head.n < RUN_HDR_MIN || !learn_net(run, head) || !learn_tcp(run, head))
        return false;
    memcpy(want, head.p, run->hdr_len);
    memset(mask, 0xff, run->hdr_len);
    size_t net = ETH_HDR_LEN, tcp = run->tcp_at;
    if (run->v4) {
        leave_out(mask, net + IP4_AT_TOTAL_LEN, 2);
        leave_out(mask, net + IP4_AT_ID, 2);
        leave_out(mask, net + IP4_AT_CSUM, 2);
    } else {
        leave_out(mask, net + IP6_AT_PAYLOAD_LEN, 2);
    }
    leave_out(mask, tcp + TCP_AT_SEQ, 4);
    leave_out(mask, tcp + TCP_AT_CSUM, 2);
    mask[tcp + TCP_AT_FLAGS + 1] = (uint8_t)~TCP_PSH;
    for (size_t i = 0; i < run->hdr_len; i++)
        want[i] &= mask[i];
    learn_words(run, want, mask);
    learn_sums(run, want);
    run->frame_len = 0;                 /* none has matched yet */
    return true;
}

bool run_learn(struct wire_run *run, struct span head, size_t frame_max)
{
    uint32_t max = (uint32_t)(frame_max < UINT32_MAX ? frame_max : UINT32_MAX);
    if (run->frame_max == max && is_known(run, head))
        return true;
    if (!learn(run, head)) {
        run->hdr_len = 0;
        return false;
    }
    run->frame_max = max;
    return true;
}

/* What the network's header says of its length, from itself on; 0: its checksum is wrong. */
static uint32_t length_of(const struct wire_run *run, const uint8_t *net)
{
    uint32_t len_and_id;
    uint16_t csum;
    if (!run->v4)
        return IP6_HDR_LEN + (uint32_t)load_be16(net + IP6_AT_PAYLOAD_LEN);
    memcpy(&len_and_id, net + IP4_AT_TOTAL_LEN, sizeof(len_and_id));
    memcpy(&csum, net + IP4_AT_CSUM, sizeof(csum));
    bool good = csum_wide_good(run->ip_sum + len_and_id + csum);
    return good ? load_be16(net + IP4_AT_TOTAL_LEN) : 0;
}

bool run_other(struct wire_run *run, const uint8_t *b, size_t frame_len)
{
    uint64_t differ = run_word(run, b, 0, 0) | run_word(run, b, 1, 8) |
                      (run_word(run, b, 2, 16) & run->mask[2]) |
                      (run_word(run, b, 3, 24) & run->mask[3]);
    if ((differ | run_differ(run, b, run->hdr_len)) != 0 || frame_len > run->frame_max)
        return false;
    uint32_t end = ETH_HDR_LEN + length_of(run, b + ETH_HDR_LEN);
    if (end <= run->hdr_len || end > frame_len)
        return false;
    run->want[2] = csum_load(b + 16);
    run->want[3] = csum_load(b + 24);
    run->frame_len = frame_len;
    run->len = end - run->hdr_len;
    run->sum = run->tcp_sum + (end - run->tcp_at);
    return true;
}
