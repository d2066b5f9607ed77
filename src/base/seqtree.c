/*
 * A treap: a search tree by key and at the same time a heap by priority. Its shape follows from keys
 * and priorities alone, so with random priorities it is that of keys inserted in random order, with a
 * depth of about twice the logarithm, whatever order a peer chose.
 *
 * The ends are cheap. Behind the last node a new one goes onto the right spine: walk up until
 * somebody outranks it and take what was passed as left child (about two steps, for what was passed
 * leaves the spine). The first node has no left child: its right one takes its place.
 */
#include "base/seqtree.h"

/* The pointer that holds n. */
static struct seqnode **link_of(struct seqtree *t, const struct seqnode *n)
{
    if (!n->up)
        return &t->root;
    return n->up->left == n ? &n->up->left : &n->up->right;
}

static struct seqnode *leftmost(struct seqnode *n)
{
    while (n->left)
        n = n->left;
    return n;
}

static struct seqnode *rightmost(struct seqnode *n)
{
    while (n->right)
        n = n->right;
    return n;
}

struct seqnode *seqtree_next(const struct seqnode *n)
{
    if (n->right)
        return leftmost(n->right);
    while (n->up && n->up->right == n)
        n = n->up;
    return n->up;
}

struct seqnode *seqtree_prev(const struct seqnode *n)
{
    if (n->left)
        return rightmost(n->left);
    while (n->up && n->up->left == n)
        n = n->up;
    return n->up;
}

struct seqnode *seqtree_floor(const struct seqtree *t, seq_t key)
{
    struct seqnode *found = NULL;
    for (struct seqnode *n = t->root; n;) {
        if (seq_lt(key, n->key)) {
            n = n->left;
        } else {
            found = n;
            n = n->right;
        }
    }
    return found;
}

struct seqnode *seqtree_above(const struct seqtree *t, seq_t key)
{
    struct seqnode *found = NULL;
    for (struct seqnode *n = t->root; n;) {
        if (seq_lt(key, n->key)) {
            found = n;
            n = n->left;
        } else {
            n = n->right;
        }
    }
    return found;
}

/* ---- insertion ---- */

static void append(struct seqtree *t, struct seqnode *n)
{
    struct seqnode *above = t->last;
    struct seqnode *below = NULL;
    while (above && above->prio < n->prio) {
        below = above;
        above = above->up;
    }
    n->left = below;
    n->right = NULL;
    n->up = above;
    if (below)
        below->up = n;
    if (above)
        above->right = n;
    else
        t->root = n;
    if (!t->first)
        t->first = n;
    t->last = n;
}

/* n takes the place of its parent, which becomes its child. */
static void rotate_up(struct seqtree *t, struct seqnode *n)
{
    struct seqnode *p = n->up;
    struct seqnode *moved;
    *link_of(t, p) = n;
    n->up = p->up;
    p->up = n;
    if (p->left == n) {
        moved = p->left = n->right;
        n->right = p;
    } else {
        moved = p->right = n->left;
        n->left = p;
    }
    if (moved)
        moved->up = p;
}

static void insert_inside(struct seqtree *t, struct seqnode *n)
{
    struct seqnode **at = &t->root;
    struct seqnode *up = NULL;
    while (*at) {
        up = *at;
        ORIEL_ASSERT(!seq_eq(up->key, n->key));
        at = seq_lt(n->key, up->key) ? &up->left : &up->right;
    }
    *at = n;
    n->up = up;
    n->left = n->right = NULL;
    if (up == t->first && at == &up->left)
        t->first = n;
    while (n->up && n->up->prio < n->prio)
        rotate_up(t, n);
}

void seqtree_insert_among(struct seqtree *t, struct seqnode *n, seq_t key)
{
    n->prio = seqtree_prio(t);
    n->key = key;
    t->n++;
    if (seq_lt(t->last->key, key))
        append(t, n);
    else
        insert_inside(t, n);
}

/* ---- removal ---- */

/* The two children of n, all of whose keys are in order already, as one tree in the place of n. */
static void join_children(struct seqtree *t, struct seqnode *n)
{
    struct seqnode **at = link_of(t, n);
    struct seqnode *up = n->up;
    struct seqnode *a = n->left;
    struct seqnode *b = n->right;
    while (a && b) {
        if (a->prio > b->prio) {
            *at = a;
            a->up = up;
            up = a;
            at = &a->right;
            a = a->right;
        } else {
            *at = b;
            b->up = up;
            up = b;
            at = &b->left;
            b = b->left;
        }
    }
    struct seqnode *rest = a ? a : b;
    *at = rest;
    if (rest)
        rest->up = up;
}

static void remove_first(struct seqtree *t, struct seqnode *n)
{
    struct seqnode *r = n->right;
    struct seqnode *up = n->up;
    if (up)
        up->left = r;
    else
        t->root = r;
    if (r)
        r->up = up;
    t->first = r ? leftmost(r) : up;
    if (!t->first)
        t->last = NULL;
}

void seqtree_remove_among(struct seqtree *t, struct seqnode *n)
{
    ORIEL_ASSERT(t->n > 0);
    t->n--;
    if (n == t->first) {
        remove_first(t, n);
        return;
    }
    if (n == t->last)
        t->last = n->left ? rightmost(n->left) : n->up;
    join_children(t, n);
}
