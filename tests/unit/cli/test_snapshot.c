/* The question that `oriel ss` and `oriel stat` send to a process: it travels as a line. */
#include "test.h"

#include "base/clock.h"
#include "cli/snapshot.h"
#include "cli/summary.h"

static void travels(const struct snapshot_want *w)
{
    char line[256], again[256];
    struct snapshot_want back;
    struct txt t = txt_of(line, sizeof line), u = txt_of(again, sizeof again);
    snapshot_line(&t, w);
    EXPECT(!t.cut);
    EXPECT(snapshot_parse(span_of(t.p, t.n), &back));
    EXPECT(back.what == w->what && back.json == w->json && back.states == w->states);
    snapshot_line(&u, &back);
    EXPECT_STR(line, again);
}

TEST("what is asked for arrives as it was asked")
{
    for (unsigned what = SNAPSHOT_SOCKETS; what <= SNAPSHOT_COUNTERS; what++)
        for (unsigned flags = 0; flags < 128; flags++) {
            struct snapshot_want w;
            memset(&w, 0, sizeof w);
            w.what = (enum snapshot_what)what;
            w.json = flags & 1;
            w.prometheus = flags & 2;
            w.zeros = flags & 4;
            w.tcp = flags & 8;
            w.udp = flags & 16;
            w.icmp = flags & 32;
            w.info = flags & 64;
            w.states = flags * 0x2000001u;
            travels(&w);
        }
}

TEST("anything else is no question")
{
    static const char *const lines[] = {
        "", " ", "sss", "ss  json", "ss jso", "json ss", "ss states=", "ss states=x", "ss states=-1",
        "ss states=4294967296", "stat\t", "ss json ss", "SS", "limits states=1 everything",
    };
    struct snapshot_want w;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        if (snapshot_parse(span_str(lines[i]), &w))
            fail_msg("taken: '%s'", lines[i]);
    EXPECT(!snapshot_parse(span_of("ss\0json", 7), &w));
}

TEST("every limit of a connection has a key of its own")
{
    for (unsigned i = 0; i < ORIEL_LIMIT_N; i++)
        for (unsigned k = 0; k < i; k++)
            EXPECT(strcmp(summary_limit_key((enum oriel_tcp_limit)i),
                          summary_limit_key((enum oriel_tcp_limit)k)) != 0);
}
