/*
 * Reads captures: pcapng (either byte order, several sections, enhanced, simple and old packet
 * blocks) and classic pcap (micro- and nanoseconds, either byte order).
 *
 * Works in place on the bytes of a whole file, which must outlive the reader and every frame it
 * gave. A damaged file is read up to the fault; then capture_next says CAPTURE_FAULT for ever,
 * and fault_at and fault tell where and what. Nothing is allocated; a section with more than
 * CAPTURE_INTERFACES_MAX interfaces is a fault, further names and comments are passed over.
 */
#ifndef ORIEL_LENS_CAPTURE_H
#define ORIEL_LENS_CAPTURE_H

#include "base/addr.h"
#include "trace/pcapng.h"

#define CAPTURE_INTERFACES_MAX 256
#define CAPTURE_NAMES_MAX      256
#define CAPTURE_COMMENTS_MAX   8
#define CAPTURE_FAULT_TEXT     128

enum capture_format {
    CAPTURE_UNKNOWN,
    CAPTURE_PCAP,
    CAPTURE_PCAPNG,
};

enum capture_step {
    CAPTURE_FRAME,      /* *out is the next frame */
    CAPTURE_END,        /* the file ended where a block did */
    CAPTURE_FAULT,      /* it is damaged or cut off */
};

struct capture_interface {
    struct span name;           /* empty when not given */
    struct span description;
    int64_t offset_s;           /* added to every time */
    uint32_t snaplen;           /* 0: no limit */
    uint16_t link_type;
    uint8_t resolution;         /* as if_tsresol has it: 10^-n, or 2^-n with the top bit */
    uint8_t fcs_len;            /* bytes at the end of every frame */
};

struct capture_name {
    struct oriel_addr addr;
    struct span name;
};

struct capture_frame {
    uint64_t number;            /* from 1, over all sections */
    oriel_time time;            /* nanoseconds since 1970, or a virtual start; held at its limits */
    bool has_time;              /* a simple packet block has none: time is the one before */
    bool has_packet_id;
    enum pcapng_dir dir;
    uint8_t fcs_len;            /* bytes of frame check sequence at the end of `bytes` */
    uint16_t link_type;
    uint32_t interface;         /* its number in the section; 0 in a classic pcap */
    uint32_t wire_len;          /* bytes on the wire; more than bytes.n when the capture cut it */
    struct span bytes;
    struct span if_name;
    uint64_t packet_id;
    size_t comments_n;
    struct span comments[CAPTURE_COMMENTS_MAX];
    size_t offset;              /* of its block in the file */
};

struct capture_section {
    struct span hardware;
    struct span os;
    struct span application;
    size_t comments_n;
    struct span comments[CAPTURE_COMMENTS_MAX];
};

struct capture {
    struct span file;
    size_t at;                  /* next block */
    enum capture_format format;
    bool swapped;               /* numbers are little-endian */
    bool failed;
    uint64_t frames;            /* given so far */
    oriel_time last;            /* time of the frame before */
    uint32_t interfaces_n;      /* of this section */
    uint32_t names_n;
    struct capture_section section;
    struct capture_interface interfaces[CAPTURE_INTERFACES_MAX];
    struct capture_name names[CAPTURE_NAMES_MAX];
    size_t fault_at;            /* offset in the file */
    char fault[CAPTURE_FAULT_TEXT];
};

/* False: the bytes are no capture, or not even its header is whole; fault and fault_at say why. */
bool capture_open(struct capture *c, struct span file);

enum capture_step capture_next(struct capture *c, struct capture_frame *out);

/* What the capture calls an address; empty when it says nothing. Names met so far are known. */
struct span capture_name_of(const struct capture *c, const struct oriel_addr *a);

/*
 * The value of `key` in a comment of `key=value` pairs, such as ev=1234 why=UDP_DATA; empty when
 * no comment of the frame has it.
 */
struct span capture_key(const struct capture_frame *f, const char *key);

/* The first comment that is a sentence and not key=value pairs; empty when there is none. */
struct span capture_sentence(const struct capture_frame *f);

#endif
