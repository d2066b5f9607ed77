/*
 * Linear probing at a load of at most one half: an entry stands at its hash's home slot or, when
 * that is taken, in the first free slot after it, so a walk from home to the first empty slot sees
 * every candidate. Removal keeps this true without tombstones: later entries of the same run move
 * back into the hole whenever that does not take them before their home (Knuth 6.4, algorithm R).
 */
#include "base/hmap.h"

#define HMAP_MAX ((uint32_t)1 << 30)    /* entries; a table twice as large has 32-bit positions */

bool hmap_init(struct hmap *m, struct arena *a, uint32_t max)
{
    ORIEL_ASSERT(max <= HMAP_MAX);
    uint32_t slots = 2;
    while ((uint64_t)slots * 5 / 8 < max)
        slots *= 2;
    *m = (struct hmap){.mask = slots - 1, .max = max};
    uint64_t bytes = (uint64_t)slots * sizeof(struct hmap_slot);
    if (bytes > a->size)
        return false;
    m->slot = arena_take_zeroed(a, (size_t)bytes);
    return m->slot != NULL;
}

bool hmap_put(struct hmap *m, uint32_t hash, uint32_t ref)
{
    ORIEL_ASSERT(ref != HMAP_NONE);
    if (m->used == m->max)
        return false;
    uint32_t at = hmap_first(m, hash);
    while (m->slot[at].ref1 != 0)
        at = (at + 1) & m->mask;
    m->slot[at] = (struct hmap_slot){.hash = hash, .ref1 = ref + 1};
    m->used++;
    return true;
}

static uint32_t find(const struct hmap *m, uint32_t hash, uint32_t ref)
{
    uint32_t at = hmap_first(m, hash);
    while (m->slot[at].hash != hash || m->slot[at].ref1 != ref + 1) {
        ORIEL_ASSERT(m->slot[at].ref1 != 0);
        at = (at + 1) & m->mask;
    }
    return at;
}

/* How many slots an entry at `at` stands behind its home. */
static uint32_t displacement(const struct hmap *m, uint32_t at)
{
    return (at - m->slot[at].hash) & m->mask;
}

void hmap_del(struct hmap *m, uint32_t hash, uint32_t ref)
{
    ORIEL_ASSERT(ref != HMAP_NONE);
    uint32_t hole = find(m, hash, ref);
    uint32_t at = (hole + 1) & m->mask;
    for (; m->slot[at].ref1 != 0; at = (at + 1) & m->mask) {
        if (displacement(m, at) >= ((at - hole) & m->mask)) {
            m->slot[hole] = m->slot[at];
            hole = at;
        }
    }
    m->slot[hole] = (struct hmap_slot){.hash = 0, .ref1 = 0};
    m->used--;
}
