/*
 * What the layers of a frame description share. Internal to lab/.
 *
 * A layer's function first takes all its words, in any order and without looking at errors between
 * them (the first one stays), then asks craft_args_done(), writes its header, has the rest written
 * by craft_rest(), and goes back to fill in lengths and checksums.
 */
#ifndef ORIEL_LAB_CRAFT_LAYER_H
#define ORIEL_LAB_CRAFT_LAYER_H

#include "base/csum.h"
#include "lab/craft.h"
#include "wire/ip6.h"

#define CRAFT_NO_TYPE 0x88b5    /* ethertype of what has none: IEEE local experimental */
#define CRAFT_NO_PROTO 253      /* RFC 3692: for experiments */

struct craft;

struct craft_kind {
    const char *name;
    const char *keys;           /* for the message about a word that is none of them */
    uint16_t ethertype;         /* 0: never directly behind Ethernet */
    int16_t proto;              /* IP protocol number, -1: never directly behind IP */
    void (*emit)(struct craft *c);
};

struct craft_layer {
    const struct craft_kind *kind;
    struct span args;           /* the words behind the name */
};

struct craft {
    struct wr *w;
    struct syntax_error *err;
    struct span line;
    size_t start;               /* where the frame begins in w */
    unsigned n;                 /* layers */
    unsigned at;                /* the layer in hand */
    struct craft_layer layers[CRAFT_LAYERS_MAX];
    uint64_t used[CRAFT_WORDS_MAX / 64];    /* words of the layer in hand that were taken */
    const struct conversations *talks;
    struct oriel_addr src;      /* for pseudo-headers */
    struct oriel_addr dst;
};

struct craft_word {
    struct span text;
    struct span key;            /* before `=`; the whole word when there is none */
    struct span value;          /* behind `=`; p is NULL when there is none */
    unsigned index;
};

struct craft_name {
    const char *name;
    uint32_t value;
};

/* ---- words ---- */

bool craft_failed(const struct craft *c);

/* Remember the first error, at `at` (inside the line). Always false. */
bool craft_fail(struct craft *c, struct span at, const char *expected);

/* Cut the next word out of `all`, from *at. Blanks inside quotes belong to the word. */
bool craft_cut_word(struct span all, size_t *at, struct craft_word *out);

/* The next word that nobody has taken, in the order of the line; *it begins at 0. */
bool craft_word_next(struct craft *c, size_t *it, struct craft_word *out);
void craft_take(struct craft *c, const struct craft_word *word);

/* Every word was taken and none was wrong. */
bool craft_args_done(struct craft *c);

/* A word without a value. */
bool craft_flag(struct craft *c, const char *word);

/* `key=...`: is it there; its value (p NULL when absent). */
bool craft_has(struct craft *c, const char *key);
struct span craft_value(struct craft *c, const char *key);

/* Values, or the default when the key is not there. */
uint64_t craft_u(struct craft *c, const char *key, uint64_t max, uint64_t otherwise);
uint64_t craft_named(struct craft *c, const char *key, const struct craft_name *names, uint64_t max,
                     uint64_t otherwise);
struct mac craft_mac(struct craft *c, const char *key, struct mac otherwise);

/* An address of that family; `otherwise` NULL: it must be given. */
struct oriel_addr craft_addr(struct craft *c, const char *key, bool v6,
                             const struct oriel_addr *otherwise);

/* Bytes in hexadecimal; nothing when the key is not there. */
void craft_hex(struct craft *c, const char *key, struct wr *out);

/* One of the names standing as a word of its own: the message of ICMP and its like. */
uint64_t craft_word_named(struct craft *c, const struct craft_name *names, uint64_t otherwise);

/* Values out of text that was cut from a word. */
uint64_t craft_text_u(struct craft *c, struct span text, uint64_t max);
struct oriel_addr craft_text_addr(struct craft *c, struct span text, bool v6);
void craft_text_hex(struct craft *c, struct span text, struct wr *out);
bool craft_name_find(const struct craft_name *names, struct span text, uint64_t *out);

/* Cut the part before the next `sep` off the front of *list. False, *item empty, at its end. */
bool craft_list_next(struct span *list, char sep, struct span *item);

/* ---- layers ---- */

/* Write the layers inside the one in hand. */
void craft_rest(struct craft *c);

/* The kind of the layer that follows; NULL when there is none. */
const struct craft_kind *craft_next(const struct craft *c);
bool craft_next_is(const struct craft *c, const char *name);

/* Does the layer that follows have that word (a message name or a flag)? */
bool craft_next_has_word(const struct craft *c, const char *word);

/* Checksum field at `at` of a message that begins at `from` and ends here. */
struct craft_csum {
    bool given;
    bool bad;
    uint16_t value;
};
struct craft_csum craft_csum_args(struct craft *c);
void craft_csum_put(struct craft *c, const struct craft_csum *arg, size_t at, uint32_t sum);
uint32_t craft_sum_from(const struct craft *c, size_t from);
uint32_t craft_pseudo_sum(const struct craft *c, size_t from, uint8_t proto);

/*
 * The part of the payload that a fragment carries: `part=FROM..TO`, TO beyond the end: the last.
 * craft_part_cut keeps only that part of what begins at `at`, and says whether more follows.
 */
struct craft_part {
    bool given;
    uint32_t from;
    uint32_t to;
};
struct craft_part craft_part_arg(struct craft *c);
bool craft_part_cut(struct craft *c, const struct craft_part *part, size_t at);

/* `keep=N`: how much of the packet behind an error is quoted; all of it by default. */
size_t craft_keep_arg(struct craft *c);
void craft_keep(struct craft *c, size_t keep, size_t at);

extern const struct craft_name craft_protos[];

void craft_eth(struct craft *c);
void craft_vlan(struct craft *c);
void craft_snap(struct craft *c);
void craft_arp(struct craft *c);
void craft_ip4(struct craft *c);
void craft_ip6(struct craft *c);
void craft_hopopts(struct craft *c);
void craft_dstopts(struct craft *c);
void craft_routing(struct craft *c);
void craft_frag(struct craft *c);
void craft_icmp4(struct craft *c);
void craft_icmp6(struct craft *c);
void craft_igmp(struct craft *c);
void craft_udp(struct craft *c);
void craft_tcp(struct craft *c);
void craft_dns(struct craft *c);
void craft_dhcp(struct craft *c);
void craft_vxlan(struct craft *c);
void craft_text(struct craft *c);
void craft_hex_bytes(struct craft *c);
void craft_zeros(struct craft *c);
void craft_fill(struct craft *c);

/* The messages behind the first four bytes of ICMPv6: false when the type is none of theirs. */
bool craft_nd_message(struct craft *c, uint8_t type);
bool craft_mld_message(struct craft *c, uint8_t type, bool query2);

#endif
