/* oriel doctor: which modes of `oriel run` can serve a program, and why the others cannot. */
#define _GNU_SOURCE
#include "cli/json.h"
#include "cli/out.h"
#include "cli/verbs.h"
#include "host/netns.h"
#include "host/run.h"
#include "host/run_program.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define MODES 3
#define URING "liburing.so"         /* what a program that uses io_uring is linked to */

static const struct opt opts[] = {
    {.name = "tun", .type = OPT_FILE, .arg = "FILE", .def = "/dev/net/tun",
     .help = "The device file that --mode=ns is to use."},
    {.name = "json", .type = OPT_FLAG, .help = "Print a JSON object."},
};

static const struct operand operands[] = {
    {.name = "PROGRAM", .help = "The program, searched for as a shell does.", .min = 1, .max = 1},
};

static const struct verb_example examples[] = {
    {"oriel doctor curl", "Can it be run with `oriel run`, and how?"},
};

static const struct verb_exit exits[] = {
    {EXIT_NEGATIVE, "The default mode, notify, does not work, but another one does."},
    {(enum exit_status)RUN_EXIT_CANNOT, "No mode works."},
    {(enum exit_status)RUN_EXIT_NOT_FOUND, "There is no such program."},
};

/* What is known of one mode, for one program on this machine. */
struct finding {
    const char *mode;
    const char *needs;              /* of the machine */
    char missing[DRV_ERROR_MAX];    /* and why it has that not; empty: it has */
    bool works;
    char why_not[DRV_ERROR_MAX + PATH_MAX];
    const char *note;               /* a thing to know where it works; NULL: none */
};

static void refuse(struct finding *f, const char *what, const char *why)
{
    f->works = false;
    (void)snprintf(f->why_not, sizeof(f->why_not), "%s%s%s", what, *what ? " " : "", why);
}

/* Is the way open? The machine's word is kept, without what is said of a program that was to be started. */
static bool try_way(struct finding *f, const struct run_way *way, char error[DRV_ERROR_MAX])
{
    static const char said[] = "cannot be served: ";
    if (way->enter && run_way_works(way, error))
        return true;
    bool cut = strncmp(error, said, sizeof(said) - 1) == 0;
    (void)snprintf(f->missing, sizeof(f->missing), "%s", cut ? error + sizeof(said) - 1 : error);
    refuse(f, "", f->missing);
    return false;
}

static void try_notify(struct finding *f, const struct program *p)
{
    char error[DRV_ERROR_MAX];
    *f = (struct finding){.mode = "notify", .needs = "seccomp's user notification", .works = true};
    if (!try_way(f, &notify_way, error))
        return;
    if (p->foreign)
        refuse(f, p->path, "is of another machine or word size, and its sockets are refused");
    else if (!p->readable && geteuid() != 0)
        refuse(f, p->path, "may be executed and not read, so the system lets nobody look into it; as root it "
               "works");
}

static void try_preload(struct finding *f, const struct program *p)
{
    char error[DRV_ERROR_MAX];
    const char *why = program_shuts_out(p);
    *f = (struct finding){.mode = "preload", .needs = "filters of seccomp", .works = true};
    struct preload *shim = preload_prepare(error);
    if (!shim)
        f->needs = "the shim of this program";
    const struct run_way way = shim ? preload_way(shim) : (struct run_way){0};
    if (try_way(f, &way, error) && why)
        refuse(f, p->path, why);
    preload_close(shim);
}

static void try_ns(struct finding *f, const char *tun)
{
    char error[DRV_ERROR_MAX];
    const struct netns_config cfg = {.tun = tun};
    const struct run_way way = ns_way(&cfg);
    *f = (struct finding){.mode = "ns", .needs = "namespaces and a TAP device", .works = true};
    (void)try_way(f, &way, error);
}

static void add_notes(struct finding f[MODES], const struct program *p)
{
    const char *note = p->set_id                         ? "it runs without the privilege that its file gives"
                       : program_mentions(p->path, URING) ? "io_uring is answered ENOSYS; it must do without"
                                                          : NULL;
    for (int i = 0; i < MODES; i++)
        if (strcmp(f[i].mode, "ns") != 0 || p->set_id)
            f[i].note = note;
}

static const char *kind_of(const struct program *p)
{
    if (!p->readable)
        return "not readable";
    if (!p->elf)
        return "no ELF program";
    if (p->foreign)
        return "of another machine or word size";
    if (p->go)
        return "a Go program";
    return !p->loader[0] ? "static" : p->other_library ? "dynamic, of another C library" : "dynamic";
}

static void print_text(const struct finding f[MODES], const struct program *p, const char *path)
{
    out_f("%s: %s%s%s%s%s\n", path, p->script ? "a script of " : "", p->script ? p->path : "",
          p->script ? ", " : "", kind_of(p), p->set_id ? ", with a privilege of its own" : "");
    for (int i = 0; i < MODES; i++)
        out_f("  %-8s %s%s%s%s\n", f[i].mode, f[i].works ? "works" : "no: ", f[i].works ? "" : f[i].why_not,
              f[i].works && f[i].note ? "; " : "", f[i].works && f[i].note ? f[i].note : "");
    out_str("this machine:\n");
    for (int i = 0; i < MODES; i++)
        out_f("  %-28s %s%s\n", f[i].needs, f[i].missing[0] ? "no: " : "yes", f[i].missing);
}

static void print_json(const struct finding f[MODES], const struct program *p, const char *path)
{
    struct json j;
    json_begin(&j, out_sink());
    json_text(&j, "program", path);
    json_text(&j, "loads", p->path);
    json_text(&j, "kind", kind_of(p));
    json_bool(&j, "set_id", p->set_id);
    json_open(&j, "modes", '[');
    for (int i = 0; i < MODES; i++) {
        json_open(&j, NULL, '{');
        json_text(&j, "mode", f[i].mode);
        json_bool(&j, "works", f[i].works);
        json_text(&j, "needs", f[i].needs);
        json_bool(&j, "machine_has", !f[i].missing[0]);
        if (!f[i].works)
            json_text(&j, "why_not", f[i].why_not);
        else if (f[i].note)
            json_text(&j, "note", f[i].note);
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_end(&j);
}

static int run(const struct args *a)
{
    char path[PATH_MAX];
    struct program p;
    struct finding f[MODES];
    int err = program_find(a->operands[0], path);
    if (err) {
        out_error("doctor", "%s: %s", a->operands[0],
                  err == -ENOENT ? "there is no such program" : strerror(-err));
        return err == -ENOENT || err == -ENOTDIR ? RUN_EXIT_NOT_FOUND : RUN_EXIT_CANNOT;
    }
    program_look(&p, path);
    out_flush();
    try_notify(&f[0], &p);
    try_preload(&f[1], &p);
    try_ns(&f[2], opt_text(a, "tun"));
    add_notes(f, &p);
    (opt_on(a, "json") ? print_json : print_text)(f, &p, path);
    if (f[0].works)
        return EXIT_OK;
    return f[1].works || f[2].works ? EXIT_NEGATIVE : RUN_EXIT_CANNOT;
}

const struct verb verb_doctor = {
    .name = "doctor",
    .summary = "tell which modes of `oriel run` can serve a program",
    .text = "Looks at PROGRAM's file and tries, in a child that ends at once, what each mode of `oriel run` "
            "needs of this machine: user notification of seccomp, a filter for system calls, user "
            "namespaces, the device file. For each mode it says that it works, or why not.",
    VERB_LIST(opts, opts),
    VERB_LIST(operands, operands),
    VERB_LIST(examples, examples),
    VERB_LIST(exits, exits),
    .see_also = "run",
    .run = run,
};
