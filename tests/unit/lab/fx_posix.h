/*
 * Socket calls over a stack that has a loopback interface: both ends of every connection are ours.
 *
 *     struct fx_px f;
 *     fx_px_open(&f);
 *     int64_t fd = px_socket(&f.px, 3, PX_AF_INET, PX_SOCK_STREAM, 0);
 *     fx_px_run(&f, NS_PER_MS);
 */
#ifndef ORIEL_TESTS_FX_POSIX_H
#define ORIEL_TESTS_FX_POSIX_H

#include "test.h"

#include "lab/posix.h"

#define FX_PX_STACK ((size_t)24 << 20)
#define FX_PX_ARENA ((size_t)4 << 20)
#define FX_PX_FILES 200
#define FX_PX_START (100 * NS_PER_S)

struct fx_px {
    void *memory, *more;
    struct arena arena;
    struct oriel_stack *stack;
    struct px px;
};

static inline void fx_px_open(struct fx_px *f)
{
    struct oriel_config cfg;
    struct oriel_netif_config lo = {.name = "lo", .kind = ORIEL_NETIF_LOOPBACK};
    f->memory = malloc(FX_PX_STACK);
    f->more = malloc(FX_PX_ARENA);
    assert_non_null(f->memory);
    assert_non_null(f->more);
    oriel_config_init(&cfg);
    cfg.memory = f->memory;
    cfg.memory_bytes = FX_PX_STACK;
    cfg.now = FX_PX_START;
    f->stack = oriel_create(&cfg);
    assert_non_null(f->stack);
    EXPECT(oriel_netif_add(f->stack, &lo) > 0);
    arena_init(&f->arena, f->more, FX_PX_ARENA);
    EXPECT(px_init(&f->px, f->stack, &f->arena, FX_PX_FILES, 16));
    f->px.now = FX_PX_START;
}

/* That much time passes. */
static inline void fx_px_run(struct fx_px *f, oriel_time d)
{
    oriel_time end = f->px.now + d;
    for (oriel_time next; (next = oriel_next_deadline(f->stack)) <= end;) {
        f->px.now = next > f->px.now ? next : f->px.now;
        oriel_step(f->stack, f->px.now, NULL);
        px_on_step(&f->px);
    }
    f->px.now = end;
    oriel_step(f->stack, end, NULL);
    px_on_step(&f->px);
}

static inline void fx_px_close(struct fx_px *f)
{
    px_fini(&f->px);
    oriel_destroy(f->stack);
    arena_init(&f->arena, f->more, FX_PX_ARENA);
    free(f->memory);
    free(f->more);
}

static inline struct oriel_endpoint fx_px_at(uint16_t port)
{
    return (struct oriel_endpoint){.addr = addr_v4(0x7f000001), .port = port};
}

static inline struct px_call fx_px_call(const struct fx_px *f)
{
    return px_call_new(f->px.now);
}

/* A listener 3 and both ends of a connection, 4 and 5 (accepted); all but 3 block. */
static inline void fx_px_pair(struct fx_px *f)
{
    struct oriel_endpoint at = fx_px_at(80), peer;
    struct px_call c = fx_px_call(f);
    EXPECT_EQ(px_socket(&f->px, 3, PX_AF_INET, PX_SOCK_STREAM | PX_SOCK_NONBLOCK, 0), 3);
    EXPECT_EQ(px_bind(&f->px, 3, &at), 0);
    EXPECT_EQ(px_listen(&f->px, 3, 5), 0);
    EXPECT_EQ(px_socket(&f->px, 4, PX_AF_INET, PX_SOCK_STREAM, PX_IPPROTO_TCP), 4);
    EXPECT_EQ(px_connect(&f->px, &c, 4, &at), PX_AGAIN);
    fx_px_run(f, NS_PER_MS);
    EXPECT_EQ(px_connect(&f->px, &c, 4, &at), 0);
    c = fx_px_call(f);
    EXPECT_EQ(px_accept(&f->px, &c, 3, 5, 0, &peer), 5);
    EXPECT_EQ((uint32_t)peer.addr.lo, 0x7f000001);
}

/* A write or read of n bytes at p. */
static inline int64_t fx_px_send(struct fx_px *f, int fd, const void *p, size_t n, uint32_t flags)
{
    struct px_call c = fx_px_call(f);
    struct px_io io = {.fd = fd, .bytes = (uint8_t *)(uintptr_t)p, .n = n, .flags = flags};
    return px_send(&f->px, &c, &io);
}

static inline int64_t fx_px_recv(struct fx_px *f, int fd, void *p, size_t n, uint32_t flags)
{
    struct px_call c = fx_px_call(f);
    struct px_io io = {.fd = fd, .bytes = p, .n = n, .flags = flags};
    return px_recv(&f->px, &c, &io);
}

#endif
