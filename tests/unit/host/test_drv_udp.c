/* Links over UDP datagrams, plain and as VXLAN: two drivers that hear each other on loopback. */
#include "fixture.h"

#include "host/datagrams.h"

#include <arpa/inet.h>
#include <poll.h>
#include <unistd.h>

extern const struct drv_kind drv_udp, drv_vxlan;

struct pair {
    struct fx_env fx;
    struct drv *a, *b;
};

static struct drv *open_link(const struct drv_kind *kind, const char *where, const char *rest)
{
    char error[DRV_ERROR_MAX] = "";
    struct drv_spec s = {.kind = kind};
    snprintf(s.where, sizeof s.where, "%s", where);
    snprintf(s.rest, sizeof s.rest, "%s", rest);
    struct drv *d = drv_open(&s, error);
    if (!d)
        fail_msg("%s:%s,%s: %s", kind->name, where, rest, error);
    return d;
}

static unsigned port_of(const struct drv *d)
{
    struct sockaddr_in a;
    socklen_t n = sizeof a;
    EXPECT_EQ(getsockname(d->fd, (struct sockaddr *)&a, &n), 0);
    return ntohs(a.sin_port);
}

/* b waits on a port of its own, a speaks to it. */
static void pair_open(struct pair *p, const struct drv_kind *kind, const char *more_a,
                      const char *more_b)
{
    char rest[80];
    fx_env_init(&p->fx);
    p->b = open_link(kind, "127.0.0.1:0", more_b);
    snprintf(rest, sizeof rest, "peer=127.0.0.1:%u%s", port_of(p->b), more_a);
    p->a = open_link(kind, "127.0.0.1:0", rest);
}

static void pair_close(struct pair *p)
{
    drv_close(p->a);
    drv_close(p->b);
    fx_env_fini(&p->fx);
}

static void send_frame(struct pair *p, struct drv *d, const char *text)
{
    struct pkt *pkt = pkt_new_copy(&p->fx.env, PKT_HEADROOM, span_str(text));
    assert_non_null(pkt);
    EXPECT_EQ(d->kind->tx(d, &pkt, 1), 1);
    pkt_free(pkt);
}

static unsigned receive(struct pair *p, struct drv *d, struct pkt *out[], unsigned max)
{
    struct pollfd f = {.fd = d->fd, .events = POLLIN};
    (void)poll(&f, 1, 200);
    return d->kind->rx(d, &p->fx.env, out, max);
}

static void expect_frame(struct pair *p, struct drv *d, const char *text)
{
    struct pkt *got;
    EXPECT_EQ(receive(p, d, &got, 1), 1);
    EXPECT_EQ(pkt_len(got), strlen(text));
    EXPECT_MEM(pkt_data(got), text, strlen(text));
    pkt_free(got);
}

/* As long as an Ethernet header, and of a type. */
#define FRAME(words) "ddddddssssss\x08\x01" words

TEST("frames go both ways; who waits learns who speaks")
{
    struct pair p;
    pair_open(&p, &drv_udp, "", "");
    send_frame(&p, p.a, FRAME("hello"));
    expect_frame(&p, p.b, FRAME("hello"));
    send_frame(&p, p.b, FRAME("and good day"));
    expect_frame(&p, p.a, FRAME("and good day"));
    EXPECT_EQ(p.a->tx_pkts, 1);
    EXPECT_EQ(p.a->rx_bytes, strlen(FRAME("and good day")));
    pair_close(&p);
}

TEST("a batch arrives in order, in as many calls as it takes")
{
    struct pair p;
    struct pkt *out[40], *in[40];
    unsigned got = 0, n;
    pair_open(&p, &drv_udp, "", "");
    for (unsigned i = 0; i < 40; i++) {
        uint8_t frame[64 + 1] = {0};
        frame[20] = (uint8_t)i;
        out[i] = pkt_new_copy(&p.fx.env, PKT_HEADROOM, span_of(frame, sizeof frame - i % 7));
    }
    EXPECT_EQ(p.a->kind->tx(p.a, out, 40), 40);
    for (unsigned i = 0; i < 40; i++)
        pkt_free(out[i]);
    while (got < 40 && (n = receive(&p, p.b, in + got, 16)) > 0)
        got += n;
    EXPECT_EQ(got, 40);
    for (unsigned i = 0; i < 40; i++) {
        EXPECT_EQ(pkt_data(in[i])[20], i);
        EXPECT_EQ(pkt_len(in[i]), 65 - i % 7);
        pkt_free(in[i]);
    }
    pair_close(&p);
}

TEST("a frame in several pieces leaves as one datagram")
{
    struct pair p;
    struct pkt *got, *whole;
    pair_open(&p, &drv_udp, "", "");
    whole = pkt_new_copy(&p.fx.env, PKT_HEADROOM, span_str(FRAME("head ")));
    struct blk *b = blk_get(p.fx.env.mem, BLK_HEAD);
    memcpy(b->bytes, "tail", 4);
    whole->more[whole->more_n++] = (struct slice){.blk = b, .len = 4};
    EXPECT_EQ(p.a->kind->tx(p.a, &whole, 1), 1);
    pkt_free(whole);
    EXPECT_EQ(receive(&p, p.b, &got, 1), 1);
    EXPECT_EQ(pkt_len(got), strlen(FRAME("head tail")));
    EXPECT_MEM(pkt_data(got), FRAME("head tail"), pkt_len(got));
    pkt_free(got);
    pair_close(&p);
}

TEST("what is sent while nobody is known or nobody listens is lost, not an error")
{
    struct pair p;
    pair_open(&p, &drv_udp, "", "");
    send_frame(&p, p.b, FRAME("to nobody yet"));
    EXPECT_EQ(p.b->tx_dropped, 1);
    EXPECT_EQ(p.b->tx_pkts + p.b->tx_bytes, 0);
    drv_close(p.b);
    send_frame(&p, p.a, FRAME("to a closed port"));
    send_frame(&p, p.a, FRAME("and again"));
    struct pkt *got;
    EXPECT_EQ(receive(&p, p.a, &got, 1), 0);
    EXPECT_EQ(p.a->error, 0);
    p.b = open_link(&drv_udp, "127.0.0.1:0", "");
    pair_close(&p);
}

TEST("a named peer is the only one who is heard")
{
    struct pair p;
    char rest[64];
    struct pkt *got;
    pair_open(&p, &drv_udp, "", "");
    snprintf(rest, sizeof rest, "peer=127.0.0.1:%u", port_of(p.a));
    struct drv *stranger = open_link(&drv_udp, "127.0.0.1:0", rest);
    send_frame(&p, stranger, FRAME("let me in"));
    EXPECT_EQ(receive(&p, p.a, &got, 1), 0);
    drv_close(stranger);
    pair_close(&p);
}

TEST("a datagram larger than the link's frames is dropped and counted")
{
    struct pair p;
    struct pkt *got;
    static uint8_t large[1600];
    pair_open(&p, &drv_udp, "", "");
    EXPECT_EQ(send(p.a->fd, large, sizeof large, 0), sizeof large);
    send_frame(&p, p.a, FRAME("small"));
    EXPECT_EQ(receive(&p, p.b, &got, 1), 0);
    EXPECT_EQ(p.b->rx_dropped, 1);
    EXPECT_EQ(p.b->rx_lost[DRV_LOST_SENSE], 1);
    expect_frame(&p, p.b, FRAME("small"));
    pair_close(&p);
}

static const char *refused(const struct drv_kind *kind, const char *where, const char *rest,
                           uint32_t mtu)
{
    static char error[DRV_ERROR_MAX];
    struct drv_spec s = {.kind = kind, .mtu = mtu};
    snprintf(s.where, sizeof s.where, "%s", where);
    snprintf(s.rest, sizeof s.rest, "%s", rest);
    assert_null(drv_open(&s, error));
    return error;
}

TEST("a description without WHERE may begin with a key")
{
    char error[DRV_ERROR_MAX] = "", value[32];
    struct drv_spec s;
    EXPECT(drv_spec_parse(&s, "vxlan:peer=192.0.2.1,vni=42,addr=10.0.0.1/24", error));
    EXPECT(s.kind == &drv_vxlan);
    EXPECT_STR(s.where, "");
    EXPECT_STR(drv_spec_key(&s, "peer", value, sizeof value), "192.0.2.1");
    EXPECT_STR(drv_spec_key(&s, "vni", value, sizeof value), "42");
    EXPECT_EQ(s.addrs_n, 1);
    EXPECT(drv_spec_parse(&s, "udp:127.0.0.1:4000,peer=127.0.0.1:4001", error));
    EXPECT_STR(s.where, "127.0.0.1:4000");
}

TEST("what cannot be opened is said")
{
    EXPECT(strstr(refused(&drv_udp, "", "", 0), "peer=HOST:PORT"));
    EXPECT(strstr(refused(&drv_udp, "", "peer=nowhere", 0), "'nowhere'"));
    EXPECT(strstr(refused(&drv_udp, "", "peer=:4000", 0), "is no HOST:PORT"));
    EXPECT(strstr(refused(&drv_udp, "[::1", "", 0), "is no [ADDRESS]:PORT"));
    EXPECT(strstr(refused(&drv_udp, "192.0.2.1:4000", "", 0), "cannot take UDP '192.0.2.1:4000'"));
    EXPECT(strstr(refused(&drv_udp, ":4000", "", 20), "mtu=20"));
    EXPECT(strstr(refused(&drv_vxlan, ":0", "peer=127.0.0.1", 0), "expected vni=N"));
    EXPECT(strstr(refused(&drv_vxlan, ":0", "peer=127.0.0.1,vni=16777216", 0), "expected vni=N"));
    EXPECT(strstr(refused(&drv_vxlan, ":0", "peer=127.0.0.1,vni=-1", 0), "expected vni=N"));
}

TEST("over IPv6, too")
{
    struct pair p;
    char rest[64];
    struct sockaddr_in6 a;
    socklen_t n = sizeof a;
    int probe = socket(AF_INET6, SOCK_DGRAM, 0);
    a = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    if (probe < 0 || bind(probe, (struct sockaddr *)&a, sizeof a) < 0) {
        close(probe);
        skip();
    }
    close(probe);
    fx_env_init(&p.fx);
    p.b = open_link(&drv_udp, "[::1]:0", "");
    EXPECT_EQ(getsockname(p.b->fd, (struct sockaddr *)&a, &n), 0);
    snprintf(rest, sizeof rest, "peer=[::1]:%u", ntohs(a.sin6_port));
    p.a = open_link(&drv_udp, "", rest);
    send_frame(&p, p.a, FRAME("six"));
    expect_frame(&p, p.b, FRAME("six"));
    pair_close(&p);
}

/* ---- VXLAN ---- */

TEST("VXLAN: the header of RFC 7348 stands before each frame")
{
    struct pair p;
    uint8_t raw[64];
    static const uint8_t header[] = {8, 0, 0, 0, 0, 0, 42, 0};
    pair_open(&p, &drv_vxlan, ",vni=42", "vni=42");
    send_frame(&p, p.a, FRAME("hello"));
    ssize_t n = recv(p.b->fd, raw, sizeof raw, 0);      /* the driver does not see this one */
    EXPECT_EQ(n, sizeof header + strlen(FRAME("hello")));
    EXPECT_MEM(raw, header, sizeof header);
    send_frame(&p, p.a, FRAME("once more"));
    expect_frame(&p, p.b, FRAME("once more"));
    EXPECT_EQ(p.a->caps.mtu, 1450);
    pair_close(&p);
}

/* From a port that nobody knows. */
static void send_raw(const struct drv *to, const void *bytes, size_t n)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port_of(to))};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(sendto(fd, bytes, n, 0, (struct sockaddr *)&a, sizeof a), n);
    close(fd);
}

TEST("VXLAN: the peer speaks from any port, strangers are not heard")
{
    struct pair p;
    struct pkt *got;
    static const uint8_t good[] = "\x08\0\0\0\0\0\x2a\0" FRAME("from another port");
    pair_open(&p, &drv_vxlan, ",vni=42", "vni=42");
    send_raw(p.a, good, sizeof good - 1);
    expect_frame(&p, p.a, FRAME("from another port"));
    drv_close(p.a);
    p.a = open_link(&drv_vxlan, "127.0.0.1:0", "peer=127.0.0.2,vni=42");
    send_raw(p.a, good, sizeof good - 1);
    EXPECT_EQ(receive(&p, p.a, &got, 1), 0);
    EXPECT_EQ(p.a->rx_dropped, 1);
    pair_close(&p);
}

TEST("VXLAN: another network's frames, tagged ones and those without a number are dropped")
{
    struct pair p;
    struct pkt *got;
    pair_open(&p, &drv_vxlan, ",vni=42", "vni=43");
    send_frame(&p, p.a, FRAME("not yours"));
    EXPECT_EQ(receive(&p, p.b, &got, 1), 0);
    EXPECT_EQ(p.b->rx_dropped, 1);
    static const uint8_t tagged[] = "\x08\0\0\0\0\0\x2b\0" "ddddddssssss\x81\x00\x00\x05\x08\x00";
    static const uint8_t bare[] = "\0\0\0\0\0\0\x2b\0" FRAME("x");
    send_raw(p.b, tagged, sizeof tagged - 1);
    EXPECT_EQ(receive(&p, p.b, &got, 1), 0);
    send_raw(p.b, bare, sizeof bare - 1);
    EXPECT_EQ(receive(&p, p.b, &got, 1), 0);
    EXPECT_EQ(p.b->rx_dropped, 3);
    pair_close(&p);
}
