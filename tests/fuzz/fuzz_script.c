/* Any text as a script: an error that points into the text, or a script, which has one verdict. */
#include "fuzz.h"

#include "lab/script.h"

#define MEMORY (24u << 20)
#define STACK  (4u << 20)

static uint32_t lines_of(struct span text)
{
    uint32_t n = 1;
    for (size_t i = 0; i < text.n; i++)
        n += text.p[i] == '\n';
    return n;
}

static bool put(void *ctx, struct span bytes)
{
    (void)ctx, (void)bytes;
    return true;
}

static void play(struct arena *arena, struct script *s, bool v6)
{
    struct script_options o = {.v6 = v6};
    struct script_error err;
    char said[4000];
    s->setup.memory = STACK;
    struct script_run *r = script_open(arena, s, &o, &err);
    if (!r)
        return;
    bool passed = script_play(r);
    struct txt t = txt_of(said, sizeof(said));
    script_print_failure(&t, r);
    FUZZ_CHECK(passed == (t.n == 0));
    (void)script_ladder(r, (struct sink){.put = put}, ladder_style_of(80, true, false));
    script_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t *memory;
    struct arena arena;
    struct script_error err;
    char said[600];
    if (!memory)
        memory = fuzz_alloc(MEMORY);
    uint8_t *copy = fuzz_alloc(size);
    if (size > 0)
        memcpy(copy, data, size);
    struct span text = span_of(copy, size);
    arena_init(&arena, memory, size & 1 ? MEMORY : 16384);
    struct script *s = script_parse(&arena, span_str("f.pkt"), text, &err);
    if (s) {
        FUZZ_CHECK(s->events > 0 && s->first != NULL);
        for (const struct script_event *v = s->first; v; v = v->next) {
            FUZZ_CHECK(v->line >= 1 && v->line <= lines_of(text));
            FUZZ_CHECK(v->text.p >= text.p && v->text.p + v->text.n <= text.p + text.n);
        }
        play(&arena, s, size & 2);
        arena_init(&arena, memory, MEMORY);     /* unpoisoned */
    } else {
        struct txt t = txt_of(said, sizeof(said));
        script_error_print(&t, &err);
        FUZZ_CHECK(err.at.expected[0] != '\0');
        FUZZ_CHECK(err.line <= lines_of(text) && err.at.column <= size + 1);
    }
    free(copy);
    return 0;
}
