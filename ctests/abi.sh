#!/bin/sh
# Compares the present ABI with abi.lock, or rewrites abi.lock.
#   abi.sh check|refresh <abi program> <library> <header> <C compiler> <abi.lock>
set -eu
action=$1 program=$2 library=$3 header=$4 compiler=$5 lock=$6
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

nm -D --defined-only "$library" | awk '{ print "symbol", $NF }' | LC_ALL=C sort >"$work/now"
"$program" >>"$work/now"

# A constant that abi.c forgets would be outside the lock.
{
    "$compiler" -E -P "$header"
    "$compiler" -E -dM "$header" | awk '{ print $2 }' | grep -vE '^GS_(API|MUST_USE)$|_INIT$' || true
} | grep -oE '\bGS_[A-Z0-9_]+\b' | LC_ALL=C sort -u >"$work/named"
awk '$1 == "constant" { print $2 }' "$work/now" | LC_ALL=C sort -u >"$work/locked"
if ! diff "$work/named" "$work/locked" >"$work/forgotten"; then
    echo "constants in the header (<) and in ctests/abi.c (>) differ:"
    cat "$work/forgotten"
    exit 1
fi

if [ "$action" = refresh ]; then
    cp "$work/now" "$lock"
    exit 0
fi
if ! diff -u "$lock" "$work/now"; then
    cat <<'END'

The ABI is not what ctests/abi.lock says. Lines may be added (+) between
releases; a line that goes or changes (-) breaks compiled programs. If the
change is wanted:
    cmake --build build --target abi-lock
and commit ctests/abi.lock with the reason.
END
    exit 1
fi
