/*
 * Inside of a script that plays.
 *
 *   script_run.c     time, events, the verdict   script_flow.c   whose packet, which numbers
 *   script_packet.c  packets that arrive, made   script_seen.c   packets, read and written down
 *   script_match.c   packets that leave          script_sys.c    calls, made
 *   script_judge.c   what came of them           script_args.c   values of lines
 *   script_show.c    failures, ladder
 *
 * Numbers of the script are relative where the stack chooses: its sequence numbers begin at what
 * the script writes in its SYN, its timestamps at the script's first one. What the script sends is
 * as it stands, so the numbers of the other side need no mapping.
 */
#ifndef ORIEL_LAB_SCRIPT_RUN_H
#define ORIEL_LAB_SCRIPT_RUN_H

#include "lab/posix.h"
#include "lab/script.h"
#include "wire/tcp.h"

#define SR_START       (1000 * NS_PER_S)        /* the stack's clock at the script's 0 */
#define SR_FLOWS_MAX   64
#define SR_STAMPS_MAX  64                       /* timestamps of the stack that are remembered */
#define SR_RECORDS_MAX 65536
#define SR_REASONS_MAX 256
#define SR_PACKET_MAX  66000
#define SR_FDS_MAX     1024
#define SR_PIPES_MAX   16
#define SR_STEPS_MAX   20000000u
#define SR_TEXT_MAX    3000                     /* of a failure */
#define SR_PATIENCE    (86400 * NS_PER_S)       /* for a packet at any time */

/* ---- packets as they are on the wire: script_seen.c ---- */

struct sr_seen {
    bool v6;
    bool whole;                 /* false: a fragment, or nothing that is understood here */
    bool bad_csum;
    enum script_proto proto;
    uint8_t tos, ttl, ip_proto;
    uint32_t flow;
    struct oriel_endpoint src, dst;
    struct span payload;        /* of TCP, UDP */
    struct tcp_hdr tcp;
    uint8_t type, code;         /* ICMP */
    uint32_t mtu;
    bool quotes;                /* an error about a packet: */
    enum script_proto quoted;
    struct oriel_endpoint quoted_src, quoted_dst;
    uint32_t quoted_seq, quoted_len;
};

/* False: not IP, or cut short. */
bool sr_see(struct span packet, struct sr_seen *out);

/* ---- flows ---- */

struct sr_flow {
    enum script_proto proto;    /* TCP, UDP, UDP-Lite */
    struct oriel_endpoint local, remote;
    bool has_iss, again;        /* again: a new connection may begin with other numbers */
    uint32_t iss, iss_script;   /* of the stack: live, and as the script has it */
    bool has_irs;
    uint32_t irs;               /* of the script */
    uint32_t irs_next;          /* of its last SYN: they hold once the stack has answered it */
    bool has_ts;
    uint32_t ts, ts_script;     /* the first timestamp of the stack */
    uint32_t stamps;            /* how many there were */
    uint32_t stamp[SR_STAMPS_MAX], stamp_script[SR_STAMPS_MAX];
    bool has_sent;
    uint32_t sent_seq, sent_len;        /* the last packet of the stack, for ICMP that quotes it */
};

enum sr_kind {
    SR_IN,
    SR_OUT,
    SR_CALL,                    /* and other lines: text only */
};

struct sr_record {
    enum sr_kind kind;
    oriel_time time;            /* since the script began */
    uint32_t line;
    enum why why;
    enum drop drop;
    bool matched;               /* SR_OUT: a line expected it */
    bool aside;                 /* SR_OUT: not the script's business (membership, neighbours) */
    struct span bytes;
    struct span text;           /* SR_CALL */
    struct sr_flow *flow;       /* NULL: of none */
};

/* ---- files, as far as their bytes are watched ---- */

#define SR_FILES_MAX 128

struct sr_file {
    int fd;                     /* PX_NEVER_FD: the place is free */
    uint64_t written, read;     /* bytes of the stream so far */
    bool loose;                 /* not looked at: urgent or spliced bytes are among them */
};

/* ---- a call that is being made: script_sys.c ---- */

struct sr_call {
    const struct script_event *event;   /* NULL: none */
    const struct script_call *call;
    struct px_call px;
    struct px_io io;
    oriel_time end;             /* when it must return; ORIEL_NEVER: at once */
    int fd;                     /* of a new file */
    int32_t value;              /* of ioctl */
    struct oriel_endpoint peer;
    uint32_t len;               /* of an option: room, and what was given */
    uint8_t option[PX_TCP_INFO_BYTES];
    struct px_pollfd *polls;
    struct px_epoll_event *epolls;
    uint16_t n;
};

struct script_run {
    const struct script *s;
    struct script_options opt;
    struct script_setup setup;
    struct arena *arena;
    struct oriel_stack *stack;
    struct px px;
    bool v6;                    /* on the wire */
    oriel_time now;             /* since the script began */
    oriel_time base;            /* of relative times: when the last event was */
    uint32_t steps;
    struct sr_flow flows[SR_FLOWS_MAX];
    uint16_t flows_n;
    struct sr_flow *current;
    bool fresh;                 /* a listener or a bound socket is newer than the current flow */
    struct sr_file files[SR_FILES_MAX];
    uint16_t bound_port;
    uint16_t next_port;         /* of the script's side */
    int fd;                     /* the stream that was made last */
    bool literal;               /* bytes other than the pattern were written */
    bool urgent;                /* the script sent urgent data: streams may lack a byte */
    uint8_t cookie[TCP_COOKIE_MAX];
    uint8_t cookie_n;
    struct sr_record **records;
    uint32_t records_n;
    uint32_t unmatched;         /* the first record that may still be expected */
    bool full;                  /* of records or of memory */
    struct sr_call blocked;
    uint16_t reasons_n;
    struct {
        enum why why;
        enum drop drop;
    } reasons[SR_REASONS_MAX];
    uint8_t *packet;            /* SR_PACKET_MAX bytes */
    bool failed;
    uint32_t failed_line;
    struct span failed_text;    /* the line itself */
    char failure[SR_TEXT_MAX];
    char later[1];              /* where the text of a second failure goes */
};

/* ---- script_run.c ---- */

/* The verdict: what goes on txt_of(failure) is what was wrong about that event. Always false. */
bool sr_fail(struct script_run *r, const struct script_event *v, const char *text);
struct txt sr_failure(struct script_run *r, const struct script_event *v);

/* Let the stack finish what it does now; packets that leave are recorded. */
void sr_settle(struct script_run *r);

/* Until that time; a call that blocks goes on meanwhile. False: the script has failed. */
bool sr_run_to(struct script_run *r, oriel_time until);

/* To the next moment at which something happens, at most until then. False: there is none, and it
 * is `until` now. */
bool sr_step(struct script_run *r, oriel_time until);

void sr_reason(struct script_run *r, enum why why, enum drop drop);
struct sr_record *sr_record(struct script_run *r, enum sr_kind kind, struct span bytes);

/* ---- script_flow.c ---- */

struct sr_flow *sr_flow_at(struct script_run *r, enum script_proto proto,
                           const struct oriel_endpoint *local, const struct oriel_endpoint *remote);
struct sr_flow *sr_flow_new(struct script_run *r, enum script_proto proto,
                            const struct oriel_endpoint *local,
                            const struct oriel_endpoint *remote);

/* The flow of a line; made if need be, and current from now on. NULL: too many. */
struct sr_flow *sr_flow_in(struct script_run *r, const struct script_packet *k);
/* ... that a line about a packet that leaves names; NULL: it names none. */
struct sr_flow *sr_flow_named(struct script_run *r, const struct script_packet *k);

uint32_t sr_live_seq(const struct sr_flow *f, uint32_t script);         /* of the stack's numbers */
uint32_t sr_script_seq(const struct sr_flow *f, uint32_t live);
uint32_t sr_live_stamp(const struct sr_flow *f, uint32_t script);
uint32_t sr_script_stamp(const struct sr_flow *f, uint32_t live);
void sr_note_stamp(struct sr_flow *f, uint32_t script, uint32_t live);

/* Byte n of every stream and datagram. */
uint8_t sr_pattern(uint64_t n);
void sr_fill(uint8_t *at, size_t n, uint64_t from);
bool sr_is_pattern(struct span s, uint64_t from);

/* ---- script_packet.c ---- */

/* The bytes of a line's packet. Empty after a failure. */
struct span sr_make(struct script_run *r, const struct script_event *v, struct sr_flow *f);

/* ---- script_match.c ---- */

/* Is it what the line expects? False: what differs stands in *t. Numbers are learned on the way. */
bool sr_match(struct script_run *r, const struct script_packet *k, struct sr_record *rec,
              struct txt *t);

/* ---- script_seen.c ---- */

/* A packet as a line of a script has it: "S. 0:0(0) ack 1 win 65535 <mss 1460>". */
void sr_print(struct txt *t, const struct script_run *r, const struct sr_record *rec);
void sr_print_opts(struct txt *t, const struct sr_flow *f, struct span opts, bool in);

/* ---- script_sys.c ---- */

/* Begin a call. False: the script has failed. */
bool sr_sys(struct script_run *r, const struct script_event *v);

/* A call that blocks is tried again. */
void sr_sys_again(struct script_run *r);

/* Wait until the call that blocks has returned. */
bool sr_sys_await(struct script_run *r);

struct sr_file *sr_file(struct script_run *r, int fd);         /* NULL: not watched */

/* What assertions are about: false: there is no stream. */
bool sr_tcp_info(struct script_run *r, uint8_t info[PX_TCP_INFO_BYTES]);

/* ---- script_judge.c ---- */

/* What came of a call, beside what its line says. False: the script has failed. */
bool sr_judge(struct script_run *r, struct sr_call *c, int64_t got);

/* "read(4, ..., 1000) = -1 EAGAIN" */
void sr_print_call(struct txt *t, const struct script_event *v, int64_t got);
void sr_print_result(struct txt *t, int64_t got);

/* ---- script_args.c: values of a line -> arguments; false: the script has failed ---- */

bool sr_endpoint(struct script_run *r, const struct script_event *v, const struct script_value *x,
                 bool local, struct oriel_endpoint *out);
const struct script_value *sr_field(const struct script_value *x, const char *name);
bool sr_buffers(struct script_run *r, const struct script_event *v, struct sr_call *c);
bool sr_option_bytes(struct script_run *r, const struct script_event *v,
                     const struct script_value *x, uint8_t out[PX_TCP_INFO_BYTES], uint32_t *len);

#endif
