#!/bin/bash
# A CMake project over the installed tree, shared and static.
source "$(dirname "$0")/common.sh"

cmake -S "$here/find_package" -B "$work/build" -DCMAKE_PREFIX_PATH="$TREE" -DCMAKE_C_COMPILER="$CC"
cmake --build "$work/build"
consumes "$work/build/consumer_shared"
consumes "$work/build/consumer_static"
needs "$work/build/consumer_shared" yes
needs "$work/build/consumer_static" no
