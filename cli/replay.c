/* oriel replay: a recording of a stack, done again. */
#include "cli/out.h"
#include "cli/verbs.h"
#include "base/clock.h"
#include "host/file.h"
#include "host/replay.h"
#include "trace/pcapng.h"

#include <errno.h>
#include <stdlib.h>

#define NETIFS_MAX 64

static const struct opt opts[] = {
    {.name = "write", .letter = 'w', .type = OPT_FILE, .arg = "FILE",
     .help = "Write the frames that came in, from the recording, and those that leave, as they leave now "
             "with the reason of each, to a pcapng file."},
    {.name = "quiet", .letter = 'q', .type = OPT_FLAG, .help = "Say nothing where all is the same."},
};

static const struct operand operands[] = {
    {.name = "FILE", .kind = OPERAND_FILE, .help = "The recording.", .min = 1, .max = 1},
};

static const struct verb_example examples[] = {
    {"oriel replay bug.rec", "Do it again; are all answers the same?"},
    {"oriel replay -w bug.pcapng bug.rec", "Make a capture of it as well."},
};

static const struct verb_exit exits[] = {
    {EXIT_NEGATIVE, "An answer differs, or the recording is damaged."},
    {EXIT_SETUP, "A file cannot be read or written, or another build made the recording."},
};

/* ---- the capture ---- */

struct picture {
    struct pcapng file;
    struct file_sink sink;
    uint32_t interface[NETIFS_MAX];     /* its number in the file + 1, by that of the stack */
    uint8_t frame[REPLAY_FRAME];
    uint8_t scratch[PCAPNG_SCRATCH];
};

/* Nothing is seen of a loopback that nobody watched. A file has links of one kind: the first's. */
static bool is_shown(const struct picture *p, const struct oriel_netif_config *c, uint16_t link_type)
{
    return (c->kind != ORIEL_NETIF_LOOPBACK || c->watched) && c->kind != ORIEL_NETIF_VLAN &&
           (p->file.interfaces_n == 0 || p->file.link_type == link_type);
}

static void on_netif(void *ctx, int netif, const struct oriel_netif_config *c)
{
    struct picture *p = ctx;
    uint32_t id = 0;
    struct pcapng_interface i = {.name = c->name, .link_type = LINKTYPE_RAW};
    if (c->kind == ORIEL_NETIF_ETHER) {
        i.link_type = LINKTYPE_ETHERNET;
        memcpy(i.mac.b, c->mac, sizeof i.mac.b);
    }
    if (netif < NETIFS_MAX && is_shown(p, c, i.link_type) && pcapng_add_interface(&p->file, &i, &id))
        p->interface[netif] = id + 1;
}

static void on_frame(void *ctx, oriel_time now, int netif, bool out, const struct pkt *frame)
{
    struct picture *p = ctx;
    if (netif <= 0 || netif >= NETIFS_MAX || p->interface[netif] == 0)
        return;
    const char *why = out ? oriel_pkt_why(frame) : "came from outside";
    const struct span comment = span_str(why);
    const struct pcapng_frame f = {
        .interface = p->interface[netif] - 1, .time = now, .dir = out ? PCAPNG_DIR_OUT : PCAPNG_DIR_IN,
        .bytes = span_of(p->frame, oriel_pkt_copy(frame, p->frame, sizeof p->frame)),
        .comments = &comment, .comments_n = 1,
    };
    (void)pcapng_add_frame(&p->file, &f);
}

static struct picture *picture_open(const char *path)
{
    const struct pcapng_section section = {.os = "a recording, replayed",
                                           .application = "oriel " ORIEL_VERSION};
    FILE *out = fopen(path, "we");
    struct picture *p = out ? calloc(1, sizeof *p) : NULL;
    if (!p) {
        out_error("replay", "%s: %s", path, strerror(errno));
        if (out)
            fclose(out);
        return NULL;
    }
    pcapng_init(&p->file, file_sink_stream(&p->sink, out), p->scratch, sizeof p->scratch);
    (void)pcapng_add_section(&p->file, &section);       /* it remembers that its sink failed */
    return p;
}

static bool picture_close(struct picture *p, const char *path)
{
    bool bad = fclose(p->sink.stream) != 0 || p->file.bad;
    if (bad)
        out_error("replay", "%s: %s", path, strerror(p->sink.error ? p->sink.error : errno));
    free(p);
    return !bad;
}

/* ---- what came of it ---- */

static int tell(const char *path, bool same, bool quiet, const struct replay_result *r)
{
    if (!same) {
        out_error("replay", "%s: %s", path, r->what);
        return r->calls == 0 ? EXIT_SETUP : EXIT_NEGATIVE;
    }
    if (quiet)
        return EXIT_OK;
    uint64_t ms = (r->ended > r->began ? r->ended - r->began : 0) / NS_PER_MS;
    out_f("%s: %llu calls, %llu steps in %llu.%03llu s, %llu frames in, %llu out: all as recorded\n", path,
          (unsigned long long)r->calls, (unsigned long long)r->steps, (unsigned long long)(ms / 1000),
          (unsigned long long)(ms % 1000), (unsigned long long)r->frames_in,
          (unsigned long long)r->frames_out);
    if (r->died)
        out_f("The program that was recorded ended in its last call; here the call returned.\n");
    return EXIT_OK;
}

static int run(const struct args *a)
{
    struct file f;
    struct replay_result r;
    const char *path = a->operands[0], *to = opt_text(a, "write");
    int err = file_open(&f, path);
    if (err) {
        out_error("replay", "%s: %s", path, strerror(err));
        return EXIT_SETUP;
    }
    struct picture *p = to ? picture_open(to) : NULL;
    if (to && !p) {
        file_close(&f);
        return EXIT_SETUP;
    }
    const struct replay_watch watch = {.on_frame = on_frame, .on_netif = on_netif, .ctx = p};
    bool same = replay(f.bytes, p ? &watch : NULL, &r);
    int status = tell(path, same, opt_on(a, "quiet"), &r);
    if (p && !picture_close(p, to))
        status = EXIT_SETUP;
    file_close(&f);
    return status;
}

const struct verb verb_replay = {
    .name = "replay",
    .summary = "do again what a stack did, from a recording",
    .text = "A recording holds everything that went into a stack: its configuration and seed, every frame "
            "that arrived and when, every call. Replay makes the same calls on a new stack and compares "
            "every answer: results, bytes that were read (by their sum), frames that left (by length, "
            "sum and reason). Programs that link liboriel-posix make recordings (ORIEL_RECORD=FILE).\n\n"
            "A recording is replayed by the build that made it. It holds the stack's seed and all that "
            "was said: give it to people whom you would show both.",
    VERB_LIST(opts, opts),
    VERB_LIST(operands, operands),
    VERB_LIST(examples, examples),
    VERB_LIST(exits, exits),
    .see_also = "dump ladder",
    .run = run,
};
