/* Labels for arrows. */
#include "lens/label.h"

#include "wire/tcp.h"

/* Protocol and information column, with single spaces. */
static void print_columns(struct txt *t, const struct dissection *d)
{
    bool blank = true;
    txt_s(t, d->proto);
    txt_c(t, ' ');
    for (const char *c = d->info; *c != '\0'; c++) {
        if (*c != ' ' || !blank)
            txt_c(t, *c);
        blank = *c == ' ';
    }
}

static uint64_t value(const struct dissection *d, enum field_id id, enum field_id otherwise)
{
    const struct field *f = dissection_first(d, id);
    f = f ? f : dissection_first(d, otherwise);
    return f ? f->value.u : 0;
}

static void print_number(struct txt *t, const char *name, uint64_t v)
{
    txt_s(t, name);
    txt_u(t, v);
}

/* "[SYN, ACK]" of the column without brackets and blanks. */
static void print_flags(struct txt *t, const struct dissection *d)
{
    for (unsigned i = 1; i + 1 < d->flags_n; i++)
        if (d->info[d->flags_at + i] != ' ')
            txt_c(t, d->info[d->flags_at + i]);
}

static void print_blocks(struct txt *t, const struct dissection *d)
{
    const struct field *left = NULL, *right = NULL;
    const char *before = " SACK=";
    for (;;) {
        left = dissection_next(d, F_TCP_OPTIONS_SACK_LE, left);
        right = dissection_next(d, F_TCP_OPTIONS_SACK_RE, right);
        if (!left || !right)
            return;
        print_number(t, before, left->value.u);
        print_number(t, "-", right->value.u);
        before = ",";
    }
}

/* What stands between brackets in front of the ports: "[TCP Retransmission] ". */
static void print_remarks(struct txt *t, const struct dissection *d)
{
    static const char tcp[] = "[TCP ";
    for (const char *c = d->info; strncmp(c, tcp, sizeof(tcp) - 1) == 0;) {
        const char *end = strchr(c, ']');
        if (!end)
            return;
        txt_s(t, " [");
        txt_span(t, span_of(c + sizeof(tcp) - 1, (size_t)(end - c) - (sizeof(tcp) - 2)));
        c = end[1] == ' ' ? end + 2 : end + 1;
    }
}

static void print_tcp(struct txt *t, const struct dissection *d)
{
    uint64_t flags = value(d, F_TCP_FLAGS, F_TCP_FLAGS);
    uint64_t len = value(d, F_TCP_LEN, F_TCP_LEN);
    uint64_t stream = value(d, F_TCP_STREAM, F_TCP_STREAM);
    if (stream > 0) {
        print_number(t, "#", stream);
        txt_c(t, ' ');
    }
    print_flags(t, d);
    print_number(t, " Seq=", value(d, F_TCP_SEQ, F_TCP_SEQ_RAW));
    if (flags & TCP_ACK)
        print_number(t, " Ack=", value(d, F_TCP_ACK, F_TCP_ACK_RAW));
    print_blocks(t, d);
    if ((flags & TCP_SYN) || (len == 0 && !(flags & TCP_RST)))
        print_number(t, " Win=", value(d, F_TCP_WINDOW_SIZE, F_TCP_WINDOW_SIZE_VALUE));
    if (len > 0)
        print_number(t, " Len=", len);
    print_remarks(t, d);
}

void label_print(struct txt *t, const struct dissection *d)
{
    if (d->flags_n > 0 && strcmp(d->proto, "TCP") == 0)
        print_tcp(t, d);
    else
        print_columns(t, d);
}
