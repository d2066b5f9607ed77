/*
 * A driver without a stack behind it. Frames are taken in batches; the verb is waited for where it is slow: what
 * the kernel cannot keep meanwhile is lost, counted by reason, and told at the end.
 *
 * Sums that somebody left to whoever sends the frame are finished, so that they are not taken for wrong ones.
 */
#define _GNU_SOURCE
#include "cli/listen.h"

#include "base/clock.h"
#include "cli/interrupt.h"
#include "cli/out.h"
#include "host/file.h"
#include "host/live.h"
#include "pkt/seal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define MEMORY    ((size_t)32 << 20)
#define FRAME_MAX (65535 + 256)         /* of the largest packet, with whatever stands before it */

struct listen {
    const struct args *args;
    const char *verb;
    struct live *v;                     /* for its memory: packets are of a world */
    struct drv *drv;
    int interrupt;
    struct pkt *pkts[DRV_BATCH];
    unsigned pkts_n, at;
    oriel_time time;                    /* of the batch */
    uint64_t seen, kept;
    bool gone;
    FILE *file;
    const char *path;
    struct file_sink sink;
    struct pcapng out;
    uint32_t interface;
    oriel_time began;
    uint8_t frame[FRAME_MAX];
    uint8_t scratch[PCAPNG_SCRATCH];
};

static oriel_time time_of_day(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (oriel_time)t.tv_sec * NS_PER_S + (oriel_time)t.tv_nsec;
}

static uint16_t link_type(const struct listen *l)
{
    return l->drv->caps.ip ? LINKTYPE_RAW : LINKTYPE_ETHERNET;
}

/* ---- the file ---- */

static int cannot_write(const struct listen *l, int error)
{
    out_error(l->verb, "cannot write %s: %s", l->path, strerror(error));
    return EXIT_SETUP;
}

static int open_file(struct listen *l)
{
    const struct pcapng_section section = {.application = "oriel dump"};
    const struct pcapng_interface i = {.link_type = link_type(l), .name = l->drv->name};
    l->path = opt_text(l->args, "write");
    if (!l->path)
        return EXIT_OK;
    l->file = strcmp(l->path, "-") == 0 ? stdout : fopen(l->path, "wbe");
    if (!l->file)
        return cannot_write(l, errno);
    setvbuf(l->file, NULL, _IONBF, 0);          /* it can be read to the last frame, whatever ends us */
    pcapng_init(&l->out, file_sink_stream(&l->sink, l->file), l->scratch, sizeof l->scratch);
    bool good = pcapng_add_section(&l->out, &section) && pcapng_add_interface(&l->out, &i, &l->interface);
    return good ? EXIT_OK : cannot_write(l, l->sink.error);
}

static int close_file(struct listen *l, int status)
{
    const struct pcapng_stats s = {.start = l->began, .end = time_of_day(), .received = l->seen,
                                   .dropped = l->drv->rx_dropped, .delivered = l->kept};
    if (!l->file)
        return status;
    bool good = pcapng_add_stats(&l->out, l->interface, &s);
    if (l->file != stdout && fclose(l->file) != 0 && good) {
        good = false;
        l->sink.error = errno;
    }
    return good || l->sink.error == EPIPE ? status : cannot_write(l, l->sink.error);
}

void listen_keep(struct listen *l, const struct capture_frame *f)
{
    const struct pcapng_frame p = {.interface = l->interface, .time = f->time, .bytes = f->bytes};
    l->kept++;
    if (l->file)
        (void)pcapng_add_frame(&l->out, &p);    /* the file remembers that its sink failed */
}

/* ---- opening and closing ---- */

static int fails(const struct listen *l, enum exit_status status, const char *error)
{
    out_error(l->verb, "%s", error);
    return (int)status;
}

static int open_link(struct listen *l, const char *text)
{
    char error[DRV_ERROR_MAX];
    struct drv_spec spec;
    const struct live_config cfg = {.memory = MEMORY, .quiet = true};
    if (strcmp(text, "user") == 0 || strncmp(text, "lab:", 4) == 0)
        return fails(l, EXIT_USAGE, "--link user and lab: nothing passes there before a verb uses it: -w of that "
                                    "verb writes what does");
    if (!drv_spec_parse(&spec, text, error))
        return fails(l, EXIT_USAGE, error);
    spec.listens = true;
    l->v = live_open(&cfg, error);
    l->drv = l->v ? drv_open(&spec, error) : NULL;
    if (!l->drv)
        return fails(l, EXIT_SETUP, error);
    l->interrupt = interrupt_open();
    return l->interrupt >= 0 ? EXIT_OK : fails(l, EXIT_SETUP, "the system gives no descriptor for signals");
}

static void release(struct listen *l)
{
    while (l->at < l->pkts_n)
        pkt_free(l->pkts[l->at++]);
    interrupt_close(l->interrupt);
    drv_close(l->drv);
    live_close(l->v);
    free(l);
}

int listen_open(struct listen **out, const struct args *a)
{
    struct listen *l = calloc(1, sizeof *l);
    if (!l) {
        out_error(a->verb->name, "there is no memory");
        return EXIT_SETUP;
    }
    l->args = a;
    l->verb = a->verb->name;
    l->interrupt = -1;
    l->began = time_of_day();
    int status = open_link(l, opt_text(a, "link"));
    if (status == EXIT_OK)
        status = open_file(l);
    if (status != EXIT_OK) {
        release(l);
        return status;
    }
    if (!opt_on(a, "quiet"))
        out_note("listening on %s, %s; Ctrl-C ends it", l->drv->name,
                 l->drv->caps.ip ? "bare IP packets" : "Ethernet");
    *out = l;
    return EXIT_OK;
}

static void tell(const struct listen *l)
{
    const char *packets = l->kept == 1 ? "packet" : "packets", *frames = l->kept == 1 ? "frame" : "frames";
    out_note("%llu %s captured, %llu did not match", (unsigned long long)l->kept, packets,
             (unsigned long long)(l->seen - l->kept));
    for (unsigned i = 0; i < DRV_LOST_N; i++)
        if (l->drv->rx_lost[i] > 0)
            out_note("%llu lost: %s", (unsigned long long)l->drv->rx_lost[i], drv_lost_text((enum drv_lost)i));
    if (l->file && l->file != stdout)
        out_note("%llu %s in %s", (unsigned long long)l->kept, frames, l->path);
}

int listen_close(struct listen *l, int status)
{
    status = close_file(l, status);
    if (!opt_on(l->args, "quiet"))
        tell(l);
    if (l->gone)
        status = EXIT_SETUP;
    release(l);
    return status;
}

/* ---- frames ---- */

/* Until there are some. False: none will come. */
static bool wait_for_some(struct listen *l)
{
    struct pollfd p[] = {{.fd = l->drv->fd, .events = POLLIN}, {.fd = l->interrupt, .events = POLLIN}};
    out_flush();
    int n = poll(p, ARRAY_LEN(p), -1);
    if (n > 0 && (p[0].revents & (POLLERR | POLLHUP)) && l->drv->kind->trouble)
        l->drv->kind->trouble(l->drv);
    return (n >= 0 || errno == EINTR) && p[1].revents == 0;
}

static bool is_interrupted(const struct listen *l)
{
    struct pollfd p = {.fd = l->interrupt, .events = POLLIN};
    return poll(&p, 1, 0) != 0;
}

/* The next batch. False: Ctrl-C, or the link is gone. */
static bool take_batch(struct listen *l)
{
    do {
        if (is_interrupted(l))
            return false;
        l->at = 0;
        l->pkts_n = l->drv->kind->rx(l->drv, &live_world(l->v)->env, l->pkts, DRV_BATCH);
        if (l->pkts_n > 0) {
            l->time = time_of_day();
            return true;
        }
    } while (l->drv->error == 0 && wait_for_some(l));
    l->gone = l->drv->error != 0;
    if (l->gone)
        out_error(l->verb, "the link %s is gone: %s", l->drv->name, drv_gone(l->drv));
    return false;
}

bool listen_next(struct listen *l, struct capture_frame *out)
{
    if (l->at == l->pkts_n && !take_batch(l))
        return false;
    struct pkt *p = l->pkts[l->at++];
    if (p->csum == CSUM_PARTIAL)
        (void)pkt_seal(&live_world(l->v)->env, p);
    size_t n = pkt_len(p) < sizeof l->frame ? pkt_len(p) : sizeof l->frame;
    pkt_read(p, 0, l->frame, n);
    *out = (struct capture_frame){
        .number = ++l->seen, .time = l->time, .has_time = true, .link_type = link_type(l),
        .wire_len = (uint32_t)pkt_len(p), .bytes = span_of(l->frame, n), .if_name = span_str(l->drv->name),
    };
    pkt_free(p);
    return true;
}
