#include "fuzz.h"

#include "wire/eth.h"

static void emit(struct wr *w, const struct eth_hdr *h)
{
    eth_emit(w, h);
    FUZZ_CHECK(wr_len(w) == eth_len(h));
}

FUZZ_FORMAT(eth, struct eth_hdr, eth_parse(r, h), emit(w, h), eth_print(t, h))
