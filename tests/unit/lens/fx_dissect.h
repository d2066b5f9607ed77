/* Frames for tests, said in the frame language, and what is seen in them as text. */
#ifndef ORIEL_TESTS_FX_DISSECT_H
#define ORIEL_TESTS_FX_DISSECT_H

#include "test.h"

#include "lab/craft.h"
#include "lens/dissect.h"

static uint8_t fx_room[CRAFT_FRAME_MAX];
static struct dissection fx_seen;
static char fx_text[4096];

static inline struct span fx_craft(const char *line)
{
    struct wr w = wr_of(fx_room, sizeof fx_room);
    struct syntax_error err;
    if (!craft(span_str(line), &w, &err)) {
        struct txt t = txt_of(fx_text, sizeof fx_text);
        syntax_error_print(&t, &err);
        fail_msg("%s: %s", line, fx_text);
    }
    return wr_span(&w);
}

static inline struct lens_frame fx_frame(const char *line)
{
    bool eth = craft_is_ethernet(span_str(line));
    return (struct lens_frame){.link = eth ? LENS_ETHERNET : LENS_RAW, .bytes = fx_craft(line)};
}

static inline void fx_see(const char *line)
{
    struct lens_frame f = fx_frame(line);
    dissect(&f, &fx_seen);
}

/* All values of a field, separated by blanks; "" when there is none. */
static inline const char *fx_values(const char *name)
{
    enum field_id id = field_find(span_str(name));
    if (id == F_NONE)
        fail_msg("there is no field %s", name);
    struct txt t = txt_of(fx_text, sizeof fx_text);
    const struct field *f = dissection_first(&fx_seen, id);
    for (; f; f = dissection_next(&fx_seen, id, f)) {
        if (t.n > 0)
            txt_c(&t, ' ');
        field_print(&t, f);
    }
    return fx_text;
}

static inline bool fx_has(const char *name)
{
    enum field_id id = field_find(span_str(name));
    if (id == F_NONE)
        fail_msg("there is no field %s", name);
    return dissection_first(&fx_seen, id) != NULL;
}

#endif
