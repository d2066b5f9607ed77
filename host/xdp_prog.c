/*
 * Registers: r7 is the context, r6 and r8 where the frame begins and ends. Two ends, PASS and TAKE, stand
 * behind everything else; jumps to them are written with a mark in place of a distance, which is known last.
 *
 * Words of a frame are loaded as the machine has them, so what they are compared with is turned the same way.
 */
#include "host/xdp_prog.h"

#include "base/addr.h"

#include <linux/if_ether.h>
#include <string.h>

#define TO_PASS (-1)
#define TO_TAKE (-2)

#define CTX   BPF_REG_7
#define FRAME BPF_REG_6
#define END   BPF_REG_8

static void put(struct xdp_prog *g, unsigned code, unsigned dst, unsigned src, int off, int32_t imm)
{
    ORIEL_ASSERT(g->n < XDP_PROG_MAX);
    g->code[g->n++] = (struct bpf_insn){
        .code = (__u8)code,
        .dst_reg = dst & 15,
        .src_reg = src & 15,
        .off = (__s16)off,
        .imm = imm,
    };
}

/* r0 is that word of the frame. */
static void load(struct xdp_prog *g, unsigned size, int at)
{
    put(g, BPF_LDX | BPF_MEM | size, BPF_REG_0, FRAME, at, 0);
}

/* Where r0 is not k (is k). */
static void jump_unless(struct xdp_prog *g, uint32_t k, int to)
{
    put(g, BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_0, 0, to, (int32_t)k);
}

static void jump_if(struct xdp_prog *g, uint32_t k, int to)
{
    put(g, BPF_JMP32 | BPF_JEQ | BPF_K, BPF_REG_0, 0, to, (int32_t)k);
}

/* The frame has n bytes, or it is the kernel's. */
static void need(struct xdp_prog *g, int n)
{
    put(g, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, FRAME, 0, 0);
    put(g, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_2, 0, 0, n);
    put(g, BPF_JMP | BPF_JGT | BPF_X, BPF_REG_2, END, TO_PASS, 0);
}

static void begin(struct xdp_prog *g)
{
    put(g, BPF_ALU64 | BPF_MOV | BPF_X, CTX, BPF_REG_1, 0, 0);
    put(g, BPF_LDX | BPF_MEM | BPF_W, FRAME, CTX, offsetof(struct xdp_md, data), 0);
    put(g, BPF_LDX | BPF_MEM | BPF_W, END, CTX, offsetof(struct xdp_md, data_end), 0);
    need(g, ETH_HLEN);
}

static void only_to(struct xdp_prog *g, const uint8_t mac[6])
{
    uint32_t four;
    uint16_t two;
    memcpy(&four, mac, 4);
    memcpy(&two, mac + 4, 2);
    load(g, BPF_W, 0);
    jump_unless(g, four, TO_PASS);
    load(g, BPF_H, 4);
    jump_unless(g, two, TO_PASS);
}

static void take_addr4(struct xdp_prog *g, int at, const struct drv_addr *a, unsigned n)
{
    need(g, at + 4);
    load(g, BPF_W, at);
    for (unsigned i = 0; i < n; i++)
        if (addr_is_v4(&a[i].addr))
            jump_if(g, ORIEL_BE(32, addr_to_v4(&a[i].addr)), TO_TAKE);
    put(g, BPF_JMP | BPF_JA, 0, 0, TO_PASS, 0);
}

static void take_addr6(struct xdp_prog *g, int at, const struct drv_addr *a, unsigned n)
{
    need(g, at + 16);
    for (unsigned i = 0; i < n; i++) {
        if (addr_is_v4(&a[i].addr))
            continue;
        const uint32_t word[4] = {(uint32_t)(a[i].addr.hi >> 32), (uint32_t)a[i].addr.hi,
                                  (uint32_t)(a[i].addr.lo >> 32), (uint32_t)a[i].addr.lo};
        for (int k = 0; k < 4; k++) {
            load(g, BPF_W, at + 4 * k);
            if (k < 3)
                jump_unless(g, ORIEL_BE(32, word[k]), 2 * (3 - k));      /* to the next address */
            else
                jump_if(g, ORIEL_BE(32, word[k]), TO_TAKE);
        }
    }
    put(g, BPF_JMP | BPF_JA, 0, 0, TO_PASS, 0);
}

/* What follows is for that type; the jump over it is returned, to be given its distance. */
static unsigned begin_type(struct xdp_prog *g, uint16_t type)
{
    load(g, BPF_H, 12);
    jump_unless(g, ORIEL_BE(16, type), 0);
    return g->n - 1;
}

static void end_type(struct xdp_prog *g, unsigned jump)
{
    g->code[jump].off = (__s16)(g->n - jump - 1);
}

static void only_our_addrs(struct xdp_prog *g, const struct drv_addr *a, unsigned n)
{
    unsigned at = begin_type(g, ETH_P_IP);
    take_addr4(g, 30, a, n);
    end_type(g, at);
    at = begin_type(g, ETH_P_IPV6);
    take_addr6(g, 38, a, n);
    end_type(g, at);
    at = begin_type(g, ETH_P_ARP);
    take_addr4(g, 38, a, n);
    end_type(g, at);
    put(g, BPF_JMP | BPF_JA, 0, 0, TO_PASS, 0);
}

/* A queue without a socket of ours: the kernel's. */
static void take(struct xdp_prog *g, int map)
{
    put(g, BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map);
    put(g, 0, 0, 0, 0, 0);
    put(g, BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, CTX, offsetof(struct xdp_md, rx_queue_index), 0);
    put(g, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, XDP_PASS);
    put(g, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map);
    put(g, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void pass(struct xdp_prog *g)
{
    put(g, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, XDP_PASS);
    put(g, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void resolve(struct xdp_prog *g, unsigned n, unsigned take_at, unsigned pass_at)
{
    for (unsigned i = 0; i < n; i++) {
        struct bpf_insn *c = &g->code[i];
        unsigned class = c->code & 7;
        if ((class == BPF_JMP || class == BPF_JMP32) && c->off < 0)
            c->off = (__s16)((c->off == TO_TAKE ? take_at : pass_at) - i - 1);
    }
}

void xdp_prog_make(struct xdp_prog *g, int map, const uint8_t mac[6], bool shared,
                   const struct drv_addr *addrs, unsigned n)
{
    g->n = 0;
    begin(g);
    only_to(g, mac);
    if (shared)
        only_our_addrs(g, addrs, n);
    unsigned take_at = g->n;
    take(g, map);
    unsigned pass_at = g->n;
    pass(g);
    resolve(g, take_at, take_at, pass_at);
}
