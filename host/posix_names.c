/*
 * Names: numeric addresses, the hosts file, the link's name servers (svc/resolve.h); services of
 * /etc/services. A list is one piece of memory per entry, the address behind the entry and the canonical
 * name behind that.
 */
#define _GNU_SOURCE
#include "host/posix_run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#define FOUND_MAX 32                /* addresses of one name */
#define HOSTS_LINE 1024
#define CACHE      256

struct entry {
    struct addrinfo info;
    struct sockaddr_storage addr;
    char name[];
};

/* What is asked for, as far as it is known. */
struct lookup {
    int family, flags;
    uint16_t port;                  /* in the machine's order */
    const char *canonical;          /* NULL: not asked for */
    struct oriel_addr found[FOUND_MAX];
    unsigned found_n;
    struct addrinfo *first, **last;
};

static const struct {
    int type, protocol;
    const char *name;
} kinds[] = {{SOCK_STREAM, IPPROTO_TCP, "tcp"}, {SOCK_DGRAM, IPPROTO_UDP, "udp"}};

/* ---- the list ---- */

static bool add(struct lookup *k, const struct oriel_addr *a, int type, int protocol)
{
    size_t name = k->canonical && !k->first ? strlen(k->canonical) + 1 : 0;
    struct entry *e = calloc(1, sizeof *e + name);
    struct oriel_endpoint at = {.addr = *a, .port = k->port};
    bool v6 = k->family == AF_INET6 || !addr_is_v4(a);
    if (!e)
        return false;
    socklen_t len = sizeof e->addr;
    sockaddr_give(&at, v6, (struct sockaddr *)&e->addr, &len);
    if (v6 && addr_scope(a) == SCOPE_LINK)
        ((struct sockaddr_in6 *)&e->addr)->sin6_scope_id = a->zone;
    e->info = (struct addrinfo){.ai_flags = k->flags, .ai_family = v6 ? AF_INET6 : AF_INET,
                                .ai_socktype = type, .ai_protocol = protocol, .ai_addrlen = len,
                                .ai_addr = (struct sockaddr *)&e->addr};
    if (name > 0)
        e->info.ai_canonname = memcpy(e->name, k->canonical, name);
    *k->last = &e->info;
    k->last = &e->info.ai_next;
    return true;
}

void oriel_px_freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list);                             /* the first member of its struct entry */
        list = next;
    }
}

/* ---- where addresses come from ---- */

static void keep(struct lookup *k, const struct oriel_addr *a)
{
    bool v4 = addr_is_v4(a);
    bool wanted = k->family == AF_UNSPEC || (k->family == AF_INET) == v4 ||
                  (k->family == AF_INET6 && (k->flags & AI_V4MAPPED));
    for (unsigned i = 0; i < k->found_n; i++)
        wanted = wanted && !addr_eq(&k->found[i], a);
    if (wanted && k->found_n < FOUND_MAX)
        k->found[k->found_n++] = *a;
}

static void nobody_named(struct lookup *k)
{
    struct oriel_addr v4 = addr_v4(k->flags & AI_PASSIVE ? 0 : 0x7f000001);
    struct oriel_addr v6 = addr_v6(0, k->flags & AI_PASSIVE ? 0 : 1);
    if (k->family != AF_INET6)
        keep(k, &v4);
    if (k->family != AF_INET)
        keep(k, &v6);
}

/* "ADDRESS NAME NAME... # words": is the name there? *canonical: the first. */
static bool line_names(char *line, const char *name, char **canonical, struct oriel_addr *a)
{
    char *more, *word;
    line[strcspn(line, "#\n")] = '\0';
    word = strtok_r(line, " \t", &more);
    if (!word || oriel_addr_parse(word, a) != 0)
        return false;
    *canonical = NULL;
    while ((word = strtok_r(NULL, " \t", &more)) != NULL) {
        *canonical = *canonical ? *canonical : word;
        if (strcasecmp(word, name) == 0)
            return true;
    }
    return false;
}

static void look_in_hosts(struct lookup *k, const char *path, const char *name,
                          char canonical[NI_MAXHOST])
{
    char line[HOSTS_LINE], *said;
    struct oriel_addr a;
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (line_names(line, name, &said, &a)) {
            if (k->found_n == 0)
                (void)snprintf(canonical, NI_MAXHOST, "%s", said);
            keep(k, &a);
        }
    if (f)
        fclose(f);
}

/* ---- name servers ---- */

bool posix_names_open(struct oriel_px *p, const struct oriel_addr servers[], unsigned n, uint64_t seed)
{
    struct resolver_config cfg = {.stack = p->node->stack, .cache_entries = CACHE,
                                  .memory_bytes = resolver_memory(CACHE)};
    for (; cfg.servers_n < n && cfg.servers_n < RESOLVE_SERVERS_MAX; cfg.servers_n++)
        cfg.servers[cfg.servers_n].addr = servers[cfg.servers_n];
    memcpy(cfg.seed, &seed, sizeof seed);
    if (n == 0)
        return true;
    if (seed == 0 && getrandom(cfg.seed, sizeof cfg.seed, 0) != sizeof cfg.seed)
        return false;
    cfg.memory = p->resolver_memory = malloc(cfg.memory_bytes);
    return cfg.memory && resolver_init(&p->resolver, &cfg) == 0;
}

void posix_names_close(struct oriel_px *p)
{
    if (p->resolver_memory)
        resolver_fini(&p->resolver);
    free(p->resolver_memory);
    p->resolver_memory = NULL;
}

static bool has_answer(const struct resolver *r)
{
    for (unsigned i = 0; i < RESOLVE_QUERIES_MAX; i++)
        if (r->query[i].phase == RESOLVE_DONE)
            return true;
    return false;
}

/* Who waits steps as well before it sleeps: it must not wake itself for nothing. */
void posix_names_step(struct oriel_px *p)
{
    if (!p->resolver_memory || p->alarm < 0)
        return;
    p->resolver_next = resolver_step(&p->resolver, p->px.now);
    if (has_answer(&p->resolver))
        posix_wake(p, p->alarm);
}

/* One question of a name: A, AAAA, or PTR of an address. */
struct asking {
    uint32_t ticket;
    int err;                        /* ORIEL_EAGAIN: no answer yet */
    struct dns_answer answer;
};

struct questions {
    struct asking of[2];
    unsigned n;
};

static int64_t take_again(struct oriel_px *p, struct px_call *c, void *ctx)
{
    struct questions *q = ctx;
    bool waits = false;
    (void)c;
    for (unsigned i = 0; i < q->n; i++) {
        if (q->of[i].err == ORIEL_EAGAIN)
            q->of[i].err = resolve_take(&p->resolver, q->of[i].ticket, &q->of[i].answer);
        waits = waits || q->of[i].err == ORIEL_EAGAIN;
    }
    return waits ? PX_AGAIN : 0;
}

static void begin(struct oriel_px *p, struct questions *q, const struct dns_name *name, uint16_t type)
{
    struct asking *a = &q->of[q->n++];
    a->err = resolve_start(&p->resolver, p->px.now, name, type, &a->ticket);
    a->err = a->err ? a->err : ORIEL_EAGAIN;
}

/* Until all have an answer: getaddrinfo has no word for a signal. What cannot be waited for is taken back. */
static void ask(struct oriel_px *p, struct questions *q)
{
    const struct posix_call call = {.again = take_again, .ctx = q, .fds = &p->alarm, .fds_n = 1};
    p->resolver_next = resolver_step(&p->resolver, p->px.now);
    int64_t got;
    do
        got = posix_call(p, &call);
    while (got == -EINTR);
    for (unsigned i = 0; i < q->n && got < 0; i++)
        if (q->of[i].err == ORIEL_EAGAIN)
            resolve_cancel(&p->resolver, p->px.now, q->of[i].ticket);
}

/* As getaddrinfo says it. */
static int error_of(const struct questions *q, bool found)
{
    int err = EAI_NONAME;
    for (unsigned i = 0; i < q->n; i++)
        if (q->of[i].err != 0 && q->of[i].err != ORIEL_ENOENT)
            err = q->of[i].err == ORIEL_EINVAL ? EAI_NONAME : EAI_AGAIN;
    return found ? 0 : err;
}

static int ask_servers(struct lookup *k, struct oriel_px *p, const char *node,
                       char canonical[NI_MAXHOST])
{
    struct questions q = {.n = 0};
    struct dns_name name;
    if (!p->resolver_memory || !dns_name_of(span_str(node), &name))
        return EAI_NONAME;
    posix_enter(p);
    if (k->family != AF_INET6 || (k->flags & AI_V4MAPPED))
        begin(p, &q, &name, DNS_A);
    if (k->family != AF_INET)
        begin(p, &q, &name, DNS_AAAA);
    ask(p, &q);
    (void)posix_leave(p, 0);
    for (unsigned i = 0; i < q.n; i++)
        for (unsigned j = 0; q.of[i].err == 0 && j < q.of[i].answer.addrs_n; j++) {
            struct txt t = txt_of(canonical, NI_MAXHOST);
            dns_name_print(&t, &q.of[i].answer.name);
            keep(k, &q.of[i].answer.addrs[j]);
        }
    return error_of(&q, k->found_n > 0);
}

static int find(struct lookup *k, const char *node, char canonical[NI_MAXHOST])
{
    struct oriel_addr a;
    (void)snprintf(canonical, NI_MAXHOST, "%s", node ? node : "");
    if (!node) {
        nobody_named(k);
    } else if (oriel_addr_parse(node, &a) == 0) {
        keep(k, &a);
        if (k->found_n == 0)
            return EAI_ADDRFAMILY;
    } else if (k->flags & AI_NUMERICHOST) {
        return EAI_NONAME;
    } else {
        struct oriel_px *p = posix_here();
        if (!p)
            return EAI_SYSTEM;
        look_in_hosts(k, p->hosts, node, canonical);
        if (k->found_n == 0)
            return ask_servers(k, p, node, canonical);
    }
    return k->found_n > 0 ? 0 : EAI_NONAME;
}

/* ---- services ---- */

static int service_port(const char *service, int flags, const char *protocol, uint16_t *port)
{
    struct servent entry, *found = NULL;
    char buf[1024], *end;
    *port = 0;
    if (!service)
        return 0;
    unsigned long n = strtoul(service, &end, 10);
    if (*service >= '0' && *service <= '9' && *end == '\0') {
        *port = (uint16_t)n;
        return n <= 65535 ? 0 : EAI_SERVICE;
    }
    if (flags & AI_NUMERICSERV)
        return EAI_NONAME;
    if (getservbyname_r(service, protocol, &entry, buf, sizeof buf, &found) != 0 || !found)
        return EAI_SERVICE;
    *port = ntohs((uint16_t)entry.s_port);
    return 0;
}

/* Every kind of socket that was asked for, at one address. */
static int add_kinds(struct lookup *k, const struct oriel_addr *a, const char *service, int type,
                     int protocol)
{
    int err = EAI_SOCKTYPE;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if ((type && type != kinds[i].type) || (protocol && protocol != kinds[i].protocol))
            continue;
        int wrong = service_port(service, k->flags, kinds[i].name, &k->port);
        if (!wrong && !add(k, a, kinds[i].type, kinds[i].protocol))
            return EAI_MEMORY;
        err = err != 0 ? wrong : 0;             /* one of them is enough */
    }
    return err;
}

int oriel_px_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                         struct addrinfo **out)
{
    static const struct addrinfo none = {.ai_family = AF_UNSPEC};
    char canonical[NI_MAXHOST];
    const struct addrinfo *h = hints ? hints : &none;
    struct lookup k = {.family = h->ai_family, .flags = h->ai_flags, .last = &k.first};
    if (!node && !service)
        return EAI_NONAME;
    if (k.family != AF_UNSPEC && k.family != AF_INET && k.family != AF_INET6)
        return EAI_FAMILY;
    if ((k.flags & AI_CANONNAME) && !node)
        return EAI_BADFLAGS;
    int err = find(&k, node, canonical);
    k.canonical = k.flags & AI_CANONNAME ? canonical : NULL;
    for (unsigned i = 0; i < k.found_n && err == 0; i++)
        err = add_kinds(&k, &k.found[i], service, h->ai_socktype, h->ai_protocol);
    if (err)
        oriel_px_freeaddrinfo(k.first);
    *out = err ? NULL : k.first;
    return err;
}

const char *oriel_px_gai_strerror(int err)
{
    return gai_strerror(err);
}

/* ---- and back ---- */

static bool name_in_hosts(const char *path, const struct oriel_addr *a, char *host, socklen_t n)
{
    char line[HOSTS_LINE], *said = NULL;
    struct oriel_addr there;
    FILE *f = fopen(path, "re");
    bool found = false;
    while (f && !found && fgets(line, sizeof line, f)) {
        (void)line_names(line, "", &said, &there);
        found = said && addr_eq(&there, a) && (socklen_t)strlen(said) < n;
        if (found)
            memcpy(host, said, strlen(said) + 1);
        said = NULL;
    }
    if (f)
        fclose(f);
    return found;
}

static bool name_by_servers(struct oriel_px *p, const struct oriel_addr *a, char *host, socklen_t n)
{
    struct questions q = {.n = 0};
    struct dns_name name;
    if (!p->resolver_memory)
        return false;
    resolve_reverse(a, &name);
    posix_enter(p);
    begin(p, &q, &name, DNS_PTR);
    ask(p, &q);
    (void)posix_leave(p, 0);
    struct txt t = txt_of(host, n);
    if (q.of[0].err == 0)
        dns_name_print(&t, &q.of[0].answer.name);
    return q.of[0].err == 0 && t.n < n;
}

static int give_service(uint16_t port, char *service, socklen_t n, int flags)
{
    struct servent entry, *found = NULL;
    char buf[1024];
    bool named = !(flags & NI_NUMERICSERV) &&
                 getservbyport_r(htons(port), flags & NI_DGRAM ? "udp" : "tcp", &entry, buf,
                                 sizeof buf, &found) == 0 && found;
    int len = named ? snprintf(service, n, "%s", found->s_name) : snprintf(service, n, "%u", port);
    return len >= 0 && (socklen_t)len < n ? 0 : EAI_OVERFLOW;
}

int oriel_px_getnameinfo(const struct sockaddr *addr, socklen_t len, char *host, socklen_t host_n,
                         char *service, socklen_t service_n, int flags)
{
    struct oriel_endpoint e;
    if (!addr || px_sockaddr_parse(span_of(addr, len), &e) != 0 || addr->sa_family == AF_UNSPEC)
        return EAI_FAMILY;
    if (host && host_n > 0) {
        struct oriel_px *p = flags & NI_NUMERICHOST ? NULL : posix_here();
        bool named = p && (name_in_hosts(p->hosts, &e.addr, host, host_n) ||
                           name_by_servers(p, &e.addr, host, host_n));
        if (!named && (flags & NI_NAMEREQD))
            return EAI_NONAME;
        if (!named && oriel_addr_print(&e.addr, host, host_n) >= host_n)
            return EAI_OVERFLOW;
    }
    return service && service_n > 0 ? give_service(e.port, service, service_n, flags) : 0;
}
