/*
 * A ladder is drawn a row at a time. A row is an array of cells, first filled with the lifelines;
 * arrow, label and reason are laid over it, and it goes to the sink without the blanks at its end.
 *
 * The layout is made once. Reasons stand to the right of the last lifeline when at least REASON_MIN
 * columns are left beside comfortable arrows; otherwise underneath the arrow. A label stands in its
 * arrow; where the arrow is too short for it, in a row of its own above, which may run across other
 * lifelines.
 */
#include "lens/ladder.h"

#include "base/clock.h"
#include "lens/cells.h"
#include "lens/ladder_rows.h"

#define SPAN_MIN     6          /* fewer, and the page is made wider than was asked */
#define SPAN_MAX     60         /* columns between two lifelines; more only tears apart */
#define REASON_MIN   36         /* columns for a column of reasons */
#define UNDER_MIN    36         /* columns for a reason underneath */
#define NAME_HALF_MAX 8         /* columns left for a name beyond the outer lifelines */
#define STATE_W      12         /* columns left for a state there, with a blank */
#define NAME_ROWS_MAX 4
#define GUTTER       3          /* between the time and the first name */
#define SECONDS_DIGITS 4        /* of the time before the point; more digits take decimals away */
#define FOOT_AFTER   24         /* steps after which the names are repeated at the end */

static_assert(SECONDS_DIGITS + 10 + GUTTER + 2 * STATE_W + 1 +
                      (LADDER_LINES_MAX - 1) * SPAN_MIN <= LADDER_WIDTH_MAX,
              "the widest ladder fits a row");

/* What is still to be said about a step while its rows are drawn. */
struct saying {
    const struct ladder_step *step;
    struct span reason;         /* what is left of it */
};

/* ---- layout ---- */

static unsigned name_w(const struct ladder *l, int i)
{
    return cells_of(span_str(l->names[i]));
}

static unsigned half_name(const struct ladder *l, int i)
{
    unsigned half = name_w(l, i) / 2;
    return half < NAME_HALF_MAX ? half : NAME_HALF_MAX;
}

static unsigned at_most(unsigned v, unsigned max)
{
    return v < max ? v : max;
}

/* Columns beyond an outer lifeline, for its name and the states there. */
static unsigned margin(const struct ladder *l, int i)
{
    unsigned half = half_name(l, i);
    return l->style.states && half < STATE_W ? STATE_W : half;
}

/* Columns between two lifelines beside a column of reasons, comfortably. */
static unsigned span_beside(const struct ladder *l, unsigned room)
{
    unsigned spans = (unsigned)l->lines_n - 1;
    unsigned least = spans == 1 ? 44 : spans == 2 ? 30 : 22;
    unsigned reasons = l->width * 2 / 5;
    unsigned each = room > reasons ? (room - reasons) / spans : 0;
    return each < least ? least : at_most(each, SPAN_MAX);
}

static void lay_out(struct ladder *l)
{
    int last = l->lines_n - 1;
    unsigned first_col = l->time_w + GUTTER + margin(l, 0);
    unsigned beyond = margin(l, last) + 1;
    unsigned spans = (unsigned)last;
    unsigned least = first_col + beyond + spans * SPAN_MIN;
    if (l->width < least)
        l->width = least;
    unsigned room = l->width - first_col - beyond;
    unsigned each = spans == 0 ? 0 : at_most(room / spans, SPAN_MAX);
    l->reason_col = 0;
    if (l->style.reasons && spans > 0) {
        unsigned beside = span_beside(l, room);
        if (room >= spans * beside + REASON_MIN + 2) {
            each = beside;
            l->reason_col = first_col + spans * each + beyond + 2;
        }
    }
    for (int i = 0; i <= last; i++)
        l->col[i] = first_col + (unsigned)i * each;
}

struct ladder_style ladder_style_of(unsigned width, bool ascii, bool color)
{
    return (struct ladder_style){
        .width = width,
        .ascii = ascii,
        .color = color,
        .reasons = true,
        .decimals = 6,
        .gap_ns = 500 * NS_PER_MS,
    };
}

void ladder_init(struct ladder *l, struct sink out, struct ladder_style style)
{
    ORIEL_ASSERT(style.decimals <= 9);
    memset(l, 0, sizeof *l);
    l->out = out;
    l->style = style;
    unsigned width = style.width == 0 ? 80 : style.width;
    l->width = width < LADDER_WIDTH_MIN ? LADDER_WIDTH_MIN : at_most(width, LADDER_WIDTH_MAX);
    l->time_w = SECONDS_DIGITS + (style.decimals == 0 ? 0 : 1 + style.decimals);
}

int ladder_add(struct ladder *l, struct span name)
{
    if (l->lines_n == LADDER_LINES_MAX)
        return -1;
    struct txt t = txt_of(l->names[l->lines_n], LADDER_NAME_MAX);
    cells_put(&t, name, l->style.ascii);
    return l->lines_n++;
}

/* ---- the names ---- */

/*
 * Names that are wider than the distance of their lines stand in several rows, by turns, so that
 * neighbours do not meet.
 */
static unsigned name_rows(const struct ladder *l)
{
    if (l->lines_n <= 2)        /* the two may grow outwards */
        return 1;
    unsigned each = l->col[1] - l->col[0];
    unsigned most = 0;
    for (int i = 0; i < l->lines_n; i++)
        if (name_w(l, i) > most)
            most = name_w(l, i);
    unsigned rows = (most + 2 + each - 1) / each;
    return at_most(at_most(rows, (unsigned)l->lines_n), NAME_ROWS_MAX);
}

/* Columns that the name of a line may take before it meets its neighbours in the same row. */
static unsigned name_room(const struct ladder *l, int i, unsigned rows)
{
    if (l->lines_n == 1)
        return l->width - l->time_w - GUTTER;
    unsigned each = l->col[1] - l->col[0];
    if (l->lines_n == 2)
        return (each + 2 * half_name(l, i)) / 2 + each / 4;
    return rows * each - 2;
}

static void put_name(struct ladder *l, struct row *row, int i, unsigned rows)
{
    struct span name = span_str(l->names[i]);
    unsigned least = l->time_w + GUTTER;
    unsigned edge = l->reason_col != 0 ? l->reason_col - 1 : l->width;
    unsigned w = ladder_fitted(name, name_room(l, i, rows));
    unsigned col = l->col[i] < least + w / 2 ? least : l->col[i] - w / 2;
    if (col + w > edge && edge > w)
        col = edge - w;
    ladder_text(l, row, col, w, name, STYLE_NAME);
}

static void put_names(struct ladder *l)
{
    unsigned rows = name_rows(l);
    for (unsigned r = 0; r < rows; r++) {
        struct row row;
        ladder_row_clear(l, &row, G_LINE);
        for (int i = 0; i < l->lines_n; i++)    /* only names that stand above have a line yet */
            if ((unsigned)i % rows >= r)
                ladder_cell(l, &row, l->col[i], ' ', STYLE_PLAIN);
        for (int i = 0; i < l->lines_n; i++)
            if ((unsigned)i % rows == r)
                put_name(l, &row, i, rows);
        if (r + 1 == rows) {
            ladder_text(l, &row, l->time_w - 4, 4, span_str("time"), STYLE_DIM);
            if (l->reason_col != 0)
                ladder_text(l, &row, l->reason_col, 3, span_str("why"), STYLE_DIM);
        }
        ladder_row_put(l, &row);
    }
}

/* A row with nothing but lifelines. */
static void put_lines(struct ladder *l)
{
    struct row row;
    ladder_row_clear(l, &row, G_LINE);
    ladder_row_put(l, &row);
}

bool ladder_begin(struct ladder *l)
{
    if (l->lines_n == 0)
        return !l->bad;
    lay_out(l);
    put_names(l);
    put_lines(l);
    return !l->bad;
}

/* ---- time ---- */

static void put_time(struct ladder *l, struct row *row, oriel_time time)
{
    unsigned decimals = l->style.decimals;
    char text[32];
    struct txt t;
    for (;; decimals--) {
        t = txt_of(text, sizeof text);
        txt_seconds(&t, time, decimals);
        if (t.n <= l->time_w || decimals == 0)
            break;
    }
    unsigned n = (unsigned)t.n;
    ladder_text(l, row, n < l->time_w ? l->time_w - n : 0, n, span_of(t.p, t.n), STYLE_DIM);
}

/* Two units at most: 520 ms, 1.0 s, 2m 03s, 34h 17m. */
static void print_gap(struct txt *t, oriel_time ns)
{
    uint64_t seconds = ns / NS_PER_S;
    if (seconds == 0) {
        txt_u(t, ns / NS_PER_MS);
        txt_s(t, " ms");
        return;
    }
    if (seconds < 60) {
        txt_seconds(t, ns, 1);
        txt_s(t, " s");
        return;
    }
    bool hours = seconds >= 3600;
    uint64_t small = hours ? seconds / 60 : seconds;
    txt_u(t, small / 60);
    txt_s(t, hours ? "h " : "m ");
    txt_u_pad(t, small % 60, 2, '0');
    txt_c(t, hours ? 'm' : 's');
}

static void put_gap(struct ladder *l, oriel_time ns)
{
    struct row row;
    char text[32];
    struct txt t = txt_of(text, sizeof text);
    print_gap(&t, ns);
    ladder_row_clear(l, &row, G_GAP);
    unsigned n = ladder_fitted(span_of(t.p, t.n), l->time_w);
    ladder_text(l, &row, l->time_w - n, n, span_of(t.p, t.n), STYLE_DIM);
    ladder_row_put(l, &row);
}

/* ---- arrows ---- */

static bool is_line(const struct ladder *l, unsigned col)
{
    for (int i = 0; i < l->lines_n; i++)
        if (l->col[i] == col)
            return true;
    return false;
}

/* A shaft from beside column a up to and with column `end`. */
static void put_shaft(struct ladder *l, struct row *row, unsigned a, unsigned end,
                      enum ladder_paint style)
{
    unsigned from = a < end ? a + 1 : end;
    unsigned to = a < end ? end : a - 1;
    for (unsigned i = from; i <= to; i++)
        ladder_glyph(l, row, i, is_line(l, i) ? G_OVER : G_DASH, style);
}

/* In a shaft from a to `end`: "- label -", beside a. */
static void put_label(struct ladder *l, struct row *row, unsigned a, unsigned end,
                      struct span label, unsigned room)
{
    unsigned n = ladder_fitted(label, room);
    if (n == 0)
        return;
    unsigned col = a < end ? a + 3 : a - 2 - n;
    ladder_cell(l, row, col - 1, ' ', STYLE_PLAIN);
    ladder_cell(l, row, col + n, ' ', STYLE_PLAIN);
    ladder_text(l, row, col, n, label, STYLE_PLAIN);
}

static unsigned distance(unsigned a, unsigned b)
{
    return a < b ? b - a : a - b;
}

/* Cells for a label in an arrow over `span` columns: all but "- ", " -" and the head. */
static unsigned label_room(unsigned span)
{
    return span > 6 ? span - 6 : 0;
}

/* ---- a step ---- */

static struct span fate_text(const struct ladder_step *s)
{
    if (s->fate == LADDER_LOST && s->fate_text.n == 0)
        return span_str("lost");
    return s->fate_text;
}

/* The lifeline at the end of the arrow; for everyone, the far one on the longer side. */
static unsigned end_col(const struct ladder *l, const struct ladder_step *s)
{
    if (s->to != LADDER_EVERYONE)
        return l->col[s->to];
    unsigned first = l->col[0];
    unsigned last = l->col[l->lines_n - 1];
    unsigned a = l->col[s->from];
    return distance(a, last) >= distance(a, first) ? last : first;
}

/* The first lifeline that the arrow meets; the label stands before it. */
static unsigned label_end(const struct ladder *l, const struct ladder_step *s)
{
    unsigned end = end_col(l, s);
    if (s->to != LADDER_EVERYONE || l->lines_n == 1)
        return end;
    return end > l->col[s->from] ? l->col[s->from + 1] : l->col[s->from - 1];
}

static bool is_arrow(const struct ladder *l, const struct ladder_step *s)
{
    return s->to != s->from && !(s->to == LADDER_EVERYONE && l->lines_n == 1);
}

/* Does the cross's text stand beside it in the arrow? */
static bool fate_fits(const struct ladder *l, const struct ladder_step *s)
{
    unsigned span = distance(l->col[s->from], end_col(l, s));
    return s->fate == LADDER_LOST && span >= cells_of(fate_text(s)) + cells_of(s->label) + 9;
}

static unsigned room_in_arrow(const struct ladder *l, const struct ladder_step *s)
{
    unsigned span = distance(l->col[s->from], label_end(l, s));
    if (fate_fits(l, s))
        span -= cells_of(fate_text(s)) + 2;
    return label_room(span);
}

static void put_lost(struct ladder *l, struct row *row, const struct ladder_step *s)
{
    unsigned a = l->col[s->from];
    unsigned b = end_col(l, s);
    unsigned span = distance(a, b);
    struct span text = fate_fits(l, s) ? fate_text(s) : span_of(NULL, 0);
    unsigned text_w = cells_of(text);
    unsigned label_w = ladder_fitted(s->label, room_in_arrow(l, s));
    unsigned most = span - (text_w > 0 ? text_w + 3 : 2);   /* of the cross, from a */
    unsigned least = label_w + 6;
    unsigned cross = span * 2 / 3;
    cross = cross < least ? least : cross;
    cross = at_most(cross, most);

    unsigned x = a < b ? a + cross : a - cross;
    put_shaft(l, row, a, x, STYLE_LOST);
    ladder_glyph(l, row, x, G_CROSS, STYLE_LOST);
    put_label(l, row, a, b, s->label, label_w);
    ladder_whole(l, row, a < b ? x + 2 : x - 1 - text_w, text, STYLE_LOST);
}

static void put_heads(struct ladder *l, struct row *row, const struct ladder_step *s)
{
    for (int i = 0; i < l->lines_n; i++) {
        if (i < s->from) {
            ladder_glyph(l, row, l->col[i], G_LINE, STYLE_DIM);
            ladder_glyph(l, row, l->col[i] + 1, G_LEFT, STYLE_ARROW);
        } else if (i > s->from) {
            ladder_glyph(l, row, l->col[i], G_LINE, STYLE_DIM);
            ladder_glyph(l, row, l->col[i] - 1, G_RIGHT, STYLE_ARROW);
        }
    }
}

static void put_arrow(struct ladder *l, struct row *row, const struct ladder_step *s)
{
    unsigned a = l->col[s->from];
    unsigned b = end_col(l, s);
    bool refused = s->fate == LADDER_REFUSED;
    enum ladder_paint style = refused ? STYLE_LOST : STYLE_ARROW;
    if (s->fate == LADDER_LOST) {
        put_lost(l, row, s);
        return;
    }
    if (s->to == LADDER_EVERYONE) {
        if (s->from > 0)
            put_shaft(l, row, a, l->col[0] + 1, style);
        if (s->from < l->lines_n - 1)
            put_shaft(l, row, a, l->col[l->lines_n - 1] - 1, style);
        put_heads(l, row, s);
    } else {
        unsigned head = a < b ? b - 1 : b + 1;
        put_shaft(l, row, a, head, style);
        ladder_glyph(l, row, head, refused ? G_CROSS : a < b ? G_RIGHT : G_LEFT, style);
    }
    put_label(l, row, a, b, s->label, room_in_arrow(l, s));
}

/* ---- states ---- */

/* Cells that are free beside a lifeline, on that side. */
static unsigned room_beside(const struct ladder *l, int i, bool right)
{
    if (right && i == l->lines_n - 1)
        return (l->reason_col != 0 ? l->reason_col - 1 : l->width) - l->col[i] - 2;
    if (!right && i == 0)
        return l->col[0] - l->time_w - 2;
    unsigned each = l->col[1] - l->col[0];
    return each > 4 ? each - 4 : 0;
}

static void put_state(struct ladder *l, struct row *row, int i, bool right, struct span state)
{
    unsigned n = cells_of(state);
    if (n == 0 || n > room_beside(l, i, right))
        return;
    unsigned col = l->col[i];
    ladder_whole(l, row, right ? col + 2 : col - 1 - n, state, STYLE_PLAIN);
}

/* Both stand on the side that the arrow leaves free. */
static void put_states(struct ladder *l, struct row *row, const struct ladder_step *s)
{
    if (!l->style.states || s->to == LADDER_EVERYONE || s->to == s->from)
        return;
    bool to_right = s->from < s->to;
    put_state(l, row, s->from, !to_right, s->from_state);
    put_state(l, row, s->to, to_right, s->to_state);
}

/* ---- text underneath and above ---- */

/* The first column that nothing of the ladder itself may use. */
static unsigned right_edge(const struct ladder *l)
{
    return l->reason_col != 0 ? l->reason_col - 2 : l->width;
}

/*
 * Columns for a text that belongs to a step: between its ends; where that is too narrow, on to the
 * last lifeline; where that is too narrow too, ending there and starting as far left as it must.
 */
static void text_columns(const struct ladder *l, const struct ladder_step *s, struct span text,
                         unsigned *from, unsigned *to)
{
    unsigned need = ladder_fitted(text, UNDER_MIN);
    unsigned a = l->col[s->from];
    unsigned last = l->col[l->lines_n - 1];
    unsigned b = is_arrow(l, s) ? end_col(l, s) : last;
    *from = (a < b ? a : b) + 3;
    *to = a < b ? b : a;
    if (*to < *from + need)
        *to = l->lines_n == 1 ? right_edge(l) : last;
    if (*to < *from + need)
        *from = *to > need + l->col[0] + 3 ? *to - need - 1 : l->col[0] + 3;
    if (*to < *from + need)
        *to = right_edge(l);
}

/* The next line of the reason goes beside this row, where reasons have a column. */
static void put_beside(struct ladder *l, struct row *row, struct saying *what)
{
    if (l->reason_col == 0)
        return;
    unsigned room = l->width - l->reason_col;
    ladder_whole(l, row, l->reason_col, cells_wrap(&what->reason, room), STYLE_DIM);
}

static void put_line_of_text(struct ladder *l, struct saying *what, struct span *text,
                             enum ladder_paint style)
{
    struct row row;
    unsigned from, to;
    text_columns(l, what->step, *text, &from, &to);
    ladder_row_clear(l, &row, G_LINE);
    ladder_whole(l, &row, from, cells_wrap(text, to - from), style);
    put_beside(l, &row, what);
    ladder_row_put(l, &row);
}

static void put_rest(struct ladder *l, struct saying *what)
{
    struct span fate = fate_text(what->step);
    if (is_arrow(l, what->step) && fate_fits(l, what->step))
        fate.n = 0;
    while (fate.n > 0)
        put_line_of_text(l, what, &fate, STYLE_LOST);
    if (l->reason_col == 0) {
        while (what->reason.n > 0)
            put_line_of_text(l, what, &what->reason, STYLE_DIM);
        return;
    }
    while (what->reason.n > 0) {
        struct row row;
        ladder_row_clear(l, &row, G_LINE);
        put_beside(l, &row, what);
        ladder_row_put(l, &row);
    }
}

/* Does the label fit in a row of its own only, or has it clearly more room there? */
static bool label_stands_above(const struct ladder *l, const struct ladder_step *s)
{
    unsigned room = room_in_arrow(l, s);
    unsigned from, to;
    text_columns(l, s, s->label, &from, &to);
    unsigned need = cells_of(s->label);
    return need > room && (need <= to - from || to - from > room + 8);
}

static void put_note(struct ladder *l, struct row *row, const struct ladder_step *s)
{
    unsigned from = l->col[s->from] + 2;
    unsigned edge = right_edge(l);
    unsigned n = ladder_fitted(s->label, edge > from ? edge - from : 0);
    if (n < cells_of(s->label) && l->col[s->from] > edge / 2) {     /* more room to the left */
        unsigned room = l->col[s->from] - 2 - l->time_w - GUTTER;
        n = ladder_fitted(s->label, room);
        from = l->col[s->from] - 1 - n;
    }
    ladder_glyph(l, row, l->col[s->from], G_NOTE, STYLE_ARROW);
    ladder_text(l, row, from, n, s->label, STYLE_PLAIN);
}

bool ladder_put(struct ladder *l, const struct ladder_step *s)
{
    ORIEL_ASSERT(s->from >= 0 && s->from < l->lines_n);
    ORIEL_ASSERT(s->to == LADDER_EVERYONE || (s->to >= 0 && s->to < l->lines_n));
    if (l->steps > 0 && l->style.gap_ns != 0 && s->time > l->last &&
        s->time - l->last >= l->style.gap_ns)
        put_gap(l, s->time - l->last);

    struct saying what = {.step = s, .reason = s->reason};
    if (!l->style.reasons)
        what.reason.n = 0;
    struct ladder_step drawn = *s;
    struct row row;
    ladder_row_clear(l, &row, G_LINE);
    put_time(l, &row, s->time);
    if (is_arrow(l, s) && label_stands_above(l, s)) {
        unsigned from, to;
        text_columns(l, s, s->label, &from, &to);
        ladder_text(l, &row, from, to - from, s->label, STYLE_PLAIN);
        put_beside(l, &row, &what);
        ladder_row_put(l, &row);
        ladder_row_clear(l, &row, G_LINE);
        drawn.label.n = 0;
    }
    if (is_arrow(l, s))
        put_arrow(l, &row, &drawn);
    else
        put_note(l, &row, &drawn);
    put_states(l, &row, s);
    put_beside(l, &row, &what);
    ladder_row_put(l, &row);
    put_rest(l, &what);
    l->last = s->time;
    l->steps++;
    return !l->bad;
}

bool ladder_end(struct ladder *l)
{
    if (l->lines_n == 0)
        return !l->bad;
    put_lines(l);
    if (l->steps > FOOT_AFTER)
        put_names(l);
    return !l->bad;
}
