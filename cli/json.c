/* JSON without a tree: what is said goes out at once. */
#include "cli/json.h"

#include "lens/cells.h"

#define PIECE 256       /* bytes that go to the sink at once */

static void put(struct json *j, const char *text)
{
    (void)sink_put(&j->out, span_str(text));
}

static void put_txt(struct json *j, const struct txt *t)
{
    (void)sink_put(&j->out, span_of(t->p, t->n));
}

static void print_char(struct txt *t, uint32_t ch)
{
    if (ch == '"' || ch == '\\') {
        txt_c(t, '\\');
        txt_c(t, (char)ch);
    } else if (ch < 0x20 || (ch >= 0x7f && ch < 0xa0)) {
        txt_s(t, "\\u");
        txt_hex(t, ch, 4);
    } else {
        cells_put_char(t, ch);
    }
}

static void put_quoted(struct json *j, struct span s)
{
    char piece[PIECE];
    struct txt t = txt_of(piece, sizeof piece);
    txt_c(&t, '"');
    while (s.n > 0) {
        print_char(&t, cells_next(&s));
        if (t.n > PIECE - 16) {
            put_txt(j, &t);
            t = txt_of(piece, sizeof piece);
        }
    }
    txt_c(&t, '"');
    put_txt(j, &t);
}

static void put_key(struct json *j, const char *key)
{
    if (j->comma)
        put(j, ",");
    j->comma = true;
    if (!key)
        return;
    put_quoted(j, span_str(key));
    put(j, ":");
}

void json_begin(struct json *j, struct sink out)
{
    *j = (struct json){.out = out};
    put(j, "{\"v\":1");
    j->comma = true;
}

void json_end(struct json *j)
{
    put(j, "}\n");
}

void json_str(struct json *j, const char *key, struct span value)
{
    put_key(j, key);
    put_quoted(j, value);
}

void json_text(struct json *j, const char *key, const char *value)
{
    json_str(j, key, span_str(value));
}

void json_u(struct json *j, const char *key, uint64_t value)
{
    char text[24];
    struct txt t = txt_of(text, sizeof text);
    txt_u(&t, value);
    put_key(j, key);
    put_txt(j, &t);
}

void json_bool(struct json *j, const char *key, bool value)
{
    put_key(j, key);
    put(j, value ? "true" : "false");
}

void json_hex(struct json *j, const char *key, struct span bytes)
{
    char piece[PIECE];
    put_key(j, key);
    put(j, "\"");
    while (bytes.n > 0) {
        size_t n = bytes.n < PIECE / 2 - 1 ? bytes.n : PIECE / 2 - 1;
        struct txt t = txt_of(piece, sizeof piece);
        txt_hex_bytes(&t, span_of(bytes.p, n), '\0');
        put_txt(j, &t);
        bytes = span_of(bytes.p + n, bytes.n - n);
    }
    put(j, "\"");
}

void json_open(struct json *j, const char *key, char bracket)
{
    put_key(j, key);
    put(j, bracket == '{' ? "{" : "[");
    j->comma = false;
}

void json_close(struct json *j, char bracket)
{
    put(j, bracket == '}' ? "}" : "]");
    j->comma = true;
}
