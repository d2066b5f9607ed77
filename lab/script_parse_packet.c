/*
 * A packet of a script, as a line has it:
 *
 *     < [ect0] S 0:0(0) ack 1 win 32792 <mss 1460,nop,wscale 7> why NAME
 *     > udp (1000)            < 5000 > 8080 . 1:1(0) ack 1 win 257
 *     < [1:1461(1460)] icmp unreachable frag_needed mtu 1200
 *
 * What is about IP stands in brackets before the rest, then which ends the packet has where there
 * is more than one connection, then the transport. What a line does not say of a packet that leaves
 * is not compared, but for TCP options: without <...> there must be none.
 */
#include "lab/script_text.h"

#include "wire/tcp.h"

/* ---- brackets: IP, or what an ICMP message quotes ---- */

static bool ecn_word(struct sp *p, struct script_packet *k)
{
    static const struct {
        const char *word;
        uint8_t bits;
    } words[] = {{"noecn", 0}, {"ect1", 1}, {"ect0", 2}, {"ce", 3}};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (sp_take(p, words[i].word)) {
            k->tos_check = SCRIPT_TOS_ECN;
            k->tos = words[i].bits;
            return true;
        }
    return false;
}

static bool ip_word(struct sp *p, struct script_packet *k)
{
    static const char expected[] = "ect0, ect1, ce, noecn, tos N, ttl N, flowlabel N, badcsum or a "
                                   "quoted packet, 1:2(1)";
    uint64_t v;
    if (ecn_word(p, k))
        return true;
    if (sp_take(p, "tos")) {
        k->tos_check = SCRIPT_TOS_ALL;
        return sp_u8(p, &k->tos, "a traffic class, 0 to 255");
    }
    if (sp_take(p, "ttl")) {
        k->has_ttl = true;
        return sp_u8(p, &k->ttl, "a hop limit, 0 to 255");
    }
    if (sp_take(p, "flowlabel")) {
        k->has_flow = true;
        p->s->needs6 = true;
        if (!sp_uint(p, 0xfffff, &v, "a flow label, 0 to 0xfffff"))
            return false;
        k->flow = (uint32_t)v;
        return true;
    }
    if (k->in && sp_take(p, "badcsum")) {
        k->bad_csum = true;
        return true;
    }
    return sp_fail_word(p, sp_token(p), expected, "ect0 ect1 ce noecn tos ttl flowlabel badcsum");
}

bool sp_seq(struct sp *p, uint32_t *seq, uint32_t *len)
{
    uint32_t end = 0;
    uint64_t n = 0;
    struct span from = sp_token(p);
    if (!sp_u32(p, seq, "sequence numbers, such as 1:1001(1000)") || !sp_need(p, ":") ||
        !sp_u32(p, &end, "the sequence number behind the last byte") || !sp_need(p, "(") ||
        !sp_uint(p, SCRIPT_PAYLOAD_MAX, &n, "a number of bytes, at most 65535") || !sp_need(p, ")"))
        return false;
    *len = (uint32_t)n;
    if (end - *seq != *len)
        return sp_fail_at(p, span_of(from.p, (size_t)(p->last - from.p)),
                          "an end that is as many bytes after the beginning as the length says");
    return true;
}

static bool quote(struct sp *p, struct script_packet *k)
{
    uint64_t n = 0;
    k->icmp.quotes = true;
    if (!sp_take(p, "udp")) {
        k->icmp.quoted = SCRIPT_TCP;
        return sp_seq(p, &k->seq, &k->len);
    }
    k->icmp.quoted = SCRIPT_UDP;
    if (!sp_need(p, "(") || !sp_uint(p, SCRIPT_PAYLOAD_MAX, &n, "a number of bytes") ||
        !sp_need(p, ")"))
        return false;
    k->len = (uint32_t)n;
    return true;
}

/* An address in brackets is no bracket of these: behind it comes a colon. */
static bool is_address_bracket(struct sp *p)
{
    sp_skip(p);
    const uint8_t *c = p->at;
    while (c < p->end && *c != ']' && *c != '\n')
        c++;
    return p->end - c >= 2 && c[0] == ']' && c[1] == ':';
}

static bool brackets(struct sp *p, struct script_packet *k)
{
    while (!p->bad && ((sp_sees(p, "[") && !is_address_bracket(p)) || sp_sees(p, "("))) {
        bool round = sp_take(p, "(");
        if (!round && !sp_need(p, "["))
            return false;
        bool quoting = !round && (sp_sees_digit(p) || sp_sees(p, "udp"));
        do {
            if (!(quoting ? quote(p, k) : ip_word(p, k)))
                return false;
        } while (!quoting && sp_take(p, ","));
        if (!sp_need(p, round ? ")" : "]"))
            return false;
    }
    return !p->bad;
}

/* ---- ends: 8080, 192.0.2.1:8080, [2001:db8::1]:8080 ---- */

static bool is_addr_char(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == '.' || c == ':';
}

/* Length of the IPv4 address that stands here with a colon behind it; 0: it is a port. */
static size_t v4_length(struct sp *p)
{
    size_t n = 0, dots = 0;
    sp_skip(p);
    for (; n < (size_t)(p->end - p->at) && is_addr_char(p->at[n]) && p->at[n] != ':'; n++)
        dots += p->at[n] == '.';
    return dots == 3 && n < (size_t)(p->end - p->at) && p->at[n] == ':' ? n : 0;
}

static bool side(struct sp *p, struct script_side *e)
{
    static const char expected[] = "a port, or an address and a port";
    struct span text;
    if (sp_take(p, "[")) {
        if (!sp_until(p, "]", &text, expected) || !sp_addr(p, text, &e->addr) || !sp_need(p, ":"))
            return false;
        e->has_addr = true;
    } else if (v4_length(p) > 0) {
        if (!sp_until(p, ":", &text, expected) || !sp_addr(p, text, &e->addr))
            return false;
        e->has_addr = true;
    }
    e->has_port = true;
    return sp_u16(p, &e->port, expected);
}

/* Ends begin with a digit or a bracket; flags may be a digit only behind another flag. */
static bool sides(struct sp *p, struct script_packet *k)
{
    if (!sp_sees_digit(p) && !sp_sees(p, "["))
        return true;
    k->has_sides = true;
    return side(p, &k->src) && sp_need(p, ">") && side(p, &k->dst);
}

/* ---- transports ---- */

static bool flags(struct sp *p, struct script_packet *k)
{
    static const struct {
        uint8_t letter;
        uint16_t flag;
    } letters[] = {
        {'F', TCP_FIN}, {'S', TCP_SYN}, {'R', TCP_RST}, {'P', TCP_PSH}, {'.', TCP_ACK},
        {'U', TCP_URG}, {'E', TCP_ECE}, {'W', TCP_CWR}, {'A', TCP_AE},  {'-', 0},
    };
    sp_skip(p);
    size_t n = 0;
    for (; p->at + n < p->end && p->at[n] > ' '; n++) {
        uint8_t c = p->at[n];
        size_t i = 0;
        while (i < ARRAY_LEN(letters) && letters[i].letter != c)
            i++;
        if (i < ARRAY_LEN(letters))
            k->flags |= letters[i].flag;
        else if (c >= '0' && c <= '7')          /* the three bits of RFC 9768 as a number */
            k->flags |= (uint16_t)((c & 4 ? TCP_AE : 0) | (c & 2 ? TCP_CWR : 0) |
                                   (c & 1 ? TCP_ECE : 0));
        else
            return sp_fail(p, "flags of TCP (S F R P . U E W A, 0 to 7 for ACE, - for none), udp, "
                              "udplite or icmp");
    }
    if (n == 0)
        return sp_fail(p, "a packet");
    sp_took(p, n);
    return true;
}

static bool tcp_words(struct sp *p, struct script_packet *k)
{
    for (;;) {
        if (!k->has_ack && sp_take(p, "ack")) {
            k->has_ack = true;
            if (!sp_u32(p, &k->ack, "an acknowledgement number"))
                return false;
        } else if (!k->has_win && sp_take(p, "win")) {
            k->has_win = true;
            if (!sp_u16(p, &k->win, "a window, 0 to 65535, as it stands in the header"))
                return false;
        } else if (!k->has_urg && sp_take(p, "urg")) {
            k->has_urg = true;
            if (!sp_u16(p, &k->urg, "an urgent pointer, 0 to 65535"))
                return false;
        } else {
            return !p->bad;
        }
    }
}

static bool tcp(struct sp *p, struct script_packet *k)
{
    k->proto = SCRIPT_TCP;
    if (!flags(p, k) || !sp_seq(p, &k->seq, &k->len) || !tcp_words(p, k))
        return false;
    if (sp_take(p, "<") && !sp_tcp_options(p, k))
        return false;
    return true;
}

static bool udp(struct sp *p, struct script_packet *k)
{
    uint64_t n = 0, cover = 0;
    k->proto = p->last[-1] == 'e' ? SCRIPT_UDPLITE : SCRIPT_UDP;
    if (!k->has_sides && !sides(p, k))
        return false;
    if (!sp_need(p, "(") || !sp_uint(p, SCRIPT_PAYLOAD_MAX - 8, &n, "a number of bytes"))
        return false;
    k->len = (uint32_t)n;
    if (k->proto == SCRIPT_UDPLITE) {
        if (!sp_need(p, ",") || !sp_uint(p, UINT16_MAX, &cover, "bytes that the checksum covers"))
            return false;
        k->cover = (uint16_t)cover;
    }
    return sp_need(p, ")");
}

static bool transport(struct sp *p, struct script_packet *k)
{
    if (sp_take(p, "udp") || sp_take(p, "udplite"))
        return udp(p, k);
    bool v6_word = sp_sees(p, "icmpv6");
    if (v6_word || sp_sees(p, "icmp")) {
        (void)(sp_take(p, "icmpv6") || sp_take(p, "icmp"));
        k->proto = SCRIPT_ICMP;
        return sp_icmp(p, k, v6_word);
    }
    if (k->icmp.quotes)
        return sp_fail(p, "icmp or icmpv6, whose message quotes a packet");
    return tcp(p, k);
}

/* ---- reasons ---- */

static const char *near_reason(struct span name, bool drops)
{
    const char *near = NULL;
    unsigned best = 4, count = drops ? DROP_N : WHY_N;
    for (unsigned i = 1; i < count; i++) {
        const char *known = drops ? drop_of((enum drop)i)->name : why_of((enum why)i)->name;
        unsigned d = edit_distance(name, span_str(known), best - 1);
        if (d < best) {
            best = d;
            near = known;
        }
    }
    return near;
}

static bool reason(struct sp *p, struct script_packet *k)
{
    struct span name;
    bool drops = k->in && sp_take(p, "drop");
    if (!drops && (k->in || !sp_take(p, "why")))
        return !p->bad;
    if (!sp_word(p, &name, drops ? "a reason of drop.def" : "a reason of why.def"))
        return false;
    if (drops)
        k->drop = drop_named(name);
    else
        k->why = why_named(name);
    if (k->drop != DROP_NONE || k->why != WHY_NONE)
        return true;
    (void)sp_fail_at(p, name, drops ? "a reason of drop.def" : "a reason of why.def");
    sp_hint(p, near_reason(name, drops));
    return false;
}

/* What stands behind a packet is a new event, or a word that is none of the packet's. */
static bool over(struct sp *p, const struct script_packet *k)
{
    static const char expected[] = "ack, win, urg, <options>, why or drop, or the end of the line";
    uint8_t c = sp_peek(p);
    bool event = c == '+' || c == '*' || c == '.' || sp_sees_digit(p) || sp_sees(p, "--");
    if (sp_end(p) || event || c == '`')
        return !p->bad;
    return sp_fail_word(p, sp_token(p), k->proto == SCRIPT_TCP ? expected
                        : k->in ? "drop, or the end of the line" : "why, or the end of the line",
                        k->proto == SCRIPT_TCP ? "ack win urg why drop" : "why drop");
}

const struct script_packet *sp_packet(struct sp *p, bool in)
{
    struct script_packet *k = sp_alloc(p, sizeof(*k));
    if (!k)
        return NULL;
    k->in = in;
    bool good = brackets(p, k) && sides(p, k) && brackets(p, k) && transport(p, k) &&
                reason(p, k) && over(p, k);
    return good ? k : NULL;
}
