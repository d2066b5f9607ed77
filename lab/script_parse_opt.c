/*
 * TCP options as a script lists them, in the order in which they stand in the segment:
 *
 *     <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>    <nop,nop,sack 1001:2001 3001:4001>    <...>
 *
 * Sequence numbers and timestamps are the script's: the run maps them.
 */
#include "lab/script_text.h"

#include "wire/tcp.h"

static const char known[] = "mss wscale sackOK sack TS nop eol FO FOEXP md5 option bytes";

static bool sack(struct sp *p, struct script_opt *o)
{
    do {
        if (o->n == SCRIPT_SACKS_MAX)
            return sp_fail(p, "at most four SACK blocks");
        if (!sp_u32(p, &o->left[o->n], "a SACK block, such as 1001:2001") || !sp_need(p, ":") ||
            !sp_u32(p, &o->right[o->n], "the sequence number behind the block"))
            return false;
        o->n++;
    } while (sp_sees_digit(p));
    return true;
}

static bool timestamps(struct sp *p, struct script_opt *o)
{
    return sp_need(p, "val") && sp_u32(p, &o->a, "the timestamp's value") && sp_need(p, "ecr") &&
           sp_u32(p, &o->b, "the timestamp that is echoed");
}

/* Nothing is a request for a cookie. */
static bool cookie(struct sp *p, struct script_opt *o)
{
    if (sp_sees(p, ",") || sp_sees(p, ">"))
        return true;
    if (sp_take(p, "cookie")) {
        o->latest = true;
        return true;
    }
    return sp_hex(p, TCP_COOKIE_MAX, &o->data);
}

static bool md5(struct sp *p, struct script_opt *o)
{
    static const uint8_t zeros[16] = {0};
    if (sp_sees(p, ",") || sp_sees(p, ">")) {
        o->data = span_of(zeros, sizeof(zeros));
        return true;
    }
    return sp_hex(p, 16, &o->data);
}

/* Any kind with any bytes: `option 253 0102`, `option 253`. */
static bool raw(struct sp *p, struct script_opt *o)
{
    o->raw = true;
    if (!sp_u8(p, &o->kind, "the kind of an option, 0 to 255"))
        return false;
    return sp_sees(p, ",") || sp_sees(p, ">") || sp_hex(p, TCP_OPTS_MAX - 2, &o->data);
}

static bool option(struct sp *p, struct script_opt *o)
{
    struct span word = sp_token(p);
    if (sp_take(p, "nop")) {
        o->kind = TCP_OPT_NOP;
    } else if (sp_take(p, "eol")) {
        o->kind = TCP_OPT_EOL;
    } else if (sp_take(p, "mss")) {
        o->kind = TCP_OPT_MSS;
        uint16_t v = 0;
        bool good = sp_u16(p, &v, "a segment size, 0 to 65535");
        o->a = v;
        return good;
    } else if (sp_take(p, "wscale")) {
        o->kind = TCP_OPT_WSCALE;
        uint8_t v = 0;
        bool good = sp_u8(p, &v, "a shift, 0 to 255");
        o->a = v;
        return good;
    } else if (sp_take(p, "sackOK")) {
        o->kind = TCP_OPT_SACK_PERM;
    } else if (sp_take(p, "sack")) {
        o->kind = TCP_OPT_SACK;
        return sack(p, o);
    } else if (sp_take(p, "TS")) {
        o->kind = TCP_OPT_TS;
        return timestamps(p, o);
    } else if (sp_take(p, "FO")) {
        o->kind = TCP_OPT_FASTOPEN;
        return cookie(p, o);
    } else if (sp_take(p, "FOEXP")) {
        o->kind = SCRIPT_OPT_FOEXP;
        return cookie(p, o);
    } else if (sp_take(p, "md5")) {
        o->kind = TCP_OPT_MD5;
        return md5(p, o);
    } else if (sp_take(p, "option")) {
        return raw(p, o);
    } else if (sp_take(p, "bytes")) {
        o->raw = o->bare = true;
        return sp_hex(p, TCP_OPTS_MAX, &o->data);
    } else {
        return sp_fail_word(p, word, "a TCP option: mss, wscale, sackOK, sack, TS, nop, eol, FO, "
                                     "FOEXP, md5, option or bytes", known);
    }
    return true;
}

static size_t bytes_of(const struct script_opt *o)
{
    if (o->bare)
        return o->data.n;
    if (o->raw || o->kind == TCP_OPT_MD5 || o->kind == TCP_OPT_FASTOPEN)
        return 2 + o->data.n + (o->latest ? 8 : 0);
    switch (o->kind) {
    case TCP_OPT_NOP:
    case TCP_OPT_EOL:
        return 1;
    case TCP_OPT_MSS:
        return 4;
    case TCP_OPT_WSCALE:
        return 3;
    case TCP_OPT_SACK_PERM:
        return 2;
    case TCP_OPT_SACK:
        return 2 + 8u * o->n;
    case TCP_OPT_TS:
        return 10;
    default:
        return 4 + o->data.n;
    }
}

bool sp_tcp_options(struct sp *p, struct script_packet *k)
{
    struct script_opt list[SCRIPT_OPTS_MAX];
    size_t bytes = 0;
    k->any_opts = sp_take(p, "...");
    if (k->any_opts && k->in)
        return sp_fail_at(p, span_of(p->last - 3, 3), "the options that are to be sent");
    if (k->any_opts || sp_take(p, ">"))
        return !k->any_opts || sp_need(p, ">");
    do {
        struct span word = sp_token(p);
        struct script_opt *o = &list[k->opts_n];
        *o = (struct script_opt){0};
        if (!option(p, o))
            return false;
        bytes += bytes_of(o);
        if (bytes > TCP_OPTS_MAX)
            return sp_fail_at(p, word, "at most 40 bytes of options");
        k->opts_n++;
    } while (sp_take(p, ","));
    if (!sp_need(p, ">"))
        return false;
    struct script_opt *kept = sp_alloc(p, k->opts_n * sizeof(*kept));
    if (!kept)
        return false;
    memcpy(kept, list, k->opts_n * sizeof(*kept));
    k->opts = kept;
    return true;
}
