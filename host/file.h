/*
 * Files for programs above the core: a whole one as bytes, and sinks that end in a stream or a
 * descriptor.
 */
#ifndef ORIEL_HOST_FILE_H
#define ORIEL_HOST_FILE_H

#include "base/sink.h"

#include <stdio.h>

/* The bytes of a file; release with file_close. */
struct file {
    struct span bytes;
    void *memory;       /* NULL when there is nothing to release */
    bool mapped;
};

/* 0, or an errno. "-" is standard input, read to its end. */
int file_open(struct file *f, const char *path);
void file_close(struct file *f);

/* Sinks that keep the first error (an errno) and refuse everything after it. */
struct file_sink {
    FILE *stream;       /* NULL: fd is meant */
    int fd;
    int error;
};

struct sink file_sink_stream(struct file_sink *s, FILE *stream);
struct sink file_sink_fd(struct file_sink *s, int fd);

#endif
