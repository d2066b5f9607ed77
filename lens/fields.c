/* The table of fields, looking names up in it, and the text of a value. */
#include "lens/fields.h"

#include "lens/syntax.h"

static const struct field_info table[F_N] = {
    [F_NONE] = {.name = "", .label = "", .type = FT_NONE},
#define FIELD(id, name_, type_, bits_, digits_, also_, label_)                                     \
    [id] = {.name = name_,                                                                         \
            .label = label_,                                                                       \
            .type = type_,                                                                         \
            .bits = bits_,                                                                         \
            .digits = digits_,                                                                     \
            .also = also_},
#include "lens/fields.def"
#undef FIELD
};

static_assert(F_N <= UINT16_MAX, "struct field keeps an id in 16 bits");

#define NEAR_EDITS_MAX 4u
#define BEGUN_MIN      4u

const struct field_info *field_info(unsigned id)
{
    ORIEL_ASSERT(id < F_N);
    return &table[id];
}

enum field_id field_find(struct span name)
{
    for (unsigned i = F_NONE + 1; i < F_N; i++)
        if (span_is(name, table[i].name))
            return (enum field_id)i;
    return F_NONE;
}

/* How many edits are still a slip of the hand: about a third of the word. */
static unsigned slips(size_t n)
{
    size_t third = (n + 2) / 3;
    return third < NEAR_EDITS_MAX ? (unsigned)third : NEAR_EDITS_MAX;
}

/* A name that has only been begun is one edit away: `tcp.seq` for tcp.seq_raw. */
static unsigned distance(struct span name, const char *known, unsigned max)
{
    if (name.n >= BEGUN_MIN && strlen(known) > name.n && memcmp(known, name.p, name.n) == 0)
        return 1;
    return edit_distance(name, span_str(known), max);
}

enum field_id field_nearest(struct span name)
{
    enum field_id best = F_NONE;
    unsigned least = slips(name.n) + 1;
    for (unsigned i = F_NONE + 1; i < F_N; i++) {
        unsigned d = distance(name, table[i].name, least - 1);
        if (d < least) {
            least = d;
            best = (enum field_id)i;
        }
        if (least == 0)
            break;
    }
    return best;
}

const char *field_type_text(unsigned type)
{
    switch ((enum field_type)type) {
    case FT_PROTO: return "a protocol";
    case FT_NONE:  return "nothing: it is there or not";
    case FT_UINT:  return "a number";
    case FT_BOOL:  return "0, 1, true or false";
    case FT_TIME:  return "seconds";
    case FT_ADDR4: return "an IPv4 address or prefix";
    case FT_ADDR6: return "an IPv6 address or prefix";
    case FT_MAC:   return "a MAC address";
    case FT_BYTES: return "bytes like 01:02:ff or a quoted string";
    case FT_STR:   return "a quoted string";
    }
    return "a value";
}

static void print_uint(struct txt *t, unsigned digits, uint64_t v)
{
    if (digits == 0) {
        txt_u(t, v);
        return;
    }
    txt_s(t, "0x");
    txt_hex(t, v, digits);
}

void field_print(struct txt *t, const struct field *f)
{
    const struct field_info *info = field_info(f->id);
    switch ((enum field_type)info->type) {
    case FT_PROTO:
    case FT_NONE:
        txt_s(t, info->name);
        break;
    case FT_UINT:
    case FT_BOOL:
        print_uint(t, info->digits, f->value.u);
        break;
    case FT_TIME:
        txt_seconds(t, f->value.u, 9);
        break;
    case FT_ADDR4:
    case FT_ADDR6:
        if (info->type == FT_ADDR6 && addr_is_v4(&f->value.addr))
            txt_s(t, "::ffff:");
        txt_addr(t, &f->value.addr);
        break;
    case FT_MAC:
        txt_mac(t, &f->value.mac);
        break;
    case FT_BYTES:
        txt_hex_bytes(t, f->value.bytes, '\0');
        break;
    case FT_STR:
        txt_span(t, f->value.bytes);
        break;
    }
}
