#!/bin/sh
# The man pages are made from the tables; a formatter has nothing to say against them.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"

lint()
{
    if have mandoc; then
        mandoc -Tlint -W warning "$1"
    else
        LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 "$1" 2>&1 > /dev/null | tee "$tmp/lint"
        [ ! -s "$tmp/lint" ]
    fi
}

page()
{
    # shellcheck disable=SC2086    # a verb may be two words
    exits 0 help --man $1 && [ ! -s "$tmp/err" ] && cp "$tmp/out" "$tmp/page.1"
}

if have mandoc || have man; then
    formatter=yes
fi
check "there is an overview" page ""
if [ -n "${formatter:-}" ]; then
    check "which is good mdoc" lint "$tmp/page.1"
else
    skip "which is good mdoc" "neither mandoc nor man"
fi
oriel help --verbs
cp "$tmp/out" "$tmp/names"
while read -r verb; do
    check "the overview refers to $verb" \
        grep -q "oriel-$(echo "$verb" | tr ' ' -)" "$tmp/page.1"
done < "$tmp/names"
while read -r verb; do
    check "$verb has a page" page "$verb"
    if [ -n "${formatter:-}" ]; then
        check "the page of $verb is good mdoc" lint "$tmp/page.1"
    else
        skip "the page of $verb is good mdoc" "neither mandoc nor man"
    fi
done < "$tmp/names"

every_option()
{
    oriel help "$1"
    sed -n 's/^  .*--\([a-z][a-z-]*\).*/\1/p; s/^  .*--\[no-\]\([a-z-]*\).*/\1/p' "$tmp/out" |
        sort -u > "$tmp/options"
    oriel help --man "$1"
    while read -r option; do
        grep -q "Fl -$option" "$tmp/out" || { echo "--$option is missing"; return 1; }
    done < "$tmp/options"
    [ -s "$tmp/options" ]
}
check "every option of dump stands in its page" every_option dump
tap_end
