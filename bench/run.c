/*
 * `oriel run`: what a program gets through it, beside what other user-mode networks give (pasta, slirp4netns)
 * and beside the program without it, in the same run. Needs root, pasta and slirp4netns for --mode=ns; nginx
 * and curl for the default mode; build/oriel.
 *
 *     build/bench/run [ns] [conn] [get] [--strict]
 *
 *     run.ns.out.MTU, run.ns.in.MTU   Gbit/s from the program to a server on the host's loopback, and back
 *     run.ns.conn                     connections a second: connect, a byte each way, close
 *     run.get                         Gbit/s of curl from nginx on the host's loopback, default mode
 */
#include "bench/bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPS      5
#define GET_REPS  9
#define RUN_MS    600
#define GET_BYTES ((uint64_t)1 << 30)
#define BUFFER    (256 * 1024)

static char self[512], oriel[640], dir[] = "/tmp/oriel-bench-XXXXXX";
static uint8_t buffer[BUFFER];

/* ---- the server on the host's loopback: a byte says what it is to do ---- */

static void serve_bulk(int s, char what)
{
    uint64_t total = 0;
    ssize_t n;
    if (what == 'i')
        while (send(s, buffer, sizeof(buffer), MSG_NOSIGNAL) > 0) {
        }
    if (what == 'o') {
        while ((n = read(s, buffer, sizeof(buffer))) > 0)
            total += (uint64_t)n;
        (void)!write(s, &total, sizeof(total));
    }
    _exit(0);
}

/* Connections that come one after the other are served without a process each, which would cost the most. */
static void serve_one(int s)
{
    char what;
    if (read(s, &what, 1) != 1)
        return;
    while (what == 'c' && read(s, buffer, 1) == 1)
        (void)!write(s, buffer, 1);
    if (what != 'c' && fork() == 0)
        serve_bulk(s, what);
}

/* A listener on the loopback, at a port that the system chose. */
static int listener(uint16_t *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int one = 1, s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(s, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(s, 1024) != 0 ||
        getsockname(s, (struct sockaddr *)&a, &len) != 0)
        bench_skip("no socket on loopback");
    *port = ntohs(a.sin_port);
    return s;
}

static pid_t serve(uint16_t *port)
{
    int s = listener(port);
    pid_t pid = fork();
    if (pid != 0) {
        close(s);
        return pid;
    }
    signal(SIGCHLD, SIG_IGN);
    for (int c; (c = accept(s, NULL, NULL)) >= 0; close(c))
        serve_one(c);
    _exit(0);
}

/* ---- the program ---- */

static int reach(const struct sockaddr_in *a, char what)
{
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, (const struct sockaddr *)a, sizeof(*a)) != 0 || write(s, &what, 1) != 1) {
        perror("connect");
        exit(1);
    }
    return s;
}

static uint64_t receive_for(const struct sockaddr_in *a, double until)
{
    int s = reach(a, 'i');
    uint64_t total = 0;
    ssize_t n;
    while (bench_seconds() < until && (n = read(s, buffer, sizeof(buffer))) > 0)
        total += (uint64_t)n;
    close(s);
    return total;
}

static uint64_t send_for(const struct sockaddr_in *a, double until)
{
    int s = reach(a, 'o');
    uint64_t total = 0;
    while (bench_seconds() < until && write(s, buffer, sizeof(buffer)) > 0) {
    }
    shutdown(s, SHUT_WR);
    if (read(s, &total, sizeof(total)) != sizeof(total))
        total = 0;
    close(s);
    return total;
}

static uint64_t connect_for(const struct sockaddr_in *a, double until)
{
    uint64_t n = 0;
    char byte = 'x';
    for (; bench_seconds() < until; n++) {
        int s = reach(a, 'c');
        if (write(s, &byte, 1) != 1 || read(s, &byte, 1) != 1)
            exit(1);
        close(s);
    }
    return n;
}

/* client WHAT ADDRESS PORT: prints what it got a second. */
static int client(char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[4]))};
    inet_pton(AF_INET, argv[3], &a.sin_addr);
    double start = bench_seconds(), until = start + RUN_MS * 1e-3;
    char what = argv[2][0];
    uint64_t n = what == 'i' ? receive_for(&a, until) : what == 'o' ? send_for(&a, until) : connect_for(&a, until);
    double took = bench_seconds() - start;
    printf("%.6g\n", what == 'c' ? (double)n / took : (double)n * 8e-9 / took);
    return 0;
}

/* ---- who carries it ---- */

/* What a command prints last, as a number; 0: it failed. */
static double ask(const char *command)
{
    char line[256];
    double v = 0;
    FILE *p = popen(command, "r");
    while (p && fgets(line, sizeof(line), p))
        v = strtod(line, NULL);
    return p && pclose(p) == 0 ? v : 0;
}

enum carrier {
    ORIEL,
    PASTA,
    SLIRP,
    CARRIERS
};

static double carry(enum carrier by, char what, unsigned mtu, uint16_t port)
{
    static const char *const form[] = {
        [ORIEL] = "%1$s run -q --mode=ns --mtu %5$u -- %2$s client %3$c 10.0.2.2 %4$u",
        [PASTA] = "pasta --runas 0 --netns-only --config-net -a 10.0.2.15 -n 255.255.255.0 -g 10.0.2.2 --mtu %5$u "
                  "-q -- %2$s client %3$c 10.0.2.2 %4$u 2>/dev/null",
        [SLIRP] = "timeout 30 unshare -n sh -c 'echo $$ >%6$s/pid; until ip link show tap0 >/dev/null 2>&1; do sleep 0.05; done; "
                  "sleep 0.5; exec %2$s client %3$c 10.0.2.2 %4$u' & c=$!; "
                  "i=0; until [ -s %6$s/pid ] || [ $((i += 1)) -gt 100 ]; do sleep 0.05; done; "
                  "slirp4netns --configure --mtu=%5$u $(cat %6$s/pid) tap0 >/dev/null 2>&1 & s=$!; "
                  "wait $c; e=$?; kill $s; rm %6$s/pid; exit $e",
    };
    char command[2048];
    (void)snprintf(command, sizeof(command), form[by], oriel, self, what, port, mtu, dir);
    return ask(command);
}

static void compare(const char *name, char what, unsigned mtu, uint16_t port, double to_reach)
{
    static const char *const peers[] = {[PASTA] = "pasta", [SLIRP] = "slirp4netns"};
    struct bench_runs r[CARRIERS] = {0}, best = {0}, ratio = {0};
    char label[64];
    for (int i = 0; i < REPS; i++) {
        double v[CARRIERS];
        for (int by = 0; by < CARRIERS; by++) {
            v[by] = carry((enum carrier)by, what, mtu, port);
            bench_add(&r[by], v[by]);
        }
        double b = what == 'c' || v[PASTA] > v[SLIRP] ? v[PASTA] : v[SLIRP];
        bench_add(&best, b);
        bench_add(&ratio, b > 0 ? v[ORIEL] / b : 0);
    }
    for (int by = PASTA; by < CARRIERS; by++) {
        (void)snprintf(label, sizeof(label), "%s.%s", name, peers[by]);
        bench_peer(label, &r[by], what == 'c' ? "/s" : "Gbit/s");
    }
    bench_reach_bound(name, &r[ORIEL], what == 'c' ? "/s" : "Gbit/s", &best, &ratio, to_reach);
}

/* What no carrier can reach: the same program and server on the loopback, nobody between them. */
static void nobody_between(uint16_t port)
{
    char command[768];
    struct bench_runs r = {0};
    (void)snprintf(command, sizeof(command), "%s client c 127.0.0.1 %u", self, port);
    for (int i = 0; i < REPS; i++)
        bench_add(&r, ask(command));
    bench_peer("run.ns.conn.loopback", &r, "/s");
}

static bool has(const char *program)
{
    char command[64];
    (void)snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", program);
    if (system(command) == 0)
        return true;
    fprintf(stderr, "skipped: there is no %s\n", program);
    return false;
}

static bool measure_ns(bool bulk)
{
    uint16_t port;
    if (geteuid() != 0)
        fprintf(stderr, "skipped: --mode=ns beside its peers needs root\n");
    if (geteuid() != 0 || !has("pasta") || !has("slirp4netns") || !has("ip"))
        return false;
    pid_t server = serve(&port);
    if (bulk) {
        compare("run.ns.out.1500", 'o', 1500, port, 2);
        compare("run.ns.in.1500", 'i', 1500, port, 2);
        compare("run.ns.out.65520", 'o', 65520, port, 2);
        compare("run.ns.in.65520", 'i', 65520, port, 1.1);
    }
    compare("run.ns.conn", 'c', 1500, port, 2);
    nobody_between(port);
    kill(server, SIGTERM);
    (void)waitpid(server, NULL, 0);
    return true;
}

/* ---- curl from nginx ---- */

static pid_t start_nginx(uint16_t port)
{
    char path[600];
    (void)snprintf(path, sizeof(path), "%s/nginx.conf", dir);
    FILE *f = fopen(path, "w");
    if (!f)
        bench_skip("no file in /tmp");
    fprintf(f, "daemon off; master_process off; pid %1$s/nginx.pid; error_log stderr crit; events {}\n"
               "http { access_log off; sendfile on; client_body_temp_path %1$s/b; proxy_temp_path %1$s/p;\n"
               "fastcgi_temp_path %1$s/f; uwsgi_temp_path %1$s/u; scgi_temp_path %1$s/s;\n"
               "server { listen 127.0.0.1:%2$u; root %1$s; } }\n", dir, port);
    fclose(f);
    (void)snprintf(path, sizeof(path), "%s/file", dir);
    f = fopen(path, "w");
    if (!f || ftruncate(fileno(f), (off_t)GET_BYTES) != 0)
        bench_skip("no room for a file in /tmp");
    fclose(f);
    (void)snprintf(path, sizeof(path), "%s/nginx.conf", dir);
    pid_t pid = fork();
    if (pid == 0) {
        execlp("nginx", "nginx", "-c", path, (char *)NULL);
        _exit(1);
    }
    return pid;
}

static bool measure_get(void)
{
    uint16_t port;
    char plain[256], ours[1024];
    struct bench_runs r = {0}, bound = {0}, ratio = {0};
    if (!has("nginx") || !has("curl"))
        return false;
    close(listener(&port));
    pid_t server = start_nginx(port);
    (void)snprintf(plain, sizeof(plain), "curl -s -o /dev/null --retry 9 --retry-connrefused --retry-delay 0 "
                   "-w '%%{speed_download}\\n' http://127.0.0.1:%u/file", port);
    (void)snprintf(ours, sizeof(ours), "%s run -q -- %s", oriel, plain);
    (void)ask(plain);               /* it is there, and the file's pages are */
    for (int i = 0; i < GET_REPS; i++) {
        double b = ask(plain) * 8e-9, v = ask(ours) * 8e-9;
        bench_add(&bound, b);
        bench_add(&r, v);
        bench_add(&ratio, b > 0 ? v / b : 0);
    }
    bench_reach_bound("run.get", &r, "Gbit/s", &bound, &ratio, 0.40);
    kill(server, SIGTERM);
    (void)waitpid(server, NULL, 0);
    return true;
}

static void clean_up(void)
{
    char command[64];
    (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
    (void)!system(command);
}

int main(int argc, char **argv)
{
    bool strict = false, ns = false, conn = false, get = false;
    if (argc == 5 && strcmp(argv[1], "client") == 0)
        return client(argv);
    for (int i = 1; i < argc; i++) {
        strict = strict || strcmp(argv[i], "--strict") == 0;
        ns = ns || strcmp(argv[i], "ns") == 0;
        conn = conn || strcmp(argv[i], "conn") == 0;
        get = get || strcmp(argv[i], "get") == 0;
    }
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0 || !mkdtemp(dir))
        bench_skip("no /proc, or no room in /tmp");
    char copy[sizeof(self)];
    memcpy(copy, self, sizeof(copy));
    (void)snprintf(oriel, sizeof(oriel), "%s/../oriel", dirname(copy));
    atexit(clean_up);
    if (access(oriel, X_OK) != 0)
        bench_skip("build/oriel is not there");
    bool all = !ns && !conn && !get;
    bool any = (all || ns || conn) && measure_ns(all || ns);
    any = ((all || get) && measure_get()) || any;
    if (!any)
        bench_skip("nothing could be measured");
    return strict && *bench_short() > 0;
}
