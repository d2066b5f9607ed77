/*
 * A regular file that is large is mapped: a capture of a gigabyte is then read as it is needed.
 * Everything else is read to its end into memory of our own, which cannot vanish under us when
 * somebody truncates the file meanwhile. Limit: FILE_MAX bytes.
 */
#define _GNU_SOURCE
#include "host/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAP_FROM  ((size_t)16 << 20)
#define READ_STEP ((size_t)64 << 10)
#define FILE_MAX  ((size_t)SIZE_MAX / 4)

static int map_whole(struct file *f, int fd, size_t n)
{
    void *p = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return errno;
    *f = (struct file){.bytes = span_of(p, n), .memory = p, .mapped = true};
    return 0;
}

static int read_whole(struct file *f, int fd, size_t expected)
{
    size_t cap = expected + READ_STEP;      /* the last read finds the end without growing */
    size_t n = 0;
    uint8_t *p = malloc(cap);
    int error = p ? 0 : ENOMEM;
    while (error == 0) {
        ssize_t got = read(fd, p + n, cap - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            error = errno;
        if (got <= 0)
            break;
        n += (size_t)got;
        if (cap - n >= READ_STEP / 2)
            continue;
        uint8_t *more = cap > FILE_MAX ? NULL : realloc(p, cap * 2);
        if (!more)
            error = cap > FILE_MAX ? EFBIG : ENOMEM;
        else
            p = more;
        cap *= 2;
    }
    if (error != 0) {
        free(p);
        return error;
    }
    *f = (struct file){.bytes = span_of(p, n), .memory = p};
    return 0;
}

int file_open(struct file *f, const char *path)
{
    *f = (struct file){.memory = NULL};
    if (strcmp(path, "-") == 0)
        return read_whole(f, STDIN_FILENO, 0);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    struct stat st;
    int error = fstat(fd, &st) < 0 ? errno : 0;
    if (error == 0 && S_ISDIR(st.st_mode))
        error = EISDIR;
    if (error == 0) {
        size_t n = S_ISREG(st.st_mode) && st.st_size > 0 ? (size_t)st.st_size : 0;
        bool large = n >= MAP_FROM;
        error = large ? map_whole(f, fd, n) : read_whole(f, fd, n);
        if (error != 0 && large)
            error = read_whole(f, fd, n);
    }
    close(fd);
    return error;
}

void file_close(struct file *f)
{
    if (f->mapped)
        munmap(f->memory, f->bytes.n);
    else
        free(f->memory);
    *f = (struct file){.memory = NULL};
}

/* ---- sinks ---- */

static bool put_stream(void *ctx, struct span bytes)
{
    struct file_sink *s = ctx;
    errno = 0;
    if (s->error == 0 && fwrite(bytes.p, 1, bytes.n, s->stream) != bytes.n)
        s->error = errno != 0 ? errno : EIO;
    return s->error == 0;
}

static bool put_fd(void *ctx, struct span bytes)
{
    struct file_sink *s = ctx;
    while (s->error == 0 && bytes.n > 0) {
        ssize_t n = write(s->fd, bytes.p, bytes.n);
        if (n < 0 && errno != EINTR)
            s->error = errno;
        if (n > 0)
            bytes = span_of(bytes.p + n, bytes.n - (size_t)n);
    }
    return s->error == 0;
}

struct sink file_sink_stream(struct file_sink *s, FILE *stream)
{
    *s = (struct file_sink){.stream = stream, .fd = -1};
    return (struct sink){.put = put_stream, .ctx = s};
}

struct sink file_sink_fd(struct file_sink *s, int fd)
{
    *s = (struct file_sink){.fd = fd};
    return (struct sink){.put = put_fd, .ctx = s};
}
