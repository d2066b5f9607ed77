#!/bin/sh
# The core and the worlds compile for a target without system and library, and need nothing of it.
# shellcheck source=tests/cli/tap.inc
. "$(dirname "$0")/tap.inc"
root=$(cd "$here/../.." && pwd)
cd "$root" || exit 1

if ! have clang || ! have wasm-ld; then
    skip "WebAssembly" "no clang, or no wasm-ld"
    tap_end
fi

module=build/wasm/oriel.wasm
check "make wasm" make -s wasm
check "there is a module" [ -s $module ]

# ---- every object ----

ls src/*/*.c src/*/*/*.c lens/*.c lab/*.c 2> /dev/null > "$tmp/sources"
make -n -B VERBOSE=1 wasm > "$tmp/commands" 2> /dev/null

all_without_a_system()
{
    while read -r source; do
        line=$(grep -F -e " -c $source " "$tmp/commands")
        for flag in --target=wasm32 -ffreestanding -nostdlib; do
            case " $line " in
            *" $flag "*) ;;
            *) echo "$source is not compiled with $flag: $line"; return 1 ;;
            esac
        done
    done < "$tmp/sources"
}
all_are_wasm()
{
    while read -r source; do
        magic=$(head -c 4 "build/wasm/obj/${source%.c}.o" | od -An -tx1 | tr -d ' \n')
        [ "$magic" = 0061736d ] && continue
        echo "$source: no object of WebAssembly"
        return 1
    done < "$tmp/sources"
}
check "all of src, lens and lab is compiled freestanding and without a library" all_without_a_system
check "into objects of WebAssembly" all_are_wasm

# ---- the module ----

imports_nothing()
{
    if have wasm-objdump; then
        wasm-objdump -x -j Import "$module" > "$tmp/imports" 2>&1 || true
        ! grep -E '^ - ' "$tmp/imports"
        return
    fi
    python3 - "$module" << 'END'
import sys

data = open(sys.argv[1], "rb").read()
assert data[:8] == b"\0asm\1\0\0\0", "not a module"
at = 8


def number():
    """An unsigned LEB128 number."""
    global at
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if byte < 0x80:
            return value


while at < len(data):
    section = data[at]
    at += 1
    length = number()
    end = at + length
    if section == 2 and number() > 0:
        sys.exit("the module imports something: " + repr(data[at:end][:200]))
    at = end
assert at == len(data), "a section ends behind the file"
END
}
if have wasm-objdump || have python3; then
    check "the module imports nothing" imports_nothing
else
    skip "the module imports nothing" "neither wasm-objdump nor python3"
fi

cat > "$tmp/run.cjs" << 'END'
const fs = require('fs');

const code = new WebAssembly.Module(fs.readFileSync(process.argv[2]));
const { memory, ...oriel } = new WebAssembly.Instance(code, {}).exports;
const page = 65536;

function text(at) {
    const bytes = new Uint8Array(memory.buffer, at);
    return Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString();
}

/* A stack in memory of its own behind everything else. */
const bytes = oriel.oriel_memory_min(16);
const at = memory.grow(Math.ceil(bytes / page) + 1) * page;
const config = at + Math.ceil(bytes / page) * page;
oriel.oriel_config_init(config);
const view = new DataView(memory.buffer);
const version = view.getUint32(config, true);
view.setUint32(config + 4, at, true);           /* version, memory, memory_bytes, connections */
view.setUint32(config + 8, bytes, true);
view.setUint32(config + 12, 16, true);
const stack = oriel.oriel_create(config);
oriel.oriel_step(stack, 1000n, 0);
const deadline = oriel.oriel_next_deadline(stack);
view.setUint32(config, version + 1, true);
const refused = oriel.oriel_create(config) === 0;
oriel.oriel_destroy(stack);
console.log(`${text(oriel.oriel_strerror(-3))}; ${stack === at}; ${refused}; ${BigInt.asUintN(64, deadline)}`);
END
if have node; then
    node "$tmp/run.cjs" $module > "$tmp/said" 2>&1
    check "node needs nothing to instantiate it, and a stack steps in it" says "$tmp/said" \
        "a pool or table is full; try later; true; true; 18446744073709551615"
else
    skip "node needs nothing to instantiate it" "no node"
fi
tap_end
