/* What errors mean in words, and what happens when an assertion of ours fails. */
#include "base/compiler.h"

const char *oriel_strerror(int err)
{
    if (err > 0)
        err = ORIEL_OK;     /* a positive result is a success that carries a number */
    switch ((enum oriel_err)err) {
    case ORIEL_OK:            return "success";
    case ORIEL_EINVAL:        return "an argument makes no sense";
    case ORIEL_EAGAIN:        return "nothing to read or no room to write; try when ready";
    case ORIEL_ENOBUFS:       return "a pool or table is full; try later";
    case ORIEL_EBADF:         return "no such handle";
    case ORIEL_EADDRINUSE:    return "the address and port are in use";
    case ORIEL_EADDRNOTAVAIL: return "the address is not one of ours";
    case ORIEL_ENETUNREACH:   return "no route to the network";
    case ORIEL_EHOSTUNREACH:  return "the host cannot be reached";
    case ORIEL_ECONNREFUSED:  return "the port is unreachable or the connection was refused";
    case ORIEL_EMSGSIZE:      return "larger than the path or the protocol takes";
    case ORIEL_ENOTCONN:      return "not connected";
    case ORIEL_EISCONN:       return "already connected";
    case ORIEL_EACCES:        return "broadcast without permission";
    case ORIEL_ENOPROTOOPT:   return "no such option";
    case ORIEL_EOPNOTSUPP:    return "the operation is not supported here";
    case ORIEL_EEXIST:        return "it exists already";
    case ORIEL_ENOENT:        return "there is no such thing";
    case ORIEL_ENETDOWN:      return "the interface is down";
    case ORIEL_ETIMEDOUT:     return "the other side did not answer in time";
    case ORIEL_EPROTO:        return "the other side reported an error in what we sent";
    case ORIEL_EAFNOSUPPORT:  return "the address family is not supported here";
    case ORIEL_ECONNRESET:    return "the peer aborted the connection";
    case ORIEL_EPIPE:         return "nothing more can be sent on this connection";
    case ORIEL_EINPROGRESS:   return "a connection is being made";
    case ORIEL_ECONNABORTED:  return "the connection ended before it was accepted";
    }
    return "an error without a name";
}

ORIEL_WEAK _Noreturn void oriel_assert_failed(const char *file, int line, const char *what)
{
    (void)file;
    (void)line;
    (void)what;
    ORIEL_TRAP();
}
