/* What all drivers share: the words that describe a link, opening, notes. */
#include "host/drv.h"

#include "base/addr.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

extern const struct drv_kind drv_packet, drv_pcap, drv_qemu, drv_serial, drv_tap, drv_tun, drv_udp,
    drv_vxlan, drv_xdp;

const struct drv_kind *const drv_kinds[] = {
    &drv_tap,
    &drv_tun,
    &drv_packet,
    &drv_xdp,
    &drv_pcap,
    &drv_qemu,
    &drv_serial,
    &drv_udp,
    &drv_vxlan,
    NULL,
};

const struct drv_key drv_common_keys[] = {
    {"addr", "A/LEN", "an address of the stack (again for more)"},
    {"gw", "A", "a gateway, one a family"},
    {"dns", "A", "a name server (again for more)"},
    {"mac", "M", "the stack's link address, where the link has frames; without it one is chosen"},
    {"mtu", "N", "bytes of the largest packet"},
    {"plain", NULL, "no offloads: every frame as it stands on a wire"},
    {"dhcp", NULL, "ask for an address; so is done where the link has frames and none is given"},
    {NULL, NULL, NULL},
};

void drv_note(struct drv *d, const char *format, ...)
{
    if (d->notes_n == DRV_NOTES_MAX)
        return;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(d->notes[d->notes_n++], DRV_NOTE_MAX, format, args);
    va_end(args);
}

bool drv_error(char error[DRV_ERROR_MAX], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(error, DRV_ERROR_MAX, format, args);
    va_end(args);
    return false;
}

struct drv *drv_open(const struct drv_spec *s, char error[DRV_ERROR_MAX])
{
    return s->kind->open(s, error);
}

void drv_close(struct drv *d)
{
    if (d)
        d->kind->close(d);
}

const char *drv_lost_text(enum drv_lost why)
{
    static const char *const texts[] = {
        [DRV_LOST_KERNEL] = "the kernel's queue was full",
        [DRV_LOST_MEMORY] = "there was no memory for a packet",
        [DRV_LOST_SENSE] = "cut, damaged, or not for this link",
    };
    return texts[why];
}

void drv_choose_mac(struct drv *d, const struct drv_spec *s)
{
    static const uint8_t none[6];
    uint8_t *mac = d->caps.mac;
    memcpy(mac, s->mac, 6);
    if (memcmp(mac, none, 6) != 0)
        return;
    if (getrandom(mac, 6, GRND_NONBLOCK) != 6)
        memset(mac, 0x0e, 6);
    mac[0] = (uint8_t)((mac[0] & ~1) | 2);      /* administered here, of one station */
}

const char *drv_gone(const struct drv *d)
{
    return d->gone ? d->gone : strerror(-d->error);
}

/* ---- what the link was given ---- */

static bool has_addr(const struct drv_spec *s, const struct drv_addr *a)
{
    for (unsigned i = 0; i < s->addrs_n; i++)
        if (addr_same_bits(&s->addrs[i].addr, &a->addr))
            return true;
    return false;
}

static bool has_gateway(const struct drv_spec *s, bool v4)
{
    for (unsigned i = 0; i < s->gateways_n; i++)
        if (addr_is_v4(&s->gateways[i]) == v4)
            return true;
    return false;
}

void drv_adopt(struct drv_spec *s, const struct drv *d)
{
    const struct drv_given *g = &d->given;
    for (unsigned i = 0; i < g->addrs_n && s->addrs_n < DRV_ADDRS_MAX; i++)
        if (!has_addr(s, &g->addrs[i]))
            s->addrs[s->addrs_n++] = g->addrs[i];
    for (unsigned i = 0; i < g->gateways_n && s->gateways_n < ARRAY_LEN(s->gateways); i++)
        if (!has_gateway(s, addr_is_v4(&g->gateways[i])))
            s->gateways[s->gateways_n++] = g->gateways[i];
    for (unsigned i = 0; i < g->dns_n && s->dns_n < ARRAY_LEN(s->dns); i++)
        s->dns[s->dns_n++] = g->dns[i];
}

/* ---- what the user said ---- */

static bool wrong(char error[DRV_ERROR_MAX], const char *what, const char *found, const char *expected)
{
    (void)snprintf(error, DRV_ERROR_MAX, "%s '%s': expected %s", what, found, expected);
    return false;
}

static const struct drv_kind *kind_named(const char *name, size_t n)
{
    for (size_t i = 0; drv_kinds[i]; i++)
        if (strlen(drv_kinds[i]->name) == n && memcmp(drv_kinds[i]->name, name, n) == 0)
            return drv_kinds[i];
    return NULL;
}

static bool no_kind(char error[DRV_ERROR_MAX], const char *text)
{
    struct txt t = txt_of(error, DRV_ERROR_MAX);
    if (strncmp(text, "user,", 5) == 0 || strncmp(text, "user:", 5) == 0) {
        txt_s(&t, "link 'user' takes nothing more, found '");
        txt_s(&t, text + 4);
        txt_s(&t, "'");
        return false;
    }
    txt_s(&t, "link '");
    txt_s(&t, text);
    txt_s(&t, "': expected one of user");
    for (size_t i = 0; drv_kinds[i]; i++) {
        txt_s(&t, ", ");
        txt_s(&t, drv_kinds[i]->name);
    }
    return false;
}

/* An address; one without a length is a host's own: /32 or /128. */
static bool add_addr(struct drv_spec *s, const char *v)
{
    struct drv_addr *a = &s->addrs[s->addrs_n];
    if (s->addrs_n == DRV_ADDRS_MAX)
        return false;
    a->prefix_len = 128;
    if (strchr(v, '/') ? oriel_prefix_parse(v, &a->addr, &a->prefix_len) != 0
                       : oriel_addr_parse(v, &a->addr) != 0)
        return false;
    s->addrs_n++;
    return true;
}

static bool add_to(struct oriel_addr *list, uint8_t *n, unsigned max, const char *v)
{
    if (*n == max || oriel_addr_parse(v, &list[*n]) != 0)
        return false;
    ++*n;
    return true;
}

static bool set_mac(struct drv_spec *s, const char *v)
{
    unsigned b[6];
    char end;
    if (sscanf(v, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end) != 6 ||
        (b[0] & 1))
        return false;
    for (unsigned i = 0; i < 6; i++)
        s->mac[i] = (uint8_t)b[i];
    return true;
}

static bool set_mtu(struct drv_spec *s, const char *v)
{
    char *end;
    unsigned long n = strtoul(v, &end, 10);
    if (*v < '0' || *v > '9' || *end || n < 68 || n > 65535)
        return false;
    s->mtu = (uint32_t)n;
    return true;
}

static bool keep_rest(struct drv_spec *s, const char *word)
{
    size_t have = strlen(s->rest), n = strlen(word);
    if (have + n + 2 > sizeof(s->rest))
        return false;
    if (have > 0)
        s->rest[have++] = ',';
    memcpy(s->rest + have, word, n + 1);
    return true;
}

static const struct drv_key *key_named(const struct drv_key *k, const char *name, size_t n)
{
    for (; k && k->name; k++)
        if (strlen(k->name) == n && memcmp(k->name, name, n) == 0)
            return k;
    return NULL;
}

static void put_keys(struct txt *t, const struct drv_key *k)
{
    for (; k && k->name; k++) {
        txt_c(t, ' ');
        txt_s(t, k->name);
        txt_s(t, k->value ? "=" : "");
    }
}

static bool no_key(const struct drv_spec *s, const char *word, char error[DRV_ERROR_MAX])
{
    struct txt t = txt_of(error, DRV_ERROR_MAX);
    size_t n = strlen(word);
    txt_s(&t, "link option '");
    txt_span(&t, span_of(word, n < 40 ? n : 40));
    txt_s(&t, "': expected one of");
    put_keys(&t, drv_common_keys);
    put_keys(&t, s->kind->keys);
    return false;
}

/* The value of a key that every kind has; flags have none. */
static bool take_common(struct drv_spec *s, const char *key, const char *v, char error[DRV_ERROR_MAX])
{
    if (strcmp(key, "addr") == 0)
        return add_addr(s, v) || wrong(error, "addr", v, "an address with its prefix, such as "
                                                         "192.0.2.2/24 (eight at most)");
    if (strcmp(key, "gw") == 0)
        return add_to(s->gateways, &s->gateways_n, 2, v) || wrong(error, "gw", v, "an address");
    if (strcmp(key, "dns") == 0)
        return add_to(s->dns, &s->dns_n, 4, v) || wrong(error, "dns", v, "an address");
    if (strcmp(key, "mac") == 0)
        return set_mac(s, v) || wrong(error, "mac", v, "a unicast link address, such as 02:00:00:00:00:01");
    if (strcmp(key, "mtu") == 0)
        return set_mtu(s, v) || wrong(error, "mtu", v, "68 to 65535");
    *(strcmp(key, "dhcp") == 0 ? &s->dhcp : &s->plain) = true;
    return true;
}

/* One "KEY=VALUE" or a flag. */
static bool take_word(struct drv_spec *s, const char *word, char error[DRV_ERROR_MAX])
{
    size_t n = strcspn(word, "=");
    bool has_value = word[n] == '=';
    const struct drv_key *common = key_named(drv_common_keys, word, n);
    const struct drv_key *k = common ? common : key_named(s->kind->keys, word, n);
    char form[64];
    if (!k)
        return no_key(s, word, error);
    (void)snprintf(form, sizeof(form), "%s%s%s", k->name, k->value ? "=" : "", k->value ? k->value : "");
    if (has_value != (k->value != NULL))
        return wrong(error, "link option", word, form);
    if (common)
        return take_common(s, k->name, has_value ? word + n + 1 : "", error);
    return keep_rest(s, word) || wrong(error, "link option", word, "a shorter list");
}

bool drv_spec_parse(struct drv_spec *s, const char *text, char error[DRV_ERROR_MAX])
{
    char buf[512];
    size_t n = strlen(text), kind = strcspn(text, ":,");
    *s = (struct drv_spec){.kind = kind_named(text, kind)};
    if (!s->kind)
        return no_kind(error, text);
    if (n >= sizeof(buf))
        return wrong(error, "link", s->kind->name, "a shorter description");
    memcpy(buf, text, n + 1);
    char *rest = buf + kind;
    if (*rest == ':') {
        size_t where = strcspn(rest + 1, ",");
        if (where >= sizeof(s->where))
            return wrong(error, "link", text, s->kind->where);
        bool key = memchr(rest + 1, '=', where) != NULL;     /* "vxlan:peer=...": WHERE is left out */
        memcpy(s->where, rest + 1, key ? 0 : where);
        if (key)
            *rest = ',';
        else
            rest += 1 + where;
    }
    while (*rest == ',') {
        char *word = rest + 1;
        rest = word + strcspn(word, ",");
        char end = *rest;
        *rest = 0;
        if (*word && !take_word(s, word, error))
            return false;
        *rest = end;
    }
    return true;
}

const char *drv_spec_key(const struct drv_spec *s, const char *key, char *buf, size_t cap)
{
    size_t k = strlen(key);
    for (const char *at = s->rest; *at; at += at[0] == ',') {
        size_t n = strcspn(at, ",");
        bool flag = n == k;
        if (n >= k && memcmp(at, key, k) == 0 && (flag || at[k] == '=')) {
            size_t v = flag ? 0 : n - k - 1;
            if (v >= cap)
                return NULL;
            memcpy(buf, at + n - v, v);
            buf[v] = 0;
            return buf;
        }
        at += n;
    }
    return NULL;
}

bool drv_spec_has(const struct drv_spec *s, const char *key)
{
    char v[sizeof(s->rest)];
    return drv_spec_key(s, key, v, sizeof(v)) != NULL;
}

bool drv_spec_either(const struct drv_spec *s, const char *one, const char *other, char error[DRV_ERROR_MAX])
{
    return !drv_spec_has(s, one) || !drv_spec_has(s, other) ||
           drv_error(error, "link options '%s' and '%s': only one of them can be", one, other);
}
