/*
 * What routers have to be told about groups, and when.
 *
 * Version 3 (RFC 3376, 5; RFC 3810, 6). A change is told at once and repeated, Robustness times in
 * all, at random intervals. What is told is worked out each time from what holds then: while
 * `repeats_left` counts, the filter mode and all its sources; else, of the sources that changed
 * lately, those that are let through now (ALLOW) and those that are not (BLOCK). So any number of
 * changes in between merges into the next report. When more sources change than are remembered, the
 * filter mode is told again instead, which says the same of all of them.
 *
 * An answer to a general query is due once an interface; an answer to a query for a group, or for
 * sources of it, once a group. Both wait a random part of the time that the router allows.
 *
 * Versions 2 and 1 (RFC 2236, 3; RFC 2710, 4). A report names a group and nothing else; hearing
 * somebody else's cancels ours; who reported last says so when he leaves (not in version 1).
 *
 * Which version is spoken: the oldest whose querier was heard lately (RFC 3376, 7.2.1), unless one
 * is configured. When that changes, everything pending is forgotten: the new querier asks anyway.
 *
 * Not done: version 3 reports are not suppressed by older ones (RFC 3376, 7.2.2: allowed).
 */
#include "ip/mcast_group.h"

#define ROBUSTNESS      2                   /* RFC 3376, 8.1 */
#define QUERY_INTERVAL  125                 /* seconds; RFC 3376, 8.2 */
#define V1_PRESENT      (400 * NS_PER_S)    /* RFC 2236, 8.11 */
#define UNSOLICITED_V2  (10 * NS_PER_S)     /* RFC 2236, 8.10; RFC 2710, 7.10 */
#define UNSOLICITED_V3  (1 * NS_PER_S)      /* RFC 3376, 8.11; RFC 3810, 9.11 */

#define RECORD4_HEAD 8
#define RECORD4_EACH 4                      /* bytes a source */
#define RECORD6_HEAD 20
#define RECORD6_EACH 16

/* A version 3 report of any number of records: whenever one is full it is sent. */
struct writer {
    struct ip *ip;
    struct netif *nif;
    enum why why;
    bool v4;
    uint16_t records;
    size_t room;
    struct wr w;
    uint8_t bytes[MCAST_REPORT_MAX];
};

static struct mcast_group *group_of(const struct list *n)
{
    return CONTAINER_OF(n, struct mcast_group, node);
}

static struct mcast_querier *querier_of(struct mcast_if *f, bool v4)
{
    return v4 ? &f->q4 : &f->q6;
}

static struct mcast_if *if_of(const struct ip *ip, const struct mcast_group *g)
{
    return &ip_if_of(ip, g->nif)->mcast;
}

static struct mcast_querier *querier_for(const struct ip *ip, const struct mcast_group *g)
{
    return querier_of(if_of(ip, g), addr_is_v4(&g->addr));
}

/*
 * Groups that every host is in, or that never leave this host, are no router's business (RFC 3376,
 * 5; RFC 3810, 6).
 */
static bool is_reportable(const struct ip *ip, const struct mcast_group *g)
{
    const struct netif *nif = netif_at(ip->link, g->nif);
    if (!nif || nif->kind == NETIF_LOOPBACK)
        return false;
    if (addr_is_v4(&g->addr))
        return addr_to_v4(&g->addr) != 0xe0000001;
    struct oriel_addr all_nodes = ADDR_V6_ALL_NODES;
    return addr_scope(&g->addr) > SCOPE_INTERFACE && !addr_same_bits(&g->addr, &all_nodes);
}

static uint8_t version_now(const struct ip *ip, const struct mcast_if *f, bool v4)
{
    const struct mcast_querier *q = v4 ? &f->q4 : &f->q6;
    if (v4 && f->version4)
        return f->version4;
    if (!v4 && f->version6)
        return (uint8_t)(f->version6 + 1);
    if (ip->env->now < q->v1_until)
        return 1;
    return ip->env->now < q->v2_until ? 2 : 3;
}

/* First asked for after the interface was configured. */
static unsigned version_of(const struct ip *ip, const struct mcast_group *g)
{
    struct mcast_if *f = if_of(ip, g);
    struct mcast_querier *q = querier_for(ip, g);
    if (q->version == 0)
        q->version = version_now(ip, f, addr_is_v4(&g->addr));
    return q->version;
}

/* A random moment within `max` from now, but not now. */
static oriel_time draw(struct ip *ip, oriel_time max)
{
    if (max == 0)
        return ip->env->now;
    return time_after(ip->env->now, rng_between(&ip->env->rng, 1, max));
}

static void arm(struct ip *ip, struct mcast_if *f, oriel_time at)
{
    if (at < (timer_armed(&f->timer) ? f->timer.deadline : ORIEL_NEVER))
        env_arm(ip->env, &f->timer, at);
}

void mcast_report_group_init(struct mcast_group *g)
{
    g->change_at = ORIEL_NEVER;
    g->answer_at = ORIEL_NEVER;
    g->told_at = ORIEL_NEVER;
}

/* Nothing is due any more. */
static void forget_pending(struct mcast_group *g)
{
    g->change_at = ORIEL_NEVER;
    g->answer_at = ORIEL_NEVER;
    g->repeats_left = 0;
    g->changed_n = 0;
}

/* ---- version 3 reports ---- */

static void writer_begin(struct writer *r)
{
    r->w = wr_of(r->bytes, r->room);
    r->records = 0;
    if (r->v4)
        igmp_report_begin(&r->w);
    else
        mld_report_begin(&r->w);
}

static void writer_open(struct writer *r, struct ip *ip, uint16_t nif, bool v4, enum why why)
{
    r->ip = ip;
    r->nif = netif_at(ip->link, nif);
    r->why = why;
    r->v4 = v4;
    r->room = v4 ? igmp_report_room(r->nif) : mld_report_room(r->nif);
    ORIEL_ASSERT(r->room <= sizeof(r->bytes));
    writer_begin(r);
}

/* What was written leaves. */
static void writer_send(struct writer *r)
{
    if (r->records == 0)
        return;
    if (r->v4)
        igmp_send_report(r->ip, r->nif, &r->w, r->records, r->why);
    else
        mld_send_report(r->ip, r->nif, &r->w, r->records, r->why);
    writer_begin(r);
}

/*
 * One record. What does not fit goes into the next report; what does not fit into one alone is
 * split, except that a list of excluded sources must be told in one piece and is cut off (RFC 3376,
 * 4.2.16).
 */
static void writer_record(struct writer *r, enum mcast_record type, const struct oriel_addr *group,
                          const struct oriel_addr *sources, uint16_t n)
{
    size_t head = r->v4 ? RECORD4_HEAD : RECORD6_HEAD;
    size_t each = r->v4 ? RECORD4_EACH : RECORD6_EACH;
    bool whole = type == MCAST_IS_EXCLUDE || type == MCAST_TO_EXCLUDE;
    if (head + n * each > wr_left(&r->w))
        writer_send(r);
    do {
        size_t left = wr_left(&r->w);
        if (left < head + (n > 0 ? each : 0))
            return;             /* a link too small for any report */
        size_t fit = (left - head) / each;
        uint16_t part = fit < n ? (uint16_t)fit : n;
        if (r->v4)
            igmp_report_record(&r->w, (uint8_t)type, group, sources, part);
        else
            mld_report_record(&r->w, (uint8_t)type, group, sources, part);
        r->records++;
        sources += part;
        n = whole ? 0 : (uint16_t)(n - part);
        if (n > 0)
            writer_send(r);
    } while (n > 0);
}

/* ---- changes ---- */

static void tell_group(struct ip *ip, struct mcast_group *g, enum why why)
{
    struct netif *nif = netif_at(ip->link, g->nif);
    if (!addr_is_v4(&g->addr))
        mld_send_group(ip, nif, ICMP6_MLD_REPORT, &g->addr, why);
    else
        igmp_send_group(ip, nif, version_of(ip, g) == 1 ? IGMP_V1_REPORT : IGMP_V2_REPORT,
                        &g->addr, why);
    g->last_reporter = true;
}

static void tell_leave(struct ip *ip, const struct mcast_group *g)
{
    struct netif *nif = netif_at(ip->link, g->nif);
    if (!addr_is_v4(&g->addr))
        mld_send_group(ip, nif, ICMP6_MLD_DONE, &g->addr, WHY_MCAST_LEAVE);
    else
        igmp_send_group(ip, nif, IGMP_V2_LEAVE, &g->addr, WHY_MCAST_LEAVE);
}

/* Of the sources that changed lately, those that are let through now, or those that are not. */
static void write_changed(struct writer *r, const struct mcast_group *g, enum mcast_record type)
{
    struct oriel_addr list[MCAST_SOURCES_MAX];
    uint16_t n = 0;
    for (unsigned i = 0; i < g->changed_n; i++)
        if (mcast_filter_wants(&g->wanted, &g->changed[i].source) == (type == MCAST_ALLOW))
            list[n++] = g->changed[i].source;
    if (n > 0)
        writer_record(r, type, &g->addr, list, n);
}

static void count_down(struct mcast_group *g)
{
    uint8_t n = 0;
    for (unsigned i = 0; i < g->changed_n; i++)
        if (--g->changed[i].left > 0)
            g->changed[n++] = g->changed[i];
    g->changed_n = n;
    if (g->repeats_left > 0)
        g->repeats_left--;
}

static void tell_change_v3(struct ip *ip, struct mcast_group *g)
{
    struct writer r;
    writer_open(&r, ip, g->nif, addr_is_v4(&g->addr),
                g->members_n > 0 ? WHY_MCAST_REPORT : WHY_MCAST_LEAVE);
    if (g->repeats_left > 0) {
        writer_record(&r, g->wanted.exclude ? MCAST_TO_EXCLUDE : MCAST_TO_INCLUDE, &g->addr,
                      g->wanted.source, g->wanted.n);
    } else {
        write_changed(&r, g, MCAST_ALLOW);
        write_changed(&r, g, MCAST_BLOCK);
    }
    writer_send(&r);
    count_down(g);
}

/* Tell what changed, and see whether it is to be told again. May free g. */
static void tell_change(struct ip *ip, struct mcast_group *g)
{
    oriel_time again = UNSOLICITED_V3;
    if (version_of(ip, g) == 3) {
        tell_change_v3(ip, g);
    } else {
        tell_group(ip, g, WHY_MCAST_REPORT);
        count_down(g);
        again = UNSOLICITED_V2;
    }
    if (netif_works(netif_at(ip->link, g->nif)))
        g->told_at = ip->env->now;
    g->change_at = ORIEL_NEVER;
    if (g->repeats_left > 0 || g->changed_n > 0) {
        g->change_at = draw(ip, again);
        arm(ip, if_of(ip, g), g->change_at);
    } else if (g->members_n == 0) {
        mcast_group_free(ip, g);
    }
}

/* False: no room to remember it. */
static bool mark_changed(struct mcast_group *g, const struct oriel_addr *source, uint8_t times)
{
    unsigned i = 0;
    while (i < g->changed_n && !addr_same_bits(&g->changed[i].source, source))
        i++;
    if (i == MCAST_SOURCES_MAX)
        return false;
    if (i == g->changed_n)
        g->changed_n++;
    g->changed[i] = (struct mcast_change){.source = *source, .left = times};
    return true;
}

/* The sources of one list that the other does not have. False: no room to remember them. */
static bool mark_difference(struct mcast_group *g, const struct mcast_filter *in,
                            const struct mcast_filter *not_in, uint8_t times)
{
    for (unsigned i = 0; i < in->n; i++)
        if (!mcast_filter_has(not_in, &in->source[i]) && !mark_changed(g, &in->source[i], times))
            return false;
    return true;
}

static void change_v3(struct ip *ip, struct mcast_group *g, const struct mcast_filter *was)
{
    uint8_t times = querier_for(ip, g)->robustness;
    bool small = g->wanted.exclude == was->exclude && mark_difference(g, &g->wanted, was, times) &&
                 mark_difference(g, was, &g->wanted, times);
    if (!small) {
        g->repeats_left = times;
        g->changed_n = 0;
    }
    tell_change(ip, g);
}

static void change_v2(struct ip *ip, struct mcast_group *g, const struct mcast_filter *was)
{
    if (g->members_n == 0) {
        if (version_of(ip, g) == 2 && g->last_reporter)
            tell_leave(ip, g);
        mcast_group_free(ip, g);
    } else if (mcast_filter_is_none(was)) {
        g->repeats_left = querier_for(ip, g)->robustness;
        tell_change(ip, g);
    }
}

void mcast_report_change(struct ip *ip, struct mcast_group *g, const struct mcast_filter *was)
{
    if (!is_reportable(ip, g)) {
        if (g->members_n == 0)
            mcast_group_free(ip, g);
        return;
    }
    if (version_of(ip, g) == 3)
        change_v3(ip, g, was);
    else
        change_v2(ip, g, was);
}

/* ---- which version ---- */

/* RFC 3376, 7.2.1: a host that changes its version cancels what is pending. */
static void check_version(struct ip *ip, struct mcast_if *f, bool v4)
{
    struct mcast_querier *q = querier_of(f, v4);
    uint8_t version = version_now(ip, f, v4);
    bool same = q->version == version || q->version == 0;
    q->version = version;
    if (same)
        return;
    q->general_at = ORIEL_NEVER;
    LIST_EACH(n, &f->groups) {
        struct mcast_group *g = group_of(n);
        if (addr_is_v4(&g->addr) != v4)
            continue;
        forget_pending(g);
        if (g->members_n == 0)
            mcast_group_free(ip, g);
    }
}

/* ---- queries ---- */

static void note_querier(struct ip *ip, struct mcast_if *f, const struct mcast_query *q)
{
    struct mcast_querier *k = querier_of(f, q->v4);
    oriel_time now = ip->env->now;
    bool general = addr_is_unspecified(&q->group);
    if (q->version == 3) {
        k->robustness = q->robustness ? q->robustness : ROBUSTNESS;
        k->interval_s = q->interval_s ? q->interval_s : QUERY_INTERVAL;
    } else if (general && q->version == 2) {
        oriel_time present = k->robustness * (k->interval_s * NS_PER_S) + q->max_delay;
        k->v2_until = time_after(now, present);
        arm(ip, f, k->v2_until);
    } else if (general) {
        k->v1_until = time_after(now, V1_PRESENT);
        arm(ip, f, k->v1_until);
    }
    check_version(ip, f, q->v4);
}

/* RFC 2236, 3: a delay that is already running is kept if it ends within what is allowed now. */
static void ask_v2(struct ip *ip, struct mcast_group *g, oriel_time max_delay)
{
    if (g->answer_at != ORIEL_NEVER && g->answer_at <= time_after(ip->env->now, max_delay))
        return;
    g->answer_at = draw(ip, max_delay);
    arm(ip, if_of(ip, g), g->answer_at);
}

static void ask_sources(struct mcast_group *g, const struct mcast_query *q)
{
    for (unsigned i = 0; i < q->sources_n; i++) {
        unsigned k = 0;
        while (k < g->asked_n && !addr_same_bits(&g->asked[k], &q->source[i]))
            k++;
        if (k == MCAST_SOURCES_MAX) {
            g->asked_all = true;
            return;
        }
        g->asked[k] = q->source[i];
        if (k == g->asked_n)
            g->asked_n++;
    }
}

/* RFC 3376, 5.2, rules 3 to 5. */
static void ask_v3(struct ip *ip, struct mcast_group *g, const struct mcast_query *q, oriel_time at)
{
    if (g->answer_at == ORIEL_NEVER) {
        g->asked_n = 0;
        g->asked_all = false;
    }
    if (q->sources_n == 0 || q->sources_n > MCAST_SOURCES_MAX)
        g->asked_all = true;
    else
        ask_sources(g, q);
    if (at < g->answer_at) {
        g->answer_at = at;
        arm(ip, if_of(ip, g), at);
    }
}

static bool on_general(struct ip *ip, struct mcast_if *f, const struct mcast_query *q)
{
    struct mcast_querier *k = querier_of(f, q->v4);
    if (k->version == 3) {
        oriel_time at = draw(ip, q->max_delay);
        if (at < k->general_at) {
            k->general_at = at;
            arm(ip, f, at);
        }
        return true;
    }
    LIST_EACH(n, &f->groups) {
        struct mcast_group *g = group_of(n);
        if (addr_is_v4(&g->addr) == q->v4 && is_reportable(ip, g))
            ask_v2(ip, g, q->max_delay);
    }
    return true;
}

static bool on_specific(struct ip *ip, uint16_t nif, const struct mcast_query *q)
{
    struct mcast_group *g = mcast_group_find(ip, nif, &q->group);
    if (!g || g->members_n == 0 || !is_reportable(ip, g))
        return false;
    struct mcast_querier *k = querier_for(ip, g);
    if (k->version != 3) {
        ask_v2(ip, g, q->max_delay);
        return true;
    }
    oriel_time at = draw(ip, q->max_delay);
    if (k->general_at > at)     /* else, by rule 1, everything is told before */
        ask_v3(ip, g, q, at);
    return true;
}

bool mcast_report_on_query(struct ip *ip, uint16_t nif, const struct mcast_query *q)
{
    struct mcast_if *f = &ip_if_of(ip, nif)->mcast;
    note_querier(ip, f, q);
    if (addr_is_unspecified(&q->group))
        return on_general(ip, f, q);
    return on_specific(ip, nif, q);
}

bool mcast_report_on_report(struct ip *ip, uint16_t nif, const struct oriel_addr *group)
{
    struct mcast_group *g = mcast_group_find(ip, nif, group);
    if (!g)
        return false;
    if (version_of(ip, g) != 3) {
        forget_pending(g);
        g->last_reporter = false;
    }
    return true;
}

/* ---- answers ---- */

static void answer_general(struct ip *ip, struct mcast_if *f, uint16_t nif, bool v4)
{
    struct writer r;
    querier_of(f, v4)->general_at = ORIEL_NEVER;
    writer_open(&r, ip, nif, v4, WHY_MCAST_ANSWER);
    LIST_EACH(n, &f->groups) {
        const struct mcast_group *g = group_of(n);
        if (addr_is_v4(&g->addr) == v4 && g->members_n > 0 && is_reportable(ip, g))
            writer_record(&r, g->wanted.exclude ? MCAST_IS_EXCLUDE : MCAST_IS_INCLUDE, &g->addr,
                          g->wanted.source, g->wanted.n);
    }
    writer_send(&r);
}

/* Of the sources asked for, those that are let through; nothing when there are none. */
static void answer_sources(struct writer *r, const struct mcast_group *g)
{
    struct oriel_addr list[MCAST_SOURCES_MAX];
    uint16_t n = 0;
    for (unsigned i = 0; i < g->asked_n; i++)
        if (mcast_filter_wants(&g->wanted, &g->asked[i]))
            list[n++] = g->asked[i];
    if (n > 0)
        writer_record(r, MCAST_IS_INCLUDE, &g->addr, list, n);
}

static void answer_group(struct ip *ip, struct mcast_group *g)
{
    struct writer r;
    g->answer_at = ORIEL_NEVER;
    if (g->members_n == 0)
        return;
    if (version_of(ip, g) != 3) {
        tell_group(ip, g, WHY_MCAST_ANSWER);
        return;
    }
    writer_open(&r, ip, g->nif, addr_is_v4(&g->addr), WHY_MCAST_ANSWER);
    if (g->asked_all)
        writer_record(&r, g->wanted.exclude ? MCAST_IS_EXCLUDE : MCAST_IS_INCLUDE, &g->addr,
                      g->wanted.source, g->wanted.n);
    else
        answer_sources(&r, g);
    writer_send(&r);
}

/* ---- interfaces and time ---- */

void mcast_if_init(struct ip *ip, uint16_t nif)
{
    struct mcast_if *f = &ip_if_of(ip, nif)->mcast;
    struct mcast_querier q = {
        .general_at = ORIEL_NEVER,
        .interval_s = QUERY_INTERVAL,
        .robustness = ROBUSTNESS,
    };
    f->q4 = q;
    f->q6 = q;
    list_init(&f->groups);
    timer_init(&f->timer, TIMER_MCAST);
}

void mcast_if_up(struct ip *ip, uint16_t nif)
{
    struct mcast_if *f = &ip_if_of(ip, nif)->mcast;
    struct mcast_filter nothing = {.exclude = false};
    LIST_EACH(n, &f->groups) {
        struct mcast_group *g = group_of(n);
        if (g->told_at == ip->env->now)
            continue;       /* the interface is being made, and it joined just now */
        forget_pending(g);
        if (g->members_n == 0)
            mcast_group_free(ip, g);
        else
            mcast_report_change(ip, g, &nothing);
    }
}

static oriel_time earlier(oriel_time a, oriel_time b)
{
    return a < b ? a : b;
}

/* When that querier has something due: an answer, or an older version's end. */
static oriel_time querier_due(const struct ip *ip, const struct mcast_querier *q)
{
    oriel_time at = q->general_at;
    if (q->v1_until > ip->env->now)
        at = earlier(at, q->v1_until);
    if (q->v2_until > ip->env->now)
        at = earlier(at, q->v2_until);
    return at;
}

static void arm_next(struct ip *ip, struct mcast_if *f)
{
    oriel_time at = earlier(querier_due(ip, &f->q4), querier_due(ip, &f->q6));
    LIST_EACH(n, &f->groups) {
        const struct mcast_group *g = group_of(n);
        at = earlier(at, earlier(g->answer_at, g->change_at));
    }
    arm(ip, f, at);
}

void mcast_on_timer(struct ip *ip, uint16_t nif)
{
    struct mcast_if *f = &ip_if_of(ip, nif)->mcast;
    oriel_time now = ip->env->now;
    check_version(ip, f, true);
    check_version(ip, f, false);
    if (f->q4.general_at <= now)
        answer_general(ip, f, nif, true);
    if (f->q6.general_at <= now)
        answer_general(ip, f, nif, false);
    LIST_EACH(n, &f->groups) {
        struct mcast_group *g = group_of(n);
        if (g->answer_at <= now)
            answer_group(ip, g);
        if (g->change_at <= now)
            tell_change(ip, g);
    }
    arm_next(ip, f);
}
