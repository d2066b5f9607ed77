/*
 * TCP applications over the public surface: a client, and a listener with what it does on the
 * connections that it accepts. Both follow a plan: what is said, how fast, what is read, and how it
 * ends. As in app.h they are driven by calls and read no clock.
 *
 * What is sent is a text, then bytes of a pattern that depends only on their number, so that the
 * other end can check every one of them. What goes and comes is counted and hashed.
 */
#ifndef ORIEL_LAB_APP_TCP_H
#define ORIEL_LAB_APP_TCP_H

#include "lab/app.h"

#define TCP_TALKS_MAX    64         /* connections that one listener serves; others are closed */
#define TCP_SETTINGS_MAX 16         /* socket options of one plan */
#define TCP_TEXT_KEPT    512        /* bytes of what was heard that are kept */

enum tcp_then {
    TCP_THEN_STAY,                  /* until the peer closes */
    TCP_THEN_SHUTDOWN,              /* a FIN; what the peer still says is heard */
    TCP_THEN_CLOSE,
    TCP_THEN_ABORT,
};

struct tcp_setting {
    uint8_t opt;                    /* enum oriel_opt */
    int64_t value;
};

struct tcp_plan {
    struct span text;               /* said first */
    uint64_t size;                  /* then so many bytes of the pattern; UINT64_MAX: without end */
    uint32_t write;                 /* bytes a call at most; 0: as much as there is room for */
    oriel_time every;               /* between two calls; 0: at once */
    uint32_t read;                  /* bytes a call at most; 0: all */
    oriel_time read_every;
    bool echo;                      /* returns what comes */
    bool unread;                    /* takes nothing until it is told to */
    bool late;                      /* speaks only when the peer has closed */
    bool urgent;                    /* the last byte of the text is */
    bool more;                      /* says of all but the last bytes that more follows */
    bool stay;                      /* does not close when the peer has */
    uint8_t then;                   /* enum tcp_then, when all was sent ... */
    oriel_time then_after;          /* ... and that long after */
    oriel_time pause;               /* between the peer's end and closing */
    uint8_t settings_n;
    struct tcp_setting settings[TCP_SETTINGS_MAX];
};

/* One connection. */
struct tcp_talk {
    struct app_host host;
    struct tcp_plan plan;
    oriel_handle sock;              /* 0: closed by us, or never opened */
    struct oriel_endpoint local, remote;
    bool passive;                   /* it was accepted */
    bool connected;
    bool eof;                       /* the peer closed, and all it said was read */
    bool over;                      /* said so */
    bool gone;                      /* closed by both sides, as far as anybody asked */
    bool told_end;                  /* FIN or close was asked for */
    int error;                      /* the first that ended it or was told, 0: none */
    size_t text_at;                 /* of the plan's text, said so far */
    uint64_t pattern_out;           /* bytes of the pattern sent */
    uint64_t sent, received;        /* bytes that the stack took, that were read */
    uint64_t read_until;            /* of received: reading pauses there */
    uint64_t hash_out, hash_in;
    uint64_t urgent_seen;           /* urgent bytes that were told of */
    bool intact;                    /* what was read is the pattern */
    oriel_time started, connected_at, first_in, last_in, last_out, ended_at;
    oriel_time next_write, next_read, then_at;  /* ORIEL_NEVER: not now */
    oriel_time mark_at;             /* rates count from here ... */
    uint64_t mark_received;         /* ... and from this many bytes */
    uint32_t text_n;
    uint8_t text[TCP_TEXT_KEPT];    /* what came first */
};

/* ---- a client ---- */

struct tcp_connect_params {
    struct oriel_endpoint to;
    struct oriel_addr from;         /* ADDR_NONE: chosen */
    uint16_t from_port;             /* 0: chosen */
    int netif;
    struct tcp_plan plan;
};

void tcp_client_start(struct tcp_talk *t, const struct app_host *host,
                      const struct tcp_connect_params *p, oriel_time now);

/* ---- a listener ---- */

struct tcp_listen_params {
    struct oriel_endpoint local;
    uint32_t backlog;
    uint16_t port_last;             /* a range of ports */
    bool any_addr;
    bool unaccepted;                /* accepts nothing: connections wait */
    bool reuse;
    int netif;
    struct tcp_plan plan;           /* of each connection */
};

struct tcp_server {
    struct app_host host;
    struct tcp_listen_params p;
    oriel_handle sock;
    int failed;
    uint32_t accepted;
    uint32_t turned_away;           /* accepted and closed at once: too many */
    uint32_t n;                     /* talks in use */
    struct tcp_talk talk[TCP_TALKS_MAX];
};

/* 0, or an error: then nothing is open. */
int tcp_server_start(struct tcp_server *v, const struct app_host *host,
                     const struct tcp_listen_params *p);
void tcp_server_step(struct tcp_server *v, oriel_time now);
oriel_time tcp_server_deadline(const struct tcp_server *v);
/* The listener closes; its connections go on. */
void tcp_server_stop(struct tcp_server *v);

/* ---- one connection ---- */

void tcp_talk_step(struct tcp_talk *t, oriel_time now);
oriel_time tcp_talk_deadline(const struct tcp_talk *t);

/* It wants something: to be connected, to send, to have acknowledged what was sent. */
bool tcp_talk_busy(const struct tcp_talk *t);

/* What it is told while it runs: 0 or an error of the surface. */
int tcp_talk_say(struct tcp_talk *t, struct span text, bool urgent);    /* the text must last */
void tcp_talk_send(struct tcp_talk *t, uint64_t size);
void tcp_talk_read(struct tcp_talk *t, uint64_t size);          /* 0: all from now on */
void tcp_talk_pause_reading(struct tcp_talk *t);
int tcp_talk_end(struct tcp_talk *t, enum tcp_then how, oriel_time now);
int tcp_talk_set(struct tcp_talk *t, const struct tcp_setting *s);
void tcp_talk_mark(struct tcp_talk *t, oriel_time now);

/* Bits a second that came between the mark (or the connection's beginning) and the last of them. */
uint64_t tcp_talk_rate(const struct tcp_talk *t);

/* The n-th byte of the pattern. */
uint8_t tcp_pattern(uint64_t n);

/* A hash of a stream: begin with TCP_HASH_SEED. */
#define TCP_HASH_SEED 0xcbf29ce484222325u
uint64_t tcp_hash(uint64_t h, struct span more);

#endif
