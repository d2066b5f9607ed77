/*
 * The bounds alone (bound.h): what this machine could move between two stacks in one process.
 *
 *     bound.summed     copy and sum at the sender, sum and copy at the receiver; segments of 1,460
 *     bound.copied     copied at both ends, the link vouches for sums
 *     bound.shared     summed at both ends, nothing copied
 *     bound.super      two copies of super-segments, the link vouches
 */
#include "bench/bound.h"

#define REP_BYTES ((size_t)256 << 20)
#define LARGEST   ((size_t)4 << 20)

static const struct {
    const char *name;
    enum bound_kind kind;
    size_t len, stride;
} subjects[] = {
    {"summed", BOUND_SUMMED, 1460, 2048},
    {"copied", BOUND_COPIED, 1460, 2048},
    {"shared", BOUND_SHARED, 1460, 2048},
    {"super", BOUND_COPIED, 65415, 66048},
};

static const struct {
    const char *name;
    size_t bytes;
} windows[] = {
    {"64k", (size_t)64 << 10},
    {"256k", (size_t)256 << 10},
    {"1m", (size_t)1 << 20},
    {"4m", LARGEST},
};

int main(void)
{
    bench_pin();
    size_t room = bound_room(LARGEST, 1460, 2048);
    uint8_t *memory = bench_area(room, true);
    memset(memory, 1, room);
    for (size_t s = 0; s < ARRAY_LEN(subjects); s++) {
        for (size_t w = 0; w < ARRAY_LEN(windows); w++) {
            struct bound b;
            struct bench_runs r = {.n = 0};
            char name[64];
            bound_init(&b, subjects[s].kind, windows[w].bytes, subjects[s].len, subjects[s].stride,
                       memory, bench_cpu());
            for (int i = 0; i < BENCH_REPS; i++)
                bench_add(&r, bound_gbits(&b, REP_BYTES));
            snprintf(name, sizeof(name), "bound.%s.%s", subjects[s].name, windows[w].name);
            bench_bound(name, &r, "Gbit/s");
        }
    }
    (void)munmap(memory, room);
    return 0;
}
