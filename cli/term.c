/*
 * Colours: --color decides when it says always or never. Otherwise, in this order: NO_COLOR set and
 * not empty: none; CLICOLOR_FORCE set and not "0": colours; no terminal or TERM=dumb: none.
 */
#define _GNU_SOURCE
#include "cli/term.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH_MIN 20
#define WIDTH_MAX 1000

static const char *env(const char *name)
{
    const char *v = getenv(name);
    return v ? v : "";
}

static bool wants_color(bool tty, const char *when)
{
    if (strcmp(when, "auto") != 0)
        return strcmp(when, "always") == 0;
    if (env("NO_COLOR")[0] != '\0')
        return false;
    const char *force = env("CLICOLOR_FORCE");
    if (force[0] != '\0' && strcmp(force, "0") != 0)
        return true;
    const char *term = env("TERM");
    return tty && term[0] != '\0' && strcmp(term, "dumb") != 0;
}

static unsigned width_of(int fd, bool *known)
{
    *known = true;
    char *end;
    unsigned long columns = strtoul(env("COLUMNS"), &end, 10);
    if (*end == '\0' && columns >= WIDTH_MIN && columns <= WIDTH_MAX)
        return (unsigned)columns;
    struct winsize w;
    if (ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col >= WIDTH_MIN && w.ws_col <= WIDTH_MAX)
        return w.ws_col;
    *known = false;
    return TERM_WIDTH_DEFAULT;
}

struct term term_of(FILE *f, const char *when)
{
    struct term t = {.tty = isatty(fileno(f)) == 1};
    setlocale(LC_CTYPE, "");
    t.utf8 = strcasecmp(nl_langinfo(CODESET), "UTF-8") == 0;
    t.color = wants_color(t.tty, when);
    t.width = width_of(fileno(f), &t.width_known);
    return t;
}

const char *term_style(const struct term *t, enum term_style style)
{
    static const char *const sequence[] = {
        [TERM_PLAIN] = "\x1b[0m",  [TERM_DIM] = "\x1b[2m",   [TERM_BOLD] = "\x1b[1m",
        [TERM_GOOD] = "\x1b[32m",  [TERM_WARN] = "\x1b[33m", [TERM_BAD] = "\x1b[31m",
        [TERM_ACCENT] = "\x1b[36m",
    };
    return t->color ? sequence[style] : "";
}
