/*
 * Frames for the comparison with tshark: reads lines of the frame language, writes those of one
 * link type as a plain pcap, and prints what our dissector finds in them.
 *
 *     crafted FRAMES eth|raw|talk OUT.pcap [FILTERS]
 *
 * `talk` takes the frames as what one observer saw, each in the light of those before: a line that
 * begins with +N comes N microseconds after the one before it, others a second.
 *
 * Output, one line a value: the frame's number, a tab, the field's name, a tab, the value. The
 * columns appear as _src _dst _proto _info, the line itself as _line, and as _filter every line of
 * FILTERS that matches the frame.
 */
#include "lab/craft.h"
#include "lens/filter.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE_MAX_BYTES 4096
#define FILTERS_MAX    256

static uint8_t frame[CRAFT_FRAME_MAX];
static struct dissection seen;
static char value[8 * CRAFT_FRAME_MAX];
static char filter_text[FILTERS_MAX][256];
static struct filter filters[FILTERS_MAX];
static unsigned filters_n;
static struct conversations conversations;
static uint64_t now_us, before_us, first_us;

static void put32(FILE *f, uint32_t v)
{
    fwrite(&v, sizeof v, 1, f);
}

static void write_header(FILE *f, uint32_t link)
{
    put32(f, 0xa1b23c4d);           /* nanoseconds, our byte order */
    put32(f, 2u | 4u << 16);
    put32(f, 0);
    put32(f, 0);
    put32(f, 262144);
    put32(f, link);
}

static void print_value(unsigned n, const char *name, const char *text)
{
    printf("%u\t%s\t", n, name);
    for (; *text; text++)
        putchar(*text == '\n' || *text == '\t' ? ' ' : *text);
    putchar('\n');
}

static void print_field(unsigned n, const struct field *f)
{
    const struct field_info *info = field_info(f->id);
    struct txt t = txt_of(value, sizeof value);
    field_print(&t, f);
    print_value(n, info->name, value);
    if (info->also)
        print_value(n, field_info(info->also)->name, value);
}

static void print_frame(unsigned n, const char *line)
{
    for (uint32_t i = 0; i < seen.n; i++)
        print_field(n, &seen.fields[i]);
    print_value(n, "_src", seen.src);
    print_value(n, "_dst", seen.dst);
    print_value(n, "_proto", seen.proto);
    print_value(n, "_info", seen.info);
    print_value(n, "_line", line);
    for (unsigned i = 0; i < filters_n; i++)
        if (filter_match(&filters[i], &seen))
            print_value(n, "_filter", filter_text[i]);
}

static void stop(const char *line, const struct syntax_error *err)
{
    struct txt t = txt_of(value, sizeof value);
    syntax_error_print(&t, err);
    fprintf(stderr, "crafted: %s\n    %s\n", value, line);
    exit(1);
}

static void read_filters(const char *path)
{
    FILE *in = fopen(path, "r");
    if (!in) {
        perror(path);
        exit(1);
    }
    while (filters_n < FILTERS_MAX && fgets(filter_text[filters_n], sizeof filter_text[0], in)) {
        char *line = filter_text[filters_n];
        line[strcspn(line, "\n")] = '\0';
        struct syntax_error err;
        if (line[0] == '#' || line[0] == '\0')
            continue;
        if (!filter_compile(span_str(line), &filters[filters_n], &err))
            stop(line, &err);
        filters_n++;
    }
    fclose(in);
}

/* The time of a frame, from the +N in front of its line. */
static const char *take_time(unsigned n, const char *line)
{
    uint64_t gap = 1000000;
    if (line[0] == '+') {
        char *end;
        gap = strtoull(line + 1, &end, 10);
        line = end + strspn(end, " ");
    }
    before_us = n > 1 ? now_us : gap;
    now_us = n > 1 ? now_us + gap : gap;
    if (n == 1)
        first_us = now_us;
    return line;
}

static void one_line(unsigned n, const char *line, uint32_t link, bool talk, FILE *out)
{
    struct wr w = wr_of(frame, sizeof frame);
    struct syntax_error err;
    line = take_time(n, line);
    if (!craft(span_str(line), &w, &err))
        stop(line, &err);
    uint32_t len = (uint32_t)wr_len(&w);
    put32(out, (uint32_t)(now_us / 1000000));
    put32(out, (uint32_t)(now_us % 1000000 * 1000));
    put32(out, len);
    put32(out, len);
    fwrite(frame, 1, len, out);
    struct lens_frame f = {
        .link = link,
        .bytes = wr_span(&w),
        .number = n,
        .time = now_us * 1000,
        .time_first = first_us * 1000,
        .time_before = before_us * 1000,
        .conversations = talk ? &conversations : NULL,
    };
    dissect(&f, &seen);
    print_frame(n, line);
}

int main(int argc, char **argv)
{
    if (argc < 4 || argc > 5) {
        fprintf(stderr, "usage: crafted FRAMES eth|raw|talk OUT.pcap [FILTERS]\n");
        return 2;
    }
    if (argc == 5)
        read_filters(argv[4]);
    bool talk = strcmp(argv[2], "talk") == 0;
    bool eth = talk || strcmp(argv[2], "eth") == 0;
    FILE *in = fopen(argv[1], "r");
    FILE *out = fopen(argv[3], "wb");
    if (!in || !out) {
        perror("crafted");
        return 1;
    }
    write_header(out, eth ? LENS_ETHERNET : LENS_RAW);
    char line[LINE_MAX_BYTES];
    unsigned n = 0;
    while (fgets(line, sizeof line, in)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || line[0] == '\0' ||
            (!talk && craft_is_ethernet(span_str(line)) != eth))
            continue;
        one_line(++n, line, eth ? LENS_ETHERNET : LENS_RAW, talk, out);
    }
    fclose(in);
    return fclose(out) == 0 ? 0 : 1;
}
