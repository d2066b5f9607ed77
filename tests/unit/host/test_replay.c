/* What was recorded is done again with the same answers, and a difference is named. */
#define _GNU_SOURCE
#include "fx_px.h"

#include "host/file.h"
#include "host/posix_run.h"
#include "host/replay.h"

static char path[] = "/tmp/oriel-record-XXXXXX";

static struct file recording(void (*act)(void))
{
    char error[ORIEL_PX_ERROR_MAX];
    struct file f;
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    close(mkstemp(path));
    const struct oriel_px_config cfg = {.version = ORIEL_PX_VERSION, .seed = 7, .record = path};
    struct oriel_px *px = oriel_px_start("loopback", &cfg, error);
    if (!px)
        fail_msg("%s", error);
    act();
    oriel_px_stop(px);
    EXPECT_EQ(file_open(&f, path), 0);
    unlink(path);
    return f;
}

static void talk(void)
{
    int pair[2];
    struct tcp_info info;
    socklen_t len = sizeof info;
    static char buf[200000];
    fx_px_connected(pair);
    for (size_t sent = 0, got = 0; got < sizeof buf;) {
        ssize_t n = oriel_px_send(pair[0], buf + sent, sizeof buf - sent, MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        n = oriel_px_recv(pair[1], buf, sizeof buf, MSG_DONTWAIT);
        got += n > 0 ? (size_t)n : 0;
    }
    EXPECT_EQ(oriel_px_getsockopt(pair[0], IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    EXPECT_EQ(oriel_px_close(pair[0]), 0);
    EXPECT_EQ(oriel_px_read(pair[1], buf, sizeof buf), 0);
    int fd = oriel_px_socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in nobody = fx_px_at(9);
    EXPECT_EQ(oriel_px_connect(fd, SA(nobody)), 0);
    EXPECT_EQ(oriel_px_write(fd, "x", 1), 1);
    EXPECT_EQ(fx_px_errno(oriel_px_read(fd, buf, sizeof buf)), ECONNREFUSED);
}

TEST("a recording is replayed call by call, with the same answers to the end")
{
    struct file f = recording(talk);
    struct replay_result r;
    if (!replay(f.bytes, NULL, &r))
        fail_msg("%s", r.what);
    EXPECT(r.whole);
    EXPECT(!r.died);
    EXPECT(r.steps > 10);
    EXPECT(r.calls > r.steps);
    file_close(&f);
}

TEST("one byte that was sent otherwise is found where it is first answered otherwise")
{
    struct file f = recording(talk);
    struct replay_result r;
    uint8_t *copy = malloc(f.bytes.n);
    memcpy(copy, f.bytes.p, f.bytes.n);
    uint8_t *zeros = memmem(copy, f.bytes.n, (char[1000]){0}, 1000);
    EXPECT(zeros != NULL);
    zeros[999] = 1;                             /* within the first thousand bytes of the stream */
    EXPECT(!replay(span_of(copy, f.bytes.n), NULL, &r));
    EXPECT(strstr(r.what, "oriel_recv: the sum of what was read is ") != NULL);
    free(copy);
    file_close(&f);
}

TEST("a recording that ends in the middle of a call is replayed up to there")
{
    struct file f = recording(talk);
    struct replay_result all, r;
    EXPECT(replay(f.bytes, NULL, &all));
    unsigned cut = 0, died = 0, whole = 0;
    for (size_t n = f.bytes.n; n > 0; n = n > 40 ? n - n / 40 : n - 1) {
        bool same = replay(span_of(f.bytes.p, n), NULL, &r);
        EXPECT(r.calls <= all.calls);
        cut += !same;
        died += r.died;
        whole += same && !r.died;
    }
    EXPECT(cut > 0);
    EXPECT(died + whole > 0);
    file_close(&f);
}

static oriel_handle written;            /* where "marked" was */

static void write_in_place(void)
{
    int pair[2];
    fx_px_connected(pair);
    struct oriel_px *px = posix_of(pair[0]);
    struct oriel_stack *s = px->node->stack;
    posix_enter(px);
    written = px_of(&px->px, pair[0])->h;
    struct oriel_room room = oriel_send_window(s, written);
    EXPECT(room.n >= 6);
    memcpy(room.p, "marked", 6);
    EXPECT_EQ(oriel_send_commit(s, written, 6), 0);
    (void)posix_leave(px, 0);
}

TEST("a recording that writes twice into one window is damaged")
{
    struct file f = recording(write_in_place);
    struct replay_result r;
    EXPECT(replay(f.bytes, NULL, &r));
    size_t before = 2;                          /* the call, the handle, the length */
    for (uint64_t h = written; h > 0; h >>= 7)
        before++;
    const uint8_t *at = memmem(f.bytes.p, f.bytes.n, "marked", 6);
    EXPECT(at != NULL);
    size_t head = (size_t)(at - f.bytes.p) - before, call = before + 6 + 3;    /* and that it was done, and how */
    uint8_t *twice = malloc(f.bytes.n + call);
    memcpy(twice, f.bytes.p, head + call);
    memcpy(twice + head + call, f.bytes.p + head, f.bytes.n - head);
    EXPECT(!replay(span_of(twice, f.bytes.n + call), NULL, &r));
    EXPECT_STR(r.what, "more is written than there was room for");
    free(twice);
    file_close(&f);
}

TEST("what is no recording is refused")
{
    struct replay_result r;
    static const uint8_t other[] = "something else that is long enough to be read as a beginning";
    EXPECT(!replay(span_of(other, sizeof other), NULL, &r));
    EXPECT_STR(r.what, "this is no recording of this version");
    EXPECT(!replay(span_of(NULL, 0), NULL, &r));
    uint8_t odd[sizeof REPLAY_MAGIC + 3] = REPLAY_MAGIC;
    EXPECT(!replay(span_of(odd, sizeof odd), NULL, &r));
    EXPECT_STR(r.what, "another build made this recording");
}

TEST("a file that cannot be made is refused with its name")
{
    char error[ORIEL_PX_ERROR_MAX];
    const struct oriel_px_config cfg = {.version = ORIEL_PX_VERSION, .record = "/nowhere/x"};
    EXPECT(oriel_px_start("loopback", &cfg, error) == NULL);
    EXPECT_STR(error, "/nowhere/x: No such file or directory");
}
