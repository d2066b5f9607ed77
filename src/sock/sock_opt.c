/*
 * Socket options: one table of name, kinds of socket, bounds and place. What needs more than storing
 * a number has its own case in get_special.
 */
#include "sock/sock.h"

enum store {
    STORE_NONE,
    STORE_U8,
    STORE_U16,
    STORE_U64,
    STORE_BOOL,
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
};

/* Where the option of that socket is kept, or NULL. */
static uint8_t *place(struct sock *s, const struct opt *o)
{
    int16_t at = s->kind == SOCK_UDP ? o->udp : o->raw;
    if (at < 0)
        return NULL;
    return (s->kind == SOCK_UDP ? (uint8_t *)s->udp : (uint8_t *)s->raw) + at;
}

static int check(struct socks *ss, const struct sock *s, enum oriel_opt opt, int64_t value)
{
    bool is_nif = opt == ORIEL_OPT_BIND_NETIF || opt == ORIEL_OPT_MCAST_NETIF;
    if (value < table[opt].lo || value > table[opt].hi)
        return ORIEL_EINVAL;
    if (is_nif && value != 0 && !netif_at(ss->ip->link, (uint32_t)value))
        return ORIEL_EINVAL;
    bool before_bind = opt == ORIEL_OPT_V6ONLY || opt == ORIEL_OPT_REUSEADDR;
    if (before_bind && s->kind == SOCK_UDP && s->udp->local.port != 0)
        return ORIEL_EINVAL;    /* the port was taken under the old rule */
    return 0;
}

int sock_setopt(struct socks *ss, oriel_handle h, enum oriel_opt opt, int64_t value)
{
    struct sock *s = sock_of(ss, h);
    if (!s)
        return ORIEL_EBADF;
    if ((unsigned)opt >= ORIEL_OPT_N || table[opt].read_only)
        return ORIEL_ENOPROTOOPT;
    uint8_t *at = place(s, &table[opt]);
    if (!at)
        return ORIEL_ENOPROTOOPT;
    int err = check(ss, s, opt, value);
    if (err)
        return err;
    switch ((enum store)table[opt].store) {
    case STORE_U8:   *at = (uint8_t)value; break;
    case STORE_U16:  memcpy(at, &(uint16_t){(uint16_t)value}, 2); break;
    case STORE_U64:  memcpy(at, &(uint64_t){(uint64_t)value}, 8); break;
    case STORE_BOOL: *(bool *)at = value != 0; break;
    case STORE_NONE: break;
    }
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
    if ((unsigned)opt >= ORIEL_OPT_N)
        return ORIEL_ENOPROTOOPT;
    if (table[opt].store == STORE_NONE)
        return get_special(ss, s, opt, value);
    const uint8_t *at = place(s, &table[opt]);
    if (!at)
        return ORIEL_ENOPROTOOPT;
    uint16_t v16;
    uint64_t v64;
    switch ((enum store)table[opt].store) {
    case STORE_U8:   *value = *at; break;
    case STORE_U16:  memcpy(&v16, at, 2); *value = v16; break;
    case STORE_U64:  memcpy(&v64, at, 8); *value = (int64_t)v64; break;
    case STORE_BOOL: *value = *(const bool *)at; break;
    case STORE_NONE: break;
    }
    return 0;
}
