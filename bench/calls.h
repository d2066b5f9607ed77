/*
 * Instructions by function, counted by callgrind in a run of this program itself.
 *
 * The program is started again as `SELF --inside WHAT N` under valgrind; it makes everything ready,
 * and counts only between CALLS_START and CALLS_STOP, so that preparations, however long, are
 * neither counted nor slowed down by counting. The same binary and N give the same number.
 */
#ifndef ORIEL_BENCH_CALLS_H
#define ORIEL_BENCH_CALLS_H

#include "bench/bench.h"

#include <unistd.h>

#if defined(__has_include)
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#define CALLS_START() CALLGRIND_START_INSTRUMENTATION
#define CALLS_STOP()  CALLGRIND_STOP_INSTRUMENTATION
#endif
#endif
#ifndef CALLS_START
#define CALLS_NONE 1
#define CALLS_START() ((void)0)
#define CALLS_STOP()  ((void)0)
#endif

#define CALLS_FNS_MAX 4096

struct calls_fn {
    char name[64];
    double ir;                  /* in the function itself */
    double calls;
};

struct calls {
    struct calls_fn fn[CALLS_FNS_MAX];      /* by callgrind's number */
    double ir;
};

/* "fn=(12) name" or "fn=(12)" -> 12, and the name where it is given. */
static inline unsigned calls_name(struct calls *c, const char *at)
{
    char *end;
    unsigned long id = strtoul(at + 1, &end, 10);
    if (id >= CALLS_FNS_MAX)
        return CALLS_FNS_MAX - 1;
    if (end[0] == ')' && end[1] == ' ')
        snprintf(c->fn[id].name, sizeof(c->fn[id].name), "%.*s", (int)strcspn(end + 2, "\n'"),
                 end + 2);
    return (unsigned)id;
}

/* The format of callgrind's output: a function, lines of its own costs, calls with theirs. */
static inline void calls_parse(struct calls *c, FILE *f)
{
    char line[4096];
    unsigned in = 0, to = 0;
    bool inclusive = false;
    while (fgets(line, sizeof(line), f)) {
        if (strncmp(line, "fn=", 3) == 0) {
            in = calls_name(c, line + 3);
        } else if (strncmp(line, "cfn=", 4) == 0) {
            to = calls_name(c, line + 4);
        } else if (strncmp(line, "calls=", 6) == 0) {
            c->fn[to].calls += strtod(line + 6, NULL);
            inclusive = true;
        } else if (strchr("0123456789+-*", line[0])) {
            const char *cost = strchr(line, ' ');
            double v = cost && !inclusive ? strtod(cost, NULL) : 0;
            c->fn[in].ir += v;
            c->ir += v;
            inclusive = false;
        }
    }
}

/* Count `self --inside what n`. */
static inline void calls_count(struct calls *c, const char *self, const char *what, long n)
{
    char out[] = "/tmp/oriel-calls-XXXXXX", line[1024];
    int fd = mkstemp(out);
    if (fd < 0)
        bench_skip("no place for callgrind's output");
    close(fd);
    memset(c, 0, sizeof(*c));
    snprintf(line, sizeof(line),
             "valgrind -q --tool=callgrind --instr-atstart=no --callgrind-out-file=%s %s --inside "
             "%s %ld >/dev/null", out, self, what, n);
    int status = system(line);
    FILE *f = status == 0 ? fopen(out, "r") : NULL;
    if (f) {
        calls_parse(c, f);
        fclose(f);
    }
    (void)unlink(out);
#ifdef CALLS_NONE
    bench_skip("built without valgrind's header");
#endif
    if (c->ir == 0) {
        fprintf(stderr, "failed: %s\n", line);
        bench_skip("callgrind counted nothing (is valgrind installed?)");
    }
}

/* The loops that copy and sum payload. */
static inline bool calls_is_payload(const char *name)
{
    static const char *const loops[] = {"sum_chunk", "copy_chunk", "avx2_sum", "avx2_copy",
                                        "portable_sum", "portable_copy"};
    for (size_t i = 0; i < sizeof(loops) / sizeof(loops[0]); i++)
        if (strcmp(name, loops[i]) == 0)
            return true;
    return strncmp(name, "__memcpy", 8) == 0 || strncmp(name, "__memmove", 9) == 0 ||
           strcmp(name, "memcpy") == 0 || strcmp(name, "memmove") == 0;
}

static inline double calls_payload(const struct calls *c)
{
    double ir = 0;
    for (size_t i = 0; i < CALLS_FNS_MAX; i++)
        if (calls_is_payload(c->fn[i].name))
            ir += c->fn[i].ir;
    return ir;
}

static inline int calls_by_ir(const void *a, const void *b)
{
    const struct calls_fn *x = a, *y = b;
    return x->ir < y->ir ? 1 : x->ir > y->ir ? -1 : 0;
}

/* The functions that take most, for each of n operations. Sorts c. */
static inline void calls_print(struct calls *c, double n, unsigned rows)
{
    qsort(c->fn, CALLS_FNS_MAX, sizeof(c->fn[0]), calls_by_ir);
    for (unsigned i = 0; i < rows && c->fn[i].ir > 0; i++)
        printf("  %8.1f instructions %7.3f calls  %s%s\n", c->fn[i].ir / n, c->fn[i].calls / n,
               c->fn[i].name, calls_is_payload(c->fn[i].name) ? "  (payload)" : "");
    fflush(stdout);
}

#endif
