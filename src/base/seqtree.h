/*
 * An ordered set of nodes by sequence number, inside their owners: a treap, so that whatever order a
 * peer chooses costs a logarithm. Keys are distinct and span less than 2^31, so comparing round the
 * circle is an order. Priorities come from a generator of the owner's: a peer cannot know them.
 *
 * The ends are kept: putting a node behind all others and taking the first away, which is what a
 * connection without losses does, touch no more than a node or two.
 *
 * A node's key may be moved (seqtree_rekey) as long as it stays between its neighbours.
 */
#ifndef ORIEL_BASE_SEQTREE_H
#define ORIEL_BASE_SEQTREE_H

#include "base/compiler.h"
#include "base/seq.h"

#include <stddef.h>

struct seqnode {
    struct seqnode *left;
    struct seqnode *right;
    struct seqnode *up;
    seq_t key;
    uint32_t prio;
};

struct seqtree {
    struct seqnode *root;
    struct seqnode *first;      /* NULL when empty */
    struct seqnode *last;
    uint32_t n;
    uint32_t lcg;               /* priorities: any seed but 0 */
};

static inline void seqtree_init(struct seqtree *t, uint32_t seed)
{
    *t = (struct seqtree){.lcg = seed | 1};
}

/* Where others are. */
void seqtree_insert_among(struct seqtree *t, struct seqnode *n, seq_t key);
void seqtree_remove_among(struct seqtree *t, struct seqnode *n);

/* The priority of the next node. */
static inline uint32_t seqtree_prio(struct seqtree *t)
{
    t->lcg = t->lcg * 1664525u + 1013904223u;
    return t->lcg;
}

/* The key must not be there yet (asserted). */
static inline void seqtree_insert(struct seqtree *t, struct seqnode *n, seq_t key)
{
    if (t->n > 0) {
        seqtree_insert_among(t, n, key);
        return;
    }
    *n = (struct seqnode){.key = key, .prio = seqtree_prio(t)};
    t->root = t->first = t->last = n;
    t->n = 1;
}

static inline void seqtree_remove(struct seqtree *t, struct seqnode *n)
{
    if (t->n > 1) {
        seqtree_remove_among(t, n);
        return;
    }
    ORIEL_ASSERT(t->root == n);
    t->root = t->first = t->last = NULL;
    t->n = 0;
}

/* The node with the largest key that is not beyond `key`; NULL. */
struct seqnode *seqtree_floor(const struct seqtree *t, seq_t key);

/* The node with the smallest key that is beyond `key`; NULL. */
struct seqnode *seqtree_above(const struct seqtree *t, seq_t key);

struct seqnode *seqtree_next(const struct seqnode *n);          /* NULL at the end */
struct seqnode *seqtree_prev(const struct seqnode *n);

static inline void seqtree_rekey(struct seqnode *n, seq_t key)
{
    n->key = key;
}

#endif
