/*
 * A packet as the next of a run (wire/run.h).
 */
#ifndef ORIEL_PKT_RUN_H
#define ORIEL_PKT_RUN_H

#include "pkt/pkt.h"
#include "wire/run.h"

/* Sum of the payload, every byte of it read: a block may be shared memory (pkt_sum_kept is no proof). */
static ORIEL_ALWAYS_INLINE uint32_t pkt_run_sum(const struct env *env, const struct pkt *p,
                                                const struct run_seg *g)
{
    if (oriel_likely(p->more_n == 1 && p->head.len == g->at && p->more[0].len == g->len)) {
        const struct slice *s = &p->more[0];
        return csum_span(env->csum, span_of(s->blk->bytes + s->off, g->len));
    }
    return pkt_sum(env, p, g->at, g->len);
}

/*
 * p begins with the link's header. Does it belong to the run, and is its checksum right? Where the
 * interface vouches for that, it is not looked at.
 */
static ORIEL_ALWAYS_INLINE bool pkt_run_match(const struct env *env, struct wire_run *run,
                                              const struct pkt *p, bool vouched,
                                              struct run_seg *out)
{
    size_t len = oriel_likely(p->more_n == 1) ? (size_t)p->head.len + p->more[0].len : pkt_len(p);
    return run_match(run, pkt_span(p), len, out) &&
           (vouched || oriel_likely(run_good(out, pkt_run_sum(env, p, out))));
}

#endif
