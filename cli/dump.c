/*
 * oriel dump: a line per packet, in the columns of tshark, and why each was sent.
 *
 * The widths of the columns come from a first look at SAMPLE frames; what is wider later pushes its
 * own line. The reason stands in a last column where the page is wide (or is no page: a pipe has no
 * width), on a line of its own underneath where it is narrow.
 */
#define _GNU_SOURCE
#include "base/clock.h"
#include "cli/frames.h"
#include "cli/json.h"
#include "cli/out.h"
#include "cli/term.h"
#include "lens/cells.h"
#include "wire/tcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SAMPLE        256       /* frames that decide the widths */
#define NO_W          5
#define ADDR_W_MIN    9
#define ADDR_W_LIVE   15        /* what comes is not known */
#define PROTO_W_MIN   5
#define LEN_W         5
#define INFO_W_MIN    36        /* of the column before the reasons */
#define INFO_W_MAX    64
#define WHY_W_MIN     36
#define BETWEEN       13        /* blanks between the columns */
#define LINE_BYTES    4096
#define HEX_PER_LINE  16
#define FIELD_NAME_W  30

static const struct opt opts[] = {
    FRAMES_OPTS(false),
    LISTEN_OPTS,
    {.name = "count", .letter = 'c', .type = OPT_UINT, .arg = "COUNT", .min = 1,
     .help = "Stop after COUNT packets that match."},
    {.name = "time", .letter = 't', .type = OPT_CHOICE, .arg = "FORMAT", .choices = "r|a|d|e",
     .def = "r",
     .help = "The time column: r since the first packet, a of the day, d since the packet before, "
             "e since 1970."},
    {.name = "hex", .letter = 'x', .type = OPT_FLAG, .help = "Show the bytes of each packet."},
    {.name = "fields", .letter = 'V', .type = OPT_FLAG,
     .help = "Show every field of each packet under the name that filters use."},
    {.name = "why", .type = OPT_FLAG, .negatable = true, .def = "",
     .help = "Show why each packet was sent, where the capture says so."},
    {.name = "json", .type = OPT_FLAG,
     .help = "Print a JSON object a line; with -V its fields, with -x its bytes."},
    {.name = "quiet", .letter = 'q', .type = OPT_FLAG,
     .help = "Print nothing: the exit status says whether a packet matches."},
};

static const struct operand operands[] = {FRAMES_OPERAND};

static const struct verb_example examples[] = {
    {"oriel dump -r run.pcapng", "Every packet and its reason."},
    {"oriel dump -r run.pcapng 'arp or icmp'", "Only these two protocols."},
    {"oriel dump -r run.pcapng -V -x -c 1 'why == \"UDP_DATA\"'",
     "The first datagram that an application sent, field by field and byte by byte."},
    {"oriel dump --link packet:eth0 -w run.pcapng 'tcp.port == 80'",
     "What passes on an interface, until Ctrl-C."},
    {"oriel dump -q -r run.pcapng 'frame.comment contains \"LOST\"' && echo lossy",
     "Was anything lost?"},
};

static const struct verb_exit exits[] = {
    {EXIT_NEGATIVE, "The file is damaged or cannot be read: what stands before the fault was "
                    "printed. Or, with -q, no packet matches."},
    {EXIT_SETUP, "The link cannot be opened, or is gone; FILE cannot be written."},
};

enum why_place {
    WHY_NOWHERE,
    WHY_COLUMN,         /* after everything else, wrapped */
    WHY_RUNNING,        /* after everything else, as long as it is: for pipes */
    WHY_BELOW,
};

struct dump {
    struct frames *f;
    struct term term;
    bool ascii;         /* the terminal shows nothing else */
    char time_format;
    unsigned time_w;
    unsigned addr_w;
    unsigned proto_w;
    unsigned info_w;
    enum why_place why;
    bool hex;
    bool fields;
};

/* ---- time ---- */

static void print_seconds(struct txt *t, oriel_time time, oriel_time since)
{
    if (time < since)
        txt_c(t, '-');
    txt_seconds(t, time < since ? since - time : time - since, 6);
}

static void print_of_day(struct txt *t, oriel_time time)
{
    time_t seconds = (time_t)(time / NS_PER_S);
    struct tm tm;
    char text[16] = "";
    if (localtime_r(&seconds, &tm))
        strftime(text, sizeof text, "%H:%M:%S", &tm);
    txt_s(t, text);
    txt_c(t, '.');
    txt_u_pad(t, time % NS_PER_S / 1000, 6, '0');
}

static void print_time(const struct dump *d, struct txt *t)
{
    const struct frames *f = d->f;
    oriel_time time = f->frame.time;
    switch (d->time_format) {
    case 'a': print_of_day(t, time); break;
    case 'd': print_seconds(t, time, f->before); break;
    case 'e': txt_seconds(t, time, 9); break;
    default:  print_seconds(t, time, f->first); break;
    }
}

/* ---- a line ---- */

static void pad(struct txt *t, size_t from, unsigned width)
{
    for (unsigned n = cells_of(span_of(t->p + from, t->n - from)); n < width; n++)
        txt_c(t, ' ');
}

static void put_left(const struct dump *d, struct txt *t, const char *text, unsigned width)
{
    size_t from = t->n;
    cells_put(t, span_str(text), d->ascii);
    pad(t, from, width);
}

static void put_right(struct txt *t, const char *text, unsigned width)
{
    for (size_t n = strlen(text); n < width; n++)
        txt_c(t, ' ');
    txt_s(t, text);
}

static void put_styled(const struct dump *d, struct txt *t, enum term_style style)
{
    txt_s(t, term_style(&d->term, style));
}

/* Of the whole line: what went wrong is seen from afar. */
static enum term_style style_of(const struct frames *f)
{
    struct span fate = capture_key(&f->frame, "fate");
    if (span_is(fate, "lost") || dissection_first(&f->d, F_WS_MALFORMED))
        return TERM_BAD;
    return dissection_first(&f->d, F_DROP) ? TERM_WARN : TERM_PLAIN;
}

/* Where the reasons start, in their column. */
static unsigned why_col(const struct dump *d)
{
    return NO_W + d->time_w + 2 * d->addr_w + d->proto_w + LEN_W + d->info_w + BETWEEN;
}

static void put_columns(const struct dump *d, struct txt *t)
{
    const struct dissection *x = &d->f->d;
    char number[24];
    char time[40];
    char len[16];
    struct txt n = txt_of(number, sizeof number);
    txt_u(&n, d->f->frame.number);
    struct txt w = txt_of(time, sizeof time);
    print_time(d, &w);
    struct txt l = txt_of(len, sizeof len);
    txt_u(&l, x->len);

    enum term_style style = style_of(d->f);
    put_styled(d, t, TERM_DIM);
    put_right(t, number, NO_W);
    txt_s(t, "  ");
    put_right(t, time, d->time_w);
    put_styled(d, t, TERM_PLAIN);
    if (style != TERM_PLAIN)
        put_styled(d, t, style);
    txt_s(t, "  ");
    put_left(d, t, x->src, d->addr_w);
    txt_s(t, "  ");
    put_left(d, t, x->dst, d->addr_w);
    txt_s(t, "  ");
    if (style == TERM_PLAIN)
        put_styled(d, t, TERM_ACCENT);
    put_left(d, t, x->proto, d->proto_w);
    if (style == TERM_PLAIN)
        put_styled(d, t, TERM_PLAIN);
    txt_c(t, ' ');
    put_right(t, len, LEN_W);
    txt_s(t, "  ");
}

/* The reason in lines from column `indent` on; the first may stand in a line that has begun. */
static void put_why(const struct dump *d, struct span why, unsigned indent, unsigned at)
{
    unsigned room = d->term.width > indent + WHY_W_MIN / 2 ? d->term.width - indent : WHY_W_MIN;
    while (why.n > 0) {
        char line[LINE_BYTES];
        struct txt t = txt_of(line, sizeof line);
        bool below = at + 1 >= indent;     /* a blank between the two at least */
        if (below)
            txt_c(&t, '\n');
        for (unsigned i = below ? 0 : at; i < indent; i++)
            txt_c(&t, ' ');
        put_styled(d, &t, TERM_DIM);
        cells_put(&t, cells_wrap(&why, room), d->ascii);
        put_styled(d, &t, TERM_PLAIN);
        out_txt(&t);
        at = LINE_BYTES;
    }
    out_str("\n");
}

static void put_running(const struct dump *d, struct span why, unsigned at)
{
    char text[LINE_BYTES * 4];
    struct txt t = txt_of(text, sizeof text);
    for (unsigned col = why_col(d); at < col; at++)
        txt_c(&t, ' ');
    if (at > why_col(d))
        txt_s(&t, "  ");
    cells_put(&t, why, d->ascii);
    txt_c(&t, '\n');
    out_txt(&t);
}

/* The information column; TCP's flags with the letters of tcpdump: "[S.]" for "[SYN, ACK]". */
static void print_info(struct txt *t, const struct dissection *x)
{
    const struct field *flags = x->flags_n > 0 ? dissection_first(x, F_TCP_FLAGS) : NULL;
    if (!flags) {
        txt_s(t, x->info);
        return;
    }
    txt_span(t, span_of(x->info, x->flags_at));
    txt_c(t, '[');
    tcp_flags_print(t, (uint16_t)flags->value.u);
    txt_c(t, ']');
    txt_s(t, x->info + x->flags_at + x->flags_n);
}

static void put_packet(const struct dump *d)
{
    char info[DISSECTION_INFO_MAX];
    struct txt i = txt_of(info, sizeof info);
    print_info(&i, &d->f->d);
    char line[LINE_BYTES];
    struct txt t = txt_of(line, sizeof line);
    put_columns(d, &t);
    put_left(d, &t, info, 0);
    put_styled(d, &t, TERM_PLAIN);
    out_txt(&t);
    struct span why = capture_sentence(&d->f->frame);
    unsigned at = why_col(d) - 2 - d->info_w + cells_of(span_of(i.p, i.n));
    if (why.n == 0 || d->why == WHY_NOWHERE)
        out_str("\n");
    else if (d->why == WHY_RUNNING)
        put_running(d, why, at);
    else if (d->why == WHY_COLUMN)
        put_why(d, why, why_col(d), at);
    else
        put_why(d, why, NO_W + 2 + d->time_w + 2, LINE_BYTES);
}

static void put_head(const struct dump *d)
{
    char line[LINE_BYTES];
    struct txt t = txt_of(line, sizeof line);
    put_styled(d, &t, TERM_BOLD);
    put_right(&t, "No", NO_W);
    txt_s(&t, "  ");
    put_right(&t, "Time", d->time_w);
    txt_s(&t, "  ");
    put_left(d, &t, "Source", d->addr_w);
    txt_s(&t, "  ");
    put_left(d, &t, "Destination", d->addr_w);
    txt_s(&t, "  ");
    put_left(d, &t, "Proto", d->proto_w);
    txt_c(&t, ' ');
    put_right(&t, "Len", LEN_W);
    txt_s(&t, "  ");
    put_left(d, &t, "Info", d->why == WHY_COLUMN ? d->info_w : 0);
    if (d->why == WHY_COLUMN)
        txt_s(&t, "  Why");
    put_styled(d, &t, TERM_PLAIN);
    txt_c(&t, '\n');
    out_txt(&t);
}

/* ---- fields and bytes ---- */

static void put_field(const struct dump *d, const struct field *f)
{
    const struct field_info *info = field_info(f->id);
    char value[LINE_BYTES];
    struct txt v = txt_of(value, sizeof value);
    field_print(&v, f);
    char line[LINE_BYTES * 2];
    struct txt t = txt_of(line, sizeof line);
    if (info->type == FT_PROTO) {
        txt_s(&t, "    ");
        put_styled(d, &t, TERM_BOLD);
        txt_s(&t, info->label);
        put_styled(d, &t, TERM_PLAIN);
        txt_c(&t, '\n');
        out_txt(&t);
        return;
    }
    txt_s(&t, "      ");
    put_styled(d, &t, TERM_ACCENT);
    put_left(d, &t, info->name, FIELD_NAME_W);
    put_styled(d, &t, TERM_PLAIN);
    txt_c(&t, ' ');
    put_left(d, &t, value, 24);
    put_styled(d, &t, TERM_DIM);
    txt_s(&t, "  ");
    txt_s(&t, info->label);
    put_styled(d, &t, TERM_PLAIN);
    txt_c(&t, '\n');
    out_txt(&t);
}

static void put_fields(const struct dump *d)
{
    for (uint32_t i = 0; i < d->f->d.n; i++)
        put_field(d, &d->f->d.fields[i]);
    if (d->f->d.cut)
        out_str("      (there are more fields than can be shown)\n");
}

static void put_hex(struct span bytes)
{
    for (size_t at = 0; at < bytes.n; at += HEX_PER_LINE) {
        struct span line = span_of(bytes.p + at, bytes.n - at);
        if (line.n > HEX_PER_LINE)
            line.n = HEX_PER_LINE;
        char text[128];
        struct txt t = txt_of(text, sizeof text);
        txt_s(&t, "    ");
        txt_hex(&t, at, 4);
        for (size_t i = 0; i < HEX_PER_LINE; i++) {
            txt_s(&t, i == HEX_PER_LINE / 2 ? "  " : " ");
            if (i < line.n)
                txt_hex(&t, line.p[i], 2);
            else
                txt_s(&t, "  ");
        }
        txt_s(&t, "  ");
        for (size_t i = 0; i < line.n; i++)
            txt_c(&t, line.p[i] >= 0x20 && line.p[i] < 0x7f ? (char)line.p[i] : '.');
        txt_c(&t, '\n');
        out_txt(&t);
    }
}

/* ---- JSON ---- */

static void json_fields(struct json *j, const struct dissection *x)
{
    json_open(j, "fields", '[');
    for (uint32_t i = 0; i < x->n; i++) {
        const struct field *f = &x->fields[i];
        char value[LINE_BYTES];
        struct txt v = txt_of(value, sizeof value);
        field_print(&v, f);
        json_open(j, NULL, '{');
        json_text(j, "name", field_info(f->id)->name);
        json_str(j, "value", span_of(v.p, v.n));
        json_u(j, "off", f->off);
        json_u(j, "len", f->len);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void json_reasons(struct json *j, const struct frames *f)
{
    static const struct {
        const char *key;
        enum field_id field;
    } names[] = {{"reason", F_WHY}, {"drop", F_DROP}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct field *x = dissection_first(&f->d, names[i].field);
        if (x)
            json_str(j, names[i].key, x->value.bytes);
    }
    const struct field *ev = dissection_first(&f->d, F_WHY_EV);
    if (ev)
        json_u(j, "ev", ev->value.u);
    json_open(j, "comments", '[');
    for (size_t i = 0; i < f->frame.comments_n; i++)
        json_str(j, NULL, f->frame.comments[i]);
    json_close(j, ']');
}

static void put_json(const struct dump *d)
{
    const struct capture_frame *c = &d->f->frame;
    const struct dissection *x = &d->f->d;
    struct json j;
    json_begin(&j, out_sink());
    json_u(&j, "no", c->number);
    json_u(&j, "t_ns", c->time);
    if (c->if_name.n > 0)
        json_str(&j, "if", c->if_name);
    json_u(&j, "link", c->link_type);
    if (c->dir != PCAPNG_DIR_UNKNOWN)
        json_text(&j, "dir", c->dir == PCAPNG_DIR_IN ? "in" : "out");
    if (c->has_packet_id)
        json_u(&j, "packet_id", c->packet_id);
    json_text(&j, "src", x->src);
    json_text(&j, "dst", x->dst);
    json_text(&j, "proto", x->proto);
    json_u(&j, "len", x->len);
    json_text(&j, "info", x->info);
    struct span why = capture_sentence(c);
    if (why.n > 0 && d->why != WHY_NOWHERE)
        json_str(&j, "why", why);
    json_reasons(&j, d->f);
    if (d->fields)
        json_fields(&j, x);
    if (d->hex)
        json_hex(&j, "hex", c->bytes);
    json_end(&j);
}

/* ---- the verb ---- */

static void at_least(unsigned *width, unsigned n)
{
    if (*width < n)
        *width = n;
}

/* Beside the information where both have room, or else below it. */
static void place_why(struct dump *d, bool any)
{
    if (d->info_w > INFO_W_MAX)
        d->info_w = INFO_W_MAX;
    d->why = any ? WHY_RUNNING : WHY_NOWHERE;
    if (!any || !d->term.width_known)
        return;
    d->why = WHY_BELOW;
    unsigned fixed = why_col(d) - d->info_w;
    if (d->term.width < fixed + INFO_W_MIN + WHY_W_MIN)
        return;
    d->why = WHY_COLUMN;
    unsigned room = d->term.width - fixed - WHY_W_MIN;
    if (d->info_w > room)
        d->info_w = room;
}

static void measure_live(struct dump *d)
{
    d->addr_w = ADDR_W_LIVE;
    d->info_w = INFO_W_MAX;
    d->why = WHY_NOWHERE;
}

/* A first look: how wide things are, and whether there are reasons at all. */
static void measure(struct dump *d, bool want_why)
{
    d->time_w = d->time_format == 'a' ? 15 : d->time_format == 'e' ? 20 : 10;
    d->addr_w = ADDR_W_MIN;
    d->proto_w = PROTO_W_MIN;
    if (d->f->link) {
        measure_live(d);
        return;
    }
    bool reasons = false;
    for (unsigned i = 0; i < SAMPLE && frames_next(d->f); i++) {
        at_least(&d->addr_w, (unsigned)strlen(d->f->d.src));
        at_least(&d->addr_w, (unsigned)strlen(d->f->d.dst));
        at_least(&d->proto_w, (unsigned)strlen(d->f->d.proto));
        char info[DISSECTION_INFO_MAX];
        struct txt t = txt_of(info, sizeof info);
        print_info(&t, &d->f->d);
        at_least(&d->info_w, cells_of(span_of(t.p, t.n)));
        reasons = reasons || capture_sentence(&d->f->frame).n > 0;
    }
    frames_rewind(d->f);
    place_why(d, want_why && reasons);
}

static void dump_one(const struct dump *d, bool json)
{
    if (json) {
        put_json(d);
        return;
    }
    put_packet(d);
    if (d->fields)
        put_fields(d);
    if (d->hex)
        put_hex(d->f->frame.bytes);
}

/* A file or a link, and nothing that is about the other. */
static int open_source(struct dump *d, const struct args *a)
{
    bool file = opt_given(a, "read"), link = opt_given(a, "link");
    const char *wrong = file && link    ? "-r and --link are both given"
                        : !file && !link ? "-r FILE is missing, or --link SPEC"
                        : file && opt_given(a, "write") ? "-w is about links; --link SPEC is missing"
                                                        : NULL;
    if (!wrong && opt_given(a, "write") && strcmp(opt_text(a, "write"), "-") == 0 && !opt_on(a, "quiet"))
        wrong = "-w - and the list would both write to standard output: -q leaves the list out";
    if (!wrong)
        return link ? frames_listen(&d->f, a) : frames_open(&d->f, a);
    out_error("dump", "%s", wrong);
    return EXIT_USAGE;
}

/* Whether there is any; what is written is more than one. */
static int dump_quietly(struct dump *d, bool writes, uint64_t most)
{
    while (frames_next(d->f) && writes && d->f->matched < most) {
    }
    return frames_close(d->f, d->f->matched > 0 ? EXIT_OK : EXIT_NEGATIVE);
}

static int run(const struct args *a)
{
    struct dump d = {
        .term = term_of(stdout, opt_text(a, "color")),
        .time_format = opt_text(a, "time")[0],
        .hex = opt_on(a, "hex"),
        .fields = opt_on(a, "fields"),
    };
    d.ascii = d.term.tty && !d.term.utf8;
    int status = open_source(&d, a);
    if (status != EXIT_OK)
        return status;
    bool json = opt_on(a, "json");
    uint64_t most = opt_given(a, "count") ? opt_u64(a, "count") : UINT64_MAX;
    if (opt_on(a, "quiet"))
        return dump_quietly(&d, opt_given(a, "write"), most);
    measure(&d, opt_on(a, "why"));
    if (d.term.tty && !json)
        put_head(&d);
    while (d.f->matched < most && out_ok() && frames_next(d.f))
        dump_one(&d, json);
    return frames_close(d.f, EXIT_OK);
}

const struct verb verb_dump = {
    .name = "dump",
    .summary = "list the packets of a capture or a link, and why each was sent",
    .text = "Prints a line per packet: its number, the time, source, destination, protocol, length "
            "and what it says. Captures written by Oriel also hold the reason why each packet was "
            "sent; it stands in a last column, or underneath where the page is narrow.\n\n"
            "A damaged or cut-off file is printed up to the fault; the fault and its offset go to "
            "standard error, and the exit status is 1.\n\n"
            "With --link what passes there is listed as it comes. Nothing is answered: no stack is on the "
            "link. Of packet:INTERFACE it is all that the interface sends and receives. At the end "
            "standard error says how many packets there were, and how many were lost and why.",
    VERB_LIST(opts, opts),
    VERB_LIST(operands, operands),
    VERB_LIST(examples, examples),
    VERB_LIST(exits, exits),
    .see_also = "ladder",
    .run = run,
};
