/*
 * The two ends of `oriel bench`.
 *
 * The first byte of a connection says what the server does with it: `E` sends everything back, `S` sends
 * until the client ends, `C` closes at once, anything else is thrown away. So bulk runs against any sink and
 * rr against any echo service, too.
 */
#ifndef ORIEL_CLI_BENCH_H
#define ORIEL_CLI_BENCH_H

#include "cli/netrun.h"

#define BENCH_PORT       5201
#define BENCH_FLOWS_MAX  256
#define BENCH_CONNS_MAX  1024       /* that a server serves at once */
#define BENCH_TIMES      65536      /* round trips that are kept for the percentiles */

enum bench_kind {
    BENCH_BULK,
    BENCH_REVERSE,
    BENCH_RR,
    BENCH_CONN,
};

struct bench_flow {
    oriel_handle sock;          /* 0: none */
    bool open;                  /* connected */
    char what;                  /* of a server: the first byte; 0: not heard yet */
    uint32_t left;              /* bytes of the request that are not sent yet */
    uint32_t due;               /* bytes of the answer that have not come yet */
    oriel_time asked;
    uint32_t held, sent;        /* of an echo: bytes in `echo`, and those of them that were sent back */
    uint8_t *echo;
};

struct bench {
    struct netrun *n;
    enum bench_kind kind;
    bool serves;
    struct oriel_endpoint to;
    uint32_t size;              /* of a request, and of its answer */
    unsigned flows_n;
    struct bench_flow *flows;
    oriel_handle listener;
    oriel_time length;          /* how long to measure */
    oriel_time began, until;    /* began: when every flow was connected (conn: one); 0: not yet */
    bool any_open;              /* one was connected */
    bool over;
    int error;                  /* enum oriel_err that ended it */
    uint64_t bytes, turns;      /* since it began: payload, and answers or connections */
    uint32_t *times_us;         /* round trips, as far as there is room */
    uint32_t times_n;
    uint64_t retrans;
};

int bench_start(struct bench *b);       /* 0, or an enum oriel_err */
void bench_stop(struct bench *b);

void bench_step(void *ctx, oriel_time now);
oriel_time bench_deadline(const void *ctx);
bool bench_busy(const void *ctx);

#endif
