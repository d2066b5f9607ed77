/*
 * A script from the top: options, commands, then events, each a time and what happens then.
 *
 * Times may be absolute, relative to the event before, a range, or `*`. Options and commands say
 * how the stack is made, so they stand before the first packet or call; what they say is applied
 * here, while the mistake can still be shown in the text.
 */
#include "lab/script_text.h"

/* ---- options ---- */

static bool is_option_char(uint8_t c)
{
    return c != ' ' && c != '\t' && c != '\r' && c != '\n';
}

/* The words of an error about a value, at its place in the text. */
static bool setting_failed(struct sp *p, struct span text, const struct syntax_error *e)
{
    size_t skip = e->column > 0 && e->column - 1u <= text.n ? e->column - 1u : 0;
    (void)sp_fail_at(p, span_of(text.p + skip, 0), e->expected);
    memcpy(p->err->at.found, e->found, sizeof(e->found));
    memcpy(p->err->at.hint, e->hint, sizeof(e->hint));
    return false;
}

static bool define(struct sp *p, struct span value)
{
    size_t n = 0;
    while (n < value.n && value.p[n] != '=')
        n++;
    if (n == 0 || n == value.n)
        return sp_fail_at(p, value, "NAME=VALUE");
    if (p->defines == SCRIPT_DEFINES_MAX)
        return sp_fail_at(p, value, "at most 64 definitions");
    p->define[p->defines++] = (struct sp_define){
        .name = span_of(value.p, n), .value = span_of(value.p + n + 1, value.n - n - 1)};
    return true;
}

/* Behind "--". */
static bool option(struct sp *p)
{
    const uint8_t *from = p->at;
    while (p->at < p->end && is_option_char(*p->at) && *p->at != '=')
        p->at++;
    struct span key = span_of(from, (size_t)(p->at - from)), value = span_of(p->at, 0);
    if (p->at < p->end && *p->at == '=') {
        value.p = ++p->at;
        while (p->at < p->end && is_option_char(*p->at))
            p->at++;
        value.n = (size_t)(p->at - value.p);
    }
    p->last = p->at;
    if (key.n == 0)
        return sp_fail_at(p, span_of(from - 2, 2), "an option, such as --ip_version=ipv4");
    if (span_is(key, "define"))
        return define(p, value);
    struct syntax_error e = {0};
    if (span_is(key, "so_flags"))
        return script_settings(&p->s->setup, value, &e) || setting_failed(p, value, &e);
    return script_setting(&p->s->setup, key, value, &e) ||
           setting_failed(p, span_of(key.p, (size_t)(p->at - key.p)), &e);
}

/* Behind the opening backtick. */
static bool command(struct sp *p)
{
    struct span opening = span_of(p->last - 1, 1), text;
    if (!sp_until(p, "`", &text, "a command that ends with a backtick"))
        return false;
    struct syntax_error e = {0};
    for (const struct script_event *v = p->s->first; v; v = v->next)
        if (v->kind != SCRIPT_COMMAND && v->kind != SCRIPT_CODE)
            return sp_fail_at(p, opening, "no command here: what it sets, the stack is made with");
    return script_command(&p->s->setup, text, &e) || setting_failed(p, text, &e);
}

/* ---- times ---- */

static bool event_time(struct sp *p, struct script_event *v)
{
    bool plus = sp_take(p, "+");
    if (sp_take(p, "*")) {
        v->time = SCRIPT_ANY;
        return true;
    }
    v->time = plus ? SCRIPT_RELATIVE : SCRIPT_ABSOLUTE;
    if (!sp_time(p, &v->from))
        return false;
    v->to = v->from;
    if (!sp_take(p, "~"))
        return true;
    if (plus)
        (void)sp_take(p, "+");
    struct span at = sp_token(p);
    if (!sp_time(p, &v->to))
        return false;
    return v->to >= v->from || sp_fail_at(p, at, "an end that is not before the beginning");
}

/* ---- events ---- */

static bool code(struct sp *p, struct script_event *v)
{
    struct span text;
    if (!sp_until(p, "}%", &text, "code that ends with }%"))
        return false;
    v->kind = SCRIPT_CODE;
    v->is.code = script_assert_parse(p->arena, p->s->file, p->s->text, text, p->err);
    p->bad = !v->is.code;
    return !p->bad;
}

static bool is_loose(const struct script_event *v)
{
    return v->time == SCRIPT_ANY || v->to != v->from;
}

static bool action(struct sp *p, struct script_event *v, struct span time)
{
    static const char any_only_out[] = "a single time: only packets that leave have ranges and *";
    if (sp_take(p, "<") || sp_take(p, ">")) {
        bool in = p->last[-1] == '<';
        if (in && is_loose(v))
            return sp_fail_at(p, time, any_only_out);
        v->kind = SCRIPT_PACKET;
        v->is.packet = sp_packet(p, in);
        return v->is.packet != NULL;
    }
    if (is_loose(v))
        return sp_fail_at(p, time, any_only_out);
    if (sp_take(p, "%{"))
        return code(p, v);
    v->kind = SCRIPT_COMMAND;
    if (sp_take(p, "`"))
        return command(p);
    v->kind = SCRIPT_CALL;
    v->is.call = sp_call(p);
    return v->is.call != NULL;
}

static struct script_event *event(struct sp *p)
{
    struct script_event *v = sp_alloc(p, sizeof(*v));
    sp_skip(p);
    const uint8_t *from = p->at;
    if (!v || !event_time(p, v))
        return NULL;
    if (!action(p, v, span_of(from, (size_t)(p->last - from))))
        return NULL;
    v->line = sp_line(p, from);
    v->text = span_of(from, (size_t)(p->last - from));
    return v;
}

static bool head(struct sp *p)
{
    for (;;) {
        if (sp_take(p, "--")) {
            if (!option(p))
                return false;
        } else if (sp_take(p, "`")) {
            if (!command(p))
                return false;
        } else {
            return !p->bad;
        }
    }
}

static bool starts_event(struct sp *p)
{
    uint8_t c = sp_peek(p);
    return c == '+' || c == '*' || c == '.' || sp_sees_digit(p);
}

static bool body(struct sp *p)
{
    struct script_event **to = &p->s->first;
    while (!sp_end(p)) {
        if (sp_sees(p, "--"))
            return sp_fail_at(p, sp_token(p), "an event: options stand before the first one");
        if (!starts_event(p))
            return sp_fail_at(p, sp_token(p), "an event, which begins with its time");
        struct script_event *v = event(p);
        if (!v)
            return false;
        *to = v;
        to = &v->next;
        p->s->events++;
    }
    if (!p->bad && p->s->events == 0)
        return sp_fail(p, "an event, which begins with its time");
    return !p->bad;
}

struct script *script_parse(struct arena *arena, struct span file, struct span text,
                            struct script_error *err)
{
    *err = (struct script_error){.file = file};
    struct script *s = arena_take_zeroed(arena, sizeof(*s));
    if (!s) {
        (void)syntax_fail(&err->at, 0, span_of(NULL, 0), "more memory for the script");
        return NULL;
    }
    s->file = file;
    s->text = text;
    script_setup_init(&s->setup);
    struct sp p = sp_of(s, arena, err, text);
    return head(&p) && body(&p) ? s : NULL;
}

bool script_runs_over(const struct script *s, bool v6)
{
    switch (s->setup.ip) {
    case SCRIPT_IP4:
    case SCRIPT_MAPPED:
        return !v6;
    case SCRIPT_IP6:
        return v6;
    case SCRIPT_IP_ANY:
        break;
    }
    bool local6 = !addr_is_unspecified(&s->setup.local) && !addr_is_v4(&s->setup.local);
    bool local4 = !addr_is_unspecified(&s->setup.local) && addr_is_v4(&s->setup.local);
    return v6 ? !s->needs4 && !local4 : !(s->needs6 || local6) || s->needs4;
}
