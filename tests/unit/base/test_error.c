/* Sentences for errors, and the default handler of a failed assertion. */
#define _POSIX_C_SOURCE 200809L

#include "test.h"

/* The runner has a handler of its own; the default one is tested under another name. */
#define oriel_assert_failed default_assert_failed
#include "base/error.c"
#undef oriel_assert_failed

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define ERR_LAST ORIEL_ECONNABORTED

static const char unnamed[] = "an error without a name";

TEST("every error has a sentence of its own")
{
    for (int a = ORIEL_OK; a >= ERR_LAST; a--) {
        EXPECT(oriel_strerror(a) != NULL);
        EXPECT(strlen(oriel_strerror(a)) > 0);
        EXPECT(strcmp(oriel_strerror(a), unnamed) != 0);
        for (int b = ORIEL_OK; b > a; b--)
            EXPECT(strcmp(oriel_strerror(a), oriel_strerror(b)) != 0);
    }
}

TEST("a number that is no error has a sentence too")
{
    EXPECT_STR(oriel_strerror(ERR_LAST - 1), unnamed);
    EXPECT_STR(oriel_strerror(INT32_MIN), unnamed);
}

TEST("a positive result is a success")
{
    EXPECT_STR(oriel_strerror(0), "success");
    EXPECT_STR(oriel_strerror(1), "success");
    EXPECT_STR(oriel_strerror(INT32_MAX), "success");
}

TEST("without a handler of the host's, a failed assertion kills the process")
{
    fflush(NULL);
    pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        signal(SIGILL, SIG_DFL);
        signal(SIGTRAP, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        default_assert_failed("file.c", 1, "false");
    }
    int status = 0;
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(WIFSIGNALED(status));
}
