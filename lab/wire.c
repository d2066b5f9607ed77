/*
 * What a wire does to a frame: all decisions at once, when it is put on it.
 *
 * Order of draws for one frame: loss, burst, corrupt, truncate, duplicate, reorder, jitter. A draw
 * is one number of the generator, whatever is made of it, so the count tells which one decided.
 */
#include "lab/wire.h"

#include "base/clock.h"

#define QUEUE_DEFAULT 1000
#define MILLION       1000000u
#define HOLD_MIN      (1 * NS_PER_MS)
/* On a real Ethernet a frame also takes preamble and gap: 20 bytes. Rates here are of frames alone,
 * so that "10 mbit" and a frame of 1,250 bytes make exactly 1 ms. */

void wire_dir_init(struct wire_dir *d, const struct wire_params *p, uint64_t seed, uint64_t stream)
{
    memset(d, 0, sizeof(*d));
    d->p = *p;
    rng_seed(&d->rng, seed, stream);
}

static uint64_t draw(struct wire_dir *d)
{
    d->draws++;
    return rng_u64(&d->rng);
}

static bool chance(struct wire_dir *d, uint32_t millionths)
{
    return millionths > 0 && draw(d) % MILLION < millionths;
}

static bool named(const uint32_t *nth, uint8_t n, uint32_t frame)
{
    for (uint8_t i = 0; i < n; i++)
        if (nth[i] == frame)
            return true;
    return false;
}

/* The Gilbert model: a state that changes by chance, with a loss rate of its own. */
static bool burst_loss(struct wire_dir *d)
{
    const struct impair *im = &d->p.impair;
    if (im->burst_enter == 0)
        return false;
    if (chance(d, d->burst ? im->burst_leave : im->burst_enter))
        d->burst = !d->burst;
    return d->burst && chance(d, im->burst_loss);
}

static bool is_lost(struct wire_dir *d, struct wire_verdict *v)
{
    const struct impair *im = &d->p.impair;
    if (named(im->lose_nth, im->lose_n, d->frames))
        return true;
    if (!chance(d, im->loss) && !burst_loss(d))
        return false;
    v->draw = d->draws;
    return true;
}

static void damage(struct wire_dir *d, struct wire_verdict *v)
{
    const struct impair *im = &d->p.impair;
    if (named(im->corrupt_nth, im->corrupt_n, d->frames) || chance(d, im->corrupt)) {
        v->corrupt = true;
        v->chance = draw(d);
        v->draw = d->draws;
    } else if (chance(d, im->truncate)) {
        v->truncate = true;
        v->chance = draw(d);
        v->draw = d->draws;
    }
    if (named(im->dup_nth, im->dup_n, d->frames) || chance(d, im->dup)) {
        v->dup = true;
        v->draw = v->draw ? v->draw : d->draws;
    }
}

/* Frames still in the transmitter's queue. */
static uint32_t queued(struct wire_dir *d, oriel_time now)
{
    while (d->leaves_tail != d->leaves_head && d->leaves[d->leaves_tail % 1024] <= now)
        d->leaves_tail++;
    return d->leaves_head - d->leaves_tail;
}

static bool enqueue(struct wire_dir *d, oriel_time now, size_t len)
{
    uint32_t max = d->p.queue_pkts ? d->p.queue_pkts : QUEUE_DEFAULT;
    if (queued(d, now) >= (max > 1024 ? 1024 : max))
        return false;
    oriel_time start = d->busy_until > now ? d->busy_until : now;
    oriel_time takes = d->p.rate_bps ? (uint64_t)len * 8 * NS_PER_S / d->p.rate_bps : 0;
    d->busy_until = start + takes;
    if (d->busy_until > now)
        d->leaves[d->leaves_head++ % 1024] = d->busy_until;
    return true;
}

static oriel_time arrival(struct wire_dir *d, struct wire_verdict *v)
{
    const struct impair *im = &d->p.impair;
    oriel_time t = d->busy_until + d->p.delay_ns;
    v->held = named(im->hold_nth, im->hold_n, d->frames) || chance(d, im->reorder);
    if (im->jitter_ns) {
        oriel_time shift = draw(d) % (2 * im->jitter_ns + 1);
        t = t + shift > im->jitter_ns ? t + shift - im->jitter_ns : 0;
        if (t < d->busy_until)
            t = d->busy_until;
    }
    if (v->held) {
        oriel_time gap = d->p.delay_ns > HOLD_MIN ? d->p.delay_ns : HOLD_MIN;
        return t + (im->reorder_ns ? im->reorder_ns : gap);
    }
    if (t < d->last_arrival)            /* jitter alone does not reorder */
        t = d->last_arrival;
    d->last_arrival = t;
    return t;
}

struct wire_verdict wire_pass(struct wire_dir *d, oriel_time now, size_t len)
{
    struct wire_verdict v = {0};
    d->frames++;
    v.lost = is_lost(d, &v);
    if (!v.lost)
        damage(d, &v);
    if (!enqueue(d, now, len)) {        /* a full queue drops before chance has a say */
        d->full++;
        return (struct wire_verdict){.full = true};
    }
    d->lost += v.lost;
    d->changed += v.corrupt || v.truncate;
    v.arrival = arrival(d, &v);
    v.dup_arrival = v.arrival;
    return v;
}

/* ---- text ---- */

struct words {
    struct span text;
    size_t at;                  /* of the word in hand */
    size_t next;
    struct syntax_error *err;
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == ',';
}

/* The next word, empty at the end. */
static struct span word(struct words *w)
{
    while (w->next < w->text.n && is_blank(w->text.p[w->next]))
        w->next++;
    w->at = w->next;
    while (w->next < w->text.n && !is_blank(w->text.p[w->next]))
        w->next++;
    return span_of(w->text.p + w->at, w->next - w->at);
}

static bool fail(struct words *w, struct span found, const char *expected)
{
    return syntax_fail(w->err, w->at + 1, found, expected);
}

bool wire_decimal(struct span s, uint64_t *micros, struct span *unit)
{
    uint64_t whole = 0, part = 0, scale = MILLION;
    size_t i = 0;
    bool digits = false;
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && whole < UINT64_MAX / 10 / MILLION - 10; i++) {
        whole = whole * 10 + (uint64_t)(s.p[i] - '0');
        digits = true;
    }
    if (i < s.n && s.p[i] == '.') {
        for (i++; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
            if (scale > 1) {
                scale /= 10;
                part += (uint64_t)(s.p[i] - '0') * scale;
            }
            digits = true;
        }
    }
    *micros = whole * MILLION + part;
    *unit = span_of(s.p + i, s.n - i);
    return digits;
}

/* "2%" or "0.02" -> millionths. */
static bool percent(struct words *w, uint32_t *out)
{
    struct span s = word(w), unit;
    uint64_t v;
    if (!wire_decimal(s, &v, &unit) || (unit.n != 0 && !span_is(unit, "%")))
        return fail(w, s, "a share such as 2% or 0.02");
    if (unit.n)
        v /= 100;
    if (v > MILLION)
        return fail(w, s, "at most 100%");
    *out = (uint32_t)v;
    return true;
}

static bool duration_of(struct span s, oriel_time *out)
{
    struct span unit;
    uint64_t v;
    if (!wire_decimal(s, &v, &unit) || v > UINT64_MAX / 1000000)
        return false;
    if (span_is(unit, "s"))
        *out = v * 1000;
    else if (span_is(unit, "ms"))
        *out = v;
    else if (span_is(unit, "us") || span_is(unit, "µs"))
        *out = v / 1000;
    else if (span_is(unit, "ns"))
        *out = v / MILLION;
    else
        return v == 0 && unit.n == 0 && (*out = 0, true);
    return true;
}

/* "40ms", and "40ms±5" or "40ms±5ms" when jitter is asked for. */
static bool delay(struct words *w, oriel_time *out, oriel_time *jitter)
{
    struct span s = word(w);
    size_t i = 0;
    while (i + 1 < s.n && !(s.p[i] == 0xc2 && s.p[i + 1] == 0xb1))
        i++;
    bool has_jitter = jitter && i + 1 < s.n;
    struct span base = has_jitter ? span_of(s.p, i) : s;
    if (!duration_of(base, out))
        return fail(w, s, "a time such as 40ms");
    if (!has_jitter)
        return true;
    struct span rest = span_of(s.p + i + 2, s.n - i - 2), unit;
    uint64_t v;
    if (duration_of(rest, jitter) && *jitter)
        return true;
    if (!wire_decimal(rest, &v, &unit) || unit.n)
        return fail(w, s, "a time such as 40ms±5ms");
    *jitter = v;                        /* no unit: milliseconds */
    return true;
}

static bool rate(struct words *w, uint64_t *out)
{
    static const struct {
        const char *name;
        uint64_t bps;
    } units[] = {{"bit", 1}, {"kbit", 1000}, {"mbit", 1000000}, {"gbit", 1000000000}};
    struct span s = word(w), unit;
    uint64_t v;
    if (wire_decimal(s, &v, &unit))
        for (unsigned i = 0; i < ARRAY_LEN(units); i++)
            if (span_is(unit, units[i].name) && v / MILLION < 10000) {
                *out = units[i].bps >= MILLION ? v * (units[i].bps / MILLION)
                                               : v * units[i].bps / MILLION;
                return true;
            }
    return fail(w, s, "a rate such as 10mbit");
}

static bool number(struct words *w, uint64_t max, uint32_t *out)
{
    struct span s = word(w);
    uint64_t v;
    if (!txt_parse_u(s, max, &v))
        return fail(w, s, "a whole number");
    *out = (uint32_t)v;
    return true;
}

static bool nth(struct words *w, uint32_t *list, uint8_t *n)
{
    if (*n == WIRE_NTH_MAX)
        return fail(w, span_of(NULL, 0), "at most 16 single frames");
    return number(w, UINT32_MAX, &list[*n]) && ++*n;
}

/* "burst 1%/20%" (enter/leave, everything is lost in it) or "burst 1%/20%/50%". */
static bool burst(struct words *w, struct impair *im)
{
    struct span s = word(w);
    uint32_t *const out[3] = {&im->burst_enter, &im->burst_leave, &im->burst_loss};
    size_t from = 0;
    im->burst_loss = MILLION;
    for (unsigned i = 0; i < 3 && from <= s.n; i++) {
        size_t to = from;
        while (to < s.n && s.p[to] != '/')
            to++;
        struct syntax_error ignored = {0};
        struct words part = {.text = span_of(s.p + from, to - from), .err = &ignored};
        if (!percent(&part, out[i]))
            return fail(w, s, "shares such as 1%/20%");
        from = to + 1;
    }
    return im->burst_leave > 0 || fail(w, s, "shares such as 1%/20%");
}

static bool one(struct words *w, struct span key, struct wire_params *p)
{
    struct impair *im = &p->impair;
    if (span_is(key, "loss"))     return percent(w, &im->loss);
    if (span_is(key, "delay"))    return delay(w, &p->delay_ns, &im->jitter_ns);
    if (span_is(key, "jitter"))   return delay(w, &im->jitter_ns, NULL);
    if (span_is(key, "rate"))     return rate(w, &p->rate_bps);
    if (span_is(key, "queue"))    return number(w, 1024, &p->queue_pkts);
    if (span_is(key, "mtu"))      return number(w, NETIF_MTU_MAX, &p->mtu);
    if (span_is(key, "reorder"))  return percent(w, &im->reorder);
    if (span_is(key, "gap"))      return delay(w, &im->reorder_ns, NULL);
    if (span_is(key, "dup"))      return percent(w, &im->dup);
    if (span_is(key, "corrupt"))  return percent(w, &im->corrupt);
    if (span_is(key, "cut"))      return percent(w, &im->truncate);
    if (span_is(key, "burst"))    return burst(w, im);
    if (span_is(key, "lose"))     return nth(w, im->lose_nth, &im->lose_n);
    if (span_is(key, "damage"))   return nth(w, im->corrupt_nth, &im->corrupt_n);
    if (span_is(key, "double"))   return nth(w, im->dup_nth, &im->dup_n);
    if (span_is(key, "hold"))     return nth(w, im->hold_nth, &im->hold_n);
    return fail(w, key, "loss, delay, jitter, rate, queue, mtu, reorder, gap, dup, corrupt, cut, "
                        "burst, lose N, damage N, double N or hold N");
}

bool wire_params_parse(struct span text, struct wire_params *p, struct syntax_error *err)
{
    struct words w = {.text = text, .err = err};
    struct wire_params changed = *p;
    for (struct span key; (key = word(&w)).n > 0;)
        if (!one(&w, key, &changed))
            return false;
    *p = changed;
    return true;
}
