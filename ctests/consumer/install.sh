#!/bin/bash
# Installs into a staging directory and moves the tree elsewhere: nothing may care.
source "$(dirname "$0")/common.sh"

rm -rf "$TREE"
DESTDIR=$work/stage cmake --install "$BUILD" --prefix /opt/glance-store >"$work/log" || fail "$(cat "$work/log")"
[[ $(ls "$work/stage") == opt ]] || fail "installed outside the prefix: $(ls "$work/stage")"
mv "$work/stage/opt/glance-store" "$TREE"

cd "$TREE"
[[ $(readlink "$LIBDIR/libglance_store.so") == libglance_store.so.0 ]] || fail 'no libglance_store.so'
real=$(readlink "$LIBDIR/libglance_store.so.0")
[[ $real =~ ^libglance_store\.so\.0\.[0-9]+\.[0-9]+$ ]] || fail "libglance_store.so.0 leads to '$real'"
readelf -d "$LIBDIR/$real" | grep -qF 'soname: [libglance_store.so.0]' || fail 'the soname is wrong'
for file in "$LIBDIR/libglance_store.a" include/glance_store.h "$LIBDIR/pkgconfig/glance_store.pc" \
    "$LIBDIR/cmake/glance_store/glance_store-config.cmake" \
    "$LIBDIR/cmake/glance_store/glance_store-config-version.cmake" \
    bin/glance-store share/man/man1/glance-store.1.gz share/bash-completion/completions/glance-store; do
    [[ -s $file ]] || fail "$file is not installed"
done
if grep -rlF -e "$BUILD" -e "$SOURCE" -e /opt/glance-store "$LIBDIR/pkgconfig" "$LIBDIR/cmake" include; then
    fail 'these files name the place where they were built or installed'
fi

# The command line finds the library beside itself.
env -u LD_LIBRARY_PATH HOME="$work" bin/glance-store stores
