/*
 * PPP on a serial line, all of it but the line: the negotiation of the link (LCP, RFC 1661), who is at the
 * other end (PAP, RFC 1334; CHAP with MD5, RFC 1994), addresses and name servers (IPCP, RFC 1332 and 1877;
 * IPV6CP, RFC 5072), and whether the other end still answers.
 *
 *     struct ppp l;
 *     ppp_init(&l, &cfg);
 *     ppp_up(&l, now);                        the line is there
 *     ... bytes of the line: ...
 *     while (ppp_input(&l, now, &rd, &packet))
 *         packet.bytes is an IPv4 or IPv6 packet, until the next call
 *     oriel_time next = ppp_run(&l, now);     what is due; call it again then, at the latest
 *     ppp_send(&l, packet)                    PPP_LATER: try again when bytes were written
 *     n = write(fd, l.out.p, l.out.n); ppp_written(&l, n);
 *
 * Time and randomness (a seed) are inputs, memory is the caller's, nothing calls back. What became of the
 * link is to be read: l.phase, ppp_has_ip4 and its like, and l.end when it has failed or was ended.
 *
 * Only frames that are whole get in; before LCP is open nothing but LCP, and before the peer has said who
 * it is (where that is asked) no network protocol. What is too much is dropped, as a line drops it: a full
 * output buffer loses control packets, which are sent again.
 */
#ifndef ORIEL_LINK_PPP_H
#define ORIEL_LINK_PPP_H

#include "base/clock.h"
#include "base/siphash.h"
#include "link/ppp_fsm.h"
#include "wire/ppp.h"

#define PPP_RESTART        (3 * NS_PER_S)       /* RFC 1661, 4.6 */
#define PPP_CONFIGURES_MAX 10
#define PPP_TERMINATES_MAX 2
#define PPP_FAILURES_MAX   5        /* Naks that are sent before Rejects are */
#define PPP_NAKS_MAX       10       /* Naks that are heard before the option is given up */
#define PPP_LOOPS_MAX      5        /* times that we hear ourselves, before the line is said to be looped */
#define PPP_NAME_MAX       64
#define PPP_OWN_MAX        6        /* options of one protocol that we ask for */
#define PPP_VALUE_MAX      8        /* bytes of a value that we know */
#define PPP_CHALLENGE_LEN  16
#define PPP_REPLY_MAX      512      /* bytes of options in an answer of ours */
#define PPP_CONTROL_ROOM   1536     /* of the output, which packets leave to control */
#define PPP_MRU_MIN        68       /* RFC 791: what every link carries */

enum ppp_phase {                    /* RFC 1661, 3.2 */
    PPP_DEAD,
    PPP_ESTABLISH,
    PPP_AUTHENTICATE,
    PPP_NETWORK,
    PPP_TERMINATE,
    PPP_PHASES
};

enum ppp_end {                      /* why there is no link */
    PPP_END_NONE,
    PPP_END_NO_ANSWER,              /* to our Configure-Requests */
    PPP_END_NOT_AGREED,             /* LCP did not converge, or was rejected */
    PPP_END_LOOPED,                 /* we hear ourselves */
    PPP_END_NO_SECRET,              /* the peer asks who we are, and we have nothing to say */
    PPP_END_REFUSED,                /* the peer does not take our name and password */
    PPP_END_NOT_PROVEN,             /* the peer does not say, or wrongly, who it is */
    PPP_END_NO_NETWORK,             /* neither IPv4 nor IPv6 was agreed */
    PPP_END_SILENT,                 /* the peer does not answer echoes any more */
    PPP_END_BY_PEER,
    PPP_END_BY_US,
    PPP_ENDS
};

const char *ppp_end_text(enum ppp_end e);       /* "the line is looped back: ..." */

struct ppp_secret {
    uint8_t name_n, word_n;         /* name_n 0: there is none */
    uint8_t name[PPP_NAME_MAX], word[PPP_NAME_MAX];
};

enum ppp_auth_kind {
    PPP_AUTH_NONE,
    PPP_AUTH_PAP,
    PPP_AUTH_CHAP,
};

struct ppp_config {
    uint8_t seed[32];               /* from the system's random source */
    uint8_t *in, *out;              /* ppp_in_bytes(mru), ppp_out_bytes(mtu) */
    uint16_t mru;                   /* what we take; 0: 1500 */
    uint16_t mtu;                   /* what we send at most; 0: what the peer takes */
    uint32_t accm;                  /* bytes that the line may not carry to us */
    bool passive;                   /* wait for the peer to begin, after our own requests */
    bool no_pap;                    /* never say a password as it is */
    struct ppp_secret own;          /* said when the peer asks */
    enum ppp_auth_kind auth;        /* what the peer must do, and ... */
    struct ppp_secret peer;         /* ... with which name and password */
    bool no_ip4, no_ip6;
    uint32_t addr4, peer4;          /* 0: the peer has one for us; it says its own */
    uint32_t dns4[2];               /* given to a peer that asks; 0: none */
    bool want_dns;
    uint64_t ifid;                  /* 0: by chance */
    oriel_time echo;                /* between questions whether the peer is there; 0: never */
    uint8_t echoes_max;             /* unanswered ones that end the link */
};

static inline size_t ppp_in_bytes(uint16_t mru)
{
    return (mru > PPP_MRU ? mru : PPP_MRU) + 6u;
}

static inline size_t ppp_out_bytes(uint16_t mtu)
{
    return 2 * ppp_encoded_max(mtu > PPP_MRU ? mtu : PPP_MRU) + PPP_CONTROL_ROOM;
}

/* ---- parts ---- */

struct ppp_value {                  /* an option that we ask for */
    uint8_t type;
    uint8_t n;                      /* bytes of v */
    bool on;
    uint64_t v;
};

struct ppp_neg_kind;

/* One control protocol. ppp_neg.c is its only writer, but for `own`, which the protocols answer for. */
struct ppp_neg {
    const struct ppp_neg_kind *kind;
    uint8_t state;                  /* enum ppp_state */
    uint8_t id;                     /* of the last Configure-Request */
    uint8_t other_id;               /* of what else we send */
    uint8_t restarts;               /* left */
    uint8_t failures;               /* Naks sent since the last Ack */
    uint8_t naks;                   /* Naks heard since the last Ack */
    uint16_t facts;                 /* PPP_TLU, TLD, TLS, TLF that nobody has looked at */
    bool answered;                  /* the last Configure-Request: once is enough */
    bool heard;                     /* the peer has spoken */
    bool worked;                    /* it was open, at some time */
    oriel_time deadline;            /* ORIEL_NEVER: the restart timer stands */
    uint8_t own_n;
    struct ppp_value own[PPP_OWN_MAX];
    uint8_t sent_n;
    uint8_t sent[PPP_OWN_MAX * (2 + PPP_VALUE_MAX)];    /* options of the last Configure-Request */
};

struct ppp_lcp_peer {               /* what the peer asked for, and was given */
    uint16_t mru;
    uint32_t accm, magic;
    bool pfc, acfc;
    enum ppp_auth_kind auth;
};

struct ppp_proof {                  /* of one end's identity */
    bool done;                      /* or it was not asked for */
    bool begun;                     /* something was sent for it */
    uint8_t id;
    uint8_t tries;
    oriel_time deadline;
    uint8_t value[PPP_CHALLENGE_LEN];   /* CHAP: of the peer's proof our challenge, of ours the response */
};

struct ppp_packet {
    bool v6;
    struct span bytes;
};

struct ppp {
    struct ppp_config cfg;
    oriel_time now;
    uint8_t phase;                  /* enum ppp_phase */
    uint8_t end;                    /* enum ppp_end */
    uint8_t hint;                   /* the same: why it will probably come to that */
    struct siphash_key key;
    uint64_t drawn;
    struct ppp_rx rx;
    struct ppp_tx tx;               /* as the peer wants frames */
    struct {
        uint8_t *p;
        size_t n, cap;
    } out;                          /* bytes for the line */
    struct ppp_neg lcp, ipcp, ipv6cp;
    struct ppp_lcp_peer lcp_peer;
    bool asked4;                    /* the peer's last request was about its address */
    uint32_t peer4;                 /* which it is; 0: it has not said */
    uint64_t peer_ifid;
    struct ppp_proof us, them;
    uint32_t nak_magic;             /* the last that we proposed to the peer */
    uint8_t loops;
    uint8_t echo_id, echoes;        /* of which so many were not answered */
    oriel_time echo_at;
    uint32_t dropped;               /* frames that came too early, or made no sense */
    uint32_t lost;                  /* control packets that found no room */
};

void ppp_init(struct ppp *l, const struct ppp_config *cfg);
void ppp_up(struct ppp *l, oriel_time now);
void ppp_down(struct ppp *l, oriel_time now);           /* the line is gone; ppp_up begins anew */
void ppp_close(struct ppp *l, oriel_time now);          /* say goodbye; then it is PPP_DEAD */
bool ppp_input(struct ppp *l, oriel_time now, struct rd *in, struct ppp_packet *out);
oriel_time ppp_run(struct ppp *l, oriel_time now);

enum ppp_sent {
    PPP_SENT,
    PPP_LATER,                      /* there is no room, or what worked is being agreed on anew */
    PPP_NEVER,                      /* too long, or of a protocol that the peer does not speak */
};
enum ppp_sent ppp_send(struct ppp *l, struct ppp_packet p);
/* There is room for a packet, and a network protocol is open. */
bool ppp_can_send(const struct ppp *l);
void ppp_written(struct ppp *l, size_t n);

/* Both ends have an address, and packets may pass. */
bool ppp_has_ip4(const struct ppp *l);
bool ppp_has_ip6(const struct ppp *l);
/* Nothing more will be agreed: a network protocol is open, or was given up. */
bool ppp_is_settled(const struct ppp *l);

uint32_t ppp_addr4(const struct ppp *l);                /* ours; 0: none */
uint64_t ppp_ifid(const struct ppp *l);
uint32_t ppp_dns4(const struct ppp *l, unsigned i);     /* 0 and 1: of whom the peer told; 0: none */
uint16_t ppp_mtu(const struct ppp *l);                  /* largest packet that the peer takes */

#endif
