#include "test.h"

#include "base/rng.h"
#include "base/seqtree.h"

#define MANY 20000
#define SOME 200

static struct seqtree t;
static struct seqnode nodes[MANY];

static const uint32_t starts[] = {0, 1, UINT32_MAX - 50, (1u << 31) - 50, 0x7fffffffu - MANY * 8};

/* ---- invariants, walked over everything ---- */

static uint32_t check_below(const struct seqnode *n, const struct seqnode *up, uint32_t depth,
                            uint32_t *deepest)
{
    if (!n)
        return 0;
    EXPECT(n->up == up);
    EXPECT(!up || n->prio <= up->prio);
    EXPECT(!n->left || seq_lt(n->left->key, n->key));
    EXPECT(!n->right || seq_lt(n->key, n->right->key));
    if (depth > *deepest)
        *deepest = depth;
    return 1 + check_below(n->left, n, depth + 1, deepest) +
           check_below(n->right, n, depth + 1, deepest);
}

/* The depth of the deepest node; the order and both ends are right. */
static uint32_t check(void)
{
    uint32_t deepest = 0;
    EXPECT_EQ(check_below(t.root, NULL, 1, &deepest), t.n);
    uint32_t n = 0;
    const struct seqnode *before = NULL;
    for (struct seqnode *i = t.first; i; i = seqtree_next(i)) {
        EXPECT(seqtree_prev(i) == before);
        EXPECT(!before || seq_lt(before->key, i->key));
        before = i;
        n++;
    }
    EXPECT_EQ(n, t.n);
    EXPECT(t.last == before);
    EXPECT((t.first == NULL) == (t.n == 0));
    return deepest;
}

static void insert(struct seqnode *n, uint32_t key)
{
    memset(n, 0xa5, sizeof(*n));                /* nobody may count on zeros */
    seqtree_insert(&t, n, seq_of(key));
}

/* ---- one thing at a time ---- */

TEST("an empty tree has nothing before, at or beyond any number")
{
    seqtree_init(&t, 0);
    EXPECT(t.first == NULL && t.last == NULL);
    EXPECT(seqtree_floor(&t, seq_of(5)) == NULL);
    EXPECT(seqtree_above(&t, seq_of(5)) == NULL);
    check();
}

TEST("one node is first and last, and leaves an empty tree behind")
{
    seqtree_init(&t, 7);
    insert(&nodes[0], 100);
    EXPECT(t.first == &nodes[0] && t.last == &nodes[0]);
    EXPECT(seqtree_floor(&t, seq_of(100)) == &nodes[0]);
    EXPECT(seqtree_floor(&t, seq_of(99)) == NULL);
    EXPECT(seqtree_above(&t, seq_of(99)) == &nodes[0]);
    EXPECT(seqtree_above(&t, seq_of(100)) == NULL);
    EXPECT(seqtree_next(&nodes[0]) == NULL && seqtree_prev(&nodes[0]) == NULL);
    seqtree_remove(&t, &nodes[0]);
    EXPECT_EQ(t.n, 0);
    EXPECT(t.root == NULL);
    check();
}

TEST("numbers are compared round the circle")
{
    seqtree_init(&t, 1);
    insert(&nodes[0], UINT32_MAX - 1);
    insert(&nodes[1], 3);
    insert(&nodes[2], UINT32_MAX);
    insert(&nodes[3], 0);
    EXPECT(t.first == &nodes[0] && t.last == &nodes[1]);
    EXPECT(seqtree_next(&nodes[2]) == &nodes[3]);
    EXPECT(seqtree_floor(&t, seq_of(2)) == &nodes[3]);
    EXPECT(seqtree_above(&t, seq_of(UINT32_MAX)) == &nodes[3]);
    check();
}

TEST("a key that is there already is our own mistake")
{
    seqtree_init(&t, 1);
    insert(&nodes[0], 1);
    insert(&nodes[1], 2);
    insert(&nodes[2], 3);
    EXPECT_ASSERTS(insert(&nodes[3], 2));
}

TEST("a key may move between its neighbours")
{
    seqtree_init(&t, 3);
    for (uint32_t i = 0; i < 10; i++)
        insert(&nodes[i], i * 10);
    seqtree_rekey(&nodes[4], seq_of(49));
    EXPECT(seqtree_floor(&t, seq_of(48)) == &nodes[3]);
    EXPECT(seqtree_floor(&t, seq_of(49)) == &nodes[4]);
    check();
}

/* ---- shape ---- */

static uint32_t place_of(const char *order, uint32_t i, uint32_t n)
{
    switch (order[0]) {
    case 'r': return i;                                         /* rising */
    case 'f': return n - 1 - i;                                 /* falling */
    case 'z': return i % 2 ? n - 1 - i / 2 : i / 2;             /* from both ends */
    case 'm': return (n / 2 + (i % 2 ? (i + 1) / 2 : n - i / 2)) % n;   /* from the middle */
    default:  return (uint32_t)((uint64_t)i * 7919 % n);        /* shuffled */
    }
}

TEST("in whatever order the keys came, the depth is some logarithms")
{
    COVERS("S11");
    static const char *const orders[] = {"rising", "falling", "zigzag", "middle", "shuffled"};
    for (size_t k = 0; k < ARRAY_LEN(orders); k++) {
        seqtree_init(&t, 99 + (uint32_t)k);
        for (uint32_t i = 0; i < MANY; i++)
            insert(&nodes[i], UINT32_MAX - 1000 + 3 * place_of(orders[k], i, MANY));
        uint32_t depth = check();
        EXPECT(depth < 50);                     /* 2 * 1.39 * log2(20000) = 40 is expected */
    }
}

TEST("a queue of any length stays a logarithm deep while it moves on")
{
    seqtree_init(&t, 5);
    for (uint32_t i = 0; i < 10 * MANY; i++) {
        if (t.n == 1000)
            seqtree_remove(&t, t.first);
        insert(&nodes[i % 1001], UINT32_MAX - 5 * MANY + i);
        if (i % MANY == 0)
            EXPECT(check() < 36);
    }
}

TEST("putting behind and taking from the front costs a node or two, not the depth")
{
    seqtree_init(&t, 5);
    uint64_t steps = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        /* what append walks: the nodes of the right spine that the new priority outranks */
        uint32_t spine = 0;
        for (struct seqnode *n = t.root; n; n = n->right)
            spine++;
        insert(&nodes[i], i);
        uint32_t now = 0;
        for (struct seqnode *n = t.root; n; n = n->right)
            now++;
        steps += spine + 1 - now;
    }
    EXPECT(steps <= MANY);
    while (t.first) {
        struct seqnode *n = t.first;
        EXPECT(n->left == NULL);
        seqtree_remove(&t, n);
    }
}

/* ---- against a plain array ---- */

struct model {
    bool in[SOME];              /* by key / 8 */
    uint32_t base;
};

static int model_floor(const struct model *m, int i)
{
    while (i >= 0 && !m->in[i])
        i--;
    return i;
}

static int model_above(const struct model *m, int i)
{
    for (i++; i < SOME; i++)
        if (m->in[i])
            return i;
    return -1;
}

static const struct seqnode *node_or_null(int i)
{
    return i < 0 ? NULL : &nodes[i];
}

static void compare(struct model *m, struct rng *dice, uint32_t lean)
{
    for (int step = 0; step < 20000; step++) {
        int i = (int)rng_below(dice, SOME);
        uint32_t key = m->base + 8 * (uint32_t)i;
        if (m->in[i] && rng_below(dice, 10) >= lean) {
            seqtree_remove(&t, &nodes[i]);
            m->in[i] = false;
        } else if (!m->in[i] && rng_below(dice, 10) < lean) {
            insert(&nodes[i], key);
            m->in[i] = true;
        } else if (m->in[i]) {
            seqtree_rekey(&nodes[i], seq_of(key + (uint32_t)rng_below(dice, 4)));
            EXPECT(seqtree_floor(&t, seq_of(key + 7)) == &nodes[i]);
            seqtree_rekey(&nodes[i], seq_of(key));
        }
        int at = (int)rng_below(dice, SOME);
        seq_t ask = seq_of(m->base + 8 * (uint32_t)at + (uint32_t)rng_below(dice, 8));
        EXPECT(seqtree_floor(&t, ask) == node_or_null(model_floor(m, at)));
        EXPECT(seqtree_above(&t, ask) == node_or_null(model_above(m, at)));
        if (step % 256 == 0)
            check();
    }
}

TEST("random use matches a plain array, wherever the circle closes")
{
    struct rng dice;
    rng_seed(&dice, 11, 0);
    for (size_t k = 0; k < ARRAY_LEN(starts); k++) {
        static struct model m;
        for (uint32_t lean = 2; lean <= 8; lean += 3) {
            m = (struct model){.base = starts[k]};
            seqtree_init(&t, (uint32_t)k + lean);
            compare(&m, &dice, lean);
        }
    }
}
