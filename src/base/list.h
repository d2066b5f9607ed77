/*
 * Doubly linked ring of nodes inside their owners. An empty list points at itself; a node that is
 * on no list is zero, so that membership can be asked.
 */
#ifndef ORIEL_BASE_LIST_H
#define ORIEL_BASE_LIST_H

#include "base/compiler.h"

#include <stdbool.h>

struct list {
    struct list *next;
    struct list *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline bool list_on(const struct list *n)
{
    return n->next != NULL;
}

static inline void list_insert_after(struct list *at, struct list *n)
{
    ORIEL_ASSERT(!list_on(n));
    n->prev = at;
    n->next = at->next;
    at->next->prev = n;
    at->next = n;
}

static inline void list_push_back(struct list *l, struct list *n)
{
    list_insert_after(l->prev, n);
}

static inline void list_push_front(struct list *l, struct list *n)
{
    list_insert_after(l, n);
}

static inline void list_remove(struct list *n)
{
    ORIEL_ASSERT(list_on(n));
    n->next->prev = n->prev;
    n->prev->next = n->next;
    n->next = n->prev = NULL;
}

/* The first node, or NULL. */
static inline struct list *list_first(const struct list *l)
{
    return l->next == l ? NULL : l->next;
}

/* The node after n on l, or NULL. */
static inline struct list *list_next(const struct list *l, const struct list *n)
{
    return n->next == l ? NULL : n->next;
}

/* Iterate; the node in hand may be removed. */
#define LIST_EACH(n, l)                                                                            \
    for (struct list *n = (l)->next, *n##_next = n->next; n != (l); n = n##_next, n##_next = n->next)

#endif
