/* Rings of nodes, against a plain array. */
#include "test.h"

#include "base/list.h"

struct item {
    int value;
    struct list node;
};

#define ITEMS 8

static struct item *item_of(struct list *n)
{
    return CONTAINER_OF(n, struct item, node);
}

/* The list holds exactly these, forwards, backwards and by iteration. */
static void expect_values(struct list *l, const int *want, size_t n)
{
    size_t i = 0;
    for (struct list *at = list_first(l); at; at = list_next(l, at)) {
        EXPECT(i < n);
        EXPECT_EQ(item_of(at)->value, want[i]);
        EXPECT(at->next->prev == at);
        EXPECT(at->prev->next == at);
        i++;
    }
    EXPECT_EQ(i, n);
    for (struct list *at = l->prev; at != l; at = at->prev)
        EXPECT_EQ(item_of(at)->value, want[--i]);
    EXPECT_EQ(i, 0);
    LIST_EACH(at, l)
        EXPECT_EQ(item_of(at)->value, want[i++]);
    EXPECT_EQ(i, n);
    EXPECT(list_empty(l) == (n == 0));
}

TEST("a new list is empty")
{
    struct list l;
    list_init(&l);
    EXPECT(list_empty(&l));
    EXPECT(list_first(&l) == NULL);
    expect_values(&l, NULL, 0);
}

TEST("nodes stand in the order in which they were put")
{
    struct item it[5] = {{.value = 0}, {.value = 1}, {.value = 2}, {.value = 3}, {.value = 4}};
    struct list l;
    list_init(&l);
    list_push_back(&l, &it[1].node);
    expect_values(&l, (const int[]){1}, 1);
    list_push_back(&l, &it[2].node);
    list_push_front(&l, &it[0].node);
    expect_values(&l, (const int[]){0, 1, 2}, 3);
    list_insert_after(&it[0].node, &it[3].node);
    list_insert_after(&it[2].node, &it[4].node);
    expect_values(&l, (const int[]){0, 3, 1, 2, 4}, 5);
}

TEST("a node knows whether it is on a list")
{
    struct item it = {.value = 1};
    struct list l;
    list_init(&l);
    EXPECT(!list_on(&it.node));
    list_push_back(&l, &it.node);
    EXPECT(list_on(&it.node));
    list_remove(&it.node);
    EXPECT(!list_on(&it.node));
    EXPECT(list_empty(&l));
    list_push_front(&l, &it.node);
    EXPECT(list_first(&l) == &it.node);
}

TEST("a node is on one list at most, and is removed only once")
{
    struct item it = {.value = 1};
    struct list l;
    struct list other;
    list_init(&l);
    list_init(&other);
    EXPECT_ASSERTS(list_remove(&it.node));
    list_push_back(&l, &it.node);
    EXPECT_ASSERTS(list_push_back(&l, &it.node));
    EXPECT_ASSERTS(list_push_front(&other, &it.node));
    EXPECT(list_empty(&other));
    list_remove(&it.node);
    EXPECT_ASSERTS(list_remove(&it.node));
}

TEST("the node in hand may be removed while iterating")
{
    struct item it[ITEMS];
    struct list l;
    list_init(&l);
    for (int i = 0; i < ITEMS; i++) {
        it[i] = (struct item){.value = i};
        list_push_back(&l, &it[i].node);
    }
    int seen = 0;
    LIST_EACH(n, &l) {
        EXPECT_EQ(item_of(n)->value, seen++);
        if (item_of(n)->value % 2 == 0)
            list_remove(n);
    }
    EXPECT_EQ(seen, ITEMS);
    expect_values(&l, (const int[]){1, 3, 5, 7}, 4);
    LIST_EACH(n, &l)
        list_remove(n);
    EXPECT(list_empty(&l));
}

TEST("any run of insertions and removals leaves what an array would")
{
    struct item it[ITEMS];
    struct list l;
    int model[ITEMS];
    size_t n = 0;
    uint64_t lcg = 3;
    list_init(&l);
    for (int i = 0; i < ITEMS; i++)
        it[i] = (struct item){.value = i};

    for (unsigned step = 0; step < 20000; step++) {
        lcg = lcg * 6364136223846793005u + 1442695040888963407u;
        size_t who = (size_t)(lcg >> 33) % ITEMS;
        size_t at = 0;
        if (list_on(&it[who].node)) {
            list_remove(&it[who].node);
            while (model[at] != (int)who)
                at++;
            memmove(model + at, model + at + 1, (n - at - 1) * sizeof model[0]);
            n--;
        } else {
            size_t where = n == 0 ? 0 : (size_t)(lcg >> 40) % (n + 1);
            struct list *after = where == 0 ? &l : &it[model[where - 1]].node;
            if (where == n)
                list_push_back(&l, &it[who].node);
            else
                list_insert_after(after, &it[who].node);
            memmove(model + where + 1, model + where, (n - where) * sizeof model[0]);
            model[where] = (int)who;
            n++;
        }
        expect_values(&l, model, n);
    }
}
