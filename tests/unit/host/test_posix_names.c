/* getaddrinfo and getnameinfo, over a hosts file of the test's own. */
#define _GNU_SOURCE
#include "fx_px.h"

#include <stdlib.h>

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
