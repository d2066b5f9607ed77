/* What a program's file says of itself: heads written here, byte by byte. */
#define _GNU_SOURCE
#include "test.h"

#include "host/run_program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#else
#define MACHINE EM_AARCH64
#endif

struct image {
    Elf64_Ehdr e;
    Elf64_Phdr interp, note;
    char loader[128];
    struct {
        Elf64_Nhdr h;
        char name[4];
        char text[4];
    } notes[2];
};

static char dir[] = "/tmp/oriel-program-XXXXXX";
static char at[64];

static void begin(void)
{
    memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
    EXPECT(mkdtemp(dir));
}

static const char *file(const char *name)
{
    (void)snprintf(at, sizeof(at), "%s/%s", dir, name);
    return at;
}

static void end(void)
{
    static const char *const names[] = {"program", "one", "loop", "none", "gone", "able", "unable"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(file(names[i]));
    EXPECT_EQ(rmdir(dir), 0);
}

static void put(const char *name, const void *bytes, size_t n, mode_t mode)
{
    int fd = open(file(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    EXPECT(fd >= 0);
    EXPECT_EQ(write(fd, bytes, n), n);
    EXPECT_EQ(fchmod(fd, mode), 0);
    close(fd);
}

/* Our own loader, so that it is that of this machine's C library. */
static struct image image(void)
{
    struct program self;
    program_look(&self, "/proc/self/exe");
    EXPECT(self.loader[0] != '\0');
    struct image i = {
        .e = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
              .e_type = ET_DYN, .e_machine = MACHINE, .e_phoff = offsetof(struct image, interp),
              .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2},
        .interp = {.p_type = PT_INTERP, .p_offset = offsetof(struct image, loader),
                   .p_filesz = sizeof(i.loader)},
        .note = {.p_type = PT_NOTE, .p_offset = offsetof(struct image, notes), .p_filesz = sizeof(i.notes)},
        .notes = {{{4, 4, NT_GNU_BUILD_ID}, "GNU", "abcd"}, {{4, 4, 4}, "Og", "abcd"}},
    };
    (void)snprintf(i.loader, sizeof(i.loader), "%s", self.loader);
    return i;
}

static struct program look(const struct image *i)
{
    struct program p;
    put("program", i, sizeof(*i), 0755);
    program_look(&p, file("program"));
    EXPECT(p.readable);
    return p;
}

TEST("what shuts the shim out is read from a program's head")
{
    begin();
    struct image i = image();
    struct program p = look(&i);
    EXPECT(p.elf && !p.go && !p.foreign && !p.other_library && !p.script && !p.set_id);
    EXPECT(!program_shuts_out(&p));

    i.e.e_phnum = 0;
    p = look(&i);
    EXPECT_STR(program_shuts_out(&p), "is static");

    i = image();
    memcpy(i.loader, "/lib/ld-musl.so", 16);
    p = look(&i);
    EXPECT(p.other_library);
    EXPECT_STR(program_shuts_out(&p), "is of another C library");

    i = image();
    memcpy(i.notes[1].name, "Go\0", 4);
    p = look(&i);
    EXPECT(p.go);
    EXPECT(strstr(program_shuts_out(&p), "Go program"));

    i = image();
    i.e.e_ident[EI_CLASS] = ELFCLASS32;
    p = look(&i);
    EXPECT(p.foreign);
    EXPECT(strstr(program_shuts_out(&p), "word size"));
    i = image();
    i.e.e_machine = EM_MIPS;
    p = look(&i);
    EXPECT(p.foreign);
    end();
}

TEST("offsets and lengths that lead nowhere tell nothing and reach nothing")
{
    begin();
    struct image i = image();
    i.note.p_offset = UINT64_MAX - 5;
    i.interp.p_offset = 1 << 30;
    struct program p = look(&i);
    EXPECT_STR(p.loader, "");
    i = image();
    i.interp.p_filesz = UINT64_MAX;
    i.notes[0].h.n_descsz = UINT32_MAX - 2;
    p = look(&i);
    EXPECT(!p.go);
    i = image();
    i.e.e_phoff = UINT64_MAX;
    i.e.e_phnum = UINT16_MAX;
    (void)look(&i);
    for (size_t n = 0; n < sizeof(i); n++) {
        i = image();
        put("program", &i, n, 0755);
        program_look(&p, file("program"));
        EXPECT(p.elf == (n >= sizeof(Elf32_Ehdr)));
    }
    end();
}

TEST("of a script, its interpreter is looked at")
{
    begin();
    struct image i = image();
    struct program p;
    char text[128], last[64];
    put("program", &i, sizeof(i), 0755);
    (void)snprintf(last, sizeof(last), "%s", file("program"));
    int n = snprintf(text, sizeof(text), "#! \t%s -x\necho\n", last);
    put("one", text, (size_t)n, 0755);
    program_look(&p, file("one"));
    EXPECT(p.script && p.elf);
    EXPECT_STR(p.path, last);
    n = snprintf(text, sizeof(text), "#!%s", file("loop"));
    put("loop", text, (size_t)n, 0755);
    program_look(&p, file("loop"));
    EXPECT(p.script && !p.elf);
    put("none", "#!\n", 3, 0755);
    program_look(&p, file("none"));
    EXPECT(!p.script);
    put("gone", "#!/nowhere/at/all\n", 18, 0755);
    program_look(&p, file("gone"));
    EXPECT(p.script && !p.readable);
    EXPECT(!program_shuts_out(&p));
    end();
}

TEST("a program is found as execvp finds it")
{
    begin();
    char path[PATH_MAX], *before = getenv("PATH"), *dirs, *keep = before ? strdup(before) : NULL;
    struct image i = image();
    struct program p;
    put("able", &i, sizeof(i), 04755);
    put("unable", &i, sizeof(i), 0644);
    EXPECT(asprintf(&dirs, "/nowhere::%s", dir) > 0);
    EXPECT_EQ(setenv("PATH", dirs, 1), 0);
    EXPECT_EQ(program_find("able", path), 0);
    EXPECT_STR(path, file("able"));
    EXPECT_EQ(program_find("unable", path), -EACCES);
    EXPECT_EQ(program_find("missing", path), -ENOENT);
    EXPECT_EQ(program_find("/nowhere/missing", path), -ENOENT);
    program_look(&p, file("able"));
    EXPECT(p.set_id);
    EXPECT(program_mentions(file("able"), "GNU"));
    EXPECT(!program_mentions(file("able"), "liburing.so"));
    EXPECT(!program_mentions("/nowhere", "x"));
    if (keep)
        (void)setenv("PATH", keep, 1);
    free(keep);
    free(dirs);
    end();
}
