/*
 * What a verb says: data on standard output, everything else on standard error.
 *
 * Writing never fails in the face of the caller: after the first error everything is thrown away,
 * out_ok turns false (a long verb then stops) and out_finish reports. A reader that had enough
 * (EPIPE) is no error.
 */
#ifndef ORIEL_CLI_OUT_H
#define ORIEL_CLI_OUT_H

#include "base/sink.h"
#include "base/text.h"

#if defined(__GNUC__)
#define OUT_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define OUT_PRINTF(text, first)
#endif

/* Once, at the start of the program. */
void out_start(void);
void out_restore_signals(void);     /* as they were before: for a program that is started */

void out_put(struct span bytes);
void out_str(const char *text);
OUT_PRINTF(1, 2) void out_f(const char *format, ...);
void out_txt(const struct txt *t);
struct sink out_sink(void);
void out_flush(void);       /* what was said so far is seen: before waiting, before an error */

bool out_ok(void);

/* Flush; the exit status of the program, given what the verb wanted. */
int out_finish(int status);

/* "oriel VERB: text" and a line break, on standard error. Control characters are not passed on. */
OUT_PRINTF(2, 3) void out_error(const char *verb, const char *format, ...);

/* A line on standard error, as it is. */
OUT_PRINTF(1, 2) void out_note(const char *format, ...);

#endif
