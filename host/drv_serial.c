/*
 * Serial lines: PPP (src/link/ppp.h) or SLIP on a terminal device, or on a pseudo-terminal of our own.
 *
 * The driver's descriptor is an epoll of the line and a timer: it is readable when bytes came, when there is
 * room for more, and when something of PPP is due. So everything happens in rx; tx only puts packets into
 * the output, which is short, so that packets wait in the stack and not here.
 *
 * Opening waits until the two ends have agreed, since what they agree on is what the stack is told:
 * addresses, name servers, the size of packets. A line or a peer that is gone later is the end of the link,
 * or is waited for (persist); what was agreed on must then be agreed on again.
 */
#define _GNU_SOURCE
#include "host/serial.h"

#include "base/addr.h"
#include "host/loop.h"
#include "host/serial_frames.h"
#include "wire/slip.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define READ_BYTES   4096
#define RX_HEADROOM  88
#define LOOK_PTY     (50 * NS_PER_MS)   /* has somebody opened the other end? */
#define LOOK_DEVICE  NS_PER_S           /* is the device back? */
#define REDIAL       NS_PER_S           /* after an end, before the next try */
#define LATE_FAMILY  (3 * NS_PER_S)     /* for the second network protocol, once the first one is open */
#define GOODBYE_MS   500                /* for what we said last to be read, and answered */
#define LINK_LOCAL   0xfe80000000000000u

struct serial {
    struct drv d;
    struct serial_wish wish;
    char path[DRV_NAME_MAX];
    struct tty tty;
    int timer;
    bool there, was_there;      /* the line can be read and written; could, at some time */
    bool wants_out;             /* what epoll was told */
    bool given;                 /* the stack has been told what was agreed */
    oriel_time look_at;         /* for the line, while it is not there */
    oriel_time redial_at;       /* PPP begins anew; ORIEL_NEVER: it need not */
    oriel_time since;           /* one network protocol works; 0: none does */
    struct ppp ppp;
    struct serial_frames *frames;   /* NULL: nobody wants them */
    struct slip_rx slip;
    uint64_t bad;               /* frames that were counted as lost */
    uint8_t *memory;
    struct {
        uint8_t *p;
        size_t n, cap;
    } out;                      /* SLIP's */
    struct rd in;               /* of `bytes`, what was not looked at yet */
    uint8_t bytes[READ_BYTES];
    uint8_t packet[UINT16_MAX];
};

/* ---- the line ---- */

static void watch(struct serial *s, int how)
{
    struct epoll_event e = {.events = EPOLLIN | (s->wants_out ? EPOLLOUT : 0u)};
    (void)epoll_ctl(s->d.fd, how, s->tty.fd, &e);
}

static void line_up(struct serial *s, oriel_time now)
{
    s->there = s->was_there = true;
    s->wants_out = false;
    s->in = rd_of(span_of(s->bytes, 0));
    watch(s, EPOLL_CTL_ADD);
    if (s->wish.slip)
        slip_rx_init(&s->slip, s->slip.buf, s->slip.cap);
    else
        ppp_up(&s->ppp, now);
}

static void line_lost(struct serial *s, oriel_time now)
{
    watch(s, EPOLL_CTL_DEL);
    s->there = false;
    s->out.n = 0;
    s->redial_at = ORIEL_NEVER;
    s->since = 0;
    s->look_at = time_after(now, s->tty.pty ? LOOK_PTY : LOOK_DEVICE);
    if (!s->wish.slip)
        ppp_down(&s->ppp, now);
    if (!s->tty.pty)
        tty_close(&s->tty);
}

static void look_for_line(struct serial *s, oriel_time now)
{
    char error[DRV_ERROR_MAX];
    if (s->there || now < s->look_at)
        return;
    if (s->given && s->was_there && !s->wish.persist) {
        s->d.error = -EIO;
        s->d.gone = "the line was hung up";
        return;
    }
    bool open = s->tty.fd >= 0 || tty_open(&s->tty, &s->wish.tty, error);
    if (open && tty_is_there(&s->tty))
        line_up(s, now);
    else
        s->look_at = time_after(now, s->tty.pty ? LOOK_PTY : LOOK_DEVICE);
}

/* ---- what comes ---- */

static bool next_packet(struct serial *s, oriel_time now, struct span *packet)
{
    struct ppp_packet p;
    if (s->wish.slip)
        return slip_rx_next(&s->slip, &s->in, packet);
    bool any = ppp_input(&s->ppp, now, &s->in, &p);
    *packet = any ? p.bytes : span_of(NULL, 0);
    return any;
}

/* More bytes. False: none now. */
static bool more_bytes(struct serial *s, oriel_time now)
{
    ssize_t n = tty_read(&s->tty, s->bytes, sizeof(s->bytes));
    if (n < 0)
        line_lost(s, now);
    else
        s->in = rd_of(span_of(s->bytes, (size_t)n));
    if (n > 0)
        serial_frames_see(s->frames, false, s->bytes, (size_t)n);
    return n > 0;
}

static struct pkt *hand_up(struct serial *s, struct env *env, struct span packet)
{
    struct pkt *p = packet.n > 0 ? pkt_new_copy(env, RX_HEADROOM, packet) : NULL;
    if (!p)
        drv_lost(&s->d, packet.n > 0 ? DRV_LOST_MEMORY : DRV_LOST_SENSE, 1);
    s->d.rx_pkts += p != NULL;
    s->d.rx_bytes += p ? packet.n : 0;
    return p;
}

/* Frames of which nothing came but noise, or which made no sense. */
static void count_bad(struct serial *s)
{
    const struct ppp_rx *x = &s->ppp.rx;
    uint64_t bad = (uint64_t)x->aborts_n + x->shorts_n + x->overlong_n + x->bad_fcs_n + s->ppp.dropped +
                   s->slip.overlong_n;
    drv_lost(&s->d, DRV_LOST_SENSE, bad > s->bad ? bad - s->bad : 0);
    s->bad = bad;
}

static bool works(const struct serial *s)
{
    return s->there && (s->wish.slip || ppp_has_ip4(&s->ppp) || ppp_has_ip6(&s->ppp));
}

/* Packets, up to max. Without an env there is no stack yet: it is enough that all is agreed on. */
static unsigned hear(struct serial *s, struct env *env, struct pkt *out[], unsigned max, oriel_time now)
{
    struct span packet;
    unsigned n = 0;
    while (s->there && (env ? n < max : !ppp_is_settled(&s->ppp))) {
        if (rd_done(&s->in) && !more_bytes(s, now))
            break;
        struct pkt *p = next_packet(s, now, &packet) && env ? hand_up(s, env, packet) : NULL;
        if (p)
            out[n++] = p;
    }
    count_bad(s);
    return n;
}

/* ---- what leaves ---- */

static struct span pending(const struct serial *s)
{
    return s->wish.slip ? span_of(s->out.p, s->out.n) : span_of(s->ppp.out.p, s->ppp.out.n);
}

static void write_out(struct serial *s, oriel_time now)
{
    struct span bytes = pending(s);
    ssize_t n = s->there && bytes.n > 0 ? tty_write(&s->tty, bytes.p, bytes.n) : 0;
    if (n < 0) {
        line_lost(s, now);
        return;
    }
    serial_frames_see(s->frames, true, bytes.p, (size_t)n);
    if (s->wish.slip) {
        s->out.n -= (size_t)n;
        memmove(s->out.p, s->out.p + n, s->out.n);
    } else {
        ppp_written(&s->ppp, (size_t)n);
    }
    bool wants_out = pending(s).n > 0;
    if (s->there && wants_out != s->wants_out) {
        s->wants_out = wants_out;
        watch(s, EPOLL_CTL_MOD);
    }
}

static bool can_send(const struct serial *s)
{
    if (!s->wish.slip)
        return s->there && ppp_can_send(&s->ppp);
    return s->there && s->out.cap - s->out.n >= slip_encoded_max(s->d.caps.mtu);
}

static enum ppp_sent send_one(struct serial *s, const struct pkt *p)
{
    size_t n = pkt_len(p);
    if (!can_send(s))
        return PPP_LATER;
    if (n == 0 || n > s->d.caps.mtu)
        return PPP_NEVER;
    pkt_read(p, 0, s->packet, n);
    struct rd r = rd_of(span_of(s->packet, n));
    if (!s->wish.slip)
        return ppp_send(&s->ppp, (struct ppp_packet){rd_u8(&r) >> 4 == 6, span_of(s->packet, n)});
    struct wr w = wr_of(s->out.p + s->out.n, s->out.cap - s->out.n);
    slip_emit(&w, span_of(s->packet, n));
    s->out.n += wr_len(&w);
    return PPP_SENT;
}

static unsigned serial_tx(struct drv *d, struct pkt *const pkts[], unsigned n)
{
    struct serial *s = (struct serial *)(void *)d;
    unsigned i = 0;
    oriel_time now = host_now();
    while (i < n) {
        if (!can_send(s))
            write_out(s, now);
        enum ppp_sent sent = send_one(s, pkts[i]);
        if (sent == PPP_LATER)
            break;
        d->tx_pkts += sent == PPP_SENT;
        d->tx_bytes += sent == PPP_SENT ? pkt_len(pkts[i]) : 0;
        d->tx_dropped += sent == PPP_NEVER;
        i++;
    }
    write_out(s, now);
    d->tx_full += i < n;
    return i;
}

/* ---- time ---- */

/* The link has ended: that is all, once what came before was handed up, or it begins anew in a moment. */
static void look_at_end(struct serial *s, oriel_time now, bool all)
{
    if (s->wish.slip || !s->there || s->ppp.end == PPP_END_NONE)
        return;
    s->since = 0;
    if (s->wish.persist) {
        s->redial_at = s->redial_at == ORIEL_NEVER ? time_after(now, REDIAL) : s->redial_at;
    } else if (s->given && all) {
        s->d.error = -ECONNRESET;
        s->d.gone = ppp_end_text(s->ppp.end);
    }
}

static void redial(struct serial *s, oriel_time now)
{
    if (!s->there || now < s->redial_at)
        return;
    s->redial_at = ORIEL_NEVER;
    ppp_up(&s->ppp, now);
}

/* The stack has an address already: it cannot be another one. */
static void look_at_address(struct serial *s)
{
    const struct drv_given *g = &s->d.given;
    bool was_given = s->given && !s->wish.slip && g->addrs_n > 0 && addr_is_v4(&g->addrs[0].addr);
    if (was_given && ppp_has_ip4(&s->ppp) && (uint32_t)g->addrs[0].addr.lo != ppp_addr4(&s->ppp)) {
        s->d.error = -EADDRNOTAVAIL;
        s->d.gone = "the other end has another address for us than before";
    }
}

static void arm(struct serial *s, oriel_time next)
{
    struct itimerspec t = {.it_value = {.tv_sec = 0}};
    if (!s->there && s->look_at < next)
        next = s->look_at;
    if (s->there && s->redial_at < next)
        next = s->redial_at;
    if (next != ORIEL_NEVER)
        t.it_value = (struct timespec){(time_t)(next / NS_PER_S), (long)(next % NS_PER_S)};
    (void)timerfd_settime(s->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

static unsigned turn(struct serial *s, struct env *env, struct pkt *out[], unsigned max)
{
    oriel_time now = host_now(), next = ORIEL_NEVER;
    uint64_t expired;
    (void)!read(s->timer, &expired, sizeof expired);
    look_for_line(s, now);
    redial(s, now);
    unsigned n = hear(s, env, out, max, now);
    if (s->there && !s->wish.slip)
        next = ppp_run(&s->ppp, now);
    look_at_end(s, now, n == 0);
    look_at_address(s);
    write_out(s, now);
    arm(s, next);
    s->since = !works(s) ? 0 : s->since ? s->since : now;
    s->d.resumed = can_send(s);
    return n;
}

static unsigned serial_rx(struct drv *d, struct env *env, struct pkt *out[], unsigned max)
{
    return turn((struct serial *)(void *)d, env, out, max);
}

/* ---- opening ---- */

/* What was said last, and the answer to a goodbye. */
static void let_leave(struct serial *s)
{
    oriel_time until = host_now() + GOODBYE_MS * NS_PER_MS;
    for (unsigned quiet = 0; s->there && quiet < 2 && host_now() < until;) {
        (void)turn(s, NULL, NULL, 0);
        bool done = pending(s).n == 0 && s->ppp.phase == PPP_DEAD && tty_is_drained(&s->tty);
        quiet = done ? quiet + 1 : 0;
        (void)poll(NULL, 0, s->tty.pty || !done ? 10 : 0);
    }
}

static void serial_close(struct drv *d)
{
    struct serial *s = (struct serial *)(void *)d;
    s->wish.persist = false;
    if (s->there && !s->wish.slip)
        ppp_close(&s->ppp, host_now());
    let_leave(s);
    tty_close(&s->tty);
    if (s->timer >= 0)
        close(s->timer);
    if (d->fd >= 0)
        close(d->fd);
    serial_frames_close(s->frames);
    free(s->memory);
    free(s);
}

/* What was agreed on, for the stack and for people. */
static void tell(struct serial *s)
{
    struct drv_given *g = &s->d.given;
    const struct ppp *l = &s->ppp;
    char us[ADDR_TEXT_MAX], peer[ADDR_TEXT_MAX];
    if (ppp_has_ip4(l)) {
        struct oriel_addr a = addr_v4(ppp_addr4(l)), b = addr_v4(l->peer4);
        g->addrs[g->addrs_n++] = (struct drv_addr){a, 128};
        if (l->peer4)
            g->gateways[g->gateways_n++] = b;
        (void)oriel_addr_print(&a, us, sizeof us);
        (void)oriel_addr_print(&b, peer, sizeof peer);
        drv_note(&s->d, "PPP: %s here, %s at the other end", us, l->peer4 ? peer : "no address");
    }
    if (ppp_has_ip6(l)) {
        struct oriel_addr a = addr_v6(LINK_LOCAL, ppp_ifid(l)), b = addr_v6(LINK_LOCAL, l->peer_ifid);
        g->addrs[g->addrs_n++] = (struct drv_addr){a, 64};
        (void)oriel_addr_print(&a, us, sizeof us);
        (void)oriel_addr_print(&b, peer, sizeof peer);
        drv_note(&s->d, "PPP: %s here, %s at the other end", us, peer);
    }
    for (unsigned i = 0; i < 2; i++)
        if (ppp_dns4(l, i))
            g->dns[g->dns_n++] = addr_v4(ppp_dns4(l, i));
    drv_note(&s->d, "packets of up to %u bytes; %u name servers", s->d.caps.mtu, g->dns_n);
}

static bool is_ready(const struct serial *s, oriel_time now)
{
    if (s->wish.slip)
        return true;
    return works(s) && (ppp_is_settled(&s->ppp) || now >= time_after(s->since, LATE_FAMILY));
}

static bool await_link(struct serial *s, char error[DRV_ERROR_MAX])
{
    oriel_time now = host_now(), until = s->wish.wait_s ? now + s->wish.wait_s * NS_PER_S : ORIEL_NEVER;
    for (;; now = host_now()) {
        struct pollfd p = {.fd = s->d.fd, .events = POLLIN};
        (void)turn(s, NULL, NULL, 0);
        if (is_ready(s, now))
            return true;
        if (s->ppp.end != PPP_END_NONE && !s->wish.persist)
            return drv_error(error, "%s: %s", s->path, ppp_end_text(s->ppp.end));
        if (now >= until)
            return drv_error(error, "%s: no link within %u seconds (wait=): %s", s->path, s->wish.wait_s,
                             s->there ? "nothing was agreed on" : "nobody is at the other end of the line");
        (void)poll(&p, 1, 100);
    }
}

static bool make_ready(struct serial *s, char error[DRV_ERROR_MAX])
{
    struct epoll_event e = {.events = EPOLLIN};
    s->d.fd = epoll_create1(EPOLL_CLOEXEC);
    s->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (s->d.fd < 0 || s->timer < 0 || epoll_ctl(s->d.fd, EPOLL_CTL_ADD, s->timer, &e) != 0)
        return drv_error(error, "%s: %s", s->path, strerror(errno));
    return tty_open(&s->tty, &s->wish.tty, error);
}

static bool begin_ppp(struct serial *s, char error[DRV_ERROR_MAX])
{
    struct ppp_config *c = &s->wish.ppp;
    c->mtu = c->mtu ? c->mtu : PPP_MRU;
    s->memory = malloc(ppp_in_bytes(c->mru) + ppp_out_bytes(c->mtu));
    if (!s->memory || getrandom(c->seed, sizeof c->seed, 0) != sizeof c->seed)
        return drv_error(error, "%s: no memory, or no randomness", s->path);
    c->in = s->memory;
    c->out = s->memory + ppp_in_bytes(c->mru);
    ppp_init(&s->ppp, c);
    if (*s->wish.frames)
        s->frames = serial_frames_open(s->wish.frames, s->path, error);
    return !*s->wish.frames || s->frames;
}

static bool begin_slip(struct serial *s, const struct drv_spec *spec, char error[DRV_ERROR_MAX])
{
    size_t mtu = spec->mtu ? spec->mtu : SLIP_FRAME_MAX;
    s->out.cap = 2 * slip_encoded_max(mtu);
    s->memory = malloc(mtu + s->out.cap);
    if (!s->memory)
        return drv_error(error, "%s: no memory", s->path);
    slip_rx_init(&s->slip, s->memory, mtu);
    s->out.p = s->memory + mtu;
    s->d.caps.mtu = (uint32_t)mtu;
    return true;
}

static bool begin(struct serial *s, const struct drv_spec *spec, char error[DRV_ERROR_MAX])
{
    if (!(s->wish.slip ? begin_slip(s, spec, error) : begin_ppp(s, error)) || !make_ready(s, error))
        return false;
    if (s->tty.pty)
        drv_note(&s->d, "the other end of the line is %s", s->tty.other);
    if (!await_link(s, error))
        return false;
    s->given = true;
    if (s->wish.slip)
        return true;
    s->d.caps.mtu = ppp_mtu(&s->ppp);
    tell(s);
    return true;
}

static struct drv *serial_open(const struct drv_spec *spec, char error[DRV_ERROR_MAX])
{
    struct serial *s = calloc(1, sizeof(*s));
    if (!s) {
        (void)drv_error(error, "no memory");
        return NULL;
    }
    s->d = (struct drv){.kind = spec->kind, .fd = -1, .caps = {.ip = true}};
    s->timer = s->tty.fd = -1;
    s->redial_at = ORIEL_NEVER;
    memcpy(s->path, spec->where, sizeof s->path);
    memcpy(s->d.name, spec->where, sizeof s->d.name);
    bool good = serial_wish_read(&s->wish, spec, error);
    s->wish.tty.path = s->path;
    if (good && begin(s, spec, error))
        return &s->d;
    serial_close(&s->d);
    return NULL;
}

const struct drv_kind drv_serial = {
    .name = "serial",
    .where = "DEVICE",
    .help = "PPP or SLIP on a serial line, or on a pseudo-terminal that is made for it",
    .needs = "read and write permission on the device; serial:PATH,pty needs nothing",
    .keys = serial_keys,
    .open = serial_open,
    .rx = serial_rx,
    .tx = serial_tx,
    .close = serial_close,
};
