#include "fuzz.h"

#include "base/csum.h"
#include "wire/igmp.h"

static void seal(uint8_t *b, size_t n)
{
    if (n < 4)
        return;
    b[2] = b[3] = 0;
    uint16_t csum = csum_finish(csum_span(&csum_portable, span_of(b, n)));
    b[2] = (uint8_t)(csum >> 8);
    b[3] = (uint8_t)csum;
}

/* What follows the format is ignored, but under the checksum: it is not emitted. */
static bool parse(struct rd *r, struct igmp_msg *h)
{
    if (!igmp_parse(r, h))
        return false;
    rd_skip(r, rd_left(r));
    struct rd records = rd_of(h->records);
    struct mcast_rec rec;
    while (igmp_record_next(&records, &rec))
        FUZZ_CHECK(rec.sources.n == rec.sources_n * 4u);
    FUZZ_CHECK(records.bad == FAULT_NONE);
    return true;
}

/* Reports are written record by record; the source addresses are not read back for that. */
static void emit(struct wr *w, const struct igmp_msg *h)
{
    if (h->type != IGMP_V3_REPORT)
        igmp_emit(w, h);
}

FUZZ_FORMAT_SEALED(igmp, struct igmp_msg, seal(b, n), parse(r, h), emit(w, h), igmp_print(t, h))
