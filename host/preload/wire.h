/*
 * Between a program's process and Oriel, in `oriel run --mode=preload`: what the shim (shim.c) and the
 * answerer (host/run_preload.c) say to each other.
 *
 * A seccomp filter stops the program's socket calls with a signal, SIGSYS, and the shim's handler asks for
 * them. Nothing is kept in the program between calls: fork, exec, threads and closing all descriptors do
 * no harm. For each call there is a line, a pair of SEQPACKET sockets, and one datagram to an abstract name:
 *
 *     shim       datagram: struct preload_ask, then the bytes of its pieces; with it (SCM_RIGHTS) the far end
 *                of the line, then the descriptor that the call is about, if there is one
 *     answerer   on the line: any number of PRELOAD_REPLACE, then one of the others; and closes it; without
 *                an answer it has no room: ENFILE
 *     shim       shuts down its side of the line: a signal has come; the answerer closes without an answer,
 *                unless it has given one
 *
 * Nobody reaches into the other's memory: a call's arguments go along as pieces, each with the address that
 * it has in the program, and what is to be written comes back in the same way. The bytes are gathered and
 * scattered by the kernel's own sendmsg and recvmsg, so a wrong address is EFAULT and no crash.
 */
#ifndef ORIEL_HOST_PRELOAD_WIRE_H
#define ORIEL_HOST_PRELOAD_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define PRELOAD_SHIM "liboriel-preload.so"

/* In the environment: 16 hexadecimal digits. They name the answerer and are the key of the filter, which a
 * call bears as its sixth argument to pass. */
#define PRELOAD_ENV  "ORIEL_PRELOAD"
#define PRELOAD_KEY_DIGITS 16
#define PRELOAD_NAME "oriel-preload-"       /* + the digits: the abstract name */

#define PRELOAD_MAGIC 0x6f72696c
#define PRELOAD_PIECES 6
#define PRELOAD_DATA_MAX 65536      /* of a datagram that goes along: longer ones can only be EMSGSIZE */
#define PRELOAD_SMALL_MAX 1024      /* of an option's value, ancillary data */
#define PRELOAD_ASK_MAX (sizeof(struct preload_ask) + PRELOAD_DATA_MAX + 4 * PRELOAD_SMALL_MAX)

/* Addresses that are none of the program's: of a message header that the shim made, its bytes one piece. */
#define PRELOAD_AT_MESSAGE (UINT64_C(1) << 62)
#define PRELOAD_AT_VECTOR  (PRELOAD_AT_MESSAGE + 4096)
#define PRELOAD_AT_DATA    (PRELOAD_AT_MESSAGE + 8192)

struct preload_piece {
    uint64_t at;
    uint64_t n;
};

struct preload_ask {
    uint32_t magic;
    int32_t nr;                     /* the system call; PRELOAD_NR_EXEC */
    uint64_t arg[6];
    uint64_t pieces_n;
    struct preload_piece piece[PRELOAD_PIECES];
};

/* No system call: a program is about to be executed, the descriptor is its file, the piece its name. */
#define PRELOAD_NR_EXEC (-1)

enum preload_kind {
    PRELOAD_ANSWER,                 /* result, and pieces to be written */
    PRELOAD_NATIVE,                 /* the call is not about a socket of ours: make it */
    PRELOAD_INSTALL,                /* pieces; the result is the descriptor that comes with it */
    PRELOAD_REPLACE,                /* the descriptor that comes with it takes the asked one's number */
};

struct preload_reply {
    uint32_t kind;
    uint32_t cloexec;
    int64_t result;
    uint64_t pieces_n;
    struct preload_piece piece[PRELOAD_PIECES];
};

#endif
