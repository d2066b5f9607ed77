/* Streams: bytes, urgent data, how they end. */
#include "semantics.h"

#include <linux/sockios.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>

#define MUCH (4 << 20)

static uint32_t sum_of(const unsigned char *p, size_t n)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 16777619u;
    return h;
}

static void much(int from, int to, const char *name)
{
    unsigned char *buf = malloc(MUCH);
    for (size_t i = 0; i < MUCH; i++)
        buf[i] = (unsigned char)(i * 2654435761u >> 16);
    uint32_t sum = sum_of(buf, MUCH);
    if (fork() == 0) {
        for (size_t n = 0; n < MUCH;) {
            ssize_t k = write(from, buf + n, MUCH - n);
            if (k <= 0)
                _exit(1);
            n += (size_t)k;
        }
        _exit(0);
    }
    memset(buf, 0, MUCH);
    size_t n = 0;
    for (ssize_t k; n < MUCH && (k = read(to, buf + n, MUCH - n)) > 0; n += (size_t)k)
        continue;
    int status;
    wait(&status);
    check(name, "%zu bytes, %s, %d", n, sum_of(buf, MUCH) == sum ? "the same" : "others", status);
    free(buf);
}

static void urgent(void)
{
    struct pair p = connected();
    char buf[16] = {0};
    int mark = 0;
    check("urgent send", "%s", outcome(send(p.client, "abX", 3, MSG_OOB)));
    check("urgent send behind", "%s", outcome(send(p.client, "cd", 2, 0)));
    poll_until(p.server, POLLPRI, 2000);
    usleep(50000);
    check("urgent poll", "%s", polled(p.server, 0));
    ioctl(p.server, SIOCATMARK, &mark);
    check("urgent mark before", "%d", mark);
    check("urgent reading stops at the mark", "%s", outcome(recv(p.server, buf, sizeof(buf), 0)));
    ioctl(p.server, SIOCATMARK, &mark);
    check("urgent mark at", "%d", mark);
    check("urgent byte", "%s %c", outcome(recv(p.server, buf, 1, MSG_OOB)), buf[0]);
    check("urgent byte twice", "%s", outcome(recv(p.server, buf, 1, MSG_OOB)));
    check("urgent reading goes on", "%s", outcome(recv(p.server, buf, sizeof(buf), 0)));
    close_pair(&p);
    p = connected();
    int one = 1;
    setsockopt(p.server, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one));
    send(p.client, "abX", 3, MSG_OOB);
    poll_until(p.server, POLLPRI, 2000);
    usleep(50000);
    (void)!recv(p.server, buf, 2, 0);
    check("urgent inline", "%s %c", outcome(recv(p.server, buf, sizeof(buf), 0)), buf[0]);
    close_pair(&p);
}

void checks_data(void)
{
    struct pair p = connected();
    char buf[64] = {0}, file[] = "/tmp/semantics.XXXXXX";
    struct iovec v[2] = {{.iov_base = "ab", .iov_len = 2}, {.iov_base = "cd", .iov_len = 2}};
    int n = 0;
    check("recv of nothing, not waiting", "%s", outcome(recv(p.server, buf, 1, MSG_DONTWAIT)));
    check("writev", "%s", outcome(writev(p.client, v, 2)));
    poll_until(p.server, POLLIN, 2000);
    check("readable poll", "%s", polled(p.server, 0));
    check("FIONREAD", "%d %d", ioctl(p.server, FIONREAD, &n), n);
    check("peek", "%s", outcome(recv(p.server, buf, 2, MSG_PEEK)));
    check("read after peek", "%s %.4s", outcome(read(p.server, buf, sizeof(buf))), buf);
    check("send with an address", "%s", outcome(sendto(p.client, "e", 1, 0, NULL, 0)));
    (void)!write(p.client, "fgh", 3);
    check("recv all", "%s", outcome(recv(p.server, buf, 4, MSG_WAITALL)));
    usleep(50000);
    check("SIOCOUTQ when all arrived", "%d %d", ioctl(p.client, SIOCOUTQ, &n), n);
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
    check("sendmsg", "%s", outcome(sendmsg(p.server, &m, 0)));
    struct iovec to = {.iov_base = buf, .iov_len = sizeof(buf)};
    m = (struct msghdr){.msg_iov = &to, .msg_iovlen = 1};
    check("recvmsg", "%s", outcome(recvmsg(p.client, &m, 0)));
    check("recvmsg flags", "%d", m.msg_flags);
    check("recv zero bytes", "%s", outcome(recv(p.client, buf, 0, MSG_DONTWAIT)));
    check("write zero bytes", "%s", outcome(write(p.client, buf, 0)));
    int f = mkstemp(file);
    unlink(file);
    (void)!write(f, "from a file", 11);
    off_t at = 0;
    check("sendfile", "%s", outcome(sendfile(p.client, f, &at, 11)));
    check("sendfile arrives", "%s %.11s", outcome(recv(p.server, buf, 11, MSG_WAITALL)), buf);
    int pipes[2];
    (void)!pipe(pipes);
    (void)!write(p.client, "spliced", 7);
    check("splice", "%s", outcome(splice(p.server, NULL, pipes[1], NULL, 7, 0)));
    close(f);
    close(pipes[0]);
    close(pipes[1]);
    much(p.client, p.server, "much to the server");
    much(p.server, p.client, "much to the client");
    struct timeval t = {.tv_usec = 60000};
    setsockopt(p.client, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    check("recv times out", "%s", outcome(recv(p.client, buf, 1, 0)));
    nonblocking(p.client);
    size_t filled = 0;
    memset(buf, 0, sizeof(buf));
    static char block[65536];
    for (ssize_t k; filled < (64 << 20) && (k = write(p.client, block, sizeof(block))) > 0; filled += (size_t)k)
        continue;
    check("writing ends when nobody reads", "%s %d", error_name(errno), filled < (64 << 20));
    check("full poll", "%s", polled(p.client, 0));
    close_pair(&p);
    urgent();
}

static void half_closed(void)
{
    struct pair p = connected();
    char buf[8];
    check("shutdown for writing", "%s", outcome(shutdown(p.client, SHUT_WR)));
    check("half-closed write", "%s", outcome(write(p.client, "x", 1)));
    poll_until(p.server, POLLIN, 2000);
    check("half-closed peer poll", "%s", polled(p.server, 0));
    check("half-closed peer reads", "%s", outcome(read(p.server, buf, 1)));
    check("half-closed peer writes", "%s", outcome(write(p.server, "back", 4)));
    check("half-closed reads", "%s", outcome(recv(p.client, buf, 4, MSG_WAITALL)));
    check("half-closed poll", "%s", polled(p.client, 0));
    close(p.server);
    poll_until(p.client, POLLIN | POLLHUP, 2000);
    check("closed both ways poll", "%s", polled(p.client, 0));
    check("closed both ways read", "%s", outcome(read(p.client, buf, 1)));
    close(p.client);
    close(p.listener);
    p = connected();
    check("shutdown for reading", "%s", outcome(shutdown(p.client, SHUT_RD)));
    check("read after shutdown for reading", "%s", outcome(recv(p.client, buf, 1, MSG_DONTWAIT)));
    check("shutdown twice", "%s", outcome(shutdown(p.client, SHUT_RD)));
    check("shutdown wrongly", "%s", outcome(shutdown(p.client, 7)));
    close_pair(&p);
}

static void wait_for_reset(int fd)
{
    struct pollfd f = {.fd = fd, .events = 0};
    (void)poll(&f, 1, 2000);
}

static void reset(void)
{
    struct pair p = connected();
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    char buf[8];
    setsockopt(p.client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(p.client);
    wait_for_reset(p.server);
    check("reset poll", "%s", polled(p.server, 0));
    check("reset error", "%s", error_name((int)get_int(p.server, SOL_SOCKET, SO_ERROR)));
    check("reset error once", "%ld", get_int(p.server, SOL_SOCKET, SO_ERROR));
    check("read behind the error", "%s", outcome(read(p.server, buf, 1)));
    check("write after reset", "%s", outcome(write(p.server, "x", 1)));
    close(p.server);
    close(p.listener);
    p = connected();
    setsockopt(p.client, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    (void)!write(p.client, "last", 4);
    poll_until(p.server, POLLIN, 2000);
    close(p.client);
    wait_for_reset(p.server);
    check("bytes before a reset", "%s", outcome(recv(p.server, buf, 4, 0)));
    check("read a reset", "%s", outcome(read(p.server, buf, 1)));
    check("read after a reset", "%s", outcome(read(p.server, buf, 1)));
    close(p.server);
    close(p.listener);
    p = connected();
    (void)!write(p.server, "unread", 6);
    poll_until(p.client, POLLIN, 2000);
    (void)!write(p.client, "last", 4);
    close(p.client);
    wait_for_reset(p.server);
    check("bytes written and reset at once", "%s", outcome(recv(p.server, buf, 4, 0)));
    check("read a reset after them", "%s", outcome(read(p.server, buf, 1)));
    close(p.server);
    close(p.listener);
    p = connected();
    (void)!write(p.server, "unread", 6);
    poll_until(p.client, POLLIN, 2000);
    close(p.client);
    wait_for_reset(p.server);
    check("closed with bytes unread", "%s", outcome(read(p.server, buf, 1)));
    close(p.server);
    close(p.listener);
    p = connected();
    close(p.client);
    poll_until(p.server, POLLIN, 2000);
    (void)!write(p.server, "x", 1);
    wait_for_reset(p.server);
    check("write to who has gone", "%s", outcome(write(p.server, "x", 1)));
    close(p.server);
    close(p.listener);
}

static void pipe_signal(void)
{
    int status;
    if (fork() == 0) {
        struct pair p = connected();
        signal(SIGPIPE, SIG_DFL);
        shutdown(p.client, SHUT_WR);
        (void)!write(p.client, "x", 1);
        _exit(0);
    }
    wait(&status);
    check("signal of a broken pipe", "%d", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

void checks_ends(void)
{
    struct pair p = connected();
    char buf[8];
    close(p.client);
    poll_until(p.server, POLLIN, 2000);
    check("closed peer poll", "%s", polled(p.server, 0));
    check("closed peer read", "%s", outcome(read(p.server, buf, 1)));
    close(p.server);
    close(p.listener);
    half_closed();
    reset();
    pipe_signal();
    int l = listener(5), fd = socket(AF_INET, SOCK_STREAM, 0);
    (void)try_connect(fd, port_of(l));
    close(l);
    wait_for_reset(fd);
    check("listener closed before accept", "%s", outcome(read(fd, buf, 1)));
    close(fd);
}
