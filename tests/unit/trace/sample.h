/*
 * A small capture that tests share: two hosts on one link find each other, send datagrams, lose
 * one, meet a closed port, ping, and find each other again in IPv6. Real checksums throughout.
 * tests/cli/data/small.pcapng is this capture as written by us (test_pcapng.c keeps them the same).
 */
#ifndef ORIEL_TESTS_TRACE_SAMPLE_H
#define ORIEL_TESTS_TRACE_SAMPLE_H

#include "trace/pcapng.h"

#define SAMPLE_FRAME_MAX 256
#define SAMPLE_BYTES_MAX 16384
#define SAMPLE_FILE      "tests/cli/data/small.pcapng"

struct sample_frame {
    oriel_time time;
    enum pcapng_dir dir;
    const char *hex;
    const char *comments[2];
};

static const struct sample_frame sample_frames[] = {
    {
        .time = 0,
        .dir = PCAPNG_DIR_OUT,
        .hex =
            "ffffffffffff02000000000a0806000108000604000102000000000a0a0000010000000000000a00"
            "0002000000000000000000000000000000000000",
        .comments = {"the link address of the next hop is not known; asking for it",
                     "ev=12 why=ARP_REQUEST cause=11 node=a link=a-b fate=delivered draw=1"},
    },
    {
        .time = 5000000,
        .dir = PCAPNG_DIR_IN,
        .hex =
            "02000000000a02000000000b0806000108000604000202000000000b0a00000202000000000a0a00"
            "0001000000000000000000000000000000000000",
        .comments = {"someone asked for an address of ours",
                     "ev=17 why=ARP_REPLY cause=15 node=b link=a-b fate=delivered draw=1"},
    },
    {
        .time = 5000000,
        .dir = PCAPNG_DIR_OUT,
        .hex =
            "02000000000b02000000000a08004500002800014000401126c20a0000010a0000029c4000070014"
            "0f3068656c6c6f2c20776f726c64000000000000",
        .comments = {"the application sent a datagram",
                     "ev=19 why=UDP_DATA cause=11 node=a link=a-b fate=delivered draw=2"},
    },
    {
        .time = 10000000,
        .dir = PCAPNG_DIR_IN,
        .hex =
            "02000000000a02000000000b08004500002800024000401126c10a0000020a00000100079c400014"
            "0f3068656c6c6f2c20776f726c64000000000000",
        .comments = {"the application sent a datagram",
                     "ev=24 why=UDP_DATA cause=22 node=b link=a-b fate=delivered draw=2"},
    },
    {
        .time = 1010000000,
        .dir = PCAPNG_DIR_OUT,
        .hex =
            "02000000000b02000000000a08004500002800034000401126c00a0000010a0000029c4000070014"
            "0f3068656c6c6f2c20776f726c64000000000000",
        .comments = {"the application sent a datagram; will be LOST on link a-b (draw 3)",
                     "ev=30 why=UDP_DATA cause=29 node=a link=a-b fate=lost draw=3"},
    },
    {
        .time = 2010000000,
        .dir = PCAPNG_DIR_OUT,
        .hex =
            "02000000000b02000000000a08004500002300044000401126c40a0000010a0000029c40270f000f"
            "a03a616e796f6e653f0000000000000000000000",
        .comments = {"the application sent a datagram",
                     "ev=35 why=UDP_DATA cause=34 node=a link=a-b fate=delivered draw=4"},
    },
    {
        .time = 2015000123,
        .dir = PCAPNG_DIR_IN,
        .hex =
            "02000000000a02000000000b08004500003f00054000400126b70a0000020a000001030311200000"
            "00004500002300044000401126c40a0000010a0000029c40270f000fa03a616e796f6e653f",
        .comments = {"no socket listens on that port; saying so",
                     "ev=41 why=ICMP_PORT cause=38 node=b link=a-b fate=delivered draw=3"},
    },
    {
        .time = 2020000000,
        .dir = PCAPNG_DIR_OUT,
        .hex =
            "02000000000b02000000000a08004500003c00064000400126b90a0000010a0000020800b7ab4f52"
            "0001000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        .comments = {"应用程序要求发送一个回显请求",
                     "ev=46 why=PING cause=45 node=a link=a-b fate=delivered draw=5"},
    },
    {
        .time = 2025000000,
        .dir = PCAPNG_DIR_IN,
        .hex =
            "02000000000a02000000000b08004500003c00074000400126b80a0000020a0000010000bfab4f52"
            "0001000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        .comments = {"an echo request arrived for one of our addresses",
                     "ev=51 why=ECHO_REPLY cause=49 node=b link=a-b fate=delivered draw=4"},
    },
    {
        .time = 2030000000,
        .dir = PCAPNG_DIR_OUT,
        .hex =
            "3333ff00000b02000000000a86dd6000000000203afffe80000000000000000000fffe00000aff02"
            "00000000000000000001ff00000b87007c7300000000fe80000000000000000000fffe00000b0101"
            "02000000000a",
        .comments = {"the link address of the next hop is not known; asking for it",
                     "ev=55 why=ND_SOLICIT cause=54 node=a link=a-b fate=delivered draw=6"},
    },
    {
        .time = 2035000000,
        .dir = PCAPNG_DIR_IN,
        .hex =
            "02000000000a02000000000b86dd6000000000203afffe80000000000000000000fffe00000bfe80"
            "000000000000000000fffe00000a88001af660000000fe80000000000000000000fffe00000b0201"
            "02000000000b",
        .comments = {"someone asked for an address of ours",
                     "ev=60 why=ND_ADVERT cause=58 node=b link=a-b fate=delivered draw=5"},
    },
};

#define SAMPLE_FRAMES_N ARRAY_LEN(sample_frames)

/* A sink that keeps what it gets, and refuses more than it holds. */
struct memory {
    uint8_t bytes[SAMPLE_BYTES_MAX];
    size_t n;
    size_t cap;         /* 0: all of it */
    unsigned puts;
};

static inline bool memory_put(void *ctx, struct span s)
{
    struct memory *m = ctx;
    size_t cap = m->cap != 0 ? m->cap : sizeof m->bytes;
    m->puts++;
    if (cap - m->n < s.n)
        return false;
    memcpy(m->bytes + m->n, s.p, s.n);
    m->n += s.n;
    return true;
}

static inline struct sink memory_sink(struct memory *m)
{
    return (struct sink){.put = memory_put, .ctx = m};
}

static inline uint8_t sample_nibble(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static inline struct span sample_bytes(const struct sample_frame *f, uint8_t out[SAMPLE_FRAME_MAX])
{
    size_t n = strlen(f->hex) / 2;
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(sample_nibble(f->hex[2 * i]) << 4 | sample_nibble(f->hex[2 * i + 1]));
    return span_of(out, n);
}

static inline bool sample_write_head(struct pcapng *f)
{
    static const char line[] = "oriel lab run echo --seed 42";
    struct span comment = span_of(line, sizeof line - 1);
    const struct pcapng_section section = {
        .hardware = "lab echo",
        .os = "seed 42, virtual time",
        .application = "Oriel " ORIEL_VERSION,
        .comments = &comment,
        .comments_n = 1,
    };
    const struct pcapng_addr addrs[] = {
        {.addr = addr_v4(0x0a000001), .len = 96 + 24},
        {.addr = addr_v6(0xfe80000000000000, 0x000000fffe00000a), .len = 64},
    };
    const struct pcapng_interface interface = {
        .link_type = LINKTYPE_ETHERNET,
        .snaplen = 65535,
        .name = "a-b",
        .description = "link a-b as node a sees it",
        .addrs = addrs,
        .addrs_n = ARRAY_LEN(addrs),
        .mac = {{2, 0, 0, 0, 0, 0x0a}},
        .speed_bps = 10000000,
    };
    const struct pcapng_name names[] = {
        {.addr = addr_v4(0x0a000001), .name = "a"},
        {.addr = addr_v4(0x0a000002), .name = "b"},
    };
    uint32_t id;
    return pcapng_add_section(f, &section) && pcapng_add_interface(f, &interface, &id) &&
           pcapng_add_names(f, names, ARRAY_LEN(names));
}

static inline bool sample_write_frame(struct pcapng *f, size_t i)
{
    uint8_t bytes[SAMPLE_FRAME_MAX];
    const struct sample_frame *s = &sample_frames[i];
    const struct span comments[] = {
        span_of(s->comments[0], strlen(s->comments[0])),
        span_of(s->comments[1], strlen(s->comments[1])),
    };
    const struct pcapng_frame frame = {
        .time = s->time,
        .bytes = sample_bytes(s, bytes),
        .dir = s->dir,
        .has_packet_id = true,
        .packet_id = i + 1,
        .comments = comments,
        .comments_n = 2,
    };
    return pcapng_add_frame(f, &frame);
}

static inline bool sample_write(struct pcapng *f)
{
    if (!sample_write_head(f))
        return false;
    for (size_t i = 0; i < SAMPLE_FRAMES_N; i++)
        if (!sample_write_frame(f, i))
            return false;
    const struct pcapng_stats stats = {
        .end = 2035000000,
        .received = SAMPLE_FRAMES_N,
        .delivered = SAMPLE_FRAMES_N,
    };
    return pcapng_add_stats(f, 0, &stats);
}

#endif
