#include "fx_rcv.h"

#include "tcp/tcp_segment.c"

/* What was written in more pieces than a packet can refer to. */
#define PIECES (PKT_SLICES_MAX + 1)
#define PIECE  2000u             /* there is no room for two in a block that was taken for one */

static void write_pieces(struct fx_rcv *f)
{
    uint8_t data[PIECE];
    struct stream *s = &tcp_flight_of(f->t, f->c)->sndq;
    for (uint32_t i = 0; i < PIECES; i++) {
        for (uint32_t k = 0; k < PIECE; k++)
            data[k] = fx_byte(i * PIECE + k);
        EXPECT_EQ(stream_write(f->t->env, s, span_of(data, PIECE), PIECE), PIECE);
    }
}

/* The packet that is made of all of it while a segment has that many bytes. */
static struct pkt *all_of(struct fx_rcv *f, uint16_t mss)
{
    f->c->snd.mss = mss;
    struct pkt *p = with_payload(f->t, f->c, f->c->flight->sndq.base, PIECES * PIECE, false);
    EXPECT(p != NULL);
    EXPECT_EQ(pkt_len(p), PIECES * PIECE);
    static uint8_t bytes[PIECES * PIECE];
    pkt_read(p, 0, bytes, sizeof(bytes));
    for (uint32_t i = 0; i < PIECES * PIECE; i++)
        EXPECT_EQ(bytes[i], fx_byte(i));
    return p;
}

TEST("a segment in more pieces than a packet can refer to is copied")
{
    struct fx_rcv *f = fx_rcv();
    write_pieces(f);
    struct pkt *p = all_of(f, PIECES * PIECE);
    EXPECT(p->gso == GSO_NONE && p->more_n == 0);
    pkt_free(p);
    fx_rcv_free(f);
}

TEST("copied, it is cut all the same where segments have become smaller since it was sent first")
{
    struct fx_rcv *f = fx_rcv();
    write_pieces(f);
    struct pkt *p = all_of(f, PIECES * PIECE - 12);
    EXPECT(p->gso == GSO_TCP4 && p->gso_size == PIECES * PIECE - 12);
    EXPECT(p->head.len == 0 && p->more_n == 1);
    pkt_free(p);
    fx_rcv_free(f);
}
