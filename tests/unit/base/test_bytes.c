/* Reading and writing foreign bytes: every truncation, and never a byte outside. */
#include "test.h"

#include "base/bytes.h"

/* A copy of its own size on the heap, so that the address sanitizer sees one byte too many. */
static uint8_t *exact_copy(const void *p, size_t n)
{
    uint8_t *b = malloc(n > 0 ? n : 1);
    EXPECT(b != NULL);
    if (n > 0)
        memcpy(b, p, n);
    return b;
}

static const uint8_t digits[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                                   0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10};

/* ---- reading ---- */

static uint64_t read_u8(struct rd *r)
{
    return rd_u8(r);
}

static uint64_t read_u16(struct rd *r)
{
    return rd_u16(r);
}

static uint64_t read_u24(struct rd *r)
{
    return rd_u24(r);
}

static uint64_t read_u32(struct rd *r)
{
    return rd_u32(r);
}

static uint64_t read_u64(struct rd *r)
{
    return rd_u64(r);
}

static const struct {
    uint64_t (*read)(struct rd *r);
    size_t n;
    uint64_t want;
} integers[] = {
    {read_u8, 1, 0x01},
    {read_u16, 2, 0x0123},
    {read_u24, 3, 0x012345},
    {read_u32, 4, 0x01234567},
    {read_u64, 8, 0x0123456789abcdef},
};

TEST("integers are read most significant byte first")
{
    for (size_t i = 0; i < ARRAY_LEN(integers); i++) {
        struct rd r = rd_of(span_of(digits, sizeof digits));
        EXPECT(integers[i].read(&r) == integers[i].want);
        EXPECT_EQ(rd_left(&r), sizeof digits - integers[i].n);
        EXPECT_EQ(r.bad, 0);
    }
}

TEST("integers with the highest bit set keep it")
{
    static const uint8_t ones[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    for (size_t i = 0; i < ARRAY_LEN(integers); i++) {
        struct rd r = rd_of(span_of(ones, sizeof ones));
        EXPECT(integers[i].read(&r) == UINT64_MAX >> (64 - 8 * integers[i].n));
    }
}

TEST("an integer cut short anywhere reads as zero, uses nothing and marks the reader")
{
    for (size_t i = 0; i < ARRAY_LEN(integers); i++) {
        for (size_t n = 0; n <= integers[i].n; n++) {
            uint8_t *b = exact_copy(digits, n);
            struct rd r = rd_of(span_of(b, n));
            bool whole = n == integers[i].n;
            EXPECT(integers[i].read(&r) == (whole ? integers[i].want : 0));
            EXPECT_EQ(r.bad, whole ? 0 : RD_SHORT);
            EXPECT_EQ(rd_left(&r), whole ? 0 : n);
            free(b);
        }
    }
}

/* A format with a bit of everything; its size is the sum of its parts. */
#define FORMAT_LEN (1 + 2 + 3 + 4 + 8 + 2 + 3 + 1)

static bool read_format(struct rd *r)
{
    uint8_t copy[3];
    (void)rd_u8(r);
    (void)rd_u16(r);
    (void)rd_u24(r);
    (void)rd_u32(r);
    (void)rd_u64(r);
    rd_skip(r, 2);
    rd_copy(r, copy, sizeof copy);
    struct rd sub = rd_sub(r, 1);
    (void)rd_u8(&sub);
    return rd_join(r, &sub);
}

TEST("a format is good only when every byte of it is there")
{
    uint8_t bytes[FORMAT_LEN + 1] = {0};
    for (size_t n = 0; n <= sizeof bytes; n++) {
        uint8_t *b = exact_copy(bytes, n);
        struct rd r = rd_of(span_of(b, n));
        EXPECT(read_format(&r) == (n >= FORMAT_LEN));
        EXPECT_EQ(r.bad, n >= FORMAT_LEN ? 0 : RD_SHORT);
        EXPECT(n < FORMAT_LEN || rd_left(&r) == n - FORMAT_LEN);
        EXPECT(r.p >= b && r.p <= b + n);
        free(b);
    }
}

TEST("the first fault stays")
{
    struct rd r = rd_of(span_of(digits, 1));
    EXPECT(!rd_fail(&r, 7));
    EXPECT(!rd_fail(&r, 8));
    EXPECT_EQ(r.bad, 7);
    EXPECT_EQ(rd_u32(&r), 0);
    EXPECT_EQ(r.bad, 7);
    (void)rd_sub(&r, 2);
    EXPECT_EQ(r.bad, 7);
}

TEST("a narrowed reader sees its own bytes and its parent goes on after them")
{
    struct rd r = rd_of(span_of(digits, sizeof digits));
    struct rd sub = rd_sub(&r, 3);
    EXPECT_EQ(rd_left(&sub), 3);
    EXPECT_EQ(rd_left(&r), sizeof digits - 3);
    EXPECT_EQ(rd_u24(&sub), 0x012345);
    EXPECT(rd_done(&sub));
    EXPECT_EQ(rd_u8(&sub), 0);
    EXPECT_EQ(sub.bad, RD_SHORT);
    EXPECT_EQ(r.bad, 0);
    EXPECT_EQ(rd_u8(&r), 0x67);
}

TEST("narrowing to more than there is gives an empty reader, and both are bad")
{
    struct rd r = rd_of(span_of(digits, 4));
    struct rd sub = rd_sub(&r, 5);
    EXPECT_EQ(sub.bad, RD_SHORT);
    EXPECT_EQ(r.bad, RD_SHORT);
    EXPECT(rd_done(&sub));
    EXPECT_EQ(rd_left(&r), 4);
    sub = rd_sub(&r, SIZE_MAX);
    EXPECT(rd_done(&sub));
}

TEST("a reader narrowed from a bad one is bad")
{
    struct rd r = rd_of(span_of(digits, 4));
    rd_fail(&r, 9);
    struct rd sub = rd_sub(&r, 2);
    EXPECT_EQ(sub.bad, 9);
}

TEST("a child's fault becomes its parent's, unless the parent had one")
{
    struct rd r = rd_of(span_of(digits, 4));
    struct rd child = rd_sub(&r, 2);
    EXPECT(rd_join(&r, &child));
    rd_fail(&child, 5);
    EXPECT(!rd_join(&r, &child));
    EXPECT_EQ(r.bad, 5);
    child.bad = 6;
    EXPECT(!rd_join(&r, &child));
    EXPECT_EQ(r.bad, 5);
    child.bad = 0;
    EXPECT(!rd_join(&r, &child));

    r = rd_of(span_of(digits, 4));
    child = rd_sub(&r, 1);
    (void)rd_u16(&child);
    EXPECT(!rd_join(&r, &child));
    EXPECT_EQ(r.bad, RD_SHORT);
}

TEST("bytes are borrowed in place, and are none when there are too few")
{
    struct rd r = rd_of(span_of(digits, 6));
    struct span s = rd_bytes(&r, 2);
    EXPECT(s.p == digits && s.n == 2);
    s = rd_bytes(&r, 5);
    EXPECT_EQ(s.n, 0);
    EXPECT_EQ(r.bad, RD_SHORT);
    s = rd_rest(&r);
    EXPECT(s.p == digits + 2 && s.n == 4);
    EXPECT(rd_done(&r));
    EXPECT_EQ(rd_rest(&r).n, 0);
}

TEST("a copy that is cut short is all zeros")
{
    for (size_t n = 0; n <= 4; n++) {
        uint8_t out[5] = {9, 9, 9, 9, 9};
        struct rd r = rd_of(span_of(digits, n));
        rd_copy(&r, out, 4);
        EXPECT_MEM(out, n == 4 ? digits : (const uint8_t[4]){0}, 4);
        EXPECT_EQ(out[4], 9);
        EXPECT_EQ(r.bad, n == 4 ? 0 : RD_SHORT);
    }
}

TEST("skipping past the end is a fault and moves nothing")
{
    struct rd r = rd_of(span_of(digits, 4));
    rd_skip(&r, 4);
    EXPECT_EQ(r.bad, 0);
    EXPECT(rd_done(&r));
    rd_skip(&r, 1);
    EXPECT_EQ(r.bad, RD_SHORT);
    EXPECT(rd_done(&r));
}

TEST("an empty span at NULL reads and writes like any other")
{
    uint8_t out[1] = {9};
    struct rd r = rd_of(span_of(NULL, 0));
    EXPECT(rd_done(&r));
    EXPECT_EQ(rd_rest(&r).n, 0);
    rd_copy(&r, out, 0);
    EXPECT_EQ(out[0], 9);
    EXPECT_EQ(r.bad, 0);
    EXPECT_EQ(rd_u8(&r), 0);
    EXPECT_EQ(r.bad, RD_SHORT);

    struct wr w = wr_of(NULL, 0);
    wr_bytes(&w, span_of(NULL, 0));
    wr_zeros(&w, 0);
    EXPECT(!w.bad);
    wr_u8(&w, 1);
    EXPECT(w.bad);
}

TEST("spans are equal when their bytes are")
{
    EXPECT(span_eq(span_of("abc", 3), span_of("abcd", 3)));
    EXPECT(!span_eq(span_of("abc", 3), span_of("abcd", 4)));
    EXPECT(!span_eq(span_of("abc", 3), span_of("abd", 3)));
    EXPECT(span_eq(span_of("abc", 0), span_of(NULL, 0)));
}

/* ---- writing ---- */

static void put_u8(struct wr *w)
{
    wr_u8(w, 0x01);
}

static void put_u16(struct wr *w)
{
    wr_u16(w, 0x0123);
}

static void put_u24(struct wr *w)
{
    wr_u24(w, 0xff012345);      /* the upper byte is not part of it */
}

static void put_u32(struct wr *w)
{
    wr_u32(w, 0x01234567);
}

static void put_u64(struct wr *w)
{
    wr_u64(w, 0x0123456789abcdef);
}

static void put_one_byte(struct wr *w)
{
    wr_bytes(w, span_of(digits, 1));
}

static void put_bytes(struct wr *w)
{
    wr_bytes(w, span_of(digits, 16));
}

static const struct {
    void (*put)(struct wr *w);
    size_t n;
} fields[] = {{put_u8, 1},  {put_u16, 2},      {put_u24, 3},   {put_u32, 4},
              {put_u64, 8}, {put_one_byte, 1}, {put_bytes, 16}};

TEST("a field is written whole, most significant byte first, or not at all")
{
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        for (size_t room = 0; room <= 17; room++) {
            uint8_t buf[20];
            uint8_t untouched[20];
            memset(buf, 0xee, sizeof buf);
            memset(untouched, 0xee, sizeof untouched);
            struct wr w = wr_of(buf + 1, room);
            fields[i].put(&w);
            bool fits = room >= fields[i].n;
            size_t n = fits ? fields[i].n : 0;
            EXPECT(w.bad == !fits);
            EXPECT_EQ(wr_len(&w), n);
            EXPECT_EQ(wr_left(&w), room - n);
            EXPECT_EQ(buf[0], 0xee);
            EXPECT(memcmp(buf + 1, digits, n) == 0);
            EXPECT_MEM(buf + 1 + n, untouched, sizeof buf - 1 - n);
        }
    }
}

TEST("zeros overwrite exactly as many bytes as asked for")
{
    uint8_t buf[6];
    memset(buf, 0xee, sizeof buf);
    struct wr w = wr_of(buf, 5);
    wr_zeros(&w, 1);
    EXPECT_MEM(buf, "\0\xee\xee\xee\xee\xee", 6);
    wr_zeros(&w, 3);
    EXPECT(!w.bad);
    EXPECT_MEM(buf, "\0\0\0\0\xee\xee", 6);
    wr_zeros(&w, 2);
    EXPECT(w.bad);
    EXPECT_MEM(buf, "\0\0\0\0\xee\xee", 6);
}

TEST("a writer that did not fit once stays bad")
{
    uint8_t buf[3];
    struct wr w = wr_of(buf, sizeof buf);
    wr_u32(&w, 1);
    EXPECT(w.bad);
    wr_u8(&w, 1);
    EXPECT(w.bad);
    EXPECT(wr_room(&w, SIZE_MAX) == NULL);
}

TEST("room is handed out once and in order")
{
    uint8_t buf[4];
    struct wr w = wr_of(buf, sizeof buf);
    EXPECT(wr_room(&w, 3) == buf);
    EXPECT(wr_room(&w, 1) == buf + 3);
    EXPECT(!w.bad);
    EXPECT(wr_room(&w, 1) == NULL);
    EXPECT(w.bad);
    EXPECT(wr_span(&w).p == buf && wr_span(&w).n == 4);
}

TEST("a field is patched where it was written, and nowhere else")
{
    uint8_t buf[6] = {0};
    struct wr w = wr_of(buf, sizeof buf);
    wr_zeros(&w, 4);
    wr_patch_u16(&w, 2, 0xabcd);
    EXPECT_MEM(buf, "\0\0\xab\xcd\0\0", 6);
    EXPECT_EQ(wr_len(&w), 4);
    EXPECT_ASSERTS(wr_patch_u16(&w, 3, 1));
    EXPECT_ASSERTS(wr_patch_u16(&w, 4, 1));
    EXPECT_MEM(buf, "\0\0\xab\xcd\0\0", 6);
}

TEST("patching a writer that is bad does nothing")
{
    uint8_t buf[2] = {7, 7};
    struct wr w = wr_of(buf, sizeof buf);
    wr_u32(&w, 0);
    EXPECT(w.bad);
    wr_patch_u16(&w, 0, 0xffff);
    wr_patch_u16(&w, 100, 0xffff);
    EXPECT_MEM(buf, "\x07\x07", 2);
}

TEST("what was written reads back")
{
    uint64_t lcg = 11;
    for (unsigned i = 0; i < 10000; i++) {
        uint8_t buf[18];
        lcg = lcg * 6364136223846793005u + 1442695040888963407u;
        uint64_t v = lcg;
        struct wr w = wr_of(buf, sizeof buf);
        wr_u64(&w, v);
        wr_u8(&w, (uint8_t)v);
        wr_u16(&w, (uint16_t)v);
        wr_u24(&w, (uint32_t)v & 0xffffff);
        wr_u32(&w, (uint32_t)v);
        EXPECT(!w.bad);
        EXPECT_EQ(wr_left(&w), 0);
        struct rd r = rd_of(wr_span(&w));
        EXPECT(rd_u64(&r) == v);
        EXPECT(rd_u8(&r) == (v & 0xff));
        EXPECT(rd_u16(&r) == (v & 0xffff));
        EXPECT(rd_u24(&r) == (v & 0xffffff));
        EXPECT(rd_u32(&r) == (v & 0xffffffff));
        EXPECT(rd_done(&r) && r.bad == 0);
    }
}
