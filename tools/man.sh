#!/bin/sh
# Man pages from the option table:  tools/man.sh PATH-OF-ORIEL DIRECTORY
set -eu
oriel=$1
dir=$2
"$oriel" help --man >"$dir/oriel.1"
for verb in $("$oriel" help --verbs); do
    "$oriel" help --man "$verb" >"$dir/oriel-$verb.1"
done
