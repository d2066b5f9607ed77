/*
 * Says Hello Client to whoever connects to port 42181, and then disconnects. The system's sockets, or
 * with -DORIEL those of a stack in this process: ORIEL_LINK names its link, ORIEL_CAPTURE a file for
 * what passes there.
 *
 *     cc -DORIEL server.c $(pkg-config --cflags --libs oriel-posix) -o server
 *     ORIEL_LINK=udp:127.0.0.1:4001,peer=127.0.0.1:4000,addr=10.0.2.1/16 ./server
 */
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef ORIEL
#define ORIEL_POSIX_NAMES
#include <oriel/posix.h>
#endif

int main(void)
{
    const struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(42181)};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (const struct sockaddr *)&here, sizeof here) != 0 ||
        listen(listener, 1) != 0) {
        perror("server");
        return 1;
    }
    puts("the server listens on port 42181");
    fflush(stdout);
    int client = accept(listener, NULL, NULL);
    if (client < 0 || write(client, "Hello Client", 12) != 12) {
        perror("server");
        return 1;
    }
    poll(NULL, 0, 300);                 /* the bytes and the end apart, so that each can be watched */
    return close(client) != 0 || close(listener) != 0;
}
