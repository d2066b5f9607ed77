/*
 * A capture played into a stack: what came then comes again.
 *
 *     pcap:trace.pcapng,addr=192.0.2.7/24,mac=02:00:00:00:00:07        at the pace at which it was taken
 *     pcap:trace.pcap,addr=192.0.2.7/24,fast                           as fast as it is taken now
 *
 * pcap and pcapng, frames of Ethernet or bare IP packets, whichever the first one is. With mac= the stack is the
 * station of that address: what it sent itself then is left out. What the stack says now is counted and goes
 * nowhere. Frames that the capture cut off, or of another kind, are counted as dropped. At the end there is
 * silence, as on a link where nobody speaks.
 *
 * The descriptor is a timer that is due when the next frame is.
 */
#define _GNU_SOURCE
#include "host/drv.h"

#include "base/clock.h"
#include "host/file.h"
#include "host/loop.h"
#include "lens/capture.h"
#include "lens/dissect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define RX_HEADROOM 88

struct replay {
    struct drv d;
    bool fast, has_mac, ended;
    struct file file;
    struct capture capture;
    struct capture_frame next;      /* unless it has ended */
    oriel_time first;               /* time of the first frame, in the capture */
    oriel_time began;               /* and host_now() of its coming; 0: nobody has asked yet */
};

/* ---- which frames ---- */

static bool usable(const struct replay *r, const struct capture_frame *f)
{
    size_t n = f->bytes.n;
    bool whole = f->wire_len <= n && n > f->fcs_len && f->link_type == (r->d.caps.ip ? LENS_RAW : LENS_ETHERNET);
    return whole && n <= 65535u + 22u;
}

static bool was_ours(const struct replay *r, const struct capture_frame *f)
{
    return r->has_mac && !r->d.caps.ip && f->bytes.n >= 12 && memcmp(f->bytes.p + 6, r->d.caps.mac, 6) == 0;
}

/* To the next frame that is to come, or to the end. */
static void advance(struct replay *r)
{
    enum capture_step step;
    while ((step = capture_next(&r->capture, &r->next)) == CAPTURE_FRAME) {
        if (was_ours(r, &r->next))
            continue;
        if (usable(r, &r->next))
            return;
        drv_lost(&r->d, DRV_LOST_SENSE, 1);
    }
    r->ended = true;
    if (step == CAPTURE_FAULT)
        drv_note(&r->d, "damaged at byte %zu: %.100s", r->capture.fault_at, r->capture.fault);
}

/* ---- when ---- */

static oriel_time due(const struct replay *r)
{
    return r->fast || r->next.time < r->first ? r->began : r->began + (r->next.time - r->first);
}

/* The timer: at that moment, which may have passed; never at the end. */
static void set_timer(struct replay *r)
{
    oriel_time at = r->ended ? 0 : r->began == 0 || due(r) == 0 ? 1 : due(r);
    struct itimerspec t = {.it_value = {.tv_sec = (time_t)(at / NS_PER_S), .tv_nsec = (long)(at % NS_PER_S)}};
    (void)timerfd_settime(r->d.fd, TFD_TIMER_ABSTIME, &t, NULL);
}

static unsigned pcap_rx(struct drv *d, struct env *env, struct pkt *out[], unsigned max)
{
    struct replay *r = (struct replay *)(void *)d;
    oriel_time now = host_now();
    unsigned n = 0;
    if (r->began == 0)
        r->began = now;
    for (unsigned seen = 0; seen < max && !r->ended && due(r) <= now; seen++) {
        struct span s = r->next.bytes;
        s.n -= r->next.fcs_len;
        struct pkt *p = pkt_new_copy(env, RX_HEADROOM, s);
        if (p) {
            d->rx_pkts++;
            d->rx_bytes += s.n;
            out[n++] = p;
        } else {
            drv_lost(d, DRV_LOST_MEMORY, 1);
        }
        advance(r);
    }
    set_timer(r);
    return n;
}

static unsigned pcap_tx(struct drv *d, struct pkt *const pkts[], unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        d->tx_bytes += pkt_len(pkts[i]);
    d->tx_pkts += n;
    return n;
}

/* ---- opening ---- */

static void pcap_close(struct drv *d)
{
    struct replay *r = (struct replay *)(void *)d;
    file_close(&r->file);
    if (d->fd >= 0)
        close(d->fd);
    free(r);
}

static bool open_capture(struct replay *r, const char *path, char error[DRV_ERROR_MAX])
{
    int err = file_open(&r->file, path);
    if (err != 0)
        return drv_error(error, "%s: %s", path, strerror(err));
    if (!capture_open(&r->capture, r->file.bytes))
        return drv_error(error, "%s: %.150s", path, r->capture.fault);
    if (capture_next(&r->capture, &r->next) != CAPTURE_FRAME)
        return drv_error(error, "%s: there is no frame in it", path);
    if (r->next.link_type != LENS_ETHERNET && r->next.link_type != LENS_RAW)
        return drv_error(error, "%s: frames of link type %u: expected Ethernet (1) or bare IP (101)", path,
                         r->next.link_type);
    r->d.caps.ip = r->next.link_type == LENS_RAW;
    r->first = r->next.time;
    return true;
}

static bool set_up(struct replay *r, const struct drv_spec *s, char error[DRV_ERROR_MAX])
{
    static const uint8_t none[6];
    r->fast = drv_spec_has(s, "fast");
    if (!open_capture(r, s->where, error))
        return false;
    r->has_mac = memcmp(s->mac, none, 6) != 0;
    drv_choose_mac(&r->d, s);
    if (!r->d.caps.ip && !r->has_mac)
        drv_note(&r->d, "without mac= only frames to everybody reach the stack: it has a link address of its own");
    r->d.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (r->d.fd < 0)
        return drv_error(error, "a timer: %s", strerror(errno));
    if (!usable(r, &r->next) || was_ours(r, &r->next))
        advance(r);
    set_timer(r);
    return true;
}

static struct drv *pcap_open(const struct drv_spec *s, char error[DRV_ERROR_MAX])
{
    struct replay *r = calloc(1, sizeof(*r));
    if (!r) {
        (void)drv_error(error, "no memory");
        return NULL;
    }
    r->d.kind = s->kind;
    r->d.fd = -1;
    r->d.caps.mtu = s->mtu ? s->mtu : 1500;
    memcpy(r->d.name, s->where, sizeof(r->d.name));
    if (set_up(r, s, error))
        return &r->d;
    pcap_close(&r->d);
    return NULL;
}

static const struct drv_key keys[] = {
    {"fast", NULL, "as fast as it is taken, not at its own pace"},
    {NULL, NULL, NULL},
};

const struct drv_kind drv_pcap = {
    .name = "pcap",
    .where = "FILE",
    .help = "a capture, played at its own pace; mac= is the station that the stack is",
    .needs = "nothing",
    .keys = keys,
    .open = pcap_open,
    .rx = pcap_rx,
    .tx = pcap_tx,
    .close = pcap_close,
};
