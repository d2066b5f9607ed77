/* Bytes of a line, decoded and written as a capture; each frame at once. */
#define _GNU_SOURCE
#include "host/serial_frames.h"

#include "base/clock.h"
#include "trace/pcapng.h"
#include "wire/ppp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX   65536u
#define SCRATCH     4096u

struct serial_frames {
    int fd;
    struct pcapng file;
    struct ppp_rx rx[2];            /* what comes, what leaves */
    uint8_t frame[2][FRAME_MAX];
    uint8_t scratch[SCRATCH];
};

static_assert(SCRATCH >= PCAPNG_SCRATCH_MIN, "a block's head fits");

static bool put(void *ctx, struct span bytes)
{
    const struct serial_frames *f = ctx;
    while (bytes.n > 0) {
        ssize_t n = write(f->fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes = span_of(bytes.p + n, bytes.n - (size_t)n);
    }
    return true;
}

static bool begin(struct serial_frames *f, const char *name)
{
    struct pcapng_interface line = {.link_type = LINKTYPE_PPP, .name = name, .description = "a serial line"};
    uint32_t id;
    pcapng_init(&f->file, (struct sink){put, f}, f->scratch, sizeof f->scratch);
    return pcapng_add_section(&f->file, &(struct pcapng_section){.application = "oriel"}) &&
           pcapng_add_interface(&f->file, &line, &id);
}

struct serial_frames *serial_frames_open(const char *path, const char *name, char error[DRV_ERROR_MAX])
{
    struct serial_frames *f = calloc(1, sizeof *f);
    if (f)
        f->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    for (unsigned i = 0; f && i < 2; i++) {
        ppp_rx_init(&f->rx[i], f->frame[i], FRAME_MAX);
        f->rx[i].accm = 0;          /* what a line adds is seen as well, as a frame that is bad */
    }
    if (f && f->fd >= 0 && begin(f, name))
        return f;
    (void)drv_error(error, "%s: %s", path, strerror(errno));
    serial_frames_close(f);
    return NULL;
}

void serial_frames_close(struct serial_frames *f)
{
    if (f && f->fd >= 0)
        close(f->fd);
    free(f);
}

void serial_frames_see(struct serial_frames *f, bool out, const void *bytes, size_t n)
{
    struct rd r = rd_of(span_of(bytes, n));
    struct timespec t;
    struct span frame;
    if (!f)
        return;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    while (ppp_rx_next(&f->rx[out], &r, &frame)) {
        struct pcapng_frame p = {.bytes = frame, .dir = out ? PCAPNG_DIR_OUT : PCAPNG_DIR_IN};
        p.time = (oriel_time)t.tv_sec * NS_PER_S + (oriel_time)t.tv_nsec;
        (void)pcapng_add_frame(&f->file, &p);
    }
}
