#!/bin/bash
# Does what a new user does, in empty directories: the README's example, then the guide's own C
# file, then a distribution's library, each written as the document says. Prints the minutes and the
# processor seconds (user and system, of all processes) that each took until it printed the expected
# text.
#
#     tests/newcomer/run.sh                                              # on this machine
#     cargo xtask root trixie --build -- "$PWD/tests/newcomer/run.sh"    # in a bare Debian
#
# Everything is compiled anew, into a directory that is deleted at the end. The second and the third
# crate share the compiled dependencies of the first, as crates of one workspace do.
set -euo pipefail

checkout=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CARGO_TARGET_DIR=$work/target
unset RUSTFLAGS

# Writes the files of a document: each is a line "`name`:", followed by a block of code.
write_files() { # document directory
    awk -v directory="$2" '
        in_block && /^```$/ { in_block = 0; close(file); file = ""; next }
        in_block { print > file; next }
        file != "" && /^```/ { in_block = 1; next }
        /^`[^`]+`:$/ {
            file = directory "/" substr($0, 2, length($0) - 3)
            parent = file; sub("/[^/]*$", "", parent); system("mkdir -p " parent)
        }
    ' "$1"
    # The published crates are replaced with those of this checkout.
    sed -i "s#^\(omniglot[a-z-]*\) = \"0.1\"#\1 = { path = \"$checkout/crates/\1\" }#" "$2/Cargo.toml"
    cp "$checkout/Cargo.lock" "$2/"
}

# Builds and runs a document's crate, whose output must contain a text.
step() { # name document expected
    local directory=$work/$1 began before output
    mkdir "$directory"
    write_files "$checkout/$2" "$directory"
    look_at_clocks
    began=$now before=$seconds
    if ! output=$(cd "$directory" && cargo run --quiet --offline 2>&1); then
        printf '%s failed:\n%s\n' "$1" "$output"
        exit 1
    fi
    look_at_clocks
    if [[ $output != *"$3"* ]]; then
        printf '%s did not print "%s", but:\n%s\n' "$1" "$3" "$output"
        exit 1
    fi
    awk -v name="$1" -v began="$began" -v now="$now" -v before="$before" -v after="$seconds" 'BEGIN {
        minutes = (now - began) / 60
        printf "%-22s %5.2f minutes, %5.1f processor seconds\n", name, minutes, after - before
    }'
}

# The time of day, and the processor time of exited children until now (times(1p)), both in seconds.
# It sets variables, since a subshell would have other children.
now=0 seconds=0
look_at_clocks() {
    now=$(date +%s.%N)
    times > "$work/times"
    seconds=$(tail -1 "$work/times" | tr -d s | awk -F'[m ]' '{ print $1 * 60 + $2 + $3 * 60 + $4 }')
}

step first-success README.md 'invalid value: 3 is no value of enum gadget_colour'
step own-c-file docs/guide/src/own-c-file.md 'foreign code ran longer than 100ms'
step distributions-library docs/guide/src/five-minutes.md '13000 bytes compressed to '
