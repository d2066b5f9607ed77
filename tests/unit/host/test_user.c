#define _GNU_SOURCE
#include "test.h"

#include "base/clock.h"
#include "host/user.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* A socket of the host that listens on loopback. */
static int listener(uint16_t *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(s >= 0);
    EXPECT_EQ(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
    EXPECT_EQ(listen(s, 4), 0);
    EXPECT_EQ(getsockname(s, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return s;
}

/* The gateway's end of the one connection that is established. */
static bool established(struct oriel_stack *s, struct oriel_tcp_info *info)
{
    struct oriel_socket_info i;
    for (uint32_t at = 0; oriel_socket_each(s, &at, &i);)
        if (strcmp(i.kind, "tcp") == 0 && i.state == ORIEL_TCP_ESTABLISHED)
            return oriel_tcp_info(s, i.handle, info) == 0;
    return false;
}

TEST("what the gateway sends to the node is under the congestion control that was asked for")
{
    char error[DRV_ERROR_MAX];
    struct oriel_config c;
    struct user_link u;
    struct oriel_tcp_info info = {0};
    struct oriel_endpoint to;
    oriel_handle h;
    const struct user_config cfg = {.congestion = "newreno"};
    int s = listener(&to.port);
    struct live *v = live_open(&(struct live_config){.seed = 1, .quiet = true}, error);
    EXPECT(v != NULL);
    oriel_config_init(&c);
    struct node *me = world_add_node(live_world(v), NODE_HOST, span_str("app"), &c, 64u << 20);
    EXPECT(me != NULL);
    EXPECT(user_open(&u, v, me, &(struct wire_params){.direct = true}, &cfg, error));
    to.addr = u.gateways[0];
    EXPECT_EQ(oriel_tcp_open(me->stack, ORIEL_DUAL, &h), 0);
    EXPECT_EQ(oriel_connect(me->stack, h, &to), 0);
    live_poke(v, me);
    oriel_time give_up = host_now() + 10 * NS_PER_S;
    while (!established(u.node->stack, &info) && host_now() < give_up)
        EXPECT_EQ(live_turn(v, live_now(v) + 10 * NS_PER_MS), 0);
    EXPECT_STR(info.congestion, "newreno");
    gateway_close(u.gateway);
    live_close(v);
    close(s);
}
