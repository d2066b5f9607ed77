/*
 * Asking by a shim in the program (preload/wire.h): each stopped call is a datagram, and is the request. Its
 * line is closed with the answer; a caller that gives up closes it before.
 *
 * Who may ask: our own user's processes, and what we started, whoever it has become.
 */
#define _GNU_SOURCE
#include "host/preload/wire.h"
#include "host/run_filter.h"
#include "host/run_program.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ROUND      32               /* requests taken at one readiness */
#define ANCESTORS_MAX 64
#define TOLD_MAX   16               /* files about which a sentence was said */

struct ask {
    struct run_request r;           /* first: a request is its ask */
    struct preload *p;
    struct ask *next;               /* in p->asks */
    struct loop_source source;      /* the line */
    bool watched;
    bool answering;                 /* run_handle is at work on it */
    bool over;                      /* answered while it was */
    struct preload_ask said;
    uint8_t *in;                    /* the bytes of its pieces */
    struct preload_reply reply;
    uint8_t *out;                   /* what is to be written */
    size_t out_n;
};

struct preload {
    struct run *run;
    struct loop *loop;
    struct loop_source source;      /* where requests arrive */
    struct ask *asks;               /* under way */
    void (*say)(void *ctx, const char *sentence);
    void *ctx;
    uint64_t key;
    char shim[PATH_MAX];
    struct {
        dev_t dev;
        ino_t ino;
    } told[TOLD_MAX];
    unsigned told_n;
    uint8_t buf[PRELOAD_ASK_MAX];
};

static struct ask *ask_of(struct run_request *r)
{
    return (struct ask *)r;
}

static void ask_end(struct ask *a)
{
    if (a->answering) {
        a->over = true;
        return;
    }
    for (struct ask **at = &a->p->asks; *at; at = &(*at)->next)
        if (*at == a) {
            *at = a->next;
            break;
        }
    if (a->watched)
        loop_remove(a->p->loop, &a->source);
    close(a->source.fd);
    if (a->r.dup >= 0)
        close(a->r.dup);
    free(a->in);
    free(a->out);
    free(a);
}

/* ---- the program's memory: what came along, and what goes back ---- */

static bool ask_read(struct run_request *r, uint64_t from, void *to, size_t n)
{
    struct ask *a = ask_of(r);
    const uint8_t *bytes = a->in;
    for (size_t i = 0; i < a->said.pieces_n; i++) {
        const struct preload_piece *p = &a->said.piece[i];
        if (from >= p->at && from - p->at <= p->n && n <= p->n - (from - p->at)) {
            memcpy(to, bytes + (from - p->at), n);
            return true;
        }
        bytes += p->n;
    }
    return n == 0;
}

static bool ask_write(struct run_request *r, uint64_t to, const void *from, size_t n)
{
    struct ask *a = ask_of(r);
    if (n == 0)
        return true;
    uint8_t *more = a->reply.pieces_n < PRELOAD_PIECES ? realloc(a->out, a->out_n + n) : NULL;
    if (!more)
        return false;
    a->out = more;
    memcpy(more + a->out_n, from, n);
    a->out_n += n;
    a->reply.piece[a->reply.pieces_n++] = (struct preload_piece){.at = to, .n = n};
    return true;
}

/* ---- answers ---- */

static int reply(struct ask *a, enum preload_kind kind, int64_t result, int fd)
{
    struct preload_reply *y = &a->reply;
    union {
        struct cmsghdr h;
        char bytes[CMSG_SPACE(sizeof(int))];
    } c = {.h = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    y->kind = kind;
    y->result = result;
    y->pieces_n = (kind == PRELOAD_ANSWER && result >= 0) || kind == PRELOAD_INSTALL ? y->pieces_n : 0;
    struct iovec v[2] = {{y, sizeof(*y)}, {a->out, y->pieces_n ? a->out_n : 0}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
    if (fd >= 0) {
        memcpy(CMSG_DATA(&c.h), &fd, sizeof(fd));
        m.msg_control = &c;
        m.msg_controllen = sizeof(c);
    }
    return sendmsg(a->source.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void ask_answer(struct run_request *r, int64_t result)
{
    (void)reply(ask_of(r), PRELOAD_ANSWER, result, -1);
    ask_end(ask_of(r));
}

static void ask_native(struct run_request *r)
{
    (void)reply(ask_of(r), PRELOAD_NATIVE, 0, -1);
    ask_end(ask_of(r));
}

static int ask_install(struct run_request *r, int fd, bool cloexec)
{
    struct ask *a = ask_of(r);
    a->reply.cloexec = cloexec;
    int err = reply(a, PRELOAD_INSTALL, 0, fd);
    ask_end(a);
    return err < 0 ? -ENOENT : RUN_NUMBER_UNKNOWN;
}

static int ask_replace(struct run_request *r, int fd)
{
    return reply(ask_of(r), PRELOAD_REPLACE, 0, fd);
}

static const struct run_asker asker = {
    .read = ask_read, .write = ask_write, .answer = ask_answer, .native = ask_native,
    .install = ask_install, .replace = ask_replace,
};

/* ---- programs that are about to be executed ---- */

static bool told_before(struct preload *p, int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return true;
    for (unsigned i = 0; i < p->told_n; i++)
        if (p->told[i].dev == st.st_dev && p->told[i].ino == st.st_ino)
            return true;
    if (p->told_n < TOLD_MAX) {
        p->told[p->told_n].dev = st.st_dev;
        p->told[p->told_n++].ino = st.st_ino;
    }
    return false;
}

static void hear_exec(struct ask *a)
{
    struct preload *p = a->p;
    struct program program;
    char name[PRELOAD_SMALL_MAX + 1] = "", text[PATH_MAX + 256];
    size_t n = a->said.pieces_n ? (size_t)a->said.piece[0].n : 0;
    memcpy(name, a->in, n < sizeof(name) - 1 ? n : sizeof(name) - 1);
    program_look_at(&program, a->r.dup, name);
    const char *why = program_shuts_out(&program);
    if (why && p->say && !told_before(p, a->r.dup)) {
        (void)snprintf(text, sizeof(text), "%s %s: the shim does not get into it, and its first Internet "
                       "socket ends it (SIGSYS); --mode=notify or --mode=ns serves it", program.path, why);
        p->say(p->ctx, text);
    }
    ask_answer(&a->r, 0);
}

/* ---- requests ---- */

static pid_t parent_of(pid_t pid)
{
    char path[40], line[512];
    int parent = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    char *end = f && fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
    if (!end || sscanf(end, ") %*c %d", &parent) != 1)
        parent = 0;
    if (f)
        fclose(f);
    return parent;
}

static bool may_ask(const struct ucred *who)
{
    pid_t pid = who->pid;
    if (pid > 0 && who->uid == geteuid())
        return true;
    for (int i = 0; i < ANCESTORS_MAX && pid > 1; i++) {
        pid = parent_of(pid);
        if (pid == getpid())
            return true;
    }
    return false;
}

/* What came: its shape is checked here, once. */
static bool is_sound(const struct preload_ask *s, size_t n)
{
    uint64_t all = sizeof(*s);
    if (n < sizeof(*s) || s->magic != PRELOAD_MAGIC || s->pieces_n > PRELOAD_PIECES)
        return false;
    for (size_t i = 0; i < s->pieces_n; i++) {
        if (s->piece[i].n > n)
            return false;
        all += s->piece[i].n;
    }
    return all == n;
}

static void handle(struct ask *a)
{
    struct run_request *r = &a->r;
    bool exec = a->said.nr == PRELOAD_NR_EXEC;
    r->asker = &asker;
    r->fd = (int)a->said.arg[0];
    memcpy(r->arg, a->said.arg, sizeof(r->arg));
    if (!exec && !run_call_of(a->said.nr, &r->call))
        return ask_answer(r, -ENOSYS);
    if ((exec || r->call != RUN_SOCKET) && r->dup < 0)
        return ask_answer(r, -ENFILE);  /* there was no room for the one that came along */
    a->answering = true;
    if (exec)
        hear_exec(a);
    else
        run_handle(a->p->run, r);
    a->answering = false;
    if (a->over)
        ask_end(a);
}

/* The caller has given up, or has gone. */
static void on_line(void *ctx, uint32_t events)
{
    struct ask *a = ctx;
    (void)events;
    run_forget(a->p->run, &a->r);
    ask_end(a);
}

static bool is_under_way(const struct preload *p, const struct ask *a)
{
    for (const struct ask *i = p->asks; i; i = i->next)
        if (i == a)
            return true;
    return false;
}

/* What comes with a request. */
struct with {
    struct ucred who;
    int fd[2];                      /* the line, what the call is about; -1: none */
};

static void read_with(struct msghdr *m, struct with *w)
{
    *w = (struct with){.fd = {-1, -1}};
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
        size_t n = h->cmsg_len - CMSG_LEN(0);
        if (h->cmsg_type == SCM_CREDENTIALS && n == sizeof(w->who))
            memcpy(&w->who, CMSG_DATA(h), n);
        else if (h->cmsg_type == SCM_RIGHTS && n <= sizeof(w->fd))
            memcpy(w->fd, CMSG_DATA(h), n);
    }
}

/* n bytes of p->buf as a request; NULL: they are none, or there is no memory. */
static struct ask *ask_new(struct preload *p, size_t n, const struct with *w)
{
    struct preload_ask said;
    if (n < sizeof(said))
        return NULL;
    memcpy(&said, p->buf, sizeof(said));
    if (!is_sound(&said, n))
        return NULL;
    struct ask *a = calloc(1, sizeof(*a));
    uint8_t *in = malloc(n);
    if (!a || !in) {
        free(a);
        free(in);
        return NULL;
    }
    memcpy(in, p->buf + sizeof(said), n - sizeof(said));
    *a = (struct ask){.p = p, .said = said, .in = in, .next = p->asks};
    a->r.tid = w->who.pid;
    a->r.dup = w->fd[1];
    a->source = (struct loop_source){.fd = w->fd[0], .events = EPOLLIN | EPOLLRDHUP, .on_ready = on_line,
                                     .ctx = a};
    p->asks = a;
    return a;
}

/* False: none is there. Where no descriptor is left the line is lost, and the caller hears its end. */
static bool take_one(struct preload *p)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(2 * sizeof(int))];
    struct iovec v = {p->buf, sizeof(p->buf)};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
                       .msg_controllen = sizeof(control)};
    struct with w;
    ssize_t n = recvmsg(p->source.fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return false;
    read_with(&m, &w);
    struct ask *a = w.fd[0] >= 0 && may_ask(&w.who) ? ask_new(p, (size_t)n, &w) : NULL;
    if (!a) {
        for (int i = 0; i < 2; i++)
            if (w.fd[i] >= 0)
                close(w.fd[i]);
        return true;
    }
    handle(a);
    if (!is_under_way(p, a))
        return true;
    a->watched = loop_add(p->loop, &a->source) == 0;
    if (!a->watched)
        on_line(a, 0);
    return true;
}

static void on_ready(void *ctx, uint32_t events)
{
    (void)events;
    for (unsigned i = 0; i < ROUND && take_one(ctx); i++)
        continue;
}

/* ---- the way into the program ---- */

static int enter(const void *ctx)
{
    const struct preload *p = ctx;
    int err = run_filter_set(SECCOMP_RET_TRAP, p->key, 0);
    return err < 0 ? err : RUN_GIVES_NOTHING;
}

/* The shim first, and what else was to be preloaded after it. */
static int settle(const void *ctx)
{
    const struct preload *p = ctx;
    const char *others = getenv("LD_PRELOAD");
    char digits[PRELOAD_KEY_DIGITS + 1], list[2 * PATH_MAX];
    int n = snprintf(list, sizeof(list), "%s%s%s", p->shim, others ? ":" : "", others ? others : "");
    (void)snprintf(digits, sizeof(digits), "%016llx", (unsigned long long)p->key);
    if (n < 0 || (size_t)n >= sizeof(list))
        return -E2BIG;
    return setenv("LD_PRELOAD", list, 1) != 0 || setenv(PRELOAD_ENV, digits, 1) != 0 ? -errno : 0;
}

static void explain(const void *ctx, int err, char error[DRV_ERROR_MAX])
{
    (void)ctx;
    (void)snprintf(error, DRV_ERROR_MAX, "cannot be served: this machine lets no filter be put on system "
                   "calls (%s); --mode=ns needs none", strerror(-err));
}

struct run_way preload_way(struct preload *p)
{
    return (struct run_way){.enter = enter, .settle = settle, .explain = explain, .ctx = p};
}

/* Does that shim say to us what we understand? */
static bool speaks_with_us(const char *path)
{
    bool found = false;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > 0) {
        void *all = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        found = all != MAP_FAILED && memmem(all, (size_t)st.st_size, ORIEL_PRELOAD_WIRE, sizeof(ORIEL_PRELOAD_WIRE));
        if (all != MAP_FAILED)
            (void)munmap(all, (size_t)st.st_size);
    }
    if (fd >= 0)
        close(fd);
    return found;
}

static bool find_shim(char path[PATH_MAX], char error[DRV_ERROR_MAX])
{
    static const char *const places[] = {"/" PRELOAD_SHIM, "/../lib/" PRELOAD_SHIM};
    char self[PATH_MAX], there[PATH_MAX + 64];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    char *end = strrchr(self, '/');
    if (end)
        *end = '\0';
    for (size_t i = 0; end && i < ARRAY_LEN(places); i++) {
        (void)snprintf(there, sizeof(there), "%s%s", self, places[i]);
        if (access(there, R_OK) != 0 || !realpath(there, path))
            continue;
        if (path[strcspn(path, " :")])
            return drv_error(error, "the folder of " PRELOAD_SHIM " has a blank or a colon in its name, which "
                             "LD_PRELOAD does not take");
        return speaks_with_us(path) ||
               drv_error(error, PRELOAD_SHIM " is of another build than this program: install both together (%s)", path);
    }
    return drv_error(error, PRELOAD_SHIM " is neither beside this program nor in ../lib from there");
}

struct preload *preload_prepare(char error[DRV_ERROR_MAX])
{
    struct sockaddr_un u = {.sun_family = AF_UNIX};
    int yes = 1;
    struct preload *p = calloc(1, sizeof(*p));
    if (!p || getrandom(&p->key, sizeof(p->key), 0) != sizeof(p->key)) {
        (void)snprintf(error, DRV_ERROR_MAX, "out of memory");
        free(p);
        return NULL;
    }
    p->key |= 1;                        /* 0 means none */
    int n = snprintf(u.sun_path + 1, sizeof(u.sun_path) - 1, PRELOAD_NAME "%016llx",
                     (unsigned long long)p->key);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    p->source = (struct loop_source){.events = EPOLLIN, .on_ready = on_ready, .ctx = p};
    p->source.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (find_shim(p->shim, error)) {
        if (p->source.fd >= 0 && bind(p->source.fd, (const struct sockaddr *)&u, len) == 0 &&
            setsockopt(p->source.fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) == 0)
            return p;
        (void)snprintf(error, DRV_ERROR_MAX, "cannot make ready for the shim: %s", strerror(errno));
    }
    preload_close(p);
    return NULL;
}

int preload_serve(struct preload *p, struct run *n, struct loop *loop,
                  void (*say)(void *ctx, const char *sentence), void *ctx)
{
    int err = loop_add(loop, &p->source);
    p->run = n;
    p->loop = err < 0 ? NULL : loop;
    p->say = say;
    p->ctx = ctx;
    return err;
}

void preload_close(struct preload *p)
{
    if (!p)
        return;
    while (p->asks) {
        run_forget(p->run, &p->asks->r);
        ask_end(p->asks);
    }
    if (p->loop)
        loop_remove(p->loop, &p->source);
    if (p->source.fd >= 0)
        close(p->source.fd);
    free(p);
}
