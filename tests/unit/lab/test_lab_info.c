#include "test.h"

#include "base/compiler.h"
#include "lab/lab_info.h"

TEST("numbers of every size are found by name and read")
{
    struct oriel_tcp_info i = {0};
    i.state = ORIEL_TCP_CLOSE_WAIT;
    i.backoff = 3;
    i.sack = true;
    i.total_rto = 258;
    i.snd_cwnd = 70000;
    i.bytes_acked = (uint64_t)1 << 40;
    static const struct {
        const char *name;
        uint64_t value;
    } of[] = {{"state", ORIEL_TCP_CLOSE_WAIT}, {"backoff", 3}, {"sack", 1}, {"total_rto", 258},
              {"snd_cwnd", 70000}, {"bytes_acked", (uint64_t)1 << 40}};
    for (size_t k = 0; k < ARRAY_LEN(of); k++) {
        const struct lab_info_field *f = lab_info_named(span_str(of[k].name));
        EXPECT(f != NULL);
        EXPECT_EQ(lab_info_value(&i, f), of[k].value);
    }
}

TEST("what is no number of a connection has no field")
{
    EXPECT(lab_info_named(span_str("snd_cwd")) == NULL);
    EXPECT(lab_info_named(span_str("")) == NULL);
    EXPECT(lab_info_field(1000) == NULL);
}
