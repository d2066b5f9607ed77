/* oriel link list: the kinds of links, what each is for and needs, and whether it can be used here. */
#include "cli/json.h"
#include "cli/out.h"
#include "cli/term.h"
#include "cli/verbs.h"
#include "host/drv.h"
#include "lens/cells.h"

#include <stdlib.h>

static const struct opt opts[] = {
    {.name = "json", .type = OPT_FLAG, .help = "Print a JSON object a line."},
};

static const struct operand operands[] = {
    {.name = "KIND", .max = 1, .help = "Only that kind."},
};

static const struct verb_example examples[] = {
    {"oriel link list", "All kinds."},
    {"oriel link list tap", "One of them."},
};

static const struct verb_exit exits[] = {
    {EXIT_NEGATIVE, "There is no such KIND."},
};

struct kind {
    const char *name, *where, *help, *needs, *why_not;
    const struct drv_key *keys;
};

static void put_wrapped(const char *head, const char *text, unsigned width)
{
    struct span rest = span_str(text);
    unsigned indent = 12, column = width > 40 ? width : 40;
    for (bool first = true; rest.n > 0; first = false) {
        struct span line = cells_wrap(&rest, column - indent);
        out_f("%-*s", (int)indent, first ? head : "");
        out_put(line);
        out_str("\n");
    }
}

static void put_keys(const struct drv_key *k)
{
    unsigned width = term_of(stdout, "never").width;
    for (; k && k->name; k++) {
        char line[160];
        struct txt t = txt_of(line, sizeof line);
        txt_s(&t, k->name);
        txt_s(&t, k->value ? "=" : "");
        txt_s(&t, k->value ? k->value : "");
        txt_s(&t, ": ");
        txt_s(&t, k->help);
        put_wrapped("", line, width);
    }
}

static void print_text(const struct kind *k)
{
    unsigned width = term_of(stdout, "never").width;
    out_f("%s%s%s\n", k->name, k->where[0] != '\0' ? ":" : "", k->where);
    put_wrapped("", k->help, width);
    put_keys(k->keys);
    put_wrapped("  needs", k->needs, width);
    put_wrapped("  here", k->why_not ? k->why_not : "available", width);
}

static void json_keys(struct json *j, const struct drv_key *k)
{
    json_open(j, "keys", '[');
    for (; k && k->name; k++) {
        json_open(j, NULL, '{');
        json_text(j, "key", k->name);
        if (k->value)
            json_text(j, "value", k->value);
        json_text(j, "help", k->help);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void print_json(const struct kind *k)
{
    struct json j;
    json_begin(&j, out_sink());
    json_text(&j, "kind", k->name);
    json_text(&j, "where", k->where);
    json_text(&j, "help", k->help);
    json_text(&j, "needs", k->needs);
    json_keys(&j, k->keys);
    json_bool(&j, "available", !k->why_not);
    if (k->why_not)
        json_text(&j, "why_not", k->why_not);
    json_end(&j);
}

static bool show(const struct args *a, const struct kind *k)
{
    if (a->operands_n > 0 && strcmp(a->operands[0], k->name) != 0)
        return false;
    if (opt_on(a, "json"))
        print_json(k);
    else
        print_text(k);
    return true;
}

static int run(const struct args *a)
{
    static const struct kind ours[] = {
        {"user", "", "The system's own sockets, behind a gateway: every address is reached that the "
                     "system reaches. The default.", "nothing", NULL, NULL},
        {"lab", "NAME,node=NODE", "A node of a scenario, in virtual time.", "nothing", NULL, NULL},
    };
    const char *names[64];
    size_t n = 0;
    bool any = false;
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        names[n++] = ours[i].name;
        any = show(a, &ours[i]) || any;
    }
    for (size_t i = 0; drv_kinds[i] && n < ARRAY_LEN(names); i++) {
        const struct drv_kind *d = drv_kinds[i];
        char why_not[DRV_ERROR_MAX] = "";
        bool can = !d->available || d->available(why_not);
        const struct kind k = {d->name, d->where, d->help, d->needs, can ? NULL : why_not, d->keys};
        names[n++] = d->name;
        any = show(a, &k) || any;
    }
    if (any && a->operands_n == 0 && !opt_on(a, "json")) {
        out_str("every kind but user and lab\n");
        put_keys(drv_common_keys);
    }
    if (any)
        return EXIT_OK;
    const char *near = opt_nearest(a->operands[0], names, n);
    out_error("link list", "there is no kind '%s'%s%s%s", a->operands[0],
              near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return EXIT_NEGATIVE;
}

const struct verb verb_link_list = {
    .name = "link list",
    .summary = "show the kinds of links",
    .text = "What --link can name: for each kind where it leads, what it needs, and whether it can be "
            "used here, by this user, or why not.\n\n"
            "KIND:WHERE,KEY=VALUE,...: keys are separated by commas. Those that every kind has, but user and "
            "lab, stand at the end of the list.",
    VERB_LIST(opts, opts),
    VERB_LIST(operands, operands),
    VERB_LIST(examples, examples),
    VERB_LIST(exits, exits),
    .see_also = "ping nc",
    .run = run,
};
