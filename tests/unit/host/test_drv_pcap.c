#define _GNU_SOURCE
#include "fixture.h"

#include "base/clock.h"
#include "host/drv.h"
#include "host/loop.h"

#include <poll.h>
#include <unistd.h>

static char path[64];

static void u32(FILE *f, uint32_t v)
{
    EXPECT_EQ(fwrite(&v, 4, 1, f), 1);
}

/* A classic capture: so many frames, 20 ms from one to the next; the second is one of ours, the third cut. */
static void write_capture(uint32_t link, unsigned frames)
{
    (void)snprintf(path, sizeof(path), "/tmp/oriel-pcap-%d.pcap", (int)getpid());
    FILE *f = fopen(path, "wb");
    EXPECT(f != NULL);
    u32(f, 0xa1b2c3d4);
    u32(f, 2 | 4 << 16);
    u32(f, 0);
    u32(f, 0);
    u32(f, 65535);
    u32(f, link);
    for (unsigned i = 0; i < frames; i++) {
        uint8_t bytes[100] = {2, 0, 0, 0, 0, 7, 2, 0, 0, 0, 0, i == 1 ? 7 : 9, 8, 0, (uint8_t)i};
        uint32_t n = 60 + i % 30;
        u32(f, 1000);
        u32(f, 5000 + i * 20000);
        u32(f, n);
        u32(f, i == 2 ? 1500 : n);
        EXPECT_EQ(fwrite(bytes, n, 1, f), 1);
    }
    EXPECT_EQ(fclose(f), 0);
}

static struct drv *open_capture(const char *more, char error[DRV_ERROR_MAX])
{
    struct drv_spec s;
    char spec[200];
    (void)snprintf(spec, sizeof(spec), "pcap:%s%s", path, more);
    error[0] = 0;
    return drv_spec_parse(&s, spec, error) ? drv_open(&s, error) : NULL;
}

/* What comes within that time. */
static unsigned take(struct drv *d, struct fx_env *fx, unsigned want, uint8_t which[], oriel_time patience)
{
    unsigned got = 0;
    for (oriel_time until = host_now() + patience; got < want && host_now() < until;) {
        struct pkt *p[DRV_BATCH];
        struct pollfd r = {.fd = d->fd, .events = POLLIN};
        if (poll(&r, 1, 10) <= 0)
            continue;
        unsigned n = d->kind->rx(d, &fx->env, p, DRV_BATCH);
        for (unsigned i = 0; i < n; i++) {
            which[got++] = pkt_data(p[i])[14];
            EXPECT_EQ(pkt_len(p[i]), 60u + pkt_data(p[i])[14] % 30);
            pkt_free(p[i]);
        }
    }
    return got;
}

TEST("a capture comes again, at its pace or at once; what the station sent itself and what was cut does not")
{
    for (unsigned fast = 0; fast < 2; fast++) {
        struct fx_env fx;
        char error[DRV_ERROR_MAX];
        uint8_t which[16];
        fx_env_init(&fx);
        write_capture(1, 6);
        struct drv *d = open_capture(fast ? ",mac=02:00:00:00:00:07,fast" : ",mac=02:00:00:00:00:07", error);
        (void)unlink(path);
        if (!d)
            fail_msg("%s", error);
        oriel_time began = host_now();
        EXPECT_EQ(take(d, &fx, 4, which, 5 * NS_PER_S), 4);
        EXPECT(fast || host_now() - began >= 100 * NS_PER_MS);
        EXPECT(which[0] == 0 && which[1] == 3 && which[2] == 4 && which[3] == 5);
        EXPECT_EQ(d->rx_dropped, 1);
        struct pollfd silent = {.fd = d->fd, .events = POLLIN};
        EXPECT_EQ(poll(&silent, 1, 20), 0);
        struct pkt *p = pkt_new(&fx.env, 0, 60);
        EXPECT_EQ(d->kind->tx(d, &p, 1), 1);
        EXPECT_EQ(d->tx_bytes, 60);
        pkt_free(p);
        EXPECT_EQ(d->error, 0);
        drv_close(d);
        fx_env_fini(&fx);
    }
}

TEST("without memory a call throws away no more frames than it was asked for, and says why")
{
    struct fx_env fx;
    char error[DRV_ERROR_MAX];
    struct pkt *p[DRV_BATCH];
    fx_env_init(&fx);
    write_capture(1, 30);
    struct drv *d = open_capture(",fast", error);
    (void)unlink(path);
    EXPECT(d != NULL);
    fx.budget.max = fx.budget.used;
    EXPECT_EQ(d->kind->rx(d, &fx.env, p, 4), 0);
    EXPECT_EQ(d->rx_lost[DRV_LOST_MEMORY], 4);
    EXPECT_STR(drv_lost_text(DRV_LOST_MEMORY), "there was no memory for a packet");
    fx.budget.max = 1 << 20;
    EXPECT_EQ(d->kind->rx(d, &fx.env, p, 1), 1);
    EXPECT_EQ(pkt_data(p[0])[14], 5);           /* the third was cut */
    pkt_free(p[0]);
    drv_close(d);
    fx_env_fini(&fx);
}

TEST("bare packets make a link of bare packets")
{
    char error[DRV_ERROR_MAX];
    write_capture(101, 1);
    struct drv *d = open_capture(",fast", error);
    EXPECT(d && d->caps.ip);
    drv_close(d);
    (void)unlink(path);
}

TEST("no file, no capture, no frames, frames of another kind: said")
{
    static const char *const says[] = {"link type 105", "no frame", " fast"};
    char error[DRV_ERROR_MAX];
    for (unsigned i = 0; i < 3; i++) {
        write_capture(i == 0 ? 105 : 1, i == 1 ? 0 : 2);
        EXPECT(open_capture(i == 2 ? ",slow" : "", error) == NULL);
        if (!strstr(error, says[i]))
            fail_msg("'%s' does not say '%s'", error, says[i]);
        (void)unlink(path);
    }
    EXPECT(open_capture("", error) == NULL);
    EXPECT(strstr(error, "No such file") != NULL);
}
