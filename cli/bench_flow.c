/* What the ends of a benchmark do on the stack. */
#include "cli/bench.h"

#include <stdlib.h>

#define ECHO_BYTES   65536
#define CONNECT_WAIT (3 * NS_PER_S)

/* ---- either end ---- */

/* Fill the send buffer, through the window. The bytes taken. */
static uint64_t pour(struct bench *b, struct bench_flow *f, uint64_t most, char first)
{
    struct oriel_stack *s = b->n->stack;
    uint64_t n = 0;
    for (struct oriel_room room; n < most && (room = oriel_send_window(s, f->sock)).n > 0;) {
        size_t k = most - n < room.n ? (size_t)(most - n) : room.n;
        memset(room.p, 0, k);
        if (n == 0 && first != 0)
            memcpy(room.p, &first, 1);
        if (oriel_send_commit(s, f->sock, k) < 0)
            break;
        n += k;
    }
    return n;
}

/* Throw away what came. The bytes; negative: the end, or an error that is no end. */
static int64_t drain(struct bench *b, struct bench_flow *f)
{
    struct oriel_stack *s = b->n->stack;
    struct oriel_bytes v[8];
    int64_t n = 0;
    for (int got; (got = oriel_recv_view(s, f->sock, v, ARRAY_LEN(v))) != ORIEL_EAGAIN;) {
        size_t k = 0;
        if (got <= 0)
            return n > 0 ? n : got < 0 ? got : ORIEL_ENOTCONN;
        for (int i = 0; i < got; i++)
            k += v[i].n;
        if (oriel_recv_release(s, f->sock, k) < 0)
            break;
        n += (int64_t)k;
    }
    return n;
}

static void end_flow(struct bench *b, struct bench_flow *f, bool abort_it)
{
    struct oriel_tcp_info i;
    if (f->sock == 0)
        return;
    if (oriel_tcp_info(b->n->stack, f->sock, &i) == 0) {
        b->retrans += i.total_retrans;
        summary_info(netrun_summary(b->n), &i, 0);
    }
    if (abort_it)
        best_effort(oriel_abort(b->n->stack, f->sock));
    else
        best_effort(oriel_close(b->n->stack, f->sock));
    free(f->echo);
    *f = (struct bench_flow){.sock = 0};
}

/* ---- the server ---- */

/* Back with what came, as far as there is room. False: the flow is over. */
static bool echo(struct bench *b, struct bench_flow *f)
{
    struct oriel_stack *s = b->n->stack;
    f->echo = f->echo ? f->echo : malloc(ECHO_BYTES);
    for (int got = 1; f->echo;) {
        if (f->sent == f->held) {
            got = oriel_recv(s, f->sock, f->echo, ECHO_BYTES, NULL);
            f->held = got > 0 ? (uint32_t)got : 0;
            f->sent = 0;
        }
        if (got <= 0)
            return got == ORIEL_EAGAIN;
        int put = oriel_send(s, f->sock, f->echo + f->sent, f->held - f->sent, NULL);
        if (put < 0)
            return put == ORIEL_EAGAIN;
        f->sent += (uint32_t)put;
        b->bytes += (uint32_t)put;
    }
    return false;
}

static void serve(struct bench *b, struct bench_flow *f)
{
    struct oriel_msg peek = {.flags = ORIEL_MSG_PEEK};
    if (f->what == 0 && oriel_recv(b->n->stack, f->sock, &f->what, 1, &peek) <= 0) {
        int64_t n = drain(b, f);
        if (n < 0 && n != ORIEL_EAGAIN)
            end_flow(b, f, false);
        return;
    }
    bool goes_on = true;
    int64_t n = 0;
    switch (f->what) {
    case 'E': goes_on = echo(b, f); break;
    case 'C': goes_on = false; n = drain(b, f); break;
    case 'S':
        n = drain(b, f);
        goes_on = n >= 0;
        b->bytes += goes_on ? pour(b, f, UINT64_MAX, 0) : 0;
        break;
    default:
        n = drain(b, f);
        goes_on = n >= 0;
        b->bytes += n > 0 ? (uint64_t)n : 0;
        break;
    }
    if (!goes_on)
        end_flow(b, f, false);
}

static void accept_all(struct bench *b)
{
    for (unsigned i = 0; i < b->flows_n; i++) {
        struct bench_flow *f = &b->flows[i];
        if (f->sock != 0)
            continue;
        if (oriel_accept(b->n->stack, b->listener, &f->sock, NULL) < 0)
            return;
        f->open = true;
        b->turns++;
    }
}

/* ---- the client ---- */

static int connect_flow(struct bench *b, struct bench_flow *f)
{
    struct oriel_stack *s = b->n->stack;
    *f = (struct bench_flow){.sock = 0};
    int err = oriel_tcp_open(s, addr_is_v4(&b->to.addr) ? ORIEL_IP4 : ORIEL_IP6, &f->sock);
    if (err >= 0)
        err = oriel_setopt(s, f->sock, ORIEL_OPT_NODELAY, 1);
    if (err >= 0)
        err = netrun_congestion(b->n, f->sock);
    if (err >= 0)
        err = oriel_connect(s, f->sock, &b->to);
    return err < 0 ? err : 0;
}

static void fail(struct bench *b, int err)
{
    b->error = err ? err : ORIEL_ECONNRESET;
    b->over = true;
}

static void note_time(struct bench *b, oriel_time t)
{
    uint64_t us = t / 1000;
    if (b->began != 0 && b->times_n < BENCH_TIMES)
        b->times_us[b->times_n++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

/* One request after the other; each is answered before the next. */
static void ask(struct bench *b, struct bench_flow *f, oriel_time now)
{
    for (;;) {
        int64_t n = f->due > 0 && f->left == 0 ? drain(b, f) : 0;
        if (n < 0)
            return fail(b, (int)n);
        f->due -= (uint32_t)n < f->due ? (uint32_t)n : f->due;
        if (f->left == 0 && f->due == 0) {
            if (f->asked != 0) {
                note_time(b, now - f->asked);
                b->turns += b->began != 0;
                b->bytes += b->began != 0 ? b->size : 0;
            }
            f->left = f->due = b->size;
            f->asked = now;
        }
        uint32_t sent = (uint32_t)pour(b, f, f->left, 'E');
        f->left -= sent;
        if (sent == 0)
            return;
    }
}

static void knock(struct bench *b, struct bench_flow *f, oriel_time now)
{
    if (f->left == 0 && f->asked == 0) {
        f->asked = now;
        (void)pour(b, f, 1, 'C');
    }
    if (drain(b, f) >= 0)
        return;
    b->turns += b->began != 0;
    note_time(b, now - f->asked);
    end_flow(b, f, true);           /* or the other end's TIME-WAIT would refuse the next program */
    int err = connect_flow(b, f);
    if (err < 0)
        fail(b, err);
}

static void move(struct bench *b, struct bench_flow *f, oriel_time now)
{
    uint32_t ready = oriel_ready(b->n->stack, f->sock);
    int64_t err = 0, n;
    if (ready & ORIEL_FAILED) {
        best_effort(oriel_getopt(b->n->stack, f->sock, ORIEL_OPT_ERROR, &err));
        return fail(b, (int)err);
    }
    if (!f->open && !(ready & ORIEL_WRITABLE))
        return;
    bool first = !f->open;
    f->open = b->any_open = true;
    switch (b->kind) {
    case BENCH_BULK:
        n = (int64_t)pour(b, f, UINT64_MAX, first ? 'D' : 0);
        b->bytes += b->began != 0 ? (uint64_t)n : 0;
        break;
    case BENCH_REVERSE:
        if (first)
            (void)pour(b, f, 1, 'S');
        n = drain(b, f);
        if (n < 0)
            return fail(b, (int)n);
        b->bytes += b->began != 0 ? (uint64_t)n : 0;
        break;
    case BENCH_RR:   ask(b, f, now); break;
    case BENCH_CONN: knock(b, f, now); break;
    }
}

static bool all_open(const struct bench *b)
{
    for (unsigned i = 0; i < b->flows_n; i++)
        if (!b->flows[i].open)
            return false;
    return true;
}

/* ---- the verb's application ---- */

void bench_step(void *ctx, oriel_time now)
{
    struct bench *b = ctx;
    if (b->serves)
        accept_all(b);
    for (unsigned i = 0; i < b->flows_n && !b->over; i++) {
        struct bench_flow *f = &b->flows[i];
        if (f->sock != 0 && b->serves)
            serve(b, f);
        else if (f->sock != 0)
            move(b, f, now);
    }
    if (b->serves || b->over)
        return;
    if (b->began == 0 && (b->kind == BENCH_CONN ? b->any_open : all_open(b))) {
        b->began = now;
        b->until = now + b->length;
    }
    if (now >= b->until && b->began == 0)
        fail(b, ORIEL_ETIMEDOUT);
    b->over = b->over || now >= b->until;
}

oriel_time bench_deadline(const void *ctx)
{
    const struct bench *b = ctx;
    return b->serves ? ORIEL_NEVER : b->until;
}

bool bench_busy(const void *ctx)
{
    const struct bench *b = ctx;
    return !b->over;
}

static int start_server(struct bench *b)
{
    struct oriel_stack *s = b->n->stack;
    int err = oriel_tcp_open(s, ORIEL_DUAL, &b->listener);
    if (err >= 0)
        err = netrun_congestion(b->n, b->listener);
    if (err >= 0)
        err = oriel_bind(s, b->listener, &b->to);
    if (err >= 0)
        err = oriel_listen(s, b->listener, &(struct oriel_listen){.backlog = 512});
    return err < 0 ? err : 0;
}

int bench_start(struct bench *b)
{
    b->flows = calloc(b->flows_n, sizeof *b->flows);
    b->times_us = malloc(BENCH_TIMES * sizeof *b->times_us);
    if (!b->flows || !b->times_us)
        return ORIEL_ENOBUFS;
    if (b->serves)
        return start_server(b);
    b->until = netrun_now(b->n) + CONNECT_WAIT;
    int err = 0;
    for (unsigned i = 0; i < b->flows_n && err == 0; i++)
        err = connect_flow(b, &b->flows[i]);
    return err;
}

void bench_stop(struct bench *b)
{
    for (unsigned i = 0; b->flows && i < b->flows_n; i++)
        end_flow(b, &b->flows[i], true);
    if (b->listener)
        best_effort(oriel_close(b->n->stack, b->listener));
    free(b->flows);
    free(b->times_us);
}
