/*
 * A veth between the kernel and a stack that shares its end with another kernel, and what passes over it: the
 * bound of any stack there and Oriel, in turns.
 */
#ifndef ORIEL_BENCH_KERNVETH_H
#define ORIEL_BENCH_KERNVETH_H

#include "bench/kern.h"

#include "host/kernif.h"

#include <sched.h>

/* A veth from the namespace of who asks (v1, tuned) to one of our own (v0). False: said why. */
static inline bool veth_make(const char *more, uint8_t mac[6])
{
    char line[256];
    if (kern_run("ip link add v0 type veth peer name v1 && ip addr add " KERN_THEM "/24 dev v1 && "
                 "ip link set v1 up") != 0 ||
        kern_run(more) != 0 || !kern_tune("v1") || kernif_mac("v1", mac) != 0 || unshare(CLONE_NEWNET) != 0)
        return false;
    snprintf(line, sizeof(line), "nsenter -t %d -n ip link set v0 netns %d && ip link set v0 up",
             (int)getppid(), (int)getpid());
    return kern_run(line) == 0;
}

/* `more` is a command, for the kernel's end (v1). */
static inline void veth_measure(const char *name, void (*raw)(void *), void (*live)(void *), const char *more,
                                enum kern_what what, uint64_t n)
{
    struct kern bound, ours;
    struct bench_runs b = {.n = 0}, r = {.n = 0}, ratio = {.n = 0};
    char text[128];
    snprintf(text, sizeof(text), "%s", more);
    kern_start(&bound, raw, text);
    kern_start(&ours, live, text);
    for (int i = -1; i < BENCH_REPS; i++) {
        double x = kern_ask(&bound, what, n), y = kern_ask(&ours, what, n);
        if (i < 0)
            continue;           /* to become warm */
        bench_add(&b, (double)n * 8e-9 / x);
        bench_add(&r, (double)n * 8e-9 / y);
        bench_add(&ratio, x / y);
    }
    kern_stop(&bound);
    kern_stop(&ours);
    bench_bound(name, &b, "Gbit/s");
    bench_reach_bound(name, &r, "Gbit/s", &b, &ratio, 0.90);
}

#endif
