#!/bin/bash
# Runs a program where the dynamic linker finds a librbd that is none: without_library.sh COMMAND...
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/librbd.so.1"
LD_LIBRARY_PATH=$work${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "$@"
