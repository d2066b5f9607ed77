/*
 * What can be wrong with received bytes: one code a field, kept in rd.bad, so that the layer above
 * drops with a reason that names the field. RD_SHORT (1) is set by the reader itself.
 */
#ifndef ORIEL_WIRE_FAULT_H
#define ORIEL_WIRE_FAULT_H

#include "base/bytes.h"

enum fault {
    FAULT_NONE = 0,
    FAULT_SHORT = RD_SHORT, /* ended before the format did */
    FAULT_VERSION,          /* a version that the format does not have */
    FAULT_HDR_LEN,          /* header length field below the minimum or beyond the bytes */
    FAULT_TOTAL_LEN,        /* total or payload length below the header or beyond the bytes */
    FAULT_CSUM,             /* checksum of the header or message */
    FAULT_OPT_LEN,          /* an option's length is 0, 1 or passes the end */
    FAULT_OPT_COUNT,        /* more options, records or headers than the limit */
    FAULT_TYPE,             /* a type or operation that the format does not have */
    FAULT_CODE,             /* a code that must be another value */
    FAULT_ADDR,             /* an address that may not stand in this field */
    FAULT_ADDR_LEN,         /* hardware or protocol address length */
    FAULT_COUNT,            /* a count that disagrees with the bytes */
    FAULT_NAME,             /* a DNS name: label, pointer or total length */
    FAULT_MAGIC,            /* a constant that must be there is not */
    FAULT_FCS,              /* frame check sequence */
    FAULT_ESCAPE,           /* byte stuffing broken */
    FAULT_N
};

/* The name of the field at fault, for people: "header length". Never NULL. */
const char *fault_text(uint8_t fault);

#endif
