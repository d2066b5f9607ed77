/*
 * Inside the shim that `oriel run --mode=preload` puts into each program (LD_PRELOAD).
 *
 *   shim.c        its start, the handler of SIGSYS, and what keeps that signal ours
 *   shim_call.c   a stopped call: what goes along, what comes back
 *   shim_exec.c   what a program starts gets the shim as well, whatever environment it is given
 *
 * It runs in signal handlers, between vfork and exec, and in threads with small stacks: no heap, no errno, no
 * call of the C library on the way of a stopped call, a few kilobytes of stack.
 */
#ifndef ORIEL_HOST_PRELOAD_SHIM_H
#define ORIEL_HOST_PRELOAD_SHIM_H

#include "host/preload/wire.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#define EXPORTED __attribute__((visibility("default")))

struct shim {
    uint64_t key;                   /* 0: Oriel is not there */
    struct sockaddr_un name;        /* of the answerer */
    socklen_t name_len;
};

extern struct shim shim;

/* A system call: its result, or a negative errno. */
#if defined(__x86_64__)
static inline long raw(long nr, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long out;
    __asm__ volatile("syscall" : "=a"(out) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return out;
}
#else
static inline long raw(long nr, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
#endif

/* The same, past the filter; for calls of at most five arguments. */
static inline long keyed(long nr, long a, long b, long c, long d, long e)
{
    return raw(nr, a, b, c, d, e, (long)shim.key);
}

static inline long to_long(const void *p)
{
    return (long)(intptr_t)p;
}

/* ---- shim_call.c ---- */

/* Is it one that the filter stops? */
bool shim_knows(long nr);

/* What a stopped call comes to: its result, or a negative errno. */
long shim_call(long nr, const unsigned long a[6]);

/* Tells the answerer what is about to be executed; `fd` is open, `name` is for people. */
void shim_tell_exec(int fd, const char *name, size_t n);

/* ---- shim_exec.c ---- */

/* At the start: what every program's environment is to have. */
void shim_exec_start(const char *digits);

#endif
