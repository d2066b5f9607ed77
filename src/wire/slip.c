/*
 * SLIP (RFC 1055). Two bytes have a meaning: END closes a frame, ESC announces a byte that may not
 * stand for itself. There is no checksum, no address and no type; what the frame holds is its own
 * first nibble's business.
 */
#include "wire/slip.h"

#define END     0xc0u
#define ESC     0xdbu
#define ESC_END 0xdcu
#define ESC_ESC 0xddu

void slip_emit(struct wr *w, struct span frame)
{
    struct rd r = rd_of(frame);
    wr_u8(w, END);
    while (!rd_done(&r)) {
        uint8_t b = rd_u8(&r);
        if (b == END || b == ESC) {
            wr_u8(w, ESC);
            wr_u8(w, b == END ? ESC_END : ESC_ESC);
        } else {
            wr_u8(w, b);
        }
    }
    wr_u8(w, END);
}

void slip_rx_init(struct slip_rx *s, uint8_t *buf, size_t cap)
{
    *s = (struct slip_rx){.buf = buf, .cap = cap};
}

static uint8_t unescape(uint8_t b)
{
    if (b == ESC_END)
        return END;
    return b == ESC_ESC ? ESC : b;
}

static void take_byte(struct slip_rx *s, uint8_t b)
{
    if (s->is_escaped)
        b = unescape(b);
    s->is_escaped = false;
    if (s->n < s->cap)
        s->buf[s->n++] = b;
    else
        s->is_overlong = true;
}

/* True when the frame that ended is one to hand on. */
static bool end_frame(struct slip_rx *s, struct span *frame)
{
    bool is_good = !s->is_overlong && s->n > 0;
    if (s->is_overlong)
        s->overlong_n++;
    *frame = span_of(s->buf, is_good ? s->n : 0);
    s->n = 0;
    s->is_escaped = false;
    s->is_overlong = false;
    return is_good;
}

bool slip_rx_next(struct slip_rx *s, struct rd *in, struct span *frame)
{
    ORIEL_ASSERT(s->n <= s->cap);
    while (!rd_done(in)) {
        uint8_t b = rd_u8(in);
        if (b == END) {
            if (end_frame(s, frame))
                return true;
        } else if (b == ESC && !s->is_escaped) {
            s->is_escaped = true;
        } else {
            take_byte(s, b);
        }
    }
    return false;
}
