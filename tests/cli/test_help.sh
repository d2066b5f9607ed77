#!/bin/sh
# Help: every verb explains itself, in the same words wherever it is asked.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"

three_ways()
{
    # shellcheck disable=SC2086    # a verb may be two words
    exits 0 $1 --help && cp "$tmp/out" "$tmp/one" && [ ! -s "$tmp/err" ] &&
        exits 0 $1 -h && cmp "$tmp/one" "$tmp/out" &&
        exits 0 help $1 && cmp "$tmp/one" "$tmp/out" && says "$tmp/one" "Usage: oriel $1"
}

each_option_stands_in_help()
{
    # shellcheck disable=SC2086
    oriel help $1
    grep -q -- '--color=WHEN' "$tmp/out" && grep -q -- '--help' "$tmp/out" &&
        says "$tmp/out" "Exit status:"
}

fits()
{
    # shellcheck disable=SC2086
    COLUMNS=$2 exits 0 help $1
    sed '/^Examples:/,$d' "$tmp/out" | awk -v w="$2" 'length($0) > w && !/^Usage/ { print; bad = 1 }
                                                     END { exit bad }'
}

check "without a verb the verbs are named, and the status is 2" exits 2
check "nothing of that goes to standard output" [ ! -s "$tmp/out" ]
check "help lists the verbs" exits 0 help
check "and says the version" says "$tmp/out" "Oriel "
check "--help is help" exits 0 --help
check "-h is help" exits 0 -h
check "--version is a line on standard output" exits 0 --version
check "that begins with the name" grep -q '^oriel [0-9]' "$tmp/out"

oriel help --verbs
cp "$tmp/out" "$tmp/names"
while read -r verb; do
    check "$verb says the same by --help, -h and help" three_ways "$verb"
    check "$verb has the options of all verbs" each_option_stands_in_help "$verb"
    check "the help of $verb fits 80 columns" fits "$verb" 80
    check "the help of $verb fits 60 columns" fits "$verb" 60
done < "$tmp/names"

# Examples that need nothing but the labs do what they say.
mkdir "$tmp/bin" "$tmp/place"
ln -s "$ORIEL" "$tmp/bin/oriel"
ln -s "$(cd "$here/../../labs" && pwd)" "$tmp/place/labs"
works()
{
    (cd "$tmp/place" && PATH=$tmp/bin:$PATH sh -c "$1" < /dev/null)
}
while read -r verb; do
    # shellcheck disable=SC2086
    oriel help $verb
    sed -n 's/^  \(oriel .*--lab [a-z].*\)/\1/p; s/^  \(oriel lab .*\)/\1/p' "$tmp/out"
done < "$tmp/names" > "$tmp/examples"
while read -r line; do
    check "$line" works "$line"
done < "$tmp/examples"

ln -s "$ORIEL" "$tmp/oriel-dump"
check "a link named oriel-dump is the verb" sh -c "'$tmp/oriel-dump' --help | grep -q 'oriel dump'"
tap_end
