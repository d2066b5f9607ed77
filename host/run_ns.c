/* The way of `oriel run --mode=ns`: netns.h, as a way of run.h. */
#define _GNU_SOURCE
#include "host/netns.h"
#include "host/run.h"

static int enter(const void *ctx)
{
    return netns_enter(ctx);
}

static int settle(const void *ctx)
{
    return netns_settle(ctx);
}

static void explain(const void *ctx, int err, char error[DRV_ERROR_MAX])
{
    netns_explain(ctx, err, error);
}

struct run_way ns_way(const struct netns_config *cfg)
{
    return (struct run_way){.enter = enter, .settle = settle, .explain = explain, .ctx = cfg};
}
