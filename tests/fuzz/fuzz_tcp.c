#include "fuzz.h"

#include "wire/tcp.h"

/* The options are part of what is read: they may be at fault where the header is not. */
static bool parse(struct rd *r, struct tcp_hdr *h)
{
    if (!tcp_parse(r, h))
        return false;
    struct rd opts = rd_of(h->opts);
    struct tcp_opts o;
    if (!tcp_opts_parse(&opts, &o))
        FUZZ_CHECK(opts.bad == FAULT_OPT_LEN);
    FUZZ_CHECK(o.sack_n <= TCP_SACK_MAX);
    FUZZ_CHECK(o.fastopen.n <= TCP_COOKIE_MAX);
    return true;
}

FUZZ_FORMAT(tcp, struct tcp_hdr, parse(r, h), tcp_emit(w, h), tcp_print(t, h))
