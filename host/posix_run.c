/* An instance: made and taken down; its lock; its service thread; how a call waits. */
#define _GNU_SOURCE
#include "host/posix_run.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS   4096u
#define PIPES         256u          /* datagrams that were looked at and wait to be read */
#define WAITS_HERE    16            /* descriptors of one call without memory of its own */
#define EXIT_PATIENCE_MS 3000
#define LONG          ((oriel_time)1 << 60)         /* beyond anybody's patience */

static _Atomic(struct oriel_px *) owner[POSIX_FDS_MAX];
static _Atomic(struct oriel_px *) first;            /* in which all threads make sockets */
static _Thread_local struct oriel_px *chosen;
static pthread_mutex_t starting = PTHREAD_MUTEX_INITIALIZER;

static _Atomic int owned_end;                       /* beyond the largest that was ever ours */

struct oriel_px *posix_of(int fd)
{
    return fd >= 0 && fd < POSIX_FDS_MAX ? atomic_load_explicit(&owner[fd], memory_order_acquire) : NULL;
}

/* ---- the lock ---- */

static void lock(struct oriel_px *p)
{
    pthread_mutex_lock(&p->turnstile);
    pthread_mutex_lock(&p->lock);
    pthread_mutex_unlock(&p->turnstile);
}

static void wake_now(struct posix_sleeper *s)
{
    (void)syscall(SYS_futex, &s->woken, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}

/*
 * Sleepers are woken when they can have the lock. One of them may be gone by then: its word is a
 * thread's own memory, and to wake nobody there does no harm.
 */
static void unlock(struct oriel_px *p)
{
    struct posix_sleeper *wake[POSIX_WAKES];
    unsigned n = p->wake_n;
    memcpy(wake, p->wake, n * sizeof(wake[0]));
    p->wake_n = 0;
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < n; i++)
        wake_now(wake[i]);
}

static void wake(struct oriel_px *p, struct posix_sleeper *s)
{
    static const uint64_t one = 1;
    if (atomic_exchange(&s->woken, 1))
        return;
    if (s->event >= 0)
        (void)!write(s->event, &one, sizeof one);
    else if (p->wake_n == POSIX_WAKES)
        wake_now(s);
    else
        p->wake[p->wake_n++] = s;
}

void posix_wake(struct oriel_px *p, int fd)
{
    LIST_EACH(n, &p->waits[fd])
        wake(p, CONTAINER_OF(n, struct posix_wait, node)->sleeper);
}

static void on_news(void *ctx, int fd)
{
    posix_wake(ctx, fd);
}

void posix_closed(struct oriel_px *p, int fd)
{
    LIST_EACH(n, &p->waits[fd]) {
        struct posix_wait *w = CONTAINER_OF(n, struct posix_wait, node);
        *w->closed = true;
        wake(p, w->sleeper);
    }
}

void posix_enter(struct oriel_px *p)
{
    lock(p);
    live_enter(p->live);
    p->px.now = live_now(p->live);
}

/* When something happens by itself. */
static oriel_time next_moment(const struct oriel_px *p)
{
    oriel_time next = world_next(live_world(p->live));
    return next < p->resolver_next ? next : p->resolver_next;
}

/* What was said leaves; the service thread hears of an earlier deadline. */
static void say(struct oriel_px *p)
{
    static const uint64_t one = 1;
    live_leave(p->live);
    if (p->sleeps && next_moment(p) < p->sleeps_until) {
        p->sleeps_until = 0;                    /* told once */
        (void)!write(p->alarm, &one, sizeof one);
    }
}

int64_t posix_leave(struct oriel_px *p, int64_t result)
{
    say(p);
    unlock(p);
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

/* ---- the service thread ---- */

static void on_step(void *ctx)
{
    struct oriel_px *p = ctx;
    p->px.now = live_now(p->live);
    px_on_step(&p->px);
    posix_names_step(p);
}

static void on_sleep(void *ctx, bool begins)
{
    struct oriel_px *p = ctx;
    if (begins) {
        p->sleeps = true;
        p->sleeps_until = next_moment(p);
        unlock(p);
    } else {
        lock(p);
        p->sleeps = false;
    }
}

static void on_alarm(void *ctx, uint32_t events)
{
    struct oriel_px *p = ctx;
    uint64_t n;
    (void)events;
    (void)!read(p->alarm, &n, sizeof n);
}

static void *serve(void *ctx)
{
    struct oriel_px *p = ctx;
    int err = 0;
    (void)pthread_setname_np(pthread_self(), "oriel");
    lock(p);
    while (!p->stop && (err == 0 || err == -EINTR)) {
        err = live_turn(p->live, p->resolver_next);
        if (p->resolver_next <= live_now(p->live))
            live_poke(p->live, p->node);
    }
    p->error = p->stop ? 0 : err;
    for (uint32_t fd = 0; fd < p->px.files_max && p->error; fd++)
        posix_wake(p, (int)fd);
    unlock(p);
    return NULL;
}

/* Signals are the program's threads' to handle. */
static bool begin_service(struct oriel_px *p)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&p->service, NULL, serve, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err == 0;
}

/* ---- waiting ---- */

static int futex_sleep(struct posix_sleeper *s, oriel_time until)
{
    struct timespec t = {.tv_sec = (time_t)(until / NS_PER_S), .tv_nsec = (long)(until % NS_PER_S)};
    while (!atomic_load(&s->woken))
        if (syscall(SYS_futex, &s->woken, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0,
                    until == ORIEL_NEVER ? NULL : &t, NULL, FUTEX_BITSET_MATCH_ANY) < 0 &&
            errno != EAGAIN)
            return errno == EINTR ? -EINTR : 0;
    return 0;
}

/* Among descriptors of the system as well; the last place is for what wakes us. */
static int poll_sleep(const struct posix_call *k, const struct posix_sleeper *s, oriel_time until)
{
    oriel_time now = host_now(), left = until > now ? until - now : 0;
    struct timespec t = {.tv_sec = (time_t)(left / NS_PER_S), .tv_nsec = (long)(left % NS_PER_S)};
    k->system[k->system_n] = (struct pollfd){.fd = s->event, .events = POLLIN};
    return ppoll(k->system, k->system_n + 1, until == ORIEL_NEVER ? NULL : &t, NULL) < 0 ? -errno : 0;
}

static void enlist(struct oriel_px *p, const struct posix_call *k, struct posix_wait *w,
                   struct posix_sleeper *s, bool *closed)
{
    for (size_t i = 0; i < k->fds_n; i++) {
        w[i] = (struct posix_wait){.sleeper = s, .closed = closed};
        list_push_back(&p->waits[k->fds[i]], &w[i].node);
    }
}

/* Sleep until there is news or until then: 0 to look again, -EINTR, -EBADF, -EIO. */
static int wait_once(struct oriel_px *p, const struct posix_call *k, struct posix_wait *w,
                     struct posix_sleeper *s, oriel_time deadline)
{
    bool closed = false;
    oriel_time until = deadline == ORIEL_NEVER ? ORIEL_NEVER
                                               : host_now() + (deadline - p->px.now);
    if (k->always_ends && until == ORIEL_NEVER)
        until = LONG;                           /* with a limit the kernel never begins anew */
    atomic_store(&s->woken, 0);
    enlist(p, k, w, s, &closed);
    say(p);                                     /* by loopback it may be heard at once */
    unlock(p);
    int err = k->system_n > 0 ? poll_sleep(k, s, until) : futex_sleep(s, until);
    posix_enter(p);
    for (size_t i = 0; i < k->fds_n; i++)
        list_remove(&w[i].node);
    return closed ? -EBADF : p->error ? -EIO : err;
}

int64_t posix_call(struct oriel_px *p, const struct posix_call *k)
{
    static _Thread_local struct posix_sleeper mine;
    struct posix_wait here[WAITS_HERE], *w = here;
    struct px_call c = px_call_new(p->px.now);
    int64_t got = k->again(p, &c, k->ctx);
    if (got != PX_AGAIN)
        return got;
    if (k->fds_n > WAITS_HERE && !(w = calloc(k->fds_n, sizeof *w)))
        return -ENOMEM;
    mine.event = k->system_n > 0 ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    int err = k->system_n > 0 && mine.event < 0 ? -errno : p->error ? -EIO : 0;
    while (err == 0 && got == PX_AGAIN) {
        err = wait_once(p, k, w, &mine, c.deadline);
        if (err == 0 || (err == -EINTR && atomic_load(&mine.woken)))
            got = k->again(p, &c, k->ctx);
        err = got != PX_AGAIN ? 0 : err;
    }
    if (mine.event >= 0)
        close(mine.event);
    if (w != here)
        free(w);
    return err == 0 ? got : c.done > 0 && err == -EINTR ? (int64_t)c.done : err;
}

int64_t posix_call_on(struct oriel_px *p, int fd,
                      int64_t (*again)(struct oriel_px *, struct px_call *, void *), void *ctx)
{
    const struct posix_call k = {.again = again, .ctx = ctx, .fds = &fd, .fds_n = 1};
    return px_of(&p->px, fd) ? posix_call(p, &k) : -EBADF;
}

/* ---- descriptors ---- */

int posix_fd_new(struct oriel_px *p, bool cloexec)
{
    int fd = eventfd(0, EFD_NONBLOCK | (cloexec ? EFD_CLOEXEC : 0));
    if (fd < 0)
        return -errno;
    if ((uint32_t)fd < p->px.files_max)
        return fd;
    posix_fd_drop(fd);
    return -EMFILE;
}

void posix_fd_give(struct oriel_px *p, int fd)
{
    int end = atomic_load(&owned_end);
    while (end <= fd && !atomic_compare_exchange_weak(&owned_end, &end, fd + 1))
        ;
    atomic_store_explicit(&owner[fd], p, memory_order_release);
}

void posix_fd_drop(int fd)
{
    int kept = errno;
    if (fd < POSIX_FDS_MAX)
        atomic_store_explicit(&owner[fd], NULL, memory_order_release);
    (void)close(fd);
    errno = kept;
}

/* ---- made ---- */

static bool say_why(char error[ORIEL_PX_ERROR_MAX], const char *what)
{
    (void)snprintf(error, ORIEL_PX_ERROR_MAX, "%s", what);
    return false;
}

static bool make_node(struct oriel_px *p, const struct oriel_px_config *cfg, char *error)
{
    struct oriel_config c;
    struct oriel_netif_config lo = {.name = "lo", .kind = ORIEL_NETIF_LOOPBACK,
                                    .watched = cfg->capture != NULL};
    int err;
    oriel_config_init(&c);
    c.connections = cfg->connections ? cfg->connections : CONNECTIONS;
    c.tcp.congestion = cfg->congestion;
    size_t all = cfg->memory ? cfg->memory : LIVE_MEMORY, least = oriel_memory_min(c.connections);
    p->node = world_add_node(live_world(p->live), NODE_HOST, span_str("app"), &c,
                             all / 4 > least ? all / 4 : least);
    if (!p->node)
        return say_why(error, "not enough memory for so many connections");
    if (!world_add_port(live_world(p->live), p->node, &lo, &err))
        return say_why(error, oriel_strerror(err));
    return true;
}

/* Room for as many descriptors as the process may have. */
static bool make_files(struct oriel_px *p, char *error)
{
    struct rlimit r = {.rlim_cur = 1024};
    struct arena arena;
    (void)getrlimit(RLIMIT_NOFILE, &r);
    uint32_t files = r.rlim_cur < POSIX_FDS_MAX ? (uint32_t)r.rlim_cur : POSIX_FDS_MAX;
    p->bytes = (size_t)files * 1024 + PIPES * sizeof(struct px_pipe) + ((size_t)1 << 20);
    void *at = mmap(NULL, p->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                    -1, 0);
    p->memory = at == MAP_FAILED ? NULL : at;
    p->waits = calloc(files, sizeof *p->waits);
    if (!p->memory || !p->waits)
        return say_why(error, "out of memory");
    arena_init(&arena, p->memory, p->bytes);
    for (uint32_t i = 0; i < files; i++)
        list_init(&p->waits[i]);
    if (!px_init(&p->px, p->node->stack, &arena, files, PIPES))
        return say_why(error, "out of memory for descriptors");
    p->px.on_news = on_news;
    p->px.on_news_ctx = p;
    return true;
}

static const struct port *make_user(struct oriel_px *p, const struct wire_params *wire,
                                    struct drv_spec *spec, char *error)
{
    struct user_link u;
    bool made = user_open(&u, p->live, p->node, wire, NULL, error);
    memcpy(spec->dns, u.dns, sizeof u.dns);
    spec->dns_n = 2;
    p->gateway = u.gateway;
    return made ? u.port : NULL;
}

/* The port that is plugged into the link, or the loopback interface. */
static const struct port *make_link(struct oriel_px *p, const char *link, bool seen,
                                    struct drv_spec *to, char *error)
{
    struct wire_params wire = {.direct = !seen};
    struct oriel_netif_config n = {.name = "eth0", .ip6 = true, .accept_ra = true};
    if (strcmp(link, "loopback") == 0)
        return &p->node->ports[0];
    if (strcmp(link, "user") == 0)
        return make_user(p, &wire, to, error);
    if (!drv_spec_parse(to, link, error))
        return NULL;
    to->plain = to->plain || seen;
    struct drv *d = drv_open(to, error);
    if (d)
        drv_adopt(to, d);
    int netif = d ? live_door(p->live, d, p->node, &n, &wire, error) : -1;
    if (netif < 0 || !live_addrs(p->live, p->node, netif, to, error))
        return NULL;
    return &p->node->ports[1];
}

static bool make_thread(struct oriel_px *p, char *error)
{
    struct loop *loop = live_loop(p->live);
    p->alarm = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    p->on_alarm = (struct loop_source){.fd = p->alarm, .events = EPOLLIN, .on_ready = on_alarm, .ctx = p};
    if (p->alarm < 0 || (uint32_t)p->alarm >= p->px.files_max || loop_add(loop, &p->on_alarm) < 0)
        return say_why(error, "no descriptor is left");
    loop->on_sleep = on_sleep;
    loop->sleep_ctx = p;
    live_app(p->live, p->node, on_step, p);
    return begin_service(p) || say_why(error, "no thread can be made");
}

static bool make(struct oriel_px *p, const char *link, const struct oriel_px_config *cfg, char *error)
{
    const struct live_config lc = {.seed = cfg->seed, .memory = cfg->memory, .spin = cfg->spin_ns,
                                   .quiet = !cfg->capture};
    if (cfg->version != ORIEL_PX_VERSION)
        return say_why(error, "the configuration has another version");
    (void)snprintf(p->hosts, sizeof p->hosts, "%s", cfg->hosts ? cfg->hosts : "/etc/hosts");
    if (cfg->record && !(p->recorder = recorder_open(cfg->record, error)))
        return false;
    p->live = live_open(&lc, error);
    if (!p->live || !make_node(p, cfg, error) || !make_files(p, error))
        return false;
    struct drv_spec spec = {.dns_n = 0};
    const struct port *port = make_link(p, link, cfg->capture != NULL, &spec, error);
    if (!port)
        return false;
    if (!posix_names_open(p, spec.dns, spec.dns_n, cfg->seed))
        return say_why(error, "out of memory for names");
    if (cfg->capture && !(p->capture = posix_capture_open(p, cfg->capture, port, error)))
        return false;
    return make_thread(p, error);
}

static void take_down(struct oriel_px *p)
{
    if (p->px.file)
        px_fini(&p->px);
    posix_names_close(p);
    if (p->live && p->node)
        live_leave(p->live);
    posix_capture_close(p->capture);
    if (p->gateway)
        gateway_close(p->gateway);
    live_close(p->live);
    (void)recorder_close(p->recorder);
    if (p->alarm >= 0)
        close(p->alarm);
    if (p->memory) {
        ORIEL_UNPOISON(p->memory, p->bytes);
        munmap(p->memory, p->bytes);
    }
    free(p->waits);
    pthread_mutex_destroy(&p->lock);
    pthread_mutex_destroy(&p->turnstile);
    free(p);
}

/*
 * A child of fork has neither the thread nor the lock: what it inherits is nobody's, so that it may close
 * it and be gone (exec, exit) without a word to the parent's peers.
 */
static void in_child(void)
{
    for (int fd = 0; fd < atomic_load(&owned_end); fd++)
        atomic_store(&owner[fd], NULL);
    atomic_store(&first, NULL);
    chosen = NULL;
    pthread_mutex_init(&starting, NULL);
}

static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, in_child);
}

static struct oriel_px *start(const char *link, const struct oriel_px_config *cfg,
                              char error[ORIEL_PX_ERROR_MAX])
{
    static const struct oriel_px_config defaults = {.version = ORIEL_PX_VERSION};
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct oriel_px *p = calloc(1, sizeof *p), *none = NULL;
    (void)pthread_once(&once, watch_forks);
    if (!p) {
        (void)say_why(error, "out of memory");
        return NULL;
    }
    p->alarm = -1;
    p->resolver_next = ORIEL_NEVER;
    pthread_mutex_init(&p->turnstile, NULL);
    pthread_mutex_init(&p->lock, NULL);
    if (!make(p, link, cfg ? cfg : &defaults, error)) {
        take_down(p);
        return NULL;
    }
    (void)atomic_compare_exchange_strong(&first, &none, p);
    return p;
}

struct oriel_px *oriel_px_start(const char *link, const struct oriel_px_config *cfg,
                                char error[ORIEL_PX_ERROR_MAX])
{
    char unheard[ORIEL_PX_ERROR_MAX];
    return start(link, cfg, error ? error : unheard);
}

/* Nobody finds it any more, and nothing happens by itself. */
static void end_service(struct oriel_px *p)
{
    static const uint64_t one = 1;
    struct oriel_px *same = p;
    lock(p);
    p->stop = true;
    (void)!write(p->alarm, &one, sizeof one);
    unlock(p);
    pthread_join(p->service, NULL);
    (void)atomic_compare_exchange_strong(&first, &same, NULL);
    chosen = chosen == p ? NULL : chosen;
}

static void close_files(struct oriel_px *p)
{
    for (uint32_t fd = 0; fd < p->px.files_end; fd++)
        if (px_of(&p->px, (int)fd)) {
            (void)px_close(&p->px, (int)fd);
            posix_fd_drop((int)fd);
        }
}

void oriel_px_stop(struct oriel_px *p)
{
    if (!p)
        return;
    end_service(p);
    close_files(p);
    take_down(p);
}

/* Has a connection that the program is done with still something to say, or to hear? */
static bool any_pending(const struct oriel_px *p)
{
    struct oriel_conn_info c;
    for (uint32_t at = 0; oriel_conn_each(p->node->stack, &at, &c);)
        if (c.handle == 0 && c.state != ORIEL_TCP_TIME_WAIT && c.state != ORIEL_TCP_SYN_RCVD)
            return true;
    return false;
}

bool oriel_px_drain(struct oriel_px *p, int timeout_ms)
{
    oriel_time end = host_now() + (oriel_time)timeout_ms * NS_PER_MS, pause = NS_PER_MS / 4;
    for (;;) {
        posix_enter(p);
        bool pending = any_pending(p) && !p->error;
        (void)posix_leave(p, 0);
        if (!pending || (timeout_ms >= 0 && host_now() >= end))
            return !pending;
        pause = pause < 16 * NS_PER_MS ? 2 * pause : pause;
        (void)nanosleep(&(struct timespec){.tv_nsec = (long)pause}, NULL);
    }
}

/*
 * Other threads may be in a call until the process is no more: they find the lock taken for good, and what
 * they hold is left to the system. Files are ended well.
 */
static void at_exit(void)
{
    static struct oriel_px *left;
    struct oriel_px *p = atomic_load(&first);
    if (!p || !p->by_itself)
        return;
    (void)oriel_px_drain(p, EXIT_PATIENCE_MS);
    end_service(p);
    lock(p);
    left = p;
    close_files(left);
    live_leave(left->live);
    posix_capture_close(left->capture);
    (void)recorder_close(left->recorder);
}

void oriel_px_use(struct oriel_px *p)
{
    chosen = p;
}

static void start_by_itself(void)
{
    char error[ORIEL_PX_ERROR_MAX];
    const char *link = getenv("ORIEL_LINK");
    const struct oriel_px_config cfg = {.version = ORIEL_PX_VERSION, .capture = getenv("ORIEL_CAPTURE"),
                                        .record = getenv("ORIEL_RECORD")};
    struct oriel_px *p = start(link ? link : "loopback", &cfg, error);
    if (p) {
        p->by_itself = true;
        (void)atexit(at_exit);
    } else {
        fprintf(stderr, "liboriel-posix: ORIEL_LINK=%s: %s\n", link ? link : "loopback", error);
    }
}

struct oriel_px *posix_here(void)
{
    if (chosen)
        return chosen;
    if (!atomic_load(&first)) {
        pthread_mutex_lock(&starting);
        if (!atomic_load(&first))
            start_by_itself();
        pthread_mutex_unlock(&starting);
    }
    struct oriel_px *p = atomic_load(&first);
    if (!p)
        errno = ENETDOWN;
    return p;
}
