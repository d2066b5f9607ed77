/*
 * What passes on a PPP line, as a capture: frames with LCP and its like, which a capture of the stack's
 * link does not have. Both ways are decoded again from the bytes, so that it shows what was on the line.
 *
 *     struct serial_frames *f = serial_frames_open("line.pcapng", "ttyS0", error);
 *     serial_frames_see(f, true, bytes, n);           f may be NULL
 *     serial_frames_close(f);
 */
#ifndef ORIEL_HOST_SERIAL_FRAMES_H
#define ORIEL_HOST_SERIAL_FRAMES_H

#include "host/drv.h"

struct serial_frames;

/* NULL: a sentence in `error`. */
struct serial_frames *serial_frames_open(const char *path, const char *name, char error[DRV_ERROR_MAX]);
void serial_frames_close(struct serial_frames *f);
void serial_frames_see(struct serial_frames *f, bool out, const void *bytes, size_t n);

#endif
