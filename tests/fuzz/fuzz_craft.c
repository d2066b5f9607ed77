/* Any text as a frame description: a frame, or an error that points into the text. */
#include "fuzz.h"

#include "lab/craft.h"
#include "lens/dissect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t room[CRAFT_FRAME_MAX];
    static struct dissection d;
    uint8_t *text = fuzz_alloc(size);
    if (size > 0)
        memcpy(text, data, size);
    size_t have = size & 1 ? sizeof(room) : 64;
    struct wr w = wr_of(room, have);
    wr_u16(&w, 0xbeef);                         /* what is there already stays */
    struct syntax_error err;
    bool ok = craft(span_of(text, size), &w, &err);
    FUZZ_CHECK(ok == (err.column == 0));
    FUZZ_CHECK(err.column <= size + 1);
    FUZZ_CHECK(!w.bad && (ok || wr_len(&w) == 2) && room[0] == 0xbe && room[1] == 0xef);
    bool eth = craft_is_ethernet(span_of(text, size));
    free(text);
    struct lens_frame f = {
        .link = eth ? LENS_ETHERNET : LENS_RAW,
        .bytes = span_of(room + 2, wr_len(&w) - 2),
    };
    dissect(&f, &d);
    return 0;
}
