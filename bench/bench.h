/*
 * What every benchmark needs: a clock, medians, and one form for results.
 *
 *     figure NAME VALUE UNIT MIN MAX      measured here
 *     peer   NAME VALUE UNIT MIN MAX      somebody else's way to do the same, in the same run
 *     bound  NAME VALUE UNIT MIN MAX      the best this machine could do
 *
 * VALUE is a median; MIN and MAX are the extremes of its repetitions. A benchmark that cannot run
 * here exits 77 and says why.
 */
#ifndef ORIEL_BENCH_BENCH_H
#define ORIEL_BENCH_BENCH_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BENCH_REPS 9

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

#endif
