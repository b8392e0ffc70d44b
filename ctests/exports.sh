#!/bin/sh
# The library exports exactly the functions that its header declares, has the
# soname that its packages promise, and stays loaded after dlclose().
#   exports.sh <library> <header> <C compiler>
set -eu
library=$1 header=$2 compiler=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

"$compiler" -E -P "$header" | grep -oE '\bgs_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u >"$work/declared"
nm -D --defined-only "$library" | awk '{ print $NF }' | sort -u >"$work/exported"
if [ ! -s "$work/declared" ]; then
    echo "no function found in $header"
    failed=1
fi
if ! diff -u "$work/declared" "$work/exported"; then
    echo "declared in the header (-) and exported by the library (+) differ"
    failed=1
fi

readelf -Wd "$library" >"$work/dynamic"
if ! grep -q 'Library soname: \[libglance_store\.so\.0\]' "$work/dynamic"; then
    echo "the soname is not libglance_store.so.0"
    failed=1
fi
if ! grep -q 'NODELETE' "$work/dynamic"; then
    echo "NODELETE is not set: link with -z nodelete"
    failed=1
fi
[ $failed -eq 0 ] || cat "$work/dynamic"
exit $failed
