/*
 * What a frame says, short enough for an arrow: "UDP 40000 > 7 Len=32", "SYN,ACK Seq=0 Ack=1
 * Win=65535", "PSH,ACK Seq=1 Ack=1 Len=12", "#1 ACK Seq=1 Ack=13 SACK=25-37 Win=501".
 *
 * TCP's labels leave out the ports, which every arrow of a connection shares; the second and later
 * connections of a place have their number in front. Whoever looks at a table of conversations gets
 * relative numbers.
 */
#ifndef ORIEL_LENS_LABEL_H
#define ORIEL_LENS_LABEL_H

#include "lens/dissect.h"

void label_print(struct txt *t, const struct dissection *d);

#endif
