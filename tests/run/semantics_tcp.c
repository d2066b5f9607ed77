/* Streams: fresh sockets, connect, accept. */
#include "semantics.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/time.h>

void checks_fresh(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = at4(0), other = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xcb007101)};
    struct stat st;
    char c = 'x';
    check("fresh poll", "%s", polled(fd, 0));
    check("fresh domain", "%ld", get_int(fd, SOL_SOCKET, SO_DOMAIN));
    check("fresh type", "%ld", get_int(fd, SOL_SOCKET, SO_TYPE));
    check("fresh protocol", "%ld", get_int(fd, SOL_SOCKET, SO_PROTOCOL));
    check("fresh acceptconn", "%ld", get_int(fd, SOL_SOCKET, SO_ACCEPTCONN));
    check("fresh error", "%ld", get_int(fd, SOL_SOCKET, SO_ERROR));
    int err = fstat(fd, &st);
    check("fresh is a socket", "%d %d", err, err == 0 && S_ISSOCK(st.st_mode));
    check("fresh port", "%d", port_of(fd));
    socklen_t len = sizeof(a);
    check("fresh getpeername", "%s", outcome(getpeername(fd, (struct sockaddr *)&a, &len)));
    check("fresh lseek", "%s", outcome(lseek(fd, 0, SEEK_CUR)));
    check("fresh recv", "%s", outcome(recv(fd, &c, 1, 0)));
    check("fresh send", "%s", outcome(send(fd, &c, 1, 0)));
    check("fresh shutdown", "%s", outcome(shutdown(fd, SHUT_RDWR)));
    check("fresh accept", "%s", outcome(accept(fd, (struct sockaddr *)&a, &len)));
    close(fd);

    check("socket of an unknown type", "%s", outcome(socket(AF_INET, 99, 0)));
    check("socket with a wrong protocol", "%s", outcome(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP)));
    check("socket seqpacket", "%s", outcome(socket(AF_INET, SOCK_SEQPACKET, 0)));
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    check("socket flags", "%d %d", fcntl(fd, F_GETFD), !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
    a = at4(0);
    check("bind short address", "%s", outcome(bind(fd, (struct sockaddr *)&a, 4)));
    check("bind nowhere", "%s", outcome(bind(fd, NULL, sizeof(a))));
    check("bind foreign address", "%s", outcome(bind(fd, (struct sockaddr *)&other, sizeof(other))));
    check("bind", "%s", outcome(bind(fd, (struct sockaddr *)&a, sizeof(a))));
    check("bind gives a port", "%d", port_of(fd) > 0);
    check("bind twice", "%s", outcome(bind(fd, (struct sockaddr *)&a, sizeof(a))));
    int again = socket(AF_INET, SOCK_STREAM, 0);
    a = at4(port_of(fd));
    check("bind port in use", "%s", outcome(bind(again, (struct sockaddr *)&a, sizeof(a))));
    close(fd);
    check("bind port after close", "%s", outcome(bind(again, (struct sockaddr *)&a, sizeof(a))));
    close(again);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    check("listen without bind", "%s %d", outcome(listen(fd, 1)), port_of(fd) > 0);
    check("listen poll", "%s", polled(fd, 0));
    check("listen acceptconn", "%ld", get_int(fd, SOL_SOCKET, SO_ACCEPTCONN));
    check("listen again", "%s", outcome(listen(fd, 9)));
    a = at4(port_of(fd));
    check("connect on a listener", "%s", outcome(connect(fd, (struct sockaddr *)&a, sizeof(a))));
    close(fd);
}

static void connect_refused(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), l;
    check("connect refused", "%s", outcome(try_connect(fd, unused_port())));
    check("connect refused poll", "%s", polled(fd, 0));
    check("connect refused error", "%ld", get_int(fd, SOL_SOCKET, SO_ERROR));
    l = listener(5);
    check("connect after refusal", "%s", outcome(try_connect(fd, port_of(l))));
    check("connect after refusal peer", "%d", write(fd, "x", 1) == 1);
    close(fd);
    close(l);

    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    uint16_t port = unused_port();
    check("non-blocking connect refused", "%s", outcome(try_connect(fd, port)));
    poll_until(fd, POLLOUT, 2000);
    check("non-blocking connect refused poll", "%s", polled(fd, 0));
    check("non-blocking connect refused error", "%s", error_name((int)get_int(fd, SOL_SOCKET, SO_ERROR)));
    check("non-blocking connect refused error is told once", "%ld", get_int(fd, SOL_SOCKET, SO_ERROR));
    close(fd);

    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)try_connect(fd, port);
    poll_until(fd, POLLOUT, 2000);
    char c;
    check("recv after a refusal", "%s", outcome(recv(fd, &c, 1, 0)));
    close(fd);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)try_connect(fd, port);
    poll_until(fd, POLLOUT, 2000);
    check("connect asks for the refusal", "%s", outcome(try_connect(fd, port)));
    l = listener(5);
    check("connect again, not waiting", "%s", outcome(try_connect(fd, port_of(l))));
    poll_until(fd, POLLOUT, 2000);
    check("connect again, not waiting, poll", "%s", polled(fd, 0));
    close(fd);
    close(l);
}

static void connect_waiting_in_epoll(const char *name, uint32_t mode)
{
    int l = listener(5), e = epoll_create1(0), fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | mode}, got = {0};
    char text[64];
    epoll_ctl(e, EPOLL_CTL_ADD, fd, &ev);
    (void)epoll_wait(e, &got, 1, 0);    /* what an unconnected one says */
    int err = try_connect(fd, port_of(l));
    snprintf(text, sizeof(text), "%s connect", name);
    check(text, "%s", outcome(err));
    got.events = 0;
    int n = epoll_wait(e, &got, 1, 2000);
    snprintf(text, sizeof(text), "%s wakes", name);
    check(text, "%d %s", n, events_name(got.events & ~(uint32_t)EPOLLET));
    snprintf(text, sizeof(text), "%s again", name);
    got.events = 0;
    n = epoll_wait(e, &got, 1, 50);
    check(text, "%d %s", n, events_name(got.events & ~(uint32_t)EPOLLET));
    close(fd);
    close(e);
    close(l);
}

void checks_connect(void)
{
    int l = listener(5), fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = at4(port_of(l)), b;
    struct sockaddr_in6 a6 = at6(port_of(l));
    socklen_t len = sizeof(b);
    check("connect wrong family", "%s", outcome(connect(fd, (struct sockaddr *)&a6, sizeof(a6))));
    check("connect short address", "%s", outcome(connect(fd, (struct sockaddr *)&a, 4)));
    check("connect nowhere", "%s", outcome(connect(fd, (struct sockaddr *)8, sizeof(a))));
    check("connect not a socket", "%s", outcome(connect(STDERR_FILENO + 100, (struct sockaddr *)&a, sizeof(a))));
    check("connect", "%s", outcome(connect(fd, (struct sockaddr *)&a, sizeof(a))));
    check("connect twice", "%s", outcome(connect(fd, (struct sockaddr *)&a, sizeof(a))));
    check("connected poll", "%s", polled(fd, 0));
    check("connected getpeername", "%s %d", outcome(getpeername(fd, (struct sockaddr *)&b, &len)),
          b.sin_port == a.sin_port && b.sin_addr.s_addr == a.sin_addr.s_addr && len == sizeof(b));
    check("connected getsockname", "%s %d", outcome(getsockname(fd, (struct sockaddr *)&b, &len)),
          b.sin_family == AF_INET && b.sin_port != 0 && b.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    len = 4;
    check("getsockname cut", "%s %d", outcome(getsockname(fd, (struct sockaddr *)&b, &len)), (int)len);
    check("getsockname nowhere", "%s", outcome(getsockname(fd, (struct sockaddr *)8, &len)));
    check("connected bind", "%s", outcome(bind(fd, (struct sockaddr *)&a, sizeof(a))));
    check("connected listen", "%s", outcome(listen(fd, 5)));
    close(fd);

    fd = socket(AF_INET, SOCK_STREAM, 0);
    a.sin_addr.s_addr = 0;
    check("connect to 0.0.0.0", "%s", outcome(connect(fd, (struct sockaddr *)&a, sizeof(a))));
    len = sizeof(b);
    getpeername(fd, (struct sockaddr *)&b, &len);
    check("connect to 0.0.0.0 peer", "%d", b.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    close(fd);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    check("non-blocking connect", "%s", outcome(try_connect(fd, port_of(l))));
    poll_until(fd, POLLOUT, 2000);
    check("non-blocking connect poll", "%s", polled(fd, 0));
    check("non-blocking connect error", "%ld", get_int(fd, SOL_SOCKET, SO_ERROR));
    check("non-blocking connect once more", "%s", outcome(try_connect(fd, port_of(l))));
    check("non-blocking connect and again", "%s", outcome(try_connect(fd, port_of(l))));
    close(fd);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    a = at4(0);
    bind(fd, (struct sockaddr *)&a, sizeof(a));
    uint16_t own = port_of(fd);
    check("connect from a bound port", "%s %d", outcome(try_connect(fd, port_of(l))), port_of(fd) == own);
    close(fd);
    close(l);
    connect_refused();
    connect_waiting_in_epoll("epoll level", 0);
    connect_waiting_in_epoll("epoll edge", EPOLLET);
}

static void *connect_later(void *arg)
{
    usleep(100000);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    (void)try_connect(fd, (uint16_t)(uintptr_t)arg);
    usleep(100000);
    close(fd);
    return NULL;
}

static void on_alarm(int sig)
{
    (void)sig;
}

static void accept_interrupted(int l, int flags, const char *name)
{
    struct sigaction act = {.sa_handler = on_alarm, .sa_flags = flags}, old;
    struct itimerval soon = {.it_value.tv_usec = 50000};
    struct sockaddr_in a;
    socklen_t len = sizeof(a);
    pthread_t t;
    sigaction(SIGALRM, &act, &old);
    setitimer(ITIMER_REAL, &soon, NULL);
    pthread_create(&t, NULL, connect_later, (void *)(uintptr_t)port_of(l));
    int fd = accept(l, (struct sockaddr *)&a, &len);
    check(name, "%s", fd < 0 ? error_name(errno) : "accepted");
    if (fd < 0)
        close(accept(l, (struct sockaddr *)&a, &len));
    pthread_join(t, NULL);
    sigaction(SIGALRM, &old, NULL);
    alarm(60);
}

static void accept_in_children(int l)
{
    int fds[2], n = 0;
    for (int i = 0; i < 2; i++)
        if (fork() == 0) {
            struct sockaddr_in a;
            socklen_t len = sizeof(a);
            int c = accept(l, (struct sockaddr *)&a, &len);
            _exit(write(c, "hi", 2) == 2 ? 0 : 1);
        }
    for (int i = 0; i < 2; i++) {
        char buf[8];
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        (void)try_connect(fds[i], port_of(l));
        n += (int)read(fds[i], buf, sizeof(buf));
    }
    int status, good = 0;
    while (wait(&status) > 0)
        good += status == 0;
    check("accept in two children", "%d bytes, %d good ends", n, good);
    close(fds[0]);
    close(fds[1]);
}

void checks_accept(void)
{
    int l = listener(5), fd, c[3];
    struct sockaddr_in a, own;
    socklen_t len = sizeof(a);
    nonblocking(l);
    check("accept of nothing", "%s", outcome(accept(l, (struct sockaddr *)&a, &len)));
    for (int i = 0; i < 3; i++) {
        c[i] = socket(AF_INET, SOCK_STREAM, 0);
        (void)try_connect(c[i], port_of(l));
    }
    poll_until(l, POLLIN, 2000);
    check("accept poll", "%s", polled(l, 0));
    fd = accept4(l, (struct sockaddr *)&a, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    check("accept4 flags", "%d %d", fcntl(fd, F_GETFD), !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
    len = sizeof(own);
    getsockname(c[0], (struct sockaddr *)&own, &len);
    check("accept gives the first one's address", "%d", own.sin_port == a.sin_port && own.sin_addr.s_addr == a.sin_addr.s_addr);
    check("accepted port", "%d", port_of(fd) == port_of(l));
    len = sizeof(a);
    check("accepted getpeername", "%s %d", outcome(getpeername(fd, (struct sockaddr *)&a, &len)), own.sin_port == a.sin_port);
    close(fd);
    poll_until(l, POLLIN, 2000);
    fd = accept4(l, NULL, NULL, 0);
    check("accept without address", "%d %d", fd >= 0, !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
    len = sizeof(own);
    getsockname(c[1], (struct sockaddr *)&own, &len);
    len = sizeof(a);
    check("accept without address getpeername", "%s %d", outcome(getpeername(fd, (struct sockaddr *)&a, &len)),
          own.sin_port == a.sin_port);
    close(fd);
    check("accept4 wrong flags", "%s", outcome(accept4(l, (struct sockaddr *)&a, &len, 1)));
    check("accept nowhere", "%s", outcome(accept(l, (struct sockaddr *)8, &len)));
    for (int i = 0; i < 3; i++)
        close(c[i]);
    uint16_t port = port_of(l);
    close(l);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    check("connect to a closed listener", "%s", outcome(try_connect(fd, port)));
    close(fd);
    l = listener(5);
    accept_interrupted(l, 0, "accept interrupted");
    accept_interrupted(l, SA_RESTART, "accept interrupted, restarted");
    accept_in_children(l);
    close(l);
    int one = 1, two[2];
    for (int i = 0; i < 2; i++) {
        two[i] = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(two[i], SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
        a = at4(i ? port_of(two[0]) : 0);
        check(i ? "two listeners share a port" : "a listener with SO_REUSEPORT", "%s",
              outcome(bind(two[i], (struct sockaddr *)&a, sizeof(a)) || listen(two[i], 5)));
    }
    close(two[0]);
    close(two[1]);
}
