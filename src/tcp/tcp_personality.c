/*
 * What RFCs leave open, decided: by a personality, then by what the configuration says otherwise.
 *
 *   oriel     the RFCs, with the choices that today's networks ask for
 *   rfc       to the letter: the figures that the RFCs name
 *   linux     as Linux answers, so that scripts written for it can judge us
 *   freebsd   likewise
 *
 * DEVIATION(6298-4): the timeout's floor is 200 ms, unless the personality is rfc: a second is long
 * compared with every round trip and every delayed acknowledgement of today.
 */
#include "tcp/tcp.h"

#define MS(n) ((n) * NS_PER_MS)
#define S(n)  ((n) * NS_PER_S)
#define KIB   1024u
#define MIB   (1024u * KIB)

#define DELACK_MAX    MS(500)   /* RFC 9293, MUST-40: below it */
#define WSCALE_UNUSED 0xff
#define BUF_MIN       (2 * KIB)
#define BUF_MAX       (1024 * MIB)      /* the largest window that a shift of 14 can tell */

static const struct tcp_settings as_oriel = {
    .personality = ORIEL_AS_ORIEL,
    .ecn = ORIEL_ECN_PASSIVE,
    .cookies = ORIEL_COOKIES_WHEN_FULL,
    .cc = CC_CUBIC,
    .initial_window = 10,
    .timestamps = true,
    .sack = true,
    .rack = true,
    .fast_path = true,
    .hystart = true,
    .minshall = true,
    .quick_start = true,
    .ts_random = true,
    .syn_opts = {TCP_OPT_MSS, TCP_OPT_SACK_PERM, TCP_OPT_TS, TCP_OPT_WSCALE},
    .syn_opts_n = 4,
    .sndbuf = 128 * KIB,
    .rcvbuf = 128 * KIB,
    .sndbuf_max = 6 * MIB,
    .rcvbuf_max = 6 * MIB,
    .wnd_initial_max = UINT16_MAX,
    .msl = S(60),
    .rto_min = MS(200),
    .rto_max = S(120),
    .rto_init = S(1),
    .delack = MS(40),
    .delack_min = MS(40),
    .fin_wait_2 = S(60),
    .user_timeout = S(900),
    .syn_timeout = S(180),
    .challenge_ns = MS(500),
    .dupthresh = 3,
};

static void as_rfc(struct tcp_settings *s)
{
    s->cc = CC_NEWRENO;
    s->minshall = false;
    s->quick_start = false;
    s->rst_in_time_wait = true;
    s->msl = S(120);            /* RFC 9293, 3.4.2 */
    s->rto_min = S(1);          /* 6298, 2.4 */
    s->delack = s->delack_min = MS(200);
    s->fin_wait_2 = 0;
    s->user_timeout = S(300);   /* 9293, 3.9.1.1 */
}

static void as_linux(struct tcp_settings *s)
{
    s->ack_unsent_silent = true;
    s->rst_in_time_wait = true;
    s->ts_random = false;
    s->linux_syn_rto = true;
    s->rcvbuf = 64 * KIB;       /* half of tcp_rmem: the other half is for what holds it */
    s->wnd_initial_max = 64240; /* 44 segments of 1460 */
    s->msl = S(30);             /* TIME-WAIT lasts a minute */
    s->user_timeout = MS(924600);       /* fifteen timeouts */
    s->syn_timeout = S(127);    /* six */
}

static void as_freebsd(struct tcp_settings *s)
{
    static const uint8_t order[] = {TCP_OPT_MSS, TCP_OPT_WSCALE, TCP_OPT_SACK_PERM, TCP_OPT_TS};
    memcpy(s->syn_opts, order, sizeof(order));
    s->rack = false;
    s->hystart = false;
    s->minshall = false;
    s->quick_start = false;
    s->ts_random = false;
    s->sndbuf = 32 * KIB;
    s->rcvbuf = 64 * KIB;
    s->sndbuf_max = s->rcvbuf_max = 2 * MIB;
    s->msl = S(30);
    s->rto_min = MS(230);
    s->rto_max = S(64);
    s->delack = s->delack_min = MS(100);
    s->user_timeout = S(511);   /* twelve timeouts by its table */
    s->syn_timeout = S(75);
}

/* The least shift with which a whole receive buffer can be told (RFC 7323, 2.3). */
static uint8_t shift_for(uint32_t bytes)
{
    uint8_t shift = 0;
    while (shift < TCP_WSCALE_MAX && ((uint64_t)UINT16_MAX << shift) < bytes)
        shift++;
    return shift;
}

static void set_ms(uint64_t *ns, uint32_t ms)
{
    if (ms)
        *ns = ms * NS_PER_MS;
}

static void set_times(struct tcp_settings *s, const struct oriel_tcp_config *cfg)
{
    set_ms(&s->msl, cfg->msl_ms);
    set_ms(&s->rto_min, cfg->rto_min_ms);
    set_ms(&s->rto_max, cfg->rto_max_ms);
    set_ms(&s->rto_init, cfg->rto_init_ms);
    set_ms(&s->delack, cfg->delack_ms);
    if (s->rto_max < s->rto_min)
        s->rto_max = s->rto_min;
    if (s->rto_init > s->rto_max)
        s->rto_init = s->rto_max;
    if (s->delack >= DELACK_MAX)
        s->delack = DELACK_MAX - NS_PER_MS;
    if (s->delack_min > s->delack)
        s->delack_min = s->delack;
}

static void set_bytes(uint32_t *at, uint32_t bytes)
{
    if (bytes)
        *at = bytes < BUF_MIN ? BUF_MIN : bytes > BUF_MAX ? BUF_MAX : bytes;
}

static void set_buffers(struct tcp_settings *s, const struct oriel_tcp_config *cfg)
{
    set_bytes(&s->sndbuf, cfg->sndbuf);
    set_bytes(&s->rcvbuf, cfg->rcvbuf);
    set_bytes(&s->sndbuf_max, cfg->sndbuf_max);
    set_bytes(&s->rcvbuf_max, cfg->rcvbuf_max);
    if (s->sndbuf_max < s->sndbuf)
        s->sndbuf_max = s->sndbuf;
    if (s->rcvbuf_max < s->rcvbuf)
        s->rcvbuf_max = s->rcvbuf;
    if (cfg->window_scale < 0)
        s->wscale = WSCALE_UNUSED;
    else if (cfg->window_scale > 0)
        s->wscale = cfg->window_scale > TCP_WSCALE_MAX ? TCP_WSCALE_MAX
                                                       : (uint8_t)cfg->window_scale;
    else
        s->wscale = shift_for(s->rcvbuf_max);
}

static void set_choices(struct tcp_settings *s, const struct oriel_tcp_config *cfg)
{
    int cc = cfg->congestion ? cc_kind_named(cfg->congestion, strlen(cfg->congestion)) : -1;
    if (cc >= 0)
        s->cc = (uint8_t)cc;
    if (cfg->ecn != ORIEL_ECN_DEFAULT)
        s->ecn = (uint8_t)cfg->ecn;
    s->cookies = (uint8_t)cfg->cookies;
    if (cfg->initial_window)
        s->initial_window = cfg->initial_window;
    s->timestamps = !cfg->no_timestamps;
    s->sack = !cfg->no_sack;
    s->rack &= !cfg->no_rack && s->sack;        /* RFC 8985, 4: RACK lives on SACK */
    s->fast_path = !cfg->no_fast_path;
    s->mtu_probing = cfg->mtu_probing;
}

void tcp_settings_from(struct tcp_settings *set, const struct oriel_tcp_config *cfg)
{
    *set = as_oriel;
    set->personality = cfg->personality;
    switch (cfg->personality) {
    case ORIEL_AS_ORIEL:   break;
    case ORIEL_AS_RFC:     as_rfc(set); break;
    case ORIEL_AS_LINUX:   as_linux(set); break;
    case ORIEL_AS_FREEBSD: as_freebsd(set); break;
    }
    set_choices(set, cfg);
    set_buffers(set, cfg);
    set_times(set, cfg);
}
