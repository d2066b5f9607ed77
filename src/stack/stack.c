/*
 * A stack is made in the memory that it is given and uses nothing else. The struct itself lies at
 * the start; tables and pools follow in the order of the layers; packets take half of the memory.
 */
#include "stack/stack.h"

#define CONNECTIONS_DEFAULT 256

void oriel_config_init(struct oriel_config *cfg)
{
    *cfg = (struct oriel_config){.version = ORIEL_CONFIG_VERSION};
}

static uint32_t connections_of(uint32_t wanted)
{
    return wanted ? wanted : CONNECTIONS_DEFAULT;
}

static void init_env(struct oriel_stack *s, const struct oriel_config *cfg)
{
    struct env *env = &s->env;
    struct siphash_key k = siphash_derive(cfg->seed, "generator");
    env->now = cfg->now;
    env->node = cfg->node;
    env->trace = cfg->shared_trace ? cfg->shared_trace : &s->own_trace;
    env->mem = cfg->shared_packets ? cfg->shared_packets : &s->own_mem;
    env->budget = &s->budget;
    env->csum = csum_ops_for(cfg->cpu);
    memcpy(env->seed, cfg->seed, sizeof(env->seed));
    rng_seed(&env->rng, k.k0, k.k1);
    env->hash_seed = siphash_derive(cfg->seed, "tables").k0;
    wheel_init(&env->wheel, cfg->now);
}

static bool init_trace(struct oriel_stack *s, const struct oriel_config *cfg)
{
    struct trace_rec *ring = NULL;
    if (cfg->trace_events) {
        ring = arena_take(&s->arena, cfg->trace_events * sizeof(*ring));
        if (!ring)
            return false;
    }
    trace_init(&s->own_trace, ring, cfg->trace_events);
    if (cfg->trace_events || cfg->shared_trace)
        s->env.trace_mask = TOPICS_ALL;
    return true;
}

static bool init_layers(struct oriel_stack *s, const struct oriel_config *cfg)
{
    const struct limits *l = &s->limits;
    const struct ip_limits ipl = {.addrs = l->addrs, .routes = l->routes, .neighs = l->neighs,
                                  .frags = l->frags, .pmtus = l->pmtus, .groups = l->groups,
                                  .nat_sessions = l->nat_sessions, .frag_bytes = l->frag_bytes};
    s->budget = (struct budget){.max = l->packet_bytes};
    if (!link_init(&s->link, &s->env, &s->arena, (uint16_t)l->netifs) ||
        !ip_init(&s->ip, &s->env, &s->link, &s->arena, &ipl) ||
        !udp_init(&s->udp, &s->env, &s->ip, &s->arena, l->udp) ||
        !tcp_init(&s->tcp, &s->env, &s->ip, &s->arena, &l->tcp, &cfg->tcp) ||
        !socks_init(&s->socks, &s->env, &s->ip, &s->udp, &s->tcp, &s->arena, l->sockets) ||
        !init_trace(s, cfg))
        return false;
    size_t left = s->arena.size - s->arena.used;
    size_t packets = l->packet_bytes < left ? (size_t)l->packet_bytes : left;
    return cfg->shared_packets || pkt_mem_init(&s->own_mem, &s->arena, packets / 100 * 85);
}

static void apply_settings(struct oriel_stack *s, const struct oriel_config *cfg)
{
    s->ip.set = (struct ip_settings){
        .forward4 = cfg->forward4,
        .forward6 = cfg->forward6,
        .strong_host = cfg->strong_host,
        .send_redirects = cfg->send_redirects,
        .accept_redirects = cfg->accept_redirects,
        .echo_group = cfg->echo_group,
        .ttl = cfg->ttl ? cfg->ttl : IP_TTL_DEFAULT,
        .icmp_per_s = cfg->icmp_per_s ? cfg->icmp_per_s : 10,
    };
}

struct oriel_stack *oriel_create(const struct oriel_config *cfg)
{
    struct arena arena;
    if (cfg->version != ORIEL_CONFIG_VERSION || !cfg->memory)
        return NULL;
    arena_init(&arena, cfg->memory, cfg->memory_bytes);
    struct oriel_stack *s = arena_take_zeroed(&arena, sizeof(*s));
    if (!s)
        return NULL;
    s->arena = arena;
    s->limits = limits_from(cfg->memory_bytes, connections_of(cfg->connections),
                            cfg->shared_packets != NULL, &cfg->tcp);
    init_env(s, cfg);
    if (!init_layers(s, cfg))
        return NULL;
    apply_settings(s, cfg);
    return s;
}

void oriel_destroy(struct oriel_stack *s)
{
    socks_fini(&s->socks);
    tcp_fini(&s->tcp);
    ip_fini(&s->ip);
    pkt_queue_free(&s->link.loop);
    for (uint16_t i = 0; i < s->link.max; i++)
        if (s->link.netifs[i].index)
            pkt_queue_free(&s->link.netifs[i].tx);
    ORIEL_ASSERT(s->budget.used == 0);          /* a packet of this stack is still somewhere */
    ORIEL_ASSERT(s->env.mem != &s->own_mem || pkt_mem_live(&s->own_mem) == 0);
}

/*
 * Tables grow with the memory, so the least is found by trying; these two numbers cover it with
 * some room for packets (the test of this function tries).
 */
#define MEMORY_LEAST      ((size_t)1248 * 1024)
#define MEMORY_PER_SOCKET ((size_t)2048)

size_t oriel_memory_min(uint32_t connections)
{
    return MEMORY_LEAST + connections_of(connections) * MEMORY_PER_SOCKET;
}

void oriel_step(struct oriel_stack *s, oriel_time now, struct pkt_batch *rx)
{
    ORIEL_ASSERT(now >= s->env.now);            /* time is input; it never goes back */
    s->env.now = now;
    stack_loop(s);
    stack_rx(s, rx);
    if (wheel_next(&s->env.wheel) <= now)
        stack_timers(s);
    if (s->env.facts.n > 0)
        stack_facts(s);
    socks_publish(&s->socks);                   /* output is built when the host takes it */
    s->env.cause = 0;
}

oriel_time stack_next_own(const struct oriel_stack *s)
{
    oriel_time timer = wheel_next(&s->env.wheel), departure = tcp_next_departure(&s->tcp);
    if (stack_has_looped(s))
        return s->env.now;
    return timer < departure ? timer : departure;
}

oriel_time oriel_next_deadline(const struct oriel_stack *s)
{
    return stack_has_output(s) ? s->env.now : stack_next_own(s);
}
