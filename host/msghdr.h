/*
 * Messages in the system's layout, and transfers of lab/posix.h: pieces, addresses, control messages.
 */
#ifndef ORIEL_HOST_MSGHDR_H
#define ORIEL_HOST_MSGHDR_H

#include "lab/posix.h"

#include <sys/socket.h>
#include <sys/uio.h>

#define IOV_TOTAL_MAX ((size_t)64 << 20)

/* Bytes of all pieces; more than IOV_TOTAL_MAX where there are more. */
size_t iov_total(const struct iovec *iov, size_t count);
void iov_gather(uint8_t *to, const struct iovec *iov, size_t count);
void iov_scatter(const uint8_t *from, size_t n, const struct iovec *iov, size_t count);

/* *len: room, then the length that it has, as accept and its kin have it. Both may be NULL. */
void sockaddr_give(const struct oriel_endpoint *e, bool v6, struct sockaddr *addr, socklen_t *len);

/*
 * What a receiving transfer tells, into a message whose pieces and name are filled already. file: as it
 * was when the transfer was made (its cmsg, v6 and kind).
 */
void msghdr_give(struct msghdr *m, const struct px_io *io, const struct px_file *file);

/* The control messages of one to be sent: tos and ttl. */
void msghdr_take(const struct msghdr *m, struct px_io *io);

#endif
