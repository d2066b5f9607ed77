/* examples/server.c and examples/client.c as two threads of one program, over the loopback of one stack. */
#include <pthread.h>
#include <stddef.h>
#include <time.h>

int server_main(void);
int client_main(int argc, char **argv);

static void *serve(void *result)
{
    *(int *)result = server_main();
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t server;
    int served = 1;
    if (pthread_create(&server, NULL, serve, &served) != 0)
        return 1;
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);  /* the server is started first */
    int asked = client_main(argc, argv);
    pthread_join(server, NULL);
    return served || asked;
}
