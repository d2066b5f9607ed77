#include "fuzz.h"

#include "base/csum.h"
#include "wire/icmp4.h"

static void seal(uint8_t *b, size_t n)
{
    if (n < ICMP4_HDR_LEN)
        return;
    b[2] = b[3] = 0;
    uint16_t csum = csum_finish(csum_small(b, n));
    b[2] = (uint8_t)(csum >> 8);
    b[3] = (uint8_t)csum;
}

FUZZ_FORMAT_SEALED(icmp4, struct icmp4_hdr, seal(b, n), icmp4_parse(r, h),
                   icmp4_emit(w, h, csum_span(&csum_portable, rest)), icmp4_print(t, h))
