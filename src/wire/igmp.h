/* IGMP versions 1, 2 and 3 (RFC 1112, 2236, 3376). */
#ifndef ORIEL_WIRE_IGMP_H
#define ORIEL_WIRE_IGMP_H

#include "base/addr.h"

#define IGMP_MIN_LEN     8
#define MCAST_SOURCES_MAX 64    /* sources kept of one record or query */
#define MCAST_RECORDS_MAX 256   /* records walked in one report */

enum igmp_type {
    IGMP_QUERY = 0x11,
    IGMP_V1_REPORT = 0x12,
    IGMP_V2_REPORT = 0x16,
    IGMP_V2_LEAVE = 0x17,
    IGMP_V3_REPORT = 0x22,
};

enum mcast_record {             /* of IGMPv3 and MLDv2 alike */
    MCAST_IS_INCLUDE = 1,
    MCAST_IS_EXCLUDE = 2,
    MCAST_TO_INCLUDE = 3,
    MCAST_TO_EXCLUDE = 4,
    MCAST_ALLOW = 5,
    MCAST_BLOCK = 6,
};

struct igmp_msg {
    uint8_t type;
    uint8_t version;            /* 1, 2 or 3: of a query by RFC 3376, 7.1; of the rest by type */
    uint32_t max_resp_ds;       /* tenths of a second, decoded; 0 in v1 */
    struct oriel_addr group;    /* query: 0.0.0.0 when general */
    /* v3 query */
    bool suppress;
    uint8_t robustness;
    uint32_t interval_s;        /* decoded */
    uint16_t sources_n;         /* as counted in the message */
    struct span sources;        /* 4 bytes each */
    /* v3 report */
    uint16_t records_n;
    struct span records;        /* walk with igmp_record_next: all of them, whole, or the first
                                   MCAST_RECORDS_MAX */
};

/*
 * r holds exactly the message. FAULT_SHORT; FAULT_CSUM; FAULT_TYPE: unknown type, or a query whose
 * length is neither 8 nor at least 12; FAULT_COUNT: sources or records beyond the bytes. Bytes
 * after the format are left in r (RFC 3376, 4.1.10: they are ignored, but summed).
 */
bool igmp_parse(struct rd *r, struct igmp_msg *out);

struct mcast_rec {
    uint8_t type;
    struct oriel_addr group;
    uint16_t sources_n;
    struct span sources;        /* 4 bytes each in IGMP, 16 in MLD */
};

/* The next record of a v3 report. False at the end or on a fault in r: FAULT_COUNT, FAULT_SHORT. */
bool igmp_record_next(struct rd *r, struct mcast_rec *out);

/*
 * Queries, v1/v2 reports and leaves: the whole message with its checksum (sources from the span).
 * Times are rounded down to what their code can say.
 */
void igmp_emit(struct wr *w, const struct igmp_msg *m);

/* A v3 report is written in parts, first in its writer: begin, records, seal (count, checksum). */
void igmp_report_begin(struct wr *w);
void igmp_report_record(struct wr *w, uint8_t type, const struct oriel_addr *group,
                        const struct oriel_addr *sources, uint16_t n);
void igmp_report_seal(struct wr *w, uint16_t records);
void igmp_print(struct txt *t, const struct igmp_msg *m);
void mcast_rec_print(struct txt *t, const struct mcast_rec *rec);   /* "Leave group 239.1.2.3" */

/* The floating-point-like codes of RFC 3376, 4.1.1 (8 bits) and 3810, 5.1.3 (16 bits). */
uint32_t mcast_code8_decode(uint8_t code);
uint8_t mcast_code8_encode(uint32_t v);     /* rounded down; saturates */

#endif
