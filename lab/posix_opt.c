/*
 * getsockopt and setsockopt in Linux's layouts. Most options are a number that is an option of
 * Oriel, maybe in another unit: one table. Structures, texts and what only this side of the call
 * knows stand by themselves. Linux doubles what it is given as the size of a buffer; so do we, when
 * asked.
 */
#include "lab/posix.h"

#define SECONDS 1000            /* whole seconds there, milliseconds here */

enum {
    SOL_SOCKET_ = PX_SOL_SOCKET, SOL_IP_ = 0, SOL_TCP_ = PX_IPPROTO_TCP,
    SOL_IPV6_ = PX_IPPROTO_IPV6,
    SO_TYPE_ = 3, SO_ERROR_ = 4, SO_SNDBUF_ = 7, SO_RCVBUF_ = 8, SO_LINGER_ = 13, SO_RCVTIMEO_ = 20,
    SO_SNDTIMEO_ = 21, SO_ACCEPTCONN_ = 30, SO_PROTOCOL_ = 38, SO_DOMAIN_ = 39,
    SO_MAX_PACING_RATE_ = 47,
    TCP_MAXSEG_ = 2, TCP_INFO_ = 11, TCP_CONGESTION_ = 13, TCP_FASTOPEN_ = 23, TCP_CC_INFO_ = 26,
    TCP_FASTOPEN_CONNECT_ = 30, TCP_FASTOPEN_KEY_ = 33, TCP_INQ_ = 36,
    IP_TTL_ = 2, IP_MTU_DISCOVER_ = 10, IP_RECVERR_ = 11, IP_RECVTTL_ = 12, IP_RECVTOS_ = 13,
    IPV6_UNICAST_HOPS_ = 16, IPV6_MTU_DISCOVER_ = 23, IPV6_RECVERR_ = 25, IPV6_RECVHOPLIMIT_ = 51,
    IPV6_RECVTCLASS_ = 66,
};

struct row {
    int level, opt;
    enum oriel_opt to;
    int64_t unit;
};

static const struct row rows[] = {
    {SOL_SOCKET_, 2, ORIEL_OPT_REUSEADDR, 1},
    {SOL_SOCKET_, 6, ORIEL_OPT_BROADCAST, 1},
    {SOL_SOCKET_, SO_SNDBUF_, ORIEL_OPT_SNDBUF, 1},
    {SOL_SOCKET_, 32, ORIEL_OPT_SNDBUF, 1},             /* SO_SNDBUFFORCE */
    {SOL_SOCKET_, SO_RCVBUF_, ORIEL_OPT_RCVBUF, 1},
    {SOL_SOCKET_, 33, ORIEL_OPT_RCVBUF, 1},             /* SO_RCVBUFFORCE */
    {SOL_SOCKET_, 9, ORIEL_OPT_KEEPALIVE, 1},
    {SOL_SOCKET_, 10, ORIEL_OPT_OOBINLINE, 1},
    {SOL_SOCKET_, 11, ORIEL_OPT_NO_CSUM, 1},
    {SOL_SOCKET_, 15, ORIEL_OPT_REUSEPORT, 1},
    {SOL_SOCKET_, 18, ORIEL_OPT_RCVLOWAT, 1},
    {SOL_TCP_, 1, ORIEL_OPT_NODELAY, 1},
    {SOL_TCP_, TCP_MAXSEG_, ORIEL_OPT_MAXSEG, 1},
    {SOL_TCP_, 3, ORIEL_OPT_CORK, 1},
    {SOL_TCP_, 4, ORIEL_OPT_KEEPIDLE_MS, SECONDS},
    {SOL_TCP_, 5, ORIEL_OPT_KEEPINTVL_MS, SECONDS},
    {SOL_TCP_, 6, ORIEL_OPT_KEEPCNT, 1},
    {SOL_TCP_, 7, ORIEL_OPT_SYNCNT, 1},
    {SOL_TCP_, 9, ORIEL_OPT_DEFER_ACCEPT_MS, SECONDS},
    {SOL_TCP_, 10, ORIEL_OPT_WINDOW_CLAMP, 1},
    {SOL_TCP_, 12, ORIEL_OPT_QUICKACK, 1},
    {SOL_TCP_, 14, ORIEL_OPT_MD5SIG, 1},
    {SOL_TCP_, 32, ORIEL_OPT_MD5SIG, 1},
    {SOL_TCP_, 18, ORIEL_OPT_USER_TIMEOUT_MS, 1},
    {SOL_TCP_, TCP_FASTOPEN_, ORIEL_OPT_FASTOPEN, 1},
    {SOL_TCP_, 25, ORIEL_OPT_NOTSENT_LOWAT, 1},
    {SOL_TCP_, TCP_FASTOPEN_CONNECT_, ORIEL_OPT_FASTOPEN_CONNECT, 1},
    {SOL_TCP_, 38, ORIEL_OPT_AUTHENTICATION, 1},
    {SOL_IP_, 1, ORIEL_OPT_TOS, 1},
    {SOL_IP_, IP_TTL_, ORIEL_OPT_TTL, 1},
    {SOL_IP_, 14, ORIEL_OPT_MTU, 1},
    {SOL_IP_, 33, ORIEL_OPT_MCAST_TTL, 1},
    {SOL_IP_, 34, ORIEL_OPT_MCAST_LOOP, 1},
    {SOL_IPV6_, IPV6_UNICAST_HOPS_, ORIEL_OPT_TTL, 1},
    {SOL_IPV6_, 17, ORIEL_OPT_MCAST_NETIF, 1},
    {SOL_IPV6_, 18, ORIEL_OPT_MCAST_TTL, 1},
    {SOL_IPV6_, 19, ORIEL_OPT_MCAST_LOOP, 1},
    {SOL_IPV6_, 24, ORIEL_OPT_MTU, 1},
    {SOL_IPV6_, 26, ORIEL_OPT_V6ONLY, 1},
    {SOL_IPV6_, 67, ORIEL_OPT_TOS, 1},
};

/* Only the application knows what it means; it can read back what it wrote. */
static const struct {
    int level, opt;
    enum px_kept at;
} kept[] = {
    {SOL_SOCKET_, 1, PX_KEPT_OTHER},            /* SO_DEBUG */
    {SOL_SOCKET_, 5, PX_KEPT_OTHER},            /* SO_DONTROUTE */
    {SOL_SOCKET_, 12, PX_KEPT_PRIORITY},        {SOL_SOCKET_, 29, PX_KEPT_TIMESTAMPING},
    {SOL_SOCKET_, 35, PX_KEPT_TIMESTAMPING},    {SOL_SOCKET_, 37, PX_KEPT_TIMESTAMPING},
    {SOL_SOCKET_, 36, PX_KEPT_MARK},            {SOL_SOCKET_, 46, PX_KEPT_BUSY_POLL},
    {SOL_SOCKET_, 49, PX_KEPT_OTHER},           {SOL_SOCKET_, 60, PX_KEPT_ZEROCOPY},
    {SOL_TCP_, 8, PX_KEPT_LINGER2},             {SOL_IP_, 8, PX_KEPT_PKTINFO},
    {SOL_IPV6_, 49, PX_KEPT_PKTINFO},           {SOL_IP_, 15, PX_KEPT_OTHER},
    {SOL_IP_, 24, PX_KEPT_OTHER},
};

static int64_t answer(int oriel_err)
{
    return oriel_err < 0 ? -px_errno_of(oriel_err) : 0;
}

static const struct row *row_of(int level, int opt)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (rows[i].level == level && rows[i].opt == opt)
            return &rows[i];
    return NULL;
}

static int32_t *kept_at(struct px_file *f, int level, int opt)
{
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        if (kept[i].level == level && kept[i].opt == opt)
            return &f->kept[kept[i].at];
    return NULL;
}

static bool is_df(int level, int opt)
{
    return (level == SOL_IP_ && opt == IP_MTU_DISCOVER_) ||
           (level == SOL_IPV6_ && opt == IPV6_MTU_DISCOVER_);
}

static bool is_recverr(int level, int opt)
{
    return (level == SOL_IP_ && opt == IP_RECVERR_) || (level == SOL_IPV6_ && opt == IPV6_RECVERR_);
}

/* Which control message an option switches on; 0: none. */
static uint32_t cmsg_of(int level, int opt)
{
    bool ip = level == SOL_IP_, six = level == SOL_IPV6_;
    if ((ip && opt == IP_RECVTTL_) || (six && opt == IPV6_RECVHOPLIMIT_))
        return PX_CMSG_TTL;
    if ((ip && opt == IP_RECVTOS_) || (six && opt == IPV6_RECVTCLASS_))
        return PX_CMSG_TOS;
    return level == SOL_TCP_ && opt == TCP_INQ_ ? PX_CMSG_INQ : 0;
}

static bool is_timeout(int level, int opt)
{
    return level == SOL_SOCKET_ && (opt == SO_RCVTIMEO_ || opt == SO_SNDTIMEO_);
}

/* ---- set ---- */

static int64_t set_linger(struct px *px, const struct px_file *f, const void *val, uint32_t len)
{
    int32_t v[2];
    if (len < sizeof(v))
        return -PX_EINVAL;
    memcpy(v, val, sizeof(v));
    int64_t ms = v[0] == 0 ? -1 : v[1] < 0 ? 0 : (int64_t)v[1] * SECONDS;
    return answer(oriel_setopt(px->stack, f->h, ORIEL_OPT_LINGER, ms));
}

static int64_t set_timeout(struct px_file *f, int opt, const void *val, uint32_t len)
{
    int64_t v[2];
    if (len < sizeof(v))
        return -PX_EINVAL;
    memcpy(v, val, sizeof(v));
    if (v[0] < 0 || v[0] > INT32_MAX || v[1] < 0 || v[1] >= 1000000)
        return -PX_EDOM;
    oriel_time t = (uint64_t)v[0] * NS_PER_S + (uint64_t)v[1] * NS_PER_US;
    if (opt == SO_RCVTIMEO_)
        f->rcvtimeo = t;
    else
        f->sndtimeo = t;
    return 0;
}

static int64_t set_congestion(struct px *px, const struct px_file *f, const void *val, uint32_t len)
{
    char name[16] = {0};
    size_t n = 0;
    const char *text = val;
    for (; n < len && n + 1 < sizeof(name) && text[n] != '\0'; n++)
        name[n] = text[n];
    int kind = oriel_congestion_named(span_is(span_of(name, n), "reno") ? "newreno" : name);
    return kind < 0 ? -PX_ENOENT
                    : answer(oriel_setopt(px->stack, f->h, ORIEL_OPT_CONGESTION, kind));
}

/* 0 fragment as needed, 1 never, 2 ignore the path's MTU. */
static int64_t set_df(struct px *px, const struct px_file *f, int32_t v)
{
    static const int64_t df[] = {0, 0, 1, 2, 2, 0};
    return v < 0 || (size_t)v >= ARRAY_LEN(df)
               ? -PX_EINVAL : answer(oriel_setopt(px->stack, f->h, ORIEL_OPT_DF, df[v]));
}

static int64_t set_number(struct px *px, struct px_file *f, const struct row *r, int64_t v)
{
    if (r->to == ORIEL_OPT_TTL && v == -1)
        v = 0;                                  /* the default */
    if (r->to == ORIEL_OPT_FASTOPEN_CONNECT)
        f->fastopen_connect = v != 0;
    if (r->to == ORIEL_OPT_FASTOPEN && !(px->set.tcp_fastopen & 2))
        return 0;
    return answer(oriel_setopt(px->stack, f->h, r->to, v * r->unit));
}

static int64_t set_pacing(struct px *px, const struct px_file *f, const void *val, uint32_t len)
{
    uint64_t rate = 0;
    uint32_t low = 0;
    if (len >= sizeof(rate)) {
        memcpy(&rate, val, sizeof(rate));
    } else {
        memcpy(&low, val, sizeof(low));
        rate = low;
    }
    bool none = low == UINT32_MAX || rate > INT64_MAX;
    return answer(oriel_setopt(px->stack, f->h, ORIEL_OPT_MAX_PACING_RATE,
                               none ? 0 : (int64_t)rate));
}

int64_t px_setsockopt(struct px *px, int fd, int level, int opt, const void *val, uint32_t len)
{
    struct px_file *f = px_of(px, fd);
    int32_t v = 0;
    if (!f || !px_is_socket(f))
        return f ? -PX_ENOTSOCK : -PX_EBADF;
    if (level == SOL_TCP_ && opt == TCP_CONGESTION_)
        return set_congestion(px, f, val, len);
    if (level == SOL_TCP_ && opt == TCP_FASTOPEN_KEY_)
        return -PX_EOPNOTSUPP;
    if (level == SOL_SOCKET_ && opt == SO_LINGER_)
        return set_linger(px, f, val, len);
    if (is_timeout(level, opt))
        return set_timeout(f, opt, val, len);
    if (len < sizeof(v))
        return -PX_EINVAL;
    memcpy(&v, val, sizeof(v));
    if (level == SOL_SOCKET_ && opt == SO_MAX_PACING_RATE_)
        return set_pacing(px, f, val, len);
    if (is_df(level, opt))
        return set_df(px, f, v);
    uint32_t cmsg = cmsg_of(level, opt);
    if (cmsg) {
        f->cmsg = v ? f->cmsg | cmsg : f->cmsg & ~cmsg;
        return 0;
    }
    if (is_recverr(level, opt)) {
        f->recverr = v != 0;
        return 0;
    }
    int32_t *only = kept_at(f, level, opt);
    if (only) {
        *only = v;
        return 0;
    }
    const struct row *r = row_of(level, opt);
    return r ? set_number(px, f, r, v) : -PX_ENOPROTOOPT;
}

/* ---- get ---- */

static int64_t give(void *val, uint32_t *len, const void *from, size_t n)
{
    *len = *len < n ? *len : (uint32_t)n;
    memcpy(val, from, *len);
    return 0;
}

static int64_t give_int(void *val, uint32_t *len, int64_t v)
{
    int32_t i = (int32_t)v;
    return give(val, len, &i, sizeof(i));
}

static int64_t get_tcp(struct px *px, const struct px_file *f, int opt, void *val, uint32_t *len)
{
    struct oriel_tcp_info info;
    uint8_t bytes[PX_TCP_INFO_BYTES];
    int err = oriel_tcp_info(px->stack, f->h, &info);
    if (err)
        return answer(err);
    if (opt == TCP_INFO_)
        return give(val, len, bytes, px_tcp_info(&info, bytes, sizeof(bytes)));
    if (opt == TCP_MAXSEG_)
        return give_int(val, len, info.snd_mss);
    if (opt == TCP_CC_INFO_)
        return give(val, len, bytes, 0);
    char name[16] = {0};                        /* as Linux: all of the room, padded with zeros */
    struct txt t = txt_of(name, sizeof(name));
    txt_s(&t, strcmp(info.congestion, "newreno") == 0 ? "reno" : info.congestion);
    return give(val, len, name, sizeof(name));
}

static int64_t get_socket(struct px *px, const struct px_file *f, int opt, void *val, uint32_t *len)
{
    int64_t v = 0;
    if (opt == SO_ERROR_) {
        best_effort(oriel_getopt(px->stack, f->h, ORIEL_OPT_ERROR, &v));
        return give_int(val, len, px_errno_of((int)v));
    }
    if (opt == SO_LINGER_) {
        int err = oriel_getopt(px->stack, f->h, ORIEL_OPT_LINGER, &v);
        int32_t linger[2] = {v >= 0, v >= 0 ? (int32_t)(v / SECONDS) : 0};
        return err ? answer(err) : give(val, len, linger, sizeof(linger));
    }
    if (opt == SO_TYPE_)
        return give_int(val, len, f->kind == PX_TCP ? PX_SOCK_STREAM : PX_SOCK_DGRAM);
    if (opt == SO_DOMAIN_)
        return give_int(val, len, f->v6 ? PX_AF_INET6 : PX_AF_INET);
    if (opt == SO_PROTOCOL_)
        return give_int(val, len, f->kind == PX_TCP ? PX_IPPROTO_TCP : f->kind == PX_UDP
                                      ? PX_IPPROTO_UDP : PX_IPPROTO_ICMP);
    return give_int(val, len, f->listening);    /* SO_ACCEPTCONN */
}

static int64_t get_timeout(const struct px_file *f, int opt, void *val, uint32_t *len)
{
    oriel_time t = opt == SO_RCVTIMEO_ ? f->rcvtimeo : f->sndtimeo;
    int64_t v[2] = {(int64_t)(t / NS_PER_S), (int64_t)(t % NS_PER_S / NS_PER_US)};
    return give(val, len, v, sizeof(v));
}

static int64_t get_number(struct px *px, const struct px_file *f, const struct row *r, void *val,
                          uint32_t *len)
{
    int64_t v = 0;
    int err = oriel_getopt(px->stack, f->h, r->to, &v);
    if (err)
        return answer(err);
    bool buffer = r->to == ORIEL_OPT_RCVBUF || r->to == ORIEL_OPT_SNDBUF;
    if (r->to == ORIEL_OPT_TTL && v == 0)
        v = 64;
    return give_int(val, len, buffer ? v * 2 : v / r->unit);
}

static bool is_of_socket(int opt)
{
    return opt == SO_ERROR_ || opt == SO_LINGER_ || opt == SO_TYPE_ || opt == SO_DOMAIN_ ||
           opt == SO_PROTOCOL_ || opt == SO_ACCEPTCONN_;
}

int64_t px_getsockopt(struct px *px, int fd, int level, int opt, void *val, uint32_t *len)
{
    struct px_file *f = px_of(px, fd);
    if (!f || !px_is_socket(f))
        return f ? -PX_ENOTSOCK : -PX_EBADF;
    if (level == SOL_TCP_ && (opt == TCP_INFO_ || opt == TCP_CONGESTION_ || opt == TCP_CC_INFO_ ||
                              opt == TCP_MAXSEG_))
        return get_tcp(px, f, opt, val, len);
    if (level == SOL_SOCKET_ && is_of_socket(opt))
        return get_socket(px, f, opt, val, len);
    if (is_timeout(level, opt))
        return get_timeout(f, opt, val, len);
    if (is_df(level, opt)) {
        static const int32_t discover[] = {1, 2, 3};
        int64_t df = 0;
        int err = oriel_getopt(px->stack, f->h, ORIEL_OPT_DF, &df);
        return err ? answer(err) : give_int(val, len, discover[df >= 0 && df < 3 ? df : 0]);
    }
    if (cmsg_of(level, opt))
        return give_int(val, len, (f->cmsg & cmsg_of(level, opt)) != 0);
    if (is_recverr(level, opt))
        return give_int(val, len, f->recverr);
    const int32_t *only = kept_at(f, level, opt);
    if (only)
        return give_int(val, len, *only);
    if (level == SOL_SOCKET_ && opt == SO_MAX_PACING_RATE_) {
        int64_t rate = 0;
        int err = oriel_getopt(px->stack, f->h, ORIEL_OPT_MAX_PACING_RATE, &rate);
        return err ? answer(err) : give_int(val, len, rate == 0 || rate > UINT32_MAX ? -1 : rate);
    }
    const struct row *r = row_of(level, opt);
    return r ? get_number(px, f, r, val, len) : -PX_ENOPROTOOPT;
}
