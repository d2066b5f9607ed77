/*
 * Commands in backticks: sysctl, and a few that change nothing here.
 *
 *     `sysctl -q net.ipv4.tcp_sack=0 net.ipv4.tcp_rmem="4096 131072 6291456"`
 *
 * Scripts set the kernel up with them. Those whose knob Oriel has are put into its configuration; a
 * few knobs only tune what a kernel does beside TCP, and are passed over. Everything else is a
 * mistake, because the script would be judged by what it did not get.
 */
#include "lab/script.h"

#include "lab/posix.h"

struct words {
    struct span text;
    size_t at;
    struct span word;
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\\';
}

static bool is_break(uint8_t c)
{
    return c == '\n' || c == ';' || c == '&' || c == '|';
}

/* The next word of a command; blanks inside quotes belong to it. False at the command's end. */
static bool next_word(struct words *w)
{
    while (w->at < w->text.n && (is_blank(w->text.p[w->at]) ||
           (w->text.p[w->at] == '\n' && w->at > 0 && w->text.p[w->at - 1] == '\\')))
        w->at++;
    size_t from = w->at;
    uint8_t quote = 0;
    for (; w->at < w->text.n; w->at++) {
        uint8_t c = w->text.p[w->at];
        bool joined = c == '&' && w->at > from && w->text.p[w->at - 1] == '>';  /* 2>&1 */
        if (quote == 0 && (is_blank(c) || (is_break(c) && !joined)))
            break;
        if (c == '"' || c == '\'')
            quote = quote == 0 ? c : quote == c ? 0 : quote;
    }
    w->word = span_of(w->text.p + from, w->at - from);
    return w->word.n > 0;
}

static bool ends_in(struct span s, const char *end)
{
    size_t n = strlen(end);
    return s.n >= n && memcmp(s.p + s.n - n, end, n) == 0;
}

static bool contains(struct span s, const char *part)
{
    size_t n = strlen(part);
    for (size_t i = 0; i + n <= s.n; i++)
        if (memcmp(s.p + i, part, n) == 0)
            return true;
    return false;
}

/* ---- knobs ---- */

enum knob {
    KNOB_NOTHING, KNOB_SETTING, KNOB_ECN, KNOB_COOKIES, KNOB_RMEM, KNOB_WMEM, KNOB_RECOVERY,
    KNOB_PROBING, KNOB_SCALING, KNOB_RTO_MIN,
};

static const struct {
    const char *name;           /* behind net.ipv4. or net.core. */
    enum knob knob;
    const char *setting;
} knobs[] = {
    {"tcp_congestion_control", KNOB_SETTING, "cc"},
    {"tcp_ecn", KNOB_ECN, NULL},
    {"tcp_sack", KNOB_SETTING, "sack"},
    {"tcp_timestamps", KNOB_SETTING, "timestamps"},
    {"tcp_window_scaling", KNOB_SCALING, NULL},
    {"tcp_rmem", KNOB_RMEM, NULL},
    {"tcp_wmem", KNOB_WMEM, NULL},
    {"tcp_fastopen", KNOB_SETTING, "fastopen"},
    {"tcp_fastopen_key", KNOB_SETTING, "tfo_key"},
    {"tcp_syncookies", KNOB_COOKIES, NULL},
    {"tcp_max_syn_backlog", KNOB_SETTING, "half_open"},
    {"tcp_max_tw_buckets", KNOB_SETTING, "time_wait"},
    {"tcp_recovery", KNOB_RECOVERY, NULL},
    {"tcp_mtu_probing", KNOB_PROBING, NULL},
    {"tcp_rto_min_us", KNOB_RTO_MIN, NULL},
    {"tcp_rto_max_ms", KNOB_SETTING, "rto_max_ms"},
    {"ip_default_ttl", KNOB_SETTING, "ttl"},
    {"tcp_no_metrics_save", KNOB_NOTHING, NULL},
    {"tcp_min_tso_segs", KNOB_NOTHING, NULL},
    {"tcp_tso_win_divisor", KNOB_NOTHING, NULL},
    {"tcp_limit_output_bytes", KNOB_NOTHING, NULL},
    {"tcp_autocorking", KNOB_NOTHING, NULL},
    {"tcp_early_demux", KNOB_NOTHING, NULL},
    {"tcp_allowed_congestion_control", KNOB_NOTHING, NULL},
    {"tcp_mem", KNOB_NOTHING, NULL},
    {"rmem_max", KNOB_NOTHING, NULL},
    {"wmem_max", KNOB_NOTHING, NULL},
    {"default_qdisc", KNOB_NOTHING, NULL},
    {"somaxconn", KNOB_NOTHING, NULL},
};

/* Up to three numbers of a value in quotes; how many there are. */
static unsigned numbers(struct span value, uint64_t out[3])
{
    unsigned n = 0;
    for (size_t i = 0; i < value.n && n < 3;) {
        size_t k = i;
        while (k < value.n && !is_blank(value.p[k]))
            k++;
        if (k > i && !txt_parse_u(span_of(value.p + i, k - i), UINT32_MAX, &out[n++]))
            return 0;
        i = k + 1;
    }
    return n;
}

static unsigned highest(uint64_t v)
{
    unsigned n = 0;
    for (; v > 1; v >>= 1)
        n++;
    return n;
}

/*
 * A kernel's buffers count overhead, ours the bytes of the stream: half of it is window. The shift
 * is the kernel's: the least that lets the largest buffer be advertised.
 */
static bool receive_memory(struct script_setup *c, struct span value)
{
    uint64_t v[3] = {0};
    if (numbers(value, v) != 3 || v[1] < 2 || v[2] < 2)
        return false;
    unsigned bits = highest(v[2]);
    c->tcp.rcvbuf = (uint32_t)(v[1] / 2);
    c->tcp.rcvbuf_max = (uint32_t)(v[2] / 2);
    if (bits > 15)
        c->tcp.window_scale = (int8_t)(bits - 15 < 14 ? bits - 15 : 14);
    return true;
}

static bool send_memory(struct script_setup *c, struct span value)
{
    uint64_t v[3] = {0};
    if (numbers(value, v) != 3 || v[1] == 0 || v[2] == 0)
        return false;
    c->tcp.sndbuf = (uint32_t)v[1];
    c->tcp.sndbuf_max = (uint32_t)v[2];
    return true;
}

static bool turn(struct script_setup *c, enum knob knob, struct span value)
{
    static const enum oriel_ecn ecn[] = {ORIEL_ECN_OFF, ORIEL_ECN_ON, ORIEL_ECN_PASSIVE,
                                         ORIEL_ECN_ACCURATE};
    static const enum oriel_cookies cookies[] = {ORIEL_COOKIES_NEVER, ORIEL_COOKIES_WHEN_FULL,
                                                 ORIEL_COOKIES_ALWAYS};
    uint64_t v = 0;
    if (knob == KNOB_RMEM)
        return receive_memory(c, value);
    if (knob == KNOB_WMEM)
        return send_memory(c, value);
    if (!txt_parse_u(value, UINT32_MAX, &v))
        return false;
    if ((knob == KNOB_ECN && v >= ARRAY_LEN(ecn)) ||
        (knob == KNOB_COOKIES && v >= ARRAY_LEN(cookies)))
        return false;
    if (knob == KNOB_ECN)
        c->tcp.ecn = ecn[v];
    else if (knob == KNOB_COOKIES)
        c->tcp.cookies = cookies[v];
    else if (knob == KNOB_RECOVERY)
        c->tcp.no_rack = (v & 1) == 0;
    else if (knob == KNOB_PROBING)
        c->tcp.mtu_probing = v == 2;
    else if (knob == KNOB_RTO_MIN)
        c->tcp.rto_min_ms = (uint32_t)((v + 999) / 1000);
    else if (v == 0)
        c->tcp.window_scale = -1;
    return true;
}

static struct span unquoted(struct span s)
{
    bool quoted = s.n >= 2 && (s.p[0] == '"' || s.p[0] == '\'') && s.p[s.n - 1] == s.p[0];
    return quoted ? span_of(s.p + 1, s.n - 2) : s;
}

/* "net.ipv4.tcp_sack", "/proc/sys/net/ipv4/tcp_sack" -> "tcp_sack"; empty: of another part. */
static struct span knob_name(struct span name)
{
    static const char *const before[] = {"net.ipv4.", "net.core.", "/proc/sys/net/ipv4/",
                                         "/proc/sys/net/core/", "net/ipv4/", "net/core/"};
    for (size_t i = 0; i < ARRAY_LEN(before); i++) {
        size_t n = strlen(before[i]);
        if (name.n > n && memcmp(name.p, before[i], n) == 0)
            return span_of(name.p + n, name.n - n);
    }
    return span_of(name.p, 0);
}

/* A word NAME=VALUE. */
static bool assignment(struct script_setup *c, const struct words *w, struct syntax_error *err)
{
    size_t is = 0;
    while (is < w->word.n && w->word.p[is] != '=')
        is++;
    size_t column = (size_t)(w->word.p - w->text.p) + 1;
    struct span name = knob_name(span_of(w->word.p, is));
    if (is == w->word.n)
        return syntax_fail(err, column, w->word, "NAME=VALUE, as sysctl has it");
    struct span value = unquoted(span_of(w->word.p + is + 1, w->word.n - is - 1));
    for (size_t i = 0; i < ARRAY_LEN(knobs); i++) {
        struct syntax_error inner = {0};
        if (!span_is(name, knobs[i].name))
            continue;
        bool good = knobs[i].knob == KNOB_NOTHING ||
                    (knobs[i].knob == KNOB_SETTING
                         ? script_setting(c, span_str(knobs[i].setting), value, &inner)
                         : turn(c, knobs[i].knob, value));
        return good ||
               syntax_fail(err, column + is + 1, value, "a value that this sysctl can have");
    }
    return syntax_fail(err, column, span_of(w->word.p, is), "a sysctl that means something here; "
                       "docs/script-format.md lists them");
}

static bool assignments(struct script_setup *c, struct words *w, struct syntax_error *err)
{
    while (next_word(w)) {
        if (w->word.p[0] == '-')
            continue;
        if (!assignment(c, w, err))
            return false;
    }
    return true;
}

static bool one(struct script_setup *c, struct words *w, struct syntax_error *err)
{
    size_t column = (size_t)(w->word.p - w->text.p) + 1;
    struct span name = w->word;
    if (span_is(name, "sysctl") || ends_in(name, "/sysctl") || ends_in(name, "set_sysctls.py"))
        return assignments(c, w, err);
    bool harmless = ends_in(name, "defaults.sh") || contains(name, "sysctl_restore") ||
                    span_is(name, "true");
    if (!harmless && span_is(name, "ip") && next_word(w))
        harmless = span_is(w->word, "tcp_metrics");
    if (!harmless)
        return syntax_fail(err, column, name, "sysctl: no other command means anything here");
    while (next_word(w))
        ;
    return true;
}

bool script_command(struct script_setup *c, struct span text, struct syntax_error *err)
{
    struct words w = {.text = text};
    while (w.at < text.n) {
        if (is_break(text.p[w.at]))
            w.at++;
        else if (next_word(&w) && !one(c, &w, err))
            return false;
    }
    return true;
}
