#include "wire/slip.h"

#include "wire/props.h"

struct line {                   /* what came out of a receiver, frames joined by '|' */
    struct slip_rx rx;
    uint8_t buf[64];
    char text[512];
    struct txt out;
};

static void line_init(struct line *l, size_t cap)
{
    slip_rx_init(&l->rx, l->buf, cap);
    l->out = txt_of(l->text, sizeof(l->text));
}

static void line_feed(struct line *l, struct span bytes)
{
    struct prop_block b = prop_block_of(bytes);
    struct rd in = rd_of(span_of(b.p, b.n));
    struct span frame;
    while (slip_rx_next(&l->rx, &in, &frame)) {
        txt_hex_bytes(&l->out, frame, 0);
        txt_c(&l->out, '|');
    }
    EXPECT(rd_done(&in));
    EXPECT(l->rx.n <= l->rx.cap);
    free(b.base);
}

static const char *frames_of(const char *hex, size_t cap)
{
    static struct line l;
    uint8_t bytes[512];
    line_init(&l, cap);
    line_feed(&l, prop_hex_into(hex, bytes));
    return l.text;
}

TEST("END and ESC are written as two bytes, between two ENDs")
{
    COVERS("1055-1");
    uint8_t b[20];
    struct wr w = wr_of(b, sizeof(b));
    HEX(frame, "45 c0 db dc dd");
    HEX(want, "c0 45 dbdc dbdd dc dd c0");
    slip_emit(&w, frame);
    EXPECT(span_eq(wr_span(&w), want));
}

TEST("what is written comes back, whole or byte by byte")
{
    COVERS("1055-1");
    struct prop_gen g = prop_gen_of(PROP_SEED);
    for (unsigned i = 0; i < PROP_RUNS; i++) {
        uint8_t wire[200], frame[60];
        size_t n = 1 + prop_upto(&g, 58);
        for (size_t k = 0; k < n; k++)
            frame[k] = (uint8_t)PROP_ONE_OF(&g, 0xc0, 0xdb, 0xdc, 0xdd, 0, prop_u8(&g));
        struct wr w = wr_of(wire, sizeof(wire));
        slip_emit(&w, span_of(frame, n));
        EXPECT(!w.bad && wr_len(&w) <= slip_encoded_max(n));
        struct line whole, bytes;
        line_init(&whole, sizeof(whole.buf));
        line_init(&bytes, sizeof(bytes.buf));
        line_feed(&whole, wr_span(&w));
        for (size_t k = 0; k < wr_len(&w); k++)
            line_feed(&bytes, span_of(wire + k, 1));
        char want[200];
        struct txt t = txt_of(want, sizeof(want));
        txt_hex_bytes(&t, span_of(frame, n), 0);
        txt_c(&t, '|');
        EXPECT_STR(whole.text, want);
        EXPECT_STR(bytes.text, want);
    }
}

TEST("empty frames are ignored")
{
    COVERS("1055-1");
    EXPECT_STR(frames_of("c0c0c0 4501 c0c0 46 c0", 64), "4501|46|");
}

TEST("an unknown escape stands for its byte")
{
    COVERS("1055-1");
    EXPECT_STR(frames_of("c0 45db01db46 c0", 64), "450146|");
    EXPECT_STR(frames_of("c0 45dbdbdc c0", 64), "45dbdc|");
}

TEST("END after ESC still ends the frame")
{
    EXPECT_STR(frames_of("c0 45db c0 46 c0", 64), "45|46|");
}

TEST("an overlong frame is thrown away whole, and the next one is read")
{
    COVERS("1055-1");
    struct line l;
    HEX(bytes, "c0 0102030405 c0 01020304 c0 010203dbdc05 c0 07 c0");
    line_init(&l, 4);
    line_feed(&l, bytes);
    EXPECT_STR(l.text, "01020304|07|");
    EXPECT_EQ(l.rx.overlong_n, 2);
}

TEST("a frame is not complete before its END")
{
    struct line l;
    HEX(begin, "c0 4501");
    HEX(end, "02 c0");
    line_init(&l, sizeof(l.buf));
    line_feed(&l, begin);
    EXPECT_STR(l.text, "");
    line_feed(&l, end);
    EXPECT_STR(l.text, "450102|");
}

TEST("any bytes at all are taken, and a frame after them is found")
{
    struct prop_gen g = prop_gen_of(PROP_SEED);
    HEX(good, "c0 45464748 c0");
    for (unsigned i = 0; i < PROP_RUNS; i++) {
        struct line l;
        uint8_t noise[60];
        for (size_t k = 0; k < sizeof(noise); k++)
            noise[k] = (uint8_t)PROP_ONE_OF(&g, 0xc0, 0xdb, 0xdc, prop_u8(&g), prop_u8(&g));
        line_init(&l, 8);
        line_feed(&l, span_of(noise, sizeof(noise)));
        line_feed(&l, good);
        size_t n = strlen(l.text);
        EXPECT(n >= 9);
        EXPECT_STR(l.text + n - 9, "45464748|");
    }
}
