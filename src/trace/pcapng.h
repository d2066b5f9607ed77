/*
 * Writes captures in the pcapng format: little-endian, integer nanoseconds, the same bytes for the
 * same calls on every machine.
 *
 * One block at a time is built in scratch memory of the caller and handed to a sink in one piece.
 * The order is the section, every interface, names, frames, and statistics at the end. Text may be
 * of any length: what an option cannot hold (65,535 bytes) or the scratch has no room for is cut
 * between two characters. A frame is cut at the interface's snaplen, or at the scratch, and says
 * how long it was.
 *
 * All interfaces of a file have the same link type, snaplen and fcs_len (other readers know no
 * more), and see from one vantage point: both ends of a link in one file look like retransmissions.
 * Frames are written as given: give them in the order of time.
 *
 * A frame check sequence is announced twice: if_fcslen is in bits, which not every reader knows,
 * and the bytes in epb_flags are unambiguous.
 */
#ifndef ORIEL_TRACE_PCAPNG_H
#define ORIEL_TRACE_PCAPNG_H

#include "base/addr.h"
#include "base/sink.h"

enum pcapng_block {
    PCAPNG_SHB = 0x0a0d0d0a,    /* section header; a palindrome, so that it needs no byte order */
    PCAPNG_IDB = 1,             /* interface description */
    PCAPNG_PB = 2,              /* packet, obsolete: read, never written */
    PCAPNG_SPB = 3,             /* simple packet: read, never written */
    PCAPNG_NRB = 4,             /* name resolution */
    PCAPNG_ISB = 5,             /* interface statistics */
    PCAPNG_EPB = 6,             /* enhanced packet */
};

#define PCAPNG_MAGIC       0x1a2b3c4du
#define PCAPNG_OPTION_MAX  65535        /* bytes of one option */
#define PCAPNG_SCRATCH_MIN 512          /* room for the fixed parts of every block */
#define PCAPNG_SCRATCH     (128 * 1024) /* comfortable: a 64 KiB frame and its comments */

enum pcapng_opt {               /* the same code means different things in different blocks */
    PCAPNG_OPT_END = 0,
    PCAPNG_OPT_COMMENT = 1,
    PCAPNG_SHB_HARDWARE = 2,
    PCAPNG_SHB_OS = 3,
    PCAPNG_SHB_USERAPPL = 4,
    PCAPNG_IF_NAME = 2,
    PCAPNG_IF_DESCRIPTION = 3,
    PCAPNG_IF_IP4 = 4,
    PCAPNG_IF_IP6 = 5,
    PCAPNG_IF_MAC = 6,
    PCAPNG_IF_SPEED = 8,
    PCAPNG_IF_TSRESOL = 9,
    PCAPNG_IF_FCSLEN = 13,
    PCAPNG_IF_TSOFFSET = 14,
    PCAPNG_EPB_FLAGS = 2,
    PCAPNG_EPB_PACKETID = 5,
    PCAPNG_ISB_STARTTIME = 2,
    PCAPNG_ISB_ENDTIME = 3,
    PCAPNG_ISB_IFRECV = 4,
    PCAPNG_ISB_IFDROP = 5,
    PCAPNG_ISB_FILTERACCEPT = 6,
    PCAPNG_ISB_USRDELIV = 8,
};

enum linktype {
    LINKTYPE_ETHERNET = 1,      /* a frame from its destination address on */
    LINKTYPE_PPP = 9,           /* a frame from its address or its protocol on */
    LINKTYPE_RAW = 101,         /* a packet from its IPv4 or IPv6 header on */
};

enum pcapng_dir {               /* as epb_flags has it */
    PCAPNG_DIR_UNKNOWN = 0,
    PCAPNG_DIR_IN = 1,
    PCAPNG_DIR_OUT = 2,
};

/* Texts are UTF-8; NULL or empty: the option is left out. */
struct pcapng_section {
    const char *hardware;       /* the scenario, where the machine's model would stand */
    const char *os;             /* the seed and the clock, where the system would stand */
    const char *application;    /* program and version */
    const struct span *comments;
    size_t comments_n;
};

struct pcapng_addr {            /* an interface's own address and the length of its prefix */
    struct oriel_addr addr;
    uint8_t len;                /* 0..128, as everywhere */
};

struct pcapng_interface {
    uint16_t link_type;         /* enum linktype */
    uint32_t snaplen;           /* bytes of a frame kept at most; 0: all */
    const char *name;
    const char *description;
    const struct pcapng_addr *addrs;
    size_t addrs_n;
    struct mac mac;             /* all zero: left out */
    uint64_t speed_bps;         /* 0: left out */
    uint8_t fcs_len;            /* bytes of frame check sequence at the end of each frame, 0 or 4 */
};

struct pcapng_name {
    struct oriel_addr addr;
    const char *name;           /* not empty, at most PCAPNG_NAME_MAX bytes are used */
};

#define PCAPNG_NAME_MAX 255

struct pcapng_frame {
    uint32_t interface;         /* the number that pcapng_add_interface gave */
    oriel_time time;            /* nanoseconds since 1970, or since the start of a virtual world */
    struct span bytes;
    uint32_t wire_len;          /* bytes it had on the wire; 0: bytes.n */
    enum pcapng_dir dir;
    bool has_packet_id;
    uint64_t packet_id;         /* the same packet has the same number in every file */
    const struct span *comments;
    size_t comments_n;
};

struct pcapng_stats {
    oriel_time start;
    oriel_time end;
    uint64_t received;          /* packets that met the interface, either way */
    uint64_t dropped;           /* packets that the capture itself missed; not what links lose */
    uint64_t delivered;         /* packets in the file */
};

struct pcapng {
    struct sink out;
    uint8_t *scratch;
    size_t scratch_n;
    uint32_t interfaces_n;
    uint32_t snaplen;           /* of all interfaces; 0: no limit */
    uint16_t link_type;
    uint8_t fcs_len;
    uint64_t frames;
    uint64_t bytes;             /* handed to the sink */
    bool bad;                   /* the sink failed; nothing is handed to it afterwards */
};

/* The scratch (at least PCAPNG_SCRATCH_MIN) and the sink's context live as long as the writer. */
void pcapng_init(struct pcapng *f, struct sink out, void *scratch, size_t scratch_n);

/* Each is true when its block reached the sink. */
bool pcapng_add_section(struct pcapng *f, const struct pcapng_section *s);
bool pcapng_add_interface(struct pcapng *f, const struct pcapng_interface *i, uint32_t *id);
bool pcapng_add_names(struct pcapng *f, const struct pcapng_name *names, size_t n);
bool pcapng_add_frame(struct pcapng *f, const struct pcapng_frame *p);
bool pcapng_add_stats(struct pcapng *f, uint32_t interface, const struct pcapng_stats *s);

#endif
