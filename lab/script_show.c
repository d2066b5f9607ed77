/* What came of a run: the failure, the ladder, the packets, the reasons. */
#include "lab/script_run.h"

/* ---- the failure ---- */

/* The line as it stands, on one line. */
static void put_line(struct txt *t, struct span text)
{
    bool blank = false;
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = text.p[i];
        bool is_blank = c <= ' ';
        if (!is_blank || !blank)
            txt_c(t, is_blank ? ' ' : (char)c);
        blank = is_blank;
    }
}

void script_print_failure(struct txt *t, const struct script_run *r)
{
    if (!r->failed)
        return;
    txt_span(t, r->s->file);
    if (r->failed_line > 0) {
        txt_c(t, ':');
        txt_u(t, r->failed_line);
        txt_s(t, ": ");
        put_line(t, r->failed_text);
    } else {
        txt_s(t, ": the end");
    }
    txt_c(t, '\n');
    txt_s(t, r->failure);
}

uint32_t script_failed_at(const struct script_run *r)
{
    return r->failed_line;
}

/* ---- the ladder ---- */

static bool draw(struct ladder *l, const struct script_run *r, const struct sr_record *rec,
                 int stack, int script)
{
    char label[400];
    struct txt t = txt_of(label, sizeof(label));
    struct ladder_step s = {.time = rec->time, .from = stack, .to = script};
    if (rec->kind == SR_CALL) {
        txt_span(&t, rec->text);
        s.to = stack;
    } else {
        sr_print(&t, r, rec);
    }
    if (rec->kind == SR_OUT)
        s.reason = span_str(why_of(rec->why)->text);
    if (rec->kind == SR_IN) {
        s.from = script;
        s.to = stack;
    }
    if (rec->kind == SR_IN && rec->drop != DROP_NONE) {
        s.fate = LADDER_REFUSED;
        s.fate_text = span_str(drop_of(rec->drop)->name);
        s.reason = span_str(drop_of(rec->drop)->text);
    }
    s.label = span_of(t.p, t.n);
    return ladder_put(l, &s);
}

bool script_ladder(const struct script_run *r, struct sink out, struct ladder_style style)
{
    struct ladder l;
    bool good = true;
    ladder_init(&l, out, style);
    int stack = ladder_add(&l, span_str("oriel")), script = ladder_add(&l, span_str("script"));
    (void)ladder_begin(&l);
    for (uint32_t i = 0; i < r->records_n && good; i++)
        if (!r->records[i]->aside)
            good = draw(&l, r, r->records[i], stack, script);
    return ladder_end(&l) && good;
}

/* ---- packets, reasons ---- */

bool script_each_packet(const struct script_run *r, uint32_t *cursor, struct script_seen *out)
{
    while (*cursor < r->records_n && r->records[*cursor]->kind == SR_CALL)
        (*cursor)++;
    if (*cursor >= r->records_n)
        return false;
    const struct sr_record *rec = r->records[(*cursor)++];
    *out = (struct script_seen){.time = rec->time, .in = rec->kind == SR_IN, .why = rec->why,
                                .drop = rec->drop, .bytes = rec->bytes, .line = rec->line};
    return true;
}

bool script_each_reason(const struct script_run *r, uint32_t *cursor, enum why *why,
                        enum drop *drop)
{
    if (*cursor >= r->reasons_n)
        return false;
    *why = r->reasons[*cursor].why;
    *drop = r->reasons[(*cursor)++].drop;
    return true;
}
