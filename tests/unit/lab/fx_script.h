/*
 * For tests of scripts: parse a text, or say what is wrong with it and where.
 *
 *     struct script *s = script_of("0 close(3) = 0\n");
 *     EXPECT_WRONG("0 colse(3) = 0", 1, 3, "`colse`", "a call, such as socket or read");
 *     EXPECT_STR(wrong.at.hint, "close");
 */
#ifndef ORIEL_TESTS_FX_SCRIPT_H
#define ORIEL_TESTS_FX_SCRIPT_H

#include "test.h"

#include "lab/script.h"

static uint8_t script_memory[1 << 20];
static struct arena script_arena;
static struct script_error wrong;

static inline struct script *script_of(const char *text)
{
    arena_init(&script_arena, script_memory, sizeof(script_memory));
    struct script *s = script_parse(&script_arena, span_str("t.pkt"), span_str(text), &wrong);
    if (!s) {
        char said[400];
        struct txt t = txt_of(said, sizeof(said));
        script_error_print(&t, &wrong);
        fail_msg("%s\nin: %s", said, text);
    }
    return s;
}

#define EXPECT_WRONG(text, the_line, the_column, the_found, the_expected)                          \
    do {                                                                                           \
        arena_init(&script_arena, script_memory, sizeof(script_memory));                           \
        EXPECT(!script_parse(&script_arena, span_str("t.pkt"), span_str(text), &wrong));           \
        EXPECT_STR(wrong.at.expected, the_expected);                                               \
        EXPECT_STR(wrong.at.found, the_found);                                                     \
        EXPECT_EQ(wrong.line, the_line);                                                           \
        EXPECT_EQ(wrong.at.column, the_column);                                                    \
    } while (0)

/* The only packet, call of a script. */
static inline const struct script_packet *packet_of(const char *line)
{
    const struct script *s = script_of(line);
    EXPECT_EQ(s->first->kind, SCRIPT_PACKET);
    return s->first->is.packet;
}

static inline const struct script_call *call_of(const char *line)
{
    const struct script *s = script_of(line);
    EXPECT_EQ(s->first->kind, SCRIPT_CALL);
    return s->first->is.call;
}

static inline void expect_span(struct span s, const char *text)
{
    EXPECT_EQ(s.n, strlen(text));
    EXPECT_MEM(s.p, text, s.n);
}

#endif
