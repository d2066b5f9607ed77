/* The first line is a filter, the rest a frame: what compiles can be run; errors say where. */
#include "fuzz.h"

#include "lens/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dissection d;
    static struct filter f;
    size_t line = 0;
    while (line < size && data[line] != '\n')
        line++;
    uint8_t *text = fuzz_alloc(line);
    memcpy(text, data, line);
    struct syntax_error err;
    bool ok = filter_compile(span_of(text, line), &f, &err);
    FUZZ_CHECK(ok == (err.column == 0));
    FUZZ_CHECK(err.column <= line + 1);
    free(text);                                 /* the program does not point into it */

    size_t from = line < size ? line + 1 : size;
    uint8_t *bytes = fuzz_alloc(size - from);
    memcpy(bytes, data + from, size - from);
    struct lens_frame frame = {.link = LENS_ETHERNET, .bytes = span_of(bytes, size - from)};
    dissect(&frame, &d);
    bool truth = filter_match(&f, &d);
    FUZZ_CHECK(ok || !truth);
    free(bytes);
    return 0;
}
