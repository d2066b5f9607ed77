/*
 * A fuzz target in ten lines.
 *
 *     #include "fuzz.h"
 *     #include "wire/udp.h"
 *
 *     FUZZ_FORMAT(udp, struct udp_hdr, udp_parse(r, h), udp_emit(w, h), udp_print(t, h))
 *
 * What is parsed is printed into a buffer that is too small now and then, and emitted; that must be
 * accepted again, print the same, and emit the same bytes. The calls see r (struct rd *), h (the
 * header), w (struct wr *), t (struct txt *) and rest (struct span: what follows the header; a
 * checksum may need it). A format that cannot be emitted says (void)0, and is only read.
 *
 * FUZZ_FORMAT_SEALED has one more call, which sees b and n and puts a checksum right: every input
 * is looked at as it came and sealed, for no fuzzer guesses checksums.
 */
#ifndef ORIEL_TESTS_FUZZ_H
#define ORIEL_TESTS_FUZZ_H

#include "base/text.h"
#include "wire/fault.h"

#include <stdio.h>
#include <stdlib.h>

#define FUZZ_TEXT  96           /* shorter than the longest line, so that cutting is tried too */
#define FUZZ_ROOM  256          /* a header may be longer emitted than it came */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_CHECK(x)                                                                              \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x);                                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct fuzz_format {
    size_t size;                /* of the header struct */
    bool (*parse)(struct rd *r, void *hdr);
    void (*emit)(struct wr *w, const void *hdr, struct span rest);
    void (*print)(struct txt *t, const void *hdr);
};

struct fuzz_seen {              /* one parse: what it said and what it would send */
    uint8_t *out;
    struct span emitted;
    char text[FUZZ_TEXT];
};

static inline void *fuzz_alloc(size_t n)
{
    void *p = malloc(n ? n : 1);
    FUZZ_CHECK(p != NULL);
    return p;
}

/* False when the bytes were refused; otherwise the caller frees seen->out. */
static inline bool fuzz_see(const struct fuzz_format *f, struct span s, struct fuzz_seen *seen)
{
    struct rd r = rd_of(s);
    void *h = fuzz_alloc(f->size);
    memset(h, 0xa5, f->size);                   /* a field left alone must not look like a value */
    bool ok = f->parse(&r, h);
    FUZZ_CHECK(ok == (r.bad == FAULT_NONE));
    FUZZ_CHECK(r.bad < FAULT_N);
    FUZZ_CHECK(r.p >= s.p && r.p <= r.end && r.end == s.p + s.n);
    if (ok) {
        struct txt t = txt_of(seen->text, sizeof(seen->text));
        f->print(&t, h);
        FUZZ_CHECK(t.n < sizeof(seen->text) && strlen(seen->text) == t.n);
        struct span rest = rd_rest(&r);
        seen->out = fuzz_alloc(s.n + FUZZ_ROOM);
        struct wr w = wr_of(seen->out, s.n + FUZZ_ROOM);
        f->emit(&w, h, rest);
        if (wr_len(&w) > 0)
            wr_bytes(&w, rest);
        FUZZ_CHECK(!w.bad);
        seen->emitted = wr_span(&w);
    }
    free(h);
    return ok;
}

/* The emitted bytes in a block of their exact size: accepted, and they say the same again. */
static inline void fuzz_again(const struct fuzz_format *f, const struct fuzz_seen *one)
{
    struct fuzz_seen two;
    size_t n = one->emitted.n;
    uint8_t *b = fuzz_alloc(n);
    memcpy(b, one->emitted.p, n);
    FUZZ_CHECK(fuzz_see(f, span_of(b, n), &two));
    FUZZ_CHECK(strcmp(one->text, two.text) == 0);
    FUZZ_CHECK(span_eq(one->emitted, two.emitted));
    free(two.out);
    free(b);
}

static inline void fuzz_look(const struct fuzz_format *f, struct span s)
{
    struct fuzz_seen seen;
    if (!fuzz_see(f, s, &seen))
        return;
    if (seen.emitted.n > 0)
        fuzz_again(f, &seen);
    free(seen.out);
}

#define FUZZ_CALLS(id, type, parse_call, emit_call, print_call)                                    \
    static bool fuzz_parse_##id(struct rd *r, void *hdr)                                           \
    {                                                                                              \
        type *h = hdr;                                                                             \
        return parse_call;                                                                         \
    }                                                                                              \
    static void fuzz_emit_##id(struct wr *w, const void *hdr, struct span rest)                    \
    {                                                                                              \
        const type *h = hdr;                                                                       \
        (void)w, (void)h, (void)rest;                                                              \
        emit_call;                                                                                 \
    }                                                                                              \
    static void fuzz_print_##id(struct txt *t, const void *hdr)                                    \
    {                                                                                              \
        const type *h = hdr;                                                                       \
        (void)t, (void)h;                                                                          \
        print_call;                                                                                \
    }                                                                                              \
    static const struct fuzz_format fuzz_##id = {sizeof(type), fuzz_parse_##id, fuzz_emit_##id,    \
                                                 fuzz_print_##id};

#define FUZZ_FORMAT(id, type, parse_call, emit_call, print_call)                                   \
    FUZZ_CALLS(id, type, parse_call, emit_call, print_call)                                        \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)                                   \
    {                                                                                              \
        fuzz_look(&fuzz_##id, span_of(data, size));                                                \
        return 0;                                                                                  \
    }

#define FUZZ_FORMAT_SEALED(id, type, seal_call, parse_call, emit_call, print_call)                 \
    FUZZ_CALLS(id, type, parse_call, emit_call, print_call)                                        \
    static void fuzz_seal_##id(uint8_t *b, size_t n)                                               \
    {                                                                                              \
        seal_call;                                                                                 \
    }                                                                                              \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)                                   \
    {                                                                                              \
        fuzz_look(&fuzz_##id, span_of(data, size));                                                \
        uint8_t *sealed = fuzz_alloc(size);                                                        \
        if (size > 0)                                                                              \
            memcpy(sealed, data, size);                                                            \
        fuzz_seal_##id(sealed, size);                                                              \
        fuzz_look(&fuzz_##id, span_of(sealed, size));                                              \
        free(sealed);                                                                              \
        return 0;                                                                                  \
    }

#endif
