/*
 * sim SEED [-v|-w]: one random world and what happens in it, twice; what was seen must be the same.
 * -v shows the first time, -w the second. sim all SEED...: until one fails. sim transfer: see transfer.c.
 *
 *   build -> traffic -> heal -> two minutes -> quiet -> everybody reaches everybody -> quiet -> end
 *
 * The second time the memory is not zero before it is used, so nothing may hang on that either, and
 * TCP has no fast path, which must not make a difference to anybody.
 * Ends with one line, "sim SEED: ok, ..." or what is wrong and the command that shows it again.
 */
#include "sim.h"

#include "lens/dissect.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MEMORY        ((size_t)56 << 20)
#define QUIET_AFTER   (125 * NS_PER_S)      /* reassembly takes 60 s, reports of groups a while */
#define STILL_AFTER   (20 * NS_PER_S)       /* of waiting for a moment when nothing is under way */
#define STREAMS_END   (1800 * NS_PER_S)     /* longer than any retransmission timeout, twice */
#define SWEEPS_AT_MOST 20
#define TRIES         20
#define TRY_TAKES     (3 * NS_PER_S)
#define SECONDS_MAX   120                   /* for one of many */
#define STEPS_AT_MOST 200000                /* at one moment: more, and time does not go on */

static struct sim *running;                 /* for what is said when an assertion fails */

static void again(const struct sim *s)
{
    printf("sim %" PRIu64 ": again with: build/sim/sim %" PRIu64 " -v\n", s->seed, s->seed);
}

void oriel_assert_failed(const char *file, int line, const char *what)
{
    const struct sim *s = running;
    if (s) {
        printf("sim %" PRIu64 ": an assertion failed after %" PRIu64 " events at %" PRIu64
               " ms: %s:%d: %s\n", s->seed, s->events, s->w.env.now / NS_PER_MS, file, line, what);
        again(s);
    }
    fflush(stdout);
    abort();
}

void sim_wrong(struct sim *s, const char *format, ...)
{
    va_list args;
    if (s->wrong[0])
        return;
    int n = snprintf(s->wrong, sizeof(s->wrong), "after %" PRIu64 " events at %" PRIu64 " ms: ",
                     s->events, s->w.env.now / NS_PER_MS);
    va_start(args, format);
    vsnprintf(s->wrong + n, sizeof(s->wrong) - (size_t)n, format, args);
    va_end(args);
}

void sim_say(const struct sim *s, const char *format, ...)
{
    va_list args;
    if (!s->verbose)
        return;
    printf("%10.3f ms  ", (double)s->w.env.now / 1e6);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

uint64_t sim_scale(struct sim *s, uint64_t max)
{
    unsigned bits = bit_highest(max);
    uint64_t v = 1 + rng_below(&s->rng, (uint64_t)2 << rng_below(&s->rng, bits + 1));
    return v > max ? max : v;
}

unsigned sim_who(const struct sim *s, const struct node *n)
{
    unsigned i = 0;
    while (s->who[i].node != n)
        i++;
    return i;
}

/* ---- what the world tells ---- */

static void say_frame(const struct sim *s, const struct world_frame *f)
{
    static const char *const fate[] = {"", " LOST", " QUEUE FULL", " DOWN", " TOO BIG", " CHANGED"};
    static struct dissection d;
    if (!s->verbose)
        return;
    dissect(&(struct lens_frame){.link = LENS_ETHERNET, .bytes = f->bytes}, &d);
    sim_say(s, "#%-6" PRIu64 " %s %s.%s %4zu bytes %s%s%s  %s > %s %s %s", f->packet_id,
            f->out ? "->" : "<-", f->port->node->name, f->port->name, f->bytes.n,
            why_of(f->why)->name, fate[f->fate], f->duplicate ? " (again)" : "", d.src, d.dst,
            d.proto, d.info);
}

static void on_frame(void *ctx, const struct world_frame *f)
{
    struct sim *s = ctx;
    say_frame(s, f);
    check_frame(s, f);
}

static void on_step(void *ctx, struct node *n)
{
    struct sim *s = ctx;
    if (s->steps_at != s->w.env.now)
        s->steps_now = 0;
    s->steps_at = s->w.env.now;
    if (++s->steps_now > STEPS_AT_MOST) {
        printf("sim %" PRIu64 ": time stands still at %" PRIu64 " ns in %s\n", s->seed,
               s->w.env.now, n->name);
        again(s);
        exit(1);
    }
    unsigned who = sim_who(s, n);
    watch_step(s, who);
    sim_read_eager(s, who);
    watch_step(s, who);
}

/* ---- phases ---- */

static void run_until(struct sim *s, oriel_time end)
{
    while (!s->wrong[0]) {
        oriel_time next = world_next(&s->w);
        world_run(&s->w, next < end ? next : end);
        s->events++;
        check_event(s);
        if (next >= end)
            return;
    }
}

static void traffic(struct sim *s)
{
    uint64_t acts = between(s, 60, 600);
    run_until(s, between(s, 0, 3) * NS_PER_S);
    for (uint64_t i = 0; i < acts && !s->wrong[0]; i++) {
        sim_act(s);
        check_event(s);
        oriel_time pause = one_in(s, 40) ? 70 * NS_PER_S : one_in(s, 3) ? 0 : 200 * NS_PER_MS;
        run_until(s, s->w.env.now + between(s, 0, pause));
    }
}

/* From here on nobody begins anything; what is on its way comes to its end. */
static void quiet_down(struct sim *s, oriel_time after)
{
    run_until(s, s->w.env.now + after);
    for (oriel_time end = s->w.env.now + STILL_AFTER; s->w.env.now < end && !s->wrong[0];) {
        sim_read_all(s);
        if (sim_is_quiet(s))
            return;
        run_until(s, s->w.env.now + 10 * NS_PER_MS);
    }
    if (!s->wrong[0])
        check_quiet(s);
}

/* Streams that are open come to their end, whatever they went through. */
static void finish_streams(struct sim *s)
{
    sim_say(s, "---- streams end");
    stream_hurry(s);
    for (oriel_time end = s->w.env.now + STREAMS_END; s->w.env.now < end && !s->wrong[0];) {
        if (stream_all_done(s))
            break;
        run_until(s, s->w.env.now + 50 * NS_PER_MS);
    }
    if (!s->hostile && !s->bare)
        stream_stuck(s);
    if (!s->wrong[0])
        stream_close_all(s);
    /* And then what their applications have left behind. */
    for (oriel_time end = s->w.env.now + STREAMS_END; s->w.env.now < end && !s->wrong[0];) {
        if (stream_all_gone(s))
            return;
        run_until(s, s->w.env.now + NS_PER_S);
    }
    stream_left(s);
}

static void heal(struct sim *s)
{
    sim_say(s, "---- healing");
    s->healing = true;
    hoard_end(s);
    sim_close_all(s);
    sim_sweep(s);
    for (unsigned i = 0; i < SWEEPS_AT_MOST && !world_quiet(&s->w); i++)
        run_until(s, s->w.env.now + 5 * NS_PER_S);
    if (!s->wrong[0])
        sim_heal(s);
    if (!s->wrong[0])
        sim_open_all(s);
    if (!s->wrong[0])
        finish_streams(s);
    quiet_down(s, QUIET_AFTER);
}

/* Has any of the pings since that number had its answer? */
static bool answered(const struct sim *s, uint32_t since, unsigned who, const struct oriel_addr *to)
{
    int slot = sim_slot_of(addr_is_v4(to) ? ORIEL_IP4 : ORIEL_IP6, true);
    for (uint32_t id = since; id < s->sent_n; id++) {
        const struct sent *r = &s->sent[id];
        if (r->is_ping && r->who == who && addr_same_bits(&r->dst, to) && r->got[who][slot])
            return true;
    }
    return false;
}

/* Those who have had no answer yet ask again; `say`: the first of them is what is wrong. */
static unsigned ping_round(struct sim *s, uint32_t since, bool v4, size_t len, oriel_time apart,
                           bool say)
{
    unsigned missing = 0;
    for (unsigned a = 0; a < s->all; a++)
        for (unsigned b = 0; b < s->all; b++) {
            const struct leg *l = sim_first_leg(s, b);
            const struct oriel_addr *to = l ? v4 ? &l->a4 : &l->a6 : NULL;
            if (!to || !sim_reaches(s, a, b, v4) || answered(s, since, a, to))
                continue;
            missing++;
            if (say)
                sim_wrong(s, "all is well again, but %s cannot ping %s with %zu bytes over IPv%c",
                          s->who[a].node->name, s->who[b].node->name, len, v4 ? '4' : '6');
            sim_see(s, (uint64_t)sim_ping(s, a, to, len));
            run_until(s, s->w.env.now + apart);
        }
    return missing;
}

static void reach_all(struct sim *s, bool v4, size_t len)
{
    uint32_t since = s->sent_n;
    unsigned missing = 1;
    sim_say(s, "---- everybody pings everybody, IPv%c, %zu bytes", v4 ? '4' : '6', len);
    for (unsigned i = 0; i < TRIES && missing > 0 && !s->wrong[0]; i++) {
        /* All at once, then, where memory is small and holds pieces of that, one by one. */
        bool slow = i >= TRIES / 2;
        missing = ping_round(s, since, v4, len, slow ? 300 * NS_PER_MS : NS_PER_MS, i == TRIES - 1);
        run_until(s, s->w.env.now + (i == TRIES / 2 - 1 && missing > 0 ? QUIET_AFTER : TRY_TAKES));
    }
}

static void liveness(struct sim *s)
{
    size_t large = s->blackhole ? 400 : 4000;
    if (s->hostile || s->bare || s->calm)
        return;                 /* what a liar has said may be believed for longer */
    for (unsigned v4 = 0; v4 < 2; v4++) {
        if (v4 ? !s->v4 : !s->v6)
            continue;
        reach_all(s, v4, 64);
        if (!s->wrong[0])
            reach_all(s, v4, large);
    }
}

static void end(struct sim *s)
{
    sim_close_all(s);
    quiet_down(s, QUIET_AFTER);
    if (s->wrong[0])
        return;
    for (unsigned i = 0; i < s->all; i++) {
        const struct env *env = &s->who[i].node->stack->env;
        for (unsigned k = 0; k < WHY_N; k++)
            sim_see(s, env->why_count[k]);
        for (unsigned k = 0; k < DROP_N; k++)
            sim_see(s, env->drop_count[k]);
        if (s->who[i].node->stack->budget.used != 0)
            sim_wrong(s, "%s is charged for packets that are gone", s->who[i].node->name);
    }
    sim_see(s, s->w.trace.next);
    world_fini(&s->w);
}

/* ---- runs ---- */

/* For -v: what they all think at the end. */
static void say_state(const struct sim *s, const struct actor *a)
{
    struct oriel_addr_info i;
    struct oriel_neigh_info n;
    struct oriel_route_info r;
    char text[2][64];
    for (uint32_t at = 0; oriel_addr_each(a->node->stack, &at, &i);) {
        (void)oriel_addr_print(&i.addr, text[0], sizeof(text[0]));
        sim_say(s, "%s.%d %s/%u %s %s", a->node->name, i.netif, text[0], i.prefix_len, i.state,
                i.origin);
    }
    for (uint32_t at = 0; oriel_neigh_each(a->node->stack, &at, &n);) {
        (void)oriel_addr_print(&n.addr, text[0], sizeof(text[0]));
        sim_say(s, "%s.%d neighbour %s %02x:%02x %s", a->node->name, n.netif, text[0], n.mac[4],
                n.mac[5], n.state);
    }
    for (uint32_t at = 0; oriel_route_each(a->node->stack, &at, &r);) {
        (void)oriel_addr_print(&r.prefix, text[0], sizeof(text[0]));
        (void)oriel_addr_print(&r.gateway, text[1], sizeof(text[1]));
        sim_say(s, "%s.%d route %s/%u via %s %s", a->node->name, r.netif, text[0], r.prefix_len,
                text[1], r.origin);
    }
}

static void say_drops(const struct sim *s, const struct actor *a)
{
    const struct oriel_stack *k = a->node->stack;
    for (unsigned i = 0; i < DROP_N; i++)
        if (k->env.drop_count[i])
            sim_say(s, "%s dropped %" PRIu64 " %s", a->node->name, k->env.drop_count[i],
                    drop_of((enum drop)i)->name);
    sim_say(s, "%s holds %" PRIu64 " bytes of %" PRIu64, a->node->name, k->budget.used, k->budget.max);
}

static void say_world(const struct sim *s)
{
    sim_say(s, "IPv4 %d, IPv6 %d, hostile %d, bare %d, translation %d, black hole %d", s->v4, s->v6,
            s->hostile, s->bare, s->has_nat, s->blackhole);
    for (unsigned i = 0; i < s->legs; i++) {
        char text[2][64];
        (void)oriel_addr_print(&s->leg[i].a4, text[0], sizeof(text[0]));
        (void)oriel_addr_print(&s->leg[i].a6, text[1], sizeof(text[1]));
        sim_say(s, "%s.%d %s %s network %u mtu %u vlan %u%s", s->who[s->leg[i].who].node->name,
                s->leg[i].netif, text[0], text[1], s->leg[i].seg, s->seg[s->leg[i].seg].mtu,
                s->seg[s->leg[i].seg].vid, s->leg[i].is_nat ? " translates" : "");
    }
}

/* used: bytes of memory that the run before took; 0: this is the first. */
static bool make(struct sim *s, uint64_t seed, size_t used)
{
    memset(s, 0, sizeof(*s));
    s->seed = seed;
    s->second = used > 0;
    s->memory = malloc(MEMORY + 64);
    s->buffer = malloc(2 * (DATA_AT_MOST + 64));
    s->sent = calloc(SENT_AT_MOST, sizeof(s->sent[0]));
    if (!s->memory || !s->buffer || !s->sent)
        return false;
    memset(s->memory, 0xa5, used);
    rng_seed(&s->rng, seed, 77);
    return true;
}

static void unmake(struct sim *s)
{
    struct arena a;
    hoard_end(s);
    arena_init(&a, s->memory, MEMORY + 64);     /* it is nobody's again */
    free(s->memory);
    free(s->buffer);
    free(s->sent);
}

static void run(struct sim *s)
{
    running = s;
    s->memory += s->second ? 64 : 0;
    sim_build(s, MEMORY);
    s->w.on_frame = on_frame;
    s->w.on_step = on_step;
    s->w.on_frame_ctx = s->w.on_step_ctx = s;
    if (!s->wrong[0])
        sim_open_all(s);
    if (!s->wrong[0])
        stream_open_all(s);
    say_world(s);
    if (!s->wrong[0])
        traffic(s);
    if (!s->wrong[0])
        heal(s);
    if (!s->wrong[0])
        liveness(s);
    for (unsigned i = 0; s->wrong[0] && i < s->all; i++) {
        say_state(s, &s->who[i]);
        say_drops(s, &s->who[i]);
    }
    if (!s->wrong[0])
        end(s);
    s->memory -= s->second ? 64 : 0;
    running = NULL;
}

/* One seed, twice: the second time in memory that is not where it was, nor zero. 0: all is well. */
static int play(uint64_t seed, bool verbose, bool second)
{
    static struct sim s;
    uint64_t hash[2] = {0};
    size_t used = 0;
    for (unsigned i = 0; i < 2; i++) {
        if (!make(&s, seed, used)) {
            puts("sim: no memory");
            return 1;
        }
        s.verbose = i == 0 ? verbose : second;
        run(&s);
        used = s.w.arena.used + 64;
        unmake(&s);
        hash[i] = s.hash;
        if (s.wrong[0])
            break;
    }
    if (!s.wrong[0] && hash[0] != hash[1])
        sim_wrong(&s, "the same seed made two histories");
    if (s.wrong[0]) {
        printf("sim %" PRIu64 ": %s\n", seed, s.wrong);
        again(&s);
        return 1;
    }
    printf("sim %" PRIu64 ": ok, %" PRIu64 " events, %" PRIu64 " frames, %u datagrams and %u answers "
           "delivered\n", seed, s.events, s.frames, s.delivered, s.answered);
    return 0;
}

static void too_long(int sig)
{
    (void)sig;
    printf("sim %" PRIu64 ": no end within %d seconds\n", running ? running->seed : 0, SECONDS_MAX);
    (void)fflush(stdout);
    _exit(1);
}

/* all SEED...: until one fails. */
static int play_all(char **seeds)
{
    (void)signal(SIGALRM, too_long);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);     /* should one crash, the one before it is known */
    for (; *seeds; seeds++) {
        (void)alarm(SECONDS_MAX);
        if (play(strtoull(*seeds, NULL, 0), false, false) != 0)
            return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *how = argc > 2 ? argv[2] : "";
    if (argc > 1 && strcmp(argv[1], "transfer") == 0)
        return sim_transfer();
    if (argc > 1 && strcmp(argv[1], "all") == 0)
        return play_all(argv + 2);
    return play(argc > 1 ? strtoull(argv[1], NULL, 0) : 1, strcmp(how, "-v") == 0, strcmp(how, "-w") == 0);
}
