/*
 * The table of socket semantics: each check is a line "name: what happened" on standard output. The program
 * knows nothing of Oriel; it is run by the kernel's own stack and by `oriel run`, and the two
 * outputs are compared (tests/cli/test_run.sh). What differs stands in differences.txt with its reason.
 */
#ifndef ORIEL_TESTS_RUN_SEMANTICS_H
#define ORIEL_TESTS_RUN_SEMANTICS_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* One line. */
void check(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* "0", "3", or the name of errno when `result` is negative. */
const char *outcome(long result);
const char *error_name(int err);
const char *events_name(uint32_t events);       /* "IN|OUT|HUP" */

/* What poll says of a descriptor within ms; it is asked for everything. */
const char *polled(int fd, int ms);
void poll_until(int fd, short events, int ms);  /* returns when one of them is there */

struct sockaddr_in at4(uint16_t port);          /* 127.0.0.1 */
struct sockaddr_in6 at6(uint16_t port);         /* ::1 */
uint16_t port_of(int fd);                       /* that it is bound to */

int listener(int backlog);                      /* on 127.0.0.1, any port */
int listener6(void);
int try_connect(int fd, uint16_t port);         /* to 127.0.0.1; as connect */
struct pair {
    int client, server, listener;
};
struct pair connected(void);
void close_pair(struct pair *p);
uint16_t unused_port(void);                     /* nobody listens there */
long get_int(int fd, int level, int name);      /* the value, or -errno - 1000 */
const char *set_int(int fd, int level, int name, int value);    /* outcome and what is read back */
void nonblocking(int fd);

void checks_fresh(void);
void checks_connect(void);
void checks_accept(void);
void checks_data(void);
void checks_ends(void);
void checks_options(void);
void checks_process(const char *self);
void checks_udp(void);
void checks_udp_messages(void);
void checks_ip6(void);

/* `semantics inherited FD`: the far side of an exec. */
int be_inherited(int fd);

#endif
