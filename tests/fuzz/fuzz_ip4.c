/* The header, a walk over its options, and the same bytes taken for a quote in an ICMP error. */
#include "fuzz.h"

#include "base/csum.h"
#include "wire/ip4.h"

static void seal(uint8_t *b, size_t n)
{
    size_t hdr_len = n > 0 ? (b[0] & 15u) * 4 : 0;
    if (hdr_len < IP4_HDR_LEN || hdr_len > n)
        return;
    b[10] = b[11] = 0;
    uint16_t csum = csum_finish(csum_small(b, hdr_len));
    b[10] = (uint8_t)(csum >> 8);
    b[11] = (uint8_t)csum;
}

static void walk_options(const struct ip4_hdr *h)
{
    struct rd opts = rd_of(h->opts);
    struct ip4_opt_it it;
    unsigned n = 0;
    while (ip4_opt_next(&opts, &it)) {
        FUZZ_CHECK(++n <= IP4_OPTIONS_MAX);
        FUZZ_CHECK(it.data.p == it.at + 2);
        FUZZ_CHECK(it.data.p + it.data.n <= h->opts.p + h->opts.n);
    }
    FUZZ_CHECK(opts.bad == FAULT_NONE || opts.bad == FAULT_OPT_LEN);
}

static bool parse(struct rd *r, struct ip4_hdr *h)
{
    struct rd quote = *r;
    struct ip4_hdr quoted;
    bool quote_ok = ip4_parse_quoted(&quote, &quoted);
    if (quote_ok)
        walk_options(&quoted);
    bool ok = ip4_parse(r, h);
    FUZZ_CHECK(quote_ok || !ok);                /* a quote is checked less */
    return ok;
}

FUZZ_FORMAT_SEALED(ip4, struct ip4_hdr, seal(b, n), parse(r, h), ip4_emit(w, h), ip4_print(t, h))
