/* What the user said of a serial link, for drv_serial.c: keys of the link become a PPP configuration. */
#ifndef ORIEL_HOST_SERIAL_H
#define ORIEL_HOST_SERIAL_H

#include "host/tty.h"
#include "link/ppp.h"

extern const struct drv_key serial_keys[];

struct serial_wish {
    bool slip;
    bool persist;               /* a line or a peer that is gone is waited for */
    unsigned wait_s;            /* for the link to work; 0: for ever */
    char frames[DRV_NAME_MAX];  /* a capture of the line; "": none */
    struct tty_config tty;
    struct ppp_config ppp;      /* without memory and seed */
};

/* False: a sentence in `error`. w points into s. */
bool serial_wish_read(struct serial_wish *w, const struct drv_spec *s, char error[DRV_ERROR_MAX]);

#endif
