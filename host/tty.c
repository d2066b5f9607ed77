/* Serial lines, with termios; the few speeds that it has names for. */
#define _GNU_SOURCE
#include "host/tty.h"

#include "base/compiler.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- speeds ---- */

static const struct {
    unsigned bits;
    speed_t code;
} speeds[] = {
    {1200, B1200}, {2400, B2400}, {4800, B4800}, {9600, B9600}, {19200, B19200}, {38400, B38400},
    {57600, B57600}, {115200, B115200}, {230400, B230400}, {460800, B460800}, {500000, B500000},
    {576000, B576000}, {921600, B921600}, {1000000, B1000000}, {1152000, B1152000}, {1500000, B1500000},
    {2000000, B2000000}, {2500000, B2500000}, {3000000, B3000000}, {3500000, B3500000}, {4000000, B4000000},
};

static bool speed_code(unsigned bits, speed_t *code)
{
    for (size_t i = 0; i < ARRAY_LEN(speeds); i++)
        if (speeds[i].bits == bits) {
            *code = speeds[i].code;
            return true;
        }
    return false;
}

bool tty_speed_is_known(unsigned bits)
{
    speed_t code;
    return speed_code(bits, &code);
}

/* ---- opening ---- */

static bool says_errno(const struct tty *t, char error[DRV_ERROR_MAX])
{
    return drv_error(error, "%s: %s", t->path, strerror(errno));
}

static bool set_raw(int fd, const struct tty_config *cfg, const struct termios *before)
{
    struct termios raw = *before;
    speed_t code;
    cfmakeraw(&raw);
    raw.c_cflag = (raw.c_cflag & ~(tcflag_t)(CRTSCTS | CLOCAL | HUPCL)) | CREAD;
    raw.c_cflag |= (cfg->rtscts ? CRTSCTS : 0) | (cfg->modem ? HUPCL : CLOCAL);
    if (cfg->speed && (!speed_code(cfg->speed, &code) || cfsetspeed(&raw, code) != 0))
        return false;
    return tcsetattr(fd, TCSANOW, &raw) == 0;
}

static bool open_device(struct tty *t, const struct tty_config *cfg, char error[DRV_ERROR_MAX])
{
    t->fd = open(cfg->path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (t->fd < 0)
        return says_errno(t, error);
    if (!isatty(t->fd))
        return drv_error(error, "%s: it is no serial line and no terminal", t->path);
    if (flock(t->fd, LOCK_EX | LOCK_NB) != 0)
        return drv_error(error, "%s: another program uses it", t->path);
    t->saved = tcgetattr(t->fd, &t->before) == 0;
    if (!t->saved || !set_raw(t->fd, cfg, &t->before))
        return drv_error(error, "%s: it cannot be set up (speed %u): %s", t->path, cfg->speed,
                         strerror(errno));
    (void)tcflush(t->fd, TCIOFLUSH);            /* what was said to others */
    return true;
}

/* A link that nobody took away may be replaced; nothing else is. */
static bool link_other(const struct tty *t, char error[DRV_ERROR_MAX])
{
    char was[64];
    ssize_t n = readlink(t->path, was, sizeof was);
    if (n > 9 && memcmp(was, "/dev/pts/", 9) == 0)
        (void)unlink(t->path);
    return symlink(t->other, t->path) == 0 || says_errno(t, error);
}

/* The other end begins as bytes as they are, whoever opens it. */
static bool open_pty(struct tty *t, const struct tty_config *cfg, char error[DRV_ERROR_MAX])
{
    struct termios now;
    t->fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (t->fd < 0 || grantpt(t->fd) != 0 || unlockpt(t->fd) != 0 ||
        ptsname_r(t->fd, t->other, sizeof t->other) != 0)
        return drv_error(error, "no pseudo-terminal: %s", strerror(errno));
    int other = open(t->other, O_RDWR | O_NOCTTY | O_CLOEXEC);
    bool raw = other >= 0 && tcgetattr(other, &now) == 0 && set_raw(other, cfg, &now);
    if (other >= 0)
        close(other);
    if (!raw)
        return drv_error(error, "%s: %s", t->other, strerror(errno));
    return *t->path == 0 || link_other(t, error);
}

bool tty_open(struct tty *t, const struct tty_config *cfg, char error[DRV_ERROR_MAX])
{
    *t = (struct tty){.fd = -1, .pty = cfg->pty};
    (void)snprintf(t->path, sizeof t->path, "%s", cfg->path);
    if (cfg->pty ? open_pty(t, cfg, error) : open_device(t, cfg, error))
        return true;
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
    return false;
}

static bool is_our_link(const struct tty *t)
{
    char is[64];
    ssize_t n = readlink(t->path, is, sizeof is);
    return n > 0 && (size_t)n == strlen(t->other) && memcmp(is, t->other, (size_t)n) == 0;
}

void tty_close(struct tty *t)
{
    if (t->fd < 0)
        return;
    if (t->saved)
        (void)tcsetattr(t->fd, TCSANOW, &t->before);
    if (t->pty && is_our_link(t))
        (void)unlink(t->path);
    close(t->fd);
    t->fd = -1;
}

/* ---- bytes ---- */

bool tty_is_there(const struct tty *t)
{
    struct pollfd p = {.fd = t->fd, .events = POLLIN};
    return t->fd >= 0 && poll(&p, 1, 0) >= 0 && !(p.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static bool is_later(ssize_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

bool tty_is_drained(const struct tty *t)
{
    int other = t->pty ? open(t->other, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC) : -1, left = 0;
    if (other < 0)
        return true;
    bool known = ioctl(other, FIONREAD, &left) == 0;
    close(other);
    return !known || left == 0;
}

/* A terminal that was hung up says the end of a file. */
ssize_t tty_read(struct tty *t, void *to, size_t max)
{
    ssize_t n = read(t->fd, to, max);
    return is_later(n) ? 0 : n <= 0 ? -1 : n;
}

ssize_t tty_write(struct tty *t, const void *from, size_t n)
{
    ssize_t sent = write(t->fd, from, n);
    return is_later(sent) ? 0 : sent < 0 ? -1 : sent;
}
