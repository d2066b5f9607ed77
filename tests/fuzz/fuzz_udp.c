#include "fuzz.h"

#include "wire/udp.h"

FUZZ_FORMAT(udp, struct udp_hdr, udp_parse(r, h), udp_emit(w, h), udp_print(t, h))
