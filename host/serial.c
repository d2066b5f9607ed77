/* The keys of a serial link. */
#define _GNU_SOURCE
#include "host/serial.h"

#include "base/addr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_S      60
#define WAIT_MAX_S  3600
#define SPEED       115200
#define ECHO_S      10
#define ECHO_MAX_S  3600
#define ECHOES_MAX  3

static bool says(char error[DRV_ERROR_MAX], const char *key, const char *v, const char *expected)
{
    return drv_error(error, "%s '%s': expected %s", key, v, expected);
}

static bool read_number(const struct drv_spec *s, const char *key, unsigned long least, unsigned long most,
                        unsigned long *out, char error[DRV_ERROR_MAX])
{
    char v[DRV_NAME_MAX], *end;
    if (!drv_spec_key(s, key, v, sizeof v))
        return true;
    *out = strtoul(v, &end, 0);
    return (*v >= '0' && *v <= '9' && !*end && *out >= least && *out <= most) ||
           drv_error(error, "%s '%s': expected %lu to %lu", key, v, least, most);
}

const struct drv_key serial_keys[] = {
    {"ppp", NULL, "the Point-to-Point Protocol; the default"},
    {"slip", NULL, "RFC 1055 instead: nothing is agreed on, addr= says all"},
    {"pty", NULL, "make a pseudo-terminal; whoever opens WHERE is at its other end"},
    {"speed", "BITS", "a second; 115200"},
    {"rtscts", NULL, "the wires RTS and CTS say who may send"},
    {"modem", NULL, "without a carrier there is no line"},
    {"persist", NULL, "a line or an other end that is gone is waited for"},
    {"passive", NULL, "when nobody answers at first, wait for whoever comes"},
    {"wait", "SECONDS", "until the link must work; 60, 0 for ever"},
    {"user", "NAME", "who we are, when we are asked"},
    {"password-file", "FILE", "whose first line proves it"},
    {"no-pap", NULL, "never say the password as it is"},
    {"auth", "HOW", "the other end must say who it is: pap, chap or none"},
    {"peer-user", "NAME", "who it must be"},
    {"peer-password-file", "FILE", "whose first line it must know"},
    {"peer", "A", "the other end's address, given to it"},
    {"mru", "BYTES", "the largest packet that we take; 1500"},
    {"accm", "BITS", "control bytes that the line does not carry; 0"},
    {"frames", "FILE", "a capture of the line, with what the two ends say to agree"},
    {"echo", "SECONDS", "between questions whether the other end is there; 10, 0 never"},
    {NULL, NULL, NULL},
};

/* ---- secrets ---- */

static bool set_word(uint8_t to[PPP_NAME_MAX], uint8_t *to_n, const char *from)
{
    size_t n = strlen(from);
    if (n > PPP_NAME_MAX)
        return false;
    memcpy(to, from, n);
    *to_n = (uint8_t)n;
    return true;
}

/* The first line. */
static bool read_file(const char *path, struct ppp_secret *s, char error[DRV_ERROR_MAX])
{
    char line[PPP_NAME_MAX + 2] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof line - 1);
    int err = errno;
    if (fd >= 0)
        close(fd);
    if (n < 0)
        return drv_error(error, "%s: %s", path, strerror(err));
    line[strcspn(line, "\r\n")] = 0;
    bool good = *line && set_word(s->word, &s->word_n, line);
    explicit_bzero(line, sizeof line);
    return good || drv_error(error, "%s: expected a password of 1 to %d bytes as its first line", path,
                             PPP_NAME_MAX);
}

static bool read_secret(const struct drv_spec *s, const char *user, const char *file, struct ppp_secret *out,
                        char error[DRV_ERROR_MAX])
{
    char name[DRV_NAME_MAX], path[DRV_NAME_MAX];
    bool has_name = drv_spec_key(s, user, name, sizeof name);
    bool has_file = drv_spec_key(s, file, path, sizeof path);
    if (!has_name && !has_file)
        return true;
    if (!has_name || !has_file)
        return drv_error(error, "%s= and %s= belong together", user, file);
    if (!*name || !set_word(out->name, &out->name_n, name))
        return says(error, user, name, "a name of at most 64 bytes");
    return read_file(path, out, error);
}

/* With one password for both ways, each end would compute for the other what it asks for. */
static bool check_secrets(const struct ppp_config *c, char error[DRV_ERROR_MAX])
{
    const struct ppp_secret *a = &c->own, *b = &c->peer;
    bool same = a->name_n && b->name_n && a->word_n == b->word_n && memcmp(a->word, b->word, a->word_n) == 0;
    if (same)
        return drv_error(error, "both ends have the same password: each way needs its own");
    return c->auth == PPP_AUTH_NONE || b->name_n != 0 ||
           drv_error(error, "auth=: who must it be? peer-user= and peer-password-file= are missing");
}

static bool read_auth(const struct drv_spec *s, struct ppp_config *c, char error[DRV_ERROR_MAX])
{
    static const char *const kinds[] = {
        [PPP_AUTH_NONE] = "none", [PPP_AUTH_PAP] = "pap", [PPP_AUTH_CHAP] = "chap",
    };
    char v[DRV_NAME_MAX];
    bool known = !drv_spec_key(s, "auth", v, sizeof v);
    for (unsigned i = 0; !known && i < ARRAY_LEN(kinds); i++)
        if (strcmp(v, kinds[i]) == 0) {
            c->auth = (enum ppp_auth_kind)i;
            known = true;
        }
    c->no_pap = drv_spec_has(s, "no-pap");
    return (known || says(error, "auth", v, "pap, chap or none")) &&
           read_secret(s, "user", "password-file", &c->own, error) &&
           read_secret(s, "peer-user", "peer-password-file", &c->peer, error) && check_secrets(c, error);
}

/* ---- addresses ---- */

static uint32_t v4_of(const struct oriel_addr *a)
{
    return (uint32_t)a->lo;
}

static bool read_addrs(const struct drv_spec *s, struct ppp_config *c, char error[DRV_ERROR_MAX])
{
    char v[DRV_NAME_MAX];
    struct oriel_addr peer;
    unsigned dns = 0;
    for (unsigned i = s->addrs_n; i > 0; i--)
        if (addr_is_v4(&s->addrs[i - 1].addr))
            c->addr4 = v4_of(&s->addrs[i - 1].addr);
    for (unsigned i = 0; i < s->dns_n && dns < 2; i++)
        if (addr_is_v4(&s->dns[i]))
            c->dns4[dns++] = v4_of(&s->dns[i]);
    c->want_dns = s->dns_n == 0;
    if (!drv_spec_key(s, "peer", v, sizeof v))
        return true;
    if (oriel_addr_parse(v, &peer) != 0 || !addr_is_v4(&peer))
        return says(error, "peer", v, "the IPv4 address of the other end");
    c->peer4 = v4_of(&peer);
    return true;
}

/* ---- all of it ---- */

static bool read_ppp(struct serial_wish *w, const struct drv_spec *s, char error[DRV_ERROR_MAX])
{
    unsigned long mru = PPP_MRU, accm = 0, echo = ECHO_S;
    if (!read_number(s, "mru", PPP_MRU_MIN, UINT16_MAX - 8, &mru, error) ||
        !read_number(s, "accm", 0, UINT32_MAX, &accm, error) ||
        !read_number(s, "echo", 0, ECHO_MAX_S, &echo, error))
        return false;
    w->ppp.mru = (uint16_t)mru;
    w->ppp.mtu = (uint16_t)(s->mtu ? s->mtu : 0);
    w->ppp.accm = (uint32_t)accm;
    w->ppp.echo = echo * NS_PER_S;
    w->ppp.echoes_max = ECHOES_MAX;
    w->ppp.passive = drv_spec_has(s, "passive");
    (void)drv_spec_key(s, "frames", w->frames, sizeof w->frames);
    return read_auth(s, &w->ppp, error) && read_addrs(s, &w->ppp, error);
}

bool serial_wish_read(struct serial_wish *w, const struct drv_spec *s, char error[DRV_ERROR_MAX])
{
    unsigned long speed = SPEED, wait = WAIT_S;
    *w = (struct serial_wish){.slip = drv_spec_has(s, "slip"), .persist = drv_spec_has(s, "persist")};
    if (!read_number(s, "speed", 1, 4000000, &speed, error) ||
        !read_number(s, "wait", 0, WAIT_MAX_S, &wait, error))
        return false;
    w->wait_s = (unsigned)wait;
    w->tty = (struct tty_config){.path = s->where, .pty = drv_spec_has(s, "pty"), .speed = (unsigned)speed,
                                 .rtscts = drv_spec_has(s, "rtscts"), .modem = drv_spec_has(s, "modem")};
    if (!tty_speed_is_known(w->tty.speed))
        return drv_error(error, "speed '%lu': expected one that lines have: 9600, 115200 ...", speed);
    if (!drv_spec_either(s, "ppp", "slip", error))
        return false;
    if (!*s->where)
        return drv_error(error, "serial: which line? serial:/dev/ttyS0, or serial:PATH,pty to make one");
    if (w->slip && s->addrs_n == 0)
        return drv_error(error, "serial: SLIP agrees on nothing: addr=A/LEN is missing");
    return read_ppp(w, s, error);
}
