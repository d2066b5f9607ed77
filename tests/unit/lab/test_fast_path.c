/*
 * The short ways of TCP (header prediction, acknowledgements in peace, segments with nothing special,
 * runs) leave out only what the long way would find to be so. Every lab is run with them and without:
 * all frames, their moments, reasons and causes, and the numbers of all events must be the same.
 */
#define _GNU_SOURCE
#include "fx_lab.h"

#include "stack/stack.h"

#include <dirent.h>

#define LABS_MAX 500
#define LAB_BYTES ((size_t)1 << 30)     /* as the command gives them; most of it is never touched */

#ifdef __SANITIZE_ADDRESS__
#define EVERY 6                 /* the others are run by the build without sanitizers */
#else
#define EVERY 1
#endif

struct seen {
    uint64_t hash;
    uint64_t frames, tcp_segments;
};

static void see(struct seen *s, uint64_t v)
{
    s->hash = hash_word(s->hash, v);
}

static void on_frame(void *ctx, const struct world_frame *f)
{
    struct seen *s = ctx;
    struct rd r = rd_of(f->bytes);
    s->frames++;
    see(s, f->time);
    see(s, f->ev);
    see(s, f->cause);
    see(s, f->packet_id);
    see(s, (uint64_t)f->port->node->id << 32 | (uint64_t)f->port->index << 24 | (uint64_t)f->out << 16 |
               (uint64_t)f->why << 8 | (uint64_t)f->fate);
    while (rd_left(&r) >= 8)
        see(s, rd_u64(&r));
    while (rd_left(&r) > 0)
        see(s, rd_u8(&r));
}

static void set_fast_path(struct lab *l, bool fast)
{
    for (uint16_t i = 0; i < l->w->nodes_n; i++)
        if (l->w->nodes[i].stack)
            l->w->nodes[i].stack->tcp.set.fast_path = fast;
}

static void see_counts(struct seen *s, const struct lab *l)
{
    for (uint16_t i = 0; i < l->w->nodes_n; i++) {
        const struct oriel_stack *k = l->w->nodes[i].stack;
        for (unsigned n = 0; k && n < WHY_N; n++)
            see(s, k->env.why_count[n]);
        for (unsigned n = 0; k && n < DROP_N; n++)
            see(s, k->env.drop_count[n]);
        for (unsigned n = WHY_SYN; k && n < WHY_N; n++)
            s->tcp_segments += k->env.why_count[n];
    }
    see(s, l->w->trace.next);
}

static char *read_lab(const char *name)
{
    char path[300];
    snprintf(path, sizeof(path), "labs/%s", name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    char *text = calloc(1, 1 << 20);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
    fclose(f);
    return text;
}

static struct seen run(const char *name, const char *text, bool fast)
{
    struct seen s = {0};
    struct scenario_error err;
    struct arena arena;
    void *memory = malloc(LAB_BYTES);
    assert_non_null(memory);
    arena_init(&arena, memory, LAB_BYTES);
    const struct lab_options opt = {.on_frame = on_frame, .on_frame_ctx = &s};
    const struct scenario *sc = scenario_parse(&arena, span_str(name), span_str(text), NULL, 0, &err);
    struct lab *l = sc ? lab_build(&arena, sc, &opt, &err) : NULL;
    if (!l)
        fail_msg("%s cannot be built", name);
    set_fast_path(l, fast);
    lab_start(l);
    lab_run(l, ORIEL_NEVER);
    see(&s, lab_finish(l));
    see_counts(&s, l);
    lab_fini(l);
    arena_init(&arena, memory, LAB_BYTES);
    free(memory);
    return s;
}

static bool is_lab(const char *name)
{
    size_t n = strlen(name);
    return n > 4 && strcmp(name + n - 4, ".lab") == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static unsigned find_labs(char *name[])
{
    unsigned n = 0;
    DIR *d = opendir("labs");
    if (!d)
        return 0;
    for (const struct dirent *e; (e = readdir(d)) != NULL && n < LABS_MAX;)
        if (is_lab(e->d_name))
            name[n++] = strdup(e->d_name);
    closedir(d);
    qsort(name, n, sizeof(name[0]), by_name);
    return n;
}

TEST("every lab is the same, to the byte and the nanosecond, without the short ways of TCP")
{
    static char *name[LABS_MAX];
    unsigned n = find_labs(name), different = 0;
    uint64_t segments = 0;
    EXPECT(n > 50);
    for (unsigned i = 0; i < n; i++) {
        char *text = i % EVERY == 0 ? read_lab(name[i]) : NULL;
        if (text) {
            struct seen fast = run(name[i], text, true), slow = run(name[i], text, false);
            if (fast.hash != slow.hash)
                print_message("# %s differs: %lu frames and %lu\n", name[i],
                              (unsigned long)fast.frames, (unsigned long)slow.frames);
            different += fast.hash != slow.hash;
            segments += fast.tcp_segments;
        }
        free(text);
        free(name[i]);
    }
    EXPECT_EQ(different, 0);
    EXPECT(segments > 10000);
}
