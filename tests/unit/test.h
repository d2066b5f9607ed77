/*
 * Tests with sentences for names, on cmocka.
 *
 *     TEST("a short header is dropped and names the field")
 *     {
 *         EXPECT_EQ(parse(...), 0);
 *     }
 *
 * Each file is a program; tests/unit/test.c holds main(), which runs the file's tests in the order
 * in which they stand and prints TAP. COVERS("1122-3.2.1.1") inside a test names the requirement
 * (docs/requirements.md) that it shows; docs/RFC.md is made from these.
 */
#ifndef ORIEL_TESTS_TEST_H
#define ORIEL_TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void test_register(const char *name, void (*run)(void **state));

#define TEST_CAT2(a, b) a##b
#define TEST_CAT(a, b)  TEST_CAT2(a, b)

#define TEST(sentence)                                                                             \
    static void TEST_CAT(test_at_line_, __LINE__)(void **state);                                   \
    __attribute__((constructor)) static void TEST_CAT(test_add_, __LINE__)(void)                   \
    {                                                                                              \
        test_register(sentence, TEST_CAT(test_at_line_, __LINE__));                                \
    }                                                                                              \
    static void TEST_CAT(test_at_line_, __LINE__)(void **state __attribute__((unused)))

#define COVERS(ids) ((void)(ids))

#define EXPECT(x)        assert_true(x)
#define EXPECT_EQ(a, b)  assert_int_equal((a), (b))
#define EXPECT_STR(a, b) assert_string_equal((a), (b))
#define EXPECT_MEM(a, b, n) assert_memory_equal((a), (b), (n))

/* An assertion of the core is expected to fire inside `statement`. */
#define EXPECT_ASSERTS(statement)                                                                  \
    do {                                                                                           \
        test_assert_armed = 1;                                                                     \
        if (setjmp(test_assert_jump) == 0) {                                                       \
            statement;                                                                             \
            test_assert_armed = 0;                                                                 \
            fail_msg("no assertion fired in: %s", #statement);                                     \
        }                                                                                          \
        test_assert_armed = 0;                                                                     \
    } while (0)

extern jmp_buf test_assert_jump;
extern volatile int test_assert_armed;

/*
 * Reasons: a test that expects a why or a drop names it through these; the names go to the file
 * in ORIEL_REASONS_OUT, and the gate (tools/reasons.py) fails for rows that nobody named.
 */
void test_reason_seen(const char *kind, const char *name);

#endif
