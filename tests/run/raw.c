/*
 * A program that a shim of libc's functions would miss: static, by bare system calls.
 *     raw PORT        connects to 127.0.0.1, prints what it is told first; 0, or errno as exit status
 *     raw uring       is io_uring there? exit status 0: no
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SYS_IO_URING_SETUP 425

int main(int argc, char **argv)
{
    char buf[256];
    if (argc != 2)
        return 255;
    if (strcmp(argv[1], "uring") == 0)
        return syscall(SYS_IO_URING_SETUP, 1, NULL) == -1 && errno == ENOSYS ? 0 : 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    long fd = syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || syscall(SYS_connect, fd, &to, sizeof(to)) != 0)
        return errno;
    static const char ask[] = "GET / HTTP/1.0\r\n\r\n";
    if (syscall(SYS_write, fd, ask, sizeof(ask) - 1) < 0)
        return errno;
    for (long n; (n = syscall(SYS_read, fd, buf, sizeof(buf))) > 0;)
        if (syscall(SYS_write, 1, buf, n) != n)
            return 255;
    return 0;
}
