/* SLIP (RFC 1055): packets on a serial line, told apart by one byte. */
#ifndef ORIEL_WIRE_SLIP_H
#define ORIEL_WIRE_SLIP_H

#include "base/bytes.h"

#define SLIP_FRAME_MAX 1006     /* RFC 1055's; a link may be configured for more */

/* Bytes that a frame of n bytes takes at most. */
static inline size_t slip_encoded_max(size_t n)
{
    return 2 * n + 2;
}

/* Writes END, the frame escaped, END. The first END flushes line noise (RFC 1055). */
void slip_emit(struct wr *w, struct span frame);

/*
 * A receiver: bytes in, frames out. The buffer is the caller's and bounds the frame: one that does
 * not fit is thrown away whole, up to the next END. Empty frames are not reported. An escape that
 * RFC 1055 does not name stands for the byte after ESC, as in its sample code; END ends the frame
 * even after ESC, so that one lost byte costs one frame.
 * Invariant: n <= cap, and the bytes of the frame so far are buf[0..n).
 */
struct slip_rx {
    uint8_t *buf;
    size_t cap;
    size_t n;
    bool is_escaped;            /* the byte before was ESC */
    bool is_overlong;           /* skipping to END */
    uint32_t overlong_n;        /* frames thrown away */
};

void slip_rx_init(struct slip_rx *s, uint8_t *buf, size_t cap);

/*
 * Takes bytes from `in` up to the end of a frame. True: *frame is that frame, in the buffer, until
 * the next call. False: `in` is used up and the frame is not complete.
 */
bool slip_rx_next(struct slip_rx *s, struct rd *in, struct span *frame);

#endif
