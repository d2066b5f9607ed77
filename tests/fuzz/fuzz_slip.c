#include "fuzz.h"

#include "wire/slip.h"

#define CAP 64                  /* small, so that overlong frames are found */

/* What came out of the bytes: the last frame, and how many there were. */
struct heard {
    uint8_t buf[CAP];
    size_t n;
    unsigned frames;
};

static void hear(struct slip_rx *s, struct rd *in, struct heard *h)
{
    struct span frame;
    while (slip_rx_next(s, in, &frame)) {
        FUZZ_CHECK(frame.n > 0 && frame.n <= CAP);
        memcpy(h->buf, frame.p, frame.n);
        h->n = frame.n;
        h->frames++;
    }
    FUZZ_CHECK(rd_done(in));
}

/* Whole and byte by byte must hear the same. */
static bool parse(struct rd *r, struct heard *h)
{
    uint8_t buf[CAP];
    struct slip_rx s;
    struct heard slow = {.n = 0};
    struct rd again = *r;
    *h = slow;
    slip_rx_init(&s, buf, sizeof(buf));
    hear(&s, r, h);
    slip_rx_init(&s, buf, sizeof(buf));
    while (!rd_done(&again)) {
        struct rd one = rd_sub(&again, 1);
        hear(&s, &one, &slow);
    }
    FUZZ_CHECK(slow.frames == h->frames && slow.n == h->n);
    FUZZ_CHECK(memcmp(slow.buf, h->buf, h->n) == 0);
    return h->frames > 0 || rd_fail(r, FAULT_SHORT);
}

static void print(struct txt *t, const struct heard *h)
{
    txt_hex_bytes(t, span_of(h->buf, h->n), 0);
}

FUZZ_FORMAT(slip, struct heard, parse(r, h), slip_emit(w, span_of(h->buf, h->n)), print(t, h))
