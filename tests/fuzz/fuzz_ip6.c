/* The header, and then the whole chain of extension headers with the options in them. */
#include "fuzz.h"

#include "wire/ip6.h"

static void walk_options(const struct ip6_ext *e)
{
    struct ip6_opt_walk walk = ip6_opts(e);
    struct ip6_opt o;
    unsigned n = 0;
    while (ip6_opt_next(&walk, &o)) {
        FUZZ_CHECK(++n <= IP6_OPTS_MAX);
        FUZZ_CHECK(o.data.p == e->body.p + o.at);
        FUZZ_CHECK(o.data.p + o.data.n <= e->body.p + e->body.n);
    }
    FUZZ_CHECK(walk.r.bad == FAULT_NONE || walk.r.bad == FAULT_OPT_LEN ||
               walk.r.bad == FAULT_OPT_COUNT);
}

static void look_at_fragment(struct rd r)
{
    struct ip6_frag f;
    uint8_t b[IP6_FRAG_LEN];
    struct wr w = wr_of(b, sizeof(b));
    FUZZ_CHECK(ip6_frag_parse(&r, &f));
    ip6_frag_emit(&w, &f);
    FUZZ_CHECK(!w.bad && b[0] == f.next);
}

static void walk_chain(struct rd r, uint8_t type)
{
    for (unsigned n = 0; n < IP6_EXT_MAX && ip6_is_ext(type); n++) {
        struct rd at = r;
        struct ip6_ext e;
        struct ip6_routing routing;
        if (!ip6_ext_parse(&r, type, &e))
            return;
        FUZZ_CHECK(rd_left(&at) - rd_left(&r) == e.body.n + 2);
        FUZZ_CHECK(ip6_routing_parse(&e, &routing) == (type == IP_ROUTING));
        if (type == IP_FRAGMENT)
            look_at_fragment(at);
        else
            walk_options(&e);
        type = e.next;
    }
}

static bool parse(struct rd *r, struct ip6_hdr *h)
{
    struct rd quote = *r;
    struct ip6_hdr quoted;
    bool quote_ok = ip6_parse_quoted(&quote, &quoted);
    if (quote_ok)
        walk_chain(quote, quoted.next);
    bool ok = ip6_parse(r, h);
    FUZZ_CHECK(quote_ok || !ok);                /* a quote is checked less */
    return ok;
}

FUZZ_FORMAT(ip6, struct ip6_hdr, parse(r, h), ip6_emit(w, h), ip6_print(t, h))
