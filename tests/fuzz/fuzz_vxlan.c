#include "fuzz.h"

#include "wire/vxlan.h"

FUZZ_FORMAT(vxlan, struct vxlan_hdr, vxlan_parse(r, h), vxlan_emit(w, h), vxlan_print(t, h))
