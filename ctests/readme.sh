#!/bin/sh
# The program at the head of README.md compiles without a warning and stores its
# standard input: readme.sh README.md COMPILER INCLUDE-DIRECTORY LIBRARY
set -eu
readme=$1 compiler=$2 include=$3 library=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Its directory is fixed, for readers; the test has one of its own.
sed -n '/^```c$/,/^```$/p' "$readme" | sed '1d;/^```$/,$d' | sed "s|/tmp/images|$work/images|" >"$work/store.c"
grep -q gs_add_fd "$work/store.c"
"$compiler" -std=c11 -Wall -Wextra -pedantic -Werror "-I$include" "$work/store.c" -o "$work/store" \
    "$library" "-Wl,-rpath,$(dirname "$library")"

printf hello >"$work/image"
printed=$("$work/store" <"$work/image")
expected="file://$work/images/my-image 5d41402abc4b2a76b9719d911017c592"
[ "$printed" = "$expected" ] || { echo "printed '$printed', not '$expected'"; exit 1; }
cmp "$work/image" "$work/images/my-image"

# A second run finds the id taken and says so.
said=$("$work/store" <"$work/image" 2>&1)
case $said in "Duplicate: "*my-image*) ;; *) echo "said '$said'"; exit 1 ;; esac
