/* What stands in the head of a program's file: a script's first line, ELF's program headers and notes. */
#define _GNU_SOURCE
#include "host/run_program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define LINE_MAX_BYTES 256          /* of a script's first line, as the kernel has it */
#define HEADERS_MAX    64
#define NOTES_MAX      4096
#define NOTE_GO_BUILD  4            /* name "Go": what its linker leaves in every program */

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#else
#define MACHINE EM_AARCH64
#endif

int program_find(const char *name, char path[PATH_MAX])
{
    const char *dirs = getenv("PATH");
    int err = -ENOENT;
    if (strchr(name, '/')) {
        (void)snprintf(path, PATH_MAX, "%s", name);
        return access(name, X_OK) == 0 ? 0 : -errno;
    }
    for (const char *end; dirs && *dirs; dirs = *end ? end + 1 : end) {
        struct stat st;
        end = strchrnul(dirs, ':');
        int n = snprintf(path, PATH_MAX, "%.*s/%s", (int)(end - dirs), dirs, name);
        if (n < 0 || n >= PATH_MAX || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
            continue;
        if (access(path, X_OK) == 0)
            return 0;
        err = -EACCES;
    }
    return err;
}

/* The interpreter that a script's first line names. */
static bool script_of(int fd, char to[PATH_MAX])
{
    char line[LINE_MAX_BYTES + 1];
    ssize_t n = pread(fd, line, LINE_MAX_BYTES, 0);
    if (n < 3 || memcmp(line, "#!", 2) != 0)
        return false;
    line[n] = '\0';
    char *from = line + 2 + strspn(line + 2, " \t");
    from[strcspn(from, " \t\r\n")] = '\0';
    (void)snprintf(to, PATH_MAX, "%s", from);
    return *from != '\0';
}

static bool notes_are_gos(int fd, const Elf64_Phdr *h)
{
    _Alignas(Elf64_Nhdr) uint8_t buf[NOTES_MAX];
    size_t n = h->p_filesz < sizeof(buf) ? (size_t)h->p_filesz : sizeof(buf);
    ssize_t got = pread(fd, buf, n, (off_t)h->p_offset);
    for (size_t at = 0; got > 0 && at + sizeof(Elf64_Nhdr) <= (size_t)got;) {
        Elf64_Nhdr note;
        memcpy(&note, buf + at, sizeof(note));
        at += sizeof(note);
        if (note.n_type == NOTE_GO_BUILD && note.n_namesz == 4 && at + 4 <= (size_t)got &&
            memcmp(buf + at, "Go\0", 4) == 0)
            return true;
        if (note.n_namesz > NOTES_MAX || note.n_descsz > NOTES_MAX)
            return false;
        at += (note.n_namesz + 3u) / 4 * 4 + (note.n_descsz + 3u) / 4 * 4;
    }
    return false;
}

static void look_at_headers(struct program *p, int fd, const Elf64_Ehdr *e)
{
    Elf64_Phdr h;
    for (unsigned i = 0; i < e->e_phnum && i < HEADERS_MAX; i++) {
        off_t at = (off_t)(e->e_phoff + (uint64_t)i * e->e_phentsize);
        if (pread(fd, &h, sizeof(h), at) != (ssize_t)sizeof(h))
            return;
        if (h.p_type == PT_NOTE)
            p->go = p->go || notes_are_gos(fd, &h);
        if (h.p_type == PT_INTERP) {
            size_t n = h.p_filesz < sizeof(p->loader) - 1 ? (size_t)h.p_filesz : sizeof(p->loader) - 1;
            ssize_t got = pread(fd, p->loader, n, (off_t)h.p_offset);
            p->loader[got > 0 ? got : 0] = '\0';
        }
    }
}

static void look_at_elf(struct program *p, int fd)
{
    Elf64_Ehdr e;
    if (pread(fd, &e, sizeof(e), 0) < (ssize_t)sizeof(Elf32_Ehdr) || memcmp(e.e_ident, ELFMAG, SELFMAG) != 0)
        return;
    p->elf = true;
    p->foreign = e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_machine != MACHINE;
    if (!p->foreign)
        look_at_headers(p, fd, &e);
}

static bool is_set_id(int fd)
{
    struct stat st;
    return (fstat(fd, &st) == 0 && (st.st_mode & (S_ISUID | S_ISGID))) ||
           fgetxattr(fd, "security.capability", NULL, 0) > 0;
}

/* Our own loader: the shim is of our C library. */
static void compare_library(struct program *p)
{
    struct program self = {.readable = true};
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    look_at_elf(&self, fd);
    close(fd);
    p->other_library = p->loader[0] && self.loader[0] && strcmp(p->loader, self.loader) != 0;
}

void program_look_at(struct program *p, int fd, const char *path)
{
    char next[PATH_MAX];
    *p = (struct program){.readable = fd >= 0};
    (void)snprintf(p->path, sizeof(p->path), "%s", path);
    int own = -1;
    for (int i = 0; i < PROGRAM_SCRIPTS_MAX && fd >= 0 && script_of(fd, next); i++) {
        p->script = true;
        (void)snprintf(p->path, sizeof(p->path), "%s", next);
        if (own >= 0)
            close(own);
        fd = own = open(next, O_RDONLY | O_CLOEXEC);
        p->readable = fd >= 0;
    }
    if (fd < 0)
        return;
    p->set_id = is_set_id(fd);
    look_at_elf(p, fd);
    compare_library(p);
    if (own >= 0)
        close(own);
}

void program_look(struct program *p, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    program_look_at(p, fd, path);
    if (fd >= 0)
        close(fd);
    else if (stat(path, &st) == 0)
        p->set_id = st.st_mode & (S_ISUID | S_ISGID);
}

bool program_mentions(const char *path, const char *text)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool found = false;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        void *all = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        found = all != MAP_FAILED && memmem(all, (size_t)st.st_size, text, strlen(text));
        if (all != MAP_FAILED)
            munmap(all, (size_t)st.st_size);
    }
    if (fd >= 0)
        close(fd);
    return found;
}

const char *program_shuts_out(const struct program *p)
{
    if (!p->readable || !p->elf)
        return NULL;
    if (p->foreign)
        return "is of another machine or word size";
    if (p->go)
        return "is a Go program, which makes its system calls by itself";
    if (!p->loader[0])
        return "is static";
    return p->other_library ? "is of another C library" : NULL;
}
