/*
 * The fields of struct oriel_tcp_info by name, for `expect NODE tcp info snd_cwnd == 10`.
 */
#ifndef ORIEL_LAB_LAB_INFO_H
#define ORIEL_LAB_LAB_INFO_H

#include "base/text.h"
#include "oriel/oriel.h"

struct lab_info_field {
    const char *name;
    uint16_t at;                    /* offset in the struct */
    uint8_t size;
};

/* The field of that name, or NULL; i-th field, NULL at the end. */
const struct lab_info_field *lab_info_named(struct span name);
const struct lab_info_field *lab_info_field(size_t i);

uint64_t lab_info_value(const struct oriel_tcp_info *info, const struct lab_info_field *f);

#endif
