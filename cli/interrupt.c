/* Signals that ask a verb to end, as a descriptor. */
#define _GNU_SOURCE
#include "cli/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static volatile sig_atomic_t seen;
static int told = -1;

static void note(int sig)
{
    const uint64_t one = 1;
    int kept = errno;
    if (seen++ > 0)
        _exit(128 + sig);
    if (write(told, &one, sizeof one) < 0)
        _exit(128 + sig);
    errno = kept;
}

int interrupt_open(void)
{
    const struct sigaction tell = {.sa_handler = note};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    told = fd;
    (void)sigaction(SIGINT, &tell, NULL);
    (void)sigaction(SIGTERM, &tell, NULL);
    (void)sigaction(SIGPIPE, &ignore, NULL);
    return fd;
}

void interrupt_close(int fd)
{
    if (fd < 0)
        return;
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    close(fd);
}
