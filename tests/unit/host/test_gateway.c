/* The gateway beside its connections outward: datagrams, names, ping, published ports, no descriptors. */
#include "fx_gateway.h"

#include "wire/dns.h"

#include <sys/resource.h>

#define MEMORY ((size_t)32 << 20)

#define NEEDS_NET()                                                                                \
    if (!fx_own_net())                                                                             \
        skip()

static struct fx *usual(void)
{
    return fx_open(&(struct gateway_config){FX_USUAL}, MEMORY, 256);
}

/* A datagram at a socket of the host; who sent it. */
static struct sockaddr_in heard(struct fx *f, int fd, const char *text)
{
    struct sockaddr_in from = {0};
    char data[64] = "";
    socklen_t len = sizeof(from);
    ssize_t n = 0;
    UNTIL(f, (n = recvfrom(fd, data, sizeof(data) - 1, 0, (struct sockaddr *)&from, &len)) >= 0);
    EXPECT_EQ(n, (ssize_t)strlen(text));
    EXPECT_MEM(data, text, strlen(text));
    return from;
}

static void answer(int fd, const struct sockaddr_in *to, const char *text)
{
    EXPECT_EQ(sendto(fd, text, strlen(text), 0, (const struct sockaddr *)to, sizeof(*to)),
              (ssize_t)strlen(text));
}

static int say(struct fx *f, oriel_handle h, const char *to, uint16_t port, const char *text)
{
    const struct oriel_msg m = {.peer = fx_at(to, port)};
    int n = oriel_send(f->guest->stack, h, text, strlen(text), &m);
    live_poke(f->v, f->guest);
    return n;
}

/* A datagram at a socket of the guest, and whom it is from. */
static void expect_from(struct fx *f, oriel_handle h, const char *addr, uint16_t port, const char *text)
{
    struct oriel_msg m = {0};
    struct oriel_addr a = fx_addr(addr);
    char data[64] = "";
    int n = 0;
    UNTIL(f, (n = oriel_recv(f->guest->stack, h, data, sizeof(data) - 1, &m)) >= 0);
    EXPECT_EQ(n, (int)strlen(text));
    EXPECT_MEM(data, text, strlen(text));
    EXPECT(addr_eq(&m.peer.addr, &a));
    EXPECT_EQ(m.peer.port, port);
}

/* ---- datagrams ---- */

TEST("datagrams of one endpoint of the guest come from one of the host, whomever they are for")
{
    NEEDS_NET();
    struct fx *f = usual();
    uint16_t pa = 0, pb = 0;
    int a = fx_host(SOCK_DGRAM, "127.0.0.1", &pa), b = fx_host(SOCK_DGRAM, FX_ALIAS, &pb);
    oriel_handle h = fx_udp(f, 5000, NULL, 0);
    EXPECT_EQ(say(f, h, "10.0.2.2", pa, "one"), 3);
    struct sockaddr_in from = heard(f, a, "one");
    EXPECT_EQ(say(f, h, FX_ALIAS, pb, "two"), 3);
    EXPECT_EQ(heard(f, b, "two").sin_port, from.sin_port);
    answer(a, &from, "from one");
    expect_from(f, h, "10.0.2.2", pa, "from one");
    from.sin_addr.s_addr = inet_addr(FX_ALIAS);
    answer(b, &from, "from two");
    expect_from(f, h, FX_ALIAS, pb, "from two");
    EXPECT_EQ(gateway_flows(f->g), 1);
    close(a);
    close(b);
    fx_close(f);
}

TEST("a datagram of IPv6 goes to the host's loopback and back")
{
    NEEDS_NET();
    struct fx *f = usual();
    uint16_t port = 0;
    int s = fx_host(SOCK_DGRAM, "::1", &port);
    oriel_handle h = fx_udp(f, 5000, NULL, 0);
    struct sockaddr_storage from;
    socklen_t len = sizeof(from);
    char data[8];
    EXPECT_EQ(say(f, h, "fd00::2", port, "six"), 3);
    UNTIL(f, recvfrom(s, data, sizeof(data), 0, (struct sockaddr *)&from, &len) == 3);
    EXPECT_EQ(sendto(s, "back", 4, 0, (struct sockaddr *)&from, len), 4);
    expect_from(f, h, "fd00::2", port, "back");
    close(s);
    fx_close(f);
}

TEST("a closed port of the host is a closed port for the guest, in both families")
{
    NEEDS_NET();
    struct fx *f = usual();
    uint16_t four = 0, six = 0;
    close(fx_host(SOCK_DGRAM, "127.0.0.1", &four));
    close(fx_host(SOCK_DGRAM, "::1", &six));
    oriel_handle h4 = fx_udp(f, 5000, "10.0.2.2", four), h6 = fx_udp(f, 5001, "fd00::2", six);
    char data[8];
    EXPECT_EQ(fx_send(f, h4, "x", 1), 1);
    UNTIL(f, oriel_recv(f->guest->stack, h4, data, sizeof(data), NULL) == ORIEL_ECONNREFUSED);
    EXPECT_EQ(fx_send(f, h6, "x", 1), 1);
    UNTIL(f, oriel_recv(f->guest->stack, h6, data, sizeof(data), NULL) == ORIEL_ECONNREFUSED);
    EXPECT_EQ(fx_send(f, h4, "y", 1), 1);       /* told again, and not to others */
    UNTIL(f, oriel_recv(f->guest->stack, h4, data, sizeof(data), NULL) == ORIEL_ECONNREFUSED);
    fx_close(f);
}

TEST("an endpoint that is not used any more gives its descriptor back, and begins anew")
{
    NEEDS_NET();
    struct fx *f = fx_open(&(struct gateway_config){FX_USUAL, .udp_life = 300 * NS_PER_MS}, MEMORY, 64);
    uint16_t port = 0;
    int s = fx_host(SOCK_DGRAM, "127.0.0.1", &port);
    oriel_handle h = fx_udp(f, 5000, NULL, 0);
    for (unsigned i = 0; i < 2; i++) {
        EXPECT_EQ(say(f, h, "10.0.2.2", port, "x"), 1);
        (void)heard(f, s, "x");
        EXPECT_EQ(gateway_flows(f->g), 1);
        UNTIL(f, gateway_flows(f->g) == 0);
    }
    EXPECT_EQ(f->begun, 2);
    close(s);
    fx_close(f);
}

TEST("when all flows are taken the datagrams that waited longest give way")
{
    NEEDS_NET();
    struct fx *f = fx_open(&(struct gateway_config){FX_USUAL, .flows = 4}, MEMORY, 64);
    uint16_t port = 0;
    int s = fx_host(SOCK_DGRAM, "127.0.0.1", &port);
    for (uint16_t i = 0; i < 12; i++) {
        oriel_handle h = fx_udp(f, (uint16_t)(5000 + i), NULL, 0);
        EXPECT_EQ(say(f, h, "10.0.2.2", port, "x"), 1);
        (void)heard(f, s, "x");
        EXPECT(gateway_flows(f->g) <= 4);
    }
    EXPECT(f->begun == 12 && f->ended == 8);
    close(s);
    fx_close(f);
}

TEST("a datagram as large as they get goes both ways whole")
{
    NEEDS_NET();
    enum { N = 60000 };
    struct fx *f = usual();
    uint16_t port = 0;
    int s = fx_host(SOCK_DGRAM, "127.0.0.1", &port);
    oriel_handle h = fx_udp(f, 5000, "10.0.2.2", port);
    uint8_t *data = malloc(N), *back = malloc(N);
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    fx_fill(data, N, 3, 0);
    EXPECT_EQ(fx_send(f, h, data, N), N);
    UNTIL(f, recvfrom(s, back, N, 0, (struct sockaddr *)&from, &len) == N);
    EXPECT_MEM(back, data, N);
    EXPECT_EQ(sendto(s, data, N, 0, (struct sockaddr *)&from, len), N);
    memset(back, 0, N);
    UNTIL(f, fx_recv(f, h, back, N) == N);
    EXPECT_MEM(back, data, N);
    free(data);
    free(back);
    close(s);
    fx_close(f);
}

/* ---- names ---- */


struct message {
    uint8_t b[600];
    size_t n;
};

/* "www.example" of that type; as an answer with one record of it, whose data is that number. */
static struct message message(uint16_t id, uint16_t type, bool response, uint32_t data)
{
    struct message m;
    struct wr w = wr_of(m.b, sizeof(m.b));
    struct dns_hdr h = {.id = id, .is_response = response, .rd = true, .ra = response, .questions_n = 1,
                        .answers_n = response};
    struct dns_question q = {.qtype = type, .qclass = DNS_IN};
    EXPECT(dns_name_of(span_str("www.example"), &q.name));
    dns_emit(&w, &h);
    dns_question_emit(&w, &q);
    if (response) {
        wr_u16(&w, 0xc00c);             /* the name behind the header */
        wr_u16(&w, type);
        wr_u16(&w, DNS_IN);
        wr_u32(&w, 60);
        wr_u16(&w, 4);
        wr_u32(&w, data);
    }
    EXPECT(!w.bad);
    m.n = wr_len(&w);
    return m;
}

static void ask(struct fx *f, oriel_handle h, uint16_t id, uint16_t type)
{
    struct message m = message(id, type, false, 0);
    EXPECT_EQ(fx_send(f, h, m.b, m.n), (int)m.n);
}

/* The question reached that server, under what id, and who is told the answer. */
static uint16_t reached(struct fx *f, int fd, uint16_t type, struct sockaddr_in *from)
{
    uint8_t got[600];
    socklen_t len = sizeof(*from);
    ssize_t n = 0;
    UNTIL(f, (n = recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)from, &len)) >= 0);
    struct rd r = rd_of(span_of(got, (size_t)n));
    uint16_t id = rd_u16(&r);
    struct message m = message(id, type, false, 0);
    EXPECT_EQ(n, (ssize_t)m.n);
    EXPECT_MEM(got, m.b, m.n);
    return id;
}

static void say_answer(int fd, const struct sockaddr_in *to, uint16_t id, uint16_t type, uint32_t data)
{
    struct message m = message(id, type, true, data);
    EXPECT_EQ(sendto(fd, m.b, m.n, 0, (const struct sockaddr *)to, sizeof(*to)), (ssize_t)m.n);
}

static void told(struct fx *f, oriel_handle h, uint16_t id, uint16_t type, uint32_t data)
{
    struct message m = message(id, type, true, data);
    uint8_t got[600];
    int n = 0;
    UNTIL(f, (n = fx_recv(f, h, got, sizeof(got))) >= 0);
    EXPECT_EQ(n, (int)m.n);
    uint8_t *ttl = &m.b[m.n - 7];               /* the last byte of it; what is left, from the cache */
    EXPECT(got[m.n - 7] > 50 && got[m.n - 7] <= *ttl);
    *ttl = got[m.n - 7];
    EXPECT_MEM(got, m.b, m.n);
}

TEST("questions go to a name server of the host, and to the next where one does not answer")
{
    NEEDS_NET();
    uint16_t deaf_port = 0, port = 0;
    int deaf = fx_host(SOCK_DGRAM, "127.0.0.1", &deaf_port), s = fx_host(SOCK_DGRAM, "127.0.0.1", &port);
    struct fx *f = fx_open(&(struct gateway_config){FX_USUAL, .name_servers_n = 2, .name_servers = {
                               fx_at("127.0.0.1", deaf_port), fx_at("127.0.0.1", port)}}, MEMORY, 64);
    oriel_handle h = fx_udp(f, 5000, "10.0.2.3", 53);
    struct sockaddr_in from, again;
    ask(f, h, 7, DNS_A);
    (void)reached(f, deaf, DNS_A, &from);
    uint16_t id = reached(f, s, DNS_A, &from);
    say_answer(s, &from, (uint16_t)(id + 1), DNS_A, 1);         /* not to that question */
    say_answer(s, &from, id, DNS_A, 2);
    told(f, h, 7, DNS_A, 2);
    ask(f, h, 8, DNS_TXT);                      /* and stays with who answers, from another port */
    uint16_t other = reached(f, s, DNS_TXT, &again);
    EXPECT(other != id && again.sin_port != from.sin_port);
    say_answer(s, &again, other, DNS_TXT, 0x03414243);
    told(f, h, 8, DNS_TXT, 0x03414243);
    ask(f, h, 9, DNS_A);                        /* known */
    told(f, h, 9, DNS_A, 2);
    EXPECT_EQ(gateway_flows(f->g), 0);
    close(deaf);
    close(s);
    fx_close(f);
}

TEST("a name server whose port is closed gives way at once, and IPv6 asks the same ones")
{
    NEEDS_NET();
    uint16_t closed_port = 0, port = 0;
    int s = fx_host(SOCK_DGRAM, "127.0.0.1", &port);
    close(fx_host(SOCK_DGRAM, "127.0.0.1", &closed_port));
    struct fx *f = fx_open(&(struct gateway_config){FX_USUAL, .name_servers_n = 2, .name_servers = {
                               fx_at("127.0.0.1", closed_port), fx_at("127.0.0.1", port)}}, MEMORY, 64);
    oriel_handle h = fx_udp(f, 5000, "fd00::3", 53);
    struct sockaddr_in from;
    ask(f, h, 7, DNS_A);
    say_answer(s, &from, reached(f, s, DNS_A, &from), DNS_A, 3);
    told(f, h, 7, DNS_A, 3);
    close(s);
    fx_close(f);
}

TEST("where every name server's port is closed the question fails at once")
{
    NEEDS_NET();
    uint16_t port = 0;
    close(fx_host(SOCK_DGRAM, "127.0.0.1", &port));
    struct fx *f = fx_open(&(struct gateway_config){FX_USUAL, .name_servers_n = 1,
                               .name_servers = {fx_at("127.0.0.1", port)}}, MEMORY, 64);
    oriel_handle h = fx_udp(f, 5000, "10.0.2.3", 53);
    uint8_t got[600];
    int n = 0;
    oriel_time began = host_now();
    ask(f, h, 7, DNS_A);
    UNTIL(f, (n = fx_recv(f, h, got, sizeof(got))) >= 0);
    struct rd r = rd_of(span_of(got, (size_t)n));
    struct dns_hdr d;
    EXPECT(dns_parse(&r, &d) && d.id == 7 && d.rcode == DNS_SERVFAIL);
    EXPECT(host_now() - began < NS_PER_S);
    fx_close(f);
}

TEST("a question over TCP goes to the name server over TCP, and its answer comes back so")
{
    NEEDS_NET();
    uint16_t port = 0;
    int l = fx_host(SOCK_STREAM, "127.0.0.1", &port), n = 0;
    struct fx *f = fx_open(&(struct gateway_config){FX_USUAL, .name_servers_n = 1,
                               .name_servers = {fx_at("127.0.0.1", port)}}, MEMORY, 64);
    oriel_handle h = fx_connect(f, "10.0.2.3", 53);
    struct message m = message(7, DNS_A, false, 0);
    const uint8_t length[2] = {0, (uint8_t)m.n};
    uint8_t got[600] = {0};
    UNTIL(f, fx_ready(f, h) & ORIEL_WRITABLE);
    EXPECT_EQ(fx_send(f, h, length, 2), 2);
    EXPECT_EQ(fx_send(f, h, m.b, m.n), (int)m.n);
    int fd = fx_accept(f, l);
    UNTIL(f, recv(fd, got, sizeof(got), MSG_PEEK) == (ssize_t)m.n + 2);
    EXPECT_EQ(recv(fd, got, sizeof(got), 0), (ssize_t)m.n + 2);
    EXPECT_MEM(got + 4, m.b + 2, m.n - 2);
    struct message a = message((uint16_t)(got[2] << 8 | got[3]), DNS_A, true, 4);
    const uint8_t back[2] = {0, (uint8_t)a.n};
    EXPECT_EQ(send(fd, back, 2, 0), 2);         /* in pieces */
    EXPECT_EQ(send(fd, a.b, 20, 0), 20);
    fx_turn(f);
    EXPECT_EQ(send(fd, a.b + 20, a.n - 20, 0), (ssize_t)(a.n - 20));
    UNTIL(f, (n = fx_recv(f, h, got, sizeof(got))) >= 0);
    a = message(7, DNS_A, true, 4);
    EXPECT_EQ(n, (int)a.n + 2);
    EXPECT_MEM(got + 2, a.b, a.n);
    close(fd);
    close(l);
    fx_close(f);
}

TEST("a name server that hangs up on a stream gives way; who closes meanwhile leaves nothing")
{
    NEEDS_NET();
    uint16_t first = 0, second = 0;
    int a = fx_host(SOCK_STREAM, "127.0.0.1", &first), b = fx_host(SOCK_STREAM, "127.0.0.1", &second);
    struct fx *f = fx_open(&(struct gateway_config){FX_USUAL, .name_servers_n = 2, .name_servers = {
                               fx_at("127.0.0.1", first), fx_at("127.0.0.1", second)}}, MEMORY, 64);
    oriel_handle h = fx_connect(f, "10.0.2.3", 53), u = fx_udp(f, 5000, "10.0.2.3", 53);
    struct message m = message(7, DNS_A, false, 0);
    const uint8_t length[2] = {0, (uint8_t)m.n};
    UNTIL(f, fx_ready(f, h) & ORIEL_WRITABLE);
    EXPECT_EQ(fx_send(f, h, length, 2), 2);
    EXPECT_EQ(fx_send(f, h, m.b, m.n), (int)m.n);
    close(fx_accept(f, a));
    int fd = fx_accept(f, b);
    ask(f, u, 8, DNS_A);
    fx_turn(f);
    fx_close(f);
    close(fd);
    close(a);
    close(b);
}

/* ---- ping ---- */

static const uint8_t echo[12] = {8, 0, 0, 0, 0x12, 0x34, 0, 7, 'p', 'i', 'n', 'g'};

static oriel_handle ping(struct fx *f, const char *to, const uint8_t message[12])
{
    oriel_handle h;
    const struct oriel_msg m = {.peer = {.addr = fx_addr(to)}};
    bool v4 = strchr(to, ':') == NULL;
    EXPECT_EQ(oriel_icmp_open(f->guest->stack, v4 ? ORIEL_IP4 : ORIEL_IP6, &h), 0);
    EXPECT_EQ(oriel_send(f->guest->stack, h, message, 12, &m), 12);
    live_poke(f->v, f->guest);
    return h;
}

TEST("where the host allows no ping sockets the guest is told so, and the gateway says why")
{
    NEEDS_NET();
    if (!fx_put("/proc/sys/net/ipv4/ping_group_range", "1 0"))
        skip();
    struct fx *f = usual();
    uint8_t got[64];
    EXPECT(gateway_note(f->g) && strstr(gateway_note(f->g), "ping_group_range"));
    oriel_handle h = ping(f, FX_ALIAS, echo);
    UNTIL(f, oriel_recv(f->guest->stack, h, got, sizeof(got), NULL) > 0);
    EXPECT(got[0] == 3 && got[1] == 13);        /* prohibited */
    h = ping(f, "10.0.2.2", echo);              /* itself it answers */
    UNTIL(f, oriel_recv(f->guest->stack, h, got, sizeof(got), NULL) == 12);
    EXPECT_EQ(got[0], 0);
    fx_close(f);
}

TEST("a ping goes through the host's ping sockets and comes back with the guest's identifier")
{
    NEEDS_NET();
    if (!fx_put("/proc/sys/net/ipv4/ping_group_range", "0 0"))
        skip();
    struct fx *f = usual();
    struct oriel_addr alias = fx_addr(FX_ALIAS);
    struct oriel_msg m = {0};
    uint8_t got[64];
    EXPECT(gateway_note(f->g) == NULL);
    oriel_handle h = ping(f, FX_ALIAS, echo);
    UNTIL(f, oriel_recv(f->guest->stack, h, got, sizeof(got), &m) == 12);
    EXPECT(got[0] == 0 && addr_eq(&m.peer.addr, &alias));
    EXPECT_MEM(got + 4, echo + 4, 8);
    EXPECT(f->begun == 1 && strcmp(f->last.proto, "icmp") == 0);
    h = ping(f, "198.51.100.1", echo);
    UNTIL(f, oriel_recv(f->guest->stack, h, got, sizeof(got), NULL) > 0);
    EXPECT(got[0] == 3 && got[1] == 0);         /* no route */
    fx_close(f);
}

/* ---- published ports ---- */

/* A listener of the guest at port 80, and the gateway with a port of the host that leads there. */
static struct fx *publisher(struct gateway_publish p, oriel_handle *listener)
{
    struct fx *f = fx_open(&(struct gateway_config){FX_USUAL, .publish = {p}, .publish_n = 1},
                           MEMORY, 64);
    const struct oriel_endpoint at = {.port = 80};
    EXPECT_EQ(oriel_tcp_open(f->guest->stack, ORIEL_DUAL, listener), 0);
    EXPECT_EQ(oriel_bind(f->guest->stack, *listener, &at), 0);
    EXPECT_EQ(oriel_listen(f->guest->stack, *listener, NULL), 0);
    return f;
}

/* Whom the guest sees when somebody connects from there. */
static void expect_peer(struct fx *f, oriel_handle listener, const char *from, const char *to,
                        uint16_t port, const char *seen)
{
    struct oriel_endpoint peer = {0};
    struct oriel_addr want = fx_addr(seen);
    oriel_handle h;
    char data[8];
    int fd = fx_dial(from, to, port);
    UNTIL(f, oriel_accept(f->guest->stack, listener, &h, &peer) == 0);
    if (!addr_eq(&peer.addr, &want))
        fail_msg("not seen as %s", seen);
    EXPECT_EQ(send(fd, "hello", 5, 0), 5);
    UNTIL(f, fx_recv(f, h, data, sizeof(data)) == 5);
    EXPECT_EQ(fx_send(f, h, "HELLO", 5), 5);
    UNTIL(f, recv(fd, data, sizeof(data), 0) == 5);
    close(fd);
    fx_close_handle(f, h, false);
    UNTIL(f, gateway_flows(f->g) == 0);
}

TEST("a published port leads to the guest, which sees its peer, or the gateway where that means nothing")
{
    NEEDS_NET();
    oriel_handle l;
    struct fx *f = publisher((struct gateway_publish){.host.port = 8080, .guest = fx_at("10.0.2.15", 80)},
                             &l);
    expect_peer(f, l, FX_ALIAS, FX_ALIAS, 8080, FX_ALIAS);
    expect_peer(f, l, NULL, "127.0.0.1", 8080, "10.0.2.2");
    expect_peer(f, l, NULL, "::1", 8080, "10.0.2.2");
    fx_close(f);
}

TEST("a port of one address and of IPv6 is published alike")
{
    NEEDS_NET();
    oriel_handle l;
    struct fx *f = publisher((struct gateway_publish){.host = fx_at("::1", 8081),
                                                      .guest = fx_at("fd00::15", 80)}, &l);
    expect_peer(f, l, NULL, "::1", 8081, "fd00::2");
    fx_close(f);
}

TEST("a guest that refuses resets who connects to its published port")
{
    NEEDS_NET();
    oriel_handle l;
    struct fx *f = publisher((struct gateway_publish){.host.port = 8082, .guest = fx_at("10.0.2.15", 81)},
                             &l);
    char data[8];
    int fd = fx_dial(NULL, "127.0.0.1", 8082);
    UNTIL(f, recv(fd, data, sizeof(data), 0) < 0 && errno == ECONNRESET);
    EXPECT_EQ(gateway_flows(f->g), 0);
    close(fd);
    fx_close(f);
}

TEST("datagrams to a published port reach the guest, and its answers leave from there")
{
    NEEDS_NET();
    oriel_handle l;
    struct fx *f = publisher((struct gateway_publish){.host.port = 8083, .udp = true,
                                                      .guest = fx_at("10.0.2.15", 5353)}, &l);
    uint16_t port = 0;
    int a = fx_host(SOCK_DGRAM, FX_ALIAS, &port);
    oriel_handle h = fx_udp(f, 5353, NULL, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(8083),
                             .sin_addr.s_addr = inet_addr(FX_ALIAS)};
    answer(a, &to, "question");
    expect_from(f, h, FX_ALIAS, port, "question");
    EXPECT_EQ(say(f, h, FX_ALIAS, port, "answer"), 6);
    EXPECT_EQ(ntohs(heard(f, a, "answer").sin_port), 8083);
    close(a);
    uint16_t own = 0;
    int b = fx_host(SOCK_DGRAM, "127.0.0.1", &own);
    to.sin_addr.s_addr = inet_addr("127.0.0.1");
    answer(b, &to, "near");
    expect_from(f, h, "10.0.2.2", own, "near");
    EXPECT_EQ(say(f, h, "10.0.2.2", own, "here"), 4);
    EXPECT_EQ(ntohs(heard(f, b, "here").sin_port), 8083);
    close(b);
    EXPECT_EQ(gateway_flows(f->g), 0);
    fx_close(f);
}

TEST("a port that is taken cannot be published, and it is said which")
{
    NEEDS_NET();
    oriel_handle l;
    struct gateway_publish p = {.host.port = 8084, .guest = fx_at("10.0.2.15", 80)};
    struct fx *f = publisher(p, &l);
    char error[DRV_ERROR_MAX];
    EXPECT(gateway_open(f->v, f->guest, f->guest->ports[0].netif,
                        &(struct gateway_config){.publish = {p}, .publish_n = 1}, error) == NULL);
    EXPECT(strstr(error, "8084"));
    p = (struct gateway_publish){.udp = true, .host = fx_at("::1", 8085), .guest = fx_at("10.0.2.15", 80)};
    EXPECT(gateway_open(f->v, f->guest, f->guest->ports[0].netif,
                        &(struct gateway_config){.publish = {p}, .publish_n = 1}, error) == NULL);
    EXPECT(strstr(error, "family"));
    fx_close(f);
}

/* ---- descriptors ---- */

TEST("without descriptors both sides are refused with a reset, and afterwards all goes on")
{
    NEEDS_NET();
    oriel_handle l, h;
    struct fx *f = publisher((struct gateway_publish){.host.port = 8086, .guest = fx_at("10.0.2.15", 80)},
                             &l);
    struct rlimit was, none;
    uint16_t port = 0;
    char data[8];
    int s = fx_host(SOCK_STREAM, "127.0.0.1", &port), fd = fx_dial(NULL, "127.0.0.1", 8086);
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &was), 0);
    none = was;
    none.rlim_cur = (rlim_t)dup(0);             /* the lowest that is free */
    close((int)none.rlim_cur);
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    UNTIL(f, recv(fd, data, sizeof(data), 0) < 0 && errno != EAGAIN);
    EXPECT_EQ(errno, ECONNRESET);
    h = fx_connect(f, "10.0.2.2", port);
    UNTIL(f, fx_ready(f, h) & ORIEL_FAILED);
    EXPECT_EQ(fx_error(f, h), ORIEL_ECONNREFUSED);
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &was), 0);
    close(fd);
    expect_peer(f, l, NULL, "127.0.0.1", 8086, "10.0.2.2");
    close(s);
    fx_close(f);
}

TEST("the limit of descriptors is the program's: the gateway keeps to it and leaves it as it is")
{
    NEEDS_NET();
    struct rlimit was, few;
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &was), 0);
    few = was;
    few.rlim_cur = was.rlim_max < 300 ? was.rlim_max : 300;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    struct fx *f = fx_open(&(struct gateway_config){FX_USUAL}, MEMORY, 64);
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &few), 0);
    EXPECT_EQ(few.rlim_cur, was.rlim_max < 300 ? was.rlim_max : 300);
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &was), 0);
    fx_close(f);
}
