#include "test.h"

#include "base/clock.h"
#include "lens/capture.h"
#include "trace/sample.h"

/* ---- files made by hand, in either byte order ---- */

static struct {
    uint8_t bytes[64 * 1024];
    size_t n;
    size_t block;           /* where the block in hand starts */
    bool big;
} made;

static struct capture cap;
static struct capture_frame frame;
static struct memory sample;

static void make(bool big)
{
    made.n = 0;
    made.big = big;
}

static void u8(unsigned v)
{
    made.bytes[made.n++] = (uint8_t)v;
}

static void u16(unsigned v)
{
    u8(made.big ? v >> 8 : v & 0xff);
    u8(made.big ? v & 0xff : v >> 8);
}

static void u32(uint32_t v)
{
    u16(made.big ? v >> 16 : v & 0xffff);
    u16(made.big ? v & 0xffff : v >> 16);
}

static void bytes(const char *text, size_t n)
{
    memcpy(made.bytes + made.n, text, n);
    made.n += n;
    while (made.n % 4 != 0)
        u8(0);
}

static void option(unsigned code, const char *value, size_t n)
{
    u16(code);
    u16((unsigned)n);
    bytes(value, n);
}

static void begin(uint32_t type)
{
    made.block = made.n;
    u32(type);
    u32(0);
}

static void end(void)
{
    uint32_t n = (uint32_t)(made.n + 4 - made.block);
    u32(n);
    size_t here = made.n;
    made.n = made.block + 4;
    u32(n);
    made.n = here;
}

static void section(void)
{
    begin(PCAPNG_SHB);
    u32(PCAPNG_MAGIC);
    u16(1);
    u16(0);
    u32(UINT32_MAX);
    u32(UINT32_MAX);
    end();
}

static void interface_begin(unsigned link, uint32_t snaplen)
{
    begin(PCAPNG_IDB);
    u16(link);
    u16(0);
    u32(snaplen);
}

static void interface(unsigned link)
{
    interface_begin(link, 0);
    end();
}

static void packet_begin(uint32_t interface_id, uint64_t ticks, const char *data, uint32_t n)
{
    begin(PCAPNG_EPB);
    u32(interface_id);
    u32((uint32_t)(ticks >> 32));
    u32((uint32_t)ticks);
    u32(n);
    u32(n);
    bytes(data, n);
}

static void packet(uint32_t interface_id, uint64_t ticks, const char *data)
{
    packet_begin(interface_id, ticks, data, (uint32_t)strlen(data));
    end();
}

static bool open_made(void)
{
    return capture_open(&cap, span_of(made.bytes, made.n));
}

static void expect_frame(const char *data, oriel_time time)
{
    EXPECT_EQ(capture_next(&cap, &frame), CAPTURE_FRAME);
    EXPECT_EQ(frame.bytes.n, strlen(data));
    EXPECT_MEM(frame.bytes.p, data, frame.bytes.n);
    EXPECT_EQ(frame.time, time);
}

static void expect_fault(size_t at, const char *what)
{
    EXPECT_EQ(capture_next(&cap, &frame), CAPTURE_FAULT);
    EXPECT_EQ(cap.fault_at, at);
    EXPECT_STR(cap.fault, what);
    EXPECT_EQ(capture_next(&cap, &frame), CAPTURE_FAULT);
}

static void expect_text(struct span s, const char *text)
{
    EXPECT_EQ(s.n, strlen(text));
    EXPECT_MEM(s.p, text, s.n);
}

static void make_sample(void)
{
    static uint8_t scratch[PCAPNG_SCRATCH];
    struct pcapng f;
    memset(&sample, 0, sizeof sample);
    pcapng_init(&f, memory_sink(&sample), scratch, sizeof scratch);
    EXPECT(sample_write(&f));
}

/* Read to the end or the fault; the number of frames. */
static uint64_t walk(struct span file, enum capture_step *last)
{
    *last = CAPTURE_FAULT;
    if (!capture_open(&cap, file)) {
        EXPECT(cap.fault[0] != '\0');
        return 0;
    }
    while ((*last = capture_next(&cap, &frame)) == CAPTURE_FRAME) {
        EXPECT(frame.bytes.p >= file.p);
        EXPECT(frame.bytes.p + frame.bytes.n <= file.p + file.n);
    }
    return cap.frames;
}

/* ---- what the writer wrote ---- */

TEST("what the writer wrote is read back")
{
    make_sample();
    EXPECT(capture_open(&cap, span_of(sample.bytes, sample.n)));
    EXPECT_EQ(cap.format, CAPTURE_PCAPNG);
    expect_text(cap.section.hardware, "lab echo");
    expect_text(cap.section.os, "seed 42, virtual time");
    expect_text(cap.section.application, "Oriel " ORIEL_VERSION);
    expect_text(cap.section.comments[0], "oriel lab run echo --seed 42");
    for (size_t i = 0; i < SAMPLE_FRAMES_N; i++) {
        const struct sample_frame *s = &sample_frames[i];
        uint8_t data[SAMPLE_FRAME_MAX];
        struct span expected = sample_bytes(s, data);
        EXPECT_EQ(capture_next(&cap, &frame), CAPTURE_FRAME);
        EXPECT_EQ(frame.number, i + 1);
        EXPECT_EQ(frame.time, s->time);
        EXPECT(frame.has_time);
        EXPECT_EQ(frame.dir, s->dir);
        EXPECT(frame.has_packet_id);
        EXPECT_EQ(frame.packet_id, i + 1);
        EXPECT_EQ(frame.link_type, LINKTYPE_ETHERNET);
        EXPECT_EQ(frame.wire_len, expected.n);
        EXPECT(span_eq(frame.bytes, expected));
        expect_text(frame.if_name, "a-b");
        EXPECT_EQ(frame.comments_n, 2);
        expect_text(frame.comments[0], s->comments[0]);
        expect_text(frame.comments[1], s->comments[1]);
    }
    EXPECT_EQ(capture_next(&cap, &frame), CAPTURE_END);
    EXPECT_EQ(capture_next(&cap, &frame), CAPTURE_END);
    struct oriel_addr b = addr_v4(0x0a000002);
    expect_text(capture_name_of(&cap, &b), "b");
    struct oriel_addr c = addr_v4(0x0a000003);
    EXPECT_EQ(capture_name_of(&cap, &c).n, 0);
}

TEST("a frame check sequence that the writer announced is known to the reader")
{
    static uint8_t scratch[PCAPNG_SCRATCH];
    static const uint8_t data[64];
    struct pcapng f;
    memset(&sample, 0, sizeof sample);
    pcapng_init(&f, memory_sink(&sample), scratch, sizeof scratch);
    const struct pcapng_section none = {.comments_n = 0};
    const struct pcapng_interface i = {.link_type = LINKTYPE_ETHERNET, .fcs_len = 4};
    uint32_t id;
    EXPECT(pcapng_add_section(&f, &none));
    EXPECT(pcapng_add_interface(&f, &i, &id));
    const struct pcapng_frame p = {.interface = id, .bytes = span_of(data, sizeof data)};
    EXPECT(pcapng_add_frame(&f, &p));
    EXPECT(capture_open(&cap, span_of(sample.bytes, sample.n)));
    EXPECT_EQ(capture_next(&cap, &frame), CAPTURE_FRAME);
    EXPECT_EQ(frame.fcs_len, 4);
    EXPECT_EQ(cap.interfaces[0].fcs_len, 4);
}

/* ---- the format ---- */

TEST("both byte orders are read, and a section may have another than the one before")
{
    for (unsigned first = 0; first < 2; first++) {
        make(first == 0);
        section();
        interface(LINKTYPE_ETHERNET);
        packet(0, 1000001, "one");
        made.big = !made.big;
        section();
        interface(LINKTYPE_RAW);
        packet(0, 2000002, "three");
        EXPECT(open_made());
        expect_frame("one", 1000001 * NS_PER_US);
        EXPECT_EQ(frame.link_type, LINKTYPE_ETHERNET);
        expect_frame("three", 2000002 * NS_PER_US);
        EXPECT_EQ(frame.link_type, LINKTYPE_RAW);
        EXPECT_EQ(frame.number, 2);
        EXPECT_EQ(capture_next(&cap, &frame), CAPTURE_END);
    }
}

TEST("interfaces belong to their section")
{
    make(false);
    section();
    interface(LINKTYPE_ETHERNET);
    interface(LINKTYPE_ETHERNET);
    section();
    interface(LINKTYPE_RAW);
    size_t at = made.n;
    packet(1, 0, "x");
    EXPECT(open_made());
    expect_fault(at, "a frame of interface 1, where the section has 1");
}

TEST("a simple packet has no time and is of the first interface")
{
    make(true);
    section();
    interface_begin(LINKTYPE_RAW, 4);
    end();
    packet(0, 7, "full");
    begin(PCAPNG_SPB);
    u32(6);                     /* on the wire; the snaplen cut it to four */
    bytes("cut ", 4);
    end();
    EXPECT(open_made());
    expect_frame("full", 7 * NS_PER_US);
    expect_frame("cut ", 7 * NS_PER_US);
    EXPECT(!frame.has_time);
    EXPECT_EQ(frame.wire_len, 6);
    EXPECT_EQ(frame.link_type, LINKTYPE_RAW);
}

TEST("the packet block of old files is read")
{
    make(false);
    section();
    interface(LINKTYPE_ETHERNET);
    begin(PCAPNG_PB);
    u16(0);
    u16(3);                     /* drops, which are not ours */
    u32(0);
    u32(5);
    u32(2);
    u32(9);
    bytes("ab", 2);
    option(PCAPNG_OPT_COMMENT, "old", 3);
    end();
    EXPECT(open_made());
    expect_frame("ab", 5 * NS_PER_US);
    EXPECT_EQ(frame.wire_len, 9);
    expect_text(frame.comments[0], "old");
}

static oriel_time read_with(const char *resolution, int64_t offset_s, uint64_t ticks)
{
    make(true);
    section();
    interface_begin(LINKTYPE_RAW, 0);
    if (resolution)
        option(PCAPNG_IF_TSRESOL, resolution, 1);
    char offset[8];
    for (unsigned i = 0; i < 8; i++)
        offset[i] = (char)((uint64_t)offset_s >> (56 - 8 * i));
    option(PCAPNG_IF_TSOFFSET, offset, 8);
    end();
    packet(0, ticks, "t");
    EXPECT(open_made());
    EXPECT_EQ(capture_next(&cap, &frame), CAPTURE_FRAME);
    return frame.time;
}

TEST("times are of the resolution that the interface says, and shifted by its offset")
{
    EXPECT_EQ(read_with(NULL, 0, 1500000), 1500 * NS_PER_MS);
    EXPECT_EQ(read_with("\x09", 0, 1500000), 1500000);
    EXPECT_EQ(read_with("\x03", 0, 1500), 1500 * NS_PER_MS);
    EXPECT_EQ(read_with("\x00", 0, 2), 2 * NS_PER_S);
    EXPECT_EQ(read_with("\x0c", 0, 1999), 1);
    EXPECT_EQ(read_with("\x8a", 0, 1536), 1500 * NS_PER_MS);
    EXPECT_EQ(read_with("\xa0", 0, (uint64_t)3 << 31), 1500 * NS_PER_MS);
    EXPECT_EQ(read_with("\xbf", 0, (uint64_t)1 << 62), 500 * NS_PER_MS);
    EXPECT_EQ(read_with("\x03", 10, 1500), 11500 * NS_PER_MS);
    EXPECT_EQ(read_with("\x00", -1, 2), NS_PER_S);
}

TEST("a time that cannot be held stays at the limit")
{
    EXPECT_EQ(read_with("\x00", 0, UINT64_MAX), UINT64_MAX);
    EXPECT_EQ(read_with("\x00", -5, 2), 0);
    EXPECT_EQ(read_with("\x00", INT64_MAX, 2), UINT64_MAX);
    EXPECT_EQ(read_with("\x00", INT64_MIN, 2), 0);
    EXPECT_EQ(read_with("\x7f", 0, UINT64_MAX), 0);
    EXPECT_EQ(read_with("\xff", 0, UINT64_MAX), 0);
}

TEST("blocks and options that are not known are passed over")
{
    make(false);
    section();
    begin(0x0bad);
    bytes("whatever", 8);
    end();
    interface_begin(LINKTYPE_RAW, 0);
    option(999, "strange", 7);
    option(PCAPNG_IF_NAME, "eth0", 4);
    option(PCAPNG_OPT_END, "", 0);
    bytes("behind the end", 14);
    end();
    packet(0, 0, "x");
    EXPECT(open_made());
    expect_frame("x", 0);
    expect_text(frame.if_name, "eth0");
}

TEST("more comments than can be kept are passed over")
{
    make(false);
    section();
    interface(LINKTYPE_RAW);
    packet_begin(0, 0, "x", 1);
    for (unsigned i = 0; i < CAPTURE_COMMENTS_MAX + 3; i++)
        option(PCAPNG_OPT_COMMENT, "c", 1);
    end();
    EXPECT(open_made());
    expect_frame("x", 0);
    EXPECT_EQ(frame.comments_n, CAPTURE_COMMENTS_MAX);
}

TEST("the first of several names of an address is the one to show")
{
    make(false);
    section();
    begin(PCAPNG_NRB);
    u16(1);
    u16(4 + 8);
    bytes("\x0a\0\0\x01" "one\0two", 12);
    u16(2);
    u16(16 + 4);
    bytes("\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01six", 20);
    u16(0);
    u16(0);
    end();
    EXPECT(open_made());
    EXPECT_EQ(capture_next(&cap, &frame), CAPTURE_END);
    struct oriel_addr a4 = addr_v4(0x0a000001);
    expect_text(capture_name_of(&cap, &a4), "one");
    struct oriel_addr a6 = addr_v6(0xfe80000000000000, 1);
    expect_text(capture_name_of(&cap, &a6), "six");
}

/* ---- classic pcap ---- */

static void pcap_header(uint32_t magic, uint32_t link)
{
    u32(magic);
    u16(2);
    u16(4);
    u32(0);
    u32(0);
    u32(65535);
    u32(link);
}

static void pcap_record(uint32_t s, uint32_t part, const char *data, uint32_t wire_len)
{
    u32(s);
    u32(part);
    u32((uint32_t)strlen(data));
    u32(wire_len);
    memcpy(made.bytes + made.n, data, strlen(data));
    made.n += strlen(data);
}

TEST("classic captures are read in both byte orders and both resolutions")
{
    for (unsigned i = 0; i < 4; i++) {
        bool nano = i & 1;
        make(i >= 2);
        pcap_header(nano ? 0xa1b23c4d : 0xa1b2c3d4, LINKTYPE_RAW);
        pcap_record(5, 250000, "odd", 3);
        pcap_record(6, 1, "cut", 100);
        EXPECT(open_made());
        EXPECT_EQ(cap.format, CAPTURE_PCAP);
        expect_frame("odd", 5 * NS_PER_S + (nano ? 250000 : 250 * NS_PER_MS));
        EXPECT_EQ(frame.link_type, LINKTYPE_RAW);
        EXPECT_EQ(frame.wire_len, 3);
        expect_frame("cut", 6 * NS_PER_S + (nano ? 1 : 1000));
        EXPECT_EQ(frame.wire_len, 100);
        EXPECT_EQ(capture_next(&cap, &frame), CAPTURE_END);
    }
}

TEST("a classic capture may say how long the frame check sequence is")
{
    make(false);
    pcap_header(0xa1b2c3d4, 0x24000000 | LINKTYPE_ETHERNET);
    pcap_record(0, 0, "x", 1);
    EXPECT(open_made());
    expect_frame("x", 0);
    EXPECT_EQ(frame.link_type, LINKTYPE_ETHERNET);
    EXPECT_EQ(frame.fcs_len, 4);
}

/* ---- damage ---- */

static void expect_no_capture(const char *data, size_t n, const char *what)
{
    EXPECT(!capture_open(&cap, span_of(data, n)));
    EXPECT_STR(cap.fault, what);
    EXPECT_EQ(capture_next(&cap, &frame), CAPTURE_FAULT);
}

TEST("what is no capture is named")
{
    expect_no_capture("", 0, "the file is empty");
    expect_no_capture("abc", 3,
                      "the file is too short for a capture: 3 bytes, where the format is named in "
                      "the first 4");
    expect_no_capture("#!/bin/sh\n", 10, "the file is neither pcapng nor pcap");
    expect_no_capture("\x1f\x8b\x08\x00", 4,
                      "the file is compressed with gzip; unpack it first");
    expect_no_capture("\x0a\x0d\x0d\x0a", 4,
                      "the file ends inside a block: 4 bytes where a block has at least 12");
    expect_no_capture("\x0a\x0d\x0d\x0a\x1c\0\0\0abcdefghijklmnop", 24,
                      "the section header has no byte-order magic");
    expect_no_capture("\xa1\xb2\xc3\xd4\0\2", 6,
                      "the file ends inside its header: 6 bytes of 24");
}

TEST("a capture cut off at any byte gives the frames before and names the rest")
{
    make_sample();
    size_t ends[SAMPLE_FRAMES_N];
    EXPECT(capture_open(&cap, span_of(sample.bytes, sample.n)));
    for (size_t i = 0; i < SAMPLE_FRAMES_N; i++) {
        EXPECT_EQ(capture_next(&cap, &frame), CAPTURE_FRAME);
        ends[i] = cap.at;
    }
    for (size_t n = 0; n < sample.n; n++) {
        uint8_t *exact = malloc(n + 1);         /* so that reading beyond is seen */
        memcpy(exact, sample.bytes, n);
        uint64_t expected = 0;
        while (expected < SAMPLE_FRAMES_N && ends[expected] <= n)
            expected++;
        enum capture_step last;
        EXPECT_EQ(walk(span_of(exact, n), &last), expected);
        if (last == CAPTURE_FAULT) {
            EXPECT(cap.fault[0] != '\0');
            EXPECT(cap.fault_at <= n);
        }
        free(exact);
    }
}

TEST("a classic capture cut off at any byte gives the frames before and names the rest")
{
    make(false);
    pcap_header(0xa1b2c3d4, LINKTYPE_RAW);
    size_t first = made.n;
    pcap_record(0, 0, "hello", 5);
    size_t second = made.n;
    pcap_record(0, 0, "world", 5);
    for (size_t n = 0; n < made.n; n++) {
        uint8_t *exact = malloc(n + 1);
        memcpy(exact, made.bytes, n);
        enum capture_step last;
        EXPECT_EQ(walk(span_of(exact, n), &last), n >= second ? 1 : 0);
        EXPECT_EQ(last, n == first || n == second ? CAPTURE_END : CAPTURE_FAULT);
        free(exact);
    }
}

TEST("any four bytes of a capture may be damaged without harm")
{
    static const uint32_t values[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x00010001};
    make_sample();
    static struct memory damaged;
    for (size_t at = 0; at + 4 <= sample.n; at += 4) {
        for (size_t i = 0; i < ARRAY_LEN(values); i++) {
            damaged = sample;
            memcpy(damaged.bytes + at, &values[i], 4);
            uint8_t *exact = malloc(sample.n);
            memcpy(exact, damaged.bytes, sample.n);
            enum capture_step last;
            EXPECT(walk(span_of(exact, sample.n), &last) <= 2 * SAMPLE_FRAMES_N);
            free(exact);
        }
    }
}

TEST("lengths that disagree are named with their numbers")
{
    make(false);
    section();
    interface(LINKTYPE_RAW);
    packet(0, 0, "good");
    size_t at = made.n;
    packet(0, 0, "bad!");
    made.bytes[made.n - 4] = 40;
    EXPECT(open_made());
    expect_frame("good", 0);
    expect_fault(made.n - 4, "the block ends with length 40 and starts with 36");

    made.bytes[at + 4] = 37;
    EXPECT(open_made());
    expect_frame("good", 0);
    expect_fault(at + 4, "the block says it has 37 bytes: not a multiple of 4 from 12 on");

    made.bytes[at + 4] = 64;
    EXPECT(open_made());
    expect_frame("good", 0);
    expect_fault(at, "the file ends inside a block: it has 64 bytes, 36 are there");
}

TEST("a frame longer than its block is a fault")
{
    make(false);
    section();
    interface(LINKTYPE_RAW);
    size_t at = made.n;
    packet(0, 0, "four");
    made.bytes[at + 20] = 5;
    EXPECT(open_made());
    expect_fault(at + 20, "the frame says it has 5 bytes, its block has room for 4");
}

TEST("an option longer than its block is a fault")
{
    make(false);
    section();
    interface(LINKTYPE_RAW);
    packet_begin(0, 0, "four", 4);
    size_t at = made.n;
    option(PCAPNG_OPT_COMMENT, "comment!", 8);
    end();
    made.bytes[at + 2] = 9;
    EXPECT(open_made());
    expect_fault(at + 4, "an option goes beyond the end of its block");
}

TEST("a frame before any interface is a fault")
{
    make(false);
    section();
    size_t at = made.n;
    packet(0, 0, "x");
    EXPECT(open_made());
    expect_fault(at, "a frame of interface 0, where the section has 0");
}

TEST("a section of another version is a fault")
{
    make(false);
    section();
    made.bytes[12] = 2;
    EXPECT(!open_made());
    EXPECT_STR(cap.fault, "the section is of version 2, not 1");
    EXPECT_EQ(cap.fault_at, 12);
}

TEST("interfaces beyond the limit are a fault, not an overflow")
{
    make(false);
    section();
    for (unsigned i = 0; i < CAPTURE_INTERFACES_MAX; i++)
        interface(LINKTYPE_RAW);
    packet(CAPTURE_INTERFACES_MAX - 1, 0, "last");
    size_t at = made.n;
    interface(LINKTYPE_RAW);
    EXPECT(open_made());
    expect_frame("last", 0);
    expect_fault(at, "the section has more than 256 interfaces; at most 256 can be read");
}

/* ---- comments ---- */

static void comment(const char *text)
{
    frame.comments[frame.comments_n++] = span_str(text);
}

TEST("the sentence and the pairs of a frame are told apart, in any order")
{
    frame = (struct capture_frame){.number = 1};
    comment("ev=12 why=UDP_DATA draw=6");
    comment("x = 5, so the application sent a datagram");
    expect_text(capture_sentence(&frame), "x = 5, so the application sent a datagram");
    expect_text(capture_key(&frame, "why"), "UDP_DATA");
    expect_text(capture_key(&frame, "ev"), "12");
    expect_text(capture_key(&frame, "draw"), "6");
    EXPECT_EQ(capture_key(&frame, "dra").n, 0);
    EXPECT_EQ(capture_key(&frame, "x").n, 0);
    EXPECT_EQ(capture_key(&frame, "fate").n, 0);
}

TEST("a frame without comments has neither")
{
    frame = (struct capture_frame){.number = 1};
    EXPECT_EQ(capture_sentence(&frame).n, 0);
    EXPECT_EQ(capture_key(&frame, "why").n, 0);
    comment("");
    comment("key=");
    EXPECT_EQ(capture_sentence(&frame).n, 0);
    EXPECT_EQ(capture_key(&frame, "key").n, 0);
}
