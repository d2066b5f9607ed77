/*
 * Foreign bytes: a name for them (span), the only way to read them (rd), the only way to write
 * them (wr).
 *
 * A reader never leaves its span: what is missing reads as zero and marks the reader bad. A writer
 * never leaves its buffer: what does not fit is not written and marks the writer bad. So a parser
 * reads straight through and looks at `bad` once, at the end. All integers are big-endian on the
 * wire and host-order in a variable.
 *
 * `bad` keeps the first fault (enum fault in wire/fault.h; RD_SHORT is the one known here), so that
 * the layer above can drop with a reason that names the field.
 */
#ifndef ORIEL_BASE_BYTES_H
#define ORIEL_BASE_BYTES_H

#include "base/compiler.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct span {
    const uint8_t *p;
    size_t n;
};

struct rd {
    const uint8_t *p;   /* next byte to read */
    const uint8_t *end;
    uint8_t bad;        /* 0, or the first fault met */
};

struct wr {
    uint8_t *p;         /* next byte to write */
    uint8_t *end;
    uint8_t *start;
    bool bad;
};

#define RD_SHORT 1      /* the bytes ended before the format did */

static inline struct span span_of(const void *p, size_t n)
{
    return (struct span){.p = p, .n = n};
}

static inline bool span_eq(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* p + n; in C even NULL + 0 is undefined, and an empty span may well be at NULL. */
static inline const uint8_t *bytes_after(const uint8_t *p, size_t n)
{
    return n > 0 ? p + n : p;
}

/* ---- reading ---- */

static inline struct rd rd_of(struct span s)
{
    return (struct rd){.p = s.p, .end = bytes_after(s.p, s.n), .bad = 0};
}

static inline size_t rd_left(const struct rd *r)
{
    return (size_t)(r->end - r->p);
}

static inline bool rd_done(const struct rd *r)
{
    return r->p == r->end;
}

/* Record a fault; the first one stays. Always false, so that a parser can `return rd_fail(...)`. */
static inline bool rd_fail(struct rd *r, uint8_t fault)
{
    if (r->bad == 0)
        r->bad = fault;
    return false;
}

/* Narrow: a reader of the next n bytes; the parent continues after them. */
static inline struct rd rd_sub(struct rd *r, size_t n)
{
    struct rd sub = {.p = r->p, .end = r->p, .bad = r->bad};
    if (oriel_unlikely(rd_left(r) < n)) {
        rd_fail(r, RD_SHORT);
        rd_fail(&sub, RD_SHORT);
        return sub;
    }
    sub.end = bytes_after(r->p, n);
    r->p = sub.end;
    return sub;
}

static inline uint8_t rd_u8(struct rd *r)
{
    if (oriel_unlikely(rd_left(r) < 1)) {
        rd_fail(r, RD_SHORT);
        return 0;
    }
    return *r->p++;
}

static inline uint16_t rd_u16(struct rd *r)
{
    if (oriel_unlikely(rd_left(r) < 2)) {
        rd_fail(r, RD_SHORT);
        return 0;
    }
    uint16_t v = load_be16(r->p);
    r->p += 2;
    return v;
}

static inline uint32_t rd_u32(struct rd *r)
{
    if (oriel_unlikely(rd_left(r) < 4)) {
        rd_fail(r, RD_SHORT);
        return 0;
    }
    uint32_t v = load_be32(r->p);
    r->p += 4;
    return v;
}

static inline uint32_t rd_u24(struct rd *r)
{
    if (oriel_unlikely(rd_left(r) < 3)) {
        rd_fail(r, RD_SHORT);
        return 0;
    }
    uint32_t hi = rd_u8(r);
    return (hi << 16) | rd_u16(r);
}

static inline uint64_t rd_u64(struct rd *r)
{
    if (oriel_unlikely(rd_left(r) < 8)) {
        rd_fail(r, RD_SHORT);
        return 0;
    }
    uint64_t v = load_be64(r->p);
    r->p += 8;
    return v;
}

/* The next n bytes, in place. Empty and bad when there are fewer. */
static inline struct span rd_bytes(struct rd *r, size_t n)
{
    struct rd sub = rd_sub(r, n);
    return (struct span){.p = sub.p, .n = (size_t)(sub.end - sub.p)};
}

/* Everything that is left. */
static inline struct span rd_rest(struct rd *r)
{
    return rd_bytes(r, rd_left(r));
}

static inline void rd_skip(struct rd *r, size_t n)
{
    (void)rd_sub(r, n);
}

/* Copy n bytes out; zeros when there are fewer. */
static inline void rd_copy(struct rd *r, void *out, size_t n)
{
    struct span s = rd_bytes(r, n);
    if (n == 0)
        return;
    if (s.n == n)
        memcpy(out, s.p, n);
    else
        memset(out, 0, n);
}

/* A child reader's fault becomes its parent's. True when both are good. */
static inline bool rd_join(struct rd *r, const struct rd *child)
{
    if (oriel_unlikely(child->bad != 0))
        rd_fail(r, child->bad);
    return r->bad == 0;
}

/* ---- writing ---- */

static inline struct wr wr_of(void *p, size_t n)
{
    uint8_t *b = p;
    return (struct wr){.p = b, .end = n > 0 ? b + n : b, .start = b, .bad = false};
}

static inline size_t wr_len(const struct wr *w)
{
    return (size_t)(w->p - w->start);
}

static inline size_t wr_left(const struct wr *w)
{
    return (size_t)(w->end - w->p);
}

static inline struct span wr_span(const struct wr *w)
{
    return span_of(w->start, wr_len(w));
}

/* Room for n bytes, to be filled by the caller; NULL and bad when there is none. */
static inline uint8_t *wr_room(struct wr *w, size_t n)
{
    if (oriel_unlikely(wr_left(w) < n)) {
        w->bad = true;
        return NULL;
    }
    uint8_t *at = w->p;
    if (n > 0)
        w->p += n;
    return at;
}

static inline void wr_u8(struct wr *w, uint8_t v)
{
    uint8_t *b = wr_room(w, 1);
    if (b)
        b[0] = v;
}

static inline void wr_u16(struct wr *w, uint16_t v)
{
    uint8_t *b = wr_room(w, 2);
    if (b)
        store_be16(b, v);
}

static inline void wr_u24(struct wr *w, uint32_t v)
{
    uint8_t *b = wr_room(w, 3);
    if (b) {
        b[0] = (uint8_t)(v >> 16);
        b[1] = (uint8_t)(v >> 8);
        b[2] = (uint8_t)v;
    }
}

static inline void wr_u32(struct wr *w, uint32_t v)
{
    uint8_t *b = wr_room(w, 4);
    if (b)
        store_be32(b, v);
}

static inline void wr_u64(struct wr *w, uint64_t v)
{
    uint8_t *b = wr_room(w, 8);
    if (b)
        store_be64(b, v);
}

static inline void wr_bytes(struct wr *w, struct span s)
{
    uint8_t *b = wr_room(w, s.n);
    if (b && s.n > 0)
        memcpy(b, s.p, s.n);
}

static inline void wr_zeros(struct wr *w, size_t n)
{
    uint8_t *b = wr_room(w, n);
    if (b && n > 0)
        memset(b, 0, n);
}

/* Overwrite a field written before, `at` bytes after the start: lengths and checksums. */
static inline void wr_patch_u16(struct wr *w, size_t at, uint16_t v)
{
    ORIEL_ASSERT(w->bad || at + 2 <= wr_len(w));
    if (!w->bad)
        store_be16(w->start + at, v);
}

#endif
