/*
 * One conversation of `oriel nc`: a socket on one side, standard input and output on the other.
 *
 * Nothing blocks: input is read when there is room in the socket, output is written as the reader takes
 * it, and what it does not take stays in the socket and closes its window. Files are read and written
 * at once, since there is nothing to wait for.
 */
#ifndef ORIEL_CLI_NC_H
#define ORIEL_CLI_NC_H

#include "cli/netrun.h"

enum nc_state {
    NC_LISTENING,
    NC_CONNECTING,
    NC_OPEN,
    NC_CLOSING,                 /* our socket is closed; the stack still has something to say */
    NC_DONE,
};

struct nc {
    struct netrun *n;
    bool udp, listens, keeps, scans, half_close, no_input;
    oriel_time timeout;         /* to connect, and of silence; 0: none */
    oriel_time linger;          /* -q: how long after the end of input; ORIEL_NEVER: until the peer ends */
    struct oriel_endpoint local, remote;
    enum oriel_family family;

    enum nc_state state;
    oriel_handle listener, sock;
    oriel_time deadline;        /* of connecting, of silence, of closing; ORIEL_NEVER */
    oriel_time quit_at;         /* -q after the end of input; ORIEL_NEVER */
    struct loop_source in, out; /* fd -1: a file, or not looked at */
    bool in_open, in_file, in_waits, out_file, out_waits, peer_done;
    int error;                  /* enum oriel_err that ended it; 0 */
    int sys_error;              /* errno of standard input or output */
    uint64_t bytes_in, bytes_out;
    unsigned accepted;          /* who came, with -l */
};

/* 0, or an enum oriel_err: the socket cannot be made. */
int nc_start(struct nc *c);

void nc_step(void *ctx, oriel_time now);
oriel_time nc_deadline(const void *ctx);
bool nc_busy(const void *ctx);

/* Sockets are closed, descriptors left alone. */
void nc_stop(struct nc *c);

#endif
