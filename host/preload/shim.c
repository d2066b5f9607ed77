/*
 * The shim's start and its signal.
 *
 * The filter answers a stopped call with SIGSYS; the handler makes the call's result and puts it where the
 * kernel would have. A signal that is blocked or ignored would end the program, so what programs do about
 * SIGSYS, and to all signals at once, goes past us: it stays unblocked and its handler ours.
 */
#define _GNU_SOURCE
#include "host/preload/shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define SIGNAL_WORD 8               /* bytes of a mask as the kernel has it */
#define CODE_SECCOMP 1              /* SYS_SECCOMP */
#define OF_THE_LIBRARY ((uint64_t)3 << 31)      /* signals 32 and 33, which glibc keeps for itself */
#define OURS           ((uint64_t)1 << (SIGSYS - 1))

struct shim shim;

/* Looked for in this file before a program is given it (run_preload.c). */
__attribute__((used)) static const char wire[] = ORIEL_PRELOAD_WIRE;

/* What the program would have SIGSYS do; another filter, of its own, may send it. */
static struct sigaction theirs;
static int (*next_sigaction)(int, const struct sigaction *, struct sigaction *);
static void (*(*next_signal)(int, void (*)(int)))(int);

/* ---- the handler ---- */

static void registers(const ucontext_t *u, unsigned long a[6])
{
#if defined(__x86_64__)
    static const int at[6] = {REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9};
    for (int i = 0; i < 6; i++)
        a[i] = (unsigned long)u->uc_mcontext.gregs[at[i]];
#else
    for (int i = 0; i < 6; i++)
        a[i] = (unsigned long)u->uc_mcontext.regs[i];
#endif
}

static void set_result(ucontext_t *u, long result)
{
#if defined(__x86_64__)
    u->uc_mcontext.gregs[REG_RAX] = result;
#else
    u->uc_mcontext.regs[0] = (unsigned long)result;
#endif
}

static void on_other(int sig, siginfo_t *info, void *context)
{
    if (theirs.sa_flags & SA_SIGINFO)
        theirs.sa_sigaction(sig, info, context);
    else if (theirs.sa_handler == SIG_DFL) {
        struct sigaction plain = {.sa_handler = SIG_DFL};
        (void)next_sigaction(SIGSYS, &plain, NULL);
        (void)raise(sig);
    } else if (theirs.sa_handler != SIG_IGN)
        theirs.sa_handler(sig);
}

static void on_stopped(int sig, siginfo_t *info, void *context)
{
    unsigned long a[6];
    ucontext_t *u = context;
    if (info->si_code != CODE_SECCOMP || !shim_knows(info->si_syscall)) {
        on_other(sig, info, context);
        return;
    }
    registers(u, a);
    set_result(u, shim_call(info->si_syscall, a));
}

/* ---- what programs do about signals ---- */

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static void find_next(void)
{
    void *p = next("sigaction"), *q = next("signal");
    memcpy(&next_sigaction, &p, sizeof(p));
    memcpy(&next_signal, &q, sizeof(q));
}

EXPORTED int sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
    if (!next_sigaction)
        find_next();
    if (sig == SIGSYS && shim.key) {
        if (old)
            *old = theirs;
        if (act)
            theirs = *act;
        return 0;
    }
    struct sigaction mine;
    if (act) {
        mine = *act;
        (void)sigdelset(&mine.sa_mask, SIGSYS);
    }
    return next_sigaction(sig, act ? &mine : NULL, old);
}

EXPORTED sighandler_t signal(int sig, sighandler_t handler)
{
    if (!next_signal)
        find_next();
    if (sig != SIGSYS || !shim.key)
        return next_signal(sig, handler);
    sighandler_t before = theirs.sa_handler;
    theirs = (struct sigaction){.sa_handler = handler};
    return before;
}

static int mask(int how, const sigset_t *set, sigset_t *old)
{
    uint64_t word, was;
    if (set) {
        memcpy(&word, set, SIGNAL_WORD);
        word &= ~(how == SIG_UNBLOCK ? OF_THE_LIBRARY : OF_THE_LIBRARY | OURS);
    }
    long err = raw(SYS_rt_sigprocmask, how, set ? to_long(&word) : 0, to_long(&was), SIGNAL_WORD, 0, 0);
    if (err == 0 && old) {
        memset(old, 0, sizeof(*old));
        memcpy(old, &was, SIGNAL_WORD);
    }
    return (int)-err;
}

EXPORTED int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    return mask(how, set, old);
}

EXPORTED int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    int err = mask(how, set, old);
    if (err)
        errno = err;
    return err ? -1 : 0;
}

/* ---- the start ---- */

static bool read_key(const char *digits)
{
    char *end;
    if (!digits || strlen(digits) != PRELOAD_KEY_DIGITS)
        return false;
    shim.key = strtoull(digits, &end, 16);
    return *end == '\0' && shim.key != 0;
}

/* Before all others (the linker's -z initfirst), libc's own start included: getenv knows nothing yet. */
__attribute__((constructor)) static void start(int argc, char **argv, char **envp)
{
    static const char sign[] = PRELOAD_ENV "=";
    const char *digits = NULL;
    (void)argc;
    (void)argv;
    for (; *envp; envp++)
        if (strncmp(*envp, sign, sizeof(sign) - 1) == 0)
            digits = *envp + sizeof(sign) - 1;
    find_next();
    if (!read_key(digits)) {
        shim.key = 0;
        return;
    }
    shim.name.sun_family = AF_UNIX;
    size_t n = sizeof(PRELOAD_NAME) - 1;
    memcpy(shim.name.sun_path + 1, PRELOAD_NAME, n);
    memcpy(shim.name.sun_path + 1 + n, digits, PRELOAD_KEY_DIGITS);
    shim.name_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n + PRELOAD_KEY_DIGITS);
    shim_exec_start(digits);
    struct sigaction ours = {.sa_sigaction = on_stopped, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART};
    uint64_t word = OURS;
    (void)next_sigaction(SIGSYS, &ours, NULL);
    (void)raw(SYS_rt_sigprocmask, SIG_UNBLOCK, to_long(&word), 0, SIGNAL_WORD, 0, 0);
}
