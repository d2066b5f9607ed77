/*
 * oriel script run: play scripts of the packetdrill language and say which of them pass.
 *
 * Files are taken as they are named, directories with all *.pkt below them, in the order of their
 * names. A script is parsed once and played over one family or both; each play is a verdict of its
 * own. The memory is one block that every play uses anew.
 */
#define _GNU_SOURCE
#include "cli/json.h"
#include "cli/out.h"
#include "cli/term.h"
#include "cli/verbs.h"
#include "host/file.h"
#include "lab/script.h"
#include "trace/pcapng.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX       ".pkt"
#define DEEP_MAX     16
#define REPORT_BYTES 8192

static const struct opt opts[] = {
    {.name = "family", .type = OPT_CHOICE, .arg = "FAMILY", .choices = "4|6|both",
     .help = "Play over IPv4, over IPv6, or each script over both. Without it, as the script says "
             "(IPv4 where it says nothing). A script that cannot run over a family is left out "
             "of it."},
    {.name = "personality", .type = OPT_CHOICE, .arg = "NAME",
     .choices = "oriel|rfc|linux|freebsd",
     .help = "Let the stack behave so, whatever the script says."},
    {.name = "no-fast-path", .type = OPT_FLAG,
     .help = "Let every segment take the long way through the stack; the result must be equal."},
    {.name = "ladder", .type = OPT_FLAG,
     .help = "Draw what happened, for scripts that pass, too."},
    {.name = "ascii", .type = OPT_FLAG, .help = "Draw with ASCII only."},
    {.name = "write", .letter = 'w', .type = OPT_FILE, .arg = "FILE",
     .help = "Write a pcapng capture to FILE; - is standard output. For one play only."},
    {.name = "json", .type = OPT_FLAG, .help = "Print a JSON object a line."},
    {.name = "tap", .type = OPT_FLAG,
     .help = "Print the results as TAP (Test Anything Protocol), for test runners."},
    {.name = "quiet", .letter = 'q', .type = OPT_FLAG,
     .help = "Print only what fails; nothing when everything passes."},
};

static const struct operand operands[] = {
    {.name = "FILE", .kind = OPERAND_FILE, .min = 1, .max = 0,
     .help = "Scripts, or directories with scripts (*.pkt) in them and below."},
};

static const struct verb_example examples[] = {
    {"oriel script run tests/script --family both", "Every script, over both families."},
    {"oriel script run close.pkt --ladder -w close.pcapng", "One, drawn and captured."},
};

static const struct verb_exit exits[] = {
    {EXIT_NEGATIVE, "A script failed. One that cannot be read gives 2."},
    {EXIT_SETUP, "A file cannot be written."},
};

struct playing {
    const struct args *args;
    struct term term;
    void *memory;
    char **paths;
    size_t paths_n;
    unsigned passed, failed;
    bool unreadable;
    int status;                 /* of what could not be set up */
    FILE *reasons;
};

/* ---- which scripts ---- */

static bool add_path(struct playing *p, const char *path)
{
    char **more = realloc(p->paths, (p->paths_n + 1) * sizeof *more);
    if (!more)
        return false;
    p->paths = more;
    p->paths[p->paths_n] = strdup(path);
    return p->paths[p->paths_n++] != NULL;
}

static bool has_suffix(const char *name)
{
    size_t n = strlen(name);
    return n > strlen(SUFFIX) && strcmp(name + n - strlen(SUFFIX), SUFFIX) == 0;
}

static bool add_directory(struct playing *p, const char *dir, unsigned deep)
{
    struct dirent **entries;
    int n = deep < DEEP_MAX ? scandir(dir, &entries, NULL, alphasort) : -1;
    bool good = n >= 0;
    if (n < 0)
        out_error(p->args->verb->name, "cannot read %s: %s", dir,
                  deep < DEEP_MAX ? strerror(errno) : "too many directories in directories");
    for (int i = 0; i < n; i++) {
        char *path = NULL;
        struct stat st;
        if (good && entries[i]->d_name[0] != '.') {
            good = asprintf(&path, "%s/%s", dir, entries[i]->d_name) >= 0;
            bool is_dir = good && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
            if (is_dir)
                good = add_directory(p, path, deep + 1);
            else if (good && has_suffix(path))
                good = add_path(p, path);
        }
        free(path);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return good;
}

static bool find(struct playing *p)
{
    for (size_t i = 0; i < p->args->operands_n; i++) {
        const char *name = p->args->operands[i];
        struct stat st;
        bool dir = stat(name, &st) == 0 && S_ISDIR(st.st_mode);
        size_t before = p->paths_n;
        if (!(dir ? add_directory(p, name, 0) : add_path(p, name)))
            return false;
        if (p->paths_n == before) {
            out_error(p->args->verb->name, "%s has no scripts (*%s) in it", name, SUFFIX);
            return false;
        }
    }
    return true;
}

/* ---- a capture ---- */

static bool put_frame(struct pcapng *f, uint32_t interface, const struct script_seen *s)
{
    char sentence[256], keys[128];
    struct txt a = txt_of(sentence, sizeof sentence), b = txt_of(keys, sizeof keys);
    txt_s(&a, s->in ? "sent by the script" : why_of(s->why)->text);
    if (s->drop != DROP_NONE) {
        txt_s(&a, "; dropped: ");
        txt_s(&a, drop_of(s->drop)->text);
    }
    txt_s(&b, "line=");
    txt_u(&b, s->line);
    if (s->why != WHY_NONE) {
        txt_s(&b, " why=");
        txt_s(&b, why_of(s->why)->name);
    }
    if (s->drop != DROP_NONE) {
        txt_s(&b, " drop=");
        txt_s(&b, drop_of(s->drop)->name);
    }
    const struct span comments[] = {span_of(a.p, a.n), span_of(b.p, b.n)};
    struct pcapng_frame frame = {
        .interface = interface, .time = s->time, .bytes = s->bytes, .comments = comments,
        .comments_n = ARRAY_LEN(comments), .dir = s->in ? PCAPNG_DIR_IN : PCAPNG_DIR_OUT,
    };
    return pcapng_add_frame(f, &frame);
}

static bool put_capture(const struct script_run *r, const char *path, struct sink out,
                        void *scratch)
{
    struct pcapng f;
    struct pcapng_section section = {.hardware = path, .os = "virtual time",
                                     .application = "oriel " ORIEL_VERSION};
    struct pcapng_interface nif = {.link_type = LINKTYPE_RAW, .name = "tun0",
                                   .description = "what leaves and arrives at the stack"};
    struct pcapng_stats stats = {.received = 0};
    uint32_t interface, cursor = 0;
    struct script_seen s;
    pcapng_init(&f, out, scratch, PCAPNG_SCRATCH);
    bool good = pcapng_add_section(&f, &section) && pcapng_add_interface(&f, &nif, &interface);
    while (good && script_each_packet(r, &cursor, &s)) {
        good = put_frame(&f, interface, &s);
        stats.received++;
        stats.end = s.time;
    }
    stats.delivered = stats.received;
    return good && pcapng_add_stats(&f, interface, &stats);
}

static void capture(struct playing *p, const struct script_run *r, const char *path)
{
    const char *name = opt_text(p->args, "write");
    bool to_stdout = name && strcmp(name, "-") == 0;
    FILE *f = !name ? NULL : to_stdout ? stdout : fopen(name, "wbe");
    struct file_sink sink;
    void *scratch = f ? malloc(PCAPNG_SCRATCH) : NULL;
    if (!name)
        return;
    bool good = f && scratch && put_capture(r, path, file_sink_stream(&sink, f), scratch);
    int error = errno;
    if (f && !to_stdout && fclose(f) != 0)
        good = false;
    if (!good) {
        out_error(p->args->verb->name, "cannot write %s: %s", name, strerror(error));
        p->status = EXIT_SETUP;
    }
    free(scratch);
}

/* ---- one play ---- */

static void report_json(struct playing *p, const struct script_run *r, const char *path, bool v6,
                        bool passed)
{
    char text[REPORT_BYTES];
    struct txt t = txt_of(text, sizeof text);
    struct json j;
    (void)p;
    script_print_failure(&t, r);
    json_begin(&j, out_sink());
    json_text(&j, "event", passed ? "pass" : "fail");
    json_text(&j, "script", path);
    json_u(&j, "family", v6 ? 6 : 4);
    if (!passed) {
        json_u(&j, "line", script_failed_at(r));
        json_str(&j, "text", span_of(t.p, t.n));
    }
    json_end(&j);
}

/* Every line of it behind a #. */
static bool put_comment(void *ctx, struct span bytes)
{
    bool *begun = ctx;
    for (size_t i = 0; i < bytes.n; i++) {
        if (!*begun)
            out_str("# ");
        *begun = bytes.p[i] != '\n';
        out_put(span_of(bytes.p + i, 1));
    }
    return true;
}

static void ladder(struct playing *p, const struct script_run *r, struct sink out)
{
    bool ascii = opt_on(p->args, "ascii") || !p->term.utf8;
    struct ladder_style style = ladder_style_of(p->term.width, ascii, p->term.color);
    (void)script_ladder(r, out, style);
}

static void report_tap(struct playing *p, const struct script_run *r, const char *path, bool v6,
                       bool passed)
{
    char text[REPORT_BYTES];
    struct txt t = txt_of(text, sizeof text);
    bool begun = false;
    struct sink out = {.put = put_comment, .ctx = &begun};
    out_f("%s %u - %s over IPv%d\n", passed ? "ok" : "not ok", p->passed + p->failed, path,
          v6 ? 6 : 4);
    script_print_failure(&t, r);
    (void)sink_put(&out, span_of(t.p, t.n));
    if (!passed)
        ladder(p, r, out);
}

static void report(struct playing *p, const struct script_run *r, const char *path, bool v6,
                   bool passed)
{
    char text[REPORT_BYTES];
    struct txt t = txt_of(text, sizeof text);
    const char *style = term_style(&p->term, passed ? TERM_GOOD : TERM_BAD);
    const char *end = style[0] != '\0' ? term_style(&p->term, TERM_PLAIN) : "";
    bool quiet = opt_on(p->args, "quiet");
    if (!passed || !quiet)
        out_f("%s%s%s %s over IPv%d\n", style, passed ? "pass" : "FAIL", end, path, v6 ? 6 : 4);
    script_print_failure(&t, r);
    out_txt(&t);
    if (!passed || opt_on(p->args, "ladder"))
        ladder(p, r, out_sink());
}

/* For the gate that wants each reason shown: those that the script named and that came. */
static void note_reasons(struct playing *p, const struct script_run *r)
{
    uint32_t cursor = 0;
    enum why why;
    enum drop drop;
    while (p->reasons && script_each_reason(r, &cursor, &why, &drop)) {
        if (why != WHY_NONE)
            fprintf(p->reasons, "why %s\n", why_of(why)->name);
        if (drop != DROP_NONE)
            fprintf(p->reasons, "drop %s\n", drop_of(drop)->name);
    }
}

static enum oriel_personality personality_of(const char *name)
{
    return strcmp(name, "rfc") == 0 ? ORIEL_AS_RFC : strcmp(name, "linux") == 0 ? ORIEL_AS_LINUX
           : strcmp(name, "freebsd") == 0 ? ORIEL_AS_FREEBSD : ORIEL_AS_ORIEL;
}

static void unreadable(struct playing *p, const struct script_error *e)
{
    char text[REPORT_BYTES];
    struct txt t = txt_of(text, sizeof text);
    script_error_print(&t, e);
    out_flush();
    out_error(p->args->verb->name, "%s", text);
    p->failed++;
    p->unreadable = true;
    if (opt_on(p->args, "tap"))
        out_f("not ok %u - %s\n", p->passed + p->failed, text);
}

static void play(struct playing *p, struct arena *arena, const struct script *s, const char *path,
                 bool v6)
{
    struct arena start = *arena;
    struct script_error e;
    const char *personality = opt_text(p->args, "personality");
    struct script_options o = {
        .v6 = v6, .has_personality = personality != NULL,
        .personality = personality_of(personality ? personality : ""),
        .no_fast_path = opt_on(p->args, "no-fast-path"),
    };
    struct script_run *r = script_open(arena, s, &o, &e);
    if (!r) {
        unreadable(p, &e);
        return;
    }
    bool passed = script_play(r);
    p->passed += passed;
    p->failed += !passed;
    capture(p, r, path);
    if (opt_on(p->args, "json"))
        report_json(p, r, path, v6, passed);
    else if (opt_on(p->args, "tap"))
        report_tap(p, r, path, v6, passed);
    else if (!opt_text(p->args, "write") || strcmp(opt_text(p->args, "write"), "-") != 0)
        report(p, r, path, v6, passed);
    note_reasons(p, r);
    script_close(r);
    arena_init(arena, p->memory, SCRIPT_MEMORY);        /* unpoisoned */
    arena->used = start.used;
}

/* Which families a script is played over: bit 0 IPv4, bit 1 IPv6. */
static unsigned families(const struct playing *p, const struct script *s)
{
    const char *asked = opt_text(p->args, "family");
    unsigned can = (script_runs_over(s, false) ? 1u : 0u) | (script_runs_over(s, true) ? 2u : 0u);
    if (!asked)
        return can & 1 ? 1 : can;
    return can & (strcmp(asked, "4") == 0 ? 1u : strcmp(asked, "6") == 0 ? 2u : 3u);
}

static void run_file(struct playing *p, const char *path)
{
    struct arena arena;
    struct file file;
    struct script_error e;
    int error = file_open(&file, path);
    if (error != 0) {
        out_error(p->args->verb->name, "cannot read %s: %s", path, strerror(error));
        p->unreadable = true;
        p->failed++;
        return;
    }
    arena_init(&arena, p->memory, SCRIPT_MEMORY);
    const struct script *s = script_parse(&arena, span_str(path), file.bytes, &e);
    if (!s) {
        unreadable(p, &e);
    } else {
        unsigned over = families(p, s);
        if (over & 1)
            play(p, &arena, s, path, false);
        if (over & 2)
            play(p, &arena, s, path, true);
    }
    file_close(&file);
}

/* ---- the verb ---- */

static int summary(struct playing *p)
{
    bool good = p->failed == 0;
    if (opt_on(p->args, "json")) {
        struct json j;
        json_begin(&j, out_sink());
        json_text(&j, "event", "end");
        json_u(&j, "passed", p->passed);
        json_u(&j, "failed", p->failed);
        json_end(&j);
    } else if (opt_on(p->args, "tap")) {
        out_f("1..%u\n", p->passed + p->failed);
    } else if ((!good || !opt_on(p->args, "quiet")) &&
               (!opt_text(p->args, "write") || strcmp(opt_text(p->args, "write"), "-") != 0)) {
        out_f("%u passed, %u failed\n", p->passed, p->failed);
    }
    if (p->status != EXIT_OK)
        return p->status;
    return p->unreadable ? EXIT_USAGE : good ? EXIT_OK : EXIT_NEGATIVE;
}

static bool one_only(const struct playing *p)
{
    const char *family = opt_text(p->args, "family");
    bool good = p->paths_n == 1 && !(family && strcmp(family, "both") == 0);
    if (opt_text(p->args, "write") && !good)
        out_error(p->args->verb->name, "-w writes the capture of one script over one family");
    bool to_stdout = opt_text(p->args, "write") && strcmp(opt_text(p->args, "write"), "-") == 0;
    unsigned writers = (unsigned)opt_on(p->args, "json") + opt_on(p->args, "tap") + to_stdout;
    if (writers > 1) {
        out_error(p->args->verb->name, "only one of --json, --tap and -w - can have standard "
                                       "output");
        return false;
    }
    return !opt_text(p->args, "write") || good;
}

static int run(const struct args *a)
{
    struct playing p = {.args = a, .term = term_of(stdout, opt_text(a, "color"))};
    const char *reasons = getenv("ORIEL_REASONS_OUT");
    int status = EXIT_USAGE;
    if (find(&p) && one_only(&p)) {
        p.memory = malloc(SCRIPT_MEMORY);
        p.reasons = reasons ? fopen(reasons, "ae") : NULL;
        if (!p.memory)
            out_error(a->verb->name, "there is no memory");
        for (size_t i = 0; p.memory && i < p.paths_n && out_ok(); i++)
            run_file(&p, p.paths[i]);
        status = p.memory ? summary(&p) : EXIT_SETUP;
        if (p.reasons)
            fclose(p.reasons);
    }
    for (size_t i = 0; i < p.paths_n; i++)
        free(p.paths[i]);
    free(p.paths);
    free(p.memory);
    return status;
}

const struct verb verb_script_run = {
    .name = "script run",
    .summary = "play packetdrill scripts in virtual time and say which pass",
    .text = "Plays scripts of the packetdrill language against the stack: the packets of a script "
            "arrive, its calls are made, and what leaves is compared with what it expects, in "
            "virtual time and without privileges.\n\n"
            "A script that fails is shown with its line, what was expected, what came and why it "
            "was sent, and a ladder of everything that happened. The last line counts: `N passed, "
            "N failed`.\n\n"
            "The language is described in docs/script-format.md.",
    VERB_LIST(opts, opts),
    VERB_LIST(operands, operands),
    VERB_LIST(examples, examples),
    VERB_LIST(exits, exits),
    .see_also = "lab-run ladder dump",
    .run = run,
};
