#include "fuzz.h"

#include "base/csum.h"
#include "wire/icmp6.h"

static const struct oriel_addr src = {0xfe80000000000000, 1, 0};
static const struct oriel_addr dst = {0xfe80000000000000, 2, 0};

static void seal(uint8_t *b, size_t n)
{
    struct wr w = wr_of(b, n);
    if (n < 4)
        return;
    b[2] = b[3] = 0;
    (void)wr_room(&w, n);
    icmp6_seal(&w, &src, &dst);
}

/* Messages of other types belong to ndp.h and mld.h, and are not emitted here. */
static void emit(struct wr *w, const struct icmp6_hdr *h, struct span rest)
{
    if (icmp6_is_error(h->type) || h->type == ICMP6_ECHO || h->type == ICMP6_ECHO_REPLY)
        icmp6_emit(w, h, &src, &dst, (uint32_t)(ICMP6_HDR_LEN + rest.n),
                   csum_span(&csum_portable, rest));
}

FUZZ_FORMAT_SEALED(icmp6, struct icmp6_hdr, seal(b, n), icmp6_parse(r, &src, &dst, h),
                   emit(w, h, rest), icmp6_print(t, h))
