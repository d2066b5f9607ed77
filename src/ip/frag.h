/*
 * Fragmentation and reassembly, both families.
 *
 * Reassembly: one record a datagram, keyed by source, destination, identification (and protocol in
 * IPv4) and interface. Data is copied as it arrives into one block that becomes the datagram; two
 * bitmaps of 8-byte units say what is there and where fragments began, so that each fragment costs
 * the same however many came before it. An overlap abandons the datagram, in both families (RFC
 * 5722; an exact duplicate of a fragment is ignored), and so do later fragments until the timer
 * runs out. Bounded: records, and bytes of all blocks; the oldest is given up for a new one.
 */
#ifndef ORIEL_IP_FRAG_H
#define ORIEL_IP_FRAG_H

#include "pkt/pkt.h"
#include "wire/ip4.h"
#include "wire/ip6.h"

#define FRAG_TIMEOUT   (60 * NS_PER_S)  /* RFC 1122, 3.3.2: 60..120 s; RFC 8200, 4.5: 60 s */
#define FRAG_HDR_MAX   256              /* unfragmentable part and fragment header that are kept */
#define FRAG_PER_HOST  16               /* records of one source at most */
#define FRAG_ID_CLOCKS 2048             /* counters of outgoing identifications */

struct frag_key {
    struct oriel_addr src;
    struct oriel_addr dst;
    uint32_t id;
    uint8_t proto;              /* IPv4: the protocol; IPv6: 0 */
    uint16_t nif;
};

/* What a fragment says of itself. */
struct frag_in {
    struct frag_key key;
    uint16_t off;               /* bytes */
    uint16_t len;               /* bytes of data in this fragment */
    bool more;
    uint16_t hdr_len;           /* network header (and unfragmentable part), before the data */
    uint8_t ecn;                /* two bits of the header, RFC 3168, 5.3 */
    uint8_t next;               /* IPv6: next header of the fragment header */
    uint16_t next_at;           /* IPv6: offset, in the unfragmentable part, of the byte that says
                                   "fragment header follows" */
};

struct frag_rec;

struct frag_table {
    struct env *env;
    struct pool recs;
    struct hmap map;            /* by key */
    struct hmap by_src;         /* by source and interface, for FRAG_PER_HOST */
    struct list by_age;         /* oldest first */
    uint64_t bytes;             /* held in blocks */
    uint64_t bytes_max;
    struct siphash_key id_key;  /* of outgoing identifications */
    uint32_t *id_clock;         /* FRAG_ID_CLOCKS counters */
};

bool frag_init(struct frag_table *t, struct env *env, struct arena *a, uint32_t recs_max,
               uint64_t bytes_max);

/*
 * Can this be a fragment at all? DROP_NONE; DROP_FRAG_LEN: not the last and not a multiple of 8
 * bytes, or empty; DROP_FRAG_BEYOND: the datagram would pass 65,535 bytes; DROP_IP6_EXT_COUNT: more
 * unfragmentable headers than FRAG_HDR_MAX. No table is looked at: for the caller that has to send
 * an ICMP error about it (RFC 8200, 4.5) while it still has the packet. frag_input asks it too.
 */
enum drop frag_check(const struct frag_in *in);

/*
 * A fragment: p starts at the network header; in->hdr_len + (IPv6: 8) + in->len bytes are there
 * (padding trimmed). Consumes p. When the datagram is complete returns it: contiguous, network
 * header in front with lengths, fragment fields and checksum set right (IPv6: without the fragment
 * header), p->flags, nif and arrival of the last fragment. Otherwise NULL; *why is the reason when
 * the fragment was dropped (already counted), DROP_NONE when it was kept. A fragment that is the
 * whole datagram is returned as such and meets no other (RFC 6946).
 */
struct pkt *frag_input(struct frag_table *t, struct pkt *p, const struct frag_in *in,
                       enum drop *why);

/*
 * A record's timer fired: its datagram is given up (each fragment was copied: the loss is counted
 * once, DROP_FRAG_TIMEOUT, unless it was abandoned before). Returns fragment zero as it came, when
 * it was there (headers, fragment header and data, contiguous; for the ICMP quote; to be freed by
 * the caller), NULL otherwise.
 */
struct pkt *frag_on_timer(struct frag_table *t, struct timer *timer);

/* Give up everything that came in over an interface (DROP_LINK_DOWN). */
void frag_drop_nif(struct frag_table *t, uint16_t nif);

/*
 * The identification for a datagram that may be fragmented: 16 bits where dst is IPv4, else 32. A
 * keyed permutation of the pair's own, applied to a counter of its bucket (RFC 7739, RFC 6864): not
 * predictable, of no use to predict another pair's, and not repeated within 65,536 datagrams of the
 * bucket.
 */
uint32_t frag_id(struct frag_table *t, const struct oriel_addr *src, const struct oriel_addr *dst,
                 uint8_t proto);

/*
 * Cut a whole datagram into fragments of at most mtu bytes, appended to `out`, all with
 * WHY_FRAGMENT; p starts at the network header and is consumed; its transport checksum is finished
 * where it is not (pkt/seal.h), and it is no super-segment.
 * One that fits goes to `out` as it is. IPv4: options with the copied bit go into every fragment,
 * others only into the first; a datagram that is a fragment itself keeps its offset; DF is not
 * looked at. IPv6: a fragment header with that id goes in after `unfrag_len` bytes that cannot be
 * fragmented, whose byte at next_at names what follows them. The mtu must hold the headers and 8
 * bytes of data. 0, or ORIEL_ENOBUFS: p was dropped, and nothing was added to `out`.
 */
int frag_cut4(struct env *env, struct pkt *p, uint32_t mtu, struct pkt_queue *out);
int frag_cut6(struct env *env, struct pkt *p, uint32_t mtu, uint32_t id, uint16_t unfrag_len,
              uint16_t next_at, struct pkt_queue *out);

/* For snapshots: records in order of age; *cursor starts at 0, false at the end. */
struct frag_info {
    struct frag_key key;
    uint32_t held_bytes;
    uint32_t total_len;         /* 0: the last fragment has not come */
    oriel_time deadline;
};
bool frag_each(const struct frag_table *t, uint32_t *cursor, struct frag_info *out);

#endif
