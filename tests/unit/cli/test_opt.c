#include "test.h"

#include "cli/opt.h"
#include "cli/verbs.h"

static const struct opt opts[] = {
    {.name = "read", .letter = 'r', .type = OPT_FILE, .arg = "FILE", .help = "Read FILE."},
    {.name = "count", .letter = 'c', .type = OPT_UINT, .arg = "N", .min = 1, .max = 1000,
     .def = "5", .help = "Stop after N."},
    {.name = "seed", .type = OPT_UINT, .arg = "N", .help = "Seed."},
    {.name = "format", .letter = 't', .type = OPT_CHOICE, .arg = "WHAT", .choices = "r|a|epoch",
     .help = "Format."},
    {.name = "wait", .letter = 'W', .type = OPT_DURATION, .arg = "TIME", .min = 1000000,
     .max = 60000000000, .help = "Wait."},
    {.name = "rate", .type = OPT_RATE, .arg = "RATE", .help = "Rate."},
    {.name = "size", .letter = 's', .type = OPT_SIZE, .arg = "BYTES", .help = "Size."},
    {.name = "loss", .type = OPT_PERCENT, .arg = "P", .help = "Loss."},
    {.name = "hex", .letter = 'x', .type = OPT_FLAG, .help = "Bytes."},
    {.name = "quiet", .letter = 'q', .type = OPT_FLAG, .help = "Quiet."},
    {.name = "why", .type = OPT_FLAG, .negatable = true, .def = "", .help = "Why."},
    {.name = "set", .type = OPT_TEXT, .arg = "K=V", .repeats = true, .help = "Set."},
};

static const struct operand operands[] = {
    {.name = "NAME", .help = "A name.", .min = 1, .max = 1},
    {.name = "FILTER", .help = "A filter.", .max = 2},
};

static const struct verb verb = {
    .name = "try", VERB_LIST(opts, opts), VERB_LIST(operands, operands)};

static const struct verb runner = {
    .name = "run", VERB_LIST(opts, opts),
    .operands = &(const struct operand){.name = "CMD", .help = "A command.", .min = 1},
    .operands_n = 1, .stops_at_operand = true};

static struct args args;
static char error[OPT_ERROR_MAX];

#define PARSE(...) parse_words(&verb, (const char *const[]){__VA_ARGS__, NULL})

static bool parse_words(const struct verb *v, const char *const *words)
{
    static char *argv[64];
    int n = 0;
    for (; words[n]; n++)
        argv[n] = (char *)(uintptr_t)words[n];
    error[0] = '\0';
    return opt_parse(&args, v, n, argv, error);
}

#define FAILS(message, ...)                                                                        \
    do {                                                                                           \
        EXPECT(!PARSE(__VA_ARGS__));                                                               \
        EXPECT_STR(error, message);                                                                \
    } while (0)

TEST("long options take their argument after a blank or after an equals sign")
{
    EXPECT(PARSE("n", "--count", "7", "--seed=42"));
    EXPECT_EQ(opt_u64(&args, "count"), 7);
    EXPECT_EQ(opt_u64(&args, "seed"), 42);
    EXPECT(PARSE("n", "--set=a=b"));
    EXPECT_STR(opt_text(&args, "set"), "a=b");
    EXPECT(PARSE("n", "--set="));
    EXPECT_STR(opt_text(&args, "set"), "");
}

TEST("short options take their argument in the same word or in the next")
{
    EXPECT(PARSE("n", "-c7"));
    EXPECT_EQ(opt_u64(&args, "count"), 7);
    EXPECT(PARSE("-c", "8", "n"));
    EXPECT_EQ(opt_u64(&args, "count"), 8);
}

TEST("flags stand in clusters, and the last of a cluster may take an argument")
{
    EXPECT(PARSE("n", "-xqc9"));
    EXPECT(opt_on(&args, "hex"));
    EXPECT(opt_on(&args, "quiet"));
    EXPECT_EQ(opt_u64(&args, "count"), 9);
    EXPECT(PARSE("n", "-xc", "10"));
    EXPECT_EQ(opt_u64(&args, "count"), 10);
}

TEST("what is not given has its default")
{
    EXPECT(PARSE("n"));
    EXPECT_EQ(opt_u64(&args, "count"), 5);
    EXPECT_EQ(opt_u64(&args, "seed"), 0);
    EXPECT(opt_text(&args, "read") == NULL);
    EXPECT_STR(opt_text(&args, "color"), "auto");
    EXPECT(!opt_on(&args, "hex"));
    EXPECT(opt_on(&args, "why"));
    EXPECT(!opt_given(&args, "why"));
}

TEST("a flag that can be negated is turned off by no-, and the last word counts")
{
    EXPECT(PARSE("n", "--no-why"));
    EXPECT(!opt_on(&args, "why"));
    EXPECT(PARSE("n", "--no-why", "--why"));
    EXPECT(opt_on(&args, "why"));
    FAILS("there is no option --no-hex", "n", "--no-hex");
    FAILS("option --no-why takes no argument", "n", "--no-why=1");
}

TEST("of an option given twice the last one counts, but each of a repeated one")
{
    EXPECT(PARSE("n", "-c1", "-c2", "--set", "a", "--set=b"));
    EXPECT_EQ(opt_u64(&args, "count"), 2);
    EXPECT_EQ(opt_times(&args, "set"), 2);
    EXPECT_STR(opt_nth(&args, "set", 0)->text, "a");
    EXPECT_STR(opt_nth(&args, "set", 1)->text, "b");
    EXPECT(opt_nth(&args, "set", 2) == NULL);
}

TEST("options and operands may be mixed")
{
    EXPECT(PARSE("name", "-x", "one", "-c", "3", "two"));
    EXPECT_EQ(args.operands_n, 3);
    EXPECT_STR(args.operands[0], "name");
    EXPECT_STR(args.operands[1], "one");
    EXPECT_STR(args.operands[2], "two");
    char joined[32];
    EXPECT(opt_join_operands(&args, joined, sizeof joined));
    EXPECT_STR(joined, "name one two");
    EXPECT(!opt_join_operands(&args, joined, 8));
}

TEST("two dashes end the options; one alone is an operand")
{
    EXPECT(PARSE("--", "-x", "--count"));
    EXPECT_EQ(args.operands_n, 2);
    EXPECT_STR(args.operands[0], "-x");
    EXPECT_STR(args.operands[1], "--count");
    EXPECT(!opt_on(&args, "hex"));
    EXPECT(PARSE("-", "-r", "-"));
    EXPECT_STR(args.operands[0], "-");
    EXPECT_STR(opt_text(&args, "read"), "-");
}

TEST("a verb that runs a command leaves the command's options alone")
{
    EXPECT(parse_words(&runner, (const char *const[]){"-x", "curl", "-q", "--count=9", NULL}));
    EXPECT(opt_on(&args, "hex"));
    EXPECT(!opt_on(&args, "quiet"));
    EXPECT_EQ(args.operands_n, 3);
    EXPECT_STR(args.operands[2], "--count=9");
    EXPECT(parse_words(&runner, (const char *const[]){"--", "curl", "-q", "--", "x", NULL}));
    EXPECT_EQ(args.operands_n, 4);
    EXPECT_STR(args.operands[2], "--");
}

TEST("an unknown option names the nearest one")
{
    FAILS("there is no option --cuont; did you mean --count?", "n", "--cuont", "5");
    FAILS("there is no option --see; did you mean --seed?", "n", "--see=5");
    FAILS("there is no option --quite; did you mean --quiet?", "n", "--quite");
    FAILS("there is no option --no-wy; did you mean --no-why?", "n", "--no-wy");
    FAILS("there is no option --helf; did you mean --help?", "n", "--helf");
    FAILS("there is no option --zebra", "n", "--zebra");
    FAILS("there is no option -z", "n", "-z");
    FAILS("there is no option -z", "n", "-xz");
    FAILS("there is no option -format; did you mean --format?", "n", "-format");
    FAILS("there is no option --", "n", "--=");
}

TEST("an argument that is missing is asked for by name")
{
    FAILS("option --read needs an argument: FILE", "n", "--read");
    FAILS("option --read needs an argument: FILE", "n", "-r");
    FAILS("option --read: '' is not the name of a file", "n", "--read=");
    FAILS("option --hex takes no argument", "n", "--hex=1");
}

TEST("numbers are whole, in bounds, and decimal or hexadecimal")
{
    EXPECT(PARSE("n", "--seed", "0xff"));
    EXPECT_EQ(opt_u64(&args, "seed"), 255);
    EXPECT(PARSE("n", "--seed", "18446744073709551615"));
    EXPECT(opt_u64(&args, "seed") == UINT64_MAX);
    FAILS("option --seed: '18446744073709551616' is not a whole number", "n",
          "--seed=18446744073709551616");
    FAILS("option --count: '0' is out of bounds: 1..1000", "n", "-c0");
    FAILS("option --count: '1001' is out of bounds: 1..1000", "n", "-c1001");
    FAILS("option --count: '-1' is not a whole number", "n", "-c-1");
    FAILS("option --count: '1.5' is not a whole number", "n", "-c", "1.5");
    FAILS("option --count: '' is not a whole number", "n", "--count=");
}

static uint64_t value(enum opt_type type, const char *text)
{
    const struct opt o = {.name = "o", .type = type, .arg = "X"};
    uint64_t v;
    return opt_value(&o, text, &v, error) ? v : UINT64_MAX;
}

TEST("durations have units and decimals, and are seconds alone")
{
    EXPECT_EQ(value(OPT_DURATION, "10s"), 10000000000);
    EXPECT_EQ(value(OPT_DURATION, "5ms"), 5000000);
    EXPECT_EQ(value(OPT_DURATION, "1.5s"), 1500000000);
    EXPECT_EQ(value(OPT_DURATION, "250us"), 250000);
    EXPECT_EQ(value(OPT_DURATION, "250\xc2\xb5s"), 250000);
    EXPECT_EQ(value(OPT_DURATION, "100ns"), 100);
    EXPECT_EQ(value(OPT_DURATION, "2m"), 120000000000);
    EXPECT_EQ(value(OPT_DURATION, "1h"), 3600000000000);
    EXPECT_EQ(value(OPT_DURATION, "0.2"), 200000000);
    EXPECT_EQ(value(OPT_DURATION, ".5"), 500000000);
    EXPECT_EQ(value(OPT_DURATION, "0"), 0);
    static const char *const bad[] = {"", "s", "1.5ns", "1..5s", "5x", "5 s", "-5s", "1e3s",
                                      "99999999999999999999s", "18446744074s", "."};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        EXPECT(value(OPT_DURATION, bad[i]) == UINT64_MAX);
    FAILS("option --wait: '5x' is not a duration such as 10s, 1.5s, 20ms or 250us", "n", "-W5x");
    FAILS("option --wait: '2m' is out of bounds: 1ms..1min", "n", "-W", "2m");
}

TEST("rates are in bits a second, in powers of a thousand")
{
    EXPECT_EQ(value(OPT_RATE, "10mbit"), 10000000);
    EXPECT_EQ(value(OPT_RATE, "1.5Gbit"), 1500000000);
    EXPECT_EQ(value(OPT_RATE, "64kbit"), 64000);
    EXPECT_EQ(value(OPT_RATE, "9600"), 9600);
    EXPECT(value(OPT_RATE, "10MB") == UINT64_MAX);
    EXPECT(value(OPT_RATE, "0.5bit") == UINT64_MAX);
    FAILS("option --rate: '10MB' is not a rate such as 9600bit, 64kbit, 10mbit or 1gbit", "n",
          "--rate=10MB");
}

TEST("sizes are in bytes, in powers of 1024")
{
    EXPECT_EQ(value(OPT_SIZE, "1500"), 1500);
    EXPECT_EQ(value(OPT_SIZE, "64k"), 65536);
    EXPECT_EQ(value(OPT_SIZE, "1.5K"), 1536);
    EXPECT_EQ(value(OPT_SIZE, "2MiB"), 2097152);
    EXPECT(value(OPT_SIZE, "64kB") == UINT64_MAX);
    EXPECT(value(OPT_SIZE, "0.3k") == UINT64_MAX);
}

TEST("percentages are parts in a million, and at most a hundred percent")
{
    EXPECT_EQ(value(OPT_PERCENT, "2%"), 20000);
    EXPECT_EQ(value(OPT_PERCENT, "0.5"), 5000);
    EXPECT_EQ(value(OPT_PERCENT, ".01%"), 100);
    EXPECT_EQ(value(OPT_PERCENT, "100%"), 1000000);
    FAILS("option --loss: '101%' is out of bounds: 0%..100%", "n", "--loss=101%");
    FAILS("option --loss: '0.00001%' is not a percentage such as 2% or 0.5%", "n", "--loss",
          "0.00001%");
}

TEST("a choice is one of its words, whole")
{
    EXPECT(PARSE("n", "-tepoch"));
    EXPECT_STR(opt_text(&args, "format"), "epoch");
    FAILS("option --format: 'e' is not one of r|a|epoch", "n", "-te");
    FAILS("option --format: 'r|a' is not one of r|a|epoch", "n", "-t", "r|a");
    FAILS("option --format: '' is not one of r|a|epoch", "n", "--format=");
}

TEST("too few and too many operands are named")
{
    FAILS("NAME is missing", "-x");
    FAILS("'four' is one word too many", "one", "two", "three", "four");
}

TEST("a required option that is missing is named")
{
    static const struct opt needed[] = {
        {.name = "read", .letter = 'r', .type = OPT_FILE, .arg = "FILE", .required = true,
         .help = "Read."}};
    static const struct verb v = {.name = "need", VERB_LIST(opts, needed)};
    EXPECT(!parse_words(&v, (const char *const[]){"--color=never", NULL}));
    EXPECT_STR(error, "-r FILE is missing");
    EXPECT(parse_words(&v, (const char *const[]){"-rx", NULL}));
}

TEST("help needs nothing else")
{
    EXPECT(PARSE("--help"));
    EXPECT(opt_on(&args, "help"));
    EXPECT(PARSE("-h"));
}

TEST("more options than can be kept are refused")
{
    static char *argv[OPT_GIVEN_MAX + 2];
    for (int i = 0; i < OPT_GIVEN_MAX + 2; i++)
        argv[i] = (char *)(uintptr_t)(i == 0 ? "n" : "-x");
    EXPECT(!opt_parse(&args, &verb, OPT_GIVEN_MAX + 2, argv, error));
    EXPECT_STR(error, "there are more than 128 options");
}

TEST("words of any length fit the message")
{
    static char word[5000];
    memset(word, 'a', sizeof word - 1);
    word[0] = word[1] = '-';
    EXPECT(!PARSE("n", word));
    EXPECT(strlen(error) < OPT_ERROR_MAX);
    word[1] = 'a';
    EXPECT(!PARSE("n", word));
    EXPECT(!PARSE("n", "-c", word + 2));
    EXPECT(!PARSE("n", "n", "n", word + 2));
    EXPECT(strlen(error) < OPT_ERROR_MAX);
}

TEST("the nearest word is one with few edits, or one that begins so")
{
    static const char *const words[] = {"dump", "ladder", "lab run", "ping"};
    EXPECT_STR(opt_nearest("dmp", words, 4), "dump");
    EXPECT_STR(opt_nearest("lader", words, 4), "ladder");
    EXPECT_STR(opt_nearest("la", words, 4), "ladder");
    EXPECT_STR(opt_nearest("pnig", words, 4), "ping");
    EXPECT(opt_nearest("x", words, 4) == NULL);
    EXPECT(opt_nearest("", words, 4) == NULL);
    EXPECT(opt_nearest("traceroute", words, 4) == NULL);
}

static const char *typed(enum opt_type type, uint64_t v)
{
    static char text[64];
    struct txt t = txt_of(text, sizeof text);
    opt_print_value(&t, type, v);
    return text;
}

TEST("values are written as they would be typed")
{
    EXPECT_STR(typed(OPT_DURATION, 10000000), "10ms");
    EXPECT_STR(typed(OPT_DURATION, 1500000000), "1500ms");
    EXPECT_STR(typed(OPT_DURATION, 7), "7ns");
    EXPECT_STR(typed(OPT_DURATION, 0), "0");
    EXPECT_STR(typed(OPT_RATE, 10000000), "10mbit");
    EXPECT_STR(typed(OPT_SIZE, 65536), "64k");
    EXPECT_STR(typed(OPT_SIZE, 1500), "1500");
    EXPECT_STR(typed(OPT_PERCENT, 20000), "2%");
    EXPECT_STR(typed(OPT_PERCENT, 5000), "0.5000%");
}

TEST("asking for an option that the verb has not is our mistake")
{
    EXPECT(PARSE("n"));
    EXPECT_ASSERTS((void)opt_on(&args, "nothing"));
    EXPECT_ASSERTS((void)opt_on(&args, "count"));
    EXPECT_ASSERTS((void)opt_u64(&args, "hex"));
}

TEST("a table that contradicts itself stops the program")
{
    static const struct opt twice[] = {{.name = "a", .type = OPT_FLAG, .help = "A."},
                                       {.name = "a", .type = OPT_FLAG, .help = "A."}};
    static const struct opt bounds[] = {
        {.name = "a", .type = OPT_UINT, .arg = "N", .def = "9", .max = 5, .help = "A."}};
    static const struct verb v1 = {.name = "v", VERB_LIST(opts, twice)};
    static const struct verb v2 = {.name = "v", VERB_LIST(opts, bounds)};
    EXPECT_ASSERTS(opt_check(&v1));
    EXPECT_ASSERTS(opt_check(&v2));
}
