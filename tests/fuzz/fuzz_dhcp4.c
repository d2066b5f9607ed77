#include "fuzz.h"

#include "wire/dhcp4.h"

struct whole {
    struct dhcp4_msg m;
    uint8_t joined[DHCP4_JOINED_MAX];
};

static bool parse(struct rd *r, struct whole *h)
{
    struct wr joined = wr_of(h->joined, sizeof(h->joined));
    return dhcp4_parse(r, &joined, &h->m);
}

FUZZ_FORMAT(dhcp4, struct whole, parse(r, h), dhcp4_emit(w, &h->m), dhcp4_print(t, &h->m))
