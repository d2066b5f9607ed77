/*
 * An instance of liboriel-posix whose both ends are this program's: over loopback.
 *
 *     struct oriel_px *px = fx_px_start();
 *     int pair[2];
 *     fx_px_connected(pair);              both ends of a stream, blocking
 */
#ifndef ORIEL_TESTS_FX_PX_H
#define ORIEL_TESTS_FX_PX_H

#include "test.h"

#include "oriel/posix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define SA(a)  (const struct sockaddr *)&(a), sizeof(a)
#define SAP(a) (struct sockaddr *)&(a)

static inline struct oriel_px *fx_px_start(void)
{
    char error[ORIEL_PX_ERROR_MAX] = "";
    const struct oriel_px_config cfg = {.version = ORIEL_PX_VERSION, .seed = 1};
    struct oriel_px *px = oriel_px_start("loopback", &cfg, error);
    if (!px)
        fail_msg("%s", error);
    return px;
}

static inline struct sockaddr_in fx_px_at(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static inline int fx_px_listener(int type, struct sockaddr_in *at)
{
    socklen_t len = sizeof *at;
    int fd = oriel_px_socket(AF_INET, SOCK_STREAM | type, 0);
    *at = fx_px_at(0);
    EXPECT(fd >= 0);
    EXPECT_EQ(oriel_px_bind(fd, SA(*at)), 0);
    EXPECT_EQ(oriel_px_listen(fd, 100), 0);
    EXPECT_EQ(oriel_px_getsockname(fd, SAP(*at), &len), 0);
    EXPECT(at->sin_port != 0);
    return fd;
}

static inline void fx_px_connected(int pair[2])
{
    struct sockaddr_in at;
    int listener = fx_px_listener(0, &at);
    pair[0] = oriel_px_socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(oriel_px_connect(pair[0], SA(at)), 0);
    pair[1] = oriel_px_accept(listener, NULL, NULL);
    EXPECT(pair[1] >= 0);
    EXPECT_EQ(oriel_px_close(listener), 0);
}

static inline int fx_px_errno(ssize_t result)
{
    EXPECT_EQ(result, -1);
    return errno;
}

static inline int64_t fx_px_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static inline void fx_px_pause(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

#endif
