/*
 * What every benchmark needs: a clock, medians, and one form for results.
 *
 *     figure NAME VALUE UNIT MIN MAX      measured here
 *     peer   NAME VALUE UNIT MIN MAX      somebody else's way to do the same, in the same run
 *     bound  NAME VALUE UNIT MIN MAX      the best this machine could do
 *
 * VALUE is a median; MIN and MAX are the extremes of its repetitions. A figure that has something
 * to reach goes on in the same line: the bound of the same run and the ratio to it where there are
 * any, what to reach (of the ratio, if there is one), and whether it does:
 *
 *     figure NAME VALUE UNIT MIN MAX  bound X  ratio Y  to reach Z  ok|short
 *
 * With --strict a program that printed `short` exits 1. A benchmark that cannot run here exits 77
 * and says why.
 */
#ifndef ORIEL_BENCH_BENCH_H
#define ORIEL_BENCH_BENCH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE             /* sched_setaffinity, madvise, mincore */
#endif

#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "oriel/oriel.h"

#define BENCH_REPS 9
#define BENCH_HUGE ((size_t)2 << 20)

/* The results of the repetitions of one measurement. */
struct bench_runs {
    double v[BENCH_REPS];
    int n;
};

static inline double bench_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Time that this thread ran: what others took of the processor is not in it. */
static inline double bench_busy(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline void bench_add(struct bench_runs *r, double v)
{
    int at = r->n < BENCH_REPS ? r->n++ : BENCH_REPS - 1;
    for (; at > 0 && r->v[at - 1] > v; at--)    /* kept sorted */
        r->v[at] = r->v[at - 1];
    r->v[at] = v;
}

static inline double bench_median(const struct bench_runs *r)
{
    return r->n % 2 ? r->v[r->n / 2] : (r->v[r->n / 2 - 1] + r->v[r->n / 2]) / 2;
}

static inline void bench_print(const char *kind, const char *name, const struct bench_runs *r,
                               const char *unit)
{
    printf("%s %s %.4g %s %.4g %.4g\n", kind, name, bench_median(r), unit, r->v[0],
           r->v[r->n - 1]);
    fflush(stdout);
}

static inline void bench_figure(const char *name, const struct bench_runs *r, const char *unit)
{
    bench_print("figure", name, r, unit);
}

static inline void bench_peer(const char *name, const struct bench_runs *r, const char *unit)
{
    bench_print("peer", name, r, unit);
}

static inline void bench_bound(const char *name, const struct bench_runs *r, const char *unit)
{
    bench_print("bound", name, r, unit);
}

/* ---- what is to be reached ---- */

enum bench_sense {
    BENCH_AT_LEAST,
    BENCH_AT_MOST,
};

/* How many figures fell short. */
static inline int *bench_short(void)
{
    static int n;
    return &n;
}

static inline void bench_verdict(double v, enum bench_sense sense, double to_reach)
{
    bool ok = sense == BENCH_AT_LEAST ? v >= to_reach : v <= to_reach;
    printf("  to reach %s%.4g  %s\n", sense == BENCH_AT_MOST ? "<=" : "", to_reach,
           ok ? "ok" : "short");
    fflush(stdout);
    *bench_short() += !ok;
}

static inline void bench_reach(const char *name, const struct bench_runs *r, const char *unit,
                               enum bench_sense sense, double to_reach)
{
    double v = bench_median(r);
    printf("figure %s %.*f %s %.4g %.4g", name, v < 100 ? 2 : 0, v, unit, r->v[0], r->v[r->n - 1]);
    bench_verdict(v, sense, to_reach);
}

/* A ratio to a bound, both measured in each repetition; the ratio is what is to reach something. */
static inline void bench_reach_bound(const char *name, const struct bench_runs *r, const char *unit,
                                     const struct bench_runs *bound, const struct bench_runs *ratio,
                                     double to_reach)
{
    printf("figure %s %.4g %s %.4g %.4g  bound %.4g  ratio %.3f", name, bench_median(r), unit,
           r->v[0], r->v[r->n - 1], bench_median(bound), bench_median(ratio));
    bench_verdict(bench_median(ratio), BENCH_AT_LEAST, to_reach);
}

static inline struct bench_runs bench_once(double v)
{
    return (struct bench_runs){.v = {v}, .n = 1};
}

/* ---- the machine ---- */

/* For oriel_config.cpu. */
static inline uint32_t bench_cpu(void)
{
#ifdef __x86_64__
    return __builtin_cpu_supports("avx2") ? ORIEL_CPU_AVX2 : 0;
#else
    return 0;
#endif
}

static inline void bench_pin_to(size_t cpu)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof(one), &one) != 0)
        fprintf(stderr, "not pinned to a processor\n");
}

/* Stay on one processor: the last one, where the system's own work is least likely. */
static inline void bench_pin(void)
{
    cpu_set_t all;
    size_t i = CPU_SETSIZE;
    if (sched_getaffinity(0, sizeof(all), &all) != 0)
        return;
    while (i > 1 && !CPU_ISSET(i - 1, &all))
        i--;
    bench_pin_to(i - 1);
}

_Noreturn static inline void bench_skip(const char *why)
{
    fprintf(stderr, "skipped: %s\n", why);
    exit(77);
}

static inline void *bench_memory(size_t n)
{
    void *p = NULL;
    if (posix_memalign(&p, 4096, n) != 0)
        bench_skip("not enough memory");
    memset(p, 0x5a, n);         /* pages are there before the clock runs */
    return p;
}

/* An area that is not touched, starting where a huge page does; `huge`: asked for in huge pages. */
static inline void *bench_area(size_t n, bool huge)
{
    size_t all = n + BENCH_HUGE;
    uint8_t *p = mmap(NULL, all, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        bench_skip("not enough memory");
    size_t skip = (BENCH_HUGE - (uintptr_t)p % BENCH_HUGE) % BENCH_HUGE;
    (void)munmap(p + skip + n, BENCH_HUGE - skip);
    if (skip)
        (void)munmap(p, skip);
    p += skip;
    if (madvise(p, n, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE) != 0)
        fprintf(stderr, "no huge pages here\n");
    return p;
}

/* Bytes of an area that the system has given memory for. */
static inline size_t bench_touched(const void *area, size_t n)
{
    static unsigned char seen[65536];
    size_t pages = 0;
    for (size_t at = 0; at < n; at += sizeof(seen) * 4096) {
        size_t len = n - at < sizeof(seen) * 4096 ? n - at : sizeof(seen) * 4096;
        if (mincore((uint8_t *)(uintptr_t)area + at, len, seen) != 0)
            bench_skip("mincore does not work here");
        for (size_t i = 0; i < (len + 4095) / 4096; i++)
            pages += seen[i] & 1;
    }
    return pages * 4096;
}

#endif
