/* Drives liboriel-packetdrill.so as packetdrill would: opened at run time, through its table. */
#define _GNU_SOURCE
#include "test.h"

#include "host/packetdrill.h"
#include "lab/craft.h"
#include "lens/dissect.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define BINDING 0               /* the sanitizer refuses RTLD_DEEPBIND */
#else
#define BINDING RTLD_DEEPBIND
#endif

static void *library;
static struct packetdrill_interface io;
static void *ud;

static void open_library(const char *flags)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 64);
    EXPECT(n > 0);
    path[n] = '\0';
    for (int i = 0; i < 3; i++)                 /* unit/host/test_packetdrill */
        *strrchr(path, '/') = '\0';
    strncat(path, "/liboriel-packetdrill.so", 63);
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE | BINDING);
    if (!library)
        fail_msg("%s", dlerror());
    void (*init)(const char *, struct packetdrill_interface *);
    void *symbol = dlsym(library, "packetdrill_interface_init");
    EXPECT(symbol != NULL);
    memcpy(&init, &symbol, sizeof init);
    memset(&io, 0, sizeof io);
    init(flags, &io);
    ud = io.userdata;
}

static void close_library(void)
{
    io.free(ud);
    dlclose(library);
}

/* ---- packets and time ---- */

static uint8_t frame[CRAFT_FRAME_MAX];
static struct dissection d;

static void arrives(const char *line)
{
    struct wr w = wr_of(frame, sizeof frame);
    struct syntax_error e;
    if (!craft(span_str(line), &w, &e))
        fail_msg("%s: column %u", line, e.column);
    EXPECT_EQ(io.netdev_send(ud, frame, wr_len(&w)), 0);
}

static long long now_us(void)
{
    struct timeval tv;
    EXPECT_EQ(io.gettimeofday(ud, &tv, NULL), 0);
    return tv.tv_sec * 1000000LL + tv.tv_usec;
}

/* The next packet that leaves; when it did, 0: none will. */
static long long leaves(void)
{
    size_t n = sizeof frame;
    long long when = 0;
    EXPECT_EQ(io.netdev_receive(ud, frame, &n, &when), 0);
    if (n == 0)
        return 0;
    struct lens_frame f = {.link = LENS_RAW, .bytes = span_of(frame, n), .number = 1};
    dissect(&f, &d);
    return when;
}

static uint64_t value(enum field_id id)
{
    const struct field *f = dissection_first(&d, id);
    EXPECT(f != NULL);
    return f->value.u;
}

static struct sockaddr_in endpoint(const char *addr, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    EXPECT_EQ(inet_pton(AF_INET, addr, &a.sin_addr), 1);
    return a;
}

#define SA(a) (const struct sockaddr *)&(a), sizeof(a)

static int fails_with(ssize_t result)
{
    EXPECT_EQ(result, -1);
    return errno;
}

/* ---- the clock ---- */

TEST("the library has one function to ask for, and getsockopt for who preloads it")
{
    open_library(NULL);
    EXPECT(dlsym(library, "getsockopt") != NULL);
    EXPECT(io.free && io.socket && io.netdev_receive && io.splice);
    close_library();
}

TEST("every call moves the clock by a microsecond at least, and usleep by what it says")
{
    open_library(NULL);
    long long before = now_us();
    EXPECT_EQ(now_us(), before + 1);
    EXPECT_EQ(fails_with(io.close(ud, 12345)), EBADF);
    EXPECT_EQ(now_us(), before + 3);
    EXPECT_EQ(io.usleep(ud, 1000), 0);
    EXPECT_EQ(now_us(), before + 1004);
    EXPECT_EQ(io.usleep(ud, 0), 0);
    EXPECT_EQ(now_us(), before + 1006);
    close_library();
}

/* ---- datagrams ---- */

TEST("a datagram goes in and one comes out, with Linux's flags and errors")
{
    open_library(NULL);
    struct sockaddr_in here = endpoint("192.168.0.1", 7), from;
    socklen_t len = sizeof from;
    char buf[2000];
    int fd = io.socket(ud, AF_INET, SOCK_DGRAM, IPPROTO_UDP), n = -1;
    EXPECT(fd > 2);
    EXPECT(fcntl(fd, F_GETFD) >= 0);            /* a real one */
    EXPECT_EQ(io.bind(ud, fd, SA(here)), 0);
    EXPECT_EQ(io.fcntl(ud, fd, F_GETFL), O_RDWR);
    EXPECT_EQ(io.fcntl(ud, fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
    EXPECT_EQ(fails_with(io.read(ud, fd, buf, sizeof buf)), EAGAIN);
    arrives("ip src=192.0.2.1 dst=192.168.0.1 / udp 1000>7 / \"hello\"");
    EXPECT_EQ(io.ioctl(ud, fd, SIOCINQ, &n), 0);
    EXPECT_EQ(n, 5);
    EXPECT_EQ(io.recvfrom(ud, fd, buf, sizeof buf, MSG_PEEK, (struct sockaddr *)&from, &len), 5);
    EXPECT_EQ(ntohs(from.sin_port), 1000);
    EXPECT_EQ(io.recv(ud, fd, buf, 3, MSG_TRUNC), 5);
    EXPECT_MEM(buf, "hel", 3);
    EXPECT_EQ(io.sendto(ud, fd, "answer", 6, 0, SA(from)), 6);
    EXPECT(leaves() > 0);
    EXPECT_EQ(value(F_UDP_DSTPORT), 1000);
    EXPECT_EQ(value(F_UDP_LENGTH), 14);
    EXPECT_EQ(leaves(), 0);
    EXPECT_EQ(io.close(ud, fd), 0);
    EXPECT(fcntl(fd, F_GETFD) < 0);
    close_library();
}

TEST("an address that packets are sent to is the stack's own, over both families")
{
    open_library(NULL);
    arrives("ip src=192.0.2.1 dst=10.1.2.3 / udp 1000>9 / fill 4");
    EXPECT(leaves() > 0);
    EXPECT_EQ(value(F_ICMP_TYPE), 3);
    arrives("ip6 src=2001:db8::1 dst=fd3d:a0b:17d6::1 / udp 1000>9 / fill 4");
    EXPECT(leaves() > 0);
    EXPECT_EQ(value(F_ICMPV6_TYPE), 1);
    close_library();
}

/* ---- streams ---- */

#define FROM_PEER "ip src=192.0.2.1 dst=192.168.0.1 / tcp 1000>8080 "

static int listener;

static uint32_t handshake(void)
{
    struct sockaddr_in here = endpoint("192.168.0.1", 8080);
    char line[200];
    listener = io.socket(ud, AF_INET, SOCK_STREAM, IPPROTO_TCP);
    EXPECT(listener > 2);
    EXPECT_EQ(io.bind(ud, listener, SA(here)), 0);
    EXPECT_EQ(io.listen(ud, listener, 1), 0);
    arrives(FROM_PEER "flags=S seq=0 win=60000 mss=1000");
    EXPECT(leaves() > 0);
    uint32_t iss = (uint32_t)value(F_TCP_SEQ_RAW);
    EXPECT_EQ(value(F_TCP_FLAGS_SYN), 1);
    EXPECT_EQ(value(F_TCP_ACK_RAW), 1);
    snprintf(line, sizeof line, FROM_PEER "flags=A seq=1 ack=%u win=60000", iss + 1);
    arrives(line);
    return iss;
}

TEST("a connection is accepted, carries data, and tells its TCP_INFO")
{
    open_library("personality=linux,cc=cubic");
    uint32_t iss = handshake();
    struct sockaddr_in from;
    struct tcp_info info;
    socklen_t len = sizeof from;
    char buf[2000], name[16];
    char line[200];
    int fd = io.accept(ud, listener, (struct sockaddr *)&from, &len);
    EXPECT(fd > 2);
    EXPECT_EQ(len, sizeof from);
    EXPECT_EQ(ntohs(from.sin_port), 1000);
    len = sizeof info;
    EXPECT_EQ(io.getsockopt(ud, fd, SOL_TCP, TCP_INFO, &info, &len), 0);
    EXPECT_EQ(len, sizeof info);
    EXPECT_EQ(info.tcpi_state, TCP_ESTABLISHED);
    EXPECT_EQ(info.tcpi_snd_mss, 1000);
    len = sizeof name;
    EXPECT_EQ(io.getsockopt(ud, fd, SOL_TCP, TCP_CONGESTION, name, &len), 0);
    EXPECT_STR(name, "cubic");
    len = sizeof buf;
    EXPECT_EQ(io.getsockopt(ud, fd, SOL_TCP, 26 /* TCP_CC_INFO */, buf, &len), 0);
    EXPECT_EQ(len, 0);
    snprintf(line, sizeof line, FROM_PEER "flags=PA seq=1 ack=%u win=60000 / \"0123456789\"", iss + 1);
    arrives(line);
    struct iovec two[2] = {{buf, 4}, {buf + 100, 100}};
    EXPECT_EQ(io.readv(ud, fd, two, 2), 10);
    EXPECT_MEM(buf, "0123", 4);
    EXPECT_MEM(buf + 100, "456789", 6);
    EXPECT_EQ(io.write(ud, fd, buf, 500), 500);
    close_library();
}

TEST("a retransmission leaves at its own time, as the clock of the library has it")
{
    open_library("rto_min_ms=200");
    uint32_t iss = handshake();
    int fd = io.accept(ud, listener, NULL, NULL);
    char data[100] = "data";
    while (leaves() > 0 && value(F_TCP_LEN) > 0)
        ;
    EXPECT_EQ(io.write(ud, fd, data, sizeof data), 100);
    long long first = leaves();
    EXPECT_EQ(value(F_TCP_SEQ_RAW), iss + 1);
    EXPECT_EQ(value(F_TCP_LEN), 100);
    long long second = leaves();
    EXPECT_EQ(value(F_TCP_SEQ_RAW), iss + 1);
    EXPECT(second - first >= 100000 && second - first <= 1100000);
    EXPECT(now_us() >= second);
    close_library();
}

/* ---- calls that block ---- */

struct reading {
    int fd;
    char buf[100];
    ssize_t got;
    int done;
    pthread_t thread;
};

static void *read_in_thread(void *arg)
{
    struct reading *r = arg;
    ssize_t got = io.read(ud, r->fd, r->buf, sizeof r->buf);
    __atomic_store_n(&r->got, got, __ATOMIC_SEQ_CST);
    __atomic_store_n(&r->done, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

/* Is the thread of that id asleep? packetdrill asks in the same way. */
static void until_asleep(void)
{
    usleep(20000);
}

TEST("a read in a second thread waits for its data, while the first moves time")
{
    open_library(NULL);
    struct sockaddr_in here = endpoint("192.168.0.1", 7);
    struct reading r = {.fd = io.socket(ud, AF_INET, SOCK_DGRAM, 0)};
    EXPECT_EQ(io.bind(ud, r.fd, SA(here)), 0);
    EXPECT_EQ(pthread_create(&r.thread, NULL, read_in_thread, &r), 0);
    until_asleep();
    for (int i = 0; i < 50; i++)
        EXPECT_EQ(io.usleep(ud, 1000), 0);
    EXPECT_EQ(__atomic_load_n(&r.done, __ATOMIC_SEQ_CST), 0);
    arrives("ip src=192.0.2.1 dst=192.168.0.1 / udp 1000>7 / \"hello\"");
    EXPECT_EQ(pthread_join(r.thread, NULL), 0);
    EXPECT_EQ(r.got, 5);
    EXPECT_MEM(r.buf, "hello", 5);
    close_library();
}

TEST("who sleeps while nobody calls moves time: a limit on receiving runs out")
{
    open_library(NULL);
    struct sockaddr_in here = endpoint("192.168.0.1", 7);
    struct timeval limit = {.tv_sec = 5};
    char buf[10];
    int fd = io.socket(ud, AF_INET, SOCK_DGRAM, 0);
    EXPECT_EQ(io.bind(ud, fd, SA(here)), 0);
    EXPECT_EQ(io.setsockopt(ud, fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
    long long before = now_us();
    EXPECT_EQ(fails_with(io.read(ud, fd, buf, sizeof buf)), EAGAIN);
    EXPECT(now_us() - before >= 5000000);
    EXPECT(now_us() - before < 5001000);
    close_library();
}

/* ---- readiness, messages ---- */

TEST("poll and epoll see what is ready")
{
    open_library(NULL);
    struct sockaddr_in here = endpoint("192.168.0.1", 7);
    int fd = io.socket(ud, AF_INET, SOCK_DGRAM, 0), ep = io.epoll_create(ud, 1);
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
    struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.fd = fd}, got[4];
    char buf[10];
    EXPECT_EQ(io.bind(ud, fd, SA(here)), 0);
    EXPECT_EQ(io.epoll_ctl(ud, ep, EPOLL_CTL_ADD, fd, &e), 0);
    EXPECT_EQ(fails_with(io.epoll_ctl(ud, ep, EPOLL_CTL_ADD, fd, &e)), EEXIST);
    EXPECT_EQ(io.epoll_wait(ud, ep, got, 4, 0), 0);
    EXPECT_EQ(io.poll(ud, &p, 1, 0), 1);
    EXPECT_EQ(p.revents, POLLOUT);
    arrives("ip src=192.0.2.1 dst=192.168.0.1 / udp 1000>7 / \"a\"");
    EXPECT_EQ(io.epoll_wait(ud, ep, got, 4, 0), 1);
    EXPECT_EQ(got[0].data.fd, fd);
    EXPECT_EQ(got[0].events, EPOLLIN);
    EXPECT_EQ(io.epoll_wait(ud, ep, got, 4, 0), 0);     /* an edge is told once */
    arrives("ip src=192.0.2.1 dst=192.168.0.1 / udp 1000>7 / \"b\"");
    EXPECT_EQ(io.epoll_wait(ud, ep, got, 4, 0), 1);
    EXPECT_EQ(io.poll(ud, &p, 1, 0), 1);
    EXPECT_EQ(p.revents, POLLIN | POLLOUT);
    EXPECT_EQ(io.read(ud, fd, buf, sizeof buf), 1);
    close_library();
}

TEST("messages carry hop limits and what ICMP said")
{
    open_library(NULL);
    struct sockaddr_in there = endpoint("192.0.2.1", 9), name;
    int fd = io.socket(ud, AF_INET, SOCK_DGRAM, 0), on = 1;
    char buf[100], control[200], line[300];
    struct iovec one = {.iov_base = buf, .iov_len = sizeof buf};
    struct msghdr m = {.msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &one,
                       .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    EXPECT_EQ(io.setsockopt(ud, fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof on), 0);
    EXPECT_EQ(io.setsockopt(ud, fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on), 0);
    EXPECT_EQ(io.connect(ud, fd, SA(there)), 0);
    EXPECT_EQ(io.send(ud, fd, "x", 1, 0), 1);
    EXPECT(leaves() > 0);
    unsigned port = (unsigned)value(F_UDP_SRCPORT);
    snprintf(line, sizeof line, "ip src=192.0.2.1 dst=192.168.0.1 ttl=77 / udp 9>%u / \"y\"", port);
    arrives(line);
    EXPECT_EQ(io.recvmsg(ud, fd, &m, 0), 1);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    EXPECT(c != NULL);
    EXPECT_EQ(c->cmsg_type, IP_TTL);
    EXPECT_EQ(*(int *)(void *)CMSG_DATA(c), 77);
    m.msg_controllen = sizeof control;
    EXPECT_EQ(fails_with(io.recvmsg(ud, fd, &m, MSG_ERRQUEUE)), EAGAIN);
    snprintf(line, sizeof line, "ip src=192.0.2.1 dst=192.168.0.1 / icmp unreachable code=3 / "
             "ip src=192.168.0.1 dst=192.0.2.1 / udp %u>9 / \"x\"", port);
    arrives(line);
    m.msg_controllen = sizeof control;
    EXPECT_EQ(io.recvmsg(ud, fd, &m, MSG_ERRQUEUE), 0);
    EXPECT(m.msg_flags & MSG_ERRQUEUE);
    while (c && c->cmsg_type != IP_RECVERR)
        c = CMSG_NXTHDR(&m, c);
    EXPECT(c != NULL);
    EXPECT_EQ(*(unsigned *)(void *)CMSG_DATA(c), ECONNREFUSED);
    close_library();
}

TEST("a pipe takes from a socket what splice moves")
{
    open_library(NULL);
    struct sockaddr_in here = endpoint("192.168.0.1", 7);
    int fd = io.socket(ud, AF_INET, SOCK_DGRAM, 0), p[2];
    char buf[10];
    EXPECT_EQ(io.bind(ud, fd, SA(here)), 0);
    EXPECT_EQ(io.pipe(ud, p), 0);
    arrives("ip src=192.0.2.1 dst=192.168.0.1 / udp 1000>7 / \"hello\"");
    EXPECT_EQ(io.splice(ud, fd, NULL, p[1], NULL, 100, 0), 5);
    EXPECT_EQ(io.read(ud, p[0], buf, sizeof buf), 5);
    EXPECT_MEM(buf, "hello", 5);
    EXPECT_EQ(io.close(ud, p[1]), 0);
    EXPECT_EQ(io.read(ud, p[0], buf, sizeof buf), 0);
    close_library();
}

/* ---- how it ends ---- */

static int status_of(const char *flags, bool sends)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        (void)!freopen("/dev/null", "w", stderr);
        signal(SIGABRT, SIG_DFL);
        open_library(flags);
        if (sends)
            arrives("ip src=192.0.2.1 dst=192.168.0.1 / udp 1000>9 / \"nobody listens\"");
        io.free(ud);
        _exit(0);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return status;
}

TEST("packets that nobody took are an error in the end only where the flags say so")
{
    EXPECT_EQ(status_of(NULL, true), 0);
    EXPECT_EQ(status_of("leftovers=0", false), 0);
    int status = status_of("leftovers=0", true);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

TEST("flags that make no sense end the program")
{
    int status = status_of("personality=windows", false);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 2);
    EXPECT_EQ(status_of("personality=freebsd,wscale=6,iw=4,tfo_key=000102030405060708090a0b0c0d0e0f",
                        false), 0);
}
