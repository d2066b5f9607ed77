/*
 * What a script says about the stack before it starts: options, --so_flags, sysctl commands. They
 * all end in the one configuration that the stack is made with.
 *
 * packetdrill's own options that are about its machine (which device, which server, how much it
 * prints) mean nothing in virtual time and are passed over.
 */
#include "lab/script.h"

#include "lab/posix.h"

#define MEMORY_DEFAULT ((size_t)48 << 20)

enum what {
    WHAT_U8, WHAT_U16, WHAT_U32, WHAT_SIZE, WHAT_ON, WHAT_OFF, WHAT_US, WHAT_SHIFT, WHAT_ADDR,
    WHAT_IP, WHAT_PERSONALITY, WHAT_ECN, WHAT_COOKIES, WHAT_CONGESTION, WHAT_KEY, WHAT_NOTHING,
};

struct setting {
    const char *name;
    enum what what;
    size_t at;                  /* in struct script_setup */
    uint64_t min, max;
};

#define AT(member)  offsetof(struct script_setup, member)
#define TCP(member) offsetof(struct script_setup, tcp.member)

static const struct setting settings[] = {
    /* packetdrill's */
    {"ip_version", WHAT_IP, AT(ip), 0, 0},
    {"mtu", WHAT_U32, AT(mtu), 68, 65535},
    {"tolerance_usecs", WHAT_US, AT(tolerance), 0, 3600000000u},
    {"tcp_ts_tick_usecs", WHAT_U32, AT(ts_tick_us), 0, 1000000},
    {"local_ip", WHAT_ADDR, AT(local), 0, 0},
    {"remote_ip", WHAT_ADDR, AT(remote), 0, 0},
    {"bind_port", WHAT_U16, AT(bind_port), 1, 65535},
    {"connect_port", WHAT_U16, AT(connect_port), 1, 65535},
    {"gateway_ip", WHAT_NOTHING, 0, 0, 0},
    {"netmask_ip", WHAT_NOTHING, 0, 0, 0},
    {"wire_client", WHAT_NOTHING, 0, 0, 0},
    {"wire_server", WHAT_NOTHING, 0, 0, 0},
    {"wire_client_dev", WHAT_NOTHING, 0, 0, 0},
    {"wire_server_dev", WHAT_NOTHING, 0, 0, 0},
    {"wire_server_ip", WHAT_NOTHING, 0, 0, 0},
    {"wire_server_at", WHAT_NOTHING, 0, 0, 0},
    {"wire_server_port", WHAT_NOTHING, 0, 0, 0},
    {"so_filename", WHAT_NOTHING, 0, 0, 0},
    {"persistent_tun_dev", WHAT_NOTHING, 0, 0, 0},
    {"send_omit_free", WHAT_NOTHING, 0, 0, 0},
    {"code_command", WHAT_NOTHING, 0, 0, 0},
    {"code_format", WHAT_NOTHING, 0, 0, 0},
    {"code_sockopt", WHAT_NOTHING, 0, 0, 0},
    {"init_scripts", WHAT_NOTHING, 0, 0, 0},
    {"tolerance_percent", WHAT_NOTHING, 0, 0, 0},
    {"non_fatal", WHAT_NOTHING, 0, 0, 0},
    {"speed", WHAT_NOTHING, 0, 0, 0},
    {"dry_run", WHAT_NOTHING, 0, 0, 0},
    {"verbose", WHAT_NOTHING, 0, 0, 0},
    {"debug", WHAT_NOTHING, 0, 0, 0},
    /* ours */
    {"personality", WHAT_PERSONALITY, TCP(personality), 0, 0},
    {"cc", WHAT_CONGESTION, AT(congestion), 0, 0},
    {"iw", WHAT_U8, TCP(initial_window), 1, 255},
    {"rcvbuf", WHAT_U32, TCP(rcvbuf), 1, 1u << 30},
    {"rcvbuf_max", WHAT_U32, TCP(rcvbuf_max), 1, 1u << 30},
    {"sndbuf", WHAT_U32, TCP(sndbuf), 1, 1u << 30},
    {"sndbuf_max", WHAT_U32, TCP(sndbuf_max), 1, 1u << 30},
    {"wscale", WHAT_SHIFT, TCP(window_scale), 1, 14},
    {"rto_min_ms", WHAT_U32, TCP(rto_min_ms), 1, 3600000},
    {"rto_max_ms", WHAT_U32, TCP(rto_max_ms), 1, 3600000},
    {"rto_init_ms", WHAT_U32, TCP(rto_init_ms), 1, 3600000},
    {"delack_ms", WHAT_U32, TCP(delack_ms), 1, 3600000},
    {"msl_ms", WHAT_U32, TCP(msl_ms), 1, 3600000},
    {"ecn", WHAT_ECN, TCP(ecn), 0, 0},
    {"cookies", WHAT_COOKIES, TCP(cookies), 0, 0},
    {"timestamps", WHAT_OFF, TCP(no_timestamps), 0, 0},
    {"sack", WHAT_OFF, TCP(no_sack), 0, 0},
    {"rack", WHAT_OFF, TCP(no_rack), 0, 0},
    {"fast_path", WHAT_OFF, TCP(no_fast_path), 0, 0},
    {"mtu_probing", WHAT_ON, TCP(mtu_probing), 0, 0},
    {"tfo_key", WHAT_KEY, TCP(fastopen_key), 0, 0},
    {"fastopen", WHAT_U32, AT(tcp_fastopen), 0, 0xffff},
    {"half_open", WHAT_U32, TCP(half_open), 1, 1u << 24},
    {"time_wait", WHAT_U32, TCP(time_wait), 1, 1u << 24},
    {"ttl", WHAT_U8, AT(ttl), 1, 255},
    {"seed", WHAT_U8, AT(seed), 0, 255},
    {"connections", WHAT_U32, AT(connections), 1, 65536},
    {"memory", WHAT_SIZE, AT(memory), 1u << 20, 1u << 30},
    {"leftovers", WHAT_ON, AT(leftovers), 0, 0},
    {"strong_host", WHAT_ON, AT(strong_host), 0, 0},
    {"tso", WHAT_ON, AT(tso), 0, 0},
};

void script_setup_init(struct script_setup *c)
{
    *c = (struct script_setup){
        .tolerance = 4 * NS_PER_MS, .ts_tick_us = 1000, .bind_port = 8080, .connect_port = 8080,
        .local = ADDR_NONE, .remote = ADDR_NONE, .tcp_fastopen = 3, .connections = 256,
        .memory = MEMORY_DEFAULT, .seed = 1,
    };
}

/* ---- values ---- */

static bool choose(struct span value, const char *const *names, size_t n, uint32_t *out)
{
    for (size_t i = 0; i < n; i++)
        if (names[i] && span_is(value, names[i])) {
            *out = (uint32_t)i;
            return true;
        }
    return false;
}

static bool enumerated(uint8_t *at, struct span value, enum what what, const char **expected)
{
    static const char *const ips[] = {NULL, "ipv4", "ipv6", "ipv4-mapped-ipv6"};
    static const char *const persons[] = {"oriel", "rfc", "linux", "freebsd"};
    static const char *const ecns[] = {NULL, "off", "passive", "on", "accurate"};
    static const char *const cookies[] = {"when_full", "never", "always"};
    static const struct {
        const char *const *names;
        size_t n;
        const char *expected;
    } lists[] = {{ips, 4, "ipv4, ipv6 or ipv4-mapped-ipv6"},
                 {persons, 4, "oriel, rfc, linux or freebsd"},
                 {ecns, 5, "off, passive, on or accurate"},
                 {cookies, 3, "when_full, never or always"}};
    unsigned which = what == WHAT_IP ? 0 : what == WHAT_PERSONALITY ? 1 : what == WHAT_ECN ? 2 : 3;
    uint32_t v;
    *expected = lists[which].expected;
    if (!choose(value, lists[which].names, lists[which].n, &v))
        return false;
    static_assert(sizeof(enum script_ip) == sizeof(v), "an enum is a word here");
    memcpy(at, &v, sizeof(v));
    return true;
}

static bool on_off(struct span value, bool *out)
{
    *out = value.n == 0 || span_is(value, "1") || span_is(value, "on") || span_is(value, "yes");
    return *out || span_is(value, "0") || span_is(value, "off") || span_is(value, "no");
}

static bool put_number(uint8_t *at, enum what what, uint64_t v)
{
    uint8_t u8 = (uint8_t)v;
    uint16_t u16 = (uint16_t)v;
    uint32_t u32 = (uint32_t)v;
    size_t size = (size_t)v;
    oriel_time ns = v * NS_PER_US;
    if (what == WHAT_U8 || what == WHAT_SHIFT)
        memcpy(at, &u8, sizeof(u8));
    else if (what == WHAT_U16)
        memcpy(at, &u16, sizeof(u16));
    else if (what == WHAT_US)
        memcpy(at, &ns, sizeof(ns));
    else if (what == WHAT_SIZE)
        memcpy(at, &size, sizeof(size));
    else
        memcpy(at, &u32, sizeof(u32));
    return true;
}

/* 64k and 2M are sizes, too. */
static bool number(uint8_t *at, const struct setting *s, struct span value)
{
    uint64_t v, unit = 1;
    if (s->what == WHAT_SHIFT && span_is(value, "off")) {
        int8_t none = -1;
        memcpy(at, &none, sizeof(none));
        return true;
    }
    if (value.n > 1 && (value.p[value.n - 1] == 'k' || value.p[value.n - 1] == 'M')) {
        unit = value.p[value.n - 1] == 'k' ? 1024 : 1024 * 1024;
        value.n--;
    }
    if (!txt_parse_u(value, s->max / unit, &v) || v * unit < s->min)
        return false;
    return put_number(at, s->what, v * unit);
}

static int nibble(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* 32 hexadecimal digits; dashes as sysctl has them. */
static bool key16(uint8_t *at, struct span value)
{
    uint8_t key[16] = {0};
    size_t n = 0;
    for (size_t i = 0; i < value.n; i++) {
        int d = nibble(value.p[i]);
        if (value.p[i] == '-')
            continue;
        if (d < 0 || n == 32)
            return false;
        key[n / 2] = (uint8_t)(key[n / 2] << 4 | d);
        n++;
    }
    memcpy(at, key, sizeof(key));
    return n == 32;
}

static bool address(uint8_t *at, struct span value)
{
    struct oriel_addr a;
    uint8_t len;
    if (!addr_parse(value, &a) && !addr_and_len_parse(value, &a, &len))
        return false;
    memcpy(at, &a, sizeof(a));
    return true;
}

static bool congestion(struct script_setup *c, struct span value)
{
    static const char *const names[] = {"newreno", "cubic", "bbr"};
    uint32_t kind;
    struct span name = span_is(value, "reno") ? span_str("newreno") : value;
    if (!choose(name, names, ARRAY_LEN(names), &kind))
        return false;
    struct txt t = txt_of(c->congestion, sizeof(c->congestion));
    txt_s(&t, names[kind]);
    return true;
}

static bool take(struct script_setup *c, const struct setting *s, struct span value,
                 const char **expected)
{
    uint8_t *at = (uint8_t *)c + s->at;
    bool on = false;
    switch (s->what) {
    case WHAT_NOTHING:
        return true;
    case WHAT_IP: case WHAT_PERSONALITY: case WHAT_ECN: case WHAT_COOKIES:
        return enumerated(at, value, s->what, expected);
    case WHAT_ON: case WHAT_OFF:
        *expected = "0 or 1";
        if (!on_off(value, &on))
            return false;
        on = on == (s->what == WHAT_ON);
        memcpy(at, &on, sizeof(on));
        return true;
    case WHAT_ADDR:
        *expected = "an IPv4 or IPv6 address";
        return address(at, value);
    case WHAT_KEY:
        *expected = "32 hexadecimal digits";
        return key16(at, value);
    case WHAT_CONGESTION:
        *expected = "cubic, newreno (reno) or bbr";
        return congestion(c, value);
    case WHAT_U8: case WHAT_U16: case WHAT_U32: case WHAT_SIZE: case WHAT_US: case WHAT_SHIFT:
        break;
    }
    return number(at, s, value);
}

static void expect_number(char *text, size_t n, const struct setting *s)
{
    struct txt t = txt_of(text, n);
    txt_s(&t, "a number, ");
    txt_u(&t, s->min);
    txt_s(&t, " to ");
    txt_u(&t, s->max);
    if (s->what == WHAT_SHIFT)
        txt_s(&t, ", or off");
}

static bool unknown(struct span key, struct syntax_error *err)
{
    unsigned best = 3;
    (void)syntax_fail(err, 1, key, "an option; docs/script-format.md lists them");
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        unsigned d = edit_distance(key, span_str(settings[i].name), best - 1);
        if (d >= best)
            continue;
        best = d;
        struct txt t = txt_of(err->hint, sizeof(err->hint));
        txt_s(&t, settings[i].name);
    }
    return false;
}

bool script_setting(struct script_setup *c, struct span key, struct span value,
                    struct syntax_error *err)
{
    const char *expected = NULL;
    char range[80];
    for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
        const struct setting *s = &settings[i];
        if (!span_is(key, s->name))
            continue;
        if (take(c, s, value, &expected))
            return true;
        expect_number(range, sizeof(range), s);
        size_t column = value.n > 0 ? key.n + 2 : key.n + 1;
        return syntax_fail(err, column, value, expected ? expected : range);
    }
    return unknown(key, err);
}

bool script_settings(struct script_setup *c, struct span text, struct syntax_error *err)
{
    for (size_t at = 0; at < text.n;) {
        size_t n = at, is = SIZE_MAX;
        for (; n < text.n && text.p[n] != ',' && text.p[n] != ' '; n++)
            is = text.p[n] == '=' && is == SIZE_MAX ? n : is;
        struct span key = span_of(text.p + at, (is < n ? is : n) - at);
        struct span value = is < n ? span_of(text.p + is + 1, n - is - 1) : span_of(text.p + n, 0);
        if (key.n > 0 && !script_setting(c, key, value, err)) {
            err->column += (uint32_t)at;
            return false;
        }
        at = n + 1;
    }
    return true;
}
