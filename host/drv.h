/*
 * Drivers: real links. Each is a row of `drv_kinds` in its own file host/drv_NAME.c.
 *
 *     struct drv_spec spec;
 *     if (!drv_spec_parse(&spec, "tap:oriel0,addr=192.0.2.2/24,gw=192.0.2.1", &error)) ...
 *     struct drv *d = drv_open(&spec, &error);
 *     unsigned n = d->kind->rx(d, env, pkts, 64);          what came, up to 64
 *     n = d->kind->tx(d, pkts, n);                         how many the link took
 *     drv_close(d);
 *
 * A driver moves frames between a descriptor and packets, in batches; it never blocks. What the kernel
 * gave it, and what it does without, stands in `caps` and in sentences in `notes`, for people.
 *
 * Packets that a driver hands up come from `env` (pkt_new: pools and budget of the world), the frame's
 * link header first unless caps.ip. Offloads: a frame of a vouching link comes with CSUM_VERIFIED or
 * CSUM_PARTIAL and, as a super-segment, with gso and gso_size; what a driver is given may have
 * CSUM_PARTIAL or gso only as far as its caps say.
 */
#ifndef ORIEL_HOST_DRV_H
#define ORIEL_HOST_DRV_H

#include "pkt/pkt.h"

#include <sys/uio.h>

#define DRV_BATCH     64
#define DRV_NAME_MAX  128           /* of a device, a socket's path, a file */
#define DRV_ADDRS_MAX 8
#define DRV_NOTES_MAX 8
#define DRV_NOTE_MAX  160
#define DRV_ERROR_MAX 256

/* ---- what the user said ---- */

/* What may stand in a description. Lists of them end with a name of NULL. */
struct drv_key {
    const char *name;               /* "host" */
    const char *value;              /* what its value is, for help: "A/LEN"; NULL: a flag, which has none */
    const char *help;
};

extern const struct drv_key drv_common_keys[];     /* that every kind has */

struct drv_addr {
    struct oriel_addr addr;
    uint8_t prefix_len;             /* 0..128, as oriel_addr_add has it */
};

/*
 * "KIND[:WHERE][,KEY=VALUE]...": WHERE is a device, a path or an endpoint, as the kind has it,
 * and holds no "=" (where it does it is left out, and that is a key). Keys are those of drv_common_keys, and
 * the kind's own, which wait in `rest`; any other is refused, and so is one without the value that it wants.
 */
struct drv_spec {
    const struct drv_kind *kind;
    char where[DRV_NAME_MAX];
    struct drv_addr addrs[DRV_ADDRS_MAX];
    uint8_t addrs_n;
    struct oriel_addr gateways[2], dns[4];
    uint8_t gateways_n, dns_n;
    uint8_t mac[6];                 /* all zero: one is chosen */
    uint32_t mtu;                   /* 0: the link's own */
    bool dhcp;
    bool plain;                     /* no offloads: every frame as it stands on a wire */
    bool listens;                   /* nobody is there: all that passes is wanted, not what is for us */
    char rest[256];                 /* "KEY=VALUE,KEY=VALUE": drv_spec_key reads it */
};

/* False: a sentence in `error` that says what was found where, and what was expected. */
bool drv_spec_parse(struct drv_spec *s, const char *text, char error[DRV_ERROR_MAX]);

/* The value of a key in `rest` ("" for a flag), or NULL; copied to buf. */
const char *drv_spec_key(const struct drv_spec *s, const char *key, char *buf, size_t cap);
bool drv_spec_has(const struct drv_spec *s, const char *key);
/* Flags of which only one may stand. False: both do, after a sentence in `error`. */
bool drv_spec_either(const struct drv_spec *s, const char *one, const char *other, char error[DRV_ERROR_MAX]);

/* ---- an open link ---- */

struct drv_caps {
    bool ip;                        /* bare IP packets instead of Ethernet frames */
    bool csum;                      /* takes CSUM_PARTIAL, and hands it up */
    bool gso4, gso6;                /* takes TCP super-segments of that family */
    uint32_t mtu;                   /* largest IP packet */
    uint8_t mac[6];                 /* for the stack's end */
};

/* Why a frame that came does not reach the stack. */
enum drv_lost {
    DRV_LOST_KERNEL,                /* nobody took it in time: the kernel's queue was full */
    DRV_LOST_MEMORY,                /* no memory for a packet */
    DRV_LOST_SENSE,                 /* cut, damaged, of another network, or of a kind that nobody asked for */
    DRV_LOST_N,
};

/* What the link itself was told by its other end: addresses of ours, and who is there. */
struct drv_given {
    struct drv_addr addrs[2];
    struct oriel_addr gateways[2], dns[2];
    uint8_t addrs_n, gateways_n, dns_n;
};

struct drv {
    const struct drv_kind *kind;
    int fd;                         /* readable: frames wait; writable: tx goes on */
    bool resumed;                   /* of an fd that is never writable: after rx, tx goes on */
    int beside;                     /* another one that becomes readable, where has_beside says so */
    bool has_beside;
    struct drv_caps caps;
    char name[DRV_NAME_MAX];        /* "oriel0" */
    char notes[DRV_NOTES_MAX][DRV_NOTE_MAX];    /* what it got, and what it does without */
    uint8_t notes_n;
    uint64_t rx_pkts, rx_bytes, tx_pkts, tx_bytes;
    uint64_t rx_dropped;            /* all of them, */
    uint64_t rx_lost[DRV_LOST_N];   /* and why (drv_lost) */
    uint64_t tx_dropped;            /* the link could not take them, whenever */
    uint64_t tx_full;               /* times it took no more */
    bool unsent;                    /* of what tx took some is still here: it is called again, with none at need */
    int error;                      /* a negative errno once the link is gone: its fd is not waited on */
    const char *gone;               /* ... what happened, where the errno does not say it */
    struct drv_given given;
};

struct drv_kind {
    const char *name;               /* "tap" */
    const char *where;              /* what WHERE is, for help: "DEVICE" */
    const char *help;               /* one sentence */
    const char *needs;              /* what it needs of the system, and which flag needs none */
    const struct drv_key *keys;     /* its own; NULL: none */
    /* Can it be used here, by this user, as far as one can tell without opening anything? False: a
     * sentence about what is missing. NULL: everywhere. */
    bool (*available)(char why_not[DRV_ERROR_MAX]);
    /* NULL: a sentence in `error`: which file or capability is missing, what works without it. */
    struct drv *(*open)(const struct drv_spec *s, char error[DRV_ERROR_MAX]);
    /* Packets that came, at most max; 0: none now. Owned by the caller. Without memory what came is thrown away, so
     * that it does not wake us for ever, and no call takes more than a bounded number. */
    unsigned (*rx)(struct drv *d, struct env *env, struct pkt *out[], unsigned max);
    /* Sends the first k of n and returns k; all stay the caller's, and their bytes are copied or sent
     * when it returns. What is left is offered again when fd is writable. A packet that the link can
     * never take is counted and is one of k. */
    unsigned (*tx)(struct drv *d, struct pkt *const pkts[], unsigned n);
    void (*close)(struct drv *d);
    /* The kernel's view of the link: the addresses that the stack has, for filters. May be NULL. */
    void (*set_addrs)(struct drv *d, const struct drv_addr *addrs, unsigned n);
    /* fd has an error or was hung up, which stays so until somebody asks; then rx is called. May be NULL: rx
     * learns of it. */
    void (*trouble)(struct drv *d);
};

extern const struct drv_kind *const drv_kinds[];       /* ends with NULL */

struct drv *drv_open(const struct drv_spec *s, char error[DRV_ERROR_MAX]);
void drv_close(struct drv *d);

/* For drivers: the link address of the stack's end, which mac= says, or a random one, administered here. */
void drv_choose_mac(struct drv *d, const struct drv_spec *s);

/* For drivers: so many frames that came are lost. */
static inline void drv_lost(struct drv *d, enum drv_lost why, uint64_t n)
{
    d->rx_dropped += n;
    d->rx_lost[why] += n;
}

/* For drivers: these have left. */
static inline void drv_sent(struct drv *d, struct pkt *const pkts[], unsigned n)
{
    d->tx_pkts += n;
    for (unsigned i = 0; i < n; i++)
        d->tx_bytes += pkt_len(pkts[i]);
}

/* "the kernel's queue was full" */
const char *drv_lost_text(enum drv_lost why);

/* For drivers: where the bytes of a packet are, in pieces; how many these are. */
#define DRV_IOV_MAX (1 + PKT_SLICES_MAX)

static inline unsigned drv_iov(struct iovec v[], const struct pkt *p)
{
    v[0] = (struct iovec){pkt_data(p), p->head.len};
    for (unsigned i = 0; i < p->more_n; i++)
        v[1 + i] = (struct iovec){p->more[i].blk->bytes + p->more[i].off, p->more[i].len};
    return 1u + p->more_n;
}

/* What the link was given becomes part of what the user said, who has the last word. */
void drv_adopt(struct drv_spec *s, const struct drv *d);

/* Why the link is gone, for people. */
const char *drv_gone(const struct drv *d);

/* For drivers: one more sentence for people. */
void drv_note(struct drv *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The sentence in `error`; false. */
bool drv_error(char error[DRV_ERROR_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
