#define _GNU_SOURCE
#include "test.h"

#include "host/file.h"

#include <errno.h>
#include <unistd.h>

#define LARGE ((size_t)20 << 20)        /* beyond what is read; mapped instead */

static char path[] = "/tmp/oriel-test-file-XXXXXX";

static void make_file(size_t n)
{
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    int fd = mkstemp(path);
    EXPECT(fd >= 0);
    static uint8_t block[65536];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (uint8_t)(i * 7);
    for (size_t left = n; left > 0;) {
        size_t some = left < sizeof block ? left : sizeof block;
        EXPECT_EQ(write(fd, block, some), (ssize_t)some);
        left -= some;
    }
    close(fd);
}

static void expect_file(size_t n, bool mapped)
{
    make_file(n);
    struct file f;
    EXPECT_EQ(file_open(&f, path), 0);
    EXPECT_EQ(f.bytes.n, n);
    EXPECT_EQ(f.mapped, mapped);
    for (size_t i = 0; i < n; i += 4099)
        EXPECT_EQ(f.bytes.p[i], (uint8_t)(i % 65536 * 7));
    file_close(&f);
    unlink(path);
}

TEST("small files are read, large ones mapped, with the same bytes")
{
    expect_file(0, false);
    expect_file(1, false);
    expect_file(65536, false);
    expect_file(1000003, false);
    expect_file(LARGE, true);
}

TEST("a file that says no size is read to its end")
{
    struct file f;
    if (access("/proc/self/status", R_OK) != 0)
        skip();
    EXPECT_EQ(file_open(&f, "/proc/self/status"), 0);
    EXPECT(f.bytes.n > 0);
    file_close(&f);
}

TEST("what cannot be read says why")
{
    struct file f;
    EXPECT_EQ(file_open(&f, "/nowhere/at/all"), ENOENT);
    EXPECT_EQ(file_open(&f, "/tmp"), EISDIR);
    EXPECT_EQ(file_open(&f, ""), ENOENT);
    file_close(&f);
}

TEST("a sink into a descriptor writes everything and keeps its first error")
{
    make_file(0);
    FILE *w = fopen(path, "wb");
    struct file_sink s;
    struct sink out = file_sink_fd(&s, fileno(w));
    EXPECT(sink_put(&out, span_of("hello", 5)));
    fclose(w);
    EXPECT(!sink_put(&out, span_of("x", 1)));
    EXPECT_EQ(s.error, EBADF);
    EXPECT(!sink_put(&out, span_of("x", 1)));
    struct file f;
    EXPECT_EQ(file_open(&f, path), 0);
    EXPECT_EQ(f.bytes.n, 5);
    file_close(&f);
    unlink(path);
}

TEST("a sink into a stream writes everything and keeps its first error")
{
    make_file(0);
    FILE *r = fopen(path, "rb");        /* cannot be written */
    struct file_sink s;
    struct sink out = file_sink_stream(&s, r);
    EXPECT(!sink_put(&out, span_of("hello", 5)));
    EXPECT_EQ(s.error, EBADF);
    fclose(r);
    FILE *w = fopen(path, "wb");
    out = file_sink_stream(&s, w);
    EXPECT(sink_put(&out, span_of("hello", 5)));
    EXPECT_EQ(s.error, 0);
    fclose(w);
    unlink(path);
}
