/*
 * What a response says about one question: read with distrust, kept in a form of fixed size.
 *
 * Only records that the question leads to are looked at (RFC 5452, 6): CNAMEs from the name asked
 * for, the records of the type at the end of that chain, and of the authority section one SOA above
 * that name (RFC 2308). Whatever else a server adds is not read.
 */
#ifndef ORIEL_SVC_DNS_ANSWER_H
#define ORIEL_SVC_DNS_ANSWER_H

#include "wire/dns.h"

#define DNS_ANSWER_ADDRS 16             /* kept of one answer; the rest is ignored */
#define DNS_CHAIN_MAX    8              /* CNAMEs followed in one response */
#define DNS_TTL_MAX_S    86400u         /* longest that an answer is believed */
#define DNS_NEGATIVE_MAX_S 10800u       /* and that there is none: RFC 2308, 5 */

struct dns_answer {
    bool no_name;               /* the name does not exist; otherwise it may have other types */
    uint8_t addrs_n;            /* A, AAAA; in the order of the response */
    uint32_t ttl_s;             /* of all that it rests on; 0: not to be kept */
    struct oriel_addr addrs[DNS_ANSWER_ADDRS];
    struct dns_name name;       /* A, AAAA: where the chain ended; PTR and its like: the data */
};

enum dns_verdict {
    DNS_NOT_OURS,               /* no response to that question: whoever sent it, wait on */
    DNS_CUT,                    /* ask again over TCP */
    DNS_NOT_UNDERSTOOD,         /* the server says so: ask again without EDNS */
    DNS_SERVER_FAILED,          /* or its response is malformed: ask another one */
    DNS_ELSEWHERE,              /* an alias, and no more: out->name is to be asked for */
    DNS_FOUND,
    DNS_NOTHING,                /* there is no such record (out->no_name: no such name) */
};

/* Types A, AAAA, and those whose data is one name: NS, CNAME, PTR. */
bool dns_answer_holds(uint16_t type);

/* msg is a whole message; id and q are what was asked, of a type that dns_answer_holds. */
enum dns_verdict dns_answer_read(struct span msg, uint16_t id, const struct dns_question *q,
                                 struct dns_answer *out);

#endif
