/* Runner behind tests/unit/test.h. */
#include "test.h"

#include "oriel/oriel.h"

#define TESTS_MAX 512

static struct CMUnitTest tests[TESTS_MAX];
static size_t tests_n;

jmp_buf test_assert_jump;
volatile int test_assert_armed;

void test_register(const char *name, void (*run)(void **state))
{
    if (tests_n == TESTS_MAX) {
        fprintf(stderr, "more than %d tests in one file\n", TESTS_MAX);
        abort();
    }
    tests[tests_n++] = (struct CMUnitTest){.name = name, .test_func = run};
}

void oriel_assert_failed(const char *file, int line, const char *what)
{
    if (test_assert_armed)
        longjmp(test_assert_jump, 1);
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, what);
    abort();
}

void test_reason_seen(const char *kind, const char *name)
{
    const char *path = getenv("ORIEL_REASONS_OUT");
    if (!path)
        return;
    FILE *f = fopen(path, "a");
    if (!f) {
        fprintf(stderr, "cannot write %s\n", path);
        abort();
    }
    fprintf(f, "%s %s\n", kind, name);
    fclose(f);
}

int main(int argc, char **argv)
{
    (void)argc;
    setvbuf(stdout, NULL, _IOLBF, 0);           /* an abort must not swallow what was said */
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return _cmocka_run_group_tests(argv[0], tests, tests_n, NULL, NULL);
}
