/* Captures and the ladder of a lab: what is said of them comes from its scenario. */
#ifndef ORIEL_LAB_VANTAGE_LAB_H
#define ORIEL_LAB_VANTAGE_LAB_H

#include "lab/lab.h"
#include "lab/vantage.h"

/*
 * Begin a capture at a scenario's port, one that a wire is plugged into; between lab_build and
 * lab_start. scratch as vantage_open has it. False: the sink failed.
 */
bool lab_vantage_open(struct vantage *v, const struct lab *l, uint16_t port, struct sink out,
                      void *scratch);

/* With states where the scenario speaks TCP. */
void lab_ladder_open(struct world_ladder *g, const struct lab *l, struct sink out,
                     struct ladder_style style);

#endif
