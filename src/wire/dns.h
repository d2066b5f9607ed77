/* DNS messages (RFC 1035), with AAAA (3596), SRV (2782) and the OPT record of EDNS (6891). */
#ifndef ORIEL_WIRE_DNS_H
#define ORIEL_WIRE_DNS_H

#include "base/addr.h"

#define DNS_PORT         53
#define DNS_HDR_LEN      12
#define DNS_UDP_MAX      512    /* without EDNS */
#define DNS_LABEL_MAX    63
#define DNS_NAME_MAX     255    /* length bytes and root among them */
#define DNS_POINTERS_MAX 32     /* followed for one name */
#define DNS_QUESTIONS_MAX 16    /* walked in one message */
#define DNS_RECORDS_MAX  256

enum dns_type {
    DNS_A = 1,
    DNS_NS = 2,
    DNS_CNAME = 5,
    DNS_SOA = 6,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_SRV = 33,
    DNS_OPT = 41,
    DNS_ANY = 255,
};

enum dns_class {
    DNS_IN = 1,
};

enum dns_rcode {
    DNS_NOERROR = 0,
    DNS_FORMERR = 1,
    DNS_SERVFAIL = 2,
    DNS_NXDOMAIN = 3,
    DNS_NOTIMP = 4,
    DNS_REFUSED = 5,
};

enum dns_section {
    DNS_ANSWER,
    DNS_AUTHORITY,
    DNS_ADDITIONAL,
};

/* ---- names ---- */

/*
 * A name as on the wire and not compressed: length, label, ..., 0.
 * Invariant: 1 <= n <= DNS_NAME_MAX, and b[n - 1] is the root's 0.
 */
struct dns_name {
    uint8_t n;
    uint8_t b[DNS_NAME_MAX];
};

/*
 * Reads a name from r, which stands inside msg (a whole message), and leaves r after it; pointers
 * lead to other parts of msg. FAULT_SHORT; FAULT_NAME: a label type that is neither length nor
 * pointer, a name above DNS_NAME_MAX, a pointer that does not go strictly backwards or goes into
 * the header, or too many of them.
 */
bool dns_name_parse(struct rd *r, struct span msg, struct dns_name *out);
void dns_name_emit(struct wr *w, const struct dns_name *name);

/*
 * From text: "www.example.com", with or without the last dot; "." is the root; \. \\ and \DDD as
 * RFC 1035, 5.1 has them. False leaves *out undefined: an empty or too long label, a too long name.
 */
bool dns_name_of(struct span text, struct dns_name *out);
void dns_name_print(struct txt *t, const struct dns_name *name);    /* no last dot */
bool dns_name_eq(const struct dns_name *a, const struct dns_name *b);   /* ASCII case is nothing */

static inline uint8_t dns_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* Is it that zone's own name or below it? Everything is below the root. */
bool dns_name_within(const struct dns_name *name, const struct dns_name *zone);

/* ---- header ---- */

struct dns_hdr {
    uint16_t id;
    bool is_response;
    uint8_t opcode;             /* 4 bits; 0: query */
    bool aa;
    bool tc;
    bool rd;
    bool ra;
    bool ad;                    /* RFC 4035 */
    bool cd;
    uint8_t rcode;              /* 4 bits */
    uint16_t questions_n;       /* as counted in the message: never to be trusted */
    uint16_t answers_n;
    uint16_t authority_n;
    uint16_t additional_n;
};

bool dns_parse(struct rd *r, struct dns_hdr *out);      /* 12 bytes. FAULT_SHORT */
void dns_emit(struct wr *w, const struct dns_hdr *h);

/* "Standard query 0x1a2b A example.com", with the first answers of a response. */
void dns_print(struct txt *t, struct span msg);

/* ---- what follows the header ---- */

struct dns_question {
    struct dns_name name;
    uint16_t qtype;
    uint16_t qclass;
};

struct dns_rr {
    struct dns_name name;
    uint8_t section;            /* enum dns_section */
    uint16_t type;
    uint16_t rclass;            /* OPT: the sender's UDP payload size */
    uint32_t ttl_s;             /* as on the wire; OPT: extended rcode, version and flags */
    struct span data;           /* in place; names in it may be compressed: dns_data_parse */
};

/*
 * A walk over a whole message: the questions, then the records of all sections in order. The counts
 * only say when to stop; a message that ends earlier is a fault. Faults are in r.bad: FAULT_SHORT,
 * FAULT_NAME, FAULT_COUNT (nothing left where a count promises more), FAULT_TOTAL_LEN (RDLENGTH
 * beyond the message), FAULT_OPT_COUNT (more than the maxima above).
 */
struct dns_walk {
    struct span msg;
    struct rd r;
    uint16_t questions_left;
    uint16_t left[3];           /* records by enum dns_section */
    uint16_t questions_n;       /* walked */
    uint16_t records_n;
};

struct dns_walk dns_walk_of(struct span msg, const struct dns_hdr *h);
bool dns_question_next(struct dns_walk *k, struct dns_question *out);

/* Passes over questions that were not taken. */
bool dns_rr_next(struct dns_walk *k, struct dns_rr *out);

/* The data of one record, by its type; what does not belong to the type is zero. */
struct dns_data {
    struct oriel_addr addr;     /* A, AAAA */
    struct dns_name name;       /* NS, CNAME, PTR; MX exchange, SRV target, SOA primary */
    struct dns_name mailbox;    /* SOA */
    uint16_t preference;        /* MX; SRV: priority */
    uint16_t weight;            /* SRV */
    uint16_t port;
    uint32_t serial;            /* SOA */
    uint32_t refresh_s;
    uint32_t retry_s;
    uint32_t expire_s;
    uint32_t minimum_s;
    struct span raw;            /* TXT (walk with dns_txt_next), OPT and types not listed here */
};

/*
 * r over rr.data, msg the message it is in. FAULT_SHORT; FAULT_NAME; FAULT_TOTAL_LEN: the data is
 * longer than its type allows; FAULT_COUNT: strings of a TXT that do not fill it exactly.
 */
bool dns_data_parse(struct rd *r, struct span msg, uint16_t type, struct dns_data *out);

/* The next string of a TXT. */
bool dns_txt_next(struct rd *r, struct span *out);

void dns_question_emit(struct wr *w, const struct dns_question *q);

/*
 * Writes a record with data d (rr->data and section are not looked at). With `first`, the name of
 * the message's first question, an equal owner is written as a pointer to it. Names in the data are
 * never compressed.
 */
void dns_rr_emit(struct wr *w, const struct dns_rr *rr, const struct dns_data *d,
                 const struct dns_name *first);

void dns_type_print(struct txt *t, uint16_t type);      /* "AAAA", "TYPE257" */
bool dns_type_named(struct span name, uint16_t *out);   /* "AAAA"; false: a name that we do not know */

#endif
