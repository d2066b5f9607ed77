/* Captures of a port, the ladder of all wires, the log of events. */
#include "fx_lab.h"

#include "lab/vantage_lab.h"
#include "lens/capture.h"

struct watch {
    struct fx_lab fx;
    struct vantage v[2];
    struct fx_text file[2];
    unsigned n;
    uint8_t *scratch;
    struct world_ladder *ladder;
    struct world_lines *lines;
};

static void on_frame(void *ctx, const struct world_frame *f)
{
    struct watch *w = ctx;
    for (unsigned i = 0; i < w->n; i++)
        vantage_frame(&w->v[i], f);
    if (w->ladder)
        world_ladder_frame(w->ladder, f);
    if (w->lines)
        world_lines_frame(w->lines, f);
}

/* Parse and build, with captures at these ports. */
static void watch_open(struct watch *w, const char *text, const char *const *ports, unsigned n)
{
    *w = (struct watch){.n = n, .scratch = malloc(PCAPNG_SCRATCH)};
    EXPECT(fx_lab_parse(&w->fx, text, NULL, 0));
    w->fx.opt.on_frame = on_frame;
    w->fx.opt.on_frame_ctx = w;
    EXPECT(fx_lab_build(&w->fx));
    for (unsigned i = 0; i < n; i++) {
        uint16_t node = scenario_node(w->fx.s, span_of(ports[i], 1));
        uint16_t port = scenario_port(w->fx.s, node, span_str(ports[i] + 2));
        EXPECT(lab_vantage_open(&w->v[i], w->fx.lab, port, fx_text_sink(&w->file[i]), w->scratch));
    }
}

static void watch_run(struct watch *w)
{
    fx_lab_go(&w->fx);
    for (unsigned i = 0; i < w->n; i++)
        EXPECT(vantage_close(&w->v[i]));
}

static void watch_fini(struct watch *w)
{
    for (unsigned i = 0; i < w->n; i++)
        free(w->file[i].p);
    fx_lab_fini(&w->fx);
    free(w->scratch);
}

static struct capture *open_file(const struct fx_text *f)
{
    struct capture *c = malloc(sizeof(*c));
    EXPECT(capture_open(c, span_of(f->p, f->n)));
    return c;
}

static bool next(struct capture *c, struct capture_frame *f)
{
    enum capture_step step = capture_next(c, f);
    assert_true(step != CAPTURE_FAULT);
    return step == CAPTURE_FRAME;
}

static void expect_text(struct span s, const char *text)
{
    char buf[1024];
    struct txt t = txt_of(buf, sizeof(buf));
    txt_span(&t, s);
    EXPECT_STR(buf, text);
}

/* ---- captures ---- */

TEST("a capture names the scenario, the seed, the port and its addresses")
{
    static const char *const at[] = {"a.eth0"};
    struct watch w;
    struct capture_frame f;
    watch_open(&w, "title \"Two\"\nabout \"hosts\"\nseed 9\nhost a eth0 10.0.0.1/24 fd00::1/64\n"
                   "host b eth0 10.0.0.2/24 | eth1 10.0.1.2/24\n"
                   "link a.eth0 b.eth0 rate 10mbit\nat 1s a ping 10.0.0.2\n", at, 1);
    watch_run(&w);
    struct capture *c = open_file(&w.file[0]);
    EXPECT(next(c, &f));
    expect_text(c->section.hardware, "t.lab");
    expect_text(c->section.os, "virtual time, seed 9");
    expect_text(c->section.application, "oriel " ORIEL_VERSION);
    expect_text(c->section.comments[0], "Two\nhosts");
    EXPECT_EQ(c->interfaces_n, 1);
    expect_text(c->interfaces[0].name, "a.eth0");
    expect_text(c->interfaces[0].description,
                "what leaves and arrives at a.eth0, on the wire to b.eth0");
    EXPECT_EQ(c->interfaces[0].link_type, LINKTYPE_ETHERNET);
    EXPECT_EQ(f.fcs_len, 4);
    const struct oriel_addr addr[] = {addr_v4(0x0a000001), addr_v4(0x0a000002),
                                      addr_v4(0x0a000102)};
    expect_text(capture_name_of(c, &addr[0]), "a");
    expect_text(capture_name_of(c, &addr[1]), "b.eth0");
    expect_text(capture_name_of(c, &addr[2]), "b.eth1");
    free(c);
    watch_fini(&w);
}

TEST("every packet has a sentence and a line of keys; both ends agree about its number")
{
    static const char *const at[] = {"a.eth0", "b.eth0"};
    struct watch w;
    watch_open(&w, TWO_HOSTS "at 0 a ping 10.0.0.2\n", at, 2);
    watch_run(&w);
    struct capture *a = open_file(&w.file[0]), *b = open_file(&w.file[1]);
    struct capture_frame fa, fb;
    unsigned n = 0;
    while (next(a, &fa)) {
        EXPECT(next(b, &fb));
        EXPECT(fa.has_packet_id);
        EXPECT(fa.packet_id == fb.packet_id);
        EXPECT(fa.dir != fb.dir);
        EXPECT(fa.dir == PCAPNG_DIR_OUT ? fb.time == fa.time + NS_PER_MS
                                        : fa.time == fb.time + NS_PER_MS);
        EXPECT(span_eq(fa.bytes, fb.bytes));
        EXPECT_EQ(fa.comments_n, 2);
        n++;
    }
    EXPECT(!next(b, &fb));
    EXPECT_EQ(n, 4);
    free(a);
    a = open_file(&w.file[0]);
    EXPECT(next(a, &fa));
    expect_text(fa.comments[0], "a packet waits for the link address of its next hop");
    EXPECT(span_is(capture_key(&fa, "why"), "ARP_REQUEST"));
    EXPECT(span_is(capture_key(&fa, "node"), "a"));
    EXPECT(capture_key(&fa, "ev").n > 0);
    EXPECT(capture_key(&fa, "cause").n > 0);
    EXPECT_EQ(capture_key(&fa, "fate").n, 0);
    free(a);
    free(b);
    watch_fini(&w);
}

/* The comments of the first packet that an end of such a link sees. */
static void first_comments(const char *text, const char *port, const char *sentence,
                           const char *keys)
{
    struct watch w;
    struct capture_frame f;
    watch_open(&w, text, &port, 1);
    watch_run(&w);
    struct capture *c = open_file(&w.file[0]);
    EXPECT(next(c, &f));
    expect_text(f.comments[0], sentence);
    if (!strstr((const char *)f.comments[1].p, keys))
        fail_msg("expected: %s\nin: %.*s", keys, (int)f.comments[1].n,
                 (const char *)f.comments[1].p);
    free(c);
    watch_fini(&w);
}

#define ASKS "a packet waits for the link address of its next hop"

TEST("what the wire will do to a packet stands in the sender's file")
{
    first_comments(TWO_HOSTS "at 0 link a.eth0 loss 100%\nat 0 a ping 10.0.0.2 wait 1s\n", "a.eth0",
                   ASKS ", but it will be LOST on wire a.eth0-b.eth0 (draw 1)",
                   " node=a fate=lost drop=WIRE_LOSS draw=1");
    first_comments(TWO_HOSTS "at 0 link a.eth0 lose 1\nat 0 a ping 10.0.0.2 wait 1s\n", "a.eth0",
                   ASKS ", but it will be LOST on wire a.eth0-b.eth0", " fate=lost drop=WIRE_LOSS");
    first_comments(TWO_HOSTS "at 0 link a.eth0 mtu 20\nat 0 a ping 10.0.0.2 wait 1s\n", "a.eth0",
                   ASKS ", but it will be LOST: wire a.eth0-b.eth0 carries at most 20 bytes",
                   " fate=too_big drop=WIRE_MTU");
    first_comments(TWO_HOSTS "at 0 link a.eth0 corrupt 100%\nat 0 a ping 10.0.0.2 wait 1s\n",
                   "a.eth0", ASKS ", but wire a.eth0-b.eth0 will damage it (draw 2)",
                   " fate=changed draw=2");
    first_comments(TWO_HOSTS "at 0 link a.eth0 corrupt 100%\nat 0 a ping 10.0.0.2 wait 1s\n",
                   "b.eth0", ASKS "; wire a.eth0-b.eth0 damaged it on the way (draw 2)",
                   " fate=changed draw=2");
}

TEST("a queue that is full loses what comes")
{
    static const char *const at[] = {"a.eth0"};
    struct watch w;
    struct capture_frame f;
    bool full = false;
    watch_open(&w, TWO_HOSTS "at 0 a ping 10.0.0.2\nat 1s link a.eth0 rate 64kbit queue 1\n"
                   "at 2s a udp-send 10.0.0.2:9 size 1000 count 5 every 1ms\n", at, 1);
    watch_run(&w);
    struct capture *c = open_file(&w.file[0]);
    while (next(c, &f))
        if (span_is(capture_key(&f, "fate"), "queue")) {
            expect_text(f.comments[0], "the application sent a datagram, but it will be LOST: the "
                                       "queue of wire a.eth0-b.eth0 is full");
            full = true;
        }
    EXPECT(full);
    free(c);
    watch_fini(&w);
}

TEST("a peer's frame is said to be the scenario's, and a second copy to be one")
{
    static const char *const at[] = {"b.eth0"};
    struct watch w;
    struct capture_frame f;
    watch_open(&w, PEER_AND_HOST "at 0 link x.eth0 double 1\n"
                   "at 1s x send \"eth dst=$b.eth0 src=$x.eth0 type=0x9999 / fill 50\"\n", at, 1);
    watch_run(&w);
    struct capture *c = open_file(&w.file[0]);
    EXPECT(next(c, &f));
    expect_text(f.comments[0], "sent by the scenario");
    EXPECT_EQ(capture_key(&f, "why").n, 0);
    EXPECT(next(c, &f));
    expect_text(f.comments[0], "sent by the scenario; this is the wire's second copy");
    free(c);
    watch_fini(&w);
}

TEST("a wire without check sequences is captured without")
{
    static const char *const at[] = {"a.eth0"};
    struct watch w;
    struct capture_frame f;
    watch_open(&w, "host a eth0 10.0.0.1/24\nhost b eth0 10.0.0.2/24\nlink a.eth0 b.eth0 nofcs\n"
                   "at 0 a ping 10.0.0.2\n", at, 1);
    watch_run(&w);
    struct capture *c = open_file(&w.file[0]);
    EXPECT(next(c, &f));
    EXPECT_EQ(f.fcs_len, 0);
    EXPECT_EQ(f.bytes.n, 60);
    free(c);
    watch_fini(&w);
}

static bool refuse(void *ctx, struct span bytes)
{
    (void)ctx;
    (void)bytes;
    return false;
}

TEST("a file that cannot be written is told at the end")
{
    struct watch w;
    watch_open(&w, TWO_HOSTS "at 0 a ping 10.0.0.2\n", NULL, 0);
    uint16_t port = scenario_port(w.fx.s, 0, span_str("eth0"));
    EXPECT(!lab_vantage_open(&w.v[0], w.fx.lab, port, (struct sink){.put = refuse}, w.scratch));
    w.n = 1;
    fx_lab_go(&w.fx);
    EXPECT(!vantage_close(&w.v[0]));
    watch_fini(&w);
}

#define TALK                                                                                       \
    TWO_HOSTS "at 0 b tcp listen 7 say \"hi\" close\n"                                            \
              "at 1s a tcp connect 10.0.0.2:7 pause 5ms\n"

TEST("a segment's comment has the state of the end that is captured")
{
    struct watch w;
    static const char *const ports[] = {"b.eth0"};
    static const char *const states[] = {"LISTEN", "SYN_RCVD", "SYN_RCVD", "FIN_WAIT_1"};
    watch_open(&w, TALK, ports, 1);
    watch_run(&w);
    struct capture *c = open_file(&w.file[0]);
    struct capture_frame f;
    unsigned n = 0;
    while (n < ARRAY_LEN(states) && capture_next(c, &f) == CAPTURE_FRAME) {
        struct span is = capture_key(&f, "state");
        if (is.n > 0)                           /* ARP has none */
            EXPECT(span_is(is, states[n++]));
    }
    EXPECT_EQ(n, ARRAY_LEN(states));
    free(c);
    watch_fini(&w);
}

/* ---- the ladder ---- */

TEST("the ladder of a connection has relative numbers, and states at both ends")
{
    struct watch w;
    struct fx_text out;
    watch_open(&w, TALK, NULL, 0);
    w.ladder = calloc(1, sizeof(*w.ladder));
    lab_ladder_open(w.ladder, w.fx.lab, fx_text_sink(&out), ladder_style_of(90, true, false));
    watch_run(&w);
    EXPECT(world_ladder_close(w.ladder));
    EXPECT(strstr(out.p, "SYN_SENT |- SYN Seq=0 Win=") != NULL);
    EXPECT(strstr(out.p, ">| LISTEN") != NULL);
    EXPECT(strstr(out.p, " FIN,PSH,ACK Seq=1 Ack=1 Len=2 -| FIN_WAIT_1") != NULL);
    EXPECT(strstr(out.p, "LAST_ACK |- FIN,ACK Seq=1 Ack=4") != NULL);
    free(out.p);
    free(w.ladder);
    watch_fini(&w);
}

TEST("the ladder has a line for every node in their order, and an arrow for every frame")
{
    static const char expected[] =
        "       time   a                                                     x\n"
        "              |                                                     |\n"
        "   0.000000   |- ARP Who has 10.0.0.9? Tell 10.0.0.1 ----x lost     |\n";
    struct watch w;
    struct fx_text out;
    struct ladder_style style = ladder_style_of(70, true, false);
    style.reasons = false;
    watch_open(&w, "host a eth0 10.0.0.1/24\npeer x eth0\nlink a.eth0 x.eth0 lose 1\n"
                   "at 0 a ping 10.0.0.9 wait 10ms\n", NULL, 0);
    w.ladder = malloc(sizeof(*w.ladder));
    lab_ladder_open(w.ladder, w.fx.lab, fx_text_sink(&out), style);
    watch_run(&w);
    EXPECT(world_ladder_close(w.ladder));
    if (!strstr(out.p, "ARP Who has 10.0.0.9? Tell 10.0.0.1") || !strstr(out.p, "x lost"))
        fail_msg("drawn: %s\nexpected something like: %s", out.p, expected);
    free(out.p);
    free(w.ladder);
    watch_fini(&w);
}

TEST("more nodes than lines share the last one")
{
    char text[2048];
    struct txt t = txt_of(text, sizeof(text));
    struct watch w;
    struct fx_text out;
    for (unsigned i = 0; i < 20; i++) {
        txt_s(&t, "host h");
        txt_u(&t, i);
        txt_s(&t, " eth0 10.0.0.");
        txt_u(&t, i + 1);
        txt_s(&t, "/24\n");
    }
    txt_s(&t, "link h0.eth0 h19.eth0\nat 0 h0 ping 10.0.0.20\n");
    watch_open(&w, text, NULL, 0);
    w.ladder = malloc(sizeof(*w.ladder));
    lab_ladder_open(w.ladder, w.fx.lab, fx_text_sink(&out), ladder_style_of(200, true, false));
    watch_run(&w);
    EXPECT(world_ladder_close(w.ladder));
    EXPECT(strstr(out.p, "others"));
    EXPECT(!strstr(out.p, "h19"));
    free(out.p);
    free(w.ladder);
    watch_fini(&w);
}

/* ---- lines ---- */

TEST("a line a frame: who to whom, what, why, and what the wire does to it")
{
    struct watch w;
    struct fx_text out;
    watch_open(&w, "host a eth0 10.0.0.1/24\npeer x eth0\nlink a.eth0 x.eth0 lose 1\n"
                   "at 0 a ping 10.0.0.9 wait 10ms\n", NULL, 0);
    w.lines = malloc(sizeof(*w.lines));
    world_lines_open(w.lines, fx_text_sink(&out), true);
    watch_run(&w);
    EXPECT(strstr(out.p, "0.000000  a > x  ARP Who has 10.0.0.9? Tell 10.0.0.1           a packet waits "
                         "for the link address of its next hop; lost\n") != NULL);
    free(out.p);
    free(w.lines);
    watch_fini(&w);
}

/* ---- the log ---- */

static uint64_t little(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    while (n-- > 0)
        v = v << 8 | p[n];
    return v;
}

TEST("the log is the schema, the nodes, and every event in 64 bytes")
{
    struct watch w;
    struct event_log log;
    struct fx_text out;
    watch_open(&w, TWO_HOSTS "at 0 a ping 10.0.0.2\n", NULL, 0);
    event_log_open(&log, w.fx.lab->w, w.fx.lab->buffer, fx_text_sink(&out));
    lab_start(w.fx.lab);
    while (!lab_over(w.fx.lab) && lab_step(w.fx.lab, ORIEL_NEVER))
        event_log_drain(&log, w.fx.lab->w);
    event_log_drain(&log, w.fx.lab->w);
    EXPECT(!log.bad);
    EXPECT(log.lost == 0);
    EXPECT(strncmp(out.p, "oriel-events 1\n", 15) == 0);
    EXPECT(strstr(out.p, "\nnode 0 a\nnode 1 b\n"));
    const char *at = strstr(out.p, "\nrecords\n");
    assert_non_null(at);
    const uint8_t *r = (const uint8_t *)at + 9;
    size_t n = out.n - (size_t)(at + 9 - out.p);
    EXPECT_EQ(n % 64, 0);
    EXPECT_EQ(n / 64, w.fx.lab->w->trace.next - 1);
    oriel_time before = 0;
    for (size_t i = 0; i < n / 64; i++, r += 64) {
        EXPECT(little(r, 8) == i + 1);                  /* id */
        EXPECT(little(r + 8, 8) >= before);             /* time */
        EXPECT(little(r + 16, 8) < i + 1);              /* the cause came before */
        EXPECT(little(r + 24, 2) < EV_N);
        before = little(r + 8, 8);
    }
    free(out.p);
    watch_fini(&w);
}

TEST("events that were overwritten before they were drained are counted")
{
    struct watch w;
    struct event_log log;
    struct fx_text out;
    watch_open(&w, TWO_HOSTS "at 0 a ping 10.0.0.2 count 9000 interval 1ms quiet\n", NULL, 0);
    event_log_open(&log, w.fx.lab->w, w.fx.lab->buffer, fx_text_sink(&out));
    watch_run(&w);
    event_log_drain(&log, w.fx.lab->w);
    EXPECT(log.lost > 0);
    EXPECT_EQ(log.next, w.fx.lab->w->trace.next);
    free(out.p);
    watch_fini(&w);
}
