/* Running the program of a filter over the fields of one frame. */
#include "lens/filter.h"

static uint64_t number_of(const struct filter_op *op, const struct field *f)
{
    if (op->type != FT_MAC)
        return op->mask != 0 ? f->value.u & op->mask : f->value.u;
    uint64_t v = 0;
    for (unsigned i = 0; i < 6; i++)
        v = v << 8 | f->value.mac.b[i];
    return v;
}

/* Where a value stands against a range: -1 below, 0 inside, 1 above. */
static int against_number(uint64_t v, const struct filter_value *with)
{
    return v < with->v.num.lo ? -1 : v > with->v.num.hi ? 1 : 0;
}

static int against_addr(const struct oriel_addr *a, const struct filter_value *with)
{
    if (addr_cmp(a, &with->v.addr.lo) < 0)
        return -1;
    return addr_cmp(a, &with->v.addr.hi) > 0 ? 1 : 0;
}

static int against_bytes(struct span s, struct span with)
{
    size_t n = s.n < with.n ? s.n : with.n;
    int order = n > 0 ? memcmp(s.p, with.p, n) : 0;
    if (order != 0)
        return order < 0 ? -1 : 1;
    return s.n < with.n ? -1 : s.n > with.n ? 1 : 0;
}

static bool contains(struct span s, struct span part)
{
    for (size_t i = 0; i + part.n <= s.n; i++)
        if (part.n == 0 || memcmp(s.p + i, part.p, part.n) == 0)
            return true;
    return false;
}

/* ---- bytes of a value ---- */

/* An address or a MAC address as the bytes on the wire, in buf. */
static struct span bytes_of(const struct field *f, uint8_t buf[16])
{
    struct wr w = wr_of(buf, 16);
    switch ((enum field_type)field_info(f->id)->type) {
    case FT_ADDR4:
        wr_u32(&w, addr_to_v4(&f->value.addr));
        break;
    case FT_ADDR6:
        wr_addr6(&w, &f->value.addr);
        break;
    case FT_MAC:
        wr_mac(&w, &f->value.mac);
        break;
    case FT_PROTO:
    case FT_BYTES:
    case FT_STR:
        return f->value.bytes;
    case FT_NONE:
    case FT_UINT:
    case FT_BOOL:
    case FT_TIME:
        break;
    }
    return wr_span(&w);
}

/* The part that the slice takes; false when the value does not reach that far. */
static bool slice_of(const struct filter_op *op, struct span *s)
{
    if (!op->sliced)
        return true;
    int64_t n = (int64_t)s->n;
    int64_t at = op->slice_at < 0 ? n + op->slice_at : op->slice_at;
    int64_t len = op->slice_n < 0 ? n - at : op->slice_n;
    if (at < 0 || len <= 0 || at + len > n)
        return false;
    *s = span_of(s->p + at, (size_t)len);
    return true;
}

static struct span data_of(const struct filter *f, const struct filter_value *v)
{
    return span_of(f->data + v->v.bytes.at, v->v.bytes.n);
}

/* ---- one value of a field ---- */

static bool satisfies_order(enum filter_cmp cmp, int order)
{
    switch (cmp) {
    case CMP_EQ: return order == 0;
    case CMP_NE: return order != 0;
    case CMP_LT: return order < 0;
    case CMP_LE: return order <= 0;
    case CMP_GT: return order > 0;
    case CMP_GE: return order >= 0;
    case CMP_PRESENT:
    case CMP_CONTAINS:
    case CMP_MATCHES:
        break;
    }
    return false;
}

static bool satisfies_bytes(const struct filter *f, const struct filter_op *op, struct span s,
                            const struct filter_value *with)
{
    if (op->cmp == CMP_CONTAINS)
        return contains(s, data_of(f, with));
    if (op->cmp == CMP_MATCHES)
        return pattern_matches(&f->patterns[with->v.pattern], s);
    return satisfies_order((enum filter_cmp)op->cmp, against_bytes(s, data_of(f, with)));
}

static bool satisfies_value(const struct filter *f, const struct filter_op *op,
                            const struct field *field, const struct filter_value *with)
{
    enum filter_cmp cmp = (enum filter_cmp)op->cmp;
    bool search = cmp == CMP_CONTAINS || cmp == CMP_MATCHES;
    if (search || op->sliced || op->type == FT_BYTES || op->type == FT_STR) {
        uint8_t buf[16];
        struct span s = bytes_of(field, buf);
        return slice_of(op, &s) && satisfies_bytes(f, op, s, with);
    }
    if (op->type == FT_ADDR4 || op->type == FT_ADDR6)
        return satisfies_order(cmp, against_addr(&field->value.addr, with));
    return satisfies_order(cmp, against_number(number_of(op, field), with));
}

static bool satisfies(const struct filter *f, const struct filter_op *op, const struct field *field)
{
    if (op->cmp == CMP_PRESENT)
        return op->mask == 0 || number_of(op, field) != 0;
    for (unsigned i = 0; i < op->n; i++)
        if (satisfies_value(f, op, field, &f->values[op->at + i]))
            return true;
    return false;
}

/* ---- the program ---- */

static bool run_test(const struct filter *f, const struct filter_op *op, const struct dissection *d)
{
    enum field_id id = (enum field_id)op->field;
    const struct field *field = dissection_first(d, id);
    bool seen = field != NULL;
    for (; field; field = dissection_next(d, id, field))
        if (satisfies(f, op, field) != op->all)
            return !op->all;
    return seen && op->all;
}

bool filter_match(const struct filter *f, const struct dissection *d)
{
    bool truth = true;
    for (unsigned i = 0; i < f->ops_n;) {
        const struct filter_op *op = &f->ops[i++];
        switch ((enum filter_kind)op->kind) {
        case FILTER_TEST:
            truth = run_test(f, op, d);
            break;
        case FILTER_NOT:
            truth = !truth;
            break;
        case FILTER_IF_FALSE:
            i = truth ? i : op->at;
            break;
        case FILTER_IF_TRUE:
            i = truth ? op->at : i;
            break;
        }
    }
    return truth;
}
