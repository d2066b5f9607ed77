/* From the name of a file and the text of a filter to dissected frames. */
#include "cli/frames.h"

#include "cli/out.h"
#include "lens/cells.h"

#include <stdlib.h>

enum raw_link {                 /* other numbers for packets that begin with an IP header */
    RAW_BSD = 12,
    RAW_OPENBSD = 14,
    RAW_IP4 = 228,
    RAW_IP6 = 229,
};

/* ---- the filter ---- */

/* The message, the filter, and a caret under the column where it went wrong. */
static int filter_fails(const char *verb, const char *text, const struct syntax_error *e)
{
    char what[256];
    struct txt t = txt_of(what, sizeof what);
    syntax_error_print(&t, e);
    out_error(verb, "bad filter: %s", what);

    size_t n = strlen(text);
    size_t before = e->column > 0 && e->column - 1 <= n ? e->column - 1 : n;
    char shown[FRAMES_FILTER_MAX * 2];
    struct txt s = txt_of(shown, sizeof shown);
    cells_put(&s, span_str(text), false);
    out_note("  %s\n  %*s^", shown, (int)cells_of(span_of(text, before)), "");
    return EXIT_USAGE;
}

/* What was asked for: -Y or the operands, not both. */
static int filter_of(const struct args *a, char text[FRAMES_FILTER_MAX])
{
    const char *verb = a->verb->name;
    const char *given = opt_text(a, "filter");
    if (given && a->operands_n > 0) {
        out_error(verb, "a filter is given twice, with -Y and as '%s'", a->operands[0]);
        return EXIT_USAGE;
    }
    struct txt t = txt_of(text, FRAMES_FILTER_MAX);
    if (given)
        txt_s(&t, given);
    else if (!opt_join_operands(a, text, FRAMES_FILTER_MAX))
        t.cut = true;
    if (!t.cut)
        return EXIT_OK;
    out_error(verb, "the filter is longer than %d bytes", FRAMES_FILTER_MAX - 1);
    return EXIT_USAGE;
}

/* ---- the file ---- */

static int capture_fails(const struct frames *f)
{
    out_error(f->verb, "%s: at byte %zu: %s", f->path, f->capture.fault_at, f->capture.fault);
    return EXIT_NEGATIVE;
}

static int open_file(struct frames *f)
{
    int error = file_open(&f->file, f->path);
    if (error != 0) {
        out_error(f->verb, "cannot read %s: %s", f->path, strerror(error));
        return EXIT_NEGATIVE;
    }
    if (!capture_open(&f->capture, f->file.bytes))
        return capture_fails(f);
    return EXIT_OK;
}

static int open_link(struct frames *f, const struct args *a)
{
    conversations_init(&f->conversations);
    return listen_open(&f->link, a);
}

static int open_frames(struct frames **out, const struct args *a, bool of_link)
{
    char text[FRAMES_FILTER_MAX];
    int status = filter_of(a, text);
    if (status != EXIT_OK)
        return status;
    struct frames *f = calloc(1, sizeof *f);
    if (!f) {
        out_error(a->verb->name, "there is no memory");
        return EXIT_SETUP;
    }
    f->verb = a->verb->name;
    f->path = of_link ? NULL : opt_text(a, "read");
    struct syntax_error e;
    f->filtered = text[0] != '\0';
    if (f->filtered && !filter_compile(span_str(text), &f->filter, &e))
        status = filter_fails(f->verb, text, &e);
    if (status == EXIT_OK)
        status = of_link ? open_link(f, a) : open_file(f);
    if (status != EXIT_OK) {
        file_close(&f->file);
        free(f);
        return status;
    }
    *out = f;
    return EXIT_OK;
}

int frames_open(struct frames **out, const struct args *a)
{
    return open_frames(out, a, false);
}

int frames_listen(struct frames **out, const struct args *a)
{
    return open_frames(out, a, true);
}

int frames_close(struct frames *f, int status)
{
    if (f->link)
        status = listen_close(f->link, status);
    if (f->step == CAPTURE_FAULT)
        status = capture_fails(f);
    file_close(&f->file);
    free(f);
    return status;
}

/* ---- frames ---- */

static uint32_t link_of(uint16_t link)
{
    bool raw = link == RAW_BSD || link == RAW_OPENBSD || link == RAW_IP4 || link == RAW_IP6;
    return raw ? LINKTYPE_RAW : link;
}

static void dissect_frame(struct frames *f)
{
    const struct capture_frame *c = &f->frame;
    struct lens_frame in = {
        .link = link_of(c->link_type),
        .bytes = c->bytes,
        .wire_len = c->wire_len,
        .number = c->number,
        .time = c->time,
        .time_first = f->first,
        .time_before = f->before,
        .if_name = c->if_name,
        .conversations = &f->conversations,
    };
    for (size_t i = 0; i < c->comments_n && i < LENS_COMMENTS_MAX; i++)
        in.comments[in.comments_n++] = c->comments[i];
    dissect(&in, &f->d);
}

static enum capture_step take_next(struct frames *f)
{
    if (f->link)
        return listen_next(f->link, &f->frame) ? CAPTURE_FRAME : CAPTURE_END;
    return capture_next(&f->capture, &f->frame);
}

bool frames_next(struct frames *f)
{
    for (;;) {
        oriel_time before = f->frame.time;
        f->step = take_next(f);
        if (f->step != CAPTURE_FRAME)
            return false;
        if (f->frame.number == 1)
            f->first = before = f->frame.time;
        f->before = before;
        dissect_frame(f);
        if (f->filtered && !filter_match(&f->filter, &f->d))
            continue;
        f->matched++;
        if (f->link)
            listen_keep(f->link, &f->frame);
        return true;
    }
}

void frames_rewind(struct frames *f)
{
    bool again = capture_open(&f->capture, f->file.bytes);
    ORIEL_ASSERT(again);
    conversations_init(&f->conversations);
    f->matched = 0;
    f->step = CAPTURE_FRAME;
    f->frame.time = 0;
}
