#!/bin/sh
# The library by itself: it links, it runs, it shows nothing but oriel_*, it can be installed.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
root=$(cd "$here/../.." && pwd)
build=$(cd "$(dirname "$ORIEL")" && pwd)
says_why="33 bytes leave: the application sent a datagram (UDP_DATA)"
strict="-std=c11 -Wall -Wextra -Wpedantic -Werror -I$root/include"

# ---- the document and the program ----

in_document()
{
    awk '/^```c$/ && !done { on = 1; next } /^```$/ && on { on = 0; done = 1 } on' \
        "$root/docs/embedding.md" | diff "$root/examples/embed.c" -
}
check "docs/embedding.md has the program word for word" in_document
check "and what it prints" says "$root/docs/embedding.md" "$says_why"

# ---- both libraries, both compilers ----

runs()
{
    LD_LIBRARY_PATH=$build "$1" > "$tmp/answer" && [ "$(cat "$tmp/answer")" = "$says_why" ]
}
for cc in gcc clang; do
    if ! have $cc; then
        skip "$cc compiles the program" "no $cc"
        continue
    fi
    # shellcheck disable=SC2086    # words on purpose, here and below
    check "$cc compiles the program against the archive" \
        $cc $strict "$root/examples/embed.c" "$build/liboriel.a" -o "$tmp/embed-a-$cc"
    check "which answers one packet, and says why" runs "$tmp/embed-a-$cc"
    # shellcheck disable=SC2086
    check "$cc compiles it against the shared library" \
        $cc $strict "$root/examples/embed.c" "$build/liboriel.so" -o "$tmp/embed-so-$cc"
    check "which does the same" runs "$tmp/embed-so-$cc"
    if have readelf; then
        readelf -d "$tmp/embed-so-$cc" > "$tmp/needed"
        check "and asks for it by its versioned name" says "$tmp/needed" "[liboriel.so.0]"
    else
        skip "and asks for it by its versioned name" "no readelf"
    fi
done

# ---- what can be seen from outside ----

only_oriel()
{
    nm "$@" --defined-only | awk 'NF == 3 && $3 !~ /^oriel_/ { print "visible:", $3; bad = 1 }
                                  NF == 3 { n++ } END { exit bad || n < 50 }'
}
no_system()
{
    nm --undefined-only "$build/liboriel.a" |
        awk '$1 == "U" && $2 !~ /^(mem(chr|cmp|cpy|move|set)|str(chr|cmp|len))$/ &&
             $2 != "_GLOBAL_OFFSET_TABLE_" { print "needed:", $2; bad = 1 } END { exit bad }'
}
# Sanitizers bring names and needs of their own.
if have nm && ! nm "$build/liboriel.a" 2> /dev/null | grep -q __asan_init; then
    check "the archive shows only oriel_*" only_oriel -g "$build/liboriel.a"
    check "so does the shared library" only_oriel -D "$build/liboriel.so"
    check "and they need nothing but string.h" no_system
    check "the archive of sockets shows only oriel_*" only_oriel -g "$build/liboriel-posix.a"
    check "so does its shared library" only_oriel -D "$build/liboriel-posix.so"
else
    skip "only oriel_* is visible" "no nm, or a build with sanitizers"
fi
if have readelf; then
    readelf -d "$build/liboriel.so" > "$tmp/dynamic"
    check "the shared library's name is liboriel.so.0" says "$tmp/dynamic" "soname: [liboriel.so.0]"
else
    skip "the shared library's name is liboriel.so.0" "no readelf"
fi

# ---- programs that do not fit, or make mistakes ----

cat > "$tmp/wrong.c" << 'END'
#include <oriel/oriel.h>
#include <stdio.h>
#include <stdlib.h>

void oriel_assert_failed(const char *file, int line, const char *what)
{
    (void)file;
    (void)line;
    printf("ours: %s\n", what);
    exit(3);
}

static uint8_t memory[2 << 20];

int main(void)
{
    struct oriel_config cfg;
    oriel_config_init(&cfg);
    cfg.memory = memory;
    cfg.memory_bytes = sizeof(memory);
    for (cfg.version = 0; cfg.version < 4; cfg.version++)
        if ((oriel_create(&cfg) != NULL) != (cfg.version == ORIEL_CONFIG_VERSION))
            return 1;
    cfg.version = ORIEL_CONFIG_VERSION;
    cfg.memory_bytes = oriel_memory_min(0) / 2;
    if (oriel_create(&cfg))
        return 2;
    cfg.memory_bytes = sizeof(memory);
    struct oriel_stack *s = oriel_create(&cfg);
    oriel_step(s, 5, NULL);
    oriel_step(s, 4, NULL);
    return 0;
}
END
cc=gcc
have gcc || cc=clang
for lib in a so; do
    # shellcheck disable=SC2086
    check "a program with wrong ideas compiles (.$lib)" \
        $cc $strict "$tmp/wrong.c" "$build/liboriel.$lib" -o "$tmp/wrong-$lib"
    LD_LIBRARY_PATH=$build "$tmp/wrong-$lib" > "$tmp/said" 2>&1
    status=$?
    check "another version of the configuration is refused, and so is too little memory (.$lib)" \
        [ $status -ne 1 -a $status -ne 2 ]
    check "a step into the past ends in the program's own handler (.$lib)" \
        [ $status -eq 3 -a "$(cat "$tmp/said")" = "ours: now >= s->env.now" ]
done

printf '%s\n' '#include <oriel/oriel.h>' '#include <oriel/posix.h>' > "$tmp/header.cc"
echo 'int main() { return oriel_strerror(0) == 0; }' >> "$tmp/header.cc"
if have g++; then
    check "C++ can include the header" \
        g++ -std=c++11 -Wall -Wextra -pedantic -Werror -fsyntax-only -I"$root/include" "$tmp/header.cc"
    check "and link the library" \
        g++ -std=c++11 -I"$root/include" "$tmp/header.cc" "$build/liboriel.a" -o "$tmp/header"
    check "and run" "$tmp/header"
else
    skip "C++ can include the header" "no g++"
fi

# ---- installed ----

at=$tmp/root
check "make install" make -s -C "$root" install DESTDIR="$at" PREFIX=/usr
version=$(sed -n 's/^#define ORIEL_VERSION "\(.*\)"/\1/p' "$root/include/oriel/oriel.h")
for file in bin/oriel lib/liboriel.a "lib/liboriel.so.$version" lib/liboriel.so.0 lib/liboriel.so \
    lib/liboriel-posix.a "lib/liboriel-posix.so.$version" lib/liboriel-posix.so.0 lib/liboriel-posix.so \
    include/oriel/oriel.h include/oriel/posix.h lib/pkgconfig/oriel.pc lib/pkgconfig/oriel-posix.pc share/man/man1/oriel.1 \
    share/bash-completion/completions/oriel share/zsh/site-functions/_oriel \
    share/fish/vendor_completions.d/oriel.fish; do
    check "there is $file" [ -s "$at/usr/$file" ]
done
"$at/usr/bin/oriel" help --verbs > "$tmp/verbs"
while read -r verb; do
    page=$(echo "$verb" | tr ' ' -)
    check "there is a page for oriel $verb" [ -s "$at/usr/share/man/man1/oriel-$page.1" ]
done < "$tmp/verbs"
check "every lab is there" \
    [ "$(ls "$root"/labs/*.lab | wc -l)" -eq "$(ls "$at"/usr/share/oriel/labs/*.lab | wc -l)" ]

if have pkg-config; then
    pkg()
    {
        PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 \
            PKG_CONFIG_PATH=$at/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$at pkg-config "$@"
    }
    check "pkg-config knows the version" [ "$(pkg --modversion oriel)" = "$version" ]
    flags="$(pkg --cflags --libs oriel)"
    # shellcheck disable=SC2086
    check "a program compiles with its flags" \
        $cc -std=c11 "$root/examples/embed.c" $flags -o "$tmp/installed"
    check "and runs with what was installed" env LD_LIBRARY_PATH="$at/usr/lib" "$tmp/installed"
    flags="$(pkg --cflags --libs oriel-posix)"
    # shellcheck disable=SC2086
    check "a program of sockets compiles with the flags of oriel-posix" \
        $cc -std=c11 -D_GNU_SOURCE -DORIEL "$root/examples/client.c" $flags -o "$tmp/client"
    env LD_LIBRARY_PATH="$at/usr/lib" "$tmp/client" > "$tmp/said" 2>&1
    check "and runs: nobody listens on its loopback" says "$tmp/said" "client: Connection refused"
else
    skip "pkg-config" "not here"
fi
tap_end
