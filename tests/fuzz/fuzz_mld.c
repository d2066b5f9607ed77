#include "fuzz.h"

#include "wire/mld.h"

/* As icmp6_parse leaves it: the type read, code and checksum passed over. */
static bool parse(struct rd *r, struct mld_msg *h)
{
    uint8_t type = rd_u8(r);
    rd_skip(r, 3);
    if (!mld_parse(r, type, h))
        return false;
    rd_skip(r, rd_left(r));     /* what follows the format is ignored, and makes a version */
    struct rd records = rd_of(h->records);
    struct mcast_rec rec;
    while (mld_record_next(&records, &rec))
        FUZZ_CHECK(rec.sources.n == rec.sources_n * 16u);
    FUZZ_CHECK(records.bad == FAULT_NONE);
    return true;
}

/* Reports are written record by record; the source addresses are not read back for that. */
static void emit(struct wr *w, const struct mld_msg *h)
{
    if (h->type != ICMP6_MLD2_REPORT)
        mld_emit(w, h);
}

FUZZ_FORMAT(mld, struct mld_msg, parse(r, h), emit(w, h), mld_print(t, h))
