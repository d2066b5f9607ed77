/*
 * Asking by seccomp's user notification: the kernel stops a system call of the program and tells us; we
 * answer with a result, with a descriptor put into the program, or let the kernel do it.
 *
 * A signal may end a call while we answer it. What has an effect was done then; a restarted call has the
 * same caller and arguments, and is given the answer that the first one missed.
 */
#define _GNU_SOURCE
#include "host/run_filter.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define MISSED_MAX 64               /* answers kept for calls that begin again; a power of two */
#define ROUND      16               /* requests taken at one readiness */

/* Linux 5.14 can answer with a descriptor: nothing is missing then but a call to be answered. */
static bool gives_descriptors(int listener)
{
    struct seccomp_notif_addfd nobody = {.flags = SECCOMP_ADDFD_FLAG_SEND, .srcfd = (uint32_t)listener};
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &nobody) < 0 && errno == ENOENT;
}

static int enter(const void *ctx)
{
    (void)ctx;
    int fd = run_filter_set(SECCOMP_RET_USER_NOTIF, 0, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    if (fd >= 0 && !gives_descriptors(fd)) {
        close(fd);
        return -ENOSYS;
    }
    return fd;
}

static void explain(const void *ctx, int err, char error[DRV_ERROR_MAX])
{
    const char *what = err == -EBUSY
        ? "something else already answers this process's system calls (another `oriel run`, a container's "
          "supervisor): start it outside of that, or with --mode=preload"
        : "this kernel has no seccomp user notification (Linux 5.14 or later has); --mode=preload needs none";
    (void)ctx;
    (void)snprintf(error, DRV_ERROR_MAX, "cannot be served: %s (%s)", what, strerror(-err));
}

const struct run_way notify_way = {.enter = enter, .explain = explain};

/* ---- requests ---- */

struct ask {
    struct run_request r;           /* first: a request is its ask */
    struct notify *y;
    uint64_t id;                    /* the kernel's */
    int nr;
    struct ask *next;               /* in y->asks */
    bool answering;                 /* run_handle is at work on it */
    bool over;                      /* answered while it was */
};

struct missed {
    pid_t tid;                      /* 0: none */
    int nr;
    uint64_t arg[6];
    int64_t result;
};

struct notify {
    struct run *run;
    struct loop *loop;
    struct loop_source source;
    struct seccomp_notif_sizes sizes;
    struct seccomp_notif *in;
    struct seccomp_notif_resp *out;
    struct ask *asks;               /* under way */
    struct missed missed[MISSED_MAX];
    void (*say)(void *ctx, const char *sentence);
    void *ctx;
    bool told_32, told_hidden;
};

static struct ask *ask_of(struct run_request *r)
{
    return (struct ask *)r;
}

static void ask_end(struct ask *a)
{
    if (a->answering) {
        a->over = true;
        return;
    }
    for (struct ask **at = &a->y->asks; *at; at = &(*at)->next)
        if (*at == a) {
            *at = a->next;
            break;
        }
    if (a->r.dup >= 0)
        close(a->r.dup);
    free(a);
}

static bool respond(struct notify *y, uint64_t id, int64_t result, uint32_t flags)
{
    memset(y->out, 0, y->sizes.seccomp_notif_resp);
    y->out->id = id;
    y->out->flags = flags;
    y->out->error = result < 0 ? (int32_t)result : 0;
    y->out->val = result < 0 ? 0 : result;
    return ioctl(y->source.fd, SECCOMP_IOCTL_NOTIF_SEND, y->out) == 0;
}

static struct missed *missed_of(struct notify *y, pid_t tid)
{
    return &y->missed[(unsigned)tid & (MISSED_MAX - 1)];
}

static void ask_answer(struct run_request *r, int64_t result)
{
    struct ask *a = ask_of(r);
    if (!respond(a->y, a->id, result, 0)) {
        struct missed *m = missed_of(a->y, r->tid);
        *m = (struct missed){.tid = r->tid, .nr = a->nr, .result = result};
        memcpy(m->arg, r->arg, sizeof(m->arg));
    }
    ask_end(a);
}

static void ask_native(struct run_request *r)
{
    struct ask *a = ask_of(r);
    (void)respond(a->y, a->id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
    ask_end(a);
}

static int ask_install(struct run_request *r, int fd, bool cloexec)
{
    struct ask *a = ask_of(r);
    struct seccomp_notif_addfd add = {.id = a->id, .flags = SECCOMP_ADDFD_FLAG_SEND, .srcfd = (uint32_t)fd,
                                      .newfd_flags = cloexec ? O_CLOEXEC : 0};
    int got = ioctl(a->y->source.fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
    int err = errno;
    if (got < 0 && err != ENOENT && err != EINPROGRESS)
        (void)respond(a->y, a->id, -err, 0);        /* EMFILE, say: the program's own trouble */
    ask_end(a);
    return got < 0 ? -err : got;
}

static int ask_replace(struct run_request *r, int fd)
{
    struct ask *a = ask_of(r);
    int flags = fcntl(fd, F_GETFD);
    struct seccomp_notif_addfd add = {.id = a->id, .flags = SECCOMP_ADDFD_FLAG_SETFD, .srcfd = (uint32_t)fd,
                                      .newfd = (uint32_t)r->fd,
                                      .newfd_flags = flags & FD_CLOEXEC ? O_CLOEXEC : 0};
    return ioctl(a->y->source.fd, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? -errno : 0;
}

static bool ask_read(struct run_request *r, uint64_t from, void *to, size_t n)
{
    struct iovec here = {.iov_base = to, .iov_len = n}, there = {.iov_base = (void *)from, .iov_len = n};
    return n == 0 || process_vm_readv(r->tid, &here, 1, &there, 1, 0) == (ssize_t)n;
}

static bool ask_write(struct run_request *r, uint64_t to, const void *from, size_t n)
{
    struct iovec here = {.iov_base = (void *)from, .iov_len = n};
    struct iovec there = {.iov_base = (void *)to, .iov_len = n};
    return n == 0 || process_vm_writev(r->tid, &here, 1, &there, 1, 0) == (ssize_t)n;
}

static const struct run_asker asker = {
    .read = ask_read, .write = ask_write, .answer = ask_answer, .native = ask_native,
    .install = ask_install, .replace = ask_replace,
};

static void tell_once(struct notify *y, bool *told, const char *sentence)
{
    if (!*told && y->say)
        y->say(y->ctx, sentence);
    *told = true;
}

/* A thread is in one call at a time: what it asked before has been given up. */
static void forget_earlier(struct notify *y, pid_t tid)
{
    for (struct ask *a = y->asks, *next; a; a = next) {
        next = a->next;
        if (a->r.tid != tid)
            continue;
        run_forget(y->run, &a->r);
        ask_end(a);
    }
}

/* An answer that this very call missed. */
static bool answer_again(struct notify *y, const struct seccomp_notif *in)
{
    struct missed *m = missed_of(y, (pid_t)in->pid);
    if (m->tid != (pid_t)in->pid)
        return false;
    bool same = m->nr == in->data.nr && memcmp(m->arg, in->data.args, sizeof(m->arg)) == 0;
    m->tid = 0;
    return same && respond(y, in->id, m->result, 0);
}

static struct ask *ask_new(struct notify *y, const struct seccomp_notif *in)
{
    struct ask *a = calloc(1, sizeof(*a));
    if (!a)
        return NULL;
    *a = (struct ask){.y = y, .id = in->id, .nr = in->data.nr, .next = y->asks};
    a->r = (struct run_request){.tid = (pid_t)in->pid, .fd = (int)in->data.args[0], .dup = -1,
                                .asker = &asker};
    memcpy(a->r.arg, in->data.args, sizeof(a->r.arg));
    (void)run_call_of(in->data.nr, &a->r.call);
    if (in->data.nr == __NR_accept)
        a->r.arg[3] = 0;
    y->asks = a;
    return a;
}

/* The duplicate; false: the request was answered. */
static bool reach(struct notify *y, struct ask *a)
{
    struct run_request *r = &a->r;
    bool makes = r->call == RUN_SOCKET;
    int got = run_reach(y->run, r->tid, makes ? -1 : r->fd);
    if (makes && got == -EPERM) {
        tell_once(y, &y->told_hidden, "the system lets nobody look into a process of the program (its file "
                  "may not be read, or it hides itself): its Internet sockets are refused. As root it works");
        ask_answer(r, -EACCES);
        return false;
    }
    if (!makes && got < 0) {
        ask_native(r);
        return false;
    }
    r->dup = makes ? -1 : got;
    return true;
}

static void take_one(struct notify *y)
{
    struct seccomp_notif *in = y->in;
    memset(in, 0, y->sizes.seccomp_notif);
    if (ioctl(y->source.fd, SECCOMP_IOCTL_NOTIF_RECV, in) != 0)
        return;                         /* the caller was interrupted meanwhile */
    forget_earlier(y, (pid_t)in->pid);
    if (in->data.arch != RUN_ARCH) {
        tell_once(y, &y->told_32, "a 32-bit program asks for sockets: only those of this machine's own word "
                  "size are served; they are refused");
        (void)respond(y, in->id, -ENOSYS, 0);
        return;
    }
    if (answer_again(y, in))
        return;
    struct ask *a = ask_new(y, in);
    if (!a) {
        (void)respond(y, in->id, -ENOMEM, 0);
        return;
    }
    if (!reach(y, a))
        return;
    a->answering = true;
    run_handle(y->run, &a->r);
    a->answering = false;
    if (a->over)
        ask_end(a);
}

static void on_ready(void *ctx, uint32_t events)
{
    struct notify *y = ctx;
    if (events & EPOLLHUP) {            /* nobody is left who could ask */
        loop_remove(y->loop, &y->source);
        return;
    }
    struct pollfd more = {.fd = y->source.fd, .events = POLLIN};
    for (unsigned i = 0; i < ROUND; i++) {
        take_one(y);
        if (poll(&more, 1, 0) != 1 || !(more.revents & POLLIN))
            return;
    }
}

unsigned notify_sweep(struct notify *y)
{
    unsigned waiting = 0;
    for (struct ask *a = y->asks, *next; a; a = next) {
        next = a->next;
        if (ioctl(y->source.fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &a->id) == 0) {
            waiting++;
            continue;
        }
        run_forget(y->run, &a->r);
        ask_end(a);
    }
    return waiting;
}

struct notify *notify_open(struct run *n, struct loop *loop, int listener,
                           void (*say)(void *ctx, const char *sentence), void *ctx, char error[DRV_ERROR_MAX])
{
    struct notify *y = calloc(1, sizeof(*y));
    if (!y || syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &y->sizes) != 0)
        goto failed;
    *y = (struct notify){.run = n, .loop = loop, .sizes = y->sizes, .say = say, .ctx = ctx};
    if (y->sizes.seccomp_notif < sizeof(*y->in))
        y->sizes.seccomp_notif = sizeof(*y->in);
    if (y->sizes.seccomp_notif_resp < sizeof(*y->out))
        y->sizes.seccomp_notif_resp = sizeof(*y->out);
    y->in = calloc(1, y->sizes.seccomp_notif);
    y->out = calloc(1, y->sizes.seccomp_notif_resp);
    y->source = (struct loop_source){.fd = listener, .events = EPOLLIN, .on_ready = on_ready, .ctx = y};
    if (y->in && y->out && loop_add(loop, &y->source) == 0)
        return y;
    free(y->in);
    free(y->out);
failed:
    free(y);
    (void)snprintf(error, DRV_ERROR_MAX, "cannot listen to the program's calls");
    return NULL;
}

void notify_close(struct notify *y)
{
    if (!y)
        return;
    while (y->asks) {
        run_forget(y->run, &y->asks->r);
        ask_end(y->asks);
    }
    loop_remove(y->loop, &y->source);
    close(y->source.fd);
    free(y->in);
    free(y->out);
    free(y);
}
