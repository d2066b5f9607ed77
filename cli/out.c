/* Standard output and standard error of the program. */
#define _GNU_SOURCE
#include "cli/out.h"

#include "cli/verbs.h"
#include "host/file.h"
#include "lens/cells.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#define LINE_MAX_BYTES 4096

/* The program's one standard output; `standard` keeps the first error that writing to it met. */
static struct file_sink standard;
static struct sink out;
static bool ignored_before;

void out_start(void)
{
    out = file_sink_stream(&standard, stdout);
    ignored_before = signal(SIGPIPE, SIG_IGN) == SIG_IGN;       /* writing fails with EPIPE instead */
}

void out_restore_signals(void)
{
    signal(SIGPIPE, ignored_before ? SIG_IGN : SIG_DFL);
}

struct sink out_sink(void)
{
    return out;
}

void out_put(struct span bytes)
{
    (void)sink_put(&out, bytes);
}

void out_str(const char *text)
{
    out_put(span_str(text));
}

void out_txt(const struct txt *t)
{
    out_put(span_of(t->p, t->n));
}

void out_f(const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list ap;
    va_start(ap, format);
    vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    out_str(line);
}

void out_flush(void)
{
    errno = 0;
    if (fflush(stdout) != 0 && standard.error == 0)
        standard.error = errno != 0 ? errno : EIO;
}

bool out_ok(void)
{
    return standard.error == 0;
}

int out_finish(int status)
{
    out_flush();
    if (out_ok() || standard.error == EPIPE)
        return status;
    out_error("", "cannot write to standard output: %s", strerror(standard.error));
    return EXIT_SETUP;
}

void out_error(const char *verb, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list ap;
    va_start(ap, format);
    vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    char shown[LINE_MAX_BYTES];
    struct txt t = txt_of(shown, sizeof shown);
    cells_put(&t, span_str(line), false);
    out_flush();
    fprintf(stderr, "oriel%s%s: %s\n", verb[0] != '\0' ? " " : "", verb, shown);
}

void out_note(const char *format, ...)
{
    va_list ap;
    out_flush();
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
}
