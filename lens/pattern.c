/*
 * Patterns become automata by the construction of Thompson: every piece of a pattern is a run of
 * states that begins at its first and falls out behind its last one; jumps are relative, so that a
 * run can be moved when something must come before it. Matching is a breadth-first walk: the set of
 * states that the text so far can have led to, kept as bits.
 */
#include "lens/pattern.h"

enum state {
    S_BYTE,
    S_ANY,
    S_SET,
    S_SPLIT,                /* go on here, and at `to` */
    S_JUMP,
    S_BEGIN,
    S_END,
    S_MATCH,
};

struct build {
    struct span text;
    size_t at;
    struct pattern *p;
    const char *wrong;
    size_t wrong_at;
    unsigned depth;
};

static_assert(PATTERN_STATES_MAX == 128, "struct states has that many bits");

/* ---- building ---- */

static bool fail(struct build *b, const char *wrong)
{
    if (!b->wrong) {
        b->wrong = wrong;
        b->wrong_at = b->at;
    }
    return false;
}

static bool at_end(const struct build *b)
{
    return b->at == b->text.n;
}

static uint8_t peek(const struct build *b)
{
    return at_end(b) ? 0 : b->text.p[b->at];
}

static bool take(struct build *b, char c)
{
    if (at_end(b) || b->text.p[b->at] != (uint8_t)c)
        return false;
    b->at++;
    return true;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static uint16_t add(struct build *b, enum state kind, uint8_t arg, int to)
{
    struct pattern *p = b->p;
    if (p->n == PATTERN_STATES_MAX) {
        fail(b, "a shorter pattern");
        return 0;
    }
    p->state[p->n] = (struct pattern_state){(uint8_t)kind, arg, (int16_t)to};
    return p->n++;
}

/* Make room for one state before the run that begins at `from`. Jumps inside it stay right. */
static void insert(struct build *b, uint16_t from, enum state kind, int to)
{
    uint16_t last = add(b, S_JUMP, 0, 0);
    if (b->wrong)
        return;
    struct pattern_state *s = b->p->state;
    memmove(&s[from + 1], &s[from], (size_t)(last - from) * sizeof *s);
    s[from] = (struct pattern_state){(uint8_t)kind, 0, (int16_t)to};
}

static void set_add(uint64_t *set, uint8_t c)
{
    set[c >> 6] |= BIT64(c & 63);
    if (c >= 'a' && c <= 'z')
        set[(c - 32) >> 6] |= BIT64((c - 32) & 63);
    if (c >= 'A' && c <= 'Z')
        set[(c + 32) >> 6] |= BIT64((c + 32) & 63);
}

static bool set_has(const uint64_t *set, uint8_t c)
{
    return ((set[c >> 6] >> (c & 63)) & 1) != 0;
}

static bool class_has(uint8_t letter, uint8_t c)
{
    bool digit = c >= '0' && c <= '9';
    switch (letter) {
    case 'd': return digit;
    case 'w': return digit || c == '_' || (lower(c) >= 'a' && lower(c) <= 'z');
    default:  return c == ' ' || (c >= '\t' && c <= '\r');
    }
}

/* \d and its like: all of the class into the set. False when the letter names none. */
static bool add_class(uint64_t *set, uint8_t letter)
{
    uint8_t small = lower(letter);
    if (small != 'd' && small != 'w' && small != 's')
        return false;
    for (unsigned c = 0; c < 256; c++)
        if (class_has(small, (uint8_t)c) == (letter == small))
            set[c >> 6] |= BIT64(c & 63);
    return true;
}

static unsigned hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - (unsigned)'0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - (unsigned)'a' + 10 : 16;
}

/* What a backslash and the letter after it stand for, when it is one byte. */
static uint8_t escaped_byte(struct build *b, uint8_t letter)
{
    static const char named[] = "n\nr\rt\t";
    for (size_t i = 0; i + 1 < sizeof named; i += 2)
        if ((uint8_t)named[i] == letter)
            return (uint8_t)named[i + 1];
    if (letter == 'x' && b->at + 2 <= b->text.n) {
        unsigned hi = hex_digit(b->text.p[b->at]);
        unsigned lo = hex_digit(b->text.p[b->at + 1]);
        b->at += 2;
        if (hi > 15 || lo > 15)
            fail(b, "two hexadecimal digits");
        return (uint8_t)(hi << 4 | lo);
    }
    bool word = class_has('w', letter) && letter != '_';
    if (word)
        fail(b, "one of d w s D W S n r t xNN, or a sign, behind the backslash");
    return letter;
}

static uint64_t *new_set(struct build *b, uint8_t *index)
{
    struct pattern *p = b->p;
    if (p->sets_n == PATTERN_SETS_MAX) {
        fail(b, "fewer sets in one pattern");
        return NULL;
    }
    *index = p->sets_n++;
    memset(p->set[*index], 0, sizeof p->set[*index]);
    return p->set[*index];
}

static void escape(struct build *b)
{
    if (at_end(b)) {
        fail(b, "something behind the backslash");
        return;
    }
    uint8_t letter = b->text.p[b->at++];
    uint64_t probe[4] = {0};
    if (!add_class(probe, letter)) {
        add(b, S_BYTE, lower(escaped_byte(b, letter)), 0);
        return;
    }
    uint8_t index = 0;
    uint64_t *set = new_set(b, &index);
    if (set)
        memcpy(set, probe, sizeof probe);
    add(b, S_SET, index, 0);
}

/* One byte of a set; false when it was a class, which is in the set already. */
static bool set_byte(struct build *b, uint64_t *set, uint8_t *out)
{
    *out = b->text.p[b->at++];
    if (*out != '\\')
        return true;
    if (at_end(b))
        return fail(b, "something behind the backslash");
    uint8_t letter = b->text.p[b->at++];
    if (add_class(set, letter))
        return false;
    *out = escaped_byte(b, letter);
    return true;
}

static void bracket(struct build *b)
{
    uint8_t index = 0;
    uint64_t *set = new_set(b, &index);
    if (!set)
        return;
    bool negated = take(b, '^');
    bool first = true;
    while (!b->wrong && !at_end(b) && (first || peek(b) != ']')) {
        first = false;
        uint8_t from;
        if (!set_byte(b, set, &from))
            continue;
        uint8_t to = from;
        if (b->at + 1 < b->text.n && peek(b) == '-' && b->text.p[b->at + 1] != ']') {
            b->at++;
            if (!set_byte(b, set, &to) || to < from)
                fail(b, "a range that goes upwards");
        }
        for (unsigned c = from; c <= to; c++)
            set_add(set, (uint8_t)c);
    }
    if (!take(b, ']'))
        fail(b, "]");
    for (unsigned i = 0; negated && i < 4; i++)
        set[i] = ~set[i];
    add(b, S_SET, index, 0);
}

static void alternatives(struct build *b);

static void group(struct build *b)
{
    if (take(b, '?') && !take(b, ':')) {
        fail(b, "( or (?:");
        return;
    }
    if (++b->depth > PATTERN_DEPTH_MAX) {
        fail(b, "fewer groups inside one another");
        return;
    }
    alternatives(b);
    b->depth--;
    if (!take(b, ')'))
        fail(b, ")");
}

static void atom(struct build *b)
{
    uint8_t c = b->text.p[b->at++];
    switch (c) {
    case '.':  add(b, S_ANY, 0, 0); break;
    case '^':  add(b, S_BEGIN, 0, 0); break;
    case '$':  add(b, S_END, 0, 0); break;
    case '(':  group(b); break;
    case '[':  bracket(b); break;
    case '\\': escape(b); break;
    case '*':
    case '+':
    case '?':
    case '{':
        b->at--;
        fail(b, c == '{' ? "no counted repetition" : "something to repeat");
        break;
    default:
        add(b, S_BYTE, lower(c), 0);
        break;
    }
}

/* The run from `from` to the end, repeated as the sign behind it says. */
static void repeated(struct build *b, uint16_t from)
{
    while (!b->wrong && !at_end(b)) {
        int n = b->p->n - from;
        if (take(b, '*')) {
            insert(b, from, S_SPLIT, n + 2);
            add(b, S_JUMP, 0, -(n + 1));
        } else if (take(b, '+')) {
            add(b, S_SPLIT, 0, -n);
        } else if (take(b, '?')) {
            insert(b, from, S_SPLIT, n + 1);
        } else {
            return;
        }
        (void)take(b, '?');         /* lazy or not finds the same */
    }
}

static void sequence(struct build *b)
{
    while (!b->wrong && !at_end(b) && peek(b) != '|' && peek(b) != ')') {
        uint16_t from = b->p->n;
        atom(b);
        repeated(b, from);
    }
}

/* a|b: split, a, jump behind b, b. */
static void alternatives(struct build *b)
{
    uint16_t from = b->p->n;
    sequence(b);
    while (!b->wrong && take(b, '|')) {
        int n = b->p->n - from;
        insert(b, from, S_SPLIT, n + 2);
        uint16_t jump = add(b, S_JUMP, 0, 0);
        sequence(b);
        b->p->state[jump].to = (int16_t)(b->p->n - jump);
    }
}

bool pattern_compile(struct span text, struct pattern *out, size_t *at, const char **wrong)
{
    struct build b = {.text = text, .p = out};
    out->n = 0;
    out->sets_n = 0;
    alternatives(&b);
    if (!b.wrong && !at_end(&b))
        fail(&b, "( before this )");
    add(&b, S_MATCH, 0, 0);
    *at = b.wrong_at;
    *wrong = b.wrong;
    return b.wrong == NULL;
}

/* ---- matching ---- */

struct states {
    uint64_t bits[2];
};

struct walk {
    const struct pattern *p;
    struct span text;
    size_t at;
    uint32_t work;
    bool matched;
};

static bool states_add(struct states *s, unsigned i)
{
    uint64_t bit = BIT64(i & 63);
    if (s->bits[i >> 6] & bit)
        return false;
    s->bits[i >> 6] |= bit;
    return true;
}

/* PCRE's $: the end, or before a newline that ends the text. */
static bool at_text_end(const struct walk *w)
{
    size_t left = w->text.n - w->at;
    return left == 0 || (left == 1 && w->text.p[w->at] == '\n');
}

/* Everything that can be reached from `first` without a byte. A state is on the stack once. */
static void follow(struct walk *w, struct states *s, unsigned first)
{
    uint8_t stack[PATTERN_STATES_MAX];
    unsigned n = 0;
    if (states_add(s, first))
        stack[n++] = (uint8_t)first;
    while (n > 0) {
        unsigned i = stack[--n];
        const struct pattern_state *st = &w->p->state[i];
        unsigned there = (unsigned)((int)i + st->to);
        bool next = st->kind == S_SPLIT || (st->kind == S_BEGIN && w->at == 0) ||
                    (st->kind == S_END && at_text_end(w));
        bool jump = st->kind == S_SPLIT || st->kind == S_JUMP;
        w->work++;
        w->matched = w->matched || st->kind == S_MATCH;
        if (next && states_add(s, i + 1))
            stack[n++] = (uint8_t)(i + 1);
        if (jump && states_add(s, there))
            stack[n++] = (uint8_t)there;
    }
}

static bool accepts(const struct pattern *p, const struct pattern_state *st, uint8_t c)
{
    switch ((enum state)st->kind) {
    case S_BYTE:
        return st->arg == lower(c);
    case S_ANY:
        return c != '\n';
    case S_SET:
        return set_has(p->set[st->arg], c);
    case S_SPLIT:
    case S_JUMP:
    case S_BEGIN:
    case S_END:
    case S_MATCH:
        break;
    }
    return false;
}

/* The states behind one byte. */
static struct states step(struct walk *w, const struct states *now, uint8_t c)
{
    struct states after = {{0, 0}};
    w->at++;
    for (unsigned word = 0; word < 2; word++) {
        for (uint64_t bits = now->bits[word]; bits != 0; bits &= bits - 1) {
            unsigned i = word * 64 + bit_lowest(bits);
            w->work++;
            if (accepts(w->p, &w->p->state[i], c))
                follow(w, &after, i + 1);
        }
    }
    return after;
}

bool pattern_matches(const struct pattern *p, struct span text)
{
    struct walk w = {.p = p, .text = text};
    struct states now = {{0, 0}};
    follow(&w, &now, 0);
    while (!w.matched && w.at < text.n && w.work < PATTERN_WORK_MAX) {
        now = step(&w, &now, text.p[w.at]);
        follow(&w, &now, 0);
    }
    return w.matched;
}
