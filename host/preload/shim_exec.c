/*
 * What a program starts: the shim goes along, whatever environment it is given. Where one lacks us, the call
 * gets another, in memory of its own, since it may be made between vfork and exec. Before, Oriel is told what
 * is about to be executed: a program that the shim cannot get into will be stopped at its first socket.
 */
#define _GNU_SOURCE
#include "host/preload/shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARGS_MAX 1024               /* of execl and its like */
#define LOADER "LD_PRELOAD="
#define SIGN   PRELOAD_ENV "="

typedef int exec_fn(const char *, char *const[], char *const[]);
typedef int spawn_fn(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                     char *const[], char *const[]);

static char library[PATH_MAX], sign[sizeof(SIGN) + PRELOAD_KEY_DIGITS];
static exec_fn *next_execve, *next_execvpe;
static spawn_fn *next_spawn, *next_spawnp;
static int (*next_fexecve)(int, char *const[], char *const[]);
static int (*next_execveat)(int, const char *, char *const[], char *const[], int);
static int (*next_system)(const char *);
static FILE *(*next_popen)(const char *, const char *);

static void find(const char *name, void *out)
{
    void *p = dlsym(RTLD_NEXT, name);
    memcpy(out, &p, sizeof(p));
}

static void find_all(void)
{
    if (next_execve)
        return;
    find("execvpe", &next_execvpe);
    find("posix_spawn", &next_spawn);
    find("posix_spawnp", &next_spawnp);
    find("fexecve", &next_fexecve);
    find("execveat", &next_execveat);
    find("system", &next_system);
    find("popen", &next_popen);
    find("execve", &next_execve);
}

void shim_exec_start(const char *digits)
{
    Dl_info here;
    find_all();
    if (dladdr(library, &here) == 0 || strlen(here.dli_fname) >= sizeof(library))
        return;
    (void)stpcpy(library, here.dli_fname);
    (void)stpcpy(stpcpy(sign, SIGN), digits);
}

/* ---- the environment ---- */

/* Memory of one call's environment; NULL: the one that was given has all. */
struct env {
    char **all;
    size_t size;
};

static bool starts(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

static char *const nothing[] = {NULL};

static void env_make(struct env *e, char *const given[])
{
    const char *loads = NULL;
    bool signed_ = false;
    size_t n = 0;
    e->all = NULL;
    for (; given[n]; n++) {
        if (starts(given[n], LOADER))
            loads = given[n] + sizeof(LOADER) - 1;
        signed_ = signed_ || strcmp(given[n], sign) == 0;
    }
    if (!shim.key || (signed_ && loads && strstr(loads, library)))
        return;
    size_t text = sizeof(LOADER) + strlen(library) + 1 + (loads ? strlen(loads) : 0);
    e->size = (n + 3) * sizeof(char *) + text;
    long at = raw(SYS_mmap, 0, (long)e->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at < 0 && at > -4096)
        return;
    e->all = (char **)at;
    char *line = (char *)(e->all + n + 3), *end = stpcpy(stpcpy(line, LOADER), library);
    if (loads && *loads)
        (void)stpcpy(stpcpy(end, ":"), loads);
    size_t k = 0;
    e->all[k++] = line;
    e->all[k++] = sign;
    for (size_t i = 0; i < n; i++)
        if (!starts(given[i], LOADER) && !starts(given[i], SIGN))
            e->all[k++] = given[i];
    e->all[k] = NULL;
}

static char *const *env_of(struct env *e, char *const given[])
{
    env_make(e, given ? given : nothing);
    return e->all ? e->all : given;
}

static int env_end(struct env *e, int result)
{
    if (e->all)
        (void)raw(SYS_munmap, to_long(e->all), (long)e->size, 0, 0, 0, 0);
    return result;
}

/* Of this process, for what libc starts by itself. */
static void sign_environ(void)
{
    const char *loads = getenv("LD_PRELOAD");
    if (!shim.key)
        return;
    if (!loads || !strstr(loads, library))
        (void)setenv("LD_PRELOAD", library, 1);
    (void)setenv(PRELOAD_ENV, sign + sizeof(SIGN) - 1, 1);
}

/* ---- telling ---- */

static void tell(const char *path)
{
    if (!shim.key)
        return;
    long fd = raw(SYS_openat, AT_FDCWD, to_long(path), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0, 0, 0);
    if (fd < 0)
        return;
    shim_tell_exec((int)fd, path, strlen(path));
    (void)raw(SYS_close, fd, 0, 0, 0, 0, 0);
}

/* The same for a name without a slash: where PATH has it first. */
static void tell_named(const char *name)
{
    char path[PATH_MAX];
    const char *dirs = getenv("PATH");
    if (strchr(name, '/')) {
        tell(name);
        return;
    }
    for (const char *end; dirs && *dirs; dirs = *end ? end + 1 : end) {
        end = strchrnul(dirs, ':');
        size_t n = (size_t)(end - dirs);
        if (n == 0 || n + strlen(name) + 2 > sizeof(path))
            continue;
        memcpy(path, dirs, n);
        path[n] = '/';
        (void)stpcpy(path + n + 1, name);
        if (raw(SYS_faccessat, AT_FDCWD, to_long(path), X_OK, 0, 0, 0) == 0) {
            tell(path);
            return;
        }
    }
}

/* ---- the calls ---- */

EXPORTED int execve(const char *path, char *const argv[], char *const envp[])
{
    struct env e;
    find_all();
    tell(path);
    return env_end(&e, next_execve(path, argv, env_of(&e, envp)));
}

EXPORTED int execvpe(const char *name, char *const argv[], char *const envp[])
{
    struct env e;
    find_all();
    tell_named(name);
    return env_end(&e, next_execvpe(name, argv, env_of(&e, envp)));
}

EXPORTED int execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}

EXPORTED int execvp(const char *name, char *const argv[])
{
    return execvpe(name, argv, environ);
}

EXPORTED int fexecve(int fd, char *const argv[], char *const envp[])
{
    struct env e;
    find_all();
    return env_end(&e, next_fexecve(fd, argv, env_of(&e, envp)));
}

EXPORTED int execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
    struct env e;
    find_all();
    return env_end(&e, next_execveat(dir, path, argv, env_of(&e, envp), flags));
}

/* The arguments up to NULL, the first among them. False: too many. */
static bool collect(char *argv[ARGS_MAX], const char *first, va_list *rest)
{
    size_t n = 0;
    for (const char *a = first; n < ARGS_MAX; a = va_arg(*rest, const char *)) {
        argv[n++] = (char *)(uintptr_t)a;
        if (!a)
            return true;
    }
    errno = E2BIG;
    return false;
}

EXPORTED int execl(const char *path, const char *arg, ...)
{
    char *argv[ARGS_MAX];
    va_list rest;
    va_start(rest, arg);
    bool fits = collect(argv, arg, &rest);
    va_end(rest);
    return fits ? execve(path, argv, environ) : -1;
}

EXPORTED int execlp(const char *name, const char *arg, ...)
{
    char *argv[ARGS_MAX];
    va_list rest;
    va_start(rest, arg);
    bool fits = collect(argv, arg, &rest);
    va_end(rest);
    return fits ? execvpe(name, argv, environ) : -1;
}

EXPORTED int execle(const char *path, const char *arg, ...)
{
    char *argv[ARGS_MAX];
    va_list rest;
    va_start(rest, arg);
    bool fits = collect(argv, arg, &rest);
    char *const *envp = fits ? va_arg(rest, char *const *) : NULL;
    va_end(rest);
    return fits ? execve(path, argv, envp) : -1;
}

EXPORTED int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                         const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
    struct env e;
    find_all();
    tell(path);
    return env_end(&e, next_spawn(pid, path, actions, attr, argv, env_of(&e, envp)));
}

EXPORTED int posix_spawnp(pid_t *pid, const char *name, const posix_spawn_file_actions_t *actions,
                          const posix_spawnattr_t *attr, char *const argv[], char *const envp[])
{
    struct env e;
    find_all();
    tell_named(name);
    return env_end(&e, next_spawnp(pid, name, actions, attr, argv, env_of(&e, envp)));
}

EXPORTED int system(const char *command)
{
    find_all();
    sign_environ();
    return next_system(command);
}

EXPORTED FILE *popen(const char *command, const char *type)
{
    find_all();
    sign_environ();
    return next_popen(command, type);
}
