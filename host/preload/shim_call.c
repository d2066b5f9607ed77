/*
 * A stopped call. What it points to goes along as pieces; a message (sendmsg, recvmsg) is shown with a header
 * of our own, whose bytes are one piece wherever the program has them.
 *
 * accept is made here: the connection is in the kernel's own queue, and only its peer's name is asked for.
 */
#define _GNU_SOURCE
#include "host/preload/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define VECTOR_MAX 64               /* pieces of a message; more are refused, EMSGSIZE */
#define VECTOR_TOO_MANY 1025        /* as the answerer refuses */
#define NATIVE     1                /* of converse: the call is the kernel's; no result is that */
#define MARK_LEN   28               /* of the abstract name of a stream of Oriel's, with the NUL */

struct talk {
    struct preload_ask ask;
    struct preload_reply reply;
    int fd;                         /* goes along; -1: none */
    struct iovec v[1 + PRELOAD_PIECES + VECTOR_MAX];
    size_t v_n;
    struct msghdr shown;            /* of a message, as the answerer sees it */
    struct iovec shown_vector;
    const struct iovec *data;       /* where the program has its bytes */
    size_t data_n;
    long result;
};

struct control {
    _Alignas(struct cmsghdr) char bytes[CMSG_SPACE(2 * sizeof(int))];
};

/* ---- what goes along ---- */

static void begin(struct talk *t, long nr, const unsigned long a[6])
{
    t->ask.magic = PRELOAD_MAGIC;
    t->ask.nr = (int32_t)nr;
    for (int i = 0; i < 6; i++)
        t->ask.arg[i] = a[i];
    t->ask.pieces_n = 0;
    t->fd = nr == SYS_socket ? -1 : (int)a[0];
    t->v[0] = (struct iovec){&t->ask, sizeof(t->ask)};
    t->v_n = 1;
    t->data_n = 0;
    t->result = 0;
}

static void add(struct talk *t, uint64_t at, const void *from, size_t n)
{
    if (n == 0)
        return;
    t->ask.piece[t->ask.pieces_n++] = (struct preload_piece){.at = at, .n = n};
    t->v[t->v_n++] = (struct iovec){(void *)(uintptr_t)from, n};
}

/* At the address that it has. */
static void add_own(struct talk *t, unsigned long at, size_t n)
{
    add(t, at, (const void *)at, n);
}

static size_t at_most(unsigned long n, size_t most)
{
    return n < most ? n : most;
}

/* A length that a call gives as an int: nothing goes along of what is refused whatever it is. */
static size_t address_len(unsigned long n)
{
    return n <= sizeof(struct sockaddr_storage) ? n : 0;
}

/* ---- the conversation ---- */

static void hang_up(int fd)
{
    (void)raw(SYS_close, fd, 0, 0, 0, 0, 0);
}

/* The request, with the far end of the line. */
static long send_ask(struct talk *t, int from, int far)
{
    struct control c = {0};
    int with[2] = {far, t->fd};
    size_t n = t->fd >= 0 ? sizeof(with) : sizeof(far);
    struct msghdr m = {.msg_name = &shim.name, .msg_namelen = shim.name_len, .msg_iov = t->v,
                       .msg_iovlen = t->v_n, .msg_control = c.bytes, .msg_controllen = CMSG_SPACE(n)};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    *h = (struct cmsghdr){.cmsg_len = CMSG_LEN(n), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(h), with, n);
    long err;
    do
        err = keyed(SYS_sendmsg, from, to_long(&m), MSG_NOSIGNAL, 0, 0);
    while (err == -EINTR);
    return err == -ECONNREFUSED ? -ENETDOWN : err;
}

/* Our end of a line on which the answer comes: the lowest number that is free. Or a negative errno. */
static long say(struct talk *t)
{
    int line[2];
    long err = raw(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, to_long(line), 0, 0);
    if (err < 0)
        return err;
    long from = keyed(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, 0, 0);
    err = from < 0 ? from : send_ask(t, (int)from, line[1]);
    if (from >= 0)
        hang_up((int)from);
    hang_up(line[1]);
    if (err < 0)
        hang_up(line[0]);
    return err < 0 ? err : line[0];
}

/* The kind and the places of what comes next, which stays in the queue. The end without an answer: the
 * answerer has no room. */
static long hear(struct talk *t, int line)
{
    bool waits = t->ask.nr == SYS_connect || t->ask.nr == SYS_recvfrom || t->ask.nr == SYS_recvmsg;
    bool given_up = false;
    for (;;) {
        struct iovec v = {&t->reply, sizeof(t->reply)};
        struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
        long n = keyed(SYS_recvmsg, line, to_long(&m), MSG_PEEK, 0, 0);
        if (n == sizeof(t->reply) && t->reply.pieces_n <= PRELOAD_PIECES)
            return 0;
        if (n != -EINTR)
            return given_up ? -EINTR : -ENFILE;
        if (waits && !given_up)
            (void)raw(SYS_shutdown, line, SHUT_WR, 0, 0, 0, 0);
        given_up = given_up || waits;
    }
}

/* Where a piece of the reply belongs. */
static void place(struct talk *t, const struct preload_piece *p)
{
    size_t left = p->n;
    if (p->at == PRELOAD_AT_MESSAGE) {
        t->v[t->v_n++] = (struct iovec){&t->shown, at_most(left, sizeof(t->shown))};
        return;
    }
    if (p->at != PRELOAD_AT_DATA) {
        t->v[t->v_n++] = (struct iovec){(void *)p->at, left};
        return;
    }
    for (size_t i = 0; i < t->data_n && left > 0; i++) {
        size_t part = at_most(t->data[i].iov_len, left);
        t->v[t->v_n++] = (struct iovec){t->data[i].iov_base, part};
        left -= part;
    }
}

/* What hear announced: into place. The descriptor that came with it, -1: none; or a negative errno. */
static long take(struct talk *t, int line, int *got)
{
    struct control c;
    struct preload_reply head;
    t->v[0] = (struct iovec){&head, sizeof(head)};
    t->v_n = 1;
    for (size_t i = 0; i < t->reply.pieces_n; i++)
        place(t, &t->reply.piece[i]);
    struct msghdr m = {.msg_iov = t->v, .msg_iovlen = t->v_n, .msg_control = c.bytes,
                       .msg_controllen = sizeof(c.bytes)};
    int flags = t->reply.cloexec || t->reply.kind == PRELOAD_REPLACE ? MSG_CMSG_CLOEXEC : 0;
    *got = -1;
    long n;
    do
        n = keyed(SYS_recvmsg, line, to_long(&m), flags, 0, 0);
    while (n == -EINTR);
    struct cmsghdr *h = n >= 0 ? CMSG_FIRSTHDR(&m) : NULL;
    if (h && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(got, CMSG_DATA(h), sizeof(int));
    return n < 0 ? n : 0;
}

static void replace(const struct talk *t, int with)
{
    long flags = raw(SYS_fcntl, t->fd, F_GETFD, 0, 0, 0, 0);
    (void)raw(SYS_dup3, with, t->fd, flags & FD_CLOEXEC ? O_CLOEXEC : 0, 0, 0, 0);
    hang_up(with);
}

/* 0: t->result is there; NATIVE; or a negative errno. A new descriptor takes the line's number, which is
 * the one that the program expects. */
static long converse(struct talk *t)
{
    int got = -1;
    long line = say(t), err = line;
    while (err >= 0) {
        err = hear(t, (int)line);
        err = err < 0 ? err : take(t, (int)line, &got);
        if (err < 0 || t->reply.kind != PRELOAD_REPLACE)
            break;
        replace(t, got);
    }
    if (line < 0)
        return line;
    if (err >= 0 && t->reply.kind == PRELOAD_INSTALL && got >= 0) {
        t->result = raw(SYS_dup3, got, line, t->reply.cloexec ? O_CLOEXEC : 0, 0, 0, 0);
        hang_up(got);
        return 0;
    }
    hang_up((int)line);
    t->result = t->reply.result;
    return err < 0 ? err : t->reply.kind == PRELOAD_NATIVE ? NATIVE : 0;
}

/* ---- the kernel's calls ---- */

static long native_sendto(const unsigned long a[6])
{
    struct iovec v = {(void *)a[1], a[2]};
    struct msghdr m = {.msg_name = (void *)a[4], .msg_namelen = (socklen_t)a[5], .msg_iov = &v,
                       .msg_iovlen = 1};
    return keyed(SYS_sendmsg, (long)a[0], to_long(&m), (long)a[3], 0, 0);
}

static long native_recvfrom(const unsigned long a[6])
{
    socklen_t *len = (socklen_t *)a[5];
    struct iovec v = {(void *)a[1], a[2]};
    struct msghdr m = {.msg_name = (void *)a[4], .msg_namelen = len ? *len : 0, .msg_iov = &v,
                       .msg_iovlen = 1};
    long n = keyed(SYS_recvmsg, (long)a[0], to_long(&m), (long)a[3], 0, 0);
    if (n >= 0 && len)
        *len = m.msg_namelen;
    return n;
}

static long native(long nr, const unsigned long a[6])
{
    if (nr == SYS_sendto)
        return native_sendto(a);
    if (nr == SYS_recvfrom)
        return native_recvfrom(a);
    return keyed(nr, (long)a[0], (long)a[1], (long)a[2], (long)a[3], (long)a[4]);
}

/* ---- whose a descriptor is ---- */

enum whose {
    THE_KERNELS,
    PERHAPS_A_STREAM,               /* of Oriel's; only the answerer knows for sure */
    PERHAPS_A_DATAGRAM,
};

static int number(unsigned long fd, int option)
{
    int value = -1;
    socklen_t len = sizeof(value);
    long err = keyed(SYS_getsockopt, (long)fd, SOL_SOCKET, option, to_long(&value), to_long(&len));
    return err < 0 ? -1 : value;
}

static enum whose whose(unsigned long fd)
{
    struct sockaddr_un u;
    socklen_t len = sizeof(u);
    if (number(fd, SO_DOMAIN) != AF_UNIX)
        return THE_KERNELS;
    int type = number(fd, SO_TYPE);
    if (type == SOCK_DGRAM || keyed(SYS_getsockname, (long)fd, to_long(&u), to_long(&len), 0, 0) < 0)
        return THE_KERNELS;
    if (type == SOCK_SEQPACKET)
        return len <= sizeof(sa_family_t) ? PERHAPS_A_DATAGRAM : THE_KERNELS;
    bool marked = len == offsetof(struct sockaddr_un, sun_path) + MARK_LEN && u.sun_path[0] == '\0';
    return marked ? PERHAPS_A_STREAM : THE_KERNELS;
}

/* ---- messages ---- */

/* Bytes of the program's memory; false: there are none. Where looking is forbidden we trust. */
static bool copy(void *to, const void *from, size_t n)
{
    struct iovec here = {to, n}, there = {(void *)(uintptr_t)from, n};
    long self = raw(SYS_getpid, 0, 0, 0, 0, 0, 0);
    long k = raw(SYS_process_vm_readv, self, to_long(&here), 1, to_long(&there), 1, 0);
    if (k == (long)n)
        return true;
    if (k == -EFAULT)
        return false;
    memcpy(to, from, n);
    return true;
}

static size_t bytes_of(const struct iovec *v, size_t n)
{
    size_t all = 0;
    for (size_t i = 0; i < n; i++)
        all = at_most(v[i].iov_len, PRELOAD_DATA_MAX) + all;
    return at_most(all, PRELOAD_DATA_MAX);
}

/* The header as the answerer sees it. */
static void show(struct talk *t, const struct msghdr *m)
{
    bool fits = m->msg_iovlen <= VECTOR_MAX;
    t->data = m->msg_iov;
    t->data_n = fits ? m->msg_iovlen : 0;
    t->shown = *m;
    t->shown_vector = (struct iovec){(void *)(uintptr_t)PRELOAD_AT_DATA, bytes_of(t->data, t->data_n)};
    t->shown.msg_iov = (struct iovec *)(uintptr_t)PRELOAD_AT_VECTOR;
    t->shown.msg_iovlen = fits ? 1 : VECTOR_TOO_MANY;
    t->ask.arg[1] = PRELOAD_AT_MESSAGE;
    add(t, PRELOAD_AT_MESSAGE, &t->shown, sizeof(t->shown));
    add(t, PRELOAD_AT_VECTOR, &t->shown_vector, sizeof(t->shown_vector));
}

/* The program's bytes, one piece. */
static void add_data(struct talk *t)
{
    size_t left = t->shown_vector.iov_len;
    if (left == 0)
        return;
    t->ask.piece[t->ask.pieces_n++] = (struct preload_piece){.at = PRELOAD_AT_DATA, .n = left};
    for (size_t i = 0; i < t->data_n && left > 0; i++) {
        size_t part = at_most(t->data[i].iov_len, left);
        t->v[t->v_n++] = (struct iovec){t->data[i].iov_base, part};
        left -= part;
    }
}

/* sendmsg, recvmsg. As converse. */
static long call_message(struct talk *t, long nr, const unsigned long a[6])
{
    struct msghdr *m = (struct msghdr *)a[1], had;
    begin(t, nr, a);
    if (!copy(&had, m, sizeof(had)))
        return -EFAULT;
    show(t, &had);
    if (nr == SYS_sendmsg) {
        add_own(t, (unsigned long)had.msg_name, had.msg_name ? address_len(had.msg_namelen) : 0);
        add_own(t, (unsigned long)had.msg_control, at_most(had.msg_controllen, PRELOAD_SMALL_MAX));
        add_data(t);
    }
    long err = converse(t);
    if (err == 0 && nr == SYS_recvmsg && t->result >= 0) {
        m->msg_namelen = t->shown.msg_namelen;
        m->msg_controllen = t->shown.msg_controllen;
        m->msg_flags = t->shown.msg_flags;
    }
    return err;
}

/* sendmmsg, recvmmsg: one after the other; the first may wait. */
static long call_messages(struct talk *t, long nr, const unsigned long a[6])
{
    struct mmsghdr *m = (struct mmsghdr *)a[1];
    unsigned long i = 0, flags = nr == SYS_recvmmsg ? a[3] & ~(unsigned long)MSG_WAITFORONE : a[3];
    long err = 0;
    t->result = 0;
    for (; i < (unsigned)a[2]; i++) {
        unsigned long one[6] = {a[0], (unsigned long)&m[i].msg_hdr, flags | (i > 0 ? MSG_DONTWAIT : 0)};
        err = call_message(t, nr == SYS_sendmmsg ? SYS_sendmsg : SYS_recvmsg, one);
        if (err != 0 || t->result < 0)
            break;
        m[i].msg_len = (unsigned)t->result;
    }
    if (i > 0)
        t->result = (long)i;
    return i > 0 ? 0 : err;
}

/* ---- the others ---- */

static long call_plain(struct talk *t, long nr, const unsigned long a[6])
{
    begin(t, nr, a);
    switch (nr) {
    case SYS_bind:
    case SYS_connect:
        add_own(t, a[1], address_len(a[2]));
        break;
    case SYS_getsockname:
    case SYS_getpeername:
        add_own(t, a[2], sizeof(socklen_t));
        break;
    case SYS_setsockopt:
        add_own(t, a[3], (int)a[4] > 0 ? at_most(a[4], PRELOAD_SMALL_MAX) : 0);
        break;
    case SYS_getsockopt:
        add_own(t, a[4], sizeof(socklen_t));
        break;
    case SYS_sendto:
        add_own(t, a[1], at_most(a[2], PRELOAD_DATA_MAX));
        add_own(t, a[4], address_len(a[5]));
        break;
    case SYS_recvfrom:
        add_own(t, a[5], sizeof(socklen_t));
        break;
    default:
        break;
    }
    return converse(t);
}

/* Only the peer's name is not the kernel's; where it has gone with its peer, an empty one of its family. */
static long call_accept(long nr, const unsigned long a[6])
{
    long flags = nr == SYS_accept4 ? (long)a[3] : 0;
    long fd = keyed(SYS_accept4, (long)a[0], 0, 0, flags, 0);
    if (fd < 0)
        return fd;
    const unsigned long name[6] = {(unsigned long)fd, a[1], a[2]};
    long err = shim_call(SYS_getpeername, name);
    if (err == -ENOTCONN)
        err = shim_call(SYS_getsockname, name);
    if (err < 0)
        hang_up((int)fd);
    return err < 0 ? err : fd;
}

static bool is_about_bytes(long nr)
{
    return nr == SYS_sendto || nr == SYS_recvfrom || nr == SYS_sendmsg || nr == SYS_recvmsg ||
           nr == SYS_sendmmsg || nr == SYS_recvmmsg;
}

bool shim_knows(long nr)
{
    switch (nr) {
    case SYS_socket:
    case SYS_bind:
    case SYS_connect:
    case SYS_listen:
    case SYS_accept:
    case SYS_accept4:
    case SYS_getsockname:
    case SYS_getpeername:
    case SYS_setsockopt:
    case SYS_getsockopt:
    case SYS_ioctl:
        return true;
    default:
        return is_about_bytes(nr);
    }
}

long shim_call(long nr, const unsigned long a[6])
{
    struct talk t;
    enum whose w = nr == SYS_socket ? PERHAPS_A_STREAM : whose(a[0]);
    if (w == THE_KERNELS || (w == PERHAPS_A_STREAM && is_about_bytes(nr)))
        return native(nr, a);
    if (w == PERHAPS_A_STREAM && (nr == SYS_accept || nr == SYS_accept4))
        return call_accept(nr, a);
    long err = nr == SYS_sendmsg || nr == SYS_recvmsg     ? call_message(&t, nr, a)
               : nr == SYS_sendmmsg || nr == SYS_recvmmsg ? call_messages(&t, nr, a)
                                                          : call_plain(&t, nr, a);
    return err == NATIVE ? native(nr, a) : err < 0 ? err : t.result;
}

void shim_tell_exec(int fd, const char *name, size_t n)
{
    static const unsigned long none[6];
    struct talk t;
    begin(&t, PRELOAD_NR_EXEC, none);
    t.fd = fd;
    add(&t, 0, name, at_most(n, PRELOAD_SMALL_MAX));
    (void)converse(&t);
}
