/*
 * A stack for a verb: in real time on a link (--link), or a node of a lab in virtual time (--lab, --on,
 * or --link lab:NAME,node=NODE). The verb's application runs in either.
 *
 *     struct netrun *n;
 *     int status = netrun_open(&n, a, stdout, ORIEL_NEVER);
 *     if (status != EXIT_OK)
 *         return status;
 *     ... n->stack, netrun_now(n), netrun_loop(n) ...
 *     struct netrun_app app = {.step = ..., .deadline = ..., .busy = ..., .ctx = me};
 *     status = netrun_run(n, &app);            until it is not busy, or Ctrl-C
 *     return netrun_close(n, status);          summary, files
 *
 * A first Ctrl-C ends netrun_run: the verb says what it knows, the summary and the files follow. A
 * second one ends the program.
 */
#ifndef ORIEL_CLI_NETRUN_H
#define ORIEL_CLI_NETRUN_H

#include "cli/control.h"
#include "cli/labrun.h"
#include "cli/observe.h"
#include "host/gateway.h"
#include "host/live_svc.h"

/* The options of every verb that opens a link; letters of --write and --verbose, or 0. */
#define NETRUN_OPTS(w_letter, v_letter)                                                            \
    {.name = "link", .type = OPT_TEXT, .arg = "SPEC",                                              \
     .help = "The link: KIND:WHERE,addr=A/LEN,gw=A and so on (`oriel link list` shows the kinds), " \
             "`user` for the system's own sockets behind a gateway, or lab:NAME,node=NODE. Without " \
             "it and --lab: user."},                                                               \
    {.name = "lab", .type = OPT_TEXT, .arg = "NAME",                                               \
     .help = "Instead of a link, a scenario: a name that `oriel lab list` shows, or a path. It runs " \
             "in virtual time."},                                                                  \
    {.name = "on", .type = OPT_TEXT, .arg = "NODE",                                                \
     .help = "The host or router of the lab that the verb is about."},                             \
    {.name = "at", .type = OPT_DURATION, .arg = "TIME",                                            \
     .help = "Let the lab run up to TIME first, with its own actions; a link as long."},           \
    {.name = "set", .type = OPT_TEXT, .arg = "KEY=VALUE", .repeats = true,                         \
     .help = "Give a parameter of the scenario another value."},                                   \
    {.name = "no-check", .type = OPT_FLAG,                                                         \
     .help = "Do not let the checkers look at the lab after every moment."},                       \
    OBSERVE_OPTS(v_letter),                                                                        \
    WATCH_OPTS(w_letter)

/* What a verb wants to happen on its stack. */
struct netrun_app {
    void (*step)(void *ctx, oriel_time now);            /* after every step of the stack */
    oriel_time (*deadline)(const void *ctx);            /* when to call it at the latest */
    bool (*busy)(const void *ctx);                      /* false: it is over */
    void *ctx;
};

struct netrun {
    const struct args *args;
    struct labrun *lab;             /* NULL: a link, in real time */
    uint16_t lab_node;
    struct lab_outside outside;
    struct lab_app *lab_app;
    struct live *live;
    struct loop own_loop;           /* of a lab: descriptors that an application looks at */
    unsigned sources;               /* in it, beside the signals */
    struct world *world;
    struct node *me;
    struct oriel_stack *stack;      /* of `me` */
    int netif;                      /* that is plugged into the link; in a lab the node's first */
    struct drv_spec spec;
    struct drv *drv;                /* NULL: user */
    struct gateway *gateway;        /* user */
    struct live_svc *svc;           /* of a link: DHCP, names */
    struct observe seen;            /* of a link */
    FILE *page;
    struct control *control;
    const struct netrun_app *app;
    bool stepping;                  /* the live world calls our step */
    char *kept;                     /* what an application printed while a ladder was drawn */
    size_t kept_n;
    uint8_t *buffer;                /* APP_BUFFER bytes, for applications */
    int signals;                    /* an eventfd that Ctrl-C makes readable */
    struct loop_source on_signal;
    bool interrupted;
};

/*
 * Open and configure what the options name. page: where a ladder is drawn, stderr for verbs whose data
 * goes to standard output. A lab runs up to --at, without it to `otherwise`. EXIT_USAGE or EXIT_SETUP
 * after a message.
 */
int netrun_open(struct netrun **out, const struct args *a, FILE *page, oriel_time otherwise);

oriel_time netrun_now(const struct netrun *n);
struct loop *netrun_loop(struct netrun *n);

/* A descriptor of the application's; to be removed before netrun_close. */
bool netrun_add(struct netrun *n, struct loop_source *s);
void netrun_remove(struct netrun *n, struct loop_source *s);

/* After calls into the stack from a descriptor's on_ready: what it has to say leaves. */
void netrun_poke(struct netrun *n);

/*
 * Until the application is not busy. EXIT_OK also after Ctrl-C (n->interrupted); EXIT_SETUP after a
 * message: the link is gone. In a lab also when nothing can happen any more.
 */
int netrun_run(struct netrun *n, const struct netrun_app *app);

/* The index of a port of the node by name, such as eth0; 0: there is none. */
int netrun_port(const struct netrun *n, const char *name);

/*
 * For verbs that show tables: a link runs as long as --at says, without it until its addresses can be
 * used. EXIT_OK, or a status after a message.
 */
int netrun_settle(struct netrun *n);

/* Let it run for `most`, or until `done` says so; done may be NULL. */
int netrun_wait(struct netrun *n, oriel_time most, bool (*done)(void *ctx), void *ctx);

/*
 * Until the addresses of that family can be used (duplicate detection takes a second), or for `most`.
 */
int netrun_ready(struct netrun *n, bool v4, oriel_time most);

/*
 * An address of text; on a link also a name, which name servers are asked for (then time passes); in a
 * lab also the name of a node. A name means its address of that family, with ORIEL_DUAL its IPv4
 * address if it has one. With `user` loopback is the system's, which the gateway leads to. False after a
 * message.
 */
bool netrun_addr(struct netrun *n, const char *text, enum oriel_family family,
                 struct oriel_addr *out);

/* --cc, on a socket: in a lab the stacks are the scenario's. 0, or an enum oriel_err. */
ORIEL_MUST_USE int netrun_congestion(const struct netrun *n, oriel_handle h);

/* What a program ends with whose connection ended with that enum oriel_err, or with 0. */
int netrun_status(int err);

/*
 * Where an application of a verb prints: as it comes; with a ladder on the same page when netrun_show
 * is called, which ends the ladder; with -w - nowhere.
 */
struct app_host netrun_host(struct netrun *n);
void netrun_show(struct netrun *n);

/* Where connections that end are noted. */
struct summary *netrun_summary(struct netrun *n);

/* netrun_svc.c: DHCP where no address is given, until there is one, and a resolver. EXIT_OK, or a status
 * after a message. */
int netrun_open_services(struct netrun *n);
bool netrun_lookup(struct netrun *n, const char *text, enum oriel_family family,
                   struct oriel_addr *out);

/* netrun_user.c: the world of --link user, in the live world that is open. False: a sentence. */
bool netrun_open_user(struct netrun *n, const struct wire_params *wire, char error[DRV_ERROR_MAX]);

/* Summary, files, everything released. `status`, or what went wrong here. */
int netrun_close(struct netrun *n, int status);

#endif
