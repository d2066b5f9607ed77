/* DHCP for IPv4 (RFC 2131) and its options (RFC 2132, 3396, 3442). */
#ifndef ORIEL_WIRE_DHCP4_H
#define ORIEL_WIRE_DHCP4_H

#include "base/addr.h"

#define DHCP4_SERVER_PORT 67
#define DHCP4_CLIENT_PORT 68
#define DHCP4_FIXED_LEN   236   /* before the magic cookie */
#define DHCP4_MIN_LEN     240   /* with it */
#define DHCP4_PAD_LEN     300   /* what is sent is not shorter: RFC 1542, 2.1 */
#define DHCP4_SIZE_MAX    576   /* what a client must take when it has not said more */
#define DHCP4_SNAME_LEN   64
#define DHCP4_FILE_LEN    128
#define DHCP4_OPTIONS_MAX 256   /* options in one message, padding not counted */
#define DHCP4_ADDRS_MAX   4     /* addresses kept of one list; what is beyond is ignored */
#define DHCP4_ROUTES_MAX  16
#define DHCP4_JOINED_MAX  1024  /* room for options that came in parts */

enum dhcp4_type {
    DHCP4_DISCOVER = 1,
    DHCP4_OFFER = 2,
    DHCP4_REQUEST = 3,
    DHCP4_DECLINE = 4,
    DHCP4_ACK = 5,
    DHCP4_NAK = 6,
    DHCP4_RELEASE = 7,
    DHCP4_INFORM = 8,
};

enum dhcp4_opt_code {
    DHCP4_OPT_PAD = 0,
    DHCP4_OPT_MASK = 1,
    DHCP4_OPT_ROUTERS = 3,
    DHCP4_OPT_DNS = 6,
    DHCP4_OPT_HOST_NAME = 12,
    DHCP4_OPT_DOMAIN = 15,
    DHCP4_OPT_MTU = 26,
    DHCP4_OPT_BROADCAST = 28,
    DHCP4_OPT_NTP = 42,
    DHCP4_OPT_REQUESTED = 50,
    DHCP4_OPT_LEASE = 51,
    DHCP4_OPT_OVERLOAD = 52,
    DHCP4_OPT_TYPE = 53,
    DHCP4_OPT_SERVER_ID = 54,
    DHCP4_OPT_PARAMS = 55,
    DHCP4_OPT_MESSAGE = 56,
    DHCP4_OPT_MAX_SIZE = 57,
    DHCP4_OPT_T1 = 58,
    DHCP4_OPT_T2 = 59,
    DHCP4_OPT_VENDOR = 60,
    DHCP4_OPT_CLIENT_ID = 61,
    DHCP4_OPT_ROUTES = 121,
    DHCP4_OPT_END = 255,
};

struct dhcp4_route {
    struct prefix to;           /* an IPv4 /24 has the length 120, as everywhere */
    struct oriel_addr via;      /* 0.0.0.0: on the link */
};

/*
 * One message. An address that is absent is 0.0.0.0 (or ::, to dhcp4_emit), a number 0, a span
 * empty; where 0 can be said there is a has_. Spans point into the message or into `joined` and live
 * as long as those do.
 */
struct dhcp4_msg {
    bool is_reply;              /* BOOTREPLY: from a server */
    uint8_t type;               /* enum dhcp4_type */
    uint8_t hops;
    bool broadcast;             /* the client cannot receive unicast yet */
    uint16_t secs;
    uint32_t xid;
    struct oriel_addr ciaddr;   /* the client's, when it has one */
    struct oriel_addr yiaddr;   /* the one for the client */
    struct oriel_addr siaddr;   /* next server */
    struct oriel_addr giaddr;   /* relay */
    struct mac chaddr;
    struct span sname;          /* up to the first NUL; empty when it held options */
    struct span file;

    bool has_mask;
    bool has_lease;
    bool has_t1;
    bool has_t2;
    uint8_t mask_len;           /* 0..32, as people say it */
    uint32_t lease_s;           /* 0xffffffff: for ever */
    uint32_t t1_s;
    uint32_t t2_s;
    uint16_t mtu;
    uint16_t max_size;
    struct oriel_addr broadcast_addr;
    struct oriel_addr requested;
    struct oriel_addr server_id;
    uint8_t routers_n;
    uint8_t dns_n;
    uint8_t ntp_n;
    uint8_t routes_n;
    struct oriel_addr routers[DHCP4_ADDRS_MAX];
    struct oriel_addr dns[DHCP4_ADDRS_MAX];
    struct oriel_addr ntp[DHCP4_ADDRS_MAX];
    struct dhcp4_route routes[DHCP4_ROUTES_MAX];
    struct span host_name;      /* texts without the NULs that some append */
    struct span domain;
    struct span message;
    struct span vendor;
    struct span client_id;      /* type byte and identifier */
    struct span params;         /* option codes the client asks for, in its order */
};

/*
 * r holds the UDP payload and is used up. Options are read from the options field, then file, then
 * sname, as overload says; one that comes in parts is put together in `joined` (RFC 3396), which
 * may have no room at all. FAULT_SHORT; FAULT_TYPE: op is neither request nor reply, or the message
 * type is missing or unknown; FAULT_ADDR_LEN: the hardware is not Ethernet; FAULT_MAGIC;
 * FAULT_OPT_LEN: an option that passes the end of its field, or a known one of a length that its
 * format does not have (one of fixed size given twice among them); FAULT_ADDR: a mask with holes or
 * a route that is longer than 32; FAULT_OPT_COUNT: too many options, or no room in `joined`.
 */
bool dhcp4_parse(struct rd *r, struct wr *joined, struct dhcp4_msg *out);

/*
 * Writes the whole message, padded to DHCP4_PAD_LEN. Options that are too long for one are written
 * in parts; nothing is overloaded. sname and file must fit their fields.
 */
void dhcp4_emit(struct wr *w, const struct dhcp4_msg *m);
void dhcp4_print(struct txt *t, const struct dhcp4_msg *m); /* "DHCP Offer xid 0x3903f326 ..." */

/* ---- the options one by one, as they stand ---- */

struct dhcp4_opt {
    uint8_t code;               /* neither pad nor end */
    struct span data;
};

struct dhcp4_walk {
    struct rd r;                /* the field being read; r.bad holds the fault */
    struct span file;
    struct span sname;
    uint8_t overload;           /* bit 0: file holds options, bit 1: sname */
    uint8_t field;              /* 0 options, 1 file, 2 sname */
    uint16_t n;
};

struct dhcp4_walk dhcp4_walk_of(struct span options, struct span file, struct span sname);

/* False at the end or on a fault: FAULT_OPT_LEN, FAULT_OPT_COUNT. A missing END is not a fault. */
bool dhcp4_opt_next(struct dhcp4_walk *k, struct dhcp4_opt *out);

#endif
