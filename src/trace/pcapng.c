/*
 * Blocks of the pcapng format.
 *
 * A block is: type, length, body, options, the length again; everything padded to four bytes. An
 * option is: code, length, value, padding. Each block is built from front to back and its first
 * length filled in at the end. What must be there (fixed fields, then numbers) is written before
 * what may be cut (text), and TAIL bytes are always kept for what closes the block; so a block
 * always fits a scratch of PCAPNG_SCRATCH_MIN, whatever the texts.
 */
#include "trace/pcapng.h"

#define TAIL        8           /* the end of options, and the length again */
#define OPT_HDR     4
#define EPB_FIXED   28          /* up to the frame's bytes */
#define EPB_OPTIONS 20          /* flags and packet id */
#define TSRESOL_NS  9
#define NRB_IP4     1
#define NRB_IP6     2
#define NRB_NAMES_TAIL 16       /* the end of records, the end of options, the length; and slack */
#define FLAGS_FCS_SHIFT 5

static_assert(EPB_FIXED + EPB_OPTIONS + TAIL + 256 < PCAPNG_SCRATCH_MIN, "a frame always fits");
static_assert(2 * OPT_HDR + 16 + PCAPNG_NAME_MAX + 1 + 32 < PCAPNG_SCRATCH_MIN, "so does a name");

/* ---- little-endian numbers and padding ---- */

static void put_u16(struct wr *w, uint16_t v)
{
    wr_u8(w, (uint8_t)v);
    wr_u8(w, (uint8_t)(v >> 8));
}

static void put_u32(struct wr *w, uint32_t v)
{
    put_u16(w, (uint16_t)v);
    put_u16(w, (uint16_t)(v >> 16));
}

static void put_u64(struct wr *w, uint64_t v)
{
    put_u32(w, (uint32_t)v);
    put_u32(w, (uint32_t)(v >> 32));
}

/* Times go in two halves, the upper one first, in either byte order. */
static void put_time(struct wr *w, oriel_time t)
{
    put_u32(w, (uint32_t)(t >> 32));
    put_u32(w, (uint32_t)t);
}

static void put_padding(struct wr *w)
{
    wr_zeros(w, (size_t)(-wr_len(w) & 3));
}

/* ---- blocks ---- */

static void block_begin(struct wr *w, enum pcapng_block type)
{
    put_u32(w, type);
    put_u32(w, 0);              /* the length; block_end knows it */
}

static void block_end(struct wr *w)
{
    size_t n = wr_len(w) + 4;
    put_u32(w, (uint32_t)n);
    if (w->bad)
        return;
    struct wr at = wr_of(w->start + 4, 4);
    put_u32(&at, (uint32_t)n);
}

static void options_end(struct wr *w)
{
    put_u16(w, PCAPNG_OPT_END);
    put_u16(w, 0);
}

/* ---- options ---- */

static void option_begin(struct wr *w, enum pcapng_opt code, size_t n)
{
    put_u16(w, (uint16_t)code);
    put_u16(w, (uint16_t)n);
}

/* The longest prefix of at most n bytes that does not end inside a character. */
static struct span cut_text(struct span text, size_t n)
{
    if (text.n <= n)
        return text;
    for (unsigned back = 0; back < 3 && n > 0 && (text.p[n] & 0xc0) == 0x80; back++)
        n--;
    return span_of(text.p, n);
}

static void option_text(struct wr *w, enum pcapng_opt code, struct span text)
{
    size_t left = wr_left(w);
    size_t room = left < OPT_HDR + TAIL ? 0 : (left - OPT_HDR - TAIL) & ~(size_t)3;
    text = cut_text(text, room < PCAPNG_OPTION_MAX ? room : PCAPNG_OPTION_MAX);
    if (text.n == 0)
        return;
    option_begin(w, code, text.n);
    wr_bytes(w, text);
    put_padding(w);
}

static void option_str(struct wr *w, enum pcapng_opt code, const char *text)
{
    if (text)
        option_text(w, code, span_of(text, strlen(text)));
}

static void option_u8(struct wr *w, enum pcapng_opt code, uint8_t v)
{
    option_begin(w, code, 1);
    wr_u8(w, v);
    put_padding(w);
}

static void option_u32(struct wr *w, enum pcapng_opt code, uint32_t v)
{
    option_begin(w, code, 4);
    put_u32(w, v);
}

static void option_u64(struct wr *w, enum pcapng_opt code, uint64_t v)
{
    option_begin(w, code, 8);
    put_u64(w, v);
}

static void option_time(struct wr *w, enum pcapng_opt code, oriel_time t)
{
    option_begin(w, code, 8);
    put_time(w, t);
}

static void option_addr(struct wr *w, const struct pcapng_addr *a)
{
    ORIEL_ASSERT(a->len <= 128);
    if (wr_left(w) < OPT_HDR + 20 + TAIL)
        return;
    if (addr_is_v4(&a->addr)) {
        unsigned len4 = a->len < 96 ? 0 : a->len - 96u;
        option_begin(w, PCAPNG_IF_IP4, 8);
        wr_addr4(w, &a->addr);
        wr_u32(w, len4 == 0 ? 0 : UINT32_MAX << (32 - len4));
    } else {
        option_begin(w, PCAPNG_IF_IP6, 17);
        wr_addr6(w, &a->addr);
        wr_u8(w, a->len);
        put_padding(w);
    }
}

/* ---- the blocks ---- */

static void emit_section(struct wr *w, const struct pcapng_section *s)
{
    block_begin(w, PCAPNG_SHB);
    put_u32(w, PCAPNG_MAGIC);
    put_u16(w, 1);              /* version 1.0 */
    put_u16(w, 0);
    put_u64(w, UINT64_MAX);     /* length of the section: not known yet, and never patched */
    option_str(w, PCAPNG_SHB_HARDWARE, s->hardware);
    option_str(w, PCAPNG_SHB_OS, s->os);
    option_str(w, PCAPNG_SHB_USERAPPL, s->application);
    for (size_t i = 0; i < s->comments_n; i++)
        option_text(w, PCAPNG_OPT_COMMENT, s->comments[i]);
    options_end(w);
    block_end(w);
}

static void emit_interface(struct wr *w, const struct pcapng_interface *i)
{
    block_begin(w, PCAPNG_IDB);
    put_u16(w, i->link_type);
    put_u16(w, 0);
    put_u32(w, i->snaplen);
    option_u8(w, PCAPNG_IF_TSRESOL, TSRESOL_NS);
    if (i->fcs_len != 0)
        option_u8(w, PCAPNG_IF_FCSLEN, (uint8_t)(8 * i->fcs_len));
    if (i->speed_bps != 0)
        option_u64(w, PCAPNG_IF_SPEED, i->speed_bps);
    if (!mac_is_zero(&i->mac)) {
        option_begin(w, PCAPNG_IF_MAC, 6);
        wr_mac(w, &i->mac);
        put_padding(w);
    }
    option_str(w, PCAPNG_IF_NAME, i->name);
    option_str(w, PCAPNG_IF_DESCRIPTION, i->description);
    for (size_t k = 0; k < i->addrs_n; k++)
        option_addr(w, &i->addrs[k]);
    options_end(w);
    block_end(w);
}

static void emit_name(struct wr *w, const struct pcapng_name *n)
{
    bool v4 = addr_is_v4(&n->addr);
    struct span name = cut_text(span_of(n->name, strlen(n->name)), PCAPNG_NAME_MAX);
    ORIEL_ASSERT(name.n > 0);
    put_u16(w, v4 ? NRB_IP4 : NRB_IP6);
    put_u16(w, (uint16_t)((v4 ? 4 : 16) + name.n + 1));
    if (v4)
        wr_addr4(w, &n->addr);
    else
        wr_addr6(w, &n->addr);
    wr_bytes(w, name);
    wr_u8(w, 0);
    put_padding(w);
}

/* As many names as there is room for; their number. */
static size_t emit_names(struct wr *w, const struct pcapng_name *names, size_t n)
{
    block_begin(w, PCAPNG_NRB);
    size_t done = 0;
    while (done < n && wr_left(w) >= 4 + 16 + PCAPNG_NAME_MAX + 4 + NRB_NAMES_TAIL)
        emit_name(w, &names[done++]);
    put_u32(w, 0);              /* the end of records */
    block_end(w);
    ORIEL_ASSERT(done > 0);
    return done;
}

static void emit_frame(struct wr *w, const struct pcapng_frame *p, uint32_t snaplen,
                       uint8_t fcs_len)
{
    size_t room = (wr_left(w) - EPB_FIXED - EPB_OPTIONS - TAIL) & ~(size_t)3;
    size_t n = p->bytes.n < room ? p->bytes.n : room;
    if (snaplen != 0 && n > snaplen)
        n = snaplen;

    block_begin(w, PCAPNG_EPB);
    put_u32(w, p->interface);
    put_time(w, p->time);
    put_u32(w, (uint32_t)n);
    put_u32(w, p->wire_len != 0 ? p->wire_len : (uint32_t)p->bytes.n);
    wr_bytes(w, span_of(p->bytes.p, n));
    put_padding(w);
    uint32_t flags = (uint32_t)p->dir | (uint32_t)fcs_len << FLAGS_FCS_SHIFT;
    if (flags != 0)
        option_u32(w, PCAPNG_EPB_FLAGS, flags);
    if (p->has_packet_id)
        option_u64(w, PCAPNG_EPB_PACKETID, p->packet_id);
    for (size_t i = 0; i < p->comments_n; i++)
        option_text(w, PCAPNG_OPT_COMMENT, p->comments[i]);
    options_end(w);
    block_end(w);
}

static void emit_stats(struct wr *w, uint32_t interface, const struct pcapng_stats *s)
{
    block_begin(w, PCAPNG_ISB);
    put_u32(w, interface);
    put_time(w, s->end);
    option_time(w, PCAPNG_ISB_STARTTIME, s->start);
    option_time(w, PCAPNG_ISB_ENDTIME, s->end);
    option_u64(w, PCAPNG_ISB_IFRECV, s->received);
    option_u64(w, PCAPNG_ISB_IFDROP, s->dropped);
    option_u64(w, PCAPNG_ISB_FILTERACCEPT, s->delivered);
    option_u64(w, PCAPNG_ISB_USRDELIV, s->delivered);
    options_end(w);
    block_end(w);
}

/* ---- the writer ---- */

void pcapng_init(struct pcapng *f, struct sink out, void *scratch, size_t scratch_n)
{
    ORIEL_ASSERT(scratch_n >= PCAPNG_SCRATCH_MIN);
    ORIEL_ASSERT(scratch_n <= UINT32_MAX);
    *f = (struct pcapng){.out = out, .scratch = scratch, .scratch_n = scratch_n};
}

static struct wr begin(struct pcapng *f)
{
    return wr_of(f->scratch, f->scratch_n);
}

static bool finish(struct pcapng *f, const struct wr *w)
{
    ORIEL_ASSERT(!w->bad);
    ORIEL_ASSERT((wr_len(w) & 3) == 0);
    if (f->bad)
        return false;
    f->bad = !sink_put(&f->out, wr_span(w));
    if (!f->bad)
        f->bytes += wr_len(w);
    return !f->bad;
}

bool pcapng_add_section(struct pcapng *f, const struct pcapng_section *s)
{
    ORIEL_ASSERT(f->bytes == 0);
    struct wr w = begin(f);
    emit_section(&w, s);
    return finish(f, &w);
}

bool pcapng_add_interface(struct pcapng *f, const struct pcapng_interface *i, uint32_t *id)
{
    ORIEL_ASSERT(i->fcs_len == 0 || i->fcs_len == 4);
    ORIEL_ASSERT(f->frames == 0);
    if (f->interfaces_n == 0) {
        f->link_type = i->link_type;
        f->snaplen = i->snaplen;
        f->fcs_len = i->fcs_len;
    }
    ORIEL_ASSERT(i->link_type == f->link_type);
    ORIEL_ASSERT(i->snaplen == f->snaplen);
    ORIEL_ASSERT(i->fcs_len == f->fcs_len);

    struct wr w = begin(f);
    emit_interface(&w, i);
    *id = f->interfaces_n++;
    return finish(f, &w);
}

bool pcapng_add_names(struct pcapng *f, const struct pcapng_name *names, size_t n)
{
    for (size_t done = 0; done < n;) {
        struct wr w = begin(f);
        done += emit_names(&w, names + done, n - done);
        if (!finish(f, &w))
            return false;
    }
    return !f->bad;
}

bool pcapng_add_frame(struct pcapng *f, const struct pcapng_frame *p)
{
    ORIEL_ASSERT(p->interface < f->interfaces_n);
    struct wr w = begin(f);
    emit_frame(&w, p, f->snaplen, f->fcs_len);
    if (!finish(f, &w))
        return false;
    f->frames++;
    return true;
}

bool pcapng_add_stats(struct pcapng *f, uint32_t interface, const struct pcapng_stats *s)
{
    ORIEL_ASSERT(interface < f->interfaces_n);
    struct wr w = begin(f);
    emit_stats(&w, interface, s);
    return finish(f, &w);
}
