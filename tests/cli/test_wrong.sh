#!/bin/sh
# Wrong input at every door: status 2, a sentence on standard error, nothing on standard output.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
small=$data/small.pcapng

# wrong TEXT ARGUMENT...: refused, and the message holds the text
wrong()
{
    text=$1
    shift
    exits 2 "$@" && [ ! -s "$tmp/out" ] && says "$tmp/err" "$text" && grep -q '^oriel' "$tmp/err"
}

check "a mistyped verb names the nearest" wrong "did you mean 'dump'?" dmp
check "a verb like no other points to help" wrong "oriel help" frobnicate
check "an empty verb is none" wrong "there is no verb ''" ""
check "a mistyped option of the program names the nearest" \
    wrong "did you mean '--version'?" --verison
check "help of a verb that is not there" wrong "did you mean 'ladder'?" help lader
check "a shell that is not known" wrong "is not one of bash|zsh|fish" help --completion tcsh
check "too many words for help" wrong "one word too many" help one two three

oriel help --verbs
cp "$tmp/out" "$tmp/names"
while read -r verb; do
    # shellcheck disable=SC2086    # a verb may be two words
    set -- $verb
    check "$verb: a mistyped option names the nearest" wrong "did you mean --color?" "$@" --colr
    check "$verb: an option like no other" wrong "there is no option --zzzzzzzz" "$@" --zzzzzzzz
    check "$verb: a letter that is none" wrong "there is no option -@" "$@" -@
    check "$verb: a word that is no choice" wrong "auto|always|never" "$@" --color=purple
    check "$verb: an argument that is missing" wrong "needs an argument: WHEN" "$@" --color
    check "$verb: a flag with an argument" wrong "takes no argument" "$@" --help=yes
    check "$verb: the message points to the help" wrong "oriel $verb --help" "$@" --zzzzzzzz
done < "$tmp/names"

for verb in dump ladder; do
    check "$verb: no file" wrong "-r FILE is missing" $verb
    check "$verb: a file without a name" wrong "is not the name of a file" $verb --read=
    check "$verb: a count of nothing" wrong "out of bounds" $verb -r "$small" -c 0
    check "$verb: a count that is no number" wrong "is not a whole number" $verb -r "$small" -c many
    check "$verb: a count beyond 64 bits" wrong "is not a whole number" $verb -r "$small" \
        -c 99999999999999999999
    check "$verb: a field that is not there" wrong "did you mean" $verb -r "$small" 'ip.sorce == 1'
    check "$verb: a filter that ends too early" wrong "column" $verb -r "$small" 'udp and ('
    check "$verb: a value of another type" wrong "column" $verb -r "$small" 'ip.src == hello'
    check "$verb: two filters" wrong "given twice" $verb -r "$small" -Y udp arp
    check "$verb: a filter without end" wrong "longer than" $verb -r "$small" \
        "$(awk 'BEGIN { for (i = 0; i < 400; i++) printf "udp or " }')udp"
done

caret()
{
    oriel dump -r "$small" "$1"
    sed -n '2,3p' "$tmp/err" > "$tmp/lines"
    awk -v at="$2" 'NR == 2 { exit index($0, "^") == at + 2 ? 0 : 1 }' "$tmp/lines" && return
    cat "$tmp/err"
    return 1
}
check "the caret stands under the first column" caret 'ip.sorce == 1' 1
check "the caret stands under a later column" caret 'udp and ip.sorce == 1' 9
check "the caret stands behind the end" caret 'udp and (' 10

check "a format of time that is none" wrong "r|a|d|e" dump -r "$small" -t x
check "a width below the narrowest" wrong "60..400" ladder -r "$small" --width 10
check "a width that is no number" wrong "is not a whole number" ladder -r "$small" --width wide
check "a duration in an unknown unit" wrong "is not a duration" ladder -r "$small" --gap 5x

# What can be understood but not done is no usage error.
check "a file that is not there" exits 1 dump -r "$tmp/nowhere"
check "is named with the reason" says "$tmp/err" "cannot read $tmp/nowhere: No such file"
check "a directory" exits 1 dump -r "$tmp"
check "an empty file" exits 1 ladder -r /dev/null
check "is named as empty" says "$tmp/err" "at byte 0: the file is empty"
check "a file that is no capture" exits 1 dump -r "$0"
check "is named as none" says "$tmp/err" "the file is neither pcapng nor pcap"
tap_end
