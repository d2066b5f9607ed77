/*
 * A stub resolver (RFC 1034, 5.3.1): questions to name servers over UDP, over TCP where an answer
 * was cut, with a cache.
 *
 *     struct resolver r;
 *     resolver_init(&r, &cfg);
 *     int err = resolve_start(&r, now, name, DNS_AAAA, &ticket);
 *     ... after each step of the stack, and at the latest when it says: ...
 *     oriel_time next = resolver_step(&r, now);
 *     ... resolve_take(&r, ticket, &answer) != ORIEL_EAGAIN: here it is ...
 *
 * Every question has a random id and leaves from a socket of its own, on a random port, connected
 * to the server; what comes must repeat id and question (RFC 5452). Who asks what is being asked
 * already waits for that answer. A server that refuses is passed over at once; one that is silent,
 * after a time that doubles with every round. Names are whole: nothing is appended to them.
 *
 * A client of the surface. It lives in the memory that it is given; a struct resolver stays where
 * it is.
 */
#ifndef ORIEL_SVC_RESOLVE_H
#define ORIEL_SVC_RESOLVE_H

#include "svc/dns_cache.h"

#define RESOLVE_SERVERS_MAX 8
#define RESOLVE_QUERIES_MAX 32          /* at a time */
#define RESOLVE_ALIASES_MAX 8           /* further questions that aliases lead to */
#define RESOLVE_ROUNDS      3           /* over all servers */
#define RESOLVE_TIMEOUT     (2 * NS_PER_S)      /* in the first round */
#define RESOLVE_EDNS_SIZE   1232        /* what we take over UDP: RFC 6891, 6.2.5 */

/* One line of a hosts table: it answers before any server does, both ways. */
struct resolve_host {
    struct dns_name name;
    struct oriel_addr addr;
};

struct resolver_config {
    struct oriel_stack *stack;
    void *memory;               /* yours; resolver_memory(cache_entries) bytes are enough */
    size_t memory_bytes;
    uint32_t cache_entries;     /* 0: nothing is kept */
    uint8_t seed[32];           /* from the system's random source */
    struct oriel_endpoint servers[RESOLVE_SERVERS_MAX]; /* port 0: 53 */
    uint8_t servers_n;
    const struct resolve_host *hosts;   /* borrowed */
    uint32_t hosts_n;
};

enum resolve_phase {
    RESOLVE_FREE,
    RESOLVE_UDP,                /* asked, and waiting */
    RESOLVE_TCP_CONNECT,
    RESOLVE_TCP,
    RESOLVE_FOLLOWS,            /* the same question is being asked for somebody else */
    RESOLVE_DONE,               /* until it is taken */
    RESOLVE_PHASES
};

struct resolve_query {
    uint8_t phase;
    uint8_t first;              /* the server that it began with */
    uint8_t attempt;            /* servers tried, over all rounds */
    uint8_t refused;            /* bit i: not server i again for this question */
    uint8_t aliases;
    bool edns;                  /* the question that is out has an OPT record */
    uint16_t generation;
    uint16_t id;
    struct dns_name name;       /* as the caller asked */
    struct dns_question asked;  /* the same, or what an alias led to */
    uint32_t ttl_s;             /* of the aliases that led there */
    oriel_handle sock;
    oriel_time deadline;
    int err;                    /* when done, the result; before, why the last server failed */
    struct dns_answer answer;
};

struct resolver {
    struct resolver_config cfg;
    struct siphash_key id_key;
    uint64_t ids;               /* drawn so far */
    uint8_t current;            /* where to begin: it answered last */
    uint8_t no_edns;            /* bit i: server i does not understand it */
    uint8_t *buffer;            /* one message, in or out */
    struct resolve_query *query;        /* RESOLVE_QUERIES_MAX */
    struct dns_cache cache;
    uint64_t sent, retried, over_tcp;   /* questions; attempts after the first; attempts over TCP */
};

size_t resolver_memory(uint32_t cache_entries);

/* 0, or ORIEL_ENOBUFS: the memory is too small. */
ORIEL_MUST_USE int resolver_init(struct resolver *r, const struct resolver_config *cfg);
void resolver_fini(struct resolver *r);         /* closes its sockets */

/*
 * Other servers (DHCP or a router told of them). If they are not the same ones, what was learned
 * from the former is forgotten, and questions under way begin again.
 */
void resolver_set_servers(struct resolver *r, oriel_time now, const struct oriel_endpoint *list,
                          unsigned n);

/*
 * Ask. type: one that dns_answer_holds. 0 with a ticket; ORIEL_EINVAL: not a name, or another type;
 * ORIEL_ENOBUFS: too many questions at a time.
 */
ORIEL_MUST_USE int resolve_start(struct resolver *r, oriel_time now, const struct dns_name *name,
                                 uint16_t type, uint32_t *ticket);

/*
 * The answer; then the ticket is over. ORIEL_EAGAIN: not yet. ORIEL_EBADF: no such ticket. 0: *out.
 * ORIEL_ENOENT: there is no such record, out->no_name: no such name. Otherwise nobody could say:
 * ORIEL_ETIMEDOUT, ORIEL_EPROTO (every server failed), ORIEL_ENETUNREACH (no server, no way there),
 * ORIEL_ECONNREFUSED.
 */
ORIEL_MUST_USE int resolve_take(struct resolver *r, uint32_t ticket, struct dns_answer *out);
void resolve_cancel(struct resolver *r, oriel_time now, uint32_t ticket);

/* What has come and what is due; when to call again at the latest. */
oriel_time resolver_step(struct resolver *r, oriel_time now);

/* "4.3.2.1.in-addr.arpa" and its like (RFC 1035, 3.5; 3596, 2.5): the name for DNS_PTR. */
void resolve_reverse(const struct oriel_addr *a, struct dns_name *out);

#endif
