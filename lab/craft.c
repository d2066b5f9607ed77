/*
 * Frames from text.
 *
 *     LAYER [/ LAYER]... [; MODIFIER]...
 *
 * A layer is a name and words; a slash between blanks separates layers, which stand from the
 * outside in. Words are `key=value` or flags, in any order, but for options, which leave in the
 * order in which they stand. Numbers are decimal or 0x; HEX is pairs of digits, with or without
 * colons between them.
 *
 * Links
 *     eth       dst= src= type= | len=
 *     vlan      id= pcp= dei tpid= type=
 *     snap      type= oui=
 *     arp       op=request|reply|rarp-request|rarp-reply sha= spa= tha= tpa= hwtype= proto= hlen=
 *               plen=
 *     vxlan     vni= flags=
 * Network
 *     ip        src= dst= ttl= id= tos= df mf rf off= proto= version= ihl= len= csum= badcsum part=
 *               options: ra opt=HEX
 *     ip6       src= dst= hlim= tclass= flow= next= len= version=
 *     hopopts, dstopts  next= len= ra[=N] jumbo=N pad1 padn=N opt=HEX
 *     routing   next= len= type= segleft= via=ADDRESS...
 *     frag      id= off= mf next= res= part=
 * Control
 *     icmp      echo | echo-reply | unreachable | quench | redirect | time-exceeded | parameter |
 *               timestamp | timestamp-reply | type=N
 *               code=NAME|N id= seq= mtu= pointer= gateway= rest= orig= recv= xmit= keep=
 *     icmp6     echo | echo-reply | unreachable | toobig | time-exceeded | parameter | ns | na |
 *               rs | ra | redirect | mld-query | mld2-query | mld-report | mld-done |
 *               mld2-report | type=N
 *               code=NAME|N id= seq= mtu= pointer= rest= keep=
 *               ns, na, redirect: target= dest= router solicited override
 *               ra: hoplimit= M O lifetime= reachable= retrans=
 *               options of these: slla= tlla= mtu=
 *               prefix=ADDRESS/LEN[,valid=N][,preferred=N][,L][,A]
 *               dns=[lifetime=N,]ADDRESS[,ADDRESS]... nonce=HEX opt=HEX quote
 *               mld: group= max= s qrv= qqic= sources=A,B rec=TYPE,GROUP[,SOURCE]...
 *     igmp      query [v1|v2|v3] | report-v1 | report-v2 | leave | report-v3 | type=N
 *               group= max= s qrv= qqic= sources=A,B rec=TYPE,GROUP[,SOURCE]...
 *               TYPE is is-in is-ex to-in to-ex allow block or a number
 * Transport
 *     udp       SRC>DST | src= dst=   len= csum= badcsum
 *     tcp       SRC>DST | src= dst=   flags=SA.. seq= ack= win= urg= off= csum= badcsum
 *               options: mss= wscale= sackok ts=V,E sack=A-B[,C-D]... fo=HEX nop eol opt=HEX
 *               seq=, ack= and sack= take @N as well, counted from the SYN of their direction, and
 *               sums: @1461+100
 * Applications
 *     dns       [reply] id= q=NAME type=A|AAAA|..|N a=ADDR aaaa=ADDR cname=NAME ttl= rcode= aa tc
 *               norecurse
 *     dhcp      discover | offer | request | decline | ack | nak | release | inform
 *               xid= mac= secs= broadcast ciaddr= yiaddr= siaddr= giaddr= requested= server= mask=
 *               router= dns= lease= t1= t2= hostname= domain= mtu=
 * Data
 *     "text" with \n \r \t \0 \\ \" \xNN    hex HEX...    zeros N    fill N (0, 1, .. 255, 0, ..)
 *
 * part=FROM..TO makes a fragment: everything inside is written as if whole, checksums and all, then
 * only those bytes of it are kept, and offset and more-fragments say so. An error message of ICMP
 * quotes the layers behind it, or the first keep=N bytes of them.
 *
 * Modifiers, one after another on the finished bytes
 *     patch OFFSET=HEX...    cut N    pad N    fcs    badfcs
 */
#include "lab/craft_layer.h"

#include "wire/arp.h"
#include "wire/eth.h"

#define NEAR_EDITS 2u

#define ICMP_KEYS "a message or code= id= seq= mtu= pointer= gateway= rest= keep= csum= badcsum"
#define ICMP6_KEYS                                                                                 \
    "a word of this message: code= id= seq= mtu= target= slla= tlla= prefix= dns= group= rec= ..."
#define DHCP_KEYS                                                                                  \
    "a message or xid= mac= ciaddr= yiaddr= requested= server= mask= router= dns= lease= ..."
#define MCAST_KEYS " group= max= s qrv= qqic= sources= rec="
#define TCP_KEYS                                                                                   \
    "1000>80 flags= seq= ack= win= urg= off= csum= badcsum mss= wscale= sackok ts= sack= fo= "     \
    "nop eol opt="
#define IP_KEYS                                                                                    \
    "src= dst= ttl= id= tos= df mf rf off= proto= version= ihl= len= csum= badcsum part= ra opt="

static const struct craft_kind kinds[] = {
    {"eth", "dst= src= type= len=", 0, -1, craft_eth},
    {"vlan", "id= pcp= dei tpid= type=", ETH_VLAN, -1, craft_vlan},
    {"snap", "type= oui=", 0, -1, craft_snap},
    {"arp", "op= sha= spa= tha= tpa= hwtype= proto= hlen= plen=", ETH_ARP, -1, craft_arp},
    {"ip", IP_KEYS, ETH_IP4, IP_IPIP, craft_ip4},
    {"ip6", "src= dst= hlim= tclass= flow= next= len= version=", ETH_IP6, IP_IP6IN4, craft_ip6},
    {"hopopts", "next= len= ra jumbo= pad1 padn= opt=", 0, IP_HOPOPTS, craft_hopopts},
    {"dstopts", "next= len= ra jumbo= pad1 padn= opt=", 0, IP_DSTOPTS, craft_dstopts},
    {"routing", "next= len= type= segleft= via=", 0, IP_ROUTING, craft_routing},
    {"frag", "id= off= mf next= res= part=", 0, IP_FRAGMENT, craft_frag},
    {"icmp", ICMP_KEYS, 0, IP_ICMP, craft_icmp4},
    {"icmp6", ICMP6_KEYS, 0, IP_ICMP6, craft_icmp6},
    {"igmp", "query v1 v2 v3 report-v1 report-v2 report-v3 leave type= csum= badcsum" MCAST_KEYS, 0,
     IP_IGMP, craft_igmp},
    {"udp", "1000>2000 src= dst= len= csum= badcsum", 0, IP_UDP, craft_udp},
    {"tcp", TCP_KEYS, 0, IP_TCP, craft_tcp},
    {"dns", "reply id= q= type= a= aaaa= cname= ttl= rcode= aa tc norecurse", 0, -1, craft_dns},
    {"dhcp", DHCP_KEYS, 0, -1, craft_dhcp},
    {"vxlan", "vni= flags=", 0, -1, craft_vxlan},
    {"hex", "pairs of hexadecimal digits", 0, -1, craft_hex_bytes},
    {"zeros", "a number of bytes", 0, -1, craft_zeros},
    {"fill", "a number of bytes", 0, -1, craft_fill},
};

static const struct craft_kind text_kind = {"\"", "nothing behind the text", 0, -1, craft_text};

/* ---- modifiers ---- */

static size_t frame_len(const struct craft *c)
{
    return wr_len(c->w) - c->start;
}

/* The one word of a modifier or payload: a number of bytes. */
static uint64_t take_count(struct craft *c, uint64_t max)
{
    struct craft_word word;
    size_t it = 0;
    if (!craft_word_next(c, &it, &word)) {
        struct span args = c->layers[c->at].args;
        craft_fail(c, span_of(args.p + args.n, 0), "a number of bytes");
        return 0;
    }
    craft_take(c, &word);
    return craft_text_u(c, word.text, max);
}

static void modify_cut(struct craft *c)
{
    uint64_t n = take_count(c, CRAFT_FRAME_MAX);
    if (craft_args_done(c) && n < frame_len(c))
        c->w->p = c->w->start + c->start + n;
}

static void modify_pad(struct craft *c)
{
    uint64_t n = take_count(c, CRAFT_FRAME_MAX);
    if (craft_args_done(c) && n > frame_len(c))
        wr_zeros(c->w, (size_t)n - frame_len(c));
}

static void modify_patch(struct craft *c)
{
    struct craft_word word;
    size_t it = 0;
    while (!craft_failed(c) && craft_word_next(c, &it, &word)) {
        craft_take(c, &word);
        size_t at = (size_t)craft_text_u(c, word.key, frame_len(c));
        if (craft_failed(c))
            return;
        if (!word.value.p) {
            craft_fail(c, word.text, "OFFSET=HEX");
            return;
        }
        struct wr in_place = wr_of(c->w->start + c->start + at, frame_len(c) - at);
        craft_text_hex(c, word.value, &in_place);
    }
}

static void append_fcs(struct craft *c, uint32_t turn)
{
    if (!craft_args_done(c))
        return;
    uint32_t fcs = eth_fcs(span_of(c->w->start + c->start, frame_len(c)));
    wr_fcs(c->w, fcs ^ turn);
}

static void modify_fcs(struct craft *c)
{
    append_fcs(c, 0);
}

static void modify_badfcs(struct craft *c)
{
    append_fcs(c, 1);
}

static const struct craft_kind modifiers[] = {
    {"patch", "OFFSET=HEX", 0, -1, modify_patch},
    {"cut", "nothing else", 0, -1, modify_cut},
    {"pad", "nothing else", 0, -1, modify_pad},
    {"fcs", "nothing else", 0, -1, modify_fcs},
    {"badfcs", "nothing else", 0, -1, modify_badfcs},
};

/* ---- data ---- */

void craft_zeros(struct craft *c)
{
    uint64_t n = take_count(c, CRAFT_FRAME_MAX);
    if (!craft_args_done(c))
        return;
    wr_zeros(c->w, (size_t)n);
    craft_rest(c);
}

void craft_fill(struct craft *c)
{
    uint64_t n = take_count(c, CRAFT_FRAME_MAX);
    if (!craft_args_done(c))
        return;
    for (uint64_t i = 0; i < n; i++)
        wr_u8(c->w, (uint8_t)i);
    craft_rest(c);
}

void craft_hex_bytes(struct craft *c)
{
    struct span args = c->layers[c->at].args;
    struct craft_word word;
    size_t at = 0;
    while (!craft_failed(c) && craft_cut_word(args, &at, &word))
        craft_text_hex(c, word.text, c->w);
    craft_rest(c);
}

/* One character of a text; s stands behind it. False at the closing quote or the end. */
static bool text_byte(struct craft *c, struct span *s, uint8_t *out)
{
    static const char named[] = "n\nr\rt\t\\\\\"\"";
    uint8_t b = s->p[0];
    *s = span_of(s->p + 1, s->n - 1);
    *out = b;
    if (b == '"')
        return false;
    if (b != '\\')
        return true;
    uint8_t letter = s->n > 0 ? s->p[0] : 0;
    if (letter == 'x' && s->n >= 3) {
        struct wr one = wr_of(out, 1);
        craft_text_hex(c, span_of(s->p + 1, 2), &one);
        *s = span_of(s->p + 3, s->n - 3);
        return true;
    }
    for (size_t i = 0; i + 1 < sizeof named; i += 2)
        if (letter == (uint8_t)named[i])
            *out = (uint8_t)named[i + 1];
    if (letter == '0')
        *out = 0;
    else if (*out == b && letter != '\\')
        return craft_fail(c, *s, "n r t 0 \\ \" or xNN behind a backslash");
    *s = span_of(s->p + 1, s->n - 1);
    return true;
}

void craft_text(struct craft *c)
{
    struct craft_word word;
    size_t it = 0;
    if (!craft_word_next(c, &it, &word))
        return;
    craft_take(c, &word);
    struct span s = span_of(word.text.p + 1, word.text.n - 1);
    bool closed = false;
    uint8_t b;
    while (s.n > 0 && !closed && !craft_failed(c)) {
        if (text_byte(c, &s, &b))
            wr_u8(c->w, b);
        else
            closed = true;
    }
    if (!closed || s.n > 0)
        craft_fail(c, s, closed ? "a blank behind the text" : "a quotation mark");
    if (craft_args_done(c))
        craft_rest(c);
}

/* ---- the line ---- */

const struct craft_kind *craft_next(const struct craft *c)
{
    return c->at + 1 < c->n ? c->layers[c->at + 1].kind : NULL;
}

bool craft_next_is(const struct craft *c, const char *name)
{
    const struct craft_kind *next = craft_next(c);
    return next && strcmp(next->name, name) == 0;
}

bool craft_next_has_word(const struct craft *c, const char *word)
{
    if (!craft_next(c))
        return false;
    struct craft_word w;
    size_t at = 0;
    while (craft_cut_word(c->layers[c->at + 1].args, &at, &w))
        if (span_is(w.text, word))
            return true;
    return false;
}

void craft_rest(struct craft *c)
{
    if (craft_failed(c) || c->at + 1 >= c->n)
        return;
    c->at++;
    memset(c->used, 0, sizeof c->used);
    c->layers[c->at].kind->emit(c);
    c->at--;
}

static const struct craft_kind *kind_named(struct span name, const struct craft_kind *list,
                                           size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (span_is(name, list[i].name))
            return &list[i];
    return NULL;
}

static const char *nearest_kind(struct span name)
{
    const char *best = "";
    unsigned least = NEAR_EDITS + 1;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        unsigned d = edit_distance(name, span_str(kinds[i].name), least - 1);
        if (d < least) {
            least = d;
            best = kinds[i].name;
        }
        if (least == 0)
            break;
    }
    return best;
}

/* Text of one layer into the list. */
static bool add_layer(struct craft *c, struct span text)
{
    struct craft_word name;
    size_t at = 0;
    if (!craft_cut_word(text, &at, &name))
        return craft_fail(c, span_of(text.p + text.n, 0), "a layer");
    if (c->n == CRAFT_LAYERS_MAX)
        return craft_fail(c, name.text, "fewer layers");
    bool quoted = name.text.p[0] == '"';
    const struct craft_kind *kind =
        quoted ? &text_kind : kind_named(name.text, kinds, ARRAY_LEN(kinds));
    if (!kind) {
        craft_fail(c, name.text,
                   "a layer: eth vlan arp ip ip6 icmp icmp6 udp tcp \"text\" hex ...");
        struct txt t = txt_of(c->err->hint, sizeof c->err->hint);
        txt_s(&t, nearest_kind(name.text));
        return false;
    }
    c->layers[c->n++] = (struct craft_layer){
        .kind = kind,
        .args = quoted ? text : span_of(text.p + at, text.n - at),
    };
    return true;
}

/* The part before the next `mark` outside quotes; *rest is behind it, p NULL at the end. */
static struct span part_before(struct span s, char mark, struct span *rest)
{
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t b = s.p[i];
        if (b == '\\' && quoted) {
            i++;
            continue;
        }
        if (b == '"')
            quoted = !quoted;
        bool alone = mark != '/' || ((i == 0 || s.p[i - 1] <= ' ') &&
                                     (i + 1 == s.n || s.p[i + 1] <= ' '));
        if (b != (uint8_t)mark || quoted || !alone)
            continue;
        *rest = span_of(s.p + i + 1, s.n - i - 1);
        return span_of(s.p, i);
    }
    *rest = span_of(NULL, 0);
    return s;
}

static bool split_layers(struct craft *c, struct span text)
{
    if (text.n == 0)
        return craft_fail(c, text, "a layer");
    while (text.p) {
        struct span rest;
        struct span one = part_before(text, '/', &rest);
        if (!add_layer(c, one))
            return false;
        text = rest;
    }
    return true;
}

/* A modifier runs as a line of one layer. */
static bool modify(struct craft *c, struct span text)
{
    struct craft_word name;
    size_t at = 0;
    static const char expected[] = "patch cut pad fcs or badfcs";
    if (!craft_cut_word(text, &at, &name))
        return craft_fail(c, span_of(text.p + text.n, 0), expected);
    const struct craft_kind *kind = kind_named(name.text, modifiers, ARRAY_LEN(modifiers));
    if (!kind)
        return craft_fail(c, name.text, expected);
    c->n = 1;
    c->at = 0;
    c->layers[0] = (struct craft_layer){.kind = kind, .args = span_of(text.p + at, text.n - at)};
    memset(c->used, 0, sizeof c->used);
    kind->emit(c);
    return !craft_failed(c);
}

bool craft(struct span text, struct wr *out, struct syntax_error *err)
{
    return craft_talk(text, NULL, out, err);
}

bool craft_talk(struct span text, const struct conversations *talks, struct wr *out,
                struct syntax_error *err)
{
    struct syntax_error ignored;
    struct wr before = *out;
    struct craft c = {.w = out, .err = err ? err : &ignored, .line = text, .start = wr_len(out),
                      .talks = talks};
    *c.err = (struct syntax_error){0};
    struct span rest;
    struct span layers = part_before(text, ';', &rest);
    if (split_layers(&c, layers))
        c.layers[0].kind->emit(&c);
    while (rest.p && !craft_failed(&c)) {
        struct span one = part_before(rest, ';', &rest);
        modify(&c, one);
    }
    if (out->bad && !craft_failed(&c))
        craft_fail(&c, text, "a shorter frame");
    if (!craft_failed(&c))
        return true;
    *out = before;
    return false;
}

bool craft_is_ethernet(struct span text)
{
    struct craft_word name;
    size_t at = 0;
    return craft_cut_word(text, &at, &name) && span_is(name.text, "eth");
}
