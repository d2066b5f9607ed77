#include "test.h"

#include "lens/fields.h"
#include "lens/syntax.h"

TEST("every field has a name that finds it, and a label")
{
    for (unsigned i = F_NONE + 1; i < F_N; i++) {
        const struct field_info *f = field_info(i);
        EXPECT_EQ(field_find(span_str(f->name)), i);
        EXPECT(f->label[0] != '\0');
        EXPECT((f->type == FT_UINT) == (f->bits != 0));
    }
    EXPECT_EQ(field_find(span_str("ip.nothing")), F_NONE);
    EXPECT_EQ(field_find(span_str("")), F_NONE);
}

TEST("a name that stands for others has their type")
{
    for (unsigned i = F_NONE + 1; i < F_N; i++) {
        const struct field_info *f = field_info(i);
        if (f->also)
            EXPECT_EQ(field_info(f->also)->type, f->type);
    }
}

TEST("the nearest name is a slip of the hand away")
{
    EXPECT_EQ(field_nearest(span_str("ip.scr")), F_IP_SRC);
    EXPECT_EQ(field_nearest(span_str("udp.prot")), F_UDP_PORT);
    EXPECT_EQ(field_nearest(span_str("icmp.id")), F_ICMP_IDENT);
    EXPECT_EQ(field_nearest(span_str("http.request.method")), F_NONE);
}

TEST("values print as tshark writes them")
{
    char text[80];
    struct txt t = txt_of(text, sizeof text);
    struct field f = {.id = F_IP_ID, .value.u = 0x29a};
    field_print(&t, &f);
    txt_c(&t, ' ');
    f = (struct field){.id = F_IP_TTL, .value.u = 64};
    field_print(&t, &f);
    txt_c(&t, ' ');
    f = (struct field){.id = F_FRAME_TIME_RELATIVE, .value.u = 1500000000};
    field_print(&t, &f);
    txt_c(&t, ' ');
    f = (struct field){.id = F_IPV6_SRC, .value.addr = addr_v4(0x0a000001)};
    field_print(&t, &f);
    txt_c(&t, ' ');
    f = (struct field){.id = F_DATA_DATA, .value.bytes = span_str("ab")};
    field_print(&t, &f);
    txt_c(&t, ' ');
    f = (struct field){.id = F_UDP};
    field_print(&t, &f);
    EXPECT_STR(text, "0x029a 64 1.500000000 ::ffff:10.0.0.1 6162 udp");
}

TEST("edits between words are counted up to a limit")
{
    EXPECT_EQ(edit_distance(span_str("kitten"), span_str("sitting"), 9), 3);
    EXPECT_EQ(edit_distance(span_str("same"), span_str("same"), 0), 0);
    EXPECT_EQ(edit_distance(span_str(""), span_str("abc"), 5), 3);
    EXPECT_EQ(edit_distance(span_str("abcdef"), span_str("uvwxyz"), 2), 3);
    EXPECT_EQ(edit_distance(span_str("a"), span_str("abcdef"), 2), 3);
}

TEST("the first error of a line stays")
{
    struct syntax_error e = {0};
    EXPECT(!syntax_fail(&e, 4, span_str("x\ny"), "a number"));
    EXPECT(!syntax_fail(&e, 9, span_str("z"), "something else"));
    EXPECT_EQ(e.column, 4);
    EXPECT_STR(e.found, "`x?y`");
    char text[80];
    struct txt t = txt_of(text, sizeof text);
    syntax_error_print(&t, &e);
    EXPECT_STR(text, "column 4: found `x?y`, expected a number");
}
