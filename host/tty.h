/*
 * A serial line: a terminal device, or a pseudo-terminal of our own whose other end somebody opens.
 *
 *     struct tty t;
 *     if (!tty_open(&t, &cfg, error)) ...
 *     if (tty_is_there(&t)) ...               somebody has a pseudo-terminal's other end open
 *     n = tty_read(&t, buf, sizeof buf);      0: nothing now; -1: nobody is there any more
 *     tty_close(&t);                          the device is as it was
 *
 * Bytes pass as they are, eight bits, and nothing waits. A device that is in use by another program that asks
 * (flock) is refused.
 */
#ifndef ORIEL_HOST_TTY_H
#define ORIEL_HOST_TTY_H

#include "host/drv.h"

#include <sys/types.h>
#include <termios.h>

struct tty_config {
    const char *path;           /* the device; with pty: where a link to the other end is put */
    bool pty;
    unsigned speed;             /* bits a second; 0: as it is */
    bool rtscts;                /* the wires RTS and CTS say who may send */
    bool modem;                 /* a modem's carrier is the line: without it there is none */
};

struct tty {
    int fd;                     /* -1: not open */
    bool pty;
    bool saved;
    struct termios before;
    char path[DRV_NAME_MAX];
    char other[64];             /* pty: "/dev/pts/7" */
};

/* False: a sentence in `error`, and t is not open. */
bool tty_open(struct tty *t, const struct tty_config *cfg, char error[DRV_ERROR_MAX]);
void tty_close(struct tty *t);

bool tty_is_there(const struct tty *t);
ssize_t tty_read(struct tty *t, void *to, size_t max);
ssize_t tty_write(struct tty *t, const void *from, size_t n);

/* A pseudo-terminal's other end has read all: what it has not read is lost when we close. Bytes that were
 * written just now may still be on their way: look twice, some time apart. */
bool tty_is_drained(const struct tty *t);

/* The speeds that there are: "9600". */
bool tty_speed_is_known(unsigned bits);

#endif
