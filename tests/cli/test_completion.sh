#!/bin/bash
# Completions: each shell accepts its own, and bash offers what fits.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"

for shell in bash zsh fish; do
    check "there is a completion for $shell" exits 0 help --completion $shell
    cp "$tmp/out" "$tmp/completion.$shell"
    if have $shell; then
        check "$shell accepts it" $shell -n "$tmp/completion.$shell"
    else
        skip "$shell accepts it" "no $shell"
    fi
done

# offers WORD WORDS-ON-THE-LINE...: is WORD among what bash would offer for the last one?
offers()
{
    wanted=$1
    shift
    (
        unset -f oriel
        PATH=$tmp/bin:$PATH
        compopt() { :; }
        # shellcheck disable=SC1091
        . "$tmp/completion.bash"
        COMP_WORDS=("$@")
        COMP_CWORD=$(($# - 1))
        COMPREPLY=()
        _oriel
        echo "${COMPREPLY[@]}"
        for word in "${COMPREPLY[@]}"; do
            [ "$word" = "$wanted" ] && exit 0
        done
        exit 1
    )
}

mkdir "$tmp/bin"
ln -s "$ORIEL" "$tmp/bin/oriel"
check "the verbs come first" offers dump oriel ""
check "a beginning is enough" offers ladder oriel la
check "options come after a dash" offers --count oriel dump --c
check "choices come after their option" offers never oriel dump --color ""
check "also after its letter" offers e oriel dump -t ""
check "also after an equals sign" offers always oriel dump --color = al
check "operands that a command lists are asked from it" offers dump oriel help d
: > "$tmp/a-file"
check "files come where a file is meant" offers "$tmp/a-file" oriel dump -r "$tmp/a-f"
check "the negation is offered" offers --no-why oriel dump --no
tap_end
