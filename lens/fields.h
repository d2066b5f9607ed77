/*
 * The fields of packets under the names that Wireshark gives them: one table (fields.def) for the
 * dissector, which fills them, and the filter language, which asks for them.
 */
#ifndef ORIEL_LENS_FIELDS_H
#define ORIEL_LENS_FIELDS_H

#include "base/addr.h"

enum field_type {
    FT_PROTO,       /* a layer: present or not; its bytes can be searched */
    FT_NONE,        /* present or not (an option without a value) */
    FT_UINT,        /* value.u */
    FT_BOOL,        /* value.u, 0 or 1 */
    FT_TIME,        /* value.u, nanoseconds; written in seconds with decimals */
    FT_ADDR4,       /* value.addr */
    FT_ADDR6,       /* value.addr */
    FT_MAC,         /* value.mac */
    FT_BYTES,       /* value.bytes */
    FT_STR,         /* value.bytes, text */
};

enum field_id {
    F_NONE,
#define FIELD(id, name, type, bits, digits, also, label) id,
#include "lens/fields.def"
#undef FIELD
    F_N
};

struct field_info {
    const char *name;       /* "ip.src" */
    const char *label;      /* "Source Address" */
    uint8_t type;           /* enum field_type */
    uint8_t bits;           /* FT_UINT: the largest value has that many */
    uint8_t digits;         /* shown as 0x and this many digits; 0: decimal */
    uint16_t also;          /* a name that stands for this one too (ip.src is an ip.addr), or 0 */
};

struct field {
    uint16_t id;            /* enum field_id */
    uint32_t off;           /* where it stands in the frame; the whole layer for FT_PROTO */
    uint32_t len;           /* bytes; 0 for what is derived and stands nowhere */
    union {
        uint64_t u;
        struct oriel_addr addr;
        struct mac mac;
        struct span bytes;  /* into the frame, or into the dissection's own text; of FT_PROTO:
                               the layer with everything inside it */
    } value;
};

const struct field_info *field_info(unsigned id);

/* The field of that name, or F_NONE. Case matters, as in Wireshark. */
enum field_id field_find(struct span name);

/* The known name with the fewest edits from this one, or F_NONE when none is near. */
enum field_id field_nearest(struct span name);

/* "an IPv4 address", for messages. */
const char *field_type_text(unsigned type);

/* The value as `tshark -T fields` writes it; a protocol's is its name. */
void field_print(struct txt *t, const struct field *f);

#endif
