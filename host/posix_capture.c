/* What passes on the link of an instance, into a pcapng file as it passes. */
#define _GNU_SOURCE
#include "host/posix_run.h"

#include "host/file.h"
#include "lab/vantage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct posix_capture {
    struct vantage v;
    struct dissection d;
    struct file_sink file;
    struct world *world;
    uint8_t scratch[PCAPNG_SCRATCH];
};

static void on_frame(void *ctx, const struct world_frame *f)
{
    struct posix_capture *c = ctx;
    vantage_frame(&c->v, f);
}

static bool link_is_raw(const struct oriel_px *p, const struct port *port)
{
    struct oriel_netif_info n = {.kind = ORIEL_NETIF_ETHER};
    for (uint32_t at = 0; oriel_netif_each(p->node->stack, &at, &n) && n.netif != port->netif;)
        ;
    return n.kind != ORIEL_NETIF_ETHER;
}

/* The world's time 0, since 1970. */
static oriel_time epoch_of(const struct oriel_px *p)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (oriel_time)t.tv_sec * NS_PER_S + (oriel_time)t.tv_nsec - live_now(p->live);
}

struct posix_capture *posix_capture_open(struct oriel_px *p, const char *path, const struct port *port,
                                         char error[DRV_ERROR_MAX])
{
    struct posix_capture *c = calloc(1, sizeof *c);
    int fd = c ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;
    if (fd < 0) {
        (void)snprintf(error, DRV_ERROR_MAX, "%s: %s", path, strerror(c ? errno : ENOMEM));
        free(c);
        return NULL;
    }
    c->world = live_world(p->live);
    struct sink out = file_sink_fd(&c->file, fd);
    const struct vantage_config vc = {.world = c->world, .port = port, .d = &c->d,
                                      .link = link_is_raw(p, port) ? LINKTYPE_RAW : LINKTYPE_ETHERNET,
                                      .epoch = epoch_of(p)};
    if (!vantage_open(&c->v, &vc, out, c->scratch)) {
        (void)snprintf(error, DRV_ERROR_MAX, "%s: %s", path, strerror(c->file.error));
        posix_capture_close(c);
        return NULL;
    }
    c->world->on_frame = on_frame;
    c->world->on_frame_ctx = c;
    return c;
}

void posix_capture_close(struct posix_capture *c)
{
    if (!c)
        return;
    c->world->on_frame = NULL;
    (void)vantage_close(&c->v);
    close(c->file.fd);
    free(c);
}
