#!/bin/bash
# Sourced by the scripts here.  The environment names BUILD (the build tree), SOURCE (the
# source tree), TREE (where the library is installed for these tests), LIBDIR (relative to
# it), CARGO_TARGET (cargo's directory), BUILD_TYPE and CC.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

# consumes PROGRAM: it stores an image and fetches it.
consumes()
{
    local store=$work/store-$RANDOM
    "$1" "$store"
    [[ $(ls -A "$store") == disk ]] || fail "$1 left $(ls -A "$store") in its store"
    rm -rf "$store"
}

# needs PROGRAM yes|no: whether it loads the shared library.
needs()
{
    local found=no
    if readelf -d "$1" | grep NEEDED | grep -qF '[libglance_store.so.0]'; then
        found=yes
    fi
    [[ $found == "$2" ]] || fail "$1: needs the shared library: $found"
}
