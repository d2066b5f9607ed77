#define _GNU_SOURCE
#include "test.h"

#include "base/clock.h"
#include "host/live.h"
#include "host/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

/* Both ends of what the child says and hears. */
struct talk {
    int up[2], down[2];
};

static struct netns_config config(const char *tun)
{
    struct netns_config c = {.tun = tun, .mtu = 1400, .addrs_n = 2, .gateways_n = 2, .dns_n = 1};
    EXPECT_EQ(oriel_prefix_parse("10.0.2.15/24", &c.addrs[0].addr, &c.addrs[0].prefix_len), 0);
    EXPECT_EQ(oriel_prefix_parse("fd00::15/64", &c.addrs[1].addr, &c.addrs[1].prefix_len), 0);
    EXPECT_EQ(oriel_addr_parse("10.0.2.2", &c.gateways[0]), 0);
    EXPECT_EQ(oriel_addr_parse("fd00::2", &c.gateways[1]), 0);
    EXPECT_EQ(oriel_addr_parse("10.0.2.3", &c.dns[0]), 0);
    return c;
}

static void send_fd(int to, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec iov = {.iov_base = &fd, .iov_len = sizeof(fd)};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd >= 0) {
        m.msg_control = control.bytes;
        m.msg_controllen = sizeof(control.bytes);
        *CMSG_FIRSTHDR(&m) = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
                                              .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof(fd));
    }
    if (sendmsg(to, &m, 0) < 0)
        _exit(90);
}

/* A descriptor, or the negative errno that the child had instead. */
static int take_fd(int from)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    int word = 0;
    struct iovec iov = {.iov_base = &word, .iov_len = sizeof(word)};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
                       .msg_controllen = sizeof(control.bytes)};
    EXPECT_EQ(recvmsg(from, &m, 0), sizeof(word));
    if (word >= 0)
        memcpy(&word, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(word));
    return word;
}

/* What a program would do in there: the kernel's sockets, through our device. */
static int echo_once(int family, const char *to)
{
    struct sockaddr_storage sa = {.ss_family = (sa_family_t)family};
    struct sockaddr_in *a4 = (void *)&sa;
    struct sockaddr_in6 *a6 = (void *)&sa;
    char got[5] = "";
    if (family == AF_INET) {
        a4->sin_port = htons(7);
        inet_pton(AF_INET, to, &a4->sin_addr);
    } else {
        a6->sin6_port = htons(7);
        inet_pton(AF_INET6, to, &a6->sin6_addr);
    }
    int s = socket(family, SOCK_STREAM, 0);
    if (connect(s, (struct sockaddr *)&sa, sizeof(sa)) != 0)
        return errno;
    if (write(s, "ping", 4) != 4 || read(s, got, 4) != 4 || memcmp(got, "ping", 4) != 0)
        return 92;
    close(s);
    return 0;
}

static bool resolver_is_ours(void)
{
    char text[64] = "";
    int fd = open("/etc/resolv.conf", O_RDONLY);
    if (fd < 0)
        return errno == ENOENT;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    return n > 0 && strcmp(text, "nameserver 10.0.2.3\n") == 0;
}

static void be_the_child(const struct netns_config *cfg, const struct talk *t, unsigned uid)
{
    char go;
    close(t->up[0]);
    close(t->down[1]);
    if (uid && (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0 ||
                prctl(PR_SET_DUMPABLE, 1) != 0))        /* as it is after exec */
        _exit(91);
    send_fd(t->up[1], netns_enter(cfg));
    if (read(t->down[0], &go, 1) != 1)
        _exit(93);
    int err = netns_settle(cfg);
    if (err)
        _exit(-err);
    if (geteuid() != uid || !resolver_is_ours())
        _exit(94);
    if (socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP) < 0)
        _exit(95);
    err = echo_once(AF_INET, "10.0.2.2");
    _exit(err ? err : echo_once(AF_INET6, "fd00::2"));
}

struct echo {
    struct oriel_stack *s;
    oriel_handle listener, conn;
};

static void echo_step(void *ctx)
{
    struct echo *e = ctx;
    char buf[64];
    int n;
    oriel_handle h;
    if (oriel_accept(e->s, e->listener, &h, NULL) == 0)
        e->conn = h;
    while (e->conn && (n = oriel_recv(e->s, e->conn, buf, sizeof(buf), NULL)) >= 0) {
        if (n == 0) {
            EXPECT_EQ(oriel_close(e->s, e->conn), 0);
            e->conn = 0;
        } else {
            EXPECT_EQ(oriel_send(e->s, e->conn, buf, (size_t)n, NULL), n);
        }
    }
}

/* Our end: a host at the gateway's addresses that echoes. */
static void serve(int fd, pid_t child, const struct talk *t, int *status)
{
    char error[DRV_ERROR_MAX], text[128];
    struct drv_spec spec;
    struct oriel_config oc;
    struct oriel_netif_config nc = {.name = "eth0", .no_dad = true};
    struct oriel_endpoint any = {.port = 7};
    (void)snprintf(text, sizeof(text), "tap:" NETNS_DEVICE ",fd=%d,mtu=1400,addr=10.0.2.2/24,addr=fd00::2/64", fd);
    EXPECT(drv_spec_parse(&spec, text, error));
    struct drv *d = drv_open(&spec, error);
    EXPECT(d != NULL);
    struct live *v = live_open(&(struct live_config){.seed = 1}, error);
    EXPECT(v != NULL);
    oriel_config_init(&oc);
    struct node *n = world_add_node(live_world(v), NODE_HOST, span_str("gw"), &oc, 16u << 20);
    EXPECT(n != NULL);
    int netif = live_door(v, d, n, &nc, &(struct wire_params){.direct = true}, error);
    EXPECT(netif > 0);
    EXPECT(live_addrs(v, n, netif, &spec, error));
    struct echo e = {.s = n->stack};
    EXPECT_EQ(oriel_tcp_open(n->stack, ORIEL_DUAL, &e.listener), 0);
    EXPECT_EQ(oriel_bind(n->stack, e.listener, &any), 0);
    EXPECT_EQ(oriel_listen(n->stack, e.listener, NULL), 0);
    live_app(v, n, echo_step, &e);
    EXPECT_EQ(write(t->down[1], "", 1), 1);
    oriel_time give_up = host_now() + 20 * NS_PER_S;
    while (waitpid(child, status, WNOHANG) == 0 && host_now() < give_up)
        EXPECT_EQ(live_turn(v, live_now(v) + 5 * NS_PER_MS), 0);
    if (host_now() >= give_up) {
        kill(child, SIGKILL);
        EXPECT_EQ(waitpid(child, status, 0), child);
    }
    live_close(v);
}

static void in_namespaces(const char *tun, unsigned uid)
{
    struct netns_config cfg = config(tun);
    struct talk t;
    int status = -1;
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, t.up), 0);
    EXPECT_EQ(pipe2(t.down, O_CLOEXEC), 0);
    pid_t child = fork();
    if (child == 0)
        be_the_child(&cfg, &t, uid);
    int fd = take_fd(t.up[0]);
    if (fd == -EPERM || fd == -ENOENT || fd == -ENODEV || fd == -ENOSPC) {
        print_message("# no namespaces or no device file for us here: %s\n", strerror(-fd));
        close(t.down[1]);
        EXPECT_EQ(waitpid(child, &status, 0), child);
        skip();
    }
    EXPECT(fd >= 0);
    serve(fd, child, &t, &status);
    EXPECT(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    close(t.up[0]);
    close(t.up[1]);
    close(t.down[0]);
    close(t.down[1]);
}

TEST("a program in namespaces of its own reaches us over both families, and its resolver is ours")
{
    in_namespaces(NULL, geteuid());
}

TEST("an ordinary user as well, with a device file that is his to open; and he stays who he is")
{
    char dir[] = "/tmp/oriel-netns-XXXXXX", path[64];
    if (geteuid() != 0)
        skip();                                 /* the test above was that one */
    EXPECT(mkdtemp(dir) != NULL);
    EXPECT_EQ(chmod(dir, 0755), 0);
    (void)snprintf(path, sizeof(path), "%s/tun", dir);
    if (mknod(path, S_IFCHR | 0666, makedev(10, 200)) != 0 || chmod(path, 0666) != 0) {
        rmdir(dir);
        skip();
    }
    in_namespaces(path, NOBODY);
    EXPECT_EQ(unlink(path), 0);
    EXPECT_EQ(rmdir(dir), 0);
}

TEST("what is missing is named, with the mode that does without")
{
    char error[DRV_ERROR_MAX];
    struct netns_config cfg = {.tun = "/nowhere/tun"};
    netns_explain(&cfg, -ENOENT, error);
    EXPECT(strstr(error, "/nowhere/tun") && strstr(error, "--mode=notify"));
    cfg.tun = "/dev/null";
    netns_explain(&cfg, -EPERM, error);
    EXPECT(strstr(error, "user namespace") && strstr(error, "--mode=notify"));
    netns_explain(&cfg, -EIO, error);
    EXPECT(strstr(error, strerror(EIO)) && strstr(error, "--mode=notify"));
}
