/* Socket calls of a program that links Oriel: files, waiting, threads. */
#define _GNU_SOURCE
#include "fx_px.h"

#include "host/posix_run.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

TEST("a stream connects, carries bytes both ways, and ends")
{
    struct oriel_px *px = fx_px_start();
    struct sockaddr_in at, name;
    socklen_t len = sizeof name;
    char buf[100];
    int listener = fx_px_listener(0, &at);
    int c = oriel_px_socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(fx_px_errno(oriel_px_getpeername(c, SAP(name), &len)), ENOTCONN);
    EXPECT_EQ(oriel_px_connect(c, SA(at)), 0);
    EXPECT_EQ(oriel_px_getpeername(c, SAP(name), &len), 0);
    EXPECT_EQ(name.sin_port, at.sin_port);
    int s = oriel_px_accept4(listener, SAP(name), &len, SOCK_NONBLOCK);
    EXPECT_EQ(len, sizeof name);
    EXPECT_EQ(name.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    EXPECT_EQ(fx_px_errno(oriel_px_read(s, buf, sizeof buf)), EAGAIN);
    EXPECT_EQ(oriel_px_write(c, "hello", 5), 5);
    EXPECT_EQ(oriel_px_read(s, buf, sizeof buf), 5);
    EXPECT_MEM(buf, "hello", 5);
    EXPECT_EQ(oriel_px_send(s, "answer", 6, 0), 6);
    EXPECT_EQ(oriel_px_shutdown(s, SHUT_WR), 0);
    EXPECT_EQ(oriel_px_recv(c, buf, sizeof buf, MSG_WAITALL), 6);
    EXPECT_EQ(oriel_px_read(c, buf, sizeof buf), 0);
    EXPECT_EQ(oriel_px_close(c), 0);
    EXPECT_EQ(oriel_px_close(s), 0);
    EXPECT_EQ(oriel_px_close(listener), 0);
    EXPECT_EQ(fx_px_errno(oriel_px_close(s)), EBADF);
    EXPECT(oriel_px_drain(px, 2000));
    oriel_px_stop(px);
}

TEST("a fresh socket has no name, and nobody listens where it connects to")
{
    struct oriel_px *px = fx_px_start();
    struct sockaddr_in nobody = fx_px_at(9), name;
    socklen_t len = sizeof name;
    int fd = oriel_px_socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(oriel_px_getsockname(fd, SAP(name), &len), 0);
    EXPECT_EQ(name.sin_family, AF_INET);
    EXPECT_EQ(name.sin_port, 0);
    EXPECT_EQ(fx_px_errno(oriel_px_connect(fd, SA(nobody))), ECONNREFUSED);
    EXPECT_EQ(fx_px_errno(oriel_px_socket(AF_UNIX, SOCK_STREAM, 0)), EAFNOSUPPORT);
    EXPECT_EQ(fx_px_errno(oriel_px_bind(fd, NULL, 0)), EFAULT);
    oriel_px_stop(px);
}

TEST("descriptors are the process's own, and what is not ours is passed on or refused")
{
    struct oriel_px *px = fx_px_start();
    struct sockaddr_in at = fx_px_at(9);
    int p[2];
    char buf[10];
    EXPECT_EQ(pipe(p), 0);
    int fd = oriel_px_socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    EXPECT(fd > p[1]);
    EXPECT_EQ(oriel_px_fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(oriel_px_fcntl(fd, F_GETFL), O_RDWR);
    EXPECT_EQ(oriel_px_fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
    EXPECT_EQ(oriel_px_fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
    EXPECT_EQ(oriel_px_write(p[1], "abc", 3), 3);
    EXPECT_EQ(oriel_px_read(p[0], buf, sizeof buf), 3);
    EXPECT_EQ(fx_px_errno(oriel_px_bind(p[0], SA(at))), ENOTSOCK);
    EXPECT_EQ(fx_px_errno(oriel_px_listen(-1, 1)), EBADF);
    EXPECT_EQ(oriel_px_close(p[0]), 0);
    EXPECT_EQ(oriel_px_close(p[1]), 0);
    EXPECT_EQ(fcntl(p[0], F_GETFD), -1);
    EXPECT_EQ(oriel_px_close(fd), 0);
    EXPECT_EQ(fcntl(fd, F_GETFD), -1);
    oriel_px_stop(px);
}

TEST("options and ioctls have Linux's numbers and layouts")
{
    struct oriel_px *px = fx_px_start();
    int pair[2], n, one = 1;
    struct tcp_info info;
    socklen_t len = sizeof info;
    fx_px_connected(pair);
    EXPECT_EQ(oriel_px_getsockopt(pair[0], IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    EXPECT_EQ(info.tcpi_state, TCP_ESTABLISHED);
    EXPECT_EQ(oriel_px_setsockopt(pair[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), 0);
    len = sizeof n;
    EXPECT_EQ(oriel_px_getsockopt(pair[0], SOL_SOCKET, SO_TYPE, &n, &len), 0);
    EXPECT_EQ(n, SOCK_STREAM);
    EXPECT_EQ(oriel_px_write(pair[0], "12345", 5), 5);
    EXPECT_EQ(oriel_px_ioctl(pair[1], FIONREAD, &n), 0);
    EXPECT_EQ(n, 5);
    EXPECT_EQ(oriel_px_ioctl(pair[0], TIOCOUTQ, &n), 0);
    EXPECT_EQ(n, 0);
    EXPECT_EQ(oriel_px_ioctl(pair[1], FIONBIO, &one), 0);
    EXPECT(oriel_px_fcntl(pair[1], F_GETFL) & O_NONBLOCK);
    EXPECT_EQ(fx_px_errno(oriel_px_ioctl(pair[1], 0x1234, &n)), ENOTTY);
    oriel_px_stop(px);
}

/* ---- waiting ---- */

struct task {
    int fd;
    ssize_t got;
    int error;
    char buf[100];
    pthread_t thread;
};

static void *read_it(void *arg)
{
    struct task *t = arg;
    t->got = oriel_px_read(t->fd, t->buf, sizeof t->buf);
    t->error = errno;
    return NULL;
}

TEST("a read waits in its thread until another thread writes")
{
    struct oriel_px *px = fx_px_start();
    int pair[2];
    fx_px_connected(pair);
    struct task t = {.fd = pair[1]};
    EXPECT_EQ(pthread_create(&t.thread, NULL, read_it, &t), 0);
    fx_px_pause(20);
    EXPECT_EQ(oriel_px_write(pair[0], "late", 4), 4);
    EXPECT_EQ(pthread_join(t.thread, NULL), 0);
    EXPECT_EQ(t.got, 4);
    EXPECT_MEM(t.buf, "late", 4);
    oriel_px_stop(px);
}

TEST("what another thread closes is not waited for any longer")
{
    struct oriel_px *px = fx_px_start();
    int pair[2];
    fx_px_connected(pair);
    struct task t = {.fd = pair[1]};
    EXPECT_EQ(pthread_create(&t.thread, NULL, read_it, &t), 0);
    fx_px_pause(20);
    EXPECT_EQ(oriel_px_close(pair[1]), 0);
    EXPECT_EQ(pthread_join(t.thread, NULL), 0);
    EXPECT_EQ(t.got, -1);
    EXPECT_EQ(t.error, EBADF);
    oriel_px_stop(px);
}

TEST("limits on waiting end it, and not sooner")
{
    struct oriel_px *px = fx_px_start();
    int pair[2];
    char buf[10];
    struct timeval limit = {.tv_usec = 50000};
    fx_px_connected(pair);
    EXPECT_EQ(oriel_px_setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    int64_t begin = fx_px_ms();
    EXPECT_EQ(fx_px_errno(oriel_px_read(pair[0], buf, sizeof buf)), EAGAIN);
    EXPECT(fx_px_ms() - begin >= 49);
    EXPECT_EQ(oriel_px_setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0);
    static char much[1 << 20];
    begin = fx_px_ms();
    ssize_t sent = 0, n = 0;
    while (sent < (64 << 20) && (n = oriel_px_write(pair[0], much, sizeof much)) > 0)
        sent += n;
    EXPECT_EQ(n, -1);                           /* nobody reads */
    EXPECT_EQ(errno, EAGAIN);
    EXPECT(fx_px_ms() - begin >= 49);
    oriel_px_stop(px);
}

static void nothing(int signal)
{
    (void)signal;
}

static void handle(int flags)
{
    struct sigaction a = {.sa_handler = nothing, .sa_flags = flags};
    EXPECT_EQ(sigaction(SIGUSR1, &a, NULL), 0);
}

TEST("a signal ends a call with EINTR, unless its handler says SA_RESTART")
{
    struct oriel_px *px = fx_px_start();
    int pair[2];
    fx_px_connected(pair);
    struct task t = {.fd = pair[1]};
    handle(0);
    EXPECT_EQ(pthread_create(&t.thread, NULL, read_it, &t), 0);
    fx_px_pause(30);
    EXPECT_EQ(pthread_kill(t.thread, SIGUSR1), 0);
    EXPECT_EQ(pthread_join(t.thread, NULL), 0);
    EXPECT_EQ(t.got, -1);
    EXPECT_EQ(t.error, EINTR);
    handle(SA_RESTART);
    EXPECT_EQ(pthread_create(&t.thread, NULL, read_it, &t), 0);
    fx_px_pause(30);
    EXPECT_EQ(pthread_kill(t.thread, SIGUSR1), 0);
    fx_px_pause(10);
    EXPECT_EQ(oriel_px_write(pair[0], "on", 2), 2);
    EXPECT_EQ(pthread_join(t.thread, NULL), 0);
    EXPECT_EQ(t.got, 2);
    oriel_px_stop(px);
}

static void *poll_it(void *arg)
{
    struct task *t = arg;
    struct pollfd p = {.fd = t->fd, .events = POLLIN};
    t->got = oriel_px_poll(&p, 1, -1);
    t->error = errno;
    return NULL;
}

TEST("poll ends by a signal whatever its handler says")
{
    struct oriel_px *px = fx_px_start();
    int pair[2];
    fx_px_connected(pair);
    struct task t = {.fd = pair[1]};
    handle(SA_RESTART);
    EXPECT_EQ(pthread_create(&t.thread, NULL, poll_it, &t), 0);
    fx_px_pause(30);
    EXPECT_EQ(pthread_kill(t.thread, SIGUSR1), 0);
    EXPECT_EQ(pthread_join(t.thread, NULL), 0);
    EXPECT_EQ(t.got, -1);
    EXPECT_EQ(t.error, EINTR);
    oriel_px_stop(px);
}

/* ---- threads ---- */

#define THREADS 8
#define BYTES   (1 << 20)

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 7 + (i >> 8) * 13);
}

/* An echo over a connection of its own: writes and reads at once, in two threads. */
static void *write_all(void *arg)
{
    struct task *t = arg;
    uint8_t buf[5000];
    for (size_t at = 0; at < BYTES;) {
        size_t n = sizeof buf < BYTES - at ? sizeof buf : BYTES - at;
        for (size_t i = 0; i < n; i++)
            buf[i] = byte_at(at + i);
        if (oriel_px_write(t->fd, buf, n) != (ssize_t)n)
            return "a write failed";
        at += n;
    }
    return oriel_px_shutdown(t->fd, SHUT_WR) == 0 ? NULL : "shutdown failed";
}

static void *read_all(void *arg)
{
    struct task *t = arg;
    uint8_t buf[7000];
    size_t at = 0;
    for (ssize_t n; (n = oriel_px_read(t->fd, buf, sizeof buf)) != 0; at += (size_t)n) {
        if (n < 0)
            return "a read failed";
        for (size_t i = 0; i < (size_t)n; i++)
            if (buf[i] != byte_at(at + i))
                return "other bytes came";
    }
    return at == BYTES ? NULL : "it ended early";
}

TEST("many threads read and write at once, each stream its own bytes")
{
    struct oriel_px *px = fx_px_start();
    static struct task from[THREADS], to[THREADS];
    void *said;
    for (int i = 0; i < THREADS; i++) {
        int pair[2];
        fx_px_connected(pair);
        from[i].fd = pair[0];
        to[i].fd = pair[1];
        EXPECT_EQ(pthread_create(&to[i].thread, NULL, read_all, &to[i]), 0);
        EXPECT_EQ(pthread_create(&from[i].thread, NULL, write_all, &from[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        EXPECT_EQ(pthread_join(from[i].thread, &said), 0);
        if (said)
            fail_msg("%s", (char *)said);
        EXPECT_EQ(pthread_join(to[i].thread, &said), 0);
        if (said)
            fail_msg("%s", (char *)said);
    }
    oriel_px_stop(px);
}

/* ---- instances ---- */

TEST("instances are apart, and each thread may choose where its sockets are made")
{
    struct oriel_px *a = fx_px_start(), *b = fx_px_start();
    struct sockaddr_in at;
    int in_a = fx_px_listener(0, &at);
    oriel_px_use(b);
    int c = oriel_px_socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(fx_px_errno(oriel_px_connect(c, SA(at))), ECONNREFUSED);
    oriel_px_use(NULL);
    int d = oriel_px_socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(oriel_px_connect(d, SA(at)), 0);
    EXPECT_EQ(oriel_px_close(in_a), 0);
    oriel_px_stop(b);
    oriel_px_stop(a);
    EXPECT_EQ(fcntl(c, F_GETFD), -1);           /* what was open is closed */
}

TEST("a link that cannot be is refused with a sentence")
{
    char error[ORIEL_PX_ERROR_MAX];
    struct oriel_px_config cfg = {.version = 77};
    EXPECT(oriel_px_start("nonsense:1", NULL, error) == NULL);
    EXPECT(strstr(error, "nonsense") != NULL);
    EXPECT(oriel_px_start("loopback", &cfg, error) == NULL);
    EXPECT(strstr(error, "version") != NULL);
    cfg = (struct oriel_px_config){.version = ORIEL_PX_VERSION, .capture = "/nowhere/x.pcapng"};
    EXPECT(oriel_px_start("loopback", &cfg, error) == NULL);
    EXPECT(strstr(error, "/nowhere/x.pcapng: No such file") != NULL);
}

TEST("what passes on loopback is captured, and the file is whole when the instance has stopped")
{
    char path[] = "/tmp/oriel-capture-XXXXXX";
    int fd = mkstemp(path), pair[2];
    struct oriel_px_config cfg = {.version = ORIEL_PX_VERSION, .seed = 1, .capture = path};
    struct oriel_px *px = oriel_px_start("loopback", &cfg, NULL);
    EXPECT(px != NULL);
    fx_px_connected(pair);
    EXPECT_EQ(oriel_px_write(pair[0], "to be seen", 10), 10);
    EXPECT_EQ(oriel_px_close(pair[0]), 0);
    oriel_px_stop(px);
    static uint8_t file[1 << 16];
    ssize_t n = read(fd, file, sizeof file);
    EXPECT(n > 0);
    EXPECT(memmem(file, (size_t)n, "to be seen", 10) != NULL);
    EXPECT(memmem(file, (size_t)n, "the application closed", 22) != NULL);
    close(fd);
    unlink(path);
}

TEST("by the link \"user\" the system's own servers are reached, without privileges")
{
    char error[ORIEL_PX_ERROR_MAX], buf[20];
    struct sockaddr_in at = fx_px_at(0);
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(bind(listener, SA(at)), 0);
    EXPECT_EQ(listen(listener, 1), 0);
    EXPECT_EQ(getsockname(listener, SAP(at), &len), 0);
    struct oriel_px *px = oriel_px_start("user", NULL, error);
    if (!px)
        fail_msg("%s", error);
    at.sin_addr.s_addr = htonl(0x0a000202);     /* the system's loopback, behind the gateway */
    int fd = oriel_px_socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(oriel_px_connect(fd, SA(at)), 0);
    int s = accept(listener, NULL, NULL);
    EXPECT_EQ(oriel_px_write(fd, "from within", 11), 11);
    EXPECT_EQ(recv(s, buf, 11, MSG_WAITALL), 11);
    EXPECT_EQ(write(s, "and back", 8), 8);
    close(s);
    EXPECT_EQ(oriel_px_recv(fd, buf, 8, MSG_WAITALL), 8);
    EXPECT_MEM(buf, "and back", 8);
    EXPECT_EQ(oriel_px_read(fd, buf, 1), 0);
    close(listener);
    int again = oriel_px_socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(fx_px_errno(oriel_px_connect(again, SA(at))), ECONNREFUSED);
    oriel_px_stop(px);
}

#if defined(__SANITIZE_THREAD__)
static bool starts_anew(void)                   /* that sanitizer has no threads after a fork */
{
    return true;
}
#else
static bool starts_anew(void)
{
    struct oriel_px *px = oriel_px_start("loopback", NULL, NULL);
    bool made = px && oriel_px_socket(AF_INET, SOCK_DGRAM, 0) >= 0;
    oriel_px_stop(px);
    return made;
}
#endif

TEST("a child of fork closes what it inherits and starts anew, and the parent's peers hear nothing")
{
    struct oriel_px *px = fx_px_start();
    int pair[2], status = 0;
    char buf[10];
    fx_px_connected(pair);
    pid_t child = fork();
    if (child == 0) {
        int bad = oriel_px_close(pair[0]) != 0 || oriel_px_write(pair[1], "x", 1) == 1;
        _exit(bad || !starts_anew());
    }
    EXPECT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(fx_px_errno(oriel_px_recv(pair[1], buf, 1, MSG_DONTWAIT)), EAGAIN);
    EXPECT_EQ(oriel_px_write(pair[0], "still", 5), 5);
    EXPECT_EQ(oriel_px_read(pair[1], buf, sizeof buf), 5);
    oriel_px_stop(px);
}

TEST("a number beyond all descriptors is nobody's, and not the first one's")
{
    struct oriel_px *px = fx_px_start();
    int first = fcntl(0, F_DUPFD_CLOEXEC, 3);
    close(0);
    EXPECT_EQ(oriel_px_socket(AF_INET, SOCK_STREAM, 0), 0);
    posix_fd_drop(POSIX_FDS_MAX);
    EXPECT(posix_of(0) == px);
    EXPECT_EQ(oriel_px_close(0), 0);
    EXPECT_EQ(dup2(first, 0), 0);
    close(first);
    oriel_px_stop(px);
}

static void *waits(void *arg)
{
    struct sockaddr_in at;
    struct pollfd p = {.fd = fx_px_listener(0, &at), .events = POLLIN};
    while (oriel_px_poll(&p, 1, 10) == 0)
        atomic_fetch_add((_Atomic int *)arg, 1);
    return NULL;
}

static void linger(void)
{
    fx_px_pause(50);
}

/* Its stack is one that nobody started; some time passes between that stack's end and the program's. */
static void end_among_threads(void)
{
    static _Atomic int waited;
    pthread_t t[2];
    (void)atexit(linger);
    for (int i = 0; i < 2; i++)
        if (pthread_create(&t[i], NULL, waits, &waited) != 0)
            _exit(2);
    while (atomic_load(&waited) < 4)
        fx_px_pause(10);
    exit(0);
}

TEST("a program ends well while other threads of it are in calls")
{
    for (int i = 0; i < 5; i++) {
        int how = 0;
        pid_t child = fork();
        if (child == 0)
            end_among_threads();
        EXPECT_EQ(waitpid(child, &how, 0), child);
        EXPECT_EQ(how, 0);
    }
}
