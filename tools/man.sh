#!/bin/sh
# Man pages from the option table:  tools/man.sh PATH-OF-ORIEL DIRECTORY
set -eu
oriel=$1
dir=$2
"$oriel" help --man >"$dir/oriel.1"
"$oriel" help --verbs | while read -r verb; do
    # shellcheck disable=SC2086    # a verb may be two words
    "$oriel" help --man $verb >"$dir/oriel-$(echo "$verb" | tr ' ' '-').1"
done
