/*
 * Two ends of PPP, joined by a line in virtual time: a byte takes LINE_DELAY, and a test may lose, change or
 * look at frames. What passes is kept as text, a line a frame: "a: LCP Configuration Request id 1 <...>".
 */
#ifndef ORIEL_TESTS_FX_PPP_H
#define ORIEL_TESTS_FX_PPP_H

#include "test.h"

#include "base/rng.h"
#include "link/ppp_neg.h"

#define LINE_DELAY (10 * NS_PER_MS)
#define LINE_BYTES 16384

struct fx_end {
    struct ppp l;
    struct ppp_config cfg;
    uint8_t in[PPP_MRU + 100], out[16384];
    uint8_t wire[LINE_BYTES];           /* on its way to the other end */
    size_t wire_n;
    unsigned packets;                   /* that came, and the last of them */
    uint8_t last[2000];
    size_t last_n;
    struct ppp_rx seen;                 /* decodes what it sends, for the text */
    uint8_t seen_buf[PPP_MRU + 100];
};

struct fx_ppp {
    struct fx_end end[2];
    oriel_time now;
    struct rng rng;
    unsigned lose_pct;                  /* of writes */
    bool cut;                           /* nothing arrives any more */
    char text[65536];
    size_t text_n;
};

static inline struct ppp_config fx_config(uint8_t seed)
{
    struct ppp_config c = {.echo = 10 * NS_PER_S, .echoes_max = 3};
    memset(c.seed, seed, sizeof c.seed);
    return c;
}

static inline void fx_secret(struct ppp_secret *s, const char *name, const char *word)
{
    s->name_n = (uint8_t)strlen(name);
    s->word_n = (uint8_t)strlen(word);
    memcpy(s->name, name, s->name_n);
    memcpy(s->word, word, s->word_n);
}

/* Two ends that have an address each: 10.0.0.1 and 10.0.0.2. Change end[i].cfg, then fx_begin. */
static inline void fx_init(struct fx_ppp *f)
{
    memset(f, 0, sizeof *f);
    f->now = 1000 * NS_PER_S;
    rng_seed(&f->rng, 7, 7);
    for (unsigned i = 0; i < 2; i++) {
        f->end[i].cfg = fx_config((uint8_t)(i + 1));
        f->end[i].cfg.addr4 = 0x0a000001 + i;
    }
}

static inline void fx_begin_end(struct fx_ppp *f, unsigned i)
{
    struct fx_end *e = &f->end[i];
    e->cfg.in = e->in;
    e->cfg.out = e->out;
    ppp_init(&e->l, &e->cfg);
    ppp_rx_init(&e->seen, e->seen_buf, sizeof e->seen_buf);
    e->seen.accm = 0;
    ppp_up(&e->l, f->now);
}

static inline void fx_begin(struct fx_ppp *f)
{
    fx_begin_end(f, 0);
    fx_begin_end(f, 1);
}

static inline void fx_note(struct fx_ppp *f, unsigned i, struct span frame)
{
    struct txt t = txt_of(f->text + f->text_n, sizeof f->text - f->text_n);
    struct rd r = rd_of(frame);
    struct ppp_hdr h;
    struct ppp_cp p;
    EXPECT(ppp_parse(&r, &h));
    txt_s(&t, i == 0 ? "a: " : "b: ");
    if (ppp_proto_name(h.proto) && h.proto > 0x8000 && ppp_cp_parse(&r, &p))
        ppp_cp_print(&t, h.proto, &p);
    else
        txt_s(&t, h.proto == PPP_IP6 ? "IPv6" : "packet");
    txt_s(&t, "\n");
    f->text_n += t.n;
}

static inline void fx_write(struct fx_ppp *f, unsigned i)
{
    struct fx_end *e = &f->end[i];
    struct rd r = rd_of(span_of(e->l.out.p, e->l.out.n));
    struct span frame;
    size_t n = e->l.out.n;
    if (n == 0)
        return;
    while (ppp_rx_next(&e->seen, &r, &frame))
        fx_note(f, i, frame);
    bool lost = f->cut || rng_below(&f->rng, 100) < f->lose_pct;
    EXPECT(e->wire_n + n <= LINE_BYTES);
    if (!lost) {
        memcpy(e->wire + e->wire_n, e->l.out.p, n);
        e->wire_n += n;
    }
    ppp_written(&e->l, n);
}

static inline void fx_deliver(struct fx_ppp *f, unsigned from, unsigned to)
{
    struct fx_end *e = &f->end[to];
    uint8_t bytes[LINE_BYTES];
    struct ppp_packet p;
    size_t n = f->end[from].wire_n;
    memcpy(bytes, f->end[from].wire, n);
    f->end[from].wire_n = 0;
    struct rd r = rd_of(span_of(bytes, n));
    while (ppp_input(&e->l, f->now, &r, &p)) {
        e->packets++;
        e->last_n = p.bytes.n;
        memcpy(e->last, p.bytes.p, p.bytes.n);
    }
}

/* One step of the line; loop: what a sends comes back to a. */
static inline void fx_step(struct fx_ppp *f, bool loop)
{
    f->now += LINE_DELAY;
    for (unsigned i = 0; i < 2; i++)
        if (f->end[i].cfg.in)
            fx_deliver(f, loop ? i : !i, i);
    for (unsigned i = 0; i < 2; i++)
        if (f->end[i].cfg.in) {
            (void)ppp_run(&f->end[i].l, f->now);
            fx_write(f, i);
        }
}

static inline void fx_run(struct fx_ppp *f, oriel_time for_ns)
{
    for (oriel_time until = f->now + for_ns; f->now < until;)
        fx_step(f, false);
}

static inline bool fx_said(const struct fx_ppp *f, const char *words)
{
    return strstr(f->text, words) != NULL;
}

static inline unsigned fx_times(const struct fx_ppp *f, const char *words)
{
    unsigned n = 0;
    for (const char *at = f->text; (at = strstr(at, words)) != NULL; at++)
        n++;
    return n;
}

/* A frame of the test's own to that end, answered at once; what it says is in f->text. */
static inline void fx_inject(struct fx_ppp *f, unsigned to, uint16_t proto, const void *bytes, size_t n)
{
    uint8_t buf[4096];
    struct wr w = wr_of(buf, sizeof buf);
    struct ppp_packet p;
    ppp_frame_emit(&w, &(struct ppp_tx){.accm = PPP_ACCM_ALL}, proto, span_of(bytes, n));
    struct rd r = rd_of(wr_span(&w));
    while (ppp_input(&f->end[to].l, f->now, &r, &p))
        f->end[to].packets++;
    fx_write(f, to);
}

static inline void fx_forget(struct fx_ppp *f)
{
    f->text_n = 0;
    f->text[0] = 0;
}

#endif
