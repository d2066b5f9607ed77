/* Captures, ladder, lines and log of a world that runs. */
#define _GNU_SOURCE
#include "cli/watch.h"

#include "cli/out.h"
#include "cli/term.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void watch_init(struct watch *w, const struct args *a, const struct world *world, FILE *page,
                bool prompt)
{
    *w = (struct watch){.verb = a->verb->name, .args = a, .world = world, .page = page,
                        .prompt = prompt};
}

bool watch_takes_stdout(const struct args *a)
{
    const char *file = opt_text(a, "write");
    return file && strcmp(file, "-") == 0;
}

static int cannot_write(const struct watch *w, const char *name, int error)
{
    out_error(w->verb, "cannot write %s: %s", name, strerror(error));
    return EXIT_SETUP;
}

static int no_memory(const struct watch *w)
{
    out_error(w->verb, "there is no memory");
    return EXIT_SETUP;
}

/* ---- captures ---- */

char *watch_name(const char *file, const char *node, const char *port)
{
    const char *slash = strrchr(file, '/');
    const char *dot = strrchr(file, '.');
    size_t stem = dot && (!slash || dot > slash) && dot != file ? (size_t)(dot - file)
                                                                : strlen(file);
    char *name;
    int n = asprintf(&name, "%.*s.%s%s%s%s", (int)stem, file, node, port ? "." : "",
                     port ? port : "", file + stem);
    return n < 0 ? NULL : name;
}

int watch_capture(struct watch *w, char *name,
                  void (*begin)(void *ctx, struct vantage *v, struct sink out, void *scratch),
                  void *ctx)
{
    struct watch_capture *c = &w->captures[w->captures_n];
    if (w->captures_n == WATCH_CAPTURES_MAX) {
        out_error(w->verb, "at most %d captures at once", WATCH_CAPTURES_MAX);
        free(name);
        return EXIT_SETUP;
    }
    w->scratch = w->scratch ? w->scratch : malloc(PCAPNG_SCRATCH);
    if (!name || !w->scratch) {
        free(name);
        return no_memory(w);
    }
    FILE *f = strcmp(name, "-") == 0 ? stdout : fopen(name, "wbe");
    if (!f) {
        int status = cannot_write(w, name, errno);
        free(name);
        return status;
    }
    if (w->prompt)
        setvbuf(f, NULL, _IONBF, 0);
    c->name = name;
    w->captures_n++;
    begin(ctx, &c->v, file_sink_stream(&c->sink, f), w->scratch);
    return EXIT_OK;
}

static void close_capture(struct watch *w, struct watch_capture *c)
{
    struct file_sink *f = &c->sink;
    bool good = vantage_close(&c->v);
    if (f->stream == stdout) {
        out_flush();
    } else if (fclose(f->stream) != 0 && f->error == 0) {
        f->error = errno;
    }
    if ((!good || f->error != 0) && f->error != EPIPE)
        w->failed = cannot_write(w, c->name, f->error ? f->error : EIO);
    free(c->name);
}

void watch_tell_files(const struct watch *w)
{
    for (size_t i = 0; i < w->captures_n; i++)
        if (w->captures[i].sink.stream != stdout)
            out_note("%llu frames in %s", (unsigned long long)w->captures[i].v.frames,
                     w->captures[i].name);
    if (w->logging)
        out_note("events in %s", opt_text(w->args, "log"));
}

/* ---- ladder and lines ---- */

static struct sink page_sink(struct watch *w)
{
    return w->page == stdout ? out_sink() : file_sink_stream(&w->page_sink, w->page);
}

static int clash(const struct watch *w, const char *what)
{
    out_error(w->verb, "%s and -w - would both write to standard output", what);
    return EXIT_USAGE;
}

int watch_ladder(struct watch *w, void (*begin)(void *ctx, struct world_ladder *g, struct sink out,
                                                struct ladder_style style), void *ctx)
{
    if (!opt_on(w->args, "ladder"))
        return EXIT_OK;
    if (w->page == stdout && watch_takes_stdout(w->args))
        return clash(w, "--ladder");
    w->ladder = calloc(1, sizeof *w->ladder);
    if (!w->ladder)
        return no_memory(w);
    struct term term = term_of(w->page, opt_text(w->args, "color"));
    struct ladder_style style = ladder_style_of(term.width, opt_on(w->args, "ascii") || !term.utf8,
                                                term.color);
    style.reasons = opt_on(w->args, "why");
    begin(ctx, w->ladder, page_sink(w), style);
    return EXIT_OK;
}

int watch_lines(struct watch *w)
{
    if (w->ladder || !opt_given(w->args, "why") || !opt_on(w->args, "why"))
        return EXIT_OK;
    if (w->page == stdout && watch_takes_stdout(w->args))
        return clash(w, "--why");
    w->lines = malloc(sizeof *w->lines);
    if (!w->lines)
        return no_memory(w);
    world_lines_open(w->lines, page_sink(w), opt_on(w->args, "ascii") ||
                                                 !term_of(w->page, "never").utf8);
    return EXIT_OK;
}

void watch_end_ladder(struct watch *w)
{
    if (w->ladder)
        (void)world_ladder_close(w->ladder);
    free(w->ladder);
    w->ladder = NULL;
}

/* ---- the log ---- */

int watch_log(struct watch *w)
{
    const char *name = opt_text(w->args, "log");
    if (!name)
        return EXIT_OK;
    void *scratch = malloc(EVENT_LOG_SCRATCH);
    if (!scratch)
        return no_memory(w);
    FILE *f = fopen(name, "wbe");
    if (!f) {
        free(scratch);
        return cannot_write(w, name, errno);
    }
    w->logging = true;
    event_log_open(&w->log, w->world, scratch, file_sink_stream(&w->log_sink, f));
    free(scratch);
    return EXIT_OK;
}

static void close_log(struct watch *w)
{
    struct file_sink *f = &w->log_sink;
    event_log_drain(&w->log, w->world);
    if (fclose(f->stream) != 0 && f->error == 0)
        f->error = errno;
    if (f->error != 0)
        w->failed = cannot_write(w, opt_text(w->args, "log"), f->error);
    else if (w->log.lost > 0)
        out_note("oriel %s: the log misses %llu events that were overwritten", w->verb,
                 (unsigned long long)w->log.lost);
}

/* ---- while it runs ---- */

void watch_frame(struct watch *w, const struct world_frame *f)
{
    for (size_t i = 0; i < w->captures_n; i++)
        vantage_frame(&w->captures[i].v, f);
    if (w->ladder)
        world_ladder_frame(w->ladder, f);
    if (w->lines)
        world_lines_frame(w->lines, f);
    if (w->prompt && w->page == stdout && (w->ladder || w->lines))
        out_flush();
}

void watch_drain(struct watch *w)
{
    if (w->logging)
        event_log_drain(&w->log, w->world);
}

int watch_close(struct watch *w, int status)
{
    watch_end_ladder(w);
    free(w->lines);
    if (w->logging)
        close_log(w);
    for (size_t i = 0; i < w->captures_n; i++)
        close_capture(w, &w->captures[i]);
    free(w->scratch);
    return w->failed ? w->failed : status;
}
