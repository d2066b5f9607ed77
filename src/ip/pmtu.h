/*
 * Path MTU cache (RFC 1191, 8201): what routers said about paths to single destinations. Only lower
 * than the link's MTU, never below a floor, forgotten after ten minutes.
 */
#ifndef ORIEL_IP_PMTU_H
#define ORIEL_IP_PMTU_H

#include "trace/env.h"

#define PMTU_LIFE   (600 * NS_PER_S)
#define PMTU_FLOOR4 552                 /* as Linux; what is below comes from attackers */
#define PMTU_FLOOR6 1280

struct pmtu {
    struct list node;           /* oldest first */
    struct oriel_addr dst;
    uint32_t mtu;
    oriel_time until;
};

struct pmtu_table {
    struct env *env;
    struct pool pool;
    struct hmap map;
    struct list by_age;
    struct timer timer;
};

bool pmtu_init(struct pmtu_table *t, struct env *env, struct arena *a, uint32_t max);

/* The MTU known for dst, or 0. */
uint32_t pmtu_of(const struct pmtu_table *t, const struct oriel_addr *dst);

/*
 * A report: `mtu` as told (0 from old routers), `was` the size of the packet that did not fit.
 * Applies plateaus, floor, never raises. The MTU that now holds, or 0 when the report is ignored.
 */
uint32_t pmtu_lower(struct pmtu_table *t, const struct oriel_addr *dst, uint32_t mtu, uint32_t was);
bool pmtu_forget(struct pmtu_table *t, const struct oriel_addr *dst);
/* True: an entry ran out, cached paths may be wrong. */
bool pmtu_on_timer(struct pmtu_table *t);

const struct pmtu *pmtu_each(const struct pmtu_table *t, uint32_t *cursor);

#endif
