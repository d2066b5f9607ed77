/*
 * Text into a bounded buffer, and numbers out of text.
 *
 * Everything goes through txt_c, the only function that writes: the buffer therefore always holds a
 * prefix of what was meant, and ends in a NUL. Once a character did not fit, no later one does.
 */
#include "base/text.h"

#include <limits.h>

#define U64_DIGITS_MAX    20        /* 18446744073709551615 */
#define HEX_DIGITS_MAX    16
#define NS_DIGITS         9
#define NS_PER_SECOND     ((uint64_t)1000000000)

static_assert(UINT64_MAX / 1000000000 / 1000000000 < 100, "U64_DIGITS_MAX counts the digits");
static_assert(CHAR_BIT == 8, "a character is a byte");

struct txt txt_of(char *buf, size_t cap)
{
    ORIEL_ASSERT(buf != NULL);
    ORIEL_ASSERT(cap >= 1);
    buf[0] = '\0';
    return (struct txt){.p = buf, .n = 0, .cap = cap, .cut = false};
}

void txt_c(struct txt *t, char c)
{
    ORIEL_ASSERT(t->n < t->cap);
    if (t->n + 1 == t->cap) {
        t->cut = true;
        return;
    }
    t->p[t->n++] = c;
    t->p[t->n] = '\0';
}

void txt_s(struct txt *t, const char *s)
{
    while (*s != '\0')
        txt_c(t, *s++);
}

void txt_span(struct txt *t, struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        txt_c(t, (char)s.p[i]);
}

/* ---- numbers ---- */

void txt_u_pad(struct txt *t, uint64_t v, unsigned width, char pad)
{
    char digits[U64_DIGITS_MAX];
    unsigned n = 0;
    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);

    for (unsigned i = n; i < width && !t->cut; i++)
        txt_c(t, pad);
    while (n > 0)
        txt_c(t, digits[--n]);
}

void txt_u(struct txt *t, uint64_t v)
{
    txt_u_pad(t, v, 1, '0');
}

void txt_i(struct txt *t, int64_t v)
{
    if (v < 0)
        txt_c(t, '-');
    txt_u(t, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);    /* INT64_MIN has no positive twin */
}

void txt_hex(struct txt *t, uint64_t v, unsigned digits)
{
    ORIEL_ASSERT(digits <= HEX_DIGITS_MAX);
    while (digits > 0) {
        digits--;
        txt_c(t, "0123456789abcdef"[(v >> (4 * digits)) & 15]);
    }
}

void txt_hex_bytes(struct txt *t, struct span s, char sep)
{
    for (size_t i = 0; i < s.n; i++) {
        if (i > 0 && sep != '\0')
            txt_c(t, sep);
        txt_hex(t, s.p[i], 2);
    }
}

/* Cut, not rounded: what is shown never lies after the moment it stands for. */
void txt_seconds(struct txt *t, oriel_time ns, unsigned digits)
{
    ORIEL_ASSERT(digits <= NS_DIGITS);
    txt_u(t, ns / NS_PER_SECOND);
    if (digits == 0)
        return;
    uint64_t fraction = ns % NS_PER_SECOND;
    for (unsigned i = digits; i < NS_DIGITS; i++)
        fraction /= 10;
    txt_c(t, '.');
    txt_u_pad(t, fraction, digits, '0');
}

void txt_pad_to(struct txt *t, size_t column)
{
    while (t->n < column && !t->cut)
        txt_c(t, ' ');
}

/* ---- quoted ---- */

/* Length of the well-formed UTF-8 character at the start of s (RFC 3629, 4); 0 for none. */
static unsigned utf8_len(struct span s)
{
    uint8_t b = s.p[0];
    if (b < 0x80)
        return 1;
    if (b < 0xc2 || b > 0xf4)
        return 0;
    unsigned len = b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
    if (s.n < len)
        return 0;
    for (unsigned i = 1; i < len; i++)
        if ((s.p[i] & 0xc0) != 0x80)
            return 0;
    if (b == 0xe0 && s.p[1] < 0xa0)     /* could be said in two bytes */
        return 0;
    if (b == 0xed && s.p[1] > 0x9f)     /* half of a UTF-16 pair */
        return 0;
    if (b == 0xf0 && s.p[1] < 0x90)     /* could be said in three */
        return 0;
    if (b == 0xf4 && s.p[1] > 0x8f)     /* beyond U+10FFFF */
        return 0;
    return len;
}

static void quote_ascii(struct txt *t, uint8_t b)
{
    static const char named[] = "\"\"\\\\\nn\rr\tt";    /* pairs: the byte, its letter */
    for (size_t i = 0; i + 1 < sizeof named; i += 2) {
        if ((uint8_t)named[i] == b) {
            txt_c(t, '\\');
            txt_c(t, named[i + 1]);
            return;
        }
    }
    if (b >= 0x20 && b != 0x7f) {
        txt_c(t, (char)b);
        return;
    }
    txt_s(t, "\\u");
    txt_hex(t, b, 4);
}

/*
 * Control characters, those of U+0080..U+009F too, are escaped the way JSON does it, so that bytes
 * of a peer cannot drive a terminal. JSON has no way to say a byte that is not a character: \xNN.
 */
void txt_quoted(struct txt *t, struct span s)
{
    txt_c(t, '"');
    while (s.n > 0) {
        unsigned len = utf8_len(s);
        if (len == 0) {
            txt_s(t, "\\x");
            txt_hex(t, s.p[0], 2);
            len = 1;
        } else if (len == 1) {
            quote_ascii(t, s.p[0]);
        } else if (s.p[0] == 0xc2 && s.p[1] < 0xa0) {
            txt_s(t, "\\u");
            txt_hex(t, s.p[1], 4);
        } else {
            txt_span(t, span_of(s.p, len));
        }
        s = span_of(s.p + len, s.n - len);
    }
    txt_c(t, '"');
}

/* ---- from text ---- */

/* The value of a digit of any base up to 16; 16 when it is none. */
static unsigned digit_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - (unsigned)'0';
    if (c >= 'a' && c <= 'f')
        return c - (unsigned)'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - (unsigned)'A' + 10;
    return 16;
}

bool txt_parse_u(struct span s, uint64_t max, uint64_t *out)
{
    unsigned base = 10;
    if (s.n >= 2 && s.p[0] == '0' && s.p[1] == 'x') {
        base = 16;
        s = span_of(s.p + 2, s.n - 2);
    }
    if (s.n == 0)
        return false;

    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned d = digit_value(s.p[i]);
        if (d >= base || d > max || v > (max - d) / base)
            return false;
        v = v * base + d;
    }
    *out = v;
    return true;
}

bool span_is(struct span s, const char *word)
{
    return span_eq(s, span_str(word));
}
