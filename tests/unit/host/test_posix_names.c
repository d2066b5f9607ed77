/* getaddrinfo and getnameinfo, over a hosts file of the test's own. */
#define _GNU_SOURCE
#include "fx_px.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

static char hosts[] = "/tmp/oriel-hosts-XXXXXX";

static struct oriel_px *start_with_hosts(const char *text)
{
    memcpy(hosts + strlen(hosts) - 6, "XXXXXX", 6);
    int fd = mkstemp(hosts);
    EXPECT(fd >= 0);
    EXPECT_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    const struct oriel_px_config cfg = {.version = ORIEL_PX_VERSION, .seed = 1, .hosts = hosts};
    struct oriel_px *px = oriel_px_start("loopback", &cfg, NULL);
    EXPECT(px != NULL);
    return px;
}

static void stop(struct oriel_px *px)
{
    unlink(hosts);
    oriel_px_stop(px);
}

static void is_v4(const struct addrinfo *a, const char *addr, uint16_t port)
{
    struct sockaddr_in in;
    char text[INET_ADDRSTRLEN];
    EXPECT_EQ(a->ai_family, AF_INET);
    EXPECT_EQ(a->ai_addrlen, sizeof in);
    memcpy(&in, a->ai_addr, sizeof in);
    EXPECT_STR(inet_ntop(AF_INET, &in.sin_addr, text, sizeof text), addr);
    EXPECT_EQ(ntohs(in.sin_port), port);
}

TEST("numeric addresses and services need no file, and give every kind of socket")
{
    struct addrinfo *a, hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    EXPECT_EQ(oriel_px_getaddrinfo("192.0.2.1", "42181", &hints, &a), 0);
    is_v4(a, "192.0.2.1", 42181);
    EXPECT_EQ(a->ai_socktype, SOCK_STREAM);
    EXPECT_EQ(a->ai_next->ai_socktype, SOCK_DGRAM);
    EXPECT(a->ai_next->ai_next == NULL);
    oriel_px_freeaddrinfo(a);
    EXPECT_EQ(oriel_px_getaddrinfo("nobody", "1", &hints, &a), EAI_NONAME);
    EXPECT_EQ(oriel_px_getaddrinfo("192.0.2.1", "http", &hints, &a), EAI_NONAME);
    EXPECT_EQ(oriel_px_getaddrinfo("192.0.2.1", "65536", &hints, &a), EAI_SERVICE);
    hints.ai_family = AF_INET6;
    EXPECT_EQ(oriel_px_getaddrinfo("192.0.2.1", "1", &hints, &a), EAI_ADDRFAMILY);
    hints.ai_family = AF_UNIX;
    EXPECT_EQ(oriel_px_getaddrinfo("192.0.2.1", "1", &hints, &a), EAI_FAMILY);
    EXPECT_STR(oriel_px_gai_strerror(EAI_FAMILY), gai_strerror(EAI_FAMILY));
}

TEST("nobody's name is this host, or every address of it for who listens")
{
    struct addrinfo *a, hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    EXPECT_EQ(oriel_px_getaddrinfo(NULL, "80", &hints, &a), 0);
    is_v4(a, "127.0.0.1", 80);
    EXPECT(a->ai_next == NULL);
    oriel_px_freeaddrinfo(a);
    hints.ai_flags = AI_PASSIVE;
    EXPECT_EQ(oriel_px_getaddrinfo(NULL, "80", &hints, &a), 0);
    is_v4(a, "0.0.0.0", 80);
    oriel_px_freeaddrinfo(a);
    EXPECT_EQ(oriel_px_getaddrinfo(NULL, NULL, &hints, &a), EAI_NONAME);
}

TEST("names stand in the hosts file, with others of the same line, and are found again")
{
    struct oriel_px *px = start_with_hosts("# a comment\n10.0.0.7 server.example server # and more\n"
                                           "fd00::7\tserver.example\nnonsense line\n");
    struct addrinfo *a, hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_CANONNAME};
    char host[100], service[10];
    EXPECT_EQ(oriel_px_getaddrinfo("Server", "7", &hints, &a), 0);
    is_v4(a, "10.0.0.7", 7);
    EXPECT_STR(a->ai_canonname, "server.example");
    EXPECT(a->ai_next == NULL);
    EXPECT_EQ(oriel_px_getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof host, service,
                                   sizeof service, NI_NUMERICSERV), 0);
    EXPECT_STR(host, "server.example");
    EXPECT_STR(service, "7");
    EXPECT_EQ(oriel_px_getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof host, NULL, 0,
                                   NI_NUMERICHOST), 0);
    EXPECT_STR(host, "10.0.0.7");
    EXPECT_EQ(oriel_px_getnameinfo(a->ai_addr, a->ai_addrlen, host, 3, NULL, 0, NI_NUMERICHOST),
              EAI_OVERFLOW);
    oriel_px_freeaddrinfo(a);
    EXPECT_EQ(oriel_px_getaddrinfo("server.example", "7", &hints, &a), 0);
    EXPECT_EQ(a->ai_next->ai_family, AF_INET6);
    oriel_px_freeaddrinfo(a);
    EXPECT_EQ(oriel_px_getaddrinfo("other.example", "7", &hints, &a), EAI_NONAME);
    stop(px);
}

/* ---- name servers ---- */

/* Hears as many questions as it is told and does not answer the first so many: A of "there" is 192.0.2.7;
 * everything else is not there. */
struct server {
    int fd, questions, silent;
};

static void *answer(void *arg)
{
    struct server *s = arg;
    static const uint8_t there[] = {5, 't', 'h', 'e', 'r', 'e', 0, 0, 1};
    static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7};
    for (int i = 0; i < s->questions; i++) {
        uint8_t m[600];
        struct sockaddr_in from;
        socklen_t len = sizeof from;
        ssize_t n = oriel_px_recvfrom(s->fd, m, sizeof m - sizeof record, 0, SAP(from), &len);
        if (n < 12)
            return NULL;
        if (i < s->silent)
            continue;
        size_t end = 12;                        /* of the question; a record for EDNS may follow */
        while (end < (size_t)n && m[end] != 0)
            end += m[end] + 1u;
        end += 5;
        bool found = memcmp(m + 12, there, sizeof there) == 0;
        m[2] = 0x81;                            /* a response */
        m[3] = found ? 0x80 : 0x83;             /* no such name */
        memset(m + 6, 0, 6);
        m[7] = found;
        if (found)
            memcpy(m + end, record, sizeof record);
        (void)oriel_px_sendto(s->fd, m, end + (found ? sizeof record : 0), 0, SA(from));
    }
    return NULL;
}

static struct oriel_px *start_on(const char *link)
{
    char error[ORIEL_PX_ERROR_MAX];
    const struct oriel_px_config cfg = {.version = ORIEL_PX_VERSION, .seed = 1, .hosts = "/dev/null"};
    struct oriel_px *px = oriel_px_start(link, &cfg, error);
    if (!px)
        fail_msg("%s", error);
    return px;
}

/* Two ends of a link, whose first has the name server of both, which will be s. */
static void start_both(struct oriel_px **far, struct oriel_px **near, struct server *s, pthread_t *thread)
{
    char link[2][200];
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(53)};
    int port = 30000 + getpid() % 20000;
    for (int i = 0; i < 2; i++)
        snprintf(link[i], sizeof link[i], "udp:127.0.0.1:%d,peer=127.0.0.1:%d,addr=10.0.0.%d/24,dns=10.0.0.1",
                 port + i, port + 1 - i, i + 1);
    *far = start_on(link[0]);
    *near = start_on(link[1]);
    oriel_px_use(*far);
    s->fd = oriel_px_socket(AF_INET, SOCK_DGRAM, 0);
    EXPECT_EQ(oriel_px_bind(s->fd, SA(at)), 0);
    EXPECT_EQ(pthread_create(thread, NULL, answer, s), 0);
    oriel_px_use(*near);
}

static void stop_both(struct oriel_px *far, struct oriel_px *near, pthread_t thread)
{
    EXPECT_EQ(pthread_join(thread, NULL), 0);
    oriel_px_use(NULL);
    oriel_px_stop(near);
    oriel_px_stop(far);
}

TEST("names that no file has are asked of the link's name servers")
{
    struct oriel_px *far, *near;
    struct server s = {.questions = 2};
    struct addrinfo *a, hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME};
    pthread_t thread;
    start_both(&far, &near, &s, &thread);
    EXPECT_EQ(oriel_px_getaddrinfo("there", "80", &hints, &a), 0);
    is_v4(a, "192.0.2.7", 80);
    EXPECT_STR(a->ai_canonname, "there");
    oriel_px_freeaddrinfo(a);
    EXPECT_EQ(oriel_px_getaddrinfo("there", "81", &hints, &a), 0);      /* known by now */
    is_v4(a, "192.0.2.7", 81);
    oriel_px_freeaddrinfo(a);
    EXPECT_EQ(oriel_px_getaddrinfo("elsewhere", "80", &hints, &a), EAI_NONAME);
    stop_both(far, near, thread);
}

static void nothing(int number)
{
    (void)number;
}

TEST("a name server that is silent at first is asked again, without haste, whatever signals come")
{
    struct oriel_px *far, *near;
    struct server s = {.questions = 2, .silent = 1};
    struct addrinfo *a, hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct sigaction act = {.sa_handler = nothing}, before;
    struct itimerval often = {.it_value.tv_usec = 200000, .it_interval.tv_usec = 200000}, never = {0};
    sigset_t alarms;
    pthread_t thread;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    EXPECT_EQ(sigaction(SIGALRM, &act, &before), 0);
    EXPECT_EQ(pthread_sigmask(SIG_BLOCK, &alarms, NULL), 0);
    start_both(&far, &near, &s, &thread);
    EXPECT_EQ(pthread_sigmask(SIG_UNBLOCK, &alarms, NULL), 0);
    EXPECT_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
    clock_t busy = clock();
    int err = oriel_px_getaddrinfo("there", "80", &hints, &a);
    busy = clock() - busy;
    EXPECT_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
    EXPECT_EQ(err, 0);
    is_v4(a, "192.0.2.7", 80);
    oriel_px_freeaddrinfo(a);
    EXPECT(busy < CLOCKS_PER_SEC / 3);
    EXPECT_EQ(sigaction(SIGALRM, &before, NULL), 0);
    stop_both(far, near, thread);
}
