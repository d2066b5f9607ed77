/* oriel bench: how fast a link and the stacks at its ends are. */
#include "cli/bench.h"

#include "cli/json.h"
#include "cli/out.h"

#include <stdlib.h>

static const struct opt opts[] = {
    {.name = "serve", .letter = 's', .type = OPT_FLAG,
     .help = "Be the other end: a sink, a source and an echo on PORT, until Ctrl-C."},
    {.name = "port", .letter = 'p', .type = OPT_UINT, .arg = "PORT", .min = 1, .max = 65535,
     .def = "5201", .help = "Where the other end listens."},
    {.name = "time", .letter = 't', .type = OPT_DURATION, .arg = "TIME", .min = 1000000, .def = "10s",
     .help = "Measure for TIME."},
    {.name = "parallel", .letter = 'P', .type = OPT_UINT, .arg = "N", .min = 1,
     .max = BENCH_FLOWS_MAX, .def = "1", .help = "Over N connections at once."},
    {.name = "reverse", .letter = 'R', .type = OPT_FLAG, .help = "bulk: the other end sends."},
    {.name = "size", .letter = 'l', .type = OPT_SIZE, .arg = "BYTES", .min = 1, .max = 1048576,
     .def = "1", .help = "rr: BYTES in each request and each answer."},
    NETRUN_OPTS('w', 'v'),
};

static const struct operand operands[] = {
    {.name = "HOST", .kind = OPERAND_HOST, .max = 1, .help = "The other end."},
    {.name = "WHAT", .max = 1,
     .help = "`bulk`: bytes a second, which is what is meant without it; `rr`: requests and answers; "
             "`conn`: connections opened and closed."},
};

static const struct verb_example examples[] = {
    {"oriel bench -s --link udp:127.0.0.1:4000,addr=10.0.0.2/24", "The other end."},
    {"oriel bench --link udp:127.0.0.1:0,peer=127.0.0.1:4000,addr=10.0.0.1/24 10.0.0.2 rr -t 3s",
     "Round trips of an application, for three seconds."},
    {"oriel bench --lab fairness --on a1 b1 -p 1 --cc bbr",
     "Inside a lab, where time is virtual: what its wires allow."},
};

static const struct verb_exit exits[] = {
    {EXIT_SETUP, "The link cannot be opened, or is gone."},
    {EXIT_REFUSED, "Nobody listens there."},
    {EXIT_UNREACHABLE, "There is no way there."},
    {EXIT_TIMEOUT, "Nobody answered in time."},
    {EXIT_RESET, "The other end gave up in the middle."},
};

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t percentile(const struct bench *b, unsigned per_mille)
{
    size_t i = (size_t)b->times_n * per_mille / 1000;
    return b->times_n ? b->times_us[i < b->times_n ? i : b->times_n - 1] : 0;
}

/* A number with a unit of thousands: 1.23 G. */
static void put_big(struct txt *t, uint64_t v, const char *unit)
{
    static const char prefix[] = " kMGT";
    unsigned k = 0;
    uint64_t scale = 1;
    while (v / scale >= 1000 && k + 1 < sizeof prefix - 1) {
        scale *= 1000;
        k++;
    }
    txt_u(t, v / scale);
    if (k > 0) {
        txt_c(t, '.');
        txt_u_pad(t, v % scale * 100 / scale, 2, '0');
    }
    txt_s(t, unit[0] == ' ' && k == 0 ? "" : " ");
    if (k > 0)
        txt_c(t, prefix[k]);
    txt_s(t, unit);
}

static const char *name_of(enum bench_kind k)
{
    return k == BENCH_RR ? "rr" : k == BENCH_CONN ? "conn" : k == BENCH_REVERSE ? "bulk, reverse"
                                                                              : "bulk";
}

static uint64_t per_second(uint64_t n, oriel_time ns)
{
    uint64_t us = ns / 1000 ? ns / 1000 : 1;
    return n / us * 1000000 + n % us * 1000000 / us;
}

static void report(struct bench *b, oriel_time took)
{
    char line[256];
    struct txt t = txt_of(line, sizeof line);
    bool stream = b->kind == BENCH_BULK || b->kind == BENCH_REVERSE;
    txt_s(&t, name_of(b->kind));
    txt_s(&t, ": ");
    if (stream)
        put_big(&t, per_second(b->bytes * 8, took), "bit/s");
    else
        put_big(&t, per_second(b->turns, took), b->kind == BENCH_RR ? "answers/s" : "connections/s");
    txt_s(&t, " over ");
    txt_u(&t, b->flows_n);
    txt_s(&t, b->flows_n == 1 ? " connection; " : " connections; ");
    put_big(&t, stream ? b->bytes : b->turns, stream ? "bytes in " : " in ");
    txt_seconds(&t, took, 3);
    txt_s(&t, " s, ");
    txt_u(&t, b->retrans);
    txt_s(&t, " segments sent again\n");
    out_txt(&t);
    if (b->times_n > 0)
        out_f("us: min %u, p50 %u, p90 %u, p99 %u, max %u\n", percentile(b, 0), percentile(b, 500),
              percentile(b, 900), percentile(b, 990), percentile(b, 1000));
}

static void report_json(struct bench *b, oriel_time took)
{
    struct json j;
    json_begin(&j, out_sink());
    json_text(&j, "event", "bench");
    json_text(&j, "what", name_of(b->kind));
    json_u(&j, "flows", b->flows_n);
    json_u(&j, "time_ns", took);
    json_u(&j, "bytes", b->bytes);
    json_u(&j, "bits_per_s", per_second(b->bytes * 8, took));
    json_u(&j, "turns", b->turns);
    json_u(&j, "turns_per_s", per_second(b->turns, took));
    json_u(&j, "segments_retrans", b->retrans);
    json_u(&j, "min_us", percentile(b, 0));
    json_u(&j, "p50_us", percentile(b, 500));
    json_u(&j, "p90_us", percentile(b, 900));
    json_u(&j, "p99_us", percentile(b, 990));
    json_u(&j, "max_us", percentile(b, 1000));
    json_end(&j);
}

static int run_it(struct bench *b)
{
    const struct args *a = b->n->args;
    const struct netrun_app app = {.step = bench_step, .deadline = bench_deadline,
                                   .busy = bench_busy, .ctx = b};
    int err = bench_start(b);
    int status = err < 0 ? EXIT_OK : netrun_run(b->n, &app);
    oriel_time now = netrun_now(b->n);
    uint32_t *times = b->times_us;
    b->times_us = NULL;
    err = err < 0 ? err : b->error;
    if (err == 0 && !b->serves && b->began == 0 && !b->n->interrupted)
        err = ORIEL_ETIMEDOUT;
    bench_stop(b);
    b->times_us = times;
    if (err < 0) {
        out_error("bench", "port %u: %s", b->to.port, app_error_text(err));
        status = netrun_status(err);
    } else if (!b->serves && b->began != 0 && !watch_takes_stdout(a)) {
        qsort(times, b->times_n, sizeof times[0], by_size);
        netrun_show(b->n);
        if (opt_on(a, "json"))
            report_json(b, now - b->began);
        else
            report(b, now - b->began);
    }
    free(times);
    return status;
}

static int choose_kind(const struct args *a, enum bench_kind *kind)
{
    const char *what = a->operands_n > 1 ? a->operands[1] : "bulk";
    *kind = strcmp(what, "rr") == 0 ? BENCH_RR : strcmp(what, "conn") == 0 ? BENCH_CONN
            : opt_on(a, "reverse") ? BENCH_REVERSE : BENCH_BULK;
    if (*kind == BENCH_RR || *kind == BENCH_CONN || strcmp(what, "bulk") == 0)
        return EXIT_OK;
    out_error("bench", "'%s' is not one of bulk, rr, conn", what);
    return EXIT_USAGE;
}

static int run(const struct args *a)
{
    struct netrun *n;
    struct bench b = {
        .serves = opt_on(a, "serve"), .length = opt_u64(a, "time"), .size = (uint32_t)opt_u64(a, "size"),
        .flows_n = opt_on(a, "serve") ? BENCH_CONNS_MAX : (unsigned)opt_u64(a, "parallel"),
    };
    int status = choose_kind(a, &b.kind);
    if (status == EXIT_OK && (a->operands_n == 0) != b.serves) {
        out_error("bench", b.serves ? "-s waits for others; HOST is for them" : "expected HOST");
        status = EXIT_USAGE;
    }
    if (status == EXIT_OK)
        status = netrun_open(&n, a, stdout, 0);
    if (status != EXIT_OK)
        return status;
    b.n = n;
    b.to.port = (uint16_t)opt_u64(a, "port");
    if (!b.serves && !netrun_addr(n, a->operands[0], ORIEL_DUAL, &b.to.addr))
        return netrun_close(n, EXIT_RESOLVE);
    status = netrun_ready(n, b.serves || addr_is_v4(&b.to.addr), 3 * NS_PER_S);
    return netrun_close(n, status == EXIT_OK ? run_it(&b) : status);
}

const struct verb verb_bench = {
    .name = "bench",
    .summary = "measure a link: bytes, round trips or connections a second",
    .text = "Sends as much as it can for a while to another `oriel bench -s`, to any sink (bulk) or to any "
            "echo service (rr), with a stack of its own on a link, and says how much that was. Without "
            "anything to be watched, frames cross as large as the link takes them.",
    VERB_LIST(opts, opts),
    VERB_LIST(operands, operands),
    VERB_LIST(examples, examples),
    VERB_LIST(exits, exits),
    .see_also = "link-list nc ss",
    .run = run,
};
