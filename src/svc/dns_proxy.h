/*
 * A DNS proxy: questions that come to addresses of the stack, over UDP and TCP, are answered by
 * somebody outside, who is asked through calls of ours.
 *
 *     dns_proxy_start(&p, &cfg);
 *     ... after each step of the stack, and at the latest when it says: ...
 *     oriel_time next = dns_proxy_step(&p, now);
 *     while (dns_proxy_next(&p, &ask))            send ask.msg to a name server
 *         ...
 *     dns_proxy_answer(&p, now, msg);             what came from one; then the stack has to speak
 *
 * Each question gets an id of its own, drawn by chance, so that two clients with one id do not meet
 * outside; an answer must bear it and repeat the question, and goes back under the client's. Plain
 * questions are answered from a cache where that knows. Who asks again while nothing has come waits
 * on; a question that nobody answers in time, or for which there is no place, is answered with
 * SERVFAIL. What is too long for a client's datagram is cut, and asked for over TCP. A stream has a
 * quarter of the places at most; what it asks beyond that is read later.
 *
 * A client of the surface. It lives in the memory that it is given; a struct dns_proxy stays where
 * it is.
 */
#ifndef ORIEL_SVC_DNS_PROXY_H
#define ORIEL_SVC_DNS_PROXY_H

#include "svc/dns_cache.h"

#define DNS_PROXY_ASKS      128         /* at a time, when nothing else is said */
#define DNS_PROXY_STREAMS   32          /* clients on TCP at a time; the next one waits */
#define DNS_PROXY_LISTEN    2           /* addresses that are listened to */
#define DNS_PROXY_QUERY_MAX 1232        /* bytes of a question; a longer one is refused */
#define DNS_PROXY_TIMEOUT   (5 * NS_PER_S)
#define DNS_PROXY_IDLE      (10 * NS_PER_S)     /* of a stream on which nothing is asked */

struct dns_proxy_config {
    struct oriel_stack *stack;
    void *memory;               /* yours; dns_proxy_memory bytes are enough */
    size_t memory_bytes;
    uint32_t asks;              /* 0: DNS_PROXY_ASKS; at most 4,096 */
    uint32_t cache_entries;     /* 0: nothing is kept */
    uint8_t seed[32];           /* from the system's random source */
    struct oriel_endpoint listen[DNS_PROXY_LISTEN];     /* port 0: 53 */
    uint8_t listen_n;
    oriel_time timeout;         /* 0: DNS_PROXY_TIMEOUT */
};

/* A question on its way. */
struct dns_proxy_ask {
    struct list node;           /* of the waiting, the oldest first */
    uint16_t id;                /* outside */
    uint16_t client_id;
    bool handed_out;
    uint8_t socket;             /* over UDP: which of ours it came to */
    uint8_t stream;             /* over TCP: which; DNS_PROXY_STREAMS: UDP */
    uint16_t size_max;          /* of an answer over UDP */
    bool plain;                 /* its answer may be kept */
    struct oriel_endpoint client;
    struct oriel_addr local;    /* the address that was asked */
    struct dns_question question;
    oriel_time until;
    uint16_t n;
    uint8_t msg[DNS_PROXY_QUERY_MAX];   /* with the id outside */
};

struct dns_proxy_stream {
    oriel_handle sock;          /* 0: free */
    uint16_t waiting;           /* questions of it that are on their way */
    oriel_time until;           /* closed then, if none are */
};

struct dns_proxy {
    struct dns_proxy_config cfg;
    struct siphash_key id_key;
    uint64_t ids;
    oriel_handle udp[DNS_PROXY_LISTEN];
    oriel_handle listener[DNS_PROXY_LISTEN];
    struct dns_proxy_stream stream[DNS_PROXY_STREAMS];
    struct pool asks;
    struct list waiting;
    uint8_t *buffer;            /* one message behind its length, in or out */
    struct dns_cache cache;
    uint64_t asked, from_cache, answered, failed;
};

/* What is to be sent to a name server. */
struct dns_proxy_out {
    uint16_t id;                /* that msg has */
    struct span msg;            /* until the next call of ours */
    bool stream;                /* the client asked over TCP: so should you */
};

size_t dns_proxy_memory(uint32_t asks, uint32_t cache_entries);

/* 0; ORIEL_ENOBUFS: the memory is too small; or what a socket said. Then nothing is open. */
ORIEL_MUST_USE int dns_proxy_start(struct dns_proxy *p, const struct dns_proxy_config *cfg);
void dns_proxy_stop(struct dns_proxy *p);

oriel_time dns_proxy_step(struct dns_proxy *p, oriel_time now);

/* The next question that was not handed out yet: each once. */
bool dns_proxy_next(struct dns_proxy *p, struct dns_proxy_out *out);

/* Nobody can be asked about it: the client is told so at once. An id that nobody waits for is none. */
void dns_proxy_fail(struct dns_proxy *p, uint16_t id);

/* A message from a name server. False: it answers nothing that was asked. */
bool dns_proxy_answer(struct dns_proxy *p, oriel_time now, struct span msg);

#endif
