#!/bin/bash
# A CMake project with this source tree inside.
source "$(dirname "$0")/common.sh"

cmake -S "$here/add_subdirectory" -B "$work/build" -DGLANCE_STORE_SOURCE="$SOURCE" \
    -DGLANCE_STORE_TARGET_DIR="$CARGO_TARGET" -DCMAKE_BUILD_TYPE="$BUILD_TYPE" -DCMAKE_C_COMPILER="$CC"
cmake --build "$work/build"
consumes "$work/build/consumer_shared"
consumes "$work/build/consumer_static"
needs "$work/build/consumer_static" no

DESTDIR=$work/stage cmake --install "$work/build" --prefix /usr >/dev/null
installed=$(cd "$work/stage" && find . -type f -o -type l)
[[ $installed == ./usr/bin/consumer_shared ]] || fail "a foreign project installed: $installed"
