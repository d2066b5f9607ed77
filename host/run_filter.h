/*
 * Which system calls of a program are stopped, whatever answers them: a seccomp filter, and what its calls
 * mean.
 *
 * Only what the program's own descriptors cannot do by themselves is stopped: sockets made and named,
 * options, datagrams with an address, messages. Which descriptor a call is about the filter cannot see, so
 * calls about other sockets are stopped as well and are given back to the kernel; that is no hole, since
 * no Internet socket can be made past the filter.
 */
#ifndef ORIEL_HOST_RUN_FILTER_H
#define ORIEL_HOST_RUN_FILTER_H

#include "host/run.h"

#include <linux/audit.h>

#if defined(__x86_64__)
#define RUN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define RUN_ARCH AUDIT_ARCH_AARCH64
#else
#error "oriel run knows the system calls of x86-64 and AArch64"
#endif

/*
 * Puts the filter on this process and what it starts: stopped calls get `action`, a SECCOMP_RET_*; io_uring
 * is answered ENOSYS. A call whose sixth argument is `key` passes; 0: none does. `flags` are those of
 * seccomp(2); what that returns, or a negative errno.
 */
int run_filter_set(uint32_t action, uint64_t key, unsigned flags);

/* What a system call asks; false: it is none that is stopped. */
bool run_call_of(int nr, enum run_call *call);

#endif
