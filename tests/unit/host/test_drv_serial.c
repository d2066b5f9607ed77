/* Serial links over a pseudo-terminal: SLIP in one process, PPP against a child that sends packets back. */
#define _GNU_SOURCE
#include "fixture.h"

#include "base/addr.h"
#include "host/loop.h"
#include "host/serial.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static char line[64];           /* of this test program */
static char error[DRV_ERROR_MAX];

static const char *line_path(void)
{
    (void)snprintf(line, sizeof line, "/tmp/oriel-serial-%d", (int)getpid());
    return line;
}

static struct drv_spec spec_of(const char *more)
{
    struct drv_spec s;
    char text[400];
    (void)snprintf(text, sizeof text, "serial:%s,%s", line, more);
    if (!drv_spec_parse(&s, text, error))
        fail_msg("%s: %s", text, error);
    return s;
}

static struct drv *try_open(const char *more)
{
    struct drv_spec s = spec_of(more);
    return drv_open(&s, error);
}

static struct drv *open_line(const char *more)
{
    struct drv *d = try_open(more);
    if (!d)
        fail_msg("%s: %s", more, error);
    return d;
}

/* ---- keys ---- */

static bool reads(struct serial_wish *w, const char *more)
{
    static struct drv_spec s;   /* the wish points into it */
    s = spec_of(more);
    return serial_wish_read(w, &s, error);
}

static const char *write_password(const char *word)
{
    static char path[80];
    (void)snprintf(path, sizeof path, "%s.%s", line_path(), word);
    FILE *f = fopen(path, "w");
    EXPECT(f != NULL);
    fprintf(f, "%s\nthe second line is not read\n", word);
    fclose(f);
    return path;
}

TEST("the keys of a serial link become a configuration")
{
    struct serial_wish w;
    char text[300];
    const char *path = write_password("sesame");
    (void)snprintf(text, sizeof text,
                   "speed=9600,user=bob,password-file=%s,addr=10.0.0.1/24,peer=10.0.0.2,mru=600,"
                   "accm=0xa0000,echo=5,passive,rtscts,dns=9.9.9.9", path);
    EXPECT(reads(&w, text));
    EXPECT(!w.slip && !w.persist && w.ppp.passive && w.tty.rtscts && !w.tty.modem);
    EXPECT_EQ(w.tty.speed, 9600);
    EXPECT_EQ(w.ppp.addr4, 0x0a000001);
    EXPECT_EQ(w.ppp.peer4, 0x0a000002);
    EXPECT_EQ(w.ppp.mru, 600);
    EXPECT_EQ(w.ppp.accm, 0xa0000);
    EXPECT_EQ(w.ppp.echo, 5 * NS_PER_S);
    EXPECT_EQ(w.ppp.dns4[0], 0x09090909);
    EXPECT_EQ(w.ppp.own.word_n, 6);
    EXPECT_MEM(w.ppp.own.word, "sesame", 6);
    (void)unlink(path);
}

TEST("what makes no sense is named, with what was expected")
{
    static const char *const wrong[][2] = {
        {"speed=9601", "speed '9601'"},
        {"ppp,slip", "only one"},
        {"auth=eap", "auth 'eap': expected pap, chap or none"},
        {"auth=chap", "peer-user= and peer-password-file= are missing"},
        {"user=bob", "user= and password-file= belong together"},
        {"user=bob,password-file=/nowhere", "/nowhere: No such file"},
        {"mru=9", "mru '9': expected 68 to"},
        {"peer=fd00::1", "peer 'fd00::1'"},
        {"slip", "SLIP agrees on nothing"},
    };
    struct serial_wish w;
    (void)line_path();
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        EXPECT(!reads(&w, wrong[i][0]));
        if (!strstr(error, wrong[i][1]))
            fail_msg("%s: %s", wrong[i][0], error);
    }
}

TEST("one password for both ways is refused")
{
    struct serial_wish w;
    char text[300];
    const char *path = write_password("sesame");
    (void)snprintf(text, sizeof text, "auth=chap,user=a,password-file=%s,peer-user=b,peer-password-file=%s",
                   path, path);
    EXPECT(!reads(&w, text));
    EXPECT(strstr(error, "each way needs its own") != NULL);
    (void)unlink(path);
}

TEST("what is no terminal, is not there, or is in use, is said")
{
    (void)snprintf(line, sizeof line, "/dev/null");
    EXPECT(try_open("wait=1") == NULL);
    EXPECT(strstr(error, "it is no serial line") != NULL);
    (void)snprintf(line, sizeof line, "/nowhere");
    EXPECT(try_open("wait=1") == NULL);
    EXPECT(strstr(error, "No such file") != NULL);
    (void)line_path();
    struct drv *a = open_line("pty,slip,addr=10.0.0.1"), *b = open_line("slip,addr=10.0.0.2");
    EXPECT(try_open("slip,addr=10.0.0.3") == NULL);
    EXPECT(strstr(error, "another program uses it") != NULL);
    drv_close(b);
    drv_close(a);
    EXPECT(access(line, F_OK) != 0);
}

/* ---- SLIP ---- */

struct fx {
    struct fx_env base;
    struct drv *a, *b;
};

static void begin(struct fx *f, const char *more)
{
    char text[100];
    fx_env_init(&f->base);
    (void)line_path();
    (void)snprintf(text, sizeof text, "pty,slip,addr=10.0.0.1%s", more);
    f->a = open_line(text);
    f->b = open_line("slip,addr=10.0.0.2");
}

static void end(struct fx *f)
{
    drv_close(f->b);
    drv_close(f->a);
    fx_env_fini(&f->base);
}

/* An IPv4 packet by its first byte, with a number; every byte that SLIP escapes is in it. */
static struct pkt *numbered(struct fx *f, unsigned i, size_t n)
{
    static const uint8_t odd[] = {0xc0, 0xdb, 0xdc, 0xdd, 0x7e, 0x7d, 0x11, 0x13, 0x03, 0x00};
    uint8_t bytes[1500] = {0x45, (uint8_t)i, (uint8_t)(i >> 8)};
    for (size_t k = 3; k < n; k++)
        bytes[k] = odd[k % sizeof odd];
    return pkt_new_copy(&f->base.env, PKT_HEADROOM, span_of(bytes, n));
}

static unsigned number_of(const struct pkt *p)
{
    return pkt_data(p)[1] + 256u * pkt_data(p)[2];
}

static unsigned take(struct fx *f, struct drv *d, unsigned next, size_t len)
{
    struct pkt *in[16];
    unsigned n = d->kind->rx(d, &f->base.env, in, 16);
    for (unsigned i = 0; i < n; i++) {
        EXPECT_EQ(number_of(in[i]), next + i);
        EXPECT_EQ(pkt_len(in[i]), len);
        pkt_free(in[i]);
    }
    return n;
}

/* count packets from one end to the other, however few the line takes at once. */
static void pass(struct fx *f, struct drv *from, struct drv *to, unsigned count, size_t len)
{
    oriel_time give_up = host_now() + 20 * NS_PER_S;
    unsigned sent = 0, got = 0, held = 0;
    while (got < count && host_now() < give_up) {
        struct pkt *p = sent < count ? numbered(f, sent, len) : NULL;
        unsigned took = p ? from->kind->tx(from, &p, 1) : 0;
        held += p && took == 0;
        sent += took;
        if (p)
            pkt_free(p);
        if (p && took > 0)
            continue;
        got += take(f, to, got, len);
        if (from != to)
            (void)take(f, from, 0, 0);
        EXPECT(sent == count || from->resumed || host_now() < give_up);
    }
    EXPECT_EQ(got, count);
    EXPECT(held > 0 || count < 100);
}

TEST("packets pass both ways by SLIP, in order; when the line is full they wait")
{
    COVERS("1055-1");
    struct fx f;
    begin(&f, "");
    EXPECT(f.a->caps.ip);
    EXPECT_EQ(f.a->caps.mtu, 1006);
    pass(&f, f.a, f.b, 1, 40);
    pass(&f, f.b, f.a, 1, 1006);
    pass(&f, f.a, f.b, 200, 1000);
    pass(&f, f.b, f.a, 200, 1000);
    struct pkt *large = numbered(&f, 0, 1007);
    EXPECT_EQ(f.a->kind->tx(f.a, &large, 1), 1);
    EXPECT_EQ(f.a->tx_dropped, 1);
    pkt_free(large);
    end(&f);
}

TEST("a line that is hung up is the end of the link, or is waited for")
{
    struct fx f;
    struct pkt *none[1];
    for (unsigned persist = 0; persist < 2; persist++) {
        begin(&f, persist ? ",persist" : "");
        pass(&f, f.a, f.b, 3, 100);
        drv_close(f.b);
        for (unsigned i = 0; i < 40 && f.a->error == 0; i++) {
            EXPECT_EQ(f.a->kind->rx(f.a, &f.base.env, none, 1), 0);
            (void)poll(NULL, 0, 10);
        }
        EXPECT_EQ(f.a->error, persist ? 0 : -EIO);
        f.b = open_line("slip,addr=10.0.0.2");
        if (persist)
            pass(&f, f.a, f.b, 3, 100);
        else
            EXPECT_STR(drv_gone(f.a), "the line was hung up");
        end(&f);
    }
}

/* ---- PPP ---- */

/* The other end: every packet comes back, until it is told to stop by a one of 20 bytes. */
static void send_back(const char *more)
{
    struct fx f;
    bool stop = false;
    alarm(30);
    fx_env_init(&f.base);
    struct drv *d = try_open(more);
    while (d && !stop && d->error == 0) {
        struct pkt *in[16];
        struct pollfd p = {.fd = d->fd, .events = POLLIN};
        unsigned n = d->kind->rx(d, &f.base.env, in, 16);
        for (unsigned i = 0; i < n; i++) {
            stop = stop || pkt_len(in[i]) == 20;
            while (d->error == 0 && d->kind->tx(d, &in[i], 1) == 0)
                (void)d->kind->rx(d, &f.base.env, &in[i + 1], 0);
            pkt_free(in[i]);
        }
        if (n == 0)
            (void)poll(&p, 1, 1000);
    }
    drv_close(d);
    _exit(d ? 0 : 3);
}

static pid_t fork_end(const char *more)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (unsigned i = 0; i < 200 && access(line, F_OK) != 0; i++)
            (void)poll(NULL, 0, 10);
        send_back(more);
    }
    return pid;
}

static int status_of(pid_t pid)
{
    int status;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect_given(const struct drv *d, const char *addr, const char *gateway, const char *dns)
{
    char text[ADDR_TEXT_MAX];
    EXPECT(d->given.addrs_n == 2 && d->given.gateways_n == 1 && d->given.dns_n == 1);
    (void)oriel_addr_print(&d->given.addrs[0].addr, text, sizeof text);
    EXPECT_STR(text, addr);
    (void)oriel_addr_print(&d->given.gateways[0], text, sizeof text);
    EXPECT_STR(text, gateway);
    (void)oriel_addr_print(&d->given.dns[0], text, sizeof text);
    EXPECT_STR(text, dns);
    EXPECT(addr_is_link_local(&d->given.addrs[1].addr));
}

TEST("PPP: what the other end gave is told, packets pass, and its goodbye is the end")
{
    struct fx f;
    (void)line_path();
    fx_env_init(&f.base);
    pid_t child = fork_end("addr=10.0.0.2,peer=10.0.0.7,dns=9.9.9.9,mru=600");
    f.a = open_line("pty,wait=20");
    expect_given(f.a, "10.0.0.7", "10.0.0.2", "9.9.9.9");
    EXPECT_EQ(f.a->caps.mtu, 600);
    EXPECT(f.a->notes_n >= 3);
    pass(&f, f.a, f.a, 150, 590);
    struct pkt *stop = numbered(&f, 0, 20), *in[1];
    EXPECT_EQ(f.a->kind->tx(f.a, &stop, 1), 1);
    pkt_free(stop);
    for (unsigned i = 0; i < 300 && f.a->error == 0; i++) {
        if (f.a->kind->rx(f.a, &f.base.env, in, 1) == 1)
            pkt_free(in[0]);
        (void)poll(NULL, 0, 10);
    }
    EXPECT_EQ(f.a->error, -ECONNRESET);
    EXPECT_STR(drv_gone(f.a), "the other end has hung up");
    drv_close(f.a);
    EXPECT_EQ(status_of(child), 0);
    fx_env_fini(&f.base);
}

TEST("PPP: an other end that is gone is waited for, and who comes then is agreed with anew")
{
    static const char far[] = "addr=10.0.0.2,peer=10.0.0.7,dns=9.9.9.9";
    struct fx f;
    struct pkt *none[1];
    (void)line_path();
    fx_env_init(&f.base);
    pid_t child = fork_end(far);
    f.a = open_line("pty,wait=20,persist");
    for (unsigned i = 0; i < 2; i++) {
        pass(&f, f.a, f.a, 20, 1000);
        EXPECT_EQ(kill(child, SIGKILL), 0);
        EXPECT_EQ(status_of(child), -1);
        EXPECT_EQ(f.a->kind->rx(f.a, &f.base.env, none, 1), 0);
        child = fork_end(far);
    }
    pass(&f, f.a, f.a, 20, 1000);
    EXPECT_EQ(f.a->error, 0);
    EXPECT_EQ(kill(child, SIGKILL), 0);
    EXPECT_EQ(status_of(child), -1);
    drv_close(f.a);
    fx_env_fini(&f.base);
}

TEST("PPP: a wrong password, and none, are said at both ends")
{
    char more[300];
    char good[80], bad[80];
    (void)snprintf(good, sizeof good, "%s", write_password("sesame"));
    (void)snprintf(bad, sizeof bad, "%s", write_password("guess"));
    (void)line_path();
    for (unsigned none = 0; none < 2; none++) {
        (void)snprintf(more, sizeof more, none ? "wait=20" : "wait=20,user=bob,password-file=%s", bad);
        pid_t child = fork_end(more);
        (void)snprintf(more, sizeof more, "pty,wait=20,auth=chap,peer-user=bob,peer-password-file=%s", good);
        EXPECT(try_open(more) == NULL);
        EXPECT(strstr(error, "the other end is not who it should be") != NULL);
        EXPECT_EQ(status_of(child), 3);
    }
    (void)unlink(good);
    (void)unlink(bad);
}

TEST("PPP: nobody at the other end is said after the time that one is ready to wait")
{
    (void)line_path();
    oriel_time began = host_now();
    EXPECT(try_open("pty,wait=1") == NULL);
    EXPECT(strstr(error, "no link within 1 seconds (wait=): nobody is at the other end of the line") != NULL);
    EXPECT(host_now() - began < 5 * NS_PER_S);
    EXPECT(access(line, F_OK) != 0);
}
