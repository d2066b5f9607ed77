#include "fixture.h"

static struct trace_rec ring[8];

TEST("every reason and every event has a name of its own and a sentence")
{
    for (unsigned i = 1; i < WHY_N; i++) {
        const struct reason *r = why_of((enum why)i);
        EXPECT(strlen(r->name) > 0 && strlen(r->text) > 10);
        EXPECT_EQ(why_named(span_str(r->name)), i);
    }
    for (unsigned i = 1; i < DROP_N; i++) {
        const struct reason *r = drop_of((enum drop)i);
        EXPECT(strlen(r->name) > 0 && strlen(r->text) > 10);
        EXPECT_EQ(drop_named(span_str(r->name)), i);
    }
    for (unsigned i = 1; i < EV_N; i++)
        EXPECT(strlen(event_of((enum event)i)->name) > 0);
    EXPECT_EQ(why_named(span_str("NO_SUCH_REASON")), WHY_NONE);
    EXPECT_EQ(drop_named(span_str("")), DROP_NONE);
}

TEST("a ring keeps the newest events, and says which is the oldest")
{
    struct trace t;
    struct env env = {.trace = &t, .trace_mask = TOPICS_ALL, .now = 5};
    trace_init(&t, ring, 8);
    EXPECT(trace_at(&t, 1) == NULL);
    for (uint64_t i = 1; i <= 20; i++)
        EXPECT_EQ(trace_put(&env, EV_TIMER, WHY_NONE, DROP_NONE, i, 0, 0, 0), i);
    EXPECT_EQ(trace_oldest(&t), 13);
    EXPECT(trace_at(&t, 12) == NULL);
    EXPECT(trace_at(&t, 21) == NULL);
    for (uint64_t i = 13; i <= 20; i++) {
        EXPECT_EQ(trace_at(&t, i)->id, i);
        EXPECT_EQ(trace_at(&t, i)->a, i);
        EXPECT_EQ(trace_at(&t, i)->t, 5);
    }
}

TEST("a size that is no power of two is rounded down, and without a ring events are only counted")
{
    struct trace t;
    struct env env = {.trace = &t};
    trace_init(&t, ring, 7);
    EXPECT_EQ(t.mask, 3);
    trace_init(&t, NULL, 0);
    EXPECT_EQ(trace_put(&env, EV_TIMER, WHY_NONE, DROP_NONE, 0, 0, 0, 0), 1);
    EXPECT_EQ(trace_put(&env, EV_TIMER, WHY_NONE, DROP_NONE, 0, 0, 0, 0), 2);
    EXPECT(trace_at(&t, 1) == NULL);
}

TEST("an event carries the id of the event that caused it")
{
    struct trace t;
    struct env env = {.trace = &t, .trace_mask = TOPICS_ALL};
    trace_init(&t, ring, 8);
    env.cause = trace_put(&env, EV_PKT_RX, WHY_NONE, DROP_NONE, 1, 60, 0, 0);
    TRACE(&env, EV_FORWARD, 1, 2, 63);
    EXPECT_EQ(trace_at(&t, 2)->cause, 1);
    EXPECT_EQ(trace_at(&t, 2)->c, 63);
}

static int evaluated;

static uint64_t count_evaluation(void)
{
    return (uint64_t)++evaluated;
}

TEST("arguments of a hook are not evaluated while its topic is off")
{
    struct trace t;
    struct env env = {.trace = &t, .trace_mask = BIT(TOPIC_SOCK)};
    trace_init(&t, ring, 8);
    TRACE(&env, EV_FORWARD, count_evaluation());
    EXPECT_EQ(evaluated, 0);
    EXPECT_EQ(t.next, 1);
    env.trace_mask = BIT(TOPIC_IP);
    TRACE(&env, EV_FORWARD, count_evaluation());
    EXPECT_EQ(evaluated, 1);
    EXPECT_EQ(t.next, 2);
}

TEST("an event is told in words, with its numbers and its reason")
{
    char buf[200];
    struct txt out = txt_of(buf, sizeof(buf));
    struct trace_rec r = {.event = EV_PKT_TX, .why = WHY_ARP_REPLY, .a = 1, .b = 42};
    trace_print(&out, &r);
    EXPECT_STR(buf, "42 bytes left: somebody asked for one of our addresses");
}

TEST("the schema of a stored trace names every event and every reason")
{
    static char buf[65536];
    struct txt out = txt_of(buf, sizeof(buf));
    trace_schema(&out);
    EXPECT(!out.cut);
    EXPECT(strncmp(buf, "oriel-events 1\n", 15) == 0);
    for (unsigned i = 1; i < DROP_N; i++)
        EXPECT(strstr(buf, drop_of((enum drop)i)->name) != NULL);
    EXPECT(strstr(buf, "event 8 ") != NULL);
}
