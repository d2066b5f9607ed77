/*
 * Groups: members and what they want together.
 *
 * Every member has a filter, and a filter is a set of sources that are let through: INCLUDE names
 * the set, EXCLUDE its complement. What an interface has to take in is the union of its members'
 * sets (RFC 3376, 3.2; RFC 3810, 4.2), which is again INCLUDE or EXCLUDE of some sources. It is
 * folded member by member, those with EXCLUDE first: once one of them is in, the others can only
 * make the list of excluded sources shorter, so that only a union of INCLUDE lists can outgrow the
 * limit. Such a join is refused (RFC 3376, 2).
 *
 * When the union changes, mcast_report.c tells the routers. A packet is let in when the group has
 * members, and handed to those whose own filter lets its source through.
 */
#include "ip/mcast_group.h"

#define MEMBERS_PER_GROUP 2     /* on the average; the pool is shared by all groups */

struct mcast_member {
    struct list node;           /* of its group */
    uint32_t id;
    uint32_t joins;             /* of the stack itself (id 0) */
    struct mcast_filter filter;
};

static struct mcast_group *group_of(const struct list *n)
{
    return CONTAINER_OF(n, struct mcast_group, node);
}

static struct mcast_member *member_of(const struct list *n)
{
    return CONTAINER_OF(n, struct mcast_member, node);
}

bool mcast_init(struct mcast *m, struct arena *a, uint32_t groups_max)
{
    ORIEL_ASSERT(groups_max <= UINT32_MAX / MEMBERS_PER_GROUP);
    return pool_init(&m->groups, "groups", a, sizeof(struct mcast_group), groups_max) &&
           pool_init(&m->members, "members", a, sizeof(struct mcast_member),
                     groups_max * MEMBERS_PER_GROUP) &&
           hmap_init(&m->map, a, groups_max);
}

/* ---- filters ---- */

bool mcast_filter_has(const struct mcast_filter *f, const struct oriel_addr *source)
{
    struct oriel_addr key = *source;
    key.zone = 0;
    unsigned lo = 0, hi = f->n;
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        int order = addr_cmp(&f->source[mid], &key);
        if (order == 0)
            return true;
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

bool mcast_filter_is_none(const struct mcast_filter *f)
{
    return !f->exclude && f->n == 0;
}

static bool filter_eq(const struct mcast_filter *a, const struct mcast_filter *b)
{
    if (a->exclude != b->exclude || a->n != b->n)
        return false;
    for (unsigned i = 0; i < a->n; i++)
        if (!addr_same_bits(&a->source[i], &b->source[i]))
            return false;
    return true;
}

/* Leave those sources of f that `other` lists, or those that it does not. */
static void keep(struct mcast_filter *f, const struct mcast_filter *other, bool listed)
{
    uint16_t n = 0;
    for (unsigned i = 0; i < f->n; i++)
        if (mcast_filter_has(other, &f->source[i]) == listed)
            f->source[n++] = f->source[i];
    f->n = n;
}

static bool insert(struct mcast_filter *f, const struct oriel_addr *source)
{
    if (f->n == MCAST_SOURCES_MAX)
        return false;
    unsigned at = f->n++;
    for (; at > 0 && addr_cmp(source, &f->source[at - 1]) < 0; at--)
        f->source[at] = f->source[at - 1];
    f->source[at] = *source;
    return true;
}

/* f takes in what `more` lets through. False: more sources than fit. */
static bool fold(struct mcast_filter *f, const struct mcast_filter *more)
{
    if (f->exclude) {
        keep(f, more, more->exclude);
        return true;
    }
    if (more->exclude) {
        ORIEL_ASSERT(f->n == 0);
        *f = *more;
        return true;
    }
    for (unsigned i = 0; i < more->n; i++)
        if (!mcast_filter_has(f, &more->source[i]) && !insert(f, &more->source[i]))
            return false;
    return true;
}

/* What the members of g want together, with `filter` in the place of that of `changing`. */
static bool merge(const struct mcast_group *g, const struct mcast_member *changing,
                  const struct mcast_filter *filter, struct mcast_filter *out)
{
    *out = (struct mcast_filter){.exclude = false};
    bool ok = true;
    for (unsigned pass = 0; pass < 2; pass++) {
        bool exclude = pass == 0;
        LIST_EACH(n, &g->members) {
            const struct mcast_member *m = member_of(n);
            if (m != changing && m->filter.exclude == exclude)
                ok = ok && fold(out, &m->filter);
        }
        if (filter->exclude == exclude)
            ok = ok && fold(out, filter);
    }
    return ok;
}

/* A copy without zones. False: not a list of unicast addresses of that family in their order. */
static bool clean_filter(const struct mcast_filter *in, bool v4, struct mcast_filter *out)
{
    if (in->n > MCAST_SOURCES_MAX)
        return false;
    *out = (struct mcast_filter){.exclude = in->exclude, .n = in->n};
    for (unsigned i = 0; i < in->n; i++) {
        struct oriel_addr a = in->source[i];
        a.zone = 0;
        if (addr_is_multicast(&a) || addr_is_unspecified(&a) || addr_is_v4(&a) != v4)
            return false;
        if (i > 0 && addr_cmp(&out->source[i - 1], &a) >= 0)
            return false;
        out->source[i] = a;
    }
    return true;
}

/* ---- groups ---- */

static uint32_t hash_group(const struct ip *ip, uint16_t nif, const struct oriel_addr *group)
{
    return hash_4(ip->env->hash_seed, group->hi, group->lo, nif, 0);
}

struct mcast_group *mcast_group_find(const struct ip *ip, uint16_t nif,
                                     const struct oriel_addr *group)
{
    const struct mcast *m = &ip->mcast;
    uint32_t hash = hash_group(ip, nif, group);
    uint32_t ref;
    for (uint32_t at = hmap_first(&m->map, hash);
         (ref = hmap_next(&m->map, hash, &at)) != HMAP_NONE;) {
        struct mcast_group *g = pool_at(&m->groups, ref);
        if (g->nif == nif && addr_same_bits(&g->addr, group))
            return g;
    }
    return NULL;
}

static struct mcast_group *group_new(struct ip *ip, uint16_t nif, const struct oriel_addr *group)
{
    struct mcast *m = &ip->mcast;
    struct mcast_group *g = pool_get_zeroed(&m->groups);
    if (!g)
        return NULL;
    g->addr = *group;
    g->addr.zone = 0;
    g->nif = nif;
    list_init(&g->members);
    mcast_report_group_init(g);
    bool put = hmap_put(&m->map, hash_group(ip, nif, group), pool_index(&m->groups, g));
    ORIEL_ASSERT(put);      /* the map is as large as the pool */
    list_push_back(&ip_if_of(ip, nif)->mcast.groups, &g->node);
    return g;
}

void mcast_group_free(struct ip *ip, struct mcast_group *g)
{
    struct mcast *m = &ip->mcast;
    ORIEL_ASSERT(list_empty(&g->members));
    list_remove(&g->node);
    hmap_del(&m->map, hash_group(ip, g->nif, &g->addr), pool_index(&m->groups, g));
    pool_put(&m->groups, g);
}

/* ---- members ---- */

static struct mcast_member *member_find(const struct mcast_group *g, uint32_t id)
{
    LIST_EACH(n, &g->members)
        if (member_of(n)->id == id)
            return member_of(n);
    return NULL;
}

static struct mcast_member *member_new(struct ip *ip, struct mcast_group *g, uint32_t id)
{
    struct mcast_member *m = pool_get_zeroed(&ip->mcast.members);
    if (!m)
        return NULL;
    m->id = id;
    m->joins = 1;
    list_push_back(&g->members, &m->node);
    if (g->members_n++ == 0)
        TRACE(ip->env, EV_MCAST_JOIN, g->addr.hi, g->addr.lo, g->nif);
    return m;
}

static void member_free(struct ip *ip, struct mcast_group *g, struct mcast_member *m)
{
    list_remove(&m->node);
    pool_put(&ip->mcast.members, m);
    if (--g->members_n == 0)
        TRACE(ip->env, EV_MCAST_LEAVE, g->addr.hi, g->addr.lo, g->nif);
}

/* The members want this together now. May free g. */
static void set_wanted(struct ip *ip, struct mcast_group *g, const struct mcast_filter *wanted)
{
    ORIEL_ASSERT(mcast_filter_is_none(wanted) == list_empty(&g->members));
    if (filter_eq(&g->wanted, wanted))
        return;
    struct mcast_filter was = g->wanted;
    g->wanted = *wanted;
    mcast_report_change(ip, g, &was);
}

/* May free g. */
static void member_remove(struct ip *ip, struct mcast_group *g, struct mcast_member *m)
{
    struct mcast_filter nothing = {.exclude = false};
    struct mcast_filter wanted;
    bool ok = merge(g, m, &nothing, &wanted);
    /*
     * When the last member with EXCLUDE goes, the INCLUDE lists of the others may be too many
     * together: then everybody is let through to this host, and each member's own filter sorts out.
     */
    if (!ok)
        wanted = (struct mcast_filter){.exclude = true};
    member_free(ip, g, m);
    set_wanted(ip, g, &wanted);
}

static int set_member(struct ip *ip, struct mcast_group *g, uint32_t id,
                      const struct mcast_filter *filter)
{
    struct mcast_filter wanted;
    struct mcast_member *m = member_find(g, id);
    if (!merge(g, m, filter, &wanted))
        return ORIEL_ENOBUFS;
    if (!m)
        m = member_new(ip, g, id);
    if (!m)
        return ORIEL_ENOBUFS;
    m->filter = *filter;
    set_wanted(ip, g, &wanted);
    return 0;
}

int mcast_set(struct ip *ip, uint16_t nif, const struct oriel_addr *group, uint32_t member,
              const struct mcast_filter *filter)
{
    struct mcast_filter f;
    if (!addr_is_multicast(group) || !netif_at(ip->link, nif))
        return ORIEL_EINVAL;
    if (!clean_filter(filter, addr_is_v4(group), &f))
        return ORIEL_EINVAL;
    struct mcast_group *g = mcast_group_find(ip, nif, group);
    if (mcast_filter_is_none(&f)) {
        struct mcast_member *m = g ? member_find(g, member) : NULL;
        if (m)
            member_remove(ip, g, m);
        return 0;
    }
    bool fresh = !g;
    if (fresh)
        g = group_new(ip, nif, group);
    if (!g)
        return ORIEL_ENOBUFS;
    int err = set_member(ip, g, member, &f);
    if (err && fresh)
        mcast_group_free(ip, g);
    return err;
}

int mcast_join(struct ip *ip, uint16_t nif, const struct oriel_addr *group, uint32_t member)
{
    struct mcast_filter everybody = {.exclude = true};
    struct mcast_group *g = mcast_group_find(ip, nif, group);
    struct mcast_member *m = g && member == 0 ? member_find(g, 0) : NULL;
    if (m) {
        m->joins++;
        return 0;
    }
    return mcast_set(ip, nif, group, member, &everybody);
}

void mcast_leave(struct ip *ip, uint16_t nif, const struct oriel_addr *group, uint32_t member)
{
    struct mcast_group *g = mcast_group_find(ip, nif, group);
    struct mcast_member *m = g ? member_find(g, member) : NULL;
    if (m && --m->joins == 0)
        member_remove(ip, g, m);
}

void mcast_leave_all(struct ip *ip, uint32_t member)
{
    for (uint16_t i = 1; i <= ip->link->max; i++) {
        if (!netif_at(ip->link, i))
            continue;
        LIST_EACH(n, &ip_if_of(ip, i)->mcast.groups) {
            struct mcast_group *g = group_of(n);
            struct mcast_member *m = member_find(g, member);
            if (m)
                member_remove(ip, g, m);
        }
    }
}

/* ---- packets ---- */

/* Every host is a member of these, always and without saying so (RFC 1112, 4; RFC 4291, 2.8). */
static bool is_all_hosts(const struct oriel_addr *group)
{
    if (addr_is_v4(group))
        return addr_to_v4(group) == 0xe0000001;
    return group->lo == 1 && (group->hi == 0xff01000000000000 || group->hi == 0xff02000000000000);
}

bool mcast_wants(const struct ip *ip, uint16_t nif, const struct oriel_addr *group,
                 const struct oriel_addr *source)
{
    (void)source;
    if (is_all_hosts(group))
        return true;
    const struct mcast_group *g = mcast_group_find(ip, nif, group);
    return g && g->members_n > 0;
}

bool mcast_member_wants(const struct ip *ip, uint16_t nif, const struct oriel_addr *group,
                        const struct oriel_addr *source, uint32_t member)
{
    const struct mcast_group *g = mcast_group_find(ip, nif, group);
    const struct mcast_member *m = g ? member_find(g, member) : NULL;
    return m && mcast_filter_wants(&m->filter, source);
}

/* ---- interfaces ---- */

void mcast_if_detach(struct ip *ip, uint16_t nif)
{
    struct mcast_if *f = &ip_if_of(ip, nif)->mcast;
    env_cancel(ip->env, &f->timer);
    LIST_EACH(n, &f->groups) {
        struct mcast_group *g = group_of(n);
        LIST_EACH(k, &g->members)
            member_free(ip, g, member_of(k));
        mcast_group_free(ip, g);
    }
}

static const struct mcast_group *first_from(const struct ip *ip, uint32_t nif)
{
    for (; nif <= ip->link->max; nif++) {
        if (!netif_at(ip->link, nif))
            continue;
        const struct list *n = list_first(&ip_if_of(ip, (uint16_t)nif)->mcast.groups);
        if (n)
            return group_of(n);
    }
    return NULL;
}

static const struct mcast_group *group_after(const struct ip *ip, const struct mcast_group *g)
{
    const struct list *n = list_next(&ip_if_of(ip, g->nif)->mcast.groups, &g->node);
    return n ? group_of(n) : first_from(ip, g->nif + 1u);
}

bool mcast_each(const struct ip *ip, uint32_t *cursor, struct mcast_info *out)
{
    const struct pool *pool = &ip->mcast.groups;
    const struct mcast_group *g =
        *cursor == 0 ? first_from(ip, 1) : group_after(ip, pool_at(pool, *cursor - 1));
    while (g && g->members_n == 0)
        g = group_after(ip, g);
    if (!g)
        return false;
    *cursor = pool_index(pool, g) + 1;
    *out = (struct mcast_info){
        .nif = g->nif,
        .group = g->addr,
        .exclude = g->wanted.exclude,
        .sources = g->wanted.n,
        .members = g->members_n,
    };
    return true;
}
