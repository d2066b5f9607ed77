#include "fuzz.h"

#include "wire/arp.h"

FUZZ_FORMAT(arp, struct arp_msg, arp_parse(r, h), arp_emit(w, h), arp_print(t, h))
