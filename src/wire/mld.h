/* MLD versions 1 and 2 (RFC 2710, 3810): ICMPv6 types 130, 131, 132 and 143. */
#ifndef ORIEL_WIRE_MLD_H
#define ORIEL_WIRE_MLD_H

#include "wire/icmp6.h"
#include "wire/igmp.h"          /* records and limits are the same */

struct mld_msg {
    uint8_t type;               /* ICMP6_MLD_QUERY, _REPORT, _DONE, ICMP6_MLD2_REPORT */
    uint8_t version;            /* of a query by its length: 1 or 2 */
    uint32_t max_resp_ms;       /* decoded */
    struct oriel_addr group;
    bool suppress;
    uint8_t robustness;
    uint32_t interval_s;
    uint16_t sources_n;
    struct span sources;        /* 16 bytes each */
    uint16_t records_n;
    struct span records;        /* as in struct igmp_msg */
};

/*
 * r stands after the first 4 bytes of the ICMPv6 message and ends with it. FAULT_SHORT; FAULT_TYPE;
 * FAULT_TOTAL_LEN: a query whose message is neither 24 nor at least 28 bytes; FAULT_COUNT.
 */
bool mld_parse(struct rd *r, uint8_t type, struct mld_msg *out);
bool mld_record_next(struct rd *r, struct mcast_rec *out);

/* Whole ICMPv6 messages with the checksum field 0: icmp6_seal them. */
void mld_emit(struct wr *w, const struct mld_msg *m);
void mld_report_begin(struct wr *w);
void mld_report_record(struct wr *w, uint8_t type, const struct oriel_addr *group,
                       const struct oriel_addr *sources, uint16_t n);
void mld_report_count(struct wr *w, uint16_t records);
void mld_print(struct txt *t, const struct mld_msg *m);

uint32_t mcast_code16_decode(uint16_t code);
uint16_t mcast_code16_encode(uint32_t v);

#endif
