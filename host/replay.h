/*
 * Recordings: everything that went into a stack, so that it can be done again, bit for bit.
 *
 *     struct recorder *r = recorder_open(path, &error);       of the next stack this thread makes
 *     ... oriel_create and all that follows ...
 *     recorder_close(r);
 *
 *     struct replay_result got;
 *     bool same = replay(bytes, &watch, &got);                the same calls; are the answers the same?
 *
 * The layer lies at the surface (oriel.h): the linker puts it between the callers and the stack
 * (--wrap, host/replay.wrap), so neither knows of it, and a program in which nothing is recorded pays a
 * test of one pointer a call. A call is written down before it is made and what it answered after: a
 * program that dies in a call leaves a file whose last call has no answer. The file is mapped; nothing
 * is lost with the process.
 *
 * A recording holds the frames that came in whole, of those that were taken and of bytes that were read
 * length and sum, and secrets: the stack's seed. It can be replayed by the build that made it. What
 * depends on memory beyond the stack's own budget (packets that others hold) is not in it: where that
 * ran out, the replay may say that an answer differs.
 */
#ifndef ORIEL_HOST_REPLAY_H
#define ORIEL_HOST_REPLAY_H

#include "base/bytes.h"
#include "oriel/oriel.h"

#define REPLAY_TEXT_MAX 256

enum replay_call {
    REPLAY_END,
#define CALL(name, function) REPLAY_##name,
#include "host/replay.def"
#undef CALL
    REPLAY_CALLS
};

/* "oriel_send" */
const char *replay_call_name(enum replay_call c);

/* ---- recording ---- */

struct recorder;

/* NULL: a sentence in `error`. */
struct recorder *recorder_open(const char *path, char error[REPLAY_TEXT_MAX]);

/* Of the stack and the file; may be NULL. False: something did not reach the file. */
bool recorder_close(struct recorder *r);

/* ---- replaying ---- */

struct replay_watch {           /* what passes, for captures; may be NULL */
    void (*on_frame)(void *ctx, oriel_time now, int netif, bool out, const struct pkt *p);
    void (*on_netif)(void *ctx, int netif, const struct oriel_netif_config *c);
    void *ctx;
};

struct replay_result {
    uint64_t calls;             /* made again, all kinds */
    uint64_t steps, frames_in, frames_out;
    oriel_time began, ended;    /* of the stack's clock */
    bool whole;                 /* the recording ends where the stack did, or was closed */
    bool died;                  /* ... or in the middle of its last call */
    char what[REPLAY_TEXT_MAX]; /* on failure: which call differs how, or what is wrong with the file */
};

/* True: every answer was the same. */
bool replay(struct span file, const struct replay_watch *watch, struct replay_result *out);

/* ---- the file, for both ---- */

#define REPLAY_MAGIC  "oriel recording 1 " ORIEL_VERSION "\n"
#define REPLAY_DONE   0xa5u         /* before the answer of a call */
#define REPLAY_FRAME  66000u        /* bytes of a frame, or super-segment */
#define REPLAY_NOTHING UINT64_MAX   /* in the place of a pointer that was NULL */

/* FNV-1a: to see that bytes are the same, not to keep anybody from changing them. */
static inline uint64_t replay_sum(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return h;
}

#endif
