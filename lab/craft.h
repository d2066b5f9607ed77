/*
 * A line of text -> the bytes of a frame.
 *
 *     eth src=02:00:00:00:00:01 / ip src=10.0.0.1 dst=10.0.0.2 ttl=1 / udp 1000>2000 / "text"
 *     ip6 src=fe80::1 dst=fe80::2 / icmp6 echo id=1 seq=2 / fill 56 ; cut 40
 *
 * Layers stand from the outside in, separated by `/`. Every length, type, protocol number and
 * checksum is filled in from what follows, unless the layer says otherwise (csum=0x1234, len=3,
 * badcsum). Without an eth layer the frame starts at IP (link type raw). Modifiers after `;` work
 * on the finished bytes. lab/craft.c begins with the whole language.
 */
#ifndef ORIEL_LAB_CRAFT_H
#define ORIEL_LAB_CRAFT_H

#include "lens/conversation.h"
#include "lens/syntax.h"

#define CRAFT_LAYERS_MAX 16     /* layers on one line */
#define CRAFT_WORDS_MAX  128     /* words in one layer */
#define CRAFT_FRAME_MAX  66000  /* a buffer of this size is always enough */

/* Appends the frame to w. False: *err says why (err may be NULL), and w is as it was. */
bool craft(struct span text, struct wr *w, struct syntax_error *err);

/*
 * The same for whoever takes part in connections: numbers of TCP that begin with @ count from the
 * beginning of the connection between those addresses and ports as the table has seen it. NULL:
 * they count from 0.
 */
bool craft_talk(struct span text, const struct conversations *talks, struct wr *w,
                struct syntax_error *err);

/* Does the line start with an Ethernet header? */
bool craft_is_ethernet(struct span text);

#endif
