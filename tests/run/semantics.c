/* The table of socket semantics: helpers and the order of the checks. */
#include "semantics.h"

#include <signal.h>

static int checks_n;

void check(const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("%s: ", name);
    vprintf(format, args);
    printf("\n");
    fflush(stdout);
    va_end(args);
    checks_n++;
}

const char *error_name(int err)
{
    const char *name = strerrorname_np(err);
    return name ? name : "?";
}

const char *outcome(long result)
{
    static char text[4][32];
    static int at;
    if (result < 0)
        return error_name(errno);
    char *t = text[at++ % 4];
    snprintf(t, sizeof(text[0]), "%ld", result);
    return t;
}

const char *events_name(uint32_t events)
{
    static char text[4][64];
    static int at;
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {{POLLIN, "IN"}, {POLLPRI, "PRI"}, {POLLOUT, "OUT"}, {POLLERR, "ERR"}, {POLLHUP, "HUP"},
                 {POLLRDHUP, "RDHUP"}};
    char *t = text[at++ % 4];
    size_t n = 0;
    t[0] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (events & names[i].bit)
            n += (size_t)snprintf(t + n, sizeof(text[0]) - n, "%s%s", n ? "|" : "", names[i].name);
    return n ? t : "nothing";
}

const char *polled(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLPRI | POLLOUT | POLLRDHUP};
    int n = poll(&p, 1, ms);
    return n < 0 ? error_name(errno) : events_name((uint32_t)(unsigned short)p.revents);
}

void poll_until(int fd, short events, int ms)
{
    struct pollfd p = {.fd = fd, .events = events};
    (void)poll(&p, 1, ms);
}

struct sockaddr_in at4(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

struct sockaddr_in6 at6(uint16_t port)
{
    return (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port),
                                 .sin6_addr = IN6ADDR_LOOPBACK_INIT};
}

uint16_t port_of(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
        return 0;
    return ntohs(sa.ss_family == AF_INET ? ((struct sockaddr_in *)&sa)->sin_port
                                         : ((struct sockaddr_in6 *)&sa)->sin6_port);
}

static int bound(int family, int type)
{
    int fd = socket(family, type, 0);
    struct sockaddr_in a4 = at4(0);
    struct sockaddr_in6 a6 = at6(0);
    int err = family == AF_INET ? bind(fd, (struct sockaddr *)&a4, sizeof(a4))
                                : bind(fd, (struct sockaddr *)&a6, sizeof(a6));
    if (fd < 0 || err != 0) {
        perror("bind");
        exit(1);
    }
    return fd;
}

int listener(int backlog)
{
    int fd = bound(AF_INET, SOCK_STREAM);
    if (listen(fd, backlog) != 0) {
        perror("listen");
        exit(1);
    }
    return fd;
}

int listener6(void)
{
    int fd = bound(AF_INET6, SOCK_STREAM);
    if (listen(fd, 5) != 0) {
        perror("listen");
        exit(1);
    }
    return fd;
}

int try_connect(int fd, uint16_t port)
{
    struct sockaddr_in a = at4(port);
    return connect(fd, (struct sockaddr *)&a, sizeof(a));
}

struct pair connected(void)
{
    struct pair p = {.listener = listener(5), .client = socket(AF_INET, SOCK_STREAM, 0)};
    if (try_connect(p.client, port_of(p.listener)) != 0) {
        perror("connect");
        exit(1);
    }
    p.server = accept(p.listener, NULL, NULL);
    return p;
}

void close_pair(struct pair *p)
{
    close(p->client);
    close(p->server);
    close(p->listener);
}

uint16_t unused_port(void)
{
    int fd = bound(AF_INET, SOCK_STREAM);
    uint16_t port = port_of(fd);
    close(fd);
    return port;
}

long get_int(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);
    return getsockopt(fd, level, name, &value, &len) == 0 ? value : -errno - 1000;
}

const char *set_int(int fd, int level, int name, int value)
{
    static char text[4][64];
    static int at;
    char *t = text[at++ % 4];
    int err = setsockopt(fd, level, name, &value, sizeof(value));
    const char *how = outcome(err);
    long now = get_int(fd, level, name);
    if (now <= -1000)
        snprintf(t, sizeof(text[0]), "%s, %s", how, error_name((int)(-now - 1000)));
    else
        snprintf(t, sizeof(text[0]), "%s, %ld", how, now);
    return t;
}

void nonblocking(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "inherited") == 0)
        return be_inherited(atoi(argv[2]));
    signal(SIGPIPE, SIG_IGN);
    alarm(60);                          /* a call that never comes back is the end */
    checks_fresh();
    checks_connect();
    checks_accept();
    checks_data();
    checks_ends();
    checks_options();
    checks_process(argv[0]);
    checks_udp();
    checks_udp_messages();
    checks_ip6();
    printf("checks: %d\n", checks_n);
    return 0;
}
