/*
 * Socket options: tables of bounds and places, one for datagrams and one for streams. What needs
 * more than storing a number has its own case (get_special, stream_special).
 *
 * Of a datagram socket an option stands in its endpoint. Of a stream it stands in the profile that
 * it shares with all streams that are set alike (tcp_opt.c): setting it finds or makes another
 * profile, and the connection is told what changed.
 */
#include "sock/sock.h"

enum store {
    STORE_NONE,
    STORE_U8,
    STORE_U16,
    STORE_U32,
    STORE_U64,
    STORE_BOOL,
    STORE_NOT,                  /* a bool that says the opposite */
};

struct opt {
    int64_t lo, hi;
    uint8_t store;
    int16_t udp;                /* offset in struct udp_pcb; -1: not an option of UDP */
    int16_t raw;
    bool read_only;
};

#define AT_UDP(f) ((int16_t)offsetof(struct udp_pcb, f))
#define AT_RAW(f) ((int16_t)offsetof(struct raw_pcb, f))

static const struct opt table[ORIEL_OPT_N] = {
    [ORIEL_OPT_ERROR] = {0, 0, STORE_NONE, 0, 0, true},
    [ORIEL_OPT_RCVBUF] = {2048, (int64_t)1 << 40, STORE_U64, AT_UDP(rcv_max), AT_RAW(rcv_max), false},
    [ORIEL_OPT_TTL] = {0, 255, STORE_U8, AT_UDP(ttl), AT_RAW(ttl), false},
    [ORIEL_OPT_MCAST_TTL] = {1, 255, STORE_U8, AT_UDP(mcast_ttl), AT_RAW(mcast_ttl), false},
    [ORIEL_OPT_MCAST_LOOP] = {0, 1, STORE_BOOL, AT_UDP(mcast_loop), -1, false},
    [ORIEL_OPT_MCAST_NETIF] = {0, UINT16_MAX, STORE_U16, AT_UDP(mcast_nif), -1, false},
    [ORIEL_OPT_TOS] = {0, 255, STORE_U8, AT_UDP(tos), AT_RAW(tos), false},
    [ORIEL_OPT_BROADCAST] = {0, 1, STORE_BOOL, AT_UDP(broadcast), AT_RAW(broadcast), false},
    [ORIEL_OPT_REUSEADDR] = {0, 1, STORE_BOOL, AT_UDP(reuse), -1, false},
    [ORIEL_OPT_V6ONLY] = {0, 1, STORE_BOOL, AT_UDP(v6only), -1, false},
    [ORIEL_OPT_BIND_NETIF] = {0, UINT16_MAX, STORE_U16, AT_UDP(bind_nif), AT_RAW(bind_nif), false},
    [ORIEL_OPT_NO_CSUM] = {0, 1, STORE_BOOL, AT_UDP(no_csum), -1, false},
    [ORIEL_OPT_DF] = {0, 2, STORE_U8, AT_UDP(df), AT_RAW(df), false},
    [ORIEL_OPT_MTU] = {0, 0, STORE_NONE, 0, -1, true},
    [ORIEL_OPT_ANY_ADDR] = {0, 1, STORE_BOOL, AT_UDP(any_addr), AT_RAW(any_addr), false},
};

/* Is it an option of datagrams at all? */
static bool is_listed(enum oriel_opt opt)
{
    return (unsigned)opt < ORIEL_OPT_N && (table[opt].store != STORE_NONE || table[opt].read_only);
}

/* Options that exist elsewhere and are refused here, clearly. */
static bool is_refused(enum oriel_opt opt)
{
    return opt == ORIEL_OPT_MD5SIG || opt == ORIEL_OPT_AUTHENTICATION ||
           opt == ORIEL_OPT_TEMPORARY_ADDRS;
}

/* Where the option of that socket is kept, or NULL. */
static uint8_t *place(struct sock *s, const struct opt *o)
{
    int16_t at = s->kind == SOCK_UDP ? o->udp : o->raw;
    if (at < 0)
        return NULL;
    return (s->kind == SOCK_UDP ? (uint8_t *)s->udp : (uint8_t *)s->raw) + at;
}

static void put(uint8_t *at, enum store store, int64_t value)
{
    switch (store) {
    case STORE_U8:   *at = (uint8_t)value; return;
    case STORE_U16:  memcpy(at, &(uint16_t){(uint16_t)value}, 2); return;
    case STORE_U32:  memcpy(at, &(uint32_t){(uint32_t)value}, 4); return;
    case STORE_U64:  memcpy(at, &(uint64_t){(uint64_t)value}, 8); return;
    case STORE_BOOL: *(bool *)at = value != 0; return;
    case STORE_NOT:  *(bool *)at = value == 0; return;
    case STORE_NONE: return;
    }
}

static int64_t get(const uint8_t *at, enum store store)
{
    uint16_t v16;
    uint32_t v32;
    uint64_t v64;
    switch (store) {
    case STORE_U8:   return *at;
    case STORE_U16:  memcpy(&v16, at, 2); return v16;
    case STORE_U32:  memcpy(&v32, at, 4); return v32;
    case STORE_U64:  memcpy(&v64, at, 8); return (int64_t)v64;
    case STORE_BOOL: return *(const bool *)at;
    case STORE_NOT:  return !*(const bool *)at;
    case STORE_NONE: break;
    }
    return 0;
}

static bool is_nif_ok(const struct socks *ss, enum oriel_opt opt, int64_t value)
{
    bool is_nif = opt == ORIEL_OPT_BIND_NETIF || opt == ORIEL_OPT_MCAST_NETIF;
    return !is_nif || value == 0 || netif_at(ss->ip->link, (uint32_t)value);
}

static int check(struct socks *ss, const struct sock *s, enum oriel_opt opt, int64_t value)
{
    if (value < table[opt].lo || value > table[opt].hi || !is_nif_ok(ss, opt, value))
        return ORIEL_EINVAL;
    bool before_bind = opt == ORIEL_OPT_V6ONLY || opt == ORIEL_OPT_REUSEADDR;
    if (before_bind && s->kind == SOCK_UDP && s->udp->local.port != 0)
        return ORIEL_EINVAL;    /* the port was taken under the old rule */
    return 0;
}

/* ---- streams ---- */

#define MS_MAX      INT32_MAX
#define BUFFER_MIN  2048
#define BUFFER_MAX  (1 << 30)   /* the largest window that can be told */
#define MSS_MAX     65495

struct stream_opt {
    int64_t lo, hi;
    uint8_t store;
    int16_t at;                 /* offset in struct tcp_profile */
    bool special;               /* not (only) a number of the profile: stream_special */
};

#define AT(f)     ((int16_t)offsetof(struct tcp_profile, f))
#define SWITCH(f) {0, 1, STORE_BOOL, AT(f), false}

static const struct stream_opt streams[ORIEL_OPT_N] = {
    [ORIEL_OPT_ERROR] = {.special = true},
    [ORIEL_OPT_MTU] = {.special = true},
    [ORIEL_OPT_AT_MARK] = {.special = true},
    [ORIEL_OPT_UNREAD] = {.special = true},
    [ORIEL_OPT_UNSENT] = {.special = true},
    [ORIEL_OPT_RCVBUF] = {BUFFER_MIN, BUFFER_MAX, STORE_U32, AT(rcvbuf), true},
    [ORIEL_OPT_SNDBUF] = {BUFFER_MIN, BUFFER_MAX, STORE_U32, AT(sndbuf), true},
    [ORIEL_OPT_MAXSEG] = {0, MSS_MAX, STORE_U16, AT(maxseg), true},
    [ORIEL_OPT_TTL] = {0, 255, STORE_U8, AT(ttl), false},
    [ORIEL_OPT_TOS] = {0, 255, STORE_U8, AT(tos), false},
    [ORIEL_OPT_DF] = {0, 2, STORE_U8, AT(df), false},
    [ORIEL_OPT_BIND_NETIF] = {0, UINT16_MAX, STORE_U16, AT(bind_nif), false},
    [ORIEL_OPT_REUSEADDR] = SWITCH(reuseaddr),
    [ORIEL_OPT_REUSEPORT] = SWITCH(reuseport),
    [ORIEL_OPT_ANY_ADDR] = SWITCH(any_addr),
    [ORIEL_OPT_V6ONLY] = SWITCH(v6only),
    [ORIEL_OPT_RCVLOWAT] = {1, BUFFER_MAX, STORE_U32, AT(rcvlowat), false},
    [ORIEL_OPT_LINGER] = {-1, MS_MAX, STORE_U64, AT(linger_ms), false},
    [ORIEL_OPT_KEEPALIVE] = SWITCH(keepalive),
    [ORIEL_OPT_KEEPIDLE_MS] = {1, MS_MAX, STORE_U32, AT(keepidle_ms), false},
    [ORIEL_OPT_KEEPINTVL_MS] = {1, MS_MAX, STORE_U32, AT(keepintvl_ms), false},
    [ORIEL_OPT_KEEPCNT] = {1, 127, STORE_U8, AT(keepcnt), false},
    [ORIEL_OPT_USER_TIMEOUT_MS] = {0, MS_MAX, STORE_U32, AT(user_timeout_ms), false},
    [ORIEL_OPT_NODELAY] = SWITCH(nodelay),
    [ORIEL_OPT_CORK] = SWITCH(cork),
    [ORIEL_OPT_QUICKACK] = {0, 1, STORE_NOT, AT(quickack_off), false},
    [ORIEL_OPT_CONGESTION] = {0, CC_N - 1, STORE_U8, AT(cc), false},
    [ORIEL_OPT_NOTSENT_LOWAT] = {0, UINT32_MAX, STORE_U32, AT(notsent_lowat), false},
    [ORIEL_OPT_DEFER_ACCEPT_MS] = {0, MS_MAX, STORE_U32, AT(defer_accept_ms), false},
    [ORIEL_OPT_MAX_PACING_RATE] = {0, INT64_MAX, STORE_U64, AT(max_pacing_bps), false},
    [ORIEL_OPT_FASTOPEN] = {0, TCP_BACKLOG_MAX, STORE_U32, AT(fastopen), false},
    [ORIEL_OPT_FASTOPEN_CONNECT] = SWITCH(fastopen_connect),
    [ORIEL_OPT_WINDOW_CLAMP] = {0, BUFFER_MAX, STORE_U32, AT(window_clamp), false},
    [ORIEL_OPT_OOBINLINE] = SWITCH(oobinline),
    [ORIEL_OPT_SYNCNT] = {0, 127, STORE_U8, AT(syncnt), false},
    [ORIEL_OPT_SOFT_ERRORS] = SWITCH(soft_errors),
    [ORIEL_OPT_PKTINFO] = {0, 1, STORE_NONE, 0, true},
    [ORIEL_OPT_ECN] = {ORIEL_ECN_DEFAULT, ORIEL_ECN_ACCURATE, STORE_U8, AT(ecn), false},
};

static struct tcp_profile *profile_of(const struct sock *s)
{
    return s->kind == SOCK_TCP ? s->conn->prof : s->listener->prof;
}

static bool has_port(const struct sock *s)
{
    return s->kind == SOCK_TCP_LISTENER || s->conn->tuple.local_port != 0;
}

static int check_stream(struct socks *ss, const struct sock *s, enum oriel_opt opt, int64_t value)
{
    if (value < streams[opt].lo || value > streams[opt].hi || !is_nif_ok(ss, opt, value))
        return ORIEL_EINVAL;
    if (opt == ORIEL_OPT_MAXSEG && value != 0 && value < TCP_MSS_FLOOR)
        return ORIEL_EINVAL;
    if (opt == ORIEL_OPT_CONGESTION && !cc_ops_of((enum cc_kind)value))
        return ORIEL_EINVAL;
    if ((opt == ORIEL_OPT_V6ONLY || opt == ORIEL_OPT_REUSEPORT) && has_port(s))
        return ORIEL_EINVAL;    /* the port was taken under the old rule */
    return 0;
}

static int use_profile(struct socks *ss, struct sock *s, const struct tcp_profile *wanted)
{
    struct tcp_profile *now = tcp_profile_get(ss->tcp, wanted);
    if (!now)
        return ORIEL_ENOBUFS;
    if (s->kind == SOCK_TCP) {
        struct tcp_profile *was = s->conn->prof;
        s->conn->prof = now;
        tcp_on_profile(ss->tcp, s->conn, was);
        tcp_profile_put(ss->tcp, was);
        return 0;
    }
    tcp_listen_set_profile(ss->tcp, s->listener, now);
    tcp_profile_put(ss->tcp, now);              /* the listener holds it */
    return 0;
}

static int set_stream(struct socks *ss, struct sock *s, enum oriel_opt opt, int64_t value)
{
    const struct stream_opt *o = &streams[opt];
    if (o->store == STORE_NONE && opt != ORIEL_OPT_PKTINFO)
        return ORIEL_ENOPROTOOPT;
    int err = check_stream(ss, s, opt, value);
    if (err || opt == ORIEL_OPT_PKTINFO)
        return err;
    if (opt == ORIEL_OPT_TOS)
        value &= 0xfc;          /* SHLD-22; the other two bits are ECN's */
    if (opt == ORIEL_OPT_ECN && value == ORIEL_ECN_DEFAULT)
        value = ss->tcp->set.ecn;
    struct tcp_profile p = *profile_of(s);
    put((uint8_t *)&p + o->at, (enum store)o->store, value);
    err = use_profile(ss, s, &p);
    if (!err && opt == ORIEL_OPT_QUICKACK && s->kind == SOCK_TCP)
        tcp_on_quickack(ss->tcp, s->conn, value != 0);
    return err;
}

static int64_t take_error(struct tcp_conn *c)
{
    int err = c->error;
    if (err == 0 && c->prof->soft_errors)
        err = c->soft_error;    /* MUST-47, SHLD-20: only to who wants to hear of them */
    c->error = c->soft_error = 0;
    return err;
}

static int path_mtu(struct socks *ss, const struct tcp_conn *c, int64_t *value)
{
    if (c->tuple.remote_port == 0)
        return ORIEL_ENOTCONN;
    const struct tcp_path *p = tcp_path_of(ss->tcp, &c->tuple, c->prof->ttl, c->prof->tos,
                                           c->prof->bind_nif);
    if (!p)
        return ORIEL_ENETUNREACH;
    *value = p->path.mtu;
    return 0;
}

/* What is asked of the connection itself. */
static int stream_special(struct socks *ss, struct tcp_conn *c, enum oriel_opt opt, int64_t *value)
{
    const struct tcp *t = ss->tcp;
    if (opt == ORIEL_OPT_ERROR)
        *value = take_error(c);
    else if (opt == ORIEL_OPT_MTU)
        return path_mtu(ss, c, value);
    else if (opt == ORIEL_OPT_AT_MARK)
        *value = tcp_at_mark(c);
    else if (opt == ORIEL_OPT_UNREAD)
        *value = c->rcv.unread;
    else if (opt == ORIEL_OPT_UNSENT)
        *value = c->flight ? c->flight->sndq.len : 0;
    else if (opt == ORIEL_OPT_RCVBUF)
        *value = c->prof->rcvbuf ? c->prof->rcvbuf : c->rcv.buf ? c->rcv.buf : t->set.rcvbuf;
    else if (opt == ORIEL_OPT_SNDBUF)
        *value = tcp_sndbuf(t, c);
    else if (opt == ORIEL_OPT_MAXSEG)
        *value = c->snd.mss ? c->snd.mss : c->prof->maxseg;
    else
        *value = 0;
    return 0;
}

static int get_stream(struct socks *ss, struct sock *s, enum oriel_opt opt, int64_t *value)
{
    const struct stream_opt *o = &streams[opt];
    if (o->store == STORE_NONE && !o->special)
        return ORIEL_ENOPROTOOPT;
    if (o->special && s->kind == SOCK_TCP)
        return stream_special(ss, s->conn, opt, value);
    if (opt == ORIEL_OPT_MTU)
        return ORIEL_ENOTCONN;
    *value = get((const uint8_t *)profile_of(s) + o->at, (enum store)o->store);
    if (opt == ORIEL_OPT_RCVBUF && *value == 0)
        *value = ss->tcp->set.rcvbuf;
    if (opt == ORIEL_OPT_SNDBUF && *value == 0)
        *value = ss->tcp->set.sndbuf;
    return 0;
}

/* ---- all ---- */

int sock_setopt(struct socks *ss, oriel_handle h, enum oriel_opt opt, int64_t value)
{
    struct sock *s = sock_of(ss, h);
    if (!s)
        return ORIEL_EBADF;
    if (is_refused(opt))
        return ORIEL_EOPNOTSUPP;
    if ((unsigned)opt < ORIEL_OPT_N && sock_is_stream(s))
        return set_stream(ss, s, opt, value);
    if (!is_listed(opt) || table[opt].read_only)
        return ORIEL_ENOPROTOOPT;
    uint8_t *at = place(s, &table[opt]);
    if (!at)
        return ORIEL_ENOPROTOOPT;
    int err = check(ss, s, opt, value);
    if (err)
        return err;
    put(at, (enum store)table[opt].store, value);
    if (s->kind == SOCK_UDP)
        udp_option_changed(ss->udp, s->udp);
    return 0;
}

static int get_special(struct socks *ss, struct sock *s, enum oriel_opt opt, int64_t *value)
{
    int16_t *error = s->kind == SOCK_UDP ? &s->udp->error : &s->raw->error;
    if (opt == ORIEL_OPT_ERROR) {
        *value = *error;
        *error = 0;
        return 0;
    }
    if (s->kind != SOCK_UDP)
        return ORIEL_ENOPROTOOPT;
    if (s->udp->remote.port == 0)
        return ORIEL_ENOTCONN;
    struct ip_path path;
    int err = ip_path_find(ss->ip, &s->udp->remote.addr, &s->udp->local.addr, s->udp->bind_nif,
                           &path);
    *value = err ? 0 : path.mtu;
    return err;
}

int sock_getopt(struct socks *ss, oriel_handle h, enum oriel_opt opt, int64_t *value)
{
    struct sock *s = sock_of(ss, h);
    if (!s)
        return ORIEL_EBADF;
    if (is_refused(opt))
        return ORIEL_EOPNOTSUPP;
    if ((unsigned)opt < ORIEL_OPT_N && sock_is_stream(s))
        return get_stream(ss, s, opt, value);
    if (!is_listed(opt))
        return ORIEL_ENOPROTOOPT;
    if (table[opt].store == STORE_NONE)
        return get_special(ss, s, opt, value);
    const uint8_t *at = place(s, &table[opt]);
    if (!at)
        return ORIEL_ENOPROTOOPT;
    *value = get(at, (enum store)table[opt].store);
    return 0;
}
