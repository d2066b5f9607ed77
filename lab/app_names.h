/*
 * A name server for worlds: answers from a few rows, over UDP and TCP, and misbehaves on request.
 *
 * It is authoritative for all there is: a name without rows does not exist (NXDOMAIN), one without
 * rows of the type has none (both with a SOA of the root). Aliases are followed within the rows.
 */
#ifndef ORIEL_LAB_APP_NAMES_H
#define ORIEL_LAB_APP_NAMES_H

#include "lab/app.h"
#include "svc/dns_answer.h"

#define NAMES_ROWS_MAX    64
#define NAMES_STREAMS_MAX 4
#define NAMES_TTL_S       300
#define NAMES_QUERY_MAX   600           /* bytes of a question that are read */

struct name_row {
    struct dns_name name;
    uint16_t type;
    uint32_t ttl_s;
    struct dns_data data;
};

/* "www.example A 10.0.0.9 60": types A, AAAA, CNAME, PTR, NS; the lifetime may be left out. */
bool name_row_parse(struct span text, struct name_row *out);

struct names_params {
    uint16_t port;              /* 0: 53 */
    uint16_t rows_n;
    const struct name_row *rows;
    bool cut;                   /* over UDP every answer is cut */
    bool silent;                /* over UDP */
    bool refuse;
    bool no_edns;               /* does not understand it */
    bool no_chase;              /* an alias is all that is said */
    bool no_stream;             /* nobody listens on TCP */
};

struct names {
    struct app_host host;
    struct names_params p;
    oriel_handle udp, listener;
    oriel_handle stream[NAMES_STREAMS_MAX];
    int failed;
    uint32_t over_udp, over_tcp;        /* questions */
    uint16_t last_id;
    struct oriel_endpoint last_peer;
    struct dns_question last;
    bool last_edns;
};

/* 0, or an error: then nothing is open. */
int names_start(struct names *n, const struct app_host *host, const struct names_params *p);
void names_step(struct names *n);
void names_stop(struct names *n);

#endif
