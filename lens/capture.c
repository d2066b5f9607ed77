/*
 * Captures, in place.
 *
 * Both formats are lists of length-prefixed blocks in the byte order of the machine that wrote
 * them. A block is cut out of the file by its length first, and read through a bounded reader of
 * its own, so a lie inside a block cannot reach the next. Any disagreement of lengths stops the
 * reader for good: what follows a wrong length is noise, and a guess at where the next block starts
 * would show frames that never were.
 *
 * Left out: compressed files (named in the fault), custom and journal blocks, decryption secrets;
 * blocks of unknown types are passed over, as the format asks.
 */
#include "lens/capture.h"

#include "base/clock.h"
#include "base/text.h"

#define PCAP_HDR_LEN    24
#define PCAP_REC_LEN    16
#define PCAP_US         0xa1b2c3d4u
#define PCAP_NS         0xa1b23c4du
#define PCAP_FCS_KNOWN  0x04000000u     /* then the top four bits are its length in 16-bit words */
#define GZIP_MAGIC      0x1f8b0000u
#define BLOCK_MIN       12              /* type and two lengths */
#define SHB_MIN         28
#define RESOLUTION_US   6
#define RESOLUTION_NS   9
#define RESOLUTION_2    0x80            /* the exponent is of two, not of ten */
#define FLAGS_DIR       3u
#define FLAGS_FCS(v)    (((v) >> 5) & 15)
#define NRB_END         0
#define NRB_IP4         1
#define NRB_IP6         2

struct block {
    size_t at;          /* in the file */
    uint32_t type;
    struct rd body;     /* between the lengths */
};

struct option {
    uint16_t code;
    struct span value;
};

/* ---- faults ---- */

/* The file ends, for the reader, at `at`; the text so far says why. Always false. */
static bool fault(struct capture *c, size_t at, const char *what)
{
    c->failed = true;
    c->fault_at = at;
    struct txt t = txt_of(c->fault, sizeof c->fault);
    txt_s(&t, what);
    return false;
}

/* what1, a number, what2, a number, what3 */
static bool fault_numbers(struct capture *c, size_t at, const char *what1, uint64_t a,
                          const char *what2, uint64_t b, const char *what3)
{
    fault(c, at, what1);
    struct txt t = txt_of(c->fault, sizeof c->fault);
    txt_s(&t, what1);
    txt_u(&t, a);
    txt_s(&t, what2);
    txt_u(&t, b);
    txt_s(&t, what3);
    return false;
}

static size_t offset_of(const struct capture *c, const struct rd *r)
{
    return (size_t)(r->p - c->file.p);
}

/* ---- numbers in the writer's byte order ---- */

static uint16_t get_u16(const struct capture *c, struct rd *r)
{
    uint32_t v = rd_u16(r);
    return (uint16_t)(c->swapped ? v << 8 | v >> 8 : v);
}

static uint32_t swap32(uint32_t v)
{
    return v << 24 | (v & 0xff00) << 8 | (v >> 8 & 0xff00) | v >> 24;
}

static uint32_t get_u32(const struct capture *c, struct rd *r)
{
    uint32_t v = rd_u32(r);
    return c->swapped ? swap32(v) : v;
}

static uint64_t get_u64(const struct capture *c, struct rd *r)
{
    uint64_t first = get_u32(c, r);
    uint64_t second = get_u32(c, r);
    return c->swapped ? second << 32 | first : first << 32 | second;
}

/* ---- time ---- */

static uint64_t pow10_u64(unsigned n)
{
    uint64_t v = 1;
    while (n-- > 0)
        v *= 10;
    return v;
}

static uint64_t mul_held(uint64_t a, uint64_t b)
{
    return b != 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

/* Ticks of the interface's clock -> nanoseconds, held at UINT64_MAX. */
static uint64_t ticks_to_ns(uint64_t ticks, uint8_t resolution)
{
    unsigned n = resolution & 0x7fu;
    if (resolution & RESOLUTION_2) {
        if (n > 63)
            return 0;
        uint64_t whole = ticks >> n;
        uint64_t part = n == 0 ? 0 : ticks & (UINT64_MAX >> (64 - n));
        if (n > 32)             /* 32 bits of the fraction are finer than a nanosecond */
            part >>= n - 32;
        uint64_t ns = (part * NS_PER_S) >> (n > 32 ? 32 : n);
        uint64_t s = mul_held(whole, NS_PER_S);
        return s > UINT64_MAX - ns ? UINT64_MAX : s + ns;
    }
    if (n <= RESOLUTION_NS)
        return mul_held(ticks, pow10_u64(RESOLUTION_NS - n));
    if (n - RESOLUTION_NS > 19)
        return 0;
    return ticks / pow10_u64(n - RESOLUTION_NS);
}

static oriel_time time_of(uint64_t ticks, const struct capture_interface *i)
{
    uint64_t ns = ticks_to_ns(ticks, i->resolution);
    uint64_t shift = i->offset_s < 0 ? 0 - (uint64_t)i->offset_s : (uint64_t)i->offset_s;
    shift = mul_held(shift, NS_PER_S);
    if (i->offset_s < 0)
        return ns < shift ? 0 : ns - shift;
    return ns > UINT64_MAX - shift ? UINT64_MAX : ns + shift;
}

/* ---- blocks ---- */

/* The byte order of a section stands in its header, after the length. */
static bool learn_order(struct capture *c, size_t at)
{
    struct rd r = rd_of(span_of(c->file.p + at, c->file.n - at));
    rd_skip(&r, 8);
    uint32_t magic = rd_u32(&r);
    if (r.bad)
        return fault(c, at, "the file ends inside a section header");
    if (magic != PCAPNG_MAGIC && magic != swap32(PCAPNG_MAGIC))
        return fault(c, at + 8, "the section header has no byte-order magic");
    c->swapped = magic != PCAPNG_MAGIC;
    return true;
}

/* Cut the next block out of the file. There is at least one byte left. */
static bool block_next(struct capture *c, struct block *b)
{
    size_t at = c->at;
    size_t left = c->file.n - at;
    struct rd r = rd_of(span_of(c->file.p + at, left));
    if (left < BLOCK_MIN)
        return fault_numbers(c, at, "the file ends inside a block: ", left,
                             " bytes where a block has at least ", BLOCK_MIN, "");
    if (rd_u32(&r) == PCAPNG_SHB && !learn_order(c, at))
        return false;

    r = rd_of(span_of(c->file.p + at, left));
    b->at = at;
    b->type = get_u32(c, &r);
    uint32_t n = get_u32(c, &r);
    if (n < BLOCK_MIN || (n & 3) != 0)
        return fault_numbers(c, at + 4, "the block says it has ", n,
                             " bytes: not a multiple of 4 from ", BLOCK_MIN, " on");
    if (n > left)
        return fault_numbers(c, at, "the file ends inside a block: it has ", n, " bytes, ", left,
                             " are there");
    b->body = rd_sub(&r, n - BLOCK_MIN);
    uint32_t again = get_u32(c, &r);
    if (again != n)
        return fault_numbers(c, at + n - 4, "the block ends with length ", again,
                             " and starts with ", n, "");
    c->at = at + n;
    return true;
}

/* The next option of a block; false at their end or when they are damaged (r->bad). */
static bool option_next(const struct capture *c, struct rd *r, struct option *o)
{
    if (rd_done(r))
        return false;
    o->code = get_u16(c, r);
    uint16_t n = get_u16(c, r);
    if (o->code == PCAPNG_OPT_END)
        return false;
    o->value = rd_bytes(r, n);
    if (r->bad)
        return false;
    rd_skip(r, (size_t)(-n & 3));
    return r->bad == 0;
}

static bool options_whole(struct capture *c, const struct rd *r)
{
    return r->bad == 0 || fault(c, offset_of(c, r), "an option goes beyond the end of its block");
}

/* Texts of options may be ended by a zero byte, which is no part of them. */
static struct span text_of(struct span s)
{
    while (s.n > 0 && s.p[s.n - 1] == '\0')
        s.n--;
    return s;
}

static void add_comment(struct span *comments, size_t *n, struct span value)
{
    if (*n < CAPTURE_COMMENTS_MAX)
        comments[(*n)++] = text_of(value);
}

/* ---- blocks that describe ---- */

static bool read_section(struct capture *c, struct block *b)
{
    struct rd *r = &b->body;
    rd_skip(r, 4);
    uint16_t major = get_u16(c, r);
    rd_skip(r, 10);             /* minor version, length of the section */
    if (r->bad)
        return fault(c, b->at, "the section header is too short");
    if (major != 1)
        return fault_numbers(c, b->at + 12, "the section is of version ", major, ", not ", 1, "");

    struct capture_section *s = &c->section;
    *s = (struct capture_section){.comments_n = 0};
    c->interfaces_n = 0;
    struct option o;
    while (option_next(c, r, &o)) {
        if (o.code == PCAPNG_OPT_COMMENT)
            add_comment(s->comments, &s->comments_n, o.value);
        else if (o.code == PCAPNG_SHB_HARDWARE)
            s->hardware = text_of(o.value);
        else if (o.code == PCAPNG_SHB_OS)
            s->os = text_of(o.value);
        else if (o.code == PCAPNG_SHB_USERAPPL)
            s->application = text_of(o.value);
    }
    return options_whole(c, r);
}

static void interface_option(const struct capture *c, struct capture_interface *i,
                             const struct option *o)
{
    struct rd v = rd_of(o->value);
    if (o->code == PCAPNG_IF_NAME)
        i->name = text_of(o->value);
    else if (o->code == PCAPNG_IF_DESCRIPTION)
        i->description = text_of(o->value);
    else if (o->code == PCAPNG_IF_TSRESOL && o->value.n >= 1)
        i->resolution = rd_u8(&v);
    else if (o->code == PCAPNG_IF_TSOFFSET && o->value.n >= 8)
        i->offset_s = (int64_t)get_u64(c, &v);
    else if (o->code == PCAPNG_IF_FCSLEN && o->value.n >= 1)
        i->fcs_len = rd_u8(&v);
}

static bool read_interface(struct capture *c, struct block *b)
{
    if (c->interfaces_n == CAPTURE_INTERFACES_MAX)
        return fault_numbers(c, b->at, "the section has more than ", CAPTURE_INTERFACES_MAX,
                             " interfaces; at most ", CAPTURE_INTERFACES_MAX, " can be read");
    struct rd *r = &b->body;
    struct capture_interface *i = &c->interfaces[c->interfaces_n];
    *i = (struct capture_interface){.resolution = RESOLUTION_US};
    i->link_type = get_u16(c, r);
    rd_skip(r, 2);
    i->snaplen = get_u32(c, r);
    if (r->bad)
        return fault(c, b->at, "the interface description is too short");
    struct option o;
    while (option_next(c, r, &o))
        interface_option(c, i, &o);
    if (i->fcs_len >= 8)        /* in bits, as the format has it; old writers meant bytes */
        i->fcs_len /= 8;
    c->interfaces_n++;
    return options_whole(c, r);
}

static bool read_names(struct capture *c, struct block *b)
{
    struct rd *r = &b->body;
    while (!rd_done(r)) {
        uint16_t type = get_u16(c, r);
        uint16_t n = get_u16(c, r);
        if (type == NRB_END)
            return true;
        struct rd v = rd_sub(r, n);
        rd_skip(r, (size_t)(-n & 3));
        if (r->bad)
            return fault(c, offset_of(c, r), "a name goes beyond the end of its block");
        if ((type != NRB_IP4 && type != NRB_IP6) || c->names_n == CAPTURE_NAMES_MAX)
            continue;
        struct oriel_addr a = type == NRB_IP4 ? rd_addr4(&v) : rd_addr6(&v);
        struct span names = rd_rest(&v);
        const uint8_t *end = names.n == 0 ? NULL : memchr(names.p, '\0', names.n);
        if (end)                /* an address may have several; the first is the one to show */
            names.n = (size_t)(end - names.p);
        if (names.n > 0 && !v.bad)
            c->names[c->names_n++] = (struct capture_name){.addr = a, .name = names};
    }
    return true;
}

/* ---- blocks that hold a frame ---- */

static void frame_option(const struct capture *c, struct capture_frame *f, uint32_t type,
                         const struct option *o)
{
    struct rd v = rd_of(o->value);
    if (o->code == PCAPNG_OPT_COMMENT) {
        add_comment(f->comments, &f->comments_n, o->value);
    } else if (o->code == PCAPNG_EPB_FLAGS && o->value.n >= 4) {
        uint32_t flags = get_u32(c, &v);
        f->dir = (enum pcapng_dir)(flags & FLAGS_DIR);
        if (FLAGS_FCS(flags) != 0)
            f->fcs_len = (uint8_t)FLAGS_FCS(flags);
    } else if (o->code == PCAPNG_EPB_PACKETID && type == PCAPNG_EPB && o->value.n >= 8) {
        f->packet_id = get_u64(c, &v);
        f->has_packet_id = true;
    }
}

static bool of_interface(struct capture *c, const struct block *b, struct capture_frame *f)
{
    if (f->interface >= c->interfaces_n)
        return fault_numbers(c, b->at, "a frame of interface ", f->interface,
                             ", where the section has ", c->interfaces_n, "");
    const struct capture_interface *i = &c->interfaces[f->interface];
    f->link_type = i->link_type;
    f->fcs_len = i->fcs_len;
    f->if_name = i->name;
    return true;
}

/* The enhanced packet block, and the old one, which differs in its first four bytes. */
static bool read_packet(struct capture *c, struct block *b, struct capture_frame *f)
{
    struct rd *r = &b->body;
    if (b->type == PCAPNG_EPB) {
        f->interface = get_u32(c, r);
    } else {
        f->interface = get_u16(c, r);
        rd_skip(r, 2);          /* packets that the capture missed */
    }
    uint64_t ticks = (uint64_t)get_u32(c, r) << 32;
    ticks |= get_u32(c, r);
    uint32_t n = get_u32(c, r);
    uint32_t wire_len = get_u32(c, r);
    if (r->bad)
        return fault(c, b->at, "the packet block is too short");
    if (!of_interface(c, b, f))
        return false;
    if (n > rd_left(r))
        return fault_numbers(c, offset_of(c, r) - 8, "the frame says it has ", n,
                             " bytes, its block has room for ", rd_left(r), "");
    f->bytes = rd_bytes(r, n);
    rd_skip(r, (size_t)(-n & 3));
    f->wire_len = wire_len > n ? wire_len : n;
    f->time = time_of(ticks, &c->interfaces[f->interface]);
    f->has_time = true;
    struct option o;
    while (option_next(c, r, &o))
        frame_option(c, f, b->type, &o);
    return options_whole(c, r);
}

static bool read_simple(struct capture *c, struct block *b, struct capture_frame *f)
{
    struct rd *r = &b->body;
    f->wire_len = get_u32(c, r);
    if (r->bad)
        return fault(c, b->at, "the packet block is too short");
    if (!of_interface(c, b, f))
        return false;
    uint32_t snaplen = c->interfaces[0].snaplen;
    size_t n = snaplen != 0 && snaplen < f->wire_len ? snaplen : f->wire_len;
    if (n > rd_left(r))
        return fault_numbers(c, b->at + 8, "the frame says it has ", n,
                             " bytes, its block has room for ", rd_left(r), "");
    f->bytes = rd_bytes(r, n);
    f->time = c->last;
    return true;
}

static enum capture_step pcapng_next(struct capture *c, struct capture_frame *f)
{
    while (c->at < c->file.n) {
        struct block b;
        bool good = block_next(c, &b);
        if (!good)
            return CAPTURE_FAULT;
        f->offset = b.at;
        switch (b.type) {
        case PCAPNG_SHB: good = read_section(c, &b); break;
        case PCAPNG_IDB: good = read_interface(c, &b); break;
        case PCAPNG_NRB: good = read_names(c, &b); break;
        case PCAPNG_SPB: return read_simple(c, &b, f) ? CAPTURE_FRAME : CAPTURE_FAULT;
        case PCAPNG_EPB:
        case PCAPNG_PB:  return read_packet(c, &b, f) ? CAPTURE_FRAME : CAPTURE_FAULT;
        }
        if (!good)
            return CAPTURE_FAULT;
    }
    return CAPTURE_END;
}

/* ---- classic pcap ---- */

static bool pcap_open(struct capture *c, uint8_t resolution)
{
    struct rd r = rd_of(c->file);
    rd_skip(&r, 4);
    uint16_t major = get_u16(c, &r);
    rd_skip(&r, 10);            /* minor version; time zone and accuracy, always 0 */
    uint32_t snaplen = get_u32(c, &r);
    uint32_t link = get_u32(c, &r);
    if (r.bad)
        return fault_numbers(c, 0, "the file ends inside its header: ", c->file.n, " bytes of ",
                             PCAP_HDR_LEN, "");
    if (major != 2)
        return fault_numbers(c, 4, "the capture is of version ", major, ", not ", 2, "");
    uint8_t fcs_len = link & PCAP_FCS_KNOWN ? (uint8_t)(2 * (link >> 28)) : 0;
    c->interfaces[0] = (struct capture_interface){
        .link_type = (uint16_t)link,
        .snaplen = snaplen,
        .resolution = resolution,
        .fcs_len = fcs_len,
    };
    c->interfaces_n = 1;
    c->at = PCAP_HDR_LEN;
    return true;
}

static enum capture_step pcap_next(struct capture *c, struct capture_frame *f)
{
    size_t left = c->file.n - c->at;
    if (left == 0)
        return CAPTURE_END;
    const struct capture_interface *i = &c->interfaces[0];
    struct rd r = rd_of(span_of(c->file.p + c->at, left));
    uint64_t s = get_u32(c, &r);
    uint64_t part = get_u32(c, &r);
    uint32_t n = get_u32(c, &r);
    uint32_t wire_len = get_u32(c, &r);
    f->bytes = rd_bytes(&r, n);
    if (r.bad && left < PCAP_REC_LEN) {
        fault_numbers(c, c->at, "the file ends inside a record's header: ", left, " bytes of ",
                      PCAP_REC_LEN, "");
        return CAPTURE_FAULT;
    }
    if (r.bad) {
        fault_numbers(c, c->at, "the file ends inside a record: the frame has ", n, " bytes, ",
                      left - PCAP_REC_LEN, " are there");
        return CAPTURE_FAULT;
    }
    f->offset = c->at;
    f->time = s * NS_PER_S + ticks_to_ns(part, i->resolution);
    f->has_time = true;
    f->wire_len = wire_len > n ? wire_len : n;
    f->link_type = i->link_type;
    f->fcs_len = i->fcs_len;
    c->at = offset_of(c, &r);
    return CAPTURE_FRAME;
}

/* ---- the reader ---- */

static bool open_by_magic(struct capture *c, uint32_t magic)
{
    if (magic == PCAPNG_SHB) {
        struct block b;
        c->format = CAPTURE_PCAPNG;
        return block_next(c, &b) && read_section(c, &b);
    }
    c->swapped = magic == swap32(PCAP_US) || magic == swap32(PCAP_NS);
    uint32_t plain = c->swapped ? swap32(magic) : magic;
    if (plain == PCAP_US || plain == PCAP_NS) {
        c->format = CAPTURE_PCAP;
        return pcap_open(c, plain == PCAP_NS ? RESOLUTION_NS : RESOLUTION_US);
    }
    if ((magic & 0xffff0000u) == GZIP_MAGIC)
        return fault(c, 0, "the file is compressed with gzip; unpack it first");
    return fault(c, 0, "the file is neither pcapng nor pcap");
}

bool capture_open(struct capture *c, struct span file)
{
    memset(c, 0, sizeof *c);
    c->file = file;
    if (file.n == 0)
        return fault(c, 0, "the file is empty");
    struct rd r = rd_of(file);
    uint32_t magic = rd_u32(&r);
    if (r.bad)
        return fault_numbers(c, 0, "the file is too short for a capture: ", file.n,
                             " bytes, where the format is named in the first ", 4, "");
    return open_by_magic(c, magic);
}

enum capture_step capture_next(struct capture *c, struct capture_frame *out)
{
    if (c->failed)
        return CAPTURE_FAULT;
    ORIEL_ASSERT(c->format != CAPTURE_UNKNOWN);
    *out = (struct capture_frame){.number = c->frames + 1};
    enum capture_step step = c->format == CAPTURE_PCAP ? pcap_next(c, out) : pcapng_next(c, out);
    if (step == CAPTURE_FRAME) {
        c->frames++;
        c->last = out->time;
    }
    return step;
}

struct span capture_name_of(const struct capture *c, const struct oriel_addr *a)
{
    for (uint32_t i = 0; i < c->names_n; i++)
        if (addr_same_bits(&c->names[i].addr, a))
            return c->names[i].name;
    return span_of(NULL, 0);
}

/* ---- comments ---- */

/* Cut the first word off. False when there is none. */
static bool word_next(struct span *rest, struct span *word)
{
    size_t from = 0;
    while (from < rest->n && (rest->p[from] == ' ' || rest->p[from] == '\n'))
        from++;
    size_t to = from;
    while (to < rest->n && rest->p[to] != ' ' && rest->p[to] != '\n')
        to++;
    if (to == from)
        return false;
    *word = span_of(rest->p + from, to - from);
    *rest = span_of(rest->p + to, rest->n - to);
    return true;
}

/* Is every word key=value? Then the comment is for machines. */
static bool is_pairs(struct span comment)
{
    struct span word;
    bool any = false;
    while (word_next(&comment, &word)) {
        if (word.p[0] == '=' || !memchr(word.p, '=', word.n))
            return false;
        any = true;
    }
    return any;
}

struct span capture_key(const struct capture_frame *f, const char *key)
{
    size_t n = strlen(key);
    for (size_t i = 0; i < f->comments_n; i++) {
        struct span rest = f->comments[i];
        struct span word;
        if (!is_pairs(rest))
            continue;
        while (word_next(&rest, &word))
            if (word.n > n && word.p[n] == '=' && memcmp(word.p, key, n) == 0)
                return span_of(word.p + n + 1, word.n - n - 1);
    }
    return span_of(NULL, 0);
}

struct span capture_sentence(const struct capture_frame *f)
{
    for (size_t i = 0; i < f->comments_n; i++)
        if (f->comments[i].n > 0 && !is_pairs(f->comments[i]))
            return f->comments[i];
    return span_of(NULL, 0);
}
