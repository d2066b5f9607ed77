/*
 * oriel ladder: who said what to whom, drawn from a capture.
 *
 * Endpoints are network addresses, or link addresses where there are none. A host speaks under
 * several: its link address in ARP and before it has any other, a link-local one in neighbour
 * discovery. Those are drawn on the line of its proper address when all frames from that link
 * address show exactly one proper address; behind a router's link address there are many, and
 * nothing is put together.
 *
 * Three walks over the file: which addresses belong together, which endpoints there are, drawing.
 */
#include "base/clock.h"
#include "cli/frames.h"
#include "cli/out.h"
#include "cli/term.h"
#include "lens/cells.h"
#include "lens/label.h"
#include "lens/ladder.h"

#include <stdio.h>
#include <stdlib.h>

#define HOSTS_MAX 512           /* pairs of addresses that are remembered */
#define LABEL_MAX 512

static const struct opt opts[] = {
    FRAMES_OPTS(true),
    {.name = "count", .letter = 'c', .type = OPT_UINT, .arg = "COUNT", .min = 1,
     .help = "Stop after COUNT packets that match."},
    {.name = "width", .type = OPT_UINT, .arg = "N", .min = LADDER_WIDTH_MIN,
     .max = LADDER_WIDTH_MAX,
     .help = "Draw N columns wide. Without it, as wide as the terminal, or 80."},
    {.name = "ascii", .type = OPT_FLAG,
     .help = "Draw with ASCII only, as where the characters of the locale are not UTF-8."},
    {.name = "gap", .type = OPT_DURATION, .arg = "TIME", .def = "500ms",
     .help = "Draw a silence of TIME and more as a gap; 0 for none."},
    {.name = "why", .type = OPT_FLAG, .negatable = true, .def = "",
     .help = "Show why each packet was sent, where the capture says so."},
};

static const struct operand operands[] = {FRAMES_OPERAND};

static const struct verb_example examples[] = {
    {"oriel ladder -r run.pcapng", "The whole conversation."},
    {"oriel ladder -r run.pcapng --width 140 'udp or icmp' | less -R",
     "Two protocols, wide, with the reasons beside the arrows."},
};

static const struct verb_exit exits[] = {
    {EXIT_NEGATIVE, "The file is damaged or cannot be read: what stands before the fault was "
                    "drawn."},
};

struct endpoint {
    bool has_addr;
    struct oriel_addr addr;
    struct mac mac;             /* zero: the link has none */
};

struct host {
    struct mac mac;
    struct oriel_addr addr;
};

struct drawing {
    struct frames *f;
    struct ladder ladder;
    struct host hosts[HOSTS_MAX];
    size_t hosts_n;
    struct endpoint lines[LADDER_LINES_MAX];
    int lines_n;
    bool crowded;               /* the last line stands for all others */
    bool reasons;               /* some packet has one */
    bool states;                /* ... and some say the state of an end */
};

/* ---- who speaks ---- */

static bool is_proper(const struct oriel_addr *a)
{
    return !addr_is_unspecified(a) && !addr_is_link_local(a) && !addr_is_multicast(a) &&
           !addr_is_limited_broadcast(a);
}

static const struct field *first_of(const struct dissection *d, enum field_id a, enum field_id b,
                                    enum field_id c)
{
    const struct field *f = dissection_first(d, a);
    f = f ? f : dissection_first(d, b);
    return f ? f : dissection_first(d, c);
}

/* The sender or the receiver of a frame, by the outermost header that names one. */
static struct endpoint endpoint_of(const struct dissection *d, bool sender)
{
    struct endpoint e = {.has_addr = false};
    const struct field *addr =
        sender ? first_of(d, F_IP_SRC, F_IPV6_SRC, F_ARP_SRC_PROTO_IPV4)
               : first_of(d, F_IP_DST, F_IPV6_DST, F_ARP_DST_PROTO_IPV4);
    const struct field *mac = dissection_first(d, sender ? F_ETH_SRC : F_ETH_DST);
    if (addr)
        e.addr = addr->value.addr;
    e.has_addr = addr && !addr_is_unspecified(&e.addr);
    if (mac)
        e.mac = mac->value.mac;
    return e;
}

static bool is_for_everyone(const struct endpoint *to)
{
    return mac_is_group(&to->mac) || (to->has_addr && (addr_is_multicast(&to->addr) ||
                                                       addr_is_limited_broadcast(&to->addr)));
}

static void learn_host(struct drawing *g, const struct endpoint *e)
{
    if (!e->has_addr || !is_proper(&e->addr) || mac_is_zero(&e->mac) || mac_is_group(&e->mac))
        return;
    for (size_t i = 0; i < g->hosts_n; i++)
        if (mac_eq(&g->hosts[i].mac, &e->mac) && addr_same_bits(&g->hosts[i].addr, &e->addr))
            return;
    if (g->hosts_n < HOSTS_MAX)
        g->hosts[g->hosts_n++] = (struct host){.mac = e->mac, .addr = e->addr};
}

/* The proper address of the host behind a link address, when there is exactly one. */
static void make_proper(const struct drawing *g, struct endpoint *e)
{
    if ((e->has_addr && is_proper(&e->addr)) || mac_is_zero(&e->mac))
        return;
    const struct host *only = NULL;
    for (size_t i = 0; i < g->hosts_n; i++) {
        if (!mac_eq(&g->hosts[i].mac, &e->mac))
            continue;
        if (only)
            return;
        only = &g->hosts[i];
    }
    if (!only)
        return;
    e->addr = only->addr;
    e->has_addr = true;
}

static bool same(const struct endpoint *a, const struct endpoint *b)
{
    if (a->has_addr != b->has_addr)
        return false;
    return a->has_addr ? addr_same_bits(&a->addr, &b->addr) : mac_eq(&a->mac, &b->mac);
}

static void print_name(const struct drawing *g, struct txt *t, const struct endpoint *e)
{
    if (!e->has_addr) {
        txt_mac(t, &e->mac);
        return;
    }
    struct span name = capture_name_of(&g->f->capture, &e->addr);
    if (name.n > 0) {
        txt_span(t, name);
        txt_c(t, ' ');
    }
    txt_addr(t, &e->addr);
}

/* The line of an endpoint; a new one, or the last for all that have none. */
static int line_of(struct drawing *g, const struct endpoint *e)
{
    for (int i = 0; i < g->lines_n - (g->crowded ? 1 : 0); i++)
        if (same(&g->lines[i], e))
            return i;
    if (g->lines_n < LADDER_LINES_MAX)
        g->lines[g->lines_n++] = *e;
    else
        g->crowded = true;
    return g->lines_n - 1;
}

/* ---- what is said ---- */

static bool contains(struct span text, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= text.n; i++)
        if (memcmp(text.p + i, word, n) == 0)
            return true;
    return false;
}

static enum ladder_fate fate_of(const struct capture_frame *f)
{
    static const struct {
        const char *word;
        enum ladder_fate fate;
    } fates[] = {
        {"lost", LADDER_LOST},       {"queue", LADDER_LOST},        {"down", LADDER_LOST},
        {"too_big", LADDER_LOST},    {"dropped", LADDER_LOST},      {"changed", LADDER_REFUSED},
        {"refused", LADDER_REFUSED}, {"corrupted", LADDER_REFUSED}, {"truncated", LADDER_REFUSED},
    };
    struct span fate = capture_key(f, "fate");
    for (size_t i = 0; i < ARRAY_LEN(fates); i++)
        if (span_is(fate, fates[i].word))
            return fates[i].fate;
    return contains(capture_sentence(f), "will be LOST") ? LADDER_LOST : LADDER_ARRIVES;
}

/* "lost (draw 6)" */
static void print_fate(struct txt *t, const struct capture_frame *f)
{
    struct span fate = capture_key(f, "fate");
    struct span draw = capture_key(f, "draw");
    if (fate.n > 0)
        txt_span(t, fate);
    else
        txt_s(t, "lost");
    if (draw.n > 0) {
        txt_s(t, " (draw ");
        txt_span(t, draw);
        txt_c(t, ')');
    }
}

static void draw_frame(struct drawing *g)
{
    const struct frames *f = g->f;
    struct endpoint from = endpoint_of(&f->d, true);
    struct endpoint to = endpoint_of(&f->d, false);
    bool everyone = is_for_everyone(&to);
    make_proper(g, &from);
    make_proper(g, &to);
    char label[LABEL_MAX];
    struct txt l = txt_of(label, sizeof label);
    label_print(&l, &f->d);
    char fate[LABEL_MAX];
    struct txt t = txt_of(fate, sizeof fate);
    enum ladder_fate end = fate_of(&f->frame);
    if (end != LADDER_ARRIVES)
        print_fate(&t, &f->frame);
    struct ladder_step s = {
        .time = f->frame.time < f->first ? 0 : f->frame.time - f->first,
        .from = line_of(g, &from),
        .to = everyone ? LADDER_EVERYONE : line_of(g, &to),
        .label = span_of(l.p, l.n),
        .reason = capture_sentence(&f->frame),
        .fate = end,
        .fate_text = span_of(t.p, t.n),
    };
    struct span state = capture_key(&f->frame, "state");    /* of the end that captured */
    if (f->frame.dir == PCAPNG_DIR_IN)
        s.to_state = state;
    else
        s.from_state = state;
    (void)ladder_put(&g->ladder, &s);
}

/* ---- the walks ---- */

static void learn_hosts(struct drawing *g, uint64_t most)
{
    while (g->f->matched < most && frames_next(g->f)) {
        struct endpoint from = endpoint_of(&g->f->d, true);
        learn_host(g, &from);
        g->reasons = g->reasons || capture_sentence(&g->f->frame).n > 0;
        g->states = g->states || capture_key(&g->f->frame, "state").n > 0;
    }
    frames_rewind(g->f);
}

static void learn_lines(struct drawing *g, uint64_t most)
{
    while (g->f->matched < most && frames_next(g->f)) {
        struct endpoint from = endpoint_of(&g->f->d, true);
        struct endpoint to = endpoint_of(&g->f->d, false);
        bool everyone = is_for_everyone(&to);
        make_proper(g, &from);
        make_proper(g, &to);
        (void)line_of(g, &from);
        if (!everyone)
            (void)line_of(g, &to);
    }
    for (int i = 0; i < g->lines_n; i++) {
        char name[LADDER_NAME_MAX * 2];
        struct txt t = txt_of(name, sizeof name);
        if (g->crowded && i == g->lines_n - 1)
            txt_s(&t, "others");
        else
            print_name(g, &t, &g->lines[i]);
        (void)ladder_add(&g->ladder, span_of(t.p, t.n));
    }
    frames_rewind(g->f);
}

static struct ladder_style style_of(const struct args *a)
{
    struct term term = term_of(stdout, opt_text(a, "color"));
    unsigned width = opt_given(a, "width") ? (unsigned)opt_u64(a, "width") : term.width;
    struct ladder_style style = ladder_style_of(width, opt_on(a, "ascii") || !term.utf8,
                                                term.color);
    style.gap_ns = opt_u64(a, "gap");
    style.reasons = opt_on(a, "why");
    return style;
}

static int run(const struct args *a)
{
    struct frames *f;
    int status = frames_open(&f, a);
    if (status != EXIT_OK)
        return status;
    struct drawing *g = calloc(1, sizeof *g);
    if (!g) {
        out_error(a->verb->name, "there is no memory");
        (void)frames_close(f, EXIT_OK);
        return EXIT_SETUP;
    }
    g->f = f;
    uint64_t most = opt_given(a, "count") ? opt_u64(a, "count") : UINT64_MAX;
    learn_hosts(g, most);
    struct ladder_style style = style_of(a);
    style.reasons = style.reasons && g->reasons;
    style.states = g->states;
    ladder_init(&g->ladder, out_sink(), style);
    learn_lines(g, most);
    (void)ladder_begin(&g->ladder);
    while (f->matched < most && out_ok() && frames_next(f))
        draw_frame(g);
    (void)ladder_end(&g->ladder);
    if (g->crowded)
        out_note("oriel ladder: there are more than %d endpoints; the last line stands for all "
                 "others. A filter helps.", LADDER_LINES_MAX - 1);
    free(g);
    return frames_close(f, EXIT_OK);
}

const struct verb verb_ladder = {
    .name = "ladder",
    .summary = "draw who said what to whom in a capture",
    .text = "Draws a vertical line per endpoint and an arrow per packet, with the time at the left "
            "and the reason beside or underneath. A packet that was lost ends in a cross. Long "
            "silences are drawn as a gap.\n\n"
            "Endpoints are network addresses, or link addresses where a packet has no other; names "
            "that the capture gives them stand before. Broadcasts and multicasts go to every line. "
            "There are at most 16 lines; with more endpoints the last line stands for all others.",
    VERB_LIST(opts, opts),
    VERB_LIST(operands, operands),
    VERB_LIST(examples, examples),
    VERB_LIST(exits, exits),
    .see_also = "dump",
    .run = run,
};
