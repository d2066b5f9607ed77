/*
 * Oriel and the kernel over each link that leads to one, as a table: who opens, which family, which MTU, with
 * the kernel's offloads and without. A cell is a transfer both ways whose bytes have the right SHA-256 at either
 * end, or the number of a reason below the table. docs/links.md has the same table.
 */
#include "fx_veth.h"

#include "tests/sim/sha256.c"

#define MAC    "02:00:00:00:00:42"      /* the far end remembers it from link to link */
#define BYTES  (256u << 10)
#define MTUS   4
#define CELLS  (2 * MTUS)               /* IPv4, then IPv6 */

extern const struct drv_kind drv_tap, drv_packet, drv_xdp;

static const unsigned mtus[MTUS] = {576, 1280, 1500, 9000};

static const struct row {
    const struct drv_kind *kind;
    bool plain;
} rows[] = {{&drv_tap, false}, {&drv_tap, true}, {&drv_packet, false}, {&drv_packet, true},
            {&drv_xdp, false}, {&drv_xdp, true}};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

enum cell { EMPTY, WORKS, NO_IP6, NOT_HERE, WRONG };

static enum cell cells[ROWS][2][CELLS];     /* the kernel opens, Oriel opens */

/* ---- what arrives ---- */

static struct sha256 digest;

static void hear(const uint8_t *data, size_t n)
{
    sha256_add(&digest, data, n);
}

/* Of all that is sent with that seed. */
static bool is_right(uint64_t seed)
{
    static uint8_t data[BYTES];
    uint8_t got[SHA256_LEN], want[SHA256_LEN];
    struct sha256 all;
    sha256_end(&digest, got);
    link_fill(data, 0, BYTES, seed);
    sha256_init(&all);
    sha256_add(&all, data, BYTES);
    sha256_end(&all, want);
    return memcmp(got, want, SHA256_LEN) == 0;
}

/* ---- cells ---- */

/* Ours and the kernel's on the link: a TAP has an end of its own here, a veth's is in another namespace. */
static const char *address(const struct row *r, bool v6, bool ours)
{
    static const char *const tap[] = {"10.79.0.1", "10.79.0.2", "fd79::1", "fd79::2"};
    static const char *const veth[] = {THEIRS4, OURS4, THEIRS6, OURS6};
    return (r->kind == &drv_tap ? tap : veth)[2 * v6 + ours];
}

static enum cell try_cell(struct fxl *f, const struct row *r, bool v6, bool oriel_opens)
{
    sha256_init(&digest);
    int wrong = link_try(f, address(r, v6, true), address(r, v6, false), BYTES, oriel_opens);
    if (wrong)
        print_message("# %s, MTU %u, IPv%c, %s opens: %d\n", f->d->kind->name, f->d->caps.mtu, v6 ? '6' : '4',
                      oriel_opens ? "Oriel" : "the kernel", wrong);
    return wrong ? WRONG : WORKS;
}

static struct fxl *open_link(const struct row *r, unsigned mtu, bool v6)
{
    char spec[256], host[64] = "";
    const unsigned len = v6 ? 64 : 24;
    bool is_tap = r->kind == &drv_tap;
    if (is_tap)
        (void)snprintf(host, sizeof(host), ",host=%s/%u", address(r, v6, false), len);
    (void)snprintf(spec, sizeof(spec), "%s:%s,mtu=%u,mac=" MAC ",addr=%s/%u%s%s", r->kind->name,
                   is_tap ? "t0" : "v0", mtu, address(r, v6, true), len, host, r->plain ? ",plain" : "");
    struct fxl *f = link_open(spec);
    f->enter = is_tap ? NULL : into_far;
    return f;
}

static void try_row(unsigned i, unsigned m, bool v6)
{
    char why_not[DRV_ERROR_MAX];
    enum cell *to[2] = {&cells[i][0][m + MTUS * v6], &cells[i][1][m + MTUS * v6]};
    *to[0] = *to[1] = v6 && mtus[m] < 1280 ? NO_IP6 : WORKS;
    if (*to[0] == WORKS && !rows[i].kind->available(why_not)) {
        print_message("# %s: %s\n", rows[i].kind->name, why_not);
        *to[0] = *to[1] = NOT_HERE;
    }
    if (*to[0] != WORKS)
        return;
    struct fxl *f = open_link(&rows[i], mtus[m], v6);
    for (unsigned opens = 0; opens < 2; opens++)
        *to[opens] = try_cell(f, &rows[i], v6, opens);
    link_close(f);
}

/* The far end's offloads go once everything that wants them has been. */
static void try_mtu(unsigned m)
{
    two_namespaces(mtus[m]);
    for (unsigned plain = 0; plain < 2; plain++) {
        if (plain)
            far_is_plain();
        for (unsigned i = 0; i < ROWS; i++)
            for (unsigned v6 = 0; v6 < 2 && rows[i].plain == plain; v6++)
                try_row(i, m, v6);
    }
    far_end();
}

/* ---- the table ---- */

static const char *const words[] = {
    [EMPTY] = "?", [WORKS] = "works", [NO_IP6] = "[1]", [NOT_HERE] = "[2]", [WRONG] = "WRONG",
};

static size_t print_table(char *to, size_t cap)
{
    size_t n = (size_t)snprintf(to, cap, "link    offloads  opens   IPv4: 576   1280   1500   9000  "
                                         "IPv6: 576   1280   1500   9000\n");
    for (unsigned i = 0; i < ROWS; i++)
        for (unsigned opens = 0; opens < 2; opens++) {
            n += (size_t)snprintf(to + n, cap - n, "%-8s%-10s%-8s", rows[i].kind->name,
                                  rows[i].plain ? "no" : "yes", opens ? "Oriel" : "kernel");
            for (unsigned c = 0; c < CELLS; c++)
                n += (size_t)snprintf(to + n, cap - n, "%*s", c % MTUS ? 7 : c ? 11 : 9,
                                      words[cells[i][opens][c]]);
            n += (size_t)snprintf(to + n, cap - n, "\n");
        }
    return n + (size_t)snprintf(to + n, cap - n,
                                "[1] IPv6 asks of a link to carry 1,280 bytes (RFC 8200, 5)\n");
}

static bool any(enum cell what)
{
    for (unsigned i = 0; i < ROWS * 2 * CELLS; i++)
        if (cells[i / (2 * CELLS)][i / CELLS % 2][i % CELLS] == what)
            return true;
    return false;
}

/* Where the tests are run from another place, or not all links are here, there is nothing to compare. */
static void as_documented(const char *table)
{
    static char text[65536];
    FILE *f = fopen("docs/links.md", "r");
    if (!f || any(NOT_HERE))
        print_message("# not compared with docs/links.md\n");
    else if (fread(text, 1, sizeof(text) - 1, f) > 0 && !strstr(text, table))
        fail_msg("docs/links.md has another table");
    if (f)
        fclose(f);
}

TEST("the kernel over TAP, AF_PACKET and AF_XDP: roles, families, MTUs, with offloads and without")
{
    char table[4096], line[256];
    link_heard = hear;
    link_right = is_right;
    for (unsigned m = 0; m < MTUS; m++)
        try_mtu(m);
    (void)print_table(table, sizeof(table));
    for (const char *at = table; sscanf(at, "%255[^\n]", line) == 1; at += strlen(line) + 1)
        print_message("# %s\n", line);
    if (any(NOT_HERE))
        print_message("# [2] this machine or this user has none, as said above\n");
    EXPECT(!any(EMPTY) && !any(WRONG));
    as_documented(table);
}
