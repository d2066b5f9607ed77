/* All verbs, in the order in which help shows them. */
#include "cli/verbs.h"

static const struct verb *const verbs[] = {
    &verb_lab_run,
    &verb_lab_list,
    &verb_lab_check,
    &verb_run,
    &verb_doctor,
    &verb_script_run,
    &verb_nc,
    &verb_ping,
    &verb_traceroute,
    &verb_arp,
    &verb_route,
    &verb_addr,
    &verb_bench,
    &verb_ss,
    &verb_stat,
    &verb_link_list,
    &verb_dump,
    &verb_ladder,
    &verb_replay,
    &verb_help,
};

const struct verb *verb_at(size_t i)
{
    return i < ARRAY_LEN(verbs) ? verbs[i] : NULL;
}

const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (strcmp(verbs[i]->name, name) == 0)
            return verbs[i];
    return NULL;
}
