/* oriel nc: standard input and output, joined with a connection of a stack of our own. */
#include "cli/nc.h"

#include "cli/out.h"

#include <errno.h>
#include <stdlib.h>

#define RANGES_MAX 64

static const struct opt opts[] = {
    {.name = "listen", .letter = 'l', .type = OPT_FLAG,
     .help = "Wait for somebody to connect to PORT instead of connecting."},
    {.name = "port", .letter = 'p', .type = OPT_UINT, .arg = "PORT", .min = 1, .max = 65535,
     .help = "Our own port: where to listen, or where to connect from."},
    {.name = "source", .letter = 's', .type = OPT_TEXT, .arg = "ADDRESS",
     .help = "Our own address."},
    {.name = "udp", .letter = 'u', .type = OPT_FLAG, .help = "Datagrams instead of a stream."},
    {.name = "scan", .letter = 'z', .type = OPT_FLAG,
     .help = "Only see whether somebody listens; several ports and ranges may be given."},
    {.name = "timeout", .letter = 'w', .type = OPT_DURATION, .arg = "TIME", .min = 1,
     .help = "Give up connecting after TIME, and end after TIME of silence."},
    {.name = "keep", .letter = 'k', .type = OPT_FLAG,
     .help = "With -l: wait for the next one when one has ended."},
    {.name = "shutdown", .letter = 'N', .type = OPT_FLAG,
     .help = "Say that nothing more comes when standard input ends (half-close)."},
    {.name = "quit", .letter = 'q', .type = OPT_DURATION, .arg = "TIME",
     .help = "End TIME after the end of standard input; without it when the other end closes."},
    {.name = "detach", .letter = 'd', .type = OPT_FLAG, .help = "Do not read standard input."},
    {.name = "ipv4", .letter = '4', .type = OPT_FLAG, .help = "Only IPv4."},
    {.name = "ipv6", .letter = '6', .type = OPT_FLAG, .help = "Only IPv6."},
    {.name = "numeric", .letter = 'n', .type = OPT_FLAG, .help = "Do not look up names."},
    NETRUN_OPTS(0, 'v'),
};

static const struct operand operands[] = {
    {.name = "HOST", .kind = OPERAND_HOST, .max = 1,
     .help = "Where to connect to; with -l nothing, or our own address."},
    {.name = "PORT", .max = RANGES_MAX, .help = "A port; with -z also a range such as 20-25."},
};

static const struct verb_example examples[] = {
    {"oriel nc --link tap:oriel0,addr=192.0.2.2/24 192.0.2.1 80", "A connection to a web server."},
    {"oriel nc -l --link udp:127.0.0.1:4000,addr=10.0.0.2/24 7", "Wait on port 7 of a link over UDP."},
    {"oriel nc -zv --link tap:oriel0,addr=192.0.2.2/24 192.0.2.1 20-30 80", "Which ports are open?"},
    {"oriel nc -N --impair 'loss 2%' --ladder --link udp:127.0.0.1:0,peer=127.0.0.1:4000,"
     "addr=10.0.0.1/24 10.0.0.2 7 < file", "Send a file over a bad link, and watch it."},
};

static const struct verb_exit exits[] = {
    {EXIT_NEGATIVE, "Standard input or output failed."},
    {EXIT_SETUP, "The link cannot be opened, or is gone; a port is taken; a file cannot be written."},
    {EXIT_RESOLVE, "HOST cannot be resolved."},
    {EXIT_REFUSED, "Nobody listens there."},
    {EXIT_UNREACHABLE, "There is no way there."},
    {EXIT_TIMEOUT, "Nobody answered in time."},
    {EXIT_RESET, "The connection was reset."},
};

struct range {
    uint16_t first, last;
};

/* ---- the command line ---- */

static int bad(const char *text)
{
    out_error("nc", "%s", text);
    return EXIT_USAGE;
}

static bool read_port(const char *text, size_t n, uint16_t *out)
{
    uint64_t v;
    if (!txt_parse_u(span_of(text, n), 65535, &v) || v == 0)
        return false;
    *out = (uint16_t)v;
    return true;
}

static bool read_range(const char *text, bool scans, struct range *r)
{
    const char *dash = strchr(text, '-');
    if (!dash || !scans)
        return read_port(text, strlen(text), &r->first) && (r->last = r->first, true);
    return read_port(text, (size_t)(dash - text), &r->first) &&
           read_port(dash + 1, strlen(dash + 1), &r->last) && r->first <= r->last;
}

struct plan {
    const char *host;           /* NULL: none */
    struct range ranges[RANGES_MAX];
    size_t ranges_n;
};

static int read_operands(const struct args *a, struct plan *p)
{
    bool listens = opt_on(a, "listen"), scans = opt_on(a, "scan");
    char *const *word = a->operands;
    size_t n = a->operands_n;
    if (n > 0 && (!listens || n > 1 || (opt_given(a, "port") && !opt_given(a, "source")))) {
        p->host = *word++;
        n--;
    }
    for (; n > 0; n--, word++) {
        if (p->ranges_n == RANGES_MAX || !read_range(*word, scans, &p->ranges[p->ranges_n])) {
            out_error("nc", "'%s' is no port%s", *word,
                      scans ? ", and no range of ports such as 20-25" : "");
            return EXIT_USAGE;
        }
        p->ranges_n++;
    }
    if (listens && p->ranges_n == 0 && opt_given(a, "port")) {
        uint16_t port = (uint16_t)opt_u64(a, "port");
        p->ranges[p->ranges_n++] = (struct range){port, port};
    }
    if (!listens && !p->host)
        return bad("expected HOST and PORT");
    if (p->ranges_n == 0)
        return bad(listens ? "expected the PORT to listen on" : "expected a PORT after HOST");
    if (p->ranges_n > 1 && !scans)
        return bad("several ports are for -z");
    return EXIT_OK;
}

static int check(const struct args *a)
{
    if (opt_on(a, "listen") && opt_on(a, "scan"))
        return bad("-l and -z: whoever listens does not look for others who do");
    if (opt_on(a, "keep") && !opt_on(a, "listen"))
        return bad("-k is for -l");
    if (opt_on(a, "keep") && opt_on(a, "udp"))
        return bad("-k is for streams; datagrams end with Ctrl-C or -w");
    if (opt_on(a, "ipv4") && opt_on(a, "ipv6"))
        return bad("-4 and -6 are both given");
    return EXIT_OK;
}

/* ---- one after another ---- */

static void complain(const struct nc *c, int err)
{
    char text[ADDR_TEXT_MAX];
    struct txt t = txt_of(text, sizeof text);
    const struct oriel_endpoint *e = c->listens ? &c->local : &c->remote;
    txt_addr(&t, &e->addr);
    out_error("nc", "%s %s port %u (%s) failed: %s",
              c->listens ? "listening on" : c->bytes_in + c->bytes_out > 0 ? "connection to"
                                                                         : "connect to",
              text, e->port, c->udp ? "udp" : "tcp", app_error_text(err));
}

static int talk(struct nc *c)
{
    const struct netrun_app app = {.step = nc_step, .deadline = nc_deadline, .busy = nc_busy,
                                   .ctx = c};
    int err = nc_start(c);
    int status = err < 0 ? EXIT_OK : netrun_run(c->n, &app);
    bool unheard = c->accepted == 0 && (c->state == NC_LISTENING || c->state == NC_CONNECTING);
    nc_stop(c);
    if (err == 0)
        err = c->error;
    if (err == 0 && status == EXIT_OK && unheard && c->n->lab && !c->n->interrupted)
        err = ORIEL_ETIMEDOUT;          /* nothing happens in that lab any more */
    if (err < 0 && (!c->scans || opt_on(c->n->args, "verbose")))
        complain(c, err);
    if (c->sys_error != 0 && c->sys_error != EPIPE) {
        out_error("nc", "standard input or output: %s", strerror(c->sys_error));
        return EXIT_NEGATIVE;
    }
    return status != EXIT_OK ? status : netrun_status(err);
}

/* Every port of every range; one that answers is enough. */
static int scan(struct nc *c, const struct plan *p)
{
    int status = EXIT_OK;
    bool any = false;
    for (size_t i = 0; i < p->ranges_n; i++)
        for (unsigned port = p->ranges[i].first; port <= p->ranges[i].last; port++) {
            c->remote.port = (uint16_t)port;
            status = talk(c);
            any = any || status == EXIT_OK;
            if (c->n->interrupted)
                return any ? EXIT_OK : status;
        }
    return any ? EXIT_OK : status;
}

static int choose_family(struct nc *c, const struct args *a, const struct plan *p)
{
    const struct oriel_addr *known = p->host ? &c->remote.addr : &c->local.addr;
    bool has_one = p->host || opt_given(a, "source");
    bool v4 = opt_on(a, "ipv4"), v6 = opt_on(a, "ipv6");
    if (has_one && ((v4 && !addr_is_v4(known)) || (v6 && addr_is_v4(known))))
        return bad("the address is of the other family");
    c->family = v4 || (has_one && addr_is_v4(known)) ? ORIEL_IP4 : v6 || has_one ? ORIEL_IP6
                                                                           : ORIEL_DUAL;
    return EXIT_OK;
}

/* An address of text, as -4, -6 and -n will have it. False after a message. */
static bool find(struct netrun *n, const char *text, struct oriel_addr *out)
{
    const struct args *a = n->args;
    if (opt_on(a, "numeric") && !addr_parse(span_str(text), out)) {
        out_error("nc", "'%s' is no address, and -n looks up no names", text);
        return false;
    }
    return netrun_addr(n, text, opt_on(a, "ipv4") ? ORIEL_IP4 : opt_on(a, "ipv6") ? ORIEL_IP6 : ORIEL_DUAL,
                       out);
}

static int converse(struct netrun *n, const struct plan *p)
{
    const struct args *a = n->args;
    struct nc c = {
        .n = n, .udp = opt_on(a, "udp"), .listens = opt_on(a, "listen"), .keeps = opt_on(a, "keep"),
        .scans = opt_on(a, "scan"), .half_close = opt_on(a, "shutdown"),
        .no_input = opt_on(a, "detach"), .timeout = opt_u64(a, "timeout"),
        .linger = opt_given(a, "quit") ? opt_u64(a, "quit") : ORIEL_NEVER,
    };
    const char *own = c.listens && p->host ? p->host : opt_text(a, "source");
    if (own && !find(n, own, &c.local.addr))
        return EXIT_USAGE;
    if (!c.listens && !find(n, p->host, &c.remote.addr))
        return EXIT_RESOLVE;
    c.local.port = c.listens ? p->ranges[0].first : (uint16_t)opt_u64(a, "port");
    struct plan known = *p;
    known.host = c.listens ? NULL : p->host;
    int status = choose_family(&c, a, &known);
    if (status == EXIT_OK && (own || !c.listens))       /* at all addresses one listens before there are any */
        status = netrun_ready(n, c.family != ORIEL_IP6, 3 * NS_PER_S);
    if (status != EXIT_OK)
        return status;
    if (c.scans)
        return scan(&c, p);
    c.remote.port = c.listens ? 0 : p->ranges[0].first;
    if (c.listens && opt_on(a, "verbose"))
        out_note("Listening on port %u", c.local.port);
    return talk(&c);
}

static int run(const struct args *a)
{
    struct netrun *n;
    struct plan p = {.host = NULL};
    int status = check(a);
    if (status == EXIT_OK)
        status = read_operands(a, &p);
    if (status == EXIT_OK)
        status = netrun_open(&n, a, stderr, 0);
    return status == EXIT_OK ? netrun_close(n, converse(n, &p)) : status;
}

const struct verb verb_nc = {
    .name = "nc",
    .summary = "join standard input and output with a connection",
    .text = "Connects to a port, or waits on one with -l, with a stack of its own on a link or on a "
            "node of a lab; then standard input goes there and what comes goes to standard output, as "
            "people know it from nc. The end of standard input closes nothing: -N closes our half, -q "
            "ends after a while; the end of the other side ends it.\n\n"
            "Pictures, reasons and the summary go to standard error.",
    VERB_LIST(opts, opts),
    VERB_LIST(operands, operands),
    VERB_LIST(examples, examples),
    VERB_LIST(exits, exits),
    .see_also = "link-list ping ss",
    .run = run,
};
