/* The filter of run_filter.h. */
#define _GNU_SOURCE
#include "host/run_filter.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH_32     AUDIT_ARCH_I386
#define NR32_SOCKETCALL 102
#define NR32_SOCKET 359
#else
#define ARCH_32     AUDIT_ARCH_ARM
#define NR32_SOCKETCALL 102
#define NR32_SOCKET 281
#endif
#define NR_X32      0x40000000u
#define NR_IO_URING_SETUP 425
#define SIOCOUTQ_CMD 0x5411
#define KEY_ARG     5

static const struct {
    int nr;
    enum run_call call;
} calls[] = {
    {__NR_socket, RUN_SOCKET},           {__NR_bind, RUN_BIND},
    {__NR_connect, RUN_CONNECT},         {__NR_listen, RUN_LISTEN},
    {__NR_accept, RUN_ACCEPT},           {__NR_accept4, RUN_ACCEPT},
    {__NR_getsockname, RUN_GETSOCKNAME}, {__NR_getpeername, RUN_GETPEERNAME},
    {__NR_setsockopt, RUN_SETSOCKOPT},   {__NR_getsockopt, RUN_GETSOCKOPT},
    {__NR_sendto, RUN_SENDTO},           {__NR_recvfrom, RUN_RECVFROM},
    {__NR_sendmsg, RUN_SENDMSG},         {__NR_recvmsg, RUN_RECVMSG},
    {__NR_sendmmsg, RUN_SENDMMSG},       {__NR_recvmmsg, RUN_RECVMMSG},
    {__NR_ioctl, RUN_IOCTL},
};

bool run_call_of(int nr, enum run_call *call)
{
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        if (calls[i].nr == nr) {
            *call = calls[i].call;
            return true;
        }
    return false;
}

#define FILTER_MAX 128

struct filter {
    struct sock_filter code[FILTER_MAX];
    unsigned short n;
    uint32_t stop;                  /* the answer to a call that is stopped */
};

static void put(struct filter *f, struct sock_filter what)
{
    ORIEL_ASSERT(f->n < FILTER_MAX);
    f->code[f->n++] = what;
}

#define LOAD(field) (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(field))
#define ARG_LOW(i)  (offsetof(struct seccomp_data, args) + 8u * (i))
#define EQUAL(k, yes, no) (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(k), yes, no)
#define ANSWER(what) (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, (uint32_t)(what))

/* 32-bit calls: theirs have other numbers; the answerer refuses them. Others are none of this machine's. */
static void filter_arch(struct filter *f)
{
    put(f, LOAD(offsetof(struct seccomp_data, arch)));
    put(f, EQUAL(RUN_ARCH, 8, 0));
    put(f, EQUAL(ARCH_32, 1, 0));
    put(f, ANSWER(SECCOMP_RET_KILL_PROCESS));
    put(f, LOAD(offsetof(struct seccomp_data, nr)));
    put(f, EQUAL(NR32_SOCKETCALL, 2, 0));
    put(f, EQUAL(NR32_SOCKET, 1, 0));
    put(f, EQUAL(NR_IO_URING_SETUP, 0, 1));
    put(f, ANSWER(f->stop));
    put(f, ANSWER(SECCOMP_RET_ALLOW));
}

static void filter_key(struct filter *f, uint64_t key)
{
    put(f, LOAD(ARG_LOW(KEY_ARG)));
    put(f, EQUAL(key & UINT32_MAX, 0, 3));
    put(f, LOAD(ARG_LOW(KEY_ARG) + 4));
    put(f, EQUAL(key >> 32, 0, 1));
    put(f, ANSWER(SECCOMP_RET_ALLOW));
}

/* Families that are the kernel's affair: no way to the Internet leads through them. */
static void filter_socket(struct filter *f)
{
    static const int native[] = {AF_UNIX, AF_NETLINK, AF_ALG, AF_VSOCK};
    put(f, EQUAL(__NR_socket, 0, 3 + ARRAY_LEN(native)));
    put(f, LOAD(ARG_LOW(0)));
    for (uint8_t i = 0; i < ARRAY_LEN(native); i++)
        put(f, EQUAL(native[i], (uint8_t)(ARRAY_LEN(native) - i), 0));
    put(f, ANSWER(f->stop));
    put(f, ANSWER(SECCOMP_RET_ALLOW));
}

/* To be stopped only where a pointer is given: the address of a datagram, of an accepted peer. */
static void filter_pointer(struct filter *f, int nr, unsigned arg)
{
    put(f, EQUAL(nr, 0, 6));
    put(f, LOAD(ARG_LOW(arg)));
    put(f, EQUAL(0, 0, 3));
    put(f, LOAD(ARG_LOW(arg) + 4));
    put(f, EQUAL(0, 0, 1));
    put(f, ANSWER(SECCOMP_RET_ALLOW));
    put(f, ANSWER(f->stop));
}

static void filter_make(struct filter *f, uint64_t key)
{
    static const int plain[] = {
        __NR_bind, __NR_connect, __NR_listen, __NR_getsockname, __NR_getpeername, __NR_setsockopt,
        __NR_getsockopt, __NR_sendmsg, __NR_recvmsg, __NR_sendmmsg, __NR_recvmmsg,
    };
    filter_arch(f);
    if (key)
        filter_key(f, key);
    put(f, LOAD(offsetof(struct seccomp_data, nr)));
    put(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, NR_X32, 0, 1));
    put(f, ANSWER(SECCOMP_RET_ERRNO | ENOSYS));
    put(f, EQUAL(NR_IO_URING_SETUP, 0, 1));
    put(f, ANSWER(SECCOMP_RET_ERRNO | ENOSYS));
    filter_socket(f);
    for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
        put(f, EQUAL(plain[i], 0, 1));
        put(f, ANSWER(f->stop));
    }
    filter_pointer(f, __NR_accept, 1);
    filter_pointer(f, __NR_accept4, 1);
    filter_pointer(f, __NR_sendto, 4);
    filter_pointer(f, __NR_recvfrom, 4);
    put(f, EQUAL(__NR_ioctl, 0, 3));
    put(f, LOAD(ARG_LOW(1)));
    put(f, EQUAL(SIOCOUTQ_CMD, 0, 1));
    put(f, ANSWER(f->stop));
    put(f, ANSWER(SECCOMP_RET_ALLOW));
}

int run_filter_set(uint32_t action, uint64_t key, unsigned flags)
{
    struct filter f = {.stop = action};
    filter_make(&f, key);
    struct sock_fprog prog = {.len = f.n, .filter = f.code};
    long got = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
    return got < 0 ? -errno : (int)got;
}
