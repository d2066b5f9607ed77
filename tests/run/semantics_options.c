/* Options, and what processes do with descriptors. */
#include "semantics.h"

#include <linux/netlink.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/un.h>

struct option {
    const char *name;
    int level, number, value;
};

static void each(int fd, const char *what, const struct option *o, size_t n)
{
    char text[64];
    for (size_t i = 0; i < n; i++) {
        snprintf(text, sizeof(text), "%s %s", what, o[i].name);
        check(text, "%s", set_int(fd, o[i].level, o[i].number, o[i].value));
    }
}

#define EACH(fd, what, list) each(fd, what, list, sizeof(list) / sizeof((list)[0]))

static const struct option of_streams[] = {
    {"SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 7}, {"SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 1},
    {"SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 20000}, {"SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, 20000},
    {"SO_RCVLOWAT", SOL_SOCKET, SO_RCVLOWAT, 1}, {"SO_PRIORITY", SOL_SOCKET, SO_PRIORITY, 3},
    {"SO_TYPE", SOL_SOCKET, SO_TYPE, 1}, {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 1},
    {"TCP_CORK", IPPROTO_TCP, TCP_CORK, 0}, {"TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 30},
    {"TCP_KEEPIDLE of nothing", IPPROTO_TCP, TCP_KEEPIDLE, 0}, {"TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, 5},
    {"TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, 4}, {"TCP_SYNCNT", IPPROTO_TCP, TCP_SYNCNT, 3},
    {"TCP_LINGER2", IPPROTO_TCP, TCP_LINGER2, 10}, {"TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 9000},
    {"TCP_NOTSENT_LOWAT", IPPROTO_TCP, TCP_NOTSENT_LOWAT, 16384}, {"IP_TOS", IPPROTO_IP, IP_TOS, 0x10},
    {"IP_TTL", IPPROTO_IP, IP_TTL, 33}, {"IP_TTL of nothing", IPPROTO_IP, IP_TTL, 0},
    {"IP_RECVERR", IPPROTO_IP, IP_RECVERR, 1}, {"IPV6_V6ONLY", IPPROTO_IPV6, IPV6_V6ONLY, 1},
    {"an unknown one", SOL_SOCKET, 9999, 1}, {"an unknown one of TCP", IPPROTO_TCP, 9999, 1},
};

static const struct option of_datagrams[] = {
    {"SO_BROADCAST", SOL_SOCKET, SO_BROADCAST, 1}, {"IP_PKTINFO", IPPROTO_IP, IP_PKTINFO, 1},
    {"IP_MULTICAST_TTL", IPPROTO_IP, IP_MULTICAST_TTL, 9}, {"IP_MULTICAST_LOOP", IPPROTO_IP, IP_MULTICAST_LOOP, 0},
    {"IP_MTU_DISCOVER", IPPROTO_IP, IP_MTU_DISCOVER, 2}, {"TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 1},
};

void checks_options(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), value = 1;
    EACH(fd, "option", of_streams);
    socklen_t len = 2;
    check("option set short", "%s", outcome(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, 2)));
    check("option set from nowhere", "%s", outcome(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, (void *)8, 4)));
    check("option got short", "%s %d", outcome(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len)), (int)len);
    struct linger l = {.l_onoff = 1, .l_linger = 5};
    char device[16] = "none";
    socklen_t device_len = sizeof(device);
    check("option SO_BINDTODEVICE", "%s %d", outcome(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &device_len)),
          (int)device_len);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
    l = (struct linger){0};
    len = sizeof(l);
    check("option SO_LINGER", "%s %d %d", outcome(getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &len)), l.l_onoff, l.l_linger);
    struct timeval t = {.tv_sec = 3};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    t.tv_sec = 0;
    len = sizeof(t);
    check("option SO_RCVTIMEO", "%s %ld", outcome(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, &len)), (long)t.tv_sec);
    check("option TCP_CONGESTION of nobody", "%s",
          outcome(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "nobody", 6)));
    char name[16] = "";
    len = sizeof(name);
    check("option TCP_CONGESTION", "%s %d %d", outcome(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len)),
          name[0] != '\0', (int)len);
    close(fd);
    struct pair p = connected();
    struct tcp_info i;
    len = sizeof(i);
    check("TCP_INFO", "%s %d", outcome(getsockopt(p.client, IPPROTO_TCP, TCP_INFO, &i, &len)), i.tcpi_state);
    len = 1;
    check("TCP_INFO cut", "%s %d", outcome(getsockopt(p.client, IPPROTO_TCP, TCP_INFO, &i, &len)), (int)len);
    check("TCP_MAXSEG connected", "%d", get_int(p.client, IPPROTO_TCP, TCP_MAXSEG) > 500);
    shutdown(p.client, SHUT_WR);
    poll_until(p.server, POLLRDHUP, 2000);
    usleep(50000);
    len = sizeof(i);
    getsockopt(p.client, IPPROTO_TCP, TCP_INFO, &i, &len);
    check("TCP_INFO after shutdown", "%d", i.tcpi_state);
    getsockopt(p.server, IPPROTO_TCP, TCP_INFO, &i, &len);
    check("TCP_INFO of its peer", "%d", i.tcpi_state);
    len = sizeof(i);
    getsockopt(p.listener, IPPROTO_TCP, TCP_INFO, &i, &len);
    check("TCP_INFO of a listener", "%d", i.tcpi_state);
    close_pair(&p);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    EACH(fd, "datagram option", of_datagrams);
    close(fd);
}

/* ---- processes ---- */

int be_inherited(int fd)
{
    char c;
    return read(fd, &c, 1) == 1 && c == 'e' && write(fd, "r", 1) == 1 ? 0 : 1;
}

static void executed(const char *self)
{
    struct pair p = connected();
    char number[16], c = 0;
    int status;
    snprintf(number, sizeof(number), "%d", p.server);
    if (fork() == 0) {
        execl(self, self, "inherited", number, (char *)NULL);
        _exit(9);
    }
    (void)!write(p.client, "e", 1);
    check("a descriptor behind exec", "%s %c", outcome(read(p.client, &c, 1)), c);
    wait(&status);
    check("exec ends well", "%d", status);
    fcntl(p.server, F_SETFD, FD_CLOEXEC);
    if (fork() == 0) {
        execl(self, self, "inherited", number, (char *)NULL);
        _exit(9);
    }
    wait(&status);
    check("closed on exec", "%d", WEXITSTATUS(status));
    close_pair(&p);
}

static void passed(void)
{
    struct pair p = connected();
    int by[2], got = -1;
    char c = 'p', control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec v = {.iov_base = &c, .iov_len = 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    *h = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(h), &p.server, sizeof(int));
    (void)!socketpair(AF_UNIX, SOCK_STREAM, 0, by);
    check("descriptor passed", "%s", outcome(sendmsg(by[0], &m, 0)));
    m.msg_controllen = sizeof(control);
    (void)!recvmsg(by[1], &m, 0);
    memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
    close(p.server);
    (void)!write(p.client, "x", 1);
    check("passed descriptor reads", "%s", outcome(read(got, &c, 1)));
    check("passed descriptor is known", "%ld", get_int(got, SOL_SOCKET, SO_PROTOCOL));
    p.server = got;
    close(by[0]);
    close(by[1]);
    close_pair(&p);
}

static void on_alarm(int sig)
{
    (void)sig;
}

static void interrupted(void)
{
    struct pair p = connected();
    struct sigaction act = {.sa_handler = on_alarm}, old;
    struct itimerval soon = {.it_value.tv_usec = 50000};
    char c;
    sigaction(SIGALRM, &act, &old);
    setitimer(ITIMER_REAL, &soon, NULL);
    check("recv interrupted", "%s", outcome(recv(p.client, &c, 1, 0)));
    int u = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in a = at4(0);
    socklen_t len = sizeof(a);
    bind(u, (struct sockaddr *)&a, sizeof(a));
    setitimer(ITIMER_REAL, &soon, NULL);
    check("recvfrom interrupted", "%s", outcome(recvfrom(u, &c, 1, 0, (struct sockaddr *)&a, &len)));
    close(u);
    sigaction(SIGALRM, &old, NULL);
    alarm(60);
    close_pair(&p);
}

void checks_process(const char *self)
{
    struct pair p = connected();
    char c;
    int twin = dup(p.server), status;
    close(p.server);
    (void)!write(p.client, "d", 1);
    check("a dup goes on", "%s", outcome(read(twin, &c, 1)));
    if (fork() == 0) {
        close(twin);
        close(p.client);
        _exit(0);
    }
    wait(&status);
    check("a child's close closes nothing", "%s", outcome(recv(twin, &c, 1, MSG_DONTWAIT)));
    close(p.client);
    check("the last close ends it", "%s", outcome(read(twin, &c, 1)));
    p.server = p.client = twin;
    close_pair(&p);
    p = connected();
    if (fork() == 0) {
        closefrom(3);
        int l = listener(1);
        _exit(l >= 0 && port_of(l) > 0 ? 0 : 1);
    }
    wait(&status);
    check("sockets after closefrom", "%d", status);
    pid_t child = fork();
    if (child == 0) {
        close(p.client);
        pause();
    }
    close(p.server);
    kill(child, SIGKILL);
    wait(&status);
    check("killed holder", "%s", outcome(read(p.client, &c, 1)));
    close_pair(&p);
    executed(self);
    passed();
    interrupted();
    int un[2], nl = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    check("netlink", "%s", outcome(nl < 0 ? -1 : 0));
    check("unix pair", "%s", outcome(socketpair(AF_UNIX, SOCK_DGRAM, 0, un)));
    check("unix domain", "%ld", get_int(un[0], SOL_SOCKET, SO_DOMAIN));
    close(nl);
    close(un[0]);
    close(un[1]);
}
