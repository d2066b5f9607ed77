/* Any bytes as a frame: every field lies inside it, and everything can be printed. */
#include "fuzz.h"

#include "lens/dissect.h"

static const uint32_t links[] = {LENS_ETHERNET, LENS_RAW, LENS_NULL, 9999, LENS_PPP};

static void check_field(const struct dissection *d, const struct field *f)
{
    char text[FUZZ_TEXT];
    struct txt t = txt_of(text, sizeof(text));
    FUZZ_CHECK(f->id > F_NONE && f->id < F_N);
    FUZZ_CHECK(f->off <= d->frame.n && f->len <= d->frame.n - f->off);
    const struct field_info *info = field_info(f->id);
    if (info->type == FT_UINT && info->bits < 64)
        FUZZ_CHECK(f->value.u >> info->bits == 0);
    if (info->type == FT_BOOL)
        FUZZ_CHECK(f->value.u <= 1);
    field_print(&t, f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct dissection d;
    static struct conversations conversations;
    if (size < 1)
        return 0;
    size_t n = size - 1;
    uint8_t *bytes = fuzz_alloc(n);
    memcpy(bytes, data + 1, n);
    struct lens_frame f = {
        .link = links[data[0] % ARRAY_LEN(links)],
        .bytes = span_of(bytes, n),
        .wire_len = data[0] & 4 ? (uint32_t)n + 100 : 0,
        .comments_n = data[0] & 8 ? 1 : 0,
        .comments = {span_of(bytes, n)},
        .conversations = data[0] & 16 ? &conversations : NULL,
    };
    conversations_init(&conversations);
    if (data[0] & 32)
        dissect(&f, &d);            /* the second time it is known already */
    memset(&d, 0xa5, sizeof(d));
    dissect(&f, &d);
    FUZZ_CHECK(d.n > 0 && d.n <= DISSECTION_FIELDS_MAX && d.text_n < DISSECTION_TEXT_MAX);
    FUZZ_CHECK(strlen(d.info) < sizeof(d.info) && strlen(d.src) < sizeof(d.src));
    for (uint32_t i = 0; i < d.n; i++)
        check_field(&d, &d.fields[i]);
    free(bytes);
    return 0;
}
