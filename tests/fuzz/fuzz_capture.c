/* Any bytes as a capture file: read to the end or the fault, every word of it looked at. */
#include "fuzz.h"

#include "lens/capture.h"
#include "lens/cells.h"

#define LINES_MAX 1000

static struct capture capture;

static void check_inside(struct span s, struct span file)
{
    FUZZ_CHECK(s.n == 0 || (s.p >= file.p && s.p + s.n <= file.p + file.n));
}

static void check_frame(const struct capture_frame *f, struct span file, uint64_t number)
{
    FUZZ_CHECK(f->number == number);
    FUZZ_CHECK(f->offset < file.n);
    FUZZ_CHECK(f->wire_len >= f->bytes.n);
    FUZZ_CHECK(f->comments_n <= CAPTURE_COMMENTS_MAX);
    check_inside(f->bytes, file);
    check_inside(f->if_name, file);
    check_inside(capture_key(f, "why"), file);
    struct span rest = capture_sentence(f);
    check_inside(rest, file);
    for (unsigned lines = 0; rest.n > 0 && lines < LINES_MAX; lines++)
        FUZZ_CHECK(cells_of(cells_wrap(&rest, 40)) <= 40);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span file = span_of(data, size);
    struct capture_frame f;
    enum capture_step step = CAPTURE_FAULT;
    uint64_t n = 0;
    size_t before = 0;
    if (capture_open(&capture, file)) {
        while ((step = capture_next(&capture, &f)) == CAPTURE_FRAME) {
            check_frame(&f, file, ++n);
            FUZZ_CHECK(capture.at > before);
            before = capture.at;
        }
    }
    if (step == CAPTURE_FAULT) {
        FUZZ_CHECK(capture.fault[0] != '\0');
        FUZZ_CHECK(capture.fault_at <= size);
    }
    FUZZ_CHECK(capture_next(&capture, &f) == step);
    for (uint32_t i = 0; i < capture.names_n; i++)
        check_inside(capture_name_of(&capture, &capture.names[i].addr), file);
    return 0;
}
