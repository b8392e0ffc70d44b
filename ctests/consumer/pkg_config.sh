#!/bin/bash
# A program built with pkg-config over the installed tree, shared and static.
source "$(dirname "$0")/common.sh"

export PKG_CONFIG_PATH=$TREE/$LIBDIR/pkgconfig
strict=(-std=c99 -Wall -Wextra -pedantic -Werror)
read -ra cflags < <(pkg-config --cflags glance_store)
read -ra libs < <(pkg-config --libs glance_store)
read -ra static_libs < <(pkg-config --static --libs glance_store)
pkg-config --exact-version="$(sed -n 's/^version = "\(.*\)"/\1/p' "$SOURCE/Cargo.toml")" glance_store ||
    fail 'the version is not that of Cargo.toml'

"$CC" "${strict[@]}" "${cflags[@]}" "$here/consumer.c" -o "$work/shared" "${libs[@]}" -Wl,-rpath,"$TREE/$LIBDIR"
consumes "$work/shared"
needs "$work/shared" yes

# The linker prefers the shared library unless the static one is named.
"$CC" "${strict[@]}" "${cflags[@]}" "$here/consumer.c" -o "$work/static" \
    "${static_libs[@]/#-lglance_store/-l:libglance_store.a}"
consumes "$work/static"
needs "$work/static" no
