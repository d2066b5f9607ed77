#include "test.h"

#include "trace/sample.h"

static uint8_t scratch[PCAPNG_SCRATCH];
static struct memory out;

static struct pcapng writer(size_t scratch_n)
{
    struct pcapng f;
    memset(&out, 0, sizeof out);
    memset(scratch, 0xee, sizeof scratch);
    pcapng_init(&f, memory_sink(&out), scratch, scratch_n);
    return f;
}

static uint32_t le32(size_t at)
{
    const uint8_t *p = out.bytes + at;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t le16(size_t at)
{
    return out.bytes[at] | (uint32_t)out.bytes[at + 1] << 8;
}

/* The offset of an option in the block at `at`, whose options start at `from`; 0: none. */
static size_t option_at(size_t at, size_t from, uint32_t code)
{
    size_t end = at + le32(at + 4) - 4;
    for (size_t i = from; i < end && le16(i) != 0; i += 4 + ((le16(i + 2) + 3) & ~(size_t)3))
        if (le16(i) == code)
            return i;
    return 0;
}

static const struct pcapng_section no_section = {.comments_n = 0};

static uint32_t plain_interface(struct pcapng *f, uint16_t link, uint32_t snaplen, uint8_t fcs_len)
{
    const struct pcapng_interface i = {
        .link_type = link, .snaplen = snaplen, .fcs_len = fcs_len};
    uint32_t id;
    EXPECT(pcapng_add_interface(f, &i, &id));
    return id;
}

TEST("the sample is written byte for byte as it was when it was last looked at")
{
    struct pcapng f = writer(sizeof scratch);
    EXPECT(sample_write(&f));
    EXPECT_EQ(f.bytes, out.n);
    EXPECT_EQ(f.frames, SAMPLE_FRAMES_N);

    if (getenv("ORIEL_UPDATE")) {
        FILE *w = fopen(SAMPLE_FILE, "wb");
        EXPECT(w != NULL);
        EXPECT_EQ(fwrite(out.bytes, 1, out.n, w), out.n);
        fclose(w);
    }
    static uint8_t kept[SAMPLE_BYTES_MAX];
    FILE *r = fopen(SAMPLE_FILE, "rb");
    EXPECT(r != NULL);
    size_t n = fread(kept, 1, sizeof kept, r);
    fclose(r);
    EXPECT_EQ(n, out.n);
    EXPECT_MEM(kept, out.bytes, n);
}

TEST("what the scratch held before does not reach the file")
{
    struct pcapng f = writer(sizeof scratch);
    EXPECT(sample_write(&f));
    static struct memory first;
    first = out;
    f = writer(sizeof scratch);
    memset(scratch, 0x11, sizeof scratch);
    EXPECT(sample_write(&f));
    EXPECT_EQ(out.n, first.n);
    EXPECT_MEM(out.bytes, first.bytes, out.n);
}

TEST("every block goes to the sink in one piece, and says its length at both ends")
{
    struct pcapng f = writer(sizeof scratch);
    EXPECT(sample_write(&f));
    unsigned blocks = 0;
    for (size_t at = 0; at < out.n; blocks++) {
        uint32_t n = le32(at + 4);
        EXPECT(n >= 12);
        EXPECT_EQ(n & 3, 0);
        EXPECT(at + n <= out.n);
        EXPECT_EQ(le32(at + n - 4), n);
        at += n;
    }
    EXPECT_EQ(blocks, 3 + SAMPLE_FRAMES_N + 1);
    EXPECT_EQ(out.puts, blocks);
}

TEST("a section without texts is a bare header of version 1.0")
{
    struct pcapng f = writer(PCAPNG_SCRATCH_MIN);
    EXPECT(pcapng_add_section(&f, &no_section));
    static const uint8_t expected[] = {
        0x0a, 0x0d, 0x0d, 0x0a, 32,   0,    0,    0,    0x4d, 0x3c, 0x2b, 0x1a, 1,  0, 0, 0,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0,    0,    0,    0,    32, 0, 0, 0,
    };
    EXPECT_EQ(out.n, sizeof expected);
    EXPECT_MEM(out.bytes, expected, sizeof expected);
}

TEST("times are integer nanoseconds, the upper half first")
{
    struct pcapng f = writer(sizeof scratch);
    EXPECT(pcapng_add_section(&f, &no_section));
    uint32_t id = plain_interface(&f, LINKTYPE_RAW, 0, 0);
    EXPECT_EQ(out.bytes[option_at(32, 48, PCAPNG_IF_TSRESOL) + 4], 9);
    size_t at = out.n;
    const uint8_t one = 0x45;
    const struct pcapng_frame p = {
        .interface = id, .time = 0x0123456789abcdef, .bytes = span_of(&one, 1)};
    EXPECT(pcapng_add_frame(&f, &p));
    EXPECT_EQ(le32(at + 12), 0x01234567);
    EXPECT_EQ(le32(at + 16), 0x89abcdef);
    EXPECT_EQ(le32(at + 20), 1);
    EXPECT_EQ(le32(at + 24), 1);
    EXPECT_EQ(le32(at + 28), 0x45);         /* and three bytes of padding */
}

TEST("an interface says its addresses with mask and prefix, its link address and its speed")
{
    struct pcapng f = writer(sizeof scratch);
    EXPECT(sample_write_head(&f));
    size_t at = le32(4);
    size_t options = at + 16;
    size_t ip4 = option_at(at, options, PCAPNG_IF_IP4);
    EXPECT_MEM(out.bytes + ip4 + 4, "\x0a\x00\x00\x01\xff\xff\xff\x00", 8);
    size_t ip6 = option_at(at, options, PCAPNG_IF_IP6);
    EXPECT_EQ(le16(ip6 + 2), 17);
    EXPECT_EQ(out.bytes[ip6 + 4 + 16], 64);
    size_t mac = option_at(at, options, PCAPNG_IF_MAC);
    EXPECT_MEM(out.bytes + mac + 4, "\x02\0\0\0\0\x0a", 6);
    EXPECT_EQ(le32(option_at(at, options, PCAPNG_IF_SPEED) + 4), 10000000);
    EXPECT_EQ(option_at(at, options, PCAPNG_IF_FCSLEN), 0);
}

TEST("a frame check sequence is announced in bits at the interface and in bytes at each frame")
{
    struct pcapng f = writer(sizeof scratch);
    EXPECT(pcapng_add_section(&f, &no_section));
    uint32_t id = plain_interface(&f, LINKTYPE_ETHERNET, 0, 4);
    EXPECT_EQ(out.bytes[option_at(32, 48, PCAPNG_IF_FCSLEN) + 4], 32);
    size_t at = out.n;
    uint8_t bytes[64] = {0};
    const struct pcapng_frame p = {
        .interface = id, .bytes = span_of(bytes, sizeof bytes), .dir = PCAPNG_DIR_OUT};
    EXPECT(pcapng_add_frame(&f, &p));
    EXPECT_EQ(le32(option_at(at, at + 28 + 64, PCAPNG_EPB_FLAGS) + 4), 4 << 5 | 2);
}

TEST("a frame longer than the snaplen is cut and says how long it was")
{
    struct pcapng f = writer(sizeof scratch);
    EXPECT(pcapng_add_section(&f, &no_section));
    uint32_t id = plain_interface(&f, LINKTYPE_ETHERNET, 96, 0);
    size_t at = out.n;
    uint8_t bytes[200] = {0};
    const struct pcapng_frame p = {.interface = id, .bytes = span_of(bytes, sizeof bytes)};
    EXPECT(pcapng_add_frame(&f, &p));
    EXPECT_EQ(le32(at + 20), 96);
    EXPECT_EQ(le32(at + 24), 200);
}

TEST("a frame longer than the scratch is cut, and comments without room are left out")
{
    struct pcapng f = writer(PCAPNG_SCRATCH_MIN);
    EXPECT(pcapng_add_section(&f, &no_section));
    uint32_t id = plain_interface(&f, LINKTYPE_ETHERNET, 0, 0);
    size_t at = out.n;
    uint8_t bytes[2000] = {0};
    struct span comment = span_of("why", 3);
    const struct pcapng_frame p = {.interface = id,
                                   .bytes = span_of(bytes, sizeof bytes),
                                   .dir = PCAPNG_DIR_IN,
                                   .has_packet_id = true,
                                   .packet_id = 7,
                                   .comments = &comment,
                                   .comments_n = 1};
    EXPECT(pcapng_add_frame(&f, &p));
    uint32_t kept = le32(at + 20);
    EXPECT(kept > 400 && kept < PCAPNG_SCRATCH_MIN);
    EXPECT_EQ(le32(at + 24), 2000);
    EXPECT(option_at(at, at + 28 + kept, PCAPNG_EPB_PACKETID) != 0);
    EXPECT_EQ(option_at(at, at + 28 + kept, PCAPNG_OPT_COMMENT), 0);
}

TEST("a comment beyond 65535 bytes is cut between two characters")
{
    static char text[70000];
    static uint8_t big[200000];
    static struct pcapng f;
    text[0] = 'x';              /* 65535 is a multiple of three: let characters straddle it */
    for (size_t i = 1; i + 3 <= sizeof text; i += 3)
        memcpy(text + i, "\xe4\xb8\xad", 3);
    struct span comment = span_of(text, sizeof text - 2);
    memset(&out, 0, sizeof out);
    out.cap = 1;                            /* the block is looked at in the scratch */
    pcapng_init(&f, memory_sink(&out), big, sizeof big);
    const struct pcapng_section s = {.comments = &comment, .comments_n = 1};
    EXPECT(!pcapng_add_section(&f, &s));
    size_t n = big[24 + 2] | (size_t)big[24 + 3] << 8;
    EXPECT_EQ(n, 65535 - 2);
    EXPECT_EQ(big[24 + 4 + n - 1], 0xad);
}

TEST("names go into as many blocks as they need")
{
    struct pcapng f = writer(PCAPNG_SCRATCH_MIN);
    EXPECT(pcapng_add_section(&f, &no_section));
    static char longest[PCAPNG_NAME_MAX + 100];
    memset(longest, 'n', sizeof longest - 1);
    struct pcapng_name names[5];
    for (unsigned i = 0; i < 5; i++)
        names[i] = (struct pcapng_name){.addr = addr_v6(1, i), .name = longest};
    EXPECT(pcapng_add_names(&f, names, 5));
    EXPECT_EQ(out.puts, 1 + 5);
    EXPECT_EQ(le16(32 + 8 + 2), 16 + PCAPNG_NAME_MAX + 1);
}

TEST("after the sink failed nothing is handed to it and every call says so")
{
    struct pcapng f = writer(sizeof scratch);
    out.cap = 600;
    EXPECT(!sample_write(&f));
    EXPECT(f.bad);
    unsigned puts = out.puts;
    uint64_t frames = f.frames;
    EXPECT(!sample_write_frame(&f, 0));
    const struct pcapng_stats stats = {.end = 1};
    EXPECT(!pcapng_add_stats(&f, 0, &stats));
    EXPECT_EQ(out.puts, puts);
    EXPECT_EQ(f.frames, frames);
    EXPECT_EQ(f.bytes, out.n);
}

TEST("interfaces of different link types do not go into one file")
{
    struct pcapng f = writer(sizeof scratch);
    EXPECT(pcapng_add_section(&f, &no_section));
    plain_interface(&f, LINKTYPE_ETHERNET, 0, 0);
    const struct pcapng_interface raw = {.link_type = LINKTYPE_RAW};
    uint32_t id;
    EXPECT_ASSERTS((void)pcapng_add_interface(&f, &raw, &id));
}

TEST("a frame of an interface that is not there is our mistake")
{
    struct pcapng f = writer(sizeof scratch);
    EXPECT(pcapng_add_section(&f, &no_section));
    const struct pcapng_frame p = {.interface = 0};
    EXPECT_ASSERTS((void)pcapng_add_frame(&f, &p));
}
