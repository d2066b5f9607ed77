#define _GNU_SOURCE
#include "fixture.h"

#include "base/clock.h"
#include "host/drv.h"
#include "host/loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* What QEMU does, but that it sends each frame back, in pieces of odd lengths. */
static int echo_frames(const char *path, unsigned piece)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    uint8_t buf[8192];
    ssize_t n;
    alarm(20);
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    while (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
        usleep(1000);
    while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
        for (ssize_t at = 0; at < n; at += piece)
            if (send(fd, buf + at, n - at < piece ? (size_t)(n - at) : piece, MSG_NOSIGNAL) < 0)
                return 1;
    return 0;
}

static char path[100];

static struct drv *open_link(const char *more, char error[DRV_ERROR_MAX])
{
    struct drv_spec s;
    char spec[256];
    (void)snprintf(spec, sizeof(spec), "qemu:%s,mtu=9000%s", path, more);
    error[0] = 0;
    return drv_spec_parse(&s, spec, error) ? drv_open(&s, error) : NULL;
}

static pid_t begin(unsigned piece)
{
    (void)snprintf(path, sizeof(path), "/tmp/oriel-qemu-%d.sock", (int)getpid());
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(echo_frames(path, piece));
    return pid;
}

static size_t size_of(unsigned i)
{
    return i * 7919 % 9014 + 1;
}

static struct pkt *frame(struct fx_env *fx, unsigned i)
{
    size_t n = size_of(i);
    struct pkt *p = pkt_new(&fx->env, PKT_HEADROOM, n);
    EXPECT(p != NULL);
    for (size_t k = 0; k < n; k++)
        pkt_data(p)[k] = (uint8_t)(k * 31 + i);
    return p;
}

/* So many frames there and back; how often the socket was full. `asleep`: goes on when it was once. */
static uint64_t there_and_back(struct drv *d, unsigned count, pid_t asleep)
{
    struct fx_env fx;
    fx_env_init(&fx);
    unsigned sent = 0, got = 0;
    for (oriel_time give_up = host_now() + 15 * NS_PER_S; got < count && host_now() < give_up;) {
        struct pkt *in[DRV_BATCH], *out = sent < count ? frame(&fx, sent) : NULL;
        if (out) {
            sent += d->kind->tx(d, &out, 1);
            pkt_free(out);
        } else if (d->unsent) {
            EXPECT_EQ(d->kind->tx(d, NULL, 0), 0);
        }
        if (asleep && d->tx_full > 0) {
            EXPECT_EQ(kill(asleep, SIGCONT), 0);
            asleep = 0;
        }
        unsigned n = d->kind->rx(d, &fx.env, in, DRV_BATCH);
        for (unsigned i = 0; i < n; i++, got++) {
            EXPECT_EQ(pkt_len(in[i]), size_of(got));
            for (size_t k = 0; k < pkt_len(in[i]); k++)
                EXPECT_EQ(pkt_data(in[i])[k], (uint8_t)(k * 31 + got));
            pkt_free(in[i]);
        }
        struct pollfd p = {.fd = d->fd, .events = POLLIN};
        if (n == 0 && sent == count)
            (void)poll(&p, 1, 100);
    }
    EXPECT_EQ(got, count);
    EXPECT_EQ(d->tx_dropped + d->rx_dropped, 0);
    fx_env_fini(&fx);
    return d->tx_full;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

TEST("frames of every size come back whole, in whatever pieces the stream has them")
{
    static const unsigned piece[] = {8192, 1000, 13};
    for (unsigned i = 0; i < 3; i++) {
        char error[DRV_ERROR_MAX];
        pid_t pid = begin(piece[i]);
        struct drv *d = open_link("", error);
        if (!d)
            fail_msg("%s", error);
        (void)there_and_back(d, i == 2 ? 100 : 600, 0);
        EXPECT(access(path, F_OK) != 0);        /* the socket's name is gone once it is taken */
        drv_close(d);
        end(pid);
    }
}

TEST("a socket that is full keeps what was begun of a frame before all others")
{
    char error[DRV_ERROR_MAX];
    pid_t pid = begin(100);
    struct drv *d = open_link("", error);
    EXPECT(d != NULL);
    int little = 4608;
    EXPECT_EQ(setsockopt(d->fd, SOL_SOCKET, SO_SNDBUF, &little, sizeof(little)), 0);
    EXPECT_EQ(kill(pid, SIGSTOP), 0);
    EXPECT(waitpid(pid, NULL, WUNTRACED) == pid);
    EXPECT(there_and_back(d, 300, pid) > 0);
    drv_close(d);
    end(pid);
}

/* Sends frames of one byte for as long as it is let. */
static int flood(void)
{
    static uint8_t frames[5 * 4096];
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    alarm(20);
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    for (size_t i = 3; i < sizeof(frames); i += 5)
        frames[i] = 1;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    while (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
        usleep(1000);
    while (send(fd, frames, sizeof(frames), MSG_NOSIGNAL) > 0) {
    }
    return 0;
}

TEST("without memory a call throws away what its buffer holds, and comes back")
{
    char error[DRV_ERROR_MAX];
    struct fx_env fx;
    struct pkt *in[DRV_BATCH];
    (void)snprintf(path, sizeof(path), "/tmp/oriel-qemu-%d.sock", (int)getpid());
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(flood());
    struct drv *d = open_link("", error);
    EXPECT(d != NULL);
    fx_env_init(&fx);
    fx.budget.max = fx.budget.used;
    for (unsigned i = 0; i < 20; i++) {
        uint64_t before = d->rx_lost[DRV_LOST_MEMORY];
        EXPECT_EQ(d->kind->rx(d, &fx.env, in, DRV_BATCH), 0);
        EXPECT(d->rx_lost[DRV_LOST_MEMORY] - before <= 4 * 70000 / 5);
    }
    struct pollfd ready = {.fd = d->fd, .events = POLLIN};
    EXPECT_EQ(poll(&ready, 1, 5000), 1);
    (void)d->kind->rx(d, &fx.env, in, DRV_BATCH);
    EXPECT(d->rx_lost[DRV_LOST_MEMORY] > 0 && d->error == 0);
    drv_close(d);
    end(pid);
    fx_env_fini(&fx);
}

TEST("what was begun of the last frame is sent as well, when nothing follows it")
{
    char error[DRV_ERROR_MAX];
    struct fx_env fx;
    struct pkt *in[DRV_BATCH];
    pid_t pid = begin(100);
    struct drv *d = open_link("", error);
    EXPECT(d != NULL);
    fx_env_init(&fx);
    int little = 4608;
    EXPECT_EQ(setsockopt(d->fd, SOL_SOCKET, SO_SNDBUF, &little, sizeof(little)), 0);
    EXPECT_EQ(kill(pid, SIGSTOP), 0);
    struct pkt *p = pkt_new(&fx.env, PKT_HEADROOM, 60000);
    memset(pkt_data(p), 7, 60000);
    EXPECT_EQ(d->kind->tx(d, &p, 1), 1);
    pkt_free(p);
    EXPECT(d->unsent);
    EXPECT_EQ(kill(pid, SIGCONT), 0);
    unsigned n = 0;
    for (oriel_time give_up = host_now() + 10 * NS_PER_S; n == 0 && host_now() < give_up;) {
        struct pollfd ready = {.fd = d->fd, .events = (short)(POLLIN | (d->unsent ? POLLOUT : 0))};
        EXPECT(poll(&ready, 1, 5000) > 0);
        EXPECT_EQ(d->kind->tx(d, NULL, 0), 0);
        n = d->kind->rx(d, &fx.env, in, DRV_BATCH);
    }
    EXPECT(n == 1 && !d->unsent && pkt_len(in[0]) == 60000);
    pkt_free(in[0]);
    drv_close(d);
    end(pid);
    fx_env_fini(&fx);
}

static int bound(bool listens)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_EQ(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    EXPECT(!listens || listen(fd, 1) == 0);
    return fd;
}

TEST("of what has that name only a socket where nobody listens any more is taken away")
{
    char error[DRV_ERROR_MAX], text[16] = "";
    (void)snprintf(path, sizeof(path), "/tmp/oriel-qemu-%d.file", (int)getpid());
    FILE *f = fopen(path, "w");
    EXPECT(f && fputs("precious", f) >= 0 && fclose(f) == 0);
    EXPECT(open_link(",wait=0", error) == NULL);
    EXPECT(strstr(error, "no socket") != NULL);
    f = fopen(path, "r");
    EXPECT(f && fgets(text, sizeof(text), f) && fclose(f) == 0);
    EXPECT_STR(text, "precious");
    EXPECT_EQ(unlink(path), 0);
    int fd = bound(true);
    EXPECT(open_link(",wait=0", error) == NULL);
    EXPECT(strstr(error, "somebody listens there") != NULL);
    EXPECT_EQ(access(path, F_OK), 0);
    close(fd);
    EXPECT(open_link(",wait=0", error) == NULL);
    EXPECT(strstr(error, "no QEMU came") != NULL);
    EXPECT(access(path, F_OK) != 0);
}

TEST("the link ends with the connection, after what had come")
{
    char error[DRV_ERROR_MAX];
    struct fx_env fx;
    struct pkt *in[DRV_BATCH];
    pid_t pid = begin(8192);
    struct drv *d = open_link("", error);
    EXPECT(d != NULL);
    fx_env_init(&fx);
    struct pkt *p = frame(&fx, 3);
    EXPECT_EQ(d->kind->tx(d, &p, 1), 1);
    pkt_free(p);
    struct pollfd ready = {.fd = d->fd, .events = POLLIN};
    EXPECT_EQ(poll(&ready, 1, 5000), 1);
    end(pid);
    EXPECT_EQ(d->kind->rx(d, &fx.env, in, DRV_BATCH), 1);
    pkt_free(in[0]);
    EXPECT_EQ(d->kind->rx(d, &fx.env, in, DRV_BATCH), 0);
    EXPECT(d->error < 0);
    drv_close(d);
    fx_env_fini(&fx);
}

TEST("what makes no sense is refused, and nobody is waited for longer than was said")
{
    static const struct {
        const char *spec, *says;
    } rows[] = {
        {"qemu:nowhere", "ADDRESS:PORT"},
        {"qemu:127.0.0.1:99999", "ADDRESS:PORT"},
        {"qemu:/tmp/x,wait=long", "0 to 3600"},
        {"qemu:/tmp/x,colour=red", " connect wait="},
        {"qemu:/nowhere/x,wait=0", "No such file"},
        {"qemu:/tmp/oriel-nobody.sock,wait=0", "no QEMU came"},
        {"qemu:127.0.0.1:1,connect,wait=0", "refused"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct drv_spec s;
        char error[DRV_ERROR_MAX] = "";
        struct drv *d = drv_spec_parse(&s, rows[i].spec, error) ? drv_open(&s, error) : NULL;
        EXPECT(d == NULL);
        if (!strstr(error, rows[i].says))
            fail_msg("%s: '%s' does not say '%s'", rows[i].spec, error, rows[i].says);
    }
}
