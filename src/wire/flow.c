/* What a flow's frames begin with. */
#include "wire/flow.h"

static_assert(FLOW_LEARNED == FLOW_TCP_AT + 6, "the last two bytes belong to the sequence number");

bool flow_learn(struct flow_form *f, const uint8_t *began)
{
    const uint8_t *ip = began + FLOW_IP_AT;
    if (load_be16(began + ETH_HDR_LEN - 2) != ETH_IP4 || ip[0] != IP4_FIRST ||
        ip[IP4_AT_PROTO] != IP_TCP ||
        (load_be16(ip + IP4_AT_FRAGMENT) & (IP4_MF | IP4_OFF_MASK)) != 0)
        return false;
    for (unsigned i = 0; i < 5; i++)
        f->want[i] = flow_word(began, i);
    f->want[2] &= FLOW_SAME_2;
    f->want[3] &= FLOW_SAME_3;
    f->want[4] &= FLOW_SAME_4;
    uint64_t varies = csum_wide_add(flow_word(began, 2) & ~FLOW_SAME_2,
                                    flow_word(began, 3) & ~FLOW_SAME_3);
    /* Without what varies: its complement is added, as RFC 1624 has it. */
    f->ip_sum = csum_wide_add(csum_words(ip, IP4_HDR_LEN), ~varies);
    f->tcp_sum = csum_small(ip + IP4_AT_SRC, 8) + IP_TCP + csum_small(began + FLOW_TCP_AT, 4);
    return true;
}
