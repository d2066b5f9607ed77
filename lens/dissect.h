/*
 * A frame's bytes -> a bounded list of typed fields with Wireshark's names, and the columns that
 * tshark prints.
 *
 * Looks at one frame, and puts neither fragments nor segments together. What must be known of the
 * frames before is kept by the caller: with a table of conversations there are tcp.seq, tcp.ack and
 * their like, counted from the start of each connection, and tcp.analysis.*; without it only the
 * numbers on the wire (tcp.seq_raw). Values count as Wireshark 4.0 counts them: ip.frag_offset and
 * ipv6.fraghdr.offset in units of eight bytes. Never fails: what is malformed yields the layers up
 * to the fault and `_ws.malformed`.
 */
#ifndef ORIEL_LENS_DISSECT_H
#define ORIEL_LENS_DISSECT_H

#include "lens/conversation.h"
#include "lens/fields.h"

#define LENS_COMMENTS_MAX     4
#define DISSECTION_FIELDS_MAX 640
#define DISSECTION_TEXT_MAX   2048
#define DISSECTION_INFO_MAX   320

enum lens_link {            /* pcap link types */
    LENS_NULL = 0,          /* 4 bytes of address family in the writer's byte order, then IP */
    LENS_ETHERNET = 1,
    LENS_PPP = 9,           /* from the address on, or from the protocol on */
    LENS_PPP_HDLC = 50,     /* from the address on */
    LENS_RAW = 101,         /* IPv4 or IPv6 by the version field */
};

/* Input. Everything that is not known may be left zero. The memory must outlive the dissection. */
struct lens_frame {
    uint32_t link;          /* enum lens_link */
    struct span bytes;      /* as captured */
    uint32_t wire_len;      /* original length; 0: nothing was cut off */
    uint64_t number;        /* 1-based */
    oriel_time time;        /* since the clock's zero */
    oriel_time time_first;  /* of the first frame of the capture */
    oriel_time time_before; /* of the frame before this one */
    struct span if_name;
    uint8_t comments_n;
    struct span comments[LENS_COMMENTS_MAX];
    /*
     * Our reasons: names of rows of why.def and drop.def without prefix ("UDP_DATA"), and the
     * event's number. When empty they are taken from words `why=NAME`, `drop=NAME`, `ev=N` in the
     * comments.
     */
    struct span why;
    struct span drop;
    uint64_t ev;
    struct conversations *conversations;    /* of the place where it was seen; NULL: none */
};

/* Output: about 30 kB, the caller's. It points into itself: do not copy it. */
struct dissection {
    uint32_t n;
    bool cut;               /* there were more fields than fit */
    struct span frame;      /* what field.off counts in */
    struct field fields[DISSECTION_FIELDS_MAX];     /* in the order of the layers */
    /* The columns: those of the innermost layer that is the frame's own, not quoted in an error. */
    char src[ADDR_TEXT_MAX];
    char dst[ADDR_TEXT_MAX];
    char proto[16];
    char info[DISSECTION_INFO_MAX];
    uint16_t flags_at, flags_n; /* TCP's flags in words inside of info: "[SYN, ACK]" */
    uint32_t len;           /* of the frame on the wire */
    uint32_t text_n;
    char text[DISSECTION_TEXT_MAX];                 /* strings that do not stand in the frame */
};

void dissect(const struct lens_frame *f, struct dissection *out);

/*
 * The first value of a field, or the next one after `after`; NULL when there is none. A name that
 * stands for several (ip.addr) gives them all.
 */
const struct field *dissection_next(const struct dissection *d, enum field_id id,
                                    const struct field *after);

static inline const struct field *dissection_first(const struct dissection *d, enum field_id id)
{
    return dissection_next(d, id, NULL);
}

#endif
