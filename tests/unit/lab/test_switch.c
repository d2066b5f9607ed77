#include "test.h"

#include "lab/craft.h"
#include "lab/world.h"

/* A switch with four ports, a scripted peer on each; what each peer heard last. */
struct bench {
    struct world w;
    void *memory;
    struct node *sw;
    struct port *ports[4];      /* of the switch */
    struct port *peers[4];
    unsigned heard[4];
    size_t len[4];
    uint8_t frame[4][2048];
};

#define MEMORY ((size_t)32 << 20)

static void seen(void *ctx, const struct world_frame *f)
{
    struct bench *b = ctx;
    for (unsigned i = 0; i < 4; i++)
        if (!f->out && f->port == b->peers[i]) {
            b->heard[i]++;
            b->len[i] = f->bytes.n;
            memcpy(b->frame[i], f->bytes.p, f->bytes.n);
        }
}

static struct bench *make(void)
{
    static const char *const name[] = {"p0", "p1", "p2", "p3"}, *const peer[] = {"a", "b", "c", "d"};
    struct bench *b = calloc(1, sizeof(*b));
    struct wire_params wp = {.fcs = true};
    int err;
    b->memory = malloc(MEMORY);
    EXPECT(world_init(&b->w, b->memory, MEMORY, &(struct world_config){.seed = 1}));
    b->w.on_frame = seen;
    b->w.on_frame_ctx = b;
    b->sw = world_add_node(&b->w, NODE_SWITCH, span_str("sw"), NULL, 0);
    for (unsigned i = 0; i < 4; i++) {
        struct node *n = world_add_node(&b->w, NODE_PEER, span_str(peer[i]), NULL, 0);
        b->ports[i] = world_add_port(&b->w, b->sw, &(struct oriel_netif_config){.name = name[i]}, &err);
        b->peers[i] = world_add_port(&b->w, n, &(struct oriel_netif_config){.name = "eth0"}, &err);
        EXPECT(world_join(&b->w, b->ports[i], b->peers[i], &wp) != NULL);
    }
    return b;
}

static void end(struct bench *b)
{
    EXPECT(world_check(&b->w) == NULL);
    world_fini(&b->w);
    struct arena a;
    arena_init(&a, b->memory, MEMORY);
    free(b->memory);
    free(b);
}

/* Peer `from` sends; which peers heard it, as bits. */
static unsigned say(struct bench *b, unsigned from, const char *text)
{
    uint8_t frame[2048];
    struct wr w = wr_of(frame, sizeof(frame));
    unsigned heard = 0;
    EXPECT(craft(span_str(text), &w, NULL));
    memset(b->heard, 0, sizeof(b->heard));
    EXPECT(world_send(&b->w, b->peers[from], wr_span(&w)));
    world_run(&b->w, b->w.env.now + NS_PER_MS);
    for (unsigned i = 0; i < 4; i++)
        heard |= b->heard[i] ? BIT(i) : 0;
    return heard;
}

#define A "02:00:00:00:00:0a"
#define B "02:00:00:00:00:0b"

TEST("what is not known floods, what was heard is learned, and then only its port hears")
{
    struct bench *b = make();
    EXPECT_EQ(say(b, 0, "eth dst=" B " src=" A " type=0x9000 / zeros 46 ; fcs"), 0xe);
    EXPECT_EQ(say(b, 1, "eth dst=" A " src=" B " type=0x9000 / zeros 46 ; fcs"), 0x1);
    EXPECT_EQ(say(b, 0, "eth dst=" B " src=" A " type=0x9000 / zeros 46 ; fcs"), 0x2);
    EXPECT_EQ(say(b, 0, "eth dst=ff:ff:ff:ff:ff:ff src=" A " type=0x9000 / zeros 46 ; fcs"), 0xe);
    end(b);
}

TEST("a station that moves is learned anew, and one that is silent for five minutes is forgotten")
{
    struct bench *b = make();
    (void)say(b, 0, "eth dst=" B " src=" A " type=0x9000 / zeros 46 ; fcs");
    (void)say(b, 2, "eth dst=" B " src=" A " type=0x9000 / zeros 46 ; fcs");
    EXPECT_EQ(say(b, 1, "eth dst=" A " src=" B " type=0x9000 / zeros 46 ; fcs"), 0x4);
    world_run(&b->w, b->w.env.now + FDB_LIFE);
    EXPECT_EQ(say(b, 1, "eth dst=" A " src=" B " type=0x9000 / zeros 46 ; fcs"), 0xd);
    end(b);
}

TEST("a frame for the side it came from is filtered")
{
    struct bench *b = make();
    (void)say(b, 0, "eth dst=" B " src=" A " type=0x9000 / zeros 46 ; fcs");
    EXPECT_EQ(say(b, 0, "eth dst=" A " src=" B " type=0x9000 / zeros 46 ; fcs"), 0);
    EXPECT_EQ(b->w.env.drop_count[DROP_SWITCH_FILTERED], 1);
    test_reason_seen("drop", "SWITCH_FILTERED");
    end(b);
}

TEST("a damaged or short frame dies in the switch")
{
    struct bench *b = make();
    EXPECT_EQ(say(b, 0, "eth dst=" B " src=" A " type=0x9000 / zeros 46 ; badfcs"), 0);
    EXPECT_EQ(say(b, 0, "eth dst=" B " src=" A " type=0x9000 / zeros 20 ; fcs"), 0);
    EXPECT(b->w.env.drop_count[DROP_ETH_FCS] == 1 && b->w.env.drop_count[DROP_ETH_SHORT] == 1);
    end(b);
}

TEST("VLANs are apart; a trunk carries them tagged, an access port bare")
{
    struct bench *b = make();
    b->ports[0]->pvid = 10;
    b->ports[1]->pvid = 20;
    b->ports[2]->pvid = 10;
    b->ports[3]->trunk = true;
    EXPECT_EQ(say(b, 0, "eth dst=ff:ff:ff:ff:ff:ff src=" A " type=0x9000 / zeros 46 ; fcs"), 0xc);
    EXPECT_EQ(b->len[2], 64);
    EXPECT_EQ(b->len[3], 68);
    struct rd r = rd_of(span_of(b->frame[3], b->len[3]));
    struct eth_hdr h;
    EXPECT(eth_parse(&r, &h) && h.tags_n == 1 && h.tags[0].vid == 10 && h.type == 0x9000);
    EXPECT_EQ(eth_fcs(span_of(b->frame[3], 64)), rd_fcs(&(struct rd){b->frame[3] + 64, b->frame[3] + 68, 0}));
    EXPECT_EQ(say(b, 3, "eth dst=ff:ff:ff:ff:ff:ff src=" B " / vlan id=20 type=0x9000 / zeros 46 ; fcs") & 0x7, 0x2);
    EXPECT_EQ(say(b, 1, "eth dst=ff:ff:ff:ff:ff:ff src=" B " / vlan id=10 type=0x9000 / zeros 46 ; fcs"), 0);
    EXPECT_EQ(b->w.env.drop_count[DROP_SWITCH_VLAN], 1);
    test_reason_seen("drop", "SWITCH_VLAN");
    end(b);
}
