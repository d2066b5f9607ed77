/* The cache by itself; with a resolver around it: test_resolve.c. */
#include "test.h"

#include "svc/dns_cache.h"

static const struct siphash_key key = {1, 2};

struct fx {
    void *memory;
    struct dns_cache c;
};

static void fx_init(struct fx *f, uint32_t entries)
{
    struct arena a;
    size_t n = dns_cache_memory(entries);
    f->memory = malloc(n);
    assert_non_null(f->memory);
    arena_init(&a, f->memory, n);
    assert_true(dns_cache_init(&f->c, &a, entries, &key));
}

static void fx_free(struct fx *f)
{
    struct arena a;
    arena_init(&a, f->memory, dns_cache_memory(f->c.pool.cap));     /* unpoisoned */
    free(f->memory);
}

static struct dns_name number(unsigned i)
{
    char text[20];
    struct dns_name n;
    (void)snprintf(text, sizeof(text), "n%u.example", i);
    assert_true(dns_name_of(span_str(text), &n));
    return n;
}

static void put(struct fx *f, oriel_time now, unsigned i, uint16_t type, enum dns_verdict v,
                bool no_name, uint32_t ttl_s)
{
    struct dns_name n = number(i);
    struct dns_answer a = {.no_name = no_name, .addrs_n = 1, .ttl_s = ttl_s,
                           .addrs = {addr_v4(i)}};
    dns_cache_put(&f->c, now, &n, type, v, &a);
}

static enum dns_verdict get(struct fx *f, oriel_time now, unsigned i, uint16_t type,
                            struct dns_answer *a)
{
    struct dns_name n = number(i);
    return dns_cache_find(&f->c, now, &n, type, a);
}

TEST("an entry is given until its time is over, with what is left of it")
{
    struct fx f;
    struct dns_answer a;
    fx_init(&f, 4);
    put(&f, NS_PER_S, 1, DNS_A, DNS_FOUND, false, 10);
    EXPECT_EQ(get(&f, 4 * NS_PER_S, 1, DNS_A, &a), DNS_FOUND);
    EXPECT_EQ(a.ttl_s, 7);
    EXPECT_EQ(get(&f, 4 * NS_PER_S, 1, DNS_AAAA, &a), DNS_NOT_OURS);
    EXPECT_EQ(get(&f, 11 * NS_PER_S, 1, DNS_A, &a), DNS_NOT_OURS);
    EXPECT_EQ(f.c.pool.live, 0);
    EXPECT(f.c.hits == 1 && f.c.misses == 2);
    fx_free(&f);
}

TEST("that a name does not exist holds for every type; that it has no such record for one")
{
    struct fx f;
    struct dns_answer a;
    fx_init(&f, 4);
    put(&f, 0, 1, DNS_A, DNS_NOTHING, true, 10);
    EXPECT_EQ(get(&f, 0, 1, DNS_PTR, &a), DNS_NOTHING);
    EXPECT(a.no_name);
    put(&f, 0, 2, DNS_A, DNS_NOTHING, false, 10);
    EXPECT_EQ(get(&f, 0, 2, DNS_A, &a), DNS_NOTHING);
    EXPECT(!a.no_name);
    EXPECT_EQ(get(&f, 0, 2, DNS_AAAA, &a), DNS_NOT_OURS);
    fx_free(&f);
}

TEST("a full cache gives up what was not used for longest, and never holds more")
{
    struct fx f;
    struct dns_answer a;
    COVERS("5452-2");
    fx_init(&f, 100);
    for (unsigned i = 0; i < 1000; i++) {
        put(&f, 0, i, DNS_A, i % 3 ? DNS_FOUND : DNS_NOTHING, i % 2 == 0, 10);
        EXPECT(f.c.pool.live <= 100);
        EXPECT(get(&f, 0, 0, DNS_A, &a) != DNS_NOT_OURS);   /* always in use */
    }
    EXPECT_EQ(get(&f, 0, 900, DNS_A, &a), DNS_NOT_OURS);
    EXPECT_EQ(get(&f, 0, 902, DNS_A, &a), DNS_FOUND);
    dns_cache_clear(&f.c);
    EXPECT_EQ(f.c.pool.live, 0);
    EXPECT_EQ(get(&f, 0, 902, DNS_A, &a), DNS_NOT_OURS);
    fx_free(&f);
}

TEST("a later answer replaces an earlier one; a lifetime of nothing keeps nothing")
{
    struct fx f;
    struct dns_answer a;
    fx_init(&f, 2);
    put(&f, 0, 1, DNS_A, DNS_FOUND, false, 10);
    put(&f, 0, 1, DNS_A, DNS_FOUND, false, 20);
    EXPECT_EQ(get(&f, 15 * NS_PER_S, 1, DNS_A, &a), DNS_FOUND);
    EXPECT_EQ(f.c.pool.live, 1);
    put(&f, 0, 1, DNS_A, DNS_FOUND, false, 0);
    EXPECT_EQ(get(&f, 0, 1, DNS_A, &a), DNS_NOT_OURS);
    fx_free(&f);
}

TEST("without entries nothing is kept")
{
    struct fx f;
    struct dns_answer a;
    fx_init(&f, 0);
    put(&f, 0, 1, DNS_A, DNS_FOUND, false, 10);
    EXPECT_EQ(get(&f, 0, 1, DNS_A, &a), DNS_NOT_OURS);
    fx_free(&f);
}
