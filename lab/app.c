/* What the applications share: lines, names of errors, echo messages. */
#include "lab/app.h"

#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/ip6.h"

static const struct {
    const char *name;
    const char *text;
    int err;
} errors[] = {
    {"OK", "Success", ORIEL_OK},
    {"EINVAL", "Invalid argument", ORIEL_EINVAL},
    {"EAGAIN", "Resource temporarily unavailable", ORIEL_EAGAIN},
    {"ENOBUFS", "No buffer space available", ORIEL_ENOBUFS},
    {"EBADF", "Bad file descriptor", ORIEL_EBADF},
    {"EADDRINUSE", "Address already in use", ORIEL_EADDRINUSE},
    {"EADDRNOTAVAIL", "Cannot assign requested address", ORIEL_EADDRNOTAVAIL},
    {"ENETUNREACH", "Network is unreachable", ORIEL_ENETUNREACH},
    {"EHOSTUNREACH", "No route to host", ORIEL_EHOSTUNREACH},
    {"ECONNREFUSED", "Connection refused", ORIEL_ECONNREFUSED},
    {"EMSGSIZE", "Message too long", ORIEL_EMSGSIZE},
    {"ENOTCONN", "Transport endpoint is not connected", ORIEL_ENOTCONN},
    {"EISCONN", "Transport endpoint is already connected", ORIEL_EISCONN},
    {"EACCES", "Permission denied", ORIEL_EACCES},
    {"ENOPROTOOPT", "Protocol not available", ORIEL_ENOPROTOOPT},
    {"EOPNOTSUPP", "Operation not supported", ORIEL_EOPNOTSUPP},
    {"EEXIST", "File exists", ORIEL_EEXIST},
    {"ENOENT", "No such file or directory", ORIEL_ENOENT},
    {"ENETDOWN", "Network is down", ORIEL_ENETDOWN},
    {"ETIMEDOUT", "Connection timed out", ORIEL_ETIMEDOUT},
    {"EPROTO", "Protocol error", ORIEL_EPROTO},
    {"EAFNOSUPPORT", "Address family not supported by protocol", ORIEL_EAFNOSUPPORT},
    {"ECONNRESET", "Connection reset by peer", ORIEL_ECONNRESET},
    {"EPIPE", "Broken pipe", ORIEL_EPIPE},
    {"EINPROGRESS", "Operation now in progress", ORIEL_EINPROGRESS},
    {"ECONNABORTED", "Software caused connection abort", ORIEL_ECONNABORTED},
};

const char *app_error_name(int err)
{
    for (size_t i = 0; i < ARRAY_LEN(errors); i++)
        if (errors[i].err == err)
            return errors[i].name;
    return "an unknown error";
}

const char *app_error_text(int err)
{
    for (size_t i = 0; i < ARRAY_LEN(errors); i++)
        if (errors[i].err == err)
            return errors[i].text;
    return "Unknown error";
}

bool app_error_named(struct span name, int *err)
{
    for (size_t i = 0; i < ARRAY_LEN(errors); i++)
        if (span_is(name, errors[i].name)) {
            *err = errors[i].err;
            return true;
        }
    return false;
}

void app_say(const struct app_host *h, struct txt *line)
{
    if (!h->out.put)
        return;
    if (h->prefix)
        (void)sink_put(&h->out, span_str(h->prefix));
    (void)sink_put(&h->out, span_of(line->p, line->n));
    (void)sink_put(&h->out, span_str("\n"));
}

void app_fill(uint8_t *at, size_t n)
{
    struct wr w = wr_of(at, n);
    for (size_t i = 0; i < n; i++)
        wr_u8(&w, (uint8_t)i);
}

/* ---- ICMP in words ---- */

static const char *unreachable4(uint8_t code)
{
    static const char *const text[] = {
        "Destination Net Unreachable", "Destination Host Unreachable",
        "Destination Protocol Unreachable", "Destination Port Unreachable",
        "Frag needed and DF set", "Source Route Failed", "Destination Net Unknown",
        "Destination Host Unknown", "Source Host Isolated", "Destination Net Prohibited",
        "Destination Host Prohibited", "Destination Net Unreachable for Type of Service",
        "Destination Host Unreachable for Type of Service", "Packet filtered",
        "Precedence Violation", "Precedence Cutoff",
    };
    return code < ARRAY_LEN(text) ? text[code] : "Dest Unreachable, Bad Code";
}

static void text4(struct txt *t, uint8_t type, uint8_t code, uint32_t info)
{
    switch (type) {
    case ICMP4_UNREACHABLE:
        txt_s(t, unreachable4(code));
        if (code == ICMP4_FRAG_NEEDED) {
            txt_s(t, " (mtu = ");
            txt_u(t, info);
            txt_c(t, ')');
        }
        return;
    case ICMP4_SOURCE_QUENCH:
        txt_s(t, "Source Quench");
        return;
    case ICMP4_TIME_EXCEEDED:
        txt_s(t, code == ICMP4_TTL ? "Time to live exceeded" : "Frag reassembly time exceeded");
        return;
    case ICMP4_PARAM_PROBLEM:
        txt_s(t, "Parameter problem: pointer = ");
        txt_u(t, info);
        return;
    }
    txt_s(t, "Bad ICMP type: ");
    txt_u(t, type);
}

static const char *unreachable6(uint8_t code)
{
    static const char *const text[] = {
        "No route", "Administratively prohibited", "Beyond scope of source address",
        "Address unreachable", "Port unreachable",
    };
    return code < ARRAY_LEN(text) ? text[code] : "Unknown code";
}

static void param6(struct txt *t, uint8_t code, uint32_t pointer)
{
    static const char *const text[] = {"Wrong header field ", "Unknown header ",
                                       "Unknown option ", "Header chain too long "};
    txt_s(t, "Parameter problem: ");
    txt_s(t, code < ARRAY_LEN(text) ? text[code] : "Unknown code ");
    txt_s(t, "at ");
    txt_u(t, pointer);
}

static void text6(struct txt *t, uint8_t type, uint8_t code, uint32_t info)
{
    switch (type) {
    case ICMP6_UNREACHABLE:
        txt_s(t, "Destination unreachable: ");
        txt_s(t, unreachable6(code));
        return;
    case ICMP6_TOO_BIG:
        txt_s(t, "Packet too big: mtu=");
        txt_u(t, info);
        return;
    case ICMP6_TIME_EXCEEDED:
        txt_s(t, code == 0 ? "Time exceeded: Hop limit"
                           : "Time exceeded: Defragmentation failure");
        return;
    case ICMP6_PARAM_PROBLEM:
        param6(t, code, info);
        return;
    }
    txt_s(t, "unknown icmp type: ");
    txt_u(t, type);
}

void app_icmp_text(struct txt *t, bool v4, uint8_t type, uint8_t code, uint32_t info)
{
    if (v4)
        text4(t, type, code, info);
    else
        text6(t, type, code, info);
}

/* ---- echo ---- */

size_t app_echo_request(uint8_t *buffer, bool v4, uint16_t id, uint16_t seq, size_t size)
{
    struct wr w = wr_of(buffer, APP_BUFFER);
    wr_u8(&w, v4 ? ICMP4_ECHO : ICMP6_ECHO);
    wr_u8(&w, 0);
    wr_u16(&w, 0);
    wr_u16(&w, id);
    wr_u16(&w, seq);
    uint8_t *data = wr_room(&w, size);
    ORIEL_ASSERT(data != NULL);
    app_fill(data, size);
    return wr_len(&w);
}

/* The echo request that an error quotes: is it one of ours to that destination? */
static bool quotes_ours(struct rd *r, bool v4, uint16_t id, const struct oriel_addr *to,
                        uint16_t *seq)
{
    struct ip4_hdr h4;
    struct ip6_hdr h6;
    if (v4 ? !ip4_parse_quoted(r, &h4) : !ip6_parse_quoted(r, &h6))
        return false;
    if (v4 ? h4.proto != IP_ICMP || h4.frag_off != 0 : h6.next != IP_ICMP6)
        return false;
    if (!addr_same_bits(v4 ? &h4.dst : &h6.dst, to))
        return false;
    uint8_t type = rd_u8(r);
    rd_skip(r, 3);
    uint16_t its_id = rd_u16(r);
    *seq = rd_u16(r);
    return !r->bad && type == (v4 ? ICMP4_ECHO : ICMP6_ECHO) && its_id == id;
}

/* The part behind type, code and checksum: what the socket has checked is not checked again. */
static void parse_rest(struct app_icmp *m, struct rd *r, bool v4, uint16_t id,
                       const struct oriel_addr *to)
{
    struct rd rest = *r;
    uint32_t word = rd_u32(r);
    if (m->type == (v4 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY)) {
        m->seq = (uint16_t)word;
        m->kind = !r->bad && word >> 16 == id ? APP_ICMP_REPLY : APP_ICMP_OTHER;
        return;
    }
    if (v4 ? !icmp4_is_error(m->type) : !icmp6_is_error(m->type))
        return;
    m->info = !v4 ? word : m->type == ICMP4_PARAM_PROBLEM ? word >> 24 : word & 0xffff;
    if (v4 && m->type == ICMP4_REDIRECT)
        m->gateway = rd_addr4(&rest);
    if (quotes_ours(r, v4, id, to, &m->seq))
        m->kind = APP_ICMP_ERROR;
}

struct app_icmp app_icmp_parse(struct span message, bool v4, uint16_t id,
                               const struct oriel_addr *to)
{
    struct app_icmp m = {.kind = APP_ICMP_OTHER};
    struct rd r = rd_of(message);
    m.type = rd_u8(&r);
    m.code = rd_u8(&r);
    rd_skip(&r, 2);
    parse_rest(&m, &r, v4, id, to);
    return m;
}
