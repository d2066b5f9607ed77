/*
 * Connects to port 42181 of the address given, and prints what is said until the server disconnects.
 * The system's sockets, or with -DORIEL those of a stack in this process: see server.c.
 *
 *     ORIEL_LINK=udp:127.0.0.1:4000,peer=127.0.0.1:4001,addr=10.0.1.1/16 ./client 10.0.2.1
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef ORIEL
#define ORIEL_POSIX_NAMES
#include <oriel/posix.h>
#endif

int main(int argc, char **argv)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(42181)};
    char text[100];
    ssize_t n;
    if (inet_pton(AF_INET, argc > 1 ? argv[1] : "127.0.0.1", &server.sin_addr) != 1) {
        fprintf(stderr, "client: %s is not an IPv4 address\n", argv[1]);
        return 2;
    }
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&server, sizeof server) != 0) {
        perror("client");
        return 1;
    }
    while ((n = read(fd, text, sizeof text)) > 0)
        fwrite(text, 1, (size_t)n, stdout);
    puts("");
    poll(NULL, 0, 300);                 /* the answer to the server's end and our own end apart */
    return n < 0 || close(fd) != 0;
}
