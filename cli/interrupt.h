/*
 * Ctrl-C for verbs that wait: the first one makes a descriptor readable, so that the verb ends what it does and
 * says what it knows; a second one ends the program.
 */
#ifndef ORIEL_CLI_INTERRUPT_H
#define ORIEL_CLI_INTERRUPT_H

/* The descriptor, which SIGINT and SIGTERM make readable; SIGPIPE is ignored. A negative errno. One at a time. */
int interrupt_open(void);
void interrupt_close(int fd);       /* the signals do again what they did; a negative fd is none */

#endif
