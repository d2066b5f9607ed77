#include "fuzz.h"

#include "wire/ndp.h"

/* As icmp6_parse leaves it: the type read, code and checksum passed over. */
static bool parse(struct rd *r, struct ndp_msg *h)
{
    uint8_t type = rd_u8(r);
    rd_skip(r, 3);
    return ndp_parse(r, type, h);
}

FUZZ_FORMAT(ndp, struct ndp_msg, parse(r, h), ndp_emit(w, h), ndp_print(t, h))
