/*
 * Congestion control: the table of algorithms, and what several of them do alike.
 *
 * Windows count bytes, so growth counts the bytes that were acknowledged and not the ACKs (RFC
 * 3465): a receiver that answers one segment with a thousand ACKs gains nothing by it. A window
 * grows only if it was full (RFC 7661, 4): else it would be a promise that no traffic has tested.
 */
#include "tcp/cc/cc.h"

#include "base/compiler.h"

#define IW_SEGS         10              /* RFC 6928, 2 */
#define IW_SEG_BYTES    1460            /* of 14600, a segment's share */

const struct cc_ops *const cc_table[CC_N] = {
    [CC_NEWRENO] = &cc_newreno,
    [CC_CUBIC] = &cc_cubic,
    [CC_BBR] = &cc_bbr,
};

int cc_kind_named(const char *name, size_t n)
{
    for (int kind = 0; kind < CC_N; kind++) {
        const char *known = cc_table[kind]->name;
        if (strlen(known) == n && memcmp(known, name, n) == 0)
            return kind;
    }
    return -1;
}

static uint32_t at_most(uint64_t v, uint32_t max)
{
    return v > max ? max : (uint32_t)v;
}

static uint32_t at_least(uint32_t v, uint32_t min)
{
    return v < min ? min : v;
}

/* min(10 * MSS, max(2 * MSS, 14600)), and the like for another count than ten. */
uint32_t cc_initial_window(uint16_t mss, unsigned segments)
{
    ORIEL_ASSERT(mss > 0);
    uint64_t n = segments == 0 ? IW_SEGS : segments;
    uint64_t enough = n * IW_SEG_BYTES;
    if (enough < 2 * (uint64_t)mss)
        enough = 2 * (uint64_t)mss;
    uint64_t window = n * mss < enough ? n * mss : enough;
    return at_most(window, CC_CWND_MAX);
}

void cc_change(struct cc *cc, enum cc_kind to, oriel_time now)
{
    uint32_t cwnd = cc->cwnd;
    uint32_t ssthresh = cc->ssthresh;
    cc->kind = (uint8_t)to;
    cc_ops_of(to)->init(cc);
    cc->cwnd = cwnd;
    cc->ssthresh = ssthresh;
    if (cc->priv) {
        memset(cc->priv, 0, sizeof(*cc->priv));
        cc_ops_of(to)->begin(cc, now);
    }
}

void cc_set_mss(struct cc *cc, uint16_t mss)
{
    ORIEL_ASSERT(mss > 0);
    uint16_t was = cc->mss;
    cc->mss = mss;
    uint32_t *windows[] = {
        &cc->cwnd, &cc->ssthresh, &cc->memo, &cc->undo_cwnd, &cc->undo_ssthresh, &cc->undo_memo,
    };
    for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
        if (mss < was && *windows[i] != CC_SSTHRESH_NONE)
            *windows[i] = (uint32_t)((uint64_t)*windows[i] * mss / was);
    }
    cc->cwnd = at_least(cc->cwnd, mss);
    cc->ssthresh = at_least(cc->ssthresh, 2 * (uint32_t)mss);
}

/* ---- growth ---- */

uint32_t cc_slow_start(struct cc *cc, uint32_t acked_bytes, uint32_t limit_segs)
{
    if (!cc_in_slow_start(cc))
        return acked_bytes;
    uint32_t grow = at_most((uint64_t)limit_segs * cc->mss, acked_bytes);
    uint32_t room = cc->ssthresh - cc->cwnd;
    uint32_t used = grow < room ? grow : room;
    cc->cwnd = at_most((uint64_t)cc->cwnd + used, CC_CWND_MAX);
    return grow < room ? 0 : acked_bytes - used;
}

/* ---- reduction, and taking it back ---- */

void cc_remember(struct cc *cc)
{
    cc->undo_cwnd = cc->cwnd;
    cc->undo_ssthresh = cc->ssthresh;
    cc->undo_memo = cc->memo;
}

void cc_recall(struct cc *cc)
{
    if (cc->undo_cwnd == 0)
        return;
    cc->cwnd = at_least(cc->cwnd, cc->undo_cwnd);
    cc->ssthresh = cc->undo_ssthresh;
    cc->memo = cc->undo_memo;
}

/* RFC 9438, 4.6, and RFC 3168, 6.1.2: under marks the window goes down to one segment, ssthresh to
 * two. */
void cc_reduce(struct cc *cc, enum cc_loss kind, uint32_t to)
{
    cc->ssthresh = at_least(to, 2 * (uint32_t)cc->mss);
    if (kind == CC_LOSS_ECN)
        cc->cwnd = at_most(at_least(to, cc->mss), cc->cwnd);
}

/* ---- functions of cc_ops for those that need no more ---- */

void cc_plain_init(struct cc *cc)
{
    cc->ssthresh = CC_SSTHRESH_NONE;
    cc->memo = 0;
    cc->undo_cwnd = 0;
    cc->pacing_bps = CC_UNPACED;
}

void cc_plain_begin(struct cc *cc, oriel_time now)
{
    (void)cc;
    (void)now;
}

void cc_plain_sent(struct cc *cc, oriel_time now, uint32_t len, uint32_t flight)
{
    (void)cc;
    (void)now;
    (void)len;
    (void)flight;
}

void cc_plain_recovered(struct cc *cc, oriel_time now)
{
    (void)cc;
    (void)now;
}

/* RFC 5681, 4.1: what was learned of the path is old. RFC 7661, 4.4.3: but three quarters of the
 * window may be come back to fast. */
void cc_plain_idle(struct cc *cc, uint64_t idle_ns, uint32_t iw, oriel_time now)
{
    (void)idle_ns;
    (void)now;
    cc->ssthresh = at_least(cc->ssthresh, cc->cwnd - cc->cwnd / 4);
    cc->cwnd = at_most(iw, cc->cwnd);
}
